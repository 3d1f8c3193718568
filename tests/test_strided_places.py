"""What ufuncs compute into arrays whose elements do not lie one behind the other.

NumPy 2.4 with AVX-512 computes `negative`, `isfinite`, `isinf` and `isnan` wrongly there; no module
has them do it.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from conftest import module

from graphc.ir.graph import Op
from graphc.ir.kernel import Elementwise
from graphc.ops import activation, arithmetic, elementary, rounding, special
from graphc.plan.buffers.kernels import is_ufunc

GOLDEN = Path(__file__).parent / "golden" / "modules"
WITH_A_PLACE = re.compile(r"np\.(negative|isfinite|isinf|isnan|signbit)\([^()]+, [^()]+\)")
WRONG = {"negative", "isfinite", "isinf", "isnan", "signbit"}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "y",
    [
        "logcumsumexp(concat(p, p, axis=1), axis=1)",
        "logcumsumexp(repeat_elements(p, 2, axis=1), axis=1)",
    ],
)
def test_blocks_of_one_position_have_the_hessian_of_all_together(y: str, dtype: str) -> None:
    """By differences of the gradient, at the readable level; a block negates one column of 8."""
    text = f"dim P\nparam p: [P, 4]\nloss = sum(sin({y}))\noutput loss\n"
    text += "derive hessian loss wrt p as H\nderive grad loss wrt p as g"
    fast, exact = module(text, level="-O2", dtype=dtype), module(text, level="-O0")
    p = np.random.default_rng(0).normal(size=(2, 4))
    before, fast.CACHE = fast.CACHE, 64  # type: ignore[attr-defined]
    try:
        found = fast.H({"p": p})["p"]["p"]
    finally:
        fast.CACHE = before  # type: ignore[attr-defined]
    for place in np.ndindex(p.shape):
        step = np.zeros(p.shape)
        step[place] = 1e-5
        slope = (exact.g({"p": p + step})["p"] - exact.g({"p": p - step})["p"]) / 2e-5
        np.testing.assert_allclose(found[place], slope, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.py")), ids=lambda path: path.stem)
def test_no_module_has_a_place_for_what_numpy_computes_wrongly_there(path: Path) -> None:
    assert WITH_A_PLACE.findall(path.read_text(encoding="utf-8")) == []


def ufuncs() -> list[str]:
    """The names of the ufuncs that modules give a place to."""
    families = (activation, arithmetic, elementary, rounding, special)
    ops = [one for family in families for one in vars(family).values() if isinstance(one, Op)]
    kernels = [op.kernel for op in ops if isinstance(op.kernel, Elementwise)]
    return sorted({one.name for one in kernels if is_ufunc(one)} - WRONG - {"cast", "kept"})


def strided(n: int, step: int, dtype: str) -> np.ndarray:
    rng = np.random.default_rng(n)
    if np.dtype(dtype).kind == "f":
        return rng.uniform(0.1, 0.9, (n, step)).astype(dtype)[:, 0]
    return rng.integers(0, 2, (n, step)).astype(dtype)[:, 0]


@np.errstate(all="ignore")
@pytest.mark.parametrize("name", ufuncs())
def test_all_other_ufuncs_are_right_in_strided_places(name: str) -> None:
    """Against what the same ufunc makes of contiguous arrays."""
    ufunc = getattr(np, name)
    for dtype in ("f8", "f4", "?"):
        try:
            result = ufunc(*[np.ones(1, dtype)] * ufunc.nin).dtype
        except TypeError:
            continue
        for n in (2, 16, 33):
            for step in (1, 2, 4, 8, 9):
                given = [strided(n, step, dtype) for _ in range(ufunc.nin)]
                right = ufunc(*(np.ascontiguousarray(one) for one in given))
                for other in (1, 2, 4, 8, 9):
                    place = np.zeros((n, other), result)[:, 0]
                    ufunc(*given, out=place)
                    np.testing.assert_allclose(
                        place.astype(float), right.astype(float), rtol=1e-6, err_msg=name
                    )
