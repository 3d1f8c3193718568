"""Paths and families of them: who is a member of whom, and what stands together."""

from __future__ import annotations

import pytest

from graphc import paths

MEET = [
    ("layer.*.W", "layer.3.W", True),
    ("layer.3.W", "layer.*.W", True),
    ("layer.*.W", "layer.*.W", True),
    ("layer.3.W", "layer.4.W", False),
    ("layer.*.W", "layer.3.b", False),
    ("layer.*.W", "layer.3.fc.W", False),
    ("x", "x", True),
    ("x", "y", False),
]


def test_a_member_is_of_its_family() -> None:
    whole = f"{paths.family('net.layer')}.W"
    assert whole == "net.layer.*.W"
    assert paths.is_family(whole)
    assert paths.members(whole, range(1, 4)) == ["net.layer.1.W", "net.layer.2.W", "net.layer.3.W"]
    for number, member in enumerate(paths.members(whole, range(4))):
        assert not paths.is_family(member)
        assert (whole, number) in paths.families(member)
    assert paths.bare(whole) == "net.layer.W"


def test_a_path_may_be_a_member_by_each_of_its_numbers() -> None:
    assert [*paths.families("a.1.b.2.W")] == [("a.*.b.2.W", 1), ("a.1.b.*.W", 2)]
    assert [*paths.families("layer.W")] == []


@pytest.mark.parametrize(("one", "other", "same"), MEET)
def test_paths_that_name_the_same(one: str, other: str, same: bool) -> None:
    meet = one in paths.meanings(other) or other in paths.meanings(one)
    assert meet is same


def test_what_lies_below_a_prefix() -> None:
    assert paths.below("layer.*.fc.W", ["layer"]) == "layer.*.fc.W"
    assert paths.below("layer.*.fc.W", ["layer", "2"]) == "layer.2.fc.W"
    assert paths.below("layer.*.W", ["layer", "2", "W"]) is None
    assert paths.below("layer.*.W", ["other"]) is None
    assert paths.below("layer.*.W", ["layer", "x"]) is None


def test_families_over_one_index_stand_together() -> None:
    chosen = ["x", "layer.*.W", "layer.*.b", "y", "z", "other.*.W", "layer.*.c"]
    found = [["x"], ["layer.*.W", "layer.*.b"], ["y"], ["z"], ["other.*.W"], ["layer.*.c"]]
    assert paths.group_by_index(chosen) == found
