"""Names in scope and what they stand for; mistakes that stop a statement."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Any

from graphc.elaborate.names.hints import NAMES, OPEN, TYPES, member_remedy
from graphc.elaborate.names.model import Condition, Declared, DimInfo, StatedRule
from graphc.ir.dims import Dim
from graphc.ir.graph import Node
from graphc.ir.sizes import check_dim
from graphc.ir.types import known_facts, learn
from graphc.limits import Exceeded
from graphc.names import Identifiers as Names
from graphc.names import identifier
from graphc.ops import FUNCTIONS, Function
from graphc.ops.shape.members import member_node
from graphc.paths import families
from graphc.records import dataclass, field
from graphc.source import Diagnostic, Origin, Source, Span, did_you_mean, error
from graphc.syntax import tree

CONSTANTS = {"pi": math.pi, "e": math.e, "inf": math.inf}


class Mistake(Exception):
    """An error in the text; the statement that it is in defines nothing."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


class Silent(Exception):
    """The statement needs a name whose own statement is wrong: that error says enough."""


def limit_mistake(much: Exceeded, span: Span) -> Mistake:
    """Return the mistake that a limit is passed, here if no place is known."""
    return mistake("E503", much.message, much.span or span, much.help)


def mistake(code: str, message: str, span: Span, help: str | None = None) -> Mistake:
    return Mistake(error(code, message, span, help=help))


@dataclass(frozen=True, slots=True)
class BlockValue:
    """A block, as written, and what it can call."""

    tree: tree.Block
    space: Namespace


@dataclass(slots=True, eq=False)
class Namespace:
    """The blocks of a file, those that it imports, and the files that it imports as a whole.

    What is `broken` was to be a block or an import and could not.
    """

    source: Source
    blocks: dict[str, BlockValue] = field(default_factory=dict)
    modules: dict[str, Namespace] = field(default_factory=dict)
    places: dict[str, Span] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class InstanceValue:
    """A use of a block: where its parameters are, and what makes another use of it."""

    block: BlockValue
    path: str | None
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class FamilyValue:
    """What a repeat leaves behind: a namespace of parameters by iteration."""

    path: str


@dataclass(frozen=True, slots=True)
class Entry:
    """What a name stands for.

    `value` is a Node; or, known at compile time, a Dim, float, bool, str, tuple, Function,
    BlockValue, Instance or FamilyValue. A node that a block makes also has its instance.
    """

    value: Any
    span: Span
    instance: InstanceValue | None = None
    is_dim: bool = False

    @property
    def is_poisoned(self) -> bool:
        """True for a name whose statement is wrong: a mistake in it is reported already."""
        return self.value is _POISONED

    def require_sound(self) -> None:
        """Raise Silent for a poisoned name."""
        if self.is_poisoned:
            raise Silent


_POISONED = object()

_numbers: Iterator[int] = count()


@dataclass(slots=True)
class Scope:
    """The names of a file, a block or an iteration; an iteration also sees what surrounds it.

    `space` is what can be called here besides operations and standard blocks.

    `path` is the prefix of the parameters declared here, None in a block without a name, whose
    use is at `unnamed`. In a loop's body, `carried` and `nexts` are its values, `until` ends it,
    `collects` says whether it collects, and `copied` that it is of a repeat. `number` is that of
    this use of a block or copy of an iteration and of no other, whether it has a path or not.
    `labels` are the names that types have given to the axes of nodes.
    """

    path: str | None
    space: Namespace
    outer: Scope | None = None
    entries: dict[str, Entry] = field(default_factory=dict)
    nexts: dict[str, Any] | None = None
    carried: frozenset[str] = frozenset()
    until: Node | None = None
    collects: bool = False
    copied: bool = False
    unnamed: Span | None = None
    block: tree.Block | None = None
    reusing: bool = False
    number: int = field(default_factory=lambda: next(_numbers))
    labels: dict[Node, tuple[str | None, ...]] = field(default_factory=dict)

    @property
    def is_file(self) -> bool:
        return self.outer is None and self.block is None

    def poison(self, names: Iterable[tree.Ident]) -> None:
        """Keep other statements from reporting that these names are unknown."""
        for name in names:
            self.entries.setdefault(name.text, Entry(_POISONED, name.span))

    def find(self, name: str) -> Entry | None:
        scope: Scope | None = self
        while scope is not None:
            if name in scope.entries:
                return scope.entries[name]
            scope = scope.outer
        return None

    def visible(self) -> set[str]:
        names: set[str] = set()
        scope: Scope | None = self
        while scope is not None:
            names |= scope.entries.keys()
            scope = scope.outer
        return names

    def join(self, name: str) -> str | None:
        """Return the path of something called `name` here."""
        if self.path is None:
            return None
        return ".".join(filter(None, (self.path, name)))


@dataclass(slots=True)
class Context:
    """The state of one elaboration.

    `evaluate` and `body` are expressions.evaluate and body.run_body: what stands below them
    (a port's default, a block's body) needs them again. `owned` says of a node which scope has
    given it a name, by its number. `file_names` are those that the file
    defines at top level, which a block does not see. `rolling` is (index, first, count) inside a
    repeat that is a loop, where a parameter exists once for each index; `copies` is how often
    what is at hand is written out by the repeats around it, and `members` counts the parameters of
    all indices so far. `rules` are those met, by their place,
    of which `only_rule` counts alone where it is one.
    `occurrences` are the names in the text, by place, and what each stood for when last met.
    `expanded` counts the statements of blocks and steps so far, each as often as it is used;
    `derived` the operations that derivatives have made.
    """

    dtype: str
    dim_values: dict[str, int]
    const_values: dict[str, Any]
    evaluate: Callable[[Context, Scope, tree.Expr], Any]
    body: Callable[[Context, Scope, tuple[tree.Statement, ...]], None]
    file_names: frozenset[str] = frozenset()
    standard: Mapping[str, BlockValue] = field(default_factory=dict)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    dims: dict[str, DimInfo] = field(default_factory=dict)
    inputs: dict[str, Declared] = field(default_factory=dict)
    params: dict[str, Declared] = field(default_factory=dict)
    outputs: dict[str, Declared] = field(default_factory=dict)
    conditions: list[Condition] = field(default_factory=list)
    nodes: dict[str, Node] = field(default_factory=dict)
    names: dict[Node, str] = field(default_factory=dict)
    owned: dict[Node, int] = field(default_factory=dict)
    uses: list[tuple[str, Span]] = field(default_factory=list)
    origin: Origin | None = None
    surrogate: bool = False
    only_rule: str = ""
    rules: dict[str, StatedRule] = field(default_factory=dict)
    rolling: tuple[str, Dim, Dim] | None = None
    copies: int = 1
    members: int = 0
    expanded: int = 0
    derived: int = 0
    ranges: dict[str, tuple[Dim, Dim]] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)
    occurrences: dict[Span, Entry] = field(default_factory=dict)

    def fresh_index(self, name: str) -> str:
        """Return a symbol for a loop's index: no dim, no name of the file or a loop around."""
        named = map(identifier, self.file_names)
        return Names({*self.ranges, *self.dims, *named}).fresh(identifier(name))

    def rename(self, new: Mapping[Node, Node], known: Collection[str]) -> None:
        """Carry names over to nodes replaced inside a loop; paths into the loop are forgotten."""
        for old, node in new.items():
            if old in self.names:
                self.names.setdefault(node, self.names[old])
            if old in self.owned:
                self.owned.setdefault(node, self.owned[old])
        for path in [path for path in self.nodes if path not in known]:
            del self.nodes[path]

    def snapshot(self) -> tuple[Any, ...]:
        """Return what `restore` needs to undo an attempt."""
        tables = [dict(table) for table in self._tables()]
        return tables, len(self.conditions), len(self.diagnostics), known_facts()

    def restore(self, before: tuple[Any, ...]) -> None:
        """Forget what was declared and named since the snapshot."""
        tables, conditions, diagnostics, facts = before
        for table, saved in zip(self._tables(), tables, strict=True):
            table.clear()
            table.update(saved)
        del self.conditions[conditions:]
        del self.diagnostics[diagnostics:]
        learn(facts)

    def _tables(self) -> tuple[dict[Any, Any], ...]:
        return self.params, self.nodes, self.names, self.owned

    @property
    def fixed(self) -> dict[str, int]:
        return {name: info.fixed for name, info in self.dims.items() if info.fixed is not None}

    def known(self, dim: Dim) -> int | None:
        """Return the value of a dim that is known at compile time, else None."""
        value = dim.substitute(self.fixed)
        return None if value.constant is None else check_dim(value).constant

    def name_node(self, node: Node, path: str | None) -> None:
        """Give a node a name; the least nested name wins."""
        if path is None:
            return
        self.nodes.setdefault(path, node)
        before = self.names.get(node)
        if before is None or path.count(".") < before.count("."):
            self.names[node] = path

    @contextmanager
    def using(self, block: tree.Block, span: Span) -> Iterator[None]:
        """Make errors inside say in which block they are and where it was used."""
        before = self.origin
        self.uses.append((block.name.text, span))
        self.origin = Origin(span, before)
        try:
            yield
        except Mistake as wrong:
            used = f"in block `{block.name.text}`, used at {span}"
            raise Mistake(wrong.diagnostic.with_note(used)) from None
        finally:
            self.uses.pop()
            self.origin = before


def parameter(context: Context, path: str) -> Node | None:
    """Find a parameter by its path; `layer.3.W` may be one of the family `layer.*.W`."""
    if path in context.params:
        return context.params[path].node
    for name, number in families(path):
        declared = context.params.get(name)
        if declared and declared.family and number in declared.family:
            return member_node(declared.node, Dim.of(number - declared.family.start))
    return None


def parameter_paths(context: Context) -> list[str]:
    """List the paths of all parameters; of a family its first and its last."""
    paths: list[str] = []
    for declared in context.params.values():
        every = declared.paths
        paths += dict.fromkeys((every[0], every[-1]))
    return paths


def lookup(
    context: Context, scope: Scope, name: tree.Name, in_shape: bool = False, of: str = ""
) -> Entry:
    """Resolve a name, perhaps for a member `of` it; raises the mistake that nothing has it."""
    entry = scope.find(name.text)
    if entry is not None:
        entry.require_sound()
        context.read.add(name.text)
        context.occurrences[name.span] = entry
        return entry
    if name.text in CONSTANTS:
        return Entry(CONSTANTS[name.text], name.span)
    callee = find_callable(context, scope, name.text)
    if callee is not None:
        return record_callable(context, name.span, callee)
    raise unknown_name(context, scope, name.text, name.span, in_shape, of)


def unknown_name(
    context: Context, scope: Scope, name: str, span: Span, in_shape: bool, of: str
) -> Mistake:
    """Report an unknown name, with the nearest known one or why an outer one cannot be seen."""
    if context.uses and scope.block is not None and name in context.file_names:
        near: str | None = f"a block sees only its ports; pass `{name}` as an argument"
    elif in_shape:
        sizes = {known for known in scope.visible() if _is_size(scope.find(known))}
        near = OPEN if name in NAMES else did_you_mean(name, sizes)
        near = near or _declaration_help(context, scope, name, in_shape)
    elif name in NAMES:
        near = NAMES[name]
    elif name in TYPES:
        near = TYPES[name]
    elif of:
        near = did_you_mean(name, scope.visible()) or member_remedy(of)
    else:
        near = (
            did_you_mean(name, {*scope.visible(), *CONSTANTS})
            or (did_you_mean(name, FUNCTIONS) if len(name) > 1 else None)
            or _comment_help(span)
            or _declaration_help(context, scope, name, in_shape)
        )
    return mistake("E200", f"unknown name `{name}`", span, near)


def _comment_help(span: Span) -> str | None:
    """Say how a comment begins, where a name stands alone behind a `%`."""
    line = span.source.line(span.line)
    alone = line.rstrip().endswith(f"% {span.text}")
    return "a comment begins with `#`; `%` is the remainder" if alone else None


def _is_size(entry: Entry | None) -> bool:
    return entry is not None and isinstance(entry.value, Dim)


def _declaration_help(context: Context, scope: Scope, name: str, in_shape: bool) -> str | None:
    """Say how a name that resembles no other is declared."""
    if scope.block is not None:
        return None
    if in_shape:
        return f"declare it: `dim {name}`"
    return f"declare it: `input {name}: [...]`, `param {name}: [...]` or `dim {name}`"


def find_callable(context: Context, scope: Scope, name: str) -> Function | BlockValue | None:
    """Find a block of the file, a standard block or an operation, by name.

    Raises Silent for one that was to be here and could not.
    """
    if name in scope.space.broken:
        raise Silent
    return scope.space.blocks.get(name) or context.standard.get(name) or FUNCTIONS.get(name)


def record_callable(context: Context, span: Span, callee: Function | BlockValue) -> Entry:
    """Record a callable as what the name at this place stands for."""
    defined = callee.tree.name.span if isinstance(callee, BlockValue) else span
    entry = context.occurrences[span] = Entry(callee, defined)
    return entry


def callable_names(context: Context, scope: Scope) -> set[str]:
    return {*scope.space.blocks, *context.standard, *FUNCTIONS}
