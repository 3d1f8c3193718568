"""Naive forms compile to stable operations: the same numbers, and right at the hard points."""

from __future__ import annotations

import json
import math
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import compiled, module

from graphc.ad import stable_forms
from graphc.cli.app import app

pytestmark = pytest.mark.levels

inf, nan = math.inf, math.nan

TAIL = math.log1p(math.exp(-17))
REST = math.exp(-17) / (1 + math.exp(-17))
SLOPE = 2 / math.sqrt(math.pi)

# naive form, stable form (none where it is an operation of its own), hard arguments, their value,
# the gradient of the sum of the value
FORMS: list[tuple[str, str, list[float], Any, list[float]]] = [
    ("log(softmax(x))", "log_softmax(x)", [-1e4, 0], [-1e4, 0], [1, -1]),
    ("log(softmax(x, axis=0))", "log_softmax(x, axis=0)", [0, 1e4], [-1e4, 0], [1, -1]),
    ("log(sigmoid(x))", "log_sigmoid(x)", [-1000, 1000], [-1000, 0], [1, 0]),
    ("log(1 + exp(x))", "softplus(x)", [-1000, 1000], [0, 1000], [0, 1]),
    ("log(exp(x) + 1)", "softplus(x)", [-1000, 1000], [0, 1000], [0, 1]),
    ("log(sum(exp(x)))", "logsumexp(x)", [1000, 1000], 1000 + math.log(2), [0.5, 0.5]),
    (
        "log(sum(exp(x), axis=0, keepdims=true))",
        "logsumexp(x, axis=0, keepdims=true)",
        [-1000, -1000],
        [math.log(2) - 1000],
        [0.5, 0.5],
    ),
    ("log(softmax(x)[0])", "log_softmax(x)[0]", [-1e4, 0], -1e4, [1, -1]),
    ("exp(x) / sum(exp(x))", "softmax(x, axis=0)", [1000, 1000], [0.5, 0.5], [0, 0]),
    ("softmax(x - max(x))", "softmax(x)", [1000, 1000], [0.5, 0.5], [0, 0]),
    (
        "exp(x - max(x)) / sum(exp(x - max(x)), axis=0, keepdims=true)",
        "softmax(x, axis=0)",
        [0, 1e4],
        [0, 1],
        [0, 0],
    ),
    (
        "max(x) + log(sum(exp(x - max(x))))",
        "logsumexp(x)",
        [1000, 1000],
        1000 + math.log(2),
        [0.5, 0.5],
    ),
    ("1 / (1 + exp(-x))", "sigmoid(x)", [-50, 1000], [math.exp(-50), 1], [math.exp(-50), 0]),
    ("1 / (exp(x) + 1)", "sigmoid(-x)", [1000, 0], [0, 0.5], [0, -0.25]),
    ("exp(x) / (1 + exp(x))", "sigmoid(x)", [1000, -1000], [1, 0], [0, 0]),
    ("log(1 / (1 + exp(-x)))", "log_sigmoid(x)", [-1000, 17], [-1000, -TAIL], [1, REST]),
    ("log(1 - tanh(x)**2)", "", [1e-10, -300], [-1e-20, math.log(4) - 600], [-2e-10, 2]),
    (
        "log(1 - tanh(x) * tanh(x))",
        "",
        [0.5, 20],
        [-2 * math.log(math.cosh(0.5)), -2 * math.log(math.cosh(20))],
        [-2 * math.tanh(0.5), -2],
    ),
    ("exp(x) - 1", "expm1(x)", [1e-20, 0], [1e-20, 0], [1, 1]),
    ("exp(x) - 1", "expm1(x)", [-20, -50], [math.expm1(-20), -1], [math.exp(-20), math.exp(-50)]),
    ("1 - exp(-x)", "-expm1(-x)", [1e-20, 50], [1e-20, 1], [1, math.exp(-50)]),
    ("1 - sigmoid(x)", "sigmoid(-x)", [0, 50], [0.5, math.exp(-50)], [-0.25, -math.exp(-50)]),
    ("log(1 - sigmoid(x))", "log_sigmoid(-x)", [17, 1000], [-17 - TAIL, -1000], [TAIL - 1, -1]),
    ("1 - erf(x)", "erfc(x)", [0, 5], [1, math.erfc(5)], [-SLOPE, -SLOPE * math.exp(-25)]),
    ("1 - erfc(x)", "erf(x)", [1e-20, 0], [SLOPE * 1e-20, 0], [SLOPE, SLOPE]),
    ("log(1 - x)", "log1p(-x)", [1e-20, -1], [-1e-20, math.log(2)], [-1, -0.5]),
    (
        "log(1 - exp(x))",
        "log(-expm1(x))",
        [-1e-20, -50],
        [math.log(1e-20), -math.exp(-50)],
        [-1e20, -math.exp(-50)],
    ),
    ("sqrt(var(x))", "std(x)", [0.1, 0.1], 0, [0, 0]),
    ("abs(x)**2", "x * x", [0, -3], [0, 9], [0, -6]),
    ("norm(x)**2", "sum(x * x)", [0, 0], 0, [0, 0]),
    ("norm(x)**4", "sum(x * x)**2", [1, 2], 25, [20, 40]),
    ("norm(x, axis=0) * norm(x, axis=0)", "sum(x * x, axis=0)", [0, 0], 0, [0, 0]),
    ("std(x)**2", "var(x)", [1, 2], 0.25, [-0.5, 0.5]),
    ("hypot(x, 2 * x)**2", "x * x + (2 * x) * (2 * x)", [0, 1], [0, 5], [0, 10]),
    ("log(1 + x)", "log1p(x)", [1e-20, 0], [1e-20, 0], [1, 1]),
    ("log(x + 1.0)", "log1p(x)", [1e-20, 0], [1e-20, 0], [1, 1]),
    ("sqrt(sum(x**2))", "norm(x)", [0, 0], 0, [0, 0]),
    ("sqrt(sum(x * x))", "norm(x)", [3, 4], 5, [0.6, 0.8]),
    ("sqrt(sum(x**2, axis=-1))", "norm(x, axis=-1)", [0, 0], 0, [0, 0]),
]
DTYPES = ("float64", "float32")
INSIDE = {"log(1 - x)": (-2, 0.8), "log(1 - exp(x))": (-2, -0.2)}


def graph(expression: str) -> str:
    return f"input x: [2]\nz = {expression}\noutput y = z\noutput s = sum(z)"


def code(expression: str) -> str:
    """What `forward` and `backward` compute, without comments."""
    text = compiled(graph(expression)).text
    inside = text[text.index("def forward") : text.index("def check")]
    lines = [re.sub(r"\s*(# .*)?$", "", line) for line in inside.splitlines()]
    return "\n".join(filter(None, lines))


@pytest.mark.readable
@pytest.mark.parametrize("form", [form for form in FORMS if form[1]], ids=lambda form: form[0])
def test_compiles_to_the_stable_operation(form: tuple[str, str, Any, Any, Any]) -> None:
    naive, stable, *_ = form
    if "softmax" in naive:  # whose intermediate values are called otherwise
        for part in ("np.exp(", "np.log(np.where(", "np.max("):
            assert code(naive).count(part) == code(stable).count(part)
    elif "expm1" in stable or "hypot" in naive:  # the same in another order
        calls = (sorted(re.findall(r"np\.\w+|[-+*/]", code(one))) for one in (naive, stable))
        assert next(calls) == next(calls)
    else:
        assert code(naive) == code(stable)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form[0])
def test_hard_points(form: tuple[str, str, Any, Any, Any], dtype: str) -> None:
    naive, _, at, value, gradient = form
    generated = module(graph(naive), dtype=dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out, cache = generated.forward(np.array(at, dtype))
        found = generated.backward(cache, s=1.0)
    rtol = 1e-12 if dtype == "float64" else 1e-6
    np.testing.assert_allclose(out.y, value, rtol=rtol)
    tiny = float(np.finfo(dtype).tiny)  # the fast sigmoid goes no further towards 0
    np.testing.assert_allclose(found["x"], gradient, rtol=rtol, atol=2 * tiny)


NUMPY: dict[str, Any] = {
    "log": np.log,
    "abs": np.abs,
    "norm": lambda x, axis=None: np.sqrt(np.sum(x * x, axis)),
    "var": np.var,
    "std": np.std,
    "hypot": np.hypot,
    "erf": np.vectorize(math.erf),
    "erfc": np.vectorize(math.erfc),
    "exp": np.exp,
    "tanh": np.tanh,
    "sqrt": np.sqrt,
    "sum": np.sum,
    "max": np.max,
    "true": True,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softmax": lambda x, axis=-1: np.exp(x) / np.sum(np.exp(x), axis=axis, keepdims=True),
}


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form[0])
def test_equals_what_was_written(form: tuple[str, str, Any, Any, Any]) -> None:
    """The naive form in NumPy, where it is well conditioned, and its numerical derivative."""
    generated = module(graph(form[0]))
    low, high = INSIDE.get(form[0], (0.2, 2))
    for at in np.random.default_rng(3).uniform(low, high, (20, 2)):
        out, _ = generated.forward(at)
        np.testing.assert_allclose(out.y, eval(form[0], NUMPY, {"x": at}), rtol=1e-13)
        generated.check(at)


def test_a_node_that_is_differentiated_by_stays() -> None:
    text = """
        input x: [3]
        p = softmax(x)
        output y = -sum(log(p))
        derive grad y wrt p, x
    """
    generated = module(text)
    x = np.array([0.1, 0.7, -0.4])
    p = np.exp(x) / np.sum(np.exp(x))
    gradients = generated.grad_y(x)
    np.testing.assert_allclose(gradients["p"], -1 / p, rtol=1e-14)
    np.testing.assert_allclose(gradients["x"], -1 + 3 * p, rtol=1e-13)


def test_a_node_deep_in_a_form_stays_if_it_is_differentiated_by() -> None:
    text = """
        input x: [2]
        t = tanh(x)
        output y = sum(log(1 - t**2))
        derive grad y wrt t, x
    """
    gradients = module(text).grad_y([0.3, -0.8])
    t = np.tanh([0.3, -0.8])
    np.testing.assert_allclose(gradients["t"], -2 * t / (1 - t * t), rtol=1e-13)
    np.testing.assert_allclose(gradients["x"], -2 * t, rtol=1e-13)


def test_a_form_that_is_differentiated_by_is_stable() -> None:
    text = """
        input x: [2]
        l = log(softmax(x))
        output y = sum(l * l)
        derive grad y wrt l
    """
    np.testing.assert_array_equal(module(text).grad_y([-1e4, 0.0])["l"], [-2e4, 0])


def test_a_named_part_is_still_an_output() -> None:
    text = "input x: [2]\noutput p = softmax(x)\noutput y = log(p)"
    out, cache = module(text).forward([-1e4, 0.0])
    np.testing.assert_array_equal(out.p, [0, 1])
    np.testing.assert_array_equal(out.y, [-1e4, 0])
    np.testing.assert_array_equal(module(text).backward(cache, y=[1.0, 0.0])["x"], [1, -1])


def test_inside_a_loop() -> None:
    text = """
        input x: [2]
        repeat steps[k in 1..50] carry h = x {
            next h = log(1 + exp(h)) - 1
        }
        output y = sum(h)
    """
    out, cache = module(text).forward([1000.0, 1100.0])
    assert float(out.y) == 2000
    np.testing.assert_array_equal(module(text).backward(cache)["x"], [1, 1])


@pytest.mark.readable
@pytest.mark.parametrize(
    "expression", ["log(2 + x)", "exp(x) - 2", "log(sum(x))", "sqrt(sum(x**4))", "sqrt(mean(x**2))"]
)
def test_other_forms_stay(expression: str) -> None:
    text = code(expression)
    assert not any(word in text for word in ("log1p", "expm1", "np.max(", "logaddexp", "x * x"))


def notes(text: str) -> list[str]:
    """The notes of a text, as printed: of a stable form, not of a mistake."""
    return [str(note) for note in compiled(text).model.notes]


def test_what_has_a_name_is_read_by_a_gradient_in_the_file() -> None:
    """g is 1 / (1 + s) times the derivative of s: the first moves with s, though log1p(exp(x)) does
    not need s, and the second does not, though it is s in value.
    """
    text = """
        input x
        s = exp(x)
        y = log(1 + s)
        g = grad(y, x)
        output loss = g * s
        derive grad loss wrt s
        derive grad loss wrt x as by_x
    """
    made, x = module(text), 0.3
    s = math.exp(x)
    assert made.grad_loss(x)["s"] == pytest.approx(s / (1 + s) ** 2, rel=1e-14)
    assert made.by_x(x)["x"] == pytest.approx(s**2 * (2 + s) / (1 + s) ** 2, rel=1e-14)


@pytest.mark.readable
def test_the_report_says_what_is_computed_otherwise() -> None:
    text = "input x: [3]\noutput y = log(sum(exp(x)))\noutput z = exp(x) - 1 + log(1 + x)"
    assert notes(text) == [
        """\
note[N720]: `log(sum(exp(x)))` is computed as `logsumexp(x)`
 --> graph:2:1
  |
2 | output y = log(sum(exp(x)))
  | ^^^^^^^^^^^^^^^^^^^^^^^^^^^""",
        """\
note[N720]: `exp(x) - 1` is computed as `expm1(x)`
 --> graph:3:1
  |
3 | output z = exp(x) - 1 + log(1 + x)
  | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^""",
        """\
note[N720]: `log(1 + x)` is computed as `log1p(x)`
 --> graph:3:1
  |
3 | output z = exp(x) - 1 + log(1 + x)
  | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^""",
    ]
    assert compiled(text).warnings == ()


@pytest.mark.readable
def test_a_form_in_a_block_is_noted_once() -> None:
    text = """
        block f(z: [3]) -> r: [3] { r = log(sigmoid(z)) }
        input x: [3]
        output y = f(x) + f(2 * x)
    """
    (note,) = notes(text)
    assert note.startswith("note[N720]: `log(sigmoid(x))` is computed as `log_sigmoid(x)`")
    assert "graph:2:" in note


def test_what_is_written_stably_is_not_noted() -> None:
    assert notes("input x: [3]\noutput y = logsumexp(x) + sum(log1p(x))") == []


def test_every_form_is_noted() -> None:
    told = [note for form in FORMS for note in notes(graph(form[0]))]
    for one in stable_forms.FORMS:
        assert any(f"`{one.naive}` is computed as `{one.stable}`" in note for note in told)
    assert all(notes(graph(form[0])) for form in FORMS)
    assert not any(notes(graph(form[1])) for form in FORMS if form[1] and "(-" not in form[1])


def test_check_shows_notes_and_compile_does_not(tmp_path: Path) -> None:
    path = tmp_path / "model.graph"
    path.write_text("input x: [3]\noutput y = log(sum(exp(x)))\n")
    checked = CliRunner().invoke(app, ["check", str(path)])
    assert checked.exit_code == 0
    assert "note[N720]: `log(sum(exp(x)))` is computed as `logsumexp(x)`" in checked.stderr
    assert f"{path}:2:1" in checked.stderr
    told = json.loads(CliRunner().invoke(app, ["check", str(path), "--format", "json"]).stdout)
    assert [(one["severity"], one["code"], one["line"]) for one in told] == [("note", "N720", 2)]
    written = CliRunner().invoke(app, ["compile", str(path), "-o", str(tmp_path / "out.py")])
    assert (written.exit_code, written.stdout, written.stderr) == (0, "", "")


def test_only_the_root_of_squares_is_a_norm() -> None:
    """Of inverse squares of 1 and 2 it is √(1 + 1/4), of fourth powers √(1 + 16)."""
    net = module("input x: [2]\noutput y = sqrt(sum(x**-2)); output z = sqrt(sum(x**4))")
    (y, z), _ = net.forward(np.array([1.0, 2.0]))
    np.testing.assert_allclose([y, z], [math.sqrt(1.25), math.sqrt(17)], rtol=1e-15)
