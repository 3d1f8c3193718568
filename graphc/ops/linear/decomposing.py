"""Eigenvalues, singular values and orthonormal columns of matrices, over leading batch axes.

Vectors have signs, and bases of equal values a rotation, that nothing determines: they are those of
LAPACK. What depends on them has no derivative; what does not has that of these rules.
"""

from __future__ import annotations

from graphc.ir.dims import Dim
from graphc.ir.graph import OPERATORS, Node, Op
from graphc.ir.kernel import Attr, Call, X
from graphc.ir.types import Mismatch, Type, known_facts, same
from graphc.ops.define.axis_maps import batch_axes
from graphc.ops.define.families import composite, general, to_float
from graphc.ops.elementwise.arithmetic import equal, logical_and, where
from graphc.ops.linear.diagonals import eye, tril, triu
from graphc.ops.linear.solving import check_square, cube, solve
from graphc.ops.reduce.reduction import sum_
from graphc.ops.shape.shaping import expand, part_of, swap_last


def _columns(v: Node) -> Node:
    """Reshape vectors to multiply the columns of matrices."""
    return expand(v, axes=(v.rank - 1,))


def _rows(v: Node) -> Node:
    """Reshape vectors to multiply the rows of matrices."""
    return expand(v, axes=(v.rank,))


def _shorter_side(x: Type, what: str) -> Dim:
    """Return how many columns a thin decomposition has."""
    if x.rank < 2:
        raise Mismatch("E301", f"`{what}` takes a matrix, found {x}")
    rows, columns = x.shape[-2:]
    for one, other in ((rows, columns), (columns, rows)):
        if same(one, other) or known_facts().nonnegative(other - one):
            return one
    raise Mismatch(
        "E302",
        f"`{what}` depends on which side of {x} is the shorter one, and the dims leave that open",
        f"state it: `require {rows} >= {columns}`, or the other way round",
    )


# ---- differences of values ----------------------------------------------------------------------


def _gaps_vjp(ct: Node, y: Node, w: Node, strict: bool) -> tuple[Node]:
    """Return -y² (dw[j] - dw[i]), transposed; nan for equal values, which may part."""
    tied = logical_and(equal(y, 0.0), equal(eye(w.shape[-1]), 0.0))
    flowing = ct * where(tied, float("nan"), -(y * y))
    to, of = (sum_(flowing, axis=(axis,), keepdims=False) for axis in (w.rank - 1, w.rank))
    return (to - of,)


_inverse_gaps: Op = general(
    "inverse_gaps",
    infer=lambda w, *, strict: w.with_shape((*w.shape, w.shape[-1])),
    kernel=Call("inverse_gaps", X, strict=Attr("strict")),
    vjp=_gaps_vjp,
    flops=lambda node: 4 * node.type.size,
    public=False,
    axes=batch_axes(1, result=2),
    doc="1 / (w[j] - w[i]) for all pairs; of two that are equal but for rounding 0, or nan.",
)

# ---- eigenvalues --------------------------------------------------------------------------------


def _eigenvectors_vjp(strict: bool, ct: Node, v: Node, x: Node) -> tuple[Node]:
    """v (f ∘ vᵀ ct) vᵀ, where f[i, j] = 1 / (w[j] - w[i]) (Giles 2008, §3.1).

    Within the space of equal values f is 0: what does not depend on its basis has no part there.
    """
    gaps = _inverse_gaps(_eigenvalues(x), strict=strict)
    return (v @ (gaps * (swap_last(v) @ ct)) @ swap_last(v),)


_eigenvectors: Op = general(
    "eigenvectors",
    infer=lambda x: x,
    kernel=Call("eigenvectors"),
    vjp=lambda ct, v, x: _eigenvectors_vjp(False, ct, v, x),
    flops=lambda node: 9 * cube(node),
    public=False,
    axes=batch_axes(2, result=2),
    doc="Orthonormal eigenvectors of symmetric matrices, as columns.",
)
_told_eigenvectors: Op = general(
    "told_eigenvectors",
    infer=lambda x: x,
    vjp=lambda ct, v, x: _eigenvectors_vjp(True, ct, v, x),
    lower=lambda x: _eigenvectors(x),
    public=False,
    axes=batch_axes(2, result=2),
    doc="The same, in what moves as each by itself: of equal values nan.",
)


def _eigenvalues_vjp(ct: Node, w: Node, x: Node) -> tuple[Node]:
    """v diag(ct) vᵀ (Giles 2008, §3.1)."""
    v = _told_eigenvectors(x)
    return ((v * _columns(ct)) @ swap_last(v),)


_eigenvalues: Op = general(
    "eigenvalues",
    infer=lambda x: x.with_shape(x.shape[:-1]),
    kernel=Call("linalg.eigvalsh"),
    vjp=_eigenvalues_vjp,
    flops=cube,
    public=False,
    axes=batch_axes(2, result=1),
    doc="Eigenvalues of symmetric matrices, in ascending order.",
)


def _symmetric(x: Node, what: str) -> Node:
    check_square(x.type, what)
    return 0.5 * (x + swap_last(x))


@composite("eigvalsh", "x", "The eigenvalues of (x + xᵀ) / 2, in ascending order.")
def eigvalsh(x: Node) -> Node:
    return _eigenvalues(_symmetric(x, "eigvalsh"))


@composite(
    "eigh",
    "x",
    "The eigenvalues w of (x + xᵀ) / 2 in ascending order, and orthonormal eigenvectors as columns "
    "of v: it is v diag(w) vᵀ.",
)
def eigh(x: Node) -> tuple[Node, Node]:
    whole = _symmetric(x, "eigh")
    return _eigenvalues(whole), _eigenvectors(whole)


# ---- singular values ----------------------------------------------------------------------------


def _split(vectors: Node, rows: Dim) -> tuple[Node, Node]:
    """Take left and right singular vectors apart."""
    below = vectors.shape[-2] - rows
    return part_of(vectors, -2, Dim.of(0), rows), part_of(vectors, -2, rows, below)


def _outside(v: Node, x: Node) -> Node:
    """Project x on what is orthogonal to all columns of v."""
    return x - v @ (swap_last(v) @ x)


def _singular_vectors_vjp(strict: bool, ct: Node, y: Node, x: Node) -> tuple[Node]:
    """u (f ∘ (uᵀū - ūᵀu) s + s f ∘ (vᵀv̄ - v̄ᵀv)) vᵀ, where f[i, j] = 1 / (s[j]² - s[i]²); and what
    of ū and v̄ is orthogonal to u and v, through 1 / s (Townsend 2016, "Differentiating the
    singular value decomposition")."""
    rows, columns = x.shape[-2:]
    (u, v), (du, dv) = _split(y, rows), _split(ct, rows)
    s = _singular_values(x)
    sums = _rows(s) + _columns(s)
    gaps = _inverse_gaps(s, strict=strict) / where(equal(sums, 0.0), 1.0, sums)
    left, right = swap_last(u) @ du, swap_last(v) @ dv
    turned = gaps * (left - swap_last(left)) * _columns(s)
    turned = turned + _rows(s) * (gaps * (right - swap_last(right)))
    total = u @ turned @ swap_last(v)
    if not same(rows, s.shape[-1]):
        total = total + _outside(u, du / _columns(s)) @ swap_last(v)
    if not same(columns, s.shape[-1]):
        total = total + u @ swap_last(_outside(v, dv / _columns(s)))
    return (total,)


def _vectors_type(x: Type) -> Type:
    rows, columns = x.shape[-2:]
    return x.with_shape((*x.shape[:-2], rows + columns, _shorter_side(x, "svd")))


_singular_vectors: Op = general(
    "singular_vectors",
    infer=_vectors_type,
    kernel=Call("singular_vectors"),
    vjp=lambda ct, y, x: _singular_vectors_vjp(False, ct, y, x),
    flops=lambda node: 12 * node.args[0].type.size * node.shape[-1],
    public=False,
    axes=batch_axes(2, result=2),
    doc="Left singular vectors of matrices, and right ones below them, as columns.",
)
_told_singular_vectors: Op = general(
    "told_singular_vectors",
    infer=_vectors_type,
    vjp=lambda ct, y, x: _singular_vectors_vjp(True, ct, y, x),
    lower=lambda x: _singular_vectors(x),
    public=False,
    axes=batch_axes(2, result=2),
    doc="The same, in what moves as each by itself: of equal values nan.",
)


def _singular_values_vjp(ct: Node, s: Node, x: Node) -> tuple[Node]:
    """u diag(ct) vᵀ (Giles 2008, §3.2)."""
    u, v = _split(_told_singular_vectors(x), x.shape[-2])
    return ((u * _columns(ct)) @ swap_last(v),)


_singular_values: Op = general(
    "singular_values",
    infer=lambda x: x.with_shape((*x.shape[:-2], _shorter_side(x, "svd"))),
    kernel=Call("linalg.svdvals"),
    vjp=_singular_values_vjp,
    flops=lambda node: 2 * node.args[0].type.size * node.shape[-1],
    public=False,
    axes=batch_axes(2, result=1),
    doc="Singular values of matrices, in descending order.",
)


@composite("svdvals", "x", "The singular values of matrices, in descending order.")
def svdvals(x: Node) -> Node:
    return _singular_values(x)


@composite(
    "svd",
    "x",
    "The thin decomposition u diag(s) vt of matrices: singular values in descending order, "
    "orthonormal columns of u and rows of vt.",
)
def svd(x: Node) -> tuple[Node, Node, Node]:
    s = _singular_values(x)
    u, v = _split(_singular_vectors(x), x.shape[-2])
    return u, s, swap_last(v)


# ---- orthonormal columns ------------------------------------------------------------------------


def _orthonormal_vjp(ct: Node, q: Node, x: Node) -> tuple[Node]:
    """(ct - q (m + the strict lower triangle of m, transposed)) r⁻ᵀ, where m is the lower triangle
    of ctᵀq (Walter, Lehmann and Lamour 2012, "On evaluating higher-order derivatives of the QR
    decomposition of tall matrices")."""
    r = triu(swap_last(q) @ x, k=0)
    inner = swap_last(ct) @ q
    mirrored = tril(inner, k=0) + swap_last(tril(inner, k=-1))
    return (swap_last(solve(r, swap_last(ct - q @ mirrored))),)


_orthonormal: Op = general(
    "orthonormal",
    infer=lambda x: x,
    kernel=Call("orthonormal"),
    vjp=_orthonormal_vjp,
    flops=lambda node: 4 * node.type.size * node.shape[-1],
    public=False,
    axes=batch_axes(2, result=2),
    doc="Orthonormal columns that span the first columns of a matrix, one after the other.",
)


@composite(
    "qr",
    "x",
    "The thin decomposition q r of matrices: orthonormal columns of q, r upper triangular.",
)
def qr(x: Node) -> tuple[Node, Node]:
    x = to_float(x)
    side = _shorter_side(x.type, "qr")
    first = x if same(side, x.shape[-1]) else part_of(x, -1, Dim.of(0), side)
    q = _orthonormal(first)
    return q, triu(swap_last(q) @ x, k=0)


# ---- inverses of what is not square -------------------------------------------------------------


def _pinv_vjp(ct: Node, y: Node, x: Node) -> tuple[Node]:
    """-yᵀ ct yᵀ + (1 - x y) ctᵀ y yᵀ + yᵀ y ctᵀ (1 - y x), where the rank is constant (Golub and
    Pereyra 1973, "The differentiation of pseudo-inverses and nonlinear least squares problems")."""
    back, flipped = swap_last(y), swap_last(ct)
    first, second = flipped @ (y @ back), (back @ y) @ flipped
    outside = first - x @ (y @ first) + second - (second @ y) @ x
    return (outside - back @ ct @ back,)


def _pinv_type(x: Type) -> Type:
    if x.rank < 2:
        raise Mismatch("E301", f"`pinv` takes a matrix, found {x}")
    return x.with_shape((*x.shape[:-2], x.shape[-1], x.shape[-2]))


pinv: Op = general(
    "pinv",
    infer=_pinv_type,
    kernel=Call("pinv"),
    vjp=_pinv_vjp,
    flops=lambda node: 12 * cube(node),
    axes=batch_axes(2, result=2),
    doc="The pseudo-inverse of matrices of any shape and rank.",
)


@composite(
    "lstsq",
    "a, b",
    "The y of least |a @ y - b|², and of those the smallest, for a vector b or matrices.",
)
def lstsq(a: Node, b: Node) -> Node:
    rows = b.shape[-1] if b.rank == 1 else b.shape[-2] if b.rank else Dim.of(1)
    if a.rank < 2 or not b.rank or not same(rows, a.shape[-2]):
        raise Mismatch("E301", f"shapes do not fit in `lstsq`: {a.type} and {b.type}")
    return OPERATORS["@"](pinv(a), b)
