"""Tree -> Model: a file with its blocks, elaborated, its fixed dims substituted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path, PurePath

from graphc.elaborate.expressions.expressions import evaluate
from graphc.elaborate.lint.unused import find_warnings
from graphc.elaborate.names.imports import Loader, read_namespace
from graphc.elaborate.names.model import Condition, Declared, Derivation, Model
from graphc.elaborate.names.references import defined_names
from graphc.elaborate.names.scope import Context, Entry, Mistake, Scope, Silent
from graphc.elaborate.names.standard import StandardBlocks
from graphc.elaborate.statements.body import run_body
from graphc.elaborate.statements.derive import (
    check_distinct,
    default_backward,
    default_derivation,
    expose,
    resolve_clause,
)
from graphc.elaborate.values.conditions import learn_conditions
from graphc.ir.graph import Graph, Node
from graphc.ir.rebuild import rebuild
from graphc.ir.specialise import specialise
from graphc.ir.verify import verifying
from graphc.kinds import BACKWARD
from graphc.records import dataclass, replace
from graphc.resources import grammar_text
from graphc.source import Diagnostic, GraphError, Source, Span, error, near_or_all
from graphc.syntax import tree
from graphc.syntax.parse.parser import parse

VALUES = "a const is a number, true or false, a string or a list"


@dataclass(frozen=True, slots=True)
class Elaborated:
    """What could be made of a file, and all there is to say of the rest.

    Without mistakes there is a `model`. `names` are those of the file's own scope, `occurrences`
    all names in the text by place: what each stands for, and where that is defined.
    """

    model: Model | None
    names: Mapping[str, Entry]
    occurrences: Mapping[Span, Entry]
    diagnostics: tuple[Diagnostic, ...]

    @property
    def sound(self) -> Model:
        """Return the model; raises GraphError with every mistake, in the order of the text."""
        if self.model is None:
            raise GraphError(self.diagnostics)
        return self.model


def _graphs(found: Elaborated) -> tuple[Graph, ...]:
    return () if found.model is None else (found.model.graph,)


@verifying(_graphs)
def elaborate(
    file: tree.File,
    *,
    dims: Mapping[str, int] | None = None,
    consts: Mapping[str, tree.Expr] | None = None,
    dtype: str = "float64",
    derive: Sequence[tree.Derive] = (),
    folder: Path | None = None,
    only_rule: str = "",
) -> Elaborated:
    """Elaborate a file: its model, or every mistake in the order of the text; and its names.

    `dims` and `consts` override declarations of the file, `derive` its clauses, which may be of any
    value that the file names: it becomes an output. Imports are relative to `folder`. Of the rules
    of blocks `only_rule` counts alone, given by its place, where it is given. Call it inside
    `building()`.
    """
    loader = Loader()
    scope = Scope("", read_namespace(file, folder, loader))
    context = Context(
        dtype, dict(dims or {}), {}, evaluate, run_body, diagnostics=loader.diagnostics
    )
    context.only_rule = only_rule
    context.standard = StandardBlocks()
    for name, expr in (consts or {}).items():
        try:
            context.const_values[name] = evaluate(context, Scope("", scope.space), expr)
        except Mistake as wrong:
            unknown = wrong.diagnostic.code == "E200"
            known = replace(wrong.diagnostic, notes=()).with_help(VALUES)
            context.diagnostics.append(known if unknown else wrong.diagnostic)
    context.file_names = frozenset(name.text for s in file.statements for name in defined_names(s))
    _check_overrides(context, file)
    run_body(context, scope, file.statements)
    for clause in derive:
        expose(context, scope, clause)
    clauses = derive or [s for s in file.statements if isinstance(s, tree.Derive)]
    derivations: list[Derivation] = []
    for clause in clauses:
        try:
            derivations.append(resolve_clause(context, scope, clause))
        except Mistake as wrong:
            context.diagnostics.append(wrong.diagnostic)
        except Silent:
            pass
    context.diagnostics.extend(check_distinct(derivations))
    if not context.outputs and not context.diagnostics:
        context.diagnostics.append(_without_output(file))
    model = None
    if not context.diagnostics:
        imported = tuple(space.source for space in loader.loaded.values())
        asked = derivations if clauses else default_derivation(context)
        model = _model(context, file, imported, asked)
    said = tuple(_sort_by_place(file.span.source, context.diagnostics))
    return Elaborated(model, scope.entries, context.occurrences, said)


BLOCKS_ALONE = "E222"
"""The code of a file that others import: to compile it is a mistake, and to check it none."""


def _without_output(file: tree.File) -> Diagnostic:
    end = len(file.span.text.rstrip())
    place = Span(file.span.source, end, end)
    if any(isinstance(one, tree.Block) for one in file.statements) and all(
        isinstance(one, tree.Block | tree.Import | tree.FromImport | tree.Doc)
        for one in file.statements
    ):
        help = "import them into another, or declare an output: `output y = ...`"
        return error(BLOCKS_ALONE, "the file has blocks alone, and no output", place, help=help)
    return error("E220", "the file has no output", place, help="declare one: `output y = ...`")


@cache
def standard() -> tree.File:
    """Parse the blocks that ship with graphc."""
    return parse(Source("std.graph", grammar_text("std.graph")))


def _check_overrides(context: Context, file: tree.File) -> None:
    """Report options that override what the file does not declare."""
    declared = {
        "--dim": {
            n.text for s in file.statements if isinstance(s, tree.DimDeclaration) for n, _ in s.dims
        },
        "--const": {s.name.text for s in file.statements if isinstance(s, tree.Const)},
    }
    for option, given in (("--dim", context.dim_values), ("--const", context.const_values)):
        for name in given:
            if name not in declared[option]:
                other = "--const" if option == "--dim" else "--dim"
                near = near_or_all(name, sorted(declared[option]), "there are")
                if name in declared[other]:
                    near = f"it is a {other[2:]}: write `{other} {name}={given[name]}`"
                message = f"{option} {name}: the file declares no such {option[2:]}"
                context.diagnostics.append(error("E217", message, None, help=near))


def _sort_by_place(source: Source, diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Sort by place, without repetition; what lies in another file stays where it is."""
    unique = list(dict.fromkeys(diagnostics))

    def place(diagnostic: Diagnostic) -> int:
        own = diagnostic.span is not None and diagnostic.span.source is source
        return diagnostic.span.start if own and diagnostic.span else -1

    return sorted(unique, key=place)


# ---- the model ----------------------------------------------------------------------------------


def _model(
    context: Context,
    file: tree.File,
    imported: tuple[Source, ...],
    derivations: Sequence[Derivation],
) -> Model:
    """Build the model: declarations, with the dims that have a value substituted in the nodes."""
    outputs = _order_outputs(context, file)
    stated = [one for one in derivations if one.kind is BACKWARD]
    backward = stated[0] if stated else default_backward(context, outputs)
    derivations = [one for one in derivations if one.kind is not BACKWARD]
    conditions = _conditions(context)
    learn_conditions(conditions)
    wanted = [d.node for group in (context.inputs, context.params) for d in group.values()]
    wanted += [d.node for d in outputs] + [n for d in (backward, *derivations) for n in d.nodes]
    new = rebuild(wanted, lambda node, args: specialise(node, args, context.fixed))

    def substitute(declared: Iterable[Declared]) -> tuple[Declared, ...]:
        return tuple(replace(d, node=new[d.node]) for d in declared)

    docs = [s.text for s in file.statements if isinstance(s, tree.Doc)]
    source = file.span.source
    return Model(
        name="graph" if source.name.startswith("<") else PurePath(source.name).stem,
        doc=docs[0] if docs else "",
        source=source,
        dtype=context.dtype,
        dims=tuple(
            d for d in context.dims.values() if d.fixed is not None or d.name in context.read
        ),
        inputs=substitute(context.inputs.values()),
        params=substitute(context.params.values()),
        outputs=substitute(outputs),
        names={n: name for node, name in context.names.items() for n in _both(node, new)},
        conditions=conditions,
        backward=backward.with_nodes(new),
        derivations=tuple(d if d.per is not None else d.with_nodes(new) for d in derivations),
        warnings=find_warnings(context, file),
        surrogate=context.surrogate,
        rules=tuple(context.rules.values()),
        imported=imported,
    )


def _both(node: Node, new: Mapping[Node, Node]) -> set[Node]:
    """Return a node with its dims as symbols, and with their values."""
    return {node, new[node]} if node in new else set()


def _order_outputs(context: Context, file: tree.File) -> list[Declared]:
    return sorted(context.outputs.values(), key=lambda d: d.span.start)


def _conditions(context: Context) -> tuple[Condition, ...]:
    kept = [condition.substitute(context.fixed) for condition in context.conditions]
    return tuple({(c.dim, c.zero, c.steps): c for c in kept if c.dim.constant is None}.values())
