"""What a function of C takes of memory, by its dims, and the conditions that are tested before."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from graphc.elaborate.names.model import Condition
from graphc.ir.dims import Dim, sum_dims
from graphc.ir.types import product
from graphc.nests.storage import Buffer
from graphc.targets.c.contract import CFunction, CModule
from graphc.targets.c.functions.function import FunctionText
from graphc.targets.c.printing.comments import comment
from graphc.targets.c.printing.dims import FLOOR, bound, factor, integer


def size_prototype(module: CModule, name: str) -> str:
    """Write the head of a function that returns bytes by dims."""
    inside = ", ".join(f"ptrdiff_t {dim}" for dim in module.dims.values()) or "void"
    return f"size_t {name}({inside})"


def element_type(module: CModule, buffer: Buffer) -> str:
    """Return what C calls the elements of an array of scratch."""
    return "double" if buffer.dtype == "wide" else module.type_of(buffer.dtype)


def room_of(module: CModule, buffer: Buffer) -> str:
    """Write the bytes that an array takes of a block."""
    kind = element_type(module, buffer)
    return f"gc_room({factor(buffer.size, module.dims)}*(ptrdiff_t)sizeof({kind}))"


def bound_of(module: CModule, sizes: Iterable[Dim]) -> str:
    """Write a bound of the bytes of all sizes as a double, for which none is too large."""
    symbolic = [8 * _positive(size) for size in sizes if size.constant is None]
    total = sum_dims(symbolic)
    return bound(total, module.dims) if total.constant is None else ""


def _positive(dim: Dim) -> Dim:
    return Dim(tuple((monomial, abs(coefficient)) for monomial, coefficient in dim.terms))


def condition_lines(dims: Mapping[str, str], condition: Condition, refusal: str) -> list[str]:
    """Write the test of a condition, in each step of the loops that it is about; what fails it
    returns the refusal."""
    names = dict(dims)
    lines: list[str] = []
    indent = "    "
    for number, step in enumerate(condition.steps):
        t = names[step.index] = f"gc_step_{number + 1}"
        first, count = integer(step.first, names), integer(step.count, names)
        by = f"{t} += {count} > 1 ? {count} - 1 : 1" if step.ends else f"{t}++"
        end = f"{first} + {count}"
        lines.append(f"{indent}for (ptrdiff_t {t} = {first}; {t} < {end}; {by}) {{")
        indent += "    "
    sign = "!=" if condition.zero else "<"
    test = f"if ({integer(condition.dim, names)} {sign} 0) return {refusal};"
    lines.append(f"{indent}{test}  {comment(condition.text)}")
    for _ in condition.steps:
        indent = indent[:-4]
        lines.append(f"{indent}}}")
    return lines


def work_size(module: CModule, one: CFunction, bodies: Sequence[FunctionText]) -> list[str]:
    """Write the function of the bytes of scratch: the most that a mode takes."""
    rooms = [
        [room_of(module, buffer) for buffer in body.buffers if not buffer.stack] for body in bodies
    ]
    sizes = [b.size for body in bodies for b in body.buffers if not b.stack]
    return _size_function(module, one.workspace, rooms, sizes, one)


def cache_size(module: CModule) -> list[str]:
    """Write the function of the bytes of the cache, where there is one."""
    if not any(one.cache for one in module.functions):
        return []
    rooms = [
        f"gc_room({factor(product(part.shape), module.dims)}"
        f"*(ptrdiff_t)sizeof({module.type_of(part.dtype)}))"
        for part in module.cache
    ]
    sizes = [product(part.shape) for part in module.cache]
    return ["\n".join(_size_function(module, module.sizes, [rooms], sizes))]


def _size_function(
    module: CModule,
    name: str,
    rooms: Sequence[Sequence[str]],
    sizes: Iterable[Dim],
    of: CFunction | None = None,
) -> list[str]:
    """Write a function of the bytes of a block: the largest of several sums of rooms."""
    lines = [f"{size_prototype(module, name)} {{"]
    total = bound_of(module, sizes)
    conditions = _before_division(module, [room for one in rooms for room in one], of)
    read = {*re.findall(r"\w+", " ".join([total, *conditions, *(r for one in rooms for r in one)]))}
    lines += [f"    (void){dim};" for dim in module.dims.values() if dim not in read]
    if total:
        used = [dim for dim in module.dims.values() if dim in read]
        negative = " || ".join(f"{dim} < 0" for dim in used)
        refuse = f"{negative} || !({total} <= (double)(PTRDIFF_MAX/4))"
        lines.append(f"    if ({refuse}) return SIZE_MAX;")
    lines += conditions
    first, *others = [" + ".join(one) or "0" for one in rooms]
    if not others:
        return [*lines, f"    return (size_t)({first});", "}"]
    lines.append(f"    ptrdiff_t most = {first};")
    for other in others:
        lines += [f"    if ({other} > most) {{", f"        most = {other};", "    }"]
    return [*lines, "    return (size_t)most;", "}"]


def _before_division(module: CModule, rooms: Iterable[str], of: CFunction | None) -> list[str]:
    """Write what is tested before sizes divide by dims: by none that a condition rules out."""
    if not any("/" in room or f"{FLOOR}(" in room for room in rooms):
        return []
    conditions = [one.condition for one in module.statuses if one.condition is not None]
    conditions = [one for one in conditions if of is None or of.asks(one)]
    return [line for one in conditions for line in condition_lines(module.dims, one, "SIZE_MAX")]
