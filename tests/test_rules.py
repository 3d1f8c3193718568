"""Both sides of every rule of rewriting: the same bits, and the rule does apply."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import pytest
from sampling import DTYPES

from graphc.ad import stable_forms
from graphc.compile.stages import Options, compile_text
from graphc.ir.graph import Node
from graphc.optimise import passes
from graphc.optimise.exact.identities import RULES
from tests.loading import loaded

HARD = [0.0, -0.0, 1.5, -2.25, math.inf, -math.inf, math.nan, 1e-320]
HUGE = [1e308, -1e308, 3e-323, 5e-323, 1e-310, 7.5, 1e-44, 3e38]
HEAD = """
    input a: [8]
    input b: [8]
    input s: []
    input k: int[4]
    input m: [2, 4]
"""

SAMPLES: Mapping[str, tuple[str, ...]] = {
    "product_with_one": ("a * 1", "1 * a", "a / 1", "k * 1", "1.0 * (a + b)"),
    "double_negative": ("-(-a)", "a + (-b)", "a - (-b)", "k - (-k)", "-(-s) * a"),
    "sum_with_nothing": (
        "a - 0",
        "a + -0.0",
        "-0.0 + a",
        "s - 0.0",
        "k + 0",
        "0 + k",
        "k - 0",
        "m * 2 + -0.0",
    ),
    "broadcast_in_elementwise": (
        "a + broadcast_to(s, [8])",
        "broadcast_to(s, [2, 4]) * m",
        "where(m > 0, broadcast_to(s, [2, 4]), m)",
        "m[:, 0:1] * broadcast_to(m[0:1], [2, 4])",
        "maximum(broadcast_to(m[1], [2, 4]), m)",
    ),
    "repeated_scalar": (
        "exp(broadcast_to(s, [8])) * 2",
        "tanh(broadcast_to(s, [2, 4]) * 3)",
        "reshape(broadcast_to(s, [8]), [2, 4])",
        "broadcast_to(s, [8])[:, _]",
        "broadcast_to(s, [2, 4]) + broadcast_to(2 * s, [2, 4])",
    ),
    "no_change_of_shape": (
        "reshape(a, [8])",
        "reshape(reshape(a, [2, 4]), [4, 2])",
        "transpose(transpose(m))",
        "swapaxes(transpose(m), 0, 1) * 2",
        "broadcast_to(a, [8]) * 2",
        "reshape(a[:, _], [2, 4])",
    ),
    "parts_of_a_whole": (
        "concat(exp(a[:3]), sin(a[3:]))",
        "concat(a[4:] * 2, a[:4] * 3)",
        "concat(m[:, :1] * 2, m[:, 1:] * m[:, 1:], axis=1)",
        "stack(exp(m[0]), m[1] * 2)",
    ),
    "product_of_unit_vectors": (
        "eye(4) @ reshape(a, [4, 2])",
        "(eye(4) * m[0]) @ reshape(a, [4, 2])",
        "(eye(4) * m[:1]) @ reshape(a, [4, 2])",
    ),
    "product_with_unit_columns": ("m @ reshape(eye(4), [4, 4, 1])",),
    "folded": (
        "mean(a)",
        "var(a, ddof=1)",
        "s * 2",
        "grad(3 * s, s) * a",
        "mean(s * s)",
        "grad(-s, s) * a",
    ),
}


FINITE = {"product_of_unit_vectors", "product_with_unit_columns", "parts_of_a_whole"}
"""What leaves out products with 0 or sums with 0: equal where all is finite, but for the sign of a
zero."""


def text_of(expression: str) -> str:
    return f"{HEAD}\noutput y = {expression}"


def bits(text: str, dtype: str, hard: bool = True) -> list[np.ndarray]:
    """The value and the gradients at finite and perhaps at hard arguments."""
    generated = loaded(text, "side")
    found = []
    rng = np.random.default_rng(3)
    for a in (*([np.array(HARD), np.array(HUGE)] if hard else []), rng.normal(size=8)):
        arguments = [a, rng.permutation(a), a[2], [1, -2, 0, 7], rng.permutation(a).reshape(2, 4)]
        with np.errstate(all="ignore"):
            given = [np.asarray(one, int if k == 3 else dtype) for k, one in enumerate(arguments)]
            result = generated.forward(*given)
            found.append(result[0].y if hasattr(generated, "backward") else result.y)
            if hasattr(generated, "backward"):
                weights = rng.normal(size=np.shape(result[0].y))
                found += generated.backward(result[1], y=weights).values()
    return [np.asarray(one) for one in found]


def same(one: np.ndarray, other: np.ndarray) -> bool:
    """Equal in dtype, shape and bits; one nan is as good as another."""
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    if one.dtype.kind != "f":
        return np.array_equal(one, other)
    number = ~np.isnan(one)
    signs = np.array_equal(np.signbit(one[number]), np.signbit(other[number]))
    return signs and np.array_equal(one, other, equal_nan=True)


def test_every_rule_has_samples() -> None:
    assert [rule.__name__ for rule in RULES] == list(SAMPLES)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_both_sides_have_the_same_bits(
    rule: Callable[[Node], Node | None], dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for expression in SAMPLES[rule.__name__]:
        sides = []
        for rules in ((), (rule,)):
            monkeypatch.setattr(passes, "RULES", rules)
            sides.append(compile_text(text_of(expression), options=Options(dtype=dtype)).text)
        assert sides[0] != sides[1], f"{rule.__name__} does not apply to {expression}"
        left, right = (bits(side, dtype, rule.__name__ not in FINITE) for side in sides)
        for one, other in zip(left, right, strict=True):
            assert same(one, other), f"{rule.__name__} of {expression}: {one} is not {other}"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_all_rules_together_have_the_same_bits(
    rule: Callable[[Node], Node | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    for expression in SAMPLES[rule.__name__]:
        whole = compile_text(text_of(expression)).text
        monkeypatch.setattr(passes, "RULES", ())
        plain = compile_text(text_of(expression)).text
        monkeypatch.undo()
        hard = rule.__name__ not in FINITE
        pairs = zip(bits(plain, "float64", hard), bits(whole, "float64", hard), strict=True)
        assert all(same(one, other) for one, other in pairs), expression


WRITTEN = {
    "log(softmax(x))": "log(softmax(a))",
    "log(sigmoid(x))": "log(sigmoid(a))",
    "log(1 + exp(x))": "log(1 + exp(a))",
    "log(sum(exp(x)))": "log(sum(exp(m), axis=1))",
    "log(softmax(x)[i])": "log(softmax(m)[:, 1])",
    "exp(x) / sum(exp(x))": "(exp(m) / sum(exp(m), axis=1, keepdims=true))[:, 1:]",
    "softmax(x - max(x))": "softmax(m - max(m, axis=0), axis=0)[0]",
    "max(x) + log(sum(exp(x - max(x))))": "max(m, axis=1) + log(sum(exp(m - max(m, axis=1)[:, _]),"
    " axis=1))",
    "1 / (1 + exp(-x))": "1 / (1 + exp(-a))",
    "exp(x) - 1": "exp(a) - 1",
    "1 - exp(x)": "1 - exp(a)",
    "1 - sigmoid(x)": "1 - sigmoid(a)",
    "1 - erf(x)": "1 - erf(a / 4)",
    "log(1 - exp(x))": "log(-expm1(-a))",  # as another form leaves it
    "log(1 - tanh(x)**2)": "log(1 - tanh(a)**2)",
    "log(1 + x)": "log(1 + a)",
    "sqrt(sum(x**2))": "sqrt(sum(m * m, axis=0))",
    "sqrt(var(x))": "sqrt(var(m, axis=1))",
    "abs(x)**2": "abs(a)**4",
    "norm(x)**2": "norm(m, axis=1)**2",
    "std(x)**2": "std(m, axis=1)**2",
    "hypot(a, b)**2": "hypot(a, b)**6",
}


def test_every_stable_form_has_a_sample() -> None:
    assert [form.naive for form in stable_forms.FORMS] == list(WRITTEN)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("form", stable_forms.FORMS, ids=lambda form: form.stable)
def test_a_stable_form_equals_what_was_written(
    form: stable_forms.Form, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where that is well conditioned: equal up to rounding, in value and in gradients."""
    sides = []
    for known in ((), (form,)):
        monkeypatch.setattr(stable_forms, "FORMS", known)
        options = Options(dtype=dtype)
        sides.append(compile_text(text_of(WRITTEN[form.naive]), options=options).text)
    assert sides[0] != sides[1]
    rng = np.random.default_rng(5)
    a, m = rng.uniform(0.3, 2, 8), rng.uniform(0.3, 2, (2, 4))
    results = []
    for side in sides:
        generated = loaded(side, "side")
        out, cache = generated.forward(a, a, 0.5, [0, 0, 0, 0], m)
        results.append([out.y, *generated.backward(cache, y=np.ones_like(out.y)).values()])
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-13 if dtype == "float64" else 2e-6, atol=0)
