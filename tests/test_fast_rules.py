"""Both sides of every rule of the fast module: the same bits, or equal up to rounding."""

from __future__ import annotations

import functools
import math
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from conftest import compiled, in_precision
from sampling import DTYPES

from graphc.compile.stages import Compilation, Options, compile_text
from graphc.ir.use_counts import Rule
from graphc.optimise import driver, levels
from graphc.optimise.before_ad import canonical
from graphc.targets.numpy import lowering
from tests.loading import loaded

TOLERANCE = {"float64": 1e-13, "float32": 1e-5}
HARD = (0.0, -0.0, 1.5, -2.25, math.inf, -math.inf, math.nan, 1e-320)
HUGE = (1e3, -1e3, 90.0, -90.0, 720.0, -720.0, 3e-40, 0.25)
INPUTS = {
    "a": "[8]", "b": "[8]", "s": "[]", "k": "int[4]", "m": "[2, 4]", "e": "[N, 4]", "f": "[N, 4]",
    "w": "[4, 3]", "c": "[3, 2, 4]", "wide": "[2, 20]", "label": "int[2]",
}  # fmt: skip
"""What an expression is made of."""

SAMPLES: Mapping[str, tuple[str, ...]] = {
    # primitives
    "sigmoid_by_one_exponential": ("sigmoid(a)", "sigmoid(m)", "sigmoid(s)", "sigmoid(e)"),
    "softplus_by_parts": ("softplus(e)", "softplus(e * 100)"),
    "softsign_by_parts": ("softsign(a)", "softsign(e)"),
    "mean_by_sum": ("mean(a)", "mean(m, axis=0)", "mean(c, axis=-1, keepdims=true)", "mean(e)"),
    "outer_by_axes": ("outer(a, b)",),
    "kept_or_zero": (
        "where(a > 0, a, 0)", "where(e < f, 0, e)", "relu(m) * 1", "where(m > s, m, 0.0)",
    ),
    "shift_of_exponentials": (
        "logsumexp(a)", "softmax(m)", "log_softmax(e, axis=0)", "logsumexp(e, axis=0)",
    ),
    "picked_by_rows": (
        "pick(m, label)", "pick(a, label[0])", "pick(c, stack(label, label, label))",
    ),
    "placed_by_rows": ("pick(tanh(m), label)", "pick(tanh(c), stack(label, label, label))"),
    "added_by_rows": ("cross_entropy(m, label)",),
    # stacks
    "position_of_part": ("reshape(c[1:2], [2, 4])", "reshape(m[:, 3:], [2])"),
    "stack_by_rows": ("stack(a, b, b, a, a, b, a, b)", "stack(m, m, m, m, m, m, m, m) * 2"),
    # powers
    "power_by_products": ("a**2", "a**3", "m**5", "a**-1", "(e + 3)**-2", "s**4"),
    "power_by_roots": ("(a * a + 1)**0.5", "exp(a)**-0.5", "abs(e)**1.5"),
    "product_with_itself": ("a * a", "m * m", "-a * -a", "e * e"),
    "function_of_number": ("a * sqrt(2)", "a * log(3)", "m + exp(1.5)"),
    # scalars
    "scalar_in_front": ("a * 2", "m * s", "e * sum(e)"),
    "scalars_multiplied": ("3 * (5 * a)", "2 * (-a)", "2 * (3 / a)", "s * (2 * m)", "-1 * a"),
    "factor_of_view": ("(2 * a)[:, _] * 3", "reshape(-a, [2, 4])", "(3 * m).T"),
    "few_in_front": ("(2 * a) * b", "(s * m) * c[0]", "(m[:, :1] * m) * c[1]", "(2 * m) * m[:1]"),
    "scalar_to_the_smaller": ("2 * (m[:, :1] * m)", "s * (m * m[:1])"),
    "scalar_of_quotient": ("a / 3", "a / 4", "(2 * a) / b", "e / N"),
    "quotient_by_few": (
        "m / sqrt(m[:, :1])", "softmax(m)", "m / (m[:1] * m[:1] + 1)", "softmax(m.T)",
        "softmax(transpose(c, [2, 0, 1]), axis=1)",
    ),
    "sign_of_product": ("(-a) * b", "a * (-b)", "(-a) / b", "a / (-b)"),
    "sign_to_a_factor": (
        "-(2 * a)", "-(a - b)", "-(m[:, :1] * m)", "-(3 / a)", "-((a - b) * a)",
        "-(a * (a - b))", "-((a - b) / b)",
    ),
    "sign_of_term": (
        "-a + b", "tanh(-a) * b - a * a", "(1 - a) * (2 - a)",
        "(1 - a) * (2 - a) * (3 - a) * tanh(a)",
    ),
    "terms_alike": ("2 * a + 3 * a", "a + a", "0.5 * e + e"),
    "common_factor": (
        "a * b + a * tanh(a)", "e * f - tanh(e) * f", "m * s * c[0] + m * m[:1]",
        "c * c[:1, :, :1] * m + c * sin(c)",
    ),
    # sums
    "sum_of_signed": ("sum(-a)", "sum(2 * m, axis=0)", "sum(m / s)", "sum(s * c, axis=[0, 2])"),
    "of_permuted": (
        "sum(m.T, axis=0)", "max(transpose(c, [2, 0, 1]), axis=1)", "min(m.T)",
        "sum(transpose(c, [1, 2, 0]), axis=[0, 2], keepdims=true)",
    ),
    "sum_of_view": (
        "sum(m[:, _, :], axis=1)", "sum(broadcast_to(a, [3, 8]), axis=0)",
        "sum(reshape(a, [2, 4]))",
        "sum(broadcast_to(m[:, :1], [2, 5]), axis=1)", "sum(c[:, _], axis=[0, 2])",
        "sum(broadcast_to(s, [2, 3]), axis=1)", "sum(m[_], axis=0, keepdims=true)",
    ),
    "sum_of_product": (
        "sum(m[:, :1] * m, axis=1)", "sum(c / c[:, :1], axis=1)", "sum(c * m[:1], axis=[0, 1])",
        "sum(c[:, :, :1] * c, axis=[0, 2], keepdims=true)",
    ),
    "sum_of_matmul": (
        "sum(m @ w, axis=1)", "sum(m @ w, axis=0)", "sum(c @ w, axis=2)", "sum(c @ w, axis=1)",
        "sum(e @ w, axis=0, keepdims=true)",
    ),
    "sum_of_sum": (
        "sum(sum(c, axis=1))", "sum(sum(c, axis=1), axis=0)", "sum(sum(m, axis=1, keepdims=true))",
        "sum(sum(c, axis=[0, 2], keepdims=true), axis=1)", "sum(sum(e, axis=0), keepdims=true)",
    ),
    "sum_of_all_products": ("sum(a * b)", "sum(e * f)", "sum((e @ w) * tanh(w.T @ f.T).T)"),
    "vdot_of_flat": ('einsum("n i, i j, n j ->", e, w, f[:, :3])',),
    "vdot_of_smallest_product": ("sum((e @ w) * f[:, :3])", "sum(f[:, :3] * (e @ w))"),
    "sum_of_row_products": (
        "sum(wide * (wide + 1), axis=1)", "sum(wide * wide[::-1], axis=-1, keepdims=true)",
    ),
    "sum_by_product": (
        "sum(m, axis=0)", "sum(m, axis=1, keepdims=true)", "sum(c, axis=[0, 1])", "sum(e, axis=0)",
        "sum(c, axis=[1, 2])", "sum(exp(c), axis=1)", "sum(e, axis=1)",
    ),
    # matrices
    "scalar_of_matmul": ("2 * (wide.T @ m)", "(3 * wide) @ wide.T", "s * (wide.T @ wide)"),
    "rows_as_one": ("c @ w", "exp(c) @ w[:, 0]"),
    "rows_already": (),
    "copied_once": ("reshape(transpose(c, [2, 0, 1]), [4, 6])", "reshape(m.T, [8])"),
    "transpose_of_product": ("(m @ w).T", "transpose(c @ w @ w.T, [2, 0, 1])"),
    "permuted_axes": ("transpose(m[:, _], [1, 2, 0]) * 2",),
    # before calculus
    "diagonal_beside_matrix": (
        "w[:, :1] * e.T + tril(w @ w.T, k=-1) @ e.T",
        "tril(w @ w.T, k=-1) @ e.T + e.T * w[:, 1:2]",
        "e @ triu(w @ w.T, k=1) + e * w[:, 0]",
    ),
    "product_of_stretched": (
        "sum(m[:, :, _] * w[_], axis=1)", "sum(e[:, :, _] * w[_], axis=1)",
        "sum(e[:, _, :] * tanh(m)[_], axis=2)",
    ),
    "batch_as_columns": ("w.T @ e[:, :, _]", "e[:, _, :] @ w", "m @ c[..., _]"),
    "only_position": ("tanh(m[:, _, :])[:, 0]", "sin(e[..., _])[..., 0]"),
    "change_of_shape": ("sum(reshape(m[:, :, _] * w[_], [2, 4, 3]), axis=1)",),
}  # fmt: skip

NEEDS: Mapping[str, tuple[str, ...]] = {
    "vdot_of_smallest_product": ("sum_of_all_products",),
    "change_of_shape": ("product_of_stretched",),
    "added_by_rows": ("placed_by_rows",),
    "rows_already": ("copied_once",),
    "quotient_by_few": ("shift_of_exponentials", "product_with_itself"),
    "power_by_roots": ("product_with_itself",),
}
"""What a rule finds only after others."""

EXACT = {
    "softsign_by_parts",
    "mean_by_sum", "outer_by_axes", "kept_or_zero", "picked_by_rows", "placed_by_rows",
    "added_by_rows", "product_with_itself", "scalar_in_front", "factor_of_view", "sign_of_product",
    "sign_to_a_factor", "permuted_axes", "rows_already", "only_position", "change_of_shape",
    "position_of_part", "stack_by_rows",
}  # fmt: skip
"""Equal bit for bit, but for the sign of a zero."""

FINITE = {
    "common_factor",
    "few_in_front", "scalar_to_the_smaller", "scalars_multiplied", "scalar_of_quotient",
    "sum_of_signed", "sum_of_view", "sum_of_product", "sum_of_matmul",
    "sum_of_all_products", "sum_of_row_products", "sum_by_product", "scalar_of_matmul",
    "sum_of_sum", "vdot_of_flat", "vdot_of_smallest_product",
    "rows_as_one", "transpose_of_product", "diagonal_beside_matrix", "of_permuted",
    "product_of_stretched", "batch_as_columns",
}  # fmt: skip
"""Compared where all is finite: sums of inf and nan come in another order, or are gone."""


def rules_of(*tables: Mapping[Any, tuple[Rule, ...]]) -> dict[str, Rule]:
    return {rule.__name__: rule for table in tables for rules in table.values() for rule in rules}


FAST, EARLY = rules_of(driver.FAST_RULES, *lowering.LAST_RULES), rules_of(canonical.EARLY)


def with_rules(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """At -O2 only these rules apply."""

    def only(table: Mapping[Any, tuple[Rule, ...]]) -> dict[Any, tuple[Rule, ...]]:
        kept = {op: tuple(r for r in rules if r.__name__ in names) for op, rules in table.items()}
        return {op: rules for op, rules in kept.items() if rules}

    monkeypatch.setattr(driver, "FAST_RULES", only(driver.FAST_RULES))
    monkeypatch.setattr(lowering, "LAST_RULES", tuple(map(only, lowering.LAST_RULES)))
    monkeypatch.setattr(canonical, "EARLY", only(canonical.EARLY))
    monkeypatch.setitem(levels.LEVELS, "-O2", replace(levels.FAST, halves=(driver.strengthen,)))


@functools.cache
def _ruled(text: str, names: tuple[str, ...]) -> Compilation:
    with pytest.MonkeyPatch.context() as patch:
        with_rules(patch, *names)
        return compile_text(text, options=Options(level="-O2"))


def ruled(text: str, names: Sequence[str], dtype: str) -> str:
    """The module of a text at -O2, where only these rules apply."""
    made = _ruled(text, tuple(names))
    return made.text if dtype == made.options.dtype else in_precision(made, dtype).text


def inputs_of(expression: str) -> list[str]:
    """What an expression reads, and one of unknown size: small arrays are taken apart otherwise."""
    return [name for name in INPUTS if name == "e" or re.search(rf"\b{name}\b", expression)]


def graph_of(expression: str) -> str:
    lines = [f"input {name}: {INPUTS[name]}" for name in inputs_of(expression)]
    return "\n".join(["dim N", *lines, f"output y = {expression}", "derive value y as alone"])


def given(point: str, n: int) -> dict[str, Any]:
    rng = np.random.default_rng(7)
    if point == "random":
        a, b, m = rng.normal(size=8), rng.normal(size=8), rng.normal(size=(2, 4))
    else:
        a = np.array(HARD if point == "hard" else HUGE)
        b, m = rng.permutation(a), rng.permutation(a).reshape(2, 4)
    e, f = rng.normal(size=(2, n, 4))
    w, c, wide = rng.normal(size=(4, 3)), rng.normal(size=(3, 2, 4)), rng.normal(size=(2, 20))
    one = {"a": a, "b": b, "s": a[2], "k": [1, -2, 0, 7], "m": m, "e": e, "f": f, "w": w}
    return one | {"c": c, "wide": wide, "label": [3, 1]}


def computed(generated: ModuleType, names: Sequence[str], point: str, n: int) -> list[np.ndarray]:
    """The value, with gradients and alone, and the gradients."""
    dtype = generated.GRAPH["dtype"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        drawn = given(point, n)
        arrays = [
            np.asarray(drawn[name], int if INPUTS[name].startswith("int") else dtype)
            for name in names
        ]
        out, cache = generated.forward(*arrays)
        seed = np.random.default_rng(1).normal(size=np.shape(out.y))
        gradients = generated.backward(cache, y=seed).values()
        return [np.asarray(one) for one in (out.y, generated.alone(*arrays), *gradients)]


def same(one: np.ndarray, other: np.ndarray) -> bool:
    return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=True)


def close(one: np.ndarray, other: np.ndarray, tolerance: float, scale: float) -> None:
    """Finite in the same places, and there equal up to a part of what is largest."""
    assert one.dtype == other.dtype
    assert one.shape == other.shape
    np.testing.assert_array_equal(np.isnan(one), np.isnan(other))
    finite = np.isfinite(one) & np.isfinite(other)
    np.testing.assert_array_equal(one[~finite], other[~finite])
    least = np.finfo(one.dtype).tiny  # below it numbers lose their digits
    atol = max(tolerance * scale, float(least))
    np.testing.assert_allclose(one[finite], other[finite], rtol=0, atol=atol)


def largest(arrays: list[np.ndarray]) -> float:
    return max((float(np.abs(a[np.isfinite(a)]).max(initial=0)) for a in arrays), default=0.0)


def test_every_rule_has_samples() -> None:
    assert {*FAST, *EARLY} == {*SAMPLES}
    assert EXACT.isdisjoint(FINITE)
    assert {*EXACT, *FINITE} <= {*SAMPLES}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", SAMPLES)
def test_both_sides_agree(name: str, dtype: str) -> None:
    for expression in SAMPLES[name]:
        text, names = graph_of(expression), inputs_of(expression)
        plain = compiled(text, dtype=dtype).text
        before = ruled(text, NEEDS.get(name, ()), dtype)
        after = ruled(text, (name, *NEEDS.get(name, ())), dtype)
        assert before != after, f"{name} does not apply to {expression}"
        sides = loaded(plain), loaded(after)
        points = ("random",) if name in FINITE else ("random", "hard", "huge")
        for point in points:
            for n in (3, 17, 0) if re.search(r"\b[ef]\b", expression) else (3,):
                left, right = (computed(side, names, point, n) for side in sides)
                for one, other in zip(left, right, strict=True):
                    if name in EXACT and not NEEDS.get(name):
                        assert same(one, other), f"{expression} at {point}: {one} is not {other}"
                    else:
                        close(one, other, TOLERANCE[dtype], largest(left))


def test_a_product_of_a_number_and_a_vector_with_a_matrix() -> None:
    """Its factor of no axes is no unit vector."""
    text = "input v: [4]\nparam W: [4, 3]\noutput y = (logsumexp(v) * v) @ W"
    rng = np.random.default_rng(0)
    v, w = rng.normal(size=4), rng.normal(size=(4, 3))
    for level in ("-O0", "-O2"):
        module = loaded(compile_text(text, options=Options(level=level)).text, "scaled")
        found = module.forward({"W": w}, v)[0].y
        np.testing.assert_allclose(found, (np.log(np.exp(v).sum()) * v) @ w, rtol=1e-14)


def test_the_hessian_of_terms_of_several_ranks() -> None:
    """Factors that each fit a term need not fit each other."""
    text = """
        input x: [2, 3]
        input c: [2]
        input p: [3, 4]
        output loss = sum(sin(x**2 @ p)) + sum(atan(x.T * c))
        derive hessian loss wrt x
    """
    rng = np.random.default_rng(0)
    x, c, p = rng.normal(size=(2, 3)), rng.normal(size=2), rng.normal(size=(3, 4))

    def gradient(x: np.ndarray) -> np.ndarray:
        return 2 * x * (np.cos(x**2 @ p) @ p.T) + c[:, None] / (1 + (x * c[:, None]) ** 2)

    step = 1e-30
    units = np.eye(6).reshape(6, 2, 3)
    rows = [gradient(x + 1j * step * unit).imag / step for unit in units]
    expected = np.stack(rows, axis=-1).reshape(2, 3, 2, 3)
    for level in ("-O0", "-O2"):
        module = loaded(compile_text(text, options=Options(level=level)).text, "ranks")
        np.testing.assert_allclose(
            module.hessian_loss(x, c, p)["x"]["x"], expected, rtol=1e-12, atol=1e-13
        )


MIXTURE = """
dim N, K, D
input x: [N, D]
input mu: [K, D]
input v: [K, D*(D - 1)//2]
input q: [K, D]
d = x[:, _, :] - mu[_, :, :]
L = fill_tril(v, D)
z = q[_, :, :] * d + einsum("k i j, n k j -> n k i", L, d)
output loss = sum(logsumexp(-0.5 * sum(z**2, axis=-1), axis=1))
derive grad loss wrt mu, v, q
"""


def function(text: str, name: str) -> str:
    """The text of one function of a module."""
    return text.split(f"def {name}(")[1].split("\n\n\n")[0]


def test_a_mixture_of_gaussians_is_computed_in_the_order_of_its_products() -> None:
    """The diagonal goes into the triangle, sums into what they sum, and nothing is read across:
    three products of matrices for each cluster, and no permutation of large arrays."""
    text = function(compile_text(MIXTURE, options=Options(level="-O2")).text, "grad_loss")
    assert "q[None, :, :]" not in text
    assert "(2, 0, 1)" not in text
    assert "(1, 2, 0)" not in text
    assert text.count("np.square") == 1


def test_what_is_differentiated_by_stays() -> None:
    """A form before calculus must not go around it."""
    head = "input x, y: [3, 3]\nz = x @ y\noutput w = sum((2 * z)**2)\nderive grad w wrt z"
    sides = [compile_text(head, options=Options(level=level)).text for level in ("-O0", "-O2")]
    x, y = np.random.default_rng(0).normal(size=(2, 3, 3))
    found = [loaded(side, "side").grad_w(x, y)["z"] for side in sides]
    np.testing.assert_allclose(found[1], found[0], rtol=1e-14)
    np.testing.assert_allclose(found[1], 8 * x @ y, rtol=1e-14)


@pytest.mark.parametrize("dtype", DTYPES)
def test_no_warning_far_out(dtype: str) -> None:
    text = "input a: [4]\noutput y = sigmoid(a)\noutput z = softplus(a)\noutput w = softmax(a)"
    generated = loaded(compile_text(text, options=Options(dtype=dtype, level="-O2")).text, "far")
    with np.errstate(all="raise", under="ignore"):
        out, cache = generated.forward(np.array([1000.0, -1000.0, 0.0, 5.0]))
        gradient = generated.backward(cache, y=np.ones(4), z=np.ones(4), w=np.ones(4))["a"]
    np.testing.assert_allclose(out.y, [1, 0, 0.5, 1 / (1 + math.exp(-5))], rtol=1e-6, atol=1e-37)
    np.testing.assert_allclose(gradient[:3], [1, 0, 0.75], rtol=1e-6, atol=1e-37)


def test_work_is_not_moved_into_loops() -> None:
    """What a loop reads in every step is computed before it, though it is read there only once."""
    text = """
    input a, b: [8]
    scan step[t in 0..99] carry h = b {
        next h = (3 * a) * h
    }
    output y = h
    """
    made = compile_text(text, options=Options(level="-O2")).text
    before, body = function(made, "forward").split("for t in")
    scaled = re.compile(r"\b3( \*|,) a\b")  # as an operator, or as a call
    assert scaled.search(before)
    assert not any(scaled.search(line.split("#")[0]) for line in body.splitlines())
