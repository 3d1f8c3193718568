"""Write the playground, one page.

    python docs/playground/playground.py out/playground.html [PYODIDE]

It holds graphc, what that needs of pure Python, the lessons, and the worker in which it runs.
Python itself and NumPy come from PYODIDE, the address of a folder of Pyodide's files: by default
that of its makers; or one that is copied beside the page.
"""

from __future__ import annotations

import base64
import html
import io
import json
import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lark
import pygments

import graphc
from graphc import highlight
from graphc.resources import grammar_path
from graphc.syntax.mistakes.error_site import KEYWORDS
from graphc.views.colours import COLOURS

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent
EXAMPLES = DOCS.parent / "examples"
PYODIDE = "https://cdn.jsdelivr.net/pyodide/v314.0.7/full"
EPOCH = (1980, 1, 1, 0, 0, 0)
LEFT_OUT = ("lark/__pyinstaller", "lark/tools", "pygments/formatters", "pygments/styles")
LEXERS = ("__init__", "_mapping", "python")
FENCE = re.compile(r"```(\w+)([^\n]*)\n(.*?)```\n", re.S)
SOURCE = re.compile(r"\[(\w+)\.py\]\(\.\./examples/\w+\.py\)")


def build(pyodide: str = PYODIDE) -> str:
    """Return the page; the same files make the same bytes."""
    told = {
        "lessons": [
            {"title": "A course", "lessons": [*course()]},
            {"title": "The founding questions", "lessons": [*questions()]},
        ],
        "first": first_graph(),
        "pyodide": pyodide,
        "language": {
            "keywords": KEYWORDS.split(),
            "name": highlight.NAME,
            "number": f"{highlight.FLOAT}|{highlight.INTEGER}",
            "string": f"{highlight.LONG_STRING}|{highlight.STRING}",
        },
    }
    parts = {
        "STYLE": COLOURS + _read("page.css"),
        "TOLD": _inside_script(json.dumps(told, ensure_ascii=False)),
        "WORKER": _inside_script(_read("worker.js")),
        "BUNDLE": base64.b64encode(bundle()).decode(),
        "SCRIPT": _read("page.js"),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _read("page.html"))


def _read(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _inside_script(text: str) -> str:
    return text.replace("</", "<\\/")


# ---- Python --------------------------------------------------------------------------------------


def bundle() -> bytes:
    """Pack graphc, its grammar, and the pure Python that it needs."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, path in sorted(_files()):
            archive.writestr(zipfile.ZipInfo(name, EPOCH), path.read_bytes(), zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def _files() -> Iterator[tuple[str, Path]]:
    yield "answers.py", HERE / "answers.py"
    for name in ("graph.lark", "std.graph"):
        yield f"graphc/grammar/{name}", grammar_path(name)
    for module in (graphc, lark, pygments):
        folder = Path(str(module.__file__)).parent
        for path in folder.rglob("*"):
            name = f"{folder.name}/{path.relative_to(folder).as_posix()}"
            unused = name.startswith(LEFT_OUT) or "__pycache__" in name
            if name.startswith("pygments/lexers/"):
                unused = unused or path.stem not in LEXERS
            if path.is_file() and not unused:
                yield name, path


# ---- lessons -------------------------------------------------------------------------------------


def first_graph() -> str:
    """Return the graph of the first page of the documents."""
    found = FENCE.search((DOCS / "index.md").read_text(encoding="utf-8"))
    assert found is not None
    return found[3]


def course() -> Iterator[dict[str, Any]]:
    """Yield the lessons of the course: prose, a graph, a question, a first attempt, an answer."""
    sections = (DOCS / "course.md").read_text(encoding="utf-8").split("\n## ")[1:]
    for section in sections:
        title, _, text = section.partition("\n")
        yield {"id": title.partition(".")[0], "title": title, "parts": _parts(text)}


def _parts(text: str) -> list[dict[str, Any]]:
    """Return what stands in a lesson, in order; what is folded there is `folded` here."""
    asked, _, answer = text.partition("<details>")
    labels = iter(("The graph", "A first attempt"))
    folded = _read_parts(answer.partition("</summary>")[2], iter(("The answer",)))
    return [*_read_parts(asked, labels), {"folded": folded, "label": "An answer"}]


def _read_parts(text: str, labels: Iterator[str]) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    at = 0
    for fence in FENCE.finditer(text):
        parts += _prose(text[at : fence.start()])
        at = fence.end()
        language, _, content = fence.groups()
        if language == "graph":
            parts.append({"graph": content, "label": next(labels, "Another graph")})
        elif language != "text":  # what the tool says it says on the page
            parts.append({"html": f"<pre>{html.escape(content)}</pre>"})
    return [*parts, *_prose(text[at:])]


def questions() -> Iterator[dict[str, Any]]:
    """Yield the founding questions, each with the graph of the script that proves its answer."""
    section = (DOCS / "calculus.md").read_text(encoding="utf-8").partition(
        "## The founding questions\n"
    )[2].partition("\n## ")[0]  # fmt: skip
    pieces = re.split(r"^\*\*(.+?)\*\*", section, flags=re.M | re.S)[1:]
    for number, (question, answer) in enumerate(zip(pieces[::2], pieces[1::2], strict=True), 1):
        title = " ".join(question.split())
        graphs = [name for name in SOURCE.findall(answer) if (EXAMPLES / f"{name}.graph").is_file()]
        parts = [
            {"graph": (EXAMPLES / f"{name}.graph").read_text(encoding="utf-8"), "label": name}
            for name in graphs
        ]
        if parts:
            yield {"id": f"q{number}", "title": title, "parts": [*_prose(answer), *parts]}


def _prose(text: str) -> list[dict[str, str]]:
    """Write paragraphs as HTML: of Markdown what lessons need; the page draws the pictures."""
    text = re.sub(r"^!\[.*$|</details>", "", text, flags=re.M)
    found = []
    for paragraph in re.split(r"\n\s*\n", text):
        if not paragraph.strip():
            continue
        if paragraph.lstrip("\n").startswith("    "):
            found.append(f"<pre>{html.escape(paragraph.strip(chr(10)))}</pre>")
            continue
        said = html.escape(paragraph.strip(), quote=False)
        said = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", said)
        said = re.sub(r"`([^`]+)`", r"<code>\1</code>", said)
        said = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", said, flags=re.S)
        found.append(f"<p>{said}</p>")
    return [{"html": "".join(found)}] if found else []


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(build(*sys.argv[2:3]), encoding="utf-8", newline="\n")
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB")
