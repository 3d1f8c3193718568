"""Functions of the C target, compiled and called: with the arguments of the NumPy module."""

from __future__ import annotations

import ctypes
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from calling import PLAIN, call, given

from graphc.compile.stages import Compilation, Options, load
from graphc.elaborate.names.model import Model
from graphc.ir.results import DATA, INDICES, ROWS, WHOLE, ResultKey
from graphc.sample import choose_sizes
from graphc.source import Source
from graphc.targets.c.contract import Argument, CFunction, CModule, contract
from tests.patience import PATIENCE

STRICT = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror")
TYPES = {"int": np.int64, "bool": np.uint8}


@functools.cache
def compiler() -> tuple[str, ...]:
    """The command of a C compiler: that of the machine, or the one that a wheel brings."""
    found = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if found:
        return (found,)
    assert find_spec("ziglang"), "no C compiler: install the wheel `ziglang`"
    return (sys.executable, "-m", "ziglang", "cc")


@dataclass(frozen=True)
class Library:
    """The functions of a graph in C, as a shared library; how they are called, and its model."""

    module: CModule
    model: Model
    loaded: ctypes.CDLL
    text: str
    fields: Mapping[str, str]

    def call(
        self,
        name: str,
        arguments: Mapping[str, Any],
        dims: Mapping[str, int],
        passed: Mapping[str, int] | None = None,
    ) -> Any:
        """The status of a function, its results by key, and its cache.

        Arrays are made for the dims, which may not be those that are `passed`.
        """
        (one,) = (f for f in self.module.functions if f.function == name)
        sizes = [dims[dim] for dim in self.module.dims]
        cache: list[Any] = []
        if one.cache == "read":
            cache = [self._forward(arguments, dims)]
        elif one.cache == "made":
            cache = [block(self.size(self.module.sizes, sizes))]
        made = {a.key: self._empty(a, dims) for a in one.results}
        given = [
            made[a.key] if a.written else self._given(a, arguments, dims) for a in one.arguments
        ]
        work = block(self.size(one.workspace, sizes))
        function = getattr(self.loaded, one.name)
        told = [(dims if passed is None else passed)[dim] for dim in self.module.dims]
        arrays = [pointers(a, x) for a, x in zip(one.arguments, given, strict=True)]
        status = function(
            *(ctypes.c_ssize_t(n) for n in told),
            *(x[0] for x in arrays),
            *(address(x) for x in (*cache, work)),
        )
        assert untouched(work), f"{name} writes behind its workspace"
        if one.cache == "made" and status == 0:
            assert untouched(cache[0]), f"{name} writes behind its cache"
        return status, made, cache

    def _forward(self, arguments: Mapping[str, Any], dims: Mapping[str, int]) -> Any:
        rest = {k: v for k, v in arguments.items() if k != "cotangents"}
        status, _, cache = self.call("forward", rest, dims)
        assert status == 0
        return cache[0]

    def size(self, name: str, sizes: Sequence[int]) -> int:
        function = getattr(self.loaded, name)
        function.restype = ctypes.c_size_t
        return int(function(*map(ctypes.c_ssize_t, sizes)))

    def why(self, status: int) -> str:
        """The text of a status."""
        function = getattr(self.loaded, self.module.why)
        function.restype = ctypes.c_char_p
        return bytes(function(status)).decode()

    def _dtype(self, argument: Argument) -> Any:
        return TYPES.get(argument.dtype, np.dtype(self.module.dtype))

    def _shape(self, argument: Argument, dims: Mapping[str, int]) -> tuple[int, ...]:
        return tuple(axis.evaluate(dims) for axis in argument.shape)

    def _empty(self, argument: Argument, dims: Mapping[str, int]) -> Any:
        def one() -> Any:
            return np.full(self._shape(argument, dims), 77, self._dtype(argument))

        return [one() for _ in range(argument.members)] if argument.members else one()

    def _given(self, argument: Argument, arguments: Mapping[str, Any], dims: Any) -> Any:
        if argument.role == "input":
            begin = {d.name: name for d, name in self._variables()}
            found = arguments[begin[argument.of]]
        elif argument.role == "parameter":
            declared = {d.name: d for d in self.model.params}[argument.of]
            members = [arguments["params"][path] for path in declared.paths]
            found = members if argument.members else members[0]
        else:
            among = arguments[f"{argument.role}s"]
            if argument.members:
                declared = {d.name: d for d in self.model.params}[argument.of]
                found = [among[path] for path in declared.paths]
            else:
                found = among[argument.of]
        dtype = self._dtype(argument)
        if argument.members:
            return [np.ascontiguousarray(one, dtype) for one in found]
        return np.ascontiguousarray(found, dtype)

    def _variables(self) -> list[tuple[Any, str]]:
        return [(d, self.fields[d.name]) for d in self.model.inputs]


GUARD = 64


def block(size: int) -> Any:
    """So many bytes that hold something, with more behind them that nobody may touch."""
    return np.full(size + GUARD, 0xA5, np.uint8)


def untouched(made: Any) -> bool:
    return bool(np.all(made[-GUARD:] == 0xA5))


def address(array: Any) -> Any:
    return ctypes.c_void_p(array.ctypes.data)


def pointers(argument: Argument, array: Any) -> tuple[Any, Any]:
    """What is passed for an array, or for those of a family; and what must outlive the call."""
    if not argument.members:
        return address(array), array
    table = (ctypes.c_void_p * len(array))(*(one.ctypes.data for one in array))
    return table, array


def compiled(
    graph: str | Path, options: Options, folder: Path | None = None, flags: Sequence[str] = ()
) -> Library:
    """Compile a graph to C, and that to a library."""
    if isinstance(graph, Path):
        source, folder = Source("graph", graph.read_text(encoding="utf-8")), graph.parent
    else:
        source = Source("graph", graph)
    compilation = Compilation(source, replace(options, target="c"), folder)
    text, header = compilation.text, compilation.beside[".h"]
    with compilation.open():
        module = contract(compilation.programs)
    name = compilation.model.name
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / f"{name}.c").write_text(text, encoding="utf-8")
        (folder / f"{name}.h").write_text(header, encoding="utf-8")
        library = folder / "library.so"
        command = [*compiler(), *STRICT, "-O1", "-shared", "-fPIC", *flags]
        command += ["-include", str(folder / f"{name}.h"), str(folder / f"{name}.c")]
        command += ["-o", str(library), "-lm"]
        plain = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
        ran = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, check=False, env=plain
        )
        assert ran.returncode == 0, f"{ran.stderr[:3000]}\n{text}"
        loaded = ctypes.CDLL(str(library))
    variables = compilation.programs.begin.variables
    return Library(module, compilation.model, loaded, text, variables)


def by_key(model: Model, one: CFunction, returned: Any, fields: Mapping[str, str]) -> Any:
    """What a function of the NumPy module returns, by the keys of results."""
    kind = one.kind
    if one.function == "forward":
        record = returned[0] if len(model_wrt(model)) else returned
        return {k: getattr(record, fields[k.of]) for k in keys(one)}
    if one.function == "backward":
        return {k: _path(model, returned[2], k.by) for k in keys(one)}
    values, rest = returned if kind.has_values else (None, returned)
    if ROWS in keys(one):  # of a sparse Hessian: entries that SciPy has added up
        return {key: values for key in keys(one) if key.kind == "value"} | {WHOLE: rest.toarray()}
    if kind.returns == "values":
        values = returned
    found = {}
    for key in keys(one):
        if key.kind == "value":
            found[key] = getattr(values, fields[key.of]) if hasattr(values, "_fields") else values
        elif key.kind == "gradient":
            found[key] = _path(model, rest[0] if kind.returns == "products" else rest, key.by)
        elif key.kind == "product":
            found[key] = _path(model, rest[1], key.by)
        elif key.kind == "tangent":
            found[key] = getattr(rest, fields[key.of])
        elif key.kind in ("jacobian", "hessian"):
            found[key] = _blocks(model, rest, key, one)
        elif key.kind == "whole":
            found[key] = rest
        else:
            found[key] = getattr(rest, key.kind)
    return found


def model_wrt(model: Model) -> dict[str, Any]:
    return dict(model.backward.wrt)


def keys(one: CFunction) -> list[ResultKey]:
    return [a.key for a in one.results if a.key is not None]


def _path(model: Model, among: Mapping[str, Any], path: str) -> Any:
    families = {d.name: d for d in model.params if d.family is not None}
    return [among[p] for p in families[path].paths] if path in families else among[path]


def _blocks(model: Model, among: Any, key: ResultKey, one: CFunction) -> Any:
    """A block; of families those of the members, along their axes."""
    families = {d.name: d for d in model.params if d.family is not None}
    rows = families[key.of].paths if key.of in families else [key.of]
    columns = families[key.by].paths if key.by in families else [key.by]
    return [[among[a][b] for b in columns] for a in rows]


def compare(
    graph: str | Path,
    options: Options = PLAIN,
    seed: int = 0,
    dims: Mapping[str, int] | Sequence[Mapping[str, int]] | None = None,
    values: Mapping[str, Any] | None = None,
    tolerance: float | None = None,
    moved: Sequence[Mapping[str, Any]] = (),
    **more: Any,
) -> Library:
    """Hold that all functions of a graph compute in C what they do in NumPy, at dims or several.

    Arguments are drawn, but for the `values` by what the module calls them. Where there are values
    that are `moved` by a rounding, results may be further apart by what NumPy's move then.
    """
    library = compiled(graph, options, **more)
    folder = graph.parent if isinstance(graph, Path) else None
    source = graph.read_text(encoding="utf-8") if isinstance(graph, Path) else graph
    numpy = Compilation(Source("graph", source), options, folder)
    module = load(numpy.text, "by_numpy")
    sizes = choose_sizes(numpy.model) if dims is None else dims
    for one in [sizes] if isinstance(sizes, Mapping) else sizes:
        drawn = given(numpy.model, seed, one)
        _agree(library, numpy, module, one, drawn, [values or {}, *moved], tolerance)
    return library


def _agree(
    library: Library,
    numpy: Compilation,
    module: Any,
    dims: Mapping[str, int],
    drawn: Mapping[str, Mapping[str, Any]],
    values: Sequence[Mapping[str, Any]],
    tolerance: float | None,
) -> None:
    """Hold that all functions agree, called with the arguments that are drawn."""
    fields = numpy.programs.begin.fields
    bound = tolerance or (1e-13 if library.module.dtype == "float64" else 1e-5)

    def expected(one: CFunction, own: Mapping[str, Any]) -> dict[ResultKey, Any]:
        with np.errstate(all="ignore"):
            returned = _call(module, one.function, {**drawn[one.function], **own}, fields)
        return dict(by_key(numpy.model, one, returned, fields))

    for one in library.module.functions:
        name = one.function
        status, made, _ = library.call(name, {**drawn[name], **values[0]}, dims)
        assert status == 0, (name, status)
        right = expected(one, values[0])
        if ROWS in made:
            made = _assembled(made, right[WHOLE])
        near: list[dict[ResultKey, Any]] | None = None
        for key, value in right.items():
            try:
                close(made[key], value, bound, f"{name}: {key}")
            except AssertionError:
                if near is None:
                    near = [expected(one, own) for own in values[1:]]
                if not _multiplied(library.module.dtype, value, made[key], [x[key] for x in near]):
                    raise


def _assembled(made: Mapping[ResultKey, Any], like: Any) -> dict[ResultKey, Any]:
    """The results of a sparse Hessian with all of it in the place of its entries."""
    data, rows, columns = (np.ravel(made[key]) for key in (DATA, ROWS, INDICES))
    half = np.zeros_like(like)
    np.add.at(half, (rows, columns), 0.5 * data)
    rest = {key: one for key, one in made.items() if key not in (DATA, ROWS, INDICES)}
    return rest | {WHOLE: half + half.T}


def _multiplied(dtype: str, value: Any, made: Any, near: Sequence[Any]) -> bool:
    """True if NumPy's own results move by as much where arguments are rounded otherwise."""
    value, made, *near = (
        np.concatenate([np.ravel(np.asarray(x, float)) for x in _leaves(one)])
        for one in (value, made, *near)
    )
    roundings = (1e-13 if dtype == "float64" else 1e-5) / np.finfo(dtype).eps
    with np.errstate(invalid="ignore"):
        swing = max((np.max(np.abs(one - value), initial=0.0) for one in near), default=0.0)
        return not np.max(np.abs(made - value), initial=0.0) > roundings * swing


def _call(module: Any, name: str, arguments: Mapping[str, Any], fields: Mapping[str, str]) -> Any:
    """What a function returns; cotangents of `backward` have the names of fields."""
    given = dict(arguments)
    if name == "backward":
        given["cotangents"] = {fields[of]: ct for of, ct in given["cotangents"].items()}
    return call(module, name, given)


def close(made: Any, expected: Any, bound: float, what: str) -> None:
    """Hold that numbers agree, relative to the largest of them."""
    if isinstance(expected, list):
        flat = np.concatenate([np.ravel(np.asarray(x, float)) for x in _leaves(expected)])
        own = np.concatenate([np.ravel(np.asarray(x, float)) for x in _leaves(made)])
        expected, made = np.sort(flat), np.sort(own)
    expected, made = np.asarray(expected, float), np.asarray(made, float)
    assert expected.shape == made.shape, (what, expected.shape, made.shape)
    finite = np.isfinite(expected)
    assert np.array_equal(expected[~finite], made[~finite], equal_nan=True), what
    scale = np.max(np.abs(expected[finite]), initial=1.0)
    worst = np.max(np.abs(made[finite] - expected[finite]), initial=0.0) / scale
    assert worst <= bound, f"{what}: {worst:.2g} apart\n{made}\n{expected}"


def _leaves(value: Any) -> Any:
    if isinstance(value, list):
        for one in value:
            yield from _leaves(one)
    else:
        yield value
