"""What is the same everywhere in a derivation, and what becomes of a graph in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from graphc.ir.dims import Dim
from graphc.ir.graph import Node
from graphc.records import dataclass, replace
from graphc.views.explain.choices import Layout
from graphc.views.explain.derivation import AdjointStep, Edge, Step
from graphc.views.explain.expression import (
    Expression,
    derivative,
    transposed,
    turned,
)
from graphc.views.explain.jacobians import Jacobian
from graphc.views.explain.stations import Labels


@dataclass(frozen=True, slots=True)
class Setting:
    """What is the same everywhere in a derivation; `direction` is what forward mode moves along."""

    layout: Layout
    target: Expression
    direction: Expression
    labels: Labels
    asked: frozenset[Node]
    only: frozenset[str] | None = None

    def wants(self, symbols: Iterable[Expression]) -> bool:
        """True if one of these is among what is asked about."""
        named = (one.data[0] for one in symbols if one.kind == "symbol")
        return self.only is None or any(name in self.only for name in named)

    def total(self, of: Expression, by: Expression) -> Expression:
        """Return a total derivative of one number, as a symbol."""
        shape = by.shape if self.layout == "denominator" else turned(by.shape)
        return derivative("total", of, by, shape)

    def moved(self, value: Expression) -> Expression:
        """Return the tangent of a value: its total derivative by one number, as a symbol."""
        shape = value.shape if self.layout == "numerator" else turned(value.shape)
        return derivative("total", value, self.direction, shape)

    def laid(self, formula: Expression) -> Expression:
        """Lay a derivative by an array out in the shape of this array."""
        return formula if self.layout == "denominator" else transposed(formula)

    def moving(self, formula: Expression) -> Expression:
        """Lay a derivative of an array out in the shape of this array."""
        return formula if self.layout == "numerator" else transposed(formula)

    def partial(self, of: Expression, by: Expression, jacobian: Jacobian, sizes: Sizes) -> Edge:
        rows, columns = sizes if self.layout == "numerator" else sizes[::-1]
        matrix = jacobian.matrix
        if matrix is not None and self.layout == "denominator":
            matrix = transposed(matrix)
        named = derivative("partial", of, by, (rows, columns))
        return Edge(by, named, replace(jacobian, matrix=matrix), rows, columns)

    def chained(self, child: Expression, edge: Edge) -> Expression:
        """Multiply by the chain rule, in the order of the layout; arrays as long vectors."""
        adjoint = self.total(self.target, child)
        pair = (edge.symbol, adjoint) if self.layout == "denominator" else (adjoint, edge.symbol)
        shape = adjoint.shape
        return Expression("product", pair, shape)


Sizes = tuple[Dim, Dim]


@dataclass(frozen=True, slots=True)
class Region:
    """A graph, or a step of a loop: its steps, its adjoints, and who feeds whom."""

    steps: tuple[Step, ...]
    adjoints: tuple[AdjointStep, ...]
    edges: Mapping[Node, Mapping[Node, Edge]]
    symbols: Mapping[Node, Expression]


@dataclass(frozen=True, slots=True)
class Seed:
    """What an adjoint begins with: a node, and the formula of what comes to it from outside."""

    node: Node
    formula: Expression
