"""Texts by chance: each is a module that can be imported, or mistakes with their places.

`make fuzz` tries many more of them; what it found is kept in `tests/fuzz/texts/corpus`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import long

from tests.fuzz.texts.judging import judged, level_of
from tests.fuzz.texts.mutation import written

PATIENCE = 5.0
"""What hangs or grows is found within it; how fast this machine is at the moment is not asked."""

CORPUS = sorted((Path(__file__).parent / "fuzz" / "texts" / "corpus").glob("*.graph"))


@pytest.mark.parametrize("first", [0, 75, *map(long, range(150, 300, 75))])
@pytest.mark.filterwarnings("ignore")
def test_texts(first: int) -> None:
    for seed in range(first, first + 75):
        data = written(seed)
        found = judged(data, level_of(seed), PATIENCE)
        assert found is None, (seed, found, data)


@pytest.mark.parametrize("level", ["-O0", "-O2"])
@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("ignore")
def test_what_was_found(path: Path, level: str) -> None:
    assert judged(path.read_bytes(), level, PATIENCE) is None
