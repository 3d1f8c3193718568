"""Warnings of what has a value but no usable derivative, word for word; and when there are none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from conftest import compiled, module

HEAD = "dim B, D\ninput x: [B, D]\ninput w: [B, B]\ninput v: [B]\n"


def warned(text: str) -> list[str]:
    """The traps in a text, as printed; what is unused does not matter here."""
    found = compiled(HEAD + text).warnings
    return [str(one) for one in found if one.code.startswith("W71")]


def test_unprotected_root() -> None:
    assert warned("s = sum(abs(x), axis=1)\nok = s > 0\noutput y = where(ok, sqrt(s), 0)") == [
        """\
warning[W711]: `s` can be 0: the derivative there is infinite in `sqrt`
 --> graph:7:1
  |
7 | output y = where(ok, sqrt(s), 0)
  | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  = help: add a small number: `sqrt(s + 1e-12)`""",
        """\
warning[W710]: `where` does not protect the derivative of `sqrt(s)`: \
it counts, times 0, where `ok` is false
 --> graph:7:1
  |
7 | output y = where(ok, sqrt(s), 0)
  | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  = help: choose its operand first: `sqrt(where(ok, s, 1))`""",
    ]


def test_in_a_block() -> None:
    text = "block f(z: [B, D]) -> r: [B, D] { r = sqrt(z**2) }\noutput y = f(x)"
    assert warned(text) == [
        """\
warning[W711]: `x**2` can be 0: the derivative there is infinite in `sqrt`
 --> graph:5:35
  |
5 | block f(z: [B, D]) -> r: [B, D] { r = sqrt(z**2) }
  |                                   ^^^^^^^^^^^^^^
  = help: add a small number: `sqrt(x**2 + 1e-12)`
  = note: in a block, used at graph:6:12"""
    ]


def test_axes_that_are_alike() -> None:
    assert warned("output y = w * v") == [
        """\
warning[W712]: `v` of [B] goes along the last axis of `w` of [B, B], which has 2 axes B
 --> graph:5:1
  |
5 | output y = w * v
  | ^^^^^^^^^^^^^^^^
  = help: say which: `v[_, :]` or `v[:, _]`"""
    ]


def test_in_a_loop() -> None:
    """What a step reads by position is written as it was; what its form says holds inside, too."""
    text = """
        scan e[t in B] carry h = 1.0 {
            collect L = sum(log(x[t]**2))
            collect M = sum(where(x[t] > 0, sqrt(x[t]), 0))
            repeat f[k in 2] carry g = h { next g = log2(g) + sqrt(g) + g**0.5 + log(2.0) }
            next h = g**2
        }
        output y = sum(L) + sum(M) + sqrt(h)
    """
    assert [one.splitlines()[0] for one in warned(text)] == [
        "warning[W711]: `x[t]**2` can be 0: the value there is -inf in `log`",
        "warning[W710]: `where` does not protect the derivative of `sqrt(x[t])`: "
        "it counts, times 0, where `x[t] > 0` is false",
        "warning[W711]: `h` can be 0: the derivative there is infinite in `sqrt`",
    ]


HELP = {
    "where(x > 0, log(x), 0)": "choose its operand first: `log(where(x > 0, x, 1))`",
    "where(x <= 0, 0, log(x))": "choose its operand first: `log(where(x <= 0, 1, x))`",
    "where(x != 0, 1 / x, 0)": "choose its operand first: `1 / where(x != 0, x, 1)`",
    "where(x > 0, x**0.5, 0)": "choose its operand first: `(where(x > 0, x, 1))**0.5`",
    "where(abs(x) < 1, arccos(x), 0)": "choose its operand first: "
    "`arccos(where(abs(x) < 1, x, 0))`",
    "where(x < 1, arccos(x), 0)": "choose its operand first: `arccos(where(x < 1, x, 0))`",
    "sqrt(mean(x**2))": "`norm` has the derivative 0 there; or add a small number: "
    "`sqrt(mean(x**2) + 1e-12)`",
    "sqrt(var(x))": "`std` has the derivative 0 there; or add a small number: "
    "`sqrt(var(x) + 1e-12)`",
    "log(relu(x))": "add a small number: `log(relu(x) + 1e-12)`",
    "log(maximum(x, 0))": "add a small number: `log(maximum(x, 0) + 1e-12)`",
    "abs(x)**0.5": "add a small number: `(abs(x) + 1e-12)**0.5`",
}


@pytest.mark.parametrize("call", HELP)
def test_help(call: str) -> None:
    found = [
        note.message
        for one in compiled(f"{HEAD}output y = {call}").warnings
        if one.code in ("W710", "W711")
        for note in one.notes
    ]
    assert found == [HELP[call]]


SAFE = [
    "where(x > 0, log(where(x > 0, x, 1)), 0)",
    "where(x > 0, x / (1 + x**2), 0)",
    "where(x > 0, 1 / (1 + exp(x)), 0)",
    "where(x > 0, x**2, 0)",
    "where(v[:, _] > 0, log(x), 0)",
    "where(x > 0, stop(log(x)), 0)",
    "sqrt(sum(x**2))",
    "sqrt(sum(x**2) + 1e-8)",
    "sqrt(maximum(x, 1e-3))",
    "sqrt(1 + mean(x**2))",
    "log(relu(x) + 1)",
    "log(softmax(x))",
    "log(x)",
    "stop(sqrt(x**2))",
    "w * v[_, :]",
    "w * v[:, _]",
    "x * v[:, _]",
    "w + stop(1.0)",
]


@pytest.mark.parametrize("call", SAFE)
def test_no_warning(call: str) -> None:
    assert warned(f"output y = {call}") == []


def test_the_warning_is_true_and_the_help_mends_it() -> None:
    wrong = module("input a: [2]\noutput y = sum(where(a > 0, sqrt(a), 0))")
    right = module("input a: [2]\noutput y = sum(where(a > 0, sqrt(where(a > 0, a, 1)), 0))")
    at = np.array([0.0, 4.0])
    with np.errstate(all="ignore"):
        _, cache = wrong.forward(at)
        assert math.isnan(wrong.backward(cache)["a"][0])
    _, cache = right.forward(at)
    np.testing.assert_array_equal(right.backward(cache)["a"], [0, 0.25])
