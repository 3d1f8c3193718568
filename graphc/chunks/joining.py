"""What two chunks contribute together: statistics, and their derivatives by the chain rule."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ad.forward import pushforward
from graphc.chunks.contributions import Contributions, Statistic
from graphc.chunks.statistics import Side, merged
from graphc.ir.graph import Node, as_node
from graphc.ops.elementwise.arithmetic import total
from graphc.ops.shape.shaping import broadcast_to, concat, expand, filled

Chunk = Sequence[Node]
"""What stands for the fields of one chunk."""


def joined(of: Contributions, first: Chunk, second: Chunk) -> list[Node]:
    """Return what each field is of the rows of both chunks; both have some."""
    new: dict[int, Node] = {}
    for number, one in enumerate(of.fields):
        if one.role == "count":
            new[number] = first[number] + second[number]
        elif one.role == "rows":
            new[number] = _one_after_the_other([first[number], second[number]], one.axis)
        elif one.role == "kept":
            new[number] = first[number]
    for statistic in of.statistics.values():
        new |= _joined_statistic(of, statistic, (first, second))
    return [new[number] for number in range(len(of.fields))]


def _joined_statistic(
    of: Contributions, one: Statistic, chunks: tuple[Chunk, Chunk]
) -> dict[int, Node]:
    sides = [
        Side(
            [chunk[number] for number in one.fields],
            chunk[of.count],
            None if one.weight is None else chunk[one.weight.fields[0]],
        )
        for chunk in chunks
    ]
    values = dict(zip(one.fields, merged(one.merge, sides[0], sides[1]), strict=True))
    new = dict(values)
    for (number, path), place in one.derivatives.items():
        axis = of.fields[place].axis
        shares = [_pushed(of, one, chunk, values[number], path, place) for chunk in chunks]
        new[place] = total(shares) if axis is None else _one_after_the_other(shares, axis)
    return new


def _one_after_the_other(rows: Sequence[Node], axis: int | None) -> Node:
    """Join the rows of two chunks."""
    assert axis is not None
    return concat(*rows, axis=axis)


def _pushed(
    of: Contributions, one: Statistic, chunk: Chunk, value: Node, path: str, place: int
) -> Node:
    """Return what the derivatives that one chunk has contribute to that of a merged value.

    Merging is element by element, so one tangent of ones has all partial derivatives.
    """
    rank, terms = of.fields[place].node.rank, []
    inner = rank - value.rank
    for each in (one, one.weight) if one.weight is not None else (one,):
        for (number, by), of_it in each.derivatives.items():
            start = chunk[number]
            ones = broadcast_to(as_node(1.0), shape=start.shape) if start.rank else as_node(1.0)
            slope = pushforward({start: ones}, [value]).get(value) if by == path else None
            if slope is None:
                continue
            derivative = chunk[of_it]
            if slope.rank and inner:
                slope = expand(slope, axes=tuple(range(slope.rank, slope.rank + inner)))
            if derivative.rank < rank:
                derivative = expand(derivative, axes=tuple(range(rank - derivative.rank)))
            terms.append(slope * derivative)
    return total(terms) if terms else filled(0.0, chunk[place].shape)
