"""Every kind of derivative through loops, against JAX."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from conftest import compiled, long, module
from derivative_checks import Expected, Names, by_jax, clauses, compare
from test_loops import CASES, Case

from graphc.sample import random_arguments

SCANS = [case for case in CASES if "dim T" in case.text]
REPEATS = [case for case in CASES if "dim T" not in case.text]
by_name = {"ids": lambda case: case.name}
LONG = (
    "loops in blocks",
    "first and second derivative",
    "a scan in a repeat",
    "a repeat in a scan",
)
"""As long as all others together; both levels of them agree, which test_levels tests."""


_KNOWN: dict[Any, Expected] = {}
"""What JAX has computed for another level."""


def compare_with(text: str, reference: Any, dims: Mapping[str, int], seed: int = 0) -> None:
    """All outputs and a function of them, by all parameters and float inputs."""
    model = compiled(text.strip(), level="-O0").model
    outputs = [d.name for d in model.outputs if d.type.dtype == "float"]
    energy = " + ".join(f"sum(sin({name}))" for name in outputs)
    names = [*outputs, "energy_"]
    more = [f"output energy_ = {energy}"]
    more += [f"derive {one}" for one in clauses(names, "params, inputs", "energy_")]
    made = module("\n".join([text.strip(), *more]))
    given = random_arguments(model, seed, dims)
    whole = {k: v for k, v in given.items() if k != "params"}
    floats = {k: v for k, v in whole.items() if np.asarray(v).dtype.kind == "f"}
    params = given.get("params", {})

    def run(moving: Names) -> Names:
        found = reference(
            {k: moving[k] for k in params}, {**whole, **{k: moving[k] for k in floats}}
        )
        chosen = {name: found[name] for name in outputs}
        return {**chosen, "energy_": sum(jnp.sum(jnp.sin(one)) for one in chosen.values())}

    key = text, tuple(dims.items()), seed
    if key not in _KNOWN:
        _KNOWN[key] = by_jax(run, {**params, **floats}, "energy_")
    want = _KNOWN[key]
    compare(made, given, want, "energy_", seed)


@pytest.mark.parametrize(
    "case",
    [long(one) if number % 2 or one.name in LONG else one for number, one in enumerate(SCANS)],
    **by_name,
)
def test_scans(case: Case) -> None:
    compare_with(case.text, case.reference, {**dict(case.dims), "T": 3})


@pytest.mark.parametrize("steps", [0, 1])
@pytest.mark.parametrize("case", SCANS[::5], **by_name)
def test_scans_of_few_steps(case: Case, steps: int) -> None:
    compare_with(case.text, case.reference, {**dict(case.dims), "T": steps})


@pytest.mark.parametrize("case", REPEATS, **by_name)
def test_repeats(case: Case) -> None:
    compare_with(case.text, case.reference, dict(case.dims))


SUMS = """
dim T
input x: [T, 3]
input h0: [3]
scan step[t in T] carry h = h0, before = h0 {
    next h, before = h - x[t] * h * before, h
}
output h, before
"""


def test_tangents_that_are_added_to_are_handed_on_as_they_were() -> None:
    """The tangent of `h` grows, that of `before` is what it was, and the caller's stays."""

    def reference(p: Names, i: Names) -> Names:
        h = before = i["h0"]
        for x in i["x"]:
            h, before = h - x * h * before, h
        return {"h": h, "before": before}

    compare_with(SUMS, reference, {"T": 3})
    made = module(f"{SUMS}\nderive jvp h wrt x, h0")
    x, h0 = np.full((3, 3), 0.3), np.ones(3)
    tangents = {"x": np.ones((3, 3)), "h0": np.ones(3)}
    made.jvp_h(x, h0, tangents=tangents)
    for tangent in tangents.values():
        np.testing.assert_array_equal(tangent, 1)
    np.testing.assert_array_equal(h0, 1)


def test_a_member_of_a_family_alone() -> None:
    """By one layer of three, and by all of them."""
    text = """
        dim B
        input x: [B, 3]
        repeat layer[k in 1..3] carry h = x {
            param W: [3, 3]
            next h = tanh(h @ W)
        }
        output h
        output loss = sum(h**3)
    """

    def run(moving: Names) -> Names:
        h = jnp.asarray(x)
        for k in (1, 2, 3):
            h = jnp.tanh(h @ moving[f"layer.{k}.W"])
        return {"h": h, "loss": jnp.sum(h**3)}

    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 3))
    params = {f"layer.{k}.W": rng.normal(size=(3, 3)) for k in (1, 2, 3)}
    want = by_jax(run, params, "loss")
    for wrt in ("layer.2.W", "layer.*", "layer.3.W, layer.1.W"):
        every = "\n".join(f"derive {one}" for one in clauses(["h", "loss"], wrt, "loss"))
        compare(module(f"{text}\n{every}"), {"params": params, "x": x}, want, "loss")


def test_the_mode_of_a_jacobian_is_chosen_by_dims_alone() -> None:
    """Where a step's work depends on its index: J of x[0]**2 at t = 1, (x[0]**2 + x[1]**2) at 2."""
    made = module("""
        dim B, S
        input x: [S]
        scan s[t in B] carry h = ones([4]) { next h = h * (1 + sum(x[:t]**2)) }
        output y = h
        derive jacobian_matrix y wrt x as J
    """)
    x = np.array([0.5, 2.0, 3.0])
    first, both = 1 + x[0] ** 2, 1 + x[0] ** 2 + x[1] ** 2
    row = [2 * x[0] * (first + both), 2 * x[1] * first, 0.0]
    np.testing.assert_allclose(made.J(x, B=3), np.tile(row, (4, 1)), rtol=1e-14)
