"""Decompositions of matrices in programs: what depends on no sign and no order of LAPACK's."""

from __future__ import annotations

from tests.fuzz.program import Axis, Statement, Type, Value, literal
from tests.fuzz.writing.products import square
from tests.fuzz.writing.writer import Writer

SHAPES = ((3, 2), (2, 3), (2, 2), (4, 2), (3, 3), (1, 2), (3, 1))
TALL = ((3, 2), (2, 2), (4, 2), (3, 1))


def _hidden(w: Writer) -> Value:
    """A result that nothing may read but what is written beside it: its signs are anybody's."""
    return Value(w.fresh(), Type((Axis("?" * 99, 0),), "index"))


def _parts(w: Writer, text: str, *shown: Value) -> None:
    w.put(Statement(f"{', '.join(one.name for one in shown)} = {text}", shown))


def eigen(w: Writer) -> None:
    """Of a symmetric matrix whose eigenvalues are apart."""
    x, side = square(w)
    a = f"tanh({x.name})"
    turned, row = (
        (f"{a}.T", "_, :") if len(x.shape) == 2 else (f"swapaxes({a}, -1, -2)", "..., _, :")
    )
    text = f"0.1 * ({a} + {turned}) + 2 * diag(arange({side}))"
    under, vector = w.under(x.name), Type(x.shape[:-1])
    if w.chance(0.3):
        w.add(f"eigvalsh({text})", vector, 8.0)
        return
    values, vectors = Value(w.fresh(), vector, 8.0, under), _hidden(w)
    e, v = values.name, vectors.name
    _parts(w, f"eigh({text})", values, vectors)
    made = w.draw.choice((
        f"square({v})", f"({v} * exp(-0.3 * {e})[{row}]) @ swapaxes({v}, -1, -2)",
        f"{v}[..., :, :1] @ swapaxes({v}[..., :, :1], -1, -2)",
    ))  # fmt: skip
    w.add(made, x.type, 3.0, reads=x.name)


def equal_values(w: Writer) -> None:
    """Of eigenvalues or singular values that are equal what does not tell them apart."""
    x = w.floats()
    inner, outer = ("[..., _, _]", f"[{'_, ' * len(x.shape)}:, :]") if x.shape else ("", "")
    a = f"(2 + sin({x.name}{inner})) * eye({w.one(2, 3)}){outer}"
    name = w.one("eigvalsh", "svdvals")
    made = w.one("sum({0}, axis=-1)", "logsumexp({0}, axis=-1)", "prod({0}, axis=-1)")
    w.add(str(made).format(f"{name}({a})"), x.type, 27.0)


def _matrix(w: Writer, shapes: tuple[tuple[int, int], ...]) -> tuple[str, Value, Axis, Axis]:
    """Of full rank, with singular values that are apart."""
    lead = (w.axis(),) if w.chance(0.25) else ()
    rows, columns = map(literal, w.draw.choice(shapes))
    x = w.of((*lead, rows, columns))
    scale = f"eye({rows}, {columns}) * (1 + arange({columns}))"
    return f"0.15 * tanh({x.name}) + {scale}", x, rows, columns


def singular(w: Writer) -> None:
    text, x, rows, columns = _matrix(w, SHAPES)
    lead, few = x.shape[:-2], min(rows, columns, key=lambda axis: axis.size)
    if w.chance(0.3):
        w.add(f"svdvals({text})", Type((*lead, few)), 5.0)
        return
    values = Value(w.fresh(), Type((*lead, few)), 5.0, w.under(x.name))
    left, right = _hidden(w), _hidden(w)
    u, s, v = left.name, values.name, right.name
    _parts(w, f"svd({text})", left, values, right)
    row = "..., _, :" if lead else "_, :"
    made, shape = w.draw.choice((
        (f"square({u})", (rows, few)), (f"square({v})", (few, columns)),
        (f"({u} * sqrt({s})[{row}]) @ {v}", (rows, columns)),
        (f"swapaxes({v}, -1, -2) @ {v}", (columns, columns)),
    ))  # fmt: skip
    w.add(made, Type((*lead, *shape)), 3.0, reads=x.name)


def orthogonal(w: Writer) -> None:
    """With the signs that make the diagonal of r positive."""
    text, x, rows, columns = _matrix(w, SHAPES)
    lead, few = x.shape[:-2], min(rows, columns, key=lambda axis: axis.size)
    made = _hidden(w), _hidden(w)
    q, r = (one.name for one in made)
    _parts(w, f"qr({text})", *made)
    row, column = ("..., _, :", "..., :, _") if lead else ("_, :", ":, _")
    name, shape = w.draw.choice((
        (f"{q} * sign(diagonal({r}))[{row}]", (rows, few)),
        (f"{r} * sign(diagonal({r}))[{column}]", (few, columns)),
        (f"{q} @ swapaxes({q}, -1, -2)", (rows, rows)),
    ))  # fmt: skip
    w.add(name, Type((*lead, *shape)), 4.0, reads=x.name)


def least_squares(w: Writer) -> None:
    text, x, rows, columns = _matrix(w, TALL if w.chance(0.7) else SHAPES)
    lead = x.shape[:-2]
    kind = w.draw.randrange(3)
    if kind == 0:
        w.add(f"pinv({text})", Type((*lead, columns, rows)), 3.0)
    elif kind == 1 and not lead:
        w.add(f"lstsq({text}, {w.tame(w.of((rows,)))})", Type((columns,)), 6.0)
    else:
        out = w.axis()
        b = w.tame(w.of((*lead, rows, out)))
        w.add(f"lstsq({text}, {b})", Type((*lead, columns, out)), 6.0)
