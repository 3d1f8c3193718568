"""Nodes -> the Python expressions and statements that compute them, as text."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from string import Formatter
from typing import Any

from graphc.ir.dims import Dim
from graphc.ir.graph import CONSTANT, DIM, Node
from graphc.plan.buffers.destinations import takes_none
from graphc.plan.lower import Step
from graphc.plan.naming import template

FLOAT = "FLOAT"
NO_NUMBERS: Mapping[Node, str] = {}
DTYPES = {"float": FLOAT, "int": "np.int64", "bool": "np.bool_"}


@dataclass(frozen=True, slots=True)
class Written:
    """An expression as text, and its outermost form, with `_` for its parts: `_ + _`, `-_`, `_`.

    The form says where the text needs parentheses; what never does is `_`.
    """

    text: str
    form: str


def statements(target: str, node: Node, variables: Mapping[Node, str]) -> list[str]:
    """The lines that give `target` the value of a node."""
    if "{out}" not in template(node):
        return [f"{target} = {_filled(node, variables).text}"]
    source, arguments = _source(node, variables)
    lines, _ = _pattern(source, (*(one.form for one in arguments), "_"))
    return [line.format(*(one.text for one in arguments), target) for line in lines]


def computed(
    step: Step, variables: Mapping[Node, str], numbers: Mapping[Node, str] = NO_NUMBERS
) -> list[str]:
    """The lines of a step: its node by itself, or by its kernel into the place that it has.

    Operands that are `numbers` have names there.
    """
    target, node, text = step.target, step.node, step.kernel
    if not text:
        return statements(target, node, variables)
    several = "\n" in text or "{out}." in text or not text.startswith(("np.", "_"))
    several = several or text.startswith("np.copyto")
    place = step.out or f"np.empty({show(node.shape)}, {DTYPES[node.type.dtype]})"
    if step.given and takes_none(step):
        place = step.given
    elif step.given:
        place, several = f"{place} if {step.given} is None else {step.given}", True
    elif not several and not step.out:
        text = text.replace(", {out}", "").replace(", out={out}", "")
    source, arguments = _source(node, variables, text)
    for slot, arg in enumerate(node.args):
        if arg in numbers:
            arguments[slot] = Written(numbers[arg], "_")
    lines, _ = _pattern(source, (*(one.form for one in arguments), "_"))
    texts = [one.text for one in arguments]
    if several and target:
        made = target == place or text.startswith("{out} = ")
        first = [] if made else [f"{target} = {place}"]
        return [*first, *(line.format(*texts, target) for line in lines)]
    written = [line.format(*texts, place) for line in lines]
    return [f"{target} = {written[0]}"] if target else written  # a call's value is its array


def expression(node: Node, variables: Mapping[Node, str]) -> str:
    """The expression of a node: its variable, or its source around those of its arguments."""
    return _written(node, variables).text


def around(source: str, node: Node, variables: Mapping[Node, str]) -> str:
    """A Python expression of one hole, `{0}`, around that of a node, in parentheses if need be."""
    one = _written(node, variables)
    (line,), _ = _pattern(source.format(_hole(0)), (one.form,))
    return line.format(one.text)


def _written(node: Node, variables: Mapping[Node, str]) -> Written:
    return Written(variables[node], "_") if node in variables else _filled(node, variables)


def _filled(node: Node, variables: Mapping[Node, str]) -> Written:
    """The template of a node with its arguments in their places."""
    if node.op is CONSTANT:
        text = _constant(node)
        return Written(text, "-_" if text.startswith("-") else "_")
    if node.op is DIM:
        return _parsed(str(node.attrs["value"]))
    source, arguments = _source(node, variables)
    (line,), form = _pattern(source, tuple(one.form for one in arguments))
    return Written(line.format(*(one.text for one in arguments)), form)


def _float(node: Node) -> Written:
    """A constant as a float of Python, which it computes with faster than with a whole number."""
    text = literal(node.value)
    text = f"{text}.0" if text.lstrip("-").isdigit() else text
    return Written(text, "-_" if text.startswith("-") else "_")


def _source(node: Node, variables: Mapping[Node, str], text: str = "") -> tuple[str, list[Written]]:
    """A template of a node with names for its holes, and what goes into these."""
    arguments = [
        _float(arg)
        if node.op.numbers and isinstance(arg.value, float)
        else _written(arg, variables)
        for arg in node.args
    ]
    typed = typed_argument(node)
    if typed is not None:
        given = node if node.type.dtype == "float" else node.args[typed]
        arguments[typed] = Written(f"{DTYPES[given.type.dtype]}({arguments[typed].text})", "_")
    text = text or template(node)
    holes = [_hole(slot) for slot in range(len(arguments))]
    named: dict[str, str] = {}
    for name in _fields(text):
        if name == "shape":
            named[name] = show(node.shape)
        elif name == "out":
            named[name] = _hole(len(arguments))
        else:
            named[name] = DTYPES[name] if name in DTYPES else show(node.attrs[name])
    return text.format(*holes, **named), arguments


@lru_cache(maxsize=1000)
def _fields(text: str) -> frozenset[str]:
    """The names of the places of a template, but for those of the arguments."""
    found = {name for _, name, _, _ in Formatter().parse(text) if name is not None}
    return frozenset(name for name in found if not name.isdigit())


def typed_argument(node: Node) -> int | None:
    """The argument that gets a dtype of NumPy, where an operation is NumPy's and would be Python's.

    Where all floats are Python's the result would not have the module's dtype, and an operator
    between Python's numbers makes one of them: `~True` is -2, and `True` has no `astype`.
    """
    if node.static or node.op.numbers:
        return None
    if template(node).startswith("np.clip(") and node.args[0].static:
        return 0  # NumPy takes its dtype, whatever the bounds are
    if node.type.dtype == "float":
        typed = any(arg.type.dtype == "float" and not arg.static for arg in node.args)
    else:
        typed = template(node).startswith("np.") or not all(arg.static for arg in node.args)
    slots = reversed(range(len(node.args)))
    return None if typed else next((slot for slot in slots if node.args[slot].static), None)


# ---- parentheses -------------------------------------------------------------------------------


def _hole(slot: int) -> str:
    return f"_hole_{slot}_"


_HOLES = re.compile(r"_hole_(\d+)_")


@lru_cache(maxsize=10_000)
def _pattern(source: str, forms: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """The lines of a template with `{0}`, `{1}` … for expressions of these forms, and its form.

    Python's own printer puts the parentheses, around a sample of each form.

    >>> _pattern("_hole_0_ * _hole_1_", ("_ + _", "_ ** _"))
    (('({0}) * {1}',), '_ * _')
    """
    samples = [
        ast.parse(form.replace("_", _hole(n)), mode="eval").body for n, form in enumerate(forms)
    ]
    tree = ast.parse(source)
    _Fill({_hole(n): sample for n, sample in enumerate(samples)}).visit(tree)
    texts = [ast.unparse(sample) for sample in samples]
    lines = []
    for statement in tree.body:
        line = ast.unparse(statement).replace("{", "{{").replace("}", "}}")
        for n in {int(number) for number in _HOLES.findall(line)}:
            line = line.replace(texts[n], f"{{{n}}}")
        lines.append(line)
    last = tree.body[-1]
    return tuple(lines), _form(last.value) if isinstance(last, ast.Expr) else "_"


def _form(tree: ast.expr) -> str:
    part = ast.Name("_")
    match tree:
        case ast.BinOp():
            return ast.unparse(ast.BinOp(part, tree.op, part))
        case ast.UnaryOp():
            return ast.unparse(ast.UnaryOp(tree.op, part))
        case ast.BoolOp():
            return ast.unparse(ast.BoolOp(tree.op, [part, part]))
        case ast.Compare():
            return "_ < _"
        case ast.IfExp():
            return "_ if _ else _"
    return "_"


class _Fill(ast.NodeTransformer):
    """Puts expressions in the place of names."""

    def __init__(self, values: Mapping[str, ast.expr]) -> None:
        self.values = values

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.values.get(node.id, node)


@lru_cache(maxsize=1000)
def _parsed(text: str) -> Written:
    tree = ast.parse(text, mode="eval").body
    return Written(ast.unparse(tree), _form(tree))


# ---- values ------------------------------------------------------------------------------------


def show(value: Any) -> str:
    """An attribute as Python source."""
    if isinstance(value, tuple):
        items = ", ".join(map(show, value))
        return f"({items},)" if len(value) == 1 else f"({items})"
    if isinstance(value, Dim):
        return str(value)
    return literal(value) if isinstance(value, float) else repr(value)


def literal(value: float) -> str:
    """A number as Python source; `2` for 2.0, of which an array makes the same."""
    if math.isnan(value):
        return "np.nan"
    if math.isinf(value):
        return "np.inf" if value > 0 else "-np.inf"
    negative_zero = value == 0 and math.copysign(1, value) < 0
    whole = value.is_integer() and abs(value) < 1e15 and not negative_zero
    return str(int(value)) if whole else repr(value)


def _constant(node: Node) -> str:
    if isinstance(node.value, tuple):
        return f"np.array({_nested(node.value)}, {DTYPES[node.type.dtype]})"
    return _nested(node.value)


def _nested(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_nested, value)) + "]"
    return literal(value) if isinstance(value, float) else repr(value)
