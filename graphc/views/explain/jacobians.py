"""The Jacobian of one operation by one operand: its structure, its entries, and what it makes.

Elements are numbered row by row, so that vec(A X B) = (A ⊗ Bᵀ) vec(X). Jacobians are made in
numerator layout, a row for each element of the result; the other layout transposes them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from graphc.ir.dims import Dim
from graphc.ir.graph import Node, arguments_first, as_node
from graphc.ir.loop import RULED
from graphc.ir.types import Shape, is_one, product
from graphc.ops.define.families import normal_axes
from graphc.records import dataclass
from graphc.views.explain.expression import (
    Call,
    Expression,
    added,
    identity,
    kronecker,
    negative,
    ones,
    size,
    transposed,
)
from graphc.views.explain.expression import product as times
from graphc.views.explain.writing import NodeFormula, call_of, stretched

Write = Callable[[Node], Expression]
"""A node as a formula."""


@dataclass(frozen=True, slots=True)
class Jacobian:
    """∂result/∂operand as a matrix, None where it is left a symbol; `factors` say what it is.

    The factors are those of a chain of operations, the last one first.
    """

    matrix: Expression | None
    factors: tuple[Factor, ...]


@dataclass(frozen=True, slots=True)
class Factor:
    """What one operation does to derivatives: the kind of its Jacobian, and what to say of it."""

    kind: str
    operation: str
    axes: tuple[str, ...] = ()


def local(node: Node, slot: int, write: Write) -> Jacobian:
    """Return the Jacobian of an operation by the operand in this slot."""
    rule = RULES.get(node.op.name)
    if node.op.structure == "elementwise":
        return _elementwise(node, slot, write)
    found = rule(node, slot, write) if rule is not None else None
    if found is not None:
        return found
    return Jacobian(None, (Factor("dense", node.op.name, _kept(node, slot)),))


def _kept(node: Node, slot: int) -> tuple[str, ...]:
    """Return the axes along which slices of the operand become slices of the result."""
    arg = node.args[slot]
    found = [arg.shape[i] for i, to in enumerate(node.op.axes(node)[slot]) if to is not None]
    return tuple(str(axis) for axis in found if not is_one(axis))


# ---- element by element -------------------------------------------------------------------------


def _elementwise(node: Node, slot: int, write: Write) -> Jacobian:
    arg = node.args[slot]
    partial = node.op.vjp(as_node(1.0), node)[slot]
    stretch = stretching(arg.shape, node.shape)
    more = stretch_factors(node.op.name, arg.shape, node.shape)
    if partial is None:
        return Jacobian(
            Expression("zero", (), stretch.shape), (Factor("zero", node.op.name), *more)
        )
    slope = write(partial)
    if not node.rank and _constant(slope) is None:
        return Jacobian(times(slope, stretch), (Factor("slope", node.op.name), *more))
    if slope.is_number:
        known = _constant(slope)
        kind = "identity" if known == 1 else "negative" if known == -1 else "multiple"
        return Jacobian(times(slope, stretch), (Factor(kind, node.op.name), *more))
    slope = stretched(NodeFormula(slope, partial.shape, partial), node.shape)
    if slope.kind == "stretched":  # of a stack: on a diagonal nothing else says how far
        call = Call("broadcast_to", (("shape", node.shape),), (partial.shape,), node.shape)
        slope = Expression("call", slope.args, node.shape, call)
    count = node.type.size
    diagonal = Expression("diagonal", (slope,), (count, count))
    return Jacobian(times(diagonal, stretch), (Factor("diagonal", node.op.name), *more))


def _constant(slope: Expression) -> float | None:
    if slope.kind == "negative":
        inner = _constant(slope.args[0])
        return None if inner is None else -inner
    return float(slope.data) if slope.kind == "number" else None


def stretching(narrow: Shape, wide: Shape) -> Expression:
    """Build the matrix that repeats an array along the axes that it lacks."""
    if not wide:
        return identity(Dim.of(1))
    lead = len(wide) - len(narrow)
    made = identity(Dim.of(1))
    for place, axis in enumerate(wide):
        grows = place < lead or (is_one(narrow[place - lead]) and not is_one(axis))
        made = kronecker(made, ones(axis) if grows else identity(axis))
    return made


def stretch_factors(operation: str, narrow: Shape, wide: Shape) -> tuple[Factor, ...]:
    lead = len(wide) - len(narrow)
    axes = [
        str(axis)
        for place, axis in enumerate(wide)
        if not is_one(axis) and (place < lead or is_one(narrow[place - lead]))
    ]
    return (Factor("stretch", operation, tuple(axes)),) if axes else ()


# ---- linear maps --------------------------------------------------------------------------------


def _same(node: Node, slot: int, write: Write) -> Jacobian | None:
    return Jacobian(identity(node.type.size), (Factor("identity", node.op.name),))


def _moved(node: Node, slot: int, write: Write) -> Jacobian | None:
    return Jacobian(identity(node.type.size), (Factor("reshape", node.op.name),))


def _none(node: Node, slot: int, write: Write) -> Jacobian | None:
    shape = (node.type.size, node.args[slot].type.size)
    return Jacobian(Expression("zero", (), shape), (Factor("zero", node.op.name),))


def _selection(kind: str) -> Callable[[Node, int, Write], Jacobian | None]:
    def rule(node: Node, slot: int, write: Write) -> Jacobian | None:
        others = tuple(write(arg) for i, arg in enumerate(node.args) if i != slot)
        shape = (node.type.size, node.args[slot].type.size)
        matrix = Expression("matrix", others, shape, (LETTERS[kind], call_of(node), slot))
        return Jacobian(matrix, (Factor(kind, node.op.name, _kept(node, slot)),))

    return rule


LETTERS = {"selection": "S", "permutation": "P", "placement": "E"}


def _sum(node: Node, slot: int, write: Write) -> Jacobian | None:
    (x,) = node.args
    axes = normal_axes(node.attrs["axis"], x.rank, "sum")
    made = identity(Dim.of(1))
    for place, axis in enumerate(x.shape):
        made = kronecker(made, transposed(ones(axis)) if place in axes else identity(axis))
    if made.kind == "transpose" and not x.rank:
        made = identity(Dim.of(1))
    names = tuple(str(x.shape[i]) for i in axes)
    if node.op.name == "sum":
        return Jacobian(made, (Factor("sum", "sum", names),))
    count = size(product([x.shape[i] for i in axes]))
    share = Expression("quotient", (made, count), made.shape)
    return Jacobian(share, (Factor("sum", "mean", names),))


def _broadcast(node: Node, slot: int, write: Write) -> Jacobian | None:
    narrow = node.args[0].shape
    matrix = stretching(narrow, node.shape)
    factors = stretch_factors(node.op.name, narrow, node.shape)
    return Jacobian(matrix, factors or (Factor("identity", node.op.name),))


def _accumulate(node: Node, slot: int, write: Write) -> Jacobian | None:
    narrow = node.args[slot].shape
    more = stretch_factors("+", narrow, node.shape)
    return Jacobian(stretching(narrow, node.shape), (Factor("identity", "+"), *more))


# ---- products -----------------------------------------------------------------------------------


def _matmul(node: Node, slot: int, write: Write) -> Jacobian | None:
    a, b = node.args
    left, right = a.rank, b.rank
    if left == right == 1:
        return Jacobian(transposed(write(node.args[1 - slot])), (Factor("dot", "@"),))
    if right == 1:
        if left != 2:
            return None
        if slot == 1:
            return Jacobian(write(a), (Factor("matrix", "@"),))
        made = kronecker(identity(a.shape[0]), transposed(write(b)))
        return Jacobian(made, (Factor("outer left", "@"),))
    if left == 1:
        if right != 2:
            return None
        if slot == 0:
            return Jacobian(transposed(write(b)), (Factor("matrix turned", "@"),))
        made = kronecker(transposed(write(a)), identity(b.shape[1]))
        return Jacobian(made, (Factor("outer right", "@"),))
    if right == 2:
        rows = product(a.shape[:-1])
        if slot == 0:
            made = kronecker(identity(rows), transposed(write(b)))
            return Jacobian(made, (Factor("matrix left", "@"),))
        flat = write(a)
        if left > 2:
            flat = Expression("rows", (flat,), (rows, a.shape[-1]))
        made = kronecker(flat, identity(b.shape[-1]))
        return Jacobian(made, (Factor("matrix right", "@"),))
    kind = "matrix left" if slot == 0 else "matrix right"
    return Jacobian(None, (Factor(kind, "@", tuple(map(str, node.shape[:-2]))),))


def _outer(node: Node, slot: int, write: Write) -> Jacobian | None:
    a, b = node.args
    if slot == 0:
        return Jacobian(kronecker(identity(a.shape[0]), write(b)), (Factor("outer", "outer"),))
    return Jacobian(kronecker(write(a), identity(b.shape[0])), (Factor("outer", "outer"),))


# ---- normalised exponentials --------------------------------------------------------------------


def _softmax(node: Node, slot: int, write: Write) -> Jacobian | None:
    if node.rank != 1:
        return None
    y, count = write(node), node.shape[0]
    diagonal = Expression("diagonal", (y,), (count, count))
    matrix = added([diagonal, negative(times(y, transposed(y)))])
    return Jacobian(matrix, (Factor("softmax", "softmax"),))


RULES: Mapping[str, Callable[[Node, int, Write], Jacobian | None]] = {
    **dict.fromkeys(("id", "held", "in_rows", "ruled"), _same),
    **dict.fromkeys(("reshape", "expand"), _moved),
    **dict.fromkeys(("stop",), _none),
    **dict.fromkeys(("sum", "mean"), _sum),
    **dict.fromkeys(
        ("index", "gather", "pick", "take_along", "windows", "diagonal", "leading", "tril_entries"),
        _selection("selection"),
    ),
    **dict.fromkeys(("permute", "rolled"), _selection("permutation")),
    **dict.fromkeys(
        (
            "concatenate",
            "unindex",
            "unpick",
            "scatter",
            "put",
            "add_along",
            "fill_tril",
            "diagonal_matrix",
            "on_diagonals",
            "tril",
            "triu",
        ),
        _selection("placement"),
    ),
    "broadcast_to": _broadcast,
    "accumulate": _accumulate,
    "matmul": _matmul,
    "outer": _outer,
    "softmax": _softmax,
}


# ---- chains of operations -----------------------------------------------------------------------

MOST_WAYS = 3
"""Ways from an operand to a result whose products are written out."""


def along(root: Node, leaf: Node, write: Write) -> Jacobian:
    """Return the Jacobian of a node by one below it: all ways summed, along each the product."""
    ways = ways_between(root, leaf)
    if any(node.op is RULED and slot for way in ways for node, slot in way):
        return Jacobian(None, (Factor("rule", root.op.name),))
    if not ways or len(ways) > MOST_WAYS:
        return Jacobian(None, (Factor("dense", root.op.name),))
    made = [_chained([local(node, slot, write) for node, slot in way], leaf) for way in ways]
    factors = made[0].factors if len(made) == 1 else (
        Factor("ways", str(len(made))), *(f for one in made for f in one.factors)
    )  # fmt: skip
    if any(one.matrix is None for one in made):
        return Jacobian(None, factors)
    live = [one.matrix for one in made if one.matrix is not None and one.matrix.kind != "zero"]
    if not live:
        return Jacobian(made[0].matrix, factors)
    return Jacobian(added(live), factors)


def _chained(parts: Sequence[Jacobian], leaf: Node) -> Jacobian:
    """Multiply Jacobians; of what only hands on, one is told."""
    if not parts:
        return Jacobian(identity(leaf.type.size), (Factor("identity", "id"),))
    every = tuple(factor for part in parts for factor in part.factors)
    factors = tuple(factor for factor in every if factor.kind not in ("identity", "reshape"))
    factors = factors or every[:1]
    matrices = [part.matrix for part in parts]
    shape = None
    known = [matrix for matrix in matrices if matrix is not None]
    if len(known) < len(matrices):
        return Jacobian(None, factors)
    if any(matrix.kind == "zero" for matrix in known):
        ends = known[0].shape[:1], known[-1].shape[1:]  # a number has no axes
        shape = tuple(end[0] if end else Dim.of(1) for end in ends) if any(ends) else ()
        return Jacobian(Expression("zero", (), shape), (Factor("zero", factors[0].operation),))
    return Jacobian(times(*known), factors)


def ways_between(root: Node, leaf: Node) -> list[tuple[tuple[Node, int], ...]]:
    """List all ways down from a node to a leaf, as (node, slot) from the top; at most a few."""
    pending: list[tuple[Node, tuple[tuple[Node, int], ...]]] = [(root, ())]
    found: list[tuple[tuple[Node, int], ...]] = []
    reaching = _reaching(root, leaf)
    while pending and len(found) <= MOST_WAYS:
        node, way = pending.pop()
        if node is leaf:
            found.append(way)
            continue
        for slot, arg in reversed(list(enumerate(node.args))):
            if arg in reaching:
                pending.append((arg, (*way, (node, slot))))
    return found


def _reaching(root: Node, leaf: Node) -> set[Node]:
    found = {leaf}
    for node in arguments_first([root], {leaf}):
        if node.type.dtype == "float" and any(arg in found for arg in node.args):
            found.add(node)
    return found
