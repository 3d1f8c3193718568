"""Graphs of Jacobians and Hessians: blocks by output and path, or one matrix of all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphc.ad.chains import adjoint_names
from graphc.ad.functions import labels, values
from graphc.ad.jacobian.blocks import Blocks, build_blocks, build_blocks_per
from graphc.ad.jacobian.per_example import gradients_by_position
from graphc.ad.products import alias_wrt, gradients_of
from graphc.ad.request import Request
from graphc.ir.graph import Adjoint, Graph, Node
from graphc.ir.results import WHOLE, ResultKey
from graphc.ir.types import product
from graphc.ir.verify import verified
from graphc.ops.shape.shaping import concat, reshape, transpose
from graphc.paths import group_by_index, is_family


@verified
def jacobian(asked: Request) -> Graph:
    """Build the blocks by output and path, or the matrix of them; perhaps the outputs first."""
    outputs, called = asked.outputs, dict(asked.names)
    found = _blocks(asked, outputs, asked.wrt, called, "J_{out}_{path}")
    results = {ResultKey("jacobian", out, path): block for (out, path), block in found.items()}
    if asked.returns == "whole":
        rows = {out: node.rank for out, node in outputs.items()}
        results = {WHOLE: _assemble(found, rows, asked.wrt, 0 if asked.per is None else 1)}
        called[results[WHOLE]] = "J"
    return Graph(asked.name, values(outputs if asked.with_values else {}) | results, called)


def _blocks(
    asked: Request,
    outputs: Mapping[str, Node],
    wrt: Mapping[str, Node],
    names: dict[Node, str],
    called: str,
) -> Blocks:
    if asked.per is not None:
        return build_blocks_per(outputs, wrt, asked.modes, names, called, asked.per)
    return build_blocks(outputs, wrt, asked.mode, names, called)


@verified
def hessian(asked: Request) -> Graph:
    """Build the Jacobian of the gradients: blocks by path and path, or the symmetric matrix.

    `per` an axis it is the Hessian of what each position contributes.
    """
    name, output = asked.output
    node, wrt, called = alias_wrt(output, asked.wrt, asked.names)
    commented: tuple[Adjoint, ...] = ()
    if asked.per is None:
        gradients, adjoints = gradients_of(node, wrt)
        commented = tuple(adjoints.values())
        called = {**adjoint_names(commented, called), **called}
    else:
        node, gradients = gradients_by_position((name, node), wrt, called, asked.per)
    found = _blocks(asked, gradients, wrt, called, "H_{out}_{path}")
    results = {ResultKey("hessian", one, other): block for (one, other), block in found.items()}
    if asked.returns == "whole":
        ranks = {path: by.rank for path, by in gradients.items()}
        whole = _assemble(found, ranks, wrt, 0 if asked.per is None else 1)
        other = transpose(whole, axes=(*range(whole.rank - 2), whole.rank - 1, whole.rank - 2))
        results = {WHOLE: 0.5 * (whole + other)}
        called[results[WHOLE]] = "H"
    first = values({name: node} if asked.with_values else {})
    return Graph(asked.name, first | results, called, commented, labels(commented, called))


def _assemble(found: Blocks, rows: Mapping[str, int], wrt: Mapping[str, Node], lead: int) -> Node:
    """Join all blocks to a matrix; `rows` are outputs with their ranks, `lead` axes stay first."""
    bands = []
    for group in group_by_index(tuple(rows)):
        parts = []
        for columns in group_by_index(tuple(wrt)):
            cells = [
                [_cell(found[out, path], rows[out] - lead, lead, out, path) for path in columns]
                for out in group
            ]
            parts.append(_merge(cells, lead))
        bands.append(concat(*parts, axis=lead + 1))
    return concat(*bands, axis=lead)


def _cell(block: Node, split: int, lead: int, out: str, path: str) -> Node:
    """Reshape a block to […lead, members, elements, members, elements]; members may be 1."""
    shape = list(block.shape)
    first, second = shape[lead : lead + split], shape[lead + split :]
    sides = []
    for axes, name in ((first, out), (second, path)):
        members, inner = (axes[:1], axes[1:]) if is_family(name) else ([], axes)
        sides += [product(members), product(inner)]
    return reshape(block, shape=(*shape[:lead], *sides))


def _merge(cells: Sequence[Sequence[Node]], lead: int) -> Node:
    """Join cells of one group of rows and one of columns: elements side by side by member."""
    rows = [concat(*row, axis=lead + 3) for row in cells]
    whole = concat(*rows, axis=lead + 1)
    *outer, a, b, c, d = whole.shape
    return reshape(whole, shape=(*outer, a * b, c * d))
