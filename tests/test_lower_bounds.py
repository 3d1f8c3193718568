"""Sums of shifted exponentials are told from sums that may be tiny."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from graphc.ir.dims import Dim
from graphc.ir.graph import INPUT, Node, building, source
from graphc.ir.types import Type
from graphc.ops.elementwise.elementary import exp
from graphc.ops.fused import peak
from graphc.ops.reduce.reduction import sum_
from graphc.ops.shape.shaping import expand, in_rows, transpose
from graphc.optimise.algebra.lower_bounds import never_tiny

Total = Callable[[Node], Node]
TURNED = (1, 0)


def total(x: Node, shift: Node, axis: int) -> Node:
    return sum_(exp(x - shift), axis=(axis,), keepdims=True)


SHIFTED: dict[str, Total] = {
    "kept": lambda x: total(x, peak(x, axis=(1,), keepdims=True), 1),
    "expanded": lambda x: total(x, expand(peak(x, axis=(1,), keepdims=False), axes=(1,)), 1),
    "turned": lambda x: total(
        transpose(x, axes=TURNED), expand(peak(x, axis=(0,), keepdims=False), axes=(1,)), 1
    ),
    "turned, in rows": lambda x: total(
        x, in_rows(transpose(peak(x, axis=(0,), keepdims=True), axes=(0, 1))), 0
    ),
}
OTHERS: dict[str, Total] = {
    "of the other axis": lambda x: total(x, peak(x, axis=(0,), keepdims=True), 1),
    "of the other axis, laid along this": lambda x: total(
        x, transpose(peak(x, axis=(0,), keepdims=True), axes=TURNED), 1
    ),
    "turned, but not its largest": lambda x: total(
        transpose(x, axes=TURNED), expand(peak(x, axis=(1,), keepdims=False), axes=(1,)), 1
    ),
    "of another array": lambda x: total(x, peak(exp(x), axis=(1,), keepdims=True), 1),
}


@pytest.mark.parametrize("name", [*SHIFTED, *OTHERS])
def test_the_largest_term_is_one(name: str) -> None:
    """Of a square array every axis fits: whose largest element is taken away is what counts."""
    with building():
        x = source(INPUT, "x", Type("float", (Dim.of(3), Dim.of(3))))
        made = (SHIFTED | OTHERS)[name](x)
        assert never_tiny(made) is (name in SHIFTED)
