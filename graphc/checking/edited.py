"""A module that somebody has edited or written, against what its graph computes.

The module is the user's own code, and is run. Every public function of the module that graphc makes
is called in both, at points drawn and hard; what differs is told with the function, the path, and
the statement that is not as it was written.
"""

from __future__ import annotations

import copy
import importlib.util
import inspect
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from graphc.checking.differing import difference
from graphc.checking.statements import Changed, changed_statement
from graphc.compile.stages import Options, compile_source, load
from graphc.elaborate.names.model import Model
from graphc.kinds import KINDS
from graphc.records import dataclass, replace
from graphc.sample import choose_sizes, random_arguments
from graphc.source import Diagnostic, Source, Span, error

Call = Callable[[ModuleType], Any]
"""A call of a function in a module: in that of graphc, and in the one that is checked."""

SMALL = 16
"""Bytes of a block, so that few positions are several."""
MANY = 12
"""Positions of an axis that is several blocks then."""

HARD: Mapping[str, Callable[[Any], Any]] = {
    "zeros": lambda value: np.zeros_like(value),
    "ones": lambda value: np.ones_like(value),
    "halves": lambda value: np.full_like(value, 0.5),
    "three quarters": lambda value: np.full_like(value, 0.75),
    "signs": lambda value: np.sign(value) + 0.0,
    "large numbers": lambda value: 40 * value,
    "huge numbers": lambda value: 800 * value,
    "tiny numbers": lambda value: 1e-160 * value,
}
"""Points where there are ties, kinks, poles, and numbers at the ends of their range."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a function, or another name, of a module."""

    name: str
    diagnostic: Diagnostic


def check_edited(
    source: Source, options: Options, folder: Path | None, file: Path, text: str
) -> list[Diagnostic]:
    """Compare a module with what its graph compiles to; raises GraphError where that does not."""
    edited = Source(str(file), text)
    try:
        module = _imported(file, text)
    except (Exception, SystemExit) as why:
        return [_broken(edited, why)]
    level = getattr(module, "GRAPH", {}).get("level", options.level)
    made = compile_source(source, replace(options, level=level), folder)
    right = load(made.text, f"expected_{made.model.name}")
    found = [*_shape_of_module(edited, right, module)]
    told = {one.name for one in found}
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, said in _first_differences(made.model, right, module):
            if name not in told:
                told.add(name)
                where = changed_statement(name, made.text, text, made.places)
                if where is None and name == "backward":  # it reads the cache of the other
                    if "forward" in told:
                        continue
                    where = changed_statement("forward", made.text, text, made.places)
                found.append(Finding(name, _told(edited, name, said, where)))
    return [one.diagnostic for one in found]


def _imported(file: Path, text: str) -> ModuleType:
    """Run the module under a name of its own."""
    name = f"graphc.generated.checked_{abs(hash(text))}"
    spec = importlib.util.spec_from_loader(name, None, origin=str(file))
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    module.__file__ = str(file.absolute())
    sys.modules[name] = module  # NamedTuple looks its module up
    exec(compile(text, str(file), "exec"), module.__dict__)
    return module


# ---- what is there -------------------------------------------------------------------------------


def _functions(right: ModuleType) -> list[str]:
    halves = [name for name in ("forward", "backward") if hasattr(right, name)]
    others = [name for name in ("init", "flatten", "unflatten") if hasattr(right, name)]
    return [*halves, *right.GRAPH["derived"], *others]


def _shape_of_module(edited: Source, right: ModuleType, module: ModuleType) -> Iterator[Finding]:
    """Report functions and names that are missing, or are called otherwise."""
    for name in _functions(right):
        one = getattr(module, name, None)
        if not callable(one):
            yield Finding(name, error("E430", f"the module has no function `{name}`", None))
            continue
        expected, found = _parameters(getattr(right, name)), _parameters(one)
        if expected != found:
            message = f"`{name}` takes ({', '.join(found)}), expected ({', '.join(expected)})"
            yield Finding(name, error("E431", message, _first_line(edited, one)))
    for name in ("PARAMETERS", "FLOAT"):
        if hasattr(right, name) and getattr(module, name, None) != getattr(right, name):
            message = f"`{name}` is {getattr(module, name, None)}, expected {getattr(right, name)}"
            yield Finding(name, error("E430", message, None))


def _first_line(edited: Source, function: Callable[..., Any]) -> Span | None:
    """Return where a function begins; None of one that is not written in Python."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    same = code is not None and code.co_filename == edited.name
    return _line(edited, code.co_firstlineno) if code is not None and same else None


def _parameters(function: Callable[..., Any]) -> list[str]:
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    empty = inspect.Parameter.empty
    return [
        ("*, " if one.kind is one.KEYWORD_ONLY and first is one else "")
        + one.name
        + ("" if one.default is empty else f"={one.default}")
        for first in [next((p for p in found if p.kind is p.KEYWORD_ONLY), None)]
        for one in found
    ]


# ---- calls ---------------------------------------------------------------------------------------


def _first_differences(
    model: Model, right: ModuleType, module: ModuleType
) -> Iterator[tuple[str, str]]:
    """Yield functions that compute something else, at a point, and what."""
    points = [*_points(model)]
    whole = getattr(right, "CACHE", 0), getattr(module, "CACHE", 0)
    for where, arguments in [*points, *(_sized(model, MANY) if all(whole) else [])]:
        for name, call in _calls(right, arguments):
            why = _compared(call, right, module)
            if why:
                yield name, f"{why}, at {where}"
        if where == points[-1][0] and all(whole):  # once more, in blocks of a few positions
            right.__dict__["CACHE"] = module.__dict__["CACHE"] = SMALL


def _points(model: Model) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield arguments of `forward`: drawn ones in two sizes, and hard ones."""
    sizes = choose_sizes(model)
    for seed in range(3):
        yield f"a point that was drawn (seed {seed})", random_arguments(model, seed, sizes)
    for seed in range(10, 14):
        wide = random_arguments(model, seed, sizes)
        yield f"a wide point (seed {seed})", _changed(wide, lambda value: 3 * value)
    yield from _sized(model, 1)
    yield from _sized(model, MANY)
    for name, change in HARD.items():
        yield name, _changed(random_arguments(model, 4, sizes), change)


def _sized(model: Model, size: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield arguments with one dim of this size, for each dim."""
    for name in choose_sizes(model):
        try:
            other = choose_sizes(model, {name: size})
        except ValueError:  # no graph of that size
            continue
        yield f"a point with {name} = {size}", random_arguments(model, 3 + size, other)


def _changed(arguments: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(arguments, dict):
        return {name: _changed(value, change) for name, value in arguments.items()}
    floats = np.asarray(arguments).dtype.kind == "f"
    return np.asarray(change(arguments))[()] if floats else arguments


def _calls(right: ModuleType, arguments: dict[str, Any]) -> Iterator[tuple[str, Call]]:
    """Yield what is called at a point, by the name of the function that it is about."""

    def call(name: str, **more: Any) -> Call:
        given = {**arguments, **more}
        return lambda module: _alone(getattr(module, name), given)

    yield "forward", partial(_forward, arguments=arguments)
    rng = np.random.default_rng(7)
    out = _outputs(right.forward(**arguments))
    kinds = right.GRAPH["outputs"]
    fields = dict(zip(kinds, right.Outputs._fields, strict=True))
    weights = {
        name: rng.normal(size=np.shape(getattr(out, field)))
        for name, field in fields.items()
        if kinds[name].startswith("[")
    }
    if hasattr(right, "backward"):
        by_field = {fields[name]: weights[name] for name in right.GRAPH["backward"]["outputs"]}
        yield "backward", lambda module: _backward(module, arguments, by_field)
        yield "backward", lambda module: _backward(module, arguments, {})
    for name, one in right.GRAPH["derived"].items():
        kind = KINDS[one["kind"]]
        more: dict[str, Any] = {}
        if kind.given == "cotangents":
            more = {"cotangents": {n: weights[n] for n in one["outputs"]}}
        elif kind.given == "tangents":
            values = {**arguments, **arguments.get("params", {})}
            wrt = getattr(right, "PARAMETERS", ()) if one["wrt"] == "params" else one["wrt"]
            moves = {p: rng.normal(size=np.shape(values[p])) for p in wrt if p in values}
            more = {"tangents": moves}
        yield name, call(name, **more)
        if "out" in inspect.signature(getattr(right, name)).parameters:
            yield name, partial(_into, name=name, arguments=arguments, more=more)
    for wrong in _wrong(arguments):
        yield "forward", partial(_forward, arguments=wrong)
    if hasattr(right, "init"):
        yield from _of_parameters(right, arguments)


def _of_parameters(right: ModuleType, arguments: dict[str, Any]) -> Iterator[tuple[str, Call]]:
    params = arguments["params"]
    free = {n: arguments[n] for n in inspect.signature(right.init).parameters if n in arguments}
    if len(free) == len(inspect.signature(right.init).parameters) - 1:
        yield "init", lambda module: module.init(3, **free)
        vector = right.flatten(params)
        yield "unflatten", lambda module: module.unflatten(vector, **free)
    yield "flatten", lambda module: module.flatten(params)


def _forward(module: ModuleType, arguments: dict[str, Any]) -> Any:
    """Return the outputs; what a cache holds is a matter between `forward` and `backward`."""
    return _alone(lambda **given: _outputs(module.forward(**given)), arguments)


def _wrong(arguments: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield arguments of which one does not fit."""
    for name, value in arguments.items():
        if isinstance(value, dict):
            missing = dict([*value.items()][1:])
            yield {**arguments, name: missing}
        elif isinstance(value, np.ndarray):
            yield {**arguments, name: value[None]}


def _outputs(found: Any) -> Any:
    return found if hasattr(found, "_fields") else found[0]


def _backward(module: ModuleType, arguments: dict[str, Any], weights: Mapping[str, Any]) -> Any:
    """Pull back through a cache, twice, when all else that `forward` had has changed meanwhile."""
    given = copy.deepcopy(arguments)
    out, cache = module.forward(**given)
    _spoil(given)
    _spoil(dict(zip(out._fields, out, strict=True)))
    first = module.backward(cache, **weights)
    return {path: np.array(value) for path, value in first.items()}, module.backward(
        cache, **weights
    )


def _spoil(values: Any) -> None:
    for value in values.values():
        if isinstance(value, dict):
            _spoil(value)
        elif isinstance(value, np.ndarray) and value.dtype.kind == "f":
            value += 1.0


def _into(module: ModuleType, name: str, arguments: dict[str, Any], more: Mapping[str, Any]) -> Any:
    """Return what is written into arrays of the caller's."""
    given = copy.deepcopy({**arguments, **more})
    found = getattr(module, name)(**given)
    gradients = found[-1] if isinstance(found, tuple) else found
    places = {path: np.full_like(value, 7.0) for path, value in gradients.items() if np.ndim(value)}
    again = getattr(module, name)(**given, out=places)
    same = again[-1] if isinstance(again, tuple) else again
    return [same[path] is place for path, place in places.items()], places


def _alone(function: Callable[..., Any], given: dict[str, Any]) -> Any:
    """Call with copies; what a function does to its arguments is a part of its result."""
    own = copy.deepcopy(given)
    return function(**own), difference(given, own) == ""


def _compared(call: Call, right: ModuleType, module: ModuleType) -> str:
    """Say how a call differs in two modules; "" where it does not."""
    try:
        expected = call(right)
    except Exception as wanted:
        try:
            call(module)
        except (Exception, SystemExit) as raised:
            same = type(raised) is type(wanted)
            return "" if same else f"raises {type(raised).__name__}, expected {_said(wanted)}"
        return f"accepts what does not fit, expected {_said(wanted)}"
    try:
        return difference(expected, call(module), 1e-9 if right.FLOAT is np.float64 else 1e-4)
    except (Exception, SystemExit) as raised:
        return f"raises {_said(raised)}"


def _said(raised: BaseException) -> str:
    return f"{type(raised).__name__}: {raised}".split("\n", 1)[0]


# ---- what is told --------------------------------------------------------------------------------


def _told(edited: Source, name: str, why: str, where: Changed | None) -> Diagnostic:
    message = f"`{name}` {why}"
    if where is None:
        return error("E432", message, None)
    notes = [f"it is of {where.place}"] if where.place else []
    expected = " ".join(where.expected.split())
    help = f"graphc wrote: `{expected}`" if expected else "graphc wrote no such statement"
    return error("E432", message, _line(edited, where.line), help=help, notes=notes)


def _broken(edited: Source, why: BaseException) -> Diagnostic:
    """Report a module that cannot be run."""
    lines = [one.lineno for one in traceback.extract_tb(why.__traceback__)
             if one.filename == edited.name]  # fmt: skip
    number = why.lineno if isinstance(why, SyntaxError) else (lines or [None])[-1]
    span = _line(edited, number) if number else None
    return error("E433", f"the module does not run: {_said(why)}", span)


def _line(edited: Source, number: int) -> Span | None:
    if not 0 < number <= len(edited.line_starts):
        return None
    start = edited.line_starts[number - 1]
    text = edited.line(number)
    indent = len(text) - len(text.lstrip())
    return Span(edited, start + indent, start + max(len(text), indent + 1))
