"""The graphs of functions and a budget -> graphs that keep within it, and what that costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any

from graphc.ad.functions import cut
from graphc.ir.dims import sum_dims
from graphc.ir.graph import Graph, Node, arguments_first
from graphc.ir.loop import LOOP, RESULT, loop_of
from graphc.ir.results import ResultKind, Role
from graphc.ir.sizes import TYPICAL
from graphc.optimise.memory.budget import Budget, amount
from graphc.optimise.memory.estimate import Liveness, Sizes, liveness
from graphc.optimise.memory.search import Aim, results_key, search
from graphc.optimise.passes import Pass
from graphc.records import dataclass, field, replace
from graphc.source import Diagnostic, GraphError, error

PARTS = (1, 2, 4, 8)
"""What a graph is to keep within before it is finished: the bound divided by these."""

TIGHTER = 4
"""So often less is aimed at, where the function as it is planned takes more than its graph."""

SHOWN = 3
"""So many of the values that are alive where most is are named."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A function: the bytes at its peak without a budget and within it, and the multiply-adds."""

    name: str
    unplanned: int
    planned: int
    multiply_adds: tuple[int, int]

    @property
    def more(self) -> float:
        """Return the recomputed multiply-adds as a part of all."""
        before, after = self.multiply_adds
        return after / before - 1 if before else 0.0


@dataclass(frozen=True, slots=True)
class Within:
    """The graphs within a budget, what that came to, and what does not fit though nobody asked."""

    graphs: Sequence[Graph]
    planned: tuple[Planned, ...]
    warnings: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """One function of a graph: what it computes, beside how many bytes that it is given."""

    graph: Graph
    live: Liveness
    held: int
    given: frozenset[Node]

    @property
    def peak(self) -> int:
        return self.live.peak + self.held


@dataclass(frozen=True, slots=True)
class Bound:
    """What a module's functions have in common where their memory is bounded.

    `taken` are names that no index can have; `open` are the dims that have no size. `planned` gives
    the peaks of a graph's functions as they will be written: that is what is promised. `finishes`
    is what else becomes of a graph: what is fastest first, then what takes less memory. `known` is
    what was found of graphs, many of which come again.
    """

    sizes: Sizes
    taken: frozenset[str]
    open: Sequence[str]
    planned: Callable[[Graph], Mapping[str, int]]
    finishes: Sequence[Pass] = ()
    known: dict[tuple[Any, ...], Any] = field(default_factory=dict, compare=False, repr=False)

    def within(self, graphs: Sequence[Graph], budget: Budget) -> Within:
        """Fit the graphs into the budget by recomputation; the first one has two halves.

        A share is of the largest peak. GraphError where a function does not fit, or where the
        sizes of dims are missing. Forward and backward are in every module: beside functions
        that somebody asked for they stay as they are where they do not fit, with a warning.
        """
        try:
            bytes = budget.of(max(self._measure(self._finish(graph)) for graph in graphs))
            made = [self._fit(graph, bytes) for graph in graphs]
        except KeyError as missing:
            if missing.args[0] not in self.open:
                raise
            raise GraphError([_sizes_missing(self.open)]) from None
        reports = [each for _, found in made for each in found]
        over = [(one, part) for one, part in reports if one.planned > bytes]
        asked = [
            (one, part)
            for one, part in over
            if len(graphs) == 1 or part.graph.role is Role.FUNCTION
        ]
        if asked:
            mistakes = [_refusal("E702", one, bytes, part) for one, part in asked]
            enough = amount(_round_up(max(one.planned for one, _ in asked))).replace(" ", "")
            mistakes[-1] = mistakes[-1].with_help(f"--memory {enough} is enough")
            raise GraphError(mistakes)
        warnings = tuple(
            _refusal("W720", one, bytes, part).with_help("it stays as it is") for one, part in over
        )
        if over:
            first = self._finish(graphs[0])
            made[0] = first, self._reports(first, first)
        planned = tuple(one for _, found in made for one, _ in found)
        return Within([graph for graph, _ in made], planned, warnings)

    def _peak(self, graph: Graph) -> int:
        return max(part.peak for part in self._parts(graph).values())

    def _measure(self, graph: Graph) -> int:
        return max(self._planned(graph).values())

    def _planned(self, graph: Graph) -> Mapping[str, int]:
        """Return the peaks as planned, which graphs of a name and of the same results share."""
        key = ("planned", graph.name, *results_key(graph))
        if key not in self.known:
            self.known[key] = self.planned(graph)
        found: Mapping[str, int] = self.known[key]
        return found

    def _finish(self, graph: Graph, number: int = 0) -> Graph:
        if not self.finishes:
            return graph
        key = ("finish", number, id(graph))
        if key not in self.known:
            self.known[key] = graph, self.finishes[number](graph)  # it keeps its identity
        finished: Graph = self.known[key][1]
        return finished

    def _fit(self, graph: Graph, bytes: int) -> tuple[Graph, list[tuple[Planned, _Part]]]:
        """Fit within the bound as planned: aim lower where a plan takes more than its graph."""
        whole = self._finish(graph)
        best, least = whole, self._measure(whole)
        aim = bytes
        for _ in range(TIGHTER):
            if least <= bytes:
                break
            made, peak = self._fit_once(graph, whole, aim, bytes)
            estimate = self._peak(made)
            if peak < least:
                best, least = made, peak
            if estimate > aim:
                break
            aim = min(aim - 1, estimate * bytes // peak)
        if least > bytes:  # what is refused is told the same amount, whatever was asked for
            best, least = self._fit_once(graph, whole, 0, 0)
        return best, self._reports(whole, best)

    def _fit_once(self, graph: Graph, whole: Graph, aim: int, bytes: int) -> tuple[Graph, int]:
        """Search by estimate for what keeps to the aim; what takes least as planned, and that.

        The finished graph is searched, then that which is not finished yet, until a plan keeps
        within the bytes: what a finished loop computes for all steps at once has no segments any
        more.
        """
        aimed = Aim(aim, self.sizes, self._peak, self._crossing, self.taken, self.known)
        made = search(whole, aimed)
        best, least = made, self._measure(made)
        parts = dict.fromkeys(aim // divisor for divisor in PARTS)
        for number, part in product(range(len(self.finishes)), parts):
            if least <= bytes:
                break
            made = self._finish(search(graph, replace(aimed, bytes=part)), number)
            peak = self._measure(made)
            if peak < least:
                best, least = made, peak
        return best, least

    def _reports(self, whole: Graph, made: Graph) -> list[tuple[Planned, _Part]]:
        """Compare the functions of a graph with those of the whole one."""
        before, after = self._parts(whole), self._parts(made)
        free, planned = self._planned(whole), self._planned(made)
        work = {
            name: (_multiply_adds(before[name], self.sizes), _multiply_adds(part, self.sizes))
            for name, part in after.items()
        }
        return [(Planned(n, free[n], planned[n], work[n]), part) for n, part in after.items()]

    def _crossing(self, graph: Graph) -> tuple[Liveness, int]:
        """Find where least must be alive: between the halves, or at the peak."""
        key = ("crossing", *results_key(graph))
        if key not in self.known:
            self.known[key] = self._crossed(graph)
        found: tuple[Liveness, int] = self.known[key]
        return found

    def _crossed(self, graph: Graph) -> tuple[Liveness, int]:
        if graph.role is Role.FUNCTION:
            live = liveness(graph, self.sizes)
            return live, live.highest
        forward = set(arguments_first(n for k, n in graph.results.items() if k.kind == "value"))
        live = liveness(graph, self.sizes, first=forward)
        return live, len(forward) - 1

    def _parts(self, graph: Graph) -> dict[str, _Part]:
        """Return the functions of a graph: two where it has both halves."""
        sizes = self.sizes
        nothing: frozenset[Node] = frozenset()
        if graph.role is Role.FUNCTION:
            return {graph.name: _Part(graph, self._crossing(graph)[0], 0, nothing)}
        split = cut(graph)
        live = liveness(split.forward, sizes, kept=split.cached)
        parts = {split.forward.name: _Part(split.forward, live, 0, nothing)}
        if split.backward.results:
            given = frozenset(split.cached)
            live = liveness(split.backward, sizes, given=given)
            held = sum(sizes.of_type(node.type) for node in given)
            parts[split.backward.name] = _Part(split.backward, live, held, given)
        return parts


def _multiply_adds(part: _Part, sizes: Sizes) -> int:
    """Count the multiply-adds, with a typical size where nothing is known."""
    nodes = arguments_first(part.graph.results.values(), part.given)
    flops = sum_dims(node.op.flops(node) for node in nodes)
    return flops.evaluate({name: sizes.dims.get(name, TYPICAL) for name in flops.symbols})


# ---- what is refused ------------------------------------------------------------------------


def _sizes_missing(open: Sequence[str]) -> Diagnostic:
    some = " ".join(f"--dim {name}=…" for name in open)
    names = ", ".join(f"`{name}`" for name in open)
    return error(
        "E701",
        f"--memory needs the sizes of the dims, and {names} {'has' if len(open) == 1 else 'have'} "
        "none",
        None,
        help=f"fix {'it' if len(open) == 1 else 'them'}: {some}",
    )


def _refusal(code: str, report: Planned, bytes: int, part: _Part) -> Diagnostic:
    live, place = part.live, part.live.highest
    alive = [one for one in live.spans if one.born <= place <= one.last]
    sizes: dict[str, int] = {}
    for one in alive:
        what = _describe(one.node, part.graph)
        sizes[what] = sizes.get(what, 0) + one.bytes
    inside = live.peak - sum(one.bytes for one in alive)
    at = live.order[place] if live.order else None
    if at is not None and at.op is LOOP:
        sizes[f"in a step over `{loop_of(at).index}`"] = inside
    if part.held:
        sizes["in the cache"] = part.held
    most = sorted(sizes.items(), key=lambda item: -item[1])[:SHOWN]
    return error(
        code,
        f"`{report.name}` does not fit into {amount(bytes)}: with all computed again that can be "
        f"it takes {amount(report.planned)}, with nothing {amount(report.unplanned)}",
        None,
        notes=[f"at its peak {amount(size)} are {what}" for what, size in most if size],
    )


def _round_up(size: int) -> int:
    """Round up to three digits, so that the amount as it is shown is enough."""
    step: int = 10 ** max(len(str(size)) - 3, 0)
    return -(-size // step) * step


_RESULTS: Mapping[ResultKind, str] = {
    "value": "`{0.of}`",
    "gradient": "the gradient by `{0.by}`",
    "tangent": "the tangent of `{0.of}`",
    "product": "the product with the Hessian by `{0.by}`",
    "jacobian": "the block of `{0.of}` by `{0.by}`",
    "hessian": "the block by `{0.of}` and `{0.by}`",
}
"""What messages call the results of a function."""


def _describe(node: Node, graph: Graph) -> str:
    """Name a value for those who wrote the graph."""
    results = {one: key for key, one in graph.results.items()}
    adjoints = {a.value: graph.names.get(a.of) for a in graph.adjoints}
    if node in results:
        key = results[node]
        return _RESULTS.get(key.kind, "the {0.kind}").format(key)
    if adjoints.get(node):
        return f"the derivative by `{adjoints[node]}`"
    if node.op is RESULT:
        loop = loop_of(node.args[0])
        if node.attrs["number"] >= len(loop.carried):
            return f"what the loop over `{loop.index}` saves"
    return f"`{graph.names[node]}`" if node in graph.names else "values without a name"
