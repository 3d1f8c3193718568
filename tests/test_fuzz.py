"""Programs by chance, whose features cross: every function against an interpreter and dual numbers.

`make fuzz` runs many more of them, and what it found is kept in `tests/fuzz/corpus`.
"""

from __future__ import annotations

import functools
import random
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import jax
import numpy as np
import pytest
from conftest import long

from graphc.ad.jacobian.derivatives import DERIVATIVES
from graphc.kinds import KINDS as ALL_KINDS
from graphc.ops import FUNCTIONS
from tests.fuzz import corpus
from tests.fuzz.calling import arguments, called, leaves
from tests.fuzz.check import check
from tests.fuzz.compiling import compiled, settled
from tests.fuzz.coverage import FEATURE_TAGS, KIND_TAGS, MODE_TAGS, OPERATION_TAGS, Coverage
from tests.fuzz.finding import Finding, Invalid
from tests.fuzz.meaning.arrays import smooth
from tests.fuzz.meaning.duals import SMOOTH
from tests.fuzz.meaning.functions import NAMED
from tests.fuzz.program import Program
from tests.fuzz.writing.deriving import KINDS
from tests.fuzz.writing.generate import generate

pytestmark = pytest.mark.filterwarnings("ignore")  # of values that no array holds

PROGRAMS = 300
CHUNK = 10
SHORT = 30
"""The functions of so many are checked by `make test`, of all by `make test-all`."""
VERIFIED = 30
"""Of so many programs every graph on the way is verified."""


@functools.cache
def program(seed: int) -> Program:
    """The program of a seed, with some pairs of features by chance."""
    return settled(generate(seed, Coverage().rare(random.Random(seed))))


def right(one: Program) -> None:
    found = check(one)
    assert not isinstance(found, Finding), corpus.written(one, found)


@pytest.mark.parametrize(
    "first",
    [
        *range(0, SHORT, CHUNK),
        *map(long, range(SHORT, PROGRAMS, CHUNK)),
    ],
)
def test_programs(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if first < VERIFIED:
        monkeypatch.setenv("GRAPHC_VERIFY", "1")
    for seed in range(first, first + CHUNK):
        right(program(seed))


@pytest.mark.usefixtures("verifying")
@pytest.mark.parametrize("path", sorted(corpus.FOLDER.glob("*.graph")), ids=lambda path: path.stem)
def test_what_was_found_before(path: Path) -> None:
    right(corpus.read(path.read_text(encoding="utf-8")))


@pytest.mark.long
def test_programs_have_what_the_language_has() -> None:
    """Every feature, every operation, every kind of derivative and every mode is somewhere."""
    met = frozenset().union(*(program(seed).tags for seed in range(PROGRAMS)))
    wanted = {*FEATURE_TAGS, *OPERATION_TAGS, *KIND_TAGS, *MODE_TAGS}
    assert not wanted - met
    assert max(len(program(seed).statements) for seed in range(PROGRAMS)) > 40


def test_every_kind_is_asked_for() -> None:
    assert set(KINDS) == set(ALL_KINDS)


def test_every_operation_has_a_meaning() -> None:
    assert set(NAMED) | DERIVATIVES >= set(FUNCTIONS)


@pytest.mark.parametrize("name", [name for name in SMOOTH if not name[-1].isdigit()])
def test_every_smooth_function_is_known_in_jax(name: str) -> None:
    """Its name there is found; no program of JAX is compiled."""
    x = jax.ShapeDtypeStruct((2,), np.float32)
    assert jax.eval_shape(smooth(name), x).shape == x.shape


def test_a_program_is_read_as_it_was_written() -> None:
    for seed in range(20):
        one = replace(program(seed), origin=None)
        again = corpus.read(corpus.written(one))
        assert again.clauses == tuple(replace(c) for c in one.clauses)
        assert [v.type.sizes for v in again.inputs] == [v.type.sizes for v in one.inputs]
        assert again.setting == one.setting


def unbounded(first: int) -> tuple[Program, ModuleType]:
    """The first program from a seed on that is not rightly refused, and its readable module."""
    for seed in range(first, first + CHUNK):
        one = program(seed)
        dims = tuple((dim.name, dim.size) for dim in one.dims if "=" not in dim.written)
        if not all(size for _, size in dims):
            dims = tuple((name, 2) for name, _ in dims)
        whole = replace(one, setting=replace(one.setting, dims=dims, memory=""))
        try:
            return whole, compiled(whole, ["-O0"])["-O0"]
        except Invalid:  # as a surrogate is without forward derivative
            continue
    pytest.fail("every program is refused")


@pytest.mark.parametrize("first", range(0, 90, 9))
def test_less_memory_keeps_the_bits(first: int) -> None:
    """At the readable level: what is computed again is computed as it was."""
    whole, free = unbounded(first)
    given = arguments(whole, free)
    expected = called(whole, free, given, "-O0")
    for share in ("80%", "95%", "100%"):
        bounded = replace(whole, setting=replace(whole.setting, memory=share))
        try:
            module = compiled(bounded, ["-O0"])["-O0"]
        except Invalid:
            continue
        found = called(bounded, module, given, "-O0")
        for (_, here), (_, there) in zip(leaves(found), leaves(expected), strict=True):
            assert np.array_equal(here, there, equal_nan=np.asarray(here).dtype.kind == "f")
        return
    pytest.fail("nothing fits into what it takes without a bound")
