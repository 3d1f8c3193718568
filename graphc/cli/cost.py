"""`graphc cost`: multiply-adds and bytes of each function, by mode, and where modes cross."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import click
from click.exceptions import Exit

from graphc.cli.command import command
from graphc.cli.messages import print_diagnostics
from graphc.cli.options import (
    DERIVE,
    FILE,
    FORMAT,
    MODEL,
    folder_of,
    read_bytes,
)
from graphc.source import GraphError

if TYPE_CHECKING:
    from rich.console import Console

    from graphc.ir.dims import Dim
    from graphc.views.cost import Priced

FAST = "-O2"
FARTHEST = 1 << 40  # no dim is looked at beyond this


@command("cost", "graphc cost net.graph", "graphc cost --dim B=256 --format json net.graph")
@FILE
@FORMAT
@MODEL
@DERIVE
def cost(file: str, format: str, **given: Any) -> None:
    """Print the multiply-adds and bytes of each function of FILE, for Jacobians in each mode.

    They are those of the graph as -O0 computes it; beside them, what is left of them at -O2.
    """
    from graphc.compile.stages import Compilation, Options
    from graphc.ir.types import FLOAT_BYTES
    from graphc.syntax.parse.parser import read_source
    from graphc.views.cost import compiled_work, price

    options = Options(**given)
    try:
        readable = Compilation(read_source(*read_bytes(file)), options, folder_of(file))
        fast = readable.at(FAST)
        priced = price(readable)
        left = compiled_work(fast.programs)
    except GraphError as wrong:
        print_diagnostics(wrong.diagnostics)
        raise Exit(1) from None
    rows = [row for one in priced for row in _rows(one, left, FLOAT_BYTES[options.dtype])]
    crossings = {one.name: found for one in priced if (found := crossovers(one.costs))}
    if format == "json":
        click.echo(json.dumps({"functions": rows, "crossovers": crossings}, indent=2))
        return
    from graphc.cli.tables import terminal

    print_costs(terminal(), rows)
    for name, lines in crossings.items():
        for line in lines:
            click.echo(f"{name}: {line}")


def _rows(priced: Priced, left: Mapping[tuple[str, str], Dim], width: int) -> list[dict[str, Any]]:
    from graphc.cli.show import number_or_text

    fast = {mode: left[priced.name, mode] for mode in priced.costs if (priced.name, mode) in left}
    return [
        {
            "function": priced.name,
            "mode": mode or "-",
            "multiply_adds": number_or_text(found.multiply_adds),
            "bytes": number_or_text(found.written * width),
            "multiply_adds_fast": number_or_text(fast[mode]) if mode in fast else None,
            "chosen": mode == priced.chosen,
        }
        for mode, found in priced.costs.items()
    ]


def print_costs(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print what functions cost, with the mode that is taken marked where there is a choice.

    Where a table has no room in the terminal, each amount has a line of its own.
    """
    heads = ("multiply-adds", "bytes written", f"multiply-adds at {FAST}")
    cells = []
    for row, before in zip(rows, (None, *rows), strict=False):
        repeated = before is not None and before["function"] == row["function"]
        choice = "*" if row["chosen"] and row["mode"] != "-" else ""
        amounts = (row[key] for key in ("multiply_adds", "bytes", "multiply_adds_fast"))
        texts = ["" if one is None else str(one) for one in amounts]
        cells.append(["" if repeated else row["function"], row["mode"] + choice, *texts])
    columns = zip(("function", "mode", *heads), *cells, strict=True)
    widths = [max(map(len, column)) for column in columns]
    if sum(widths) + 2 * len(widths[1:]) <= console.width:
        for place, (name, mode, *texts) in enumerate((("function", "mode", *heads), *cells)):
            padded = [text.rjust(size) for text, size in zip(texts, widths[2:], strict=True)]
            line = "  ".join((name.ljust(widths[0]), mode.ljust(widths[1]), *padded))
            console.print(line.rstrip(), style=None if place else "dim")
    else:
        for line in _stacked(cells, heads, widths[1], console.width):
            console.print(line, crop=False, soft_wrap=True)
    if any(row["chosen"] and row["mode"] != "-" for row in rows):
        console.print(
            "* the mode that is taken: that of least work, with 32 for each dim that is not known"
        )


def _stacked(
    cells: Sequence[Sequence[str]], heads: Sequence[str], room: int, width: int
) -> Iterator[str]:
    """Yield a line for each function, and below it one for each amount, by mode."""
    for name, mode, *amounts in cells:
        if name:
            yield name
        for head, text in zip(heads, amounts, strict=True):
            if text:
                start = f"  {mode.ljust(room)}  "
                yield from wrap(f"{text} {head}", width, initial_indent=start,
                                subsequent_indent=" " * len(start))  # fmt: skip
                mode = ""


def crossovers(costs: Mapping[str, Any]) -> list[str]:
    """Say of each dim that is not known from which size on another mode does less work."""
    names = sorted({name for one in costs.values() for name in one.work.symbols})
    found = []
    for name in names:
        others = [other for other in names if other != name]
        given = f" ({', '.join(f'{other} = 32' for other in others)})" if others else ""
        size, best = 1, _best(costs, name, 1)
        while size < FARTHEST:
            following = _best(costs, name, 2 * size)
            if following != best:
                low, high = size, 2 * size
                while high - low > 1:
                    middle = (low + high) // 2
                    low, high = (
                        (middle, high) if _best(costs, name, middle) == best else (low, middle)
                    )
                found.append(f"{_best(costs, name, high)} from {name} > {low}{given}")
                best = following
            size *= 2
    return found


def _best(costs: Mapping[str, Any], name: str, size: int) -> str:
    return min(costs, key=lambda mode: costs[mode].typical({name: size}))
