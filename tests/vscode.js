// The parts of Visual Studio Code that the extension uses, as far as a test looks at them: a file is
// opened, its mistakes and what is under the pointer are printed as JSON.
// node tests/vscode.js EXTENSION.js FOLDER COMMAND…
"use strict";
const fs = require("node:fs");
const Module = require("node:module");
const path = require("node:path");
const { pathToFileURL } = require("node:url");

const [, , extension, folder, ...command] = process.argv;
const uri = (text) => ({ text, toString: () => text });
const file = uri(pathToFileURL(path.join(folder, "net.graph")).toString());
const text = fs.readFileSync(path.join(folder, "net.graph"), "utf8");
const opened = { uri: file, languageId: "graphc", version: 1, getText: () => text };

class Record {
  constructor(...given) {
    this.given = given;
  }
  set() {}
}
const providers = {};
const told = []; // mistakes, as often as they are set
let arrived = () => {};
const mistakes = async (number) => {
  while (told.length < number) await new Promise((resolve) => (arrived = resolve));
  return told[number - 1].map((one) => one.given[1]);
};
let changed;
const nothing = () => ({ dispose() {} });
const vscode = {
  Uri: { parse: uri },
  Position: class {
    constructor(line, character) {
      Object.assign(this, { line, character });
    }
  },
  Range: class {
    constructor(start, end) {
      Object.assign(this, { start, end });
    }
    toJSON() {
      return [this.start, this.end];
    }
  },
  FoldingRangeKind: {},
  CodeActionKind: {},
  InlayHintKind: {},
  languages: new Proxy(
    { createDiagnosticCollection: () => ({ set: (_, found) => arrived(told.push(found)), clear: () => {} }) },
    {
      get: (known, name) =>
        known[name] ?? ((_, provider) => ((providers[name.slice("register".length)] = provider), nothing())),
    },
  ),
  workspace: {
    textDocuments: [opened],
    workspaceFolders: [{ uri: { ...uri(pathToFileURL(folder).toString()), fsPath: folder } }],
    getConfiguration: () => ({ get: () => command }),
    onDidOpenTextDocument: nothing,
    onDidChangeTextDocument: (listener) => ((changed = listener), nothing()),
    onDidSaveTextDocument: nothing,
    onDidCloseTextDocument: nothing,
    onDidChangeConfiguration: nothing,
  },
  commands: { registerCommand: nothing },
  window: { showErrorMessage: (why) => console.error(why) },
};
for (const name of [
  "Location", "MarkdownString", "TextEdit", "Diagnostic", "DiagnosticRelatedInformation",
  "Hover", "CompletionItem", "InlayHint", "FoldingRange", "SemanticTokens", "SemanticTokensLegend",
  "DocumentSymbol", "CodeAction", "WorkspaceEdit",
]) {
  vscode[name] ??= class extends Record {};
}
const load = Module._load;
Module._load = (name, ...others) => (name === "vscode" ? vscode : load(name, ...others));

async function main() {
  const { activate, deactivate } = require(path.resolve(extension));
  await activate({ subscriptions: [] });
  const found = await mistakes(1);
  const at = { line: 2, character: 7 };
  const hover = await providers.HoverProvider.provideHover(opened, at);
  const items = await providers.CompletionItemProvider.provideCompletionItems(opened, at);
  const symbols = await providers.DocumentSymbolProvider.provideDocumentSymbols(opened);
  const tokens = await providers.DocumentSemanticTokensProvider.provideDocumentSemanticTokens(opened);
  const place = (line, from, to) =>
    new vscode.Range(new vscode.Position(line, from), new vscode.Position(line, to));
  const actions = await providers.CodeActionsProvider.provideCodeActions(opened, place(3, 4, 8));
  const hints = await providers.InlayHintsProvider.provideInlayHints(opened, place(0, 0, 9));
  const edit = { range: place(3, 4, 8), text: "sin" };
  changed({ document: { ...opened, version: 2 }, contentChanges: [edit] });
  const left = await mistakes(2);
  await deactivate();
  console.log(
    JSON.stringify({
      mistakes: found,
      actions: actions.map((one) => one.given[0]),
      hints: hints.map((one) => one.given[1]),
      left,
      hover: hover.given[0].given[0],
      items: items.map((one) => one.given[0]),
      symbols: symbols.map((one) => one.given[0]),
      tokens: tokens.given[0].length,
    }),
  );
}

main();
