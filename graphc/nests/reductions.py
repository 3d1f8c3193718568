"""Reductions and what runs along an axis, as works: a start, a step for each element, an end."""

from __future__ import annotations

from collections.abc import Callable

from graphc.ir.dims import Dim
from graphc.ir.graph import Node
from graphc.ir.kernel import Reduce, Running
from graphc.ir.types import Shape, product
from graphc.nests.expressions import Writer, apply
from graphc.nests.nest import Apply, Assign, Expr, Index, Kind, Number, Size, Value, cast
from graphc.nests.works import SAME, Works, axes_of

STARTS: dict[str, dict[str, float | int | bool | str]] = {
    "float": {"add": 0.0, "multiply": 1.0, "maximum": "-INFINITY", "minimum": "INFINITY",
              "logaddexp": "-INFINITY"},
    "int": {"add": 0, "multiply": 1, "maximum": "LEAST", "minimum": "MOST"},
    "bool": {"logical_or": False, "logical_and": True, "maximum": False, "minimum": True},
}  # fmt: skip
FUNCTIONS = {
    "sum": "add", "mean": "add", "prod": "multiply", "max": "maximum", "min": "minimum",
    "any": "logical_or", "all": "logical_and",
}  # fmt: skip
"""What reductions do with one element more, and what they start from."""


def reduced(works: Works, value: Value, kernel: Reduce, node: Node, comment: str) -> None:
    (x,) = node.args
    axis = node.attrs["axis"]
    chosen = axis if isinstance(axis, tuple) else (axis,)
    gone = {*range(x.rank)} if axis is None else {n % x.rank for n in chosen}
    kept = [i for i in range(x.rank) if i not in gone]
    count = product([x.shape[i] for i in sorted(gone)])
    keeps = bool(node.attrs.get("keepdims"))

    def own(at: Index) -> Index:
        """Return where in the result an element of x goes."""
        if not keeps:
            return tuple(at[i] for i in kept)
        return tuple(at[i] if i in kept else Dim.of(0) for i in range(x.rank))

    if kernel.name in ("argmax", "argmin"):
        choose(works, value, kernel.name, x, node, own, count, comment)
        return
    name = FUNCTIONS[kernel.name]
    if kernel.name in ("max", "min") and kernel.initial is None:
        works.refuse_empty(count, node.shape)
    start = start_of(name, x.type.dtype, kernel)
    dtype: Kind = node.type.dtype
    if kernel.name in ("sum", "mean") and dtype == "float":
        dtype = "wide"
    mean = kernel.name == "mean"
    suffix = sorted(gone) == list(range(x.rank - len(gone), x.rank))
    total = value
    if mean or suffix or dtype != node.type.dtype:
        total = Value(works.context.fresh(f"{value.name}_total"), dtype, node.shape)
    works.each(node.shape, total, SAME, lambda *_: start)
    works.folded(total, name, x.shape, own, lambda writer, at: writer.element(x, at), comment)
    if total is value:
        return

    def end(writer: Writer, at: Index) -> Expr:
        whole = writer.read(total, at)
        return apply("divide", [whole, Size(count)], "float") if mean else whole

    works.each(node.shape, value, SAME, end, "" if not mean else comment)


def start_of(name: str, dtype: Kind, kernel: Reduce | None = None) -> Expr:
    if kernel is not None and kernel.initial == "lowest":
        return Apply("negative", (Number("LARGEST", "float"),), "float", "float")
    if kernel is not None and isinstance(kernel.initial, int | float):
        started = str(kernel.initial).replace("inf", "INFINITY")
        return Number(started if "INF" in started else kernel.initial, "float")
    return Number(STARTS[dtype][name], dtype)


def choose(
    works: Works,
    value: Value,
    name: str,
    x: Node,
    node: Node,
    own: Callable[[Index], Index],
    count: Dim,
    comment: str,
) -> None:
    """Add the works that find the position of the first largest element; nan is the largest."""
    works.refuse_empty(count, node.shape)
    best = Value(works.context.fresh(f"{value.name}_best"), x.type.dtype, node.shape)
    function = "maximum" if name == "argmax" else "minimum"
    start = start_of(function, x.type.dtype)
    works.each(node.shape, best, SAME, lambda *_: start)
    works.each(node.shape, value, SAME, lambda *_: Number(0, "int"))
    axes, at = axes_of(x.shape)
    writer = works.writer()
    place = own(at)
    element = writer.element(x, at)
    axis = node.attrs["axis"]
    position = Size(at[axis % x.rank] if isinstance(axis, int) else at[axis[0] % x.rank])
    wins = Apply(f"{name}_wins", (element, writer.read(best, place)), "bool", x.type.dtype)
    chosen = Apply("where", (wins, position, writer.read(value, place)), "int", "int")
    better = Apply("where", (wins, element, writer.read(best, place)), best.dtype, best.dtype)
    one = Assign(writer.assign(value, place), chosen, comment)
    works.finish(axes, writer, one, Assign(writer.assign(best, place), better))


def running(works: Works, value: Value, kernel: Running, node: Node, comment: str) -> None:
    (x,) = node.args
    recur(
        works, value, node.shape, node.attrs["axis"], start_of(kernel.name, x.type.dtype),
        lambda writer, at, before: apply(
            kernel.name, [before, writer.element(x, at)], node.type.dtype
        ),
        comment,
    )  # fmt: skip


def recurrence(works: Works, value: Value, node: Node, comment: str) -> None:
    """y[t] = a[t] y[t - 1] + b[t], and y[0] = b[0]."""
    a, b = node.args
    axis = node.attrs["axis"]

    def step(writer: Writer, at: Index, before: Expr) -> Expr:
        scaled = apply("multiply", [writer.element(a, at), before], "float")
        more = apply("add", [scaled, writer.element(b, at)], "float")
        first = Apply("equal", (Size(at[axis]), Size(Dim.of(0))), "bool", "int")
        return Apply("where", (first, writer.element(b, at), more), "float", "float")

    recur(works, value, node.shape, axis, Number(0.0, "float"), step, comment)


def recur(
    works: Works,
    value: Value,
    shape: Shape,
    axis: int,
    start: Expr,
    step: Callable[[Writer, Index, Expr], Expr],
    comment: str,
) -> None:
    """Add the works of what is computed from what stands before it along an axis."""
    rest = (*shape[:axis], *shape[axis + 1 :])
    last = Value(works.context.fresh(f"{value.name}_last"), value.dtype, rest)
    works.each(rest, last, SAME, lambda *_: start)
    axes, at = axes_of(shape)
    writer = works.writer()
    place = (*at[:axis], *at[axis + 1 :])
    found = step(writer, at, writer.read(last, place))
    kept = Assign(writer.assign(last, place), cast(found, value.dtype), comment)
    put = Assign(writer.assign(value, at), writer.read(last, place))
    works.finish(axes, writer, kept, put)


def dots(works: Works, value: Value, node: Node, comment: str) -> None:
    """Σ of products along the last axis, or of all elements."""
    a, b = node.args
    rank = node.rank
    total = Value(works.context.fresh(f"{value.name}_total"), "wide", node.shape)
    works.each(node.shape, total, SAME, lambda *_: Number(0.0, "wide"))
    works.folded(
        total, "add", a.shape, lambda at: at[:rank],
        lambda writer, at: apply(
            "multiply", [writer.element(a, at), writer.element(b, at)], "float"
        ),
        comment,
    )  # fmt: skip
    works.each(node.shape, value, SAME, lambda writer, at: writer.read(total, at))
