"""Recurrent layers of PyTorch: RNN, GRU and LSTM, each direction of each layer a scan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.importing.items import Value
from graphc.importing.sheet import Sheet
from graphc.importing.torch.reading import OPERATORS, Reading
from graphc.ir.dims import Dim

Cell = Callable[[Sheet, Value, Value, list[Value]], list[Value]]
"""The next states of those of a step, and of what its input and its state add to the gates."""


def _parts(body: Sheet, value: Value, count: int) -> list[Value]:
    """Take the gates, which lie one behind the other."""
    size = value.shape[-1] // count
    return [body.subscript(value, ..., slice(size * k, size * (k + 1))) for k in range(count)]


def _rnn(act: str) -> Cell:
    def step(body: Sheet, given: Value, own: Value, states: list[Value]) -> list[Value]:
        return [body.call(act, body.binary("+", given, own))]

    return step


def _gru(body: Sheet, given: Value, own: Value, states: list[Value]) -> list[Value]:
    """Write ``h' = (1 - z) * n + z * h`` as `torch.nn.GRU` defines r, z and n."""
    (h,) = states
    lefts, rights = _parts(body, given, 3), _parts(body, own, 3)
    r, z = (
        body.call("sigmoid", body.binary("+", left, right))
        for left, right in zip(lefts[:2], rights[:2], strict=True)
    )
    n = body.call("tanh", body.binary("+", lefts[2], body.binary("*", r, rights[2])))
    for value, name in ((r, "r"), (z, "z"), (n, "n")):
        body.call_it(value, name)
    new = body.binary("*", body.binary("-", 1, z), n)
    return [body.binary("+", new, body.binary("*", z, h))]


def _lstm(body: Sheet, given: Value, own: Value, states: list[Value]) -> list[Value]:
    """Write ``c' = f * c + i * g`` and ``h' = o * tanh(c')`` as `torch.nn.LSTM` defines them."""
    _, c = states
    gates = body.binary("+", given, own)
    body.call_it(gates, "gates")
    parts = _parts(body, gates, 4)
    acts = ("sigmoid", "sigmoid", "tanh", "sigmoid")
    i, f, g, o = (body.call(act, one) for act, one in zip(acts, parts, strict=True))
    cell = body.binary("+", body.binary("*", f, c), body.binary("*", i, g))
    return [body.binary("*", o, body.call("tanh", cell)), cell]


CELLS: dict[str, tuple[Cell, int]] = {
    "rnn_tanh": (_rnn("tanh"), 1),
    "rnn_relu": (_rnn("relu"), 1),
    "gru": (_gru, 1),
    "lstm": (_lstm, 2),
}
"""Each operator: its cell, and how many states that has."""


def _layers(name: str) -> Callable[..., Any]:
    cell, count = CELLS[name]

    def write(
        r: Reading, x: Value, given: Any, weights: Any, biases: Any, layers: int, dropout: float,
        train: bool, both: bool, batch_first: bool = False,
    ) -> list[Value]:  # fmt: skip
        sheet = r.sheet
        if not isinstance(weights, list) or x.rank != 3:
            raise sheet.mistake("packed sequences differ in length: pad them")
        if train and dropout:
            raise sheet.mistake("dropout draws anew at each call", "export the module in `eval()`")
        states = given if isinstance(given, list) else [given]
        ways = 2 if both else 1
        each = len(weights) // (layers * ways)
        xs = sheet.call("swapaxes", x, 0, 1) if batch_first else x
        ends = list[list[Value]]()
        for layer in range(layers):
            made = list[Value]()
            for way in range(ways):
                place = layer * ways + way
                starts = [sheet.subscript(one, place) for one in states]
                own = weights[place * each : (place + 1) * each]
                hs, *last = _one_way(sheet, cell, xs, starts, own, biases, back=way == 1)
                made.append(hs)
                ends.append(last)
            xs = sheet.call("concat", *made, axis=-1) if both else made[0]
        finals = [sheet.call("stack", *(last[k] for last in ends)) for k in range(count)]
        return [sheet.call("swapaxes", xs, 0, 1) if batch_first else xs, *finals]

    return write


def _one_way(
    sheet: Sheet, cell: Cell, xs: Value, starts: Sequence[Value], weights: Sequence[Value],
    biases: bool, *, back: bool,
) -> list[Value]:  # fmt: skip
    """Write a layer in one direction: the states of all steps, and what each state ends as."""

    def affine(one: Sheet, value: Value, weight: Value, bias: Value | None) -> Value:
        found = one.value(one.draw.binary("@", value, one.value(one.draw.transposed(weight))))
        return found if bias is None else one.binary("+", found, bias)

    kernel, inner = weights[:2]
    shift, own_shift = weights[2:4] if biases else (None, None)
    projection = weights[-1] if len(weights) in (3, 5) else None
    given = affine(sheet, xs, kernel, shift)
    sheet.call_it(given, "from_x")
    length = xs.shape[0]

    def step(body: Sheet, index: Dim, states: list[Value]) -> Any:
        row = body.subscript(given, length - 1 - index if back else index)
        own = affine(body, states[0], inner, own_shift)
        body.call_it(own, "from_h")
        new = cell(body, row, own, states)
        if projection is not None:
            new[0] = affine(body, new[0], projection, None)
        for value, name in zip(new, ("new_h", "new_c"), strict=False):
            body.call_it(value, name)
        return new, [new[0]], None

    named = list(zip(("h", "c"), starts, strict=False))
    *last, hs = sheet.loop("step", "t", 0, length, named, step)
    return [sheet.call("flip", hs, axis=0) if back else hs, *last]


OPERATORS.update({f"aten.{name}": _layers(name) for name in CELLS})
