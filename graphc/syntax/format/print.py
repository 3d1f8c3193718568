"""From a syntax tree to a text that parses to it, in canonical layout: what importers write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.source import Source
from graphc.syntax import tree
from graphc.syntax.format.formatter import format_source
from graphc.syntax.format.lines import WIDTH

OR, AND, NOT, COMPARED, SUM, TERM, SIGN, POWER, POSTFIX = range(9)
LEVELS = {
    "or": OR, "and": AND, "+": SUM, "-": SUM, "*": TERM, "/": TERM, "@": TERM, "//": TERM,
    "%": TERM, "**": POWER,
}  # fmt: skip
"""How strongly operators bind; those that are not here compare."""
ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}


def print_file(file: tree.File) -> str:
    """Return the canonical text of a tree, whose spans are of no account.

    Recurses on the depth of expressions: whoever makes a tree gives names to parts of deep ones.
    """
    text = "\n".join(_statement(one) for one in file.statements)
    return format_source(Source("<printed>", text))


def print_expression(expr: tree.Expr, level: int = OR) -> str:
    """Return an expression as text, in parentheses where it binds less than `level`."""
    own, text = _EXPRESSIONS[type(expr)](expr)
    return f"({text})" if own < level else text


def quoted(text: str) -> str:
    """Return a text as a string of the language."""
    return '"' + "".join(ESCAPES.get(letter, letter) for letter in text) + '"'


# ---- expressions --------------------------------------------------------------------------------


def _number(expr: tree.Number) -> tuple[int, str]:
    return POSTFIX, repr(expr.value)


def _list(expr: tree.ListOf) -> tuple[int, str]:
    items = [print_expression(item) for item in expr.items]
    if not any(isinstance(item, tree.ListOf) for item in expr.items):
        return POSTFIX, f"[{_filled(items)}]"
    short = sum(map(len, items)) < WIDTH // 2
    return POSTFIX, f"[{', '.join(items)}]" if short else f"[\n{f',{chr(10)}'.join(items)}]"


def _filled(items: Sequence[str]) -> str:
    """Join items by commas, in lines that are not too long."""
    lines, width = list[list[str]](), WIDTH
    for item in items:
        if width + len(item) > WIDTH - 20:
            lines.append([])
            width = 0
        lines[-1].append(item)
        width += len(item) + 2
    return ",\n".join(", ".join(line) for line in lines)


def _unary(expr: tree.Unary) -> tuple[int, str]:
    if expr.op == "not":
        return NOT, f"not {print_expression(expr.operand, NOT)}"
    return SIGN, f"{expr.op}{print_expression(expr.operand, SIGN)}"


def _binary(expr: tree.Binary) -> tuple[int, str]:
    own = LEVELS.get(expr.op, COMPARED)
    left, right = own, own + 1
    if own == COMPARED:
        left = SUM
    elif own == POWER:
        left, right = POSTFIX, SIGN
    sides = print_expression(expr.left, left), print_expression(expr.right, right)
    return own, f"{sides[0]} {expr.op} {sides[1]}"


def _call(expr: tree.Call) -> tuple[int, str]:
    text = print_expression(expr.function, POSTFIX)
    if expr.parentheses:
        text += f"({', '.join(map(_argument, expr.arguments))})"
    return POSTFIX, text + _named(expr.name)


def _argument(argument: tree.Argument) -> str:
    value = print_expression(argument.value)
    return value if argument.name is None else f"{argument.name.text}={value}"


def _subscript(expr: tree.Subscript) -> tuple[int, str]:
    indices = ", ".join(map(_index, expr.indices))
    return POSTFIX, f"{print_expression(expr.value, POSTFIX)}[{indices}]"


def _index(index: tree.Index) -> str:
    match index:
        case tree.Dots():
            return "..."
        case tree.NewAxis():
            return "_"
        case tree.Slice():
            bounds = [
                "" if one is None else print_expression(one) for one in (index.start, index.stop)
            ]
            step = "" if index.step is None else f":{print_expression(index.step)}"
            return ":".join(bounds) + step
    return print_expression(index)


def _member(expr: tree.Member) -> tuple[int, str]:
    holder = print_expression(expr.value, POSTFIX)
    blank = " " * (holder[-1:].isdigit() and expr.name.text.isdigit())  # `a.3 .4` is no number
    return POSTFIX, f"{holder}{blank}.{expr.name.text}"


_EXPRESSIONS: dict[type, Callable[[Any], tuple[int, str]]] = {
    tree.Name: lambda expr: (POSTFIX, expr.text),
    tree.Number: _number,
    tree.Text: lambda expr: (POSTFIX, quoted(expr.value)),
    tree.Truth: lambda expr: (POSTFIX, "true" if expr.value else "false"),
    tree.ListOf: _list,
    tree.Unary: _unary,
    tree.Binary: _binary,
    tree.Call: _call,
    tree.Subscript: _subscript,
    tree.Member: _member,
}

# ---- parts of statements ------------------------------------------------------------------------


def _names(names: Sequence[tree.Ident]) -> str:
    return ", ".join(name.text for name in names)


def _values(values: Sequence[tree.Expr]) -> str:
    return ", ".join(map(print_expression, values))


def _named(name: tree.Ident | None) -> str:
    return "" if name is None else f" as {name.text}"


def _type(type: tree.TypeOf | None) -> str:
    return "" if type is None else f": {_bare_type(type)}"


def _bare_type(type: tree.TypeOf) -> str:
    kind = "" if type.kind is None else type.kind.text
    if type.axes is None:
        return kind
    return f"{kind}[{', '.join(map(_index, type.axes))}]"


def _given(value: tree.Expr | None, by: str = "=") -> str:
    return "" if value is None else f" {by} {print_expression(value)}"


def _doc(doc: tree.Text | None) -> str:
    return "" if doc is None else f" {quoted(doc.value)}"


def _body(statements: Sequence[tree.Statement]) -> str:
    return "{\n" + "".join(f"{_statement(one)}\n" for one in statements) + "}"


def _family(family: tree.Family) -> str:
    last = "" if family.last is None else f"..{print_expression(family.last)}"
    first = print_expression(family.first)
    return f"{family.name.text}[{family.index.text} in {first}{last}]"


def _pipe(stages: Sequence[tree.Stage]) -> str:
    return " -> ".join(map(_stage, stages))


def _stage(stage: tree.Stage) -> str:
    match stage:
        case tree.Residual():
            return f"residual {{ {_pipe(stage.stages)} }}"
        case tree.RepeatStage():
            return f"repeat {_family(stage.family)} {{ {_pipe(stage.stages)} }}"
        case tree.Fork():
            return f"({', '.join(map(_pipe, stage.branches))})"
        case tree.NextStage():
            return f"next {stage.name.text}"
    return print_expression(stage)


def _ports(ports: Sequence[tree.Port]) -> str:
    return ", ".join(
        f"{port.name.text}{_type(port.type)}{_given(port.default)}{_doc(port.doc)}"
        for port in ports
    )


# ---- statements ---------------------------------------------------------------------------------


def _statement(statement: tree.Statement) -> str:
    return _STATEMENTS[type(statement)](statement)


def _note(one: tree.Doc) -> str:
    plain = one.text.replace("\\", "").replace('"""', "'''").rstrip('"')
    return f'"""{plain}"""'


def _from(one: tree.FromImport) -> str:
    names = (
        name.text if name.text == alias.text else f"{name.text}{_named(alias)}"
        for name, alias in one.names
    )
    return f"from {quoted(one.path.value)} import {', '.join(names)}"


def _dims(one: tree.DimDeclaration) -> str:
    dims = ", ".join(f"{name.text}{_given(value)}" for name, value in one.dims)
    return f"dim {dims}{_doc(one.doc)}"


def _param(one: tree.Param) -> str:
    head = f"param {_names(one.names)}{_type(one.type)}"
    return f"{head}{_given(one.initialiser, '~')}{_doc(one.doc)}"


def _chain(one: tree.Chain) -> str:
    targets = f" -> {_names(one.targets)}" if one.targets else ""
    return f"{_values(one.sources)} -> {_pipe(one.stages)}{targets}{_type(one.type)}{_doc(one.doc)}"


def _block(one: tree.Block) -> str:
    head = f"block {one.name.text}({_ports(one.ports)}) -> {_ports(one.results)}"
    return f"{head} {_body(one.body)}"


def _loop(word: str) -> Callable[[tree.Repeat | tree.Scan], str]:
    def print_loop(one: tree.Repeat | tree.Scan) -> str:
        starts = ", ".join(f"{c.name.text}{_given(c.start)}" for c in one.carries)
        carries = f" carry {starts}" if starts else ""
        return f"{word} {_family(one.family)}{carries} {_body(one.body)}"

    return print_loop


def _if(one: tree.If) -> str:
    orelse = f" else {_body(one.orelse)}" if one.orelse else ""
    return f"if {print_expression(one.condition)} {_body(one.body)}{orelse}"


def _derive(one: tree.Derive) -> str:
    paths = [".".join(path.words) + (".*" if path.star else "") for path in one.wrt]
    wrt = f" wrt {', '.join(paths)}" if paths else ""
    per = "" if one.per is None else f" per {one.per.text}"
    return f"derive {one.kind.text} {_names(one.outputs)}{wrt}{per}{_named(one.name)}"


_STATEMENTS: dict[type, Callable[[Any], str]] = {
    tree.Doc: _note,
    tree.Import: lambda one: f"import {quoted(one.path.value)}{_named(one.name)}",
    tree.FromImport: _from,
    tree.DimDeclaration: _dims,
    tree.Const: lambda one: (
        f"const {one.name.text}{_type(one.type)}{_given(one.value)}{_doc(one.doc)}"
    ),
    tree.Input: lambda one: f"input {_names(one.names)}{_type(one.type)}{_doc(one.doc)}",
    tree.Param: _param,
    tree.Output: lambda one: (
        f"output {_names(one.names)}{_type(one.type)}{_given(one.value)}{_doc(one.doc)}"
    ),
    tree.Instance: lambda one: f"instance {one.name.text}{_given(one.value)}{_doc(one.doc)}",
    tree.Require: lambda one: f"require {print_expression(one.condition)}{_doc(one.doc)}",
    tree.Equation: lambda one: (
        f"{_names(one.targets)}{_type(one.type)}{_given(one.value)}{_doc(one.doc)}"
    ),
    tree.Chain: _chain,
    tree.Next: lambda one: f"next {_names(one.names)} = {_values(one.values)}",
    tree.Collect: lambda one: f"collect {one.name.text}{_given(one.value)}",
    tree.Until: lambda one: f"until {print_expression(one.condition)}",
    tree.Rule: lambda one: f"rule {one.kind.text} {one.name.text}{_given(one.value)}",
    tree.Block: _block,
    tree.Repeat: _loop("repeat"),
    tree.Scan: _loop("scan"),
    tree.If: _if,
    tree.Derive: _derive,
}
