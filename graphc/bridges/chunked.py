"""A generated module's functions of chunks, for engines that compute these somewhere else.

What goes from one process to another is plain: the text of the module, tuples of arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from graphc.api import cache
from graphc.bridges.described import described
from graphc.records import dataclass

LINE = 64
"""Bytes that arrays of chunks begin at a multiple of, whoever has sent them."""

PartialResult = tuple[Any, ...]
Leaves = Mapping[tuple[Any, ...], Any]


class ChunkError(RuntimeError):
    """A chunk could not be computed: says which, and why."""


@contextmanager
def naming(said: str) -> Iterator[None]:
    """Say of which chunk it is that something fails: raises ChunkError in its place."""
    try:
        yield
    except Exception as why:
        raise ChunkError(f"{said}: {type(why).__name__}: {why}") from why


@dataclass(frozen=True, slots=True)
class Chunked:
    """A function of a module by chunks: the text of that, and what its `GRAPH` says of it.

    `inputs` are the axes of the rows by argument, `rows` those by field of a part, `count` the
    field of their number. Where nothing is `merged`, results are rows, or the same for all chunks.
    """

    text: str
    name: str
    over: str
    inputs: Mapping[str, int]
    fields: tuple[str, ...]
    rows: Mapping[str, int]
    count: str
    merged: bool

    def part(self, values: PartialResult) -> Any:
        """Return the record of the module that has these fields."""
        return self._called("part")(*values)

    def combine(self, *parts: PartialResult) -> PartialResult:
        """Merge what chunks contribute, in the order of their rows."""
        return tuple(self._called("combine")(*map(self.part, parts)))

    def finish(self, part: PartialResult) -> Any:
        """Return what the function returns of what all chunks contribute."""
        return self._called("finish")(self.part(part))

    def contribute(self, arguments: Mapping[str, Any]) -> PartialResult:
        """Return what a chunk contributes."""
        lined_up = {name: _lined_up(value) for name, value in arguments.items()}
        return tuple(self._called("partial")(**lined_up))

    def without_rows(self, part: PartialResult, rows: int | None = None) -> PartialResult:
        """Return a part with no rows in the results that have them; perhaps of so many in all."""
        new = [
            _first(value, self.rows[field], 0) if field in self.rows else value
            for field, value in zip(self.fields, part, strict=True)
        ]
        if rows is not None:
            new[self.fields.index(self.count)] = np.int64(rows)
        return tuple(new)

    def with_rows(self, whole: PartialResult, part: PartialResult) -> Any:
        """Return what the function returns of what all contribute, with the rows of one part."""
        pairs = zip(self.fields, part, whole, strict=True)
        return self.finish(tuple(own if field in self.rows else all_ for field, own, all_ in pairs))

    def _called(self, which: str) -> Callable[..., Any]:
        module = _loaded(self.text)
        found: Callable[..., Any] = getattr(
            module, module.GRAPH["split"]["functions"][self.name][which]
        )
        return found


def chunked(module: ModuleType, name: str) -> Chunked:
    """Describe the functions of chunks of a derived function; raises TypeError if it has none."""
    about, graph = described(module), module.GRAPH
    if "split" not in graph:
        raise TypeError(
            f"{graph['name']} has no functions of chunks: `graphc.split(graph, dim).module()` has"
        )
    split = graph["split"]
    if name not in split["functions"]:
        there = ", ".join(split["functions"]) or "none"
        kind = graph["derived"].get(name, {}).get("kind")
        why = f" (no {kind} has one)" if kind else ""
        raise TypeError(f"{graph['name']} has no function `{name}` of chunks{why}: {there}")
    if not split["inputs"]:
        raise TypeError(f"no input of {graph['name']} has rows of {split['over']}: give it one")
    for path in split["inputs"]:
        if path not in about.inputs:
            raise TypeError(f"parameter `{path}` has rows of {split['over']}: make it an input")
    own = split["functions"][name]
    whole = {own["count"], *own["rows"]}
    text = Path(str(module.__file__)).read_text(encoding="utf-8")
    _LOADED[text] = module  # here what is returned is of the module itself
    merged = any(how != KEPT for field, how in own["fields"].items() if field not in whole)
    return Chunked(
        text,
        name,
        split["over"],
        {about.inputs[path]: axis for path, axis in split["inputs"].items()},
        tuple(own["fields"]),
        own["rows"],
        own["count"],
        merged,
    )


KEPT = "the same in all chunks"
"""What `GRAPH` says of a field that is merged with nothing."""


_LOADED: dict[str, ModuleType] = {}
"""The modules that this process has, by their texts."""


def _loaded(text: str) -> ModuleType:
    """Import a module of this text from the cache, once in a process."""
    if text not in _LOADED:
        _LOADED[text] = cache.imported(cache.keep("chunks", text))
    return _LOADED[text]


def _lined_up(value: Any) -> Any:
    """Return an array that begins where all do: how sums are vectorised may depend on that."""
    if not isinstance(value, np.ndarray) or value.ctypes.data % LINE == 0:
        return value
    room = np.empty(value.nbytes + LINE, np.uint8)
    start = -room.ctypes.data % LINE
    found = room[start : start + value.nbytes].view(value.dtype).reshape(value.shape)
    found[...] = value
    return found


def _first(value: Any, axis: int, rows: int) -> Any:
    return value[(slice(None),) * axis + (slice(rows),)].copy()


# ---- results as trees ---------------------------------------------------------------------------


def leaves(result: Any, place: tuple[Any, ...] = ()) -> dict[tuple[Any, ...], Any]:
    """List what a function returns by its place: keys of dicts, positions in tuples."""
    if isinstance(result, dict):
        pairs: Sequence[tuple[Any, Any]] = [*result.items()]
    elif isinstance(result, tuple):
        pairs = [*enumerate(result)]
    else:
        return {place: result}
    return {at: leaf for key, one in pairs for at, leaf in leaves(one, (*place, key)).items()}


def with_leaves(result: Any, new: Leaves, place: tuple[Any, ...] = ()) -> Any:
    """Return the same with other leaves at these places."""
    if isinstance(result, dict):
        return {key: with_leaves(one, new, (*place, key)) for key, one in result.items()}
    if isinstance(result, tuple):
        items = [with_leaves(one, new, (*place, n)) for n, one in enumerate(result)]
        return type(result)(*items) if hasattr(result, "_fields") else tuple(items)
    return new.get(place, result)
