"""Comments beside statements: the line of the graph, or the term of the chain rule."""

from __future__ import annotations

from graphc.graph import COTANGENT, Node, Term
from graphc.loop import BOUND, LOOP
from graphc.plan.schedule import Program
from graphc.source import Source

LONGEST = 60


def place(node: Node, source: Source) -> str:
    """`7: h = relu(z)`: the line of the user's file, and the text that made the node."""
    origin = node.origin
    if origin is None:
        return ""
    text = shortened(origin.span.text)
    if origin.span.source is not source:
        text = f"{origin.span.source.name.removesuffix('.graph')} {origin.span.line}: {text}"
    return f"line {origin.outermost.line}: {text}"


def shortened(text: str) -> str:
    """Text from the source on one line of printable characters, fit for a comment."""
    words = " ".join(text.split())
    plain = "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in words
    )
    return plain if len(plain) <= LONGEST else plain[: LONGEST - 1] + "…"


def term(one: Term, of: Node, program: Program) -> str:
    """A term of the chain rule with its line: `(∂z/∂W)ᵀ d_z (line 7)`, `∂a/∂z ⊙ d_a (line 8)`.

    The Jacobian of an elementwise node is diagonal: it acts as a Hadamard product.
    """
    labels = program.labels
    if one.child is None:
        if one.value.op is BOUND:
            return "from the step after"
        return f"cotangent of {'the output ' if one.value.op is COTANGENT else ''}{labels[of]}"
    if one.child.op is LOOP:
        return f"back through {labels[one.child]}"
    child, parent = labels[one.child], labels[of]
    adjoint = program.adjoints.get(one.child, f"d_{child}")
    line = f" (line {one.child.origin.outermost.line})" if one.child.origin else ""
    if one.child.op.structure == "elementwise" and one.child.rank == of.rank:
        return f"∂{child}/∂{parent} ⊙ {adjoint}{line}"
    return f"(∂{child}/∂{parent})ᵀ {adjoint}{line}"
