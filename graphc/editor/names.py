"""The names of a file and where they stand, by the text alone: also of what is not elaborated."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, is_dataclass

from graphc.elaborate.names.references import defined_names
from graphc.records import dataclass, field
from graphc.source import Span
from graphc.syntax import terms, tree

Foreign = tuple[str, str]  # an imported file, as it is written, and the name of a block there


@dataclass(slots=True, eq=False)
class Symbol:
    """A name, what kind of thing it is, and its places, those that define it first.

    `statement` is what defines it. `inside` are the names below it: of a block those of its body,
    of a loop's family those of a step, of what a block made those of the block. `foreign` says
    which block of another file it is, `module` which file as a whole.
    """

    name: str
    kind: str
    defined: list[Span] = field(default_factory=list)
    used: list[Span] = field(default_factory=list)
    statement: tree.Statement | None = None
    inside: Scope | None = None
    foreign: Foreign | None = None
    module: str = ""

    @property
    def places(self) -> list[Span]:
        return [*self.defined, *self.used]


@dataclass(slots=True, eq=False)
class Scope:
    """The names of a file, a block or a step of a loop; only a step sees what surrounds it."""

    span: Span
    outer: Scope | None = None
    names: dict[str, Symbol] = field(default_factory=dict)

    def find(self, name: str) -> Symbol | None:
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.outer
        return None

    def visible(self) -> dict[str, Symbol]:
        """Return all that is seen from here, by name."""
        return {**(self.outer.visible() if self.outer else {}), **self.names}


@dataclass(frozen=True, slots=True)
class Names:
    """The symbols of a file, its scopes, and what stands for blocks of other files."""

    file: Scope
    scopes: tuple[Scope, ...]
    symbols: tuple[Symbol, ...]
    foreign: tuple[tuple[Foreign, Span], ...]
    occurrences: tuple[tuple[Span, Symbol], ...]  # in the order of the text
    starts: tuple[int, ...]  # of these

    def at(self, offset: int) -> tuple[Symbol, Span] | None:
        """Return the symbol at a place, or just before it, and its span there."""
        place = bisect_right(self.starts, offset) - 1
        if place >= 0:
            span, symbol = self.occurrences[place]
            if span.start <= offset <= span.end:
                return symbol, span
        return None

    def scope_at(self, offset: int) -> Scope:
        """Return the innermost scope around a place."""
        around = [one for one in self.scopes if one.span.start <= offset <= one.span.end]
        return min(around, key=lambda one: one.span.end - one.span.start, default=self.file)


def names_of(file: tree.File) -> Names:
    """Find the names of a file."""
    return _Walk(file).names()


class _Walk:
    """A walk over the statements of a file, scope by scope."""

    def __init__(self, file: tree.File) -> None:
        self.top = Scope(file.span)
        self.scopes = [self.top]
        self.blocks: dict[str, Symbol] = {}
        self.symbols: list[Symbol] = []
        self.foreign: list[tuple[Foreign, Span]] = []
        self.statements = file.statements

    def names(self) -> Names:
        for statement in self.statements:
            self.callables(statement)
        for statement in self.statements:
            if isinstance(statement, tree.Block):
                self.block(statement)
        self.body(self.statements, self.top)
        for symbol in self.blocks.values():
            self.top.names.setdefault(symbol.name, symbol)
        found = {(span.start, span.end): (span, one) for one in self.symbols for span in one.places}
        occurrences = tuple(sorted(found.values(), key=lambda one: one[0].start))
        starts = tuple(span.start for span, _ in occurrences)
        known = tuple(self.scopes), tuple(self.symbols), tuple(self.foreign)
        return Names(self.top, *known, occurrences, starts)

    # ---- what defines names ----------------------------------------------------------------------

    def symbol(
        self, scope: Scope, name: tree.Ident, kind: str, by: tree.Statement | None = None
    ) -> Symbol:
        """Define a name in a scope, perhaps once more."""
        found = scope.names.get(name.text)
        if found is None:
            found = scope.names[name.text] = Symbol(name.text, kind, statement=by)
            self.symbols.append(found)
        if name.span not in found.defined:
            found.defined.append(name.span)
        return found

    def callables(self, statement: tree.Statement) -> None:
        """Define blocks and imports, which have names of their own."""
        match statement:
            case tree.Block(name=name):
                self.callable(name, "block", statement)
            case tree.Import(path=path, name=name):
                self.callable(name, "file", statement).module = path.value
            case tree.FromImport(path=path, names=names):
                for name, alias in names:
                    one = self.callable(alias, "block", statement)
                    one.foreign = (path.value, name.text)
                    if name.span != alias.span:
                        self.foreign.append((one.foreign, name.span))

    def callable(self, name: tree.Ident, kind: str, by: tree.Statement) -> Symbol:
        one = self.blocks.get(name.text)
        if one is None:
            one = self.blocks[name.text] = Symbol(name.text, kind, statement=by)
            self.symbols.append(one)
        one.defined.append(name.span)
        return one

    def block(self, block: tree.Block) -> None:
        """Define what a block holds: ports, results, what its body names, and its dims."""
        scope = Scope(block.span)
        self.scopes.append(scope)
        owner = self.blocks[block.name.text]
        owner.inside = owner.inside or scope
        for port in block.ports:
            self.symbol(scope, port.name, "port", block)
        for port in block.ports:
            for axis in port.type.axes or ():
                if isinstance(axis, tree.Name):
                    if axis.text not in scope.names:
                        self.symbol(scope, tree.Ident(axis.span, axis.text), "dim", block)
                    else:
                        self.use(scope, axis.text, axis.span)
                else:
                    self.terms([axis], scope)
            self.terms([port.default], scope)
        self.body(block.body, scope)
        for result in block.results:
            self.symbol(scope, result.name, "result", block)
            self.terms(result.type.axes or (), scope)

    def body(self, statements: Sequence[tree.Statement], scope: Scope) -> None:
        """Define the names of statements, then look at those that they use."""
        for statement in _through_branches(statements):
            for name in defined_names(statement):
                self.symbol(scope, name, _kind_of(statement, name), statement)
        for statement in _through_branches(statements):
            self.statement(statement, scope)

    def statement(self, statement: tree.Statement, scope: Scope) -> None:
        """Look at what a statement uses."""
        match statement:
            case tree.Repeat() | tree.Scan():
                self.loop(statement, scope)
            case tree.If(condition=condition):
                self.terms([condition], scope)
            case tree.Output(names=names, value=None, type=given):
                for name in names:
                    self.use(scope, name.text, name.span)
                self.terms([given], scope)
            case tree.Next(names=names, values=values):
                for name in names:
                    self.use(scope, name.text, name.span)
                self.terms(values, scope)
            case tree.Rule(name=name, value=value):
                self.use(scope, name.text, name.span)
                self.terms([value], scope)
            case tree.Derive():
                self.derive(statement, scope)
            case tree.Block() | tree.Import() | tree.FromImport() | tree.Doc():
                pass
            case _:
                self.terms([statement], scope)
                self.tie(statement, scope)

    def loop(self, loop: tree.Repeat | tree.Scan, scope: Scope) -> None:
        """Look at a loop: what is carried is one name inside and after it."""
        inner = self.step(loop.family, loop.span, scope, loop)
        for carry in loop.carries:
            self.terms([carry.start], scope)
            inner.names[carry.name.text] = scope.names[carry.name.text]
        self.body([one for one in loop.body if not isinstance(one, tree.Doc)], inner)

    def step(
        self, family: tree.Family, span: Span, scope: Scope, by: tree.Statement | None
    ) -> Scope:
        """Make the scope of a step of a loop, below its family."""
        self.terms([family.first, family.last], scope)
        inner = Scope(span, scope)
        self.scopes.append(inner)
        self.symbol(scope, family.name, "loop", by).inside = inner
        self.symbol(inner, family.index, "index", by)
        return inner

    def derive(self, clause: tree.Derive, scope: Scope) -> None:
        for name in clause.outputs:
            self.use(scope, name.text, name.span)
        for path in clause.wrt:
            self.path(path, scope)
        if clause.per is not None:
            self.use(scope, clause.per.text, clause.per.span)

    def path(self, path: tree.Path, scope: Scope) -> None:
        """Look at the words of a path, each below the one before."""
        inside: Scope | None = scope
        words = re.finditer(r"[^\s.*]+", path.span.text)
        for number, word in enumerate(words):
            span = Span(
                path.span.source, path.span.start + word.start(), path.span.start + word.end()
            )
            if word[0].isdigit():
                continue
            if inside is None:
                return
            found = inside.names.get(word[0]) if number else inside.find(word[0])
            if found is None:
                return
            found.used.append(span)
            inside = found.inside

    # ---- what uses them --------------------------------------------------------------------------

    def use(self, scope: Scope, name: str, span: Span) -> Symbol | None:
        """Note the use of a name; None where no name of the file is meant."""
        found = scope.find(name) or self.blocks.get(name)
        if found is not None and span not in found.defined:
            found.used.append(span)
        return found

    def terms(self, roots: Iterable[object], scope: Scope) -> None:
        """Look at expressions, types and stages."""
        pending = [one for one in roots if one is not None]
        while pending:
            one = pending.pop()
            match one:
                case tuple():
                    pending.extend(one)
                case tree.Name(span=span, text=text):
                    self.use(scope, text, span)
                case tree.TypeOf(axes=axes):
                    pending.extend(axes or ())
                case tree.Member():
                    self.member(one, scope)
                case tree.Call(function=function, arguments=arguments):
                    called = self.called(function, scope)
                    for argument in arguments:
                        if argument.name is not None and called is not None and called.inside:
                            port = called.inside.names.get(argument.name.text)
                            if port is not None:
                                port.used.append(argument.name.span)
                        pending.append(argument.value)
                case tree.RepeatStage(family=family, stages=stages, span=span):
                    inner = self.step(family, span, scope, None)
                    self.stages(stages, inner)
                case tree.NextStage(name=name):
                    self.use(scope, name.text, name.span)
                case terms.Ident() | Span() | str() | int() | float() | None:
                    pass
                case _:
                    pending.extend(parts_of(one))

    def stages(self, stages: Sequence[tree.Stage], inner: Scope) -> None:
        """Look at the stages of a repeat: what `as` names there is inside."""
        chain = tree.Chain(inner.span, (), tuple(stages), (), None, None)
        for name in defined_names(chain):
            self.symbol(inner, name, "value")
        self.terms(stages, inner)
        self.tie(chain, inner)

    def called(self, function: tree.Expr, scope: Scope) -> Symbol | None:
        """Note what is called; its symbol where it is a block of this file or made by one."""
        if isinstance(function, tree.Name):
            found = self.use(scope, function.text, function.span)
            if found is not None and found.foreign is not None:
                return None
            return found
        self.terms([function], scope)
        return None

    def member(self, member: tree.Member, scope: Scope) -> None:
        """Look at `value.name`: a block of a file, or a name below another."""
        steps = [member]
        while isinstance(steps[-1].value, tree.Member):
            steps.append(steps[-1].value)
        base = steps[-1].value
        if not isinstance(base, tree.Name):
            self.terms([base], scope)
            return
        found = self.use(scope, base.text, base.span)
        for step in reversed(steps):
            if found is None:
                return
            if found.module:
                self.foreign.append(((found.module, step.name.text), step.name.span))
                return
            if not step.name.text.isdigit():
                found = found.inside.names.get(step.name.text) if found.inside else None
                if found is not None:
                    found.used.append(step.name.span)

    def tie(self, statement: tree.Statement, scope: Scope) -> None:
        """Say of names whose value a block of this file makes that its names are below them."""
        match statement:
            case tree.Equation(targets=(name,), value=tree.Call() as call):
                self.below(scope, name, call)
            case tree.Output(names=(name,), value=tree.Call() as call):
                self.below(scope, name, call)
            case tree.Instance(name=name, value=tree.Call() as call):
                self.below(scope, name, call)
            case tree.Chain(targets=(name,), stages=(*_, tree.Call() as call)):
                self.below(scope, name, call)
        pending: list[object] = [statement]
        while pending:
            one = pending.pop()
            if isinstance(one, tuple):
                pending.extend(one)
            elif isinstance(one, tree.Call) and one.name is not None:
                self.below(scope, one.name, one)
            if not isinstance(one, tree.RepeatStage | tuple):
                pending.extend(parts_of(one))

    def below(self, scope: Scope, name: tree.Ident, call: tree.Call) -> None:
        symbol = scope.names.get(name.text)
        function = call.function
        if symbol is None or symbol.inside is not None or not isinstance(function, tree.Name):
            return
        maker = scope.find(function.text) or self.blocks.get(function.text)
        if maker is not None:
            symbol.inside = maker.inside


def parts_of(record: object) -> list[object]:
    """List the parts of a record of the tree, but for its span."""
    if not is_dataclass(record) or isinstance(record, Span):
        return []
    return [getattr(record, one.name) for one in fields(record) if one.name != "span"]


def _through_branches(statements: Sequence[tree.Statement]) -> Iterator[tree.Statement]:
    """Yield the statements of a scope: also those of both branches of an `if`."""
    for statement in statements:
        yield statement
        if isinstance(statement, tree.If):
            yield from _through_branches((*statement.body, *statement.orelse))


KINDS = {
    tree.Input: "input",
    tree.Param: "parameter",
    tree.Const: "constant",
    tree.DimDeclaration: "dim",
    tree.Instance: "instance",
    tree.Output: "output",
}


def _kind_of(statement: tree.Statement, name: tree.Ident) -> str:
    """Return what a statement makes of a name that it defines."""
    if isinstance(statement, tree.Repeat | tree.Scan) and name is statement.family.name:
        return "loop"
    if isinstance(statement, tree.Output) and name not in statement.names:
        return "value"
    return KINDS.get(type(statement), "value")
