"""A statement of a Program -> works: what is computed at each place of its axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from graphc.ir.dims import Dim
from graphc.ir.graph import Node
from graphc.ir.kernel import Call, Elementwise, Place, Put, Take
from graphc.ir.types import Shape, is_one, product
from graphc.nests.expressions import (
    MADE,
    POINTWISE,
    Context,
    Writer,
    is_local,
)
from graphc.nests.nest import (
    Apply,
    Assign,
    Define,
    Expr,
    Index,
    Number,
    Refuse,
    Size,
    Statement,
    Value,
    Work,
    cast,
    counter,
    symbols_in,
)
from graphc.nests.places import PLACES, named_by

SAME = None
"""Where an element goes that stays at its place."""

INDEX_STATUS, EMPTY_STATUS = 3, 6
"""What a function returns for an index out of range, and for the largest of no elements."""


def axes_of(shape: Sequence[Dim]) -> tuple[Shape, Index]:
    """Return the loops over a shape, and the index of an element in them: axes of one have none."""
    axes: list[Dim] = []
    index: list[Dim] = []
    for n in shape:
        if is_one(n):
            index.append(Dim.of(0))
        else:
            index.append(counter(len(axes)))
            axes.append(n)
    return tuple(axes), tuple(index)


INDEXED: Mapping[Place, Callable[[Node, int], tuple[int, ...]]] = {
    "label": lambda node, rank: (rank - 1,),
    "axis": lambda node, rank: tuple(
        node.attrs["axis"] + number for number in range(len(named_by(node)))
    ),
    "along": lambda node, rank: (node.attrs["axis"],),
    "entries": lambda node, rank: (0, 1),
    "vector": lambda node, rank: (0,),
}
"""The axes of the whole that arguments with indices are about."""


EXTREMES: Mapping[str, str] = {"largest_at": "maximum", "smallest_at": "minimum"}
"""What of the elements is kept that one index names, by kernel."""


class Works:
    """The works of the statements of one program, in the making."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.made: list[Work] = []

    def writer(self) -> Writer:
        return Writer(self.context)

    def finish(self, axes: Shape, writer: Writer, *statements: Statement) -> None:
        """Add a work of these statements behind the positions that they need."""
        kept: list[Statement] = []
        read: set[str] = set()
        for one in reversed((*writer.statements, *statements)):
            if not isinstance(one, Define) or one.symbol in read:
                kept.append(one)
                read |= symbols_in(one)
        self.made.append(Work(axes, tuple(reversed(kept)), tuple(writer.touches)))

    def each(
        self,
        shape: Sequence[Dim],
        value: Value,
        place: Callable[[Writer, Index], Index] | None,
        element: Callable[[Writer, Index], Expr],
        comment: str = "",
    ) -> None:
        """Add a work that computes an element of a value at each place of a shape."""
        axes, at = axes_of(shape)
        writer = self.writer()
        expr = cast(element(writer, at), value.dtype)
        to = writer.assign(value, at if place is None else place(writer, at))
        self.finish(axes, writer, Assign(to, expr, comment))

    def copied(
        self,
        value: Value,
        node: Node,
        comment: str = "",
        place: Callable[[Writer, Index], Index] | None = SAME,
    ) -> None:
        """Add the work that brings all elements of a node into a value."""
        self.each(node.shape, value, place, lambda writer, at: writer.element(node, at), comment)

    def moved(self, value: Value, other: Value) -> None:
        """Add the work that brings all elements of a value into another."""
        self.each(other.shape, value, SAME, lambda writer, at: writer.read(other, at))

    def filled(self, value: Value, number: int) -> None:
        """Add the work that makes all elements of a value one number."""
        self.each(value.shape, value, SAME, lambda *_: Number(number, "int"))

    def pointwise(self, writer: Writer, node: Node, at: Index) -> Expr:
        """Return an element of a node that has a value itself, from those of its arguments."""
        kernel = node.op.kernel
        match kernel:
            case Elementwise():
                return writer.applied(kernel, node, at)
            case Take(place) if place in PLACES:
                return writer.taken(node, place, at)
            case Call(name) if name in POINTWISE:
                return MADE[name](writer, node, at)
        if is_local(node):
            return writer.element(node, at)
        raise self.context.refuse(node)

    # ---- indices ---------------------------------------------------------------------------------

    def prepare(self, node: Node) -> None:
        """Add the works that compare indices with the axes that they are about, once for each."""
        match node.op.kernel:
            case Take(place) if place in INDEXED:
                whole = node.args[0].shape
            case Put(place) if place in INDEXED:
                whole = node.shape
            case Call(name) if name in EXTREMES:
                place, whole = "axis", node.shape
            case _:
                return
        axes = INDEXED[place](node, len(whole))
        for argument, axis in zip(named_by(node), axes, strict=True):
            self.checked(argument, whole[axis])

    def checked(self, indices: Node, size: Dim) -> None:
        if (indices, size) in self.context.checked or indices.op.name == "arange":
            return
        axes, at = axes_of(indices.shape)
        writer = self.writer()
        found = writer.element(indices, at)
        token = Value("checked", "int", (), token=True)
        writer.assign(token, ())
        outside = Apply("outside", (found, Size(size)), "bool", "int")
        self.finish(axes, writer, Refuse(outside, INDEX_STATUS))
        self.context.checked[indices, size] = token

    def folded(
        self,
        total: Value,
        name: str,
        shape: Shape,
        own: Callable[[Index], Index],
        element: Callable[[Writer, Index], Expr],
        comment: str = "",
        order: Sequence[int] | None = None,
    ) -> None:
        """Add the work that brings each element of a shape into a total at its own place."""
        order = range(len(shape)) if order is None else order
        axes, looped = axes_of([shape[i] for i in order])
        at = tuple(looped[list(order).index(i)] for i in range(len(shape)))
        writer = self.writer()
        found = element(writer, at)
        place = own(at)
        before = writer.read(total, place)
        to = writer.assign(total, place)
        expr = Apply(name, (before, cast(found, total.dtype)), total.dtype, total.dtype)
        self.finish(axes, writer, Assign(to, expr, comment))

    def refuse_empty(self, count: Dim, shape: Shape) -> None:
        """Add the test that there are elements, where anybody asks for the largest of them."""
        if count.constant not in (None, 0):
            return
        none = Apply("equal", (Size(count), Size(Dim.of(0))), "bool", "int")
        size = product(shape)
        wanted = Apply("not_equal", (Size(size), Size(Dim.of(0))), "bool", "int")
        both = none if size.constant == 1 else Apply("logical_and", (none, wanted), "bool", "bool")
        self.finish((), self.writer(), Refuse(both, EMPTY_STATUS))
