"""Derivatives where one loop reads another or stands in it, by complex steps of plain Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import pytest
from conftest import compiled, module
from derivative_checks import close

Names = dict[str, Any]
Run = Callable[[Names], Any]

STEP = 1e-30
SPACING = 1e-3

pytestmark = pytest.mark.levels


def flat(values: Mapping[str, Any]) -> np.ndarray:
    return np.concatenate([np.ravel(one) for one in values.values()])


def gradient(run: Run, given: Names, at: np.ndarray) -> np.ndarray:
    """Of a scalar by complex steps, exact to the last digits: Squire and Trapp 1998."""
    ends = np.cumsum([np.size(one) for one in given.values()])[:-1]

    def value(point: np.ndarray) -> Any:
        parts = zip(given.items(), np.split(point, ends), strict=True)
        return run({path: part.reshape(np.shape(like))[()] for (path, like), part in parts})

    return np.array([np.imag(value(at + way)) / STEP for way in 1j * STEP * np.eye(len(at))])


def hessian(run: Run, given: Names) -> np.ndarray:
    """Differences of fourth order of the gradient by complex steps."""
    at = flat(given)

    def row(way: np.ndarray) -> np.ndarray:
        near, far = (
            gradient(run, given, at + n * way) - gradient(run, given, at - n * way) for n in (1, 2)
        )
        return (8 * near - far) / (12 * SPACING)

    return np.array([row(way) for way in SPACING * np.eye(len(at))])


def two_scans(i: Names) -> Any:
    return sum(np.sin(np.exp(x)) for x in i["x"])


def newton_in_a_scan(i: Names) -> Any:
    total = 0
    for a in i["a"]:
        y = 1.0
        for _ in range(5):
            y = y - a / y
        total = total + y
    return total


def scan_between_scans(i: Names) -> Any:
    h, hs, g = 0.0, [], 0.5
    for x in i["x"]:
        h = np.sin(h + x)
        hs.append(h)
    for one, x in zip(hs, i["x"], strict=True):
        g = np.sin(g * one) + x * g
    return g * h


def two_carries(i: Names) -> Any:
    h, g = i["p"], i["x"]
    for _ in range(2):
        h, g = np.sum(g) * i["p"], np.sum(h**2) + np.zeros(3)
    return np.sum(np.tanh(h))


def nested_carries(i: Names) -> Any:
    h25, h26 = i["x1"], 0.5
    h7, h8 = np.zeros((2, 1)), np.zeros((2, 1))
    h25, h26 = np.sum(h7 * h25, axis=1)[:, None] * h8, h26 * np.sum(h25)
    return h26


def sums(i: Names) -> Any:
    return np.sum(np.sin(3 * i["a"] + 3 * i["x"]))


def numbers_and_arrays(i: Names) -> Any:
    h, k = np.sin(np.sin(np.sin(i["c"]))), i["a"] * 2 + i["c"]
    return h * k + k * k


def gathers(i: Names) -> Any:
    h = 0.0
    for row in ((0, 2), (3, 3), (1, 0)):
        h = np.tanh(h + i["E"][row[0]] * i["E"][row[1]])
    return np.sum(h**2)


def layers_of_scans(i: Names) -> Any:
    xs = i["x"]
    for k in range(2):
        w, h, hs = i[f"layer.{k}.s.w"], np.zeros(2), []
        for x in xs:
            h = np.tanh(w * h + x[::-1] + w[0])
            hs.append(h)
        xs = np.stack(hs)
    return np.sum(xs**2)


def coupled(i: Names) -> Any:
    a, b = i["x"]
    for k in range(3):
        s = i[f"flow.{k}.s"]
        shift = np.tanh(s[0] * a + s[1]) * s[2]
        a, b = b * np.exp(shift) + shift, a
    return a**2 + a * b


RNG = np.random.default_rng(3)
IDS = np.array([[0, 2], [3, 3], [1, 0]])
CASES: dict[str, tuple[str, Run, Names]] = {
    "a scan reads what another collects": (
        """
        input x: [3]
        scan f[i in 3] { collect a = exp(x[i]) }
        scan e[i in 3] { collect L = sin(a[i]) }
        output y = sum(L)
        """,
        two_scans,
        {"x": RNG.normal(size=3)},
    ),
    "a recurrence over another's states": (
        """
        dim T
        input x: [T]
        scan f[i in T] carry h = 0.0 {
            next h = sin(h + x[i])
            collect hs = sin(h + x[i])
        }
        scan e[i in T] carry g = 0.5 { next g = sin(g * hs[i]) + x[i] * g }
        output y = g * h
        """,
        scan_between_scans,
        {"x": RNG.normal(size=4)},
    ),
    "a recurrence in each step": (
        """
        input a: [3]
        scan m[i in 3] {
            scan nw[k in 5] carry y = 1.0 { next y = y - a[i] / y }
            collect r = y
        }
        output y = sum(r)
        """,
        newton_in_a_scan,
        {"a": np.array([-0.3, -0.7, -1.1])},
    ),
    "two carried values, each from the other": (
        """
        input x: [3]
        input p: [2]
        repeat r[k in 2] carry h = p, g = x {
            next h, g = sum(g) * p, sum(h**2) + zeros([3])
        }
        output y = sum(tanh(h))
        """,
        two_carries,
        {"x": RNG.normal(size=3), "p": np.array([0.3, -0.2])},
    ),
    "a loop of one step after another": (
        """
        input x1: [2, 1]
        repeat r5[k6 in 1..3] carry h7 = x1, h8 = x1 {
            next h7 = zeros([2, 1])
            next h8 = h7
        }
        scan sc22[t23 in 1] carry h25 = x1, h26 = 0.5 {
            next h25 = sum(h7 * h25, axis=1)[:, _] * h8
            next h26 = h26 * sum(h25)
        }
        output y = sum(h26)
        """,
        nested_carries,
        {"x1": RNG.normal(size=(2, 1))},
    ),
    "a sum of arrays and numbers": (
        """
        dim B
        input x: [B]
        param a
        scan L[i in 3] carry h = zeros([B]) { next h = a + h + x }
        output y = sum(sin(h))
        """,
        sums,
        {"x": RNG.normal(size=4), "a": 0.4},
    ),
    "a carried value that its start is not read for": (
        """
        param a
        param c
        scan L0[i in 3] carry h = c, k = 0.0 {
            next h = sin(h)
            next k = a * 2 + c
        }
        output y = h * k + k * k
        """,
        numbers_and_arrays,
        {"a": 0.3, "c": -0.7},
    ),
    "rows gathered by the step's numbers": (
        """
        dim T
        input ids: int[T, 2]
        param E: [4, 2]
        scan s[t in T] carry h = zeros([2]) {
            e = E[ids[t]]
            next h = tanh(h + e[0] * e[1])
        }
        output y = sum(h**2)
        """,
        gathers,
        {"E": RNG.normal(size=(4, 2))},
    ),
    "layers of scans, each with its own weight": (
        """
        dim T
        input x: [T, 2]
        repeat layer[k in 2] carry xs = x {
            scan s[t in T] carry h = zeros([2]) {
                param w: [2]
                next h = tanh(w * h + flip(xs[t]) + w[0])
                collect hs = tanh(w * h + flip(xs[t]) + w[0])
            }
            next xs = hs
        }
        output y = sum(xs**2)
        """,
        layers_of_scans,
        {
            "x": RNG.normal(size=(3, 2)),
            "layer.0.s.w": RNG.normal(size=2),
            "layer.1.s.w": RNG.normal(size=2),
        },
    ),
    "a flow of two values by turns": (
        """
        input x: [2]
        repeat flow[k in 3] carry a = x[0], b = x[1] {
            param s: [3]
            shift = tanh(s[0] * a + s[1]) * s[2]
            next a, b = b * exp(shift) + shift, a
        }
        output y = a**2 + a * b
        """,
        coupled,
        {"x": RNG.normal(size=2)} | {f"flow.{k}.s": RNG.normal(size=3) for k in range(3)},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_gradient_and_hessian(name: str) -> None:
    text, run, given = CASES[name]
    inputs = {path: value for path, value in given.items() if f"input {path}:" in text}
    params = {path: value for path, value in given.items() if path not in inputs}
    wrt = ", ".join([*(["params"] if params else []), *inputs])
    made = module(text, derive=(f"grad y wrt {wrt} as g", f"hessian_matrix y wrt {wrt} as H"))
    arguments: Names = {**inputs, **({"params": params} if params else {})}
    if "ids" in text:
        arguments["ids"] = IDS
    found = made.g(**arguments)
    moved = {path: given[path] for path in found}
    assert len(found) == len(given)
    close(flat(found), gradient(run, moved, flat(moved)), 1e-12)
    close(made.H(**arguments), hessian(run, moved), 1e-9)


def test_a_number_that_a_step_hands_on_has_an_axis() -> None:
    """The derivative of `h` is 0 after a step: no number of Python, of which no row is made."""
    made = module(
        """
        param a
        repeat r[k in 3] carry h = a {
            param p: [2]
            next h = p[1]
        }
        output h
        derive jacobian_matrix h wrt params as J
        """.replace(", next", "\n next")
    )
    params = {"a": 0.5, **{f"r.{k}.p": np.array([0.1, 0.2]) for k in range(3)}}
    assert made.J(params).tolist() == [[0, 0, 0, 0, 0, 0, 1]]


def test_what_grows_in_place_is_its_start() -> None:
    """`d_h` is added to where the derivative by the last `h` was computed: that memory is taken."""
    made = module(
        """
        dim T
        param u: [3]
        repeat layer[k in 2] carry h = u {
            scan s[t in T] carry g = zeros([3]) {
                collect us = u
                next g = h
            }
            next h = h + 0.15 * broadcast_to(sum(sum(us, axis=0) * g), [3])
        }
        output y = sum(sin(h))
        derive hvp y wrt u as bent
        """
    )

    def run(i: Names) -> Any:
        h = i["u"]
        for _ in range(2):
            h = h + 0.15 * np.sum(3 * i["u"] * h)
        return np.sum(np.sin(h))

    u, way = np.array([0.3, 0.5, -0.7]), np.array([1.0, 0.5, -2.0])
    found, bent = made.bent({"u": u}, T=3, tangents={"u": way})
    close(found["u"], gradient(run, {"u": u}, u), 1e-12)
    close(bent["u"], hessian(run, {"u": u}) @ way, 1e-9)


def test_what_no_step_computes_ends_as_it_is() -> None:
    """`g` ends as what is computed once before the loop, of which the steps stack copies."""
    made = module(
        """
        input M: [3, 3]
        param u: [3]
        repeat r[k in 2] carry z = zeros([3]) { next z = z }
        scan s[t in 2] carry h = M, g = z {
            v = tanh(h @ u)
            next h = h
            next g = v
        }
        output y = sum(sin(g))
        """
    )
    weight, u = np.random.default_rng(0).normal(size=(3, 3)), np.array([0.3, -0.2, 0.5])
    _, cache = made.forward({"u": u}, weight)

    def run(i: Names) -> Any:
        return np.sum(np.sin(np.tanh(weight @ i["u"])))

    close(made.backward(cache)["u"], gradient(run, {"u": u}, u), 1e-14)


def test_of_what_no_step_reads_nothing_is_left() -> None:
    text = """
        input x
        input w: [2]
        scan r[k in 2] carry h = x { next h = w[k] }
        output h
        derive sparse_jacobian h wrt x, w as S
    """
    found = module(text).S(0.3, np.array([0.5, 0.7]))
    assert found.todense().tolist() == [[0, 0, 1]]


@pytest.mark.parametrize("reads", ["g * 0.5 + p, q * g", "q, h", "g, h"])
def test_rows_of_positions_that_nested_steps_keep_apart(reads: str) -> None:
    """A step sums what the positions contribute beside what it keeps apart: each as it is."""
    text = f"""
        dim B
        input x: [B]
        param p
        scan a[t in 4] carry h = x * p {{
            scan b[u in 3] carry g = p + zeros([B]), q = h {{ next g, q = {reads} }}
            next h = h - q * g
        }}
        output h
    """
    made = module(text, derive=("jacobian h wrt p per B as J",))
    x, p = np.array([0.3, -0.7, 1.1]), 0.4

    def one(at: Any, p: Any) -> Any:
        h = at * p
        for _ in range(4):
            g, q = p, h
            for _ in range(3):
                g, q = eval(reads, {"g": g, "q": q, "p": p, "h": h})
            h = h - q * g
        return h

    expected = [np.imag(one(at, p + 1j * STEP)) / STEP for at in x]
    close(made.J({"p": p}, x=x)["h"]["p"], np.array(expected), 1e-12)


MAPS = """
    dim B, T
    input x: [B, T]
    param p
    param E: [3, 2]
    repeat r[k in 2] carry z = x {
        param q
        scan b[i in B] {
            scan inner[t in T] carry h = p {
                next h = tanh(h * q + x[i, t] + z[i, t])
                collect hs = h
            }
            e = E[0] * sum(hs)
            collect L = e * 0.5 + h * (i + 1)
            collect zs = hs * q
            collect C = p
        }
        next z = zs
        collect Ls = L
        collect Cs = C
    }
    last = Ls[1]
    output rows = last[:, 0] * Cs[0]
    output y = sum(rows) + sum(z**2) + sum(Cs[1])
    derive jacobian rows wrt params per B as J
    derive grad y wrt p, E per B as g
"""


def test_steps_that_are_positions() -> None:
    """A scan along the axis that carries nothing is a map: its step is an example's own call."""
    made = module(MAPS)
    x = np.random.default_rng(0).normal(size=(3, 4))
    given = {"p": 0.4, "E": np.ones((3, 2)), "r.0.q": 0.3, "r.1.q": -0.9}

    def loss(i: int, number: int, rest: Names, at: Names) -> Any:
        z, at = x[i], {**rest, **at}
        for k in range(2):
            h, hs = at["p"], []
            for a, b in zip(x[i], z, strict=True):
                hs.append(h)
                h = np.tanh(h * at[f"r.{k}.q"] + a + b)
            row = at["E"][0] * np.sum(hs) * 0.5 + h * (i + 1)
            z = np.array(hs) * at[f"r.{k}.q"]
        value = row[0] * at["p"]
        return value + np.sum(z**2) + at["p"] if number else value

    found, gradients = made.J(given, x=x)["rows"], made.g(given, x=x)
    for i in range(3):
        for n, rows in ((0, found), (1, gradients)):
            at = {path: given[path] for path in rows}
            rest = {path: value for path, value in given.items() if path not in rows}
            run = partial(loss, i, n, rest)
            expected = gradient(run, at, flat(at))
            close(flat({path: rows[path][i] for path in at}), expected, 1e-12)


BY_INDEX = """
    dim T
    input x: [T]
    param w
    scan s[t in T] carry h = 0.0 {
        first = where(t > 0, x[t], 2 * x[t])
        next h = h * w + first * where(not (t == 1) or t >= T - 1, w, 1.0)
        collect c = where(t < T - 2 and h > 0, h * h, w)
    }
    repeat r[k in 3] carry g = h {
        param p
        next g = where(k > 1, g * p, g + p)
    }
    output y = g + sum(sin(c)) * where(T > 2, w, w**2)
    derive value_and_grad y wrt params, x as g
    derive hessian_matrix y wrt params, x as H
"""


@pytest.mark.parametrize("steps", [0, 1, 2, 4])
def test_the_index_is_compared(steps: int) -> None:
    def run(i: Names) -> Any:
        h, cs = 0.0, []
        for t, x in enumerate(i["x"]):
            cs.append(h * h if t < steps - 2 and np.real(h) > 0 else i["w"])
            factor = i["w"] if t != 1 or t >= steps - 1 else 1.0
            h = h * i["w"] + (x if t > 0 else 2 * x) * factor
        for k in range(3):
            h = h * i[f"r.{k}.p"] if k > 1 else h + i[f"r.{k}.p"]
        return h + sum(np.sin(c) for c in cs) * (i["w"] if steps > 2 else i["w"] ** 2)

    made = module(BY_INDEX)
    params = {"w": 0.7, "r.0.p": 0.3, "r.1.p": -0.2, "r.2.p": 1.1}
    x = np.array([0.5, 0.9, 0.4, 1.3])[:steps]
    value, found = made.g(params, x=x)
    moved = {path: {**params, "x": x}[path] for path in found}
    assert len(moved) == 5
    close(value, run(moved), 1e-14)
    close(flat(found), gradient(run, moved, flat(moved)), 1e-12)
    close(made.H(params, x=x), hessian(run, moved), 1e-9)


def test_a_body_with_a_compared_index_stays_one_body() -> None:
    assert "range(3)" in compiled(BY_INDEX).text


def test_all_steps_collect_what_is_done() -> None:
    """What is done is handed on, so that every row is a value of the last."""
    made = module(
        """
        input a
        scan newton[i in 6] carry y = a, done = false {
            better = (y + a / y) / 2
            next done = done or abs(better - y) < 1e-3
            next y = where(done, y, better)
            collect ys = y
        }
        output end = y
        output ys
        derive jacobian end, ys wrt a as J
        """
    )
    a, ys = 2.0 + 1j * STEP, []
    y, done = a, False
    for _ in range(6):
        ys.append(y)
        better = (y + a / y) / 2
        y, done = (y if done else better), done or abs(np.real(better - y)) < 1e-3
    out, _ = made.forward(2.0)
    close(out.ys, np.real(ys), 1e-14)
    close(made.J(2.0)["ys"]["a"], np.imag(ys) / STEP, 1e-12)


def test_a_step_is_derived_by_its_own_variables() -> None:
    """The carried `h` starts as `v`, but a step's derivative by `v` leaves it as it is: 4 v³."""
    made = module(
        """
        input v: [2]
        scan s[t in 2] carry h = v { next h = grad(sum(h * v**2), v) }
        output h
        derive jacobian h wrt v as J
        """
    )
    v = np.array([0.3, -0.7])
    out, _ = made.forward(v)
    close(out.h, 4 * v**3, 1e-14)
    close(made.J(v)["h"]["v"], np.diag(12 * v**2), 1e-13)


def test_a_member_of_a_sum_is_of_all_of_it() -> None:
    """The gradient of the family is a sum of what two loops stack: a row is one of the sum."""
    made = module(
        """
        param u: [3]
        repeat r[k in 2] carry h = zeros([3]), c = 0.5 {
            param p: [3]
            collect cs = c
            next h = h + 0.3 * (p + u)
            next c = sin(c)
        }
        y = sum(sin(cs))
        output z = sum(grad(y, u)**2)
        """
    )
    given = {"u": np.ones(3), "r.0.p": np.ones(3), "r.1.p": np.ones(3)}
    _, found = made.value_and_grad_z(given)
    assert {path: one.tolist() for path, one in found.items()} == dict.fromkeys(given, [0.0] * 3)


def test_an_array_by_component_that_is_read_in_another_shape() -> None:
    """What a tile reads as one row is made whole there, not only where it is to lie."""
    made = module(
        """
        dim T
        input x: [T + 1, 3]
        input w: [3]
        input M: [3, 3]
        param u: [3]
        scan s[t in T] carry h = M, g = u {
            next h = outer(x[t], w)
            next g = tanh(g + g)
        }
        y = sum(sin(h))
        output z = sum(grad(y, u)**2)
        derive grad z wrt inputs as g
        """
    )
    found = made.g({"u": np.ones(3)}, x=np.ones((3, 3)), w=np.ones(3), M=np.ones((3, 3)))
    assert found["x"].tolist() == np.zeros((3, 3)).tolist()


def test_a_state_that_no_step_joins_is_carried_in_parts() -> None:
    """What it becomes is joined before the outer loop, whose steps do not know the parts."""
    made = module(
        """
        input x: [2, 2]
        param p: [2, 2]
        joined = concat(x, p, axis=0)
        stacked = stack(sin(p), cos(p), axis=0)
        scan outer[t in 3] carry h = p {
            scan inner[s in 2] carry a = concat(h, h, axis=0), b = stack(h, p, axis=0), c = h {
                next a = joined
                next b = stacked
                next c = c * 0.9 + a[:2] + sin(b[1])
            }
            next h = 0.5 * h + tanh(c)
        }
        output loss = sum(h)
        derive grad loss wrt p, x as g
        """
    )

    def run(i: Names) -> Any:
        h = i["p"]
        for _ in range(3):
            a, b, c = h, i["p"], h
            for _ in range(2):
                a, b, c = i["x"], np.cos(i["p"]), c * 0.9 + a + np.sin(b)
            h = 0.5 * h + np.tanh(c)
        return np.sum(h)

    given = {"p": np.array([[0.3, -0.7], [1.1, 0.4]]), "x": np.array([[0.2, 0.5], [-0.9, 1.3]])}
    found = made.g({"p": given["p"]}, given["x"])
    close(flat(found), gradient(run, given, flat(given)))
