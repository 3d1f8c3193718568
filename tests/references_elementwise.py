"""What functions compute element by element, and where they are smooth.

A function that NumPy, SciPy or JAX has under the same name, and that is smooth on [-2, 2], needs no
entry.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import scipy.special
from sampling import Entry, Use, on

UNIT = (-0.9, 0.9)
POSITIVE = (0.1, 3.0)
SELU, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def _jacobian(x: Any, axis: int | None = None) -> Any:
    """That of x³, of all or of each row alone."""
    if axis == 0:
        return np.stack([_jacobian(row) for row in x]) if len(x) else np.zeros((0, 3, 3), x.dtype)
    return np.diag(np.ravel(3 * x**2)).reshape(x.shape * 2)


def _softplus(x: Any) -> Any:
    return np.log(1 + np.exp(x))


def _phi(x: Any) -> Any:
    return (1 + scipy.special.erf(x / np.sqrt(2))) / 2


def _gelu_tanh(x: Any) -> Any:
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def _leaky(x: Any, slope: Any = 0.01) -> Any:
    return np.where(x > 0, x, slope * x)


def _clip(x: Any, low: Any = -1, high: Any = 1) -> Any:
    return np.clip(x, low, high)


def _polygamma(x: Any, n: int) -> Any:
    return scipy.special.polygamma(n, x)


def _of(slots: str, *types: tuple[str, ...]) -> tuple[Use, ...]:
    return tuple(on(one, slots) for one in types)


CHOICES = _of(
    "a, b, c",
    ("bool[]", "[]", "[]"),
    ("bool[4]", "[4]", "[4]"),
    ("bool[2, 3, 4]", "[3, 4]", "[]"),
    ("bool[2, 1]", "[1, 3]", "[2, 3]"),
    ("bool[]", "[3]", "[3]"),
    ("bool[3]", "[2, 3]", "[]"),
    ("bool[0]", "[0]", "[]"),
    ("bool[N, 3]", "[N, 3]", "[3]"),
    ("bool[4]", "int[4]", "int[4]"),
    ("bool[4]", "[4]", "int[4]"),
)

ELEMENTWISE: dict[str, Entry] = {
    "where": Entry(np.where, (-2, 2), CHOICES),
    "id": Entry(lambda x: x),
    "stop": Entry(lambda x: x, analytic=False),
    "sign": Entry(np.sign, analytic=False),
    "add": Entry(lambda *xs: sum(xs)),
    "mul": Entry(lambda *xs: np.multiply.reduce(np.array(np.broadcast_arrays(*xs)), axis=0)),
    "log": Entry(np.log, POSITIVE),
    "log1p": Entry(np.log1p, (-0.8, 3)),
    "sqrt": Entry(np.sqrt, POSITIVE),
    "sin": Entry(np.sin, (-4, 4)),
    "cos": Entry(np.cos, (-4, 4)),
    "tan": Entry(np.tan, (-1.2, 1.2)),
    "log2": Entry(np.log2, POSITIVE),
    "log10": Entry(np.log10, POSITIVE),
    "cbrt": Entry(np.cbrt, POSITIVE, analytic=lambda x: x ** (1 / 3)),
    "exp2": Entry(np.exp2),
    "square": Entry(np.square),
    "reciprocal": Entry(lambda x: 1 / x, (0.3, 3)),
    "power": Entry(np.float_power, (0.3, 2.3), analytic=lambda a, b: np.exp(b * np.log(a))),
    "mod": Entry(np.mod, (0.3, 2.3)),
    "logit": Entry(scipy.special.logit, (0.1, 0.9), analytic=lambda x: np.log(x / (1 - x))),
    "deg2rad": Entry(np.deg2rad, analytic=lambda x: x * np.pi / 180),
    "rad2deg": Entry(np.rad2deg, analytic=lambda x: x * 180 / np.pi),
    **{name: Entry(np.arcsin, UNIT) for name in ("arcsin", "asin")},
    **{name: Entry(np.arccos, UNIT) for name in ("arccos", "acos")},
    **{name: Entry(np.arctan) for name in ("arctan", "atan")},
    **{name: Entry(np.arcsinh) for name in ("arcsinh", "asinh")},
    **{name: Entry(np.arccosh, (1.1, 4)) for name in ("arccosh", "acosh")},
    **{name: Entry(np.arctanh, UNIT) for name in ("arctanh", "atanh")},
    **{
        name: Entry(np.arctan2, (0.2, 3), analytic=lambda y, x: np.arctan(y / x))
        for name in ("atan2", "arctan2")
    },
    "hypot": Entry(np.hypot, analytic=lambda a, b: np.sqrt(a * a + b * b)),
    "logaddexp": Entry(np.logaddexp, analytic=lambda a, b: np.log(np.exp(a) + np.exp(b))),
    "xlogy": Entry(scipy.special.xlogy, POSITIVE, analytic=lambda x, y: x * np.log(y)),
    "xlog1py": Entry(scipy.special.xlog1py, (-0.7, 3), analytic=lambda x, y: x * np.log1p(y)),
    "round": Entry(np.round, (-2.2, 2.1)),
    "clip": Entry(
        _clip,
        (-2.3, 2.1),
        (
            *(on(type, "a, -1, 1") for type in ("[]", "[7]", "[2, 3]", "[0]", "[N]", "int[5]")),
            on("[2, 3, 4]", "a, -1, 0.5", high=0.5),
            on("[5]", "a, min=0, max=inf", low=0, high=np.inf),
            on(("[2, 3]", "[3]", "[]"), "a, b, c"),
            on(("[N, 3]", "[N, 1]", "[3]"), "a, b, c"),
        ),
    ),
    "erf": Entry(scipy.special.erf),
    "erfc": Entry(scipy.special.erfc, analytic=lambda x: 1 - scipy.special.erf(x)),
    "lgamma": Entry(scipy.special.gammaln, (0.3, 4), analytic=scipy.special.loggamma),
    "digamma": Entry(scipy.special.digamma, (0.5, 4)),
    "polygamma": Entry(
        _polygamma,
        (0.6, 4),
        (
            on("[4]", "0, a", n=0),
            on("[]", "1, a", n=1),
            on("[2, 3]", "n=2, x=a", n=2),
            on("[N]", "3, a", n=3),
            on("int[3]", "1, a", n=1),
        ),
    ),
    "sigmoid": Entry(scipy.special.expit, (-4, 4), analytic=_sigmoid),
    "softplus": Entry(lambda x: np.logaddexp(x, 0.0), (-4, 4), analytic=_softplus),
    "relu": Entry(lambda x: np.maximum(x, 0)),
    "silu": Entry(
        lambda x: x * scipy.special.expit(x), (-4, 4), analytic=lambda x: x * _sigmoid(x)
    ),
    "gelu": Entry(lambda x: x * scipy.special.ndtr(x), (-4, 4), analytic=lambda x: x * _phi(x)),
    "gelu_tanh": Entry(_gelu_tanh, (-4, 4)),
    "leaky_relu": Entry(
        _leaky,
        more=(on("[5]", "a, 0.2", slope=0.2), on("[5]", "a, slope=0", slope=0)),
    ),
    "prelu": Entry(_leaky),
    "elu": Entry(
        lambda x, alpha=1.0: np.where(x > 0, x, alpha * np.expm1(x)),
        more=(on("[5]", "a, alpha=0.5", alpha=0.5),),
    ),
    "celu": Entry(
        lambda x, alpha=1.0: np.where(x > 0, x, alpha * np.expm1(x / alpha)),
        more=(on("[5]", "a, 0.5", alpha=0.5),),
    ),
    "selu": Entry(
        lambda x: np.asarray(jax.nn.selu(np.asarray(x, np.float64))),
        analytic=lambda x: np.where(x > 0, SELU * x, SELU * SELU_ALPHA * np.expm1(x)),
    ),
    "softsign": Entry(
        lambda x: x / (1 + np.abs(x)),
        analytic=lambda x: np.where(x > 0, x / (1 + x), x / (1 - x)),
    ),
    "log_sigmoid": Entry(scipy.special.log_expit, (-4, 4), analytic=lambda x: np.log(_sigmoid(x))),
    "mish": Entry(
        lambda x: x * np.tanh(np.logaddexp(x, 0.0)),
        (-4, 4),
        analytic=lambda x: x * np.tanh(_softplus(x)),
    ),
    "hardtanh": Entry(
        lambda x, min=-1.0, max=1.0: np.clip(x, min, max),
        (-2.3, 2.1),
        more=(on("[7]", "a, -0.5, 0.7", min=-0.5, max=0.7),),
    ),
    "relu6": Entry(lambda x: np.clip(x, 0.0, 6.0), (-2, 9)),
    "hardsigmoid": Entry(lambda x: np.clip(x / 6 + 0.5, 0, 1), (-5, 5)),
    "hardswish": Entry(lambda x: x * np.clip(x / 6 + 0.5, 0, 1), (-5, 5)),
    "bce_logits": Entry(
        lambda x, t: np.logaddexp(x, 0.0) - t * x, analytic=lambda x, t: _softplus(x) - t * x
    ),
    "zeros_like": Entry(lambda x: np.zeros(x.shape)),
    "ones_like": Entry(lambda x: np.ones(x.shape)),
    "grad": Entry(
        lambda x: 3 * x**2,
        calls=tuple(on(type, "sum(a * a * a), a") for type in ("[]", "[4]", "[2, 3]", "[N, 3]")),
    ),
    "jvp": Entry(
        lambda x, u: 3 * x**2 * u,
        calls=tuple(on((type, type), "a * a * a, a, b") for type in ("[]", "[4]", "[N, 3]")),
    ),
    "jacobian": Entry(
        _jacobian,
        calls=(
            *(on(type, "a * a * a, a") for type in ("[]", "[4]", "[2, 3]", "[N]")),
            on("[N, 3]", "a * a * a, a, axis=N", axis=0),
        ),
    ),
}
