"""What is written in the boxes of a picture and on its edges, in the words of a derivation."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import count

from graphc.ir.graph import INPUT, PARAMETER, Node
from graphc.ir.loop import RESULT, STEPS, loop_of
from graphc.ir.types import Type
from graphc.records import dataclass, field
from graphc.views.draw.records.measure import SMALL, width, wrap
from graphc.views.draw.values import Values, is_chain
from graphc.views.explain.expression import Expression, column, symbol
from graphc.views.explain.lines import line
from graphc.views.explain.local import Local, local
from graphc.views.explain.notation import named, notation
from graphc.views.explain.words import place
from graphc.views.explain.writing import write_formula

LONGEST = 40
"""Operations in a formula that is written out."""
WIDEST = 210
"""Pixels of a line in a box."""
NEXT = "′"
"""Behind the name of what a carried value becomes in a step."""
_WORDS = re.compile(r"""'[^']*'|"[^"]*"|\b[^\W\d]\w*""")
"""Names, and strings, which are none."""
BACK = "δ"
"""What has come back to a box, in the formulas of what it hands on."""


def type_text(type: Type) -> str:
    """Write a type as an edge has it.

    >>> type_text(Type("float"))
    'number'
    """
    if type.rank:
        return str(type)
    return "number" if type.dtype == "float" else type.dtype


@dataclass(slots=True)
class Wording:
    """The names and formulas of boxes; those without a name of the file get `v1`, `v2`, …"""

    values: Values
    names: Mapping[Node, str]
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))
    _labels: dict[Node, str] = field(default_factory=dict)

    def label(self, box: Node) -> str:
        """Return what a box is called in its group."""
        if box not in self._labels:
            self._labels[box] = self._label(box)
        return self._labels[box]

    def _label(self, box: Node) -> str:
        if box in self.values.starts:
            return str(box.attrs["name"])
        path = self.names.get(box)
        if path is None:
            taken = set(self.names.values())
            return next(name for i in self._numbers if (name := f"v{i}") not in taken)
        word = path.split(".")[-1]
        following = word.endswith("_next") and box in self.values.returns.values()
        return f"{word.removesuffix('_next')}{NEXT}" if following else word

    def symbol(self, operand: Node) -> Expression:
        """Return how an operand stands in a formula; an element at a position of what it is of."""
        shape = column(operand.shape)
        part = self.values.part(operand)
        if part.of in self.values.boxes:
            return symbol(self.label(part.of), shape, part.subscript)
        if part.of in self.values.results:
            (first, *_) = self.values.behind(part.of)
            return symbol(self.label(first), shape, part.subscript)
        of = write_formula(
            part.of, {one: self.symbol(one) for one in self.values.operands(part.of)}
        )
        return Expression("position", (of,), shape, part.subscript) if part.loops else of

    def local(self, box: Node, active: Collection[Node]) -> Local | None:
        """Derive a box in terms of its operands; None where its formula is too long to be read."""
        operands = self.values.operands(box)
        itself = symbol(self.label(box), column(box.shape))
        box = self.values.starts.get(box, box)
        handed = box.op is RESULT or box in operands
        if handed or not box.args or _operations(box, operands) > LONGEST:
            return None
        symbols = {one: self.symbol(one) for one in operands} | {box: itself}
        back = symbol(BACK, column(box.shape))
        tangents = {one: symbol("τ", column(one.shape)) for one in operands}
        return local(box, operands, active, symbols, back, tangents)

    def formula(self, box: Node, found: Local | None) -> tuple[str, ...]:
        """Write what a box is: its formula or its statement, whichever is shorter and fits.

        A statement of a block is in the names of its ports, and so comes after the formula.
        """
        if box.op in (INPUT, PARAMETER):
            return ()
        if box in self.values.starts:
            return self._start(box, found)
        if box.op is RESULT:
            return (self._ended(box),)
        statement = _right_side(box)
        formula = "" if found is None else line(notation(found.value))
        of_file = box.origin is not None and box.origin.used is None
        first, second = formula, statement
        if not formula or (of_file and statement and len(statement) <= len(formula)):
            first, second = statement, formula
        for text, most in ((first, 2), (second, 3)):
            lines = wrap(text, SMALL, WIDEST, most) if text else None
            if lines is not None:
                return lines
        number = _operations(box, self.values.operands(box))
        return (f"{number} operations" if number <= LONGEST else f"more than {LONGEST} operations",)

    def _start(self, box: Node, found: Local | None) -> tuple[str, ...]:
        """Say what a carried value is before the first step."""
        start = self.values.starts[box]
        if found is not None:
            return wrap(f"starts as {line(notation(found.value))}", SMALL, WIDEST, 2) or ()
        if start in self.values.boxes:
            return (f"starts as {line(notation(self.symbol(start)))}",)
        if start.static:
            return (
                wrap(f"starts as {line(notation(write_formula(start, {})))}", SMALL, WIDEST, 2)
                or ()
            )
        return ()

    def called(self, operand: Node) -> str:
        """Write how an operand stands in a formula."""
        return line(notation(self.symbol(operand)))

    def pulled(self, box: Node, operand: Node, found: Local) -> str:
        """Write what comes back to an operand, as a product with the Jacobian where it is long."""
        formula = pulled_whole(operand, found)
        if width(formula, SMALL) <= WIDEST:
            return formula
        return f"(∂{self.called(box)}/∂{self.called(operand)}) {BACK}"

    def pulled_through(self, operand: Node, parent: Node, pulled: str) -> str:
        """Write what comes back to a box that an element without a name is made of."""
        if not pulled:
            return ""
        factor = f"({pulled})" if _is_sum(pulled) else pulled
        return f"(∂{self.called(operand)}/∂{self.called(parent)}) {factor}"

    def _ended(self, box: Node) -> str:
        loop, number = loop_of(box.args[0]), box.attrs["number"]
        if number == STEPS:
            return "the number of steps"
        if number < len(loop.carried):
            return "after the last step"
        return f"of every {loop.index}"


def pulled_whole(operand: Node, found: Local) -> str:
    """Write what comes back to an operand, however long that is."""
    return line(notation(found.pulled[operand]))


def _right_side(box: Node) -> str:
    """Return what the statement of a box has behind its `=`, its names set as in formulas.

    Nothing of a chain.
    """
    text = "" if box.origin is None else box.origin.span.text
    right = "" if is_chain(text) else " ".join(text.partition("=")[2].split())
    return _WORDS.sub(lambda found: line(named(found[0])), right)


def _operations(box: Node, operands: Collection[Node]) -> int:
    """Count the operations of a box that its operands have not done, up to a few too many."""
    seen = {box}
    pending = [box]
    while pending and len(seen) <= LONGEST:
        for arg in pending.pop().args:
            if arg not in seen and arg not in operands and not arg.static:
                seen.add(arg)
                pending.append(arg)
    return len(seen)


def told_of(box: Node, path: str) -> str:
    """Say of a box what it is, at length."""
    head = f"{path}: {type_text(box.type)}" if path else type_text(box.type)
    written = place(box)
    return f"{head}\n{written}" if written else head


def summed(formula: str, indices: Sequence[str]) -> str:
    """Write the sum of a formula over the steps of loops.

    >>> summed("δ x_t", ["t"]), summed("a + b", ["t"])
    ('Σ_t δ x_t', 'Σ_t (a + b)')
    """
    if not indices or not formula:
        return formula
    signs = " ".join(f"Σ_{index}" for index in indices)
    return f"{signs} ({formula})" if _is_sum(formula) else f"{signs} {formula}"


def _is_sum(formula: str) -> bool:
    """True for a sum or a difference outside of brackets."""
    depth = 0
    for at, character in enumerate(formula):
        if not depth and formula.startswith((" + ", " − "), at):
            return True
        depth += (character in "([") - (character in ")]")
    return False


def adjoint_name(target: str, label: str) -> str:
    """Write the name of a derivative.

    >>> adjoint_name("L", "x1")
    'dL/dx₁'
    """
    word = line(named(label))
    short = len(label.removesuffix(NEXT)) == 1 or label[1:].isdigit()
    return f"d{target}/d{word}" if short else f"d{target}/d {word}"
