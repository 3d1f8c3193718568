"""What is computed element by element."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special

from tests.fuzz.meaning import duals
from tests.fuzz.meaning.arrays import (
    array,
    floats,
    is_float,
    known,
    smooth,
    space,
    traced,
    where,
)

exp, log, sqrt = smooth("exp"), smooth("log"), smooth("sqrt")


log1p, tanh, sigmoid, softplus = (smooth(n) for n in ("log1p", "tanh", "sigmoid", "softplus"))


def sign(x: Any) -> Any:
    return space(x).sign(known(x))


def absolute(x: Any) -> Any:
    """The derivative at 0 is 0."""
    return where(known(x) == 0, known(x) * 0, array(x) * sign(x)) if is_float(x) else abs(x)


def relu(x: Any) -> Any:
    """The derivative at 0 is 0."""
    x = array(x)
    return where(known(x) <= 0, 0, x)


def clip(x: Any, low: Any, high: Any) -> Any:
    """The derivative at a bound is that of x."""
    x, low, high = array(x), array(low), array(high)
    x = where(known(x) < known(low), low, x)
    return where(known(x) > known(high), high, x)


def phi(x: Any) -> Any:
    return 0.5 * (1 + smooth("erf")(array(x) / math.sqrt(2)))


def elu(x: Any, alpha: float = 1.0) -> Any:
    x = array(x)
    return where(known(x) > 0, x, alpha * smooth("expm1")(where(known(x) > 0, 0.0, x)))


def celu(x: Any, alpha: float = 1.0) -> Any:
    x = array(x)
    return where(known(x) > 0, x, alpha * smooth("expm1")(where(known(x) > 0, 0.0, x) / alpha))


def selu(x: Any) -> Any:
    x, alpha = array(x), 1.6732632423543772848170429916717
    return 1.0507009873554804934193349852946 * where(
        known(x) > 0, x, alpha * smooth("expm1")(where(known(x) > 0, 0.0, x))
    )


def gelu_tanh(x: Any) -> Any:
    x = array(x)
    return 0.5 * x * (1 + tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))


def leaky(x: Any, slope: Any = 0.01) -> Any:
    x = array(x)
    return where(known(x) > 0, x, slope * x)


def heaviside(x: Any, h: Any) -> Any:
    x = known(x)
    return where(x < 0, 0.0, where(x > 0, 1.0, h))


def gammainc(a: float, x: Any) -> Any:
    """Of a known shape."""
    x = floats(x)
    if traced(x):
        return sys.modules["jax.scipy.special"].gammainc(a, x)

    def density(t: Any) -> Any:
        return smooth("exp")((a - 1) * log(t) - t - math.lgamma(a))[()]

    return array(duals.integral(lambda t: scipy.special.gammainc(a, t), density, x))


def betainc(a: float, b: float, x: Any) -> Any:
    """Of known shapes."""
    x = floats(x)
    if traced(x):
        return sys.modules["jax.scipy.special"].betainc(a, b, x)
    scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)

    def density(t: Any) -> Any:
        return smooth("exp")((a - 1) * log(t) + (b - 1) * log(1 - t) + scale)[()]

    return array(duals.integral(lambda t: scipy.special.betainc(a, b, t), density, x))


def huber(x: Any, delta: float = 1.0) -> Any:
    x = floats(x)
    size = absolute(x)
    return where(known(size) <= delta, x * x / 2, delta * (size - delta / 2))


def modulo(a: Any, b: Any) -> Any:
    a, b = array(a), array(b)
    if not is_float(a) and not is_float(b):
        return a % b
    whole = space(a, b).floor(known(a) / known(b))
    return a - b * whole


def rounding(name: str) -> Callable[[Any], Any]:
    return lambda x: getattr(space(x), name)(known(x)) if is_float(x) else x


def xlogy(x: Any, y: Any) -> Any:
    x, y = floats(x), floats(y)
    nothing = (known(x) == 0) & (known(y) == 0)
    return x * log(where(nothing, 1.0, y))


def atan2(y: Any, x: Any) -> Any:
    """arctan(y / x), or of the reciprocal, and the turn that is left over."""
    y, x = floats(y), floats(x)
    if traced(x, y):
        return space(x).arctan2(y, x)
    steep = abs(known(y)) > abs(known(x))
    nothing = (known(y) == 0) & (known(x) == 0)
    ratio = where(steep, -x, y) / where(nothing, 1.0, where(steep, y, x))
    angle = smooth("arctan")(ratio)
    return angle + (np.arctan2(known(y), known(x)) - known(angle))


def logaddexp(a: Any, b: Any) -> Any:
    """Moved by the larger, which is taken as a constant: it cancels."""
    a, b = floats(a), floats(b)
    top = space(a, b).maximum(known(a), known(b))
    top = where(space(top).isfinite(top), top, 0.0)
    return log(exp(a - top) + exp(b - top)) + top


def root(x: Any) -> Any:
    """The square root whose derivative at 0 is 0."""
    zero = known(x) == 0
    return where(zero, 0.0, sqrt(where(zero, 1.0, x)))
