"""Batching: every operation with a leading axis, and its pullback, against one slice at a time."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, combinations
from typing import Any

import numpy as np
import pytest
from test_ops import CALLS, Call

from graphc.calculus.batch import batched
from graphc.calculus.reverse import pullback
from graphc.dims import Dim
from graphc.elaborate.build import elaborate
from graphc.elaborate.model import Model
from graphc.emit import parts, special
from graphc.emit.expression import expression
from graphc.emit.function import body
from graphc.graph import (
    COTANGENT,
    INPUT,
    Graph,
    Node,
    building,
    source,
)
from graphc.plan.schedule import plan
from graphc.rewrite.engine import PASSES
from graphc.source import Source
from graphc.syntax.parse import parse
from graphc.types import Mismatch

Values = Mapping[Node, Any]


# ---- graphs, evaluated -----------------------------------------------------------------------


def model_of(text: str) -> Model:
    tree = parse(Source("test.graph", text))
    return elaborate(tree, dims={}, consts={}, dtype="float64", derive=[], folder=None)


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
        [rng.permutation(value.reshape(-1)).reshape(value.shape) for _ in range(count)] or [value]
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
        node: source(INPUT, f"all_{i}", node.type.with_shape((size, *node.shape)))
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
        (node, source(COTANGENT, f"ct_{i}", node.type))
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


# ---- loops and stated derivatives ------------------------------------------------------------

LOOPS = {
    "captured": ("dim T", "x: [T, 3]; h0: [3]; W: [3, 3]", """
        scan step[t in T] carry h = h0 { next h = tanh(h @ W + x[t]) }
        output h"""),
    "elements along the second axis": ("dim T", "x: [2, T]; h0: [2]", """
        scan step[t in T] carry h = h0 { next h = tanh(h * x[:, t])
            collect ys = h * x[:, t] }
        output h, ys"""),
    "a value that becomes dependent after a step": ("dim T", "a; b; w: [3]", """
        scan step[t in T] carry p = a, q = 0.5, r = 2.0, n = 0 {
            next p, q, r, n = p * b, p + q * 0.5, sin(q) * r, n + 1
            collect ns = n
            collect rs = sin(q) * w
            collect ws = w
        }
        output p, q, r, rs, ws"""),
    "a constant step": ("dim T", "a: [3]", """
        scan step[t in T] carry h = a { next h = zeros([3]) }
        output h"""),
    "nested": ("dim T", "x: [T, 4]; h0; w", """
        scan row[t in T] carry h = h0, total = 0.0 {
            scan inner[s in 4] carry g = h, n = 0 {
                next g, n = tanh(g + x[t, s] * h + s), n + 1
                collect sums = g * w
                collect parts = x[t, s]
            }
            next h, total = g, total + g * w
            collect sized = sums
            collect same = parts
        }
        output h, total, sized, same"""),
    "neighbours": ("dim T", "x: [T+2, 2]; h0: [2]", """
        scan step[t in T] carry h = h0 { next h = 0.9 * h + x[t+1] * x[t] - x[t+2] }
        output h"""),
    "until": ("dim T", "a; w: [T]; h0", """
        scan step[t in T] carry h = h0, total = 0.0 {
            new = 0.5 * (h + 3 / h)
            next h, total = new, total + a * new * w[t]
            until abs(new - h) < 1e-3
        }
        output total"""),
    "a gradient inside": ("dim T", "x: [T, 3]; w0: [3]; target: [3]", """
        scan step[t in T] carry w = w0 {
            loss = sum((x[t] * w - target)**2) + sum(cosh(w))
            next w = w - 0.05 * grad(loss, w)
        }
        output w"""),
    "a derivative of a loop": ("dim T", "x: [T]; s", """
        scan step[t in T] carry h = s { next h = sin(h * x[t]) + s * h**2 }
        output d = grad(h, s)"""),
    "stated": ("dim T", "x: [3]; y: [3]", """
        block cube(a: [...], b: [...]) -> z: [...] {
            z = a**3 * b
            k = sin(b)
            rule vjp a = 5 * cotangent(z) * a * k
        }
        output v = cube(x, y)
        scan step[t in T] carry h = x { next h = sin(cube(h, x + y)) }
        output h"""),
}  # fmt: skip
DIMS = {"T": 3}


def loop_of(name: str) -> tuple[list[Node], list[Node], dict[Node, Any]]:
    head, inputs, text = LOOPS[name]
    declared = "\n".join(f"input {one.strip()}" for one in inputs.split(";"))
    model = model_of("\n".join([head, declared, *map(str.strip, text.splitlines())]))
    given = [one.node for one in model.inputs]
    rng = np.random.default_rng(2)
    shapes = {n: tuple(axis.evaluate(DIMS) for axis in n.shape) for n in given}
    values = {node: rng.uniform(0.3, 1.2, size=shape) for node, shape in shapes.items()}
    return [one.node for one in model.outputs], given, values


@pytest.mark.parametrize("name", LOOPS)
def test_loop(name: str) -> None:
    for size, count in SIZES:
        with building():
            results, inputs, values = loop_of(name)
            for chosen in subsets(inputs):
                if name != "until" or inputs[2] not in chosen:
                    compare(results, inputs, chosen, values, size, count, DIMS)


@pytest.mark.parametrize("name", LOOPS)
def test_pullback_of_a_loop(name: str) -> None:
    rng = np.random.default_rng(4)
    for size, count in SIZES:
        with building():
            results, inputs, values = loop_of(name)
            ends, cotangents = pulled(results, inputs)
            samples = computing(results, inputs)(*(values[n] for n in inputs), **DIMS)
            values |= {
                ct: rng.normal(size=one.shape) for ct, one in zip(cotangents, samples, strict=True)
            }
            given = [*inputs, *cotangents]
            compare(ends, given, cotangents, values, size, count, DIMS)
            compare(ends, given, cotangents[:1], values, size, count, DIMS)
            if name != "until":
                compare(ends, given, inputs, values, size, count, DIMS)
                compare(ends, given, given, values, size, count, DIMS)


def test_a_loop_that_would_end_at_different_steps() -> None:
    with building():
        results, inputs, _ = loop_of("until")
        start = inputs[2]
        leading = {start: source(INPUT, "all", start.type.with_shape((3,)))}
        with pytest.raises(Mismatch, match="the loop over t ends when"):
            batched(results, leading, Dim.of(3))
