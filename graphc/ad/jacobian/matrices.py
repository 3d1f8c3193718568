"""Graphs of Jacobians and Hessians: blocks by output and path, or one matrix of all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from graphc.ad.functions import labels, values
from graphc.ad.jacobian.blocks import Blocks, blocks, blocks_apart
from graphc.ad.jacobian.per_example import gradients_apart
from graphc.ad.products import adjoint_names, apart, gradients_of
from graphc.ir.dims import Dim
from graphc.ir.graph import Adjoint, Graph, Node
from graphc.ir.results import MATRIX, ResultKey
from graphc.ir.types import product
from graphc.ops.shape.shaping import concat, reshape, transpose


def jacobian(
    name: str,
    outputs: Mapping[str, Node],
    wrt: Mapping[str, Node],
    names: Mapping[Node, str],
    modes: Mapping[str, str],
    *,
    matrix: bool,
    with_value: bool,
    per: Dim | None = None,
) -> Graph:
    """The blocks by output and path, or the `matrix` of them; perhaps the outputs first.

    `modes` are those of the paths, which are the same but where `per` keeps an axis apart.
    """
    called = dict(names)
    found = _blocks(outputs, wrt, modes, called, "J_{out}_{path}", per)
    results = {ResultKey("jacobian", out, path): block for (out, path), block in found.items()}
    if matrix:
        rows = {out: node.rank for out, node in outputs.items()}
        results = {MATRIX: _assembled(found, rows, wrt, 0 if per is None else 1)}
        called[results[MATRIX]] = "J"
    return Graph(name, values(outputs if with_value else {}) | results, called)


def _blocks(
    outputs: Mapping[str, Node],
    wrt: Mapping[str, Node],
    modes: Mapping[str, str],
    names: dict[Node, str],
    called: str,
    per: Dim | None,
) -> Blocks:
    if per is not None:
        return blocks_apart(outputs, wrt, modes, names, called, per)
    (mode,) = set(modes.values())
    return blocks(outputs, wrt, mode, names, called)


def hessian(
    name: str,
    output: tuple[str, Node],
    wrt: Mapping[str, Node],
    names: Mapping[Node, str],
    modes: Mapping[str, str],
    *,
    matrix: bool,
    with_value: bool,
    per: Dim | None = None,
) -> Graph:
    """The blocks by path and path, or the symmetric `matrix`: the Jacobian of the gradients.

    `per` an axis it is the Hessian of what each position contributes.
    """
    node, wrt, called = apart(output[1], wrt, names)
    spoken: tuple[Adjoint, ...] = ()
    if per is None:
        gradients, adjoints = gradients_of(node, wrt)
        spoken = tuple(adjoints.values())
        called = {**adjoint_names(spoken, called), **called}
    else:
        node, gradients = gradients_apart((output[0], node), wrt, called, per)
    found = _blocks(gradients, wrt, modes, called, "H_{out}_{path}", per)
    results = {ResultKey("hessian", one, other): block for (one, other), block in found.items()}
    if matrix:
        ranks = {path: by.rank for path, by in gradients.items()}
        whole = _assembled(found, ranks, wrt, 0 if per is None else 1)
        other = transpose(whole, axes=(*range(whole.rank - 2), whole.rank - 1, whole.rank - 2))
        results = {MATRIX: 0.5 * (whole + other)}
        called[results[MATRIX]] = "H"
    first = values({output[0]: node} if with_value else {})
    return Graph(name, first | results, called, spoken, labels(spoken, called))


def _assembled(found: Blocks, rows: Mapping[str, int], wrt: Mapping[str, Node], lead: int) -> Node:
    """All blocks as one matrix; `rows` are the outputs with their ranks, `lead` axes stay first."""
    bands = []
    for group in grouped(tuple(rows)):
        parts = []
        for columns in grouped(tuple(wrt)):
            cells = [
                [_cell(found[out, path], rows[out] - lead, lead, out, path) for path in columns]
                for out in group
            ]
            parts.append(_merged(cells, lead))
        bands.append(concat(*parts, axis=lead + 1))
    return concat(*bands, axis=lead)


def grouped(paths: Sequence[str]) -> list[list[str]]:
    """Paths one by one; families over the same index together, since their members alternate."""
    keys = enumerate(paths)
    grouped = groupby(keys, lambda item: item[1].split("*")[0] if "*" in item[1] else item[0])
    return [[path for _, path in group] for _, group in grouped]


def _cell(block: Node, split: int, lead: int, out: str, path: str) -> Node:
    """[…lead, members, elements, members, elements]: of what is no family there is one member."""
    shape = list(block.shape)
    first, second = shape[lead : lead + split], shape[lead + split :]
    sides = []
    for axes, name in ((first, out), (second, path)):
        members, inner = (axes[:1], axes[1:]) if "*" in name else ([], axes)
        sides += [product(members), product(inner)]
    return reshape(block, shape=(*shape[:lead], *sides))


def _merged(cells: Sequence[Sequence[Node]], lead: int) -> Node:
    """Cells of one group of rows and one of columns as a matrix: elements side by side a member."""
    rows = [concat(*row, axis=lead + 3) for row in cells]
    whole = concat(*rows, axis=lead + 1)
    *outer, a, b, c, d = whole.shape
    return reshape(whole, shape=(*outer, a * b, c * d))
