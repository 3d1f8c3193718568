"""Reductions and functions of whole arrays, in ONNX."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from onnx import helper

from graphc.exporting.onnx.elementwise import FORMULAS, Formula
from graphc.exporting.onnx.writing import Writing, refused
from graphc.ir.graph import INPUT, PARAMETER, Node
from graphc.ir.types import product

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


def _det(w: Writing, node: Node, inputs: list[str]) -> str:
    if w.shared.float == np.float64:
        raise refused("a determinant of float64", node, "onnxruntime")
    return w.add("Det", *inputs)


def _cross(w: Writing, node: Node, inputs: list[str]) -> str:
    """Write a[1] b[2] - a[2] b[1] and its turns, of the last axis."""

    def turned(x: str, by: int) -> str:
        at = w.constant([by % 3, (by + 1) % 3, (by + 2) % 3])
        return w.add("Gather", x, at, axis=-1)

    a, b = inputs
    first = w.add("Mul", turned(a, 1), turned(b, 2))
    return w.add("Sub", first, w.add("Mul", turned(a, 2), turned(b, 1)))


def _searchsorted(w: Writing, node: Node, inputs: list[str]) -> str:
    """Write how many of a table are below each value, or not above it."""
    table, x = inputs
    one = w.add("Unsqueeze", x, w.constant([-1]))
    operator = "Less" if node.attrs["side"] == "left" else "LessOrEqual"
    before = w.cast(w.add(operator, table, one), "int")
    return w.add("ReduceSum", before, w.constant([-1]), keepdims=0)


def _extreme_at(reduction: str) -> Writer:
    """Write the largest or smallest that each index names of an axis; where none does, infinity."""

    def write(w: Writing, node: Node, inputs: list[str]) -> str:
        given, axis = node.args[0].shape, node.attrs["axis"]
        if len(inputs) > 2 or node.args[1].rank != 1:
            raise refused(f"`{node.op.name}`", node)
        infinity = w.number(-np.inf if reduction == "max" else np.inf)
        thin = [size if at == axis else 1 for at, size in enumerate(given)]
        at = w.expand(w.reshape(inputs[1], thin), given)
        base = w.expand(infinity, node.shape)
        return w.add("ScatterElements", base, at, inputs[0], axis=axis, reduction=reduction)

    return write


STARTS = {"multiply": 1.0, "maximum": -np.inf, "minimum": np.inf, "logaddexp": -np.inf}
"""What there is before the first element, of functions whose results are kept."""


def running(w: Writing, node: Node, name: str, x: str) -> str:
    """Write the results of a function over the first elements along an axis."""
    if name == "add":
        return w.add("CumSum", x, w.constant(node.attrs["axis"]))
    if node.type.dtype != "float" and name != "multiply":
        raise refused(f"`{node.op.name}` of integers", node)
    return _scan(w, node, FORMULAS[name], [x], STARTS[name])


def _recurrence(w: Writing, node: Node, inputs: list[str]) -> str:
    def step(inner: Writing, before: str, scale: str, more: str) -> str:
        return inner.add("Add", inner.add("Mul", scale, before), more)

    return _scan(w, node, step, inputs, 0.0)


def _scan(w: Writing, node: Node, step: Formula, given: list[str], start: float) -> str:
    """Write what a step makes of the result before and the next elements, for each of an axis."""
    axis, dtype = node.attrs["axis"], node.type.dtype
    first = [axis, *(at for at in range(node.rank) if at != axis)]
    rest = [node.shape[at] for at in first[1:]]
    inner = Writing(w.shared, {}, w)
    names = [w.shared.name("before"), *(w.shared.name("given") for _ in given)]
    found = step(inner, *names)
    ends = [inner.add("Identity", found), inner.add("Identity", found)]
    sizes = [one.constant for one in rest]
    infos = [
        helper.make_tensor_value_info(name, w.shared.element(dtype), sizes)
        for name in (*names, *ends)
    ]
    body = helper.make_graph(
        inner.nodes, w.shared.name("body"), infos[: len(names)], infos[len(names) :]
    )
    rows = [w.add("Transpose", one, perm=first) for one in given]
    before = w.expand(w.constant(start, dtype), rest)
    made = w.several("Scan", [before, *rows], 2, body=body, num_scan_inputs=len(rows))
    return w.add("Transpose", made[1], perm=[first.index(at) for at in range(node.rank)])


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
    "linalg.det": _det,
    "cross": _cross,
    "searchsorted": _searchsorted,
    "recurrence": _recurrence,
    "largest_at": _extreme_at("max"),
    "smallest_at": _extreme_at("min"),
}
"""What functions of whole arrays are, by the names that kernels call them."""
