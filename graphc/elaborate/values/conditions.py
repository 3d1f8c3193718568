"""Conditions on dims that are checked when a function is entered, those of loops in every step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphc.elaborate.names.model import Condition, IndexRange
from graphc.elaborate.names.scope import Context
from graphc.ir.dims import Dim
from graphc.ir.types import known_facts, learn
from graphc.source import Span


def check_at_entry(context: Context, dim: Dim, zero: bool, text: str, span: Span) -> bool:
    """Check a condition on dims at entry; one on the index of a loop in every step.

    False where it is known not to hold, were there a step. At both ends of the range is enough for
    what is linear in the index, if these say nothing where there are no steps.
    """
    symbol = next((name for name in reversed(context.ranges) if name in dim.symbols), None)
    if symbol is not None:
        first, last = context.ranges[symbol]
        if context.known(last - first) == -1:  # no steps
            return True
        ends = [dim.substitute({symbol: end}) for end in (first, last)]
        if any(_is_refuted(context, end, zero) for end in ends):
            return False
        if not _is_affine(dim, symbol) or not _holds_when_idle(
            context, ends, zero, last + 1 - first
        ):
            return _check_each_step(context, dim, zero, text, span)
        hold = [check_at_entry(context, end, zero, text, span) for end in ends]
        return all(hold)
    if context.known(dim) is None:
        context.conditions.append(Condition(dim, zero, text, span))
    return not _is_refuted(context, dim, zero)


def _is_refuted(context: Context, dim: Dim, zero: bool) -> bool:
    """True if it is known when compiling that the condition does not hold."""
    known = context.known(dim)
    return known is not None and (known != 0 if zero else known < 0)


def _holds_when_idle(context: Context, ends: Sequence[Dim], zero: bool, steps: Dim) -> bool:
    """True if a condition holds at both ends of a loop that takes no steps."""
    if context.known(steps) is not None:
        return True
    try:
        idle = known_facts().with_zero(steps)
    except ValueError:  # there are always some
        return True
    return all(not idle.normal(end).terms if zero else idle.nonnegative(end) for end in ends)


def _check_each_step(context: Context, dim: Dim, zero: bool, text: str, span: Span) -> bool:
    """Check a condition on the indices of loops in all of their steps."""
    needed, bounds = set(dim.symbols), set[str]()
    steps: list[IndexRange] = []
    for name, (first, last) in reversed(context.ranges.items()):
        if name in needed:
            ends = _is_affine(dim, name) and name not in bounds
            steps.insert(0, IndexRange(name, first, last + 1 - first, ends))
            bounds |= first.symbols | last.symbols
            needed |= bounds
    condition = Condition(dim, zero, text, span, tuple(steps))
    fixed = condition.substitute(context.fixed)
    if not fixed.names:
        return fixed.holds({})
    context.conditions.append(condition)
    return True


def _is_affine(dim: Dim, name: str) -> bool:
    """True if the dim is a*name + b, where a and b are free of the name."""
    found = [(atom, power) for monomial, _ in dim.terms for atom, power in monomial]
    return all(
        power == 1 if atom == name else isinstance(atom, str) or name not in atom.symbols
        for atom, power in found
    )


def learn_conditions(conditions: Iterable[Condition]) -> None:
    """Assume what is checked at entry."""
    for one in conditions:
        facts = known_facts()
        if one.steps:
            continue
        if one.zero:
            learn(facts.with_zero(one.dim))
        elif facts.nonnegative(one.dim) is None:
            learn(facts.with_nonnegative(one.dim))
