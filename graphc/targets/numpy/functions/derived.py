"""The functions that a `derive` clause asks for, but for Jacobians: values, gradients, products."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphc.elaborate.names.model import Declared
from graphc.ir.graph import Node
from graphc.ir.results import ResultKey, ResultKind, value_of
from graphc.kinds import MODES
from graphc.plan.module import Compiled, Derived, Elsewhere
from graphc.targets.numpy.functions import out, python_floats
from graphc.targets.numpy.functions.directions import take_cotangents, take_tangents
from graphc.targets.numpy.functions.record import (
    annotation,
    has_record,
    needs_record,
    with_shapes,
)
from graphc.targets.numpy.printing.body import Returned, body, returned
from graphc.targets.numpy.printing.families import at, dict_rows, zip_rows
from graphc.targets.numpy.printing.outside import first_reads, told
from graphc.targets.numpy.printing.scratch import within_scratch
from graphc.targets.numpy.printing.text import function, unpacking


def whole_body(
    compiled: Compiled, one: Derived, lines: list[str], given: Sequence[str] = ()
) -> list[str]:
    """List all lines of a function: those that check its arguments and bind its dims, those that
    check what else is `given`, and its own."""
    if one.elsewhere is not None:
        return _call_elsewhere(compiled, one, one.elsewhere, lines, given)
    lines = [*given, *lines]
    if one.numbers is not None:
        return python_floats.unpack_lines(compiled, one, one.numbers, lines)
    value = compiled.begin_of(one).entered
    values = compiled.begin.values
    return [*(unpacking(values, value, lines) if values else [value]), *lines]


def _call_elsewhere(
    compiled: Compiled, one: Derived, other: Elsewhere, lines: list[str], given: Sequence[str]
) -> list[str]:
    """List the lines of a function that is computed elsewhere: at once where all arguments are as
    they should be, else when they have been checked."""
    begin = compiled.begin_of(one)
    entered = f"tuple(0 if _one is None else _one for _one in {begin.entered})"
    checked = [f"_entered = {entered if begin.optional else begin.entered}"]
    checked += [*(unpacking(begin.values, "_entered", given) if begin.values else []), *given]
    checked.append(f"_found = {other.checked}")
    if other.quick:
        place = "None if out is not None else " if one.kind.returns == "gradients" else ""
        checked = [
            f"_found = {place}{other.quick}",
            "if _found is None:  # an argument is converted, or refused",
            *(f"    {line}" for line in checked),
        ]
    whole = begin.variables.values()
    reads = [
        (what, read, size)
        for several in first_reads(one.program).values()
        for what, read, size in several
        if read in whole and size.isdigit()  # parts, and dims, are not at hand
    ]
    checked = told(checked, reads) if reads else checked
    return [*checked, *unpacking(other.names, "_found", lines), *lines]


def steps(compiled: Compiled, one: Derived, others: Iterable[Derived] = ()) -> list[str]:
    """List the statements of a function, or of one branch of it beside others."""
    if one.elsewhere is not None:
        return []
    if one.printed is not None:
        return [*one.printed.lines]
    if one.numbers is not None:
        return [*body(one.program), *python_floats.pack_lines(compiled, one)]
    programs = [other.program for other in others]
    return within_scratch(one.program, body(one.program, others=programs))


def results_of(one: Derived, taken: Iterable[Node] = ()) -> dict[ResultKey, Returned]:
    """Write the results of a function as it returns them."""
    other = one.elsewhere or one.printed
    if other is None:
        return returned(one.program, taken)
    names = other.results.items()
    return {key: Returned(name, name, copied=False) for key, name in names}


def gradients(
    compiled: Compiled, one: Derived, before: str = "", taken: Iterable[Node] = ()
) -> list[str]:
    """Write the return statement of gradients by path, in their places in `out`."""
    rows = by_path(compiled, one, "gradient", taken)
    if one.printed is not None:
        return [f"return {before}{{", *rows, "}"]
    if one.numbers is None and one.elsewhere is None:
        return [f"return {before}_into(out, {{", *rows, "})"]
    returned = "_gradients if out is None else _into(out, _gradients)"
    return ["_gradients = {", *rows, "}", f"return {before}{returned}"]


def by_path(
    compiled: Compiled, one: Derived, kind: ResultKind, taken: Iterable[Node] = ()
) -> list[str]:
    """List the rows of a dict of results by path; a family's member is a position of all."""
    declared = declared_wrt(compiled, one)
    written = results_of(one, taken)

    def render(d: Declared, subscript: str = "") -> str:
        return written[ResultKey(kind, by=d.name)].part(subscript)

    if not compiled.level.planned or one.printed:  # each path stands there as it is
        return dict_rows(declared, lambda d, _: render(d, at(d)))
    return zip_rows(declared, compiled.model.params, render)


def declared_wrt(compiled: Compiled, one: Derived) -> list[Declared]:
    """List what the function differentiates by; any node as if it were a parameter."""
    params = {d.name: d for d in compiled.model.params}
    span = compiled.model.span
    return [params.get(path) or Declared(path, node, node.type, span) for path, node in one.wrt]


def derived_function(
    compiled: Compiled, one: Derived, head: str, about: str, lines: Sequence[str]
) -> str:
    """Write a derived function of these lines; of readable ones it is told what the names say."""
    letters = "" if compiled.level.planned else _letters(one)
    apart = "\n" if "\n" in about.rstrip() else "\n\n"
    told = f"{about.rstrip()}{apart}{letters}" if letters else about
    wrt = declared_wrt(compiled, one) if one.kind.order else []
    return function(head, with_shapes(told, compiled, one.outputs, wrt), lines)


def _letters(one: Derived) -> str:
    """Say what d_v and t_v are in a function."""
    modes = {each.mode for each in (one, *one.others)}
    match one.kind.returns:
        case "gradients":
            return "d_v is the total derivative by v, as in `backward`."
        case "tangents":
            return (
                "t_v is the tangent of v, its derivative along the tangents given: the sum of\n"
                "(∂v/∂u) t_u over what v is computed of, which stands beside it."
            )
        case "products":
            return (
                "d_v is the total derivative by v; t_v is the tangent of v, its derivative along\n"
                "the tangents given, and t_d_v that of d_v. Beside each stands what it comes of."
            )
        case "blocks" | "whole" | "sparse" if one.kind.order == 1 and modes <= {*MODES}:
            said = {
                "forward": "t_v holds the derivative of v by each element of the path;",
                "reverse": "d_v holds the derivative by v of each element of the output;",
                "mixed": "t_v holds tangents of v, d_v derivatives by v;",
            }
            lines = [words for mode, words in said.items() if mode in modes]
            lines.append("the first axis counts these. Beside each stands what it comes of.")
            return "\n".join(lines)
        case _:
            return ""


# ---- values and gradients -----------------------------------------------------------------------


def value_function(compiled: Compiled, one: Derived) -> str:
    kind, values = return_values(compiled, one)
    (first, *others) = one.program.results.values()
    lines = typed_return(one, kind, values, array=first.rank > 0 and not others)
    return derived_function(
        compiled,
        one,
        f"def {one.name}({compiled.begin_of(one).signature}) -> {kind}:",
        f"The value of {named(one)}.",
        whole_body(compiled, one, [*steps(compiled, one), *lines]),
    )


def typed_return(one: Derived, kind: str, value: str, *, array: bool) -> list[str]:
    """List the lines that return one value, with a type that type checkers see."""
    if one.numbers is None and one.printed is None and array:
        name = f"_{one.mode or 'result'}"
        return [f"{name}: {kind} = {value}", f"return {name}"]
    return [f"return {value}"]


def with_value(compiled: Compiled, one: Derived, kind: str, about: str) -> tuple[str, str, str]:
    """Return type, what stands before the derivatives, and description: perhaps with values."""
    if not one.kind.has_values:
        return kind, "", f"{about[0].upper()}{about[1:]}."
    wanted, value = return_values(compiled, one)
    return f"tuple[{wanted}, {kind}]", f"{value}, ", f"{named(one)}, and {about}."


def gradient_function(compiled: Compiled, one: Derived) -> str:
    about = f"the gradients of {named(one)} by path{apart(one)}"
    kind, before, about = with_value(compiled, one, "dict[str, Any]", about)
    lines = [*steps(compiled, one), *gradients(compiled, one, before)]
    return derived_function(
        compiled,
        one,
        f"def {one.name}({compiled.begin_of(one).signature_with(*out.arguments(one))}) -> {kind}:",
        f"{about}\n\n{out.about(one)}",
        whole_body(compiled, one, lines, _places(compiled, one)),
    )


def _places(compiled: Compiled, one: Derived) -> list[str]:
    """List the lines that check where the gradients go: nowhere where something is read."""
    begin = compiled.begin
    read = [begin.variables[d.name] for d in begin.inputs]
    read += ["*params.values()"] if begin.params else []
    declared = declared_wrt(compiled, one)
    return out.check_out(compiled, one, declared, f"[{', '.join(read)}]")


def apart(one: Derived) -> str:
    """Say what `per` adds to a description."""
    return f", a row for each position of axis {one.per}" if one.per else ""


# ---- products -----------------------------------------------------------------------------------


def vjp_function(compiled: Compiled, one: Derived) -> str:
    """Values, and cotangents pulled back; what is left out of the dict counts as zero."""
    record, values = return_values(compiled, one)
    given = take_cotangents(one, compiled.model.outputs)
    lines = [*steps(compiled, one), *gradients(compiled, one, f"{values}, ")]
    signature = compiled.begin_of(one).signature_with(
        "cotangents: Mapping[str, ArrayLike]", *out.arguments(one)
    )
    return derived_function(
        compiled,
        one,
        f"def {one.name}({signature}) -> tuple[{record}, dict[str, Any]]:",
        f"The values of {named(one)}, and their cotangents pulled back, by path.\n\n"
        f"A cotangent is given by the name of its output; what is left out is 0.\n{out.about(one)}",
        whole_body(compiled, one, lines, [*given, *_places(compiled, one)]),
    )


def jvp_function(compiled: Compiled, one: Derived) -> str:
    """Values, and tangents pushed forward."""
    record, values = return_values(compiled, one)
    written = results_of(one)
    called = compiled.begin.fields
    fields = ", ".join(
        f"{called[name]}={written[ResultKey('tangent', name)].part()}" for name in one.outputs
    )
    signature = compiled.begin_of(one).signature_with("tangents: Mapping[str, ArrayLike]")
    return derived_function(
        compiled,
        one,
        f"def {one.name}({signature}) -> tuple[{record}, {record}]:",
        f"The values of {named(one)}, and tangents pushed forward to them.\n\n"
        "A tangent is given by path; what is left out is 0.\n",
        whole_body(
            compiled,
            one,
            [*steps(compiled, one), f"return {values}, {record}({fields})"],
            take_tangents(one, declared_wrt(compiled, one)),
        ),
    )


def hvp_function(compiled: Compiled, one: Derived) -> str:
    """Gradients, and products with the Hessian."""
    signature = compiled.begin_of(one).signature_with("tangents: Mapping[str, ArrayLike]")
    first, second = by_path(compiled, one, "gradient"), by_path(compiled, one, "product")
    return derived_function(
        compiled,
        one,
        f"def {one.name}({signature}) -> tuple[dict[str, Any], dict[str, Any]]:",
        f"The gradients of {named(one)}, and the products of its Hessian with tangents, by path"
        f"{apart(one)}.\n\nA tangent is given by path; what is left out is 0.\n",
        whole_body(
            compiled,
            one,
            [*steps(compiled, one), "return {", *first, "}, {", *second, "}"],
            take_tangents(one, declared_wrt(compiled, one)),
        ),
    )


def named(one: Derived) -> str:
    return ", ".join(f"`{name}`" for name in one.outputs)


def return_values(compiled: Compiled, one: Derived) -> tuple[str, str]:
    """Write the type of a function's values and the expression that returns them."""
    written = results_of(one)
    if not has_record(one):
        (name,) = one.outputs
        kind = annotation(one.program.results[value_of(name)].type)
        return one.printed.array if one.printed else kind, written[value_of(name)].part()
    begin = compiled.begin
    kind = begin.records[one.program.name] if needs_record(compiled, one) else "Outputs"
    fields = ", ".join(
        f"{begin.fields[name]}={written[value_of(name)].part()}" for name in one.outputs
    )
    return kind, f"{kind}({fields})"
