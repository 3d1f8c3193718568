"""What single rules of the fast module buy, and the order of axes in tiles: with each and without.

    python -m benchmarks.rules [RULE ...]

No workload has these operations at a size that shows, or several rules meet in it. Measured is the
processor time of one thread, the least of many runs by turns.
"""

from __future__ import annotations

import inspect
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from graphc.compile.stages import Options, compile_text, load
from graphc.ir.graph import Node
from graphc.optimise import driver, passes
from graphc.optimise.exact.identities import RULES
from graphc.plan.tiles import lower as tiles
from graphc.plan.tiles import memory_order
from graphc.targets.numpy import lowering

HEAD = """
dim n = {n}
dim rows = {rows}
dim columns = {columns}
input x, y: [n]
input A, B: [rows, columns]
input W: [columns, columns]
input few: [columns, 3]
input points: [n, 3]
"""
SIZES = ((40, 8, 5), (3_000, 60, 50), (300_000, 3_000, 100))
"""Of n, rows and columns."""

CASES = {
    "softplus_by_parts": "output z = softplus(x)\nderive value z as f",
    "softsign_by_parts": "output z = softsign(x)\nderive value z as f",
    "power_by_roots": "output z = (x * x + 1)**-0.5\nderive value z as f",
    "sum_of_all_products": "output z = sum(x * y)\nderive value z as f",
    "sum_of_row_products": "output z = sum(A * B, axis=1)\nderive value z as f",
    "scalar_of_matmul": "output z = mean((A @ W - B)**2)\nderive value_and_grad z wrt W as f",
    "product_with_unit_columns": "output z = W @ few\nderive jacobian z wrt few as f",
    "orders": """
        c = cos(x)
        P = points * c[:, _] + tanh(points * c[:, _]) * sin(x)[:, _]
        Q = P * exp(-x)[:, _] + exp(-P * c[:, _]) * c[:, _]
        output z: [n, 3] = tanh(Q * x[:, _]) + Q * c[:, _]
        derive value_and_jacobian z wrt points, x per n as f
        """,
}
RUNS = 15
SECONDS = 0.02  # that a run takes, or more


@contextmanager
def without(name: str) -> Iterator[None]:
    """Inside, no table has this rule."""

    def left(rules: Any) -> Any:
        kept = {op: tuple(r for r in rs if r.__name__ != name) for op, rs in rules.items()}
        return {op: rules for op, rules in kept.items() if rules}

    before = driver.FAST_RULES, lowering.LAST_RULES, RULES, memory_order.orders
    exact = tuple(rule for rule in RULES if rule.__name__ != name)
    orders = _rows_of_all if name == "orders" else memory_order.orders
    _set(left(driver.FAST_RULES), tuple(map(left, lowering.LAST_RULES)), exact, orders)
    try:
        yield
    finally:
        _set(*before)


def _rows_of_all(computed: Sequence[Node], *_: Any) -> dict[Node, tuple[int, ...]]:
    return {node: memory_order.row_by_row(node) for node in computed}


def _set(fast: Any, last: Any, exact: Any, orders: Any) -> None:
    vars(driver).update(FAST_RULES=fast, RULES=exact)
    vars(lowering).update(LAST_RULES=last)
    vars(passes).update(RULES=exact)
    vars(tiles).update(orders=orders)


def text(name: str, sizes: Sequence[int]) -> str:
    """The module of a case with the rules that there are now."""
    n, rows, columns = sizes
    head = HEAD.format(n=n, rows=rows, columns=columns)
    return compile_text(head + CASES[name], options=Options(level="-O2")).text


def seconds(function: Callable[..., Any], arguments: Sequence[Any], calls: int) -> float:
    before = time.process_time()
    for _ in range(calls):
        function(*arguments)
    return (time.process_time() - before) / calls


def measured(name: str, sizes: Sequence[int]) -> tuple[float, float]:
    """Seconds with the rule and without it."""
    with without(name):
        plain = load(text(name, sizes), "plain").f
    ruled = load(text(name, sizes), "ruled").f
    n, rows, columns = sizes
    shapes: dict[str, tuple[int, ...]] = {
        "x": (n,),
        "y": (n,),
        "few": (columns, 3),
        "points": (n, 3),
    }
    shapes |= {"A": (rows, columns), "B": (rows, columns), "W": (columns, columns)}
    rng = np.random.default_rng(0)
    known = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    arguments = [known[name] for name in inspect.signature(ruled).parameters if name in known]
    calls = max(1, int(SECONDS / max(seconds(plain, arguments, 3), 1e-7)))
    pairs = [
        (seconds(ruled, arguments, calls), seconds(plain, arguments, calls)) for _ in range(RUNS)
    ]
    return min(one for one, _ in pairs), min(other for _, other in pairs)


def main(names: Sequence[str]) -> None:
    print(f"{'rule':28}{'n, rows, columns':>20}{'with':>12}{'without':>12}{'gain':>8}")
    for name in names or CASES:
        for sizes in SIZES:
            one, other = measured(name, sizes)
            shown = ", ".join(map(str, sizes))
            times = f"{1e6 * one:9.1f} us{1e6 * other:9.1f} us"
            print(f"{name:28}{shown:>20}{times}{other / one:8.2f}")


if __name__ == "__main__":
    main(sys.argv[1:])
