"""Convolutions and pooling, in programs."""

from __future__ import annotations

from collections.abc import Sequence

from tests.fuzz.program import Type, literal
from tests.fuzz.writing.kinds import Write
from tests.fuzz.writing.writer import Writer

SIDES = {1: (4, 5, 6), 2: (3, 4), 3: (2, 3)}
"""How long axes may be, by their number."""


def _each(w: Writer, rank: int, *those: int) -> list[int]:
    """One for each axis, mostly the same."""
    first = w.draw.choice(those)
    return [w.draw.choice(those) if w.chance(0.3) else first for _ in range(rank)]


def _said(**options: Sequence[int]) -> str:
    """Arguments: a number where it is the same for all axes; 0 of pads and 1 of the rest go."""
    parts = []
    for name, each in options.items():
        if any(one != (name != "pad") for one in each):
            alike = len(set(each)) == 1
            parts.append(f", {name}={each[0] if alike else list(each)}")
    return "".join(parts)


def convolution(rank: int) -> Write:
    """Forward or transposed, with all of its arguments."""

    def write(w: Writer) -> None:
        batch = w.axis() if rank < 3 else literal(1)
        groups = w.draw.choice((1, 1, 2)) if rank < 3 else 1
        channels, filters = (groups * w.draw.choice((1, 2) if rank == 1 else (1,)) for _ in "xy")
        sides = [w.draw.choice(SIDES[rank]) for _ in range(rank)]
        stride, pad = _each(w, rank, 1, 1, 2), _each(w, rank, 0, 1)
        apart, kernel = _each(w, rank, 1, 1, 2), _each(w, rank, 2, 1)
        reach = [d * (k - 1) + 1 for d, k in zip(apart, kernel, strict=True)]
        places = [*zip(sides, stride, pad, reach, strict=True)]
        more = _said(stride=stride, pad=pad, dilation=apart, groups=[groups])
        if w.chance(0.35):
            name, first, second = f"conv_transpose{rank}d", channels, filters // groups
            sizes = [(n - 1) * s - 2 * p + r for n, s, p, r in places]
        else:
            name, first, second = f"conv{rank}d", filters, channels // groups
            sizes = [(n + 2 * p - r) // s + 1 for n, s, p, r in places]
        if min(sizes) < 1:
            return
        x = w.of((batch, literal(channels), *map(literal, sides)))
        k = w.of((literal(first), literal(second), *map(literal, kernel)))
        shape = (batch, literal(filters), *map(literal, sizes))
        w.add(f"{name}({w.tame(x)}, {w.tame(k)}{more})", Type(shape), 9.0)

    return write


def pool(w: Writer) -> None:
    """Of the last axes, one to three, beside others or alone."""
    rank = w.draw.choice((1, 2, 2, 3))
    name = str(w.one("maxpool", "avgpool"))
    sides = [w.draw.choice(SIDES[rank]) for _ in range(rank)]
    size, pad = _each(w, rank, 2, 2, 1), _each(w, rank, 0, 0, 1)
    pad = [min(p, k - 1) for p, k in zip(pad, size, strict=True)]
    stride = _each(w, rank, 1, 2) if w.chance(0.7) else size
    apart = _each(w, rank, 1, 2) if name == "maxpool" else [1] * rank
    apart = [d if n > 2 else 1 for d, n in zip(apart, sides, strict=True)]
    lead = w.draw.choice(((), (w.axis(),), (w.axis(), literal(2))))
    places = zip(sides, size, stride, pad, apart, strict=True)
    sizes = [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in places]
    window = size[0] if rank == 2 and size[0] == size[1] else size
    steps = "" if stride == size else f", stride={stride if len(set(stride)) > 1 else stride[0]}"
    x = w.of((*lead, *map(literal, sides)))
    text = f"{name}({x.name}, {window}{steps}{_said(pad=pad, dilation=apart)})"
    w.add(text, Type((*lead, *map(literal, sizes))), x.bound)


def resized(w: Writer) -> None:
    """The last axes at other sizes, by every method."""
    x = w.floats(least=1)
    count = w.draw.choice((1, min(2, len(x.shape))))
    if not all(axis.size for axis in x.shape[-count:]):
        return
    sizes = [literal(w.draw.choice((1, 2, 3, 4, 5))) for _ in range(count)]
    method = w.one("", ', method="cubic"', ', method="nearest"')
    corners = w.one("", ", align_corners=true")
    text = f"resize({x.name}, [{', '.join(map(str, sizes))}]{method}{corners})"
    w.add(text, Type((*x.shape[:-count], *sizes)), 2 * x.bound)


def sampled(w: Writer) -> None:
    """Pictures read at points inside and outside."""
    batch = w.axis()
    x = w.of(
        (batch, literal(w.draw.choice((1, 2))), *(literal(n) for n in w.draw.choice(PICTURES)))
    )
    places = literal(2), w.axis()
    grid = w.of((batch, *places, literal(2)))
    said = "".join(
        str(w.one("", one))
        for one in (', method="cubic"', ', padding="border"', ", align_corners=true")
    )
    nearest = said.replace("cubic", "nearest") if w.chance(0.3) else said
    text = f"grid_sample({x.name}, sin({grid.name}) * 1.3{nearest})"
    w.add(text, Type((*x.shape[:2], *places)), 2 * x.bound)


PICTURES = ((3, 2), (2, 2), (1, 3))
