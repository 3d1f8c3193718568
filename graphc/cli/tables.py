"""The records of `graphc show` as tables: declarations, statements with their memory, buffers."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

Told = Mapping[str, Any]
NUMBERS = ("bytes", "memory", "multiply-adds", "live", "bytes written")
ROOMY = 100
"""Columns of a table of statements; where there are fewer, each statement has lines of its own."""
NARROWEST = 40
"""Columns that are taken for there, however narrow a terminal is."""
WIDEST = {"variable": 22, "type": 12, "memory": 12, "bytes": 12, "multiply-adds": 13, "live": 14}
"""The most that a column takes; `is` gets what the others leave, and at least so much:"""
LEAST = 17


def terminal(error: bool = False) -> Console:
    """Return what is printed to: as wide as COLUMNS says, or as the terminal is, else ROOMY."""
    from rich.console import Console

    console = Console(highlight=False, markup=False, stderr=error)
    if not console.is_terminal and not os.environ.get("COLUMNS", "").isdecimal():
        console.width = ROOMY
    console.width = max(console.width, NARROWEST)
    return console


def widest(width: int) -> dict[str, int]:
    """Return the most that columns take in a terminal: of what is more than ROOMY they get a part.

    >>> widest(100)["variable"], widest(200)["variable"], widest(200)["type"]
    (22, 42, 22)
    """
    more = max(0, width - ROOMY)
    shares = {"variable": 5, "memory": 6, "live": 6, "type": 10}
    return {name: most + more // shares.get(name, width) for name, most in WIDEST.items()}


def print_graph(console: Console, graph: Told) -> None:
    sizes = [f"{name} = {size}" if size else name for name, size in graph["dims"].items()]
    console.print(", ".join([graph["name"], graph["dtype"], graph["level"], *sizes]))
    rows = [
        (label, one["name"], one["type"], _bytes(one["bytes"]))
        for kind, label in (("inputs", "input"), ("params", "parameter"), ("outputs", "output"))
        for one in graph[kind]
    ]
    _print_table(console, ("", "is", "type", "bytes"), rows)


def print_function(console: Console, one: Told) -> None:
    """Print a function: a line of totals, its statements, its buffers."""
    mode = f" ({one['mode']} mode)" if one["mode"] else ""
    unit = " bytes" if isinstance(one["peak"], str) else ""
    totals = f"{_count(one['multiply_adds'])} multiply-adds, peak {_bytes(one['peak'])}{unit}"
    console.print(f"\n{one['function']}{mode}: {totals}", style="bold")
    statements = one["statements"]
    highest = [told["during"] for told in statements]
    first = highest.index(one["peak"]) if one["peak"] in highest else -1
    if console.width < ROOMY:
        for number, told in enumerate(statements):
            same = number > 0 and statements[number - 1]["live"] == told["live"]
            alive = "" if same and number != first else _bytes(told["live"])
            alive += " *" if number == first else ""
            for line in _stacked(told, alive, console.width):
                console.print(line, crop=False, soft_wrap=True)
    else:
        columns = ("variable", "is", "type", "memory", "multiply-adds", "live")
        rows = _rows(statements, first, widest(console.width)["memory"])
        _print_table(console, columns, [[row.get(name, "") for name in columns] for row in rows])
    if one["buffers"]:
        named = [
            (
                told["name"],
                f"{told['view_of']} as {told['type']}" if told["view_of"] else told["type"],
                "" if told["view_of"] else _bytes(told["bytes"]),
            )
            for told in one["buffers"]
        ]
        _print_table(console, ("buffer", "is", "bytes"), named)


def _rows(statements: Sequence[Told], first: int, room: int) -> list[dict[str, str]]:
    """Return the cells of statements by column, the highest one marked."""
    rows: list[dict[str, str]] = []
    before: int | str | None = None
    for number, told in enumerate(statements):
        name, written = told["variable"] or "-", told["written"]
        if "type" not in told:  # a loop or blocks: what it is comes before what it makes
            name, written = written, f"makes {name}"
        cells = {
            "variable": "  " * told["depth"] + name,
            "is": written,
            "type": told.get("type", ""),
            "memory": cut(told["buffer"], room) or (_bytes(told["bytes"]) if told["bytes"] else ""),
            "multiply-adds": _count(told["multiply_adds"]) if told["multiply_adds"] else "",
            "live": "" if told["live"] == before else _bytes(told["live"]),
        }
        if number == first:
            cells["live"] = f"* {_bytes(told['live'])}"
        before = told["live"]
        rows.append(cells)
        if told["frees"]:
            rows.append({"is": f"free {', '.join(told['frees'])}"})
    return rows


def _stacked(told: Told, alive: str, width: int) -> Iterable[str]:
    """Yield a statement on a line, and below it what there is to say of it."""
    indent = "  " * told["depth"]
    name = told["variable"] or "-"
    loop = "type" not in told
    yield cut(f"{indent}{told['written'] if loop else f'{name} = ' + told['written']}", width)
    parts = [f"makes {name}"] if loop else [told["type"]]
    parts += [f"in {told['buffer']}"] if told["buffer"] else []
    parts += [_bytes(told["bytes"])] if told["bytes"] and not told["buffer"] else []
    parts += [f"{_count(told['multiply_adds'])} multiply-adds"] if told["multiply_adds"] else []
    parts += [f"live {alive}"] if alive else []
    parts += [f"free {', '.join(told['frees'])}"] if told["frees"] else []
    inner = f"{indent}    "
    yield from wrap(", ".join(parts), width, initial_indent=inner, subsequent_indent=inner)


def _print_table(console: Console, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table as wide as the console at most: long texts are cut, numbers wrapped."""
    from rich.table import Table

    cells = zip(columns, *rows, strict=True)
    most = widest(console.width)
    widths = [min(max(map(len, texts)), most.get(texts[0], console.width)) for texts in cells]
    place = columns.index("is")
    others = sum(widths) - widths[place] + 2 * (len(widths) - 1)
    widths[place] = min(widths[place], max(LEAST, console.width - others))
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name, width in zip(columns, widths, strict=True):
        number = name in NUMBERS
        table.add_column(
            name,
            justify="right" if number else "left",
            no_wrap=not number,
            overflow="fold" if number else "ellipsis",
            width=width,
        )
    for row in rows:
        table.add_row(*row)
    console.print(table, crop=False, no_wrap=True)


def cut(text: str, width: int) -> str:
    """Cut a text to so many columns."""
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _bytes(given: int | str) -> str:
    return given if isinstance(given, str) else f"{with_prefix(given)}B"


def _count(given: int | str) -> str:
    return given if isinstance(given, str) else with_prefix(given).strip()


def with_prefix(number: int) -> str:
    """Write three digits and a prefix, with a blank before it.

    >>> with_prefix(999), with_prefix(12345), with_prefix(7_000_000)
    ('999 ', '12.3 k', '7 M')
    """
    amount, prefixes = float(number), iter(["", "k", "M", "G", "T", "P"])
    prefix = next(prefixes)
    while amount >= 999.5:
        amount, prefix = amount / 1000, next(prefixes)
    return f"{amount:.3g} {prefix}"
