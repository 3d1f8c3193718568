"""How each operation is called in a program: its arguments, and the type that comes out."""

from __future__ import annotations

from tests.fuzz.program import Type, literal
from tests.fuzz.writing.along import (
    ALONG,
    REDUCTIONS,
    along,
    differences,
    less,
    quantile,
    reduction,
    truth,
)
from tests.fuzz.writing.decompositions import (
    eigen,
    equal_values,
    least_squares,
    orthogonal,
    singular,
)
from tests.fuzz.writing.elementwise import BINARY, BOUNDED, FAST, LINEAR, binary, elementwise
from tests.fuzz.writing.kinds import Write
from tests.fuzz.writing.moves import MOVES, concat, split_, stack, top_k
from tests.fuzz.writing.products import (
    MATRIX,
    cholesky,
    cross,
    diag,
    dot,
    einsum,
    fill_tril,
    kron,
    matmul,
    matrix,
    outer,
    solve,
)
from tests.fuzz.writing.selection import (
    along_rows,
    broadcast_pairs,
    causal,
    chosen_by_data,
    extreme_segments,
    gather,
    gather_pairs,
    lists,
    masked,
    one_hot,
    pick,
    put,
    scatter,
    segments,
    take,
    take_along,
    whole,
)
from tests.fuzz.writing.windows import convolution, pool, resized, sampled
from tests.fuzz.writing.writer import Writer


def _made(w: Writer) -> None:
    axis = w.axis()
    n = axis.text
    text, shape = w.draw.choice(
        (
            (f"arange({n}) / 3", (axis,)),
            (f"eye({n})", (axis, axis)),
            (f"0.5 * ones([{n}, 2])", (axis, literal(2))),
            (f"linspace({w.of(()).name}, 1.5, 3)", (literal(3),)),
            (f"zeros([2, {n}]) - 0.5", (literal(2), axis)),
            (f"full([{n}], {w.of(()).name})", (axis,)),
            (f"where(arange({n}) % 2 == 0, 0.5, {w.of(()).name})", (axis,)),
        )
    )
    w.add(text, Type(shape), 4.0)


def _number_of_dim(w: Writer) -> None:
    x = w.floats(least=1)
    named = [a.text for a in x.shape if a.text.isidentifier() and a.size]
    w.add(f"{x.name} / {w.draw.choice(named)}" if named else f"{x.name} * 0.5", x.type, x.bound)


OPERATIONS: dict[str, Write] = {
    **{name: elementwise(text, "bounded") for name, text in BOUNDED.items()},
    **{name: elementwise(text, "linear") for name, text in LINEAR.items()},
    **{f"{name}": elementwise(text, "fast") for name, text in FAST.items() if name != "exp"},
    "exp_of": elementwise(FAST["exp"], "fast"),
    **{name: binary(*one) for name, one in BINARY.items()},
    **{name: reduction(name) for name in REDUCTIONS},
    **{name: along(*one) for name, one in ALONG.items()},
    "median": less("median"),
    "argmax": less("argmax", True),
    "argmin": less("argmin", True),
    **{name: truth(name) for name in ("any", "all", "count_nonzero")},
    **MOVES,
    "concat": concat,
    "stack": stack,
    "split": split_,
    "gather": gather,
    "take": take,
    "pick": pick,
    "take_along_axis": take_along,
    "one_hot": one_hot,
    "scatter_add": scatter,
    "gather_pairs": gather_pairs,
    "broadcast_pairs": broadcast_pairs,
    "put": put,
    "segment_sum": segments,
    "segment_extreme": extreme_segments,
    "lists": lists,
    "along_rows": along_rows,
    "quantile": quantile,
    "diff": differences,
    "top_k": top_k,
    "chosen_by_data": chosen_by_data,
    "to_int": whole,
    "masked": masked,
    "causal": causal,
    "matmul": matmul,
    "dot": dot,
    "outer": outer,
    "einsum": einsum,
    "kron": kron,
    "cross": cross,
    **{name: matrix(*one) for name, one in MATRIX.items()},
    "cholesky": cholesky,
    "eigh": eigen,
    "equal_values": equal_values,
    "svd": singular,
    "qr": orthogonal,
    "lstsq": least_squares,
    "solve": solve,
    "diag": diag,
    "fill_tril": fill_tril,
    "conv1d": convolution(1),
    "conv2d": convolution(2),
    "conv3d": convolution(3),
    "pool": pool,
    "resize": resized,
    "grid_sample": sampled,
    "made_from_sizes": _made,
    "number_of_dim": _number_of_dim,
}


COMMON = ("add", "subtract", "multiply", "matmul", "tanh", "sum", "slice", "sin", "mean", "where2")
"""What is written more often: programs hold together by these."""


def some(w: Writer) -> None:
    """One operation, by chance."""
    name = w.draw.choice(COMMON) if w.chance(0.3) else w.draw.choice(tuple(OPERATIONS))
    operation(w, name)


def operation(w: Writer, name: str) -> None:
    before = len(w.body.statements)
    OPERATIONS[name](w)
    if len(w.body.statements) > before:
        w.features.add(f"op:{name}")
