"""The Hessian of a function of 50 variables."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.generated import WORKLOADS, Source, build, graphc
from benchmarks.harness import DTYPES, Case, Contestant, Result, Run, Workload
from benchmarks.peers import (
    Library,
    casadi_call,
    jax_data,
    jax_library,
    torch_data,
    torch_library,
)

GRAPH = Source(WORKLOADS / "hessian.graph")
WEIGHT = 100  # of the logsumexp: its Hessian is as large as the other


def case(modules: Path, n: int, k: int, dtype: str) -> Case:
    """A point around 0, and k planes."""
    rng = np.random.default_rng(0)
    given = {"A": rng.normal(size=(k, n)), "b": rng.normal(size=k)}
    x = {"x": (0.5 * rng.normal(size=n)).astype(dtype)}
    inputs = {name: array.astype(dtype) for name, array in given.items()}
    return Case(f"{n} variables, {dtype}", dtype, x, inputs, modules, {"n": n, "k": k})


def cases(modules: Path) -> Sequence[Case]:
    """In two precisions."""
    return [case(modules, 50, 40, dtype) for dtype in DTYPES]


def small(modules: Path) -> Sequence[Case]:
    """Five variables."""
    return [case(modules, 5, 4, dtype) for dtype in DTYPES]


def named(value: Any, H: Any) -> Result:
    """The value, and the only block."""
    return value, {"x/x": H}


def parts(case: Case) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray]:
    """The value; the diagonal of Rosenbrock's Hessian and what stands beside it; softmax(A x + b).

    With u = x[i+1] - x[i]², the second derivatives of 100 u² + (1 - x[i])² are
    1200 x[i]² - 400 x[i+1] + 2, -400 x[i] and 200.
    """
    x, A, b = case.params["x"], case.inputs["A"], case.inputs["b"]
    here, after = x[:-1], x[1:]
    z = A @ x + b
    e = np.exp(z - z.max())
    total = e.sum()
    value = np.sum(100 * (after - here**2) ** 2 + (1 - here) ** 2)
    value += WEIGHT * (z.max() + np.log(total))
    diagonal = np.zeros_like(x)
    diagonal[:-1] = 1200 * here**2 - 400 * after + 2
    diagonal[1:] += 200
    return value, diagonal, -400 * here, e / total


def naive(case: Case) -> Run:
    """Sum of the parts: Aᵀ (diag(s) - s sᵀ) A for a logsumexp with softmax s."""
    A = case.inputs["A"]

    def call() -> Result:
        value, diagonal, beside, s = parts(case)
        H = WEIGHT * A.T @ (np.diag(s) - np.outer(s, s)) @ A
        return named(value, H + np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1))

    return call


def optimised(case: Case) -> Run:
    """One product, a rank-one correction, and the diagonals added in place."""
    A, n = case.inputs["A"], len(case.params["x"])
    scaled = np.empty_like(A)
    H = np.empty((n, n), case.dtype)
    flat = H.reshape(-1)

    def call() -> Result:
        value, diagonal, beside, s = parts(case)
        mean = s @ A
        np.multiply(A, (WEIGHT * s)[:, None], out=scaled)
        np.matmul(A.T, scaled, out=H)
        np.subtract(H, (WEIGHT * mean)[:, None] * mean, out=H)
        flat[:: n + 1] += diagonal
        flat[1 :: n + 1] += beside
        flat[n :: n + 1] += beside
        return named(value, H)

    return call


def function(library: Library, x: Any, A: Any, b: Any) -> Any:
    """Over the words of a library."""
    here, after = x[:-1], x[1:]
    rosenbrock = library.np.sum(100 * (after - here**2) ** 2 + (1 - here) ** 2)
    return rosenbrock + WEIGHT * library.logsumexp(A @ x + b, 0)


def jax_hessian(case: Case) -> Run:
    """JAX, by `hessian`, compiled."""
    import jax

    (given, inputs), of = jax_data(case), partial(function, jax_library())
    compiled = jax.jit(lambda x, **rest: (of(x, **rest), jax.hessian(of)(x, **rest)))
    x = given["x"]
    return lambda: named(*jax.block_until_ready(compiled(x, **inputs)))


def torch_hessian(case: Case) -> Run:
    """PyTorch, by `torch.func.hessian`."""
    import torch

    (given, inputs), library = torch_data(case), torch_library()
    of = partial(function, library, **inputs)
    differentiate = torch.func.hessian(of)
    x = given["x"]
    return lambda: named(of(x), differentiate(x))


def casadi_hessian(case: Case) -> Run:
    """CasADi, of matrices."""
    import casadi

    shapes = {"x": case.params["x"].shape, **{n: a.shape for n, a in case.inputs.items()}}
    x, A, b = (casadi.MX.sym(name, *shape) for name, shape in shapes.items())
    here, after = x[:-1], x[1:]
    value = 100 * casadi.sumsqr(after - here**2) + casadi.sumsqr(1 - here)
    value += WEIGHT * casadi.logsumexp(casadi.mtimes(A, x) + b)
    H, _ = casadi.hessian(value, x)
    of = casadi.Function("f", [x, A, b], [value, casadi.densify(H)])
    evaluate, (found, dense) = casadi_call(of, [case.params["x"], *case.inputs.values()])
    result = named(found.reshape(()), dense)

    def call() -> Result:
        evaluate()
        return result

    return call


def block(returned: tuple[Any, Any]) -> Result:
    """What `H` of the module returns."""
    value, H = returned
    return named(value, H["x"]["x"])


WORKLOAD = Workload(
    name="hessian",
    title="hessian.graph, value and Hessian",
    build=partial(build, GRAPH),
    cases=cases,
    small=small,
    contestants=(
        *graphc(GRAPH, "H", shape=block),
        Contestant("NumPy naive", naive),
        Contestant("NumPy optimised", optimised),
        Contestant("torch.func.hessian", torch_hessian, needs="torch"),
        Contestant("JAX hessian", jax_hessian, needs="jax"),
        Contestant("CasADi", casadi_hessian, needs="casadi", dtypes=("float64",)),
    ),
    reference=naive,
)
