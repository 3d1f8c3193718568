"""The cotangents and tangents that functions are given, as text: checked, whether read or not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from graphc.elaborate.names.model import Declared
from graphc.ir.dims import Dim
from graphc.ir.graph import COTANGENT, TANGENT, Op
from graphc.paths import member
from graphc.plan.module import Derived
from graphc.targets.numpy.printing.families import INDEX, over, path
from graphc.targets.numpy.printing.text import width, write_list


def take_cotangents(one: Derived, outputs: Sequence[Declared]) -> list[str]:
    """List the lines that take the cotangents out of their dict, by the names of the outputs."""
    read = _variables(one, COTANGENT)
    by_name = {d.name: d for d in outputs}
    return [
        f"_expected(cotangents, {one.outputs!r}, 'cotangents')",
        *(
            _assign(read.get(name), _take("cotangent", f"cotangents.get({name!r})", by_name[name]))
            for name in one.outputs
        ),
    ]


def check_cotangents(
    one: Derived, given: Sequence[tuple[str, Declared]], known: Callable[[Dim], str]
) -> list[str]:
    """List the lines that check cotangents, each of which is an argument of its own.

    `known` is the source of a dim.
    """
    read = _variables(one, COTANGENT)
    return [
        _assign(read.get(d.name), _take("cotangent", argument, d, known)) for argument, d in given
    ]


def take_tangents(one: Derived, wrt: Sequence[Declared]) -> list[str]:
    """List the lines that take the tangents out of their dict; those of a family as one array."""
    read = _variables(one, TANGENT)
    names = ", ".join(repr(d.name) if d.family is None else _members(d) for d in wrt)
    line = f"_expected(tangents, ({names},), 'tangents')"
    short = width(line) <= 96
    lines = [line] if short else write_list("_expected(tangents, (", [names], "), 'tangents')")
    for d in wrt:
        taken = _take("tangent", f"tangents.get({path(d)})", d)
        if d.family is not None:
            library = one.printed.library if one.printed else "np"
            taken = f"{library}.stack([{taken} {over(d)}])"
        lines.append(_assign(read.get(d.name), taken))
    return lines


def _variables(one: Derived, op: Op) -> dict[str, str]:
    """Name the variables of the cotangents or tangents that the statements read."""
    pairs = one.program.variables.items()
    return {node.attrs["name"]: variable for node, variable in pairs if node.op is op}


def _assign(variable: str | None, checked: str) -> str:
    """Write the line of an argument: what nothing reads is checked all the same."""
    return checked if variable is None else f"{variable} = {checked}"


def _take(what: str, given: str, declared: Declared, known: Callable[[Dim], str] = str) -> str:
    """Write the expression that checks one cotangent or tangent; zeros where it is left out."""
    if declared.family is None:
        said = repr(f"the {what} of `{declared.name}`")
    else:
        said = "f" + repr(f"the {what} of `{member(declared.name, f'{{{INDEX}}}')}`")
    sizes = ", ".join(map(known, declared.shape)) + ("," if len(declared.shape) == 1 else "")
    return f"_cotangent({given}, {said}, ({sizes}))"


def _members(declared: Declared) -> str:
    return f"*({path(declared)} {over(declared)})"
