"""The table of operations as a document."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from graphc import ops
from graphc.ops import FUNCTIONS, Function
from graphc.views.reference.latex import formulas
from graphc.views.reference.table import FAMILIES, details, module_of

HEAD = """\
# Operations

Made by `python -m graphc ops --format markdown > docs/operations.md`; do not edit.

The formulas give the value of a sample call and the cotangents that flow back from it: $\\bar y$
is the derivative of a scalar by $y$, $\\odot$ the product element by element, and $[\\ldots]$ is 1
where the condition holds, else 0. An argument that was stretched by broadcasting gets the sum of
its cotangent over the axes along which it was stretched. Indices count from 0. A sum goes over all
positions, or over those for which the condition below it holds; an element outside of its array is
0, and so is one that no formula gives. What stands upright is the function of that name.
Multiply-adds are those of the value.
"""


def markdown() -> str:
    """Write the reference of all operations, by the file that declares them."""
    return "\n".join([HEAD, *_sections()]).rstrip("\n") + "\n"


def _sections() -> Iterator[str]:
    functions = sorted(FUNCTIONS.values(), key=module_of)
    for module, group in groupby(functions, key=module_of):
        yield f"## {module.capitalize()}\n"
        about = getattr(ops, module).__doc__ if hasattr(ops, module) else ""
        if about:
            yield " ".join(about.split("\n\n")[0].split()) + "\n"
        for function in group:
            yield from function_entry(function)


def function_entry(function: Function) -> Iterator[str]:
    """Yield the lines on one operation."""
    told = details(function)
    value, back = formulas(function)
    rule = f"; {told.shapes}" if told.shapes else ""
    yield f"### `{told.row.signature}`\n"
    family = FAMILIES[told.row.family]
    yield f"{told.row.doc} {family[0].upper()}{family[1:]}.\n"
    yield f"- `{told.sample.call}`, for `{told.types}`{rule}"
    yield f"- Value: {_set(value)}"
    if back:
        yield f"- Pullback: {'; '.join(map(_set, back))}"
    yield f"- Multiply-adds: {_dims(told.multiply_adds)}; bytes in and out: {_dims(told.bytes)}"
    if told.conventions:
        yield f"- At hard points: {told.conventions}"
    yield ""


def _set(formula: str) -> str:
    """Set a formula, and what its letters are, as formulas of their own: lines break between."""
    said, *rest = formula.split(r",\quad ")
    letters = ", ".join(f"$`{one}`$" for part in rest for one in part.split(r",\; "))
    return f"$`{said}`$ with {letters}" if letters else f"$`{said}`$"


def _dims(polynomial: str) -> str:
    """Write a polynomial of dims as people do."""
    return polynomial.replace("**", "^").replace("*", " · ")
