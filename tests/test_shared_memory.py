"""Whose memory a value lies in: results are the caller's alone, and no value is overwritten."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from inspect import signature
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from graphc.compile.stages import Options, compile_text
from tests.loading import loaded

Array = np.ndarray[Any, Any]
LEVELS = ("-O0", "-O2")


@cache
def module_of(text: str, level: str) -> ModuleType:
    return loaded(compile_text(text, options=Options(level=level)).text, f"shared{level[2:]}")


# ---- what is returned is the caller's ------------------------------------------------------------

PROGRAMS = {
    "a loop hands on an input": """
        input x: [3]
        input z: [3]
        repeat r[k in 0..2] carry h = z { next h = x }
        output y = h
        output w = x
    """,
    "a loop hands on a view of an input": """
        input x: [3]
        input z: [3, 4]
        repeat r[k in 0..2] carry h = z { next h = broadcast_to(x[:, _], [3, 4]) }
        output y = h
        output w = sin(h)
        derive value y, w
        derive jacobian y, w wrt x
    """,
    "a loop ends with its start": """
        dim T
        input x: [3]
        input z: [T]
        scan r[t in T] carry h = x { next h = h }
        output y = h + z[0]
        output w = h
        derive value y, w
        derive vjp y, w wrt x
    """,
    "carried values change places": """
        input x: [3]
        input z: [3]
        repeat r[k in 0..2] carry a = sin(x), b = cos(z) {
            next a = b
            next b = a
        }
        output y = a
        output w = b
        output v = flip(b)
        output u = flip(a)
        derive value y, w, v, u
        derive jacobian y, w, v wrt x
    """,
    "a loop hands on what it reads": """
        input x: [3]
        input z: [3]
        c = exp(x)
        repeat r[k in 0..2] carry a = z {
            next a = c
            collect q = a * x
        }
        output y = a
        output w = c
        output u = q
        derive value y, w, u
        derive jacobian y, w wrt x
        derive jvp y, w wrt x
        derive vjp y, w wrt x
    """,
    "a loop ends with the last of a stack": """
        dim T
        input x: [3]
        input z: [T, 3]
        scan r[t in T] carry a = x {
            next a = sin(a) + z[t]
            collect q = a
        }
        output y = a
        output u = q
        output p = q[0]
        derive value y, u, p
        derive vjp y, u wrt x
    """,
    "a loop ends with a view of the last of a stack": """
        dim T
        input x: [3, 3]
        input z: [T, 3]
        scan r[t in T] carry a = x {
            s = sin(a) * z[t]
            next a = s.T
            collect q = s
        }
        output y = a
        output u = q
        derive value y, u
        derive vjp y, u wrt x
    """,
    "a constant goes through a loop": """
        input x: [4]
        c = 2 * arange(4)
        repeat r[k in 0..2] carry a = 0 * x { next a = c * 1.0 }
        output y = a
        output w = c * 1.0 + 0
        derive value y, w
    """,
    "outputs are an input": """
        input x: [3]
        output y = x
        output w = x
        output v = x + 0
        output u = reshape(x, [1, 3])
        output s = broadcast_to(x, [4, 3])
        output c = zeros([3])
        output d = ones([3])
        output e = arange(3)
        output f = diagonal(outer(x, x))
        derive value y, w, v, u, s, c, d, e, f
        derive jacobian y, w, v, u, s wrt x
        derive jvp y, w, v, u, s wrt x
        derive vjp y, w, v, u, s wrt x
    """,
    "blocks of two outputs are equal": """
        input z: [3]
        output y: [3] = z - 0
        output w: [3] = z + 0
        derive jacobian y, w wrt z as J
        derive jacobian y wrt z as J1
    """,
    "second derivatives are equal": """
        input x, w: [3]
        output y = sum(x * x) + sum(w * w)
        output z = sum(x * w)
        derive hessian y wrt x, w
        derive hessian z wrt x, w
        derive value_and_hessian y wrt x, w as again
        derive hvp y wrt x, w
        derive hvp z wrt x, w
        derive hessian_matrix z wrt x, w
        derive jacobian_matrix y, z wrt x, w
    """,
    "rows of examples are equal": """
        dim N
        input x, w: [N, 3]
        output y: [N, 3] = x * w
        output z: [N, 3] = w * x * 1
        output l = sum(y)
        derive value_and_jacobian y, z wrt x, w per N as J
        derive grad l wrt x, w per N
        derive value_and_grad l wrt x, w
        derive sparse_jacobian y, z wrt x, w
    """,
    "views of numbers are equal": """
        input x: [3]
        input p: []
        output y: [1] = mean(full([3], p), axis=0, keepdims=true)
        output z: [1] = mean(full([3], p), axis=0, keepdims=true) + sum(x)
        output u: [1] = tanh(sum(x))[_]
        output v: [1, 1] = reshape(tanh(sum(x)), [1, 1])
        derive jacobian y, z wrt p
        derive jacobian u, v wrt x
        derive vjp u, v, z wrt x, p
    """,
    "blocks of families are equal": """
        input x: [3]
        repeat r[k in 1..3] carry h = x {
            param p: [3]
            next h = h + p
        }
        output y: [3] = h
        output w: [3] = h + 0
        derive jacobian y, w wrt params as J
        derive vjp y, w wrt params
    """,
}
SIZES = {"T": 4, "N": 5}


def arrays(value: Any, path: str) -> Iterator[tuple[str, Array]]:
    """The arrays in what a function takes or returns, and where they stand."""
    if isinstance(value, np.ndarray):
        yield path, value
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from arrays(one, f"{path}/{name}")
    elif hasattr(value, "indptr"):
        for name in ("data", "indices", "indptr"):
            yield f"{path}.{name}", getattr(value, name)
    elif isinstance(value, tuple | list):
        for number, one in enumerate(value):
            yield from arrays(one, f"{path}[{number}]")


def argument(module: ModuleType, name: str) -> Any:
    rng = np.random.default_rng(3)
    if name == "params":
        return {path: rng.uniform(0.2, 1, 3) for path in module.PARAMETERS}
    if name == "tangents":
        return {"x": np.ones(3)}
    if name == "cotangents":
        return {}
    declared = module.GRAPH["inputs"][name]
    sizes = declared[declared.index("[") + 1 : -1].split(", ")
    return rng.uniform(0.2, 1, [SIZES.get(n) or int(n) for n in sizes if n])


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_an_array_that_is_returned_shares_memory_with_nothing(name: str, level: str) -> None:
    module = module_of(PROGRAMS[name], level)
    functions = [
        one
        for one in vars(module).values()
        if getattr(one, "__module__", "") == module.__name__
        and not isinstance(one, type)
        and one.__name__ not in ("init", "flatten", "unflatten", "check", "backward")
        and not one.__name__.startswith("_")
    ]
    assert len(functions) > PROGRAMS[name].count("derive")
    for function in functions:
        given = {
            one: argument(module, one) for one in signature(function).parameters if one != "out"
        }
        first, second = (list(arrays(function(**given), function.__name__)) for _ in range(2))
        others = [*arrays(given, "given"), *second]
        for number, (path, one) in enumerate(first):
            assert one.flags.writeable, path
            assert np.prod(one.shape) * one.itemsize == one.nbytes
            assert all(step or n == 1 for step, n in zip(one.strides, one.shape, strict=True)), path
            for other, two in [*first[number + 1 :], *others]:
                assert not np.shares_memory(one, two), (path, other)


def test_a_stated_gradient_is_not_the_cache() -> None:
    """A rule may give back a value of the forward pass as it is."""
    text = """
        block b(a: [3]) -> v: [3] {
            s = exp(a)
            v = s * 2
            rule vjp a = exp(a)
        }
        input x: [3]
        v = b(x)
        output y: [3] = v
    """
    x = np.array([0.1, 0.2, 0.3])
    for level in LEVELS:
        module = module_of(text, level)
        _, saved = module.forward(x)
        gradient = module.backward(saved, y=np.ones(3))["x"]
        np.testing.assert_allclose(gradient, np.exp(x))
        assert not any(np.shares_memory(gradient, one) for _, one in arrays(tuple(saved), ""))


# ---- what a loop hands on is not overwritten -----------------------------------------------------

HANDED_ON = """
    input x: [3]
    input s
    input z: [3, 4]
    repeat r[k in 0..2] carry h = z {{ next h = {next} }}
    output y = sum(softmax(sin(h)) * h)
    output loss = sum(logsumexp(exp(-h**2), axis=-1))
    derive value_and_grad y wrt s
    derive value_and_grad loss wrt s
"""
NEXTS = {
    "broadcast": ("broadcast_to((x * s)[:, _], [3, 4])", lambda x, s: np.outer(x * s, np.ones(4))),
    "flipped": (
        "flip(z * s + x[:, _], axis=0)",
        lambda x, s: np.flip(np.ones((3, 4)) * s + x[:, None], 0),
    ),
    "part": ("(z[0][_, _, :] * (x * s)[:, _, _])[:, 0]", lambda x, s: np.outer(x * s, np.ones(4))),
}


def value_of_y(h: Array) -> Any:
    e = np.exp(np.sin(h))
    return np.sum(e / e.sum(-1, keepdims=True) * h)


def value_of_loss(h: Array) -> Any:
    return np.sum(np.log(np.sum(np.exp(np.exp(-(h**2))), axis=-1)))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", NEXTS)
def test_a_view_that_leaves_a_loop_keeps_its_memory(name: str, level: str) -> None:
    written, state = NEXTS[name]
    x, s, z, h = np.array([0.3, 0.7, -1.1]), 0.8, np.ones((3, 4)), 1e-30
    module = module_of(HANDED_ON.format(next=written), level)
    for output, value in (("y", value_of_y), ("loss", value_of_loss)):
        found, gradient = getattr(module, f"value_and_grad_{output}")(x, s, z)
        expected = value(state(x, s + 1j * h))
        np.testing.assert_allclose(found, expected.real, rtol=1e-13)
        np.testing.assert_allclose(gradient["s"], expected.imag / h, rtol=1e-13)


def test_a_view_of_a_stack_keeps_its_memory() -> None:
    """The carried value lies in the last item of a stack, its axes changed."""
    text = """
        dim T
        input x: [3, 3]
        input z: [T, 3]
        scan r[t in T] carry a = x {
            s = sin(a) * z[t]
            next a = s.T
            collect q = s
        }
        w = exp(-q * q) + cos(q)
        output y = sum(w * w) + sum(sin(a) * exp(a))
        derive value y
    """
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(3, 3)), rng.normal(size=(4, 3))
    a, q = x, []
    for row in z:
        q.append(np.sin(a) * row)
        a = q[-1].T
    w = np.exp(-(np.array(q) ** 2)) + np.cos(q)
    expected = np.sum(w * w) + np.sum(np.sin(a) * np.exp(a))
    for level in LEVELS:
        np.testing.assert_allclose(module_of(text, level).value_y(x, z), expected, rtol=1e-13)


@pytest.mark.parametrize("level", LEVELS)
def test_a_view_that_a_tile_fills_leaves_a_loop(level: str) -> None:
    """What a loop captures there is an array of its own; outside of tiles it is seen in another."""
    text = """
        dim C
        param p: [C, C, 1]
        sorted_ = take_along_axis(p, argsort(p, axis=1), axis=1)
        q = exp2(tanh(sorted_))
        scan loop[k in 2] carry h = p { next h = tanh(q)[:, :, ::-1] }
        output loss = sum(sin(h))
    """
    made = module_of(text, level)
    p = np.array([[[0.4], [-0.2]], [[0.7], [1.5]]])
    _, cache = made.forward({"p": p})
    q = np.exp2(np.tanh(p))
    slope = np.cos(np.tanh(q)) * (1 - np.tanh(q) ** 2) * q * math.log(2) * (1 - np.tanh(p) ** 2)
    np.testing.assert_allclose(made.backward(cache)["p"], slope, rtol=1e-13)
