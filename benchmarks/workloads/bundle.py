"""i. ADBench's bundle adjustment, 49 cameras, 7,776 points and 31,843 observations: the residuals
and their Jacobian by observation, and the gradient of half the sum of their squares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.adbench import bundle
from benchmarks.bounds import in_numba
from benchmarks.generated import WORKLOADS, Source, build, graphc
from benchmarks.harness import DTYPES, Case, Contestant, Result, Run, Workload
from benchmarks.peers import (
    Library,
    casadi_call,
    jax_data,
    jax_library,
    peers,
    torch_data,
    torch_library,
)
from benchmarks.workloads.bundle_by_hand import (
    blocks,
    naive,
    naive_gradient,
    optimised,
    optimised_gradient,
)

JACOBIAN = Source(WORKLOADS / "bundle.graph")
GRADIENT = Source(
    WORKLOADS / "bundle.graph", ("value_and_grad loss wrt cams, pts, wt as gradient",)
)
Array = np.ndarray
OWN = "benchmarks.workloads.bundle_in_numba"


def case(modules: Path, dtype: str) -> Case:
    """ADBench's data."""
    params, inputs = bundle("ba1_n49_m7776_p31843")
    return _case(f"{len(params['wt']):,} observations, {dtype}", modules, dtype, params, inputs)


def _case(
    name: str, modules: Path, dtype: str, params: Mapping[str, Array], inputs: Mapping[str, Array]
) -> Case:
    """Projections cancel against features of hundreds of pixels, to less than one: in float32 that
    leaves three digits of what has the difference as a factor, which is all of the gradient."""
    cancelled = ("value", "e/wt", *params) if dtype == "float32" else ()
    return Case(
        name,
        dtype,
        {path: array.astype(dtype) for path, array in params.items()},
        {"obs": inputs["obs"], "feat": inputs["feat"].astype(dtype)},
        modules,
        allowed=dict.fromkeys(cancelled, 1e-2),
    )


def cases(modules: Path) -> Sequence[Case]:
    """In two precisions."""
    return [case(modules, dtype) for dtype in DTYPES]


def small(modules: Path) -> Sequence[Case]:
    """Two cameras, five points and eight observations, which all differ; a camera is not turned."""
    rng = np.random.default_rng(0)
    params, inputs = bundle("ba1_n49_m7776_p31843")
    cams = params["cams"][:2] * (1 + 0.01 * rng.normal(size=(2, 11)))
    cams[1, :3] = 0
    few = {
        "cams": cams,
        "pts": params["pts"][:5] + rng.normal(size=(5, 3)),
        "wt": rng.uniform(0.5, 1.5, 8),
    }
    obs = np.stack([rng.integers(0, 2, 8), rng.integers(0, 5, 8)], axis=1)
    given = {"obs": obs, "feat": inputs["feat"][:8] + rng.normal(size=(8, 2))}
    return [_case(f"8 observations, {dtype}", modules, dtype, few, given) for dtype in DTYPES]


# ---- by libraries ------------------------------------------------------------------------------


def residual(library: Library, cam: Any, pt: Any, wt: Any, feat: Any) -> Any:
    """Of one observation, or of all: cam [..., 11], pt [..., 3], wt [...], feat [..., 2]."""
    np_ = library.np

    def over(a: Any, b: Any) -> Any:
        a0, a1, a2, b0, b1, b2 = (v[..., k] for v in (a, b) for k in range(3))
        return np_.stack([a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0], -1)

    r, X = cam[..., :3], pt - cam[..., 3:6]
    square = np_.sum(r * r, -1)
    theta = np_.sqrt(np_.where(square > 0, square, 1.0))[..., None]
    w, c = r / theta, np_.cos(theta)
    straight = w * (np_.sum(w * X, -1)[..., None] * (1 - c))
    Y = X * c + over(w, X) * np_.sin(theta) + straight
    Y = np_.where(square[..., None] > 0, Y, X + over(r, X))
    p = Y[..., :2] / Y[..., 2:]
    rho = np_.sum(p * p, -1)[..., None]
    q = p * (1 + cam[..., 9:10] * rho + cam[..., 10:] * rho * rho)
    return wt[..., None] * (q * cam[..., 6:7] + cam[..., 7:9] - feat)


def loss(library: Library, p: Any, obs: Any, feat: Any) -> Any:
    """Half the sum of all squares."""
    e = residual(library, p["cams"][obs[:, 0]], p["pts"][obs[:, 1]], p["wt"], feat)
    return (library.np.sum(e * e) + library.np.sum((1 - p["wt"] ** 2) ** 2)) / 2


def observed(given: tuple[Any, Any]) -> Callable[[], tuple[Any, ...]]:
    """Camera, point, weight and feature of each observation."""
    p, inputs = given
    obs, feat = inputs["obs"], inputs["feat"]
    return lambda: (p["cams"][obs[:, 0]], p["pts"][obs[:, 1]], p["wt"], feat)


def jax_jacobian(case: Case, mode: str) -> Run:
    """JAX, by `jacrev` or `jacfwd`."""
    import jax

    library, given = jax_library(), jax_data(case)

    def one(*of: Any) -> Any:
        e = residual(library, *of)
        return e, e

    differentiate = getattr(jax, mode)(one, argnums=(0, 1, 2), has_aux=True)

    @jax.jit
    def compiled(given: Any) -> Result:
        rows, e = jax.vmap(differentiate)(*observed(given)())
        return blocks(e, *rows, -2 * given[0]["wt"])

    return lambda: jax.block_until_ready(compiled(given))


def torch_jacobian(case: Case) -> Run:
    """PyTorch, by `torch.func.jacrev`."""
    import torch

    library, given = torch_library(), torch_data(case)

    def one(*of: Any) -> Any:
        e = residual(library, *of)
        return e, e

    each = torch.func.vmap(torch.func.jacrev(one, argnums=(0, 1, 2), has_aux=True))
    select = observed(given)

    def call() -> Result:
        rows, e = each(*select())
        return blocks(e, *rows, -2 * given[0]["wt"])

    return call


def casadi_jacobian(case: Case) -> Run:
    """CasADi: a function of scalars for one observation, mapped over all of them."""
    import casadi

    (cams, pts, wt), (obs, feat) = case.params.values(), case.inputs.values()
    cam, pt, weight, feature = (
        casadi.SX.sym(name, size) for name, size in (("cam", 11), ("pt", 3), ("wt", 1), ("feat", 2))
    )
    r, X = cam[:3], pt - cam[3:6]
    square = casadi.sumsqr(r)
    theta = casadi.sqrt(casadi.if_else(square > 0, square, 1))
    w, c = r / theta, casadi.cos(theta)
    turned = X * c + casadi.cross(w, X) * casadi.sin(theta) + w * (casadi.dot(w, X) * (1 - c))
    Y = casadi.if_else(square > 0, turned, X + casadi.cross(r, X))
    p = Y[:2] / Y[2]
    rho = casadi.sumsqr(p)
    q = p * (1 + cam[9] * rho + cam[10] * rho**2)
    e = weight * (q * cam[6] + cam[7:9] - feature)
    rows = [casadi.densify(casadi.jacobian(e, by)) for by in (cam, pt, weight)]
    one = casadi.Function("one", [cam, pt, weight, feature], [e, *rows, -2 * weight])
    count = len(wt)
    camera, point = np.empty((count, 11)), np.empty((count, 3))
    given = [camera.T, point.T, wt[None, :], np.ascontiguousarray(feat).T]
    evaluate, results = casadi_call(one.map(count), given)
    by_camera, by_point = (
        a.reshape(2, -1, count, order="F").transpose(2, 0, 1) for a in results[1:3]
    )
    result = blocks(results[0].T, by_camera, by_point, results[3].T, results[4][0])

    def call() -> Result:
        np.take(cams, obs[:, 0], axis=0, out=camera)
        np.take(pts, obs[:, 1], axis=0, out=point)
        evaluate()
        return result

    return call


def named(residuals: tuple[Any, Any], weights: tuple[Any, Any]) -> Result:
    """What `Je` and `Jw` of the module return."""
    (e, J), (_, own) = residuals, weights
    return blocks(e, *(J["e"][path] for path in ("cam", "pt", "wt")), own["ew"]["wt"])


WORKLOAD = Workload(
    name="i",
    title="i. bundle.graph, ADBench's bundle adjustment, residuals and Jacobian",
    build=partial(build, JACOBIAN),
    cases=cases,
    small=small,
    contestants=(
        *graphc(JACOBIAN, "Je", "Jw", shape=named),
        Contestant("NumPy naive", naive),
        Contestant("NumPy optimised", optimised),
        Contestant("Numba", in_numba("in_numba", OWN), needs="numba"),
        Contestant("torch.func.jacrev", torch_jacobian, needs="torch"),
        Contestant("JAX jacrev", partial(jax_jacobian, mode="jacrev"), needs="jax"),
        Contestant("JAX jacfwd", partial(jax_jacobian, mode="jacfwd"), needs="jax"),
        Contestant("CasADi", casadi_jacobian, needs="casadi", dtypes=("float64",)),
    ),
    reference=naive,
)

GRADIENT_WORKLOAD = Workload(
    name="i-gradient",
    title="i. bundle.graph, half the sum of squares, value and all gradients",
    build=partial(build, GRADIENT),
    cases=cases,
    small=small,
    contestants=(
        *graphc(GRADIENT, "gradient"),
        Contestant("NumPy naive", naive_gradient),
        Contestant("NumPy optimised", optimised_gradient),
        Contestant("Numba", in_numba("gradient_in_numba", OWN), needs="numba"),
        *peers(loss),
    ),
    reference=naive_gradient,
)
