"""Numbers that loops and blocks compute with, as arrays of rank 0 that a module has ready.

A number of Python's costs NumPy more than such an array does, in every call of a ufunc.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from graphc.ir.graph import CONSTANT, Node
from graphc.ir.kernel import Elementwise
from graphc.ops.fused import limit
from graphc.plan.buffers.kernels import is_ufunc
from graphc.plan.program import Program, Step
from graphc.targets.numpy.printing.written import literal

RANGE = 1e30  # what float32 holds, and its inverse


def literals_of(step: Step) -> dict[Node, str]:
    """Return the numbers that ufuncs of a statement have as operands, each with its name."""
    kernel = step.node.op.kernel
    if not step.way or not (is_ufunc(kernel) or kernel == Elementwise("kept")):
        return {}
    return {arg: name for arg in step.node.args if (name := _name(arg))}


def _name(node: Node) -> str:
    """Name the array of a number: `_C_0_5` for 0.5; "" where it has none."""
    if node.op is limit:
        return f"_C_{node.attrs['name']}"
    if node.op is not CONSTANT or node.rank or node.type.dtype != "float":
        return ""
    size = abs(node.value)
    if size and not 1 / RANGE < size < RANGE:
        return ""
    return "_C_" + literal(node.value).replace("-", "m").replace("+", "").replace(".", "_")


def definitions(programs: Iterable[Program]) -> dict[str, str]:
    """Write the statements that make them, by name: for all loops and blocks of programs."""
    found = {
        name: f"{name} = np.asarray({_value(node)}, FLOAT)"
        for step in _inside(programs)
        for node, name in literals_of(step).items()
    }
    return dict(sorted(found.items()))


def _value(node: Node) -> str:
    return str(node.attrs["name"]) if node.op is limit else literal(node.value)


def _inside(programs: Iterable[Program]) -> Iterator[Step]:
    for program in programs:
        for outer in program.steps:
            if not isinstance(outer, Step):
                yield from (step for step in outer.body.steps if isinstance(step, Step))
