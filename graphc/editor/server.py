"""The language server: what an editor asks in its protocol, answered by the files beside this."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcInvalidParams
from pygls.lsp.server import LanguageServer
from pygls.uris import from_fs_path, to_fs_path

from graphc import __version__
from graphc.editor.analysis import Analysis, GivenUp
from graphc.editor.colours import KINDS, colours, encoded
from graphc.editor.completion import completion
from graphc.editor.files import SMALL, Files, Open
from graphc.editor.fixes import fixes
from graphc.editor.generated import generated
from graphc.editor.hover import hover
from graphc.editor.navigation import Unfit, definition, import_of, references, renamed
from graphc.editor.outline import Item, folds
from graphc.editor.places import COUNTS, Count, offset, position
from graphc.editor.protocol import COMPLETIONS, SEVERITIES, SYMBOLS
from graphc.resources import grammar_path
from graphc.source import Diagnostic, GraphError, Span
from graphc.syntax import tree
from graphc.syntax.format.formatter import format_source

PAUSE = 0.2
"""Seconds without a keystroke after which a file is analysed."""

GENERATED = "graphc.generated"


class Editor:
    """One session: the files of an editor, and the server that it talks to."""

    def __init__(self) -> None:
        self.server: Any = LanguageServer("graphc", __version__)
        self.files = Files()
        self.folder = ""  # of generated modules, made when there is one
        self.waiting: dict[str, asyncio.TimerHandle] = {}
        self.running: set[str] = set()

    # ---- places ----------------------------------------------------------------------------------

    @cached_property
    def count(self) -> Count:
        """Return how the editor counts, as was agreed at the beginning."""
        encoding = self.server.workspace.position_encoding
        return COUNTS[str(getattr(encoding, "value", encoding))]

    def file(self, uri: str) -> Open:
        """Return an open file; one that is not is read."""
        path = _path(uri)
        if path not in self.files.open:
            self.files.change(path, self.server.workspace.get_text_document(uri).source)
        return self.files.open[path]

    def offset(self, file: Open, place: lsp.Position) -> int:
        return offset(file.source, (place.line, place.character), self.count)

    def range(self, span: Span) -> lsp.Range:
        first = position(span.source, span.start, self.count)
        last = position(span.source, span.end, self.count)
        return lsp.Range(lsp.Position(*first), lsp.Position(*last))

    def location(self, span: Span) -> lsp.Location:
        name = span.source.name
        path = str(grammar_path(name)) if name == "std.graph" else os.path.abspath(name)
        return lsp.Location(_uri(path), self.range(span))

    # ---- texts, and what is wrong with them ------------------------------------------------------

    def opened(self, params: lsp.DidOpenTextDocumentParams) -> None:
        root = self.server.workspace.root_path
        self.files.root = os.path.abspath(root) if root else ""
        file = self.files.change(_path(params.text_document.uri), params.text_document.text)
        self.later(file, 0)

    def changed(self, params: lsp.DidChangeTextDocumentParams) -> None:
        uri = params.text_document.uri
        text = self.server.workspace.get_text_document(uri).source
        self.later(self.files.change(_path(uri), text), PAUSE)

    def saved(self, params: lsp.DidSaveTextDocumentParams) -> None:
        self.later(self.file(params.text_document.uri), 0)

    def closed(self, params: lsp.DidCloseTextDocumentParams) -> None:
        uri = params.text_document.uri
        self.files.open.pop(_path(uri), None)
        self.publish(uri, [])

    def later(self, file: Open, seconds: float) -> None:
        """Analyse a file after a pause, and those that import it; begin the pause again."""
        for one in (file, *self.importing(file)):
            if one.path in self.waiting:
                self.waiting.pop(one.path).cancel()
            loop = asyncio.get_running_loop()
            self.waiting[one.path] = loop.call_later(seconds, self.start, one)

    def importing(self, file: Open) -> list[Open]:
        """List the open files that import another, as far as they were analysed."""
        found = []
        for one in self.files.open.values():
            if one.analysis is not None and one is not file:
                folder = Path(one.path).parent
                for statement in one.analysis.compilation.parsed.file.statements:
                    if (
                        isinstance(statement, tree.Import | tree.FromImport)
                        and os.path.abspath(folder / statement.path.value) == file.path
                    ):
                        found.append(one)
                        break
        return found

    def start(self, file: Open) -> None:
        """Analyse a file beside all else; once at a time."""
        self.waiting.pop(file.path, None)
        if file.path in self.running:
            self.later(file, PAUSE)
            return
        self.running.add(file.path)
        asyncio.get_running_loop().create_task(self.analyse(file))

    async def analyse(self, file: Open) -> None:
        source = file.source
        try:
            work = self.files.analysing(file, whole=len(source.text) <= SMALL)
            analysis = await asyncio.to_thread(work)
        except GivenUp:
            return
        finally:
            self.running.discard(file.path)
        file.take(analysis)
        if file.source is source and file.path in self.files.open:
            self.publish(_uri(file.path), analysis.told, analysis)

    def publish(
        self, uri: str, told: Iterable[Diagnostic], analysis: Analysis | None = None
    ) -> None:
        found = [self.diagnostic(one, analysis) for one in told]
        self.server.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri, found))

    def diagnostic(self, told: Diagnostic, analysis: Analysis | None) -> lsp.Diagnostic:
        """Convert a diagnostic; one of an imported file is shown where that is imported."""
        lines = [told.message, *(f"{note.kind}: {note.message}" for note in told.notes)]
        span = told.span
        related = None
        if span is not None and analysis is not None and span.source is not analysis.source:
            related = [lsp.DiagnosticRelatedInformation(self.location(span), told.message)]
            lines[0] = f"{span}: {told.message}"
            span = import_of(analysis, span.source)
        place = self.range(span) if span else lsp.Range(lsp.Position(0, 0), lsp.Position(0, 0))
        return lsp.Diagnostic(
            place,
            "\n".join(lines),
            severity=SEVERITIES[told.severity],
            code=told.code,
            source="graphc",
            related_information=related,
        )

    def actions(self, params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
        """Offer what mends the mistakes in a range, and the generated code of the name there."""
        file = self.file(params.text_document.uri)
        analysis, since = self.files.latest(file)
        start, end = (self.offset(file, at) for at in (params.range.start, params.range.end))
        found = []
        for told in analysis.told:
            for edit in fixes(told):
                place = since.forth(told.span) if told.span else None
                span = since.forth(edit.span)
                if place and span and place.start <= end and start <= place.end:
                    change = lsp.TextEdit(self.range(span), edit.text)
                    found.append(
                        lsp.CodeAction(
                            edit.title,
                            lsp.CodeActionKind.QuickFix,
                            diagnostics=[self.diagnostic(told, analysis)],
                            is_preferred=True,
                            edit=lsp.WorkspaceEdit({params.text_document.uri: [change]}),
                        )
                    )
        before = since.back(start)
        named = None if before is None else analysis.names.at(before)
        if named is not None and analysis.type_of(named[0]) and analysis.sound:
            title = f"Open the generated code of `{named[0].name}`"
            at = params.range.start
            given = [params.text_document.uri, at.line, at.character]
            command = lsp.Command(title, GENERATED, arguments=given)
            found.append(lsp.CodeAction(title, lsp.CodeActionKind.Empty, command=command))
        return found

    async def generated(self, uri: str, line: int, character: int) -> None:
        """Open the generated module at the lines of the name at a place."""
        file = self.file(uri)
        analysis, since = self.files.latest(file)
        before = since.back(self.offset(file, lsp.Position(line, character)))
        named = None if before is None else analysis.names.at(before)
        if named is None:
            raise JsonRpcInvalidParams("there is no name here")
        try:
            made = await asyncio.to_thread(generated, analysis, named[0].name)
        except GraphError as wrong:
            raise JsonRpcInvalidParams(str(wrong)) from None
        self.folder = self.folder or tempfile.mkdtemp(prefix="graphc-")
        path = Path(self.folder) / f"{Path(file.path).stem}.py"
        path.write_text(made.text, encoding="utf-8")
        at = made.lines[0] if made.lines else 0
        selected = lsp.Range(lsp.Position(at, 0), lsp.Position(at + 1, 0))
        self.server.window_show_document(
            lsp.ShowDocumentParams(_uri(str(path)), take_focus=True, selection=selected)
        )

    # ---- what is asked of a place ----------------------------------------------------------------

    def hover(self, params: lsp.HoverParams) -> lsp.Hover | None:
        file = self.file(params.text_document.uri)
        analysis, since = self.files.latest(file)
        before = since.back(self.offset(file, params.position))
        found = None if before is None else hover(analysis, before)
        if found is None:
            return None
        span = since.forth(found[0])
        told = lsp.MarkupContent(lsp.MarkupKind.Markdown, found[1])
        return lsp.Hover(told, self.range(span) if span else None)

    def completion(self, params: lsp.CompletionParams) -> list[lsp.CompletionItem]:
        file = self.file(params.text_document.uri)
        at = self.offset(file, params.position)
        known = self.files.known(file)
        _, since = self.files.latest(file)
        before = since.back(at)
        found = completion(file.source, at, known, since.start if before is None else before)
        return [
            lsp.CompletionItem(
                one.text,
                kind=COMPLETIONS.get(one.kind, lsp.CompletionItemKind.Variable),
                detail=one.detail or None,
                documentation=one.doc or None,
            )
            for one in found
        ]

    def definition(self, params: lsp.DefinitionParams) -> lsp.Location | None:
        file = self.file(params.text_document.uri)
        analysis, since = self.files.latest(file)
        before = since.back(self.offset(file, params.position))
        if before is None:
            return None
        found = definition(analysis, before, file.path, self.files.together(file))
        span = None if found is None else since.forth(found)
        return None if span is None else self.location(span)

    def references(self, params: lsp.ReferenceParams) -> list[lsp.Location]:
        file = self.file(params.text_document.uri)
        at = self.offset(file, params.position)
        found = references(self.files.names(file), at, file.path, self.files.together(file))
        return [self.location(span) for span in found]

    def prepare(self, params: lsp.PrepareRenameParams) -> lsp.Range | None:
        file = self.file(params.text_document.uri)
        at = self.offset(file, params.position)
        names = self.files.names(file)
        found = names.at(at)
        spans = [span for _, span in names.foreign if span.start <= at <= span.end]
        spans += [found[1]] if found else []
        return self.range(spans[0]) if spans else None

    def rename(self, params: lsp.RenameParams) -> lsp.WorkspaceEdit:
        file = self.file(params.text_document.uri)
        at = self.offset(file, params.position)
        together = self.files.together(file)
        try:
            found = renamed(self.files.names(file), at, file.path, together, params.new_name)
        except Unfit as why:
            raise JsonRpcInvalidParams(str(why)) from None
        changes: dict[str, list[lsp.TextEdit]] = {}
        for span in found:
            edit = lsp.TextEdit(self.range(span), params.new_name)
            changes.setdefault(self.location(span).uri, []).append(edit)
        return lsp.WorkspaceEdit(changes)

    # ---- what is asked of a file -----------------------------------------------------------------

    def symbols(self, params: lsp.DocumentSymbolParams) -> list[lsp.DocumentSymbol]:
        file = self.file(params.text_document.uri)
        analysis, since = self.files.latest(file)

        def told(item: Item) -> Iterable[lsp.DocumentSymbol]:
            whole, place = since.forth(item.whole), since.forth(item.place)
            inside = [one for each in item.inside for one in told(each)]
            if whole is None or place is None:
                yield from inside
                return
            yield lsp.DocumentSymbol(
                item.name,
                SYMBOLS.get(item.kind, lsp.SymbolKind.Variable),
                self.range(whole),
                self.range(place),
                detail=item.detail or None,
                children=inside,
            )

        return [one for item in analysis.outline for one in told(item)]

    def folding(self, params: lsp.FoldingRangeParams) -> list[lsp.FoldingRange]:
        analysis, _ = self.files.latest(self.file(params.text_document.uri))
        found = folds(analysis.source, analysis.compilation.parsed.file.statements)
        return [lsp.FoldingRange(first, last, kind=kind) for first, last, kind in found]

    def formatting(self, params: lsp.DocumentFormattingParams) -> list[lsp.TextEdit]:
        source = self.file(params.text_document.uri).source
        try:
            text = format_source(source)
        except GraphError:
            return []  # its mistakes are shown already
        return [] if text == source.text else [lsp.TextEdit(self.range(source.whole), text)]

    def tokens(self, params: lsp.SemanticTokensParams) -> lsp.SemanticTokens:
        file = self.file(params.text_document.uri)
        analysis, since = self.files.latest(file)
        lines = colours(analysis.names, since, analysis.colours)
        return lsp.SemanticTokens(encoded(lines, file.source, self.count))

    def hints(self, params: lsp.InlayHintParams) -> list[lsp.InlayHint]:
        file = self.file(params.text_document.uri)
        analysis, since = self.files.latest(file)
        start, end = (self.offset(file, at) for at in (params.range.start, params.range.end))
        found = []
        for place, shape in analysis.shapes:
            span = since.forth(place)
            if span is not None and start <= span.start <= end:
                at = self.range(span).start
                found.append(lsp.InlayHint(at, shape, kind=lsp.InlayHintKind.Type))
        return found


def _path(uri: str) -> str:
    return os.path.abspath(to_fs_path(uri) or uri)


def _uri(path: str) -> str:
    return from_fs_path(path) or path


def _hurry() -> None:
    """Let answers go before an analysis, which is made beside them, and before the collector.

    What is known of a file holds few cycles, and to look through all of it for them takes longer
    than an answer may.
    """
    sys.setswitchinterval(0.001)
    gc.freeze()
    gc.set_threshold(100_000, 20, 1000)


def serve() -> None:
    """Answer an editor on standard input and output until it ends."""
    _hurry()
    editor = Editor()
    legend = lsp.SemanticTokensLegend([*KINDS], [])
    features: tuple[tuple[str, Callable[..., Any], Any], ...] = (
        (lsp.TEXT_DOCUMENT_DID_OPEN, editor.opened, None),
        (lsp.TEXT_DOCUMENT_DID_CHANGE, editor.changed, None),
        (lsp.TEXT_DOCUMENT_DID_SAVE, editor.saved, None),
        (lsp.TEXT_DOCUMENT_DID_CLOSE, editor.closed, None),
        (lsp.TEXT_DOCUMENT_CODE_ACTION, editor.actions, None),
        (lsp.TEXT_DOCUMENT_HOVER, editor.hover, None),
        (
            lsp.TEXT_DOCUMENT_COMPLETION,
            editor.completion,
            lsp.CompletionOptions(trigger_characters=[".", "["]),
        ),
        (lsp.TEXT_DOCUMENT_DEFINITION, editor.definition, None),
        (lsp.TEXT_DOCUMENT_REFERENCES, editor.references, None),
        (lsp.TEXT_DOCUMENT_PREPARE_RENAME, editor.prepare, None),
        (lsp.TEXT_DOCUMENT_RENAME, editor.rename, lsp.RenameOptions(prepare_provider=True)),
        (lsp.TEXT_DOCUMENT_DOCUMENT_SYMBOL, editor.symbols, None),
        (lsp.TEXT_DOCUMENT_FOLDING_RANGE, editor.folding, None),
        (lsp.TEXT_DOCUMENT_FORMATTING, editor.formatting, None),
        (lsp.TEXT_DOCUMENT_SEMANTIC_TOKENS_FULL, editor.tokens, legend),
        (lsp.TEXT_DOCUMENT_INLAY_HINT, editor.hints, None),
    )
    for name, function, options in features:
        editor.server.feature(name, options)(
            partial(function)
        )  # marked by pygls: a method cannot be
    editor.server.command(GENERATED)(partial(editor.generated))
    editor.server.start_io()
