"""The functions that return Jacobians and Hessians; the dims choose the mode where they can."""

from __future__ import annotations

from collections.abc import Callable

from graphc.elaborate.names.model import Declared
from graphc.ir.dims import Dim
from graphc.ir.results import DATA, INDICES, INDPTR, ROWS, WHOLE, ResultKey
from graphc.ir.types import product
from graphc.plan.module import Compiled, Derived
from graphc.targets.numpy.functions.derived import (
    apart,
    declared_wrt,
    derived_function,
    named,
    results_of,
    steps,
    typed_return,
    whole_body,
    with_value,
)
from graphc.targets.numpy.printing.families import OTHER_INDEX, dict_rows, position
from graphc.targets.numpy.printing.text import write_list

Returning = Callable[[Derived, str], list[str]]


def jacobian_function(compiled: Compiled, one: Derived) -> str:
    """Blocks by output and path."""
    about = f"the Jacobian of {named(one)}: blocks by output and path{apart(one)}"
    kind, _, about = with_value(compiled, one, "dict[str, dict[str, Any]]", about)

    def lines(each: Derived, before: str) -> list[str]:
        return jacobian_blocks(compiled, each, before)

    return derived_function(
        compiled,
        one,
        f"def {one.name}({compiled.begin_of(one).signature}) -> {kind}:",
        f"{about}\n\nA block has the shape of the output, then that of the path.\n"
        f"{told_mode(one)}\n",
        whole_body(compiled, one, by_mode(compiled, one, lines)),
    )


def jacobian_blocks(compiled: Compiled, one: Derived, before: str) -> list[str]:
    """List the lines that return blocks by output and path, behind what stands before them."""
    written = [f"return {before}{{"]
    for name in one.outputs:
        rows = _blocks(compiled, one, name)
        written += [f"    {name!r}: {{", *(f"    {row}" for row in rows), "    },"]
    return [*written, "}"]


def by_mode(compiled: Compiled, one: Derived, returning: Returning) -> list[str]:
    """List the lines of the mode that takes the least work at the dims, where they decide."""

    def lines(each: Derived) -> list[str]:
        _, before, _ = with_value(compiled, each, "", "it")
        return [*steps(compiled, each, (one, *one.others)), *returning(each, before)]

    if not one.others:
        return lines(one)
    first, *rest = sorted((one, *one.others), key=lambda each: each.mode)
    written = [f"# work in multiply-adds: {_modes(one)}"]
    while rest:
        least = ", ".join(str(each.work) for each in rest)
        least = least if len(rest) == 1 else f"min({least})"
        written.append(f"if {first.work} <= {least}:  # {first.mode}")
        written += [f"    {line}" for line in lines(first)]
        first, *rest = rest
    return [*written, f"# {first.mode}", *lines(first)]


def _modes(one: Derived) -> str:
    return ", ".join(sorted(each.mode for each in (one, *one.others)))


def told_mode(one: Derived) -> str:
    """Tell the reader the mode."""
    if one.others:
        return f"Of the modes {_modes(one)} the dims choose."
    return {
        "forward": "Forward mode: a tangent for each element of the paths.",
        "reverse": "Reverse mode: a cotangent for each element of the outputs.",
        "mixed": "Mixed: each block with the fewest tangents or cotangents.",
    }.get(one.mode, "")


def _blocks(compiled: Compiled, one: Derived, name: str) -> list[str]:
    """List the blocks of one output by path; a family's index comes behind the output's axes."""
    written = results_of(one)
    (rank,) = (d.node.rank for d in compiled.model.outputs if d.name == name)

    def block(d: Declared, _: str) -> str:
        result = written[ResultKey("jacobian", name, d.name)]
        if d.family is None:
            return result.part()
        return result.part(f"[{':, ' * rank}{position(d)}]")

    return dict_rows(declared_wrt(compiled, one), block)


def matrix_function(compiled: Compiled, one: Derived) -> str:
    """Write the function that returns one array of all blocks."""
    which = "Hessian" if one.kind.order == 2 else "Jacobian"
    about = f"the {which} of {named(one)} as one matrix{apart(one)}"
    kind, _, about = with_value(compiled, one, "Array", about)
    rows = "a row for each element of the outputs" if which == "Jacobian" else "a row"
    paths = ", ".join(d.name for d in declared_wrt(compiled, one))

    def lines(each: Derived, before: str) -> list[str]:
        matrix = results_of(each)[WHOLE].part()
        if before:
            return [f"return {before}{matrix}"]
        return typed_return(each, "Array", matrix, array=True)

    return derived_function(
        compiled,
        one,
        f"def {one.name}({compiled.begin_of(one).signature}) -> {kind}:",
        f"{about}\n\nIt has {rows} and a column for each element of {paths},\n"
        f"in this order, elements row by row.\n{told_mode(one)}\n",
        whole_body(compiled, one, by_mode(compiled, one, lines)),
    )


def sparse_function(compiled: Compiled, one: Derived) -> str:
    """Write the function of a CSR matrix, whose pattern follows from graph and index inputs."""
    about = f"the Jacobian of {named(one)} as one sparse matrix"
    kind, _, about = with_value(compiled, one, "sparse.csr_array", about)
    declared = declared_wrt(compiled, one)
    paths = ", ".join(d.name for d in declared)
    sizes = {d.name: d.node.shape for d in compiled.model.outputs}
    rows = add_sizes([product(sizes[name]) for name in one.outputs])
    columns = add_sizes([d.node.type.size for d in declared])

    def lines(each: Derived, before: str) -> list[str]:
        written = results_of(each)
        parts = [written[key].part() for key in (DATA, INDICES, INDPTR)]
        return write_list(
            f"return {before}sparse.csr_array(",
            [f"({', '.join(parts)})", f"shape=({rows}, {columns})"],
            ")",
        )

    return derived_function(
        compiled,
        one,
        f"def {one.name}({compiled.begin_of(one).signature}) -> {kind}:",
        f"{about}\n\nIt has a row for each element of the outputs and a column for each element of "
        f"{paths},\nin this order, elements row by row.\n{told_mode(one)}\n",
        whole_body(compiled, one, by_mode(compiled, one, lines)),
    )


def sparse_hessian_function(compiled: Compiled, one: Derived) -> str:
    """Write the function of a symmetric CSR matrix, of entries that are added up."""
    about = f"the Hessian of {named(one)} as one sparse matrix"
    kind, _, about = with_value(compiled, one, "sparse.csr_array", about)
    declared = declared_wrt(compiled, one)
    paths = ", ".join(d.name for d in declared)
    size = add_sizes([d.node.type.size for d in declared])

    def lines(each: Derived, before: str) -> list[str]:
        written = results_of(each)
        data, rows, columns = (written[key].part() for key in (DATA, ROWS, INDICES))
        entries = [f"({data}, ({rows}, {columns}))", f"shape=({size}, {size})"]
        whole = write_list("_half = 0.5 * sparse.csr_array(", entries, ")")
        return [*whole, f"return {before}sparse.csr_array(_half + _half.T)"]

    return derived_function(
        compiled,
        one,
        f"def {one.name}({compiled.begin_of(one).signature}) -> {kind}:",
        f"{about}\n\nIt has a row and a column for each element of {paths},\n"
        f"in this order, elements row by row.\n{told_mode(one)}\n",
        whole_body(compiled, one, by_mode(compiled, one, lines)),
    )


def add_sizes(sizes: list[Dim]) -> Dim:
    """Return how many elements there are together."""
    return sum(sizes, Dim.of(0))


def hessian_function(compiled: Compiled, one: Derived) -> str:
    """Blocks by path and path."""
    about = f"the Hessian of {named(one)}: blocks by path and path{apart(one)}"
    kind, _, about = with_value(compiled, one, "dict[str, dict[str, Any]]", about)

    def lines(each: Derived, before: str) -> list[str]:
        return hessian_rows(compiled, each, before)

    return derived_function(
        compiled,
        one,
        f"def {one.name}({compiled.begin_of(one).signature}) -> {kind}:",
        f"{about}\n\nA block has the shape of the first path, then that of the second.\n"
        f"{told_mode(one)}\n",
        whole_body(compiled, one, by_mode(compiled, one, lines)),
    )


def hessian_rows(compiled: Compiled, one: Derived, before: str) -> list[str]:
    """List the lines that return blocks by path and path, behind what stands before them."""
    return [f"return {before}{{", *_rows(compiled, one), "}"]


def _rows(compiled: Compiled, one: Derived) -> list[str]:
    """List a dict by path for each path."""
    declared = declared_wrt(compiled, one)
    written = results_of(one)

    def block(a: Declared, b: Declared) -> str:
        result = written[ResultKey("hessian", a.name, b.name)]
        if a.family is None and b.family is None:
            return result.part()
        lead = [":"] if one.per else []
        first = [position(a)] if a.family else []
        between = [":"] * sum(str(axis) != one.per for axis in a.type.shape)
        second = [position(b, OTHER_INDEX)] if b.family else []
        places = ", ".join([*lead, *first, *(between if second else []), *second])
        return result.part(f"[{places}]")

    def row(a: Declared, _: str) -> str:
        inside = dict_rows(declared, lambda b, _: block(a, b), OTHER_INDEX)
        return "{" + " ".join(line.strip() for line in inside) + "}"

    return dict_rows(declared, row)
