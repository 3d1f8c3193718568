"""Arrays by component: the numbers of -O0 and of JAX, and what becomes of them in the text."""

from __future__ import annotations

import functools
import itertools
import re
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import long
from language_references import project
from operation_references import ALIKE, CALLS
from sampling import NAMES, Call
from test_ops import has_derivative

from graphc.compile.stages import Options, compile_levels, compile_text
from graphc.ir.dims import Dim
from graphc.ir.graph import INPUT, Node, building, source
from graphc.ir.types import Dtype, Type
from graphc.ops import FUNCTIONS
from graphc.ops.elementwise.arithmetic import minus, plus
from graphc.optimise.scalarise import small_axes
from graphc.optimise.scalarise.cells import Grid, combine, structural_zero
from graphc.optimise.scalarise.rules import RULES
from graphc.source import GraphError, Source
from tests.loading import loaded


@functools.cache
def both(text: str, dtype: str = "float64") -> tuple[ModuleType, ModuleType]:
    made = compile_levels(Source("components", text), Options(dtype=dtype), None, ("-O0", "-O2"))
    plain, fast = (loaded(one.text) for one in made)
    return plain, fast


def leaves(value: Any) -> list[np.ndarray]:
    if isinstance(value, dict):
        return [leaf for one in value.values() for leaf in leaves(one)]
    if isinstance(value, tuple):
        return [leaf for one in value for leaf in leaves(one)]
    return [np.asarray(value)]


def agree(found: Any, expected: Any, tolerance: float = 1e-13) -> None:
    """Equal in number, shape and dtype; in value up to a part of the largest finite element."""
    for one, other in zip(leaves(found), leaves(expected), strict=True):
        assert one.dtype == other.dtype
        scale = np.max(np.abs(other[np.isfinite(other)]), initial=1.0)
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * scale, strict=True)


# ---- bundle adjustment -----------------------------------------------------------------------

BUNDLE = """
dim C, M, P
input cams: [C, 11]
input pts: [M, 3]
input wt: [P]
input obs: int[P, 2]
input feat: [P, 2]
cam = cams[obs[:, 0]]
pt = pts[obs[:, 1]]
r = cam[:, 0:3]
X = pt - cam[:, 3:6]
sq = sum(r**2, axis=-1)
ok = sq > 0
th = sqrt(where(ok, sq, 1))
w = r / th[:, _]
turned = X * cos(th)[:, _] + cross(w, X) * sin(th)[:, _]
       + w * (sum(w * X, axis=-1) * (1 - cos(th)))[:, _]
Y = where(ok[:, _], turned, X + cross(r, X))
p = Y[:, 0:2] / Y[:, 2:3]
r2 = sum(p**2, axis=-1)
dist = 1 + cam[:, 9] * r2 + cam[:, 10] * r2**2
output e = wt[:, _] * (p * dist[:, _] * cam[:, 6:7] + cam[:, 7:9] - feat)
output loss = sum(e**2) / 2
derive value_and_jacobian e wrt cam, pt, wt per P as J
derive value_and_grad loss wrt cams, pts, wt as g
"""


def observations(count: int, dtype: str = "float64") -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(count)
    cams = rng.normal(size=(4, 11)) * 0.3
    cams[:, 5] -= 5
    cams[1, :3] = 0  # is not turned
    obs = np.stack([rng.integers(0, 4, count), rng.integers(0, 6, count)], axis=1)
    floats = [cams, rng.normal(size=(6, 3)), rng.uniform(0.5, 2, count)]
    cams, pts, wt = (one.astype(dtype) for one in floats)
    return cams, pts, wt, obs, rng.normal(size=(count, 2)).astype(dtype)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-13), ("float32", 1e-5)])
def test_the_numbers_of_the_plain_module(dtype: str, tolerance: float) -> None:
    plain, fast = both(BUNDLE, dtype)
    for count in (20, 1, 0):
        given = observations(count, dtype)
        agree(fast.J(*given), plain.J(*given), tolerance)
        agree(fast.g(*given), plain.g(*given), tolerance)


def test_the_numbers_of_jax() -> None:
    _, fast = both(BUNDLE)
    cams, pts, wt, obs, feat = observations(20)

    def residual(cam: Any, pt: Any, w: Any, f: Any) -> Any:
        return w * (project(cam, pt) - f)

    def residuals(cams: Any, pts: Any, wt: Any) -> Any:
        return jax.vmap(residual)(cams[obs[:, 0]], pts[obs[:, 1]], wt, feat)

    def loss(cams: Any, pts: Any, wt: Any) -> Any:
        return jnp.sum(residuals(cams, pts, wt) ** 2) / 2

    @jax.jit
    def expected(cams: Any, pts: Any, wt: Any) -> Any:
        each = jax.vmap(jax.jacrev(residual, argnums=(0, 1, 2)))
        rows = (cams[obs[:, 0]], pts[obs[:, 1]], wt, feat)
        of_loss = jax.value_and_grad(loss, argnums=(0, 1, 2))(cams, pts, wt)
        return residuals(cams, pts, wt), each(*rows), *of_loss

    e, jacobians, total, gradients = expected(cams, pts, wt)
    value, blocks = fast.J(cams, pts, wt, obs, feat)
    agree(value, e, 1e-12)
    agree(tuple(blocks["e"].values()), tuple(jacobians), 1e-12)
    found = fast.g(cams, pts, wt, obs, feat)
    agree((found[0], tuple(found[1].values())), (np.float64(total), tuple(gradients)), 1e-12)


def test_everything_is_a_vector() -> None:
    """No array with small axes but what is returned; nothing is computed of what is zero."""
    text = re.sub("#.*", "", compiled_function("J"))
    for gone in ("np.cross", "axis=", "[:, None]", "np.eye", "np.concatenate", "broadcast_to"):
        assert gone not in text
    assert "J_e_cam.fill(0)" in text  # has two zeros, which nobody writes
    assert "J_e_pt.fill(0)" not in text
    places = set(re.findall(r"J_e_cam\[start:size \+ start, (\d, \d+)\]", text))
    assert len(places) == 20
    assert not {"0, 8", "1, 7"} & places


def compiled_function(name: str, text: str = BUNDLE, level: str = "-O2") -> str:
    whole = compile_text(text, options=Options(level=level)).text
    return re.findall(rf"^def {name}\(.*?(?=\n\n\n)", whole, re.S | re.M)[0]


def test_forward_and_backward_are_of_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if there were no such pass."""
    found = [compiled_function(name) for name in ("forward", "backward", "J")]
    monkeypatch.setattr(small_axes, "MANY", 0)
    expected = [compiled_function(name) for name in ("forward", "backward", "J")]
    assert found[:2] == expected[:2]
    assert found[2] != expected[2]


def test_what_is_returned_is_the_callers() -> None:
    _, fast = both(BUNDLE)
    given = observations(20)
    before = [one.copy() for one in given]
    first, second = leaves(fast.J(*given)), leaves(fast.J(*given))
    arrays = [*first, *second, *given]
    for one, other in itertools.combinations(arrays, 2):
        assert not np.shares_memory(one, other)
    for one in first:
        one += 1
    agree(leaves(fast.J(*given))[0], second[0], 0)
    for one, other in zip(given, before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_index_may_be_negative_but_not_outside() -> None:
    plain, fast = both(BUNDLE)
    cams, pts, wt, obs, feat = observations(20)
    agree(fast.g(cams, pts, wt, obs - 2, feat), plain.g(cams, pts, wt, obs - 2, feat))
    for shift in (5, -10):
        for function in (fast.J, fast.g, plain.J, plain.g):
            with pytest.raises(
                IndexError, match=r"`obs` holds -?\d+, expected 0\.\.\d+|out of bounds"
            ):
                function(cams, pts, wt, obs + shift, feat)


# ---- every operation ---------------------------------------------------------------------------


def by_component() -> list[Any]:
    """Calls with a long axis beside a small one: the first, of every other function of many that
    are alike; others are long."""
    found = []
    for name, calls in CALLS.items():
        wide = [one for one in calls if any("N" in t and "," in t for t in one.types)]
        first, *others = [one for one in wide[:3] if "full" not in one.text] or [None]
        shown = long if ALIKE.get(name, 0) % 2 else pytest.param
        found += [shown(first), *map(long, others)] if first else []
    return found


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("call", by_component(), ids=str)
def test_operation(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever can be taken apart is, whether it pays or not."""
    monkeypatch.setattr(small_axes, "WORTH", 10**9)
    monkeypatch.setattr(small_axes, "ENOUGH", 0)
    outputs = ", ".join(f"y{i}" for i in range(call.results))
    text = ["dim N", *call.lines(), f"derive value {outputs} as V"]
    wrt = ", ".join(NAMES[slot] for slot in call.floats)
    if call.floats and has_derivative(call):
        text += [
            f"derive vjp {outputs} wrt {wrt} as B",
            f"derive jacobian {outputs} wrt {wrt} as J",
        ]
    try:
        plain, fast = both("\n".join(text))
    except GraphError as why:
        if why.diagnostics[0].code not in ("E403", "E406"):  # no derivative
            raise
        return
    for size in call.sizes:
        given = call.arguments(size)
        values = plain.V(*given)
        agree(fast.V(*given), values, 1e-12)
        if hasattr(plain, "B"):
            rng = np.random.default_rng(size)
            parts = values._asdict() if isinstance(values, tuple) else {outputs: values}
            ct = {name: rng.normal(size=np.shape(one)) for name, one in parts.items()}
            agree(fast.B(*given, cotangents=ct), plain.B(*given, cotangents=ct), 1e-12)
            agree(fast.J(*given), plain.J(*given), 1e-12)


# ---- what pays ---------------------------------------------------------------------------------

LAYER = """
dim B
input x: [B, 20]
input t: [B, 10]
param W: [20, 10]
param b: [10]
output loss = sum((softmax(x @ W + b) - t)**2)
derive grad loss wrt params as g
"""


def test_a_layer_of_a_network_stays_an_array(monkeypatch: pytest.MonkeyPatch) -> None:
    found = compiled_function("g", LAYER)
    monkeypatch.setattr(small_axes, "MANY", 0)
    assert found == compiled_function("g", LAYER)


def test_a_component_that_stands_twice_is_computed_once() -> None:
    text = """
    dim P
    input x: [P, 3]
    n = x / sqrt(sum(x**2, axis=-1, keepdims=true))
    q = cross(n, x) / (1 + sum(cross(n, x[:, ::-1])**2, axis=-1, keepdims=true))
    s = q[:, 0] * q[:, 1]
    output y = stack(s, s, q[:, 2], axis=1)
    derive value y as v
    """
    plain, fast = both(text)
    x = np.random.default_rng(0).normal(size=(9, 3))
    agree(fast.v(x), plain.v(x), 1e-12)
    assert (
        len(re.findall(r"y\[[^\]]*, [01]\] = s|y\[[^\]]*, [01]\]\)", compiled_function("v", text)))
        == 2
    )


@pytest.mark.parametrize("length", ["P", "100"])
def test_a_long_axis_of_known_length(length: str) -> None:
    text = f"""
    dim P
    input x: [{length}, 3]
    input y: [{length}, 3]
    input z: [P]
    n = x / sqrt(sum(x**2, axis=-1, keepdims=true))
    m = y / sqrt(sum(y**2, axis=-1, keepdims=true))
    c = cross(n, m) * sum(n * m, axis=-1, keepdims=true)
    d = c / (1 + sum(c**2, axis=-1, keepdims=true)) + stack(n[:, 1], m[:, 2], n[:, 0], axis=1)
    output s = sum(mean(d * cross(c, d), axis=0) * [1.0, 2.0, 3.0])
    derive value_and_grad s wrt x, y as g
    """
    plain, fast = both(text)
    count = 100 if length == "100" else 7
    x, y = np.random.default_rng(0).normal(size=(2, count, 3))
    z = np.ones(count)
    assert "np.cross" not in compiled_function("g", text)
    agree(fast.g(x, y, z), plain.g(x, y, z), 1e-12)


# ---- zeros -------------------------------------------------------------------------------------

ZEROS = """
dim P
input x: [P, 2]
input f: [P]
n = x / sum(x**2, axis=-1, keepdims=true)
m = n * f[:, _] / (1 + sum(n * x, axis=-1, keepdims=true))
q = (m + n) / (1 + sum(m * m, axis=-1, keepdims=true))
output y = {} + sum(q * n, axis=-1, keepdims=true) * x
derive value y as v
"""


def test_a_number_zero_times_infinity_is_nan() -> None:
    """What the user multiplies by 0 is multiplied."""
    text = ZEROS.format("(0.0 * f)[:, _] * q")
    plain, fast = both(text)
    x, f = np.ones((4, 2)), np.array([1.0, np.inf, np.nan, -np.inf])
    with np.errstate(invalid="ignore"):
        agree(fast.v(x, f), plain.v(x, f))
        assert np.isnan(fast.v(x, f)[1]).all()


def test_no_product_with_a_zero_of_structure() -> None:
    """As beside the diagonal of a seed: there a factor may be infinite."""
    text = """
    dim P
    input x: [P, 2]
    input f: [P]
    y = f[:, _] * x / (1 + sum(x**2, axis=-1, keepdims=true))
    z = y * f[:, _] / (1 + sum(y**2, axis=-1, keepdims=true))
    output w = z / (1 + sum(z * x, axis=-1, keepdims=true))
    derive jacobian w wrt z per P as J
    """
    function = compiled_function("J", text)
    assert "np.eye" not in function
    assert " * 0" not in function
    plain, fast = both(text)
    rng = np.random.default_rng(1)
    x, f = rng.normal(size=(5, 2)), rng.normal(size=5)
    agree(fast.J(x, f), plain.J(x, f), 1e-12)


def test_a_zero_of_structure_leaves_floats_alone_as_they_are() -> None:
    """What is true, or whole, becomes a float beside it."""
    with building():
        zero = structural_zero()
        number = input_node("float")
        ways = [(plus, (number, zero)), (plus, (zero, number)), (minus, (number, zero))]
        for operation, args in ways:
            assert combine(operation(*args), args) is number
        for dtype in ("bool", "int"):
            for operation, args in ways:
                given = [input_node(dtype) if one is number else one for one in args]
                assert combine(operation(*args), given).type.dtype == "float"


def input_node(dtype: Dtype) -> Node:
    return source(INPUT, dtype, Type(dtype, ()))


@pytest.mark.parametrize(("name", "expected"), [("sum", 0.0), ("prod", 1.0), ("max", None)])
def test_what_nothing_is_joined_to(name: str, expected: float | None) -> None:
    """Along an axis without positions; of nothing there is no largest."""
    with building():
        x = source(INPUT, "x", Type("float", (Dim.of(2), Dim.of(3))))
        node = FUNCTIONS[name].build(x, axis=(1,), keepdims=False)
        grids = [Grid(np.empty((2, 0), object), None)]
        if expected is None:
            with pytest.raises(AssertionError, match="nothing to compare"):
                RULES[name](node, grids, None)
        else:
            cells = RULES[name](node, grids, None)
            assert cells is not None
            assert [cell.value for cell in cells] == [expected] * 2
