"""The cost of a module's functions: in each mode that they can be computed in, and as compiled."""

from __future__ import annotations

from collections.abc import Mapping

from graphc.ad.functions import cut
from graphc.compile.clauses import cheapest
from graphc.compile.graphs import both_halves, candidates
from graphc.compile.stages import Compilation
from graphc.ir.dims import Dim
from graphc.ops.cost import Cost, cost_of
from graphc.plan.module import Compiled
from graphc.records import dataclass


@dataclass(frozen=True, slots=True)
class Priced:
    """A function of the module, and its cost by mode; without a choice of mode under ""."""

    name: str
    costs: Mapping[str, Cost]

    @property
    def chosen(self) -> str:
        return cheapest(self.costs)


def price(compilation: Compilation) -> tuple[Priced, ...]:
    """Estimate the functions of a module in each mode, after `PASSES`; raises GraphError.

    So functions and modes are compared: a level rewrites what is taken, and nothing else.
    """
    model, options = compilation.model, compilation.options
    with compilation.open():
        split = cut(both_halves(model))
        forward = Priced(split.forward.name, {"": cost_of(split.forward)})
        backward = Priced(split.backward.name, {"": cost_of(split.backward, split.cached)})
        derived = [
            Priced(
                one.name,
                {mode: made.cost for mode, made in candidates(model, one, options).items()},
            )
            for one in model.derivations
        ]
    return (forward, *([backward] if split.backward.results else []), *derived)


def compiled_work(compiled: Compiled) -> dict[tuple[str, str], Dim]:
    """Return the multiply-adds of the statements of each function, by its name and mode."""
    functions = (compiled.forward, compiled.backward, *compiled.derived)
    modes = (mode for one in functions for mode in (one, *one.others))
    return {(each.program.name, each.mode): each.flops for each in modes}
