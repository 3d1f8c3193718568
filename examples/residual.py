"""A node with two children: what comes back to it is the sum of what comes through each.

    dL/dx_i = Σ over the children j of  ∂x_j/∂x_i · dL/dx_j

Prints both terms, their sum, and the lines of the generated module that say so.
"""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from types import FunctionType

import numpy as np
from build import OUT, compare, load, run


def statement(function: FunctionType, variable: str) -> str:
    """The lines of a function that assign a variable, with the comment above them."""
    lines = inspect.getsource(function).splitlines()
    for node in ast.walk(ast.parse("\n".join(lines))):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == variable:
            first = node.lineno - 1
            while lines[first - 1].lstrip().startswith("#"):
                first -= 1
            return "\n".join(lines[first : node.end_lineno])
    raise SystemExit(f"{function.__name__} assigns no {variable}")


def main(out: Path = OUT) -> None:
    net = load("residual", out)  # at the level that prints the mathematics
    params = net.init(seed=4)
    rng = np.random.default_rng(4)
    x, t = rng.normal(size=(2, 4)), rng.normal(size=(2, 4))
    adjoints = net.adjoints(params, x, t)

    h1 = np.tanh(x @ params["h1.W"] + params["h1.b"])
    f1 = np.tanh(h1 @ params["f1.W"] + params["f1.b"])
    h2 = h1 + f1
    f2 = np.tanh(h2 @ params["f2.W"] + params["f2.b"])
    h3 = h2 + f2

    print("A residual network: contributions add up where a node has several children")
    d_h3 = 2 * (h3 - t) / t.size
    compare("d_h3 = 2 (h3 - t) / n", adjoints["h3"], d_h3)

    skip_2, branch_2 = d_h3, (d_h3 * (1 - f2**2)) @ params["f2.W"].T
    d_h2 = skip_2 + branch_2
    compare("d_h2 = d_h3 (skip) + (d_h3 ⊙ tanh') f2.Wᵀ (branch)", adjoints["h2"], d_h2)

    skip_1, branch_1 = d_h2, (d_h2 * (1 - f1**2)) @ params["f1.W"].T
    d_h1 = skip_1 + branch_1
    compare("d_h1 = d_h2 (skip) + (d_h2 ⊙ tanh') f1.Wᵀ (branch)", adjoints["h1"], d_h1)

    print("\n  of h1, the first sample:")
    with np.printoptions(precision=4, suppress=True, sign=" "):
        print(f"    through the skip edge  {skip_1[0]}")
        print(f"    through the branch     {branch_1[0]}")
        print(f"    the module's sum       {adjoints['h1'][0]}")
    print("\n  and in the generated module:")
    print(statement(net.adjoints, "d_h2"))
    print(statement(net.adjoints, "d_h1"))


if __name__ == "__main__":
    run(main)
