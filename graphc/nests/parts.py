"""Parts of arrays put together, as works: what is there first, and each part at its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate as running

from graphc.ir.dims import Dim
from graphc.ir.graph import Node
from graphc.ir.items import chosen_shape
from graphc.ir.kernel import Place, Put
from graphc.ir.types import Shape, broadcast
from graphc.nests.expressions import Writer, apply
from graphc.nests.nest import Apply, Assign, Expr, Index, Number, Size, Value, cast
from graphc.nests.places import PLACES, Subarray, items, stretched
from graphc.nests.reductions import start_of
from graphc.nests.works import EXTREMES, SAME, Works, axes_of
from graphc.ops.shape.assemble import is_complete


def put(works: Works, value: Value, kernel: Put, node: Node, comment: str) -> None:
    if kernel.onto:
        first, *indices, put = node.args
        works.copied(value, first)
    else:
        put, *indices = node.args
        zero = cast(Number(0, "int"), node.type.dtype)
        if not (kernel.place == "cells" and is_complete(node)):
            works.each(node.shape, value, SAME, lambda *_: zero)
    if kernel.place == "triangle":
        triangle(works, value, node, comment, put=True)
    elif kernel.place in ("parts", "cells"):
        put_each(works, value, kernel, node, comment)
    else:
        named = kernel.place in ("label", "entries", "along", "vector")
        shape = indices[0].shape if named else put.shape
        if kernel.place == "axis":
            first, count = node.attrs["axis"], len(indices)
            inside = broadcast([one.shape for one in indices], "")
            shape = (*node.shape[:first], *inside, *node.shape[first + count :])
        adds = kernel.add and not (kernel.unless and node.attrs[kernel.unless])
        fold = "add" if adds else ""
        put_one(works, value, kernel.place, fold, node, put, list(indices), shape, comment)


def put_one(
    works: Works,
    value: Value,
    place: Place,
    fold: str,
    node: Node,
    put: Node,
    indices: list[Node],
    shape: Shape,
    comment: str,
) -> None:
    """Add the work that puts each element of an argument to its place, or folds it into what is
    there."""
    axes, at = axes_of(shape)
    writer = works.writer()
    part = Subarray(node, node.shape, shape, writer.position_by(indices))
    element: Expr = cast(writer.element(put, stretched(at, put.shape)), value.dtype)
    there = PLACES[place](part, at)
    if fold:
        before = writer.read(value, there)
        element = Apply(fold, (before, element), value.dtype, value.dtype)
    works.finish(axes, writer, Assign(writer.assign(value, there), element, comment))


def extremes(works: Works, value: Value, name: str, node: Node, comment: str) -> None:
    """Add the works that find the largest, or the smallest, of what each index names."""
    x, *indices = node.args
    fold = EXTREMES[name]
    works.each(node.shape, value, SAME, lambda *_: start_of(fold, "float"))
    put_one(works, value, "axis", fold, node, x, indices, x.shape, comment)


To = Callable[[Index], Index]
"""From the position of an element in a part to that in the whole."""


def put_each(works: Works, value: Value, kernel: Put, node: Node, comment: str) -> None:
    """Add a work for each argument, which goes to a place of its own."""
    block = node.attrs.get("block")
    wheres = node.attrs["items"] if kernel.place == "parts" else node.attrs["places"]
    for x, where in zip(node.args, wheres, strict=True):
        if kernel.place == "parts":
            shape, to = chosen_shape(where), partial(items, where)
        else:
            shape = x.shape if block is None else (node.shape[block],)
            to = partial(_in_cell, where, block)

        def place(_: Writer, at: Index, to: To = to) -> Index:
            return to(at)

        def element(writer: Writer, at: Index, x: Node = x, to: To = to) -> Expr:
            found = writer.element(x, stretched(at, x.shape))
            if not kernel.add:
                return found
            return apply("add", [writer.read(value, to(at)), found], node.type.dtype)

        works.each(shape, value, place, element, comment)
        comment = ""


def _in_cell(where: Sequence[int], block: int | None, at: Index) -> Index:
    """Return a position in one cell, along the axis that cells have."""
    fixed = tuple(map(Dim.of, where))
    return fixed if block is None else (*fixed[:block], *at, *fixed[block:])


def triangle(works: Works, value: Value, node: Node, comment: str, *, put: bool) -> None:
    """Below the diagonal of matrices of side n, column by column: [i, j] for j < i."""
    (x,) = node.args
    n = Dim.of(node.attrs["n"])
    lead = node.shape[:-2] if put else node.shape[:-1]
    axes, at = axes_of((*lead, n, n))
    column, row = at[-2:]
    entry = column * n - column * (column + 1) // 2 + row - column - 1
    vector, matrix = (*at[:-2], entry), (*at[:-2], row, column)
    writer = works.writer()
    source, target = (vector, matrix) if put else (matrix, vector)
    below = Apply("less", (Size(column), Size(row)), "bool", "int")
    element = cast(writer.element(x, source), value.dtype)
    to = writer.assign(value, target)
    works.finish(axes, writer, Assign(to, element, comment, where=below))


def joined(works: Works, value: Value, node: Node, comment: str) -> None:
    axis = node.attrs["axis"]
    starts = running((part.shape[axis] for part in node.args), initial=Dim.of(0))
    for part, start in zip(node.args, starts, strict=False):

        def place(_: Writer, at: Index, start: Dim = start) -> Index:
            return (*at[:axis], at[axis] + start, *at[axis + 1 :])

        works.copied(value, part, comment, place)
        comment = ""
