"""Comments beside statements: the statement of the graph, or the term of the chain rule."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate

from graphc.ir.chain import Chain, Link
from graphc.ir.graph import COTANGENT, Adjoint, Node, Term
from graphc.ir.loop import BOUND, LOOP
from graphc.names import flat
from graphc.plan.naming import SLOPES
from graphc.plan.program import Program, Step
from graphc.source import Span
from graphc.syntax.format.canonical import one_line_of

LONGEST = 60
LONGEST_USE = 30  # of a block, before a statement of it


def place(node: Node) -> str:
    """`h = relu(z)`, `dense(8) as up: y = act(x @ W + b)`: the statement that made the node; of a
    block, behind its use; and of how many more."""
    origin = node.origin
    if origin is None:
        return ""
    text = _quote(origin.span, LONGEST)
    more = f", and {len(origin.alike)} more" if origin.alike else ""
    use = "" if origin.used is None else f"{_quote(origin.used.span, LONGEST_USE)}: "
    return f"{use}{text}{more}"


def _quote(span: Span, longest: int) -> str:
    return shorten(one_line_of(span, longest), longest)


def shorten(text: str, longest: int = LONGEST) -> str:
    """Write text from the source on one line of printable characters, fit for a comment."""
    words = " ".join(text.split())
    plain = "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in words
    )
    return plain if len(plain) <= longest else plain[: longest - 1] + "…"


def term(one: Term, of: Node, program: Program) -> str:
    """Write a term of the chain rule: `(∂z/∂W)ᵀ d_z`, `∂a/∂z ⊙ d_a`.

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
    if child == parent:  # parts of one value, which have no names of their own
        return f"back through {parent}"
    adjoint = program.adjoints.get(one.child, f"d_{child}")
    elementwise = program.saved.get(one.child, one.child).op.structure == "elementwise"
    if elementwise and one.child.rank == of.rank:
        factor = f" ⊙ {adjoint}" if adjoint else ""
        return f"∂{child}/∂{parent}{factor}{_slope(one.child, program)}"
    return f"(∂{child}/∂{parent})ᵀ{f' {adjoint}' if adjoint else ''}{_slope(one.child, program)}"


def _slope(child: Node, program: Program) -> str:
    """Say which slope a term has in it: that of a function that what goes into the child has."""
    label = program.labels[child]
    said = {
        SLOPES[program.saved.get(top, top).op.name]: None
        for top in program.curves.get(label, ())
        if top is child or _reaches(top, child, program.labels)
    }
    return "".join(f", {one}" for one in said)


def _reaches(top: Node, node: Node, labels: Mapping[Node, str]) -> bool:
    """True if a node is computed of another, by parts of one value only."""
    pending, seen = [top], {top}
    while pending:
        for arg in pending.pop().args:
            if arg is node:
                return True
            if arg not in seen and labels.get(arg) == labels[top]:
                seen.add(arg)
                pending.append(arg)
    return False


def terms(adjoint: Adjoint, program: Program) -> str:
    """Write the terms, each once: several ways through nodes without a name are told alike."""
    said = (term(part, adjoint.of, program) for part in adjoint.terms)
    return " + ".join(dict.fromkeys(said))


LONGEST_CHAIN = 66
"""Characters of the terms that a comment tells; the others it counts."""


def chained(step: Step) -> str:
    """Write a derivative as the chain rule has it: `(∂h/∂W) t_W + ∂h/∂z ⊙ t_z: [B, 4]`."""
    chain = step.chain
    if chain is None or not (chain.links or chain.loops):
        return ""
    said = [_link(link, chain) for link in chain.links]
    said += [f"{'' if chain.forward else 'back '}through the loop over {i}" for i in chain.loops]
    fitting = max(1, sum(length <= LONGEST_CHAIN for length in accumulate(map(len, said))))
    if len(said) > fitting:
        said = [*said[:fitting], f"{len(said) - fitting} other{'s' * (len(said) > fitting + 1)}"]
    slopes = [SLOPES[name] for name in chain.slopes if name in SLOPES]
    return f"{', '.join([' + '.join(said), *slopes])}{shaped(step.node)}"


def _link(link: Link, chain: Chain) -> str:
    ends = (chain.of, link.other) if chain.forward else (link.other, chain.of)
    top, bottom = map(flat, ends)
    if link.diagonal:
        return f"∂{top}/∂{bottom}{f' ⊙ {link.derivative}' if link.derivative else ''}"
    if chain.forward and not link.derivative:
        return f"∂{top}/∂{bottom}"
    turned = "" if chain.forward else "ᵀ"
    return f"(∂{top}/∂{bottom}){turned}{f' {link.derivative}' if link.derivative else ''}"


def shaped(node: Node) -> str:
    """Write the shape of an array behind what is said of it."""
    return f": [{', '.join(map(str, node.shape))}]" if node.rank else ""


def beside(step: Step, program: Program) -> str:
    """Write what stands beside a statement: terms of the chain rule, or what it comes from."""
    if step.adjoints:
        return terms(step.adjoints[0], program)
    return chained(step) or place(step.node)
