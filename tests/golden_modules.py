"""What graphc writes for the examples and for the programs of the language, letter by letter.

`python -m tests.golden_modules` shows what is written otherwise than tests/golden/modules has it;
with `--update` that becomes what it has. The parts that are the same in every module are left out:
they are copied from files of graphc/targets/numpy/runtime as these stand.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterator
from pathlib import Path

from graphc.compile.stages import Options, compile_file
from graphc.targets.numpy.module import ready_made

TESTS = Path(__file__).resolve().parent
FOLDER = TESTS / "golden" / "modules"
LEVELS = ("-O0", "-O2")
GRAPHS = (
    *sorted((TESTS.parent / "examples").glob("*.graph")),
    *sorted((TESTS / "language" / "examples").glob("*.graph")),
    FOLDER / "kinds.graph",
)
CASES = tuple((graph, level) for graph in GRAPHS for level in LEVELS)
COMMAND = "python -m tests.golden_modules"


def golden(graph: Path, level: str) -> Path:
    """Where the text of a module stands."""
    return FOLDER / f"{graph.stem}{level.replace('-', '_')}.py"


def written(graph: Path, level: str) -> str:
    """What graphc writes, but for the parts that are the same in every module."""
    text = compile_file(graph, Options(level=level)).text
    for part in ready_made().values():
        text = text.replace(f"\n\n\n{part}\n", "\n")
    return text


def difference(graph: Path, level: str) -> str:
    """What is written otherwise, line by line; nothing where all is as it was."""
    path = golden(graph, level)
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    after = written(graph, level)
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), path.name, "written now", lineterm="", n=1
    )
    return "\n".join(lines) if before != after else ""


def strangers() -> Iterator[Path]:
    """Files in the folder that are the text of no module here."""
    known = {golden(*case) for case in CASES}
    yield from (path for path in sorted(FOLDER.glob("*.py")) if path not in known)


def main(update: bool) -> int:
    """Show what differs, or write it."""
    changed = 0
    for graph, level in CASES:
        text = difference(graph, level)
        changed += bool(text)
        if text and update:
            golden(graph, level).write_text(written(graph, level), encoding="utf-8")
            print(f"written: {golden(graph, level).name}")
        elif text:
            print(text)
    for path in strangers():
        changed += 1
        print(f"{'removed' if update else 'of no graph'}: {path.name}")
        if update:
            path.unlink()
    print(f"{changed} of {len(CASES)} modules {'were' if update else 'are'} written otherwise")
    return 1 if changed and not update else 0


if __name__ == "__main__":
    sys.exit(main("--update" in sys.argv[1:]))
