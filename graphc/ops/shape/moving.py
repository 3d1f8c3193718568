"""Elements moved, repeated and padded: compositions of reshaping, slicing and joining."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.ir.dims import Dim
from graphc.ir.graph import OPERATORS, Node, Op, as_node
from graphc.ir.kernel import AXIS, DTYPE, Attr, Call, X, Y
from graphc.ir.types import Mismatch, Shape, Type, demand, is_one, known_facts
from graphc.ops.define.batching import lead_all
from graphc.ops.define.families import all_to_float, composite, linear, normal_axes, normal_axis
from graphc.ops.shape.shaping import (
    broadcast_to,
    concat,
    expand,
    flatten,
    index,
    part_of,
    permute_axes,
    reshape,
    unindex,
)

Pads = tuple[tuple[Dim, Dim], ...]  # (before, after) for each axis


# ---- axes ----------------------------------------------------------------------------------


@composite("squeeze", "x, axis: axes = none", "Without axes of length 1 (all such by default).")
def squeeze(x: Node, axis: tuple[int, ...] | None = None) -> Node:
    ones = [i for i, size in enumerate(x.shape) if is_one(size)]
    axes = ones if axis is None else normal_axes(axis, x.rank, "squeeze")
    for one in axes:
        if one not in ones:
            raise Mismatch("E305", f"axis {one} of {x.type} has not the length 1")
    return reshape(x, shape=tuple(size for i, size in enumerate(x.shape) if i not in axes))


@composite("expand_dims", "x, axis: axes", "With new axes of length 1 at these places.")
def expand_dims(x: Node, axis: tuple[int, ...]) -> Node:
    return expand(x, axes=normal_axes(axis, x.rank + len(axis), "expand_dims"))


@composite("swapaxes", "x, axis1: axis, axis2: axis", "Two axes exchanged.")
def swapaxes(x: Node, axis1: int, axis2: int) -> Node:
    one, other = (normal_axis(axis, x.rank, "swapaxes") for axis in (axis1, axis2))
    order = list(range(x.rank))
    order[one], order[other] = other, one
    return permute_axes(x, tuple(map(Dim.of, order)))


@composite("moveaxis", "x, source: axis, destination: axis", "One axis moved to another place.")
def moveaxis(x: Node, source: int, destination: int) -> Node:
    start, end = (normal_axis(axis, x.rank, "moveaxis") for axis in (source, destination))
    order = [axis for axis in range(x.rank) if axis != start]
    order.insert(end, start)
    return permute_axes(x, tuple(map(Dim.of, order)))


# ---- along axes ------------------------------------------------------------------------------


@composite("flip", "x, axis: axes = none", "The other way round along axes (all by default).")
def flip(x: Node, axis: tuple[int, ...] | None = None) -> Node:
    axes = normal_axes(axis, x.rank, "flip")
    ranges = [
        (size - 1, size, -1) if i in axes else (Dim.of(0), size, 1)
        for i, size in enumerate(x.shape)
    ]
    return index(x, items=tuple(("slice", chosen) for chosen in ranges)) if axes else x


def _backwards(shift: Any) -> Any:
    return tuple(-one for one in shift) if isinstance(shift, tuple) else -shift


def _roll_batch(node: Node, args: tuple[Node, ...], leads: tuple[bool, ...], size: Dim) -> Node:
    """Without axes the elements of each row move in their row-major order."""
    (x,), shift, axis = args, node.attrs["shift"], node.attrs["axis"]
    if axis is not None:
        return _roll(x, shift=shift, axis=tuple(one + 1 for one in axis))
    rows = _roll(flatten(x, 1), shift=(shift,), axis=(1,))
    return reshape(rows, shape=x.shape)


_roll: Op = linear(
    "rolled",
    infer=lambda x, *, shift, axis: x,
    kernel=Call("roll", X, Attr("shift"), AXIS),
    transpose=lambda ct, x, shift, axis: _roll(ct, shift=_backwards(shift), axis=axis),
    public=False,
    batch=_roll_batch,
    doc="Positions moved along axes, the last ones to the front.",
)


@composite(
    "roll",
    "x, shift: sizes, axis: axes = none",
    "Positions moved by `shift`, the last ones to the front; without axes in row-major order.",
)
def roll(x: Node, shift: Any, axis: tuple[int, ...] | None = None) -> Node:
    if axis is None:
        return _roll(x, shift=shift, axis=None)
    axes = tuple(normal_axis(one, x.rank, "roll") for one in axis)
    shifts = shift if isinstance(shift, tuple) else (shift,) * len(axes)
    if len(shifts) != len(axes):
        raise Mismatch("E305", f"`roll` has {len(shifts)} shifts for {len(axes)} axes")
    return _roll(x, shift=shifts, axis=axes)


@composite("tile", "x, reps: sizes", "The array repeated as a whole, `reps` times along each axis.")
def tile(x: Node, reps: Any) -> Node:
    times = [Dim.of(n) for n in (reps if isinstance(reps, tuple) else (reps,))]
    rank = max(len(times), x.rank)
    times = [Dim.of(1)] * (rank - len(times)) + times
    sizes = [Dim.of(1)] * (rank - x.rank) + list(x.shape)
    pairs = list(zip(times, sizes, strict=True))
    parted = reshape(x, shape=tuple(axis for _, size in pairs for axis in (Dim.of(1), size)))
    repeated = broadcast_to(parted, shape=tuple(axis for pair in pairs for axis in pair))
    return reshape(repeated, shape=tuple(known_facts().normal(n * size) for n, size in pairs))


@composite(
    "repeat_elements", "x, repeats: int, axis: axis", "Each position of an axis `repeats` times."
)
def repeat_elements(x: Node, repeats: Dim, axis: int) -> Node:
    place = normal_axis(axis, x.rank, "repeat_elements")
    before, after = x.shape[: place + 1], x.shape[place + 1 :]
    repeated = broadcast_to(expand(x, axes=(place + 1,)), shape=(*before, repeats, *after))
    total = known_facts().normal(x.shape[place] * repeats)
    return reshape(repeated, shape=(*x.shape[:place], total, *after))


# ---- padding ---------------------------------------------------------------------------------


def _pads(width: Any, rank: int) -> Pads:
    """NumPy's three ways to say how wide: a number, [before, after], or that for each axis."""
    if not isinstance(width, tuple):
        width = (width, width)
    if len(width) == 2 and not any(isinstance(one, tuple) for one in width):
        width = (width,) * rank
    pairs = [one if isinstance(one, tuple) else () for one in width]
    if len(pairs) != rank or any(
        len(pair) != 2 or not all(isinstance(n, Dim | int) for n in pair) for pair in pairs
    ):
        raise Mismatch(
            "E305", f"`pad` needs a number, [before, after], or such a pair for each of {rank} axes"
        )
    found = tuple((Dim.of(before), Dim.of(after)) for before, after in pairs)
    for n in (n for pair in found for n in pair):
        demand(n, Mismatch("E305", "`pad` cannot take away: a width is negative"))
    return found


def pad_zeros(x: Node, pads: Pads) -> Node:
    """Zeros around the array."""
    if all(n.constant == 0 for pair in pads for n in pair):
        return x
    items = [("slice", (pair[0], size, 1)) for pair, size in zip(pads, x.shape, strict=True)]
    return unindex(x, items=tuple(items), shape=_grown(x.shape, pads))


def _grown(shape: Shape, pads: Pads) -> Shape:
    sizes = [before + size + after for (before, after), size in zip(pads, shape, strict=True)]
    return tuple(map(known_facts().normal, sizes))


def pad_with(x: Node, pads: Pads, value: float) -> Node:
    """Put a number around the array."""
    number = as_node(int(value) if x.type.dtype == "int" and value.is_integer() else value)
    for axis, pair in enumerate(pads):
        sizes = [(*x.shape[:axis], n, *x.shape[axis + 1 :]) for n in pair]
        sides = [
            [broadcast_to(number, shape=size)] if n.constant != 0 else []
            for n, size in zip(pair, sizes, strict=True)
        ]
        x = concat(*sides[0], x, *sides[1], axis=axis)
    return x


def _extend(x: Node, pads: Pads, mode: str) -> Node:
    """Continue the array by its own elements, one axis after the other."""
    for axis, (before, after) in enumerate(pads):
        size = x.shape[axis]
        for n in (before, after):
            used = {"edge": Dim.of(1), "reflect": n + 1}.get(mode, n)
            short = f'`pad` of mode "{mode}" by {n} needs {used} elements, an axis has {size}'
            if n.constant != 0:
                demand(size - used, Mismatch("E301", short))
        starts = {
            "edge": (Dim.of(0), size - 1),
            "reflect": (Dim.of(1), size - 1 - after),
            "symmetric": (Dim.of(0), size - after),
            "wrap": (size - before, Dim.of(0)),
        }
        sides = []
        for start, n in zip(starts[mode], (before, after), strict=True):
            side = part_of(x, axis, start, Dim.of(1) if mode == "edge" else n)
            if mode == "edge":
                side = broadcast_to(side, shape=(*x.shape[:axis], n, *x.shape[axis + 1 :]))
            elif mode != "wrap":
                side = flip(side, (axis,))
            sides.append([side] if n.constant != 0 else [])
        x = concat(*sides[0], x, *sides[1], axis=axis)
    return x


MODES = ("constant", "edge", "reflect", "symmetric", "wrap")


@composite(
    "pad",
    'x, pad_width: pads, mode: str = "constant", constant_values: float = 0.0',
    "Wider on both sides: by a number, or `edge`, `reflect`, `symmetric`, `wrap` as in NumPy.",
)
def pad(x: Node, pad_width: Any, mode: str = "constant", constant_values: float = 0.0) -> Node:
    if mode not in MODES:
        raise Mismatch("E209", f"`pad` has no mode `{mode}`", f"it has {', '.join(MODES)}")
    pads = _pads(pad_width, x.rank)
    if mode != "constant":
        return _extend(x, pads, mode)
    return pad_zeros(x, pads) if constant_values == 0 else pad_with(x, pads, constant_values)


# ---- made from nothing -------------------------------------------------------------------------


@composite("full", "shape: shape, fill_value", "One number in this shape.")
def full(fill_value: Node, shape: Sequence[Dim]) -> Node:
    if fill_value.rank:
        raise Mismatch("E301", f"`full` takes a scalar, found {fill_value.type}")
    return broadcast_to(fill_value, shape=tuple(shape))


def _linspace_transpose(ct: Node, start: Node, stop: Node, num: Dim | int) -> tuple[Node, Node]:
    """Weigh by t from 0 to 1: each point is start + t (stop - start)."""
    late = vdot(ct, linspace(0.0, 1.0, num=num))
    return OPERATORS["sum"](ct, axis=None, keepdims=False) - late, late


def _linspace_type(start: Type, stop: Type, *, num: Dim | int) -> Type:
    if start.rank or stop.rank:
        raise Mismatch("E301", f"`linspace` takes two scalars, found {start} and {stop}")
    return Type("float", (Dim.of(num),))


def _linspace_batch(node: Node, args: tuple[Node, ...], leads: tuple[bool, ...], size: Dim) -> Node:
    """start + t (stop - start) for each pair, with t from 0 to 1."""
    start, stop = (expand(x, axes=(1,)) for x in lead_all(args, leads, size))
    late = expand(linspace(0.0, 1.0, **node.attrs), axes=(0,))
    return start + late * (stop - start)


linspace: Op = linear(
    "linspace",
    infer=_linspace_type,
    kernel=Call("linspace", X, Y, Attr("num"), dtype=DTYPE),
    transpose=_linspace_transpose,
    prepare=all_to_float,
    signature="start, stop, num: int = 50",
    batch=_linspace_batch,
    doc="`num` numbers at equal distances from `start` to `stop`, both included.",
)


@composite("zeros_like", "x", "Zeros of the shape of x.")
def zeros_like(x: Node) -> Node:
    return broadcast_to(as_node(0.0), shape=x.shape)


@composite("ones_like", "x", "Ones of the shape of x.")
def ones_like(x: Node) -> Node:
    return broadcast_to(as_node(1.0), shape=x.shape)


@composite("vdot", "a, b", "The sum of the products of all elements of a and b, of equal size.")
def vdot(a: Node, b: Node) -> Node:
    if a.type.size != b.type.size:
        raise Mismatch("E301", f"`vdot` takes arrays of one size, found {a.type} and {b.type}")
    return flatten(a) @ flatten(b)
