"""Alignment: which axes of a node correspond one to one to which axes of what it depends on."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from graphc.ir.dims import Dim
from graphc.ir.graph import AxisMap, Node
from graphc.ir.loop import LOOP, RESULT, RULED, STEPS, loop_arguments, loop_of, rule_of
from graphc.ir.order import topological

Axes = tuple[int | None, ...]
"""For each axis of a source the axis of the node that it has become; None where it is mixed."""


def alignment(source: Node, results: Iterable[Node]) -> dict[Node, Axes]:
    """Map every node between a source and the results to its alignment with the source.

    Where axis a of the source has become axis k of the node, slice i of the node along k depends
    on slice i of the source along a alone: that part of the Jacobian is diagonal. A node that does
    not depend on the source is left out.
    """
    return _align(results, {source: tuple(range(source.rank))}, ())


def mixing(source: Node, size: Dim, output: Node) -> Node:
    """Find the first operation before the output that mixes the axes of this size of the source."""
    found = alignment(source, [output])
    axes = [axis for axis, length in enumerate(source.shape) if length == size]
    for node in topological([output]):
        if node in found and all(found[node][axis] is None for axis in axes):
            return node
    return output


def _align(
    results: Iterable[Node], start: Mapping[Node, Axes], given: Collection[Node]
) -> dict[Node, Axes]:
    found = dict(start)
    ends: dict[Node, list[Axes | None]] = {}
    for node in topological(results, {*given, *start}):
        if node in found or node in given:
            continue
        if node.op is RESULT:
            number = node.attrs["number"]
            end = ends[node.args[0]][number] if node.args[0] in ends and number != STEPS else None
            if end is not None:
                found[node] = end
        elif not any(arg in found for arg in node.args):
            continue
        elif node.op is LOOP:
            ends[node] = _ends(node, found)
        elif node.type.dtype == "float":
            moved = _axes_of_rule(node) if node.op is RULED else node.op.axes(node)
            seen = [
                tuple(None if axis is None else axes[axis] for axis in found[arg])
                for axes, arg in zip(moved, node.args, strict=False)
                if arg in found
            ]
            if seen:
                found[node] = _agree(seen)
    return found


def _axes_of_rule(node: Node) -> AxisMap:
    """Return what axis of a ruled node each axis of its value and ruled arguments becomes.

    Its derivative is what the rules say: an axis is one to one where every one of them has it so.
    What the rules capture has no derivative by them.
    """
    rule = rule_of(node)
    maps: list[Axes] = [tuple(range(node.rank))]
    for number, (place, pulled) in enumerate(zip(rule.places, rule.pulled, strict=True)):
        said: list[Axes] = []
        if pulled is not None:
            back = alignment(rule.cotangent, [pulled]).get(pulled, ())
            once = [axis if back.count(axis) == 1 else None for axis in back]
            said.append(tuple(once.index(a) if a in once else None for a in range(place.rank)))
        if rule.pushed is not None:
            moving = rule.tangents[number]
            said += [a for n, a in alignment(moving, [rule.pushed]).items() if n is rule.pushed]
        maps.append(_agree(said) if said else (None,) * place.rank)
    return tuple(maps)


def _agree(found: Iterable[Axes]) -> Axes:
    """Keep the axes on which all agree."""
    return tuple(axes[0] if len(set(axes)) == 1 else None for axes in zip(*found, strict=True))


def _ends(node: Node, found: Mapping[Node, Axes]) -> list[Axes | None]:
    """Align a loop's results: the alignment of carried values holds in every step."""
    loop = loop_of(node)
    initials, sources, outer = loop_arguments(node)
    fixed = {n: found[n] for n in outer if n in found}
    for element, source in zip(loop.elements, sources, strict=True):
        if source in found:
            fixed[element.node] = tuple(_without(axis, element.axis) for axis in found[source])
    carried = {
        c: found[initial]
        for c, initial in zip(loop.carried, initials, strict=True)
        if initial in found
    }
    while True:
        inside = _align(loop.results, fixed | carried, {*outer, *loop.bound})
        after = {
            c: _agree([carried[c], inside[n]] if c in carried else [inside[n]])
            for c, n in zip(loop.carried, loop.nexts, strict=True)
            if n in inside
        }
        if carried | after == carried:
            break
        carried |= after
    stacked = [inside.get(item) for item in loop.collected]
    return [
        *(carried.get(c) for c in loop.carried),
        *(None if axes is None else tuple(_behind(axis) for axis in axes) for axes in stacked),
    ]


def _without(axis: int | None, taken: int) -> int | None:
    """Renumber an axis once another is taken away: the steps of a loop run along that."""
    return None if axis is None or axis == taken else axis - (axis > taken)


def _behind(axis: int | None) -> int | None:
    return None if axis is None else axis + 1
