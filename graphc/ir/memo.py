"""Per-compilation memoisation: caches dropped when the compilation ends."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from graphc.ir.graph import table

Found = TypeVar("Found")


def memoised(function: Callable[[Any], Found]) -> Callable[[Any], Found]:
    """Compute a function of one argument once per compilation for equal arguments."""

    @wraps(function)
    def memo(argument: Any) -> Found:
        current = table.get(None)
        if current is None:
            return function(argument)
        known = current.memo[function]
        try:
            found: Found = known[argument]
        except KeyError:
            found = known[argument] = function(argument)
        return found

    return memo


def memoised_by_identity(function: Callable[[Any], Found]) -> Callable[[Any], Found]:
    """Compute a function of one argument once per compilation for each object.

    Unlike `memoised` it does not compare: records of the syntax tree would be compared whole.
    """

    @wraps(function)
    def memo(argument: Any) -> Found:
        current = table.get(None)
        if current is None:
            return function(argument)
        known, key = current.memo[function], id(argument)
        if key not in known:
            known[key] = argument, function(argument)  # what is kept keeps its identity
        return cast("Found", known[key][1])

    return memo
