"""Arrays made of vectors, one for each place of their small axes; vectors gathered and added up.

The passes of the fast module make these, after calculus: they have no derivatives.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir.dims import Dim
from graphc.ir.graph import AxisMap, Node, Op
from graphc.ir.types import Shape, Type, product

Place = tuple[int, ...]


def _no_rule(ct: Node, node: Node) -> Sequence[Node | None]:
    raise AssertionError("what is made after calculus is not differentiated")


def _assembled(*cells: Type, dtype: str, shape: Shape, block: int | None, places: object) -> Type:
    return Type(dtype, shape)  # type: ignore[arg-type]


def _written(node: Node) -> str:
    """The vectors one after the other in memory, whatever place the block axis has in the shape.

    Places that are not named are zeros.
    """
    block, places = node.attrs["block"], node.attrs["places"]
    dtype = node.attrs["dtype"]
    if block is None:
        return f"np.array({_nested(node)}, {{{dtype}}})"
    small = _small(node)
    memory = ", ".join(map(str, (*small, node.shape[block]))) + ("," if not small else "")
    make = "empty" if is_complete(node) else "zeros"
    lines = [f"{{out}} = np.{make}(({memory}), {{{dtype}}})"]
    for slot, place in enumerate(places):
        lines.append(f"{{out}}[{', '.join(map(str, place)) or '...'}] = {{{slot}}}")
    if block < len(small):
        order = list(range(len(small)))
        order.insert(block, len(small))
        lines.append(f"{{out}} = {{out}}.transpose({', '.join(map(str, order))})")
    return "\n".join(lines)


def _small(node: Node) -> list[Dim]:
    return [n for axis, n in enumerate(node.shape) if axis != node.attrs["block"]]


def is_complete(node: Node) -> bool:
    """Has an array of components one for each place?"""
    return product(_small(node)) == Dim.of(len(node.attrs["places"]))


def _nested(node: Node) -> str:
    """The numbers of an array without a block axis, in brackets."""
    slots = {place: f"{{{slot}}}" for slot, place in enumerate(node.attrs["places"])}
    sizes = [int(n.constant or 0) for n in node.shape]

    def row(place: Place) -> str:
        if len(place) == len(sizes):
            return slots.get(place, "0")
        return f"[{', '.join(row((*place, i)) for i in range(sizes[len(place)]))}]"

    return row(())


def _assembled_axes(node: Node) -> AxisMap:
    return tuple((node.attrs["block"],) * arg.rank for arg in node.args)


assemble = Op(
    "assemble",
    _assembled,
    _written,
    _no_rule,
    "linear",
    lambda node: Dim.of(0),
    axes=_assembled_axes,
)
"""An array of its components: vectors along its block axis, or numbers; what is missing is 0."""


take_vector = Op(
    "take",
    lambda x, indices: x.with_shape(indices.shape),
    "{0}.take({1})",
    _no_rule,
    "linear",
    lambda node: Dim.of(0),
    axes=lambda node: ((None,), (0,)),
)
"""The elements of a vector that an index array names."""


bin_vector = Op(
    "binned",
    lambda x, indices, *, size: x.with_shape((size,)),
    "np.bincount({1}, {0}, {size}).astype({float}, copy=False)",
    _no_rule,
    "linear",
    lambda node: node.args[0].type.size,
    axes=lambda node: ((None,), (None,)),
)
"""Zeros to which each element of a vector is added where its index, from 0 up, says."""
