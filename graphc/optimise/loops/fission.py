"""One loop and the stages of its body -> loops of fewer nodes, and operations on all steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from graphc.ad.batch import batch_node, with_type
from graphc.ir.dims import Dim
from graphc.ir.facts import linear_in
from graphc.ir.graph import DIM, Node, stamped, with_args
from graphc.ir.loop import BOUND, Element, Loop, bound, captures_of, make_loop, result
from graphc.ir.rebuild import map_adjoints, rebuild
from graphc.ir.types import known_facts, same_shape
from graphc.ops.define.batching import first
from graphc.ops.elementwise.arithmetic import minus, negative
from graphc.ops.elementwise.arithmetic import total as added
from graphc.ops.shape.members import is_in_family
from graphc.ops.shape.shaping import (
    arange,
    broadcast_to,
    concat,
    expand,
    part_at,
    part_of,
    transpose,
)
from graphc.optimise.loops.partition import Stages, is_free, is_zero
from graphc.optimise.loops.step_sums import StepStacks, sum_over_steps
from graphc.records import dataclass, field, replace

TURNED = (transpose, expand)
"""Views that a step takes of what it reads rather than read them of a view of all steps."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a loop has become.

    `results` stand for its results, by number. By node of its body, `stacks` are the values of
    all steps, of which `computed` are not collected by a loop; `inside` is what became of the
    body in the loops that remain.
    """

    results: Sequence[Node]
    stacks: Mapping[Node, Node]
    computed: Sequence[Node]
    inside: Mapping[Node, Node]


def split_loop(
    loop: Loop, starts: Sequence[Node], sources: Sequence[Node], stages: Stages, place: int
) -> Parts:
    """Split a loop by the stages of its body; the parts take its place in the order."""
    parts = _Parting(loop, dict(zip(loop.carried, starts, strict=True)), sources, stages, place)
    for stage in range(stages.last + 1):
        if stage in stages.loops:
            parts.add_loop(stages.loops[stage])
        parts.add_operations(stages.after.get(stage, ()))
    results = [
        *(parts.ends[c] for c in loop.carried),
        *(parts.stack(n) for n in loop.collected),
    ]
    return Parts(results, parts.stacks, parts.computed, parts.inside)


@dataclass(slots=True)
class _Parting:
    """The parts that there are so far; `ends` is what carried values end as."""

    loop: Loop
    starts: Mapping[Node, Node]
    sources: Sequence[Node]
    stages: Stages
    place: int
    stacks: dict[Node, Node] = field(default_factory=dict)
    computed: list[Node] = field(default_factory=list)
    ends: dict[Node, Node] = field(default_factory=dict)
    inside: dict[Node, Node] = field(default_factory=dict)
    follow: Mapping[Node, Node] = field(init=False)
    outer: Sequence[Node] = field(init=False)
    steps: StepStacks = field(init=False)

    def __post_init__(self) -> None:
        loop, stages = self.loop, self.stages
        self.follow = loop.follow
        self.outer = captures_of(loop)
        groups = (*stages.loops.values(), *stages.after.values(), stages.floats)
        nodes = [node for group in groups for node in group]
        reads = Counter(arg for node in nodes for arg in node.args)
        reads.update(loop.results)
        self.steps = StepStacks(self.stacks, reads, {*loop.bound, *nodes}, loop.count)
        for element, source in zip(loop.elements, self.sources, strict=True):
            if not is_in_family(source):
                self.stacks[element.node] = first(source, element.axis)
        for number in stages.floats:
            if number.static:
                self._add_number(number)

    def stack(self, node: Node) -> Node:
        """Return the values of a node in all steps."""
        if node in self.steps.changes:
            return self.stacks[node]
        return broadcast_to(node, shape=(self.loop.count, *node.shape))

    # -- loops -------------------------------------------------------------------------------

    def add_loop(self, members: Sequence[Node]) -> None:
        """Add the loop that takes the steps of these nodes."""
        loop, stages = self.loop, self.stages
        carried = [n for n in members if n.op is BOUND]
        saved = [n for n in members if n in stages.saved]
        nexts = [self.follow[c] for c in carried]
        elements, sources = self._read(members, [*nexts, *saved])
        start = {n: n for n in (*self.outer, *carried)}
        start |= {n: element.node for n, element in elements.items()}
        new = rebuild([*nexts, *saved], with_args, start)
        made = make_loop(
            replace(
                loop,
                carried=tuple(carried),
                elements=tuple(elements.values()),
                nexts=tuple(new[n] for n in nexts),
                collected=tuple(new[n] for n in saved),
                adjoints=map_adjoints(loop.adjoints, new),
            ),
            [self.starts[c] for c in carried],
            sources,
        )
        self.inside.update({n: new[n] for n in new if n not in elements})
        self.ends.update({node: result(made, i) for i, node in enumerate(carried)})
        for number, node in enumerate(saved, len(carried)):
            self.stacks[node] = result(made, number)
        for node in members:
            if node in stages.shifted:
                self.stacks[node], _ = self._delay(node)
            elif node in self.stacks or not is_free(node, loop.index):
                continue
            elif node.args[0] in self.stacks:
                self.stacks[node] = batch_node(node, self.stacks, {}, loop.count)

    def _read(
        self, members: Sequence[Node], roots: Sequence[Node]
    ) -> tuple[dict[Node, Element], list[Node]]:
        """Return the elements that steps read, and their sources."""
        loop = self.loop
        given = {e.node: (e, source) for e, source in zip(loop.elements, self.sources, strict=True)}
        own = {*members, *self.stages.floats}
        seen: set[Node] = set()
        pending = list(roots)
        while pending:
            node = pending.pop()
            if node not in seen and node in self.steps.changes:
                seen.add(node)
                if node.op in TURNED:
                    own.add(node)
                pending += node.args if node in own else ()
        elements: dict[Node, Element] = {}
        sources: list[Node] = []
        for node in sorted(seen - own, key=lambda node: node.index):
            inner = bound(str(node.attrs.get("name", "saved")), node.type)
            if node in given:
                element, source = given[node]
                elements[node] = Element(inner, element.axis, element.of)
                sources.append(source)
            else:
                elements[node] = Element(inner, 0, node)
                sources.append(self.stacks[node])
        return elements, sources

    # -- all steps at once -----------------------------------------------------------------

    def add_operations(self, nodes: Sequence[Node]) -> None:
        """Compute what can be computed from the values of all steps so far."""
        sums = {adding: carried for carried, adding in self.stages.sums.items()}
        for node in nodes:
            with stamped(node.origin, self.place):
                if node in sums:
                    self.ends[sums[node]] = self._sum(node, sums[node])
                elif node.op is BOUND and node not in sums.values():
                    self.stacks[node], self.ends[node] = self._delay(node)
                elif node.op is not BOUND:
                    self.stacks[node] = batch_node(node, self.stacks, {}, self.loop.count)
                    self.computed.append(node)

    def _sum(self, adding: Node, carried: Node) -> Node:
        """Return the end of a carried value to which each step only adds."""
        start = self.starts[carried]
        terms = [
            with_type(sum_over_steps(arg, self.steps), arg.type)
            for arg in adding.args
            if arg is not carried
        ]
        stretched = not all(same_shape(term.shape, adding.shape) for term in terms)
        if stretched or not is_zero(start):
            return with_args(
                adding, tuple(start if arg is carried else terms.pop(0) for arg in adding.args)
            )
        whole = added(terms)
        return negative(whole) if adding.op is minus else whole

    def _delay(self, carried: Node) -> tuple[Node, Node]:
        """Return stack and end of a carried value that is what another was a step before.

        After the last step it is what is one step further, also where there are no steps.
        """
        count, backwards = self.loop.count, self.loop.backwards
        start, stack = self.starts[carried], self.stack(self.follow[carried])
        edge = broadcast_to(start, shape=(Dim.of(1),)) if start.static else expand(start, axes=(0,))
        joined = concat(*((stack, edge) if backwards else (edge, stack)), axis=0)
        before = part_of(joined, 0, Dim.of(1 if backwards else 0), count)
        if known_facts().nonnegative(count - 1):
            end = part_at(stack, 0, Dim.of(0) if backwards else count - 1)
        else:
            end = part_at(joined, 0, Dim.of(0) if backwards else count)
        shape = (count, *carried.shape)
        return with_type(before, carried.type.with_shape(shape)), with_type(end, carried.type)

    def _add_number(self, number: Node) -> None:
        """Add a number that depends on the index, as an array of those of all steps."""
        loop = self.loop
        if number.op is DIM:
            linear = linear_in(number.attrs["value"], loop.index)
            if linear is not None:
                factor, offset = linear
                positions = arange(n=loop.count)
                self.stacks[number] = positions * factor + (offset + loop.first * factor)
        elif all(arg in self.stacks or arg not in self.steps.changes for arg in number.args):
            self.stacks[number] = batch_node(number, self.stacks, {}, loop.count)
