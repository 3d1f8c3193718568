"""Where elements are, in NumPy: views of a place, what is taken from it, and what is put there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from graphc.ir.dims import Dim
from graphc.ir.graph import Node
from graphc.ir.items import subscript
from graphc.ir.kernel import Place, Put
from graphc.ops.shape.assemble import is_complete
from graphc.plan.program import Storage
from graphc.targets.numpy.printing.written import ATOM, DTYPES, Fragment, show, with_spaces
from graphc.targets.numpy.runtime.lacking import HELPERS


class Words(NamedTuple):
    """How the attributes of a node are said, values such as sizes, and functions by the names that
    kernels have for them."""

    attribute: Callable[[Node, str], str]
    value: Callable[[Any], str]
    function: Callable[[str], str]


def _attribute(node: Node, name: str) -> str:
    if name == "shape":
        return with_spaces(node.shape)
    return DTYPES[node.type.dtype] if name == "dtype" else with_spaces(node.attrs[name])


def _marked(node: Node, name: str) -> str:
    return f"{{{node.type.dtype if name == 'dtype' else name}}}"


def _function(name: str) -> str:
    """Name a function in a module: one of NumPy, or of the module itself."""
    return HELPERS[name].__name__ if name in HELPERS else f"np.{name}"


WRITTEN = Words(_attribute, with_spaces, _function)
MEASURED = Words(_marked, show, _function)
"""For the length of an expression, in which an attribute counts as long as its name."""

Args = Sequence[Fragment]


# ---- views, and what is taken --------------------------------------------------------------------


def _permuted(node: Node, x: str, words: Words) -> str:
    axes = node.attrs["axes"]
    if axes == tuple(reversed(range(node.rank))):
        return f"{x}.T"
    return f"{x}.transpose({', '.join(map(str, axes))})"


def _expanded(node: Node, x: str, words: Words) -> str:
    if not node.args[0].rank:  # NumPy's types have no index of a scalar
        return f"{words.function('array')}({x}, ndmin={node.rank})"
    axes = node.attrs["axes"]
    return f"{x}[{', '.join('None' if i in axes else ':' for i in range(node.rank))}]"


def _windows(node: Node, x: str, words: Words) -> str:
    kernel, stride, dilation = (node.attrs[name] for name in ("kernel", "stride", "dilation"))
    axes = tuple(-axis for axis in range(len(kernel), 0, -1))
    reaches = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
    call = f"np.lib.stride_tricks.sliding_window_view({x}, {words.value(reaches)}, {show(axes)})"
    steps = [*stride, *dilation]
    while steps and steps[-1] == Dim.of(1):
        steps.pop()
    if not steps:
        return call
    steps += [Dim.of(1)] * (2 * len(kernel) - len(steps))
    parts = (":" if n == Dim.of(1) else f"::{words.value(n)}" for n in steps)
    return f"{call}[..., {', '.join(parts)}]"


def _letters(node: Node, x: str, words: Words) -> str:
    letters = f"{node.attrs['whole']}->{node.attrs['part']}"
    return f"{words.function('einsum')}('{letters}', {x})"


def _triangle(node: Node, x: str, words: Words) -> str:
    rows = f"np.tri({words.attribute(node, 'n')}, k=-1, dtype=np.bool_)"
    return f"{x}.swapaxes(-2, -1)[..., {rows}.T]"


_VIEWS: Mapping[Place, Callable[[Node, str, Words], str]] = {
    "rows": lambda node, x, words: f"np.ascontiguousarray({x})",
    "permuted": _permuted,
    "expanded": _expanded,
    "reshaped": lambda node, x, words: f"{x}.reshape({words.attribute(node, 'shape')})",
    "repeated": lambda node, x, words: (
        f"{words.function('broadcast_to')}({x}, {words.attribute(node, 'shape')})"
    ),
    "items": lambda node, x, words: (
        f"{x}[{subscript(node.attrs['items'], node.args[0].shape, words.value)}]"
    ),
    "first": lambda node, x, words: f"{x}[:{words.attribute(node, 'count')}]",
    "diagonal": lambda node, x, words: (
        f"{words.function('diagonal')}({x}, {words.attribute(node, 'offset')}, -2, -1)"
    ),
    "letters": _letters,
    "windows": _windows,
    "triangle": _triangle,
}
CALLED = frozenset({"rows", "repeated", "diagonal", "letters", "windows"})
"""Views that are calls, whose argument needs no parentheses."""


def viewed(place: Place, node: Node, args: Args, words: Words) -> Fragment:
    """Write the elements at a place of the first argument."""
    if place == "same":
        return args[0]
    called = place in CALLED or (place == "expanded" and not node.args[0].rank)
    return Fragment(_VIEWS[place](node, args[0].text if called else args[0].within(ATOM), words))


def taken(place: Place, node: Node, args: Args, words: Words) -> Fragment:
    """Write the elements at a place of the first argument, as an array of their own."""
    x, *indices = args
    whole, first = x.within(ATOM), indices[0].text if indices else ""
    if place == "entries":
        return Fragment(f"{whole}[{first}, {indices[1].text}]")
    if place == "vector":
        return Fragment(f"{whole}.take({first})")
    if place == "along":
        along = words.function("take_along_axis")
        return Fragment(f"{along}({x.text}, {first}, {words.attribute(node, 'axis')})")
    if place == "label":
        if not node.rank:
            return Fragment(f"{whole}[{first}]")
        rows = f"{indices[0].within(ATOM)}[..., None]"
        return Fragment(f"{words.function('take_along_axis')}({x.text}, {rows}, axis=-1)[..., 0]")
    if place == "axis":
        if len(indices) == 1 and not node.args[1].rank:
            axis = words.attribute(node, "axis")
            return Fragment(f"{words.function('take')}({x.text}, {first}, {axis})")
        return Fragment(f"{whole}[{named(node, indices)}]")
    return viewed(place, node, args, words)


def named(node: Node, indices: Args) -> str:
    """Write the subscript that takes axes from `axis` on by an index array for each of them."""
    whole = [":"] * node.attrs["axis"]
    return ", ".join([*whole, *(one.text for one in indices)])


def name_storage(place: Storage) -> str:
    """Name an array, or a part of it, as statements do."""
    if not place.items:
        return place.array
    return f"{place.array}[{subscript(place.items, place.shape)}]"


# ---- what is put there ---------------------------------------------------------------------------


def put(kernel: Put, node: Node, args: Args, words: Words) -> Fragment | None:
    """Values at a place of an array as an expression; None where it takes statements."""

    def called(name: str, *attributes: str) -> Fragment:
        said = (words.attribute(node, one) for one in attributes)
        return Fragment(f"{name}({', '.join([*(arg.text for arg in args), *said])})")

    if kernel.place == "axis" and kernel.add:
        x, *indices = args
        every = ", ".join(one.text for one in indices)
        named = f"({every})" if len(indices) > 1 else every
        axis, shape = words.attribute(node, "axis"), words.attribute(node, "shape")
        return Fragment(f"_scatter({x.text}, {named}, {axis}, {shape})")
    if kernel.place == "windows":
        return called("_overlap", "shape", "stride", "dilation")
    if kernel.place == "vector":
        x, index = args
        size, dtype = words.attribute(node, "size"), words.attribute(node, "dtype")
        binned = f"np.bincount({index.text}, {x.text}, {size})"
        return Fragment(f"{binned}.astype({dtype}, copy=False)")
    if kernel.place == "cells" and node.attrs["block"] is None:
        return Fragment(f"np.array({nested(node, args)}, {words.attribute(node, 'dtype')})")
    return None


def filled(kernel: Put, node: Node, args: Args, out: str) -> list[str]:
    """Write the statements that make an array under a name, and put values into it."""
    if kernel.place == "diagonal":
        return _diagonal_filled(node, args, out)
    if kernel.place == "cells":
        return _cells_filled(node, args, out)
    dtype = DTYPES[node.type.dtype]
    start = f"{args[0].within(ATOM)}.copy()" if kernel.onto else ""
    start = start or f"np.zeros({with_spaces(node.shape)}, {dtype})"
    return [f"{out} = {start}", *written_into(kernel, node, args, out)]


def written_into(kernel: Put, node: Node, args: Args, out: str) -> list[str]:
    """Write the statements that put values into an array that is there."""
    value, *indices = (args[-1], *args[1:-1]) if kernel.onto else args
    first = indices[0].text if indices else ""
    becomes = "+=" if kernel.add else "="
    if kernel.place == "items":
        return [f"{out}[{subscript(node.attrs['items'], node.shape, with_spaces)}] = {value.text}"]
    if kernel.place == "parts":
        parts = zip(node.attrs["items"], args, strict=True)
        return [f"{out}[{subscript(one, node.shape, with_spaces)}] += {x.text}" for one, x in parts]
    if kernel.place == "letters":
        return [f"{_letters(node, out, WRITTEN)}[...] = {value.text}"]
    if kernel.place == "triangle":
        return [f"{_triangle(node, out, WRITTEN)} = {value.text}"]
    if kernel.place == "axis":
        return [f"{out}[{named(node, indices)}] {becomes} {value.text}"]
    if kernel.place == "entries":
        return [f"{out}[{first}, {indices[1].text}] {becomes} {value.text}"]
    if kernel.place == "label":
        if not node.args[1].rank:
            return [f"{out}[{first}] = {value.text}"]
        rows = f"{indices[0].within(ATOM)}[..., None]"
        stretched = not node.args[0].rank
        values = value.text if stretched else f"{value.within(ATOM)}[..., None]"
        return [f"np.put_along_axis({out}, {rows}, {values}, axis=-1)"]
    assert kernel.place == "along", kernel
    if node.attrs[kernel.unless]:
        return [f"np.put_along_axis({out}, {first}, {value.text}, {node.attrs['axis']})"]
    return [f"np.add.at({out}, ({grid(node, first, WRITTEN)}), {value.text})"]


def grid(node: Node, indices: str, words: Words) -> str:
    """Write the index of each element that indices name along an axis of the node."""
    places = []
    for i, n in enumerate(node.shape):
        axes = ", ".join(":" if j == i else "None" for j in range(node.rank))
        places.append(
            indices
            if i == node.attrs["axis"]
            else f"{words.function('arange')}({words.value(n)})[{axes}]"
        )
    return ", ".join(places) + ("," if len(places) == 1 else "")


def _diagonal_filled(node: Node, args: Args, out: str) -> list[str]:
    """Fill every (columns + 1)-th element of the rows laid end to end."""
    rows, columns = node.shape[-2:]
    offset = node.attrs["offset"]
    first = Dim.of(offset) if offset >= 0 else -offset * columns
    flat = with_spaces((*node.shape[:-2], rows * columns))
    length = with_spaces(node.args[0].shape[-1])
    places = f"{with_spaces(first)}::{with_spaces(columns + 1)}"
    return [
        f"{out} = np.zeros({flat}, {DTYPES[node.type.dtype]})",
        f"{out}[..., {places}][..., :{length}] = {args[0].text}",
        f"{out} = {out}.reshape({with_spaces(node.shape)})",
    ]


def _cells_filled(node: Node, args: Args, out: str) -> list[str]:
    """Fill the vectors one after the other in memory, wherever the block axis is.

    Places that are not named are zeros.
    """
    block = node.attrs["block"]
    small = tuple(n for axis, n in enumerate(node.shape) if axis != block)
    make = "empty" if is_complete(node) else "zeros"
    memory = with_spaces((*small, node.shape[block]))
    lines = [f"{out} = np.{make}({memory}, {DTYPES[node.type.dtype]})"]
    for place, cell in zip(node.attrs["places"], args, strict=True):
        lines.append(f"{out}[{', '.join(map(str, place)) or '...'}] = {cell.text}")
    if block < len(small):
        order = list(range(len(small)))
        order.insert(block, len(small))
        lines.append(f"{out} = {out}.transpose({', '.join(map(str, order))})")
    return lines


def nested(node: Node, args: Args) -> str:
    """Write the numbers of an array without a block axis, in brackets."""
    cells = dict(zip(node.attrs["places"], args, strict=True))
    sizes = [int(n.constant or 0) for n in node.shape]

    def row(place: tuple[int, ...]) -> str:
        if len(place) == len(sizes):
            return cells[place].text if place in cells else "0"
        return f"[{', '.join(row((*place, i)) for i in range(sizes[len(place)]))}]"

    return row(())
