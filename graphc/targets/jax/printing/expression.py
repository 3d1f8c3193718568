"""Nodes -> the expressions and statements of JAX that compute them, as text."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from graphc.ir.dims import Dim
from graphc.ir.graph import CONSTANT, DIM, Node, arguments_first
from graphc.ir.kernel import Elementwise
from graphc.ops.elementwise.arithmetic import LONGEST_SUM
from graphc.records import dataclass
from graphc.source import GraphError, error
from graphc.targets.jax.printing.kernels import (
    DTYPES,
    MEASURED,
    WRITTEN,
    at_step,
    has_form,
    write_kernel,
)
from graphc.targets.numpy.printing.expression import typed_argument
from graphc.targets.numpy.printing.written import SUM, Fragment, constant, number, size


def length(node: Node) -> int | None:
    """Measure an expression without its arguments; None where it takes statements."""
    if node.op.kernel is None or not has_form(node.op.kernel):
        return 0
    if _is_long(node):
        return None
    places = [Fragment(f"{{{slot}}}") for slot in range(len(node.args))]
    return len(write_kernel(node, places, MEASURED).text)


def _is_long(node: Node) -> bool:
    return node.op.kernel == Elementwise("add") and len(node.args) > LONGEST_SUM


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes nodes by the variables that there are, inside loops of these indices.

    An index is traced: it is known when a step runs, and no size depends on it.
    """

    variables: Mapping[Node, str]
    traced: Collection[str] = frozenset()

    def operand(self, node: Node) -> Fragment:
        """Write a node, its variable or its kernel around its arguments, and how tight it binds."""
        name = self.variables.get(node)
        return self.computed(node) if name is None else Fragment(name)

    def computed(self, node: Node) -> Fragment:
        """Write the kernel of a node around its arguments."""
        if node.op is CONSTANT:
            return _constant(node)
        if node.op is DIM:
            return size(node.attrs["value"])
        args = self._arguments(node)
        moved = at_step(node, args, self._moves) if self.traced else None
        if moved is not None:
            return moved
        if node.static and self.traced and _is_maximum(node) and self._is_traced(node):
            args = [args[0], *(args[1:] or [Fragment("1")])]
            return Fragment(f"jnp.maximum({', '.join(one.text for one in args)})")
        if not has_form(node.op.kernel):
            raise refusal(node)
        return write_kernel(node, args, WRITTEN)

    def expression(self, node: Node) -> str:
        """Write a node as text."""
        return self.operand(node).text

    def array(self, node: Node) -> str:
        """Write a node as an array of JAX, where it would be a number of Python's."""
        text = self.expression(node)
        return typed(text, node) if node.static and node not in self.variables else text

    def statements(self, target: str, node: Node) -> list[str]:
        """Write the lines that give `target` the value of a node."""
        if _is_long(node):
            return _summed(target, self._arguments(node))
        text = self.computed(node).text
        return [f"{target} = {typed(text, node) if node.static else text}"]

    def _arguments(self, node: Node) -> list[Fragment]:
        arguments = [self.operand(arg) for arg in node.args]
        slot = typed_argument(node)
        if slot is not None:
            given = node if node.type.dtype == "float" else node.args[slot]
            arguments[slot] = Fragment(typed(arguments[slot].text, given))
        return arguments

    def _moves(self, dim: Dim) -> bool:
        return not dim.symbols.isdisjoint(self.traced)

    def _is_traced(self, node: Node) -> bool:
        below = (one for one in arguments_first([node]) if one.op is DIM)
        return any(self._moves(one.attrs["value"]) for one in below)


def _is_maximum(node: Node) -> bool:
    return isinstance(node.op.kernel, Elementwise) and node.op.kernel.name == "maximum"


def typed(text: str, node: Node) -> str:
    """Write a number with the dtype of a node."""
    if node.type.dtype == "float":
        return f"FLOAT({text})"
    return f"jnp.asarray({text}, {DTYPES[node.type.dtype]})"


def _constant(node: Node) -> Fragment:
    text = constant(node.value).replace("np.", "jnp.")  # infinities, and nan
    if isinstance(node.value, tuple):
        return Fragment(f"jnp.array({text}, {DTYPES[node.type.dtype]})")
    return number(text)


def _summed(target: str, terms: Sequence[Fragment]) -> list[str]:
    """Very many terms with `+` between them, in groups, each a statement."""
    texts = [term.within(SUM + bool(place)) for place, term in enumerate(terms)]
    sums = (" + ".join(texts[n : n + LONGEST_SUM]) for n in range(0, len(texts), LONGEST_SUM))
    return [
        f"{target} = {target} + {one}" if place else f"{target} = {one}"
        for place, one in enumerate(sums)
    ]


def refusal(node: Node) -> GraphError:
    """Return the error for an operation that has no form in JAX."""
    origin = node.origin
    message = f"`{node.op.name}` has no form in JAX: the NumPy target has it"
    return GraphError([error("E430", message, None if origin is None else origin.outermost)])
