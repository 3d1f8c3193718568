"""Trees as text: what is printed parses to the same tree, and is in canonical layout."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from graphc.source import GraphError, Source
from graphc.syntax.format.formatter import format_source, is_same_tree
from graphc.syntax.format.print import print_file
from graphc.syntax.parse.parser import parse

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted(
    [*ROOT.glob("examples/*.graph"), *ROOT.glob("grammar/*.graph"), *ROOT.glob("tests/**/*.graph")]
)
LANGUAGE = re.findall(
    r"```graph[^\n]*\n(.*?)```", (ROOT / "docs/language.md").read_text("utf-8"), re.S
)
TEXTS = {
    **{str(path.relative_to(ROOT)): path.read_text("utf-8", "replace") for path in FILES},
    **{f"language.md, program {number}": text for number, text in enumerate(LANGUAGE, 1)},
}


def test_every_tree_is_printed_as_a_text_of_it() -> None:
    printed = 0
    for name, text in TEXTS.items():
        try:
            file = parse(Source(name, text))
        except GraphError:
            continue
        found = print_file(file)
        assert is_same_tree(file, parse(Source(name, found))), name
        assert format_source(Source(name, found)) == found, name
        printed += 1
    assert printed > 100


@pytest.mark.parametrize(
    "text",
    [
        "y = -x**2", "y = (-x)**2", "y = x**-2", "y = a - b - (c - d)", "y = a / (b / c) * d",
        "y = a < b + c", "y = not (a and b) or not c",
        "y = (x @ y).T[0, :, _, ..., ::-1]", "y = x[1:-1, a+1:]", "y = a.3 .4",
        'y = f("a \\" b\\n\\\\", -1e-05, [1, [2]], k=true) as z', "y = a**b**c", "y = (a**b)**c",
        "const c = [[1.0, 2.0], [3.0, -4.0]]", "y = a == b",
    ],
)  # fmt: skip
def test_parentheses_stand_where_they_are_needed(text: str) -> None:
    file = parse(Source("a", text))
    assert print_file(file) == f"{text}\n"
