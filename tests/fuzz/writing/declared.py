"""What a program declares beside its inputs: constants, derived dims, conditions, instances."""

from __future__ import annotations

from collections.abc import Callable

from tests.fuzz.program import Axis, Dim, Statement, Type, Value, literal
from tests.fuzz.writing.writer import Writer


def constant(w: Writer) -> None:
    """A number, a truth value or a list; `--const` may give another."""
    if w.body.depth:
        return
    name = w.fresh("const")
    kind = w.draw.randrange(3)
    x = w.floats()
    if kind == 0:
        w.put(Statement(f"const {name} = {w.one('0.5', '-0.25', '1.5')}"))
        w.add(f"{x.name} * {name}", x.type, x.bound * 1.5)
        w.consts.append((name, str(w.one("0.75", "-1.25"))))
    elif kind == 1:
        w.put(Statement(f"const {name} = {w.one('true', 'false')}"))
        made = Value(w.fresh(), x.type, x.bound + 1, x.under | {x.name})
        w.put(Statement(f"if {name}", (made,), (Statement(f"{made.name} = {x.name} * 0.5"),)))
        w.put(Statement("else", (), (Statement(f"{made.name} = {x.name} - (1 - {x.name})"),)))
        w.add(f"where({name}, {x.name}, 5 * {x.name})", x.type, x.bound * 5)
        w.consts.append((name, str(w.one("true", "false"))))
        w.features.add("if")
    else:
        w.put(Statement(f"const {name} = [0.25, -0.5, 0.75]"))
        y = w.of((*x.shape[:1], literal(3)))
        w.add(f"{y.name} * {name} + {name}[1]", y.type, y.bound + 1)


def derived_dim(w: Writer) -> None:
    """An axis of an input that is computed of a dim, taken apart again."""
    if w.body.closed or not w.dims:
        return
    dim = w.draw.choice(w.dims)
    axis = Axis(dim.name, dim.size)
    if w.chance(0.5):
        x = w.given(Type((Axis(f"2*{dim.name}", 2 * dim.size),)))
        halves = f"{x.name}[:{dim.name}]", f"{x.name}[{dim.name}:]"
        w.add(f"{halves[0]} * {halves[1]}", Type((axis,)), 4.0)
    else:
        x = w.given(Type((Axis(f"{dim.name} + 1", dim.size + 1), literal(2))))
        w.add(f"{x.name}[1:] - {x.name}[:-1]", Type((axis, literal(2))), 4.0)


def alias(w: Writer) -> None:
    """A dim that stands for an expression of another."""
    if w.body.depth or not w.dims:
        return
    dim = w.draw.choice(w.dims)
    name = w.fresh("H")
    w.dims.append(Dim(name, f"{name} = 2*{dim.name} + 1", 2 * dim.size + 1))
    w.given(Type((Axis(name, 2 * dim.size + 1),)))
    if dim.size:
        w.put(Statement(f"require {dim.name} >= 1"))


def instance(w: Writer) -> None:
    """A use that is named before it is applied, twice; and its parameters read."""
    if w.body.depth:
        return
    x = w.floats(least=1)
    name, units = w.fresh("use"), literal(w.draw.choice((2, 3)))
    w.put(Statement(f"instance {name} = dense({units}, act={w.one('tanh', 'softplus')})"))
    shape = Type((*x.shape[:-1], units))
    under = x.under | {x.name}
    one, other = Value(w.fresh(), shape, 2.0, under), Value(w.fresh(), shape, 2.0, under)
    w.put(Statement(f"{one.name} = {name}({x.name})", (one,)))
    w.put(Statement(f"{x.name} -> tanh -> {name} -> {other.name}", (other,)))
    w.paths += [(f"{name}.W", under), (f"{name}.*", under)]
    if w.chance(0.6):
        w.add(f"{one.name} @ {name}.W.T", x.type, 6.0)


def dim_as_number(w: Writer) -> None:
    """A dim in arithmetic and in a condition of a mask."""
    if w.body.closed or not w.dims:
        return
    dim = w.draw.choice(w.dims)
    x = w.floats()
    if dim.size:
        w.add(f"{x.name} / {dim.name} + {dim.name}", x.type, x.bound + dim.size)


DECLARED: dict[str, Callable[[Writer], None]] = {
    "const": constant, "derived dim": derived_dim, "alias": alias, "instance": instance,
    "dim as number": dim_as_number,
}  # fmt: skip
