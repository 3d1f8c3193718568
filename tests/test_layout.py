"""The order of axes in memory, and the order of statements: what is chosen, and that it holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from graphc.compile.stages import Options, compile_text, load
from graphc.ir.dims import Dim
from graphc.ir.graph import INPUT, Node, building, source
from graphc.ir.order import topological
from graphc.ir.types import Type
from graphc.ops.elementwise.arithmetic import plus, times
from graphc.ops.elementwise.elementary import cos, exp
from graphc.ops.linear.products import matmul
from graphc.ops.reduce.reduction import sum_
from graphc.ops.shape.shaping import expand, reshape, transpose
from graphc.plan.order import reorder
from graphc.plan.tiles.axis_classes import Classes
from graphc.plan.tiles.memory_order import Order, orders, row_by_row

P, B, D, K = map(Dim.symbol, "PBDK")


def array(name: str, *shape: int | Dim) -> Node:
    return source(INPUT, name, Type("float").with_shape(shape))


def narrow(x: Node) -> Node:
    """[P, 3] beside [P, 1], over and over."""
    result = exp(x)
    for _ in range(4):
        scale = expand(cos(sum_(result * result, axis=(1,), keepdims=False)), axes=(1,))
        result = exp(result * scale) + cos(result)
    return result


def chosen(results: Sequence[Node], axis: Node, bound: Sequence[Node] = ()) -> dict[Node, Order]:
    """The orders of what the results need, in blocks of the first axis of a node."""
    nodes = list(topological(results))
    classes = Classes(nodes)
    computed = [node for node in nodes if node.args and node.op.view_of is None]
    return orders(computed, classes, classes.of(axis, 0), {}, bound)


def test_a_long_axis_lies_inside_of_a_narrow_one() -> None:
    """Loops over three elements would take the time."""
    with building():
        x = array("x", P, 3)
        found = chosen([narrow(x)], x)
        assert all(order == (1, 0) for node, order in found.items() if node.rank == 2)


def test_rows_stay_rows_where_nothing_is_narrow() -> None:
    with building():
        x, b = array("x", B, 512), array("b", 512)
        y = exp(x * b) * cos(x + b)
        found = chosen([sum_(y, axis=(0,), keepdims=False)], x)
        assert all(order == row_by_row(node) for node, order in found.items())


def test_what_is_bound_lies_row_by_row() -> None:
    with building():
        x = array("x", P, 3)
        result = narrow(x)
        assert chosen([result], x)[result] == (1, 0)
        assert chosen([result], x, [result])[result] == (0, 1)


def test_small_matrices_are_not_multiplied_rows_by_rows() -> None:
    """What a product of small matrices sums over lies innermost in one operand at most."""
    with building():
        x, L = array("x", P, K, D), array("L", K, D, D)
        moved = transpose(x * x, axes=(1, 2, 0))
        z = matmul(L, moved)
        g = matmul(z * moved, transpose(moved + z, axes=(0, 2, 1)))
        left, right = g.args[0], g.args[1].args[0]
        found = chosen([g], x)
        assert (found[left][-1], found[right][-1]) != (2, 2)


@pytest.mark.parametrize(
    ("before", "after", "extents"),
    [
        ((B, P, 4), (B * P, 4), {0: (1, P)}),
        ((2, B, 3), (2 * B, 3), {0: (2, 1)}),
        ((B, 12), (B, 3, 4), {0: (1, 1)}),
        ((2, B, 3), (6 * B,), {0: (2, 3)}),
        ((2, B, 3), (3, B, 2), {}),
        ((B, 1, 4), (B * 4,), {0: (1, 4)}),
    ],
    ids=str,
)
def test_merged_axes(
    before: tuple[int | Dim, ...],
    after: tuple[int | Dim, ...],
    extents: dict[int, tuple[int | Dim, int | Dim]],
) -> None:
    """How the axes of a reshaped array are made of the positions of one before."""
    with building():
        x = array("x", *before)
        y = reshape(x, shape=Type("float").with_shape(after).shape)
        classes = Classes([x, y])
        axis = classes.of(x, next(i for i, n in enumerate(before) if n == B))
        found = {i: tuple(classes.extent(y, i, axis)) for i in classes.axes(y, axis)}
        assert found == {i: (Dim.of(a), Dim.of(b)) for i, (a, b) in extents.items()}


def test_an_axis_that_is_merged_and_split_again_is_one() -> None:
    with building():
        x = array("x", 2, B, 3)
        flat = cos(reshape(x, shape=(2 * B, Dim.of(3))))
        y = reshape(flat, shape=x.shape)
        classes = Classes([x, *topological([y])])
        assert classes.of(x, 1) == classes.of(y, 1)


def test_blocks_of_jacobians_lie_as_they_are_computed() -> None:
    """They have the values of the readable module; other results lie row by row."""
    written = """
        dim P
        input X: [P, 3]
        input wt: [P]
        c = cos(wt)
        Y = X * c[:, _] + tanh(X * c[:, _]) * sin(wt)[:, _]
        Z = Y * exp(-wt)[:, _] + exp(-Y * c[:, _]) * c[:, _]
        output e: [P, 3] = tanh(Z * wt[:, _]) + Z * c[:, _]
        derive value_and_jacobian e wrt X, wt per P as Je
        """
    fast, readable = (
        load(compile_text(written, options=Options(level=level)).text, f"layout{level[2:]}")
        for level in ("-O2", "-O0")
    )
    rng = np.random.default_rng(0)
    X, wt = rng.normal(size=(700, 3)), rng.normal(size=700)
    (value, found), (expected, blocks) = fast.Je(X, wt), readable.Je(X, wt)
    assert value.flags.c_contiguous
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    for name, block in blocks["e"].items():
        scale = np.abs(block).max()
        np.testing.assert_allclose(found["e"][name], block, rtol=1e-12, atol=1e-14 * scale)
    assert any(block.strides[0] == 8 for block in found["e"].values())


# ---- the order of statements --------------------------------------------------------------------


def _peak(order: Sequence[Node], ends: Sequence[Node]) -> int:
    """The most arrays that are alive at a time."""
    last = {arg: place for place, node in enumerate(order) for arg in node.args}
    alive: set[Node] = set()
    most = 0
    for place, node in enumerate(order):
        alive.add(node)
        most = max(most, len(alive))
        alive -= {arg for arg in node.args if last[arg] == place and arg not in ends}
    return most


def _wide(x: Node) -> Node:
    """All terms are made before the first is added."""
    terms = [exp(cos(x * float(n))) for n in range(2, 8)]
    total = terms[0]
    for term in terms[1:]:
        total = plus(total, term)
    return total


def _slopes(x: Node) -> Node:
    """What only the way back needs is made on the way there."""
    values, slopes = [x], []
    for _ in range(6):
        values.append(cos(values[-1]))
        slopes.append(exp(times(values[-1], values[-1])))
    back = values[-1]
    for slope in reversed(slopes):
        back = times(back, slope)
    return back


@pytest.mark.parametrize(("build", "most"), [(_wide, 3), (_slopes, 8)])
def test_fewer_arrays_are_alive(build: Callable[[Node], Node], most: int) -> None:
    with building():
        x = array("x", B, D)
        result = build(x)
        nodes = [n for n in topological([result], {x}) if n.args and n.rank]
        variables = {node: f"v{number}" for number, node in enumerate([x, *nodes])}
        order = reorder(nodes, nodes, [result], variables)
        assert sorted(order, key=nodes.index) == nodes
        places = {node: place for place, node in enumerate(order)}
        assert all(places[arg] < places[n] for n in order for arg in n.args if arg in places)
        assert _peak(order, [result]) <= most <= _peak(nodes, [result])


def test_the_order_of_making_stays_where_nothing_is_gained() -> None:
    with building():
        chain = [array("x", B, D)]
        for _ in range(5):
            chain.append(exp(cos(chain[-1])))
        nodes = [n for n in topological([chain[-1]]) if n.args]
        assert reorder(nodes, nodes, [chain[-1]], dict.fromkeys(nodes, "v")) == nodes
