"""Places of elements in arrays, to take what is there and to put values there, in ONNX."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.exporting.onnx.writing import Writing, refused
from graphc.ir.dims import Dim
from graphc.ir.graph import Node
from graphc.ir.items import Items, extent
from graphc.ir.kernel import Put
from graphc.ir.types import Shape, product, same
from graphc.ops.select.gathering import named_shape


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
        case "windows":
            return _windows(w, node, x)
    raise refused(f"`{node.op.name}`", node)


def _items(w: Writing, items: Items, given: Node, x: str) -> str:
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


def take(w: Writing, node: Node, place: str, x: str, indices: Sequence[str]) -> str:
    """Write the elements that indices name."""
    axis, shape = node.attrs.get("axis", 0), node.args[0].shape
    match place:
        case "axis" if len(indices) == 1:
            return w.add("Gather", x, indices[0], axis=axis)
        case "axis":
            after = axis + len(indices)
            sizes = shape[axis:after]
            whole = w.reshape(x, [*shape[:axis], product(sizes), *shape[after:]])
            return w.add("Gather", whole, _joined(w, indices, sizes), axis=axis)
        case "along":
            return w.add("GatherElements", x, indices[0], axis=axis)
        case "label":
            at = w.add("Unsqueeze", indices[0], w.constant([-1]))
            found = w.add("GatherElements", x, at, axis=node.args[0].rank - 1)
            return w.add("Squeeze", found, w.constant([-1]))
    raise refused(f"`{node.op.name}`", node)


def _joined(w: Writing, indices: Sequence[str], sizes: Sequence[Dim]) -> str:
    """Write one index, from 0 on, to axes of these sizes as if they were one axis."""
    total = ""
    for index, size in zip(indices, map(w.size, sizes), strict=True):
        below = w.add("Less", index, w.constant(0))
        at = w.where(below, w.add("Add", index, size), index)
        total = w.add("Add", w.add("Mul", total, size), at) if total else at
    return total


def put(w: Writing, node: Node, kernel: Put, inputs: list[str]) -> str:
    """Write zeros, or the first argument, with values at a place of them."""
    match kernel.place:
        case "items":
            return _put_items(w, node.attrs["items"], node.shape, inputs[0])
        case "label":
            size = node.shape[-1]
            ids = w.add("Unsqueeze", inputs[1], w.constant([-1]))
            here = w.add("Equal", w.arange(size), ids)
            value = inputs[0]
            if node.args[0].rank:
                value = w.add("Unsqueeze", value, w.constant([-1]))
            return w.where(here, value, w.constant(0, node.type.dtype))
        case "axis":
            return _put_by_index(w, node, kernel, inputs)
        case "along":
            base, (at,), given = _base_of(w, node, kernel, inputs)
            values = w.expand(given, node.args[1].shape)
            return _scattered(w, base, at, values, node.attrs["axis"], kernel.add)
        case "windows":
            return _overlap(w, node, inputs[0])
        case "diagonal":
            return _diagonal_matrix(w, node, inputs[0])
        case "parts":
            return _put_parts(w, node, inputs)
        case "letters":
            return _put_letters(w, node, inputs[0])
    raise refused(f"`{node.op.name}`", node)


def _put_items(w: Writing, items: Items, shape: Shape, x: str) -> str:
    """Write what an index takes put back: new axes, zeros between, zeros around."""
    value = x
    gone = [axis for axis, (kind, _) in enumerate(items) if kind == "at"]
    if gone:
        value = w.add("Unsqueeze", value, w.constant(gone))
    before, behind, turned = [], [], []
    for axis, (kind, part) in enumerate(items):
        size = shape[axis]
        if kind == "at":
            before.append(part)
            behind.append(size - part - 1)
            continue
        start, length, step = part
        if abs(step) != 1:
            return _put_strided(w, items, shape, x)
        if step < 0:
            turned.append(axis)
            start = start - (length - 1)
        before.append(start)
        behind.append(size - start - length)
    for axis in turned:
        ends = w.constant([-(2**62)])
        value = w.add("Slice", value, w.constant([-1]), ends, w.constant([axis]), w.constant([-1]))
    return w.add("Pad", value, w.shape([*before, *behind]), w.number(0))


def _put_strided(w: Writing, items: Items, shape: Shape, x: str) -> str:
    """Write what every so many positions get, axis by axis, by the positions."""
    value = x
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
    for items, name in zip(node.attrs["items"], inputs, strict=True):
        piece = _put_items(w, items, node.shape, name)
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


def _base_of(w: Writing, node: Node, kernel: Put, inputs: list[str]) -> tuple[str, list[str], str]:
    """Return what values are put into, the indices, and the values."""
    if kernel.onto:
        return inputs[0], inputs[1:-1], inputs[-1]
    return w.zeros(node.shape, node.type.dtype), inputs[1:], inputs[0]


def _put_by_index(w: Writing, node: Node, kernel: Put, inputs: list[str]) -> str:
    """Write what goes to the positions of axes that an index for each of them names."""
    base, indices, values = _base_of(w, node, kernel, inputs)
    axis, after = node.attrs["axis"], node.attrs["axis"] + len(indices)
    sizes = node.shape[axis:after]
    named = named_shape(node.args[1:-1] if kernel.onto else node.args[1:])
    count = product(named)
    flat = w.reshape(w.expand(_joined(w, indices, sizes), named), [count])
    given = w.expand(values, [*node.shape[:axis], *named, *node.shape[after:]])
    rows = [*node.shape[:axis], count, *node.shape[after:]]
    joined = [*node.shape[:axis], product(sizes), *node.shape[after:]]
    found = _put_rows(w, (base, joined), flat, (given, rows), axis, kernel.add)
    return w.reshape(found, node.shape)


Shaped = tuple[str, Sequence[Dim]]
"""The name of an array, and the shape that it is seen in."""


def _put_rows(w: Writing, base: Shaped, index: str, values: Shaped, axis: int, add: bool) -> str:
    """Write what goes to the positions of one axis that a vector names."""
    (onto, whole), (given, shape) = base, values
    thin = [shape[axis] if at == axis else 1 for at in range(len(shape))]
    everywhere = w.expand(w.reshape(index, thin), shape)
    return _scattered(w, w.reshape(onto, whole), everywhere, w.reshape(given, shape), axis, add)


def _scattered(w: Writing, base: str, index: str, values: str, axis: int, add: bool) -> str:
    reduction = "add" if add else "none"
    return w.add("ScatterElements", base, index, values, axis=axis, reduction=reduction)


# ---- windows ------------------------------------------------------------------------------------


def _places(w: Writing, counts: Sequence[Dim], step: Dim, spread: Dim) -> str:
    """Write where the elements of windows stand along an axis: [windows, places]."""
    windows, places = counts
    starts = w.reshape(w.add("Mul", w.arange(windows), w.size(step)), [windows, 1])
    return w.add("Add", starts, w.add("Mul", w.arange(places), w.size(spread)))


def _windows(w: Writing, node: Node, x: str) -> str:
    """Write the elements of windows, an axis after the other, and the windows before the places."""
    attrs, count = node.attrs, len(node.attrs["kernel"])
    lead = node.rank - 2 * count
    for number in range(count):
        sizes = node.shape[lead + number], node.shape[lead + count + number]
        at = _places(w, sizes, attrs["stride"][number], attrs["dilation"][number])
        x = w.add("Gather", x, at, axis=lead + 2 * number)
    pairs = [*range(lead, lead + 2 * count, 2), *range(lead + 1, lead + 2 * count, 2)]
    return w.add("Transpose", x, perm=[*range(lead), *pairs]) if count > 1 else x


def _overlap(w: Writing, node: Node, x: str) -> str:
    """Write windows added up where they were taken, an axis after the other."""
    given, count = node.args[0].shape, len(node.attrs["stride"])
    lead = node.rank - count
    order = [lead + half * count + number for number in range(count) for half in (0, 1)]
    x = w.add("Transpose", x, perm=[*range(lead), *order]) if count > 1 else x
    shape = [*given[:lead], *(given[at] for at in order)]
    for number in range(count):
        axis = lead + number
        sizes = shape[axis], shape[axis + 1]
        at = _places(w, sizes, node.attrs["stride"][number], node.attrs["dilation"][number])
        length = product(sizes)
        rows = [*shape[:axis], length, *shape[axis + 2 :]]
        shape = [*shape[:axis], node.shape[axis], *shape[axis + 2 :]]
        zeros = w.zeros(shape, node.type.dtype)
        x = _put_rows(w, (zeros, shape), w.reshape(at, [length]), (x, rows), axis, add=True)
    return x


def _diagonal_matrix(w: Writing, node: Node, x: str) -> str:
    rows, columns = node.shape[-2:]
    offset = node.attrs.get("offset", 0)
    row = w.reshape(w.arange(rows), [rows, 1])
    column = w.add("Sub", w.arange(columns), w.constant(offset))
    given = node.args[0]
    along = row if offset >= 0 else w.arange(columns)
    places = w.add("Max", along, w.constant(0))
    here = w.add("Equal", row, column)
    length = w.add("Sub", w.size(given.shape[-1]), w.constant(1))
    inside = w.add("Min", w.expand(places, [rows, columns]), length)
    value = w.add("Gather", x, inside, axis=given.rank - 1)
    return w.where(here, value, w.constant(0, node.type.dtype))
