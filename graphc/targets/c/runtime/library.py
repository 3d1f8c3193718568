"""The functions of the folder, chosen: those that are called, with what they call in turn."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from graphc.targets.c.contract import DEFINITE, FINITE, SINGULAR

HEADERS = ("float.h", "math.h", "stddef.h", "stdint.h", "string.h")
"""What the functions include."""

_FILES = (
    "elementwise", "special", "normal", "bessel", "incomplete", "loops", "linear", "cofactors",
    "decompositions", "sorting",
)  # fmt: skip
_OWN = re.compile(r"\bgc_\w+")
_NUMBER, _LIBM = re.compile(r"\bR\((-?[0-9.e-]+)\)"), re.compile(r"\bM\((\w+)\)")
_WORDS: Mapping[str, Mapping[str, str]] = {
    "float64": {"real": "double", "LARGEST": "DBL_MAX", "ROUNDING": "DBL_EPSILON",
                "GRID": "1048576.0"},
    "float32": {"real": "float", "LARGEST": "FLT_MAX", "ROUNDING": "FLT_EPSILON",
                "GRID": "128.0f"},
}  # fmt: skip
_STATUSES = {
    "DEFINITE": str(DEFINITE.number), "SINGULAR": str(SINGULAR.number),
    "FINITE": str(FINITE.number),
}  # fmt: skip


@cache
def _blocks(dtype: str) -> tuple[str, ...]:
    """Return all blocks, those that are called before their callers."""
    core = "core_double" if dtype == "float64" else "core_float"
    folder = Path(__file__).parent
    texts = [(folder / f"{name}.c").read_text(encoding="utf-8") for name in (core, *_FILES)]
    return tuple(_of_type(block, dtype) for text in texts for block in text.strip().split("\n\n"))


@cache
def _definitions(dtype: str) -> Mapping[str, int]:
    """Return by name the number of its block, where it is first: C defines before it uses."""
    found: dict[str, int] = {}
    for number, block in enumerate(_blocks(dtype)):
        for name in _OWN.findall(block):
            found.setdefault(name, number)
    return found


def _of_type(block: str, dtype: str) -> str:
    suffix = "" if dtype == "float64" else "f"
    block = _NUMBER.sub(rf"\1{suffix}", _LIBM.sub(rf"\1{suffix}", block))
    for word, meaning in {**_WORDS[dtype], **_STATUSES}.items():
        block = re.sub(rf"\b{word}\b", meaning, block)
    return block


FUNCTIONS = frozenset(_definitions("float64"))
"""The names of all functions."""


def write_functions(names: Iterable[str], dtype: str) -> str:
    """Write these functions and what they need, each once, in the order of the folder.

    >>> print(write_functions(["gc_sign_int"], "float64"))
    /* -1, 0 or 1. */
    static inline int64_t gc_sign_int(int64_t x) {
        return (x > 0) - (x < 0);
    }
    """
    blocks, definitions = _blocks(dtype), _definitions(dtype)
    needed: set[int] = set()
    wanted = [definitions[name] for name in names]
    while wanted:
        number = wanted.pop()
        if number not in needed:
            needed.add(number)
            wanted += [definitions[name] for name in _OWN.findall(blocks[number])]
    return "\n\n".join(blocks[number] for number in sorted(needed))
