"""The functions that return sparse matrices, as those of `jax.experimental.sparse`."""

from __future__ import annotations

from graphc.ir.results import DATA, INDICES, INDPTR, ROWS
from graphc.ir.types import product
from graphc.plan.module import Compiled, Derived
from graphc.targets.numpy.functions.derived import (
    declared_wrt,
    derived_function,
    named,
    results_of,
    whole_body,
    with_value,
)
from graphc.targets.numpy.functions.jacobians import add_sizes, by_mode, told_mode
from graphc.targets.numpy.printing.text import write_list


def sparse_function(compiled: Compiled, one: Derived) -> str:
    """Write the function of a matrix by rows, whose pattern follows from graph and index inputs."""
    about = f"the Jacobian of {named(one)} as one sparse matrix"
    kind, _, about = with_value(compiled, one, "sparse.BCSR", about)
    declared = declared_wrt(compiled, one)
    sizes = {d.name: d.node.shape for d in compiled.model.outputs}
    rows = add_sizes([product(sizes[name]) for name in one.outputs])
    columns = add_sizes([d.node.type.size for d in declared])

    def lines(each: Derived, before: str) -> list[str]:
        parts = ", ".join(results_of(each)[key].part() for key in (DATA, INDICES, INDPTR))
        whole = [f"({parts})", f"shape=({rows}, {columns})"]
        return write_list(f"return {before}sparse.BCSR(", whole, ")")

    return derived_function(
        compiled,
        one,
        f"def {one.name}({compiled.begin_of(one).signature}) -> {kind}:",
        f"{about}\n\nIt has a row for each element of the outputs and a column for each element of "
        f"{', '.join(d.name for d in declared)},\nin this order, elements row by row.\n"
        f"{told_mode(one)}\n",
        whole_body(compiled, one, by_mode(compiled, one, lines)),
    )


def sparse_hessian_function(compiled: Compiled, one: Derived) -> str:
    """Write the function of a symmetric matrix of entries: those of one place are added up."""
    about = f"the Hessian of {named(one)} as one sparse matrix of entries, which add up"
    kind, _, about = with_value(compiled, one, "sparse.BCOO", about)
    declared = declared_wrt(compiled, one)
    size = add_sizes([d.node.type.size for d in declared])

    def lines(each: Derived, before: str) -> list[str]:
        data, rows, columns = (results_of(each)[key].part() for key in (DATA, ROWS, INDICES))
        return [
            f"_half = 0.5 * {data}",
            f"_there = jnp.stack(({rows}, {columns}), axis=-1)",
            "_both = jnp.concatenate((_there, _there[:, ::-1]))",
            f"return {before}sparse.BCOO(",
            f"    (jnp.concatenate((_half, _half)), _both), shape=({size}, {size})",
            ")",
        ]

    return derived_function(
        compiled,
        one,
        f"def {one.name}({compiled.begin_of(one).signature}) -> {kind}:",
        f"{about}\n\nIt has a row and a column for each element of "
        f"{', '.join(d.name for d in declared)},\nin this order, elements row by row.\n"
        f"{told_mode(one)}\n",
        whole_body(compiled, one, by_mode(compiled, one, lines)),
    )
