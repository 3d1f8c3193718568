"""Operations whose NumPy source is a composition -> the ufuncs, reductions and gathers in it."""

from __future__ import annotations

from graphc.ir.graph import Node, as_node
from graphc.ir.types import product, same_shape
from graphc.ir.use_counts import Once, Rules
from graphc.ops.elementwise.activation import sigmoid, softplus, softsign
from graphc.ops.elementwise.arithmetic import (
    absolute,
    accumulate,
    isfinite,
    logical_not,
    maximum,
    minimum,
    where,
)
from graphc.ops.elementwise.elementary import exp, log1p
from graphc.ops.fused import (
    EXPONENT,
    LARGEST,
    entries,
    entries_added,
    entries_placed,
    kept,
    limit,
    peak,
)
from graphc.ops.linear.products import outer
from graphc.ops.reduce.reduction import count, largest, mean, sum_
from graphc.ops.select.gathering import gather
from graphc.ops.select.indexing import pick, unpick
from graphc.ops.shape.shaping import arange, expand, reshape
from graphc.optimise.algebra.factors import sum_of

SHORT = 128
"""So many elements cost a ufunc no more than its call."""


def sigmoid_by_one_exponential(node: Node, once: Once) -> Node | None:
    """sigmoid(x) -> e / (1 + e) with e = exp(min(x, m)), where exp(m) does not overflow.

    Not exact: rounded otherwise.
    """
    if node.args[0].static:
        return None
    power = exp(minimum(node.args[0], limit(**EXPONENT)))
    return power / (1.0 + power)


def softplus_by_parts(node: Node, once: Once) -> Node | None:
    """log(1 + exp(x)) -> max(x, 0) + log1p(exp(-|x|)), which NumPy vectorises.

    Rounds otherwise: the exponential is another.
    """
    x = node.args[0]
    short = x.type.size.constant is not None and x.type.size.constant <= SHORT
    if x.static or short:
        return None
    return maximum(x, 0.0) + log1p(exp(-absolute(x)))


def softsign_by_parts(node: Node, once: Once) -> Node | None:
    """softsign(x) -> x / (1 + |x|), whose parts are computed in buffers. Exact."""
    x = node.args[0]
    return None if x.static else x / (1.0 + absolute(x))


def mean_by_sum(node: Node, once: Once) -> Node | None:
    """mean(x) -> sum(x) / n. Exact: that is how NumPy does it."""
    if node.args[0].static or not node.args[0].rank:
        return None
    axis, keepdims = node.attrs["axis"], node.attrs["keepdims"]
    return sum_(node.args[0], axis=axis, keepdims=keepdims) / as_node(count(node.args[0], axis))


def outer_by_axes(node: Node, once: Once) -> Node | None:
    """outer(a, b) -> a[:, _] * b[_, :]. Exact."""
    if any(arg.type.dtype != "float" for arg in node.args):
        return None
    return expand(node.args[0], axes=(1,)) * expand(node.args[1], axes=(0,))


def kept_or_zero(node: Node, once: Once) -> Node | None:
    """where(m, x, 0), where(m, 0, x) -> the bits of x times m. Exact, also of inf and nan."""
    mask, one, other = node.args
    if node.type.dtype != "float" or mask.static:
        return None
    for x, zero, chosen in ((one, other, mask), (other, one, None)):
        plain = zero.rank == 0 and zero.value is not None and str(float(zero.value)) == "0.0"
        if plain and x.type.dtype == "float" and x.rank == node.rank > 0:
            return kept(x, logical_not(mask) if chosen is None else chosen)
    return None


def shift_of_exponentials(node: Node, once: Once) -> Node | None:
    """where(isfinite(m), m, 0), with m the largest of x -> m between the finite numbers.

    Not exact where m is infinite or nan; what is done with the shift is the same then: the
    exponentials are 0, inf or nan, and their sum too.
    """
    test, top, zero = node.args
    if test.op is not isfinite or top.op is not largest or test.args[0] is not top:
        return None
    if zero.rank or zero.value != 0:
        return None
    return minimum(peak(top.args[0], **top.attrs), limit(**LARGEST))


def picked_by_rows(node: Node, once: Once) -> Node | None:
    """pick(x, label) -> x[0 … n - 1, label], with all leading axes as one. Exact."""
    x, label = node.args
    if x.static or x.type.dtype != "float":
        return None
    if x.rank == 1:
        return gather(x, label, axis=0)
    found = entries(_matrix(x), arange(n=product(label.shape)), _flat(label))
    return _shaped(found, node)


def placed_by_rows(node: Node, once: Once) -> Node | None:
    """unpick(ct, label) -> zeros z with z[0 … n - 1, label] = ct. Exact."""
    ct, label = node.args
    if node.rank < 2:
        return None
    rows, columns = product(node.shape[:-1]), node.shape[-1]
    values = _flat(ct) if ct.rank else ct
    placed = entries_placed(values, arange(n=rows), _flat(label), shape=(rows, columns))
    return _shaped(placed, node)


def added_by_rows(node: Node, once: Once) -> Node | None:
    """a + (zeros but for z[rows, label] = ct) -> a with ct added there. Exact, but for a -0."""
    placed = [_unshaped(term) for term in node.args]
    slots = [slot for slot, term in enumerate(placed) if term.op is entries_placed]
    if not slots or len(node.args) < 2:
        return None
    values, rows, label = placed[slots[0]].args
    others = sum_of([term for slot, term in enumerate(node.args) if slot != slots[0]], node)
    if others is None:
        return None
    return _shaped(entries_added(_matrix(others), rows, label, values), node)


def _matrix(x: Node) -> Node:
    """Merge all leading axes."""
    return x if x.rank == 2 else reshape(x, shape=(product(x.shape[:-1]), x.shape[-1]))


def _flat(x: Node) -> Node:
    return x if x.rank == 1 else reshape(x, shape=(product(x.shape),))


def _shaped(x: Node, node: Node) -> Node:
    return x if same_shape(x.shape, node.shape) else reshape(x, shape=node.shape)


def _unshaped(x: Node) -> Node:
    return x.args[0] if x.op is reshape else x


PRIMITIVES: Rules = {
    sigmoid: (sigmoid_by_one_exponential,),
    softplus: (softplus_by_parts,),
    softsign: (softsign_by_parts,),
    mean: (mean_by_sum,),
    outer: (outer_by_axes,),
    where: (shift_of_exponentials, kept_or_zero),
    pick: (picked_by_rows,),
    unpick: (placed_by_rows,),
    accumulate: (added_by_rows,),
}
