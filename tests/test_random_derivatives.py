"""Every kind of derivative of random graphs, against JAX and against each other."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import module
from derivative_checks import Names, by_jax, clauses, close, compare
from random_graphs import Program, called, values_of, written
from random_programs import apart, looping

GRAPHS = 200


@pytest.mark.parametrize("seed", range(GRAPHS))
def test_random_graph(seed: int) -> None:
    """By inputs, parameters and nodes between: a node is moved where it stands."""
    agrees_with_jax(written(seed), seed)


@pytest.mark.parametrize("seed", range(8))
def test_random_graph_with_loops(seed: int) -> None:
    agrees_with_jax(looping(seed), seed)


@pytest.mark.parametrize("seed", range(3))
def test_random_graph_whose_rows_stay_apart(seed: int) -> None:
    agrees_with_jax(apart(seed), seed)


def agrees_with_jax(program: Program, seed: int) -> None:
    made = module(program.graph(*clauses(program.outputs, ", ".join(program.wrt), "loss")))
    values = values_of(program, seed)
    inner = [path for path in program.wrt if path not in values]

    def run(moving: Names) -> Names:
        moved = {path: moving[path] for path in inner}
        return program.jax({name: moving[name] for name in values}, moved)

    moving = {**values, **{path: np.zeros(program.shapes[path]) for path in inner}}
    want = by_jax(run, moving, "loss")
    given = called(program, values)
    compare(made, given, want, "loss", seed)

    rng = np.random.default_rng(seed)
    out, cache = made.forward(**given)
    cotangents = {name: rng.normal(size=value.shape) for name, value in out._asdict().items()}
    gradients = made.backward(cache, **cotangents)
    assert list(gradients) == (program.params or program.inputs)
    u = np.concatenate([np.ravel(one) for one in cotangents.values()])
    for path, gradient in gradients.items():
        expected = (u @ want.jacobian[:, want.columns([path])]).reshape(program.shapes[path])
        close(gradient, expected[()], what=path)


def test_the_graphs_meet_every_statement() -> None:
    """What the generator can write, it has written somewhere."""
    texts = "\n".join(written(seed).text for seed in range(GRAPHS))
    for wanted in (
        "@", ".T", "concat(", "stack(", "split(", "reshape(", "[rows]", "[:, _]", "::2]", "::-1]",
        "keepdims=true", "output same = x", "param v", "sum(", "mean(", "max(", "min(",
        "logsumexp(", "softmax(", "log_softmax(", "stop(", "where(", "maximum(",
    ):  # fmt: skip
        assert wanted in texts, wanted
    assert sum(not written(seed).params for seed in range(GRAPHS)) > 5
    unused = [
        name
        for seed in range(GRAPHS)
        for name in written(seed).shapes
        if not any(
            name in written(seed).below(output)
            for output in written(seed).outputs
            if output not in written(seed).aliases
        )
    ]
    assert unused
