"""Arrays made of vectors, one for each place of their small axes; vectors gathered and added up.

The passes of the fast module make these, after calculus: they have no derivatives.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir.dims import Dim
from graphc.ir.graph import AxisMap, Node, Op
from graphc.ir.kernel import Put, Take
from graphc.ir.types import Dtype, Shape, Type, product

Place = tuple[int, ...]


def _no_rule(ct: Node, node: Node) -> Sequence[Node | None]:
    raise AssertionError("what is made after calculus is not differentiated")


def _assemble_type(
    *cells: Type, dtype: Dtype, shape: Shape, block: int | None, places: object
) -> Type:
    return Type(dtype, shape)


def _small(node: Node) -> list[Dim]:
    return [n for axis, n in enumerate(node.shape) if axis != node.attrs["block"]]


def is_complete(node: Node) -> bool:
    """True if an array of components has one for each place."""
    return product(_small(node)) == Dim.of(len(node.attrs["places"]))


def _assemble_axes(node: Node) -> AxisMap:
    return tuple((node.attrs["block"],) * arg.rank for arg in node.args)


assemble = Op(
    "assemble",
    _assemble_type,
    Put("cells"),
    _no_rule,
    "linear",
    lambda node: Dim.of(0),
    axes=_assemble_axes,
)
"""An array of its components: vectors along its block axis, or numbers; what is missing is 0."""


take_vector = Op(
    "take",
    lambda x, indices: x.with_shape(indices.shape),
    Take("vector"),
    _no_rule,
    "linear",
    lambda node: Dim.of(0),
    axes=lambda node: ((None,), (0,)),
)
"""The elements of a vector that an index array names."""


bin_vector = Op(
    "binned",
    lambda x, indices, *, size: x.with_shape((size,)),
    Put("vector", add=True),
    _no_rule,
    "linear",
    lambda node: node.args[0].type.size,
    axes=lambda node: ((None,), (None,)),
)
"""Zeros to which each element of a vector is added where its index, from 0 up, says."""
