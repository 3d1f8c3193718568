"""Names and lines -> text as it is laid out: docstrings, functions, long statements."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence

WIDTH = 96


def docstring(content: str, indent: str) -> str:
    """Write a docstring with exactly this content."""
    escaped = content.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    escaped = "".join(c if c.isprintable() or c in "\n" else f"\\u{ord(c):04x}" for c in escaped)
    if escaped.endswith('"'):
        escaped = escaped[:-1] + '\\"'
    lines = escaped.split("\n")
    shifted = "\n".join([lines[0], *(indent + line if line else line for line in lines[1:])])
    return f'"""{shifted}"""' if not shifted.endswith("\n") else f'"""{shifted}{indent}"""'


def function(head: str, about: str, lines: Sequence[str]) -> str:
    """Write a function of these lines; a long head is broken after each parameter."""
    if len(head) > 100 and "()" not in head:
        opening, rest = head.split("(", 1)
        arguments, closing = rest.rsplit(") -> ", 1)
        rows = "".join(f"    {one},\n" for one in _split_arguments(arguments))
        head = f"{opening}(\n{rows}) -> {closing}"
    return "\n".join(
        [
            head,
            "    " + docstring(about, "    "),
            *(f"    {line}" if line else "" for line in lines),
        ]
    )


def _split_arguments(text: str) -> list[str]:
    """Split `a: Mapping[str, x], b: y` at the commas outside brackets."""
    return re.split(r", (?![^\[]*\])", text)


def width(text: str) -> int:
    """Measure a line with every number as one digit, so that sizes do not change lines."""
    return len(re.sub(r"\d+", "0", text))


_SPOKEN = re.compile(r"""(?<!\w)(?:'[^'\\]*'|"[^"\\]*")|[fF](?:'[^'\\]*'|"[^"\\]*")|#.*""")


def code(line: str) -> str:
    """Return a line without its comment and its strings, but for the places in f-strings."""

    def places(found: re.Match[str]) -> str:
        return " ".join(re.findall(r"\{[^}]*\}", found[0])) if found[0][0] in "fF" else ""

    return _SPOKEN.sub(places, line)


def names_in(lines: Iterable[str]) -> set[str]:
    """List the names that code has, not what strings and comments speak of."""
    return {word for line in lines for word in re.findall(r"[^\W\d]\w*", code(line))}


def unpacking(names: Sequence[str], value: str, lines: Sequence[str]) -> list[str]:
    """`a, _, b = value`, with `_` for what no line reads; over several lines where it is long."""
    read = names_in(lines)
    names = [name if name in read else "_" for name in names]
    if set(names) <= {"_"}:
        return [value] if value.endswith(")") else []
    line = f"{', '.join(names)}{',' if len(names) == 1 else ''} = {value}"
    if width(line) <= WIDTH:
        return [line]
    return write_list("(", names, f") = {value}")


def beside(lines: Sequence[str], comment: str, mark: str = "") -> list[str]:
    """Put a comment behind a statement, or above it where the line would be long; its mark too."""
    if not comment:
        return [f"{lines[0]}  #{mark}", *lines[1:]] if mark and lines else list(lines)
    if len(lines) == 1 and width(lines[0]) + width(comment) + 4 <= WIDTH:
        return [f"{lines[0]}  # {comment}{mark}"]
    return [f"# {comment}{mark}", *lines]


def write_list(opening: str, items: Sequence[str], closing: str) -> list[str]:
    """Write items between brackets, on one line where they fit."""
    line = f"{opening}{', '.join(items)}{closing}"
    if width(line) <= WIDTH:
        return [line]
    rows = textwrap.wrap(", ".join(items) + ",", 92, break_long_words=False, break_on_hyphens=False)
    return [opening, *(f"    {row}" for row in rows), closing.removeprefix(",")]
