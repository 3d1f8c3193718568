"""`graphc check --grad`: the module that is shipped, points of its domain, whom it blames."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from conftest import module

from graphc.checking import derivatives
from graphc.checking.derivatives import Checked, check_derivatives
from graphc.checking.point import Start
from graphc.cli.app import app
from graphc.compile.stages import (
    Compilation,
    Options,
    compile_levels,
    compile_source,
    compile_text,
)
from graphc.source import GraphError, Source
from tests.loading import loaded

OPTIONS = Options()


def checked(
    text: str,
    options: Options = OPTIONS,
    levels: Sequence[str] = ("-O2",),
    seed: int = 0,
    **given: Any,
) -> Checked:
    place = Start(seed, given)
    return check_derivatives(Source("net.graph", text), options, Path(), levels, place)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["check", "--grad", *map(str, arguments)])


# ---- points ------------------------------------------------------------------------------------

DOMAINS = {
    "logarithms and roots": "input x: [3]\noutput y = sum(log(x)) + sum(sqrt(x))",
    "one larger than another": "input x, z: [6]\noutput y = sum(sqrt(x - z) + log(1 - z))",
    "a chain": "input x: [4]\noutput y = sum(log(log(log(x) + 1) + 0.5) * atanh(x / 3 - 1))",
    "between": "input p: [5]\noutput y = sum(p * log(p) + (1 - p) * log(1 - p)) + sum(asin(p))",
    "below": "input x: [4]\noutput y = sum(sqrt(-x - 1) + acosh(-x))",
    "powers": "input x, k: [4]\noutput y = sum(x**k) + sum((x - 2)**0.3)",
    "factor": "input A: [3, 3]\noutput y = sum(log(diag(cholesky(A))))",
    "factor of a sum": "input A: [3, 3]\nK = A + 0.1 * eye(3)\noutput y = sum(cholesky(K)**2)",
    "factors of a batch": "dim B\ninput A: [B, 3, 3]\noutput y = sum(cholesky(A))",
    "determinant": "input A: [3, 3]\noutput y = log(det(A)) + sum(inv(A))",
    "solution": "input A: [3, 3]\ninput b: [3]\noutput y = sum(solve(A, b)**2)",
    "in a block": """
block entropy(p: [K]) -> e: [] { e = -sum(p * log(p)) }
block outside(q: [K]) -> e: [] { e = entropy(1 - q) + sum(log(q)) }
input q: [3]
output y = outside(q)
""",
    "in a loop": """
dim T
input x: [T]
scan walk[t in T] carry s = 1.0 { next s = s + log(x[t]) / sqrt(x[t]) }
output y = s
""",
    "carried": """
input x, r
scan walk[t in 4] carry s = x { next s = sqrt(s - r) + r }
output y = s
derive hessian y wrt x, r
""",
    "a parameter": "param scale: [3]\ninput x: [3]\noutput y = sum(log(scale) * x / (x - 2))",
    "labels": "dim B\ninput z: [B, 3]\ninput k: int[B]\noutput y = cross_entropy(z, k)",
    "a tree of indices": """
dim N, T
input parent: int[N]
input value: [N]
input leaf: int[T]
scan up[t in T] carry s = 0.0 {
    scan way[k in 4] carry node = leaf[t], u = 0.0 {
        next node = parent[node]
        next u = u + tanh(value[node])
    }
    next s = s + u * u
}
output y = s
""",
    "computed indices": """
dim N
input i: int[4]
input x: [2*N + 1]
output y = sum(x[2*i + 1]**2)
""",
    "a table of a table": """
dim N, M
input first: int[M]
input second: int[N]
input x: [3]
output y = sum(x[second[first]]**3)
""",
    "masked": "input s: [2, 3]\noutput y = sum(softmax(where(s > 0, s, -inf))**2)",
    "kinks": "input x: [9]\noutput y = sum(relu(x) * abs(x - 1)) + max(x) + sum(maximum(x, 0.5))",
}


@pytest.mark.parametrize("name", DOMAINS)
def test_points_lie_in_the_domain(name: str) -> None:
    """All is compared, and nothing right is accused."""
    found = checked(DOMAINS[name], seed=len(name))
    assert found.mistakes == ()
    assert found.compared
    assert all(one.gap <= one.limit for one in found.compared)


def test_the_seed_chooses_the_point() -> None:
    text = "input x: [3]\noutput y = sum(x**3)"
    first, again, other = (checked(text, seed=seed) for seed in (1, 1, 2))
    assert [one.numerical for one in first.compared] == [one.numerical for one in again.compared]
    assert [one.numerical for one in first.compared] != [one.numerical for one in other.compared]


def test_no_point_is_said() -> None:
    found = checked("input x: [2]\n\noutput y = sum(log(-x**2 - 1))")
    (mistake,) = found.mistakes
    assert mistake.code == "E423"
    assert "--at FILE.npz" in str(mistake)
    assert "net.graph:3:1: `log` makes nan: `y_log[0]`, in forward" in str(mistake)
    assert found.compared == ()


def test_given_values() -> None:
    text = "dim B\ninput x: [B, 2]\ninput z: [B]\nparam w: [2]\noutput y = sum((x @ w - z)**2)"
    x, w = np.arange(10.0).reshape(5, 2), np.array([1.0, -1.0])
    found = checked(text, Options(derive=["grad y wrt w"]), x=x, z=np.ones(5), w=w)
    assert found.mistakes == ()
    # the slope along one direction is below the length of the gradient times that of the direction
    gradient = 2 * x.T @ (x @ w - 1)
    (one,) = [one for one in found.compared if one.function == "grad_y"]
    assert 0 < abs(one.numerical) <= np.linalg.norm(gradient) * max(1.0, np.sqrt(np.mean(w * w)))
    assert checked(text, z=np.ones(5)).mistakes == ()  # x is drawn, with five rows
    with pytest.raises(GraphError, match=r"--at: v: there are x, z, w"):
        checked(text, v=x)
    (mistake,) = checked(text, x=np.ones(3)).mistakes
    assert "input `x` has shape (3,), expected float[B, 2]" in mistake.message


def test_outside_of_the_domain_nothing_is_accused() -> None:
    found = checked("input x: [2]\noutput y = sum(log(x))", x=[-1.0, 2.0])
    assert found.mistakes == ()
    assert {one.why_not for one in found.compared} == {
        "the numerical derivative is nan: the function is not finite around this point"
    }


# ---- what is checked ---------------------------------------------------------------------------


def test_the_text_is_that_of_compile() -> None:
    text = "dim B\ninput x: [B, 3]\nh = dense(x, 3, act=tanh)\noutput y = sum(h**2)"
    source = Source("net.graph", text)
    options = Options(
        dims={"B": 5},
        dtype="float32",
        derive=["jacobian_matrix y wrt h"],
        mode="reverse",
        memory="100%",
        trace=True,
    )
    for level in ("-O0", "-O2"):
        (result,) = checked(text, options, [level]).results
        assert result.text == compile_source(source, replace(options, level=level), Path()).text


def broken(monkeypatch: pytest.MonkeyPatch, level: str, right: str, wrong: str) -> None:
    """The module of a level is written with something wrong in it."""

    def compiled(*given: Any) -> list[Compilation]:
        results = compile_levels(*given)
        for result in results:
            if result.options.level == level:
                assert right in result.text
                written = replace(result.written, text=result.text.replace(right, wrong))
                vars(result).update(written=written)
        return results

    monkeypatch.setattr(derivatives, "compile_levels", compiled)


def test_a_fault_of_one_level(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "input x: [3]\noutput y = sum(sin(x))"
    broken(monkeypatch, "-O2", "np.cos", "np.sin")
    assert checked(text, levels=["-O0"]).mistakes == ()
    found = checked(text, levels=["-O0", "-O2"])
    assert {one.level for one in found.compared if one.wrong} == {"-O2"}
    assert {one.function for one in found.compared if one.wrong} == {"backward"}
    (mistake,) = found.mistakes
    assert "`backward` by `x` is " in mistake.message
    assert " at -O2, numerically " in mistake.message


def test_a_value_that_is_another_at_another_level(monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch, "-O2", "np.sin", "np.sinh")
    found = checked("input x: [3]\noutput y = sin(x)", levels=["-O0", "-O2"])
    messages = [mistake.message for mistake in found.mistakes]
    assert "output `y` is another at -O2 than at -O0" in messages


# ---- rules -------------------------------------------------------------------------------------

RULES = """input v: [3]
block wave(x: [K], s: [K]) -> y: [K] {{
    y = sin(x) * s
    rule vjp x = cotangent(y) * {first} * s
    rule vjp s = cotangent(y) * {second}
}}
block cube(x: [K]) -> y: [K] {{
    y = x**3
    rule vjp x = cotangent(y) * 3 * x**2
    rule jvp y = tangent(x) * {third} * x**2
}}
{use}
"""
RIGHT = {"first": "cos(x)", "second": "sin(x)", "third": "3"}
USES = {
    "plain": "output e = sum(cube(wave(v, 2 * v)))",
    "scan": "scan r[t in 3] carry h = v { next h = cube(wave(h, v * v[t])) }\noutput e = sum(h)",
    "repeat": "h = repeat r[t in 1..2] { wave(v, v) }\noutput e = sum(cube(v)) + sum(h)",
}


@pytest.mark.parametrize("use", ["plain", "scan"])
@pytest.mark.parametrize(
    ("wrong", "line", "named"),
    [
        ({}, 0, ""),
        ({"first": "sin(x)"}, 4, "`vjp x` of block `wave`"),
        ({"second": "cos(x)"}, 5, "`vjp s` of block `wave`"),
        ({"third": "2"}, 10, "`jvp y` of block `cube`"),
    ],
)
def test_a_wrong_rule_is_named(wrong: dict[str, str], line: int, named: str, use: str) -> None:
    """With block, port and line; also one that no function of the module takes."""
    found = checked(RULES.format(**RIGHT | wrong, use=USES[use]))
    rules = [mistake for mistake in found.mistakes if mistake.code == "E421"]
    assert len(rules) == bool(wrong)
    for mistake in rules:
        assert named in mistake.message
        assert mistake.span is not None
        assert mistake.span.line == line
    if wrong.keys() == {"first"}:
        assert "it goes through a rule that is wrong" in str(found.mistakes[1])


def test_all_wrong_rules_are_named_and_a_surrogate_is_none() -> None:
    text = RULES.format(first="1", second="2", third="3", use=USES["plain"])
    found = checked(text)
    assert [str(one.span) for one in found.mistakes if one.code == "E421"] == [
        "net.graph:4:5",
        "net.graph:5:5",
    ]
    surrogate = text.replace("rule vjp", "rule surrogate")
    assert checked(surrogate).mistakes == ()


# ---- the comparison ----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_scalars_move_by_amounts_of_their_own(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """H = ¼ [[1, -1], [-1, 1]]: along (±1, ±1) nothing tells it from 0, or from its double."""
    text = "input a, b\noutput y = sum(logsumexp(a + [0.0, 1] * (b - a), axis=0))\n"
    made = loaded(compile_text(text + "derive hessian_matrix y wrt a, b as H").text, "scalars")
    quarter = np.array([[0.25, -0.25], [-0.25, 0.25]])
    made.check(0.0, 0.0)
    for factor in (0.0, 2.0):
        monkeypatch.setattr(made, "H", lambda a, b, factor=factor: factor * quarter)
        with pytest.raises(ArithmeticError, match="`H` by `a`"):
            made.check(0.0, 0.0)


def test_a_function_that_is_called_as_what_looks_at_values() -> None:
    """What looks for nan is known by the functions that it looks at, not by its own name."""
    clauses = "derive vjp y wrt x as my_trace\nderive jvp y wrt x as a_trace\n"
    found = checked(f"input x: [3]\noutput y = sum(log(x))\n{clauses}")
    assert found.mistakes == ()
    assert {one.function for one in found.compared} == {"backward", "my_trace", "a_trace"}
    assert all(one.gap <= one.limit for one in found.compared)


def test_derivatives_by_nodes_on_the_way() -> None:
    text = """
dim B
input x: [B, 3]
h = dense(x, 3, act=tanh)
z = h * h + x
scan r[t in 3] carry s = 0.0 { next s = s + sum(z[:, t] * h[:, t]) }
output y = s
output n = sum(z, axis=1)
derive grad y wrt h, z as g
derive vjp y, n wrt z, x as pulled
derive jvp n wrt h as pushed
derive jacobian n wrt h per B as J
derive hvp y wrt z, h as bent
"""
    found = checked(text, levels=["-O0", "-O2"])
    assert found.mistakes == ()
    compared = {(one.function, one.path) for one in found.compared}
    assert {("g", "h"), ("g", "z"), ("pushed", "h"), ("J", "h"), ("bent", "z")} <= compared
    assert all(one.gap <= one.limit for one in found.compared)
    assert any(one.numerical != 0 for one in found.compared if one.path == "h")


def test_a_wrong_derivative_by_a_node_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    made = loaded(
        compile_text("input x: [3]\nh = sin(x)\noutput y = sum(h**2)\nderive grad y wrt h").text,
        "on_the_way",
    )
    x = np.array([0.3, -0.7, 1.1])
    assert made.check(x)["grad_y"] < 1e-9
    monkeypatch.setattr(made, "grad_y", lambda x: {"h": 2 * np.sin(x) + 1e-4})
    with pytest.raises(ArithmeticError, match="`grad_y` by `h`"):
        made.check(x)


KINKS = "input x: [3]\noutput y = sum(relu(x)) + sum(abs(x))"


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_kink_is_not_compared_but_no_slope_does(
    dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = loaded(compile_text(KINKS, options=Options(dtype=dtype)).text, f"kinks_{dtype}")
    x = np.array([0.0, 0.0, 1.0])
    made.check(x)
    # with slopes from -1 to 2 on both sides, 5 is none
    wrong = {"x": np.array([5.0, 5.0, 2.0])}
    monkeypatch.setattr(made, "value_and_grad_y", lambda x: (2.0, wrong))
    with pytest.raises(ArithmeticError, match="`value_and_grad_y` by `x`"):
        made.check(x)


def test_small_derivatives_are_compared_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """1e-40 is not 2e-40, though both are nearly 0; what rounding makes of a constant is."""
    text = (
        "input x: [2]\noutput y = 1e-40 * sum(x**3)\noutput z = (x[0] + 1e5) - x[0]\nderive grad y"
    )
    made = loaded(compile_text(text).text, "small")
    x = np.array([0.5, 1.5])
    assert made.check(x)["grad_y"] < 1e-6
    monkeypatch.setattr(made, "grad_y", lambda x: {"x": 6e-40 * x**2})
    with pytest.raises(ArithmeticError, match="`grad_y` by `x`"):
        made.check(x)


UNSETTLED = {
    "rounding": ("input x: [2]\noutput y = 1e5 + 0.1 * sum(x)", "float32", {}),
    "chaos": (  # Newton's method for a root that there is not
        "input a\nscan s[i in 60] carry y = 1.0 { next y = (y + a / y) / 2 }\noutput root = y",
        "float64",
        {"a": -1.3},
    ),
    "steep": ("input a\noutput y = a**-30\nderive hessian y wrt a", "float64", {"a": 0.02}),
}


@pytest.mark.parametrize("name", UNSETTLED)
def test_where_steps_give_no_number_nothing_is_accused(name: str) -> None:
    text, dtype, given = UNSETTLED[name]
    found = checked(text, Options(dtype=dtype), ["-O0", "-O2"], **given)
    assert found.mistakes == ()
    assert any(one.why_not for one in found.compared) or name == "rounding"


def test_nan_of_the_module_is_wrong_and_nan_of_the_function_is_not() -> None:
    made = module("input x: []\noutput y = where(x > 0, sqrt(x), 0)")
    with np.errstate(all="ignore"), pytest.raises(ArithmeticError, match="nan, numerically 0"):
        made.check(-1.0)
    with np.errstate(all="ignore"):
        assert all(
            np.isnan(gap) for gap in module("input x\noutput y = log(x)").check(-1.0).values()
        )


# ---- the command -------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A wrong one, one that does not compile, a right one."""
    texts = {
        "wrong": RULES.format(**RIGHT | {"first": "sin(x)"}, use=USES["plain"]),
        "mistaken": "input x: [3]\noutput y = x + w\n",
        "right": "input x: [2]\noutput y = sum(log(x))\n",
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.graph").write_text(text, encoding="utf-8")
    return tmp_path / "wrong.graph", tmp_path / "mistaken.graph", tmp_path / "right.graph"


def test_every_file_is_checked(files: tuple[Path, ...]) -> None:
    done = run(*files)
    assert done.exit_code == 1
    assert f"{files[0]}:4:5" in done.stderr
    assert f"{files[1]}:2:16" in done.stderr
    assert f"{files[2]}: ok" in done.stdout
    assert f"{files[0]}: ok" not in done.stdout
    assert "Traceback" not in done.output


def test_json_says_all_of_every_file(files: tuple[Path, ...]) -> None:
    done = run("--format", "json", "--level", "all", *files)
    assert done.exit_code == 1
    found = json.loads(done.stdout)
    codes = [one["code"] for one in found if one["severity"] == "error"]
    assert codes[0] == "E421"
    assert "E200" in codes
    summaries = {
        Path(one["file"]).name: one["derivatives"] for one in found if "derivatives" in one
    }
    assert summaries.keys() == {"wrong.graph", "right.graph"}
    rows = summaries["wrong.graph"]
    assert {(row["level"], row["function"], row["path"]) for row in rows} == {
        (level, function, "v")
        for level in ("-O0", "-O2")
        for function in ("backward", "value_and_grad_e")
    }
    assert all(row["wrong"] for row in rows)
    assert not any(row["wrong"] for row in summaries["right.graph"])


def test_values_from_a_file(tmp_path: Path) -> None:
    graph, values = tmp_path / "kink.graph", tmp_path / "values.npz"
    graph.write_text(KINKS, encoding="utf-8")
    np.savez(values, x=np.array([0.0, 1.0, 2.0]))
    done = run("--at", values, graph)
    assert done.exit_code == 0, done.output
    assert "backward: not compared by `x`: the numerical derivatives do not" in done.stdout
    for path, said in ((graph, "no npz file of numbers"), (tmp_path / "none.npz", "No such file")):
        done = run("--at", path, graph)
        assert done.exit_code == 1
        assert said in done.stderr
    done = run("--at", values, graph, graph)
    assert done.exit_code == 2
    assert "one file" in done.stderr


def test_what_is_not_compared_is_said(tmp_path: Path) -> None:
    texts = {
        "meant": ("input x: [2]\noutput y = sum(stop(x) * x)\n", "on purpose"),
        "whole": ("input x: int[2]\noutput y = x + 1\n", "there are no derivatives"),
    }
    for name, (text, said) in texts.items():
        graph = tmp_path / f"{name}.graph"
        graph.write_text(text, encoding="utf-8")
        done = run("--level", "all", graph)
        assert done.exit_code == 0, done.output
        assert said in done.stdout


@pytest.mark.parametrize("level", ["1", "fast"])
def test_an_unknown_level(level: str, files: tuple[Path, ...]) -> None:
    done = run("--level", level, files[2])
    assert done.exit_code == 2
    assert "is not 0, 2 or all" in done.stderr
