"""The panel of the derivation: its formulas typeset, or as lines of text where they are many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from graphc.views.explain.document import About, Block, Document, Heading, Inside
from graphc.views.explain.html import write_blocks
from graphc.views.explain.plain import plain
from graphc.views.report.links import Of
from graphc.views.report.markup import Markup, element, joined

LONGEST = 500_000
"""Characters of HTML of a derivation whose formulas are typeset."""

WIDTH = 92
"""Columns of formulas as text."""


def tell_derivation(document: Document) -> Markup:
    """Write a derivation without its title."""
    blocks = [one for one in document.blocks if not (isinstance(one, Heading) and one.depth == 1)]
    typeset = "\n".join(write_blocks(blocks))
    return Markup(typeset) if len(typeset) <= LONGEST else joined([*_lines(blocks)])


def _lines(blocks: Sequence[Block]) -> Iterator[Markup]:
    """Yield blocks whose formulas are lines of text."""
    for block in blocks:
        match block:
            case About(name, derivative, inner):
                of = Of((), (name,)) if derivative else Of((name,))
                yield element("pre", plain(Document("", inner), WIDTH), **of.attributes)
            case Inside(title, inner):
                summary = plain(Document("", (Heading(3, title),))).splitlines()[0]
                yield element("details", element("summary", summary), *_lines(inner), open="")
            case _:
                yield Markup("\n".join(write_blocks([block])))
