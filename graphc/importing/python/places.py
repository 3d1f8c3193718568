"""Where in its source a Python function is, and what it calls its values."""

from __future__ import annotations

import ast
import linecache
import os
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from graphc.source import Source, Span

LIBRARIES = ("numpy", "scipy", "jax", "jaxlib", "graphc", "torch")
HERE = str(Path(__file__).parent.parent)


class Places:
    """The sources of functions, read once each."""

    def __init__(self) -> None:
        self.sources: dict[str, Source] = {}
        self.own: dict[str, bool] = {}

    def source(self, file: str) -> Source:
        if file not in self.sources:
            text = "".join(linecache.getlines(file))
            self.sources[file] = Source(_cited(file), text or "\n")
        return self.sources[file]

    def is_users(self, file: str) -> bool:
        """True if a file is none of the libraries that are called."""
        if file not in self.own:
            parts = Path(file).parts
            library = "site-packages" in parts or file.startswith("<frozen")
            standard = file.startswith(os.path.dirname(os.__file__)) and "site-packages" not in file
            self.own[file] = not (library or standard or file.startswith(HERE))
        return self.own[file]

    def frames(self) -> Iterator[FrameType]:
        """Yield the frames of users' functions, from the inside."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if self.is_users(frame.f_code.co_filename):
                yield frame
            frame = frame.f_back

    def here(self) -> Span | None:
        """Return the expression that is being computed."""
        frame = next(self.frames(), None)
        return None if frame is None else self.span(frame.f_code, frame.f_lasti, frame.f_lineno)

    def span(self, code: CodeType, instruction: int, line: int) -> Span:
        source = self.source(code.co_filename)
        found = next(islice(code.co_positions(), instruction // 2, None), None)
        if found is None or None in found:
            return self.line(source, line)
        first, last, begin, end = found
        return self.between(source, first or 1, last or 1, begin or 0, end or 0)

    def callee(self, frame: FrameType) -> Any:
        """Return what a frame is calling, None where its source does not say that by names."""
        span = self.span(frame.f_code, frame.f_lasti, frame.f_lineno)
        try:
            tree = ast.parse(span.text.strip(), mode="eval").body
        except SyntaxError:
            return None
        return _named(tree.func, frame) if isinstance(tree, ast.Call) else None

    def between(self, source: Source, first: int, last: int, begin: int, end: int) -> Span:
        """Return what stands between two lines and columns, which are counted as Python does."""
        if last > len(source.line_starts):
            return source.whole
        return Span(source, _offset(source, first, begin), _offset(source, last, end))

    def line(self, source: Source, number: int) -> Span:
        """Return a line without the blanks around it."""
        if number > len(source.line_starts):
            return Span(source, 0, 0)
        start = source.line_starts[number - 1]
        text = source.line(number)
        blanks = len(text) - len(text.lstrip())
        return Span(source, start + blanks, start + len(text.rstrip()))


def _named(tree: ast.expr, frame: FrameType) -> Any:
    match tree:
        case ast.Name(name):
            return {**frame.f_globals, **frame.f_locals}.get(name)
        case ast.Attribute(value, name):
            return getattr(_named(value, frame), name, None)
    return None


def _offset(source: Source, line: int, column: int) -> int:
    """Return the place of a column that is counted in bytes of UTF-8."""
    before = source.line(line).encode()[:column].decode(errors="ignore")
    return source.line_starts[line - 1] + len(before)


def _cited(file: str) -> str:
    """Return a file's path from here, where it is below."""
    try:
        return str(Path(file).relative_to(Path.cwd()))
    except ValueError:
        return file
