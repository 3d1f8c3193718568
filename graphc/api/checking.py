"""`check`: what is wrong with a graph, and whether its derivatives are right, as a record."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from graphc import files
from graphc.api.asked import Graph, asked_of
from graphc.api.options import CompileOptions
from graphc.api.showing import fenced, frame, listed
from graphc.records import dataclass
from graphc.source import Diagnostic, GraphError, Source
from graphc.views.report.markup import quoting

if TYPE_CHECKING:
    from graphc.checking.derivatives import Checked, Compared
    from graphc.checking.point import Start
    from graphc.compile.options import Options

MEANT = "a surrogate or `stop` differs from the true derivative on purpose"


@dataclass(frozen=True, slots=True, repr=False)
class CheckResult:
    """What was found in a graph: true where nothing is wrong.

    `derivatives` are those that were compared with numerical ones, by level, function and path.
    `remark` says why there are none, where they were asked for. `source` is the graph, where it
    compiles.
    """

    name: str
    diagnostics: tuple[Diagnostic, ...]
    derivatives: tuple[Compared, ...] = ()
    remark: str = ""
    source: Source | None = None

    @property
    def ok(self) -> bool:
        return not any(one.severity == "error" for one in self.diagnostics)

    def __bool__(self) -> bool:
        return self.ok

    def lines(self) -> list[str]:
        """Write the largest error by function and level, and what could not be compared."""
        return [*([self.remark] if self.remark else []), *_told(self.derivatives)]

    def __str__(self) -> str:
        said = [*(f"{one}\n" for one in self.diagnostics)]
        head = f"{self.name}: {'ok' if self.ok else 'not ok'}"
        return "\n".join([*said, head, *(f"  {line}" for line in self.lines())])

    def __repr__(self) -> str:
        count = len(self.derivatives)
        of = f", {count} derivatives compared" if count else ""
        return f"<check of {self.name}: {'ok' if self.ok else 'not ok'}{of}>"

    def _repr_html_(self) -> str:
        return frame(
            f"<b>{fenced(self.name)}</b>: {'ok' if self.ok else 'not ok'}",
            *(f"<pre>{fenced(str(one))}</pre>" for one in self.diagnostics),
            listed([(quoting(line), "") for line in self.lines()]),
        )

    def _repr_markdown_(self) -> str:
        said = "".join(f"```text\n{one}\n```\n\n" for one in self.diagnostics)
        rows = "".join(f"- {line}\n" for line in self.lines())
        return f"{said}**{self.name}**: {'ok' if self.ok else 'not ok'}\n\n{rows}"


def _told(compared: Sequence[Compared]) -> Iterator[str]:
    several = len({one.level for one in compared}) > 1
    for (level, name), group in groupby(compared, lambda one: (one.level, one.function)):
        paths = [*group]
        called = f"{level} {name}" if several else name
        gaps = [one.gap for one in paths if not isnan(one.gap)]
        if gaps:
            yield f"{called}: largest error against numerical derivatives {max(gaps):.1e}"
        for one in paths:
            if one.why_not:
                yield f"{called}: not compared by `{one.path}`: {one.why_not}"


def check(
    graph: Graph,
    *,
    grad: bool = False,
    at: Mapping[str, Any] | None = None,
    seed: int = 0,
    all_levels: bool = False,
    module: str | os.PathLike[str] | None = None,
    **options: Unpack[CompileOptions],
) -> CheckResult:
    """Check a graph: its file, what was compiled, or its module; with `grad` its derivatives, too.

    grad        compares every derivative with numerical ones
    at          inputs and parameters by name, at which to compare; others are drawn
    seed        of the point that is drawn
    all_levels  compares the modules of all levels, which must agree
    module      the file of a module that was edited or written by hand, which is run and compared
                with what the graph computes

    The options are those of the command, with its defaults: see `CompileOptions`. Mistakes are in
    the result, and not raised; an OSError is, where the file cannot be read.
    """
    from graphc.checking.derivatives import LEVELS
    from graphc.checking.point import Start

    if not grad and (at is not None or seed):
        raise ValueError(f"{'seed' if at is None else 'at'} says where to compare: add grad=True")
    try:
        source, folder, made = asked_of(graph, options)
    except GraphError as wrong:
        return CheckResult(str(graph), wrong.diagnostics)
    place = Start(seed, at) if grad else None
    if module is not None:
        return check_module(source, folder, made, Path(module))
    return check_source(source, folder, made, LEVELS if all_levels else (made.level,), place)


def check_source(
    source: Source,
    folder: Path | None,
    options: Options,
    levels: Sequence[str],
    place: Start | None,
) -> CheckResult:
    """Check the modules of a source at these levels; where a place is given their derivatives."""
    from graphc.checking.derivatives import check_derivatives
    from graphc.compile.stages import compile_levels

    try:
        if place is not None:
            found = check_derivatives(source, options, folder, levels, place)
            model, *_ = (one.model for one in found.results)
            told = (*found.results[0].warnings, *model.notes, *found.mistakes)
            return CheckResult(source.name, told, found.compared, _why_none(found), source)
        first, *_ = compile_levels(source, options, folder, levels)
        return CheckResult(source.name, (*first.warnings, *first.model.notes), source=source)
    except GraphError as wrong:
        return CheckResult(source.name, of_any_file(wrong.diagnostics))


NO_MODULE = "N222"
"""The code of the note that a file has no mistake, and yet makes no module."""


def of_any_file(told: Sequence[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Return what is wrong with a file that others may import: to have blocks alone is right."""
    from graphc.elaborate.build import BLOCKS_ALONE

    message = "the file has blocks alone, which are checked where they are used"
    return tuple(
        Diagnostic(NO_MODULE, message, one.span) if one.code == BLOCKS_ALONE else one
        for one in told
    )


def check_module(source: Source, folder: Path | None, options: Options, file: Path) -> CheckResult:
    """Run a module, and compare it with what its graph computes; raises OSError."""
    from graphc.checking.edited import check_edited

    text = files.read(file).decode("utf-8", "replace")
    try:
        found = check_edited(source, options, folder, file, text)
    except GraphError as wrong:
        return CheckResult(source.name, wrong.diagnostics)
    return CheckResult(str(file), tuple(found), source=source)


def _why_none(found: Checked) -> str:
    """Say why nothing was compared, where it is no mistake."""
    if found.compared or found.mistakes:
        return ""
    surrogate = found.results[0].model.surrogate
    return f"nothing compared: {MEANT if surrogate else 'there are no derivatives'}"
