"""Items: what is chosen of an array, one for each axis: a position of it, or a range."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.ir.dims import Dim
from graphc.ir.types import Shape, same

Item = tuple[str, Any]
"""`("at", position)`, which takes the axis away, or `("slice", (start, length, step))`."""
Items = tuple[Item, ...]

ZERO = Dim.of(0)


def whole(length: Dim) -> Item:
    """Return the item that chooses all of an axis.

    >>> subscript([whole(Dim.of(3)), ("at", Dim.of(1))], (Dim.of(3), Dim.of(2)))
    ':, 1'
    """
    return "slice", (ZERO, length, 1)


def is_whole(item: Item, length: Dim) -> bool:
    """True if an item chooses all of an axis of this length, in its order."""
    kind, value = item
    return bool(
        kind == "slice" and value[2] == 1 and same(value[0], ZERO) and same(value[1], length)
    )


def extent(item: Item) -> tuple[Dim, Dim, int]:
    """Return where what an item chooses of an axis starts, how much it is, and its step."""
    kind, value = item
    start, length, step = (value, Dim.of(1), 1) if kind == "at" else value
    return start, length, step


def every(shape: Sequence[Dim]) -> Items:
    """Return the items that choose all of an array."""
    return tuple(map(whole, shape))


def choose_all(items: Sequence[Item], shape: Sequence[Dim]) -> bool:
    """True if items choose all of an array of this shape, in its order."""
    return all(map(is_whole, items, shape))


def along(shape: Sequence[Dim], axis: int, item: Item) -> Items:
    """Choose what an item says of one axis, counted from either end, and all of the others."""
    before, after = shape[: axis % len(shape)], shape[axis % len(shape) + 1 :]
    return (*every(before), item, *every(after))


def chosen_shape(items: Sequence[Item]) -> Shape:
    """Return the shape of what items choose."""
    return tuple(value[1] for kind, value in items if kind == "slice")


def whole_axes(items: Sequence[Item], shape: Shape) -> list[int | None]:
    """For each axis of what the items choose the one of `shape` that it is all of."""
    return [
        axis if is_whole(item, shape[axis]) else None
        for axis, item in enumerate(items)
        if item[0] == "slice"
    ]


def subscript(items: Sequence[Item], shape: Shape, say: Callable[[Dim], str] = str) -> str:
    """Write items as a Python subscript; whole axes at the end go without saying."""
    written = [_item(kind, value, n, say) for (kind, value), n in zip(items, shape, strict=True)]
    while len(written) > 1 and written[-1] == ":":
        written.pop()
    return ", ".join(written)


def _item(kind: str, value: Any, axis: Dim, say: Callable[[Dim], str]) -> str:
    if kind == "at":
        return say(value)
    start, length, step = value
    if step == 1:
        stop = start + length
        first = say(start) if start.constant != 0 else ""
        return f"{first}:{'' if same(stop, axis) else say(stop)}"
    last = start + (length - 1) * step
    if step > 0:
        first = "" if start.constant == 0 else say(start)
        whole = same((axis - start + step - 1) // step, length)
        return f"{first}:{'' if whole else say(last + 1)}:{step}"
    first = "" if same(start, axis - 1) else say(start)
    return f"{first}:{'' if last.constant == 0 else say(last - 1)}:{step}"
