"""`graphc cost`: multiply-adds and bytes of each function, by mode, and where modes cross."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import typer

from graphc.cli.options import (
    CONST,
    DERIVE,
    DIM,
    DTYPE,
    check_dtype,
    folder_of,
    parse_dims,
    parse_pairs,
    print_diagnostics,
    read_bytes,
)
from graphc.source import GraphError

FARTHEST = 1 << 40  # no dim is looked at beyond this


def cost(
    file: str = typer.Argument(..., metavar="FILE", help="The .graph file; - is standard input."),
    format: str = typer.Option("text", "--format", metavar="FORMAT", help="text or json."),
    dim: list[str] = DIM,
    const: list[str] = CONST,
    dtype: str = DTYPE,
    derive: list[str] = DERIVE,
) -> None:
    """Print the multiply-adds and bytes of each function of FILE, for Jacobians in each mode."""
    from graphc.compile.stages import Compilation, Options
    from graphc.ir.types import FLOAT_BYTES
    from graphc.syntax.parse.parser import read_source
    from graphc.views.cost import price

    if format not in ("text", "json"):
        raise typer.BadParameter(f"`{format}` is not text or json", param_hint="--format")
    options = Options(parse_dims(dim), parse_pairs(const, "--const"), check_dtype(dtype), derive)
    try:
        compilation = Compilation(read_source(*read_bytes(file)), options, folder_of(file))
        priced = price(compilation)
    except GraphError as wrong:
        print_diagnostics(wrong.diagnostics)
        raise typer.Exit(1) from None
    rows = [row for one in priced for row in _rows(one, FLOAT_BYTES[options.dtype])]
    crossings = {one.name: found for one in priced if (found := crossovers(one.costs))}
    if format == "json":
        typer.echo(json.dumps({"functions": rows, "crossovers": crossings}, indent=2))
        return
    _print(rows)
    for name, lines in crossings.items():
        for line in lines:
            typer.echo(f"{name}: {line}")


def _rows(priced: Any, width: int) -> list[dict[str, Any]]:
    return [
        {
            "function": priced.name,
            "mode": mode or "-",
            "multiply_adds": str(found.multiply_adds),
            "bytes": str(found.written * width),
            "chosen": mode == priced.chosen,
        }
        for mode, found in priced.costs.items()
    ]


def _print(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print the table, with the mode that is taken marked where there is a choice."""
    from rich.console import Console
    from rich.table import Table

    table = Table("function", "mode", "multiply-adds", "bytes written", box=None, pad_edge=False)
    before = ""
    for row in rows:
        choice = "*" if row["chosen"] and row["mode"] != "-" else ""
        name = "" if row["function"] == before else row["function"]
        table.add_row(name, row["mode"] + choice, row["multiply_adds"], row["bytes"])
        before = row["function"]
    Console(soft_wrap=True, highlight=False).print(table)
    if any(row["chosen"] and row["mode"] != "-" for row in rows):
        typer.echo("* the mode that is taken: the least work, where a dim is not known for 32")


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
