"""Blocks of the parts of a source: one for all parts that differ in sizes and names alone.

What differs between the uses of a block is known when compiling: where it is the size of an axis of
an argument, the block binds it; else it is an argument of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from graphc.elaborate.names.standard import StandardBlocks
from graphc.importing.terms import expression_of
from graphc.ops import FUNCTIONS
from graphc.records import dataclass, replace
from graphc.source import Span
from graphc.syntax import tree

AXES = {4: "NCHW", 5: "NCDHW"}
"""What the axes of an array of so many are called: samples, channels, and those of an image."""
LETTERS = ("K", "M", "P", "Q", "R", "S", "U", "V")
PLAIN = """
    mean var sum sqrt exp log tanh sigmoid relu gelu gelu_tanh silu softmax log_softmax abs square
    maximum minimum where logsumexp relu6 softplus elu selu
"""
ANYWHERE = frozenset(PLAIN.split())
"""Functions of which a block does not count the axes before those that it names."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A part that is written down: what will be a block, or is one already up to sizes."""

    kind: str
    ports: tuple[tree.Port, ...]
    results: tuple[tree.Port, ...]
    body: tuple[tree.Statement, ...]
    sizes: tuple[tuple[str, tree.Expr], ...] = ()  # dims that no port binds, and what is passed


@dataclass(frozen=True, slots=True)
class Applied:
    """How a part is written where it is used: the block, and what it gets besides values."""

    block: str
    sizes: tuple[tuple[str, tree.Expr], ...]


def settled(
    drafts: Sequence[Draft], fresh: Callable[[str], str], general: Callable[[str], bool]
) -> tuple[list[tree.Block], list[Applied]]:
    """Return the blocks of drafts, and how each draft is applied."""
    clusters: dict[Any, list[int]] = {}
    opened = [_with_open_axes(one) if general(one.kind) else one for one in drafts]
    for place, one in enumerate(opened):
        numbers = [number for number, _ in _integers(_parts(one))]
        form = _skeleton(_renamed(one))
        key = (one.kind, form, () if general(one.kind) else tuple(numbers))
        clusters.setdefault(key, []).append(place)
    blocks = list[tree.Block]()
    applied: list[Any] = [None] * len(drafts)
    for places in clusters.values():
        block, sizes = _block([opened[at] for at in places], fresh)
        blocks.append(block)
        for at, said in zip(places, sizes, strict=True):
            applied[at] = Applied(block.name.text, (*opened[at].sizes, *said))
    return blocks, applied


def _renamed(draft: Draft) -> Any:
    """Return the parts of a draft with numbers for names that say nothing outside of it."""
    local = [port.name.text for port in (*draft.ports, *draft.results)]
    for one in draft.body:
        local += [name.text for name in one.targets] if isinstance(one, tree.Equation) else []
    numbers = {name: f"%{at}" for at, name in enumerate(dict.fromkeys(local))}
    return _with_names(_parts(draft), numbers)


def _with_names(part: Any, names: Mapping[str, str]) -> Any:
    if isinstance(part, tuple):
        return tuple(_with_names(one, names) for one in part)
    if isinstance(part, tree.Argument) and part.name is not None:
        return replace(part, value=_with_names(part.value, names))
    if isinstance(part, tree.Call):
        return replace(part, arguments=_with_names(part.arguments, names))
    if isinstance(part, tree.Ident | tree.Name):
        return replace(part, text=names.get(part.text, part.text))
    if is_dataclass(part) and not isinstance(part, type | Span):
        return replace(part, **{name: _with_names(one, names) for name, one in _children(part)})
    return part


def word_of(kind: str) -> str:
    """Return what the block of a kind of part is called: `layer_norm` of `LayerNorm`."""
    plain = re.sub(
        r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", kind.rpartition(".")[2]
    ).lower()
    plain = re.sub(r"\W+", "_", plain).strip("_") or "part"
    if plain[0].isdigit():
        plain = f"n{plain}"
    return f"{plain}_layer" if plain in FUNCTIONS or plain in StandardBlocks() else plain


def _parts(draft: Draft) -> tuple[Any, ...]:
    return (draft.ports, draft.results, draft.body)


def _block(
    drafts: Sequence[Draft], fresh: Callable[[str], str]
) -> tuple[tree.Block, list[tuple[tuple[str, tree.Expr], ...]]]:
    """Return one block for drafts that are the same but for integers, and each one's sizes."""
    first = drafts[0]
    rows = [[number for number, _ in _integers(_parts(one))] for one in drafts]
    columns = [*zip(*rows, strict=True)]
    contexts = [context for _, context in _integers(_parts(first))]
    arguments = [one for one in _records(_parts(first)) if isinstance(one, tree.Argument)]
    named = {one.name.text for one in arguments if one.name is not None}
    taken = {one.text for one in _idents(_parts(first)) if one.text not in named}
    taken |= {name for name, _ in first.sizes}
    symbols: dict[tuple[int, ...], str] = {}
    bound = set[str]()
    for column, context in zip(columns, contexts, strict=True):
        if len({*column}) > 1 and column not in symbols:
            word = _symbol(context, taken)
            symbols[column] = word
            taken.add(word)
        if len({*column}) > 1 and context[0] == "ports":
            bound.add(symbols[column])
    words = iter([symbols.get(column) for column in columns])
    ports, results, body = _refilled(_parts(first), words)
    place = drafts[0].ports[0].span if drafts[0].ports else drafts[0].results[0].span
    passed = [(word, column) for column, word in symbols.items() if word not in bound]
    kind = tree.TypeOf(place, tree.Ident(place, "int"), None)
    sizes = [name for name, _ in first.sizes] + [word for word, _ in passed]
    extra = tuple(tree.Port(place, tree.Ident(place, word), kind, None, None) for word in sizes)
    name = tree.Ident(place, fresh(word_of(first.kind)))
    block = tree.Block(place, name, (*ports, *extra), results, body)
    said = [
        tuple((word, expression_of(column[at], place)) for word, column in passed)
        for at in range(len(drafts))
    ]
    return block, said


def _symbol(context: tuple[Any, ...], taken: set[str]) -> str:
    """Return what a size is called by where it stands: in an argument, or as an axis."""
    if context[0] == "argument":
        wanted = [str(context[1])]
    elif context[0] == "ports":
        _, axis, rank = context
        wanted = [AXES[rank][axis]] if rank in AXES else []
        wanted += LETTERS
    elif context[0] == "results":
        _, axis, rank = context
        wanted = ["width" if axis == rank - 1 else "channels" if axis == 1 and rank > 2 else "size"]
    else:
        wanted = ["width" if context[0] == "body" and context[1:] and context[1] == 0 else "size"]
    named = [word for word in wanted if word not in taken and word not in FUNCTIONS]
    if named:
        return named[0]
    number = 2
    while f"{wanted[0]}_{number}" in taken:
        number += 1
    return f"{wanted[0]}_{number}"


# ---- integers in trees --------------------------------------------------------------------------


def _children(part: Any) -> Iterator[tuple[str, Any]]:
    for one in fields(part):
        if one.name != "span":
            yield one.name, getattr(part, one.name)


def _is_integer(part: Any) -> bool:
    return isinstance(part, tree.Number) and isinstance(part.value, int)


def _is_fixed(part: Any) -> bool:
    """True if integers in a part say what is computed, not how much of it."""
    if isinstance(part, tree.Argument) and part.name is not None:
        return part.name.text in ("axis", "axes", "k")
    powers = isinstance(part, tree.Binary) and part.op == "**"
    return powers or isinstance(part, tree.Unary | tree.Subscript)


def _integers(part: Any, context: tuple[Any, ...] = ("",)) -> Iterator[tuple[int, Any]]:
    """Yield the integers that may differ between uses, with where they stand."""
    if _is_integer(part):
        yield part.value, context
    elif isinstance(part, tuple):
        sections = context == ("",) and len(part) == 3
        for one, name in zip(part, ("ports", "results", "body"), strict=False) if sections else ():
            yield from _integers(one, (name,))
        for one in () if sections else part:
            yield from _integers(one, context)
    elif isinstance(part, tree.TypeOf):
        for axis, one in enumerate(part.axes or ()):
            whole = (context[0], axis, len(part.axes or ()))
            yield from _integers(one, whole if _is_integer(one) else ("inside",))
    elif is_dataclass(part) and not isinstance(part, Span) and not _is_fixed(part):
        if isinstance(part, tree.Argument) and part.name is not None:
            context = ("argument", part.name.text)
        for _, one in _children(part):
            yield from _integers(one, context)


def _refilled(part: Any, words: Iterator[str | None]) -> Any:
    """Return a part in which the integers are replaced by the words, where there is one."""
    if _is_integer(part):
        word = next(words)
        return part if word is None else tree.Name(part.span, word)
    if isinstance(part, tuple):
        return tuple(_refilled(one, words) for one in part)
    if is_dataclass(part) and not isinstance(part, type | Span) and not _is_fixed(part):
        changed = {name: _refilled(one, words) for name, one in _children(part)}
        return replace(part, **changed)
    return part


def _skeleton(part: Any, fixed: bool = False) -> Any:
    """Return what is the same of two parts where they differ in integers alone."""
    if _is_integer(part) and not fixed:
        return "#"
    if isinstance(part, tuple):
        return tuple(_skeleton(one, fixed) for one in part)
    if is_dataclass(part) and not isinstance(part, type | Span):
        inner = fixed or _is_fixed(part)
        return (type(part), *(_skeleton(one, inner) for _, one in _children(part)))
    return part


def _idents(part: Any) -> Iterator[Any]:
    if isinstance(part, tuple):
        for one in part:
            yield from _idents(one)
    elif is_dataclass(part) and not isinstance(part, Span):
        if isinstance(part, tree.Ident | tree.Name):
            yield part
        for _, one in _children(part):
            yield from _idents(one)


# ---- leading axes -------------------------------------------------------------------------------


def _with_open_axes(draft: Draft) -> Draft:
    """Return a draft with `...` for leading axes that it does not name, where that is plain."""
    if len(draft.ports) != 1 or len(draft.results) != 1 or draft.sizes:
        return draft
    port, result = draft.ports[0], draft.results[0]
    axes, ends = port.type.axes or (), result.type.axes or ()
    kept = 1 if _kind(port.type) == "float" else 0
    lead = axes[: len(axes) - kept]
    if not lead or [*map(_skeleton_of_axis, lead)] != [*map(_skeleton_of_axis, ends[: len(lead)])]:
        return draft
    if len(ends) != len(lead) + 1 or not _counts_from_the_end(draft.body):
        return draft
    named = {one.text for one in _idents(lead)}
    if any(one.text in named for one in _idents((draft.body, axes[len(lead) :], ends[-1]))):
        return draft
    dots = tree.Dots(port.span)
    opened = replace(port, type=replace(port.type, axes=(dots, *axes[len(lead) :])))
    ended = replace(result, type=replace(result.type, axes=(dots, ends[-1])))
    return replace(draft, ports=(opened,), results=(ended,))


def _skeleton_of_axis(axis: Any) -> Any:
    return axis.value if _is_integer(axis) else _skeleton(axis)


def _kind(type: tree.TypeOf) -> str:
    return type.kind.text if type.kind is not None else "float"


def _counts_from_the_end(body: Any) -> bool:
    """True if a body names axes from the end alone, and does not move any."""
    for one in _records(body):
        if isinstance(one, tree.Call) and isinstance(one.function, tree.Name):
            if one.function.text not in ANYWHERE:
                return False
        elif isinstance(one, tree.Argument) and one.name is not None:
            if one.name.text == "axis" and not isinstance(one.value, tree.Unary):
                return False
        elif isinstance(one, tree.Subscript):
            plain = [part for part in one.indices if isinstance(part, tree.Name)]
            if len(plain) != len(one.indices) or len(plain) != 1:
                return False
    return True


def _records(part: Any) -> Iterator[Any]:
    if isinstance(part, tuple):
        for one in part:
            yield from _records(one)
    elif is_dataclass(part) and not isinstance(part, Span):
        yield part
        for _, one in _children(part):
            yield from _records(one)


def port_of(name: str, type: tree.TypeOf, place: Span) -> tree.Port:
    return tree.Port(place, tree.Ident(place, name), type, None, None)


def bare(types: Sequence[tree.TypeOf]) -> set[str]:
    """Return the dims that types of arguments bind: those that are the whole of an axis."""
    return {axis.text for type in types for axis in type.axes or () if isinstance(axis, tree.Name)}


def renamed(types: Sequence[tree.TypeOf], taken: set[str]) -> Mapping[Any, tree.Name]:
    """Return names for the axes that are made of dims which no argument binds by itself."""
    bound, found = bare(types), dict[Any, tree.Name]()
    letters = iter([letter for letter in LETTERS if letter not in taken])
    for type in types:
        for axis in type.axes or ():
            if isinstance(axis, tree.Name | tree.Number | tree.Dots):
                continue
            if {one.text for one in _idents((axis,))} <= bound or _skeleton(axis, True) in found:
                continue
            found[_skeleton(axis, True)] = tree.Name(type.span, next(letters))
    return found


def with_axes(type: tree.TypeOf, names: Mapping[Any, tree.Name]) -> tree.TypeOf:
    """Return a type whose axes have these names."""
    axes = tuple(names.get(_skeleton(axis, True), axis) for axis in type.axes or ())
    return replace(type, axes=axes if type.axes is not None else None)
