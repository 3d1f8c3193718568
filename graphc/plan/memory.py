"""A program -> the same program in planned memory: which array each statement computes into.

A value that the function neither returns nor keeps is computed in place of an operand that dies, or
into scratch that a dead value has left, or into new scratch. What is returned is always new.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from graphc.dims import Dim
from graphc.graph import Node
from graphc.loop import RESULT, Loop, result
from graphc.names import Scope
from graphc.plan.kernels import Kernel, kernel, reduction
from graphc.plan.schedule import LoopStep, Program, Scratch, Step
from graphc.types import Dtype, Shape, known_facts, product, same_shape

Roots = frozenset[Node]
NOWHERE: Roots = frozenset()


def in_memory(
    program: Program, kept: Collection[Node] = (), taken: Collection[str] = ()
) -> Program:
    """The program with a place for each value; what is `kept` outlives the function."""
    names = set(taken)
    pending = [program]
    while pending:
        one = pending.pop()
        names.update(one.variables.values())
        pending += [step.body for step in one.steps if isinstance(step, LoopStep)]
    pool = _Pool(Scope(names))
    ends = [*program.results.values(), *kept]
    roots: dict[Node, Roots] = {}
    held = _behind(ends, program.variables, roots)
    return replace(_placed(program, held, pool, roots), scratch=tuple(pool.made))


# ---- memory -------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Pool:
    """The scratch made so far, and what of it is free."""

    scope: Scope
    made: list[Scratch] = field(default_factory=list)
    free: dict[tuple[Dtype, Dim], list[str]] = field(default_factory=dict)
    views: dict[tuple[str, Shape, tuple[int, ...]], str] = field(default_factory=dict)
    places: dict[Node, str] = field(default_factory=dict)  # by root, the scratch that it lies in

    def place(self, dtype: Dtype, shape: Shape, order: tuple[int, ...]) -> tuple[str, str]:
        """A free array of this type as (its base, its name)."""
        size = known_facts().normal(product(shape))
        left = self.free.get((dtype, size))
        if left:
            base = left.pop()
            return base, self._view(base, dtype, shape, order)
        base = self.scope.fresh(f"s{len(self.made) + 1}")
        self.made.append(Scratch(base, dtype, shape, order))
        self.views[base, shape, order] = base
        return base, base

    def _view(self, base: str, dtype: Dtype, shape: Shape, order: tuple[int, ...]) -> str:
        key = (base, shape, order)
        if key not in self.views:
            self.views[key] = name = self.scope.fresh(f"{base}_{len(self.views)}")
            self.made.append(Scratch(name, dtype, shape, order, base))
        return self.views[key]

    def give_back(self, base: str, dtype: Dtype, size: Dim) -> None:
        self.free.setdefault((dtype, size), []).append(base)

    def release(self, root: Node) -> None:
        """What the root's value lay in is free."""
        base = self.places.pop(root, None)
        if base is not None:
            self.give_back(base, root.type.dtype, known_facts().normal(root.type.size))


def _roots(node: Node, known: dict[Node, Roots]) -> Roots:
    """The nodes whose memory the value of a node may lie in; of numbers none.

    What a loop ends with may be what it started from, or the last item of a stack.
    """
    pending = [node]
    while pending:
        one = pending[-1]
        if one in known:
            pending.pop()
            continue
        below = _memory(one)
        missing = [n for n in below if n not in known]
        if missing:
            pending += missing
            continue
        own = NOWHERE if one.op.view_of is not None or not one.rank else frozenset({one})
        known[one] = own.union(*(known[n] for n in below))
        pending.pop()
    return known[node]


def _memory(node: Node) -> list[Node]:
    """The nodes whose memory a node may share."""
    if node.op.view_of is not None:
        return [node.args[node.op.view_of]]
    if node.op is RESULT:
        loop: Loop = node.args[0].attrs["loop"]
        number, count = node.attrs["number"], len(loop.carried)
        if 0 <= number < count:
            stacks = [
                result(node.args[0], count + place)
                for place, item in enumerate(loop.collected)
                if item.type.dtype == node.type.dtype and same_shape(item.shape, node.shape)
            ]
            return [node.args[0].args[number], *stacks]
    return []


# ---- statements ---------------------------------------------------------------------------------


def _placed(
    program: Program,
    held: Roots,
    pool: _Pool,
    roots: dict[Node, Roots],
    rows: Mapping[Node, str] | None = None,
) -> Program:
    """The steps of a function or of a loop's body, each with its kernel and its place.

    `rows` are the places of what a loop's body stacks.
    """
    reads = [_behind(step.node.args, program.variables, roots) for step in program.steps]
    made = {step.node for step in program.steps}
    last: dict[Node, int] = {}
    for number, read in enumerate(reads):
        last.update(dict.fromkeys(read, number))
    dying: dict[int, list[Node]] = {}
    for root, number in last.items():
        if root not in held and (root in made or (root.op is RESULT and root.args[0] in made)):
            dying.setdefault(number, []).append(root)
    placed: list[Step | LoopStep] = []
    for number, step in enumerate(program.steps):
        dead = dying.get(number, [])
        if isinstance(step, LoopStep):
            placed.append(_loop(step, held, pool))
        else:
            placed.append(_step(step, held, frozenset(dead), pool, roots, rows or {}))
        for root in dead:
            pool.release(root)
    new = {step.target for step in placed if isinstance(step, Step) and not step.out}
    return replace(program, steps=tuple(_freeing(step, new) for step in placed))


def _freeing(step: Step | LoopStep, new: Collection[str]) -> Step | LoopStep:
    """A step that drops only arrays of their own: scratch stays."""
    return replace(step, frees=tuple(name for name in step.frees if name in new))


def _behind(
    nodes: Iterable[Node], variables: Mapping[Node, str], roots: dict[Node, Roots]
) -> Roots:
    """The roots that the expressions of nodes read, also in what is written inside them."""
    found: set[Node] = set()
    pending = list(nodes)
    while pending:
        node = pending.pop()
        found |= _roots(node, roots)
        if node not in variables:
            pending += node.args
    return frozenset(found)


def _step(
    step: Step,
    held: Roots,
    dead: Roots,
    pool: _Pool,
    roots: dict[Node, Roots],
    rows: Mapping[Node, str],
) -> Step:
    node = step.node
    found = kernel(node)
    if found is None:
        whole = None if node.rank else reduction(node, "None")
        return step if whole is None else replace(step, kernel=whole.template)
    if node in rows:
        return replace(step, kernel=found.template, out=rows[node])
    if node in held:
        return replace(step, kernel=found.template)
    order = tuple(range(node.rank))
    operand = _overwritten(node, found, dead, pool, roots)
    if operand is not None:
        base = pool.places.pop(operand)
        out = pool._view(base, node.type.dtype, node.shape, order)
    else:
        base, out = pool.place(node.type.dtype, node.shape, order)
    pool.places[node] = base
    return replace(step, kernel=found.template, out=out)


def _overwritten(
    node: Node, found: Kernel, dead: Roots, pool: _Pool, roots: dict[Node, Roots]
) -> Node | None:
    """The operand that dies here and in whose place the node can be computed."""
    for slot, arg in enumerate(node.args):
        fits = arg.type.dtype == node.type.dtype and same_shape(arg.shape, node.shape)
        if not (fits and slot in found.in_place and arg in pool.places and arg in dead):
            continue
        others = [n for n in node.args if n is not arg]
        if not any(arg in _roots(other, roots) for other in others):
            return arg
    return None


# ---- loops --------------------------------------------------------------------------------------


def _loop(step: LoopStep, held: Roots, pool: _Pool) -> LoopStep:
    """A loop: its stacks are scratch, and what it stacks is computed where it is stacked.

    What is carried on without being stacked is new in each step: the value before is still read.
    """
    loop: Loop = step.node.attrs["loop"]
    position = Dim.symbol(loop.index) - loop.first
    places: dict[str, str] = {}
    rows: dict[Node, str] = {}
    nexts = list(step.body.results.values())[: len(loop.carried)]
    returned = {  # carried values that end in what outlives the function
        step.body.results[str(end.attrs["number"])]
        for end in held
        if end.op is RESULT and end.args[0] is step.node and 0 <= end.attrs["number"] < len(nexts)
    }
    computed = {one.node for one in step.body.steps if isinstance(one, Step)}
    inner: dict[Node, Roots] = {}
    for name, item, end in step.stacks:
        if end not in held:
            base, place = pool.place(end.type.dtype, end.shape, tuple(range(end.rank)))
            pool.places[end] = base
            places[name] = place
        if item in computed and item not in returned and kernel(item) is not None:
            rows.setdefault(item, f"{name}[{position}]")
    kept = [n for n in step.body.results.values() if n not in rows]
    if step.until is not None:
        kept.append(step.until)
    outlives = _behind(kept, step.body.variables, inner)
    body = _placed(step.body, outlives, pool, inner, rows)
    written = {name for name, item, _ in step.stacks if rows.get(item, "").startswith(f"{name}[")}
    return replace(step, body=body, places=places, written=frozenset(written))
