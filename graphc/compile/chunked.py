"""Derived functions over the rows of an axis, chunk by chunk: what splits, and the programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphc import kinds
from graphc.chunks.contributions import Field, NotApart
from graphc.chunks.layout import Merge, Mixed
from graphc.chunks.pieces import Pieces, pieces
from graphc.compile.clauses import differentiate
from graphc.compile.functions import plan_graph, sources_of
from graphc.compile.graphs import passes_of
from graphc.compile.options import Options
from graphc.elaborate.names.model import Derivation, Model
from graphc.ir.dims import Dim
from graphc.ir.graph import DIM, Node
from graphc.ir.results import value_of
from graphc.kinds import MODES, PARTIAL
from graphc.names import MODULE, Identifiers, field_names, flat
from graphc.optimise.passes import PASSES, rewritten
from graphc.plan.lower import plan
from graphc.plan.module import Chunked, Compiled, Contribution, Derived
from graphc.records import replace
from graphc.source import Diagnostic, GraphError, Span, error, near_or_all

FORWARD_FIRST = ("forward", "reverse", "mixed")
"""Modes of Jacobians in the order in which they are tried: tangents leave rows apart."""


def axis_of(model: Model, name: str) -> Dim:
    """Return the dim over whose rows a model is split; raises GraphError where it cannot be."""
    found = next((info for info in model.dims if info.name == name), None)
    if found is None:
        said = f"there is no dim `{name}` to split over" if name else "no dim is open to split over"
        near = near_or_all(name, [info.name for info in model.dims], "the dims are")
        raise GraphError([error("E440", said, None, help=near if name else None)])
    if found.fixed is not None:
        what = f"dim `{name}` is {found.fixed}: every chunk would have so many rows"
        raise GraphError([error("E440", what, found.span, help="leave the dim open")])
    return found.symbol


def pieces_of(model: Model, one: Derivation, axis: Dim, modes: Sequence[str] = ()) -> Pieces:
    """Build the graphs of a derived function by chunks; raises NotApart where there are none."""
    if one.kind.base is kinds.GRAD and one.per is None:
        (output,) = one.outputs
        values = {value_of(output[0]): output[1]} if one.kind.has_values else {}
        return pieces(one.name, values, axis, model.names, output, dict(one.wrt))
    refused: list[NotApart] = []
    for mode in [mode for mode in FORWARD_FIRST if mode in (modes or MODES)]:
        for graph in differentiate(model, one, [mode]).values():
            try:
                return pieces(one.name, graph.results, axis, graph.names)
            except NotApart as why:
                refused.append(why)
    raise refused[0]


def refusal(model: Model, mixed: Mixed, axis: str, what: str) -> Diagnostic:
    """Build the message that something does not split, at the line that mixes rows."""
    span = span_of(mixed.node, model)
    return error("E441", f"{what} does not split over {axis}: {mixed.why}", span, help=mixed.fix)


def span_of(node: Node, model: Model) -> Span:
    """Return where a node comes from: its statement, or that of the first that reads it."""
    if node.origin is not None:
        return node.origin.span
    declared = [one for one in (*model.inputs, *model.params, *model.outputs) if one.node is node]
    return declared[0].span if declared else model.span


def plan_chunked(compiled: Compiled, options: Options) -> tuple[Chunked, ...]:
    """Plan all derived functions by chunks; raises GraphError with all that do not split."""
    model = compiled.model
    axis = axis_of(model, options.split)
    scope = Identifiers({*MODULE, *compiled.begin.values, *compiled.begin.records.values()})
    scope.taken |= {one.name for one in compiled.derived}
    wrong: list[Diagnostic] = []
    found: list[Chunked] = []
    for one, derived in zip(model.derivations, compiled.derived, strict=True):
        if not has_chunks(one):
            continue
        try:
            made = pieces_of(model, one, axis, [options.mode] if options.mode else MODES)
        except NotApart as why:
            wrong.append(refusal(model, why.mixed, options.split, f"`{one.name}`"))
            continue
        found.append(_plan(compiled, derived, made, options, scope))
    if wrong:
        raise GraphError(dict.fromkeys(wrong))
    return tuple(found)


def has_chunks(one: Derivation) -> bool:
    """True if a function has a form for chunks: not those that are given something of all rows."""
    return not one.kind.given and one.kind.returns != "sparse"


def _plan(
    compiled: Compiled, of: Derived, made: Pieces, options: Options, scope: Identifiers
) -> Chunked:
    begin = compiled.begin
    part = "".join(word[:1].upper() + word[1:] for word in of.name.split("_")) + "Part"
    partial, combine, finish = (scope.fresh(f"{word}_{of.name}") for word in WORDS)
    graph = rewritten(replace(made.partial, name=partial), PASSES)
    graph = rewritten(graph, passes_of(options, options.at.derived))
    planned = plan_graph(
        graph, sources_of(compiled.model, begin), begin, PARTIAL, (), {}, options=options
    )
    names = tuple(field_names(flat(one.key.label) for one in made.fields))
    dims = {str(one.node.attrs["value"]) for one in made.fields if one.node.op is DIM} - {
        str(made.axis)
    }
    taken = {*begin.taken, *begin.fields.values()}
    local = Identifiers({*taken, *names})
    places = [
        tuple(word if word in dims else local.fresh(f"{word}_{side}") for side in ("a", "b"))
        for word in names
    ]
    first, second = ([place[side] for place in places] for side in (0, 1))
    given = dict(zip((*made.first, *made.second), (*first, *second), strict=True))
    measure = options.to.measure
    merge = plan(rewritten(made.combine, PASSES), given, measure, taken=taken)
    ends = dict(zip(made.ends, names, strict=True))
    last = plan(rewritten(made.finish, PASSES), ends, measure, taken=taken)
    return Chunked(
        of, options.split, scope.fresh(part), planned, merge, last, (partial, combine, finish),
        tuple(
            Contribution(
                name, one.key, graph.results[one.key], _said(one), one.axis,
                one.role == "derivative", *place,
            )
            for name, one, place in zip(names, made.fields, places, strict=True)
        ),
    )  # fmt: skip


WORDS = ("partial", "combine", "finish")
"""What the functions of a function by chunks are called, before its own name."""


def _said(one: Field) -> str:
    """Say how what two chunks have becomes one."""
    if one.axis is not None:
        return "rows of the chunk" if one.role == "rows" else "by the rows of the chunk"
    if one.role == "kept":
        return "the same in all chunks"
    return _MEANING.get(one.merge or "summed", str(one.merge))


_MEANING: Mapping[Merge, str] = {
    "summed": "summed",
    "averaged": "averaged over rows",
    "largest": "the largest, with ties",
    "smallest": "the smallest, with ties",
    "logsumexp": "merged by logsumexp",
    "moments": "merged by mean and variance",
    "norm": "merged as a norm",
    "product": "multiplied",
    "weighted": "averaged by softmax",
}
