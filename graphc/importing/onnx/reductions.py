"""Reductions, softmaxes and normalisations of ONNX, in the language."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.importing.items import Value
from graphc.importing.onnx.elementwise import float32
from graphc.importing.onnx.reading import OPERATORS, Given, Node, of

REDUCED = {
    "ReduceSum": "sum", "ReduceMean": "mean", "ReduceMax": "max", "ReduceMin": "min",
    "ReduceProd": "prod", "ReduceLogSumExp": "logsumexp",
}  # fmt: skip


def _axes(node: Node, axes: Given, rank: int) -> list[int] | None:
    """Return the axes of a reduction; None is all, an empty list none."""
    listed = node.get("axes")
    if axes is not None:
        listed = node.sizes(axes, "the axes")
    if listed is None or not list(listed):
        return [] if node.get("noop_with_empty_axes", 0) else None
    found = sorted(int(one) % rank for one in listed)
    return None if len(found) == rank else found


def _reduced(node: Node, name: str, found: Value, axes: Given, **named: Any) -> Value:
    along = _axes(node, axes, found.rank)
    if along == []:
        return found
    axis: Any = along[0] if along is not None and len(along) == 1 else along
    kept = True if node.get("keepdims", 1) else None
    return node.sheet.call(name, found, axis=axis, keepdims=kept if found.rank else None, **named)


def _reduction(name: str) -> Callable[..., Value]:
    def write(node: Node, x: Given, axes: Given = None) -> Value:
        found = node.typed(x)
        if found.dtype == "bool":  # a maximum of truth values
            name_ = {"max": "any", "min": "all"}[name]
            return _reduced(node, name_, found, axes)
        return _reduced(node, name, found, axes)

    return write


OPERATORS.update((op, _reduction(name)) for op, name in REDUCED.items())


@of("ReduceL1")
def _l1(node: Node, x: Given, axes: Given = None) -> Value:
    return _reduced(node, "sum", node.sheet.call("abs", node.value(x)), axes)


@of("ReduceL2")
def _l2(node: Node, x: Given, axes: Given = None) -> Value:
    return _reduced(node, "norm", node.typed(x), axes)


@of("ReduceSumSquare")
def _sum_square(node: Node, x: Given, axes: Given = None) -> Value:
    return _reduced(node, "sum", node.sheet.binary("**", node.value(x), 2), axes)


@of("ReduceLogSum")
def _log_sum(node: Node, x: Given, axes: Given = None) -> Value:
    return node.sheet.call("log", _reduced(node, "sum", node.typed(x), axes))


@of("ArgMax", "ArgMin")
def _arg(node: Node, x: Given) -> Value:
    found, axis = node.typed(x), node.get("axis", 0)
    kept, sheet = True if node.get("keepdims", 1) else None, node.sheet
    name = node.op.lower()
    if not node.get("select_last_index", 0):
        return sheet.call(name, found, axis=axis, keepdims=kept)
    last = found.shape[axis] - 1
    return sheet.binary("-", last, sheet.call(name, sheet.call("flip", found, axis=axis),
                                              axis=axis, keepdims=kept))  # fmt: skip


@of("Softmax", "LogSoftmax", "Hardmax")
def _softmax(node: Node, x: Given) -> Value:
    found, sheet = node.typed(x), node.sheet
    axis = node.get("axis", -1 if node.reading.opset >= 13 else 1)
    name = {"Softmax": "softmax", "LogSoftmax": "log_softmax"}.get(node.op)
    if node.reading.opset < 13:
        shape = list(found.shape)
        flat = sheet.call("reshape", found, [_size(shape[:axis]), _size(shape[axis:])])
        if name is None:
            raise node.mistake("Hardmax before opset 13")
        return sheet.call("reshape", sheet.call(name, flat, axis=-1), shape)
    if name is not None:
        return sheet.call(name, found, axis=axis)
    best = sheet.call("argmax", found, axis=axis, keepdims=True)
    places = sheet.call("arange", found.shape[axis])
    rank = found.rank
    behind = rank - axis % rank - 1
    places = sheet.subscript(places, slice(None), *[None] * behind) if behind else places
    return sheet.call("where", sheet.binary("==", places, best), 1.0, 0.0)


def _size(shape: list[Any]) -> Any:
    total: Any = 1
    for one in shape:
        total = one * total
    return total


@of("CumSum", "CumProd")
def _running(node: Node, x: Given, axis: Given) -> Value:
    found, sheet, name = node.typed(x), node.sheet, node.op.lower()
    along = int(node.number(axis, "the axis")) % found.rank
    reverse = node.get("reverse", 0)
    if reverse:
        found = sheet.call("flip", found, axis=along)
    done = sheet.call(name, found, axis=along)
    if node.get("exclusive", 0):
        before = [slice(None)] * along
        first = sheet.subscript(found, *before, slice(None, 1))
        start = sheet.call("zeros_like" if name == "cumsum" else "ones_like", first)
        done = sheet.call(
            "concat", start, sheet.subscript(done, *before, slice(None, -1)), axis=along
        )
    return sheet.call("flip", done, axis=along) if reverse else done


@of("BatchNormalization")
def _batch(node: Node, x: Given, scale: Given, bias: Given, mean: Given, var: Given) -> Value:
    if node.get("training_mode", 0):
        raise node.mistake(
            "batch statistics are in training mode", "export the model for inference"
        )
    found, sheet = node.typed(x), node.sheet
    behind = [None] * (found.rank - 2)

    def wide(one: Given) -> Any:
        return sheet.subscript(node.typed(one), slice(None), *behind) if behind else node.value(one)

    epsilon = float32(node.get("epsilon", 1e-5))
    spread = sheet.call("sqrt", sheet.binary("+", wide(var), epsilon))
    centred = sheet.binary("/", sheet.binary("-", found, wide(mean)), spread)
    return sheet.binary("+", sheet.binary("*", centred, wide(scale)), wide(bias))


@of("InstanceNormalization")
def _instance(node: Node, x: Given, scale: Given, bias: Given) -> Value:
    found, sheet = node.typed(x), node.sheet
    axes = list(range(2, found.rank))
    done = _standard(node, found, axes, float32(node.get("epsilon", 1e-5)))
    behind = [None] * len(axes)
    gain, shift = (sheet.subscript(node.typed(one), slice(None), *behind) for one in (scale, bias))
    return sheet.binary("+", sheet.binary("*", done, gain), shift)


def _standard(node: Node, found: Value, axes: list[int], epsilon: float) -> Value:
    """Write values brought to mean 0 and variance 1 along axes."""
    sheet = node.sheet
    axis: Any = axes[0] if len(axes) == 1 else axes
    centred = sheet.binary("-", found, sheet.call("mean", found, axis=axis, keepdims=True))
    spread = sheet.call("var", found, axis=axis, keepdims=True)
    return sheet.binary("/", centred, sheet.call("sqrt", sheet.binary("+", spread, epsilon)))


@of("LayerNormalization")
def _layer(node: Node, x: Given, scale: Given, bias: Given = None) -> list[Value]:
    found, sheet = node.typed(x), node.sheet
    axes = list(range(node.get("axis", -1) % found.rank, found.rank))
    epsilon = float32(node.get("epsilon", 1e-5))
    done = sheet.binary("*", _standard(node, found, axes, epsilon), node.value(scale))
    done = done if bias is None else sheet.binary("+", done, node.value(bias))
    if len(node.outputs) == 1:
        return [done]
    axis: Any = axes[0] if len(axes) == 1 else axes
    mean = sheet.call("mean", found, axis=axis, keepdims=True)
    spread = sheet.binary("+", sheet.call("var", found, axis=axis, keepdims=True), epsilon)
    return [done, mean, sheet.binary("/", 1, sheet.call("sqrt", spread))]


@of("LpNormalization")
def _lp(node: Node, x: Given) -> Value:
    found, sheet, order = node.typed(x), node.sheet, float(node.get("p", 2))
    axis = node.get("axis", -1)
    size = sheet.call("norm", found, order, axis=axis, keepdims=True)
    safe = sheet.call("where", sheet.binary("==", size, 0.0), 1.0, size)
    return sheet.binary("/", found, safe)


@of("MeanVarianceNormalization")
def _mean_variance(node: Node, x: Given) -> Value:
    found, sheet = node.typed(x), node.sheet
    axes = list(node.get("axes", [0, 2, 3]))
    centred = sheet.binary("-", found, sheet.call("mean", found, axis=axes, keepdims=True))
    spread = sheet.call("std", found, axis=axes, keepdims=True)
    return sheet.binary("/", centred, sheet.binary("+", spread, 1e-9))


@of("LRN")
def _local(node: Node, x: Given) -> Value:
    found, sheet = node.typed(x), node.sheet
    size = node.get("size")
    low, high = (size - 1) // 2, size - 1 - (size - 1) // 2
    square = sheet.call("pad", sheet.binary("**", found, 2),
                        [[0, 0], [low, high], *[[0, 0]] * (found.rank - 2)])  # fmt: skip
    channels = found.shape[1]
    total: Any = None
    for at in range(size):
        part = sheet.subscript(square, slice(None), slice(at, channels + at))
        total = part if total is None else sheet.binary("+", total, part)
    alpha, beta = float32(node.get("alpha", 1e-4)), float32(node.get("beta", 0.75))
    scaled = sheet.binary("*", alpha / size, total)
    base = sheet.binary("+", float32(node.get("bias", 1.0)), scaled)
    return sheet.binary("/", found, sheet.binary("**", base, beta))
