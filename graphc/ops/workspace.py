"""Workspace: what an operation holds while it computes, beside its arguments and its result."""

from __future__ import annotations

from collections.abc import Callable

from graphc.ir.dims import Dim
from graphc.ir.graph import Node
from graphc.ir.types import product, same_shape
from graphc.ops.elementwise.arithmetic import accumulate
from graphc.ops.fused import vdot
from graphc.ops.linear.diagonals import tril, triu
from graphc.ops.linear.products import outer
from graphc.ops.shape.shaping import expand, in_rows, reshape

AS_THE_RESULT = {
    "sigmoid": 2, "softsign": 1, "bce_logits": 1, "erf": 14, "erfc": 16, "lgamma": 11,
    "digamma": 10, "polygamma": 10, "ndtr": 16, "log_ndtr": 22, "hazard": 18, "hazard_excess": 8,
    "ndtri": 14, "erfinv": 14, "erfcinv": 14, "bessel_j": 14, "bessel_i": 14, "bessel_ie": 12,
    "bessel_k": 16, "gammainc": 31, "gammaincc": 31, "gammainc_by_a": 18, "gamma_density": 12,
    "betainc": 43, "betainc_by": 24, "beta_density": 16, "inv": 1, "solution": 1, "factor": 1,
    "singular_vectors": 1, "orthonormal": 2, "pinv": 3, "inverse_gaps": 3, "expm": 9,
    "moved_expm": 43,
}  # fmt: skip
"""So many arrays like its result does an operation hold while it computes."""
AS_THE_ARGUMENT = {
    "scatter": 1, "recurrence": 2, "det": 1, "logdet": 1, "cofactors": 3, "moved_cofactors": 4,
}  # fmt: skip
"""So many arrays like its first argument does an operation hold while it computes."""
PIECE = 8192
"""In pieces of so many elements NumPy copies an operand that does not lie as the result does."""
BUFFER = PIECE * 8
ADDED_IN_PARTS = frozenset({"overlap", "added_up"})
"""Operations that add to parts of a whole, which NumPy reads and writes in two such pieces."""
NOTHING = Dim.of(0)


def workspace(node: Node, size: Callable[[Node], Dim]) -> Dim:
    """Return what an operation holds while it computes, beside its arguments and result."""
    return whole_arrays(node, size) + pieces(node, size)


def whole_arrays(node: Node, size: Callable[[Node], Dim]) -> Dim:
    """Return the part of it that grows with the arrays."""
    total = size(node) * AS_THE_RESULT.get(node.op.name, 0)
    if node.op.name in AS_THE_ARGUMENT:
        total += size(node.args[0]) * AS_THE_ARGUMENT[node.op.name]
    if node.op in (tril, triu):  # a mask
        total += product(node.shape[-2:])
    if node.op is vdot:  # whose arguments have to lie row by row
        total += sum((size(arg) for arg in node.args if _is_permuted(arg)), NOTHING)
    return total


def pieces(node: Node, size: Callable[[Node], Dim]) -> Dim:
    """Return the part that NumPy computes in, of one size however large the arrays are."""
    total = Dim.of(2 * BUFFER) if node.op.name in AS_THE_ARGUMENT else NOTHING
    if node.op.name in ADDED_IN_PARTS:
        total += _pieces_of_parts(node, size(node))
    if node.op.structure == "elementwise" or node.op in (accumulate, outer):
        other = [arg for arg in node.args if arg.rank and not _lies_alike(arg, node)]
        total += sum((_piece(arg, node, size(arg)) for arg in other[:2]), NOTHING)
    return total


def _pieces_of_parts(node: Node, size: Dim) -> Dim:
    """Return the bytes of the pieces of the whole, read and written, and of a strided part."""
    part = node.args[0].shape
    taken = part[: -len(node.attrs["stride"])] if node.op.name == "overlap" else part
    elements, whole, bytes = product(taken).constant, node.type.size.constant, size.constant
    pieces = 3 if any(map(_is_permuted, node.args)) else 2
    if elements is None or not whole or bytes is None:
        return Dim.of(BUFFER * pieces)
    return Dim.of(min(elements, PIECE) * (bytes // whole) * pieces)


def _piece(arg: Node, node: Node, size: Dim) -> Dim:
    """Return the bytes of the piece in which an operand is copied."""
    elements, own, bytes = node.type.size.constant, arg.type.size.constant, size.constant
    if elements is None or not own or bytes is None:
        return Dim.of(BUFFER)
    return Dim.of(min(elements, PIECE) * (bytes // own))


def _lies_alike(arg: Node, node: Node) -> bool:
    """True if an operand has the shape of the result, and its axes in their order."""
    return same_shape(arg.shape, node.shape) and not _is_permuted(arg)


def _is_permuted(node: Node) -> bool:
    """True for a view with its axes in another order, or with other elements between its own."""
    while node.op in (expand, reshape):
        node = node.args[0]
    return node.op.view_of is not None and node.op is not in_rows
