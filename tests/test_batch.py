"""Batching: every operation with a leading axis, and its pullback, against one slice at a time."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_ops import CALLS, NAMES, Call

from graphc.calculus.batch import batched
from graphc.calculus.reverse import pullback
from graphc.dims import Dim
from graphc.elaborate.build import elaborate
from graphc.elaborate.model import Model
from graphc.emit import parts, special
from graphc.emit.expression import expression
from graphc.emit.function import body
from graphc.graph import COTANGENT, INPUT, SOURCES, Graph, Node, Op, arguments_first, building, source
from graphc.loop import BOUND, LOOP, RESULT, RULED
from graphc.ops import FUNCTIONS
from graphc.ops.define import CAST
from graphc.plan.schedule import plan
from graphc.rewrite.engine import PASSES
from graphc.source import Source
from graphc.syntax.parse import parse
from graphc.types import Mismatch

Values = Mapping[Node, Any]


# ---- graphs, evaluated -----------------------------------------------------------------------


def model_of(text: str) -> Model:
    return elaborate(
        parse(Source("test.graph", text)), dims={}, consts={}, dtype="float64", derive=[], folder=None
    )


def computing(results: Sequence[Node], given: Sequence[Node]) -> Callable[..., list[np.ndarray]]:
    """The function that the compiler makes of nodes: `(*values, **dims)` to the results."""
    graph = Graph("f", {f"r{i}": node for i, node in enumerate(results)}, {})
    for rewrite in PASSES:
        graph = rewrite(graph)
    names = [f"given_{i}" for i in range(len(given))]
    program = plan(graph, dict(zip(given, names, strict=True)), (), {"np", "FLOAT"})
    lines = body(program, Source("test.graph", ""))
    values = ", ".join(
        ast.unparse(expression(node, program.variables)) for node in graph.results.values()
    )
    lines.append(f"return [{values}]")
    text = "\n    ".join([f"def f({', '.join(names)}):", *lines])

    def run(*values: Any, **dims: int) -> list[np.ndarray]:
        space = {"np": np, "FLOAT": np.float64, **vars(parts), **vars(special), **dims}
        exec(text, space)
        with np.errstate(all="ignore"):
            return [np.asarray(one) for one in space["f"](*values)]

    return run


def assert_close(found: Sequence[Any], expected: Sequence[Any], tolerance: float = 1e-12) -> None:
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        scale = np.max(np.abs(other[np.isfinite(other)]), initial=1) if other.dtype != bool else 1
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance * scale)


# ---- the operations --------------------------------------------------------------------------

SIZES = [(Dim.of(3), 3), (Dim.of(1), 1), (Dim.symbol("S_"), 0), (Dim.symbol("S_"), 2)]


def subsets(items: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """Every choice of at least one."""
    return chain.from_iterable(combinations(items, n) for n in range(1, len(items) + 1))


def slices_of(value: np.ndarray, count: int) -> np.ndarray:
    """The same elements in other orders."""
    rng = np.random.default_rng(5)
    return np.stack(
        [rng.permutation(value.reshape(-1)).reshape(value.shape) for _ in range(count)]
        or [value]
    )[:count]


def compare(
    results: Sequence[Node],
    given: Sequence[Node],
    chosen: Sequence[Node],
    values: Values,
    size: Dim,
    count: int,
    dims: Mapping[str, int],
) -> None:
    """The batched graph against one evaluation of the graph itself for each slice."""
    leading = {
        node: source(INPUT, f"all {i}", node.type.with_shape((size, *node.shape)))
        for i, node in enumerate(chosen)
    }
    new = batched(results, leading, size)
    stacks = {node: slices_of(np.asarray(values[node]), count) for node in chosen}
    ends = [new.get(node, node) for node in results]
    once = computing(results, given)
    sample = [values[node] for node in given]
    expected = [
        once(*(stacks[n][i] if n in stacks else values[n] for n in given), **dims)
        for i in range(count)
    ]
    shapes = once(*sample, **dims)
    wanted = [
        (np.stack([one[k] for one in expected]) if count else np.empty((0, *shape.shape)))
        if node in new
        else shape
        for k, (node, shape) in enumerate(zip(results, shapes, strict=True))
    ]
    sources = [leading.get(node, node) for node in given]
    found = computing(ends, sources)(
        *(stacks.get(node, values[node]) for node in given), **dims, S_=count
    )
    assert_close(found, wanted, 1e-10)


def nodes_of(call: Call) -> tuple[list[Node], list[Node], dict[Node, Any]]:
    """The results and inputs of a call as nodes, and values of the inputs."""
    model = model_of(call.graph)
    inputs = [one.node for one in model.inputs]
    values = dict(zip(inputs, call.arguments(), strict=True))
    return [one.node for one in model.outputs], inputs, values


def dims_of(call: Call) -> dict[str, int]:
    return {"N": call.N} if "dim N" in call.graph else {}


def batches(call: Call, count: int) -> bool:
    return count in (3, 2) or len(call.types) < 3


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_operation(call: Call) -> None:
    for size, count in SIZES:
        with building():
            results, inputs, values = nodes_of(call)
            for chosen in subsets(inputs):
                compare(results, inputs, chosen, values, size, count, dims_of(call))


def pulled(results: Sequence[Node], inputs: Sequence[Node]) -> tuple[list[Node], list[Node]]:
    """The cotangents of the inputs, and the cotangents of the results that they come from."""
    seeds = [
        (node, source(COTANGENT, f"ct {i}", node.type))
        for i, node in enumerate(results)
        if node.type.dtype == "float"
    ]
    adjoints = pullback(seeds, [n for n in inputs if n.type.dtype == "float"])
    ends = [adjoints[n].value for n in inputs if n in adjoints]
    return ends, [ct for _, ct in seeds]


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_pullback(call: Call) -> None:
    rng = np.random.default_rng(3)
    for size, count in SIZES[:1] + SIZES[2:]:
        with building():
            results, inputs, values = nodes_of(call)
            ends, cotangents = pulled(results, inputs)
            if not ends:
                return
            dims = dims_of(call)
            samples = computing(results, inputs)(*(values[n] for n in inputs), **dims)
            floats = [s for s, n in zip(samples, results, strict=True) if n.type.dtype == "float"]
            values |= {
                ct: rng.normal(size=one.shape) for ct, one in zip(cotangents, floats, strict=True)
            }
            given = [*inputs, *cotangents]
            compare(ends, given, cotangents, values, size, count, dims)
            compare(ends, given, given, values, size, count, dims)
