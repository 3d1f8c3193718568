"""From a compilation to the document of its derivation, or of one value's."""

from __future__ import annotations

from collections.abc import Collection

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
        raise NoSuchValue(
            f"no value `{wanted.node}`; {_others(wanted.node, unknown.names)}"
        ) from None
    return document(found, wanted)


LISTED = 8
"""Names that are said where another one is asked for."""


def _others(name: str, known: Collection[str]) -> str:
    """Say what was meant, or of which names there are some: of a block or loop those in it."""
    inside = [one for one in known if one.startswith(f"{name}.")]
    near = did_you_mean(name, known)
    if near and not inside:
        return near
    some = sorted(inside or known)
    shown = ", ".join(f"`{one}`" for one in some[:LISTED])
    more = f" and {len(some) - LISTED} more" if len(some) > LISTED else ""
    return f"{'in it' if inside else 'there'} are {shown}{more}"
