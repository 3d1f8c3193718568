"""The page on a graph in a browser: selecting, folding, searching, keys, widths, printing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import PROGRAM, Browser, browser

import graphc
from graphc.checking.point import Start
from graphc.compile.stages import Compilation, Options
from graphc.source import Source
from graphc.views.draw.depict import picture_of
from graphc.views.draw.drawing import draw_svg
from graphc.views.report import page as pages
from graphc.views.report.links import links_of
from graphc.views.report.page import Panel, page
from graphc.views.report.picture import tell_picture
from graphc.views.report.reported import PageOptions, reported
from graphc.views.report.values import tell_values

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no chromium on the PATH to show pages")

NET = """dim B
input x: [B, 4]
h = tanh(dense(x, 8) as up)
repeat layer[i in 0..5] carry z = h { next z = z + sin(z) }
output loss = mean(z**2)  # </script>
derive value_and_grad loss wrt params
"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


def net_page() -> str:
    wish = PageOptions(Start(0), "a point that was drawn", check=False)
    compilation = Compilation(Source("net.graph", NET), Options(level="-O2"))
    return reported(compilation, wish).text


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("report") / "net.html"
    place.write_text(net_page(), encoding="utf-8")
    return place


@pytest.fixture
def shown(chromium: Browser, file: Path) -> Iterator[Browser]:
    chromium.open(file)
    yield chromium
    assert chromium.errors == []


def panels_lit(page: Browser) -> set[str]:
    return set(page.ask(
        "[...document.querySelectorAll('details.panel')]"
        ".filter(p => p.querySelector('.lit, .lit-back')).map(p => p.id)"
    ))  # fmt: skip


def selected(page: Browser) -> Any:
    return page.ask("document.querySelector('#selected b')?.textContent || ''")


def visible(page: Browser, selector: str) -> Any:
    """Whether the middle of what a selector finds is what is seen at its place."""
    return page.ask(
        f"(e => {{ const b = e.getBoundingClientRect(); const s = "
        "document.elementFromPoint(b.left + 5, b.top + b.height / 2);"
        f" return !!s && (e.contains(s) || s.contains(e)) }})(document.querySelector('{selector}'))"
    )


def test_a_click_selects_in_all_views(shown: Browser) -> None:
    assert selected(shown) == ""
    shown.click("#values button.node")
    assert selected(shown) == "x"
    shown.click("#source #line-3 a[data-node='h']")
    assert selected(shown) == "h"
    assert panels_lit(shown) >= {"picture", "source", "values", "derivation", "code", "schedule"}
    assert shown.ask("location.hash") == "#node=h"
    assert shown.ask("[...document.querySelectorAll('.lit')].every(e => e.dataset.node)")
    edges = "document.querySelectorAll('.drawn.forward .edge.near').length"
    assert shown.ask(edges) == 2  # from `up`, and into the loop
    back = "[...document.querySelectorAll('.lit-back')].map(e => e.dataset.derivative.split(' '))"
    assert all("h" in one for one in shown.ask(back))


def test_what_is_selected_is_scrolled_to(shown: Browser) -> None:
    shown.press("n")
    for _ in range(4):
        shown.press("n")
    shown.click("#values tr[data-node='loss'] button")
    assert shown.ask(
        "(() => { const e = document.querySelector('#derivation .lit').getBoundingClientRect();"
        " const a = document.querySelector('#derivation .scroll').getBoundingClientRect();"
        " return e.top >= a.top - 1 && e.top < a.bottom })()"
    )


def test_a_large_page_writes_what_a_small_one_holds(
    chromium: Browser, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = "[...document.querySelectorAll('.scroll')].map(e => e.innerHTML)"
    chromium.open(file)
    small = chromium.ask(held)
    monkeypatch.setattr(pages, "LARGEST", 0)
    (tmp_path / "large.html").write_text(net_page(), encoding="utf-8")
    chromium.open(tmp_path / "large.html", "#node=h")
    assert panels_lit(chromium) >= {"picture", "source", "values", "derivation", "code"}
    chromium.press("Escape")
    boxed = "document.querySelectorAll('script.packed').length"
    assert chromium.ask(boxed) == 0
    assert [strip(one) for one in chromium.ask(held)] == [strip(one) for one in small]
    assert chromium.errors == []


def strip(text: str) -> str:
    """Markup without the classes that selecting leaves empty."""
    return text.replace(' class=""', "")


def test_an_address_selects(chromium: Browser, file: Path) -> None:
    chromium.open(file, "#node=layer.*.z_next")
    assert selected(chromium) == "layer.*.z_next"
    for hash in ("#node=nobody%3Cimg%20src%3Dx%3E", "#node=%", "#node=", "#else"):
        chromium.open(file, hash)
        assert selected(chromium) == ""
    assert chromium.errors == []


def test_keys(shown: Browser) -> None:
    order = shown.ask("[...document.querySelectorAll('#values tbody tr')].map(r => r.dataset.node)")
    shown.press("n")
    assert selected(shown) == order[0]
    shown.press("n", "n", "p")
    assert selected(shown) == order[1]
    shown.click("#values tr[data-node='loss'] button")
    shown.press("u")
    assert selected(shown) == "z"
    shown.press("d")
    assert selected(shown) == "loss"
    shown.press("Escape")
    assert selected(shown) == ""
    assert panels_lit(shown) == set()
    shown.press("5")
    assert shown.ask("document.activeElement.closest('details').id") == "code"
    assert visible(shown, "#code summary")


def test_search(shown: Browser) -> None:
    shown.press("/")
    assert shown.ask("document.activeElement.id") == "search"
    shown.press(*"loss")
    assert shown.ask("document.querySelector('#search').getAttribute('aria-expanded')") == "true"
    assert shown.ask("document.querySelector('#found li').textContent") == "loss output []"
    shown.press("Enter")
    assert selected(shown) == "loss"
    assert shown.ask("document.querySelector('#found').hidden")
    shown.press("/")
    shown.ask("document.querySelector('#search').value = ''")
    shown.press(*"repeat", "ArrowDown", "ArrowUp")
    assert "line 4" in shown.ask(
        "document.querySelector('#found [aria-selected=true]').textContent"
    )
    shown.click("#found li")
    assert selected(shown) == "z"
    shown.press("/", *"nothing of this name")
    assert shown.ask("document.querySelector('#found').hidden")
    shown.press("Escape")
    assert shown.ask("document.activeElement.id") != "search"


def test_panels_fold(shown: Browser) -> None:
    shown.click("#schedule > summary")
    assert not shown.ask("document.querySelector('#schedule').open")
    shown.click("#values tr[data-node='h'] button")
    assert not shown.ask("document.querySelector('#schedule').open")
    shown.click("nav a[href='#schedule']")
    assert shown.ask("document.querySelector('#schedule').open")


def test_the_footer_leads_to_neighbours_and_panels(shown: Browser) -> None:
    shown.click("#values tr[data-node='h'] button")
    shown.click("#selected button[data-go='up']")
    assert selected(shown) == "up"
    shown.click("#selected button[data-panel='code']")
    assert shown.ask("document.activeElement.closest('details').id") == "code"
    assert shown.ask("!!document.querySelector('#code .lit')")


@pytest.mark.parametrize("width", [1300, 800, 390])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_widths_and_themes(chromium: Browser, file: Path, width: int, theme: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": theme}]
    chromium.call("Emulation.setEmulatedMedia", features=features)
    chromium.open(file, "#node=h", width=width, height=800)
    assert chromium.ask("document.documentElement.scrollWidth") <= width
    boxes = chromium.ask(
        "[...document.querySelectorAll('details.panel')].map(p => p.getBoundingClientRect())"
        ".map(b => [b.left, b.top, b.right, b.bottom])"
    )
    for place, (left, top, right, bottom) in enumerate(boxes):
        assert left >= 0
        assert right <= width
        for other in boxes[:place]:
            apart = left >= other[2] or right <= other[0] or top >= other[3] or bottom <= other[1]
            assert apart, (boxes[place], other)
    paper = chromium.ask("getComputedStyle(document.body).backgroundColor")
    assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(13, 17, 23)"}[theme]
    chromium.call("Emulation.setEmulatedMedia", features=[])


def test_a_notebook_shows_it_in_a_frame(chromium: Browser, tmp_path: Path) -> None:
    frame = graphc.report(
        graphc.compile_text("input x\noutput y = x * x"), check=False
    )._repr_html_()
    (tmp_path / "cell.html").write_text(f"<!doctype html>{frame}", encoding="utf-8")
    chromium.open(tmp_path / "cell.html")
    inside = "document.querySelector('iframe').contentDocument.querySelector"
    while chromium.ask(f"!{inside}('#selected span')"):
        pass
    chromium.ask(f"{inside}('button.node').click()")
    assert chromium.ask(f"{inside}('#selected b').textContent") == "x"
    assert chromium.errors == []


def test_printing_shows_all(shown: Browser) -> None:
    shown.click("#code > summary")
    shown.call("Emulation.setEmulatedMedia", media="print")
    shown.ask("dispatchEvent(new Event('beforeprint'))")
    assert shown.ask("[...document.querySelectorAll('details.panel')].every(p => p.open)")
    assert shown.ask(
        "[...document.querySelectorAll('.scroll')].every(e => e.scrollHeight <= e.clientHeight + 1)"
    )
    assert shown.ask("getComputedStyle(document.querySelector('footer')).display") == "none"
    shown.call("Emulation.setEmulatedMedia", media="")


def tool(title: str) -> str:
    """The press of a button above the picture, as JavaScript."""
    buttons = "[...document.querySelectorAll('.tools button')]"
    return f"{buttons}.find(e => e.textContent === '{title}').click()"


def boxes(page: Browser, selector: str) -> list[bool]:
    """Which of the boxes that a selector finds are seen, and not covered."""
    found = page.ask(
        "(() => [...document.querySelectorAll(" + repr(selector) + ")].map(e => {"
        " e.scrollIntoView({block: 'center', inline: 'center'});"
        " const b = e.querySelector('rect').getBoundingClientRect();"
        " const s = document.elementFromPoint(b.left + b.width / 2, b.top + b.height / 2);"
        " return e.contains(s) }))()"
    )
    return [bool(one) for one in found]


def test_groups_of_the_picture_fold(shown: Browser) -> None:
    inside = ".drawn.forward .node[data-node='layer.*.z_next']"
    title, cover = ".drawn.forward .loop .title", ".drawn.forward .cover.loop"
    focused = "document.activeElement.matches('{}')"
    assert boxes(shown, inside) == [True]
    shown.click(title)
    assert boxes(shown, inside) == [False]
    assert shown.ask(f"document.querySelector('{title}').getAttribute('aria-expanded')") == "false"
    shown.click(cover)
    assert boxes(shown, inside) == [True]
    shown.ask(f"document.querySelector('{title}').focus()")
    shown.press("Enter")
    assert boxes(shown, inside) == [False]
    assert shown.ask(focused.format(cover))  # what unfolds it
    shown.press(" ")
    assert boxes(shown, inside) == [True]
    assert shown.ask(focused.format(title))
    shown.ask(tool("Fold all"))
    assert boxes(shown, inside) == [False]
    shown.click("#values tr[data-node='layer.*.z_next'] button")  # what is selected is shown
    assert boxes(shown, inside) == [True]


def test_what_is_folded_is_not_read_out(shown: Browser) -> None:
    def read() -> list[str]:
        tree = shown.call("Accessibility.getFullAXTree")["nodes"]
        return [
            one["name"]["value"]
            for one in tree
            if not one["ignored"] and one["role"]["value"] in ("image", "button")
        ]

    box = "z′; [B, 8]; z + sin(z), -3.14 … 3.14; from z"
    title = "repeat layer[i in 0..5] × 6"
    shown.ask("document.querySelector('.drawn.backward').remove()")
    before = read()
    assert title in before
    assert f"{title}, 2 boxes" not in before
    assert box in before
    shown.click(".drawn.forward .loop .title")
    after = read()
    assert box not in after
    assert f"{title}, 2 boxes" in after
    assert title not in after
    assert "loss; output; number; mean(z**2), 9.87; from z" in after


def test_the_picture_grows_and_shrinks(shown: Browser) -> None:
    width = "Math.round(document.querySelector('.forward svg').getBoundingClientRect().width)"
    natural = shown.ask(width)
    shown.ask(tool("Larger"))
    assert shown.ask(width) == round(natural * 1.25)
    shown.ask(tool("Smaller"))
    assert shown.ask(width) == natural
    shown.ask(tool("Fit"))
    assert shown.ask(width) == shown.ask("document.querySelector('.forward').clientWidth")
    shown.ask(tool("Whole window"))
    assert shown.ask("document.querySelector('#picture').clientWidth") > 1200
    shown.ask(tool("Whole window"))
    assert shown.ask("document.querySelector('#picture').clientWidth") < 700


def test_a_wide_picture_begins_with_its_topmost_box(chromium: Browser, tmp_path: Path) -> None:
    reads = "\n".join(f"a{n} = sin(x) * {n}" for n in range(12))
    sums = " + ".join(f"a{n}" for n in range(12))
    compilation = Compilation(Source("net.graph", f"input x\n{reads}\noutput y = {sums}\n"))
    panel = Panel("picture", "Picture", tell_picture(compilation))
    (tmp_path / "wide.html").write_text(page("net", "", [panel]), encoding="utf-8")
    chromium.open(tmp_path / "wide.html", width=390, height=800)
    box = ".drawn.forward .node[data-node=x]"
    found = chromium.ask(
        f"(b => [b.left, b.right])(document.querySelector('{box}').getBoundingClientRect())"
    )
    assert 0 <= found[0] < found[1] <= 390
    assert chromium.errors == []


def test_the_picture_backward(shown: Browser) -> None:
    visible = "[...document.querySelectorAll('.drawn')].map(e => getComputedStyle(e).display)"
    assert shown.ask(visible) == ["block", "none"]
    shown.click(".tools [data-show=backward]")
    assert shown.ask(visible) == ["none", "block"]
    shown.click(".drawn.backward .node[data-node='h']")
    assert selected(shown) == "h"
    rim = "getComputedStyle(document.querySelector('.drawn.backward .node.lit > rect')).stroke"
    assert shown.ask(rim) == "rgb(188, 76, 0)"


QUICKEST = (
    "(act => Math.min(...[1, 2, 3].map(() => { const start = performance.now(); act();"
    " document.body.getBoundingClientRect(); return performance.now() - start })))"
)
"""Milliseconds of an act and of the layout after it, the least of three times."""
SOON = 3000
"""In so many: what looks through all pairs of three hundred takes longer on any machine."""


def test_selecting_and_folding_among_three_hundred_is_quick(
    chromium: Browser, tmp_path: Path
) -> None:
    steps = "\n".join(f"h{n} = dense(h{n - 1}, 3)" for n in range(1, 100))
    text = f"input x: [3]\nh0 = x\n{steps}\noutput y = sum(h99)\n"
    compilation = Compilation(Source("net.graph", text), Options())
    panel = Panel("picture", "Picture", tell_picture(compilation))
    with compilation.open():
        rows = tell_values(compilation.stated, links_of(compilation.stated), None)
    written = page("net", "", [panel, Panel("values", "Values", rows)])
    (tmp_path / "many.html").write_text(written, encoding="utf-8")
    chromium.open(tmp_path / "many.html")
    assert chromium.ask("document.querySelectorAll('.drawn.forward .node').length") > 290
    row = "document.querySelector(`#values tr[data-node=h60] button`).click()"
    assert chromium.ask(f"{QUICKEST}(() => {row})") < SOON
    assert selected(chromium) == "h60"
    fold = tool("Fold all")
    assert chromium.ask(f"{QUICKEST}(() => {fold})") < SOON
    assert chromium.ask("document.querySelectorAll('.forward .cover.shut').length") == 99
    click = "dispatchEvent(new Event('click', {bubbles: true}))"
    title = f"document.querySelector('.forward .title').{click}"
    assert chromium.ask(f"{QUICKEST}(() => {title})") < SOON
    assert chromium.errors == []


@pytest.mark.long
def test_a_whole_page_on_three_hundred_values_is_quick(chromium: Browser, tmp_path: Path) -> None:
    steps = "\n".join(f"h{n} = dense(h{n - 1}, 3)" for n in range(1, 100))
    text = f"input x: [3]\nh0 = x\n{steps}\noutput y = sum(h99)\nderive grad y wrt params\n"
    compilation = Compilation(Source("net.graph", text), Options(level="-O2"))
    written = reported(compilation, PageOptions(Start(0), "", check=False)).text
    assert len(written.encode()) < 2_000_000
    (tmp_path / "whole.html").write_text(written, encoding="utf-8")
    chromium.open(tmp_path / "whole.html")
    panels = "['picture', 'values', 'derivation', 'code', 'schedule']"
    for act in (
        "document.querySelector(`#values tr[data-node=h60] button`).click()",
        f"{tool('Fold all')}",
        f"{tool('Unfold all')}",
        f"for (const id of {panels}) document.getElementById(id).open ^= true",
    ):
        assert chromium.ask(f"{QUICKEST}(() => {{ {act} }})") < SOON, act
    assert chromium.errors == []


def test_a_picture_folds_by_itself(chromium: Browser, tmp_path: Path) -> None:
    text = draw_svg(picture_of(Compilation(Source("net.graph", NET), Options())))
    (tmp_path / "net.svg").write_text(text, encoding="utf-8")
    chromium.open(tmp_path / "net.svg")
    seen = "getComputedStyle(document.querySelector('[data-node=\"up.W\"]')).visibility"
    assert chromium.ask(seen) == "visible"
    chromium.ask("document.querySelector('.block > .title').focus()")
    chromium.press("Enter")
    assert chromium.ask(seen) == "hidden"
    assert chromium.ask("document.activeElement.getAttribute('aria-label')") == (
        "up = dense(x, 8), 3 boxes"
    )
    chromium.press(" ")
    assert chromium.ask(seen) == "visible"
    assert chromium.errors == []
