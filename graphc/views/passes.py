"""The graph of each function after each pass that it goes through."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from graphc.ad.functions import cut
from graphc.compile.clauses import differentiate, winners
from graphc.compile.graphs import candidates, differentiated_halves, passes_of
from graphc.compile.stages import Compilation
from graphc.elaborate.names.model import Model
from graphc.ir.graph import Graph, Node
from graphc.kinds import BACKWARD, FORWARD
from graphc.optimise.passes import PASSES, Pass
from graphc.records import dataclass


@dataclass(frozen=True, slots=True)
class After:
    """A graph of these functions after a pass; the `turn` counts the times that it has run.

    Before derivatives are made there is one graph of the file, of no function. What is `cached`
    another function computes.
    """

    functions: tuple[str, ...]
    mode: str
    made_by: str
    turn: int
    graph: Graph
    cached: tuple[Node, ...] = ()


def halves_of(model: Model) -> tuple[str, ...]:
    """Name the functions that every module of a model has."""
    return (FORWARD.name, BACKWARD.name) if model.backward.wrt else (FORWARD.name,)


def passes_in(compilation: Compilation) -> tuple[str, ...]:
    """List what `--after` takes at this level, in the order in which it runs."""
    options = compilation.options
    models = ("elaborate", "stabilise", *(one.__name__ for one in options.at.before_ad))
    ran = (*PASSES, *(passes_of(options, (*options.at.derived, *options.at.halves))))
    return (*models, "differentiate", *dict.fromkeys(one.__name__ for one in ran), "cut")


def after_each(compilation: Compilation) -> Iterator[After]:
    """Yield the graphs of the file, then those of each function, from pass to pass.

    Call it inside `open()` of the compilation; raises GraphError.
    """
    options, model = compilation.options, compilation.model
    yield After((), "", "elaborate", 1, compilation.elaborated.sound.graph)
    stated = compilation.stated
    yield After((), "", "stabilise", 1, stated.graph)
    for before_ad in options.at.before_ad:
        stated = before_ad(stated)
        yield After((), "", before_ad.__name__, 1, stated.graph)
    graph = differentiated_halves(model)
    names = halves_of(model)
    for step in _through(names, "", graph, (*PASSES, *passes_of(options, options.at.halves))):
        yield step
        graph = step.graph
    split = cut(graph, options.at.planned)
    pairs = ((split.forward, ()), (split.backward, split.cached))
    for name, (half, cached) in zip(names, pairs, strict=False):
        yield After((name,), "", "cut", 1, half, cached)
    for one in model.derivations:
        made = candidates(model, one, options)
        chosen = winners({mode: each.cost for mode, each in made.items()})
        for mode, graph in differentiate(model, one, chosen).items():
            passes = (*PASSES, *passes_of(options, options.at.derived))
            yield from _through((one.name,), mode, graph, passes)


def _through(
    functions: tuple[str, ...], mode: str, graph: Graph, passes: Sequence[Pass]
) -> Iterator[After]:
    yield After(functions, mode, "differentiate", 1, graph)
    for place, rewrite in enumerate(passes):
        graph = rewrite(graph)
        turn = 1 + sum(one is rewrite for one in passes[:place])
        yield After(functions, mode, rewrite.__name__, turn, graph)
