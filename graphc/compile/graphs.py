"""The graphs of the functions of a module, as every level has them, and in each mode."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ad.functions import CutGraph, build_halves, cut
from graphc.compile.clauses import Made, derivatives
from graphc.compile.options import Options
from graphc.elaborate.names.model import Derivation, Model
from graphc.ir.graph import Graph
from graphc.kinds import MODES
from graphc.limits import Exceeded
from graphc.optimise.passes import PASSES, Pass, rewritten


def passes_of(options: Options, passes: Sequence[Pass]) -> Sequence[Pass]:
    """Add the passes of the target to those of the level, where the target has its say."""
    return (*passes, *options.to.lowering) if options.at.planned else passes


def differentiated_halves(model: Model) -> Graph:
    """Build forward and backward as one graph, as calculus makes it."""
    outputs, asked = {d.name: d.node for d in model.outputs}, model.backward
    return build_halves(outputs, asked.names, dict(asked.wrt), model.names)


def both_halves(model: Model) -> Graph:
    """Build forward and backward as one graph, as every level has it."""
    return rewritten(differentiated_halves(model), PASSES)


def split_halves(model: Model, options: Options) -> CutGraph:
    """Optimise forward and backward as one graph at the level asked for, and cut it in two."""
    whole = rewritten(both_halves(model), passes_of(options, options.at.halves))
    return cut(whole, options.at.planned)


def candidates(model: Model, one: Derivation, options: Options) -> dict[str, Made]:
    """Build the graphs of a derived function by mode: in the mode asked for, or in all."""
    try:
        return derivatives(model, one, [options.mode] if options.mode else MODES)
    except Exceeded as much:
        much.span = one.span or much.span
        raise
