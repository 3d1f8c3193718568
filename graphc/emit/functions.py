"""Which function writes which kind of derived function."""

from __future__ import annotations

from collections.abc import Callable

from graphc.emit.compiled import Compiled, Derived
from graphc.emit.derived import (
    gradient_function,
    hvp_function,
    jvp_function,
    value_function,
    vjp_function,
)
from graphc.emit.jacobians import (
    hessian_function,
    jacobian_function,
    matrix_function,
    sparse_function,
)

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
    """One derived function."""
    kind = one.kind.removeprefix("value_and_")
    return _EMITTERS[kind](compiled, one)
