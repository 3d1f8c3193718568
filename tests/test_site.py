"""The documents as a site: every link leads somewhere, and nothing is loaded from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from mkdocs.commands.build import build
from mkdocs.config import load_config

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as strictly as there is: a link that leads nowhere is an error."""
    folder = tmp_path_factory.mktemp("site")
    build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder), strict=True))
    return folder


def test_every_document_has_its_page(site: Path) -> None:
    for page in (ROOT / "docs").glob("*.md"):
        text = (site / f"{page.stem}.html").read_text(encoding="utf-8")
        assert 'class="dropdown-item' in text  # the menu
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


def test_fences_and_answers_are_read_as_such(site: Path) -> None:
    text = (site / "course.html").read_text(encoding="utf-8")
    assert "```" not in text
    assert text.count("<details") == 10
    answer = text.split("<details")[1].split("</details>")[0]
    assert "<pre><code" in answer
