"""Statistics of rows: what a chunk computes of one, how two are merged, and what it is then."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from graphc.chunks.layout import Merge
from graphc.ir.dims import Dim
from graphc.ir.graph import Node, Op, as_node
from graphc.ops.define.families import normal_axes, to_float, to_int
from graphc.ops.elementwise.arithmetic import (
    equal,
    greater,
    logical_and,
    logical_or,
    maximum,
    minimum,
    where,
)
from graphc.ops.elementwise.elementary import sqrt
from graphc.ops.reduce.reduction import (
    logsumexp,
    max_,
    mean,
    min_,
    reinsert_axes,
    softmax,
    sum_,
)
from graphc.ops.reduce.statistics import deviation, euclidean_norm, variance
from graphc.ops.shape.shaping import part_at, stack
from graphc.records import dataclass

Values = Sequence[Node]


@dataclass(frozen=True, slots=True)
class Side:
    """What one of two chunks has: the values of a statistic, some rows, a logsumexp it may need."""

    values: Values
    rows: Node
    weight: Node | None = None


def values_of(node: Node, merge: Merge, differentiated: bool) -> tuple[Node, ...]:
    """Return what a chunk computes of a statistic: as it stands in the graph, or in its place.

    Ties share a derivative evenly, so beside an extreme there is how often it occurs.
    """
    if merge == "moments":
        x, kept = node.args[0], {name: node.attrs[name] for name in ("axis", "keepdims")}
        return mean(x, **kept), variance(x, ddof=0, **kept)
    if differentiated and node.op in (max_, min_):
        x, axis, keepdims = node.args[0], node.attrs["axis"], node.attrs["keepdims"]
        ties = to_int(equal(x, reinsert_axes(node, x, axis, keepdims)))
        return node, sum_(ties, axis=axis, keepdims=keepdims)
    return (node,)


def value_from(node: Node, merge: Merge, values: Values, rows: Node, axis: Dim) -> Node:
    """Return what a statistic is, of its merged values and the number of all rows."""
    if merge != "moments":
        return values[0]
    gathered = Dim.of(1)
    for place in normal_axes(node.attrs["axis"], node.args[0].rank, node.op.name):
        gathered = gathered * node.args[0].shape[place]
    spread, number = values[1], to_float(rows * as_node(gathered // axis))
    if node.attrs["ddof"]:
        spread = spread * (number / (number - float(node.attrs["ddof"])))
    if node.op is not deviation:
        return spread
    some = greater(spread, 0.0)  # the derivative of a constant is 0, as that of `std` is
    return where(some, sqrt(where(some, spread, 1.0)), spread)


def merged(merge: Merge, left: Side, right: Side) -> tuple[Node, ...]:
    """Merge the values that two chunks have of a statistic."""
    return _MERGES[merge](left, right)


def _averaged(left: Side, right: Side) -> tuple[Node, ...]:
    """Weigh by rows."""
    first, second = _shares(left, right)
    return tuple(a * first + b * second for a, b in zip(left.values, right.values, strict=True))


def _shares(left: Side, right: Side) -> tuple[Node, Node]:
    """Return which part of the rows each chunk has."""
    rows = left.rows + right.rows
    return left.rows / rows, right.rows / rows


def _moments(left: Side, right: Side) -> tuple[Node, ...]:
    """Merge means and mean squares of deviations (Chan, Golub and LeVeque 1982, eq. 2.1)."""
    (one, spread), (other, other_spread) = left.values, right.values
    first, second = _shares(left, right)
    apart = other - one
    between = apart * apart * (first * second)
    return one * first + other * second, spread * first + other_spread * second + between


def _extreme(
    of_two: Op, first_wins: Callable[[Node, Node], Node]
) -> Callable[[Side, Side], tuple[Node, ...]]:
    def merge(left: Side, right: Side) -> tuple[Node, ...]:
        (a, *ties_of_a), (b, *ties_of_b) = left.values, right.values
        if not ties_of_a:
            return (of_two(a, b),)
        (m,), (n,) = ties_of_a, ties_of_b
        even = a * (m / (m + n)) + b * (n / (m + n))
        return (
            where(first_wins(a, b), a, where(first_wins(b, a), b, even)),
            where(first_wins(a, b), m, where(first_wins(b, a), n, m + n)),
        )

    return merge


def _weighted(left: Side, right: Side) -> tuple[Node, ...]:
    """Weigh by sums of exponentials, of which the logarithms are known."""
    assert left.weight is not None
    assert right.weight is not None
    weights = softmax(stack(left.weight, right.weight, axis=0), axis=(0,))
    first, second = (part_at(weights, 0, Dim.of(n)) for n in (0, 1))
    return tuple(a * first + b * second for a, b in zip(left.values, right.values, strict=True))


def _pairwise(join: Callable[[Node, Node], Node]) -> Callable[[Side, Side], tuple[Node, ...]]:
    return lambda left, right: tuple(map(join, left.values, right.values))


_MERGES: Mapping[Merge, Callable[[Side, Side], tuple[Node, ...]]] = {
    "summed": _pairwise(lambda a, b: a + b),
    "averaged": _averaged,
    "largest": _extreme(maximum, lambda a, b: a > b),
    "smallest": _extreme(minimum, lambda a, b: a < b),
    "logsumexp": _pairwise(lambda a, b: logsumexp(stack(a, b, axis=0), axis=(0,), keepdims=False)),
    "moments": _moments,
    "norm": _pairwise(lambda a, b: euclidean_norm(stack(a, b, axis=0), axis=(0,), keepdims=False)),
    "product": _pairwise(lambda a, b: a * b),
    "any": _pairwise(logical_or),
    "all": _pairwise(logical_and),
    "weighted": _weighted,
}
