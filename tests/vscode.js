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
}
const providers = {};
let told;
const mistakes = new Promise((resolve) => {
  told = resolve;
});
const nothing = () => ({ dispose() {} });
const vscode = {
  Uri: { parse: uri },
  Position: class {
    constructor(line, character) {
      Object.assign(this, { line, character });
    }
  },
  FoldingRangeKind: {},
  CodeActionKind: {},
  InlayHintKind: {},
  languages: new Proxy(
    { createDiagnosticCollection: () => ({ set: (_, found) => told(found) }) },
    {
      get: (known, name) =>
        known[name] ?? ((_, provider) => ((providers[name.slice("register".length)] = provider), nothing())),
    },
  ),
  workspace: {
    textDocuments: [opened],
    workspaceFolders: [{ uri: uri(pathToFileURL(folder).toString()) }],
    getConfiguration: () => ({ get: () => command }),
    onDidOpenTextDocument: nothing,
    onDidChangeTextDocument: nothing,
    onDidSaveTextDocument: nothing,
    onDidCloseTextDocument: nothing,
  },
  commands: { registerCommand: nothing },
  window: { showErrorMessage: (why) => console.error(why) },
};
for (const name of [
  "Range", "Location", "MarkdownString", "TextEdit", "Diagnostic", "DiagnosticRelatedInformation",
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
  const found = await mistakes;
  const at = { line: 2, character: 7 };
  const hover = await providers.HoverProvider.provideHover(opened, at);
  const items = await providers.CompletionItemProvider.provideCompletionItems(opened, at);
  const symbols = await providers.DocumentSymbolProvider.provideDocumentSymbols(opened);
  const tokens = await providers.DocumentSemanticTokensProvider.provideDocumentSemanticTokens(opened);
  await deactivate();
  console.log(
    JSON.stringify({
      mistakes: found.map((one) => one.given[1]),
      hover: hover.given[0].given[0],
      items: items.map((one) => one.given[0]),
      symbols: symbols.map((one) => one.given[0]),
      tokens: tokens.given[0].length,
    }),
  );
}

main();
