"""Jacobians by blocks: passes of one mode, or of mixed elimination, brought into shape."""

from __future__ import annotations

from collections.abc import Mapping
from string import ascii_lowercase

from graphc.calculus.contributions import Apart, Trace, mixed, trace
from graphc.calculus.elimination import mixed_passes
from graphc.calculus.functions import adjoint_of
from graphc.calculus.passes import (
    Pass,
    aligned_pairs,
    forward_passes,
    reverse_passes,
    seeded,
)
from graphc.calculus.products import adjoint_names
from graphc.calculus.reverse import family_of, pullback
from graphc.dims import Dim
from graphc.graph import Node
from graphc.loop import bound
from graphc.ops.matrices import on_diagonals
from graphc.ops.shaping import broadcast_to, transpose

Blocks = dict[tuple[str, str], Node]


_PASSES = {"forward": forward_passes, "reverse": reverse_passes, "mixed": mixed_passes}


def blocks(
    outputs: Mapping[str, Node],
    wrt: Mapping[str, Node],
    mode: str,
    names: dict[Node, str],
    letter: str,
) -> Blocks:
    """The block of each (output, path), of shape output + path.

    `names` gets those of the nodes that are made; a block is called by the letter.
    """
    pairs = aligned_pairs(outputs, wrt)
    passes = _PASSES[mode](outputs, wrt, pairs, names)
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
        swept, free = seeded(cotangent, [axis], rows, called, names)
        sizes = tuple(node.shape[k] for k in free)
        for path, by in wrt.items():
            inner = tuple(n for a, n in enumerate(by.shape) if a != _place(by, per))
            if path in swept:
                rest = range(len(free) + 1, len(free) + 1 + len(inner))
                block = _ordered(swept[path], (len(free), *range(len(free)), *rest))
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
    labels = [("of", k) if kind == "both" else (kind, k) for kind, k in found.labels]
    if not any(kind == "both" for kind, _ in found.labels):
        return _ordered(found.value, tuple(labels.index(label) for label in target))
    letters = dict(zip(target, ascii_lowercase, strict=False))
    letters |= {("by", a): letters["of", k] for k, a in pairs.items()}
    return on_diagonals(
        found.value,
        part="".join(letters[label] for label in labels),
        whole="".join(letters[label] for label in target),
        shape=tuple(sizes.values()),
    )
