r"""Formulas in LaTeX read back: an equation of arrays, or of their elements with indices.

An index counts from 0 to the end of the axes that it stands at; an element outside of its array is
0, and so is one that no equation gives. What comes behind an equation says what its letters are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import scipy.linalg
from scipy import special

TOKEN = re.compile(
    r"\s*(\\operatorname\{(?:\\_|[\w.])+\}|\\mathit\{(?:\\_|\w)+\}|\\mathrm\{\w\}"
    r"|\\(?:begin|end)\{pmatrix\}|\\[a-zA-Z]+|\\[,;{}\\]|\d+\.?\d*(?:e[+-]?\d+)?|[a-zA-Z]"
    r"|[-+*/^_(){}\[\]=,|:&!])"
)
NAMED: Mapping[str, Callable[..., Any]] = {
    "sin": np.sin, "cos": np.cos, "tan": np.tan, "sinh": np.sinh, "cosh": np.cosh,
    "tanh": np.tanh, "arcsin": np.arcsin, "arccos": np.arccos, "arctan": np.arctan,
    "arsinh": np.arcsinh, "arcosh": np.arccosh, "artanh": np.arctanh, "sign": np.sign,
    "ln": np.log, "max": np.maximum, "min": np.minimum, "erf": special.erf, "erfc": special.erfc,
    "sigma": special.expit, "Phi": special.ndtr, "Gamma": special.gamma, "psi": special.digamma,
    "varphi": lambda x: np.exp(-x * x / 2) / np.sqrt(2 * np.pi), "det": np.linalg.det,
    "P": special.gammainc, "Q": special.gammaincc, "mathrm{B}": special.beta,
    "sinc": np.sinc, "atan2": np.arctan2, "isfinite": np.isfinite, "isnan": np.isnan,
    "isinf": np.isinf, "round": np.round, "trunc": np.trunc, "heaviside": np.heaviside,
    "diag": np.diag, "tril": np.tril, "triu": np.triu,
    "argsort": lambda x: np.argsort(x, axis=-1, kind="stable"), "exp": scipy.linalg.expm,
    "adj": lambda x: np.linalg.det(x) * np.linalg.inv(x),
}  # fmt: skip
BESSEL: Mapping[str, Callable[..., Any]] = {"J": special.jv, "I": special.iv, "K": special.kv}
INVERSES: Mapping[str, Callable[..., Any]] = {
    "Phi": special.ndtri, "erf": special.erfinv, "erfc": special.erfcinv
}  # fmt: skip
SCRIPTS = {r"\top": "T", r"-\top": "-T", "+": "+", r"+\top": "+T"}
RELATIONS: Mapping[str, Callable[..., Any]] = {
    r"\gt": np.greater, r"\ge": np.greater_equal, r"\lt": np.less, r"\le": np.less_equal,
    r"\ne": np.not_equal, "=": np.equal, r"\lor": np.logical_or,
}  # fmt: skip
OVER: Mapping[str, Callable[[list[Any]], Any]] = {
    r"\sum": lambda found: sum(found, 0.0),
    r"\prod": lambda found: np.prod(found, axis=0) if found else 1.0,
    r"\max": lambda found: max(found, default=-np.inf),
    r"\min": lambda found: min(found, default=np.inf),
}
ENDS = frozenset(
    ("", "+", "-", "=", ",", ")", "}", "]", "^", "_", "/", "|", "*", ":", "&", "!", "\\\\", r"\}",
     r"\odot", r"\rvert", r"\rfloor", r"\rceil", r"\gt", r"\ge", r"\lt", r"\le", r"\ne", r"\lor",
     r"\bmod", r"\times", r"\end{pmatrix}", r"\cdot")
)  # fmt: skip
MOST = 12
"""An index that stands at no axis goes below this, as far as its condition holds."""


def tokens_of(text: str) -> list[str]:
    found, at = [], 0
    while text[at:].strip():
        token = TOKEN.match(text, at)
        assert token is not None, f"{text[at:]} in {text}"
        found += [] if token[1] in (r"\left", r"\right") else [token[1]]
        at = token.end()
    return found


def plain(token: str) -> str:
    r"""The name in \mathit{…} or \operatorname{…}."""
    return (
        re.sub(r"\\(?:mathit|operatorname)\{(.*)\}", r"\1", token).replace(r"\_", "_").lstrip("\\")
    )


def parted(tokens: Sequence[str], at: Sequence[str]) -> list[list[str]]:
    """Tokens between those that part them, outside of all brackets."""
    found: list[list[str]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token in ("(", "[", "{", r"\{")) - (token in (")", "]", "}", r"\}"))
        if token in at and not depth:
            found.append([])
        else:
            found[-1].append(token)
    return found


def is_name(token: str) -> bool:
    return re.fullmatch(r"[a-zA-Z]|\\mu|\\mathit\{.*\}", token) is not None


class Formula:
    """A formula: equations of what has numbers, what other letters are, and conditions."""

    def __init__(
        self, text: str, names: Mapping[str, Any], dims: Mapping[str, int], square: bool
    ) -> None:
        self.names, self.dims = dict(names), dims
        self.square = square
        self.equations: list[list[list[str]]] = []
        self.defined: dict[str, list[tuple[list[str], list[str]]]] = {}
        self.conditions: list[list[str]] = []
        self.ranges: dict[str, int] = {}
        pieces = [tokens_of(one) for one in re.split(r",\\quad|,\\;", text)]
        for piece in pieces:
            self._sort(piece)
        for piece in [*pieces, *pieces]:  # the second time through what is defined by elements
            self._measure(piece)

    def _sort(self, piece: list[str]) -> None:
        sides = parted(piece, ("=",))
        left = sides[0]
        if len(sides) == 1:
            self.conditions.append(piece)
        elif len(parted(left, (",",))) > 1:
            pass  # u, v = svd(x): what the results are called
        elif (
            is_name(left[0])
            and plain(left[0]) not in self.names
            and (len(left) == 1 or left[1] in ("_", "("))
        ):
            ways = self.defined.setdefault(plain(left[0]), [])
            ways.append(([one for one in left[2:] if one not in "{}()"] or left[2:], sides[1]))
        else:
            self.equations.append(sides)

    def _measure(self, tokens: list[str]) -> None:
        """Note how far indices go: to the ends of the axes that they stand at."""
        for place, token in enumerate(tokens):
            if not is_name(token) or tokens[place + 1 : place + 2] != ["_"]:
                continue
            name = plain(token)
            name = f"bar {name}" if tokens[place - 1 : place] == [r"\bar"] else name
            sizes = self._sizes(name)
            for part, size in zip(subscripts(tokens, place + 2), sizes, strict=False):
                if len(part) == 1 and re.fullmatch("[a-z]", part[0]) and size:
                    self.ranges[part[0]] = max(size, self.ranges.get(part[0], 0))

    def _sizes(self, name: str) -> tuple[int, ...]:
        """How far subscripts of a name go, as far as that is known."""
        if name in self.names:
            return np.shape(self.names[name])
        letters, meant = self.defined.get(name, [([], [""])])[0]
        if letters:
            return tuple(self.ranges.get(one, 0) for one in letters)
        return np.shape(self.names.get(plain(meant[0]), ()))

    # ---- what it says -----------------------------------------------------------------------

    def holds(self) -> tuple[str, Any, Any] | None:
        """What the first of its equations that does not hold says, and what is; None if all do."""
        given: dict[str, tuple[Any, Any]] = {}
        for left, *sides in self.equations:
            name = f"bar {plain(left[1])}" if left[0] == r"\bar" else plain(left[0])
            rest = left[2:] if left[0] == r"\bar" else left[1:]
            element = rest[:1] == ["_"] and len(subscripted(rest)) == len(rest) - 1
            for number, side in enumerate(sides):
                if element:
                    key = f"{name} {number}"
                    start = np.zeros(np.shape(self.names[name]))
                    said, _ = given.setdefault(key, (start, self.names[name]))
                    self._give(said, subscripts(rest, 1), side)
                else:
                    expected = np.asarray(Reader(self, left).whole(), float)
                    said = np.asarray(Reader(self, side).whole(), float)
                    given[" ".join(left) + str(number)] = self._alike(said, expected)
        assert given, "says nothing"
        for key, (said, expected) in given.items():
            if not np.allclose(said, expected, 1e-4, 1e-6):
                return key, said, expected
        return None

    def _alike(self, said: Any, expected: Any) -> tuple[Any, Any]:
        """Numbers times the identity as matrices; one number for all of an array."""
        if self.square and expected.ndim == 2 and said.ndim == 0:
            return said * np.eye(len(expected)), expected
        if said.size == expected.size:
            return said.reshape(expected.shape), expected
        return np.broadcast_to(said, expected.shape), expected

    def _give(self, into: Any, places: list[list[str]], side: list[str]) -> None:
        """Give the elements that an equation of elements is about their numbers."""
        used = {one for part in places for one in part if re.fullmatch("[a-z]", one)}
        free = sorted(one for one in used if one not in self.defined and one not in self.names)
        for values in product(*(range(self.ranges[one]) for one in free)):
            index = dict(zip(free, values, strict=True))
            if not all(Reader(self, one, index).condition() for one in self.conditions):
                continue
            place = tuple(int(Reader(self, part, index).whole()) for part in places)
            if all(0 <= p < n for p, n in zip(place, into.shape, strict=True)):
                into[place] = Reader(self, side, index).whole()


def subscripted(tokens: Sequence[str], at: int = 1) -> list[str]:
    """The group that begins at a token, or the token."""
    if tokens[at] != "{":
        return [tokens[at]]
    depth, end = 0, at
    while True:
        depth += (tokens[end] == "{") - (tokens[end] == "}")
        end += 1
        if not depth:
            return [*tokens[at:end]]


def subscripts(tokens: Sequence[str], at: int) -> list[list[str]]:
    """The tokens of each subscript: between commas, or letters and digits that are one each."""
    group = subscripted(tokens, at)
    parts = parted(group[1:-1] if len(group) > 1 else group, (",",))
    if len(parts) == 1 and all(re.fullmatch(r"[a-z]|\d+", one) for one in parts[0]):
        return [[digit] for one in parts[0] for digit in one]
    return parts


class Reader:
    """The reading of an expression, from left to right, where indices have values."""

    def __init__(
        self, formula: Formula, tokens: list[str], index: Mapping[str, int] | None = None
    ) -> None:
        self.formula, self.tokens, self.at = formula, tokens, 0
        self.index = dict(index or {})

    @property
    def next(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, *tokens: str) -> str:
        if self.next in tokens and self.next:
            self.at += 1
            return self.tokens[self.at - 1]
        return ""

    def need(self, token: str) -> None:
        assert self.take(token), f"{token} before {self.tokens[self.at :]} in {self.tokens}"

    def whole(self) -> Any:
        found = self.sum()
        assert not self.next, f"{self.tokens[self.at :]} of {self.tokens}"
        return found

    # ---- grammar ----------------------------------------------------------------------------

    def sum(self) -> Any:
        sign = -1 if self.take("-") else 1
        found = sign * self.product()
        while token := self.take("+", "-"):
            term = self.product()
            if self.formula.square and np.ndim(found) == 0 and np.ndim(term) == 2:
                found = found * np.eye(len(term))
            found = found + term if token == "+" else found - term
        return found

    def product(self) -> Any:
        """Factors between ⊙; what stands side by side binds more tightly."""
        found = self.factors()
        while True:
            if self.take(r"\odot", "*", r"\cdot"):
                found = found * self.factors()
            elif self.take(r"\bmod"):
                found = np.mod(found, self.factors())
            elif self.take(r"\times"):
                found = np.cross(found, self.factors())
            else:
                return found

    def factors(self) -> Any:
        found = self.power()
        while True:
            if self.take("/"):
                found = found / self.power()
            elif self.take(r"\,", r"\;") or self.next not in ENDS:
                other = self.power()
                number = np.ndim(found) == 0 or np.ndim(other) == 0
                outer = np.ndim(found) == 1 and np.ndim(other) == 2 and len(other) == 1
                found = found[:, None] if outer else found
                found = found * other if number else found @ other
            else:
                return found

    def power(self) -> Any:
        found = self.atom()
        while True:
            if self.take("!"):
                found = special.factorial(found)
            elif self.take("^"):
                found = self.raised(found, self.script())
            else:
                return found

    def raised(self, found: Any, script: Any) -> Any:
        if isinstance(script, str):
            found = np.linalg.pinv(found) if "+" in script else found
            found = np.linalg.inv(found) if "-" in script else found
            turned = np.atleast_2d(found).T if np.ndim(found) < 2 else found
            return np.transpose(turned) if "T" in script else found
        if self.formula.square and np.ndim(script) == 0 and np.ndim(found) == 2:
            return np.linalg.matrix_power(found, int(script))
        return np.power(found, script)

    def script(self) -> Any:
        if self.take("{"):
            whole = "".join(self.tokens[self.at :]).partition("}")[0]
            if whole in SCRIPTS:
                self.at += len(SCRIPTS[whole]) + 1
                return SCRIPTS[whole]
            self.at -= 1
            return self.group()
        return self.atom()

    def group(self) -> Any:
        self.need("{")
        found = self.sum()
        self.need("}")
        return found

    def small(self) -> Any:
        """The part of a small fraction: a group, a digit or a sign."""
        return self.group() if self.next == "{" else self.atom()

    def bracketed(self, one: str, other: str) -> list[Any]:
        self.need(one)
        found = [self.sum()]
        while self.take(","):
            found.append(self.sum())
        self.need(other)
        return found

    # ---- relations --------------------------------------------------------------------------

    def condition(self) -> bool:
        """Whether all of the relations hold that stand between commas."""
        while True:
            one, held = self.side(), True
            while sign := self.take(*RELATIONS):
                other = self.side()
                compared = RELATIONS[sign](one, other)
                held = held and bool(np.any(compared) if sign == r"\ne" else np.all(compared))
                one = other
            if not held:
                return False
            if not self.take(","):
                assert not self.next, self.tokens
                return True
            self.take(r"\,")

    def side(self) -> Any:
        """A side of a relation, which may be a place: several numbers between parentheses."""
        if self.next == "(":
            end = self.at + 1
            inside = parted(self.tokens[end:], (",", ")"))
            if len(inside) > 1 and self.tokens[end + len(inside[0])] == ",":
                return np.array(self.bracketed("(", ")"))
        return self.sum()

    def compared(self) -> Any:
        if self.take(r"\lnot"):
            found: Any = 1.0 - self.sum()
            self.need("]")
            return np.asarray(found, float)
        one = self.side()
        held: Any = True
        while sign := self.take(*RELATIONS):
            other = self.side()
            place = np.ndim(one) == 1 and self.index and np.ndim(other) == 1
            met = RELATIONS[sign](one, other)
            met = (np.any(met) if sign == r"\ne" else np.all(met)) if place else met
            held, one = np.logical_and(held, met), other
        self.need("]")
        return np.asarray(held, float)

    # ---- over indices -----------------------------------------------------------------------

    def over(self, sign: str) -> Any:
        """A sum, product or extreme over all values of indices that a condition allows."""
        self.need("_")
        group = subscripted(self.tokens, self.at)
        self.at += len(group)
        inside = group[1:-1] if len(group) > 1 else group
        upper: int | None = None
        if self.take("^"):
            self.need("{")
            self.need(r"\infty")
            self.need("}")
            upper, inside = 30, inside[:1]
        before, *after = parted(inside, (":",))
        conditions = [one for part in after for one in parted(part, (",",))]
        if not after and any(one in RELATIONS for one in before):
            conditions, before = parted(before, (",",)), []
            before = [one[0] if one[0] != r"\," else one[1] for one in conditions]
        bound = list(dict.fromkeys(one for one in before if re.fullmatch("[a-z]", one)))
        conditions = [[t for t in one if t != r"\,"] for one in conditions]
        start, outer = self.at, self.index
        self.index = outer | dict.fromkeys(bound, 0)
        self.product()
        end, found = self.at, []
        self.index = outer
        for values in self.allowed(bound, conditions, upper):
            self.index, self.at = outer | values, start
            found.append(self.product())
        self.at, self.index = end, outer
        return OVER[sign](found)

    def allowed(
        self, bound: list[str], conditions: list[list[str]], upper: int | None
    ) -> list[dict[str, int]]:
        """The values of indices for which conditions hold, each asked as soon as it can be."""
        outer, found = {k: v for k, v in self.index.items() if k not in bound}, [{}]
        left = [*bound]
        for condition in [*conditions, None]:
            letters = [one for one in left if condition is None or one in condition]
            left = [one for one in left if one not in letters]
            ranges = self.formula.ranges
            sizes = [upper or ranges.get(one, MOST) for one in letters]
            tried = [
                one | dict(zip(letters, values, strict=True))
                for one in found
                for values in product(*map(range, sizes))
            ]
            found = [
                one
                for one in tried
                if condition is None or Reader(self.formula, condition, outer | one).condition()
            ]
            for one in letters:
                assert one in ranges or upper or all(v[one] < MOST - 1 for v in found), "no bound"
        return found

    def least(self) -> int:
        """The least value of an index for which a condition holds."""
        self.need(r"\{")
        index = self.tokens[self.at]
        end = self.tokens.index(r"\}", self.at)
        condition = self.tokens[self.at + 2 : end]
        self.at = end + 1
        return min(
            value
            for value in range(self.formula.ranges[index])
            if Reader(self.formula, condition, self.index | {index: value}).condition()
        )

    # ---- atoms ------------------------------------------------------------------------------

    def atom(self) -> Any:
        token = self.next
        self.at += 1
        if re.fullmatch(r"\d.*", token):
            if self.at > 1 and self.tokens[self.at - 2] == r"\tfrac" and len(token) == 2:
                self.tokens[self.at - 1 : self.at] = [*token]  # \tfrac12
                return float(token[0])
            return float(token)
        match token:
            case "(":
                found = self.sum()
                self.need(")")
                return found
            case "{":
                self.at -= 1
                return self.group()
            case "[":
                return self.compared()
            case r"\bar":
                self.at += 1
                return self.element(self.formula.names[f"bar {plain(self.tokens[self.at - 1])}"])
            case r"\frac" if self.tokens[self.at : self.at + 2] == ["{", r"\partial"]:
                return self.derivative()
            case r"\frac":
                return self.group() / self.group()
            case r"\tfrac":
                return self.small() / self.small()
            case r"\partial":
                self.need("_")
                return self.slopes(plain(self.take(*self.tokens)))
            case r"\sqrt":
                if self.take("["):
                    self.need("3")
                    self.need("]")
                    return np.cbrt(self.group())
                return np.sqrt(self.small())
            case r"\lvert":
                found = np.abs(self.sum())
                self.need(r"\rvert")
                return found
            case r"\lfloor" | r"\lceil":
                found = self.sum()
                self.need(token.replace("l", "r", 1))
                return np.floor(found) if "floor" in token else np.ceil(found)
            case r"\min" if self.next == r"\{":
                return self.least()
            case r"\sum" | r"\prod" | r"\max" | r"\min" if self.next == "_":
                return self.over(token)
            case r"\log":
                self.need("_")
                base = self.small()
                return np.log(self.bracketed("(", ")")[0]) / np.log(base)
            case r"\pi":
                return np.pi
            case r"\begin{pmatrix}":
                return self.matrix()
            case "e":
                self.need("^")
                script = self.script()
                return scipy.linalg.expm(script) if self.formula.square else np.exp(script)
        return self.word(token, plain(token))

    def word(self, token: str, name: str) -> Any:
        if token in self.index:
            return self.index[token]
        if name in self.formula.names:
            return self.element(self.formula.names[name])
        if name in self.formula.defined:
            return self.definition(name)
        if token in BESSEL and self.take("_"):
            order = self.small()
            args = self.bracketed("(", ")")
            return special.betainc(*args, order) if len(args) > 1 else BESSEL[token](order, *args)
        if name == "psi" and self.take("^"):
            order = self.group()
            return special.polygamma(int(order), self.bracketed("(", ")")[0])
        if name in INVERSES and self.take("^"):
            assert self.script() == -1
            return INVERSES[name](self.bracketed("(", ")")[0])
        if name in NAMED and self.next == "(":
            return NAMED[name](*self.bracketed("(", ")"))
        if token in self.formula.dims:
            return self.formula.dims[token]
        assert name in NAMED, f"what is {token} in {self.tokens}?"
        return NAMED[name](self.power())

    def element(self, array: Any) -> Any:
        """An array, or the element of it that subscripts name: 0 outside."""
        if not self.take("_"):
            return array
        group = subscripted(self.tokens, self.at)
        places = subscripts(self.tokens, self.at)
        self.at += len(group)
        where = tuple(int(Reader(self.formula, p, self.index).whole()) for p in places)
        assert len(where) == np.ndim(array), f"{group} of {np.shape(array)} in {self.tokens}"
        inside = all(0 <= p < n for p, n in zip(where, np.shape(array), strict=True))
        return np.asarray(array)[where] if inside else 0.0

    def definition(self, name: str) -> Any:
        """What a letter is said to be, where its own indices have values."""
        ways = self.formula.defined[name]
        if self.take("("):
            ((letters, meant),) = ways
            value = self.sum()
            self.need(")")
            inner = Reader(self.formula, meant, self.index)
            inner.formula = _with(self.formula, letters[0], value)
            return inner.whole()
        if not ways[0][0]:  # the whole of it, which may have subscripts
            return self.element(Reader(self.formula, ways[0][1], self.index).whole())
        if self.take("_"):
            group = subscripted(self.tokens, self.at)
            places = subscripts(self.tokens, self.at)
            self.at += len(group)
            return self._at(
                ways, [int(Reader(self.formula, p, self.index).whole()) for p in places]
            )
        sizes = [self.formula.ranges.get(one, 3) for one in ways[0][0]]
        found = np.zeros(sizes)
        for place in np.ndindex(*sizes):
            found[place] = self._at(ways, place)
        return found

    def _at(self, ways: Sequence[tuple[list[str], list[str]]], place: Sequence[int]) -> Any:
        for letters, meant in reversed(ways):  # what is said last is said of fewer
            values = dict(zip(letters, place, strict=True))
            if [values[one] for one in letters] == [*place]:
                return Reader(self.formula, meant, self.index | values).whole()
        raise AssertionError(place)

    def matrix(self) -> Any:
        """A matrix of blocks, where 0 is as large as the others in its row and column."""
        rows: list[list[Any]] = [[self.sum()]]
        while sign := self.take("&", "\\\\"):
            if sign == "&":
                rows[-1].append(self.sum())
            else:
                rows.append([self.sum()])
        self.need(r"\end{pmatrix}")
        (shape,) = {np.shape(one) for row in rows for one in row if np.ndim(one)}
        return np.block([[one if np.ndim(one) else np.full(shape, one) for one in r] for r in rows])

    # ---- derivatives ------------------------------------------------------------------------

    def slopes(self, name: str) -> Any:
        """The derivatives element by element of the factor that comes next."""
        base, start, found = self.formula.names[name], self.at, []
        outer = self.formula
        for step in (1e-5, -1e-5):
            self.formula, self.at = _with(outer, name, base + step), start
            found.append(self.power())
        self.formula = outer
        return (found[0] - found[1]) / 2e-5

    def derivative(self) -> Any:
        """The matrix of derivatives of what stands above by what stands below."""
        above = subscripted(self.tokens, self.at)
        self.at += len(above)
        below = subscripted(self.tokens, self.at)
        self.at += len(below)
        name = plain(below[2])
        base = np.asarray(self.formula.names[name])
        columns = []
        for place in range(base.size):
            sides = []
            for sign in (1, -1):
                moved = base.copy()
                moved.flat[place] += sign * 1e-5
                formula = _with(self.formula, name, moved)
                sides.append(np.asarray(Reader(formula, above[2:-1], self.index).whole()))
            columns.append((sides[0] - sides[1]) / 2e-5)
        return np.stack(columns, axis=-1)


def _with(formula: Formula, name: str, value: Any) -> Formula:
    """A formula in which a name has another number."""
    found = object.__new__(Formula)
    found.__dict__ |= {**formula.__dict__, "names": {**formula.names, name: value}}
    return found


def names_of_results(text: str) -> Iterator[str]:
    """What a formula calls the results of a call that has several."""
    if called := re.match(r"\w(, \w)+ = ", text):
        yield from re.findall(r"\w", called[0])
