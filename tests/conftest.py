"""What the tests share: texts are compiled once in a session, and modules loaded from them."""

from __future__ import annotations

import functools
import itertools
import os
from types import ModuleType

# JAX reads these when it is first imported: the references are computed in float64 on the CPU,
# and each only once, so that an optimised program is not worth its compilation.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_ENABLE_X64", "1")
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

from graphc.pipeline import Options, Result, compile_text, load

Pairs = tuple[tuple[str, int], ...]

_numbers = itertools.count()


@functools.cache
def compiled(
    text: str,
    *,
    dtype: str = "float64",
    derive: tuple[str, ...] = (),
    dims: Pairs = (),
    consts: tuple[tuple[str, str], ...] = (),
) -> Result:
    """The result of compiling a text."""
    options = Options(dims=dict(dims), consts=dict(consts), dtype=dtype, derive=derive)
    return compile_text(text, options=options)


@functools.cache
def module(
    text: str,
    *,
    dtype: str = "float64",
    derive: tuple[str, ...] = (),
    dims: Pairs = (),
    consts: tuple[tuple[str, str], ...] = (),
) -> ModuleType:
    """The generated module of a text, loaded."""
    result = compiled(text, dtype=dtype, derive=derive, dims=dims, consts=consts)
    return load(result.text, f"generated_{next(_numbers)}")
