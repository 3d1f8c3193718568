"""The emitted text, parsed again: only syntax, names and calls that graphc itself writes pass."""

from __future__ import annotations

import ast
import contextvars
import math
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from functools import lru_cache
from typing import Any

from graphc.plan.buffers.ufuncs import UFUNCS
from graphc.records import dataclass

IMPORTS = {
    "dataclasses": {"dataclass", "field"},
    "jax": {"jax", "lax"},
    "jax.numpy": {"jnp"},
    "jax.scipy": {"jax.scipy"},
    "jax.experimental": {"sparse"},
    "jax.sharding": {"NamedSharding", "PartitionSpec"},
    "__future__": {"annotations"},
    "collections.abc": {"Callable", "Iterable", "Mapping", "Sequence"},
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
IMPORTED = {name for names in IMPORTS.values() for name in names}
READ = {
    contextvars: {"copy_context"},
    os: {"cpu_count", "environ"},
    threading: {"Thread"},
    time: {"perf_counter"},
}
UNREAD = {module.__name__: {*dir(module)} - names for module, names in READ.items()}
"""What of these modules is not for graphc; a variable of their name has other attributes."""
NUMPY = frozenset(
    {"all", "any", "arange", "argmax", "argmin", "argsort", "argwhere", "array", "asarray",
     "ascontiguousarray", "bincount", "bool_", "broadcast_shapes", "broadcast_to", "clip",
     "concatenate", "copyto", "count_nonzero", "cross", "cumprod", "cumsum", "diag", "diagonal",
     "dot", "dtype", "einsum",
     "empty", "empty_like", "errstate", "expand_dims", "eye", "finfo", "flatnonzero", "float32",
     "float64", "floating", "full", "full_like", "iinfo", "inf", "int32", "int64", "integer",
     "intp", "isclose", "lib.array_utils.byte_bounds", "lib.stride_tricks.sliding_window_view",
     "linalg.cholesky", "linalg.det", "linalg.eigh", "linalg.eigvalsh", "linalg.inv", "linalg.norm",
     "linalg.pinv", "linalg.qr", "linalg.slogdet", "linalg.solve", "linalg.svd", "linalg.svdvals",
     "linspace", "max", "mean", "median", "min", "moveaxis", "nan", "ndarray", "ndim", "ndindex",
     "newaxis", "nonzero", "ones", "ones_like", "outer", "pi", "prod", "put_along_axis",
     "random.Generator", "random.default_rng", "ravel", "repeat", "require", "reshape",
     "result_type", "roll", "round", "s_", "searchsorted", "shape", "shares_memory", "size", "sort",
     "split", "squeeze", "stack", "std", "sum", "swapaxes", "take", "take_along_axis", "tensordot",
     "tile", "trace", "tri", "tril", "triu", "uint64", "unique", "var", "vdot", "where", "zeros",
     "zeros_like"}
)  # fmt: skip
"""What of NumPy is written, beside its ufuncs: nothing that opens, compiles or evaluates."""
JAX_NUMPY = (UFUNCS | NUMPY | {"broadcast_arrays", "triu_indices"}) - {"ndarray", "require"}
LAX = frozenset(
    {"associative_scan", "cond", "cumlogsumexp", "cummax", "cummin", "dynamic_slice",
     "dynamic_update_slice", "fori_loop", "scan", "with_sharding_constraint"}
)  # fmt: skip
JAX = frozenset(
    {"Array", "eval_shape", "jit", "jvp", "scipy.linalg.expm", "tree.map", "tree_util.keystr",
     "tree_util.register_dataclass", "tree_util.tree_map_with_path",
     *(f"scipy.special.{name}" for name in
       ("betainc", "digamma", "erf", "erfc", "erfinv", "gammainc", "gammaincc", "gammaln", "ndtr",
        "ndtri"))}
)  # fmt: skip
OF_UFUNCS = frozenset({"accumulate", "at", "outer", "reduce"})
LIBRARIES = {"np": NUMPY, "jnp": JAX_NUMPY, "lax": LAX, "jax": JAX}
"""What is written of libraries, by the names that they are imported under."""
METHODS = frozenset(
    {"BCOO", "BCSR", "Thread", "add", "all", "any", "append", "argmax", "argmin", "argsort",
     "astype", "bit_length", "clip", "copy", "copy_context", "cpu_count", "csr_array", "cumprod",
     "cumsum",
     "dot", "encode", "extend", "fill", "get", "index", "isdigit", "item", "items", "join",
     "keys", "max", "mean", "min", "nonzero", "normal", "partition", "perf_counter", "pop", "prod",
     "ravel", "repeat", "reshape", "round", "set", "setdefault", "sort", "split", "squeeze",
     "start", "sum", "swapaxes", "take", "toarray", "tolist", "transpose", "type", "uniform",
     "update",
     "values", "view"}
)  # fmt: skip
"""What is called of arrays, of collections, and of the modules beside NumPy."""
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
_LEAVES = {"ctx", "op", "ops", "id", "attr", "arg", "name", "names", "kind", "type_comment"}
"""Fields that hold words, or operators and contexts, all of which may be written."""
ALLOWED = {
    kind: tuple(field for field in kind._fields if field not in _LEAVES)
    for one in STATEMENTS + EXPRESSIONS
    for kind in (one, *one.__subclasses__())
}
"""What may be written, with the fields of it that hold more."""


class Refused(AssertionError):
    """The emitter wrote something that it must not: a bug of graphc."""


@dataclass(frozen=True, slots=True)
class Names:
    """The names that a text defines, and those that it reads, each with a line."""

    defined: Set[str]
    read: Mapping[str, int]


def examine(text: str) -> Names:
    """Collect the names of statements; raises Refused for any kind that graphc does not write.

    A `.graph` file reaches the text as checked names and as literals only; this would notice
    if anything else did. Of short texts the answers are kept: other levels, precisions and
    modules have the same functions.
    """
    return _examined(text) if len(text) < SHORT else _examined.__wrapped__(text)


SHORT = 5_000
"""Letters of a text whose names are kept."""


@lru_cache(1024)
def _examined(text: str) -> Names:
    defined: set[str] = set()
    read: dict[str, int] = {}
    for tree in _trees(text):
        _examine(tree, defined, read)
    return Names(defined, read)


_WHOLE = 1000
"""Lines that are parsed together: the tree of a text takes twenty times its memory."""
_BEGINS = re.compile(r"    [A-Za-z_]\w* = ")
"""What a statement of a function, and no line of another, begins with; a doc string may."""


def _trees(text: str) -> Iterator[ast.AST]:
    """Parse a text; the body of a long function in pieces, each of them of whole statements.

    A piece that parses ends outside of any string and bracket, so that all pieces together mean
    what the text does.
    """
    lines = text.split("\n")
    places = (
        [i for i, line in enumerate(lines) if _BEGINS.match(line)] if len(lines) > _WHOLE else []
    )
    start, opening = 0, ""
    for place in [*places[:: _WHOLE // 4], len(lines)]:
        try:
            yield ast.parse(opening + "\n".join(lines[start:place]))
        except SyntaxError:  # within a doc string
            if place == len(lines):
                raise
            continue
        start, opening = place, "\n" * (place - 1) + "if True:\n"


def _examine(tree: ast.AST, defined: set[str], read: dict[str, int]) -> None:
    """Add the names that a tree defines and reads."""
    pending = [tree]
    while pending:
        node = pending.pop()
        kind = type(node)
        fields = ALLOWED.get(kind)
        if fields is None:
            raise Refused(f"line {getattr(node, 'lineno', 0)}: {kind.__name__}")
        if isinstance(node, ast.Name):  # most nodes are
            if node.id in LIBRARIES:
                raise Refused(f"line {node.lineno}: a library as a value: {node.id}")
            if isinstance(node.ctx, ast.Store):
                defined.add(node.id)
            else:
                read.setdefault(node.id, node.lineno)
            continue
        if kind in _CHECKS:
            _CHECKS[kind](node)
        elif kind in _DEFINING and (name := getattr(node, _DEFINING[kind])):
            defined.add(name)
        if isinstance(node, ast.Attribute) and _of_library(node)[1]:
            continue
        for field in fields:
            value = getattr(node, field)
            if value.__class__ is list:
                pending += [item for item in value if isinstance(item, ast.AST)]
            elif isinstance(value, ast.AST):
                pending.append(value)


_DEFINING: Mapping[type[ast.AST], str] = {
    ast.arg: "arg", ast.FunctionDef: "name", ast.ClassDef: "name", ast.ExceptHandler: "name",
}  # fmt: skip
"""What defines a name, and the field that has it."""


def verify(text: str) -> None:
    """Raise Refused where a module is not of the kind that graphc writes."""
    refuse_unknown([examine(text)])


def refuse_unknown(parts: Iterable[Names]) -> None:
    """Raise Refused where a name is read that no part of a module defines."""
    parts = list(parts)
    known = (IMPORTED | BUILTINS).union(*(part.defined for part in parts))
    for part in parts:
        for name, line in part.read.items():
            if name not in known:
                raise Refused(f"line {line}: unknown name {name}")


def _of_library(node: ast.Attribute) -> tuple[str, str]:
    """`np`, `linalg.solve` for `np.linalg.solve`; "" and "" for what is no attribute of one."""
    names: list[str] = []
    of: ast.expr = node
    while isinstance(of, ast.Attribute):
        names.append(of.attr)
        of = of.value
    if isinstance(of, ast.Name) and of.id in LIBRARIES:
        return of.id, ".".join(reversed(names))
    return "", ""


def _check_attribute(node: ast.Attribute) -> None:
    library, name = _of_library(node)
    if name:
        ufunc, _, more = name.partition(".")
        known = library == "np" and ufunc in UFUNCS and (not more or more in OF_UFUNCS)
        refused = not known and name not in LIBRARIES[library]
    else:
        of = node.value.id if isinstance(node.value, ast.Name) else ""
        refused = node.attr.startswith("_") or node.attr in UNREAD.get(of, ())
    if refused:
        raise Refused(f"line {node.lineno}: attribute {name or node.attr}")


def _check_call(node: ast.Call) -> None:
    """Functions are called by name, and of attributes those that graphc writes."""
    called = node.func
    if isinstance(called, ast.Attribute):
        if not _of_library(called)[1] and called.attr not in METHODS:
            raise Refused(f"line {node.lineno}: call of {called.attr}")
    elif not isinstance(called, ast.Name):
        raise Refused(f"line {node.lineno}: call of what has no name")
    elif called.id == "getattr" and not _is_field(*node.args[:2]):
        raise Refused(f"line {node.lineno}: getattr of a name that is not known")


def _is_field(of: ast.expr, name: ast.expr) -> bool:
    """True for a field of a record by name, or the one function that not every system has."""
    module = isinstance(of, ast.Name) and of.id in IMPORTED
    if isinstance(name, ast.Constant):
        return module and name.value == "sched_getaffinity"
    return not module


def _check_import(node: ast.Import | ast.ImportFrom) -> None:
    for alias in node.names:
        module = node.module if isinstance(node, ast.ImportFrom) else alias.name
        name = alias.asname or alias.name
        renamed = module == "math" and name != f"math_{alias.name}"
        if renamed or name not in IMPORTS.get(module or "", ()):
            raise Refused(f"line {node.lineno}: import of {alias.name}")


_CHECKS: Mapping[type[ast.AST], Callable[[Any], None]] = {
    ast.Attribute: _check_attribute, ast.Call: _check_call,
    ast.Import: _check_import, ast.ImportFrom: _check_import,
}  # fmt: skip
