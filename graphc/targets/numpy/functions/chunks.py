"""Three functions for the rows of an axis: of a chunk, of what chunks contribute, of all of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from graphc import kinds
from graphc.ir.results import WHOLE
from graphc.kinds import Kind
from graphc.plan.module import Chunked, Compiled, Derived
from graphc.records import replace
from graphc.targets.numpy.functions.derived import (
    by_path,
    results_of,
    return_values,
    steps,
    whole_body,
    with_value,
)
from graphc.targets.numpy.functions.jacobians import hessian_rows, jacobian_blocks
from graphc.targets.numpy.functions.record import annotation, with_shapes
from graphc.targets.numpy.printing.body import body, returned
from graphc.targets.numpy.printing.text import function, names_in, unpacking, write_list


def chunk_functions(compiled: Compiled, one: Chunked) -> list[str]:
    """Write the record of what a chunk contributes to a function, and the three functions."""
    return [_partial(compiled, one), _merge(one), _combine(one), _finish(compiled, one)]


def part_record(one: Chunked) -> str:
    """Write the class of what a chunk contributes."""
    rows = [
        f"    {each.field}: {annotation(each.node.type)}  # {each.how}"
        for each in one.contributions
    ]
    about = f"What a chunk of the rows of {one.axis} contributes to `{one.of.name}`."
    return "\n".join([f"class {one.part}(NamedTuple):", f'    """{about}"""', "", *rows])


def _partial(compiled: Compiled, one: Chunked) -> str:
    partial, (name, combine, finish) = one.partial, one.names
    written = results_of(partial)
    held = [f"{each.field}={written[each.key].part()}" for each in one.contributions]
    about = (
        f"What some of the rows of {one.axis} contribute to `{one.of.name}`.\n\n"
        f"It takes what that takes, of these rows alone. What chunks contribute is merged by\n"
        f"`{combine}`; `{finish}` makes the results of it.\n"
    )
    lines = [*steps(compiled, partial), *write_list(f"return {one.part}(", held, ")")]
    return function(
        f"def {name}({compiled.begin_of(one.of).signature}) -> {one.part}:",
        with_shapes(about, compiled, one.of.outputs),
        whole_body(compiled, partial, lines),
    )


def _merge(one: Chunked) -> str:
    written = [result.part() for result in returned(one.merge).values()]
    held = [f"{each.field}={text}" for each, text in zip(one.contributions, written, strict=True)]
    lines = [
        f"if not {one.rows.first}:",
        "    return second",
        f"if not {one.rows.second}:",
        "    return first",
        *body(one.merge),
        *write_list(f"return {one.part}(", held, ")"),
    ]
    first = [each.first for each in one.contributions]
    second = [each.second for each in one.contributions]
    return function(
        f"def _merge_{one.of.name}(first: {one.part}, second: {one.part}) -> {one.part}:",
        "What two chunks contribute together, the rows of the first before those of the second.",
        [*unpacking(first, "first", lines), *unpacking(second, "second", lines), *lines],
    )


def _combine(one: Chunked) -> str:
    name, part = one.names[1], one.part
    return function(
        f"def {name}(*parts: {part}) -> {part}:",
        f"What chunks contribute to `{one.of.name}` together, given in the order of their rows.\n\n"
        "Neighbours are merged in pairs, and these in pairs again, until one is left: the bits\n"
        "depend on the chunks and their order alone, not on where they are computed, or when.\n"
        "So of 2, 4, 8, … neighbours what was merged before may be given in their place.\n",
        [
            f"_check_parts(parts, {part})",
            "while len(parts) > 1:",
            f"    pairs = [_merge_{one.of.name}(*pair) for pair in zip(parts[::2], parts[1::2])]",
            "    parts = (*pairs, *parts[2 * len(pairs) :])",
            "return parts[0]",
        ],
    )


def _finish(compiled: Compiled, one: Chunked) -> str:
    function_ = replace(one.of, program=one.finish, others=(), numbers=None, mode="")
    kind, before, _ = with_value(compiled, function_, _RETURNED[one.of.kind.base], "it")
    lines = _RETURNING[one.of.kind.base](compiled, function_, before)
    lines = [*body(one.finish), *lines]
    if one.axis in names_in(lines):
        lines = [f"{one.axis} = int({one.rows.field})", *lines]
    names = [each.field for each in one.contributions]
    if one.of.kind.base is kinds.VALUE:
        kind, _ = return_values(compiled, function_)
    return function(
        f"def {one.names[2]}(part: {one.part}) -> {kind}:",
        f"What `{one.of.name}` returns, of what all rows of {one.axis} contribute together.",
        [f"_check_parts((part,), {one.part})", *unpacking(names, "part", lines), *lines],
    )


# ---- what is returned, kind by kind ------------------------------------------------------------

Returning = Callable[[Compiled, Derived, str], list[str]]


def _return_value(compiled: Compiled, one: Derived, before: str) -> list[str]:
    return [f"return {return_values(compiled, one)[1]}"]


def _return_gradients(compiled: Compiled, one: Derived, before: str) -> list[str]:
    return [f"return {before}{{", *by_path(compiled, one, "gradient"), "}"]


def _return_matrix(compiled: Compiled, one: Derived, before: str) -> list[str]:
    return [f"return {before}{results_of(one)[WHOLE].part()}"]


_RETURNING: Mapping[Kind, Returning] = {
    kinds.VALUE: _return_value,
    kinds.GRAD: _return_gradients,
    kinds.JACOBIAN: jacobian_blocks,
    kinds.JACOBIAN_MATRIX: _return_matrix,
    kinds.HESSIAN: hessian_rows,
    kinds.HESSIAN_MATRIX: _return_matrix,
}
_RETURNED: Mapping[Kind, str] = {
    kinds.VALUE: "Any",
    kinds.GRAD: "dict[str, Any]",
    kinds.JACOBIAN: "dict[str, dict[str, Any]]",
    kinds.JACOBIAN_MATRIX: "Array",
    kinds.HESSIAN: "dict[str, dict[str, Any]]",
    kinds.HESSIAN_MATRIX: "Array",
}
