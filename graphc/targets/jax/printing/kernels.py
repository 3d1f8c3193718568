"""Kernels in the words of JAX: where it has NumPy's, those of the NumPy target; else what is here.

An array is never written into: what is put somewhere gives a new array.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphc.ir.dims import Dim
from graphc.ir.graph import Node
from graphc.ir.items import extent, subscript
from graphc.ir.kernel import (
    Call,
    Elementwise,
    Kernel,
    Put,
    Reduce,
    Running,
    Take,
    View,
    functions,
)
from graphc.targets.jax.runtime.library import OWN
from graphc.targets.numpy.printing import kernels
from graphc.targets.numpy.printing.places import Args, Words, grid, named, nested
from graphc.targets.numpy.printing.written import ATOM, Fragment, show, with_spaces
from graphc.targets.numpy.verify import JAX_NUMPY

DTYPES = {"float": "FLOAT", "int": "int", "bool": "bool"}
"""How dtypes are said; JAX takes its own widest integers for `int`."""

FUNCTIONS = {
    **{
        name: f"jax.scipy.special.{called}"
        for name, called in (
            ("erf", "erf"), ("erfc", "erfc"), ("erfinv", "erfinv"), ("ndtr", "ndtr"),
            ("ndtri", "ndtri"), ("lgamma", "gammaln"), ("digamma", "digamma"),
            ("gammainc", "gammainc"), ("gammaincc", "gammaincc"), ("betainc", "betainc"),
        )
    },
    "expm": "jax.scipy.linalg.expm",
}  # fmt: skip
"""What JAX has that NumPy lacks, by the names that kernels have for it."""


def function(name: str) -> str:
    """Name a function in a module: one of JAX, or of the module itself."""
    return FUNCTIONS.get(name) or OWN.get(name) or f"jnp.{name}"


def _attribute(node: Node, name: str) -> str:
    if name == "shape":
        return with_spaces(node.shape)
    return DTYPES[node.type.dtype] if name == "dtype" else with_spaces(node.attrs[name])


def _marked(node: Node, name: str) -> str:
    return f"{{{node.type.dtype if name == 'dtype' else name}}}"


WRITTEN = Words(_attribute, with_spaces, function)
MEASURED = Words(_marked, show, function)
"""For the length of an expression, in which an attribute counts as long as its name."""


# ---- what is put somewhere -----------------------------------------------------------------------


def _put(kernel: Put, node: Node, args: Args, words: Words) -> Fragment:
    return Fragment(_PUTS[kernel.place](kernel, node, args, words))


def _nothing(node: Node, words: Words) -> str:
    return f"jnp.zeros({words.attribute(node, 'shape')}, {words.attribute(node, 'dtype')})"


def _put_items(kernel: Put, node: Node, args: Args, words: Words) -> str:
    chosen = subscript(node.attrs["items"], node.shape, words.value)
    return f"{_nothing(node, words)}.at[{chosen}].set({args[0].text})"


def _put_parts(kernel: Put, node: Node, args: Args, words: Words) -> str:
    parts = zip(node.attrs["items"], args, strict=True)
    added = (f".at[{subscript(one, node.shape, words.value)}].add({x.text})" for one, x in parts)
    return _nothing(node, words) + "".join(added)


def _put_axis(kernel: Put, node: Node, args: Args, words: Words) -> str:
    if kernel.onto:
        x, *indices, value = args
        axis = words.attribute(node, "axis")
        return f"_put({x.text}, {kernels.together(indices)}, {value.text}, {axis})"
    value, *indices = args
    return f"{_nothing(node, words)}.at[{named(node, indices)}].add({value.text})"


def _put_entries(kernel: Put, node: Node, args: Args, words: Words) -> str:
    if kernel.onto:
        x, rows, columns, value = args
        return f"{x.within(ATOM)}.at[{rows.text}, {columns.text}].add({value.text})"
    value, rows, columns = args
    return f"{_nothing(node, words)}.at[{rows.text}, {columns.text}].set({value.text})"


def _put_label(kernel: Put, node: Node, args: Args, words: Words) -> str:
    value, label = args
    if not node.args[1].rank:
        return f"{_nothing(node, words)}.at[{label.text}].set({value.text})"
    rows = f"{label.within(ATOM)}[..., None]"
    values = f"{value.within(ATOM)}[..., None]" if node.args[0].rank else value.text
    where = f"{_nothing(node, words)}, {rows}, {values}"
    return f"jnp.put_along_axis({where}, axis=-1, inplace=False)"


def _put_along(kernel: Put, node: Node, args: Args, words: Words) -> str:
    value, indices = args
    places = grid(node, indices.text, words)
    return f"{_nothing(node, words)}.at[{places}].add({value.text})"


def _put_diagonal(kernel: Put, node: Node, args: Args, words: Words) -> str:
    down, right = max(-node.attrs["offset"], 0), max(node.attrs["offset"], 0)
    count = f"jnp.arange({words.value(node.args[0].shape[-1])})"
    places = ", ".join(f"{count} + {by}" if by else count for by in (down, right))
    return f"{_nothing(node, words)}.at[..., {places}].set({args[0].text})"


def _put_letters(kernel: Put, node: Node, args: Args, words: Words) -> str:
    letters = f"{node.attrs['part']!r}, {node.attrs['whole']!r}"
    return f"_on_diagonals({args[0].text}, {letters}, {words.attribute(node, 'shape')})"


def _triangle(node: Node, words: Words) -> str:
    return f"(..., *jnp.triu_indices({words.attribute(node, 'n')}, 1)[::-1])"


def _put_triangle(kernel: Put, node: Node, args: Args, words: Words) -> str:
    return f"{_nothing(node, words)}.at[{_triangle(node, words)}].set({args[0].text})"


def _put_vector(kernel: Put, node: Node, args: Args, words: Words) -> str:
    value, index = args
    return f"{_nothing(node, words)}.at[{index.text}].add({value.text})"


def _put_windows(kernel: Put, node: Node, args: Args, words: Words) -> str:
    said = (words.attribute(node, one) for one in ("shape", "stride", "dilation"))
    return f"_overlap({', '.join([args[0].text, *said])})"


def _put_cells(kernel: Put, node: Node, args: Args, words: Words) -> str:
    """Write the cells in brackets, as they lie along the other axes; then the block axis."""
    block, dtype = node.attrs["block"], words.attribute(node, "dtype")
    if block is None:
        return f"jnp.array({nested(node, args)}, {dtype})"
    length = words.value(node.shape[block])
    cells = {
        place: cell.text if given.rank else f"jnp.full({length}, {cell.text}, {dtype})"
        for place, cell, given in zip(node.attrs["places"], args, node.args, strict=True)
    }
    small = [int(n.constant or 0) for axis, n in enumerate(node.shape) if axis != block]
    missing = f"jnp.zeros({length}, {dtype})"

    def row(place: tuple[int, ...]) -> str:
        if len(place) == len(small):
            return cells.get(place, missing)
        return f"[{', '.join(row((*place, i)) for i in range(small[len(place)]))}]"

    found = f"jnp.array({row(())}, {dtype})"
    if block == len(small):
        return found
    order = list(range(len(small)))
    order.insert(block, len(small))
    return f"{found}.transpose({', '.join(map(str, order))})"


_PUTS: Mapping[str, Callable[[Put, Node, Args, Words], str]] = {
    "items": _put_items,
    "parts": _put_parts,
    "axis": _put_axis,
    "entries": _put_entries,
    "label": _put_label,
    "along": _put_along,
    "diagonal": _put_diagonal,
    "letters": _put_letters,
    "triangle": _put_triangle,
    "vector": _put_vector,
    "windows": _put_windows,
    "cells": _put_cells,
}


# ---- the other kernels ---------------------------------------------------------------------------


def _windows(node: Node, x: str, words: Words) -> str:
    said = (words.attribute(node, one) for one in ("kernel", "stride", "dilation"))
    return f"_windows({', '.join([x, *said])})"


def _running(kernel: Running, node: Node, args: Args, words: Words) -> str:
    name = _RUNNING[kernel.name]
    return f"{name}({args[0].text}, {words.attribute(node, 'axis')})"


_RUNNING = {
    "add": "jnp.cumsum",
    "multiply": "jnp.cumprod",
    "maximum": "lax.cummax",
    "minimum": "lax.cummin",
    "logaddexp": "lax.cumlogsumexp",
}


def _at(name: str, worst: str) -> Callable[[Node, Args, Words], str]:
    """Take the largest, or smallest, of what indices name, else the worst that there is."""

    def text(node: Node, args: Args, words: Words) -> str:
        x, index = args
        whole = f"jnp.full({words.attribute(node, 'shape')}, {worst}, FLOAT)"
        return f"{whole}.at[{named(node, [index])}].{name}({x.text})"

    return text


def _of_lower(name: str, after: str = "") -> Callable[[Node, Args, Words], str]:
    """Call what takes a matrix for symmetric, and reads what is below its diagonal."""
    return lambda node, args, words: f"jnp.{name}({args[0].text}, symmetrize_input=False){after}"


_CALLS: Mapping[str, Callable[[Node, Args, Words], str]] = {
    "linalg.cholesky": _of_lower("linalg.cholesky"),
    "linalg.eigvalsh": _of_lower("linalg.eigvalsh"),
    "eigenvectors": _of_lower("linalg.eigh", "[1]"),
    "argsort": lambda node, args, words: (
        f"jnp.argsort({args[0].text}, {words.attribute(node, 'axis')})"
    ),
    "searchsorted": lambda node, args, words: (
        f"jnp.searchsorted({args[0].text}, {args[1].text}, side={words.attribute(node, 'side')})"
        ".astype(int)"
    ),
    "largest_at": _at("max", "-jnp.inf"),
    "smallest_at": _at("min", "jnp.inf"),
}
"""Calls that JAX says otherwise than NumPy."""


def _moving(node: Node, moves: Callable[[Dim], bool]) -> bool:
    """True if a slice begins where only the step of a loop says: its items cannot be said."""
    return any(kind == "slice" and moves(value[0]) for kind, value in node.attrs["items"])


def at_step(node: Node, args: Args, moves: Callable[[Dim], bool]) -> Fragment | None:
    """Write a part of an array that begins where the step of a scan says; None of another."""
    kernel = node.op.kernel
    if not isinstance(kernel, View | Take | Put) or kernel.place != "items":
        return None
    if not _moving(node, moves):
        return None
    extents = [extent(item) for item in node.attrs["items"]]
    starts = with_spaces(tuple(start for start, _, _ in extents))
    sizes = with_spaces(tuple(length for _, length, _ in extents))
    if isinstance(kernel, Put):
        whole, part = _nothing(node, WRITTEN), f"{args[0].within(ATOM)}.reshape({sizes})"
        return Fragment(f"lax.dynamic_update_slice({whole}, {part}, {starts})")
    found = f"lax.dynamic_slice({args[0].text}, {starts}, {sizes})"
    dropped = any(kind == "at" for kind, _ in node.attrs["items"])
    return Fragment(f"{found}.reshape({with_spaces(node.shape)})" if dropped else found)


_OTHERWISE = frozenset({"cast", "kept", "limit", "logdet", "orthonormal", "pinv", *_CALLS})
"""What is not said by calling a function of that name."""


def has_form(kernel: Kernel | None) -> bool:
    """True if every function that a kernel consists of can be said."""
    return functions(kernel) <= _OTHERWISE | FUNCTIONS.keys() | OWN.keys() | JAX_NUMPY


def write_kernel(node: Node, args: Args, words: Words) -> Fragment:
    """Write a node as an expression of its arguments."""
    match node.op.kernel:
        case Elementwise("kept"):
            x, mask = args
            return Fragment(f"jnp.where({mask.text}, {x.text}, 0)")
        case View("rows"):
            return args[0]
        case View("windows"):
            return Fragment(_windows(node, args[0].text, words))
        case Take("triangle"):
            return Fragment(f"{args[0].within(ATOM)}[{_triangle(node, words)}]")
        case Put() as kernel:
            return _put(kernel, node, args, words)
        case Running() as kernel:
            return Fragment(_running(kernel, node, args, words))
        case Reduce(name, "lowest"):
            said: Any = node.attrs["axis"]
            said = said if said is None or len(said) > 1 else said[0]
            keeps = ", keepdims=True" if node.attrs["keepdims"] else ""
            return Fragment(f"jnp.{name}({args[0].text}, axis={said}{keeps}, initial=-LARGEST)")
        case Call(name) if name in _CALLS:
            return Fragment(_CALLS[name](node, args, words))
    found = kernels.write_kernel(node, args, words)
    assert found is not None, "what takes statements in NumPy is above"
    return found
