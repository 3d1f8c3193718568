"""Functions of Python's own floats: arguments unpacked to numbers, results packed into arrays.

Where an argument is not an array of just the dtype and shape, `_enter` checks and converts it; what
`math` refuses (an overflow, 1 / 0, log of 0) the function's form for arrays computes. In float32
numbers are of double precision until they are packed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import product

from graphc.ir.dims import Dim
from graphc.ir.graph import Graph, Node, arguments_first
from graphc.ir.kernel import functions
from graphc.ir.results import ResultKey
from graphc.names import Identifiers, flat
from graphc.ops.elementwise.python_floats import LAZY
from graphc.ops.shape.assemble import assemble
from graphc.ops.shape.shaping import index
from graphc.optimise.scalarise.cells import Grid, is_structural_zero
from graphc.optimise.scalarise.python_floats import InNumbers
from graphc.plan.lower import made, plan
from graphc.plan.module import Compiled, Derived, PythonFloats
from graphc.plan.program import Program, Step
from graphc.plan.signature import Entry
from graphc.records import replace
from graphc.targets.numpy.printing.expression import expression, length
from graphc.targets.numpy.printing.kernels import MATH
from graphc.targets.numpy.printing.text import unpacking, width, write_list
from graphc.targets.numpy.printing.written import show

LARGEST = 64
"""Elements of an argument, at most."""

LONGEST = 86
"""Characters of a condition."""

ONE_BY_ONE = 2
"""Numbers that are put into an array one by one; more are packed at once."""

Place = tuple[int, ...]


def by_arrays(name: str) -> str:
    """Name the form of a function for arrays."""
    return f"_{name}_arrays"


def head(compiled: Compiled) -> tuple[list[str], list[str]]:
    """List the imports and names that computing with numbers needs at the module's beginning."""
    every = [compiled.forward, compiled.backward, *compiled.derived]
    imports = [f"from math import {name} as math_{name}" for name in _functions_of_math(every)]
    found = [one.numbers for one in every if one.numbers is not None]
    if not found:
        return imports, []
    counts = {grid.cells.size for numbers in found for _, grid in numbers.packed}
    packed = sorted(count for count in counts if count > ONE_BY_ONE)
    letter = {"float64": "d", "float32": "f"}[compiled.model.dtype]
    imports += ["from struct import Struct"] if packed else []
    rows = [f"_pack_{count}: Any = Struct('{count}{letter}').pack_into" for count in packed]
    names = ["DTYPE = np.dtype(FLOAT)", "np_empty = np.empty", "np_ndarray = np.ndarray"]
    return imports, [*names, *rows]


def _functions_of_math(functions_: Sequence[Derived]) -> list[str]:
    """List the functions of `math` that functions and their modes call, in steps of loops too."""
    programs = [mode.program for one in functions_ for mode in (one, *one.others)]
    called = {
        name
        for program in programs
        for node in _in_numbers(program)
        for name in functions(node.op.kernel)
    }
    return sorted({MATH[name] for name in called if name in MATH})


def _in_numbers(program: Program) -> Iterator[Node]:
    """Yield the operations on numbers of a program, and of its loops and blocks."""
    yield from (node for node in arguments_first(program.results.values()) if node.op.numbers)
    for step in program.steps:
        if not isinstance(step, Step):
            yield from _in_numbers(step.body)


# ---- the program -------------------------------------------------------------------------------


def plan_numbers(
    found: InNumbers,
    begin: Entry,
    arrays: Program,
    taken: Collection[str],
) -> tuple[Program, PythonFloats] | None:
    """Plan a graph of numbers; None where an argument is not to be unpacked.

    `arrays` is the program of the same function for arrays.
    """
    sources = (*begin.inputs, *begin.params)
    if begin.dims:
        return None
    if any(d.family is not None or not _is_small(d.node) for d in sources):
        return None
    scope = Identifiers({*taken, *begin.variables.values()})
    given: dict[Node, str] = {}
    patterns: dict[str, str] = {}
    parts = _parts(found.graph)
    for declared in sources:
        node, variable = declared.node, begin.variables[declared.name]
        if not node.rank:
            given[node] = variable
        elif node in parts:
            named = {place: scope.fresh(_name_number(variable, place)) for place in _places(node)}
            given |= {part: named[place] for place, part in parts[node].items()}
            patterns[variable] = _pattern(named, node)
    program = plan(found.graph, given, length, (), scope.taken)
    proved = _provable(program)
    first = [next(iter(p.values())) for p in parts.values() if proved.isdisjoint(p.values())]
    results, packed = _pack_results(found, program, scope)
    variables = {**program.variables, **{results[key]: v for key, v in packed.items()}}
    whole = replace(program, name=arrays.name, variables=variables, results=results)
    filled = tuple((variable, found.arrays[key]) for key, variable in packed.items())
    return whole, PythonFloats(patterns, tuple(given[node] for node in first), filled, arrays)


def _pack_results(
    found: InNumbers, program: Program, scope: Identifiers
) -> tuple[dict[ResultKey, Node], dict[ResultKey, str]]:
    """Return the node of each result, and the variables of those that are arrays, each once."""
    scope = Identifiers({*scope.taken, *program.variables.values()})
    results = {
        key: _array(grid) if grid.cells.ndim else grid.nodes[0]
        for key, grid in found.arrays.items()
    }
    packed: dict[ResultKey, str] = {}
    seen: set[Node] = set()
    for key, node in results.items():
        if node.rank and node not in seen:
            packed[key] = scope.fresh(flat(key.label))
            seen.add(node)
    return results, packed


def _name_number(variable: str, place: Place) -> str:
    return "_".join([variable, *map(str, place)])


def _places(node: Node) -> Iterator[Place]:
    return product(*(range(_size(n)) for n in node.shape))


def _is_small(node: Node) -> bool:
    size = node.type.size.constant
    return node.type.dtype == "float" and size is not None and 0 < size <= LARGEST


def _size(n: Dim) -> int:
    return int(n.constant or 0)


def _parts(graph: Graph) -> dict[Node, dict[Place, Node]]:
    """Return the numbers of each argument that are read, by place."""
    found: dict[Node, dict[Place, Node]] = {}
    for node in graph.nodes:
        if node.op is index:
            place = tuple(_size(Dim.of(value)) for _, value in node.attrs["items"])
            found.setdefault(node.args[0], {})[place] = node
    return found


def _pattern(named: Mapping[Place, str], node: Node) -> str:
    """Write the names in nested brackets, as the numbers of an array are nested."""

    def row(place: Place) -> str:
        if len(place) == node.rank:
            return named[place]
        items = [row((*place, i)) for i in range(_size(node.shape[len(place)]))]
        return f"({', '.join(items)}{',' if len(items) == 1 else ''})"

    return row(())[1:-1]


def _provable(program: Program) -> set[Node]:
    """Collect numbers of arguments of which a statement would raise TypeError, were they lists.

    An argument of more axes than it should have is unpacked to lists. A list can be added to a
    list, but to no float; any other arithmetic has no lists at all.
    """
    floats: set[Node] = set()
    proved: set[Node] = set()
    given = {node for node in program.variables if not node.op.numbers}
    for step in program.steps:
        for node in [n for one in made(step) for n in _evaluates(one, program)]:
            sure = node.op.name != "+" or any(a in floats or a.static for a in node.args)
            if sure:
                floats.add(node)
                proved.update(given.intersection(node.args))
    return proved


def _evaluates(node: Node, program: Program) -> list[Node]:
    """List what the statement of a node surely evaluates, arguments first."""
    found = [node]
    for one in found:
        if one.op.name not in LAZY:
            found += [arg for arg in one.args if arg.op.numbers and arg not in program.variables]
    return [one for one in reversed(found) if one.op.name not in LAZY]


def _array(grid: Grid) -> Node:
    """Build the node of a result: what is given back shares no memory with another."""
    places = [p for p in product(*map(range, grid.cells.shape)) if not _is_zero(grid, p)]
    return assemble(
        *(grid.cells[place] for place in places),
        dtype="float",
        shape=tuple(map(Dim.of, grid.cells.shape)),
        block=None,
        places=tuple(places),
    )


def _is_zero(grid: Grid, place: Place) -> bool:
    return is_structural_zero(grid.cells[place])


# ---- the text ----------------------------------------------------------------------------------


def pack_lines(compiled: Compiled, one: Derived) -> list[str]:
    """List the statements that make the arrays of the results."""
    assert one.numbers is not None
    dtype = "" if compiled.model.dtype == "float64" else ", DTYPE"
    lines: list[str] = []
    for variable, grid in one.numbers.packed:
        shape = grid.cells.shape
        lines.append(f"{variable} = np_empty({shape[0] if len(shape) == 1 else shape}{dtype})")
        written = [expression(node, one.program.variables) for node in grid.nodes]
        if len(written) > ONE_BY_ONE:
            lines += write_list(f"_pack_{len(written)}({variable}, 0, ", written, ")")
            continue
        for place, number in zip(product(*map(range, shape)), written, strict=True):
            lines.append(f"{variable}[{', '.join(map(str, place))}] = {number}")
    return lines


def unpack_lines(
    compiled: Compiled, one: Derived, numbers: PythonFloats, lines: list[str]
) -> list[str]:
    """List the lines of a function of numbers, after its arguments have been unpacked."""
    begin = compiled.begin
    plain = [d for d in (*begin.params, *begin.inputs) if not d.node.rank]
    inner = [f"{names} = {variable}.tolist()" for variable, names in numbers.unpacked.items()]
    inner += [f"{begin.variables[d.name]} = float({begin.variables[d.name]})" for d in plain]
    for chain in _chains([f"type({name})" for name in numbers.unproved], "float"):
        inner += [f"if not ({chain}):  # but rows, of more axes", "    raise TypeError"]
    place = ", out=out" if one.kind.returns == "gradients" else ""
    refused = "a wrong shape, or what `math` refuses"
    return [
        *_take_out(begin),
        *_convert_lines(compiled, numbers, inner),
        "try:",
        *(f"    {line}" for line in (*inner, *lines)),
        f"except (ArithmeticError, TypeError, ValueError):  # {refused}",
        f"    return {by_arrays(one.program.name)}({begin.arguments}{place})",
    ]


def _take_out(begin: Entry) -> list[str]:
    """List the parameters out of a dict with just these; else None, of which `_enter` tells."""
    if not begin.params:
        return []
    variables = [begin.variables[d.name] for d in begin.params]
    rows = [f"    {begin.variables[d.name]} = params[{d.name!r}]" for d in begin.params]
    return [
        "try:",
        f"    if type(params) is not dict or len(params) != {len(variables)}:",
        "        raise KeyError",
        *rows,
        "except KeyError:",
        f"    {' = '.join(variables)} = None",
    ]


def _convert_lines(compiled: Compiled, numbers: PythonFloats, lines: Sequence[str]) -> list[str]:
    """List the lines that check and convert what is not just what it should be.

    The shape of what is unpacked shows then.
    """
    begin = compiled.begin
    sources = (*begin.params, *begin.inputs)
    arrays = [begin.variables[d.name] for d in sources if d.node.rank]
    conditions = [
        *_chains([f"type({variable})" for variable in arrays], "np_ndarray"),
        *_chains([f"{variable}.dtype" for variable in arrays], "DTYPE"),
    ]
    own = "in (float, FLOAT)" if compiled.model.dtype == "float64" else "is FLOAT"
    for d in sources:
        variable = begin.variables[d.name]
        if not d.node.rank:
            conditions.append(f"type({variable}) {own}")
        elif variable not in numbers.unpacked:
            conditions.append(f"{variable}.shape == {show(d.node.shape)}")
    if not conditions:
        return []
    called = begin.entered
    return [
        "if not (",
        *(f"    {'and ' if number else ''}{one}" for number, one in enumerate(conditions)),
        "):",
        *(f"    {line}" for line in unpacking(begin.values, called, lines)),
    ]


def _chains(items: Sequence[str], last: str) -> list[str]:
    """`a is b is last`, in several where one would be long."""
    chains: list[str] = []
    for item in items:
        if chains and width(f"{chains[-1]} is {item} is {last}") <= LONGEST:
            chains[-1] += f" is {item}"
        else:
            chains.append(item)
    return [f"{chain} is {last}" for chain in chains]
