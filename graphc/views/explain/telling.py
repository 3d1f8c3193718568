"""From a derivation to a document: as much of it as a level tells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from graphc.views.explain.adjoints import tell_adjoint, tell_backward
from graphc.views.explain.derivation import (
    Derivation,
    Step,
)
from graphc.views.explain.document import (
    About,
    Code,
    Document,
    Equation,
    Heading,
    Inline,
    Inlines,
    Inside,
    Items,
    Paragraph,
)
from graphc.views.explain.document import Block as Piece
from graphc.views.explain.expression import Expression, added
from graphc.views.explain.notation import notation
from graphc.views.explain.overview import computed, is_large, tell_overview
from graphc.views.explain.summary import tell_blocks, tell_clauses, tell_counts
from graphc.views.explain.values import (
    listed,
    loop_title,
    shape,
    tell_carried,
    tell_step,
    tell_steps,
)
from graphc.views.explain.wanted import REASONS, SENTENCE, Wanted

LISTED = 20
"""Names that are told of a large graph, the last ones first."""
WITHOUT = "The graph has no derivative: for one, an output and what it is made of must be floats."
NAMED = 6
"""Paths that are named, of those that the derivative is by."""


def document(derivation: Derivation, wanted: Wanted) -> Document:
    """Build the document of a derivation."""
    title = f"The derivation of {derivation.name}"
    pieces: list[Piece] = [Heading(1, (title,))]
    if wanted.level == SENTENCE:
        pieces += _sentences(derivation, wanted)
        return Document(title, tuple(pieces))
    if wanted.node:
        pieces += _one_node(derivation, wanted)
        return Document(title, tuple(pieces))
    known = bool(derivation.outputs and derivation.paths)
    pieces += _conventions(derivation) if known else [Paragraph((WITHOUT,))]
    large = is_large(derivation)
    if large:
        pieces.append(Heading(2, ("What there is",)))
        pieces += tell_overview(derivation)
    pieces.append(Heading(2, ("Values, in the order computed",)))
    pieces += tell_steps(
        computed(derivation.steps) if large else derivation.steps, derivation, wanted
    )
    if derivation.absent:
        pieces.append(Paragraph(_gone_without(derivation.absent)))
    if not known:
        return Document(title, tuple(pieces))
    if wanted.forward:
        pieces.append(Heading(2, ("Forward: derivatives move with the values",)))
        pieces += tell_forward(derivation, wanted)
    if wanted.reverse:
        pieces.append(Heading(2, ("Backward: from the result to what it depends on",)))
        pieces += tell_backward(derivation, wanted)
    if wanted.level >= REASONS:
        pieces += tell_blocks(derivation, wanted)
        pieces += tell_counts(derivation)
    pieces += tell_clauses(derivation)
    return Document(title, tuple(pieces))


def crowd(name: str, names: Sequence[str]) -> Document:
    """Build the document of a graph that is too large to be told as a whole."""
    title = f"The derivation of {name}"
    shown: list[Inline] = []
    for one in names[:LISTED]:
        shown.extend([", "] if shown else [])
        shown.append(Code(one))
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return Document(
        title,
        (
            Heading(1, (title,)),
            Paragraph(
                ("The graph has more values than a derivation can show as a whole. Ask for one of "
                 "them with ", Code("--node NAME"), f": it has {len(names)} names, ", *shown,
                 f"{more}.")
            ),
        ),
    )  # fmt: skip


def _gone_without(names: Sequence[str]) -> Inlines:
    """Say which values of the file are not there, and why."""
    shown = [part for one in names for part in (Code(one), ", ")][:-1]
    verb, them = ("is", "it") if len(names) == 1 else ("are", "them")
    why = f"what is made of {them} has a form here that neither overflows nor loses digits."
    return (*shown, f" {verb} in the file, and not computed: {why}")


# ---- what is agreed on ---------------------------------------------------------------


def _paths(paths: Sequence[Expression]) -> Inlines:
    """Name what is differentiated by, or of many the first ones and how many more there are."""
    if len(paths) <= NAMED:
        return listed(paths)
    first = paths[: NAMED - 1]
    names = (part for path in first for part in (notation(path), ", "))
    return (*tuple(names)[:-1], f" and {len(paths) - len(first)} more")


def _conventions(derivation: Derivation) -> Iterator[Piece]:
    numerator = derivation.layout == "numerator"
    target = notation(derivation.target)
    outputs = listed(derivation.outputs)
    by = _paths(derivation.paths)
    if derivation.scalar:
        same = derivation.target == derivation.outputs[0]
        subject: Inlines = ("The output ",) if same else (target, " = ")
        yield Paragraph((*subject, *outputs, " is differentiated by ", *by, "."))
    else:
        yield Paragraph(
            (target, " is any number that is made of the outputs ", *outputs, "; its derivatives "
             "by them are given, and stand under a bar. It is differentiated by ", *by, ".")
        )  # fmt: skip
    layout: Inlines = (
        ("Numerator layout: a Jacobian has a row for each element of the result and a column for "
         "each of the operand; the derivative of a number by a vector is a row, by a matrix of the "
         "transposed shape; chains read from the result to the operand.")
        if numerator
        else ("Denominator layout: a Jacobian has a row for each element of the operand and a "
              "column for each of the result; the derivative of a number by an array has the shape "
              "of this array; chains read from the operand to the result."),
    )  # fmt: skip
    yield Items(
        (
            layout,
            ("∂ is partial: by one operand of one statement, the others held. d is total: through "
             "all that leads there.",),
            ("A vector is a column, ⊙ multiplies element by element, and so do powers and "
             "functions work; elements of an array are numbered row by row.",),
        )
    )  # fmt: skip


# ---- forward ----------------------------------------------------------------------------


def tell_forward(derivation: Derivation, wanted: Wanted) -> Iterator[Piece]:
    yield Paragraph(
        ("What is asked for moves along a direction, of which s is the position: the derivative of "
         "a value by s is the sum over its operands of the Jacobian and the derivative of the "
         "operand. A whole Jacobian needs one such pass for each element that moves.",)
    )  # fmt: skip
    yield from tell_moves(derivation.steps)


def tell_moves(steps: Sequence[Step]) -> Iterator[Piece]:
    for step in steps:
        if step.loop is not None:
            inner = tuple(tell_moves(step.loop.steps))
            if inner:
                yield Inside(loop_title(step.loop, step), inner)
        if step.tangents:
            terms = [value for _, value in step.tangents]
            left = step.moved
            equation = Equation(notation(left), ((notation(added(terms)), ()),))
            yield About(step.symbol.data[0], True, (equation,))


# ---- one node -----------------------------------------------------------------------------------


def _one_node(derivation: Derivation, wanted: Wanted) -> Iterator[Piece]:
    for step in derivation.every_step():
        if step.loop is not None:
            yield from tell_carried(step.loop, step, wanted)
        if not wanted.of(step.symbol):
            continue
        if step.role in ("input", "parameter"):
            yield Paragraph((notation(step.symbol), f" is an {step.role}" if step.role == "input"
                             else " is a parameter", f", {shape(step.type)}."))  # fmt: skip
        yield from tell_step(step, derivation, wanted)
        if wanted.forward and step.tangents:
            yield from tell_moves([step])
    if wanted.reverse:
        found = [one for one in derivation.every_adjoint() if wanted.of(one.of)]
        for one in found:
            yield tell_adjoint(one, derivation, wanted, {})
        if not found:
            yield Paragraph(("No derivative flows back to it.",))


# ---- sentences ----------------------------------------------------------------------------------


def _sentences(derivation: Derivation, wanted: Wanted) -> Iterator[Piece]:
    target = notation(derivation.target)
    if not wanted.node:
        yield Paragraph(
            ("The graph computes its values one after the other, and its derivatives in the "
             "opposite order: how much ", target, " changes with a value is found from what is "
             "computed of that value, slope times slope along every way, and ways add up.")
        )  # fmt: skip
    lines: list[Inlines] = []
    for one in derivation.every_adjoint() if wanted.node else derivation.adjoints:
        if not (wanted.of(one.of) if wanted.node else one.asked):
            continue
        children = [part.child for part in one.parts if part.child is not None]
        if not children:
            continue
        if one.of in children:
            lines.append(
                (notation(one.symbol), " says how much ", target, " grows with ", notation(one.of),
                 ": what each step of the loop that reads it does to ", target, ", added up over "
                 "the steps.")
            )  # fmt: skip
            continue
        through = listed(list(dict.fromkeys(children)))
        lines.append(
            (notation(one.symbol), " says how much ", target, " grows with ", notation(one.of),
             ": what it does to ", *through, ", times what ",
             "that does" if len(children) == 1 else "these do", " to ", target,
             "." if len(children) == 1 else ", added up.")
        )  # fmt: skip
    if lines:
        yield Items(tuple(lines))
    elif wanted.node:
        result = any(wanted.of(output) for output in derivation.outputs)
        none = " is what is differentiated." if result else ": no derivative flows back to it."
        yield Paragraph((Code(wanted.node), none))
