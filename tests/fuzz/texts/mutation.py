"""Texts from texts: words, lines and bytes deleted, doubled, exchanged and replaced."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from graphc.resources import grammar_text
from tests.fuzz.texts.edges import BYTES, CHARACTERS, FLOATS, INTEGERS, OPERATORS, edge_name
from tests.fuzz.texts.grammar import derived
from tests.fuzz.writing.generate import generate

ROOT = Path(__file__).parents[3]
WORDS = re.compile(
    r'"""(?:.|\n)*?"""|"[^"\n]*"|#[^\n]*|[^\W\d]\w*|\d+(?:\.\d+)?(?:[eE]-?\d+)?|\*\*|->|\.\.\.?'
    r"|//|[<>=!]=|\s+|."
)
DERIVE = re.compile(r"^derive .*$", re.MULTILINE)


@cache
def sources() -> tuple[str, ...]:
    """Files of the repository that compile, and the standard blocks in groups of three."""
    folders = (ROOT / "examples", ROOT / "tests" / "language" / "examples")
    files = [path.read_text(encoding="utf-8") for folder in folders
             for path in sorted(folder.glob("*.graph"))]  # fmt: skip
    blocks = re.split(r"^(?=block )", grammar_text("std.graph"), flags=re.MULTILINE)[1:]
    texts = ["input x: [4]\noutput y = x\n" + "".join(blocks[i : i + 3])
             for i in range(0, len(blocks), 3)]  # fmt: skip
    return (*files, *(text.replace("block ", "block my_", 1) for text in texts))


def written(seed: int) -> bytes:
    """The text of a seed: mostly a program that was good before something was done to it."""
    draw = random.Random(seed)
    kind = draw.random()
    if kind < 0.2:
        text = derived(draw)
    elif kind < 0.45:
        text = generate(draw.randrange(1 << 30), ()).text
    else:
        text = draw.choice(sources())
    if draw.random() < 0.7:
        text = DERIVE.sub(lambda match: match[0] if draw.random() < 0.2 else "", text)
    changes = _MILD if draw.random() < 0.5 else _CHANGES
    for _ in range(draw.choice([0, 1, 1, 1, 2, 3] if kind < 0.2 else [1, 1, 1, 2, 3])):
        text = draw.choice(changes)(text, draw)
    data = text.encode("utf-8", "surrogatepass")
    if draw.random() < 0.05:
        place = draw.randrange(len(data) + 1)
        data = data[:place] + draw.choice(BYTES) + data[place + draw.randrange(2) :]
    return data


def _places(words: Sequence[str], pattern: str) -> list[int]:
    return [place for place, word in enumerate(words) if re.match(pattern, word)]


def _renamed(text: str, draw: random.Random) -> str:
    """A name of the text everywhere another, so that what was right mostly stays so."""
    words = WORDS.findall(text)
    known = [words[i] for i in _places(words, r"[^\W\d]")]
    if not known:
        return text
    old, new = draw.choice(known), edge_name(draw)
    return "".join(new if word == old else word for word in words)


def _replaced(text: str, draw: random.Random) -> str:
    """A word by another of its kind, or by any."""
    words = WORDS.findall(text)
    places = _places(words, r"[^\s\"#]")
    if not places:
        return text
    place = draw.choice(places)
    if words[place][0].isdigit():
        words[place] = draw.choice([*INTEGERS, *FLOATS])
    elif re.match(r"[^\W\d]", words[place]):
        others = [words[i] for i in _places(words, r"[^\W\d]")]
        words[place] = draw.choice([edge_name(draw), *others])
    else:
        words[place] = draw.choice(OPERATORS)
    if draw.random() < 0.1:
        words[place] = draw.choice([*CHARACTERS, draw.choice(INTEGERS), '"s"'])
    return "".join(words)


def _numbered(text: str, draw: random.Random) -> str:
    """A number by one at the edge."""
    words = WORDS.findall(text)
    places = _places(words, r"\d")
    if places:
        words[draw.choice(places)] = draw.choice([*INTEGERS[:14], *FLOATS[:4], "0.5", "-1"])
    return "".join(words)


def _words_moved(text: str, draw: random.Random) -> str:
    words = WORDS.findall(text)
    places = _places(words, r"\S")
    if len(places) < 2:
        return text
    one, other = sorted(draw.sample(places, 2))
    match draw.randrange(4):
        case 0:
            del words[one]
        case 1:
            words[one] = f"{words[one]} {words[one]}"
        case 2:
            words[one], words[other] = words[other], words[one]
        case _:
            words[one:one] = words[one : min(other, one + 30)]
    return "".join(words)


def _lines_moved(text: str, draw: random.Random) -> str:
    lines = text.split("\n")
    one, other = draw.randrange(len(lines)), draw.randrange(len(lines))
    match draw.randrange(4):
        case 0:
            del lines[one]
        case 1:
            lines.insert(other, lines[one])
        case 2:
            lines[one], lines[other] = lines[other], lines[one]
        case _:
            lines[one] = draw.choice(
                ["", "{", "}", lines[one][: draw.randrange(1 + len(lines[one]))]]
            )
    return "\n".join(lines)


def _inserted(text: str, draw: random.Random) -> str:
    place = draw.randrange(len(text) + 1)
    return text[:place] + draw.choice(CHARACTERS) + text[place + draw.randrange(2) :]


def _nested(text: str, draw: random.Random) -> str:
    """A name or number deep inside of brackets, calls, signs or operators."""
    words = WORDS.findall(text)
    places = _places(words, r"[\w]")
    if not places:
        return text
    place, often = draw.choice(places), draw.choice([2, 20, 300])
    before, between, behind = draw.choice(
        [("(", "", ")"), ("[", "", "]"), ("-", "", ""), ("tanh(", "", ")"), ("", "+", ""),
         ("", "*", ""), ("", "**", ""), ("", "//", ""), ("", "%", ""), ("", " -> ", "")]
    )  # fmt: skip
    if between:
        words[place] = between.join([words[place]] * often)
    else:
        words[place] = before * often + words[place] + behind * often
    return "".join(words)


def _multiplied(text: str, draw: random.Random) -> str:
    """Many lines like one: with its own names, or as they are."""
    lines = text.split("\n")
    place = draw.randrange(len(lines))
    fresh = re.compile(r"\b([a-zA-Z]\w*)(?=\s*=)")
    lines[place:place] = [
        fresh.sub(lambda match, n=n: f"{match[1]}_{n}", lines[place])  # type: ignore[misc]
        for n in range(draw.choice([2, 10, 60]))
    ]
    return "\n".join(lines)


_CHANGES: tuple[Callable[[str, random.Random], str], ...] = (
    _renamed, _renamed, _renamed, _replaced, _replaced, _replaced, _replaced, _words_moved,
    _words_moved, _lines_moved, _inserted, _nested, _multiplied,
)  # fmt: skip

_MILD = (_renamed, _renamed, _numbered)
"""What leaves many texts right."""
