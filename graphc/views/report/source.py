"""The panel of the source: its lines, coloured, with what each defines and what is wrong there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import PurePath

from graphc.highlight import coloured
from graphc.source import Diagnostic, Source, Span
from graphc.views.report.links import Links, Of
from graphc.views.report.markup import Markup, element, joined, quoting

COLOURED = 3000
"""Lines of a text that are coloured, at most."""

Spans = Mapping[tuple[int, int], str]
"""Names of the graph by the place in the text where they are written."""


def tell_source(
    source: Source,
    links: Links | None,
    written: Spans,
    diagnostics: Sequence[Diagnostic] = (),
) -> Markup:
    """Write the lines of a source; below a line stands what is wrong in it."""
    defined: dict[int, dict[str, None]] = {}
    for name, lines in (links.lines if links else {}).items():
        for line in lines:
            defined.setdefault(line, {})[name] = None
    wrong: dict[int, list[Diagnostic]] = {}
    spans = []
    for one in diagnostics:
        if one.span is not None and one.span.source is source:
            wrong.setdefault(one.span.line, []).append(one)
            spans += [one.span] if one.severity == "error" else []
    rows = []
    plain = source.text.count("\n") > COLOURED
    tokens = [(0, source.text, "")] if plain else coloured(source.text)
    named = ((at, text, colour, written.get((at, at + len(text)))) for at, text, colour in tokens)
    for number, content in enumerate(split_lines(_underlined(named, spans)), 1):
        of = Of(tuple(reversed(defined.get(number, ()))))  # what it ends in comes first
        marked = " wrong" if number in wrong else ""
        rows.append(line_of(content, of, marked, f"line-{number}"))
        rows += [_diagnostic(one) for one in wrong.get(number, ())]
    return listing(rows)


Token = tuple[str, str, str | None]
"""A text, its colour, and the name of the graph that it is."""

WRONG = "wrong"
"""The colour of what a mistake is about."""


def _underlined(
    tokens: Iterable[tuple[int, str, str, str | None]], spans: Sequence[Span]
) -> Iterator[Token]:
    """Yield tokens, cut where spans begin and end, with what lies in one as WRONG."""
    ends = sorted({end for one in spans for end in (one.start, max(one.end, one.start + 1))})
    for at, text, colour, name in tokens:
        cuts = [at, *(end for end in ends if at < end < at + len(text)), at + len(text)]
        for start, stop in pairwise(cuts):
            inside = any(one.start <= start < max(one.end, one.start + 1) for one in spans)
            yield text[start - at : stop - at], WRONG if inside else colour, name


def split_lines(tokens: Iterable[Token]) -> list[list[Token]]:
    """Split tokens at the ends of lines."""
    lines: list[list[Token]] = [[]]
    for text, colour, name in tokens:
        first, *others = text.split("\n")
        lines[-1].append((first, colour, name))
        lines += [[(other, colour, name)] for other in others]
    return lines if len(lines) == 1 or any(text for text, _, _ in lines[-1]) else lines[:-1]


def line_of(content: Iterable[Token], of: Of, kind: str = "", id: str | None = None) -> Markup:
    """Write a line of code; its number is counted by the style."""
    tokens = (_token(*token) for token in content)
    return element("span", *tokens, class_=f"l{kind}", id=id, **of.attributes)


def listing(rows: Sequence[Markup], first: int = 1) -> Markup:
    """Write lines one below the other, with numbers from `first` on."""
    before = None if first == 1 else f"counter-reset:line {first - 1}"
    return element("div", *rows, class_="code", style=before)


def _token(text: str, colour: str, name: str | None) -> str:
    if not text:
        return Markup("")
    if name is not None:
        return element("a", text, class_="name", data_node=name)
    return element("i", text, class_=colour[:2]) if colour else text


def _diagnostic(one: Diagnostic) -> Markup:
    notes = [element("span", _cited(f"{note.kind}: {note.message}", one)) for note in one.notes]
    return element(
        "div",
        element("b", _cited(f"{one.severity}[{one.code}]: {one.message}", one)),
        *notes,
        class_=f"said {one.severity}",
        role="note",
    )


def _cited(said: str, one: Diagnostic) -> Markup:
    """Write what is said; a source by the name of its file alone: no folder of this machine."""
    name = one.span.source.name if one.span is not None else ""
    return quoting(said.replace(name, PurePath(name).name) if name else said)


def tell_diagnostics(diagnostics: Sequence[Diagnostic]) -> Markup:
    """Write what is wrong or to be warned of, as a list."""
    rows = [
        element(
            "li",
            element("b", f"{one.severity}[{one.code}]"),
            _cited(f": {one.message}" + (f" ({one.span})" if one.span is not None else ""), one),
            class_=one.severity,
        )
        for one in diagnostics
    ]
    return element("ul", *rows, class_="diagnostics") if rows else joined([])
