"""Where elements are: from the index of an element of a part to its index in the whole.

What computes an index is symbols of dims, counters of loops, and positions that are defined.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from graphc.ir.dims import Dim
from graphc.ir.graph import Node
from graphc.ir.kernel import Place, Put
from graphc.ir.types import Shape, is_one, product, same
from graphc.nests.nest import Index

Position = Callable[[int, Index, Dim], Dim]
"""By the number of an argument with indices, an index into it, and the size of the axis that it is
about: the position, counted from the front."""


class Subarray(NamedTuple):
    """A node that reads a part of an array, or writes it."""

    node: Node
    whole: Shape
    part: Shape
    position: Position


def named_by(node: Node) -> tuple[Node, ...]:
    """Return the arguments with indices of a node that takes or puts elements."""
    onto = isinstance(node.op.kernel, Put) and node.op.kernel.onto
    return node.args[1:-1] if onto else node.args[1:]


def stretched(at: Index, shape: Shape) -> Index:
    """Return where an operand of this shape is read, which broadcasts."""
    own = at[len(at) - len(shape) :]
    return tuple(Dim.of(0) if is_one(n) else one for one, n in zip(own, shape, strict=True))


def offset(index: Sequence[Dim], shape: Sequence[Dim]) -> Dim:
    """Return where an element lies, row by row."""
    total = Dim.of(0)
    for one, n in zip(index, shape, strict=True):
        total = total * n + one
    return total


def reshaped(at: Index, part: Shape, whole: Shape) -> Index:
    """Return the index in another shape of an element, row by row.

    Axes that begin and end together are one group: outside of it no division is needed.
    """
    found: list[Dim] = []
    i = j = 0
    while i < len(part) or j < len(whole):
        ours, theirs = [*part[i : i + 1]], [*whole[j : j + 1]]
        first, i, j = i, i + len(ours), j + len(theirs)
        while not same(product(ours), product(theirs)) or not (ours and theirs):
            if i == len(part) and j == len(whole):
                break
            longer = len(ours) > len(theirs) or (j < len(whole) and _covers(ours, theirs))
            if (longer or i == len(part)) and j < len(whole):
                theirs.append(whole[j])
                j += 1
            else:
                ours.append(part[i])
                i += 1
        found += _within(at[first : first + len(ours)], ours, theirs)
    return tuple(found)


def _covers(ours: Sequence[Dim], theirs: Sequence[Dim]) -> bool:
    """True if our axes have more elements so far, as far as can be told."""
    one, other = product(ours).constant, product(theirs).constant
    if one is not None and other is not None:
        return one > other
    symbols = product(ours).symbols - product(theirs).symbols
    return bool(symbols) or other == 1


def _within(at: Sequence[Dim], ours: Sequence[Dim], theirs: Sequence[Dim]) -> list[Dim]:
    if len(ours) == len(theirs) == 1:
        return [at[0] if not is_one(theirs[0]) else Dim.of(0)]
    lies = offset(at, ours)
    found = []
    for axis, size in enumerate(theirs):
        after = product(theirs[axis + 1 :])
        if is_one(size):
            found.append(Dim.of(0))
            continue
        place = lies // after if after.constant != 0 else Dim.of(0)
        before = all(map(is_one, theirs[:axis]))
        found.append(place if before or size.constant == 0 else place % size)
    return found


def items(chosen: Sequence[tuple[str, Any]], at: Index) -> Index:
    """Return the position that an item of a subscript names on each axis."""
    rest = iter(at)
    found = []
    for kind, value in chosen:
        if kind == "at":
            found.append(Dim.of(value))
            continue
        start, _, step = value
        found.append(Dim.of(start) + next(rest) * step)
    return tuple(found)


def _permuted(part: Subarray, at: Index) -> Index:
    axes = part.node.attrs["axes"]
    return tuple(at[axes.index(axis)] for axis in range(len(axes)))


def _expanded(part: Subarray, at: Index) -> Index:
    axes = part.node.attrs["axes"]
    return tuple(one for axis, one in enumerate(at) if axis not in axes)


def _diagonal(part: Subarray, at: Index) -> Index:
    shift = part.node.attrs["offset"]
    return (*at[:-1], at[-1] + max(-shift, 0), at[-1] + max(shift, 0))


def _letters(part: Subarray, at: Index) -> Index:
    named = dict(zip(part.node.attrs["part"], at, strict=True))
    return tuple(named[letter] for letter in part.node.attrs["whole"])


def _windows(part: Subarray, at: Index) -> Index:
    stride, dilation = part.node.attrs["stride"], part.node.attrs["dilation"]
    rank = len(stride)
    counted, inside = at[len(at) - 2 * rank : len(at) - rank], at[len(at) - rank :]
    steps = zip(counted, stride, inside, dilation, strict=True)
    return (*at[: len(at) - 2 * rank], *(n * s + k * d for n, s, k, d in steps))


def _label(part: Subarray, at: Index) -> Index:
    return (*at, part.position(0, at, part.whole[-1]))


def _axis(part: Subarray, at: Index) -> Index:
    axis, count = part.node.attrs["axis"], len(named_by(part.node))
    after = axis + len(part.part) - len(part.whole) + count
    sizes = enumerate(part.whole[axis : axis + count])
    named = (part.position(number, at[axis:after], size) for number, size in sizes)
    return (*at[:axis], *named, *at[after:])


def _along(part: Subarray, at: Index) -> Index:
    axis = part.node.attrs["axis"]
    return (*at[:axis], part.position(0, at, part.whole[axis]), *at[axis + 1 :])


def _entries(part: Subarray, at: Index) -> Index:
    rows, columns = part.whole
    return (part.position(0, at, rows), part.position(1, at, columns))


def _vector(part: Subarray, at: Index) -> Index:
    return (part.position(0, at, part.whole[0]),)


PLACES: Mapping[Place, Callable[[Subarray, Index], Index]] = {
    "same": lambda part, at: at,
    "rows": lambda part, at: at,
    "first": lambda part, at: at,
    "permuted": _permuted,
    "expanded": _expanded,
    "reshaped": lambda part, at: reshaped(at, part.part, part.whole),
    "repeated": lambda part, at: stretched(at, part.whole),
    "items": lambda part, at: items(part.node.attrs["items"], at),
    "diagonal": _diagonal,
    "letters": _letters,
    "windows": _windows,
    "label": _label,
    "axis": _axis,
    "along": _along,
    "entries": _entries,
    "vector": _vector,
}
"""What is not here has loops of its own: components, parts, and the triangle of a matrix."""
