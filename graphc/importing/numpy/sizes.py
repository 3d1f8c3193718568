"""Sizes that are open: dims of the graph, in the place of Python's integers."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from graphc.importing.sheet import Sheet
from graphc.ir.dims import Dim
from graphc.ir.types import known_facts


class Tracing(Protocol):
    """What a size asks of the function that is being run."""

    sheet: Sheet

    def settle(self) -> None: ...
    def size(self, dim: Dim) -> Any: ...
    def value(self, given: Any) -> Any: ...
    def wrap(self, found: Any) -> Any: ...


class Size:
    """A size that is a dim of the graph; made of such sizes by + - * // % it stays one."""

    __array_ufunc__ = None

    def __init__(self, trace: Tracing, dim: Dim) -> None:
        self.trace, self.dim = trace, dim

    def _whole(self, other: Any, make: Callable[[Dim, Any], Dim]) -> Any:
        if isinstance(other, Size):
            return self.trace.size(make(self.dim, other.dim))
        if isinstance(other, int | np.integer) and not isinstance(other, bool):
            return self.trace.size(make(self.dim, int(other)))
        return NotImplemented

    def _real(self) -> Any:
        self.trace.settle()
        return self.trace.wrap(self.trace.value(self))

    def __add__(self, other: Any) -> Any:
        found = self._whole(other, operator.add)
        return self._real() + other if found is NotImplemented else found

    __radd__ = __add__

    def __mul__(self, other: Any) -> Any:
        if isinstance(other, list | tuple):
            return NotImplemented
        found = self._whole(other, operator.mul)
        return self._real() * other if found is NotImplemented else found

    __rmul__ = __mul__

    def __sub__(self, other: Any) -> Any:
        found = self._whole(other, operator.sub)
        return self._real() - other if found is NotImplemented else found

    def __rsub__(self, other: Any) -> Any:
        found = self._whole(other, lambda mine, theirs: theirs - mine)
        return other - self._real() if found is NotImplemented else found

    def __floordiv__(self, other: Any) -> Any:
        found = self._whole(other, operator.floordiv)
        return self._real() // other if found is NotImplemented else found

    def __mod__(self, other: Any) -> Any:
        found = self._whole(other, operator.mod)
        return self._real() % other if found is NotImplemented else found

    def __truediv__(self, other: Any) -> Any:
        return self._real() / (other._real() if isinstance(other, Size) else other)

    def __rtruediv__(self, other: Any) -> Any:
        return other / self._real()

    def __pow__(self, power: Any) -> Any:
        if isinstance(power, int) and power >= 0:
            return self.trace.size(self.dim**power)
        return self._real() ** power

    def __neg__(self) -> Any:
        return self.trace.size(-self.dim)

    def _sign(self, other: Any) -> tuple[bool | None, bool | None, bool | None]:
        """Return whether it is less, equal and greater, as far as that is known for all sizes."""
        dim = other.dim if isinstance(other, Size) else other
        if not isinstance(dim, Dim | int):
            return False, False, False
        facts, less = known_facts(), dim - self.dim
        more = -less
        if facts.equal(self.dim, Dim.of(dim)):
            return False, True, False
        smaller, greater = facts.nonnegative(less - 1), facts.nonnegative(more - 1)
        equal = False if smaller or greater else None
        return smaller, equal, greater

    def __eq__(self, other: object) -> bool:
        return self._known(self._sign(other)[1])

    def __ne__(self, other: object) -> bool:
        return not self._known(self._sign(other)[1])

    def __lt__(self, other: Any) -> bool:
        return self._known(self._sign(other)[0])

    def __gt__(self, other: Any) -> bool:
        return self._known(self._sign(other)[2])

    def __le__(self, other: Any) -> bool:
        return not self._known(self._sign(other)[2])

    def __ge__(self, other: Any) -> bool:
        return not self._known(self._sign(other)[0])

    def __hash__(self) -> int:
        return hash(self.dim)

    def _known(self, holds: bool | None) -> bool:
        if holds is None:
            raise self._unknown("a comparison")
        return holds

    def _unknown(self, what: str) -> Exception:
        self.trace.settle()
        names = ", ".join(f"`{name}`" for name in sorted(self.dim.symbols))
        return self.trace.sheet.mistake(
            f"{what} needs the size {self.dim}, which is open",
            f"declare the array with a number in the place of {names}",
        )

    def __index__(self) -> int:
        raise self._unknown("a list, a range or a position of this many")

    def __float__(self) -> float:
        raise self._unknown("a number of Python's")

    def __bool__(self) -> bool:
        return self != 0

    def __repr__(self) -> str:
        return str(self.dim)
