"""Jacobians: all seeds at once as a leading axis, and only those that structure does not save."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from graphc.calculus.align import alignment
from graphc.calculus.batch import batched
from graphc.calculus.contributions import Apart, Trace, mixed, trace
from graphc.calculus.forward import pushforward
from graphc.calculus.functions import adjoint_of
from graphc.calculus.products import adjoint_names, placed, tangent_names
from graphc.calculus.reverse import family_of, pullback
from graphc.dims import Dim
from graphc.graph import Node, with_args
from graphc.loop import bound, rebuild
from graphc.ops.matrices import diagonal_matrix, eye
from graphc.ops.shaping import broadcast_to, filled, reshape, transpose
from graphc.types import Shape, product

Mode = Literal["forward", "reverse"]
Blocks = dict[tuple[str, str], Node]
Pairs = dict[tuple[str, str], dict[int, int]]
Label = tuple[str, int]
"""An axis of a block: ("of", i) of the output, ("by", i) of the path, ("both", i) of both."""


@dataclass(frozen=True, slots=True)
class Pass:
    """Derivatives of one output by one path for many seeds: `value` has the axes `labels`."""

    value: Node
    labels: tuple[Label, ...]


def blocks(
    outputs: Mapping[str, Node],
    wrt: Mapping[str, Node],
    mode: Mode,
    names: dict[Node, str],
    letter: str,
) -> Blocks:
    """The block of each (output, path), of shape output + path.

    `names` gets those of the nodes that are made; a block is called by the letter.
    """
    pairs = _pairs(outputs, wrt)
    passes = (_forward if mode == "forward" else _reverse)(outputs, wrt, pairs, names)
    made: dict[tuple[str, str], Node] = {}
    for out, node in outputs.items():
        for path, by in wrt.items():
            key = out, path
            made[key] = _block(passes.get(key), node, by, pairs[key])
            names.setdefault(made[key], f"{letter}_{out}_{path}")
    return made


def blocks_apart(
    outputs: Mapping[str, Node], wrt: Mapping[str, Node], names: dict[Node, str], per: Dim
) -> Blocks:
    """The block of each (output, path) with axis `per` of the output first, then both shapes.

    A path that has the axis too has it no more: slice p of the output depends on slice p of the
    path alone, or Mismatch is raised. Any other path has a dense row for each position.
    """
    made: dict[tuple[str, str], Node] = {}
    for out, node in outputs.items():
        axis = node.shape.index(per)
        cotangent = bound("cotangent", node.type)
        adjoints = pullback([(node, cotangent)], [family_of(by) for by in wrt.values()])
        reached = {path: by for path, by in wrt.items() if family_of(by) in adjoints}
        pulled = {path: adjoint_of(adjoints, by) for path, by in reached.items()}
        found = Trace(per, linear=True, apart={cotangent: Apart(axis)}, moving={cotangent})
        trace(found, pulled.values())
        rows = {path: _rows(found, pulled[path], by) for path, by in reached.items()}
        called = adjoint_names(adjoints.values(), names)
        seeded, free = _seeded(cotangent, [axis], rows, called, names)
        sizes = tuple(node.shape[k] for k in free)
        for path, by in wrt.items():
            inner = tuple(n for a, n in enumerate(by.shape) if a != _place(by, per))
            if path in seeded:
                rest = range(len(free) + 1, len(free) + 1 + len(inner))
                block = _ordered(seeded[path], (len(free), *range(len(free)), *rest))
            else:
                block = broadcast_to(0.0, shape=(per, *sizes, *inner))
            made[out, path] = block
            names.setdefault(block, f"J_{out}_{path}")
    return made


def _place(by: Node, per: Dim) -> int | None:
    """Where a path has the axis that is kept apart."""
    return by.shape.index(per) if per in by.shape else None


def _rows(found: Trace, adjoint: Node, by: Node) -> Node:
    """What each position gives to a path: [P, *shape], without the axis if the path has it."""
    axis = _place(by, found.per)
    if axis is None or adjoint in found.summed:
        if axis is not None:
            raise mixed(by, found.per)
        return found.rows(adjoint)
    if found.apart.get(adjoint) != Apart(axis):
        raise mixed(by, found.per)
    return found.rows(adjoint)


def _ordered(value: Node, order: tuple[int, ...]) -> Node:
    return value if order == tuple(range(len(order))) else transpose(value, axes=order)


# ---- passes -------------------------------------------------------------------------------------


def _pairs(outputs: Mapping[str, Node], wrt: Mapping[str, Node]) -> Pairs:
    """For each block the axes of the output, and those of the path that they are one to one."""
    found: Pairs = {}
    for path, by in wrt.items():
        known = {} if family_of(by) is not by else alignment(by, outputs.values())
        for out, node in outputs.items():
            axes = known.get(node, ())
            pairs = {k: a for a, k in enumerate(axes) if k is not None and axes.count(k) == 1}
            found[out, path] = pairs
    return found


def _reverse(
    outputs: Mapping[str, Node], wrt: Mapping[str, Node], known: Pairs, names: dict[Node, str]
) -> dict[tuple[str, str], Pass]:
    """A cotangent for each element of an output, but for the axes that are aligned with a path."""
    found: dict[tuple[str, str], Pass] = {}
    for out, node in outputs.items():
        pairs = {path: known[out, path] for path in wrt}
        for aligned in dict.fromkeys(frozenset(axes) for axes in pairs.values()):
            paths = {path: wrt[path] for path in wrt if frozenset(pairs[path]) == aligned}
            cotangent = bound("cotangent", node.type)
            adjoints = pullback([(node, cotangent)], [family_of(by) for by in paths.values()])
            called = adjoint_names(adjoints.values(), names)
            pulled = {
                path: adjoint_of(adjoints, by)
                for path, by in paths.items()
                if family_of(by) in adjoints
            }
            rows, free = _seeded(cotangent, aligned, pulled, called, names)
            for path, value in rows.items():
                labels = [("of", k) for k in free]
                labels += [_label(a, pairs[path]) for a in range(wrt[path].rank)]
                found[out, path] = Pass(value, tuple(labels))
    return found


def _label(axis: int, pairs: Mapping[int, int]) -> Label:
    """The label of an axis of the path."""
    both = {a: k for k, a in pairs.items()}
    return ("both", both[axis]) if axis in both else ("by", axis)


def _forward(
    outputs: Mapping[str, Node], wrt: Mapping[str, Node], known: Pairs, names: dict[Node, str]
) -> dict[tuple[str, str], Pass]:
    """A tangent for each element of a path, but for the axes that are aligned with an output."""
    found: dict[tuple[str, str], Pass] = {}
    for path, by in wrt.items():
        pairs = {out: known[out, path] for out in outputs}
        for aligned in dict.fromkeys(frozenset(axes.values()) for axes in pairs.values()):
            chosen = {
                out: outputs[out] for out in outputs if frozenset(pairs[out].values()) == aligned
            }
            tangent = bound("tangent", by.type)
            moved = pushforward({family_of(by): placed(tangent, by)}, chosen.values())
            called = tangent_names(moved, names)
            pushed = {out: moved[node] for out, node in chosen.items() if node in moved}
            columns, free = _seeded(tangent, aligned, pushed, called, names)
            for out, value in columns.items():
                labels = [("by", a) for a in free]
                labels += [
                    ("both", k) if k in pairs[out] else ("of", k) for k in range(outputs[out].rank)
                ]
                found[out, path] = Pass(value, tuple(labels))
    return found


def _seeded(
    seed: Node,
    aligned: Collection[int],
    results: Mapping[str, Node],
    called: Mapping[Node, str],
    names: dict[Node, str],
) -> tuple[dict[str, Node], list[int]]:
    """The results for every unit vector in the place of the seed, with its free axes first.

    Along aligned axes one seed of ones serves all positions: their derivatives do not meet.
    """
    free = [axis for axis in range(seed.rank) if axis not in aligned]
    sizes = [seed.shape[axis] for axis in free]
    count = product(sizes)
    if count.constant == 1:
        ones = filled(1.0, seed.shape)
        new = rebuild(results.values(), with_args, {seed: ones})
    else:
        new = batched(results.values(), {seed: _unit_vectors(seed.shape, free, count)}, count)
    for node, name in called.items():
        if node in new:
            names.setdefault(new[node], name)
    shaped = {}
    for key, node in results.items():
        value = new.get(node)
        inner = node.shape
        if value is None:  # no seed reaches it
            value = broadcast_to(0.0, shape=(*sizes, *inner))
        shaped[key] = reshape(value, shape=(*sizes, *inner))
    return shaped, free


def _unit_vectors(shape: Shape, free: Sequence[int], count: Dim) -> Node:
    """[count, *shape]: seed n is 1 at position n of the free axes, all along the others."""
    ones = tuple(n if axis in free else Dim.of(1) for axis, n in enumerate(shape))
    return broadcast_to(reshape(eye(count), shape=(count, *ones)), shape=(count, *shape))


# ---- blocks -------------------------------------------------------------------------------------


def _block(
    found: Pass | None,
    node: Node,
    by: Node,
    pairs: Mapping[int, int],
) -> Node:
    """What a pass found, as an array of the axes of the output, then those of the path."""
    target = [("of", k) for k in range(node.rank)] + [("by", a) for a in range(by.rank)]
    sizes = dict(zip(target, (*node.shape, *by.shape), strict=True))
    if found is None:
        return broadcast_to(0.0, shape=tuple(sizes.values()))
    value, labels = found.value, list(found.labels)
    twice = [k for kind, k in labels if kind == "both"]
    if twice:
        value, labels = _on_the_diagonal(value, labels, twice, pairs, sizes)
    return _ordered(value, tuple(labels.index(label) for label in target))


def _on_the_diagonal(
    value: Node,
    labels: Sequence[Label],
    twice: Sequence[int],
    pairs: Mapping[int, int],
    sizes: Mapping[Label, Dim],
) -> tuple[Node, list[Label]]:
    """Axes of both the output and the path, which become two: zeros but for their diagonal."""
    rest = [label for label in labels if label[0] != "both"]
    order = tuple(labels.index(label) for label in (*rest, *(("both", k) for k in twice)))
    moved = _ordered(value, order)
    outer = tuple(sizes[label] for label in rest)
    lengths = tuple(sizes["of", k] for k in twice)
    count = product(lengths)
    flat = reshape(moved, shape=(*outer, count))
    square = diagonal_matrix(flat, offset=0, sides=(count, count))
    made = reshape(square, shape=(*outer, *lengths, *lengths))
    return made, [*rest, *(("of", k) for k in twice), *(("by", pairs[k]) for k in twice)]
