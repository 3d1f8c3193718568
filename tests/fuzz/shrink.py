"""From a program that is wrong to a small one that is wrong in the same way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.fuzz.program import Axis, Clause, Program, Setting, Statement, Type, Value

Wrong = Callable[[Program], bool]


def shrunk(program: Program, wrong: Wrong, seconds: float = 60.0) -> Program:
    """Nothing can be left out of it any more, or the time is over."""
    end = time.process_time() + seconds
    progress = True
    alone = replace(program, origin=None)
    program = alone if wrong(alone) else program
    while progress:
        progress = False
        for candidate in smaller(program):
            if time.process_time() > end:
                return program
            if wrong(candidate):
                program, progress = candidate, True
                break
    return program


def smaller(program: Program) -> Iterator[Program]:
    """Programs with one thing less, those with the most less first."""
    yield from _without_clauses(program)
    yield from _plain(program)
    yield from _without_outputs(program)
    yield from _halves(program)
    for place in reversed(range(len(program.statements))):
        yield from _without(program, place)
    for place in range(len(program.statements)):
        yield from _within(program, place)
    yield from _in_blocks(program)
    yield from _smaller_dims(program)


def used(program: Program) -> Program:
    """Without inputs, parameters, dims and blocks that nothing names."""
    words = frozenset().union(*(one.words() for one in (*program.statements, *program.blocks)))
    words |= frozenset(program.outputs)
    words |= {path for clause in program.clauses for path in clause.wrt}
    inputs = tuple(one for one in program.inputs if one.name in words)
    params = tuple(one for one in program.params if one.name in words)
    blocks = tuple(one for one in program.blocks if one.text.split("(")[0].split()[1] in words)
    types = " ".join(str(one.type) for one in (*inputs, *params))
    seen = words | set(Statement(types).words())
    seen |= {w for d in program.dims if d.name in seen for w in Statement(d.written).words()}
    seen |= {clause.per for clause in program.clauses}
    dims = tuple(dim for dim in program.dims if dim.name in seen)
    setting = replace(
        program.setting,
        dims=tuple(one for one in program.setting.dims if one[0] in seen),
        consts=tuple(one for one in program.setting.consts if one[0] in words),
    )
    return replace(program, inputs=inputs, params=params, dims=dims, blocks=blocks, setting=setting)


def _without_clauses(program: Program) -> Iterator[Program]:
    for clause in program.clauses:
        yield replace(program, clauses=tuple(one for one in program.clauses if one != clause))
    for place, clause in enumerate(program.clauses):
        for path in clause.wrt:
            if len(clause.wrt) > 1:
                left = replace(clause, wrt=tuple(one for one in clause.wrt if one != path))
                yield _with_clause(program, place, left)
        for output in clause.outputs:
            if len(clause.outputs) > 1:
                left = replace(clause, outputs=tuple(o for o in clause.outputs if o != output))
                yield _with_clause(program, place, left)


def _with_clause(program: Program, place: int, clause: Clause) -> Program:
    clauses = (*program.clauses[:place], clause, *program.clauses[place + 1 :])
    return replace(program, clauses=clauses)


def _plain(program: Program) -> Iterator[Program]:
    """Each setting as it is by default."""
    default = Setting()
    for name in Setting.__dataclass_fields__:
        if getattr(program.setting, name) != getattr(default, name):
            setting = replace(program.setting, **{name: getattr(default, name)})
            yield replace(program, setting=setting)


def _without_outputs(program: Program) -> Iterator[Program]:
    asked = {name for clause in program.clauses for name in clause.outputs}
    for output in program.outputs:
        if output not in asked and len(program.outputs) > 1:
            yield replace(program, outputs=tuple(o for o in program.outputs if o != output))


def _halves(program: Program) -> Iterator[Program]:
    """What outputs do not need is left out at once."""
    needed = set(program.outputs) | {p for clause in program.clauses for p in clause.wrt}
    kept: list[Statement] = []
    for one in reversed(program.statements):
        if not one.defines or needed & {value.name for value in one.defines}:
            kept.append(one)
            needed |= one.words()
    if len(kept) < len(program.statements):
        yield used(program.with_statements(tuple(reversed(kept))))


def _without(program: Program, place: int) -> Iterator[Program]:
    """Without a statement; what it defines is an input, or something else of its type."""
    one = program.statements[place]
    rest = (*program.statements[:place], *program.statements[place + 1 :])
    yield used(program.with_statements(rest))
    if not one.defines or any("?" in str(value.type) for value in one.defines):
        return
    inputs = tuple(Value(v.name, v.type, v.bound) for v in one.defines if v.type.kind != "index")
    read = frozenset().union(*(other.words() for other in rest)) | set(program.outputs)
    inputs = tuple(value for value in inputs if value.name in read)
    yield used(replace(program.with_statements(rest), inputs=(*program.inputs, *inputs)))
    if one.body is not None or len(one.defines) != 1:
        return
    target = one.defines[0]
    if one.text.count("(") + one.text.count(" ") < 4:
        return
    for other in _earlier(program, place):
        if other.type == target.type and other.name in one.words():
            short = Statement(f"{target.name} = {other.name}", one.defines)
            yield used(_put(program, place, short))


def _earlier(program: Program, place: int) -> Iterator[Value]:
    yield from program.inputs
    yield from program.params
    for one in program.statements[:place]:
        yield from one.defines


def _put(program: Program, place: int, one: Statement) -> Program:
    return program.with_statements(
        (*program.statements[:place], one, *program.statements[place + 1 :])
    )


def _within(program: Program, place: int) -> Iterator[Program]:
    for one in _bodies(program.statements[place]):
        yield used(_put(program, place, one))


def _bodies(one: Statement) -> Iterator[Statement]:
    """A body with one statement less, or one of its own bodies so."""
    if one.body is None:
        return
    for inner in reversed(range(len(one.body))):
        rest = (*one.body[:inner], *one.body[inner + 1 :])
        yield replace(one, body=rest)
        if one.body[inner].text.startswith("collect "):
            name = one.body[inner].text.split()[1]
            defines = tuple(value for value in one.defines if value.name != name)
            yield replace(one, body=rest, defines=defines)
        for other in _bodies(one.body[inner]):
            yield replace(one, body=(*one.body[:inner], other, *one.body[inner + 1 :]))


def _in_blocks(program: Program) -> Iterator[Program]:
    for place, block in enumerate(program.blocks):
        for one in _bodies(block):
            blocks = (*program.blocks[:place], one, *program.blocks[place + 1 :])
            yield used(replace(program, blocks=blocks))


def _smaller_dims(program: Program) -> Iterator[Program]:
    for dim in program.dims:
        if dim.size > 1 and not any(c in dim.written for c in "+*"):
            yield _resized(program, dim.name, max(1, dim.size // 2))
            yield _resized(program, dim.name, dim.size - 1)


def _resized(program: Program, name: str, size: int) -> Program:
    """With another size of a dim, in all types that have it."""

    sizes = {dim.name: dim.size for dim in program.dims} | {name: size}
    for dim in program.dims:
        if "=" in dim.written and dim.name != name:
            sizes[dim.name] = eval(dim.written.split("=")[1], {}, sizes)

    def axis(one: Axis) -> Axis:
        return one if "?" in one.text else Axis(one.text, eval(one.text, {}, sizes))

    def value(one: Value) -> Value:
        below = one.type.below
        shape = tuple(axis(each) for each in one.type.shape)
        return replace(one, type=Type(shape, one.type.kind, min(below, size) if below else 0))

    dims = tuple(replace(dim, size=sizes[dim.name]) for dim in program.dims)
    dims = tuple(
        replace(d, size=size, written=f"{name} = {size}" if "=" in d.written else name)
        if d.name == name else d
        for d in dims
    )  # fmt: skip
    return replace(
        program, dims=dims, inputs=tuple(map(value, program.inputs)),
        params=tuple(map(value, program.params)),
    )  # fmt: skip
