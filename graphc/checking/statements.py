"""Which statement of an edited function is not as graphc wrote it, here or in what it calls."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher

from graphc.records import dataclass


@dataclass(frozen=True, slots=True)
class Changed:
    """The line of a statement, what stood in its place, and the place of the graph it is of."""

    line: int
    expected: str
    place: str


def changed_statement(
    name: str, written: str, edited: str, places: Mapping[int, str]
) -> Changed | None:
    """Find the first statement that is another, in a function or what it calls.

    None where nothing is, or where what was edited was not written by graphc.
    """
    before, after = _functions(written), _functions(edited)
    for one in _called(name, before):
        if one in before and one in after:
            found = _first(before[one], after[one], written, edited, places)
            if found is not None:
                return found
    return None


def _functions(text: str) -> dict[str, ast.FunctionDef]:
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return {}
    return {one.name: one for one in tree.body if isinstance(one, ast.FunctionDef)}


def _called(name: str, functions: Mapping[str, ast.FunctionDef]) -> Iterator[str]:
    """Yield a function and the private ones that it reads, nearest first."""
    seen, pending = {name}, [name]
    while pending:
        one = pending.pop(0)
        yield one
        for node in ast.walk(functions[one]) if one in functions else ():
            if isinstance(node, ast.Name) and node.id in functions and node.id not in seen:
                seen.add(node.id)
                pending.append(node.id)


def _first(
    before: ast.FunctionDef,
    after: ast.FunctionDef,
    written: str,
    edited: str,
    places: Mapping[int, str],
) -> Changed | None:
    """Find the first statement that is another than before; comments and layout do not count."""
    old, new = [*_statements(before)], [*_statements(after)]
    matcher = SequenceMatcher(None, [*map(_key, old)], [*map(_key, new)], autojunk=False)
    for kind, i, end, j, _ in matcher.get_opcodes():
        if kind == "equal":
            continue
        here = new[min(j, len(new) - 1)] if new else after
        before_lines = _lines(written, old[i]) if i < end else [""]
        after_lines = _lines(edited, here)
        pairs = zip(before_lines, after_lines, strict=False)
        offset = next((n for n, (one, other) in enumerate(pairs) if one != other), 0)
        line, expected = here.lineno + offset, before_lines[offset]
        above = range(old[min(i, len(old) - 1)].lineno, before.lineno, -1)
        place = next((places[number] for number in above if number in places), "")
        return Changed(line, expected, place)
    return None


def _statements(function: ast.FunctionDef) -> Iterator[ast.stmt]:
    """Yield all statements in order, those inside others behind them, without docstrings."""
    pending: list[ast.stmt] = [*function.body]
    while pending:
        one = pending.pop(0)
        if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant)):
            yield one
        pending = _inside(one) + pending


def _lines(text: str, one: ast.stmt) -> list[str]:
    """Return the lines of a statement without comments; of a loop or a branch its first."""
    found = (ast.get_source_segment(text, one) or "").split("\n")
    return [line.partition("  #")[0].strip() for line in (found[:1] if _inside(one) else found)]


def _inside(one: ast.stmt) -> list[ast.stmt]:
    """Return the statements of a loop, a branch, a function."""
    return [*getattr(one, "body", ()), *getattr(one, "orelse", ())]


def _key(one: ast.stmt) -> str:
    """Write what a statement says itself; what stands inside says more."""
    fields = [value for name, value in ast.iter_fields(one) if name not in ("body", "orelse")]
    parts = [part for value in fields for part in (value if isinstance(value, list) else [value])]
    said = [ast.dump(part) if isinstance(part, ast.AST) else repr(part) for part in parts]
    return " ".join([type(one).__name__, *said])
