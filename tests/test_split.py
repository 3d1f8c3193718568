"""Graphs over the rows of an axis: what splits, and what chunks make against what all rows make."""

from __future__ import annotations

import json
import warnings
from functools import cache
from itertools import pairwise, product
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import graphc
from graphc.bridges.chunked import leaves
from graphc.cli.app import app
from graphc.compile.stages import Compilation, Options
from graphc.source import GraphError, Source
from graphc.views.split import judge
from tests.chunked_graphs import GRAPHS, NO
from tests.loading import loaded

PRECISIONS = ("float64", "float32")
SPLIT = [name for name, (_, expected) in GRAPHS.items() if NO not in expected.values()]


def verdict_of(text: str, over: str = "B") -> dict[str, str]:
    compilation = Compilation(Source("net.graph", text))
    return {line.result: line.how for line in judge(compilation, over).lines}


@pytest.mark.parametrize("name", GRAPHS)
def test_verdicts(name: str) -> None:
    text, expected = GRAPHS[name]
    found = verdict_of(text)
    assert {result: found[result] for result in expected} == expected


@cache
def module_of(text: str, level: str = "-O0", **more: Any) -> ModuleType:
    options = Options(split="B", level=level, **more)
    return loaded(Compilation(Source("net.graph", text), options).text, "net")


ROWS = 23


def arguments_of(net: ModuleType) -> dict[str, Any]:
    """Return arguments of a module by name; of integers ids below 3."""
    rng = np.random.default_rng(7)
    found: dict[str, Any] = {"params": net.init(seed=3)} if hasattr(net, "init") else {}
    for path in found.get("params", ()):
        found["params"][path] = rng.normal(size=np.shape(found["params"][path])).astype(net.FLOAT)
    for name, type_ in net.GRAPH["inputs"].items():
        inside = type_[type_.index("[") + 1 : -1].split(", ")
        shape = [ROWS if axis == "B" else 3 for axis in inside]
        made = rng.integers(0, 3, shape) if type_[0] == "i" else rng.normal(size=shape)
        found[name] = made if type_[0] == "i" else made.astype(net.FLOAT)
    return found


def chunk_of(given: dict[str, Any], start: int, stop: int) -> dict[str, Any]:
    return {name: one if name == "params" else one[start:stop] for name, one in given.items()}


def by_chunks(net: ModuleType, name: str, given: dict[str, Any], cuts: list[int]) -> Any:
    parts = [getattr(net, f"partial_{name}")(**chunk_of(given, *cut)) for cut in pairwise(cuts)]
    return getattr(net, f"finish_{name}")(getattr(net, f"combine_{name}")(*parts))


def assert_close(found: Any, expected: Any, tolerance: float) -> None:
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        for key, one in expected.items():
            assert_close(found[key], one, tolerance)
    elif isinstance(expected, tuple):
        assert type(found) is type(expected)
        for one, other in zip(found, expected, strict=True):
            assert_close(one, other, tolerance)
    else:
        assert np.shape(found) == np.shape(expected)
        assert np.asarray(found).dtype == np.asarray(expected).dtype
        size = max(1.0, float(np.max(np.abs(expected), initial=0)))
        assert np.max(np.abs(np.subtract(found, expected, dtype=float)), initial=0) < (
            tolerance * size
        )


def check_functions(name: str, level: str, dtype: str) -> None:
    """Compare all functions of a graph, by chunks cut in several ways, with those of all rows."""
    net = module_of(GRAPHS[name][0], level, dtype=dtype)
    given = arguments_of(net)
    empty = [0, 4, 4, 11, ROWS, ROWS]
    some = "largest" in str(net.__dict__) or name == "ties"
    for cuts in ([0, ROWS], [0, 7, 14, 21, ROWS], [0, 1, 2, ROWS], *([] if some else [empty])):
        for function in net.GRAPH["derived"]:
            expected = getattr(net, function)(**given)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # the mean of no rows
                found = by_chunks(net, function, given, cuts)
            assert_close(found, expected, 1e-11 if dtype == "float64" else 2e-4)


@pytest.mark.parametrize("name", SPLIT)
def test_chunks_make_what_all_rows_make(name: str) -> None:
    check_functions(name, "-O0", "float64")


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("logsumexp", "float64"),
        ("a loop with rows inside", "float64"),
        *(pytest.param(*case, marks=pytest.mark.long) for case in product(SPLIT, PRECISIONS)),
    ],
)
def test_fast_chunks_make_what_all_rows_make(name: str, dtype: str) -> None:
    check_functions(name, "-O2", dtype)


# ---- the same bits ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SPLIT)
def test_the_same_bits_for_any_number_of_shards(name: str) -> None:
    """Whoever computes which chunks, whoever is last, and where neighbours are merged before."""
    net = module_of(GRAPHS[name][0])
    given = arguments_of(net)
    cuts = [*pairwise([*range(0, ROWS, 2), ROWS])]
    for function in net.GRAPH["derived"]:
        partial, combine, finish = (
            getattr(net, f"{word}_{function}") for word in ("partial", "combine", "finish")
        )
        found = set()
        for shards in (1, 2, 3, 7):
            parts: dict[int, Any] = {}
            for shard in reversed(range(shards)):
                for number in range(shard, len(cuts), shards):
                    parts[number] = partial(**chunk_of(given, *cuts[number]))
            in_order = [parts[number] for number in range(len(cuts))]
            fours = [combine(*in_order[first : first + 4]) for first in range(0, len(cuts), 4)]
            for merged in (combine(*in_order), combine(*fours)):
                result = leaves(finish(merged))
                found.add(tuple(np.asarray(one).tobytes() for one in result.values()))
        assert len(found) == 1, function


# ---- closed forms -------------------------------------------------------------------------------


def test_far_means_lose_no_digits() -> None:
    net = module_of("dim B\ninput x: [B]\noutput v = var(x, ddof=1)\nderive value v\n")
    x = 1e8 + np.arange(1000.0) % 10  # the variance of 0 … 9 a hundred times
    found = by_chunks(net, "value_v", {"x": x}, [0, 5, 300, 999, 1000])
    assert abs(found - 8.25 * 1000 / 999) < 1e-7


def test_exponentials_that_overflow() -> None:
    net = module_of("dim B\ninput x: [B]\noutput y = logsumexp(x)\nderive value_and_grad y wrt x\n")
    x = np.array([-np.inf, -1000.0, 2000.0, 2000.0, -np.inf])
    with np.errstate(divide="ignore"):  # of a chunk that has no other
        value, grads = by_chunks(net, "value_and_grad_y", {"x": x}, [0, 1, 2, 3, 5])
    assert value == 2000.0 + np.log(2.0)
    assert np.allclose(grads["x"], [0, 0, 0.5, 0.5, 0], atol=0, rtol=1e-15)


@pytest.mark.parametrize("largest", [np.finfo(float).max, np.inf, np.nan, 5e-324])
def test_the_largest_is_one_of_the_numbers(largest: float) -> None:
    net = module_of("dim B\ninput x: [B]\noutput y = max(x)\nderive value y\n")
    x = np.array([largest, -1.0, largest, -2.0, -3.0])
    found = by_chunks(net, "value_y", {"x": x}, [0, 2, 4, 5])
    assert np.array_equal(found, largest, equal_nan=True)


def test_ties_share_evenly_over_all_chunks() -> None:
    net = module_of("dim B\ninput x: [B]\noutput y = max(x)\nderive grad y wrt x\n")
    x = np.array([3.0, 1.0, 3.0, 3.0, 2.0])
    grads = by_chunks(net, "grad_y", {"x": x}, [0, 2, 4, 5])
    assert grads["x"].tolist() == [1 / 3, 0, 1 / 3, 1 / 3, 0]


def test_the_deviation_of_a_constant_has_no_derivative() -> None:
    net = module_of("dim B\ninput x: [B]\noutput y = std(x)\nderive value_and_grad y wrt x\n")
    value, grads = by_chunks(net, "value_and_grad_y", {"x": np.full(6, 2.5)}, [0, 2, 4, 6])
    assert value == 0
    assert grads["x"].tolist() == [0] * 6


def test_dims_and_the_number_of_rows_reach_the_end() -> None:
    net = module_of(
        "dim B, D, K\ninput x: [B, D]\n"
        "output y = log(sum(x**2)) + zeros([D, K]) + B * D - B // 2\nderive value y\n"
    )
    x = np.ones((5, 2))
    parts = [net.partial_value_y(x[:2], K=3), net.partial_value_y(x[2:], K=3)]
    found = net.finish_value_y(net.combine_value_y(*parts))
    assert found.shape == (2, 3)
    assert np.allclose(found, np.log(10.0) + 10 - 2)


def test_names_of_the_user_stay_theirs() -> None:
    net = module_of(
        "dim B\ninput first: [B]\ninput part: [B]\nparam rows: [2]\nparam second\n"
        "output merged = sum(first * rows[0] + part * second)\noutput sum = log(merged**2)\n"
        "output partial_left = mean(first) * rows[1]\n"
        "derive grad sum wrt params as combine_left\n"
        "derive value_and_grad partial_left wrt rows as left\n"
        "derive value merged, sum as value\n"
    )
    rng = np.random.default_rng(0)
    params = {"rows": rng.normal(size=2), "second": np.float64(0.3)}
    given = {"params": params, "first": rng.normal(size=9), "part": rng.normal(size=9)}
    for function in net.GRAPH["derived"]:
        names = net.GRAPH["split"]["functions"][function]
        parts = [
            getattr(net, names["partial"])(**chunk_of(given, *cut)) for cut in [(0, 4), (4, 9)]
        ]
        found = getattr(net, names["finish"])(getattr(net, names["combine"])(*parts))
        assert_close(found, getattr(net, function)(**given), 1e-12)


def test_what_a_chunk_has_is_not_changed() -> None:
    net = module_of(GRAPHS["a penalty beside a sum"][0])
    given = arguments_of(net)
    one = net.partial_value_and_grad_loss(**chunk_of(given, 0, 9))
    other = net.partial_value_and_grad_loss(**chunk_of(given, 9, ROWS))
    kept = [np.copy(each) for part in (one, other) for each in part]
    both = net.combine_value_and_grad_loss(one, other)
    _, grads = net.finish_value_and_grad_loss(both)
    grads["w"][:] = np.nan
    assert all(np.array_equal(a, b) for a, b in zip(kept, (*one, *other), strict=True))
    assert not any(np.isnan(each).any() for each in both)


# ---- what does not split ------------------------------------------------------------------------

BATCH = """dim B
input x: [B, 3]
m = mean(x, axis=0)
output loss = sum(tanh(x - m))
derive grad loss wrt x
"""


def test_the_line_that_mixes_rows_is_told() -> None:
    with pytest.raises(GraphError) as refused:
        module_of(BATCH)
    assert str(refused.value) == (
        "error[E441]: `grad_loss` does not split over B: each row needs `mean` of all rows\n"
        " --> net.graph:4:1\n"
        "  |\n"
        "4 | output loss = sum(tanh(x - m))\n"
        "  | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n"
        "  = help: `var` and `std` along the rows are merged; else give what is subtracted as an"
        " input"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dim B\ninput x: [B]\noutput y = x\n", "there is no dim `C`"),
        ("dim C = 3\ninput x: [C]\noutput y = x\n", "dim `C` is 3"),
    ],
)
def test_what_is_no_axis_to_split_over(text: str, said: str) -> None:
    with pytest.raises(GraphError, match=said):
        verdict_of(text, "C")


def test_what_is_no_part_is_refused() -> None:
    net = module_of(GRAPHS["mean"][0])
    with pytest.raises(
        TypeError, match=r"expected what chunks contribute, .*Part.*, found nothing"
    ):
        net.combine_value_and_grad_loss()
    with pytest.raises(TypeError, match="Part'>, found <class 'tuple'>"):
        net.finish_value_and_grad_loss((1, 2))


# ---- the command --------------------------------------------------------------------------------


def test_the_command_writes_what_splits(tmp_path: Path) -> None:
    graph = tmp_path / "net.graph"
    graph.write_text(GRAPHS["weighted mean"][0])
    out = tmp_path / "split_net.py"
    done = CliRunner().invoke(app, ["split", str(graph), "--over", "B", "-o", str(out)])
    assert done.exit_code == 0, done.output
    assert [line.split() for line in done.output.splitlines()] == [
        ["function", "result", "over", "B"],
        ["forward", "loss", "merged:", "summed"],
        ["value_and_grad_loss", "loss,", "w", "merged:", "summed"],
    ]
    net = loaded(out.read_text(), "net")
    given = arguments_of(net)
    assert_close(
        by_chunks(net, "value_and_grad_loss", given, [0, 10, ROWS]),
        net.value_and_grad_loss(**given),
        1e-12,
    )
    assert net.GRAPH["options"] == {"split": "B"}


def test_the_command_refuses_before_it_writes(tmp_path: Path) -> None:
    graph, out = tmp_path / "net.graph", tmp_path / "split_net.py"
    graph.write_text(BATCH)
    done = CliRunner().invoke(app, ["split", str(graph), "--over", "B", "-o", str(out)])
    assert done.exit_code == 1
    assert not out.exists()
    assert "error[E441]: `grad_loss` does not split over B" in done.stderr


def test_the_command_prints_records() -> None:
    text = "dim B\ninput x: [B]\noutput y = x**2\noutput z = cumsum(x)\nderive value y\n"
    command = ["split", "-", "--over", "B", "--format", "json"]
    done = CliRunner().invoke(app, command, input=text)
    assert done.exit_code == 0  # nobody asked for z
    found = json.loads(done.output)
    assert (found["over"], found["splits"]) == ("B", True)
    assert [(one["result"], one["how"], one["place"]) for one in found["results"]] == [
        ("y", "concatenated", None),
        ("z", NO, "<stdin>:4:1"),
        ("y", "concatenated", None),
    ]


def test_without_a_dim_it_is_the_first_that_is_open() -> None:
    text = "dim D = 2\ndim N\ninput x: [N, D]\noutput y = sum(x)\n"
    done = CliRunner().invoke(app, ["split", "-"], input=text)
    assert (done.exit_code, "over N" in done.output) == (0, True)
    done = CliRunner().invoke(app, ["split", "-"], input="input x: [3]\noutput y = sum(x)\n")
    assert done.exit_code == 1
    assert done.stderr == "error[E440]: no dim is open to split over\n"


def test_python_gets_what_the_command_tells(tmp_path: Path) -> None:
    graph = tmp_path / "net.graph"
    graph.write_text(GRAPHS["mean"][0])
    found = graphc.split(graph, "B", level=0)
    assert found
    assert found.options["level"] == 0
    assert found.results["value_and_grad_loss", "by w"] == "averaged"
    net = found.module()
    given = arguments_of(net)
    assert_close(
        by_chunks(net, "value_and_grad_loss", given, [0, 10, ROWS]),
        net.value_and_grad_loss(**given),
        1e-12,
    )
    graph.write_text(BATCH)
    refused = graphc.split(graph, "B")
    assert not refused
    assert [one.code for one in refused.diagnostics] == ["E441"]
    assert "each row needs `mean` of all rows" in str(refused)
    with pytest.raises(GraphError, match="E441"):
        refused.compile()
