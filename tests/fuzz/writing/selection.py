"""Gathers, scatters and masks, in programs."""

from __future__ import annotations

from collections.abc import Sequence

from tests.fuzz.program import Axis, Type, Value, literal
from tests.fuzz.writing.moves import with_axis
from tests.fuzz.writing.writer import Writer


def _index(w: Writer, shape: Sequence[Axis], below: int) -> Value:
    return w.of(shape, "int", below)


def _values(w: Writer, shape: Sequence[Axis]) -> str:
    """What is put: an array, or one number for all, which may be known."""
    if w.chance(0.2):
        return str(w.one("0.5", "-1"))
    return w.tame(w.of(() if w.chance(0.2) else shape))


def gather(w: Writer) -> None:
    x = w.floats(least=1)
    place = w.place(x)
    if not x.shape[place].size:
        return
    ids = _index(w, (w.axis(),), x.shape[place].size)
    w.add(f"{x.name}[{':, ' * place}{ids.name}]", Type(with_axis(x, place, ids.shape[0])), x.bound)


def take(w: Writer) -> None:
    x = w.floats(least=1)
    place = w.place(x)
    if not x.shape[place].size:
        return
    ids = _index(w, (w.axis(),), x.shape[place].size)
    text = f"take({x.name}, {ids.name}, axis={place})"
    w.add(text, Type(with_axis(x, place, ids.shape[0])), x.bound)


def pick(w: Writer) -> None:
    x = w.floats(least=1)
    if not x.shape[-1].size:
        return
    label = _index(w, x.shape[:-1], x.shape[-1].size)
    w.add(f"pick({x.name}, {label.name})", Type(x.shape[:-1]), x.bound)


def take_along(w: Writer) -> None:
    x = w.floats(least=1)
    if not x.shape[-1].size:
        return
    ids = _index(w, (*x.shape[:-1], literal(2)), x.shape[-1].size)
    w.add(f"take_along_axis({x.name}, {ids.name})", Type((*x.shape[:-1], literal(2))), x.bound)


def one_hot(w: Writer) -> None:
    ids = _index(w, (w.axis(),), 3)
    w.add(f"one_hot({ids.name}, 3)", Type((ids.shape[0], literal(3))), 1.0)


def scatter(w: Writer) -> None:
    x = w.floats(least=1)
    place = w.place(x)
    if not x.shape[place].size:
        return
    count = w.axis()
    ids = _index(w, (count,), x.shape[place].size)
    updates = _values(w, with_axis(x, place, count))
    more = f", axis={place}" if place or w.chance(0.3) else ""
    w.add(f"scatter_add({x.name}, {ids.name}, {updates}{more})", x.type, x.bound + 16)


def extreme_segments(w: Writer) -> None:
    """The extremes of segments, some of which have no row."""
    x = w.floats(least=1)
    ids = _index(w, x.shape[:1], 3)
    name, none = w.draw.choice((("max", "maximum"), ("min", "minimum")))
    text = f"segment_{name}({x.name}, {ids.name}, 3)"
    bound = "-2" if name == "max" else "2"
    w.add(f"{none}({text}, {bound})", Type((literal(3), *x.shape[1:])), x.bound)


def gather_pairs(w: Writer) -> None:
    """Two index arrays in one subscript, which stand together or apart."""
    x = w.floats(least=2)
    one, other = sorted(w.draw.sample(range(len(x.shape)), 2))
    if not (x.shape[one].size and x.shape[other].size):
        return
    count = w.axis()
    rows, columns = (_index(w, (count,), x.shape[place].size) for place in (one, other))
    parts = [":"] * len(x.shape)
    parts[one], parts[other] = rows.name, columns.name
    left = [axis for place, axis in enumerate(x.shape) if place not in (one, other)]
    left.insert(one if other == one + 1 else 0, count)
    w.add(f"{x.name}[{', '.join(parts)}]", Type(tuple(left)), x.bound)


def broadcast_pairs(w: Writer) -> None:
    """Index arrays whose shapes stretch to each other's, or one of two axes."""
    x = w.floats(least=1)
    place = w.place(x)
    two = place + 1 < len(x.shape) and w.chance(0.7)
    if not all(axis.size for axis in x.shape[place : place + 1 + two]):
        return
    many, few = w.axis(), w.axis()
    before, after = x.shape[:place], x.shape[place + 1 + two :]
    if two:
        rows = _index(w, (many,), x.shape[place].size).name
        columns = _index(w, (few,), x.shape[place + 1].size).name
        index = f"{rows}[:, _], {columns}[_, :]"
    else:
        index = _index(w, (many, few), x.shape[place].size).name
    text = f"{x.name}[{':, ' * place}{index}]"
    w.add(text, Type((*before, many, few, *after)), x.bound)


def put(w: Writer) -> None:
    """Values put, or added, where one index array or two say."""
    x = w.floats(least=1)
    place = w.place(x)
    both = place + 1 < len(x.shape) and w.chance(0.5)
    axes = x.shape[place : place + 1 + both]
    if not all(axis.size for axis in axes):
        return
    count = w.axis()
    ids = [_index(w, (count,), axis.size) for axis in axes]
    values = _values(w, (*x.shape[:place], count, *x.shape[place + len(ids) :]))
    more = f", axis={place}" if place or w.chance(0.3) else ""
    name = w.one("put", "put_add")
    text = f"{name}({x.name}, {values}, {', '.join(one.name for one in ids)}{more})"
    w.add(text, x.type, x.bound + 16)


def lists(w: Writer) -> None:
    """Positions in lists, of the first axis or of the first two."""
    x = w.floats(least=1)
    count = w.axis()
    if not x.shape[0].size:
        return
    ids = _index(w, (count, literal(1)), x.shape[0].size)
    if w.chance(0.5):
        w.add(f"gather_nd({x.name}, {ids.name})", Type((count, *x.shape[1:])), x.bound)
        return
    values = _values(w, (count, *x.shape[1:]))
    name = w.one("scatter_nd", "scatter_nd_add")
    w.add(f"{name}({x.name}, {ids.name}, {values})", x.type, x.bound + 16)


def along_rows(w: Writer) -> None:
    """Elements of each row that its own indices name, put or added."""
    x = w.floats(least=1)
    if not x.shape[-1].size:
        return
    shape = (*x.shape[:-1], literal(2))
    ids = _index(w, shape, x.shape[-1].size)
    name = w.one("put_along_axis", "add_along_axis")
    w.add(f"{name}({x.name}, {ids.name}, {_values(w, shape)})", x.type, x.bound + 16)


def segments(w: Writer) -> None:
    x = w.floats(least=1)
    ids = _index(w, x.shape[:1], 3)
    text = f"segment_sum({w.tame(x)}, {ids.name}, 3)"
    w.add(text, Type((literal(3), *x.shape[1:])), 3 * min(x.bound, 8))


def chosen_by_data(w: Writer) -> None:
    """An index that depends on what is differentiated."""
    x = w.floats(least=1)
    if not x.shape[-1].size:
        return
    y = w.of(x.shape)
    w.add(f"pick({x.name}, argmax({y.name}, axis=-1))", Type(x.shape[:-1]), x.bound, reads=x.name)


def whole(w: Writer) -> None:
    """An index that is a float rounded."""
    x, below = w.floats(), w.draw.choice((2, 3, 4))
    text = f"to_int({below - 0.05} * sigmoid({x.name}))"
    w.add(text, Type(x.shape, "int", below), x.bound, reads="")


def masked(w: Writer) -> None:
    x = w.floats()
    mask = w.of(x.shape, "bool")
    w.add(f"where({mask.name}, {x.name}, 0.25 * {x.name})", x.type, x.bound)


def causal(w: Writer) -> None:
    x = w.floats(rank=2)
    n, m = x.shape
    text = f"where(arange({n})[:, _] >= arange({m})[_, :], {x.name}, {w.one('-1e30', '0', '0.5')})"
    if "-1e30" in text:
        text = f"softmax({text}, axis=-1)"
    w.add(text, x.type, x.bound)
