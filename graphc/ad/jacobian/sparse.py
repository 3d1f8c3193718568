"""Sparse Jacobians: structure known at compile time says which entries there are.

An input goes into the computation by selections of its elements: subscripts, gathers, windows,
changes of shape. The same selections of the elements' positions say which columns are meant; and
where an axis of the output corresponds to one of the selected array, each row has only the
columns of its own position. So one seed serves all positions of aligned axes, which is column
compression (Curtis, Powell and Reid 1974) with groups that are known beforehand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphc.ad.functions import values
from graphc.ad.jacobian.blocks import PASSES
from graphc.ad.jacobian.seeding import Pass, aligned_pairs
from graphc.ad.products import gradients_of
from graphc.ad.request import Request
from graphc.ir.dims import Dim
from graphc.ir.graph import Graph, Node, arguments_first, intern, with_args
from graphc.ir.loop import LOOP, RESULT, RULED
from graphc.ir.rebuild import rebuild
from graphc.ir.results import DATA, INDICES, INDPTR, ROWS
from graphc.ir.types import Type, product
from graphc.ir.verify import verified
from graphc.ops.elementwise.arithmetic import identity, logical_and, maximum, where
from graphc.ops.select.gathering import gather
from graphc.ops.select.indexing import pick
from graphc.ops.shape.members import family_of, is_of_family
from graphc.ops.shape.shaping import (
    arange,
    broadcast_to,
    concatenate,
    expand,
    in_order,
    index,
    reshape,
    transpose,
    unindex,
)
from graphc.ops.windows.convolution import windows
from graphc.paths import group_by_index, is_family
from graphc.records import dataclass

SELECTIONS = (
    identity, index, unindex, reshape, transpose, expand, broadcast_to, gather, pick, windows,
)  # fmt: skip
"""Operations each of whose results is one element of its first argument, or zero."""


@dataclass(frozen=True, slots=True)
class Isolated:
    """Outputs that are computed of selections of the paths, each a node of its own.

    `by` are these nodes by key, `keys` the path and the selection that a key is for.
    """

    outputs: Mapping[str, Node]
    wrt: Mapping[str, Node]
    by: Mapping[str, Node]
    keys: Mapping[str, tuple[str, Node]]
    names: dict[Node, str]

    def places(self, key: str, starts: Mapping[str, tuple[Dim, Dim | None]]) -> Node:
        """Return the column of each element of a selection, plus 1; 0 for none."""
        path, selected = self.keys[key]
        return _columns(selected, self.wrt[path], *starts[path])

    @property
    def may_lack(self) -> bool:
        """True if an element of some selection may be none of its source's, but zero."""
        return any(_may_lack(z, self.wrt[path]) for path, z in self.keys.values())


def isolate(asked: Request) -> Isolated:
    """Put a node of its own in the place of each selection that something is computed of."""
    outputs, wrt, names = _with_plain_sources(asked.outputs, asked.wrt, asked.names)
    families = {path for path, node in wrt.items() if is_of_family(node)}
    selected = {
        path: {node: True} if path in families else _frontier(node, [*outputs.values()])
        for path, node in wrt.items()
    }
    stops = {
        node: stop
        for path, nodes in selected.items()
        if path not in families
        for node, stop in nodes.items()
    }
    aliases: dict[Node, Node] = {}

    def alias(old: Node, new: Node) -> Node:
        """Make a node of its own: where the graph itself has `id(old)`, that is another."""
        return aliases.setdefault(old, intern(identity, (new,), {}, new.type, "alone"))

    def insert_alias(node: Node, args: tuple[Node, ...]) -> Node:
        if node.op not in SELECTIONS:
            pairs = zip(node.args, args, strict=True)
            args = tuple(alias(arg, new) if arg in stops else new for arg, new in pairs)
        new = with_args(node, args)
        return alias(node, new) if stops.get(node) else new

    new = rebuild(outputs.values(), insert_alias)
    moved = {
        out: alias(node, new[node]) if node in stops else new[node] for out, node in outputs.items()
    }
    called = {new[node]: text for node, text in names.items() if node in new}
    keys = {f"{path} {i}": (path, z) for path, zs in selected.items() for i, z in enumerate(zs)}
    by = {
        key: z if path in families else aliases[z]
        for key, (path, z) in keys.items()
        if path in families or z in aliases
    }
    return Isolated(moved, wrt, by, keys, called)


@verified
def sparse_jacobian(asked: Request) -> Graph:
    """Build the Jacobian matrix as a CSR: `data`, `indices` and `indptr`, row by row.

    Rows and columns are those of the matrix that `jacobian_matrix` gives. An entry whose column is
    selected twice occurs twice: a CSR matrix adds them up.
    """
    apart = isolate(asked)
    moved, by, called = apart.outputs, apart.by, apart.names
    pairs = aligned_pairs(moved, by)
    passes = PASSES[asked.mode](moved, by, pairs, called)
    starts = _starts(apart.wrt)
    data, indices, counts = [], [], []
    for out, node in moved.items():
        parts, columns = [], []
        for key, alone in by.items():
            found = passes.get((out, key))
            if found is not None:
                places = apart.places(key, starts)
                part, column = _entries(found, places, node, alone, pairs[out, key])
                parts.append(part)
                columns.append(column)
        count = sum((part.shape[-1] for part in parts), Dim.of(0))
        counts.append((node.type.size, count))
        if parts:
            whole = node.type.size * count
            data.append(reshape(_side_by_side(parts), shape=(whole,)))
            indices.append(reshape(_side_by_side(columns), shape=(whole,)))
    results = {
        DATA: _end_to_end(data) if data else broadcast_to(0.0, shape=(Dim.of(0),)),
        INDICES: _end_to_end(indices) if indices else arange(n=Dim.of(0)),
        INDPTR: _pointers(counts),
    }
    if apart.may_lack:
        results[DATA] = where(results[INDICES] > 0, results[DATA], 0.0)
        results[INDICES] = maximum(results[INDICES], 1)
    results[INDICES] = results[INDICES] - 1
    called |= {node: key.label for key, node in results.items()}
    return Graph(asked.name, values(moved if asked.with_values else {}) | results, called)


@verified
def sparse_hessian(asked: Request) -> Graph:
    """Build the Hessian of a scalar entry by entry: `data`, and its row and column in `rows` and
    `indices`; what occurs several times adds up.

    Of f(S₁x, S₂x, …), with selections S, it is the sum of Sᵢᵀ ∂²f/∂zᵢ∂zⱼ Sⱼ over all pairs.
    """
    apart = isolate(asked)
    (name, output), called = next(iter(apart.outputs.items())), apart.names
    gradients, adjoints = gradients_of(output, apart.by)
    gradients = {key: gradients[key] for key, z in apart.by.items() if family_of(z) in adjoints}
    pairs = aligned_pairs(gradients, apart.by)
    passes = PASSES[asked.mode](gradients, apart.by, pairs, called)
    starts = _starts(apart.wrt)
    data, rows, columns = [], [], []
    for (one, other), found in passes.items():
        node, by = gradients[one], apart.by[other]
        part, column = _entries(found, apart.places(other, starts), node, by, pairs[one, other])
        row = reshape(apart.places(one, starts), shape=(node.type.size, Dim.of(1)))
        whole = (part.type.size,)
        data.append(reshape(part, shape=whole))
        columns.append(reshape(column, shape=whole))
        rows.append(reshape(broadcast_to(row, shape=part.shape), shape=whole))
    results = {
        DATA: _end_to_end(data) if data else broadcast_to(0.0, shape=(Dim.of(0),)),
        ROWS: _end_to_end(rows) if rows else arange(n=Dim.of(0)),
        INDICES: _end_to_end(columns) if columns else arange(n=Dim.of(0)),
    }
    if apart.may_lack:
        there = logical_and(results[INDICES] > 0, results[ROWS] > 0)
        results[DATA] = where(there, results[DATA], 0.0)
        results |= {key: maximum(results[key], 1) for key in (ROWS, INDICES)}
    results |= {key: results[key] - 1 for key in (ROWS, INDICES)}
    called |= {node: key.label for key, node in results.items()}
    first = values({name: output} if asked.with_values else {})
    return Graph(asked.name, first | results, called)


def _with_plain_sources(
    outputs: Mapping[str, Node], wrt: Mapping[str, Node], names: Mapping[Node, str]
) -> tuple[Mapping[str, Node], Mapping[str, Node], Mapping[Node, str]]:
    """Put an identity behind paths that are a loop's result or a stated derivative.

    Only for an operation can another node be put, wherever it is read.
    """
    for path in wrt:
        source = wrt[path]
        if source.op in (RESULT, RULED):
            alone = intern(identity, (source,), {}, source.type, "source")
            new = rebuild(outputs.values(), with_args, {source: alone})
            outputs = {out: new[node] for out, node in outputs.items()}
            wrt = {other: new.get(node, node) for other, node in wrt.items()}
            names = {new.get(node, node): text for node, text in names.items()}
    return outputs, wrt, names


def _frontier(source: Node, outputs: Sequence[Node]) -> dict[Node, bool]:
    """Find the selections of a source of which something is computed, or that are outputs.

    True where all that goes on from there counts, also further selections: inside a loop, say,
    selections are not followed.
    """
    users: dict[Node, list[Node]] = {}
    for node in arguments_first(outputs):
        for arg in node.args:
            users.setdefault(arg, []).append(node)
    found: dict[Node, bool] = {}
    pending = [source]
    while pending:
        node = pending.pop()
        following = list(dict.fromkeys(users.get(node, [])))
        if any(user.op in (LOOP, RULED, concatenate) for user in following):
            found[node] = True
            continue
        further = [user for user in following if user.op in SELECTIONS]
        if node in outputs or len(further) < len(following):
            found[node] = False
        pending.extend(reversed(further))
    return found


def _may_lack(selected: Node, source: Node) -> bool:
    """True if an element of a selection may be none of the source's, but zero."""
    while selected is not source and selected.op is not unindex:
        selected = selected.args[0]
    return selected is not source


def _columns(selected: Node, source: Node, start: Dim, stride: Dim | None) -> Node:
    """Map each element of a selection to its column in the source, plus 1; 0 for none.

    `stride` is from one member of a family to the next.
    """
    size = source.type.size
    if stride is None:
        places = reshape(arange(n=size) + (start + 1), shape=source.shape)
    else:
        members, inner = source.shape[0], product(source.shape[1:])
        rows = expand(arange(n=members) * stride, axes=(1,))
        columns = expand(arange(n=inner) + (start + 1), axes=(0,))
        places = reshape(rows + columns, shape=source.shape)
    steps = []
    while selected is not source:
        steps.append(selected)
        selected = selected.args[0]
    for step in reversed(steps):  # by the same indices, also where these are computed of the source
        args = (places, *step.args[1:])
        places = intern(step.op, args, step.attrs, Type("int", step.shape))
    return places


def _entries(
    found: Pass, places: Node, output: Node, by: Node, pairs: Mapping[int, int]
) -> tuple[Node, Node]:
    """Return the entries that a pass gives, [output size, n], and the column of each, or -1.

    A pass through a node between may have both axes of a pair, where that node has neither.
    """
    free = [a for a in range(by.rank) if ("by", a) in found.axes]
    pairs = {k: a for k, a in pairs.items() if a not in free}
    target = [("of", k) for k in range(output.rank)] + [("by", a) for a in free]
    value = in_order(found.value, [found.axes.index(label) for label in target])
    count = product([by.shape[a] for a in free])
    aligned = [k for k in range(output.rank) if k in pairs]
    moved = in_order(places, [*(pairs[k] for k in aligned), *free])
    missing = tuple(k for k in range(output.rank) if k not in pairs)
    whole = (*output.shape, *(by.shape[a] for a in free))
    stretched = broadcast_to(expand(moved, axes=missing) if missing else moved, shape=whole)
    shape = (output.type.size, count)
    return reshape(value, shape=shape), reshape(stretched, shape=shape)


def _starts(wrt: Mapping[str, Node]) -> dict[str, tuple[Dim, Dim | None]]:
    """Return each path's first column, and the columns from one family member to the next."""
    starts: dict[str, tuple[Dim, Dim | None]] = {}
    column = Dim.of(0)
    for group in group_by_index(tuple(wrt)):
        if not is_family(group[0]):
            starts[group[0]] = column, None
            column = column + wrt[group[0]].type.size
            continue
        inner = [product(wrt[path].shape[1:]) for path in group]
        stride = sum(inner, Dim.of(0))
        for number, path in enumerate(group):
            starts[path] = column + sum(inner[:number], Dim.of(0)), stride
        column = column + wrt[group[0]].shape[0] * stride
    return starts


def _side_by_side(parts: Sequence[Node]) -> Node:
    return parts[0] if len(parts) == 1 else concatenate(*parts, axis=1)


def _end_to_end(parts: Sequence[Node]) -> Node:
    return parts[0] if len(parts) == 1 else concatenate(*parts, axis=0)


def _pointers(counts: Sequence[tuple[Dim, Dim]]) -> Node:
    """Build row pointers: (rows, entries a row) of the outputs, one after the other."""
    parts, start = [], Dim.of(0)
    for rows, count in counts:
        offsets = arange(n=rows) * count
        parts.append(offsets if start.constant == 0 else offsets + start)
        start = start + rows * count
    parts.append(arange(n=Dim.of(1)) + start)
    return _end_to_end(parts)
