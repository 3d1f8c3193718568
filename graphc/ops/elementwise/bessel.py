"""Bessel functions of whole order, whose derivatives are those of the orders beside it.

Their values come from `graphc.targets.numpy.runtime.bessel`, which is copied into modules.
"""

from __future__ import annotations

from collections.abc import Callable

from graphc.ir.dims import Dim
from graphc.ir.graph import Node, Op
from graphc.ir.kernel import Attr, Elementwise, X
from graphc.ir.types import Mismatch
from graphc.ops.define.families import composite, elementwise
from graphc.ops.elementwise.arithmetic import sign


def _bessel(name: str, slope: Callable[[Node, Node, int], Node], doc: str) -> Op:
    """Declare one for all orders n; `slope(y, x, n)` is its derivative."""
    return elementwise(
        name,
        kernel=Elementwise(name, X, Attr("n")),
        flops=250,
        partials=lambda y, x, n: (slope(y, x, n),),
        public=False,
        doc=doc,
    )


def _beside(op: Op, x: Node, n: int, sign: int) -> Node:
    """Half of the sum of the order below and the one above, or of their difference (NIST, 10.6.1,
    10.29.1); of order 0 that is the order 1."""
    below, above = op(x, n=n - 1), op(x, n=n + 1)
    return 0.5 * (below + above if sign > 0 else below - above)


def _j_slope(y: Node, x: Node, n: int) -> Node:
    return _beside(_j, x, n, -1) if n else -_j(x, n=1)


def _i_slope(y: Node, x: Node, n: int) -> Node:
    return _beside(_i, x, n, 1) if n else _i(x, n=1)


def _ie_slope(y: Node, x: Node, n: int) -> Node:
    """Of exp(-|x|), too, which at 0 counts as constant."""
    return (_beside(_ie, x, n, 1) if n else _ie(x, n=1)) - sign(x) * y


def _k_slope(y: Node, x: Node, n: int) -> Node:
    return -(_beside(_k, x, n, 1) if n else _k(x, n=1))


_j = _bessel("bessel_j", _j_slope, "J_n(x), the Bessel function of the first kind.")
_i = _bessel("bessel_i", _i_slope, "I_n(x), the modified Bessel function of the first kind.")
_ie = _bessel("bessel_ie", _ie_slope, "exp(-|x|) I_n(x).")
_k = _bessel("bessel_k", _k_slope, "K_n(x), the modified Bessel function of the second kind.")


def _of_order(name: str, op: Op, n: int, doc: str) -> None:
    @composite(name, "x", doc)
    def build(x: Node) -> Node:
        return op(x, n=n)


def _of_orders(name: str, op: Op, doc: str) -> None:
    @composite(name, "n: int, x", doc)
    def build(x: Node, n: Dim) -> Node:
        order = n.constant
        if order is None or order < 0:
            raise Mismatch("E209", f"`{name}` needs a whole order of at least 0, found {n}")
        return op(x, n=order)


_of_order("j0", _j, 0, "The Bessel function of the first kind of order 0.")
_of_order("j1", _j, 1, "The Bessel function of the first kind of order 1.")
_of_orders("jv", _j, "The Bessel function of the first kind of whole order n.")
_of_order("i0", _i, 0, "The modified Bessel function of the first kind of order 0.")
_of_order("i1", _i, 1, "The modified Bessel function of the first kind of order 1.")
_of_orders("iv", _i, "The modified Bessel function of the first kind of whole order n.")
_of_order("i0e", _ie, 0, "exp(-|x|) i0(x), which does not overflow.")
_of_order("i1e", _ie, 1, "exp(-|x|) i1(x), which does not overflow.")
_of_order("k0", _k, 0, "The modified Bessel function of the second kind of order 0.")
_of_order("k1", _k, 1, "The modified Bessel function of the second kind of order 1.")
_of_orders("kv", _k, "The modified Bessel function of the second kind of whole order n.")
