"""One function a grammar rule: from the parser's stack to the records of the syntax tree."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from graphc.records import dataclass
from graphc.source import Diagnostic, GraphError, Source, Span, error
from graphc.syntax import tree
from graphc.syntax.lexing.literals import floating, integer, number_ends_in_point, string
from graphc.syntax.lexing.tokens import Token, token_span
from graphc.syntax.mistakes.error_site import NAME_IT, UNNAMED


@dataclass(slots=True)
class Piece:
    """A value on the parser's stack with its place, where the value itself does not tell it."""

    value: Any
    start: int
    end: int


@dataclass(slots=True)
class Draft:
    """The tree under construction: the source that spans refer to, and the mistakes so far.

    A mistake costs the tree its meaning but not its form: a stand-in takes the place of the node,
    so that the parser goes on and finds the next one.
    """

    source: Source
    mistakes: list[Diagnostic]

    def callbacks(self) -> SimpleNamespace:
        """Return what lark takes for a transformer: an attribute a rule."""
        return SimpleNamespace(**{rule: self._with_span(build) for rule, build in RULES.items()})

    def _with_span(self, build: Callable[..., Any]) -> Callable[[list[Any]], Any]:
        def callback(children: list[Any]) -> Any:
            start = end = 0
            for child in children:
                if child is not None:
                    start = start_of(child)
                    break
            for child in reversed(children):
                if child is not None:
                    end = end_of(child)
                    break
            span = Span(self.source, start, end)
            try:
                value = build(span, *[c.value if type(c) is Piece else c for c in children])
            except GraphError as mistake:
                self.mistakes.extend(mistake.diagnostics)
                value = tree.Name(span, "_")
            return value if getattr(value, "span", None) is span else Piece(value, start, end)

        return callback


def start_of(child: Any) -> int:
    if isinstance(child, str):
        start: int = child.start_pos  # type: ignore[attr-defined]  # a token
        return start
    start = child.start if type(child) is Piece else child.span.start
    return start


def end_of(child: Any) -> int:
    if isinstance(child, str):
        end: int = child.end_pos  # type: ignore[attr-defined]  # a token
        return end
    end = child.end if type(child) is Piece else child.span.end
    return end


def ident(span: Span, token: Token | None) -> Any:
    """Build the Ident of a token, None of none."""
    return tree.Ident(token_span(span.source, token), token.value) if token is not None else None


def nodes(children: tuple[Any, ...]) -> tuple[Any, ...]:
    """Leave out punctuation and absent children."""
    return tuple(c for c in children if c is not None and not isinstance(c, str))


def idents(span: Span, tokens: tuple[Any, ...]) -> tuple[tree.Ident, ...]:
    return tuple(
        ident(span, token) for token in tokens if token is not None and token.type == "NAME"
    )


# ---- expressions ----------------------------------------------------------------


def binary(span: Span, left: tree.Expr, operator: Token, right: tree.Expr) -> tree.Binary:
    return tree.Binary(span, operator.value, left, right)


def unary(span: Span, operator: Token, operand: tree.Expr) -> tree.Unary:
    return tree.Unary(span, operator.value, operand)


def call(
    span: Span,
    function: tree.Expr,
    opener: Token | None,
    arguments: tuple[tree.Argument, ...] | None,
    closer: Token | None,
    name: tree.Ident | None,
) -> tree.Call:
    if isinstance(function, tree.Number) and opener is not None:
        raise GraphError(
            [
                error(
                    "E103",
                    "multiplication is written `*`",
                    token_span(span.source, opener),
                    help=f"{function.span.text} * (...)",
                )
            ]
        )
    if name is not None:
        end = closer.end_pos if closer is not None else function.span.end
        span = Span(span.source, span.start, end or 0)
    return tree.Call(span, function, arguments or (), name, opener is not None)


def member(span: Span, value: tree.Expr, dot: Token, name: Token) -> tree.Member:
    if isinstance(value, tree.Number):
        raise GraphError(
            [number_ends_in_point(Span(span.source, value.span.start, dot.end_pos or 0))]
        )
    return tree.Member(span, value, ident(span, name))


def dotted_name(span: Span, *words: Token) -> tree.Name | tree.Member:
    value: tree.Name | tree.Member = tree.Name(token_span(span.source, words[0]), words[0].value)
    for word in words[2::2]:
        covered = Span(span.source, span.start, word.end_pos or 0)
        value = tree.Member(covered, value, ident(span, word))
    return value


def subscript(span: Span, value: tree.Expr, *indices: Any) -> tree.Subscript:
    return tree.Subscript(span, value, nodes(indices))


def slice_(span: Span, start: Any, _1: Any, stop: Any, _2: Any, step: Any) -> tree.Slice:
    return tree.Slice(span, start, stop, step)


def type_of(span: Span, first: Any, shape: Any = None) -> tree.TypeOf:
    if isinstance(first, tuple):
        return tree.TypeOf(span, None, first)
    return tree.TypeOf(span, ident(span, first), shape)


# ---- chains -----------------------------------------------------------------------


def pipe(span: Span, *stages: Any) -> tuple[tree.Stage, ...]:
    """Return the stages between braces or commas: none of them may be a `next`."""
    found = nodes(stages)
    refuse_next(found)
    return found


def refuse_next(stages: tuple[Any, ...]) -> None:
    mistakes = [
        error(
            "E106",
            f"`next {stage.name.text}` can only end a chain",
            stage.span,
            help=f"end this chain in a name, then write `next {stage.name.text} = name`",
        )
        for stage in stages
        if isinstance(stage, tree.NextStage)
    ]
    if mistakes:
        raise GraphError(mistakes)


def chain(span: Span, sources: tuple[tree.Expr, ...], *rest: Any) -> tree.Chain | tree.Name:
    *between, _comma, names, type_, doc = rest
    *stages, last = nodes(tuple(between))
    refuse_next(tuple(stages))
    if isinstance(last, tree.NextStage):
        if names is not None or type_ is not None:
            named = "".join(f", {name.text}" for name in names or ())
            raise GraphError(
                [
                    error(
                        "E106",
                        "a chain that ends in `next` updates one carried name and has no type",
                        last.span.to(names[-1].span if names else type_.span),
                        help=f"write `... -> new`, then `next {last.name.text}{named} = ...`",
                    )
                ]
            )
        return tree.Chain(span, sources, (*stages, last), (), None, string(span, doc))
    if isinstance(last, tree.Name):  # stands in for a stage with a mistake
        return last
    plain = isinstance(last, tree.Call) and not last.parentheses and last.name is None
    if not plain or not isinstance(last.function, tree.Name):
        raise GraphError([error("E106", UNNAMED, last.span, help=NAME_IT)])
    target = tree.Ident(last.span, last.function.text)
    targets = (target, *(names or ()))
    return tree.Chain(span, sources, tuple(stages), targets, type_, string(span, doc))


# ---- statements ---------------------------------------------------------------------

REMEDIES: dict[type, str] = {
    tree.Subscript: "values never change: define a new name, e.g. with `where` or `concat`",
    tree.Call: "a block is written `block name(x: [...]) -> y: [...] { ... }`",
    tree.Member: "a node's name has no dots",
}


def equation(span: Span, left: tuple[Any, ...], type_: Any, value: Any, doc: Any) -> tree.Equation:
    mistakes = [
        error(
            "E106",
            "the left side of `=` is a name, or names with commas between them",
            target.span,
            help=REMEDIES.get(type(target)),
        )
        for target in left
        if not isinstance(target, tree.Name)
    ]
    if mistakes:
        raise GraphError(mistakes)
    targets = tuple(tree.Ident(target.span, target.text) for target in left)
    return tree.Equation(span, targets, type_, value, string(span, doc))


def dims(span: Span, _dim: Token, *rest: Any) -> tree.DimDeclaration:
    return tree.DimDeclaration(
        span, tuple(c for c in rest if isinstance(c, tuple)), string(span, rest[-1])
    )


def import_from(span: Span, _from: Token, path: Token, *rest: Any) -> tree.FromImport:
    return tree.FromImport(span, string(span, path), nodes(rest))


def carries(span: Span, word: Token, *rest: Any) -> tuple[tree.Carry, ...]:
    first, *others = nodes(rest)
    covered = Span(span.source, span.start, first.span.end)
    return (tree.Carry(covered, first.name, first.start), *others)


def path(span: Span, *words: Any) -> tree.Path:
    named = tuple(word.value for word in words if word is not None and word.type in ("NAME", "INT"))
    return tree.Path(span, named, words[-1] is not None and words[-1].type == "STARS")


# The functions' parameters are the children in the order of the grammar, keywords, punctuation and
# None for what was left out included; `_` in a lambda is one that does not matter.
RULES: dict[str, Callable[..., Any]] = {
    "start": lambda span, statements: statements or (),
    "stmts": lambda span, *children: nodes(children),
    "doc": lambda span, token: tree.Doc(span, string(span, token).value),
    "import_as": lambda span, _1, file, _2, name: tree.Import(
        span, string(span, file), ident(span, name)
    ),
    "import_from": import_from,
    "alias": lambda span, name, alias: (ident(span, name), alias or ident(span, name)),
    "dims": dims,
    "dimdef": lambda span, name, value: (ident(span, name), value),
    "const": lambda span, _, name, type_, value, doc: tree.Const(
        span, ident(span, name), type_, value, string(span, doc)
    ),
    "input": lambda span, _, names, type_, doc: tree.Input(span, names, type_, string(span, doc)),
    "param": lambda span, _1, names, type_, _2, value, doc: tree.Param(
        span, names, type_, value, string(span, doc)
    ),
    "output": lambda span, _, names, type_, value, doc: tree.Output(
        span, names, type_, value, string(span, doc)
    ),
    "instance": lambda span, _, name, value, doc: tree.Instance(
        span, ident(span, name), value, string(span, doc)
    ),
    "require": lambda span, _, condition, doc: tree.Require(span, condition, string(span, doc)),
    "equation": equation,
    "chain": chain,
    "next": lambda span, _1, names, _2, values: tree.Next(span, names, values),
    "collect": lambda span, _, name, value: tree.Collect(span, ident(span, name), value),
    "until": lambda span, _, condition: tree.Until(span, condition),
    "rule": lambda span, _, kind, name, value: tree.Rule(
        span, ident(span, kind), ident(span, name), value
    ),
    "block": lambda span, _1, name, _2, ports, _3, _4, results, body: tree.Block(
        span, ident(span, name), ports or (), results, body
    ),
    "outs": lambda span, *children: nodes(children),
    "ports": lambda span, *children: nodes(children),
    "port": lambda span, name, type_, default, doc: tree.Port(
        span, ident(span, name), type_, default, string(span, doc)
    ),
    "repeat": lambda span, _, family, carries, body: tree.Repeat(span, family, carries or (), body),
    "scan": lambda span, _, family, carries, body: tree.Scan(span, family, carries or (), body),
    "family": lambda span, name, _1, index, _2, bounds, _3: tree.Family(
        span, ident(span, name), ident(span, index), *bounds
    ),
    "range": lambda span, first, _, last: (first, last),
    "carries": carries,
    "carry": lambda span, name, value: tree.Carry(span, ident(span, name), value),
    "if_": lambda span, _, condition, body, orelse: tree.If(span, condition, body, orelse or ()),
    "else_": lambda span, _, body: body if isinstance(body, tuple) else (body,),
    "derive": lambda span, _1, kind, outputs, _2, wrt, _3, per, name: tree.Derive(
        span, ident(span, kind), outputs, wrt or (), ident(span, per), name
    ),
    "typed": lambda span, _, type_: type_,
    "given": lambda span, _, value: value,
    "named": lambda span, _, name: ident(span, name),
    "body": lambda span, _1, statements, _2: statements or (),
    "paths": lambda span, *children: nodes(children),
    "path": path,
    "stage_call": call,
    "residual": lambda span, _1, _2, stages, _3: tree.Residual(span, stages),
    "rep_stage": lambda span, _1, family, _2, stages, _3: tree.RepeatStage(span, family, stages),
    "fork": lambda span, *children: tree.Fork(span, nodes(children)),
    "next_stage": lambda span, _, name: tree.NextStage(span, ident(span, name)),
    "pipe": pipe,
    "dotted": dotted_name,
    "type": type_of,
    "shape": lambda span, *children: nodes(children),
    "exprs": lambda span, *children: nodes(children),
    "names": lambda span, *children: idents(span, children),
    "or_": binary,
    "and_": binary,
    "cmp": binary,
    "sum": binary,
    "term": binary,
    "power": binary,
    "logical_not": unary,
    "sign": unary,
    "call": call,
    "subscript": subscript,
    "member": member,
    "name": lambda span, token: tree.Name(span, token.value),
    "int": integer,
    "float": floating,
    "string": lambda span, token: tree.Text(span, string(span, token).value),
    "true": lambda span, token: tree.Truth(span, True),
    "false": lambda span, token: tree.Truth(span, False),
    "group": lambda span, _1, inner, _2: inner,
    "list": lambda span, *children: tree.ListOf(span, nodes(children)),
    "args": lambda span, *children: nodes(children),
    "positional": lambda span, value: tree.Argument(span, None, value),
    "kwarg": lambda span, name, value: tree.Argument(span, ident(span, name), value),
    "slice": slice_,
    "dots": lambda span, token: tree.Dots(span),
    "newaxis": lambda span, token: tree.NewAxis(span),
}
