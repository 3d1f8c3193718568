"""Convolutions and pooling of ONNX, in the language."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.importing.items import Value
from graphc.importing.onnx.reading import Given, Node, of
from graphc.ir.dims import Dim


def padding(
    node: Node, sizes: Sequence[Dim], kernel: Sequence[int], strides: Sequence[int],
    dilations: Sequence[int],
) -> list[tuple[int, int]]:  # fmt: skip
    """Return what is added before and behind each axis, as `auto_pad` or `pads` say."""
    auto, rank = node.get("auto_pad", "NOTSET"), len(kernel)
    if auto == "VALID":
        return [(0, 0)] * rank
    if auto == "NOTSET":
        pads = list(node.get("pads", [0] * 2 * rank))
        return list(zip(pads[:rank], pads[rank:], strict=True))
    found = list[tuple[int, int]]()
    for size, length, step, spread in zip(sizes, kernel, strides, dilations, strict=True):
        known = size.constant
        if known is None:
            raise node.mistake("the padding is to be found for an axis of open size")
        total = max((-(-known // step) - 1) * step + (length - 1) * spread + 1 - known, 0)
        low = total // 2 if auto == "SAME_UPPER" else total - total // 2
        found.append((low, total - low))
    return found


def _padded(node: Node, x: Value, pads: Sequence[tuple[int, int]], fill: float = 0.0) -> Value:
    if not any(low or high for low, high in pads):
        return x
    wide = [[0, 0], [0, 0], *map(list, pads)]
    named = {"constant_values": fill} if fill else {}
    return node.sheet.call("pad", x, wide, **named)


def _plain(numbers: Sequence[int]) -> Any:
    """Return one number for equal ones; None for the default 1."""
    same = len({*numbers}) == 1
    return (None if numbers[0] == 1 else numbers[0]) if same else list(numbers)


@of("Conv")
def _conv(node: Node, x: Given, w: Given, b: Given = None) -> Value:
    found, kernel, sheet = node.typed(x), node.typed(w), node.sheet
    rank = found.rank - 2
    if rank not in (1, 2, 3):
        raise node.mistake(f"there is no convolution over {rank} axes")
    lengths = [axis.constant for axis in kernel.shape[2:]]
    if None in lengths:
        raise node.mistake("the size of a kernel is open")
    strides, dilations = (list(node.get(name, [1] * rank)) for name in ("strides", "dilations"))
    pads = padding(node, found.shape[2:], lengths, strides, dilations)  # type: ignore[arg-type]
    even = all(low == high for low, high in pads)
    width: Any = None
    if even:
        width = _plain([low for low, _ in pads]) if any(low for low, _ in pads) else None
        width = 1 if width is None and pads[0][0] == 1 else width
    else:
        found = _padded(node, found, pads)
    groups = node.get("group", 1)
    done = sheet.call(
        f"conv{rank}d", found, kernel, stride=_plain(strides), pad=width,
        dilation=_plain(dilations), groups=groups if groups > 1 else None,
    )  # fmt: skip
    return done if b is None else sheet.binary("+", done, _channels(node, b, rank))


def _channels(node: Node, b: Given, rank: int) -> Value:
    return node.sheet.subscript(node.typed(b), slice(None), *[None] * rank)


@of("ConvTranspose")
def _transpose(node: Node, x: Given, w: Given, b: Given = None) -> Value:
    found, kernel, sheet = node.typed(x), node.typed(w), node.sheet
    rank = found.rank - 2
    lengths = [int(axis.constant or 0) for axis in kernel.shape[2:]]
    strides, dilations = (list(node.get(name, [1] * rank)) for name in ("strides", "dilations"))
    extra = list(node.get("output_padding", [0] * rank))
    groups = node.get("group", 1)
    done = sheet.call(
        f"conv_transpose{rank}d", found, kernel, stride=_plain(strides),
        dilation=_plain(dilations), groups=groups if groups > 1 else None,
    )  # fmt: skip
    full = [
        step * (int(size.constant or 0) - 1) + (length - 1) * spread + 1
        for size, length, step, spread in zip(
            found.shape[2:], lengths, strides, dilations, strict=True
        )
    ]
    shape, auto = node.get("output_shape"), node.get("auto_pad", "NOTSET")
    pads = list(node.get("pads", [0] * 2 * rank))
    pairs = list(zip(pads[:rank], pads[rank:], strict=True))
    if shape is None and auto.startswith("SAME"):
        shape = [
            int(size.constant or 0) * step
            for size, step in zip(found.shape[2:], strides, strict=True)
        ]
    if shape is not None:
        totals = [size + more - want for size, more, want in zip(full, extra, shape, strict=True)]
        pairs = [
            (total // 2, total - total // 2) if auto != "SAME_UPPER" and auto != "NOTSET"
            else (total - total // 2, total // 2) if auto == "NOTSET"
            else (total // 2, total - total // 2)
            for total in totals
        ]  # fmt: skip
        if auto == "SAME_LOWER":
            pairs = [(high, low) for low, high in pairs]
    if any(extra):
        done = sheet.call("pad", done, [[0, 0], [0, 0], *([0, more] for more in extra)])
    if any(low < 0 or high < 0 for low, high in pairs):
        grown = [[max(-low, 0), max(-high, 0)] for low, high in pairs]
        done = sheet.call("pad", done, [[0, 0], [0, 0], *grown])
        pairs = [(max(low, 0), max(high, 0)) for low, high in pairs]
    if any(low or high for low, high in pairs):
        cut = [slice(low or None, -high or None) for low, high in pairs]
        done = sheet.subscript(done, slice(None), slice(None), *cut)
    return done if b is None else sheet.binary("+", done, _channels(node, b, rank))


@of("MaxPool", "AveragePool", "LpPool")
def _pool(node: Node, x: Given) -> list[Value]:
    """Write a reduction of windows as one over shifted copies, which any rank and step has."""
    found = node.typed(x)
    kernel = list(node.get("kernel_shape"))
    rank = len(kernel)
    if len(node.outputs) > 1:
        raise node.mistake("the positions of maxima have no counterpart in the language")
    strides, dilations = (list(node.get(name, [1] * rank)) for name in ("strides", "dilations"))
    pads = padding(node, found.shape[2:], kernel, strides, dilations)
    if node.get("ceil_mode", 0):
        pads = [
            _raised(node, size, length, step, spread, pad)
            for size, length, step, spread, pad in zip(
                found.shape[2:], kernel, strides, dilations, pads, strict=True
            )
        ]
    own = padding(node, found.shape[2:], kernel, strides, dilations)
    pooled = POOLED[node.op]
    return [pooled(node, found, kernel, strides, dilations, pads, own)]


def _raised(
    node: Node, size: Dim, length: int, step: int, spread: int, pad: tuple[int, int]
) -> tuple[int, int]:
    """Return the padding with which a last window that only begins inside is whole."""
    known = size.constant
    if known is None:
        raise node.mistake("the number of windows is rounded up for an axis of open size")
    reach = known + pad[0] + pad[1] - (length - 1) * spread - 1
    count = -(-reach // step) + 1
    if (count - 1) * step >= known + pad[0]:
        count -= 1
    return pad[0], max((count - 1) * step + (length - 1) * spread + 1 - known - pad[0], 0)


def _taps(
    node: Node, padded: Value, kernel: Sequence[int], strides: Sequence[int],
    dilations: Sequence[int],
) -> list[Value]:  # fmt: skip
    """Return a value for each place of a window: what all windows have there."""
    spans = [
        (size - (length - 1) * spread - 1) // step + 1
        for size, length, step, spread in zip(
            padded.shape[2:], kernel, strides, dilations, strict=True
        )
    ]
    found = list[list[Any]]([[]])
    for length, step, spread, span in zip(kernel, strides, dilations, spans, strict=True):
        found = [
            [
                *before,
                slice(at * spread, (span - 1) * step + at * spread + 1, step if step > 1 else None),
            ]
            for before in found
            for at in range(length)
        ]
    return [node.sheet.subscript(padded, slice(None), slice(None), *parts) for parts in found]


def _joined(node: Node, values: Sequence[Value], operator: str) -> Value:
    total = values[0]
    for one in values[1:]:
        total = (
            node.sheet.call(operator, total, one) if operator == "maximum"
            else node.sheet.binary(operator, total, one)
        )  # fmt: skip
    return total


def _max(
    node: Node, x: Value, kernel: Any, strides: Any, dilations: Any, pads: Any, own: Any
) -> Value:
    plain = all(low == high for low, high in pads) and len(kernel) == 2
    widths = [low for low, _ in pads]
    if (
        plain
        and x.dtype == "float"
        and all(2 * w <= k for w, k in zip(widths, kernel, strict=True))
    ):
        width = widths[0] if len({*widths}) == 1 else widths
        return node.sheet.call(
            "maxpool", x, kernel[0] if len({*kernel}) == 1 else kernel,
            stride=strides[0] if len({*strides}) == 1 else strides,
            pad=width or None, dilation=_plain(dilations),
        )  # fmt: skip
    if x.dtype != "float":
        if any(low or high for low, high in pads):
            raise node.mistake("maxima of integers beyond the border")
        return _joined(node, _taps(node, x, kernel, strides, dilations), "maximum")
    padded = _padded(node, x, pads, float("-inf"))
    return _joined(node, _taps(node, padded, kernel, strides, dilations), "maximum")


def _average(
    node: Node, x: Value, kernel: Any, strides: Any, dilations: Any, pads: Any, own: Any
) -> Value:
    sheet = node.sheet
    total = _joined(node, _taps(node, _padded(node, x, pads), kernel, strides, dilations), "+")
    counted = 1
    for length in kernel:
        counted *= length
    if not any(low or high for low, high in pads):
        return sheet.binary("/", total, counted)
    if node.get("count_include_pad", 0) and list(pads) == list(own):
        return sheet.binary("/", total, counted)
    inside = sheet.call("ones", list(x.shape[2:]))
    wide = sheet.subscript(inside, None, None)
    if node.get("count_include_pad", 0):
        wide = sheet.call("pad", wide, [[0, 0], [0, 0], *map(list, own)], constant_values=1.0)
        more = [(low[0] - mine[0], low[1] - mine[1]) for low, mine in zip(pads, own, strict=True)]
        wide = _padded(node, wide, more)
    else:
        wide = _padded(node, wide, pads)
    counts = _joined(node, _taps(node, wide, kernel, strides, dilations), "+")
    return sheet.binary("/", total, counts)


def _norm(
    node: Node, x: Value, kernel: Any, strides: Any, dilations: Any, pads: Any, own: Any
) -> Value:
    sheet, p = node.sheet, node.get("p", 2)
    size = sheet.call("abs", _padded(node, x, pads))
    powers = sheet.binary("**", size, p)
    total = _joined(node, _taps(node, powers, kernel, strides, dilations), "+")
    return sheet.binary("**", total, 1 / p)


POOLED = {"MaxPool": _max, "AveragePool": _average, "LpPool": _norm}


@of("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
def _global(node: Node, x: Given) -> Value:
    found, sheet = node.typed(x), node.sheet
    axes: Any = list(range(2, found.rank))
    axes = axes[0] if len(axes) == 1 else axes
    if node.op == "GlobalLpPool":
        powers = sheet.binary("**", sheet.call("abs", found), node.get("p", 2))
        total = sheet.call("sum", powers, axis=axes, keepdims=True)
        return sheet.binary("**", total, 1 / node.get("p", 2))
    name = "mean" if node.op == "GlobalAveragePool" else "max"
    return sheet.call(name, found, axis=axes, keepdims=True)
