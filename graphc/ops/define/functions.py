"""What a `.graph` file can call: functions by name, with the kinds of their parameters."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from graphc.ir.graph import Node, Op
from graphc.records import dataclass, replace

REQUIRED = object()


@dataclass(frozen=True, slots=True)
class Parameter:
    """`kind` says what an argument must be: a tensor, or something known at compile time.

    `keywords` takes the arguments by name that no other parameter has, as a dict.
    """

    name: str
    kind: str = "tensor"
    default: Any = REQUIRED
    variadic: bool = False
    positional_only: bool = False
    keywords: bool = False


@dataclass(frozen=True, slots=True)
class Function:
    """A callable of the language: an operation, or a composition of operations."""

    name: str
    parameters: tuple[Parameter, ...]
    build: Callable[..., Node | tuple[Node, ...]]
    doc: str
    op: Op | None

    @property
    def signature(self) -> str:
        return f"{self.name}({', '.join(map(_show_parameter, self.parameters))})"


FUNCTIONS: dict[str, Function] = {}
"""Every callable of the language by its name."""

_DEFAULTS = {"none": None, "true": True, "false": False}


def _parameter(text: str) -> Parameter:
    """`axis: axes = none` as a Parameter."""
    matched = re.fullmatch(r"(\*{0,2})(\w+)(?:: (\w+))?(?: = (\S+))?", text.strip())
    assert matched, text
    stars, name, kind, default = matched.groups()
    value = REQUIRED if default is None else _default(default)
    return Parameter(name, kind or "tensor", value, stars == "*", keywords=stars == "**")


def _default(text: str) -> Any:
    if text in _DEFAULTS:
        return _DEFAULTS[text]
    if text.startswith('"'):
        return text.strip('"')
    return float(text) if re.search(r"[.en]", text) else int(text)


def _show_parameter(parameter: Parameter) -> str:
    if parameter.default is REQUIRED:
        return "*" * (parameter.variadic + 2 * parameter.keywords) + parameter.name
    for word, value in _DEFAULTS.items():
        if parameter.default is value:
            return f"{parameter.name}={word}"
    shown = f'"{parameter.default}"' if parameter.kind == "str" else parameter.default
    return f"{parameter.name}={shown}"


def alias(name: str, of: str) -> None:
    """Another name of a function."""
    FUNCTIONS[name] = replace(FUNCTIONS[of], name=name)


def function(
    name: str,
    signature: str,
    build: Callable[..., Node | tuple[Node, ...]],
    doc: str,
    op: Op | None = None,
) -> Function:
    """Make something callable from `.graph` files; `signature` is as in `x, axis: axes = none`."""
    written = [part.strip() for part in signature.split(",") if part]
    only = written.index("/") if "/" in written else 0  # as in Python: no names before it
    parameters = tuple(
        replace(_parameter(part), positional_only=place < only)
        for place, part in enumerate(written)
        if part != "/"
    )
    assert name not in FUNCTIONS, name
    FUNCTIONS[name] = Function(name, parameters, build, doc, op)
    return FUNCTIONS[name]
