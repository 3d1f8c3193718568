"""Slices, changes of shape and joins, in programs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from tests.fuzz.program import Axis, Statement, Type, Value, literal
from tests.fuzz.writing.kinds import Shape, Write
from tests.fuzz.writing.writer import LONGEST, Writer


def _moved(make: Callable[[Writer, Value], tuple[str, Shape] | None], rank: int = 1) -> Write:
    def write(w: Writer) -> None:
        x = w.floats(least=rank)
        made = make(w, x)
        if made is not None and all(len(axis.text) <= LONGEST for axis in made[1]):
            text, shape = made
            w.add(text.format(x.name), Type(shape), x.bound)

    return write


def plus(axis: Axis, number: int) -> Axis:
    if axis.text.isdigit():
        return literal(axis.size + number)
    if "+" in axis.text or "-" in axis.text:
        return Axis("?" * 99, 0)
    return Axis(f"{axis.text} {'+' if number > 0 else '-'} {abs(number)}", axis.size + number)


def times(axis: Axis, number: int) -> Axis:
    if axis.text.isdigit():
        return literal(axis.size * number)
    if not axis.text.isidentifier():
        return Axis("?" * 99, 0)
    return Axis(f"{number}*{axis.text}", axis.size * number)


def joined(one: Axis, other: Axis) -> Axis:
    if one.text.isdigit() and other.text.isdigit():
        return literal(one.size + other.size)
    if one == other:
        return times(one, 2)
    if one.text.isdigit():
        one, other = other, one
    if not (one.text.isidentifier() and (other.text.isdigit() or other.text.isidentifier())):
        return Axis("?" * 99, 0)
    first, second = (one, other) if other.text.isdigit() else sorted((one, other), key=str)
    return Axis(f"{first} + {second}", one.size + other.size)


def product_of(one: Axis, other: Axis) -> Axis:
    if one.text.isdigit() and other.text.isdigit():
        return literal(one.size * other.size)
    if one == other or not (one.text.isidentifier() or one.text.isdigit()):
        return Axis("?" * 99, 0)
    if not (other.text.isidentifier() or other.text.isdigit()) or "1" in (one.text, other.text):
        return Axis("?" * 99, 0)
    first, second = (one, other) if one.text.isdigit() else (other, one)
    first, second = (first, second) if first.text.isdigit() else sorted((one, other), key=str)  # type: ignore[assignment]
    return Axis(f"{first}*{second}", one.size * other.size)


def with_axis(x: Value, place: int, axis: Axis) -> Shape:
    return (*x.shape[:place], axis, *x.shape[place + 1 :])


def _subscript(x: Value, place: int, part: str) -> str:
    return f"{{0}}[{':, ' * place}{part}]"


def _slice(w: Writer, x: Value) -> tuple[str, Shape] | None:
    place = w.place(x)
    axis = x.shape[place]
    last = x.shape[:place] + x.shape[place + 1 :]
    options: list[tuple[str, Shape]] = [
        ("::-1", x.shape),
        (":", x.shape),
        ("_", (*x.shape[:place], literal(1), *x.shape[place:])),
    ]
    if axis.size >= 1:
        options += [("0", last), ("-1", last), (":1", with_axis(x, place, literal(1)))]
        if axis.size >= 2:
            options += [
                ("1:", with_axis(x, place, plus(axis, -1))),
                (":-1", with_axis(x, place, plus(axis, -1))),
            ] * 2
    if axis.text.isdigit() and axis.size > 2:
        options.append(("::2", with_axis(x, place, literal((axis.size + 1) // 2))))
        options.append(("1:3", with_axis(x, place, literal(2))))
    part, shape = w.draw.choice(options)
    return _subscript(x, place, part), shape


def _pad(w: Writer, x: Value) -> tuple[str, Shape] | None:
    place = w.place(x)
    low, high = w.draw.choice(((1, 0), (0, 1), (1, 1), (2, 1)))
    widths = ["[0, 0]"] * len(x.shape)
    widths[place] = f"[{low}, {high}]"
    options = ['""', '"edge"', '"wrap"'] + ['"reflect"'] * (x.shape[place].size > 2)
    mode = (
        w.draw.choice(options)
        if x.shape[place].text.isdigit() and x.shape[place].size >= 2
        else '""'
    )
    more = f", mode={mode}" if mode != '""' else str(w.one("", ", constant_values=0.5"))
    return f"pad({{0}}, [{', '.join(widths)}]{more})", with_axis(
        x, place, plus(x.shape[place], low + high)
    )


def _tile(w: Writer, x: Value) -> tuple[str, Shape] | None:
    place = w.place(x)
    reps = ["1"] * len(x.shape)
    reps[place] = "2"
    return f"tile({{0}}, [{', '.join(reps)}])", with_axis(x, place, times(x.shape[place], 2))


def _repeat_elements(w: Writer, x: Value) -> tuple[str, Shape] | None:
    place = w.place(x)
    return f"repeat_elements({{0}}, 2, axis={place})", with_axis(x, place, times(x.shape[place], 2))


def _transpose(w: Writer, x: Value) -> tuple[str, Shape] | None:
    order = list(range(len(x.shape)))
    w.draw.shuffle(order)
    shape = tuple(x.shape[place] for place in order)
    if len(x.shape) == 2 and w.chance(0.5):
        return "{0}.T", x.shape[::-1]
    return f"transpose({{0}}, {order})", shape


def _swap(w: Writer, x: Value) -> tuple[str, Shape] | None:
    shape = list(x.shape)
    shape[0], shape[-1] = shape[-1], shape[0]
    return str(w.one("swapaxes({0}, 0, -1)", "swapaxes({0}, -1, 0)")), tuple(shape)


def _moveaxis(w: Writer, x: Value) -> tuple[str, Shape] | None:
    return "moveaxis({0}, 0, -1)", (*x.shape[1:], x.shape[0])


def _flatten(w: Writer, x: Value) -> tuple[str, Shape] | None:
    if len(x.shape) == 2:
        return str(w.one("flatten({0})", f"reshape({{0}}, [{x.shape[0]}*{x.shape[1]}])")), (
            product_of(*x.shape),
        )
    return "flatten({0}, start=1)", (x.shape[0], product_of(x.shape[1], x.shape[2])) if len(
        x.shape
    ) == 3 else (Axis("?" * 99, 0),)


def _reshape(w: Writer, x: Value) -> tuple[str, Shape] | None:
    shape = (literal(1), *x.shape) if w.chance(0.5) else (*x.shape, literal(1))
    if all(axis.text.isdigit() for axis in x.shape) and w.chance(0.6):
        size = math.prod(axis.size for axis in x.shape)
        if size:
            first = w.draw.choice([n for n in range(1, size + 1) if size % n == 0])
            shape = (literal(first), literal(size // first))
    return f"reshape({{0}}, [{', '.join(map(str, shape))}])", shape


def _expand(w: Writer, x: Value) -> tuple[str, Shape] | None:
    place = w.draw.randrange(len(x.shape) + 1)
    return f"expand_dims({{0}}, {place})", (*x.shape[:place], literal(1), *x.shape[place:])


def _squeeze(w: Writer, x: Value) -> tuple[str, Shape] | None:
    places = [i for i, axis in enumerate(x.shape) if axis.text == "1"]
    if not places:
        return None
    place = w.draw.choice(places)
    return f"squeeze({{0}}, axis={place})", x.shape[:place] + x.shape[place + 1 :]


def _broadcast(w: Writer, x: Value) -> tuple[str, Shape] | None:
    shape = (w.axis(), *x.shape)
    return f"broadcast_to({{0}}, [{', '.join(map(str, shape))}])", shape


def _rearrange(w: Writer, x: Value) -> tuple[str, Shape] | None:
    if len(x.shape) == 2:
        return 'rearrange({0}, "a b -> b a")', x.shape[::-1]
    if len(x.shape) == 3:
        return 'rearrange({0}, "a b c -> c (a b)")', (x.shape[2], product_of(*x.shape[:2]))
    if (
        len(x.shape) == 1
        and x.shape[0].text.isdigit()
        and x.shape[0].size % 2 == 0
        and x.shape[0].size
    ):
        return 'rearrange({0}, "(h d) -> d h", h=2)', (literal(x.shape[0].size // 2), literal(2))
    return None


MOVES: Mapping[str, Write] = {
    "slice": _moved(_slice), "pad": _moved(_pad), "tile": _moved(_tile),
    "repeat_elements": _moved(_repeat_elements), "transpose": _moved(_transpose, 2),
    "swapaxes": _moved(_swap, 2), "moveaxis": _moved(_moveaxis, 2), "flatten": _moved(_flatten, 2),
    "reshape": _moved(_reshape), "expand_dims": _moved(_expand), "squeeze": _moved(_squeeze),
    "broadcast_to": _moved(_broadcast), "rearrange": _moved(_rearrange),
}  # fmt: skip


def concat(w: Writer) -> None:
    x = w.floats(least=1)
    place = w.place(x)
    other = w.pick(
        lambda y: (
            y.type.kind == "float"
            and len(y.shape) == len(x.shape)
            and all(
                a == b for i, (a, b) in enumerate(zip(x.shape, y.shape, strict=True)) if i != place
            )
        )
    )
    y = other or x
    shape = with_axis(x, place, joined(x.shape[place], y.shape[place]))
    if len(shape[place].text) <= LONGEST:
        w.add(f"concat({x.name}, {y.name}, axis={place})", Type(shape), max(x.bound, y.bound))


def stack(w: Writer) -> None:
    x = w.floats()
    y = w.of(x.shape)
    place = w.draw.randrange(len(x.shape) + 1)
    shape = (*x.shape[:place], literal(2), *x.shape[place:])
    w.add(f"stack({x.name}, {y.name}, axis={place})", Type(shape), max(x.bound, y.bound))


def split_(w: Writer) -> None:
    found = w.pick(
        lambda x: (
            x.type.kind == "float"
            and any(axis.text.isdigit() and axis.size in (2, 4, 6) for axis in x.shape)
        )
    )
    if found is None:
        return
    place = next(i for i, a in enumerate(found.shape) if a.text.isdigit() and a.size in (2, 4, 6))
    shape = with_axis(found, place, literal(found.shape[place].size // 2))
    names = [w.fresh(), w.fresh()]
    text = f"split({found.name}, 2, axis={place})"
    under = w.under(text)
    made = tuple(Value(name, Type(shape), found.bound, under) for name in names)
    w.put(Statement(f"{', '.join(names)} = {text}", made))


def top_k(w: Writer) -> None:
    """The two largest or smallest elements, and where they are."""
    found = w.pick(
        lambda x: (
            x.type.kind == "float"
            and any(axis.text.isdigit() and axis.size >= 2 for axis in x.shape)
        )
    )
    if found is None:
        return
    place = next(i for i, a in enumerate(found.shape) if a.text.isdigit() and a.size >= 2)
    shape = with_axis(found, place, literal(2))
    names = [w.fresh(), w.fresh()]
    text = f"top_k({found.name}, 2, axis={place}{w.one('', ', largest=false')})"
    under = w.under(text)
    made = (
        Value(names[0], Type(shape), found.bound, under),
        Value(names[1], Type(shape, "int", found.shape[place].size), 0.0, under),
    )
    w.put(Statement(f"{', '.join(names)} = {text}", made))
