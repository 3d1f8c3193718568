"""How the functions of a module are called in C, as data: what a caller needs, and nothing more.

The text of `net.c` and `net.h` is written from it, and so is whatever stands in front of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal

from graphc.elaborate.names.model import Condition, Declared
from graphc.ir.graph import COTANGENT, TANGENT, Node
from graphc.ir.results import ResultKey
from graphc.ir.types import Dtype, Shape
from graphc.kinds import Kind
from graphc.names import flat
from graphc.plan.module import Compiled, Derived
from graphc.records import dataclass
from graphc.targets.c.names import Scope, c_name

Role = Literal["input", "parameter", "cotangent", "tangent", "result"]
"""What an array is to the function: only results are written."""


@dataclass(frozen=True, slots=True)
class Argument:
    """An array that a function takes by a pointer: its elements row by row; a number as one of one.

    `of` is the name in the graph: of an input, a parameter, an output or a path; a result has its
    `key`. Of a family, such as `layer.*.W`, the argument is an array of so many pointers, one for
    each of its `members`, and `shape` is that of a member.
    """

    name: str
    role: Role
    of: str
    dtype: Dtype
    shape: Shape
    members: int = 0
    key: ResultKey | None = None

    @property
    def written(self) -> bool:
        """True for what the function writes."""
        return self.role == "result"


@dataclass(frozen=True, slots=True)
class CachePart:
    """A value that `forward` leaves for `backward`: row by row, from the next multiple of 64 bytes.

    `variable` is what the module calls it. That of a family has its members one after the other.
    """

    variable: str
    dtype: Dtype
    shape: Shape


@dataclass(frozen=True, slots=True)
class CFunction:
    """A function of the module in C: `int name(dims…, arguments…, cache, work)`.

    `function` is what the module calls it, `derived` its plan. `workspace` is the function that
    tells how many bytes `work` has. `cache` says what the function does with a block of that name.
    """

    name: str
    function: str
    kind: Kind
    arguments: tuple[Argument, ...]
    workspace: str
    cache: Literal["", "made", "read"]
    derived: Derived

    def asks(self, condition: Condition) -> bool:
        """True if the function asks for a condition: not where it is of a dim that it needs not."""
        return not set(self.derived.optional) & set(condition.names)

    @property
    def given(self) -> tuple[Argument, ...]:
        """Return what the function reads."""
        return tuple(one for one in self.arguments if not one.written)

    @property
    def results(self) -> tuple[Argument, ...]:
        """Return what it writes, in the order of the results of its program."""
        return tuple(one for one in self.arguments if one.written)


@dataclass(frozen=True, slots=True)
class Status:
    """What a function returns where it has not computed, and the error that it is in Python."""

    number: int
    text: str
    error: Literal["ValueError", "IndexError", "LinAlgError"]
    condition: Condition | None = None


STATUSES = (
    Status(1, "a dim is less than 0", "ValueError"),
    Status(2, "a size is beyond what this machine can address", "ValueError"),
    Status(3, "an index is out of range", "IndexError"),
    Status(4, "a matrix is not positive definite", "LinAlgError"),
    Status(5, "a matrix is singular", "LinAlgError"),
    Status(6, "no elements have no largest, and no smallest", "ValueError"),
    Status(7, "a matrix that is not finite has no singular values", "LinAlgError"),
)
DIM, SIZE, INDEX, DEFINITE, SINGULAR, EMPTY, FINITE = STATUSES
FIRST_CONDITION = 16
"""The number of the first condition of the file: the others follow in its order."""


@dataclass(frozen=True, slots=True)
class CModule:
    """All functions of a module in C.

    `stem` begins the name of each, `dims` are the symbols of dims with their names in C, which
    every function takes first; `sizes` is the name of the function that tells the bytes of the
    cache. `why` is the one that returns the text of a status.
    """

    stem: str
    dtype: str
    dims: Mapping[str, str]
    functions: tuple[CFunction, ...]
    statuses: tuple[Status, ...]
    cache: tuple[CachePart, ...]
    sizes: str
    why: str

    @property
    def floating(self) -> str:
        """Return the type of a float."""
        return "double" if self.dtype == "float64" else "float"

    def type_of(self, dtype: Dtype) -> str:
        """Return the type in C of an element."""
        return {"float": self.floating, "int": "int64_t", "bool": "unsigned char"}[dtype]


CACHE, WORK = "cache", "work"
"""What the last two arguments are called."""


def contract(compiled: Compiled) -> CModule:
    """Describe the functions of a module in C."""
    stem = c_name(compiled.model.name)
    scope = Scope({CACHE, WORK})
    dims = {name: scope.fresh(name) for name in compiled.begin.dims}
    halves = [compiled.forward, *([compiled.backward] if compiled.backward.wrt else [])]
    held = bool(compiled.backward.wrt)
    functions = [
        _function(compiled, one, stem, dims.values(), held) for one in (*halves, *compiled.derived)
    ]
    statuses = [
        Status(number, f"the dims do not fit: {one.text}", "ValueError", one)
        for number, one in enumerate(compiled.model.conditions, FIRST_CONDITION)
    ]
    variables = compiled.forward.program.variables
    cache = [CachePart(variables[n], n.type.dtype, n.shape) for n in compiled.cached if held]
    return CModule(
        stem,
        compiled.model.dtype,
        dims,
        tuple(functions),
        (*STATUSES, *statuses),
        tuple(cache),
        f"{stem}_cache",
        f"{stem}_why",
    )


def _function(
    compiled: Compiled, one: Derived, stem: str, dims: Collection[str], held: bool
) -> CFunction:
    """Describe one function."""
    scope = Scope({CACHE, WORK, *dims})
    backward = one is compiled.backward
    families = {d.name: d for d in compiled.model.params if d.family is not None}
    arguments: list[Argument] = []
    if not backward:
        arguments += [_declared(compiled, d, "input", scope) for d in compiled.model.inputs]
        arguments += [_declared(compiled, d, "parameter", scope) for d in compiled.model.params]
    for node, variable in one.program.variables.items():
        if node.op in (COTANGENT, TANGENT):
            role: Role = "cotangent" if node.op is COTANGENT else "tangent"
            path = str(node.attrs["name"])
            family = families.get(path) if role == "tangent" else None
            arguments.append(_array(scope.fresh(variable), role, path, node, family))
    for key, node in one.program.results.items():
        family = families.get(key.by) if key.kind in ("gradient", "product") else None
        name = scope.fresh(flat(key.label))
        arguments.append(_array(name, "result", key.by or key.of, node, family, key))
    made = one is compiled.forward and held
    name = f"{stem}_{c_name(one.name)}"
    return CFunction(
        name, one.name, one.kind, tuple(arguments), f"{name}_work",
        "read" if backward else "made" if made else "", one,
    )  # fmt: skip


def _declared(compiled: Compiled, declared: Declared, role: Role, scope: Scope) -> Argument:
    name = scope.fresh(compiled.begin.variables[declared.name])
    return _array(name, role, declared.name, declared.node, declared)


def _array(
    name: str,
    role: Role,
    of: str,
    node: Node,
    declared: Declared | None,
    key: ResultKey | None = None,
) -> Argument:
    """Describe the argument of a node, whose first axis is that of the members in a family."""
    if declared is None or declared.family is None:
        return Argument(name, role, of, node.type.dtype, node.shape, 0, key)
    return Argument(name, role, of, node.type.dtype, node.shape[1:], len(declared.family), key)
