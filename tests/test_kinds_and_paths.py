"""Every kind of derivative by every kind of path, with and without `per`, against differences."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from conftest import long, module

from graphc.kinds import ALONE
from graphc.source import GraphError

pytestmark = pytest.mark.levels

GRAPH = """
dim B
input x: [B, 2]
param w: [2]
inner = dense(x, 2, act=tanh) as f
z = inner * w
repeat r[k in 1..3] carry h = z { param p: [2]; next h = sin(h * p) + 0.1 * z }
g = r.1.p * 2
output y: [B, 2] = h * z * g
output u: [B] = sum(y**2, axis=1)
output loss = sum(u)
"""
B = 3
SHAPES: dict[str, tuple[int, ...]] = {
    "x": (B, 2), "w": (2,), "f.W": (2, 2), "f.b": (2,), "r.1.p": (2,), "r.2.p": (2,),
    "r.3.p": (2,), "z": (B, 2), "g": (2,),
}  # fmt: skip
"""Of each path; what is of the nodes `z` and `g` is what is added to them."""
OUTPUTS: dict[str, tuple[int, ...]] = {"y": (B, 2), "u": (B,), "loss": ()}
ALONG = ("x", "z")

SHORT = ["z", "r.*", "r.2.p, f.W"]
LONG = ["x, w", "params", "r.1.p, g, z, f.*", "r.3.p, r.1.p, x"]
"""The last two have everything, and take as long as all others."""
PATHS = [*SHORT, *map(long, LONG)]
KINDS = {
    "grad": "loss", "vjp": "y, u", "jvp": "y, u", "jacobian": "y, u, loss",
    "jacobian_matrix": "y, u", "sparse_jacobian": "y, u", "hvp": "loss", "hessian": "loss",
    "hessian_matrix": "loss", "sparse_hessian": "loss",
}  # fmt: skip
PER = {
    "grad": "loss", "jacobian": "y, u", "jacobian_matrix": "y, u", "hvp": "loss",
    "hessian": "loss", "hessian_matrix": "loss",
}  # fmt: skip


def _text(paths: str) -> str:
    clauses = [f"derive {kind} {of} wrt {paths} as {kind}_all" for kind, of in KINDS.items()]
    clauses += [f"derive {kind} {of} wrt {paths} per B as {kind}_per" for kind, of in PER.items()]
    return "\n".join([GRAPH.strip(), *clauses, ""])


# ---- by hand ------------------------------------------------------------------------------------

SIZES = [int(np.prod(shape)) for shape in SHAPES.values()]
ENDS = np.cumsum(SIZES)
PLACES = {
    path: np.arange(end - size, end)
    for path, size, end in zip(SHAPES, SIZES, ENDS, strict=True)
}  # fmt: skip
ROWS = {"y": np.arange(2 * B), "u": np.arange(2 * B, 3 * B), "loss": np.array([3 * B])}


def _start() -> np.ndarray:
    start = np.random.default_rng(0).uniform(0.3, 1, ENDS[-1])
    start[PLACES["z"]] = start[PLACES["g"]] = 0
    return start


def _outputs(at: np.ndarray) -> np.ndarray:
    """y, u and loss; also at complex numbers."""
    p = {path: at[PLACES[path]].reshape(shape) for path, shape in SHAPES.items()}
    z = np.tanh(p["x"] @ p["f.W"] + p["f.b"]) * p["w"] + p["z"]
    h = z
    for k in (1, 2, 3):
        h = np.sin(h * p[f"r.{k}.p"]) + 0.1 * z
    y = h * z * (2 * p["r.1.p"] + p["g"])
    u = (y**2).sum(1)
    return np.concatenate([y.ravel(), u, [u.sum()]])


def _jacobian(at: np.ndarray) -> np.ndarray:
    """By complex steps, which are exact (Squire and Trapp 1998)."""
    ways = np.eye(len(at)) * 1e-30j
    return np.stack([_outputs(at + way).imag / 1e-30 for way in ways], axis=-1)


@cache
def _known() -> tuple[np.ndarray, np.ndarray]:
    """The first and the second derivatives: differences of the first, extrapolated."""
    start = _start()
    found = []
    for way in np.eye(len(start)):
        rough = [
            (_jacobian(start + s * way) - _jacobian(start - s * way)) / (2 * s)
            for s in (1e-2, 5e-3, 2.5e-3)
        ]
        once = [(4 * b - a) / 3 for a, b in pairwise(rough)]
        found.append((16 * once[1] - once[0]) / 15)
    return _jacobian(start), np.stack(found, axis=-1)


def _block(whole: np.ndarray, shape: tuple[int, ...], *paths: str) -> np.ndarray:
    """The columns of some paths, in their shapes."""
    for axis, path in enumerate(paths, whole.ndim - len(paths)):
        whole = np.take(whole, PLACES[path], axis)
    return whole.reshape(*shape, *(n for path in paths for n in SHAPES[path]))


def _apart(block: np.ndarray, *paths: str) -> np.ndarray:
    """Position p of a block [B, …] in which each path that has the axis has it at p."""
    rows = []
    for p, row in enumerate(block):
        place = row.ndim - sum(len(SHAPES[path]) for path in paths)
        for path in paths:
            if path in ALONG:
                row = np.take(row, p, place)
                place -= 1
            place += len(SHAPES[path])
        rows.append(row)
    return np.stack(rows)


def _close(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8, strict=True)


# ---- the table --------------------------------------------------------------------------------


def test_every_kind_is_in_the_table() -> None:
    assert {*KINDS} == {kind.name for kind in ALONE if kind.order}
    assert {*PER} == {kind.name for kind in ALONE if kind.per}


@pytest.mark.parametrize("paths", PATHS)
def test_every_kind(paths: str) -> None:
    made, start = module(_text(paths)), _start()
    values = {path: start[PLACES[path]].reshape(shape) for path, shape in SHAPES.items()}
    params = {path: values[path] for path in made.PARAMETERS}
    given = {"params": params, "x": values["x"]}
    first, second = _known()
    J = {out: first[rows] for out, rows in ROWS.items()}
    rng = np.random.default_rng(1)

    gradients = made.grad_all(**given)
    chosen = list(gradients)
    ways = {path: rng.normal(size=SHAPES[path]) for path in chosen}
    for path, gradient in gradients.items():
        _close(gradient, _block(J["loss"], (), path))

    cotangents = {"y": rng.normal(size=(B, 2)), "u": rng.normal(size=B)}
    weights = np.concatenate([cotangents["y"].ravel(), cotangents["u"]])
    for path, pulled in made.vjp_all(**given, cotangents=cotangents)[1].items():
        _close(pulled, _block(weights @ first[: 3 * B], (), path))
    pushed = made.jvp_all(**given, tangents=ways)[1]
    for out in ("y", "u"):
        moved = sum(J[out][:, PLACES[path]] @ way.ravel() for path, way in ways.items())
        _close(getattr(pushed, out), moved.reshape(OUTPUTS[out]))

    for out, blocks in made.jacobian_all(**given).items():
        for path, block in blocks.items():
            _close(block, _block(J[out], OUTPUTS[out], path))
    columns = np.concatenate([PLACES[path] for path in chosen])
    _close(made.jacobian_matrix_all(**given), first[: 3 * B, columns])
    _close(made.sparse_jacobian_all(**given).toarray(), first[: 3 * B, columns])

    flat = np.concatenate([way.ravel() for way in ways.values()])
    _check_second(made, given, chosen, ways, second[-1], columns, flat)
    _check_per(made, given, chosen, ways, J, second[ROWS["u"]])


def _check_second(
    made: Any, given: Any, chosen: Any, ways: Any, bend: Any, columns: Any, flat: Any
) -> None:
    for path, product in made.hvp_all(**given, tangents=ways)[1].items():
        _close(product, _block(bend[:, columns] @ flat, (), path))
    for a, row in made.hessian_all(**given).items():
        for b, block in row.items():
            _close(block, _block(bend, (), a, b))
    whole = bend[np.ix_(columns, columns)]
    _close(made.hessian_matrix_all(**given), whole)
    _close(made.sparse_hessian_all(**given).toarray(), whole)


def _check_per(made: Any, given: Any, chosen: Any, ways: Any, J: Any, bends: Any) -> None:
    """`per B`: the rows of y and u; u is what each position contributes to the loss."""
    for path, rows in made.grad_per(**given).items():
        _close(rows, _apart(_block(J["u"], (B,), path), path))
    wide = []
    for out, blocks in made.jacobian_per(**given).items():
        for path, block in blocks.items():
            _close(block, _apart(_block(J[out], OUTPUTS[out], path), path))
        size = 2 if out == "y" else 1
        parts = [block.reshape(B, size, -1) for block in blocks.values()]
        wide.append(np.concatenate(parts, axis=2))
    _close(made.jacobian_matrix_per(**given), np.concatenate(wide, axis=1))

    hessian = made.hessian_per(**given)
    bands = []
    for a, row in hessian.items():
        for b, block in row.items():
            _close(block, _apart(_block(bends, (B,), a, b), a, b))
        size = int(np.prod(SHAPES[a])) // (B if a in ALONG else 1)
        bands.append(np.concatenate([block.reshape(B, size, -1) for block in row.values()], 2))
    _close(made.hessian_matrix_per(**given), np.concatenate(bands, axis=1))
    for a, product in made.hvp_per(**given, tangents=ways)[1].items():
        total = 0
        for b, way in ways.items():
            block = hessian[a][b]
            for p in range(B):
                one = way[p] if b in ALONG else way
                moved = np.tensordot(block[p], one, one.ndim)
                total = total + np.eye(B)[p].reshape(B, *(1,) * moved.ndim) * moved
        _close(product, total)


@pytest.mark.parametrize(
    ("paths", "twice"),
    [("r.*, r.2.p", "r.2.p"), ("r.2.p, r.*", "r.2.p"), ("r.2.*, r.2.p", "r.2.p")],
)
def test_a_member_and_its_family_are_refused(paths: str, twice: str) -> None:
    with pytest.raises(GraphError) as wrong:
        module(f"{GRAPH}derive grad loss wrt {paths}\n")
    (diagnostic,) = wrong.value.diagnostics
    assert (diagnostic.code, diagnostic.message) == ("E403", f"`{twice}` stands twice after `wrt`")
