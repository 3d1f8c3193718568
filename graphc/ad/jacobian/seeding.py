"""Derivatives for many seeds at once: a leading axis, and only the seeds that structure leaves."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from graphc.ad.align import alignment
from graphc.ad.batch import batch
from graphc.ad.chains import adjoint_names, tangent_names
from graphc.ad.forward import pushforward
from graphc.ad.functions import adjoint_of
from graphc.ad.per_axis import AxisTrace, follow_axis
from graphc.ad.positions import Apart
from graphc.ad.products import embed_tangent
from graphc.ad.reverse import pullback
from graphc.ir.chain import Chain, DerivativeName, chain_of
from graphc.ir.dims import Dim
from graphc.ir.graph import Node, with_args
from graphc.ir.loop import bound
from graphc.ir.rebuild import rebuild
from graphc.ir.types import Mismatch, Shape, product
from graphc.ops.linear.diagonals import eye
from graphc.ops.shape.members import family_of
from graphc.ops.shape.shaping import broadcast_to, ones, reshape
from graphc.records import dataclass

Pairs = dict[tuple[str, str], dict[int, int]]
Label = tuple[str, int]
"""An axis of a block: ("of", i) of the output, ("by", i) of the path, ("both", i) of both."""


@dataclass(frozen=True, slots=True)
class Pass:
    """Derivatives of one output by one path for many seeds: `value` has the axes `labels`.

    `chain` is the rule that they come of, where that is known.
    """

    value: Node
    labels: tuple[Label, ...]
    chain: Chain | None = None

    @property
    def axes(self) -> list[Label]:
        """List the labels, an axis of both as that of the output."""
        return [("of", k) if kind == "both" else (kind, k) for kind, k in self.labels]


def name_of(name: str, found: Pass | None) -> str:
    """Return the name of what a pass found, with its chain rule where that is known."""
    return name if found is None or found.chain is None else DerivativeName(name, found.chain)


Passes = dict[tuple[str, str], Pass]
"""By output and path; where nothing reaches, there is none."""


def aligned_pairs(outputs: Mapping[str, Node], wrt: Mapping[str, Node]) -> Pairs:
    """Return for each block the axes of the output, and those of the path one to one."""
    found: Pairs = {}
    for path, by in wrt.items():
        whole = family_of(by)
        known = alignment(whole, outputs.values())
        for out, node in outputs.items():
            axes = known.get(node, ())[whole.rank - by.rank :]
            pairs = {k: a for a, k in enumerate(axes) if k is not None and axes.count(k) == 1}
            found[out, path] = pairs
    return found


def is_apart(source: Node, node: Node, axis: int, per: Dim) -> bool:
    """True if each position of an axis of a node depends on that position of a source alone.

    It sees the axis also where rows of several arrays are laid end to end, as `alignment` does not.
    """
    if source.shape.count(per) != 1:
        return False
    found = AxisTrace(per, linear=False, moving={source})
    try:
        follow_axis(found, [node])
    except Mismatch:
        return False
    return found.apart.get(node) == Apart(axis)


def reverse_passes(
    outputs: Mapping[str, Node],
    wrt: Mapping[str, Node],
    known: Pairs,
    names: dict[Node, str],
    *,
    apart: bool = False,
) -> Passes:
    """Seed each element of an output, but for the axes that are aligned with a path."""
    found: Passes = {}
    for out, node in outputs.items():
        pairs = {path: known[out, path] for path in wrt}
        for aligned in dict.fromkeys(frozenset(axes) for axes in pairs.values()):
            paths = {path: wrt[path] for path in wrt if frozenset(pairs[path]) == aligned}
            cotangent = bound("cotangent", node.type)
            adjoints = pullback(
                [(node, cotangent)], [family_of(by) for by in paths.values()], apart=apart
            )
            called = adjoint_names(adjoints.values(), names)
            pulled = {
                path: adjoint_of(adjoints, by)
                for path, by in paths.items()
                if family_of(by) in adjoints
            }
            rows, free = apply_seeds(cotangent, aligned, pulled, called, names)
            for path, value in rows.items():
                labels = [("of", k) for k in free]
                labels += [_label(a, pairs[path]) for a in range(wrt[path].rank)]
                chain = chain_of(called.get(pulled[path]))
                found[out, path] = Pass(value, tuple(labels), chain)
    return found


def _label(axis: int, pairs: Mapping[int, int]) -> Label:
    """Return the label of an axis of the path."""
    both = {a: k for k, a in pairs.items()}
    return ("both", both[axis]) if axis in both else ("by", axis)


def forward_passes(
    outputs: Mapping[str, Node],
    wrt: Mapping[str, Node],
    known: Pairs,
    names: dict[Node, str],
    *,
    apart: bool = False,
) -> Passes:
    """Seed each element of a path, but for the axes that are aligned with an output."""
    found: Passes = {}
    for path, by in wrt.items():
        pairs = {out: known[out, path] for out in outputs}
        for aligned in dict.fromkeys(frozenset(axes.values()) for axes in pairs.values()):
            chosen = {
                out: outputs[out] for out in outputs if frozenset(pairs[out].values()) == aligned
            }
            tangent = bound("tangent", by.type)
            seeds = {family_of(by): embed_tangent(tangent, by)}
            moving: dict[Node, Node] = {}
            moved = pushforward(seeds, chosen.values(), moving=moving, apart=apart)
            called = tangent_names(moved, names, moving)
            pushed = {out: moved[node] for out, node in chosen.items() if node in moved}
            columns, free = apply_seeds(tangent, aligned, pushed, called, names)
            for out, value in columns.items():
                labels = [("by", a) for a in free]
                labels += [
                    ("both", k) if k in pairs[out] else ("of", k) for k in range(outputs[out].rank)
                ]
                found[out, path] = Pass(value, tuple(labels))
    return found


def row_passes(
    outputs: Mapping[str, Node], wrt: Mapping[str, Node], names: dict[Node, str], per: Dim
) -> Passes:
    """Seed each element of an output but along axis `per`, whose positions contribute apart."""
    found: Passes = {}
    for out, node in outputs.items() if wrt else ():
        axis = node.shape.index(per)
        cotangent = bound("cotangent", node.type)
        adjoints = pullback([(node, cotangent)], [family_of(by) for by in wrt.values()])
        pulled = {
            path: adjoint_of(adjoints, by) for path, by in wrt.items() if family_of(by) in adjoints
        }
        known = AxisTrace(per, linear=True, apart={cotangent: Apart(axis)}, moving={cotangent})
        follow_axis(known, pulled.values())
        rows = {path: known.rows(adjoint) for path, adjoint in pulled.items()}
        called = adjoint_names(adjoints.values(), names)
        swept, free = apply_seeds(cotangent, [axis], rows, called, names)
        for path, value in swept.items():
            by = [("by", a) for a in range(wrt[path].rank)]
            axes = (*(("of", k) for k in free), ("of", axis), *by)
            found[out, path] = Pass(value, axes, chain_of(called.get(pulled[path])))
    return found


def apply_seeds(
    seed: Node,
    aligned: Collection[int],
    results: Mapping[str, Node],
    called: Mapping[Node, str],
    names: dict[Node, str],
) -> tuple[dict[str, Node], list[int]]:
    """Return the results for every unit vector in the place of the seed, its free axes first.

    Along aligned axes one seed of ones serves all positions: their derivatives do not meet.
    """
    free = [axis for axis in range(seed.rank) if axis not in aligned]
    sizes = [seed.shape[axis] for axis in free]
    count = product(sizes)
    if count.constant == 1:
        whole = ones(seed.shape)
        new = rebuild(results.values(), with_args, {seed: whole})
    else:
        new = batch(results.values(), {seed: _unit_vectors(seed.shape, free, count)}, count)
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
    """Build [count, *shape]: seed n is 1 at position n of the free axes, all along the others."""
    ones = tuple(n if axis in free else Dim.of(1) for axis, n in enumerate(shape))
    return broadcast_to(reshape(eye(count), shape=(count, *ones)), shape=(count, *shape))
