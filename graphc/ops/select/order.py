"""Elements in order: sorted, the largest of them, what lies between them, and where a number goes.

What is between two elements counts from the nearer one, so that it is right at both of them. Along
a table of numbers in order that is piecewise linear: at a number of the table the derivative is
that of the piece after it, at the last that of the last piece.
"""

from __future__ import annotations

import math

from graphc.ir.dims import Dim
from graphc.ir.graph import OPERATORS, Node, Op, as_node
from graphc.ir.kernel import AXIS, Attr, Call, X, Y
from graphc.ir.types import Mismatch, Type, demand, same, shape_text
from graphc.ops.define.batching import lead_all, pad_rank
from graphc.ops.define.families import (
    CAST,
    CAST_INT,
    composite,
    constant,
    elementwise,
    normal_axis,
    to_float,
    to_int,
)
from graphc.ops.elementwise.arithmetic import (
    equal,
    floor,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    maximum,
    minimum,
    one_for_zero,
    where,
)
from graphc.ops.elementwise.rounding import clip, isnan
from graphc.ops.select.gathering import gather
from graphc.ops.select.indexing import take_along
from graphc.ops.shape.moving import flip, moveaxis
from graphc.ops.shape.shaping import expand, flatten, part_at, part_of

# ---- sorted ----------------------------------------------------------------------------------

_argsort = constant(
    "sorting",
    infer=lambda x, *, axis: Type("int", x.shape),
    kernel=Call("argsort", X, AXIS, kind="stable"),
    signature="x",
    public=False,
    doc="The order of the elements along an axis; equal ones stay in theirs.",
)


@composite("argsort", "x, axis: axis = -1", "The indices that sort an axis; equal ones in order.")
def argsort(x: Node, axis: int = -1) -> Node:
    return _argsort(x, axis=normal_axis(axis, x.rank, "argsort"))


@composite("sort", "x, axis: axis = -1", "In ascending order along an axis.")
def sort(x: Node, axis: int = -1) -> Node:
    place = normal_axis(axis, x.rank, "sort")
    return take_along(x, _argsort(x, axis=place), axis=place, unique=True)


@composite(
    "top_k",
    "x, k: int, axis: axis = -1, largest: bool = true",
    "The k largest elements along an axis (or the smallest), the first of equals first; and their"
    " indices.",
)
def top_k(x: Node, k: Dim, axis: int = -1, largest: bool = True) -> tuple[Node, Node]:
    """Sort in reverse by sorting what is reversed, so that equal elements keep their order."""
    place = normal_axis(axis, x.rank, "top_k")
    size = x.shape[place]
    few = Mismatch("E301", f"`top_k` of {k} elements: axis {place} of {x.type}")
    demand(k, few)
    demand(size - k, few)
    if largest:
        backward = _argsort(flip(x, (place,)), axis=place)
        chosen = as_node(size - 1) - flip(part_of(backward, place, size - k, k), (place,))
    else:
        chosen = part_of(_argsort(x, axis=place), place, Dim.of(0), k)
    return take_along(x, chosen, axis=place, unique=True), chosen


# ---- between elements ------------------------------------------------------------------------


@composite("median", "x, axis: axis = none", "The middle element along an axis, or of all.")
def median(x: Node, axis: int | None = None) -> Node:
    ordered, place, size = _in_order(x, axis, "median")
    low, high = (part_at(ordered, place, middle) for middle in ((size - 1) // 2, size // 2))
    middle = low if low is high else 0.5 * (low + high)
    return middle * _nan_if_any(ordered, place, size)


@composite(
    "quantile",
    "x, q, axis: axis = none",
    "What a share q from 0 to 1 of the elements along an axis, or of all, is below; between two"
    " elements linear. Of a vector q its axis comes first.",
)
def quantile(x: Node, q: Node, axis: int | None = None) -> Node:
    if q.rank > 1:
        raise Mismatch("E301", f"`quantile` takes a number or a vector of them, found {q.type}")
    known = q.value if isinstance(q.value, tuple) else () if q.value is None else (q.value,)
    for share in known:
        if not 0 <= share <= 1:
            raise Mismatch("E209", f"`quantile` takes a share from 0 to 1, found {share}")
    ordered, place, size = _in_order(x, axis, "quantile")
    position = (to_float(q) if known else clip(to_float(q), 0, 1)) * (size - 1)
    low, high = _piece(CAST_INT(floor(position)), size)
    rows = moveaxis(ordered, place, 0)
    inside = pad_rank(position - low, q.rank, q.rank + rows.rank - 1)
    found = _between(gather(rows, low, axis=0), gather(rows, high, axis=0), inside)
    return found * _nan_if_any(ordered, place, size)


def _in_order(x: Node, axis: int | None, name: str) -> tuple[Node, int, Dim]:
    """Sort floats along an axis, or all of them; there is one at least."""
    x = to_float(x)  # whatever the size: the middle of two is between them
    if axis is None:
        x, axis = flatten(x), 0
    place = normal_axis(axis, x.rank, name)
    size = x.shape[place]
    demand(size - 1, Mismatch("E301", f"`{name}` of no elements: axis {place} of {x.type}"))
    return sort(x, place), place, size


def _nan_if_any(ordered: Node, place: int, size: Dim) -> Node:
    """Return nan where one is among the elements, else 1: it comes after all numbers."""
    return where(isnan(part_at(ordered, place, size - 1)), math.nan, 1)


def _piece(low: Node, size: Dim) -> tuple[Node, Node]:
    """Return the ends of the piece of a table that begins at a position, or of the last one."""
    low = maximum(minimum(low, size - 2), 0)
    return low, minimum(low + 1, size - 1)


def _lerp(a: Node, b: Node, t: Node) -> Node:
    """Count from the nearer of both; of infinite ones it is a or b at an end."""
    near = t < 0.5
    weight = where(near, t, t - 1)
    return where(near, a, b) + weight * _apart(a, b, logical_or(equal(weight, 0), equal(a, b)))


def _apart(a: Node, b: Node, same: Node) -> Node:
    """b - a, and 0 where they are the same: also where both are infinite."""
    return where(same, 0, b) - where(same, 0, a)


_between: Op = elementwise(
    "between",
    partials=lambda y, a, b, t: (1 - t, t, _apart(a, b, equal(a, b))),
    lower=_lerp,
    signature="a, b, t",
    flops=4,
    public=False,
    doc="a + t (b - a), exact at both ends.",
)


# ---- places in a table -----------------------------------------------------------------------


def _search_type(table: Type, x: Type, *, side: str) -> Type:
    if table.rank != 1:
        raise Mismatch("E301", f"`searchsorted` takes a vector in order, found {table}")
    return Type("int", x.shape)


def _search_batch(node: Node, args: tuple[Node, ...], leads: tuple[bool, ...], size: Dim) -> Node:
    if not leads[0]:
        return _search(*args, **node.attrs)
    table, x = lead_all(args, leads, size)
    return _search_rows(table, x, node.attrs["side"])


_search = constant(
    "searchsorted",
    infer=_search_type,
    kernel=Call("searchsorted", X, Y, side=Attr("side")),
    signature="table, x",
    public=False,
    batch=_search_batch,
    axes=lambda node: ((None,), tuple(range(node.rank))),
    doc="Where numbers go into a vector that is in order.",
)


def _search_rows(table: Node, x: Node, side: str) -> Node:
    """Count the elements of each row that come before; nan comes after all numbers."""
    wide = expand(x, axes=(x.rank,))
    own = expand(table, axes=tuple(range(table.rank - 1, x.rank)))
    if side == "left":
        before = less(own, wide)
        after_all = logical_and(isnan(wide), logical_not(isnan(own)))
    else:
        before, after_all = less_equal(own, wide), isnan(wide)
    counted = to_int(logical_or(before, after_all))
    return OPERATORS["sum"](counted, axis=(x.rank,), keepdims=False)


@composite(
    "searchsorted",
    'table, x, side: str = "left"',
    "Where numbers go into a vector that is in order, before what is equal (or after, to the"
    " right): how many of its elements are less.",
)
def searchsorted(table: Node, x: Node, side: str = "left") -> Node:
    if side not in ("left", "right"):
        raise Mismatch("E209", f'`side` of `searchsorted` is "left" or "right", found "{side}"')
    return _search(table, x, side=side)


@composite(
    "interp",
    "x, xp, fp",
    "Piecewise linear through the points of a table (xp, fp) whose xp ascend; before the first and"
    " after the last it is constant.",
)
def interp(x: Node, xp: Node, fp: Node) -> Node:
    if xp.rank != 1 or fp.rank != 1 or not same(xp.shape[0], fp.shape[0]):
        shown = f"{shape_text(xp.shape)} and {shape_text(fp.shape)}"
        raise Mismatch("E301", f"`interp` takes two vectors of one length, found {shown}")
    size = xp.shape[0]
    demand(size - 1, Mismatch("E301", f"`interp` in a table of no points: {xp.type}"))
    x, xp, fp = to_float(x), to_float(xp), to_float(fp)
    low, high = _piece(_search(xp, x, side="right") - 1, size)
    start, end = gather(xp, low, axis=0), gather(xp, high, axis=0)
    width = end - start
    before = x < part_at(xp, 0, Dim.of(0))
    beyond = logical_or(x > part_at(xp, 0, size - 1), logical_and(equal(width, 0), equal(x, end)))
    outside = logical_or(before, beyond)
    inside = (where(outside, start, x) - start) / one_for_zero(width)
    t = where(outside, CAST(beyond), inside)
    return _between(gather(fp, low, axis=0), gather(fp, high, axis=0), t)
