"""Reductions, places of elements and functions of whole arrays, in ONNX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.exporting.onnx.writing import Writing, refused
from graphc.ir.dims import Dim
from graphc.ir.graph import INPUT, PARAMETER, Node
from graphc.ir.items import extent
from graphc.ir.types import product, same

Writer = Callable[[Writing, Node, list[str]], str]


def axes_of(node: Node) -> list[int] | None:
    """Return the axes of a reduction; None is all."""
    axis = node.attrs.get("axis")
    return None if axis is None else list(axis) if isinstance(axis, tuple) else [axis]


REDUCED = {
    "sum": "ReduceSum", "mean": "ReduceMean", "prod": "ReduceProd", "max": "ReduceMax",
    "min": "ReduceMin",
}  # fmt: skip


def reduce(w: Writing, node: Node, name: str, x: str) -> str:
    """Write a reduction; one of truth values as that of 0 and 1."""
    axes, kept = axes_of(node), int(bool(node.attrs.get("keepdims", False)))
    given = node.args[0]
    if name in ("any", "all"):
        number = w.cast(w.add("Cast", x, to=w.shared.element("bool")), "int")
        found = _reduced(
            w, "ReduceMax" if name == "any" else "ReduceMin", number, axes, kept, given.rank
        )
        return w.cast(found, "bool")
    if name in ("argmax", "argmin"):
        operator = "ArgMax" if name == "argmax" else "ArgMin"
        if axes is None:
            flat = w.add("Reshape", x, w.constant([-1]))
            found = w.add(operator, flat, axis=0, keepdims=0)
            return w.reshape(found, [1] * given.rank) if kept else found
        return w.add(operator, x, axis=axes[0], keepdims=kept)
    return _reduced(w, REDUCED[name], x, axes, kept, given.rank)


def _reduced(
    w: Writing, operator: str, x: str, axes: list[int] | None, kept: int, rank: int
) -> str:
    if not rank:
        return x
    if axes == []:
        return x
    inputs = [x] if axes is None else [x, w.constant(axes)]
    return w.add(operator, *inputs, keepdims=kept)


# ---- places -------------------------------------------------------------------------------------


def view(w: Writing, node: Node, place: str, x: str) -> str:
    """Write the elements at a place of an array."""
    attrs, given = node.attrs, node.args[0]
    match place:
        case "same" | "rows":
            return x
        case "permuted":
            return w.add("Transpose", x, perm=list(attrs["axes"]))
        case "expanded":
            return w.add("Unsqueeze", x, w.constant(list(attrs["axes"])))
        case "reshaped":
            return w.reshape(x, node.shape)
        case "repeated":
            return w.expand(x, node.shape)
        case "items":
            return _items(w, attrs["items"], given, x)
        case "first":
            return w.add("Slice", x, w.constant([0]), w.shape([node.shape[0]]), w.constant([0]))
        case "diagonal":
            return _diagonal(w, node, x)
        case "letters":
            return w.add("Einsum", x, equation=f"{attrs['whole']}->{attrs['part']}")
    raise refused(f"`{node.op.name}`", node)


def _items(w: Writing, items: Any, given: Node, x: str) -> str:
    """Write ranges as one slice, and positions as ranges of one that go."""
    starts, ends, axes, steps, gone = [], [], [], [], []
    for axis, (kind, value) in enumerate(items):
        size = given.shape[axis]
        if kind == "at":
            low, high, step = value, value + 1, 1
            gone.append(axis)
        else:
            start, length, step = value
            if step == 1 and start.constant == 0 and same(length, size):
                continue
            low, high = start, start + (length - 1) * step + (1 if step > 0 else -1)
        starts.append(low)
        ends.append(high)
        axes.append(axis)
        steps.append(step)
    found = x
    if axes:
        # an end of -1 would count from the end: below the first element is below all
        below = [
            end - size - 1 if step < 0 else end
            for end, step, size in zip(
                ends, steps, (given.shape[axis] for axis in axes), strict=True
            )
        ]
        found = w.add(
            "Slice", x, w.shape(starts), w.shape(below), w.constant(axes), w.constant(steps)
        )
    return w.add("Squeeze", found, w.constant(gone)) if gone else found


def _diagonal(w: Writing, node: Node, x: str) -> str:
    offset, count = node.attrs.get("offset", 0), node.shape[-1]
    rows = w.arange(count)
    columns = rows
    if offset > 0:
        columns = w.add("Add", rows, w.constant(offset))
    elif offset < 0:
        rows = w.add("Add", rows, w.constant(-offset))
    given = node.args[0]
    flat = w.reshape(x, [*given.shape[:-2], given.shape[-2] * given.shape[-1]])
    at = w.add("Add", w.add("Mul", rows, w.size(given.shape[-1])), columns)
    return w.add("Gather", flat, at, axis=given.rank - 2)


def take(w: Writing, node: Node, place: str, x: str, ids: str) -> str:
    """Write the elements that indices name."""
    axis = node.attrs.get("axis", 0)
    match place:
        case "axis":
            return w.add("Gather", x, ids, axis=axis)
        case "along":
            return w.add("GatherElements", x, ids, axis=axis)
        case "label":
            at = w.add("Unsqueeze", ids, w.constant([-1]))
            found = w.add("GatherElements", x, at, axis=node.args[0].rank - 1)
            return w.add("Squeeze", found, w.constant([-1]))
    raise refused(f"`{node.op.name}`", node)


def put(w: Writing, node: Node, place: str, inputs: list[str]) -> str:
    """Write zeros with values at a place of them."""
    attrs = node.attrs
    match place:
        case "items":
            return _put_items(w, node, inputs[0])
        case "label":
            size = node.shape[-1]
            ids = w.add("Unsqueeze", inputs[1], w.constant([-1]))
            here = w.add("Equal", w.arange(size), ids)
            value = inputs[0]
            if node.args[0].rank:
                value = w.add("Unsqueeze", value, w.constant([-1]))
            return w.where(here, value, w.number(0))
        case "axis":
            return _scatter(w, node, inputs)
        case "along":
            zeros = w.zeros(node.shape, "float")
            return w.add("ScatterElements", zeros, inputs[1], inputs[0], axis=attrs["axis"],
                         reduction="add")  # fmt: skip
        case "diagonal":
            return _diagonal_matrix(w, node, inputs[0])
        case "parts":
            return _put_parts(w, node, inputs)
        case "letters":
            return _put_letters(w, node, inputs[0])
    raise refused(f"`{node.op.name}`", node)


def _put_items(w: Writing, node: Node, x: str) -> str:
    """Write what an index takes put back: new axes, zeros between, zeros around."""
    items, value = node.attrs["items"], x
    gone = [axis for axis, (kind, _) in enumerate(items) if kind == "at"]
    if gone:
        value = w.add("Unsqueeze", value, w.constant(gone))
    before, behind, turned = [], [], []
    for axis, (kind, part) in enumerate(items):
        size = node.shape[axis]
        if kind == "at":
            before.append(part)
            behind.append(size - part - 1)
            continue
        start, length, step = part
        if abs(step) != 1:
            return _put_strided(w, node, items, x)
        if step < 0:
            turned.append(axis)
            start = start - (length - 1)
        before.append(start)
        behind.append(size - start - length)
    for axis in turned:
        ends = w.constant([-(2**62)])
        value = w.add("Slice", value, w.constant([-1]), ends, w.constant([axis]), w.constant([-1]))
    return w.add("Pad", value, w.shape([*before, *behind]), w.number(0))


def _put_strided(w: Writing, node: Node, items: Any, x: str) -> str:
    """Write what every so many positions get, axis by axis, by the positions."""
    value, shape = x, list(node.shape)
    gone = [axis for axis, (kind, _) in enumerate(items) if kind == "at"]
    if gone:
        value = w.add("Unsqueeze", value, w.constant(gone))
    sizes = [Dim.of(1) if kind == "at" else part[1] for kind, part in items]
    for axis, item in enumerate(items):
        start, length, step = extent(item)
        places = w.add("Mul", w.arange(length), w.constant(step))
        places = w.add("Add", places, w.size(start))
        behind = [length if at == axis else 1 for at in range(len(shape))]
        index = w.expand(w.reshape(places, behind), sizes)
        sizes = [*sizes[:axis], shape[axis], *sizes[axis + 1 :]]
        zeros = w.zeros(sizes, "float")
        value = w.add("ScatterElements", zeros, index, value, axis=axis)
    return value


def _put_parts(w: Writing, node: Node, inputs: list[str]) -> str:
    total = ""
    for argument, name, items in zip(node.args, inputs, node.attrs["items"], strict=True):
        part = _PartOf(node, argument, items)
        piece = _put_items(w, part, name)  # type: ignore[arg-type]
        total = w.add("Add", total, piece) if total else piece
    return total


def _put_letters(w: Writing, node: Node, x: str) -> str:
    """Write an array that is zero but where axes of one letter have one index."""
    part, whole = node.attrs["part"], node.attrs["whole"]
    first = [whole.index(letter) for letter in whole]
    order = sorted(range(len(part)), key=lambda axis: whole.index(part[axis]))
    value = w.add("Transpose", x, perm=order) if order != sorted(order) else x
    new = [axis for axis, at in enumerate(first) if at != axis]
    value = w.add("Unsqueeze", value, w.constant(new)) if new else value
    mask = ""
    for axis in new:
        sides = [
            w.reshape(w.arange(node.shape[at]), [node.shape[at] if one == at else 1
                                                 for one in range(len(whole))])
            for at in (first[axis], axis)
        ]  # fmt: skip
        here = w.add("Equal", *sides)
        mask = w.add("And", mask, here) if mask else here
    return w.where(mask, value, w.number(0)) if mask else value


class _PartOf:
    """One of the parts that are put into an array, as if it was the only one."""

    def __init__(self, node: Node, argument: Node, items: Any) -> None:
        self.attrs, self.shape, self.args = {"items": items}, node.shape, (argument,)
        self.op, self.origin = node.op, node.origin


def _scatter(w: Writing, node: Node, inputs: list[str]) -> str:
    """Write the sum of slices that go to the positions of an axis."""
    axis = node.attrs["axis"]
    value, ids = node.args[0], node.args[1]
    count = product(ids.shape)
    flat = w.reshape(inputs[1], [count])
    rest = [*value.shape[:axis], count, *value.shape[axis + ids.rank :]]
    updates = w.reshape(inputs[0], rest) if ids.rank != 1 else inputs[0]
    thin = [count if at == axis else 1 for at in range(len(rest))]
    index = w.expand(w.reshape(flat, thin), rest)
    size = w.size(node.shape[axis])
    wrapped = w.where(w.add("Less", index, w.constant(0)), w.add("Add", index, size), index)
    zeros = w.zeros(node.shape, "float")
    return w.add("ScatterElements", zeros, wrapped, updates, axis=axis, reduction="add")


def _diagonal_matrix(w: Writing, node: Node, x: str) -> str:
    rows, columns = node.shape[-2:]
    offset = node.attrs.get("offset", 0)
    row = w.reshape(w.arange(rows), [rows, 1])
    column = w.add("Sub", w.arange(columns), w.constant(offset))
    given = node.args[0]
    places = w.add("Max", row if offset >= 0 else column, w.constant(0))
    here = w.add("Equal", row, column)
    length = w.add("Sub", w.size(given.shape[-1]), w.constant(1))
    inside = w.add("Min", w.expand(places, [rows, columns]), length)
    value = w.add("Gather", x, inside, axis=given.rank - 1)
    return w.where(here, value, w.number(0))


# ---- functions of whole arrays ------------------------------------------------------------------


def _full(w: Writing, node: Node, inputs: list[str]) -> str:
    number = w.constant(node.attrs["value"], node.type.dtype)
    return w.expand(number, node.shape)


def _eye(w: Writing, node: Node, inputs: list[str]) -> str:
    rows, columns = node.shape
    row = w.reshape(w.arange(rows), [rows, 1])
    column = w.add("Sub", w.arange(columns), w.size(node.attrs.get("k", 0)))
    return w.cast(w.add("Equal", row, column), node.type.dtype)


def _linspace(w: Writing, node: Node, inputs: list[str]) -> str:
    (count,) = node.shape
    places = w.cast(w.arange(count), "float")
    last = w.cast(w.add("Max", w.size(count - 1), w.constant(1)), "float")
    share = w.add("Div", places, last)
    span = w.add("Sub", inputs[1], inputs[0])
    return w.add("Add", inputs[0], w.add("Mul", span, share))


def _triangle(upper: int) -> Writer:
    def write(w: Writing, node: Node, inputs: list[str]) -> str:
        return w.add("Trilu", inputs[0], w.size(node.attrs.get("k", 0)), upper=upper)

    return write


def _roll(w: Writing, node: Node, inputs: list[str]) -> str:
    shift, axis = node.attrs["shift"], node.attrs["axis"]
    if axis is None:
        size = product(node.shape)
        flat = w.add("Reshape", inputs[0], w.constant([-1]))
        moved = w.add("Mod", w.add("Sub", w.arange(size), w.size(shift)), w.size(size))
        return w.reshape(w.add("Gather", flat, moved, axis=0), node.shape)
    pairs = list(zip(shift, axis, strict=True)) if isinstance(axis, tuple) else [(shift, axis)]
    found = inputs[0]
    for step, along in pairs:
        size = node.shape[along]
        moved = w.add("Mod", w.add("Sub", w.arange(size), w.size(step)), w.size(size))
        found = w.add("Gather", found, moved, axis=along)
    return found


def _argsort(w: Writing, node: Node, inputs: list[str]) -> str:
    axis = node.attrs["axis"]
    size = w.vector(w.size(node.shape[axis]))
    return w.several("TopK", [inputs[0], size], 2, axis=axis, largest=0, sorted=1)[1]


def _outer(w: Writing, node: Node, inputs: list[str]) -> str:
    column = w.add("Unsqueeze", inputs[0], w.constant([-1]))
    return w.add("Mul", column, w.add("Unsqueeze", inputs[1], w.constant([0])))


def _matmul(w: Writing, node: Node, inputs: list[str]) -> str:
    """Write a product; with a vector behind a matrix as with a column of it.

    onnxruntime 1.32 joins `MatMul(Transpose(A), v)` and reads A as if it were not transposed.
    """
    matrix, other = node.args
    if other.rank != 1 or matrix.rank < 2 or matrix.op in (INPUT, PARAMETER):
        return w.add("MatMul", *inputs)
    column = w.add("Unsqueeze", inputs[1], w.constant([-1]))
    return w.add("Squeeze", w.add("MatMul", inputs[0], column), w.constant([-1]))


CALLS: dict[str, Writer] = {
    "matmul": _matmul,
    "concatenate": lambda w, node, inputs: w.add("Concat", *inputs, axis=node.attrs["axis"]),
    "arange": lambda w, node, inputs: w.arange(node.shape[0]),
    "full": _full,
    "eye": _eye,
    "linspace": _linspace,
    "tril": _triangle(0),
    "triu": _triangle(1),
    "roll": _roll,
    "argsort": _argsort,
    "outer": _outer,
    "linalg.det": lambda w, node, inputs: w.add("Det", *inputs),
}
"""What functions of whole arrays are, by the names that kernels call them."""


def running(w: Writing, node: Node, name: str, x: str) -> str:
    """Write the results of a function over the first elements along an axis."""
    axis = w.constant(node.attrs["axis"])
    if name == "add":
        return w.add("CumSum", x, axis)
    raise refused(f"`{node.op.name}`", node)
