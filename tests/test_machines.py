"""C for other machines: WebAssembly that node runs, and an object for a controller."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from calling import call, given

from graphc.build.compilers import NoCompilerError
from graphc.build.machines import MACHINES, compile_for
from graphc.compile.stages import Compilation, Options
from graphc.records import replace
from graphc.sample import choose_sizes
from graphc.syntax.parse.parser import read_source
from graphc.targets.c.contract import CFunction, CModule, contract
from tests.loading import loaded
from tests.patience import PATIENCE

ROOT = Path(__file__).resolve().parent.parent
HOST = Path(__file__).with_name("host.mjs")
DIMS = {"B": 4}


def compiled(name: str, dtype: str, target: str) -> Compilation:
    path = ROOT / "examples" / f"{name}.graph"
    options = Options(level="-O2", dtype=dtype, target=target)
    return Compilation(read_source(path.name, path.read_bytes()), options, path.parent)


def made_for(machine: str, name: str, dtype: str) -> tuple[CModule, bytes]:
    compilation = compiled(name, dtype, "c")
    with compilation.open():
        module = contract(compilation.programs)
    return module, compile_for(machine, compilation.text, module, os.environ)


def arrays(compilation: Compilation, one: CFunction, arguments: Any, dims: Any) -> list[Any]:
    """What the host is given: each array with its kind, its size and the values of its members."""
    paths = {d.name: d.paths for d in compilation.model.params}
    rows = []
    for a in one.arguments:
        kind = {"float": compilation.model.dtype, "int": "int64", "bool": "bool"}[a.dtype]
        size = int(np.prod([axis.evaluate(dims) for axis in a.shape]))
        values: list[Any] = [None] * max(a.members, 1)
        if not a.written:
            among = arguments["params"] if a.role == "parameter" else arguments
            of = paths[a.of] if a.role == "parameter" else [a.of]
            values = [np.ravel(among[path]).tolist() for path in of]
        family, written = a.members > 0, a.written
        row = {"kind": kind, "size": size, "members": values, "family": family, "written": written}
        rows.append(row)
    return rows


def test_c_compiles_for_webassembly(monkeypatch: pytest.MonkeyPatch) -> None:
    """An object, for which zig has no library to build first, which takes it a quarter minute."""
    machine = MACHINES["wasm32-wasi"]
    object_of = replace(machine, options=(*machine.options, "-c"))
    monkeypatch.setitem(MACHINES, "wasm32-wasi", object_of)
    _, content = made_for("wasm32-wasi", "net321", "float64")
    assert content[:4] == b"\0asm"
    assert b"grad_y" in content


@pytest.mark.long
@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node to run WebAssembly")
@pytest.mark.parametrize(
    ("name", "function", "dtype"),
    [
        ("net321", "grad_y", "float64"),
        ("digits", "value_and_grad_loss", "float64"),
        ("digits", "value_and_grad_loss", "float32"),
    ],
)
def test_webassembly_gives_the_same_gradients(
    tmp_path: Path, name: str, function: str, dtype: str
) -> None:
    module, content = made_for("wasm32-wasi", name, dtype)
    plain = compiled(name, dtype, "numpy")
    dims = {**choose_sizes(plain.model)} | {d: n for d, n in DIMS.items() if d in module.dims}
    arguments = given(plain.model, 0, dims)[function]
    (one,) = (f for f in module.functions if f.function == function)
    rows = arrays(plain, one, arguments, dims)
    (tmp_path / "net.wasm").write_bytes(content)
    job = {"name": one.name, "dims": [dims[d] for d in module.dims], "arrays": rows}
    (tmp_path / "job.json").write_text(json.dumps(job), encoding="utf-8")
    command = ["node", str(HOST), str(tmp_path / "net.wasm"), str(tmp_path / "job.json")]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout)
    assert said["status"] == 0
    returned = call(loaded(plain.text, "machines"), function, arguments)
    gradients = returned[1] if isinstance(returned, tuple) else returned
    paths = {d.name: d.paths for d in plain.model.params}
    keys = [a.key for a in one.results if a.key is not None and a.key.kind == "gradient"]
    expected = [gradients[path] for key in keys for path in paths[key.by]]
    bound = 1e-13 if dtype == "float64" else 1e-5
    for found, right in zip(said["results"][-len(expected) :], expected, strict=True):
        scale = max(1.0, float(np.max(np.abs(right))))
        np.testing.assert_allclose(found, np.ravel(right), rtol=0, atol=bound * scale)


def undefined(content: bytes) -> set[str]:
    """The names that an ELF object of 32 bits leaves to others: of its table of symbols."""
    words = np.frombuffer(content[:52], "<u2")
    start, count, size = int.from_bytes(content[32:36], "little"), int(words[24]), int(words[23])
    sections = [content[start + size * k : start + size * (k + 1)] for k in range(count)]
    heads = [np.frombuffer(one[:40], "<u4") for one in sections]
    (symbols,) = (one for one in heads if one[1] == 2)
    names = heads[int(symbols[6])]
    table = content[int(symbols[4]) : int(symbols[4] + symbols[5])]
    found = set()
    for k in range(16, len(table), 16):
        name = int.from_bytes(table[k : k + 4], "little")
        if int.from_bytes(table[k + 14 : k + 16], "little") == 0:
            at = int(names[4]) + name
            found.add(content[at : content.index(b"\0", at)].decode())
    return found


def test_an_object_for_a_controller_takes_no_memory_from_a_system() -> None:
    """What it leaves to others are arithmetic and libm: nothing allocates, nothing prints."""
    _, content = made_for("cortex-m4", "net321", "float32")
    left = undefined(content)
    assert content[:4] == b"\x7fELF"
    allowed = {"memcpy", "memset", "memmove", "expf", "logf", "sinf", "cosf", "powf", "sqrtf"}
    assert {one for one in left if not one.startswith("__aeabi_")} <= allowed


def test_without_zig_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(NoCompilerError, match=r"pip install graphc\[c\]"):
        compile_for("cortex-m4", "", CModule("a", "float64", {}, (), (), (), "", ""), {"PATH": ""})
