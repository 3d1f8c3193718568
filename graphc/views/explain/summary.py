"""What is told of the whole: its Jacobian, the cost of each mode, and what the file asks for."""

from __future__ import annotations

from collections.abc import Iterator

from graphc.views.explain.derivation import (
    Block,
    Derivation,
)
from graphc.views.explain.document import Block as Piece
from graphc.views.explain.document import (
    Code,
    Equation,
    Heading,
    Inlines,
    Items,
    Paragraph,
    Table,
)
from graphc.views.explain.lines import counted
from graphc.views.explain.marks import Mark, fenced, joined, row
from graphc.views.explain.notation import notation
from graphc.views.explain.wanted import EVERYTHING, Wanted

LONGEST_ROW = 8
"""Blocks of J that are written side by side."""


def tell_blocks(derivation: Derivation, wanted: Wanted) -> Iterator[Piece]:
    asked = [block for block in derivation.blocks if block.ways]
    many = len(asked) > LONGEST_ROW and wanted.level < EVERYTHING
    if many and any(block.of_parameter for block in asked):
        asked = [block for block in asked if block.of_parameter]
    if not asked:
        return
    numerator = derivation.layout == "numerator"
    yield Heading(2, ("The Jacobian, a block for each path",))
    for output in dict.fromkeys(block.symbol.args[0] for block in asked):
        mine = [block for block in asked if block.symbol.args[0] == output]
        if len(mine) <= LONGEST_ROW:
            sign, how = ("|", "side by side") if numerator else (";", "one below the other")
            whole = fenced(joined([notation(block.symbol) for block in mine], sign))
            name = row([Mark("name", "J"), fenced(notation(output))])
            yield Equation(name, ((whole, (how,)),))
        for block in mine:
            yield _block(block, wanted)


def _block(block: Block, wanted: Wanted) -> Equation:
    ways = block.ways
    few = ways if wanted.level >= EVERYTHING else ways[:2]
    marks = [joined([notation(factor) for factor in way], "") for way in few]
    hidden = len(ways) - len(few)
    remark: Inlines = ()
    if block.more or hidden:
        marks.append(Mark("operator", "…"))
        remark = (
            "and more ways" if block.more else f"and {hidden} more way{'' if hidden == 1 else 's'}",
        )
    size = " × ".join(counted(axis) for axis in block.symbol.shape)
    return Equation(notation(block.symbol), ((joined(marks, "+"), remark),), shape=size)


def tell_counts(derivation: Derivation) -> Iterator[Piece]:
    if len(derivation.counts) < 2:
        return
    yield Heading(2, ("Forward against reverse",))
    value, *modes = derivation.counts
    taken = counted(value.each)
    yield Paragraph((f"The values take {taken} multiply-adds, the whole Jacobian beside them:",))
    yield Table(
        (("mode",), ("passes",), ("multiply-adds of a pass",), ("of all",)),
        tuple(
            ((one.mode,), (counted(one.passes),), (counted(one.each),), (counted(one.all),))
            for one in modes
        ),
    )
    yield Paragraph(
        ("Forward mode takes a pass for each element that the derivative is by, reverse mode one "
         "for each element of the outputs: what is fewer wins.",)
    )  # fmt: skip


def tell_clauses(derivation: Derivation) -> Iterator[Piece]:
    if not derivation.asked:
        return
    yield Heading(2, ("What the file asks for",))
    lines = []
    for clause in derivation.asked:
        outputs = ", ".join(clause.names)
        paths = ", ".join(path for path, _ in clause.wrt)
        paths = f" wrt {paths}" if len(paths) <= 60 else f" wrt {len(clause.wrt)} paths"
        text = f"{clause.kind.name} {outputs}{paths if clause.wrt else ''}"
        first = "the values first, then " if clause.kind.has_values else ""
        per = f"; axis {clause.per} is kept apart" if clause.per is not None else ""
        lines.append((Code(text), f": {first}{clause.kind.meaning}{per}."))
    yield Items(tuple(lines))
