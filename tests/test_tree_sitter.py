"""The tree-sitter parser for editors: the trees of graphc's parser, and errors where it has one."""

from __future__ import annotations

import ctypes
import os
import random
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lark
import pytest
import tree_sitter
from conftest import long
from lark.exceptions import UnexpectedInput
from lark.lexer import PatternStr

from graphc.build.compilers import find_compiler, run
from graphc.source import Source
from graphc.syntax.lexing.characters import blank_forbidden
from graphc.syntax.mistakes.error_site import KEYWORDS
from graphc.syntax.parse.tables import built

ROOT = Path(__file__).resolve().parent.parent
EDITORS = ROOT / "docs" / "editors"
FOLDER = EDITORS / "tree-sitter"
SOURCES = ("parser.c", "scanner.c")
PROGRAMS = sorted(
    path
    for folder in ("examples", "grammar", "tests", "benchmarks")
    for path in (ROOT / folder).rglob("*.graph")
)
FENCE = re.compile(r"^```\w*[^\n]*\n(.*?)^```", re.M | re.S)
"""What stands in documents: graphs, and much that is none."""
WORDS_AND_SIGNS = """
    ; ( ) [ ] { } -> + ** _ .. ... . .* " \"\"\" # 1e 1. 2.5e+3 α = == ! != -- repeat scan if else
    block next residual dim x as && ' and not true 7 : ~ % //
"""
PIECES = [*WORDS_AND_SIGNS.split(), "\n", "\r\n", "\t", " "]

Shape = tuple[str, Any]


@pytest.fixture(scope="session")
def language(tmp_path_factory: pytest.TempPathFactory) -> tree_sitter.Language:
    folder = tmp_path_factory.mktemp("tree-sitter")
    compiler = find_compiler(os.environ)
    library = folder / "graphc.so"
    sources = [str(FOLDER / "src" / name) for name in SOURCES]
    run(compiler, [["-O1", "-shared", "-fPIC", "-o", str(library), *sources]], folder)
    function = ctypes.CDLL(str(library)).tree_sitter_graphc
    function.restype = ctypes.c_void_p
    capsule = ctypes.pythonapi.PyCapsule_New
    capsule.restype = ctypes.py_object
    capsule.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    return tree_sitter.Language(capsule(function(), b"tree_sitter.Language", None))


@pytest.fixture(scope="session")
def tree_of(language: tree_sitter.Language) -> Callable[[str], tree_sitter.Tree]:
    parser = tree_sitter.Parser(language)
    return lambda text: parser.parse(text.encode())


LARK = built()
WORDS = {one.name for one in LARK.terminals if not isinstance(one.pattern, PatternStr)} - {"_SEP"}


def expected(text: str) -> Shape | None:
    """Return the tree of lark, rules and words with their texts; None of a text that it refuses."""
    try:
        return _of_lark(LARK.parse(text))
    except UnexpectedInput:
        return None


def _of_lark(node: Any) -> Shape:
    if isinstance(node, lark.Token):
        return node.type, str(node)
    kept = (one for one in node.children if one is not None)
    return str(node.data), [
        _of_lark(one) for one in kept if not isinstance(one, lark.Token) or one.type in WORDS
    ]


def found(tree: tree_sitter.Tree) -> Shape | None:
    return None if tree.root_node.has_error else _of_tree_sitter(tree.root_node)


def _of_tree_sitter(node: tree_sitter.Node) -> Shape:
    if node.type in WORDS:
        return node.type, node.text.decode()
    return node.type, [_of_tree_sitter(one) for one in node.named_children if one.type != "COMMENT"]


def test_the_parser_is_that_of_the_grammar(tmp_path: Path) -> None:
    command = [sys.executable, FOLDER / "generate.py", tmp_path]
    subprocess.run(command, check=True, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})
    for name in ("parser.c", "tokens.h"):
        assert (tmp_path / name).read_bytes() == (FOLDER / "src" / name).read_bytes(), (
            "run python docs/editors/tree-sitter/generate.py"
        )


def test_every_program_has_the_tree_of_the_grammar(tree_of: Any) -> None:
    refused = []
    for path in PROGRAMS:
        text = Source(path.name, path.read_text(encoding="utf-8")).text
        assert found(tree_of(text)) == expected(text), path
        refused += [path.name] * (expected(text) is None)
    assert len(PROGRAMS) > 100
    assert len(refused) < len(PROGRAMS) / 3


def test_what_stands_in_documents_and_among_mistakes(tree_of: Any) -> None:
    texts = [one for path in (ROOT / "docs").glob("*.md") for one in FENCE.findall(_read(path))]
    for path in [
        *(ROOT / "tests" / "errors").glob("*.txt"),
        *(ROOT / "tests/syntax").glob("*.txt"),
    ]:
        texts += re.split(r"^[-=]{3,}.*\n|\n\n", _read(path), flags=re.M)
    right = [blank_forbidden(text) for text in texts]
    for text in right:
        assert found(tree_of(text)) == expected(text), text
    accepted = sum(expected(text) is not None for text in right)
    assert 50 < accepted < len(right) - 300


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("seed", [0, *(long(seed) for seed in range(1, 20))])
def test_texts_by_chance(tree_of: Any, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(1000 if seed else 200):
        text = _read(chance.choice(PROGRAMS))
        start = chance.randrange(len(text))
        text = text[start : start + chance.randrange(10, 400)]
        for _ in range(chance.randrange(1, 4)):
            start = chance.randrange(len(text) + 1)
            end = start + chance.choice((0, 0, 1, 2, 5))
            text = text[:start] + chance.choice(PIECES) + text[end:]
        text = blank_forbidden(text)
        assert found(tree_of(text)) == expected(text), text


def test_the_rest_of_a_broken_file_keeps_its_tree(tree_of: Any) -> None:
    tree = tree_of("a = (z\nb = tanh(a)\nc = b *\noutput d = c\n")
    kinds = [one.type for one in tree.root_node.children[0].named_children]
    assert kinds == ["equation", "equation", "equation", "ERROR", "output"]
    assert tree.root_node.has_error


def test_a_tree_follows_an_edit(language: tree_sitter.Language) -> None:
    parser = tree_sitter.Parser(language)
    old, new = b"a = b\nc = d\n" * 50, b"a = (b\n)\nc = d\n" + b"a = b\nc = d\n" * 49
    tree = parser.parse(old)
    tree.edit(4, 5, 8, (0, 4), (0, 5), (1, 1))
    again = parser.parse(new, tree)
    assert str(again.root_node) == str(parser.parse(new).root_node)
    assert not again.root_node.has_error


def test_colours(language: tree_sitter.Language, tree_of: Any) -> None:
    query = tree_sitter.Query(language, _read(FOLDER / "queries" / "highlights.scm"))
    text = (
        "dim B # batch\ninput x: [B, 3]\nparam W: int[B] ~ zeros\n"
        "x -> dense(8, act=tanh) -> y\nderive grad y wrt W\n"
        "block f(v: [3]) -> w: [3] { w = sin(v) }"
    )
    captures = tree_sitter.QueryCursor(query).captures(tree_of(text).root_node)
    colours = {(node.text.decode(), name) for name, nodes in captures.items() for node in nodes}
    assert colours >= {
        ("dim", "keyword"), ("B", "type"), ("# batch", "comment"), ("x", "variable.parameter"),
        ("W", "variable.member"), ("int", "type.builtin"), ("dense", "function.call"),
        ("act", "variable.parameter"), ("8", "number"),
        ("grad", "attribute"), ("f", "function"), ("sin", "function.call"), ("->", "operator"),
        ("wrt", "keyword"),
    }  # fmt: skip


def test_a_node_has_one_colour(language: tree_sitter.Language, tree_of: Any) -> None:
    """In some editors the first pattern wins, in others the last."""
    query = tree_sitter.Query(language, _read(FOLDER / "queries" / "highlights.scm"))
    for path in PROGRAMS:
        captures = tree_sitter.QueryCursor(query).captures(tree_of(_read(path)).root_node)
        nodes = [node.id for named in captures.values() for node in named]
        assert len(nodes) == len(set(nodes)), path


def test_every_keyword_has_a_colour(language: tree_sitter.Language) -> None:
    query = _read(FOLDER / "queries" / "highlights.scm")
    words = {*re.findall('"([a-z]+)"', query), *re.findall(r"\((true|false)\)", query)}
    assert words == set(KEYWORDS.split())
    for name in ("folds.scm", "outline.scm"):
        tree_sitter.Query(language, _read(FOLDER / "queries" / name))


def test_the_snippets_are_of_this_language(language: tree_sitter.Language) -> None:
    guide = _read(EDITORS / "README.md")
    emacs = guide.partition("(defvar graphc-keywords")[2].partition("]")[0]
    assert set(re.findall('"([a-z]+)"', emacs)) == set(KEYWORDS.split()) - {"true", "false"}
    for helix in re.findall(r"```toml\n(.*?)```", guide, re.S):
        assert tomllib.loads(helix)
    nodes = {language.node_kind_for_id(i) for i in range(language.node_kind_count)}
    asked = set(re.findall(r"\(([a-z_]+|[A-Z]+)[ )]", guide.partition("treesit-font-lock-rules")[2]
                           .partition("treesit-major")[0]))  # fmt: skip
    assert asked <= nodes


ZED = {
    "extension": {"id", "name", "version", "schema_version", "authors", "description"},
    "language": {"name", "grammar", "path_suffixes", "line_comments", "tab_size"},
    "bracket": {"start", "end", "close", "newline", "not_in"},
}
"""Keys of Zed's files, as its documents name them (`docs/src/extensions/languages.md`)."""


def test_the_extension_for_zed(tmp_path: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("Zed takes the grammar from a git repository, and this is none")
    subprocess.run([sys.executable, EDITORS / "zed.py", tmp_path], check=True, capture_output=True)
    extension = tomllib.loads(_read(tmp_path / "extension.toml"))
    language = tomllib.loads(_read(tmp_path / "languages/graphc/config.toml"))
    assert extension.keys() <= {*ZED["extension"], "grammars", "language_servers"}
    assert {"id", "name", "version", "schema_version", "authors"} <= extension.keys()
    assert language.keys() <= {*ZED["language"], "brackets"}
    for one in language["brackets"]:
        assert {"start", "end", "close", "newline"} <= one.keys() <= ZED["bracket"]
        assert set(one.get("not_in", ())) <= {"string", "comment"}
    for one in extension["grammars"].values():
        assert {"repository", "rev"} <= one.keys() <= {"repository", "rev", "path"}
    for one in extension["language_servers"].values():
        assert one.keys() == {"name", "languages"}
    assert language["grammar"] in extension["grammars"]
    assert language["name"] in extension["language_servers"]["graphc"]["languages"]
    grammar = extension["grammars"]["graphc"]
    assert (ROOT / grammar["path"] / "src" / "parser.c").is_file()
    assert re.fullmatch("[0-9a-f]{40}", grammar["rev"])
    assert "graphc" in tomllib.loads(_read(tmp_path / "Cargo.toml"))["package"]["name"]
    assert (tmp_path / "languages/graphc/highlights.scm").is_file()
