"""A naive interpreter of the syntax tree.

It knows neither types nor plans nor derivatives: loops are unrolled, blocks are entered, and a
derivative inside a graph is what dual numbers say of the same function.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from graphc.resources import grammar_text
from graphc.syntax import tree
from tests.fuzz.meaning import expressions, statements
from tests.fuzz.meaning.bodies import Frame, World
from tests.fuzz.parsing import parsed

assert statements.STATEMENTS
assert expressions.EXPRESSIONS


@cache
def _standard() -> dict[str, Any]:
    return _library(parsed(grammar_text("std.graph")).file, {})


def _library(file: tree.File, before: Mapping[str, Any]) -> dict[str, Any]:
    blocks: dict[str, Any] = dict(before)
    own = {one.name.text: one for one in file.statements if isinstance(one, tree.Block)}
    blocks |= {name: (block, blocks) for name, block in own.items()}
    return blocks


def run(
    text: str,
    dims: Mapping[str, int],
    inputs: Mapping[str, Any],
    params: Mapping[str, Any],
    added: Mapping[str, Any] = {},
    consts: Mapping[str, Any] = {},
    rounding: Callable[[Any], Any] | None = None,
) -> Frame:
    """A file with its sizes and what it is given; ask it for names with `lookup`.

    `added` moves nodes where they stand, so that derivatives by them are total.
    """
    file = parsed(text).file
    world = World(dims, consts, inputs, params, {}, added, rounding)
    return Frame(world, file.statements, "", _library(file, _standard()))
