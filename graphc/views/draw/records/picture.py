"""The records of a picture: boxes, the edges between them, and the groups that they lie in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Literal

from graphc.records import dataclass, field

Kind = Literal[
    "input", "parameter", "value", "output", "carried", "folded", "reference", "mistake", "unknown"
]
"""What a box stands for; `carried` is what a step of a loop has from the one before, a `reference`
stands for a box that is far away. An `unknown` one waits for a `mistake`."""

Role = Literal["data", "residual", "parameter", "carried", "adjoint", "idle"]
"""What goes along an edge; in a backward picture nothing goes along one that is `idle`."""


@dataclass(frozen=True, slots=True)
class Node:
    """A box: a value of the file.

    `name` is its path, or empty where it has none; `label` is what it is called inside its group.
    `lines` say what it is, below the label; `told` says it at length. `line` is that of the file.
    Its `shape` stands beside the label where it is `shaped`, that is, where no edge says it.
    """

    id: str
    name: str
    label: str
    kind: Kind
    lines: tuple[str, ...] = ()
    told: str = ""
    shape: str = ""
    line: int | None = None
    group: str = ""
    shaped: bool = False


@dataclass(frozen=True, slots=True)
class Edge:
    """From the box with the id `tail` to that with the id `head`, in the order computed.

    One that `returns` leads to the next step of a loop, against that order.
    `against` says that the arrow points at the tail: what flows back. `pulled` is what comes back
    along it, as a formula in δ, which is what has come to the head; empty where nothing does.
    """

    tail: str
    head: str
    role: Role
    label: str = ""
    pulled: str = ""
    told: str = ""
    against: bool = False
    returns: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """What is drawn as a box around others: a use of a block, a loop, or a stretch of the file."""

    id: str
    path: str
    title: str
    kind: Literal["block", "loop", "stretch"]
    parent: str = ""
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Adjoint:
    """What flows back to a box: what it is called, and how many terms it is the sum of."""

    name: str
    terms: int


@dataclass(frozen=True)
class Picture:
    """A graph as it is drawn: boxes in an order in which they can be computed.

    `notes` say what is not shown. `adjoints` are those of boxes, by id; `target` says what is
    differentiated.
    """

    title: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    groups: tuple[Group, ...] = ()
    notes: tuple[str, ...] = ()
    adjoints: Mapping[str, Adjoint] = field(default_factory=dict)
    target: str = ""

    @cached_property
    def group(self) -> Mapping[str, Group]:
        """Map ids to groups."""
        return {one.id: one for one in self.groups}

    def around(self, group: str) -> tuple[str, ...]:
        """Return the ids of a group and of those around it, the outermost first."""
        found: list[str] = []
        while group:
            found.append(group)
            group = self.group[group].parent
        return tuple(reversed(found))

    def outline(self) -> Iterator[tuple[int, Node | Group, bool]]:
        """Yield boxes and groups in the order of a text, with their depth; a group also at its end.

        The last part is True where a group ends.
        """
        inside: dict[str, list[Node | Group]] = {}
        for group in self.groups:
            inside.setdefault(group.parent, []).append(group)
        for node in self.nodes:
            inside.setdefault(node.group, []).append(node)
        outermost = reversed(inside.get("", []))
        pending: list[tuple[int, Node | Group, bool]] = [(0, one, False) for one in outermost]
        while pending:
            depth, one, ends = pending.pop()
            yield depth, one, ends
            if isinstance(one, Group) and not ends:
                pending.append((depth, one, True))
                pending += [(depth + 1, each, False) for each in reversed(inside.get(one.id, []))]
