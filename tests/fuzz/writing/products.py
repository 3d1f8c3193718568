"""Products and linear algebra, in programs."""

from __future__ import annotations

from tests.fuzz.program import Axis, Type, Value, literal
from tests.fuzz.writing.kinds import Write
from tests.fuzz.writing.moves import product_of
from tests.fuzz.writing.writer import LONGEST, Writer


def matmul(w: Writer) -> None:
    x = w.floats(least=1)
    inner = x.shape[-1]
    kind = w.draw.randrange(4)
    if kind == 0:
        y, shape = w.of((inner,)), x.shape[:-1]
    elif kind == 1 and len(x.shape) == 3:
        out = w.axis()
        y, shape = w.of((x.shape[0], inner, out)), (*x.shape[:-1], out)
    else:
        out = w.axis()
        y, shape = w.of((inner, out)), (*x.shape[:-1], out)
    text = f"{w.tame(x)} @ {y.name}" if y.bound < 8 else f"{w.tame(x)} @ tanh({y.name})"
    if w.chance(0.2):
        text = f"matmul({text.replace(' @ ', ', ')})"
    w.add(text, Type(shape), max(1, inner.size) * min(x.bound, 8) * min(y.bound, 8))


def dot(w: Writer) -> None:
    x = w.floats(rank=1)
    y = w.of(x.shape)
    name = w.one("dot", "vdot")
    w.add(f"{name}({w.tame(x)}, {w.tame(y)})", Type(()), 9.0)


def outer(w: Writer) -> None:
    x, y = w.floats(rank=1), w.floats(rank=1)
    w.add(f"outer({w.tame(x)}, {w.tame(y)})", Type((x.shape[0], y.shape[0])), 9.0)


EINSUMS = (
    ("a b, b c -> a c", ("bc",)),
    ("a b, a b -> b", ("ab",)),
    ("a b, c b -> a b c", ("cb",)),
    ("a b, a -> b a", ("a",)),
    ("a b, a b c -> c a", ("abc",)),
    ("a b -> b a", ()),
    ("a b, b c, c a -> a c", ("bc", "ca")),
    ("a b, a, b c -> c", ("a", "bc")),
    ("a b, b, a ->", ("b", "a")),
)
"""What is summed, and the axes of each operand but the first."""


def einsum(w: Writer) -> None:
    x = w.floats(rank=2)
    axes = {"a": x.shape[0], "b": x.shape[1], "c": w.axis()}
    text, others = w.draw.choice(EINSUMS)
    operands = [x, *(w.of([axes[one] for one in other]) for other in others)]
    shape = tuple(axes[one] for one in text.split("->")[1].split())
    w.add(f'einsum("{text}", {", ".join(map(w.tame, operands))})', Type(shape), 27.0)


def kron(w: Writer) -> None:
    x, y = w.floats(rank=2), w.floats(rank=2)
    shape = product_of(x.shape[0], y.shape[0]), product_of(x.shape[1], y.shape[1])
    if all(len(axis.text) <= LONGEST and axis.size <= 9 for axis in shape):
        w.add(f"kron({w.tame(x)}, {w.tame(y)})", Type(shape), 9.0)


def cross(w: Writer) -> None:
    batch = w.floats(least=1).shape[:1]
    x, y = w.of((*batch, literal(3))), w.of((*batch, literal(3)))
    w.add(f"cross({w.tame(x)}, {w.tame(y)})", x.type, 9.0)


def square(w: Writer) -> tuple[Value, Axis]:
    """A square matrix, and its side."""
    found = w.pick(
        lambda x: (
            x.type.kind == "float"
            and len(x.shape) >= 2
            and x.shape[-1] == x.shape[-2]
            and 0 < x.shape[-1].size < 5
        )
    )
    if found is None:
        side = w.axis()
        side = side if 0 < side.size < 5 else literal(3)
        found = w.of((side, side))
    return found, found.shape[-1]


def _solid(w: Writer, x: Value, side: Axis) -> str:
    """A matrix that is far from singular."""
    return f"(0.3 * tanh({x.name}) + 2 * eye({side}))"


MATRIX = {
    "inv": ("inv({0})", 0), "det": ("det({0})", 2), "logdet": ("logdet({0})", 2),
    "pinv": ("pinv({0})", 0), "expm": ("expm(0.3 * {0})", 0),
    "matrix_power": ("matrix_power(0.5 * {0}, 3)", 0), "trace": ("trace({0})", 2),
    "diagonal": ("diagonal({0})", 1), "tril": ("tril({0})", 0), "triu": ("triu({0}, k=1)", 0),
    "tril_below": ("tril({0}, k=-1)", 0), "symmetric": ("{0} @ {0}", 0),
}  # fmt: skip


def matrix(template: str, less: int) -> Write:
    def write(w: Writer) -> None:
        x, side = square(w)
        if template.startswith("matrix_power") and w.chance(0.3):
            w.add(f"matrix_power({_solid(w, x, side)}, -1)", x.type, 3.0)
            return
        shape = x.shape if less == 0 else x.shape[:-1] if less == 1 else x.shape[:-2]
        w.add(template.format(_solid(w, x, side)), Type(shape), 30.0 if less == 2 else 5.0)

    return write


def cholesky(w: Writer) -> None:
    x, side = square(w)
    if len(x.shape) > 2:
        return
    a = f"tanh({x.name})"
    w.add(f"cholesky({a} @ {a}.T + ({side}) * eye({side}))", x.type, 4.0) if x.shape else None


def solve(w: Writer) -> None:
    x, side = square(w)
    if len(x.shape) > 2:
        return
    b = w.of((side, w.axis())) if w.chance(0.5) else w.of((side,))
    if w.chance(0.5):
        text = f"triangular_solve({_solid(w, x, side)}, {w.tame(b)}{w.one('', ', lower=false')})"
    else:
        text = f"solve({_solid(w, x, side)}, {w.tame(b)})"
    w.add(text, b.type, 6.0)


def diag(w: Writer) -> None:
    x = w.floats(rank=1)
    if x.shape[0].size < 6:
        w.add(f"diag({x.name})", Type((x.shape[0], x.shape[0])), x.bound)


def fill_tril(w: Writer) -> None:
    lead = w.floats(least=1).shape[:1] if w.chance(0.4) else ()
    v = w.of((*lead, literal(3)))
    w.add(f"fill_tril({v.name}, 3)", Type((*lead, literal(3), literal(3))), v.bound)
