"""Programs as data: typed names, statements, clauses and settings; and their text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

WORD = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True)
class Axis:
    """An axis by what is written for it, and its size in this program."""

    text: str
    size: int

    def __str__(self) -> str:
        return self.text


def literal(size: int) -> Axis:
    return Axis(str(size), size)


@dataclass(frozen=True)
class Type:
    """`below` bounds the values of an index."""

    shape: tuple[Axis, ...]
    kind: str = "float"
    below: int = 0

    def __str__(self) -> str:
        written = f"[{', '.join(map(str, self.shape))}]"
        return written if self.kind == "float" else self.kind + written

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(axis.size for axis in self.shape)


@dataclass(frozen=True)
class Value:
    """A name and its type; about how large it gets, and the float names that it depends on."""

    name: str
    type: Type
    bound: float = 2.0
    under: frozenset[str] = frozenset()

    @property
    def shape(self) -> tuple[Axis, ...]:
        return self.type.shape


@dataclass(frozen=True)
class Statement:
    """A line, or the head of a body and its statements."""

    text: str
    defines: tuple[Value, ...] = ()
    body: tuple[Statement, ...] | None = None

    def lines(self, depth: int = 0) -> Iterator[str]:
        blank = "    " * depth
        if self.body is None:
            yield from (blank + line for line in self.text.split("\n"))
            return
        yield f"{blank}{self.text} {{"
        for one in self.body:
            yield from one.lines(depth + 1)
        yield f"{blank}}}"

    def words(self) -> frozenset[str]:
        found = frozenset(WORD.findall(self.text))
        return found.union(*(one.words() for one in self.body or ()))


@dataclass(frozen=True)
class Dim:
    """`written` is what stands behind `dim`; a symbolic one has only its name there."""

    name: str
    written: str
    size: int


@dataclass(frozen=True)
class Clause:
    kind: str
    outputs: tuple[str, ...]
    wrt: tuple[str, ...] = ()
    per: str = ""
    called: str = "derived"
    each: str = ""
    """The output whose sum or mean over the axis is differentiated `per` it."""

    def __str__(self) -> str:
        wrt = f" wrt {', '.join(self.wrt)}" if self.wrt else ""
        per = f" per {self.per}" if self.per else ""
        return f"{self.kind} {', '.join(self.outputs)}{wrt}{per} as {self.called}"


@dataclass(frozen=True)
class Setting:
    """How a program is compiled and called."""

    dtype: str = "float64"
    mode: str = ""
    memory: str = ""
    cache: int | None = None
    threads: int = 1
    style: str = "generic"
    by_option: bool = False
    imported: str = ""
    """How blocks of a file of their own are imported: `from` it, or it `as` a name."""
    dims: tuple[tuple[str, int], ...] = ()
    consts: tuple[tuple[str, str], ...] = ()

    def known_consts(self) -> dict[str, object]:
        """What `--const` says, as values."""
        return {name: json.loads(text) for name, text in self.consts}


@dataclass(frozen=True)
class Program:
    seed: int
    dims: tuple[Dim, ...] = ()
    blocks: tuple[Statement, ...] = ()
    inputs: tuple[Value, ...] = ()
    params: tuple[Value, ...] = ()
    statements: tuple[Statement, ...] = ()
    outputs: tuple[str, ...] = ()
    clauses: tuple[Clause, ...] = ()
    setting: Setting = field(default_factory=Setting)
    features: frozenset[str] = frozenset()
    origin: Program | None = None
    called: tuple[tuple[str, str], ...] = ()
    """Another program, whose outputs have the same values, and what they are called here."""
    written: str = ""
    """The text, where it is read and not made of statements."""

    @property
    def text(self) -> str:
        return self.written or "\n".join(self.lines()) + "\n"

    @property
    def tags(self) -> frozenset[str]:
        """What the program has, as it is counted."""
        setting = self.setting
        found = {f"kind:{clause.kind}" for clause in self.clauses} | {f"mode:{setting.mode}"}
        found |= {"per" for clause in self.clauses if clause.per}
        found |= {
            "node between" for clause in self.clauses for path in clause.wrt if path[0] == "n"
        }
        found |= {f"wrt {'family' if path[-1] == '*' else 'path'}"
                  for clause in self.clauses for path in clause.wrt if "." in path}  # fmt: skip
        plain = Setting()
        for name in Setting.__dataclass_fields__:
            if name != "mode" and getattr(setting, name) != getattr(plain, name):
                found.add(f"set:{name}" + (f"={setting.style}" if name == "style" else ""))
        return self.features | found

    def lines(self) -> Iterator[str]:
        yield from (f"dim {dim.written}" for dim in self.dims)
        for one in self.blocks:
            yield from one.lines()
        yield from (f"input {one.name}: {one.type}" for one in self.inputs)
        yield from (f"param {one.name}: {one.type}" for one in self.params)
        for one in self.statements:
            yield from one.lines()
        if self.outputs:
            yield f"output {', '.join(self.outputs)}"
        if not self.setting.by_option:
            yield from (f"derive {clause}" for clause in self.clauses)

    def typed(self) -> Iterator[Value]:
        """Everything that has a name in the file itself."""
        yield from self.inputs
        yield from self.params
        for one in self.statements:
            yield from one.defines

    def sizes(self) -> dict[str, int]:
        return {dim.name: dim.size for dim in self.dims}

    def with_statements(self, statements: tuple[Statement, ...]) -> Program:
        return replace(self, statements=statements)
