"""Every kind of derivative of random graphs, against JAX and against each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import module
from random_graphs import Names, Program, called, values_of, written

GRAPHS = 200
TOLERANCE = 1e-11
Blocks = Mapping[str, Mapping[str, Any]]


def clauses(program: Program) -> list[str]:
    outputs, wrt = ", ".join(program.outputs), ", ".join(program.wrt)
    return [
        f"value_and_grad loss wrt {wrt} as g",
        f"jvp {outputs} wrt {wrt} as pushed",
        f"vjp {outputs} wrt {wrt} as pulled",
        f"jacobian {outputs} wrt {wrt} as J",
        f"value_and_jacobian_matrix {outputs} wrt {wrt} as J_matrix",
        f"hvp loss wrt {wrt} as bent",
        f"value_and_hessian loss wrt {wrt} as H",
        f"hessian_matrix loss wrt {wrt} as H_matrix",
    ]


def flat(values: Mapping[str, Any]) -> np.ndarray:
    return np.concatenate([np.ravel(value) for value in values.values()])


def close(found: Any, expected: Any, tolerance: float = TOLERANCE, what: str = "") -> None:
    scale = max(1.0, float(np.max(np.abs(expected), initial=0)))
    np.testing.assert_allclose(
        found, expected, rtol=tolerance, atol=tolerance * scale, err_msg=what, strict=True
    )


def references(
    program: Program, paths: Sequence[str], values: Names
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The outputs, their Jacobian by the paths, and the Hessian of the loss, by JAX.

    All flat. A node is moved where it stands: its derivatives are total.
    """
    shapes = [program.shapes[path] for path in paths]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])

    def outputs(steps: Any) -> Any:
        parts = jnp.split(steps, ends[:-1])
        moved = {
            path: part.reshape(shape)
            for path, part, shape in zip(paths, parts, shapes, strict=True)
        }
        given = {name: value + moved.get(name, 0) for name, value in values.items()}
        found = program.jax(given, {n: v for n, v in moved.items() if n not in given})
        return jnp.concatenate([jnp.ravel(found[name]) for name in program.outputs])

    def outputs_and_gradient(steps: Any) -> Any:
        found, pull = jax.vjp(outputs, steps)
        return found, pull(jnp.zeros_like(found).at[0].set(1.0))[0]

    @jax.jit
    def run(start: Any, directions: Any) -> Any:
        found, push = jax.linearize(outputs_and_gradient, start)
        return found[0], *jax.vmap(push, out_axes=-1)(directions)

    assert program.outputs[0] == "loss"
    found, jacobian, hessian = run(np.zeros(ends[-1]), np.eye(ends[-1]))
    return np.asarray(found), np.asarray(jacobian), np.asarray(hessian)


def assembled(blocks: Blocks, rows: Mapping[str, Any], columns: Mapping[str, Any]) -> np.ndarray:
    """Blocks as one matrix, each in the shape of its row and its column."""
    assert list(blocks) == list(rows)
    bands = []
    for row, of in rows.items():
        assert list(blocks[row]) == list(columns)
        for column, by in columns.items():
            assert np.shape(blocks[row][column]) == (*np.shape(of), *np.shape(by)), (row, column)
        bands.append(
            np.concatenate(
                [np.reshape(block, (np.size(of), -1)) for block in blocks[row].values()], axis=1
            )
        )
    return np.concatenate(bands)


def shaped(whole: np.ndarray, names: Sequence[str], shape: Callable[[str], Any]) -> Names:
    """A flat array as arrays by name."""
    parts = np.split(whole, np.cumsum([int(np.prod(shape(name))) for name in names])[:-1])
    return {n: part.reshape(shape(n)) for n, part in zip(names, parts, strict=True)}


@pytest.mark.parametrize("seed", range(GRAPHS))
def test_random_graph(seed: int) -> None:
    program = written(seed)
    generated = module(program.graph(*clauses(program)))
    values = values_of(program, seed)
    given = called(program, values)
    others = [path for path in values if path not in program.wrt]
    paths = [*program.wrt, *others]
    whole, everything, hessian = references(program, paths, values)
    rng = np.random.default_rng(seed + 1000)
    tangents = {path: rng.normal(size=program.shapes[path]) for path in program.wrt}
    cotangents = {name: rng.normal(size=program.shape(name)) for name in program.outputs}
    u, v = flat(cotangents), flat(tangents)
    jacobian, hessian = everything[:, : len(v)], hessian[: len(v), : len(v)]

    def values_are(found: Any) -> None:
        assert list(found._asdict()) == program.outputs
        close(flat(found._asdict()), whole)

    out, cache = generated.forward(**given)
    values_are(out)
    expected = shaped(u @ everything, paths, lambda path: program.shapes[path])
    gradients = generated.backward(cache, **cotangents)
    assert list(gradients) == (program.params or program.inputs)
    for path, gradient in gradients.items():
        close(gradient, expected[path][()], what=path)
    loss, gradients = generated.g(**given)
    assert list(gradients) == program.wrt
    close(loss, whole[0])
    close(flat(gradients), jacobian[0], what="grad")

    out, pushed = generated.pushed(**given, tangents=tangents)
    values_are(out)
    assert list(pushed._asdict()) == program.outputs
    close(flat(pushed._asdict()), jacobian @ v, what="jvp")
    out, pulled = generated.pulled(**given, cotangents=cotangents)
    values_are(out)
    assert list(pulled) == program.wrt
    close(flat(pulled), u @ jacobian, what="vjp")
    close(flat(pushed._asdict()) @ u, flat(pulled) @ v, 1e-12, "<u, Jv> = <J'u, v>")

    close(assembled(generated.J(**given), cotangents, tangents), jacobian, what="jacobian")
    out, matrix = generated.J_matrix(**given)
    values_are(out)
    close(matrix, jacobian, what="jacobian_matrix")

    gradients, products = generated.bent(**given, tangents=tangents)
    assert list(gradients) == list(products) == program.wrt
    close(flat(gradients), jacobian[0], what="gradients of hvp")
    close(flat(products), hessian @ v, what="hvp")
    loss, blocks = generated.H(**given)
    close(loss, whole[0])
    close(assembled(blocks, tangents, tangents), hessian, what="hessian")
    matrix = generated.H_matrix(**given)
    close(matrix, hessian, what="hessian_matrix")
    np.testing.assert_array_equal(matrix, matrix.T)


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
