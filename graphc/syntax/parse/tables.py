"""The tables of the parser, kept beside its grammar: building them takes a tenth of a second.

`python -m graphc.syntax.parse.tables` writes the file anew after a change of grammar/graph.lark; of
another grammar, or another lark, it is not used.
"""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import lark
from lark.grammar import Rule
from lark.lexer import TerminalDef

from graphc.resources import grammar_text
from graphc.syntax.lexing.tokens import NewlineRule

FILE = Path(__file__).with_name("tables.json")
GRAMMAR = "graph.lark"
OURS = ("postlex", "transformer")  # options that are given when loading


def parser_of(callbacks: Any) -> lark.Lark:
    """Make the parser of the language, which calls these for what it has read."""
    kept = json.loads(FILE.read_text(encoding="utf-8")) if FILE.is_file() else {}
    if kept.get("of") != _identity():
        return built(callbacks)
    parser = kept["tables"]["parser"]["parser"]
    parser["tokens"] = _by_number(parser["tokens"])
    parser["states"] = {
        number: _by_number(actions) for number, actions in _by_number(parser["states"]).items()
    }
    made: lark.Lark = lark.Lark._load_from_dict(  # type: ignore[no-untyped-call]
        kept["tables"], _by_number(kept["rules"]), transformer=callbacks, postlex=NewlineRule()
    )
    return made


def built(callbacks: Any = None) -> lark.Lark:
    """Build the parser from its grammar."""
    return lark.Lark(
        grammar_text(GRAMMAR),
        parser="lalr",
        lexer="basic",
        postlex=NewlineRule(),
        keep_all_tokens=True,
        maybe_placeholders=True,
        transformer=callbacks,
    )


def tables() -> str:
    """Write the tables as JSON, beside what they depend on."""
    told, rules = built().memo_serialize([TerminalDef, Rule])
    told["options"] = {name: value for name, value in told["options"].items() if name not in OURS}
    return json.dumps({"of": _identity(), "rules": rules, "tables": told}, separators=(",", ":"))


def _identity() -> list[str]:
    """Return what the tables depend on."""
    grammar = grammar_text(GRAMMAR).encode()
    return [sha256(grammar).hexdigest(), ".".join(lark.__version__.split(".")[:2])]


def _by_number(table: dict[str, Any]) -> dict[int, Any]:
    return {int(key): value for key, value in table.items()}


if __name__ == "__main__":
    FILE.write_text(tables(), encoding="utf-8")
