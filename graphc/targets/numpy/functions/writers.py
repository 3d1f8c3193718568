"""The writer of each kind of derived function."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from graphc import kinds
from graphc.kinds import Kind
from graphc.plan.module import Compiled, Derived
from graphc.records import replace
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
    sparse_hessian_function,
)
from graphc.targets.numpy.functions.python_floats import by_arrays

Writer = Callable[[Compiled, Derived], str]

WRITERS: Mapping[Kind, Writer] = {
    kinds.VALUE: value_function,
    kinds.GRAD: gradient_function,
    kinds.JACOBIAN: jacobian_function,
    kinds.JACOBIAN_MATRIX: matrix_function,
    kinds.SPARSE_JACOBIAN: sparse_function,
    kinds.VJP: vjp_function,
    kinds.JVP: jvp_function,
    kinds.HVP: hvp_function,
    kinds.HESSIAN: hessian_function,
    kinds.HESSIAN_MATRIX: matrix_function,
    kinds.SPARSE_HESSIAN: sparse_hessian_function,
}


def write_derived(
    compiled: Compiled, one: Derived, writers: Mapping[Kind, Writer] = WRITERS
) -> str:
    """Write one derived function; one of numbers with its form for arrays, its fallback."""
    write = writers[one.kind.base]
    if one.numbers is None:
        return write(compiled, one)
    called = by_arrays(one.program.name)
    arrays = replace(one, program=one.numbers.arrays, numbers=None, called=called)
    return "\n\n\n".join([write(compiled, one), write(compiled, arrays)])
