"""Bodies: the names that statements define, each computed when it is asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphc.syntax import tree
from tests.fuzz.meaning.arrays import array

Values = dict[str, Any]
STATEMENTS: dict[type, Callable[[Any, Any], None]] = {}
EXPRESSIONS: dict[type, Callable[[Any, Any, tuple[str, ...]], Any]] = {}
"""What is done for each kind of record of the tree; filled where it is said."""
CONSTANTS = {"pi": math.pi, "e": math.e, "inf": math.inf}


@dataclass
class World:
    """What is given to a file; by path what is put in the place of nodes, or added to them."""

    dims: Mapping[str, int]
    consts: Mapping[str, Any]
    inputs: Mapping[str, Any]
    params: Mapping[str, Any]
    moved: Mapping[str, Any] = field(default_factory=dict)
    added: Mapping[str, Any] = field(default_factory=dict)
    rounding: Callable[[Any], Any] | None = None
    """Moves what decompositions give."""
    found: Values = field(default_factory=dict)
    """Nodes by path, as they were computed."""


@dataclass(frozen=True)
class Use:
    """A block with its compile-time arguments, and the prefix of its parameters."""

    block: tree.Block
    known: tuple[tuple[str, Any], ...]
    prefix: str | None
    library: Mapping[str, Any]


@dataclass(frozen=True)
class Library:
    """The blocks that one file sees."""

    blocks: Mapping[str, Any]


class Frame:
    """A body: its statements by the names that they define, and the values of these."""

    def __init__(
        self,
        world: World,
        body: Sequence[Any],
        prefix: str | None,
        blocks: Mapping[str, Any],
        outer: Frame | None = None,
        given: Values | None = None,
        taken: Taken | None = None,
    ) -> None:
        self.world, self.body, self.prefix, self.blocks = world, body, prefix, blocks
        self.outer, self.given, self.taken = outer, dict(given or {}), taken
        self.values: Values = dict(self.given)
        self.defined: dict[str, Any] = {}
        self.uses: dict[str, Use] = {}
        self.done: set[int] = set()
        self.rest: dict[str, Any] = {}
        """What a chain says is next, by name."""
        self.words: Mapping[str, Values] = {}
        """What `cotangent` and `tangent` stand for, in a rule."""
        self._open(body)

    def _open(self, body: Sequence[Any]) -> None:
        choices = []
        for one in body:
            if isinstance(one, tree.If):
                choices.append(one)
            for name in defined_by(one):
                self.defined[name] = one
        for one in choices:
            self._open(one.body if self.evaluate(one.condition) else one.orelse)

    def again(self, world: World) -> Frame:
        """The same body, nothing computed yet, in a world with other values."""
        outer = self.outer.again(world) if self.outer else None
        taken = self.taken and Taken(self.taken.frame.again(world), self.taken.names)
        return Frame(world, self.body, self.prefix, self.blocks, outer, self.given, taken)

    # ---- names ---------------------------------------------------------------------------------

    def path(self, name: str) -> str | None:
        return None if self.prefix is None else self.prefix + name

    def owner(self, name: str) -> Frame | None:
        frame: Frame | None = self
        while frame and name not in frame.values and name not in frame.defined:
            frame = frame.outer
        return frame

    def lookup(self, name: str) -> Any:
        frame = self.owner(name)
        if frame is None:
            if name in self.blocks:
                return self.blocks[name]
            if name in CONSTANTS:
                return CONSTANTS[name]
            return ("operation", name)
        path = frame.path(name)
        if path is not None and path in self.world.moved:
            frame.values[name] = self.world.moved[path]
        elif path is not None and path in self.world.added and name in frame.given:
            frame.values[name] = array(frame.given[name] + self.world.added[path])
        if frame.taken and (given := frame.taken.value(name)) is not None:
            frame.values[name] = given
        if name not in frame.values:
            frame.execute(frame.defined[name])
        return frame.values.get(name, frame.uses.get(name))

    def reached(self, path: str) -> Any:
        """A node of this body, or of an iteration of a loop of it."""
        first = path.split(".")[0]
        if first == path:
            return self.lookup(path)
        self.execute(self.defined[first])
        return self.world.found[path]

    def define(self, name: str, value: Any) -> None:
        if name in self.values:
            return
        if self.taken and name in self.taken.names:
            self.taken.frame.define(self.taken.names[name], value)
            value = self.taken.value(name)
        path = self.path(name)
        if path is not None and path in self.world.moved:
            value = self.world.moved[path]
        elif path is not None and path in self.world.added:
            value = array(value + self.world.added[path])
        self.values[name] = value
        if path is not None:
            self.world.found.setdefault(path, value)

    def use_of(self, name: str) -> Use | None:
        frame = self.owner(name)
        if frame is None:
            return None
        if name not in frame.uses and name in frame.defined:
            frame.execute(frame.defined[name])
        return frame.uses.get(name)

    # ---- statements ----------------------------------------------------------------------------

    def execute(self, one: Any) -> None:
        if id(one) not in self.done:
            self.done.add(id(one))
            STATEMENTS[type(one)](self, one)

    def evaluate(self, one: Any, names: tuple[str, ...] = ()) -> Any:
        """An expression; `names` are those that its values get."""
        return EXPRESSIONS[type(one)](self, one, names)

    def results(self, block: tree.Block) -> tuple[Any, ...]:
        return tuple(array(self.lookup(port.name.text)) for port in block.results)


@dataclass(frozen=True)
class Taken:
    """What a caller calls the results of a block: the names outside, and the body that has them."""

    frame: Frame
    names: Mapping[str, str]

    def value(self, name: str) -> Any:
        """That of a result, where the caller has it already."""
        return self.frame.values.get(self.names.get(name, ""))


def defined_by(one: Any) -> Iterator[str]:
    """The names that a statement defines, with those after `as`."""
    match one:
        case tree.DimDeclaration():
            yield from (name.text for name, _ in one.dims)
        case tree.Const() | tree.Instance():
            yield one.name.text
        case tree.Input() | tree.Param():
            yield from (name.text for name in one.names)
        case tree.Output():
            if one.value is not None:
                yield one.names[0].text
                yield from named_inside(one.value)
        case tree.Equation():
            yield from (name.text for name in one.targets)
            yield from named_inside(one.value)
        case tree.Chain():
            yield from (name.text for name in one.targets)
            yield from named_inside(one.sources)
            yield from named_inside(one.stages)
        case tree.Repeat() | tree.Scan():
            yield one.family.name.text
            yield from (carry.name.text for carry in one.carries)
            yield from collected(one.body)
            yield from named_inside(tuple(carry.start for carry in one.carries))
        case tree.Next():
            yield from named_inside(one.values)
        case tree.Collect():
            yield from named_inside(one.value)
        case tree.Until():
            yield from named_inside(one.condition)


def collected(body: Sequence[Any]) -> Iterator[str]:
    for one in body:
        if isinstance(one, tree.Collect):
            yield one.name.text
        elif isinstance(one, tree.If):
            yield from collected(one.body)
            yield from collected(one.orelse)


def named_inside(one: Any) -> Iterator[str]:
    """The names after `as` in expressions and stages; a repeated stage keeps its own."""
    match one:
        case tuple():
            for part in one:
                yield from named_inside(part)
        case tree.Call():
            if one.name is not None:
                yield one.name.text
            yield from named_inside(tuple(argument.value for argument in one.arguments))
        case tree.Unary():
            yield from named_inside(one.operand)
        case tree.Binary():
            yield from named_inside((one.left, one.right))
        case tree.Subscript() | tree.Member():
            yield from named_inside(one.value)
        case tree.Residual():
            yield from named_inside(one.stages)
        case tree.Fork():
            yield from named_inside(one.branches)
        case tree.RepeatStage():
            yield one.family.name.text
