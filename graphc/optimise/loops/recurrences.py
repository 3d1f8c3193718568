"""Linear recurrences in a loop's body: the same state by fewer operations of each step.

What a step does to its state by factors and terms that wait for no step is one factor and one
term, which are computed for all steps at once: (d * a) * b + d * c is d * (a * b + c). And a state
that is a multiple of a value of the step before gives way to that value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import reduce

from graphc.ir.graph import Node, arguments_first, as_node, stamped, with_args
from graphc.ir.loop import BOUND, LOOP, RESULT, Loop, body, bound, captures_of, result
from graphc.ir.rebuild import map_adjoints, rebuild
from graphc.ir.types import Mismatch, same_shape
from graphc.ops.cost import is_small
from graphc.ops.elementwise.arithmetic import accumulate, minus, negative, plus, times
from graphc.ops.shape.shaping import broadcast_to, filled
from graphc.optimise.loops.partition import Stages, is_zero
from graphc.records import dataclass, replace

READING = 0.3
LINEAR = (plus, minus, accumulate, times, negative)


@dataclass(frozen=True, slots=True)
class Recast:
    """A loop with another body, where its carried values start, and what its nodes became."""

    loop: Loop
    starts: dict[Node, Node]
    new: Mapping[Node, Node]


def recast(loop: Loop, starts: Mapping[Node, Node], stages: Stages) -> Recast | None:
    """Rewrite a loop's recurrences with fewer operations; None where there are none to save.

    Factors that each broadcast with a value need not broadcast with each other: what they are
    factors of then stays as it is.
    """
    try:
        return _recast(loop, starts, stages)
    except Mismatch:
        return None


def _recast(loop: Loop, starts: Mapping[Node, Node], stages: Stages) -> Recast | None:
    forms = _forms(loop, stages)
    inside = body(loop)
    price = _Price({*loop.bound, *inside}, {*captures_of(loop)})
    roots, delays = _fewer_states(loop, starts, forms, price)
    if price.of(roots) >= forms.operations + price.of_reading(forms.read):
        return None
    written: dict[Node, Node] = {}
    for node, form in roots.items():
        with stamped(node.origin, node.place):
            written[node] = form.node
        if not same_shape(written[node].shape, node.shape):
            return None
    new = {n: n for n in (*loop.bound, *captures_of(loop), *(delay.node for delay in delays))}
    for node in inside:
        with stamped(node.origin, node.place):
            new[node] = _translate(written[node], new) if node in written else _on(node, new)
    follow = loop.follow | {delay.node: delay.following for delay in delays}
    moved = replace(
        loop,
        carried=tuple(follow),
        nexts=tuple(_translate(following, new) for following in follow.values()),
        collected=tuple(new.get(n, n) for n in loop.collected),
        adjoints=map_adjoints(loop.adjoints, {n: m for n, m in new.items() if n not in roots}),
    )
    return Recast(moved, {**starts, **{delay.node: delay.start for delay in delays}}, new)


def _on(node: Node, new: Mapping[Node, Node]) -> Node:
    """Make a node of the body on what stands for its arguments."""
    args = tuple(new.get(arg, arg) for arg in node.args)
    if node.op is LOOP:
        return rebuild([node], with_args, dict(zip(node.args, args, strict=True)))[node]
    return result(args[0], node.attrs["number"]) if node.op is RESULT else with_args(node, args)


def _translate(node: Node, new: dict[Node, Node]) -> Node:
    """Make an expression of nodes of the body from those that stand for them."""
    for one in arguments_first([node], new):
        new[one] = _on(one, new)
    return new[node]


# ---- forms -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LinearForm:
    """Σ base * factor + term: a factor None is 1, a term None is 0; neither waits for a step."""

    factors: Mapping[Node, Node | None]
    term: Node | None = None

    @property
    def parts(self) -> int:
        return len(self.factors) + (self.term is not None)

    @property
    def operations(self) -> int:
        """Count the operations that a step needs for the form."""
        plain = [
            f for f in self.factors.values() if f is None or (f.value == -1 and self.parts > 1)
        ]
        return len(self.factors) - len(plain) + self.parts - 1

    @property
    def node(self) -> Node:
        parts = [
            b if f is None else negative(b) if f.value == -1 else b * f
            for b, f in self.factors.items()
        ]
        return reduce(plus, parts if self.term is None else [*parts, self.term])

    def times(self, factor: Node) -> LinearForm:
        factors = {b: factor if f is None else f * factor for b, f in self.factors.items()}
        return LinearForm(factors, None if self.term is None else self.term * factor)

    def plus(self, other: LinearForm) -> LinearForm:
        factors = dict(self.factors)
        for base, factor in other.factors.items():
            one = as_node(1.0)
            factors[base] = (factors[base] or one) + (factor or one) if base in factors else factor
        terms = [term for term in (self.term, other.term) if term is not None]
        return LinearForm(factors, reduce(plus, terms) if terms else None)

    def with_base(self, base: Node, form: LinearForm) -> LinearForm:
        """Substitute another form for a base."""
        factors = dict(self.factors)
        factor = factors.pop(base)
        return LinearForm(factors, self.term).plus(form if factor is None else form.times(factor))


@dataclass(frozen=True, slots=True)
class Forms:
    """The linear nodes of a loop's recurrences, by its other nodes.

    `roots` are those that a step has to compute: what other nodes read, what is carried on, and
    what has several parts and is read several times, which is a base for others. `kept` is what
    has to stay as it is: bases, and what other nodes read. `operations` are those that there are,
    and `read` is what they read beside values of the step.
    """

    roots: Mapping[Node, LinearForm]
    kept: Collection[Node]
    operations: int
    read: Collection[Node]


def _forms(loop: Loop, stages: Stages) -> Forms:
    found: dict[Node, LinearForm] = {}
    bases: set[Node] = set()
    kept: set[Node] = set()
    follow = loop.follow

    def form(arg: Node, inside: Collection[Node]) -> LinearForm:
        if arg not in inside:
            return LinearForm({}, arg)
        return found[arg] if arg in found and arg not in bases else LinearForm({arg: None})

    for members in stages.loops.values():
        inside = set(members)
        read = {n: [follow[n]] if n.op is BOUND else list(dict.fromkeys(n.args)) for n in members}
        users = Counter(arg for args in read.values() for arg in args)
        for node in members:
            if _linear(node, inside, stages):
                found[node] = whole = _form(node, [form(arg, inside) for arg in node.args])
                if users[node] > 1 and whole.parts > 1:
                    bases.add(node)
            elif node.op is not BOUND:
                kept.update(node.args)
    needed = {*bases, *kept, *(n for c, n in follow.items() if c in stages.waiting)}
    roots = {node: whole for node, whole in found.items() if node in needed}
    stepped = {node for members in stages.loops.values() for node in members}
    return Forms(
        roots,
        bases | kept,
        sum(len(node.args) - 1 or 1 for node in found),
        {arg for node in found for arg in node.args} - stepped,
    )


def _linear(node: Node, inside: Collection[Node], stages: Stages) -> bool:
    """True for a linear elementwise operation of the step's values and what waits for no step."""
    stepped = sum(arg in inside for arg in node.args)
    return (
        node.op in LINEAR
        and node in stages.recurrent
        and node.type.dtype == "float"
        and is_small(node)
        and (stepped == 1 or node.op is not times)
        and all(arg in inside or arg not in stages.waiting for arg in node.args)
    )


def _form(node: Node, parts: Sequence[LinearForm]) -> LinearForm:
    with stamped(node.origin, node.place):
        if node.op is negative:
            return parts[0].times(as_node(-1.0))
        if node.op is times:
            free, stepped = sorted(parts, key=lambda part: len(part.factors))
            assert free.term is not None
            return stepped.times(free.term)
        if node.op is minus:
            return parts[0].plus(parts[1].times(as_node(-1.0)))
        return reduce(LinearForm.plus, parts)


# ---- states ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Delay:
    """A new carried value: `start`, then what another was a step before."""

    node: Node
    start: Node
    following: Node


@dataclass(frozen=True, slots=True)
class _Price:
    """What a step pays: 1 for an operation, and less to read its part of an array of all steps."""

    changes: Collection[Node]
    outer: Collection[Node]

    def of(self, roots: Mapping[Node, LinearForm]) -> float:
        read = {n for form in roots.values() for n in (*form.factors.values(), form.term) if n}
        return sum(form.operations for form in roots.values()) + self.of_reading(read)

    def of_reading(self, nodes: Iterable[Node]) -> float:
        return READING * sum(map(self.changing, nodes))

    def changing(self, node: Node) -> bool:
        """True if what is made of nodes of the body differs from step to step."""
        pending = [node]
        while pending:
            one = pending.pop()
            if one in self.changes or (one.op is BOUND and one not in self.outer):
                return True
            pending += () if one in self.outer else one.args
        return False


def _fewer_states(
    loop: Loop, starts: Mapping[Node, Node], forms: Forms, price: _Price
) -> tuple[dict[Node, LinearForm], list[Delay]]:
    """Replace carried values that are multiples of one value by that, where this pays."""
    roots, follow = dict(forms.roots), loop.follow
    delays: list[Delay] = []
    groups: dict[Node, list[Node]] = {}
    for carried, following in follow.items():
        bases = [*roots[following].factors] if following in roots else []
        alone = carried not in forms.kept and following not in forms.kept
        if alone and carried not in loop.nexts and len(bases) == 1 and bases[0].op is not BOUND:
            groups.setdefault(bases[0], []).append(carried)
    for base, states in groups.items():
        made: list[Delay] = []
        kept = {n for c, n in follow.items() if c not in states}
        gone = {follow[c] for c in states} - kept
        before = _delay(base, filled(0.0, base.shape), str(states[0].attrs["name"]), made)
        instead: dict[Node, LinearForm] = {}
        for state in states:
            name, one = str(state.attrs["name"]), roots[follow[state]]
            factor, term = one.factors[base], one.term
            if factor is not None and price.changing(factor):
                factor = _delay(factor, filled(0.0, factor.shape), f"{name}_factor", made)
            if term is not None or not is_zero(starts[state]):
                term = filled(0.0, state.shape) if term is None else term
                if not same_shape(term.shape, state.shape):
                    term = broadcast_to(term, shape=state.shape)
                term = _delay(term, starts[state], f"{name}_term", made)
            instead[state] = LinearForm({before: factor}, term)
        put: dict[Node, LinearForm] = {}
        for node, form in roots.items():
            with stamped(node.origin, node.place):
                for state in states:
                    if state in form.factors and node not in gone:
                        form = form.with_base(state, instead[state])
            if node not in gone:
                put[node] = form
        if price.of(put) <= price.of(roots) - 1:
            roots = put
            delays += made
    return roots, delays


def _delay(node: Node, start: Node, name: str, made: list[Delay]) -> Node:
    carried = bound(name, node.type)
    made.append(Delay(carried, start, node))
    return carried
