"""The function of a module that finds the first node which makes nan or an infinity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import PurePath

from graphc.ir.graph import COTANGENT, TANGENT, Node
from graphc.ir.loop import everywhere
from graphc.optimise.watch import WATCHED
from graphc.plan.module import Compiled
from graphc.plan.program import LoopStep, Program, Step
from graphc.plan.signature import kind_of_argument
from graphc.source import Origin, Source, Span, excerpt
from graphc.targets.numpy.printing.body import body
from graphc.targets.numpy.printing.copied import definitions_of
from graphc.targets.numpy.printing.expression import expression
from graphc.targets.numpy.printing.text import function, unpacking, write_list
from graphc.targets.numpy.printing.written import show


def records() -> list[str]:
    """Write the records that `trace` returns."""
    watching = definitions_of("watching")
    return [watching["Operand"], watching["Trace"]]


def trace(compiled: Compiled) -> str:
    """`trace`, and a function for each that it walks through."""
    begin = compiled.begin
    lines = [
        "try:",
        *(f"    {walk_name(program.name)}({begin.arguments})" for program in compiled.watched),
        "except FloatingPointError as _found:",
        "    _first: Trace = _found.args[0]",
        "    return _first",
        "return None",
    ]
    about = (
        "The first value that is nan or infinite, and the node that made it; or None.\n\n"
        "Looks at `forward`, `backward` and what is derived, in this order, node by node as the\n"
        "graph says it; cotangents and tangents are ones. An infinity that the graph states or\n"
        "that an argument holds is not the fault of what passes it on.\n"
    )
    traced = function(f"def trace({begin.signature}) -> Trace | None:", about, lines)
    walks = (_walk(compiled, program) for program in compiled.watched)
    return "\n\n\n".join([f'@np.errstate(all="ignore")\n{traced}', *walks])


def walk_name(function: str) -> str:
    """Name the function that looks at each value of another."""
    return f"_{function}_trace"


def _walk(compiled: Compiled, program: Program) -> str:
    """Write the statements of one function, each value looked at."""
    begin = compiled.begin
    seeds = [
        f"{variable} = np.ones({show(node.shape)}, FLOAT)[()]"
        for node, variable in program.variables.items()
        if node.op in (COTANGENT, TANGENT)
    ]
    read = set(everywhere(program.results.values()))
    floats = [
        f"    {(kind_of_argument(d), d.name)!r}: {begin.variables[d.name]},"
        for d in (*begin.inputs, *begin.params)
        if d.type.dtype == "float" and d.node in read
    ]
    results = [expression(node, program.variables) for node in program.results.values()]
    lines = [
        *seeds,
        "_arguments = {",
        *floats,
        "}",
        f"_given({program.name!r}, _arguments)",
        *body(program),
        *write_list(f"_ended({program.name!r}, _arguments, [", results, "])"),
    ]
    return function(
        f"def {walk_name(program.name)}({begin.signature}) -> None:",
        "Raises FloatingPointError with a Trace.",
        [*unpacking(begin.values, begin.entered, lines), *lines],
    )


def tables(compiled: Compiled) -> list[str]:
    """Write what is said of each value looked at, by number, and the places in the graph."""
    rows: dict[int, str] = {}
    places: dict[tuple[str, str], int] = {}
    for program in compiled.watched:
        for target, node, variables in _looks(program):
            inner = node.args[0]
            row = (
                program.name,
                target,
                inner.op.name,
                places.setdefault(_place(inner.origin), len(places)),
                tuple(expression(arg, variables) for arg in node.args[1:]),
                inner.op.axes(inner),
                tuple(map(str, node.attrs["steps"])),
            )
            rows[node.attrs["number"]] = f"    {node.attrs['number']}: {row!r},"
    return [
        "_PLACES: tuple[tuple[str, str], ...] = (",
        *(f"    {place!r}," for place in places),
        ")",
        "_WATCHED: dict[int, tuple[Any, ...]] = {",
        *(rows[number] for number in sorted(rows)),
        "}",
    ]


def _looks(program: Program) -> Iterator[tuple[str, Node, Mapping[Node, str]]]:
    """Yield the values looked at: the variable, the node, and what is called how there."""
    for step in program.steps:
        if isinstance(step, LoopStep):
            yield from _looks(step.body)
        elif isinstance(step, Step) and step.node.op is WATCHED:
            yield step.target, step.node, program.variables


def _place(origin: Origin | None) -> tuple[str, str]:
    """Return where a node comes from, and the lines that show it: in file, then in block."""
    if origin is None:
        return "", ""
    outermost = _cite(origin.outermost)
    lines = excerpt(outermost)
    if origin.used is not None:
        lines += ["  in the block:", *excerpt(_cite(origin.span))]
    return str(outermost), "\n".join(lines)


def _cite(span: Span) -> Span:
    """Return the span under the name of its file alone: no folder of this machine."""
    return Span(_named(span.source), span.start, span.end)


@lru_cache(maxsize=8)
def _named(source: Source) -> Source:
    """Return a source under the name of its file, one for all that is cited of it."""
    return Source(PurePath(source.name).name, source.text)
