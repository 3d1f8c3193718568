"""Blocks whose derivatives are stated: values from the body, derivatives from the rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.syntax import tree
from tests.fuzz.meaning import duals
from tests.fuzz.meaning.arrays import array

Ports = dict[str, Any]


def ruled(
    block: tree.Block, rules: Sequence[tree.Rule], enter: Callable[[Ports], Any], ports: Ports
) -> tuple[Any, ...]:
    """The results; what a ruled port adds to their tangents is what the rule says.

    A port without a rule keeps the derivative of the body, so it stays in place while the ruled
    ones are taken apart, level after level from the outside.
    """
    pushed = {one.name.text: one for one in rules if one.kind.text == "jvp"}
    pulled = {one.name.text: one for one in rules if one.kind.text != "jvp"}
    names = [port.name.text for port in block.results]
    forward = bool(pushed) and set(pushed) >= set(names)
    moving = list(ports) if forward else list(pulled)
    level = max((duals.top(ports[name]) for name in moving), default=0)
    if not level:
        return enter(ports).results(block)
    count = max(_count(ports[name], level) for name in moving)
    inner, tangents = dict(ports), {}
    for name in moving:
        inner[name], tangents[name] = duals.taken_apart(ports[name], level, count)
    results = ruled(block, rules, enter, inner)
    frame = enter({name: duals.taken_apart(x, level, count)[0] for name, x in ports.items()})
    known = {n: duals.taken_apart(y, level, count)[0] for n, y in zip(names, results, strict=True)}
    if forward:
        added = [
            [_said(frame, pushed[name], known, tangents, which) for which in range(count)]
            for name in names
        ]
    else:
        added = _transposed(frame, pulled, known, tangents, count)
    return tuple(_raised(y, level, rows) for y, rows in zip(results, added, strict=True))


def _count(x: Any, level: int) -> int:
    found = [one.tangents.size for one in np.ravel(np.asarray(x, object))
             if isinstance(one, duals.Dual) and one.level == level]  # fmt: skip
    return max(found, default=0)


def _said(frame: Any, rule: tree.Rule, known: Ports, tangents: Ports, which: int) -> Any:
    """The right side of a rule for one direction."""
    step = frame.again(frame.world)
    step.values |= known
    step.words = {"tangent": {name: array(t[..., which]) for name, t in tangents.items()}}
    return array(step.evaluate(rule.value))


def _transposed(
    frame: Any, pulled: dict[str, tree.Rule], known: Ports, tangents: Ports, count: int
) -> list[list[Any]]:
    """Σ cotangent · tangent for a unit cotangent of each element of each result."""
    endless = {port: _endless(moved) for port, moved in tangents.items()}
    added = []
    for name, y in known.items():
        rows = [np.zeros(np.shape(y), object) for _ in range(count)]
        for place in np.ndindex(np.shape(y)):
            step = frame.again(frame.world)
            step.values |= known
            units = {other: np.zeros(np.shape(known[other])) for other in known}
            units[name][place] = 1.0
            step.words = {"cotangent": units}
            for port, rule in pulled.items():
                moved = tangents[port]
                said = np.broadcast_to(array(step.evaluate(rule.value)), moved.shape[:-1])
                for one in np.ndindex(said.shape):  # most are zeros, of a unit cotangent
                    if duals.is_zero(said[one]) and one not in endless[port]:
                        continue
                    for which in range(count):
                        rows[which][place] += said[one] * moved[one][which]
        added.append(rows)
    return added


def _endless(moved: np.ndarray) -> set[tuple[int, ...]]:
    """The places where a tangent is no finite number: 0 times that is not 0."""
    return {
        place for place in np.ndindex(moved.shape[:-1])
        if not all(np.isfinite(duals.primal(one)) for one in moved[place])
    }  # fmt: skip


def _raised(y: Any, level: int, rows: Sequence[Any]) -> Any:
    """The array with these tangents beside those that it has at this level.

    They may have higher levels, which stay outside: so each is a product with a unit tangent.
    """
    y = array(y)
    made = []
    units = np.eye(len(rows))
    for place in np.ndindex(y.shape):
        one = y[place]
        tangents = [row[place] for row in rows]
        if any(isinstance(each, duals.Dual) for each in tangents):
            for each, unit in zip(tangents, units, strict=True):
                one = one + duals.Dual(level, np.float64(0.0), unit) * each
        else:
            one = one + duals.Dual(level, np.float64(0.0), np.array(tangents))
        made.append(one)
    return duals.packed(made, y.shape)
