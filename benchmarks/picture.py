"""All gradients in one picture: a line for each case, a mark for each contestant."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.tables import Table

MARKS = "os^vD<>pP*Xd"
INCHES = 0.28  # a line


def lines(tables: Sequence[Table]) -> list[tuple[str, Mapping[str, float]]]:
    """Tables of contestants as what is drawn: a title, and ratios by contestant.

    >>> from benchmarks.tables import ratio, text
    >>> rows = [{"contestant": "one", "ratio": 1.0}, {"contestant": "two", "ratio": 3.5}]
    >>> lines([Table("T", {"contestant": text, "ratio": ratio}, rows), Table("U", {}, [])])
    [('T', {'one': 1.0, 'two': 3.5})]
    """
    return [
        (table.title, {row["contestant"]: row["ratio"] for row in table.rows})
        for table in tables
        if "contestant" in table.columns
    ]


def draw(tables: Sequence[Table], path: Path) -> bool:
    """Write the picture; False where there is nothing to draw, or nothing to draw it with."""
    drawn = lines(tables)
    if not drawn or importlib.util.find_spec("matplotlib") is None:
        return False
    import matplotlib
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(name for _, ratios in drawn for name in ratios))
    colours = matplotlib.colormaps["tab10"]
    figure = Figure(figsize=(11, 1.6 + INCHES * len(drawn)), layout="constrained")
    axes: Any = figure.subplots()
    for place, name in enumerate(names):
        points = [(ratios[name], line) for line, (_, ratios) in enumerate(drawn) if name in ratios]
        x, y = zip(*points, strict=True)
        axes.plot(x, y, MARKS[place % len(MARKS)], color=colours(place % 10), label=name)
    axes.set_xscale("log")
    axes.axvline(1, color="0.6", linewidth=1, zorder=0)
    axes.set_yticks(range(len(drawn)), [title for title, _ in drawn], fontsize="small")
    axes.invert_yaxis()
    axes.grid(axis="both", color="0.92", which="both")
    axes.set_axisbelow(True)
    axes.set_xlabel("time, relative to the first contestant of each table; left is faster")
    figure.legend(loc="outside upper center", ncols=6, fontsize="small")
    figure.savefig(path)
    return True
