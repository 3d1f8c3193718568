"""The views of a graph, each from its picture to the text of a file."""

from __future__ import annotations

from typing import Literal

from graphc.views.draw.layered.arrange import arrange
from graphc.views.draw.records.layout import Layout
from graphc.views.draw.records.picture import Picture
from graphc.views.draw.references import shorten
from graphc.views.draw.svg import svg

Layouter = Literal["auto", "own", "dot"]


def lay_out(picture: Picture, by: Layouter = "auto") -> Layout:
    """Give everything its place, by Graphviz where that is there, or as asked."""
    return arrange(shorten(picture))


def draw_svg(picture: Picture, by: Layouter = "auto", prefix: str = "") -> str:
    """Draw a picture as SVG; ids begin with `prefix`, where several are in one page."""
    return svg(lay_out(picture, by), prefix)
