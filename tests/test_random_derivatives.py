"""Every kind of derivative of random graphs, against JAX and against each other."""

from __future__ import annotations

from collections.abc import Mapping
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


def references(program: Program, values: Names) -> tuple[Names, np.ndarray, np.ndarray]:
    """The outputs, their Jacobian by the paths of `wrt`, and the Hessian of the loss, by JAX."""
    shapes = [program.shapes[path] for path in program.wrt]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])

    def outputs(steps: Any) -> Names:
        parts = jnp.split(steps, ends[:-1])
        moved = {
            path: part.reshape(shape)
            for path, part, shape in zip(program.wrt, parts, shapes, strict=True)
        }
        given = {name: value + moved.get(name, 0) for name, value in values.items()}
        return program.jax(given, {n: v for n, v in moved.items() if n not in given})

    def flat_outputs(steps: Any) -> Any:
        return jnp.concatenate([jnp.ravel(value) for value in outputs(steps).values()])

    @jax.jit
    def run(start: Any) -> Any:
        hessian = jax.jacfwd(jax.grad(lambda steps: outputs(steps)["loss"]))(start)
        return outputs(start), jax.jacfwd(flat_outputs)(start), hessian

    found: tuple[Names, np.ndarray, np.ndarray] = run(np.zeros(ends[-1]))
    return found


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


@pytest.mark.parametrize("seed", range(GRAPHS))
def test_random_graph(seed: int) -> None:
    program = written(seed)
    generated = module(program.graph(*clauses(program)))
    values = values_of(program, seed)
    given = called(program, values)
    outputs, jacobian, hessian = references(program, values)
    outputs = {name: np.asarray(outputs[name]) for name in program.outputs}
    rng = np.random.default_rng(seed + 1000)
    tangents = {path: rng.normal(size=program.shapes[path]) for path in program.wrt}
    cotangents = {name: rng.normal(size=value.shape) for name, value in outputs.items()}
    u, v = flat(cotangents), flat(tangents)
    rows = dict(zip(program.outputs, np.split(jacobian, _ends(outputs)[:-1]), strict=True))
    jacobian = np.concatenate([rows[name] for name in program.outputs])

    out, pushed = generated.pushed(**given, tangents=tangents)
    assert list(pushed._asdict()) == program.outputs
    close(flat(out._asdict()), flat(outputs))
    close(flat(pushed._asdict()), jacobian @ v, what="jvp")
    out, pulled = generated.pulled(**given, cotangents=cotangents)
    assert list(pulled) == program.wrt
    close(flat(out._asdict()), flat(outputs))
    close(flat(pulled), u @ jacobian, what="vjp")
    close(flat(pushed._asdict()) @ u, flat(pulled) @ v, 1e-12, "<u, Jv> = <J'u, v>")

    close(assembled(generated.J(**given), outputs, tangents), jacobian, what="jacobian")
    out, matrix = generated.J_matrix(**given)
    close(flat(out._asdict()), flat(outputs))
    close(matrix, jacobian, what="jacobian_matrix")

    loss_row = rows["loss"][0]
    gradients, products = generated.bent(**given, tangents=tangents)
    assert list(gradients) == list(products) == program.wrt
    close(flat(gradients), loss_row, what="gradients of hvp")
    close(flat(products), hessian @ v, what="hvp")
    loss, blocks = generated.H(**given)
    close(loss, outputs["loss"][()])
    close(assembled(blocks, tangents, tangents), hessian, what="hessian")
    matrix = generated.H_matrix(**given)
    close(matrix, hessian, what="hessian_matrix")
    np.testing.assert_array_equal(matrix, matrix.T)


def _ends(values: Mapping[str, Any]) -> np.ndarray:
    return np.cumsum([value.size for value in values.values()])
