"""The extension for Visual Studio Code: what is in it, and a session of its client."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

import graphc
from tests.patience import PATIENCE

ROOT = Path(__file__).resolve().parent.parent
NODE = shutil.which("node")
GRAPH = "dim B\ninput x: [B, 3]\noutput y = tanh(x)\nz = sine(x)\n"


@pytest.fixture(scope="module")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("extension")
    command = [sys.executable, ROOT / "docs" / "editors" / "vsix.py", folder / "graphc.vsix"]
    subprocess.run(command, check=True, capture_output=True)
    with zipfile.ZipFile(folder / "graphc.vsix") as archive:
        archive.extractall(folder)
    return folder


def test_the_extension_holds_what_it_names(extension: Path) -> None:
    package = json.loads((extension / "extension" / "package.json").read_text(encoding="utf-8"))
    gives = package["contributes"]
    named = [package["main"], *(one["path"] for one in gives["grammars"])]
    named += [one["configuration"] for one in gives["languages"]]
    for name in named:
        assert (extension / "extension" / name).is_file(), name
    assert package["version"] == graphc.__version__
    (identity,) = ElementTree.parse(extension / "extension.vsixmanifest").iter(
        "{http://schemas.microsoft.com/developer/vsx-schema/2011}Identity"
    )
    assert identity.get("Id") == package["name"]
    assert identity.get("Version") == package["version"]
    endings = {path.suffix for path in extension.rglob("*") if path.is_file()}
    types = (extension / "[Content_Types].xml").read_text(encoding="utf-8")
    assert all(f'"{ending}"' in types for ending in endings - {".vsix", ".xml"})


@pytest.mark.skipif(NODE is None, reason="the client is JavaScript: it runs where there is node")
def test_the_client_talks_to_the_server(extension: Path, tmp_path: Path) -> None:
    (tmp_path / "net.graph").write_text(GRAPH, encoding="utf-8")
    done = subprocess.run(
        [
            str(NODE),
            ROOT / "tests" / "vscode.js",
            extension / "extension" / "extension.js",
            tmp_path,
            sys.executable,
            "-m",
            "graphc",
            "lsp",
        ],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.stdout, done.stderr
    told = json.loads(done.stdout)
    assert told["mistakes"] == ["unknown block or operation `sine`\nhelp: did you mean `sin`?"]
    assert told["actions"] == ["Change `sine` to `sin`"]
    assert told["hints"] == []
    assert told["left"] == ["`z` is never used"]
    assert "output y: [B, 3]" in told["hover"]
    assert {"x", "y", "tanh", "dense"} <= set(told["items"])
    assert told["symbols"] == ["B", "x", "y", "z"]
    assert told["tokens"] % 5 == 0
