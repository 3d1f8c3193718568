"""The grammar, the tree with its spans, the newline rule, and parsing what is large or random."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphc.resources import grammar_text
from graphc.source import Diagnostic, GraphError, Source, Span
from graphc.syntax import tree
from graphc.syntax.lexing.tokens import NewlineRule
from graphc.syntax.mistakes.error_site import KEYWORD_TYPES, SIGNS
from graphc.syntax.parse import tables
from graphc.syntax.parse.build import RULES, Draft
from graphc.syntax.parse.parser import _parser, parse, read_source
from tests.patience import count_calls

LANGUAGE = Path(__file__).parent / "language"
EXAMPLES = sorted((LANGUAGE / "examples").glob("*.graph"))
ERRORS = sorted((LANGUAGE / "errors").glob("*.graph"))


def parsed(text: str) -> tree.File:
    return parse(Source("test.graph", text))


def statement(text: str) -> tree.Statement:
    (only,) = parsed(text).statements
    return only


def nodes(root: object) -> Iterator[object]:
    """Every record below a tree node, in order, itself included."""
    pending = [root]
    while pending:
        node = pending.pop()
        if isinstance(node, tuple):
            pending.extend(reversed(node))
        elif dataclasses.is_dataclass(node) and not isinstance(node, Span):
            yield node
            fields = [getattr(node, field.name) for field in dataclasses.fields(node)]
            pending.extend(reversed(fields))


def shape(root: object) -> object:
    """A tree without its spans."""
    if isinstance(root, tuple):
        return tuple(map(shape, root))
    if dataclasses.is_dataclass(root) and not isinstance(root, Span):
        fields = [f.name for f in dataclasses.fields(root) if f.name != "span"]
        return (type(root).__name__, *(shape(getattr(root, name)) for name in fields))
    return root


# ---- the grammar ------------------------------------------------------------------


def test_the_grammar_has_no_conflicts() -> None:
    from lark import Lark

    lark = Lark(
        grammar_text("graph.lark"),
        parser="lalr",
        lexer="basic",
        postlex=NewlineRule(),
        strict=True,
        keep_all_tokens=True,
        maybe_placeholders=True,
    )
    rules = {rule.alias or rule.origin.name for rule in lark.rules}
    passed_on = {
        "stmt",
        "stage",
        "expr",
        "axis",
        "arg",
        "index",
        "not_",
        "unary",
        "postfix",
        "atom",
    }
    assert {rule for rule in rules if not rule.startswith("_")} - passed_on == set(RULES)


def test_the_tables_of_the_parser_are_those_of_its_grammar() -> None:
    """What is kept beside the grammar is what lark builds of it, but for the numbers of states."""
    kept = json.loads(tables.FILE.read_text(encoding="utf-8"))
    built = json.loads(tables.tables())
    remedy = "the grammar has changed: run python -m graphc.syntax.parse.tables"
    assert kept["of"] == built["of"], remedy
    assert kept["rules"] == built["rules"], remedy
    assert kept["tables"]["options"] == built["tables"]["options"], remedy
    one, other = (of["tables"]["parser"]["parser"] for of in (kept, built))
    same: dict[str, str] = {}
    pending = [(one["start_states"]["start"], other["start_states"]["start"])]
    while pending:
        mine, yours = map(str, pending.pop())
        if same.setdefault(mine, yours) != yours or mine not in one["states"]:
            raise AssertionError(remedy)
        actions, expected = (
            {table["tokens"][token]: act for token, act in table["states"][state].items()}
            for table, state in ((one, mine), (other, yours))
        )
        assert actions.keys() == expected.keys(), remedy
        for token, (act, argument) in actions.items():
            assert act == expected[token][0], remedy
            if isinstance(argument, int):  # the next state
                following = (argument, expected[token][1])
                if same.get(str(argument)) != str(following[1]):
                    pending.append(following)
            else:
                assert argument == expected[token][1], remedy
    assert len(same) == len(one["states"]) == len(other["states"])


def test_tables_of_another_grammar_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_identity", lambda: ["of another", "0.1"])
    source = Source("test.graph", "input x: [3]\noutput y = x @ x  # a product\n")
    read = tables.parser_of(Draft(source, []).callbacks()).parse(source.text)
    assert read.value == parse(source).statements


def test_the_keywords_of_the_messages_are_those_of_the_grammar() -> None:
    parser, _ = _parser()
    words = {
        t.name for t in parser.terminals if t.pattern.type == "str" and t.pattern.value.isalpha()
    }
    assert words == KEYWORD_TYPES


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_parse(path: Path) -> None:
    file = parse(read_source(path.name, path.read_bytes()))
    assert isinstance(file.statements[0], tree.Doc)
    assert file.span.text == path.read_text(encoding="utf-8")


def test_there_are_twelve_examples_and_thirty_six_errors() -> None:
    assert (len(EXAMPLES), len(ERRORS)) == (12, 36)


def test_std_parses() -> None:
    blocks = [s for s in parsed(grammar_text("std.graph")).statements if isinstance(s, tree.Block)]
    assert [block.name.text for block in blocks][:3] == ["dense", "dense_col", "mlp"]


# ---- bytes ------------------------------------------------------------------------


def test_crlf_and_byte_order_mark() -> None:
    source = read_source("a.graph", b"\xef\xbb\xbfdim B\r\ny = x # c\r\n")
    assert shape(parse(source).statements) == shape(parsed("dim B\ny = x\n").statements)
    assert len(parsed("\ufeffdim B").statements) == 1


@pytest.mark.parametrize(
    ("data", "message", "place"),
    [
        (b"dim B\ny = \xff", "byte 10 (0xff) is not UTF-8", "a.graph:2:5"),
        (b"\xef\xbb\xbfy = \x80", "byte 7 (0x80) is not UTF-8", "a.graph:1:5"),
        ("é".encode() + b"\xc3", "byte 2 (0xc3) is not UTF-8", "a.graph:1:2"),
        ("y = x".encode("utf-16"), "byte 0 (0xff) is not UTF-8", "a.graph:1:1"),
        (b"\xed\xa0\x80", "byte 0 (0xed) is not UTF-8", "a.graph:1:1"),
    ],
)
def test_bytes_that_are_not_utf8(data: bytes, message: str, place: str) -> None:
    with pytest.raises(GraphError) as caught:
        read_source("a.graph", data)
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.message, str(diagnostic.span)) == ("E100", message, place)


# ---- the tree and its spans ---------------------------------------------------------

PLACES: list[tuple[str, type, list[str]]] = [
    ("y = (a - b) * c", tree.Binary, ["(a - b) * c", "a - b"]),
    ("y = ((a)) + ( b )", tree.Binary, ["((a)) + ( b )"]),
    ("y = a ** b ** c", tree.Binary, ["a ** b ** c", "b ** c"]),
    ("y = a < b and not c", tree.Binary, ["a < b and not c", "a < b"]),
    ("y = - -x ** 2", tree.Unary, ["- -x ** 2", "-x ** 2"]),
    ("y = not (a)", tree.Unary, ["not (a)"]),
    ("y = f(x, n=(2)) as g + 1", tree.Call, ["f(x, n=(2))"]),
    ("y = f(x, n=(2)) as g + 1", tree.Binary, ["f(x, n=(2)) as g + 1"]),
    ("y = f(x, n=(2))", tree.Argument, ["x", "n=(2)"]),
    ("y = (f)(x)(z)", tree.Call, ["(f)(x)(z)", "(f)(x)"]),
    ("y = a.b.3.c", tree.Member, ["a.b.3.c", "a.b.3", "a.b"]),
    ("y = x[:, _, ..., 1:2, ::k]", tree.Subscript, ["x[:, _, ..., 1:2, ::k]"]),
    ("y = x[:, _, ..., 1:2, ::k]", tree.Slice, [":", "1:2", "::k"]),
    ("y = x[:, _, ..., 1:2, ::k]", tree.NewAxis, ["_"]),
    ("y = x[:, _, ..., 1:2, ::k]", tree.Dots, ["..."]),
    ("y = [1, [2], ]", tree.ListOf, ["[1, [2], ]", "[2]"]),
    ("y = true", tree.Truth, ["true"]),
    ('y = f("a\\n") "doc"', tree.Text, ['"a\\n"', '"doc"']),
    ("y = 1 + 2.5e3", tree.Number, ["1", "2.5e3"]),
    ("y = θ", tree.Name, ["θ"]),
    ("input x, y: int[..., 2*B]", tree.TypeOf, ["int[..., 2*B]"]),
    ("output y : [ ] = x", tree.TypeOf, ["[ ]"]),
    ("input x: float", tree.TypeOf, ["float"]),
    ("input x , y: [3] # c", tree.Ident, ["x", "y"]),
    ("a, b -> f(c) as g -> h.k -> y", tree.Call, ["f(c)", "h.k"]),
    ("a -> f -> y, z: [3]", tree.Ident, ["y", "z"]),
    ("a -> residual { f -> g } -> y", tree.Residual, ["residual { f -> g }"]),
    ("a -> repeat l[k in 1..3] { f } -> y", tree.RepeatStage, ["repeat l[k in 1..3] { f }"]),
    ("a -> repeat l[k in 1..3] { f } -> y", tree.Family, ["l[k in 1..3]"]),
    ("a -> (f, g -> h) -> y", tree.Fork, ["(f, g -> h)"]),
    ("a -> f -> next h", tree.NextStage, ["next h"]),
    ('"""a"""', tree.Doc, ['"""a"""']),
    ('import "a.graph" as b', tree.Import, ['import "a.graph" as b']),
    ('from "a.graph" import b as c, d', tree.FromImport, ['from "a.graph" import b as c, d']),
    ('dim A, B = 3 "doc" # c', tree.DimDeclaration, ['dim A, B = 3 "doc"']),
    ("const a: int = 3", tree.Const, ["const a: int = 3"]),
    ('input x "a" ;', tree.Input, ['input x "a"']),
    ("param W: [2] ~ zeros", tree.Param, ["param W: [2] ~ zeros"]),
    ("output y = f(x) as g\n", tree.Output, ["output y = f(x) as g"]),
    ("instance f = g(3)", tree.Instance, ["instance f = g(3)"]),
    ('require a == b "why"', tree.Require, ['require a == b "why"']),
    ("a, b: [3] = (f(x))", tree.Equation, ["a, b: [3] = (f(x))"]),
    ("(a) -> f -> y", tree.Chain, ["(a) -> f -> y"]),
    (
        "scan s[t in T] carry h = x, c = (y) { next h, c = h, (c) }",
        tree.Next,
        ["next h, c = h, (c)"],
    ),
    ("scan s[t in T] carry h = x, c = (y) { z = h }", tree.Carry, ["carry h = x", "c = (y)"]),
    ("scan s[t in T] { collect ys = z }", tree.Collect, ["collect ys = z"]),
    ("scan s[t in T] { until z > 0 }", tree.Until, ["until z > 0"]),
    ("scan s[t in T] { }", tree.Scan, ["scan s[t in T] { }"]),
    ("repeat s[t in T] { y = 3 }", tree.Repeat, ["repeat s[t in T] { y = 3 }"]),
    ("block f(x: [3], n: int = 2,) -> y: [] { }", tree.Port, ["x: [3]", "n: int = 2", "y: []"]),
    ("block f() -> y: [] {\n}", tree.Block, ["block f() -> y: [] {\n}"]),
    ("rule vjp x = 3", tree.Rule, ["rule vjp x = 3"]),
    (
        "if a { y = 3 } else if (b) { } else { z = 3 }",
        tree.If,
        ["if a { y = 3 } else if (b) { } else { z = 3 }", "if (b) { } else { z = 3 }"],
    ),
    ("derive grad f, g wrt a.*, l.3.W per P as h", tree.Path, ["a.*", "l.3.W"]),
    ("derive grad f wrt a.* # c", tree.Derive, ["derive grad f wrt a.*"]),
]


@pytest.mark.parametrize(("text", "kind", "expected"), PLACES)
def test_spans(text: str, kind: type, expected: list[str]) -> None:
    for margin in ("", "# é\n\n  "):
        found = [n.span.text for n in nodes(parsed(margin + text)) if isinstance(n, kind)]  # type: ignore[attr-defined]
        assert found == expected


def test_every_kind_of_node_has_its_span_tested() -> None:
    kinds = {
        kind for kind in vars(tree).values() if getattr(kind, "__module__", "") == tree.__name__
    }
    assert kinds - {kind for _, kind, _ in PLACES} == {tree.File}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_text_of_a_span_means_the_node(path: Path) -> None:
    """The text of an expression's or a statement's span, parsed by itself, gives the same node."""
    expressions = tree.Expr.__args__  # type: ignore[attr-defined]
    statements = tree.Statement.__args__  # type: ignore[attr-defined]
    for node in nodes(parse(read_source(path.name, path.read_bytes()))):
        if isinstance(node, statements):
            assert shape(statement(node.span.text)) == shape(node)  # type: ignore[attr-defined]
        elif isinstance(node, expressions) and not (isinstance(node, tree.Call) and node.name):
            again = statement(f"y = ({node.span.text})").value  # type: ignore[union-attr, attr-defined]
            if not isinstance(node, tree.Call) or node.parentheses:
                assert shape(again) == shape(node)


SHAPES: list[tuple[str, object]] = [
    ("y = -2 ** -x", "y = -(2 ** (-x))"),
    ("y = a + b * c ** d - e", "y = (a + (b * (c ** d))) - e"),
    ("y = a or b and not c == d", "y = a or (b and (not (c == d)))"),
    ("y = a / b @ c // d % e", "y = (((a / b) @ c) // d) % e"),
    ("y = a ** b ** c", "y = a ** (b ** c)"),
    ("y = not not a", "y = not (not a)"),
    ("y = a.b(c)[d].T", "y = (((a.b)(c))[d]).T"),
]


@pytest.mark.parametrize(("text", "explicit"), SHAPES)
def test_precedence(text: str, explicit: str) -> None:
    assert shape(parsed(text).statements) == shape(parsed(explicit).statements)


def test_stages_and_targets() -> None:
    chain = statement("x, z -> f -> g.h(n=1) as k -> (dense(3) as p, id) -> y, w: [3]")
    assert isinstance(chain, tree.Chain)
    first, second, fork = chain.stages
    assert isinstance(first, tree.Call)
    assert (first.parentheses, first.arguments, first.name) == (False, (), None)
    assert isinstance(second, tree.Call)
    assert isinstance(second.function, tree.Member)
    assert second.name is not None
    assert (second.name.text, second.parentheses) == ("k", True)
    assert isinstance(fork, tree.Fork)
    assert [len(branch) for branch in fork.branches] == [1, 1]
    assert [target.text for target in chain.targets] == ["y", "w"]
    assert chain.type is not None
    last = statement("x -> f -> next h")
    assert isinstance(last, tree.Chain)
    assert last.targets == ()
    assert isinstance(last.stages[-1], tree.NextStage)
    direct = statement("x -> y")
    assert isinstance(direct, tree.Chain)
    assert (direct.stages, direct.targets[0].text) == ((), "y")
    operation = statement("x -> tanh -> relu")  # refused by the elaborator, which knows operations
    assert isinstance(operation, tree.Chain)
    assert operation.targets[0].text == "relu"


def test_optional_parts() -> None:
    derive = statement("derive value_and_grad f, g wrt a.*, layer.3.W per P as h")
    assert isinstance(derive, tree.Derive)
    assert [(path.words, path.star) for path in derive.wrt] == [
        (("a",), True),
        (("layer", "3", "W"), False),
    ]
    assert derive.per is not None
    assert derive.name is not None
    bare = statement("derive value f")
    assert isinstance(bare, tree.Derive)
    assert (bare.wrt, bare.per, bare.name) == ((), None, None)
    imported = statement('from "a.graph" import b as c, d')
    assert isinstance(imported, tree.FromImport)
    assert [(a.text, b.text) for a, b in imported.names] == [("b", "c"), ("d", "d")]
    count = statement("scan s[t in T] { }")
    assert isinstance(count, tree.Scan)
    assert (count.family.last, count.carries, count.body) == (None, (), ())
    dims = statement('dim A, B = 3 "doc"')
    assert isinstance(dims, tree.DimDeclaration)
    assert [(name.text, value is None) for name, value in dims.dims] == [("A", True), ("B", False)]
    scalar = statement("input x")
    assert isinstance(scalar, tree.Input)
    assert scalar.type is None


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ('""', ""),
        (r'"a\tb\n\\\""', 'a\tb\n\\"'),
        ('"é → 𝐱 #"', "é → 𝐱 #"),
        ('""""""', ""),
        ('"""  one\n     two\n       three\n   """', "one\ntwo\n  three"),
        ('"""a\r\n   b"""', "a\nb"),
        ('"""as \\n it "stands\\"""', 'as \\n it "stands\\'),
    ],
)
def test_strings(literal: str, value: str) -> None:
    doc = statement(literal)
    assert isinstance(doc, tree.Doc)
    assert (doc.text, doc.span.text) == (value, literal)


@pytest.mark.parametrize(
    ("literal", "value"), [("12", 12), ("1.5", 1.5), ("2e3", 2000.0), ("2.5E-1", 0.25), ("007", 7)]
)
def test_numbers(literal: str, value: float) -> None:
    equation = statement(f"y = {literal}")
    assert isinstance(equation, tree.Equation)
    assert isinstance(equation.value, tree.Number)
    assert equation.value.value == value
    assert type(equation.value.value) is type(value)


# ---- the newline rule ----------------------------------------------------------------

NEWLINES: list[tuple[str, str]] = [
    ("a = b\n\n# c\n;;\nc = d", "a = b; c = d"),
    ("\n\n a = b \n\n", "a = b"),
    ("a = b # c", "a = b"),
    ("a =\n b +\n c", "a = b + c"),
    ("a = b\n  + c\n  ** d", "a = b + c ** d"),
    ("a = b\n  # between\n  - c", "a = b - c"),
    ("a = b == \n c", "a = b == c"),
    ("a = b\n and c or\n not d", "a = b and c or not d"),
    ("a = f(\nb\n,\nc\n)", "a = f(b, c)"),
    ("a = b[\n0\n]", "a = b[0]"),
    ("x ->\n f\n -> y", "x -> f -> y"),
    ("param W: [2] ~\n zeros", "param W: [2] ~ zeros"),
    ("input x,\n y", "input x, y"),
    ("if a {\n\n b = c\n d = e\n}\nelse\n{ }", None),  # type: ignore[list-item]
    ("if a {\n\n b = c\n d = e\n}\n\nelse {\n}", "if a { b = c; d = e } else { }"),
    ("if a {}\nb = c", "if a {}; b = c"),
    ("x -> residual {\n f(\n2) as g\n -> h\n } -> y", "x -> residual { f(2) as g -> h } -> y"),
    ("x -> (residual {\n f(2)\n as g },\n h\n) -> y", "x -> (residual { f(2) as g }, h) -> y"),
    (
        "block f(x: [3]\n,\n n: int = 2)\n -> y: [3] { y = x }",
        "block f(x: [3], n: int = 2) -> y: [3] { y = x }",
    ),
    ("derive grad f wrt a.*\nb = c", "derive grad f wrt a.*; b = c"),
    ("derive grad f wrt a.*,\nb", "derive grad f wrt a.*, b"),
    ("a = b\n-c -> f -> d", None),  # type: ignore[list-item]
    ("input x:\n[3]", None),  # type: ignore[list-item]
]


@pytest.mark.parametrize(("text", "same"), NEWLINES)
def test_newlines(text: str, same: str | None) -> None:
    for spelling in (text, text.replace("\n", "\r\n")):
        if same is None:
            with pytest.raises(GraphError):
                parsed(spelling)
        else:
            assert shape(parsed(spelling).statements) == shape(parsed(same).statements)


# ---- large texts -----------------------------------------------------------------------

LARGE = {
    "parentheses": "y = " + "(" * 1000 + "x" + ")" * 1000,
    "many parentheses": "y = " + "(" * 5_000 + "x" + ")" * 5_000,
    "sum": "y = " + " + ".join(["x"] * 2000),
    "minuses": "y = " + "-" * 5_000 + "x",
    "powers": "y = " + "x ** " * 5_000 + "x",
    "nots": "y = " + "not " * 5_000 + "x",
    "lists": "y = " + "[" * 2000 + "]" * 2000,
    "members": "y = x" + ".a" * 2000,
    "calls": "y = x" + "(1)" * 2000,
    "ifs": "if a {" * 2000 + "y = x" + "}" * 2000,
    "else ifs": "if a { }" + " else if b { }" * 2000,
    "residuals": "x -> " + "residual {" * 2000 + "f" + "}" * 2000 + " -> y",
    "stages": "x " + "-> f " * 5_000 + "-> y",
}


@pytest.mark.parametrize("text", LARGE.values(), ids=LARGE)
def test_depth_needs_no_recursion(text: str) -> None:
    limit = sys.getrecursionlimit()
    assert sum(1 for _ in nodes(parsed(text))) > 1000 or "(" in text
    assert sys.getrecursionlimit() == limit


@pytest.mark.parametrize("text", LARGE.values(), ids=LARGE)
def test_depth_needs_no_recursion_where_there_is_a_mistake(text: str) -> None:
    for wrong in (text[:-1] + " $", text[: len(text) // 2] + " +"):
        with pytest.raises(GraphError):
            parsed(wrong)


def test_parsing_takes_linear_time() -> None:
    def work(count: int) -> int:
        text = "".join(f"x{i} = tanh(x{i - 1} @ W) * 2\n" for i in range(1, count + 1))
        return count_calls(lambda: parsed(text))

    work(10)  # what is kept from the first time on is no matter
    few, many = work(300), work(3000)  # 33,000 tokens
    assert many < 11 * few


# ---- random texts -------------------------------------------------------------------------

OPERATORS = ["==", "<", "+", "-", "*", "**", "//", "%", "@", ";", "#", "'", '"', "\\", *"^!&|$?"]
WORDS = [
    *(word.lower() for word in sorted(KEYWORD_TYPES)),
    *SIGNS.values(),
    *OPERATORS,
    *["\n", "\n", "\r\n", "\r", "\0", "\t", '"""', '"a"', "'a'", "x", "y", "θ", "µ", "2x", "1.5"],
    *["7", "1.", ".5", "1e999", "\ud800", "\u202e", "\ufeff", "def", "for", "else if", "import"],
]
CORPUS = [path.read_text(encoding="utf-8") for path in [*EXAMPLES, *ERRORS]]


def mistakes_in(source: Source) -> tuple[Diagnostic, ...]:
    try:
        parse(source)
    except GraphError as problem:
        return problem.diagnostics
    return ()


def check(text: str) -> None:
    """The text parses, or every diagnostic can be shown and stands inside of the text."""
    mistakes = mistakes_in(Source("a.graph", text))
    assert all(map(str, mistakes))
    starts = []
    for mistake in mistakes:
        assert mistake.span is not None
        assert 0 <= mistake.span.start <= mistake.span.end <= len(text)
        starts.append(mistake.span.start)
        said = mistake.message + "".join(note.message for note in mistake.notes)
        assert not any(word in said for word in ("LPAR", "_SEP", "$END", "ANON", "UNDERSCORE"))
    assert starts == sorted(starts)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=40), st.sampled_from(["", " "]))
def test_random_tokens(words: list[str], blank: str) -> None:
    check(blank.join(words))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_random_text(text: str) -> None:
    check(text)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(CORPUS),
    st.lists(
        st.tuples(st.floats(0, 1), st.integers(0, 12), st.sampled_from(["", *WORDS])), max_size=4
    ),
)
def test_random_changes(text: str, changes: list[tuple[float, int, str]]) -> None:
    for place, length, word in changes:
        at = int(place * len(text))
        text = text[:at] + word + text[at + length :]
    check(text)


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=40))
def test_random_bytes(data: bytes) -> None:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        with pytest.raises(GraphError, match="UTF-8"):
            read_source("a.graph", data)
    else:
        check(text)
