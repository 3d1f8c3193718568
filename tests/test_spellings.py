"""One mathematics, one speed: however a graph is written, it costs the same and gives the same."""

from __future__ import annotations

from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

import numpy as np
import pytest

import graphc
from benchmarks.spellings import SPELT
from benchmarks.spellings.rewriting import written
from benchmarks.spellings.spelt import Sample, Spelt, by_paths, multiply_adds

MARGIN = 1.1
"""So much more than the cheapest spelling the others may cost, in calls and in bytes."""


FUNCTIONS = (np.ufunc, FunctionType, BuiltinFunctionType, type(np.sum))


@dataclass
class Counts:
    """Calls of NumPy, and the bytes that they read and write."""

    calls: int = 0
    moved: int = 0


@dataclass(frozen=True)
class Counting:
    """NumPy, or one of its functions, that counts its calls."""

    of: Any
    counts: Counts

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.of, name)
        return Counting(found, self.counts) if isinstance(found, FUNCTIONS) else found

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        found = self.of(*args, **kwargs)
        arrays = [one for one in (*args, found) if isinstance(one, np.ndarray)]
        self.counts.calls += 1
        self.counts.moved += sum(one.nbytes for one in arrays)
        return found


@dataclass(frozen=True)
class Cost:
    """What a call takes once its arrays are made, and the multiply-adds that its module says."""

    calls: int
    multiply_adds: int
    moved: int


def cost_of(one: Spelt, module: ModuleType, sample: Sample) -> Cost:
    counts, call = Counts(), one.call(module, sample)
    module.__dict__["np"] = Counting(np, counts)
    call()
    module.__dict__["np"] = np
    return Cost(counts.calls, multiply_adds(module, one.functions, sample), counts.moved)


def few(one: Spelt) -> list[str]:
    return [*one.spellings][:3]


CASES = [
    pytest.param(name, some, id=f"{name}, {some}", marks=marks)
    for name in SPELT
    for some, marks in (("few", ()), ("all", pytest.mark.long))
]


@pytest.mark.parametrize(("name", "some"), CASES)
def test_spellings_cost_the_same(name: str, some: str) -> None:
    """Values and gradients agree with -O0 of the source, whose values other tests hold; calls,
    multiply-adds and bytes agree, but for what is said to stand apart."""
    one = SPELT[name]
    (sample, *_) = one.small()
    source, *_ = one.spellings
    expected = [*one.call(one.module(source, sample, level=0), sample)()]
    costs: dict[str, Cost] = {}
    for spelling in few(one) if some == "few" else one.spellings:
        module = one.module(spelling, sample)
        for found, right in zip(one.call(module, sample)(), expected, strict=True):
            assert_equal(module, found, right)
        if spelling not in one.apart:
            costs[spelling] = cost_of(one, module, sample)
    for what in ("calls", "multiply_adds", "moved"):
        found = {spelling: getattr(cost, what) for spelling, cost in costs.items()}
        assert max(found.values()) <= MARGIN * min(found.values()) + 2, (what, found)


def assert_equal(module: ModuleType, found: Any, right: Any) -> None:
    """Gradients by parameters are under the spelling's own paths, perhaps those of stacks."""
    if isinstance(found, tuple):
        for one, other in zip(found, right, strict=True):
            assert_equal(module, one, other)
        return
    if not hasattr(found, "items"):
        largest = np.max(np.abs(right), initial=0)
        np.testing.assert_allclose(found, right, rtol=1e-9, atol=1e-11 * largest)
        return
    if hasattr(module, "init") and found.keys() == module.init(0).keys():
        right = by_paths([*found], right)
    for one, other in zip(found.values(), right.values(), strict=True):
        assert_equal(module, one, other)


def test_every_workload_has_four_spellings() -> None:
    """Which are as many texts; what stands apart has a reason, and is a spelling."""
    for name, one in SPELT.items():
        texts = {written(one.source, *rules) for rules in one.spellings.values()}
        assert len(texts) == len(one.spellings) >= 4, name
        assert one.apart.keys() <= one.spellings.keys()
    assert {*"abcdefghi"} < SPELT.keys()


NAMED = """
input x: [3]
input w: [6]
h = tanh(x)
z = concat(h, sin(x), axis=0) * w
a = z[0:3]
b = z[3:6]
q = h[:]
output r = concat(q, x, axis=0)[0:3]
output y = sum(a * b) + sum(r * exp(r))
derive grad y wrt h, q, r, a as g
derive jacobian r wrt x as J
"""


def test_names_stand_for_what_they_name() -> None:
    """A part that is all of what was joined is that, and yet differentiated by under its name."""
    module = graphc.compile_text(NAMED).module()
    x, w = np.array([0.1, 0.2, 0.3]), np.arange(1.0, 7.0)
    h, s = np.tanh(x), np.sin(x)
    b, slope = s * w[3:], np.exp(h) * (1 + h)
    found = module.g(x, w)
    for path, expected in {"h": b * w[:3] + slope, "q": slope, "r": slope, "a": b}.items():
        np.testing.assert_allclose(found[path], expected, rtol=1e-14)
    np.testing.assert_allclose(module.J(x, w)["r"]["x"], np.diag(1 - h * h), rtol=1e-14)


def test_a_part_that_is_all_of_an_input() -> None:
    """Where an axis is known to be short, a range of it is the input itself."""
    module = graphc.compile_text(
        "dim E = 1\ninput x: [E]\noutput a = x[:1]\noutput b = sin(x)\n"
        "derive jacobian a, b wrt x as J\n"
    ).module()
    found = module.J(np.array([0.5]))
    assert found["a"]["x"].tolist() == [[1.0]]
    np.testing.assert_allclose(found["b"]["x"].item(), np.cos(0.5), rtol=1e-15)


def test_an_empty_part_moves_no_other() -> None:
    """What is chosen behind an array without elements is of the array that has it."""
    module = graphc.compile_text(
        "input a: [5]\ninput b: [2]\ninput c: [9000]\n"
        "z = tanh(concat(a[2:2], b, c, axis=0) * 2)\n"
        "output y = sum(z[3:4]) + 10 * sum(z[0:2])\n"
        "derive value_and_grad y wrt b, c as g\n"
    ).module()
    b, c = np.array([0.1, 0.2]), np.linspace(0.3, 0.7, 9000)
    value, found = module.g(np.ones(5), b, c)
    of_b, of_c = np.tanh(2 * b), np.tanh(2 * c[1])
    slope = np.zeros(9000)
    slope[1] = 2 * (1 - of_c**2)
    np.testing.assert_allclose(value, 10 * np.sum(of_b) + of_c, rtol=1e-14)
    np.testing.assert_allclose(found["b"], 20 * (1 - of_b**2), rtol=1e-13)
    np.testing.assert_allclose(found["c"], slope, rtol=1e-13)


CROSSED = """
dim T, B
const H = 3
input xs: [T, B, H]
input x0: [B, H]
block squared(v: [T, B, H]) -> y: [T, B, H] {
    y = v * v
    rule vjp v = cotangent(y) * 2 * v
    rule jvp y = tangent(v) * 2 * v
}
repeat layer[k in 1..2] carry s = xs {
    param W: [2*H, 2*H] ~ glorot
    param b: [2*H] ~ glorot
    scan cell[t in T] carry h = x0 {
        z = concat(s[t], h, axis=1)
        p = z @ W[:, 0:H] + b[0:H]
        q = z @ W[:, H:] + b[H:]
        next h = sigmoid(p) * tanh(q)
        collect out = sigmoid(p) * tanh(q)
    }
    next s = out
}
rows = sum(squared(s), axis=[0, 2])
output loss = sum(rows)
derive value_and_grad loss wrt params, x0 as f
derive grad loss wrt layer.* as family
derive grad loss wrt layer.2.b, x0 per B as each
derive hvp loss wrt params as bend
"""


STATES = """
dim T, B
const H = 3
input xs: [T, B, H]
input x0: [B, H]
param u: [2, H]
repeat layer[k in 1..2] carry s = xs {
    param w: [4, H] ~ glorot
    scan cell[t in T] carry m = stack(x0, tanh(x0), axis=1), n = 0.5 {
        z = m[:, 0, :][:, _, :] * w[_, :, :] + s[t][:, _, :]
        h = sigmoid(z[:, 0]) * m[:, 1] + tanh(z[:, 1]) * sigmoid(z[:, 2:4])[:, 1] + n * m[:, 1, 0:1]
        next m = stack(h, h * sum(u[_, :, :] * m[:, 1][:, _, :], axis=1), axis=1)
        next n = n * sum(u[0])
        collect out = h
    }
    next s = out + m[:, 0]
}
scan row[b in B] {
    far = s[:, b] - x0[b]
    collect one = sum(far * far) + sum(tanh(sum(far[:, :, _] * u.T[_, :, :], axis=1)))
}
rows = one * 2
output loss = sum(rows)
derive value_and_grad loss wrt params, x0 as f
derive grad loss wrt layer.* as family
derive grad loss wrt layer.2.w, x0 per B as each
derive hvp loss wrt params as bend
"""


@pytest.mark.parametrize("text", [CROSSED, STATES], ids=["a cell", "states and maps"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_loops_under_other_features(text: str, dtype: str) -> None:
    """Families of a repeat, one gradient an example, stated rules and second derivatives."""
    plain, fast = (graphc.compile_text(text, level=n, dtype=dtype).module() for n in (0, 2))
    rng = np.random.default_rng(3)
    params = {path: rng.normal(size=x.shape) for path, x in sorted(fast.init(0).items())}
    close = {"rtol": 1e-9, "atol": 1e-12} if dtype == "float64" else {"rtol": 2e-4, "atol": 1e-5}
    for steps, examples in ((4, 2), (1, 1), (0, 2)):
        given = {
            "xs": rng.normal(size=(steps, examples, 3)),
            "x0": rng.normal(size=(examples, 3)),
            "params": params,
        }
        for name in ("f", "family", "each", "bend"):
            more = {"tangents": params} if name == "bend" else {}
            found, right = (getattr(one, name)(**given, **more) for one in (fast, plain))
            pairs = zip(leaves(found), leaves(right), strict=True)
            for one, other in pairs:
                np.testing.assert_allclose(one, other, **close)
    if dtype == "float64":
        x0 = given["x0"] = rng.normal(size=(2, 3))
        given["xs"] = rng.normal(size=(4, 2, 3))
        way, step = rng.normal(size=x0.shape), 1e-6
        _, slopes = fast.f(**given)
        up, down = (fast.f(**{**given, "x0": x0 + h * way})[0] for h in (step, -step))
        np.testing.assert_allclose(np.sum(slopes["x0"] * way), (up - down) / (2 * step), rtol=1e-6)


def leaves(found: Any) -> list[Any]:
    """The arrays of a result, in an order of their own."""
    if hasattr(found, "items"):
        return [one for _, part in sorted(found.items()) for one in leaves(part)]
    if isinstance(found, tuple):
        return [one for part in found for one in leaves(part)]
    return [found]


PARTS_BY_NAME = """
dim N, K
input a: [N, 3]
input b: [3, K]
p = a[:, :, _] * b[_, :, :]
q = sum(p, axis=1)
top = max(q, axis=1)
z = q - top[:, _]
e = exp(z)
s = sum(e, axis=1)
l = top + log(s)
w = e / s[:, _]
output loss = sum(l * l) + sum(w[:, 0]) + sum(log(w[:, 1]))
derive grad loss wrt NAME as g
"""


@pytest.mark.parametrize("name", ["p", "q", "z", "e", "s", "w", "l"])
def test_what_is_derived_by_is_not_gone_past(name: str) -> None:
    """Products of matrices, softmax and logsumexp are made of parts; each may be asked for."""
    module = graphc.compile_text(PARTS_BY_NAME.replace("NAME", name)).module()
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(4, 3)), rng.normal(size=(3, 5))
    q = a @ b
    top = q.max(axis=1)
    e = np.exp(q - top[:, None])
    s = e.sum(axis=1)
    w, d_w, d_l = e / s[:, None], np.zeros(q.shape), 2 * (top + np.log(s))
    d_w[:, 0], d_w[:, 1] = 1, 1 / w[:, 1]
    d_s = d_l / s - np.sum(d_w * e, axis=1) / s**2
    d_e = d_w / s[:, None] + d_s[:, None]
    d_z = d_e * e
    d_q = d_z.copy()
    d_q[np.arange(4), q.argmax(axis=1)] += d_l - d_z.sum(axis=1)
    d_p = np.broadcast_to(d_q[:, None, :], (4, 3, 5))
    expected = {"p": d_p, "q": d_q, "z": d_z, "e": d_e, "s": d_s, "w": d_w, "l": d_l}
    np.testing.assert_allclose(module.g(a, b)[name], expected[name], rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("level", [0, 2])
def test_what_a_loop_collects_is_derived_by_where_the_loop_is_made_anew(level: int) -> None:
    """What it captures is a loop in which a selection moves."""
    text = """
        input x: [2, 2]
        param q: [2, 2]
        param p: [2, 2, 1]
        scan first[t in 2] carry f = p, g = p, h = q {
            u = tanh(f)
            v = h * h
            w = erfc(sin(v))
            next f = tanh(u)
            next g = tanh(f)[:, :, ::-1]
            next h = w
        }
        squares = x * x
        part = squares[:, 1:]
        repeat then[k in 1..3] carry z = h {
            next z = tanh(h * 0.7 + z)
            collect c = x
        }
        a, b = split(c, 2, axis=2)
        m = max(part, axis=1, keepdims=true)
        r = linear_recurrence(0.5 * sin(m), m, axis=1)
        each = sum(sin(r), axis=[1])
        loss = sum(each)
        output b, r, a, each, loss
        derive vjp b, r, a wrt x, c as pulled
    """
    module = graphc.compile_text(text, level=level).module()
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, 3, 2, 1))
    params = {"p": rng.normal(size=(2, 2, 1)), "q": rng.normal(size=(2, 2))}
    _, found = module.pulled(params, np.ones((2, 2)), cotangents={"a": one, "b": other})
    whole = np.concatenate((one, other), axis=2)
    np.testing.assert_array_equal(found["c"], whole)
    np.testing.assert_allclose(found["x"], whole.sum(axis=0), rtol=1e-14)


@pytest.mark.parametrize("level", [0, 2])
def test_a_state_that_is_stacked_of_what_no_step_makes(level: int) -> None:
    text = """
        input a, b: [3]
        c = stack(tanh(a), tanh(b), axis=0)
        scan s[t in 3] carry h = c {
            next h = stack(tanh(a), h[1] * 2, axis=0)
        }
        output y = sum(h[0] * h[1])
        derive grad y wrt a, b
    """
    a, b = np.random.default_rng(0).normal(size=(2, 3))
    found = graphc.compile_text(text, level=level).module().grad_y(a, b)
    expected = {
        "a": 8 * np.tanh(b) / np.cosh(a) ** 2,
        "b": 8 * np.tanh(a) / np.cosh(b) ** 2,
    }
    for name, slope in expected.items():
        np.testing.assert_allclose(found[name], slope, rtol=1e-13)


@pytest.mark.parametrize("level", [0, 2])
def test_a_member_of_a_family_is_taken_before_its_columns(level: int) -> None:
    """A family is a list, which has no columns."""
    text = """
        dim P
        input x: [P, 3]
        repeat layer[k in 0..2] carry h = x {
            param p: [P, 3]
            next h = p
        }
        output loss = sum(sin(h))
        derive hvp loss wrt layer.2.p
        derive grad loss wrt layer.0.*, x as first
    """
    module = graphc.compile_text(text, level=level).module()
    draw = np.random.default_rng(0).normal
    x, v = draw(size=(2, 4, 3))
    params = {f"layer.{k}.p": draw(size=(4, 3)) for k in range(3)}
    gradient, product = module.hvp_loss(params, x, tangents={"layer.2.p": v})[-2:]
    last = params["layer.2.p"]
    np.testing.assert_allclose(gradient["layer.2.p"], np.cos(last), rtol=1e-14)
    np.testing.assert_allclose(product["layer.2.p"], -np.sin(last) * v, rtol=1e-14)
    for slope in module.first(params, x).values():
        np.testing.assert_array_equal(slope, 0)
