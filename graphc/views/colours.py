"""The colours of pages, light and dark, as custom properties of CSS."""

from __future__ import annotations

import re
from importlib import resources

COLOURS = resources.files(__package__).joinpath("colours.css").read_text(encoding="utf-8")


def within(selector: str, style: str) -> str:
    """Return a style for what a selector finds, which is to it what a page is to others."""
    return f"{selector} {{{re.sub(PAGE, '&', style)}}}"


PAGE = r":root|\bbody(?= \{)"
