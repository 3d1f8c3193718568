"""What an editor waits for: `python -m benchmarks.editor [LINES]` types in a file of so many lines.

The language server is a process of its own, spoken to in its protocol. After each keystroke
completion and hover are asked for, after every third also colours, outline, folds, shapes and
actions. Pauses are such that some keystrokes come while the server analyses the text. Printed is
what passes from a keystroke to the last of its answers.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

KEYS = 60
PAUSES = (0.05, 0.12, 0.3, 0.6)  # seconds between keystrokes, drawn by chance


class Client:
    """The editor's side of the protocol."""

    def __init__(self, path: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "graphc", "lsp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.sent = 0
        self.told: list[dict[str, Any]] = []
        self.file = {"uri": path.as_uri()}

    def send(self, method: str, params: object, **more: object) -> None:
        assert self.process.stdin
        body = json.dumps({"jsonrpc": "2.0", "method": method, "params": params, **more}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self.process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        assert self.process.stdout
        length = 0
        while (line := self.process.stdout.readline()) != b"\r\n":
            assert line, "the server has ended"
            if line.lower().startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        message: dict[str, Any] = json.loads(self.process.stdout.read(length))
        assert message.get("method") != "window/showMessage", message
        return message

    def ask(self, method: str, **params: object) -> Any:
        """Return the answer to a request."""
        self.sent += 1
        self.send(method, {"textDocument": self.file, **params}, id=self.sent)
        while True:
            message = self.receive()
            if message.get("id") == self.sent and "method" not in message:
                return message["result"] if "result" in message else message["error"]
            self.told.append(message)

    def wait(self, method: str) -> Any:
        """Return what the server says on its own."""
        while True:
            for message in self.told:
                if message.get("method") == method:
                    self.told.remove(message)
                    return message["params"]
            self.told.append(self.receive())

    def open(self, text: str) -> None:
        self.ask("initialize", processId=None, rootUri=None, capabilities={})
        self.send("initialized", {})
        document = {**self.file, "languageId": "graphc", "version": 1, "text": text}
        self.send("textDocument/didOpen", {"textDocument": document})


def text_of(lines: int) -> list[str]:
    """Return the lines of a graph in which each value is made of those above it."""
    made = [f"h{k} = tanh(h{k - 1} * {k}.5 + h{max(0, k - 3)})" for k in range(1, lines - 4)]
    return ["dim B", "input x: [B, 8]", "h0 = x", *made, f"output y = sum(h{lines - 5})"]


def main(lines: int) -> None:
    written = text_of(lines)
    draw = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        client = Client(Path(folder) / "large.graph")
        client.open("\n".join(written) + "\n")
        client.wait("textDocument/publishDiagnostics")
        line = lines // 2
        column = len(written[line])
        taken: dict[str, list[float]] = {"completion, hover": [], "all": []}
        for number in range(KEYS):
            start, key = {"line": line, "character": column}, " + h1"[number % 5]
            change = {"range": {"start": start, "end": start}, "text": key}
            began = time.perf_counter()
            document = {**client.file, "version": number + 2}
            changed = {"textDocument": document, "contentChanges": [change]}
            client.send("textDocument/didChange", changed)
            column += 1
            here = {"line": line, "character": column}
            client.ask("textDocument/completion", position=here)
            client.ask("textDocument/hover", position={"line": line, "character": 1})
            taken["completion, hover"].append(time.perf_counter() - began)
            if number % 3 == 2:
                seen = {"start": {"line": max(line - 30, 0), "character": 0}, "end": here}
                client.ask("textDocument/semanticTokens/full")
                client.ask("textDocument/documentSymbol")
                client.ask("textDocument/foldingRange")
                client.ask("textDocument/inlayHint", range=seen)
                client.ask(
                    "textDocument/codeAction",
                    range={"start": here, "end": here},
                    context={"diagnostics": []},
                )
                taken["all"].append(time.perf_counter() - began)
            time.sleep(draw.choice(PAUSES))
        client.process.kill()
    for what, seconds in taken.items():
        worst = max(seconds)
        print(f"{what}: median {median(seconds) * 1e3:.0f} ms, worst {worst * 1e3:.0f} ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
