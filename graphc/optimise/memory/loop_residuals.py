"""Residuals of loops: what they save for later loops over the same steps, and replacing it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from graphc.ir.graph import Graph, Node, intern, stamped, with_args
from graphc.ir.loop import LOOP, RESULT, Loop, body, limit, loop_arguments, loop_of, result
from graphc.ir.mapping import map_graph
from graphc.ir.rebuild import rebuild
from graphc.ir.verify import verified
from graphc.optimise.loops.fusion import prune_loops
from graphc.records import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Saved:
    """A loop, what it saves for later loops over the same steps, and these loops.

    `items` are nodes of its step whose stacks nobody reads but the readers, step by step.
    """

    node: Node
    items: tuple[Node, ...]
    readers: tuple[Node, ...]

    @property
    def loop(self) -> Loop:
        return loop_of(self.node)

    @property
    def others(self) -> tuple[Node, ...]:
        """Return what the loop collects besides."""
        return tuple(item for item in self.loop.collected if item not in self.items)

    def item(self, source: Node) -> Node | None:
        """Return the item of which a node is the stack."""
        if source.op is not RESULT or source.args[0] is not self.node:
            return None
        number = source.attrs["number"]
        found = self.loop.results[number]
        return found if number >= len(self.loop.carried) and found in self.items else None


@dataclass(frozen=True, slots=True)
class Replacement:
    """What takes the place of a loop: its results by number, and which nodes are copied by which.

    What nobody reads has no result.
    """

    results: Mapping[int, Node]
    copies: Mapping[Node, Node] = field(default_factory=dict)
    names: Mapping[Node, str] = field(default_factory=dict)


Reading = Callable[[Node, Mapping[Node, Node]], Replacement]
"""What takes the place of a reader, by what became of the nodes before it."""


def find_saving_loops(graph: Graph) -> list[Saved]:
    """Find the loops that save for others, at the top and in the bodies of loops."""
    found: list[Saved] = []
    seen: set[Node] = set()
    pending = [(tuple(graph.nodes), set(graph.results.values()))]
    while pending:
        nodes, ends = pending.pop()
        place = {node: number for number, node in enumerate(nodes)}
        users: dict[Node, list[Node]] = {}
        for node in nodes:
            for arg in dict.fromkeys(node.args):
                users.setdefault(arg, []).append(node)
        for node in nodes:
            if node.op is LOOP and node not in seen:
                seen.add(node)
                loop = loop_of(node)
                pending.append((body(loop), set(loop.roots)))
                found.extend(_find_saved(node, users, ends, place))
    return found


def _find_saved(
    node: Node,
    users: Mapping[Node, Sequence[Node]],
    ends: Collection[Node],
    place: Mapping[Node, int],
) -> Iterator[Saved]:
    loop = loop_of(node)
    if loop.until is not None or loop.count.constant is None:
        return
    items: list[Node] = []
    readers: dict[Node, None] = {}
    for one in users.get(node, ()):
        number, readings = one.attrs["number"], users.get(one, ())
        alone = number >= len(loop.carried) and one not in ends and bool(readings)
        if alone and all(_reads(reader, one, node) for reader in readings):
            items.append(loop.results[number])
            readers.update(dict.fromkeys(readings))
    if items:
        yield Saved(node, tuple(items), tuple(sorted(readers, key=lambda one: place[one])))


def _reads(reader: Node, stack: Node, writer: Node) -> bool:
    """True if a loop over the steps of another reads a stack of it, a position in each step."""
    if reader.op is not LOOP:
        return False
    loop, other = loop_of(reader), loop_of(writer)
    _, sources, _ = loop_arguments(reader)
    axes = [e.axis for e, source in zip(loop.elements, sources, strict=True) if source is stack]
    same = (loop.index, loop.first, loop.count) == (other.index, other.first, other.count)
    same = same and loop.until is None and limit(reader) is limit(writer)
    return same and not any(axes) and len(axes) == reader.args.count(stack)


@verified
def replace_loop(graph: Graph, saved: Saved, made: Replacement, reading: Reading) -> Graph:
    """Replace the loop that saves, and the loops that read.

    What nobody reads any more is dropped.
    """
    new = _results(saved.node, made)
    parts = [made]
    for reader in saved.readers:
        rest = [arg for arg in reader.args if saved.item(arg) is None]
        new.update(rebuild(rest, with_args, new))
        with stamped(reader.origin, reader.place):
            parts.append(reading(reader, new))
            new |= _results(reader, parts[-1])
    whole = map_graph(graph, rebuild(graph.results.values(), with_args, new))
    names = dict(graph.names)
    for part in parts:
        names |= {copy: names[old] for old, copy in part.copies.items() if old in names}
        names |= part.names
    return prune_loops(replace(whole, names={**names, **whole.names}))


def _results(node: Node, made: Replacement) -> dict[Node, Node]:
    return {result(node, number): value for number, value in made.results.items()}


def copy_for(roots: Iterable[Node], reader: Node, start: Mapping[Node, Node]) -> dict[Node, Node]:
    """Copy what the roots reach for a reader; what is in `start` is there already."""

    def once_more(node: Node, args: tuple[Node, ...]) -> Node:
        if not args or node.static:
            return with_args(node, args)
        return intern(node.op, args, node.attrs, node.type, f"{node.salt}@{reader.place}")

    return rebuild(roots, once_more, start)


def name_of(node: Node) -> str:
    """Name a value of a step where a loop has it given."""
    return str(node.attrs.get("name", "saved"))
