"""Derivations as pages in a browser: on a phone, too, nothing of a formula is beyond the edge."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import CONTRASTS, PROGRAM, Browser, browser
from conftest import long

from graphc.compile.stages import Compilation
from graphc.source import Source
from graphc.views.explain.explained import explained
from graphc.views.explain.html import page
from graphc.views.explain.telling import document
from graphc.views.explain.wanted import Wanted

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no chromium on the PATH to show pages")

EXAMPLES = Path(__file__).resolve().parent / "language" / "examples"
BEYOND = """
[...document.querySelectorAll('.equation, ul, li, .wide, p')]
  .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent)
"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.mark.parametrize(
    "name",
    ["05_lstm", "08_cnn", *map(long, ("01_net321", "04_resmlp", "06_gmm", "07_transformer",
     "09_bundle", "12_sharing"))],
)  # fmt: skip
def test_lines_of_formulas_end_where_the_page_does(
    name: str, chromium: Browser, tmp_path: Path
) -> None:
    text = (EXAMPLES / f"{name}.graph").read_text(encoding="utf-8")
    derivation = explained(
        Compilation(Source(f"{name}.graph", text), folder=EXAMPLES), "denominator"
    )
    file = tmp_path / "derivation.html"
    file.write_text(page(document(derivation, Wanted())), encoding="utf-8")
    for width, theme in ((390, "dark"), (1440, "light")):
        features = [{"name": "prefers-color-scheme", "value": theme}]
        chromium.call("Emulation.setEmulatedMedia", features=features)
        chromium.open(file, width=width)
        assert chromium.ask("document.documentElement.scrollWidth") <= width
        assert chromium.ask(BEYOND) == [], width
        assert chromium.ask(CONTRASTS) == []
        assert chromium.ask("document.querySelectorAll('math').length") > 40
    assert chromium.errors == []
