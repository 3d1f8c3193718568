"""Arrays that write down what is done with them, and sizes that are not known yet."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any, cast

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from graphc.importing.items import Value
from graphc.importing.numpy.sizes import Size as Size
from graphc.importing.numpy.storage import Parts, Storage, fitted_to
from graphc.importing.python.places import Places
from graphc.importing.sheet import Sheet
from graphc.ir.dims import Dim

DTYPES = {"float": np.dtype(np.float64), "int": np.dtype(np.int64), "bool": np.dtype(bool)}
NUMPYS = "leave `float` out, and take functions of `np` for those of `math`"
POSITION = "index by arrays of integers: `x[ids]`, `np.take(x, ids)`"
CHOICE = "choose by values: `np.where(condition, a, b)`"


class Trace:
    """A function that is being run: its sheet, its places, and the table of what it may call."""

    def __init__(
        self, sheet: Sheet, places: Places, table: dict[Any, Callable[..., Any]], root: str
    ) -> None:
        self.sheet, self.places, self.table, self.root = sheet, places, table, root
        self.constants: list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], Value]] = []

    def settle(self) -> None:
        """Take the place at hand as that of what is written now, and the names that there are."""
        self.sheet.place = self.places.here() or self.sheet.place
        for frame in self.places.frames():
            self.name(frame.f_locals)
            if frame.f_code.co_name == self.root:
                break

    def name(self, variables: dict[str, Any]) -> None:
        """Take what variables are called as the names of their values."""
        for name, held in variables.items():
            found = held.at_hand if type(held) is Traced else None
            if found is not None:
                self.sheet.book.names.setdefault(found.key, name)

    def value(self, given: Any) -> Any:
        """Return what an argument is on the sheet: a value, or a number as it is."""
        if isinstance(given, Traced):
            return given.value
        if isinstance(given, Size):
            return self.sheet.value(self.sheet.draw.expr(given.dim))
        if isinstance(given, np.ndarray) and given.dtype == object:
            return self.joined(given.tolist())
        if isinstance(given, np.ndarray):
            return self.constant(given)
        if isinstance(given, np.generic):
            return given.item()
        if isinstance(given, list | tuple):
            return self.joined(given)
        if isinstance(given, bool | int | float):
            return given
        if isinstance(given, complex):
            raise self.sheet.mistake("there are no complex numbers in the language")
        raise self.sheet.mistake(
            f"`{type(given).__name__}` is no array or number", "pass arrays of floats"
        )

    def constant(self, array: np.ndarray[Any, Any]) -> Value:
        """Return an array that the function has from elsewhere, called as it is there."""
        for held, copy, value in self.constants:
            if held is array and np.array_equal(copy, array):
                return value
        value = self.sheet.array(array, self._called(array) or "constant")
        self.constants.append((array, array.copy(), value))
        return value

    def _called(self, array: np.ndarray[Any, Any]) -> str | None:
        """Return the name that the function has for an array."""
        frame = next(self.places.frames(), None)
        scopes = [] if frame is None else [frame.f_locals, frame.f_globals]
        return next(
            (name for scope in scopes for name, held in scope.items() if held is array), None
        )

    def typed(self, given: Any) -> Value:
        """Return what an argument is on the sheet, numbers as values, too."""
        found = self.value(given)
        if isinstance(found, Value):
            return found
        return self.sheet.value(self.sheet.draw.expr(found))

    def joined(self, items: Any) -> Value:
        """Return the array of a list, with traced values in it or without."""
        if not is_traced(items):
            return self.sheet.array(np.array(items))
        return self.sheet.call("stack", *(self.typed(one) for one in items))

    def wrap(self, found: Any) -> Any:
        """Return values of the sheet as arrays of the function."""
        if isinstance(found, Value):
            return Traced(self, Storage(found))
        if type(found) in (list, tuple):
            return type(found)(self.wrap(one) for one in found)
        return found

    def call(self, function: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Write down a call of a function of NumPy."""
        self.settle()
        if isinstance(function, np.ufunc) and function not in self.table:
            return self.wrap(self.table[np.ufunc](self, function, *arguments, **named))
        if function not in self.table:
            module = getattr(function, "__module__", None) or "numpy"
            name = f"{module.replace('numpy', 'np', 1)}.{function.__name__}"
            raise self.sheet.mistake(f"`{name}` has no counterpart in the language")
        return self.wrap(self.table[function](self, *arguments, **named))

    def size(self, dim: Dim) -> Any:
        return Size(self, dim) if dim.constant is None else dim.constant


def is_own(given: Any) -> bool:
    """True for a traced array, which calls itself one of NumPy's."""
    return type(given) is Traced


def is_traced(items: Any) -> bool:
    if isinstance(items, list | tuple):
        return any(map(is_traced, items))
    return isinstance(items, Traced | Size)


class Traced(NDArrayOperatorsMixin):
    """An array of a traced function; a view has the storage of what it is a view of.

    `view` selects its elements from those of the storage; `parts` says how, where it can be written
    through.
    """

    __array_priority__ = 1000.0
    # Who asks `isinstance(x, np.ndarray)` is told so; `type` tells the truth.
    __class__ = cast(Any, property(lambda traced: np.ndarray))

    def __init__(
        self,
        trace: Trace,
        storage: Storage,
        root: Traced | None = None,
        view: Callable[[Value], Value] | None = None,
        parts: Parts | None = None,
    ) -> None:
        self.trace, self.storage, self.root = trace, storage, root
        self.view, self.parts = view, parts
        self.seen: tuple[int, Value] | None = None
        self.scalar = root is None and storage.base.rank == 0

    @property
    def value(self) -> Value:
        """Return the value at this moment."""
        sheet = self.trace.sheet
        if self.root is None:
            return self.storage.read(sheet)
        assert self.view is not None
        if self.seen is None or self.seen[0] != self.version:
            self.seen = self.version, self.view(self.root.value)
        return self.seen[1]

    @property
    def at_hand(self) -> Value | None:
        """Return the value, where it has been made already."""
        if self.root is None:
            return self.storage.whole
        return self.seen[1] if self.seen is not None and self.seen[0] == self.version else None

    @property
    def version(self) -> int:
        return self.storage.version

    def assign(self, value: Value) -> None:
        """Write the whole of the array."""
        if self.root is None:
            self.storage.replace(value)
        elif self.parts is not None:
            self.root.put(self.parts, value)
        else:
            raise self.trace.sheet.mistake(
                "what is written goes through a transpose, a reshape or the like",
                "copy it first: `y = x.T.copy()`",
            )

    def put(self, parts: Parts, value: Value) -> None:
        if self.root is None:
            self.storage.write(self.trace.sheet, parts, value)
        else:
            whole = Storage(self.value)
            whole.write(self.trace.sheet, parts, value)
            self.assign(whole.read(self.trace.sheet))

    # ---- what NumPy asks -------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **named: Any) -> Any:
        self.trace.settle()
        out = named.pop("out", None)
        function = ufunc if method == "__call__" else _Method(ufunc, method)
        found = self.trace.call(function, inputs, named)
        if out is None:
            return found
        (target,) = out
        if type(target) is not Traced:
            raise self.trace.sheet.mistake(
                "a traced array is written into one that is not",
                "make it of what is traced, or by np.zeros within the function",
            )
        if target.scalar:
            return found
        value = fitted_to(self.trace.sheet, found.value, target.value)
        target.assign(value)
        return target

    def __array_function__(self, function: Any, types: Any, inputs: Any, named: Any) -> Any:
        return self.trace.call(function, tuple(inputs), dict(named))

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise self._refused("NumPy wants the numbers of an array that is traced")

    def _refused(self, message: str, help: str | None = None) -> Exception:
        self.trace.settle()
        return self.trace.sheet.mistake(message, help)

    def _number(self, what: str, help: str) -> Any:
        known = self.storage.known if self.root is None else None
        if known is None or known.ndim:
            raise self._refused(f"{what} is made of what is only computed later", help)
        return known.item()

    def __bool__(self) -> bool:
        if self.root is None and self.storage.known is not None:
            return bool(self.storage.known)
        raise self._refused("the flow of control depends on a value", CHOICE)

    def __float__(self) -> float:
        return float(self._number("a number of Python's", NUMPYS))

    def __int__(self) -> int:
        return int(self._number("an integer of Python's", NUMPYS))

    def __index__(self) -> int:
        return operator.index(self._number("a position", POSITION))

    def __complex__(self) -> complex:
        raise self._refused("there are no complex numbers in the language")

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("len() of unsized object")
        return operator.index(self.shape[0])

    def __iter__(self) -> Iterator[Any]:
        return (self[at] for at in range(len(self)))

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"<traced {self.value.type.beside(self.value.type)}>"

    def __format__(self, wanted: str) -> str:
        return repr(self)

    # ---- what arrays have ------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[Any, ...]:
        return tuple(self.trace.size(axis) for axis in self.value.shape)

    @property
    def ndim(self) -> int:
        return self.value.rank

    @property
    def size(self) -> Any:
        return self.trace.size(self.value.type.size)

    @property
    def dtype(self) -> Any:
        return DTYPES[self.value.dtype]

    @property
    def T(self) -> Traced:
        return self.trace.call(np.transpose, (self,), {})  # type: ignore[no-any-return]

    @property
    def mT(self) -> Traced:  # noqa: N802
        return self.trace.call(np.matrix_transpose, (self,), {})  # type: ignore[no-any-return]

    @property
    def real(self) -> Traced:
        return self

    @property
    def flat(self) -> Traced:
        return self.trace.call(np.ravel, (self,), {})  # type: ignore[no-any-return]

    def copy(self, *_: Any, **__: Any) -> Traced:
        return Traced(
            self.trace, Storage(self.value, self.storage.known if self.root is None else None)
        )

    def __copy__(self) -> Traced:
        return self.copy()

    def __deepcopy__(self, _: Any) -> Traced:
        return self.copy()

    def __getattr__(self, name: str) -> Any:
        function = METHODS.get(name)
        if name.startswith("__") or function is None:
            raise AttributeError(f"a traced array has no `{name}`")
        return lambda *inputs, **named: self.trace.call(function, (self, *inputs), named)

    def __getitem__(self, key: Any) -> Any:
        self.trace.settle()
        return self.trace.table["getitem"](self.trace, self, key)

    def __setitem__(self, key: Any, given: Any) -> None:
        self.trace.settle()
        self.trace.table["setitem"](self.trace, self, key, given)


class _Method(tuple[Any, str]):
    """A method of a ufunc, as `np.add.reduce`."""

    __slots__ = ()

    def __new__(cls, ufunc: Any, method: str) -> _Method:
        return super().__new__(cls, (ufunc, method))

    @property
    def __name__(self) -> str:
        return f"{self[0].__name__}.{self[1]}"


OWN = """
    all any argmax argmin argsort clip cumprod cumsum diagonal dot max mean min nonzero prod ravel
    repeat reshape round searchsorted sort squeeze std sum swapaxes take trace transpose var
"""
METHODS: dict[str, Any] = {name: getattr(np, name) for name in OWN.split()} | {
    name: name for name in ("flatten", "astype", "conj", "item", "fill", "tolist")
}
"""Methods of arrays, as the functions that they are."""
