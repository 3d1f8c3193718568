"""What of a graph splits over the rows of an axis: of each output and gradient how, or why not."""

from __future__ import annotations

from collections.abc import Iterator

from graphc import kinds
from graphc.ad.functions import values
from graphc.chunks.contributions import NotApart
from graphc.chunks.pieces import Outcome, pieces
from graphc.compile.chunked import axis_of, has_chunks, pieces_of, refusal
from graphc.compile.stages import Compilation
from graphc.elaborate.names.model import Derivation, Model
from graphc.ir.dims import Dim
from graphc.ir.results import ResultKey
from graphc.records import dataclass
from graphc.source import Diagnostic


@dataclass(frozen=True, slots=True)
class Line:
    """What becomes of one result of a function: how it comes of chunks, or what stands against it.

    It is `asked` for if a clause derives it, or if there is no clause. It is `written` if the
    module has functions of chunks for it.
    """

    function: str
    result: str
    outcome: Outcome | None
    wrong: Diagnostic | None
    asked: bool
    written: bool = True

    @property
    def how(self) -> str:
        return "not split" if self.outcome is None else self.outcome.how

    @property
    def said(self) -> str:
        """Say it in a line: of what is merged the statistics, of what does not split why."""
        if self.wrong is not None:
            return f"not split: {self.wrong.message.partition(': ')[2]} ({self.wrong.span})"
        assert self.outcome is not None
        behind = ", ".join(self.outcome.statistics)
        said = f"{self.how}: {behind}" if behind and self.how == "merged" else self.how
        return said if self.written else f"{said} (without functions of chunks)"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What of a graph splits over an axis."""

    over: str
    lines: tuple[Line, ...]

    @property
    def wrong(self) -> tuple[Diagnostic, ...]:
        """Return what stands against something that was asked for."""
        found = (line.wrong for line in self.lines if line.asked and line.wrong is not None)
        return tuple(dict.fromkeys(found))


def judge(compilation: Compilation, over: str) -> Verdict:
    """Judge what of a graph splits over a dim, the first that is open if none is named.

    Raises GraphError where there is no such dim, and with the mistakes of the graph.
    """
    model = compilation.stated
    over = over or next((one.name for one in model.dims if one.fixed is None), "")
    with compilation.open():
        axis = axis_of(model, over)
        asked = not model.derivations
        outputs = [_line_of_output(model, axis, d.name, asked) for d in model.outputs]
        clauses = model.derivations or [*_backward(model)]
        derived = [line for one in clauses for line in _lines_of(model, axis, one)]
    return Verdict(over, (*outputs, *derived))


def _backward(model: Model) -> Iterator[Derivation]:
    """Yield the gradients that `backward` has, one for each scalar output."""
    outputs = {d.name: d.node for d in model.outputs}
    for name in model.backward.names:
        if not outputs[name].rank:
            yield Derivation(
                kinds.GRAD, ((name, outputs[name]),), model.backward.wrt, f"grad_{name}", None
            )


def _line_of_output(model: Model, axis: Dim, name: str, asked: bool) -> Line:
    (node,) = (d.node for d in model.outputs if d.name == name)
    results = values({name: node})
    try:
        made = pieces("forward", results, axis, model.names)
    except NotApart as why:
        wrong = refusal(model, why.mixed, str(axis), f"`{name}`")
        return Line("forward", name, None, wrong, asked)
    (outcome,) = made.outcomes.values()
    return Line("forward", name, outcome, None, asked)


def _lines_of(model: Model, axis: Dim, one: Derivation) -> Iterator[Line]:
    try:
        made = pieces_of(model, one, axis)
    except NotApart as why:
        wrong = refusal(model, why.mixed, str(axis), f"`{one.name}`")
        yield Line(one.name, _named(one), None, wrong, asked=True)
        return
    for key, outcome in made.outcomes.items():
        yield Line(one.name, said_of(key), outcome, None, asked=True, written=has_chunks(one))


def _named(one: Derivation) -> str:
    by = f" by {', '.join(path for path, _ in one.wrt)}" if one.kind.order else ""
    return f"{', '.join(one.names)}{by}"


def said_of(key: ResultKey) -> str:
    """Name a result as a reader does: `loss`, `by W`, `y by W`."""
    if key.kind == "value":
        return key.of
    if key.kind == "whole":
        return "all of it"
    if not key.by:
        return key.of or key.kind
    return f"{key.of} by {key.by}" if key.of else f"by {key.by}"
