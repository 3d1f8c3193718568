"""The command line in a project: settings, annotations, a first graph, help that is at hand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from graphc.cli.app import COMMANDS, app
from graphc.cli.settings import OPTIONS

ROOT = Path(__file__).resolve().parent.parent
GRAPH = "dim B\ninput x: [B, 3]\noutput y = sum(x * x)\n"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(one) for one in arguments])


def written(graph: Path, *options: str) -> str:
    """The module of a graph."""
    done = run("compile", graph, "-o", "-", *options)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    path = tmp_path / "models" / "net.graph"
    path.parent.mkdir()
    path.write_text(GRAPH, encoding="utf-8")
    return path


def settings(graph: Path, text: str) -> None:
    (graph.parents[1] / "pyproject.toml").write_text(text, encoding="utf-8")


# ---- settings --------------------------------------------------------------------------------


def test_settings_are_defaults(graph: Path) -> None:
    plain = written(graph)
    settings(graph, '[tool.graphc]\ndtype = "float32"\nlevel = 0\ntrace-nan = true\n')
    set_up = written(graph)
    assert "FLOAT = np.float32" in set_up
    assert "def trace(" in set_up
    said = written(graph, "--dtype", "float64", "-O2")
    assert said.replace("def trace(", "") != said
    assert "FLOAT = np.float64" in said, "what is said on the command line comes first"
    settings(graph, "[tool.other]\nx = 1\n")
    assert written(graph) == plain


def test_commands_take_of_the_settings_what_they_know(graph: Path) -> None:
    settings(graph, '[tool.graphc]\nlevel = 0\nmode = "forward"\n')
    for command in ("check", "cost", "explain", "fmt", "show"):
        done = run(command, graph)
        assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("[tool.graphc]\ndtpye = 'float32'", "2:1", "did you mean `dtype`?"),
        ("[tool.graphc]\n\ndtype = 'float16'", "3:1", "`float16` is not float64 or float32"),
        ("[tool.graphc]\nlevel = 3", "2:1", "there is no level 3"),
        ("[tool.graphc]\nmemory = 'much'", "2:1", "memory: "),
        ("[tool.graphc]\ntrace-nan = 'yes'", "2:1", "`trace-nan` is true or false"),
        ("[tool.graphc]\ndim = {B = 3}", "2:1", "it is of one file, which says it: `dim B = 4`"),
        ("[tool.graphc]\nlevel = ", "2:9", "this is no TOML"),
    ],
)
def test_wrong_settings_are_told_with_their_place(
    graph: Path, text: str, place: str, message: str
) -> None:
    settings(graph, text)
    done = run("compile", graph, "-o", "-")
    assert done.exit_code == 1
    assert f"pyproject.toml:{place}" in done.stderr
    assert message in done.stderr
    assert done.stdout == ""


def test_settings_name_options_that_there_are() -> None:
    shown = run("compile", "--help").stdout
    assert all(re.search(rf"\s{option}\b", shown) for option in OPTIONS.values())


# ---- annotations -----------------------------------------------------------------------------


def test_mistakes_as_annotations(graph: Path) -> None:
    graph.write_text("input x: [3]\noutput y = x + tnah\n", encoding="utf-8")
    expected = f"::error file={graph},line=2,endLine=2,col=16,endColumn=20,title=E200::unknown name"
    for command in ("check", "compile"):
        done = run(command, graph, "--format", "github")
        assert done.exit_code == 1
        (line,) = done.stderr.splitlines()
        assert line.startswith(expected)
        assert "%0Ahelp: " in line


def test_hooks_are_commands() -> None:
    """Each entry of the hooks for pre-commit is a command, and takes files."""
    text = (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
    entries = re.findall(r"^  entry: graphc (\w+)$", text, re.MULTILINE)
    assert entries == ["fmt", "check"]
    assert set(entries) <= COMMANDS.keys()


# ---- a first graph ---------------------------------------------------------------------------


def test_a_new_graph_is_trained_by_its_script(tmp_path: Path) -> None:
    path = tmp_path / "curve"
    assert run("new", path).exit_code == 0
    assert run("compile", f"{path}.graph").exit_code == 0
    assert run("fmt", "--check", f"{path}.graph").exit_code == 0
    script = (tmp_path / "train_curve.py").read_text(encoding="utf-8")
    (tmp_path / "train_curve.py").write_text(script.replace("2001", "501"), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "train_curve.py"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    first, last = (float(line.split()[-1]) for line in done.stdout.splitlines())
    assert last < first / 3


@pytest.mark.parametrize("there", ["curve.graph", "train_curve.py"])
def test_new_overwrites_nothing(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("kept", encoding="utf-8")
    done = run("new", tmp_path / "curve")
    assert done.exit_code == 1
    assert "is there already" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_text(encoding="utf-8") == "kept"


@pytest.mark.parametrize("name", ["two words", "class", "numpy", "missing/net"])
def test_new_refuses_what_cannot_be(tmp_path: Path, name: str) -> None:
    done = run("new", tmp_path / name)
    assert done.exit_code == 1
    assert done.stderr.startswith("graphc: ")
    assert list(tmp_path.iterdir()) == []
    assert "keyword" in done.stderr if name == "class" else "keyword" not in done.stderr


# ---- help ------------------------------------------------------------------------------------


def test_help_lists_the_pages_and_shows_them() -> None:
    listed = run("help").stdout
    for path in (ROOT / "docs").glob("*.md"):
        assert re.search(rf"^{path.stem} ", listed, re.MULTILINE), path
    page = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
    assert run("help", "language").stdout == page
    section = run("help", "scan").stdout
    assert section.startswith("(language)\n## scan\n")
    assert "\n## Subscripts" not in section
    done = run("help", "subscirpts")
    assert done.exit_code == 1
    assert "did you mean `Subscripts`?" in done.stderr
    assert (
        run("help", "nothing").stderr == "graphc: nothing is called `nothing`: see `graphc help`\n"
    )
    assert "did you mean `compile`?" in run("help", "cmpile").stderr
    assert run("help", "compile").stdout == run("compile", "--help").stdout
    assert run("help", "tanh").stdout == run("ops", "tanh").stdout
