"""Texts from the grammar: derivations by chance, whose names and numbers are at the edge."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from typing import Any

from lark import Lark

from graphc.ops import FUNCTIONS
from graphc.resources import grammar_text
from tests.fuzz.texts.edges import FLOATS, INTEGERS, edge_name

DEEP = 40
"""From so many symbols on a derivation takes what ends soonest."""
COMMON = ("x", "y", "w", "h", "B", "D", "T", "k", "L", "s", "params")
STRINGS = ('"a"', '"ij,jk->ik"', '"b c -> (b c)"', '""', '"""a\n"b"""', '"\\n"', '"std.graph"')


@cache
def _rules() -> tuple[dict[str, list[tuple[Any, ...]]], dict[str, int]]:
    """The expansions of each rule, and how few tokens each ends in."""
    parser = Lark(grammar_text("graph.lark"), parser="lalr", lexer="basic", keep_all_tokens=True)
    expansions: dict[str, list[tuple[Any, ...]]] = {}
    for rule in parser.rules:
        expansions.setdefault(rule.origin.name, []).append(tuple(rule.expansion))
    least: dict[str, int] = {}
    changed = True
    while changed:
        changed = False
        for name, several in expansions.items():
            lengths = [_least(one, least) for one in several]
            known = min((length for length in lengths if length is not None), default=None)
            if known is not None and known < least.get(name, 1 << 30):
                least[name], changed = known, True
    return expansions, least


def _least(expansion: tuple[Any, ...], least: dict[str, int]) -> int | None:
    total = 0
    for symbol in expansion:
        if symbol.is_term:
            total += 1
        elif symbol.name in least:
            total += least[symbol.name]
        else:
            return None
    return total


@cache
def _words() -> dict[str, str]:
    """The terminals that are one word or sign."""
    parser = Lark(grammar_text("graph.lark"), parser="lalr", lexer="basic", keep_all_tokens=True)
    return {one.name: one.pattern.value for one in parser.terminals if one.pattern.type == "str"}


SAMPLES: dict[str, Callable[[random.Random], str]] = {
    "NAME": lambda draw: _name(draw),
    "INT": lambda draw: draw.choice([*"0123", draw.choice(INTEGERS)]),
    "FLOAT": lambda draw: draw.choice(["0.5", "1e-5", draw.choice(FLOATS)]),
    "STRING": lambda draw: draw.choice(STRINGS),
    "CMP": lambda draw: draw.choice(["==", "!=", "<=", ">=", "<", ">"]),
    "ADD": lambda draw: draw.choice("+-"),
    "MUL": lambda draw: draw.choice(["*", "/", "@", "//", "%"]),
    "_SEP": lambda draw: "\n",
}


def _name(draw: random.Random) -> str:
    kind = draw.random()
    if kind < 0.55:
        return draw.choice(COMMON)
    return draw.choice(sorted(FUNCTIONS)) if kind < 0.85 else edge_name(draw)


def derived(draw: random.Random) -> str:
    """A text that parses, for most of its derivations."""
    expansions, least = _rules()
    pending: list[str] = ["start"]
    words: list[str] = []
    budget = draw.choice([10, DEEP, 150])
    while pending:
        symbol = pending.pop()
        if symbol not in expansions:
            word = SAMPLES[symbol](draw) if symbol in SAMPLES else _words()[symbol]
            words.append(word)
            continue
        several = expansions[symbol]
        if len(words) + len(pending) > budget:
            several = [min(several, key=lambda one: _least(one, least) or 0)]
        pending += [one.name for one in reversed(draw.choice(several))]
    return " ".join(words).replace(" \n ", "\n")
