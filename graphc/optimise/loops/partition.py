"""A loop's body by strongly connected components: what each step must do, what all can at once.

This is loop distribution (Allen and Kennedy 1987, "Automatic translation of Fortran programs to
vector form"); the loops that remain are joined greedily (Kennedy and McKinley 1993, "Typed fusion
with applications to parallel and sequential code generation").
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from graphc.ir.components import strongly_connected
from graphc.ir.facts import linear_in
from graphc.ir.graph import DIM, Node, arguments_first
from graphc.ir.loop import BOUND, LOOP, RESULT, Loop, body, everywhere, loop_of, mentions
from graphc.ir.sizes import typical
from graphc.ops.cost import calls, is_small
from graphc.ops.elementwise.arithmetic import accumulate, minus, plus
from graphc.ops.linear.products import matmul, outer
from graphc.ops.reduce.reduction import sum_
from graphc.ops.shape.members import is_in_family
from graphc.ops.shape.shaping import full_array, in_rows
from graphc.records import dataclass, field


@dataclass(frozen=True, slots=True)
class Stages:
    """Where the nodes of a body go.

    `loops` are, by stage, what is computed step by step in one loop, and `after` what is computed
    for all steps at once after the loop of that stage, if there is one; arguments come first.
    What `floats` is written wherever it is read: numbers, and views of parameters that are lists.
    `sums` says which node adds to a carried value that only gathers. The loops collect what is
    `saved`; the carried values in `shifted` are what they become, a step later. What is
    `recurrent` depends on itself, a step before; of what is `waiting` the values of all steps are
    not there before the loops. `pays` says whether all that is worth it.
    """

    loops: Mapping[int, Sequence[Node]]
    after: Mapping[int, Sequence[Node]]
    floats: Sequence[Node]
    sums: Mapping[Node, Node]
    saved: Collection[Node]
    shifted: Collection[Node]
    recurrent: Collection[Node]
    waiting: Collection[Node]
    pays: bool

    @property
    def last(self) -> int:
        return max((*self.loops, *self.after), default=0)


def partition(loop: Loop, sources: Sequence[Node]) -> Stages:
    """Partition a body into strongly connected components, and find a stage for each."""
    inside = body(loop)
    follow = loop.follow
    users: dict[Node, list[Node]] = {}
    for node in inside:
        for arg in dict.fromkeys(node.args):
            users.setdefault(arg, []).append(node)
    sums = _sums(loop, inside)
    lists = {e.node for e, of in zip(loop.elements, sources, strict=True) if is_in_family(of)}
    changes = {*inside, *loop.bound}
    components = [*_components(inside, follow, sums)]
    stacked = {element.node for element in loop.elements}
    while True:
        found = _Placing(loop.index, follow, users, changes, {*sums.values()}, stacked, {*lists})
        order: list[Node] = []
        for component in components:
            found.place(component)
            order += component
        for carried, adding in sums.items():
            found.stage[carried] = found.stage[adding]
            if adding in found.looped:
                found.looped.add(carried)
                order.insert(0, carried)
        found.sink(order)
        saved, shifted = _choose_saved(loop, order, found)
        if saved <= stacked:
            break
        stacked |= saved
    loops: dict[int, list[Node]] = {}
    after: dict[int, list[Node]] = {}
    for node in order:
        if node in found.stage:
            group = loops if node in found.looped else after
            group.setdefault(found.stage[node], []).append(node)
    before = _cost(loop, inside, loop.collected, [e.node for e in loop.elements])
    pays = _cost_of_stages(loop, loops, after, saved, shifted) < before - 1
    lost = found.unstackable - found.looped
    floats = [node for node in order if node in found.floats]
    return Stages(
        loops,
        after,
        floats,
        sums,
        saved,
        shifted,
        found.recurrent,
        found.looped | found.unstackable,
        pays and lost.isdisjoint(loop.collected),
    )


# ---- components ------------------------------------------------------------------------------


def _components(
    inside: Sequence[Node], follow: Mapping[Node, Node], left_out: Collection[Node]
) -> Iterable[list[Node]]:
    """Yield the strongly connected components in topological order; ties as made."""
    carried = [c for c in follow if c not in left_out]
    edges: dict[Node, list[Node]] = {node: [] for node in (*carried, *inside)}
    for node in inside:
        for arg in node.args:
            if arg in edges:
                edges[arg].append(node)
    for c in carried:
        if follow[c] in edges:
            edges[follow[c]].append(c)
    return strongly_connected(edges)


def _sums(loop: Loop, inside: Sequence[Node]) -> dict[Node, Node]:
    """Map nodes that add to carried values which only accumulate, from those values."""
    reads = Counter(arg for node in inside for arg in node.args)
    reads.update(loop.results)
    return {
        carried: adding
        for carried, adding in loop.follow.items()
        if reads[carried] == 1 == reads[adding]
        and adding.op in (plus, minus, accumulate)
        and carried in (adding.args[:1] if adding.op is minus else adding.args)
    }


# ---- stages ----------------------------------------------------------------------------------


@dataclass(slots=True)
class _Placing:
    """The stages of the components that have been placed, each after those that it depends on.

    The values of all steps of what is `stacked` are there in any case; of what is `unstackable`
    there is no array with them.
    """

    index: str
    follow: Mapping[Node, Node]
    users: Mapping[Node, Sequence[Node]]
    changes: Collection[Node]
    adding: Collection[Node]
    stacked: Collection[Node]
    unstackable: set[Node]
    stage: dict[Node, int] = field(default_factory=dict)
    looped: set[Node] = field(default_factory=set)
    recurrent: set[Node] = field(default_factory=set)
    floats: set[Node] = field(default_factory=set)

    def place(self, component: Sequence[Node]) -> None:
        node = component[0]
        if len(component) > 1:
            self.recurrent.update(component)
            self._step_by_step(component)
        elif node.op is BOUND:
            self._beside(node, self.follow[node])
        elif self._floats(node):
            self.floats.add(node)
        elif node.op is RESULT or is_free(node, self.index):
            self._beside(node, node.args[0])
        elif self._at_once(node):
            self.stage[node] = max(self.stage.get(arg, 0) for arg in node.args)
        else:
            self._step_by_step(component)

    def _floats(self, node: Node) -> bool:
        """True for a number or a view of a list, which is written wherever it is read."""
        if node.static:
            if not self._is_affine(node):
                self.unstackable.add(node)
            return True
        if is_view(node) and node.args[0] in self.unstackable - self.looped:
            self.unstackable.add(node)
            return True
        return False

    def _is_affine(self, number: Node) -> bool:
        """True if the number's values from step to step are an array that is quickly made."""
        if number.op is DIM:
            return linear_in(number.attrs["value"], self.index) is not None
        return all(arg not in self.unstackable for arg in number.args)

    def _beside(self, node: Node, other: Node) -> None:
        """Place a node with the one that it is made from at no cost."""
        if other in self.looped:
            self.looped.add(node)
            self.stage[node] = self.stage[other]
            if other in self.unstackable:
                self.unstackable.add(node)
        elif other in self.unstackable:
            self._step_by_step([node])
        else:
            self.stage[node] = self.stage.get(other, 0)

    def _step_by_step(self, component: Sequence[Node]) -> None:
        read = {
            arg for n in component for arg in (*n.args, self.follow.get(n)) if arg in self.stage
        }
        stage = max((self.stage[arg] + (arg not in self.looped) for arg in read), default=1)
        for node in component:
            self.looped.add(node)
            self.stage[node] = max(stage, 1)
            if any(self.index in size.symbols for size in node.shape):
                self.unstackable.add(node)

    def _at_once(self, node: Node) -> bool:
        """True if the values of all steps can be computed at once, at no great cost."""
        moving = [arg for arg in node.args if arg in self.changes]
        if mentions(node, self.index) or any(arg in self.unstackable for arg in moving):
            return False
        if node in self.adding:
            stepped = [arg for arg in moving if arg in self.looped]
            return all(arg in self.recurrent and is_small(arg) for arg in stepped)
        if node.op is LOOP:
            return self._is_plain(node)
        if node.op.batch is None:
            return False
        if all(map(is_small, (node, *moving))):
            return True
        users = self.users.get(node, ())
        if not users or any(user not in self.adding for user in users):
            return False
        more = [arg for arg in moving if _seen(arg) not in self.stacked]
        if node.op is sum_:
            return not more
        return node.op in PRODUCTS and sum(typical(arg.type.size) for arg in more) <= typical(
            node.type.size
        )

    def _is_plain(self, node: Node) -> bool:
        """True if all steps can take the steps of this inner loop together."""
        inside = list(everywhere([node]))
        loops = [loop_of(n) for n in inside if n.op is LOOP]
        numbers = arguments_first(arg for n in inside for arg in n.args if arg.static)
        return (
            all(n.until is None and not n.limited for n in loops)
            and all(map(is_small, inside))
            and not any(mentions(number, self.index) for number in numbers)
        )

    def is_computed(self, node: Node) -> bool:
        """True if a step makes an array of its own for a node, which can be part of the stack."""
        plain = node.op not in (BOUND, RESULT) and not is_view(node)
        return plain and node in self.looped and node not in self.unstackable

    def sink(self, order: Sequence[Node]) -> None:
        """Move nodes into the loop that reads them, so that they are not stacked."""
        kept = {*self.recurrent, *self.follow, *self.follow.values()}
        for node in reversed(order):
            users = self.users.get(node, ())
            if (
                node in self.looped
                and node not in kept
                and users
                and all(user in self.looped for user in users)
                and not any(arg in self.looped for arg in node.args)
            ):
                self.stage[node] = min(self.stage[user] for user in users)


PRODUCTS = (matmul, outer)
"""The sum over all steps of such a product is one product."""


def _choose_saved(
    loop: Loop, order: Sequence[Node], found: _Placing
) -> tuple[set[Node], set[Node]]:
    """Return what the loops must collect, and the carried values that are then known."""
    wanted = {n for n in loop.collected if n in found.looped}
    for node in order:
        if node in found.looped:
            stage = found.stage[node]
            readers = [user for user in found.users.get(node, ()) if user not in found.floats]
            if any(user not in found.looped or found.stage[user] != stage for user in readers):
                wanted.add(node)
    whole = {_base_of(node, found) for node in wanted}
    shifted = {n for n in whole if n.op is BOUND and found.is_computed(found.follow[n])}
    return (whole - shifted) | {found.follow[n] for n in shifted}, shifted


def _base_of(node: Node, found: _Placing) -> Node:
    """Return what a step computes of which the node is a view that can be taken of all steps."""
    while is_free(node, found.index) and node.args[0] in found.looped:
        node = node.args[0]
    return node


# ---- what a node is ----------------------------------------------------------------------------


def is_view(node: Node) -> bool:
    return node.op.view_of is not None and node.op is not in_rows and len(node.args) == 1


def _seen(node: Node) -> Node:
    """Return what a node is a view of."""
    while is_view(node):
        node = node.args[0]
    return node


def is_zero(node: Node) -> bool:
    value = node.attrs["value"] if node.op is full_array else node.value
    return isinstance(value, int | float) and value == 0


def is_free(node: Node, index: str) -> bool:
    """True for a view that can be taken of all steps at once."""
    return is_view(node) and node.op.batch is not None and not mentions(node, index)


# ---- costs -------------------------------------------------------------------------------------


def _cost_of_stages(
    loop: Loop,
    loops: Mapping[int, Sequence[Node]],
    after: Mapping[int, Sequence[Node]],
    saved: Collection[Node],
    shifted: Collection[Node],
) -> float:
    changes = {*loop.bound, *(n for group in (*loops.values(), *after.values()) for n in group)}
    vectors = [node for group in after.values() for node in group]
    delayed = len(shifted) + sum(node.op is BOUND for node in vectors)
    total = 3.0 * delayed + sum(map(_calls, vectors))
    for members in loops.values():
        read = {arg for node in members for arg in node.args if arg in changes} - {*members}
        total += _cost(loop, members, [n for n in members if n in saved], read)
    return total


def _cost(
    loop: Loop, nodes: Iterable[Node], saved: Collection[Node], read: Collection[Node]
) -> float:
    """Estimate a loop in calls: a carried value is saved by one more, others where computed."""
    step = 0.5 + sum(map(_calls, nodes)) + 0.2 * len(read)
    step += sum(0.6 if node.op is BOUND else 0.15 for node in saved)
    return step * typical(loop.count)


def _calls(node: Node) -> float:
    """Estimate a node's time where its arrays are small, in calls of elementwise functions."""
    if node.op in (BOUND, RESULT) or node.static or is_view(node):
        return 0
    if node.op is LOOP:
        inner = loop_of(node)
        return _cost(inner, body(inner), inner.collected, [e.node for e in inner.elements])
    return calls(node)
