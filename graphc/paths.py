"""Paths: `layer.3.W` is a parameter or a node, `layer.*.W` a family with a member for each index.

A rolled `repeat` has families. Nowhere else is it known how a path says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

_INDEX = "*"


def family(holder: str) -> str:
    """Return the path of what is in every step of a repeat: `layer.*`."""
    return f"{holder}.{_INDEX}"


def is_family(path: str) -> bool:
    return _INDEX in path


def member(path: str, index: int | str) -> str:
    """Return the path of one member of a family; any other as it is."""
    return path.replace(_INDEX, str(index), 1)


def members(path: str, indices: Iterable[int]) -> list[str]:
    """List the paths of a family's members."""
    return [member(path, index) for index in indices]


def bare(path: str) -> str:
    """Return the path without the index of a family: `layer.W`."""
    return path.replace(f".{_INDEX}", "")


def families(path: str) -> Iterator[tuple[str, int]]:
    """Yield the families that a path may be a member of, with its index."""
    words = path.split(".")
    for place, word in enumerate(words):
        if word.isdigit():
            yield ".".join([*words[:place], _INDEX, *words[place + 1 :]]), int(word)


def meanings(path: str) -> list[str]:
    """List a path and the families that it may be a member of: one of them is known if it is."""
    return [path, *(family for family, _ in families(path))]


def below(path: str, words: Sequence[str]) -> str | None:
    """Return the path if it lies below these words: of a family, the member that they mean."""
    parts = path.split(".")
    pairs = zip(parts, words, strict=False)
    fits = all(a == b or (a == _INDEX and b.isdigit()) for a, b in pairs)
    return ".".join([*words, *parts[len(words) :]]) if fits and len(parts) > len(words) else None


def group_by_index(paths: Sequence[str]) -> list[list[str]]:
    """List paths one by one; families over the same index together: their members alternate."""

    def key(item: tuple[int, str]) -> int | str:
        place, path = item
        return path.split(_INDEX)[0] if is_family(path) else place

    return [[path for _, path in group] for _, group in groupby(enumerate(paths), key)]
