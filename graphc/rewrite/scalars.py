"""Signs and scalar factors: gathered in front of a product, or in its smallest factor.

A pass over an array is what counts, so none of these makes one more.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from graphc.graph import Node, as_node
from graphc.ops.arithmetic import accumulate, minus, negative, over, plus, times, total
from graphc.rewrite.bounds import never_tiny
from graphc.types import same_shape

Once = Callable[[Node], bool]
"""Is a node read in one place only, so that nothing is computed twice if that place does without?"""

MODERATE = 2.0**40
"""Factors from 1 / MODERATE to MODERATE are multiplied together: no such product overflows."""


def is_factor(node: Node) -> bool:
    """Is it a number, known now or when the dims are, of moderate size?"""
    if node.rank or not node.static:
        return False
    value = node.value
    return value is None or 1 / MODERATE <= abs(value) <= MODERATE


def _whole(x: Node, node: Node) -> bool:
    """Has an operand all elements of the result, not repeated?"""
    return same_shape(x.shape, node.shape)


def scalar_in_front(node: Node, once: Once) -> Node | None:
    """x * s -> s * x. Exact."""
    one, other = node.args
    if other.rank or (not one.rank and (one.static or not other.static)):
        return None
    return times(other, one)


def scalars_multiplied(node: Node, once: Once) -> Node | None:
    """a * (b * x) -> (a * b) * x; a * (-x) -> (-a) * x; a * (b / x) -> (a * b) / x.

    The first and the last round otherwise; a or b is a number of moderate size.
    """
    scalar, x = node.args
    if scalar.rank or node.type.dtype != "float" or node.static:
        return None
    if not node.rank and (scalar.value is None or not x.args or x.args[0].value is None):
        return None
    if x.op is negative and scalar.value is not None:
        return times(-scalar.value, x.args[0])
    if x.op is times and not x.args[0].rank and _either(scalar, x.args[0]):
        return times(_product(scalar, x.args[0]), x.args[1])
    if x.op is over and not x.args[0].rank and x.args[1].rank and _either(scalar, x.args[0]):
        return over(_product(scalar, x.args[0]), x.args[1])
    return None


def _either(one: Node, other: Node) -> bool:
    return is_factor(one) or is_factor(other)


def _product(one: Node, other: Node) -> Node:
    if one.value is None or other.value is None:
        return other if one.value == 1 else one if other.value == 1 else times(one, other)
    return as_node(float(one.value) * float(other.value))


def scalar_of_product(node: Node, once: Once) -> Node | None:
    """(s * x) * y -> s * (x * y), or (s * y) * x where y has fewer elements. Rounds otherwise."""
    if node.type.dtype != "float":
        return None
    for scaled, other in (node.args, node.args[::-1]):
        if scaled.op is not times or not other.rank or not _whole(scaled, node):
            continue
        scalar, x = scaled.args
        if scalar.rank or not _whole(x, node) or not once(scaled):
            continue
        if not _whole(other, node):
            return times(times(scalar, other), x)
        return times(scalar, times(x, other))
    return None


def scalar_to_the_smaller(node: Node, once: Once) -> Node | None:
    """s * (q * x) -> (s * q) * x, where q has fewer elements than x. Rounds otherwise."""
    scalar, product = node.args
    if scalar.rank or product.op is not times or not once(product):
        return None
    for small, x in (product.args, product.args[::-1]):
        if small.rank and not _whole(small, node) and _whole(x, node):
            return times(times(scalar, small), x)
    return None


def scalar_of_quotient(node: Node, once: Once) -> Node | None:
    """x / c -> (1 / c) * x; (s * x) / y -> s * (x / y). Exact for powers of two, else rounded."""
    x, divisor = node.args
    if not x.rank or node.type.dtype != "float":
        return None
    if not divisor.rank and is_factor(divisor):
        inverse = 1.0 / divisor if divisor.value is None else as_node(1 / divisor.value)
        return times(inverse, x)
    if x.op is times and not x.args[0].rank and _whole(x.args[1], node) and once(x):
        return times(x.args[0], over(x.args[1], divisor))
    return None


def quotient_by_few(node: Node, once: Once) -> Node | None:
    """x / q -> (1 / q) * x, where q has fewer elements than x and is never tiny.

    Rounds otherwise; a multiplication takes a third of the time of a division.
    """
    x, few = node.args
    if not few.rank or not _whole(x, node) or _whole(few, node) or not never_tiny(few):
        return None
    return times(over(1.0, few), x)


def sign_of_product(node: Node, once: Once) -> Node | None:
    """(-x) * y -> -(x * y), and (-x) / y, x / (-y) likewise. Exact."""
    for slot, (signed, other) in enumerate((node.args, node.args[::-1])):
        if signed.op is not negative or not once(signed) or not _whole(signed, node):
            continue
        args = (signed.args[0], other)
        return negative(node.op(*(args if slot == 0 else args[::-1])))
    return None


def sign_to_a_factor(node: Node, once: Once) -> Node | None:
    """-(c * x) -> (-c) * x, -(q * x) -> (-q) * x with fewer elements in q; -(x - y) -> y - x.

    Exact, but that x - x is 0 where -(x - x) is -0.
    """
    x = node.args[0]
    if x.op is negative:
        return x.args[0]
    if node.type.dtype != "float":
        return None
    if x.op is minus:
        return minus(x.args[1], x.args[0])
    if x.op not in (times, over):
        return None
    one, other = x.args
    if one.value is not None and not one.rank:
        return x.op(as_node(-float(one.value)), other)
    if not once(x):
        return None
    if not _whole(one, x):
        return x.op(negative(one), other)
    return x.op(one, negative(other)) if not _whole(other, x) else None


def sign_of_term(node: Node, once: Once) -> Node | None:
    """-x + y -> y - x; of more terms the signed one is subtracted from another. Exact for two."""
    signed = [slot for slot, term in enumerate(node.args) if term.op is negative]
    if not signed or len(node.args) < 2:
        return None
    slot = signed[0]
    rest = [term for i, term in enumerate(node.args) if i != slot]
    if node.op is plus:
        return minus(rest[0], node.args[slot].args[0])
    place = max(slot - 1, 0)
    if rest[place].op is negative:
        return None
    difference = minus(rest[place], node.args[slot].args[0])
    if difference.type != node.type:
        return None
    return total([*rest[:place], difference, *rest[place + 1 :]])


def terms_alike(node: Node, once: Once) -> Node | None:
    """a x + b x -> (a + b) x, of numbers with one sign; x + x -> 2 x. The sum of a and b rounds."""
    if node.type.dtype != "float" or len(node.args) < 2:
        return None
    parts = [_scaled(term) for term in node.args]
    for slot, (factor, x) in enumerate(parts):
        for later in range(slot + 1, len(parts)):
            more, other = parts[later]
            if other is not x or factor * more <= 0 or not x.rank:
                continue
            if factor == more == 1 and len(parts) > 2:
                continue  # a sum of two is one pass, and so is a multiple
            merged = times(factor + more, x)
            rest = [t for i, t in enumerate(node.args) if i not in (slot, later)]
            if merged.type == node.type:
                return total([*rest[:slot], merged, *rest[slot:]])
    return None


def _scaled(term: Node) -> tuple[float, Node]:
    """A number of moderate size and what it multiplies."""
    if term.op is times and is_factor(term.args[0]) and term.args[0].value is not None:
        return float(term.args[0].value), term.args[1]
    return 1.0, term


SCALARS = {
    times: (
        scalar_in_front,
        scalars_multiplied,
        scalar_of_product,
        scalar_to_the_smaller,
        sign_of_product,
    ),
    over: (scalar_of_quotient, quotient_by_few, sign_of_product),
    negative: (sign_to_a_factor,),
    plus: (sign_of_term, terms_alike),
    accumulate: (sign_of_term, terms_alike),
}
