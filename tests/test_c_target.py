"""The C target computes what the NumPy module computes, and C compilers have nothing to say."""

from __future__ import annotations

from pathlib import Path

import pytest
from c_functions import compare

from graphc.compile.stages import Options

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.graph"))
LANGUAGE = sorted((ROOT / "tests" / "language" / "examples").glob("*.graph"))


def named(path: Path) -> str:
    return path.stem


@pytest.mark.parametrize("name", ["net321", "residual", "digits"])
def test_examples_agree(name: str) -> None:
    compare(ROOT / "examples" / f"{name}.graph", Options(level="-O2"))


@pytest.mark.long
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("level", ["-O0", "-O2"])
@pytest.mark.parametrize("path", [*EXAMPLES, *LANGUAGE], ids=named)
def test_every_example_agrees(path: Path, level: str, dtype: str) -> None:
    compare(path, Options(level=level, dtype=dtype))
