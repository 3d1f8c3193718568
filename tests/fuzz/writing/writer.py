"""The writer of a program: what is in scope, what may be used where, and what is added."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.fuzz.program import WORD, Axis, Dim, Statement, Type, Value, literal

LARGEST = 8.0
"""Above this a value is brought back before it grows further."""
ELEMENTS = 600
"""What has more is not read again: its meaning would be computed number by number for long."""
LONGEST = 12
"""Characters of an axis that is still worth computing with."""


@dataclass
class Body:
    """The statements of a file, a block or a step, and what they may read."""

    values: list[Value]
    statements: list[Statement] = field(default_factory=list)
    closed: bool = False
    depth: int = 0
    kind: str = "file"


class Writer:
    def __init__(self, seed: int) -> None:
        self.seed, self.draw = seed, random.Random(seed)
        self.dims: list[Dim] = []
        self.blocks: list[Statement] = []
        self.inputs: list[Value] = []
        self.params: list[Value] = []
        self.paths: list[tuple[str, frozenset[str]]] = []
        self.features: set[str] = set()
        self.body = Body([])
        self.file = self.body
        self.apart: Axis | None = None
        self.consts: list[tuple[str, str]] = []
        self.uses: list[tuple[str, str]] = []
        self._count = 0

    # ---- chance --------------------------------------------------------------------------------

    def chance(self, share: float) -> bool:
        return self.draw.random() < share

    def one(self, *those: object) -> object:
        return self.draw.choice(those)

    def fresh(self, stem: str = "n") -> str:
        self._count += 1
        return f"{stem}{self._count}"

    # ---- what there is -------------------------------------------------------------------------

    def visible(self, test: Callable[[Value], bool] = lambda one: True) -> list[Value]:
        return [one for one in self.body.values if test(one)]

    def pick(self, test: Callable[[Value], bool]) -> Value | None:
        """Something in scope, rather late than early."""
        found = self.visible(test)
        if not found:
            return None
        return self.draw.choice(found[-6:] if self.chance(0.6) else found)

    def floats(self, rank: int | None = None, least: int = 0) -> Value:
        """A float of this rank; where there is none, one is made."""

        def fits(one: Value) -> bool:
            return (
                one.type.kind == "float"
                and (rank is None or len(one.shape) == rank)
                and len(one.shape) - (self.apart in one.shape) >= least
                and all(axis.size > 0 for axis in one.shape if rank or least)
            )

        found = self.pick(fits)
        if found is not None and not self.chance(0.05):
            return found
        count = rank if rank is not None else max(least, self.draw.randint(0, 2))
        shape = tuple(self.axis() for _ in range(count))
        if (
            self.apart
            and not self.body.closed
            and rank is None
            and self.apart not in shape
            and self.chance(0.7)
        ):
            shape = (self.apart, *shape)
        return self.given(Type(shape))

    def place(self, x: Value) -> int:
        """One of its axes, but for one that is kept apart."""
        places = [place for place, axis in enumerate(x.shape) if axis != self.apart]
        return self.draw.choice(places or list(range(len(x.shape))))

    def of(self, shape: Sequence[Axis], kind: str = "float", below: int = 0) -> Value:
        """Something of this shape; where there is nothing, or by chance, it is made."""
        wanted = Type(tuple(shape), kind, below)
        found = self.pick(lambda one: one.type == wanted)
        if found is not None and not self.chance(0.15):
            return found
        return self.given(wanted)

    def given(self, wanted: Type) -> Value:
        """A new input or parameter; inside a block something made of numbers."""
        if self.body.closed:
            return self.constant(wanted)
        if wanted.kind == "float" and self.chance(0.35):
            made = Value(self.fresh("p"), wanted, 1.5)
            made = Value(made.name, wanted, 1.5, frozenset({made.name}))
            self.params.append(made)
        else:
            name = self.fresh({"float": "x", "int": "i", "bool": "b"}[wanted.kind])
            under = frozenset({name}) if wanted.kind == "float" else frozenset()
            made = Value(name, wanted, 2.0, under)
            self.inputs.append(made)
        self.file.values.insert(0, made)
        if self.file is not self.body:
            self.body.values.insert(0, made)
        return made

    def constant(self, wanted: Type) -> Value:
        """An array that is known, or made of something in scope by shape alone."""
        shape = f"[{', '.join(map(str, wanted.shape))}]"
        if wanted.kind == "int":
            number = str(self.draw.randrange(max(wanted.below, 1)))
            text = number if not wanted.shape else f"where(ones({shape}) > 0, {number}, 0)"
        elif wanted.kind == "bool":
            text = f"ones({shape}) > {self.one(0, 2)}"
        else:
            number = self.one("0.5", "-0.7", "1.0", "0.3")
            scalar = self.pick(lambda one: one.type == Type(()))
            text = f"full({shape}, {scalar.name if scalar else number})"
            if not wanted.shape:
                text = f"{scalar.name} * {number}" if scalar else f"sum(full([1], {number}))"
        return self.add(text, wanted, 2.0)

    def axis(self) -> Axis:
        """An axis that is there already, or a number; in a file also a new dim."""
        known = [axis for one in self.body.values for axis in one.shape if len(axis.text) < 6]
        known = [axis for axis in known if axis != self.apart]
        if known and self.chance(0.75):
            return self.draw.choice(known)
        if self.body.closed or not self.dims or self.chance(0.5):
            return literal(self.draw.choice((1, 2, 3, 3, 4)))
        dim = self.draw.choice(self.dims)
        axis = Axis(dim.name, dim.size)
        return literal(3) if axis == self.apart else axis

    # ---- what is added -------------------------------------------------------------------------

    def add(
        self, text: str, type: Type, bound: float = 2.0, name: str = "", reads: str | None = None
    ) -> Value:
        """An equation; its derivatives are by what `reads` names, by default by all of the text."""
        under = self.under(text if reads is None else reads)
        made = Value(name or self.fresh(), type, bound, under)
        self.put(Statement(f"{made.name} = {text}", (made,)))
        return made

    def put(self, statement: Statement) -> None:
        self.body.statements.append(statement)
        shown = (one for one in statement.defines if not any("?" in a.text for a in one.shape))
        known = [one for one in shown if math.prod(one.type.sizes) <= ELEMENTS]
        self.body.values += known

    def under(self, text: str) -> frozenset[str]:
        """The float names that a text depends on."""
        known = {one.name: one for one in self.body.values}
        found: set[str] = set()
        for word in WORD.findall(text):
            if word in known and known[word].type.kind == "float":
                found |= {word} | known[word].under
        return frozenset(found)

    def tame(self, value: Value) -> str:
        """The name, or where it has grown large something bounded."""
        if value.bound <= LARGEST:
            return value.name
        return f"{self.one('tanh', 'sin', 'softsign')}({value.name})"

    @contextmanager
    def inside(self, values: Sequence[Value], kind: str, closed: bool = False) -> Iterator[Body]:
        """A body of its own, which sees what is outside unless it is closed."""
        before = self.body
        seen = [] if closed else list(before.values)
        self.body = Body([*seen, *values], [], closed or before.closed, before.depth + 1, kind)
        try:
            yield self.body
        finally:
            self.body = before
