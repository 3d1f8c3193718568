"""The documents: their programs compile and run, what they print is so, their links resolve.

A fence marked `graph` is a program; `graph file=NAME` is a file beside it; `graph error` must fail
with the message in the `text` fence behind it. `text` behind a program is what it is warned of;
`graph --trace-nan` is compiled with that option. `explain OPTIONS` is a part of what `graphc
explain` prints of the program before it. A `pycon` fence is run as a doctest, where `net` is the
module of the program before it, and `net.graph` in its folder that program.
"""

from __future__ import annotations

import ast
import doctest
import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from test_architecture import FLOORS

from graphc.cli.app import app
from graphc.compile.stages import Compilation, Options, compile_source
from graphc.elaborate.build import standard
from graphc.ir.print import text_of
from graphc.kinds import ALONE, CLAUSES
from graphc.optimise.passes import PASSES
from graphc.sample import choose_sizes, random_arguments
from graphc.source import GraphError, Source
from graphc.syntax import tree
from graphc.views.passes import after_each
from tests.loading import loaded

ROOT = Path(__file__).resolve().parent.parent
DOCS = sorted((ROOT / "docs").glob("*.md"))
README = ROOT / "README.md"
LANGUAGE = ROOT / "docs" / "language.md"
CALCULUS = ROOT / "docs" / "calculus.md"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
INTERNALS = ROOT / "docs" / "internals.md"
LINKED = [*DOCS, README, ROOT / "examples" / "README.md", *(ROOT / "docs").glob("*/*.md")]

FENCE = re.compile(r"^```([^\n`]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Fence:
    """A fenced part of a document."""

    document: Path
    line: int
    info: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.document.name}:{self.line}"

    @property
    def is_program(self) -> bool:
        """Is it to compile? In the README also what no info string calls so."""
        if self.document == README and not self.info:
            return re.search(r"^output ", self.text, re.MULTILINE) is not None
        return self.info in ("graph", "graph --trace-nan")


@cache
def fences(document: Path) -> tuple[Fence, ...]:
    text = document.read_text(encoding="utf-8")
    return tuple(
        Fence(document, text.count("\n", 0, found.start()) + 1, found[1].strip(), found[2])
        for found in FENCE.finditer(text)
    )


def all_fences() -> Iterator[Fence]:
    for document in (*DOCS, README):
        yield from fences(document)


def following(fence: Fence) -> str | None:
    """The text of the `text` fence that comes next, if one does."""
    own = fences(fence.document)
    behind = own[own.index(fence) + 1 :]
    return behind[0].text.rstrip("\n") if behind and behind[0].info == "text" else None


PROGRAMS = [fence for fence in all_fences() if fence.is_program]
EXPLAINED = [fence for fence in all_fences() if fence.info.split()[:1] == ["explain"]]
WRONG = [fence for fence in all_fences() if fence.info == "graph wrong"]
BROKEN = [fence for fence in all_fences() if fence.info == "graph error"]


def sessions() -> Iterator[tuple[Fence, list[Fence]]]:
    """Programs with the sessions that follow them, up to the next program."""
    for document in (*DOCS, README):
        program: Fence | None = None
        parts: list[Fence] = []
        for fence in fences(document):
            if fence.is_program:
                if program and parts:
                    yield program, parts
                program, parts = fence, []
            elif fence.info == "pycon":
                parts.append(fence)
        if program and parts:
            yield program, parts


SESSIONS = list(sessions())


def place(value: Any) -> str:
    fence = value[0] if isinstance(value, tuple) else value
    return fence.place


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def compiled(fence: Fence) -> Compilation:
    """What becomes of a program, with the files of its document beside it."""
    for other in fences(fence.document):
        if other.info.startswith("graph file="):
            name = other.info.removeprefix("graph file=")
            Path(name).write_text(other.text, encoding="utf-8")
    options = Options(trace=fence.info == "graph --trace-nan")
    name = "net.graph" if fence.document == README else "example.graph"
    return compile_source(Source(name, fence.text), options, Path())


def keywords(result: Compilation, module: ModuleType) -> dict[str, Any]:
    """Random arguments of the module's functions, by name, with the dims that nothing binds."""
    chosen = choose_sizes(result.model)
    wanted = inspect.signature(module.forward).parameters
    dims = {name: size for name, size in chosen.items() if name in wanted}
    return {**random_arguments(result.model, dims=chosen), **dims}


def test_documents_have_programs() -> None:
    assert {"language.md", "module.md", "architecture.md"} <= {path.name for path in DOCS}
    assert len(PROGRAMS) > 30
    assert len(BROKEN) > 10
    assert len(SESSIONS) > 5


@pytest.mark.parametrize("fence", PROGRAMS, ids=place)
def test_program_runs_and_its_gradients_are_right(fence: Fence) -> None:
    result = compiled(fence)
    shown = following(fence) or ""
    warned = "\n\n".join(map(str, result.warnings))
    assert warned == (shown if shown.startswith("warning") else "")
    module = loaded(result.text, "documented")
    given = keywords(result, module)
    if not hasattr(module, "backward"):
        assert isinstance(module.forward(**given), module.Outputs)
        return
    out, cache = module.forward(**given)
    assert out._fields == module.Outputs._fields
    cuts = re.search(r"\bstop\(", fence.text)  # its derivatives are not the numerical ones
    if cuts or result.model.surrogate:
        module.backward(cache)
    else:
        errors = module.check(**given)  # it has limits of its own, wider for second derivatives
        second = {d.name for d in result.model.derivations if d.kind.order == 2}
        assert max(error for name, error in errors.items() if name not in second) < 1e-6
    for derivation in result.model.derivations:
        derived = getattr(module, derivation.name)
        if derivation.kind.given == "cotangents":
            outputs = tuple(name for name, _ in derivation.outputs)
            _check_products(module, derived, outputs, given)
        elif derivation.kind.given == "tangents":
            derived(**given, tangents={})
        else:
            derived(**given)


def _check_products(
    module: ModuleType, derived: Any, outputs: tuple[str, ...], given: dict[str, Any]
) -> None:
    """Cotangents pulled back by a derived function and by `backward` agree."""
    rng = np.random.default_rng(1)
    out, cache = module.forward(**given)
    floats = {name for name in outputs if np.asarray(getattr(out, name)).dtype.kind == "f"}
    cotangents = {name: rng.normal(size=np.shape(getattr(out, name))) for name in floats}
    values, pulled = derived(**given, cotangents=cotangents)
    for name in outputs:
        np.testing.assert_array_equal(getattr(values, name), getattr(out, name))
    others = set(inspect.signature(module.backward).parameters) - {"cache", "out", *floats}
    zeros = {name: np.zeros(np.shape(getattr(out, name))) for name in others}
    grads = module.backward(cache, **cotangents, **zeros)
    for path in grads.keys() & pulled.keys():
        np.testing.assert_allclose(pulled[path], grads[path], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("fence", BROKEN, ids=place)
def test_broken_program_gets_the_message_shown(fence: Fence) -> None:
    shown = following(fence)
    assert shown is not None, "a broken program is followed by its message"
    with pytest.raises(GraphError) as wrong:
        compiled(fence)
    assert str(wrong.value) == shown


@pytest.mark.parametrize("fence", WRONG, ids=place)
def test_wrong_derivative_gets_the_message_shown(fence: Fence) -> None:
    Path("answer.graph").write_text(fence.text, encoding="utf-8")
    said = CliRunner().invoke(app, ["check", "--grad", "answer.graph"])
    assert said.exit_code == 1
    shown = following(fence)
    assert shown is not None, "a wrong derivative is followed by its message"
    assert shown in said.stderr


@pytest.mark.parametrize("fence", EXPLAINED, ids=place)
def test_what_is_explained_is_said(fence: Fence) -> None:
    """`explain OPTIONS` is a part of what that prints of the program before it."""
    own = fences(fence.document)
    program = [one for one in own[: own.index(fence)] if one.is_program][-1]
    options = fence.info.split()[1:]
    said = CliRunner().invoke(app, ["explain", "-", *options], input=program.text)
    assert said.exit_code == 0, said.output
    assert fence.text.rstrip() in said.stdout


@pytest.mark.parametrize("session", SESSIONS, ids=place)
def test_session_prints_what_is_shown(
    session: tuple[Fence, list[Fence]], monkeypatch: pytest.MonkeyPatch
) -> None:
    program, parts = session
    module = loaded(compiled(program).text, "documented")
    Path("net.graph").write_text(program.text, encoding="utf-8")
    monkeypatch.setitem(sys.modules, "net", module)
    known: dict[str, Any] = {"np": np, "net": module}
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    said: list[str] = []
    for part in parts:
        test = doctest.DocTestParser().get_doctest(
            part.text, known, part.place, str(part.document), part.line
        )
        runner.run(test, out=said.append, clear_globs=False)
        known = test.globs
    assert not runner.summarize(verbose=False).failed, "".join(said)


def readme_program() -> Fence:
    return next(fence for fence in fences(README) if fence.is_program)


def test_readme_shows_what_the_compiler_writes() -> None:
    text = compiled(readme_program()).text
    shown = [f.text for f in fences(README) if f.info == "python" and "d_h" in f.text]
    assert len(shown) == 1
    assert shown[0] in text


def test_readme_usage_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    result = compiled(readme_program())
    module = loaded(result.text, "readme")
    monkeypatch.setitem(sys.modules, "net", module)
    given = random_arguments(result.model)
    usage = [f.text for f in fences(README) if f.info == "python" and "import net" in f.text]
    assert len(usage) == 1
    exec(compile(usage[0], str(README), "exec"), given)
    assert list(given["grads"]) == list(given["params"])


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(document: Path) -> set[str]:
    prose = FENCE.sub("", document.read_text(encoding="utf-8"))
    return {slug(heading) for heading in re.findall(r"^#+ (.+)$", prose, re.MULTILINE)}


@pytest.mark.parametrize("document", LINKED, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_resolve(document: Path) -> None:
    prose = FENCE.sub("", document.read_text(encoding="utf-8"))
    lost = []
    for target in LINK.findall(prose):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        found = (document.parent / path).resolve() if path else document
        if not found.exists() or (anchor and slug(anchor) not in anchors(found)):
            lost.append(target)
    assert lost == []


def section(document: Path, heading: str) -> str:
    """The text below a heading, up to the next of its level."""
    text = document.read_text(encoding="utf-8")
    level = heading.split(" ")[0]
    return re.split(rf"^{level} ", text.split(f"\n{heading}\n", 1)[1], flags=re.MULTILINE)[0]


def first_cells(table: str) -> list[str]:
    """The code in the first cell of each row."""
    return re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)


def signature(block: tree.Block) -> str:
    """A block as the table of the standard blocks shows it."""
    parts = [
        port.name.text + (f"={port.default.span.text}" if port.default else "")
        for port in block.ports
    ]
    return f"{block.name.text}({', '.join(parts)})"


def test_every_standard_block_is_in_the_table() -> None:
    blocks = [s for s in standard().statements if isinstance(s, tree.Block)]
    shown = first_cells(section(LANGUAGE, "## The standard blocks"))
    assert sorted(shown) == sorted(map(signature, blocks))


def test_every_kind_of_derivative_is_named() -> None:
    shown = first_cells(section(LANGUAGE, "## derive"))
    assert shown == list(CLAUSES)
    headings = re.findall(r"^### `(\w+)`$", CALCULUS.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(headings) == sorted(kind.name for kind in ALONE)


def test_layout_names_every_room() -> None:
    """Each folder below graphc/ has a row, which names the folders in it."""
    rows = re.findall(r"^\| `graphc/(\w+)/` \| (.*) \|$", section(ARCHITECTURE, "## Layout"), re.M)
    rooms = {room for floor in FLOORS for room in floor if (ROOT / "graphc" / room).is_dir()}
    assert {name for name, _ in rows} == {room.partition("/")[0] for room in rooms}
    for name, what in rows:
        inside = {
            part for room in rooms if room.startswith(f"{name}/") for part in room.split("/")[1:]
        }
        assert inside <= set(re.findall(r"`(\w+)`", what)), name


@pytest.mark.parametrize("page", [ARCHITECTURE, INTERNALS], ids=lambda page: page.stem)
def test_no_file_is_named_that_is_not_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"`((?:graphc|grammar|tests|docs|examples)/[\w./]+)`", text)
    assert [name for name in named if not (ROOT / name).exists()] == []


def shown_after_each_phase() -> Iterator[tuple[Fence, str]]:
    """What the page on architecture shows of its program after a phase, and what it is."""
    first, *rest = fences(ARCHITECTURE)[1:]
    compilation = Compilation(Source("example.graph", first.text), Options(level="-O2"))
    with compilation.open():
        graphs = [*after_each(compilation)]
        for fence in rest:
            kind, _, name = fence.info.partition("=")
            if kind == "text after":
                graph = next(one.graph for one in graphs if one.made_by == name)
                yield fence, text_of(graph)
            elif kind == "text written":
                yield fence, without_docstring(compilation.text, name)


def without_docstring(module: str, function: str) -> str:
    """The text of a function of a module, its first string left out."""
    (found,) = (
        node
        for node in ast.walk(ast.parse(module))
        if isinstance(node, ast.FunctionDef) and node.name == function
    )
    lines = module.splitlines(keepends=True)
    head, body = found.body[0], found.body[1]
    parts = (lines[found.lineno - 1 : head.lineno - 1], lines[body.lineno - 1 : found.end_lineno])
    return "".join(line for part in parts for line in part)


def test_architecture_shows_its_program_after_each_phase() -> None:
    phases = [*shown_after_each_phase()]
    assert len(phases) == 4
    for fence, written in phases:
        at = 0
        for part in fence.text.split("…\n"):  # which stands for lines that are left out
            at = written.find(part, at)
            assert at >= 0, f"{fence.place}: {part}"
            at += len(part)


def test_internals_name_the_passes_in_order() -> None:
    shown = first_cells(section(INTERNALS, "## The passes"))
    assert shown == [one.__name__ for one in PASSES]


def test_architecture_quotes_the_source() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "graphc").rglob("*.py")]
    for fence in fences(ARCHITECTURE):
        if fence.info == "python":
            assert any(fence.text in source for source in sources), fence.place
