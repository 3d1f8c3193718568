"""Operations that sum, merge or mix rows: what each makes of an axis that lies in its arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from graphc.ad.positions import Apart
from graphc.chunks.layout import Merge
from graphc.ir.graph import Node, Op
from graphc.ir.types import is_one
from graphc.ops.define.families import normal_axes
from graphc.ops.linear.products import matmul
from graphc.ops.reduce.reduction import largest, logsumexp, max_, mean, min_, sum_
from graphc.ops.reduce.statistics import deviation, euclidean_norm, variance
from graphc.ops.select.gathering import scatter

Places = Mapping[int, Apart]
"""Where the arguments of a node have the rows, by slot."""

REDUCTIONS: Mapping[Op, Merge] = {
    sum_: "summed",
    mean: "averaged",
    max_: "largest",
    largest: "largest",
    min_: "smallest",
    logsumexp: "logsumexp",
    variance: "moments",
    deviation: "moments",
    euclidean_norm: "norm",
}
"""Reductions along axes, and how those of two chunks are merged."""

REDUCTIONS_BY_NAME: Mapping[str, Merge] = {"prod": "product", "any": "any", "all": "all"}
"""The same for those that have no name in Python."""


def merge_of(node: Node, places: Places) -> Merge | None:
    """Return how a node that takes the rows of its arguments together is merged, if it is."""
    if node.op in _CONTRACTIONS:
        return "summed" if _CONTRACTIONS[node.op](node, places) else None
    found = REDUCTIONS.get(node.op) or REDUCTIONS_BY_NAME.get(node.op.name)
    if found is None or places[0].axis not in _reduced(node):
        return None
    return found


def _reduced(node: Node) -> Sequence[int]:
    return normal_axes(node.attrs["axis"], node.args[0].rank, node.op.name)


def _sums_products(node: Node, places: Places) -> bool:
    """True where the rows are what a product of matrices sums over, in both factors alike."""
    x, y = node.args
    inner = {0: x.rank - 1, 1: max(y.rank - 2, 0)}
    alike = len({(place.outer, place.inner) for place in places.values()}) == 1
    return alike and {slot: place.axis for slot, place in places.items()} == inner


def _adds_by_index(node: Node, places: Places) -> bool:
    """True where each row is added where its own index says."""
    rows, *indices = node.args
    if 0 not in places:
        return False
    first = node.attrs["axis"]
    after = first + rows.rank - node.rank + len(indices)
    if not first <= places[0].axis < after:
        return False
    for slot, one in enumerate(indices, 1):
        axis = places[0].axis - after + one.rank
        expected = None if axis < 0 or is_one(one.shape[axis]) else places[0].at(axis)
        if places.get(slot) != expected:
            return False
    return True


_CONTRACTIONS: Mapping[Op, Callable[[Node, Places], bool]] = {
    matmul: _sums_products,
    scatter: _adds_by_index,
}
"""Operations that sum over rows of several arguments at once: do they, where these lie?"""


# ---- what is said of those that mix ------------------------------------------------------------

ONE_BY_ONE = "let each row be computed without the others"
MIXING: Mapping[str, tuple[str, str]] = {
    "sorting": ("`argsort` puts the rows in order", "sort each row along another axis"),
    "running_sum": ("`cumsum` runs along the rows", "run along another axis"),
    "running_product": ("`cumprod` runs along the rows", "run along another axis"),
    "running_logsumexp": ("a running logsumexp goes along the rows", "run along another axis"),
    "recurrence": ("a recurrence runs along the rows", "run along another axis"),
    "log_softmax": (
        "`log_softmax` along the rows needs all of them for each",
        "take `logsumexp` along the rows, and what is summed of them, by itself",
    ),
    "reshape": ("`reshape` takes the rows apart, or joins them to what stands before", ONE_BY_ONE),
    "index": ("rows are taken by their position", "take all rows, in their order"),
    "gather": ("rows are taken by an index", "take them before: give the chosen rows as an input"),
    "rolled": ("`roll` moves rows from place to place", ONE_BY_ONE),
    "concatenate": ("rows are joined with something else", "join along another axis"),
    "matmul": ("`@` multiplies rows by rows", "sum over the rows: `x.T @ x` is not `x @ x.T`"),
    "argmax": ("`argmax` is a position among all rows", "take `max`, or another axis"),
    "argmin": ("`argmin` is a position among all rows", "take `min`, or another axis"),
    "identity": ("a matrix over the rows has them twice", ONE_BY_ONE),
    "arange": ("the positions of the rows are counted", "give each row its number as an input"),
}  # fmt: skip
"""What is said of operations that mix rows, and how that is mended, by name."""


def said_of(node: Node) -> tuple[str, str]:
    """Say how a node mixes rows, and what to do."""
    return MIXING.get(node.op.name, (f"`{node.op.name}` mixes the rows", ONE_BY_ONE))
