"""Names of the language as Python identifiers, and the names that a generated module needs itself.

No two meanings share a name. What the module's text says literally is reserved, or private: it
begins with `_` and does not end with one. `identifier` keeps the user's names out of both, and a
Scope what is made of these: they stay as they are written, and what the module makes gives way.
"""

from __future__ import annotations

import builtins
import keyword
import math
import re
import sys
from collections.abc import Iterable

from graphc.paths import bare

PYTHON = frozenset({*keyword.kwlist, *keyword.softkwlist, *dir(builtins), "self"})

READ = frozenset(
    {"np", "npt", "jax", "jnp", "lax", "sparse", "FLOAT", "PARAMETERS", "Outputs", "Cache",
     "forward", "backward", "Array", "ArrayLike", "Any", "Iterable", "Mapping", "Trace", "DTYPE",
     "np_empty", "np_ndarray", "BITS", "LARGEST", "EXPONENT",
     *(f"math_{name}" for name in dir(math))}
)  # fmt: skip
"""What functions of a generated module read of what it defines and imports, by public names."""

ARGUMENTS = frozenset({"params", "cache", "cotangents", "tangents", "out", "seed", "vector"})
"""What arguments of these functions are called that are not the graph's."""

RESERVED = PYTHON | READ | ARGUMENTS

MODULE = READ | {
    "GRAPH", "CACHE", "LONG", "ROWS", "init", "check", "flatten", "unflatten", "shard", "trace",
    "Callable", "NamedTuple", "NamedSharding", "Operand", "PartitionSpec", "Sequence", "Struct",
    "annotations", "contextvars", "dataclass", "field", "os", "threading", "time",
}  # fmt: skip
"""What a generated module defines or imports: no derived function can be called so."""


def identifier(word: str) -> str:
    """Convert one word to a Python identifier, different for different words.

    What is reserved gets one `_` more, and what begins with `_`, and so does whatever would
    collide with that:

    >>> identifier("W"), identifier("class"), identifier("class_"), identifier("_a")
    ('W', 'class_', 'class__', '_a_')
    """
    reserved = re.sub(r"_+\Z", "", word) in RESERVED or word.startswith("_")
    return word + "_" if reserved else word


def hides_a_library(module: str) -> bool:
    """True if a module of this name would stand in for one of Python, NumPy or SciPy."""
    return module in {"numpy", "scipy", *sys.stdlib_module_names}


class Identifiers:
    """The identifiers taken so far in one function of the generated module."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self.taken = {*RESERVED, *taken}
        self.numbers: dict[str, int] = {}  # by name, the last number behind it

    def fresh(self, wanted: str) -> str:
        """Return `wanted`, or `wanted_2`, `wanted_3`, … where taken; never a private name."""
        name, number = _public(wanted), self.numbers.get(wanted, 1)
        while name in self.taken:
            number += 1
            name = _public(f"{wanted}_{number}")
        self.numbers[wanted] = number
        self.taken.add(name)
        return name


def _public(name: str) -> str:
    """Return the name, or without its first `_` where it would be private."""
    bare = name if name.endswith("_") else name.lstrip("_")
    return f"n{bare}" if bare[:1].isdigit() else bare


def fields(names: Iterable[str]) -> dict[str, str]:
    """Map names to fields of a NamedTuple."""
    names = [*names]
    return dict(zip(names, field_names(names), strict=True))


def field_names(names: Iterable[str]) -> list[str]:
    """Convert names to fields of a NamedTuple, whose own methods and underscores are taken."""
    scope = Identifiers({"count", "index"})
    found: list[str] = []
    for name in names:
        safe = identifier(name)
        if safe.startswith("_"):
            safe = "f" + safe
        found.append(scope.fresh(safe + "_" if safe in ("count", "index") else safe))
    return found


def flat(path: str) -> str:
    """Write a path as an identifier: `layer.3.W` is `layer_3_W`, `layer.*.W` is `layer_W`."""
    word = bare(path).replace(".", "_")
    return identifier(word if not word[:1].isdigit() else "_" + word)
