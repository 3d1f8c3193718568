"""What mends a mistake: the remedies of a diagnostic that say what changes in the text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from graphc.records import dataclass
from graphc.source import Diagnostic, Span


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of a text: what stands at the place becomes `text`."""

    title: str
    span: Span
    text: str


def fixes(diagnostic: Diagnostic) -> Iterator[Edit]:
    """Yield the changes that a diagnostic proposes."""
    span = diagnostic.span
    for note in diagnostic.notes:
        if span is None or note.fix is None:
            continue
        start = _only_place(note.fix.old, span)
        if start is not None:
            place = Span(span.source, start, start + len(note.fix.old))
            title = f"Change `{note.fix.old}` to `{note.fix.new}`"
            if not note.fix.new:
                title = "Delete it"
            yield Edit(title, place, _apart(note.fix.new, place))


def _only_place(word: str, span: Span) -> int | None:
    """Return where a word stands in a span, if it does so once, and not within another word."""
    bounds = (r"(?<!\w)" if word[0].isalnum() else "", r"(?!\w)" if word[-1].isalnum() else "")
    found = list(re.finditer(f"{bounds[0]}{re.escape(word)}{bounds[1]}", span.text))
    return span.start + found[0].start() if len(found) == 1 else None


def _apart(new: str, place: Span) -> str:
    """Put blanks around a word that comes for a sign."""
    if not new.isalpha() or place.text[0].isalnum():
        return new
    text = place.source.text
    before = " " if place.start and text[place.start - 1].isalnum() else ""
    behind = " " if text[place.end : place.end + 1].isalnum() else ""
    return f"{before}{new}{behind}"
