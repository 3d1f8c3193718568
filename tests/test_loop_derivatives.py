"""Every kind of derivative through loops, against JAX."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from conftest import compiled, module
from derivative_checks import Names, by_jax, clauses, compare
from test_loops import CASES, Case

from graphc.sample import arguments

SCANS = [case for case in CASES if "dim T" in case.text]
REPEATS = [case for case in CASES if "dim T" not in case.text]
by_name = {"ids": lambda case: case.name}


def compare_with(text: str, reference: Any, dims: Mapping[str, int], seed: int = 0) -> None:
    """All outputs and a function of them, by all parameters and float inputs."""
    model = compiled(text.strip()).model
    outputs = [d.name for d in model.outputs if d.type.dtype == "float"]
    energy = " + ".join(f"sum(sin({name}))" for name in outputs)
    names = [*outputs, "energy_"]
    more = [f"output energy_ = {energy}"]
    more += [f"derive {one}" for one in clauses(names, "params, inputs", "energy_")]
    made = module("\n".join([text.strip(), *more]))
    given = arguments(model, seed, dims)
    whole = {k: v for k, v in given.items() if k != "params"}
    floats = {k: v for k, v in whole.items() if np.asarray(v).dtype.kind == "f"}
    params = given.get("params", {})

    def run(moving: Names) -> Names:
        found = reference(
            {k: moving[k] for k in params}, {**whole, **{k: moving[k] for k in floats}}
        )
        chosen = {name: found[name] for name in outputs}
        return {**chosen, "energy_": sum(jnp.sum(jnp.sin(one)) for one in chosen.values())}

    want = by_jax(run, {**params, **floats}, "energy_")
    compare(made, given, want, "energy_", seed)


@pytest.mark.parametrize("case", SCANS, **by_name)
def test_scans(case: Case) -> None:
    compare_with(case.text, case.reference, {**dict(case.dims), "T": 3})


@pytest.mark.parametrize("steps", [0, 1])
@pytest.mark.parametrize("case", SCANS[::5], **by_name)
def test_scans_of_few_steps(case: Case, steps: int) -> None:
    compare_with(case.text, case.reference, {**dict(case.dims), "T": steps})


@pytest.mark.parametrize("case", REPEATS, **by_name)
def test_repeats(case: Case) -> None:
    compare_with(case.text, case.reference, dict(case.dims))
