"""Derivatives of a node by a node, which are nodes themselves and may be differentiated again."""

from __future__ import annotations

from collections.abc import Collection

from graphc.ad.align import mixing
from graphc.ad.forward import pushforward
from graphc.ad.jacobian.blocks import arrange_block
from graphc.ad.jacobian.seeding import Pass, aligned_pairs, forward_passes, is_apart, reverse_passes
from graphc.ad.per_axis import mixing_error
from graphc.ad.products import embed_tangent
from graphc.ad.reverse import float_descendants, pullback
from graphc.ad.stable_forms import use_stable_forms
from graphc.ir.graph import Node, as_node, uses, with_args
from graphc.ir.sizes import TYPICAL
from graphc.ir.types import Mismatch, product, same_shape, shape_text
from graphc.ops.define.families import composite, normal_axis, to_float
from graphc.ops.shape.members import family_of
from graphc.ops.shape.shaping import filled

DERIVATIVES = frozenset({"grad", "jvp", "jacobian"})
"""The operations that differentiate."""
PASSES = {"reverse": reverse_passes, "forward": forward_passes}


@composite("grad", "y, x, /", "The gradient of a scalar node by a node, itself differentiable.")
def gradient_node(y: Node, x: Node) -> Node:
    """Build dy/dx; raises Mismatch where y is no scalar or does not depend on x."""
    _check_floats(y, x)
    if y.rank:
        help = "reduce it with sum or mean; of an array it is `jacobian(y, x)`"
        raise Mismatch("E402", f"grad needs a scalar, found {y.type}", help)
    y = _stable(y, x)
    whole = family_of(x)
    if y not in float_descendants(uses([y]), [whole]):
        raise _unreached("the gradient")
    adjoint = pullback([(y, as_node(1.0))], [whole], apart=True).get(whole)
    value = filled(0.0, whole.shape) if adjoint is None else adjoint.value
    return value if whole is x else with_args(x, (value,))


@composite(
    "jvp",
    "y, x, u, /",
    "How a node moves where another moves by u: its Jacobian times u, itself differentiable.",
)
def tangent_node(y: Node, x: Node, u: Node) -> Node:
    """Build ∂y/∂x · u; raises Mismatch where y does not depend on x, or u is no direction of x."""
    _check_floats(y, x)
    if not same_shape(u.shape, x.shape):
        message = f"`jvp` moves {x.type} by what has its shape, found {shape_text(u.shape)}"
        raise Mismatch("E301", message)
    y = _stable(y, x)
    moved = pushforward({family_of(x): embed_tangent(to_float(u), x)}, [y], apart=True)
    if y not in moved:
        raise _unreached("the product")
    return moved[y]


@composite(
    "jacobian",
    "y, x, axis: axis = none",
    "The derivative of each element of a node by each of another, of both shapes, itself "
    "differentiable; along an axis of both, of each position alone.",
)
def jacobian_node(y: Node, x: Node, axis: int | None = None) -> Node:
    """Build ∂y/∂x, of shape y + x; an axis that is kept apart is there once, in front."""
    _check_floats(y, x)
    place = None if axis is None else normal_axis(axis, y.rank, "jacobian")
    y = _stable(y, x)
    whole = family_of(x)
    if y not in float_descendants(uses([y]), [whole]):
        raise _unreached("the Jacobian")
    pairs = aligned_pairs({"y": y}, {"x": x})["y", "x"]
    if place is not None and place not in pairs:
        size = y.shape[place]
        if size not in x.shape:
            message = f"`jacobian` keeps axis {place} of {y.type} apart, which {x.type} lacks"
            raise Mismatch("E305", message, "leave out `axis`")
        if not is_apart(whole, y, place, size):
            raise mixing_error(mixing(whole, size, y), size, "leave out `axis`")
        pairs[place] = x.shape.index(size)
    return arrange_block(_pass(y, x, pairs), y, x, pairs, place)


def _pass(y: Node, x: Node, pairs: dict[int, int]) -> Pass | None:
    """Seed the side that takes fewer seeds; the other, where the derivative is not to be had so."""
    seeds = {"reverse": _seeds(y, pairs), "forward": _seeds(x, pairs.values())}
    first, second = sorted(seeds, key=lambda mode: seeds[mode])
    known = {("y", "x"): pairs}
    try:
        found = PASSES[first]({"y": y}, {"x": x}, known, {}, apart=True)
    except Mismatch:
        found = PASSES[second]({"y": y}, {"x": x}, known, {}, apart=True)
    return found.get(("y", "x"))


def _seeds(node: Node, aligned: Collection[int]) -> int:
    """Count the seeds that a node needs, with a typical size for each dim that is not known."""
    size = product([n for axis, n in enumerate(node.shape) if axis not in aligned])
    return size.evaluate(dict.fromkeys(size.symbols, TYPICAL))


def _check_floats(*nodes: Node) -> None:
    for one in nodes:
        if one.type.dtype != "float":
            raise Mismatch("E403", f"only floats have derivatives, found {one.type}")


def _stable(y: Node, x: Node) -> Node:
    """Return y in the stable forms of what depends on x."""
    whole = family_of(x)
    readers = uses([y])
    return use_stable_forms(y, whole, readers.keys() - float_descendants(readers, [whole]))


def _unreached(what: str) -> Mismatch:
    message = f"the second argument does not reach the first: {what} is 0"
    return Mismatch("E406", message)
