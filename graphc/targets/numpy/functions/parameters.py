"""The functions of a module that make parameters: init, flatten, unflatten."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from graphc.elaborate.names.model import Declared, Initialiser
from graphc.ir.types import product
from graphc.plan.module import Compiled
from graphc.source import LISTED
from graphc.targets.numpy.functions.record import with_line
from graphc.targets.numpy.printing.families import dict_rows, show_path
from graphc.targets.numpy.printing.text import function


def init(compiled: Compiled, library: str = "np", before: Sequence[str] = ()) -> str:
    """Write `init`, whose arrays are of this library, and the shapes that it and `unflatten` share.

    `before` are lines that come first.
    """
    keywords = ", ".join(["*", *(f"{dim}: int" for dim in _dims(compiled))])
    keywords = keywords if keywords != "*" else ""
    params = compiled.model.params
    whole = [f"{dim} = _whole({dim}, {dim!r})" for dim in _dims(compiled)]
    return "\n\n\n".join(
        [
            function(
                f"def init(seed: int = 0{', ' + keywords if keywords else ''}) -> dict[str, Any]:",
                with_line(
                    "Parameters by path, drawn as the graph says; each from a stream of its own.",
                    f"{', '.join(['seed', *_dims(compiled)])} -> {_paths(params)}",
                ),
                [
                    *before,
                    *whole,
                    "return {",
                    *dict_rows(params, lambda one, path: _initial(one, path, library)),
                    "}",
                ],
            ),
            function(
                f"def _shapes({keywords}) -> dict[str, tuple[int, ...]]:",
                "The shapes of the parameters by path.",
                [*whole, "return {", *dict_rows(params, lambda one, _: _shape(one)), "}"],
            ),
        ]
    )


def _dims(compiled: Compiled) -> list[str]:
    """List the dims that the shapes of the parameters need."""
    return sorted(
        {name for d in compiled.model.params for axis in d.shape for name in axis.symbols}
    )


def _paths(params: Sequence[Declared]) -> str:
    """List parameters with their shapes, the first of many."""
    told = [f"{show_path(one)}: {one.type}" for one in params[:LISTED]]
    more = len(params) - len(told)
    return ", ".join(told) + (f" and {more} more, listed at the head of the module" if more else "")


def _length(compiled: Compiled) -> str:
    """Write how many numbers all parameters are."""
    params = compiled.model.params
    sizes = [(1 if one.family is None else len(one.family), product(one.shape)) for one in params]
    known = sum(count * size.constant for count, size in sizes if size.constant is not None)
    open_sizes = [size * count for count, size in sizes if size.constant is None]
    terms = [str(size) for size in open_sizes[:LISTED]]
    terms += ["…"] * (len(open_sizes) > LISTED)
    return " + ".join([*terms, str(known)] if known or not terms else terms)


def _shape(declared: Declared, symbolic: Callable[[str], str] = str) -> str:
    """Write the shape of a parameter; `symbolic` is how an axis of no known size is written."""
    axes = [str(n) if n.constant is not None else symbolic(str(n)) for n in declared.shape]
    inside = ", ".join(axes)
    return f"({inside}{',' if len(declared.shape) == 1 else ''})"


def _initial(declared: Declared, path: str, library: str) -> str:
    initialiser = declared.initialiser or Initialiser("zeros")
    shape = _shape(declared)
    simple = {"zeros": "0", "ones": "1"}
    if initialiser.kind in simple or initialiser.kind == "constant":
        number = simple.get(initialiser.kind) or repr(initialiser.numbers[0])
        return f"{library}.full({shape}, {number}, FLOAT)" if declared.shape else f"FLOAT({number})"
    stream = f"_stream(seed, {path})"
    if initialiser.kind in ("normal", "uniform"):
        one, other = initialiser.numbers
        drawn = f"{stream}.{initialiser.kind}({one!r}, {other!r}, {shape})"
    else:
        drawn = f"_{initialiser.kind}({stream}, {shape})"
    return f"{library}.asarray({drawn}, FLOAT){'[()]' if library == 'np' else ''}"


def flatten(compiled: Compiled) -> str:
    """Write `flatten` and `unflatten`."""
    dims = _dims(compiled)
    keywords = ", *, " + ", ".join(f"{dim}: int" for dim in dims) if dims else ""
    handed = ", ".join(f"{dim}={dim}" for dim in dims)
    shapes = ["return _join(params, _shapes())"]
    if dims:
        rows = dict_rows(compiled.model.params, lambda one, _: _shape(one, repr))
        shapes = ["return _join(params, {", *rows, "})"]
    return "\n\n\n".join(
        [
            function(
                "def flatten(params: Mapping[str, ArrayLike]) -> Array:",
                with_line(
                    "Parameters or gradients as one vector, in the order of PARAMETERS.",
                    f"params -> [{_length(compiled)}]",
                ),
                shapes,
            ),
            function(
                f"def unflatten(vector: ArrayLike{keywords}) -> dict[str, Any]:",
                with_line(
                    "The parameters that `flatten` made into this vector.",
                    f"vector: [{_length(compiled)}] -> params",
                ),
                [f"return _split(vector, _shapes({handed}))"],
            ),
        ]
    )
