"""Records are what `dataclasses` makes of the same class."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from graphc import records

Make = Callable[..., Any]
MAKERS = (dataclasses.dataclass, records.dataclass)


@records.dataclass(frozen=True, slots=True)
class Kept:
    """At the top, where pickle finds it."""

    name: str
    others: tuple[Kept, ...] = ()


def declared(dataclass: Make, **options: bool) -> Any:
    @dataclass(**options)
    class Base:
        number: int
        made: ClassVar[int] = 3

        @property
        def double(self) -> int:
            return 2 * self.number

    @dataclass(**options)
    class Record(Base):
        words: list[str] = dataclasses.field(default_factory=list, hash=False)
        note: str = dataclasses.field(default="none", compare=False, repr=False)
        text: str = dataclasses.field(init=False, compare=False)

        def __post_init__(self) -> None:
            object.__setattr__(self, "text", f"{self.number}: {self.words}")

    return Record


def told(kind: Any) -> list[Any]:
    """All that can be seen of records of a kind."""
    one, same = kind(1, ["a"]), kind(number=1, words=["a"], note="other")
    others = [kind(2, ["a"]), kind(1, ["b"]), kind(1)]
    match one:
        case kind(number, words):
            matched = number, words
    return [
        matched, repr(one).partition("declared")[2], one == same, [one == each for each in others],
        one == (1, ["a"]), one != same, one.double, kind.made, kind(5).words is kind(5).words,
        [field.name for field in dataclasses.fields(kind)], kind.__match_args__,
        dataclasses.is_dataclass(kind), dataclasses.asdict(same), kind.__qualname__,
        kind.__dict__.get("__slots__"), kind.__hash__ is None, copy.copy(same).note,
        repr(copy.deepcopy(same)),
    ]  # fmt: skip


@pytest.mark.parametrize("slots", [False, True])
@pytest.mark.parametrize("frozen", [False, True])
def test_records_are_those_of_dataclasses(frozen: bool, slots: bool) -> None:
    theirs, ours = (declared(make, frozen=frozen, slots=slots) for make in MAKERS)
    assert told(ours) == told(theirs)
    if frozen:
        assert hash(ours(1, ["a"])) == hash(ours(1, ["b"], "other")) == hash(theirs(1))
    for wrong in ({}, {"number": 1, "text": ""}, {"number": 1, "more": 2}):
        for kind in (ours, theirs):
            with pytest.raises(TypeError):
                kind(**wrong)


def test_records_without_equality_are_equal_to_themselves_alone() -> None:
    theirs, ours = (declared(make, frozen=True, slots=True, eq=False) for make in MAKERS)
    for kind in (ours, theirs):
        one = kind(1)
        assert one == one
        assert one != kind(1)
        assert hash(one) == object.__hash__(one)


def test_replace_keeps_what_is_not_given() -> None:
    theirs, ours = (declared(make, frozen=True, slots=True) for make in MAKERS)
    before, expected = ours(1, ["a"], "b"), dataclasses.replace(theirs(1, ["a"], "b"), number=2)
    after = records.replace(before, number=2)
    assert after.words is before.words
    assert [after.number, after.note, after.text] == [2, expected.note, expected.text]
    with pytest.raises(TypeError):
        records.replace(before, text="no parameter")


def test_a_method_of_the_class_stays() -> None:
    def kind(dataclass: Make) -> Any:
        @dataclass(frozen=True, slots=True)
        class Own:
            number: int

            def __repr__(self) -> str:
                return "own"

            def __eq__(self, other: object) -> bool:
                return True

            def __hash__(self) -> int:
                return 5

        return Own

    for make in MAKERS:
        one = kind(make)(1)
        assert (repr(one), hash(one), one == 3) == ("own", 5, True)


def test_records_are_pickled() -> None:
    one = Kept("a", (Kept("b"),))
    assert pickle.loads(pickle.dumps(one)) == one
