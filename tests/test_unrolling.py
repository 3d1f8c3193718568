"""Short loops on long arrays: written out, they cost what the same costs without a loop."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tests.test_blocks import arguments, fast_text, leaves, modules

WORKLOADS = Path(__file__).resolve().parent.parent / "benchmarks" / "workloads"
ELEMENTWISE = (WORKLOADS / "elementwise.graph").read_text(encoding="utf-8")
IN_A_ROW = ELEMENTWISE[ELEMENTWISE.index("h1 =") : ELEMENTWISE.index("output")]
SPELLINGS = {
    "scan": "scan l[t in 5] carry h5 = x { next h5 = stage(h5, x) }\n",
    "repeat": "repeat l[k in 1..5] carry h5 = x { next h5 = stage(h5, x) }\n",
    "backwards": """
        scan l[t in 5] carry h5 = x {
            next h5 = stage(h5, x * (5 - t) / (5 - t))
            collect hs = h5
        }
    """,
}


def calls(text: str) -> int:
    """Count the calls of NumPy in the function with value and gradients; all are in blocks."""
    found = fast_text(text, "value_and_grad_loss")
    assert not re.search(r"^ *for ", found, re.MULTILINE)
    return len(re.findall(r"= np\.\w+(?:\.reduce)?\(", found))


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_spellings_cost_the_same(spelling: str) -> None:
    other = ELEMENTWISE.replace(IN_A_ROW, SPELLINGS[spelling])
    assert calls(other) <= 1.1 * calls(ELEMENTWISE)


STEPS = """
    dim N
    input x: [N, 3]
    input z: [N, 4]
    param w: [3]
    repeat layer[k in 1..3] carry h = x {
        param s: [3]
        u = tanh(h * s) + w
        next h = where(u > 0.5, u, h * k)
        collect us = u
    }
    scan walk[t in 4] carry g = h[:, 0], n = 1.0 {
        next g, n = sin(g) * z[:, t] / n + 0.1 * t, n + 0.5
        collect gs = g
    }
    output path = gs
    output loss = sum(g * g) + sum(us * us) + sum(max(gs, axis=0))
    derive value_and_grad loss wrt x, z, params
"""


def test_written_out_loops_compute_the_same() -> None:
    """Families of parameters, elements of another axis, two carries, stacks that others read."""
    readable, fast = modules(STEPS)
    assert not re.search(r"^ *for ", fast_text(STEPS, "value_and_grad_loss"), re.MULTILINE)
    layers = {f"layer.{k}.s": (3,) for k in (1, 2, 3)}
    for n in (1, 7, 0):
        given = arguments(readable, {"x": ("N", 3), "z": ("N", 4), "w": (3,)} | layers, n)
        expected = readable.value_and_grad_loss(**given)
        out = {"z": np.empty((n, 4)), "layer.2.s": np.empty(3)}
        for found in (
            fast.value_and_grad_loss(**given),
            fast.value_and_grad_loss(**given, out=out),
        ):
            for one, other in zip(leaves(found), leaves(expected), strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-13, atol=1e-13)


STOPPED = """
    dim N
    input x: [N]
    param a
    scan l[t in 4] carry h = x {
        g = grad(sum(sin(h) * h * a), h)
        next h = h - 0.1 * g + 0.05 * stop(tanh(h) * a) * exp(-h)
    }
    output loss = sum(h * h)
    derive value_and_grad loss wrt x, a
"""


def test_what_is_stopped_is_so_in_each_step() -> None:
    """With a gradient as a node: the derivative is that of the readable module."""
    readable, fast = modules(STOPPED)
    given = arguments(readable, {"x": ("N",), "a": ()}, 9)
    found, expected = (one.value_and_grad_loss(**given) for one in (fast, readable))
    for one, other in zip(leaves(found), leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-13, atol=1e-14)


def test_the_module_stays_short() -> None:
    """However many steps there are, and however many loops read each other."""
    step = "next h = tanh(h) * exp(-h) + sin(h)"
    lengths = []
    for count in (300, 3000):
        text = f"""
            dim N
            input x: [N]
            scan l[t in {count}] carry h = x {{ {step} }}
            output loss = sum(h)
            derive value_and_grad loss wrt x
        """
        lengths.append(len(fast_text(text, "value_and_grad_loss").splitlines()))
    assert lengths[0] == lengths[1]
