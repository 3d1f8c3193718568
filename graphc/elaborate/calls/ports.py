"""Types as written: their dims, the ports that they describe, and compile-time arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.ad.jacobian.derivatives import DERIVATIVES
from graphc.elaborate.calls.axis_labels import has_equal_dims, label
from graphc.elaborate.names.definitions import alias_node
from graphc.elaborate.names.hints import MEMBERS, OPEN, TYPES
from graphc.elaborate.names.references import takes_gradients, walk
from graphc.elaborate.names.scope import (
    BlockValue,
    Context,
    Entry,
    InstanceValue,
    Mistake,
    Scope,
    Silent,
    lookup,
    mistake,
)
from graphc.elaborate.values.remedies import quotient_remedy
from graphc.elaborate.values.values import describe_value, to_node
from graphc.ir.dims import Dim
from graphc.ir.graph import Node
from graphc.ir.sizes import check_shape
from graphc.ir.types import Dtype, Shape, Type, same_shape, shape_text
from graphc.limits import RANK
from graphc.ops import Function
from graphc.ops.define.families import to_float
from graphc.ops.select.indexing import declared_so
from graphc.source import Span, remedy
from graphc.syntax import tree
from graphc.syntax.format.canonical import one_line_of

COMPILE_TIME = ("int", "ints", "float", "bool", "str", "fn")
DTYPES: tuple[Dtype, ...] = ("float", "int", "bool")
DOTS = "..."


def check_compile_time(context: Context, kind: str, value: Any, span: Span, what: str) -> Any:
    """Check that an argument is of a kind known at compile time, and return it in its form."""
    match kind, value:
        case ("int", Dim()) | ("bool", bool()) | ("str", str()) | ("float", float()):
            return value
        case ("list", tuple()) | ("sizes" | "pads", Dim()):
            return value
        case ("fn", Function() | BlockValue() | InstanceValue()):
            return value
        case "float", Dim():
            known = context.known(value)
            if known is not None:
                return float(known)
        case ("ints" | "shape" | "sizes", tuple()) if all(isinstance(item, Dim) for item in value):
            return value
        case ("pads", tuple()) if all(_is_pad(item) for item in value):
            return value
    expected = {
        "int": "an integer", "ints": "a list of integers", "list": "a list",
        "sizes": "an integer or a list of integers",
        "pads": "an integer, a list of integers or a list of pairs of them",
        "shape": "a list of dims", "float": "a number", "bool": "true or false",
        "str": "a string", "fn": "an operation or a block",
    }[kind]  # fmt: skip
    message = f"{what} is {expected} known at compile time, found {describe_value(value)}"
    raise mistake("E212", message, span, quotient_remedy(value) or _meant(kind, value))


def _meant(kind: str, value: Any) -> str | None:
    """Return the remedy for an argument of another kind that says what it is meant to be."""
    match kind, value:
        case "fn", str() if value.isidentifier():
            return remedy(f"without quotes: `{value}`", f'"{value}"', value)
        case (("int" | "float"), str()) if value.replace(".", "", 1).isdecimal():
            return remedy(f"without quotes: `{value}`", f'"{value}"', value)
        case "list", Node():
            return MEMBERS["shape"]
        case "int", float() if value.is_integer():
            return f"write `{value:.0f}`"
        case (("ints" | "shape" | "list"), Dim()):
            return f"a list is written `[{value}]`" if value.constant != -1 else "see `flatten(x)`"
    return None


def _is_pad(value: Any) -> bool:
    """True for the padding of an axis: on both sides alike, or before it and behind it."""
    pair = value if isinstance(value, tuple) and len(value) == 2 else (value,)
    return all(isinstance(one, Dim) for one in pair)


# ---- types ------------------------------------------------------------------------------------


def evaluate_type(context: Context, scope: Scope, written: tree.TypeOf | None) -> Type:
    """Evaluate a type as written, every dim in scope; a type left out is a scalar float."""
    if written is None:
        return Type("float")
    return Type(dtype_of(written), evaluate_shape(context, scope, written.axes or (), written.span))


def dtype_of(written: tree.TypeOf) -> Dtype:
    if written.kind is None:
        return "float"
    for dtype in DTYPES:
        if written.kind.text == dtype:
            return dtype
    help = TYPES.get(written.kind.text, "float, int and bool are")
    raise mistake("E309", f"`{written.kind.text}` is not a type", written.kind.span, help)


def evaluate_shape(
    context: Context, scope: Scope, axes: Sequence[tree.Expr | tree.Dots], span: Span
) -> Shape:
    """Evaluate axes as written; `...` is what the ports of the block bound it to."""
    shape: list[Dim] = []
    for axis in axes:
        if isinstance(axis, tree.Dots):
            entry = scope.find(DOTS)
            if entry is None:
                message = "`...` stands for axes in the ports of a block only"
                raise mistake("E309", message, axis.span, OPEN)
            shape.extend(entry.value)
        else:
            shape.append(evaluate_axis(context, scope, axis))
    if len(shape) > RANK:
        raise mistake("E309", f"{len(shape)} axes; NumPy has at most {RANK}", span)
    check_shape([axis.substitute(context.fixed) for axis in shape])
    return tuple(shape)


def evaluate_axis(context: Context, scope: Scope, axis: tree.Expr) -> Dim:
    """Evaluate one axis: an integer that is not negative."""
    for name in walk([axis]):
        if isinstance(name, tree.Name):
            lookup(context, scope, name, in_shape=True)
    value = context.evaluate(context, scope, axis)
    if not isinstance(value, Dim):
        message = f"an axis is an integer or a dim, found {describe_value(value)}"
        raise mistake("E309", message, axis.span, quotient_remedy(value))
    known = context.known(value)
    if known is not None and known < 0:
        help = OPEN if known == -1 else None
        raise mistake("E309", f"an axis cannot have {known} elements", axis.span, help)
    return value


def type_text(written: tree.TypeOf) -> str:
    return one_line_of(written.span)


# ---- ports ------------------------------------------------------------------------------------


def bind_ports(
    context: Context,
    scope: Scope,
    block: tree.Block,
    given: dict[str, tuple[Node, Span]],
    span: Span,
) -> None:
    """Bind the dims of a block's port types to the shapes of the tensors given, and check them.

    First the names that no argument has bound, wherever one stands alone as an axis; then
    defaults, which may mention the dims; then everything else must agree. In a block that takes
    derivatives, or has two dims of one size, each port is a node of its own, whatever the caller
    passes: a block is a function of its ports.
    """
    given = dict(given)
    for port in block.ports:
        if port.name.text in given:
            node, place = given[port.name.text]
            _bind_names(scope, block, port, node.type, place)
    for port in block.ports:
        if port.name.text not in given and port.name.text not in scope.entries and port.default:
            value, place = context.evaluate(context, scope, port.default), port.default.span
            if port.type.kind and is_compile_time(port):
                what = f"`{port.name.text}`"
                value = check_compile_time(context, port.type.kind.text, value, place, what)
                scope.entries[port.name.text] = Entry(value, port.name.span)
            else:
                given[port.name.text] = to_node(value, place), place
    apart = _differentiates(scope, block) or has_equal_dims(scope)
    for port in block.ports:
        if port.name.text not in given:
            continue
        node, place = given[port.name.text]
        expected = evaluate_type(context, scope, port.type)
        if expected.dtype == "float":
            node = to_float(node)
        if node.type.dtype != expected.dtype or not same_shape(node.shape, expected.shape):
            bound = f", here {expected}" if str(expected) != type_text(port.type) else ""
            wanted = f"{port.name.text}: {type_text(port.type)}{bound}"
            message = f"{block.name.text} takes {wanted}; found {node.type.beside(expected)}"
            raise _explain(
                scope, mistake("E301", message, place, _kind(node, expected)), block, port
            )
        if apart:
            node = alias_node(scope, port.name.text, node)
            context.owned[node] = scope.number
        label(scope, node, port.type)
        scope.entries[port.name.text] = Entry(node, port.name.span)


def _kind(node: Node, expected: Type) -> str | None:
    """Return the remedy where numbers of classes are rows, or an input of another kind."""
    if expected.dtype == "int" and same_shape(node.shape[:-1], expected.shape):
        one = "without its last axis: `t[..., 0]`"
        many = "it takes class numbers: of one-hot rows `argmax(t, axis=-1)`"
        return one if node.shape[-1] == Dim.of(1) else many
    return None if expected.dtype == node.type.dtype else declared_so(node, expected.dtype)


def _explain(scope: Scope, wrong: Mistake, block: tree.Block, port: tree.Port) -> Mistake:
    """Return the mistake, noting which ports before it have bound the dims of this one."""
    told = wrong.diagnostic
    before = block.ports[: block.ports.index(port)]
    for axis in port.type.axes or ():
        binds = (one for one in before if binds_axis(one, axis))
        first = next(binds, None)
        if first is not None and isinstance(axis, tree.Name):
            size = scope.entries[axis.text].value
            told = told.with_note(f"`{axis.text}` is {size}: that of `{first.name.text}`")
    return Mistake(told)


def binds_axis(port: tree.Port, axis: tree.Expr | tree.Dots) -> bool:
    """True if a port binds the dim that is this axis of another."""
    names = [one.text for one in port.type.axes or () if isinstance(one, tree.Name)]
    return isinstance(axis, tree.Name) and axis.text in names


def is_compile_time(port: tree.Port) -> bool:
    """True if a port takes no tensor, but what is known when compiling."""
    kind = port.type.kind
    return kind is not None and kind.text in COMPILE_TIME and port.type.axes is None


def _differentiates(scope: Scope, block: tree.Block) -> bool:
    """True if a block states or takes derivatives, itself or by what it is given."""
    given = (entry.value for entry in scope.entries.values())
    if any(isinstance(value, Function) and value.name in DERIVATIVES for value in given):
        return True
    return takes_gradients(block.body) or any(isinstance(s, tree.Rule) for s in block.body)


def _bind_names(scope: Scope, block: tree.Block, port: tree.Port, found: Type, place: Span) -> None:
    """Bind `...` and the bare names of one port's type."""
    axes = list(port.type.axes or ())
    dots = [i for i, axis in enumerate(axes) if isinstance(axis, tree.Dots)]
    spare = found.rank - len(axes) + len(dots)
    if spare < 0 or (spare and not dots):
        raise mistake(
            "E301",
            f"{block.name.text} takes {port.name.text}: {type_text(port.type)}; found {found}",
            place,
        )
    shape = list(found.shape)
    if dots:
        leading = tuple(shape[dots[0] : dots[0] + spare])
        scope.entries.setdefault(DOTS, Entry(leading, port.span))
        axes[dots[0] : dots[0] + 1] = []
        shape[dots[0] : dots[0] + spare] = []
    for axis, size in zip(axes, shape, strict=True):
        if isinstance(axis, tree.Name) and axis.text not in scope.entries:
            scope.entries[axis.text] = Entry(size, axis.span, is_dim=True)


def check_results(context: Context, scope: Scope, block: tree.Block) -> tuple[Node, ...]:
    """Return the results of a block's body; each must be of the type that its port declares."""
    results = []
    for port in block.results:
        entry = scope.entries.get(port.name.text)
        if entry is None:
            raise mistake(
                "E213",
                f"block `{block.name.text}` does not define its result `{port.name.text}`",
                port.span,
            )
        if not isinstance(entry.value, Node):
            raise Silent
        check_type(context, scope, port.name, port.type, entry.value)
        results.append(entry.value)
    return tuple(results)


def check_type(
    context: Context, scope: Scope, name: tree.Ident, written: tree.TypeOf | None, node: Node
) -> None:
    """Check the type that the text asserts of a node."""
    if written is None:
        return
    declared = evaluate_type(context, scope, written)
    if declared.dtype != node.type.dtype:
        raise mistake(
            "E304",
            f"`{name.text}` is declared {declared} but is {node.type.beside(declared)}",
            name.span,
        )
    if not same_shape(declared.shape, node.shape):
        raise mistake(
            "E304",
            f"`{name.text}` is declared {declared} but has shape {shape_text(node.shape)}",
            name.span,
        )
