"""What makes arrays in a traced function: replaced while it runs, for NumPy does not ask there."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import numpy as np

from graphc.importing.items import Value
from graphc.importing.numpy.arrays import Size, Trace, Traced, is_own, is_traced
from graphc.importing.numpy.elementwise import TABLE, cast
from graphc.importing.numpy.shapes import sizes, whole
from graphc.importing.numpy.storage import Storage

Maker = Callable[..., Any]

NAMES = """
    array asarray asanyarray ascontiguousarray zeros ones empty full eye identity arange linspace
    r_ c_
"""
ORIGINAL = {name: getattr(np, name) for name in NAMES.split()}


def made(trace: Trace, array: Any) -> Any:
    """Return an array that the function may write into; integers stay numbers."""
    if array.dtype.kind not in "fb" or not array.ndim:
        return array
    return Traced(trace, Storage(trace.sheet.array(array), array))


def _filled(name: str) -> Callable[[Trace], Maker]:
    def maker(trace: Trace) -> Maker:
        def make(shape: Any, *given: Any, **named: Any) -> Any:
            trace.settle()
            dtype = given[-1] if given and name != "full" else named.get("dtype", float)
            kind = np.dtype(dtype if dtype is not None else float).kind
            wanted = sizes(trace, shape)
            if kind != "f" and all(isinstance(size, int) for size in wanted):
                plain = ORIGINAL[name](shape, *given, **named)
                if not plain.ndim:
                    return plain
                return Traced(trace, Storage(trace.sheet.array(plain), plain))
            if name == "full":
                filled = given[0] if given else named["fill_value"]
                value = trace.value(filled)
                if isinstance(value, int) and "dtype" not in named and len(given) < 2:
                    value = trace.sheet.value(trace.sheet.draw.expr(value))
                if isinstance(value, Value):
                    return trace.wrap(trace.sheet.call("broadcast_to", value, wanted))
                return trace.wrap(trace.sheet.call("full", wanted, value))
            if not wanted:
                return trace.wrap(trace.typed(1.0 if name == "ones" else 0.0))
            return trace.wrap(trace.sheet.call("ones" if name == "ones" else "zeros", wanted))

        return make

    return maker


def _array(trace: Trace) -> Maker:
    def array(given: Any, dtype: Any = None, *more: Any, copy: Any = True, ndmin: int = 0,
              **named: Any) -> Any:  # fmt: skip
        trace.settle()
        if type(given) is Traced:
            found: Value = given.value
        elif isinstance(given, Size):
            found = trace.typed(given)
        elif is_traced(given):
            found = trace.joined(given)
        else:
            return made(trace, ORIGINAL["array"](given, dtype, ndmin=ndmin))
        if dtype is not None:
            kinds = {"f": "float", "i": "int", "b": "bool"}
            kind = kinds.get(np.dtype(dtype).kind)
            found = cast(trace, found, kind, str(np.dtype(dtype)))
        return trace.wrap(found)

    return array


def _same(trace: Trace) -> Maker:
    array = _array(trace)

    def asarray(given: Any, dtype: Any = None, *more: Any, **named: Any) -> Any:
        if type(given) is Traced and dtype is None:
            return given
        if isinstance(given, np.ndarray) and not is_own(given):
            return ORIGINAL["asarray"](given, dtype)
        return array(given, dtype)

    return asarray


def _eye(trace: Trace) -> Maker:
    def eye(N: Any, M: Any = None, k: int = 0, dtype: Any = float, **_: Any) -> Any:
        trace.settle()
        other = None if M is None else whole(trace, M)
        return trace.wrap(trace.sheet.call("eye", whole(trace, N), other, k=k or None))

    return eye


def _arange(trace: Trace) -> Maker:
    def arange(*given: Any, **named: Any) -> Any:
        if not is_traced(list(given)):
            return ORIGINAL["arange"](*given, **named)
        trace.settle()
        start, stop, step = (0, *given, 1) if len(given) == 1 else (*given, 1)[:3]
        if step != 1:
            raise trace.sheet.mistake("a range of open size has the step 1")
        count = stop - start
        found = trace.sheet.call("arange", whole(trace, count))
        if start != 0:
            found = trace.sheet.binary("+", found, whole(trace, start))
        return trace.wrap(found)

    return arange


def _linspace(trace: Trace) -> Maker:
    def linspace(start: Any, stop: Any, num: Any = 50, endpoint: bool = True, **named: Any) -> Any:
        if not is_traced([start, stop, num]):
            return ORIGINAL["linspace"](start, stop, num, endpoint=endpoint, **named)
        trace.settle()
        sheet, count = trace.sheet, whole(trace, num)
        first, last = trace.value(start), trace.value(stop)
        if all(isinstance(one, int | float) for one in (first, last)) and endpoint:
            return trace.wrap(sheet.call("linspace", float(first), float(last), count))
        steps = sheet.call("linspace", 0.0, 1.0, count + (not endpoint))
        steps = steps if endpoint else sheet.subscript(steps, slice(None, -1))
        span = sheet.binary("-", last, first)
        return trace.wrap(sheet.binary("+", first, sheet.binary("*", span, steps)))

    return linspace


class _Joined:
    """`np.r_` and `np.c_` of arrays and numbers."""

    def __init__(self, trace: Trace, name: str) -> None:
        self.trace, self.name = trace, name

    def __getitem__(self, key: Any) -> Any:
        parts = key if isinstance(key, tuple) else (key,)
        if not is_traced(list(parts)):
            return ORIGINAL[self.name][key]
        joining = np.column_stack if self.name == "c_" else np.hstack
        return self.trace.call(joining, ([np.asarray(one) if isinstance(one, list) else one
                                          for one in parts],), {})  # fmt: skip


MAKERS: dict[str, Callable[[Trace], Any]] = {
    "array": _array, "asarray": _same, "asanyarray": _same, "ascontiguousarray": _same,
    "zeros": _filled("zeros"), "ones": _filled("ones"), "empty": _filled("empty"),
    "full": _filled("full"), "eye": _eye, "identity": _eye, "arange": _arange,
    "linspace": _linspace, "r_": lambda trace: _Joined(trace, "r_"),
    "c_": lambda trace: _Joined(trace, "c_"),
}  # fmt: skip


def _special(name: str) -> Callable[[Trace], Maker]:
    """Make a function of `scipy.special` that is written in Python."""

    def maker(trace: Trace) -> Maker:
        def call(x: Any, axis: Any = None, b: Any = None, keepdims: bool = False, **_: Any) -> Any:
            trace.settle()
            along = list(axis) if isinstance(axis, tuple) else axis
            if name == "logsumexp":
                found = trace.sheet.call(
                    name, trace.value(x), axis=along, keepdims=keepdims or None
                )
                return trace.wrap(found)
            given = trace.typed(x)
            if along is None and given.rank != 1:
                raise trace.sheet.mistake(f"`{name}` goes along one axis", "write `axis=-1`")
            return trace.wrap(trace.sheet.call(name, given, axis=-1 if along is None else along))

        return call

    return maker


def _for_users(trace: Trace, original: Any, made: Any) -> Any:
    """Return what users' functions call instead; libraries call what they always do."""
    if not callable(original):
        return made

    @wraps(original)
    def call(*given: Any, **named: Any) -> Any:
        frame = sys._getframe(1)
        users = trace.places.is_users(frame.f_code.co_filename)
        if users and _draws(trace.places.callee(frame)):
            trace.settle()
            raise trace.sheet.mistake("random numbers are drawn", "draw them outside, as an input")
        return (made if users else original)(*given, **named)

    return call


def _draws(called: Any) -> bool:
    """True of the functions of `numpy.random`: compiled, they have no frame, and write to memory
    that they take to be an array's.
    """
    owner = getattr(called, "__self__", None)
    return type(owner).__module__.startswith("numpy.random")


SPECIAL = ("logsumexp", "softmax", "log_softmax")


@contextmanager
def replaced(trace: Trace, function: Any) -> Iterator[None]:
    """Replace what makes arrays, in NumPy and where a function's module has its names."""
    undo: list[tuple[dict[str, Any], str, Any]] = []

    def put(holder: dict[str, Any], name: str, new: Any) -> None:
        undo.append(
            (holder, name, holder[name] if isinstance(holder, dict) else getattr(holder, name))
        )
        if isinstance(holder, dict):
            holder[name] = new
        else:
            setattr(holder, name, new)

    new = {name: _for_users(trace, ORIGINAL[name], maker(trace)) for name, maker in MAKERS.items()}
    special = sys.modules.get("scipy.special")
    swaps = {id(ORIGINAL[name]): made for name, made in new.items()}
    kept = list(ORIGINAL.values())
    try:
        for name, made_ in new.items():
            put(vars(np), name, made_)
        if special is not None:
            for name in SPECIAL:
                original = getattr(special, name)
                made_ = _for_users(trace, original, _special(name)(trace))
                swaps[id(original)] = made_
                kept.append(original)
                put(vars(special), name, made_)
        scope = getattr(function, "__globals__", {})
        for name, held in list(scope.items()):
            if id(held) in swaps:
                put(scope, name, swaps[id(held)])
        yield
    finally:
        for holder, name, before in reversed(undo):
            holder[name] = before


def _item(trace: Trace, array: Any) -> Any:
    return array


TABLE["item"] = _item
TABLE["fill"] = lambda trace, array, number: array.__setitem__(..., number)
TABLE["tolist"] = lambda trace, array: [one if one.ndim == 0 else one.tolist() for one in array]
