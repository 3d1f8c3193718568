"""Operators of ATen that go over windows, or read at other positions, in the language."""

from __future__ import annotations

from typing import Any

from graphc.importing.items import Value
from graphc.importing.torch.reading import OPERATORS, Reading, of


def _plain(numbers: Any) -> Any:
    listed = [numbers] if isinstance(numbers, int) else list(numbers)
    return listed[0] if len({*listed}) == 1 else listed


def _unless(default: int, numbers: Any) -> Any:
    found = _plain(numbers)
    return None if found == default else found


def _biased(r: Reading, found: Value, b: Any, rank: int) -> Value:
    """Add a number to each channel, where there are any to add."""
    if b is None:
        return found
    return r.sheet.binary("+", found, r.sheet.subscript(b, slice(None), *[None] * rank))


def _conv(rank: int) -> Any:
    def write(
        r: Reading, x: Value, w: Value, b: Any = None, stride: Any = 1, padding: Any = 0,
        dilation: Any = 1, groups: int = 1,
    ) -> Value:  # fmt: skip
        if isinstance(padding, str):
            raise r.sheet.mistake(f"padding is {padding!r}", "give its width")
        found = r.sheet.call(
            f"conv{rank}d", x, w, stride=_unless(1, stride), pad=_plain(padding) or None,
            dilation=_unless(1, dilation), groups=groups if groups > 1 else None,
        )  # fmt: skip
        return _biased(r, found, b, rank)

    return write


for _rank in (1, 2, 3):
    OPERATORS[f"aten.conv{_rank}d"] = _conv(_rank)


def _conv_transpose(rank: int) -> Any:
    def write(
        r: Reading, x: Value, w: Value, b: Any = None, stride: Any = 1, padding: Any = 0,
        extra: Any = 0, groups: int = 1, dilation: Any = 1,
    ) -> Value:  # fmt: skip
        found = r.sheet.call(
            f"conv_transpose{rank}d", x, w, stride=_unless(1, stride), pad=_unless(0, padding),
            output_padding=_unless(0, extra), dilation=_unless(1, dilation),
            groups=groups if groups > 1 else None,
        )  # fmt: skip
        return _biased(r, found, b, rank)

    return write


for _rank in (1, 2, 3):
    OPERATORS[f"aten.conv_transpose{_rank}d"] = _conv_transpose(_rank)


def _resized(method: str | None) -> Any:
    def write(r: Reading, x: Value, size: Any, *given: Any) -> Value:
        corners = given[0] if method != "nearest" and given and given[0] is True else None
        scales = given[-1] if given and isinstance(given[-1], list) else None
        held = x.shape[2:]
        if size is None:
            if not all(float(one).is_integer() for one in scales or [0.5]):
                raise r.sheet.mistake("an axis is scaled by a number that is not whole")
            sizes = [axis * int(one) for axis, one in zip(held, scales or [], strict=True)]
        else:
            sizes = r.sizes(size)
        if method != "nearest":
            return r.sheet.call("resize", x, sizes, method=method, align_corners=corners)
        for place, (axis, into) in enumerate(zip(held, sizes, strict=True), 2):
            times = into // axis
            if times.constant is None or axis * times != into:
                raise r.sheet.mistake("the nearest element is that of a whole multiple alone")
            x = r.sheet.call("repeat_elements", x, times.constant, place)
        return x

    return write


for _rank in (1, 2, 3):
    OPERATORS[f"aten.upsample_nearest{_rank}d"] = _resized("nearest")
OPERATORS["aten.upsample_linear1d"] = OPERATORS["aten.upsample_bilinear2d"] = _resized(None)
OPERATORS["aten.upsample_trilinear3d"] = _resized(None)
OPERATORS["aten.upsample_bicubic2d"] = _resized("cubic")


@of("aten.grid_sampler", "aten.grid_sampler_2d")
def _grid_sampler(
    r: Reading, x: Value, grid: Value, mode: int, padding: int, corners: bool
) -> Value:
    if mode == 1 or padding == 2:
        raise r.sheet.mistake("the nearest element of a grid, and a mirrored border, differ here")
    return r.sheet.call(
        "grid_sample", x, grid, method={0: None, 2: "cubic"}[mode],
        padding={0: None, 1: "border"}[padding], align_corners=True if corners else None,
    )  # fmt: skip


@of("aten.convolution")
def _convolution(
    r: Reading, x: Value, w: Value, b: Any, stride: Any, padding: Any, dilation: Any,
    transposed: bool, extra: Any, groups: int,
) -> Value:  # fmt: skip
    if transposed:
        rest = (b, stride, padding, extra, groups, dilation)
        turned: Value = _conv_transpose(x.rank - 2)(r, x, w, *rest)
        return turned
    found: Value = _conv(x.rank - 2)(r, x, w, b, stride, padding, dilation, groups)
    return found


@of("aten.max_pool2d")
def _max_pool(
    r: Reading, x: Value, size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
    ceil: bool = False,
) -> Value:  # fmt: skip
    if ceil:
        raise r.sheet.mistake("the number of windows is rounded up")
    step = _plain(stride) if stride else None
    wide = _plain(dilation)
    return r.sheet.call(
        "maxpool", x, _plain(size), stride=step, pad=_plain(padding) or None,
        dilation=wide if wide != 1 else None,
    )  # fmt: skip


@of("aten.avg_pool2d")
def _avg_pool(
    r: Reading, x: Value, size: Any, stride: Any = None, padding: Any = 0, ceil: bool = False,
    counted: bool = True, *_: Any,
) -> Value:  # fmt: skip
    if ceil or (not counted and _plain(padding) != 0):
        raise r.sheet.mistake("this kind of average has no counterpart in the language")
    step = _plain(stride) if stride else None
    return r.sheet.call("avgpool", x, _plain(size), stride=step, pad=_plain(padding) or None)


@of("aten.adaptive_avg_pool2d", "aten._adaptive_avg_pool2d")
def _adaptive(r: Reading, x: Value, size: Any) -> Value:
    if list(size) != [1, 1]:
        raise r.sheet.mistake("an average over windows of several sizes")
    return r.sheet.call("mean", x, axis=[-2, -1], keepdims=True)


@of("aten.pad", "aten.constant_pad_nd")
def _pad(r: Reading, x: Value, widths: Any, mode: Any = "constant", number: Any = None) -> Value:
    if not isinstance(mode, str):
        mode, number = "constant", mode
    pairs = [[0, 0] for _ in range(x.rank)]
    for place in range(len(widths) // 2):
        pairs[-1 - place] = [widths[2 * place], widths[2 * place + 1]]
    named = {"constant_values": float(number)} if number else {}
    called = {"constant": None, "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    return r.sheet.call("pad", x, pairs, mode=called[mode], **named)
