"""The architecture, held: who imports whom, how long a file may be, what a folder is called."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "graphc"

# From the bottom up. A file imports from the lines above its own, or from its own folder.
LAYERS = (
    {"source", "resources", "names"},
    {"limits"},
    {"files"},
    {"dims"},
    {"facts"},
    {"types"},
    {"sizes"},
    {"graph"},
    {"remembered", "compilation"},
    {"loop"},
    {"ops"},
    {"storage"},
    {"calculus"},
    {"syntax"},
    {"elaborate"},
    {"rewrite"},
    {"derivatives"},
    {"plan"},
    {"emit"},
    {"programs"},
    {"pipeline"},
    {"price", "sample", "reference"},
    {"domain"},
    {"checking"},
    {"cli", "highlight"},
    {"__main__"},
)
LEVEL = {unit: level for level, units in enumerate(LAYERS) for unit in units}

RUN_TIME_PACKAGES = {"networkx", "numpy", "lark", "typer", "rich"}
LARK_FILES = {"graphc/syntax/parse/parser.py"}
PYGMENTS_FILES = {"graphc/highlight.py"}  # Pygments comes with rich
FACADE = "graphc/__init__.py"
FACADE_SHOWS = {"pipeline", "source"}  # what `graphc` itself hands out, lazily
PACKAGE_CONSTANTS = {"__version__"}  # what may be asked of `graphc` itself
VAGUE_NAMES = {"utils", "core", "common", "helpers"}
LONGEST_FILE = 400

# Where somebody's machine shows through; spelt so that this file does not match itself.
MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:(?:work|root)/|tmp/venv\b)")


def files_under(folder: Path) -> Iterator[Path]:
    """All files of the repository below a folder; not what .gitignore names, not .git."""
    for path in sorted(folder.iterdir()):
        if path.name in ignored_names() or path.is_symlink():
            continue
        if path.is_dir():
            yield from files_under(path)
        else:
            yield path


@cache
def ignored_names() -> frozenset[str]:
    lines = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    return frozenset({".git", *(line[:-1] for line in lines if line.endswith("/"))})


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


PYTHON_FILES = [relative(path) for path in files_under(PACKAGE) if path.suffix == ".py"]
by_file = pytest.mark.parametrize("file", PYTHON_FILES)


def unit_of(file: str) -> str:
    """The file or folder of the layout that a file belongs to: `ops` for `graphc/ops/loop.py`."""
    return file.split("/")[1].removesuffix(".py")


@cache
def tree_of(file: str) -> ast.Module:
    return ast.parse((ROOT / file).read_text(encoding="utf-8"), file)


def imports_in(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom))


def modules_named(file: str, node: ast.Import | ast.ImportFrom) -> list[str]:
    """The absolute dotted names that an import may load, each as deep as it is spelt."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    module = node.module or ""
    if node.level:
        folder = file.split("/")[: -node.level]
        module = ".".join([*folder, *([module] if module else [])])
    return [f"{module}.{alias.name}" for alias in node.names]


def layering_faults(file: str, tree: ast.AST) -> list[str]:
    """What a file takes from graphc that the layout does not let it take."""
    unit, faults = unit_of(file), []
    for node in imports_in(tree):
        for name in modules_named(file, node):
            package, _, rest = name.partition(".")
            target = rest.partition(".")[0]
            if package != "graphc" or target in PACKAGE_CONSTANTS:
                continue
            if file == FACADE:
                allowed = target in FACADE_SHOWS
            elif target not in LEVEL:
                allowed = False
            else:
                inside = target == unit and file.count("/") > 1
                allowed = inside or LEVEL[target] < LEVEL[unit]
            if not allowed:
                faults.append(f"{file}:{node.lineno} must not import {name}")
    return faults


def foreign_packages(file: str, tree: ast.AST) -> set[str]:
    names = {
        name.partition(".")[0] for node in imports_in(tree) for name in modules_named(file, node)
    }
    return names - {"graphc"} - sys.stdlib_module_names


def imports_in_functions(file: str, tree: ast.AST) -> Iterator[tuple[int, str]]:
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in imports_in(function):
                for name in modules_named(file, node):
                    yield node.lineno, name


@by_file
def test_file_has_a_place_in_the_layout(file: str) -> None:
    assert file == FACADE or unit_of(file) in LEVEL, (
        "a new file or folder: give it a line in LAYERS"
    )


@by_file
def test_imports_point_down(file: str) -> None:
    assert layering_faults(file, tree_of(file)) == []


@by_file
def test_relative_imports_stay_in_the_folder(file: str) -> None:
    up = [
        f"{file}:{node.lineno}"
        for node in imports_in(tree_of(file))
        if isinstance(node, ast.ImportFrom) and node.level > 1
    ]
    assert up == []


@by_file
def test_run_time_needs_only_the_declared_packages(file: str) -> None:
    allowed = RUN_TIME_PACKAGES | ({"pygments"} if file in PYGMENTS_FILES else set())
    assert foreign_packages(file, tree_of(file)) <= allowed


def test_the_declared_packages_are_the_five() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {re.split(r"[^\w-]", line)[0] for line in project["dependencies"]}
    assert declared == RUN_TIME_PACKAGES


@by_file
def test_only_the_parser_knows_lark(file: str) -> None:
    assert file in LARK_FILES or "lark" not in foreign_packages(file, tree_of(file))


@by_file
def test_imports_stand_at_the_top(file: str) -> None:
    if file == FACADE or unit_of(file) == "cli":
        return
    late = [
        f"{file}:{line} imports {name} inside a function"
        for line, name in imports_in_functions(file, tree_of(file))
        if not (file in LARK_FILES and name.partition(".")[0] == "lark")
    ]
    assert late == []


@by_file
def test_file_is_short_and_its_name_says_something(file: str) -> None:
    parts = file.removesuffix(".py").split("/")
    assert VAGUE_NAMES.isdisjoint(parts), "name it for what it does"
    length = len((ROOT / file).read_text(encoding="utf-8").splitlines())
    assert length <= LONGEST_FILE, f"{length} lines: split it before {LONGEST_FILE}"


def test_grammar_holds_the_language_and_nothing_else() -> None:
    assert {path.suffix for path in files_under(ROOT / "grammar")} == {".lark", ".graph"}


def test_no_file_knows_a_machine() -> None:
    found = []
    for path in files_under(ROOT):
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        found += [
            f"{relative(path)}:{number}: {line.strip()}"
            for number, line in enumerate(lines, 1)
            if MACHINE_PATH.search(line)
        ]
    assert found == []


@pytest.mark.parametrize(
    ("text", "shows"),
    [
        ("cd {}work/main", True),
        ("file://{}root/.cache", True),
        ('venv = "{}tmp/venv"', True),
        ("https://example.org{}work/of/art", False),
        ("net{}root/weights", False),
        ("{}tmp/venvs", False),
    ],
)
def test_the_machine_path_rule_itself(text: str, shows: bool) -> None:
    assert bool(MACHINE_PATH.search(text.format("/"))) is shows


@pytest.mark.parametrize(
    ("file", "text", "faults"),
    [
        ("graphc/plan/buffers/assign.py", "from graphc.ir.graph import Node", 0),
        ("graphc/plan/buffers/assign.py", "from graphc.plan.lower import order", 0),
        ("graphc/plan/buffers/assign.py", "from . import schedule", 0),
        ("graphc/plan/buffers/assign.py", "import graphc.emit.numpy", 1),
        ("graphc/plan/buffers/assign.py", "from graphc import emit, graph", 1),
        ("graphc/plan/buffers/assign.py", "from graphc import compile_text", 1),
        ("graphc/plan/buffers/assign.py", "from ..cli import app", 1),
        (
            "graphc/plan/buffers/assign.py",
            "def f():\n    from graphc.compile.stages import PASSES",
            1,
        ),
        ("graphc/source.py", "from .resources import grammar_file", 1),
        ("graphc/source.py", "from graphc import __version__", 0),
        ("graphc/__init__.py", "from graphc.compile.stages import compile_text", 0),
        ("graphc/__init__.py", "from graphc.emit import numpy", 1),
        ("graphc/cli/app.py", "from graphc.cli import show\nimport graphc.compile.stages", 0),
    ],
)
def test_the_layering_rule_itself(file: str, text: str, faults: int) -> None:
    assert len(layering_faults(file, ast.parse(text))) == faults
