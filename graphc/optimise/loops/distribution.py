"""Loop distribution: a graph to one in which steps do only what has to wait for the step before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from graphc.ir.graph import Graph, Node, arguments_first, stamped, with_args
from graphc.ir.loop import LOOP, RESULT, Element, limit, loop_arguments, loop_of, make_loop, result
from graphc.ir.mapping import map_graph
from graphc.ir.rebuild import map_adjoints
from graphc.ir.verify import verified
from graphc.optimise.loops.fission import split_loop
from graphc.optimise.loops.partition import partition
from graphc.optimise.loops.recurrences import recast
from graphc.records import replace


@verified
def distribute(graph: Graph) -> Graph:
    """Take loops apart where that pays; those inside them first.

    A value of a step that is now computed for all steps is called by its name and the index.
    """
    stacked: dict[Node, str] = {}
    new = _distribute(graph.results.values(), {}, graph.names, stacked)
    made = map_graph(graph, new)
    return replace(made, names={**stacked, **made.names})


def _distribute(
    results: Iterable[Node],
    known: Mapping[Node, Node],
    names: Mapping[Node, str],
    stacked: dict[Node, str],
) -> dict[Node, Node]:
    """Distribute the loops that results reach beyond what is known; `stacked` gets names."""
    new = dict(known)
    ends: dict[Node, Sequence[Node]] = {}
    for node in arguments_first(results, new):
        with stamped(node.origin, node.place):
            if node.op is LOOP:
                ends[node] = _ends(node, new, names, stacked)
            elif node.op is RESULT and ends[node.args[0]]:
                new[node] = ends[node.args[0]][node.attrs["number"]]
            elif node.op is RESULT:
                new[node] = result(new[node.args[0]], node.attrs["number"])
            else:
                new[node] = with_args(node, tuple(new[arg] for arg in node.args))
    return new


def _ends(
    node: Node, new: dict[Node, Node], names: Mapping[Node, str], stacked: dict[Node, str]
) -> Sequence[Node]:
    """Return the replacements of a loop's results; none where a loop with the same results does.

    A loop with a condition is left as it is: which steps there are, only the steps can say.
    """
    old = loop_of(node)
    initials, sources, outer = loop_arguments(node)
    steps = limit(node)
    open_ended = old.until is not None or steps is not None
    starts = dict(zip(old.carried, (new[n] for n in initials), strict=True))
    follow = old.follow
    fixed = [c for c, following in follow.items() if following is c and not open_ended]
    while True:
        kept = {c: starts[c] for c in fixed}
        inside = {n: n for n in old.bound} | {n: new[n] for n in outer} | kept
        moved = _distribute(old.roots, inside, names, stacked)
        # A loop in the body may have turned out to hand on what it is given.
        handed = [c for c, one in follow.items() if moved[one] is c and not open_ended]
        if not handed:
            break
        fixed += handed
    carried = tuple(c for c in old.carried if c not in fixed)
    loop = replace(
        old.map_roots(moved),
        carried=carried,
        elements=tuple(
            Element(e.node, e.axis, None if e.of is None else new.get(e.of, e.of))
            for e in old.elements
        ),
        nexts=tuple(moved[follow[c]] for c in carried),
        adjoints=map_adjoints(old.adjoints, moved),
    )
    read = [new[n] for n in sources]
    stages = None if open_ended else partition(loop, read)
    better = None if stages is None else recast(loop, starts, stages)
    if better is not None:
        loop, starts = better.loop, better.starts
        carried = loop.carried
        moved = {n: better.new.get(one, one) for n, one in moved.items()}
        stages = partition(loop, read)
    if stages is not None and stages.pays:
        parts = split_loop(loop, [starts[c] for c in carried], read, stages, node.place)
        new.update({n: parts.inside[one] for n, one in moved.items() if one in parts.inside})
        called = {moved[n]: names[n] for n in moved if n in names}
        called |= {n: stacked[n] for n in moved.values() if n in stacked}
        for one in parts.computed:
            if one in called:
                stacked[parts.stacks[one]] = f"{called[one]}_by_{loop.index}"
        results = parts.results
    else:
        new.update(moved)
        made = make_loop(
            loop, [starts[c] for c in carried], read, None if steps is None else new[steps]
        )
        new[node] = made
        if carried == old.carried:
            return ()
        results = [result(made, number) for number in range(len(loop.results))]
    ends = dict(zip(carried, results, strict=False))
    return [*(ends.get(c, starts[c]) for c in old.carried), *results[len(carried) :]]
