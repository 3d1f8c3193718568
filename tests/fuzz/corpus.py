"""Programs as files: a graph, with what else it takes to run it again in its first lines."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from graphc.source import Source
from graphc.syntax import tree
from graphc.syntax.parse.parser import parse
from tests.fuzz.finding import Finding
from tests.fuzz.program import Axis, Clause, Dim, Program, Setting, Type, Value

FOLDER = Path(__file__).parent / "corpus"
HEAD = "# program "


def written(program: Program, found: Finding | None = None) -> str:
    """The text of a file, with what was found and what is right."""
    head = {
        "seed": program.seed,
        "dims": program.sizes(),
        "below": {one.name: one.type.below for one in program.inputs if one.type.below},
        "setting": {n: v for n, v in asdict(program.setting).items() if v != _default(n)},
    }
    clauses = [f"derive {clause}" for clause in program.clauses if program.setting.by_option]
    lines = [HEAD + json.dumps(head), *(f"# with {clause}" for clause in clauses)]
    if found is not None:
        lines += [f"# {found.kind}: {found.where}"]
        lines += [f"# found {line}" for line in found.found.split("\n")[:8]]
        lines += [f"# right {line}" for line in found.right.split("\n")[:8]]
    return "\n".join(lines) + "\n" + program.text


def _default(name: str) -> Any:
    return getattr(Setting(), name)


def read(text: str) -> Program:
    """The program of a file."""
    first, *rest = text.split("\n")
    head = json.loads(first.removeprefix(HEAD))
    more = {name: _frozen(value) for name, value in head["setting"].items()}
    setting = Setting(**more)
    said = "\n".join(line.removeprefix("# with ") for line in rest if line.startswith("# with "))
    body = "\n".join(line for line in rest if not line.startswith("# ") or "=" not in line[:1])
    sizes = head["dims"]
    inputs: list[Value] = []
    params: list[Value] = []
    outputs: list[str] = []
    clauses: list[Clause] = []
    for one in parse(Source("corpus", body + "\n" + said)).statements:
        match one:
            case tree.Input() | tree.Param():
                kept = inputs if isinstance(one, tree.Input) else params
                for name in one.names:
                    below = head["below"].get(name.text, 0)
                    kept.append(Value(name.text, _type(one.type, sizes, below)))
            case tree.Output():
                outputs += [name.text for name in one.names]
            case tree.Derive():
                clauses.append(_clause(one))
    dims = tuple(Dim(name, name, size) for name, size in sizes.items())
    return Program(
        head["seed"], dims, (), tuple(inputs), tuple(params), (), tuple(outputs), tuple(clauses),
        setting, written=body,
    )  # fmt: skip


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _type(type: tree.TypeOf | None, sizes: dict[str, int], below: int) -> Type:
    if type is None or type.axes is None:
        return Type((), type.kind.text if type and type.kind else "float", below)
    axes = []
    for axis in type.axes:
        text = axis.span.source.text[axis.span.start : axis.span.end]
        axes.append(Axis(text, int(eval(text, {}, sizes))))
    return Type(tuple(axes), type.kind.text if type.kind else "float", below)


def _clause(one: tree.Derive) -> Clause:
    per = one.per.text if one.per else ""
    assert one.name is not None
    return Clause(
        one.kind.text, tuple(name.text for name in one.outputs),
        tuple(".".join(path.words) + (".*" if path.star else "") for path in one.wrt), per,
        one.name.text, "each" if per else "",
    )  # fmt: skip
