"""A Program: the statements of one function as records, with their variables and lifetimes."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Literal

from graphc.ir.chain import Chain
from graphc.ir.dims import Dim
from graphc.ir.graph import Adjoint, Node
from graphc.ir.items import Items
from graphc.ir.results import ResultKey
from graphc.ir.types import Dtype, Shape
from graphc.records import dataclass, field

Way = Literal[
    "",  # not into an array: what an expression comes to
    "whole",  # every element
    "strided",  # the same, where the array does not lie row by row
    "onto",  # what is put onto the first argument, which the array is
    "head",  # the first row: the others are there
    "rows",  # a stack of products, one after the other
]
"""How a statement computes into an array."""


@dataclass(frozen=True, slots=True)
class Storage:
    """An array by its variable, or a part of it: an item for each axis of the array's shape."""

    array: str
    items: Items = ()
    shape: Shape = ()

    @property
    def strided(self) -> bool:
        """True if its elements do not lie row by row: it is a part along another axis than the
        first."""
        if not self.items:
            return False
        kind, value = self.items[0]
        return kind == "slice" and value[0].constant == 0


@dataclass(frozen=True, slots=True)
class Step:
    """One statement, `target = node`.

    `adjoints` are those that it computes: the first gives the target its name, the others have
    the same value; of another derivative the `chain` says what it comes of. `frees` are the
    variables that no later statement reads. In a fast module `way` says how the node is computed
    into the array `out`, or into a new one; that may be `given`, a variable that holds an array of
    the caller, or None.
    """

    target: str
    node: Node
    adjoints: tuple[Adjoint, ...] = ()
    frees: tuple[str, ...] = ()
    way: Way = ""
    out: Storage | None = None
    given: str = ""
    chain: Chain | None = None


@dataclass(frozen=True, slots=True)
class LoopStep:
    """A loop as a statement: its body is a program of its own.

    `carries` are (variable, first value), `stacks` are (variable, item, loop result); the
    results of the body are the next carried values and the items, in that order. `ends` are
    (variable, carried variable) where the value goes by another name afterwards. `until` ends the
    loop; `steps` is the variable that counts the steps taken. `places` are the arrays that stacks
    are made in where they are not new, `written` the stacks whose items are computed in place,
    `given` the variables that hold arrays of the caller for stacks, or None.
    A fast loop runs over `items`, (variable, source), and `rows` of stacks, (variable, stack).
    `turns` are (carried variable, spare variable, their arrays): what is carried is computed into
    the spare one, and they change places.
    """

    node: Node
    body: Program
    carries: tuple[tuple[str, Node], ...]
    stacks: tuple[tuple[str, Node, Node], ...]
    ends: tuple[tuple[str, str], ...] = ()
    until: Node | None = None
    steps: str | None = None
    frees: tuple[str, ...] = ()
    places: Mapping[str, Storage] = field(default_factory=dict)
    written: frozenset[str] = frozenset()
    given: Mapping[str, str] = field(default_factory=dict)
    items: tuple[tuple[str, Node], ...] = ()
    rows: tuple[tuple[str, str], ...] = ()
    turns: tuple[tuple[str, str, str, str], ...] = ()


Output = tuple[str, Node, Node, Items]
"""A variable, the node whose array it is, and the node of a block that fills these items of it."""


@dataclass(frozen=True, slots=True)
class BlockStep:
    """Statements that run block by block along an axis of this length, as a function of their own.

    The block's symbols `start` and `size` say which positions it has. `reads` are nodes from
    outside. `outputs` are arrays that the blocks fill part by part, one of components at several
    places; `totals` are (variable, node, node
    of the block): sums of what the blocks return, which are the results of the body. `places` and
    `given` are as those of a LoopStep, `written` what is computed where it stands.
    """

    name: str
    length: Dim
    start: str
    size: str
    body: Program
    reads: tuple[Node, ...]
    outputs: tuple[Output, ...]
    totals: tuple[tuple[str, Node, Node], ...]
    frees: tuple[str, ...] = ()
    places: Mapping[str, Storage] = field(default_factory=dict)
    written: frozenset[Storage] = frozenset()
    given: Mapping[str, str] = field(default_factory=dict)

    @property
    def made(self) -> tuple[Node, ...]:
        """Return the nodes that have a value afterwards."""
        filled, summed = ([one[1] for one in self.outputs], [one[1] for one in self.totals])
        return tuple(dict.fromkeys([*filled, *summed]))


AnyStep = Step | LoopStep | BlockStep


@dataclass(frozen=True, slots=True)
class Scratch:
    """An array that a function computes in, value after value; or `base`, seen in another shape.

    `order` lists its axes as they lie in memory, the slowest first.
    """

    name: str
    dtype: Dtype
    shape: Shape
    order: tuple[int, ...]
    base: str = ""


@dataclass(frozen=True, slots=True)
class Program:
    """The statements of one function, or of a loop's body.

    `variables` names every node that has a variable, also those that the function is given; a
    node without one is written inside the statement that uses it. `part` is the mode and the block,
    where the function has several programs. `labels` is what comments call the nodes that were
    differentiated, `adjoints` the variables of their adjoints where these are not called by the
    label, "" where they are 1; `saved` are the forward nodes whose values a step that goes back
    reads, `curves` the nodes by label whose slope a comment tells. `orders` are how the axes of
    values lie in memory, the slowest first, where they do not lie row by row. `constants` compute
    what depends on dims only, of which the rest reads `shared`.
    A `sparing` program drops values as soon as nobody reads them, also in loops; the memory of a
    `bounded` one counts for more than time.
    """

    name: str
    steps: tuple[AnyStep, ...]
    variables: Mapping[Node, str]
    results: Mapping[ResultKey, Node]
    labels: Mapping[Node, str]
    adjoints: Mapping[Node, str]
    scratch: tuple[Scratch, ...] = ()
    part: tuple[str, ...] = ()
    orders: Mapping[Node, tuple[int, ...]] = field(default_factory=dict)
    constants: tuple[Step, ...] = ()
    shared: tuple[str, ...] = ()
    sparing: bool = False
    bounded: bool = False
    saved: Mapping[Node, Node] = field(default_factory=dict)
    curves: Mapping[str, tuple[Node, ...]] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Return what tells the programs of a module apart."""
        return "_".join((self.name, *self.part))


def reached(nodes: Iterable[Node], variables: Container[Node]) -> Iterator[Node]:
    """Yield what expressions of nodes read: down to variables, with what is written inside."""
    pending = list(nodes)[::-1]
    while pending:
        node = pending.pop()
        yield node
        if node not in variables:
            pending.extend(reversed(node.args))
