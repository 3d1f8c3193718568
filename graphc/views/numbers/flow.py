"""Where what flows back through a graph vanishes or explodes.

Sizes of adjoints are compared with those that they come from, on all ways from the outputs: the
root of the mean square, which does not grow with the number of elements.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from graphc.records import dataclass
from graphc.views.numbers.summary import Summary

FACTOR = 1e6
"""So much smaller or larger than on the way before has an adjoint vanished, or exploded."""

Kind = Literal["zero", "vanishes", "explodes"]


@dataclass(frozen=True, slots=True)
class Flow:
    """What became of an adjoint: nothing comes back at all, or so many times what came before.

    `first` is true where the adjoints that it comes from are in order still.
    """

    kind: Kind
    ratio: float
    first: bool


@dataclass(frozen=True, slots=True)
class _Before:
    """The smallest and largest sizes on the ways from the outputs, and what had happened there."""

    least: float
    most: float
    kinds: frozenset[Kind]


def flow_of(
    adjoints: Mapping[str, Sequence[Summary]], children: Mapping[str, Sequence[str]]
) -> dict[str, Flow]:
    """Find the adjoints that have vanished or exploded, by name.

    `adjoints` are in the order in which they flow, and so are the steps of each in a loop;
    `children` are the names that one comes from. What is not finite is neither.
    """
    known: dict[str, _Before] = {}
    found: dict[str, Flow] = {}
    for name, steps in adjoints.items():
        before = [known[child] for child in children[name] if child in known]
        sizes = [one.typical for one in steps if one.is_finite]
        least = min([one.least for one in before] + [one for one in sizes if one], default=0.0)
        most = max([one.most for one in before] + sizes, default=0.0)
        kinds = frozenset[Kind]().union(*(one.kinds for one in before))
        flow = _flow(sizes[-1], least, most, kinds) if steps[-1].is_finite else None
        if flow is not None:
            found[name] = flow
            kinds |= {flow.kind}
        known[name] = _Before(least, most, kinds)
    return found


def _flow(size: float, least: float, most: float, before: frozenset[Kind]) -> Flow | None:
    """Compare the size of an adjoint with the least and most that there was on the way."""
    kind: Kind
    if not size:
        kind, ratio = "zero", 0.0
    elif size * FACTOR <= most:
        kind, ratio = "vanishes", size / most
    elif size >= FACTOR * least > 0:
        kind, ratio = "explodes", size / least
    else:
        return None
    return Flow(kind, ratio, kind not in before)
