"""Rules from a text to another of the same mathematics.

A rule that finds nothing to rewrite is a mistake: two spellings would be one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

Rule = Callable[[str], str]

LOOP = re.compile(
    r"^(?:(?P<start>\w+) -> )?(?:repeat|scan) (?P<name>\w+)\[(?P<index>\w+) in (?P<range>[^\]]*)\]"
    r"(?: carry (?P<carried>.*))? \{\n(?P<body>.*?)^\}(?: -> (?P<end>\w+))?\n",
    re.MULTILINE | re.DOTALL,
)
BLOCK = re.compile(
    r"^block (?P<name>\w+)\((?P<ports>[^)]*)\) -> (?P<results>.*?) \{\n(?P<body>.*?)^\}\n+",
    re.MULTILINE | re.DOTALL,
)
DEFINED = re.compile(r"(?:param )?(\w+(?:, \w+)*)(?:: \[[^\]]*\])?(?: ~ .*| = .*)?")
PORT = re.compile(r"(\w+): \[")


def written(text: str, *rules: Rule) -> str:
    """Return the text after these rules."""
    for rule in rules:
        made = rule(text)
        if made == text:
            raise ValueError(f"nothing to rewrite in\n{text}")
        text = made
    return text


def instead(old: str, new: str) -> Rule:
    """Write `new` wherever `old` stands."""
    return lambda text: text.replace(old, new)


def matching(pattern: str, new: str) -> Rule:
    """Write `new` for what matches, line by line, with the groups of the pattern."""
    return lambda text: re.sub(pattern, new, text, flags=re.MULTILINE)


def sized(text: str, dims: Mapping[str, int]) -> str:
    """Write these sizes into the dims of a text."""
    for name, size in dims.items():
        text = re.sub(rf"^dim {name}\b.*", f"dim {name} = {size}", text, flags=re.MULTILINE)
    return text


def with_words(text: str, new: Mapping[str, str]) -> str:
    """Write other words in the place of some; none behind a dot."""
    return re.sub(r"(?<![\w.])[A-Za-z_]\w*", lambda found: new.get(found[0], found[0]), text)


def unrolled(text: str) -> str:
    """Write the loops of known numbers of steps step by step."""
    return LOOP.sub(lambda loop: _steps(text, loop), text)


def opened(text: str) -> str:
    """Write the blocks of a file where they are used."""
    while block := BLOCK.search(text):
        text = _opened(text[: block.start()] + text[block.end() :], block)
    return text


def rolled(word: str) -> Rule:
    """Write `h1 = f(x)`, `h2 = f(h1)`, … as a loop by this word."""

    def rule(text: str) -> str:
        steps = re.findall(r"^([a-z]+)(\d+) = (.*)\n", text, flags=re.MULTILINE)
        (name, _, first), (_, _, second), *_ = steps
        start = re.fullmatch(re.escape(second).replace(f"{name}1", r"(\w+)"), first)
        if start is None:
            raise ValueError(f"no steps alike in\n{text}")
        count, last = len(steps), f"{name}{len(steps)}"
        step = second.replace(f"{name}1", last)
        head = f"{word} step[k in {count}] carry {last} = {start[1]}"
        loop = f"{head} {{\n    next {last} = {step}\n}}\n"
        lines = "".join(f"{one}{n} = {right}\n" for one, n, right in steps)
        return text.replace(lines, loop)

    return rule


def _steps(text: str, loop: re.Match[str]) -> str:
    first, last = (_number(text, bound) for bound in loop["range"].split(".."))
    name, body = loop["name"], _statements(loop["body"])
    if loop["start"]:
        stages = []
        for step in range(first, last + 1):
            own = {one: f"{name}_{step}_{one}" for one in re.findall(r" as (\w+)", loop["body"])}
            stages += [with_words(one, own | {loop["index"]: str(step)}) for one in body]
        return "\n  -> ".join([loop["start"], *stages, loop["end"]]) + "\n"
    states = dict(one.split(" = ") for one in re.split(r", (?=\w+ = )", loop["carried"]))
    lines = []
    names = [one for line in body for one in _defined(line)]
    for step in range(first, last + 1):
        own = {one: f"{name}_{step}_{one}" for one in names} | {loop["index"]: str(step)}
        after = {one: f"{one}_{step}" for one in states}
        for line in body:
            left, equals, right = line.partition(" = ")
            new = after if left.startswith("next ") else own
            left = with_words(left, new).removeprefix("next ")
            lines.append(left + equals + with_words(right, own | states))
        states = after
    return "\n".join([*lines, *(f"{one} = {last}" for one, last in states.items())]) + "\n"


def _number(text: str, bound: str) -> int:
    found = re.search(rf"^dim {bound} = (\d+)", text, flags=re.MULTILINE)
    return int(found[1] if found else bound)


def _statements(body: str) -> list[str]:
    """The statements of a body, each a line, without what is said of them."""
    lines = (re.sub(r"  #.*", "", line).strip() for line in body.splitlines())
    joined = re.sub(r"\n(?=[-+*/] )", " ", "\n".join(lines))
    return [line for line in joined.split("\n") if line and not line.startswith(('"', "#"))]


def _defined(line: str) -> Sequence[str]:
    """The names that a line defines."""
    if line.startswith("next "):
        return ()
    line = line.removeprefix("collect ")
    found = DEFINED.fullmatch(line)
    names = found[1].split(", ") if found else []
    return [*names, *re.findall(r" as (\w+)", line)]


def _opened(text: str, block: re.Match[str]) -> str:
    ports, results = PORT.findall(block["ports"]), PORT.findall(block["results"])
    body = _statements(block["body"])
    use = re.compile(
        rf"^( *)((?:next )?)([\w, ]+) = {block['name']}\(((?:[^()\[\]]|\[[^\]]*\])*)\)\n",
        re.MULTILINE,
    )

    def written(found: re.Match[str]) -> str:
        made = found[3].split(", ")
        given = re.split(r", (?![^\[]*\])", found[4])
        own = {one: f"{one}_{made[0]}" for line in body for one in _defined(line)}
        new = own | dict(zip(results, made, strict=True))
        new |= {
            port: arg if re.fullmatch(r"\w+", arg) else f"({arg})"
            for port, arg in zip(ports, given, strict=True)
        }
        lines = [with_words(line, new) for line in body]
        lines[-1] = found[2] + lines[-1]
        return "".join(f"{found[1]}{line}\n" for line in lines)

    return use.sub(written, text)
