"""The examples in docstrings are so."""

from __future__ import annotations

import doctest
import importlib
from importlib.util import find_spec
from pathlib import Path

import pytest

import graphc

ROOT = Path(graphc.__file__).resolve().parent
SHOWN = [path for path in sorted(ROOT.rglob("*.py")) if ">>>" in path.read_text(encoding="utf-8")]
WANTED = {"torch": "torch", "dask": "dask"}
"""Modules that are about a package which need not be there, by that package."""


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


@pytest.mark.parametrize("path", SHOWN, ids=name_of)
def test_examples_in_docstrings(path: Path) -> None:
    package = WANTED.get(path.stem)
    if package is not None and find_spec(package) is None:
        pytest.skip(f"there is no {package}")
    module = importlib.import_module(name_of(path))
    found = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert found.attempted
    assert not found.failed
