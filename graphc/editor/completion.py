"""What may come next at a place: names, operations, blocks, dims, paths, words of the language."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from graphc.editor.analysis import Analysis
from graphc.editor.names import Scope, Symbol
from graphc.editor.navigation import standard_blocks
from graphc.elaborate.names.scope import CONSTANTS
from graphc.ir.graph import Node
from graphc.kinds import CLAUSES, RULES
from graphc.ops import FUNCTIONS
from graphc.records import dataclass, field, replace
from graphc.source import Source, Span
from graphc.syntax import tree
from graphc.syntax.format.canonical import one_line
from graphc.syntax.mistakes.error_site import KEYWORDS

STATEMENTS = (
    "dim", "const", "input", "param", "output", "instance", "block", "repeat", "scan", "if",
    "require", "derive", "import", "from", "next", "collect", "until", "rule",
)  # fmt: skip
TYPES = ("float", "int", "bool")


@dataclass(frozen=True, slots=True)
class Choice:
    """What may be written: its kind, a few words beside it, and a text about it."""

    text: str
    kind: str
    detail: str = ""
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """What completion knows of a file: its analysis, its parameters' paths, files beside it."""

    analysis: Analysis
    paths: tuple[str, ...] = ()
    blocks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by imported file
    files: Callable[[], Sequence[str]] = tuple


def completion(source: Source, offset: int, known: Known, before: int) -> list[Choice]:
    """List what may come at an offset of a text, which was at `before` when it was analysed."""
    start = max(source.text.rfind("\n", 0, offset), source.text.rfind(";", 0, offset)) + 1
    line = source.text[start:offset].lstrip()
    found = _choices(line, known, known.analysis.names.scope_at(before))
    return list({one.text: one for one in found}.values())


def _choices(line: str, known: Known, scope: Scope) -> Iterator[Choice]:
    """Yield what may follow the beginning of a statement."""
    string = re.fullmatch(r'(?:import|from)\s+"[^"]*', line)
    if string:
        yield from (Choice(name, "file") for name in known.files())
        return
    if re.sub(r'"[^"]*"', "", line).count('"') % 2 or "#" in re.sub(r'"[^"]*"', "", line):
        return
    taken = re.fullmatch(r'from\s+"([^"]*)"\s+import\s+.*', line)
    if taken:
        yield from (Choice(name, "block") for name in known.blocks.get(taken[1], ()))
        return
    word = re.search(r"[\w.*]*$", line)
    path = word[0] if word else ""
    if line.startswith("derive"):
        yield from _clause(line, known, scope)
    elif "." in path and not path[0].isdigit():
        yield from _below(path.rpartition(".")[0].split("."), known, scope)
    elif line.startswith("rule ") and line.count(" ") == 1:
        yield from (Choice(name, "keyword") for name in RULES)
    elif re.match(r"(input|param|output)\b", line) and re.search(r":\s*\w*$", line):
        yield from (Choice(name, "type") for name in TYPES)
    elif _in_shape(line):
        yield from (one for one in _names(scope, known) if one.kind in ("dim", "constant", "port"))
    else:
        if re.fullmatch(r"\w*", line):
            yield from (Choice(name, "keyword") for name in STATEMENTS)
        yield from _arguments(line, known, scope)
        yield from _names(scope, known)
        yield from _callables(known)
        words = set(KEYWORDS.split()) - set(STATEMENTS)
        yield from (Choice(name, "keyword") for name in sorted(words))


def _in_shape(line: str) -> bool:
    """True in the brackets of a type."""
    opened = line.rfind("[")
    return opened > line.rfind("]") and bool(re.search(r":\s*\w*\s*$", line[:opened]))


def _clause(line: str, known: Known, scope: Scope) -> Iterator[Choice]:
    """Yield the words of a derive clause."""
    if re.fullmatch(r"derive\s*\w*", line):
        yield from (Choice(name, "keyword", kind.meaning) for name, kind in CLAUSES.items())
    elif re.search(r"\bwrt\b", line) and not re.search(r"\bper\s+\w*$|\bas\b", line):
        yield Choice("params", "keyword", "all parameters")
        yield from (Choice(path, "parameter") for path in known.paths)
        yield from (one for one in _names(scope, known) if one.kind in ("input", "value", "loop"))
        yield from (Choice(name, "keyword") for name in ("per", "as"))
    elif re.search(r"\bper\s+\w*$", line):
        yield from (one for one in _names(scope, known) if one.kind == "dim")
    else:
        yield from (one for one in _names(scope, known) if one.kind in ("output", "value"))
        yield from (Choice(name, "keyword") for name in ("wrt", "per", "as"))


def _names(scope: Scope, known: Known) -> Iterator[Choice]:
    """Yield the names that are seen in a scope, with their types."""
    for symbol in scope.visible().values():
        yield _choice(symbol, known)


def _choice(symbol: Symbol, known: Known) -> Choice:
    detail = known.analysis.type_of(symbol)
    if isinstance(symbol.statement, tree.Block) and symbol.kind == "block":
        return replace(_of_block(symbol.statement), text=symbol.name)
    doc = getattr(symbol.statement, "doc", None)
    return Choice(symbol.name, symbol.kind, detail, doc.value if isinstance(doc, tree.Text) else "")


def _callables(known: Known) -> Iterator[Choice]:
    """Yield operations, standard blocks and constants."""
    for name, function in FUNCTIONS.items():
        yield Choice(name, "function", function.signature, function.doc)
    for block in standard_blocks().values():
        yield _of_block(block)
    for name in CONSTANTS:
        yield Choice(name, "constant")


def _of_block(block: tree.Block) -> Choice:
    start, end = block.name.span.start, block.results[-1].span.end
    doc = next((one.text for one in block.body[:1] if isinstance(one, tree.Doc)), "")
    detail = one_line(Span(block.span.source, start, end).text)
    return Choice(block.name.text, "block", detail, doc)


def _arguments(line: str, known: Known, scope: Scope) -> Iterator[Choice]:
    """Yield the arguments by name of the call that the place is in."""
    depth = 0
    for at in range(len(line) - 1, -1, -1):
        depth += (line[at] in ")]}") - (line[at] in "([{")
        if depth < 0:
            callee = re.search(r"(\w+)\s*$", line[:at])
            if line[at] == "(" and callee:
                yield from _ports(callee[1], scope)
            return


def _ports(name: str, scope: Scope) -> Iterator[Choice]:
    symbol = scope.visible().get(name)
    block = symbol.statement if symbol else standard_blocks().get(name)
    if isinstance(block, tree.Block):
        for port in block.ports:
            yield Choice(f"{port.name.text}=", "argument", one_line(port.span.text))
    elif name in FUNCTIONS:
        for one in FUNCTIONS[name].parameters:
            yield Choice(f"{one.name}=", "argument", FUNCTIONS[name].signature)


def _below(words: Iterable[str], known: Known, scope: Scope) -> Iterator[Choice]:
    """Yield what may follow a name and a point: names inside, blocks of a file, parameters."""
    first, *rest = words
    symbol = (
        scope.find(first)
        or scope.visible().get(first)
        or known.analysis.names.file.names.get(first)
    )
    if symbol is not None and symbol.module:
        yield from (Choice(name, "block") for name in known.blocks.get(symbol.module, ()))
        return
    prefix = ".".join((first, *rest)) + "."
    below = [path.removeprefix(prefix) for path in known.paths if path.startswith(prefix)]
    yield from (Choice(path.partition(".")[0], "parameter") for path in below)
    for word in rest:
        symbol = symbol.inside.names.get(word) if symbol and symbol.inside else symbol
    if symbol is not None and symbol.inside is not None:
        kinds = ("parameter", "value", "loop", "instance")
        inside = [_choice(one, known) for one in symbol.inside.names.values()]
        yield from (one for one in inside if one.kind in kinds)
    if symbol is None or isinstance(known.analysis.value(symbol), Node):
        yield Choice("T", "parameter", "the transpose")


def paths_of(analysis: Analysis) -> tuple[str, ...]:
    """List the paths that a clause may differentiate by; of a sound file."""
    model = analysis.compilation.stated
    params = [path for one in model.params for path in (*one.paths[:1], one.name)]
    starred = {f"{path.rpartition('.')[0]}.*" for path in params if "." in path}
    return (*dict.fromkeys(params), *sorted(starred))
