"""A function of all rows as three: of a chunk, of what two chunks have, of what all have together.

A statistic is a node of the graph. A chunk computes it of its own rows; that of two chunks together
is a function of theirs, which calculus differentiates as any other, and so the derivatives of
statistics are merged by the chain rule; and what comes behind the statistics is computed, and
differentiated, once they are merged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphc.ad.functions import labels
from graphc.chunks.contributions import (
    Contributions,
    Field,
    add_gradients_by_rows,
    add_rows,
    add_statistics,
    statistics_of,
)
from graphc.chunks.finishing import behind, gradients_behind, keep_whole
from graphc.chunks.joining import joined
from graphc.chunks.layout import Merged, Rows, Whole
from graphc.chunks.layouts import layouts
from graphc.ir.dims import Dim
from graphc.ir.graph import INPUT, Graph, Node, as_node, source
from graphc.ir.loop import everywhere, symbols_of
from graphc.ir.results import ResultKey, gradient_by, result_number
from graphc.records import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a result comes of chunks: a word for it, and the merges of the statistics behind it."""

    how: str
    statistics: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pieces:
    """The graphs of the three functions, with the fields that stand between them.

    The results of `combine` are the fields by number, those of `finish` what the function returns.
    `first`, `second` and `ends` are the sources that stand for the fields there.
    """

    fields: tuple[Field, ...]
    partial: Graph
    combine: Graph
    finish: Graph
    first: tuple[Node, ...]
    second: tuple[Node, ...]
    ends: tuple[Node, ...]
    axis: Dim
    outcomes: Mapping[ResultKey, Outcome]


def pieces(
    name: str,
    results: Mapping[ResultKey, Node],
    axis: Dim,
    names: Mapping[Node, str],
    gradient_of: tuple[str, Node] | None = None,
    wrt: Mapping[str, Node] | None = None,
) -> Pieces:
    """Build the three graphs of these results, and of the gradients of an output by these paths.

    Raises NotApart where something is not computed of chunks in one pass.
    """
    wrt = wrt or {}
    roots = [*results.values(), *([gradient_of[1]] if gradient_of else []), *wrt.values()]
    made = Contributions(axis, names, layouts(roots, axis))
    by_rows: dict[ResultKey, int] = {}
    behind_all = dict(wrt)
    if gradient_of is not None:
        alone = add_gradients_by_rows(made, gradient_of[1], wrt)
        behind_all = {path: node for path, node in wrt.items() if path not in alone}
        by_rows = {gradient_by(path): number for path, number in alone.items()}
        add_statistics(made, *gradient_of, behind_all)
    for key, node in results.items():
        lie = made.layout(node)
        if isinstance(lie, Rows):
            by_rows[key] = add_rows(made, key, node, lie)
        else:
            add_statistics(made, key.label, node, {})
    _ = made.count

    def end(number: int) -> Node:
        return _stand_in(made.fields[number], "merged")

    finished: dict[ResultKey, Node] = {}
    for key, number in by_rows.items():
        rows = end(number)
        finished[key] = rows / end(made.count) if made.fields[number].merge else rows
    finished |= {
        key: behind(made, node, end) for key, node in results.items() if key not in by_rows
    }
    if gradient_of is not None:
        output = behind(made, gradient_of[1], end)
        finished |= gradients_behind(made, output, behind_all, end)
    finished = keep_whole(made, finished, end)
    both = joined(made, *_chunks(made))
    _keep_dims(made, [*both, *finished.values()])
    first, second = _chunks(made)
    both += first[len(both) :]  # dims
    called = {node: one.key.label for one, node in reversed([*zip(made.fields, both, strict=True)])}
    return Pieces(
        tuple(made.fields),
        Graph(
            f"partial_{name}",
            {one.key: one.node for one in made.fields},
            names,
            tuple(made.adjoints.values()),
            labels(made.adjoints.values(), names),
        ),
        Graph(f"merge_{name}", {result_number(n): node for n, node in enumerate(both)}, called),
        Graph(name, finished, {}),
        first,
        second,
        tuple(map(end, range(len(made.fields)))),
        axis,
        _outcomes(made, results, gradient_of, wrt),
    )


def _stand_in(one: Field, side: str) -> Node:
    return source(INPUT, one.key.label, one.node.type, side=side)


def _chunks(made: Contributions) -> tuple[tuple[Node, ...], tuple[Node, ...]]:
    first, second = (
        tuple(_stand_in(one, side) for one in made.fields) for side in ("first", "second")
    )
    return first, second


def _keep_dims(made: Contributions, roots: Sequence[Node]) -> None:
    """Keep the dims that are read where no argument binds them."""
    nodes = (node for node in everywhere(roots) if node.op is not INPUT)
    read = {name for node in nodes for name in symbols_of(node)}
    for name in sorted(read - made.axis.symbols):
        made.keep(as_node(Dim.symbol(name)))


# ---- what is said of it ------------------------------------------------------------------------


def _outcomes(
    made: Contributions,
    results: Mapping[ResultKey, Node],
    gradient_of: tuple[str, Node] | None,
    wrt: Mapping[str, Node],
) -> dict[ResultKey, Outcome]:
    found = {key: outcome_of(made, node) for key, node in results.items()}
    if gradient_of is not None:
        of_output = outcome_of(made, gradient_of[1])
        found |= {
            gradient_by(path): Outcome("concatenated", of_output.statistics)
            if isinstance(made.layout(node), Rows)
            else of_output
            for path, node in wrt.items()
        }
    return found


def outcome_of(made: Contributions, node: Node) -> Outcome:
    """Say how a node comes of chunks; raises NotApart where it does not."""
    lie = made.layout(node)
    if isinstance(lie, Rows):
        add_rows(Contributions(made.axis, made.names, made.found), ResultKey("number"), node, lie)
        return Outcome("concatenated")
    if isinstance(lie, Whole) and not lie.share:
        return Outcome("the same")
    behind_it = map(made.layout, statistics_of(made, node))
    merges = [one.merge for one in behind_it if isinstance(one, Merged)]
    if isinstance(lie, Merged) and lie.merge in ("summed", "averaged"):
        return Outcome(lie.merge)
    return Outcome("merged", tuple(dict.fromkeys(merges)))
