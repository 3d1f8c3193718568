"""Operations on Python's own floats: what NumPy does element by element, with `math` on one number.

Where `math` raises (an overflow, 1 / 0, log of 0) NumPy has a value: inf or nan. No operation here
gives another number in its place, and nan goes through each of them. What is `guarded` asks NumPy
there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from graphc.ir.dims import Dim
from graphc.ir.graph import AxisMap, Node, Op
from graphc.ir.kernel import Arg, Call, Elementwise, Kernel, X, Y, Z
from graphc.records import replace

LAZY = frozenset({"where", "and", "or", "not", "sign", "maximum", "minimum", "relu", "==", "!="})
"""What may leave an argument alone, whatever it is."""

_AS_ON_ARRAYS = (
    "+", "-", "*", "/", "//", "%", "**", "negative", "==", "!=", "<", "<=", ">", ">=", "and", "or",
    "not", "where", "cast_float", "abs", "floor", "ceil", "trunc", "round", "exp", "expm1", "log",
    "log1p", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh", "exp2", "log2", "log10", "cbrt",
    "arcsin", "arccos", "arctan", "arcsinh", "arccosh", "arctanh", "atan2", "hypot", "erf", "erfc",
    "isfinite", "isnan", "isinf",
)  # fmt: skip

_X_IS_NAN = Elementwise("not_equal", X, X)
_POSITIVE = Elementwise("greater", X, 0.0)


def _exp(x: Elementwise | Arg) -> Elementwise:
    return Elementwise("exp", x)


def _choose(comparison: str) -> Elementwise:
    """x where it compares so with y, or is nan, else y."""
    wins = Elementwise("logical_or", Elementwise(comparison, X, Y), _X_IS_NAN)
    return Elementwise("where", wins, X, Y)


_OWN: Mapping[str, Elementwise] = {
    "sign": Elementwise(
        "where",
        _X_IS_NAN,
        X,
        Elementwise("cast", Elementwise("subtract", _POSITIVE, Elementwise("less", X, 0.0))),
    ),
    "maximum": _choose("greater_equal"),
    "minimum": _choose("less_equal"),
    "sigmoid": Elementwise(
        "divide", 1.0, Elementwise("add", 1.0, _exp(Elementwise("negative", X)))
    ),
    "softplus": Elementwise(
        "add",
        Elementwise("where", _POSITIVE, X, 0.0),
        Elementwise("log1p", _exp(Elementwise("negative", Elementwise("abs", X)))),
    ),
    "relu": Elementwise("where", Elementwise("less_equal", X, 0.0), 0.0, X),
    "softsign": Elementwise("divide", X, Elementwise("add", 1.0, Elementwise("abs", X))),
    "clip": Elementwise(
        "where",
        Elementwise("less", X, Y),
        Y,
        Elementwise("where", Elementwise("greater", X, Z), Z, X),
    ),
}
_SQUARE = Elementwise("multiply", X, X)

ON_NUMBERS = (*_AS_ON_ARRAYS, *_OWN)
"""The operations that there are on numbers, by name."""


_LARGE = 709.0
"""e to more than this is infinite."""


def _within(bound: float) -> Elementwise:
    return Elementwise("less", Elementwise("abs", X), bound)


def _to_numpy(name: str, *operands: Arg) -> Elementwise:
    """NumPy's own function, of numbers."""
    return Elementwise(f"np.{name}", *operands)


_FINITE = Elementwise("isfinite", X)
_REFUSED: Mapping[str, Elementwise] = {
    "exp": Elementwise("less", X, _LARGE),
    "expm1": Elementwise("less", X, _LARGE),
    "exp2": Elementwise("less", X, 1023.0),
    "sinh": _within(_LARGE),
    "cosh": _within(_LARGE),
    "log": _POSITIVE,
    "log2": _POSITIVE,
    "log10": _POSITIVE,
    "log1p": Elementwise("greater", X, -1.0),
    "sqrt": Elementwise("greater_equal", X, 0.0),
    **dict.fromkeys(("sin", "cos", "tan", "floor", "ceil", "trunc", "rint"), _FINITE),
    "arcsin": _within(1.0),
    "arccos": _within(1.0),
    "arctanh": _within(1.0),
    "arccosh": Elementwise("greater", X, 1.0),
}
"""Where `math` surely takes a number, by what it refuses others of."""
_DIVISIONS = frozenset({"divide", "floor_divide", "remainder"})
_GUARDED: Mapping[str, Elementwise] = {
    "**": _to_numpy("power", X, Y),
    "sigmoid": Elementwise(
        "where",
        Elementwise("greater", X, -_LARGE),
        _OWN["sigmoid"],
        _exp(X),
    ),
}


def on_numbers(node: Node) -> Op | None:
    """Return a node's operation on Python's own floats, if there is one.

    A square is a product; Python's own `**` makes complex numbers of negative ones.
    """
    if node.op.name == "clip" and not _in_order(*node.args[1:]):
        return None
    square = node.op.name == "**" and node.args[1].value == 2
    return _on_numbers(node.op, _SQUARE if square else _OWN.get(node.op.name))


def guarded(node: Node) -> Op | None:
    """Return the same where nothing is refused: what `math` does not take is given to NumPy."""
    op = on_numbers(node)
    if op is None or not isinstance(op.kernel, Elementwise):
        return None
    kernel = op.kernel
    if kernel is not _SQUARE:
        kernel = _GUARDED.get(op.name, kernel)
    if kernel.name in _DIVISIONS and not _is_divisor(node.args[1]):
        kernel = _guard(kernel, Elementwise("not_equal", Y, 0.0), (X, Y))
    elif kernel.name in _REFUSED:
        kernel = _guard(kernel, _REFUSED[kernel.name], (X,))
    return _with_kernel(op, kernel)


def _in_order(low: Node, high: Node) -> bool:
    """True for bounds that are known and between which there is something."""
    known = isinstance(low.value, int | float) and isinstance(high.value, int | float)
    return known and low.value <= high.value


def _is_divisor(node: Node) -> bool:
    """True for a number that is known, and not 0."""
    return isinstance(node.value, int | float) and node.value != 0


def _guard(kernel: Elementwise, taken: Elementwise, operands: Sequence[Arg]) -> Elementwise:
    plain = Elementwise(kernel.name, *operands)
    return Elementwise("where", taken, plain, _to_numpy(kernel.name, *operands))


@cache
def _on_numbers(op: Op, own: Elementwise | None) -> Op | None:
    if op.name not in ON_NUMBERS:
        return None
    if own is None:
        return _with_kernel(op, op.kernel)
    return replace(_with_kernel(op, own), flops=lambda node: Dim.of(_work(own)))


def _work(kernel: object) -> int:
    """Count the multiply-adds of a number of its own kernel."""
    if not isinstance(kernel, Elementwise):
        return 0
    own = {"exp": 20, "log1p": 20, "cast": 0}.get(kernel.name, 1)
    return own + sum(map(_work, kernel.operands))


@cache
def _with_kernel(op: Op, kernel: Kernel | None) -> Op:
    return replace(op, kernel=kernel, numbers=True)


# ---- from NumPy to Python's numbers and back -----------------------------------------------------


def _no_rule(ct: Node, node: Node) -> Sequence[Node | None]:
    raise AssertionError("what is made after calculus is not differentiated")


def _each(node: Node) -> AxisMap:
    return (tuple(range(node.rank)),)


def _free(node: Node) -> Dim:
    return Dim.of(0)


def _between(name: str, kernel: Kernel, **further: Any) -> Op:
    return Op(name, lambda x: x, kernel, _no_rule, "elementwise", _free, axes=_each, **further)


to_number = _between("number", Elementwise("cast"), numbers=True)
"""A scalar as a number of Python."""
to_scalar = _between("scalar", Call("scalar"))
"""A number of Python as a scalar of NumPy."""
numbers_of = _between("numbers", Call("numbers"), view_of=0)
"""A vector whose elements, one by one, are numbers of Python."""
