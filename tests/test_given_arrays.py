"""Files of arrays for `graphc check --at`: what lies in them is looked at before it is believed."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from graphc.cli.app import app

GRAPH = "input x: [3]\nparam W: [3, 2]\noutput y = sum(tanh(x @ W))\n"
THREE = np.ones(3).tobytes()


def entry(shape: str, kind: str = "'<f8'", data: bytes = THREE, version: int = 1) -> bytes:
    """The bytes of an npy file whose header says what it likes."""
    text = f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}, }}\n".encode("latin-1")
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text + data


def archive(**entries: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        for name, content in entries.items():
            made.writestr(f"{name}.npy", content)
    return stream.getvalue()


def saved(**arrays: object) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()


NO_FILE = "it is no npz file of numbers, as numpy.savez writes it"
WRONG = {
    "a header that claims terabytes": (
        archive(x=entry("(1000000000000,)")),
        "the header of `x` claims 8000000000000 bytes of (1000000000000,), there are 24",
    ),
    "one that claims more than any number holds": (
        archive(x=entry("(1000000000, 1000000000, 1000)")),
        "the header of `x` claims 8000000000000000000000 bytes",
    ),
    "one that claims less than there is": (
        archive(x=entry("(2,)")),
        "the header of `x` claims 16 bytes of (2,), there are 24",
    ),
    "a negative length": (archive(x=entry("(-3,)")), "claims -24 bytes of (-3,), there are 24"),
    "a header of code": (archive(x=entry("__import__('os').getcwd()")), NO_FILE),
    "a later header": (
        archive(x=entry("(4,)", version=2)),
        "the header of `x` claims 32 bytes of (4,), there are 24",
    ),
    "an unknown version": (archive(x=b"\x93NUMPY\x09\x00" + THREE), NO_FILE),
    "pickled objects": (
        saved(x=np.array([{}, 1, 2], dtype=object)),
        "`x` holds object, which are no numbers",
    ),
    "text": (saved(x=np.array(["a", "b", "c"])), "`x` holds <U1, which are no numbers"),
    "records": (
        saved(x=np.zeros(3, [("a", float)])),
        "`x` holds [('a', '<f8')], which are no numbers",
    ),
    "complex numbers": (saved(x=np.ones(3, complex)), "`x` holds complex128, which are no numbers"),
    "cut in the middle": (saved(x=np.ones(3))[:140], NO_FILE),
    "a byte changed": (saved(x=np.ones(3)).replace(THREE, np.zeros(3).tobytes()), NO_FILE),
    "something else in the archive": (archive(x=b"hello"), NO_FILE),
    "one array": (entry("(3,)"), NO_FILE),
    "safetensors": (struct.pack("<Q", 2**40) + b'{"x": {"dtype": "F64"}}', NO_FILE),
    "nothing": (b"", NO_FILE),
    "a name of control characters": (
        archive(**{"\x1b[2J": entry("(1,)")}),
        "the header of `�[2J` claims 8 bytes of (1,), there are 24",
    ),
    "another shape": (saved(x=np.ones(4)), "input `x` has shape (4,), expected [3] = (3,)"),
    "a name that the graph has not": (saved(z=np.ones(3)), "--at: z: there are x, W"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_value(case: str, tmp_path: Path) -> None:
    """An error that says what is wrong; nothing is unpickled, and no memory taken on a claim."""
    content, said = WRONG[case]
    graph, values = tmp_path / "net.graph", tmp_path / "values.npz"
    graph.write_text(GRAPH, encoding="utf-8")
    values.write_bytes(content)
    done = CliRunner().invoke(app, ["check", "--grad", "--at", str(values), str(graph)])
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit), done.exception
    assert said in done.stderr
    assert done.stderr.startswith("error[E")
    assert "ok" not in done.stdout


def test_json_says_it_too(tmp_path: Path) -> None:
    graph, values = tmp_path / "net.graph", tmp_path / "values.npz"
    graph.write_text(GRAPH, encoding="utf-8")
    values.write_bytes(WRONG["a header that claims terabytes"][0])
    call = ["check", "--grad", "--format", "json", "--at", str(values), str(graph)]
    (told,) = json.loads(CliRunner().invoke(app, call).stdout)
    assert (told["severity"], told["code"], told["file"]) == ("error", "E001", None)


@pytest.mark.parametrize("kind", ["<f4", ">f8", "<i2", "|b1", "<f2"])
def test_numbers_of_any_kind_are_values(kind: str, tmp_path: Path) -> None:
    graph, values = tmp_path / "net.graph", tmp_path / "values.npz"
    graph.write_text(GRAPH, encoding="utf-8")
    np.savez_compressed(values, x=np.ones(3, kind), W=np.asfortranarray(np.eye(3, 2)))
    done = CliRunner().invoke(app, ["check", "--grad", "--at", str(values), str(graph)])
    assert done.exit_code == 0, done.output
