"""What is asked of a program: its derivatives, and how it is compiled and called."""

from __future__ import annotations

import math
from collections.abc import Sequence

from graphc.kinds import ALONE
from tests.fuzz.program import Axis, Clause, Program, Setting, Type, Value
from tests.fuzz.writing.writer import Writer

KINDS = (
    "grad", "value_and_grad", "vjp", "jvp", "jacobian", "value_and_jacobian", "jacobian_matrix",
    "value_and_jacobian_matrix", "sparse_jacobian", "hvp", "hessian", "value_and_hessian",
    "hessian_matrix", "value", "value_and_hessian_matrix", "value_and_sparse_jacobian",
    "sparse_hessian", "value_and_sparse_hessian",
)  # fmt: skip
"""Those of graphc/kinds.py, in the order that seeds are drawn by."""
OF_A_SCALAR = tuple(kind.name for kind in ALONE if kind.of_scalar)
WITH_PER = ("grad", "jacobian", "jacobian_matrix")
MODES = ("", "forward", "reverse", "mixed")
LARGEST_JACOBIAN = 1500
"""Entries of a whole Jacobian or Hessian; above it a program asks for products."""
STYLES = ("generic",) * 12 + ("grid", "zeros", "large")


def setting_of(w: Writer, modes: Sequence[str]) -> Setting:
    """Options of the command line, sizes of tiles, threads, and what the numbers are like."""
    draw = w.draw
    fixed = draw.random() < 0.15
    symbolic = tuple((dim.name, dim.size) for dim in w.dims if "=" not in dim.written)
    memory = draw.choice(("", "85%", "60%")) if fixed else ""
    if any(not size for _, size in symbolic):
        symbolic, memory = (), ""
    style = draw.choice(STYLES)
    return Setting(
        dtype="float32" if draw.random() < 0.12 and style != "large" else "float64",
        mode=modes[0] if modes else draw.choice(MODES) if draw.random() < 0.5 else "",
        cache=draw.choice((None, 64, 64, 256)),
        threads=draw.choice((1, 1, 1, 3)),
        by_option=draw.random() < 0.2,
        imported=draw.choice(("from", "as")) if w.blocks and draw.random() < 0.2 else "",
        style=style,
        memory=memory,
        dims=symbolic if fixed else (),
        consts=tuple(one for one in w.consts if draw.random() < 0.3),
    )


def clauses_of(
    w: Writer, program: Program, outputs: Sequence[Value], loss: Value, each: Value | None,
    kinds: Sequence[str],
) -> list[Clause]:  # fmt: skip
    """A clause for each kind, where something can be derived."""
    draw, found = w.draw, []
    if draw.random() < 0.3:
        kinds = [*kinds, draw.choice(KINDS)]
    for place, kind in enumerate(kinds):
        base = kind.removeprefix("value_and_")
        of = [loss] if base in OF_A_SCALAR or not outputs else list(outputs)
        called = f"derived{place}"
        if kind == "value":
            found.append(Clause(kind, tuple(one.name for one in of), called=called))
            continue
        per = ""
        if each is not None and base in WITH_PER and draw.random() < 0.8:
            per = str(each.shape[0])
            of = [loss] if base == "grad" else [each]
        wrt = _chosen(w, program, of)
        names = [one.name for one in wrt]
        if w.paths and draw.random() < 0.5:
            names.append(draw.choice(w.paths)[0])
        names = list(dict.fromkeys(names))
        if not names:
            continue
        rows, columns = sum(map(_size, of)), sum(map(_size, wrt))
        whole = ("jacobian" in base or "hessian" in base) and not per
        if whole and max(rows, columns) * columns > LARGEST_JACOBIAN:
            kind = "hvp" if "hessian" in base else draw.choice(("jvp", "vjp"))
        outs = tuple(one.name for one in of)
        found.append(Clause(kind, outs, tuple(names), per, called, "each" if per else ""))
    return found


def _chosen(w: Writer, program: Program, of: Sequence[Value]) -> list[Value]:
    """Inputs, parameters and nodes between, from which these depend."""
    draw = w.draw
    given = {one.name: one for one in (*program.inputs, *program.params)}
    under = frozenset().union(*(one.under for one in of))
    reached = [one for name, one in given.items() if name in under and one.type.kind == "float"]
    inner = [
        one for one in w.body.values
        if one.name in under and one.name not in given and one.type.kind == "float"
    ]  # fmt: skip
    wrt = draw.sample(reached, min(len(reached), draw.choice((1, 2, 3))))
    return wrt + draw.sample(inner, min(len(inner), draw.choice((0, 0, 1))))


def contributions(w: Writer, apart: Axis) -> Value | None:
    """What each position adds to the loss."""
    rows = [
        one for one in w.body.values
        if one.type.kind == "float" and one.shape[:1] == (apart,) and one.under
        and one not in w.inputs and one not in w.params
    ]  # fmt: skip
    if not rows:
        return None
    x = w.draw.choice(rows[-4:])
    axes = list(range(1, len(x.shape)))
    text = f"sum(sin({x.name}), axis={axes})" if axes else f"sin({x.name})"
    return w.add(text, Type((apart,)), 6.0, "each")


def _size(one: Value) -> int:
    return math.prod(axis.size for axis in one.shape)
