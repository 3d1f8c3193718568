"""The records of a module: GRAPH, Outputs, Cache, and what derived functions return."""

from __future__ import annotations

import hashlib
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from graphc.elaborate.names.model import Declared
from graphc.ir.dims import Dim
from graphc.ir.graph import Node
from graphc.ir.types import FLOAT_BYTES, Type, type_bytes
from graphc.names import fields
from graphc.plan.buffers.report import live
from graphc.plan.module import Compiled, Derived
from graphc.source import Source
from graphc.syntax.format.canonical import one_line_of
from graphc.targets.numpy.printing.families import show_path


def graph_record(compiled: Compiled) -> list[str]:
    """GRAPH: what the module is, as a plain dict."""
    model = compiled.model
    functions = [
        compiled.forward,
        *([compiled.backward] if compiled.backward.wrt else []),
        *compiled.derived,
    ]
    width = FLOAT_BYTES[model.dtype]
    record: dict[str, Any] = {
        "name": model.name,
        "source": f"sha256:{_digest([model.source, *model.imported])}",
        "graphc": compiled.version,
        "options": compiled.options,
        "level": compiled.level.name,
        "dtype": model.dtype,
        "dims": {d.name: d.fixed for d in model.dims},
        "inputs": {d.name: str(d.type) for d in model.inputs},
        "params": {show_path(d): str(d.type) for d in model.params},
        "outputs": {d.name: str(d.type) for d in model.outputs},
        "backward": _derived(compiled.backward, compiled) if compiled.backward.wrt else {},
        "derived": {f.name: _derived(f, compiled) for f in compiled.derived},
        "multiply_adds": {f.program.name: _amount(f.flops) for f in functions},
        "bytes": {
            "params": _amount(bytes_of((d.node for d in model.params), width)),
            "cache": _amount(bytes_of(compiled.cached, width)),
            **(_report_functions(compiled, functions, width) if _plans(compiled) else {}),
        },
    }
    if compiled.chunked:
        record["split"] = _split(compiled)
    if compiled.planned:
        record["peak_bytes"] = {one.name: one.planned for one in compiled.planned}
    lines = ["GRAPH: dict[str, Any] = {"]
    for key, value in record.items():
        lines += [f"    {line}" for line in _entry(key, value)]
    return [*lines, "}"]


def _derived(one: Derived, compiled: Compiled) -> dict[str, Any]:
    """Describe a derived function: what it is of, and by which paths."""
    params = {d.name: show_path(d) for d in compiled.model.params}
    paths = [path for path, _ in one.wrt] if one.kind.order else []
    record: dict[str, Any] = {
        "kind": one.kind.name,
        "outputs": [*one.outputs],
        "wrt": "params" if paths and paths == [*params] else [params.get(p, p) for p in paths],
    }
    return {**record, "per": one.per} if one.per else record


def _split(compiled: Compiled) -> dict[str, Any]:
    """Describe the functions of chunks: where inputs have the rows, what they are called, and the
    fields of what a chunk contributes, with the axis of those that have rows."""
    over = {one.axis for one in compiled.chunked}
    return {
        "over": ", ".join(over),
        "inputs": {
            d.name: place
            for d in (*compiled.model.inputs, *compiled.model.params)
            for place, size in enumerate(d.type.shape)
            if str(size) in over
        },
        "functions": {
            one.of.name: {
                **dict(zip(("partial", "combine", "finish"), one.names, strict=True)),
                "part": one.part,
                "count": one.rows.field,
                "fields": {each.field: each.how for each in one.contributions},
                "rows": {
                    each.field: each.axis
                    for each in one.contributions
                    if each.axis is not None and not each.scaled
                },
            }
            for one in compiled.chunked
        },
    }


def _plans(compiled: Compiled) -> bool:
    """True if the module's own statements compute in memory that is planned."""
    one = compiled.forward
    return compiled.level.planned and one.elsewhere is None and one.printed is None


def _digest(sources: Iterable[Source]) -> str:
    """Hash these files, whatever their layout, their comments and the names of their folders."""
    text = "\n".join(one_line_of(source.whole) for source in sources)
    return hashlib.sha256(text.encode()).hexdigest()


def _entry(key: str, value: Any) -> list[str]:
    """List the lines of an entry of a dict; of a dict in it a line for each of its entries."""
    if not isinstance(value, dict) or not value:
        return [f"{key!r}: {value!r},"]
    inside = [line for name, item in value.items() for line in _entry(name, item)]
    return [f"{key!r}: {{", *(f"    {line}" for line in inside), "},"]


def _report_functions(
    compiled: Compiled, functions: Iterable[Derived], width: int
) -> dict[str, Any]:
    """Report by function what it computes in, what it returns, and the most that is alive."""
    found: dict[str, dict[str, int | str]] = {"scratch": {}, "results": {}, "peak": {}}
    for one in functions:
        handed_on = compiled.cached if one is compiled.forward and compiled.backward.wrt else ()
        memory = live(one.program, width, handed_on, works=False)
        name, results = one.program.name, one.program.results.values()
        found["scratch"][name] = _amount(memory.kept)
        found["results"][name] = _amount(bytes_of((n for n in results if n.rank), width))
        found["peak"][name] = _amount(memory.peak)
    return found


def _amount(dim: Dim) -> int | str:
    return str(dim) if dim.constant is None else dim.constant


def bytes_of(nodes: Iterable[Node], width: int) -> Dim:
    """Return the bytes of these values; int is 8 bytes, bool 1."""
    return sum((type_bytes(node.type, width) for node in nodes), Dim.of(0))


def records(compiled: Compiled) -> list[str]:
    """Outputs and Cache; a NamedTuple for each derived function with several values."""
    model, named = compiled.model, compiled.begin.fields
    outputs = [f"    {named[d.name]}: {annotation(d.node.type)}" for d in model.outputs]
    records = [
        "\n".join(["class Outputs(NamedTuple):", '    """The outputs by name."""', "", *outputs])
    ]
    if compiled.backward.wrt:
        what = "What `backward` reads: exactly those values of the forward pass, and the dims."
        families = {d.node for d in model.params if d.family}
        kept = cache_fields(compiled)
        values = [
            f"    {kept[name]}: {_cache_type(node, node in families)}"
            for name, node in cache_variables(compiled).items()
        ]
        dims = [f"    {kept[dim]}: int" for dim in compiled.begin.dims]
        records.append(
            "\n".join(
                [
                    "class Cache(NamedTuple):",
                    f'    """{what}"""',
                    "",
                    *values,
                    *dims,
                    "",
                    "    def __repr__(self) -> str:",
                    "        return f'<Cache: {len(self)} values, {_bytes_of(self):,} bytes>'",
                ]
            )
        )
    for one in compiled.derived:
        if needs_record(compiled, one):
            by_name = {d.name: d.node.type for d in model.outputs}
            lines = [f"    {named[name]}: {annotation(by_name[name])}" for name in one.outputs]
            record = compiled.begin.records[one.program.name]
            what = f"The values of `{one.program.name}`."
            records.append(
                "\n".join([f"class {record}(NamedTuple):", f'    """{what}"""', "", *lines])
            )
    return records


def with_shapes(
    about: str,
    compiled: Compiled,
    outputs: Iterable[str],
    wrt: Sequence[Declared] = (),
    taken: Sequence[str] = (),
) -> str:
    """Add to a docstring the shapes of what a function takes, of what it is of, and by what.

    Without what is `taken` it is the arguments of the graph.
    """
    model, named = compiled.model, compiled.begin.variables
    graph = ["params"] * bool(model.params) + [f"{named[d.name]}: {d.type}" for d in model.inputs]
    types = {d.name: d.type for d in model.outputs}
    told = [f"{compiled.begin.fields[name]}: {types[name]}" for name in outputs]
    params = {d.name for d in model.params}
    whole = bool(params) and params <= {d.name for d in wrt}
    rest = [d for d in wrt if not (whole and d.name in params)]
    paths = ["params"] * whole + [f"{d.name}: {d.type}" for d in rest]
    by = f" by {', '.join(paths)}" if paths else ""
    made = f" -> {', '.join(told)}{by}" if told else ""
    return with_line(about, f"{', '.join(taken or graph) or '()'}{made}")


def with_line(about: str, shapes: str) -> str:
    """Add a line of shapes to a docstring."""
    line = f"Shapes: {shapes}."
    wrapped = textwrap.wrap(line, 90, break_long_words=False, break_on_hyphens=False)
    return "\n".join([about.rstrip(), "", *wrapped, ""])


def _cache_type(node: Node, family: bool) -> str:
    """Write the type of a cached value; a family of parameters is a list of them."""
    if family:
        return f"list[{annotation(Type(node.type.dtype, node.shape[1:]))}]"
    return annotation(node.type) if node.rank else "Any"


def cache_variables(compiled: Compiled) -> dict[str, Node]:
    """Return the values that the cache holds, by variable."""
    return {compiled.forward.program.variables[node]: node for node in compiled.cached}


def cache_fields(compiled: Compiled) -> dict[str, str]:
    """Return the fields of the cache, by variable and dim."""
    return fields([*cache_variables(compiled), *compiled.begin.dims])


def has_record(one: Derived) -> bool:
    """True if the values of a function are a record: several, or those beside products."""
    return len(one.outputs) > 1 or bool(one.kind.given and one.kind.has_values)


def needs_record(compiled: Compiled, one: Derived) -> bool:
    """True if a function's values need a record of its own: they are not all outputs."""
    return has_record(one) and one.outputs != tuple(d.name for d in compiled.model.outputs)


def annotation(type: Type) -> str:
    scalar = {"float": "FLOAT", "int": "np.int64", "bool": "np.bool_"}[type.dtype]
    return f"npt.NDArray[{scalar}]" if type.rank else scalar
