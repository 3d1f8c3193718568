"""The numbers of a graph at a point: against NumPy by hand, and where gradients go wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from graphc.checking.point import Start
from graphc.cli.app import app
from graphc.compile.stages import Compilation, Options
from graphc.source import GraphError, Source
from graphc.views.draw.backward import backward
from graphc.views.draw.depict import picture_of
from graphc.views.explain.document import Document
from graphc.views.explain.plain import plain
from graphc.views.numbers.looking import Known, Numbers, look
from graphc.views.numbers.picturing import with_numbers
from graphc.views.numbers.summary import summarise, together
from graphc.views.numbers.telling import norm, tell_numbers

RNG = np.random.default_rng(0)
LAYER = """dim B
input x: [B, 3]
input k: int [2]
param W: [3, 2]
h = tanh(x @ W)
turned = transpose(h)
picked = turned[k]
skip = h + 2 * h
output loss = sum(skip**2) + sum(picked)
"""
STEPS = """dim B
input x: [B, 4]
repeat layer[i in 0..19] carry h = x { next h = NEXT }
output loss = sum(h)
"""


def numbers(text: str, dtype: str = "float64", **given: Any) -> Numbers:
    at = {name.replace("__", "."): np.asarray(value) for name, value in given.items()}
    return look(Compilation(Source("net.graph", text), Options(dtype=dtype)), Start(0, at))


def known(text: str, dtype: str = "float64", **given: Any) -> dict[str, Known]:
    return dict(numbers(text, dtype, **given).known)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_values_and_adjoints_by_hand(dtype: str) -> None:
    """Also of views, of integers, and of values that several others read."""
    x, w = RNG.normal(size=(5, 3)), RNG.normal(size=(3, 2))
    found = numbers(LAYER, dtype, x=x, W=w, k=[1, 1])
    h = np.tanh(x @ w)
    d_h = 18 * h + np.array([0, 2])
    d_z = d_h * (1 - h * h)
    adjoints = {
        "x": d_z @ w.T, "W": x.T @ d_z, "h": d_h, "turned": np.array([[0] * 5, [2] * 5]),
        "picked": np.ones((2, 5)), "skip": 6 * h, "loss": np.array(1.0),
    }  # fmt: skip
    values = {"x": x, "W": w, "h": h, "turned": h.T, "picked": h.T[[1, 1]], "skip": 3 * h,
              "k": np.array([1, 1])}  # fmt: skip
    close = 1e-12 if dtype == "float64" else 1e-5
    assert found.sizes == {"B": 5}
    assert found.outputs == ("loss",)
    assert found.born is None
    for name, expected in values.items():
        one = found.known[name].value
        assert one.shape == expected.shape
        assert (one.least, one.most) == pytest.approx((expected.min(), expected.max()), rel=close)
        assert one.mean == pytest.approx(expected.mean(), rel=close, abs=close)
        assert one.norm == pytest.approx(np.linalg.norm(expected), rel=close)
    for name, expected in adjoints.items():
        adjoint = found.known[name].adjoint
        assert adjoint is not None, name
        assert adjoint.shape == expected.shape, name
        assert adjoint.norm == pytest.approx(np.linalg.norm(expected), rel=close), name
    assert found.known["k"].adjoint is None
    assert set(found.known["h"].children) == {"turned", "skip"}
    assert found.known["h"].gain == pytest.approx(
        np.linalg.norm(d_h) / np.linalg.norm(6 * h), rel=close
    )


def test_steps_of_a_loop_are_told_one_by_one() -> None:
    """The carried derivative too, which is nobody's result: of a residual step."""
    x = RNG.normal(size=(2, 4))
    step = known(STEPS.replace("NEXT", "h + 0.5 * sin(h)"), x=x)["layer.*.h_next"]
    values = [x]
    for _ in range(20):
        values.append(values[-1] + 0.5 * np.sin(values[-1]))
    back = [np.ones_like(x)]
    for value in values[19:0:-1]:
        back.append(back[-1] * (1 + 0.5 * np.cos(value)))
    assert [one.norm for one in step.steps] == pytest.approx(
        [np.linalg.norm(one) for one in values[1:]]
    )
    assert [one.norm for one in step.adjoint_steps] == pytest.approx(
        [np.linalg.norm(one) for one in back]
    )


def test_what_a_step_hands_on_as_it_is_has_numbers() -> None:
    """The derivative by each h is that by the last one: no step computes with it."""
    text = """dim T
input x: [T, 3]; input h0: [3]
scan step[t in T] carry h = h0 { next h = h + x[t] }
output loss = sum(h**2)
"""
    x, h0 = RNG.normal(size=(4, 3)), RNG.normal(size=3)
    step = known(text, x=x, h0=h0)["step.h_next"]
    last = np.linalg.norm(2 * (h0 + x.sum(0)))
    assert [one.norm for one in step.adjoint_steps] == pytest.approx([last] * 4)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_views_in_steps_have_numbers(dtype: str) -> None:
    """A transpose of a transpose is nothing that a module computes; names in the step stay."""
    text = """input x: [2, 3]
repeat layer[i in 0..2] carry h = x {
    turned = transpose(h)
    back = transpose(turned)
    next h = sin(back)
}
output loss = sum(h)
"""
    x = RNG.normal(size=(2, 3))
    found = known(text, dtype, x=x)
    values = [x, np.sin(x), np.sin(np.sin(x))]
    adjoints = [np.ones_like(x)]
    for value in values[::-1]:
        adjoints.append(adjoints[-1] * np.cos(value))
    for name in ("layer.*.turned", "layer.*.back"):
        steps = [one.norm for one in found[name].steps]
        assert steps == pytest.approx([np.linalg.norm(one) for one in values], rel=1e-5), name
        back = [one.norm for one in found[name].adjoint_steps]
        assert back == pytest.approx([np.linalg.norm(one) for one in adjoints[1:]], rel=1e-5), name
    assert found["layer.*.turned"].value.shape[-2:] == (3, 2)


def test_what_an_inner_loop_hands_on_has_numbers() -> None:
    text = """input x: [3]
repeat a[i in 0..1] carry h = x, w = x {
    repeat b[j in 0..2] carry g = h, v = w { next g = sin(g); next v = v + g }
    next h = g
    next w = v
}
output loss = sum(w)
"""
    found = known(text, x=RNG.normal(size=3))
    inner = found["a.*.b.v_next"]
    assert [one.norm for one in inner.adjoint_steps] == pytest.approx([np.sqrt(3)] * 6)
    outer = found["a.*.v"]
    assert [one.norm for one in outer.adjoint_steps] == pytest.approx([np.sqrt(3)] * 2)
    assert outer.value.norm == pytest.approx(
        np.linalg.norm([found["a.*.b.v_next"].steps[at].norm for at in (2, 5)])
    )
    assert all(one.adjoint is not None for one in found.values()), found


def test_what_steps_share_gets_the_sum_of_what_they_contribute() -> None:
    """Of w the norm of the derivative, by complex steps, and not that of all of its terms."""
    text = """dim T
input x: [T, 2]
param w: [2]
scan step[t in T] carry h = 0.0 { next h = tanh(x[t] @ w + h) }
output z = h**2
derive grad z wrt w
"""
    x, w = RNG.normal(size=(3, 2)), RNG.normal(size=2)

    def z(at: Any) -> Any:
        h = 0.0
        for row in x:
            h = np.tanh(row @ at + h)
        return h**2

    slope = [z(w + 1e-30j * unit).imag / 1e-30 for unit in np.eye(2)]
    found = known(text, x=x, w=w)["w"]
    assert found.adjoint is not None
    assert found.adjoint.norm == pytest.approx(np.linalg.norm(slope))
    assert len(found.adjoint_steps) == 3


def test_what_two_loops_bind_is_looked_at_in_both() -> None:
    """A gradient of a gradient goes back through steps that bind what those before it do."""
    text = """dim T
input x: [T, 2]
param w: [2]
scan step[t in T] carry h = 0.0 {
    next h = tanh(x[t] @ w + h)
    collect ys = h * 2
}
g = grad(sum(ys**2) + h, w)
output z = sum(g**2)
derive grad z wrt w
"""
    x, w = RNG.normal(size=(3, 2)), RNG.normal(size=2)

    def y(at: Any) -> Any:
        h, total = 0.0, 0.0
        for row in x:
            total, h = total + (2 * h) ** 2, np.tanh(row @ at + h)
        return total + h

    def g(at: Any) -> Any:
        return np.array([y(at + 1e-30j * unit).imag / 1e-30 for unit in np.eye(2)])

    found = known(text, x=x, w=w)
    assert found["g"].value.norm == pytest.approx(np.linalg.norm(g(w)))
    slope = [np.sum(g(w + e) ** 2) - np.sum(g(w - e) ** 2) for e in 1e-6 * np.eye(2)]
    assert found["w"].adjoint is not None
    assert found["w"].adjoint.norm == pytest.approx(np.linalg.norm(slope) / 2e-6, 1e-6)


def test_members_of_a_family_of_parameters() -> None:
    text = """input x: [3]
repeat layer[i in 0..2] carry h = x {
    param W: [3, 3]
    next h = W @ h
}
output y = sum(h)
"""
    w = RNG.normal(size=(3, 3, 3))
    x = RNG.normal(size=3)
    found = known(text, x=x, layer__0__W=w[0], layer__1__W=w[1], layer__2__W=w[2])
    one = np.ones(3)
    gradients = [
        np.outer(w[1].T @ (w[2].T @ one), x),
        np.outer(w[2].T @ one, w[0] @ x),
        np.outer(one, w[1] @ w[0] @ x),
    ]
    family = found["layer.*.W"]
    assert family.value.norm == pytest.approx(np.linalg.norm(w))
    assert family.adjoint is not None
    assert family.adjoint.norm == pytest.approx(np.linalg.norm(gradients))
    assert [one.norm for one in family.adjoint_steps] == pytest.approx(
        [np.linalg.norm(one) for one in gradients[::-1]]
    )


@pytest.mark.parametrize(
    ("step", "kind", "ratio"),
    [("0.25 * h", "vanishes", 0.25**20), ("8 * h", "explodes", 8.0**20), ("h * 0.5", None, 1)],
)
def test_gradients_that_vanish_and_explode(step: str, kind: str | None, ratio: float) -> None:
    text = STEPS.replace("NEXT", step) if kind else STEPS.replace("0..19", "0..9")
    found = known(text.replace("NEXT", step), x=np.ones((1, 4)))
    if kind is None:
        assert all(one.flow is None for one in found.values())
        return
    flow = found["x"].flow
    assert flow is not None
    assert (flow.kind, flow.first) == (kind, True)
    assert flow.ratio == pytest.approx(ratio)


def test_a_derivative_that_is_zero_is_said_where_it_begins() -> None:
    text = "input x: [3]\na = x - 5\nb = relu(a)\nc = 2 * b\noutput y = sum(c)"
    found = known(text, x=[1.0, 2.0, 3.0])
    assert {name: one.flow.first for name, one in found.items() if one.flow} == {
        "a": True,
        "x": False,
    }
    assert found["b"].flow is None


def test_a_derivative_that_is_nan_is_not_zero() -> None:
    """Nothing finite comes back through what has a nan: no norm, and no factor by it."""
    text = "input x: [3]; param w\na = x * w\nb = a * a\noutput y = sum(b)\nderive grad y wrt w\n"
    found = numbers(text, x=[1.0, np.nan, 3.0], w=2.0)
    assert {name: one.flow for name, one in found.known.items() if one.flow} == {}
    assert found.known["w"].adjoint is not None
    assert norm(found.known["w"].adjoint) == "nan"
    assert {found.known[name].gain for name in ("a", "x", "w")} == {None}
    back = with_numbers(
        backward(picture_of(Compilation(Source("net.graph", text)))), found, back=True
    )
    lines = {node.name: node.lines[-1] for node in back.nodes if node.lines}
    assert (lines["b"], lines["w"]) == ("norm 1.73", "norm nan")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_where_a_nan_was_born(dtype: str) -> None:
    """A value that overflows to infinity is named, not the difference that makes nan of it."""
    text = "input x: [2]\na = exp(x)\nb = a - a\noutput y = sum(b)"
    found = numbers(text, dtype, x=[1.0, 1e4])
    assert found.born is not None
    assert (found.born.operation, found.born.variable) == ("exp", "a[1]")
    assert found.born.place == "net.graph:2:1"
    assert found.known["a"].value.infinities == 1
    assert found.known["b"].value.nans == 1
    assert found.known["b"].value.norm == 0
    held = numbers(text, dtype, x=[1.0, np.nan])
    assert held.born is not None
    assert (held.born.operation, held.born.variable, held.born.place) == ("input", "x[1]", "")


def test_in_which_step_a_nan_was_born() -> None:
    text = STEPS.replace("NEXT", "log(h) + 0.9")
    born = numbers(text, x=np.full((1, 4), 0.5)).born
    value, step = 0.5, 0
    while value > 0:
        value, step = np.log(value) + 0.9, step + 1
    assert born is not None
    assert (born.operation, dict(born.steps)) == ("log", {"i": step})


def test_without_data_a_point_of_the_domain_is_drawn() -> None:
    found = numbers("input x: [4]\noutput y = sum(log(x) + sqrt(x - 1))")
    assert found.finite
    assert found.born is None
    assert found.known["x"].value.least > 1


def test_norms_do_not_overflow() -> None:
    huge = summarise(np.array([3e200, -4e200]))
    assert (huge.norm, huge.mean, huge.typical) == pytest.approx(
        (5e200, -5e199, 5e200 / np.sqrt(2))
    )
    tiny = summarise(np.array([3e-200, 4e-200]))
    assert tiny.norm == pytest.approx(5e-200, rel=1e-12)


def test_summaries_of_parts_are_that_of_the_whole() -> None:
    parts = [RNG.normal(size=(2, 3)) for _ in range(4)]
    parts[1][0, 0] = np.nan
    parts[2][1, 1] = 0
    whole, joined = summarise(np.stack(parts)), together([*map(summarise, parts)])
    for name in ("finite", "least", "most", "mean", "norm", "zeros", "nans", "infinities"):
        assert getattr(joined, name) == pytest.approx(getattr(whole, name)), name


X = np.array([0.5, -1.0, 2.0])
ODD: dict[str, tuple[str, Any]] = {
    "stop": ("h = stop(x * x)\noutput y = sum(h * x)", X**2),
    "a rule": ("z = bent(x)\noutput y = sum(z)", 5 * X),
    "a gradient": ("g = grad(sum(x**3), x)\noutput y = sum(g * g)", 36 * X**3),
    "until": (
        "scan s[t in 10] carry h = x { next h = h * 0.5\n until sum(h * h) < 0.4 }\n"
        "output y = sum(h)",
        np.full(3, 0.125),  # the third step begins with h below
    ),
    "loops in loops": (
        "repeat a[i in 0..2] carry h = x {\n"
        "    repeat b[j in 0..1] carry g = h { next g = 3 * g }\n    next h = g + h\n}\n"
        "output y = sum(h)",
        np.full(3, 1000.0),
    ),
    "a loop of one step": (
        "repeat a[i in 0..0] carry h = x { next h = sin(h) }\noutput y = sum(h)",
        np.cos(X),
    ),
    "an alias": ("a = x\nb = a\noutput y = sum(b)", np.ones(3)),
    "what is computed twice": ("a = x + 1\nb = x + 1\noutput y = sum(a * b)", 2 * (X + 1)),
    "names of the module": ("_watched = x * 2\nseed_y = _watched\noutput y = sum(seed_y)",
                            np.full(3, 2.0)),
    "per": ("output y = x * x\nderive jacobian y wrt x\nderive jacobian y wrt x per B as J",
            2 * X),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", ODD)
def test_under_every_other_feature(case: str, dtype: str) -> None:
    text, gradient = ODD[case]
    block = "block bent(x: [B]) -> y: [B] { y = x * x\n rule vjp x = 5 * x * cotangent(y) }\n"
    every = known(f"dim B\n{block}input x: [B]\n{text}", dtype, x=X)
    compilation = Compilation(Source("net.graph", f"dim B\n{block}input x: [B]\n{text}"))
    assert every.keys() >= set(compilation.stated.names.values())
    found = every["x"]
    assert found.adjoint is not None
    assert found.adjoint.norm == pytest.approx(np.linalg.norm(gradient), rel=1e-5)


@pytest.mark.parametrize("text", ["input x: [0]\noutput y = sum(x)", "output y = 3.0"])
def test_nothing_to_look_at_is_no_mistake(text: str) -> None:
    assert numbers(text).known["y"].value.size == 1


def test_several_outputs_are_differentiated_as_a_sum() -> None:
    found = numbers("input x: [2]\noutput a = 3 * x\noutput b = x**2", x=[1.0, 2.0])
    assert found.outputs == ("a", "b")
    assert found.known["x"].adjoint is not None
    assert found.known["x"].adjoint.norm == pytest.approx(np.hypot(5, 7))


RESIDUAL = """input x: [4]
h = sin(x)
f = exp(h)
y = h + f
output loss = sum(y**2) + sum(h * 3)
"""


def test_what_comes_back_along_each_edge() -> None:
    """By name and child: through the branch, past it, and along two ways at once."""
    x = RNG.normal(size=4)
    h = np.sin(x)
    d_y = 2 * (h + np.exp(h))
    flowing = numbers(RESIDUAL, x=x).flowing
    expected = {
        ("y", "loss"): d_y, ("f", "y"): d_y, ("h", "y"): d_y, ("h", "f"): d_y * np.exp(h),
        ("h", "loss"): 3 * np.ones(4), ("x", "h"): (d_y + d_y * np.exp(h) + 3) * np.cos(x),
    }  # fmt: skip
    assert flowing.keys() == expected.keys()
    for edge, value in expected.items():
        assert flowing[edge].norm == pytest.approx(np.linalg.norm(value)), edge
    twice = numbers("input x: [4]\noutput y = sum(x * 2) + sum(x**3)", x=x).flowing
    assert twice["x", "y"].norm == pytest.approx(np.linalg.norm(2 + 3 * x**2))


def test_numbers_in_a_picture() -> None:
    compilation = Compilation(Source("net.graph", RESIDUAL), Options())
    found = look(compilation, Start(0, {"x": np.array([0.0, 0.5, 0.0, 0.0])}))
    picture = picture_of(compilation)
    values = with_numbers(picture, found, back=False)
    lines = {node.name: node.lines for node in values.nodes}
    assert lines["x"][-1] == "0 … 0.5"
    assert lines["h"][-1] == "0 … 0.479"
    names = {node.id: node.name for node in picture.nodes}
    labels = {(names[one.tail], names[one.head]): one.label for one in values.edges}
    assert labels["x", "h"] == "[4], norm 0.5"
    back = with_numbers(backward(picture), found, back=True)
    labels = {(names[one.tail], names[one.head]): one.label for one in back.edges}
    d_y = 2 * (np.sin([0, 0.5, 0, 0]) + np.exp(np.sin([0, 0.5, 0, 0])))
    assert labels["h", "y"].endswith(f", norm {np.linalg.norm(d_y):.3g}")
    assert {node.name: node.lines for node in back.nodes}["y"][-1] == (
        f"norm {np.linalg.norm(d_y):.3g}"
    )


def test_a_picture_says_where_a_gradient_vanishes(tmp_path: Path) -> None:
    text = "input x: [1]\nh = 1e-9 * x\noutput y = sum(h)"
    compilation = Compilation(Source("net.graph", text), Options())
    back = with_numbers(backward(picture_of(compilation)), look(compilation, Start(0)), back=True)
    assert {node.name: node.lines[-1] for node in back.nodes}["x"] == "norm 1e-9, vanishes"
    (tmp_path / "net.graph").write_text(text, encoding="utf-8")
    arguments = ["draw", str(tmp_path / "net.graph"), "--pass", "backward", "--seed", "0"]
    assert "norm 1e-9, vanishes" in CliRunner().invoke(app, arguments).stdout
    assert "norm" not in CliRunner().invoke(app, arguments[:-2]).stdout


# ---- the command --------------------------------------------------------------------------------


def explain(tmp_path: Path, text: str, *options: str) -> Result:
    file = tmp_path / "net.graph"
    file.write_text(text, encoding="utf-8")
    return CliRunner().invoke(app, ["explain", str(file), *options])


def test_explain_shows_them(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", x=np.full((1, 4), 1.0))
    text = STEPS.replace("NEXT", "0.25 * h")
    said = explain(tmp_path, text, "--at", str(tmp_path / "data.npz"))
    assert said.exit_code == 0, said.output
    assert "`x`: the derivative vanishes: 9.09e-13 times the largest on the way there." in (
        said.stdout
    )
    rows = [line.split() for line in said.stdout.splitlines()]
    assert ["x", "[1,", "4]", "1", "1", "2", "1.82e-12", "×", "9.09e-13", "←", "vanishes"] in rows
    assert "B = 1." in said.stdout
    assert "numbers" not in explain(tmp_path, text).stdout
    drawn = explain(tmp_path, text, "--seed", "3").stdout
    assert "a point that was drawn (seed 3)" in drawn
    assert drawn == explain(tmp_path, text, "--seed", "3").stdout
    one = explain(tmp_path, text, "--seed", "3", "--node", "h", "--format", "markdown").stdout
    assert r"| h | \[3, 4\] |" in one
    assert "| x |" not in one


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"x": np.ones((2, 3))}, "input `x` has shape (2, 3), expected [B, 4]"),
        ({"z": np.ones(3)}, "--at: z: there are x"),
    ],
)
def test_data_that_does_not_fit_is_named(
    tmp_path: Path, given: dict[str, Any], expected: str
) -> None:
    np.savez(tmp_path / "data.npz", **given)
    said = explain(tmp_path, STEPS.replace("NEXT", "h"), "--at", str(tmp_path / "data.npz"))
    assert said.exit_code == 1
    assert expected in said.stderr


def test_a_file_with_mistakes_raises_them() -> None:
    with pytest.raises(GraphError, match="E20"):
        numbers("output y = sum(z)")


@pytest.mark.parametrize("width", [50, 60, 80, 100, 140])
def test_the_table_fits_the_terminal(width: int) -> None:
    found = numbers(STEPS.replace("NEXT", "8 * h"), x=np.full((1, 4), 1.0))
    said = plain(Document("", tuple(tell_numbers(found, "data.npz"))), width)
    assert max(map(len, said.splitlines())) <= width
    assert re.search(r"layer.\*.h_next\s+(shape )?\[1, 4\] × 20", said)
    assert "explodes" in said
