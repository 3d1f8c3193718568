"""The parts of a generated module that serve the argument `out`: copied as they stand here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from graphc.targets.numpy.runtime.parts import _expected

FLOAT = np.float64
Array = npt.NDArray[FLOAT]
_FLOAT = np.dtype(FLOAT)


def _destinations(
    out: Mapping[str, Array], shapes: Mapping[str, tuple[int, ...]], read: Iterable[Any]
) -> Any:
    """The arrays of `out` in the order of `shapes`; None where it has none that is C-contiguous.

    Each is right, and shares no memory with another or with what is read, or else is refused.
    """
    _expected(out, tuple(shapes), "out")
    for path, place in out.items():
        if not isinstance(place, np.ndarray):
            raise TypeError(f"out: `{path}` is no array")
        if place.dtype != _FLOAT:
            raise TypeError(f"out: `{path}` has dtype {place.dtype}, expected {_FLOAT}")
        if place.shape != shapes[path]:
            raise ValueError(f"out: `{path}` has shape {place.shape}, expected {shapes[path]}")
        if not place.flags.writeable:
            raise ValueError(f"out: `{path}` is read-only")
    members = [one for value in read for one in (value if isinstance(value, list) else [value])]
    _disjoint(out, [np.asarray(one) for one in members])
    places = [out.get(path) for path in shapes]
    return [one if type(one) is np.ndarray and one.flags.carray else None for one in places]


def _disjoint(places: Mapping[str, Array], read: list[Any]) -> None:
    """Raise where a place shares memory with another, or with what is read.

    Arrays of different owners do not, but for memory from elsewhere; the others in the order of
    their addresses.
    """
    arrays = [*places.values(), *read]
    owners = [array if array.base is None else array.base for array in arrays]
    own = all(isinstance(one, np.ndarray) and one.flags.owndata for one in owners)
    groups: dict[int, list[int]] = {}
    for number, owner in enumerate(owners):
        groups.setdefault(id(owner) if own else 0, []).append(number)
    if len(groups) == len(arrays):
        return
    names = [*(f"`{path}`" for path in places), *(["an argument or the cache"] * len(read))]
    for group in groups.values():
        if len(group) == 1:
            continue
        before: list[tuple[int, int]] = []  # those that reach beyond the start of the next
        for low, high, n in sorted((*np.lib.array_utils.byte_bounds(arrays[n]), n) for n in group):
            before = [(end, other) for end, other in before if end > low]
            for _, other in before:
                first, second = sorted((n, other))
                if first < len(places) and np.shares_memory(arrays[first], arrays[second]):
                    raise ValueError(f"out: {names[first]} shares memory with {names[second]}")
            before.append((high, n))


def _rows(places: Any, shape: tuple[int, ...]) -> Any:
    """What the rows of a stack are made in: an array of `out`, or of each its own array."""
    if isinstance(places, list):
        return [np.empty(shape[1:], FLOAT) if one is None else one for one in places]
    return np.empty(shape, FLOAT) if places is None else places


def _products(left: Array, right: Array, places: Any) -> Any:
    """The products of the matrices of two stacks, each in its place if there are any."""
    if isinstance(places, list):
        return [np.matmul(a, b, place) for a, b, place in zip(left, right, places, strict=True)]
    return np.matmul(left, right, places)


def _alternate(*families: Any) -> list[Any]:
    """The members of families as their paths stand in PARAMETERS: of each the first, and so on."""
    found: list[Any] = [None] * (len(families) * len(families[0]))
    for place, members in enumerate(families):
        found[place :: len(families)] = members
    return found


def _into(out: Mapping[str, Array] | None, gradients: dict[str, Any]) -> dict[str, Any]:
    """Gradients by path, those that have a place in `out` there."""
    if out is None:
        return gradients
    for path, place in out.items():
        if gradients[path] is not place:
            np.copyto(place, gradients[path])
            gradients[path] = place
    return gradients
