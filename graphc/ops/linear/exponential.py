"""The exponential of matrices, over leading batch axes."""

from __future__ import annotations

from graphc.ir.dims import Dim
from graphc.ir.graph import Node, Op
from graphc.ir.kernel import Call
from graphc.ir.types import Type, broadcast
from graphc.ops.define.axis_maps import batch_axes
from graphc.ops.define.batching import over_elements
from graphc.ops.define.families import all_to_float, general
from graphc.ops.linear.solving import cube, same_square
from graphc.ops.shape.shaping import broadcast_to, concatenate, part_of, swap_last, zeros


def _beside(corners: tuple[tuple[Node, Node], tuple[Node, Node]]) -> Node:
    rows = [concatenate(*row, axis=row[0].rank - 1) for row in corners]
    return concatenate(*rows, axis=rows[0].rank - 2)


def _moved_type(x: Type, along: Type) -> Type:
    shape = broadcast([x.shape[:-2], along.shape[:-2]], "expm")
    return x.with_shape((*shape, *x.shape[-2:]))


def _moved_vjp(ct: Node, y: Node, x: Node, along: Node) -> tuple[Node, Node]:
    """Derive the corner of the exponential of [[x, e], [0, x]] by that matrix: by x it goes through
    both of its diagonal blocks, by e through the corner."""
    n = x.shape[-1]
    x, along = (
        one if one.rank == ct.rank else broadcast_to(one, shape=ct.shape) for one in (x, along)
    )
    nothing = zeros(ct.shape)
    block = _beside(((x, along), (nothing, x)))
    corner = _beside(((nothing, ct), (nothing, nothing)))
    flowing = _moved(swap_last(block), corner)
    first, last = (
        part_of(part_of(flowing, -2, start, n), -1, start, n) for start in (Dim.of(0), n)
    )
    return first + last, _moved(swap_last(x), ct)


_moved: Op = general(
    "moved_expm",
    infer=_moved_type,
    kernel=Call("moved_expm"),
    vjp=_moved_vjp,
    prepare=all_to_float,
    flops=lambda node: 200 * cube(node),
    public=False,
    batch=over_elements,
    axes=batch_axes(2, 2, result=2),
    doc="How the exponential of matrices moves along others.",
)
expm: Op = general(
    "expm",
    infer=lambda x: same_square("expm", x),
    kernel=Call("expm"),
    vjp=lambda ct, y, x: (_moved(swap_last(x), ct),),
    flops=lambda node: 25 * cube(node),
    axes=batch_axes(2, result=2),
    doc="The exponential of square matrices, by scaling and squaring.",
)
