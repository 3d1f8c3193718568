"""A target: what makes text of the programs of a module."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from graphc.ir.graph import Graph, Node
from graphc.optimise.passes import Pass
from graphc.plan.module import Compiled, Derived
from graphc.plan.naming import Measure
from graphc.plan.program import Program
from graphc.plan.signature import Entry
from graphc.records import dataclass, field

Stage = Callable[[Program, Collection[Node], Collection[str]], Program]
"""A program, the nodes that outlive it, the names that are taken -> the same program, planned."""

Small = Callable[[Derived, Graph, Entry], Derived]
"""A function, its graph before the level's passes, and its arguments -> a form for few numbers."""


def as_it_is(one: Derived, graph: Graph, begin: Entry) -> Derived:
    """Return the function itself: a target without another form for few numbers."""
    return one


@dataclass(frozen=True, slots=True)
class Target:
    """A language that modules are written in.

    `measure` says how long expressions are, which decides what gets a variable. `lowering` are the
    passes that this target alone likes, after those of the level; `stages` plan tiles and buffers;
    `small` gives functions of few numbers another form. These three are for levels that plan.
    `write` makes the text of a module, with marks of where statements come from, and raises where
    that is not what may be written; `beside` that of further files, by suffix. A module that
    `checks` itself gets the programs that do.
    """

    name: str
    suffix: str
    measure: Measure
    lowering: tuple[Pass, ...]
    stages: tuple[Stage, ...]
    small: Small
    write: Callable[[Compiled], str]
    checks: bool = False
    beside: Mapping[str, Callable[[Compiled], str]] = field(default_factory=dict)
