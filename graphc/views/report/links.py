"""Which named values a line, a statement or a node is of: by where nodes come from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from graphc.elaborate.names.model import Model
from graphc.ir.graph import Node, arguments_first
from graphc.ir.loop import LOOP, RESULT, STEPS, everywhere, loop_arguments, loop_of
from graphc.plan.lower import made
from graphc.plan.module import Compiled
from graphc.plan.program import AnyStep, BlockStep, LoopStep, Program, Step
from graphc.records import dataclass, field
from graphc.source import Origin, Source, Span
from graphc.targets.marks import number_of


@dataclass(frozen=True, slots=True)
class Of:
    """What something is of: values by name, and derivatives by the name of what they are by."""

    values: tuple[str, ...] = ()
    derivatives: tuple[str, ...] = ()

    @property
    def attributes(self) -> dict[str, str | None]:
        """Return the attributes that say so."""
        return {
            "data_node": " ".join(self.values) or None,
            "data_derivative": " ".join(self.derivatives) or None,
        }


def union(parts: Iterable[Of]) -> Of:
    """Return what several things are of together."""
    found = tuple(parts)
    values = dict.fromkeys(name for one in found for name in one.values)
    derivatives = dict.fromkeys(name for one in found for name in one.derivatives)
    return Of(tuple(values), tuple(derivatives))


@dataclass(frozen=True)
class Links:
    """The named values of a model in the order of the file, with their lines and neighbours.

    `parents` are the named values that one is computed of, through those without a name.
    """

    names: tuple[str, ...]
    nodes: Mapping[str, Node]
    lines: Mapping[str, tuple[int, ...]]
    parents: Mapping[str, tuple[str, ...]]
    _by_origin: Mapping[Origin, tuple[str, ...]] = field(default_factory=dict)
    _by_place: Mapping[tuple[int, int], tuple[str, ...]] = field(default_factory=dict)

    def of_origin(self, origin: Origin | None) -> tuple[str, ...]:
        """Return the names that places of the text make, else those of the uses around them."""
        if origin is not None and origin.alike:
            apart = (Origin(origin.span, origin.used), *origin.alike)
            return tuple(dict.fromkeys(name for one in apart for name in self.of_origin(one)))
        while origin is not None:
            if origin in self._by_origin:
                return self._by_origin[origin]
            if origin.used is None:
                return self._by_place.get((origin.span.start, origin.span.end), ())
            origin = origin.used
        return ()

    def of_step(self, step: AnyStep, program: Program, value: bool) -> Of:
        """Return what a statement computes: values where it is one, and derivatives.

        A value can be a derivative, too, by another. Blocks are of nothing themselves: the
        statements in them are.
        """
        if isinstance(step, BlockStep):
            return Of()
        adjoints = step.adjoints if isinstance(step, Step) else ()
        labels = (program.labels.get(one.of, "") for one in adjoints)
        known = tuple(dict.fromkeys(name for name in labels if name in self.nodes))
        names = self.of_origin(step.node.origin)
        return Of(names, known) if value else Of((), known or names)


def statements_of(compiled: Compiled, links: Links) -> dict[int, Of]:
    """Map the statements of a module, by number, to what they are of.

    All of `forward` are of values, all of `backward` of derivatives; of what is derived, those of
    values that the returned values need.
    """
    found: dict[int, Of] = {}

    def note(program: Program, values: Collection[Node] | bool) -> None:
        for step in (*program.constants, *program.steps):
            value = values if isinstance(values, bool) else all(n in values for n in made(step))
            of = links.of_step(step, program, value)
            number = number_of(step)
            known = found.get(number, Of())
            if value or _adjoint(step) or not known.values:  # else a value is computed again
                found[number] = union([known, of])
            if isinstance(step, BlockStep):
                note(step.body, values if isinstance(values, bool) else _values_in(step, values))
            elif isinstance(step, LoopStep):
                note(step.body, value)

    note(compiled.forward.program, True)
    note(compiled.backward.program, False)
    for one in [each for function in compiled.derived for each in (function, *function.others)]:
        ends = (node for key, node in one.program.results.items() if key.kind == "value")
        note(one.program, {*arguments_first(ends)})
    return found


def _adjoint(step: AnyStep) -> bool:
    return isinstance(step, Step) and bool(step.adjoints)


def _values_in(step: BlockStep, values: Collection[Node]) -> set[Node]:
    """Return the nodes of blocks that values are computed of."""
    ends = [inner for _, whole, inner, _ in step.outputs if whole in values]
    ends += [inner for _, whole, inner in step.totals if whole in values]
    return {*arguments_first(ends)}


def links_of(model: Model) -> Links:
    """Find the links of a model; call it where its nodes are made."""
    order: dict[Node, str] = {}
    ends = [one.node for one in (*model.outputs, *model.inputs, *model.params)]
    for node in everywhere(ends):
        if node in model.names:
            order[node] = model.names[node]
    spans = {d.name: d.span for d in (*model.inputs, *model.params)}
    nodes = {name: node for node, name in reversed(order.items())}
    names = sorted(nodes, key=lambda name: nodes[name].index)
    lines = {name: tuple(_lines(nodes[name], spans.get(name), model.source)) for name in names}
    by_origin: dict[Origin, dict[str, None]] = {}
    by_place: dict[tuple[int, int], dict[str, None]] = {}
    for node, name in order.items():
        if node.origin is None:
            continue
        by_origin.setdefault(node.origin, {})[name] = None
        place = node.origin.outermost
        by_place.setdefault((place.start, place.end), {})[name] = None
    return Links(
        tuple(names),
        nodes,
        lines,
        _parents(order),
        {origin: tuple(found) for origin, found in by_origin.items()},
        {place: tuple(found) for place, found in by_place.items()},
    )


def _lines(node: Node, declared: Span | None, source: Source) -> Iterator[int]:
    """Yield the lines of a source that make a node: where it is used, and in a block of the file.

    Of a loop that is the line where it begins.
    """
    if declared is not None and declared.source is source:
        yield declared.line
        return
    origin = node.origin
    while origin is not None:
        span = origin.span
        if span.source is source:
            last = span.line if node.op in (LOOP, RESULT) else source.position(span.end)[0]
            yield from range(span.line, last + 1)
        origin = origin.used


def _parents(names: Mapping[Node, str]) -> dict[str, tuple[str, ...]]:
    """Map each name to those that it is computed of, through nodes without a name.

    What a step of a loop begins with comes from outside, what a loop ends with from a step.
    """
    below = _from_outside(names)
    found: dict[str, dict[str, None]] = {}
    for node, name in names.items():
        mine = found.setdefault(name, {})
        seen = {node}
        pending = [*reversed(below.get(node, node.args))]
        while pending:
            one = pending.pop()
            if one in seen:
                continue
            seen.add(one)
            if one in names:
                mine[names[one]] = None
            else:
                pending.extend(reversed(below.get(one, one.args)))
    return {name: tuple(one for one in mine if one != name) for name, mine in found.items()}


def _from_outside(names: Mapping[Node, str]) -> dict[Node, tuple[Node, ...]]:
    """Map what a loop carries and reads to what that is outside, and its results to its steps."""
    found: dict[Node, tuple[Node, ...]] = {}
    for node in everywhere(names):
        if node.op is LOOP:
            loop = loop_of(node)
            initials, sources, _ = loop_arguments(node)
            found |= {inner: (start,) for inner, start in zip(loop.carried, initials, strict=True)}
            found |= {e.node: (one,) for e, one in zip(loop.elements, sources, strict=True)}
        elif node.op is RESULT and node.attrs["number"] != STEPS:
            found[node] = (loop_of(node.args[0]).results[node.attrs["number"]],)
    return found
