"""Which function writes which kind of derived function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

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

_EMITTERS: dict[str, Callable[[Compiled, Derived], str]] = {
    "value": value_function,
    "grad": gradient_function,
    "vjp": vjp_function,
    "jvp": jvp_function,
    "hvp": hvp_function,
    "jacobian": jacobian_function,
    "jacobian_matrix": matrix_function,
    "sparse_jacobian": sparse_function,
    "hessian": hessian_function,
    "hessian_matrix": matrix_function,
}


def derived(compiled: Compiled, one: Derived) -> str:
    """One derived function; one of numbers with its form for arrays, which it falls back on."""
    emitter = _EMITTERS[one.kind.removeprefix("value_and_")]
    if one.numbers is None:
        return emitter(compiled, one)
    arrays = emitter(compiled, replace(one, program=one.numbers.arrays, numbers=None))
    name = one.program.name
    private = arrays.replace(f"def {name}(", f"def {by_arrays(name)}(", 1)
    return "\n\n\n".join([emitter(compiled, one), private])
