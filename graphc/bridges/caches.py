"""What `forward` of a module keeps for `backward`, by a number that stands for it elsewhere."""

from __future__ import annotations

from collections import OrderedDict
from itertools import count
from typing import Any

from graphc.records import dataclass, field

MOST = 64
"""Caches that wait for their `backward`; of more the oldest goes."""


@dataclass(slots=True)
class Caches:
    """Caches of calls whose `backward` is still to come.

    Each is let go when it is asked for, but for the one asked for last: it may be asked for again,
    once for each row of a Jacobian.
    """

    waiting: OrderedDict[int, Any] = field(default_factory=OrderedDict)
    last: tuple[int, Any] = (-1, None)
    numbers: Any = field(default_factory=count)

    def keep(self, cache: Any) -> int:
        """Keep a cache; its number is returned."""
        number = next(self.numbers)
        self.waiting[number] = cache
        while len(self.waiting) > MOST:
            self.waiting.popitem(last=False)
        return int(number)

    def again(self, number: int, cache: Any) -> Any:
        """Take a cache that has gone and was computed again."""
        self.last = number, cache
        return cache

    def take(self, number: int) -> Any | None:
        """Return the cache of a number, or None where it has gone."""
        if number in self.waiting:
            self.last = number, self.waiting.pop(number)
        return self.last[1] if self.last[0] == number else None
