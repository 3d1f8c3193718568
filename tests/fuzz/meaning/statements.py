"""What each statement does in a body: nodes, chains and loops, step after step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from graphc.syntax import tree
from tests.fuzz.meaning.arrays import array, floats, is_float, known, space
from tests.fuzz.meaning.bodies import STATEMENTS, Frame, Use, Values, collected
from tests.fuzz.meaning.calls import bindings, call


def _dims(frame: Frame, one: tree.DimDeclaration) -> None:
    for name, value in one.dims:
        given = frame.world.dims.get(name.text)
        frame.values[name.text] = frame.evaluate(value) if given is None else given


def _const(frame: Frame, one: tree.Const) -> None:
    name = one.name.text
    given = frame.world.consts.get(name)
    frame.values[name] = frame.evaluate(one.value) if given is None else given


def _input(frame: Frame, one: tree.Input) -> None:
    for name in one.names:
        frame.define(name.text, frame.world.inputs[name.text])


def _param(frame: Frame, one: tree.Param) -> None:
    for name in one.names:
        frame.define(name.text, frame.world.params[f"{frame.prefix}{name.text}"])


def _assign(frame: Frame, names: Sequence[tree.Ident], value: Any) -> None:
    if len(names) == 1:
        frame.define(names[0].text, value)
        return
    for name, each in zip(names, value, strict=True):
        frame.define(name.text, each)


def _equation(frame: Frame, one: tree.Equation) -> None:
    names = tuple(name.text for name in one.targets)
    _assign(frame, one.targets, frame.evaluate(one.value, names))


def _output(frame: Frame, one: tree.Output) -> None:
    frame.define(one.names[0].text, frame.evaluate(one.value, (one.names[0].text,)))


def _instance(frame: Frame, one: tree.Instance) -> None:
    call = one.value
    if isinstance(call, tree.Name):
        block, arguments = frame.lookup(call.text), ()
    else:
        block, arguments = frame.evaluate(call.function), call.arguments
    block, library = block
    bound = bindings(frame, block, (), arguments, instance=True)
    kept = tuple((n, v) for n, v in bound.items())
    frame.uses[one.name.text] = Use(block, kept, frame.path(one.name.text), library)


def _chain(frame: Frame, one: tree.Chain) -> None:
    flowing = tuple(v for source in one.sources for v in _several(frame.evaluate(source)))
    names = tuple(name.text for name in one.targets)
    flowing = _flow(frame, flowing, one.stages, names)
    if names:
        _assign(frame, one.targets, flowing[0] if len(names) == 1 else flowing)


def _several(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _flow(
    frame: Frame, flowing: tuple[Any, ...], stages: Sequence[Any], last: tuple[str, ...]
) -> tuple[Any, ...]:
    for place, stage in enumerate(stages):
        names = last if place == len(stages) - 1 else ()
        flowing = _stage(frame, flowing, stage, names)
    return flowing


def _stage(frame: Frame, flowing: tuple[Any, ...], stage: Any, names: tuple[str, ...]) -> Any:
    match stage:
        case tree.Call():
            return _several(call(frame, stage, names, flowing))
        case tree.Residual():
            (made,) = _flow(frame, flowing, stage.stages, ())
            return (array(flowing[0] + made),)
        case tree.Fork():
            return tuple(value for b in stage.branches for value in _flow(frame, flowing, b, ()))
        case tree.NextStage():
            frame.rest[stage.name.text] = flowing[0]
            return ()
        case tree.RepeatStage():
            return _repeated(frame, flowing, stage)
    raise TypeError(stage)


def _repeated(frame: Frame, flowing: tuple[Any, ...], stage: tree.RepeatStage) -> Any:
    """A bare block at the end of the stages takes the name of the family."""
    family = stage.family
    for index in _range(frame, family):
        prefix = None if frame.prefix is None else f"{frame.prefix}{family.name.text}.{index}."
        inner = Frame(frame.world, (), prefix, frame.blocks, frame, {family.index.text: index})
        *stages, last = stage.stages
        flowing = _flow(inner, flowing, stages, ())
        flowing = _stage(inner, flowing, last, ("",))
    return flowing


def _range(frame: Frame, family: tree.Family) -> range:
    first = frame.evaluate(family.first)
    if family.last is None:
        return range(int(first))
    return range(int(first), int(frame.evaluate(family.last)) + 1)


def _loop(frame: Frame, one: tree.Repeat | tree.Scan) -> None:
    """Step after step; `until` ends it behind the step in which it is true."""
    carried = {c.name.text: array(frame.evaluate(c.start)) for c in one.carries}
    rows: dict[str, list[Any]] = {name: [] for name in collected(one.body)}
    for index in _range(frame, one.family):
        step = _begun(frame, one, carried, index)
        nexts, until = _step(step, one.body, rows)
        carried = {name: _as_started(carried[name], array(nexts[name])) for name in carried}
        if until:
            break
    steps = len(_range(frame, one.family))
    for name, value in carried.items():
        frame.define(name, value)
    for name, shape in _shapes_of_no_step(frame, one, carried).items() if not steps else ():
        frame.define(name, np.zeros((0, *shape)))
    for name, found in rows.items() if steps else ():
        found = [array(row) for row in found]
        found += [array(0 * found[0])] * (steps - len(found))
        frame.define(name, space(*found).stack(found))


def _begun(frame: Frame, one: tree.Repeat | tree.Scan, carried: Values, index: int) -> Frame:
    """The body of a step before anything in it is computed."""
    label = f"{one.family.name.text}." + (f"{index}." if isinstance(one, tree.Repeat) else "")
    prefix = None if frame.prefix is None else frame.prefix + label
    given = {**carried, one.family.index.text: index}
    return Frame(frame.world, one.body, prefix, frame.blocks, frame, given)


def _shapes_of_no_step(
    frame: Frame, one: tree.Repeat | tree.Scan, carried: Values
) -> dict[str, tuple[int, ...]]:
    """What a loop without a step would collect in one: there all that is empty is one long."""
    rows: dict[str, list[Any]] = {name: [] for name in collected(one.body)}
    if rows:
        first = int(frame.evaluate(one.family.first)) if one.family.last is not None else 0
        _step(_begun(frame, one, carried, first), one.body, rows)
    return {name: np.shape(found[0]) for name, found in rows.items()}


def _as_started(start: Any, after: Any) -> Any:
    return floats(after) if is_float(start) else after


def _step(step: Frame, body: Sequence[Any], rows: dict[str, list[Any]]) -> tuple[Values, bool]:
    nexts: Values = {}
    until = False
    for one in _taken(step, body):
        match one:
            case tree.Next():
                if len(one.values) == 1 and len(one.names) > 1:
                    value = step.evaluate(one.values[0])
                else:
                    value = tuple(step.evaluate(each) for each in one.values)
                nexts |= {n.text: v for n, v in zip(one.names, value, strict=True)}
            case tree.Collect():
                rows[one.name.text].append(step.evaluate(one.value))
            case tree.Until():
                until = bool(known(step.evaluate(one.condition)))
            case tree.Chain() if not one.targets:
                step.execute(one)
    return nexts | step.rest, until


def _taken(frame: Frame, body: Sequence[Any]) -> Iterator[Any]:
    for one in body:
        if isinstance(one, tree.If):
            yield from _taken(frame, one.body if frame.evaluate(one.condition) else one.orelse)
        else:
            yield one


STATEMENTS |= {
    tree.DimDeclaration: _dims, tree.Const: _const, tree.Input: _input, tree.Param: _param,
    tree.Equation: _equation, tree.Output: _output, tree.Instance: _instance, tree.Chain: _chain,
    tree.Repeat: _loop, tree.Scan: _loop,
}  # fmt: skip
