"""Bundle adjustment in NumPy: residuals, their Jacobian, and the gradient of their squares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.harness import Case, Result, Run

BLOCK = 8192  # observations: few calls, and what they need at once is still in a cache
Array = np.ndarray
Three = tuple[Array, Array, Array]  # a vector for each observation, by component


def skew(v: Array) -> Array:
    """The matrices [P, 3, 3] of the cross product with v [P, 3]."""
    x, y, z = v.T
    zero = np.zeros_like(x)
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(-1, 3, 3)


def jacobian(cam: Array, pt: Array, wt: Array, feat: Array) -> tuple[Array, ...]:
    """Residuals e [P, 2] of observations, and their derivatives by camera, point and weight.

    Turned points: Y = R X with R = cos θ + sin θ [w]× + (1 - cos θ) w wᵀ and r = θ w; its
    derivative by r is that by θ times wᵀ, and that by w times (1 - w wᵀ) / θ.
    """
    r, X, focal, k1, k2 = cam[:, :3], pt - cam[:, 3:6], cam[:, 6], cam[:, 9], cam[:, 10]
    square = (r**2).sum(axis=1)
    turned = (square > 0)[:, None, None]
    theta = np.sqrt(np.where(square > 0, square, 1))
    w = r / theta[:, None]
    c, s = np.cos(theta)[:, None, None], np.sin(theta)[:, None, None]
    unit, outer = np.eye(3, dtype=cam.dtype), w[:, :, None] * w[:, None, :]
    wX = (w * X).sum(axis=1)[:, None, None]
    R = np.where(turned, c * unit + s * skew(w) + (1 - c) * outer, unit)
    by_theta = (c * skew(w) - s * unit + s * outer) @ X[:, :, None]
    by_w = (1 - c) * (wX * unit + w[:, :, None] * X[:, None, :]) - s * skew(X)
    by_r = by_theta * w[:, None, :] + by_w @ (unit - outer) / theta[:, None, None]
    by_r = np.where(turned, by_r, -skew(X))
    Y = (R @ X[:, :, None])[:, :, 0]

    p = Y[:, :2] / Y[:, 2:]
    square = (p**2).sum(axis=1)
    distortion = 1 + k1 * square + k2 * square**2
    q = p * distortion[:, None]
    difference = q * focal[:, None] + cam[:, 7:9] - feat
    plane = np.zeros((len(cam), 2, 3), cam.dtype)  # ∂p/∂Y
    plane[:, 0, 0] = plane[:, 1, 1] = 1 / Y[:, 2]
    plane[:, :, 2] = -p / Y[:, 2:]
    bent = distortion[:, None, None] * np.eye(2, dtype=cam.dtype)  # ∂q/∂p
    bent += 2 * (k1 + 2 * k2 * square)[:, None, None] * p[:, :, None] * p[:, None, :]
    chain = (wt * focal)[:, None, None] * bent @ plane
    by_camera = np.zeros((len(cam), 2, 11), cam.dtype)
    by_camera[:, :, :3] = chain @ by_r
    by_point = chain @ R
    by_camera[:, :, 3:6] = -by_point
    by_camera[:, :, 6] = wt[:, None] * q
    by_camera[:, 0, 7] = by_camera[:, 1, 8] = wt
    by_camera[:, :, 9] = (wt * focal * square)[:, None] * p
    by_camera[:, :, 10] = (wt * focal * square**2)[:, None] * p
    return wt[:, None] * difference, by_camera, by_point, difference


def blocks(e: Any, by_camera: Any, by_point: Any, by_weight: Any, own: Any) -> Result:
    """The residuals and the blocks of their Jacobian, by their names."""
    return e, {"e/cam": by_camera, "e/pt": by_point, "e/wt": by_weight, "ew/wt": own}


def naive(case: Case) -> Run:
    """Matrices of 3 × 3 for all observations at once."""
    (cams, pts, wt), (obs, feat) = case.params.values(), case.inputs.values()
    return lambda: blocks(*jacobian(cams[obs[:, 0]], pts[obs[:, 1]], wt, feat), -2 * wt)


def naive_gradient(case: Case) -> Run:
    """Residuals times the Jacobian, added up by camera and point."""
    (cams, pts, wt), (obs, feat) = case.params.values(), case.inputs.values()

    def call() -> Result:
        e, *factors = jacobian(cams[obs[:, 0]], pts[obs[:, 1]], wt, feat)
        by_camera, by_point = (np.einsum("pi,pij->pj", e, factor) for factor in factors[:2])
        own = 1 - wt**2
        g = {"cams": np.zeros_like(cams), "pts": np.zeros_like(pts)}
        np.add.at(g["cams"], obs[:, 0], by_camera)
        np.add.at(g["pts"], obs[:, 1], by_point)
        g["wt"] = (e * factors[2]).sum(axis=1) - 2 * wt * own
        return ((e**2).sum() + (own**2).sum()) / 2, g

    return call


def cross(a: Three, b: Three) -> Three:
    """a × b."""
    (a0, a1, a2), (b0, b1, b2) = a, b
    return a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0


def dot(a: Three, b: Three) -> Array:
    """a · b."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def project(cam: Array, pt: Array, feat: Array) -> tuple[Any, ...]:
    """By component, of cam [11, P], pt [3, P] and feat [2, P]: projection minus feature; what
    `pull` needs; and the factors p, ρ = |p|² and the distortion of the derivatives by camera."""
    r, X = cam[:3], pt - cam[3:6]
    square = dot(r, r)
    turned = square > 0
    theta = np.sqrt(np.where(turned, square, 1))
    inverse = 1 / theta
    w = r * inverse
    # where a camera is not turned: no term but X + r × X is left, and its derivative by r
    c, s = np.where(turned, np.cos(theta), 1), np.where(turned, np.sin(theta), 0)
    wX, over = dot(w, X), np.cross(w, X, axis=0)
    rest = wX * (1 - c)
    Y = X * c + over * s + w * rest
    z = 1 / Y[2]
    p = Y[:2] * z
    rho = p[0] * p[0] + p[1] * p[1]
    bend = 1 + rho * (cam[9] + cam[10] * rho)
    difference = p * (bend * cam[6]) + cam[7:9] - feat
    by_theta = over * c + w * (wX * s) - X * s
    slope = 2 * (cam[9] + 2 * cam[10] * rho)
    return difference, (X, w, c, s, wX, inverse, by_theta, turned, z, slope), p, rho, bend


def pull(d: Sequence[Array], saved: tuple[Any, ...], p: Array, bend: Array) -> tuple[Three, Three]:
    """From a row of ∂/∂q, q the distorted p, to rows of derivatives by rotation and by point."""
    X, w, c, s, wX, inverse, by_theta, turned, z, slope = saved
    along = (d[0] * p[0] + d[1] * p[1]) * slope
    b0, b1 = (d[0] * bend + along * p[0]) * z, (d[1] * bend + along * p[1]) * z
    b: Three = (b0, b1, -(b0 * p[0] + b1 * p[1]))
    bw, bX, through = dot(b, w), cross(b, X), cross(b, w)
    rest = bw * (1 - c)
    p0, p1, p2 = (c * b[k] + s * through[k] + rest * w[k] for k in range(3))
    straight = wX * (1 - c)
    by_w = tuple(straight * b[k] + rest * X[k] - s * bX[k] for k in range(3))
    ahead = dot(b, by_theta) - dot(by_w, w) * inverse
    r0, r1, r2 = (np.where(turned, ahead * w[k] + by_w[k] * inverse, -bX[k]) for k in range(3))
    return (r0, r1, r2), (p0, p1, p2)


def optimised(case: Case) -> Run:
    """By component and block: no small matrices, and only rows of the Jacobian are multiplied.

    The blocks of the Jacobian are views [P, 2, 11] and [P, 2, 3] of arrays whose last axis is P.
    """
    (cams, pts, wt), (obs, feat) = case.params.values(), case.inputs.values()
    by_camera, by_point = (np.zeros((2, n, len(wt)), case.dtype) for n in (11, 3))
    e, difference = (np.empty((2, len(wt)), case.dtype) for _ in range(2))
    camera, point = np.ascontiguousarray(obs.T)
    featT = np.ascontiguousarray(feat.T)
    own, minus = np.empty_like(wt), np.asarray(-2, case.dtype)
    parts = [slice(k, k + BLOCK) for k in range(0, len(wt), BLOCK)]
    found = (array.transpose(2, 0, 1) for array in (by_camera, by_point))
    result = blocks(e.T, *found, difference.T, own)

    def call() -> Result:
        camT, ptT = np.ascontiguousarray(cams.T), np.ascontiguousarray(pts.T)
        np.multiply(wt, minus, out=own)
        for part in parts:
            cam = camT.take(camera[part], axis=1)
            off, saved, p, rho, bend = project(cam, ptT.take(point[part], axis=1), featT[:, part])
            weight, J = wt[part], by_camera[:, :, part]
            wf = weight * cam[6]
            difference[:, part] = off
            np.multiply(off, weight, out=e[:, part])
            zero = np.zeros_like(wf)
            for row, seed in enumerate(((wf, zero), (zero, wf))):
                by_r, by_X = pull(seed, saved, p, bend)
                J[row, :3], by_point[row, :, part] = by_r, by_X
                np.negative(by_point[row, :, part], out=J[row, 3:6])
            np.multiply(p, bend * weight, out=J[:, 6])
            J[0, 7] = J[1, 8] = weight
            np.multiply(p, wf * rho, out=J[:, 9])
            np.multiply(J[:, 9], rho, out=J[:, 10])
        return result

    return call


def optimised_gradient(case: Case) -> Run:
    """As above, but one row is pulled back, and `bincount` adds up."""
    (cams, pts, wt), (obs, feat) = case.params.values(), case.inputs.values()
    camera, point = np.ascontiguousarray(obs.T)
    featT = np.ascontiguousarray(feat.T)
    by_camera, by_point = (np.empty((n, len(wt)), case.dtype) for n in (11, 3))
    g = {path: np.empty_like(array) for path, array in case.params.items()}
    parts = [slice(k, k + BLOCK) for k in range(0, len(wt), BLOCK)]

    def call() -> Result:
        camT, ptT = np.ascontiguousarray(cams.T), np.ascontiguousarray(pts.T)
        value = 0.0
        for part in parts:
            cam = camT.take(camera[part], axis=1)
            off, saved, p, rho, bend = project(cam, ptT.take(point[part], axis=1), featT[:, part])
            weight, J = wt[part], by_camera[:, part]
            e, own = off * weight, 1 - weight * weight
            value += np.vdot(e, e) + np.vdot(own, own)
            d = e * weight
            by_r, by_X = pull(d * cam[6], saved, p, bend)
            J[:3], by_point[:, part] = by_r, by_X
            np.negative(by_point[:, part], out=J[3:6])
            inward = d[0] * p[0] + d[1] * p[1]
            np.multiply(inward, bend, out=J[6])
            J[7:9] = d
            np.multiply(inward * rho, cam[6], out=J[9])
            np.multiply(J[9], rho, out=J[10])
            g["wt"][part] = e[0] * off[0] + e[1] * off[1] - 2 * weight * own
        for path, index, rows in (("cams", camera, by_camera), ("pts", point, by_point)):
            for column, row in enumerate(rows):
                g[path][:, column] = np.bincount(index, row, len(g[path]))
        return value / 2, g

    return call
