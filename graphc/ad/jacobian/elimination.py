"""Mixed elimination: for each block the side with fewer seeds, or a bottleneck between them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import reduce

from graphc.ad.jacobian.seeding import (
    Label,
    Pairs,
    Pass,
    Passes,
    aligned_pairs,
    forward_passes,
    reverse_passes,
)
from graphc.ad.reverse import float_descendants
from graphc.ir.graph import Node, uses
from graphc.ir.loop import LOOP
from graphc.ir.order import topological
from graphc.ir.types import product
from graphc.ops.linear.contraction import contract
from graphc.ops.shape.members import family_of, is_of_family

LARGE = 4096


def mixed_passes(
    outputs: Mapping[str, Node], wrt: Mapping[str, Node], known: Pairs, names: dict[Node, str]
) -> Passes:
    """Find each block with the fewest seeds: of the output, the path, or a node between.

    Where every way from a path to an output leads through a node z that needs fewer seeds than
    both, the block is J(output, z) · J(z, path), forward from z and backward from z: vertex
    elimination at the narrowest place (Griewank and Walther 2008, §9.2).
    """
    backward: dict[str, list[str]] = {}
    forward: dict[str, list[str]] = {}
    through: dict[Node, list[tuple[str, str]]] = {}
    for (out, path), pairs in known.items():
        node, by = outputs[out], wrt[path]
        rows, columns = _seeds(node, pairs), _seeds(by, pairs.values())
        narrow = _bottleneck(node, by, min(rows, columns))
        if narrow is not None:
            through.setdefault(narrow, []).append((out, path))
        elif columns < rows:
            forward.setdefault(path, []).append(out)
        else:
            backward.setdefault(out, []).append(path)
    found: Passes = {}
    for out, paths in backward.items():
        chosen = {path: wrt[path] for path in paths}
        found |= reverse_passes({out: outputs[out]}, chosen, known, names)
    for path, outs in forward.items():
        chosen = {out: outputs[out] for out in outs}
        found |= forward_passes(chosen, {path: wrt[path]}, known, names)
    for narrow, blocks in through.items():
        above = {out: outputs[out] for out, _ in blocks}
        below = {path: wrt[path] for _, path in blocks}
        first = aligned_pairs(above, {"": narrow})
        second = aligned_pairs({"": narrow}, below)
        down = forward_passes(above, {"": narrow}, first, names)
        up = reverse_passes({"": narrow}, below, second, names)
        for out, path in blocks:
            if (out, "") in down and ("", path) in up:
                factors = down[out, ""], up["", path]
                found[out, path] = _chain(*factors, first[out, ""], second["", path])
    return found


def _seeds(node: Node, aligned: Collection[int]) -> int:
    """Count the seeds that a node needs; a dim that is not known counts as large.

    So a place is narrow if it is so for large dims; whether that pays is chosen at run time.
    """
    size = product([n for axis, n in enumerate(node.shape) if axis not in aligned])
    return size.evaluate(dict.fromkeys(size.symbols, LARGE))


def _bottleneck(output: Node, by: Node, seeds: int) -> Node | None:
    """Find the node of fewest seeds that every way from `by` to `output` leads through."""
    readers, whole = uses([output]), family_of(by)
    between = float_descendants(readers, [whole])
    if output not in between or seeds <= 1:
        return None
    above = dominators(output, whole, between)
    best, node = None, above[output]
    while node is not whole:
        if node.op is not LOOP and not is_of_family(node):
            pairs = aligned_pairs({"": node}, {"": by})["", ""]
            needed = _seeds(node, pairs)
            if needed < seeds:
                best, seeds = node, needed
        node = above[node]
    return best


def dominators(output: Node, start: Node, between: Collection[Node]) -> dict[Node, Node]:
    """Map each node between to the last one before it that every way from the start leads through.

    In a DAG one pass finds them (Cooper, Harvey and Kennedy 2001, without their iteration).
    """
    above, depth = {start: start}, {start: 0}

    def common(one: Node, other: Node) -> Node:
        while one is not other:
            if depth[one] < depth[other]:
                one, other = other, one
            one = above[one]
        return one

    for node in topological([output]):
        if node in between and node is not start:
            above[node] = reduce(common, (arg for arg in node.args if arg in between))
            depth[node] = depth[above[node]] + 1
    return above


def _chain(down: Pass, up: Pass, first: Mapping[int, int], second: Mapping[int, int]) -> Pass:
    """Build J(output, z) · J(z, path), summed over those axes of z that neither of them has.

    `first` are the pairs of axes of the output and z that are one, `second` those of z and the
    path. An axis of z that is one of the output or of the path goes by that one's name.
    """
    inner: dict[int, Label] = {z: ("by", a) for z, a in second.items()}
    inner |= {z: ("of", k) for k, z in first.items()}

    def of_down(label: Label) -> Label:
        kind, axis = label
        return inner.get(axis, ("in", axis)) if kind == "by" else ("of", axis)

    def of_up(label: Label) -> Label:
        kind, axis = label
        return ("by", axis) if kind == "by" else inner.get(axis, ("in", axis))

    above, below = [of_down(label) for label in down.labels], [of_up(label) for label in up.labels]
    axes = tuple(dict.fromkeys(axis for axis in (*above, *below) if axis[0] != "in"))
    both = {("of", k) for k, z in first.items() if z in second}
    labels = tuple(("both", axis[1]) if axis in both else axis for axis in axes)
    terms = [(down.value, _words(above)), (up.value, _words(below))]
    return Pass(contract(terms, _words(axes)), labels)


def _words(labels: Iterable[Label]) -> tuple[str, ...]:
    """Name axes, as a contraction tells them apart."""
    return tuple(f"{kind}{axis}" for kind, axis in labels)
