"""The options of a compilation, as they stand in what it has written."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any


def command_line(options: Mapping[str, Any]) -> str:
    """Write options as on the command line."""
    words: list[str] = []
    for name, value in options.items():
        for one in _values(value):
            words += [f"--{name}", *([shlex.quote(one)] if one else [])]
    return " ".join(words)


def _values(value: Any) -> list[str]:
    match value:
        case dict():
            return [f"{name}={one}" for name, one in value.items()]
        case list():
            return [str(one) for one in value]
    return ["" if value is True else str(value)]
