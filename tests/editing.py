"""A file that is typed at random, and everything that an editor asks of it after each keystroke."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import suppress

from graphc.editor.analysis import Analysis, analyse
from graphc.editor.colours import colours
from graphc.editor.completion import Known, completion, paths_of
from graphc.editor.fixes import fixes
from graphc.editor.generated import generated
from graphc.editor.hover import hover
from graphc.editor.navigation import Unfit, definition, references, renamed
from graphc.editor.outline import folds
from graphc.editor.places import Edited, edited, offset, position
from graphc.source import GraphError, Source
from graphc.syntax.format.formatter import format_source

PIECES = (
    *"abxyBWh0123456789 \n\n\t;:,.=+-*/@()[]{}\"#%<>^&|~'é√",
    "output ", "input ", "param ", "block f(x: [K]) -> y: [K] { ", "repeat l[i in 3] ",
    "scan s[t in T] ", "carry h = x ", "next h = ", "collect ", "derive grad ", "wrt params",
    "->", "**", "tanh(", "sum(", "dense(", "import \"lib.graph\" as m\n", "as ", "residual { ",
    "if true { ", "} else { ", "rule vjp x = ", "dim B\n", "const k = ", '\"\"\"', "...", "..",
    "\u200b", "\U0001f600",
)  # fmt: skip


def edits(texts: Sequence[str], seed: int) -> Iterator[tuple[str, int]]:
    """Yield texts, each an edit of the one before, and the places of the edits."""
    draw = random.Random(seed)
    text = draw.choice(texts)
    while True:
        if draw.random() < 0.05 or len(text) > 3000:
            text = draw.choice(texts)
        at = draw.randint(0, len(text))
        kind = draw.random()
        if kind < 0.5:
            piece = draw.choice(PIECES)
            text, at = text[:at] + piece + text[at:], at + len(piece)
        elif kind < 0.8:
            text = text[:at] + text[at + draw.randint(1, 12) :]
        else:  # a piece of the text at another place
            start = draw.randint(0, len(text))
            piece = text[start : start + draw.randint(1, 60)]
            text, at = text[:at] + piece + text[at:], at + len(piece)
        yield text, at


def ask_everything(text: str, at: int, before: Analysis | None, draw: random.Random) -> Analysis:
    """Ask all that an editor asks of a text, also by the analysis of the text before the edit."""
    source = Source("net.graph", text)
    found = analyse(source, whole=False)
    for analysis in (found, before):
        if analysis is None:
            continue
        since = edited(analysis.source, source)
        ask_at(analysis, since, at)
        ask_at(analysis, since, draw.randint(0, len(text)))
        check_tokens(analysis, since)
        for item in analysis.outline:
            since.forth(item.whole)
        folds(analysis.source, analysis.compilation.parsed.file.statements)
        for place, _ in analysis.shapes:
            since.forth(place)
        for told in analysis.told:
            for edit in fixes(told):
                assert edit.span.text != edit.text
    if found.sound:
        format_source(source)
    else:
        with suppress(GraphError):
            format_source(source)
    return found


def ask_at(analysis: Analysis, since: Edited, at: int) -> None:
    """Ask what is asked of a place."""
    source = since.after
    assert offset(source, position(source, at)) == at
    before = since.back(at)
    paths = paths_of(analysis) if analysis.sound else ()
    completion(source, at, Known(analysis, paths), since.start if before is None else before)
    if before is None:
        return
    hover(analysis, before)
    files = {"/net.graph": analysis.names}
    definition(analysis, before, "/net.graph", files)
    references(analysis.names, before, "/net.graph", files)
    with suppress(Unfit):
        renamed(analysis.names, before, "/net.graph", files, "renamed")
    named = analysis.names.at(before)
    if named is not None and analysis.sound and len(source.text) < 400:
        with suppress(GraphError):
            generated(analysis, named[0].name)


def check_tokens(analysis: Analysis, since: Edited) -> None:
    """Check that tokens lie one behind the other, and that those known are those read anew."""
    lines = colours(analysis.names, since, analysis.colours)
    assert lines == colours(analysis.names, since)
    assert len(lines) == len(since.after.line_starts)
    for number, line in enumerate(lines, 1):
        end = 0
        for column, length, _ in line:
            assert end <= column < column + length <= len(since.after.line(number))
            end = column + length
