"""Powers -> products and roots; functions of numbers -> the numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from graphc.ir.graph import Node, Op, as_node
from graphc.ir.use_counts import Once, Rules
from graphc.ops.elementwise.arithmetic import negative, power, times
from graphc.ops.elementwise.elementary import cos, exp, log, log1p, sin, sqrt, tanh
from graphc.ops.elementwise.special import lgamma
from graphc.ops.fused import square
from graphc.optimise.algebra.lower_bounds import at_least

LARGEST_POWER = 16
"""So many factors, multiplied by repeated squaring, cost less than a power."""


def power_by_products(node: Node, once: Once) -> Node | None:
    """x**2 -> square(x); x**n -> products of x and its squares; x**-n -> 1 / x**n.

    Exact for n = 2 and -1, as NumPy itself does these; else each product rounds.
    """
    base, exponent = node.args
    n = _whole(exponent)
    if n is None or base.static or node.type.dtype != "float" or base.type.dtype != "float":
        return None
    if n == 0 or abs(n) > LARGEST_POWER or base.rank != node.rank:
        return None
    result = _product(base, abs(n))
    return result if n > 0 else 1.0 / result


def _whole(exponent: Node) -> int | None:
    value = exponent.value
    known = exponent.rank == 0 and isinstance(value, int | float) and math.isfinite(value)
    return int(value) if known and value == int(value) else None


def _product(base: Node, n: int) -> Node:
    """x to a power of at least 1, by repeated squaring."""
    result: Node | None = None
    while True:
        if n % 2:
            result = base if result is None else result * base
        n //= 2
        if not n:
            assert result is not None
            return result
        base = square(base)


def power_by_roots(node: Node, once: Once) -> Node | None:
    """x**0.5 -> sqrt(x), x**-0.5 -> 1 / sqrt(x), x**1.5 -> x sqrt(x), where x is no less than 0.

    Exact for 0.5. (-inf)**0.5 would be inf, and (-0)**-0.5 too.
    """
    base, exponent = node.args
    if exponent.rank or exponent.value not in (0.5, -0.5, 1.5) or base.static or at_least(base) < 0:
        return None
    root = sqrt(base)
    return root if exponent.value == 0.5 else base * root if exponent.value > 1 else 1.0 / root


def product_with_itself(node: Node, once: Once) -> Node | None:
    """x * x -> square(x), and (-x) * (-x) likewise; the square of -x -> that of x. Exact."""
    if node.op is square:
        inner = node.args[0]
        return square(inner.args[0]) if inner.op is negative else None
    x, y = node.args
    if x is not y or x.static or x.type.dtype != "float":
        return None
    return square(x)


FUNCTIONS: Mapping[Op, Callable[[float], float]] = {
    cos: math.cos,
    exp: math.exp,
    lgamma: math.lgamma,
    log: math.log,
    log1p: math.log1p,
    sin: math.sin,
    sqrt: math.sqrt,
    tanh: math.tanh,
}


def function_of_number(node: Node, once: Once) -> Node | None:
    """f(number) -> the number, in double precision; where Python refuses it stays.

    Not exact: NumPy may round the last digit otherwise, and a module of float32 computes in that.
    """
    argument = node.args[0]
    if node.rank or argument.value is None:
        return None
    try:
        value = FUNCTIONS[node.op](float(argument.value))
    except (ArithmeticError, ValueError):
        return None
    return as_node(value) if math.isfinite(value) else None


POWERS: Rules = {
    power: (power_by_products, power_by_roots),
    times: (product_with_itself,),
    square: (product_with_itself,),
} | dict.fromkeys(FUNCTIONS, (function_of_number,))
