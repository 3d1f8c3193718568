"""The panel of the schedule: statements with their memory, as a table and as a curve over time."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from graphc.ir.dims import Dim
from graphc.ir.loop import loop_of
from graphc.ir.sizes import typical
from graphc.ir.types import FLOAT_BYTES, Type
from graphc.plan.buffers.report import Live, Row, live
from graphc.plan.module import Compiled, Derived
from graphc.plan.program import BlockStep, LoopStep
from graphc.targets.marks import number_of
from graphc.targets.numpy.printing.places import name_storage
from graphc.views.report.links import Of, union
from graphc.views.report.markup import Markup, element, joined

SHORT = 20
"""Characters of a polynomial that stands on one line, however narrow its column is; others break
before a sign."""
KEPT = "\N{NO-BREAK SPACE}"

NAMED = 300
"""Bars of a curve that say of what they are, at most."""

WIDTH, HEIGHT = 1000, 120
"""Of a curve, in its own units."""


def tell_schedule(compiled: Compiled, statements: Mapping[int, Of]) -> Markup:
    """Write the functions of a module one after the other; call it where nodes are made."""
    backward = [compiled.backward] if compiled.backward.wrt else []
    functions = [compiled.forward, *backward, *compiled.derived]
    return joined(
        [_function(compiled, each, statements) for one in functions for each in (one, *one.others)]
    )


def _function(compiled: Compiled, one: Derived, statements: Mapping[int, Of]) -> Markup:
    width = FLOAT_BYTES[compiled.model.dtype]
    both = one is compiled.forward and bool(compiled.backward.wrt)
    found = live(one.program, width, compiled.cached if both else ())
    mode = f" ({one.mode} mode)" if one.mode else ""
    totals = f"{amount(one.flops)} multiply-adds, at most {amount(found.peak)} bytes at once"
    heading = element("h3", element("code", one.program.name), mode)
    about = element("p", totals, class_="note")
    of_rows = [statements.get(number_of(row.step), Of()) for row in found.rows]
    return element(
        "section", heading, about, _curve(found, of_rows), _table(found, of_rows), class_="function"
    )


def amount(dim: Dim) -> str:
    """Write a number, or a polynomial and what it comes to.

    >>> amount(Dim.of(12345))
    '12,345'
    """
    if dim.constant is not None:
        return f"{dim.constant:,}"
    text = str(dim).replace("**", "^").replace("*", "·").replace("-", "−")
    kept = re.sub(r" (?=[+−])", " " if len(text) > SHORT else KEPT, text)
    return re.sub(r"(?<=[+−]) ", KEPT, kept)


# ---- the curve ----------------------------------------------------------------------------------


def _curve(found: Live, of_rows: Sequence[Of]) -> Markup:
    """Draw what is alive while each statement runs, a bar each; dims that are not known are 32."""
    bars = [(typical(row.during), typical(row.live)) for row in found.rows]
    most = max((during for during, _ in bars), default=0)
    if not most:
        return Markup("")
    each = WIDTH / len(bars)
    rects = []
    for place, ((during, alive), of) in enumerate(zip(bars, of_rows, strict=True)):
        x = place * each
        called = f"{found.rows[place].target or '-'}: {during:,} bytes"
        tip = [element("title", called)] if len(bars) <= NAMED else []
        parts = [
            element("rect", x=_px(x), y=_px(HEIGHT - h), width=_px(max(each - GAP, each * 0.8)),
                    height=_px(h), class_=kind)
            for kind, h in (("during", HEIGHT * during / most), ("alive", HEIGHT * alive / most))
        ]  # fmt: skip
        rects.append(element("g", *tip, *parts, class_="bar", **of.attributes))
    label = f"bytes alive over the {len(bars)} statements, at most {most:,}"
    svg = element(
        "svg", *rects, viewBox=f"0 0 {WIDTH} {HEIGHT}", preserveAspectRatio="none", role="img",
        aria_label=label, class_="memory",
    )  # fmt: skip
    unknown = any(row.during.constant is None for row in found.rows)
    said = " with 32 for each dim that is not known" if unknown else ""
    caption = f"Bytes alive while each statement runs, from first to last{said}"
    return element("figure", svg, element("figcaption", f"{caption}. {STAYS} Highest: {most:,}."))


STAYS = "A bar stands on what stays alive; the pale part above that is needed meanwhile."

GAP = 1.0
"""Between two bars."""


def _px(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


# ---- the table ----------------------------------------------------------------------------------


def _table(found: Live, of_rows: Sequence[Of]) -> Markup:
    head = ("variable", "type", "computed into", "new bytes", "alive", "freed")
    rows = []
    most = max((typical(row.during) for row in found.rows), default=0)
    for row, of in zip(found.rows, of_rows, strict=True):
        indent = "\N{NO-BREAK SPACE}\N{NO-BREAK SPACE}" * row.depth
        peak = "peak" if most and typical(row.during) == most else None
        cells = (
            element("td", indent, row.target or "-"),
            element("td", _type(row)),
            element("td", "" if row.out is None else name_storage(row.out)),
            element("td", amount(row.bytes) if row.bytes.terms else ""),
            element("td", amount(row.live), class_=peak),
            element("td", ", ".join(row.frees)),
        )
        rows.append(element("tr", *cells, **of.attributes))
    table = element(
        "table",
        element("thead", element("tr", *(element("th", one, scope="col") for one in head))),
        element("tbody", *rows),
    )
    return joined([element("div", table, class_="wide steps"), _buffers(found, of_rows)])


def _type(row: Row) -> str:
    step = row.step
    if isinstance(step, LoopStep):
        loop = loop_of(step.node)
        order = " backwards" if loop.backwards else ""
        return f"loop: {loop.index} in {loop.first}..{loop.first + loop.count - 1}{order}"
    if isinstance(step, BlockStep):
        return f"in blocks of {step.length}"
    return str(step.node.type)


def _buffers(found: Live, of_rows: Sequence[Of]) -> Markup:
    """Write the arrays that a function computes in, each of what is computed into it."""
    if not found.scratch:
        return Markup("")
    bases = {scratch.name: scratch.base or scratch.name for scratch, _ in found.scratch}
    inside: dict[str, list[Of]] = {}
    for row, of in zip(found.rows, of_rows, strict=True):
        if row.out is not None and row.out.array in bases:
            inside.setdefault(row.out.array, []).append(of)
            inside.setdefault(bases[row.out.array], []).append(of)
    rows = []
    for scratch, size in found.scratch:
        shown = f"{scratch.base} seen as {Type(scratch.dtype, scratch.shape)}"
        type = str(Type(scratch.dtype, scratch.shape)) if not scratch.base else shown
        cells = (
            element("td", scratch.name),
            element("td", type),
            element("td", "" if scratch.base else amount(size)),
        )
        rows.append(element("tr", *cells, **union(inside.get(scratch.name, ())).attributes))
    head = ("buffer", "type", "bytes")
    table = element(
        "table",
        element("thead", element("tr", *(element("th", one, scope="col") for one in head))),
        element("tbody", *rows),
    )
    return element("div", table, class_="wide buffers")
