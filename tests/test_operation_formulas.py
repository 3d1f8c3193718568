"""The formulas of all operations, read back from their LaTeX, have the numbers of modules."""

from __future__ import annotations

import inspect
import re
from typing import Any

import numpy as np
import pytest
import scipy.linalg
from latex_reader import Formula, names_of_results

from graphc.compile.stages import Compilation, Options
from graphc.ops import FUNCTIONS
from graphc.source import Source
from graphc.views.reference.formulas import LONG
from graphc.views.reference.latex import formulas
from graphc.views.reference.samples import Sample, sample
from tests.loading import loaded

SIZES = {"B": 3, "D": 4, "K": 2, "M": 2, "N": 3, "T": 4, "C": 4, "S": 2, "H": 3, "W": 4, "P": 2}
SMALLER = {"N": 1, "C": 2, "K": 2, "T": 2, "H": 3, "W": 3, "P": 2, "Q": 2}
"""Of what has many axes, or windows."""


def sizes_of(name: str) -> dict[str, int]:
    one = {"C": 1} if any(word in name for word in ("3d", "pool", "resize")) else {}
    many = any(word in name for word in ("conv", "pool", "resize", "grid"))
    return SIZES | (SMALLER | one if many else {})


def given(shown: Sample, sizes: dict[str, int]) -> dict[str, Any]:
    """Numbers for the inputs of a sample, inside of most domains."""
    rng = np.random.default_rng(len(shown.call))
    found: dict[str, Any] = {}
    for name, type in shown.inputs.items():
        kind, _, axes = type.partition("[")
        letters = [one.strip() for one in axes.rstrip("]").split(",") if one.strip()]
        shape = [sizes[one] if one in sizes else int(one) for one in letters]
        values = rng.uniform(0.2, 0.9, shape)
        if kind:
            values = rng.integers(0, 2, shape).astype(kind)
        elif len(shape) == 2 and shape[0] == shape[1] and "N" in letters:
            values = values @ values.T + 3 * np.eye(shape[0])
        elif name in ("xp", "table"):
            values = np.sort(values)
        found[name] = values + 1.1 if "cosh" in shown.call else values
    return found


def beside(name: str, known: dict[str, Any]) -> dict[str, Any]:
    """What no call returns, and formulas speak of."""
    x = known.get("x")
    match name:
        case "eigvalsh":
            return {"v": np.linalg.eigh((x + x.T) / 2)[1]}
        case "svdvals":
            u, _, v = np.linalg.svd(x, full_matrices=False)
            return {"u": u, "v": v.T}
        case "expm":
            return {"l": scipy.linalg.expm_frechet(x.T, known["bar y"])[1]}
    return {}


def numbers(name: str) -> dict[str, Any]:
    """The numbers of arguments, results and cotangents by their names in formulas."""
    shown = sample(FUNCTIONS[name])
    value, back = formulas(FUNCTIONS[name])
    sizes = sizes_of(name)
    zeros = {found[1] for one in back if (found := re.fullmatch(r"\\bar (\w) = 0", one))}
    of = [one for one in shown.outputs if back] if shown.results > 1 else [shown.outputs[0]]
    wrt = ", ".join(one for one in shown.differentiable if one not in zeros)
    floats = of[:1] if name == "top_k" else of
    derive = f"derive vjp {', '.join(floats)} wrt {wrt}\n" if back and wrt else ""
    compiled = Compilation(Source("sample.graph", f"{shown.graph}\n{derive}"), Options(level="-O0"))
    module: Any = loaded(compiled.text, "sample")
    inputs = given(shown, sizes)
    asked = inspect.signature(module.forward).parameters.values()
    unknown = {one.name: sizes[one.name] for one in asked if one.name in sizes}
    found = module.forward(**inputs, **unknown)
    outs = found[0] if isinstance(found, tuple) and hasattr(found[0], "_fields") else found
    results = [np.asarray(one, float) for one in outs]
    rng = np.random.default_rng(1)
    cts = {one: rng.normal(size=out.shape) for one, out in zip(floats, results, strict=False)}
    called = [*names_of_results(value)] or [*shown.outputs]
    known = {**inputs, **dict(zip(called, results, strict=True))}
    known |= {f"bar {one}": ct for one, ct in zip(called, cts.values(), strict=False)}
    if derive:
        function = getattr(module, f"vjp_{'_'.join(floats)}")
        gradients = function(**inputs, **unknown, cotangents=cts)[-1]
        known |= {f"bar {key}": gradient for key, gradient in gradients.items()}
    known |= {f"bar {key}": np.zeros_like(inputs[key]) for key in zeros}
    return known | beside(name, known)


def is_square(name: str) -> bool:
    """True where a formula is one of matrices, whose powers are products."""
    types = sample(FUNCTIONS[name]).inputs.values()
    return name in ("pinv", "svd", "svdvals", "qr") or any("[N, N]" in one for one in types)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_formulas_have_the_numbers_of_modules(name: str) -> None:
    value, back = formulas(FUNCTIONS[name])
    with np.errstate(all="ignore"):
        known = numbers(name)
        for text in (value, *back):
            assert Formula(text, known, sizes_of(name), is_square(name)).holds() is None, text


WRONG = {
    "conv1d": ("i+p-1", "i+p"),
    "cumsum": (r"\le", r"\lt"),
    "take": ("x_{i_b,d}", "x_{b,d}"),
    "transpose": ("x_{btd}", "x_{tbd}"),
    "put": ("(n, m)", "(m, n)"),
    "quantile": ("t = q", "t = 1 + q"),
    "svd": ("u = 1", "u = 2"),
    "sigmoid": ("x", "-x"),
}
"""Slips in a formula: what is right, and what is wrong."""


@pytest.mark.parametrize("name", WRONG)
def test_a_slip_is_found(name: str) -> None:
    right, _ = formulas(FUNCTIONS[name])
    wrong = right.replace(*WRONG[name])
    assert wrong != right
    assert Formula(wrong, numbers(name), sizes_of(name), is_square(name)).holds() is not None


def test_what_is_derived_is_short() -> None:
    """A line of its own in LONG says more."""
    width = {
        name: max(map(len, (value, *back)))
        for name in FUNCTIONS
        if name not in LONG
        for value, back in [formulas(FUNCTIONS[name])]
    }
    assert {name: one for name, one in width.items() if one > 180} == {}


DERIVED_NOWHERE = (
    "isfinite", "isnan", "isinf", "argmax", "argmin", "argsort", "count_nonzero", "searchsorted",
    "to_int",
)  # fmt: skip
"""What is of whole numbers, or true or false."""


def test_every_argument_has_a_formula() -> None:
    for name, function in FUNCTIONS.items():
        back = formulas(function)[1]
        told = {re.match(r"\\bar (?:\\mathit\{(\w+)\}|(\w))", one) for one in back}
        derived = {found[1] or found[2] for found in told if found}
        expected = {*sample(function).differentiable} if name not in DERIVED_NOWHERE else set()
        assert derived == expected, name
