"""Which features have met: pairs that were reached, and those that were reached rarely."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterator

from tests.fuzz.variants import VARIANTS
from tests.fuzz.writing.deriving import KINDS, MODES
from tests.fuzz.writing.generate import FEATURES
from tests.fuzz.writing.operations import OPERATIONS

FEATURE_TAGS = (*FEATURES, "per", *(f"variant:{name}" for name in VARIANTS))
OPERATION_TAGS = tuple(f"op:{name}" for name in OPERATIONS)
KIND_TAGS = tuple(f"kind:{kind}" for kind in KINDS)
MODE_TAGS = tuple(f"mode:{mode}" for mode in MODES)

Pair = tuple[str, str]


def _wanted() -> dict[Pair, str]:
    """The pairs that programs should reach, and what kind of pair each is."""
    found: dict[Pair, str] = {}
    for one, other in itertools.combinations(FEATURE_TAGS, 2):
        found[_pair(one, other)] = "feature × feature"
    for one, other in itertools.product(FEATURE_TAGS, OPERATION_TAGS):
        found[_pair(one, other)] = "feature × operation"
    for one, other in itertools.product(FEATURE_TAGS, KIND_TAGS):
        found[_pair(one, other)] = "feature × kind"
    for one, other in itertools.product(OPERATION_TAGS, KIND_TAGS):
        found[_pair(one, other)] = "operation × kind"
    for one, other in itertools.product(OPERATION_TAGS, MODE_TAGS):
        found[_pair(one, other)] = "operation × mode"
    return found


def _pair(one: str, other: str) -> Pair:
    return (one, other) if one < other else (other, one)


class Coverage:
    """Counts of pairs; every program runs at both levels, so each is reached at both."""

    def __init__(self) -> None:
        self.wanted = _wanted()
        self.every = list(self.wanted)
        self.reached: Counter[Pair] = Counter()

    def add(self, tags: frozenset[str]) -> None:
        for pair in itertools.combinations(sorted(tags), 2):
            if pair in self.wanted:
                self.reached[pair] += 1

    def rare(self, draw: random.Random) -> tuple[str, ...]:
        """Of some pairs by chance the three that were reached least."""
        some = sorted(draw.sample(self.every, 40), key=lambda pair: self.reached[pair])
        return tuple(dict.fromkeys(tag for pair in some[:3] for tag in pair))

    def share(self) -> float:
        return len(self.reached) / len(self.wanted)

    def lines(self) -> Iterator[str]:
        """For each kind of pairs how many were reached."""
        kinds = Counter(self.wanted.values())
        reached = Counter(self.wanted[pair] for pair in self.reached)
        for kind, count in kinds.items():
            yield f"{kind:20} {reached[kind]:6} of {count:6} pairs  {reached[kind] / count:6.1%}"
