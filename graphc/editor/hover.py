"""What is told of the name at a place: its type, what computes it, and how its derivative comes."""

from __future__ import annotations

from functools import cache

from graphc.editor.analysis import Analysis
from graphc.editor.names import Symbol
from graphc.editor.navigation import standard_blocks
from graphc.elaborate.names.scope import BlockValue
from graphc.ir.dims import Dim
from graphc.ir.graph import Node
from graphc.ops import FUNCTIONS, Function
from graphc.source import Span
from graphc.syntax import tree
from graphc.syntax.format.canonical import one_line
from graphc.views.explain.document import Document, Heading
from graphc.views.explain.explained import Unknown, crowded, explained
from graphc.views.explain.plain import plain
from graphc.views.explain.telling import document
from graphc.views.explain.wanted import STEPS, Wanted
from graphc.views.reference.table import details, row

WIDTH = 80  # columns of what is told in formulas


def hover(analysis: Analysis, offset: int) -> tuple[Span, str] | None:
    """Return the name at a place and what is told of it, in Markdown."""
    named = analysis.names.at(offset)
    if named is not None:
        symbol, span = named
        if symbol.kind == "block":
            block = _block(analysis, symbol)
            return span, head_of(block) if block else f"```graph\nblock {symbol.name}\n```"
        return span, "\n\n".join(filter(None, _told(analysis, symbol)))
    for span, entry in analysis.entries.items():
        if span.source is analysis.source and span.start <= offset <= span.end:
            if isinstance(entry.value, Function):
                return span, operation(entry.value)
            if isinstance(entry.value, BlockValue):
                return span, head_of(entry.value.tree)
    return None


def _told(analysis: Analysis, symbol: Symbol) -> list[str]:
    """Tell of a value, a dim or a constant."""
    type_of = analysis.type_of(symbol)
    value = analysis.value(symbol)
    shown = f"{symbol.kind} {symbol.name}" + (f": {type_of}" if type_of else "")
    if (isinstance(value, int | float | str | tuple) and not type_of) or (
        isinstance(value, Dim) and symbol.kind != "index" and str(value) != symbol.name
    ):
        shown += f" = {value}"
    told = [f"```graph\n{shown}\n```"]
    doc = getattr(symbol.statement, "doc", None)
    if isinstance(doc, tree.Text):
        told.append(doc.value)
    if isinstance(value, Node) and not isinstance(symbol.statement, tree.Input | tree.Param):
        if symbol.statement is not None and not isinstance(symbol.statement, tree.Block):
            told.append(f"```graph\n{one_line(symbol.statement.span.text, 60)}\n```")
        made = _function(symbol.statement)
        if made is not None:
            told.append(f"`{made.signature}`: {made.doc}")
    if isinstance(value, Node) and analysis.sound:
        told.append(derivation(analysis, symbol.name))
    return told


def _function(statement: object) -> Function | None:
    """Return the operation that a statement ends in, where it is one call."""
    match statement:
        case tree.Equation(value=tree.Call(function=tree.Name(text=name))):
            return FUNCTIONS.get(name)
        case tree.Output(value=tree.Call(function=tree.Name(text=name))):
            return FUNCTIONS.get(name)
        case tree.Chain(stages=(*_, tree.Call(function=tree.Name(text=name)))):
            return FUNCTIONS.get(name)
    return None


def derivation(analysis: Analysis, name: str) -> str:
    """Tell the Jacobians of a value and the terms of its adjoint; "" where there are none."""
    if crowded(analysis.compilation):
        return ""
    try:
        found = explained(analysis.compilation, "denominator", node=name)
    except Unknown:
        return ""
    whole = document(found, Wanted(STEPS, "reverse", name))
    blocks = tuple(one for one in whole.blocks if not isinstance(one, Heading))
    told = plain(Document("", blocks), WIDTH).strip("\n")
    return f"```text\n{told}\n```" if told else ""


@cache
def operation(function: Function) -> str:
    """Tell of an operation: its signature, what it computes, and its pullback."""
    if function.name not in FUNCTIONS:  # a word of a rule, as `cotangent(y)`
        return f"```graph\n{function.signature}\n```\n\n{function.doc}"
    found = row(function)
    told = [f"```graph\n{found.signature}\n```", found.doc]
    code = details(function)
    if code.pullback:
        lines = "\n".join((*code.value, *code.pullback))
        told.append(f"`{code.sample.call}` and its derivative:\n\n```python\n{lines}\n```")
    return "\n\n".join(told)


def head_of(block: tree.Block) -> str:
    """Tell of a block: its ports and results, and its doc string."""
    head = Span(block.span.source, block.span.start, block.results[-1].span.end)
    told = [f"```graph\n{one_line(head.text)}\n```"]
    told += [one.text for one in block.body[:1] if isinstance(one, tree.Doc)]
    return "\n\n".join(told)


def _block(analysis: Analysis, symbol: Symbol) -> tree.Block | None:
    if isinstance(symbol.statement, tree.Block):
        return symbol.statement
    value = analysis.value(symbol)
    if isinstance(value, BlockValue):
        return value.tree
    return standard_blocks().get(symbol.name)
