"""Which function writes which kind of derived function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from graphc.kinds import (
    GRAD,
    HESSIAN,
    HESSIAN_MATRIX,
    HVP,
    JACOBIAN,
    JACOBIAN_MATRIX,
    JVP,
    SPARSE_JACOBIAN,
    VALUE,
    VJP,
    Kind,
)
from graphc.plan.module import Compiled, Derived
from graphc.targets.numpy.functions.derived import (
    gradient_function,
    hvp_function,
    jvp_function,
    value_function,
    vjp_function,
)
from graphc.targets.numpy.functions.jacobians import (
    hessian_function,
    jacobian_function,
    matrix_function,
    sparse_function,
)
from graphc.targets.numpy.functions.python_floats import by_arrays

WRITERS: Mapping[Kind, Callable[[Compiled, Derived], str]] = {
    VALUE: value_function,
    GRAD: gradient_function,
    JACOBIAN: jacobian_function,
    JACOBIAN_MATRIX: matrix_function,
    SPARSE_JACOBIAN: sparse_function,
    VJP: vjp_function,
    JVP: jvp_function,
    HVP: hvp_function,
    HESSIAN: hessian_function,
    HESSIAN_MATRIX: matrix_function,
}


def derived(compiled: Compiled, one: Derived) -> str:
    """One derived function; one of numbers with its form for arrays, which it falls back on."""
    write = WRITERS[one.kind.base]
    if one.numbers is None:
        return write(compiled, one)
    called = by_arrays(one.program.name)
    arrays = replace(one, program=one.numbers.arrays, numbers=None, called=called)
    return "\n\n\n".join([write(compiled, one), write(compiled, arrays)])
