"""What a node's value is: Type(dtype, shape); when shapes agree and how they broadcast."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from typing import Literal

from graphc.ir.dims import Dim
from graphc.ir.facts import Facts
from graphc.records import dataclass

Dtype = Literal["float", "int", "bool"]
Shape = tuple[Dim, ...]

_RANK = {"bool": 0, "int": 1, "float": 2}
STRETCH = (
    "axes are aligned from the right and only a literal 1 stretches; "
    "insert axes with `_`, e.g. v[:, _]"
)
OUTER = (
    "NumPy would silently make this an outer product; "
    "insert the axis you mean with `_`, e.g. v[:, _]"
)


@dataclass(frozen=True)
class Type:
    """`float` is the module's one floating dtype; `int` is int64; a scalar has the shape ()."""

    dtype: Dtype
    shape: Shape = ()

    @property
    def rank(self) -> int:
        return len(self.shape)

    @cached_property
    def size(self) -> Dim:
        """Return the number of elements."""
        return product(self.shape)

    def with_shape(self, shape: Sequence[Dim | int]) -> Type:
        return Type(self.dtype, tuple(Dim.of(axis) for axis in shape))

    def __str__(self) -> str:
        axes = shape_text(self.shape)
        return (
            axes if self.dtype == "float" else self.dtype if not self.shape else self.dtype + axes
        )

    def beside(self, other: Type) -> str:
        """Write the type beside one of another dtype: `float[B]`, not `[B]`."""
        apart = self.dtype != other.dtype and self.dtype == "float"
        return f"float{shape_text(self.shape) if self.shape else ''}" if apart else str(self)


class Mismatch(Exception):
    """Types that an operation cannot take; the elaborator adds the place."""

    def __init__(self, code: str, message: str, help: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.help = code, message, help


FLOAT_BYTES = {"float64": 8, "float32": 4}
"""The size of a float of a module, by its dtype."""

_BYTES = {"int": 8, "bool": 1}


def element_bytes(dtype: str, width: int) -> int:
    """Return the bytes of an element; a float has `width`."""
    return _BYTES.get(dtype, width)


def type_bytes(type: Type, width: int) -> Dim:
    """Return the bytes of an array of this type, whose floats have `width`."""
    return type.size * element_bytes(type.dtype, width)


_facts: ContextVar[Facts] = ContextVar("facts", default=Facts.empty)


@contextmanager
def assuming(facts: Facts) -> Iterator[None]:
    """Compare dims modulo these facts inside."""
    token = _facts.set(facts)
    try:
        yield
    finally:
        _facts.reset(token)


def known_facts() -> Facts:
    return _facts.get()


def learn(facts: Facts) -> None:
    """Replace the facts of the innermost `assuming`."""
    _facts.set(facts)


_demands: ContextVar[list[tuple[Dim, Mismatch]] | None] = ContextVar("demands", default=None)


@contextmanager
def demanding() -> Iterator[list[tuple[Dim, Mismatch]]]:
    """Collect what `demand` cannot settle inside: it is to be checked at entry."""
    found: list[tuple[Dim, Mismatch]] = []
    token = _demands.set(found)
    try:
        yield found
    finally:
        _demands.reset(token)


def demand(dim: Dim, otherwise: Mismatch) -> None:
    """Demand `dim >= 0`: proved, refuted, or left to whoever is `demanding`."""
    proved = _facts.get().nonnegative(dim)
    if proved is False:
        raise otherwise
    collected = _demands.get()
    if proved is None and collected is not None:
        collected.append((dim, otherwise))


def same(one: Dim | int, other: Dim | int) -> bool:
    """True if two dims are equal for all values of their symbols that the known facts admit."""
    return one is other or one == other or _facts.get().equal(Dim.of(one), Dim.of(other))


def same_shape(one: Sequence[Dim], other: Sequence[Dim]) -> bool:
    return len(one) == len(other) and all(map(same, one, other))


def is_one(axis: Dim) -> bool:
    return axis.constant == 1


def product(axes: Sequence[Dim]) -> Dim:
    total = Dim.of(axes[0]) if axes else Dim.of(1)
    for axis in axes[1:]:
        total = total * axis
    return total


def shape_text(shape: Sequence[Dim | int]) -> str:
    """Write a shape as a person does: `[B, 2*D]`."""
    return "[" + ", ".join(map(str, shape)) + "]"


def promote(dtypes: Sequence[Dtype]) -> Dtype:
    """Return the smallest dtype that holds all: bool < int < float."""
    return max(dtypes, key=_RANK.__getitem__)


def broadcast(shapes: Sequence[Shape], what: str) -> Shape:
    """Return the common shape of elementwise operands; `what` names the operation in errors.

    Scalars fit anything. Otherwise shapes align from the right; unequal axes need a
    literal 1, and where ranks differ only the operand of lower rank stretches.
    """
    result: Shape = ()
    for shape in shapes:
        joined = _broadcast_two(result, shape)
        if joined is None:
            shown = " and ".join(
                shape_text(s) for s in ((result, shape) if len(shapes) == 2 else shapes)
            )
            raise Mismatch("E301", f"shapes do not fit in `{what}`: {shown}", _why(result, shape))
        result = joined
    return result


def fit_together(shapes: Sequence[Shape]) -> bool:
    """True if elementwise operands of these shapes have a common shape."""
    result: Shape | None = ()
    for shape in shapes:
        result = None if result is None else _broadcast_two(result, shape)
    return result is not None


def _broadcast_two(one: Shape, other: Shape) -> Shape | None:
    if not one or not other:
        return one or other
    low, high = sorted((one, other), key=len)
    tail = high[len(high) - len(low) :]
    axes = list(high[: len(high) - len(low)])
    for a, b in zip(low, tail, strict=True):
        if same(a, b) or is_one(a):
            axes.append(b)
        elif is_one(b) and len(low) == len(high):
            axes.append(a)
        else:
            return None
    return tuple(axes)


def _why(one: Shape, other: Shape) -> str:
    """Return the remedy; another where NumPy would silently stretch the operand of higher rank."""
    low, high = sorted((one, other), key=len)
    tail = high[len(high) - len(low) :]
    silently = all(same(a, b) or is_one(a) or is_one(b) for a, b in zip(low, tail, strict=True))
    return OUTER if silently and len(low) < len(high) else STRETCH
