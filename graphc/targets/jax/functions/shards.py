"""What each device has of what functions take and return, where the rows of an axis are spread."""

from __future__ import annotations

from graphc.elaborate.names.model import Declared
from graphc.ir.dims import Dim
from graphc.ir.graph import Node
from graphc.ir.results import ResultKey
from graphc.plan.module import Compiled, Derived
from graphc.targets.numpy.functions.record import has_record
from graphc.targets.numpy.printing.text import function


def rows(compiled: Compiled) -> list[str]:
    """Write ROWS: the partition of what has rows, by function; of all else each has the whole.

    That these functions split over the axis is proved; so what has the axis has it by rows.
    """
    (axis,) = {one.axis for one in compiled.chunked} or {str(compiled.options["split"])}
    named = compiled.begin.variables
    given = {named[d.name]: _partition(d.node, axis) for d in compiled.model.inputs}
    lines = ["ROWS: dict[str, dict[str, PartitionSpec]] = {"]
    lines += _entry("arguments", given)
    for one in compiled.chunked:
        by_place = {
            place: _partition(node, axis)
            for key, node in one.of.program.results.items()
            for place in _places(compiled, one.of, key)
        }
        lines += _entry(one.of.name, by_place)
    return [*lines, "}"]


def _entry(name: str, partitions: dict[str, str]) -> list[str]:
    inside = [f"        {place!r}: {one}," for place, one in partitions.items() if one]
    return [f"    {name!r}: {{", *inside, "    },"] if inside else [f"    {name!r}: {{}},"]


def _partition(node: Node, axis: str) -> str:
    """Write the partition of an array whose first axis of this length has the rows."""
    length = Dim.symbol(axis)
    if length not in node.shape:
        return ""
    place = node.shape.index(length)
    return f"PartitionSpec({', '.join([*['None'] * place, repr(axis)])})"


def _places(compiled: Compiled, one: Derived, key: ResultKey) -> list[str]:
    """List where in what a function returns a result stands: `logits`, `1/h.W`."""
    apart = one.kind.has_values and one.kind.order > 0
    if key.kind == "value":
        field = [compiled.begin.fields[key.of]] if has_record(one) else []
        return ["/".join([*(["0"] if apart else []), *field])]
    declared = {d.name: d for d in compiled.model.params}
    steps = [[path] if path not in declared else _members(declared[path])
             for path in (key.of, key.by) if path]  # fmt: skip
    found = ["1"] * apart
    places = [[*found]]
    for names in steps:
        places = [[*before, name] for before in places for name in names]
    return ["/".join(place) for place in places]


def _members(declared: Declared) -> list[str]:
    return [*declared.paths] if declared.family is not None else [declared.name]


def shard(compiled: Compiled) -> str:
    """Write `shard`, which compiles a function for a mesh."""
    begin = compiled.begin
    names = (
        *(["params"] if begin.params else []),
        *(begin.variables[d.name] for d in begin.inputs),
    )
    functions = [f"    {one.of.name!r}: {one.of.name}," for one in compiled.chunked]
    axis = str(compiled.options["split"])
    return function(
        "def shard(mesh: Any, name: str) -> Callable[..., Any]:",
        "A derived function by its name, compiled for the devices of a mesh with an axis "
        f"`{axis}`.\n\nEach device has some of the rows of {axis}, of all else the whole.\n",
        [
            "functions = {",
            *functions,
            "}",
            "if name not in functions:",
            "    raise ValueError(f'no function of this name splits: {name}')",
            "_rows = ROWS['arguments'], ROWS[name]",
            f"return _sharded(mesh, functions[name], {names!r}, {begin.keywords!r}, *_rows)",
        ],
    )
