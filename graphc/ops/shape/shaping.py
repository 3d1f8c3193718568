"""Operations that move elements without computing: their transposes move them back."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate as running
from typing import Any

from graphc.ir.dims import Dim
from graphc.ir.graph import OPERATORS, AxisMap, Node, Op, as_node
from graphc.ir.items import Items, along, choose_all, chosen_shape, every, whole_axes
from graphc.ir.kernel import AXIS, DTYPE, SHAPE, Attr, Call, Put, Rest, View
from graphc.ir.types import (
    Mismatch,
    Shape,
    Type,
    is_one,
    known_facts,
    product,
    promote,
    same,
    shape_text,
)
from graphc.limits import PARTS
from graphc.ops.define.axis_maps import from_the_right, reshape_help
from graphc.ops.define.batching import pad_rank, with_attrs
from graphc.ops.define.families import (
    composite,
    constant,
    linear,
    normal_axis,
    stretched_axes,
    to_float,
)

# ---- axes --------------------------------------------------------------------------------


def _transpose_type(x: Type, *, axes: tuple[int, ...]) -> Type:
    return x.with_shape([x.shape[axis] for axis in axes])


transpose: Op = linear(
    "permute",
    infer=_transpose_type,
    kernel=View("permuted"),
    transpose=lambda ct, x, axes: transpose(
        ct, axes=tuple(axes.index(i) for i in range(len(axes)))
    ),
    view_of=0,
    public=False,
    batch=with_attrs(lambda size, x, axes: {"axes": (0, *(axis + 1 for axis in axes))}),
    axes=lambda node: (tuple(node.attrs["axes"].index(i) for i in range(node.rank)),),
    doc="The axes in another order.",
)


@composite("transpose", "x, axes: ints = none", "The axes in another order; by default reversed.")
def permute_axes(x: Node, axes: Sequence[Dim] | None = None) -> Node:
    wanted = range(x.rank - 1, -1, -1) if axes is None else [axis.constant or 0 for axis in axes]
    order = tuple(normal_axis(axis, x.rank, "transpose") for axis in wanted)
    if sorted(order) != list(range(x.rank)):
        raise Mismatch(
            "E305",
            f"`transpose` needs every axis of {shape_text(x.shape)} once, "
            f"found {shape_text(axes or ())}",
        )
    return in_order(x, order)


in_rows: Op = linear(
    "in_rows",
    infer=lambda x: x,
    kernel=View("rows"),
    transpose=lambda ct, x: ct,
    view_of=0,
    public=False,
    axes=from_the_right,
    doc="Its argument, row by row in memory: what is computed of it element by element is so too.",
)


def in_order(x: Node, axes: Sequence[int]) -> Node:
    """Permute the axes to this order, if it is another."""
    return x if list(axes) == list(range(x.rank)) else transpose(x, axes=tuple(axes))


def swap_last(x: Node) -> Node:
    """Exchange the last two axes."""
    return transpose(x, axes=(*range(x.rank - 2), x.rank - 1, x.rank - 2))


def _expand_type(x: Type, *, axes: tuple[int, ...]) -> Type:
    rest = iter(x.shape)
    return x.with_shape([1 if i in axes else next(rest) for i in range(x.rank + len(axes))])


expand: Op = linear(
    "expand",
    infer=_expand_type,
    kernel=View("expanded"),
    transpose=lambda ct, x, axes: reshape(ct, shape=x.shape),
    view_of=0,
    public=False,
    batch=with_attrs(lambda size, x, axes: {"axes": tuple(axis + 1 for axis in axes)}),
    axes=lambda node: (tuple(i for i in range(node.rank) if i not in node.attrs["axes"]),),
    doc="New axes of length 1 at these places of the result.",
)

# ---- shapes -------------------------------------------------------------------------------


def _reshape_type(x: Type, *, shape: Shape) -> Type:
    if not same(x.size, product(shape)):
        raise Mismatch(
            "E302",
            f"cannot reshape {x} to {shape_text(shape)}: "
            f"{x.size} against {product(shape)} elements",
            reshape_help(x.size, shape),
        )
    return x.with_shape(shape)


def _reshape_axes(node: Node) -> AxisMap:
    """Axes of one size with as many elements before them, and so as many after them."""
    before, after = node.args[0].shape, node.shape
    strides = [product(after[:i]) for i in range(len(after))]
    return (
        tuple(
            next(
                (
                    j
                    for j, other in enumerate(after)
                    if same(size, other) and same(product(before[:i]), strides[j])
                ),
                None,
            )
            for i, size in enumerate(before)
        ),
    )


reshape: Op = linear(
    "reshape",
    infer=_reshape_type,
    kernel=View("reshaped"),
    transpose=lambda ct, x, shape: reshape(ct, shape=x.shape),
    signature="x, shape: shape",
    view_of=0,
    axes=_reshape_axes,
    doc="The same elements, in row-major order, in another shape.",
)


def _broadcast(x: Type, *, shape: Shape) -> Type:
    lead = len(shape) - x.rank
    if lead < 0 or any(
        not (same(a, b) or is_one(a)) for a, b in zip(x.shape, shape[lead:], strict=True)
    ):
        raise Mismatch("E301", f"{x} does not broadcast to {shape_text(shape)}")
    return x.with_shape(shape)


broadcast_to: Op = linear(
    "broadcast_to",
    infer=_broadcast,
    kernel=View("repeated"),
    transpose=lambda ct, x, shape: unbroadcast(ct, x.type),
    signature="x, shape: shape",
    view_of=0,
    batch=lambda node, args, leads, size: broadcast_to(
        pad_rank(args[0], 1, node.rank + 1), shape=(size, *node.shape)
    ),
    axes=from_the_right,
    doc="Repeated along new and length-1 axes to this shape.",
)


def unbroadcast(ct: Node, type: Type) -> Node:
    """Transpose broadcasting: sum along the axes that were stretched."""
    axes = stretched_axes(type, ct.type)
    if not axes:
        return ct
    summed = OPERATORS["sum"](ct, axis=axes, keepdims=False)
    lead = ct.rank - type.rank
    ones = tuple(axis - lead for axis in axes if axis >= lead)
    return expand(summed, axes=ones) if ones else summed


# ---- parts -----------------------------------------------------------------------------------


def _index_type(x: Type, *, items: Items) -> Type:
    return x.with_shape(chosen_shape(items))


def _index_axes(node: Node) -> AxisMap:
    x = node.args[0]
    chosen = whole_axes(node.attrs["items"], x.shape)
    return (tuple(chosen.index(i) if i in chosen else None for i in range(x.rank)),)


index: Op = linear(
    "index",
    infer=_index_type,
    kernel=View("items"),
    transpose=lambda ct, x, items: unindex(ct, items=items, shape=x.shape),
    view_of=0,
    public=False,
    axes=_index_axes,
    doc="Chosen positions and ranges, an item for each axis.",
)
unindex: Op = linear(
    "unindex",
    infer=lambda ct, *, items, shape: ct.with_shape(shape),
    kernel=Put("items"),
    transpose=lambda ct, x, items, shape: index(ct, items=items),
    public=False,
    axes=lambda node: (tuple(whole_axes(node.attrs["items"], node.shape)),),
    doc="Zeros, but for these positions and ranges: the transpose of `index`.",
)


def _concatenate_type(*types: Type, axis: int) -> Type:
    first = types[0]
    for other in types[1:]:
        rest = [
            (a, b)
            for i, (a, b) in enumerate(zip(first.shape, other.shape, strict=False))
            if i != axis
        ]
        if other.rank != first.rank or not all(same(a, b) for a, b in rest):
            raise Mismatch(
                "E301", f"shapes do not fit in `concat` along axis {axis}: {first} and {other}"
            )
    total = known_facts().normal(sum((t.shape[axis] for t in types[1:]), types[0].shape[axis]))
    shape = [total if i == axis else a for i, a in enumerate(first.shape)]
    return Type(promote([t.dtype for t in types]), first.with_shape(shape).shape)


def _unconcatenate(ct: Node, *parts: Node, axis: int) -> tuple[Node, ...]:
    sizes = [part.shape[axis] for part in parts]
    starts = running(sizes, initial=Dim.of(0))
    return tuple(part_of(ct, axis, start, size) for start, size in zip(starts, sizes, strict=False))


def choose(x: Node, items: Items) -> Node:
    """Return what items choose of an array, which is itself where they choose all of it."""
    return x if choose_all(items, x.shape) else index(x, items=items)


def part_of(x: Node, axis: int, start: Dim, length: Dim) -> Node:
    """Take so many positions of one axis."""
    return index(x, items=along(x.shape, axis, ("slice", (start, length, 1))))


def part_at(x: Node, axis: int, position: Dim) -> Node:
    """Take one position of an axis, which goes."""
    return index(x, items=along(x.shape, axis, ("at", position)))


concatenate: Op = linear(
    "concatenate",
    infer=_concatenate_type,
    kernel=Call("concatenate", Rest(0), axis=AXIS),
    transpose=_unconcatenate,
    prepare=lambda args: (
        tuple(map(to_float, args)) if any(a.type.dtype == "float" for a in args) else args
    ),
    public=False,
    doc="Arrays one after the other.",
)


@composite("concat", "*xs, axis: axis = -1", "Arrays joined along an axis that they have.")
def concat(*xs: Node, axis: int = -1) -> Node:
    if not xs:
        raise Mismatch("E209", "`concat` needs at least one argument")
    return concatenate(*xs, axis=normal_axis(axis, xs[0].rank, "concat")) if len(xs) > 1 else xs[0]


@composite("stack", "*xs, axis: axis = 0", "Arrays joined along a new axis.")
def stack(*xs: Node, axis: int = 0) -> Node:
    if not xs:
        raise Mismatch("E209", "`stack` needs at least one argument")
    for x in xs:
        if len(x.shape) != xs[0].rank or not all(map(same, x.shape, xs[0].shape)):
            shown = f"{shape_text(xs[0].shape)} and {shape_text(x.shape)}"
            raise Mismatch("E301", f"`stack` takes arrays of one shape, found {shown}")
    place = normal_axis(axis, xs[0].rank + 1, "stack")
    return concat(*(expand(x, axes=(place,)) for x in xs), axis=place)


@composite("split", "x, n: int, axis: axis = -1", "n equal parts along an axis, in order.")
def split(x: Node, n: Dim, axis: int = -1) -> tuple[Node, ...]:
    place = normal_axis(axis, x.rank, "split")
    parts = n.constant
    if parts is None or not 1 <= parts <= PARTS:
        raise Mismatch("E209", f"`split` makes from 1 to {PARTS} parts, found {n}")
    size = known_facts().normal(x.shape[place] // parts)
    if not same(size * parts, x.shape[place]):
        message = f"axis {place} of {x.type} does not split into {parts} equal parts"
        fact = f"if it does, say so: `require {x.shape[place]} % {parts} == 0`"
        raise Mismatch("E302", message, None if x.shape[place].constant is not None else fact)
    return tuple(part_of(x, place, size * i, size) for i in range(parts))


@composite("flatten", "x, start: int = 0", "All axes from `start` on made one.")
def flatten(x: Node, start: Dim | int = 0) -> Node:
    first = int(Dim.of(start).constant or 0)
    return reshape(x, shape=(*x.shape[:first], product(x.shape[first:])))


leading: Op = linear(
    "leading",
    infer=lambda x, *, count: x.with_shape((count, *x.shape[1:])),
    kernel=View("first"),
    transpose=lambda ct, x, count: unindex(
        ct,
        items=every(ct.shape),
        shape=x.shape,
    ),
    view_of=0,
    public=False,
    batch=lambda node, args, leads, size: part_of(args[0], 1, Dim.of(0), node.attrs["count"]),
    axes=lambda node: ((None, *range(1, node.rank)),),
    doc="The first rows of an array that was made for a few more.",
)


# ---- made from nothing ----------------------------------------------------------------------


full_array: Op = constant(
    "full",
    infer=lambda *, shape, value: Type("float", shape),
    kernel=Call("full", SHAPE, Attr("value"), DTYPE),
    signature="",
    public=False,
    doc="One number everywhere, as an array of its own.",
)


def filled(value: float, shape: Shape) -> Node:
    """Make an array of one number that may be written to."""
    return full_array(shape=shape, value=value) if shape else as_node(value)


@composite("zeros", "shape: shape", "Zeros of this shape.")
def zeros(shape: Shape) -> Node:
    return broadcast_to(as_node(0.0), shape=shape)


@composite("ones", "shape: shape", "Ones of this shape.")
def ones(shape: Shape) -> Node:
    return broadcast_to(as_node(1.0), shape=shape)


@composite("len", "items: list, /", "How many items a list known at compile time has.")
def length(items: tuple[Any, ...]) -> Dim:
    return Dim.of(len(items))


arange: Op = constant(
    "arange",
    infer=lambda *, n: Type("int", (Dim.of(n),)),
    kernel=Call("arange", Attr("n")),
    signature="n: int",
    doc="The integers 0 to n - 1.",
)

OPERATORS.update(
    T=permute_axes, reshape=reshape, permute=transpose, expand=expand, broadcast_to=broadcast_to
)
