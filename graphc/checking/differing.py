"""Where two results differ: containers by their parts, arrays by their numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

LEAST = 1e-11
"""Of what size differences do not count: what cancels leaves as much."""


def difference(expected: Any, found: Any, tolerance: float = 0.0, path: str = "") -> str:
    """Say where results differ by more than rounding; "" where they do not.

    >>> difference({"W": np.array([1.0, 2.0])}, {"W": np.array([1.0, 2.5])}, 1e-9)
    'by `W` differs: at [1] 2.5, expected 2.0'
    >>> difference((1.0, {"a": 2}), (1.0, {"a": 2}))
    ''
    """
    of = f"by `{path}` " if path else ""
    if isinstance(expected, Mapping):
        if not isinstance(found, Mapping) or [*found] != [*expected]:
            there = ", ".join(map(str, found)) if isinstance(found, Mapping) else type(found)
            return f"{of}returns {there}, expected {', '.join(map(str, expected))}"
        parts = [(f"{path}.{name}" if path else str(name), name) for name in expected]
        said = (difference(expected[n], found[n], tolerance, label) for label, n in parts)
        return next((one for one in said if one), "")
    if isinstance(expected, tuple | list):
        if not isinstance(found, tuple | list) or len(found) != len(expected):
            return f"{of}returns {type(found).__name__}, expected {len(expected)} values"
        fields, others = (getattr(one, "_fields", None) for one in (expected, found))
        if fields and others and others != fields:
            return f"{of}returns fields {others}, expected {fields}"
        names = fields or [path] * len(expected)
        said = (
            difference(one, other, tolerance, str(name))
            for name, one, other in zip(names, expected, found, strict=True)
        )
        return next((one for one in said if one), "")
    if hasattr(expected, "toarray"):
        there = found.toarray() if hasattr(found, "toarray") else found
        return difference(expected.toarray(), there, tolerance, path)
    return _of_arrays(np.asarray(expected), np.asarray(found), tolerance, of)


def _of_arrays(expected: Any, found: Any, tolerance: float, of: str) -> str:
    if expected.shape != found.shape:
        return f"{of}has shape {found.shape}, expected {expected.shape}"
    if expected.dtype != found.dtype:
        return f"{of}has dtype {found.dtype}, expected {expected.dtype}"
    if expected.dtype.kind != "f":
        wrong = expected != found
    else:
        finite = np.isfinite(expected)
        size = float(np.max(np.abs(expected[finite]), initial=0.0))
        slack = tolerance * size + (LEAST if tolerance else 0.0)
        close = np.abs(np.where(finite, expected, 0) - np.where(finite, found, 0)) <= slack
        alike = (expected == found) | (np.isnan(expected) & np.isnan(found))
        wrong = ~np.where(finite, close, alike)
    if not np.any(wrong):
        return ""
    place = tuple(int(one) for one in np.argwhere(wrong)[0])
    at = f" at {[*place]}" if place else ""
    return f"{of}differs:{at} {found[place]}, expected {expected[place]}"
