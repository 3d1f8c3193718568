"""What an operation computes, as structure: each target says it in its own words."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from graphc.records import dataclass

# ---- what goes into a kernel ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Arg:
    """An argument of the node, by its slot."""

    slot: int


@dataclass(frozen=True, slots=True)
class Rest:
    """All arguments of the node from a slot on, together."""

    first: int


@dataclass(frozen=True, slots=True)
class Attr:
    """An attribute of the node, or its `shape` or `dtype`; at the end of a call its default goes
    without saying."""

    name: str
    default: int | None = None


X, Y, Z = Arg(0), Arg(1), Arg(2)
SHAPE, DTYPE, AXIS = Attr("shape"), Attr("dtype"), Attr("axis")

Number = int | float
Reduction = Literal["sum", "mean", "prod", "max", "min", "any", "all", "argmax", "argmin"]


# ---- kernels -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, init=False)
class Elementwise:
    """A function of numbers, applied to each element of its operands, which broadcast.

    Where no operands are named they are the arguments: of `add` also more than two. An operand may
    be such a function itself. Names are those of NumPy's ufuncs where it has one.
    """

    name: str
    operands: tuple[Arg | Attr | Number | Elementwise, ...]

    def __init__(self, name: str, *operands: Arg | Attr | Number | Elementwise) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "operands", operands)


@dataclass(frozen=True, slots=True)
class Reduce:
    """One result of all elements along `axis` (None: all axes), which `keepdims` may leave as 1.

    `initial` is what there is before the first; "lowest" is the lowest finite number.
    """

    name: Reduction
    initial: float | Literal["lowest"] | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """The results of an elementwise function of two over the first elements along `axis`."""

    name: str


Place = Literal[
    "same",  # all as they are
    "rows",  # all as they are, row by row in memory
    "permuted",  # `axes` in another order
    "expanded",  # with axes of length 1 at `axes`
    "reshaped",  # in row-major order, in another `shape`
    "repeated",  # along new axes and those of length 1, to a `shape`
    "items",  # an item for each axis: a position, or a range
    "parts",  # for each argument its own `items`
    "first",  # the first `count` rows
    "diagonal",  # [i, i + offset] of matrices
    "letters",  # where axes of one letter, of `whole`, have one index: `part`
    "triangle",  # below the diagonal of matrices of side `n`, column by column
    "windows",  # of sides `kernel` along the last axes, in steps of `stride`, spread by `dilation`
    "label",  # of each row the element that the second argument names
    "axis",  # the positions that arguments name of as many axes, from `axis` on
    "along",  # row by row along `axis` the elements that the second argument names
    "entries",  # of a matrix, by the rows and the columns that two arguments name
    "vector",  # the elements of a vector that the second argument names
    "cells",  # vectors along `block` at `places` of the other axes; without it numbers
]
"""Where in an array elements are, by attributes or by arguments with indices."""


@dataclass(frozen=True, slots=True)
class View:
    """The elements at a place of the first argument, in its memory."""

    place: Place


@dataclass(frozen=True, slots=True)
class Take:
    """The elements at a place of the first argument, as an array of their own."""

    place: Place


@dataclass(frozen=True, slots=True)
class Put:
    """The transpose of taking: zeros, or the first argument, with values put at a place of it.

    The values are the first argument (of "parts" and "cells" all arguments), or the last where it
    is put `onto` the first; the others say where. They replace what is there, or are added to it:
    `unless` names the attribute that says that no two of them have one place, so that it is the
    same.
    """

    place: Place
    add: bool = False
    unless: str = ""
    onto: bool = False


@dataclass(frozen=True, slots=True, init=False)
class Call:
    """A function of whole arrays by name: of its operands, or of the arguments where none are."""

    name: str
    operands: tuple[Arg | Rest | Attr | Number, ...]
    named: tuple[tuple[str, Attr | str], ...]

    def __init__(
        self, name: str, *operands: Arg | Rest | Attr | Number, **named: Attr | str
    ) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "operands", operands)
        object.__setattr__(self, "named", tuple(named.items()))


Kernel = Elementwise | Reduce | Running | View | Take | Put | Call
SAME = View("same")


def functions(kernel: Kernel | None) -> frozenset[str]:
    """Return the names of the functions that a kernel consists of."""
    if not isinstance(kernel, Elementwise | Call):
        return frozenset()
    inner = (functions(one) for one in kernel.operands if isinstance(one, Elementwise))
    return frozenset({kernel.name}).union(*inner)


def reads(kernel: Kernel | None, count: int) -> Counter[int]:
    """Count how often each of so many arguments is read where a kernel is written out."""
    if kernel is None:
        return Counter()
    if isinstance(kernel, View):
        return Counter({0: 1})
    operands = kernel.operands if isinstance(kernel, Elementwise | Call) else ()
    if not operands:
        return Counter(range(count))
    found: Counter[int] = Counter()
    for operand in operands:
        if isinstance(operand, Arg):
            found[operand.slot] += 1
        elif isinstance(operand, Rest):
            found.update(range(operand.first, count))
        elif isinstance(operand, Elementwise):
            found += reads(operand, count)
    return found
