"""Formulas of values and pullbacks, printed from the graphs that the table gives."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from graphc.ad.reverse import pullback
from graphc.elaborate.build import elaborate
from graphc.ir.graph import COTANGENT, Graph, Node, arguments_first, building, source
from graphc.ir.results import gradient_by, value_of
from graphc.ops import Function
from graphc.optimise.passes import simplify
from graphc.source import Source
from graphc.syntax.parse.parser import parse
from graphc.views.reference.formulas import ATOM, CALLED, LONG, NUMBERS, OPERATIONS, PRODUCT, SUM
from graphc.views.reference.samples import sample

LatexText = tuple[str, int]


def formulas(function: Function) -> tuple[str, tuple[str, ...]]:
    """Write a function's sample call: its value, and the cotangent of each argument."""
    if function.name in LONG:
        value, back = LONG[function.name]
        return value if " = " in value else f"{sample(function).outputs[0]} = {value}", back
    shown = sample(function)
    with building():
        model = elaborate(parse(Source("sample", shown.graph))).sound
        inputs = {one.node: one.name for one in model.inputs}
        output = model.outputs[0]
        left = output.name
        value = f"{left} = {write_node(output.node, inputs)}"
        wrt = [n for n, name in inputs.items() if name in shown.differentiable]
        if output.type.dtype != "float" or not wrt:
            return value, ()
        seed = source(COTANGENT, left, output.node.type)
        adjoints = pullback([(output.node, seed)], wrt)
        flown = {inputs[node]: adjoints[node].value for node in wrt if node in adjoints}
        gradients = {gradient_by(name): node for name, node in flown.items()}
        whole = simplify(Graph("", {value_of(left): output.node, **gradients}, {}))
        names = {**inputs, seed: rf"\bar {left}"}
        if whole.results[value_of(left)] not in inputs:
            names[whole.results[value_of(left)]] = left
        back = tuple(
            rf"\bar {_symbol(name)} = {write_node(whole.results[gradient_by(name)], names)}"
            for name in flown
        )
        zeros = tuple(rf"\bar {_symbol(inputs[node])} = 0" for node in wrt if node not in adjoints)
    return value, (*back, *zeros)


def _symbol(name: str) -> str:
    return name if len(name) == 1 else r"\mathit{" + name.replace("_", r"\_") + "}"


def _operator(name: str) -> str:
    return r"\operatorname{" + name.replace("_", r"\_") + "}"


def write_node(root: Node, names: Mapping[Node, str]) -> str:
    """Write a node in LaTeX, with the names of those that have one."""
    found: dict[Node, LatexText] = {}
    for node in arguments_first([root], ()):
        if node in names:
            name = names[node]
            found[node] = (name if name.startswith("\\") else _symbol(name), ATOM)
        else:
            found[node] = _node(node, [found[arg] for arg in node.args])
    return found[root][0]


def _node(node: Node, args: Sequence[LatexText]) -> LatexText:
    if node.value is not None:
        return _number(node.value)
    if node.op.name == "dim":
        return str(node.attrs["value"]).replace("*", r"\,"), ATOM
    match node.op.name:
        case "*":
            (left, _), (right, _) = args
            factors = [_bracket(arg, PRODUCT) for arg in args]
            if left == right:
                return f"{_bracket(args[0], ATOM)}^2", PRODUCT
            dense = all(arg.rank for arg in node.args)
            return (r" \odot " if dense else r"\,").join(factors), PRODUCT
        case "where" if node.args[2].value == 0:
            return rf"{_bracket(args[0], ATOM)} \odot {_bracket(args[1], PRODUCT)}", PRODUCT
        case "where":
            _, this, other = args
            chosen = rf"{args[0][0]} \odot {_bracket(this, PRODUCT)}"
            if node.args[1].value == 1:
                chosen = args[0][0]
            return rf"{chosen} + [\lnot {args[0][0]}] \odot {_bracket(other, PRODUCT)}", SUM
        case "permute" if node.rank == 2:
            return rf"{_bracket(args[0], ATOM)}^{{\top}}", PRODUCT
        case "accumulate":
            return " + ".join(text for text, _ in args), SUM
    if node.op.name not in OPERATIONS:
        name = CALLED.get(node.op.name, node.op.name)
        return f"{_operator(name)}({', '.join(text for text, _ in args)})", ATOM
    level, template = OPERATIONS[node.op.name]
    for name, value in node.attrs.items():
        template = template.replace(f"{{{name}}}", _number(value)[0])
    places = {"": SUM, "*": PRODUCT, "^": ATOM}
    text = re.sub(r"<(\d)([*^]?)>", lambda m: _bracket(args[int(m[1])], places[m[2]]), template)
    return text, level


def _number(value: object) -> LatexText:
    if not isinstance(value, int | float):
        return str(value), ATOM
    text = NUMBERS.get(value) or f"{value:.6g}"
    return text, SUM if text.startswith("-") else ATOM


def _bracket(one: LatexText, level: int) -> str:
    text, found = one
    return f"({text})" if found < level else text
