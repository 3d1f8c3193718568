"""Packages that are loaded when something of them is asked for, which many commands never do."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class Later:
    """A package under the name that it is imported by; mypy sees the package itself.

    >>> Later("math").floor(2.5)
    2
    """

    def __init__(self, package: str) -> None:
        self._package = package

    def __getattr__(self, name: str) -> Any:
        found = getattr(import_module(self._package), name)
        setattr(self, name, found)  # it is not asked for here again
        return found
