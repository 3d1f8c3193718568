"""The panel of the picture: the graph forward, and what flows back along its edges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphc.compile.stages import Compilation
from graphc.views.draw.backward import backward
from graphc.views.draw.depict import picture_of
from graphc.views.draw.drawing import draw_svg
from graphc.views.draw.fold import fold_crowd
from graphc.views.draw.mistaken import picture_of_known
from graphc.views.draw.records.picture import Picture
from graphc.views.numbers.picturing import with_numbers
from graphc.views.report.markup import Markup, element, joined

if TYPE_CHECKING:
    from graphc.views.numbers.looking import Numbers


def tell_picture(compilation: Compilation, numbers: Numbers | None = None) -> Markup:
    """Draw a graph forward and backward, with its numbers; of one with mistakes what is known."""
    tools = element("div", class_="tools", role="toolbar", aria_label="The picture")
    if not compilation.sound:
        return joined([tools, _drawn(picture_of_known(compilation), "forward")])
    picture = fold_crowd(picture_of(compilation))
    figures = [_drawn(picture, "forward", numbers)]
    if picture.adjoints:
        figures.append(_drawn(backward(picture), "backward", numbers))
    return joined([tools, *figures])


def _drawn(picture: Picture, direction: str, numbers: Numbers | None = None) -> Markup:
    if numbers is not None:
        picture = with_numbers(picture, numbers, direction == "backward")
    written = draw_svg(picture, prefix=f"{direction}-", script=False)
    return element("figure", Markup(written), class_=f"drawn {direction}")
