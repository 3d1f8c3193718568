"""Every function and operator of the language with what it must compute, and its calls.

A function that is declared without an entry is what NumPy, SciPy or JAX call by its name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import scipy.special
from references_arrays import REDUCTIONS, SELECTION
from references_elementwise import ELEMENTWISE
from references_matrices import MATRICES, PRODUCTS
from references_order import ORDER
from references_resizing import RESIZING
from references_shapes import SHAPES
from references_special import SPECIAL
from references_windows import WINDOWS
from sampling import SMOOTH, TOGETHER, Call, Entry, Use, calls_of, family, on

from graphc.ops import FUNCTIONS, Function

ENTRIES = {
    **ELEMENTWISE,
    **SPECIAL,
    **REDUCTIONS,
    **SHAPES,
    **SELECTION,
    **ORDER,
    **MATRICES,
    **WINDOWS,
    **RESIZING,
}
NO_TENSORS = {"zeros", "ones", "len", "arange", "eye"}
"""Functions of what is known when compiling: test_constant_arrays has what they give."""


def entry_of(function: Function) -> Entry | None:
    """The entry of a function, or the function of its name elsewhere."""
    if function.name in ENTRIES:
        return ENTRIES[function.name]
    for library in (np, scipy.special, jax.nn):
        value: Any = getattr(library, function.name, None)
        if value is not None:
            return Entry(value)
    return None


# ---- what is written without a name ----------------------------------------------------------

LOGICAL = ("[]", "[4]", "[2, 3]", "[1]", "[0]", "[N, 3]")
COMPARED = TOGETHER[2][::4]


def _operator(
    text: str, value: Callable[..., Any], inside: tuple[float, float] = SMOOTH, **more: Any
) -> Entry:
    count = len(set(re.findall(r"\b[a-h]\b", text)))
    uses = TOGETHER[count]
    if re.search(r"\b(and|or|not)\b", text):
        uses = tuple(on((f"bool{type}",) * count) for type in LOGICAL)
    elif re.search(r"[=<>!]=|[<>]", text):
        uses = COMPARED
    return Entry(
        value, inside, tuple(Use(text, use.types, sizes=use.sizes) for use in uses), **more
    )


def _part(text: str, type: str, f: Callable[[Any], Any], sizes: tuple[int, ...] = ()) -> Use:
    return on(type, text, sizes, f=f)


def _indexed(text: str, array: str, index: str, f: Callable[..., Any]) -> Use:
    return on((array, index), text, f=f)


def _paired(text: str, array: str, one: str, other: str, f: Callable[..., Any]) -> Use:
    return on((array, one, other), text, f=f)


PARTS = (
    _part("a[0]", "[3]", lambda a: a[0]),
    _part("a[-1]", "[3]", lambda a: a[-1]),
    _part("a[1:]", "[3]", lambda a: a[1:]),
    _part("a[:-1]", "[3, 2]", lambda a: a[:-1]),
    _part("a[::2]", "[5]", lambda a: a[::2]),
    _part("a[1::2]", "[4]", lambda a: a[1::2]),
    _part("a[::-1]", "[4]", lambda a: a[::-1]),
    _part("a[3:0:-2]", "[5]", lambda a: a[3:0:-2]),
    _part("a[::-2]", "[6]", lambda a: a[::-2]),
    _part("a[:, 1]", "[2, 3, 4]", lambda a: a[:, 1]),
    _part("a[..., 1]", "[2, 3, 4]", lambda a: a[..., 1]),
    _part("a[1, ..., 1:3]", "[2, 3, 4]", lambda a: a[1, ..., 1:3]),
    _part("a[:, _]", "[3]", lambda a: a[:, None]),
    _part("a[_, :, 0, _]", "[2, 3]", lambda a: a[None, :, 0, None]),
    _part("a[2:2]", "[3]", lambda a: a[2:2]),
    _part("a[1:N]", "[N, 2]", lambda a: a[1:], (3, 5, 1)),
    _part("a[N - 1]", "[N, 2]", lambda a: a[-1], (3, 5, 1)),
    _part("a[:N - 1]", "[N]", lambda a: a[:-1], (3, 5, 1)),
    _part("a[::-1]", "[N]", lambda a: a[::-1]),
    _part("a[::2]", "[N]", lambda a: a[::2]),
    _part("a[1:] - a[:-1]", "[N]", np.diff, (3, 5, 1)),
    _part("a[:]", "[3]", lambda a: a),
    _part("a.T", "[2, 3]", np.transpose),
)
INDEXED = (
    _indexed("a[b]", "[3, 2]", "int[4]", lambda a, i: a[i]),
    _indexed("a[b]", "[3, 2]", "int[]", lambda a, i: a[i]),
    _indexed("a[b]", "[3]", "int[2, 2]", lambda a, i: a[i]),
    _indexed("a[b]", "[3]", "int[N]", lambda a, i: a[i]),
    _indexed("a[:, b]", "[2, 4]", "int[3]", lambda a, i: a[:, i]),
    _indexed("a[0, :, b]", "[2, 2, 4]", "int[3]", lambda a, i: a[0][:, i]),
    _indexed("a[..., b]", "[2, 4]", "int[2, 1]", lambda a, i: a[..., i]),
    _indexed("a[1:, b]", "[3, 4]", "int[2]", lambda a, i: a[1:, i]),
)
PAIRS = (
    _paired("a[b, c]", "[3, 4]", "int[5]", "int[5]", lambda a, i, j: a[i, j]),
    _paired("a[b, c]", "[3, 4]", "int[]", "int[2]", lambda a, i, j: a[i, j]),
    _paired("a[b, c]", "[3, 4]", "int[]", "int[]", lambda a, i, j: a[i, j]),
    _paired("a[:, b, c]", "[N, 3, 4]", "int[2, 2]", "int[2]", lambda a, i, j: a[:, i, j]),
    _paired("a[b, :, c]", "[3, 2, 4]", "int[5]", "int[5]", lambda a, i, j: a[i, :, j]),
    _paired("a[:, b, :, c]", "[2, 3, N, 4]", "int[5]", "int[5]", lambda a, i, j: a[:, i, :, j]),
    _paired("a[b, _, c]", "[3, 4]", "int[5]", "int[5]", lambda a, i, j: a[i, None, j]),
    _paired("a[_, b, ..., c]", "[3, 4]", "int[2]", "int[2]", lambda a, i, j: a[None, i, ..., j]),
    _paired("a[b, c, 1:]", "[3, 4, 3]", "int[2, 1]", "int[1, 2]", lambda a, i, j: a[i, j, 1:]),
    _paired("a[1, b, c]", "[2, 3, 4]", "int[N]", "int[N]", lambda a, i, j: a[1][i, j]),
    _paired("a[b, 1, :, c]", "[3, 2, 2, 4]", "int[2]", "int[2]", lambda a, i, j: a[:, 1][i, :, j]),
)


def _given(*arrays: np.ndarray, f: Callable[..., Any]) -> Any:
    """The reference comes with each call."""
    return f(*arrays)


OPERATORS: dict[str, Entry] = {
    "<+>": _operator("a + b", np.add),
    "<->": _operator("a - b", np.subtract),
    "<*>": _operator("a * b", np.multiply),
    "</>": _operator("a / b", np.divide, (0.3, 2.3)),
    "<**>": _operator("a ** b", np.power, (0.3, 2.3)),
    "<//>": _operator("a // b", np.floor_divide, (0.3, 2.3)),
    "<%>": _operator("a % b", np.remainder, (0.3, 2.3)),
    "<==>": _operator("a == b", np.equal),
    "<!=>": _operator("a != b", np.not_equal),
    "<<>": _operator("a < b", np.less),
    "<<=>": _operator("a <= b", np.less_equal),
    "<>>": _operator("a > b", np.greater),
    "<>=>": _operator("a >= b", np.greater_equal),
    "<neg>": _operator("-a", np.negative),
    "<and>": _operator("a and b", np.logical_and),
    "<or>": _operator("a or b", np.logical_or),
    "<not>": _operator("not a", np.logical_not),
    "<@>": Entry(np.matmul, SMOOTH, tuple(on(types, "a @ b") for types in PRODUCTS)),
    "<[]>": Entry(_given, SMOOTH, PARTS),
    "<[i]>": Entry(_given, (-1, 3), INDEXED),
    "<[i, j]>": Entry(_given, (-1, 3), PAIRS),
}
"""Operators and subscripts, whose calls are expressions as they are written."""


def _all_calls() -> dict[str, tuple[Call, ...]]:
    found = {}
    for name, function in FUNCTIONS.items():
        entry = entry_of(function)
        if name in NO_TENSORS or entry is None:
            continue
        uses = entry.calls or family(function)
        if uses is not None:
            found[name] = tuple(calls_of(name, entry, uses))
    for name, entry in OPERATORS.items():
        found[name] = tuple(calls_of(name, entry, entry.calls))
    return found


CALLS = _all_calls()
"""The calls of every function and operator."""


def _alike() -> dict[str, int]:
    by_form: dict[tuple[str, ...], list[str]] = {}
    for name, calls in CALLS.items():
        by_form.setdefault(tuple(str(one).replace(name, "_") for one in calls), []).append(name)
    many = [names for names in by_form.values() if len(names) > 3]
    return {name: number for names in many for number, name in enumerate(names)}


ALIKE = _alike()
"""Functions of which at least three others have the same calls, by their number among these."""

DRAWN = {
    name: calls[ALIKE[name] % 2 :: 2] if name in ALIKE else calls for name, calls in CALLS.items()
}
"""Of functions that are alike every other call, which the next of them leaves out."""
