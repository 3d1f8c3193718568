"""One graph in the hands of SciPy, JAX, PyTorch and a loop of one's own.

y_i = a exp(-k x_i),  a = 2, k = 3, without noise: each has to find these.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from build import OUT, claim, compare, load, run

from graphc.optimisers import adam
from graphc.scipy import problem

KNOWN = np.array([2.0, 3.0])
START = {"a": np.float64(1.0), "k": np.float64(1.0)}


def main(out: Path = OUT) -> None:
    net = load("bridges", out, level=2)
    x = np.linspace(0.0, 1.0, 30)
    y = KNOWN[0] * np.exp(-KNOWN[1] * x)
    print("A decay, fitted")

    loss = problem(net, "loss", params=START, x=x, y=y)
    found = loss.minimize(method="trust-ncg", options={"gtol": 1e-12})
    compare("scipy.optimize.minimize, with products with the Hessian", found.x, KNOWN, 1e-6)
    rests = problem(net, "r", params=START, x=x, y=y)
    fitted = rests.least_squares(xtol=1e-14, ftol=1e-14, gtol=1e-14)
    compare("scipy.optimize.least_squares, with the Jacobian", fitted.x, KNOWN, 1e-8)

    params, descent = dict(START), adam(rate=0.05)
    state = descent.start(params)
    for _ in range(3000):
        _, grads = net.value_and_grad_loss(params, x, y)
        params, state = descent.step(params, grads, state)
    compare("Adam, in a loop", [params["a"], params["k"]], KNOWN, 1e-3)

    _, right = net.value_and_grad_loss(START, x, y)
    if find_spec("jax"):
        import jax

        from graphc.jax import function

        jax.config.update("jax_enable_x64", True)
        f = function(net, "value_and_grad_loss")
        grads = jax.jit(jax.grad(f))(START, x, y)
        compare("jax.jit(jax.grad(…))", [grads[p] for p in right], [*right.values()])
        second = jax.jacrev(jax.grad(f))(START, x, y)["a"]["k"]
        compare("jax.jacrev(jax.grad(…))", second, loss.hessp(loss.x0, [0.0, 1.0])[0])
    if find_spec("torch"):
        import torch

        from graphc.torch import Module

        layer = Module(net, "value_and_grad_loss", START)
        layer(torch.tensor(x), torch.tensor(y)).backward()
        grads = [one.grad.item() for one in layer.parameters()]
        compare("a layer of PyTorch, backward", grads, [*right.values()])
    missing = [name for name in ("jax", "torch") if not find_spec(name)]
    claim("libraries that are not installed here", True, ", ".join(missing) or "none")


if __name__ == "__main__":
    run(main)
