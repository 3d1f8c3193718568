"""Operations element by element, in programs."""

from __future__ import annotations

import math
import re

from tests.fuzz.program import Value
from tests.fuzz.writing.kinds import Write
from tests.fuzz.writing.writer import Writer

BOUNDED = {
    "tanh": "tanh({0})",
    "sin": "sin({0})",
    "cos": "cos({0})",
    "sigmoid": "sigmoid({0})",
    "erf": "erf({0})",
    "erfc": "erfc({0})",
    "atan": "atan({0})",
    "arctan": "arctan({0})",
    "softsign": "softsign({0})",
    "hardtanh": "hardtanh({0}, min=-0.9)",
    "hardsigmoid": "hardsigmoid({0})",
    "asin": "asin(0.9 * sin({0}))",
    "arcsin": "arcsin(0.7 * tanh({0}))",
    "acos": "acos(0.9 * sin({0}))",
    "arccos": "arccos(0.8 * tanh({0}))",
    "atanh": "atanh(0.8 * sin({0}))",
    "arctanh": "arctanh(0.6 * tanh({0}))",
    "tan": "tan(0.7 * tanh({0}))",
    "reciprocal": "reciprocal(1 + {0}**2)",
    "relu6": "relu6({0})",
    "logit": "logit(0.5 + 0.4 * sin({0}))",
    "clip": "clip({0}, -1.1, 0.8)",
    "sign": "sign({0}) * {0} / (1 + abs({0}))",
    "round": "{0} - round({0})",
    "floor": "{0} - floor({0})",
    "ceil": "ceil({0}) - {0}",
    "trunc": "{0} - trunc({0})",
    "mod": "mod({0}, 1.3)",
    "heaviside": "heaviside({0}, 0.5)",
    "exp": "exp(-{0}**2)",
    "power": "power(1 + {0}**2, -0.5)",
    "where": "where({0} > 0.2, sin({0}), 0.1)",
    "lgamma": "lgamma(1.5 + tanh({0}))",
    "ndtr": "ndtr({0})",
    "log_ndtr": "log_ndtr(1 + sin({0}))",
    "ndtri": "ndtri(0.5 + 0.3 * sin({0}))",
    "erfinv": "erfinv(0.7 * tanh({0}))",
    "erfcinv": "erfcinv(1 + 0.6 * sin({0}))",
    "bessel_j": "jv(2, {0}) + j0(2 * tanh({0})) - j1(sin({0}))",
    "bessel_i": "i0(sin({0})) - iv(2, tanh({0})) + i1(sin({0}))",
    "bessel_ie": "i0e(2 + sin({0})) - i1e(1.5 + tanh({0}))",
    "bessel_k": "k0(1.5 + sin({0})) + kv(2, 2 + tanh({0})) - k1(2 + sin({0}))",
    "gammainc": "gammainc(2.5, 1.5 + sin({0})) - gammaincc(0.7, 2 + tanh({0}))",
    "betainc": "betainc(1.5, 2.5, 0.5 + 0.4 * sin({0}))",
    "digamma": "digamma(1.6 + sin({0}))",
    "polygamma": "polygamma(1, 1.7 + sin({0}))",
    "rad2deg": "sin(rad2deg({0}) / 50)",
    "bool": "({0} > 0.1) * 0.5",
    "isnan": "where(isnan({0}), 0.0, 1.0)",
    "isinf": "where(isinf({0}), 0, tanh({0}))",
    "isfinite": "where(isfinite({0}), tanh({0}), 0)",
    "and": "where({0} > -1 and not ({0} >= 1), {0}**2, 0.3)",
    "interp": "interp({0}, [-1, 0.2, 1.5], [0.3, -0.5, 1])",
    "searchsorted": "searchsorted([-0.5, 0.5], {0}) * tanh({0})",
    "cross_terms": "0.5 - (0.2 - tanh({0}))",
}


LINEAR = {
    "relu": "relu({0})",
    "abs": "abs({0} - 0.1)",
    "softplus": "softplus({0})",
    "huber": "huber({0}, 0.7)",
    "silu": "silu({0})",
    "gelu": "gelu({0})",
    "gelu_tanh": "gelu_tanh({0})",
    "mish": "mish({0})",
    "elu": "elu({0})",
    "celu": "celu({0}, alpha=1.3)",
    "selu": "selu({0})",
    "leaky_relu": "leaky_relu({0}, slope=0.2)",
    "log_sigmoid": "log_sigmoid({0})",
    "hardswish": "hardswish({0})",
    "negative": "-{0} + 0.5",
    "id": "id({0})",
    "sqrt": "sqrt({0} * {0} + 0.5)",
    "log": "log({0}**2 + 0.3)",
    "log1p": "log1p({0}**2)",
    "log2": "log2(1.1 + {0} * {0})",
    "log10": "log10({0}**2 + 0.7)",
    "asinh": "asinh({0})",
    "arcsinh": "arcsinh(2 * {0})",
    "acosh": "acosh(1.5 + {0}**2)",
    "arccosh": "arccosh(1.2 + abs({0}))",
    "cbrt": "cbrt({0}**2 + 0.4)",
    "minus_sum": "1 - ({0} - 0.3)",
    "deg2rad": "deg2rad(30 * {0})",
    "stop": "stop({0}) * 0.5 + {0}",
    "zeros_like": "zeros_like({0}) + {0}",
    "ones_like": "ones_like({0}) - {0}",
    "stable_softplus": "log(1 + exp({0}))",
    "stable_log_sigmoid": "log(sigmoid({0}))",
    "plus_constant": "{0} + 1.25",
    "halved": "{0} / 2",
}


FAST = {
    "exp": "exp({0})",
    "exp2": "exp2({0})",
    "expm1": "expm1({0})",
    "sinh": "sinh({0})",
    "cosh": "cosh({0})",
    "square": "square({0})",
    "cube": "{0}**3",
    "fourth": "{0}**4",
    "stable_expm1": "exp({0}) - 1",
    "power_of": "({0}**2 + 0.5)**1.5",
}


def elementwise(template: str, growth: str) -> Write:
    def write(w: Writer) -> None:
        x = w.floats()
        text, bound = w.tame(x), min(x.bound, 8.0)
        if growth == "fast" and bound > 2:
            text, bound = f"tanh({x.name})", 1.0
        result = {"bounded": 3.0, "linear": bound + 2, "fast": max(math.exp(bound), 8.0)}[growth]
        w.add(
            template.format(text), x.type, result, reads=None if "{0}" in _moving(template) else ""
        )

    return write


def _moving(template: str) -> str:
    """Without what is only compared."""
    return re.sub(
        r"\(\{0\} > 0.1\)|(where|isnan|isinf|zeros_like|ones_like)\((isnan\()?\{0\}", "", template
    )


BINARY = {
    "add": ("{0} + {1}", "sum"),
    "subtract": ("{0} - {1}", "sum"),
    "multiply": ("{0} * {1}", "product"),
    "divide": ("{0} / (1 + {1}**2)", "first"),
    "maximum": ("maximum({0}, {1})", "sum"),
    "minimum": ("minimum({0}, {1} + 0.05)", "sum"),
    "power2": ("({0}**2 + 0.5)**sin({1})", "product"),
    "where2": ("where({0} < {1}, {1}, {0} * 2)", "sum"),
    "hypot": ("hypot({0}, {1} + 3)", "sum"),
    "atan2": ("atan2({0}, 2 + {1}**2)", "bounded"),
    "logaddexp": ("logaddexp({0}, {1})", "sum"),
    "xlogy": ("xlogy({0}, {1}**2 + 0.5)", "sum"),
    "xlog1py": ("xlog1py({0}, {1}**2)", "sum"),
    "prelu": ("prelu({0}, {1})", "product"),
    "bce_logits": ("bce_logits({0}, {1})", "product"),
    "interp2": ("interp({0}, [-1.1, 0.3], [0.2, 1.5]) + {1}", "sum"),
    "add_many": ("add({0}, {1}, {0})", "sum"),
    "mul_many": ("mul({0}, {1}, 0.5)", "product"),
    "mod2": ("mod({0}, 1.5 + {1}**2)", "bounded"),
    "equal_case": ("where({0} == {1}, 0.5, {0})", "sum"),
    "minus_minus": ("{0} - (0.5 - {1})", "sum"),
    "clip2": ("clip({0}, -1, 1 + {1}**2)", "first"),
    "heaviside2": ("heaviside({0}, {1})", "sum"),
    "or_case": ("where({0} > 0 or {1} > 0, {0}, {1})", "sum"),
}


def binary(template: str, growth: str) -> Write:
    def write(w: Writer) -> None:
        x = w.floats()
        y, text = _beside(w, x)
        a, b = x.bound, y.bound
        bound = {"sum": a + b + 1, "product": (a + 1) * (b + 1), "first": a, "bounded": 4.0}[growth]
        one = w.tame(x) if bound > 30 else x.name
        other = f"tanh({text})" if bound > 30 else text
        bound = min(bound, 9.0) if bound > 30 else bound
        w.add(template.format(one, other), x.type, bound)

    return write


def _beside(w: Writer, x: Value) -> tuple[Value, str]:
    """Something that fits an array by broadcasting, and how it is written."""
    chance = w.draw.random()
    if chance < 0.45 or not x.shape:
        y = w.of(x.shape)
        return y, y.name
    if chance < 0.6:
        y = w.of(())
        return y, y.name
    if chance < 0.8:
        y = w.of(x.shape[1:])
        return y, y.name
    y = w.of(x.shape[:1])
    tail = ", _" * (len(x.shape) - 1)
    return y, f"{y.name}[:{tail}]" if tail else y.name
