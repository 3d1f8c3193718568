"""Before and after of each pass: small graphs in files that one can read, and their values.

A file is for a pass. It begins with what the pass is for; then come cases:

    === what it shows
    a .graph text; of its last function
    --- before
    the graph that the pass gets, as `graphc show --after` prints it
    --- after
    the graph that it makes of that

`python -m tests.passes` shows what is otherwise now, and with `--update` takes it over: look at the
difference first.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from graphc.compile.stages import Compilation, Options
from graphc.ir.graph import Graph
from graphc.ir.print import text_of
from graphc.optimise.memory.checkpointing import in_segments
from graphc.optimise.memory.estimate import Sizes, liveness
from graphc.optimise.memory.loop_recompute import save_only
from graphc.optimise.memory.loop_residuals import find_saving_loops
from graphc.optimise.memory.rematerialise import cheap, droppable, rematerialise
from graphc.optimise.memory.running_sums import add_as_computed
from graphc.optimise.memory.sinking import sink
from graphc.optimise.scalarise.python_floats import by_number
from graphc.optimise.watch import watch
from graphc.sample import choose_sizes
from graphc.source import Source
from graphc.views.passes import after_each, passes_in

FOLDER = Path(__file__).resolve().parent
COMMAND = "python -m tests.passes"
BEFORE_ALL, LAST_COMMON = "elaborate", "prune_loops"


@dataclass(frozen=True)
class Case:
    """A graph and what a file has of it: what the pass gets, and what it gives."""

    name: str
    source: str
    before: str = ""
    after: str = ""

    @property
    def text(self) -> str:
        return f"=== {self.name}\n{self.source}--- before\n{self.before}--- after\n{self.after}"


@dataclass(frozen=True)
class Fixture:
    """A file: its pass, what that is for, and its cases."""

    made_by: str
    title: str
    cases: tuple[Case, ...]

    @property
    def path(self) -> Path:
        return FOLDER / f"{self.made_by}.txt"

    @property
    def text(self) -> str:
        return "\n".join([self.title, *(case.text for case in self.cases)])


@dataclass(frozen=True)
class Pair:
    """The graph before a pass and after it, and sizes for the dims."""

    before: Graph
    after: Graph
    sizes: Mapping[str, int]


def read(path: Path) -> Fixture:
    title, *parts = re.split(r"^=== ", path.read_text(encoding="utf-8"), flags=re.M)
    return Fixture(path.stem, title.rstrip("\n") + "\n", tuple(map(_case, parts)))


def _case(part: str) -> Case:
    name, _, rest = part.partition("\n")
    source, _, graphs = rest.rstrip("\n").partition("--- before\n")
    before, _, after = graphs.partition("--- after\n")
    return Case(name, source.rstrip("\n") + "\n", before, f"{after}\n" if after else "")


# ---- passes that need more than a graph ----------------------------------------------------------


def _segments(graph: Graph, sizes: Sizes) -> Graph:
    return in_segments(graph, find_saving_loops(graph)[0], 3, "segment")


def _recomputed(graph: Graph, sizes: Sizes) -> Graph:
    """Over the highest place where anything may be dropped."""
    live = liveness(graph, sizes)
    for place in sorted(range(len(live.order)), key=lambda place: -live.live[place]):
        run = sum(one.bytes for one in live.across(place))
        dropped, kept = droppable(live, place, sizes, cheap, run, place)
        if dropped:
            return rematerialise(graph, live, place, set(dropped), kept)
    raise ValueError("nothing to compute again")


def _in_numbers(graph: Graph, sizes: Sizes) -> Graph:
    found = by_number(graph)
    assert found is not None
    return found.graph


WITH_SIZES: Mapping[str, Callable[[Graph, Sizes], Graph]] = {
    "add_as_computed": lambda graph, sizes: add_as_computed(graph),
    "sink": sink,
    "rematerialise": _recomputed,
    "save_only": lambda graph, sizes: save_only(graph, find_saving_loops(graph)[0], ()),
    "in_segments": _segments,
    "by_number": _in_numbers,
    "watch": lambda graph, sizes: watch(graph, 0),
}
"""Those that no level has, over a graph as every level makes it."""

NOT_PASSES = (BEFORE_ALL, "differentiate", "cut")
"""What makes graphs of something else."""


def names_of_all() -> tuple[str, ...]:
    """Every pass of either level, of bounds on memory, and of what else makes graphs of graphs."""
    fast = passes_in(compilation_of("input x: [3]\noutput y = x\n"))
    return (*(name for name in fast if name not in NOT_PASSES), *WITH_SIZES)


# ---- what a pass does ----------------------------------------------------------------------------


def compilation_of(source: str) -> Compilation:
    return Compilation(Source("case.graph", source), Options(level="-O2"))


def pair_of(made_by: str, compilation: Compilation) -> Pair:
    """What the pass gets when it is run first, and what it makes of that.

    Of the last function that is derived, else of both halves.
    """
    model = compilation.model
    free = choose_sizes(model)
    sizes = free | {one.variable: one.fixed for one in model.dims if one.fixed is not None}
    steps = list(after_each(compilation))
    if steps[-1].made_by == "cut":
        steps = [step for step in steps if step.made_by != "cut"]
    last = [step for step in steps if step.functions in ((), steps[-1].functions)]
    if made_by in WITH_SIZES:
        step = next(s for s in last if s.made_by == LAST_COMMON)
        return Pair(step.graph, WITH_SIZES[made_by](step.graph, Sizes(sizes, 8, False)), sizes)
    place = next(i for i, step in enumerate(last) if step.made_by == made_by)
    return Pair(last[place - 1].graph, last[place].graph, sizes)


def printed(graph: Graph) -> str:
    """The graph without origins and adjoints, of which the lines of the case speak."""
    lines = text_of(graph, origins=False).splitlines(keepends=True)
    return "".join(line for line in lines if not line.lstrip().startswith("adjoint of "))


def written(made_by: str, case: Case) -> Case:
    """The case as it is now."""
    compilation = compilation_of(case.source)
    with compilation.open():
        pair = pair_of(made_by, compilation)
        return replace(case, before=printed(pair.before), after=printed(pair.after))


def difference(fixture: Fixture) -> str:
    """What is otherwise now than in the file, line by line."""
    now = replace(fixture, cases=tuple(written(fixture.made_by, one) for one in fixture.cases))
    return "".join(
        difflib.unified_diff(
            fixture.text.splitlines(keepends=True), now.text.splitlines(keepends=True),
            fixture.path.name, "now",
        )
    )  # fmt: skip


def fixtures() -> Iterator[Fixture]:
    return (read(path) for path in sorted(FOLDER.glob("*.txt")))


def main(update: bool) -> int:
    """Show what differs, or write it."""
    changed = 0
    for fixture in fixtures():
        found = difference(fixture)
        changed += bool(found)
        if found and update:
            now = tuple(written(fixture.made_by, one) for one in fixture.cases)
            text = replace(fixture, cases=now).text
            fixture.path.write_text(text, encoding="utf-8")
        print(found, end="")
    print(f"{changed} files {'were' if update else 'are'} otherwise")
    return 1 if changed and not update else 0
