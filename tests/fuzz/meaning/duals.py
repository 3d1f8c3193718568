"""Numbers with derivatives: forward mode, one number at a time, to any order by nesting.

An array of them is an object array, so that NumPy moves, sums and multiplies them by Python's own
operators; what is left to state are the derivatives of functions of one number.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import scipy.special

_levels = itertools.count(1)


class Dual:
    """A value and its tangents, an array of one for each direction.

    Of two levels the higher one is outside: its value and tangents are numbers of the lower.
    """

    __slots__ = ("level", "tangents", "value")

    def __init__(self, level: int, value: Any, tangents: np.ndarray) -> None:
        self.level, self.value, self.tangents = level, value, tangents

    def __add__(self, other: Any) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented  # element by element
        if not isinstance(other, Dual) or other.level < self.level:
            return Dual(self.level, self.value + other, self.tangents)
        if other.level > self.level:
            return Dual(other.level, self + other.value, other.tangents)
        return Dual(self.level, self.value + other.value, self.tangents + other.tangents)

    def __mul__(self, other: Any) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented  # element by element
        if not isinstance(other, Dual) or other.level < self.level:
            return Dual(self.level, self.value * other, self.tangents * other)
        if other.level > self.level:
            return Dual(other.level, self * other.value, other.tangents * self)
        tangents = self.tangents * other.value + other.tangents * self.value
        return Dual(self.level, self.value * other.value, tangents)

    def __truediv__(self, other: Any) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented  # element by element
        if isinstance(other, Dual):
            return quotient(self, other)
        return Dual(self.level, self.value / other, self.tangents / other)

    def __rtruediv__(self, other: Any) -> Any:
        return quotient(other, self)

    def __neg__(self) -> Any:
        return Dual(self.level, -self.value, -self.tangents)

    def __sub__(self, other: Any) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented
        return self + -other

    def __rsub__(self, other: Any) -> Any:
        return -self + other

    __radd__, __rmul__ = __add__, __mul__

    def __lt__(self, other: Any) -> bool:
        return bool(primal(self) < primal(other))

    def __le__(self, other: Any) -> bool:
        return bool(primal(self) <= primal(other))

    def __gt__(self, other: Any) -> bool:
        return bool(primal(self) > primal(other))

    def __ge__(self, other: Any) -> bool:
        return bool(primal(self) >= primal(other))

    def __eq__(self, other: Any) -> bool:
        return bool(primal(self) == primal(other))

    __hash__ = object.__hash__


def is_zero(x: Any) -> bool:
    """Is a number 0, and does it stay so however it moves?"""
    if isinstance(x, Dual):
        return is_zero(x.value) and all(map(is_zero, np.ravel(x.tangents)))
    return bool(x == 0)


def primal(x: Any) -> Any:
    """The number without its derivatives."""
    while isinstance(x, Dual):
        x = x.value
    return x


def quotient(a: Any, b: Any) -> Any:
    """a / b: (a / b)' = (a' - (a / b) b') / b."""
    level = max(one.level for one in (a, b) if isinstance(one, Dual))
    (a, da), (b, db) = parts(a, level), parts(b, level)
    value = a / b
    return Dual(level, value, (da - db * value) / b if np.ndim(db) else da / b)


def parts(x: Any, level: int) -> tuple[Any, Any]:
    """Value and tangents at a level; of what does not have it, tangents of 0."""
    return (x.value, x.tangents) if isinstance(x, Dual) and x.level == level else (x, 0.0)


# ---- functions of one number ------------------------------------------------------------------

Slope = Callable[[Any, Any], Any]


def _polygamma(order: int) -> tuple[Callable[..., Any], Slope]:
    def value(x: Any) -> Any:
        return scipy.special.polygamma(order, x)

    return value, lambda x, y: smooth(f"polygamma{order + 1}", x)


def _sign(x: Any) -> float:
    return float(np.sign(primal(x))) if not isinstance(x, np.ndarray) else np.sign(values(x))


def _bessel(name: str, order: int) -> tuple[Callable[..., Any], Slope]:
    """J_n, I_n or K_n: the derivative from the orders beside n, of which -1 is 1 but for a sign."""
    below, above = {"j": (0.5, -0.5), "i": (0.5, 0.5), "k": (-0.5, -0.5)}[name]

    def slope(x: Any, y: Any) -> Any:
        if not order:
            return smooth(f"{name}v1", x) * (1.0 if name == "i" else -1.0)
        lower, upper = smooth(f"{name}v{order - 1}", x), smooth(f"{name}v{order + 1}", x)
        return lower * below + upper * above

    return lambda x: getattr(scipy.special, f"{name}v")(order, x), slope


SMOOTH: dict[str, tuple[Callable[..., Any], Slope]] = {
    "exp": (np.exp, lambda x, y: y),
    "expm1": (np.expm1, lambda x, y: smooth("exp", x)),
    "log": (np.log, lambda x, y: 1 / x),
    "log1p": (np.log1p, lambda x, y: 1 / (1 + x)),
    "sqrt": (np.sqrt, lambda x, y: 0.5 / y),
    "cbrt": (np.cbrt, lambda x, y: 1 / (3 * y * y)),
    "sin": (np.sin, lambda x, y: smooth("cos", x)),
    "cos": (np.cos, lambda x, y: -smooth("sin", x)),
    "tan": (np.tan, lambda x, y: 1 + y * y),
    "sinh": (np.sinh, lambda x, y: smooth("cosh", x)),
    "cosh": (np.cosh, lambda x, y: smooth("sinh", x)),
    "tanh": (np.tanh, lambda x, y: 1 - y * y),
    "arcsin": (np.arcsin, lambda x, y: 1 / smooth("sqrt", 1 - x * x)),
    "arccos": (np.arccos, lambda x, y: -1 / smooth("sqrt", 1 - x * x)),
    "arctan": (np.arctan, lambda x, y: 1 / (1 + x * x)),
    "arcsinh": (np.arcsinh, lambda x, y: 1 / smooth("sqrt", 1 + x * x)),
    "arccosh": (np.arccosh, lambda x, y: 1 / smooth("sqrt", x * x - 1)),
    "arctanh": (np.arctanh, lambda x, y: 1 / (1 - x * x)),
    "sigmoid": (scipy.special.expit, lambda x, y: y * smooth("sigmoid", -x)),
    "softplus": (lambda x: np.logaddexp(x, 0.0), lambda x, y: smooth("sigmoid", x)),
    "erf": (scipy.special.erf, lambda x, y: 2 / math.pi**0.5 * smooth("exp", -x * x)),
    "erfc": (scipy.special.erfc, lambda x, y: -2 / math.pi**0.5 * smooth("exp", -x * x)),
    "lgamma": (scipy.special.gammaln, lambda x, y: smooth("polygamma0", x)),
    "ndtr": (scipy.special.ndtr, lambda x, y: smooth("exp", -x * x / 2) / math.sqrt(2 * math.pi)),
    "log_ndtr": (
        scipy.special.log_ndtr,
        lambda x, y: smooth("exp", -x * x / 2) / smooth("ndtr", x) / math.sqrt(2 * math.pi),
    ),
    "ndtri": (scipy.special.ndtri, lambda x, y: smooth("exp", y * y / 2) * math.sqrt(2 * math.pi)),
    "erfinv": (scipy.special.erfinv, lambda x, y: smooth("exp", y * y) * (math.pi**0.5 / 2)),
    "erfcinv": (scipy.special.erfcinv, lambda x, y: smooth("exp", y * y) * (-(math.pi**0.5) / 2)),
    "i0e": (scipy.special.i0e, lambda x, y: smooth("i1e", x) - y * _sign(x)),
    "i1e": (scipy.special.i1e, lambda x, y: smooth("i0e", x) - y / x - y * _sign(x)),
    **{f"{name}v{n}": _bessel(name, n) for name in "jik" for n in range(12)},
    **{f"polygamma{order}": _polygamma(order) for order in range(8)},
}
"""By name the value of a function, and its derivative from the argument and the value."""


def smooth(name: str, x: Any) -> Any:
    """A function of `SMOOTH` of a number, or element by element of an array."""
    if isinstance(x, np.ndarray) and x.dtype == object:
        return np.frompyfunc(lambda one: smooth(name, one), 1, 1)(x)
    value, slope = SMOOTH[name]
    if not isinstance(x, Dual):
        return value(np.float64(x)) if isinstance(x, float | int) else value(x)
    y = smooth(name, x.value)
    return Dual(x.level, y, x.tangents * slope(x.value, y))


def integral(value: Callable[[Any], Any], density: Callable[[Any], Any], x: Any) -> Any:
    """What is integrated up to x, of a number or element by element of an array."""
    if isinstance(x, np.ndarray) and x.dtype == object:
        return np.frompyfunc(lambda one: integral(value, density, one), 1, 1)(x)
    if not isinstance(x, Dual):
        return value(x)
    y = integral(value, density, x.value)
    return Dual(x.level, y, x.tangents * density(x.value))


# ---- arrays -----------------------------------------------------------------------------------


def values(x: Any) -> Any:
    """An array without derivatives."""
    x = np.asarray(x)
    if x.dtype != object:
        return x
    return np.array([primal(one) for one in x.ravel()], np.float64).reshape(x.shape)


def seeded(x: Any, directions: np.ndarray) -> tuple[int, np.ndarray]:
    """A new level, and the array with these tangents, of shape [*x.shape, directions]."""
    level = next(_levels)
    x = np.asarray(x)
    flat = directions.reshape(x.size, directions.shape[-1])
    duals = [Dual(level, value, row) for value, row in zip(_numbers(x), flat, strict=True)]
    return level, packed(duals, x.shape)


def _numbers(x: np.ndarray) -> Iterator[Any]:
    return iter(x.ravel() if x.dtype == object else x.astype(np.float64).ravel())


def packed(numbers: Any, shape: tuple[int, ...]) -> np.ndarray:
    """An object array of these."""
    array = np.empty(len(numbers), object)
    array[:] = numbers
    return array.reshape(shape)


def taken_apart(x: Any, level: int, count: int) -> tuple[Any, np.ndarray]:
    """The array without a level, and its tangents there: [*x.shape, count]."""
    x = np.asarray(x)
    if x.dtype != object:
        return x, np.zeros((*x.shape, count))
    found = [parts(one, level) for one in x.ravel()]
    inner = packed([value for value, _ in found], x.shape)
    rows = [one if np.ndim(one) else np.zeros(count) for _, one in found]
    if not rows:
        return inner, np.zeros((*x.shape, count))
    return inner, np.stack(rows).reshape(*x.shape, count)


def top(x: Any) -> int:
    """The highest level in an array; 0 without."""
    x = np.asarray(x)
    if x.dtype != object:
        return 0
    return max((one.level for one in x.ravel() if isinstance(one, Dual)), default=0)
