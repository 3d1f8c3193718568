"""The pictures in the documents are those that graphc draws now."""

from __future__ import annotations

from tests.gallery import COMMAND, stale


def test_pictures_are_up_to_date() -> None:
    assert stale() == [], f"look at them, then: {COMMAND} --update"
