"""What `graphc` offers to Python: the same as the command, kept by content, shown in notebooks."""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
import traceback
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import graphc
from graphc.api import cache
from graphc.api.options import CompileOptions, canonical
from graphc.cli.app import app
from tests.patience import PATIENCE

NET = """from "parts/act.graph" import bend
dim B
const k = 2.0
input x: [B, 3]
param W: [3, 2]
output y = sum(bend(x @ W)) * k
"""
TWICE = "block bend(v: [...]) -> y: [...] { y = 2 * v }\n"
THRICE = "block bend(v: [...]) -> y: [...] { y = 3 * v }\n"
X, W = np.ones((1, 3)), {"W": np.ones((3, 2))}
TWO_MISTAKES = "input x: [3]\na = foo(x)\noutput y = sum(x * z)\n"


@pytest.fixture
def net(tmp_path: Path) -> Path:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "act.graph").write_text(TWICE, encoding="utf-8")
    path = tmp_path / "net.graph"
    path.write_text(NET, encoding="utf-8")
    return path


def value(module: Any) -> float:
    return float(module.forward(W, X)[0].y)


# ---- load ---------------------------------------------------------------------------------------


def test_load_compiles_once_and_sees_every_change(net: Path) -> None:
    first = graphc.load(net)
    assert value(first) == 6 * 2 * 2
    assert graphc.load(str(net)) is first
    (net.parent / "parts" / "act.graph").write_text(THRICE, encoding="utf-8")
    second = graphc.load(net)
    assert value(second) == 6 * 3 * 2
    net.write_text(NET.replace("k = 2.0", "k = 5.0"), encoding="utf-8")
    assert value(graphc.load(net)) == 6 * 3 * 5
    assert value(graphc.load(net, const={"k": 7})) == 6 * 3 * 7
    assert value(first) == 6 * 2 * 2, "who has the old module keeps it"
    net.write_text(NET, encoding="utf-8")
    assert graphc.load(net) is second, "the content is that of before"


def test_options_are_those_of_the_command(net: Path, tmp_path: Path) -> None:
    given: CompileOptions = {
        "level": 0,
        "dim": {"B": 4},
        "const": {"k": -0.5},
        "dtype": "float32",
        "derive": "grad y wrt x as by_x",
        "trace_nan": True,
    }
    words = ["-O0", "--dim=B=4", "--const=k=-0.5", "--dtype=float32", "--trace-nan", "--derive"]
    out = tmp_path / "out.py"
    command = ["compile", str(net), "-o", str(out), *words, "grad y wrt x as by_x"]
    assert CliRunner().invoke(app, command).exit_code == 0
    assert graphc.compile_file(net, **given).text == out.read_text(encoding="utf-8")
    plain = CliRunner().invoke(app, ["compile", str(net), "-o", "-"])
    assert graphc.compile_file(net).text == plain.stdout, "the default level, too"


@pytest.mark.parametrize(
    ("written", "const"),
    [
        ("2", 2), ("2.5", np.float64(2.5)), ("true", True), ("true", np.bool_(True)),
        ("[1, [2.5, -3]]", (1, [2.5, -3])), ("[[1.0, 2.0]]", np.array([[1.0, 2.0]])),
        (r'"a\"b\\\n"', 'a"b\\\n'),
    ],
)  # fmt: skip
def test_a_const_is_written_as_the_language_does(written: str, const: object) -> None:
    assert canonical({"const": {"k": const}})["const"] == {"k": written}


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        ({"dims": {"B": 3}}, TypeError, "no option `dims`; did you mean `dim`?"),
        ({"level": 1}, ValueError, "level: 1 is not 0, the readable one, or 2, the fast one"),
        ({"level": True}, ValueError, "level: True is not 0"),
        ({"dtype": "f8"}, ValueError, "dtype: `f8` is not float64 or float32"),
        ({"dim": {"B": 0}}, ValueError, "dim B: 0 is not a positive integer"),
        ({"dim": {"B": 2.5}}, ValueError, "dim B: 2.5 is not a positive integer"),
        ({"mode": "back"}, ValueError, "mode: 'back' is not forward, reverse or mixed"),
        ({"memory": "much"}, ValueError, "memory: `much` is not an amount of memory"),
        ({"memory": 50}, TypeError, 'memory: 50 is no text, as "256MB" or "50%"'),
        ({"const": {"k": None}}, TypeError, "const k: None is no number, bool, string or list"),
    ],
)
def test_options_that_there_are_not(
    net: Path, options: Any, kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind) as caught:
        graphc.load(net, **options)
    assert said in str(caught.value)


@pytest.mark.parametrize("dtype", ["float32", np.float32, np.dtype(np.float32)])
def test_a_dtype_is_also_one_of_numpys(net: Path, dtype: Any) -> None:
    assert graphc.load(net, dtype=dtype).FLOAT is np.float32


def test_what_is_no_text_is_told() -> None:
    with pytest.raises(ValueError, match=r"`net\.graph` is a path: compile_file"):
        graphc.compile_text("net.graph")
    nothing: Any = None
    with pytest.raises(TypeError, match="text: expected that of a graph, found NoneType"):
        graphc.compile_text(nothing)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    asks = (graphc.load, graphc.compile_file, graphc.check, graphc.draw, graphc.explain)
    for ask in (*asks, graphc.report):
        with pytest.raises(FileNotFoundError):
            ask(tmp_path / "none.graph")


def test_a_byte_order_mark_is_no_change(net: Path) -> None:
    net.write_bytes(b"\xef\xbb\xbf" + NET.encode())
    key = cache.key_of([os.path.abspath(net), canonical({})])
    module = graphc.load(net)
    record = cache.recall(key)
    assert record is not None
    cache.remember(key, {**record, "mark": 1})
    assert graphc.load(net) is module
    assert "mark" in (cache.recall(key) or {}), "it was not compiled again"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"module": 3}', b"\xff\xfe"])
def test_a_spoilt_note_is_made_again(net: Path, content: bytes) -> None:
    module = graphc.load(net)
    key = cache.key_of([os.path.abspath(net), canonical({})])
    (cache.folder() / f"{key}.json").write_bytes(content)
    assert graphc.load(net) is module
    record = cache.recall(key)
    assert record is not None
    assert record["module"] == Path(module.__file__ or "").name


def test_a_spoilt_module_is_written_again(net: Path) -> None:
    module = graphc.load(net)
    path = Path(module.__file__ or "")
    text = path.read_text(encoding="utf-8")
    path.write_text(text[:100], encoding="utf-8")
    graphc.load(net)
    assert path.read_text(encoding="utf-8") == text


LOADING = """
import sys, graphc
net = graphc.load(sys.argv[1])
sys.stdout.write(net.__name__ + " " + str("lark" in sys.modules) + "\\n")
"""


def run(code: str, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **variables},
        cwd=Path(graphc.__file__).parent.parent,
    )


def test_two_processes_at_once_and_one_later(net: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    both = [run(LOADING, str(net), GRAPHC_CACHE=str(folder)) for _ in range(2)]
    told = [one.communicate(timeout=PATIENCE) for one in both]
    assert told[0][0] == told[1][0] != "", told
    out, err = run(LOADING, str(net), GRAPHC_CACHE=str(folder)).communicate(timeout=PATIENCE)
    assert out == told[0][0].replace("True", "False"), err
    left = [path.suffix for path in folder.iterdir() if path.name != "__pycache__"]
    assert sorted(left) == [".json", ".py"]


def test_what_is_made_of_its_classes_pickles_into_another_process(net: Path) -> None:
    out, kept = graphc.load(net).forward(W, X)
    code = (
        "import pickle, sys; out, kept = pickle.loads(bytes.fromhex(sys.argv[1]));"
        "print(out.y, type(kept).__name__)"
    )
    said, err = run(code, pickle.dumps((out, kept)).hex()).communicate(timeout=PATIENCE)
    assert said == "24.0 Cache\n", err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other rights")
def test_a_folder_that_others_can_write_to_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o777)
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    assert cache.own_folder() != tmp_path
    tmp_path.chmod(0o755)
    assert cache.own_folder() == tmp_path


def test_warnings_come_when_it_is_compiled(tmp_path: Path) -> None:
    path = tmp_path / "net.graph"
    path.write_text("input x: [3]\ninput z: [2]\noutput y = sum(x)\n", encoding="utf-8")
    with pytest.warns(graphc.GraphWarning, match="W700"):
        graphc.load(path)
    graphc.load(path)  # a warning would be an error


# ---- mistakes -----------------------------------------------------------------------------------


def test_a_mistake_shows_its_caret_and_where_it_was_asked_for(net: Path) -> None:
    net.write_text(TWO_MISTAKES, encoding="utf-8")
    with pytest.raises(graphc.GraphError) as caught:
        graphc.load(net)
    shown = "".join(traceback.format_exception(caught.value))
    assert "graphc.GraphError: error[E200]: unknown block or operation `foo`" in shown
    assert "3 | output y = sum(x * z)\n  |                    ^" in shown
    assert "test_api.py" in shown
    assert "elaborate" not in shown, "the compiler's own frames are no matter of the user's"
    assert len(caught.value.diagnostics) == 2
    assert "\n".join(caught.value._render_traceback_()) == str(caught.value)
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)


@pytest.mark.parametrize("ask", [graphc.compile_file, graphc.draw, graphc.explain, graphc.load])
def test_all_mistakes_are_raised_at_once(net: Path, ask: Any) -> None:
    net.write_text(TWO_MISTAKES, encoding="utf-8")
    with pytest.raises(graphc.GraphError) as caught:
        ask(net)
    assert [one.code for one in caught.value.diagnostics] == ["E200", "E200"]


def test_check_finds_mistakes_and_raises_none(net: Path) -> None:
    assert graphc.check(net)
    net.write_text(TWO_MISTAKES, encoding="utf-8")
    found = graphc.check(net)
    assert not found
    assert len(found.diagnostics) == 2
    assert str(found).endswith("net.graph: not ok")


# ---- results ------------------------------------------------------------------------------------


def test_check_compares_derivatives(net: Path) -> None:
    found = graphc.check(net, grad=True, all_levels=True, at={"x": X})
    assert found.ok
    assert {one.level for one in found.derivatives} == {"-O0", "-O2"}
    assert "-O2 backward: largest error against numerical derivatives" in str(found)
    with pytest.raises(ValueError, match="add grad=True"):
        graphc.check(net, seed=3)


def test_a_wrong_rule_is_found() -> None:
    text = (
        "block f(x: [...]) -> y: [...] {\n    y = sin(x)\n    rule vjp x = cotangent(y) * x\n}\n"
        "input x: [3]\noutput y = sum(f(x))\n"
    )
    found = graphc.check(graphc.compile_text(text), grad=True)
    assert "E421" in {one.code for one in found.diagnostics}
    assert not found


def test_a_drawing_is_what_the_command_draws(net: Path, tmp_path: Path) -> None:
    drawing = graphc.draw(net, direction="backward")
    said = CliRunner().invoke(app, ["draw", str(net), "--pass", "backward"])
    assert drawing._repr_svg_() == drawing.svg() == said.stdout
    assert drawing.write(tmp_path / "net.mmd").read_text(encoding="utf-8") == drawing.mermaid()
    assert drawing.dot().startswith("digraph")
    assert graphc.draw(graphc.compile_file(net), direction="backward").svg() == said.stdout
    with pytest.raises(ValueError, match="there is no value `zz`"):
        graphc.draw(net, "zz")
    with pytest.raises(ValueError, match="direction: 'back' is not forward or backward"):
        graphc.draw(net, direction="back")
    with pytest.raises(ValueError, match="layout: 'neato' is not own or dot"):
        drawing.svg("neato")


def test_numbers_at_a_point(net: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", x=X)
    told = graphc.explain(net, at={"x": X}, level=1).text()
    words = ["explain", str(net), "--level", "1", "--at", str(tmp_path / "data.npz")]
    said = CliRunner().invoke(app, words).stdout
    assert told.partition("A norm")[2] == said.partition("A norm")[2] != ""
    drawing = graphc.draw(net, direction="backward", seed=2)
    words = ["draw", str(net), "--pass", "backward", "--seed", "2"]
    assert drawing.svg() == CliRunner().invoke(app, words).stdout
    for ask in (graphc.explain, graphc.draw):
        with pytest.raises(graphc.GraphError, match="unknown"):
            ask(net, at={"unknown": X})
    words = ["draw", str(net), "--at", str(tmp_path / "none.npz")]
    assert CliRunner().invoke(app, words).exit_code == 1


def test_a_report_is_what_the_command_writes(net: Path, tmp_path: Path) -> None:
    found = graphc.report(net, seed=3, check=False)
    said = CliRunner().invoke(app, ["report", str(net), "--seed", "3", "--no-check", "-o", "-"])
    assert (found.page, found.diagnostics) == (said.stdout, ())
    assert found.write(tmp_path / "net.html").read_text(encoding="utf-8") == found.page
    inside = re.fullmatch(r'<iframe srcdoc="([^"]*)" style="[^"]*"></iframe>', found._repr_html_())
    assert inside is not None
    assert unescape(inside[1]) == found.page
    assert "At the point that was given" in graphc.report(net, at={"x": X}, check=False).page
    net.write_text(TWO_MISTAKES, encoding="utf-8")
    assert [one.code for one in graphc.report(net).diagnostics] == ["E200", "E200"]
    with pytest.raises(ValueError, match="layout: 'row' is not numerator or denominator"):
        graphc.report(net, layout="row")


def test_explain_is_what_the_command_prints(net: Path) -> None:
    told = graphc.explain(net, layout="numerator", level=2)
    words = ["explain", str(net), "--layout", "numerator", "--level", "2"]
    assert str(told) == CliRunner().invoke(app, words).stdout
    again = graphc.explain(graphc.compile_file(net), layout="numerator", level="formulas")
    assert str(again) == str(told)
    assert told.latex().startswith("\\documentclass")
    with pytest.raises(ValueError, match="no value `z`"):
        graphc.explain(net, "z")
    with pytest.raises(ValueError, match="layout: 'numer' is not"):
        graphc.explain(net, layout="numer")


class Tags(HTMLParser):
    """The tags that are open: a fragment closes what it opens, and says nothing of the page."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.add(tag)
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_results_show_themselves_in_a_notebook(net: Path) -> None:
    compiled = graphc.compile_file(net)
    for shown in (compiled, graphc.check(net, grad=True), graphc.explain(net)):
        html = shown._repr_html_()
        tags = Tags()
        tags.feed(html)
        assert tags.open == []
        assert tags.seen.isdisjoint({"html", "body", "script"})
        assert html.startswith('<div class="graphc ')
        assert "net" in shown._repr_markdown_()
        assert "\n" not in repr(shown)
    assert repr(compiled) == (
        "<graph net, -O2: forward, backward, value_and_grad_y, check, init, flatten, unflatten>"
    )
    assert "backward(cache, *, y=1.0, out=None)" in compiled.functions


def test_what_a_graph_says_is_escaped() -> None:
    text = '"""<script>alert(1)</script>"""\ninput x: [2]\ninput b: [3]\noutput y = sum(x)\n'
    html = graphc.compile_text(text, "<b>.graph")._repr_html_()
    assert "<script>" not in html
    assert "<b>.graph" not in html


def test_a_text_with_imports_has_a_folder(net: Path) -> None:
    with pytest.raises(graphc.GraphError, match="a text without a file cannot import"):
        graphc.compile_text(NET)
    made = graphc.compile_text(NET, "cell.graph", folder=net.parent)
    assert value(made.module()) == 24
    assert made.module() is made.module()
    assert made.write(net.parent / "out.py").read_text(encoding="utf-8") == str(made)


# ---- the package itself -------------------------------------------------------------------------


def test_importing_graphc_loads_nothing_else() -> None:
    code = (
        "import __future__, importlib, sys; before = set(sys.modules); import graphc;"
        "print(*sorted(set(sys.modules) - before))"
    )
    out, err = run(code).communicate(timeout=PATIENCE)
    assert out.split() == ["graphc"], err


def test_every_public_name_is_there_and_documented() -> None:
    text = (Path(graphc.__file__).parent.parent / "docs" / "python.md").read_text(encoding="utf-8")
    for name in graphc.__all__:
        assert getattr(graphc, name).__doc__
        assert f"`{name}" in text or f"graphc.{name}" in text, name
    assert set(graphc.__all__) <= set(dir(graphc))
    for name, meant in (
        ("lod", "`load`"),
        ("compile_string", "`compile_text"),
        ("grad", "there are Check"),
    ):
        with pytest.raises(AttributeError, match=f"has no attribute '{name}'; .*{meant}"):
            getattr(graphc, name)
    assert not hasattr(graphc, "__wrapped__")
