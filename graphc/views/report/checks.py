"""The panels of what derivatives cost, and of how they compare with numerical ones."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from graphc.checking.derivatives import Checked
from graphc.ir.dims import Dim
from graphc.views.cost import Priced
from graphc.views.report.markup import Markup, element, joined
from graphc.views.report.schedule import amount
from graphc.views.report.source import tell_diagnostics


def tell_costs(
    priced: tuple[Priced, ...], compiled: Mapping[tuple[str, str], Dim], level: str, width: int
) -> Markup:
    """Write the multiply-adds and bytes of each function, in each mode; that taken is marked.

    Beside them stands the work of those that are `compiled`, at this level.
    """
    rows = []
    for one in priced:
        for place, (mode, found) in enumerate(one.costs.items()):
            taken = bool(mode) and mode == one.chosen
            cells = [
                element("th", element("code", one.name) if not place else "", scope="row"),
                element("td", f"{mode}\N{NO-BREAK SPACE}✓" if taken else mode),
                element("td", amount(found.multiply_adds), class_="amount"),
                element("td", amount(found.written * width), class_="amount"),
            ]
            if compiled:
                left = compiled.get((one.name, mode))
                told = "" if left is None else amount(left)
                cells.append(element("td", told, class_="amount"))
            rows.append(element("tr", *cells, class_="taken" if taken else None))
    head = ["function", "mode", "multiply-adds", "bytes written"]
    head += [f"multiply-adds at {level}"] if compiled else []
    several = any(len(one.costs) > 1 for one in priced)
    note = "The work of the graph as it stands, and that of the statements of the schedule."
    if several:
        note += (
            " ✓ is the mode that is taken: that of least work, with 32 for each dim that is not"
            " known."
        )
    return joined(
        [
            element("div", _table(head, rows), class_="wide"),
            element("p", note, class_="note"),
        ]
    )


def _table(head: Sequence[str], rows: list[Markup]) -> Markup:
    columns = (
        element("th", one, scope="col", class_="amount" if place > 1 else None)
        for place, one in enumerate(head)
    )
    return element("table", element("thead", element("tr", *columns)), element("tbody", *rows))


def tell_checked(checked: Checked, names: Mapping[str, str]) -> Markup:
    """Write how far derivatives are from numerical ones: a row for each path, a column a level."""
    levels = list(dict.fromkeys(one.level for one in checked.compared))
    found: dict[tuple[str, str], dict[str, Markup]] = {}
    for one in checked.compared:
        if math.isnan(one.gap):
            cell = element("td", "–", title=one.why_not, class_="amount")
        else:
            kind = "amount wrong" if one.wrong else "amount"
            cell = element("td", f"{one.gap:.1e}{' ✗' if one.wrong else ''}", class_=kind)
        found.setdefault((one.function, one.path), {})[one.level] = cell
    limits = {(one.function, one.path): one.limit for one in checked.compared}
    rows = []
    before = ""
    for (function, path), cells in found.items():
        row = (
            element("th", element("code", function) if function != before else "", scope="row"),
            element("td", element("code", path)),
            *(cells.get(level, element("td", "")) for level in levels),
            element("td", f"{limits[function, path]:.0e}", class_="amount"),
        )
        rows.append(element("tr", *row, data_derivative=names.get(path, path)))
        before = function
    wrong = sum(one.wrong for one in checked.compared)
    count = len(checked.compared)
    said = f"{count} derivatives compared with numerical ones, {wrong or 'none'} wrong."
    if not count:
        said = "Nothing was compared: there are no derivatives, or they differ on purpose."
    head = ("function", "by", *(f"gap at {level}" for level in levels), "limit")
    return joined(
        [
            element("p", said, class_="warning" if wrong else "note"),
            tell_diagnostics(checked.mistakes),
            element("div", _table(head, rows), class_="wide") if rows else Markup(""),
        ]
    )
