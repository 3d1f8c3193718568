"""The package: what is built of the repository, and that it works where nothing else is."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

import graphc

ROOT = Path(__file__).resolve().parent.parent


def build(folder: Path, *targets: str, of: Path = ROOT) -> list[Path]:
    wanted = [word for target in targets for word in ("-t", target)]
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", *wanted, "-d", folder],
        cwd=of, check=True, capture_output=True,
    )  # fmt: skip
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A wheel, and the sources beside it."""
    wheel, sources = build(tmp_path_factory.mktemp("dist"), "wheel", "sdist")
    return wheel, sources


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_all_of_graphc_and_nothing_else(built: tuple[Path, Path]) -> None:
    names = {name for name in names_in(built[0]) if ".dist-info/" not in name}
    asked = subprocess.run(
        ["git", "ls-files", "graphc"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if asked.returncode == 0:
        assert set(asked.stdout.split()) <= names
    pages = {f"graphc/docs/{path.name}" for path in (ROOT / "docs").glob("*.md")}
    assert pages <= names
    assert {"graphc/grammar/graph.lark", "graphc/grammar/std.graph"} <= names
    others = {name for name in names if not name.startswith("graphc/")}
    assert others == set()
    assert not any("pictures" in name or "editors" in name for name in names)


def test_a_wheel_of_the_sources_is_the_same(built: tuple[Path, Path], tmp_path: Path) -> None:
    wheel, sources = built
    with tarfile.open(sources) as archive:
        archive.extractall(tmp_path, filter="data")
    (folder,) = tmp_path.iterdir()
    (again,) = build(tmp_path / "dist", "wheel", of=folder)
    assert names_in(again) == names_in(wheel)
    for name in ("Makefile", "CHANGELOG.md", "tests/conftest.py", "examples/demo.py"):
        assert (folder / name).is_file(), name


def test_the_description_has_no_dead_links(built: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(built[0]) as archive:
        (name,) = (one for one in archive.namelist() if one.endswith("/METADATA"))
        about = message_from_string(archive.read(name).decode())
    text = about.get_payload()
    assert "declarative" in about["Summary"]
    assert "# graphc" in text
    assert "value_and_grad_loss" in text
    assert re.findall(r"\]\((?!https?:)[^)]*\)", text) == []
    assert about["Version"] == graphc.__version__
    assert about["Requires-Python"] == ">=3.11"


def test_it_works_without_the_repository(built: tuple[Path, Path], tmp_path: Path) -> None:
    """The wheel alone, beside what it depends on: help, a first graph, its module."""
    with zipfile.ZipFile(built[0]) as archive:
        archive.extractall(tmp_path / "packages")
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'packages')!r});"
        "import graphc; assert 'packages' in graphc.__file__;"
        "from graphc.cli.app import main; sys.argv[0] = 'graphc'; main()"
    )

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-I", "-c", program, *arguments],
            cwd=tmp_path, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    listed = run("help")
    assert "compatibility" in listed
    assert "# The graphc language" in run("help", "language")
    run("new", "curve")
    run("compile", "curve.graph")
    assert "value_and_grad_loss" in (tmp_path / "curve.py").read_text(encoding="utf-8")
    assert run("--version") == f"graphc {graphc.__version__}\n"


@pytest.mark.long
def test_it_installs_into_an_environment_of_its_own(
    built: tuple[Path, Path], tmp_path: Path
) -> None:
    """With what it depends on, from the package index; the script that `new` writes then runs."""
    venv.create(tmp_path / "env", with_pip=True)
    folder = tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin")
    python, command = folder / "python", folder / "graphc"
    subprocess.run([python, "-m", "pip", "install", "--quiet", built[0]], check=True)
    for arguments in (["new", "curve"], ["compile", "curve.graph"], ["check", "curve.graph"]):
        subprocess.run([command, *arguments], cwd=tmp_path, check=True, capture_output=True)
    trained = subprocess.run(
        [python, "train_curve.py"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    losses = [float(line.split()[-1]) for line in trained.stdout.splitlines()]
    assert losses[-1] < losses[0] / 100
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format", "json"], capture_output=True, check=True
    )
    names = {one["name"].lower() for one in json.loads(listed.stdout)}
    needed = {"graphc", "click", "lark", "numpy", "rich", "pygments", "markdown-it-py", "mdurl"}
    assert names - {"pip", "setuptools"} == needed


# ---- versions ------------------------------------------------------------------------------------


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_there_is_one_version() -> None:
    version = graphc.__version__
    assert tomllib.loads(read("pyproject.toml"))["project"]["version"] == version
    assert json.loads(read("docs/editors/vscode/package.json"))["version"] == version
    told = json.loads(read("docs/editors/tree-sitter/tree-sitter.json"))
    assert told["metadata"]["version"] == version
    assert f'version = "{version}"' in read("docs/editors/zed.py")


def test_the_changelog_begins_with_this_version() -> None:
    heads = re.findall(r"^## (\S+) \((.+)\)$", read("CHANGELOG.md"), re.M)
    assert heads[0][0] == graphc.__version__
    assert all(
        date == "not released" or re.fullmatch(r"\d{4}-\d\d-\d\d", date) for _, date in heads
    )
    numbers = [tuple(map(int, version.split("."))) for version, _ in heads]
    assert numbers == sorted(numbers, reverse=True)
