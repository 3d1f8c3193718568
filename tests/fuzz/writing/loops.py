"""Loops in programs: rolled and written out, with everything that may stand in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.fuzz.program import Axis, Dim, Statement, Type, Value, literal
from tests.fuzz.writing.operations import some
from tests.fuzz.writing.writer import Writer

DEEPEST = 3


def scan(w: Writer) -> None:
    """Over an axis, from either end; values are carried, and some are collected."""
    axis = _length(w)
    _loop(w, "scan", f"t{w.fresh('')}", axis, str(axis), collects=w.draw.choice((0, 1, 1, 2)))


def scan_without_carry(w: Writer) -> None:
    axis = _length(w)
    _loop(w, "scan", f"t{w.fresh('')}", axis, str(axis), collects=w.draw.choice((1, 2)), carries=0)


def several_carries(w: Writer) -> None:
    axis = _length(w)
    _loop(w, "scan", f"t{w.fresh('')}", axis, str(axis), collects=w.draw.choice((0, 1)), carries=3)


def until(w: Writer) -> None:
    _loop(
        w,
        "scan",
        f"t{w.fresh('')}",
        literal(4),
        "4",
        collects=w.draw.choice((0, 0, 1, 2)),
        until=True,
    )


def of_nothing(w: Writer) -> None:
    """Over an axis without a position: what is carried stays, what is collected is empty."""
    dim = next((dim for dim in w.dims if not dim.size), None)
    if dim is None:
        dim = Dim("Z", "Z", 0)
        w.dims.append(dim)
    axis = Axis(dim.name, 0)
    if w.chance(0.5) and not w.body.closed:
        w.given(Type((axis, *w.floats().shape)))
    _loop(w, "scan", f"t{w.fresh('')}", axis, dim.name, collects=w.draw.choice((0, 1, 2)))


def nested(w: Writer) -> None:
    """A loop whose body has one."""
    axis = _length(w)
    inner = w.draw.choice((scan, until, repeat, several_carries, scan_without_carry))
    _loop(w, w.one("scan", "scan", "repeat"), f"t{w.fresh('')}", axis, str(axis), 1, inner=inner)


def repeat(w: Writer) -> None:
    """Over numbers: rolled, with parameters of each iteration."""
    count = literal(w.draw.choice((2, 3, 3, 1)))
    first = w.draw.choice((0, 1))
    _loop(
        w,
        "repeat",
        f"k{w.fresh('')}",
        count,
        f"{first}..{first + count.size - 1}",
        w.draw.choice((0, 1)),
    )


def written_out(w: Writer) -> None:
    """The index stands where a value must be known when compiling."""
    count = literal(w.draw.choice((2, 3)))
    _loop(w, "repeat", f"k{w.fresh('')}", count, f"0..{count.size - 1}", 1, known=True)


LOOPS: dict[str, Callable[[Writer], None]] = {
    "scan": scan, "scan without carry": scan_without_carry, "several carries": several_carries,
    "until": until, "of nothing": of_nothing, "nested": nested, "repeat": repeat,
    "written out": written_out,
}  # fmt: skip


def _length(w: Writer) -> Axis:
    """What a scan runs over: mostly an axis of something."""
    found = [axis for one in w.body.values for axis in one.shape if len(axis.text) < 6]
    found = [axis for axis in found if axis != w.apart]
    return w.draw.choice(found) if found and w.chance(0.8) else literal(w.draw.choice((2, 3)))


def _loop(
    w: Writer, word: object, index: str, axis: Axis, over: str, collects: int, carries: int = -1,
    until: bool = False, known: bool = False, inner: Callable[[Writer], None] | None = None,
) -> None:  # fmt: skip
    if w.body.depth >= DEEPEST:
        return
    if word == "repeat" and not axis.text.isdigit():
        word = "scan"
    if word == "repeat" and ".." not in over:
        over = f"0..{axis.size - 1}" if axis.size else "1..0"
    count = carries if carries >= 0 else w.draw.choice((1, 1, 1, 2))
    starts = [w.floats() for _ in range(count)]
    family = w.fresh("loop")
    states = [Value(w.fresh("h"), s.type, max(s.bound, 3.0), s.under | {s.name}) for s in starts]
    place = Value(index, Type((), "index", max(axis.size, 1)))
    elements = [_element(w, axis, index, over) for _ in range(2)]
    with w.inside([*states, place], str(word)) as body:
        if word == "repeat" and not known and w.chance(0.6) and not body.closed:
            shape = w.draw.choice(states).shape if states else ()
            if len(shape) <= 2:
                p = w.fresh("p")
                made = Value(p, Type(shape), 1.5, frozenset({p}))
                w.put(Statement(f"param {p}: {made.type}", (made,)))
                if body.depth == 1:
                    number = w.draw.choice(_numbers(over))
                    inside = [f"{family}.*", f"{family}.{number}.{p}", f"{family}.{number}.*"]
                    w.paths += [(path, frozenset()) for path in inside]
                w.features.add("parameters inside")
        elif word == "scan" and w.chance(0.2) and not body.closed:
            p = w.fresh("p")
            shape = w.draw.choice(states).shape if states else ()
            made = Value(p, Type(shape), 1.5, frozenset({p}))
            w.put(Statement(f"param {p}: {made.type}", (made,)))
        for text, type in filter(None, elements):
            w.add(text, type, 2.0)
        if w.chance(0.4):
            _by_index(w, place, known)
        for _ in range(w.draw.randint(1, 3)):
            some(w)
        if inner is not None:
            inner(w)
        for _ in range(w.draw.randint(0, 2)):
            some(w)
        nexts = [_next(w, state) for state in states]
        w.body.statements += nexts
        if until and states:
            w.put(Statement(f"until sum({states[0].name}**2) < {w.one('0.4', '2.5', '9')}"))
        found = []
        for _ in range(collects):
            one = w.floats()
            name = w.fresh("c")
            w.body.statements.append(Statement(f"collect {name} = {one.name}"))
            found.append(Value(name, Type((axis, *one.shape)), one.bound, one.under | {one.name}))
        statements = tuple(body.statements)
        if body.depth == 1 and word == "repeat" and axis.size > 1:
            _nodes_inside(w, family, over)
    inside = frozenset(one.name for one in body.values) - frozenset(
        one.name for one in w.body.values
    )
    if not states and not found:
        return
    carried = ", ".join(f"{h.name} = {s.name}" for h, s in zip(states, starts, strict=True))
    head = f"{word} {family}[{index} in {over}]" + (f" carry {carried}" if carried else "")
    reached = _reached(states, nexts, body.values)
    ends = [Value(h.name, h.type, max(h.bound, 4.0), reached[h.name] - inside) for h in states]
    for one in found:
        more = frozenset().union(*(reached[h] for h in one.under if h in reached))
        ends.append(Value(one.name, one.type, one.bound, (one.under | more) - inside))
    w.put(Statement(head, tuple(ends), statements))
    w.features |= {str(word)} | ({"collect"} if found else set())


def _numbers(over: str) -> list[int]:
    """The iterations of a range."""
    first, last = over.split("..")
    return [*range(int(first), int(last) + 1)] or [int(first)]


def _nodes_inside(w: Writer, family: str, over: str) -> None:
    """Nodes of an iteration have paths where it is written out, as by an `if` that asks which."""
    if any(one.text.startswith("if k") for one in w.body.statements):
        made = [v for one in w.body.statements for v in one.defines if one.body is None]
        names = [value.name for value in made if value.type.kind == "float"]
        number = w.draw.choice(_numbers(over))
        w.paths += [(f"{family}.{number}.{name}", frozenset()) for name in names if name[0] == "n"]
        w.features.add("node of an iteration")


def _reached(
    states: Sequence[Value], nexts: Sequence[Statement], values: Sequence[Value]
) -> dict[str, frozenset[str]]:
    """What each carried value depends on in the end: what its steps read, and what these do."""
    known = {one.name: one.under | {one.name} for one in values if one.type.kind == "float"}
    found = {one.name: one.under for one in states}
    for _ in states:
        for state, step in zip(states, nexts, strict=True):
            read = frozenset().union(*(known.get(word, frozenset()) for word in step.words()))
            more = frozenset().union(*(found[name] for name in read if name in found))
            found[state.name] |= read | more
    return {name: under - frozenset(found) for name, under in found.items()}


def _element(w: Writer, axis: Axis, index: str, over: str) -> tuple[str, Type] | None:
    """What one step reads of something that has the axis."""
    x = w.pick(lambda one: one.type.kind == "float" and axis in one.shape)
    if x is None:
        return None
    place = x.shape.index(axis)
    shape = x.shape[:place] + x.shape[place + 1 :]
    at = index
    if over.startswith("1.."):
        at = f"{index} - 1"
    elif w.chance(0.25):
        at = f"{axis} - 1 - {index}"
    return f"{x.name}[{':, ' * place}{at}]", Type(shape)


def _by_index(w: Writer, place: Value, known: bool) -> None:
    """The index as a number, in a condition, or where it is known."""
    if known and w.chance(0.6):
        x = w.floats()
        made = Value(w.fresh(), x.type, x.bound + 1, x.under | {x.name})
        body = (Statement(f"{made.name} = {x.name} * 0.5"),)
        other = (Statement(f"{made.name} = {x.name} + 1"),)
        w.put(Statement(f"if {place.name} == 0", (made,), body))
        w.put(Statement("else", (), other))
        w.features.add("if")
        return
    x = w.floats()
    texts = ["{0} / ({1} + 1)", "{0} * {1} * 0.3"]
    if w.body.kind == "repeat":
        texts += ["where({1} > 0, {0}, 0.3 * {0})", "{0} + where({1} == 1, 1.5, 0)"]
    text = w.draw.choice(texts)
    w.add(text.format(x.name, place.name), x.type, x.bound * 2)
    w.features.add("index in arithmetic")


def _next(w: Writer, state: Value) -> Statement:
    """What is carried on: bounded, a sum, a delay, a view, or the value itself."""
    later = [
        one for one in w.body.values
        if one.type == state.type and one.name != state.name and one.bound < 30
    ]  # fmt: skip
    value = w.draw.choice(later[-3:]).name if later else f"sin({state.name} * 1.3)"
    bounded = (
        "tanh({0})", "0.5 * {1} + 0.4 * tanh({0})", "tanh({0}) * {1} * 0.5", "{1} * 0.9",
        "{1} - 0.1 * sin({0})", "sin({0} + {1})", "tanh({0} * 0.7 + {1})",
    )  # fmt: skip
    texts = [*bounded, "{1}"]
    if later and later[-1].bound <= state.bound:
        value = later[-1].name
        texts += ["{0}", "{0}"]
    if state.shape:
        texts.append("tanh({0})[" + ":, " * (len(state.shape) - 1) + "::-1]")
    return Statement(f"next {state.name} = {w.draw.choice(texts).format(value, state.name)}")
