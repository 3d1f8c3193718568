"""Names of the language as Python identifiers: an injective renaming."""

from __future__ import annotations

import builtins
import keyword
import re

RESERVED = frozenset(
    {*keyword.kwlist, *keyword.softkwlist, *dir(builtins), "np", "npt", "self", "_k"}
)

MODULE = frozenset(
    {"GRAPH", "PARAMETERS", "FLOAT", "BITS", "Array", "ArrayLike", "Outputs", "Cache", "init",
     "forward", "backward", "check", "flatten", "unflatten", "Callable", "Mapping", "Any",
     "NamedTuple", "np", "npt", "annotations", "CACHE", "contextvars", "os", "threading"}
)  # fmt: skip
"""What every generated module defines or imports: no derived function can be called so."""


def identifier(path: str) -> str:
    """A Python identifier for one word, different for different words.

    What Python or the generated module reserves gets one `_` more, and so does whatever would
    collide with that:

    >>> identifier("W"), identifier("class"), identifier("class_")
    ('W', 'class_', 'class__')
    """
    return path + "_" if re.sub(r"_+\Z", "", path) in RESERVED else path


class Scope:
    """The identifiers taken so far in one function of the generated module."""

    def __init__(self, taken: frozenset[str] | set[str] = frozenset()) -> None:
        self.taken = set(taken)
        self.numbers: dict[str, int] = {}  # by name, the last number behind it

    def fresh(self, wanted: str) -> str:
        """`wanted`, or `wanted_2`, `wanted_3`, … where that is taken."""
        name, number = wanted, self.numbers.get(wanted, 1)
        while name in self.taken:
            number += 1
            name = f"{wanted}_{number}"
        self.numbers[wanted] = number
        self.taken.add(name)
        return name


def flat(path: str) -> str:
    """A dotted path as one identifier: `layer.3.W` is `layer_3_W`, `layer.*.W` is `layer_W`."""
    word = path.replace(".*", "").replace(".", "_")
    return identifier(word if not word[:1].isdigit() else "_" + word)
