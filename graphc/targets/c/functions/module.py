"""A model and its programs -> the text of one file of C, and of its header."""

from __future__ import annotations

import re
from collections.abc import Sequence

from graphc.ir.types import product, shape_text
from graphc.plan.module import Compiled, Derived
from graphc.provenance import MARK
from graphc.targets.c.contract import (
    CACHE,
    DIM,
    SIZE,
    WORK,
    Argument,
    CFunction,
    CModule,
    contract,
)
from graphc.targets.c.functions.function import FunctionText, names_in, write_body
from graphc.targets.c.functions.sizes import (
    bound_of,
    cache_size,
    condition_lines,
    element_type,
    room_of,
    size_prototype,
    work_size,
)
from graphc.targets.c.printing.comments import comment, comment_text
from graphc.targets.c.printing.dims import bound, factor, integer
from graphc.targets.c.runtime.library import FUNCTIONS, HEADERS, write_functions
from graphc.targets.command_line import command_line

_ROOM = """\
/* The bytes that an array takes of a block, in which each begins at a multiple of 64. */
static inline ptrdiff_t gc_room(ptrdiff_t bytes) {
    return (bytes + 63)/64*64;
}"""
_FLOOR = """\
/* A quotient rounded down. */
static inline ptrdiff_t gc_floor(ptrdiff_t a, ptrdiff_t b) {
    return a/b - (a%b != 0 && (a < 0) != (b < 0));
}"""


def text(compiled: Compiled) -> str:
    """Write the file."""
    module = contract(compiled)
    functions: list[str] = []
    called: set[str] = set()
    for one in module.functions:
        lines, names = _function(module, one, compiled)
        functions.append("\n".join(lines))
        called |= names
    functions += [*cache_size(module), _why(module)]
    own = [
        text
        for name, text in (("gc_room", _ROOM), ("gc_floor", _FLOOR))
        if any(f"{name}(" in one for one in functions)
    ]
    library = write_functions(sorted(called & FUNCTIONS), module.dtype)
    headers = [f"#include <{name}>" for name in HEADERS]
    parts = [_about(compiled, "The functions of"), "\n".join(headers), *own, library, *functions]
    return "\n\n".join(part for part in parts if part) + "\n"


def header(compiled: Compiled) -> str:
    """Write the header."""
    module = contract(compiled)
    guard = f"GC_{module.stem}_H"
    lines = [
        _about(compiled, "How functions are called of"),
        "",
        f"#ifndef {guard}",
        f"#define {guard}",
        "",
        "#include <stddef.h>",
        "#include <stdint.h>",
        "",
        "#ifdef __cplusplus",
        'extern "C" {',
        "#endif",
        "",
    ]
    for one in module.functions:
        lines += [*_prototype(module, one, comments=True), ""]
        lines += [f"{size_prototype(module, one.workspace)};", ""]
    if any(one.cache for one in module.functions):
        lines += [f"{size_prototype(module, module.sizes)};", ""]
    lines += [
        comment("The text of what a function returns."),
        f"const char *{module.why}(int status);",
    ]
    lines += ["", "#ifdef __cplusplus", "}", "#endif", "", "#endif"]
    return "\n".join(lines) + "\n"


def _about(compiled: Compiled, what: str) -> str:
    """Write what stands at the top of a file."""
    model = compiled.model
    lines = [f"{what} the graph `{model.name}`.", *model.doc.strip().split("\n")]
    lines.append(
        f"{MARK}{compiled.version} ({compiled.level.name}) from {model.name}.graph; do not edit."
    )
    if compiled.options:
        lines.append(f"Options: {command_line(compiled.options)}")
    inside = [comment_text(line) for line in lines if line.strip()]
    return "/* " + "\n   ".join(inside) + " */"


# ---- signatures ----------------------------------------------------------------------------------


def _parameters(module: CModule, one: CFunction, restrict: str, comments: bool) -> list[str]:
    found = [f"ptrdiff_t {name}" for name in module.dims.values()]
    said = [""] * len(found)
    for argument in one.arguments:
        found.append(_parameter(module, argument, restrict))
        said.append(_said(argument) if comments else "")
    if one.cache:
        found.append(f"{'const ' if one.cache == 'read' else ''}void *{restrict}{CACHE}")
        said.append("")
    found.append(f"void *{restrict}{WORK}")
    said.append("")
    ends = [","] * (len(found) - 1) + [""]
    lines = zip(found, ends, said, strict=True)
    return [f"{each}{end}{f'  {comment(about)}' if about else ''}" for each, end, about in lines]


def _parameter(module: CModule, argument: Argument, restrict: str) -> str:
    kind = module.type_of(argument.dtype)
    const = "" if argument.written else "const "
    if argument.members:
        return f"{const}{kind} *const *{restrict}{argument.name}"
    return f"{const}{kind} *{restrict}{argument.name}"


def _said(argument: Argument) -> str:
    dtype = "" if argument.dtype == "float" else argument.dtype
    shape = shape_text(argument.shape) if argument.shape else ""
    of = f"{argument.members} of " if argument.members else ""
    return f"{of}{dtype}{shape}"


def _prototype(module: CModule, one: CFunction, comments: bool) -> list[str]:
    inside = _parameters(module, one, "", comments)
    lines = [f"int {one.name}(", *(f"    {line}" for line in inside)]
    return [*lines[:-1], f"{lines[-1]});"]


# ---- functions -----------------------------------------------------------------------------------


def _function(module: CModule, one: CFunction, compiled: Compiled) -> tuple[list[str], set[str]]:
    """Write a function and that of its workspace, and name what it calls."""
    modes = sorted((one.derived, *one.derived.others), key=lambda each: each.mode)
    bodies = [write_body(module, one, each, compiled) for each in modes]
    called = {name for body in bodies for name in body.called}
    lines: list[str] = []
    if len(modes) == 1:
        inside = _body_lines(module, one, bodies[0])
    else:
        for mode, body in zip(modes, bodies, strict=True):
            lines += _head(module, one, f"static int {one.name}_{mode.mode}(")
            lines += [*_unused(module, one, body), *_body_lines(module, one, body)]
            lines += ["    return 0;", "}", ""]
        inside = _choice(module, one, modes)
    lines += _head(module, one, f"int {one.name}(")
    checks = _checks(module, one, compiled, bodies)
    if len(modes) == 1:
        lines += _unused(module, one, bodies[0], "\n".join(checks))
    lines += [*checks, *inside]
    if len(modes) == 1:
        lines.append("    return 0;")
    lines += ["}", "", *work_size(module, one, bodies)]
    return lines, called


def _names(module: CModule, one: CFunction) -> list[str]:
    own = [argument.name for argument in one.arguments]
    return [*module.dims.values(), *own, *([CACHE] if one.cache else []), WORK]


def _head(module: CModule, one: CFunction, opening: str) -> list[str]:
    inside = _parameters(module, one, "restrict ", comments=False)
    lines = [opening, *(f"    {line}" for line in inside)]
    return [*lines[:-1], f"{lines[-1]}) {{"]


def _unused(module: CModule, one: CFunction, body: FunctionText, checks: str = "") -> list[str]:
    """Name the arguments that a function has, and does not need."""
    read = {*body.read, *names_in(checks)}
    read |= {WORK} if any(not b.stack for b in body.buffers) else set()
    rooms = " ".join(room_of(module, buffer) for buffer in body.buffers)
    read |= {*re.findall(r"\w+", rooms)}
    if not read.isdisjoint(body.parts):
        parts = " ".join(integer(product(p.shape), module.dims) for p in module.cache)
        read |= {CACHE, *re.findall(r"\w+", parts)}
    unused = [name for name in _names(module, one) if name not in read]
    return [f"    (void){name};" for name in unused]


def _body_lines(module: CModule, one: CFunction, body: FunctionText) -> list[str]:
    lines = [f"    {table}" for table in body.tables]
    lines += _cache_parts(module, one, body)
    workspace = [buffer for buffer in body.buffers if not buffer.stack]
    for buffer in body.buffers:
        kind = element_type(module, buffer)
        if buffer.stack:
            lines.append(f"    {kind} {buffer.name}[{max(buffer.size.constant or 0, 1)}];")
    if workspace:
        lines.append(f"    char *gc_next = {WORK};")
    for number, buffer in enumerate(workspace):
        kind = element_type(module, buffer)
        lines.append(f"    {kind} *restrict {buffer.name} = ({kind} *)(void *)gc_next;")
        if number < len(workspace) - 1:
            lines.append(f"    gc_next += {room_of(module, buffer)};")
    return [*lines, *body.lines]


def _cache_parts(module: CModule, one: CFunction, body: FunctionText) -> list[str]:
    """Write where the parts of the cache are, as far as they are read or written."""
    if body.read.isdisjoint(body.parts):
        return []
    const = "const " if one.cache == "read" else ""
    lines = [f"    {const}char *gc_here = {CACHE};"]
    for number, (part, name) in enumerate(zip(module.cache, body.parts, strict=True)):
        kind = module.type_of(part.dtype)
        if name in body.read:
            pointer = f"({const}{kind} *)({const}void *)gc_here"
            lines.append(f"    {const}{kind} *restrict {name} = {pointer};")
        if number < len(module.cache) - 1:
            size = factor(product(part.shape), module.dims)
            lines.append(f"    gc_here += gc_room({size}*(ptrdiff_t)sizeof({kind}));")
    return lines


# ---- what is checked -----------------------------------------------------------------------------


def _checks(
    module: CModule, one: CFunction, compiled: Compiled, bodies: Sequence[FunctionText]
) -> list[str]:
    """Write what is refused: dims that are none, that are too large, and those that do not fit."""
    conditions = [
        line
        for status in module.statuses
        if status.condition is not None and one.asks(status.condition)
        for line in condition_lines(module.dims, status.condition, str(status.number))
    ]
    if not module.dims:
        return conditions
    negative = " || ".join(f"{name} < 0" for name in module.dims.values())
    lines = [f"    if ({negative}) return {DIM.number};"]
    total = _total(module, one, bodies)
    if total:
        lines.append(f"    if (!({total} <= (double)(PTRDIFF_MAX/4))) return {SIZE.number};")
    return [*lines, *conditions]


def _total(module: CModule, one: CFunction, bodies: Sequence[FunctionText]) -> str:
    """Write a bound of all that is computed of dims, and of all bytes, as a double."""
    sizes = [product(a.shape) * max(a.members, 1) for a in one.arguments]
    sizes += [buffer.size for body in bodies for buffer in body.buffers]
    sizes += [product(part.shape) for part in module.cache]
    return bound_of(module, sizes)


def _choice(module: CModule, one: CFunction, modes: Sequence[Derived]) -> list[str]:
    """Write the mode that takes the least work at the dims."""
    given = ", ".join(_names(module, one))
    lines: list[str] = []
    rest = list(modes)
    while len(rest) > 1:
        first, *rest = rest
        tests = [
            f"{bound(first.work, module.dims)} <= {bound(other.work, module.dims)}"
            for other in rest
        ]
        lines.append(f"    if ({' && '.join(tests)}) return {one.name}_{first.mode}({given});")
    return [*lines, f"    return {one.name}_{rest[0].mode}({given});"]


def _why(module: CModule) -> str:
    lines = [f"const char *{module.why}(int status) {{", "    switch (status) {"]
    lines.append('    case 0: return "computed";')
    for one in module.statuses:
        lines.append(f"    case {one.number}: return {_string(one.text)};")
    return "\n".join([*lines, '    default: return "unknown status";', "    }", "}"])


def _string(words: str) -> str:
    """Write a string of C: what is not plain ASCII by its bytes, which end before what follows."""
    found = []
    for character in words:
        plain = character.isascii() and character.isprintable() and character not in '"\\?'
        if plain:
            found.append(character)
        else:
            found += [f"\\{byte:03o}" for byte in character.encode()]
    return f'"{"".join(found)}"'
