"""The table of kinds of derived functions, and the tables that have an entry for each kind."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import module

from graphc.compile.clauses import GRAPHS, GRAPHS_PER
from graphc.compile.stages import Options, compile_text
from graphc.kinds import ALONE, KINDS, Kind, add_values
from graphc.targets.numpy.functions.comparisons import COMPARISONS
from graphc.targets.numpy.functions.writers import WRITERS

GRAPH = """
input x: [3]
param w: [3]
output y = sin(x * w)
output loss = sum(y**2)
"""


def test_every_kind_has_a_graph_a_writer_and_a_comparison() -> None:
    assert set(GRAPHS) == set(WRITERS) == set(ALONE)
    assert set(COMPARISONS) == {kind for kind in ALONE if kind.order}
    assert set(GRAPHS_PER) <= {kind for kind in ALONE if kind.per}
    assert all(kind.meaning for kind in ALONE)
    assert all(bool(kind.instead_of_per) != kind.per for kind in ALONE)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_table_by_kind_has_an_entry_for_the_one_has_values_too(kind: Kind) -> None:
    assert kind.base in ALONE
    assert (kind.base is kind) == (not kind.name.startswith("value_and_"))


@pytest.mark.parametrize(
    "kind", [kind for kind in ALONE if kind.values == "apart"], ids=lambda kind: kind.name
)
@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_has_values_come_the_same_derivatives(kind: Kind, level: str) -> None:
    of = "loss" if kind.of_scalar else "y"
    words = kind.name, add_values(kind).name
    clauses = "\n".join(f"derive {word} {of} wrt w as f_{i}" for i, word in enumerate(words))
    made = module(f"{GRAPH}{clauses}\n", level=level)
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(2, 3))
    alone, (value, derivative) = (f({"w": w}, x) for f in (made.f_0, made.f_1))
    y = np.sin(x * w)
    np.testing.assert_allclose(value, np.sum(y**2) if kind.of_scalar else y, rtol=1e-14)
    np.testing.assert_array_equal(_array(derivative), _array(alone))


def _array(found: object) -> np.ndarray:
    """A derivative by the only path of the only output."""
    while isinstance(found, dict):
        (found,) = found.values()
    return np.asarray(found.toarray() if hasattr(found, "toarray") else found)


def test_the_signature_of_a_form_for_arrays_is_laid_out_by_its_own_name() -> None:
    clause = "derive grad energy_of wrt x, y as a_name_of_some_length"
    text = f"input x: [2]\ninput y: [2]\noutput energy_of = sum(x * y)\n{clause}\n"
    written = compile_text(text, options=Options(level="-O2")).text
    assert "def _a_name_of_some_length_arrays(\n" in written
    assert all(len(line) <= 100 for line in written.split("\n") if line.startswith("def "))
