"""NumPy's products and its linear algebra, in the language."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphc.importing.items import Value
from graphc.importing.numpy.arrays import Trace
from graphc.importing.numpy.elementwise import TABLE, of, refuse
from graphc.importing.shapes import contraction


@of(np.dot)
def _dot(trace: Trace, a: Any, b: Any, out: Any = None) -> Value:
    left, right = trace.typed(a), trace.typed(b)
    if not left.rank or not right.rank:
        return trace.sheet.binary("*", left, right)
    if left.rank <= 2 and right.rank <= 2:
        return trace.sheet.value(trace.sheet.draw.binary("@", left, right))
    return _tensordot(trace, a, b, ([left.rank - 1], [max(right.rank - 2, 0)]))


@of(np.inner)
def _inner(trace: Trace, a: Any, b: Any) -> Value:
    left, right = trace.typed(a), trace.typed(b)
    if not left.rank or not right.rank:
        return trace.sheet.binary("*", left, right)
    return _tensordot(trace, a, b, ([left.rank - 1], [right.rank - 1]))


def _product(name: str) -> Any:
    def multiply(trace: Trace, a: Any, b: Any, **named: Any) -> Value:
        refuse(trace, **named)
        return trace.sheet.call(name, trace.value(a), trace.value(b))

    return multiply


PRODUCTS: tuple[tuple[Any, str], ...] = (
    (np.outer, "outer"), (np.vdot, "vdot"), (np.kron, "kron"), (np.cross, "cross"),
    (np.linalg.solve, "solve"),
)  # fmt: skip
TABLE.update((function, _product(name)) for function, name in PRODUCTS)


@of(np.tensordot)
def _tensordot(trace: Trace, a: Any, b: Any, axes: Any = 2) -> Value:
    left, right = trace.typed(a), trace.typed(b)
    if isinstance(axes, int):
        axes = list(range(left.rank - axes, left.rank)), list(range(axes))
    first, second = ([one] if isinstance(one, int) else list(one) for one in axes)
    return contraction(
        trace.sheet, left, right, [one % left.rank for one in first],
        [one % right.rank for one in second],
    )  # fmt: skip


@of(np.einsum)
def _einsum(trace: Trace, *given: Any, optimize: Any = None, **_: Any) -> Value:
    subscripts, operands = given[0], [trace.typed(one) for one in given[1:]]
    if not isinstance(subscripts, str):
        raise trace.sheet.mistake("`einsum` takes its indices as a text: `np.einsum('ij,j->i', …)`")
    before, arrow, after = subscripts.replace(" ", "").partition("->")
    spare = iter("ZYXWVUTSRQPONMLKJIHGFEDCBA")
    rest = [x for x in spare if x not in subscripts]
    parts, dots = [], ""
    for part, operand in zip(before.split(","), operands, strict=True):
        hidden = operand.rank - len(part.replace("...", ""))
        mine = "".join(reversed(rest[:hidden]))
        dots = mine if len(mine) > len(dots) else dots
        parts.append(part.replace("...", mine))
    joined = "".join(parts)
    if not arrow:
        after = dots + "".join(
            x for x in sorted(set(joined)) if joined.count(x) == 1 and x not in dots
        )
    words = ", ".join(" ".join(part) for part in parts)
    text = f"{words} -> {' '.join(after.replace('...', dots))}".strip()
    return trace.sheet.call("einsum", text, *operands)


@of(np.linalg.norm)
def _norm(trace: Trace, x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Value:
    given, kept = trace.typed(x), keepdims or None
    matrix = (axis is None and given.rank == 2) or isinstance(axis, tuple)
    if ord is None or ord == "fro" or (ord == 2 and not matrix):
        along = list(axis) if isinstance(axis, tuple) else axis
        return trace.sheet.call("norm", given, axis=along, keepdims=kept)
    if matrix:
        raise trace.sheet.mistake(f"there is no norm {ord!r} of matrices in the language")
    if ord in (1, math.inf):
        return trace.sheet.call("norm", given, float(ord), axis=axis, keepdims=kept)
    powers = trace.sheet.binary("**", trace.sheet.call("abs", given), ord)
    total = trace.sheet.call("sum", powers, axis=axis, keepdims=kept)
    return trace.sheet.binary("**", total, 1 / ord)


@of(np.linalg.slogdet)
def _slogdet(trace: Trace, a: Any) -> Any:
    given = trace.value(a)
    sign = trace.sheet.call("sign", trace.sheet.call("det", given))
    return _Determinant(trace.wrap(sign), trace.wrap(trace.sheet.call("logdet", given)))


class _Determinant(tuple[Any, ...]):
    """The sign and the logarithm of a determinant, as NumPy's."""

    def __new__(cls, *parts: Any) -> _Determinant:
        return super().__new__(cls, parts)

    sign = property(lambda self: self[0])
    logabsdet = property(lambda self: self[1])


@of(np.polyval)
def _polyval(trace: Trace, p: Any, x: Any) -> Any:
    found: Any = 0.0
    for coefficient in p:
        found = found * x + coefficient
    return found


@of(np.linalg.eigh)
def _eigh(trace: Trace, a: Any) -> list[Value]:
    return trace.sheet.values(trace.sheet.draw.call("eigh", trace.value(a)))


@of(np.linalg.lstsq)
def _lstsq(trace: Trace, a: Any, b: Any, rcond: Any = None) -> list[Any]:
    return [trace.sheet.call("lstsq", trace.value(a), trace.value(b)), None, None, None]
