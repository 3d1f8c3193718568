"""From a sheet to the tree of a file: blocks of the parts of the source, then what uses them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from graphc.importing.blocks import Draft, bare, port_of, renamed, settled, with_axes
from graphc.importing.grouped import grouped, loop_indices, uses_in
from graphc.importing.items import (
    Given,
    Item,
    ModuleCall,
    Repeated,
    Used,
    Value,
    keys_of,
    live,
    made,
    walk,
)
from graphc.importing.naming import Names, name_for
from graphc.importing.sheet import Book, Sheet
from graphc.importing.terms import expression_of, type_of
from graphc.importing.written import Shared, Writing
from graphc.records import replace
from graphc.source import Span
from graphc.syntax import tree


def file_of(
    sheet: Sheet,
    outputs: Sequence[tuple[str, Value]],
    doc: str,
    derive: Sequence[tree.Derive] = (),
    general: Callable[[str], bool] = bool,
) -> tuple[tree.File, dict[str, str]]:
    """Return the tree of a sheet with these outputs, and the paths of parameters by key.

    Parts of which `general` is true of the kind are one block where they differ in sizes alone.
    """
    place, book = sheet.place, sheet.book
    dims = [info.name for info in book.context.dims.values()]
    names = Names({*dims})
    wanted = _inner_names(book) | book.names
    keys = list(_output_keys(sheet, [value for _, value in outputs]))
    rules = {one.rule for stated in book.rules.values() for one in stated}
    items = grouped(live(sheet.items, {*keys} | rules), {*keys}, book)
    params = {one.keys[0] for one in sheet.items if isinstance(one, Given) and one.kind == "param"}
    shared = Shared(book, params, dims)
    written = Writing(wanted, names, shared)
    written.take_given(items)
    named = {key: names.fresh(name) for key, (name, _) in zip(keys, outputs, strict=True)}
    blocks = _blocks(shared, items, _block_names(items, names), place, general)
    body = written.statements(items, place, {*keys}, named)
    statements: list[tree.Statement] = [tree.Doc(place, doc)] if doc else []
    statements += blocks
    used = {one.text for one in walk(body) if isinstance(one, tree.Name)}
    idents = tuple((tree.Ident(place, dim), None) for dim in dims if dim in used)
    if idents:
        statements.append(tree.DimDeclaration(place, idents, None))
    body = _in_order(body, list(named.values()), place)
    file = tree.File(place, (*statements, *body, *derive))
    return file, {key: path for key, path in written.paths() if key in book.arrays}


def _in_order(
    body: Sequence[tree.Statement], names: Sequence[str], place: Span
) -> list[tree.Statement]:
    """Return the statements with the outputs in the order that the source has them."""
    shown = [one for one in body if isinstance(one, tree.Output)]
    if [name.text for one in shown for name in one.names] == [*names]:
        return [*body]
    found = list[tree.Statement]()
    for one in body:
        if not isinstance(one, tree.Output):
            found.append(one)
        elif one.value is not None:
            found.append(tree.Equation(place, one.names, None, one.value, None))
    idents = tuple(tree.Ident(place, name) for name in names)
    return [*found, tree.Output(place, idents, None, None, None)]


def _blocks(
    shared: Shared,
    items: Sequence[Item],
    fresh: Callable[[str], str],
    place: Span,
    general: Callable[[str], bool],
) -> list[tree.Block]:
    """Write the parts in these items, those inside before those around them."""
    found = list[tree.Block]()
    for uses in by_height(items):
        drafts = [_draft(shared, one, place) for one in uses]
        blocks, applied = settled(drafts, fresh, general)
        found += blocks
        shared.applied.update(zip((one.part for one in uses), applied, strict=True))
    return found


def _block_names(items: Sequence[Item], names: Names) -> Callable[[str], str]:
    """Return what gives blocks names: none of their uses, under which parameters lie."""
    uses = {name_for(one.part.path) for one in items if isinstance(one, Used)}
    uses |= {name_for(one.name) for one in items if isinstance(one, Repeated)}
    return lambda word: names.fresh(f"{word}_block" if word in uses else word)


def _draft(shared: Shared, used: Used, place: Span) -> Draft:
    """Write down a part by itself, as what will be a block."""
    names = Names({*shared.dims} | loop_indices(used.items))
    wanted = _names_in(shared.book, used)
    writing = Writing(wanted, names, shared, used.part.path)
    shared.writings[used.part] = writing
    params = list[tree.Param]()
    for key in used.own:
        inner = shared.book.names[key].removeprefix(f"{used.part.path}.")
        writing.called[key] = names.fresh(inner)
        ident = tree.Ident(place, writing.called[key])
        type = type_of(shared.book.types[key], place)
        if params and params[-1].type == type:
            params[-1] = replace(params[-1], names=(*params[-1].names, ident))
        else:
            params.append(tree.Param(place, (ident,), type, None, None))
    types = {key: type_of(shared.book.types[key], place) for key in (*used.arguments, *used.keys)}
    for key in used.arguments:
        name = shared.book.names[key].rpartition(".")[2] if key in shared.params else "x"
        writing.called[key] = names.fresh(wanted.get(key, name))
    given = [types[key] for key in used.arguments]
    axes = renamed(given, names.taken)
    ports = tuple(
        port_of(writing.called[key], with_axes(types[key], axes), place) for key in used.arguments
    )
    ends = [one.rule for one in used.rules]
    body = (*params, *writing.statements(used.items, place, {*used.keys}, {}, ends))
    body += tuple(
        tree.Rule(place, tree.Ident(place, one.kind), tree.Ident(place, writing.called[one.of]),
                  writing.reading(one.rule, place))
        for one in used.rules
    )  # fmt: skip
    results = tuple(
        port_of(writing.called[key], with_axes(types[key], axes), place) for key in used.keys
    )
    bound = bare([one.type for one in ports])
    named = {one.text for one in walk((ports, results, body)) if isinstance(one, tree.Name)}
    sizes = tuple((dim, tree.Name(place, dim)) for dim in shared.dims if dim in named - bound)
    return Draft(used.part.kind, ports, results, body, sizes)


def _inner_names(book: Book) -> dict[str, str]:
    """Return what parts call values that they make."""
    return {
        key: name
        for (part, key), name in book.inside.items()
        if key not in book.ports.get(part, ())
    }


def _names_in(book: Book, used: Used) -> dict[str, str]:
    """Return what a part calls its values; of its results that is not their name around it."""
    inside = book.inside
    own = {key: name for (part, key), name in inside.items() if part == used.part}
    inner = _inner_names(book) | book.names
    joined = {key for use in uses_in(used.items) for key in use.keys}
    hidden = joined | {*used.keys}
    return (
        dict.fromkeys(used.keys, "y")
        | {key: inner[key] for key in keys_of(used.items) if key in inner and key not in hidden}
        | own
    )


def _output_keys(sheet: Sheet, outputs: Sequence[Value]) -> Iterator[str]:
    """Yield the key of each output; one that is given, or twice, is a copy."""
    given = {key for item in sheet.items if isinstance(item, Given) for key in item.keys}
    seen = set[str]()
    for value in outputs:
        key = value.key
        if key in given or key in seen or key not in made(sheet.items):
            key = sheet.value(expression_of(value, value.place)).key
        seen.add(key)
        yield key


def by_height(items: Sequence[Item]) -> list[list[Used]]:
    """Return the uses in items, those that hold no others first; one for each part."""
    heights: dict[ModuleCall, int] = {}
    found: dict[ModuleCall, Used] = {}
    for one in uses_in(items):
        inner = [heights[use.part] + 1 for use in uses_in(one.items)]
        heights[one.part] = max(inner, default=0)
        found[one.part] = one
    levels = range(max(heights.values(), default=-1) + 1)
    return [[one for part, one in found.items() if heights[part] == level] for level in levels]
