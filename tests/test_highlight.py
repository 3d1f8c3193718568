"""The Pygments lexer and the TextMate grammar: both see what the parser sees."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pygments.token import Comment, Error, Keyword, Name, Number, Operator, String, Token

from graphc import highlight
from graphc.highlight import GraphLexer
from graphc.resources import grammar_text
from graphc.source import Source
from graphc.syntax.mistakes.error_site import KEYWORD_TYPES
from graphc.syntax.parse.parser import tokens_of

ROOT = Path(__file__).parent.parent
FILES = [
    *sorted((ROOT / "tests/language/examples").glob("*.graph")),
    *sorted((ROOT / "examples").glob("*.graph")),
    *sorted((ROOT / "tests/golden/format").glob("*.graph")),
    ROOT / "grammar/std.graph",
]
GRAMMAR: dict[str, Any] = json.loads(
    (ROOT / "docs/editors/graph.tmLanguage.json").read_text(encoding="utf-8")
)
GRAPH_LARK = grammar_text("graph.lark")
KEYWORDS = set(re.findall('"([a-z]+)"', re.sub("//.*", "", GRAPH_LARK)))

by_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)


def lexed(text: str) -> list[tuple[int, Any, str]]:
    return list(GraphLexer().get_tokens_unprocessed(text))


# ---- one list of words and letters ------------------------------------------------------


def test_the_keywords_are_those_of_the_grammar() -> None:
    groups = [getattr(highlight, name) for name in KEYWORD_GROUPS]
    assert sorted(word for group in groups for word in group) == sorted(KEYWORDS)


KEYWORD_GROUPS = {
    "DECLARATIONS": "keyword.declaration.graphc",
    "NAMESPACES": "keyword.control.import.graphc",
    "LOGIC": "keyword.operator.logical.graphc",
    "TRUTHS": "constant.language.boolean.graphc",
    "CONTROL": "keyword.control.graphc",
}


@pytest.mark.parametrize(("group", "scope"), KEYWORD_GROUPS.items())
def test_the_keywords_of_the_textmate_grammar(group: str, scope: str) -> None:
    (found,) = [p["match"] for p in repository("keywords")["patterns"] if p["name"] == scope]
    (listed,) = re.findall(r"\(\?:([a-z|]+)\)", found)
    assert set(listed.split("|")) == getattr(highlight, group)


def test_the_other_words_of_the_textmate_grammar() -> None:
    assert f"({'|'.join(highlight.TYPES)})" in repository("types")["match"]
    for name in highlight.CONSTANTS:
        assert re.search(repository("constants")["match"], f"({name})")


def test_names_and_numbers_are_those_of_the_grammar() -> None:
    terminals = dict(re.findall(r"^([A-Z]+)(?:\.\d+)?:\s+/(.*)/$", GRAPH_LARK, re.MULTILINE))
    assert terminals["NAME"] == highlight.NAME
    assert terminals["INT"] == highlight.INTEGER
    assert terminals["FLOAT"] == highlight.FLOAT.replace("(?:", "(")
    assert terminals["STRING"] == f"{highlight.LONG_STRING}|{highlight.STRING}".replace("(?:", "(")
    assert repository("names")["match"] == highlight.NAME


# ---- the lexer ----------------------------------------------------------------------------


@by_file
def test_the_lexer_knows_every_character_and_loses_none(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tokens = lexed(text)
    assert "".join(value for _, _, value in tokens) == text
    assert [value for _, kind, value in tokens if kind in Error] == []


def family(kind: str) -> Any:
    """The class of Pygments that a token of the grammar belongs to."""
    if kind in ("AND", "OR", "NOT", "CMP", "ADD", "MUL", "POW", "ARROW", "EQUAL", "TILDE"):
        return Operator
    if kind in KEYWORD_TYPES:
        return Keyword
    families = {"NAME": (Name, Keyword.Type), "INT": Number.Integer, "FLOAT": Number.Float}
    return families.get(kind, String if kind == "STRING" else Token)


@by_file
def test_the_lexer_cuts_as_the_parser_does(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    seen = {start: (kind, value) for start, kind, value in lexed(text)}
    for token in tokens_of(Source(path.name, text)):
        if token.type == "_SEP":
            continue
        kind, value = seen[token.start_pos or 0]
        allowed = family(token.type)
        allowed = allowed if isinstance(allowed[0:1] and allowed[0], type(Token)) else (allowed,)
        assert value == token.value
        assert any(kind in one for one in allowed), (token.value, kind)


@pytest.mark.parametrize(
    ("text", "word", "kind"),
    [
        ("block f(x: []) -> y: [] {}", "f", Name.Function),
        ("y = σ(θ1)", "σ", Name.Function),
        ("y = σ(θ1)", "θ1", Name),
        ("input x: int[B]", "int", Keyword.Type),
        ("interior = 1", "interior", Name),
        ('import "a.graph" as b', '"a.graph"', String),
        ('y = "a"', '"a"', String),
        ('y = f("a", "b")', '"b"', String),
        ('input x "doc"', '"doc"', String.Doc),
        ('"""the\nfile"""', '"""the\nfile"""', String.Doc),
        ("repeat r[k in 1..L]", "..", Operator),
        ("y = a.3.W", "3", Number.Integer),
        ("y = 1.5e-3", "1.5e-3", Number.Float),
        ("y = true", "true", Keyword.Constant),
        ("y = not a", "not", Operator.Word),
        ("y = pi", "pi", Name.Constant),
        ("# why", "# why", Comment.Single),
        ("y = ×", "×", Error),
    ],
)
def test_classes(text: str, word: str, kind: Any) -> None:
    assert (kind, word) in [(found, value) for _, found, value in lexed(text)]


def test_the_lexer_is_registered() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["pygments.lexers"] == {"graphc": "graphc.highlight:GraphLexer"}
    assert GraphLexer.filenames == ["*.graph"]


# ---- the TextMate grammar -------------------------------------------------------------------


def repository(name: str) -> dict[str, Any]:
    found: dict[str, Any] = GRAMMAR["repository"][name]
    return found


def expressions(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (node[key] for key in ("match", "begin", "end") if key in node)
        node = list(node.values())
    if isinstance(node, list):
        for inner in node:
            yield from expressions(inner)


def test_the_regular_expressions_compile() -> None:
    found = list(expressions(GRAMMAR))
    assert len(found) > 15
    for expression in found:
        re.compile(expression)


def test_every_part_of_the_textmate_grammar_is_used() -> None:
    used = {pattern["include"].removeprefix("#") for pattern in GRAMMAR["patterns"]}
    assert used == set(GRAMMAR["repository"])


def scopes(text: str) -> list[str]:
    """Each character's scope, found as an editor does: line by line, the first match first."""
    rules = []
    for pattern in GRAMMAR["patterns"]:
        part = repository(pattern["include"].removeprefix("#"))
        rules += part.get("patterns", [part])
    begins = [(re.compile(rule.get("match") or rule["begin"]), rule) for rule in rules]
    found: list[str] = []
    inside: dict[str, Any] | None = None  # the rule that has begun and not ended
    for line in text.splitlines(keepends=True):
        at = 0
        while at < len(line):
            if inside:
                ending = re.compile(inside["end"]).match(line, at)
                inner = [re.compile(rule["match"]) for rule in inside.get("patterns", [])]
                matches = [match for one in inner if (match := one.match(line, at))]
                stop = ending.end() if ending else matches[0].end() if matches else at + 1
                found += [inside["name"]] * (stop - at)
                inside = None if ending else inside
            else:
                starts = [(match, rule) for one, rule in begins if (match := one.search(line, at))]
                if not starts:
                    found += [""] * (len(line) - at)
                    break
                match, rule = min(starts, key=lambda start: start[0].start())
                stop = match.end()
                assert stop > at
                found += [""] * (match.start() - at)
                found += [rule.get("name", "keyword.declaration")] * len(match[0])
                inside = rule if "begin" in rule else None
            at = stop
    return found


CLASSES = {
    Comment: "comment.line",
    Number.Float: "constant.numeric.float",
    Number.Integer: "constant.numeric.integer",
    Keyword.Declaration: "keyword.declaration",
    Keyword.Constant: "constant.language.boolean",
    Operator.Word: "keyword.operator.logical",
    Operator: "keyword.operator",
    Name.Constant: "constant.language",
}


@by_file
def test_the_textmate_grammar_agrees_with_the_lexer(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    found = scopes(text)
    assert len(found) == len(text)
    for start, kind, value in lexed(text):
        expected = CLASSES.get(kind) or CLASSES.get(kind.parent)
        if kind in String:
            documents = "documentation" in found[start]
            assert found[start].startswith(("string", "comment.block")), value
            assert documents is (kind is String.Doc), value
        elif expected:
            assert found[start].startswith(expected), (value, found[start])
