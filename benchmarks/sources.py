"""Sources that grow: one function a shape of program, from a number of items to a text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

SHARED = ", ".join(f"a{k}, b{k}" for k in range(8))


def equations(n: int) -> str:
    """A flat file of n equations over vectors, each with parameters of its own."""
    names = ", ".join(f"a{k}, b{k}" for k in range(n))
    return _flat(n, names, [f"h{k + 1} = tanh(h{k} * a{k} + b{k})" for k in range(n)])


def shared(n: int) -> str:
    """The same with eight pairs of parameters in all: what the equations alone cost."""
    return _flat(n, SHARED, [f"h{k + 1} = tanh(h{k} * a{k % 8} + b{k % 8})" for k in range(n)])


def independent(n: int) -> str:
    """n equations of one input and shared parameters, and a sum that grows by each."""
    ys = [f"y{k} = tanh(h0 * a{k % 8} + {k} * b{k % 8})" for k in range(n)]
    sums = ["h1 = y0", *(f"h{k + 1} = h{k} + y{k}" for k in range(1, n))]
    return _flat(n, SHARED, [*ys, *sums])


def wheres(n: int) -> str:
    """n equations that choose, each from the one before."""
    return _flat(
        n,
        SHARED,
        [f"h{k + 1} = where(h{k} > 0, tanh(h{k}), h{k} * a{k % 8})" for k in range(n)],
    )


def terms(n: int) -> str:
    """One equation: a sum of n terms."""
    return _flat(1, SHARED, ["h1 = " + " + ".join(f"{k} * a{k % 8} * h0" for k in range(n))])


def nested(n: int) -> str:
    """One equation: n calls inside each other."""
    return _flat(1, SHARED, ["h1 = " + "sin(a1 + " * n + "h0" + ")" * n])


def stages(n: int) -> str:
    """One chain of n stages."""
    return _flat(1, SHARED, ["h0 -> " + "tanh -> " * n + "h1"])


def _flat(n: int, params: str, body: Sequence[str]) -> str:
    return "\n".join(
        [
            "dim N = 8",
            "input h0: [N]",
            f"param {params}: [N]",
            *body,
            f"output loss = sum(h{n})",
            "derive value_and_grad loss wrt params\n",
        ]
    )


def layers(n: int) -> str:
    """A `repeat` of n dense layers: a source of the same few lines for every n."""
    return f"""dim B
dim L = {n}
input x: [B, 16]
repeat layer[k in 1..L] carry h = x {{
    next h = dense(h, 16, act=tanh) as fc
}}
output loss = mean(h**2)
derive value_and_grad loss wrt params
"""


GROWTH: Mapping[str, tuple[Callable[[int], str], Sequence[int]]] = {
    "equations": (equations, (40, 400, 4000)),
    "shared": (shared, (55, 545, 5450)),
    "independent": (independent, (32, 315, 3150)),
    "wheres": (wheres, (33, 333, 3333)),
    "terms": (terms, (100, 1000, 10000)),
    "nested": (nested, (120, 1200, 12000)),
    "stages": (stages, (300, 3000, 30000)),
    "layers": (layers, (10, 100, 10000)),
}
"""The shapes, each with sizes of about 600, 6,000 and 60,000 tokens."""

SCAN = """dim T
input x: [T]
param w, u
scan step[t in T] carry h = 0.0 {
    next h = tanh(w * h + u * x[t])
}
output loss = h**2
derive value_and_grad loss wrt params
"""
