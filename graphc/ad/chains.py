"""Derivatives of what has a name, called by it, with the chain rule between named values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from graphc.ir.chain import Chain, DerivativeName, Link
from graphc.ir.graph import TANGENT, Adjoint, Node
from graphc.ir.loop import BOUND, LOOP, loop_of
from graphc.ir.types import same_shape

Near = Callable[[Node], Iterator[tuple[Node, bool]]]
"""What is beside a node, and whether the step there works element by element."""


def tangent_names(
    pushed: Mapping[Node, Node], names: Mapping[Node, str], moving: Mapping[Node, Node]
) -> dict[Node, str]:
    """Name the tangent of a named node `t_name`, also in loops, where tangents are `moving`."""
    within = {node: str(node.attrs["name"]) for node in moving if node.op is BOUND}
    pushed, names = {**moving, **pushed}, {**within, **names}

    def operands(node: Node) -> Iterator[tuple[Node, bool]]:
        for arg in node.args:
            if arg in pushed or arg.op is LOOP:
                yield arg, _by_element(node, arg)

    def derivative(node: Node) -> str:
        tangent = pushed[node]
        if tangent.op is BOUND:  # a seed, but what a loop carries
            return f"t_{names[node]}" if node.op is BOUND else ""
        return f"t_{tangent.attrs['name'] if tangent.op is TANGENT else names[node]}"

    def called(node: Node) -> str:
        name = f"t_{names[node]}"
        if pushed[node].op is BOUND:
            return name
        return DerivativeName(name, _chain(node, names, operands, derivative, True))

    return {
        tangent: called(node)
        for node, tangent in pushed.items()
        if node in names and node.op is not BOUND and tangent.op is not TANGENT
    }


def adjoint_names(adjoints: Iterable[Adjoint], names: Mapping[Node, str]) -> dict[Node, str]:
    """Name the adjoint of a named node `d_name`."""
    known = {adjoint.of: adjoint for adjoint in adjoints}

    def children(node: Node) -> Iterator[tuple[Node, bool]]:
        for term in known[node].terms:
            if term.child is not None and (term.child in known or term.child.op is LOOP):
                yield term.child, _by_element(term.child, node)

    def derivative(node: Node) -> str:
        seed = all(term.child is None for term in known[node].terms)
        return "" if seed else f"d_{names[node]}"

    return {
        adjoint.value: DerivativeName(
            f"d_{names[of]}", _chain(of, names, children, derivative, False)
        )
        for of, adjoint in known.items()
        if of in names
    }


def _by_element(child: Node, parent: Node) -> bool:
    return child.op.structure == "elementwise" and same_shape(child.shape, parent.shape)


def _chain(
    of: Node,
    names: Mapping[Node, str],
    near: Near,
    derivative: Callable[[Node], str],
    forward: bool,
) -> Chain:
    """Follow a value to the named ones that are nearest to it, past those without a name."""
    found: dict[Node, bool] = {}
    passed = {of: True}
    loops: dict[str, None] = {}
    pending = [of]
    while pending:
        one = pending.pop()
        for other, by_element in near(one):
            diagonal = passed[one] and by_element
            if other.op is LOOP:
                loops[loop_of(other).index] = None
            elif other in names:
                found[other] = found.get(other, True) and diagonal
            elif passed.get(other) in (None, True) and passed.get(other) != diagonal:
                passed[other] = diagonal
                pending.append(other)
    links = [
        Link(names[other], found[other], derivative(other))
        for other in sorted(found, key=lambda node: node.index)
    ]
    acting = [*passed] if forward else [*passed, *found][1:]
    slopes = dict.fromkeys(node.op.name for node in acting if node.op.structure == "elementwise")
    return Chain(names[of], tuple(links), tuple(loops), tuple(slopes), forward)
