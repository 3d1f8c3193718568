"""Formulas read back: what is printed, in LaTeX or on a line of text, evaluated by its own grammar.

Known are the numbers of the symbols in a formula, and what operations that go by their names mean;
how a formula is put together is read from its text alone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Literal
from xml.etree import ElementTree

import numpy as np
import scipy.special
from derivations import Numbers, _array, _column, _math

from graphc.views.explain.derivation import Step
from graphc.views.explain.expression import Call, Expression
from graphc.views.explain.html import mathml, pieces
from graphc.views.explain.latex import GREEK as GREEK_OF_LATEX
from graphc.views.explain.latex import latex
from graphc.views.explain.lines import line
from graphc.views.explain.marks import BOLD, Mark, unstacked
from graphc.views.explain.notation import notation, told
from graphc.views.reference.formulas import CALLED

Form = Literal["latex", "line", "broken"]
NARROW = 12
PRINTERS: Mapping[Form, Callable[[Mark], str]] = {
    "latex": latex,
    "line": line,
    "broken": lambda mark: latex(unstacked(mark, NARROW)),
}
"""How formulas are printed; broken is one whose lines may end in fractions, too."""
LARGEST = 4000
"""Elements of a Jacobian that is read."""
LEAVES = ("symbol", "total", "share", "seed", "matrix", "taken")
"""What is written as one symbol."""

FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "σ": scipy.special.expit, "Φ": scipy.special.ndtr,
    "φ": lambda x: np.exp(-x * x / 2) / np.sqrt(2 * np.pi), "Γ": scipy.special.gamma,
    "ψ": scipy.special.digamma, "ln": np.log, "log": np.log, "exp": np.exp,
    "sin": np.sin, "cos": np.cos, "tan": np.tan, "sinh": np.sinh, "cosh": np.cosh,
    "tanh": np.tanh, "arcsin": np.arcsin, "arccos": np.arccos, "arctan": np.arctan,
    "arsinh": np.arcsinh, "arcosh": np.arccosh, "artanh": np.arctanh, "sign": np.sign,
    "erf": scipy.special.erf, "erfc": scipy.special.erfc, "det": np.linalg.det,
    "diag": lambda x: np.diag(np.ravel(x)), "chol": np.linalg.cholesky,
}  # fmt: skip
INVERSES: Mapping[str, Callable[..., Any]] = {
    "Φ": scipy.special.ndtri, "erf": scipy.special.erfinv, "erfc": scipy.special.erfcinv,
}  # fmt: skip
GREEK = {
    r"\sigma": "σ", r"\Phi": "Φ", r"\varphi": "φ", r"\Gamma": "Γ", r"\psi": "ψ", r"\pi": "π",
    r"\infty": "∞",
}  # fmt: skip
COMMANDS = {
    r"\odot": "⊙", r"\otimes": "⊗", r"\times": "×", r"\cdot": "·", r"\,": "∘", "-": "−",
    r"\le": "≤", r"\ge": "≥", r"\ne": "≠", r"\lnot": "¬", r"\lor": "∨", r"\sum": "Σ",
    r"\prod": "Π", r"\bmod": "mod", r"\top": "T", r"\lvert": "|", r"\rvert": "|",
    r"\lVert": "‖", r"\rVert": "‖", r"\lfloor": "⌊", r"\rfloor": "⌋", r"\sqrt": "√",
    r"\frac": "frac", r"\mid": "|", **GREEK,
}  # fmt: skip
RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻ⁿᵀ", "0123456789−nT", strict=True))
LOWERED = dict(zip("₀₁₂₃₄₅₆₇₈₉", "0123456789", strict=True))
COMPARED: Mapping[str, Callable[..., Any]] = {
    "<": np.less, ">": np.greater, "≤": np.less_equal, "≥": np.greater_equal, "=": np.equal,
    "≠": np.not_equal, "∨": np.logical_or,
}  # fmt: skip
NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?")
LETTER = "A-Za-zΑ-Ωα-ω"
WORD = re.compile(f"[{LETTER}][{LETTER}0-9_]*")


@dataclass
class Reader:
    """The reading of one formula, as it is printed in a form, where its symbols have numbers."""

    numbers: Numbers
    formula: Expression
    form: Form
    text: str = ""
    at: int = 0
    leaves: list[tuple[str, Expression]] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)

    def read(self) -> Any:
        """What the whole text says."""
        self.text = self._plain(PRINTERS[self.form](notation(self.formula)))
        found = {
            self._plain(PRINTERS[self.form](notation(e))): e
            for e in _parts(self.formula)
            if e.kind in LEAVES
        }
        self.leaves = sorted(found.items(), key=lambda one: -len(one[0]))
        self.calls = [e.data for e in _parts(self.formula) if e.kind == "call"]
        value = self._sum()
        self._space()
        assert self.at == len(self.text), self._left("left over")
        return value

    def _plain(self, text: str) -> str:
        r"""The text without what is only there for the eye."""
        if self.form == "line":
            return text
        text = text.replace(r"\mathbin{/\!/}", "//")
        text = re.sub(r"\\left|\\right|\\quad|\\mathord|(?<=\})\{\}", "", text)
        text = re.sub(
            r"\\(?:operatorname|mathit|mathbf|mathrm) ?\{((?:[^{}]|\{\})*)\}", r"\1", text
        )
        text = re.sub(r"\\math(?:bf|rm) (\w)", lambda m: BOLD.get(m[1], m[1]), text)
        text = text.replace(r"\_", "_")
        for command in sorted(COMMANDS, key=len, reverse=True):
            end = r"(?![a-zA-Z])" if command[-1].isalpha() else ""
            text = re.sub(re.escape(command) + end + " ?", COMMANDS[command], text)
        return re.sub(r"\\([a-z]+) ?", r"\1", text)

    def _left(self, what: str) -> str:
        return f"{what} at `{self.text[self.at :]}` in `{self.text}`"

    # ---- tokens -----------------------------------------------------------------------------

    def _space(self) -> None:
        while self.text.startswith(" ", self.at):
            self.at += 1

    def _take(self, *tokens: str) -> str:
        """The token that comes next, if it is one of these; words end where they end."""
        start = self.at
        self._space()
        for token in tokens:
            if self.text.startswith(token, self.at) and not (
                token in ("mod", "frac") and self._goes_on(self.at + len(token))
            ):
                self.at += len(token)
                return token
        self.at = start
        return ""

    def _goes_on(self, place: int) -> bool:
        """True where a word does not end at a place."""
        return re.match(f"[{LETTER}0-9]", self.text[place : place + 1]) is not None

    def _need(self, token: str) -> None:
        assert self._take(token), self._left(f"no {token}")

    # ---- grammar ----------------------------------------------------------------------------

    def _sum(self) -> Any:
        found = -1 * self._elements() if self._take("−") else self._elements()
        while sign := self._take("+", "−"):
            other = self._elements()
            found = found + other if sign == "+" else found - other
        return found

    def _elements(self) -> Any:
        found = self._product()
        while sign := self._take("⊙", "⊗"):
            other = self._product()
            found = found * other if sign == "⊙" else np.kron(found, other)
        return found

    def _product(self) -> Any:
        if sign := self._take("Σ", "Π"):
            if self._take("_"):
                return self._steps()
            inner = self._product()
            return np.sum(inner) if sign == "Σ" else np.prod(inner)
        found = self._quotient()
        while True:
            if self._take("×"):
                found = np.cross(found, self._quotient())
            elif self._take("mod"):
                found = np.mod(found, self._quotient())
            elif self._take("∘", "·") or self._factor_follows():
                other = self._quotient()
                plain = np.ndim(found) == 0 or np.ndim(other) == 0
                found = found * other if plain else self._matmul(found, other)
            else:
                return found

    def _matmul(self, one: Any, other: Any) -> Any:
        if not self.formula.shape and np.shape(one) == np.shape(other) and one.shape[-1] == 1:
            return np.sum(one * other)  # two columns
        return one @ other

    def _factor_follows(self) -> bool:
        """True where another factor stands behind a space."""
        rest = self.text[self.at :].lstrip(" ")
        return (
            self.text[self.at : self.at + 1] == " "
            and bool(rest)
            and rest[0] not in "+−⊙⊗×·∘)]}|‖⌋⌉,/=<>≤≥≠∨^_"
            and not rest.startswith("mod ")
        )

    def _steps(self) -> Any:
        """The sum over the steps of a loop, whose index stands below."""
        self._take("{")
        index = re.match(r"\w+", self.text[self.at :])
        assert index is not None
        self.at += index.end()
        self._take("}")
        start, total = self.at, 0.0
        (of,) = {e.data for e in _parts(self.formula) if e.kind == "steps"
                 and e.data.rpartition(",")[2] == index[0]}  # fmt: skip
        name = of.rpartition(",")[2]
        outer = self.numbers.at
        for t in self.numbers.ranges[name]:
            self.numbers.at = {**outer, name: t}
            self.at = start
            self._take("∘")
            total = total + self._product()
        self.numbers.at = outer
        return total

    def _quotient(self) -> Any:
        found = self._power()
        while self.form != "latex" and self._take("/"):
            found = found / self._power()
        return found

    def _power(self) -> Any:
        found = self._base()
        while True:
            if self.text[self.at : self.at + 1] in RAISED and self.form == "line":
                script = ""
                while self.text[self.at : self.at + 1] in RAISED and self.at < len(self.text):
                    script += RAISED[self.text[self.at]]
                    self.at += 1
                found = self._raised(found, script)
            elif self._take("^"):
                if self._take("{T}"):
                    found = self._raised(found, "T")
                elif self._take("{"):
                    exponent = self._sum()
                    self._need("}")
                    found = self._raised(found, exponent)
                else:
                    found = self._raised(found, self._base())
            elif self.text.startswith(("_{[", "[") if self.form != "line" else "[", self.at):
                found = self._part(found)
            else:
                return found

    def _raised(self, base: Any, exponent: Any) -> Any:
        if isinstance(exponent, str):
            if exponent.startswith("T"):
                base = np.swapaxes(base, -1, -2) if np.ndim(base) else base
                return self._raised(base, exponent[1:]) if exponent[1:] else base
            exponent = float(exponent.replace("−", "-"))
        inverse = any(call.name in ("inv", "solution") for call in self.calls)
        if inverse and np.ndim(exponent) == 0 and float(exponent) == -1 and np.ndim(base) >= 2:
            return np.linalg.inv(base)
        return np.asarray(base, float) ** exponent

    def _part(self, base: Any) -> Any:
        """A part of an array by its subscripts."""
        for call in self.calls:
            subscript = f"[{', '.join(told(call))}]"
            shown = f"_{{{subscript}}}" if self.form != "line" else subscript
            if call.name == "index" and self._follows(shown):
                return self._called(call, [base])
        raise AssertionError(self._left("no such part"))

    def _follows(self, expected: str) -> bool:
        """Go past a text, if it follows; spaces and the kind of a minus do not matter."""
        place = self.at
        for character in expected.replace(" ", "").replace("-", "−"):
            while self.text.startswith(" ", place):
                place += 1
            if self.text[place : place + 1].replace("-", "−") != character:
                return False
            place += 1
        self.at = place
        return True

    def _base(self) -> Any:
        self._space()
        for text, leaf in self.leaves:
            end = self.at + len(text)
            if self.text.startswith(text, self.at) and not (
                self._goes_on(end - 1) and self._goes_on(end)
            ):
                self.at = end
                return self.numbers.of(leaf)
        if number := NUMBER.match(self.text, self.at):
            self.at = number.end()
            return np.asarray(float(number[0]))
        for sign, end in ("()", "{}"):
            if self._take(sign):
                found = self._sum()
                self._need(end)
                return found
        if self._take("["):
            return self._compared()
        for sign, close, meaning in (
            ("|", "|", np.abs),
            ("‖", "‖", np.linalg.norm),
            ("⌊", "⌋", np.floor),
            ("⌈", "⌉", np.ceil),
        ):
            if self._take(sign):
                found = self._sum()
                self._need(close)
                if sign == "‖":
                    self._take("_{2}", "₂")
                return meaning(found)
        if self._take("√"):
            degree = 3.0 if self._take("[3]") else 2.0
            return np.asarray(self._base_of_root()) ** (1 / degree)
        if self._take("∛"):
            return np.cbrt(self._base_of_root())
        if self._take("frac"):
            return self._base() / self._base()
        for letter, make in (("𝟏", lambda n: np.ones((n, 1))), ("I", np.eye)):
            if self.text.startswith(letter, self.at) and self.text[self.at + 1 : self.at + 2] in (
                *LOWERED, "_", "[",
            ):  # fmt: skip
                self.at += 1
                return make(self._size())
        if word := WORD.match(self.text, self.at):
            return self._word(word[0])
        raise AssertionError(self._left("what is this?"))

    def _base_of_root(self) -> Any:
        return self._base()

    def _size(self) -> int:
        """The size that stands below a letter."""
        if self.text[self.at] in LOWERED:
            script = ""
            while self.at < len(self.text) and self.text[self.at] in LOWERED:
                script += LOWERED[self.text[self.at]]
                self.at += 1
            return int(script)
        self._take("_")
        start = self.at
        if self.text[start] in "{[":
            depth = 0
            while depth or self.at == start:
                depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(self.text[self.at], 0)
                self.at += 1
            inside = self.text[start + 1 : self.at - 1]
        else:
            self.at += 1
            inside = self.text[start]
        return int(self._arithmetic(inside))

    def _arithmetic(self, text: str) -> Any:
        raised = "".join(f"**{RAISED[c]}" if c in RAISED else c for c in text)
        text = re.sub(r"\^\{(\d+)\}", r"**\1", raised).replace("·", "*").replace("−", "-")
        text = "".join(LOWERED.get(one, one) for one in re.sub(r"_\{(\d+)\}", r"\1", text))
        return eval(text, {}, {**self.numbers.dims, **self.numbers.at})

    def _compared(self) -> Any:
        if self._take("¬"):
            found: Any = 1.0 - np.asarray(self._sum(), float)
        else:
            one = self._sum()
            sign = self._take(*COMPARED)
            assert sign, self._left("no comparison")
            found = COMPARED[sign](one, self._sum())
        self._need("]")
        return np.asarray(found, float)

    # ---- names ------------------------------------------------------------------------------

    def _word(self, word: str) -> Any:
        start = self.at
        self.at += len(word)
        if word == "e" and self.text.startswith("^", self.at):
            return np.asarray(math.e)
        if word == "π":
            return np.asarray(math.pi)
        if word in ("max", "min") and self.text.startswith("(", self.at):
            args = self._arguments()
            if len(args) == 2:
                return (np.maximum if word == "max" else np.minimum)(*args)
            self.at = start + len(word)
        candidates = [c for c in self.calls if CALLED.get(c.name, c.name) in (word, word[:-1])]
        candidates += [c for c in self.calls if c.name in FUNCTION_OF.get(word, ())]
        if self.text.startswith("(", self.at):
            for call in candidates:
                opened = self.at
                args = self._of_call(call)
                if args is not None:
                    return self._called(call, args)
                self.at = opened
        if word in ("stack", "rows", "blocks"):
            return getattr(self, f"_{word}")()
        if word in INVERSES and self._follows("^{−1}" if self.form != "line" else "⁻¹"):
            (arg,) = self._arguments()
            return INVERSES[word](arg)
        if word in FUNCTIONS:
            if not self.text.startswith("(", self.at):
                return FUNCTIONS[word](self._power())
            (arg,) = self._arguments()
            return FUNCTIONS[word](arg)
        names = {**self.numbers.dims, **self.numbers.at}
        size = re.compile(r"\w+").match(self.text, start)
        if size is not None and size[0] in names:
            self.at = size.end()
            return np.asarray(float(names[size[0]]))
        plain = "".join(
            LOWERED.get(one, one) for one in re.sub(r"_\{(\d+)\}", r"\1", self.text[start:])
        )
        for name in sorted(names, key=len, reverse=True):
            if plain.startswith(name):
                self.at = start + len(name) + (3 if self.text[start + 1 : start + 3] == "_{" else 0)
                return np.asarray(float(names[name]))
        self.at = start
        raise AssertionError(self._left(f"who is {word}?"))

    def _arguments(self) -> list[Any]:
        self._need("(")
        args = [self._sum()]
        while self._take(","):
            args.append(self._sum())
        self._need(")")
        return args

    def _of_call(self, call: Call) -> list[Any] | None:
        """The arguments of an operation, if what it is told beside them follows."""
        try:
            self._need("(")
            args: list[Any] = []
            for place in range(len(call.arguments)):
                if place:
                    self._need(",")
                args.append(self._sum())
        except AssertionError:
            return None
        beside = ", ".join(told(call))
        if not self._follows(f", {beside})" if args and beside else f"{beside})"):
            return None
        return args

    def _called(self, call: Call, args: Sequence[Any]) -> Any:
        like = [
            c
            for c in self.calls
            if (c.name, told(c)) == (call.name, told(call))
            and [_math(self.numbers.shape(s)) for s in c.arguments] == [np.shape(a) for a in args]
        ]
        return self.numbers._call(like[0] if like else call, list(args))

    def _rows(self) -> Any:
        (arg,) = self._arguments()
        return np.reshape(arg, (-1, np.shape(arg)[-1]))

    def _stack(self) -> Any:
        self._need("(")
        start = self.at
        (data,) = {e.data for e in _parts(self.formula) if e.kind == "stack"}
        index, axis, rank = data
        name = index.rpartition(",")[2]
        outer, items = self.numbers.at, []
        for t in self.numbers.ranges[name]:
            self.numbers.at = {**outer, name: t}
            self.at = start
            items.append(_array(self._sum(), rank))
        self.numbers.at = outer
        close = f", {name}, axis = {axis})" if self.form == "line" else f"axis={axis})"
        end = re.compile(r"[ ,]*" + re.escape(name) + r"[ ,]*axis *= *" + str(axis) + r"\)")
        found = end.match(self.text, self.at)
        assert found is not None, self._left(close)
        self.at = found.end()
        return _column(np.stack(items, axis))


FUNCTION_OF: Mapping[str, Sequence[str]] = {
    "mean": ("mean",), "var": ("variance",), "std": ("deviation",), "max": ("max",),
    "min": ("min",), "sum": ("sum",),
}  # fmt: skip


def _parts(formula: Expression) -> Iterator[Expression]:
    """The parts of a formula, itself among them; of a symbol there are none."""
    yield formula
    if formula.kind not in LEAVES:
        yield from chain.from_iterable(map(_parts, formula.args))


def _is_rounded(part: Expression) -> bool:
    """True for a number that is not printed with all of its digits."""
    of = part.data
    return part.kind == "number" and isinstance(of, float) and float(f"{of:.6g}") != of


SCRIPTS = {"msup": "^", "msub": "_", "munder": "_"}
SIGNS = {
    "∑": "Σ", "∏": "Π", "⊤": "T", "¯": "", "⋅": "·", "\u2061": "",
}  # fmt: skip


def plain_of_mathml(text: str) -> str:
    """A formula of MathML as the LaTeX that says the same, without what is for the eye."""
    return _bare(_of_element(ElementTree.fromstring(f"<math>{text}</math>")))


def plain_of_latex(mark: Mark) -> str:
    """The LaTeX of a formula, without what is for the eye, and without its braces."""
    text = Reader.__dict__["_plain"](_Latex, latex(mark))
    text = text.replace("partial", "∂").replace("overline", "bar")
    return _bare(text.replace("dots", "…").replace("land", "∧")).replace("∘", "")


def _bare(text: str) -> str:
    """Names of letters are the letters, and there is one minus."""
    for letter, word in GREEK_WORDS:
        text = re.sub(rf"(?<![a-zA-Z]){word}(?![a-zA-Z])", letter, text)
    return re.sub(r"[\s{}\\]", "", text.replace("-", "−"))


class _Latex:
    form = "latex"


GREEK_WORDS = [(letter, word) for letter, word in GREEK_OF_LATEX.items() if len(letter) == 1]


def _of_element(element: ElementTree.Element) -> str:
    parts = [_of_element(part) for part in element]
    match element.tag:
        case "mi" | "mn" | "mo":
            return "".join(SIGNS.get(one, one) for one in element.text or "")
        case "mspace":
            return ""
        case "mfrac":
            return f"frac{parts[0]}{parts[1]}"
        case "msqrt":
            return f"√{''.join(parts)}"
        case "mroot":
            return f"√[{parts[1]}]{parts[0]}"
        case "mover":
            return f"bar{parts[0]}"
        case tag if tag in SCRIPTS:
            return f"{parts[0]}{SCRIPTS[tag]}{parts[1]}"
        case _:
            return "".join(parts)


class ReadBack(Numbers):
    """The numbers of a derivation, each formula of which is read back from how it is printed."""

    def told(self, formula: Expression) -> Any:
        expected = super().told(formula)
        for form in PRINTERS:
            reader = Reader(self, formula, form)
            found = np.asarray(reader.read(), float)
            if found.shape != np.shape(expected) and found.size == np.size(expected):
                found = np.reshape(found, np.shape(expected))
            found, wanted = np.broadcast_arrays(found, np.asarray(expected, float))
            tolerance = 1e-5 if any(map(_is_rounded, _parts(formula))) else 1e-9
            assert np.allclose(found, wanted, tolerance, tolerance), reader.text
        mark = notation(formula)
        broken = unstacked(mark, NARROW)
        for said, wanted in ((mathml(mark), mark), ("".join(pieces(broken)), broken)):
            assert plain_of_mathml(said) == plain_of_latex(wanted)
        self.printed.add(formula)
        return expected

    def _forward(self, steps: Sequence[Step]) -> None:
        super()._forward(steps)
        for step in steps:
            for edge in step.edges:
                size = self.size(edge.rows) * self.size(edge.columns)
                if edge.jacobian.matrix is not None and size <= LARGEST:
                    self.told(edge.jacobian.matrix)

    @property
    def printed(self) -> set[Expression]:
        return self.__dict__.setdefault("_printed", set())


def opened(text: str) -> Sequence[str]:
    """The braces, environments and dollars of a text that are not closed, in the order opened."""
    found: list[str] = []
    pattern = r"\\begin\{(\w+\*?)\}|\\end\{(\w+\*?)\}|\\left|\\right|\\.|[{}]"
    for match in re.finditer(pattern, text):
        token = match[0]
        if match[1] or token in ("{", r"\left"):
            found.append(match[1] or token)
        elif match[2] or token in ("}", r"\right"):
            expected = match[2] or {"}": "{", r"\right": r"\left"}[token]
            assert found[-1:] == [expected], text[max(0, match.start() - 60) :][:90]
            found.pop()
    return found
