"""Symbolic integer dims: polynomials in normal form over symbols and floor divisions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from math import gcd
from typing import TypeAlias

from graphc.limits import DIM_NESTING, DIM_POWER, Exceeded
from graphc.records import dataclass, field

MAXIMUM_TERMS = 10_000
NAME_IT = "declare a dim for a part of it, and say what that is: `require N == ...`"
MEMO_SIZE = 2**14
"""The sums and products of dims kept by a memo: a compilation makes few others, and often."""
# A bound on the search below; what is found within it is sound, so it only costs proofs.
DIVISION_STEPS = 512

Atom: TypeAlias = "str | FloorDiv"
Monomial: TypeAlias = "tuple[tuple[Atom, int], ...]"
Term: TypeAlias = "tuple[Monomial, int]"


class Dim:
    """A polynomial with integer coefficients, equal to another when their normal forms are.

    >>> width, heads = Dim.symbol("D"), Dim.symbol("heads")
    >>> str((heads * width + 3) // heads), str(width * (width - 1) // 2)
    ('D + 3//heads', '(D**2 - D)//2')
    """

    __slots__ = ("_atoms", "_hash", "_symbols", "constant", "offset", "terms")

    terms: tuple[Term, ...]
    offset: int  # the constant term
    constant: int | None  # the value of a dim without symbols

    def __init__(self, terms: tuple[Term, ...] = ()) -> None:
        """Take terms in normal form; what is asked for at every operation is computed here."""
        self.terms = terms
        self._hash = hash(terms)
        self.offset = terms[-1][1] if terms and not terms[-1][0] else 0
        self.constant = None if terms and terms[0][0] else self.offset
        self._atoms: tuple[Atom, ...] | None = None
        self._symbols: frozenset[str] | None = None

    @staticmethod
    def of(value: int | Dim) -> Dim:
        """Return `value` as a dim."""
        if isinstance(value, Dim):
            return value
        if not isinstance(value, int):
            raise TypeError(f"a dim is made of integers, not of {type(value).__name__}")
        return _number(value)

    @staticmethod
    def symbol(name: str) -> Dim:
        """Return the dim called `name`."""
        return from_atom(name)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (other.__class__ is Dim and self.terms == other.terms)

    def __repr__(self) -> str:
        return f"Dim({self})"

    def __add__(self, other: int | Dim) -> Dim:
        if other.__class__ is not Dim:
            other = Dim.of(other)
        return _sum(self, other) if other.terms else self

    def __neg__(self) -> Dim:
        return _product(self, _number(-1))

    def __sub__(self, other: int | Dim) -> Dim:
        return self + -Dim.of(other)

    def __rsub__(self, other: int) -> Dim:
        return Dim.of(other) - self

    def __mul__(self, other: int | Dim) -> Dim:
        if other.__class__ is not Dim:
            other = Dim.of(other)
        return self if other.constant == 1 else _product(self, other)

    __radd__ = __add__
    __rmul__ = __mul__

    def __pow__(self, exponent: int) -> Dim:
        if exponent < 0:
            raise ValueError("a dim cannot be raised to a negative power")
        if exponent > DIM_POWER:
            raise Exceeded(f"a dim is raised to a power beyond {DIM_POWER}")
        return _power(self, exponent)

    def __floordiv__(self, other: int | Dim) -> Dim:
        numerator, denominator = self, Dim.of(other)
        if not denominator.terms:
            raise ZeroDivisionError("a dim is divided by zero")
        if denominator.terms[0][1] < 0:
            numerator, denominator = -numerator, -denominator
        whole, rest = _divide(numerator, denominator)
        divisor = denominator.constant
        if divisor is not None:
            whole += rest.offset // divisor
            rest += rest.offset % divisor - rest.offset
            if rest.constant is not None:
                return whole
        if not rest.terms:
            return whole
        # Over a constant, floor((c*X + k) / (c*d)) is floor((X + k//c) / d): k need not divide.
        scaled = [term for term in rest.terms if term[0] or divisor is None]
        factor = gcd(*(coefficient for _, coefficient in (*scaled, *denominator.terms)))
        shared = shared_monomial((*rest.terms, *denominator.terms))
        if factor > 1 or shared:
            return whole + shrink(rest, shared, factor) // shrink(denominator, shared, factor)
        inner = only_floor(rest - rest.offset)
        if divisor is not None and inner is not None and inner.denominator.constant is not None:
            # floor(floor(x) / c) is floor(x / c) for positive c; normal denominators are positive.
            merged = inner.numerator + inner.denominator * rest.offset
            return whole + merged // (inner.denominator * divisor)
        return whole + from_atom(FloorDiv(rest, denominator))

    def __mod__(self, other: int | Dim) -> Dim:
        return self - Dim.of(other) * (self // other)

    def __rfloordiv__(self, other: int) -> Dim:
        return Dim.of(other) // self

    def __rmod__(self, other: int) -> Dim:
        return Dim.of(other) % self

    @property
    def atoms(self) -> tuple[Atom, ...]:
        """Return the symbols and floor divisions of the terms, each once, in order."""
        if self._atoms is None:
            every = (atom for monomial, _ in self.terms for atom, _ in monomial)
            self._atoms = tuple(dict.fromkeys(every))
        return self._atoms

    @property
    def symbols(self) -> frozenset[str]:
        """Return the names that occur, also those inside floor divisions."""
        if self._symbols is None:
            inside = ({atom} if isinstance(atom, str) else atom.symbols for atom in self.atoms)
            self._symbols = frozenset[str]().union(*inside)
        return self._symbols

    @property
    def factors(self) -> int:
        """Count the symbols and numbers of the dim when it is written out."""
        inside = (
            sum(1 if isinstance(atom, str) else atom.factors for atom, _ in monomial)
            for monomial, _ in self.terms
        )
        return sum(max(count, 1) for count in inside)

    @property
    def is_atomic(self) -> bool:
        """True if the printed dim needs no parentheses as a factor: `D`, `D**2`, `3`."""
        if self.constant is not None:
            return self.constant >= 0
        (monomial, coefficient), *others = self.terms
        symbolic = len(monomial) == 1 and isinstance(monomial[0][0], str)
        return not others and coefficient == 1 and symbolic

    def substitute(self, mapping: Mapping[str, int | Dim]) -> Dim:
        """Return the dim with symbols replaced at once, also inside floor divisions.

        >>> str((Dim.symbol("T") // 2).substitute({"T": 2 * Dim.symbol("L") + 1}))
        'L'
        """
        if self.symbols.isdisjoint(mapping):
            return self

        def replace(atom: Atom) -> Dim:
            if isinstance(atom, str):
                return Dim.of(mapping[atom]) if atom in mapping else from_atom(atom)
            divisor = atom.denominator.substitute(mapping)
            if not divisor.terms:
                raise Exceeded(f"`{atom.text}` divides by zero at this size")
            return atom.numerator.substitute(mapping) // divisor

        return map_atoms(self, replace)

    def evaluate(self, mapping: Mapping[str, int]) -> int:
        """Return the value where every symbol has one; a missing symbol is a KeyError."""
        total = 0
        for monomial, product in self.terms:
            for atom, power in monomial:
                value = mapping[atom] if isinstance(atom, str) else atom.evaluate(mapping)
                product *= value**power
            total += product
        return total

    def __str__(self) -> str:
        return self.python({})

    def python(self, names: Mapping[str, str]) -> str:
        """Return the dim as Python source; symbols that `names` lacks keep their own.

        >>> (2 * (Dim.symbol("T") // 3) - 1).python({"T": "size"})
        '2*(size//3) - 1'
        """
        text = ""
        for monomial, coefficient in sorted(self.terms, key=_reading_order):
            # A minus sign binds tighter than //, so a leading -(D//4) keeps its parentheses.
            alone = abs(coefficient) == 1 and (bool(text) or coefficient > 0)
            alone = alone and len(monomial) == 1 and monomial[0][1] == 1
            factors = [_factor_text(atom, power, names, alone) for atom, power in monomial]
            if abs(coefficient) != 1 or not factors:
                factors.insert(0, str(abs(coefficient)))
            signs = (" - ", " + ") if text else ("-", "")
            text += signs[coefficient > 0] + "*".join(factors)
        return text or "0"


@dataclass(frozen=True, slots=True)
class FloorDiv:
    """A floor division that the normal form keeps whole; `Dim.__floordiv__` makes them."""

    numerator: Dim
    denominator: Dim
    text: str = field(init=False, compare=False, repr=False)
    weight: int = field(init=False, compare=False, repr=False)
    depth: int = field(init=False, compare=False, repr=False)
    factors: int = field(init=False, compare=False, repr=False)
    symbols: frozenset[str] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        # Cached, since sorting asks for them at every operation.
        atoms = (*self.numerator.atoms, *self.denominator.atoms)
        depth = 1 + max((0 if isinstance(atom, str) else atom.depth) for atom in atoms)
        if depth > DIM_NESTING:
            raise Exceeded(f"floor divisions of dims are nested beyond {DIM_NESTING} deep", NAME_IT)
        object.__setattr__(self, "depth", depth)
        factors = self.numerator.factors + self.denominator.factors
        object.__setattr__(self, "factors", factors)
        symbols = self.numerator.symbols | self.denominator.symbols
        object.__setattr__(self, "symbols", symbols)
        object.__setattr__(self, "text", self.python({}))
        # Heavier than all inside, so that `D == heads*(D//heads)` is oriented towards D, and
        # no rule brings its own leading term back inside a floor division.
        terms = (*self.numerator.terms, *self.denominator.terms)
        object.__setattr__(self, "weight", 1 + max(_weight(monomial) for monomial, _ in terms))

    def evaluate(self, mapping: Mapping[str, int]) -> int:
        """Return the value where every symbol has one."""
        return self.numerator.evaluate(mapping) // self.denominator.evaluate(mapping)

    def python(self, names: Mapping[str, str]) -> str:
        """Return the division as Python source, without outer parentheses."""
        sides = (self.numerator, self.denominator)
        texts = (s.python(names) if s.is_atomic else f"({s.python(names)})" for s in sides)
        return "//".join(texts)


def _weight(monomial: Monomial) -> int:
    return sum((1 if isinstance(a, str) else a.weight) * power for a, power in monomial)


def _atom_order(atom: Atom) -> tuple[bool, str]:
    return (False, atom) if isinstance(atom, str) else (True, atom.text)


def _order(term: Term) -> tuple[int, list[tuple[tuple[bool, str], int]]]:
    # Weight, then lexicographic: compatible with products, so division and reduction terminate.
    return -_weight(term[0]), [(_atom_order(atom), -power) for atom, power in term[0]]


def _reading_order(term: Term) -> tuple[int, list[tuple[tuple[bool, str], int]]]:
    # To a reader D//4 is one factor, whatever it holds.
    return -sum(power for _, power in term[0]), _order(term)[1]


def _collect(terms: Iterable[Term]) -> Dim:
    """Add up terms into a sorted dim."""
    sums: dict[Monomial, int] = {}
    for monomial, coefficient in terms:
        sums[monomial] = sums.get(monomial, 0) + coefficient
    found = [term for term in sums.items() if term[1]]
    return Dim(tuple(sorted(found, key=_order) if len(found) > 1 else found))


@lru_cache(MEMO_SIZE)
def _number(value: int) -> Dim:
    return Dim((((), int(value)),)) if value else Dim()


@lru_cache(MEMO_SIZE)
def _sum(left: Dim, right: Dim) -> Dim:
    return _collect((*left.terms, *right.terms))


@lru_cache(MEMO_SIZE)
def _product(left: Dim, right: Dim) -> Dim:
    if len(left.terms) * len(right.terms) > MAXIMUM_TERMS:
        raise Exceeded(f"a product of dims has more than {MAXIMUM_TERMS} terms", NAME_IT)
    return _collect((_multiply(m, n), c * d) for m, c in left.terms for n, d in right.terms)


def sum_dims(dims: Iterable[Dim]) -> Dim:
    """Return the sum of many dims, in time that grows with their terms."""
    return _collect(term for dim in dims for term in dim.terms)


def from_atom(atom: Atom) -> Dim:
    """Return the dim that is one symbol or floor division."""
    return Dim(((((atom, 1),), 1),))


def only_floor(dim: Dim) -> FloorDiv | None:
    """Return the floor division that is all of the dim, if one is."""
    atom = dim.atoms[0] if len(dim.atoms) == 1 else None
    return atom if isinstance(atom, FloorDiv) and dim == from_atom(atom) else None


def map_atoms(dim: Dim, function: Callable[[Atom], Dim]) -> Dim:
    """Return the dim with every symbol and floor division of its terms replaced."""
    terms: list[Term] = []
    images = {atom: function(atom) for atom in dim.atoms}
    for monomial, coefficient in dim.terms:
        product = Dim.of(coefficient)
        for atom, power in monomial:
            product *= _power(images[atom], power)
        terms.extend(product.terms)
    return _collect(terms)


def _power(base: Dim, exponent: int) -> Dim:
    if len(base.terms) == 1 and exponent:
        ((monomial, coefficient),) = base.terms
        return Dim(((tuple((a, p * exponent) for a, p in monomial), coefficient**exponent),))
    if base.terms and exponent > DIM_POWER:
        raise Exceeded(f"a dim is raised to a power beyond {DIM_POWER}")
    product = Dim.of(1)
    for _ in range(min(exponent, DIM_POWER)):
        product *= base
    return product


def _multiply(left: Monomial, right: Monomial) -> Monomial:
    powers = dict(left)
    for atom, power in right:
        powers[atom] = powers.get(atom, 0) + power
    return tuple(sorted(powers.items(), key=lambda item: _atom_order(item[0])))


def monomial_quotient(monomial: Monomial, divisor: Monomial) -> Monomial | None:
    """Return the monomial divided by another, or None where that does not divide it."""
    powers = dict(monomial)
    if any(powers.get(atom, 0) < power for atom, power in divisor):
        return None
    return _shrink_monomial(monomial, divisor)


def _shrink_monomial(monomial: Monomial, divisor: Monomial) -> Monomial:
    powers = dict(divisor)
    return tuple((a, p - powers.get(a, 0)) for a, p in monomial if p > powers.get(a, 0))


def shrink(dim: Dim, monomial: Monomial, factor: int) -> Dim:
    """Divide every term; only the constant one may be rounded down."""
    return _collect((_shrink_monomial(m, monomial), c // factor) for m, c in dim.terms)


def shared_monomial(terms: tuple[Term, ...]) -> Monomial:
    """Return the largest monomial that divides every term."""
    shared = dict(terms[0][0]) if terms else {}
    for monomial, _ in terms[1:]:
        powers = dict(monomial)
        shared = {atom: min(power, powers.get(atom, 0)) for atom, power in shared.items()}
    return tuple((atom, power) for atom, power in shared.items() if power)


def _divide(numerator: Dim, denominator: Dim) -> tuple[Dim, Dim]:
    """Return whole and rest, numerator == whole*denominator + rest, by polynomial division."""
    lead, unit = denominator.terms[0]
    whole: list[Term] = []
    rest: list[Term] = []
    pending = numerator.terms
    for _ in range(MAXIMUM_TERMS if len(denominator.terms) == 1 else DIVISION_STEPS):
        if not pending:
            return _collect(whole), _collect(rest)
        (monomial, coefficient), *others = pending
        ratio = monomial_quotient(monomial, lead)
        if ratio is None or coefficient % unit:
            rest.append(pending[0])
            pending = tuple(others)
            continue
        whole.append((ratio, coefficient // unit))
        step = Dim(((ratio, -(coefficient // unit)),)) * Dim(denominator.terms[1:])
        pending = _collect((*others, *step.terms)).terms if step.terms else tuple(others)
    return Dim(), numerator


def _factor_text(atom: Atom, power: int, names: Mapping[str, str], alone: bool) -> str:
    if isinstance(atom, str):
        text = names.get(atom, atom)
    else:
        text = atom.python(names) if alone else f"({atom.python(names)})"
    return text if power == 1 else f"{text}**{power}"
