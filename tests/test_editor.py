"""What an editor is told of a file: names, types, what comes next, what mends a mistake."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from graphc.editor.analysis import Analysis, GivenUp, analyse
from graphc.editor.colours import colours
from graphc.editor.completion import Known, completion, paths_of
from graphc.editor.files import Files, Open
from graphc.editor.fixes import fixes
from graphc.editor.generated import generated
from graphc.editor.hover import hover
from graphc.editor.navigation import Unfit, definition, references, renamed
from graphc.editor.outline import folds
from graphc.editor.places import edited, offset, position
from graphc.source import Source
from tests.editing import ask_everything, edits
from tests.patience import count_calls

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = sorted(
    path
    for folder in ("examples", "grammar", "tests")
    for path in (ROOT / folder).rglob("*.graph")
    if not path.is_relative_to(ROOT / "tests" / "language" / "errors")
)
WRITTEN = [path for path in PROGRAMS if "fuzz" not in path.parts]

NET = """from "lib.graph" import gated
dim B
input x: [B, 8] "what comes in"
input t: [B, 4]
x -> gated(16, act=relu) as up -> h  # h has two children
y = h + dense(h, 16, act=relu) as branch
output p = dense(y, 4)
output loss = mean((p - t)**2)
derive value_and_grad loss wrt params
"""
LIB = """block gated(x: [..., K], units: int, act: fn = tanh) -> y: [..., units] {
    "act(x W) times a gate."
    param W, V: [K, units]
    y = act(x @ W) * sigmoid(x @ V)
}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("project")
    (path / "net.graph").write_text(NET, encoding="utf-8")
    (path / "lib.graph").write_text(LIB, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def net(folder: Path) -> Analysis:
    found = analyse(Source(str(folder / "net.graph"), NET), folder)
    assert found.told == ()
    return found


def at(text: str, piece: str, within: int = 0) -> int:
    """The offset of a piece of a text that stands there once, or of a character of it."""
    assert text.count(piece) == 1, piece
    return text.index(piece) + within


def hovered(analysis: Analysis, piece: str, within: int = 0) -> str:
    found = hover(analysis, at(analysis.source.text, piece, within))
    assert found is not None
    return found[1]


def offered(text: str, known: Known) -> list[str]:
    """What is offered at the end of a text, of which all but the last line was analysed."""
    source = Source("a.graph", text)
    since = edited(known.analysis.source, source)
    return [one.text for one in completion(source, len(text), known, since.start)]


# ---- names, by the text alone ----------------------------------------------------------------


def names_that_differ(path: Path) -> Iterator[str]:
    """The uses of names that elaboration takes for another than the text alone tells."""
    found = analyse(Source(str(path), path.read_text(encoding="utf-8")), path.parent, whole=False)
    for span, entry in found.entries.items():
        source = found.source
        if span.source is not source or entry.span.source is not source or entry.span == span:
            continue
        if span.text in ("cotangent", "tangent"):  # words of a rule, which nothing defines
            continue
        named = found.names.at(span.start)
        defined = [] if named is None else [one.start for one in named[0].defined]
        if entry.span.start not in defined:
            yield f"{span}: {span.text} is of {entry.span}, not of {defined}"


@pytest.mark.parametrize("path", WRITTEN[::4], ids=lambda path: path.stem)
def test_names_are_those_of_the_compiler(path: Path) -> None:
    assert list(names_that_differ(path)) == []


@pytest.mark.long
def test_names_are_those_of_the_compiler_in_all_programs() -> None:
    assert [line for path in PROGRAMS for line in names_that_differ(path)] == []


def renaming_faults(path: Path) -> Iterator[str]:
    """Rename each name of a program: it has the same shapes, and is as right as before."""
    text = path.read_text(encoding="utf-8")
    found = analyse(Source(str(path), text), path.parent, whole=False)
    before = [str(told.code) for told in found.told]
    for symbol in found.names.symbols:
        try:
            spans = renamed(
                found.names, symbol.defined[0].start, str(path), {str(path): found.names}, "zz9"
            )
        except Unfit as why:
            yield f"{symbol.name}: {why}"
            continue
        new = text
        for span in sorted(spans, key=lambda one: -one.start):
            new = new[: span.start] + "zz9" + new[span.end :]
        again = analyse(Source(str(path), new), path.parent, whole=False)
        if [str(told.code) for told in again.told] != before:
            yield f"{symbol.name}: {', '.join(told.message for told in again.told)}"


RENAMED = [path for path in WRITTEN if path.stem in ("net321", "05_lstm", "11_rules", "12_sharing")]


@pytest.mark.parametrize("path", RENAMED, ids=lambda path: path.stem)
def test_what_is_renamed_still_compiles(path: Path) -> None:
    assert list(renaming_faults(path)) == []


@pytest.mark.long
def test_what_is_renamed_in_all_programs_still_compiles() -> None:
    assert [f"{path}: {line}" for path in WRITTEN for line in renaming_faults(path)] == []


def test_what_is_not_elaborated_has_names_too() -> None:
    text = "input x: [3]\nblock f(a: [K]) -> b: [K] { c = 2 * a; b = c + a }\noutput y = x\n"
    found = analyse(Source("a.graph", text))
    assert [span.text for span in references(found.names, at(text, "c = 2"), "a.graph", {})] == [
        "c",
        "c",
    ]
    assert len(references(found.names, at(text, "a: [K]"), "a.graph", {})) == 3


def test_a_name_may_not_become_one_that_is_taken(net: Analysis) -> None:
    place = at(NET, "y = h")
    for new, why in (
        ("h", "taken"),
        ("tanh", "operation"),
        ("dense", "standard block"),
        ("scan", "not a name"),
        ("2a", "not a name"),
    ):
        with pytest.raises(Unfit, match=why):
            renamed(net.names, place, "net.graph", {}, new)


def test_a_block_is_renamed_in_all_files(folder: Path) -> None:
    files = Files()
    net, lib = str(folder / "net.graph"), str(folder / "lib.graph")
    file = files.change(net, NET)
    together = files.together(file)
    for text, path in ((NET, net), (LIB, lib)):
        place = text.index("gated(")
        spans = renamed(together[path], place, path, together, "gate")
        told = [(Path(span.source.name).name, span.line) for span in spans]
        assert told == [("lib.graph", 1), ("net.graph", 1), ("net.graph", 5)]
    found = definition(files.latest(file)[0], at(NET, "gated(16"), net, together)
    assert found is not None
    assert (Path(found.source.name), found.line) == (folder / "lib.graph", 1)


def test_what_is_open_and_not_saved_is_read_instead(folder: Path) -> None:
    files = Files()
    file = files.change(str(folder / "net.graph"), NET)
    files.change(str(folder / "lib.graph"), LIB.replace("gated", "gate"))
    (told,) = files.latest(file)[0].told
    assert told.message.startswith("`gated` is not a block of")
    assert told.notes[0].fix is not None


# ---- what is told of a name ------------------------------------------------------------------


def test_a_value_is_told_with_its_type_and_the_terms_of_its_adjoint(net: Analysis) -> None:
    """h goes into y and, by W of the branch, into its sum: both come back, times W transposed."""
    told = hovered(net, "h  # h has")
    assert "value h: [B, 16]" in told
    assert "dL/dh = (∂y/∂h) (dL/dy) + (∂branch/∂h) (dL/d branch)" in " ".join(told.split())
    assert "((dL/d branch) ⊙ [branch > 0]) branch.Wᵀ" in told
    assert "input x: [B, 8]" in hovered(net, "x: [B, 8]")
    assert "what comes in" in hovered(net, "x: [B, 8]")


def test_operations_and_blocks_are_told(net: Analysis) -> None:
    assert "act(x W) times a gate." in hovered(net, "gated(16")
    assert "block dense(x: [..., K], units: int" in hovered(net, "dense(h, 16")
    told = hovered(net, "mean((")
    assert "mean(x, axis" in told
    assert "derivative" in told


def test_shapes_stand_where_none_is_written(net: Analysis) -> None:
    found = {(place.line, text) for place, text in net.shapes}
    assert found == {(5, ": [B, 16]"), (6, ": [B, 16]"), (7, ": [B, 4]"), (8, ": []")}


def test_a_broken_file_keeps_its_other_answers() -> None:
    text = NET.partition("\n")[2].replace("gated(16, act=relu)", "dense(16)")
    broken = text.replace("output p = dense(y, 4)", "output p = dense(y, 4 +")
    found = analyse(Source("net.graph", broken))
    assert not found.sound
    assert "value y: [B, 16]" in hovered(found, "y = h")
    assert {item.name for item in found.outline} >= {"h", "y"}
    known = Known(found, ("up.W", "up.b"))
    assert "h" in offered(f"{broken}\nz = ", known)


def test_a_file_of_blocks_has_no_mistake() -> None:
    (told,) = analyse(Source("lib.graph", LIB)).told
    assert (told.code, told.severity) == ("N222", "note")


def test_the_generated_lines_of_a_value(net: Analysis) -> None:
    made = generated(net, "y")
    lines = made.text.split("\n")
    assert [lines[number].split(" = ")[0].strip() for number in made.lines[:1]] == ["y"]
    assert any(lines[number].strip().startswith("d_y = ") for number in made.lines)


# ---- what may come next ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "there", "not_there"),
    [
        ("z = ", {"x", "h", "tanh", "dense", "gated", "pi"}, {"B=", "output"}),
        ("out", {"output", "x"}, set()),
        ("z = dense(", {"units=", "act=", "x"}, set()),
        ("z = sum(h, ", {"axis="}, {"units="}),
        ("input u: [", {"B"}, {"x", "tanh"}),
        ("input u: ", {"float", "int"}, {"tanh"}),
        ("derive ", {"grad", "value_and_grad", "hessian"}, {"x"}),
        ("derive grad ", {"loss", "p"}, {"tanh"}),
        ("derive grad loss wrt ", {"params", "up.W", "branch.b", "branch.*", "x"}, {"tanh"}),
        ("derive jacobian p wrt x per ", {"B"}, {"x"}),
        ("z = x @ branch.", {"W", "b"}, {"x"}),
        ('from "', {"lib.graph"}, {"x"}),
        ('from "lib.graph" import ', {"gated"}, {"x"}),
        ("z = x  # ", set(), {"x"}),
        ('z = f(einsum, "', set(), {"x"}),
    ],
)
def test_completion(net: Analysis, typed: str, there: set[str], not_there: set[str]) -> None:
    known = Known(net, paths_of(net), {"lib.graph": ("gated",)}, lambda: ["lib.graph"])
    found = set(offered(NET + typed, known))
    assert there <= found
    assert not not_there & found


# ---- what mends a mistake --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ("input x: [3]\noutput y = tanhh(x)\n", "input x: [3]\noutput y = tanh(x)\n"),
        ("input xs: [3]\noutput y = tanh(x)\n", "input xs: [3]\noutput y = tanh(xs)\n"),
        ("input x: [3]\noutput y = x^2\n", "input x: [3]\noutput y = x**2\n"),
        ("input x: [3]\noutput y = x × 2\n", "input x: [3]\noutput y = x * 2\n"),
        ("input x: [3]\noutput y = x * .5\n", "input x: [3]\noutput y = x * 0.5\n"),
        ("input x: [3]\noutput y = x * 1_000\n", "input x: [3]\noutput y = x * 1000\n"),
        ("input x\noutput y = where(x > 0 && x < 1, x, 1.0)\n",
         "input x\noutput y = where(x > 0 and x < 1, x, 1.0)\n"),
        ("input x\noutput y = where(!(x > 0), x, 1.0)\n",
         "input x\noutput y = where(not(x > 0), x, 1.0)\n"),
        ("input x: [3]\noutput y = dense(x, 2, act='relu')\n",
         "input x: [3]\noutput y = dense(x, 2, act=relu)\n"),
        ("input x: [3]\noutput y = dense(x, 2, act=\"relu\")\n",
         "input x: [3]\noutput y = dense(x, 2, act=relu)\n"),
        ("input x: [3, 3]\noutput y = einsum('i i ->', x)\n",
         "input x: [3, 3]\noutput y = einsum(\"i i ->\", x)\n"),
        ("input x: [3]\u200b\noutput y = x\n", "input x: [3]\noutput y = x\n"),
        ("input x\noutput y = x\nderive gradient y\n", "input x\noutput y = x\nderive grad y\n"),
    ],
)  # fmt: skip
def test_a_remedy_mends(text: str, mended: str) -> None:
    first, *_ = analyse(Source("a.graph", text)).told
    edit, *_ = fixes(first)
    new = text[: edit.span.start] + edit.text + text[edit.span.end :]
    assert new == mended
    assert not [told for told in analyse(Source("a.graph", new)).told if told.severity == "error"]


# ---- places, folds, texts that are edited ----------------------------------------------------


def test_places_are_counted_as_editors_count() -> None:
    """Line and UTF-16 unit: a face beyond the first plane is two."""
    source = Source("a", "a = 1\n# \N{GRINNING FACE}é b\n")
    for place, expected in ((0, (0, 0)), (6, (1, 0)), (8, (1, 2)), (9, (1, 4)), (12, (1, 7))):
        assert position(source, place) == expected
        assert offset(source, expected) == place
    assert offset(source, (1, 99)) == len("a = 1\n# \N{GRINNING FACE}é b")
    assert offset(source, (9, 0)) == len(source.text)


def test_a_place_before_an_edit_and_behind_it() -> None:
    before, after = Source("a", "abc = 1\nd = 2\n"), Source("a", "abc = 1 + 3\nd = 2\n")
    since = edited(before, after)
    assert since.back(2) == 2
    assert since.back(after.text.index("d")) == before.text.index("d")
    assert since.back(after.text.index("3")) is None
    assert since.forth(before.whole) is None


def test_bodies_and_comments_fold() -> None:
    text = "# one\n# two\nrepeat l[i in 3] {\n  a = 1\n}\noutput y = a\n"
    source = Source("a.graph", text)
    found = analyse(source).compilation.parsed.file.statements
    assert folds(source, found) == [(0, 1, "comment"), (2, 4, "region")]


def test_the_words_of_rules_are_told() -> None:
    text = (
        "input x: [3]\nblock f(a: [K]) -> b: [K] { b = 2 * a; rule vjp a = 2 * cotangent(b) }\n"
        "output y = f(x)\n"
    )
    found = hover(analyse(Source("a.graph", text)), at(text, "cotangent"))
    assert found is not None
    assert found[0].text == "cotangent"
    assert "cotangent(" in found[1]


def test_a_file_of_blocks_alone() -> None:
    """It has no mistake, and no module: what asks for one has no answer."""
    text = "block f(a: [K]) -> b: [K] { b = sin(2 * a) }\n"
    analysis = analyse(Source("blocks.graph", text))
    opened = Open("blocks.graph", analysis.source)
    opened.take(analysis)
    assert opened.paths == ()
    assert not analysis.sound
    assert hover(analysis, at(text, "b = sin")) is not None


def typed_at_random(seed: int, count: int) -> None:
    """Type at random, and ask everything after each keystroke."""
    texts = [path.read_text(encoding="utf-8") for path in WRITTEN]
    draw, before = random.Random(seed), None
    for text, place in islice(edits(texts, seed), count):
        before = ask_everything(text, place, before, draw)


def test_random_edits() -> None:
    typed_at_random(0, 60)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, 11))
def test_ten_thousand_random_edits(seed: int) -> None:
    typed_at_random(seed, 1000)


def work_while_one_types(lines: int) -> tuple[int, int]:
    """Count the calls of the analysis, and of all answers to a keystroke by what was before."""
    text = "dim B\ninput x: [B, 8]\nparam W: [8, 8]\nh0 = x\n"
    for i in range(1, lines // 2):
        text += f"h{i} = tanh(h{i - 1} @ W) + 0.5 * x  # layer {i}\nk{i} = sum(h{i}, axis=1)\n"
    text += f"output loss = mean(h{lines // 2 - 1}**2)\n"
    files = Files()
    analysed = count_calls(lambda: files.latest(files.change("/net.graph", text)))
    place = text.index("h150 =") + 7

    def answer(key: str) -> None:
        nonlocal text, place
        text = text[:place] + key + text[place:]
        place += 1
        file = files.change("/net.graph", text)
        analysis, since = files.latest(file)
        found = completion(file.source, place, files.known(file), since.start)
        hover(analysis, analysis.source.text.index("h100 ="))
        colours(analysis.names, since, analysis.colours)
        assert "h149" in {one.text for one in found}

    return analysed, min([count_calls(lambda key=key: answer(key)) for key in "h14"])


def test_an_analysis_of_what_has_changed_meanwhile_is_given_up() -> None:
    files = Files()
    work = files.analysing(files.change("/net.graph", "input x: [3]\noutput y = sum(x)\n"))
    files.change("/net.graph", "input x: [3]\noutput y = sum(x**2)\n")
    with pytest.raises(GivenUp):
        work()
    assert files.analysing(files.open["/net.graph"])().sound


def test_answers_do_not_wait_for_the_analysis() -> None:
    analysed, answered = work_while_one_types(600)
    assert answered < analysed / 2


@pytest.mark.long
def test_two_thousand_lines_answer_within_half_a_million_calls() -> None:
    """Which take 150 ms."""
    _, answered = work_while_one_types(2000)
    assert answered < 500_000
