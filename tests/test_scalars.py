"""Functions of Python's own floats: the numbers and the errors of -O0, also where `math` raises."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import jax
import numpy as np
import pytest
from conftest import compiled, module
from language_references import net321

from graphc.ops.elementwise.python_floats import ON_NUMBERS

NET = """
input x: [3]
input t: [1]
param W1: [2, 3]
param b1: [2]
param W2: [1, 2]
param b2: [1]
a1 = sigmoid(W1 @ x + b1)
a2 = sigmoid(W2 @ a1 + b2)
output loss = sum((a2 - t)**2) / 2
derive value_and_grad loss wrt params as g
derive hessian loss wrt params as H
derive value loss as v
"""


def text_at(level: str, text: str, dtype: str = "float64") -> str:
    return compiled(text, level=level, dtype=dtype).text


def both(text: str, dtype: str = "float64") -> tuple[ModuleType, ModuleType]:
    """The readable and the fast module; what is written alike is compiled once."""
    return module(text, level="-O0", dtype=dtype), module(text, level="-O2", dtype=dtype)


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


def given(seed: int = 0, dtype: str = "float64") -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    shapes = {"W1": (2, 3), "b1": (2,), "W2": (1, 2), "b2": (1,)}
    params = {path: rng.normal(size=shape).astype(dtype) for path, shape in shapes.items()}
    return params, rng.normal(size=3).astype(dtype), rng.uniform(size=1).astype(dtype)


# ---- numbers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-13), ("float32", 1e-5)])
def test_the_numbers_of_the_plain_module(dtype: str, tolerance: float) -> None:
    plain, fast = both(NET, dtype)
    for seed in range(5):
        arguments = given(seed, dtype)
        for name in ("g", "H", "v"):
            agree(getattr(fast, name)(*arguments), getattr(plain, name)(*arguments), tolerance)


def test_the_numbers_of_jax() -> None:
    _, fast = both(NET)
    params, x, t = given()

    def loss(params: Mapping[str, Any]) -> Any:
        return net321(params, {"x": x, "t": t})["loss"]

    value, gradients = jax.jit(jax.value_and_grad(loss))(params)
    found = fast.g(params, x, t)
    assert list(found[1]) == list(params)
    agree(found[0], np.float64(value))
    agree(found[1], {path: gradients[path] for path in params})
    hessian = jax.jit(jax.hessian(loss))(params)
    agree(fast.H(params, x, t), {a: {b: hessian[a][b] for b in params} for a in params})


def test_the_function_is_straight() -> None:
    """No NumPy between the arguments and the results."""
    text = text_at("-O2", NET)
    function = re.findall(r"^def g\(.*?(?=\n\n\n)", text, re.S | re.M)[0]
    assert set(re.findall(r"np[._]\w+", function)) == {"np_ndarray", "np_empty"}
    assert "math_exp" in function
    assert "def _g_arrays(" in text
    assert "_arrays" not in text_at("-O0", NET)


def test_many_numbers_stay_arrays() -> None:
    text = "input x: [9, 9]\ninput y: [9, 9]\noutput s = sum(tanh(x @ y))\nderive grad s wrt x, y"
    assert "_arrays" not in text_at("-O2", text)


def test_structure_leaves_few() -> None:
    """Of the Jacobian of a diagonal map only its diagonal is computed."""
    text = "input x: [12]\noutput y = x * exp(x) * sin(x)\nderive jacobian y wrt x as J"
    plain, fast = both(text)
    x = np.random.default_rng(0).normal(size=12)
    agree(fast.J(x), plain.J(x))
    agree(fast.J(x)["y"]["x"], np.diag(np.exp(x) * ((1 + x) * np.sin(x) + x * np.cos(x))), 1e-12)
    assert "_J_arrays" in text_at("-O2", text)


# ---- hard points -------------------------------------------------------------------------------

CALLED = {
    "+": "a + b", "-": "a - b", "*": "a * b", "/": "a / b", "//": "a // b", "%": "a % b",
    "**": "a ** b", "negative": "-a", "==": "where(a == b, a, 2 * b)",
    "!=": "where(a != b, a, 2 * b)",
    "<": "where(a < b, a, b)", "<=": "where(a <= b, a, b)", ">": "where(a > b, a, b)",
    ">=": "where(a >= b, a, b)", "and": "where(a > 0 and b > 0, a, b)",
    "or": "where(a > 0 or b > 0, a, b)", "not": "where(not (a > 0), a, b)",
    "atan2": "atan2(a, b)", "hypot": "hypot(a, b)", "where": "where(a > b, 1.5 * a, b)",
    "cast_float": "max(stack(a, b), axis=0) + one_hot(0, 1)[0]", "maximum": "maximum(a, b)",
    "minimum": "minimum(a, b)", "bce_logits": "bce_logits(a, b)",
    "isfinite": "where(isfinite(a), a, 2 * b)", "isnan": "where(isnan(a), a, 2 * b)",
    "isinf": "where(isinf(a), a, 2 * b)", "clip": "clip(a, -1.0, 1.25)",
}  # fmt: skip
POINTS = (0.0, -0.0, 1.0, 2.0, -1.5, 0.3, 1e3, -1e3, 1e308, -1e308, 1e-320, math.inf, -math.inf,
          math.nan)  # fmt: skip


ALONE = "input a: []\ninput b: []\noutput y = {call}\n"
IN_A_STEP = """
dim T
input first: []
input b: []
input u: [T]
scan step[t in T] carry a = first {{ next a = ({call}) + u[t] }}
output y = a
"""
WRITTEN = {"alone": (ALONE, "a"), "in a step": (IN_A_STEP, "first")}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", ON_NUMBERS)
@pytest.mark.parametrize("where", WRITTEN)
def test_operation_at_hard_points(where: str, name: str) -> None:
    """In both modes, at infinities and nan: what is not finite is so at -O0, and only there."""
    call = CALLED.get(name, f"{name}(a)")
    more = (np.zeros(1),) if where == "in a step" else ()
    source, first = WRITTEN[where]
    reads_b = "b" in call.replace("bce", "").replace("abs", "").replace("cbrt", "")
    text = source.format(call=call) + "derive value y as v\n"
    if "//" not in call and "%" not in call:
        text += f"derive jacobian y wrt {first}{', b' if reads_b else ''} as J\n"
    plain, fast = both(text)
    pairs = list(itertools.product(map(np.float64, POINTS), repeat=2))
    for function in ("v", "J"):
        if hasattr(plain, function):
            found, expected = (
                np.array([leaves(getattr(made, function)(a, b, *more)) for a, b in pairs])
                for made in (fast, plain)
            )
            equal = np.isclose(found, expected, 1e-12, 1e-300, equal_nan=True)
            rows = [place for place, same in enumerate(equal) if not same.all()]
            wrong = [(pairs[k], found[k], expected[k]) for k in rows]
            assert not wrong, f"{call}: {wrong}"


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_what_overflows_is_infinite(dtype: str) -> None:
    plain, fast = both(NET, dtype)
    for x in (np.full(3, 1e30), np.full(3, -1e30), np.array([np.nan, 0, 1]), np.full(3, np.inf)):
        params, _, t = given(1, dtype)
        agree(fast.g(params, x.astype(dtype), t), plain.g(params, x.astype(dtype), t), 1e-5)


# ---- arguments -----------------------------------------------------------------------------------


class Wrong:
    """What an argument can be that it should not, by name."""

    x: Mapping[str, Any] = {
        "short": np.zeros(2), "long": np.zeros(4), "deep": np.zeros((3, 1)), "one": np.float64(1),
        "none": None, "words": ["a", "b", "c"], "complex": np.zeros(3, complex),
        "objects": np.array([1.0, 2.0, 3.0], object), "ragged": [[1.0], [2.0, 3.0], [4.0]],
        "rows": np.zeros((3, 3)), "empty": np.zeros(0),
    }  # fmt: skip
    params: Mapping[str, Any] = {
        "missing": {"W1": np.zeros((2, 3))}, "none": None, "a list": [1], "empty": {},
        "unknown": {**given()[0], "W3": np.zeros(1)},
        "another": {**{path: given()[0][path] for path in ("W1", "b1", "W2")}, "b3": np.zeros(1)},
        "shape": {**given()[0], "W1": np.zeros((3, 2))},
        "rank": {**given()[0], "W1": np.zeros((2, 3, 1))},
        "flat": {**given()[0], "W1": np.zeros(6)},
    }  # fmt: skip


def failure(function: Any, *arguments: Any) -> tuple[type[Exception], str]:
    with pytest.raises((TypeError, ValueError, KeyError)) as caught:
        function(*arguments)
    return caught.type, str(caught.value)


@pytest.mark.parametrize("what", Wrong.x)
def test_wrong_input(what: str) -> None:
    """The error of the plain module."""
    plain, fast = both(NET)
    params, _, t = given()
    for name in ("g", "v"):
        expected = failure(getattr(plain, name), params, Wrong.x[what], t)
        assert failure(getattr(fast, name), params, Wrong.x[what], t) == expected


@pytest.mark.parametrize("what", Wrong.params)
def test_wrong_parameters(what: str) -> None:
    plain, fast = both(NET)
    _, x, t = given()
    expected = failure(plain.g, Wrong.params[what], x, t)
    assert failure(fast.g, Wrong.params[what], x, t) == expected


def test_a_wrong_argument_that_is_not_read() -> None:
    text = "input x: [2]\ninput y: [2, 1]\ninput s: []\noutput z = x * x\nderive value z as v"
    plain, fast = both(text)
    assert "_v_arrays" in text_at("-O2", text)
    x = np.ones(2)
    agree(fast.v(x, np.ones((2, 1)), 1.0), plain.v(x, np.ones((2, 1)), 1.0))
    for y, s in ((np.ones(2), 1.0), (np.ones((2, 1, 1)), 1.0), (np.ones((2, 1)), np.ones(1))):
        assert failure(fast.v, x, y, s) == failure(plain.v, x, y, s)


@pytest.mark.parametrize("expression", ["a + b", "where(a == b, a, b)", "maximum(a, b)", "a"])
def test_lists_are_no_numbers(expression: str) -> None:
    """Arrays of one axis more are unpacked to lists, which can be added."""
    text = f"input a: [2]\ninput b: [2]\noutput z = {expression}\nderive value z as v"
    plain, fast = both(text)
    for deep in (np.ones((2, 1)), np.ones((2, 2)), np.ones((2, 2, 2))):
        assert failure(fast.v, deep, deep) == failure(plain.v, deep, deep)


def forms(array: np.ndarray) -> list[Any]:
    """What `np.asarray` takes."""
    wide = np.zeros((*array.shape, 2))
    wide[..., 0] = array
    frozen = array.copy()
    frozen.flags.writeable = False
    masked = np.ma.masked_array(array, mask=np.arange(array.size).reshape(array.shape) == 0)
    return [
        array.tolist(), np.asfortranarray(array), wide[..., 0], array.astype(">f8"), frozen, masked,
        array.astype(np.longdouble), np.rint(array).astype(int), array.astype(np.float32),
    ]  # fmt: skip


def test_arguments_in_any_form() -> None:
    """Converted, and computed with by the same numbers: the bits are those of the array."""
    plain, fast = both(NET)
    params, x, t = given(3)
    for form in forms(x):
        agree(fast.g(params, form, t), plain.g(params, form, t))
        array = np.asarray(form, np.float64)
        for one, other in zip(
            *map(leaves, (fast.g(params, form, t), fast.g(params, array, t))), strict=True
        ):
            assert one.tobytes() == other.tobytes()
    for form in forms(params["W1"]):
        changed = {**params, "W1": form}
        agree(fast.g(changed, x, t), plain.g(changed, x, t))
    reordered = dict(reversed(params.items()))
    agree(fast.g(reordered, x, t), plain.g(params, x, t))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_scalars_in_any_form(dtype: str) -> None:
    text = "input a: []\nparam b: []\noutput c = a * b + a\nderive value_and_grad c wrt a, b as g"
    plain, fast = both(text, dtype)
    for a in (0.1, 2, True, np.float64(0.1), np.float32(0.1), np.array(0.1), np.int64(3)):
        agree(fast.g({"b": a}, a), plain.g({"b": a}, a), 1e-7)
        assert type(fast.g({"b": a}, a)[0]) is np.dtype(dtype).type
    assert failure(fast.g, {"b": 1.0}, np.ones(1)) == failure(plain.g, {"b": 1.0}, np.ones(1))
    assert failure(fast.g, {"b": "x"}, 1.0) == failure(plain.g, {"b": "x"}, 1.0)


# ---- results -----------------------------------------------------------------------------------


def test_results_are_the_callers() -> None:
    _, fast = both(NET)
    params, x, t = given()
    first, second = fast.g(params, x, t), fast.g(params, x, t)
    arrays = [*first[1].values(), *second[1].values(), *params.values(), x, t]
    for one, other in itertools.combinations(arrays, 2):
        assert not np.shares_memory(one, other)
    for one in first[1].values():
        assert one.flags.owndata
        one += 1
    agree(fast.g(params, x, t), second, 0)


def test_a_result_that_is_an_argument_or_another_result() -> None:
    text = """
    input x: [2]
    param w: [2]
    output y = x
    output z = x
    output s = x @ w
    derive value y, z, s as v
    derive grad s wrt x, w as g
    """
    plain, fast = both(text)
    x, w = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    values = fast.v({"w": w}, x)
    agree(tuple(values), tuple(plain.v({"w": w}, x)))
    arrays = [values.y, values.z, x, w, *fast.g({"w": w}, x).values()]
    for one, other in itertools.combinations(arrays, 2):
        assert not np.shares_memory(one, other)


def test_names_that_the_function_uses_itself() -> None:
    """An argument called so is computed with as an array."""
    text = """
    param math_exp: [2]
    param type: [2]
    param DTYPE: [2]
    output y = exp(math_exp * type * DTYPE)
    derive jacobian y wrt params as J
    """
    plain, fast = both(text)
    params = {"math_exp": np.ones(2), "type": np.ones(2), "DTYPE": np.array([2.0, 3.0])}
    agree(fast.J(params), plain.J(params))
