"""Functions of numbers that ONNX lacks, as they stand in the run-time parts of NumPy modules.

They are called with values that write a node for whatever NumPy function is called with them, so
that each is stated once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from graphc.exporting.onnx.writing import Writing
from graphc.targets.numpy.runtime.bessel import HELPERS as BESSEL
from graphc.targets.numpy.runtime.normal import HELPERS as NORMAL
from graphc.targets.numpy.runtime.special import HELPERS as SPECIAL

Formula = Callable[..., str]

RENAMED = {
    "absolute": "abs", "bitwise_and": "logical_and", "bitwise_or": "logical_or",
    "invert": "logical_not", "true_divide": "divide",
}  # fmt: skip
"""What functions of NumPy are called by kernels, where that is another name."""


class ModelValue(NDArrayOperatorsMixin):
    """A value of a model that is being written."""

    def __init__(self, w: Writing, name: str, formulas: Mapping[str, Formula]) -> None:
        self.w, self.name, self.formulas = w, name, formulas

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        formula = self.formulas.get(RENAMED.get(ufunc.__name__, ufunc.__name__))
        if method != "__call__" or options or formula is None:
            return NotImplemented
        return self._made(formula(self.w, *map(self._named, inputs)))

    def __array_function__(self, function: Any, types: Any, given: Any, options: Any) -> Any:
        formula = self.formulas.get({np.where: "where", np.round: "rint"}.get(function, ""))
        if options or formula is None:
            return NotImplemented
        return self._made(formula(self.w, *map(self._named, given)))

    def __getitem__(self, place: tuple[()]) -> ModelValue:
        assert place == ()
        return self

    def _made(self, name: str) -> ModelValue:
        return ModelValue(self.w, name, self.formulas)

    def _named(self, value: Any) -> str:
        return value.name if isinstance(value, ModelValue) else self.w.number(value)


def lacking(formulas: Mapping[str, Formula]) -> dict[str, Formula]:
    """Return them in terms of `formulas`; operands behind the first are numbers."""

    def stated(function: Callable[..., Any]) -> Formula:
        def write(w: Writing, x: str, *numbers: Any) -> str:
            found = function(ModelValue(w, x, formulas), *numbers)
            name: str = found.name
            return name

        return write

    functions = {**SPECIAL, **NORMAL, **BESSEL}
    return {name: stated(function) for name, function in functions.items()}
