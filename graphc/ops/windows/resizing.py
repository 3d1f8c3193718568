"""Arrays at other sizes, and pictures read at any positions: between elements nearest, linear or
cubic.

A position counts elements from the centre of the first one. Outside of an array the element at its
edge counts, or 0.
"""

from __future__ import annotations

from collections.abc import Callable

from graphc.ir.dims import Dim
from graphc.ir.graph import Node, as_node
from graphc.ir.types import Mismatch, Shape, demand, same
from graphc.ops.define.families import CAST, CAST_INT, composite, to_float
from graphc.ops.elementwise.arithmetic import (
    ceil,
    floor,
    greater_equal,
    less_equal,
    logical_and,
    total,
    where,
)
from graphc.ops.elementwise.rounding import clip
from graphc.ops.select.gathering import gather
from graphc.ops.shape.shaping import arange, expand, part_at, transpose

Taps = tuple[tuple[int, Callable[[Node], Node]], ...]
"""For each element around a position: how far it is from that below, and its weight, of how far the
position is above that."""


def _near(t: Node) -> Node:
    """(a + 2) |t|³ - (a + 3) t² + 1 with a = -3/4, for |t| ≤ 1 (Keys 1981, eq. 4)."""
    return ((1.25 * t - 2.25) * t) * t + 1


def _far(t: Node) -> Node:
    """a |t|³ - 5a t² + 8a |t| - 4a with a = -3/4, for 1 ≤ |t| ≤ 2."""
    return ((-0.75 * t + 3.75) * t - 6) * t + 3


TAPS: dict[str, Taps] = {
    "linear": ((0, lambda t: 1 - t), (1, lambda t: t)),
    "cubic": (
        (-1, lambda t: _far(1 + t)),
        (0, _near),
        (1, lambda t: _near(1 - t)),
        (2, lambda t: _far(2 - t)),
    ),
}
METHODS = ("nearest", *TAPS)


def _method(method: str, name: str) -> None:
    if method not in METHODS:
        words = ", ".join(f'"{one}"' for one in METHODS)
        raise Mismatch("E209", f'`{name}` has the methods {words}, found "{method}"')


def _moved(place: Node, offset: int) -> Node:
    return place + offset if offset else place


def _nearest(position: Node) -> Node:
    """Return the index of the nearest element, of two the lower."""
    return CAST_INT(ceil(position - 0.5))


# ---- other sizes -----------------------------------------------------------------------------


def _positions(size: Dim, into: Dim, corners: bool) -> Node:
    """Return where the elements of the new size lie between those of the old one."""
    counted = to_float(arange(n=into))
    if corners:
        return counted * (as_node(size - 1) / where(as_node(into) > 1, as_node(into - 1), 1))
    return (counted + 0.5) * (as_node(size) / as_node(into)) - 0.5


def _resized(x: Node, axis: int, position: Node, method: str) -> Node:
    """Return x at other positions along an axis."""
    size = x.shape[axis]

    def at(place: Node) -> Node:
        return gather(x, clip(place, 0, size - 1), axis=axis)

    if method == "nearest":
        return at(_nearest(position))
    below = floor(position)
    apart = position - below
    behind = tuple(range(1, x.rank - axis))
    terms = []
    for offset, weight in TAPS[method]:
        share = weight(apart)
        share = expand(share, axes=behind) if behind else share
        terms.append(at(_moved(CAST_INT(below), offset)) * share)
    return total(terms)


@composite(
    "resize",
    'x, sizes: shape, method: str = "linear", align_corners: bool = false',
    "The last axes at other sizes, by the nearest element, linear or cubic; the centres of the"
    " outermost elements meet if `align_corners`, else the edges.",
)
def resize(x: Node, sizes: Shape, method: str = "linear", align_corners: bool = False) -> Node:
    _method(method, "resize")
    if not 0 < len(sizes) <= x.rank:
        raise Mismatch("E301", f"`resize` has {len(sizes)} sizes for the axes of {x.type}")
    x = to_float(x)
    for axis, into in enumerate(map(Dim.of, sizes), x.rank - len(sizes)):
        size = x.shape[axis]
        demand(size - 1, Mismatch("E301", f"`resize` of no elements: axis {axis} of {x.type}"))
        if size != into:
            x = _resized(x, axis, _positions(size, into, align_corners), method)
    return x


# ---- any positions ---------------------------------------------------------------------------


def _places(along: Node, size: Dim, corners: bool) -> Node:
    """Return where between the elements of an axis a number from -1 to 1 is."""
    if corners:
        return (along + 1) * (as_node(size - 1) / 2)
    return ((along + 1) * size - 1) / 2


def _around(position: Node, size: Dim, method: str, padding: str) -> list[tuple[Node, Node]]:
    """Return what is read around positions of an axis: indices, and their weights."""
    if method == "nearest":
        near = _nearest(position)
        read = [(near, CAST(_inside(near, size)) if padding == "zeros" else as_node(1.0))]
    else:
        below = floor(position)
        apart, whole = position - below, CAST_INT(below)
        read = [(_moved(whole, offset), weight(apart)) for offset, weight in TAPS[method]]
        if padding == "zeros":
            read = [(place, where(_inside(place, size), share, 0)) for place, share in read]
    return [(clip(place, 0, size - 1), share) for place, share in read]


def _inside(place: Node, size: Dim) -> Node:
    return logical_and(greater_equal(place, 0), less_equal(place, size - 1))


@composite(
    "grid_sample",
    'x, grid, method: str = "linear", padding: str = "zeros", align_corners: bool = false',
    "Pictures [N, C, H, W] read at the points [N, P, Q, 2] of a grid, x and y from -1 to 1 each;"
    " outside there is 0, or the edge if `padding` says border.",
)
def grid_sample(
    x: Node, grid: Node, method: str = "linear", padding: str = "zeros", align_corners: bool = False
) -> Node:
    _method(method, "grid_sample")
    if padding not in ("zeros", "border"):
        message = f'`padding` of `grid_sample` is "zeros" or "border", found "{padding}"'
        raise Mismatch("E209", message)
    fits = x.rank == 4 and grid.rank == 4 and same(x.shape[0], grid.shape[0])
    if not fits or grid.shape[3].constant != 2:
        found = f"{x.type} and {grid.type}"
        raise Mismatch("E301", f"`grid_sample` takes [N, C, H, W] and [N, P, Q, 2], found {found}")
    x, grid = to_float(x), to_float(grid)
    height, width = x.shape[2:]
    pictures = transpose(x, axes=(0, 2, 3, 1))
    own = expand(arange(n=x.shape[0]), axes=(1, 2))
    along, down = (part_at(grid, 3, Dim.of(i)) for i in range(2))
    columns = _around(_places(along, width, align_corners), width, method, padding)
    rows = _around(_places(down, height, align_corners), height, method, padding)
    terms = []
    for row, high in rows:
        for column, wide in columns:
            share = high * wide
            share = expand(share, axes=(3,)) if share.rank else share
            terms.append(gather(pictures, own, row, column, axis=0) * share)
    return transpose(total(terms), axes=(0, 3, 1, 2))
