"""Sums of products of arrays with named axes, lowered pair by pair to matrix products."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations

from graphc.ir.dims import Dim
from graphc.ir.graph import Node
from graphc.ir.sizes import typical
from graphc.ir.types import product
from graphc.ops.define.families import to_int
from graphc.ops.linear.diagonals import diagonal
from graphc.ops.linear.products import matmul
from graphc.ops.reduce.reduction import sum_
from graphc.ops.shape.shaping import expand, in_order, reshape, transpose

Axes = tuple[str, ...]
Term = tuple[Node, Axes]


def contract(terms: Sequence[Term], result: Axes) -> Node:
    """Multiply the terms and sum over every axis that the result lacks.

    The cheapest pair is multiplied first (greedily, by multiply-adds), until one term is left.
    """
    pending = [_reduce(_diagonal(term), result, terms) for term in terms]
    while len(pending) > 1:
        one, other = min(
            combinations(range(len(pending)), 2),
            key=lambda pair: _cost(pending[pair[0]], pending[pair[1]]),
        )
        others = [term for i, term in enumerate(pending) if i not in (one, other)]
        kept = {axis for _, axes in others for axis in axes} | set(result)
        pending = [*others, _product(pending[one], pending[other], kept)]
    node, axes = pending[0]
    rest = tuple(i for i, axis in enumerate(axes) if axis not in result)
    if rest:
        node = sum_(node, axis=rest, keepdims=False)
        axes = tuple(axis for axis in axes if axis in result)
    return _order((node, axes), result)


def _cost(one: Term, other: Term) -> tuple[int, int]:
    """Multiply-adds of a product; of equals the earlier pair wins."""
    sizes = dict(zip(one[1], one[0].shape, strict=True))
    sizes |= dict(zip(other[1], other[0].shape, strict=True))
    shared = len(set(one[1]) & set(other[1]))
    return typical(product(list(sizes.values()))), -shared


def _diagonal(term: Term) -> Term:
    """Replace an axis that occurs twice in one term by its diagonal."""
    node, axes = term
    while len(set(axes)) < len(axes):
        twice = next(axis for axis, times in Counter(axes).items() if times > 1)
        one, other = [i for i, axis in enumerate(axes) if axis == twice][:2]
        rest = [i for i in range(len(axes)) if i not in (one, other)]
        node = diagonal(transpose(node, axes=(*rest, one, other)))
        axes = (*(axes[i] for i in rest), twice)
    return node, axes


def _reduce(term: Term, result: Axes, terms: Sequence[Term]) -> Term:
    """Sum over the axes that nothing else has."""
    node, axes = term
    uses = Counter(axis for _, others in terms for axis in set(others))
    alone = [i for i, axis in enumerate(axes) if uses[axis] == 1 and axis not in result]
    if not alone:
        return term
    node = sum_(to_int(node), axis=tuple(alone), keepdims=False)
    return node, tuple(axis for i, axis in enumerate(axes) if i not in alone)


def _product(one: Term, other: Term, kept: set[str]) -> Term:
    """Multiply two terms, summed over the axes that are not kept.

    Axes of both that are kept are those of a batch of matrix products; axes that are summed are
    their inner one; the others are rows and columns.
    """
    (x, a), (y, b) = one, other
    batch = tuple(axis for axis in a if axis in b and axis in kept)
    inner = tuple(axis for axis in a if axis in b and axis not in kept)
    rows = tuple(axis for axis in a if axis not in b)
    columns = tuple(axis for axis in b if axis not in a)
    sizes = dict(zip(a, x.shape, strict=True)) | dict(zip(b, y.shape, strict=True))
    if not inner or (batch and not rows and not columns):
        return _elementwise_product(one, other, (*batch, *rows, *columns), inner)
    left = _group(one, [*([axis] for axis in batch), rows, inner], sizes)
    right = _group(other, [*([axis] for axis in batch), inner, columns], sizes)
    if not batch:  # vectors as they are
        left = left if rows else reshape(left, shape=left.shape[1:])
        right = right if columns else reshape(right, shape=right.shape[:1])
    axes = (*batch, *rows, *columns)
    return reshape(matmul(left, right), shape=tuple(sizes[axis] for axis in axes)), axes


def _elementwise_product(one: Term, other: Term, axes: Axes, inner: Axes) -> Term:
    """Multiply element by element, with axes of length 1 where a term lacks one."""
    whole = (*axes, *inner)
    x, y = (_spread(term, whole) for term in (one, other))
    result = x * y
    if inner:
        result = sum_(result, axis=tuple(range(len(axes), len(whole))), keepdims=False)
    return result, axes


def _spread(term: Term, axes: Axes) -> Node:
    node = _order(term, tuple(axis for axis in axes if axis in term[1]))
    missing = tuple(i for i, axis in enumerate(axes) if axis not in term[1])
    return expand(node, axes=missing) if missing and node.rank else node


def _order(term: Term, axes: Axes) -> Node:
    node, found = term
    return in_order(node, [found.index(axis) for axis in axes])


def _group(term: Term, groups: Sequence[Sequence[str]], sizes: dict[str, Dim]) -> Node:
    """Reshape a term to one axis for each group."""
    node = _order(term, tuple(axis for group in groups for axis in group))
    shape = tuple(product([sizes[axis] for axis in group]) for group in groups)
    return reshape(node, shape=shape)
