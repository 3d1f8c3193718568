"""Nodes -> the Python expressions and statements that compute them, as text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from graphc.ir.graph import CONSTANT, DIM, Node
from graphc.ir.kernel import Elementwise, Put
from graphc.ops.elementwise.arithmetic import LONGEST_SUM
from graphc.plan.program import Step
from graphc.targets.numpy.printing import filling
from graphc.targets.numpy.printing.kernels import calls_numpy, together, write_kernel
from graphc.targets.numpy.printing.places import MEASURED, WRITTEN, filled, name_storage
from graphc.targets.numpy.printing.written import (
    DTYPES,
    SUM,
    Fragment,
    constant,
    literal,
    number,
    show,
    size,
    with_spaces,
)

NO_NUMBERS: Mapping[Node, str] = {}


def length(node: Node) -> int | None:
    """Measure an expression without its arguments; None where it takes statements."""
    if node.op.kernel is None:
        return 0
    places = [Fragment(f"{{{slot}}}") for slot in range(len(node.args))]
    found = write_kernel(node, places, MEASURED)
    return None if found is None else len(found.text)


def statements(target: str, node: Node, variables: Mapping[Node, str]) -> list[str]:
    """Write the lines that give `target` the value of a node."""
    known = _filled(node, variables)
    if known is not None:
        return [f"{target} = {known.text}"]
    args, kernel = _arguments(node, variables), node.op.kernel
    if isinstance(kernel, Put):
        return filled(kernel, node, args, target)
    if isinstance(kernel, Elementwise):
        return _summed(target, args)
    value, *operands = args
    said = f"{value.text}, {with_spaces(node.attrs['number'])}, {together(operands)}"
    return [f"{target} = _watched({said}, {with_spaces(node.attrs['steps'])})"]


def _summed(target: str, terms: Sequence[Fragment]) -> list[str]:
    """Very many terms with `+` between them, in groups, each a statement."""
    texts = [term.within(SUM + bool(number)) for number, term in enumerate(terms)]
    sums = (" + ".join(texts[n : n + LONGEST_SUM]) for n in range(0, len(texts), LONGEST_SUM))
    return [
        f"{target} = {target} + {one}" if number else f"{target} = {one}"
        for number, one in enumerate(sums)
    ]


def computed(
    step: Step, variables: Mapping[Node, str], numbers: Mapping[Node, str] = NO_NUMBERS
) -> list[str]:
    """Write the lines of a step: its node by itself, or into the place that it has.

    Operands that are `numbers` have names there.
    """
    target, node = step.target, step.node
    if not step.way:
        return statements(target, node, variables)
    args = _arguments(node, variables)
    args = [
        Fragment(numbers[arg]) if arg in numbers else one
        for arg, one in zip(node.args, args, strict=True)
    ]
    place = "" if step.out is None else name_storage(step.out)
    call = filling.call(step, args)
    if call is not None and (not step.given or filling.takes_none(step)):
        text = call(step.given or place)
        return [f"{target} = {text}"] if target else [text]  # a call's value is its array
    place = place or f"np.empty({show(node.shape)}, {DTYPES[node.type.dtype]})"
    if step.given:
        place = f"{place} if {step.given} is None else {step.given}"
    out = target or place
    lines = filling.statements(step, args, out) if call is None else [call(out)]
    return lines if out == place or step.way == "onto" else [f"{out} = {place}", *lines]


def expression(node: Node, variables: Mapping[Node, str]) -> str:
    """Write a node: its variable, or its kernel around its arguments."""
    return operand(node, variables).text


def operand(node: Node, variables: Mapping[Node, str]) -> Fragment:
    """Write the same, with how tight it binds."""
    if node in variables:
        return Fragment(variables[node])
    found = _filled(node, variables)
    assert found is not None, node
    return found


def _filled(node: Node, variables: Mapping[Node, str]) -> Fragment | None:
    """Write the kernel of a node around its arguments; None where it takes statements."""
    if node.op is CONSTANT:
        return _constant(node)
    if node.op is DIM:
        return size(node.attrs["value"])
    return write_kernel(node, _arguments(node, variables), WRITTEN)


def _constant(node: Node) -> Fragment:
    text = constant(node.value)
    if isinstance(node.value, tuple):
        return Fragment(f"np.array({text}, {DTYPES[node.type.dtype]})")
    return number(text)


def _float(node: Node) -> Fragment:
    """Write a constant as a float of Python, which is faster than a whole number."""
    return number(repr(node.value) if math.isfinite(node.value) else literal(node.value))


def _arguments(node: Node, variables: Mapping[Node, str]) -> list[Fragment]:
    """Write the arguments of a node as its kernel takes them."""
    arguments = [
        _float(arg) if node.op.numbers and isinstance(arg.value, float) else operand(arg, variables)
        for arg in node.args
    ]
    typed = typed_argument(node)
    if typed is not None:
        given = node if node.type.dtype == "float" else node.args[typed]
        arguments[typed] = Fragment(f"{DTYPES[given.type.dtype]}({arguments[typed].text})")
    return arguments


def typed_argument(node: Node) -> int | None:
    """Return the argument that gets a dtype of NumPy, as the operation would be Python's.

    Where all floats are Python's the result would not have the module's dtype, and an operator
    between Python's numbers makes one of them: `~True` is -2, and `True` has no `astype`.
    """
    if node.static or node.op.numbers:
        return None
    kernel = node.op.kernel
    if isinstance(kernel, Elementwise) and kernel.name == "clip" and node.args[0].static:
        return 0  # NumPy takes its dtype, whatever the bounds are
    if node.type.dtype == "float":
        typed = any(arg.type.dtype == "float" and not arg.static for arg in node.args)
    else:
        typed = calls_numpy(kernel) or not all(arg.static for arg in node.args)
    slots = [slot for slot, arg in enumerate(node.args) if arg.static]
    if typed or not slots:
        return None
    if not isinstance(kernel, Elementwise):  # where an index is no part of the value
        slots = [s for s in slots if node.args[s].type.dtype == node.type.dtype] or slots
    return slots[-1]
