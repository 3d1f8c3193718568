"""What a file consists of: its statements as an outline, and what can be folded."""

from __future__ import annotations

from collections.abc import Iterator

from graphc.elaborate.names.references import defined_names
from graphc.records import dataclass
from graphc.source import Source, Span
from graphc.syntax import tree
from graphc.syntax.format.canonical import one_line


@dataclass(frozen=True, slots=True)
class Item:
    """A name in the outline: its kind, a few words, all of its text, and what is in it."""

    name: str
    kind: str
    detail: str
    whole: Span
    place: Span
    inside: tuple[Item, ...] = ()


KINDS = {
    tree.Input: "input",
    tree.Param: "parameter",
    tree.Output: "output",
    tree.Const: "constant",
    tree.DimDeclaration: "dim",
    tree.Instance: "instance",
    tree.Repeat: "loop",
    tree.Scan: "loop",
}


def outline(statements: tuple[tree.Statement, ...]) -> tuple[Item, ...]:
    """List what statements define, in the order of the text."""
    return tuple(item for statement in statements for item in _items(statement))


def _items(statement: tree.Statement) -> Iterator[Item]:
    match statement:
        case tree.Block(name=name, body=body):
            head = Span(statement.span.source, statement.span.start, statement.results[-1].span.end)
            yield Item(
                name.text, "block", one_line(head.text), statement.span, name.span, outline(body)
            )
        case tree.Repeat(family=family, body=body) | tree.Scan(family=family, body=body):
            detail = one_line(family.span.text)
            yield Item(
                family.name.text, "loop", detail, statement.span, family.name.span, outline(body)
            )
        case tree.If(body=body, orelse=orelse):
            yield from outline((*body, *orelse))
        case tree.Import(name=name):
            yield Item(name.text, "file", statement.path.value, statement.span, name.span)
        case tree.FromImport(names=names):
            for _, alias in names:
                yield Item(alias.text, "block", statement.path.value, statement.span, alias.span)
        case tree.Derive(kind=kind):
            shown = one_line(statement.span.text)
            yield Item(shown, "function", "", statement.span, kind.span)
        case tree.Output(names=names, value=None):
            for name in names:
                yield Item(name.text, "output", "", statement.span, name.span)
        case _:
            detail = one_line(statement.span.text, 24)
            what = KINDS.get(type(statement), "value")
            for one in defined_names(statement):
                yield Item(one.text, what, detail, statement.span, one.span)


def folds(source: Source, statements: tuple[tree.Statement, ...]) -> list[tuple[int, int, str]]:
    """List the lines, from 0, that fold into their first: bodies, and comments in a row."""
    found = []
    pending = list(statements)
    while pending:
        one = pending.pop()
        first, last = source.position(one.span.start)[0], source.position(one.span.end)[0]
        if last > first:
            found.append((first - 1, last - 1, "region"))
        if isinstance(one, tree.Block | tree.Repeat | tree.Scan):
            pending.extend(one.body)
        elif isinstance(one, tree.If):
            pending.extend((*one.body, *one.orelse))
    start = None
    lines = [*source.text.split("\n"), ""]
    for number, line in enumerate(lines):
        if line.lstrip().startswith("#"):
            start = number if start is None else start
        elif start is not None:
            if number - 1 > start:
                found.append((start, number - 1, "comment"))
            start = None
    return sorted(set(found))
