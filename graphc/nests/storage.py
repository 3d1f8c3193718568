"""What of the values of loop nests needs memory: the rest are numbers in registers.

A value that each turn of a loop touches at its own position alone needs no axis for that loop.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from graphc.ir.dims import Dim
from graphc.ir.sizes import at_most
from graphc.ir.types import is_one, product
from graphc.nests.nest import (
    Access,
    Element,
    For,
    Index,
    Invoke,
    Kind,
    Tree,
    Turns,
    Value,
    counter,
    elements_in,
)
from graphc.nests.places import offset
from graphc.records import dataclass, field

STACK, STACKED = 64, 1024
"""The elements of an array that a function has on its stack rather than in its workspace, and those
of all such arrays."""


@dataclass(frozen=True, slots=True)
class Register:
    """A number of its own; a constant one is assigned once, where it is declared."""

    value: Value
    once: bool


@dataclass(frozen=True, slots=True)
class Memory:
    """An array, perhaps one that others have had before: the axes that are left of the value."""

    value: Value
    array: str
    kept: tuple[int, ...]

    def offset(self, index: Index) -> Dim:
        """Return where an element lies, row by row."""
        shape = self.value.shape
        return offset([index[i] for i in self.kept], [shape[i] for i in self.kept])


Place = Register | Memory


@dataclass(frozen=True, slots=True)
class Buffer:
    """An array of the function: in its workspace, or on its stack."""

    name: str
    dtype: Kind
    size: Dim
    stack: bool


@dataclass(slots=True)
class Storage:
    """Where each value is; the arrays of the function, in the order of the workspace.

    `declared` are by list of trees and place in it the registers that begin there.
    """

    places: dict[Value, Place] = field(default_factory=dict)
    buffers: list[Buffer] = field(default_factory=list)
    registers: dict[tuple[int, int], list[Value]] = field(default_factory=dict)
    stacked: int = 0


@dataclass(slots=True)
class _Life:
    """The accesses of a value, the lists of trees around all of them, and which loops these are."""

    touches: list[Access]
    path: list[tuple[int, int, int]]  # a list's id, the place in it, the depth of its loop or -1
    writes: int
    last: dict[int, int]
    pointed: bool = False


def assign(trees: list[Tree]) -> Storage:
    """Decide where the values of loop nests are."""
    lives: dict[Value, _Life] = {}
    _visit(trees, [], -1, lives)
    storage = Storage()
    shapes: dict[Value, Sequence[int]] = {}
    homes: dict[int, list[tuple[int, int, Value]]] = {}
    for value, life in lives.items():
        if value.token:
            continue
        if value.given:
            storage.places[value] = Memory(value, value.name, tuple(range(len(value.shape))))
            continue
        home, kept = _home(value, life)
        ident, position, _ = life.path[home]
        if not kept and not life.pointed:
            storage.places[value] = Register(value, life.writes == 1)
            storage.registers.setdefault((ident, position), []).append(value)
            continue
        shapes[value] = kept
        homes.setdefault(ident, []).append((position, life.last[ident], value))
    _allocate(trees, (), homes, shapes, storage, {})
    return storage


def _home(value: Value, life: _Life) -> tuple[int, Sequence[int]]:
    """Return the innermost list that has all accesses, and the axes that the value keeps there."""
    gone: set[int] = set()
    home = 0
    for number, (_, _, depth) in enumerate(life.path):
        if number and depth >= 0:
            position = counter(depth)
            axes = [
                axis
                for axis in range(len(value.shape))
                if all(one.index[axis] == position for one in life.touches)
            ]
            free = [axis for axis in axes if axis not in gone]
            if life.pointed and free and free[0] != len(gone):
                break
            if not free and value.shape:
                pass  # the same memory in each turn
            gone.update(free[:1])
        home = number
    ones = {axis for axis, n in enumerate(value.shape) if is_one(n)}
    kept = [i for i in range(len(value.shape)) if i not in gone]
    if not life.pointed:
        kept = [i for i in kept if i not in ones]
    return home, kept


def _visit(
    trees: list[Tree], path: list[tuple[int, int, int]], depth: int, lives: dict[Value, _Life]
) -> None:
    for position, tree in enumerate(trees):
        here = [*path, (id(trees), position, depth)]
        if isinstance(tree, For):
            _visit(tree.body, here, tree.depth, lives)
            continue
        for one in tree.statements:
            if isinstance(one, Turns):
                for element in elements_in(one.count):
                    access = Access(element.value, element.index, writes=False)
                    _touch(element.value, access, here, lives, 0)
                for value in one.holds:
                    _touch(value, Access(value, (None,) * len(value.shape), True), here, lives, 2)
                _visit(one.body, here, -1, lives)
        if any(isinstance(one, Turns) for one in tree.statements):
            continue
        for access in tree.touches:
            _touch(access.value, access, here, lives, int(access.writes))
        for one in tree.statements:
            if isinstance(one, Invoke):
                for operand in one.operands:
                    if isinstance(operand, Element):
                        lives[operand.value].pointed = True


def _touch(
    value: Value,
    access: Access,
    here: list[tuple[int, int, int]],
    lives: dict[Value, _Life],
    writes: int,
) -> None:
    life = lives.get(value)
    if life is None:
        last = {ident: position for ident, position, _ in here}
        lives[value] = _Life([access], list(here), writes, last)
        return
    life.touches.append(access)
    life.writes += writes
    common = []
    for one, other in zip(life.path, here, strict=False):
        if one[0] != other[0]:
            break
        common.append(one)
        life.last[one[0]] = max(life.last[one[0]], other[1])
        if one[1] != other[1]:
            break
    life.path = common


def _allocate(
    trees: list[Tree],
    around: Sequence[Turns],
    homes: Mapping[int, Iterable[tuple[int, int, Value]]],
    shapes: Mapping[Value, Sequence[int]],
    storage: Storage,
    free: dict[tuple[Kind, Dim], list[Buffer]],
) -> None:
    """Give the values of a list their memory, in which those that die leave room for others.

    It is taken once, and has room for any step of the loops around them.
    """
    here = list(homes.get(id(trees), ()))
    starts: dict[int, list[tuple[int, Value]]] = {}
    ends: dict[int, list[Buffer]] = {}
    for first, last, value in here:
        starts.setdefault(first, []).append((last, value))
    for position, tree in enumerate(trees):
        for last, value in starts.get(position, ()):
            kept = tuple(shapes[value])
            size = product([_largest(value.shape[i], around) for i in kept])
            buffer = _buffer(value, size, storage, free)
            storage.places[value] = Memory(value, buffer.name, kept)
            ends.setdefault(last, []).append(buffer)
        if isinstance(tree, For):
            _allocate(tree.body, around, homes, shapes, storage, free)
        else:
            for one in tree.statements:
                if isinstance(one, Turns):
                    _allocate(one.body, (*around, one), homes, shapes, storage, free)
        for buffer in ends.get(position, ()):
            free.setdefault((buffer.dtype, buffer.size), []).append(buffer)


def _largest(axis: Dim, around: Sequence[Turns]) -> Dim:
    for turns in reversed(around):
        axis = at_most(axis, turns.index, turns.first, turns.most)
    return axis


def _buffer(
    value: Value, size: Dim, storage: Storage, free: dict[tuple[Kind, Dim], list[Buffer]]
) -> Buffer:
    kept = free.get((value.dtype, size))
    if kept:
        return kept.pop()
    elements = size.constant
    small = elements is not None and elements <= STACK and storage.stacked + elements <= STACKED
    storage.stacked += (elements or 0) if small else 0
    buffer = Buffer(value.name, value.dtype, size, small)
    storage.buffers.append(buffer)
    return buffer
