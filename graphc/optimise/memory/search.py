"""Greedy search: a graph and the bytes that it may take -> an equal one that takes no more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from graphc.ir.graph import Graph, Node, arguments_first
from graphc.ir.loop import LOOP, RESULT, body, everywhere, loop_arguments, loop_of
from graphc.ir.verify import verified
from graphc.names import Identifiers
from graphc.ops.cost import WRITTEN
from graphc.optimise.memory.checkpointing import in_segments
from graphc.optimise.memory.estimate import Liveness, Sizes, takes_nothing
from graphc.optimise.memory.loop_recompute import items_to_save, save_only
from graphc.optimise.memory.loop_residuals import Saved, find_saving_loops
from graphc.optimise.memory.rematerialise import Allowed, anything, cheap, droppable, rematerialise
from graphc.optimise.memory.running_sums import add_as_computed
from graphc.optimise.memory.sinking import sink
from graphc.records import dataclass, field

ROUNDS = 12
"""So often the dearer ways to save are tried; each finds the square root of what a loop saves."""

GAIN = 0.99
"""What does not bring the peak below this part of itself is not worth its time."""

ALIKE = 1.03
"""Of what takes up to so many times the least work the one of least memory is taken."""


@dataclass(frozen=True, slots=True)
class Aim:
    """How much memory a graph may take, and how that is measured.

    `measure` gives the peak; `crossing` the statements in order and the place in them over which
    as little as possible is to be alive. `taken` are names that no index can have. `known` is what
    was made and measured before: other aims ask for nearly the same.
    """

    bytes: int
    sizes: Sizes
    measure: Callable[[Graph], int]
    crossing: Callable[[Graph], tuple[Liveness, int]]
    taken: frozenset[str] = frozenset()
    known: dict[tuple[Any, ...], Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Trial:
    """A graph, its peak, what is alive in it on average, and its work."""

    graph: Graph
    peak: int
    average: float
    work: int

    @property
    def memory(self) -> tuple[int, float]:
        return self.peak, self.average

    def fits(self, aim: Aim) -> bool:
        return self.peak <= aim.bytes

    def better(self, other: Trial) -> Trial:
        """Return the other one if that takes clearly less memory, else this one."""
        less = other.peak < GAIN * self.peak
        same = other.peak <= self.peak and other.average < GAIN * self.average
        return other if less or same else self


@verified
def search(graph: Graph, aim: Aim) -> Graph:
    """Search for a graph that fits by recomputation; else one that takes the least.

    First come sums and elementwise operations, which cost little, then whatever saves most; if
    that does not do, whatever saves most alone.
    """
    start = _try(graph, aim)
    if start.fits(aim):
        return graph
    start = _improve(start, _early_sums, aim)
    late = _made(start.graph, (sink,), aim, lambda: sink(start.graph, aim.sizes))
    start = late if late.memory <= start.memory else start
    cheap = _improve(_improve(start, _cheap_values, aim), _cheap_items, aim)
    best = _dearer(cheap, aim)
    if not best.fits(aim) and cheap is not start:
        best = min(best, _dearer(start, aim), key=lambda one: one.memory)
    return best.graph


def _improve(best: Trial, ways: Callable[[Trial, Aim], Iterator[Trial]], aim: Aim) -> Trial:
    """Return the last of what is tried that takes less memory."""
    for trial in () if best.fits(aim) else ways(best, aim):
        best = best.better(trial)
    return best


def _dearer(best: Trial, aim: Aim) -> Trial:
    """Take each round the cheapest trial that fits, else the one with the lowest peak."""
    for _ in range(ROUNDS):
        if best.fits(aim):
            break
        trials = [*_values(best, aim, anything), *_steps(best, aim), *_segments(best, aim)]
        fitting = [one for one in trials if one.fits(aim)]
        if fitting:
            enough = ALIKE * min(one.work for one in fitting)
            return min((one for one in fitting if one.work <= enough), key=lambda one: one.memory)
        least = min(trials, key=lambda one: one.memory, default=best)
        if best.better(least) is best:
            break
        best = least
    return best


def _try(graph: Graph, aim: Aim) -> Trial:
    key = (_try, *results_key(graph))
    found = aim.known.get(key)
    if found is None:
        live, _ = aim.crossing(graph)
        average = sum(live.live) / max(len(live.live), 1)
        found = aim.known[key] = aim.measure(graph), average, _work(graph.nodes, aim.sizes)
    return Trial(graph, *found)


def _made(graph: Graph, change: tuple[Any, ...], aim: Aim, make: Callable[[], Graph]) -> Trial:
    """Try what a change makes of a graph; what it has made of this one before is kept."""
    key = (id(graph), *change)
    if key not in aim.known:
        aim.known[key] = graph, make()  # what is kept keeps its identity
    return _try(aim.known[key][1], aim)


def results_key(graph: Graph) -> tuple[Any, ...]:
    """Return what is equal for graphs that compute the same by the same nodes."""
    return (graph.role, *graph.results.items())


def _work(nodes: Iterable[Node], sizes: Sizes) -> int:
    """Multiply-adds that take as long as these nodes, as `cost_of` counts them."""
    total = 0
    for node in nodes:
        if node.op is LOOP:
            loop = loop_of(node)
            if ("work", node) not in sizes.found:
                sizes.found["work", node] = _work(body(loop), sizes.inside(loop))
            total += loop.count.evaluate(sizes.dims) * sizes.found["work", node]
        elif node.args and not node.static and node.op is not RESULT:
            key = ("work", node)
            if key not in sizes.found:
                written = 0 if takes_nothing(node) else WRITTEN
                work = node.op.flops(node) + node.type.size * written
                sizes.found[key] = work.evaluate(sizes.dims)
            total += sizes.found[key]
    return total


# ---- values ---------------------------------------------------------------------------------


def _early_sums(now: Trial, aim: Aim) -> Iterator[Trial]:
    yield _try(add_as_computed(now.graph), aim)


def _cheap_values(now: Trial, aim: Aim) -> Iterator[Trial]:
    return _values(now, aim, cheap)


def _values(now: Trial, aim: Aim, allowed: Allowed) -> Iterator[Trial]:
    """Values computed again where they are read after the crossing: the best length of segments.

    If that is more than enough, only those that are made first and read last.
    """
    live, place = aim.crossing(now.graph)
    if place >= len(live.order):
        return

    def attempt(run: int, until: int) -> Trial | None:
        dropped, kept = droppable(live, place, aim.sizes, allowed, run, until)
        if not dropped:
            return None
        change = (rematerialise, place, frozenset(dropped), frozenset(kept))
        return _made(
            now.graph, change, aim,
            lambda: rematerialise(now.graph, live, place, set(dropped), kept),
        )  # fmt: skip

    alive = live.across(place)
    total = sum(one.bytes for one in alive)
    run = int(total / max(len(alive), 1) ** 0.5)
    trial = attempt(run, place) or attempt(total, place)
    if trial is None:
        return
    for factor in (2.0, 0.5):
        while (other := attempt(int(run * factor), place)) and other.memory < trial.memory:
            trial, run = other, int(run * factor)
    low, high = 0, place
    while trial.fits(aim) and high - low > max(1, place // 64):
        middle = (low + high) // 2
        fewer = attempt(run, middle)
        if fewer is not None and fewer.fits(aim):
            trial, high = fewer, middle
        else:
            low = middle
    yield trial


# ---- loops ----------------------------------------------------------------------------------


def _cheap_items(now: Trial, aim: Aim) -> Iterator[Trial]:
    """Yield graphs that recompute saved items where a reader can in a few operations."""
    graph = now.graph
    done: set[Node] = set()
    while True:
        found = [one for one in find_saving_loops(graph) if not done & {*one.items}]
        fewer = [(one, kept) for one in found if (kept := _dear(one, aim.sizes)) is not None]
        if not fewer:
            return
        saved, kept = fewer[0]
        done.update(saved.items)
        graph = save_only(graph, saved, kept)
        trial = _try(graph, aim)
        yield trial
        if trial.fits(aim):
            return


def _dear(saved: Saved, sizes: Sizes) -> list[Node] | None:
    """List the items that a few operations do not compute from the others and from what is carried.

    None where saving those takes no less.
    """
    outer = set(loop_arguments(saved.node)[2])
    kept = set(saved.items)
    for item in reversed(saved.items):
        below = arguments_first([item], {*outer, *saved.loop.bound, *kept} - {item})
        made = [node for node in below if node.args and not node.static]
        if made and all(cheap(node) or node.op.view_of is not None for node in made):
            kept.discard(item)
    left = [item for item in saved.items if item in kept]
    within = sizes.inside(saved.loop)
    now, then = (
        sum(within.of_type(item.type) for item in items)
        for items in (saved.items, items_to_save(saved, left))
    )
    return left if then < now else None


def _steps(now: Trial, aim: Aim) -> Iterator[Trial]:
    """Loops that save only what they carry; their steps are computed again one by one."""
    for saved in find_saving_loops(now.graph):
        if any(item not in saved.loop.carried for item in saved.items):
            yield _try(save_only(now.graph, saved, ()), aim)


def _segments(now: Trial, aim: Aim) -> Iterator[Trial]:
    """Loops in segments of several lengths."""
    loops = [node for node in everywhere(now.graph.results.values()) if node.op is LOOP]
    indices = {loop_of(node).index for node in loops}
    name = Identifiers({*aim.taken, *aim.sizes.dims, *indices}).fresh("segment")
    for saved in find_saving_loops(now.graph):
        for length in _lengths(saved.loop.count.constant or 0):
            yield _try(in_segments(now.graph, saved, length, name), aim)


def _lengths(count: int) -> list[int]:
    """Lengths of segments about the square root of the steps; better such as divide them."""
    found: dict[int, None] = {}
    for power in range(-3, 4):
        wanted = count**0.5 * 2**power
        about = range(max(2, int(wanted / 1.4)), int(wanted * 1.4) + 1)
        divisors = [length for length in about if count % length == 0]
        length = divisors[len(divisors) // 2] if divisors else round(wanted)
        if 2 <= length < count:
            found[length] = None
    return list(found)
