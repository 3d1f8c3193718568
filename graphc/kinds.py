"""The kinds of functions that `derive` clauses ask for, and of rules, as data: a row for each.

Its graph is found by kind in `graphc/compile/clauses.py`, what writes it and what compares it with
numerical derivatives in a target.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from graphc.records import dataclass, replace

MODES = ("reverse", "forward", "mixed")
"""How Jacobians and Hessians are computed; of two that cost the same the first is taken."""

Returns = Literal["values", "gradients", "tangents", "products", "blocks", "whole", "sparse"]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of function: what a clause says of it, what it takes, and what it returns.

    name        the word in a clause
    order       that of the derivative; 0 for values alone, which are by nothing
    returns     gradients are by path, and may go into arrays of the caller; tangents by output;
                products with the Hessian by path, beside the gradients; blocks by output and path,
                or the whole as one array, perhaps a sparse one
    meaning     what it returns, told to a reader
    given       what the function takes beside the arguments of the graph
    of_scalar   is it of one output, a scalar?
    instead     the kind for outputs that are none
    per         can an axis be kept apart? If not, `instead_of_per` tells what there is
    modes       those that it can be computed in, where there is a choice
    values      do values of the outputs come first: never, in a kind of its own, or always?
    alone       of a kind with values that without
    """

    name: str
    order: int
    returns: Returns
    meaning: str = ""
    given: Literal["", "cotangents", "tangents"] = ""
    of_scalar: bool = False
    instead: str = ""
    per: bool = False
    instead_of_per: str = ""
    modes: tuple[str, ...] = ()
    values: Literal["never", "apart", "always"] = "never"
    alone: Kind | None = None

    @property
    def base(self) -> Kind:
        """Return the kind without values: what a table by kind has an entry for."""
        return self.alone or self

    @property
    def has_values(self) -> bool:
        return self.values == "always"


VALUE = Kind(
    "value", 0, "values", "the values alone",
    instead_of_per="leave it out: outputs with the axis have it",
)  # fmt: skip
GRAD = Kind(
    "grad", 1, "gradients", "the gradient: one reverse pass, whatever the number of parameters",
    of_scalar=True, instead="jacobian", per=True, values="apart",
)  # fmt: skip
JACOBIAN = Kind(
    "jacobian", 1, "blocks", "J, a block for each output and path",
    per=True, modes=MODES, values="apart",
)  # fmt: skip
JACOBIAN_MATRIX = Kind(
    "jacobian_matrix", 1, "whole", "J as one matrix, in numerator layout",
    per=True, modes=MODES, values="apart",
)  # fmt: skip
SPARSE_JACOBIAN = Kind(
    "sparse_jacobian", 1, "sparse", "J as a sparse matrix",
    instead_of_per="`jacobian ... per` has the block of each position",
    modes=MODES, values="apart",
)  # fmt: skip
VJP = Kind(
    "vjp", 1, "gradients", "Jᵀ v for a cotangent v: one reverse pass, and no matrix",
    given="cotangents", values="always",
    instead_of_per="leave it out: paths with the axis have it; for others use `jacobian ... per`",
)  # fmt: skip
JVP = Kind(
    "jvp", 1, "tangents", "J u for a tangent u: one forward pass, and no matrix",
    given="tangents", values="always",
    instead_of_per="leave it out: outputs with the axis have it",
)  # fmt: skip
HVP = Kind(
    "hvp", 2, "products", "the gradient and the Hessian times a tangent: forward over reverse",
    given="tangents", of_scalar=True, per=True,
)  # fmt: skip
HESSIAN = Kind(
    "hessian", 2, "blocks", "the second derivatives, a block for every two paths",
    of_scalar=True, per=True, modes=MODES, values="apart",
)  # fmt: skip
HESSIAN_MATRIX = Kind(
    "hessian_matrix", 2, "whole", "the second derivatives as one symmetric matrix",
    of_scalar=True, per=True, modes=MODES, values="apart",
)  # fmt: skip
SPARSE_HESSIAN = Kind(
    "sparse_hessian", 2, "sparse", "the second derivatives as a sparse symmetric matrix",
    of_scalar=True, instead_of_per="`hessian ... per` has the block of each position",
    modes=MODES, values="apart",
)  # fmt: skip

ALONE = (
    VALUE, GRAD, JACOBIAN, JACOBIAN_MATRIX, SPARSE_JACOBIAN, VJP, JVP, HVP, HESSIAN, HESSIAN_MATRIX,
    SPARSE_HESSIAN,
)  # fmt: skip
"""Those that have a graph and a writer of their own, in the order in which documents have them."""


def add_values(kind: Kind) -> Kind:
    """Return the kind that has the values of the outputs first."""
    return replace(kind, name=f"value_and_{kind.name}", values="always", alone=kind)


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (*ALONE, *(add_values(one) for one in ALONE if one.values == "apart"))
}
"""All of them by the word in a clause."""

FORWARD = Kind("forward", 0, "values")
BACKWARD = Kind(
    "backward", 1, "gradients",
    "what `backward` of the module is of and by: Jᵀ v of what `forward` has cached",
    given="cotangents",
    instead_of_per="leave it out: paths with the axis have it",
)  # fmt: skip
"""With `FORWARD` the functions that every module has; a clause may say what this one is by."""

PARTIAL = Kind("partial", 0, "values")
"""What a chunk of the rows of an axis contributes to another function."""

CLAUSES: Mapping[str, Kind] = {**KINDS, BACKWARD.name: BACKWARD}
"""Kinds by all words that stand behind `derive`."""


@dataclass(frozen=True, slots=True)
class RuleKind:
    """A kind of derivative that a block states: of what, and what it may call.

    A `surrogate` is meant to differ from the true one.
    """

    name: str
    of: Literal["port", "result"]
    given: Literal["cotangent", "tangent"]
    surrogate: bool = False


RULES: Mapping[str, RuleKind] = {
    kind.name: kind
    for kind in (
        RuleKind("vjp", "port", "cotangent"),
        RuleKind("jvp", "result", "tangent"),
        RuleKind("surrogate", "port", "cotangent", surrogate=True),
    )
}
"""All of them by the word behind `rule`."""
