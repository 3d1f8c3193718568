"""Scans, loops and conditionals of JAX, in the language."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.importing.items import Value
from graphc.importing.jax.reading import Given, Reading, of
from graphc.importing.sheet import Sheet
from graphc.ir.dims import Dim


@of("scan")
def _scan(reading: Reading, *operands: Given, equation: Any) -> list[Given]:
    params = equation.params
    closed, consts = params["jaxpr"], params["num_consts"]
    carry = params["num_carry"]
    fixed, starts, rows = (
        operands[:consts], operands[consts : consts + carry], operands[consts + carry :],
    )  # fmt: skip
    length, reverse = reading.dim(params["length"]), bool(params["reverse"])
    counted = _counters(closed.jaxpr, consts, starts)
    carried = [place for place in range(carry) if place not in counted]
    named = _named_carries(reading, closed.jaxpr, carried)
    initial = [(named[at], reading.typed(starts[place])) for at, place in enumerate(carried)]
    arrays = [reading.typed(one) for one in rows]

    def step(inner: Sheet, index: Dim, values: list[Value]) -> tuple[Any, Any, Any]:
        outer, reading.sheet = reading.sheet, inner
        reading.indices.add(str(index))
        try:
            at = length - 1 - index if reverse else index
            given: list[Given] = [None] * carry
            for place, value in zip(carried, values, strict=True):
                given[place] = value
            for place, start in counted.items():
                given[place] = at + start if not reverse else index + start
            each = [inner.subscript(one, at) for one in arrays]
            results = reading.read(closed.jaxpr, closed.consts, [*fixed, *given, *each])
            nexts = [reading.typed(results[place]) for place in carried]
            collects = [reading.typed(one) for one in results[carry:]]
            return _as_started(inner, nexts, [value for _, value in initial]), collects, None
        finally:
            reading.sheet = outer

    found = reading.sheet.loop("step", "t", 0, length, initial, step)
    ends: list[Given] = [None] * carry
    for place, value in zip(carried, found, strict=False):
        ends[place] = value
    for place, start in counted.items():
        ends[place] = length + start
    stacks = found[len(carried) :]
    if reverse:
        stacks = [reading.sheet.call("flip", one, axis=0) for one in stacks]
    return [*ends, *stacks]


def _as_started(sheet: Sheet, nexts: Sequence[Value], starts: Sequence[Value]) -> list[Value]:
    """Return what is handed on, in the types of what the loop starts with."""
    return [
        sheet.binary("*", 1.0, one) if (one.dtype, start.dtype) == ("int", "float") else one
        for one, start in zip(nexts, starts, strict=True)
    ]


def _counters(jaxpr: Any, consts: int, starts: Sequence[Given]) -> dict[int, int]:
    """Return the carried values that count the steps, and where they start."""
    made = {out: one for one in jaxpr.eqns for out in one.outvars}
    found = {}
    for place, start in enumerate(starts):
        if not isinstance(start, np.ndarray) or start.ndim or start.dtype.kind not in "iu":
            continue
        before, after = jaxpr.invars[consts + place], jaxpr.outvars[place]
        equation = made.get(after) if not hasattr(after, "val") else None
        if equation is None or equation.primitive.name != "add":
            continue
        one, other = equation.invars
        if one is before and hasattr(other, "val") and int(other.val) == 1:
            found[place] = int(start)
    return found


def _named_carries(reading: Reading, jaxpr: Any, places: Sequence[int]) -> list[str]:
    """Return what carried values are called: the names of what is handed on, where it has one."""
    return [f"carried_{place}" if len(places) > 1 else "carried" for place in places]


@of("while")
def _while(reading: Reading, *operands: Given, equation: Any) -> list[Given]:
    """Read a loop whose number of steps is known, as `fori_loop` writes it."""
    raise reading.sheet.mistake(
        "a `while_loop` has no bound on its steps",
        "write `jax.lax.fori_loop` with bounds that are known, or `jax.lax.scan`",
    )


@of("cond")
def _cond(reading: Reading, which: Given, *operands: Given, equation: Any) -> list[Given]:
    """Read the branch that is known, or all of them, of whose results one is chosen."""
    branches = equation.params["branches"]
    if isinstance(which, np.ndarray):
        chosen = branches[min(max(int(which), 0), len(branches) - 1)]
        return reading.read(chosen.jaxpr, chosen.consts, operands)
    results = [reading.read(one.jaxpr, one.consts, operands) for one in branches]
    converted = reading.origin(which, "convert_element_type")
    sheet, found = reading.sheet, results[-1]
    for place in range(len(branches) - 2, -1, -1):
        if converted is not None and len(branches) == 2:
            condition = sheet.unary("not", reading.value(converted[0][0]))
        else:
            condition = sheet.binary("<=", reading.value(which), place)
        found = [
            sheet.call("where", condition, reading.value(one), reading.value(other))
            for one, other in zip(results[place], found, strict=True)
        ]
    return found


@of("platform_index")
def _platform(reading: Reading, equation: Any) -> Given:
    return np.asarray(len(equation.params["platforms"]) - 1)
