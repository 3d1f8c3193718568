"""The function `_enter` of a module, as text: arguments checked and converted, dims bound."""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence

from graphc.elaborate.names.model import Condition, Declared
from graphc.ir.dims import Dim
from graphc.ir.types import Shape, shape_text
from graphc.paths import member
from graphc.plan.signature import Binding, Entry, describe_argument
from graphc.targets.numpy.printing.families import INDEX, count, path, slices
from graphc.targets.numpy.printing.text import function

DTYPES = {"float": "_FLOAT", "int": "_INT", "bool": "_BOOL"}
SCALARS = {"float": "FLOAT", "int": "np.int64", "bool": "np.bool_"}
MEMBER = "_one"  # of a family


def enter(begin: Entry, conditions: Sequence[Condition], dtype: str) -> str:
    """Write the function that every other calls first.

    What is right already passes one line of comparisons, since that line is most of what a call of
    a small graph costs; `_array` converts the rest, or says what is wrong.
    """
    values = ", ".join(begin.values) + ("," if len(begin.values) == 1 else "")
    return function(
        f"def _enter({entering(begin)}) -> tuple[Any, ...]:",
        f"Check the arguments, bring them to {dtype} in C order, and bind the dims.",
        [*enter_lines(begin, conditions, _checked), f"return {values or '()'}"],
    )


def entering(begin: Entry) -> str:
    """Write the parameters of the function."""
    more = ["_open: tuple[str, ...] = ()"] if begin.optional else []
    return begin.signature_with(*more)


Check = Callable[[Declared, str, str, str, str], list[str]]
"""Writes the lines that leave an array as it is, convert it, or refuse it: what it is, its name
and its place, its shape or "" where that is not known yet, and the call that converts it."""


def enter_lines(begin: Entry, conditions: Sequence[Condition], checked: Check) -> list[str]:
    """List the lines that check the arguments and bind the dims."""
    lines: list[str] = []
    if begin.params:
        lines += _by_path(begin)
    for dim in begin.keywords:
        needed = f", {dim!r} in _open" if dim in begin.optional else ""
        lines += [
            f"    if type({dim}) is not int or {dim} < 0:",
            f"        {dim} = _whole({dim}, {dim!r}{needed})",
        ]
    lines += _arrays(begin, checked)
    for condition in conditions:
        lines += _condition(condition, begin.optional)
    return [line[4:] for line in lines]


def _by_path(begin: Entry) -> list[str]:
    """Write the parameters out of their dict, exactly those that there are."""
    places = slices(begin.params)
    lines = [
        f"    if type(params) is not dict or len(params) != {count(begin.params)}:",
        "        _names(params, PARAMETERS)",
        "    try:",
    ]
    for declared in begin.params:
        variable = begin.variables[declared.name]
        if declared.family is None:
            lines.append(f"        {variable} = params[{path(declared)}]")
            continue
        first, last = (member(declared.name, declared.family[end]) for end in (0, -1))
        said = first if first == last else f"{first} … {last}"
        values = f"params[_path] for _path in PARAMETERS[{places[declared.name]}]"
        lines.append(f"        {variable} = [{values}]  # {said}")
    return [
        *lines,
        "    except KeyError:",
        "        _names(params, PARAMETERS)  # says which",
        "        raise",
    ]


def _arrays(begin: Entry, checked: Check) -> list[str]:
    """Write each argument once the dims of its shape are known."""
    lines: list[str] = []
    known = set(begin.keywords)
    bound = {binding.dim: describe_argument(binding.source) for binding in begin.bindings}
    bindings = deque(begin.bindings)
    taken: set[str] = set()
    waiting: list[Declared] = []
    for declared in (*begin.inputs, *begin.params):
        taken.add(declared.name)
        whole = _dims(declared.shape) <= known
        lines += _check_lines(begin, declared, bound, whole, checked)
        if whole:
            continue
        waiting.append(declared)
        while bindings and bindings[0].source.name in taken:
            binding = bindings.popleft()
            lines.append(f"    {_bind(begin, binding)}")
            known.add(binding.dim)
        ready = [one for one in waiting if _dims(one.shape) <= known]
        waiting = [one for one in waiting if one not in ready]
        for one in ready:
            lines += _shape_check(begin, one, bound)
    return lines


def _dims(shape: Shape) -> set[str]:
    return {name for axis in shape for name in axis.symbols}


def _check_lines(
    begin: Entry, declared: Declared, bound: Mapping[str, str], whole: bool, checked: Check
) -> list[str]:
    """List the lines that check an array, or each member of a family."""
    variable, dtype = begin.variables[declared.name], DTYPES[declared.type.dtype]
    one = MEMBER if declared.family else variable
    rank, shape = declared.type.rank, _tuple(declared.shape)
    expected = f"{declared.type.dtype}{shape_text(declared.type.shape)}"
    given = [one, _name_argument(declared), repr(expected), dtype, shape if whole else str(rank)]
    if whole and _dims(declared.shape):
        given.append(_why(declared, bound))
    place = f"{variable}[{INDEX}]" if declared.family else variable
    call = f"_array({', '.join(given)})"
    lines = checked(declared, one, place, shape if whole else "", call)
    if declared.family is None:
        return [f"    {line}" for line in lines]
    over = f"    for {INDEX}, {one} in enumerate({variable}):"
    return [over, *(f"        {line}" for line in lines)]


def _checked(declared: Declared, one: str, place: str, shape: str, call: str) -> list[str]:
    """List the lines that leave an array as it is where it is right already."""
    rank = declared.type.rank
    if not rank:
        scalar = SCALARS[declared.type.dtype]
        test = f"type({one}) is not {scalar}"
        if declared.type.dtype == "float":
            call = f"{scalar}({one}) if type({one}) is float else {call}"
    else:
        fits = f"{one}.shape != {shape}" if shape else f"{one}.ndim != {rank}"
        test = (
            f"type({one}) is not np.ndarray or {one}.dtype != {DTYPES[declared.type.dtype]}"
            f" or {fits} or not {one}.flags.carray"
        )
    return [f"if {test}:", f"    {place} = {call}"]


def _bind(begin: Entry, binding: Binding) -> str:
    variable = begin.variables[binding.source.name] + ("[0]" if binding.source.family else "")
    size = f"{variable}.shape[{binding.axis}]"
    if binding.plain:
        return f"{binding.dim} = {size}"
    length = Dim.symbol(binding.dim) * binding.factor + binding.offset
    what = f"{describe_argument(binding.source)}, axis {binding.axis}, which has {length} elements"
    return f"{binding.dim} = _solve({size}, {binding.factor}, {binding.offset}, {what!r})"


def _shape_check(begin: Entry, declared: Declared, bound: Mapping[str, str]) -> list[str]:
    """Nothing where the shape binds every one of its dims, each alone on an axis."""
    own = {b.axis for b in begin.bindings if b.source == declared and b.plain}
    if own == set(range(len(declared.shape))) and declared.family is None:
        return []
    one = MEMBER if declared.family else begin.variables[declared.name]
    shape, expected = _tuple(declared.shape), shape_text(declared.type.shape)
    given = [one, _name_argument(declared), repr(expected), shape, _why(declared, bound)]
    lines = [f"    if {one}.shape != {shape}:", f"        raise _misfit({', '.join(given)})"]
    if declared.family is None:
        return lines
    over = f"    for {INDEX}, {one} in enumerate({begin.variables[declared.name]}):"
    return [over, *(f"    {line}" for line in lines)]


def _name_argument(declared: Declared) -> str:
    """Name an argument for messages, as a Python expression."""
    if declared.family is None:
        return repr(describe_argument(declared))
    first = declared.family.start
    number = INDEX if first == 0 else f"{INDEX} + {first}"
    return "f" + repr(describe_argument(declared, member(declared.name, f"{{{number}}}")))


def _why(declared: Declared, bound: Mapping[str, str]) -> str:
    """Say where the dims of a shape come from, as a Python expression."""
    values = ", ".join(
        f"{name} = {{{name}}}" + (f" from {bound[name]}" if name in bound else "")
        for name in sorted(_dims(declared.shape))
    )
    return f'f"{values}"' if values else '""'


def _tuple(shape: Shape) -> str:
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def _condition(condition: Condition, optional: Collection[str]) -> list[str]:
    """Write what dims must satisfy, where all of them are given."""
    values = ", ".join(f"{name} = {{{name}}}" for name in condition.names)
    message = ast.unparse(ast.Constant(f"the dims do not fit: {condition.text}; "))
    fails = f"{condition.dim} {'!=' if condition.zero else '<'} 0"
    if condition.steps:
        steps = " ".join(f"for {one.index} in {one}" for one in condition.steps)
        fails = f"any({fails} {steps})"
    given = [f"{name} is not None" for name in condition.names if name in optional]
    return [
        f"    if {' and '.join([*given, fails])}:",
        f'        raise ValueError({message} + f"{values}")',
    ]
