"""The panel of the values: each that has a name, its type, its line, and its numbers at a point."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from graphc.elaborate.names.model import Model
from graphc.views.numbers.telling import counted, norm, remark, short
from graphc.views.report.links import Links
from graphc.views.report.markup import Markup, element, joined

if TYPE_CHECKING:
    from graphc.views.numbers.looking import Known, Numbers


def tell_values(model: Model, links: Links, numbers: Numbers | None) -> Markup:
    """Write a row for each named value; the first cell selects it."""
    kinds = {d.name: "output" for d in model.outputs}
    kinds |= {d.name: "input" for d in model.inputs} | {d.name: "parameter" for d in model.params}
    known = numbers.known if numbers else {}
    head = ["name", "is", "type", "line"]
    head += ["least", "most", "norm", "derivative", "factor", ""] if numbers else []
    children = children_of(links)
    scale = _scale([one.adjoint.norm for one in known.values() if one.adjoint])
    rows = []
    for name in links.names:
        type = links.nodes[name].type
        lines = links.lines[name]
        cells = [
            element("th", element("button", name, type="button", class_="node"), scope="row"),
            element("td", kinds.get(name, "value")),
            element("td", str(type)),
            element("td", str(lines[-1]) if lines else "", class_="amount"),
        ]
        if numbers:
            cells += _cells(known.get(name), scale)
        rows.append(
            element(
                "tr",
                *cells,
                data_node=name,
                data_parents=" ".join(links.parents.get(name, ())) or None,
                data_children=" ".join(children.get(name, ())) or None,
                class_=_flow(known.get(name)),
            )
        )
    columns = [
        element("th", one, scope="col", title=HEADS.get(one),
                class_="amount" if one in AMOUNTS else None)
        for one in head
    ]  # fmt: skip
    table = element(
        "table", element("thead", element("tr", *columns)), element("tbody", *rows), id="values-of"
    )
    return element("div", table, class_="wide")


def _flow(one: Known | None) -> str | None:
    return one.flow.kind if one is not None and one.flow is not None else None


HEADS = {
    "line": "the line of the source",
    "least": "the smallest element",
    "most": "the largest element",
    "norm": "the root of the sum of the squares of the elements",
    "derivative": "the norm of the derivative by this value",
    "factor": "that norm over the largest of the derivatives that it comes from",
}
AMOUNTS = ("line", "least", "most", "norm", "derivative", "factor")


def children_of(links: Links) -> dict[str, list[str]]:
    """Turn the parents of all names round."""
    found: dict[str, list[str]] = {}
    for name in links.names:
        for parent in links.parents.get(name, ()):
            found.setdefault(parent, []).append(name)
    return found


def _cells(one: Known | None, scale: tuple[float, float]) -> list[Markup]:
    if one is None:
        return [element("td", "") for _ in range(6)]
    value, adjoint = one.value, one.adjoint
    said = [counted(value)] if counted(value) else []
    if adjoint is not None and adjoint.nans + adjoint.infinities:
        said.append("derivative not finite")
    if one.flow is not None:
        said.append(one.flow.kind)
    back = Markup("")
    if adjoint is not None:
        back = joined([_bar(adjoint.norm, scale), norm(adjoint)])
    finite = value.finite
    return [
        element("td", short(value.least) if finite else "", class_="amount"),
        element("td", short(value.most) if finite else "", class_="amount"),
        element("td", short(value.norm) if finite else "", class_="amount"),
        element("td", back, class_="amount back"),
        element("td", "" if one.gain is None else f"× {short(one.gain)}", class_="amount"),
        element("td", "; ".join(said), class_="remark"),
    ]


def _scale(norms: Sequence[float]) -> tuple[float, float]:
    """Return the exponents between which bars grow: at least three powers of ten apart."""
    exponents = [math.log10(one) for one in norms if one]
    if not exponents:
        return 0.0, 1.0
    return min(*exponents, max(exponents) - 3), max(exponents)


def _bar(norm: float, scale: tuple[float, float]) -> Markup:
    least, most = scale
    part = (math.log10(norm) - least) / (most - least) if norm else 0.0
    width = 0.2 + 3 * part  # what is left keeps the numbers in a column
    style = f"width:{width:.2f}em;margin-right:{3.7 - width:.2f}em"
    return element("span", class_="size", style=style, aria_hidden="true")


def tell_point(numbers: Numbers, where: str) -> Markup:
    """Say at which point the numbers are, and what a derivative is of."""
    sizes = ", ".join(f"{name} = {size}" for name, size in numbers.sizes.items())
    of = ", ".join(numbers.outputs)
    total = "" if numbers.scalar else "the sum of the elements of "
    said = [
        f"At {where}{f', {sizes}' if sizes else ''}. A norm is the root of the sum of the squares. "
        f"The derivative of {total}{of} by each value is told by its norm, with a bar that grows "
        "by powers of ten; its factor is that norm over the largest of those that it comes from."
    ]
    born = numbers.born
    lines: list[str] = []
    if born is not None:
        steps = "".join(f", in step {name} = {step}" for name, step in born.steps.items())
        place = f", at {born.place}" if born.place else ""
        kind = "nan" if math.isnan(born.made) else "infinity"
        lines = [f"The first {kind} is {born.variable}, made by {born.operation}{steps}{place}."]
        lines += born.values
    elif not numbers.finite:
        lines = ["No point was found at which every value is finite."]
    notes = [element("p", one, class_="note") for one in said]
    notes += [element("p", one, class_="warning") for one in lines]
    for one in numbers.known.values():
        if one.flow is not None and one.flow.first:
            button = element("button", one.name, type="button", class_="node")
            told = f": {remark(one.flow)}."
            notes.append(element("p", button, told, class_="warning", data_node=one.name))
    return joined(notes)


def paths_of(model: Model) -> Mapping[str, str]:
    """Map the paths of parameters to the names of the graph: those of a family have one."""
    return {path: d.name for d in model.params for path in d.paths}
