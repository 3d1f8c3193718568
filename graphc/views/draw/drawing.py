"""The views of a graph, each from its picture to the text of a file."""

from __future__ import annotations

from graphc.views.draw.choices import Format, Layouter
from graphc.views.draw.clearing import cleared
from graphc.views.draw.dot import dot
from graphc.views.draw.graphviz import arrange_by_dot
from graphc.views.draw.layered.arrange import arrange
from graphc.views.draw.mermaid import mermaid
from graphc.views.draw.records.layout import Layout
from graphc.views.draw.records.picture import Picture
from graphc.views.draw.references import shorten
from graphc.views.draw.signs import with_signs
from graphc.views.draw.svg import svg


def drawn(picture: Picture, format: Format, by: Layouter = "own") -> str:
    """Draw a picture in a format; raises NoGraphviz where that is to lay it out, and not there."""
    if format == "svg":
        return draw_svg(picture, by)
    return dot(picture) if format == "dot" else mermaid(picture)


def lay_out(picture: Picture, by: Layouter = "own") -> Layout:
    """Give everything its place; raises NoGraphviz where it is asked for and not there."""
    shown = shorten(with_signs(picture))
    return cleared(arrange_by_dot(shown)) if by == "dot" else arrange(shown)


def draw_svg(picture: Picture, by: Layouter = "own", prefix: str = "", script: bool = True) -> str:
    """Draw a picture as SVG; ids begin with `prefix`, where several are in one page.

    Its own script folds groups; without it a page does, by `foldable` of FOLDING.
    """
    return svg(lay_out(picture, by), prefix, script)
