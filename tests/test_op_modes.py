"""Every operation forward and batched, against central differences and its own pullback."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from comparing import close, numerical
from conftest import long, module
from operation_references import CALLS
from sampling import NAMES, Call
from test_operations import graph_of, shapes, some
from test_ops import GRADIENT, has_derivative

from graphc.source import GraphError

SIZE = 3


def some_calls() -> list[Any]:
    """Of each operation some calls that have a derivative, of arrays that are not empty."""
    found = []
    for calls in CALLS.values():
        moving = (one for one in calls if 0 not in shapes(one) and has_derivative(one))
        bound = (one for one in moving if not one.symbolic or any("N" in t for t in one.types))
        found += some([*itertools.islice(bound, 4)])
    return found


@pytest.mark.parametrize("level", [long("-O0"), "-O2"], indirect=True)
@pytest.mark.parametrize("call", some_calls(), ids=str)
def test_modes_agree(call: Call) -> None:
    """<u, Jv> = <J'u, v>; the blocks applied; and the blocks by differences of the reference."""
    outputs = [f"y{i}" for i in range(call.results)]
    names = [NAMES[slot] for slot in call.floats]
    of, wrt = ", ".join(outputs), ", ".join(names)
    kinds = {"jvp": "pushed", "vjp": "pulled", "jacobian": "J"}
    text = [*graph_of(call), *(f"derive {k} {of} wrt {wrt} as {n}" for k, n in kinds.items())]
    try:
        made = module("\n".join(text))
    except GraphError as error:
        if error.diagnostics[0].code not in ("E403", "E406"):  # no derivative
            raise
        return
    arguments = call.arguments(SIZE)
    rng = np.random.default_rng(5)
    tangents = {NAMES[slot]: rng.normal(size=np.shape(arguments[slot])) for slot in call.floats}
    values, pushed = made.pushed(*arguments, tangents=tangents)
    u = {name: rng.normal(size=np.shape(one)) for name, one in values._asdict().items()}
    _, pulled = made.pulled(*arguments, cotangents=u)
    left = sum(np.sum(u[name] * one) for name, one in pushed._asdict().items())
    right = sum(np.sum(tangents[name] * one) for name, one in pulled.items())
    scale = max(1.0, *(float(np.max(np.abs(one), initial=0)) for one in pulled.values()))
    np.testing.assert_allclose(left, right, rtol=1e-12, atol=1e-12 * scale)

    expected = numerical(call, arguments, SIZE, [u[name] for name in outputs])
    blocks = made.J(*arguments)
    assert list(blocks) == outputs
    for name in outputs:
        moved = sum(
            np.tensordot(block, tangents[path], np.ndim(tangents[path]))
            for path, block in blocks[name].items()
        )
        close(moved, getattr(pushed, name), 1e-11)
    for slot, path in zip(call.floats, names, strict=True):
        for name in outputs:
            shape = (*np.shape(u[name]), *np.shape(arguments[slot]))
            assert np.shape(blocks[name][path]) == shape
        rows = sum(np.tensordot(u[n], blocks[n][path], np.ndim(u[n])) for n in outputs)
        close(rows, pulled[path], 1e-11)
        close(rows, expected[slot], GRADIENT["float64"])
