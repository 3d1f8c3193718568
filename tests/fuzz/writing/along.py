"""Reductions and operations along an axis, in programs."""

from __future__ import annotations

import math

from tests.fuzz.program import Type, Value, literal
from tests.fuzz.writing.kinds import Write
from tests.fuzz.writing.moves import plus, with_axis
from tests.fuzz.writing.writer import Writer

REDUCTIONS = ("sum", "mean", "max", "min", "logsumexp", "var", "std", "norm", "prod")


def _axis_of(w: Writer, x: Value, place: int) -> str:
    """An axis by number from either end, or by the name of its dim."""
    axis = x.shape[place]
    alone = sum(one.size == axis.size for one in x.shape) == 1
    if alone and any(dim.name == axis.text for dim in w.dims) and not w.body.closed:
        return str(w.one(str(place), axis.text))
    return str(w.one(str(place), str(place - len(x.shape))))


def reduction(name: str) -> Write:
    def write(w: Writer) -> None:
        x = w.floats(least=1)
        rank = len(x.shape)
        free = [place for place in range(rank) if x.shape[place] != w.apart]
        places = sorted(w.draw.sample(free, min(w.draw.choice((1, 1, 1, rank)), len(free))))
        kept = w.chance(0.25)
        shape = tuple(
            literal(1) if place in places else axis
            for place, axis in enumerate(x.shape)
            if kept or place not in places
        )
        if len(places) == rank and not kept and w.chance(0.5):
            axis = ""
        elif len(places) == 1:
            axis = f", axis={_axis_of(w, x, places[0])}"
        else:
            axis = f", axis=[{', '.join(map(str, places))}]"
        size = math.prod(x.shape[place].size for place in places)
        text = w.tame(x) if name in ("sum", "norm", "prod") else x.name
        if name == "prod":
            text = f"cos({x.name})"
        if name in ("std", "norm"):
            text = f"{text} + {'arange(' + str(x.shape[-1]) + ')' if name == 'std' else 3}"
        bound = {"sum": size * min(x.bound, 8), "norm": size * min(x.bound, 8), "var": x.bound**2,
                 "prod": 1.0}.get(name, x.bound + 2)  # fmt: skip
        keep = ", keepdims=true" if kept else ""
        w.add(f"{name}({text}{axis}{keep})", Type(shape), max(bound, 0.5))

    return write


ALONG = {
    "softmax": ("softmax({0}, axis={1})", 1.0), "log_softmax": ("log_softmax({0}, axis={1})", 8.0),
    "cumsum": ("cumsum({0}, axis={1})", 9.0), "cumprod": ("cumprod(cos({0}), axis={1})", 1.0),
    "logcumsumexp": ("logcumsumexp({0}, axis={1})", 8.0), "sort": ("sort({0}, axis={1})", 8.0),
    "flip": ("flip({0}, axis={1})", 8.0), "roll": ("roll({0}, 1, axis={1})", 8.0),
    "roll_back": ("roll({0}, -2, axis={1})", 8.0),
    "linear_recurrence": ("linear_recurrence(0.5 * sin({0}), {0}, axis={1})", 9.0),
    "cummax": ("cummax({0}, axis={1})", 8.0), "cummin": ("cummin({0}, axis={1})", 8.0),
    "argsort": ("take_along_axis({0}, argsort({0}, axis={1}), axis={1})", 8.0),
    "centred": ("{0} - mean({0}, axis={1}, keepdims=true)", 9.0),
    "scaled_by_max": ("{0} / (1 + max(abs({0}), axis={1}, keepdims=true))", 1.0),
    "stable_log_softmax": ("log(softmax({0}, axis={1}))", 8.0),
}  # fmt: skip


def along(template: str, bound: float) -> Write:
    def write(w: Writer) -> None:
        x = w.floats(least=1)
        if template.startswith("cumsum"):
            text = w.tame(x)
        else:
            text = x.name
        axis = str(w.place(x))
        w.add(template.format(text, axis), x.type, max(bound, x.bound))

    return write


def less(name: str, index: bool = False) -> Write:
    """One axis less: what is chosen along it."""

    def write(w: Writer) -> None:
        x = w.floats(least=1)
        place = w.place(x)
        shape = x.shape[:place] + x.shape[place + 1 :]
        kind = Type(shape, "int", x.shape[place].size) if index else Type(shape)
        w.add(f"{name}({x.name}, axis={place})", kind, x.bound, reads="" if index else None)

    return write


def quantile(w: Writer) -> None:
    x = w.floats(least=1)
    place = w.place(x)
    shape = x.shape[:place] + x.shape[place + 1 :]
    if w.chance(0.5):
        w.add(f"quantile({x.name}, {w.one('0.3', '0.5', '1')}, axis={place})", Type(shape), x.bound)
    else:
        text = f"quantile({x.name}, [0.2, 0.9], axis={place})"
        w.add(text, Type((literal(2), *shape)), x.bound)


def differences(w: Writer) -> None:
    x = w.floats(least=1)
    place = w.place(x)
    count = w.draw.choice((1, 1, 2))
    axis = plus(x.shape[place], -count)
    if axis.size > 0 and x.shape[place].text.isdigit():
        shape = with_axis(x, place, axis)
        times = f", n={count}" if count > 1 else ""
        w.add(f"diff({x.name}{times}, axis={place})", Type(shape), x.bound * 2**count)


def truth(name: str) -> Write:
    def write(w: Writer) -> None:
        x = w.floats(least=1)
        place = w.place(x)
        shape = x.shape[:place] + x.shape[place + 1 :]
        text = f"{name}({x.name} > 0.1, axis={place})"
        w.add(f"{text} * 0.5" if name == "count_nonzero" else f"where({text}, 0.4, 1.5)",
              Type(shape), 2.0, reads="")  # fmt: skip

    return write
