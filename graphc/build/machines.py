"""C compiled for other machines, by zig: WebAssembly, a library, or an object without a system."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from graphc.build.compilers import FAST, NoCompilerError, find_zig, run
from graphc.records import dataclass
from graphc.targets.c.contract import CModule


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine: how zig is told of it, and what file is made, by the stem of the graph."""

    options: tuple[str, ...]
    file: str
    exported: bool = False


MACHINES = {
    "wasm32-wasi": Machine(
        ("-target", "wasm32-wasi", "-msimd128", "-mexec-model=reactor", "-Wl,--strip-all"),
        "{}.wasm",
        exported=True,
    ),
    "aarch64-linux": Machine(("-target", "aarch64-linux-gnu", "-fPIC", "-shared"), "lib{}.so"),
    "cortex-m4": Machine(
        (
            "-target",
            "thumb-linux-musleabihf",
            "-mcpu=cortex_m4",
            "-ffunction-sections",
            "-fno-exceptions",
            "-fno-unwind-tables",
            "-fno-asynchronous-unwind-tables",
            "-c",
        ),
        "{}.o",
    ),
}
"""The machines that there are, by what they are called on the command line."""


def compile_for(name: str, text: str, module: CModule, environment: Mapping[str, str]) -> bytes:
    """Compile a text for a machine: the content of the file.

    Raises NoCompilerError, CompilerError.
    """
    machine = MACHINES[name]
    zig = find_zig(environment.get("PATH", os.defpath))
    if zig is None:
        raise NoCompilerError(
            f"`--for {name}` asks no other compiler than zig: `pip install graphc[c]` brings it"
        )
    exports = [f"-Wl,--export={one}" for one in _functions(module)] if machine.exported else []
    with tempfile.TemporaryDirectory(prefix="graphc-") as folder:
        Path(folder, "net.c").write_text(text, encoding="utf-8")
        common = ["-std=c99", "-O3", *FAST, "-w", "net.c", "-o", "made"]
        run(zig, [[*machine.options, *common, *exports]], Path(folder))
        return Path(folder, "made").read_bytes()


def _functions(module: CModule) -> Sequence[str]:
    """Name what a host calls; it puts arrays behind `__heap_base` in the memory."""
    own = [name for one in module.functions for name in (one.name, one.workspace)]
    cache = [module.sizes] if any(one.cache for one in module.functions) else []
    return [*own, *cache, module.why, "__heap_base"]
