"""What the tests of derivatives share: every kind of a graph, compared with JAX and each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

TOLERANCE = 1e-11
Names = dict[str, Any]
Blocks = Mapping[str, Mapping[str, Any]]


def clauses(outputs: Sequence[str], wrt: str, scalar: str) -> list[str]:
    """A clause for every kind."""
    of = ", ".join(outputs)
    return [
        f"value_and_grad {scalar} wrt {wrt} as g",
        f"jvp {of} wrt {wrt} as pushed",
        f"vjp {of} wrt {wrt} as pulled",
        f"jacobian {of} wrt {wrt} as J",
        f"value_and_jacobian_matrix {of} wrt {wrt} as J_matrix",
        f"hvp {scalar} wrt {wrt} as bent",
        f"value_and_hessian {scalar} wrt {wrt} as H",
        f"hessian_matrix {scalar} wrt {wrt} as H_matrix",
    ]


def close(found: Any, expected: Any, tolerance: float = TOLERANCE, what: str = "") -> None:
    """Equal in shape, and in value relative to the largest element."""
    scale = max(1.0, float(np.max(np.abs(expected), initial=0)))
    np.testing.assert_allclose(
        found, expected, rtol=tolerance, atol=tolerance * scale, err_msg=what, strict=True
    )


def flat(values: Mapping[str, Any]) -> np.ndarray:
    return np.concatenate([np.ravel(value) for value in values.values()])


def assembled(blocks: Blocks, rows: Mapping[str, Any], columns: Mapping[str, Any]) -> np.ndarray:
    """Blocks as one matrix, each in the shape of its row and its column."""
    assert list(blocks) == list(rows)
    bands = []
    for row, of in rows.items():
        assert list(blocks[row]) == list(columns)
        for column, by in columns.items():
            assert np.shape(blocks[row][column]) == (*np.shape(of), *np.shape(by)), (row, column)
        flattened = [
            np.reshape(blocks[row][column], (np.size(of), np.size(by)))
            for column, by in columns.items()
        ]
        bands.append(np.concatenate(flattened, axis=1))
    return np.concatenate(bands)


@dataclass(frozen=True)
class Expected:
    """By JAX: the outputs, their Jacobian by everything that moves, the Hessian of one, flat."""

    values: Names
    moving: Names
    jacobian: np.ndarray
    hessian: np.ndarray

    def columns(self, paths: Sequence[str]) -> np.ndarray:
        """The columns of some of the paths, in their order."""
        sizes = [np.size(value) for value in self.moving.values()]
        places = dict(zip(self.moving, np.split(np.arange(sum(sizes)), _ends(sizes)), strict=True))
        return np.concatenate([places[path] for path in paths])


def _ends(sizes: Sequence[int]) -> np.ndarray:
    return np.cumsum(sizes)[:-1]


def shaped(whole: Any, like: Mapping[str, Any]) -> Names:
    """A flat array as arrays by name, of these shapes."""
    parts = np.split(whole, _ends([np.size(one) for one in like.values()]))
    pairs = zip(like.items(), parts, strict=True)
    return {name: part.reshape(np.shape(one)) for (name, one), part in pairs}


def by_jax(run: Callable[[Names], Names], moving: Names, scalar: str) -> Expected:
    """The derivatives of a function from values by name to outputs by name."""
    sizes = [np.size(value) for value in moving.values()]

    def flat_outputs(start: Any) -> Any:
        parts = jnp.split(start, _ends(sizes))
        moved = {
            path: part.reshape(np.shape(value))
            for (path, value), part in zip(moving.items(), parts, strict=True)
        }
        found = run(moved)
        return jnp.concatenate([jnp.ravel(value) for value in found.values()])

    shapes = jax.eval_shape(run, moving)
    names = list(_names(run, moving))
    like = {name: np.empty(shapes[name].shape) for name in names}
    place = int(sum(np.size(like[n]) for n in names[: names.index(scalar)]))

    def outputs_and_gradient(start: Any) -> Any:
        found, pull = jax.vjp(flat_outputs, start)
        return found, pull(jnp.zeros_like(found).at[place].set(1.0))[0]

    @jax.jit
    def all_at_once(start: Any, directions: Any) -> Any:
        found, push = jax.linearize(outputs_and_gradient, start)
        return found[0], *jax.vmap(push, out_axes=-1)(directions)

    start = flat(moving).astype(np.float64)
    found, jacobian, hessian = map(np.asarray, all_at_once(start, np.eye(len(start))))
    return Expected(shaped(found, like), moving, jacobian, hessian)


def _names(run: Callable[[Names], Names], moving: Names) -> list[str]:
    """The names of the outputs in their order: JAX sorts those of a dict."""
    found: list[str] = []

    def named(values: Names) -> int:
        found.extend(run(values))
        return 0

    jax.eval_shape(named, moving)
    return found


def compare(made: ModuleType, given: Names, want: Expected, scalar: str, seed: int = 0) -> None:
    """Every function that `clauses` asks for."""
    outputs = want.values
    whole = flat(outputs)
    rng = np.random.default_rng(seed)
    cotangents = {name: rng.normal(size=value.shape) for name, value in outputs.items()}
    u = flat(cotangents)

    def values_are(found: Any) -> None:
        assert list(found._asdict()) == list(outputs)
        close(flat(found._asdict()), whole)

    out, pulled = made.pulled(**given, cotangents=cotangents)
    values_are(out)
    paths = list(pulled)
    tangents = {path: rng.normal(size=np.shape(want.moving[path])) for path in paths}
    v, chosen = flat(tangents), want.columns(paths)
    jacobian, hessian = want.jacobian[:, chosen], want.hessian[np.ix_(chosen, chosen)]
    gradient = _row(want, scalar)[chosen]
    close(flat(pulled), u @ jacobian, what="vjp")
    for path, one in pulled.items():
        assert np.shape(one) == np.shape(tangents[path])
    value, gradients = made.g(**given)
    close(value, outputs[scalar][()])
    assert list(gradients) == paths
    close(flat(gradients), gradient, what="grad")

    out, pushed = made.pushed(**given, tangents=tangents)
    values_are(out)
    assert list(pushed._asdict()) == list(outputs)
    close(flat(pushed._asdict()), jacobian @ v, what="jvp")
    close(flat(pushed._asdict()) @ u, flat(pulled) @ v, 1e-12, "<u, Jv> = <J'u, v>")

    close(assembled(made.J(**given), cotangents, tangents), jacobian, what="jacobian")
    out, matrix = made.J_matrix(**given)
    values_are(out)
    close(matrix, jacobian, what="jacobian_matrix")

    gradients, products = made.bent(**given, tangents=tangents)
    assert list(gradients) == list(products) == paths
    close(flat(gradients), gradient, what="gradients of hvp")
    close(flat(products), hessian @ v, what="hvp")
    value, blocks = made.H(**given)
    close(value, outputs[scalar][()])
    close(assembled(blocks, tangents, tangents), hessian, what="hessian")
    matrix = made.H_matrix(**given)
    close(matrix, hessian, what="hessian_matrix")
    np.testing.assert_array_equal(matrix, matrix.T)


def _row(want: Expected, scalar: str) -> np.ndarray:
    """The gradient of one output."""
    names = list(want.values)
    before = sum(np.size(want.values[name]) for name in names[: names.index(scalar)])
    return want.jacobian[before]
