"""Loops in segments: only what is carried into one is saved; its steps are computed again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphc.ir.dims import Dim
from graphc.ir.graph import Graph, Node, as_node, stamped, with_args
from graphc.ir.loop import Element, Loop, bound, limit, loop_arguments, loop_of, make_loop, result
from graphc.ir.rebuild import map_adjoints, rebuild
from graphc.ir.verify import verified
from graphc.ops.elementwise.arithmetic import minimum
from graphc.ops.loops import element_in_step
from graphc.ops.shape.shaping import leading, reshape
from graphc.optimise.memory.loop_residuals import (
    Replacement,
    Saved,
    copy_for,
    name_of,
    replace_loop,
)
from graphc.records import dataclass, replace


@dataclass(frozen=True, slots=True)
class Segments:
    """The steps of a loop, cut into segments of one length, the last one perhaps shorter.

    `name` is the index of the segments.
    """

    loop: Loop
    length: int
    name: str
    limit: Node | None

    @property
    def steps(self) -> int:
        count = self.loop.count.constant
        assert count is not None
        return count

    @property
    def count(self) -> int:
        return -(-self.steps // self.length)

    @property
    def start(self) -> Dim:
        """Return the number of steps before a segment."""
        return Dim.symbol(self.name) * self.length

    @property
    def taken(self) -> Node | None:
        """Return the number of steps of a segment, where these are not the same for all."""
        if self.limit is not None:
            return minimum(as_node(self.length), self.limit - as_node(self.start))
        if self.count * self.length == self.steps:
            return None
        return minimum(as_node(self.length), as_node(self.steps - self.start))

    @property
    def names(self) -> dict[Node, str]:
        """Name the number of steps of a segment."""
        taken = self.taken
        return {} if taken is None else {taken: "steps"}

    def read(self, loop: Loop, sources: Sequence[Node]) -> dict[Node, Node]:
        """Map each element of a loop over these steps to its position of the source."""
        return {
            element.node: element_in_step(loop, element, source)
            for element, source in zip(loop.elements, sources, strict=True)
        }

    def within(
        self,
        loop: Loop,
        new: Mapping[Node, Node],
        collected: Sequence[Node],
        starts: Sequence[Node],
        elements: Mapping[Element, Node],
    ) -> Node:
        """Make the loop over the steps of one segment, whose nodes have become others."""
        part = replace(
            loop,
            first=loop.first + self.start,
            count=Dim.of(self.length),
            elements=tuple(elements),
            nexts=tuple(new[n] for n in loop.nexts),
            collected=tuple(new[n] for n in collected),
            adjoints=map_adjoints(loop.adjoints, new),
        )
        return make_loop(part, starts, list(elements.values()), self.taken)

    def over(
        self,
        step: Node,
        begun: Sequence[Node],
        initials: Sequence[Node],
        checkpoints: Sequence[Node] = (),
        elements: Mapping[Element, Node] | None = None,
    ) -> Node:
        """Make the loop over the segments: `begun` are what is carried into one."""
        loop = loop_of(step)
        ends = [
            begun[number] if end is loop.carried[number] else result(step, number)
            for number, end in enumerate(loop.nexts)
        ]
        stacks = [result(step, len(ends) + number) for number in range(len(loop.collected))]
        read = elements or {}
        whole = Loop(
            self.name,
            Dim.of(0),
            Dim.of(self.count),
            loop.backwards,
            tuple(begun),
            tuple(read),
            tuple(ends),
            (*checkpoints, *stacks),
        )
        return make_loop(whole, initials, list(read.values()))

    def flat(self, stack: Node) -> Node:
        """Reshape items by segment and step to items by step."""
        rows = reshape(stack, shape=(Dim.of(self.count * self.length), *stack.shape[2:]))
        if self.count * self.length == self.steps:
            return rows
        return leading(rows, count=Dim.of(self.steps))


@verified
def in_segments(graph: Graph, saved: Saved, length: int, name: str) -> Graph:
    """Save what is carried once in `length` steps; `name` is the index of the segments.

    A reader takes the segments in its own order: it computes the steps of one again, which save
    the items, and reads these.
    """
    node, loop = saved.node, saved.loop
    initials, sources, outer = loop_arguments(node)
    cut = Segments(loop, length, name, limit(node))
    count = len(loop.carried)
    read = cut.read(loop, sources)
    step = rebuild(loop.roots, with_args, {**{n: n for n in outer}, **read})
    begun = _like(loop.carried)
    with stamped(node.origin, node.place):
        segment = cut.within(loop, step, saved.others, begun, {})
        made = cut.over(segment, begun, initials, begun)
        stacks = {
            item: cut.flat(result(made, 2 * count + number))
            for number, item in enumerate(saved.others)
        }
        ends = {number: result(made, number) for number in range(count)}
        collected = enumerate(loop.collected, count)
        ends |= {number: stacks[item] for number, item in collected if item in stacks}

    def reading(reader: Node, new: Mapping[Node, Node]) -> Replacement:
        inner = loop_of(reader)
        starts, taken, captured = loop_arguments(reader)
        checkpoints, within = _like(loop.carried), _like(loop.carried)
        known = {n: n for n in outer} | dict(zip(loop.carried, within, strict=True))
        once_more = copy_for([*loop.roots, *loop.carried], reader, known | read)
        step_again = replace(loop, carried=tuple(within))
        again = cut.within(step_again, once_more, saved.items, checkpoints, {})
        pairs = list(zip(inner.elements, taken, strict=True))
        items = {e: item for e, source in pairs if (item := saved.item(source)) is not None}
        rest = [(e, new[source]) for e, source in pairs if e not in items]
        others = cut.read(replace(inner, elements=tuple(e for e, _ in rest)), [s for _, s in rest])
        moved = rebuild(inner.roots, with_args, {**{n: new[n] for n in captured}, **others})
        back = _like(inner.carried)
        taken_back = cut.within(
            inner,
            moved,
            inner.collected,
            back,
            {e: result(again, count + saved.items.index(item)) for e, item in items.items()},
        )
        whole = cut.over(
            taken_back,
            back,
            [new[n] for n in starts],
            elements={
                Element(one, 0, of): result(made, count + number)
                for number, (of, one) in enumerate(zip(loop.carried, checkpoints, strict=True))
            },
        )
        results = {
            number: value if number < len(back) else cut.flat(value)
            for number in range(len(inner.results))
            for value in [result(whole, number)]
        }
        names = cut.names | _names(others, graph.names, inner.index)
        names |= _stack_names(graph, reader, taken_back, whole)
        return Replacement(results, {**once_more, **moved}, names)

    names = cut.names | _names(read, graph.names, loop.index)
    return replace_loop(graph, saved, Replacement(ends, step, names), reading)


def _stack_names(graph: Graph, old: Node, segment: Node, whole: Node) -> dict[Node, str]:
    """Name d_W by step and by segment after d_W."""
    spoken = {a.value: f"d_{graph.names[a.of]}" for a in graph.adjoints if a.of in graph.names}
    loop = loop_of(old)
    found = {}
    for number in range(len(loop.carried), len(loop.results)):
        name = graph.names.get(result(old, number)) or spoken.get(result(old, number))
        if name is not None:
            for node in (segment, whole):
                found[result(node, number)] = f"{name}_by_{loop_of(node).index}"
    return found


def _like(carried: Sequence[Node]) -> list[Node]:
    return [bound(name_of(one), one.type) for one in carried]


def _names(read: Mapping[Node, Node], names: Mapping[Node, str], index: str) -> dict[Node, str]:
    """Name positions of sources: `x_t` for x at t."""
    found = {one: names.get(one.args[0]) or one.args[0].attrs.get("name") for one in read.values()}
    return {one: f"{name}_{index}" for one, name in found.items() if name}
