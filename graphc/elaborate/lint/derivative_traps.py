"""Derivative traps: values without a usable derivative, and axes paired by accident."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from graphc.elaborate.names.scope import Context
from graphc.ir.graph import DIM, SOURCES, Node
from graphc.ir.loop import BOUND, LOOP, RESULT, RULED, STEPS, everywhere, loop_arguments, loop_of
from graphc.ir.types import is_one, same
from graphc.records import dataclass
from graphc.source import Diagnostic, error

COMPARISONS = {"==", "!=", "<", "<=", ">", ">=", "isnan", "isinf", "isfinite"}
LOGARITHMS = {"log", "log2", "log10"}
ROOTS = {"sqrt", "cbrt"}
SAFE_ARGUMENT = {"arcsin": 0, "arccos": 0, "arctanh": 0, "arccosh": 2, "log1p": 0}
"""A number at which an operation that is not defined everywhere is smooth; else that is 1."""

CARRIED = {
    "+", "-", "*", "/", "**", "negative", "abs", "sqrt", "cbrt", "log", "log1p", "sum", "mean",
    "euclidean_norm", "expand", "reshape", "permute", "broadcast_to", "index", "id", "permuted",
}  # fmt: skip
"""Operations through which a number that is not safe reaches an operand."""

MOVED = {"expand", "reshape", "permute", "broadcast_to", "index", "id"}
SIMPLE = MOVED | {"+", "-", "*", "/", "**", "negative", "abs"}
"""What a condition may do to a value first, as in abs(x) < 1."""

LONGEST = 40
MANY = 200
"""No more nodes are looked at for one `where`."""


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """Of each node the sign that its form gives it, and which nodes are no constants."""

    signs: Mapping[Node, int]
    changing: set[Node]


def find_traps(context: Context) -> Iterator[Diagnostic]:
    """Yield a warning for each trap, once for each place in the text."""
    outputs = [d.node for d in context.outputs.values()]
    names = {**_elements(outputs, context.names), **context.names}
    facts = NodeFacts(_signs(outputs), _changing(outputs))
    seen: set[tuple[object, str]] = set()
    for node in _differentiable_nodes(outputs):
        for found in (
            _warn_of_where(node, names, facts),
            _warn_of_zero(node, names, facts),
            _warn_of_axes(node, names, facts),
        ):
            if found is not None and (found.span, found.message) not in seen:
                seen.add((found.span, found.message))
                yield found


def _elements(outputs: list[Node], names: Mapping[Node, str]) -> dict[Node, str]:
    """Name what a loop reads by position as it may have been written."""
    found: dict[Node, str] = {}
    for node in everywhere(outputs):
        if node.op is LOOP:
            loop = loop_of(node)
            _, sources, _ = loop_arguments(node)
            for element, source in zip(loop.elements, sources, strict=True):
                of = source.attrs.get("name") or names.get(source) or found.get(source)
                if of is not None:
                    found[element.node] = f"{of}[{':, ' * element.axis}{loop.index}]"
    return found


def _differentiable_nodes(outputs: list[Node]) -> list[Node]:
    """List the nodes that cotangents may reach, by index; also inside loops."""
    seen: set[Node] = set()
    pending = [node for node in outputs if node.type.dtype == "float"]
    while pending:
        node = pending.pop()
        if node in seen or node.type.dtype != "float":
            continue
        seen.add(node)
        if node.op is RULED:
            pending += node.args[1:]
        elif node.op.name != "stop":
            pending += node.args
        if node.op is LOOP:
            loop = loop_of(node)
            pending += loop.roots
    return sorted(seen, key=lambda node: node.index)


# ---- where -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Unsafe:
    """An operation that is not smooth everywhere, and its operand that must not be anything."""

    node: Node
    operand: Node
    safe: int


def _warn_of_where(node: Node, names: Mapping[Node, str], facts: NodeFacts) -> Diagnostic | None:
    """Warn of a branch of `where` whose derivative is not finite where not chosen (W710)."""
    if node.op.name != "where":
        return None
    condition, *branches = node.args
    compared = _compared_values(condition, facts)
    for slot, branch in enumerate(branches):
        for found in _unsafe_below(branch, compared, facts):
            guard = _text(condition, names)
            inner = _text(found.operand, names)
            chosen = f"{inner}, {found.safe}" if slot == 0 else f"{found.safe}, {inner}"
            when = "false" if slot == 0 else "true"
            safe = _with_operand(found, f"where({guard}, {chosen})", names)
            return _warning(
                "W710",
                f"`where` does not protect the derivative of `{_text(found.node, names)}`:"
                f" it counts, times 0, where `{guard}` is {when}",
                node,
                f"choose its operand first: `{safe}`",
            )
    return None


def _compared_values(condition: Node, facts: NodeFacts) -> set[Node]:
    """Collect the values that a condition compares, and what they are made from one by one."""
    found: set[Node] = set()
    pending = [condition]
    while pending:
        node = pending.pop()
        if node.type.dtype == "bool" and node.op.name not in COMPARISONS:
            pending += node.args
        elif node.op.name in COMPARISONS:
            for arg in node.args:
                while arg.type.dtype == "float" and arg in facts.changing:
                    found.add(arg)
                    changing = [one for one in arg.args if one in facts.changing]
                    if arg.op.name not in SIMPLE or len(changing) != 1:
                        break
                    arg = changing[0]
    return found


def _unsafe_below(branch: Node, compared: set[Node], facts: NodeFacts) -> Iterator[Unsafe]:
    """Yield the operations of a branch that are not smooth for all values compared."""
    seen: set[Node] = set()
    pending = [branch]
    while pending and len(seen) < MANY:
        node = pending.pop()
        if node in seen or node in compared or node.op.name == "stop":
            continue
        seen.add(node)
        unsafe = _unsafe(node)
        if unsafe is not None and _is_exposed(unsafe.operand, compared, facts):
            yield unsafe
        pending += node.args


def _unsafe(node: Node) -> Unsafe | None:
    name = node.op.name
    if name in LOGARITHMS | ROOTS and not (name == "sqrt" and _is_square_sum(node.args[0])):
        return Unsafe(node, node.args[0], 1)
    if name in SAFE_ARGUMENT:
        return Unsafe(node, node.args[0], SAFE_ARGUMENT[name])
    if name == "/" and node.args[1].value is None and node.args[1].op is not DIM:
        return Unsafe(node, node.args[1], 1)
    if name == "**":
        power = node.args[1].value
        if not isinstance(power, int | float) or power < 1:
            return Unsafe(node, node.args[0], 1)
    return None


def _is_exposed(operand: Node, compared: set[Node], facts: NodeFacts) -> bool:
    """True if a compared value reaches the operand unguarded."""
    seen: set[Node] = set()
    pending = [operand]
    while pending and len(seen) < MANY:
        node = pending.pop()
        if node in seen or facts.signs.get(node) == ABOVE_0:
            continue
        seen.add(node)
        if node in compared:
            return True
        if node.op.name in CARRIED:
            pending += node.args
    return False


# ---- zeros -----------------------------------------------------------------------------------


UNKNOWN, AT_LEAST_0, ABOVE_0 = range(3)


def _changing(outputs: list[Node]) -> set[Node]:
    """Collect the nodes that depend on an input, a parameter, or the step of a loop."""
    found: set[Node] = set()
    for node in everywhere(outputs):
        if node.op in (*SOURCES, BOUND) or not found.isdisjoint(node.args):
            found.add(node)
        if node.op is LOOP:
            found.update(loop_of(node).bound)
    return found


def _signs(outputs: list[Node]) -> dict[Node, int]:
    """Infer the sign of each node from its form: above 0, at least 0, or unknown.

    An element of a loop is as its source, what is collected as its item, and what a loop ends with
    as the weaker of its start and what a step makes of it.
    """
    signs: dict[Node, int] = {}

    def sign(node: Node) -> int:
        if node not in signs:  # a number, which is written where a step reads it
            signs[node] = _sign(node, [sign(arg) for arg in node.args])
        return signs[node]

    for node in everywhere(outputs):
        if node.op is LOOP:
            loop = loop_of(node)
            _, sources, _ = loop_arguments(node)
            signs.update(dict.fromkeys(loop.carried, UNKNOWN))
            for element, source in zip(loop.elements, sources, strict=True):
                signs[element.node] = sign(source)
        if node.op is RESULT and node.attrs["number"] != STEPS:
            loop, number = loop_of(node.args[0]), node.attrs["number"]
            starts, _, _ = loop_arguments(node.args[0])
            signs[node] = min(sign(one) for one in (loop.results[number], *starts[number:][:1]))
        else:
            signs[node] = sign(node)
    return signs


def _sign(node: Node, args: list[int]) -> int:
    name = node.op.name
    if node.value is not None:
        value = node.value if isinstance(node.value, int | float) else -1
        return ABOVE_0 if value > 0 else AT_LEAST_0 if value == 0 else UNKNOWN
    if name in ("exp", "exp2", "cosh", "dim"):
        return ABOVE_0
    if name in ("abs", "relu", "euclidean_norm", "variance", "deviation") or _is_square(node):
        return AT_LEAST_0
    if name == "**":
        even = isinstance(node.args[1].value, int | float) and node.args[1].value in (4, 6, 8)
        return AT_LEAST_0 if even else UNKNOWN
    if name in ("+", "accumulate"):
        return max(args) if min(args) else UNKNOWN
    if name in ("*", "/"):
        return min(args)
    if name == "maximum":
        return max(args)
    return args[0] if args and (name in MOVED or name in ("sqrt", "sum", "mean")) else UNKNOWN


def _warn_of_zero(node: Node, names: Mapping[Node, str], facts: NodeFacts) -> Diagnostic | None:
    """Warn of a root or a logarithm of what can be 0 (W711)."""
    name = node.op.name
    power = node.args[1].value if name == "**" else None
    is_root = name == "sqrt" or (isinstance(power, float) and 0 < power < 1)
    if not (is_root or name in LOGARITHMS) or facts.signs.get(node.args[0]) != AT_LEAST_0:
        return None
    operand = node.args[0]
    if name == "sqrt" and _is_square_sum(operand):  # compiled as `norm`
        return None
    shown = _text(operand, names)
    shifted = _with_operand(Unsafe(node, operand, 1), f"{shown} + 1e-12", names)
    small = f"add a small number: `{shifted}`"
    help = small
    if is_root and operand.op.name == "variance":
        help = f"`std` has the derivative 0 there; or {small}"
    elif is_root and operand.op.name in ("sum", "mean", "+") and _has_square(operand):
        help = f"`norm` has the derivative 0 there; or {small}"
    what = "derivative there is infinite" if is_root else "value there is -inf"
    return _warning("W711", f"`{shown}` can be 0: the {what} in `{name}`", node, help)


def _is_square_sum(node: Node) -> bool:
    return node.op.name == "sum" and _is_square(node.args[0])


def _has_square(node: Node) -> bool:
    return any(_is_square(arg) for arg in node.args)


def _is_square(node: Node) -> bool:
    if node.op.name == "*":
        return node.args[0] is node.args[1]
    return node.op.name == "**" and node.args[1].value == 2


# ---- broadcasting ----------------------------------------------------------------------------


def _warn_of_axes(node: Node, names: Mapping[Node, str], facts: NodeFacts) -> Diagnostic | None:
    """Warn of [B] with […, B, B], where the axis that it goes along is any of two (W712)."""
    if node.op.structure != "elementwise" or len(node.args) < 2:
        return None
    for narrow in node.args:
        if narrow.rank != 1 or is_one(narrow.shape[0]) or narrow.shape[0].constant is not None:
            continue
        for wide in node.args:
            if wide.rank < 2 or narrow not in facts.changing:
                continue
            alike = [axis for axis in wide.shape if same(axis, narrow.shape[0])]
            if len(alike) > 1 and same(wide.shape[-1], narrow.shape[0]):
                shown, size = _text(narrow, names), narrow.shape[0]
                return _warning(
                    "W712",
                    f"`{shown}` of {narrow.type} goes along the last axis of"
                    f" `{_text(wide, names)}` of {wide.type}, which has {len(alike)} axes {size}",
                    node,
                    f"say which: `({shown})[_, :]` or `({shown})[:, _]`"
                    if " " in shown
                    else f"say which: `{shown}[_, :]` or `{shown}[:, _]`",
                )
    return None


# ---- words -----------------------------------------------------------------------------------


def _warning(code: str, message: str, node: Node, help: str) -> Diagnostic:
    origin = node.origin
    notes = []
    if origin is not None and origin.used is not None:
        notes.append(f"in a block, used at {origin.outermost}")
    return error(code, message, origin.span if origin else None, help=help, notes=notes)


INFIX = {"+", "-", "*", "/", "**", *COMPARISONS, "and", "or"}
CALLED = {"euclidean_norm": "norm", "variance": "var", "deviation": "std"}


def _text(node: Node, names: Mapping[Node, str], depth: int = 4) -> str:
    """Write an expression as it may have been written, or … where that is long."""
    written = _expression(node, names, depth)
    return written if len(written) <= LONGEST else "…"


def _expression(node: Node, names: Mapping[Node, str], depth: int) -> str:
    if node in names:
        return names[node]
    if node.value is not None:
        return f"{node.value:g}" if isinstance(node.value, float) else str(node.value)
    if not node.args or not depth:
        return str(node.attrs.get("name", node.attrs.get("value", "…")))
    parts = [_expression(arg, names, depth - 1) for arg in node.args]
    name = node.op.name
    if name in INFIX and len(parts) == 2:
        grouped = [f"({part})" if " " in part and part[0] != "(" else part for part in parts]
        return f" {name} ".join(grouped) if name != "**" else name.join(grouped)
    if name in MOVED:
        return parts[0]
    axes = node.attrs.get("axis")
    axis = f", axis={axes[0]}" if isinstance(axes, tuple) and len(axes) == 1 else ""
    return f"{CALLED.get(name, name)}({', '.join(parts)}{axis})"


def _with_operand(found: Unsafe, operand: str, names: Mapping[Node, str]) -> str:
    """Write the unsafe operation with another operand."""
    name = found.node.op.name
    if name == "/":
        return f"{_text(found.node.args[0], names)} / {operand}"
    if name == "**":
        return f"({operand})**{_text(found.node.args[1], names)}"
    return f"{name}({operand})"
