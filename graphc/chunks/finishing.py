"""What comes behind merged statistics: results of all rows, and their gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from graphc.ad.functions import adjoint_of
from graphc.ad.reverse import pullback
from graphc.chunks.contributions import Contributions
from graphc.chunks.layout import FINISHED, Rows, Whole
from graphc.chunks.layouts import layouts
from graphc.chunks.statistics import value_from
from graphc.ir.dims import Atom, Dim, FloorDiv
from graphc.ir.graph import DIM, INPUT, PARAMETER, Node, as_node, with_args
from graphc.ir.rebuild import rebuild
from graphc.ir.results import ResultKey, gradient_by
from graphc.ops.elementwise.arithmetic import floor_divide, total
from graphc.ops.linear.products import matmul
from graphc.ops.shape.members import family_of
from graphc.ops.shape.shaping import filled, reshape

Ends = Callable[[int], Node]
"""By the number of a field what stands for it once all chunks are one."""


def behind(of: Contributions, root: Node, end: Ends) -> Node:
    """Return a result in terms of the merged fields, and of what is whole."""
    start = {
        node: value_from(
            node, one.merge, [end(number) for number in one.fields], end(of.count), of.axis
        )
        for node, one in of.statistics.items()
    }

    def replace_(node: Node, args: tuple[Node, ...]) -> Node:
        if node.op is DIM and of.axis.symbols & node.attrs["value"].symbols:
            return _number(node.attrs["value"], of.axis, end(of.count))
        counted = any(
            arg.op is DIM and new is not arg for arg, new in zip(node.args, args, strict=True)
        )
        return node.op(*args, **node.attrs) if counted else with_args(node, args)

    return rebuild([root], replace_, start)[root]


def _number(dim: Dim, axis: Dim, rows: Node) -> Node:
    """Return a dim as a node, where an axis has become a number of rows."""
    whole: Node | None = None
    for monomial, coefficient in dim.terms:
        term = as_node(coefficient)
        for atom, power in monomial:
            for _ in range(power):
                term = term * _atom(atom, axis, rows)
        whole = term if whole is None else whole + term
    return as_node(0) if whole is None else whole


def _atom(atom: Atom, axis: Dim, rows: Node) -> Node:
    if isinstance(atom, FloorDiv):
        sides = (_number(side, axis, rows) for side in (atom.numerator, atom.denominator))
        return floor_divide(*sides)
    return rows if atom in axis.symbols else as_node(Dim.symbol(atom))


def gradients_behind(
    of: Contributions, result: Node, wrt: Mapping[str, Node], end: Ends
) -> dict[ResultKey, Node]:
    """Return the gradients of a result in terms of merged fields: by each statistic, times what
    that is differentiated to be, and what does not go through any."""
    fields = [number for one in of.statistics.values() for number in one.fields]
    floats = [number for number in fields if of.fields[number].node.type.dtype == "float"]
    whole = {path: node for path, node in wrt.items() if not isinstance(of.layout(node), Rows)}
    asked = [*map(end, floats), *map(family_of, whole.values())]
    adjoints = pullback([(result, as_node(1.0))], asked)
    found: dict[ResultKey, Node] = {}
    for path, node in wrt.items():
        terms = [
            _applied(adjoints[end(number)].value, end(one.derivatives[number, path]))
            for one in of.statistics.values()
            for number in one.fields
            if (number, path) in one.derivatives and end(number) in adjoints
        ]
        if path in whole and family_of(node) in adjoints:
            terms.append(adjoint_of(adjoints, node))
        found[gradient_by(path)] = total(terms) if terms else filled(0.0, node.shape)
    return found


def _applied(adjoint: Node, derivative: Node) -> Node:
    """Multiply the adjoint of a statistic with its derivative, of shape statistic + path."""
    if not adjoint.rank:
        return adjoint * derivative
    size = adjoint.type.size
    rows = reshape(derivative, shape=(size, derivative.type.size // size))
    flat = matmul(reshape(adjoint, shape=(size,)), rows)
    return reshape(flat, shape=derivative.shape[adjoint.rank :])


def keep_whole(
    of: Contributions, results: Mapping[ResultKey, Node], end: Ends
) -> dict[ResultKey, Node]:
    """Let results read fields for what is whole, but for constants; they read nothing else then."""
    ends = {end(number): FINISHED for number in range(len(of.fields))}
    found = layouts(results.values(), of.axis, ends)
    start: dict[Node, Node] = {}
    pending, seen = [*results.values()][::-1], set(ends)
    while pending:
        node = pending.pop()
        if node in seen:
            continue
        seen.add(node)
        if not isinstance(found[node], Whole):
            pending += node.args[::-1]
        elif node.op in (INPUT, PARAMETER) or (node.args and not node.static):
            start[node] = end(of.keep(node))
    new = rebuild(results.values(), with_args, start)
    return {key: new[node] for key, node in results.items()}
