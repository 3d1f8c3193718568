"""How a node is computed into an array that is there already: its template with a place for it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from graphc.ir.graph import Node, Op
from graphc.ops.define.families import CAST, CAST_INT
from graphc.ops.elementwise.arithmetic import accumulate, where
from graphc.ops.fused import entries_added, kept
from graphc.ops.linear.products import matmul
from graphc.ops.reduce.reduction import sum_
from graphc.ops.shape.shaping import concatenate, full_array, in_rows, reshape
from graphc.plan.naming import template

EVERY = frozenset(range(64))
NONE: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Kernel:
    """A template that writes into `{out}`; in place of which arguments it may do so.

    `over` is what is left to do where `{out}` is that argument already, by whose name it goes on.
    """

    template: str
    in_place: frozenset[int] = NONE
    over: str = ""


UFUNCS = {
    "{0} + {1}": "add", "{0} - {1}": "subtract", "{0} * {1}": "multiply", "{0} / {1}": "divide",
    "{0} ** {1}": "power", "{0} // {1}": "floor_divide", "{0} % {1}": "remainder",
    "{0} == {1}": "equal", "{0} != {1}": "not_equal", "{0} < {1}": "less",
    "{0} <= {1}": "less_equal", "{0} > {1}": "greater", "{0} >= {1}": "greater_equal",
    "{0} & {1}": "logical_and", "{0} | {1}": "logical_or", "~{0}": "logical_not",
    "-{0}": "negative",
}  # fmt: skip
"""What NumPy's operators compute."""

REDUCTIONS = {"np.sum": "add", "np.max": "maximum", "np.min": "minimum"}
"""Reductions whose ufunc is called without the wrapper of its Python function."""

_OPERAND = r"(?:\{\d+\}|-?\d+(?:\.\d+)?)"
_CALL = re.compile(rf"np\.(\w+)\(({_OPERAND}(?:, {_OPERAND})*)\)")
_REDUCTION = re.compile(
    r"(np\.\w+)\(\{0\}(?:, axis=(?P<axis>\d+|-\d+|\([^)]*\)))?(?P<kept>, keepdims=True)?"
    r"(?P<initial>, initial=[^,)]+)?\)"
)
_REDUCED = re.compile(r"(np\.\w+\.reduce\(.*)\)")
_ZEROS = re.compile(r"\{out\} = np\.zeros\(\{shape\}, \{\w+\}\)\n")


def kernel(node: Node, dense: bool = True) -> Kernel | None:
    """How a node is computed into an array; None where NumPy always makes a new one.

    `np.dot` takes only arrays that lie row by row.
    """
    if not node.rank or node.static or (node.op.view_of is not None and node.op is not in_rows):
        return None
    if node.op is matmul and not dense:
        return Kernel("np.matmul({0}, {1}, {out})")
    special = _SPECIAL.get(node.op)
    if special is not None:
        return special(node)
    text = template(node)
    if text in UFUNCS:
        operands = ", ".join(re.findall(r"\{\d\}", text))
        return Kernel(f"np.{UFUNCS[text]}({operands}, {{out}})", EVERY)
    call = _CALL.fullmatch(text)
    if call is not None and isinstance(getattr(np, call[1], None), np.ufunc):
        by_name = "out=" if call[1] in ("maximum", "minimum") else ""  # NumPy wants it there
        return Kernel(f"np.{call[1]}({call[2]}, {by_name}{{out}})", EVERY)
    zeros = _ZEROS.match(text)
    if zeros is not None:
        return Kernel("{out}.fill(0)\n" + text[zeros.end() :])
    return reduction(node)


def reduction(node: Node) -> Kernel | None:
    """A reduction as its ufunc computes it, which is what NumPy's function calls in the end."""
    reduced = _REDUCED.fullmatch(template(node))
    if reduced is not None and node.rank:
        return Kernel(f"{reduced[1]}, out={{out}})")
    found = _REDUCTION.fullmatch(template(node))
    if found is None or found[1] not in REDUCTIONS:
        return None
    axis, kept, initial = found["axis"] or "None", found["kept"] or "", found["initial"] or ""
    out = ", out={out}" if node.rank else ""
    return Kernel(f"np.{REDUCTIONS[found[1]]}.reduce({{0}}, {axis}{out}{kept}{initial})")


def _matmul(node: Node) -> Kernel:
    plain = all(arg.rank <= 2 for arg in node.args)
    return Kernel(f"np.{'dot' if plain else 'matmul'}({{0}}, {{1}}, {{out}})")


def _accumulate(node: Node) -> Kernel:
    """Terms are added one after the other: those after the second must not be overwritten."""
    if len(node.args) == 1:
        return Kernel("np.copyto({out}, {0})")
    first, *more = ["np.add({0}, {1}, {out})"] + [
        f"np.add({{out}}, {{{slot}}}, {{out}})" for slot in range(2, len(node.args))
    ]
    return Kernel("\n".join([first, *more]), frozenset({0, 1}))


def _concatenate(node: Node) -> Kernel:
    parts = ", ".join(f"{{{slot}}}" for slot in range(len(node.args)))
    return Kernel(f"np.concatenate(({parts},), {{axis}}, {{out}})")


def _copied(node: Node) -> Kernel:
    return Kernel("np.copyto({out}, {0})")


_ADDED = "{out}[{1}, {2}] += {3}"
_SPECIAL: dict[Op, Callable[[Node], Kernel | None]] = {
    accumulate: _accumulate,
    concatenate: _concatenate,
    CAST: _copied,
    CAST_INT: _copied,
    full_array: lambda node: Kernel("{out}.fill({value})"),
    in_rows: _copied,
    matmul: _matmul,
    reshape: lambda node: None,
    entries_added: lambda node: Kernel(
        f"np.copyto({{out}}, {{0}})\n{_ADDED}", frozenset({0}), f"{{out}} = {{0}}\n{_ADDED}"
    ),
    kept: lambda node: Kernel("np.multiply({0}.view(BITS), {1}, {out}.view(BITS))", frozenset({0})),
    sum_: reduction,
    where: lambda node: None,
}
