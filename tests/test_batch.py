"""Batching: every operation with a leading axis, and its pullback, against one slice at a time."""

from __future__ import annotations

import gc
import itertools
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, combinations
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from comparing import near
from conftest import long
from operation_references import CALLS as CALLS_OF
from sampling import Call

from graphc.ad.batch import batch
from graphc.ad.reverse import pullback
from graphc.elaborate.build import elaborate
from graphc.elaborate.names.model import Model
from graphc.ir.dims import Dim
from graphc.ir.graph import (
    CONSTANT,
    COTANGENT,
    DIM,
    INPUT,
    SOURCES,
    Graph,
    Node,
    Op,
    arguments_first,
    building,
    source,
    with_args,
)
from graphc.ir.loop import BOUND, LOOP, RESULT, RULED
from graphc.ir.results import result_number
from graphc.ir.types import Mismatch
from graphc.ops.elementwise.python_floats import numbers_of, to_number, to_scalar
from graphc.ops.shape.assemble import assemble, bin_vector, take_vector
from graphc.optimise.exact.identities import no_change_of_shape
from graphc.optimise.passes import PASSES
from graphc.optimise.watch import WATCHED
from graphc.plan.lower import plan
from graphc.plan.tiles.parts import make_part
from graphc.source import Source
from graphc.syntax.parse.parser import parse
from graphc.targets.marks import without_statements
from graphc.targets.numpy.printing.body import body
from graphc.targets.numpy.printing.expression import expression, length
from graphc.targets.numpy.runtime import lacking, parts

Values = Mapping[Node, Any]


@dataclass(frozen=True)
class Case:
    """A call with N of a size, and which of all it is: two in a row are tried in two ways."""

    call: Call
    N: int
    number: int

    def __str__(self) -> str:
        return f"{self.call} N={self.N}" if self.call.symbolic else str(self.call)

    @property
    def graph(self) -> str:
        return "\n".join([*(["dim N"] if self.call.symbolic else []), *self.call.lines()])

    def arguments(self) -> list[np.ndarray]:
        return self.call.arguments(self.N)


def cases() -> Iterator[Any]:
    """Of an operation that has many calls every fourth, and of nothing one; the others are long.

    Operations of one family have the same calls: the next of them begins with the next call.
    """
    numbers = itertools.count()
    for number, calls in enumerate(CALLS_OF.values()):
        empty = 0
        for place, call in enumerate(calls):
            drawn = len(calls) < 8 or place % 4 == number % 4
            case = Case(call, call.sizes[0], next(numbers))
            yield case if drawn else long(case)
            if call.symbolic and 0 in call.sizes:
                none = Case(call, 0, next(numbers))
                yield long(none) if empty or not drawn else none
                empty += drawn


CASES = list(cases())


# ---- graphs, evaluated -----------------------------------------------------------------------


def model_of(text: str) -> Model:
    tree = parse(Source("test.graph", text))
    return elaborate(tree, dims={}, consts={}, dtype="float64", derive=[], folder=None).sound


def computing(results: Sequence[Node], given: Sequence[Node]) -> Callable[..., list[np.ndarray]]:
    """The function that the compiler makes of nodes: `(*values, **dims)` to the results."""
    graph = Graph("f", {result_number(i): node for i, node in enumerate(results)}, {})
    for rewrite in PASSES:
        graph = rewrite(graph)
    names = [f"given_{i}" for i in range(len(given))]
    program = plan(graph, dict(zip(given, names, strict=True)), length, (), {"np", "FLOAT"})
    lines = body(program)
    values = ", ".join(expression(node, program.variables) for node in graph.results.values())
    lines.append(f"return [{values}]")
    text = "\n    ".join([f"def f({', '.join(names)}):", *lines])

    space: dict[str, Any] = {"np": np, "FLOAT": np.float64, **vars(parts)}
    for helping in lacking.FILES.values():
        space |= vars(helping)
    exec(without_statements(text), space)

    def run(*values: Any, **dims: int) -> list[np.ndarray]:
        space.update(dims)
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Mean of empty slice")
            return [np.asarray(one) for one in space["f"](*values)]

    return run


def assert_close(found: Sequence[Any], expected: Sequence[Any], tolerance: float = 1e-12) -> None:
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        scale = np.max(np.abs(other[np.isfinite(other)]), initial=1) if other.dtype != bool else 1
        if other.dtype == bool or not near(one, other, tolerance * scale):
            np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance * scale)


# ---- the operations --------------------------------------------------------------------------


def subsets(items: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """Every choice of at least one."""
    return chain.from_iterable(combinations(items, n) for n in range(1, len(items) + 1))


def slices_of(value: np.ndarray, count: int) -> np.ndarray:
    """The same elements in other orders; numbers a little larger from slice to slice."""
    rng = np.random.default_rng(5)
    stack = np.empty((count, *value.shape), value.dtype)
    for i in range(count):
        stack[i] = rng.permutation(value.reshape(-1)).reshape(value.shape)
        if value.dtype == float:
            stack[i] *= 1 + 0.004 * i
    return stack


@dataclass(frozen=True)
class Function:
    """Results of nodes that are given, values for these, and sizes of dims."""

    results: Sequence[Node]
    given: Sequence[Node]
    values: Values
    dims: Mapping[str, int]

    @cached_property
    def once(self) -> Callable[..., list[np.ndarray]]:
        return computing(self.results, self.given)

    def compare(self, chosen: Sequence[Node], size: Dim, *counts: int) -> None:
        """The batched graph against one evaluation of the graph itself for each slice."""
        leading = {
            node: source(INPUT, f"all_{i}", node.type.with_shape((size, *node.shape)))
            for i, node in enumerate(chosen)
        }
        new = batch(self.results, leading, size)
        ends = [new.get(node, node) for node in self.results]
        stacked = computing(ends, [leading.get(node, node) for node in self.given])
        for count in counts:
            stacks = {n: slices_of(np.asarray(self.values[n]), count) for n in chosen}
            slices = [
                self.once(*({**self.values, **{n: s[i] for n, s in stacks.items()}}[n]
                            for n in self.given), **self.dims)
                for i in range(count)
            ]  # fmt: skip
            alone = self.once(*(self.values[n] for n in self.given), **self.dims)
            expected = [
                np.array([one[k] for one in slices]).reshape(count, *shape.shape)
                if node in new
                else shape
                for k, (node, shape) in enumerate(zip(self.results, alone, strict=True))
            ]
            values = [stacks.get(n, self.values[n]) for n in self.given]
            assert_close(stacked(*values, **self.dims, S_=count), expected, 1e-10)


THREE, ONE, MANY = Dim.of(3), Dim.of(1), Dim.symbol("S_")


def nodes_of(call: Case) -> tuple[list[Node], list[Node], dict[Node, Any]]:
    """The results and inputs of a call as nodes, and values of the inputs."""
    model = model_of(call.graph)
    inputs = [one.node for one in model.inputs]
    values = dict(zip(inputs, call.arguments(), strict=True))
    return [one.node for one in model.outputs], inputs, values


def dims_of(call: Case) -> dict[str, int]:
    return {"N": call.N} if "dim N" in call.graph else {}


@pytest.mark.parametrize("call", CASES, ids=str)
def test_operation(call: Case) -> None:
    """Itself and its pullback, batched; and whatever both compute, as its axis maps say."""
    with building():
        results, inputs, values = nodes_of(call)
        function = Function(results, inputs, values, dims_of(call))
        known, symbolic = ((THREE, 3), (MANY, 0, 2))[:: 1 if call.number % 2 else -1]
        for chosen in subsets(inputs):
            function.compare(chosen, *known)
        function.compare(inputs, *((ONE, 1) if call.number % 4 < 2 else symbolic))
        back, cotangents = pullback_of(function)
        if back.results:
            back.compare(cotangents, *known)
            back.compare(back.given, *symbolic)
        for one in applied(function, back):
            check_axis_maps_and_views(one, function.dims)


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


def pullback_of(of: Function) -> tuple[Function, list[Node]]:
    """The cotangents of the inputs by inputs and cotangents of results; the latter."""
    ends, cotangents = pulled(of.results, of.given)
    samples = of.once(*(of.values[n] for n in of.given), **of.dims)
    floats = [s for s, n in zip(samples, of.results, strict=True) if n.type.dtype == "float"]
    rng = np.random.default_rng(3)
    more = {ct: rng.normal(size=one.shape) for ct, one in zip(cotangents, floats, strict=True)}
    return Function(ends, [*of.given, *cotangents], {**of.values, **more}, of.dims), cotangents


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
    with building():
        results, inputs, values = loop_of(name)
        function = Function(results, inputs, values, DIMS)
        for chosen in subsets(inputs[:2] if name == "until" else inputs):
            function.compare(chosen, THREE, 3)
            function.compare(chosen, ONE, 1)
            function.compare(chosen, MANY, 0, 2)


@pytest.mark.parametrize("name", LOOPS)
def test_pullback_of_a_loop(name: str) -> None:
    with building():
        results, inputs, values = loop_of(name)
        function, cotangents = pullback_of(Function(results, inputs, values, DIMS))
        moving = inputs[:2] if name == "until" else inputs
        for chosen in (cotangents, cotangents[:1], moving, [*moving, *cotangents]):
            function.compare(chosen, THREE, 3)
            function.compare(chosen, MANY, 0, 2)


def test_a_loop_that_would_end_at_different_steps() -> None:
    with building():
        results, inputs, _ = loop_of("until")
        start = inputs[2]
        leading = {start: source(INPUT, "all", start.type.with_shape((3,)))}
        with pytest.raises(Mismatch, match="the loop over t ends when"):
            batch(results, leading, Dim.of(3))


# ---- axis maps -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Applied:
    """One operation on sources of its own (and on numbers as they are), and values for them."""

    node: Node
    values: tuple[np.ndarray, ...]
    compute: Callable[..., np.ndarray]


seen: set[Any] = set()


def applied(function: Function, back: Function) -> Iterator[Applied]:
    """Every operation of a function and its pullback that no call had, on what it meets there."""
    dims = function.dims
    nodes = []
    for node in arguments_first([*function.results, *back.results]):
        key = (node.op, repr(node.attrs), tuple(arg.type for arg in node.args), *dims.items())
        if key not in seen and any(arg.rank for arg in node.args):
            seen.add(key)
            nodes.append(node)
    if not nodes:
        return
    args = list(dict.fromkeys(arg for node in nodes for arg in node.args))
    known = computing(args, back.given)(*(back.values[n] for n in back.given), **dims)
    found = dict(zip(args, known, strict=True))
    for node in nodes:
        sources = tuple(
            arg if arg.static else source(INPUT, f"arg_{i}", arg.type)
            for i, arg in enumerate(node.args)
        )
        moved = with_args(node, sources)
        once = computing([moved], [one for one in sources if not one.static])

        def compute(*values: np.ndarray, once: Any = once, sources: Any = sources) -> np.ndarray:
            taken = [v for v, one in zip(values, sources, strict=True) if not one.static]
            return once(*taken, **dims)[0]

        yield Applied(moved, tuple(found[arg] for arg in node.args), compute)


def changed(value: np.ndarray, axis: int, place: int) -> np.ndarray:
    """Another value in one slice: of integers one that occurs somewhere."""
    other = np.array(value)
    part = np.moveaxis(other, axis, 0)
    if value.dtype == bool:
        part[place] = ~part[place]
    elif value.dtype == float:
        part[place] *= 1.01
    elif part[place].size:
        part[place] = np.max(value) + np.min(value) - part[place]
    return other


def stays(one: Applied, slot: int, axis: int, onto: int) -> bool:
    """Does each slice of the result depend on that of the argument alone?"""
    values = list(one.values)
    before = one.compute(*values)
    for place in range(values[slot].shape[axis]):
        moved = [changed(v, axis, place) if i == slot else v for i, v in enumerate(values)]
        after = one.compute(*moved)
        rest = [np.delete(result, place, onto) for result in (before, after)]
        if not np.allclose(*rest, rtol=1e-13, atol=0, equal_nan=True):
            return False
    return True


def compare_parts(one: Applied, onto: int, dims: Mapping[str, int]) -> None:
    """All slices but the first, computed of those of the arguments, are what they are in the whole.

    An operation may refuse to be computed for a part.
    """
    node, whole = one.node, one.compute(*one.values)
    size = whole.shape[onto] - 1
    if size < 1:
        return
    given: dict[Node, np.ndarray] = {}
    args = []
    for slot, (arg, value) in enumerate(zip(node.args, one.values, strict=True)):
        mine = [to == onto for to in node.op.axes(node)[slot]]
        shape = [Dim.of(size) if cut else n for cut, n in zip(mine, arg.shape, strict=True)]
        new = arg if arg.static else source(INPUT, f"part_{slot}", arg.type.with_shape(shape))
        args.append(new)
        if not arg.static:
            given[new] = value[tuple(slice(1, None) if cut else slice(None) for cut in mine)]
    shape = [Dim.of(size) if axis == onto else n for axis, n in enumerate(node.shape)]
    try:
        part = make_part(node, tuple(args), tuple(shape), {onto: Dim.of(1)})
    except Mismatch:
        return
    (found,) = computing([part], [*given])(*given.values(), **dims)
    np.testing.assert_allclose(found, np.delete(whole, 0, onto), rtol=1e-12, atol=1e-12)


def check_axis_maps_and_views(one: Applied, dims: Mapping[str, int]) -> None:
    node = one.node
    found = one.compute(*one.values)
    shared = {i for i, v in enumerate(one.values) if np.shares_memory(found, v)}
    is_itself = no_change_of_shape(node) is not None or any(arg.static for arg in node.args)
    if not is_itself:  # as x / 1 is x
        assert shared <= {node.op.view_of}
    maps = node.op.axes(node)
    assert [len(axes) for axes in maps] == [arg.rank for arg in node.args]
    for slot, axes in enumerate(maps):
        for axis, onto in enumerate(axes):
            if onto is not None:
                assert node.shape[onto] == node.args[slot].shape[axis]
                assert stays(one, slot, axis, onto)
    for axis in sorted({to for axes in maps for to in axes if to is not None}):
        compare_parts(one, axis, dims)


MAPPED = {
    "input x: [2, 3]; input y: [3]; output z = x * y": ((0, 1), (1,)),
    "input x: [2, 1]; input y: [2, 3]; output z = x + y": ((0, None), (0, 1)),
    "input x: [5, 3]; input w: [3, 4]; output z = x @ w": ((0, None), (None, 1)),
    "input x: [2, 5, 3]; input w: [3]; output z = x @ w": ((0, 1, None), (None,)),
    "input x: [3]; input w: [2, 3, 4]; output z = x @ w": ((None,), (0, None, 1)),
    "input x: [2, 5, 3]; input w: [2, 3, 4]; output z = x @ w": ((0, 1, None), (0, None, 2)),
    "input x: [3]; input y: [4]; output z = outer(x, y)": ((0,), (1,)),
    "input x: [2, 3, 4]; output z = sum(x, axis=1)": ((0, None, 1),),
    "input x: [2, 3, 4]; output z = mean(x, axis=[0, -1], keepdims=true)": ((None, 1, None),),
    "input x: [2, 3]; output z = sum(x)": ((None, None),),
    "input x: [2, 3]; output z = softmax(x)": ((0, None),),
    "input x: [2, 3, 4]; output z = argmax(x, axis=1)": ((0, None, 1),),
    "input x: [2, 3, 4]; output z = transpose(x)": ((2, 1, 0),),
    "input x: [2, 3]; output z = x[:, _, :]": ((0, 2),),
    "input x: [2, 3, 4]; output z = x[1, :, :2]": ((None, 0, None),),
    "input x: [2, 3, 4]; output z = flip(x, axis=1)": ((0, None, 2),),
    "input x: [2, 3, 4]; input i: int[5]; output z = x[:, i, :]": ((0, None, 2), (1,)),
    "input x: [2, 3]; input i: int[2]; output z = pick(x, i)": ((0, None), (0,)),
    "dim B; input x: [B, 6]; output z = reshape(x, [B, 2, 3])": ((0, None),),
    "dim B; input x: [2, 3, B]; output z = reshape(x, [6, B])": ((None, None, 1),),
    "input x: [2, 3]; input y: [2, 4]; output z = concat(x, y)": ((0, None), (0, None)),
    "input x: [2, 3]; output z = cumsum(x, axis=0)": ((None, 1),),
    "input x: [2, 3]; output z = roll(x, 1, axis=0)": ((None, 1),),
    "input x: [2, 3]; output z = roll(x, 1)": ((None, None),),
    "input x: [5, 3, 3]; output z = inv(x)": ((0, None, None),),
    "input x: [5, 3, 3]; output z = det(x)": ((0, None, None),),
    "input x: [5, 3, 3]; input y: [3, 2]; output z = solve(x, y)": ((0, None, None), (None, 2)),
    "input x: [5, 3]; input y: [3]; output z = cross(x, y)": ((0, None), (None,)),
    "input x: [5, 3]; output z = tril(x)": ((0, 1),),
    "input x: [5, 4, 3]; output z = diagonal(x)": ((0, None, None),),
    "input x: [5, 4]; output z = broadcast_to(x, [2, 5, 4])": ((1, 2),),
    "input x: [5, 4, 8, 8]; output z = maxpool(x, 2)": ((0, 1, None, None),),
}  # fmt: skip


@pytest.mark.parametrize("text", MAPPED)
def test_axes_that_are_mapped(text: str) -> None:
    with building():
        (result,) = model_of(text.replace("; ", "\n")).outputs
        assert result.node.op.axes(result.node) == MAPPED[text]


# ---- what is made ----------------------------------------------------------------------------


def test_every_operation_has_a_rule() -> None:
    """All that exist: some are reached by no name."""
    entered = {LOOP, RESULT, RULED}  # which batching takes apart itself
    entered |= {assemble, take_vector, bin_vector, WATCHED}  # which are made after calculus
    entered |= {to_number, to_scalar, numbers_of}  # as are these
    without = {one for one in gc.get_objects() if isinstance(one, Op) and one.batch is None}
    assert without - entered == {*SOURCES, CONSTANT, DIM, BOUND}


@pytest.mark.parametrize("text", ["x @ w", "x @ (w @ v)", "w.T @ x[0]", "solve(q, x[0])"])
def test_what_is_shared_is_multiplied_once(text: str) -> None:
    """One product or one factorisation for all positions, not one for each."""
    head = "input x: [4, 3]\ninput w: [3, 3]\ninput v: [3]\ninput q: [3, 3]\noutput y = "
    with building():
        model = model_of(head + text)
        x, y = model.inputs[0].node, model.outputs[0].node
        new = batch([y], {x: source(INPUT, "all", x.type.with_shape((7, 4, 3)))}, Dim.of(7))
        heavy = [n for n in arguments_first([new[y]]) if n.op.name in ("matmul", "solution")]
        assert heavy
        assert all(arg.rank <= 2 for node in heavy for arg in node.args)


JACOBIANS = {
    "x @ w": lambda x, w: x @ w,
    "tanh(x @ w) @ w.T": lambda x, w: jnp.tanh(x @ w) @ w.T,
    "softmax(x, axis=0)": lambda x, w: jax.nn.softmax(x, axis=0),
    "solve(w @ w.T + eye(3), x[0])": lambda x, w: jnp.linalg.solve(w @ w.T + jnp.eye(3), x[0]),
    "cumprod(x, axis=1) * w[0]": lambda x, w: jnp.cumprod(x, axis=1) * w[0],
    "sort(x, axis=0)": lambda x, w: jnp.sort(x, axis=0),
    "take(x, [1, 1, 0], axis=0) + take(w, [2, 0, 1], axis=1)": lambda x, w: (
        x[jnp.array([1, 1, 0])] + w[:, jnp.array([2, 0, 1])]
    ),
    "conv1d(x[_], w[:, :2, _])": lambda x, w: jax.lax.conv_general_dilated(
        x[None], w[:, :2, None], (1,), "VALID"
    ),
    "logsumexp(x[:, :, _] + w[_], axis=1)": lambda x, w: jax.nn.logsumexp(
        x[:, :, None] + w[None], axis=1
    ),
    "cholesky(w @ w.T + 3 * eye(3))": lambda x, w: jnp.linalg.cholesky(w @ w.T + 3 * jnp.eye(3)),
    "std(x, axis=0)": lambda x, w: jnp.std(x, axis=0),
}


@pytest.mark.parametrize("text", JACOBIANS)
def test_jacobian(text: str) -> None:
    """All rows of the identity at once, pulled back, against JAX."""
    rng = np.random.default_rng(8)
    x, w = rng.uniform(0.2, 1.3, size=(2, 3)), rng.uniform(0.2, 1.3, size=(3, 3))
    with building():
        model = model_of(f"input x: [2, 3]\ninput w: [3, 3]\noutput y = {text}")
        inputs = [one.node for one in model.inputs]
        (y,) = (one.node for one in model.outputs)
        ends, (ct,) = pulled([y], inputs)
        seeds = source(COTANGENT, "seeds", ct.type.with_shape((y.type.size, *y.shape)))
        new = batch(ends, {ct: seeds}, y.type.size)
        shape = tuple(axis.evaluate({}) for axis in y.shape)
        identity = np.eye(math.prod(shape)).reshape(-1, *shape)
        found = iter(computing([new[end] for end in ends], [*inputs, seeds])(x, w, identity))
        for expected in jax.jit(jax.jacrev(JACOBIANS[text], (0, 1)))(x, w):
            if np.any(expected):
                rows = next(found)
                assert_close([rows.reshape(expected.shape)], [np.asarray(expected)])


@pytest.mark.parametrize("text", JACOBIANS)
def test_values_against_vmap(text: str) -> None:
    rng = np.random.default_rng(9)
    x, w = rng.uniform(0.2, 1.3, size=(5, 2, 3)), rng.uniform(0.2, 1.3, size=(3, 3))
    with building():
        model = model_of(f"input x: [2, 3]\ninput w: [3, 3]\noutput y = {text}")
        inputs = [one.node for one in model.inputs]
        (y,) = (one.node for one in model.outputs)
        several = source(INPUT, "several", inputs[0].type.with_shape((5, 2, 3)))
        new = batch([y], {inputs[0]: several}, Dim.of(5))
        if y in new:
            found = computing([new[y]], [several, inputs[1]])(x, w)
            expected = jax.jit(jax.vmap(JACOBIANS[text], (0, None)))(x, w)
            assert_close(found, [np.asarray(expected)])
