"""What is asked of a picture, as options say it: a part of it, folded, forward or backward."""

from __future__ import annotations

from graphc.records import dataclass
from graphc.views.draw.backward import backward
from graphc.views.draw.choices import Direction
from graphc.views.draw.fold import focus, fold_below, fold_crowd, fold_paths
from graphc.views.draw.records.picture import Picture


class NoSuchPart(ValueError):
    """What `option` names is not in the picture."""

    def __init__(self, option: str, why: str) -> None:
        super().__init__(why)
        self.option = option


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is shown: what is at most `near` edges from the value `focus`, if that names one.

    Groups of the paths `fold` are folded, and what lies in more than `depth` groups.
    """

    direction: Direction = "forward"
    focus: str = ""
    near: int = 2
    fold: tuple[str, ...] = ()
    depth: int | None = None


def part_of(picture: Picture, wanted: Wanted) -> Picture:
    """Return what is wanted of a picture; raises NoSuchPart where it has no such value or group."""
    option = "focus"
    try:
        if wanted.focus:
            picture = focus(picture, wanted.focus, wanted.near)
        option = "fold"
        if wanted.fold:
            picture = fold_paths(picture, wanted.fold)
    except ValueError as wrong:
        raise NoSuchPart(option, str(wrong)) from None
    if wanted.depth is not None:
        picture = fold_below(picture, wanted.depth)
    picture = fold_crowd(picture)
    return backward(picture) if wanted.direction == "backward" else picture
