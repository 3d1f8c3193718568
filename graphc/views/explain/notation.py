"""From what a formula means to how it looks."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from graphc.ir.dims import Dim
from graphc.views.explain.expression import Call, Expression
from graphc.views.explain.marks import (
    TRANSPOSE,
    Mark,
    digits,
    fenced,
    joined,
    lowered,
    name,
    operator,
    raised,
    row,
    softly,
    upright,
)
from graphc.views.explain.templates import marked
from graphc.views.reference import formulas
from graphc.views.reference.formulas import CALLED, NUMBERS, OPERATIONS

SUM, HADAMARD, PRODUCT, FRACTION, ATOM = range(5)
"""How tightly a formula holds together."""
LEVELS = {formulas.SUM: SUM, formulas.PRODUCT: PRODUCT, formulas.ATOM: ATOM}
PLACES = {"": SUM, "*": PRODUCT, "^": ATOM}

CALLED_BY_NAME = ("sum", "mean", "expand", "broadcast_to", "stop", "expm")
"""What is told by its name, though it has a notation: its axes matter, or that it is there, or
that it does not work element by element."""

Shown = tuple[Mark, int]


def notation(formula: Expression) -> Mark:
    """Set a formula as it is printed."""
    return _shown(formula)[0]


def _shown(of: Expression) -> Shown:
    return WAYS[of.kind](of)


def _held(of: Expression, level: int) -> Mark:
    """Set a part of a formula that binds at least so tightly, else in parentheses."""
    mark, found = _shown(of)
    if found >= level:
        return mark
    if found == FRACTION and level <= ATOM and of.kind in ("total", "partial", "quotient"):
        return fenced(mark) if level == ATOM else softly(mark)
    return fenced(mark)


def _factor(of: Expression) -> Mark:
    mark, found = _shown(of)
    if found == FRACTION:
        return softly(mark)
    return mark if found == ATOM else fenced(mark)


# ---- symbols ------------------------------------------------------------------------------------


def _symbol(of: Expression) -> Shown:
    called, index = of.data
    base = named(called)
    if not index:
        return base, ATOM
    return lowered(base, arithmetic(index)), ATOM


def named(called: str) -> Mark:
    """Set a name; digits behind one letter are its index."""
    indexed = re.fullmatch(r"([^\W\d_])_?(\d+)", called)
    return lowered(name(indexed[1]), digits(indexed[2])) if indexed else name(called)


def _differential(sign: str) -> Callable[[Expression], Shown]:
    def way(of: Expression) -> Shown:
        top, bottom = (row([upright(sign), *_apart(arg, sign), _shown(arg)[0]]) for arg in of.args)
        return Mark("derivative", "", (top, bottom)), FRACTION

    return way


def _apart(of: Expression, sign: str) -> list[Mark]:
    """Put a space before a word."""
    mark = _shown(of)[0]
    mark = mark.parts[0] if mark.kind == "lowered" else mark
    return [operator("")] if sign == "d" and len(mark.text) > 1 else []


def _share(of: Expression) -> Shown:
    return lowered(fenced(_shown(of.args[0])[0]), arithmetic(of.data)), ATOM


def _position(of: Expression) -> Shown:
    return lowered(_held(of.args[0], ATOM), arithmetic(of.data)), ATOM


def _seed(of: Expression) -> Shown:
    return Mark("bar", "", (_shown(of.args[0])[0],)), ATOM


def number_mark(value: Any) -> Shown:
    """Set a number, some by the name that they have."""
    if not isinstance(value, int | float):
        return upright(str(value).replace("-", "−")), ATOM
    if isinstance(value, bool):
        return digits(str(int(value))), ATOM
    if value in NUMBERS:
        mark = marked(NUMBERS[value], _no_place)
        return mark, SUM if value < 0 else FRACTION if mark.kind == "above" else ATOM
    text = re.sub(r"e\+?(-?)0*", r"e\1", f"{value:.6g}")
    if text.startswith("-"):
        return row([operator("−"), digits(text[1:])]), SUM
    return digits(text), ATOM


def _no_place(slot: int, tightly: str) -> Mark:
    raise AssertionError("a number has no arguments")


def size_mark(dim: Dim) -> Mark:
    return arithmetic(str(dim))


def arithmetic(text: str) -> Mark:
    """Set Python's arithmetic of integers and names."""
    parts: list[Mark] = []
    tokens = iter(re.findall(r"\*\*|//|\w+|[^\w\s]", text))
    for token in tokens:
        if token == "**":
            parts.append(raised(parts.pop(), digits(next(tokens))))
        elif token.isdigit():
            parts.append(digits(token))
        elif token[0].isalpha() or token[0] == "_":
            parts.append(named(token))
        else:
            parts.append(operator({"*": "·", "-": "−"}.get(token, token)))
    return row(parts)


def _size(of: Expression) -> Shown:
    plain = of.data.is_atomic
    return size_mark(of.data), ATOM if plain else PRODUCT


def _lettered(letter: Mark) -> Callable[[Expression], Shown]:
    """Return the setter of a matrix that is known by its size."""

    def way(of: Expression) -> Shown:
        return lowered(letter, size_mark(of.shape[0])), ATOM

    return way


def _matrix(of: Expression) -> Shown:
    letter, call, _ = of.data
    what = [_shown(arg)[0] for arg in of.args] or [name(text) for text in told(call)]
    sign = Mark("bold", letter)
    return (lowered(sign, joined(what, ",")) if what else sign), ATOM


# ---- operators ----------------------------------------------------------------------------------


def _sum(of: Expression) -> Shown:
    parts = [_held(of.args[0], SUM)]
    for term in of.args[1:]:
        minus = term.kind == "negative"
        parts.append(operator("−" if minus else "+"))
        parts.append(_held(term.args[0], HADAMARD) if minus else _held(term, HADAMARD))
    return row(parts), SUM


def _negative(of: Expression) -> Shown:
    return row([operator("−"), _held(of.args[0], HADAMARD)]), SUM


def _product(of: Expression) -> Shown:
    return joined(map(_factor, of.args), ""), PRODUCT


def _hadamard(of: Expression) -> Shown:
    return joined(map(_factor, of.args), "⊙"), HADAMARD


def _kronecker(of: Expression) -> Shown:
    return joined(map(_factor, of.args), "⊗"), HADAMARD


def _quotient(of: Expression) -> Shown:
    top, bottom = (_shown(arg) for arg in of.args)
    return Mark("above", "", (_line(top), _line(bottom))), FRACTION


def _line(one: Shown) -> Mark:
    """Set what stands over or under a line; in a line of text it needs parentheses."""
    mark, level = one
    return mark if level == ATOM else softly(mark)


def _power(of: Expression) -> Shown:
    base, exponent = of.args
    return raised(_held(base, ATOM), _shown(exponent)[0]), ATOM


def _transpose(of: Expression) -> Shown:
    return raised(_held(of.args[0], ATOM), TRANSPOSE), ATOM


def _applied(function: str) -> Callable[[Expression], Shown]:
    def way(of: Expression) -> Shown:
        inner = joined((_shown(arg)[0] for arg in of.args), ",")
        return row([upright(function), fenced(inner)]), ATOM

    return way


def _diagonal(of: Expression) -> Shown:
    return row([upright("diag"), fenced(_shown(of.args[0])[0])]), ATOM


def _total_sum(of: Expression) -> Shown:
    return row([operator("Σ"), _held(of.args[0], PRODUCT)]), PRODUCT


def _steps(of: Expression) -> Shown:
    summed = lowered(operator("Σ"), name(of.data.rpartition(",")[2]))
    return row([summed, operator(""), _held(of.args[0], PRODUCT)]), PRODUCT


def _stack(of: Expression) -> Shown:
    index, axis, _ = of.data
    what = joined([_shown(of.args[0])[0], name(index.rpartition(",")[2])], ",")
    place = row([upright("axis"), operator("="), digits(str(axis))])
    return row([upright("stack"), fenced(joined([what, place], ","))]), ATOM


def _taken(of: Expression) -> Shown:
    return row([upright("steps"), fenced(name(of.data))]), ATOM


# ---- operations by name -------------------------------------------------------------------------


def _call(of: Expression) -> Shown:
    call: Call = of.data
    if call.name == "index":
        return lowered(fenced_atom(of.args[0]), name(f"[{', '.join(told(call))}]")), ATOM
    if call.name in OPERATIONS and call.name not in CALLED_BY_NAME:
        level, template = OPERATIONS[call.name]
        for key, value in call.attributes:
            template = template.replace(f"{{{key}}}", f"{value:.6g}" if isinstance(value, float)
                                        else str(value))  # fmt: skip
        mark = marked(template, lambda slot, tightly: _held(of.args[slot], PLACES[tightly]))
        return mark, LEVELS[level] if mark.kind != "above" else FRACTION
    parts = [_shown(arg)[0] for arg in of.args]
    parts += [name(text) for text in told(call)]
    called = CALLED.get(call.name, call.name)
    return row([upright(called), fenced(joined(parts, ","))]), ATOM


def fenced_atom(of: Expression) -> Mark:
    return _held(of, ATOM)


def told(call: Call) -> list[str]:
    """List what an operation is told beside its arguments."""
    found = dict(call.attributes)
    items = found.get("items")
    if items is not None:
        if call.name == "added_up":  # a place for each argument
            return [f"[{', '.join(_item(*item) for item in one)}]" for one in items]
        return [_item(kind, value) for kind, value in items]
    axis = found.get("axis", found.get("axes"))
    told_of = ("n", "shift", "count", *(("shape",) if axis is None else ()))
    said = [f"{key}={_value(value)}" for key, value in call.attributes if key in told_of]
    return said if axis is None else [*said, f"axis={_value(axis)}"]


def _item(kind: str, value: Any) -> str:
    if kind == "at":
        return str(value)
    start, length, step = value
    end = start + length * step
    shown = "" if end.constant is not None and end.constant < 0 else str(end)
    return f"{start}:{shown}" + (f":{step}" if step != 1 else "")


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        inner = ", ".join(map(str, value))
        return inner if len(value) == 1 else f"({inner})"
    return str(value)


WAYS: Mapping[str, Callable[[Expression], Shown]] = {
    "symbol": _symbol,
    "total": _differential("d"),
    "partial": _differential("∂"),
    "share": _share,
    "position": _position,
    "seed": _seed,
    "number": lambda of: number_mark(of.data),
    "size": _size,
    "sum": _sum,
    "negative": _negative,
    "product": _product,
    "hadamard": _hadamard,
    "kronecker": _kronecker,
    "quotient": _quotient,
    "power": _power,
    "transpose": _transpose,
    "ones": _lettered(Mark("bold", "1")),
    "identity": _lettered(name("I")),
    "zero": lambda of: (digits("0"), ATOM),
    "diagonal": _diagonal,
    "blocks": _applied("blocks"),
    "rows": _applied("rows"),
    "matrix": _matrix,
    "total_sum": _total_sum,
    "stretched": lambda of: _shown(of.args[0]),
    "steps": _steps,
    "stack": _stack,
    "taken": _taken,
    "call": _call,
}
"""How each kind of formula looks."""
