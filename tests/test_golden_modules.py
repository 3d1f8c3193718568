"""Emitted text as a whole: as it was, and fit for the tools of those who use it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from golden_modules import CASES, COMMAND, FOLDER, difference, strangers
from test_kinds_and_paths import GRAPH as MEMBERS

from graphc.compile.stages import Options, compile_file, compile_text
from graphc.targets.numpy.module import parts_for, ready_made
from graphc.targets.numpy.verify import examine

ROOT = Path(__file__).resolve().parent.parent
NAMES = [f"{graph.stem}{level}" for graph, level in CASES]


@pytest.mark.usefixtures("verifying")
@pytest.mark.parametrize(("graph", "level"), CASES, ids=NAMES)
def test_modules_are_written_as_before(graph: Path, level: str) -> None:
    """With all of their comments: a change that is meant is looked at, and then taken over."""
    found = difference(graph, level)
    assert not found, f"if this is meant: {COMMAND} --update\n{found}"


def test_there_are_no_others() -> None:
    assert list(strangers()) == []


def test_no_comment_says_a_derivative_by_itself() -> None:
    """`(∂u/∂u)ᵀ d_u` says nothing, and shows that a node has lost its name."""
    for path in FOLDER.glob("*.py"):
        assert not re.search(r"∂(\w+)/∂\1(?!\w)", path.read_text(encoding="utf-8")), path.name


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The modules with the parts that are the same in each, and those of one with `trace`."""
    folder = tmp_path_factory.mktemp("modules")
    for path in FOLDER.glob("*.py"):
        own = path.read_text(encoding="utf-8")
        parts = [ready_made()[part] for part in parts_for(examine(own).read)]
        (folder / path.name).write_text("\n\n\n".join([own.rstrip("\n"), *parts]) + "\n", "utf-8")
    traced = compile_file(FOLDER / "kinds.graph", Options(level="-O2", trace=True)).text
    (folder / "traced.py").write_text(traced, encoding="utf-8")
    branches = f"{MEMBERS}\nderive jacobian_matrix y, u, loss wrt params\n"
    text = compile_text(branches, options=Options(level="-O2")).text
    assert "_GONE" in text, "of two modes one drops what blocks of the other fill"
    (folder / "branches.py").write_text(text, encoding="utf-8")
    return sorted(folder.glob("*.py"))


def test_modules_pass_ruff(modules: list[Path]) -> None:
    """No name that nothing defines, none that nothing reads."""
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F,E9"]
    done = subprocess.run([*command, *modules], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("every", [8, pytest.param(1, marks=pytest.mark.long)])
def test_modules_pass_mypy(modules: list[Path], every: int) -> None:
    """Whatever is derived; as the package is checked, with what is known of NumPy from there."""
    command = [sys.executable, "-m", "mypy", "--strict", f"--config-file={ROOT / 'pyproject.toml'}"]
    command += [f"--cache-dir={ROOT / '.mypy_cache'}"]
    odd = {"kinds-O2", "traced", "branches"}
    some = [one for n, one in enumerate(modules) if n % every == 0 or one.stem in odd]
    done = subprocess.run([*command, *some], capture_output=True, text=True, cwd=modules[0].parent)
    assert done.returncode == 0, done.stdout
