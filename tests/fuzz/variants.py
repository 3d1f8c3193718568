"""Programs that must give the same: renamed, reordered, inlined, extracted, unrolled, split."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from tests.fuzz.program import WORD, Axis, Program, Statement, Type, Value, literal

Variant = Callable[[Program, random.Random], Program | None]

TAKEN = (
    "d_loss", "ct_loss", "t_loss", "d_x1", "t_x1", "t_p1", "ct_n4", "_take", "out", "params", "np",
    "cache", "_FLOAT", "self", "lambda_", "x_p", "_scratch_forward", "d_B", "_enter", "_cotangent",
    "_expected", "_blocks", "_give", "math", "result", "value", "seed", "shape", "axis_", "scratch",
    "forward", "backward", "cotangents", "tangents", "float64", "array", "print", "B_", "buffer",
)  # fmt: skip
"""Names that a module might make, or Python has."""
EQUATION = re.compile(r"(\w+) = (.*)", re.DOTALL)
BLOCK = re.compile(r"block (\w+)\(((?:\w+: \[[^\]]*\](?:, )?)*)\) -> (.*)")
PORT = re.compile(r"(\w+): \[([^\]]*)\]")
HEAD = re.compile(r"(repeat|scan) (\w+)\[(\w+) in (\d+)(?:\.\.(\d+))?\](?: carry (.*))?")


def renamed(program: Program, draw: random.Random) -> Program | None:
    """Some names of nodes, inputs and outputs are those that a module might make."""
    names = [one.name for one in program.typed() if not one.name.startswith("loop")]
    own = {word for one in (*program.statements, *program.blocks) for word in one.words()}
    free = [name for name in TAKEN if name not in own]
    chosen = draw.sample(names, min(len(names), 6))
    new = dict(zip(chosen, draw.sample(free, len(chosen)), strict=True))
    new.pop("each", None)
    asked = {path for clause in program.clauses for path in clause.wrt}
    new = {old: name for old, name in new.items() if name != "params" or old not in asked}

    def value(one: Value) -> Value:
        return replace(one, name=new.get(one.name, one.name))

    clauses = tuple(
        replace(
            one, outputs=tuple(new.get(n, n) for n in one.outputs),
            wrt=tuple(_path(path, new) for path in one.wrt),
        )
        for one in program.clauses
    )  # fmt: skip
    return replace(
        program,
        inputs=tuple(map(value, program.inputs)), params=tuple(map(value, program.params)),
        statements=tuple(substituted(one, new) for one in program.statements),
        outputs=tuple(new.get(n, n) for n in program.outputs), clauses=clauses,
    )  # fmt: skip


def _path(path: str, new: Mapping[str, str]) -> str:
    first, *rest = path.split(".")
    return ".".join([new.get(first, first), *rest])


def substituted(one: Statement, new: Mapping[str, str]) -> Statement:
    """With other words in the place of some; not behind a dot."""
    text = re.sub(r"(?<![\w.])[A-Za-z_]\w*", lambda found: new.get(found[0], found[0]), one.text)
    defines = tuple(replace(v, name=new.get(v.name, v.name)) for v in one.defines)
    body = None if one.body is None else tuple(substituted(each, new) for each in one.body)
    return Statement(text, defines, body)


def reordered(program: Program, draw: random.Random) -> Program | None:
    """Definitions come in any order; an `else` stays behind its `if`."""
    groups: list[list[Statement]] = []
    for one in program.statements:
        if one.text == "else":
            groups[-1].append(one)
        elif one.text.startswith("require"):
            groups.insert(0, [one])
        else:
            groups.append([one])
    first = [group for group in groups if group[0].text.startswith("require")]
    rest = [group for group in groups if not group[0].text.startswith("require")]
    draw.shuffle(rest)
    return program.with_statements(tuple(one for group in [*first, *rest] for one in group))


def _equations(program: Program) -> Iterator[tuple[int, str, str]]:
    """Place, name and right side of the equations that a file makes of one expression."""
    for place, one in enumerate(program.statements):
        found = EQUATION.fullmatch(one.text)
        if one.body is None and len(one.defines) == 1 and found and "->" not in one.text:
            yield place, found[1], found[2]


def _called(blocks: Iterable[Statement]) -> str:
    """A pattern of the names of these blocks and of the standard ones that have parameters."""
    own = (one.text.split("(")[0].split()[1] for one in blocks)
    return "|".join([r"dense\w*|mlp|layernorm", *own])


def inlined(program: Program, draw: random.Random) -> Program | None:
    """An equation written where its name is read."""
    kept = {*program.outputs, *(path for clause in program.clauses for path in clause.wrt)}
    texts = " ".join(program.lines())
    learning = _called(one for one in program.blocks if "param " in "\n".join(one.lines()))
    free = [
        one for one in _equations(program)
        if one[1] not in kept and not re.search(rf" as |\b({learning})\(", one[2])
        and not re.search(rf"grad\([^()]*\b{one[1]}\b|\b{one[1]}\.|stop\(", texts)
    ]  # fmt: skip
    if not free:
        return None
    place, name, right = draw.choice(free)
    rest = (*program.statements[:place], *program.statements[place + 1 :])
    if not any(name in one.words() for one in rest):
        return None
    return program.with_statements(tuple(_written(one, name, f"({right})") for one in rest))


def _written(one: Statement, name: str, text: str) -> Statement:
    new = re.sub(rf"(?<![\w.]){name}(?!\w)", lambda _: text, one.text)
    body = None if one.body is None else tuple(_written(each, name, text) for each in one.body)
    return Statement(new, one.defines, body)


def extracted(program: Program, draw: random.Random) -> Program | None:
    """The right side of an equation as a block of what it reads."""
    known = {one.name: one for one in program.typed()}
    unknown = {one.text.split()[0] for one in program.statements if not one.defines}
    consts = {one.text.split()[1] for one in program.statements if one.text.startswith("const ")}
    closed = unknown | consts | {dim.name for dim in program.dims}
    free = []
    for place, name, right in _equations(program):
        words = list(dict.fromkeys(WORD.findall(re.sub(r'"[^"]*"', "", right))))
        read = [word for word in words if word in known]
        usable = not re.search(r" as |grad\(|use\d+\(|\w\.[A-Za-z]", right) and not closed & set(
            words
        )
        if read and usable and not any(re.search(rf"\b{word}[.(]", right) for word in read):
            free.append((place, name, right, read))
    if not free:
        return None
    place, name, right, read = draw.choice(free)
    target = program.statements[place].defines[0]
    axes: dict[Axis, Axis] = {}
    for axis in (axis for word in read for axis in known[word].shape):
        if "?" in axis.text:
            return None
        axes.setdefault(axis, axis if axis.text == "1" else Axis(f"A{len(axes)}", axis.size))
    if any(axis not in axes and not axis.text.isdigit() for axis in target.shape):
        return None

    def port(word: str) -> str:
        one = known[word].type
        return f"{word}: {Type(tuple(axes[a] for a in one.shape), one.kind)}"

    shape = tuple(axes.get(axis, axis) for axis in target.shape)
    head = f"block part_{name}({', '.join(map(port, read))}) -> r: {Type(shape, target.type.kind)}"
    block = Statement(head, (), (Statement(f"r = {right}"),))
    use = Statement(f"{name} = part_{name}({', '.join(read)})", (target,))
    statements = (*program.statements[:place], use, *program.statements[place + 1 :])
    return replace(program.with_statements(statements), blocks=(*program.blocks, block))


def opened(program: Program, draw: random.Random) -> Program | None:
    """A use of a block, and in its place what the block computes."""
    known = {one.name: one for one in program.typed()}
    blocks = {}
    for one in program.blocks:
        head = BLOCK.fullmatch(one.text)
        if head and not re.search(r"\b(param|rule|residual)\b|grad\(| as ", "\n".join(one.lines())):
            blocks[head[1]] = one, PORT.findall(head[2]), re.findall(r"(\w+): ", head[3])
    free = []
    for place, one in enumerate(program.statements):
        use = re.fullmatch(r"(\w+(?:, \w+)*) = (\w+)\(([\w, ]+)\)(?: as \w+)?", one.text)
        if use and use[2] in blocks and all(name in known for name in use[3].split(", ")):
            free.append((place, use))
    if not free:
        return None
    place, use = draw.choice(free)
    block, ports, results = blocks[use[2]]
    targets, given = use[1].split(", "), use[3].split(", ")
    assert block.body is not None
    own = {name for value in block.body for name in _defined([value])}
    new = {name: f"{name}_{targets[0]}" for name in own}
    new |= dict(zip(results, targets, strict=True))
    for (port, axes), name in zip(ports, given, strict=True):
        new[port] = name
        for axis, other in zip(axes.split(", "), known[name].shape, strict=bool(axes)):
            new[axis] = str(other) if str(other).isidentifier() else f"({other})"
    if any("?" in text for text in new.values()):
        return None
    defined = {value.name: value for value in program.statements[place].defines}
    made = []
    for one in block.body:
        own_names = [new[name] for name in _defined([one])]
        values = tuple(defined[name] for name in own_names if name in defined)
        made.append(replace(substituted(one, new), defines=values))
    statements = (*program.statements[:place], *made, *program.statements[place + 1 :])
    return program.with_statements(statements)


def rolled(program: Program, draw: random.Random) -> Program | None:
    """An equation as what the last step of a loop collects, each of them the same."""
    blocks = _called(program.blocks)
    free = [
        one for one in _equations(program)
        if not re.search(rf" as |\b({blocks}|use\d+)\(", one[2])
        and program.statements[one[0]].defines[0].type.kind == "float"
    ]  # fmt: skip
    if not free:
        return None
    place, name, right = draw.choice(free)
    (value,) = program.statements[place].defines
    step = Statement(f"collect rows_{name} = {right}")
    word, count = draw.choice(("scan", "repeat")), literal(draw.choice((1, 2, 3)))
    rows = Value(f"rows_{name}", Type((count, *value.shape)), value.bound, value.under)
    made = (
        Statement(f"{word} again_{name}[k_{name} in {count}]", (rows,), (step,)),
        Statement(f"{name} = rows_{name}[-1]", (value,)),
    )
    statements = (*program.statements[:place], *made, *program.statements[place + 1 :])
    return program.with_statements(statements)


def unrolled(program: Program, draw: random.Random) -> Program | None:
    """A loop of a number of steps, written out step after step."""
    free = []
    for place, one in enumerate(program.statements):
        head = HEAD.fullmatch(one.text)
        texts = "\n".join(one.lines())
        if head and not re.search(r"\bparam |until |\bas |grad\(|else", texts):
            free.append((place, head))
    if not free:
        return None
    place, head = draw.choice(free)
    one = program.statements[place]
    assert one.body is not None
    first = int(head[4]) if head[5] else 0
    steps = range(first, int(head[5]) + 1 if head[5] else int(head[4]))
    if not len(steps) or any(f"{head[2]}." in path for c in program.clauses for path in c.wrt):
        return None
    states = dict(part.split(" = ", 1) for part in re.split(r", (?=\w+ = )", head[6] or "") if part)
    made: list[Statement] = []
    rows: dict[str, list[str]] = {}
    for step in steps:
        own = {name: f"{name}_{step}" for name in _defined(one.body)}
        new = {**own, **states, head[3]: str(step)}
        after = {}
        for each in one.body:
            words = each.text.split(" ", 3)
            if words[0] == "next":
                after[words[1]] = f"{words[1]}_{step}_next"
                made.append(_made(f"{after[words[1]]} = {words[3]}", new))
            elif words[0] == "collect":
                rows.setdefault(words[1], []).append(f"{words[1]}_{step}")
                made.append(_made(f"{words[1]}_{step} = {words[3]}", new))
            else:
                made.append(substituted(each, new))
        states = after
    types = {value.name: value for value in one.defines}
    made += [Statement(f"{n} = {last} * 1", (types[n],)) for n, last in states.items()]
    made += [Statement(f"{n} = stack({', '.join(r)})", (types[n],)) for n, r in rows.items()]
    statements = (*program.statements[:place], *made, *program.statements[place + 1 :])
    return program.with_statements(statements)


def _made(text: str, new: Mapping[str, str]) -> Statement:
    left, right = text.split(" = ", 1)
    return Statement(f"{left} = {substituted(Statement(right), new).text}")


def _defined(body: Sequence[Statement]) -> Iterator[str]:
    """All names that a body defines, with those of loops inside."""
    for one in body:
        head = re.match(r"(?:repeat|scan) (\w+)\[(\w+) in", one.text)
        if head:
            yield from head.groups()
        yield from (value.name for value in one.defines)
        if one.body is not None:
            yield from _defined(one.body)
            yield from (s.text.split()[1] for s in one.body if s.text.startswith("collect "))


def split(program: Program, draw: random.Random) -> Program | None:
    """A chain cut in two."""
    free = [
        place for place, one in enumerate(program.statements)
        if one.body is None and one.text.count(" -> ") >= 3 and len(one.defines) == 1
    ]  # fmt: skip
    if not free:
        return None
    place = draw.choice(free)
    one = program.statements[place]
    parts = _stages(one.text)
    if len(parts) < 4:
        return None
    cut = draw.randrange(2, len(parts) - 1)
    between = f"half_{one.defines[0].name}"
    halves = (
        Statement(" -> ".join([*parts[:cut], between])),
        Statement(" -> ".join([between, *parts[cut:]]), one.defines),
    )
    if parts[cut - 1].startswith("("):  # what a fork makes flows on together
        return None
    statements = (*program.statements[:place], *halves, *program.statements[place + 1 :])
    return program.with_statements(statements)


def _stages(text: str) -> list[str]:
    """The parts of a chain, but for those inside of brackets."""
    parts, depth = [""], 0
    for word in re.split(r"( -> |[(){}\[\]])", text):
        depth += (word in ("(", "{", "[")) - (word in (")", "}", "]"))
        if word == " -> " and not depth:
            parts.append("")
        else:
            parts[-1] += word
    return parts


def shown(program: Program, draw: random.Random) -> Program | None:
    """With an output that nobody asks for."""
    free = [one.name for one in program.typed()
            if one.name not in program.outputs and one.type.kind != "index"
            and one not in program.inputs and one not in program.params]  # fmt: skip
    if not free:
        return None
    return replace(program, outputs=(*program.outputs, draw.choice(free)))


def hidden(program: Program, draw: random.Random) -> Program | None:
    """Without an output that nobody asks for."""
    asked = {name for clause in program.clauses for name in (*clause.outputs, clause.each)}
    free = [name for name in program.outputs if name not in asked]
    if not free or len(program.outputs) < 2:
        return None
    gone = draw.choice(free)
    return replace(program, outputs=tuple(name for name in program.outputs if name != gone))


VARIANTS: dict[str, Variant] = {
    "renamed": renamed, "reordered": reordered, "inlined": inlined, "extracted": extracted,
    "opened": opened, "rolled": rolled, "unrolled": unrolled, "split": split, "shown": shown,
    "hidden": hidden,
}  # fmt: skip


def varied(program: Program, names: Sequence[str], draw: random.Random) -> Program:
    """The program after these variants, each where it can be had; it remembers where it is from."""
    origin, called = program, {name: name for name in program.outputs}
    for name in names:
        made = VARIANTS[name](program, draw)
        if made is None:
            continue
        if name == "renamed":
            new = dict(zip(program.outputs, made.outputs, strict=True))
            called = {old: new.get(name, name) for old, name in called.items()}
        program = replace(made, features=made.features | {f"variant:{name}"})
    if program is origin:
        return origin
    return replace(program, origin=origin, called=tuple(called.items()))
