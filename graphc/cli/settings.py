"""`[tool.graphc]` in pyproject.toml: what options are by default, for all files below it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.exceptions import BadParameter, Exit

from graphc.cli.messages import print_diagnostics
from graphc.later import Later
from graphc.source import GraphError, Source, Span, error, near_or_all

if TYPE_CHECKING:
    import tomllib
else:
    tomllib = Later("tomllib")

NAME = "pyproject.toml"
OPTIONS = {
    "dtype": "--dtype",
    "level": "-O",
    "mode": "--mode",
    "memory": "--memory",
    "trace-nan": "--trace-nan",
}
"""The settings, and the options that they are the defaults of."""
OF_A_FILE = {"dim": "dim B = 4", "const": "const k = 2.0", "derive": "derive grad loss"}
"""What is of one file, and how that says it."""


def take_settings(context: click.Context, parameter: click.Parameter, given: Any) -> Any:
    """Make the settings of a file's project the defaults of the command; returns the file."""
    if context.resilient_parsing or not given:
        return given
    file = given if isinstance(given, str) else given[0]
    try:
        found = _settings(context, Path() if file == "-" else Path(file).parent)
    except GraphError as wrong:
        print_diagnostics(wrong.diagnostics)
        raise Exit(1) from None
    context.default_map = {**(context.default_map or {}), **found}
    return given


def _settings(context: click.Context, folder: Path) -> dict[str, Any]:
    """Return the settings above a folder, by the names of the command's parameters."""
    source = _nearest(folder)
    if source is None:
        return {}
    by_option = {option: one for one in context.command.params for option in one.opts}
    found: dict[str, Any] = {}
    wrong = []
    for name, value in _table(source).items():
        place = _place(source, name)
        if name not in OPTIONS:
            help = near_or_all(name, OPTIONS, "the settings")
            if name in OF_A_FILE:
                help = f"it is of one file, which says it: `{OF_A_FILE[name]}`"
            wrong.append(error("E003", f"`{name}` is no setting of graphc", place, help=help))
            continue
        parameter = by_option.get(OPTIONS[name])
        # `--mode` of another command may be something else.
        if parameter is None or parameter.name not in (name, "levels", "trace"):
            continue
        if parameter.name == "trace" and not isinstance(value, bool):
            wrong.append(error("E003", f"`{name}` is true or false", place))
            continue
        try:
            given = value if isinstance(value, bool) else str(value)
            parameter.type_cast_value(context, given)
            found[parameter.name] = given
        except BadParameter as why:
            wrong.append(error("E003", f"{name}: {why.message}", place))
    if wrong:
        raise GraphError(wrong)
    return found


def _nearest(folder: Path) -> Source | None:
    """Return the nearest pyproject.toml at or above a folder, where it has settings."""
    whole = folder.absolute()
    for above in (whole, *whole.parents):
        try:
            text = (above / NAME).read_text(encoding="utf-8")
        except (OSError, ValueError):
            continue
        return Source(str(above / NAME), text) if "tool.graphc" in text else None
    return None


def _table(source: Source) -> Mapping[str, Any]:
    try:
        table = tomllib.loads(source.text).get("tool", {}).get("graphc", {})
    except tomllib.TOMLDecodeError as why:
        at = re.search(r"\(at line (\d+), column (\d+)\)", str(why))
        start = source.line_starts[int(at[1]) - 1] + int(at[2]) - 1 if at else len(source.text)
        message = f"this is no TOML: {str(why).partition(' (at ')[0]}"
        raise GraphError([error("E003", message, Span(source, start, start + 1))]) from None
    return table if isinstance(table, dict) else {}


def _place(source: Source, name: str) -> Span:
    """Return where a setting stands: its name below the head of the table."""
    head = source.text.index("tool.graphc")
    found = re.compile(rf"[\"']?{re.escape(name)}\b").search(source.text, head + len("tool.graphc"))
    start, end = found.span() if found else (head, head + len("tool.graphc"))
    return Span(source, start, end)
