"""What the tests of the operations are made of: an entry for each, and the calls made of it.

An entry states what a function computes, by NumPy, SciPy or JAX, and where it is smooth. The calls
follow from the family of its signature; an entry gives its own where a function takes more.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from graphc.ops import Function
from graphc.ops.define.functions import REQUIRED

Arrays = Sequence[np.ndarray]
NAMES = "abcdefgh"
DTYPES = ("float64", "float32")
SMOOTH = (-2.0, 2.0)
SIZES = (3, 5, 0)
"""The symbolic dim N, one size after the other through one module."""
NONEMPTY = (3, 5, 1)


@dataclass(frozen=True, eq=False)
class Use:
    """How a function is called: its arguments as text, their types, and the reference's keywords.

    The text `N` within a keyword stands for the size of N.
    """

    text: str
    types: tuple[str, ...]
    keywords: Mapping[str, Any] = field(default_factory=dict)
    sizes: tuple[int, ...] = ()


def on(
    types: str | tuple[str, ...], text: str = "a", sizes: tuple[int, ...] = (), **keywords: Any
) -> Use:
    return Use(text, (types,) if isinstance(types, str) else types, keywords, sizes)


@dataclass(frozen=True, eq=False)
class Entry:
    """What a function must compute, and `inside` which interval it is smooth enough to differ.

    `calls` are those that do not follow from the parameters, `more` are further ones. `results` is
    how many values a call has.
    `analytic` is the value for complex numbers where `value` takes none, for derivatives by complex
    steps, which lose no digits; False where there is no such function.
    """

    value: Callable[..., Any]
    inside: tuple[float, float] = SMOOTH
    calls: tuple[Use, ...] = ()
    more: tuple[Use, ...] = ()
    sizes: tuple[int, ...] = SIZES
    analytic: Callable[..., Any] | Literal[False] | None = None
    results: Callable[[Mapping[str, Any]], int] = lambda keywords: 1


@dataclass(frozen=True, eq=False)
class Call:
    """One use of a function: `text` is an expression in a, b, … whose types are given."""

    text: str
    use: Use
    entry: Entry
    sizes: tuple[int, ...] = SIZES

    def __str__(self) -> str:
        return f"{self.text} of {' '.join(self.types)}"

    @property
    def types(self) -> tuple[str, ...]:
        return self.use.types

    @property
    def symbolic(self) -> bool:
        return any(re.search(r"\bN\b", text) for text in (*self.types, self.text))

    @property
    def floats(self) -> tuple[int, ...]:
        """The arguments that have a derivative, by place."""
        return tuple(i for i, type in enumerate(self.types) if type.startswith("["))

    @property
    def results(self) -> int:
        return self.entry.results(self.use.keywords)

    def lines(self, number: int | str = "") -> list[str]:
        """Inputs a, b, … and outputs y0, y1, …, all with a number behind their names."""
        inputs = zip(NAMES, self.types, strict=False)
        lines = [f"input {name}{number}: {type}" for name, type in inputs]
        text = _numbered(self.text, str(number))
        names = [f"y{i}_{number}" if number != "" else f"y{i}" for i in range(self.results)]
        if len(names) == 1:
            return [*lines, f"output {names[0]} = {text}"]
        return [*lines, f"{', '.join(names)} = {text}", f"output {', '.join(names)}"]

    def shape(self, type: str, size: int) -> tuple[int, ...]:
        inside = type[type.index("[") + 1 : -1]
        axes = [axis.strip() for axis in inside.split(",") if axis.strip()]
        return tuple(size if axis == "N" else int(axis) for axis in axes)

    def arguments(self, size: int = 3) -> list[np.ndarray]:
        """Arrays inside the domain whose elements keep clear of ties, of integers and of 0.

        Each of them is a float32, so that both dtypes start from the same numbers.
        """
        rng = np.random.default_rng(7)
        low, high = self.entry.inside
        found: list[np.ndarray] = []
        for slot, type in enumerate(self.types):
            shape = self.shape(type, size)
            count = math.prod(shape)
            if type.startswith("["):
                points = (rng.permutation(count) + 0.37 + 0.11 * slot) / max(count, 1)
                exact = (low + (high - low) * points).reshape(shape)
                found.append(np.asarray(exact, np.float32).astype(np.float64))
            else:
                kind = bool if type.startswith("bool") else np.int64
                found.append(rng.choice(self.whole(type), shape).astype(kind))
        return found

    def whole(self, type: str) -> list[int]:
        """The integers inside the domain."""
        low, high = self.entry.inside
        bounds = range(2) if type.startswith("bool") else range(-5, 6)
        return [i for i in bounds if low < i < high]

    @property
    def possible(self) -> bool:
        """Is there an argument of every type inside the domain?"""
        return all(type.startswith("[") or self.whole(type) for type in self.types)

    def expected(
        self, arguments: Arrays, size: int = 3, value: Callable[..., Any] | None = None
    ) -> tuple[np.ndarray, ...]:
        """What the reference gives, of a `value` other than the entry's where one is given."""
        result = (value or self.entry.value)(*arguments, **_sized(self.use.keywords, size))
        return tuple(map(np.asarray, result if isinstance(result, tuple | list) else (result,)))


def _numbered(text: str, number: str) -> str:
    """The arguments a, b, … with a number behind them; what stands in quotes stays."""
    parts = text.split('"')
    parts[::2] = [re.sub(r"(?<!\.)\b([a-h])\b(?![(=])", rf"\g<1>{number}", p) for p in parts[::2]]
    return '"'.join(parts)


def _sized(value: Any, size: int) -> Any:
    """Keywords with the size in the place of "N"."""
    if isinstance(value, Mapping):
        return {name: _sized(one, size) for name, one in value.items()}
    if isinstance(value, tuple):
        return tuple(_sized(one, size) for one in value)
    return size if isinstance(value, str) and value == "N" else value


# ---- the families of signatures --------------------------------------------------------------

ONE = (
    "[]", "[4]", "[2, 3]", "[2, 3, 4]", "[1]", "[2, 1, 3]", "[0, 2]", "[N, 3]", "[N]", "[2, N, 3]",
    "int[4]", "int[]", "bool[4]",
)  # fmt: skip
TWO = (
    ("[]", "[]"),
    ("[4]", "[4]"),
    ("[2, 3, 4]", "[2, 3, 4]"),
    ("[2, 3, 4]", "[3, 4]"),
    ("[4]", "[2, 3, 4]"),
    ("[2, 1]", "[1, 3]"),
    ("[1, 3, 1]", "[2, 1, 4]"),
    ("[3]", "[]"),
    ("[]", "[2, 3]"),
    ("[1]", "[2, 3]"),
    ("[1]", "[1]"),
    ("[0, 2]", "[2]"),
    ("[N, 3]", "[3]"),
    ("[N, 1]", "[N, 3]"),
    ("[N]", "[N]"),
    ("int[4]", "int[4]"),
    ("[4]", "int[4]"),
    ("int[]", "[2, 3]"),
    ("bool[4]", "[4]"),
    ("bool[4]", "int[4]"),
)
THREE = (
    ("[]", "[3]", "[2, 3]"),
    ("[2, 3]", "[2, 3]", "[2, 3]"),
    ("[N]", "[N]", "[]"),
    ("[N, 3]", "[3]", "[N, 1]"),
    ("int[3]", "[3]", "[1]"),
)
TOGETHER: Mapping[int, tuple[Use, ...]] = {
    1: tuple(on(type) for type in ONE),
    2: tuple(on(types, "a, b") for types in TWO),
    3: tuple(on(types, "a, b, c") for types in THREE),
}
"""Arguments that broadcast, by their number."""

REDUCED = (
    on("[]"),
    on("[4]"),
    on("[2, 3, 4]"),
    on("[N, 3]"),
    on("[4]", "a, axis=0", axis=0),
    on("[2, 3, 4]", "a, axis=1", axis=1),
    on("[2, 3, 4]", "a, axis=-1", axis=-1),
    on("[2, 3, 4]", "a, axis=[0, 2]", axis=(0, 2)),
    on("[2, 1, 3]", "a, axis=[-1, 0]", axis=(-1, 0)),
    on("[2, 1, 3]", "a, axis=1", axis=1),
    on("[2, 0]", "a, axis=0", axis=0),
    on("[N, 3]", "a, axis=N", axis=0),
    on("[3, N]", "a, axis=0", axis=0),
    on("int[2, 3]", "a, axis=0", axis=0),
    on("bool[4, 2]", "a, axis=0", axis=0),
)
KEPT = (
    on("[]", "a, keepdims=true", keepdims=True),
    on("[2, 3, 4]", "a, axis=1, keepdims=true", axis=1, keepdims=True),
    on("[2, 3, 4]", "a, axis=[0, 2], keepdims=true", axis=(0, 2), keepdims=True),
    on("[N, 3]", "a, axis=0, keepdims=true", axis=0, keepdims=True),
)
ALONG = (
    on("[4]"),
    on("[1]"),
    on("[N]"),
    on("[4]", "a, axis=0", axis=0),
    on("[2, 3]", "a, axis=0", axis=0),
    on("[2, 3]", "a, axis=1", axis=1),
    on("[2, 3, 4]", "a, axis=1", axis=1),
    on("[2, 3, 1]", "a, axis=-1", axis=-1),
    on("[0, 3]", "a, axis=1", axis=1),
    on("[N, 2]", "a, axis=0", axis=0),
    on("[N, 2]", "a, axis=N", axis=0),
    on("[3, N]", "a, axis=0", axis=0),
    on("int[2, 3]", "a, axis=1", axis=1),
)


def family(function: Function) -> tuple[Use, ...] | None:
    """The calls that a signature suggests, or None where it says too little."""
    tensors = [p for p in function.parameters if p.kind == "tensor"]
    others = {p.name: p for p in function.parameters if p.kind != "tensor"}
    if not tensors or any(p.default is REQUIRED for p in others.values()):
        return None
    axis = others.get("axis")
    if axis is None:
        counts = (1, 2, 3) if tensors[0].variadic else (len(tensors),)
        return tuple(use for count in counts for use in TOGETHER[count])
    if len(tensors) > 1 or tensors[0].variadic:
        return None
    if axis.kind == "axes":
        return (*REDUCED, *KEPT) if "keepdims" in others else ALONG
    return (*ALONG, *KEPT[1:2], *KEPT[3:]) if "keepdims" in others else ALONG


def calls_of(name: str, entry: Entry, uses: Iterable[Use]) -> Iterator[Call]:
    """The calls that have arguments inside the domain; a name in brackets is no function's."""
    for use in (*uses, *entry.more):
        text = use.text if name.startswith("<") else f"{name}({use.text})"
        call = Call(text, use, entry, use.sizes or entry.sizes)
        if call.possible:
            yield call
