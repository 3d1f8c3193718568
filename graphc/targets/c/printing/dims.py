"""Dims in C: integers, and bounds of what is computed with them."""

from __future__ import annotations

from collections.abc import Mapping

from graphc.ir.dims import Atom, Dim, Monomial

FLOOR = "gc_floor"
"""The function of a quotient rounded down whose dividend may be negative."""

Names = Mapping[str, str]
"""The names in C of symbols whose name there is another."""


def is_sum(dim: Dim) -> bool:
    """True if the dim needs parentheses as a factor."""
    if dim.constant is not None:
        return dim.constant < 0
    (_, coefficient), *others = dim.terms
    return bool(others) or coefficient < 0


def integer(dim: Dim, names: Names) -> str:
    """Write a dim as an integer expression."""
    text = ""
    for monomial, coefficient in sorted(dim.terms, key=lambda term: term[1] < 0):
        factors = [_atom(atom, names) for atom, power in monomial for _ in range(power)]
        if abs(coefficient) != 1 or not factors:
            factors.insert(0, whole(abs(coefficient)))
        signs = (" - ", " + ") if text else ("-", "")
        text += signs[coefficient > 0] + "*".join(factors)
    return text or "0"


def whole(value: int) -> str:
    """Write an integer, as a wide one where C would take it for a narrow one that overflows."""
    if abs(value) < 2**15:
        return str(value)
    if value == -(2**63):
        return "INT64_MIN"
    return f"INT64_C({value})" if value >= 0 else f"(-INT64_C({-value}))"


def factor(dim: Dim, names: Names) -> str:
    """Write a dim as a factor."""
    return f"({integer(dim, names)})" if is_sum(dim) else integer(dim, names)


def _atom(atom: Atom, names: Names) -> str:
    if isinstance(atom, str):
        return names.get(atom, atom)
    above, below = atom.numerator, atom.denominator
    if any(coefficient < 0 for _, coefficient in (*above.terms, *below.terms)):
        return f"{FLOOR}({integer(above, names)}, {integer(below, names)})"
    divisor = integer(below, names)
    simple = below.constant is not None or (not is_sum(below) and "*" not in divisor)
    return f"({factor(above, names)}/{divisor if simple else f'({divisor})'})"


def bound(dim: Dim, names: Names) -> str:
    """Write a double that nothing exceeds which is computed on the way to a dim."""
    terms = []
    for monomial, coefficient in dim.terms:
        terms.append("*".join([f"{float(abs(coefficient))!r}", *_bounds(monomial, names)]))
    return " + ".join(terms) or "0.0"


def _bounds(monomial: Monomial, names: Names) -> list[str]:
    found = []
    for atom, power in monomial:
        if isinstance(atom, str):
            text = f"(double){names.get(atom, atom)}"
        else:
            text = f"({bound(atom.numerator, names)} + {bound(atom.denominator, names)})"
        found += [text] * power
    return found
