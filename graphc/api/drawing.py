"""`draw`: the picture of a graph, as a record that shows itself."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphc.api.asked import Graph, asked_of
from graphc.files import format_of
from graphc.records import dataclass
from graphc.source import GraphError
from graphc.views.draw.choices import DIRECTIONS, ENDINGS, LAYOUTERS

if TYPE_CHECKING:
    from graphc.views.draw.records.picture import Picture


@dataclass(frozen=True, slots=True, repr=False)
class Drawing:
    """The picture of a graph; a notebook shows it as SVG."""

    picture: Picture

    def svg(self, layout: str = "own") -> str:
        """Return an image; the `layout` is "own", the same everywhere, or "dot", by Graphviz."""
        from graphc.views.draw.drawing import draw_svg

        chosen = next((one for one in LAYOUTERS if one == layout), None)
        if chosen is None:
            raise ValueError(f"layout: {layout!r} is not own or dot")
        return draw_svg(self.picture, chosen)

    def dot(self) -> str:
        """Return a text for Graphviz."""
        from graphc.views.draw.dot import dot

        return dot(self.picture)

    def mermaid(self) -> str:
        """Return a text for Mermaid."""
        from graphc.views.draw.mermaid import mermaid

        return mermaid(self.picture)

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write a file, whose ending says its format; returns its path.

        Raises ValueError where that is none.
        """
        from graphc.views.draw.drawing import drawn

        file = Path(path)
        text = drawn(self.picture, format_of(file, ENDINGS, "svg"))
        file.write_text(text, encoding="utf-8", newline="\n")
        return file

    def __repr__(self) -> str:
        return f"<drawing: {self.picture.title}, {len(self.picture.nodes)} boxes>"

    def _repr_svg_(self) -> str:
        return self.svg()


def draw(
    graph: Graph,
    focus: str = "",
    *,
    direction: str = "forward",
    near: int = 2,
    fold: Sequence[str] = (),
    depth: int | None = None,
    detail: bool = False,
    at: Mapping[str, Any] | None = None,
    seed: int | None = None,
    dim: Mapping[str, int] | None = None,
    const: Mapping[str, Any] | None = None,
    dtype: str = "float64",
) -> Drawing:
    """Draw a graph, or what is at most `near` edges away from the value `focus`.

    direction  "forward", or "backward": what flows back
    fold       paths of blocks and loops that are one box each
    depth      what lies in more than so many blocks and loops is folded
    detail     every operation is a box of its own
    at         inputs and parameters by name: adds the numbers there; others are drawn
    seed       of the point that is drawn; adds the numbers there

    Raises GraphError with every mistake of the graph, ValueError where there is no such value.
    """
    from graphc.checking.point import Start
    from graphc.compile.stages import Compilation
    from graphc.views.draw.asked import Wanted, part_of
    from graphc.views.draw.depict import picture_of
    from graphc.views.numbers.looking import look
    from graphc.views.numbers.picturing import with_numbers

    chosen = next((one for one in DIRECTIONS if one == direction), None)
    if chosen is None:
        raise ValueError(f"direction: {direction!r} is not forward or backward")
    paths = (fold,) if isinstance(fold, str) else tuple(fold)
    source, folder, options = asked_of(
        graph, {"dim": dim or {}, "const": const or {}, "dtype": dtype}
    )
    compilation = Compilation(source, options, folder)
    try:
        picture = picture_of(compilation, detail)
        picture = part_of(picture, Wanted(chosen, focus, near, paths, depth))
        if at is not None or seed is not None:
            numbers = look(compilation, Start(seed or 0, at))
            picture = with_numbers(picture, numbers, chosen == "backward")
    except GraphError as wrong:
        raise wrong.with_traceback(None) from None
    return Drawing(picture)
