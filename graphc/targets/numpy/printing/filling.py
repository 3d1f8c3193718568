"""Nodes computed into arrays that are there: a call with a place for its result, or statements."""

from __future__ import annotations

from collections.abc import Callable

from graphc.ir.kernel import Arg, Call, Elementwise, Put, Reduce
from graphc.plan.buffers.kernels import REDUCTIONS, is_ufunc
from graphc.plan.program import Step
from graphc.targets.numpy.printing.kernels import along, together
from graphc.targets.numpy.printing.places import Args, written_into
from graphc.targets.numpy.printing.written import ATOM, with_spaces

BY_NAME = frozenset({"maximum", "minimum"})
"""Ufuncs of which NumPy wants the place of the result by its name."""


def call(step: Step, args: Args) -> Callable[[str], str] | None:
    """Return the call that fills an array, or makes one named ""; None for statements."""
    kernel, texts = step.node.op.kernel, [arg.text for arg in args]
    if step.way == "rows":
        return lambda out: f"_products({', '.join([*texts, out])})"
    if step.way == "head":
        return None
    match kernel:
        case Elementwise(name) if is_ufunc(kernel) and len(args) <= 2:
            operands = [
                args[one.slot].text if isinstance(one, Arg) else repr(one)
                for one in kernel.operands
            ] or texts
            if name == "negative":  # is wrong if elements lie 64 bytes apart, and out's not at once
                return _into("np.multiply", [*operands, "-1"])
            return _into(f"np.{name}", operands, "out=" if name in BY_NAME else "")
        case Reduce(name):
            ufunc = f"np.{REDUCTIONS[name]}.reduce"
            return lambda out: f"{ufunc}({', '.join([*texts, *along(kernel, step.node, out)])})"
        case Call("matmul"):
            plain = step.way != "strided" and all(arg.rank <= 2 for arg in step.node.args)
            return _into("np.dot" if plain else "np.matmul", texts)
        case Call("vecdot"):
            return _into("np.vecdot", texts)
        case Call("concatenate"):
            return _into("np.concatenate", [together(args), str(step.node.attrs["axis"])])
    return None


def _into(name: str, operands: list[str], keyword: str = "") -> Callable[[str], str]:
    return lambda out: f"{name}({', '.join([*operands, *([keyword + out] if out else [])])})"


def statements(step: Step, args: Args, out: str) -> list[str]:
    """Write the statements that fill an array of this name."""
    node, kernel = step.node, step.node.op.kernel
    if isinstance(kernel, Call) and kernel.name == "full":
        return [f"{out}.fill({with_spaces(node.attrs['value'])})"]
    first, *others = args
    if step.way == "head":  # the rest is there
        return [f"{out}[:1] = {first.text}"]
    match kernel:
        case Put():
            if step.way == "onto":
                start = f"{out} = {first.text}"
            else:
                start = f"np.copyto({out}, {first.text})" if kernel.onto else f"{out}.fill(0)"
            return [start, *written_into(kernel, node, args, out)]
        case Elementwise("kept"):
            bits = f"{first.within(ATOM)}.view(BITS)"
            return [f"np.multiply({bits}, {others[0].text}, {out}.view(BITS))"]
        case Elementwise("add") if others:
            sums = [f"np.add({out}, {one.text}, {out})" for one in others[1:]]
            return [f"np.add({first.text}, {others[0].text}, {out})", *sums]
    rounds = node.type.dtype == "int" and node.args[0].type.dtype == "float"
    return [f"np.copyto({out}, {first.text}{', casting=' + repr('unsafe') if rounds else ''})"]


def takes_none(step: Step) -> bool:
    """May the place of a call be None, so that NumPy makes an array, with the same bits?

    Where a reduction leaves several axes, their order in memory has a say in the order in which it
    adds.
    """
    return not isinstance(step.node.op.kernel, Reduce) or step.node.rank <= 1
