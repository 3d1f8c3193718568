"""Programs by chance, whose features cross: every function against an interpreter and dual numbers.

`make fuzz` runs many more of them, and what it found is kept in `tests/fuzz/corpus`.
"""

from __future__ import annotations

import random

import pytest

from tests.fuzz.check import check
from tests.fuzz.compiling import settled
from tests.fuzz.coverage import Coverage
from tests.fuzz.finding import Finding
from tests.fuzz.program import Program
from tests.fuzz.run import commented
from tests.fuzz.writing.generate import generate

CHUNK = 10


def program(seed: int) -> Program:
    """The program of a seed, with some pairs of features by chance."""
    return settled(generate(seed, Coverage().rare(random.Random(seed))))


@pytest.mark.parametrize("first", range(0, 30, CHUNK))
@pytest.mark.filterwarnings("ignore")
def test_programs(first: int) -> None:
    for seed in range(first, first + CHUNK):
        one = program(seed)
        found = check(one)
        assert not isinstance(found, Finding), commented(one, found)
