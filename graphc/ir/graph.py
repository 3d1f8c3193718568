"""The graph: Op, Node, Graph; nodes are interned, so equal is identical."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count
from types import MappingProxyType
from typing import Any, Literal
from weakref import ref

from graphc.ir.constants import number_of, told_apart
from graphc.ir.dims import Dim
from graphc.ir.facts import Facts
from graphc.ir.kernel import Kernel
from graphc.ir.results import ResultKey, Role
from graphc.ir.sizes import check_shape
from graphc.ir.types import Type, assuming
from graphc.limits import Exceeded
from graphc.records import dataclass, field
from graphc.source import Origin

Structure = Literal["source", "elementwise", "linear", "bilinear", "general", "constant"]

AxisMap = tuple[tuple[int | None, ...], ...]
AxisRule = Callable[["Node"], AxisMap]
BatchRule = Callable[["Node", tuple["Node", ...], tuple[bool, ...], Dim], "Node"]
PartRule = Callable[["Node", int, Dim], Mapping[str, Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Op:
    """One operation, stated once: everything that the compiler needs to know about it.

    infer      (argument types …, **attrs) -> Type; raises Mismatch
    kernel     what it computes, as structure, from which each target writes its code; None where
               planning takes care of it, or it is lowered
    vjp        (cotangent, node) -> for each argument the cotangent that flows to it, or None
    jvp        (tangents of the arguments or None, node) -> terms whose sum is the node's tangent;
               None where forward mode transposes `vjp`
    structure  what its Jacobian looks like
    flops      (node) -> multiply-adds of one evaluation
    view_of    the argument whose memory the result may share
    prepare    brings arguments to the form that `infer` expects (casts to a common dtype)
    lower      (arguments …, **attrs) -> the same value from simpler operations, which is what
               is printed; None where the operation is printed itself
    batch      (node, arguments, which of them have a leading axis, its size) -> the node's
               values for each position of that axis, one after the other
    axes       (node) -> which axis of the result each axis of an argument becomes, slice by slice
    part       (node, axis of the result, start) -> what attributes become where slices from `start`
               on are computed alone; None where no slice depends on its position
    counting   (node) -> the arguments that count the positions of an axis: those of a slice along
               it count from its own beginning
    numbers    are its values Python's own numbers, not NumPy's?
    """

    name: str
    infer: Callable[..., Type]
    kernel: Kernel | None
    vjp: Callable[[Node, Node], Sequence[Node | None]]
    structure: Structure
    flops: Callable[[Node], Dim]
    view_of: int | None = None
    prepare: Callable[[tuple[Node, ...]], tuple[Node, ...]] = lambda args: args
    lower: Callable[..., Node] | None = None
    jvp: Callable[[Sequence[Node | None], Node], Sequence[Node]] | None = None
    batch: BatchRule | None = None
    axes: AxisRule = lambda node: tuple((None,) * arg.rank for arg in node.args)
    part: PartRule | None = None
    counting: Callable[[Node], Collection[Node]] = lambda node: ()
    numbers: bool = False

    def __call__(self, *args: Any, **attrs: Any) -> Node:
        """Make the node of this operation on these arguments (nodes, dims or numbers)."""
        nodes = self.prepare(tuple(map(as_node, args)))
        return intern(self, nodes, attrs, self.infer(*[n.type for n in nodes], **attrs))

    def __repr__(self) -> str:
        return self.name


def _binary(operator: str) -> Callable[[Node, Any], Node]:
    return lambda node, other: OPERATORS[operator](node, other)


def _reflect(operator: str) -> Callable[[Node, Any], Node]:
    return lambda node, other: OPERATORS[operator](other, node)


def _unary(operator: str) -> Callable[[Node], Node]:
    return lambda node: OPERATORS[operator](node)


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Node:
    """An operation on nodes; equal nodes of one compilation are the same object.

    `index` puts nodes in the order of their making and breaks ties of order everywhere; what a
    pass makes in place of a node comes where that node was, which is its `place`.
    `salt` keeps nodes apart that a file gives different names, though they compute the same.
    `static` marks scalars that depend on constants and dims only: Python numbers in the module.
    `shape` and `rank` are those of the type, which passes ask for more often than for all else.
    """

    op: Op
    args: tuple[Node, ...]
    attrs: Mapping[str, Any]
    type: Type
    place: int
    index: int
    static: bool
    origin: Origin | None
    salt: str
    shape: tuple[Dim, ...]
    rank: int

    @property
    def number(self) -> int:
        """Return which node of the compilation this is."""
        return self.index - (self.place << _PLACES)

    @property
    def value(self) -> Any:
        """Return the number that a constant node holds, else None."""
        return self.attrs["value"] if self.op.name == "constant" else None

    @property
    def T(self) -> Node:
        return OPERATORS["T"](self)

    def __repr__(self) -> str:
        args = ", ".join(f"#{arg.number}" for arg in self.args)
        return f"#{self.number}={self.op.name}({args}): {self.type}"

    __add__ = _binary("+")
    __radd__ = _reflect("+")
    __sub__ = _binary("-")
    __rsub__ = _reflect("-")
    __mul__ = _binary("*")
    __rmul__ = _reflect("*")
    __truediv__ = _binary("/")
    __rtruediv__ = _reflect("/")
    __pow__ = _binary("**")
    __matmul__ = _binary("@")
    __neg__ = _unary("neg")
    __lt__ = _binary("<")
    __le__ = _binary("<=")
    __gt__ = _binary(">")
    __ge__ = _binary(">=")


PYTHON_ARITHMETIC = frozenset({"+", "-", "*", "negative", "at_least_one"})
"""What Python's own numbers do exactly as NumPy's would."""

OPERATORS: dict[str, Callable[..., Node]] = {}
"""What the operators of a Node mean; the operations fill it as they are declared."""


# ---- interning -----------------------------------------------------------------


@dataclass(slots=True)
class Table:
    """The nodes of one compilation, by structure; the origin and place that new ones get."""

    nodes: dict[tuple[Any, ...], Node] = field(default_factory=dict)
    types: dict[Type, Type] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=count)
    origin: Origin | None = None
    place: int | None = None
    memo: defaultdict[Any, dict[Any, Any]] = field(default_factory=lambda: defaultdict(dict))
    """What is found once in a compilation, by who asks and for what."""

    def forget(self) -> None:
        """Let go of what was found, and of nodes that nobody holds."""
        made = [ref(node) for node in self.nodes.values()]
        self.nodes.clear()
        self.memo.clear()
        for one in made:
            if node := one():
                key = _structure(node.op, node.args, node.attrs, node.type, node.salt)
                self.nodes[key] = node


table: ContextVar[Table] = ContextVar("table")


@contextmanager
def building() -> Iterator[Table]:
    """Intern nodes in a table of their own inside, where dims have no facts yet."""
    token = table.set(Table())
    try:
        with assuming(Facts.empty):
            yield table.get()
    finally:
        table.reset(token)


class stamped:  # noqa: N801, a function to its callers: contextlib's take three times as long
    """Inside, new nodes get this origin (None leaves the present one) and place in the order."""

    def __init__(self, origin: Origin | None, place: int | None = None) -> None:
        self.origin, self.place = origin, place

    def __enter__(self) -> stamped:
        self.made = made = table.get()
        self.before = made.origin, made.place
        made.origin, made.place = self.origin or made.origin, self.place
        return self

    def move(self, origin: Origin | None, place: int) -> None:
        """Go on to another origin and place: for many nodes, one after the other."""
        self.origin = origin
        self.made.origin, self.made.place = origin or self.before[0], place

    def __exit__(self, kind: object, wrong: BaseException | None, trace: object) -> None:
        self.made.origin, self.made.place = self.before
        if isinstance(wrong, Exceeded) and wrong.span is None and self.origin is not None:
            wrong.span = self.origin.span


def intern(
    op: Op, args: tuple[Node, ...], attrs: Mapping[str, Any], type: Type, salt: str = ""
) -> Node:
    """Return the one node with this structure and salt."""
    made = table.get()
    key = _structure(op, args, attrs, type, salt)
    node = made.nodes.get(key)
    if node is None:
        shape = type.shape
        if shape:
            check_shape(shape)
        frozen = MappingProxyType(dict(attrs)) if attrs else _NO_ATTRS
        static = not shape and (
            op is CONSTANT
            or op is DIM
            or (op.name in PYTHON_ARITHMETIC and all(arg.static for arg in args))
        )
        number = next(made.numbers)
        place = number if made.place is None else made.place
        index = (place << _PLACES) + number
        type = made.types.setdefault(type, type)
        node = Node(
            op, args, frozen, type, place, index, static, made.origin, salt, shape, len(shape)
        )
        made.nodes[key] = node
    return node


_NO_ATTRS: Mapping[str, Any] = MappingProxyType({})
_PLACES = 40
"""The bits of an index below those of its place: more than there are nodes."""


def _structure(
    op: Op, args: tuple[Node, ...], attrs: Mapping[str, Any], type: Type, salt: str
) -> tuple[Any, ...]:
    told = tuple([(name, told_apart(attrs[name])) for name in sorted(attrs)]) if attrs else ()
    return op, args, told, type.dtype, type.shape, salt


def as_node(value: Any) -> Node:
    """Convert a dim or a number to a node; a node stays as it is."""
    if value.__class__ is Node:
        return value
    if isinstance(value, Dim) and value.constant is None:
        return intern(DIM, (), {"value": value}, Type("int"))
    number, type = number_of(value)
    return intern(CONSTANT, (), {"value": number}, type)


def _source(name: str) -> Op:
    def infer(*, type: Type, **_: Any) -> Type:
        return type

    return Op(name, infer, None, lambda ct, node: (), "source", lambda node: Dim.of(0))


INPUT = _source("input")
PARAMETER = _source("parameter")
COTANGENT = _source("cotangent")
TANGENT = _source("tangent")
CONSTANT = _source("constant")
DIM = _source("dim")
SOURCES = (INPUT, PARAMETER, COTANGENT, TANGENT)


def source(op: Op, name: str, type: Type, **attrs: Any) -> Node:
    """Make an input, parameter, cotangent or tangent of the graph."""
    return intern(op, (), {"name": name, **attrs}, type)


def reaches_source(node: Node) -> bool:
    """True if the value depends on an input or a parameter."""
    return any(below.op in SOURCES for below in arguments_first([node]))


def with_args(node: Node, args: tuple[Node, ...]) -> Node:
    """Make the same operation on other arguments that give a result of the same type."""
    if args == node.args:
        return node
    return intern(node.op, args, node.attrs, node.type, node.salt)


# ---- graphs ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Term:
    """(∂child/∂parent)ᵀ · adjoint(child) by the child's operand `slot`; a seed has no child."""

    value: Node
    child: Node | None
    slot: int


@dataclass(frozen=True, slots=True)
class Adjoint:
    """The derivative of the seeded outputs by one node: the sum of a term for each child."""

    of: Node
    terms: tuple[Term, ...]
    value: Node


@dataclass(frozen=True, slots=True)
class Graph:
    """Results by what they are, and the nodes that they reach; `names` are the user's, by node.

    `adjoints` says which results of reverse mode are whose; `labels` names the nodes that it
    speaks of, also those without a name of their own.
    """

    name: str
    results: Mapping[ResultKey, Node]
    names: Mapping[Node, str]
    adjoints: tuple[Adjoint, ...] = ()
    labels: Mapping[Node, str] = field(default_factory=dict)
    role: Role = Role.FUNCTION

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Return every node that a result reaches, arguments first."""
        return reachable(self.results.values())


Uses = dict[Node, list[tuple[Node, int]]]
"""By node the nodes that read it, each with the slot of the operand."""


def uses(results: Iterable[Node], given: Container[Node] = ()) -> Uses:
    """Map what the results reach to what reads it: an operand that occurs twice is two uses.

    The arguments of what is given are left out.
    """
    pending = list(dict.fromkeys(results))
    found: Uses = {node: [] for node in pending}
    while pending:
        node = pending.pop()
        for slot, arg in enumerate(() if node in given else node.args):
            if arg not in found:
                found[arg] = []
                pending.append(arg)
            found[arg].append((node, slot))
    return found


def reachable(results: Iterable[Node]) -> tuple[Node, ...]:
    """Return what `arguments_first` yields, memoised: pass after pass asks for it."""
    made, roots = table.get(None), tuple(results)
    memo = {} if made is None else made.memo[reachable]
    found: tuple[Node, ...] | None = memo.get(roots)
    if found is None:
        found = memo[roots] = tuple(arguments_first(roots))
    return found


def arguments_first(results: Iterable[Node], done: Container[Node] = ()) -> Iterator[Node]:
    """Yield what the results reach and is not done: depth first, arguments before nodes.

    `done` may grow meanwhile by what has been yielded.
    """
    seen: set[Node] = set()
    pending = list(results)[::-1]
    while pending:
        node = pending[-1]
        if node in seen or node in done:
            pending.pop()
            continue
        before = len(pending)
        for arg in node.args[::-1]:
            if arg not in seen and arg not in done:
                pending.append(arg)
        if len(pending) == before:
            seen.add(node)
            yield pending.pop()
