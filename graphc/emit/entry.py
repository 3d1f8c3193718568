"""The arguments of generated functions: their Python names, and what binds each dim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphc.dims import Dim
from graphc.elaborate.model import Declared, Model
from graphc.names import Scope, flat


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
        """Is the dim the size itself?"""
        return self.factor == 1 and self.offset.constant == 0


@dataclass(frozen=True, slots=True)
class Entry:
    """The arguments of every function of a module that evaluates the graph.

    `variables` are the Python names of inputs and parameters by name; `keywords` are the dims
    that no argument binds; `bound` are those that one does.
    """

    inputs: tuple[Declared, ...]
    params: tuple[Declared, ...]
    variables: dict[str, str]
    bindings: tuple[Binding, ...]
    keywords: tuple[str, ...]

    @property
    def dims(self) -> tuple[str, ...]:
        return (*self.keywords, *(binding.dim for binding in self.bindings))

    @property
    def signature(self) -> str:
        """The parameters of a Python function, with types."""
        return self.signature_with()

    def signature_with(self, *more: str) -> str:
        """The same, with further parameters that are given by name."""
        parts = ["params: Mapping[str, ArrayLike]"] if self.params else []
        parts += [f"{self.variables[d.name]}: ArrayLike" for d in self.inputs]
        named = [*(f"{dim}: int" for dim in self.keywords), *more]
        return ", ".join([*parts, *(["*", *named] if named else [])])

    @property
    def arguments(self) -> str:
        """The same, handed on."""
        parts = ["params"] if self.params else []
        parts += [self.variables[d.name] for d in self.inputs]
        return ", ".join([*parts, *(f"{dim}={dim}" for dim in self.keywords)])

    @property
    def values(self) -> tuple[str, ...]:
        """What entry returns: inputs, parameters, dims."""
        return (*(self.variables[d.name] for d in (*self.inputs, *self.params)), *self.dims)


def entry(model: Model, taken: frozenset[str]) -> Entry:
    """Name the arguments of a model and find what binds each of its dims."""
    sources = (*model.inputs, *model.params)
    free = [info.symbol.names[0] for info in model.dims if info.fixed is None]
    scope = Scope({*taken, *free})
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
    return Entry(model.inputs, model.params, variables, tuple(bindings), keywords)


def _next_binding(axes: Sequence[tuple[Declared, int, Dim]], bound: set[str]) -> Binding | None:
    """The first axis that is linear in one dim that nothing has bound yet."""
    for declared, number, axis in axes:
        unbound = [name for name in axis.names if name not in bound]
        linear = axis.linear_in(unbound[0]) if len(unbound) == 1 else None
        if linear is not None:
            factor, offset = linear
            return Binding(unbound[0], declared, number, factor, offset)
    return None


def described(declared: Declared) -> str:
    """What messages call an argument."""
    return f"{'parameter' if declared.initialiser else 'input'} `{declared.name}`"
