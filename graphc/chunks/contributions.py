"""What a chunk contributes to a function: rows, statistics, and derivatives of these."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Literal

from graphc.ad.functions import adjoint_of
from graphc.ad.reverse import float_descendants, pullback
from graphc.chunks.layout import COUNT, Finished, Layout, Merge, Merged, Mixed, Rows, Whole
from graphc.chunks.layouts import layouts
from graphc.chunks.statistics import values_of
from graphc.ir.dims import Dim
from graphc.ir.graph import DIM, Adjoint, Node, as_node, uses
from graphc.ir.results import ROWS, ResultKey, gradient_by, value_of
from graphc.ops.shape.members import family_of
from graphc.ops.shape.shaping import filled, part_at, reshape, stack
from graphc.records import dataclass, field

FEW = 32
"""Components of a statistic that is differentiated, at most: each takes a pass."""

Role = Literal["statistic", "derivative", "rows", "kept", "count"]


@dataclass(frozen=True, slots=True)
class Field:
    """Something that a chunk contributes: a node that it computes, under this key.

    `merge` says how those of two chunks become one; rows that are `averaged` are still to be
    divided by the number of all. `axis` is where the rows are, of rows and of what is derived by
    them.
    """

    key: ResultKey
    node: Node
    role: Role
    merge: Merge | None = None
    axis: int | None = None


@dataclass(frozen=True, slots=True)
class Statistic:
    """A merged node, with the fields of what a chunk computes of it, and of derivatives of these
    by field and path. A `weight` is the statistic whose exponentials weigh it."""

    node: Node
    merge: Merge
    fields: tuple[int, ...]
    derivatives: Mapping[tuple[int, str], int]
    weight: Statistic | None = None


class NotApart(Exception):
    """A result that is not computed of chunks in one pass."""

    def __init__(self, mixed: Mixed) -> None:
        super().__init__(mixed.why)
        self.mixed = mixed


@dataclass(slots=True)
class Contributions:
    """What has been found that a chunk of an axis contributes; `names` are those of the user."""

    axis: Dim
    names: Mapping[Node, str]
    found: Mapping[Node, Layout]
    fields: list[Field] = field(default_factory=list)
    statistics: dict[Node, Statistic] = field(default_factory=dict)
    adjoints: Mapping[Node, Adjoint] = field(default_factory=dict)

    def layout(self, node: Node) -> Layout:
        """Return how a node lies; raises NotApart where it mixes rows."""
        if node not in self.found:
            self.found = layouts([node], self.axis, self.found)
        lie = self.found[node]
        if isinstance(lie, Mixed):
            raise NotApart(lie)
        return lie

    def add(self, one: Field) -> int:
        """Add a field, with a number to its name where another is called so."""
        key, taken, number = one.key, {other.key for other in self.fields}, 1
        while key in taken:
            number += 1
            key = value_of(f"{one.key.of}_{number}")
        self.fields.append(Field(key, one.node, one.role, one.merge, one.axis))
        return len(self.fields) - 1

    @property
    def count(self) -> int:
        """Return the field of the number of rows."""
        known = [number for number, one in enumerate(self.fields) if one.role == "count"]
        return known[0] if known else self.add(Field(ROWS, as_node(self.axis), "count"))

    def keep(self, node: Node) -> int:
        """Return the field of what is the same for every chunk."""
        for number, one in enumerate(self.fields):
            if one.role == "kept" and one.node is node:
                return number
        name = str(node.attrs["value"]) if node.op is DIM else self.names.get(node, "whole")
        return self.add(Field(value_of(name), node, "kept"))


def add_rows(to: Contributions, key: ResultKey, node: Node, lie: Rows) -> int:
    """Add a result that has rows; raises NotApart where a chunk does not have them as they are."""
    if lie.weight == COUNT:
        node = node * as_node(to.axis)  # of these rows: of all it is divided behind
    elif lie.weight is not None:
        why = "each row is divided by the softmax of all rows"
        raise NotApart(Mixed(node, why, "sum over the rows"))
    if lie.place.outer.constant != 1:
        why = "the rows do not lie one after another"
        raise NotApart(Mixed(node, why, "let the axis be the first of those that are joined"))
    return to.add(Field(key, node, "rows", "averaged" if lie.weight else None, lie.place.axis))


def add_gradients_by_rows(
    to: Contributions, output: Node, wrt: Mapping[str, Node]
) -> dict[str, int]:
    """Add the gradients that have a row for each row, by path: returns their fields.

    By what has rows it is so behind a sum, or an average; behind anything else the gradient of a
    row depends on the others.
    """
    of_rows = {path: node for path, node in wrt.items() if isinstance(to.layout(node), Rows)}
    adjoints = pullback([(output, as_node(1.0))], [*of_rows.values()]) if of_rows else {}
    found: dict[str, int] = {}
    for path, node in of_rows.items():
        gradient = adjoint_of(adjoints, node)
        with suppress(NotApart):
            lie = to.layout(gradient)
            if isinstance(lie, Rows):
                found[path] = add_rows(to, gradient_by(path), gradient, lie)
    return found


def add_statistics(to: Contributions, called: str, root: Node, wrt: Mapping[str, Node]) -> None:
    """Add the statistics that a result is computed of, with derivatives by these paths.

    Raises NotApart where there is none of them. What has no name is `called` after the result.
    """
    pending = statistics_of(to, root)
    floats = [node for node in pending if node.type.dtype == "float"]
    several = len(floats) != 1 or any(_merge(to, node) == "moments" for node in floats)
    for node in pending:
        if node not in to.statistics:
            to.statistics[node] = _statistic(to, called, node, wrt, several)


def statistics_of(to: Contributions, root: Node) -> list[Node]:
    """List the merged nodes that a node is computed of; those that weigh others before these."""
    found: dict[Node, None] = {}
    pending, seen = [root], set[Node]()
    while pending:
        node = pending.pop()
        if node in seen:
            continue
        seen.add(node)
        lie = to.layout(node)
        if isinstance(lie, Merged):
            if lie.weight is not None:
                to.layout(lie.weight)
                found[lie.weight] = None
            found[node] = None
        elif isinstance(lie, Finished) or (isinstance(lie, Whole) and lie.share):
            pending += node.args[::-1]
    return [*found]


def _merge(of: Contributions, node: Node) -> Merge:
    lie = of.layout(node)
    assert isinstance(lie, Merged)
    return lie.merge


def _statistic(
    to: Contributions, called: str, node: Node, wrt: Mapping[str, Node], several: bool
) -> Statistic:
    merge = _merge(to, node)
    name = to.names.get(node) or f"{called}_{merge if merge != 'weighted' else 'average'}"
    values = values_of(node, merge, bool(wrt))
    ends = {1: [""], 2: ["_mean", ""] if merge == "moments" else ["", "_ties"]}[len(values)]
    fields = tuple(
        to.add(Field(value_of(f"{name}{end}"), value, "statistic", merge))
        for value, end in zip(values, ends, strict=True)
    )
    lie = to.layout(node)
    weight = lie.weight if isinstance(lie, Merged) else None
    derivatives: dict[tuple[int, str], int] = {}
    for number in fields:
        if to.fields[number].node.type.dtype == "float":
            derivatives |= _derive(to, number, wrt, several)
    found = None if weight is None else to.statistics[weight]
    return Statistic(node, merge, fields, derivatives, found)


def _derive(
    to: Contributions, number: int, wrt: Mapping[str, Node], several: bool
) -> dict[tuple[int, str], int]:
    """Add the derivatives of one field by all paths; returns their fields."""
    value = to.fields[number]
    families = [family_of(node) for node in wrt.values()]
    moving = bool(wrt) and value.node in float_descendants(uses([value.node]), families)
    adjoints = pullback([(value.node, as_node(1.0))], families) if not value.node.rank else {}
    if not several:
        to.adjoints = adjoints
    found: dict[tuple[int, str], int] = {}
    for path, node in wrt.items():
        by = to.layout(node)
        if isinstance(by, Merged | Finished):
            why = "the derivative is by what all rows make together"
            raise NotApart(Mixed(node, why, "derive by what that is made of"))
        block = adjoint_of(adjoints, node)
        if value.node.rank:
            block = _by_components(value.node, node, moving)
        key = ResultKey("jacobian", value.key.of, path) if several else gradient_by(path)
        axis = by.place.axis + value.node.rank if isinstance(by, Rows) else None
        found[number, path] = to.add(Field(key, block, "derivative", value.merge, axis))
    return found


def _by_components(value: Node, by: Node, moving: bool) -> Node:
    """Return the derivative of a few components, a pass for each, of shape value + path."""
    size = value.type.size.constant
    if moving and (size is None or size > FEW):
        why = f"the derivative of {value.type}, a statistic, takes a pass for each component"
        raise NotApart(Mixed(value, why, "sum over its other axes before anything else is done"))
    if not moving or size is None:
        return filled(0.0, (*value.shape, *by.shape))
    flat = reshape(value, shape=(value.type.size,))
    rows = [
        adjoint_of(pullback([(part_at(flat, 0, Dim.of(n)), as_node(1.0))], [family_of(by)]), by)
        for n in range(size)
    ]
    return reshape(stack(*rows, axis=0), shape=(*value.shape, *by.shape))
