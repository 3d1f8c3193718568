"""Parts of a Source on one line, in canonical spacing: the same whatever the layout of the text."""

from __future__ import annotations

from bisect import bisect_left
from functools import lru_cache
from weakref import WeakKeyDictionary

from graphc.records import dataclass
from graphc.source import Source, Span
from graphc.syntax.format.spacing import blanks
from graphc.syntax.lexing.tokens import SEPARATOR
from graphc.syntax.parse.parser import tokens_of


@dataclass(frozen=True, slots=True)
class SourceWords:
    """The tokens of a source: where each begins, and its text with the blank before it."""

    starts: tuple[int, ...]
    texts: tuple[str, ...]


_WORDS: WeakKeyDictionary[Source, SourceWords] = WeakKeyDictionary()
"""Each source is read once, however many statements are quoted from it."""


def one_line_of(span: Span, longest: int | None = None) -> str:
    """Print the tokens of a span on one line, at most `longest` of them where that is given.

    >>> source = Source("a.graph", "y=f( x ,\\n  axis = - 1 ) # why\\n\\n;z = y ** 2")
    >>> one_line_of(source.whole)
    'y = f(x, axis=-1); z = y**2'
    """
    words = _words(span.source)
    first = bisect_left(words.starts, span.start)
    last = bisect_left(words.starts, span.end)
    if longest is not None:
        last = min(last, first + longest)
    return "".join(words.texts[first:last]).lstrip()


@lru_cache(maxsize=20_000)
def one_line(statement: str, longest: int | None = None) -> str:
    """Print a statement as `one_line_of` does, without reading the file that it stands in.

    >>> one_line("y=f( x ,\\n  axis = - 1 )", 4)
    'y = f('
    """
    return one_line_of(Source("", statement).whole, longest)


def _words(source: Source) -> SourceWords:
    if source not in _WORDS:
        tokens = tokens_of(source)
        texts = [
            "; " if token.type == SEPARATOR else " " * blank + token.value.replace("\r\n", "\n")
            for token, blank in zip(tokens, blanks(tokens), strict=True)
        ]
        _WORDS[source] = SourceWords(tuple(token.start_pos or 0 for token in tokens), tuple(texts))
    return _WORDS[source]
