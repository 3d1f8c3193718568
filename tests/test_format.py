"""The canonical form: golden pairs, what it must keep, and `graphc fmt`."""

from __future__ import annotations

import io
import os
import random
import re
import stat
import sys
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from graphc.cli.app import app
from graphc.compile.stages import compile_source
from graphc.source import Diagnostic, GraphError, Source
from graphc.syntax.format import formatter as formatting
from graphc.syntax.format.formatter import format_source, is_same_tree
from graphc.syntax.format.lines import WIDTH
from graphc.syntax.parse.parser import parse, tokens_of

ROOT = Path(__file__).parent.parent
GOLDEN = sorted((ROOT / "tests/golden/format").glob("*.before.graph"))
PROGRAMS = [
    *sorted((ROOT / "tests/language/examples").glob("*.graph")),
    *sorted((ROOT / "examples").glob("*.graph")),
]
FILES = [
    *PROGRAMS,
    ROOT / "grammar/std.graph",
    *GOLDEN,
]
ERRORS = sorted((ROOT / "tests/language/errors").glob("*.graph"))
TEXTS = [path.read_text(encoding="utf-8") for path in FILES]

by_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)


def formatted(text: str) -> str:
    return format_source(Source("test.graph", text))


def mistakes(source: Source) -> tuple[Diagnostic, ...]:
    try:
        parse(source)
    except GraphError as wrong:
        return wrong.diagnostics
    return ()


def tree_is_same(left: str, right: str) -> bool:
    return is_same_tree(parse(Source("left", left)), parse(Source("right", right)))


def gaps(text: str) -> list[str]:
    """What stands before each token and behind the last: independent of the formatter's own."""
    found, end = [], 0
    for token in tokens_of(Source("test.graph", text)):
        if token.type != "_SEP":
            found.append(text[end : token.start_pos])
            end = token.end_pos or 0
    return [*found, text[end:]]


def comments(text: str) -> list[str]:
    found = (re.findall("#[^\n]*", gap) for gap in gaps(text))
    return sorted(comment.rstrip() for texts in found for comment in texts)


def spellings(text: str) -> list[str]:
    tokens = tokens_of(Source("test.graph", text))
    return [token.value.replace("\r\n", "\n") for token in tokens if token.type != "_SEP"]


def assert_canonical(text: str, original: str) -> None:
    """Everything that is promised of `text`, the canonical form of `original`."""
    assert formatted(text) == text
    assert tree_is_same(text, original)
    assert comments(text) == comments(original)
    assert spellings(text) == spellings(original)
    assert "\r" not in text
    assert not text or (text.endswith("\n") and not text.startswith("\n"))
    for gap in gaps(text):
        assert not re.search(r"[ \t]\n|\t|\n\n\n|;", re.sub("#[^\n]*", "#", gap))
    assert not text.endswith("\n\n")


# ---- what it writes -------------------------------------------------------------------


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.name.partition(".")[0])
def test_golden(path: Path) -> None:
    after = path.with_name(path.name.replace(".before.", ".after."))
    assert formatted(path.read_text(encoding="utf-8")) == after.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        (" \n;\t\n", ""),
        ("\ufeffdim B", "dim B\n"),
        ("\n\n# only", "# only\n"),
        ("dim B\n\n\n# c\n\n\ndim C", "dim B\n\n# c\n\ndim C\n"),
        ("y = f(a,; b) +; c", "y = f(a, b) + c\n"),
        ("y = x ; # why ; not", "y = x  # why ; not\n"),
        ('y = "a  #b" "c;d"', 'y = "a  #b" "c;d"\n'),
        ("y = - - x", "y = --x\n"),
        ("y = x - -2 ** - z", "y = x - -2**-z\n"),
        ("y = x[::2, a:, :b, ...]", "y = x[::2, a:, :b, ...]\n"),
        ("y = x[a - (b - 1) : f(c - 1)]", "y = x[a-(b - 1):f(c - 1)]\n"),
        ("y = [a / b, f(a/b), (a + b) * c, u @ v]", "y = [a/b, f(a / b), (a + b)*c, u @ v]\n"),
        ("dim H = 4 * D // f(2*D)\ny = 4*D", "dim H = 4*D//f(2 * D)\ny = 4 * D\n"),
        ("y = [ [ 1 ], [ ] , ]", "y = [[1], [],]\n"),
        ("if not(a) { }", "if not (a) {}\n"),
        ("x -> ( f , g ) -> y , z", "x -> (f, g) -> y, z\n"),
        ("next h,c = a,b ; until h<c", "next h, c = a, b\nuntil h < c\n"),
        ("y = emb . E . T [ 0 ] ( x )as n", "y = emb.E.T[0](x) as n\n"),
    ],
)
def test_small_texts(before: str, after: str) -> None:
    assert formatted(before) == after
    assert_canonical(after, before)


@by_file
def test_it_keeps_every_token_and_comment(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert_canonical(formatted(text), text)


@by_file
def test_line_ends_do_not_matter(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert formatted(text.replace("\n", "\r\n")) == formatted(text)


def test_a_long_chain_is_broken_and_nothing_else() -> None:
    stages = " -> ".join(f"dense({number}) as layer{number}" for number in range(40))
    lines = formatted(f"x -> {stages} -> y\n").splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert {line[:5] for line in lines[1:]} == {"  -> "}
    total = "y = " + " + ".join(f"name{number}" for number in range(40)) + "\n"
    assert formatted(total) == total


def test_comments_are_aligned_only_where_there_is_room() -> None:
    long = "y = f(" + ", ".join(f"x{number}" for number in range(16)) + ")"
    text = f"a = 1  # {'c' * 40}\n{long}  # d\n"
    assert formatted(text) == text
    assert formatted("a = 1 # c\nname = 2 # d\n") == "a = 1     # c\nname = 2  # d\n"


def test_large_files_take_no_quadratic_time() -> None:
    text = "const c = [" + "1.5, " * 5000 + "2]\n" + "".join(f"x{i} = 1; " for i in range(3000))
    assert formatted(text).count("\n") == 3001


def test_a_form_with_another_meaning_is_never_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formatting, "blanks", lambda tokens: [False] * len(tokens))
    monkeypatch.setattr(formatting, "is_same_tree", lambda left, right: False)
    with pytest.raises(AssertionError, match="another program"):
        formatted("y = x")


# ---- whatever the white space ------------------------------------------------------------

BLANKS = ["", " ", "  ", "\t", " \t "]
LINES = [
    "\n",
    "\r\n",
    "\n\n\n",
    " # c\n",
    "\n# own\n",
    " #d \r\n\n  # own\n\n\t",
    "\n;;\n",
    "\n\n#\n",
]
CONTINUES = ("COMMA", "LBRACE", "EQUAL", "ARROW", "CMP")


def respaced(text: str, seed: int, *, with_lines: bool) -> str:
    """The text with other white space and, where lines may end, further lines and comments."""
    chance = random.Random(seed)
    tokens = [t for t in tokens_of(Source("test.graph", text)) if t.type != "_SEP"]
    pieces = []
    for number, gap in enumerate(gaps(text)):
        if "\n" in gap or number in (0, len(tokens)):
            if with_lines and chance.random() < 0.5:
                gap = re.sub(r"\n[ \t]*\Z", lambda _: chance.choice(LINES), gap)
        elif ";" not in gap:
            left, right = tokens[number - 1].type, tokens[number].type
            if gap:
                gap = chance.choice(BLANKS) or " "
            elif not {left, right} & {"INT", "FLOAT", "DOT", "RANGE"}:
                gap = chance.choice(BLANKS)
            if with_lines and left in CONTINUES and chance.random() < 0.3:
                gap += chance.choice(LINES)
        pieces.append(gap)
    words = [*(token.value for token in tokens), ""]
    return "".join(piece + word for piece, word in zip(pieces, words, strict=True))


SEEDS = st.integers(0, 2**32)

# What reaches the module beside the mathematics: docs, texts of conditions, quoted statements of
# every kind, of blocks and loops too.
SMALL = '''"""All that
   is quoted."""
dim B  "examples"; dim D = 2 * 3
const table = [1.0, -2.5]
require B >= 2 "two  at least"
input x: [B, D]  "what  comes in"
param w: [D] ~ normal(0, 1e-1)
block twice(x: [..., K], act: fn = tanh) -> y: [..., K] {
    "2 x"
    y = act(2 * x[..., 0:K]) ** 2
}
repeat layer[k in 1..3] carry h = x * w { next h = twice(h) + table[0] }
x -> residual { twice(relu) } -> dense(3) as head -> z; u = einsum("b d, b d -> b", h, x)
scan step[t in D] carry s = 0.0 { next s = s + mean(x[:, t]) ; collect every = s }
output loss = mean(z) + sum(u) + s
output rest = sum(every, axis=D) / 2 ** -1
derive grad loss wrt params, h as slopes
'''


@cache
def compiled_small() -> str:
    return compile_source(Source("small.graph", SMALL)).text


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(TEXTS), SEEDS)
def test_blanks_do_not_matter(text: str, seed: int) -> None:
    assert formatted(respaced(text, seed, with_lines=False)) == formatted(text)


@settings(deadline=None, max_examples=80)
@given(st.sampled_from(TEXTS), SEEDS)
def test_any_white_space_and_comments(text: str, seed: int) -> None:
    again = respaced(text, seed, with_lines=True)
    assert tree_is_same(again, text)
    assert_canonical(formatted(again), again)


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.name)
def test_the_compiled_module_is_the_same_to_the_byte(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    again = respaced(text, len(text), with_lines=True)
    assert again != text
    modules = {
        compile_source(Source(path.name, each), folder=path.parent).text
        for each in {text, again, formatted(again)}
    }
    assert len(modules) == 1


@settings(deadline=None, max_examples=40)
@given(SEEDS)
def test_the_layout_of_a_small_file_does_not_reach_its_module(seed: int) -> None:
    again = respaced(SMALL, seed, with_lines=True)
    assert compile_source(Source("small.graph", again)).text == compiled_small()


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(TEXTS), st.data())
def test_what_still_parses_when_cut_apart_is_formatted(text: str, data: st.DataObject) -> None:
    lines = text.splitlines(keepends=True)
    first = data.draw(st.integers(0, len(lines) - 1))
    part = "".join(lines[first : data.draw(st.integers(first, len(lines)))])
    assume(not mistakes(Source("test.graph", part)))
    assert_canonical(formatted(part), part)


# ---- the command -----------------------------------------------------------------------

UGLY, PRETTY, WRONG = "y=2*x\r\n", "y = 2 * x\n", "y = (\n"


def run(*arguments: str, given: str | bytes = "") -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["fmt", *arguments], input=given)
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def ugly(tmp_path: Path) -> Path:
    path = tmp_path / "ugly.graph"
    path.write_bytes(UGLY.encode())
    return path


def test_fmt_rewrites_in_place_and_keeps_the_mode(ugly: Path) -> None:
    ugly.chmod(0o640)
    assert run(str(ugly)) == (0, "", "")
    assert ugly.read_bytes() == PRETTY.encode()
    assert stat.S_IMODE(ugly.stat().st_mode) == 0o640
    assert os.listdir(ugly.parent) == [ugly.name]


def test_fmt_leaves_alone_what_is_canonical(ugly: Path) -> None:
    run(str(ugly))
    before = ugly.stat()
    assert run(str(ugly)) == (0, "", "")
    after = ugly.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_fmt_writes_through_a_symbolic_link(ugly: Path) -> None:
    link = ugly.with_name("link.graph")
    link.symlink_to(ugly.name)
    assert run(str(link)) == (0, "", "")
    assert link.is_symlink()
    assert ugly.read_bytes() == PRETTY.encode()


def test_check_lists_and_writes_nothing(ugly: Path) -> None:
    pretty = ugly.with_name("pretty.graph")
    pretty.write_bytes(PRETTY.encode())
    assert run("--check", str(pretty), str(ugly)) == (1, f"{ugly}\n", "")
    assert run("--check", str(pretty)) == (0, "", "")
    assert ugly.read_bytes() == UGLY.encode()


def test_diff_shows_and_writes_nothing(ugly: Path) -> None:
    code, shown, _ = run("--diff", str(ugly))
    assert code == 0
    assert shown.endswith("\n-y=2*x\n+y = 2 * x\n")  # CliRunner drops the \r
    assert run("--diff", "--check", str(ugly)) == (1, f"{ugly}\n{shown}", "")
    assert ugly.read_bytes() == UGLY.encode()


def test_diff_of_a_byte_order_mark_and_a_missing_line_end(tmp_path: Path) -> None:
    path = tmp_path / "marked.graph"
    path.write_bytes(b"\xef\xbb\xbfdim B")
    shown = run("--diff", str(path))[1]
    assert shown.endswith("\n-\ufeffdim B\n\\ No newline at end of file\n+dim B\n")


def test_fmt_filters_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("-", given=UGLY.encode()) == (0, PRETTY, "")
    assert run("--check", "-", given=UGLY.encode()) == (1, "<stdin>\n", "")


def test_fmt_writes_lf_to_standard_output_whatever_its_encoding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("θ=1".encode())))
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii", newline="\r\n"))
    with pytest.raises(SystemExit) as left:
        app(["fmt", "-"])
    assert left.value.code == 0
    assert raw.getvalue() == "θ = 1\n".encode()


@pytest.mark.parametrize("path", ERRORS, ids=lambda path: path.name)
def test_what_does_not_parse_is_refused(path: Path) -> None:
    source = Source(path.name, path.read_text(encoding="utf-8"))
    if diagnostics := mistakes(source):
        with pytest.raises(GraphError) as found:
            format_source(source)
        assert found.value.diagnostics == diagnostics
    else:
        assert_canonical(format_source(source), source.text)


def test_a_mistake_leaves_its_file_untouched_and_the_others_are_formatted(ugly: Path) -> None:
    wrong = ugly.with_name("wrong.graph")
    wrong.write_bytes(WRONG.encode())
    code, shown, message = run(str(wrong), str(ugly))
    assert (code, shown) == (1, "")
    assert message.startswith("error[E1")
    assert wrong.read_bytes() == WRONG.encode()
    assert ugly.read_bytes() == PRETTY.encode()


def test_what_cannot_be_read_or_written_is_one_line(ugly: Path) -> None:
    code, _, message = run(str(ugly.with_name("none.graph")))
    assert code == 1
    assert message.startswith("error[E001]: cannot read ")
    assert message.count("\n") == 1
