"""What a check may end in."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """What is wrong: its kind, where, and both sides."""

    kind: str
    where: str
    found: str
    right: str = ""

    @property
    def signature(self) -> str:
        """What stays the same while a program shrinks."""
        if self.kind in ("crash", "call", "refused"):
            return f"{self.kind} {self.found.split(chr(10))[0][:60]}"
        return f"{self.kind} {self.where.split(':')[0]}"


@dataclass(frozen=True)
class Doubt:
    """Nothing can be said: why."""

    why: str


class Wrong(Exception):
    """A finding, from wherever it was seen."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding)
        self.finding = finding


class Invalid(Exception):
    """A program is refused for a reason that only the compiler can know."""


def shown(failure: BaseException) -> str:
    """An exception on one line, with the function that raised it."""
    trace = failure.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = ""
    if trace is not None:
        code = trace.tb_frame.f_code
        place = f" at {os.path.basename(code.co_filename)}:{code.co_name}"
    return f"{type(failure).__name__}: {failure}{place}"
