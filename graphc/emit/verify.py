"""The emitted text, parsed again: only syntax, names and calls that graphc itself writes pass."""

from __future__ import annotations

import ast
import contextvars
import math
import os
import threading
import time

IMPORTS = {
    "__future__": {"annotations"},
    "collections.abc": {"Callable", "Iterable", "Mapping"},
    "struct": {"Struct"},
    "typing": {"Any", "NamedTuple"},
    "math": {f"math_{name}" for name in dir(math)},  # each under this name
    "numpy": {"np"},
    "numpy.typing": {"npt"},
    "scipy": {"sparse"},
    "contextvars": {"contextvars"},
    "os": {"os"},
    "threading": {"threading"},
    "time": {"time"},
}
READ = {
    contextvars: {"copy_context"},
    os: {"cpu_count", "environ"},
    threading: {"Thread"},
    time: {"perf_counter"},
}
UNREAD = {module.__name__: {*dir(module)} - names for module, names in READ.items()}
"""What of these modules is not for graphc; a variable of their name has other attributes."""
BUILTINS = frozenset(
    {"abs", "all", "any", "bool", "dict", "divmod", "enumerate", "float", "getattr", "id", "int",
     "isinstance", "iter", "len", "list", "max", "min", "next", "property", "range", "reversed",
     "round", "set", "sorted", "str", "sum", "tuple", "type", "zip", "ArithmeticError",
     "BaseException", "FloatingPointError", "IndexError", "KeyError", "RuntimeError", "TypeError",
     "ValueError"}
)  # fmt: skip
STATEMENTS = (
    ast.Module, ast.Import, ast.ImportFrom, ast.alias, ast.FunctionDef, ast.ClassDef, ast.arguments,
    ast.arg, ast.Return, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Delete, ast.Expr, ast.If,
    ast.For, ast.While, ast.Raise, ast.Break, ast.Continue, ast.Pass, ast.Try, ast.ExceptHandler,
)  # fmt: skip
EXPRESSIONS = (
    ast.Name, ast.Constant, ast.Attribute, ast.Subscript, ast.Slice, ast.Tuple, ast.List, ast.Dict,
    ast.Call, ast.keyword, ast.Starred, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp,
    ast.Lambda, ast.ListComp, ast.DictComp, ast.GeneratorExp, ast.comprehension, ast.JoinedStr,
    ast.FormattedValue, ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.expr_context,
)  # fmt: skip
ALLOWED = frozenset(
    kind for one in STATEMENTS + EXPRESSIONS for kind in (one, *one.__subclasses__())
)


class Refused(AssertionError):
    """The emitter wrote something that it must not: a bug of graphc."""


def verify(text: str) -> None:
    """Raise Refused where the text is not of the kind that graphc writes.

    A `.graph` file reaches the text as checked names and as literals only; this would notice
    if anything else did.
    """
    known = {name for names in IMPORTS.values() for name in names} | BUILTINS
    read: dict[str, int] = {}  # the names that are read, each with a line
    pending: list[ast.AST] = [ast.parse(text)]
    while pending:
        node = pending.pop()
        kind = type(node)
        if kind not in ALLOWED:
            raise Refused(f"line {getattr(node, 'lineno', 0)}: {kind.__name__}")
        if isinstance(node, ast.Name):  # most nodes are
            if isinstance(node.ctx, ast.Store):
                known.add(node.id)
            else:
                read.setdefault(node.id, node.lineno)
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            _check_import(node)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef | ast.ExceptHandler) and node.name:
            known.add(node.name)
        elif isinstance(node, ast.arg):
            known.add(node.arg)
        elif isinstance(node, ast.Attribute):
            of = node.value.id if isinstance(node.value, ast.Name) else ""
            if node.attr.startswith("_") or node.attr in UNREAD.get(of, ()):
                raise Refused(f"line {node.lineno}: attribute {node.attr}")
        for field in node._fields:
            value = getattr(node, field)
            if isinstance(value, list):
                pending += [item for item in value if isinstance(item, ast.AST)]
            elif isinstance(value, ast.AST):
                pending.append(value)
    for name, line in read.items():
        if name not in known:
            raise Refused(f"line {line}: unknown name {name}")


def _check_import(node: ast.Import | ast.ImportFrom) -> None:
    for alias in node.names:
        module = node.module if isinstance(node, ast.ImportFrom) else alias.name
        name = alias.asname if isinstance(node, ast.Import) and alias.asname else alias.name
        if module == "math" and alias.asname == f"math_{name}":
            name = alias.asname
        if name not in IMPORTS.get(module or "", ()):
            raise Refused(f"line {node.lineno}: import of {alias.name}")
