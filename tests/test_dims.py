"""Dims agree with Python's integers, print as they evaluate, and facts keep values."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from graphc.ir.dims import Dim, FloorDiv, map_atoms
from graphc.ir.facts import Facts, linear_in
from graphc.limits import Exceeded

Value = int | Dim
Tree = Callable[[dict[str, Value]], Value]

NAMES = ("B", "D", "T", "heads")
B, D, H, T, heads = (Dim.symbol(name) for name in ("B", "D", "H", "T", "heads"))
SYMBOLS: dict[str, Value] = {name: Dim.symbol(name) for name in NAMES}

integers = st.integers(-12, 12)
values = st.fixed_dictionaries(dict.fromkeys(NAMES, integers))


def join(operator: str, left: Tree, right: Tree) -> Tree:
    def tree(environment: dict[str, Value]) -> Value:
        one, two = left(environment), right(environment)
        return eval(f"one {operator} two", {"one": one, "two": two})  # type: ignore[no-any-return]

    return tree


def power(base: Tree, exponent: int) -> Tree:
    return lambda environment: base(environment) ** exponent


def leaf(value: int | str) -> Tree:
    return lambda environment: environment[value] if isinstance(value, str) else value


def grow(children: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    operators = st.sampled_from(["+", "-", "*", "//", "//", "%"])
    return st.builds(join, operators, children, children) | st.builds(
        power, children, st.integers(0, 3)
    )


leaves = st.builds(leaf, st.sampled_from(NAMES) | integers)
trees = st.recursive(leaves, grow, max_leaves=9)


def build(tree: Tree) -> Dim:
    """Return the tree's dim; trees that divide by the zero polynomial are discarded."""
    try:
        return Dim.of(tree(SYMBOLS))
    except ZeroDivisionError:
        assume(False)
        raise


def value_of(tree: Tree, environment: dict[str, int]) -> int:
    """Return the tree's value; environments that make a divisor zero are discarded."""
    try:
        value = tree({**environment})
    except ZeroDivisionError:
        assume(False)
        raise
    assert isinstance(value, int)
    return value


@settings(max_examples=500)
@given(trees, values)
def test_agrees_with_integers(tree: Tree, environment: dict[str, int]) -> None:
    dim, value = build(tree), value_of(tree, environment)
    assert dim.evaluate(environment) == value
    assert dim.constant is None or dim.constant == value


@settings(max_examples=300)
@given(trees, values)
def test_prints_what_it_is(tree: Tree, environment: dict[str, int]) -> None:
    dim, value = build(tree), value_of(tree, environment)
    assert eval(str(dim), {}, environment) == value
    renamed = {f"size_{name}": size for name, size in environment.items()}
    assert eval(dim.python({name: f"size_{name}" for name in NAMES}), {}, renamed) == value
    if dim.is_atomic:
        assert eval(f"7 // {dim} if ({dim}) else 0", {}, environment) == (value and 7 // value)


@settings(max_examples=300)
@given(trees)
def test_printed_text_is_the_same_dim(tree: Tree) -> None:
    dim = build(tree)
    try:
        again = Dim.of(eval(str(dim), {}, dict(SYMBOLS)))
    except Exceeded:  # products reach powers that `**` does not take
        assume(False)
    assert (again, hash(again), str(again)) == (dim, hash(dim), str(dim))


@settings(max_examples=300)
@given(trees, trees, values)
def test_substitution_commutes(tree: Tree, inner: Tree, environment: dict[str, int]) -> None:
    dim, replacement = build(tree), build(inner)
    try:
        value = replacement.evaluate(environment)
        expected = dim.evaluate({**environment, "D": value})
        symbolic = dim.substitute({"D": replacement})
        assert symbolic.evaluate(environment) == expected
        assert dim.substitute({**environment, "D": value}).constant == expected
    except ZeroDivisionError:
        assume(False)


@given(trees, values)
def test_linear_in(tree: Tree, environment: dict[str, int]) -> None:
    dim = build(tree)
    linear = linear_in(dim, "T")
    if linear is not None:
        slope, rest = linear
        assert slope != 0
        assert "T" not in rest.symbols
        assert slope * T + rest == dim


def test_linear_in_examples() -> None:
    assert linear_in(T + 1, "T") == (1, Dim.of(1))
    assert linear_in(B - 2 * T, "T") == (-2, B)
    assert linear_in(T + T // 2, "T") is None
    assert linear_in(T * B, "T") is None
    assert linear_in(T + T * B, "T") is None
    assert linear_in(T**2, "T") is None
    assert linear_in(B, "T") is None


@pytest.mark.parametrize(
    ("dim", "text"),
    [
        (1 + T, "T + 1"),
        (T * 2, "2*T"),
        (3 - B, "-B + 3"),
        (D * (D - 1) // 2, "(D**2 - D)//2"),
        (heads * (D // heads), "heads*(D//heads)"),
        (-(D // 4), "-(D//4)"),
        (B - D // 4, "B - D//4"),
        ((D // 4) ** 2, "(D//4)**2"),
        (3 * D // (2 * heads), "(3*D)//(2*heads)"),
        (D // (T + 1), "D//(T + 1)"),
        ((D // heads) // 2, "(D//heads)//2"),
        (-D // 2, "(-D)//2"),
        (Dim.of(-3), "-3"),
        (T - T, "0"),
        (4 * D // 4, "D"),
        (heads * D // heads, "D"),
        (D * (D - 1) // D, "D - 1"),
        ((D**2 - 1) // (D + 1), "D - 1"),
        ((4 * D + T) // 4, "D + T//4"),
        ((heads * D + T) // heads, "D + T//heads"),
        (((D + 1) * T + B) // (D + 1), "T + B//(D + 1)"),
        (D // 2 // 3, "D//6"),
        ((D // 2 + 1) // 3, "(D + 2)//6"),
        ((T - 1) // 2 + 1, "(T + 1)//2"),
        (D // 1, "D"),
        (D // -2, "(-D)//2"),
        (D % 4, "D - 4*(D//4)"),
        ((3 * heads) // (2 * heads), "1"),
        (7 // (2 + T - T), "3"),
        (7 % (2 + T - T), "1"),
    ],
)
def test_forms(dim: Dim, text: str) -> None:
    assert str(dim) == text


def test_errors() -> None:
    for zero in (0, T - T):
        with pytest.raises(ZeroDivisionError):
            T // zero
        with pytest.raises(ZeroDivisionError):
            T % zero
    with pytest.raises(ZeroDivisionError):
        3 // (T - T)
    with pytest.raises(Exceeded):
        T**65
    with pytest.raises(ValueError, match="negative power"):
        T**-1
    wide = sum((Dim.symbol(f"x{index}") for index in range(101)), Dim.of(0))
    with pytest.raises(Exceeded):
        wide * wide
    nested = T
    for _ in range(8):
        nested = (nested + B) // heads
    with pytest.raises(Exceeded, match="nested"):
        (nested + B) // heads
    with pytest.raises(KeyError):
        (T + B).evaluate({"T": 1})
    with pytest.raises(TypeError):
        Dim.of(1.5)  # type: ignore[arg-type]
    assert (T**64 * T**64).evaluate({"T": 10**30}) == 10 ** (30 * 128)


def test_order_is_independent_of_hash_seed() -> None:
    program = (
        "from graphc.ir.dims import Dim\nfrom graphc.ir.facts import Facts\n"
        "s = [Dim.symbol(n) for n in 'zyxwab']\n"
        "d = sum(a * b // (c + 3) + a // 2 for a in s for b in s for c in s)\n"
        "f = Facts.empty.with_zero(s[0] % s[1]).with_zero(s[2] % s[1]).with_zero(s[3] % 4)\n"
        "print(d, f, f.rules, f.normal(d), [sorted(x.symbols) for x in f.rules])"
    )
    program = program.replace("f, f.rules", "[str(r) for r in f.rules]")
    texts = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": "."},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(texts) == 1


def test_facts_divisibility() -> None:
    facts = Facts.empty.with_zero(D % heads)
    assert facts.equal(heads * (D // heads), D)
    assert facts.equal(B * T * heads * (D // heads), B * T * D)
    assert facts.equal((B * D) // heads, B * (D // heads))
    assert facts.equal((D + T) // heads, D // heads + T // heads)
    assert str(facts.normal(heads * (D // heads))) == "D"
    assert not facts.equal(heads * (T // heads), T)
    assert not Facts.empty.equal(heads * (D // heads), D)

    facts = Facts.empty.with_zero(D % 4)
    assert facts.equal(4 * (D // 4), D)
    assert facts.equal(3 * D, 12 * (D // 4))
    assert facts.equal(D**2, 4 * D * (D // 4))
    assert facts.equal(D // 2, 2 * (D // 4))
    assert facts.equal((D + 3) // 4, D // 4)
    assert facts.equal(((D // 4) * 4 + T) // 3, (D + T) // 3)
    assert not facts.equal(D // 3, 3 * (D // 9))

    facts = Facts.empty.with_zero((D * T) % 4)
    assert facts.equal(4 * ((D * T) // 4) * B, B * D * T)
    assert facts.equal((B * D * T) // 4, B * ((D * T) // 4))


def test_facts_combine() -> None:
    facts = Facts.empty.with_zero(H - 2 * D)
    assert facts.equal(H, 2 * D)
    assert facts.equal(H // 2, D)
    assert facts.equal(T // H, T // (2 * D))
    facts = facts.with_zero(D % heads)
    assert facts.equal(H, 2 * heads * (D // heads))
    assert facts.equal(H // heads, 2 * (D // heads))
    facts = facts.with_zero(heads - 4)
    assert facts.equal(4 * (D // 4), D)
    assert facts.equal(H // 8, D // 4)
    facts = Facts.empty.with_zero(D % heads).with_zero(T % heads)
    assert facts.equal((D + T) // heads * heads, D + T)
    facts = Facts.empty.with_zero(D % 4).with_zero(D % 2)
    assert facts.equal(D // 2, 2 * (D // 4))
    facts = Facts.empty.with_zero(D - 3 * heads).with_zero(D % heads)
    assert facts.equal(D // heads, Dim.of(3))
    assert Facts.empty.with_zero(2 * D - 2 * T).equal(D, T)
    forward = Facts.empty.with_zero(D - T).with_zero(T - B)
    assert forward.normal(D) == forward.normal(T) == forward.normal(B)


def test_facts_contradict() -> None:
    for facts, zero in (
        (Facts.empty, Dim.of(1)),
        (Facts.empty.with_zero(D - 1), D - 2),
        (Facts.empty.with_zero(D - T), D - T - 1),
        (Facts.empty.with_zero(D - 6), D % 4),
    ):
        with pytest.raises(ValueError, match="can never hold together"):
            facts.with_zero(zero)
    with pytest.raises(ValueError, match="can never hold"):
        Facts.empty.with_nonnegative(Dim.of(-1))
    assert Facts.empty.with_zero(heads).normal(D // heads) == D // heads


def test_nonnegative() -> None:
    facts = Facts.empty
    assert facts.nonnegative(D * T + 3) is True
    assert facts.nonnegative(-D - 1) is False
    assert facts.nonnegative(-D) is None
    assert facts.nonnegative(D - 1) is None
    assert facts.nonnegative((D + 1) // 4) is True
    assert facts.nonnegative(D // heads) is True
    assert facts.nonnegative(D - D // 2) is True
    assert facts.nonnegative(D // 2 - D - 1) is False
    assert facts.nonnegative(D**2 - D) is None
    facts = facts.with_nonnegative(D - 3)
    assert facts.nonnegative(D - 2) is True
    assert facts.nonnegative(2 * D - 6) is True
    assert facts.nonnegative(2 * D - 7) is None
    assert facts.nonnegative(B * D - 3 * B) is True
    assert facts.nonnegative((D - 3) // 2) is True
    assert facts.nonnegative((D - 3) // 2 * B) is True
    assert facts.nonnegative(2 - D) is False
    facts = facts.with_nonnegative(T - 2)
    assert facts.nonnegative(D + T - 5) is True
    facts = facts.with_zero(H - D)
    assert facts.nonnegative(H - 1) is True
    assert Facts.empty.with_zero(D % 4).nonnegative(D - D // 4) is True
    # A fact whose proof could go in circles still ends.
    circular = Facts.empty.with_nonnegative(T - (T - 3) // 2)
    assert circular.nonnegative((T - 3) // 2) is None


zero_facts = st.lists(
    st.sampled_from(
        [
            D % heads,
            D % 4,
            T % heads,
            T % 3,
            D % 6,
            D - 2 * T,
            B - D,
            heads - 2,
            D - heads * B,
            B * T - D,
            B * T - D * heads,
            D // 2 - T,
            (D * T) % 4,
            (D + T) % heads,
            D % (T + 1),
            B - T // 2,
            2 * B - 3 * T,
            D % 2 - 1,
        ]
    ),
    max_size=4,
)
SIZES = (1, 2, 3, 4, 6, 8, 12, 5, 0)


@settings(max_examples=200, deadline=None)
@given(zero_facts, trees, trees, st.data())
def test_facts_are_sound(zeros: list[Dim], tree: Tree, other: Tree, data: st.DataObject) -> None:
    dim, second = build(tree), build(other)
    environment = {name: data.draw(st.sampled_from(SIZES)) for name in NAMES}
    held = []
    for zero in zeros:
        try:
            if zero.evaluate(environment) == 0:
                held.append(zero)
        except ZeroDivisionError:
            continue
    facts = Facts.empty
    for zero in held:
        facts = facts.with_zero(zero)
    try:
        value, bound = dim.evaluate(environment), second.evaluate(environment)
    except ZeroDivisionError:
        assume(False)
    if bound >= 0:
        facts = facts.with_nonnegative(second)
    normal = facts.normal(dim)
    assert normal.evaluate(environment) == value
    assert facts.normal(normal) == normal
    assert facts.equal(dim, normal)
    if facts.equal(dim, second):
        assert value == bound
    verdict = facts.nonnegative(dim)
    assert verdict is None or verdict == (value >= 0)


@settings(max_examples=100, deadline=None)
@given(trees, trees)
def test_a_required_equality_holds(left: Tree, right: Tree) -> None:
    one, two = build(left), build(right)
    try:
        facts = Facts.empty.with_zero(one - two)
    except ValueError:
        assert (one - two).constant is not None
        return
    assert facts.equal(one, two)


def test_circular_facts_end() -> None:
    circular = (B - 1 // B, B - B // (B + 1), D - (D // 2) * (D // 3), D // T - T // D)
    for zero in (*circular, D - 1 - (D - 1) // B):
        facts = Facts.empty.with_zero(zero)
        assert facts.equal(zero, Dim.of(0))
    facts = Facts.empty.with_zero(B - D // T).with_zero(D - T // B).with_zero(T - B // D)
    assert facts.equal(B, D // T)


def test_floor_divisions_are_compared_by_value() -> None:
    assert FloorDiv(D, heads) == FloorDiv(D, heads)
    assert FloorDiv(D, heads) != FloorDiv(D, T)
    assert (D // heads).atoms == (FloorDiv(D, heads),)


@pytest.fixture
def mapped(monkeypatch: pytest.MonkeyPatch) -> list[Dim]:
    """The dims that were looked through."""
    found: list[Dim] = []

    def counted(*args: Any) -> Dim:
        found.append(args[0])
        return map_atoms(*args)

    monkeypatch.setattr("graphc.ir.facts.map_atoms", counted)
    return found


def test_many_facts_are_learnt_in_time_that_grows_with_them(mapped: list[Dim]) -> None:
    def learn(count: int) -> int:
        facts = Facts.empty
        mapped.clear()
        pairs = [(Dim.symbol(f"a{i}"), Dim.symbol(f"b{i}")) for i in range(count)]
        for double, single in pairs:
            facts = facts.with_zero(double - 2 * single)
        taken = len(mapped)
        assert all(facts.equal(double, 2 * single) for double, single in pairs)
        assert not facts.equal(pairs[0][0], pairs[1][0])
        return taken

    assert learn(40) <= 2 * learn(20)


def test_a_chain_of_facts_is_learnt_in_time_that_grows_with_it(mapped: list[Dim]) -> None:
    """Also beside a remainder, which nothing solves."""

    def learn(count: int) -> int:
        facts = Facts.empty.with_zero(Dim.symbol("heads") % 3)
        mapped.clear()
        chain = [Dim.symbol(f"a{i}") for i in range(count)]
        for double, single in pairwise(chain):
            facts = facts.with_zero(double - 2 * single)
        assert facts.equal(chain[0], 2 ** (count - 1) * chain[-1])
        assert facts.equal(chain[1] + chain[2], 3 * chain[2])
        return len(mapped)

    assert learn(40) <= 2.1 * learn(20)


def test_what_divides_by_zero_is_not_solved_for_what_it_holds() -> None:
    """X = A//0, where 0 is Z - Y - 1: it holds Z and Y, which are X + 1 and X."""
    a, x, y, z = (Dim.symbol(name) for name in "AXYZ")
    facts = Facts.empty.with_zero(z - x - 1).with_zero(y - x).with_zero(x - a // (z - y - 1))
    assert facts.equal(z, y + 1)


def test_a_fact_is_put_into_what_is_solved_already() -> None:
    """A = 2 B, then B = 3 C: A is 6 C, in either order."""
    a, b, c = (Dim.symbol(name) for name in "ABC")
    stated = [a - 2 * b, b - 3 * c]
    for first, second in (stated, stated[::-1]):
        facts = Facts.empty.with_zero(first).with_zero(second)
        assert facts.equal(a, 6 * c)
        assert facts.equal(a - b, 3 * c)
        with pytest.raises(ValueError, match="never hold together"):
            facts.with_zero(a - 6 * c - 1)
