"""Signatures of generated functions: the names of arguments and results, bound dims."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from graphc.elaborate.names.model import Declared, Model
from graphc.ir.dims import Dim
from graphc.ir.facts import linear_in
from graphc.names import MODULE, Identifiers, fields, flat
from graphc.records import dataclass


@dataclass(frozen=True, slots=True)
class Binding:
    """A dim bound to the size of an axis of an argument: size = factor * dim + offset."""

    dim: str
    source: Declared
    axis: int
    factor: int
    offset: Dim

    @property
    def plain(self) -> bool:
        """True if the dim is the size itself."""
        return self.factor == 1 and self.offset.constant == 0


@dataclass(frozen=True, slots=True)
class Entry:
    """The arguments of every function of a module that evaluates the graph, and its results' names.

    `variables` are the Python names of inputs and parameters by name; `keywords` are the dims
    that no argument binds, of which a function may leave some `optional`: those that it does not
    need. `bindings` are of those that one does. `fields` are the names of outputs in records,
    `records` what the record of each derived function is called.
    """

    inputs: tuple[Declared, ...]
    params: tuple[Declared, ...]
    variables: dict[str, str]
    bindings: tuple[Binding, ...]
    keywords: tuple[str, ...]
    fields: Mapping[str, str]
    records: Mapping[str, str]
    optional: tuple[str, ...] = ()

    @property
    def taken(self) -> frozenset[str]:
        """Return the names that no variable of a function has: dims, and records it makes."""
        return frozenset({*self.dims, *self.records.values()})

    @property
    def dims(self) -> tuple[str, ...]:
        return (*self.keywords, *(binding.dim for binding in self.bindings))

    @property
    def signature(self) -> str:
        """Return the parameters of a Python function, with types."""
        return self.signature_with()

    def signature_with(self, *more: str) -> str:
        """Return the same, with further parameters that are given by name."""
        parts = ["params: Mapping[str, ArrayLike]"] if self.params else []
        parts += [f"{self.variables[d.name]}: ArrayLike" for d in self.inputs]
        dims = [f"{d}: int" + " | None = None" * (d in self.optional) for d in self.keywords]
        named = [*dims, *more]
        return ", ".join([*parts, *(["*", *named] if named else [])])

    @property
    def arguments(self) -> str:
        """Return the same, handed on."""
        parts = ["params"] if self.params else []
        parts += [self.variables[d.name] for d in self.inputs]
        return ", ".join([*parts, *(f"{dim}={dim}" for dim in self.keywords)])

    @property
    def entered(self) -> str:
        """Return the call that checks the arguments."""
        open_dims = f", _open={self.optional!r}" if self.optional else ""
        return f"_enter({self.arguments}{open_dims})"

    @property
    def values(self) -> tuple[str, ...]:
        """Return what `_enter` returns: inputs, parameters, dims."""
        return (*(self.variables[d.name] for d in (*self.inputs, *self.params)), *self.dims)


def entry(model: Model, indices: Collection[str]) -> Entry:
    """Name the arguments of a model and find what binds each of its dims.

    An argument is not called as a derived function is, which `check` calls.
    """
    sources = (*model.inputs, *model.params)
    free = [info.variable for info in model.dims if info.fixed is None]
    functions = [one.name for one in model.derivations]
    scope = Identifiers({*MODULE, *indices, *free, *functions})
    records = {name: scope.fresh(_record(name)) for name in functions}
    scope = Identifiers({*indices, *free, *functions, *records.values()})
    variables = {d.name: scope.fresh(flat(d.name)) for d in sources}
    bindings: list[Binding] = []
    axes = [(d, i, axis) for d in sources for i, axis in enumerate(d.shape)]
    bound: set[str] = set()
    while True:
        found = _next_binding(axes, bound)
        if found is None:
            break
        bindings.append(found)
        bound.add(found.dim)
    keywords = tuple(name for name in free if name not in bound)
    outputs = fields(one.name for one in model.outputs)
    return Entry(model.inputs, model.params, variables, tuple(bindings), keywords, outputs, records)


def needless(begin: Entry, read: Collection[str]) -> tuple[str, ...]:
    """Return the dims that are given by name for nothing: no shape has them, and none is `read`."""
    shapes = {n for d in (*begin.inputs, *begin.params) for axis in d.shape for n in axis.symbols}
    return tuple(name for name in begin.keywords if name not in shapes and name not in read)


def _record(function: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in function.split("_")) + "Values"


def _next_binding(axes: Sequence[tuple[Declared, int, Dim]], bound: set[str]) -> Binding | None:
    """Find the first axis that is linear in one dim that nothing has bound yet."""
    for declared, number, axis in axes:
        unbound = [name for name in sorted(axis.symbols) if name not in bound]
        linear = linear_in(axis, unbound[0]) if len(unbound) == 1 else None
        if linear is not None:
            factor, offset = linear
            return Binding(unbound[0], declared, number, factor, offset)
    return None


def describe_argument(declared: Declared, path: str = "") -> str:
    """Name an argument, or a member of a family by its path, for messages."""
    return f"{kind_of_argument(declared)} `{path or declared.name}`"


def kind_of_argument(declared: Declared) -> str:
    """Say what an argument is."""
    return "parameter" if declared.initialiser else "input"
