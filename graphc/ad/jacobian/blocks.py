"""Jacobians by blocks: passes of one mode, or of mixed elimination, brought into shape."""

from __future__ import annotations

from collections.abc import Mapping
from string import ascii_letters

from graphc.ad.align import mixing
from graphc.ad.jacobian.elimination import mixed_passes
from graphc.ad.jacobian.seeding import (
    Pass,
    Passes,
    aligned_pairs,
    forward_passes,
    is_apart,
    name_of,
    reverse_passes,
    row_passes,
)
from graphc.ad.per_axis import mixing_error
from graphc.ad.reverse import float_descendants
from graphc.ir.dims import Dim
from graphc.ir.graph import Node, uses
from graphc.limits import Exceeded
from graphc.ops.linear.diagonals import on_diagonals
from graphc.ops.shape.members import family_of
from graphc.ops.shape.shaping import broadcast_to, in_order

Blocks = dict[tuple[str, str], Node]


PASSES = {"forward": forward_passes, "reverse": reverse_passes, "mixed": mixed_passes}


def build_blocks(
    outputs: Mapping[str, Node],
    wrt: Mapping[str, Node],
    mode: str,
    names: dict[Node, str],
    called: str,
) -> Blocks:
    """Build the block of each (output, path), of shape output + path.

    `names` gets those of the nodes that are made; `called` is the name of a block with places for
    the output and the path, as in `J_{out}_{path}`.
    """
    pairs = aligned_pairs(outputs, wrt)
    passes = PASSES[mode](outputs, wrt, pairs, names)
    made: dict[tuple[str, str], Node] = {}
    for out, node in outputs.items():
        for path, by in wrt.items():
            key = out, path
            made[key] = arrange_block(passes.get(key), node, by, pairs[key])
            name = called.format(out=out, path=path)
            names.setdefault(made[key], name_of(name, passes.get(key)))
    return made


def build_blocks_per(
    outputs: Mapping[str, Node],
    wrt: Mapping[str, Node],
    modes: Mapping[str, str],
    names: dict[Node, str],
    called: str,
    per: Dim,
) -> Blocks:
    """Build the block of each (output, path): axis `per` of the output, then both shapes.

    A path that has the axis too has it no more: slice p of the output depends on slice p of the
    path alone, or Mismatch is raised. Any other path has a dense row for each position. Each path
    has a mode of its own.
    """
    along = {path: by for path, by in wrt.items() if per in by.shape}
    pairs = aligned_pairs(outputs, wrt)
    for (out, path), axes in pairs.items():
        by, node = wrt[path], outputs[out]
        of = node.shape.index(per)
        if path not in along:
            axes.pop(of, None)
            continue
        if node not in float_descendants(uses([node]), [family_of(by)]):
            axes[of] = by.shape.index(per)  # zeros, which nothing mixes
        elif of not in axes:
            if not is_apart(family_of(by), node, of, per):
                raise mixing_error(mixing(by, per, node), per)
            axes[of] = by.shape.index(per)
    passes: Passes = {}
    for mode, find in PASSES.items():
        chosen = {path: by for path, by in wrt.items() if modes[path] == mode}
        if mode != "forward":  # backward, one pass serves all positions, which contribute apart
            across = {path: by for path, by in chosen.items() if path not in along}
            passes |= row_passes(outputs, across, names, per)
            chosen = {path: by for path, by in chosen.items() if path in along}
        known = {key: axes for key, axes in pairs.items() if key[1] in chosen}
        passes |= find(outputs, chosen, known, names)
    made: Blocks = {}
    for out, node in outputs.items():
        for path, by in wrt.items():
            made[out, path] = arrange_block(
                passes.get((out, path)), node, by, pairs[out, path], apart=node.shape.index(per)
            )
            name = called.format(out=out, path=path)
            names.setdefault(made[out, path], name_of(name, passes.get((out, path))))
    return made


def arrange_block(
    found: Pass | None,
    node: Node,
    by: Node,
    pairs: Mapping[int, int],
    apart: int | None = None,
) -> Node:
    """Arrange the value of a pass by the axes of the output, then those of the path.

    An axis of the output that is kept apart comes first; the path does not have it again.
    """
    of = sorted(range(node.rank), key=lambda k: k != apart)
    again = [pairs[apart]] if apart is not None and apart in pairs else []
    target = [("of", k) for k in of] + [("by", a) for a in range(by.rank) if a not in again]
    sizes = {("of", k): n for k, n in enumerate(node.shape)}
    sizes |= {("by", a): n for a, n in enumerate(by.shape)}
    shape = tuple(sizes[label] for label in target)
    if found is None:
        return broadcast_to(0.0, shape=shape)
    if len(found.axes) == len(target):
        return in_order(found.value, [found.axes.index(label) for label in target])
    same = {("by", a): ("of", k) for k, a in pairs.items() if k != apart}
    apart_from = [label for label in target if label not in same]
    if len(apart_from) > len(ascii_letters):
        message = f"a block of a Jacobian has {len(apart_from)} axes that nothing pairs"
        raise Exceeded(f"{message}; `np.einsum` has {len(ascii_letters)} letters for them")
    letters = dict(zip(apart_from, ascii_letters, strict=False))
    letters |= {one: letters[other] for one, other in same.items()}
    return on_diagonals(
        found.value,
        part="".join(letters[label] for label in found.axes),
        whole="".join(letters[label] for label in target),
        shape=shape,
    )
