"""Facts about dims: what `require` states, what follows from it, and proofs of `dim >= 0`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import gcd
from operator import itemgetter
from types import MappingProxyType
from typing import ClassVar

from graphc.ir.dims import (
    Atom,
    Dim,
    FloorDiv,
    Monomial,
    Term,
    from_atom,
    map_atoms,
    monomial_quotient,
    only_floor,
    shared_monomial,
    shrink,
)
from graphc.records import dataclass, field

# Bounds on the searches below; whatever is found within them is sound, so they only cost proofs.
REWRITE_ROUNDS = 8
REDUCTION_STEPS = 2_000
SOLVE_ROUNDS = 200
PROOF_GOALS = 30
PROOF_DEPTH = 3


@dataclass(frozen=True, slots=True)
class Facts:
    """What `require` states about dims: an immutable set, with what follows from it.

    Facts that contradict each other are a ValueError. Every divisor is taken to be nonzero.

    >>> width, heads = Dim.symbol("D"), Dim.symbol("heads")
    >>> facts = Facts.empty.with_zero(width % heads)
    >>> facts.equal(heads * (width // heads), width), str(facts.normal(5 * width // heads))
    (True, '5*(D//heads)')
    """

    zeros: tuple[Dim, ...] = ()
    nonnegatives: tuple[Dim, ...] = ()
    solved: Mapping[str, Dim] = field(default_factory=dict, compare=False, repr=False)
    rules: tuple[Dim, ...] = field(default=(), compare=False, repr=False)
    oriented: frozenset[Dim] = field(default=frozenset(), compare=False, repr=False)
    values: dict[str, Dim] = field(default_factory=dict, init=False, compare=False, repr=False)
    forms: dict[Dim, Dim] = field(default_factory=dict, init=False, compare=False, repr=False)
    bounds: dict[Atom, list[_Bound]] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )
    near: dict[Atom, list[tuple[int, Dim]]] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )
    empty: ClassVar[Facts]

    def with_zero(self, dim: Dim) -> Facts:
        """Return the facts with `dim == 0` added."""
        if not dim.terms or dim in self.zeros:
            return self
        zeros = (*self.zeros, dim)
        found = _solve([dim], self.solved, self.rules)
        return Facts(zeros, self.nonnegatives, *found, self.oriented | {_orient(dim)})

    def without(self, name: str) -> Facts:
        """Return the facts that do not speak of a name."""
        zeros = tuple(dim for dim in self.zeros if name not in dim.symbols)
        nonnegatives = tuple(dim for dim in self.nonnegatives if name not in dim.symbols)
        return Facts(zeros, nonnegatives, *_solve(zeros), frozenset(map(_orient, zeros)))

    def with_nonnegative(self, dim: Dim) -> Facts:
        """Return the facts with `dim >= 0` added."""
        value = self.normal(dim).constant
        if value is not None and value < 0:
            raise ValueError(f"{dim} >= 0 can never hold")
        if value is not None or dim in self.nonnegatives:
            return self
        return Facts(self.zeros, (*self.nonnegatives, dim), self.solved, self.rules, self.oriented)

    def normal(self, dim: Dim) -> Dim:
        """Return the form of `dim` that the facts rewrite it to; equal forms are equal dims."""
        if not self.zeros:
            return dim
        if dim not in self.forms:
            if self.rules and not self.near:
                self.near.update(_near(self.rules))
            self.forms[dim] = _Rewriter(self.solved, self.near, self.values).rewrite(dim)
        return self.forms[dim]

    def equal(self, left: Dim, right: Dim) -> bool:
        """Return whether the two are provably equal."""
        if left == right or not self.zeros:
            return left == right
        difference = left - right
        return self._states(difference) or not self.normal(difference).terms

    def _states(self, dim: Dim) -> bool:
        """Return whether a fact is that `dim == 0`, which rewriting by it need not find again."""
        return dim.constant is None and _orient(dim) in self.oriented

    def nonnegative(self, dim: Dim) -> bool | None:
        """Return whether `dim >= 0` where all symbols are, or None where that is not known."""
        if self._provable(dim):
            return True
        return False if self._provable(-dim - 1) else None

    def _provable(self, dim: Dim, depth: int = PROOF_DEPTH) -> bool:
        """Search for a proof of `dim >= 0`: each new goal implies the goal that it came from."""
        if depth < 0:
            return False
        if self.nonnegatives and not self.bounds:
            known = dict.fromkeys((*self.nonnegatives, *map(self.normal, self.nonnegatives)))
            self.bounds.update(_by_atom(known))
        goals = dict.fromkeys((dim, self.normal(dim)))
        queue = list(goals)
        for goal in queue:
            if all(c >= 0 and self._is_nonnegative(m, depth) for m, c in goal.terms):
                return True
            for following in self._sufficient(goal, depth):
                if len(queue) < PROOF_GOALS and following not in goals:
                    goals[following] = None
                    queue.append(following)
        return False

    def _is_nonnegative(self, monomial: Monomial, depth: int) -> bool:
        return all(
            isinstance(atom, str)
            or power % 2 == 0
            or all(self._provable(side, depth - 1) for side in (atom.numerator, atom.denominator))
            for atom, power in monomial
        )

    def _sufficient(self, goal: Dim, depth: int) -> Iterable[Dim]:
        """Yield dims whose being nonnegative makes `goal` so."""
        scale = gcd(*(coefficient for monomial, coefficient in goal.terms if monomial))
        shared = shared_monomial(goal.terms)
        if self._is_nonnegative(shared, depth):
            yield shrink(goal, shared, max(scale, 1))
        for monomial, coefficient in goal.terms:
            floor = only_floor(Dim(((monomial, 1),)))
            if floor is not None and abs(coefficient) == 1:
                above, below = floor.numerator, floor.denominator
                rest = goal - coefficient * from_atom(floor)
                if self._provable(below, depth - 1):
                    # n//d + r >= 0 when n + d*r >= 0; r - n//d >= 0 when n < d*(r + 1).
                    yield coefficient * above + below * rest + (coefficient < 0) * (below - 1)
            yield from _without_remainder(goal, monomial)
            for _, lead, unit, fact in sorted(
                (one for atom, _ in monomial for one in self.bounds.get(atom, ())), key=_in_order
            ):
                ratio = monomial_quotient(monomial, lead) if unit <= coefficient else None
                if ratio is not None and self._is_nonnegative(ratio, depth):
                    yield goal - Dim(((ratio, coefficient // unit),)) * fact


_Bound = tuple[int, Monomial, int, Dim]
"""A term with a positive coefficient, and the fact that it is of; these are counted."""
_in_order = itemgetter(0)


def _by_atom(known: Iterable[Dim]) -> dict[Atom, list[_Bound]]:
    """Sort the terms that can be taken from others by their first atom, which these hold, too."""
    found: dict[Atom, list[_Bound]] = {}
    terms = ((lead, unit, fact) for fact in known for lead, unit in fact.terms if lead and unit > 0)
    for number, (lead, unit, fact) in enumerate(terms):
        found.setdefault(lead[0][0], []).append((number, lead, unit, fact))
    return found


def _without_remainder(goal: Dim, monomial: Monomial) -> Iterable[Dim]:
    """Yield what is no larger than `goal`, where that holds k times the remainder of a division.

    n - d*(n//d) is at least 0 and at most d - 1, since a divisor is taken to be positive.
    """
    for atom, power in monomial:
        if isinstance(atom, str) or power != 1:
            continue
        holds = [(m, c) for m, c in goal.terms if (atom, 1) in m]
        factor = Dim(tuple((tuple(one for one in m if one != (atom, 1)), c) for m, c in holds))
        times = -factor.terms[0][1] // atom.denominator.terms[0][1]
        if factor != -times * atom.denominator:
            continue
        rest = goal - factor * from_atom(atom) - times * atom.numerator
        yield rest if times > 0 else rest + times * (atom.denominator - 1)


Facts.empty = Facts()


Near = Mapping[Atom, Sequence[tuple[int, Dim]]]
"""By atom the rules that have it, with their places."""


@dataclass(frozen=True, slots=True)
class _Rewriter:
    """Rewrites by solved symbols and by rules, each a dim known to be zero, but not by one of them.

    What a symbol is equal to may hold symbols that were solved later: `values` has what is left
    where these are replaced, too, and is filled, so that a chain of symbols is gone along once.
    """

    solved: Mapping[str, Dim]
    near: Near = MappingProxyType({})
    values: dict[str, Dim] = field(default_factory=dict)
    but: Dim | None = None
    memo: dict[FloorDiv, Dim] = field(default_factory=dict)

    def rewrite(self, dim: Dim) -> Dim:
        for _ in range(REWRITE_ROUNDS):
            before, dim = dim, self.reduce(map_atoms(dim, self.rewrite_atom))
            if dim == before:
                break
        return dim

    def rewrite_atom(self, atom: Atom) -> Dim:
        if isinstance(atom, str):
            return self.value(atom) if atom in self.solved else from_atom(atom)
        if atom not in self.memo:
            self.memo[atom] = from_atom(atom)  # Met again on the way down, it stays as it is.
            above, below = self.rewrite(atom.numerator), self.rewrite(atom.denominator)
            # A divisor that is zero by the facts is the user's error, found when it is evaluated.
            self.memo[atom] = self.divide(above, below) if below.terms else from_atom(atom)
        return self.memo[atom]

    def value(self, symbol: str) -> Dim:
        pending = [symbol]
        while symbol not in self.values:
            name = pending[-1]
            later = self.solved[name].symbols.intersection(self.solved)
            if later <= self.values.keys():
                known = {one: self.values[one] for one in later}
                self.values[name] = _Rewriter(known, values=known).rewrite(self.solved[name])
                pending.pop()
            else:
                pending += later - self.values.keys()
        return self.values[symbol]

    def divide(self, above: Dim, below: Dim) -> Dim:
        """Divide, expanding D into heads*(D//heads) where this lets the division go further."""
        plain = above // below
        if not any(isinstance(atom, FloorDiv) for atom in plain.atoms):
            return plain
        for rule in self._rules(above.atoms):
            for lead, unit in rule.terms[1:]:
                if abs(unit) != 1 or not lead or any(isinstance(a, FloorDiv) for a, _ in lead):
                    continue
                expanded = above
                for monomial, coefficient in above.terms:
                    ratio = monomial_quotient(monomial, lead)
                    if ratio is not None:
                        expanded -= Dim(((ratio, coefficient * unit),)) * rule
                if expanded != above:
                    result = expanded // below
                    kept = (*expanded.atoms, *above.atoms)
                    fresh = [a for a in result.atoms if isinstance(a, FloorDiv) and a not in kept]
                    # Facts such as `D % B == B` would turn D//B into D//B + 1 for ever.
                    endless = any(
                        isinstance(a, FloorDiv) and a in result.atoms for a in plain.atoms
                    )
                    if not endless and all(
                        len(a.numerator.terms) < len(above.terms) for a in fresh
                    ):
                        return result
        return plain

    def reduce(self, dim: Dim) -> Dim:
        """Subtract multiples of the rules until no term holds the leading term of one."""
        for _ in range(REDUCTION_STEPS):
            multiple = next(filter(None, (self.multiple(term) for term in dim.terms)), None)
            if multiple is None:
                break
            dim -= multiple
        return dim

    def multiple(self, term: Term) -> Dim | None:
        for rule in self._rules(atom for atom, _ in term[0]):
            lead, unit = rule.terms[0]
            ratio = monomial_quotient(term[0], lead)
            # The floor leaves a coefficient in 0..unit-1, so that equal dims end alike.
            if ratio is not None and term[1] // unit:
                return Dim(((ratio, term[1] // unit),)) * rule
        return None

    def _rules(self, atoms: Iterable[Atom]) -> Iterable[Dim]:
        """Return the rules that have one of these atoms, in their order."""
        found = {number: rule for atom in atoms for number, rule in self.near.get(atom, ())}
        return (found[number] for number in sorted(found) if found[number] != self.but)


def _near(rules: Iterable[Dim]) -> dict[Atom, list[tuple[int, Dim]]]:
    """Sort rules by the atoms that they have."""
    found: dict[Atom, list[tuple[int, Dim]]] = {}
    for number, rule in enumerate(rules):
        for atom in rule.atoms:
            found.setdefault(atom, []).append((number, rule))
    return found


def _solve(
    zeros: Iterable[Dim],
    known: Mapping[str, Dim] = MappingProxyType({}),
    before: Sequence[Dim] = (),
) -> tuple[Mapping[str, Dim], tuple[Dim, ...]]:
    """Turn zero facts into solved symbols and inter-reduced rules, beside those known before."""
    solved = dict(known)
    found = [_orient(_Rewriter(solved).rewrite(zero)) for zero in zeros]
    rules, at_rest = [*before, *found], _apart(before, found)
    for _ in range(SOLVE_ROUNDS):
        rules = [rule for rule in dict.fromkeys(rules) if rule.terms]
        # What is solved stays in what divides by zero: solved for others it would hold itself.
        free = [rule for rule in rules if solved.keys().isdisjoint(rule.symbols)]
        solution = next(filter(None, map(_solve_symbol, free)), None)
        if solution is not None:
            symbol, value = solution
            step = _Rewriter({symbol: value})
            solved[symbol] = value
            changed = [rule for rule in rules if symbol in rule.symbols]
            rules = [_orient(step.rewrite(r)) if symbol in r.symbols else r for r in rules]
            at_rest = _apart(at_rest, [value, *changed])
            continue
        near = _near(rules)
        for index, rule in enumerate(rules):
            if rule in at_rest:
                continue
            reduced = _orient(_Rewriter(solved, near, but=rule).rewrite(rule))
            if reduced != rule:
                rules[index] = reduced
                at_rest = _apart(at_rest, [rule, reduced])
                break
            if solved.keys().isdisjoint(rule.symbols):
                at_rest.add(rule)
        else:
            break
    return solved, tuple(rules)


def _apart(rules: Iterable[Dim], others: Sequence[Dim]) -> set[Dim]:
    """Collect the rules that share no symbol with others, so that these rewrite nothing in them."""
    symbols = frozenset[str]().union(*(other.symbols for other in others))
    return {rule for rule in rules if symbols.isdisjoint(rule.symbols)}


def _solve_symbol(rule: Dim) -> tuple[str, Dim] | None:
    """Return the last symbol that the rule gives in terms of the others, and its value."""
    for name in sorted(rule.symbols, reverse=True):
        linear = linear_in(rule, name)
        if linear is not None and abs(linear[0]) == 1:
            return name, -linear[0] * linear[1]
    return None


def linear_in(dim: Dim, name: str) -> tuple[int, Dim] | None:
    """Return (a, b) when the dim is `a*name + b`, with a nonzero and b free of `name`.

    >>> linear_in(3 - 2 * Dim.symbol("L"), "L") == (-2, Dim.of(3))
    True
    """
    slope = dict(dim.terms).get(((name, 1),))
    if slope is None:
        return None
    rest = dim - slope * Dim.symbol(name)
    return None if name in rest.symbols else (slope, rest)


def _orient(zero: Dim) -> Dim:
    """Divide a dim known to be zero by its content, and make its leading coefficient positive."""
    if not zero.terms:
        return zero
    if zero.constant is not None:
        raise ValueError("the required equalities of dims can never hold together")
    content = gcd(*(coefficient for _, coefficient in zero.terms))
    return shrink(zero if zero.terms[0][1] > 0 else -zero, (), content)
