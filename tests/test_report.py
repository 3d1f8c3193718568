"""The page on a graph: what stands in it, how its parts are linked, and that it is sound."""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from graphc.checking.point import Start
from graphc.cli.app import app
from graphc.compile.stages import Compilation, Options, load
from graphc.ir.dims import Dim
from graphc.source import Source
from graphc.views.cost import price
from graphc.views.report import derivation
from graphc.views.report import page as pages
from graphc.views.report.reported import PageOptions, reported
from graphc.views.report.schedule import amount

ROOT = Path(__file__).resolve().parent.parent
WISH = PageOptions(Start(0), "a point that was drawn", check=False)
NET = '''"""A net & a <skip> edge."""
input x: [4]
param W: [4, 4]
h = tanh(W @ x)
f = sin(h)
y = h + f
output loss = sum(y**2)
derive value_and_grad loss wrt params
'''
HOSTILE = '''"""</script><script>alert(1)</script> <img src=x onerror=alert(2)> " ' & --> ]]>"""
# </style></script><script src="http://example.org/x.js"></script> <!-- javascript:alert(3)
input x: [3] "a <b>bold</b> \\" onclick=alert(4)"
output y = sum(x * x)  # </title>
'''


@functools.cache
def page(text: str, level: str = "-O0", wish: PageOptions = WISH) -> str:
    return reported(Compilation(Source("net.graph", text), Options(level=level)), wish).text


VOID = {"meta", "input", "br"}


class Tree(HTMLParser):
    """A page as its elements, each closed where it was opened: (tag, attributes, text, path)."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[list[Any]] = []
        self.found: list[list[Any]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), attrs
        one = [tag, dict(attrs), "", [each[1].get("id") for each in self.open]]
        self.found.append(one)
        if tag not in VOID:
            self.open.append(one)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        for one in self.open:
            if one[0] not in ("html", "body", "main"):
                one[2] += data

    def within(self, panel: str, tag: str) -> Iterator[tuple[dict[str, str], str]]:
        for name, attributes, text, path in self.found:
            if name == tag and panel in path:
                yield attributes, text

    def lines(self, panel: str) -> list[tuple[dict[str, str], str]]:
        return [one for one in self.within(panel, "span") if one[0].get("class", "")[:1] == "l"]


def names(attributes: dict[str, str], what: str = "node") -> list[str]:
    return attributes.get(f"data-{what}", "").split()


# ---- what stands there, and what it is linked with ----------------------------------------------


@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_source_and_module_stand_there_as_they_are(level: str) -> None:
    tree = Tree(page(NET, level))
    assert "".join(f"{text}\n" for _, text in tree.lines("source")) == NET
    module = Compilation(Source("net.graph", NET), Options(level=level)).text
    shown = "".join(f"{text}\n" for _, text in tree.lines("code"))
    assert shown.rstrip("\n") == module.rstrip("\n")


def test_a_name_is_linked_with_its_line_and_statements() -> None:
    tree = Tree(page(NET))
    source = {text: names(attributes) for attributes, text in tree.lines("source")}
    assert source["f = sin(h)"] == ["f"]
    assert source["output loss = sum(y**2)"] == ["loss"]
    assert source["param W: [4, 4]"] == ["W"]
    code = {text.strip(): attributes for attributes, text in tree.lines("code")}
    value = code["f = np.sin(h)  # f = sin(h)"]
    assert (names(value), names(value, "derivative")) == (["f"], [])
    adjoint = next(one for text, one in code.items() if text.startswith("d_h = "))
    assert (names(adjoint), names(adjoint, "derivative")) == ([], ["h"])
    assert names(code["import numpy as np"]) == []


def test_what_is_of_a_value_and_what_of_a_derivative_in_blocks() -> None:
    """Of a function that computes both in the same blocks."""
    text = """dim B
input x: [B, 4]
h = tanh(3 * x)
f = sin(h)
output loss = sum(f * h)
derive value_and_grad loss wrt x
"""
    lines = [(line.strip(), one) for one, line in Tree(page(text, "-O2")).lines("code")]
    start = next(n for n, (line, _) in enumerate(lines) if "def value_and_grad" in line)
    found = {line.partition(" = ")[0]: one for line, one in lines[start:] if "np." in line}
    assert (names(found["f"]), names(found["f"], "derivative")) == (["f"], [])
    assert (names(found["h"]), names(found["h"], "derivative")) == (["h"], ["f"])  # d_f = h
    assert (names(found["d_h"]), names(found["d_h"], "derivative")) == ([], ["h"])
    assert (names(found["loss_part"]), names(found["loss_part"], "derivative")) == (["loss"], [])


@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_every_name_is_in_every_view(level: str) -> None:
    tree = Tree(page(NET, level))
    for panel in ("picture", "source", "values", "derivation", "code", "schedule"):
        found = {
            name
            for _, attributes, _, path in tree.found
            if panel in path
            for name in (*names(attributes), *names(attributes, "derivative"))
        }
        expected = {"h", "f", "y", "loss"} | ({"x", "W"} if panel != "schedule" else set())
        assert expected - found <= ({"x", "W"} if panel == "code" else set()), panel


def test_names_in_the_text_are_links() -> None:
    tree = Tree(page(NET))
    written = [(names(attributes), text) for attributes, text in tree.within("source", "a")]
    assert (["h"], "h") in written
    assert written.count((["h"], "h")) == 3  # where it is defined, and read twice


def test_values_know_their_neighbours() -> None:
    rows = {names(one)[0]: one for one, _ in Tree(page(NET)).within("values", "tr") if names(one)}
    assert rows["y"]["data-parents"].split() == ["h", "f"]
    assert rows["h"]["data-children"].split() == ["f", "y"]
    assert "data-children" not in rows["loss"]


def test_neighbours_across_a_loop() -> None:
    text = """input x: [3]
repeat layer[i in 0..4] carry h = x { next h = sin(h) }
output y = sum(h)
"""
    rows = {names(one)[0]: one for one, _ in Tree(page(text)).within("values", "tr") if names(one)}
    assert rows["layer.*.h_next"]["data-parents"] == "x"
    assert rows["h"]["data-parents"] == "layer.*.h_next"


def test_a_block_of_the_file_is_linked_with_its_body_and_its_use() -> None:
    text = """block twice(x: [3]) -> y: [3] {
    y = 2 * x
}
input a: [3]
b = twice(a)
output c = sum(b)
"""
    lines = Tree(page(text)).lines("source")
    assert [place for place, (one, _) in enumerate(lines, 1) if "b" in names(one)] == [2, 5]


def test_buffers_are_of_what_is_computed_into_them() -> None:
    text = """input x: [50]
a = exp(x)
b = sin(a)
output y = sum(a * b)
derive grad y wrt x
"""
    tree = Tree(page(text, "-O2"))
    rows = [(one, text) for one, text in tree.within("schedule", "tr") if text.startswith("s1")]
    assert rows
    assert any({"a", "b"} & {*names(one), *names(one, "derivative")} for one, _ in rows)


def test_the_memory_curve_has_the_peak_that_the_module_states() -> None:
    text = NET.replace("[4]", "[40]").replace("[4, 4]", "[40, 40]")
    module = load(Compilation(Source("net.graph", text), Options(level="-O2")).text, "peaks")
    captions = [text for _, text in Tree(page(text, "-O2")).within("schedule", "figcaption")]
    highest = [int(one.rpartition("Highest: ")[2].rstrip(".").replace(",", "")) for one in captions]
    peaks = module.GRAPH["bytes"]["peak"]
    assert all(one <= peak for one, peak in zip(highest, peaks.values(), strict=True))
    assert max(highest) == max(peaks.values())


def test_numbers_at_given_data(tmp_path: Path) -> None:
    wish = PageOptions(Start(0, {"x": np.array([3.0, 4.0, 0.0, 0.0])}), "data.npz", check=False)
    compilation = Compilation(Source("net.graph", NET), Options())
    tree = Tree(reported(compilation, wish).text)
    rows = {names(one)[0]: text for one, text in tree.within("values", "tr") if names(one)}
    assert rows["x"].startswith("xinput[4]2045")  # name, kind, type, line, least, most, norm
    assert any("At data.npz" in text for _, text in tree.within("values", "p"))


def test_where_a_gradient_vanishes_is_said_above_the_table() -> None:
    text = """input x: [4]
repeat layer[i in 0..19] carry h = x { next h = 0.1 * sin(h) }
output loss = sum(h)
"""
    tree = Tree(page(text))
    said = {names(one)[0]: told for one, told in tree.within("values", "p") if names(one)}
    assert "loss" not in said
    assert re.match(
        r"layer.*: the derivative vanishes: \S+ times the largest", said["layer.*.h_next"]
    )
    rows = {names(one)[0]: told for one, told in tree.within("values", "tr") if names(one)}
    assert rows["x"].endswith("vanishes")
    assert rows["layer.*.h_next"].endswith("vanishes")


def test_the_gradient_check_tells_both_levels() -> None:
    tree = Tree(page(NET, "-O2", PageOptions(Start(0), "", check=True)))
    (head, *rows) = [text for _, text in tree.within("check", "tr")]
    assert head == "functionbygap at -O0gap at -O2limit"
    assert [re.sub(r"\d\.\de-\d\d", "#", row) for row in rows] == [
        "backwardW##1e-06",
        "value_and_grad_lossW##1e-06",
    ]


def test_a_wrong_rule_is_marked() -> None:
    text = """block bent(x: [3]) -> y: [3] {
    y = x * x
    rule vjp x = 3 * x * cotangent(y)
}
input x: [3]
output z = sum(bent(x))
derive grad z wrt x
"""
    found = reported(Compilation(Source("net.graph", text), Options()), PageOptions(Start(0), ""))
    assert "E421" in found.text
    assert "✗" in found.text


# ---- graphs with mistakes, and large ones --------------------------------------------------------


def test_mistakes_are_marked_where_they_are() -> None:
    text = NET.replace("f = sin(h)", "f = sin(hh)").replace("sum(y**2)", "sum(y**2")
    for wrong, place in ((NET.replace("sin(h)", "sin(hh)"), 5), (text, 7)):
        found = reported(Compilation(Source("a/net.graph", wrong), Options()), WISH)
        assert found.mistakes
        tree = Tree(found.text)
        lines = tree.lines("source")
        assert "".join(f"{line}\n" for _, line in lines) == wrong
        assert [n for n, (one, _) in enumerate(lines, 1) if "wrong" in one["class"]] == [place]
        assert any("E" in text for _, text in tree.within("mistakes", "li"))
        underlined = [text for one, text in tree.within("source", "i") if one["class"] == "wr"]
        assert underlined == ["hh"] if place == 5 else underlined
        assert "a/net.graph" not in found.text


@pytest.mark.parametrize(
    "text", ["input x: [3]\noutput y = sum(x)\nz = = 3\n", "output y = 3 +\n", "\n", "ø\n", ")\n"]
)
def test_mistakes_of_syntax_beside_what_can_be_read(text: str) -> None:
    found = reported(Compilation(Source("net.graph", text), Options()), WISH)
    assert found.mistakes
    assert [*Tree(found.text).within("mistakes", "li")]


def test_what_fails_late_leaves_the_other_panels() -> None:
    wish = PageOptions(Start(0, {"unknown": np.ones(3)}), "data.npz", check=False)
    found = reported(Compilation(Source("net.graph", NET), Options()), wish)
    assert ["unknown" in str(one) for one in found.mistakes] == [True]
    panels = {attributes.get("id") for _, attributes, _, _ in Tree(found.text).found}
    assert {"source", "mistakes", "derivation", "code", "schedule", "cost"} <= panels


def chain(count: int) -> str:
    steps = "\n".join(f"h{n} = sin(h{n - 1})" for n in range(1, count))
    return f"input x: [3]\nh0 = x\n{steps}\noutput y = sum(h{count - 1})\nderive grad y wrt x\n"


def test_a_graph_that_nobody_reads_gets_a_folded_page() -> None:
    text = page(chain(1510))
    assert len(text) < 500_000
    tree = Tree(text)
    assert len(tree.lines("source")) == 1513
    assert [names(one) for one, _ in tree.within("values", "tr")][1:] == [["x"], ["y"]]
    assert any("1510 values more" in text for _, text in tree.within("values", "p"))
    assert any("graphc explain --node" in text for _, text in tree.within("derivation", "p"))


PACKED = re.compile(r'<script type="application/json" class="packed">(.*?)</script><noscript>.*?</')


def unpacked(text: str) -> str:
    """A page whose panels are written out, as its script does it."""

    def written(found: re.Match[str]) -> str:
        data = json.loads(found[1])
        lines = []
        for row in data["rows"].split(";"):
            form, *numbers = row.split(" ")
            pieces = data["forms"][int(form)]
            lines.append("".join(p if isinstance(p, str) else numbers[p] for p in pieces))
        return "".join(lines)

    return PACKED.sub(written, text).replace("noscript>", "")


@pytest.mark.parametrize("text", [NET, HOSTILE, HOSTILE.replace("x * x", "zz"), chain(20)])
def test_the_panels_of_a_large_page_are_data(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written = page(text)
    monkeypatch.setattr(pages, "LARGEST", 0)
    packed = reported(Compilation(Source("net.graph", text), Options()), WISH).text
    assert unpacked(packed) == written
    assert "<script" not in "".join(PACKED.findall(packed))


@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_a_page_on_three_hundred_nodes_is_under_two_megabytes(
    level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "LARGEST", 0)
    options = Options(level=level)
    few, more = (
        len(reported(Compilation(Source("net.graph", chain(count)), options), WISH).text.encode())
        for count in (20, 40)
    )
    assert more + (300 - 40) / 20 * (more - few) < 2_000_000


def test_many_formulas_are_lines_of_text(monkeypatch: pytest.MonkeyPatch) -> None:
    text = chain(6)
    typeset = page(text)
    monkeypatch.setattr(derivation, "LONGEST", 1000)
    lines = reported(Compilation(Source("net.graph", text), Options()), WISH).text
    assert "<mi>sin</mi>" in typeset
    assert "<mi>sin</mi>" not in lines
    blocks = [(one, text) for one, text in Tree(lines).within("derivation", "pre")]
    (value,) = (text for one, text in blocks if names(one) == ["h3"])
    (adjoint,) = (text for one, text in blocks if names(one, "derivative") == ["h3"])
    assert value.startswith("h₃ = sin(h₂)   [3]")
    assert adjoint.startswith("dy/dh₃ = ")


def test_a_step_of_equal_layers_is_of_all_of_them() -> None:
    layers = "\n".join(f"param W{n}: [2, 2]\nh{n} = tanh(h{n - 1} @ W{n})" for n in range(1, 21))
    text = f"input h0: [2]\n{layers}\noutput loss = sum(h20)\nderive grad loss wrt params\n"
    tree = Tree(unpacked(page(text, "-O2")))
    assert any("h1 = tanh(h0 @ W1), and 19 more" in line for _, line in tree.lines("code"))
    for panel in ("code", "schedule"):
        of_lines = [{*names(one)} for _, one, _, path in tree.found if panel in path]
        assert {f"h{n}" for n in range(1, 21)} in of_lines, panel


@pytest.mark.long
def test_three_hundred_nodes_with_their_derivatives() -> None:
    """All panels hold all, and nothing is left out; at -O2, where equal layers are a loop."""
    steps = "\n".join(f"h{n} = tanh(h{n - 1} @ W) + h{n - 1}" for n in range(1, 300))
    text = f"""dim B
input x: [B, 8]
param W: [8, 8]
h0 = x
{steps}
output loss = mean(h299**2)
derive grad loss wrt params
"""
    written = page(text, "-O2")
    assert len(written.encode()) < 2_000_000
    tree = Tree(unpacked(written))
    module = Compilation(Source("net.graph", text), Options(level="-O2")).text
    assert "".join(f"{line}\n" for _, line in tree.lines("code")).rstrip("\n") == module.rstrip(
        "\n"
    )
    of_panels: dict[str, set[str]] = {}
    for _, attributes, _, path in tree.found:
        some = {*names(attributes), *names(attributes, "derivative")}
        for panel in path if some else ():
            of_panels.setdefault(panel, set()).update(some)
    for panel in ("picture", "source", "values", "derivation", "schedule"):
        assert {f"h{n}" for n in range(1, 300)} <= of_panels[panel], panel


# ---- soundness -----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [NET, HOSTILE, HOSTILE.replace("x * x", "zz")])
def test_the_page_is_well_formed_and_asks_for_nothing(text: str) -> None:
    written = page(text)
    tree = Tree(written)
    ids = [one[1]["id"] for one in tree.found if "id" in one[1]]
    assert len(ids) == len(set(ids))
    tags = [one[0] for one in tree.found if not {"schedule", "picture"} & {*one[3]}]
    assert (tags.count("script"), tags.count("style"), tags.count("title")) == (1, 1, 1)
    assert not {"img", "link", "iframe", "object", "base", "form", "b"} & {
        tag for tag, attributes, _, path in tree.found if "source" in path
    } - ({"b"} if "zz" in text else set())
    for tag, attributes, _, _ in tree.found:
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
        assert not {"src", "srcset", "action", "formaction", "data"} & attributes.keys()
        target = attributes.get("href")
        assert target is None or (target[0] == "#" and target[1:] in ids)
        for name in ("aria-controls", "aria-labelledby"):
            assert attributes.get(name, ids[0]) in ids
    (policy,) = (one[1]["content"] for one in tree.found if "http-equiv" in one[1])
    assert policy.startswith("default-src 'none'; ")
    assert "url(" not in written
    assert "@import" not in written


def test_what_the_file_says_stays_text() -> None:
    tree = Tree(page(HOSTILE))
    assert "".join(f"{text}\n" for _, text in tree.lines("source")) == HOSTILE
    script = next(text for tag, _, text, _ in tree.found if tag == "script")
    assert "alert" not in script


def test_control_characters_are_shown_as_lost() -> None:
    text = "input x: [3]\noutput y = sum(x)  # \u202e turned \x00 \x1b[31m \ud800 thin\u2009space\n"
    lines = [line for _, line in Tree(page(text)).lines("source")]
    assert lines[1] == "output y = sum(x)  # \ufffd turned \ufffd \ufffd[31m \ufffd thin\u2009space"


def test_the_same_bytes_under_any_hash_seed(tmp_path: Path) -> None:
    file = tmp_path / "net.graph"
    file.write_text(NET, encoding="utf-8")
    command = [sys.executable, "-m", "graphc", "report", str(file), "-o", "-", "--no-check"]
    pages = {
        subprocess.run(
            command, capture_output=True, check=True, cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(pages) == 1


COLOUR = re.compile(r"--([\w-]+): (#[0-9a-f]{6})")
INKS = {
    "paper": "ink soft accent keyword function type number text comment wrong lit-back-rim",
    "tint": "ink soft accent",
    "lit": "ink soft accent keyword function type number text comment",
    "lit-back": "ink soft accent keyword function type number text comment",
    "wrong-tint": "ink soft wrong keyword function type number text comment",
}


def luminance(colour: str) -> float:
    """Relative luminance, as in WCAG 2.2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_contrast(theme: str) -> None:
    style = (ROOT / "graphc/views/colours.css").read_text(encoding="utf-8")
    light, dark = style.split("@media (prefers-color-scheme: dark)")[:2]
    colours = dict(COLOUR.findall(light if theme == "light" else dark.partition("}")[0]))
    for paper, inks in INKS.items():
        for ink in inks.split():
            one, other = sorted((luminance(colours[paper]), luminance(colours[ink])))
            assert (other + 0.05) / (one + 0.05) >= 4.5, (ink, paper)


# ---- the command ---------------------------------------------------------------------------------


def run(*arguments: str | Path, input: str | None = None) -> Result:
    return CliRunner().invoke(app, ["report", *map(str, arguments)], input=input)


def test_the_command_writes_a_page_beside_the_file(tmp_path: Path) -> None:
    file = tmp_path / "net.graph"
    file.write_text(NET, encoding="utf-8")
    said = run(file, "--no-check", "-O", "0")
    assert (said.exit_code, said.output) == (0, "")
    written = (tmp_path / "net.html").read_text(encoding="utf-8")
    assert written.startswith("<!doctype html>")
    assert run(file, "-o", "-", "--no-check", "-O", "0").stdout == written
    assert run("-", "--no-check", "-O", "0", input=NET).stdout.startswith("<!doctype html>")
    assert "is the input itself" in run(file, "-o", file).stderr
    assert file.read_text(encoding="utf-8") == NET
    assert run(file, "--no-check", "-O", "0").exit_code == 0  # a page is written again
    (tmp_path / "net.html").write_text("<!doctype html>\n<p>mine</p>\n", encoding="utf-8")
    assert "was not generated by graphc" in run(file, "--no-check").stderr
    assert "mine" in (tmp_path / "net.html").read_text(encoding="utf-8")
    assert run(file, "--no-check", "-o", f"{tmp_path / 'none' / 'x.html'}").exit_code == 1


def test_the_command_on_a_graph_with_mistakes(tmp_path: Path) -> None:
    file = tmp_path / "net.graph"
    file.write_text(NET.replace("sin(h)", "sin(hh)"), encoding="utf-8")
    said = run(file)
    assert said.exit_code == 1
    assert "unknown name `hh`" in said.stderr
    assert "unknown name <code>hh</code>" in (tmp_path / "net.html").read_text(encoding="utf-8")
    assert run(tmp_path / "none.graph").exit_code == 1
    assert run(file, "--at", tmp_path / "none.npz").exit_code == 1


def test_functions_are_compared_by_the_same_work_at_each_level() -> None:
    """W x, a sigmoid and a sum: that of the gradient holds that of the values."""
    text = "input x: [3]\nparam W: [2, 3]\noutput y = sum(sigmoid(W @ x))\nderive grad y wrt W\n"
    found = {
        level: price(Compilation(Source("net.graph", text), Options(level=level)))
        for level in ("-O0", "-O2")
    }
    assert found["-O0"] == found["-O2"]


def test_short_polynomials_stay_on_a_line_and_long_ones_break_before_a_sign() -> None:
    size = Dim.symbol("T")
    assert amount(size * 3773 - 3771) == "3773·T\N{NO-BREAK SPACE}−\N{NO-BREAK SPACE}3771"
    long = amount(size * size * 352 + size * 213780 + 158123)
    assert long == "352·T^2 +\N{NO-BREAK SPACE}213780·T +\N{NO-BREAK SPACE}158123"
