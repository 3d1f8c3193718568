"""Recurrent layers of ONNX: RNN, GRU and LSTM, as scans."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.importing.items import Value
from graphc.importing.onnx.reading import Given, Node, of
from graphc.importing.sheet import Sheet
from graphc.ir.dims import Dim

FUNCTIONS = {
    "Sigmoid": "sigmoid", "Tanh": "tanh", "Relu": "relu", "Softplus": "softplus",
    "Softsign": "softsign", "Elu": "elu",
}  # fmt: skip
Step = Callable[[Sheet, Value, list[Value]], list[Value]]


@of("RNN", "GRU", "LSTM")
def _recurrent(
    node: Node, x: Given, w: Given, r: Given, b: Given = None, lengths: Given = None,
    h0: Given = None, c0: Given = None, p: Given = None,
) -> list[Given]:  # fmt: skip
    if lengths is not None:
        sizes = node.sizes(lengths, "the length")
        found = node.typed(x)
        if any(size != found.shape[0].constant for size in sizes):
            raise node.mistake("sequences of one batch differ in length")
    if node.get("clip") is not None or node.get("input_forget", 0):
        raise node.mistake("cells are clipped, or couple their gates")
    sheet, xs = node.sheet, node.typed(x)
    if node.get("layout", 0):
        xs = sheet.call("swapaxes", xs, 0, 1)
    way = node.get("direction", "forward")
    ways = ["forward", "reverse"] if way == "bidirectional" else [way]
    outs, ends, cells = list[Value](), list[Value](), list[Value]()
    for place, one in enumerate(ways):
        steps = _one_way(node, xs, place, one, len(ways), (w, r, b, h0, c0, p))
        outs.append(steps[0])
        ends.append(steps[1])
        cells += steps[2:]
    hidden = sheet.call("stack", *outs, axis=1)
    last = sheet.call("stack", *ends)
    cell = sheet.call("stack", *cells) if cells else None
    if node.get("layout", 0):
        hidden = sheet.call("transpose", hidden, [2, 0, 1, 3])
        last = sheet.call("swapaxes", last, 0, 1)
        cell = sheet.call("swapaxes", cell, 0, 1) if cell is not None else None
    made = [hidden, last, cell]
    return made[: len(node.outputs)]


def _one_way(
    node: Node, xs: Value, place: int, way: str, ways: int, given: tuple[Given, ...]
) -> list[Value]:
    """Write a scan in one direction: all its states, and what it ends with."""
    sheet, size = node.sheet, node.get("hidden_size")
    w, r, b, h0, c0, p = given
    kernel, inner = (
        sheet.value(sheet.draw.transposed(sheet.subscript(node.typed(one), place)))
        for one in (w, r)
    )
    size = size or inner.shape[0]
    bias = None if b is None else sheet.subscript(node.typed(b), place)
    peep = None if p is None else sheet.subscript(node.typed(p), place)
    names = node.get("activations")
    count = {"RNN": 1, "GRU": 2, "LSTM": 3}[node.op]
    usual = {"RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}
    words = list(names)[place * count : (place + 1) * count] if names else usual[node.op]
    if any(word not in FUNCTIONS for word in words):
        raise node.mistake(f"there is no cell with {', '.join(words)}")
    zeros = sheet.call("zeros", [xs.shape[1], size])
    batch = bool(node.get("layout", 0))

    def start(one: Given) -> Value:
        if one is None:
            return zeros
        return sheet.subscript(node.typed(one), *([slice(None)] if batch else []), place)

    starts = [("h", start(h0))]
    if node.op == "LSTM":
        starts.append(("c", start(c0)))
    cell = CELLS[node.op](node, size, kernel, inner, bias, peep, [FUNCTIONS[one] for one in words])
    length = xs.shape[0]

    def step(body: Sheet, index: Dim, carried: list[Value]) -> Any:
        at = length - 1 - index if way == "reverse" else index
        made = cell(body, body.subscript(xs, at), carried)
        return made, [made[0]], None

    found = sheet.loop("step", "t", 0, length, starts, step)
    states = found[len(starts)]
    if way == "reverse":
        states = sheet.call("flip", states, axis=0)
    return [states, *found[: len(starts)]]


def _part(body: Sheet, value: Any, number: int, size: Any) -> Any:
    if value is None:
        return None
    return body.subscript(value, ..., slice(size * number, size * (number + 1)))


def _affine(body: Sheet, x: Value, kernel: Value, bias: Any) -> Value:
    found = body.value(body.draw.binary("@", x, kernel))
    return found if bias is None else body.binary("+", found, bias)


def _rnn(
    node: Node, size: Any, kernel: Value, inner: Value, bias: Any, peep: Any, acts: list[str]
) -> Step:
    def step(body: Sheet, x: Value, carried: list[Value]) -> list[Value]:
        (h,) = carried
        left = _affine(body, x, kernel, _part(body, bias, 0, size))
        right = _affine(body, h, inner, _part(body, bias, 1, size))
        return [body.call(acts[0], body.binary("+", left, right))]

    return step


def _gru(
    node: Node, size: Any, kernel: Value, inner: Value, bias: Any, peep: Any, acts: list[str]
) -> Step:
    def step(body: Sheet, x: Value, carried: list[Value]) -> list[Value]:
        (h,) = carried
        gates = []
        for number in (0, 1):
            left = _affine(
                body, x, _part(body, kernel, number, size), _part(body, bias, number, size)
            )
            right = _affine(
                body, h, _part(body, inner, number, size), _part(body, bias, 3 + number, size)
            )
            gates.append(body.call(acts[0], body.binary("+", left, right)))
        z, reset = gates
        left = _affine(body, x, _part(body, kernel, 2, size), _part(body, bias, 2, size))
        own, shift = _part(body, inner, 2, size), _part(body, bias, 5, size)
        if node.get("linear_before_reset", 0):
            right = body.binary("*", reset, _affine(body, h, own, shift))
        else:
            right = _affine(body, body.binary("*", reset, h), own, shift)
        new = body.call(acts[1], body.binary("+", left, right))
        kept = body.binary("*", body.binary("-", 1, z), new)
        return [body.binary("+", kept, body.binary("*", z, h))]

    return step


def _lstm(
    node: Node, size: Any, kernel: Value, inner: Value, bias: Any, peep: Any, acts: list[str]
) -> Step:
    def step(body: Sheet, x: Value, carried: list[Value]) -> list[Value]:
        h, c = carried

        def gate(number: int) -> Value:
            left = _affine(
                body, x, _part(body, kernel, number, size), _part(body, bias, number, size)
            )
            right = _affine(
                body, h, _part(body, inner, number, size), _part(body, bias, 4 + number, size)
            )
            return body.binary("+", left, right)

        def seen(value: Value, state: Value, number: int) -> Value:
            if peep is None:
                return value
            return body.binary("+", value, body.binary("*", _part(body, peep, number, size), state))

        i = body.call(acts[0], seen(gate(0), c, 0))
        f = body.call(acts[0], seen(gate(2), c, 2))
        new = body.call(acts[1], gate(3))
        cell = body.binary("+", body.binary("*", f, c), body.binary("*", i, new))
        o = body.call(acts[0], seen(gate(1), cell, 1))
        return [body.binary("*", o, body.call(acts[2], cell)), cell]

    return step


CELLS = {"RNN": _rnn, "GRU": _gru, "LSTM": _lstm}
