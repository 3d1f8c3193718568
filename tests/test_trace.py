"""`--trace-nan`: the first node that makes nan or an infinity, its line, and what went in."""

from __future__ import annotations

import ast
import functools
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from graphc.cli.app import app
from graphc.compile.stages import Options, compile_text
from graphc.ir.graph import INPUT, building, source
from graphc.ir.types import Type
from graphc.ops.elementwise.arithmetic import accumulate
from graphc.targets.numpy.printing.expression import statements
from tests.loading import loaded

pytestmark = pytest.mark.levels


@functools.cache
def text(graph: str, level: str, dtype: str = "float64", trace: bool = True) -> str:
    options = Options(level=level, dtype=dtype, trace=trace)
    return compile_text(graph, "net.graph", options).text


def traced(graph: str, level: str, dtype: str = "float64") -> ModuleType:
    return loaded(text(graph, level, dtype), "traced")


def same(found: float, expected: float) -> bool:
    return bool(found == expected or (np.isnan(found) and np.isnan(expected)))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_what_it_says(level: str, dtype: str) -> None:
    made = traced("dim B\ninput x: [B, 2]\n\nz = log(x) * 2\noutput y = sum(z)\n", level, dtype)
    assert made.trace([[1.0, 2.0]]) is None
    found = made.trace([[1.0, 2.0], [0.5, -3.0], [-1.0, 4.0]])
    assert (found.function, found.node, found.operation) == ("forward", "z_log", "log")
    assert (found.place, found.steps, found.position) == ("net.graph:4:1", {}, (1, 1))
    assert np.isnan(found.made)
    (operand,) = found.operands
    assert operand == ("x", (3, 2), -3.0, 4.0, 0, 0, -3.0)
    assert (found.value.shape, found.value.nans, found.value.infinities) == ((3, 2), 2, 0)
    assert found.value.largest == np.log(np.dtype(dtype).type(4))
    assert str(found).splitlines() == [
        "`log` makes nan: `z_log[1, 1]`, in forward",
        " --> net.graph:4:1",
        "  |",
        "4 | z = log(x) * 2",
        "  | ^^^^^^^^^^^^^^",
        "  = `z_log`: [3, 2], from -0.693147 to 1.38629, 2 nan; here nan",
        "  = `x`: [3, 2], from -3 to 4; here -3",
    ]


@pytest.mark.parametrize(
    ("graph", "given", "function", "operation", "line", "made"),
    [
        ("input x: []\ny = 1 / x\noutput z = y - y", 0.0, "forward", "/", 2, np.inf),
        ("input x: []\ny = -x\noutput z = log(y + 2)", 2.0, "forward", "log", 3, -np.inf),
        ("input x: [3]\noutput y = sum(exp(x))", [1.0, 800, 2], "forward", "exp", 2, np.inf),
        ("input x: []\ny = sqrt(x)\noutput z = 3 * y", 0.0, "backward", "/", 2, np.inf),
        ("input x: []\noutput y = where(x > 0, sqrt(x), 0)", -1.0, "forward", "sqrt", 2, np.nan),
        ("dim B\ninput x: [B]\noutput y = mean(x)", [], "forward", "mean", 3, np.nan),
        ("input x, z: []\noutput y = x % z", (1.0, 0.0), "forward", "%", 2, np.nan),
    ],
)
def test_the_first_node(
    graph: str, given: Any, function: str, operation: str, line: int, made: float, level: str
) -> None:
    arguments = given if isinstance(given, tuple) else (given,)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = traced(graph, level).trace(*arguments)
    assert (found.function, found.operation) == (function, operation)
    assert found.place.startswith(f"net.graph:{line}:")
    assert same(found.made, made)


def test_second_derivatives(level: str) -> None:
    """(x³ᐟ²)″ = ¾ x⁻¹ᐟ² is infinite at 0, where the function and its slope are 0."""
    graph = "input x: [2]\noutput y = sum(sqrt(x)**3)\n"
    smooth = "input x: [2]\noutput y = sum(x**1.5)\nderive {} y wrt x as {}\n"
    assert traced(graph, level).trace([0.0, 1.0]).function == "backward"
    for kind in ("hessian", "hessian_matrix", "hvp"):
        made = traced(smooth.format(kind, "bend"), level)
        assert made.trace([4.0, 1.0]) is None
        found = made.trace([4.0, 0.0])
        assert found.function == "bend"
        assert found.place == "net.graph:2:1"
        assert found.made == np.inf


@pytest.mark.parametrize("kind", ["jvp", "vjp", "jacobian", "jacobian_matrix", "grad"])
def test_every_kind_of_derivative(kind: str, level: str) -> None:
    """The slope of sqrt at 0, where `backward` is asked of a parameter, which has none."""
    graph = f"param w: []\ninput x: []\noutput y = w + sqrt(x)\nderive {kind} y wrt x as slope\n"
    made = traced(graph, level)
    assert made.trace({"w": 1.0}, 0.5) is None
    found = made.trace({"w": 1.0}, 0.0)
    assert (found.function, found.place, found.made) == ("slope", "net.graph:3:1", np.inf)


def test_the_step_of_a_loop(level: str) -> None:
    """s = s²: from 1e20 on the fifth square, 1e320·…, is no float."""
    made = traced("input x: []\nscan r[t in 8] carry s = x { next s = s * s }\noutput y = s", level)
    assert made.trace(1.01) is None
    found = made.trace(1e20)
    assert (found.function, found.steps, found.made) == ("forward", {"t": 3}, np.inf)
    assert found.operands[0].here == pytest.approx(1e160)
    assert "in forward, step t = 3" in str(found)


def test_loops_in_loops_forward_and_backward(level: str) -> None:
    graph = """input x: [2, 3]
scan rows[i in 2] carry s = 1e-200 {
    scan row[j in 3] carry r = s { next r = r * x[i, j] }
    next s = r
}
output y = s
"""
    made = traced(graph, level)
    value = np.ones((2, 3))
    assert made.trace(value) is None
    value[:, 1:] = 1e200
    found = made.trace(value)
    assert (found.function, found.steps) == ("forward", {"i": 1, "j": 1})
    assert found.made == np.inf
    value[0], value[1] = 1e150, 1.0  # y = 1e250, but what it grows with, going back, is 1e450
    found = made.trace(value)
    assert (found.function, found.steps) == ("backward", {"i": 0, "j": 0})
    assert found.place.startswith("net.graph:3:")


def test_until(level: str) -> None:
    graph = """input x: []
scan r[t in 50] carry s = x {
    next s = s * s
    until s > 100
}
output y = s
"""
    made = traced(graph, level)
    assert made.trace(2.0) is None
    assert made.trace(1e200).steps == {"t": 0}


def test_in_a_block_its_use_and_its_statement(level: str) -> None:
    made = traced(
        "block safe(x: [K]) -> y: [K] {\n    z = x - 1\n    y = log(z)\n}\n"
        "input v: [2]\noutput y = sum(safe(v))\n",
        level,
    )
    found = made.trace([2.0, 1.0])
    assert found.place == "net.graph:6:16"
    assert found.line.splitlines()[2] == "6 | output y = sum(safe(v))"
    assert " --> net.graph:3:5" in found.line
    assert "3 |     y = log(z)" in found.line


def test_arguments_that_hold_nan(level: str) -> None:
    graph = """dim B
input x: [B, 2]
input unread: []
x -> repeat layer[k in 1..3] { dense(2, act=tanh) } -> h
output y = sum(h)
"""
    made = traced(graph, level)
    params = made.init(seed=0)
    assert made.trace(params, np.ones((2, 2)), np.nan) is None
    found = made.trace(params, [[1.0, 2.0], [np.nan, 1.0]], 0.0)
    assert (found.operation, found.node, found.position) == ("input", "x", (1, 0))
    assert str(found).splitlines()[0] == "input `x[1, 0]` is nan"
    params["layer.2.W"][0, 1] = np.nan
    found = made.trace(params, np.ones((2, 2)), 0.0)
    assert (found.operation, found.node, found.position) == ("parameter", "layer.*.W", (1, 0, 1))


def test_infinities_that_are_meant(level: str) -> None:
    """A mask of -inf is no fault, in the file or in an argument, until it makes nan."""
    graph = """input s: [2, 3]
input bias: [2, 3]
p = softmax(where(s > 0, s, -inf) + bias)
output y = sum(p**2)
"""
    made = traced(graph, level)
    scores = np.array([[1.0, 2.0, -1.0], [0.5, -2.0, 1.0]])
    mask = np.zeros((2, 3))
    mask[0, 1] = -np.inf
    with np.errstate(all="raise"):
        assert made.trace(scores, np.zeros((2, 3))) is None
        assert made.trace(scores, mask) is None
        found = made.trace(-scores - 10, mask)  # a row without an entry: all of it is -inf
    assert (found.function, found.place) == ("forward", "net.graph:3:1")
    assert np.isnan(found.made)
    # …and beside one that is meant, one that is not
    made = traced("input s: [3]\noutput y = max(exp(where(s > 0, s, -inf)) + exp(s))", level)
    found = made.trace([-1.0, 1.0, 800.0])
    assert (found.operation, found.position, found.made) == ("exp", (2,), np.inf)
    assert traced("input s: [2]\noutput y = sum(s)", level).trace([1.0, np.inf]).node == "s"


def test_what_went_in_by_row_and_column(level: str) -> None:
    made = traced("input x: [2, 3]\nparam W: [3, 4]\noutput y = sum(x @ W)", level)
    x, W = np.ones((2, 3)), np.ones((3, 4))
    x[1], W[:, 2] = 1e200, [1.0, 1e200, 2.0]
    found = made.trace({"W": W}, x)
    assert (found.operation, found.position) == ("matmul", (1, 2))
    left, right = found.operands
    np.testing.assert_array_equal(left.here, [1e200] * 3)
    np.testing.assert_array_equal(right.here, [1.0, 1e200, 2.0])
    assert "here 1, 1e+200, 2" in str(found)


def test_names_that_it_uses_itself(level: str) -> None:
    graph = """input found, first, given, Trace: []
out = log(found) + first
value = out * given
output number = value + Trace
"""
    made = traced(graph, level)
    assert made.trace(1.0, 2.0, 3.0, 4.0) is None
    found = made.trace(-1.0, 2.0, 3.0, 4.0)
    assert (found.operation, found.operands[0].name) == ("log", "found")


def test_the_rest_of_the_module_stays_as_it_is(level: str) -> None:
    graph = """dim B
input x: [B, 3]
h = dense(x, 4, act=relu)
output y = mean(softmax(h)**2)
derive value_and_grad y wrt params
derive hessian y wrt x
"""
    plain = text(graph, level, trace=False)
    assert "race" not in plain

    def functions(source: str) -> dict[str, str]:
        body = ast.parse(source).body
        return {f.name: ast.unparse(f) for f in body if isinstance(f, ast.FunctionDef)}

    before, after = functions(plain), functions(text(graph, level))
    assert before.items() <= after.items()
    added = {name for name in after if name not in before}
    assert {"trace", "_forward_trace", "_backward_trace", "_hessian_y_trace"} <= added
    assert all(name.startswith(("trace", "_")) for name in added)


def test_it_is_an_option_of_compile(level: str, tmp_path: Path) -> None:
    graph = tmp_path / "net.graph"
    graph.write_text("input x: []\noutput y = log(x)\n", encoding="utf-8")
    done = CliRunner().invoke(app, ["compile", level, "--trace-nan", str(graph), "-o", "-"])
    assert done.exit_code == 0, done.output
    assert str(tmp_path) not in done.stdout  # a module does not tell where it was made
    found = loaded(done.stdout, "by_command").trace(0.0)
    assert (found.place, found.made) == ("net.graph:2:1", -np.inf)


def test_a_sum_of_very_many_terms() -> None:
    """Python limits how deep an expression may be; a sum of 3000 terms is read as 60 statements."""
    with building():
        terms = [source(INPUT, f"x{n}", Type("float", ())) for n in range(3000)]
        lines = statements(
            "y", accumulate(*terms), {term: f"x[{n}]" for n, term in enumerate(terms)}
        )
    scope: dict[str, Any] = {"x": list(range(1, 3001))}
    exec("\n".join(lines), scope)
    assert scope["y"] == 3000 * 3001 // 2
    assert all(line.startswith("y = ") for line in lines)


def test_a_graph_of_nothing_given(level: str) -> None:
    """There is nothing to convert where a function has no arguments."""
    assert traced("output y = 1 / ones([2])", level).trace() is None
    found = traced("output y = log(zeros([2]))", level).trace()
    assert (found.operation, found.made) == ("log", -np.inf)
