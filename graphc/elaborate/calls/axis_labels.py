"""Axes by the dims that label them: a block's dims are its own, also where two are of one size."""

from __future__ import annotations

from collections.abc import Iterator

from graphc.ad.align import alignment
from graphc.elaborate.names.scope import Scope
from graphc.ir.dims import Dim
from graphc.ir.graph import Node
from graphc.ir.types import same
from graphc.syntax import tree


def label(scope: Scope, node: Node, written: tree.TypeOf | None) -> None:
    """Label the axes of a node as its type is written."""
    if written is None or not written.axes:
        return
    names: list[str | None] = []
    for axis in written.axes:
        if isinstance(axis, tree.Dots):
            names += [None] * (node.rank - len(written.axes) + 1)
        else:
            names.append(axis.text if isinstance(axis, tree.Name) else None)
    scope.labels[node] = tuple(names)


def inherit(scope: Scope, node: Node, start: Node) -> None:
    """Label the axes of what a loop carries as those of what it starts with."""
    if not has_equal_dims(scope):
        return
    called = _labels_of(scope, start)
    scope.labels[node] = tuple(next(iter(one)) if len(one) == 1 else None for one in called)


def axes_labelled(scope: Scope, name: str, size: Dim, node: Node) -> list[int]:
    """List the axes of a node that a dim labels: those of its size, but for what is another dim's.

    Where two dims of a block have one size, an axis is that of the port, parameter or typed node
    from which it comes, one to one.
    """
    places = [place for place, axis in enumerate(node.shape) if same(axis, size)]
    if not places or not has_equal_dims(scope, size):
        return places
    called = _labels_of(scope, node)
    own = [place for place in places if name in called[place]]
    return own or [place for place in places if not called[place]]


def has_equal_dims(scope: Scope, size: Dim | None = None) -> bool:
    """True if two dims have one size, or this one."""
    sizes = [e.value for inner in _scopes(scope) for e in inner.entries.values() if e.is_dim]
    if size is not None:
        return sum(same(one, size) for one in sizes) > 1
    return any(same(one, other) for n, one in enumerate(sizes) for other in sizes[:n])


def _labels_of(scope: Scope, node: Node) -> list[set[str]]:
    """Return the names that each axis of a node has from where it comes."""
    called: list[set[str]] = [set() for _ in node.shape]
    for inner in _scopes(scope):
        for source, names in inner.labels.items():
            found = alignment(source, [node]).get(node, ())
            for name, place in zip(names, found, strict=False):
                if name is not None and place is not None:
                    called[place].add(name)
    return called


def _scopes(scope: Scope) -> Iterator[Scope]:
    """Yield the scopes of a block, from the innermost iteration on."""
    inner: Scope | None = scope
    while inner is not None:
        yield inner
        inner = inner.outer
