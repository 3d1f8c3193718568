"""What each expression is worth in a body."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.syntax import tree
from tests.fuzz.meaning.arrays import array, floats, is_float, known, power, space
from tests.fuzz.meaning.bodies import EXPRESSIONS, Frame, Library
from tests.fuzz.meaning.calls import call, path_words
from tests.fuzz.meaning.functions import NAMED, matmul


def _member(frame: Frame, one: tree.Member, names: tuple[str, ...]) -> Any:
    """A parameter by its path, a node of a block or of an iteration, or a transpose."""
    words = path_words(one) if isinstance(_root(one), tree.Name) else [""]
    if words[0] and words[0] in frame.blocks and isinstance(frame.blocks[words[0]], Library):
        return frame.blocks[words[0]].blocks[words[1]]
    owner = frame.owner(words[0]) if words[0] else None
    if owner is not None and owner.prefix is not None:
        path = owner.prefix + ".".join(words)
        if path in frame.world.moved:
            return frame.world.moved[path]
        if path in frame.world.params:
            return frame.world.params[path]
        if words[-1] != "T":
            owner.execute(owner.defined[words[0]])
            if path in frame.world.found:
                return frame.world.found[path]
    assert one.name.text == "T", words
    return array(frame.evaluate(one.value).T)


def _root(one: Any) -> Any:
    while isinstance(one, tree.Member):
        one = one.value
    return one


def _subscript(frame: Frame, one: tree.Subscript, names: tuple[str, ...]) -> Any:
    value = frame.evaluate(one.value)
    if isinstance(value, list):
        return value[frame.evaluate(one.indices[0])]
    index = tuple(_part(frame, each) for each in one.indices)
    try:
        return array(value[index])
    except IndexError:  # an element of nothing, in a step that is not taken
        axes = [each for each in index if each is not None]
        chosen = [place for place, each in enumerate(axes) if isinstance(each, int)]
        shape = [n or int(place in chosen) for place, n in enumerate(np.shape(value))]
        return np.zeros(shape)[index]


def _part(frame: Frame, one: Any) -> Any:
    match one:
        case tree.Slice():
            return slice(*(None if e is None else int(frame.evaluate(e))
                           for e in (one.start, one.stop, one.step)))  # fmt: skip
        case tree.Dots():
            return Ellipsis
        case tree.NewAxis():
            return None
    return frame.evaluate(one)


def _name(frame: Frame, one: tree.Name, names: tuple[str, ...]) -> Any:
    return frame.lookup(one.text)


def _unary(frame: Frame, one: tree.Unary, names: tuple[str, ...]) -> Any:
    value = frame.evaluate(one.operand)
    if one.op == "not":
        return not value if isinstance(value, bool) else array(space(value).logical_not(value))
    return value if one.op == "+" else _kept(value, -value)


def _kept(like: Any, value: Any) -> Any:
    return value if isinstance(like, int | float) else array(value)


def _binary(frame: Frame, one: tree.Binary, names: tuple[str, ...]) -> Any:
    left, right = frame.evaluate(one.left), frame.evaluate(one.right)
    if all(isinstance(x, int | float | bool | str) for x in (left, right)):
        if one.op in LOGICAL:
            return (left and right) if one.op == "and" else (left or right)
        return OPERATORS[one.op](left, right)
    left, right = _tensor(left), _tensor(right)
    return array(TENSOR_OPERATORS.get(one.op, OPERATORS[one.op])(left, right))


def _tensor(x: Any) -> Any:
    """Lists are tensors; floats are NumPy's, which divide by zero as arrays do."""
    if isinstance(x, list):
        return np.asarray(x)
    return array(x) if not isinstance(x, int) else x


def _list(frame: Frame, one: tree.ListOf, names: tuple[str, ...]) -> Any:
    return [frame.evaluate(item) for item in one.items]


def _divide(a: Any, b: Any) -> Any:
    return floats(a) / floats(b)


LOGICAL = ("and", "or")


OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv,
    "//": operator.floordiv, "%": operator.mod, "**": operator.pow, "==": operator.eq,
    "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    "@": matmul, "and": lambda a, b: space(a, b).logical_and(a, b),
    "or": lambda a, b: space(a, b).logical_or(a, b),
}  # fmt: skip


TENSOR_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "/": _divide, "**": power, "%": NAMED["mod"],
    "//": lambda a, b: space(a, b).floor(known(a) / known(b))
    if is_float(a) or is_float(b) else a // b,
    **{op: (lambda f: lambda a, b: f(known(a), known(b)))(OPERATORS[op])
       for op in ("==", "!=", "<", "<=", ">", ">=")},
}  # fmt: skip


EXPRESSIONS |= {
    tree.Name: _name, tree.Member: _member, tree.Subscript: _subscript, tree.Unary: _unary,
    tree.Binary: _binary, tree.ListOf: _list,
    tree.Number: lambda frame, one, names: one.value,
    tree.Truth: lambda frame, one, names: one.value,
    tree.Text: lambda frame, one, names: one.value,
    tree.Call: call,
}  # fmt: skip
