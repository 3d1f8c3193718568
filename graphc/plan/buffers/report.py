"""A program -> its statements with the memory that each makes, frees and leaves alive.

What the function is given is the caller's and does not count; what it returns and scratch do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping

from graphc.ir.dims import Dim
from graphc.ir.graph import COTANGENT, TANGENT, Node, arguments_first
from graphc.ir.loop import Loop, loop_of
from graphc.ir.sizes import typical
from graphc.ir.types import element_bytes, product, same
from graphc.ops.cost import CALL
from graphc.ops.elementwise.arithmetic import accumulate
from graphc.ops.storage import results_to_copy
from graphc.ops.workspace import NOTHING
from graphc.plan.buffers.temporaries import Evaluated, Objects, Where, evaluate, most
from graphc.plan.lower import made as made_by
from graphc.plan.program import AnyStep, BlockStep, LoopStep, Program, Scratch, Step, Storage
from graphc.records import dataclass, field

CACHE = 3 * 2**20
"""The bytes that a block computes in, at most about: what stays near a core."""
HELD = 3
"""So many times that the caches of all cores hold: `_blocks` makes no parts of what fits there."""
LOOPED = 8 * CALL
"""The positions that a block with loops in it has at least."""


@dataclass(frozen=True, slots=True)
class Row:
    """One statement of a `program`; `depth` says how many loops and blocks that stands in.

    `target` is a variable, or "" where the value goes straight into `out`. `bytes` is the new
    memory that the statement leaves, `during` the most that is alive while it runs, `live` what is
    alive afterwards, all in the last step of the loops around.
    """

    depth: int
    program: Program
    target: str
    step: AnyStep
    multiply_adds: Dim
    bytes: Dim
    out: Storage | None
    frees: tuple[str, ...]
    during: Dim
    live: Dim


@dataclass(frozen=True, slots=True)
class Live:
    """The statements of a function, its scratch, and the most bytes that are alive in it.

    `kept` is what stays from call to call: scratch, and constants of the dims.
    """

    rows: tuple[Row, ...]
    scratch: tuple[tuple[Scratch, Dim], ...]
    peak: Dim
    kept: Dim


def live(program: Program, width: int, kept: Collection[Node] = (), *, works: bool = True) -> Live:
    """Report the memory of a function with so many bytes a float; `kept` nodes are handed on.

    A peak that depends on dims is that at a typical size of each. Multiply-adds are counted where
    `works` are asked for.
    """
    walk = _Walk(width, works)
    for node, name in program.variables.items():
        if node.op in (COTANGENT, TANGENT) and node.rank:  # the function converts its copy
            walk.bind(name, walk.new(walk.size(node)))
    before = walk.live
    rows = list(walk.constants(program))
    scratch = tuple(walk.scratch(program))
    walk.live += sum((size for _, size in scratch), NOTHING)
    stays = walk.notice(walk.live) - before
    rows += walk.steps(program, 0)
    copied = results_to_copy(program.results, kept)
    copies = [walk.size(program.results[name]) for name in copied]
    copies += [  # a constant is made where it is returned
        walk.value(node, program.variables).new
        for name, node in program.results.items()
        if node not in program.variables and name not in copied
    ]
    copies += [walk.size(node) for node in kept if not node.args]
    walk.notice(walk.live + sum(copies, NOTHING))
    return Live(tuple(rows), scratch, walk.peak, stays)


@dataclass(slots=True)
class _Walk:
    """The memory of the variables while the statements run one after the other."""

    width: int
    works: bool
    sizes: list[Dim] = field(default_factory=list)
    holders: Counter[int] = field(default_factory=Counter)
    variables: dict[str, Objects] = field(default_factory=dict)
    last: dict[str, Dim] = field(default_factory=dict)  # the index of each loop in its last step
    live: Dim = NOTHING
    peak: Dim = NOTHING

    # -- memory -------------------------------------------------------------------------------

    def size(self, node: Node) -> Dim:
        return self._bytes(node.type.dtype, node.type.size) if node.rank else NOTHING

    def scratch(self, program: Program) -> Iterator[tuple[Scratch, Dim]]:
        """Yield what a program and the blocks in it compute in, which is kept from call to call."""
        pending: list[tuple[Program, str, tuple[Dim, ...]]] = [(program, "", (NOTHING,))]
        while pending:
            body, symbol, sizes = pending.pop()
            for one in body.scratch:
                count = NOTHING if one.base else product(one.shape)
                parts = (self._bytes(one.dtype, count.substitute({symbol: n})) for n in sizes)
                yield one, sum(parts, NOTHING)
            for step in reversed(body.steps):
                if isinstance(step, BlockStep):
                    pending.append((step.body, step.size, block_sizes(step, self.cache)))
                elif isinstance(step, LoopStep):
                    pending.append((step.body, symbol, sizes))

    @property
    def cache(self) -> int:
        """Return the bytes that a block computes in, where each float counts for 8."""
        return cache_of_floats(self.width)

    def _bytes(self, dtype: str, count: Dim) -> Dim:
        return (count * element_bytes(dtype, self.width)).substitute(self.last)

    def new(self, size: Dim) -> Objects:
        if not size.terms:
            return frozenset()
        self.sizes.append(size)
        return frozenset({len(self.sizes) - 1})

    def bind(self, name: str, objects: Objects) -> None:
        """Give a variable other memory; what nobody has any more is free."""
        for one in objects:
            self.live += NOTHING if self.holders[one] else self.sizes[one]
            self.holders[one] += 1
        self.drop(name)
        self.variables[name] = objects

    def drop(self, name: str) -> None:
        for one in self.variables.pop(name, ()):
            self.holders[one] -= 1
            self.live -= NOTHING if self.holders[one] else self.sizes[one]

    def notice(self, amount: Dim) -> Dim:
        self.peak = most((self.peak, amount))
        return amount

    def value(self, root: Node, variables: Mapping[Node, str], placed: bool = False) -> Evaluated:
        """Evaluate a node from variables, into memory of its own unless that is `placed`."""
        return evaluate(root, self._named(root, variables), self.size, placed)

    def _named(self, root: Node, variables: Mapping[Node, str]) -> Callable[[Node], Objects | None]:
        """Return a look-up of the objects that the variables of a node hold."""

        def named(node: Node) -> Objects | None:
            if node is root or node not in variables:
                return None
            return self.variables.get(variables[node], frozenset())

        return named

    # -- statements -----------------------------------------------------------------------------

    def constants(self, program: Program) -> Iterator[Row]:
        """Yield what depends on the dims alone, of which only what is shared is kept."""
        for step in program.constants:
            yield self._step(step, program, 0, dropping=False)
        for step in program.constants:
            if step.target not in program.shared:
                self.drop(step.target)

    def steps(self, program: Program, depth: int, in_loop: bool = False) -> Iterator[Row]:
        """Yield the rows of a program, in the order in which it runs."""
        for step in program.steps:
            if isinstance(step, LoopStep):
                yield from self._loop(step, program, depth)
            elif isinstance(step, BlockStep):
                yield from self._block(step, program, depth)
            else:
                yield self._step(step, program, depth, program.sparing or not in_loop)

    def _step(self, step: Step, program: Program, depth: int, dropping: bool) -> Row:
        variables = program.variables
        found = self.value(step.node, variables, step.out is not None)
        during = self.notice(self.live + found.peak)
        before = self.live
        if step.target:
            self.bind(step.target, found.objects | self.new(found.new))
        made = self.live - before if found.new.terms else NOTHING
        frees = step.frees if dropping else ()
        for one in frees:
            self.drop(one)
        adds = self._work(step.node, variables, self.last)
        return Row(
            depth, program, step.target, step, adds, made, step.out, frees, during, self.live
        )

    def _work(self, root: Node, variables: Mapping[Node, str], at: Mapping[str, Dim]) -> Dim:
        """Return the multiply-adds of a statement, in the step that is told."""
        if not self.works:
            return NOTHING
        written = arguments_first([root], Where(self._named(root, variables)))
        return sum((n.op.flops(n) for n in written), NOTHING).substitute(at)

    def _loop(self, step: LoopStep, program: Program, depth: int) -> Iterator[Row]:
        """Yield a loop: what it starts from and stacks, and its second step."""
        variables = program.variables
        loop = loop_of(step.node)
        start, work = self.live, NOTHING
        for name, initial in step.carries:
            found = self.value(initial, variables) if initial not in variables else None
            work += NOTHING if found is None else self._work(initial, variables, self.last)
            known = self.variables.get(variables.get(initial, ""), frozenset())
            objects = known if found is None else found.objects | self.new(found.new)
            if found is not None:
                self.notice(self.live + found.peak)
            self.bind(name, objects)
        for name, _, end in step.stacks:
            self.bind(name, self.new(NOTHING if name in step.places else self.size(end)))
        made, outer = self.live - start, self.peak
        self.peak = self.notice(self.live)
        self.last[loop.index] = (loop.first + loop.count - 1).substitute(self.last)
        rows: list[Row] = []
        for _ in range(1 if loop.count.constant == 1 else 2):
            rows = list(self.steps(step.body, depth + 1, in_loop=True))
            self._hand_on(step, loop)
            for name in left(step) if step.body.sparing else ():
                self.drop(name)
        del self.last[loop.index]
        during, self.peak = self.peak, most((outer, self.peak))
        for name, carried in step.ends:
            self.bind(name, self.variables.get(carried, frozenset()))
        carries = [name for name, _ in step.carries if name not in variables.values()]
        for name in (*step.frees, *(carries if program.sparing else ())):
            self.drop(name)
        targets = ", ".join(
            name for name, _ in (*step.carries, *((n, e) for n, _, e in step.stacks))
        )
        work += step.node.op.flops(step.node).substitute(self.last) if self.works else NOTHING
        yield Row(depth, program, targets, step, work, made, None, step.frees, during, self.live)
        yield from rows

    def _hand_on(self, step: LoopStep, loop: Loop) -> None:
        """Hand on the next carried values, which are there before those of this step go."""
        results = list(step.body.results.values())[: len(loop.carried)]
        following: dict[str, Objects] = {}
        new = NOTHING
        for (name, _), node in zip(step.carries, results, strict=True):
            variables = step.body.variables
            if node in variables:
                following[name] = self.variables.get(variables[node], frozenset())
                continue
            found = self.value(node, variables)
            grows = node.op is accumulate and variables.get(node.args[0]) == name
            self.notice(self.live + new + (found.peak - found.new if grows else found.peak))
            if grows:
                following[name] = self.variables.get(name, frozenset())
            else:
                following[name] = found.objects | self.new(found.new)
                new += found.new
        for name, objects in following.items():
            self.bind(name, objects)

    def _block(self, step: BlockStep, program: Program, depth: int) -> Iterator[Row]:
        """Blocks: the arrays that they fill, and what one of them computes in."""
        start = self.live
        for name, node in {name: node for name, node, _, _ in step.outputs}.items():
            self.bind(name, self.new(NOTHING if name in step.places else self.size(node)))
        totals = {name: self.new(self.size(node)) for name, node, _ in step.totals}
        size = block_sizes(step, self.cache)[0]
        if not same(size, step.length):  # those of the blocks before are there meanwhile
            for name, objects in totals.items():
                self.bind(name, objects)
        made, outer, kept = self.live - start, self.peak, dict(self.variables)
        self.last[step.size] = size
        self.peak = self.notice(self.live)
        rows = list(self.steps(step.body, depth + 1))
        whole = {**self.last, step.size: step.length}
        works = (
            self._work(one, step.body.variables, whole)
            for s in step.body.steps
            for one in made_by(s)
        )
        flops = sum(works, NOTHING)
        for name in [*self.variables]:
            if name not in kept:
                self.drop(name)
        del self.last[step.size]
        during, self.peak = self.peak, most((outer, self.peak))
        for name, objects in totals.items():
            self.bind(name, objects)
        for name in step.frees:
            self.drop(name)
        targets = ", ".join(
            [*{name: None for name, *_ in step.outputs}, *(name for name, *_ in step.totals)]
        )
        yield Row(depth, program, targets, step, flops, made, None, step.frees, during, self.live)
        yield from rows


def cache_of_floats(width: int) -> int:
    """Return the bytes that a block computes in, where floats of this width count for 8."""
    return CACHE * 8 // width


def block_width(step: BlockStep) -> tuple[Dim, ...]:
    """Return the bytes of scratch of a position, and where there are loops by how many at most
    blocks get shorter: else their steps would compute so little that their calls take the time.

    The smaller one counts; of known ones it is the only one. Floats count for 8 bytes; where memory
    is bounded they count for more, so that nothing larger than CACHE is computed at once.
    """
    own = (one for one in step.body.scratch if not one.base)
    sizes = (product(one.shape) * (1 if one.dtype == "bool" else 8) for one in own)
    times = HELD if step.body.bounded else 1
    width = sum(sizes, Dim.of(8)).substitute({step.size: 1}) * times
    inside = [
        one.node.type.size.substitute({step.size: 1})
        for loop in _loops(step.body)
        for one in loop.body.steps
        if isinstance(one, Step)
    ]
    if not inside:
        return (width,)
    most = max(inside, key=typical) * (CACHE // LOOPED) * times
    known = width.constant is not None and most.constant is not None
    return (min(width, most, key=typical),) if known else (width, most)


def _loops(program: Program) -> Iterator[LoopStep]:
    """Yield the loops of a program, also those inside loops."""
    for step in program.steps:
        if isinstance(step, LoopStep):
            yield step
            yield from _loops(step.body)


def block_sizes(step: BlockStep, cache: int) -> tuple[Dim, ...]:
    """Return the positions of a block, and of the last one if it has fewer."""
    width = min(map(typical, block_width(step)))
    length = step.length.constant
    if length is None:
        return (Dim.of(HELD * cache // width),)
    number = -(-length * width // cache)
    size = max(1, length if number <= HELD else -(-length // number))
    rest = length % size
    return (Dim.of(size), Dim.of(rest)) if rest and length > size else (Dim.of(size),)


def left(step: LoopStep) -> list[str]:
    """List the arrays of a step that nothing has dropped when its results are handed on."""
    program = step.body
    arrays = {name for node, name in program.variables.items() if node.rank}
    gone = {name for one in program.steps for name in one.frees} | {n for n, _ in step.carries}
    made: dict[str, None] = {}
    for one in program.steps:
        if isinstance(one, Step):
            made[one.target] = None
        elif isinstance(one, LoopStep):
            carries = [name for name, _ in one.carries]
            stacks = [name for name, _, _ in one.stacks]
            ends = [name for name, _ in one.ends]
            made.update(dict.fromkeys([*carries, *stacks, *ends]))
    return [name for name in made if name in arrays - gone]
