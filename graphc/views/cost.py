"""The cost of a module's functions, in each mode that they can be computed in."""

from __future__ import annotations

from collections.abc import Mapping

from graphc.ad.functions import cut
from graphc.compile.clauses import cheapest
from graphc.compile.graphs import both_halves, candidates
from graphc.compile.stages import Compilation
from graphc.ops.cost import Cost, cost_of
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

    A level rewrites only what is taken, so that is no work to compare functions and modes by.
    """
    model, options = compilation.model, compilation.options
    with compilation.open():
        split = cut(both_halves(model))
        forward, backward = (
            Priced(g.name, {"": cost_of(g)}) for g in (split.forward, split.backward)
        )
        derived = [
            Priced(
                one.name,
                {mode: made.cost for mode, made in candidates(model, one, options).items()},
            )
            for one in model.derivations
        ]
    return (forward, *([backward] if split.backward.results else []), *derived)
