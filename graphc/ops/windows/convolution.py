"""Convolutions over the last axes of [batch, channels, …], by windows and products.

A convolution is a product of the kernels, as rows, with the windows of its input, as columns. Its
transpose is the product with the transposed kernels, whose columns are added up where the windows
were taken; so it needs no rule of its own, and neither do its derivatives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.ir.dims import Dim
from graphc.ir.graph import Node, Op
from graphc.ir.kernel import Put, View
from graphc.ir.types import Mismatch, Shape, Type, demand, known_facts, product, same, shape_text
from graphc.ops.define.axis_maps import per_window
from graphc.ops.define.families import composite, linear, to_float
from graphc.ops.shape.moving import Pads, pad_zeros
from graphc.ops.shape.shaping import index, reshape, transpose

Dims = tuple[Dim, ...]


# ---- windows -------------------------------------------------------------------------------


def _extents(kernel: Dims, dilation: Dims) -> Dims:
    """Return how far windows reach."""
    return tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))


def counts_of(sizes: Sequence[Dim], kernel: Dims, stride: Dims, dilation: Dims) -> Dims:
    """Count the windows along each axis."""
    reaches = _extents(kernel, dilation)
    return tuple(
        known_facts().normal((size - reach) // step + 1)
        for size, reach, step in zip(sizes, reaches, stride, strict=True)
    )


def windows_type(x: Type, *, kernel: Dims, stride: Dims, dilation: Dims) -> Type:
    lead = x.rank - len(kernel)
    counts = counts_of(x.shape[lead:], kernel, stride, dilation)
    return x.with_shape((*x.shape[:lead], *counts, *kernel))


windows: Op = linear(
    "windows",
    infer=windows_type,
    kernel=View("windows"),
    transpose=lambda ct, x, kernel, stride, dilation: overlap(
        ct, shape=x.shape, stride=stride, dilation=dilation
    ),
    view_of=0,
    public=False,
    axes=per_window(1, 2),
    doc="[…, windows…, places in a window…] of the last axes.",
)
overlap: Op = linear(
    "overlap",
    infer=lambda x, *, shape, stride, dilation: x.with_shape(shape),
    kernel=Put("windows", add=True),
    transpose=lambda ct, x, shape, stride, dilation: windows(
        ct, kernel=x.shape[x.rank - len(stride) :], stride=stride, dilation=dilation
    ),
    flops=lambda node: node.args[0].type.size,
    public=False,
    axes=per_window(2, 1),
    doc="Windows added up where they were taken: the transpose of `windows`.",
)

# ---- arguments -----------------------------------------------------------------------------


def each(value: Any, rank: int, what: str, least: int = 1) -> Dims:
    """Return a number for each axis, from one number or a list."""
    values = value if isinstance(value, tuple) else (value,) * rank
    dims = tuple(Dim.of(n) for n in values if isinstance(n, Dim | int))
    if len(dims) != rank or len(values) != rank:
        raise Mismatch("E305", f"{what} is an integer, or a list of {rank}")
    for n in dims:
        demand(n - least, Mismatch("E305", f"{what} is at least {least}, found {shape_text(dims)}"))
    return dims


def margins(value: Any, rank: int, lead: int) -> Pads:
    """Widths before and after each axis: a number, one for each axis, or pairs."""
    values = value if isinstance(value, tuple) else (value,) * rank
    if len(values) != rank:
        raise Mismatch("E305", f"`pad` is an integer, or a list of {rank}")
    pairs = [each(one, 2, "each width of `pad`", 0) for one in values]
    return ((Dim.of(0), Dim.of(0)),) * lead + tuple((a, b) for a, b in pairs)


def fits(sizes: Sequence[Dim], kernel: Dims, dilation: Dims, what: str) -> None:
    for size, reach in zip(sizes, _extents(kernel, dilation), strict=True):
        message = f"the windows of `{what}` reach {reach} over an axis of {size}"
        demand(size - reach, Mismatch("E301", message))


def _groups(x: Type, w: Type, groups: Dim, channels: Dim, what: str) -> None:
    """Channels that the kernels take, `groups` times, are those of x."""
    if not same(channels * groups, x.shape[1]):
        in_groups = "" if groups == Dim.of(1) else f" in {groups} groups"
        raise Mismatch("E301", f"channels do not fit in `{what}`{in_groups}: {x} and kernels {w}")


def _ranks(x: Type, w: Type, rank: int, what: str) -> None:
    if x.rank != rank + 2 or w.rank != rank + 2:
        axes = ", ".join("HWD"[:rank] if rank > 1 else "W")
        raise Mismatch(
            "E301",
            f"`{what}` takes x: [N, C, {axes}] and w of the same rank, found {x} and {w}",
        )


# ---- convolutions --------------------------------------------------------------------------


def _convolve(
    x: Node, w: Node, rank: int, what: str, stride: Any, pad: Any, dilation: Any, groups: Dim
) -> Node:
    _ranks(x.type, w.type, rank, what)
    _groups(x.type, w.type, groups, w.shape[1], what)
    if not same(w.shape[0] // groups * groups, w.shape[0]):
        raise Mismatch("E302", f"`{what}` cannot part {w.shape[0]} kernels into {groups} groups")
    steps, spread = each(stride, rank, "`stride`"), each(dilation, rank, "`dilation`")
    kernel = w.shape[2:]
    x = pad_zeros(to_float(x), margins(pad, rank, 2))
    fits(x.shape[2:], kernel, spread, what)
    taken = windows(x, kernel=kernel, stride=steps, dilation=spread)
    counts = taken.shape[2 : 2 + rank]
    order = (0, 1, *range(2 + rank, 2 + 2 * rank), *range(2, 2 + rank))
    depth, area = product(w.shape[1:]), product(counts)
    part, grouped = _parts(groups)
    columns = reshape(transpose(taken, axes=order), shape=(x.shape[0], *grouped, depth, area))
    rows = reshape(to_float(w), shape=(*grouped, part(w.shape[0]), depth))
    return reshape(rows @ columns, shape=(x.shape[0], w.shape[0], *counts))


def _parts(groups: Dim) -> tuple[Callable[[Dim], Dim], Shape]:
    """Return a group's share of channels, and the axis that counts groups if there are several."""
    if groups == Dim.of(1):
        return (lambda size: size), ()
    return (lambda size: known_facts().normal(size // groups)), (groups,)


def _convolve_transposed(
    x: Node, w: Node, rank: int, what: str, stride: Any, pad: Any, more: Any, dilation: Any,
    groups: Dim,
) -> Node:  # fmt: skip
    _ranks(x.type, w.type, rank, what)
    if not same(x.shape[1], w.shape[0]):
        raise Mismatch("E301", f"channels do not fit in `{what}`: {x.type} and kernels {w.type}")
    if not same(w.shape[0] // groups * groups, w.shape[0]):
        raise Mismatch("E302", f"`{what}` cannot part {w.shape[0]} channels into {groups} groups")
    steps, spread = each(stride, rank, "`stride`"), each(dilation, rank, "`dilation`")
    extra = each(more, rank, "`output_padding`", 0)
    pads = margins(pad, rank, 2)
    kernel, counts = w.shape[2:], x.shape[2:]
    reaches = _extents(kernel, spread)
    sizes = tuple(
        (n - 1) * s + reach + e
        for n, s, reach, e in zip(counts, steps, reaches, extra, strict=True)
    )
    part, grouped = _parts(groups)
    depth = product(w.shape[1:])
    rows = reshape(to_float(w), shape=(*grouped, part(w.shape[0]), depth))
    values = reshape(to_float(x), shape=(x.shape[0], *grouped, part(x.shape[1]), product(counts)))
    turned = (*range(rows.rank - 2), rows.rank - 1, rows.rank - 2)
    channels = w.shape[1] * groups
    columns = reshape(
        transpose(rows, axes=turned) @ values, shape=(x.shape[0], channels, *kernel, *counts)
    )
    order = (0, 1, *range(2 + rank, 2 + 2 * rank), *range(2, 2 + rank))
    whole = overlap(
        transpose(columns, axes=order),
        shape=(x.shape[0], channels, *sizes),
        stride=steps,
        dilation=spread,
    )
    return _crop(whole, pads)


def _crop(x: Node, pads: Pads) -> Node:
    """Without the margins: the transpose of padding."""
    if all(n.constant == 0 for pair in pads for n in pair):
        return x
    for (a, b), size in zip(pads, x.shape, strict=True):
        demand(size - a - b, Mismatch("E301", f"`pad` takes {a} and {b} from an axis of {size}"))
    ranges = [(a, size - a - b, 1) for (a, b), size in zip(pads, x.shape, strict=True)]
    return index(x, items=tuple(("slice", chosen) for chosen in ranges))


ARGUMENTS = "x, w, stride: sizes = 1, pad: pads = 0, dilation: sizes = 1, groups: int = 1"
TRANSPOSED = (
    "x, w, stride: sizes = 1, pad: pads = 0, output_padding: sizes = 0, dilation: sizes = 1,"
    "groups: int = 1"
)


def _convolution(rank: int) -> None:
    name, other = f"conv{rank}d", f"conv_transpose{rank}d"
    axes = ", ".join("DHW"[-rank:])

    @composite(
        name,
        ARGUMENTS,
        f"Cross-correlation of x: [N, C, {axes}] with kernels w: [F, C / groups, {axes.lower()}].",
    )
    def build(
        x: Node,
        w: Node,
        stride: Any = 1,
        pad: Any = 0,
        dilation: Any = 1,
        groups: Dim | int = 1,
    ) -> Node:
        return _convolve(x, w, rank, name, stride, pad, dilation, Dim.of(groups))

    @composite(
        other,
        TRANSPOSED,
        f"The transpose of {name}: x: [N, C, {axes}], w: [C, F / groups, {axes.lower()}].",
    )
    def build_transposed(
        x: Node,
        w: Node,
        stride: Any = 1,
        pad: Any = 0,
        output_padding: Any = 0,
        dilation: Any = 1,
        groups: Dim | int = 1,
    ) -> Node:
        return _convolve_transposed(
            x, w, rank, other, stride, pad, output_padding, dilation, Dim.of(groups)
        )


for _rank in (1, 2, 3):
    _convolution(_rank)
