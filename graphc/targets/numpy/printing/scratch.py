"""The scratch of a program: the arrays that it computes in, taken before and given back after.

With them comes what depends on the dims alone, which is computed where they are made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from graphc.ir.dims import Dim
from graphc.ir.graph import arguments_first
from graphc.ir.types import Dtype, Shape
from graphc.plan.module import Compiled, Derived
from graphc.plan.program import Program, Scratch, Step
from graphc.targets.comments import place
from graphc.targets.marks import mark, of_statement
from graphc.targets.numpy.printing.expression import computed
from graphc.targets.numpy.printing.text import WIDTH, beside, function, width, write_list
from graphc.targets.numpy.printing.written import DTYPES, show

SEVERAL = 12  # names: more are unpacked in brackets


def within_scratch(program: Program, lines: list[str]) -> list[str]:
    """Write a program's lines between those that take its scratch and give it back."""
    names = take_scratch(program)
    if not names:
        return lines
    arguments = ", ".join([_name(program), *_dims(program)])
    long = len(names) > SEVERAL or width(", ".join(names)) > WIDTH - len(" = _scratch")
    opening, closing = ("(", ") = _scratch") if long else ("", " = _scratch")
    return [
        f"_scratch = _take({arguments})",
        *([f"{names[0]}, = _scratch"] if len(names) == 1 else write_list(opening, names, closing)),
        *lines,
        f"_give(_scratch, {arguments})",
    ]


def take_scratch(program: Program) -> list[str]:
    """List what a program takes: constants of its dims, and arrays to compute in."""
    return [*program.shared, *(scratch.name for scratch in program.scratch)]


def scratch_functions(compiled: Compiled) -> list[str]:
    """Write the functions that make scratch, one for each program that needs some."""
    return [_function(program) for program in programs(compiled) if take_scratch(program)]


def programs(compiled: Compiled) -> Iterator[Program]:
    """Yield every program of the module, in each of its modes, also of loops and blocks."""
    functions: list[Derived] = [compiled.forward, compiled.backward, *compiled.derived]
    functions += [one.partial for one in compiled.chunked]
    every = [each for one in functions for each in (one, *one.others)]
    by_arrays = [one.numbers.arrays for one in every if one.numbers is not None]
    merging = [program for one in compiled.chunked for program in (one.merge, one.finish)]
    yield from _within([*(one.program for one in every), *by_arrays, *merging])


def _within(outer: Iterable[Program]) -> Iterator[Program]:
    pending = list(outer)[::-1]
    while pending:
        program = pending.pop()
        yield program
        pending += [s.body for s in reversed(program.steps) if not isinstance(s, Step)]


def _function(program: Program) -> str:
    made = program.scratch
    names = take_scratch(program)
    orders = {scratch.name: scratch.order for scratch in made}
    return function(
        f"def {_name(program)}({', '.join(f'{dim}: int' for dim in _dims(program))})"
        " -> tuple[Any, ...]:",
        f"The arrays that `{program.label}` computes in."
        + (" What comes before them it only reads." if program.shared else ""),
        [
            *(
                line
                for step in program.constants
                for line in of_statement(_written(step, program), step)
            ),
            *(f"{scratch.name} = {_make_array(scratch, orders)}" for scratch in made),
            *write_list("return (", names, ",)" if len(names) == 1 else ")"),
        ],
    )


def _written(step: Step, program: Program) -> list[str]:
    return beside(computed(step, program.variables), place(step.node), mark(step.node))


def _name(program: Program) -> str:
    """Told apart by what stands behind the last `scratch`: a mode, a block, or both."""
    return "_".join((f"_{program.name}_scratch", *program.part))


def _dims(program: Program) -> list[str]:
    """List the dims that scratch and constants depend on."""
    nodes = list(arguments_first(step.node for step in program.constants))
    values: list[Any] = [one for node in nodes for one in (*node.attrs.values(), node.shape)]
    values += [scratch.shape for scratch in program.scratch]
    found: set[str] = set()
    while values:
        value = values.pop()
        if isinstance(value, Dim):
            found |= value.symbols
        elif isinstance(value, tuple):
            values += value
    return sorted(found)


def _make_array(scratch: Scratch, orders: Mapping[str, tuple[int, ...]]) -> str:
    """New memory, or that of the base in another shape, with its axes in their places."""
    shape = tuple(scratch.shape[axis] for axis in scratch.order)
    if not scratch.base:
        return new_array(scratch.shape, scratch.dtype, scratch.order)
    base, order = scratch.base, orders[scratch.base]
    if order != tuple(range(len(order))):
        base = f"{base}.transpose({', '.join(map(str, order))})"
    return f"{base}.reshape({show(shape)}){_back(scratch.order)}"


def new_array(shape: Shape, dtype: Dtype, order: tuple[int, ...]) -> str:
    """Write an expression for new memory whose axes lie in this order, the slowest first."""
    lying = show(tuple(shape[axis] for axis in order))
    return f"np.empty({lying}, {DTYPES[dtype]}){_back(order)}"


def _back(order: tuple[int, ...]) -> str:
    """Brings axes that are listed as they lie in memory into their places."""
    if order == tuple(range(len(order))):
        return ""
    return f".transpose({', '.join(str(order.index(i)) for i in range(len(order)))})"
