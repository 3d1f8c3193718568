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

# From the bottom up: the rooms of a floor, a line each. A room is a folder, or a file that lies
# beside the folders. A file imports from the floors below its own, or from its own room.
FLOORS = (
    {"records", "later"},
    {"source", "resources", "kinds", "paths", "provenance"},
    {"limits", "names", "syntax"},
    {"files", "ir", "syntax/lexing"},
    {"ops/define", "syntax/mistakes", "parameters"},
    {"state_dicts"},
    {"ops/shape", "syntax/parse"},
    {"ops/elementwise", "syntax/format"},
    {"ops/reduce", "ops/select"},
    {"ops/linear", "ops/windows"},
    {"ops"},
    {"ad"},
    {"ad/jacobian"},
    {"elaborate/names"},
    {"elaborate/values", "elaborate/lint"},
    {"elaborate/calls"},
    {"elaborate/expressions"},
    {"elaborate/statements"},
    {"elaborate"},
    {"optimise/algebra"},
    {"optimise/exact", "optimise/loops"},
    {"optimise/before_ad", "optimise/scalarise"},
    {"optimise"},
    {"optimise/memory"},
    {"chunks"},
    {"plan"},
    {"plan/buffers"},
    {"plan/tiles", "nests"},
    {"targets", "targets/numpy/runtime"},
    {"targets/numpy/printing"},
    {"targets/numpy/functions"},
    {"targets/numpy"},
    {"targets/c"},
    {"targets/c/runtime", "targets/c/printing"},
    {"targets/c/functions", "targets/jax", "targets/jax/runtime"},
    {"targets/jax/printing"},
    {"targets/jax/functions"},
    {"targets/extension"},
    {"compile", "importing"},
    {"build", "importing/python", "importing/onnx", "exporting/onnx"},
    {"importing/numpy", "importing/jax", "importing/torch"},
    {"sample", "highlight", "views", "views/reference"},
    {"views/explain", "views/draw/records"},
    {"views/draw/layered"},
    {"views/draw"},
    {"checking"},
    {"views/numbers"},
    {"views/report"},
    {"api"},
    {"generated", "bridges"},
    {"dask", "scipy", "jax", "torch", "optimisers"},
    {"sklearn"},
    {"editor"},
    {"cli"},
    {"__main__", "notebook"},
)
LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}

RUN_TIME_PACKAGES = {"click", "numpy", "lark", "rich"}
LARK_ROOM = "syntax/parse"
# the extra `lsp` brings pygls
PROTOCOL_FILES = ("graphc/editor/server.py", "graphc/editor/protocol.py")
PYGMENTS_FILES = {"graphc/highlight.py", "graphc/api/showing.py"}  # Pygments comes with rich
BRIDGES = {
    "graphc/scipy.py": {"scipy"},
    **{
        f"graphc/{file}.py": {"dask", "distributed", "threadpoolctl"}
        for file in ("dask", "bridges/tasks")
    },
    "graphc/jax.py": {"jax"},
    "graphc/torch.py": {"torch"},
    "graphc/sklearn.py": {"scipy", "sklearn"},
    **{
        f"graphc/targets/jax/runtime/{name}.py": {"jax"}
        for name in ("arguments", "arrays", "incomplete", "matrices", "shards")
    },
    "graphc/importing/jax/function.py": {"jax"},
    "graphc/importing/jax/reading.py": {"jax"},
    "graphc/importing/jax/calls.py": {"jax"},
    "graphc/importing/torch/program.py": {"torch"},
    **{
        f"graphc/{file}.py": {"onnx"}
        for file in (
            *(f"importing/onnx/{name}" for name in ("reading", "evaluating", "model", "loops")),
            *(
                f"exporting/onnx/{name}"
                for name in ("writing", "nodes", "arrays", "loops", "model", "casadi")
            ),
            "cli/export",
        )
    },
}
FACADE = "graphc/__init__.py"
# What `graphc` itself hands out, lazily.
FACADE_SHOWS = {"api", "notebook", "parameters", "source", "state_dicts"}
PACKAGE_CONSTANTS = {"__version__"}  # what may be asked of `graphc` itself
VAGUE_NAMES = {"utils", "core", "common", "helpers"}
LATE = {"cli", "api", "notebook"}
LONGEST_FILE = 400

# Where somebody's machine shows through; spelt so that this file does not match itself.
MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:(?:work|root)/|tmp/venv\b)")


def files_under(folder: Path) -> Iterator[Path]:
    """All files of the repository below a folder; not what .gitignore names, not .git."""
    for path in sorted(folder.iterdir()):
        anchored = f"/{path.name}" if path.parent == ROOT else path.name  # as git reads it
        if not {path.name, anchored}.isdisjoint(ignored_names()) or path.is_symlink():
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


def room_of(file: str) -> str:
    """The room of a file: `plan/tiles` for `graphc/plan/tiles/groups.py`."""
    folder, _, name = file.removeprefix("graphc/").rpartition("/")
    return folder or name.removesuffix(".py")


def room_named(name: str) -> str | None:
    """The room of what an import names, below graphc; None where that is none."""
    parts = name.split(".")[1:]
    rooms = ("/".join(parts[:end]) for end in range(len(parts), 0, -1))
    return next((room for room in rooms if room in LEVEL), None)


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
    """What a file takes from graphc that the floors do not let it take."""
    room, faults = room_of(file), []
    for node in imports_in(tree):
        for name in modules_named(file, node):
            package, _, rest = name.partition(".")
            if package != "graphc" or rest in PACKAGE_CONSTANTS:
                continue
            target = room_named(name)
            if file == FACADE:
                allowed = rest.partition(".")[0] in FACADE_SHOWS
            else:
                allowed = target == room or (
                    target is not None and room in LEVEL and LEVEL[target] < LEVEL[room]
                )
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


def lines_of_code(file: str) -> int:
    """The lines of a file without its imports."""
    tree = tree_of(file)
    imports = sum((node.end_lineno or 0) - node.lineno + 1 for node in imports_in(tree))
    return len((ROOT / file).read_text(encoding="utf-8").splitlines()) - imports


def test_every_file_has_a_place_in_the_layout() -> None:
    lost = [file for file in PYTHON_FILES if file != FACADE and room_of(file) not in LEVEL]
    lost = [file for file in lost if not file.endswith("/__init__.py")]
    assert lost == [], "a new folder: give it a place in FLOORS"


def test_imports_point_down() -> None:
    assert [fault for file in PYTHON_FILES for fault in layering_faults(file, tree_of(file))] == []


def test_imports_are_absolute() -> None:
    relative_ones = [
        f"{file}:{node.lineno}"
        for file in PYTHON_FILES
        for node in imports_in(tree_of(file))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert relative_ones == []


def test_run_time_needs_only_the_declared_packages() -> None:
    foreign = {
        file: foreign_packages(file, tree_of(file))
        - RUN_TIME_PACKAGES
        - ({"pygments"} if file in PYGMENTS_FILES else set())
        - ({"pygls", "lsprotocol"} if file in PROTOCOL_FILES else set())
        - BRIDGES.get(file, set())
        for file in PYTHON_FILES
    }
    assert {file: names for file, names in foreign.items() if names} == {}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {re.split(r"[^\w-]", line)[0] for line in project["dependencies"]}
    assert declared == RUN_TIME_PACKAGES


def test_only_the_parser_knows_lark() -> None:
    knowing = {f for f in PYTHON_FILES if "lark" in foreign_packages(f, tree_of(f))}
    assert {room_of(file) for file in knowing} == {LARK_ROOM}


def test_only_records_knows_how_dataclasses_are_made() -> None:
    made = [
        file
        for file in PYTHON_FILES
        for node in imports_in(tree_of(file))
        if isinstance(node, ast.ImportFrom) and node.module == "dataclasses"
        if {"dataclass", "field", "replace"} & {alias.name for alias in node.names}
    ]
    assert {*made} == {"graphc/records.py"}


COMPILING = ("ir", "ops", "ad", "syntax", "elaborate", "optimise", "plan", "targets", "compile")
READ_AS_TEXT = {
    *(f"graphc/targets/numpy/runtime/{name}.py"
      for name in ("comparing", "out", "parts", "watching")),
    *(f"graphc/targets/jax/runtime/{name}.py" for name in ("arguments", "arrays")),
}  # fmt: skip


def test_compiling_imports_no_numpy() -> None:
    """But when it is asked for (`graphc.later`): most graphs need none, and it takes long."""
    found = [
        file
        for file in PYTHON_FILES
        if room_of(file).partition("/")[0] in COMPILING and file not in READ_AS_TEXT
        for node in tree_of(file).body
        if isinstance(node, ast.Import | ast.ImportFrom)
        if any(name.partition(".")[0] == "numpy" for name in modules_named(file, node))
    ]
    assert found == []


def test_imports_stand_at_the_top() -> None:
    """But in commands and functions of `graphc`, which load what they need."""
    late = [
        f"{file}:{line} imports {name} inside a function"
        for file in PYTHON_FILES
        if file != FACADE and room_of(file) not in LATE
        for line, name in imports_in_functions(file, tree_of(file))
    ]
    assert late == []


def test_files_are_short_and_their_names_say_something() -> None:
    vague = [f for f in PYTHON_FILES if VAGUE_NAMES & {*f.removesuffix(".py").split("/")}]
    assert vague == [], "name it for what it does"
    lengths = {file: lines_of_code(file) for file in PYTHON_FILES}
    long = {file: length for file, length in lengths.items() if length > LONGEST_FILE}
    assert long == {}, f"split it before {LONGEST_FILE} lines"


def test_every_file_begins_with_what_it_is_for() -> None:
    silent = [file for file in PYTHON_FILES if not ast.get_docstring(tree_of(file))]
    assert silent == []


NO_VERB = re.compile(
    r"(What|Where|When|Why|How|Which|Who|Whose|Whether|The|A|An|Each|Every|All|Is|Are|Does|Do|Has|Can)\b"
)
COPIED = {"targets/numpy/runtime", "targets/jax/runtime"}  # written for readers of modules


def test_docstrings_of_functions_begin_with_a_verb() -> None:
    """What is returned or done, or `True if`: no question, no name of the result alone."""
    found = [
        f"{file}:{node.lineno} {node.name}"
        for file in PYTHON_FILES
        if room_of(file) not in COPIED
        for node in ast.walk(tree_of(file))
        if isinstance(node, ast.FunctionDef) and NO_VERB.match(ast.get_docstring(node) or "")
    ]
    assert found == []


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
        ("graphc/plan/order.py", "from graphc.ir.graph import Node", 0),
        ("graphc/plan/order.py", "from graphc.plan.lower import order", 0),
        ("graphc/plan/buffers/assign.py", "from graphc.plan import lower", 0),
        ("graphc/plan/order.py", "from graphc.plan.buffers import assign", 1),
        ("graphc/plan/order.py", "import graphc.targets.numpy", 1),
        ("graphc/plan/order.py", "from graphc import cli, sample", 2),
        ("graphc/plan/order.py", "from graphc import compile_text", 1),
        ("graphc/plan/order.py", "def f():\n    from graphc.compile.stages import load", 1),
        ("graphc/ir/dims.py", "from graphc.ops import storage", 1),
        ("graphc/source.py", "from graphc import __version__", 0),
        ("graphc/__init__.py", "from graphc.api.compiling import compile_text", 0),
        ("graphc/__init__.py", "from graphc.plan import lower", 1),
        ("graphc/cli/app.py", "from graphc.cli import show\nimport graphc.compile.stages", 0),
    ],
)
def test_the_layering_rule_itself(file: str, text: str, faults: int) -> None:
    assert len(layering_faults(file, ast.parse(text))) == faults


def test_no_test_asks_how_fast_a_machine_is() -> None:
    """Work is counted, and whoever waits has the PATIENCE of `tests/patience.py`."""
    timed = re.compile(r"\b(?:perf_counter|process_time)\(|\btimeout=\d")
    for path in sorted((ROOT / "tests").glob("test_*.py")):
        assert not timed.search(path.read_text(encoding="utf-8")), path.name
