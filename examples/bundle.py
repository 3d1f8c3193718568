"""Bundle adjustment: cameras and points from pictures, by scipy.optimize.least_squares.

Residual e_p depends on camera c(p) and point m(p) only. `jacobian e wrt cam, pt per P` gives these
two blocks for each observation, [P, 2, 11] and [P, 2, 3], at the price of two backward passes: one
for each row of a block. `assemble` puts them where they belong in the sparse Jacobian, by hand;
`sparse_jacobian e wrt cams, pts` gives that matrix too.

Pictures do not tell where the world is: moving, turning and scaling everything (3 + 3 + 1 ways)
changes no residual, so that J has rank n - 7 and the noise is spread over 2P - (n - 7) residuals.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from build import OUT, claim, compare, load, run
from scipy.optimize import least_squares
from scipy.optimize._numdiff import approx_derivative  # what least_squares itself differentiates by
from scipy.sparse import csr_array

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

CAMERAS, POINTS = 8, 60
NOISE = 0.5  # pixels
GAUGE = 7


class World(NamedTuple):
    """Cameras, points, and which camera saw which point where."""

    cams: Floats
    pts: Floats
    obs: Integers
    feat: Floats


def looking(centre: Floats, at: Floats, rng: np.random.Generator) -> Floats:
    """The rotation vector of a camera at `centre` that looks at `at`, roughly upright."""
    ahead = (at - centre) / np.linalg.norm(at - centre)
    right = np.cross([0.0, 0.0, 1.0], ahead) + rng.normal(scale=0.1, size=3)
    right -= ahead * (right @ ahead)
    right /= np.linalg.norm(right)
    R = np.stack([right, np.cross(ahead, right), ahead])
    angle = np.arccos((np.trace(R) - 1) / 2)
    axis = np.array([R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1]])
    return axis * angle / (2 * np.sin(angle))


def generate(seed: int) -> World:
    """A ring of cameras around a cloud of points; a camera sees about two thirds of them."""
    rng = np.random.default_rng(seed)
    pts = rng.uniform(-2, 2, size=(POINTS, 3))
    cams = np.empty((CAMERAS, 11))
    for camera, turn in zip(cams, np.arange(CAMERAS) * 2 * np.pi / CAMERAS, strict=True):
        centre = np.array([9 * np.cos(turn), 9 * np.sin(turn), rng.uniform(-3, 3)])
        camera[:3] = looking(centre, rng.uniform(-0.5, 0.5, size=3), rng)
        camera[3:6] = centre
        camera[6] = rng.uniform(900, 1100)
        camera[7:9] = rng.uniform(-20, 20, size=2)
        camera[9:11] = rng.uniform(-0.1, 0.1), rng.uniform(-0.05, 0.05)
    obs = np.argwhere(rng.uniform(size=(CAMERAS, POINTS)) < 2 / 3)
    return World(cams, pts, obs, np.zeros((len(obs), 2)))


def assemble(cam: Floats, pt: Floats, world: World) -> csr_array:
    """The Jacobian of all residuals by (cams, pts), [2 P, 11 C + 3 M], from its blocks.

    Row 2 p + i holds row i of block p: 11 columns of the camera, then 3 of the point.
    """
    C, M, P = len(world.cams), len(world.pts), len(world.obs)
    of_camera = 11 * world.obs[:, :1] + np.arange(11)
    of_point = 11 * C + 3 * world.obs[:, 1:] + np.arange(3)
    columns = np.repeat(np.concatenate([of_camera, of_point], axis=1), 2, axis=0)
    values = np.concatenate([cam, pt], axis=2)
    starts = 14 * np.arange(2 * P + 1)
    return csr_array((values.ravel(), columns.ravel(), starts), shape=(2 * P, 11 * C + 3 * M))


def disturbed(truth: World, rng: np.random.Generator) -> Floats:
    """Where the search begins: every camera and every point off by a few per cent."""
    camera = [0.02] * 3 + [0.2] * 3 + [20.0] + [5.0] * 2 + [0.02] * 2
    spread = np.concatenate([np.tile(camera, len(truth.cams)), np.full(truth.pts.size, 0.1)])
    vector = np.concatenate([truth.cams.ravel(), truth.pts.ravel()])
    return vector + spread * rng.normal(size=vector.size)


def aligned(pts: Floats, to: Floats) -> Floats:
    """Points moved, turned and scaled as one to lie closest to others (Umeyama 1991)."""
    here, there = pts - pts.mean(axis=0), to - to.mean(axis=0)
    U, strength, V = np.linalg.svd(there.T @ here)
    signs = np.array([1, 1, np.linalg.det(U @ V)])
    scale = strength @ signs / np.sum(here**2)
    return scale * here @ (U * signs @ V).T + to.mean(axis=0)


def rms(values: Floats) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def main(out: Path = OUT) -> None:
    net = load("bundle", out)
    truth = generate(seed=10)
    rng = np.random.default_rng(11)
    projected = net.residuals(*truth)[0]  # the features being 0
    world = truth._replace(feat=projected + rng.normal(scale=NOISE, size=projected.shape))
    start = disturbed(world, rng)

    def split(vector: Floats) -> tuple[Floats, Floats]:
        cams, pts = np.split(vector, [world.cams.size])
        return cams.reshape(-1, 11), pts.reshape(-1, 3)

    def residuals(vector: Floats) -> Floats:
        return net.forward(*split(vector), world.obs, world.feat)[0].e.ravel()

    def jacobian(vector: Floats) -> csr_array:
        _, blocks = net.residuals(*split(vector), world.obs, world.feat)
        return assemble(blocks["e"]["cam"], blocks["e"]["pt"], world)

    J = jacobian(start)
    rows, n = J.shape
    print(f"Bundle adjustment: {CAMERAS} cameras, {POINTS} points, {len(world.obs)} observations")
    print(f"  J is {J.shape}, and {J.nnz / (rows * n):.1%} of it are the blocks")
    some = rng.choice(n, size=20, replace=False)

    def moving(values: Floats) -> Floats:
        vector = start.copy()
        vector[some] = values
        return residuals(vector)

    numerical = approx_derivative(moving, start[some], method="3-point")
    compare("20 columns of J = numerical derivatives", J.toarray()[:, some], numerical, 1e-7)

    by_graphc = net.J(*split(start), world.obs, world.feat)
    compare("J, assembled from blocks = sparse_jacobian", J.toarray(), by_graphc.toarray())

    # lsmr solves each step; where J has not full rank it needs more than its n iterations.
    fit = least_squares(
        residuals,
        start,
        jac=jacobian,
        method="trf",
        x_scale="jac",
        tr_options={"maxiter": 4 * n, "atol": 1e-10, "btol": 1e-10},
    )
    before, after = rms(residuals(start)), rms(fit.fun)
    print(f"  {fit.nfev} steps: reprojection error {before:.2f} → {after:.4f} pixels")
    lengths = np.linalg.norm(fit.jac.toarray(), axis=0) * np.linalg.norm(fit.fun)
    slope = np.max(np.abs(fit.grad) / lengths)
    claim(
        "the fit has converged: e is at right angles to every column of J",
        fit.success and slope < 1e-4,
        f"{slope:.0e}",
    )

    print("What pictures tell, and what they do not")
    J = fit.jac.toarray()
    strengths = np.linalg.svd(J / np.linalg.norm(J, axis=0), compute_uv=False)
    smallest, vanishing = strengths[-GAUGE - 1], strengths[-GAUGE]
    claim(
        f"J has rank n - {GAUGE}: {GAUGE} singular values vanish",
        vanishing < 1e-12 < 1e-6 < smallest,
        f"{smallest:.0e}, then {vanishing:.0e}",
    )
    free = rows - (n - GAUGE)
    noise, doubt = after * np.sqrt(rows / free), NOISE / np.sqrt(2 * free)
    print(f"  {rows} residuals of {n} - {GAUGE} unknowns leave {free} degrees of freedom,")
    print(f"  so that the error must be about {NOISE * np.sqrt(free / rows):.4f} pixels")
    claim(
        "the noise, estimated from the fit, is that of the pictures",
        abs(noise - NOISE) < 3 * doubt,
        f"{noise:.3f} for {NOISE} ± {doubt:.3f}",
    )
    placed = [aligned(split(vector)[1], truth.pts) for vector in (start, fit.x)]
    away, off = (rms(pts - truth.pts) for pts in placed)
    claim(
        "the points, moved, turned and scaled as one, lie where they were",
        off < away / 5,
        f"off by {off:.4f}, before {away:.4f}",
    )


if __name__ == "__main__":
    run(main)
