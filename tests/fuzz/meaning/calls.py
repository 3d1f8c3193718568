"""Calls: operations, blocks with their ports and paths, and derivatives inside a graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from graphc.ad.jacobian.derivatives import DERIVATIVES
from graphc.syntax import tree
from tests.fuzz.meaning.arrays import array, floats, known, space
from tests.fuzz.meaning.bodies import Frame, Taken, Use, Values, World
from tests.fuzz.meaning.functions import NAMED
from tests.fuzz.meaning.gradients import gradient, jacobian, tangent
from tests.fuzz.meaning.rounding import DECOMPOSED
from tests.fuzz.meaning.ruled import ruled


def call(
    frame: Frame, one: tree.Call, names: tuple[str, ...], flowing: tuple[Any, ...] = ()
) -> Any:
    if one.name is None or len(names) > 1:
        return _called(frame, one, names, flowing)
    own = one.name.text
    value = _called(frame, one, (own,), flowing)
    if isinstance(value, tuple):
        return value
    frame.define(own, value)
    return frame.values[own]


def _called(frame: Frame, one: tree.Call, names: tuple[str, ...], flowing: tuple[Any, ...]) -> Any:
    name = names[0] if len(names) == 1 else None
    function = one.function
    if isinstance(function, tree.Name):
        use = frame.use_of(function.text) if frame.owner(function.text) else None
        what = use or frame.lookup(function.text)
    else:
        what = frame.evaluate(function)
    if isinstance(what, tuple) and what[0] == "operation" and what[1] in DERIVATIVES:
        return _derivative(frame, what[1], one.arguments)
    if what in (("operation", "cotangent"), ("operation", "tangent")):
        return frame.words[what[1]][one.arguments[0].value.text]
    if isinstance(what, Use):
        bound = bindings(frame, what.block, flowing, one.arguments, dict(what.known))
        return enter(frame, what, bound, names)
    if what[0] == "operation":
        return _operation(frame, what[1], one.arguments, flowing)
    block, library = what
    called = one.name.text if one.name else name
    path = None if called is None else frame.path(called)
    prefix = None if path is None else path.removesuffix(".")
    bound = bindings(frame, block, flowing, one.arguments)
    ports = {port.name.text for port in block.ports if is_tensor(port)}
    kept = tuple((name, value) for name, value in bound.items() if name not in ports)
    use = Use(block, kept, prefix, library)
    if called:
        frame.uses.setdefault(called, use)
    return enter(frame, use, bound, names)


def _operation(frame: Frame, name: str, arguments: Sequence[Any], flowing: tuple[Any, ...]) -> Any:
    placed = [frame.evaluate(a.value) for a in arguments if a.name is None]
    named = {a.name.text: frame.evaluate(a.value) for a in arguments if a.name is not None}
    for word in ("axis",):
        if word in named:
            named[word] = _axis(frame, arguments, named[word], (*flowing, *placed))
    value = NAMED[name](*flowing, *placed, **named)
    if frame.world.rounding is not None and name in DECOMPOSED:
        value = frame.world.rounding(value)
    return value if isinstance(value, tuple | int) else array(value)


def _axis(frame: Frame, arguments: Sequence[Any], axis: Any, xs: Sequence[Any]) -> Any:
    """An axis by the name of its dim: programs name one only where its size stands alone."""
    written = next(a.value for a in arguments if a.name is not None and a.name.text == "axis")
    if isinstance(written, tree.Name):
        shape = np.shape(next(x for x in xs if not isinstance(x, str)))
        return shape.index(axis)
    return axis


def bindings(
    frame: Frame, block: tree.Block, flowing: tuple[Any, ...], arguments: Sequence[Any],
    before: Values | None = None, instance: bool = False,
) -> Values:  # fmt: skip
    """What is passed to the ports, by name; an instance gets no tensors."""
    bound = dict(before or {})
    names = [p.name.text for p in block.ports if p.name.text not in bound]
    if instance:
        names = [p.name.text for p in block.ports if not is_tensor(p)]
    given = [*flowing, *(frame.evaluate(a.value) for a in arguments if a.name is None)]
    bound |= dict(zip(names, given, strict=False))
    bound |= {a.name.text: frame.evaluate(a.value) for a in arguments if a.name is not None}
    return bound


def is_tensor(port: tree.Port) -> bool:
    return port.type.axes is not None


def enter(frame: Frame, use: Use, bound: Values, names: tuple[str, ...]) -> Any:
    """The results of a block, which are what the caller calls them; its ports bind sizes."""
    block = use.block
    prefix = None if use.prefix is None else use.prefix + "."
    tensors = {
        p.name.text: array(bound[p.name.text])
        for p in block.ports
        if is_tensor(p) and p.name.text in bound
    }

    rules = [one for one in block.body if isinstance(one, tree.Rule)]
    called = zip((port.name.text for port in block.results), names, strict=False)
    taken = None if rules else Taken(frame, {inner: outer for inner, outer in called if outer})

    def inner(ports: Values) -> Frame:
        given = {**bound, **ports}
        for port in block.ports:
            if port.name.text not in given and port.default is not None:
                given[port.name.text] = frame.evaluate(port.default)
            elif is_tensor(port):
                value = given[port.name.text]
                wanted = port.type.kind.text if port.type.kind else "float"
                given[port.name.text] = floats(value) if wanted == "float" else array(value)
        _bind(block, given)
        return Frame(frame.world, block.body, prefix, use.library, None, given, taken)

    results = ruled(block, rules, inner, tensors) if rules else inner({}).results(block)
    return results[0] if len(results) == 1 else results


def _bind(block: tree.Block, given: Values) -> None:
    for port in block.ports:
        if port.type.axes is None or not is_tensor(port):
            continue
        shape = list(np.shape(given[port.name.text]))
        axes = list(port.type.axes)
        if any(isinstance(axis, tree.Dots) for axis in axes):
            place = next(i for i, axis in enumerate(axes) if isinstance(axis, tree.Dots))
            behind = len(axes) - place - 1
            pairs = [
                *zip(axes[:place], shape, strict=False),
                *zip(axes[place + 1 :], shape[len(shape) - behind :], strict=True),
            ]
        else:
            pairs = list(zip(axes, shape, strict=True))
        for axis, size in pairs:
            if isinstance(axis, tree.Name):
                given.setdefault(axis.text, size)


def _derivative(frame: Frame, kind: str, arguments: Sequence[Any]) -> Any:
    """A derivative of an expression as a function of a node, in the world as it is."""
    y, x = (argument.value for argument in arguments[:2])
    function, value = _function(frame, y, x)
    if kind == "grad":
        return gradient(function, value)
    if kind == "jvp":
        return tangent(function, value, floats(frame.evaluate(arguments[2].value)))
    found = jacobian(function, value)
    if len(arguments) == 2:
        return found
    axis = frame.evaluate(arguments[2].value)
    rank = np.ndim(found) - np.ndim(value)
    if isinstance(arguments[2].value, tree.Name):
        axis = np.shape(found)[:rank].index(axis)
    own = np.shape(value).index(np.shape(found)[axis])
    return array(space(found).moveaxis(space(found).diagonal(found, 0, axis, rank + own), -1, 0))


def _function(frame: Frame, y: Any, x: Any) -> tuple[Callable[[Any], Any], Any]:
    """An expression as a function of a node, and the value that the node has."""
    words = path_words(x)
    owner = frame.owner(words[0])
    assert owner is not None
    value = frame.evaluate(x)

    def function(moved: Any) -> Any:
        if len(words) > 1:
            path = f"{owner.prefix}{'.'.join(words)}"
            return frame.again(_moved(frame.world, path, moved, value)).evaluate(y)
        world = replace(frame.world, found={})
        inner = frame.again(world)
        place: Frame | None = inner
        old: Frame | None = frame
        while old is not owner:
            assert place is not None
            assert old is not None
            place, old = place.outer, old.outer
        assert place is not None
        own = place.path(words[0])
        if own is None:
            place.values[words[0]] = moved
            return inner.evaluate(y)
        return frame.again(_moved(frame.world, own, moved, value)).evaluate(y)

    return function, value


def _moved(world: World, path: str, moved: Any, value: Any) -> World:
    """A world in which a node has moved: it is still made of what it was made of."""
    if path in world.inputs or path in world.params or not np.all(np.isfinite(known(value))):
        return replace(world, moved={**world.moved, path: moved}, found={})
    by = array(moved - value)
    by = by + world.added[path] if path in world.added else by
    return replace(world, added={**world.added, path: by}, found={})


def path_words(one: Any) -> list[str]:
    return [*path_words(one.value), one.name.text] if isinstance(one, tree.Member) else [one.text]
