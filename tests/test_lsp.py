"""An editor's session, replayed through the protocol: `graphc lsp` in a process of its own."""

from __future__ import annotations

from pathlib import Path

from benchmarks.editor import Client
from tests.patience import PATIENCE
from tests.test_editor import LIB, NET

WHOLE = {"start": {"line": 0, "character": 0}, "end": {"line": 99, "character": 0}}


class Session(Client):
    """A session in the graph of the tests."""

    def position(self, piece: str) -> dict[str, int]:
        before = NET[: NET.index(piece)]
        return {"line": before.count("\n"), "character": len(before.rpartition("\n")[2])}


def test_a_session(tmp_path: Path) -> None:
    (tmp_path / "net.graph").write_text(NET, encoding="utf-8")
    (tmp_path / "lib.graph").write_text(LIB, encoding="utf-8")
    client = Session(tmp_path / "net.graph")
    try:
        replay(client, tmp_path)
        assert client.process.wait(timeout=PATIENCE) == 0
    finally:
        client.process.kill()
        client.process.communicate()


def replay(client: Session, folder: Path) -> None:
    able = client.ask("initialize", processId=None, rootUri=folder.as_uri(), capabilities={})
    assert able["capabilities"]["renameProvider"]
    client.send("initialized", {})
    opened = {**client.file, "languageId": "graphc", "version": 1, "text": NET}
    client.send("textDocument/didOpen", {"textDocument": opened})
    assert client.wait("textDocument/publishDiagnostics")["diagnostics"] == []

    told = client.ask("textDocument/hover", position=client.position("y = h"))
    assert "value y: [B, 16]" in told["contents"]["value"]
    place = client.ask("textDocument/definition", position=client.position("gated(16"))
    assert place["uri"] == (folder / "lib.graph").as_uri()
    place = client.ask("textDocument/definition", position=client.position("dense(y"))
    assert place["uri"].endswith("/grammar/std.graph")
    used = client.ask(
        "textDocument/references",
        position=client.position("h  # h"),
        context={"includeDeclaration": True},
    )
    assert [one["range"]["start"]["line"] for one in used] == [4, 5, 5]
    changes = client.ask(
        "textDocument/rename", position=client.position("gated(16"), newName="gate"
    )["changes"]
    assert {uri.rpartition("/")[2]: len(edits) for uri, edits in changes.items()} == {
        "lib.graph": 1,
        "net.graph": 2,
    }
    refused = client.ask("textDocument/rename", position=client.position("y = h"), newName="h")
    assert refused["message"] == "`h` is taken here"
    offered = client.ask("textDocument/completion", position=client.position("params\n"))
    assert {"up.W", "branch.*", "params"} <= {one["label"] for one in offered}
    items = client.ask("textDocument/documentSymbol")
    assert [one["name"] for one in items][:4] == ["gated", "B", "x", "t"]
    hints = client.ask("textDocument/inlayHint", range=WHOLE)
    assert {one["label"] for one in hints} == {": [B, 16]", ": [B, 4]", ": []"}
    data = client.ask("textDocument/semanticTokens/full")["data"]
    assert len(data) % 5 == 0
    assert data[:5] == [0, 0, 4, 0, 0], "`from` is a keyword of four letters"

    actions = client.ask(
        "textDocument/codeAction",
        range={"start": client.position("y = h"), "end": client.position("y = h")},
        context={"diagnostics": []},
    )
    client.send("workspace/executeCommand", actions[0]["command"], id="open")
    shown = client.wait("window/showDocument")
    lines = Path(shown["uri"].removeprefix("file://")).read_text(encoding="utf-8").split("\n")
    assert lines[shown["selection"]["start"]["line"]].strip().startswith("y = ")

    wrong = client.position("h, 16")
    change = {"range": {"start": wrong, "end": {**wrong, "character": wrong["character"] + 1}}}
    version = {**client.file, "version": 2}
    client.send(
        "textDocument/didChange",
        {"textDocument": version, "contentChanges": [{**change, "text": "hh"}]},
    )
    (mistake,) = client.wait("textDocument/publishDiagnostics")["diagnostics"]
    assert mistake["message"] == "unknown name `hh`\nhelp: did you mean `h`?"
    assert mistake["range"]["start"] == wrong
    (fix, *_) = client.ask(
        "textDocument/codeAction", range=mistake["range"], context={"diagnostics": [mistake]}
    )
    assert [one["newText"] for one in fix["edit"]["changes"][client.file["uri"]]] == ["h"]
    text = "x  =  1\n"
    client.send(
        "textDocument/didChange", {"textDocument": version, "contentChanges": [{"text": text}]}
    )
    (edit,) = client.ask("textDocument/formatting", options={"tabSize": 4, "insertSpaces": True})
    assert edit["newText"] == "x = 1\n"
    assert client.ask("textDocument/foldingRange") == []
    assert client.ask("shutdown") is None
    client.send("exit", None)
