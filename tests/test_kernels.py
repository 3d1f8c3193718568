"""Kernels are data that a target can stand on: a second one computes from them what NumPy does."""

from __future__ import annotations

import ast
from dataclasses import replace
from operator import attrgetter
from types import ModuleType
from typing import Any, get_args

import numpy as np
import pytest
from every_operation import operations
from loops_target import loops_as_target

from graphc.compile.stages import Options, compile_text
from graphc.ir.dims import Dim
from graphc.ir.graph import INPUT, building, intern, source
from graphc.ir.kernel import Elementwise, Place, Put, Take, View, X, Y, functions
from graphc.ir.types import Type
from graphc.plan.buffers.ufuncs import UFUNCS
from graphc.targets.numpy.printing.expression import expression
from graphc.targets.numpy.runtime.lacking import HELPERS
from tests.loading import loaded

GRAPHS = {
    "perceptron": (
        "dim B, D, H, K",
        {"x": "[B, D]", "t": "[B, K]", "W": "[D, H]", "b": "[H]", "V": "[H, K]"},
        "y = sum((softmax(tanh(x @ W + b) @ V) - t)**2) / B",
    ),
    "cross_entropy": (
        "dim B, C",
        {"x": "[B, C]", "label": "int[B]"},
        "y = mean(logsumexp(x, axis=1) - pick(x, label)) + sum(relu(x) * sigmoid(x))",
    ),
    "places": (
        "dim N, M, J",
        {"x": "[N, M]", "k": "int[J]"},
        """a = x[1:, 2] * x[0, 2] + x[:N - 1, 0]
        b = x.T[::2, :] @ x
        y = sum(a**2) + sum(b / 2) + sum(take(x, k, axis=0)**2) + sum(cumsum(x, axis=1)**3)""",
    ),
    "diagonals": (
        "dim N",
        {"A": "[N, N]", "x": "[N]"},
        "y = sum(diag(x) @ A @ x) + trace(A) * max(x) + sum(concat(x, x * x))**2",
    ),
    "convolution": (
        "dim N, C, T, K",
        {"x": "[N, C, T]", "w": "[K, C, 3]"},
        "y = sum(conv1d(x, w, pad=1, stride=2)**2)",
    ),
}
SIZES = {"B": 3, "D": 4, "K": 2, "H": 5, "C": 3, "N": 4, "M": 5, "J": 3, "T": 6}


def shape_of(type: str) -> tuple[int, ...]:
    names = type.removeprefix("int").strip("[]").split(", ")
    return tuple(SIZES[name] if name in SIZES else int(name) for name in names)


def modules(name: str, level: str) -> tuple[ModuleType, ModuleType]:
    """The module of NumPy, and that of plain loops."""
    dims, inputs, statements = GRAPHS[name]
    lines = [dims, *(f"input {one}: {type}" for one, type in inputs.items())]
    lines += [line.strip() for line in statements.splitlines()] + ["output y"]
    wrt = ", ".join(one for one, type in inputs.items() if type.startswith("["))
    clause = f"value_and_grad y wrt {wrt} as F"
    made = []
    with loops_as_target() as loops:
        for target in ("numpy", loops):
            options = Options(level=level, derive=(clause,), target=target)
            text = compile_text("\n".join(lines), options=options).text
            assert target == "numpy" or "np." not in text
            made.append(loaded(text, "kernels"))
    return made[0], made[1]


@pytest.mark.parametrize("level", ["-O0", "-O2"])
@pytest.mark.parametrize("name", GRAPHS)
def test_a_second_target_stands_on_kernels_alone(name: str, level: str) -> None:
    """Plain loops over flat lists give what NumPy gives, derivatives too."""
    dims, inputs, _ = GRAPHS[name]
    rng = np.random.default_rng(3)
    arrays: dict[str, Any] = {
        one: rng.integers(0, 3, shape_of(type))
        if type.startswith("int")
        else rng.normal(size=shape_of(type))
        for one, type in inputs.items()
    }
    numpy, loops = modules(name, level)
    value, gradients = numpy.F(**arrays)
    flat = {one: array.ravel().tolist() for one, array in arrays.items()}
    sizes = {one: SIZES[one] for one in dims.removeprefix("dim ").split(", ")}
    found, *slopes = loops.F(**flat, **sizes)
    assert found == pytest.approx(float(value), rel=1e-12)
    for one, (path, gradient) in zip(slopes, gradients.items(), strict=True):
        np.testing.assert_allclose(one, gradient.ravel(), 1e-10, 1e-12, err_msg=path)


def test_every_operation_has_a_kernel_or_is_lowered() -> None:
    """But for sources, and for loops, which planning takes apart."""
    apart = {op.name for op in operations() if op.kernel is None and op.lower is None}
    sources = {op.name for op in operations() if op.structure == "source"}
    assert apart - sources == {"loop", "result"}


OF_THE_TARGET = {
    "cast", "kept", "logdet", "eigenvectors", "orthonormal", "pinv", "limit", "watched", "numbers",
    "scalar",
}  # fmt: skip
"""Names that are neither a function of NumPy nor one of the module's own."""


def test_what_kernels_call_there_is() -> None:
    """A function of NumPy, one of the module's own, or what is written in another way."""
    for op in operations():
        for name in functions(op.kernel) - HELPERS.keys() - OF_THE_TARGET:
            assert callable(attrgetter(name)(np)), (op.name, name)


@pytest.mark.parametrize("name", [place for place in get_args(Place) if place != "parts"])
def test_every_place_is_read_by_some_operation_or_written(name: str) -> None:
    kernels = [op.kernel for op in operations()]
    assert any(isinstance(one, View | Take | Put) and one.place == name for one in kernels)


NODE = next(op for op in operations() if op.name == "tanh")


@pytest.mark.parametrize(
    ("kernel", "text"),
    [
        (Elementwise("add", X, Elementwise("multiply", Y, 2)), "a - b + b ** 2 * 2"),
        (Elementwise("subtract", X, Elementwise("add", X, Y)), "a - b - (a - b + b ** 2)"),
        (Elementwise("power", X, Y), "(a - b) ** b ** 2"),
        (Elementwise("power", Y, X), "(b ** 2) ** (a - b)"),
        (Elementwise("negative", X), "-(a - b)"),
        (Elementwise("negative", Y), "-b ** 2"),
        (Elementwise("logical_and", X, Elementwise("equal", Y, 0)), "a - b & (b ** 2 == 0)"),
        (Elementwise("tanh", X), "np.tanh(a - b)"),
    ],
)
def test_parentheses_stand_where_python_needs_them(kernel: Elementwise, text: str) -> None:
    """As `ast.unparse` of the same expression has them."""
    with building():
        a, b = (source(INPUT, name, Type("float", (Dim.of(3),))) for name in "ab")
        node = intern(replace(NODE, kernel=kernel), (a - b, b**2), {}, a.type)
        written = expression(node, {a: "a", b: "b"})
    assert written == text == ast.unparse(ast.parse(text))


def test_ufuncs_are_those_of_numpy() -> None:
    """By name, so that nobody loads NumPy to know them; an older NumPy has fewer."""
    theirs = {name for name in dir(np) if isinstance(getattr(np, name), np.ufunc)}
    assert theirs <= UFUNCS
    assert {name for name in UFUNCS if hasattr(np, name)} == theirs
