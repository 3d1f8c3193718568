"""Functions of NumPy arrays as graphs: their values, their derivatives, and what is refused."""

from __future__ import annotations

import inspect
import math
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import graphc
from graphc.cli.app import app
from graphc.source import Source
from graphc.syntax.format.formatter import format_source
from tests.conftest import long
from tests.numpy_functions import FUNCTIONS, Written


def leaves(found: Any) -> list[Any]:
    if isinstance(found, dict):
        found = list(found.values())
    if isinstance(found, tuple | list):
        return [leaf for one in found for leaf in leaves(one)]
    return [found]


def differentiated(one: Written, level: int) -> Any:
    """The module of a function, with the products of its cotangents by all that is float."""
    imported = graphc.import_numpy(one.function, one.declare)
    assert format_source(Source("a.graph", imported.text)) == imported.text
    graph = graphc.compile_text(imported.text, "f", level=level).module().GRAPH
    outputs, wrt = list(graph["outputs"]), [*graph["params"], *float_inputs(graph)]
    clause = f"vjp {', '.join(outputs)} wrt {', '.join(wrt)} as pull"
    return imported.compile(level=level, derive=[clause]).module()


def float_inputs(graph: Any) -> list[str]:
    return [name for name, type in graph["inputs"].items() if not type.startswith(("int", "bool"))]


CASES = [pytest.param(one, id=one.function.__name__) for one in FUNCTIONS]


@pytest.mark.parametrize("level", [0, long(2)])
@pytest.mark.parametrize("one", CASES)
def test_value_and_derivative_are_those_of_the_function(one: Written, level: int) -> None:
    """To 1e-12, the derivative against a complex step."""
    net = differentiated(one, level)
    names = list(inspect.signature(one.function).parameters)
    given = dict(zip(names, one.arguments, strict=False))
    wanted = leaves(one.function(*[np.array(value) if isinstance(value, np.ndarray) else value
                                   for value in one.arguments]))  # fmt: skip
    params = {path: given[path] for path in getattr(net, "PARAMETERS", ())}
    inputs = {name: given[name] for name in net.GRAPH["inputs"]}
    random = np.random.default_rng(1)
    cotangents = {
        name: random.normal(size=np.shape(value))
        for name, value in zip(net.GRAPH["outputs"], wanted, strict=True)
    }
    values, pulled = net.pull(*([params] if params else []), **inputs, cotangents=cotangents)
    for found, value in zip(values, wanted, strict=True):
        np.testing.assert_allclose(found, value, rtol=1e-12, atol=1e-12)
    for path, product in pulled.items():
        direction = random.normal(size=np.shape(given[path]))
        expected = slope(one, given, path, direction, cotangents)
        assert np.sum(product * direction) == pytest.approx(expected, rel=1e-12, abs=1e-12)


def slope(
    one: Written, given: dict[str, Any], path: str, direction: Any, cotangents: dict[str, Any]
) -> float:
    moved = {**given, path: given[path] + 1e-30j * direction}
    found = leaves(one.analytic(*moved.values()))
    pairs = zip(found, cotangents.values(), strict=True)
    return float(sum(np.sum(value * ct) for value, ct in pairs).imag / 1e-30)


def test_a_graph_reads_as_the_function() -> None:
    def loss(x: Any, t: Any, w: Any, b: Any) -> Any:
        """The mean squared distance from a plane."""
        y = x @ w + b
        error = y - t
        return np.mean(error**2)

    declare = "input x: [B, 3]; input t: [B]; param w: [3]; param b"
    assert graphc.import_numpy(loss, declare).text == (
        '"""The mean squared distance from a plane."""\n'
        "dim B\n"
        "input x: [B, 3]\n"
        "input t: [B]\n"
        "param w: [3]\n"
        "param b\n"
        "y = x @ w + b\n"
        "error = y - t\n"
        "output loss = mean(error**2)\n"
    )


@pytest.mark.parametrize("level", [0, 2])
def test_derivatives_at_hard_points_are_those_of_the_branch_taken(level: int) -> None:
    """By hand: `where` at its border takes the second branch, a clipped number at a bound 1."""

    def f(x: Any) -> Any:
        return np.sum(np.where(x > 0, x**2 + x, -x) + 3 * np.clip(x, 0.0, 1.0) + 5 * np.abs(x))

    net = graphc.import_numpy(f, "input x: [4]").compile(level=level).module()
    x = np.array([0.0, 1.0, -2.0, 0.5])
    loss, grads = net.value_and_grad_f(x)
    assert grads["x"].tolist() == [-1 + 3 + 0, 3 + 3 + 5, -1 + 0 - 5, 2 + 3 + 5]
    assert float(loss) == f(x)


def test_parameters_in_dicts_and_lists_have_values(tmp_path: Path) -> None:
    params = {"layers": [{"W": np.full((3, 2), 0.1), "b": np.zeros(2)}], "scale": np.array(2.0)}

    def net(params: Any, x: Any) -> Any:
        h = x
        for layer in params["layers"]:
            h = np.tanh(h @ layer["W"] + layer["b"])
        return {"h": h, "loss": params["scale"] * np.mean(h**2)}

    imported = graphc.import_numpy(net, "input x: [B, 3]", params=params)
    assert list(imported.params) == ["params_layers_0_W", "params_layers_0_b", "params_scale"]
    imported.write(tmp_path / "net.graph")
    module = graphc.load(tmp_path / "net.graph")
    loaded = graphc.load_parameters(tmp_path / "net.npz", module)
    x = np.ones((4, 3))
    assert module.forward(loaded, x)[0].loss == pytest.approx(net(params, x)["loss"], abs=1e-15)


def test_large_arrays_of_the_function_are_parameters_and_small_ones_are_written() -> None:
    large, small = np.random.default_rng(0).normal(size=(20, 20)), np.array([1.5, -2.0])

    def f(x: Any) -> Any:
        return np.sum(x @ large * small[0]) + np.sum(x[:2] * small) + np.sum(np.eye(2) * x[0])

    imported = graphc.import_numpy(f, "input x: [20]")
    assert imported.params.keys() == {"large"}
    assert np.array_equal(imported.params["large"], large)
    assert "const small = [1.5, -2.0]" in imported.text
    assert "eye(2)" in imported.text


GENERATOR = np.random.default_rng(0)
REFUSED = {
    "of control": (
        lambda x: x if x > 0 else -x, "",
        "the flow of control depends on a value", "x > 0", "np.where(condition, a, b)",
    ),
    "of math": (
        lambda x: math.exp(x), "",
        "a number of Python's is made of what is only computed later", "math.exp(x)",
        "functions of `np`",
    ),
    "of no counterpart": (
        lambda x: np.fft.fft(x), "input x: [3]",
        "`np.fft.fft` has no counterpart in the language", "np.fft.fft(x)", "",
    ),
    "of a mask": (
        lambda x: x[x > 0], "input x: [3]",
        "a mask selects as many elements as its values say", "x[x > 0]", "np.where(mask, x, 0)",
    ),
    "of complex numbers": (
        lambda x: x * 1j, "", "there are no complex numbers in the language", "x * 1j", "",
    ),
    "of random numbers": (
        lambda x: x + np.random.normal(size=3), "input x: [3]",
        "random numbers are drawn", "np.random.normal(size=3)", "draw them outside",
    ),
    "of a generator": (
        lambda x: x + GENERATOR.uniform(0, 1, 3), "input x: [3]",
        "random numbers are drawn", "GENERATOR.uniform(0, 1, 3)", "draw them outside",
    ),
    "of shapes": (
        lambda x, y: x + y, "input x: [N]; input y: [M]",
        "shapes do not fit in `+`: [N] and [M]", "x + y", "insert axes",
    ),
    "of an open range": (
        lambda x: sum(x[i] for i in range(x.shape[0])), "input x: [N]",
        "needs the size N, which is open", "range(x.shape[0])", "a number in the place of `N`",
    ),
    "of a text": (lambda x: "a", "", "returns a `str`, no array", "lambda x", ""),
    "of nothing": (lambda x: None, "", "returns nothing", "lambda x", "return what it computes"),
    "of its own": (
        lambda x: {}["x"], "", "the function raises KeyError: 'x'", '{}["x"]', "",
    ),
    "of a view": (
        lambda x: np.copyto(x.T, 1.0), "input x: [2, 2]",
        "`np.copyto` has no counterpart", "np.copyto(x.T, 1.0)", "",
    ),
    "of an unknown argument": (
        lambda x: x, "input y: [2]", "the function has no argument `y`", "", "its arguments: `x`",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_said_is_told_at_its_place(name: str) -> None:
    function, declare, message, place, help = REFUSED[name]
    with pytest.raises(graphc.GraphError) as raised:
        graphc.import_numpy(function, declare)
    (found,) = raised.value.diagnostics
    assert message in found.message
    if place:
        assert place in found.span.text if place == "lambda x" else found.span.text == place
    assert help in "".join(note.message for note in found.notes)


def test_numpy_is_itself_again_after_a_mistake() -> None:
    before = np.array, np.zeros
    with pytest.raises(graphc.GraphError):
        graphc.import_numpy(REFUSED["of control"][0])
    assert (np.array, np.zeros) == before


MODEL = """\
import numpy as np
from numpy import zeros

W = np.sin(np.arange(200.0)).reshape(100, 2)


def loss(x, lam=0.5):
    "A sum."
    y = zeros(2)
    y[0] = (x @ W)[0]
    y[1] = lam
    return np.sum(y)
"""


def test_the_command_writes_the_graph_and_its_parameters(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(MODEL, encoding="utf-8")
    out = tmp_path / "loss.graph"
    source = f"{tmp_path / 'model.py'}:loss"
    runner = CliRunner()
    done = runner.invoke(app, ["import", source, "--declare", "input x: [100]", "-o", str(out)])
    assert done.exit_code == 0, done.output
    module = graphc.load(out)
    params = graphc.load_parameters(tmp_path / "loss.npz", module)
    x = np.linspace(0, 1, 100)
    expected = x @ np.sin(np.arange(200.0)).reshape(100, 2)[:, 0] + 0.5
    assert float(module.forward(params, x)[0].loss) == pytest.approx(expected)
    printed = runner.invoke(app, ["import", source, "--declare", "input x: [100]"])
    assert printed.stdout == out.read_text(encoding="utf-8")
    assert "1 parameters have values; -o writes them" in printed.stderr


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("model.py", "is not FILE.py:FUNCTION or MODULE:FUNCTION"),
        ("nowhere.py:f", "there is no file nowhere.py"),
        ("graphc_nowhere:f", "No module named"),
        ("numpy:exq", "did you mean `exp`?"),
        ("numpy:pi", "is no function"),
    ],
)
def test_the_command_says_what_is_no_function(source: str, said: str) -> None:
    done = CliRunner().invoke(app, ["import", source])
    assert done.exit_code == 1
    assert said in done.stderr


def test_the_command_prints_a_mistake_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text("def f(x):\n    return abs(x) if x > 1 else x\n", "utf-8")
    done = CliRunner().invoke(app, ["import", f"{tmp_path / 'm.py'}:f"])
    assert done.exit_code == 1
    assert "m.py:2:22" in done.stderr
    assert "^^^^^" in done.stderr


def test_the_example_shows_a_function_become_a_gradient(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parent.parent / "examples"))
    import_module("imported").main(tmp_path)
    printed = capsys.readouterr().out
    assert printed.count("✓") == 3
    assert "z = x @ w" in printed
    assert "d_w = (" in printed
