"""A browser without a window, driven through the DevTools protocol over a pipe."""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.patience import PATIENCE

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))), None)
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--remote-debugging-pipe",
)  # fmt: skip
LEFT = "Inspected target navigated or closed"  # said of a question that its page did not outlive
KEYS = {"Enter": 13, "Escape": 27, "ArrowDown": 40, "ArrowUp": 38}


class Browser:
    """One page of a browser; `errors` are what its console says is wrong."""

    def __init__(self, commands: int, answers: int) -> None:
        self.commands, self.answers = commands, answers
        self.number, self.session, self.rest = 0, "", b""
        self.errors: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> Any:
        """Return what a command answers; what happens meanwhile is noted."""
        self.number += 1
        message: dict[str, Any] = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self.number:
                if answer.get("error", {}).get("message") == LEFT:
                    return self.call(method, **parameters)
                assert "error" not in answer, answer
                return answer["result"]

    def _next(self) -> dict[str, Any]:
        """Return the next message; a browser that says nothing for so long hangs."""
        while b"\0" not in self.rest:
            answered, _, _ = select.select([self.answers], [], [], PATIENCE)
            assert answered, f"the browser has said nothing for {PATIENCE} s"
            part = os.read(self.answers, 1 << 20)
            assert part, "the browser has ended"
            self.rest += part
        first, _, self.rest = self.rest.partition(b"\0")
        found: dict[str, Any] = json.loads(first)
        self._note(found.get("method", ""), found.get("params", {}))
        return found

    def _note(self, method: str, said: dict[str, Any]) -> None:
        if method == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(said["exceptionDetails"]))
        if method == "Log.entryAdded" and said["entry"]["level"] == "error":
            self.errors.append(said["entry"]["text"])
        if method == "Runtime.consoleAPICalled" and said["type"] == "error":
            self.errors.append(str(said["args"]))
        if method == "Network.requestWillBeSent":
            url = said["request"]["url"]
            if not url.startswith(("file:", "about:", "data:")):
                self.errors.append(f"asks for {url}")

    def open(self, file: Path, hash: str = "", width: int = 1300, height: int = 900) -> None:
        """Load a file in a window of this size, and wait until it is there."""
        self.errors.clear()
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=f"{file.as_uri()}{hash}")
        start = time.monotonic()
        while self.ask("document.readyState + location.protocol") != "completefile:":
            assert time.monotonic() - start < PATIENCE, f"{file} is not loaded"

    def ask(self, expression: str) -> Any:
        """Return the value of an expression of JavaScript."""
        said = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in said, said["exceptionDetails"]
        return said["result"].get("value")

    def press(self, *keys: str) -> None:
        """Press keys one after the other: a letter, or one of KEYS."""
        for key in keys:
            code = KEYS.get(key, ord(key[0]) if len(key) == 1 else 0)
            shared = {"key": key, "windowsVirtualKeyCode": code}
            text = {"text": key} if len(key) == 1 else {}
            self.call("Input.dispatchKeyEvent", type="keyDown", **shared, **text)
            self.call("Input.dispatchKeyEvent", type="keyUp", **shared)

    def click(self, selector: str) -> None:
        """Click in the middle of what a selector finds, where a user would."""
        box = self.ask(
            f"(e => {{ e.scrollIntoView({{block: 'center'}}); const b = e.getBoundingClientRect();"
            f" return [b.left + Math.min(b.width, innerWidth) / 2, b.top + b.height / 2] }})"
            f"(document.querySelector({json.dumps(selector)}))"
        )
        at = {"x": box[0], "y": box[1], "button": "left", "clickCount": 1}
        self.call("Input.dispatchMouseEvent", type="mousePressed", **at)
        self.call("Input.dispatchMouseEvent", type="mouseReleased", **at)


@contextmanager
def browser() -> Iterator[Browser]:
    """Start a browser, and end it."""
    assert PROGRAM is not None
    ours, theirs = [*os.pipe()], [*os.pipe()]
    commands, answers = (fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in (ours[0], theirs[1]))
    wiring = [(os.POSIX_SPAWN_DUP2, commands, 3), (os.POSIX_SPAWN_DUP2, answers, 4)]
    wiring += [(os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        arguments = [PROGRAM, *QUIET, f"--user-data-dir={profile}"]
        process = os.posix_spawn(PROGRAM, arguments, os.environ, file_actions=wiring)
        for each in (ours[0], theirs[1], commands, answers):  # so that its end is noticed
            os.close(each)
        try:
            yield Browser(ours[1], theirs[0])
        finally:
            os.kill(process, signal.SIGTERM)
            os.waitpid(process, 0)
            os.close(ours[1])
            os.close(theirs[0])


CONTRASTS = """
(() => {
  const parts = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = rgb => {
    const linear = v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const [r, g, b] = rgb.map(v => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const paper = element => {
    for (let e = element; e; e = e.parentElement) {
      const [r, g, b, a] = parts(getComputedStyle(e).backgroundColor);
      if (a === undefined || a > 0.99) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const found = new Map();
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || element.closest('svg, script, style')) continue;
    if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    const style = getComputedStyle(element);
    const [one, other] = [light(parts(style.color)), light(paper(element))].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (other + 0.05);
    const kind = `${element.tagName}.${element.className} ${style.color} ${ratio.toFixed(2)}`;
    if (ratio < 4.5) found.set(kind, `${kind}: ${walk.currentNode.data.trim().slice(0, 30)}`);
  }
  return [...found.values()];
})()
"""
"""Texts of a page that have less contrast than WCAG 2.2, 1.4.3 (AA) asks for."""
