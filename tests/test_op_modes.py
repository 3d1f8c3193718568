"""Every operation forward and batched, against central differences and its own pullback."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conftest import module
from test_operations import differentiable
from test_ops import CALLS, NAMES, Call, differences, exact

from graphc.source import GraphError


def all_calls() -> list[Call]:
    """The calls of float arrays that are not empty, some of each operation."""
    floats = [
        call
        for call in CALLS
        if call.N and all(type.startswith("[") for type in call.types) and call.types
    ]
    by_name: dict[str, list[Call]] = {}
    for call in floats:
        by_name.setdefault(call.text.partition("(")[0], []).append(call)
    some = [call for calls in by_name.values() for call in (calls[1:5:2] or calls[:1])]
    return [*some, *differentiable()]


@pytest.mark.parametrize("call", all_calls(), ids=str)
def test_modes_agree(call: Call) -> None:
    """<u, Jv> = <J'u, v>, the blocks applied, and the Jacobian by differences of the reference."""
    names, outputs = list(NAMES[: len(call.types)]), list(call.outputs)
    of, wrt = ", ".join(outputs), ", ".join(names)
    clauses = [f"jvp {of} wrt {wrt} as pushed", f"vjp {of} wrt {wrt} as pulled",
               f"jacobian {of} wrt {wrt} as J"]  # fmt: skip
    text = call.graph + "".join(f"\nderive {one}" for one in clauses)
    try:
        made = module(text)
    except GraphError as error:  # integers, or an argument without a derivative
        assert {one.code for one in error.diagnostics} <= {"E403", "E406"}
        return
    arguments = call.arguments()
    rng = np.random.default_rng(5)
    tangents = {n: rng.normal(size=np.shape(x)) for n, x in zip(names, arguments, strict=True)}
    values, pushed = made.pushed(*arguments, tangents=tangents)
    cotangents = {name: rng.normal(size=np.shape(one)) for name, one in values._asdict().items()}
    _, pulled = made.pulled(*arguments, cotangents=cotangents)
    left = sum(np.sum(cotangents[o] * one) for o, one in pushed._asdict().items())
    right = sum(np.sum(tangents[n] * one) for n, one in pulled.items())
    scale = max(1.0, *(float(np.max(np.abs(one), initial=0)) for one in pulled.values()))
    np.testing.assert_allclose(left, right, rtol=1e-12, atol=1e-12 * scale)

    blocks = made.J(*arguments)
    for number, name in enumerate(outputs):
        rows = blocks[name]
        assert list(rows) == names
        moved = sum(
            np.tensordot(block, tangents[n], np.ndim(tangents[n])) for n, block in rows.items()
        )
        np.testing.assert_allclose(
            moved, getattr(pushed, name), rtol=1e-11, atol=1e-11 * scale, err_msg="batched"
        )
        for slot, n in enumerate(names):
            block = rows[n]
            assert np.shape(block) == (*np.shape(cotangents[name]), *np.shape(arguments[slot]))
            slope = numerical(call, arguments, slot, number, cotangents[name])
            found = np.tensordot(cotangents[name], block, np.ndim(cotangents[name]))
            np.testing.assert_allclose(found, slope, rtol=2e-7, atol=2e-7 * scale)


def numerical(call: Call, arguments: list[Any], slot: int, number: int, weight: Any) -> Any:
    """The gradient of a weighed output by an argument, by differences of the reference."""

    def weighed(at: np.ndarray) -> float:
        moved = [at if i == slot else a for i, a in enumerate(exact(call, arguments))]
        return float(np.sum(weight * call.expected(moved)[number]))

    return differences(weighed, np.array(arguments[slot], np.float64))
