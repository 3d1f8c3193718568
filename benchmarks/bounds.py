"""What tells how fast it can be done: bare products of matrices, and loops in Numba.

Only the matrix products of a value and its gradients are what no program that takes them undercuts.
Operands are contiguous, or transposes of such; results go into arrays that stay.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.harness import Case, Result, Run

Array = np.ndarray
Product = tuple[Array, Array, Array]  # two matrices, and where their product goes


def product(left: Array, right: Array) -> Product:
    """Of two matrices, or of stacks of them."""
    return left, right, np.matmul(left, right)


def layers(x: Array, weights: Sequence[Array]) -> list[Product]:
    """A chain of dense layers forward, and back to the weights of each, but not to x."""
    values, steps = [x], []
    for matrix in weights:
        steps.append(product(values[-1], matrix))
        values.append(steps[-1][-1])
    d = values.pop()
    for matrix, before in reversed(list(zip(weights, values, strict=True))):
        steps.append(product(before.T, d))
        if before is not x:
            steps.append(product(d, matrix.T))
            d = steps[-1][-1]
    return steps


def bare(products: Sequence[Product]) -> Run:
    """All of them, one after the other."""

    def call() -> Result:
        for left, right, out in products:
            np.matmul(left, right, out=out)
        return 0.0, {}

    return call


def in_numba(name: str, module: str = "benchmarks.in_numba") -> Callable[[Case], Run]:
    """A function of the loops in Numba, which is imported with them: not everyone has it."""

    def prepare(case: Case) -> Run:
        run: Run = getattr(importlib.import_module(module), name)(case)
        return run

    return prepare
