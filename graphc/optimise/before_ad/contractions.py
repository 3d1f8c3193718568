"""Products over axes that one factor does not have -> products of matrices, before calculus.

`sum(A[:, :, _] * B[_, :, :], axis=1)` is `A @ B`, and a matrix times each of many vectors, one
after the other, is the matrix times that of all: as `einsum` writes them.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir.graph import Node
from graphc.ir.items import whole_axes
from graphc.ir.types import Shape, is_one, same_shape
from graphc.ir.use_counts import Once
from graphc.ops.define.families import normal_axes
from graphc.ops.elementwise.arithmetic import times
from graphc.ops.linear.contraction import Axes, Term, contract
from graphc.ops.shape.shaping import expand, reshape


def product_of_stretched(node: Node, once: Once) -> Node | None:
    """Write sum(x * y) over axes that both have, where each has one of its own, as x @ y.

    Rounds otherwise.
    """
    whole = node.args[0]
    if whole.op is not times or not once(whole) or not _are_floats(whole.args):
        return None
    summed = normal_axes(node.attrs["axis"], whole.rank, "sum")
    names = tuple(map(str, range(whole.rank)))
    terms = [_without_ones(arg, names[whole.rank - arg.rank :]) for arg in whole.args]
    one, other = ({*axes} for _, axes in terms)
    if not summed or not {names[axis] for axis in summed} <= one & other:
        return None
    if one <= other or other <= one:
        return None
    return _in_shape(contract(terms, _left(whole.shape, names, summed)), node.shape)


def batch_as_columns(node: Node, once: Once) -> Node | None:
    """Multiply a matrix by the matrix of many columns rather than by each; likewise rows.

    Rounds otherwise.
    """
    if not _are_floats(node.args):
        return None
    batch = tuple(map(str, range(node.rank - 2)))
    for slot, last in enumerate((("row", "inner"), ("inner", "column"))):
        matrix, vectors = node.args[slot], node.args[1 - slot]
        if matrix.rank < 2 or vectors.rank < 3 or not is_one(vectors.shape[-1 - slot]):
            continue
        other = ("inner", "column") if slot == 0 else ("row", "inner")
        fixed, many = (
            _without_ones(arg, (*batch[len(batch) + 2 - arg.rank :], *core))
            for arg, core in ((matrix, last), (vectors, other))
        )
        mine, theirs = {*fixed[1]} & {*batch}, {*many[1]} & {*batch}
        if mine < theirs:
            names = (*batch, "row", "column")
            return _in_shape(contract([fixed, many], _left(node.shape, names)), node.shape)
    return None


def only_position(node: Node, once: Once) -> Node | None:
    """Drop an axis of length 1 for x[..., 0] of it. Exact."""
    x = node.args[0]
    left = [n for n, size in enumerate(x.shape) if not is_one(size)]
    if whole_axes(node.attrs["items"], x.shape) != left or len(left) == x.rank:
        return None
    return _in_shape(x, node.shape)


def change_of_shape(node: Node, once: Once) -> Node | None:
    """Make two changes of shape in one, or none. Exact."""
    found = _in_shape(node.args[0], node.shape)
    return found if found is not node else None


def _are_floats(args: Sequence[Node]) -> bool:
    return all(arg.rank and arg.type.dtype == "float" for arg in args)


def _left(shape: Shape, names: Axes, gone: Sequence[int] = ()) -> Axes:
    """Return the names of the axes that stay and are longer than 1."""
    kept = (n for n, size in enumerate(shape) if n not in gone and not is_one(size))
    return tuple(names[n] for n in kept)


def _in_shape(x: Node, shape: Shape) -> Node:
    """Reshape what an array was before other changes of shape."""
    while not same_shape(x.shape, shape) and x.op in (expand, reshape):
        x = x.args[0]
    return x if same_shape(x.shape, shape) else reshape(x, shape=shape)


def _without_ones(x: Node, axes: Axes) -> Term:
    """Drop the axes of length 1, along which a factor is stretched."""
    kept = [n for n, size in enumerate(x.shape) if not is_one(size)]
    return _in_shape(x, tuple(x.shape[n] for n in kept)), tuple(axes[n] for n in kept)
