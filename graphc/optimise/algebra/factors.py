"""Signs and scalar factors: gathered in front of a product, or in its smallest factor.

A pass over an array is what counts, so none of these makes one more.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial, reduce

from graphc.ir.graph import Node, Op, as_node
from graphc.ir.types import fit_together, same_shape
from graphc.ir.use_counts import Once, Rules
from graphc.ops.define.batching import pad_rank
from graphc.ops.elementwise.arithmetic import (
    accumulate,
    minus,
    negative,
    over,
    plus,
    times,
    total,
)
from graphc.ops.shape.shaping import expand, reshape, transpose
from graphc.optimise.algebra.lower_bounds import never_tiny

MODERATE = 2.0**40
"""Factors from 1 / MODERATE to MODERATE are multiplied together: no such product overflows."""


def is_factor(node: Node) -> bool:
    """True for a number, known now or when the dims are, of moderate size."""
    if node.rank or not node.static:
        return False
    value = node.value
    return value is None or 1 / MODERATE <= abs(value) <= MODERATE


def _whole(x: Node, node: Node) -> bool:
    """True if an operand has all elements of the result, not repeated."""
    return same_shape(x.shape, node.shape)


def scalar_in_front(node: Node, once: Once) -> Node | None:
    """x * s -> s * x. Exact."""
    one, other = node.args
    if other.rank or (not one.rank and (one.static or not other.static)):
        return None
    return times(other, one)


def scalars_multiplied(node: Node, once: Once) -> Node | None:
    """a * (b * x) -> (a * b) * x; a * (-x) -> (-a) * x, -1 * x -> -x; a * (b / x) -> (a * b) / x.

    The first and the last round otherwise; a or b is a number of moderate size.
    """
    scalar, x = node.args
    if scalar.rank or node.type.dtype != "float" or node.static:
        return None
    if not node.rank and (scalar.value is None or not x.args or x.args[0].value is None):
        return None
    if x.op is negative and scalar.value is not None:
        return times(-scalar.value, x.args[0])
    if scalar.value == -1 and node.rank and same_shape(x.shape, node.shape):
        return negative(x)
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


def factor_of_view(node: Node, once: Once) -> Node | None:
    """Move a factor or sign out of a permutation or reshape: (s * x)ᵀ -> s * xᵀ. Exact."""
    scaled = node.args[0]
    if scaled.op not in (times, negative) or not once(scaled) or scaled.type.dtype != "float":
        return None
    x = scaled.args[-1]
    if not x.rank or (scaled.op is times and scaled.args[0].rank):
        return None
    return scaled.op(*scaled.args[:-1], node.op(x, **node.attrs))


def few_in_front(node: Node, once: Once) -> Node | None:
    """(q * x) * y -> q * (x * y), or (q * y) * x where y has fewer elements, as q has.

    q is a scalar or an array that is repeated. Rounds otherwise.
    """
    if node.type.dtype != "float":
        return None
    for scaled, other in (node.args, node.args[::-1]):
        if scaled.op is not times or not other.rank or not _whole(scaled, node):
            continue
        for few, x in (scaled.args, scaled.args[::-1]):
            if _whole(few, node) or not _whole(x, node) or not once(scaled):
                continue
            if _whole(other, node):
                return times(few, times(x, other))
            if few.rank not in (0, other.rank):
                continue  # such axes fit none but those of x
            both = times(few, other)
            return None if _whole(both, node) else times(both, x)
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
    """-(c * x) -> (-c) * x, -(q * x) -> (-q) * x with fewer elements in q; -(x - y) -> y - x, also
    where that is a factor.

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
    if not once(x):
        return None
    if one.value is not None and not one.rank:
        return x.op(as_node(-float(one.value)), other)
    if not _whole(one, x) or (one.op is minus and once(one)):
        return x.op(negative(one), other)
    if not _whole(other, x) or (x.op is times and other.op is minus and once(other)):
        return x.op(one, negative(other))  # nothing is divided by a zero of another sign
    return None


def sign_of_term(node: Node, once: Once) -> Node | None:
    """-x + y -> y - x; -x + -y -> -x - y; of more terms a signed one is subtracted from the one
    beside it. Exact for two."""
    signed = [term.op is negative for term in node.args]
    if not any(signed) or len(node.args) < 2:
        return None
    if node.op is plus:
        return minus(node.args[1], node.args[0].args[0])
    plain = signed.index(False) if False in signed else 0
    slot = plain - 1 if plain else signed.index(True, 1)  # it stands before the first or after it
    place = plain or slot - 1
    difference = _join_ranks(minus, node.args[place], node.args[slot].args[0])
    first = min(slot, place)
    return sum_of([*node.args[:first], difference, *node.args[first + 2 :]], node)


def terms_alike(node: Node, once: Once) -> Node | None:
    """a x + b x -> (a + b) x, of numbers with one sign; x + x -> 2 x. The sum of a and b rounds."""
    if node.type.dtype != "float" or len(node.args) < 2:
        return None
    parts = [_split_factor(term) for term in node.args]
    alike: dict[tuple[Node, bool], list[int]] = {}  # by what is multiplied, and the sign
    for slot, (factor, x) in enumerate(parts):
        if x.rank:
            alike.setdefault((x, factor > 0), []).append(slot)
    pairs: list[tuple[int, int]] = []
    for slot, *others in alike.values():
        # A sum of two is one pass, and so is a multiple.
        many = parts[slot][0] != 1 or len(parts) == 2
        later = next((i for i in others if many or parts[i][0] != 1), None)
        pairs += [] if later is None else [(slot, later)]
    if not pairs:
        return None
    slot, later = min(pairs)
    merged = times(parts[slot][0] + parts[later][0], parts[slot][1])
    rest = [t for i, t in enumerate(node.args) if i not in (slot, later)]
    return sum_of([*rest[:slot], merged, *rest[slot:]], node)


def common_factor(node: Node, once: Once) -> Node | None:
    """x a + x b -> x (a + b), and x a - x b likewise, of whole arrays x. Rounds otherwise."""
    if node.type.dtype != "float" or not node.rank or len(node.args) < 2:
        return None
    factors = [_factors(term, once) for term in node.args]
    terms_of: dict[Node, list[int]] = {}  # by factor, so that many terms take no quadratic time
    for number, several in enumerate(factors):
        for x in dict.fromkeys(several if len(several) > 1 else ()):
            terms_of.setdefault(x, []).append(number)
    pairs = {(n[0], n[1]) for x, n in terms_of.items() if len(n) > 1 and _whole(x, node)}
    for slot, later in sorted(pairs):
        one, other = factors[slot], factors[later]
        shared = [x for x in dict.fromkeys(one) if x in other and _whole(x, node)]
        rests = [_without(one, shared), _without(other, shared)]
        if not all(rests):
            continue
        first, second = (reduce(partial(_join_ranks, times), rest) for rest in rests)
        both = _join_ranks(minus if node.op is minus else plus, first, second)
        merged = times(reduce(times, shared), both)
        others = [t for i, t in enumerate(node.args) if i not in (slot, later)]
        return sum_of([*others[:slot], merged, *others[slot:]], node)
    return None


def _factors(term: Node, once: Once) -> list[Node]:
    """List what a product multiplies, also in products that only it reads."""
    if term.op is not times or not once(term):
        return [term]
    found: list[Node] = []
    pending = list(term.args[::-1])
    while pending:
        one = pending.pop()
        if one.op is times and once(one):
            pending += one.args[::-1]
        else:
            found.append(one)
    return found


def _join_ranks(op: Op, one: Node, other: Node) -> Node:
    """Apply an operation to parts of one expression, whose shapes need fit only all of that.

    Of two ranks the lower alone stretches: where the other one has to, both get the same rank.
    """
    if not fit_together((one.shape, other.shape)):
        rank = max(one.rank, other.rank)
        one, other = pad_rank(one, 0, rank), pad_rank(other, 0, rank)
    return op(one, other)


def _without(factors: Sequence[Node], shared: Sequence[Node]) -> list[Node]:
    """Remove one of each shared factor."""
    rest = list(factors)
    for one in shared:
        rest.remove(one)
    return rest


def sum_of(terms: Sequence[Node], node: Node) -> Node | None:
    """Build a sum of terms that may be repeated in place of another; None where none is whole."""
    if not any(same_shape(term.shape, node.shape) for term in terms):
        return None
    return total(terms)


def _split_factor(term: Node) -> tuple[float, Node]:
    """Split a term into a number of moderate size and what that multiplies."""
    if term.op is times and is_factor(term.args[0]) and term.args[0].value is not None:
        return float(term.args[0].value), term.args[1]
    return 1.0, term


SCALARS: Rules = {
    times: (
        scalar_in_front,
        scalars_multiplied,
        few_in_front,
        scalar_to_the_smaller,
        sign_of_product,
    ),
    over: (scalar_of_quotient, quotient_by_few, sign_of_product),
    negative: (sign_to_a_factor,),
    plus: (sign_of_term, terms_alike, common_factor),
    minus: (common_factor,),
    accumulate: (sign_of_term, terms_alike, common_factor),
    expand: (factor_of_view,),
    reshape: (factor_of_view,),
    transpose: (factor_of_view,),
}
