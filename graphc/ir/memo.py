"""What a function gave before: computed once in a compilation, and forgotten with it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from graphc.ir.graph import table

Found = TypeVar("Found")


def remembered(function: Callable[[Any], Found]) -> Callable[[Any], Found]:
    """A function that computes what it gives for an argument once in a compilation."""

    @wraps(function)
    def found(argument: Any) -> Found:
        made = table.get(None)
        if made is None:
            return function(argument)
        key = function, argument
        if key not in made.known:
            made.known[key] = function(argument)
        return cast("Found", made.known[key])

    return found


def remembered_of(function: Callable[[Any], Found]) -> Callable[[Any], Found]:
    """A function that computes once in a compilation what it gives for one object.

    Unlike `remembered` it does not compare: records of the syntax tree would be compared whole.
    """

    @wraps(function)
    def found(argument: Any) -> Found:
        made = table.get(None)
        if made is None:
            return function(argument)
        key = function, id(argument)
        if key not in made.known:
            made.known[key] = argument, function(argument)  # what is kept keeps its identity
        return cast("Found", made.known[key][1])

    return found
