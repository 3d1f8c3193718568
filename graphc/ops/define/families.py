"""The families of operations: one statement gives shapes, derivative rules and structure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Literal, TypeVar

from graphc.ir.dims import Dim
from graphc.ir.graph import (
    CONSTANT,
    DIM,
    OPERATORS,
    AxisRule,
    BatchRule,
    Node,
    Op,
    PartRule,
    as_node,
)
from graphc.ir.kernel import Elementwise, Kernel
from graphc.ir.types import Dtype, Mismatch, Type, broadcast, is_one, promote
from graphc.ops.define.axis_maps import by_name, from_the_right
from graphc.ops.define.batching import over_elements, over_rows
from graphc.ops.define.functions import function

Result = Literal["float", "promote", "bool", "int"]
Partial = Node | int | float | None
Jvp = Callable[[Sequence[Node | None], Node], Sequence[Node]]
Build = TypeVar("Build", bound=Callable[..., Any])


# ---- the families ------------------------------------------------------------------------


def elementwise(
    name: str,
    *,
    kernel: Kernel | None = None,
    partials: Callable[..., tuple[Partial, ...]] | None,
    doc: str,
    signature: str = "x",
    result: Result = "float",
    flops: int = 1,
    view_of: int | None = None,
    public: bool = True,
    prepare: Callable[[tuple[Node, ...]], tuple[Node, ...]] | None = None,
    lower: Callable[..., Node] | None = None,
    batch: BatchRule = over_elements,
    axes: AxisRule = from_the_right,
) -> Op:
    """Declare an operation on each element by itself: its Jacobian is diagonal.

    `partials(y, x, …, **attrs)` gives ∂y/∂x for each argument, as a node, a number, or None for
    zero; it is None where nothing is differentiable. `result` is the dtype of the result: `promote`
    is the smallest that holds the arguments.
    """

    def infer(*types: Type, **attrs: Any) -> Type:
        shape = broadcast([t.shape for t in types], name)
        return Type(_join_dtypes(types, result) if result == "promote" else result, shape)

    def vjp(ct: Node, y: Node) -> Sequence[Node | None]:
        if partials is None:
            return (None,) * len(y.args)
        return [_scale(ct, partial) for partial in partials(y, *y.args, **y.attrs)]

    def jvp(tangents: Sequence[Node | None], y: Node) -> Sequence[Node]:
        if partials is None:
            return ()
        pairs = zip(tangents, partials(y, *y.args, **y.attrs), strict=True)
        scaled = [_scale(tangent, partial) for tangent, partial in pairs if tangent is not None]
        return [term for term in scaled if term is not None]

    op = Op(
        name,
        infer,
        kernel,
        vjp,
        "elementwise",
        flops=lambda node: flops * node.type.size,
        view_of=view_of,
        prepare=prepare or _PREPARE[result],
        lower=lower,
        jvp=jvp,
        batch=batch,
        axes=axes,
    )
    return _declare(op, signature if "/" in signature else signature + ", /", doc, public)


def linear(
    name: str,
    *,
    infer: Callable[..., Type],
    kernel: Kernel | None = None,
    transpose: Callable[..., Node | tuple[Node | None, ...]],
    doc: str,
    signature: str = "x",
    flops: Callable[[Node], Dim] = lambda node: Dim.of(0),
    view_of: int | None = None,
    public: bool = True,
    prepare: Callable[[tuple[Node, ...]], tuple[Node, ...]] | None = None,
    lower: Callable[..., Node] | None = None,
    jvp: Jvp | None = None,
    batch: BatchRule = over_rows,
    axes: AxisRule = by_name,
    part: PartRule | None = None,
    counting: Callable[[Node], Collection[Node]] = lambda node: (),
) -> Op:
    """Declare an operation that is linear in its arguments together.

    `transpose(ct, x, …, **attrs)` gives the transposed map's value for each argument; `jvp` is
    the map itself, but for those that need no zeros in the place of missing tangents.
    """

    def vjp(ct: Node, y: Node) -> Sequence[Node | None]:
        value = transpose(ct, *y.args, **y.attrs)
        return value if isinstance(value, tuple) else (value,)

    def push(tangents: Sequence[Node | None], y: Node) -> Sequence[Node]:
        return [op(*map(_moving, tangents, y.args), **y.attrs)]

    prepared = prepare or _as_they_are
    op = Op(
        name,
        infer,
        kernel,
        vjp,
        "linear",
        flops,
        view_of,
        prepared,
        lower,
        jvp or push,
        batch,
        axes,
        part=part,
        counting=counting,
    )
    return _declare(op, signature, doc, public)


def bilinear(
    name: str,
    *,
    infer: Callable[..., Type],
    kernel: Kernel | None = None,
    left: Callable[..., Node],
    right: Callable[..., Node],
    flops: Callable[[Node], Dim],
    batch: BatchRule,
    axes: AxisRule,
    doc: str,
    signature: str = "a, b",
    public: bool = True,
) -> Op:
    """Declare an operation that is linear in each of its two arguments.

    `left(ct, x, y, **attrs)` and `right(…)` are the transposes in x (y fixed) and in y.
    """

    def vjp(ct: Node, node: Node) -> Sequence[Node | None]:
        x, y = node.args
        return (
            left(ct, x, y, **node.attrs) if x.type.dtype == "float" else None,
            right(ct, x, y, **node.attrs) if y.type.dtype == "float" else None,
        )

    def jvp(tangents: Sequence[Node | None], node: Node) -> Sequence[Node]:
        (dx, dy), (x, y) = tangents, node.args
        pairs = [(dx, y), (x, dy)]
        return [op(a, b, **node.attrs) for a, b in pairs if a is not None and b is not None]

    op = Op(
        name, infer, kernel, vjp, "bilinear", flops,
        prepare=to_common, jvp=jvp, batch=batch, axes=axes,
    )  # fmt: skip
    return _declare(op, signature, doc, public)


def general(
    name: str,
    *,
    infer: Callable[..., Type],
    kernel: Kernel | None = None,
    vjp: Callable[..., Sequence[Node | None]],
    doc: str,
    signature: str = "x",
    flops: Callable[[Node], Dim] = lambda node: node.args[0].type.size,
    public: bool = True,
    prepare: Callable[[tuple[Node, ...]], tuple[Node, ...]] | None = None,
    lower: Callable[..., Node] | None = None,
    batch: BatchRule = over_rows,
    axes: AxisRule = by_name,
) -> Op:
    """Declare any other differentiable operation: `vjp(ct, y, x, …, **attrs)`."""

    def rule(ct: Node, y: Node) -> Sequence[Node | None]:
        return vjp(ct, y, *y.args, **y.attrs)

    prepare = prepare or first_to_float
    op = Op(name, infer, kernel, rule, "general", flops, None, prepare, lower, None, batch, axes)
    return _declare(op, signature, doc, public)


def constant(
    name: str,
    *,
    infer: Callable[..., Type],
    kernel: Kernel | None = None,
    doc: str,
    signature: str,
    public: bool = True,
    batch: BatchRule = over_rows,
    axes: AxisRule = by_name,
) -> Op:
    """Declare an operation whose derivative is zero or that has none."""
    op = Op(
        name,
        infer,
        kernel,
        lambda ct, y: (None,) * len(y.args),
        "constant",
        _no_flops,
        jvp=lambda tangents, y: (),
        batch=batch,
        axes=axes,
    )
    return _declare(op, signature, doc, public)


def composite(name: str, signature: str, doc: str) -> Callable[[Build], Build]:
    """Declare a function that builds several nodes and needs no rule of its own."""

    def declare(build: Build) -> Build:
        function(name, signature, build, doc)
        return build

    return declare


def _declare(op: Op, signature: str, doc: str, public: bool) -> Op:
    if public:
        function(op.name, signature, op, doc, op)
    return op


def _moving(tangent: Node | None, arg: Node) -> Node:
    """Return the tangent of an argument of a linear operation, zeros for none; indices stay."""
    if tangent is not None or arg.type.dtype != "float":
        return arg if tangent is None else tangent
    zero = as_node(0.0)
    return OPERATORS["broadcast_to"](zero, shape=arg.shape) if arg.rank else zero


def _no_flops(node: Node) -> Dim:
    return Dim.of(0)


def _scale(ct: Node, partial: Partial) -> Node | None:
    """Multiply a cotangent with a partial derivative, element by element.

    A mask selects, so that no infinite cotangent meets a zero; ct * (1 / x) is ct / x.
    """
    if partial is None:
        return None
    if isinstance(partial, Node):
        if partial.type.dtype == "bool":
            return OPERATORS["where"](partial, ct, 0.0)
        if partial.op is OPERATORS["/"] and partial.args[0].value == 1:
            return ct / partial.args[1]
        return ct * partial
    if partial == 1:
        return ct
    return -ct if partial == -1 else ct * partial


# ---- dtypes of arguments -----------------------------------------------------------------


def to_float(node: Node) -> Node:
    """Convert a node to floats; a dim stays the Python integer that it is, which NumPy fits."""
    if node.type.dtype == "float" or node.op is DIM:
        return node
    return as_node(float(node.value)) if node.op is CONSTANT and node.rank == 0 else CAST(node)


def to_int(node: Node) -> Node:
    """Convert a bool node to integers."""
    if node.type.dtype != "bool":
        return node
    return as_node(int(node.value)) if node.op is CONSTANT and node.rank == 0 else CAST_INT(node)


def _to_floats(args: tuple[Node, ...]) -> tuple[Node, ...]:
    """Convert all to float; a mask beside a float array stays: NumPy multiplies it as 0 and 1."""
    if any(arg.type.dtype == "float" and not arg.static for arg in args):
        return tuple(
            arg if arg.type.dtype == "bool" and not arg.static else to_float(arg) for arg in args
        )
    return tuple(map(to_float, args))


def to_common(args: tuple[Node, ...]) -> tuple[Node, ...]:
    """Convert all to the smallest dtype that holds them, where bool counts as int."""
    if any(arg.type.dtype == "float" for arg in args):
        return _to_floats(args)
    return tuple(map(to_int, args))


def first_to_float(args: tuple[Node, ...]) -> tuple[Node, ...]:
    return (to_float(args[0]), *args[1:])


def all_to_float(args: tuple[Node, ...]) -> tuple[Node, ...]:
    return tuple(map(to_float, args))


def _as_they_are(args: tuple[Node, ...]) -> tuple[Node, ...]:
    return args


def _join_dtypes(types: Sequence[Type], result: Result) -> Dtype:
    joined = promote([t.dtype for t in types])
    return "int" if joined == "bool" else joined


_PREPARE: dict[Result, Callable[[tuple[Node, ...]], tuple[Node, ...]]] = {
    "float": _to_floats,
    "promote": to_common,
    "bool": _as_they_are,
    "int": _as_they_are,
}


def _cast(name: str, dtype: Dtype) -> Op:
    return Op(
        name,
        lambda t: Type(dtype, t.shape),
        Elementwise("cast"),
        lambda ct, y: (None,),
        "elementwise",
        _no_flops,
        jvp=lambda tangents, y: (),
        batch=over_elements,
        axes=from_the_right,
    )


CAST = _cast("cast_float", "float")
CAST_INT = _cast("cast_int", "int")


# ---- axes -----------------------------------------------------------------------------------


def normal_axis(axis: int, rank: int, what: str) -> int:
    """Count an axis from the left."""
    if not -rank <= axis < rank:
        raise Mismatch("E305", f"`{what}` has no axis {axis}: its argument has rank {rank}")
    return axis % rank


def normal_axes(axes: tuple[int, ...] | None, rank: int, what: str) -> tuple[int, ...]:
    """Axes counted from the left, in order; None means all."""
    if axes is None:
        return tuple(range(rank))
    normal = tuple(sorted(normal_axis(axis, rank, what) for axis in axes))
    if len(set(normal)) < len(normal):
        raise Mismatch("E305", f"`{what}` names an axis twice: {list(axes)}")
    return normal


def stretched_axes(narrow: Type, wide: Type) -> tuple[int, ...]:
    """Return the axes of `wide` along which broadcasting repeats `narrow`."""
    lead = wide.rank - narrow.rank
    inner = [
        lead + i
        for i, axis in enumerate(narrow.shape)
        if is_one(axis) and not is_one(wide.shape[lead + i])
    ]
    return (*range(lead), *inner)
