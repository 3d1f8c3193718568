"""Random loops as `.graph` text: what is carried, gathered, handed on and collected by chance."""

from __future__ import annotations

import random

VECTORS = (
    "tanh({0})", "sin({0}) * {1}", "{0} + {1}", "{0} - {1}", "-{0}", "{0} * {1}", "sigmoid({0})",
    "{0} * w", "0.5 * {0}", "{0} * u[{t}]", "{0} + v[:, {t}]", "tanh({0} @ M)", "tanh(M @ {0})",
    "softmax({0})", "cumsum({0})", "where({0} > 0, {0}, 0.1 * {1})", "{0} / (1 + {1}**2)",
    "{0} * {s}", "mean({0}) * {1}", "flip({0}) * 0.5", "concat({0}[1:], {1}[:1])",
    "maximum({0}, {1})", "{0} * {t} / (3 + {t})", "add({0}, {1}, {0})", "{0} * p",
    "tanh(outer({0}, {1}) @ w)",
)  # fmt: skip
"""Of two vectors, a scalar and a position; `p` is a parameter, in a repeat one of each step."""
SCALARS = ("sum({0} * {1})", "max({0})", "{0} @ {1} / 3", "sin({s})", "{s} * 0.5", "{0}[1]")


class Writer:
    """Draws the text of one loop, a scan or a repeat with a parameter for each step."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.rolled = seed % 3 == 0
        self.position = "(k - 1)" if self.rolled else "t"

    def body(self, vectors: list[str], scalars: list[str], count: int, prefix: str) -> list[str]:
        lines = []
        for number in range(count):
            kind = SCALARS if self.draw.random() < 0.25 else VECTORS
            name = f"{prefix}{number}"
            text = self.draw.choice(kind).format(
                *(self.pick(vectors) for _ in range(2)), s=self.pick(scalars), t=self.position
            )
            lines.append(f"{name} = {text}")
            (scalars if kind is SCALARS else vectors).append(name)
        return lines

    def pick(self, names: list[str]) -> str:
        late = names[len(names) // 2 :]
        return self.draw.choice(late if self.draw.random() < 0.6 else names)

    def inner(self, vectors: list[str]) -> list[str]:
        """A loop inside."""
        start, other = self.pick(vectors), self.pick(vectors)
        vectors.append("i0")
        return [
            f"scan inner[j in 0..2] carry g = {start} {{",
            f"  next g = {self.draw.choice(['sin', 'tanh'])}(g * {other} + w[j])",
            "  collect gs = g * 0.5",
            "}",
            "i0 = g + sum(gs, axis=0)",
        ]

    def following(self, carried: str, vectors: list[str]) -> str:
        """A value that is bounded, a sum, a delay, a multiple, or the value itself."""
        value = self.pick(vectors)
        kinds = ("tanh({0})", "{1} + {0} * 0.1", "{0}", "{1} * 0.9", "{1}", "{1} - 0.1 * {0}",
                 "{1} * w * 0.3 + {0} * 0.2", "0.3 * {0} * w")  # fmt: skip
        return self.draw.choice(kinds).format(value, carried)

    def text(self) -> str:
        draw = self.draw
        states = [f"c{number}" for number in range(draw.randint(1, 4))]
        starts = {c: draw.choice(["h", "zeros([3])", "2 * w", "ones([3])"]) for c in states}
        vectors = ["w", f"u[{self.position}]", f"v[:, {self.position}]", *states]
        scalars = ["s", f"u[{self.position}, 0]", *(f"{c}[0]" for c in states)]
        lines = self.body(vectors, scalars, draw.randint(2, 6), "a")
        if draw.random() < 0.4:
            lines += self.inner(vectors)
        lines += self.body(vectors, scalars, draw.randint(1, 4), "b")
        lines += [f"next {c} = {self.following(c, vectors)}" for c in states]
        lines += [f"collect y{n} = {self.pick(vectors)}" for n in range(draw.randint(0, 2))]
        lines += ["collect z = " + self.pick(scalars)] if draw.random() < 0.3 else []
        ends = [*states, *(line.split()[1] for line in lines if line.startswith("collect"))]
        ends = [end for end in ends if end != "gs"]
        start = ", ".join(f"{c} = {start}" for c, start in starts.items())
        head = (
            f"repeat loop[k in 1..5] carry {start} {{\nparam p: [3]"
            if self.rolled
            else f"param p: [3]\nscan loop[t in T] carry {start} {{"
        )
        size = "dim T = 5" if self.rolled else "dim T"
        outputs = "\n".join(f"output {end}_ = tanh({end})" for end in ends)
        loss = " + ".join(f"sum(sin({end}))" for end in ends)
        return "\n".join(
            [
                size, "input u: [T, 3]", "input v: [3, T]", "input h, w: [3]", "input s",
                "param M: [3, 3]", head, *lines, "}", outputs, f"output loss = {loss}",
            ]
        )  # fmt: skip
