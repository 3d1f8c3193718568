"""The colours of pages, light and dark, as custom properties of CSS."""

from __future__ import annotations

from importlib import resources

COLOURS = resources.files(__package__).joinpath("colours.css").read_text(encoding="utf-8")
