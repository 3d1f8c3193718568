"""`derive` clauses: which functions to add, of which outputs and with respect to which nodes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from graphc.elaborate.names.model import Declared, Derivation
from graphc.elaborate.names.scope import (
    Context,
    Scope,
    mistake,
    parameter,
    parameter_paths,
)
from graphc.ir.dims import Dim
from graphc.ir.graph import Node
from graphc.kinds import ALONE, BACKWARD, CLAUSES, GRAD, Kind, add_values
from graphc.names import ARGUMENTS, MODULE, identifier
from graphc.names import Identifiers as Names
from graphc.ops.shape.members import family_of
from graphc.paths import below, is_family, meanings
from graphc.source import Diagnostic, Source, Span, did_you_mean, error, near_or_all
from graphc.syntax import tree

WITH_VALUES = {
    add_values(kind).name: f"`{kind.name}` returns the values already"
    for kind in ALONE
    if kind.has_values
}
GROUPS = {"params": "parameters", "inputs": "float inputs"}
WITH_PER = tuple(kind.name for kind in ALONE if kind.per)


def resolve_clause(context: Context, scope: Scope, clause: tree.Derive) -> Derivation:
    """Resolve a clause."""
    word = clause.kind.text
    kind = CLAUSES.get(word)
    if kind is None:
        kinds = f"the kinds are {', '.join(f'`{one.name}`' for one in ALONE)}"
        near = WITH_VALUES.get(word) or did_you_mean(word, CLAUSES) or kinds
        raise mistake("E401", f"unknown derivative `{word}`", clause.kind.span, near)
    if not kind.order and clause.wrt:
        message = f"`{word}` is no derivative: it takes no `wrt`"
        raise mistake("E403", message, clause.wrt[0].span, "write `grad` or `value_and_grad`")
    outputs = [_output(context, scope, name) for name in clause.outputs]
    _check_once(clause.outputs)
    if kind.order:
        _check_outputs(kind.base, clause, outputs)
    wrt = _wrt(context, scope, clause)
    per = None if clause.per is None else _per(context, kind.base, clause, clause.per, outputs)
    if kind.order:
        _check_reach(context, clause, outputs, wrt)
    names = [name.text for name in clause.outputs]
    called = clause.name.text if clause.name else "_".join([word, *names])
    chosen = tuple(zip(names, outputs, strict=True))
    place = clause.name.span if clause.name else clause.span
    if kind is BACKWARD:
        if clause.name:
            message = "`backward` is called so in every module"
            help = "leave out `as`; a `vjp` is a function of its own name"
            raise mistake("E407", message, place, help)
        return Derivation(kind, chosen, tuple(wrt.items()), kind.name, clause.span)
    _check_name(context, called, place)
    return Derivation(kind, chosen, tuple(wrt.items()), identifier(called), clause.span, per)


def _check_once(names: Sequence[tree.Ident]) -> None:
    """Refuse an output that a clause names twice: results are by name."""
    seen: set[str] = set()
    for name in names:
        if name.text in seen:
            raise mistake("E403", f"`{name.text}` stands twice in this clause", name.span)
        seen.add(name.text)


def _check_name(context: Context, called: str, place: Span) -> None:
    """Refuse a name that the module has for itself, or that is an argument of functions."""
    reserved = called in MODULE | ARGUMENTS or called.startswith("_")
    dim = context.dims.get(identifier(called))
    if reserved or (dim is not None and dim.fixed is None):
        whose = "of the module's own" if reserved else "of a dim, which functions take by it"
        message = f"`{called}` is a name {whose}"
        raise mistake("E407", message, place, f"write `as {called.strip('_')}_2`")


def _check_outputs(kind: Kind, clause: tree.Derive, outputs: Sequence[Node]) -> None:
    """Refuse outputs that are not float, or no scalar where there must be one."""
    for name, node in zip(clause.outputs, outputs, strict=True):
        if kind.of_scalar and node.rank and node.type.dtype == "float":
            instead = f"use `{kind.instead}`, or " if kind.instead else ""
            raise mistake(
                "E402", f"{kind.name} needs a scalar, `{name.text}` is {node.type}", name.span,
                f"{instead}reduce it with sum or mean",
            )  # fmt: skip
        if node.type.dtype != "float":
            raise mistake(
                "E403",
                f"`{name.text}` is {node.type}: only floats have derivatives",
                name.span,
            )
    if kind.of_scalar and len(outputs) > 1:
        raise mistake(
            "E402",
            f"{kind.name} is of one output",
            clause.outputs[1].span,
            "one derive clause each",
        )


def _per(
    context: Context,
    kind: Kind,
    clause: tree.Derive,
    ident: tree.Ident,
    outputs: Sequence[Node],
) -> Dim:
    """Return the dim whose axis is kept apart; outputs that are not scalars have it once."""
    if not kind.per:
        message = f"`per` goes with {', '.join(WITH_PER)}, not with `{kind.name}`"
        raise mistake("E408", message, ident.span, kind.instead_of_per)
    symbols = {info.name: info.symbol for info in context.dims.values()}
    if ident.text not in symbols:
        near = near_or_all(ident.text, symbols, "the dims of this file")
        raise mistake("E408", f"no dim `{ident.text}`", ident.span, near)
    context.read.add(ident.text)
    dim = symbols[ident.text]
    for name, node in zip(clause.outputs, outputs, strict=True):
        times = sum(axis == dim for axis in node.shape)
        if times != 1 and not kind.of_scalar:
            found = "has no axis" if not times else f"has {times} axes"
            raise mistake("E408", f"`{name.text}`: {node.type} {found} {ident.text}", name.span)
    return dim


def check_distinct(derivations: Sequence[Derivation]) -> list[Diagnostic]:
    """Report functions of one name, at the place of the second."""
    first: dict[str, Derivation] = {}
    found = []
    for one in derivations:
        if one.name in first:
            message = f"two derived functions are called `{one.name}`"
            found.append(error("E407", message, one.span, help="name one of them: `… as name`"))
        first.setdefault(one.name, one)
    return found


def default_wrt(context: Context) -> dict[str, Node]:
    """Return the parameters, or the float inputs where there are none."""
    sources = context.params or context.inputs
    return {name: d.node for name, d in sources.items() if d.type.dtype == "float"}


def default_backward(context: Context, outputs: Sequence[Declared]) -> Derivation:
    """Return what `backward` is where no clause says it: of all float outputs, if there are any."""
    floats = tuple((d.name, d.node) for d in outputs if d.type.dtype == "float")
    wrt = default_wrt(context) if floats else {}
    return Derivation(BACKWARD, floats, tuple(wrt.items()), BACKWARD.name, None)


def default_derivation(context: Context) -> list[Derivation]:
    """Return `value_and_grad` of the scalar output, where there is exactly one."""
    scalars = [
        d for d in context.outputs.values() if not d.node.rank and d.node.type.dtype == "float"
    ]
    wrt = default_wrt(context)
    if len(scalars) != 1 or not wrt:
        return []
    name, node = scalars[0].name, scalars[0].node
    kind = add_values(GRAD)
    called = Names(context.dims).fresh(f"{kind.name}_{name}")
    return [Derivation(kind, ((name, node),), tuple(wrt.items()), called, None)]


def expose(context: Context, scope: Scope, clause: tree.Derive) -> None:
    """Make outputs of the values that a clause is of: one that does not stand in the file."""
    for name in clause.outputs:
        entry = scope.entries.get(name.text)
        node = entry.value if entry is not None else None
        if entry is not None and isinstance(node, Node) and name.text not in context.outputs:
            context.read.add(name.text)
            context.outputs[name.text] = Declared(name.text, node, node.type, entry.span, "")


def _output(context: Context, scope: Scope, name: tree.Ident) -> Node:
    entry = scope.entries.get(name.text)
    if entry is not None:
        entry.require_sound()
    if name.text not in context.outputs:
        if entry is not None and isinstance(entry.value, Node):
            raise mistake(
                "E405",
                f"`{name.text}` is not an output",
                name.span,
                f"declare it: `output {name.text}`",
            )
        raise mistake(
            "E200",
            f"unknown output `{name.text}`",
            name.span,
            near_or_all(name.text, context.outputs, "the outputs of this file"),
        )
    return context.outputs[name.text].node


def _wrt(context: Context, scope: Scope, clause: tree.Derive) -> dict[str, Node]:
    if not clause.wrt:
        return default_wrt(context)
    chosen: dict[str, Node] = {}
    meant: dict[str, str] = {}  # by path or family, what has been chosen of it
    for path in clause.wrt:
        for name, node in _nodes(context, scope, path).items():
            twice = meant.get(name) or next((one for one in meanings(name) if one in chosen), None)
            if twice is not None:
                shown = name if is_family(twice) else twice
                raise mistake("E403", f"`{shown}` stands twice after `wrt`", path.span)
            if node.type.dtype != "float":
                message = f"`{name}` is {node.type}: only floats have derivatives"
                raise mistake("E403", message, path.span, f"leave it out: `wrt` without `{name}`")
            chosen[name] = node
            for one in meanings(name):
                meant.setdefault(one, name)
    if not chosen:
        group = clause.wrt[0]
        word = group.words[0]
        message = f"`{word}` names nothing: the file has no {GROUPS[word]}"
        raise mistake("E403", message, group.span)
    return chosen


def _nodes(context: Context, scope: Scope, path: tree.Path) -> Mapping[str, Node]:
    """Return the nodes that a path names: a group, everything below a prefix, or one node."""
    shown = ".".join(path.words)
    if shown in GROUPS and not path.star and scope.find(shown) is not None:
        message = f"`{shown}` is a name of this file, and means all {GROUPS[shown]} here"
        raise mistake("E403", message, path.span, f"call what the file defines `{shown}_`")
    if path.words == ("params",) and not path.star:
        return {name: d.node for name, d in context.params.items()}
    if path.words == ("inputs",) and not path.star:
        return {name: d.node for name, d in context.inputs.items() if d.type.dtype == "float"}
    if path.star:
        named = [one for name in context.params if (one := below(name, path.words))]
        found = {one: node for one in named if (node := parameter(context, one))}
        if found:
            return found
        _require_sound(scope, path)
        prefixes = {n[:i] for n in context.params for i, c in enumerate(n) if c == "."}
        near = did_you_mean(shown, {*prefixes, *scope.visible()})
        raise mistake("E403", f"no parameter under `{shown}`", path.span, near)
    node = parameter(context, shown)
    if node is not None:
        return {shown: node}
    _require_sound(scope, path)
    if shown in context.nodes:
        return {shown: context.nodes[shown]}
    known = dict.fromkeys([*parameter_paths(context), *_written_paths(context, path.span.source)])
    near = near_or_all(shown, known, "there are")
    raise mistake("E403", f"no parameter or node `{shown}`", path.span, near)


def _require_sound(scope: Scope, path: tree.Path) -> None:
    """Say nothing of a path whose first name is that of a wrong statement."""
    entry = scope.find(path.words[0])
    if entry is not None:
        entry.require_sound()


def _written_paths(context: Context, text: Source) -> Iterator[str]:
    """Yield the paths of nodes that the text names: not those inside standard blocks."""
    words = set(re.findall(r"\w+", text.text))
    for path, node in context.nodes.items():
        *outer, last = path.split(".")
        elsewhere = outer and node.origin is not None and node.origin.span.source is not text
        if not elsewhere and context.names.get(node) == path and last in words:
            yield path


def _check_reach(
    context: Context, clause: tree.Derive, outputs: list[Node], wrt: Mapping[str, Node]
) -> None:
    """Refuse paths that reach no output: a derivative that is zero throughout is a mistake."""
    reached = set(outputs)
    pending = list(outputs)
    while pending:
        for arg in pending.pop().args:
            if arg not in reached and arg.type.dtype == "float":
                reached.add(arg)
                pending.append(arg)
    spans: dict[str, Span] = {
        ".".join(path.words): path.span for path in clause.wrt if not path.star
    }
    for name, node in wrt.items():
        if name in spans and family_of(node) not in reached:
            outputs_named = ", ".join(f"`{ident.text}`" for ident in clause.outputs)
            raise mistake(
                "E406",
                f"`{name}` does not reach {outputs_named}: its derivative is zero",
                spans[name],
            )
