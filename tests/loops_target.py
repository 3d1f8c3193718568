"""A second target, in outline: plain loops over flat lists, as C has them, in Python without NumPy.

It is made of the records alone: an element of a node is an expression of elements of its arguments,
a place is a function from where an element is in a part to where it is in the whole. A view is read
by that function, what is taken too, and what is put is written by it: operations and their
transposes come of one table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from graphc.compile.options import TARGETS
from graphc.ir.dims import Dim
from graphc.ir.graph import CONSTANT, DIM, SOURCES, Node
from graphc.ir.kernel import Attr, Call, Elementwise, Put, Reduce, Running, Take, View
from graphc.ir.types import Shape, is_one, product
from graphc.plan.module import Compiled
from graphc.plan.program import Program, Step
from graphc.targets.target import Target, as_it_is

Index = tuple[str, ...]
"""Where an element is: an expression for each axis."""

FUNCTIONS = {
    "add": "({} + {})", "subtract": "({} - {})", "multiply": "({} * {})", "divide": "({} / {})",
    "power": "({} ** {})", "negative": "(-{})", "equal": "({} == {})", "not_equal": "({} != {})",
    "less": "({} < {})", "greater": "({} > {})", "greater_equal": "({} >= {})",
    "less_equal": "({} <= {})", "logical_and": "({} and {})", "logical_not": "(not {})",
    "where": "({1} if {0} else {2})", "maximum": "max({}, {})", "minimum": "min({}, {})",
    "square": "({0} * {0})", "kept": "({0} if {1} else 0.0)", "abs": "abs({})",
    "cast": "({} + 0.0)", "sign": "(({0} > 0) - ({0} < 0))", "rint": "round({})",
    "remainder": "({} % {})", "log1p": "math.log1p({})", "arctan2": "math.atan2({}, {})",
    **{name: f"math.{name}({{}})" for name in
       ("exp", "log", "sqrt", "sin", "cos", "tanh", "erf", "isfinite", "expm1")},
}  # fmt: skip
STARTS = {"sum": "0.0", "mean": "0.0", "prod": "1.0", "max": "-math.inf", "min": "math.inf"}
LIMITS = {"LARGEST": "1.7976931348623157e308", "EXPONENT": "709.0", "TINY": "1e-290"}
STEPS = {"sum": "{} + {}", "mean": "{} + {}", "prod": "{} * {}", "max": "max({}, {})",
         "min": "min({}, {})"}  # fmt: skip


# ---- places --------------------------------------------------------------------------------------


class Part(NamedTuple):
    """A node that reads a part of an array, or writes it; `indices` are elements of its indices."""

    node: Node
    whole: Shape
    part: Shape
    indices: Sequence[Callable[[Index], str]]


def offset(index: Index, shape: Shape) -> str:
    """Where an element lies, row by row."""
    strides = (product(shape[axis + 1 :]) for axis in range(len(shape)))
    terms = [
        one if stride.constant == 1 else f"{one}*({stride})"
        for one, stride in zip(index, strides, strict=True)
        if one != "0"
    ]
    return " + ".join(terms) or "0"


def reshaped(part: Part, at: Index) -> Index:
    lies = f"({offset(at, part.part)})"
    return tuple(
        f"({lies} // ({product(part.whole[axis + 1 :])}) % ({n}))"
        for axis, n in enumerate(part.whole)
    )


def items(part: Part, at: Index) -> Index:
    rest, found = iter(at), []
    for kind, value in part.node.attrs["items"]:
        start, _, step = (value, 0, 0) if kind == "at" else value
        found.append(f"({start})" if kind == "at" else f"(({start}) + {step}*({next(rest)}))")
    return tuple(found)


def permuted(part: Part, at: Index) -> Index:
    axes = part.node.attrs["axes"]
    return tuple(at[axes.index(axis)] for axis in range(len(axes)))


def diagonal(part: Part, at: Index) -> Index:
    down, right = max(-part.node.attrs["offset"], 0), max(part.node.attrs["offset"], 0)
    return (*at[:-1], f"({at[-1]} + {down})", f"({at[-1]} + {right})")


def windows(part: Part, at: Index) -> Index:
    stride, dilation = part.node.attrs["stride"], part.node.attrs["dilation"]
    rank = len(stride)
    counted, inside = at[-2 * rank : -rank], at[-rank:]
    steps = zip(counted, stride, inside, dilation, strict=True)
    return (*at[: -2 * rank], *(f"({n}*({s}) + {k}*({d}))" for n, s, k, d in steps))


def along_axis(part: Part, at: Index) -> Index:
    axis, (name,) = part.node.attrs["axis"], part.indices
    rank = len(part.part) - len(part.whole) + 1
    return (*at[:axis], name(at[axis : axis + rank]), *at[axis + rank :])


PLACES: Mapping[str, Callable[[Part, Index], Index]] = {
    "same": lambda part, at: at,
    "rows": lambda part, at: at,
    "permuted": permuted,
    "expanded": lambda part, at: tuple(
        one for axis, one in enumerate(at) if axis not in part.node.attrs["axes"]
    ),
    "reshaped": reshaped,
    "repeated": lambda part, at: stretched(at, part.whole),
    "items": items,
    "diagonal": diagonal,
    "windows": windows,
    "label": lambda part, at: (*at, part.indices[0](at)),
    "entries": lambda part, at: (part.indices[0](at), part.indices[1](at)),
    "axis": along_axis,
}


def stretched(at: Index, shape: Shape) -> Index:
    """Where an operand of this shape is read, which broadcasts."""
    own = at[len(at) - len(shape) :]
    return tuple("0" if is_one(n) else one for one, n in zip(own, shape, strict=True))


# ---- elements, and the loops that compute them ---------------------------------------------------


class Loops:
    """The lines of one function; it counts its loops."""

    def __init__(self, program: Program) -> None:
        self.program, self.depth, self.count = program, 1, 0
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append("    " * self.depth + line)

    @contextmanager
    def over(self, shape: Shape) -> Iterator[Index]:
        """Inside, the lines stand in a loop over each axis."""
        index = tuple(f"i{self.count + axis}" for axis in range(len(shape)))
        self.count += len(shape)
        for one, n in zip(index, shape, strict=True):
            self.say(f"for {one} in range({n}):")
            self.depth += 1
        yield index
        self.depth -= len(shape)

    def element(self, node: Node, at: Index) -> str:
        """An element of a node: of a variable, or computed where it is read."""
        if node in self.program.variables:
            name = self.program.variables[node]
            return f"{name}[{offset(at, node.shape)}]" if node.rank else name
        return self.computed(node, at)

    def computed(self, node: Node, at: Index) -> str:
        """An element of a node, from elements of its arguments."""
        if node.op is CONSTANT:
            return repr(node.value) + "".join(f"[{one}]" for one in at)
        if node.op is DIM:
            return f"({node.attrs['value']})"
        kernel = node.op.kernel
        if isinstance(kernel, View | Take):
            whole, *indices = node.args
            part = self.part(node, whole.shape, node.shape, indices)
            return self.element(whole, PLACES[kernel.place](part, at))
        match kernel:
            case Call("full"):
                return repr(node.attrs["value"])
            case Call("arange"):
                return at[0]
            case Call("limit"):
                return LIMITS[node.attrs["name"]]
            case Call("outer"):
                return (
                    f"({self.element(node.args[0], at[:1])} * {self.element(node.args[1], at[1:])})"
                )
        assert isinstance(kernel, Elementwise), (node.op, kernel)
        return self.function(kernel, node, at)

    def function(self, kernel: Elementwise, node: Node, at: Index) -> str:
        args = [self.element(arg, stretched(at, arg.shape)) for arg in node.args]
        operands = [
            self.function(one, node, at)
            if isinstance(one, Elementwise)
            else str(node.attrs[one.name])
            if isinstance(one, Attr)
            else repr(one)
            if isinstance(one, int | float)
            else args[one.slot]
            for one in kernel.operands
        ] or args
        found = operands[0]
        if kernel.name == "add":
            return f"({' + '.join(operands)})"
        return FUNCTIONS[kernel.name].format(found, *operands[1:])

    def part(self, node: Node, whole: Shape, part: Shape, indices: Sequence[Node]) -> Part:
        named = [lambda at, one=one: self.element(one, at) for one in indices]
        return Part(node, whole, part, named)

    def statement(self, target: str, node: Node) -> None:
        """The loops that compute a node under a name."""
        kernel = node.op.kernel
        made = "0.0" if not node.rank else f"[0.0] * ({product(node.shape)})"
        if isinstance(kernel, Reduce):
            self.reduction(target, kernel, node)
        elif isinstance(kernel, Put):
            self.say(f"{target} = {made}")
            value, *indices = node.args
            if kernel.onto:
                with self.over(node.shape) as at:
                    self.say(f"{target}[{offset(at, node.shape)}] = {self.element(value, at)}")
                *indices, value = indices
            shape = indices[0].shape if kernel.place in ("label", "entries") else value.shape
            part = self.part(node, node.shape, shape, indices)
            with self.over(shape) as at:
                where = offset(PLACES[kernel.place](part, at), node.shape)
                sign = "+=" if kernel.add else "="
                put = self.element(value, stretched(at, value.shape))
                self.say(f"{target}[{where}] {sign} {put}")
        elif isinstance(kernel, Running):
            self.say(f"{target} = {made}")
            axis = node.attrs["axis"]
            with self.over(node.shape) as at:
                before = (*at[:axis], f"({at[axis]} - 1)", *at[axis + 1 :])
                total = FUNCTIONS[kernel.name].format(
                    f"{target}[{offset(before, node.shape)}]", self.element(node.args[0], at)
                )
                first = self.element(node.args[0], at)
                self.say(f"{target}[{offset(at, node.shape)}] = {total} if {at[axis]} else {first}")
        elif isinstance(kernel, Call) and kernel.name == "matmul":
            self.product(target, node)
        elif isinstance(kernel, Call) and kernel.name == "concatenate":
            self.joined(target, node)
        elif node.rank:
            self.say(f"{target} = {made}")
            with self.over(node.shape) as at:
                self.say(f"{target}[{offset(at, node.shape)}] = {self.computed(node, at)}")
        else:
            self.say(f"{target} = {self.computed(node, ())}")

    def reduction(self, target: str, kernel: Reduce, node: Node) -> None:
        (x,) = node.args
        axis = node.attrs["axis"]
        gone = {n % x.rank for n in axis} if axis is not None else {*range(x.rank)}
        kept = product([n for i, n in enumerate(x.shape) if i not in gone])
        start = "-" + LIMITS["LARGEST"] if kernel.initial == "lowest" else STARTS[kernel.name]
        self.say(f"{target} = [{start}] * ({kept})")
        with self.over(x.shape) as at:
            shape = tuple(Dim.of(1) if i in gone else n for i, n in enumerate(x.shape))
            place = f"{target}[{offset(stretched(at, shape), shape)}]"
            self.say(f"{place} = " + STEPS[kernel.name].format(place, self.element(x, at)))
        if kernel.name == "mean":
            count = product([n for i, n in enumerate(x.shape) if i in gone])
            self.say(f"{target} = [one / ({count}) for one in {target}]")
        if not node.rank:
            self.say(f"({target},) = {target}")

    def product(self, target: str, node: Node) -> None:
        """Σ over the last axis of the left and the second-last of the right."""
        x, y = node.args
        self.say(f"{target} = [0.0] * ({product(node.shape)})")
        with self.over((*node.shape, x.shape[-1])) as (*at, k):
            rows, columns = x.rank > 1, y.rank > 1
            batch = tuple(at[: len(at) - rows - columns])
            row = tuple(at[len(batch) : len(batch) + rows])
            left = self.element(x, (*stretched(batch, x.shape[:-2]), *row, k))
            column = (k, at[-1]) if columns else (k,)
            right = self.element(y, (*stretched(batch, y.shape[:-2]), *column))
            self.say(f"{target}[{offset(tuple(at), node.shape)}] += {left} * {right}")
        if not node.rank:
            self.say(f"({target},) = {target}")

    def joined(self, target: str, node: Node) -> None:
        self.say(f"{target} = [0.0] * ({product(node.shape)})")
        axis, start = node.attrs["axis"], Dim.of(0)
        for part in node.args:
            with self.over(part.shape) as at:
                where = (*at[:axis], f"({at[axis]} + {start})", *at[axis + 1 :])
                self.say(f"{target}[{offset(where, node.shape)}] = {self.element(part, at)}")
            start = start + part.shape[axis]


# ---- the target ----------------------------------------------------------------------------------


def measure(node: Node) -> int | None:
    """What is computed element by element is written where it is read; all else has loops."""
    kernel = node.op.kernel
    return 8 if kernel is None or isinstance(kernel, Elementwise | View) else None


def function(name: str, program: Program, dims: Sequence[str]) -> str:
    """A function of the sources and the dims: flat lists, to flat lists in the order of results."""
    loops = Loops(program)
    for step in (*program.constants, *program.steps):
        assert isinstance(step, Step), "loops of the language are not in this outline"
        loops.statement(step.target, step.node)
    names = []
    for number, node in enumerate(program.results.values()):
        names.append(program.variables.get(node, f"result{number}"))
        if node not in program.variables:
            loops.statement(names[-1], node)
    sources = [program.variables[n] for n in program.variables if n.op in SOURCES]
    head = f"def {name}({', '.join([*dict.fromkeys(sources), *dims])}):"
    return "\n".join([head, *loops.lines, f"    return [{', '.join(names)}]"])


def write(compiled: Compiled) -> str:
    """The functions that are derived."""
    functions = [function(one.name, one.program, compiled.begin.dims) for one in compiled.derived]
    return "\n\n\n".join(["import math", *functions]) + "\n"


LOOPS = Target("loops", ".py", measure, lowering=(), stages=(), small=as_it_is, write=write)


@contextmanager
def loops_as_target() -> Iterator[str]:
    """Inside, there is a target of this name."""
    TARGETS[LOOPS.name] = LOOPS
    try:
        yield LOOPS.name
    finally:
        del TARGETS[LOOPS.name]
