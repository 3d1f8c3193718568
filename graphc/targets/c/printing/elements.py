"""Expressions of elements in C: operators, libm, and the functions of the folder `runtime`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from graphc.ir.dims import Dim
from graphc.nests.nest import Apply, Element, Expr, Kind, Number, Size, Value
from graphc.records import dataclass, field
from graphc.targets.c.printing.dims import Names, factor, integer, whole

INFIX = {
    "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "equal": "==", "not_equal": "!=",
    "less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">=", "logical_and": "&&",
    "logical_or": "||",
}  # fmt: skip
WRAPPING = frozenset({"add", "subtract", "multiply"})
"""Operators on integers that go around at the ends, as in NumPy: C leaves that open."""

LIBM = {
    "sqrt": "sqrt", "tan": "tan", "sinh": "sinh", "cosh": "cosh", "exp2": "exp2", "log2": "log2",
    "log10": "log10", "cbrt": "cbrt", "arcsin": "asin", "arccos": "acos", "arctan": "atan",
    "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh", "arctan2": "atan2",
    "hypot": "hypot", "rint": "rint", "floor": "floor", "ceil": "ceil", "trunc": "trunc",
    "abs": "fabs", "power": "pow",
}  # fmt: skip
OWN = frozenset(
    {"exp", "expm1", "log", "log1p", "tanh", "sigmoid", "softplus", "logaddexp", "sin", "cos",
     "erf", "erfc", "lgamma", "digamma", "polygamma", "ndtr", "log_ndtr", "hazard",
     "hazard_excess", "ndtri", "erfinv", "erfcinv", "bessel_j", "bessel_i", "bessel_ie",
     "bessel_k", "gammainc", "gammaincc", "gammainc_by_a", "gamma_density", "betainc",
     "betainc_by", "beta_density", "maximum", "minimum", "clip", "sign",
     "heaviside", "remainder", "floor_divide", "square"}
)  # fmt: skip
"""Functions of floats that are written beside the text."""

OWN_INTEGERS = frozenset(
    {"maximum", "minimum", "clip", "square", "sign", "abs", "floor_divide", "remainder", "power"}
)
TESTS = {"isfinite": "isfinite", "isnan": "isnan", "isinf": "isinf"}
NAMED = {
    "float64": {"LARGEST": "DBL_MAX", "EXPONENT": "709.0"},
    "float32": {"LARGEST": "FLT_MAX", "EXPONENT": "88.0f"},
}
EVERYWHERE = {
    "LEAST": "INT64_MIN", "MOST": "INT64_MAX", "INFINITY": "INFINITY", "-INFINITY": "-INFINITY",
}  # fmt: skip


@dataclass(slots=True)
class Words:
    """How a function says things: the names of symbols, and where elements are.

    `called` collects the functions that are not of libm; `before` the lines that must stand before
    the one that is written now, with names that are `fresh`; `lanes` are what registers are called
    in a loop that has several of each.
    """

    dtype: str
    names: Names
    place: Callable[[Element], str]
    fresh: Callable[[str], str]
    called: set[str] = field(default_factory=set)
    before: list[str] = field(default_factory=list)
    lanes: Mapping[Value, str] = field(default_factory=dict)

    def type_of(self, dtype: Kind) -> str:
        """Return the type of an element in memory."""
        if dtype == "float":
            return "double" if self.dtype == "float64" else "float"
        return {"int": "int64_t", "bool": "unsigned char", "wide": "double"}[dtype]

    def integer(self, dim: Dim) -> str:
        return self._seen(integer(dim, self.names))

    def factor(self, dim: Dim) -> str:
        return self._seen(factor(dim, self.names))

    def _seen(self, text: str) -> str:
        if "gc_floor(" in text:
            self.called.add("gc_floor")
        return text

    def call(self, name: str, *args: str) -> str:
        """Write the call of a function of the folder."""
        self.called.add(name)
        return f"{name}({', '.join(args)})"

    def number(self, one: Number) -> str:
        value = one.value
        if isinstance(value, str):
            return NAMED[self.dtype].get(value) or EVERYWHERE.get(value, value)
        if isinstance(value, bool):
            return str(int(value))
        if isinstance(value, int) and one.dtype == "int":
            return whole(value)
        number = float(value)
        if not math.isfinite(number):
            return "NAN" if math.isnan(number) else "-INFINITY" if number < 0 else "INFINITY"
        return f"{number!r}{'f' if self.dtype == 'float32' and one.dtype == 'float' else ''}"

    def local(self, one: Element) -> str:
        """Write an element of an array as a number that has been read."""
        text = self.place(one)
        if "[" not in text:
            return text
        name = self.fresh("of")
        self.before.append(f"const {self.type_of(one.value.dtype)} {name} = {text};")
        return name

    def expr(self, one: Expr) -> str:
        """Write an expression that stands alone."""
        match one:
            case Element():
                return self.place(one)
            case Number():
                return self.number(one)
            case Size(dim):
                return self.integer(dim)
            case Apply():
                return self.applied(one)

    def operand(self, one: Expr) -> str:
        """Write an expression as the operand of an operator."""
        text = self.expr(one)
        match one:
            case Size(dim):
                return self.factor(dim)
            case Number() if text.startswith("-"):
                return f"({text})"
            case Apply(name=name) if name in BINDING:
                return f"({text})"
        return text

    def applied(self, one: Apply) -> str:
        name = one.name
        special = SPECIAL.get(name)
        if special is not None:
            return special(self, one)
        if name in INFIX:
            sign = f" {INFIX[name]} "
            if one.of == "int" and name in WRAPPING:
                around = sign.join(f"(uint64_t){self.operand(arg)}" for arg in one.args)
                return f"(int64_t)({around})"
            return sign.join(map(self.operand, one.args))
        texts = [self.expr(arg) for arg in one.args]
        if one.of in ("int", "bool"):
            if name in OWN_INTEGERS:
                return self.call(f"gc_{name}_int", *texts)
            raise KeyError(name)
        if name in OWN:
            return self.call(f"gc_{name}", *texts)
        if name in TESTS:
            return f"({TESTS[name]}({texts[0]}) != 0)"
        suffix = "f" if self.dtype == "float32" and one.of == "float" else ""
        return f"{LIBM[name]}{suffix}({', '.join(texts)})"


def _cast(words: Words, one: Apply) -> str:
    (x,) = one.args
    if one.dtype == "bool":
        return f"{words.operand(x)} != 0"
    return f"({words.type_of(one.dtype)}){words.operand(x)}"


def _where(words: Words, one: Apply) -> str:
    """Both sides are read before one is chosen: a read that depends does not vectorise well."""
    x, y = (
        words.local(each) if isinstance(each, Element) else words.operand(each)
        for each in one.args[1:]
    )
    condition = words.operand(one.args[0])
    return f"{condition} ? {x} : {y}"


def _negative(words: Words, one: Apply) -> str:
    x = words.operand(one.args[0])
    return f"(int64_t)(0 - (uint64_t){x})" if one.of == "int" else f"-{x}"


def _from_the_front(words: Words, one: Apply) -> str:
    x, n = map(words.operand, one.args)
    return f"(ptrdiff_t)({x} < 0 ? {x} + {n} : {x})"


def _outside(words: Words, one: Apply) -> str:
    x, n = map(words.operand, one.args)
    return f"{x} < -{n} || {x} >= {n}"


def _wins(sign: str) -> Callable[[Words, Apply], str]:
    def build(words: Words, one: Apply) -> str:
        """nan wins over what is none."""
        x, best = map(words.operand, one.args)
        wins = f"{x} {sign} {best}"
        return wins if one.of != "float" else f"{wins} || ({x} != {x} && {best} == {best})"

    return build


SPECIAL: Mapping[str, Callable[[Words, Apply], str]] = {
    "cast": _cast,
    "where": _where,
    "negative": _negative,
    "logical_not": lambda words, one: f"!{words.operand(one.args[0])}",
    "from_the_front": _from_the_front,
    "outside": _outside,
    "argmax_wins": _wins(">"),
    "argmin_wins": _wins("<"),
}
BINDING = frozenset(
    {*INFIX, "where", "cast", "negative", "logical_not", "outside", "argmax_wins", "argmin_wins"}
)
"""What needs parentheses as an operand."""


FORMS = frozenset({*INFIX, *OWN, *LIBM, *TESTS, *SPECIAL})
"""The functions of numbers that there are in C."""


HIGHEST = {"polygamma": 60, "gammainc_by_a": 12, "betainc_by": 12}
"""Orders up to which the functions of the folder `runtime` have room."""


def can_write(one: Apply) -> bool:
    """True if there is a form in C of a function on operands of its dtype, and of its order."""
    if one.name in HIGHEST:
        orders = [arg.dim.constant for arg in one.args if isinstance(arg, Size)]
        return all(n is not None and n <= HIGHEST[one.name] for n in orders)
    if one.name in SPECIAL or one.name in INFIX:
        return True
    if one.of in ("int", "bool"):
        return one.name in OWN_INTEGERS
    return one.name in OWN or one.name in TESTS or one.name in LIBM
