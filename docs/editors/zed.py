"""Write the extension for Zed into a folder: `python docs/editors/zed.py FOLDER`.

Zed builds it when it is installed (*zed: install dev extension*): the grammar from this checkout,
at the commit that is checked out, and `graphc lsp` by a client of a few lines of Rust.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
QUERIES = ("highlights.scm", "outline.scm")

EXTENSION = """id = "graphc"
name = "graphc"
description = "Graphs of graphc: colours, an outline, and its language server"
version = "0.1.0"
schema_version = 1
authors = []

[grammars.graphc]
repository = "{repository}"
rev = "{commit}"
path = "docs/editors/tree-sitter"

[language_servers.graphc]
name = "graphc"
languages = ["graphc"]
"""
LANGUAGE = """name = "graphc"
grammar = "graphc"
path_suffixes = ["graph"]
line_comments = ["# "]
tab_size = 4
brackets = [
  { start = "{", end = "}", close = true, newline = true },
  { start = "[", end = "]", close = true, newline = true },
  { start = "(", end = ")", close = true, newline = true },
  { start = "\\"", end = "\\"", close = true, newline = false, not_in = ["string", "comment"] },
]
"""
CARGO = """[package]
name = "graphc"
version = "0.1.0"
edition = "2021"

[lib]
crate-type = ["cdylib"]

[dependencies]
zed_extension_api = "0.1"
"""
CLIENT = """use zed_extension_api as zed;

struct Graphc;

impl zed::Extension for Graphc {
    fn new() -> Self {
        Graphc
    }

    fn language_server_command(
        &mut self,
        _: &zed::LanguageServerId,
        tree: &zed::Worktree,
    ) -> zed::Result<zed::Command> {
        let command = tree.which("graphc").ok_or("graphc is not on the path")?;
        Ok(zed::Command { command, args: vec!["lsp".into()], env: tree.shell_env() })
    }
}

zed::register_extension!(Graphc);
"""


def build(folder: Path) -> None:
    """Write the extension; the checkout is to be a git repository."""
    asked = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
    commit = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
    language = folder / "languages" / "graphc"
    files = {
        folder / "extension.toml": EXTENSION.format(repository=ROOT.as_uri(), commit=commit),
        folder / "Cargo.toml": CARGO,
        folder / "src" / "lib.rs": CLIENT,
        language / "config.toml": LANGUAGE,
    }
    for file, text in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    for name in QUERIES:
        shutil.copy(HERE / "tree-sitter" / "queries" / name, language)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    build(target)
    print(f"{target}: install it by `zed: install dev extension`")
