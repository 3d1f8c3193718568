"""Modules loaded from their texts, of which many have the same definitions."""

from __future__ import annotations
import __future__

import functools
import itertools
import re
from types import CodeType, ModuleType

from graphc.compile.stages import load
from graphc.targets.numpy.module import ready_made

_numbers = itertools.count()
_DEFINITION = re.compile(r"\n\n\n(?=(?:@.*\n)*(?:def|class) )")
_READY_MADE = re.compile(rf"\n\n\n(?=(?:@.*\n)*def (?:{'|'.join(ready_made())})\()")


def loaded(text: str, name: str = "generated") -> ModuleType:
    """A module as `load` makes it, under a name of its own; equal definitions are compiled once.

    Other precisions, levels and graphs have many of them. Only their lines have other numbers.
    """
    head, *definitions = _DEFINITION.split(text)
    made = load(head, f"{name}_{next(_numbers)}")
    for one in definitions:
        exec(_code_of(one), made.__dict__)
    return made


def parts_of(text: str) -> list[str]:
    """What a module has of its own, and its ready-made functions one by one."""
    return _READY_MADE.split(text)


@functools.cache
def _code_of(definition: str) -> CodeType:
    flags = __future__.annotations.compiler_flag
    return compile(definition, "<definition>", "exec", flags=flags, dont_inherit=True)
