"""The check of emitted text: what graphc writes passes, and nothing that could do anything else."""

from __future__ import annotations

import ast
import re
from functools import cache, reduce
from pathlib import Path

import numpy as np
import pytest
from every_operation import operations

import graphc
from graphc.compile.stages import Options, compile_source
from graphc.ir.kernel import functions
from graphc.ops.fused import LIMITS
from graphc.source import Source
from graphc.targets.numpy.module import KINDS, WHERE_READ, ready_made, words_of
from graphc.targets.numpy.verify import METHODS, NUMPY, OF_UFUNCS, Refused, examine, verify

ROOT = Path(__file__).resolve().parent.parent
NUMPY_HERE = "import numpy as np\n"

ATTACKS = [
    "import subprocess",
    "from os import system",
    "import os as np",
    "from collections.abc import Mapping as os",
    "from math import prod as math_sin",
    "import os\nos.system('x')",
    "import os\ngetattr(os, 'system')",
    "import os\ngetattr(os, 'sys' + 'tem')",
    "import threading\nthreading.Event",
    "__import__('os')",
    "exec('x')",
    "eval('x')",
    "open('x')",
    "print(1)",
    "x = 1\ngetattr(x, '__class__')",
    "x = 1\nx.__class__",
    "x = f'{().__class__}'",
    "x = 1\nx.tofile('x')",
    "x = 1\nx.dump('x')",
    "x = [1]\nx[0]()",
    "x = 1\nx()()",
    "(lambda: 1)()",
    NUMPY_HERE + "np.load('x')",
    NUMPY_HERE + "np.fromfile",
    NUMPY_HERE + "np.memmap",
    NUMPY_HERE + "np.ctypeslib",
    NUMPY_HERE + "np.lib.format.open_memmap('x')",
    NUMPY_HERE + "np.frompyfunc",
    NUMPY_HERE + "np.add.__class__",
    NUMPY_HERE + "np.random.seed(1)",
    NUMPY_HERE + "np.linalg",
    NUMPY_HERE + "x = np\nx.load('x')",
    NUMPY_HERE + "x = [np][0]",
    "def f():\n    global x\n    x = 1",
    "async def f(): pass",
    "def f():\n    yield 1",
    "with f: pass",
    "import os; assert os",
    "x = (y := 1)",
    "match 1:\n    case 1: pass",
]


@pytest.mark.parametrize("text", ATTACKS)
def test_nothing_else_passes(text: str) -> None:
    with pytest.raises(Refused, match=r"^line \d+: "):
        verify(text)


def test_names_of_modules_are_free_where_they_mean_a_variable() -> None:
    verify("os = 1\nx = os.T\ntime = x\ny = time.shape")


def test_what_is_written_is_known() -> None:
    """Whatever of NumPy a kernel names, or stands in a string of the emitter."""
    named = {name for op in operations() for name in functions(op.kernel)}
    written = {f".{name}" for name in named if hasattr(np, name.partition(".")[0])}
    for folder in ("ops", "plan", "targets", "optimise"):
        for path in (ROOT / "graphc" / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    written |= set(re.findall(r"(?<![\w`])np((?:\.[a-z]\w*)+)", node.value))
    assert len(written) > 80
    unknown = [name[1:] for name in sorted(written) if not _known(name[1:])]
    assert unknown == [], "graphc/targets/numpy/verify.py lists what of NumPy may be written"


def _known(name: str) -> bool:
    first, _, more = name.partition(".")
    ufunc = isinstance(getattr(np, first, None), np.ufunc) and (not more or more in OF_UFUNCS)
    return ufunc or name in NUMPY


def test_the_lists_hold_nothing_that_opens_or_evaluates() -> None:
    """NumPy's own functions that read or write files, or run code."""
    files = {"load", "save", "savez", "savetxt", "loadtxt", "genfromtxt", "fromfile", "fromregex",
             "memmap", "DataSource", "tofile", "dump", "dumps", "tobytes", "open_memmap",
             "frompyfunc", "vectorize", "fromfunction", "apply_along_axis", "ctypeslib", "ctypes",
             "piecewise", "fromiter", "setfield", "f2py", "test", "testing"}  # fmt: skip
    assert files.isdisjoint({*METHODS, *(part for name in NUMPY for part in name.split("."))})


def test_ready_made_parts_pass() -> None:
    """All of them together, and not only those that some module needs."""
    needed = (
        "from __future__ import annotations\n"
        "from collections.abc import Callable, Iterable, Mapping\n"
        "from typing import Any, NamedTuple\n"
        "import contextvars, os, threading, time\n"
        "import numpy as np\nFLOAT = np.float64\n_FLOAT = np.dtype(FLOAT)\n_SCRATCH = {}\n"
        "CACHE = LONG = 1\n_WATCHED = _PLACES = ()\nArray = ArrayLike = Any\n"
        "PARAMETERS = ()\nBITS = np.int64\nTrace = Operand = Any\n"
    )
    verify(needed + "\n\n".join(ready_made().values()))


def test_ready_made_parts_are_the_functions_of_their_files() -> None:
    folder = ROOT / "graphc" / "targets" / "numpy" / "runtime"
    found = {}
    for path in folder.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        lines = text.splitlines()
        for one in ast.parse(text).body:
            if isinstance(one, ast.FunctionDef):
                first = min([one.lineno, *(above.lineno for above in one.decorator_list)])
                found[one.name] = "\n".join(lines[first - 1 : one.end_lineno])
    assert ready_made() == found


def test_words_of_ready_made_parts_are_what_they_read() -> None:
    """Of the names that decide what else a module has, no comment has one that is not read."""
    decide = {*ready_made(), *WHERE_READ, *LIMITS, *KINDS}
    for part, text in ready_made().items():
        read = {*examine(text).read}
        assert words_of(part) & decide - {part} == read & decide - {part}, part


# ---- text of a graph ----------------------------------------------------------------------------

EVIL = [
    '"""', "'''", "\\", "\\\\", '"; import os; "', "{__import__(1)}", "%s{0}", "# coding: utf-7",
    "\\N{NULL}", "\\x00", "\\u0022", "+AGkAbQBwAG8AcgB0-", "\\\n", "`", "$(x)", "\t", "é𝐱\u3000",
]  # fmt: skip


@pytest.mark.parametrize(
    ("evil", "level"), [(evil, ("-O0", "-O2")[number % 2]) for number, evil in enumerate(EVIL)]
)
def test_strings_and_comments_of_a_graph_are_no_code(evil: str, level: str) -> None:
    """In doc strings of all kinds, comments, conditions, the name of the file and options."""
    assert _code(_emitted(evil, level)) == _code(_emitted("harmless", level))


@cache
def _emitted(word: str, level: str) -> str:
    """The module of a graph in which a word stands wherever text is free."""
    escaped = (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\t", "\\t"))
    quoted = f'"{reduce(lambda text, pair: text.replace(*pair), escaped, word)}"'
    line = "".join(word.split("\n"))
    text = "\n".join(
        [
            f'"""{word.replace(chr(34), chr(39))} """',
            f"dim N {quoted}  # {line}",
            f"input x: [N] {quoted}",
            f"param w: [N] {quoted}",
            f"require N >= 3 {quoted}",
            f"const s = {quoted}",
            f"block f(a: [K]) -> b: [K] {{ {quoted}",
            f"b = a * a # {line}",
            "}",
            f"scan loop[t in N] carry h = 0.0 {{ next h = h + x[t] # {line}",
            "}",
            f"if s == {quoted} {{ output y = sum(f(x) * w) + h {quoted}",
            "} else { output z = h }",
            "derive hessian y wrt w",
            "derive value_and_grad y wrt params",
        ]
    )
    options = Options(level=level, consts={"s": quoted}, trace=True)
    return compile_source(Source(f"{line}.graph", text), options).text


def _code(text: str) -> str:
    """A module without what its strings say."""
    tree = ast.parse(text)
    assert isinstance(tree.body[0], ast.Expr), "the first statement is the doc string"
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = ""
    return ast.dump(tree)


RUNNING = ("eval", "exec", "compile", "sympify", "__import__")


def test_no_text_is_ever_run_or_unpickled() -> None:
    """Only the text of a finished module is run, by `load`, and one that its user has edited.

    What is read of other files is no code; methods of records are written of the names of fields.
    """
    run: dict[str, list[str]] = {}
    for path in sorted(Path(graphc.__file__).parent.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            called = node.func if isinstance(node, ast.Call) else None
            if isinstance(called, ast.Name) and called.id in RUNNING:
                run.setdefault(path.name, []).append(called.id)
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert isinstance(node.value, ast.Constant)
                assert node.value.value is False
            if isinstance(node, ast.Import):
                assert not {"pickle", "marshal", "shelve"} & {alias.name for alias in node.names}
    modules = {name: ["exec", "compile"] for name in ("edited.py", "stages.py")}
    assert run == {"records.py": ["exec"], **modules}
