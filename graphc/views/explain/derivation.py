"""The records of a derivation: values in the order computed, adjoints in the order they flow."""

from __future__ import annotations

from collections.abc import Iterator

from graphc.elaborate.names.model import Derivation as Clause
from graphc.ir.dims import Dim
from graphc.ir.types import Type
from graphc.records import dataclass
from graphc.views.explain.choices import Layout
from graphc.views.explain.expression import Expression
from graphc.views.explain.jacobians import Jacobian


@dataclass(frozen=True, slots=True)
class Edge:
    """An operand of a value, and the Jacobian by it, in the layout of the derivation."""

    parent: Expression
    symbol: Expression
    jacobian: Jacobian
    rows: Dim
    columns: Dim


@dataclass(frozen=True, slots=True)
class Step:
    """A value: what it is, and the Jacobians by its operands.

    `moved` is its tangent, of which `tangents` are the terms by operand; `place` quotes the
    statement that makes it. It is `active` where it moves with what the derivative is by. `loop` is
    what a loop does in one step, whose results the values after it are. A `part` has no name in the
    file and is a selection of another value.
    """

    symbol: Expression
    type: Type
    role: str
    value: Expression | None
    edges: tuple[Edge, ...]
    moved: Expression
    tangents: tuple[tuple[Expression, Expression], ...]
    place: str
    active: bool
    loop: LoopPart | None = None
    part: bool = False


@dataclass(frozen=True, slots=True)
class AdjointTerm:
    """One term of an adjoint: what comes back along one edge.

    `path` names the child that it comes from; `product` is the term as the adjoint of the child
    and the Jacobian, in the order of the layout, `value` what this comes to.
    """

    child: Expression | None
    product: Expression | None
    value: Expression
    jacobian: Jacobian | None
    skip: bool = False


@dataclass(frozen=True, slots=True)
class AdjointStep:
    """The total derivative by a value: the sum of its parts."""

    symbol: Expression
    of: Expression
    type: Type
    parts: tuple[AdjointTerm, ...]
    asked: bool


@dataclass(frozen=True, slots=True)
class LoopPart:
    """One step of a loop, forward and backward.

    `carried` gives each carried value before the first step, `nexts` what it becomes in a step,
    `elements` what is read of a source, along which axis, and how many axes it has, `collected`
    what is stacked, `shared` what every step reads, `ends` what comes back after the last;
    `adjoints` are those of one step. `returning` are the carried values that `grad` makes, and what
    each brings something back to. `index` is what its index goes by, `named` its name in the
    file, `steps_index` it with those of the loops around.
    """

    index: str
    named: str
    steps_index: str
    first: Dim
    count: Dim
    backwards: bool
    until: bool
    carried: tuple[tuple[Expression, Expression], ...]
    elements: tuple[tuple[Expression, Expression, int, int], ...]
    nexts: tuple[tuple[Expression, Expression], ...]
    collected: tuple[tuple[Expression, Expression], ...]
    shared: tuple[Expression, ...]
    ends: tuple[tuple[Expression, Expression], ...]
    steps: tuple[Step, ...]
    adjoints: tuple[AdjointStep, ...]
    returning: tuple[tuple[Expression, str], ...]

    @property
    def entries(self) -> tuple[Expression, ...]:
        """Return what the parts that come back are of: first values, elements, captures."""
        carried = (start for start, _ in self.carried)
        return (*carried, *(item for item, *_ in self.elements), *self.shared)


@dataclass(frozen=True, slots=True)
class Block:
    """A block of J: the product of Jacobians along each way to a path, and whether there are more.

    `symbol` is the total derivative of an output by the path, as a matrix.
    """

    symbol: Expression
    of_parameter: bool
    ways: tuple[tuple[Expression, ...], ...]
    more: bool


@dataclass(frozen=True, slots=True)
class Count:
    """The passes that a mode takes for J, and the multiply-adds of one, the value's apart."""

    mode: str
    passes: Dim
    each: Dim

    @property
    def all(self) -> Dim:
        return self.passes * self.each


@dataclass(frozen=True, slots=True)
class Derivation:
    """What `explain` says of a graph.

    Everything is differentiated of `target`, one number: the output where that is `scalar`, else
    whatever is made of the outputs. `asked` are the clauses of the file,
    `gradients` the values that `grad` makes in it, `absent` those that a stable form goes without.
    """

    name: str
    layout: Layout
    target: Expression
    outputs: tuple[Expression, ...]
    paths: tuple[Expression, ...]
    scalar: bool
    steps: tuple[Step, ...]
    adjoints: tuple[AdjointStep, ...]
    blocks: tuple[Block, ...]
    counts: tuple[Count, ...]
    asked: tuple[Clause, ...]
    gradients: frozenset[str] = frozenset()
    absent: tuple[str, ...] = ()

    def every_step(self) -> Iterator[Step]:
        """Yield the steps, those of loops too."""
        pending = [*reversed(self.steps)]
        while pending:
            one = pending.pop()
            yield one
            if one.loop is not None:
                pending.extend(reversed(one.loop.steps))

    def every_adjoint(self) -> Iterator[AdjointStep]:
        """Yield the adjoints, those of loops too."""
        yield from self.adjoints
        for step in self.every_step():
            if step.loop is not None:
                yield from step.loop.adjoints
