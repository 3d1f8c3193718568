"""Scans, loops and conditionals of JAX, in the language."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
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
    names = _called(reading, len(equation.outvars))
    initial = [(names[place], reading.typed(starts[place])) for place in carried]
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


def _called(reading: Reading, count: int) -> Sequence[str]:
    """Return what the statement calls the results of a loop."""
    names = reading.names_of(reading.sheet.place)
    return names if isinstance(names, tuple) and len(names) == count else ("carried",) * count


@of("while")
def _while(reading: Reading, *operands: Given, equation: Any) -> list[Given]:
    """Read a loop whose condition bounds a counter: a scan that ends where the rest is false.

    A scan takes its first step in any case: where the condition may be false before it, what the
    loop starts with is chosen in the end.
    """
    params = equation.params
    tested, stepped = params["cond_nconsts"], params["body_nconsts"]
    consts, fixed = operands[:tested], operands[tested : tested + stepped]
    starts, body = operands[tested + stepped :], params["body_jaxpr"]
    counted = _counters(body.jaxpr, stepped, starts)
    condition, counter, limit = _bounded(reading, params["cond_jaxpr"], consts, counted)
    plain = condition is None
    used = [type(one).__name__ != "DropVar" for one in equation.outvars]
    carried = [at for at in range(len(starts)) if at not in counted or (not plain and used[at])]
    names = _called(reading, len(starts))
    initial = [(names[at], reading.typed(starts[at])) for at in carried]

    def test(values: Sequence[Given]) -> Given:
        (found,) = reading.read(condition, _consts(params["cond_jaxpr"]), [*consts, *values])
        return found

    def step(inner: Sheet, index: Dim, values: list[Value]) -> tuple[Any, Any, Any]:
        outer, reading.sheet = reading.sheet, inner
        reading.indices.add(str(index))
        try:
            given: list[Given] = [None] * len(starts)
            for at, value in zip(carried, values, strict=True):
                given[at] = value
            moved = {at: index + start - counted[counter] for at, start in counted.items()}
            for at, dim in moved.items():
                given[at] = dim
            results = reading.read(body.jaxpr, body.consts, [*fixed, *given])
            nexts = [reading.typed(results[at]) for at in carried]
            nexts = _as_started(inner, nexts, [value for _, value in initial])
            if plain:
                return nexts, [], None
            for at, value in zip(carried, nexts, strict=True):
                results[at] = value
            for at, dim in moved.items():
                results[at] = dim + 1
            return nexts, [], inner.unary("not", reading.value(test(results)))
        finally:
            reading.sheet = outer

    first = counted[counter]
    before = None if plain else test(starts)
    count = Dim.of(limit) - first
    found = reading.sheet.loop("step", "t", first, count, initial, step)
    ends: list[Given] = [None] * len(starts)
    for at, start in counted.items():
        ends[at] = count + start
    for at, end, (_, begun) in zip(carried, found, initial, strict=True):
        if isinstance(before, Value):
            ends[at] = reading.sheet.broadcast("where", before, end, begun)
        else:
            ends[at] = end if before is None or bool(before) else begun
    return ends


def _consts(closed: Any) -> list[Given]:
    """Return the constants of a condition, and the truth that stands for its bound."""
    return [*closed.consts, np.asarray(True)]


def _bounded(
    reading: Reading, closed: Any, consts: Sequence[Given], counted: dict[int, int]
) -> tuple[Any, int, Any]:
    """Return a condition without what bounds a counter, None where that is all; which, and by what.

    Without it the condition has a constant more, which is true.
    """
    jaxpr = closed.jaxpr
    known = dict(zip(jaxpr.invars[: len(consts)], consts, strict=True))
    known.update(zip(jaxpr.constvars, closed.consts, strict=True))
    made = {out: one for one in jaxpr.eqns for out in one.outvars}
    pending = [jaxpr.outvars[0]]
    while pending:
        var = pending.pop()
        equation = made.get(var) if not hasattr(var, "val") else None
        if equation is None:
            continue
        if equation.primitive.name in ("and", "convert_element_type"):
            pending += equation.invars
        bound = _bound(equation, jaxpr.invars[len(consts) :], known, counted)
        if bound is not None:
            if var is jaxpr.outvars[0]:
                return None, *bound
            rest = [one for one in jaxpr.eqns if one is not equation]
            return SimpleNamespace(
                constvars=[*jaxpr.constvars, var], invars=jaxpr.invars, eqns=rest,
                outvars=jaxpr.outvars,
            ), *bound  # fmt: skip
    raise reading.sheet.mistake(
        "a `while_loop` has no bound on its steps",
        "let its condition compare a counter with a number: `(i < 100) & …`; or write `lax.scan`",
    )


def _bound(
    equation: Any, carried: Sequence[Any], known: dict[Any, Given], counted: dict[int, int]
) -> tuple[int, Any] | None:
    """Return which counter an equation compares with a size, and the first that is too much."""
    more = {"lt": 0, "le": 1}.get(equation.primitive.name)
    less = {"gt": 0, "ge": 1}.get(equation.primitive.name)
    if more is None and less is None:
        return None
    one, other = equation.invars if more is not None else equation.invars[::-1]
    limit = np.asarray(other.val) if hasattr(other, "val") else known.get(other)
    size: Any = limit if isinstance(limit, Dim) else None
    if isinstance(limit, np.ndarray) and not limit.ndim and limit.dtype.kind in "iu":
        size = int(limit)
    places = [at for at, var in enumerate(carried) if var is one and at in counted]
    if size is None or not places:
        return None
    return places[0], size + (more or less or 0)


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
