"""The options of a compilation: nothing that changes the mathematics of a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from graphc.optimise.levels import LEVELS, READABLE, Level
from graphc.records import dataclass, field
from graphc.source import GraphError, Source, error
from graphc.syntax import tree
from graphc.syntax.format.canonical import one_line_of
from graphc.syntax.parse.parser import parse
from graphc.targets.numpy.target import NUMPY
from graphc.targets.target import Target

TARGETS: dict[str, Target] = {NUMPY.name: NUMPY}
"""The targets at hand; another is loaded when it is asked for."""
OTHERS = {
    "c": "graphc.targets.c.functions.target:C",
    "jax": "graphc.targets.jax.functions.target:JAX",
}


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line may say beside the file: nothing that changes its mathematics.

    `mode` is that of Jacobians and Hessians: forward, reverse or mixed; by default the cheapest.
    `memory` bounds what each function takes, as in "256MB" or "50%". `trace` adds the function that
    finds the first node which makes nan or an infinity. `split` is a dim: derived
    functions are also computed chunk by chunk of its rows. `rule` is the place of the only stated
    derivative that counts, where that is to be checked alone.
    """

    dims: Mapping[str, int] = field(default_factory=dict)
    consts: Mapping[str, str] = field(default_factory=dict)
    dtype: str = "float64"
    derive: Sequence[str] = ()
    level: str = READABLE.name
    mode: str = ""
    memory: str = ""
    trace: bool = False
    split: str = ""
    rule: str = ""
    target: str = NUMPY.name

    @property
    def at(self) -> Level:
        """Return the level, as a record."""
        return LEVELS[self.level]

    @property
    def to(self) -> Target:
        """Return the target, as a record."""
        if self.target not in TARGETS:
            module, _, name = OTHERS[self.target].partition(":")
            TARGETS[self.target] = getattr(import_module(module), name)
        return TARGETS[self.target]

    @property
    def stated(self) -> dict[str, Any]:
        """Return what is said beside the file and its level, in canonical spacing and order."""
        given: dict[str, Any] = {
            "dtype": self.dtype if self.dtype != "float64" else "",
            "dim": {name: self.dims[name] for name in sorted(self.dims)},
            "const": {name: _canonical(self.consts[name]) for name in sorted(self.consts)},
            "derive": [_canonical(text) for text in self.derive],
            "mode": self.mode,
            "memory": self.memory.replace(" ", ""),
            "trace-nan": self.trace,
            "split": self.split,
        }
        return {name: value for name, value in given.items() if value}


DEFAULTS = Options()


def const_of(name: str, written: str) -> tree.Expr:
    """Parse the value of a `--const` option; raises GraphError."""
    option = f"--const {name}"
    statements = parse(Source(option, f"{name}={written}")).statements
    statement = statements[0]
    if len(statements) != 1 or not isinstance(statement, tree.Equation):
        raise GraphError([error("E217", f"{option}: `{written}` is not a value", None)])
    return statement.value


def clause_of(written: str) -> tree.Derive:
    """Parse the clause of a `--derive` option; raises GraphError."""
    statements = parse(Source("--derive", f"derive {written}")).statements
    if len(statements) != 1 or not isinstance(statements[0], tree.Derive):
        raise GraphError([error("E217", f"--derive: `{written}` is not one clause", None)])
    return statements[0]


def _canonical(written: str) -> str:
    return one_line_of(Source("option", written).whole)
