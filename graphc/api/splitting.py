"""`split`: what of a graph splits over the rows of an axis, as a record that prints itself."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any, Unpack

from graphc.api.asked import Graph, said_of
from graphc.api.compiling import CompiledGraph, compiled
from graphc.api.options import CompileOptions, options_of
from graphc.records import dataclass, field
from graphc.source import Diagnostic, GraphError, Source

if TYPE_CHECKING:
    from pathlib import Path

    from graphc.views.split import Verdict


@dataclass(frozen=True, slots=True, repr=False)
class Split:
    """What of a graph splits over the rows of a dim; it prints as the command does.

    `diagnostics` is what stands against something that was asked for. Where there is nothing,
    `compile` writes the module with the functions of chunks, and `module` imports it.
    """

    verdict: Verdict
    source: Source
    folder: Path | None
    options: dict[str, Any] = field(hash=False)

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        return self.verdict.wrong

    @property
    def results(self) -> dict[tuple[str, str], str]:
        """Return how each result comes of chunks, by function and result."""
        return {(line.function, line.result): line.how for line in self.verdict.lines}

    def __bool__(self) -> bool:
        """True if all that was asked for splits."""
        return not self.verdict.wrong

    def compile(self) -> CompiledGraph:
        """Compile the module; raises GraphError where something does not split."""
        return compiled(self.source, self.folder, self.options)

    def module(self) -> ModuleType:
        """Import the module; raises GraphError where something does not split."""
        return self.compile().module()

    def __str__(self) -> str:
        rows = [(line.function, line.result, line.said) for line in self.verdict.lines]
        first, second = (max((len(row[n]) for row in rows), default=0) for n in (0, 1))
        table = [f"{one:{first}}  {two:{second}}  {said}" for one, two, said in rows]
        return "\n".join([*table, *(f"\n{wrong}" for wrong in self.diagnostics)])

    def __repr__(self) -> str:
        verdict = "splits" if self else f"{len(self.diagnostics)} mistakes"
        return f"<split over {self.verdict.over}: {verdict}>"


def split(graph: Graph, over: str, **options: Unpack[CompileOptions]) -> Split:
    """Tell how outputs and gradients of a graph come of chunks of the rows of a dim.

    The options are those of the command, with its defaults: see `CompileOptions`.

    Raises GraphError with every mistake of the graph, and where `over` is no dim that is open.
    """
    from graphc.compile.stages import Compilation
    from graphc.views.split import judge

    source, folder, said = said_of(graph, {**options, "split": over})
    try:
        verdict = judge(Compilation(source, options_of(said), folder), over)
    except GraphError as wrong:  # where graphc found it is no matter of the user's
        raise wrong.with_traceback(None) from None
    return Split(verdict, source, folder, said)
