"""Loops that are taken apart at -O2, against the same graphs at -O0, which JAX confirms."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from random_loops import Writer

from graphc.pipeline import Options, Result, compile_text, load
from graphc.sample import arguments

TOLERANCE = 1e-13


@functools.cache
def result(text: str, level: str, dtype: str = "float64") -> Result:
    return compile_text(text, options=Options(level=level, dtype=dtype))


@functools.cache
def module(text: str, level: str, dtype: str = "float64") -> ModuleType:
    return load(result(text, level, dtype).text, "generated")


def leaves(value: Any) -> list[Any]:
    """The arrays of nested results, in order."""
    if isinstance(value, Mapping):
        return [leaf for one in value.values() for leaf in leaves(one)]
    if isinstance(value, tuple | list):
        return [leaf for one in value for leaf in leaves(one)]
    return [value]


def agree(found: Any, expected: Any, tolerance: float, what: str) -> None:
    found, expected = leaves(found), leaves(expected)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert np.shape(one) == np.shape(other), what
        assert np.asarray(one).dtype == np.asarray(other).dtype, what
        scale = max(1.0, float(np.max(np.abs(other), initial=0)))
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * scale, err_msg=what)


def compare(
    text: str, dims: Mapping[str, int] | None = None, dtype: str = "float64", seed: int = 0
) -> None:
    """Every function of the module at both levels on the same random arguments."""
    plain, fast = (module(text, level, dtype) for level in ("-O0", "-O2"))
    model = result(text, "-O0", dtype).model
    tolerance = TOLERANCE if dtype == "float64" else 1e-5
    given = arguments(model, seed, dims)
    outputs, cache = plain.forward(**given)
    found, kept = fast.forward(**given)
    agree(found, outputs, tolerance, "forward")
    floats = [d.name for d in model.outputs if d.type.dtype == "float"]
    rng = np.random.default_rng(1)
    cotangents = {name: rng.normal(size=np.shape(getattr(outputs, name))) for name in floats}
    gradients = plain.backward(cache, **cotangents)
    agree(fast.backward(kept, **cotangents), gradients, tolerance, "backward")
    moving = {**given.get("params", {}), **given}
    for one in model.derivations:
        more: dict[str, Any] = {}
        if one.kind in ("jvp", "hvp"):
            more["tangents"] = {
                path: rng.normal(size=np.shape(moving[path])) for path in paths(plain, one, moving)
            }
        if one.kind == "vjp":
            more["cotangents"] = {name: cotangents[name] for name in one.names}
        values = [getattr(made, one.name)(**given, **more) for made in (fast, plain)]
        agree(*values, tolerance, one.name)


def paths(made: ModuleType, one: Any, moving: Mapping[str, Any]) -> list[str]:
    """What a derivative is taken by: a family stands for all of its members."""
    names = [path for path, _ in one.wrt]
    return [
        path
        for path in moving
        if path in names
        or any(
            "*" in n and path.startswith(n.split("*")[0]) and path.endswith(n.split("*")[1])
            for n in names
        )
    ]


# ---- random loops ------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(60))
def test_random_loops(seed: int) -> None:
    text = Writer(seed).text() + "\nderive value_and_grad loss wrt params, inputs as g"
    text += "\nderive jvp loss wrt params, inputs as pushed" * (seed % 2)
    text += "\nderive hvp loss wrt params, inputs as bent" * (seed % 5 == 0)
    for steps in (5,) if "dim T =" in text else (5, 0, 1):
        compare(text, {"T": steps})
