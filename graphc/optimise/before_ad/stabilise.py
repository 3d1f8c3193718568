"""Stable forms in a model: applied once, before calculus, with a note of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from graphc.ad.stable_forms import Form, is_naive, recognise
from graphc.elaborate.names.model import Declared, Model, verified_model
from graphc.ir.graph import Node, with_args
from graphc.ir.rebuild import rebuild
from graphc.records import replace
from graphc.source import Diagnostic, Origin, error


def _note(form: Form, origin: Origin) -> Diagnostic:
    return error("N720", f"`{form.naive}` is computed as `{form.stable}`", origin.span)


@verified_model
def stabilise(model: Model) -> Model:
    """Replace every naive form of a model by the stable one, with notes of them."""
    outputs = [d.node for d in model.outputs]
    derived = [node for d in model.clauses for node in d.nodes]
    if not is_naive([*outputs, *derived]):
        return model
    differentiated = model.differentiated_by
    kept: set[Node] = set()
    notes: dict[Diagnostic, None] = {}

    def rewrite(node: Node, args: tuple[Node, ...]) -> Node:
        new = with_args(node, args)
        found = recognise(new, kept)
        if found is not None:
            form, new = found
            if node.origin is not None and node.origin.span.source is model.source:
                notes.setdefault(_note(form, node.origin))
        if node in differentiated:
            kept.add(new)
        return new

    declared = (*model.inputs, *model.params)
    new = rebuild([*(d.node for d in declared), *outputs, *derived], rewrite)

    moved = with_nodes(model, new)
    ordered = sorted(notes, key=lambda note: note.span.start if note.span else 0)
    return replace(moved, notes=tuple(ordered))


def with_nodes(model: Model, new: Mapping[Node, Node]) -> Model:
    """Replace the nodes of a model."""

    def map_declared(declared: Iterable[Declared]) -> tuple[Declared, ...]:
        return tuple(replace(d, node=new[d.node]) for d in declared)

    return replace(
        model,
        inputs=map_declared(model.inputs),
        params=map_declared(model.params),
        outputs=map_declared(model.outputs),
        names={new[node]: name for node, name in model.names.items() if node in new},
        backward=model.backward.with_nodes(new),
        derivations=tuple(one.with_nodes(new) for one in model.derivations),
    )
