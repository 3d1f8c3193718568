"""The compiler of C that there is: named by CC, found on the PATH, or the wheel `ziglang`."""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from graphc.records import dataclass

Family = Literal["gcc", "msvc", "zig"]
"""How a compiler takes its options: gcc and clang do alike; zig is a clang that has all targets."""

_ON_THE_PATH: tuple[tuple[str, Family], ...] = (
    ("cc", "gcc"), ("clang", "gcc"), ("gcc", "gcc"), ("cl", "msvc"),
)  # fmt: skip


class NoCompilerError(Exception):
    """There is no compiler; the message says what to install."""


class CompilerError(Exception):
    """The compiler has refused a text; the message is what it said."""


@dataclass(frozen=True, slots=True)
class Compiler:
    """A compiler: its command, as a list of words, and how it takes its options."""

    command: tuple[str, ...]
    family: Family

    @property
    def identity(self) -> str:
        """Return what another compiler, or another version of this one, does not have."""
        found = os.stat(os.path.realpath(self.command[0]))
        return f"{shlex.join(self.command)} {found.st_size} {found.st_mtime_ns}"


def find_compiler(environment: Mapping[str, str]) -> Compiler:
    """Return the compiler that CC names, else the first that there is; raises NoCompilerError."""
    named = shlex.split(environment.get("CC", ""))
    path = environment.get("PATH", os.defpath)
    if named:
        program = shutil.which(named[0], path=path)
        if program is None:
            raise NoCompilerError(f"CC names `{named[0]}`, which is no program on the PATH")
        stems = {Path(word).stem.lower() for word in named}
        family: Family = "msvc" if "cl" in stems else "zig" if stems & {"zig", "ziglang"} else "gcc"
        return Compiler((program, *named[1:]), family)
    for name, family in _ON_THE_PATH:
        program = shutil.which(name, path=path)
        if program is not None:
            return Compiler((program,), family)
    found = find_zig(path)
    if found is None:
        raise NoCompilerError(
            "there is no compiler of C: no CC, and no cc, clang, gcc or cl on the PATH; "
            "install one, or `pip install graphc[c]`, which brings zig"
        )
    return found


def find_zig(path: str) -> Compiler | None:
    """Return zig, which compiles for other machines too: that of the wheel, else of the PATH."""
    wheel = importlib.util.find_spec("ziglang")
    if wheel is not None and wheel.origin is not None:
        program = shutil.which("zig", path=str(Path(wheel.origin).parent))
        if program is not None:
            return Compiler((program, "cc"), "zig")
    program = shutil.which("zig", path=path)
    return None if program is None else Compiler((program, "cc"), "zig")


def run(compiler: Compiler, jobs: Sequence[Sequence[str]], folder: Path) -> None:
    """Run the compiler in a folder, once for each list of options, all at the same time.

    No shell reads them. Raises CompilerError with what it printed where it refuses one.
    """
    running = [
        subprocess.Popen(
            [*compiler.command, *options],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        for options in jobs
    ]
    said = [one.communicate()[0] for one in running]
    for options, one, text in zip(jobs, running, said, strict=True):
        if one.returncode:
            raise CompilerError(f"{shlex.join([*compiler.command, *options])}\n{text.strip()}")


def shared_options(compiler: Compiler, sources: Sequence[str], output: str) -> list[str]:
    """List the options that make a shared library of C99 files."""
    if compiler.family == "msvc":
        return ["/nologo", "/std:c11", "/O2", "/LD", *sources, f"/Fe:{output}"]
    return ["-std=c99", "-O3", *FAST, "-fPIC", "-shared", "-o", output, *sources, "-lm"]


FAST = ("-fno-math-errno", "-fno-trapping-math")
"""Nobody looks at errno, nor at the flags of exceptions; all else is IEEE 754 as it stands."""
