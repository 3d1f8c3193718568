"""Sums and extremes of the rows of each segment, which an id for each row names."""

from __future__ import annotations

from graphc.ir.dims import Dim
from graphc.ir.graph import Node, Op
from graphc.ir.kernel import AXIS, SHAPE, Call, X, Y
from graphc.ir.types import Mismatch, Shape, same
from graphc.ops.define.families import CAST, composite, first_to_float, general
from graphc.ops.elementwise.arithmetic import divide_or_zero, equal
from graphc.ops.select.gathering import (
    gather,
    scatter,
    scatter_axes,
    scatter_batch,
    scatter_type,
)
from graphc.ops.select.indexing import check_indices


def _check(x: Node, segment_ids: Node, name: str) -> None:
    check_indices(segment_ids, name)
    if not x.rank or segment_ids.rank != 1 or not same(x.shape[0], segment_ids.shape[0]):
        raise Mismatch(
            "E301", f"`{name}` takes an id for each row, found {x.type} and {segment_ids.type}"
        )


@composite(
    "segment_sum",
    "x, segment_ids, num_segments: int",
    "The sum of the rows of x with each segment id from 0 to num_segments - 1.",
)
def segment_sum(x: Node, segment_ids: Node, num_segments: Dim) -> Node:
    _check(x, segment_ids, "segment_sum")
    return scatter(x, segment_ids, axis=0, sizes=(num_segments,))


def _extreme_vjp(
    ct: Node, y: Node, x: Node, ids: Node, axis: int, sizes: Shape
) -> tuple[Node, None]:
    """Send the cotangent to the extreme rows of each segment, evenly where several are equal."""
    chosen = CAST(equal(x, gather(y, ids, axis=axis)))
    share = divide_or_zero(ct, scatter(chosen, ids, axis=axis, sizes=sizes))
    return gather(share, ids, axis=axis) * chosen, None


def _extreme(name: str, kernel: str, doc: str) -> Op:
    return general(
        name,
        infer=scatter_type,
        kernel=Call(kernel, X, Y, AXIS, SHAPE),
        vjp=_extreme_vjp,
        prepare=first_to_float,
        public=False,
        batch=scatter_batch,
        axes=scatter_axes,
        doc=doc,
    )


_largest = _extreme("scattered_max", "largest_at", "The largest that each index names, or -inf.")
_smallest = _extreme("scattered_min", "smallest_at", "The smallest that each index names, or inf.")


@composite(
    "segment_max",
    "x, segment_ids, num_segments: int",
    "The largest of the rows of x with each segment id, element by element; -inf without a row,"
    " and ties share the derivative evenly.",
)
def segment_max(x: Node, segment_ids: Node, num_segments: Dim) -> Node:
    _check(x, segment_ids, "segment_max")
    return _largest(x, segment_ids, axis=0, sizes=(num_segments,))


@composite(
    "segment_min",
    "x, segment_ids, num_segments: int",
    "The smallest of the rows of x with each segment id, element by element; inf without a row,"
    " and ties share the derivative evenly.",
)
def segment_min(x: Node, segment_ids: Node, num_segments: Dim) -> Node:
    _check(x, segment_ids, "segment_min")
    return _smallest(x, segment_ids, axis=0, sizes=(num_segments,))
