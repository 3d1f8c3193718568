"""How a generated function begins: its arguments, checked and converted, and its dims, bound."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from graphc.dims import Dim
from graphc.elaborate.model import Condition, Declared, Model
from graphc.emit.families import INDEX, over, path
from graphc.names import Scope, flat
from graphc.types import show

KINDS = {"float": ("fiub", "FLOAT"), "int": ("iu", "np.int64"), "bool": ("b", "np.bool_")}


@dataclass(frozen=True, slots=True)
class Binding:
    """A dim bound to the size of an axis: size = factor * dim + offset."""

    dim: str
    variable: str
    axis: int
    factor: int
    offset: Dim
    what: str


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
        found = _next_binding(axes, bound, variables)
        if found is None:
            break
        bindings.append(found)
        bound.add(found.dim)
    keywords = tuple(name for name in free if name not in bound)
    return Entry(model.inputs, model.params, variables, tuple(bindings), keywords)


def _next_binding(
    axes: Sequence[tuple[Declared, int, Dim]], bound: set[str], variables: dict[str, str]
) -> Binding | None:
    """The first axis that is linear in one dim that nothing has bound yet."""
    for declared, number, axis in axes:
        unbound = [name for name in axis.names if name not in bound]
        linear = axis.linear_in(unbound[0]) if len(unbound) == 1 else None
        if linear is not None:
            factor, offset = linear
            variable = variables[declared.name] + ("[0]" if declared.family else "")
            return Binding(unbound[0], variable, number, factor, offset, described(declared))
    return None


def described(declared: Declared) -> str:
    return f"{'parameter' if declared.initialiser else 'input'} `{declared.name}`"


def text(begin: Entry, conditions: Sequence[Condition], dtype: str) -> list[str]:
    """The function `_enter`, which every other function calls first."""
    lines = [
        f"def _enter({begin.signature}) -> tuple[Any, ...]:",
        f'    """Check the arguments, bring them to {dtype} in C order, and bind the dims."""',
    ]
    if begin.params:
        lines.append("    _names(params, PARAMETERS)")
    for declared in (*begin.inputs, *begin.params):
        lines.append(f"    {_array(begin, declared)}")
    for dim in begin.keywords:
        lines.append(f"    {dim} = _whole({dim}, {dim!r})")
    for binding in begin.bindings:
        lines.append(f"    {_bind(binding)}")
    bound = {b.dim: b for b in begin.bindings}
    for declared in (*begin.inputs, *begin.params):
        lines += _shape_check(begin, declared, bound)
    for condition in conditions:
        test = f"{condition.dim} {'!=' if condition.zero else '<'} 0"
        lines.append(f"    if {test}:")
        values = ", ".join(f"{name} = {{{name}}}" for name in condition.dim.names)
        message = ast.unparse(ast.Constant(f"the dims do not fit: {condition.text}; "))
        lines.append(f'        raise ValueError({message} + f"{values}")')
    lines.append(f"    return {', '.join(begin.values)}{',' if len(begin.values) == 1 else ''}")
    return lines


def _array(begin: Entry, declared: Declared) -> str:
    variable = begin.variables[declared.name]
    kinds, dtype = KINDS[declared.type.dtype]
    given = f"params[{path(declared)}]" if declared.initialiser else variable
    expected = f"{declared.type.dtype}{show(declared.type.shape)}"
    what, rank = _said(declared), declared.type.rank
    call = f"_array({given}, {what}, {expected!r}, {kinds!r}, {dtype}, {rank})"
    return f"{variable} = {f'[{call} {over(declared)}]' if declared.family else call}"


def _said(declared: Declared) -> str:
    """What messages call an argument, as a Python expression."""
    said = described(declared)
    return (
        repr(said) if declared.family is None else "f" + repr(said.replace("*", f"{{{INDEX}}}", 1))
    )


def _bind(binding: Binding) -> str:
    size = f"{binding.variable}.shape[{binding.axis}]"
    if binding.factor == 1 and binding.offset.constant == 0:
        return f"{binding.dim} = {size}"
    length = Dim.symbol(binding.dim) * binding.factor + binding.offset
    what = f"{binding.what}, axis {binding.axis}, which has {length} elements"
    return f"{binding.dim} = _solve({size}, {binding.factor}, {binding.offset}, {what!r})"


def _shape_check(begin: Entry, declared: Declared, bound: dict[str, Binding]) -> list[str]:
    """Nothing where the shape binds every one of its dims, each alone on an axis."""
    variable = begin.variables[declared.name]
    shape = declared.shape
    own = [
        any(
            b.variable == variable and b.axis == i and b.factor == 1 and b.offset.constant == 0
            for b in bound.values()
        )
        for i in range(len(shape))
    ]
    if all(own) and declared.family is None:
        return []
    names = sorted({name for axis in shape for name in axis.names})
    values = ", ".join(
        f"{name} = {{{name}}} from {bound[name].what}" if name in bound else f"{name} = {{{name}}}"
        for name in names
    )
    sizes = ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "")
    what, expected = _said(declared), show(declared.type.shape)
    why = f'f"{values}"' if values else '""'
    one = "one" if declared.family else variable
    lines = [
        f"    if {one}.shape != ({sizes}):",
        f"        raise _misfit({one}, {what}, {expected!r}, ({sizes}), {why})",
    ]
    if declared.family is None:
        return lines
    first = declared.family[0]
    return [
        f"    for {INDEX}, one in enumerate({variable}, {first}):",
        *(f"    {line}" for line in lines),
    ]
