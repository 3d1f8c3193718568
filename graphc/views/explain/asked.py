"""From a compilation to the document of its derivation, or of one value's."""

from __future__ import annotations

from graphc.compile.stages import Compilation
from graphc.source import did_you_mean
from graphc.views.explain.choices import Layout
from graphc.views.explain.document import Document
from graphc.views.explain.explained import Unknown, crowded, explained
from graphc.views.explain.telling import crowd, document
from graphc.views.explain.wanted import EVERYTHING, Wanted


class NoSuchValue(ValueError):
    """A graph has no value of this name."""


def told(compilation: Compilation, layout: Layout, wanted: Wanted) -> Document:
    """Build the document; raises GraphError, NoSuchValue."""
    if not wanted.node and crowded(compilation):
        names = list(dict.fromkeys(compilation.stated.names.values()))
        return crowd(compilation.stated.name, names[::-1])
    try:
        found = explained(compilation, layout, wanted.level == EVERYTHING, wanted.node)
    except Unknown as unknown:
        near = did_you_mean(wanted.node, unknown.names)
        why = f"no value `{wanted.node}`"
        raise NoSuchValue(f"{why}; {near}" if near else why) from None
    return document(found, wanted)
