"""Products of matrices and what is computed of whole matrices, as works.

Small products are loops among others; large ones, and what is no sum of products, are functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from graphc.ir.dims import Dim
from graphc.ir.graph import Node
from graphc.ir.kernel import Call
from graphc.ir.types import product
from graphc.nests.expressions import Writer, apply
from graphc.nests.nest import (
    Access,
    Element,
    Expr,
    Index,
    Invoke,
    Kind,
    Number,
    Size,
    Value,
    counter,
)
from graphc.nests.places import stretched
from graphc.nests.works import SAME, Works, axes_of
from graphc.records import dataclass

SMALL = 4096
"""Products of numbers up to which a product of matrices is written as loops."""


def matmul(works: Works, value: Value, node: Node, comment: str) -> None:
    """Σ over the last axis of the left and the second-last of the right."""
    size = (node.type.size * node.args[0].shape[-1]).constant
    if node.type.dtype != "float" or (size is not None and size <= SMALL):
        _looped(works, value, node, comment)
    else:
        _called(works, value, node, comment)


def _looped(works: Works, value: Value, node: Node, comment: str) -> None:
    """Add the loops of a product: along rows of the right operand, so that these lie together."""
    x, y = node.args
    rows, columns = x.rank > 1, y.rank > 1
    batch = node.rank - rows - columns
    zero = Number(0.0, "float") if node.type.dtype == "float" else Number(0, "int")
    works.each(node.shape, value, SAME, lambda *_: zero)
    shape = (*node.shape, x.shape[-1])
    whole, rank = list(range(len(shape))), node.rank
    order = [*whole[: batch + rows], rank, *whole[batch + rows : rank]]
    if not columns:
        order = whole

    def element(writer: Writer, at: Index) -> Expr:
        k = at[-1]
        row = at[batch : batch + rows]
        left = (*stretched(at[:batch], x.shape[: x.rank - 1 - rows]), *row, k)
        right = (*stretched(at[:batch], y.shape[: y.rank - 1 - columns]), k)
        right = (*right, at[rank - 1]) if columns else right
        both = [writer.element(x, left), writer.element(y, right)]
        return apply("multiply", both, node.type.dtype)

    works.folded(value, "add", shape, lambda at: at[:-1], element, comment, order)


# ---- functions of whole matrices -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Matrix:
    """Where a matrix is: its first element at a place of the batch, and the step of each axis."""

    value: Value
    first: Index
    row: Dim
    column: Dim


def put_in_memory(works: Works, node: Node, dtype: Kind | None = None) -> Value:
    """Return a value that holds all elements of a node row by row: a copy where there is none."""
    dtype = node.type.dtype if dtype is None else dtype
    value = works.context.values.get(node)
    if value is not None and not value.members and value.dtype == dtype:
        return value
    made = Value(works.context.fresh("copy"), dtype, node.shape)
    works.copied(made, node)
    return made


def _matrix(works: Works, node: Node, at: Index) -> Matrix:
    """Return where the matrix of a node is at a place of the batch.

    A view of a value is read where it lies, if its elements lie in even steps.
    """
    symbols = [Dim.symbol("<row>"), Dim.symbol("<column>")]
    writer = works.writer()
    inner = symbols[2 - min(node.rank, 2) :] if node.rank > 1 else symbols[1:]
    index = (*stretched(at, node.shape[: node.rank - len(inner)]), *inner)
    found = writer.element(node, index) if not writer.statements else None
    if isinstance(found, Element) and not writer.statements:
        steps = _steps(found, symbols)
        if steps is not None:
            first, row, column = steps
            return Matrix(found.value, first, row, column)
    copy = put_in_memory(works, node)
    first = tuple(Dim.of(0) if one in symbols else one for one in index)
    return Matrix(copy, first, node.shape[-1], Dim.of(1))


def _steps(found: Element, symbols: Sequence[Dim]) -> tuple[Index, Dim, Dim] | None:
    """Return the first element and the steps in memory from row to row and column to column."""
    value, index = found.value, found.index
    names = [str(one) for one in symbols]
    zero = dict.fromkeys(names, 0)
    if value.members and (index[0].symbols & set(names)):
        return None
    shape = value.shape[1:] if value.members else value.shape
    inner = index[1:] if value.members else index
    if value.dtype != "float":
        return None
    lies = Dim.of(0)
    for one, n in zip(inner, shape, strict=True):
        lies = lies * n + one
    base = lies.substitute(zero)
    steps = [lies.substitute({**zero, name: 1}) - base for name in names]
    total = base
    for symbol, step in zip(symbols, steps, strict=True):
        if step.symbols & set(names):
            return None
        total = total + symbol * step
    if total != lies:
        return None
    return tuple(one.substitute(zero) for one in index), steps[0], steps[1]


def _called(works: Works, value: Value, node: Node, comment: str) -> None:
    """Add the calls of a product, one for each place of the batch."""
    x, y = node.args
    rows, columns = x.rank > 1, y.rank > 1
    batch = node.shape[: node.rank - rows - columns]
    axes, at = axes_of(batch)
    a, b = (_matrix(works, one, at) for one in (x, y))
    m = node.shape[len(batch)] if rows else Dim.of(1)
    n = node.shape[-1] if columns else Dim.of(1)
    k = x.shape[-1]
    if not rows:
        a = Matrix(a.value, a.first, Dim.of(0), a.column)
    if not columns:  # a vector on the right is a column
        b = Matrix(b.value, b.first, b.column, Dim.of(0))
    writer = works.writer()
    for one in (a, b):
        whole = _whole_index(one.first, len(one.value.shape), len(at))
        writer.touches.append(Access(one.value, whole, writes=False))
    to = (*at, *(Dim.of(0) for _ in range(rows + columns)))
    writer.touches.append(Access(value, (*at, *(None,) * (rows + columns)), writes=True))
    row = n
    call = Invoke(
        "gc_matmul",
        (
            Size(m), Size(n), Size(k), Element(a.value, a.first), Size(a.row), Size(a.column),
            Element(b.value, b.first), Size(b.row), Size(b.column), Element(value, to), Size(row),
        ),
        (value,),
        comment=comment,
    )  # fmt: skip
    works.finish(axes, writer, call)


def _whole_index(first: Index, rank: int, depth: int) -> tuple[Dim | None, ...]:
    """Return what of a value a matrix at a place is: its batch axes by position, else all."""
    counters = {counter(d) for d in range(depth)}
    return tuple(one if one in counters else None for one in first)


# ---- factorisations, and order -------------------------------------------------------------------


Sizes = Callable[[Node], tuple[Dim, ...]]


def _square(node: Node) -> tuple[Dim, ...]:
    return (node.args[0].shape[-1],)


def _oblong(node: Node) -> tuple[Dim, ...]:
    return node.args[0].shape[-2:]


def _solved(node: Node) -> tuple[Dim, ...]:
    """Return the size of the system, and of how many it is."""
    columns = Dim.of(1) if node.args[1].rank == 1 else node.shape[-1]
    return (node.args[0].shape[-1], columns)


def _gaps(node: Node) -> tuple[Dim, ...]:
    return (node.shape[-1], Dim.of(int(node.attrs["strict"])))


@dataclass(frozen=True, slots=True)
class MatrixFunction:
    """A function of matrices in C: the sizes that it takes, how many axes its arguments and its
    result have, in how much it computes, and whether it returns a status.

    A result without axes is what it returns.
    """

    name: str
    scratch: Callable[..., Dim] | None = None
    of_status: bool = False
    sizes: Sizes = _square
    takes: int = 2
    gives: int = 2


MATRICES: Mapping[str, MatrixFunction] = {
    "linalg.cholesky": MatrixFunction("gc_cholesky", None, of_status=True),
    "linalg.inv": MatrixFunction("gc_inv", lambda n: n * n, of_status=True),
    "linalg.solve": MatrixFunction("gc_solve", lambda n, m: n * n, of_status=True, sizes=_solved),
    "linalg.det": MatrixFunction("gc_det", lambda n: n * n, gives=0),
    "logdet": MatrixFunction("gc_logdet", lambda n: n * n, gives=0),
    "cofactors": MatrixFunction("gc_cofactors", lambda n: n * n + 2 * n),
    "minors": MatrixFunction("gc_minors", lambda n: 2 * n * n + 2 * n),
    "linalg.eigvalsh": MatrixFunction("gc_eigvalsh", lambda n: n * n, gives=1),
    "eigenvectors": MatrixFunction("gc_eigenvectors", lambda n: 2 * n * n + n),
    "inverse_gaps": MatrixFunction("gc_inverse_gaps", sizes=_gaps, takes=1),
    "linalg.svdvals": MatrixFunction(
        "gc_svdvals", lambda m, n: 2 * m * n, of_status=True, sizes=_oblong, gives=1
    ),
    "singular_vectors": MatrixFunction(
        "gc_singular_vectors", lambda m, n: 2 * m * n + m, of_status=True, sizes=_oblong
    ),
    "pinv": MatrixFunction("gc_pinv", lambda m, n: 2 * m * n + m, of_status=True, sizes=_oblong),
    "orthonormal": MatrixFunction("gc_orthonormal", lambda m, n: m * n + n, sizes=_oblong),
    "expm": MatrixFunction("gc_expm", lambda n: 7 * n * n, of_status=True),
    "moved_expm": MatrixFunction("gc_moved_expm", lambda n: 36 * n * n, of_status=True),
}


def of_matrices(works: Works, value: Value, node: Node, comment: str) -> None:
    """Add the calls of a function of matrices, one for each place of the batch."""
    kernel = node.op.kernel
    assert isinstance(kernel, Call)
    function = MATRICES[kernel.name]
    sizes = function.sizes(node)
    vectors = kernel.name == "linalg.solve" and node.args[1].rank == 1
    core = 1 if vectors else function.gives
    batch = node.shape[: node.rank - core]
    held = [put_in_memory(works, arg, "float") for arg in node.args]
    axes, at = axes_of(batch)
    writer = works.writer()
    operands: list[Element | Size] = [Size(one) for one in sizes]
    for arg, one in zip(node.args, held, strict=True):
        own = 1 if vectors and arg is node.args[1] else function.takes
        place = stretched(at, arg.shape[: arg.rank - own])
        writer.touches.append(Access(one, (*place, *(None,) * own), writes=False))
        operands.append(Element(one, (*place, *(Dim.of(0),) * own)))
    to = Element(value, (*at, *(Dim.of(0),) * core))
    writer.touches.append(Access(value, (*at, *(None,) * core), writes=True))
    if core:
        operands.append(to)
    writes = [value]
    if function.scratch is not None:
        scratch = Value(works.context.fresh("scratch"), "float", (function.scratch(*sizes),))
        writer.touches.append(Access(scratch, (None,), writes=True))
        operands.append(Element(scratch, (Dim.of(0),)))
        writes.append(scratch)
    call = Invoke(
        function.name, tuple(operands), tuple(writes), function.of_status,
        None if core else to, comment,
    )  # fmt: skip
    works.finish(axes, writer, call)


def argsort(works: Works, value: Value, node: Node, comment: str) -> None:
    """Add the calls that order the elements along an axis."""
    (x,) = node.args
    axis = node.attrs["axis"] % x.rank
    held = put_in_memory(works, x)
    rest = (*node.shape[:axis], *node.shape[axis + 1 :])
    axes, at = axes_of(rest)
    n, step = node.shape[axis], product(node.shape[axis + 1 :])
    writer = works.writer()
    place = (*at[:axis], Dim.of(0), *at[axis:])
    whole = (*at[:axis], None, *at[axis:])
    writer.touches += [Access(held, whole, writes=False), Access(value, whole, writes=True)]
    scratch = Value(works.context.fresh("scratch"), "int", (2 * n,))
    writer.touches.append(Access(scratch, (None,), writes=True))
    function = "gc_argsort_int" if x.type.dtype == "int" else "gc_argsort"
    operands = (
        Size(n), Element(held, place), Size(step), Element(value, place), Size(step),
        Element(scratch, (Dim.of(0),)),
    )  # fmt: skip
    works.finish(axes, writer, Invoke(function, operands, (value, scratch), comment=comment))


def searched(works: Works, value: Value, node: Node, comment: str) -> None:
    """Add the call that counts, for each element, those of a vector in order that are before it."""
    both = {arg.type.dtype for arg in node.args}
    dtype: Kind = "int" if both == {"int"} else "float"
    writer = works.writer()
    operands: list[Element | Size] = []
    for arg in node.args:
        held = put_in_memory(works, arg, dtype)
        writer.touches.append(Access(held, (None,) * arg.rank, writes=False))
        operands += [Size(arg.type.size), Element(held, (Dim.of(0),) * arg.rank)]
    right = int(node.attrs["side"] == "right")
    writer.touches.append(Access(value, (None,) * node.rank, writes=True))
    operands += [Size(Dim.of(right)), Element(value, (Dim.of(0),) * node.rank)]
    function = "gc_searchsorted_int" if dtype == "int" else "gc_searchsorted"
    works.finish((), writer, Invoke(function, tuple(operands), (value,), comment=comment))
