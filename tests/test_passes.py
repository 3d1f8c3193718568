"""Each pass on small graphs: what it makes is written in tests/passes, and has the same values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from graphc.ir.graph import INPUT
from graphc.ir.results import ResultKey, value_of
from graphc.ir.verify import faults
from tests.passes import COMMAND, compilation_of, fixtures, names_of_all, pair_of, printed
from tests.passes.evaluate import computed

FIXTURES = tuple(fixtures())
CASES = {
    f"{one.made_by}: {case.name}": (one.made_by, case) for one in FIXTURES for case in one.cases
}
EXACT = {
    "merge_loops", "simplify", "lower", "unwrap", "prune_loops", "watch", "add_as_computed", "sink",
    "rematerialise", "save_only", "in_segments",
}  # fmt: skip
"""What changes no bit."""


def flat(results: Mapping[ResultKey, Any]) -> dict[ResultKey, np.ndarray]:
    """The elements of each result; some have one for each number."""
    parts: dict[ResultKey, list[np.ndarray]] = defaultdict(list)
    for key, value in results.items():
        parts[key if key.kind == "number" else replace(key, number=0)].append(np.ravel(value))
    return {key: np.concatenate(arrays) for key, arrays in parts.items()}


@pytest.mark.parametrize("name", CASES)
def test_a_pass(name: str) -> None:
    """It makes the graph that the file has, which has the values of the one that it gets."""
    made_by, case = CASES[name]
    compilation = compilation_of(case.source)
    with compilation.open():
        pair = pair_of(made_by, compilation)
        now = replace(case, before=printed(pair.before), after=printed(pair.after))
        assert now.text == case.text, f"if this is meant: {COMMAND} --update"
        assert case.before != case.after, "the pass does nothing here"
        assert list(faults(pair.after)) == []
        for seed in range(2):
            before, after = (
                flat(computed(one, pair.sizes, seed)) for one in (pair.before, pair.after)
            )
            assert before.keys() == after.keys()
            for key, expected in before.items():
                if made_by in EXACT:
                    np.testing.assert_array_equal(after[key], expected)
                else:
                    np.testing.assert_allclose(after[key], expected, rtol=1e-12, atol=1e-14)


def test_every_pass_has_a_file() -> None:
    assert {one.made_by for one in FIXTURES} == {*names_of_all()}


def test_files_are_written_as_they_are_read() -> None:
    for one in FIXTURES:
        assert one.path.read_text(encoding="utf-8") == one.text


# ---- the evaluator itself ------------------------------------------------------------------------


LOOPS = """
dim T
input x: [T]
scan early[t in T] carry s = 1.0 {
    new = s + x[t]**2 + t
    next s = new
    until new > 2
}
scan walk[t in T] carry r = 0.5 {
    next r = r * x[t]
    collect rs = r * 2
}
output y = s
output z = rs
derive value y, z as f
"""


def test_graphs_are_computed_as_they_say() -> None:
    """By hand, in Python: a loop that ends early, and one that collects."""
    compilation = compilation_of(LOOPS)
    with compilation.open():
        graph = compilation.model.graph
        x_node = next(node for node in graph.nodes if node.op is INPUT)
        x = computed(replace(graph, results={value_of("x"): x_node}), {"T": 4})[value_of("x")]
        found = computed(graph, {"T": 4})
    s = 1.0
    for t in range(4):
        s = s + x[t] ** 2 + t
        if s > 2:
            break
    assert t < 3
    assert found[value_of("y")] == pytest.approx(s, rel=1e-14)
    np.testing.assert_allclose(found[value_of("z")], np.cumprod([1.0, *x[:3]]), rtol=1e-14)
