"""What a Python function returns, leaf by leaf, and what it calls that."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any


def leaves(results: Any, path: str, names: list[str]) -> Iterator[tuple[str, Any]]:
    """Yield what is in results, with its path of keys, or its name behind `return`."""
    if isinstance(results, Mapping):
        for key, one in results.items():
            yield from leaves(one, f"{path}_{key}" if path else str(key), [])
    elif hasattr(results, "_fields"):
        for key, one in zip(results._fields, results, strict=True):
            yield from leaves(one, f"{path}_{key}" if path else key, [])
    elif isinstance(results, list | tuple):
        for place, one in enumerate(results):
            called = names[place] if place < len(names) else ""
            numbered = f"{path}_{place}" if path else called
            yield from leaves(one, numbered, [])
    elif results is not None:
        yield path or (names[0] if len(names) == 1 else ""), results


def returned_names(function: Any) -> list[str]:
    """Return the names that stand behind the last `return` of a function."""
    try:
        parsed = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return []
    body = next((one for one in ast.walk(parsed) if isinstance(one, ast.FunctionDef)), None)
    if body is None:
        return []
    returns = [one for one in body.body if isinstance(one, ast.Return)]
    value = returns[-1].value if returns else None
    parts = value.elts if isinstance(value, ast.Tuple | ast.List) else [value]
    return [one.id if isinstance(one, ast.Name) else "" for one in parts]
