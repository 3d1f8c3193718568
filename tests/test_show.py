"""`graphc show`: what it says of a schedule is true, and it is said as other commands say it."""

from __future__ import annotations

import io
import json
import re
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from calling import given
from click.testing import CliRunner, Result
from conftest import LEVELS, in_turn
from rich.console import Console

from graphc.cli.app import app
from graphc.cli.cost import print_costs
from graphc.cli.show import function_record, graph_record
from graphc.cli.tables import print_function, print_graph, with_prefix
from graphc.compile.stages import Options, compile_file, compile_text, load

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
WORKLOADS = ROOT / "benchmarks" / "workloads"
GRAPH = """dim B, D = 3
input x: [B, D]
param W: [D, 2]
h = tanh(x @ W)
scan step[t in 4] carry s = zeros([2]) {
    next s = s * 0.5 + sum(h, axis=0)
    collect ss = s
}
output y = sum(h**2) + sum(ss)
"""


def run(*arguments: str | Path, input: str | None = None) -> Result:
    level = [] if any(str(one).startswith("-O") for one in arguments) else ["-O0"]
    return CliRunner().invoke(app, ["show", *level, *map(str, arguments)], input=input)


def told(*arguments: str | Path, input: str | None = None) -> dict[str, Any]:
    """What is said as JSON: the graph, and the functions by name."""
    result = run(*arguments, "--format", "json", input=input)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    return {"graph": found["graph"], **{one["function"]: one for one in found["functions"]}}


# ---- what is told ------------------------------------------------------------------------------


def test_a_schedule_by_hand() -> None:
    """Each statement with its type, its memory, its multiply-adds, and what lives after it."""
    text = "input x: [10, 4]\ninput w: [4, 5]\na = x @ w\nb = exp(a)\noutput y = sum(b * a)"
    forward = told("-", "--derive", "value y as v", input=text)["v"]
    rows = [
        (one["variable"], one["written"], one["type"], one["bytes"], one["frees"], one["live"])
        for one in forward["statements"]
    ]
    assert rows == [
        ("a", "x @ w", "[10, 5]", 400, [], 400),
        ("b", "exp(a)", "[10, 5]", 400, [], 800),
        ("y", "sum(b * a)", "[]", 0, ["a", "b"], 0),
    ]
    assert forward["statements"][0]["multiply_adds"] == 200
    assert forward["statements"][2]["during"] == forward["peak"] == 1200  # b * a has no name


COUNTED = {
    "sigmoids and powers in numbers": """input x: [2]
param w: [2]
output y = sum(sigmoid(w * x)**2) + x[0]**8
derive grad y wrt w, x
derive jacobian y wrt x as J
""",
    "a loop that starts from a sum, sizes that are computed": """dim B, D
input x: [B, D]
param W: [D, D]
a = x @ W + mean(x) / 3
scan step[t in 4] carry s = a + x {
    next s = sigmoid(s @ W)
}
output y = mean(s**2)
""",
    "a mode for each size of the dims": """dim M, N
input x: [N]
param A: [N, N]; param C: [M, N]
output y = C @ tanh(A @ x)
derive jacobian_matrix y wrt x as J
""",
}


@pytest.mark.parametrize("text", COUNTED.values(), ids=COUNTED)
def test_work_is_counted_once(text: str) -> None:
    """A function takes what its statements take together, and `cost` says the same of each."""
    said = CliRunner().invoke(app, ["cost", "-", "--format", "json"], input=text)
    costs = {(one["function"], one["mode"]): one for one in json.loads(said.stdout)["functions"]}
    for level, key in zip(LEVELS, ("multiply_adds", "multiply_adds_fast"), strict=True):
        shown = json.loads(run("-", "--format", "json", level, input=text).stdout)["functions"]
        for one in shown:
            rows = [each["multiply_adds"] for each in one["statements"] if not each["depth"]]
            for sizes in ({"B": 3, "D": 2, "M": 4, "N": 5}, {"B": 50, "D": 7, "M": 9, "N": 2}):
                whole, *parts = (_at(amount, sizes) for amount in (one["multiply_adds"], *rows))
                assert sum(parts) == whole, one["function"]
            assert costs[one["function"], one["mode"] or "-"][key] == one["multiply_adds"]


def _at(amount: int | str, sizes: dict[str, int]) -> int:
    found: int = eval(amount, dict(sizes)) if isinstance(amount, str) else amount
    return found


def test_a_function_of_numbers_costs_what_is_written_in_it() -> None:
    """Twice w x, -, exp, 1 +, 1 /, then 2 s (s (1 - s)) x: an exponential is 20, others are 1."""
    text = "input x: [2]\nparam w: [2]\noutput y = sum(sigmoid(w * x)**2)\nderive grad y wrt w\n"
    found = told("-", "-O2", "--function", "grad_y", input=text)["grad_y"]
    assert found["multiply_adds"] == 2 * (1 + 1 + 20 + 1 + 1 + 4 + 1)


def test_unknown_dims_are_polynomials() -> None:
    found = told("-", input=GRAPH)
    assert found["graph"]["dims"] == {"B": None, "D": 3}
    assert found["graph"]["inputs"] == [{"name": "x", "type": "[B, D]", "bytes": "24*B"}]
    (first, *_) = found["forward"]["statements"]
    assert (first["variable"], first["type"], first["bytes"]) == ("h", "[B, 2]", "16*B")
    assert "B" in str(found["value_and_grad_y"]["peak"])


def test_known_dims_are_numbers() -> None:
    found = told("-", "--dim", "B=32", "--dtype", "float32", input=GRAPH)
    assert found["graph"]["inputs"][0]["bytes"] == 4 * 32 * 3
    assert found["forward"]["statements"][0]["bytes"] == 4 * 32 * 2
    assert isinstance(found["forward"]["peak"], int)


def test_a_loop_shows_its_step() -> None:
    statements = told("-", "--dim", "B=2", input=GRAPH)["forward"]["statements"]
    (loop,) = (one for one in statements if one["operation"] == "loop")
    assert loop["written"] == "for t in 0..3"
    inside = [one for one in statements if one["depth"] == 1]
    assert inside
    stacked = 8 * 4 * 2
    assert loop["bytes"] >= stacked


def test_buffers_of_the_fast_module() -> None:
    """The names of the statements are those of the buffers, and so are those of the module."""
    file = EXAMPLES / "digits.graph"
    text = compile_file(file, Options(level="-O2")).text
    for name, one in told(file, "-O2").items():
        if name == "graph":
            continue
        buffers = {each["name"] for each in one["buffers"]}
        assert all(f"{buffer} = " in text for buffer in buffers)
        used = {each["buffer"] for each in one["statements"]} & buffers
        assert used
    plain = told(file, "-O0")
    assert not any(one.get("buffers") for one in plain.values())


def test_one_function_and_what_is_derived() -> None:
    found = told("-", "--derive", "jacobian y wrt x as J", "--function", "J", input=GRAPH)
    assert list(found) == ["graph", "J"]
    assert found["J"]["mode"] in ("forward", "reverse", "mixed")


# ---- the peak is measured ----------------------------------------------------------------------


@pytest.mark.parametrize("at", LEVELS)
@pytest.mark.parametrize(
    ("path", "dims"),
    [
        (EXAMPLES / "digits.graph", {"B": 1000}),
        (WORKLOADS / "mlp.graph", {"B": 400}),
        (WORKLOADS / "deep.graph", {"B": 400}),
        (ROOT / "tests/language/examples/05_lstm.graph", {"B": 30, "T": 50}),
        (WORKLOADS / "elementwise.graph", {"N": 100_000}),
        (WORKLOADS / "transformer.graph", {"B": 4, "T": 64}),
    ],
    ids=lambda one: one.stem if isinstance(one, Path) else None,
)
def test_the_peak_is_what_is_measured(
    path: Path, dims: dict[str, int], at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within 10 %, of functions that start with no scratch, with that of one thread."""
    monkeypatch.setenv("GRAPHC_THREADS", "1")
    words = [word for name, size in dims.items() for word in ("--dim", f"{name}={size}")]
    found = told(path, at, *words)
    result = compile_file(path, Options(dims=dims, level=at))
    made = load(result.text, "measured")
    for name, arguments in given(result.model).items():
        cotangents = arguments.pop("cotangents", {})
        if name == "backward":
            _, cache = made.forward(**arguments)
            arguments = {"cache": cache, **cotangents}
        getattr(made, name)(**arguments)
        vars(made).get("_SCRATCH", {}).clear()
        tracemalloc.start()
        try:
            kept = getattr(made, name)(**arguments)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        del kept
        assert found[name]["peak"] == pytest.approx(peak, rel=0.1), name


# ---- how it is said ----------------------------------------------------------------------------


@in_turn("path", sorted(EXAMPLES.glob("*.graph")), ids=lambda path: path.stem)
def test_examples_are_readable(path: Path, level: str) -> None:
    """A line of totals for each function, and no line of more than 100 columns."""
    result = run(path, level)
    assert result.exit_code == 0, result.output
    functions = [name for name in told(path, level) if name != "graph"]
    for name in functions:
        assert f"\n{name}: " in result.stdout or f"\n{name} (" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 100
    assert "* " in result.stdout


def test_the_text_of_a_function() -> None:
    result = run("-", "--dim", "B=1000", "--function", "forward", input=GRAPH)
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["h", "tanh(x", "@", "W)", "[1000,", "2]", "16", "kB", "46", "k"] in [
        line[:10] for line in lines
    ]
    assert any(line[:4] == ["for", "t", "in", "0..3"] for line in lines)
    assert any(line[:1] == ["free"] for line in lines)


@pytest.mark.parametrize(
    ("number", "expected"),
    [(0, "0 "), (999, "999 "), (1000, "1 k"), (12_345, "12.3 k"), (999_999, "1 M")],
)
def test_numbers_have_prefixes(number: int, expected: str) -> None:
    assert with_prefix(number) == expected


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["missing.graph"], 1, ["E001", "cannot read missing.graph"]),
        (["-", "--format", "xml"], 2, ["`xml` is not text or json"]),
        (["-", "-O1"], 2, ["there is no level 1"]),
        (["-", "--dtype", "float16"], 2, ["float64 or float32"]),
        (["-", "--dim", "B=0"], 2, ["not a positive integer"]),
        (["-", "--function", "forwards"], 2, ["no function `forwards`", "`forward`?"]),
        (["-", "--function", "q"], 2, ["no function `q`", "forward, backward"]),
        (["-", "--derive", "grad q wrt x"], 1, ["error[", "q"]),
        (["-", "--mode", "sideways"], 2, ["reverse, forward or mixed"]),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else None,
)
def test_mistakes(arguments: list[str], code: int, words: list[str]) -> None:
    result = run(*arguments, input=GRAPH)
    assert result.exit_code == code, result.output
    said = " ".join(result.stderr.replace("│", " ").split())
    for word in words:
        assert word in said
    assert "Traceback" not in result.output
    assert result.stdout == ""


def test_a_graph_that_is_wrong_is_explained() -> None:
    result = run("-", input="input x: [3]\noutput y = x + z\n")
    assert result.exit_code == 1
    assert "error[" in result.stderr
    assert "<stdin>:2:16" in result.stderr


def test_shapes_in_float64_and_float32_take_twice_and_once() -> None:
    wide, narrow = (
        told("-", "--dim", "B=7", "--dtype", dtype, input=GRAPH) for dtype in ("float64", "float32")
    )
    for name in ("forward", "backward", "value_and_grad_y"):
        assert np.isclose(wide[name]["peak"], 2 * narrow[name]["peak"])


# ---- in terminals --------------------------------------------------------------------------------

WIDTHS = (60, 72, 80, 99, 100, 120, 160, 200)
LONG = """dim B, T
input x: [B, T, 64]
param first_of_the_weights: [64, 64]
a_value_with_a_long_name = tanh(x @ first_of_the_weights)
another_value_with_a_long_name = a_value_with_a_long_name * 2 + x
scan step[t in T] carry s = zeros([B, 64]) {
    next s = s * 0.5 + another_value_with_a_long_name[:, t] * a_value_with_a_long_name[:, t]
}
output total_of_everything = sum(s**2) + sum(another_value_with_a_long_name)
derive jacobian total_of_everything wrt first_of_the_weights as jacobian_of_the_total
"""


def laid_out(width: int, level: str, text: str = LONG) -> tuple[list[dict[str, Any]], str]:
    """The records of all functions, and what is printed of them in a terminal so wide."""
    stream = io.StringIO()
    console = Console(file=stream, width=width, highlight=False, markup=False)
    compiled = compile_text(text, "net", Options(level=level)).programs
    functions = [compiled.forward, compiled.backward, *compiled.derived]
    records = [function_record(compiled, one) for one in functions]
    for one in records:
        print_function(console, one)
    return records, stream.getvalue()


@pytest.mark.parametrize("width", WIDTHS)
def test_a_schedule_fits_the_terminal(width: int, level: str) -> None:
    records, said = laid_out(width, level)
    assert max(len(line.rstrip()) for line in said.splitlines()) <= width
    bare = re.sub(r"\s", "", said)
    for one in records:
        assert one["function"] in said
        for told in one["statements"]:
            start = (told["variable"] if "type" in told else told["written"])[:20]
            assert start in said
            assert told.get("type", "").replace(" ", "") in bare
            if isinstance(told["live"], str):
                assert told["live"].replace(" ", "") in bare


def test_the_arguments_of_a_graph_stand_in_a_narrow_terminal() -> None:
    """A short name leaves its room to the other columns."""
    stream = io.StringIO()
    console = Console(file=stream, width=40, highlight=False, markup=False)
    compiled = compile_text("dim B\ninput x: [B, 4]\nparam W: [4, 4]\noutput y = x @ W\n", "net")
    print_graph(console, graph_record(compiled.programs))
    lines = [line.split() for line in stream.getvalue().splitlines()]
    assert ["parameter", "W", "[4,", "4]", "128", "B"] in lines
    assert ["is", "type", "bytes"] in lines


@pytest.mark.parametrize("width", [60, 80, 200])
def test_nothing_is_cut_where_there_is_room(width: int, level: str) -> None:
    records, said = laid_out(width, level, GRAPH)
    bare = re.sub(r"\s", "", said)
    for one in records:
        for told in one["statements"]:
            assert re.sub(r"\s", "", told["written"]) in bare
            assert re.sub(r"\s", "", told["buffer"]) in bare
            if told["frees"] and width != 200:
                assert f"free{','.join(told['frees'])}" in bare


@pytest.mark.parametrize("width", WIDTHS)
def test_costs_fit_the_terminal(width: int) -> None:
    stream = io.StringIO()
    rows = [
        {"function": f"a_function_of_name_{n}", "mode": mode, "chosen": mode == "reverse",
         "multiply_adds": "123456*B*T**2 + 98765*B*T + 4321*B + 1", "bytes": 10**15 + n,
         "multiply_adds_fast": 123456789 if mode == "reverse" else None}
        for n in range(2) for mode in ("forward", "reverse", "mixed")
    ]  # fmt: skip
    print_costs(Console(file=stream, width=width, highlight=False, markup=False), rows)
    lines = stream.getvalue().splitlines()
    assert max(len(line.rstrip()) for line in lines) <= width
    assert sum("reverse*" in line for line in lines) == 2
    assert stream.getvalue().count("100000000000000") == 6
    if width >= 60:
        assert stream.getvalue().count("123456*B*T**2 + 98765*B*T + 4321*B + 1") == 6


@pytest.mark.parametrize(
    ("columns", "width"), [("50", 50), ("60", 60), ("200", 200), ("wide", 100), ("3", 40)]
)
@pytest.mark.parametrize("command", ["show", "cost", "explain"])
def test_a_pipe_is_as_wide_as_columns_says(command: str, columns: str, width: int) -> None:
    """Else 100; only a name that is wider itself sticks out. Where there is room it is used."""
    result = CliRunner().invoke(app, [command, "-"], input=LONG, env={"COLUMNS": columns})
    lines = [line.strip("│ -") for line in result.stdout.splitlines() if len(line) > width]
    assert not [line for line in lines if " " in line.removesuffix(" =")]
    assert max(map(len, result.stdout.splitlines())) > min(width, 100) - 20


def test_costs_as_json_are_numbers_where_they_are_known() -> None:
    text = "dim B\ninput x: [4]\ninput z: [B]\noutput y = sum(x * x)\noutput w = sum(z)"
    said = CliRunner().invoke(app, ["cost", "--format", "json", "-"], input=text)
    rows = {row["function"]: row for row in json.loads(said.stdout)["functions"]}
    assert rows["forward"]["multiply_adds"] == "B + 8"
    fixed = CliRunner().invoke(app, ["cost", "--format", "json", "--dim", "B=5", "-"], input=text)
    rows = {row["function"]: row for row in json.loads(fixed.stdout)["functions"]}
    assert rows["forward"]["multiply_adds"] == 13
