"""The verifier of graphs: it passes what graphc makes and names what is broken; who is verified."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import LEVELS

from graphc.ad.batch import batch
from graphc.compile.stages import Options, compile_text
from graphc.elaborate.build import elaborate
from graphc.ir.dims import Dim
from graphc.ir.graph import (
    CONSTANT,
    INPUT,
    Adjoint,
    Graph,
    Node,
    as_node,
    building,
    intern,
    source,
    stamped,
)
from graphc.ir.loop import LOOP, RULED, Element, bound, everywhere, loop_of, rule_of
from graphc.ir.results import value_of
from graphc.ir.types import Dtype, Mismatch, Type
from graphc.ir.verify import Broken, faults, verified, verify
from graphc.ops.elementwise.arithmetic import accumulate
from graphc.ops.elementwise.elementary import tanh
from graphc.ops.linear.products import matmul
from graphc.ops.reduce.reduction import sum_
from graphc.optimise.passes import PASSES
from graphc.source import Source
from graphc.syntax.parse.parser import parse
from tests.loading import loaded
from tests.passes.evaluate import computed

GRAPHC = Path(__file__).resolve().parent.parent / "graphc"
TEXT = """dim N
input x: [N, 3]
param W: [3, 3]
h = tanh(x @ W)
scan steps[t in 5] carry s = zeros([3]) {
    u = s * 0.5 + h[0] * t
    next s = tanh(u)
    collect us = u
}
output y = sum(h) + sum(us**2) + sum(s)
"""


pytestmark = pytest.mark.usefixtures("verifying")


@pytest.fixture
def graph() -> Iterator[Graph]:
    with building():
        yield elaborate(parse(Source("net.graph", TEXT))).sound.graph


def node_of(graph: Graph, name: str) -> Node:
    """The node that stands for a name, also inside of loops."""
    return next(n for n in everywhere(graph.results.values()) if graph.names.get(n) == name)


def only_loop(graph: Graph) -> Node:
    return next(n for n in graph.nodes if n.op is LOOP)


def with_result(graph: Graph, node: Node) -> Graph:
    return replace(graph, results=dict.fromkeys(graph.results, node))


def with_loop(graph: Graph, **changes: object) -> Graph:
    """The graph of its loop with other fields, the arguments as they were."""
    node = only_loop(graph)
    loop = replace(loop_of(node), **changes)  # type: ignore[arg-type]
    return with_result(graph, intern(LOOP, node.args, {"loop": loop}, node.type))


def retyped(node: Node, *shape: int, dtype: Dtype = "float") -> Node:
    """A node with another type than its operation gives it."""
    made = Type(dtype, tuple(map(Dim.of, shape)))
    return intern(node.op, node.args, node.attrs, made, node.salt)


def told(graph: Graph) -> str:
    with pytest.raises(Broken) as broken:
        verify(graph, "some_pass")
    return str(broken.value)


def test_what_elaboration_makes_is_well_formed(graph: Graph) -> None:
    assert list(faults(graph)) == []


def test_a_type_that_its_operation_does_not_give(graph: Graph) -> None:
    """The message names the pass, the function, the node, both types, and the line of the graph."""
    h = node_of(graph, "h")
    with stamped(h.origin):
        broken = retyped(h, 7)
    number = broken.number
    assert told(with_result(graph, broken)) == (
        "after `some_pass` the graph of `net` is not well formed:\n"
        f"  #{number}=tanh(#{h.args[0].number}): [7]: is [N, 3] by its own rule\n"
        "    made for net.graph:4:1: h = tanh(x @ W)"
    )


def test_arguments_that_its_operation_does_not_take(graph: Graph) -> None:
    x, w = node_of(graph, "x"), node_of(graph, "W")
    wrong = intern(matmul, (w, x), {}, x.type)
    assert "cannot be of [3, 3], [N, 3]: " in told(with_result(graph, wrong))


@pytest.mark.parametrize(("value", "type"), [(1.0, Type("int")), ((1, 2), Type("int"))])
def test_a_constant_of_another_type(graph: Graph, value: object, type: Type) -> None:
    wrong = intern(CONSTANT, (), {"value": value}, type)
    assert "by its own rule" in told(with_result(graph, wrong))


def test_a_node_that_is_not_interned(graph: Graph) -> None:
    h = node_of(graph, "h")
    assert "is not interned" in told(with_result(graph, replace(h, salt="other")))


def test_a_node_of_another_compilation(graph: Graph) -> None:
    with building():
        stranger = tanh(source(INPUT, "x", Type("float", (Dim.of(3),))))
        other = tanh(stranger)
    assert "is not interned" in told(with_result(graph, other))


def test_names_of_another_compilation(graph: Graph) -> None:
    with building():
        stranger = source(INPUT, "far", Type("float", (Dim.of(3),)))
    assert "is not interned" in told(replace(graph, names={**graph.names, stranger: "far"}))


# ---- loops and scopes ----------------------------------------------------------------------------


def test_a_value_of_a_loop_outside_of_it(graph: Graph) -> None:
    inside = loop_of(only_loop(graph)).carried[0]
    assert "outside of" in told(with_result(graph, tanh(inside)))


def test_an_index_outside_of_its_loop(graph: Graph) -> None:
    index = tanh(as_node(Dim.symbol("t")) * 1.0)
    broken = replace(graph, results={**graph.results, value_of("z"): index})
    assert "names the index `t` outside of its loop" in told(broken)


def test_a_loop_that_does_not_say_what_it_reads(graph: Graph) -> None:
    node = only_loop(graph)
    less = intern(LOOP, node.args[:-1], node.attrs, node.type)
    assert "captures (" in told(with_result(graph, less))


def test_a_carried_value_that_becomes_another_type(graph: Graph) -> None:
    (following,) = loop_of(only_loop(graph)).nexts
    summed = sum_(following, axis=(0,), keepdims=False)
    assert "becomes" in told(with_loop(graph, nexts=(summed,)))


def test_an_element_that_is_no_position_of_its_source(graph: Graph) -> None:
    node = only_loop(graph)
    loop = loop_of(node)
    element = Element(bound("element", Type("float", (Dim.of(4),))), 0)
    first, *rest = node.args
    args = (first, node_of(graph, "x"), *rest)
    wrong = intern(LOOP, args, {"loop": replace(loop, elements=(element,))}, node.type)
    assert "along axis 0 in 5 steps" in told(with_result(graph, wrong))


def test_a_condition_that_is_no_truth_value(graph: Graph) -> None:
    (following,) = loop_of(only_loop(graph)).nexts
    assert "ends a loop, and is no bool" in told(with_loop(graph, until=following))


def test_a_node_inside_of_a_loop(graph: Graph) -> None:
    (following,) = loop_of(only_loop(graph)).nexts
    wrong = tanh(retyped(following, 4))
    broken = with_loop(graph, collected=(wrong,))
    assert "[4]: is [3] by its own rule" in told(broken)


def test_a_result_of_another_type_than_its_loop_has(graph: Graph) -> None:
    assert "[2]: is [3] by its own rule" in told(
        with_result(graph, retyped(node_of(graph, "s"), 2))
    )


def test_an_adjoint_of_another_shape(graph: Graph) -> None:
    h, w = node_of(graph, "h"), node_of(graph, "W")
    adjoint = Adjoint(h, (), w)
    assert "is the derivative by" in told(replace(graph, adjoints=(adjoint,)))


def test_a_stated_derivative_of_another_shape() -> None:
    text = """
    block f(x: [N]) -> y: [N] {
        y = tanh(x)
        rule vjp x = cotangent(y) * y
    }
    input x: [3]
    output y = sum(f(x))
    """
    with building():
        graph = elaborate(parse(Source("rule.graph", text))).sound.graph
        assert list(faults(graph)) == []
        node = next(n for n in graph.nodes if n.op is RULED)
        rule = rule_of(node)
        (pulled,) = rule.pulled
        assert pulled is not None
        wrong = replace(rule, pulled=(sum_(pulled, axis=(0,), keepdims=False),))
        args = (*node.args[:2], *node.args[2:])
        broken = intern(RULED, args, {"rule": wrong}, node.type)
        assert "stands for" in told(with_result(graph, broken))


# ---- who is verified -----------------------------------------------------------------------------


def test_a_broken_pass_is_named_as_it_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    @verified
    def flattening(graph: Graph) -> Graph:
        return with_result(graph, retyped(next(iter(graph.results.values())), 2, 2))

    monkeypatch.setattr("graphc.compile.graphs.PASSES", (*PASSES, flattening))
    with pytest.raises(Broken, match="after `flattening` the graph of both halves"):
        compile_text("input x: [3]\noutput y = sum(tanh(x))")


def test_nobody_is_verified_who_has_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRAPHC_VERIFY")
    monkeypatch.setattr("graphc.ir.verify.verify", lambda graph, after: pytest.fail(after))
    assert "def forward" in compile_text("input x: [3]\noutput y = sum(tanh(x))").text


PARTS_OF_PASSES = {"with_nodes", "applied_everywhere"}
"""What verified passes end with."""


def makers_of_graphs() -> Iterator[tuple[str, ast.FunctionDef]]:
    for room in ("ad", "optimise", "targets"):
        for file in sorted((GRAPHC / room).rglob("*.py")):
            for node in ast.parse(file.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                    yield file.relative_to(GRAPHC).as_posix(), node


def test_whoever_makes_a_graph_is_verified() -> None:
    made = {"Graph": "verified", "Model": "verified_model", "Split": "verifying"}
    unverified = [
        f"{file}: {function.name}"
        for file, function in makers_of_graphs()
        if function.returns is not None
        and (decorator := made.get(ast.unparse(function.returns)))
        and decorator not in {ast.unparse(one).partition("(")[0] for one in function.decorator_list}
        and function.name not in PARTS_OF_PASSES
    ]
    assert unverified == []


# ---- two operations that once contradicted their own rule ----------------------------------------

STRETCHED = """
input x: [4, 3]
param w: [3]
h = x * w
output y = sum(h) + sum(tanh(h)**2, axis=0)[0] + mean(h)
"""
PICKED = """
dim B
input x: [B, 5]
input label: int[B]
output y = sum(pick(x, label))
"""


@pytest.mark.parametrize("level", LEVELS)
def test_terms_of_a_sum_may_be_stretched(level: str) -> None:
    generated = loaded(compile_text(STRETCHED, options=Options(level=level)).text, "stretched")
    x, w = np.random.default_rng(0).normal(size=(4, 3)), np.array([0.5, -1.0, 2.0])
    _, cache = generated.forward({"w": w}, x)
    inner = np.zeros((4, 3))
    inner[:, 0] = 2 * np.tanh(x * w)[:, 0] * (1 - np.tanh(x * w)[:, 0] ** 2)
    expected = ((1 + 1 / 12 + inner) * x).sum(axis=0)
    np.testing.assert_allclose(generated.backward(cache, y=1.0)["w"], expected, rtol=1e-13)


@pytest.mark.parametrize("level", LEVELS)
def test_a_number_that_goes_to_each_picked_element(level: str) -> None:
    generated = loaded(compile_text(PICKED, options=Options(level=level)).text, "picked")
    label = np.array([4, 0, 2])
    _, cache = generated.forward(np.ones((3, 5)), label)
    np.testing.assert_array_equal(generated.backward(cache, y=2.0)["x"], 2.0 * np.eye(5)[label])


def test_a_sum_has_the_type_of_a_term_that_all_others_stretch_to() -> None:
    with building():
        number, row, matrix = (
            source(INPUT, name, Type("float", tuple(map(Dim.of, shape))))
            for name, shape in (("n", ()), ("r", (3,)), ("m", (2, 3)))
        )
        column = source(INPUT, "c", Type("float", (Dim.of(2), Dim.of(1))))
        assert accumulate(number, matrix, row, column).type == matrix.type
        with pytest.raises(Mismatch, match="no term of the sum has the shape of the others"):
            accumulate(row, column)


@pytest.mark.parametrize("moving", ["m", "r"])
def test_terms_that_are_stretched_get_a_leading_axis(moving: str) -> None:
    """Row after row, whichever of the terms differ from row to row."""
    n = Dim.symbol("N")
    with building():
        nodes = {
            name: source(INPUT, name, Type("float", tuple(map(Dim.of, shape))))
            for name, shape in (("m", (2, 3)), ("r", (3,)))
        }
        total = accumulate(*nodes.values())
        rows = source(INPUT, "rows", Type("float", (n, *nodes[moving].shape)))
        batched = batch([total], {nodes[moving]: rows}, n)[total]
        results = {value_of("total"): batched, value_of("rows"): rows}
        results |= {value_of(name): node for name, node in nodes.items()}
        graph = Graph("batched", results, {})
        assert list(faults(graph)) == []
        found = computed(graph, {"N": 4})
    given = {name: found[value_of(name)] for name in nodes} | {moving: found[value_of("rows")]}
    lead = given["m"] if moving == "m" else given["m"][None]
    row = given["r"] if moving == "m" else given["r"][:, None]
    np.testing.assert_array_equal(found[value_of("total")], lead + row)
