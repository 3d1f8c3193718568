"""The result of elaboration: a file's graph, its declarations, and the derivatives asked for."""

from __future__ import annotations

from collections.abc import Mapping

from graphc.ir.dims import Dim
from graphc.ir.graph import Graph, Node
from graphc.ir.results import result_number, value_of
from graphc.ir.types import Shape, Type
from graphc.ir.verify import verifying
from graphc.kinds import Kind, RuleKind
from graphc.paths import members
from graphc.records import dataclass, replace
from graphc.source import Diagnostic, Source, Span


@dataclass(frozen=True, slots=True)
class Initialiser:
    """How `init` fills a parameter: `kind` is one of those in declarations.py."""

    kind: str
    numbers: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Declared:
    """An input, parameter or output; `type` is as declared, in the user's dims.

    A `family` is of one parameter for each of these indices; its node has a first axis for them.
    """

    name: str
    node: Node
    type: Type
    span: Span
    doc: str = ""
    initialiser: Initialiser | None = None
    family: range | None = None

    @property
    def paths(self) -> list[str]:
        """Return its path, or those of the members of a family."""
        return [self.name] if self.family is None else members(self.name, self.family)

    @property
    def shape(self) -> Shape:
        """Return the shape of one value, every known dim substituted."""
        return self.node.shape[1:] if self.family else self.node.shape


@dataclass(frozen=True, slots=True)
class DimInfo:
    """A symbolic dim, and its value where the file or the command line fixes it."""

    name: str
    symbol: Dim
    fixed: int | None
    span: Span
    doc: str = ""

    @property
    def variable(self) -> str:
        """Return the name of the symbol, in dims and in the module."""
        return str(self.symbol)


@dataclass(frozen=True, slots=True)
class IndexRange:
    """The values of a loop's index that a condition is checked for; or only the two `ends`."""

    index: str
    first: Dim
    count: Dim
    ends: bool

    def substitute(self, dims: Mapping[str, int]) -> IndexRange:
        first, count = (dim.substitute(dims) for dim in (self.first, self.count))
        return replace(self, first=first, count=count)

    def values(self, dims: Mapping[str, int]) -> range:
        first, count = (dim.evaluate(dims) for dim in (self.first, self.count))
        return range(first, first + count, max(count - 1, 1) if self.ends else 1)

    def __str__(self) -> str:
        every = f", max({self.count - 1}, 1)" if self.ends else ""
        return f"range({self.first}, {self.first + self.count}{every})"


@dataclass(frozen=True, slots=True)
class Condition:
    """What dims must satisfy at entry: `dim` is zero, or at least zero; `text` says it in words.

    It holds in every step of the loops around it, of which `steps` are the indices, outermost
    first.
    """

    dim: Dim
    zero: bool
    text: str
    span: Span
    steps: tuple[IndexRange, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Return the dims that occur in the condition."""
        found = self.dim.symbols.union(*(s.first.symbols | s.count.symbols for s in self.steps))
        return tuple(sorted(found - {s.index for s in self.steps}))

    def substitute(self, dims: Mapping[str, int]) -> Condition:
        steps = tuple(one.substitute(dims) for one in self.steps)
        return replace(self, dim=self.dim.substitute(dims), steps=steps)

    def holds(self, dims: Mapping[str, int]) -> bool:
        if not self.steps:
            value = self.dim.evaluate(dims)
            return value == 0 if self.zero else value >= 0
        first, *inner = self.steps
        rest = replace(self, steps=tuple(inner))
        return all(rest.holds({**dims, first.index: n}) for n in first.values(dims))


@dataclass(frozen=True, slots=True)
class Derivation:
    """One function to derive of these (name, node) by these (path, node), in the order asked.

    `per` is the dim whose axis is kept apart. Then the nodes have symbols in the place of all dims:
    values are substituted once the derivatives are taken.
    """

    kind: Kind
    outputs: tuple[tuple[str, Node], ...]
    wrt: tuple[tuple[str, Node], ...]
    name: str
    span: Span | None
    per: Dim | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the outputs."""
        return tuple(name for name, _ in self.outputs)

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Return the outputs and the nodes that they are differentiated by."""
        return tuple(node for _, node in (*self.outputs, *self.wrt))

    def with_nodes(self, new: Mapping[Node, Node]) -> Derivation:
        """Replace the nodes."""
        return replace(
            self,
            outputs=tuple((name, new[node]) for name, node in self.outputs),
            wrt=tuple((path, new[node]) for path, node in self.wrt),
        )


@dataclass(frozen=True, slots=True)
class StatedRule:
    """A derivative that a block states: of `kind` vjp, jvp or surrogate, for a port or a result."""

    block: str
    kind: RuleKind
    port: str
    span: Span


@dataclass(frozen=True, slots=True)
class Model:
    """A file, elaborated: every dim that has a value is substituted in the nodes.

    `backward` is what that function is of and by, which is nothing where there is none.
    `surrogate` says that some derivative is meant to differ from the true one. `imported` are the
    files that it takes blocks from; `notes` say what is computed otherwise than it is written.
    `rules` are those of the blocks that it uses.
    """

    name: str
    doc: str
    source: Source
    dtype: str
    dims: tuple[DimInfo, ...]
    inputs: tuple[Declared, ...]
    params: tuple[Declared, ...]
    outputs: tuple[Declared, ...]
    names: Mapping[Node, str]
    conditions: tuple[Condition, ...]
    backward: Derivation
    derivations: tuple[Derivation, ...]
    warnings: tuple[Diagnostic, ...]
    surrogate: bool
    imported: tuple[Source, ...] = ()
    notes: tuple[Diagnostic, ...] = ()
    rules: tuple[StatedRule, ...] = ()

    @property
    def graph(self) -> Graph:
        """Return the graph of the outputs and of the nodes of derivations."""
        results = {value_of(one.name): one.node for one in self.outputs}
        derived = dict.fromkeys(node for one in self.clauses for node in one.nodes)
        others = [node for node in derived if node not in results.values()]
        results |= {result_number(place): node for place, node in enumerate(others)}
        return Graph(self.name, results, self.names)

    @property
    def roots(self) -> list[Node]:
        """Return all that is declared and derived: what a pass over the model must reach."""
        declared = (*self.inputs, *self.params, *self.outputs)
        derived = (node for one in self.clauses for node in one.nodes)
        return [*(one.node for one in declared), *derived]

    @property
    def differentiated_by(self) -> set[Node]:
        """Return the nodes by which something is differentiated, which no pass may go past."""
        return {node for one in self.clauses for _, node in one.wrt}

    @property
    def clauses(self) -> tuple[Derivation, ...]:
        """Return what is derived, and `backward` where a clause says what that is."""
        return self.derivations + ((self.backward,) if self.backward.span else ())

    @property
    def span(self) -> Span:
        """Return the span of the whole file."""
        return self.source.whole


def _graphs(model: Model) -> tuple[Graph]:
    return (model.graph,)


verified_model = verifying(_graphs)
"""Decorate what makes a model: under `GRAPHC_VERIFY=1` its graph is verified."""
