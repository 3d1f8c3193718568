"""The pictures in docs/pictures and the page that shows those of the examples.

`python -m tests.gallery` names what is drawn otherwise now; with `--update` it is drawn anew.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from graphc.compile.stages import Compilation
from graphc.source import Source
from graphc.views.draw.backward import backward
from graphc.views.draw.depict import picture_of
from graphc.views.draw.drawing import draw_svg

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"
PAGE = ROOT / "docs" / "gallery.md"
GRAPHS = sorted((ROOT / "examples").glob("*.graph"))
FLOWS_BACK = ("dense_column", "net321", "residual", "three_layers")
"""Examples whose backward picture is shown, too."""
COMMAND = "python -m tests.gallery"

HEAD = f"""# Gallery

The graphs of [examples/](../examples/README.md) as `graphc draw` shows them; what is what says
[draw.md](draw.md). `{COMMAND} --update` draws them.
"""


def readme_program() -> str:
    """The first program of the README."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return next(one for one in re.findall(r"```\n(.*?)```", text, re.S) if "\noutput " in one)


def first_program() -> str:
    """The program of the first ten minutes."""
    text = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    return text.partition("```graph\n")[2].partition("```")[0]


def course_programs() -> dict[str, str]:
    """The first program of each section of the course, by the name of its picture."""
    text = (ROOT / "docs" / "course.md").read_text(encoding="utf-8")
    found = re.findall(r"^## (\d+)\..*?```graph\n(.*?)```", text, re.S | re.M)
    return {f"course_{number}": program for number, program in found}


def drawn() -> dict[Path, str]:
    """Every picture by its file, and the page."""
    found = {PAGE: page()}
    for graph in GRAPHS:
        text = graph.read_text(encoding="utf-8")
        picture = picture_of(Compilation(Source(graph.name, text), folder=graph.parent))
        found[PICTURES / f"{graph.stem}.svg"] = draw_svg(picture)
        if graph.stem in FLOWS_BACK:
            found[PICTURES / f"{graph.stem}_back.svg"] = draw_svg(backward(picture))
    programs = {"net": readme_program(), "first": first_program(), **course_programs()}
    for name, text in programs.items():
        picture = picture_of(Compilation(Source("net.graph", text)))
        found[PICTURES / f"{name}.svg"] = draw_svg(picture)
        found[PICTURES / f"{name}_back.svg"] = draw_svg(backward(picture))
    return found


def page() -> str:
    """The page: an example after the other, with what it says of itself."""
    parts = [HEAD]
    for graph in GRAPHS:
        name = graph.stem
        said = re.match(r'"""(.*?)\n', graph.read_text(encoding="utf-8"))
        assert said is not None, f"{graph.name} says nothing of itself"
        shown = [f"![{name}](pictures/{name}.svg)"]
        if name in FLOWS_BACK:
            shown.append(f"![{name}, backward](pictures/{name}_back.svg)")
        title = said[1].removesuffix('"""')
        parts.append(f"## [{name}](../examples/{graph.name})\n\n{title}\n\n{' '.join(shown)}\n")
    return "\n".join(parts)


def stale() -> list[str]:
    """Files that are not there, or not as they are drawn now, or of nothing."""
    now = drawn()
    strangers = [path for path in PICTURES.glob("*") if path not in now]
    changed = [
        path
        for path, text in now.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    return [path.relative_to(ROOT).as_posix() for path in (*changed, *strangers)]


def main(update: bool) -> int:
    names = stale()
    print("\n".join(names))
    if not update:
        return 1 if names else 0
    PICTURES.mkdir(exist_ok=True)
    for path, text in drawn().items():
        path.write_text(text, encoding="utf-8", newline="\n")
    for name in stale():
        (ROOT / name).unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main("--update" in sys.argv[1:]))
