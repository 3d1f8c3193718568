"""`graphc cost`: multiply-adds and bytes of each function, by mode, and where modes cross."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
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

    from graphc.views.cost import Priced

FARTHEST = 1 << 40  # no dim is looked at beyond this


@command("cost", "graphc cost net.graph", "graphc cost --dim B=256 --format json net.graph")
@FILE
@FORMAT
@MODEL
@DERIVE
def cost(file: str, format: str, **given: Any) -> None:
    """Print the multiply-adds and bytes of each function of FILE, for Jacobians in each mode."""
    from graphc.compile.stages import Compilation, Options
    from graphc.ir.types import FLOAT_BYTES
    from graphc.syntax.parse.parser import read_source
    from graphc.views.cost import price

    options = Options(**given)
    try:
        compilation = Compilation(read_source(*read_bytes(file)), options, folder_of(file))
        priced = price(compilation)
    except GraphError as wrong:
        print_diagnostics(wrong.diagnostics)
        raise Exit(1) from None
    rows = [row for one in priced for row in _rows(one, FLOAT_BYTES[options.dtype])]
    crossings = {one.name: found for one in priced if (found := crossovers(one.costs))}
    if format == "json":
        click.echo(json.dumps({"functions": rows, "crossovers": crossings}, indent=2))
        return
    from graphc.cli.tables import terminal

    print_costs(terminal(), rows)
    for name, lines in crossings.items():
        for line in lines:
            click.echo(f"{name}: {line}")


def _rows(priced: Priced, width: int) -> list[dict[str, Any]]:
    from graphc.cli.show import number_or_text

    return [
        {
            "function": priced.name,
            "mode": mode or "-",
            "multiply_adds": number_or_text(found.multiply_adds),
            "bytes": number_or_text(found.written * width),
            "chosen": mode == priced.chosen,
        }
        for mode, found in priced.costs.items()
    ]


def print_costs(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print the table, with the mode that is taken marked where there is a choice.

    What is too long for the terminal goes on below, in its column.
    """
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name in ("function", "mode"):
        table.add_column(name, overflow="fold", no_wrap=name == "mode")
    for name in ("multiply-adds", "bytes written"):
        table.add_column(name, overflow="fold", justify="right")
    before = ""
    for row in rows:
        choice = "*" if row["chosen"] and row["mode"] != "-" else ""
        name = "" if row["function"] == before else row["function"]
        amounts = (str(row[key]) for key in ("multiply_adds", "bytes"))
        table.add_row(name, row["mode"] + choice, *amounts)
        before = row["function"]
    console.print(table)
    if any(row["chosen"] and row["mode"] != "-" for row in rows):
        console.print(
            "* the mode that is taken: that of least work, with 32 for each dim that is not known"
        )


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
