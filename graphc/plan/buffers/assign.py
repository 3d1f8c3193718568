"""A program -> the same program in planned memory: which array each statement computes into.

A value that the function neither returns nor keeps is computed in place of an operand that dies, or
into scratch that a dead value has left, or into new scratch. What is returned is always new.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from graphc.ir.dims import Dim
from graphc.ir.graph import Node
from graphc.ir.items import along, is_whole
from graphc.ir.loop import RESULT, loop_of
from graphc.ir.results import result_number
from graphc.ir.types import Dtype, Shape, known_facts, product, same_shape
from graphc.names import Identifiers
from graphc.ops.shape.shaping import concatenate
from graphc.ops.storage import Owners, owners
from graphc.plan.buffers.kernels import Filling, filling, reduces
from graphc.plan.lower import given, held_names, made, with_frees
from graphc.plan.program import (
    AnyStep,
    BlockStep,
    LoopStep,
    Program,
    Scratch,
    Step,
    Storage,
    Way,
    reached,
)
from graphc.records import dataclass, field, replace

NO_ROWS: Mapping[Node, Storage] = {}


def in_memory(
    program: Program, kept: Collection[Node] = (), taken: Collection[str] = ()
) -> Program:
    """Assign a place to each value; what is `kept` outlives the function."""
    names, indices = set(taken), set[str]()
    pending = [program]
    while pending:
        one = pending.pop()
        names.update(one.variables.values())
        loops = [loop_of(step.node) for step in one.steps if isinstance(step, LoopStep)]
        indices.update(loop.index for loop in loops)
        pending += [step.body for step in one.steps if not isinstance(step, Step)]
    pool = _Pool(Identifiers(names), frozenset(indices))
    ends = [*program.results.values(), *kept]
    roots: dict[Node, Owners] = {
        node: frozenset({node})  # also where it is a view in each block
        for step in program.steps
        if isinstance(step, BlockStep)
        for node in made(step)
    }
    held = _behind(ends, program.variables, roots)
    _join(program, held, pool, roots)
    placed = _placed(program, held, pool, roots)
    return replace(placed, steps=_freeing(placed, ends), scratch=tuple(pool.made))


def _freeing(program: Program, ends: Collection[Node]) -> tuple[AnyStep, ...]:
    """Return the steps, which drop only arrays of their own: scratch stays."""
    of_steps = {step.target: step for step in program.steps if isinstance(step, Step)}
    new = {name for name, step in of_steps.items() if not step.out and not step.node.op.view_of}
    held = held_names(ends, {}, program.variables)
    freed = with_frees(program.steps, program.variables, held)
    return tuple(replace(s, frees=tuple(n for n in s.frees if n in new)) for s in freed)


# ---- memory -------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Pool:
    """The scratch made so far, and what of it is free.

    What varies with the `indices` of loops is no scratch, which is made once for all steps.
    """

    scope: Identifiers
    indices: frozenset[str]
    made: list[Scratch] = field(default_factory=list)
    free: dict[tuple[Dtype, Dim], list[str]] = field(default_factory=dict)
    views: dict[tuple[str, Shape, tuple[int, ...]], str] = field(default_factory=dict)
    places: dict[Node, str] = field(default_factory=dict)  # by root, the scratch that it lies in
    orders: dict[Node, tuple[int, ...]] = field(default_factory=dict)  # of its axes there
    kinds: dict[str, tuple[Dtype, Dim]] = field(default_factory=dict)  # of scratch
    joined: Mapping[Node, Node] = field(default_factory=dict)  # stacks, by what they are part of
    wholes: dict[Node, str] = field(default_factory=dict)  # the places of what they are part of

    def fits(self, shape: Shape) -> bool:
        """True if the shape is the same in every step of a loop."""
        return self.indices.isdisjoint(name for axis in shape for name in axis.symbols)

    def place(self, dtype: Dtype, shape: Shape, order: tuple[int, ...]) -> tuple[str, str]:
        """Take a free array of this type as (its base, its name)."""
        size = known_facts().normal(product(shape))
        left = self.free.get((dtype, size))
        if left:
            base = left.pop()
            return base, self._view(base, dtype, shape, order)
        base = self.scope.fresh(f"s{len(self.made) + 1}")
        self.made.append(Scratch(base, dtype, shape, order))
        self.kinds[base] = dtype, size
        self.views[base, shape, order] = base
        return base, base

    def _view(self, base: str, dtype: Dtype, shape: Shape, order: tuple[int, ...]) -> str:
        key = (base, shape, order)
        if key not in self.views:
            self.views[key] = name = self.scope.fresh(f"{base}_view")
            self.made.append(Scratch(name, dtype, shape, order, base))
        return self.views[key]

    def release(self, root: Node) -> None:
        """Free what the root's value lay in."""
        base = self.places.pop(root, None)
        if base is not None:
            self.free.setdefault(self.kinds[base], []).append(base)


def _join(program: Program, held: Owners, pool: _Pool, roots: dict[Node, Owners]) -> None:
    """Let stacks lie in what they are joined to."""
    pool.joined = _joined(program, held)
    roots |= {whole: frozenset({end}) for end, whole in pool.joined.items()}


def _joined(program: Program, held: Owners) -> dict[Node, Node]:
    """Map the stacks of loops that are joined to an item before them to what they are part of."""
    ends = {
        end for step in program.steps if isinstance(step, LoopStep) for _, _, end in step.stacks
    }
    found: dict[Node, Node] = {}
    for step in program.steps:
        if isinstance(step, Step) and step.node.op is concatenate and len(step.node.args) == 2:
            first, end = step.node.args
            one = first.shape[0].constant == 1 and step.node.attrs["axis"] == 0
            if one and end in ends and not held & {end, step.node} and first is not end:
                found.setdefault(end, step.node)
    return found


# ---- statements ---------------------------------------------------------------------------------


def _placed(
    program: Program,
    held: Owners,
    pool: _Pool,
    roots: dict[Node, Owners],
    rows: Mapping[Node, Storage] = NO_ROWS,
    named: Collection[Node] = (),
) -> Program:
    """Place the steps of a function or of a loop's body, each with its way and its place.

    `rows` are the places of what a loop's body stacks or a block fills; what nothing else reads
    needs no name, but for what is `named`.
    """
    reads = [_behind(given(step), program.variables, roots) for step in program.steps]
    computed = {node for step in program.steps for node in made(step)}
    last: dict[Node, int] = {}
    for number, read in enumerate(reads):
        last.update(dict.fromkeys(sorted(read, key=lambda node: node.index), number))
    dying: dict[int, list[Node]] = {}
    for root, number in last.items():
        if root not in held and (
            root in computed or (root.op is RESULT and root.args[0] in computed)
        ):
            dying.setdefault(number, []).append(root)
    placed: list[AnyStep] = []
    for number, step in enumerate(program.steps):
        dead = sorted(dying.get(number, []), key=lambda root: root.index)
        if isinstance(step, LoopStep):
            placed.append(_loop(step, held, pool, rows))
        elif isinstance(step, BlockStep):
            placed.append(_block(step, program.orders, held, pool))
        else:
            order = program.orders.get(step.node, tuple(range(step.node.rank)))
            found = _step(step, order, held, frozenset(dead), pool, roots, rows)
            unread = step.node in rows and step.node not in last and step.node not in named
            placed.append(replace(found, target="") if unread else found)
        for root in dead:
            pool.release(root)
    return replace(program, steps=tuple(placed))


def _behind(
    nodes: Iterable[Node], variables: Mapping[Node, str], roots: dict[Node, Owners]
) -> Owners:
    """Return the roots that the expressions of nodes read, also in what is written inside them."""
    return Owners().union(*(owners(node, roots) for node in reached(nodes, variables)))


def _step(
    step: Step,
    order: tuple[int, ...],
    held: Owners,
    dead: Owners,
    pool: _Pool,
    roots: dict[Node, Owners],
    rows: Mapping[Node, Storage],
) -> Step:
    node = step.node
    strided = order != tuple(range(node.rank)) or (node in rows and rows[node].strided)
    whole: Way = "strided" if strided else "whole"
    found = filling(node)
    if found is None:
        alone = not node.rank and reduces(node.op.kernel)
        return replace(step, way="whole") if alone else step
    if node in pool.wholes:
        return replace(step, way="head", out=Storage(pool.wholes[node]))
    if node in rows:
        return replace(step, way=whole, out=rows[node])
    if node in held or not pool.fits(node.shape):
        return replace(step, way=whole)
    operand = _overwritten(node, order, found, dead, pool, roots)
    if operand is not None:
        base = pool.places.pop(operand)
        out = pool._view(base, node.type.dtype, node.shape, order)
    else:
        base, out = pool.place(node.type.dtype, node.shape, order)
    pool.places[node], pool.orders[node] = base, order
    onto = found.onto and operand is not None
    return replace(step, way="onto" if onto else whole, out=Storage(out))


def _overwritten(
    node: Node,
    order: tuple[int, ...],
    found: Filling,
    dead: Owners,
    pool: _Pool,
    roots: dict[Node, Owners],
) -> Node | None:
    """Find the operand that dies here and in whose place the node can be computed."""
    for arg in node.args:
        own = arg in pool.places and pool.orders.get(arg) == order and arg not in pool.joined
        fits = arg.type.dtype == node.type.dtype and same_shape(arg.shape, node.shape)
        if not (own and arg in dead and fits):
            continue
        if not {other for other, one in enumerate(node.args) if one is arg} <= found.in_place:
            continue
        others = [n for n in node.args if n is not arg]
        if not any(arg in owners(other, roots) for other in others):
            return arg
    return None


# ---- loops --------------------------------------------------------------------------------------


def _loop(
    step: LoopStep, held: Owners, pool: _Pool, filled: Mapping[Node, Storage] = NO_ROWS
) -> LoopStep:
    """Place a loop: its stacks are scratch, and what it stacks is computed where it is stacked.

    Those that are `filled` have a place already.

    What is carried on without being stacked is computed in two arrays by turns, since the value
    before is still read; where that cannot be proved to be safe it is new in each step.
    """
    loop = loop_of(step.node)
    position = Dim.symbol(loop.index) - loop.first
    places: dict[str, Storage] = {}
    rows: dict[Node, Storage] = {}
    over: list[tuple[str, str]] = []
    written: set[str] = set()
    nexts = list(step.body.results.values())[: len(loop.carried)]
    inner: dict[Node, Owners] = {}
    returned = {  # the memory of carried values that end in what outlives the function
        root
        for end in held
        if end.op is RESULT and end.args[0] is step.node and 0 <= end.attrs["number"] < len(nexts)
        for root in owners(step.body.results[result_number(end.attrs["number"])], inner)
    }
    computed = {one.node for one in step.body.steps if isinstance(one, Step)}
    for name, item, end in step.stacks:
        if end in filled:
            places[name] = filled[end]
        elif end not in held and pool.fits(end.shape):
            whole = pool.joined.get(end, end)
            base, place = pool.place(end.type.dtype, whole.shape, tuple(range(end.rank)))
            pool.places[end] = base
            after = along(whole.shape, 0, ("slice", (Dim.of(1), end.shape[0], 1)))
            places[name] = Storage(place) if whole is end else Storage(place, after, whole.shape)
            if whole is not end:
                pool.wholes[whole] = place
        if item in rows or item not in computed or item in returned or filling(item) is None:
            continue
        if loop.limited:
            rows[item] = Storage(name, along(end.shape, 0, ("at", position)), end.shape)
        else:
            row = pool.scope.fresh(f"{name.split('_by_')[0]}_row")
            rows[item] = Storage(row)
            over.append((row, name))
        written.add(name)
    turns = []
    for number, ((name, _), following) in enumerate(zip(step.carries, nexts, strict=True)):
        alone = following in computed and following not in rows and following not in returned
        fits = filling(following) is not None and pool.fits(following.shape)
        if alone and fits and _by_turns(step, number, inner):
            order = tuple(range(following.rank))
            own = pool.place(following.type.dtype, following.shape, order)[1]
            other = pool.place(following.type.dtype, following.shape, order)[1]
            spare = pool.scope.fresh(f"{name}_spare")
            rows[following] = Storage(spare)
            turns.append((name, spare, own, other))
    kept = [n for n in step.body.results.values() if n not in rows]
    if step.until is not None:
        kept.append(step.until)
    outlives = _behind(kept, step.body.variables, inner)
    read = _behind(nexts, step.body.variables, inner)
    again = {item for name, item, _ in step.stacks if name not in written}
    body = _placed(step.body, outlives, pool, inner, rows, outlives | read | {*nexts, *again})
    return replace(
        step,
        body=body,
        places=places,
        written=frozenset(written),
        rows=tuple(over),
        turns=tuple(turns),
    )


def _by_turns(step: LoopStep, number: int, roots: dict[Node, Owners]) -> bool:
    """True if only a carried value itself holds on to its memory from step to step."""
    loop = loop_of(step.node)
    results = list(step.body.results.values())
    others = [*results[:number], *results[number + 1 :]]
    held = _behind(others, step.body.variables, roots)
    return held.isdisjoint({results[number], loop.carried[number]})


# ---- blocks -------------------------------------------------------------------------------------


def _block(
    step: BlockStep, orders: Mapping[Node, tuple[int, ...]], held: Owners, pool: _Pool
) -> BlockStep:
    """Place a block: its own scratch, and arrays that all blocks fill."""
    places: dict[str, Storage] = {}
    rows: dict[Node, Storage] = {}
    computed = {one.node for one in step.body.steps if isinstance(one, Step)}
    loops = [one for one in step.body.steps if isinstance(one, LoopStep)]
    stacks = {end for one in loops for _, _, end in one.stacks}
    written: set[Storage] = set()
    for name, node, inner, items in step.outputs:
        if node not in held and name not in places:
            order = orders.get(node, tuple(range(node.rank)))
            base, place = pool.place(node.type.dtype, node.shape, order)
            pool.places[node], pool.orders[node] = base, order
            places[name] = Storage(place)
        alone = inner in stacks and len(items) > 1 and not is_whole(items[1], node.shape[1])
        if alone or (inner in computed and inner not in rows and filling(inner) is not None):
            rows[inner] = Storage(name, items, node.shape)
            written.add(rows[inner])
    own = _Pool(pool.scope, pool.indices)
    kept = [*step.body.results.values(), *(n for _, _, n, _ in step.outputs if n not in rows)]
    roots: dict[Node, Owners] = {}
    outlives = _behind(kept, step.body.variables, roots)
    _join(step.body, outlives | frozenset(rows), own, roots)
    again = {
        inner
        for name, node, inner, items in step.outputs
        if rows.get(inner) != Storage(name, items, node.shape)
    }
    body = replace(_placed(step.body, outlives, own, roots, rows, again), scratch=tuple(own.made))
    return replace(step, body=body, places=places, written=frozenset(written))
