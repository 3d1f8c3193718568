"""The argument `out` of the functions that return gradients, as text: its checks, its variables."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from graphc.elaborate.names.model import Declared
from graphc.ir.dims import Dim
from graphc.ir.results import gradient_by
from graphc.plan.module import Compiled, Derived
from graphc.targets.numpy.printing.families import count, dict_rows, slices
from graphc.targets.numpy.printing.text import WIDTH, width, write_list

_ARGUMENT = "out: Mapping[str, Array] | None = None"
_ABOUT = (
    "Where `out` has an array for a path, the gradient is written into it, and it is what is\n"
    "returned; the others are new.\n"
)
PLACES = "_places"


def arguments(one: Derived) -> list[str]:
    """List the argument, where there is one: where arrays can be written into."""
    return [] if one.printed else [_ARGUMENT]


def about(one: Derived) -> str:
    """Tell what it is for."""
    return "" if one.printed else _ABOUT


def check_out(
    compiled: Compiled,
    one: Derived,
    declared: Sequence[Declared],
    read: str,
    known: Callable[[Dim], str] = str,
) -> list[str]:
    """List the lines that check `out`, and take the places out of it that the program writes into.

    `declared` is what the function differentiates by, `read` the source of all that it reads,
    `known` the source of a dim.
    """
    if one.printed:
        return []
    rows = _shapes(compiled, one, declared, known)
    if not one.destinations or one.numbers is not None:
        inside = _call("_destinations(out, ", rows, f", {read})")
        return ["if out is not None:", *(f"    {line}" for line in inside)]
    where, names = _positions(declared), [*one.destinations.values()]
    taken = [
        *_call("_destinations(out, ", rows, f", {read})"),
        *(f"{name} = {PLACES}[{where[path]}]" for path, name in one.destinations.items()),
    ]
    taken[0] = f"{PLACES} = {taken[0]}"
    none = "None" if len(names) == 1 else f"[None] * {len(names)}"
    line = f"{', '.join(names)} = {none}"
    nowhere = [line] if width(line) <= WIDTH else write_list("(", names, f") = {none}")
    return [
        "if out is not None:",
        *(f"    {line}" for line in taken),
        "else:",
        *(f"    {line}" for line in nowhere),
    ]


def _call(opening: str, rows: Sequence[str], closing: str) -> list[str]:
    """Write a call of an expression, or of a dict of these rows: on one line where it fits."""
    if len(rows) == 1:
        return [f"{opening}{rows[0]}{closing}"]
    inside = " ".join(row.strip() for row in rows[1:-1]).removesuffix(",")
    line = f"{opening}{{{inside}}}{closing}"
    return [line] if width(line) <= WIDTH else [f"{opening}{{", *rows[1:-1], f"}}{closing}"]


def _positions(declared: Sequence[Declared]) -> dict[str, str]:
    """Return where the place of a path, or those of a family, stand in the list of all."""
    found = slices(declared)
    number = 0
    for one in declared:
        found.setdefault(one.name, str(number))
        number += count([one])
    return found


def _shapes(
    compiled: Compiled, one: Derived, declared: Sequence[Declared], known: Callable[[Dim], str]
) -> list[str]:
    """Write the shapes of the gradients by path: an expression, or the lines of a dict."""
    if not one.per and tuple(declared) == compiled.model.params:
        dims = sorted({name for d in declared for axis in d.shape for name in axis.symbols})
        return [f"_shapes({', '.join(f'{dim}={known(Dim.symbol(dim))}' for dim in dims)})"]

    def shape(d: Declared, _: str) -> str:
        node = one.program.results[gradient_by(d.name)]
        sizes = [known(axis) for axis in (node.shape[1:] if d.family else node.shape)]
        return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"

    return ["{", *dict_rows(declared, shape), "}"]
