// The client of `graphc lsp`: messages over standard input and output, and a provider for each
// feature, which asks the server and puts the answer into the editor's own records.
"use strict";
const { spawn } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");
const vscode = require("vscode");

const LANGUAGE = { language: "graphc" };

class Server {
  constructor(command, told) {
    this.told = told; // what the server says on its own, by method
    this.asked = new Map();
    this.number = 0;
    this.rest = Buffer.alloc(0);
    this.complaints = "";
    this.process = spawn(command[0], command.slice(1));
    this.process.stdout.on("data", (data) => this.receive(data));
    this.process.stderr.on("data", (data) => (this.complaints = (this.complaints + data).slice(-2000)));
    this.process.stdin.on("error", () => {}); // it has ended, and that is told below
    this.process.on("error", (why) =>
      this.ended(why.code === "ENOENT" ? `there is no \`${command[0]}\`` : why.message),
    );
    this.process.on("exit", (status) =>
      this.ended(status ? this.complaints.trim().split("\n").pop() || `it ended with status ${status}` : ""),
    );
  }

  ended(why) {
    this.gone = true;
    for (const { reject } of this.asked.values()) reject(new Error("graphc lsp has ended"));
    this.asked.clear();
    if (why && !this.stopped) this.told.failed(why);
  }

  send(message) {
    const body = Buffer.from(JSON.stringify({ jsonrpc: "2.0", ...message }));
    if (this.gone || !this.process.stdin.writable) return;
    this.process.stdin.write(`Content-Length: ${body.length}\r\n\r\n`);
    this.process.stdin.write(body);
  }

  notify(method, params) {
    this.send({ method, params });
  }

  ask(method, params) {
    const id = ++this.number;
    if (this.gone) return Promise.reject(new Error("graphc lsp has ended"));
    return new Promise((resolve, reject) => {
      this.asked.set(id, { resolve, reject });
      this.send({ id, method, params });
    });
  }

  receive(data) {
    this.rest = Buffer.concat([this.rest, data]);
    for (;;) {
      const head = this.rest.indexOf("\r\n\r\n");
      if (head < 0) return;
      const length = /content-length: *(\d+)/i.exec(this.rest.toString("ascii", 0, head));
      const end = head + 4 + Number(length[1]);
      if (this.rest.length < end) return;
      const message = JSON.parse(this.rest.toString("utf8", head + 4, end));
      this.rest = this.rest.subarray(end);
      this.handle(message);
    }
  }

  handle(message) {
    if (message.method === undefined) {
      const waiting = this.asked.get(message.id);
      this.asked.delete(message.id);
      if (waiting === undefined) return;
      if (message.error) waiting.reject(new Error(message.error.message));
      else waiting.resolve(message.result);
      return;
    }
    const answer = this.told[message.method];
    const result = answer ? answer(message.params) : null;
    if (message.id !== undefined) this.send({ id: message.id, result: result ?? null });
  }
}

// ---- the protocol's records and the editor's -----------------------------------------------------

const position = (one) => new vscode.Position(one.line, one.character);
const range = (one) => new vscode.Range(position(one.start), position(one.end));
const plain = ({ start, end }) => ({ start, end }); // a Range writes itself as a list
const location = (one) => new vscode.Location(vscode.Uri.parse(one.uri), range(one.range));
const markdown = (text) => new vscode.MarkdownString(text);
const edits = (list) => (list ?? []).map((one) => new vscode.TextEdit(range(one.range), one.newText));

function workspaceEdit(given) {
  const edit = new vscode.WorkspaceEdit();
  for (const [uri, list] of Object.entries(given.changes)) {
    edit.set(vscode.Uri.parse(uri), edits(list));
  }
  return edit;
}

function diagnostic(one) {
  const made = new vscode.Diagnostic(range(one.range), one.message, one.severity - 1);
  made.code = one.code;
  made.source = one.source;
  made.relatedInformation = (one.relatedInformation ?? []).map(
    (each) => new vscode.DiagnosticRelatedInformation(location(each.location), each.message),
  );
  return made;
}

function symbol(one) {
  const made = new vscode.DocumentSymbol(
    one.name, one.detail ?? "", one.kind - 1, range(one.range), range(one.selectionRange),
  );
  made.children = (one.children ?? []).map(symbol);
  return made;
}

function completion(one) {
  const made = new vscode.CompletionItem(one.label, one.kind - 1);
  made.detail = one.detail;
  if (one.documentation) made.documentation = markdown(one.documentation);
  return made;
}

function action(one) {
  const kind = one.kind ? vscode.CodeActionKind.QuickFix : vscode.CodeActionKind.Empty;
  const made = new vscode.CodeAction(one.title, kind);
  if (one.edit) made.edit = workspaceEdit(one.edit);
  if (one.diagnostics) made.diagnostics = one.diagnostics.map(diagnostic);
  made.isPreferred = one.isPreferred;
  if (one.command) made.command = { ...one.command, command: "graphc.ask", arguments: [one.command] };
  return made;
}

const KINDS = { comment: vscode.FoldingRangeKind.Comment, region: vscode.FoldingRangeKind.Region };

// ---- the session ---------------------------------------------------------------------------------

let server;
let registered = []; // what ends with it

// What starts the server: what the settings say, else the graphc of the folder's own environment.
function commandIn(folder) {
  const said = vscode.workspace.getConfiguration("graphc").get("command") ?? [];
  const root = folder ? folder.uri.fsPath : ".";
  if (said.length) {
    return [/[\\/]/.test(said[0]) ? path.resolve(root, said[0]) : said[0], ...said.slice(1)];
  }
  const own = [".venv/bin/graphc", ".venv/Scripts/graphc.exe", "venv/bin/graphc", "venv/Scripts/graphc.exe"];
  const found = own.map((one) => path.resolve(root, one)).find((one) => fs.existsSync(one));
  return [found ?? "graphc", "lsp"];
}

async function failed(why) {
  const settings = "Say what starts it";
  const help = "`pip install 'graphc[lsp]'` brings it; the setting graphc.command says where it is";
  const chosen = await vscode.window.showErrorMessage(`The server of graphc: ${why}. ${help}.`, settings);
  if (chosen === settings) vscode.commands.executeCommand("workbench.action.openSettings", "graphc.command");
}

async function stop() {
  registered.splice(0).forEach((one) => one.dispose());
  if (server === undefined) return;
  server.stopped = true;
  await server.ask("shutdown", null).catch(() => undefined);
  server.notify("exit", null);
}

async function restart(mistakes) {
  await stop();
  mistakes.clear();
  const [folder] = vscode.workspace.workspaceFolders ?? [];
  server = new Server(commandIn(folder), {
    failed,
    "textDocument/publishDiagnostics": (params) =>
      mistakes.set(vscode.Uri.parse(params.uri), params.diagnostics.map(diagnostic)),
    "window/showDocument": (params) => {
      vscode.window.showTextDocument(vscode.Uri.parse(params.uri), {
        viewColumn: vscode.ViewColumn.Beside,
        selection: params.selection && range(params.selection),
      });
      return { success: true };
    },
  });
  const about = {
    processId: process.pid,
    rootUri: folder ? folder.uri.toString() : null,
    capabilities: {},
  };
  const able = await server.ask("initialize", about).catch(() => undefined); // why was told
  if (able === undefined) return;
  server.notify("initialized", {});
  registered = providers(server, able.capabilities);
}

async function activate(context) {
  const mistakes = vscode.languages.createDiagnosticCollection("graphc");
  context.subscriptions.push(
    mistakes,
    vscode.commands.registerCommand("graphc.restart", () => restart(mistakes)),
    vscode.workspace.onDidChangeConfiguration(
      (one) => one.affectsConfiguration("graphc.command") && restart(mistakes),
    ),
  );
  await restart(mistakes);
}

// Tell the server of the files, and register what asks it.
function providers(server, capabilities) {
  const file = (document) => ({ textDocument: { uri: document.uri.toString() } });
  const at = (document, place) => ({ ...file(document), position: place });
  const ours = (document) => document.languageId === LANGUAGE.language;
  const opened = (document) => {
    if (!ours(document)) return;
    const { version } = document;
    const uri = document.uri.toString();
    const text = document.getText();
    server.notify("textDocument/didOpen", {
      textDocument: { uri, languageId: LANGUAGE.language, version, text },
    });
  };
  const { languages, workspace } = vscode;
  workspace.textDocuments.forEach(opened);
  const legend = capabilities.semanticTokensProvider.legend;
  return [
    workspace.onDidOpenTextDocument(opened),
    workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
      if (!ours(document)) return;
      const uri = document.uri.toString();
      server.notify("textDocument/didChange", {
        textDocument: { uri, version: document.version },
        contentChanges: contentChanges.map((one) => ({ range: plain(one.range), text: one.text })),
      });
    }),
    workspace.onDidSaveTextDocument((one) => ours(one) && server.notify("textDocument/didSave", file(one))),
    workspace.onDidCloseTextDocument((one) => ours(one) && server.notify("textDocument/didClose", file(one))),
    vscode.commands.registerCommand("graphc.ask", (one) =>
      server.ask("workspace/executeCommand", { command: one.command, arguments: one.arguments }),
    ),
    languages.registerHoverProvider(LANGUAGE, {
      async provideHover(document, place) {
        const found = await server.ask("textDocument/hover", at(document, place));
        return found && new vscode.Hover(markdown(found.contents.value), found.range && range(found.range));
      },
    }),
    languages.registerCompletionItemProvider(
      LANGUAGE,
      {
        provideCompletionItems: async (document, place) =>
          (await server.ask("textDocument/completion", at(document, place))).map(completion),
      },
      ".",
      "[",
    ),
    languages.registerDefinitionProvider(LANGUAGE, {
      async provideDefinition(document, place) {
        const found = await server.ask("textDocument/definition", at(document, place));
        return found && location(found);
      },
    }),
    languages.registerReferenceProvider(LANGUAGE, {
      provideReferences: async (document, place, about) =>
        (await server.ask("textDocument/references", { ...at(document, place), context: about })).map(location),
    }),
    languages.registerRenameProvider(LANGUAGE, {
      async prepareRename(document, place) {
        const found = await server.ask("textDocument/prepareRename", at(document, place));
        if (!found) throw new Error("nothing of this file has a name here");
        return range(found);
      },
      provideRenameEdits: async (document, place, newName) =>
        workspaceEdit(await server.ask("textDocument/rename", { ...at(document, place), newName })),
    }),
    languages.registerDocumentSymbolProvider(LANGUAGE, {
      provideDocumentSymbols: async (document) =>
        (await server.ask("textDocument/documentSymbol", file(document))).map(symbol),
    }),
    languages.registerFoldingRangeProvider(LANGUAGE, {
      provideFoldingRanges: async (document) =>
        (await server.ask("textDocument/foldingRange", file(document))).map(
          (one) => new vscode.FoldingRange(one.startLine, one.endLine, KINDS[one.kind]),
        ),
    }),
    languages.registerDocumentFormattingEditProvider(LANGUAGE, {
      provideDocumentFormattingEdits: async (document, options) =>
        edits(await server.ask("textDocument/formatting", { ...file(document), options })),
    }),
    languages.registerCodeActionsProvider(LANGUAGE, {
      provideCodeActions: async (document, where) =>
        (
          await server.ask("textDocument/codeAction", {
            ...file(document),
            range: plain(where),
            context: { diagnostics: [] },
          })
        ).map(action),
    }),
    languages.registerInlayHintsProvider(LANGUAGE, {
      provideInlayHints: async (document, where) =>
        (await server.ask("textDocument/inlayHint", { ...file(document), range: plain(where) })).map(
          (one) => new vscode.InlayHint(position(one.position), one.label, vscode.InlayHintKind.Type),
        ),
    }),
    languages.registerDocumentSemanticTokensProvider(
      LANGUAGE,
      {
        provideDocumentSemanticTokens: async (document) =>
          new vscode.SemanticTokens(
            new Uint32Array((await server.ask("textDocument/semanticTokens/full", file(document))).data),
          ),
      },
      new vscode.SemanticTokensLegend(legend.tokenTypes, legend.tokenModifiers),
    ),
  ];
}

module.exports = { activate, deactivate: stop };
