"""Write the tree-sitter parser from grammar/graph.lark: `python docs/.../generate.py [FOLDER]`.

Both parse LALR(1), so the tables that lark builds become those of tree-sitter's runtime (language
version 14), without a second grammar. Nodes are the rules and terminals of graph.lark by its names;
a keyword or a sign is an anonymous node, by its text. `scanner.c` makes the tokens.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lark.lexer import PatternStr
from lark.parsers.lalr_analysis import Shift

from graphc.syntax.lexing import tokens
from graphc.syntax.parse.tables import built

SOURCES = Path(__file__).resolve().parent / "src"
END, EXTRA, IGNORED = "$END", "COMMENT", ("WS", tokens.BAD)
ERROR_STATE, START_STATE = 0, 1
NOTE = "/* Written by generate.py from grammar/graph.lark; do not edit. */\n"
LANGUAGE = """\
/* Tokens are those of the scanner: here is the end of the text, after blanks. */
static bool lex(Lexer *lexer, uint16_t state) {
  (void)state;
  while (lexer->lookahead == ' ' || lexer->lookahead == ';' ||
         (lexer->lookahead >= '\\t' && lexer->lookahead <= '\\r'))
    lexer->advance(lexer, true);
  lexer->mark_end(lexer);
  lexer->result = 0;
  return lexer->eof(lexer);
}

PUBLIC const Language *tree_sitter_graphc(void) {
  static const Language language = {
      .version = 14,
      .symbols = SYMBOLS,
      .tokens = TOKENS,
      .external_tokens = TOKENS - 1,
      .states = STATES,
      .productions = 1,
      .large_rows = rows,
      .rows = rows,
      .starts = starts,
      .actions = actions,
      .names = names,
      .metadata = metadata,
      .public_symbols = public_symbols,
      .alias_map = none,
      .alias_sequences = none,
      .modes = modes,
      .lex = lex,
      .scanner = {takes, tokens, tree_sitter_graphc_external_scanner_create,
                  tree_sitter_graphc_external_scanner_destroy,
                  tree_sitter_graphc_external_scanner_scan,
                  tree_sitter_graphc_external_scanner_serialize,
                  tree_sitter_graphc_external_scanner_deserialize},
      .primary_states = primary_states,
  };
  return &language;
}
"""


@dataclass(frozen=True, slots=True)
class Symbol:
    """A column of the tables: its name, and whether a tree shows it, named or by its text."""

    name: str
    visible: bool
    named: bool


@dataclass(frozen=True, slots=True)
class Tables:
    """What tree-sitter's runtime reads: symbols, the actions that there are, and rows of states."""

    symbols: tuple[Symbol, ...]
    tokens: int
    actions: tuple[str, ...]
    rows: tuple[Mapping[int, int], ...]


def tables_of(parser: Any) -> Tables:
    """Turn lark's tables into those of tree-sitter."""
    table = parser.parser.parser._parse_table
    terminals = {one.name: one for one in parser.terminals if one.name not in IGNORED}
    symbols: dict[Any, Symbol] = {END: Symbol("end", False, False)}
    symbols |= {name: _terminal(one) for name, one in sorted(terminals.items())}
    token_count = len(symbols)
    rules = {id(one): one for one in parser.rules}.values()
    for rule in sorted(rules, key=_key):
        symbols.setdefault(_key(rule), _nonterminal(rule))
    numbers = {key: number for number, key in enumerate(symbols)}
    kinds: dict[str, list[Any]] = {}
    for key in symbols:
        if isinstance(key, tuple):
            kinds.setdefault(key[0], []).append(key)
    states = {state: number for number, state in enumerate(_reached(table), START_STATE)}
    actions: dict[str, int] = {}

    def action(code: str) -> int:
        return actions.setdefault(code, 1 + 2 * len(actions))  # an entry, and its action

    rows: list[dict[int, int]] = [{} for _ in range(len(states) + 1)]
    rows[ERROR_STATE] = dict.fromkeys(range(token_count), action("RECOVER"))
    for state, number in states.items():
        row = rows[number]
        for name, (kind, target) in sorted(table.states[state].items(), key=_first):
            if name not in terminals and name != END:
                for key in kinds[name]:
                    row[numbers[key]] = states[target]
            elif kind is Shift:
                row[numbers[name]] = action(f"SHIFT({states[target]})")
            else:
                row[numbers[name]] = action(
                    f"REDUCE({numbers[_key(target)]}, {len(target.expansion)})"
                )
    rows[states[table.end_states["start"]]][numbers[END]] = action("ACCEPT")
    for row in rows:
        row[numbers[EXTRA]] = action("EXTRA")
    return Tables(tuple(symbols.values()), token_count, tuple(actions), tuple(rows))


def _reached(table: Any) -> list[Any]:
    """List the states in an order that lark's numbers for them do not decide."""
    found = [table.start_states["start"]]
    known = set(found)
    for state in found:
        for _, (kind, target) in sorted(table.states[state].items(), key=_first):
            if kind is Shift and target not in known:
                known.add(target)
                found.append(target)
    return found


def _first(pair: tuple[str, Any]) -> str:
    return pair[0]


def _terminal(terminal: Any) -> Symbol:
    if terminal.name.startswith("_"):
        return Symbol(terminal.name, False, False)
    if isinstance(terminal.pattern, PatternStr):
        return Symbol(terminal.pattern.value, True, False)
    return Symbol(terminal.name, True, True)


def _key(rule: Any) -> tuple[str, str]:
    """Return what a rule reduces to: a nonterminal, and the name that a tree shows, if it does."""
    origin = str(rule.origin.name)
    passes = rule.options.expand1 and len(rule.expansion) == 1
    shown = rule.alias or ("" if passes or origin.startswith("_") else origin)
    return origin, str(shown)


def _nonterminal(rule: Any) -> Symbol:
    origin, shown = _key(rule)
    return Symbol(shown or origin, bool(shown), True)


# ---- as C ----------------------------------------------------------------------------------------


def parser_text(tables: Tables) -> str:
    """Write parser.c."""
    first: dict[Symbol, int] = {}
    for number, symbol in enumerate(tables.symbols):
        first.setdefault(symbol, number)
    rows, starts = _packed(tables)
    takes = tables.tokens - 1  # of the scanner: all but the end
    return "\n".join(
        [
            NOTE,
            '#include "language.h"',
            "",
            f"#define SYMBOLS {len(tables.symbols)}",
            f"#define TOKENS {tables.tokens}",
            f"#define STATES {len(tables.rows)}",
            "",
            _array("const char *const names", (f'"{one.name}"' for one in tables.symbols)),
            _array("const Metadata metadata", map(_metadata, tables.symbols)),
            _array("const uint16_t public_symbols", (str(first[one]) for one in tables.symbols)),
            _array("const Entry actions", ["NOTHING", *(f"ENTRY, {a}" for a in tables.actions)]),
            _array("const uint16_t rows", rows),
            _array("const uint32_t starts", starts),
            _array("const uint16_t primary_states", map(str, range(len(tables.rows)))),
            _array("const LexMode modes", ["{0, 1}"] * len(tables.rows)),
            _array("const bool takes", ["false"] * takes + ["true"] * takes),
            _array("const uint16_t tokens", map(str, range(1, tables.tokens))),
            _array("const uint16_t none", ["0"]),
            LANGUAGE,
        ]
    )


def _metadata(symbol: Symbol) -> str:
    return f"{{{str(symbol.visible).lower()}, {str(symbol.named).lower()}, false}}"


def _packed(tables: Tables) -> tuple[list[str], list[str]]:
    """Pack rows: how many groups, and of each its value, how many symbols, and these."""
    packed: list[int] = []
    starts = []
    for row in tables.rows:
        starts.append(str(len(packed)))
        groups: dict[tuple[bool, int], list[int]] = {}
        for symbol, value in sorted(row.items()):
            groups.setdefault((symbol < tables.tokens, value), []).append(symbol)
        packed.append(len(groups))
        for (_, value), symbols in groups.items():
            packed += [value, len(symbols), *symbols]
    return [*map(str, packed)], starts


def tokens_text(tables: Tables) -> str:
    """Write tokens.h: the numbers of tokens, words and signs, and the sets of the newline rule."""
    names = {one.name: number for number, one in enumerate(tables.symbols[1 : tables.tokens])}
    parser = built()
    of = {one.name: one for one in parser.terminals}
    key = {name: names[_terminal(one).name] for name, one in of.items() if name not in IGNORED}
    words, signs = [], []
    for name, number in key.items():
        pattern = of[name].pattern
        texts = [pattern.value] if isinstance(pattern, PatternStr) else _alternatives(pattern)
        for text in texts:
            (words if text.isidentifier() else signs).append((text, number))
    letters = sorted({c for c in of["NAME"].pattern.value if not c.isascii()})
    sets = {
        "CONTINUES_AFTER": tokens.CONTINUES_AFTER,
        "CONTINUES_BEFORE": tokens.CONTINUES_BEFORE,
        "BEGINS_STATEMENT": tokens.BEGINS_STATEMENT,
        "HEADS_BODY": tokens.HEADS_BODY,
        "ENDS_OPERAND": tokens.ENDS_OPERAND,
        "BEGINS_OPERAND": tokens.BEGINS_OPERAND,
    }
    flags = [
        " | ".join(flag for flag, members in sets.items() if name in members) or "0"
        for name, _ in sorted(key.items(), key=lambda one: one[1])
    ]
    return "\n".join(
        [
            NOTE,
            "enum {",
            *(f"  {name.lstrip('_')} = {number}," for name, number in sorted(key.items())),
            "};",
            "",
            "enum {",
            *(f"  {flag} = {1 << bit}," for bit, flag in enumerate(sets)),
            "};",
            "",
            _array("const unsigned char flags", flags),
            "typedef struct {",
            "  const char *text;",
            "  int token;",
            "} Spelling;",
            "",
            _array("const Spelling words", (f'{{"{text}", {n}}}' for text, n in sorted(words))),
            _array("const Spelling signs", (f'{{"{text}", {n}}}' for text, n in sorted(signs))),
            _array("const int32_t letters", (f"0x{ord(one):x}" for one in letters)),
        ]
    )


def _alternatives(pattern: Any) -> list[str]:
    """Return the texts of a terminal that is one of several signs."""
    if pattern.raw is not None:
        return []
    return re.sub(r"\\(.)", r"\1", pattern.value.removeprefix("(?:").removesuffix(")")).split("|")


def _array(declared: str, items: Iterable[str]) -> str:
    text = ", ".join(items)
    lines = textwrap.wrap(text, 96, break_long_words=False, break_on_hyphens=False)
    return "\n".join([f"static {declared}[] = {{", *(f"  {line}" for line in lines), "};\n"])


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else SOURCES
    made = tables_of(built())
    for name, text in (("parser.c", parser_text(made)), ("tokens.h", tokens_text(made))):
        (target / name).write_text(text, encoding="utf-8")
