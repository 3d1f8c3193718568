"""How operations are compared: numerical derivatives, layouts of memory, dtypes seen."""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Mapping, Sequence
from types import CodeType, ModuleType
from typing import Any

import numpy as np
from sampling import Arrays, Call

from graphc.compile.stages import load
from tests.loading import parts_of

KEEP_BOOL = ("where", "not ", "a and", "a or")
STEP = 1e-30


def close(found: Any, expected: Any, tolerance: float) -> None:
    """Equal in shape, and in value up to a part of the largest element."""
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    sizes = np.abs(expected[np.isfinite(expected)])
    scale = max(1.0, sizes.max()) if sizes.size else 1.0
    if not near(found, expected, tolerance * scale):
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * scale, strict=True)


def near(found: np.ndarray, expected: np.ndarray, gap: float) -> bool:
    """Equal in shape, and finite and no further apart: what NumPy need not look at closely."""
    if found.shape != expected.shape:
        return False
    with np.errstate(invalid="ignore"):  # ∞ - ∞
        return bool((np.abs(found - expected) <= gap).all())


def exact(call: Call, arguments: Arrays) -> list[np.ndarray]:
    """The arguments as the reference takes them: bool counts as int, but for a condition."""
    if call.text.startswith(KEEP_BOOL):
        return list(arguments)
    return [a.astype(np.int64) if a.dtype.kind == "b" else a for a in arguments]


def weighed(values: Arrays, weights: Arrays) -> Any:
    """Σ ⟨weight, value⟩ of the values that have a weight."""
    return sum(np.sum(w * v) for w, v in zip(weights, values, strict=True) if w is not None)


def differences(value: Callable[[np.ndarray], float], at: np.ndarray) -> np.ndarray:
    """The gradient by central differences, extrapolated once: the error is of fourth order."""
    gradient = np.zeros(at.shape)

    def slope(place: tuple[int, ...], width: float) -> float:
        moved = [at.copy(), at.copy()]
        moved[0][place] += width
        moved[1][place] -= width
        return (value(moved[0]) - value(moved[1])) / (2 * width)

    for place in np.ndindex(at.shape):
        gradient[place] = (4 * slope(place, 5e-4) - slope(place, 1e-3)) / 3
    return gradient


def numerical(call: Call, arguments: Arrays, size: int, weights: Arrays) -> dict[int, np.ndarray]:
    """The gradients of the weighed reference, by the places of the arguments."""
    if call.text.startswith("stop("):
        return {slot: np.zeros_like(arguments[slot]) for slot in call.floats}
    given = exact(call, arguments)

    def along(slot: int) -> Callable[[np.ndarray], float]:
        def value(at: np.ndarray) -> float:
            moved = [*given[:slot], at, *given[slot + 1 :]]
            return float(weighed(call.expected(moved, size), weights))

        return value

    return {slot: differences(along(slot), arguments[slot]) for slot in call.floats}


def complex_steps(
    call: Call, arguments: Arrays, size: int, weights: Arrays
) -> dict[int, np.ndarray] | None:
    """The gradients by complex steps, which cancel nothing: Im f(x + ih) / h (Squire & Trapp 1998).

    None where neither the reference nor its analytic form takes complex numbers.
    """
    if call.entry.analytic is False:
        return None
    given = exact(call, arguments)
    function = call.entry.analytic or call.entry.value
    try:
        raised = [a.astype(complex) if i in call.floats else a for i, a in enumerate(given)]
        probe = call.expected(raised, size, function)
    except TypeError:  # NumPy's and SciPy's answer where a function is of real numbers only
        return None
    if any(one.dtype.kind != "c" for one, w in zip(probe, weights, strict=True) if w is not None):
        return None
    gradients = {}
    for slot in call.floats:
        gradient = gradients[slot] = np.zeros(arguments[slot].shape)
        for place in np.ndindex(gradient.shape):
            moved = arguments[slot].astype(complex)
            moved[place] += STEP * 1j
            values = call.expected([*given[:slot], moved, *given[slot + 1 :]], size, function)
            gradient[place] = np.imag(weighed(values, weights)) / STEP
    return gradients


# ---- layouts of memory -----------------------------------------------------------------------


def _reversed(a: np.ndarray) -> np.ndarray:
    turned = (slice(None, None, -1),) * a.ndim
    return np.ascontiguousarray(a[turned])[turned] if a.ndim else a


def _strided(a: np.ndarray) -> np.ndarray:
    if not a.ndim:
        return a
    wide = np.zeros((*a.shape[:-1], 2 * a.shape[-1]), a.dtype)
    wide[..., ::2] = a
    return wide[..., ::2]


def _unaligned(a: np.ndarray) -> np.ndarray:
    moved = np.zeros(a.nbytes + 1, np.uint8)[1:].view(a.dtype).reshape(a.shape)
    moved[...] = a
    return moved


def _read_only(a: np.ndarray) -> np.ndarray:
    kept = a.copy()
    kept.flags.writeable = False
    return kept


LAYOUTS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "read-only": _read_only,
    "Fortran-ordered": lambda a: np.array(a, order="F"),
    "reversed": _reversed,
    "strided": _strided,
    "unaligned": _unaligned,
    "of the other byte order": lambda a: a.astype(a.dtype.newbyteorder()),
}
"""Equal arrays whose memory lies otherwise; all of them can be had of any array."""
STRIDES = ("Fortran-ordered", "reversed", "strided")
"""Those of the layouts whose elements NumPy reaches by other strides."""


def overlapping(arguments: Sequence[np.ndarray]) -> list[np.ndarray]:
    """For each argument a view into one buffer of its kind, where all begin at one place."""
    buffers: dict[np.dtype[Any], np.ndarray] = {}
    for a in arguments:
        if a.size >= buffers.get(a.dtype, np.zeros(0)).size:
            buffers[a.dtype] = a.ravel()
    return [buffers[a.dtype][: a.size].reshape(a.shape) for a in arguments]


# ---- dtypes of what is computed --------------------------------------------------------------


class _Watching(ast.NodeTransformer):
    """Every expression of a function's body passes through `_seen`, with the text of its line."""

    def __init__(self, text: str) -> None:
        self.lines = text.splitlines()

    def _watched(self, node: ast.expr) -> ast.expr:
        line = self.lines[node.lineno - 1].strip()
        self.generic_visit(node)
        return ast.Call(ast.Name("_seen", ast.Load()), [node, ast.Constant(line)], [])

    visit_BinOp = visit_UnaryOp = visit_Call = visit_Compare = _watched  # noqa: N815

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        if isinstance(node.ctx, ast.Load):
            return self._watched(node)
        self.generic_visit(node)
        return node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.expr:
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        if node.value is not None:
            node.value = self.visit(node.value)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.stmt:
        node.body = [self.visit(statement) for statement in node.body]
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.stmt:
        return node


HALVES = ("forward", "backward")


def watched(text: str, name: str, dtype: str) -> tuple[ModuleType, set[str]]:
    """A generated module, and what both halves will have computed in another floating dtype."""
    module = load("", name)
    wrong: set[str] = set()

    def seen(value: Any, line: str) -> Any:
        floats = isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "fc"
        if floats and value.dtype != dtype:
            wrong.add(f"{line}: {value.dtype}")
        return value

    module.__dict__["_seen"] = seen
    own, *ready_made = parts_of(text)
    for code in (_watched_code.__wrapped__(own), *map(_watched_code, ready_made)):
        exec(code, module.__dict__)
    return module, wrong


@functools.cache
def _watched_code(text: str) -> CodeType:
    """Statements in which every function that both halves may call is watched, and no other is."""
    tree = ast.parse(text)
    tree.body = [
        _Watching(text).visit(one) if isinstance(one, ast.FunctionDef) else one
        for one in tree.body
        if not isinstance(one, ast.FunctionDef) or one.name in HALVES or one.name.startswith("_")
    ]
    return compile(ast.fix_missing_locations(tree), "<watched>", "exec")
