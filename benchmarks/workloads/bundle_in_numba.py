"""Bundle adjustment in Numba: one loop over observations, all of each in registers."""

from __future__ import annotations

import math

import numpy as np

from benchmarks.harness import Case, Result, Run
from benchmarks.in_numba import Array, compiled, fast
from benchmarks.workloads.bundle_by_hand import blocks


@fast
def _project(cam: Array, pt: Array, feat: Array) -> tuple[float, ...]:
    """Projection minus feature, and what `_pull` needs of an observation."""
    r0, r1, r2 = cam[0], cam[1], cam[2]
    x0, x1, x2 = pt[0] - np.float64(cam[3]), pt[1] - np.float64(cam[4]), pt[2] - np.float64(cam[5])
    square = r0 * r0 + r1 * r1 + r2 * r2
    turned = square > 0.0
    theta = math.sqrt(square) if turned else 1.0
    inverse = 1.0 / theta
    w0, w1, w2 = r0 * inverse, r1 * inverse, r2 * inverse
    c, s = (math.cos(theta), math.sin(theta)) if turned else (1.0, 0.0)
    wx = w0 * x0 + w1 * x1 + w2 * x2
    o0, o1, o2 = w1 * x2 - w2 * x1, w2 * x0 - w0 * x2, w0 * x1 - w1 * x0
    rest = wx * (1.0 - c)
    y0, y1, y2 = (x0 * c + o0 * s + w0 * rest, x1 * c + o1 * s + w1 * rest,
                  x2 * c + o2 * s + w2 * rest)  # fmt: skip
    z = 1.0 / y2
    p0, p1 = y0 * z, y1 * z
    rho = p0 * p0 + p1 * p1
    bend = 1.0 + rho * (cam[9] + cam[10] * rho)
    off0 = p0 * bend * cam[6] + cam[7] - feat[0]
    off1 = p1 * bend * cam[6] + cam[8] - feat[1]
    t0, t1, t2 = (o0 * c + w0 * wx * s - x0 * s, o1 * c + w1 * wx * s - x1 * s,
                  o2 * c + w2 * wx * s - x2 * s)  # fmt: skip
    slope = 2.0 * (cam[9] + 2.0 * cam[10] * rho)
    return (off0, off1, x0, x1, x2, w0, w1, w2, c, s, wx, inverse if turned else 0.0,
            t0, t1, t2, z, p0, p1, rho, bend, slope)  # fmt: skip


@fast
def _pull(d0: float, d1: float, saved: tuple[float, ...]) -> tuple[float, ...]:
    """From a row of ∂/∂q to rows of derivatives by rotation and by point."""
    _, _, x0, x1, x2, w0, w1, w2, c, s, wx, inverse, t0, t1, t2, z, p0, p1, _, bend, slope = saved
    along = (d0 * p0 + d1 * p1) * slope
    b0, b1 = (d0 * bend + along * p0) * z, (d1 * bend + along * p1) * z
    b2 = -(b0 * p0 + b1 * p1)
    bw = b0 * w0 + b1 * w1 + b2 * w2
    n0, n1, n2 = b1 * x2 - b2 * x1, b2 * x0 - b0 * x2, b0 * x1 - b1 * x0
    u0, u1, u2 = b1 * w2 - b2 * w1, b2 * w0 - b0 * w2, b0 * w1 - b1 * w0
    rest = bw * (1.0 - c)
    by0, by1, by2 = (c * b0 + s * u0 + rest * w0, c * b1 + s * u1 + rest * w1,
                     c * b2 + s * u2 + rest * w2)  # fmt: skip
    if inverse == 0.0:
        return -n0, -n1, -n2, by0, by1, by2
    straight = wx * (1.0 - c)
    v0, v1, v2 = (straight * b0 + rest * x0 - s * n0, straight * b1 + rest * x1 - s * n1,
                  straight * b2 + rest * x2 - s * n2)  # fmt: skip
    ahead = b0 * t0 + b1 * t1 + b2 * t2 - (v0 * w0 + v1 * w1 + v2 * w2) * inverse
    return (ahead * w0 + v0 * inverse, ahead * w1 + v1 * inverse, ahead * w2 + v2 * inverse,
            by0, by1, by2)  # fmt: skip


@compiled
def _jacobian(
    cams: Array, pts: Array, wt: Array, obs: Array, feat: Array, e: Array, by_camera: Array,
    by_point: Array, by_weight: Array, own: Array,
) -> None:  # fmt: skip
    for i in range(len(wt)):
        cam, weight = cams[obs[i, 0]], wt[i]
        saved = _project(cam, pts[obs[i, 1]], feat[i])
        scale = weight * cam[6]
        for row in range(2):
            pulled = _pull(scale if row == 0 else 0.0, scale if row == 1 else 0.0, saved)
            J, K = by_camera[i, row], by_point[i, row]
            off, p = saved[row], saved[16 + row]
            J[0], J[1], J[2] = pulled[0], pulled[1], pulled[2]
            J[3], J[4], J[5] = -pulled[3], -pulled[4], -pulled[5]
            K[0], K[1], K[2] = pulled[3], pulled[4], pulled[5]
            J[6] = p * saved[19] * weight
            J[7], J[8] = (weight, 0.0) if row == 0 else (0.0, weight)
            J[9] = p * scale * saved[18]
            J[10] = J[9] * saved[18]
            e[i, row], by_weight[i, row] = off * weight, off
        own[i] = -2.0 * weight


def in_numba(case: Case) -> Run:
    """Residuals and their Jacobian."""
    given = [*case.params.values(), *case.inputs.values()]
    n, dtype = len(case.params["wt"]), case.dtype
    e, by_weight, own = np.empty((n, 2), dtype), np.empty((n, 2), dtype), np.empty(n, dtype)
    by_camera, by_point = np.empty((n, 2, 11), dtype), np.empty((n, 2, 3), dtype)
    found = blocks(e, by_camera, by_point, by_weight, own)

    def call() -> Result:
        _jacobian(*given, e, by_camera, by_point, by_weight, own)
        return found

    return call


@compiled
def _gradient(
    cams: Array, pts: Array, wt: Array, obs: Array, feat: Array, g_cams: Array, g_pts: Array,
    g_wt: Array,
) -> float:  # fmt: skip
    g_cams[:], g_pts[:] = 0.0, 0.0
    value = 0.0
    for i in range(len(wt)):
        cam, weight = cams[obs[i, 0]], wt[i]
        saved = _project(cam, pts[obs[i, 1]], feat[i])
        off0, off1, p0, p1, rho, bend = (
            saved[0], saved[1], saved[16], saved[17], saved[18], saved[19]
        )  # fmt: skip
        e0, e1, own = off0 * weight, off1 * weight, 1.0 - weight * weight
        value += e0 * e0 + e1 * e1 + own * own
        d0, d1 = e0 * weight, e1 * weight
        pulled = _pull(d0 * cam[6], d1 * cam[6], saved)
        g, h = g_cams[obs[i, 0]], g_pts[obs[i, 1]]
        for k in range(3):
            g[k] += pulled[k]
            g[3 + k] -= pulled[3 + k]
            h[k] += pulled[3 + k]
        inward = d0 * p0 + d1 * p1
        g[6] += inward * bend
        g[7] += d0
        g[8] += d1
        g[9] += inward * rho * cam[6]
        g[10] += inward * rho * rho * cam[6]
        g_wt[i] = e0 * off0 + e1 * off1 - 2.0 * weight * own
    return value / 2.0


def gradient_in_numba(case: Case) -> Run:
    """Half the sum of squares, and its gradients."""
    given = [*case.params.values(), *case.inputs.values()]
    found = {path: np.empty_like(one) for path, one in case.params.items()}
    return lambda: (_gradient(*given, *found.values()), found)
