"""Diagonals and triangles of matrices, over leading batch axes."""

from __future__ import annotations

from string import ascii_letters
from typing import Any

from graphc.ir.dims import Dim
from graphc.ir.graph import AxisMap, Node, Op
from graphc.ir.kernel import DTYPE, Attr, Call, Put, Take, View, X
from graphc.ir.types import Mismatch, Type, known_facts, same, shape_text
from graphc.limits import Exceeded
from graphc.ops.define.axis_maps import batch_axes, from_the_right
from graphc.ops.define.batching import with_attrs
from graphc.ops.define.families import composite, constant, first_to_float, linear
from graphc.ops.reduce.reduction import sum_


def _matrix(x: Type, what: str) -> None:
    if x.rank < 2:
        raise Mismatch("E301", f"`{what}` takes a matrix, found {x}")


def _offset(k: Dim | int, what: str) -> int:
    known = Dim.of(k).constant
    if known is None:
        raise Mismatch("E404", f"the offset of `{what}` is an integer known at compile time")
    return known


def _length(rows: Dim, columns: Dim, offset: int) -> Dim:
    """Count the elements of a diagonal."""
    down, across = rows + min(offset, 0), columns - max(offset, 0)
    facts = known_facts()
    for one, other in ((down, across), (across, down)):
        if same(one, other) or facts.nonnegative(other - one):
            if (one.constant or 0) < 0:
                raise Mismatch("E308", f"{shape_text((rows, columns))} has no diagonal {offset}")
            return facts.normal(one)
    raise Mismatch(
        "E302", f"which side of {shape_text((rows, columns))} ends its diagonal depends on the dims"
    )


_diagonal: Op = linear(
    "diagonal",
    infer=lambda x, *, offset: x.with_shape(
        (*x.shape[:-2], _length(x.shape[-2], x.shape[-1], offset))
    ),
    kernel=View("diagonal"),
    transpose=lambda ct, x, offset: diagonal_matrix(ct, offset=offset, sides=x.shape[-2:]),
    view_of=0,
    public=False,
    axes=batch_axes(2, result=1),
    doc="The elements [i, i + offset] of matrices.",
)


diagonal_matrix: Op = linear(
    "diagonal_matrix",
    infer=lambda x, *, offset, sides: x.with_shape((*x.shape[:-1], *sides)),
    kernel=Put("diagonal"),
    transpose=lambda ct, x, offset, sides: _diagonal(ct, offset=offset),
    public=False,
    axes=batch_axes(1, result=2),
    doc="Zeros, but for a diagonal: the transpose of `diagonal`.",
)


# ---- diagonals of any axes ------------------------------------------------------------------


def _letter_axes(node: Node) -> AxisMap:
    """Map an axis of the part that is one axis of the whole."""
    part, whole = node.attrs["part"], node.attrs["whole"]
    return (tuple(whole.index(a) if whole.count(a) == 1 else None for a in part),)


def _under_a_letter(size: Dim, x: Node, **attrs: Any) -> dict[str, Any]:
    letter = next((a for a in ascii_letters if a not in attrs["whole"]), None)
    if letter is None:
        raise Exceeded(f"`np.einsum` has {len(ascii_letters)} letters; more axes are needed here")
    led: dict[str, Any] = {name: letter + attrs[name] for name in ("part", "whole")}
    return led | {"shape": (size, *attrs["shape"])}


on_diagonals: Op = linear(
    "on_diagonals",
    infer=lambda x, *, part, whole, shape: x.with_shape(shape),
    kernel=Put("letters"),
    transpose=lambda ct, x, part, whole, shape: of_diagonals(
        ct, part=part, whole=whole, shape=x.shape
    ),
    public=False,
    batch=with_attrs(_under_a_letter),
    axes=_letter_axes,
    doc="Zeros, but where axes of one letter have one index: `part` and `whole` name the axes.",
)
of_diagonals: Op = linear(
    "of_diagonals",
    infer=lambda x, *, part, whole, shape: x.with_shape(shape),
    kernel=View("letters"),
    transpose=lambda ct, x, part, whole, shape: on_diagonals(
        ct, part=part, whole=whole, shape=x.shape
    ),
    view_of=0,
    public=False,
    batch=with_attrs(_under_a_letter),
    doc="The elements where axes of one letter have one index: the transpose of `on_diagonals`.",
)


@composite("diagonal", "x, offset: int = 0", "The elements [i, i + offset] of matrices.")
def diagonal(x: Node, offset: Dim | int = 0) -> Node:
    _matrix(x.type, "diagonal")
    return _diagonal(x, offset=_offset(offset, "diagonal"))


@composite("diag", "x, k: int = 0", "Of a vector the matrix with this diagonal, of a matrix it.")
def diag(x: Node, k: Dim | int = 0) -> Node:
    if x.rank != 1:
        return diagonal(x, k)
    offset = _offset(k, "diag")
    side = x.shape[0] + abs(offset)
    return diagonal_matrix(x, offset=offset, sides=(side, side))


@composite("trace", "x, offset: int = 0", "The sum of a diagonal of matrices.")
def trace(x: Node, offset: Dim | int = 0) -> Node:
    return sum_(diagonal(x, offset), axis=(x.rank - 2,), keepdims=False)


def _triangle(name: str, doc: str) -> Op:
    def infer(x: Type, *, k: Dim | int) -> Type:
        _matrix(x, name)
        return x

    def part(node: Node, axis: int, start: Dim) -> dict[str, Any]:
        """Shift the diagonal right by where rows start, left by where columns do."""
        sign = {node.rank - 2: 1, node.rank - 1: -1}.get(axis, 0)
        return {"k": Dim.of(node.attrs["k"]) + sign * start}

    made = linear(
        name,
        infer=infer,
        kernel=Call(name, X, Attr("k", default=0)),
        transpose=lambda ct, x, k: op(ct, k=k),
        signature="x, k: int = 0",
        axes=from_the_right,
        part=part,
        doc=doc,
    )
    op: Op = made
    return op


tril = _triangle("tril", "Matrices with zeros above diagonal k.")
triu = _triangle("triu", "Matrices with zeros below diagonal k.")


# ---- the strict lower triangle, by columns ---------------------------------------------------


def _fill_type(v: Type, *, n: Dim) -> Type:
    wanted = known_facts().normal(n * (n - 1) // 2)
    if not v.rank or not same(v.shape[-1], wanted):
        raise Mismatch(
            "E301",
            f"`fill_tril` takes {wanted} numbers along the last axis for a side of {n}, found {v}",
        )
    return v.with_shape((*v.shape[:-1], n, n))


fill_tril: Op = linear(
    "fill_tril",
    infer=_fill_type,
    kernel=Put("triangle"),
    transpose=lambda ct, v, n: _tril_entries(ct, n=n),
    signature="v, n: int",
    prepare=first_to_float,
    axes=batch_axes(1, result=2),
    doc="The matrix of side n whose strict lower triangle holds the vector v by columns.",
)
_tril_entries: Op = linear(
    "tril_entries",
    infer=lambda x, *, n: x.with_shape((*x.shape[:-2], n * (n - 1) // 2)),
    kernel=Take("triangle"),
    transpose=lambda ct, x, n: fill_tril(ct, n=n),
    public=False,
    axes=batch_axes(2, result=1),
    doc="The strict lower triangle of matrices by columns: the transpose of `fill_tril`.",
)

identity_matrix = constant(
    "identity",
    infer=lambda *, n, m, k: Type("float", (Dim.of(n), Dim.of(m))),
    kernel=Call("eye", Attr("n"), Attr("m"), Attr("k", default=0), dtype=DTYPE),
    signature="",
    public=False,
    doc="Ones on a diagonal, else zeros.",
)


@composite("eye", "n: int, m: int = none, k: int = 0", "Ones on diagonal k of [n, m], else zeros.")
def eye(n: Dim, m: Dim | None = None, k: Dim | int = 0) -> Node:
    return identity_matrix(n=n, m=n if m is None else m, k=Dim.of(k))
