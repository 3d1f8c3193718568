"""The scratch of a function: the arrays that it computes in, taken before and given back after."""

from __future__ import annotations

from graphc.emit.compiled import Compiled, Derived
from graphc.emit.expression import DTYPES, show
from graphc.emit.layout import function, listed
from graphc.plan.schedule import Scratch


def within_scratch(compiled: Compiled, one: Derived, lines: list[str]) -> list[str]:
    """The lines of a program between those that take its scratch and give it back."""
    made = one.program.scratch
    if not made:
        return lines
    arguments = ", ".join([_name(one), *_dims(compiled, one)])
    return [
        f"scratch = _take({arguments})",
        *listed("(" if len(made) > 12 else "", [s.name for s in made], _unpacked(made)),
        *lines,
        f"_give(scratch, {arguments})",
    ]


def _unpacked(made: tuple[Scratch, ...]) -> str:
    return ") = scratch" if len(made) > 12 else f"{',' if len(made) == 1 else ''} = scratch"


def scratch_functions(compiled: Compiled) -> list[str]:
    """The functions that make scratch, one for each program that needs some."""
    return [_function(compiled, one) for one in every_program(compiled) if one.program.scratch]


def every_program(compiled: Compiled) -> list[Derived]:
    """Every function of the module that evaluates the graph, in each of its modes."""
    functions = [compiled.forward, compiled.backward, *compiled.derived]
    return [each for one in functions for each in (one, *one.others)]


def _function(compiled: Compiled, one: Derived) -> str:
    made = one.program.scratch
    lines = [f"{scratch.name} = {_made(scratch)}" for scratch in made]
    names = [scratch.name for scratch in made]
    dims = ", ".join(f"{dim}: int" for dim in _dims(compiled, one))
    return function(
        f"def {_name(one)}({dims}) -> tuple[Any, ...]:",
        f"The arrays that `{one.program.name}` computes in.",
        [*lines, *listed("return (", names, ",)" if len(names) == 1 else ")")],
    )


def _name(one: Derived) -> str:
    return f"_scratch_{one.program.name}" + (f"_{one.mode}" if one.mode else "")


def _dims(compiled: Compiled, one: Derived) -> list[str]:
    """The dims that the shapes of the scratch depend on."""
    used = {name for s in one.program.scratch for axis in s.shape for name in axis.symbols}
    return [dim for dim in compiled.begin.dims if dim in used]


def _made(scratch: Scratch) -> str:
    """New memory, or that of the base in another shape, with its axes in their places."""
    shape = show(tuple(scratch.shape[axis] for axis in scratch.order))
    kind = DTYPES[scratch.dtype]
    made = f"{scratch.base}.reshape({shape})" if scratch.base else f"np.empty({shape}, {kind})"
    if scratch.order == tuple(range(len(scratch.order))):
        return made
    places = ", ".join(str(scratch.order.index(i)) for i in range(len(scratch.order)))
    return f"{made}.transpose({places})"
