"""Functions of NumPy arrays as people write them: with what is declared of them, and a point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.special as special
from numpy import zeros
from scipy.special import expit

random = np.random.default_rng(0)


@dataclass(frozen=True)
class Written:
    function: Callable[..., Any]
    declare: str
    arguments: tuple[Any, ...]
    analytic: Callable[..., Any]


FUNCTIONS: list[Written] = []


def normal(*shape: int) -> Any:
    return random.normal(size=shape)


def at(declare: str, *arguments: Any, analytic: Any = None) -> Callable[[Any], Any]:
    """Note a function; `analytic` says the same of complex numbers near the point, where its own
    text does not go on for such."""

    def note(function: Any) -> Any:
        FUNCTIONS.append(Written(function, declare, arguments, analytic or function))
        return function

    return note


@at("input x: [B, 3]; input t: [B]; param w: [3]; param b",
    normal(5, 3), np.array([0.0, 1, 1, 0, 1]), normal(3), 0.3)  # fmt: skip
def logistic(x, t, w, b, lam=0.1):
    """Logistic regression."""
    z = x @ w + b
    p = 1 / (1 + np.exp(-z))
    loss = -np.mean(t * np.log(p) + (1 - t) * np.log(1 - p))
    return loss + lam * np.sum(w**2)


@at("input x: [N, 2]; param mu, log_sigma: [K, 2]; param logits: [K]",
    normal(6, 2), normal(3, 2), 0.3 * normal(3, 2), normal(3))  # fmt: skip
def gaussian_mixture(x, mu, log_sigma, logits):
    d = x[:, None, :] - mu
    quadratic = np.sum((d / np.exp(log_sigma)) ** 2, axis=-1)
    constant = 0.5 * x.shape[1] * np.log(2 * np.pi)
    each = -0.5 * quadratic - np.sum(log_sigma, axis=-1) - constant
    a = each + logits - np.log(np.sum(np.exp(logits)))
    m = np.max(a, axis=1, keepdims=True)
    return np.sum(m[:, 0] + np.log(np.sum(np.exp(a - m), axis=1)))


@at("input x: [N]", normal(5))
def rosenbrock(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


@at("input y: [3]", normal(3), 10.0, 28.0, 8 / 3)
def lorenz(y, sigma, rho, beta):
    dy = zeros(3, np.result_type(y, sigma, rho, beta))
    dy[0] = sigma * (y[1] - y[0])
    dy[1] = y[0] * (rho - y[2]) - y[1]
    dy[2] = y[0] * y[1] - beta * y[2]
    return dy


@at("input q, k, v: [T, 4]", normal(3, 4), normal(3, 4), normal(3, 4))
def attention(q, k, v):
    s = q @ k.T / np.sqrt(q.shape[-1])
    s = s - np.max(s, axis=-1, keepdims=True)
    w = np.exp(s)
    w /= w.sum(axis=-1, keepdims=True)
    return w @ v


def gru_step(x, h, W, U, b):
    z = 1 / (1 + np.exp(-(x @ W[0] + h @ U[0] + b[0])))
    r = 1 / (1 + np.exp(-(x @ W[1] + h @ U[1] + b[1])))
    n = np.tanh(x @ W[2] + (r * h) @ U[2] + b[2])
    return (1 - z) * h + z * n


@at("input xs: [3, 4]; input h: [2]; param W: [3, 4, 2]; param U: [3, 2, 2]; param b: [3, 2]",
    normal(3, 4), normal(2), normal(3, 4, 2), normal(3, 2, 2), normal(3, 2))  # fmt: skip
def gru(xs, h, W, U, b):
    for x in xs:
        h = gru_step(x, h, W, U, b)
    return h


def positive(n: int) -> Any:
    a = normal(n, n)
    return a @ a.T + np.eye(n)


@at(
    "input x, z: [2]; input P, F, Q, H, R: [2, 2]",
    *(normal(2), normal(2), positive(2), normal(2, 2)),
    *(positive(2), normal(2, 2), positive(2)),
)
def kalman_step(x, z, P, F, Q, H, R):
    x = F @ x
    P = F @ P @ F.T + Q
    y = z - H @ x
    S = H @ P @ H.T + R
    K = np.linalg.solve(S.T, H @ P.T).T
    return x + K @ y, (np.eye(2) - K @ H) @ P


@at("input x: [N]; const k = 2", normal(6), 2)
def written_in_place(x, k):
    y = x.copy()
    y[0] = 0.0
    y[1:3] *= 2
    y[-1] += x[0] ** 2
    y[y > 1] = 1.0
    y[k] = y[k] + 1
    return y


@at("input image: [5, 5]; param kernel: [3, 3]", normal(5, 5), normal(3, 3))
def convolution(image, kernel):
    out = np.zeros((3, 3), dtype=np.result_type(image, kernel))
    for i in range(3):
        for j in range(3):
            out[i, j] = np.sum(image[i : i + 3, j : j + 3] * kernel)
    return out


@at("input a, b, c: [3, 3]", normal(3, 3), normal(3, 3), normal(3, 3))
def index_notation(a, b, c):
    chain = np.einsum("ij,jk,kl->il", a, b, c) + np.einsum("ii->i", a)[:, np.newaxis]
    return chain + np.einsum("ij,ij", a, b) + np.einsum("...i,i...->...", a, b)[None]


MEAN = np.array([0.5, -0.5])
COVARIANCE = np.array([[2.0, 0.3], [0.3, 1.0]])


@at("input x: [N, 2]", normal(4, 2))
def normal_density(x, mean=MEAN, covariance=COVARIANCE):
    d = x - mean
    L = np.linalg.cholesky(covariance)
    solved = np.linalg.solve(L, d.T)
    constant = np.log(np.diag(L)).sum() + len(mean) / 2 * np.log(2 * np.pi)
    return -0.5 * np.sum(solved**2, axis=0) - constant


@at("input x: [6]; input ids: int[4]", normal(6), np.array([0, 2, 2, 5]))
def gathers(x, ids):
    return x[ids] * np.take(x, ids)[::-1] + x[[1, 2, 3, 4]]


def between_of_complex(x, table):
    i = np.floor(x.real).astype(int)
    return table[i] + (x - i) * (table[i + 1] - table[i])


@at(
    "input x: [N]; input table: [8]",
    np.array([0.5, 1.25, 3.75, 6.1]),
    normal(8),
    analytic=between_of_complex,
)
def between(x, table):
    """Read a table between its entries, at positions that are computed."""
    i = np.floor(x).astype(int)
    share = x - i
    return table[i] * (1 - share) + table[i + 1] * share


@at("input rate: [4]", normal(4) ** 2 + 0.1)
def poisson(rate):
    k = np.array([1, 0, 3, 2])
    return np.sum(k * np.log(rate) - rate - special.loggamma(k + 1.0))


@at("input x: [3, 4]", normal(3, 4))
def standardised(x):
    return (x - x.mean(0)) / (np.sqrt(((x - x.mean(0)) ** 2).mean(axis=0)) + 1e-8) + np.median(x[0])


@at("input x: [N, 3]", normal(4, 3))
def added_up(x):
    total = 0.0
    for j in range(x.shape[1]):
        total += np.sin(x[:, j]).sum() * j
    return total / x.shape[0] + sum(x[0, j] ** 2 for j in range(3))


@at("input x: [4]", normal(4))
def named_results(x):
    return {"running": np.cumsum(x), "steps": np.diff(np.concatenate([[0.0], x]))}


@at("input y: [2]; const steps = 3", normal(2), 3, 0.1)
def runge_kutta(y, steps, h):
    def pendulum(y):
        return np.array([y[1], -np.sin(y[0])])

    for _ in range(steps):
        k1 = pendulum(y)
        k2 = pendulum(y + h / 2 * k1)
        k3 = pendulum(y + h / 2 * k2)
        k4 = pendulum(y + h * k3)
        y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return y


@at("input x: [3, 3]", normal(3, 3))
def matrices(x):
    A = x @ x.T + 3 * np.eye(3)
    return np.log(np.linalg.det(A)) + np.trace(np.linalg.inv(A)) + np.sum(np.kron(x, x))


def huber_of_complex(x, t):
    e = x - t
    beyond = np.sign(e.real) * e - 0.5
    return np.mean(np.where(np.abs(e.real) <= 1.0, 0.5 * e**2, beyond))


@at("input x, t: [7]", normal(7), normal(7), analytic=huber_of_complex)
def huber(x, t, delta=1.0):
    e = x - t
    a = np.abs(e)
    return np.mean(np.where(a <= delta, 0.5 * e**2, delta * (a - 0.5 * delta)))


@at("input u: [4, 4]", normal(4, 4))
def stencil(u):
    v = u.copy()
    v[1:-1, 1:-1] = 0.25 * (u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:])
    v[:, 0] = 0
    v[0] = u[1]
    return v


@at("input x: [5]", normal(5))
def lists(x):
    ys = []
    for i in range(3):
        ys.append(x[i] * x[i + 1])
    return np.stack(ys), sum(ys)


@at("input angles: [3]", normal(3))
def rotation(angles):
    a, b, c = angles
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_z = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    return about_x @ about_z * c


def of_scipy_of_complex(x):
    total = np.sum(np.exp(x))
    two = np.log(np.exp(x[0]) + np.exp(x[1]))
    return np.log(total) + np.exp(x[0]) / total + two + 1 / (1 + np.exp(-x))


@at("input x: [3]", normal(3), analytic=of_scipy_of_complex)
def of_scipy(x):
    return special.logsumexp(x) + special.softmax(x)[0] + np.logaddexp(x[0], x[1]) + expit(x)


@at("input x, w: [N]", normal(4), normal(4) ** 2)
def by_keyword(x, w):
    return np.average(x, weights=w) + np.sum(a=x) + x.sum(axis=-1, keepdims=True)[0]


@at("input x: [6]", normal(6))
def shapes(x):
    return x.reshape(2, 3).T.ravel() + x.reshape((3, -1)).sum(1).repeat(2) + np.tile(x[:2], 3)


def mixed_types_of_complex(x):
    n = np.arange(3)
    whole = (x.real > 0) * 2 + np.floor(2 * x.real)
    return x * n + n**2 + whole + x - 0.7 * np.floor(x.real / 0.7)


@at("input x: [3]", normal(3), analytic=mixed_types_of_complex)
def mixed_types(x):
    n = np.arange(3)
    return x * n + n**2 + (x > 0) * 2 + np.float64(2) * x // 1 + x % 0.7


@at("input X: [M, 2]; input Y: [N, 2]", normal(5, 2), normal(4, 2))
def kernel(X, Y, scale=0.7):
    d2 = np.sum(X**2, 1)[:, None] + np.sum(Y**2, 1)[None, :] - 2 * X @ Y.T
    return np.exp(-0.5 * d2 / scale**2)


def added_at_of_complex(x, places):
    y = np.zeros(4, complex)
    np.add.at(y, places, x[:3])
    return y * x


@at(
    "input x: [4]; input places: int[3]",
    normal(4),
    np.array([0, 1, 1]),
    analytic=added_at_of_complex,
)
def added_at(x, places):
    y = np.zeros(4)
    np.add.at(y, places, x[:3])
    return y * x


@at("input b: [N]", normal(4))
def views(b):
    x = b * 1.0
    tail = x[1:]
    window = tail[0:2]
    window[:] = 7.0
    tail[2] = b[0]
    x[0] = window[0] + 1
    return x, tail


@at("input x: [6]", normal(6))
def every_second(x):
    y = x.copy()
    y[::2] = 0.5 * x[1::2]
    y[1:4:2] += x[0]
    return y


@at("input x: [5]; input ids: int[3]", normal(5), np.array([0, 2, 4]))
def written_by_positions(x, ids):
    y = np.zeros(5, x.dtype)
    y[ids] = x[:3]
    y[ids] += 1
    return y * x


@at("input A: [3, 3]; input i, j: int[3]", normal(3, 3), np.array([0, 1, 2]), np.array([2, 1, 0]))
def by_two_indices(A, i, j):
    return A[i, j] * 2, A[[0, 1], [1, 0]], A[:, j], A[i, :]


@at("input A: [3, 3]; input i, j: int[3]", normal(3, 3), np.array([0, 1, 0]), np.array([2, 1, 2]))
def written_by_two_indices(A, i, j):
    B = A * 1
    B[i, j] = 0.0
    np.add.at(B, (i, j), A[0])
    return B


@at("input T: [3, 4, 3]; input i, j: int[2]", normal(3, 4, 3), np.array([0, 2]), np.array([1, 1]))
def apart(T, i, j):
    return T[i, :, j], T[:, i, j], T[0, :, j]


def in_order_of_complex(x):
    """Of five numbers between -3 and 3."""
    low, middle = x[np.argsort(x.real)][1:3]
    largest = [x[np.argmax(x.real[: i + 1])] for i in range(5)]
    between = np.where(x.real < 0, 1 + x / 3, 1 + x)
    return between, 0.8 * low + 0.2 * middle, middle, np.stack(largest)


@at("input x: [5]", normal(5), analytic=in_order_of_complex)
def in_order(x):
    between = np.interp(x, np.array([-3.0, 0.0, 3.0]), np.array([0.0, 1.0, 4.0]))
    return between, np.quantile(x, 0.3), np.percentile(x, 50), np.maximum.accumulate(x)
