"""What is said in words of a step, a Jacobian, a term."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphc.ir.graph import Node
from graphc.source import Span
from graphc.syntax.format.canonical import one_line_of
from graphc.views.explain.choices import Layout
from graphc.views.explain.jacobians import Factor

LONGEST = 72


def place(node: Node) -> str:
    """Write the statement that makes a node, that of a block behind its use; without its line."""
    origin = node.origin
    if origin is None:
        return ""
    text = _quoted(origin.span)
    return text if origin.used is None else f"{_quoted(origin.used.span)}: {text}"


def _quoted(span: Span) -> str:
    words = " ".join(one_line_of(span, LONGEST).split())
    plain = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in words)
    return plain if len(plain) <= LONGEST else plain[: LONGEST - 1] + "…"


# ---- Jacobians ----------------------------------------------------------------------------------

STRUCTURES: Mapping[str, str] = {
    "identity": "the identity",
    "negative": "minus the identity",
    "multiple": "a multiple of the identity",
    "diagonal": "diagonal",
    "slope": "a number, the slope",
    "zero": "zero",
    "reshape": "the identity: the same elements in another shape",
    "stretch": "copies along {axes}",
    "sum": "ones along {axes}",
    "matrix": "the matrix itself",
    "matrix turned": "the transpose of the matrix",
    "matrix left": "block diagonal: one matrix for every row",
    "matrix right": "Kronecker product with an identity",
    "outer left": "Kronecker product with an identity",
    "outer right": "Kronecker product with an identity",
    "outer": "Kronecker product with an identity",
    "dot": "a row",
    "selection": "selection: rows of the identity",
    "permutation": "permutation",
    "placement": "placement: columns of the identity",
    "softmax": "dense: a diagonal minus a product of a column with a row",
    "dense": "dense",
    "rule": "what the rule states",
    "loop": "through all steps of the loop",
}
"""What a Jacobian looks like in numerator layout."""

TRANSPOSED: Mapping[str, str] = {
    **STRUCTURES,
    "matrix": STRUCTURES["matrix turned"],
    "matrix turned": STRUCTURES["matrix"],
    "dot": "a column",
    "selection": "selection: columns of the identity",
    "placement": "placement: rows of the identity",
}
"""In denominator layout, where it is the transpose."""


def structure(factors: Sequence[Factor], layout: Layout) -> str:
    """Say what a Jacobian looks like, factor by factor as its layout has them."""
    if factors and factors[0].kind == "ways":
        return f"a sum over {factors[0].operation} ways"
    if layout == "numerator":
        told = [_structure(factor, STRUCTURES) for factor in factors]
    else:
        told = [_structure(factor, TRANSPOSED) for factor in reversed(factors)]
    return ", times ".join(dict.fromkeys(told))


def _structure(factor: Factor, structures: Mapping[str, str]) -> str:
    told = structures[factor.kind].format(axes=_axes(factor))
    if factor.kind == "sum" and factor.operation == "mean":
        return f"{told} divided by their number"
    if factor.kind == "dense" and factor.axes:
        return f"block diagonal along {_axes(factor)}, dense inside"
    if factor.kind in ("matrix left", "matrix right") and factor.axes:
        return f"block diagonal along {_axes(factor)}, where each has its own matrices"
    return told


def _axes(factor: Factor) -> str:
    return " and ".join(factor.axes) or "its axes"


# ---- terms --------------------------------------------------------------------------------------

BOTH: Mapping[str, tuple[str, str]] = {
    "identity": ("handed on", "a sum hands what comes back to each of its terms as it is"),
    "negative": ("the other sign", "what is subtracted counts with the other sign"),
    "multiple": ("a multiple", "a number times an array has that number as its slope"),
    "diagonal": (
        "a Hadamard product",
        "{operation} {works} element by element, so {its} {Jacobian} diagonal, and to multiply by "
        "a diagonal matrix is to multiply element by element",
    ),
    "slope": ("a product with the slope", "of a number the Jacobian is the slope of {operation}"),
    "zero": ("nothing", "it counts as constant"),
    "reshape": ("its old shape", "only the shape changed"),
    "stretch": (
        "a sum over {axes}",
        "the operand was repeated along {axes}, every copy contributes, and contributions add up",
    ),
    "sum": ("copies along {axes}", "every element of a sum counts alike, so all get the same"),
    "selection": (
        "put back in its place",
        "what was not selected gets 0; what was selected twice gets the sum",
    ),
    "permutation": ("moved back", "the inverse of a permutation is its transpose"),
    "placement": ("its own part", "each element gets what comes back to its place"),
    "dot": (
        "a multiple of the other vector",
        "the slope of a product of two vectors by the one is the other",
    ),
    "softmax": (
        "minus its mean",
        "raising one element lowers the others, so the weighted mean of what comes back is taken "
        "off",
    ),
    "dense": (
        "its own pullback",
        "{operation} {mixes} elements: each depends on all along its axis",
    ),
    "rule": ("what the rule states", "the graph states this derivative itself"),
    "outer left": (
        "an outer product",
        "row i of the matrix reaches element i alone, with slope x",
    ),
    "outer right": (
        "an outer product",
        "column j of the matrix reaches element j alone, with slope x",
    ),
    "outer": ("a product with the other vector", "each element meets all of the other"),
    "loop": ("back through the loop", "the steps go from the last to the first"),
}

BY_LAYOUT: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "numerator": {
        "matrix": (
            "a row times the matrix",
            "the Jacobian of A x by x is A, and in numerator layout it stands on the right, not "
            "transposed",
        ),
        "matrix turned": (
            "a row times the transpose",
            "x @ W is Wᵀ x, whose Jacobian by x is Wᵀ",
        ),
        "matrix left": (
            "a product with the matrix",
            "every row of X W depends on its own row of X, through W; derivatives by arrays are "
            "transposed in numerator layout, so W stands on the left",
        ),
        "matrix right": (
            "a product of matrices",
            "every row contributes a product of its derivative and its row of X, and the product "
            "of the matrices adds them up",
        ),
    },
    "denominator": {
        "matrix": (
            "a product with the transpose",
            "the Jacobian of A x by x is A; in denominator layout it is transposed and stands on "
            "the left",
        ),
        "matrix turned": (
            "a product with the matrix",
            "x @ W is Wᵀ x, whose Jacobian by x is Wᵀ, and its transpose is W",
        ),
        "matrix left": (
            "a product with the transpose",
            "every row of X W depends on its own row of X, through W",
        ),
        "matrix right": (
            "a product with the transpose",
            "every row contributes an outer product of its row of X and its derivative, and the "
            "product of the matrices adds them up",
        ),
    },
}


CALLED = {"*": "the product ⊙", "/": "division", "**": "a power", "where": "a choice"}


def forms(factors: Sequence[Factor], layout: str) -> tuple[str, str]:
    """Return what a term becomes, operation by operation, and the reasons."""
    told = [_form(kind, alike, layout) for kind, alike in _by_kind(factors).items()]
    names = list(dict.fromkeys(name for name, _ in told))
    reasons = list(dict.fromkeys(reason for _, reason in told))
    return ", then ".join(names), "; ".join(reasons)


def _by_kind(factors: Sequence[Factor]) -> dict[str, list[Factor]]:
    found: dict[str, list[Factor]] = {}
    for factor in factors:
        if factor.kind != "ways":
            found.setdefault(factor.kind, []).append(factor)
    return found


def _form(kind: str, factors: Sequence[Factor], layout: str) -> tuple[str, str]:
    name, reason = BOTH.get(kind) or BY_LAYOUT[layout][kind]
    operations = dict.fromkeys(CALLED.get(f.operation, f.operation) for f in factors)
    axes = list(dict.fromkeys(axis for factor in factors for axis in factor.axes))
    several = len(operations) > 1
    found = {
        "axes": " and ".join(axes) or "its axes",
        "operation": " and ".join(operations),
        "works": "work" if several else "works",
        "mixes": "mix" if several else "mixes",
        "its": "their" if several else "its",
        "Jacobian": "Jacobians are" if several else "Jacobian is",
    }
    return name.format(**found), reason.format(**found)
