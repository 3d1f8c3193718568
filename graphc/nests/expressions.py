"""Elements of nodes as expressions of the elements of values."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from graphc.ir.dims import Dim
from graphc.ir.graph import CONSTANT, DIM, Node
from graphc.ir.kernel import Arg, Attr, Call, Elementwise, Place, Take, View
from graphc.ir.types import Dtype, is_one, promote
from graphc.nests.nest import (
    Access,
    Apply,
    Define,
    Element,
    Expr,
    Index,
    Kind,
    Number,
    Size,
    Statement,
    Value,
    applies_in,
    cast,
    dtype_of,
)
from graphc.nests.places import PLACES, Subarray, offset, reshaped, stretched
from graphc.records import dataclass, field

OWN = frozenset({"sigmoid", "softplus"})
"""Operations that are functions of one number themselves, whatever NumPy makes them of."""

COMPARISONS = frozenset({"equal", "not_equal", "less", "less_equal", "greater", "greater_equal"})
TRUTHS = frozenset({"logical_and", "logical_or", "logical_not"})
OF_TRUTHS = {
    "add": "logical_or", "multiply": "logical_and", "maximum": "logical_or",
    "minimum": "logical_and",
}  # fmt: skip
"""What NumPy makes of truth values."""

TESTS = frozenset({"isfinite", "isnan", "isinf"})

OF_ORDER: Mapping[str, int] = {
    "polygamma": 1, "bessel_j": 1, "bessel_i": 1, "bessel_ie": 1, "bessel_k": 1,
    "gammainc_by_a": 2, "betainc_by": 3,
}  # fmt: skip
"""Functions of so many floats and then of integers."""

LOCAL = frozenset({"full", "arange", "limit", "eye"})
"""Arrays made of nothing: an element costs less than to read it."""

POINTWISE = LOCAL | {"tril", "triu", "outer", "roll", "linspace", "cross"}
"""Calls of which each element is an expression of a few others."""


def is_local(node: Node) -> bool:
    """True if a node is computed wherever it is read: it has no work and no memory."""
    kernel = node.op.kernel
    if kernel is None or isinstance(kernel, View):
        return True
    return isinstance(kernel, Call) and kernel.name in LOCAL


@dataclass(slots=True)
class Context:
    """What is known where works are made: by node its value, tables of constants, checked indices.

    `fresh` names a symbol. `checked` are tokens: a value that is written once the positions that an
    argument names have been compared with the size of the axis. `has_form` says whether the target
    has a function of numbers.
    """

    values: dict[Node, Value]
    fresh: Callable[[str], str]
    refuse: Callable[[Node], Exception]
    has_form: Callable[[Apply], bool]
    tables: dict[Node, Value] = field(default_factory=dict)
    checked: dict[tuple[Node, Dim], Value] = field(default_factory=dict)

    def table(self, node: Node) -> Value:
        """Return the numbers of a constant array as a table."""
        if node not in self.tables:
            name = self.fresh("table")
            self.tables[node] = Value(
                name, node.type.dtype, node.shape, given=True, constant=node.value
            )
        return self.tables[node]


@dataclass(slots=True)
class Writer:
    """The statements of one work in the making, and what they touch."""

    context: Context
    statements: list[Statement] = field(default_factory=list)
    touches: list[Access] = field(default_factory=list)
    positions: dict[tuple[Node, Index, Dim], Dim] = field(default_factory=dict)

    # ---- elements --------------------------------------------------------------------------------

    def element(self, node: Node, at: Index) -> Expr:
        """Return an element of a node: of its value, or computed of others."""
        value = self.context.values.get(node)
        if value is not None:
            return self.read(value, at)
        if node.op is CONSTANT:
            if isinstance(node.value, tuple):
                return self.read(self.context.table(node), at)
            return Number(node.value, node.type.dtype)
        if node.op is DIM:
            return Size(node.attrs["value"])
        kernel = node.op.kernel
        match kernel:
            case View(place):
                whole = node.args[0]
                part = Subarray(node, whole.shape, node.shape, self.nowhere)
                return self.element(whole, PLACES[place](part, at))
            case Elementwise():
                return self.applied(kernel, node, at)
            case Take(place) if place in PLACES:
                return self.taken(node, place, at)
            case Call(name) if name in MADE:
                return MADE[name](self, node, at)
        raise self.context.refuse(node)

    def read(self, value: Value, at: Index) -> Expr:
        self.touches.append(Access(value, at, writes=False))
        return Element(value, at)

    def assign(self, value: Value, at: Index) -> Element:
        """Return an element that is written."""
        self.touches.append(Access(value, at, writes=True))
        return Element(value, at)

    def nowhere(self, number: int, at: Index, size: Dim) -> Dim:
        raise AssertionError("a view has no indices")

    # ---- functions of numbers --------------------------------------------------------------------

    def applied(self, kernel: Elementwise, node: Node, at: Index) -> Expr:
        """Return a function of numbers on the elements of the arguments."""
        args = [self.element(arg, stretched(at, arg.shape)) for arg in node.args]
        if node.op.name in OWN:
            return Apply(node.op.name, tuple(cast(x, "float") for x in args), "float", "float")
        found = function(kernel, node, args)
        if not all(map(self.context.has_form, applies_in(found))):
            raise self.context.refuse(node)
        return found

    # ---- elements that indices name --------------------------------------------------------------

    def taken(self, node: Node, place: Place, at: Index) -> Expr:
        whole, *indices = node.args
        part = Subarray(node, whole.shape, node.shape, self.position_by(indices))
        return self.element(whole, PLACES[place](part, at))

    def position_by(self, indices: list[Node]) -> Callable[[int, Index, Dim], Dim]:
        """Return how positions are found that arguments name, which are inside once checked."""

        def position(number: int, at: Index, size: Dim) -> Dim:
            return self.position(indices[number], at, size)

        return position

    def position(self, indices: Node, at: Index, size: Dim) -> Dim:
        """Return the position that an element of an index argument names, from the front."""
        at = stretched(at, indices.shape)
        key = (indices, at, size)
        if key in self.positions:
            return self.positions[key]
        token = self.context.checked.get((indices, size))
        if token is not None:
            self.touches.append(Access(token, (), writes=False))
        found = self.element(indices, at)
        place = exact(found)
        if place is None and is_one(size):
            place = Dim.of(0)
        elif place is None:
            symbol = self.context.fresh("at")
            self.statements.append(
                Define(symbol, Apply("from_the_front", (found, Size(size)), "int", "int"))
            )
            place = Dim.symbol(symbol)
        elif (place.constant or 0) < 0:
            place = place + size
        self.positions[key] = place
        return place


def exact(expr: Expr) -> Dim | None:
    """Return an integer as a dim, where it is made of dims and counters alone."""
    match expr:
        case Size(dim):
            return dim
        case Number(value, "int") if isinstance(value, int):
            return Dim.of(value)
    return None


def function(kernel: Elementwise, node: Node, args: list[Expr]) -> Expr:
    """Return a kernel of numbers on expressions of its arguments."""
    operands: list[Expr] = []
    for one in kernel.operands:
        if isinstance(one, Arg):
            operands.append(args[one.slot])
        elif isinstance(one, Elementwise):
            operands.append(function(one, node, args))
        elif isinstance(one, Attr):
            operands.append(attribute(node, one.name))
        else:
            operands.append(Number(one, "float" if isinstance(one, float) else "int"))
    return apply(kernel.name, operands or args, node.type.dtype)


def attribute(node: Node, name: str) -> Expr:
    value = node.attrs[name]
    if isinstance(value, float):
        return Number(value, "float")
    return Size(Dim.of(value))


def apply(name: str, operands: list[Expr], dtype: Kind) -> Expr:
    """Return a function of operands, which are brought to the dtype that it is computed in."""
    common = promote([_plain(one) for one in operands])
    if name in COMPARISONS:
        return Apply(name, tuple(cast(one, common) for one in operands), "bool", common)
    if name in TRUTHS:
        return Apply(name, tuple(cast(one, "bool") for one in operands), "bool", "bool")
    if name in TESTS:
        return Apply(name, tuple(cast(one, "float") for one in operands), "bool", "float")
    if dtype == "bool" and name in OF_TRUTHS:
        return Apply(OF_TRUTHS[name], tuple(cast(one, "bool") for one in operands), "bool", "bool")
    if name == "cast":
        return cast(operands[0], dtype)
    if name == "where":
        condition, *both = operands
        chosen = tuple(cast(one, dtype) for one in both)
        return Apply("where", (cast(condition, "bool"), *chosen), dtype, dtype)
    if name == "kept":
        zero = Number(0.0, "float")
        return Apply("where", (operands[1], operands[0], zero), "float", "float")
    if name in OF_ORDER:
        floats = OF_ORDER[name]
        given = (*(cast(one, "float") for one in operands[:floats]), *operands[floats:])
        return Apply(name, given, "float", "float")
    if dtype == "int" and all(isinstance(one, Size) for one in operands):
        folded = _folded(name, [one.dim for one in operands if isinstance(one, Size)])
        if folded is not None:
            return Size(folded)
    found = operands[0]
    if name in ("add", "multiply") and len(operands) > 2:
        for one in operands[1:]:
            found = apply(name, [found, one], dtype)
        return found
    of = "float" if dtype == "float" else common
    return Apply(name, tuple(cast(one, of) for one in operands), dtype, of)


def _plain(expr: Expr) -> Dtype:
    dtype = dtype_of(expr)
    return "float" if dtype == "wide" else dtype


def _folded(name: str, dims: list[Dim]) -> Dim | None:
    """Return an integer made of dims, where dims say it."""
    match name, dims:
        case "add", [a, b]:
            return a + b
        case "subtract", [a, b]:
            return a - b
        case "multiply", [a, b]:
            return a * b
        case "negative", [a]:
            return -a
    return None


# ---- arrays of which each element is an expression -----------------------------------------------


def _full(writer: Writer, node: Node, at: Index) -> Expr:
    return cast(Number(node.attrs["value"], "float"), node.type.dtype)


def _arange(writer: Writer, node: Node, at: Index) -> Expr:
    return Size(at[0])


def _limit(writer: Writer, node: Node, at: Index) -> Expr:
    return Number(node.attrs["name"], "float")


def _one_where(truth: Expr) -> Expr:
    return Apply("where", (truth, Number(1.0, "float"), Number(0.0, "float")), "float", "float")


def _compared(name: str, one: Dim, other: Dim) -> Expr:
    return Apply(name, (Size(one), Size(other)), "bool", "int")


def _eye(writer: Writer, node: Node, at: Index) -> Expr:
    return _one_where(_compared("equal", at[1], at[0] + Dim.of(node.attrs["k"])))


def _triangle(name: str) -> Callable[[Writer, Node, Index], Expr]:
    def build(writer: Writer, node: Node, at: Index) -> Expr:
        x = writer.element(node.args[0], at)
        inside = _compared(name, at[-1], at[-2] + Dim.of(node.attrs["k"]))
        zero = cast(Number(0, "int"), node.type.dtype)
        return Apply("where", (inside, x, zero), node.type.dtype, node.type.dtype)

    return build


def _outer(writer: Writer, node: Node, at: Index) -> Expr:
    both = [writer.element(node.args[i], (at[i],)) for i in (0, 1)]
    return apply("multiply", both, node.type.dtype)


def _roll(writer: Writer, node: Node, at: Index) -> Expr:
    """Return the element from so many places before, around the end."""
    shifts, axes = node.attrs["shift"], node.attrs["axis"]
    if axes is None:  # in row-major order
        size = node.type.size
        lies = (offset(at, node.shape) + (-Dim.of(shifts)) % size) % size
        return writer.element(node.args[0], reshaped((lies,), (size,), node.shape))
    shifts, axes = (x if isinstance(x, tuple) else (x,) for x in (shifts, axes))
    moved = list(at)
    for shift, axis in zip(shifts, axes, strict=True):
        moved[axis] = (moved[axis] + (-Dim.of(shift)) % node.shape[axis]) % node.shape[axis]
    return writer.element(node.args[0], tuple(moved))


def _linspace(writer: Writer, node: Node, at: Index) -> Expr:
    """start + i (stop - start) / (n - 1), and the last one exactly: as NumPy computes it."""
    start, stop = (cast(writer.element(arg, ()), "float") for arg in node.args)
    last = node.shape[0] - 1
    step = apply("divide", [apply("subtract", [stop, start], "float"), Size(last)], "float")
    inner = apply("add", [apply("multiply", [Size(at[0]), step], "float"), start], "float")
    if last.constant == 0:
        return start
    at_end = _compared("equal", at[0], last)
    first = _compared("equal", at[0], Dim.of(0))
    ends = Apply("where", (first, start, stop), "float", "float")
    either = Apply("logical_or", (at_end, first), "bool", "bool")
    return Apply("where", (either, ends, inner), "float", "float")


def _cross(writer: Writer, node: Node, at: Index) -> Expr:
    """a[i + 1] b[i + 2] - a[i + 2] b[i + 1], around the end."""

    def part(arg: Node, turn: int) -> Expr:
        own = (*at[:-1], (at[-1] + turn) % 3)
        return writer.element(arg, stretched(own, arg.shape))

    a, b = node.args
    one = apply("multiply", [part(a, 1), part(b, 2)], "float")
    other = apply("multiply", [part(a, 2), part(b, 1)], "float")
    return apply("subtract", [one, other], "float")


MADE: Mapping[str, Callable[[Writer, Node, Index], Expr]] = {
    "full": _full,
    "arange": _arange,
    "limit": _limit,
    "eye": _eye,
    "tril": _triangle("less_equal"),
    "triu": _triangle("greater_equal"),
    "outer": _outer,
    "roll": _roll,
    "linspace": _linspace,
    "cross": _cross,
}
