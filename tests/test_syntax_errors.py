"""What each syntax mistake is told, to the letter, and that none hides or breeds another."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from graphc.source import Diagnostic, GraphError, Source
from graphc.syntax.parse.parser import parse, read_source

TESTS = Path(__file__).parent
ERRORS = TESTS / "language" / "errors"
SYNTACTIC = {"02", "14", "15", "25", "26", "27", "28"}


def sections(path: Path) -> list[tuple[str, str]]:
    """The titles behind `## ` and the texts below them."""
    text = path.read_text(encoding="utf-8")
    parts = re.findall(r"^## ([^\n]*)\n(.*?)(?=\n+## |\n*\Z)", text, re.DOTALL | re.MULTILINE)
    return [(title, below) for title, below in parts]


CATALOGUE = sections(ERRORS / "CATALOGUE.txt")
MISTAKES = [
    (ast.literal_eval(title), below) for title, below in sections(TESTS / "syntax" / "mistakes.txt")
]


def mistakes_in(source: Source) -> tuple[Diagnostic, ...]:
    try:
        parse(source)
    except GraphError as problem:
        return problem.diagnostics
    return ()


@pytest.mark.parametrize(("title", "message"), CATALOGUE)
def test_catalogue(title: str, message: str) -> None:
    number = title[:2]
    path = ERRORS / f"e{number}.graph"
    mistakes = mistakes_in(read_source(path.name, path.read_bytes()))
    if number not in SYNTACTIC:
        assert mistakes == ()
        return
    (mistake,) = map(str, mistakes)
    assert mistake.startswith(message)
    assert mistake.removeprefix(message) in ("", "\n  = note: `{` is opened at e25.graph:3:37")


def test_the_catalogue_is_whole() -> None:
    assert [title[:2] for title, _ in CATALOGUE] == [f"{n:02}" for n in range(1, 37)]


@pytest.mark.parametrize(("text", "said"), MISTAKES)
def test_mistakes(text: str, said: str) -> None:
    with pytest.raises(GraphError) as caught:
        parse(Source("a", text))
    assert str(caught.value) == said


def test_numbers_that_are_too_long() -> None:
    beyond = "is too long; the largest is 9223372036854775807"
    for digits, count in (("1" * 5000, 5000), ("9223372036854775808", 19), ("1" * 20, 20)):
        (mistake,) = mistakes_in(Source("a", f"y = {digits}"))
        assert (mistake.code, mistake.message) == ("E105", f"an integer of {count} digits {beyond}")
    assert mistakes_in(Source("a", f"y = 9223372036854775807 + {'0' * 5000}7")) == ()


def stands_alone(text: str, said: str) -> bool:
    """Is a mistake the same between other lines? An open bracket or string takes them in."""
    joined = text.startswith(("->", "@", "/", "else")) or text.endswith("{")
    return not (joined or "E107" in said or '"""' in text)


@pytest.mark.parametrize(("text", "said"), [one for one in MISTAKES if stands_alone(*one)])
def test_each_mistake_stands_alone(text: str, said: str) -> None:
    """Between sound statements a mistake is found as it is by itself, whatever ends its line."""
    codes = re.findall(r"^error\[(\w+)\]", said, re.MULTILINE)
    for end in ("", "\n", "\r\n", "  # comment\n"):
        around = f"dim B\na = b{end or ';'}{text}{end}\nb = c\nz = 3x\n"
        *found, last = mistakes_in(Source("a", around))
        assert last.message == "multiplication is written `*`", repr(end)
        assert [mistake.code for mistake in found] == codes, repr(end)
