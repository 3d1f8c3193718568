"""Inverses, determinants, factors and linear systems, over leading batch axes.

The derivatives are those of Giles, "An extended collection of matrix derivative results for
forward and reverse mode algorithmic differentiation" (2008), §2 and §4.
"""

from __future__ import annotations

from graphc.ir.dims import Dim
from graphc.ir.graph import OPERATORS, AxisMap, Node, Op
from graphc.ir.kernel import Call
from graphc.ir.types import Mismatch, Type, broadcast, same
from graphc.ops.define.axis_maps import batch_axes
from graphc.ops.define.batching import align_operands, over_elements
from graphc.ops.define.families import all_to_float, bilinear, composite, general, to_float
from graphc.ops.linear.diagonals import eye, tril, triu
from graphc.ops.linear.products import outer, squeeze_last
from graphc.ops.shape.shaping import broadcast_to, expand, reshape, swap_last, transpose


def check_square(x: Type, what: str) -> None:
    if x.rank < 2 or not same(x.shape[-1], x.shape[-2]):
        raise Mismatch("E301", f"`{what}` takes square matrices, found {x}")


def cube(node: Node) -> Dim:
    return node.args[0].type.size * node.args[0].shape[-1]


def _scalar_type(name: str, x: Type) -> Type:
    check_square(x, name)
    return x.with_shape(x.shape[:-2])


def _per_matrix(x: Node) -> Node:
    """Reshape a number for each matrix, with axes of length 1 for its sides."""
    return expand(x, axes=(x.rank, x.rank + 1)) if x.rank else x


def same_square(name: str, x: Type) -> Type:
    check_square(x, name)
    return x


inv: Op = general(
    "inv",
    infer=lambda x: same_square("inv", x),
    kernel=Call("linalg.inv"),
    vjp=lambda ct, y, x: (-(swap_last(y) @ ct @ swap_last(y)),),
    flops=cube,
    axes=batch_axes(2, result=2),
    doc="Inverse matrices.",
)


def _inner(a: Node, b: Node) -> Node:
    """⟨a, b⟩ of matrices, with axes of length 1 for their sides."""
    return OPERATORS["sum"](a * b, axis=(a.rank - 2, a.rank - 1), keepdims=True)


def _moved_type(x: Type, along: Type) -> Type:
    shape = broadcast([x.shape[:-2], along.shape[:-2]], "cofactors")
    return x.with_shape((*shape, *x.shape[-2:]))


def _moved_cofactors_vjp(ct: Node, y: Node, x: Node, along: Node) -> tuple[Node, Node]:
    """D³det x [along, ct], and by `along` the same form: second derivatives are symmetric.

    With X = x⁻¹ along, Y = x⁻¹ ct it is det x times ((tr X tr Y - tr XY) - X tr Y - Y tr X + XY +
    YX) x⁻¹, transposed: Jacobi's formula twice more. Written in cofactors it divides by det² x.
    """
    cofactors = _cofactors(x)
    one = cofactors @ swap_last(along) @ cofactors
    other = cofactors @ swap_last(ct) @ cofactors
    first, second = _inner(cofactors, along), _inner(cofactors, ct)
    both = one @ swap_last(ct) @ cofactors + other @ swap_last(along) @ cofactors
    scaled = (first * second - _inner(one, ct)) * cofactors - second * one - first * other + both
    return scaled / _per_matrix(det(x)) ** 2, _moved_cofactors(x, ct)


_moved_cofactors: Op = general(
    "moved_cofactors",
    infer=_moved_type,
    kernel=Call("minors"),
    vjp=_moved_cofactors_vjp,
    prepare=all_to_float,
    flops=lambda node: 12 * cube(node),
    public=False,
    batch=over_elements,
    axes=batch_axes(2, 2, result=2),
    doc="How cofactors move along a matrix: the minors of order n - 2, at singular matrices too.",
)
_cofactors: Op = general(
    "cofactors",
    infer=lambda x: same_square("cofactors", x),
    kernel=Call("cofactors"),
    vjp=lambda ct, y, x: (_moved_cofactors(x, ct),),
    flops=lambda node: 12 * cube(node),
    public=False,
    axes=batch_axes(2, result=2),
    doc="The matrix of cofactors: the transposed adjugate, det x x⁻ᵀ where there is an inverse.",
)
det: Op = general(
    "det",
    infer=lambda x: _scalar_type("det", x),
    kernel=Call("linalg.det"),
    vjp=lambda ct, y, x: (_per_matrix(ct) * _cofactors(x),),
    flops=cube,
    axes=batch_axes(2, result=0),
    doc="Determinants; the derivative is the cofactors, right at singular matrices too.",
)
logdet: Op = general(
    "logdet",
    infer=lambda x: _scalar_type("logdet", x),
    kernel=Call("logdet"),
    vjp=lambda ct, y, x: (_per_matrix(ct) * swap_last(inv(x)),),
    flops=cube,
    axes=batch_axes(2, result=0),
    doc="log|det x| of matrices, without overflow.",
)

# ---- systems -------------------------------------------------------------------------------


def _solve_type(a: Type, b: Type) -> Type:
    check_square(a, "solve")
    rows = b.shape[-1] if b.rank == 1 else b.shape[-2] if b.rank else Dim.of(1)
    if not b.rank or not same(rows, a.shape[-1]):
        raise Mismatch("E301", f"shapes do not fit in `solve`: {a} and {b}")
    if b.rank == 1:
        return b
    return b.with_shape((*broadcast([a.shape[:-2], b.shape[:-2]], "solve"), *b.shape[-2:]))


def _solve_vjp(ct: Node, y: Node, a: Node, b: Node) -> tuple[Node, Node]:
    """λ = a⁻ᵀ ct is the derivative by b, and -λ yᵀ that by a."""
    adjoint = solution(swap_last(a), ct)
    if y.rank == 1:
        return -outer(adjoint, y), adjoint
    return -(adjoint @ swap_last(y)), adjoint


def _solve_batch(node: Node, args: tuple[Node, ...], leads: tuple[bool, ...], size: Dim) -> Node:
    """Factor a matrix that all share once, for the columns of all."""
    a, b = args
    vector = node.rank == 1
    if not leads[0] and a.rank == 2 and vector:
        return swap_last(solution(a, swap_last(b)))
    if not leads[0] and a.rank == 2 and node.rank == 2:
        columns = transpose(b, axes=(1, 0, 2))
        solved = solution(a, reshape(columns, shape=(b.shape[1], size * b.shape[2])))
        return transpose(reshape(solved, shape=columns.shape), axes=(1, 0, 2))
    if vector:
        solved = solution(*align_operands((a, expand(b, axes=(b.rank,))), leads, (), core=2))
        return squeeze_last(solved)
    return solution(*align_operands((a, b), leads, node.shape[:-2], core=2))


def _solve_axes(node: Node) -> AxisMap:
    """Map the batch axes, and the columns of the right-hand side."""
    left, right = batch_axes(2, min(node.rank, 2), result=min(node.rank, 2))(node)
    return left, ((*right[:-1], node.rank - 1) if node.rank > 1 else right)


solution: Op = general(
    "solution",
    infer=_solve_type,
    kernel=Call("linalg.solve"),
    vjp=_solve_vjp,
    prepare=lambda args: (to_float(args[0]), to_float(args[1])),
    flops=cube,
    public=False,
    batch=_solve_batch,
    axes=_solve_axes,
    doc="y with a @ y = b.",
)


@composite("solve", "a, b", "y with a @ y = b, for a vector b or matrices.")
def solve(a: Node, b: Node) -> Node:
    if b.rank == 1 and a.rank > 2:
        return squeeze_last(solution(a, expand(b, axes=(1,))))
    return solution(a, b)


@composite(
    "triangular_solve",
    "a, b, lower: bool = true",
    "y with a @ y = b, of a only the lower (or upper) triangle.",
)
def triangular_solve(a: Node, b: Node, lower: bool) -> Node:
    check_square(a.type, "triangular_solve")
    return solve((tril if lower else triu)(a, k=0), b)


def _cholesky_vjp(ct: Node, y: Node, x: Node) -> tuple[Node]:
    """y⁻ᵀ Φ(yᵀ ct) y⁻¹, where Φ takes the lower triangle and half the diagonal (Giles §4.1, Murray
    2016, §3.2), here transposed, which the symmetric part that was decomposed does not notice."""
    upper = swap_last(y)
    product = upper @ ct
    triangle = 0.5 * (tril(product, k=0) + tril(product, k=-1))
    return (solution(upper, swap_last(solution(upper, triangle))),)


_cholesky: Op = general(
    "factor",
    infer=lambda x: same_square("cholesky", x),
    kernel=Call("linalg.cholesky"),
    vjp=_cholesky_vjp,
    flops=cube,
    public=False,
    axes=batch_axes(2, result=2),
    doc="The lower triangular factor of symmetric positive definite matrices.",
)


@composite(
    "cholesky",
    "x",
    "The lower triangular y with y @ yᵀ = (x + xᵀ) / 2, which is positive definite.",
)
def cholesky(x: Node) -> Node:
    check_square(x.type, "cholesky")
    return _cholesky(0.5 * (x + swap_last(x)))


# ---- products ------------------------------------------------------------------------------


def _cross_type(a: Type, b: Type) -> Type:
    shape = broadcast([a.shape, b.shape], "cross")
    if not a.rank or not b.rank or any(t.shape[-1].constant != 3 for t in (a, b)):
        raise Mismatch("E301", f"`cross` takes vectors of 3 along the last axis: {a} and {b}")
    return Type("float" if "float" in (a.dtype, b.dtype) else "int", shape)


cross: Op = bilinear(
    "cross",
    infer=_cross_type,
    kernel=Call("cross"),
    left=lambda ct, a, b: cross(b, ct),
    right=lambda ct, a, b: cross(ct, a),
    flops=lambda node: 2 * node.type.size,
    batch=over_elements,
    axes=batch_axes(1, 1, result=1),
    doc="Vector products along the last axis, of length 3.",
)


@composite("dot", "a, b", "The product of vectors and matrices, or with a scalar.")
def dot(a: Node, b: Node) -> Node:
    if not a.rank or not b.rank:
        return a * b
    if b.rank > 2:
        raise Mismatch("E301", f"`dot` takes vectors and matrices, found {b.type}", "use `@`")
    return a @ b


@composite("kron", "a, b", "The Kronecker product of two matrices.")
def kron(a: Node, b: Node) -> Node:
    if a.rank != 2 or b.rank != 2:
        raise Mismatch("E301", f"`kron` takes two matrices, found {a.type} and {b.type}")
    products = expand(a, axes=(1, 3)) * expand(b, axes=(0, 2))
    return reshape(products, shape=(a.shape[0] * b.shape[0], a.shape[1] * b.shape[1]))


@composite("matrix_power", "x, n: int", "Matrices to a whole power, by repeated squaring.")
def matrix_power(x: Node, n: Dim) -> Node:
    check_square(x.type, "matrix_power")
    power = n.constant
    if power is None:
        raise Mismatch("E404", "the exponent of `matrix_power` is an integer known at compile time")
    base = inv(x) if power < 0 else x
    power = abs(power)
    result = None
    while power:
        if power % 2:
            result = base if result is None else result @ base
        power //= 2
        base = base @ base if power else base
    if result is None:
        return broadcast_to(eye(x.shape[-1]), shape=x.shape)
    return result
