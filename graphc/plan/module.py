"""The plan of a module: a model, how its functions begin, and their programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphc.elaborate.names.model import Model
from graphc.ir.dims import Dim
from graphc.ir.graph import Node
from graphc.ir.results import ROWS, ResultKey
from graphc.kinds import Kind
from graphc.optimise.levels import Level
from graphc.optimise.memory.bound import Planned
from graphc.optimise.scalarise.cells import Grid
from graphc.plan.program import Program
from graphc.plan.signature import Entry
from graphc.records import dataclass, field, replace
from graphc.source import Diagnostic


@dataclass(frozen=True, slots=True)
class PythonFloats:
    """What a function of Python's own floats needs beside its program.

    `unpacked` are the names of the numbers of its array arguments, by variable, as a pattern; of an
    argument that nobody reads there is none. `unproved` are those that could be lists, and nothing
    would fail. `packed` are the arrays of its results by variable. `arrays` is the program for
    what only NumPy computes.
    """

    unpacked: Mapping[str, str]
    unproved: tuple[str, ...]
    packed: tuple[tuple[str, Grid], ...]
    arrays: Program


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """How a function is called whose statements stand elsewhere, in another language.

    `quick` takes arguments as they are given, and returns None where one of them is to be converted
    or refused; there may be none. `checked` takes them as they have been checked. Both return a
    tuple of `names`. `results` are those of the results by key, `cached` those of what is cached.
    """

    quick: str
    checked: str
    names: tuple[str, ...]
    results: Mapping[ResultKey, str]
    cached: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Printed:
    """The statements of a function in the words of a library whose arrays are never written into.

    `results` are expressions by key; of one an item can be asked without parentheses. `library` is
    the name of what makes arrays, `array` that of their type. Such a function has no argument
    `out`, and nothing that it returns needs to be a copy.
    """

    lines: tuple[str, ...]
    results: Mapping[ResultKey, str]
    library: str
    array: str


@dataclass(frozen=True, slots=True)
class Derived:
    """A function of the module: what it is of, by which nodes, apart along which axis, how.

    It is `called` as its program is, or otherwise. `others` are the same in other modes, which take
    less work at some sizes of the dims; with `numbers` the program is one of Python's own floats.
    `destinations` are the variables that the program expects to hold the places of gradients by
    path: of a family a list; each an array of the argument `out`, or None. A statement that writes
    a gradient there is all that is needed, since what is found in its place stays. `optional` are
    the dims that it takes by name and does not need. Where its statements are `printed` already,
    the program says what they are of.
    """

    program: Program
    kind: Kind
    outputs: tuple[str, ...]
    wrt: tuple[tuple[str, Node], ...]
    flops: Dim
    per: str = ""
    mode: str = ""
    work: Dim = field(default_factory=lambda: Dim.of(0))
    others: tuple[Derived, ...] = ()
    destinations: Mapping[str, str] = field(default_factory=dict)
    numbers: PythonFloats | None = None
    called: str = ""
    elsewhere: Elsewhere | None = None
    printed: Printed | None = None
    optional: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.called or self.program.name


@dataclass(frozen=True, slots=True)
class Contribution:
    """What a chunk contributes to a function as one field: how two become one, in words, and the
    variables of the first and of the second of two.

    `axis` is where rows are, of results that have them; those that are `scaled` when two are merged
    are a derivative by the rows.
    """

    field: str
    key: ResultKey
    node: Node
    how: str
    axis: int | None
    scaled: bool
    first: str
    second: str


@dataclass(frozen=True, slots=True)
class Chunked:
    """A derived function for the rows of an axis, chunk by chunk: `of` is the function itself.

    `partial` is what a chunk contributes, as the record `part`; `merge` is the program that makes
    one of two, `finish` what is returned once all are one. `names` are those of the functions.
    """

    of: Derived
    axis: str
    part: str
    partial: Derived
    merge: Program
    finish: Program
    names: tuple[str, str, str]
    contributions: tuple[Contribution, ...]

    @property
    def rows(self) -> Contribution:
        """Return the number of rows."""
        return next(one for one in self.contributions if one.key == ROWS)


@dataclass(frozen=True, slots=True)
class Compiled:
    """Everything that goes into a module.

    `options` are what was asked for beside the file, by the names of the command line. `planned` is
    what a bound on its memory came to, `warnings` what was to be said of that.
    `moved` is the program of the outputs with something added to intermediate nodes that functions
    differentiate by; `watched` are the programs that look at each value, for `trace`. `chunked` are
    derived functions once more, for the rows of an axis chunk by chunk.
    """

    model: Model
    begin: Entry
    level: Level
    version: str
    forward: Derived
    backward: Derived
    cached: tuple[Node, ...]
    derived: tuple[Derived, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    planned: tuple[Planned, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()
    moved: Program | None = None
    watched: tuple[Program, ...] = ()
    chunked: tuple[Chunked, ...] = ()

    def begin_of(self, one: Derived) -> Entry:
        """Return how a function begins: it may leave dims open."""
        return replace(self.begin, optional=one.optional)
