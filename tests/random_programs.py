"""Random graphs with loops and symbolic dims, and random graphs whose rows stay apart."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from random_graphs import ALONG, UNARY, Names, Program, Shape, Writer


class Size(int):
    """A number that is written as a dim; equal are two that are written alike."""

    text: str

    def __new__(cls, value: int, text: str) -> Size:
        made = super().__new__(cls, value)
        made.text = text
        return made

    def __repr__(self) -> str:
        return self.text

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return self.text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Size) and self.text == other.text

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self.text)

    def __add__(self, other: int) -> Size:
        return Size(int(self) + int(other), f"({self} + {other})")

    def __radd__(self, other: int) -> Size:
        return Size(int(other) + int(self), f"({other} + {self})")

    def __sub__(self, other: int) -> Size:
        return Size(int(self) - int(other), f"({self} - {other})")

    def __mul__(self, other: int) -> Size:
        return Size(int(self) * int(other), f"{self} * {other}")

    __rmul__ = __mul__

    def __floordiv__(self, other: int) -> Size:
        return Size(int(self) // int(other), f"({self} // {other})")


DIMS = (Size(2, "R"), Size(3, "C"), Size(4, "K"))

# ---- loops -------------------------------------------------------------------------------------

STEPS: tuple[tuple[str, Callable[..., Any]], ...] = (
    ("tanh({h} * 0.7 + {x})", lambda h, x, z, t: jnp.tanh(h * 0.7 + x)),
    ("{h} + sin({x}) * {z}", lambda h, x, z, t: h + jnp.sin(x) * z),
    ("0.5 * {h} * {x} + {z}", lambda h, x, z, t: 0.5 * h * x + z),
    ("{h} / (1 + {h}**2) + {x}**2 / (t + 1)", lambda h, x, z, t: h / (1 + h**2) + x**2 / (t + 1)),
    ("where({x} > 0, {h}, 0.3 * {h}) + {x}", lambda h, x, z, t: jnp.where(x > 0, h, 0.3 * h) + x),
    ("{h} - 0.1 * {z} * cos({h} * {x})", lambda h, x, z, t: h - 0.1 * z * jnp.cos(h * x)),
)
"""The next of a carried value, of an element, and of what is captured, in step t."""
LAYERS = 3


class Looping(Writer):
    """Statements as before, and loops; every other program has symbolic dims."""

    def sizes(self) -> Shape:
        return super().sizes() if self.draw.random() < 0.5 else DIMS

    def kinds(self) -> list[Callable[[], None]]:
        loops = [self.scan, self.scan, self.until, self.layers, self.nested]
        return [*super().kinds(), *loops, self.scan]

    def finish(self) -> None:
        """What no input or parameter has is no dim."""
        super().finish()
        declared = (*self.program.inputs, *self.program.params)
        axes = [axis for name in declared for axis in self.program.shapes[name]]
        self.program.dims = [str(one) for one in DIMS if one in axes]

    def loop(self, lines: list[str], used: set[str], compute: Any, **shapes: Shape) -> None:
        """A statement that defines the names of `shapes`."""
        self.program.equations.append("\n".join(lines))
        self.program.steps.append((tuple(shapes), compute))
        for name, shape in shapes.items():
            self.program.shapes[name] = shape
            self.program.parents[name] = used

    def fresh(self, more: int = 0) -> str:
        return f"n{len(self.program.shapes) + more}"

    def state(self, shape: Shape) -> str | None:
        return self.pick(lambda other: other == shape)

    def scan(self) -> None:
        """Over the rows of a matrix, from the first or from the last; something is collected."""
        x = self.matrix()
        if x is None:
            return
        rows, columns = self.program.shapes[x]
        start, z = self.state((columns,)), self.state((columns,))
        if start is None or z is None:
            return
        text, step = self.draw.choice(STEPS)
        used = {x, start, z} if "{z}" in text else {x, start}
        turned = self.draw.random() < 0.3
        h, ys = self.fresh(), self.fresh(1)
        element = f"{x}[{rows} - 1 - t]" if turned else f"{x}[t]"

        def compute(v: Names) -> Any:
            state, found = v[start], []
            for t in range(int(rows)):
                at = v[x][int(rows) - 1 - t if turned else t]
                found.append(jnp.cos(state) * at)
                state = step(state, at, v[z], t)
            return state, jnp.stack(found)

        lines = [
            f"scan loop_{h}[t in {rows}] carry {h} = {start} {{",
            f"    next {h} = {text.format(h=h, x=element, z=z)}",
            f"    collect {ys} = cos({h}) * {element}",
            "}",
        ]
        self.loop(lines, used, compute, **{h: (columns,), ys: (rows, columns)})

    def until(self) -> None:
        """Halved until it is small, in at most six steps."""
        x = self.pick(lambda shape: len(shape) == 1)
        if x is None:
            return
        h = self.fresh()

        def compute(v: Names) -> Any:
            state, done = v[x], jnp.asarray(False)
            for _ in range(6):
                after = 0.5 * state * jnp.cos(state)
                state = jnp.where(done, state, after)
                done = jnp.logical_or(done, jnp.sum(after * after) < 0.05)
            return state

        lines = [
            f"scan loop_{h}[t in 6] carry {h} = {x} {{",
            f"    after = 0.5 * {h} * cos({h})",
            f"    next {h} = after",
            "    until sum(after * after) < 0.05",
            "}",
        ]
        self.loop(lines, {x}, compute, **{h: self.program.shapes[x]})

    def layers(self) -> None:
        """A repeat with parameters of its own."""
        x = self.matrix()
        if x is None:
            return
        rows, columns = self.program.shapes[x]
        h = self.fresh()
        weights = [f"loop_{h}.{k}.W" for k in range(1, LAYERS + 1)]
        biases = [f"loop_{h}.{k}.b" for k in range(1, LAYERS + 1)]

        def compute(v: Names) -> Any:
            state = v[x]
            for weight, bias in zip(weights, biases, strict=True):
                state = state + jnp.tanh(state @ v[weight] + v[bias])
            return state

        lines = [
            f"repeat loop_{h}[k in 1..{LAYERS}] carry {h} = {x} {{",
            f"    param W: [{columns}, {columns}]",
            f"    param b: [{columns}]",
            f"    next {h} = {h} + tanh({h} @ W + b)",
            "}",
        ]
        self.loop(lines, {x, *weights, *biases}, compute, **{h: (rows, columns)})
        for pair in zip(weights, biases, strict=True):
            for name, shape in zip(pair, ((columns, columns), (columns,)), strict=True):
                self.program.params.append(name)
                self.program.shapes[name] = shape

    def nested(self) -> None:
        """A scan of each row inside one over the rows, of scalars."""
        x, start, z = self.matrix(), self.state(()), self.state(())
        if x is None or start is None or z is None:
            return
        rows, columns = self.program.shapes[x]
        h = self.fresh()

        def compute(v: Names) -> Any:
            state = v[start]
            for t in range(int(rows)):
                inner = state
                for s in range(int(columns)):
                    inner = jnp.tanh(inner * v[z] + v[x][t, s])
                state = inner + 0.1 * state
            return state

        lines = [
            f"scan loop_{h}[t in {rows}] carry {h} = {start} {{",
            f"    scan near_{h}[j in {columns}] carry g = {h} {{",
            f"        next g = tanh(g * {z} + {x}[t, j])",
            "    }",
            f"    next {h} = g + 0.1 * {h}",
            "}",
        ]
        self.loop(lines, {x, start, z}, compute, **{h: ()})


# ---- rows apart --------------------------------------------------------------------------------

SHARED: tuple[tuple[str, Callable[..., Any]], ...] = (
    ("{0} * {1}", lambda x, y: x * y),
    ("{0} + {1}", lambda x, y: x + y),
    ("sin({0}) / (1 + {1}**2)", lambda x, y: jnp.sin(x) / (1 + y**2)),
)


class Apart(Looping):
    """Rows of a batch that do not meet, so that everything can be derived `per R`."""

    def sizes(self) -> Shape:
        return DIMS

    def is_output(self, name: str, shape: Shape) -> bool:
        return name.startswith("n") and self.in_rows(shape)

    @staticmethod
    def in_rows(shape: Shape) -> bool:
        return bool(shape) and shape[0] == DIMS[0]

    def kinds(self) -> list[Callable[[], None]]:
        return [
            self.unary, self.same, self.same, self.shared, self.shared, self.product,
            self.product, self.of_rows, self.of_rows, self.along, self.part, self.columns,
        ]  # fmt: skip

    def row(self, rank: int | None = None) -> str:
        found = self.pick(lambda s: self.in_rows(s) and rank in (None, len(s)))
        return found or "x"

    def unary(self) -> None:
        x = self.row()
        text, compute = self.draw.choice(UNARY)
        self.node(text, (x,), compute, self.program.shapes[x])

    def same(self) -> None:
        x = self.row()
        y = self.pick(lambda other: other == self.program.shapes[x]) or x
        text, compute = self.draw.choice(SHARED)
        self.node(text, (x, y), compute, self.program.shapes[x])

    def shared(self) -> None:
        x = self.row()
        y = self.pick(lambda other: other in ((), self.program.shapes[x][1:]))
        text, compute = self.draw.choice(SHARED)
        self.node(text, (x, y or "s"), compute, self.program.shapes[x])

    def product(self) -> None:
        x = self.row(2)
        inner = self.program.shapes[x][1]
        y = self.pick(lambda s: len(s) in (1, 2) and s[0] == inner and not self.in_rows(s))
        if y is not None:
            shape = (DIMS[0], *self.program.shapes[y][1:])
            self.node("{0} @ {1}", (x, y), lambda x, y: x @ y, shape)

    def of_rows(self) -> None:
        name, compute = self.draw.choice((("sum", jnp.sum), ("max", jnp.max), ("mean", jnp.mean)))
        x = self.row(2)
        self.node(f"{name}({{0}}, axis=1)", (x,), lambda x: compute(x, axis=1), (DIMS[0],))

    def along(self) -> None:
        name, compute = self.draw.choice(ALONG)
        x = self.row(2)
        text = f"{name}({{0}}, axis=1)"
        self.node(text, (x,), lambda x: compute(x, axis=1), self.program.shapes[x])

    def part(self) -> None:
        x = self.row(2)
        shape = self.program.shapes[x]
        parts: list[tuple[str, Callable[[Any], Any], Shape]] = [
            ("{0}[:, 0]", lambda x: x[:, 0], shape[:1]),
            ("{0}[:, ::-1]", lambda x: x[:, ::-1], shape),
            ("{0} * sum({0}, axis=1)[:, _]", lambda x: x * jnp.sum(x, 1)[:, None], shape),
        ]
        self.node(*self._chosen(parts, x))

    def _chosen(self, parts: Any, x: str) -> Any:
        text, compute, shape = self.draw.choice(parts)
        return text, (x,), compute, shape

    def columns(self) -> None:
        """A scan over the columns, of all rows at once."""
        x = self.row(2)
        start, z = self.state((DIMS[0],)), self.state((DIMS[0],))
        if start is None or z is None:
            return
        rows, columns = self.program.shapes[x]
        text, step = self.draw.choice(STEPS)
        used = {x, start, z} if "{z}" in text else {x, start}
        h = self.fresh()

        def compute(v: Names) -> Any:
            state = v[start]
            for t in range(int(columns)):
                state = step(state, v[x][:, t], v[z], t)
            return state

        lines = [
            f"scan loop_{h}[t in {columns}] carry {h} = {start} {{",
            f"    next {h} = {text.format(h=h, x=f'{x}[:, t]', z=z)}",
            "}",
        ]
        self.loop(lines, used, compute, **{h: (rows,)})


@functools.cache
def looping(seed: int) -> Program:
    return Looping(seed).write()


@functools.cache
def apart(seed: int) -> Program:
    return Apart(seed).write()
