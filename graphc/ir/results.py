"""Results of a graph: what each is, as data, never read out of a name."""

from __future__ import annotations

from enum import Enum, auto
from typing import Literal

from graphc.records import dataclass


class Role(Enum):
    """What a graph is in a module: both halves of reverse mode, one of them, or another part."""

    HALVES = auto()  # forward and backward together, before they are cut
    FORWARD = auto()
    BACKWARD = auto()
    FUNCTION = auto()  # one that is derived
    STEP = auto()  # the body of a loop


ResultKind = Literal[
    "value", "gradient", "tangent", "product", "jacobian", "hessian", "whole",
    "data", "indices", "indptr", "rows", "number",
]  # fmt: skip

BLOCKS: frozenset[ResultKind] = frozenset({"jacobian", "hessian"})
"""The kinds of results that are blocks by output and path: nobody asks how their axes lie."""


@dataclass(frozen=True, slots=True)
class ResultKey:
    """What a result is: a value or tangent `of` an output, a gradient or product `by` a path.

    A block of a Jacobian is of an output by a path; one of a Hessian is of the gradient by a path,
    by another. The `whole` is all derivatives as one array; `data`, `indices` and `indptr` are
    those of a sparse matrix. What has no name has a `number`: what a step of a loop makes, say.
    """

    kind: ResultKind
    of: str = ""
    by: str = ""
    number: int = 0

    @property
    def label(self) -> str:
        """Return what variables are named after: a dotted path."""
        first = self.of if self.kind == "value" else _LABELS.get(self.kind, self.kind)
        rest = () if self.kind == "value" else (self.of, self.by)
        return ".".join(filter(None, (first, *rest)))


_LABELS: dict[ResultKind, str] = {
    "gradient": "d", "tangent": "t", "product": "h", "jacobian": "J", "hessian": "H",
    "whole": "matrix",
}  # fmt: skip

WHOLE = ResultKey("whole")
DATA, INDICES, INDPTR = ResultKey("data"), ResultKey("indices"), ResultKey("indptr")
ROWS = ResultKey("rows")


def value_of(output: str) -> ResultKey:
    """Return the key of an output itself."""
    return ResultKey("value", of=output)


def gradient_by(path: str) -> ResultKey:
    """Return the key of a gradient."""
    return ResultKey("gradient", by=path)


def result_number(place: int) -> ResultKey:
    """Return the key of a result that has no name."""
    return ResultKey("number", number=place)
