"""The playground: its lessons, its answers, what it packs, and the page in a browser."""

from __future__ import annotations

import base64
import http.server
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from browser import PROGRAM, Browser, browser

from tests.patience import PATIENCE

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "playground"
sys.path.insert(0, str(FOLDER))

import answers  # noqa: E402
import playground  # noqa: E402

NET = "input α: [2]\noutput y = sum(α * α)\nderive grad y wrt α\n"
WRONG = "# 𝛼 has two units\ninput α: [2]\noutput y = summ(α)\n"


# ---- lessons and answers -------------------------------------------------------------------------


def lessons() -> list[dict[str, Any]]:
    return [*playground.course(), *playground.questions()]


def graphs_of(lesson: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for part in lesson["parts"]:
        if "graph" in part:
            yield part["label"], part["graph"]
        for one in part.get("folded", ()):
            if "graph" in one:
                yield one["label"], one["graph"]


def test_the_lessons_are_the_course_and_the_founding_questions() -> None:
    found = lessons()
    assert [one["id"] for one in found[:10]] == [str(number) for number in range(1, 11)]
    assert len(found) > 14
    for lesson in found[:10]:
        labels = [label for label, _ in graphs_of(lesson)]
        assert labels == ["The graph", "A first attempt", "The answer"], lesson["title"]
    for lesson in found:
        for _, graph in graphs_of(lesson):
            wrong = [one for one in answers.mistakes(graph) if one["severity"] == "error"]
            assert not wrong, (lesson["title"], wrong)
        prose = "".join(part.get("html", "") for part in lesson["parts"])
        assert not re.search(r"\]\(|\*\*|```|<details|!\[", prose), lesson["title"]


def test_a_first_attempt_is_judged_and_the_answer_is_right() -> None:
    graphs = dict(graphs_of(next(playground.course())))
    judged = answers.checked(graphs["A first attempt"])
    assert "E421" in judged["mistakes"][0]["text"]
    assert answers.checked(graphs["The answer"])["mistakes"] == []


def test_places_are_counted_as_javascript_counts() -> None:
    (told,) = answers.mistakes(WRONG)
    assert told["severity"] == "error"
    units = WRONG.encode("utf-16-le")
    assert units[2 * told["start"] : 2 * told["end"]].decode("utf-16-le") == "summ"
    assert "^^^^" in told["text"]


def panels(page: str) -> list[str]:
    return re.findall(r'<details class="panel" id="(\w+)"', page)


def test_a_page_grows_with_what_is_known() -> None:
    assert panels(answers.shown(WRONG)) == ["picture"]
    assert panels(answers.shown(NET)) == ["picture", "derivation", "code"]
    page = answers.checked(NET)["page"]
    assert panels(page) == ["picture", "values", "check", "derivation", "code"]
    assert "def grad_y" in re.sub("<[^>]*>", "", page)


def test_all_but_numbers_needs_no_numpy() -> None:
    program = f"""
import sys
sys.path.insert(0, {str(FOLDER)!r})
import answers
print(answers.mistakes({WRONG!r})[0]["start"] > 0, len(answers.shown({NET!r})) > 10000)
assert "numpy" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "True True\n", done.stderr


def test_what_is_packed_is_enough(tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(playground.bundle())) as archive:
        archive.extractall(tmp_path)
    program = f"""
import importlib.util, sys
numpy = importlib.util.find_spec("numpy")
class Only:
    def find_spec(self, name, path=None, target=None):
        if name == "numpy":
            return numpy
sys.path[:] = [{str(tmp_path)!r}, *(one for one in sys.path if "site-packages" not in one)]
sys.meta_path.insert(0, Only())
import answers
text = {NET!r}
print(answers.mistakes(text), len(answers.shown(text)), len(answers.checked(text)["page"]))
assert "site-packages" not in answers.links_of.__code__.co_filename
"""
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"\[\] \d{5,} \d{5,}\n", done.stdout)


def test_the_same_files_make_the_same_page() -> None:
    page = playground.build()
    assert page == playground.build()
    assert "{{" not in re.sub(r"<script.*?</script>", "", page, flags=re.S)
    assert playground.PYODIDE in page
    assert len(page) < 4_000_000


# ---- in a browser --------------------------------------------------------------------------------

STAND_IN = """
window.asked = [];
window.Worker = class {
  constructor() { this.answers = ANSWERS; }
  postMessage({ bundle, number, method, given }) {
    const tell = (data) => setTimeout(() => this.onmessage({ data }), 1);
    if (bundle) return tell({ progress: "" });
    window.asked.push(method);
    const found = this.answers[given[0]];
    if (found) tell({ number, answer: found[method] });
    else tell({ number, answer: method === "mistakes" ? [] : method === "shown" ? "" : { page: "", mistakes: [] } });
  }
};
"""  # noqa: E501


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("playground") / "playground.html"
    file.write_text(playground.build("pyodide"), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if PROGRAM is None:
        pytest.skip("no chromium on the PATH to show pages")
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def ready(chromium: Browser) -> Browser:
    """The page with a worker whose answers were made before."""
    first = playground.first_graph()
    made = {
        text: {"mistakes": answers.mistakes(text), "shown": answers.shown(text),
               "checked": answers.checked(text) if text != WRONG else None}
        for text in (first, NET, WRONG)
    }  # fmt: skip
    source = STAND_IN.replace("ANSWERS", json.dumps(made))
    chromium.call("Page.addScriptToEvaluateOnNewDocument", source=source)
    return chromium


def until(page: Browser, expression: str) -> None:
    start = time.monotonic()
    while not page.ask(expression):
        assert time.monotonic() - start < PATIENCE, (expression, page.errors)
        time.sleep(0.02)


def write(page: Browser, text: str) -> None:
    page.ask(
        f"(t => {{ t.value = {json.dumps(text)}; t.dispatchEvent(new Event('input')); }})"
        "(document.getElementById('text'))"
    )


def has_panels(names: list[str]) -> str:
    return (
        "JSON.stringify([...(document.querySelector('#shown iframe:only-child')?.contentDocument"
        f"?.querySelectorAll('details.panel') ?? [])].map(p => p.id)) === '{json.dumps(names)}'"
        ".replaceAll(' ', '')"
    )


ALL = ["picture", "values", "check", "derivation", "code"]


def test_a_mistake_is_marked_while_one_types(ready: Browser, page: Path) -> None:
    ready.open(page)
    until(ready, has_panels(ALL))
    write(ready, WRONG)
    until(ready, "!!document.querySelector('#mistakes li.error')")
    assert ready.ask("document.querySelector('#paint i.wr').textContent") == "summ"
    assert "^^^^" in ready.ask("document.getElementById('mistakes').textContent")
    ready.click("#mistakes li")
    assert ready.ask("getSelection().toString() || document.getElementById('text').value"
                     ".slice(document.getElementById('text').selectionStart,"
                     "document.getElementById('text').selectionEnd)") == "summ"  # fmt: skip
    until(ready, has_panels(["picture"]))
    write(ready, NET)
    until(ready, has_panels(ALL))
    assert ready.ask("document.querySelectorAll('#mistakes li').length") == 0
    assert ready.ask("document.getElementById('paint').textContent") == NET + "\n"
    assert ready.errors == []


def test_what_is_typed_meanwhile_is_asked_once(ready: Browser, page: Path) -> None:
    ready.open(page)
    until(ready, has_panels(ALL))
    ready.ask("asked.length = 0")
    for end in range(len(NET)):
        write(ready, NET[:end])
    write(ready, NET)
    until(ready, has_panels(ALL) + " && asked.includes('checked')")
    assert ready.ask("asked.filter(one => one === 'mistakes').length") < 4


def test_the_address_holds_the_graph(ready: Browser, page: Path) -> None:
    ready.open(page)
    write(ready, NET)
    until(ready, "location.hash.startsWith('#graph=')")
    address = ready.ask("location.hash")
    ready.open(page, address)
    until(ready, f"document.getElementById('text').value === {json.dumps(NET)}")
    ready.open(page, "#graph=nonsense")
    until(ready, "document.getElementById('text').value.startsWith('dim B')")
    assert ready.errors == []


def test_a_lesson_has_its_question_and_its_answer(ready: Browser, page: Path) -> None:
    ready.open(page, "#lesson=2")
    until(ready, "document.getElementById('text').value.includes('a = exp(-x)')")
    assert ready.ask("document.querySelector('#about details').open") is False
    ready.ask("[...document.querySelectorAll('#about button')][1].click()")
    assert "rule vjp x" in ready.ask("document.getElementById('text').value")
    assert ready.ask("location.hash") == "#lesson=2"
    ready.click("#close")
    assert ready.ask("document.getElementById('lesson').hidden") is True


@pytest.mark.parametrize(("width", "height"), [(1300, 850), (390, 800)])
def test_nothing_is_wider_than_the_window(
    ready: Browser, page: Path, width: int, height: int
) -> None:
    ready.open(page, "#lesson=q1", width, height)
    until(ready, "document.querySelectorAll('#about button').length > 0")
    assert ready.ask("document.documentElement.scrollWidth") <= width
    for selector in ("#lessons", "#share", "#editor", "#shown"):
        right = ready.ask(f"document.querySelector('{selector}').getBoundingClientRect().right")
        assert right <= width, selector
    status = "document.getElementById('status')"
    ready.ask(f"{status}.textContent = 'https://example.org/' + 'full'.repeat(30)")
    assert ready.ask(f"{status}.scrollWidth <= {status}.clientWidth")


# ---- with Pyodide --------------------------------------------------------------------------------


GIVEN = os.environ.get("PYODIDE", "")
"""A folder of Pyodide's files with NumPy, which are of its makers' address alone."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The page and the files of Pyodide, those given or npm's without NumPy, on a server."""
    if GIVEN:
        (tmp_path / "pyodide").symlink_to(Path(GIVEN).resolve())
        yield from serving(tmp_path)
        return
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("Pyodide is a package of npm, and there is no npm")
    version = re.search(r"/v([\d.]+)/", playground.PYODIDE)
    assert version is not None
    packed = subprocess.run(
        [npm, "pack", f"pyodide@{version[1]}"], cwd=tmp_path, capture_output=True, text=True
    )
    if packed.returncode:
        pytest.skip("npm does not reach its registry")
    with tarfile.open(tmp_path / packed.stdout.strip().splitlines()[-1]) as archive:
        archive.extractall(tmp_path, filter="data")
    (tmp_path / "package").rename(tmp_path / "pyodide")
    yield from serving(tmp_path)


def serving(folder: Path) -> Iterator[str]:
    (folder / "playground.html").write_text(playground.build("pyodide"), encoding="utf-8")

    class Files(http.server.SimpleHTTPRequestHandler):
        extensions_map = {".mjs": "text/javascript", ".wasm": "application/wasm", "": "text/html"}  # noqa: RUF012

        def log_message(self, *given: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Files, directory=str(folder))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/playground.html"
    server.shutdown()
    server.server_close()


@pytest.mark.long
@pytest.mark.skipif(PROGRAM is None, reason="no chromium on the PATH to show pages")
@pytest.mark.skipif(not GIVEN, reason="PYODIDE names no folder of Pyodide's files with NumPy")
def test_derivatives_are_compared_in_the_browser(served: str) -> None:
    with browser() as page:
        page.call("Page.navigate", url=served)
        until(page, has_panels(ALL))
        write(page, NET)
        shown = "document.querySelector('#shown iframe').contentDocument"
        until(page, f"({shown}.getElementById('check')?.textContent ?? '').includes('α')")
        found = page.ask(f"{shown}.getElementById('check').textContent")
        assert "2 derivatives compared with numerical ones, none wrong" in found
        assert page.errors == [one for one in page.errors if "asks for" in one]


@pytest.mark.long
@pytest.mark.skipif(PROGRAM is None, reason="no chromium on the PATH to show pages")
@pytest.mark.skipif(bool(GIVEN), reason="PYODIDE has NumPy: the test above has all of this")
def test_graphc_runs_in_the_browser(served: str, tmp_path: Path) -> None:
    """All but numbers, which need NumPy: mistakes, picture, derivation and code, in WebAssembly."""
    with browser() as page:
        page.call("Page.navigate", url=served)
        until(page, has_panels(["picture", "derivation", "code"]))
        write(page, WRONG)
        until(page, "document.querySelector('#paint i.wr')?.textContent === 'summ'")
        write(page, WRONG + "output z = summm(α)\n")
        until(page, "document.querySelectorAll('#mistakes li').length === 2")
        shown = page.call("Page.captureScreenshot", format="png")
        assert len(base64.b64decode(shown["data"])) > 10_000
        write(page, NET)
        said = "Without numbers: NumPy could not be loaded from http://"
        until(page, f"document.getElementById('status').textContent.startsWith('{said}')")
        wrong = [one for one in page.errors if "asks for" not in one]
        assert all("404" in one or "/numpy-" in one for one in wrong), wrong
