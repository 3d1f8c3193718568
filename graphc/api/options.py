"""What may be said beside a file, as keyword arguments by the names of the command's options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from graphc.kinds import MODES
from graphc.source import near_or_all

if TYPE_CHECKING:
    from graphc.compile.options import Options

LEVELS = (0, 2)
DTYPES = ("float64", "float32")


class CompileOptions(TypedDict, total=False):
    """The options of `graphc compile`, with its defaults.

    level      2, the fast module, or 0, a readable statement a node
    dim        sizes by dim, `{"B": 32}`
    const      values by const: numbers, bools, strings, lists of them
    dtype      "float64" or "float32"
    derive     clauses in the place of those of the file, `["grad loss wrt x"]`
    mode       of Jacobians and Hessians: "forward", "reverse", "mixed"; by default the cheapest
    memory     at most this for each function, as "256MB" or "50%"
    trace_nan  adds `trace`, which finds the first node that makes nan or an infinity
    split      a dim: adds functions that compute the derived ones chunk by chunk of its rows
    """

    level: int
    dim: Mapping[str, int]
    const: Mapping[str, Any]
    dtype: str
    derive: str | Sequence[str]
    mode: str
    memory: str
    trace_nan: bool
    split: str


def canonical(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return all options as JSON can say them.

    Raises TypeError where one is unknown or of another kind, ValueError where it has no such value.
    """
    for name in given:
        if name not in CompileOptions.__annotations__:
            near = near_or_all(name, CompileOptions.__annotations__, "there are")
            raise TypeError(f"no option `{name}`; {near}")
    level, derive = given.get("level", LEVELS[-1]), given.get("derive", ())
    dtype = getattr(given.get("dtype", DTYPES[0]), "__name__", str(given.get("dtype", DTYPES[0])))
    mode, memory = given.get("mode", ""), given.get("memory", "")
    if type(level) is not int or level not in LEVELS:
        raise ValueError(f"level: {level!r} is not 0, the readable one, or 2, the fast one")
    if dtype not in DTYPES:
        raise ValueError(f"dtype: `{dtype}` is not float64 or float32")
    if mode not in ("", *MODES):
        raise ValueError(f"mode: {mode!r} is not forward, reverse or mixed")
    if not isinstance(memory, str):
        raise TypeError(f'memory: {memory!r} is no text, as "256MB" or "50%"')
    clauses = [derive] if isinstance(derive, str) else [*derive]
    return {
        "level": level,
        "dim": {name: _size(name, size) for name, size in given.get("dim", {}).items()},
        "const": {name: _literal(name, value) for name, value in given.get("const", {}).items()},
        "dtype": dtype,
        "derive": clauses,
        "mode": mode,
        "memory": memory,
        "trace_nan": bool(given.get("trace_nan", False)),
        "split": str(given.get("split", "")),
    }


def options_of(said: Mapping[str, Any]) -> Options:
    """Return the compiler's record of canonical options; raises ValueError."""
    from graphc.compile.options import Options
    from graphc.optimise.memory.budget import budget

    if said["memory"]:
        try:
            budget(said["memory"])
        except ValueError as why:
            raise ValueError(f"memory: {why}") from None
    return Options(
        dims=said["dim"],
        consts=said["const"],
        dtype=said["dtype"],
        derive=tuple(said["derive"]),
        level=f"-O{said['level']}",
        mode=said["mode"],
        memory=said["memory"],
        trace=said["trace_nan"],
        split=said["split"],
    )


def _size(name: str, given: Any) -> int:
    size = given.__index__() if hasattr(given, "__index__") else 0
    if isinstance(given, bool) or size < 1:
        raise ValueError(f"dim {name}: {given!r} is not a positive integer")
    return int(size)


def _literal(name: str, value: Any) -> str:
    """Write a value as the language does."""
    plain = value.tolist() if hasattr(value, "tolist") else value  # NumPy's numbers and arrays
    match plain:
        case bool():
            return "true" if plain else "false"
        case int() | float():
            return repr(plain)
        case str():
            escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}
            return '"' + "".join(escapes.get(letter, letter) for letter in plain) + '"'
        case list() | tuple():
            return f"[{', '.join(_literal(name, one) for one in plain)}]"
    raise TypeError(f"const {name}: {value!r} is no number, bool, string or list of these")
