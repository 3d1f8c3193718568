"""Filling: how a node is computed into an array that is there already, by its kernel."""

from __future__ import annotations

from functools import cache

from graphc.ir.graph import Node
from graphc.ir.kernel import Arg, Call, Elementwise, Kernel, Put, Reduce, View
from graphc.plan.buffers.ufuncs import UFUNCS
from graphc.records import dataclass

NONE: frozenset[int] = frozenset()
EVERY = frozenset(range(64))


@dataclass(frozen=True, slots=True)
class Filling:
    """That a node can be computed into an array, and in place of which of its arguments.

    `onto` says that of the first argument all stays but what is put there.
    """

    in_place: frozenset[int] = NONE
    onto: bool = False


REDUCTIONS = {"sum": "add", "max": "maximum", "min": "minimum"}
"""Reductions that are those of a ufunc: without the wrapper of its Python function."""
_CALLS = frozenset({"matmul", "vecdot", "concatenate", "full"})
_PLACES = frozenset({"items", "parts", "letters", "triangle", "label", "entries", "along"})
"""Functions, and places, that NumPy fills arrays by."""
_ALWAYS_NEW = frozenset({"isfinite", "isinf", "isnan"})
"""Ufuncs that NumPy computes wrongly into an array whose elements do not lie one behind the other
(2.4, with AVX-512: sixteen elements or more)."""
_ANYWHERE, _BY_ELEMENT = Filling(), Filling(EVERY)


def filling(node: Node) -> Filling | None:
    """Return how a node is computed into an array; None where NumPy always makes a new one."""
    kernel = node.op.kernel
    if not node.rank or node.static or (node.op.view_of is not None and kernel != View("rows")):
        return None
    match kernel:
        case Elementwise("cast"):
            return _ANYWHERE
        case Elementwise("kept"):
            return Filling(frozenset({0}))
        case Elementwise("add") if len(node.args) != 2:
            return Filling(frozenset({0, 1}) if len(node.args) > 1 else NONE)
        case Elementwise(name):
            return _BY_ELEMENT if is_ufunc(kernel) and name not in _ALWAYS_NEW else None
        case Put(place, onto=onto) if place in _PLACES:
            return Filling(frozenset({0}), onto=True) if onto else _ANYWHERE
        case View("rows"):
            return _ANYWHERE
        case Call(name) if name in _CALLS:
            return _ANYWHERE
    return _ANYWHERE if reduces(kernel) else None


def reduces(kernel: Kernel | None) -> bool:
    """True for a reduction of a ufunc."""
    return isinstance(kernel, Reduce) and kernel.name in REDUCTIONS


@cache
def is_ufunc(kernel: Kernel | None) -> bool:
    """True for one ufunc of NumPy, of arguments and numbers."""
    if not isinstance(kernel, Elementwise):
        return False
    plain = all(isinstance(one, Arg | int | float) for one in kernel.operands)
    return plain and kernel.name in UFUNCS
