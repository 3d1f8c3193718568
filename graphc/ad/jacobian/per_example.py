"""Contributions of each position of an axis to a scalar: values, gradients, Hessian products."""

from __future__ import annotations

from collections.abc import Mapping

from graphc.ad.chains import tangent_names
from graphc.ad.forward import pushforward
from graphc.ad.functions import values
from graphc.ad.jacobian.blocks import build_blocks_per
from graphc.ad.per_axis import AxisTrace, follow_axis
from graphc.ad.products import alias_wrt, directions, tangent_of
from graphc.ad.request import Request
from graphc.ir.dims import Dim
from graphc.ir.graph import Graph, Node
from graphc.ir.results import ResultKey, gradient_by
from graphc.ir.verify import verified
from graphc.ops.shape.members import family_of
from graphc.ops.shape.shaping import transpose
from graphc.paths import is_family


def gradients_by_position(
    output: tuple[str, Node], wrt: Mapping[str, Node], names: dict[Node, str], per: Dim
) -> tuple[Node, dict[str, Node]]:
    """Return each position's contributions to a scalar, [P], and to its gradients by path.

    `names` gets those of the nodes that are made. Raises Mismatch where the scalar is no sum over
    the axis.
    """
    found = AxisTrace(per, linear=False, moving={family_of(by) for by in wrt.values()})
    follow_axis(found, [output[1]])
    rows = found.rows(output[1])
    names.setdefault(rows, f"{output[0]}_by_{per}")
    modes = dict.fromkeys(wrt, "reverse")
    made = build_blocks_per({output[0]: rows}, wrt, modes, names, "d_{path}", per)
    return rows, {path: block for (_, path), block in made.items()}


def members_first(path: str, block: Node) -> Node:
    """Move the members of a family before the positions, as gradients have them."""
    if not is_family(path):
        return block
    return transpose(block, axes=(1, 0, *range(2, block.rank)))


@verified
def gradient_per(asked: Request, per: Dim) -> Graph:
    """Build each position's contributions to a scalar, [P], and to its gradients by path."""
    called = dict(asked.names)
    rows, found = gradients_by_position(asked.output, asked.wrt, called, per)
    results = values({asked.output[0]: rows} if asked.with_values else {})
    results |= {gradient_by(path): members_first(path, block) for path, block in found.items()}
    return Graph(asked.name, results, called)


@verified
def hessian_products_per(asked: Request, per: Dim) -> Graph:
    """Build each position's contributions to the gradients and Hessian products.

    A tangent of a path without the axis is the same for all positions.
    """
    name, output = asked.output
    node, wrt, called = alias_wrt(output, asked.wrt, asked.names)
    _, gradients = gradients_by_position((name, node), wrt, called, per)
    moving: dict[Node, Node] = {}
    moved = pushforward(directions(wrt), gradients.values(), moving=moving)
    results = {gradient_by(path): members_first(path, block) for path, block in gradients.items()}
    results |= {
        ResultKey("product", by=path): members_first(path, tangent_of(moved, block))
        for path, block in gradients.items()
    }
    return Graph(asked.name, results, {**tangent_names(moved, called, moving), **called})
