"""Random graphs, each written as `.graph` text and as a function of JAX."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Shape = tuple[int, ...]
Names = dict[str, Any]


@dataclass
class Program:
    """One graph in both spellings; `steps` compute a node each from those before it, in JAX."""

    shapes: dict[str, Shape] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)
    params: list[str] = field(default_factory=list)
    equations: list[str] = field(default_factory=list)
    steps: list[tuple[tuple[str, ...], Callable[[Names], Any]]] = field(default_factory=list)
    parents: dict[str, set[str]] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)
    wrt: list[str] = field(default_factory=list)

    dims: list[str] = field(default_factory=list)

    def graph(self, *clauses: str) -> str:
        """The graph as text, with these clauses after `derive`; a loop declares what has dots."""
        whole = [name for name in self.params if "." not in name]
        lines = [f"dim {', '.join(self.dims)}"] if self.dims else []
        lines += [f"input {name}: {list(self.shapes[name])}" for name in self.inputs]
        lines += ["input rows: int[3]"]
        lines += [f"param {name}: {list(self.shapes[name])}" for name in whole]
        lines += self.equations
        lines += [f"output {name}" for name in self.outputs if name not in self.aliases]
        lines += [f"output {name} = {other}" for name, other in self.aliases.items()]
        return "\n".join([*lines, *(f"derive {clause}" for clause in clauses)])

    @property
    def text(self) -> str:
        """The graph, with the gradients of the loss."""
        return self.graph(f"value_and_grad loss wrt {', '.join(self.wrt)} as g")

    def jax(self, given: Names, moved: Names) -> Names:
        """The outputs; `moved` are added to the nodes of their names."""
        values = dict(given)
        for names, compute in self.steps:
            result = compute(values)
            for name, value in zip(names, result if len(names) > 1 else (result,), strict=True):
                values[name] = value + moved[name] if name in moved else value
        values |= {name: values[other] for name, other in self.aliases.items()}
        return {name: values[name] for name in self.outputs}

    def shape(self, output: str) -> Shape:
        return self.shapes.get(self.aliases.get(output, output), ())

    def below(self, name: str) -> set[str]:
        """The node and every node that it depends on."""
        found, pending = set(), [name]
        while pending:
            node = pending.pop()
            if node not in found:
                found.add(node)
                pending.extend(self.parents.get(node, ()))
        return found


# ---- the operations: text with places for operands, and the same in JAX ---------------------

UNARY: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    ("tanh({0})", jnp.tanh),
    ("sin({0})", jnp.sin),
    ("cos(2 * {0})", lambda x: jnp.cos(2 * x)),
    ("exp(-{0}**2)", lambda x: jnp.exp(-(x**2))),
    ("sigmoid({0})", jax.nn.sigmoid),
    ("softplus({0})", lambda x: jnp.logaddexp(x, 0)),
    ("relu({0})", jax.nn.relu),
    ("abs({0} - 0.1)", lambda x: jnp.abs(x - 0.1)),
    ("sqrt({0} * {0} + 1)", lambda x: jnp.sqrt(x * x + 1)),
    ("log1p({0}**2)", lambda x: jnp.log1p(x**2)),
    ("{0} / (1 + {0} * {0})", lambda x: x / (1 + x * x)),
    ("-{0} + 0.5", lambda x: -x + 0.5),
    ("where({0} > 0, {0}, 0.1 * {0})", lambda x: jnp.where(x > 0, x, 0.1 * x)),
    ("({0}**2 + 1)**-0.5", lambda x: (x**2 + 1) ** -0.5),
    ("stop({0}) * {0}", lambda x: jax.lax.stop_gradient(x) * x),
    ("tanh({0})**3", lambda x: jnp.tanh(x) ** 3),
)
BINARY: tuple[tuple[str, Callable[[Any, Any], Any]], ...] = (
    ("{0} + {1}", lambda x, y: x + y),
    ("{0} - {1}", lambda x, y: x - y),
    ("{0} * {1}", lambda x, y: x * y),
    ("{0} / (1 + {1}**2)", lambda x, y: x / (1 + y**2)),
    ("maximum({0}, {1})", jnp.maximum),
    ("minimum({0}, {1} + 0.05)", lambda x, y: jnp.minimum(x, y + 0.05)),
    ("({0}**2 + 0.5)**sin({1})", lambda x, y: (x**2 + 0.5) ** jnp.sin(y)),
    ("where({0} < {1}, {1}, {0} * 2)", lambda x, y: jnp.where(x < y, y, x * 2)),
    ("add({0}, {1}, {0})", lambda x, y: x + y + x),
)
REDUCTIONS: tuple[tuple[str, Callable[..., Any]], ...] = (
    ("sum", jnp.sum),
    ("mean", jnp.mean),
    ("max", jnp.max),
    ("min", jnp.min),
    ("logsumexp", jax.scipy.special.logsumexp),
)
ALONG: tuple[tuple[str, Callable[..., Any]], ...] = (
    ("softmax", jax.nn.softmax),
    ("log_softmax", jax.nn.log_softmax),
)


class Writer:
    """Makes a random program: nodes are drawn from the ones there are, often the latest."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.program = Program()
        self.seen: set[str] = set()

    def node(
        self, text: str, operands: tuple[str, ...], compute: Callable[..., Any], *shapes: Shape
    ) -> None:
        """One equation, unless there is one with this right side: equal nodes are one node."""
        written = text.format(*operands)
        if written in self.seen:
            return
        self.seen.add(written)
        program = self.program
        names = tuple(f"n{len(program.shapes) + i}" for i in range(len(shapes)))
        program.equations.append(f"{', '.join(names)} = {written}")
        program.steps.append((names, lambda v: compute(*(v[name] for name in operands))))
        for name, shape in zip(names, shapes, strict=True):
            program.shapes[name] = shape
            program.parents[name] = set(operands)

    def pick(self, wanted: Callable[[Shape], bool] = lambda shape: True) -> str | None:
        shapes = self.program.shapes.items()
        names = [name for name, shape in shapes if wanted(shape) and "." not in name]
        if not names:
            return None
        late = names[len(names) // 2 :]
        return self.draw.choice(late if self.draw.random() < 0.6 else names)

    def matrix(self) -> str | None:
        return self.pick(lambda shape: len(shape) == 2)

    # -- one kind of statement each ------------------------------------------------------

    def unary(self) -> None:
        x = self.pick()
        text, compute = self.draw.choice(UNARY)
        self.node(text, (x,), compute, self.program.shapes[x])

    def binary(self) -> None:
        x = self.pick()
        shape = self.program.shapes[x]
        y = self.pick(lambda other: other in (shape, (), shape[1:]))
        text, compute = self.draw.choice(BINARY)
        swap = self.draw.random() < 0.5
        operands = (y, x) if swap else (x, y)
        self.node(text, operands, compute, shape)

    def twice(self) -> None:
        x = self.pick()
        text, compute = self.draw.choice(BINARY)
        self.node(text, (x, x), compute, self.program.shapes[x])

    def column(self) -> None:
        x = self.matrix()
        if x is None:
            return
        rows, columns = self.program.shapes[x]
        y = self.pick(lambda shape: shape == (rows,))
        if y is not None:
            self.node("{0} * {1}[:, _]", (x, y), lambda x, y: x * y[:, None], (rows, columns))

    def outer_sum(self) -> None:
        x, y = (self.pick(lambda shape: len(shape) == 1) for _ in range(2))
        if x is not None and y is not None:
            shape = (*self.program.shapes[x], *self.program.shapes[y])
            self.node("{0}[:, _] + {1}[_, :]", (x, y), lambda x, y: x[:, None] + y[None], shape)

    def product(self) -> None:
        x = self.pick(lambda shape: len(shape) in (1, 2))
        if x is None:
            return
        one = self.program.shapes[x]
        y = self.pick(lambda shape: len(shape) in (1, 2) and shape[0] == one[-1])
        if y is not None:
            shape = (*one[:-1], *self.program.shapes[y][1:])
            self.node("{0} @ {1} / 2", (x, y), lambda x, y: x @ y / 2, shape)

    def product_transposed(self) -> None:
        x = self.matrix()
        if x is not None:
            rows = self.program.shapes[x][0]
            self.node("tanh({0} @ {0}.T)", (x,), lambda x: jnp.tanh(x @ x.T), (rows, rows))

    def reduction(self) -> None:
        x = self.pick(lambda shape: len(shape) > 0)
        if x is None:
            return
        name, compute = self.draw.choice(REDUCTIONS)
        shape = self.program.shapes[x]
        axis = self.draw.choice([None, *range(len(shape))])
        kept = self.draw.random() < 0.3 and axis is not None
        text = f"{name}({{0}}{'' if axis is None else f', axis={axis}'}{', keepdims=true' * kept})"
        result = tuple(
            1 if i == axis else n
            for i, n in enumerate(shape)
            if axis is not None and (kept or i != axis)
        )
        if kept:  # back in the shape of its argument: a size of 1 would stretch elsewhere
            text, result = f"{{0}} - {text}", shape
            self.node(text, (x,), lambda x: x - compute(x, axis=axis, keepdims=True), result)
        else:
            self.node(text, (x,), lambda x: compute(x, axis=axis), result)

    def along(self) -> None:
        x = self.pick(lambda shape: len(shape) > 0)
        if x is not None:
            name, compute = self.draw.choice(ALONG)
            shape = self.program.shapes[x]
            axis = self.draw.randrange(len(shape))
            text = f"{name}({{0}}, axis={axis})"
            self.node(text, (x,), lambda x: compute(x, axis=axis), shape)

    def concat(self) -> None:
        x = self.matrix()
        if x is None:
            return
        rows, columns = self.program.shapes[x]
        y = self.pick(lambda shape: len(shape) == 2 and shape[0] == rows)
        if y is not None and columns + self.program.shapes[y][1] < 8:
            total = columns + self.program.shapes[y][1]
            self.node(
                "concat({0}, {1}, axis=1)",
                (x, y),
                lambda x, y: jnp.concatenate([x, y], 1),
                (rows, total),
            )

    def stack_and_sum(self) -> None:
        x = self.pick(lambda shape: len(shape) in (1, 2))
        if x is not None:
            shape = self.program.shapes[x]
            y = self.pick(lambda other: other == shape)
            self.node(
                "max(stack({0}, {1}, 2 * {0} - 0.3), axis=0)",
                (x, y),
                lambda x, y: jnp.max(jnp.stack([x, y, 2 * x - 0.3]), axis=0),
                shape,
            )

    def part(self) -> None:
        x = self.matrix()
        if x is None:
            return
        rows, columns = self.program.shapes[x]
        parts: list[tuple[str, Callable[[Any], Any], Shape]] = [
            ("{0}[0]", lambda x: x[0], (columns,)),
            ("{0}[:, -1]", lambda x: x[:, -1], (rows,)),
            ("{0}[1:]", lambda x: x[1:], (rows - 1, columns)),
            ("{0}[:, ::-1]", lambda x: x[:, ::-1], (rows, columns)),
            ("{0}[::2]", lambda x: x[::2], ((rows + 1) // 2, columns)),
            ("{0}.T", lambda x: x.T, (columns, rows)),
            (f"reshape({{0}}, [{rows * columns}])", jnp.ravel, (rows * columns,)),
        ]
        text, compute, shape = self.draw.choice(parts if rows > 2 else parts[:2])
        self.node(text, (x,), compute, shape)

    def gather(self) -> None:
        x = self.pick(lambda shape: len(shape) > 0 and shape[0] >= 2)
        if x is not None:
            rest = self.program.shapes[x][1:]
            self.node("{0}[rows]", (x,), lambda x: x[np.array(ROWS)], (3, *rest))

    def halves(self) -> None:
        x = self.pick(lambda shape: len(shape) > 0 and shape[-1] == 4)
        if x is not None:
            shape = (*self.program.shapes[x][:-1], 2)
            halves = functools.partial(jnp.split, indices_or_sections=2, axis=-1)
            self.node("split({0}, 2)", (x,), halves, shape, shape)

    # -- the whole -----------------------------------------------------------------------------

    def sizes(self) -> Shape:
        """What the first axes of the inputs and parameters are."""
        return 2, 3, 4

    def kinds(self) -> list[Callable[[], None]]:
        """The statements, each as often as it shall be drawn."""
        return [
            self.unary, self.unary, self.binary, self.binary, self.binary, self.twice,
            self.column, self.outer_sum, self.product, self.product, self.product_transposed,
            self.reduction, self.reduction, self.along, self.concat, self.stack_and_sum,
            self.part, self.part, self.gather, self.halves,
        ]  # fmt: skip

    def write(self) -> Program:
        draw, program = self.draw, self.program
        rows, columns, width = self.sizes()
        for name in ("x", "y", "s"):
            program.inputs.append(name)
        for name in ("w", "v")[: draw.randrange(3)]:
            program.params.append(name)
        shapes: list[Shape] = [(rows, columns), (columns,), (), (columns, width), (width,)]
        for name, shape in zip(("x", "y", "s", "w", "v"), shapes, strict=True):
            if name in (*program.inputs, *program.params):
                program.shapes[name] = shape
        kinds = self.kinds()
        while len(program.equations) < draw.randrange(6, 18):
            draw.choice(kinds)()
        self.finish()
        return program

    def is_output(self, name: str, shape: Shape) -> bool:
        """Can a node be an output, and a part of the loss?"""
        return name.startswith("n")

    def finish(self) -> None:
        """A loss over some of the nodes; it and a few others are outputs, some of them twice."""
        draw, program = self.draw, self.program
        nodes = [name for name, shape in program.shapes.items() if self.is_output(name, shape)]
        last = [*nodes[-3:], draw.choice(nodes)]
        weights = [round(draw.uniform(0.2, 1), 3) for _ in last]
        terms = [f"sum({w} * {name})" for w, name in zip(weights, last, strict=True)]
        program.equations.append(f"loss = {' + '.join(terms)}")
        pairs = list(zip(weights, last, strict=True))
        program.steps.append((("loss",), lambda v: sum(jnp.sum(w * v[n]) for w, n in pairs)))
        program.parents["loss"] = set(last)
        program.outputs = ["loss", *draw.sample(nodes, min(3, len(nodes)))]
        if draw.random() < 0.5:
            program.aliases = {"same": draw.choice([*program.inputs, *nodes])}
            program.outputs.append("same")
        reached = program.below("loss") - {"loss"}
        wanted = [name for name in (*program.inputs, *program.params) if name in reached]
        inner = [name for name in nodes if name in reached]
        program.wrt = [*draw.sample(inner, min(4, len(inner))), *wanted]


ROWS = (1, 0, 1)


@functools.cache
def written(seed: int) -> Program:
    return Writer(seed).write()


def values_of(program: Program, seed: int) -> Names:
    rng = np.random.default_rng(seed)
    return {
        name: rng.uniform(-1, 1, program.shapes[name])
        for name in (*program.inputs, *program.params)
    }


def called(program: Program, values: Names) -> dict[str, Any]:
    given = {name: values[name] for name in program.inputs} | {"rows": np.array(ROWS)}
    if program.params:
        given["params"] = {name: values[name] for name in program.params}
    return given
