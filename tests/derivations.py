"""Derivations evaluated: what each formula says in numbers, by NumPy and by definition.

A vector is a column, a stack of matrices has the matrices last. Nothing is taken from the
derivation but its records: values come from its equations, derivatives from its terms.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from operations_by_definition import operation, works_by_element

from graphc.ir.dims import Dim
from graphc.views.explain.derivation import AdjointStep, Derivation, LoopPart, Step
from graphc.views.explain.expression import Call, Expression

Key = tuple[str, tuple[int, ...]]


class Numbers:
    """The numbers of a derivation at given arguments."""

    def __init__(
        self, derivation: Derivation, given: Mapping[str, Any], dims: Mapping[str, int]
    ) -> None:
        self.derivation, self.dims = derivation, dims
        self.at: dict[str, int] = {}  # the index of each loop around
        self.values: dict[Key, Any] = {
            (name, ()): _column(np.asarray(x)) for name, x in given.items()
        }
        self.totals: dict[Any, Any] = {}
        self.shares: dict[Any, Any] = {}
        self.read: set[Expression] = set()  # what steps of loops read by position
        self.moves: dict[Key, Any] = {}
        self.seeds: dict[str, Any] = {}
        self.numerator = derivation.layout == "numerator"

    # ---- formulas ---------------------------------------------------------------------------

    def key(self, of: Expression) -> Key:
        name, index = of.data
        return name, self.index(index)

    def total_key(self, of: Expression) -> Any:
        """Of what two loops read by position each has a derivative of its own."""
        return (of.data, self.key(of)) if of in self.read else self.key(of)

    def index(self, text: str) -> tuple[int, ...]:
        names = {**self.dims, **self.at}
        return tuple(int(eval(part, {}, names)) for part in text.split(",")) if text else ()

    def size(self, dim: Any) -> Any:
        return dim.evaluate({**self.dims, **self.at}) if isinstance(dim, Dim) else dim

    def shape(self, shape: Sequence[Any]) -> tuple[int, ...]:
        return tuple(self.size(axis) for axis in shape)

    def of(self, e: Expression) -> Any:
        """The number, the matrix or the stack of matrices that a formula stands for."""
        found = self._of(e)
        expected = self.shape(e.shape)
        if e.kind not in ("zero", "hadamard", "sum", "product", "quotient") and found is not None:
            assert np.shape(found) == expected or np.size(found) == 1, (e.kind, np.shape(found))
        return found

    def told(self, formula: Expression) -> Any:
        """What a formula says that is printed as it is."""
        return self.of(formula)

    def _of(self, e: Expression) -> Any:
        args = e.args
        match e.kind:
            case "symbol":
                return self.values[self.key(e)]
            case "total":
                if e.args[1].data[0] == self.direction:
                    return self.moves[self.key(args[0])]
                return self.totals[self.total_key(args[1])]
            case "share":
                return self.shares[args[0].args[1].data[0], e.data, self.index(e.data)]
            case "seed":
                return self.seeds[args[0].data[0]]
            case "number":
                return np.asarray(e.data)
            case "size":
                return np.asarray(float(self.size(e.data)))
            case "sum":
                return sum(
                    (1 * self.of(arg) for arg in args[1:]), 1 * self.of(args[0])
                )  # of truth, too
            case "negative":
                return -1 * self.of(args[0])
            case "product":
                made = self.of(args[0])
                for arg in args[1:]:
                    other = self.of(arg)
                    by_number = np.ndim(made) == 0 or np.ndim(other) == 0
                    made = made * other if by_number else made @ other
                return made if e.shape else np.reshape(made, ())
            case "hadamard":
                return np.prod(np.broadcast_arrays(*map(self.of, args)), axis=0)
            case "quotient":
                return self.of(args[0]) / self.of(args[1])
            case "power":
                return self.of(args[0]) ** self.of(args[1])
            case "transpose":
                return np.swapaxes(self.of(args[0]), -1, -2)
            case "ones":
                return np.ones(self.shape(e.shape))
            case "identity":
                return np.eye(self.size(e.shape[0]))
            case "zero":
                return np.zeros(self.shape(e.shape))
            case "diagonal":
                shape = self.shape(e.shape)
                return np.diag(np.broadcast_to(np.ravel(self.of(args[0])), shape[0]))
            case "kronecker":
                return np.kron(self.of(args[0]), self.of(args[1]))
            case "rows":
                return np.reshape(self.of(args[0]), self.shape(e.shape))
            case "total_sum":
                return np.sum(self.of(args[0]))
            case "stretched":
                return np.broadcast_to(self.of(args[0]), self.shape(e.shape))
            case "steps":
                return sum(self._in_steps(e.data, args[0]))
            case "stack":
                index, axis, rank = e.data
                items = [_array(item, rank) for item in self._in_steps(index, args[0])]
                return _column(np.stack(items, axis))
            case "matrix":
                return self._matrix(e)
            case "call":
                return self._call(e.data, [self.of(arg) for arg in args])
        raise AssertionError(e.kind)

    @property
    def direction(self) -> str:
        return "s"

    def _in_steps(self, index: str, of: Expression) -> Iterator[Any]:
        name = index.rpartition(",")[2]
        for t in self.ranges[name]:
            with_index = self.at
            self.at = {**with_index, name: t}
            yield self.of(of)
            self.at = with_index

    def _call(self, call: Call, args: Sequence[Any]) -> Any:
        attributes = {name: self._plain(value) for name, value in call.attributes}
        function = operation(call.name)
        arrays = [
            _array(x, len(s)) if np.shape(x) != () else x
            for x, s in zip(args, call.arguments, strict=True)
        ]
        if works_by_element(call.name):
            arrays = list(args)  # these stand in the shape of the result already
            return np.broadcast_to(function(*arrays, **attributes), _math(self.shape(call.result)))
        return _column(np.asarray(function(*arrays, **attributes)))

    def _matrix(self, e: Expression) -> Any:
        """The matrix of a linear operation, column by column."""
        _, call, slot = e.data
        others = iter([self.of(arg) for arg in e.args])
        args: list[Any] = [None if i == slot else next(others) for i in range(len(call.arguments))]
        shape = self.shape(call.arguments[slot])
        zeros = [np.zeros(_math(self.shape(s))) for s in call.arguments]
        columns = []
        for place in range(int(np.prod(shape))):
            unit = np.zeros(int(np.prod(shape)))
            unit[place] = 1
            args[slot] = unit.reshape(_math(shape))
            last = len(args) - 1
            moving = {"concatenate": range(len(args)), "put": (0, last)}.get(call.name, ())
            given = [
                z if i != slot and i in moving else x
                for i, (x, z) in enumerate(zip(args, zeros, strict=True))
            ]
            columns.append(np.ravel(self._call(call, given)))
        return np.stack(columns, axis=1)

    def _plain(self, value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(self._plain, value))
        return self.size(value)

    # ---- values -----------------------------------------------------------------------------

    ranges: dict[str, list[int]]

    def run(self) -> Numbers:
        """Evaluate the equations in their order."""
        self.ranges = {}
        self._forward(self.derivation.steps)
        return self

    def _forward(self, steps: Sequence[Step]) -> None:
        for step in steps:
            if step.loop is not None:
                self._loop_forward(step.loop)
            elif step.value is not None:
                found = np.asarray(self.told(step.value))
                shape = _math(self.shape(step.type.shape))
                assert found.shape == shape or found.size == 1, (step.symbol.data, found.shape)
                self.values[self.key(step.symbol)] = np.broadcast_to(found, shape)

    def _loop_forward(self, loop: LoopPart) -> None:
        first, count = self.size(loop.first), self.size(loop.count)
        order = list(range(first, first + count))
        self.ranges[loop.index] = order
        for symbol, start in loop.carried:
            self.values[self.key(symbol)] = self.told(start)
        for t in order[::-1] if loop.backwards else order:
            self.at = {**self.at, loop.index: t, loop.named: t}
            for item, source, axis, rank in loop.elements:
                self.read.add(item)
                whole = _array(self.told(source), rank + 1)
                self.values[self.key(item)] = _column(np.take(whole, t - first, axis))
            self._forward(loop.steps)
            for symbol, value in (*loop.nexts, *loop.collected):
                self.values[self.key(symbol)] = self.told(value)
        inside = {loop.index, loop.named}
        self.at = {name: value for name, value in self.at.items() if name not in inside}

    # ---- derivatives ------------------------------------------------------------------------

    def back(self, seeds: Mapping[str, Any] = {}) -> Numbers:
        """Evaluate the terms of every derivative, in their order."""
        self.seeds = {name: self.laid(_column(np.asarray(x))) for name, x in seeds.items()}
        self._adjoints(self.derivation.adjoints, self.derivation.steps)
        return self

    def laid(self, array: Any) -> Any:
        """A derivative by an array, as the layout has it."""
        return np.swapaxes(array, -1, -2) if self.numerator and np.ndim(array) else array

    def _adjoints(self, adjoints: Sequence[AdjointStep], steps: Sequence[Step]) -> None:
        pending = [step.loop for step in steps if step.loop is not None][::-1]
        for one in adjoints:
            starts = {p.child for p in one.parts if p.child is not None and p.product is None}
            for loop in [loop for loop in pending if starts & set(loop.entries)]:
                pending.remove(loop)
                self._loop_backward(loop)
            value = sum(self.told(part.value) for part in one.parts)
            shape = self.shape(one.symbol.shape)
            value = np.broadcast_to(value, shape)
            if one.symbol.kind == "share":
                index = one.symbol.data
                self.shares[one.of.data[0], index, self.index(index)] = value
            else:
                self.totals[self.total_key(one.of)] = value

    def _loop_backward(self, loop: LoopPart) -> None:
        for end, value in loop.ends:
            zero = np.zeros(self.shape(end.shape))
            self.totals[self.key(end.args[1])] = zero + self.told(value)
        order = self.ranges[loop.index]
        for t in order if loop.backwards else order[::-1]:
            self.at = {**self.at, loop.index: t, loop.named: t}
            for symbol, _ in loop.carried:
                name = symbol.data[0]
                step = -1 if not loop.backwards else 1
                self.totals.setdefault(
                    (name, (*self.index(symbol.data[1])[:-1], t + step)),
                    np.zeros(self.shape(self.laid_shape(symbol.shape))),
                )
            for symbol, _ in loop.collected:
                name = symbol.data[0]
                whole = self.totals.get((name, self._outside(symbol)))
                if whole is not None:
                    stack = self.laid(whole)
                    rank = _rank_of_item(symbol, stack)
                    item = _array(stack, rank + 1)[t - order[0]]
                    self.totals[self.key(symbol)] = self.laid(_column(item))
            self._adjoints(loop.adjoints, loop.steps)
        inside = {loop.index, loop.named}
        self.at = {name: value for name, value in self.at.items() if name not in inside}

    def _outside(self, symbol: Expression) -> tuple[int, ...]:
        return self.index(symbol.data[1])[:-1]

    def laid_shape(self, shape: Sequence[Any]) -> Sequence[Any]:
        return (*shape[:-2], shape[-1], shape[-2]) if self.numerator and shape else shape

    # ---- tangents ---------------------------------------------------------------------------

    def move(self, directions: Mapping[str, Any]) -> Numbers:
        """Evaluate the tangents of every value, of a derivation without loops."""
        for step in self.derivation.steps:
            key = self.key(step.symbol)
            made = np.zeros(self.shape(step.moved.shape))
            if key[0] in directions:
                made = made + self.moving(_column(np.asarray(directions[key[0]])))
            for _, term in step.tangents:
                made = made + self.told(term)
            self.moves[key] = made
        return self

    def moving(self, array: Any) -> Any:
        return array if self.numerator or not np.ndim(array) else np.swapaxes(array, -1, -2)


def _rank_of_item(symbol: Expression, stack: Any) -> int:
    """The axes of an item, whose stack has one more; a column may be a vector."""
    if not symbol.shape:
        return 0
    return 1 if stack.ndim == 2 else stack.ndim - 1


def _math(shape: Sequence[int]) -> tuple[int, ...]:
    """The shape of an array in formulas."""
    return (shape[0], 1) if len(shape) == 1 else tuple(shape)


def _column(array: Any) -> Any:
    return array[:, None] if np.ndim(array) == 1 else array


def _array(matrix: Any, rank: int) -> Any:
    """An array of so many axes, as it stands in formulas, as it is."""
    matrix = np.asarray(matrix)
    return matrix[:, 0] if rank == 1 and matrix.ndim == 2 else matrix


def slope(numbers: Numbers, step: Step, parent: Expression, h: float = 1e-6) -> Any:
    """The Jacobian of an equation by one operand, row by row, by central differences."""
    assert step.value is not None
    key = numbers.key(parent)
    at = np.array(numbers.values[key], float)
    columns = []
    for place in np.ndindex(at.shape):
        sides = []
        for sign in (1, -1):
            moved = at.copy()
            moved[place] += sign * h
            numbers.values[key] = moved
            shape = _math(numbers.shape(step.type.shape))
            sides.append(np.broadcast_to(numbers.of(step.value), shape).ravel())
        columns.append((sides[0] - sides[1]) / (2 * h))
    numbers.values[key] = at
    return np.stack(columns, axis=1) if columns else np.zeros((1, 0))
