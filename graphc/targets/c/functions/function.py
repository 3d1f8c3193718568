"""One function of a module: its program as loop nests, and the text of it in C."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from graphc.ir.graph import COTANGENT, INPUT, PARAMETER, TANGENT, Node, Op
from graphc.ir.loop import LOOP, everywhere, loop_of
from graphc.nests.expressions import Context
from graphc.nests.fuse import fuse
from graphc.nests.live import without_dead
from graphc.nests.nest import Number, Value, counter_name
from graphc.nests.statements import statements
from graphc.nests.storage import Buffer, assign
from graphc.nests.works import Works
from graphc.plan.module import Compiled, Derived
from graphc.plan.program import Program
from graphc.records import dataclass
from graphc.source import GraphError, error
from graphc.targets.c.contract import CACHE, WORK, Argument, CFunction, CModule, Role
from graphc.targets.c.names import Scope
from graphc.targets.c.printing.elements import Words, can_write
from graphc.targets.c.printing.nests import Printer, placed
from graphc.targets.comments import beside

COUNTERS, DEEPEST = "ijklmnopqrsuvwxyz", 64
"""What positions in loops are called, from the outermost on, and how many there may be."""


@dataclass(frozen=True, slots=True)
class FunctionText:
    """The body of a function, its arrays, its tables, what it calls parts of the cache, the
    functions that it calls, and all names that it reads."""

    lines: tuple[str, ...]
    buffers: tuple[Buffer, ...]
    tables: tuple[str, ...]
    parts: tuple[str, ...]
    called: frozenset[str]
    read: frozenset[str]


def refusal(node: Node) -> GraphError:
    """Return the error for an operation that has no form in C: such are high orders."""
    origin = node.origin
    message = f"`{node.op.name}` has no form in C of such an order: the NumPy target has it"
    return GraphError([error("E430", message, None if origin is None else origin.outermost)])


def write_body(
    module: CModule, one: CFunction, derived: Derived, compiled: Compiled
) -> FunctionText:
    """Write the body of a function, of the program of one of its modes."""
    program = derived.program
    argued = {argument.name for argument in one.arguments}
    scope = Scope({*argued, *module.dims.values(), CACHE, WORK})
    names = {**module.dims}
    for index in sorted(_indices(program)):
        names[index] = scope.fresh(index)
    context = Context({}, scope.fresh, refusal, can_write)
    made = f"{CACHE}_" if one.cache == "made" else ""
    parts = [
        Value(scope.fresh(f"{made}{part.variable}"), part.dtype, part.shape, given=True)
        for part in (module.cache if one.cache else ())
    ]
    cached = dict(zip(compiled.cached, parts, strict=True)) if parts else {}
    _given(context, one, program, compiled, cached if one.cache == "read" else {})
    pins, copies = _pins(one, program, cached if one.cache == "made" else {})
    works = Works(context)
    statements(program, works, pins, beside)
    for value, node in copies:
        if context.values.get(node) is not value:
            works.copied(value, node)
    trees = fuse(without_dead(works.made))
    storage = assign(trees)
    for depth in range(DEEPEST):
        letter = COUNTERS[depth] if depth < len(COUNTERS) else f"i{depth}"
        names[counter_name(depth)] = scope.fresh(letter)
    words = Words(module.dtype, names, lambda element: placed(storage, words, element), scope.fresh)
    printer = Printer(storage, words)
    printer.trees(trees)
    tables = [line for value in context.tables.values() for line in _table(value, words)]
    text = "\n".join(printer.lines)
    return FunctionText(
        tuple(printer.lines),
        tuple(storage.buffers),
        tuple(tables),
        tuple(value.name for value in parts),
        frozenset(words.called),
        frozenset(names_in(text)),
    )


def names_in(text: str) -> Iterable[str]:
    """List the names in a text, but for its comments."""
    return re.findall(r"[A-Za-z_]\w*", re.sub(r"/\*.*?\*/", "", text))


def _indices(program: Program) -> set[str]:
    roots = [*program.results.values(), *program.variables]
    return {loop_of(node).index for node in everywhere(roots) if node.op is LOOP}


def _given(
    context: Context,
    one: CFunction,
    program: Program,
    compiled: Compiled,
    cached: Mapping[Node, Value],
) -> None:
    """Give the sources of a program their values, and what is cached."""
    context.values.update(cached)
    arguments = {(a.role, a.of): a for a in one.given}
    roles: dict[Op, Role] = {
        INPUT: "input", PARAMETER: "parameter", COTANGENT: "cotangent", TANGENT: "tangent",
    }  # fmt: skip
    nodes = [d.node for d in (*compiled.model.inputs, *compiled.model.params)]
    for node in dict.fromkeys([*nodes, *program.variables]):
        if node in context.values or node.op not in roles:
            continue
        argument = arguments.get((roles[node.op], str(node.attrs["name"])))
        if argument is not None:
            context.values[node] = value_of(argument, node)


def value_of(argument: Argument, node: Node) -> Value:
    """Return the value that an argument is."""
    return Value(
        argument.name, argument.dtype, node.shape, given=True, members=argument.members > 0
    )


def _pins(
    one: CFunction, program: Program, cached: Mapping[Node, Value]
) -> tuple[dict[Node, Value], list[tuple[Value, Node]]]:
    """Return where results and what is cached are computed, and all that must end up there."""
    pins: dict[Node, Value] = {}
    by_key = {argument.key: argument for argument in one.results}
    ends = [(value_of(by_key[key], node), node) for key, node in program.results.items()]
    ends += [(value, node) for node, value in cached.items()]
    for value, node in ends:
        pins.setdefault(node, value)
    return pins, ends


def _table(value: Value, words: Words) -> list[str]:
    """Write the numbers of the file that an array is made of."""

    def numbers(one: Any) -> Iterable[str]:
        if isinstance(one, tuple):
            for each in one:
                yield from numbers(each)
        else:
            yield words.number(Number(one, value.dtype))

    size = 1
    for n in value.shape:
        size *= int(n.constant or 0)
    inside = ", ".join(numbers(value.constant)) or "0"
    return [
        f"static const {words.type_of(value.dtype)} {value.name}[{max(size, 1)}] = {{{inside}}};"
    ]
