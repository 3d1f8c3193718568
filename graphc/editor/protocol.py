"""What the protocol calls the kinds of mistakes, of choices and of what is in an outline."""

from __future__ import annotations

from lsprotocol import types as lsp

SEVERITIES = {
    "error": lsp.DiagnosticSeverity.Error,
    "warning": lsp.DiagnosticSeverity.Warning,
    "note": lsp.DiagnosticSeverity.Information,
}
COMPLETIONS = {
    "keyword": lsp.CompletionItemKind.Keyword,
    "function": lsp.CompletionItemKind.Function,
    "block": lsp.CompletionItemKind.Class,
    "constant": lsp.CompletionItemKind.Constant,
    "dim": lsp.CompletionItemKind.TypeParameter,
    "parameter": lsp.CompletionItemKind.Property,
    "argument": lsp.CompletionItemKind.Field,
    "file": lsp.CompletionItemKind.File,
    "type": lsp.CompletionItemKind.Keyword,
}
SYMBOLS = {
    "block": lsp.SymbolKind.Class,
    "loop": lsp.SymbolKind.Namespace,
    "file": lsp.SymbolKind.Module,
    "function": lsp.SymbolKind.Function,
    "constant": lsp.SymbolKind.Constant,
    "dim": lsp.SymbolKind.TypeParameter,
    "parameter": lsp.SymbolKind.Property,
    "instance": lsp.SymbolKind.Object,
}
