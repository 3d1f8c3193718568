"""The documents as a site: links lead somewhere, and no page is wrong in a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import CONTRASTS, PROGRAM, Browser, browser
from mkdocs.commands.build import build
from mkdocs.config import load_config

ROOT = Path(__file__).resolve().parent.parent

shown = pytest.mark.skipif(PROGRAM is None, reason="no chromium on the PATH to show pages")
WIDE = pytest.param(1440, "light", marks=pytest.mark.long)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as strictly as there is: a link that leads nowhere is an error."""
    folder = tmp_path_factory.mktemp("site")
    build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder), strict=True))
    return folder


def test_every_document_has_its_page(site: Path) -> None:
    for page in (ROOT / "docs").glob("*.md"):
        text = (site / f"{page.stem}.html").read_text(encoding="utf-8")
        assert text.count('aria-current="page"') == 1  # the menu
        assert text.count("<h1") >= 1


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert re.findall(r'(?:src|<link[^>]*href)="(?:https?:)?//[^"]*"', text) == [], page.name


def test_formulas_are_mathml(site: Path) -> None:
    text = (site / "operations.html").read_text(encoding="utf-8")
    assert text.count("<math") > 300
    assert "$`" not in text
    assert "\\bar" not in re.sub(r'alttext="[^"]*"', "", text)


def test_links_out_of_the_documents_lead_to_copies(site: Path) -> None:
    assert (site / "examples" / "residual.graph").read_bytes() == (
        ROOT / "examples" / "residual.graph"
    ).read_bytes()
    text = (site / "gallery.html").read_text(encoding="utf-8")
    assert 'href="examples/residual.graph"' in text
    assert 'src="pictures/residual.svg"' in text
    assert '<a class="picture" href="pictures/residual.svg"><img' in text  # in full size


def test_fences_and_answers_are_read_as_such(site: Path) -> None:
    text = (site / "course.html").read_text(encoding="utf-8").partition("<main")[2]
    text = text.partition("</main>")[0]
    assert "```" not in text
    assert text.count("<details") == 10
    answer = text.split("<details")[1].split("</details>")[0]
    assert "<pre>" in answer


# ---- in a browser -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


CUT_OFF = """
[...document.querySelectorAll('main img, main math')]
  .filter(e => e.getBoundingClientRect().right > innerWidth)
  .filter(e => e.tagName !== 'IMG' || getComputedStyle(e.closest('p')).overflowX !== 'auto')
  .map(e => `${e.alt ?? e.textContent} is cut off`)
"""


@pytest.mark.parametrize(("width", "theme"), [(390, "dark"), WIDE])
@shown
def test_every_page_fits_and_can_be_read(
    chromium: Browser, site: Path, width: int, theme: str
) -> None:
    features = [{"name": "prefers-color-scheme", "value": theme}]
    chromium.call("Emulation.setEmulatedMedia", features=features)
    wrong = {}
    for page in sorted(site.rglob("*.html")):
        chromium.open(page, width=width)
        wide = chromium.ask("document.documentElement.scrollWidth")
        found = [*chromium.errors, *chromium.ask(CONTRASTS)]
        found += [f"{wide} pixels wide"] if wide > width else []
        found += chromium.ask(CUT_OFF)
        if found:
            wrong[page.name] = found
    chromium.call("Emulation.setEmulatedMedia", features=[])
    assert wrong == {}


@shown
def test_text_of_pictures_can_be_read_on_a_phone(chromium: Browser, site: Path) -> None:
    """A wide one is shrunk to 9 of its 11 pixels of text, and scrolls."""
    chromium.open(site / "gallery.html", width=390)
    scales = chromium.ask(
        "[...document.querySelectorAll('main img')].map(e => e.width / e.naturalWidth)"
    )
    assert len(scales) > 20
    assert min(scales) > 9 / 11
    assert chromium.ask("document.documentElement.scrollWidth") == 390


@shown
def test_code_is_coloured(chromium: Browser, site: Path) -> None:
    chromium.open(site / "index.html")
    colour = "getComputedStyle(document.querySelector('.codehilite {}')).color"
    shown = {part: chromium.ask(colour.replace("{}", part)) for part in (".k", ".mi", ".nf", "pre")}
    assert len({*shown.values()}) == 4


@shown
def test_markers_of_lists_with_formulas_are_seen(chromium: Browser, site: Path) -> None:
    chromium.open(site / "operations.html")
    items = "[...document.querySelectorAll('main li:has(math)')]"
    assert chromium.ask(f"{items}.length") > 100
    assert chromium.ask(f"{items}.every(e => getComputedStyle(e).overflowX === 'visible')")


@shown
def test_the_site_is_searched_in_a_folder(chromium: Browser, site: Path) -> None:
    chromium.open(site / "course.html")
    chromium.press("/")
    assert chromium.ask("document.activeElement.id") == "search"
    chromium.press(*"logsumexp")
    while chromium.ask("document.querySelector('#found').hidden"):
        pass
    assert chromium.ask("document.querySelector('#found li').dataset.url").endswith(
        "operations.html#logsumexpx-axisnone-keepdimsfalse"
    )
    chromium.press("ArrowDown", "ArrowUp", "Enter")
    while chromium.ask("location.pathname.split('/').at(-1) + document.readyState") != (
        "operations.htmlcomplete"
    ):
        pass
    assert chromium.ask("location.hash") == "#logsumexpx-axisnone-keepdimsfalse"
    assert chromium.errors == []


@shown
def test_pages_and_headings_are_at_hand_on_a_phone(chromium: Browser, site: Path) -> None:
    chromium.open(site / "examples" / "index.html", width=390)
    assert not chromium.ask("document.querySelector('.pages').open")
    chromium.click(".pages > summary")
    assert chromium.ask("document.querySelector('.pages').open")
    chromium.click(".pages a[href='../index.html']")
    while chromium.ask("document.querySelector('h1')?.firstChild.data") != "The first ten minutes":
        pass
    assert chromium.ask("document.querySelector('[aria-current]').textContent") == (
        "First ten minutes"
    )
    option = "document.querySelector('code .option').getClientRects().length"
    assert chromium.ask(option) == 1, "no line ends between the hyphens of an option"
