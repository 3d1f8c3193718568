"""The driver of rules ends where no rule applies any more, and tells of those without an end."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from graphc.compile.stages import Options, compile_text
from graphc.ir.dims import Dim
from graphc.ir.graph import INPUT, Graph, Node, building, source, with_args
from graphc.ir.results import value_of
from graphc.ir.types import Type
from graphc.ir.use_counts import Once, Rules, exchange, move, reads_of
from graphc.ops.elementwise.arithmetic import times
from graphc.ops.elementwise.elementary import cos, sin, tanh
from graphc.ops.linear.products import matmul
from graphc.ops.reduce.reduction import sum_
from graphc.optimise import driver
from graphc.optimise.driver import FAST_RULES, applied_everywhere
from graphc.targets.numpy.lowering import LAST_RULES
from tests.loading import loaded

LENGTH = 40


@pytest.fixture(autouse=True)
def nodes() -> Iterator[None]:
    with building():
        yield


def graph_of(*results: Node) -> Graph:
    return Graph("chain", {value_of(str(place)): one for place, one in enumerate(results)}, {})


def square_matrix() -> Node:
    return source(INPUT, "w", Type("float", (Dim.of(5), Dim.of(5))))


def transposed() -> Graph:
    """The transpose of a product, whose factors are read once more, each."""
    w = square_matrix()
    chain = [w]
    for _ in range(LENGTH):
        chain.append(matmul(chain[-1], w))
    result = chain[-1].T
    for one in chain[-2::-1]:
        result = matmul(one.T, result)
    return graph_of(result)


def summed() -> Graph:
    w = square_matrix()
    product = w
    for _ in range(LENGTH):
        product = matmul(product, w)
    return graph_of(sum_(product, axis=(0,), keepdims=False))


def powers() -> Graph:
    x = source(INPUT, "x", Type("float", (Dim.of(5),)))
    for _ in range(LENGTH):
        x = (x * 2.0) ** 2.0
    return graph_of(x)


@pytest.mark.parametrize("chain", [transposed, summed, powers])
def test_it_ends_where_no_rule_applies(chain: Callable[[], Graph]) -> None:
    """However long a chain a rule has to go along."""
    for rules in (FAST_RULES, *LAST_RULES):
        once = applied_everywhere(chain(), rules)
        assert applied_everywhere(once, rules) is once


def test_a_sum_goes_all_the_way_down_a_chain_of_products() -> None:
    """Each product is one of a vector with a matrix then."""
    done = applied_everywhere(summed(), FAST_RULES)
    products = [node for node in done.nodes if node.op is matmul]
    assert len(products) == LENGTH
    assert all(node.rank == 1 for node in products)


@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_a_long_chain_is_right(level: str) -> None:
    text = f"input w: [3, 3]\noutput y = sum({' @ '.join(['w'] * LENGTH)}, axis=0)"
    w = np.random.default_rng(0).normal(size=(3, 3)) / 2
    found = loaded(compile_text(text, options=Options(level=level)).text, "chain").forward(w)[0].y
    np.testing.assert_allclose(found, np.linalg.matrix_power(w, LENGTH).sum(axis=0), rtol=1e-9)


@pytest.fixture
def rounds(monkeypatch: pytest.MonkeyPatch) -> list[Graph]:
    """The graphs that a round began with."""
    taken: list[Graph] = []
    whole = driver._round

    def counted(graph: Graph, rules: Rules, patient: bool) -> Graph:
        taken.append(graph)
        return whole(graph, rules, patient)

    monkeypatch.setattr(driver, "_round", counted)
    return taken


def test_many_terms_that_share_factors_take_no_more_rounds(rounds: list[Graph]) -> None:
    """A tower of powers: each term of the gradient has the factors of the one before."""
    taken = []
    x = np.array([0.7, 1.0, 1.2])
    for height in (6, 30):
        rounds.clear()
        tower = "**".join(["x"] * height)
        text = f"input x: [3]\noutput y = sum({tower})\nderive value_and_grad y wrt x"
        module = loaded(compile_text(text, options=Options(level="-O2")).text, "tower")
        taken.append(len(rounds))
        _, found = module.value_and_grad_y(x)
        moved = z = x + 1e-30j
        for _ in range(height - 1):
            moved = z**moved
        np.testing.assert_allclose(found["x"], moved.imag / 1e-30, rtol=1e-12)
    assert taken[0] == taken[1]


def test_a_chain_of_any_length_takes_no_more_rounds(rounds: list[Graph]) -> None:
    """Each step's derivative hands its factor on to the next."""
    taken = []
    for steps in (30, 90):
        rounds.clear()
        links = "".join(f"h{k} = sin(h{k - 1}) * w\n" for k in range(1, steps))
        text = f"dim B\nparam w: [4]\ninput x: [B, 4]\nh0 = x * w\n{links}"
        text += f"output l = mean(h{steps - 1})\nderive grad l wrt w per B"
        compile_text(text, options=Options(level="-O2"))
        taken.append(len(rounds))
    assert taken[1] <= taken[0] + 2


def test_reads_are_counted_on_as_nodes_take_the_place_of_others() -> None:
    """As they are counted anew in the graph that has come of it."""
    x = source(INPUT, "x", Type("float", (Dim.of(5),)))
    shared = sin(x)
    old = times(times(shared, tanh(x)), cos(x))
    reads = reads_of([old, shared])
    below = old.args[0]
    new = times(shared, times(tanh(x), cos(x)))
    exchange(reads, old, new)
    assert reads[below] == 0
    assert +reads == reads_of([new, shared])
    other = with_args(new, (x, new.args[1]))
    reads = reads_of([other, new])
    exchange(reads, shared, x)
    move(reads, new, other)
    assert reads[other] == 2
    assert reads[other.args[1]] == 1


def test_what_a_rule_makes_is_rewritten_in_the_same_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also what it makes below itself."""

    def to_sin(node: Node, once: Once) -> Node:
        return times(sin(cos(node.args[0])), 3.0)

    def from_cos(node: Node, once: Once) -> Node:
        return times(node.args[0], 2.0)

    x = source(INPUT, "x", Type("float", (Dim.of(5),)))
    monkeypatch.setattr(driver, "PATIENT", 0)  # as many as there are nodes
    done = applied_everywhere(graph_of(tanh(x)), {tanh: (to_sin,), cos: (from_cos,)})
    assert done.results == graph_of(times(sin(times(x, 2.0)), 3.0)).results


def test_rules_that_undo_one_another_are_found_out() -> None:
    """Else a compilation would not end."""

    def to_cos(node: Node, once: Once) -> Node:
        return cos(node.args[0])

    def to_sin(node: Node, once: Once) -> Node:
        return sin(node.args[0])

    x = source(INPUT, "x", Type("float", (Dim.of(5),)))
    with pytest.raises(AssertionError, match="undo one another"):
        applied_everywhere(graph_of(sin(x)), {sin: (to_cos,), cos: (to_sin,)})
