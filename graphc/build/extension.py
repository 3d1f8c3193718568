"""A source -> a Python module over compiled C, and the extension that it calls."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import sys
import sysconfig
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from graphc.build.compilers import FAST, Compiler, NoCompilerError, find_compiler, run
from graphc.compile.stages import Compilation
from graphc.files import replace as replace_file
from graphc.records import dataclass
from graphc.targets.c.contract import contract
from graphc.targets.c.functions.target import C
from graphc.targets.extension.glue import NAME, WIDE, WIDER, calls_header, glue, variant
from graphc.targets.extension.module import python_text


@dataclass(frozen=True, slots=True)
class Texts:
    """The files in C that make an extension, by name, and how the Python module is written."""

    files: Mapping[str, str]
    compilation: Compilation

    def python(self, extension: str) -> str:
        """Write the Python module, beside which the extension of this name lies."""
        compiled = self.compilation.complete
        with self.compilation.open():
            return python_text(compiled, contract(compiled), extension)


def texts_of(compilation: Compilation) -> Texts:
    """Write the files of a compilation to C; raises GraphError."""
    assert compilation.options.target == C.name
    with compilation.open():
        module = contract(compilation.programs)
        files = {
            "net.c": compilation.text,
            "calls.h": calls_header(module),
            "plain.c": variant(module, "plain"),
            **{f"{name}.c": variant(module, name) for name in WIDER},
            "glue.c": glue(compilation.programs, module),
        }
    return Texts(files, compilation)


@dataclass(frozen=True, slots=True)
class Built:
    """An extension in the folder where it is kept: its name, and its file."""

    name: str
    path: Path


def build(texts: Texts, environment: Mapping[str, str], kept: Path) -> Built:
    """Compile an extension, unless it is kept already; raises NoCompilerError, CompilerError.

    It is kept by all that it depends on: the texts, the compiler, its options, Python and NumPy.
    """
    compiler = find_compiler(environment)
    plans = _jobs(compiler, _is_wide(compiler), shlex.split(environment.get("CFLAGS", "")))
    suffix = sysconfig.get_config_var("EXT_SUFFIX") or ".so"
    what = (sorted(texts.files.items()), compiler.identity, plans, suffix, np.__version__)
    digest = hashlib.sha256(repr(what).encode()).hexdigest()[:16]
    name = f"_net_{digest}"
    path = kept / f"{name}{suffix}"
    if not path.exists():
        _check_headers()
        with tempfile.TemporaryDirectory(prefix="graphc-") as folder:
            for file, text in texts.files.items():
                Path(folder, file).write_text(text.replace(NAME, name), encoding="utf-8")
            objects, link = plans
            run(compiler, objects, Path(folder))
            run(compiler, [link], Path(folder))
            replace_file(path, Path(folder, "net.so").read_bytes())
    return Built(name, path)


def loaded_by(module: Path) -> str:
    """Return the name of the extension that a module loads; "" where there is no such module."""
    if not module.is_file():
        return ""
    try:
        found = re.search(r"_load_compiled\('(_net_[0-9a-f]{16})'\)", module.read_text("utf-8"))
    except (OSError, ValueError):
        return ""
    return found[1] if found else ""


def _is_wide(compiler: Compiler) -> bool:
    """True if functions are also compiled for wider vectors, and the machine chooses at import."""
    machine = (os.uname().machine if hasattr(os, "uname") else "").lower()
    return compiler.family != "msvc" and machine in ("x86_64", "amd64")


def _jobs(compiler: Compiler, wide: bool, more: Sequence[str]) -> tuple[list[list[str]], list[str]]:
    """List the options of what compiles each file, with `more`, and of what links them."""
    places = [f"-I{sysconfig.get_path('include')}", f"-I{np.get_include()}"]
    files = ["glue", "plain", *(WIDER if wide else [])]
    if compiler.family == "msvc":
        libraries = Path(sys.base_prefix, "libs")
        objects = [
            ["/nologo", "/std:c11", "/O2", "/c", *places, *more, f"{one}.c"] for one in files
        ]
        linked = ["/nologo", "/LD", *(f"{one}.obj" for one in files), "/Fe:net.so"]
        return objects, [*linked, "/link", f"/LIBPATH:{libraries}"]
    own = {"glue": ["-O2", *places, *([f"-D{WIDE}"] if wide else [])], "plain": ["-O3", *FAST]}
    for name, needs in WIDER.items():
        extra = ["-mprefer-vector-width=512"] if name == "widest" else []
        own[name] = ["-O3", *FAST, "-ffp-contract=fast", *(f"-m{one}" for one in needs), *extra]
    common = ["-std=c99", "-w", "-fPIC", "-fvisibility=hidden", "-c"]
    objects = [[*common, *own[one], *more, f"{one}.c", "-o", f"{one}.o"] for one in files]
    shared = (
        ["-bundle", "-undefined", "dynamic_lookup"] if sys.platform == "darwin" else ["-shared"]
    )
    return objects, [*shared, *(f"{one}.o" for one in files), "-o", "net.so", "-lm"]


def _check_headers() -> None:
    """Raise NoCompilerError where Python came without what extensions include."""
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        raise NoCompilerError(
            "this Python came without Python.h; install its headers, as by"
            " `apt install python3-dev`"
        )
