"""The twelve programs of the language against JAX, on random and on ADBench's data."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import conftest
import jax
import numpy as np
import pytest
from language_references import (
    Names,
    Values,
    bundle,
    cnn,
    gmm,
    layers,
    linreg,
    lstm,
    net321,
    project,
    resmlp,
    rules,
    scalar,
    sharing,
    transformer,
)

from graphc.compile.stages import Compilation
from graphc.sample import random_arguments

pytestmark = pytest.mark.levels

TESTS = Path(__file__).parent
EXAMPLES = TESTS / "language" / "examples"
ADBENCH = TESTS / "data" / "adbench"
TOLERANCE = 1e-10


# ---- the programs -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Program:
    """A file and its reference."""

    stem: str
    reference: Callable[[Names, Names], Values]


PROGRAMS = [
    Program("01_net321", net321),
    Program("02_scalar", scalar),
    Program("03_layers", layers),
    Program("04_resmlp", resmlp),
    Program("05_lstm", lstm),
    Program("06_gmm", gmm),
    Program("07_transformer", transformer),
    Program("08_cnn", cnn),
    Program("09_bundle", bundle),
    Program("10_linreg", linreg),
    Program("11_rules", rules),
    Program("12_sharing", sharing),
]
BUNDLE = PROGRAMS[8]
BY_STEM = pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.stem)


def compiled(program: Program) -> Compilation:
    return conftest.compiled(EXAMPLES / f"{program.stem}.graph")


def module(program: Program, derive: tuple[str, ...] = ()) -> ModuleType:
    return conftest.module(EXAMPLES / f"{program.stem}.graph", derive=derive)


def products(program: Program) -> ModuleType:
    """The module with `pulled`: all outputs, pulled back to all parameters and inputs."""
    model = compiled(program).model
    outputs = ", ".join(d.name for d in model.outputs)
    return module(program, (f"vjp {outputs} wrt params, inputs as pulled",))


def drawn(program: Program, seed: int = 0) -> tuple[Values, Values]:
    """Random parameters and inputs, in small sizes."""
    values = random_arguments(compiled(program).model, seed)
    return values.pop("params", {}), values


def floats(values: Names) -> Values:
    return {name: x for name, x in values.items() if np.asarray(x).dtype.kind == "f"}


def agree(found: Any, expected: Any) -> None:
    """Equal to the tolerance, relative to the largest element."""
    assert np.shape(found) == np.shape(expected)
    scale = max(1.0, float(np.max(np.abs(expected), initial=0)))
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE, atol=TOLERANCE * scale)


def compare(program: Program, params: Values, inputs: Values) -> None:
    """The outputs, and random cotangents of all of them pulled back to all there is."""
    made = products(program)
    first = {"params": params} if params else {}
    cotangents, (expected, by_params, by_inputs) = expected_of(program, params, inputs)
    values, pulled = made.pulled(**first, **inputs, cotangents=cotangents)
    outputs, cache = made.forward(**first, **inputs)
    assert set(values._fields) == set(expected)
    for name, value in expected.items():
        agree(getattr(values, name), value)
        agree(getattr(outputs, name), value)
    assert set(pulled) == {*by_params, *by_inputs}
    for path, gradient in {**by_params, **by_inputs}.items():
        agree(pulled[path], gradient)
    for path, gradient in made.backward(cache, **cotangents).items():
        agree(gradient, pulled[path])


_KNOWN: dict[Any, Any] = {}
"""What JAX has computed for another level."""


def once(key: Any, compute: Callable[[], Any]) -> Any:
    """What is computed for a key the first time."""
    if key not in _KNOWN:
        _KNOWN[key] = compute()
    return _KNOWN[key]


def expected_of(program: Program, params: Values, inputs: Values) -> Any:
    """Random cotangents of the outputs; by JAX the outputs, and gradients by all that moves."""
    arrays = [(name, np.asarray(one).tobytes()) for name, one in {**params, **inputs}.items()]
    return once((program.stem, *arrays), lambda: _pulled_by_jax(program, params, inputs))


def _pulled_by_jax(program: Program, params: Values, inputs: Values) -> Any:
    whole = {name: x for name, x in inputs.items() if name not in floats(inputs)}

    def reference(params: Names, moving: Names) -> Values:
        return program.reference(params, {**whole, **moving})

    @jax.jit
    def run(params: Values, moving: Values, cotangents: Values) -> Any:
        values, pull = jax.vjp(reference, params, moving)
        return values, *pull(cotangents)

    rng = np.random.default_rng(1)
    shapes = jax.eval_shape(reference, params, floats(inputs))
    cotangents = {name: rng.normal(size=shape.shape) for name, shape in shapes.items()}
    return cotangents, run(params, floats(inputs), cotangents)


@BY_STEM
def test_compiles_without_a_warning(program: Program) -> None:
    assert compiled(program).warnings == ()


@BY_STEM
def test_values_and_gradients(program: Program) -> None:
    compare(program, *drawn(program))


@pytest.mark.parametrize(
    "program", [one for one in PROGRAMS if one is not BUNDLE], ids=lambda program: program.stem
)
def test_derived_functions(program: Program) -> None:
    """What the clauses ask for, in the order of their paths, by JAX."""
    made, model = module(program), compiled(program).model
    params, inputs = drawn(program, 2)
    given = ({"params": params} if params else {}) | inputs
    moving = {**params, **floats(inputs)}
    rng = np.random.default_rng(3)
    for one in model.derivations:
        outputs, single = [name for name, _ in one.outputs], [p for p, _ in one.wrt if "*" not in p]

        def values(moved: Names, outputs: list[str] = outputs) -> Values:
            all_params = {name: moved[name] for name in params}
            found = program.reference(all_params, {**inputs, **moved})
            return {name: found[name] for name in outputs}

        def scalar(moved: Names, values: Any = values, name: str = outputs[0]) -> Any:
            return values(moved)[name]

        found, key = getattr(made, one.name), (program.stem, one.name)
        match one.kind.name:
            case "grad":
                expected = once(key, lambda f=scalar: jax.jit(jax.grad(f))(moving))
                compare_blocks(found(**given), expected, single)
            case "jacobian":
                expected = once(key, lambda f=values: jax.jit(jax.jacrev(f))(moving))
                blocks = found(**given)
                assert list(blocks) == outputs
                for name in outputs:
                    compare_blocks(blocks[name], expected[name], single)
            case "jacobian_matrix":
                expected = once(key, lambda f=values: jax.jit(jax.jacrev(f))(moving))
                cells = [[np.atleast_2d(expected[n][p]) for p in single] for n in outputs]
                agree(found(**given), np.block(cells))
            case "hessian":
                expected = once(key, lambda f=scalar: jax.jit(jax.hessian(f))(moving))
                blocks = found(**given)
                assert list(blocks) == single
                for path in single:
                    compare_blocks(blocks[path], expected[path], single)
            case "hvp":
                tangents = {path: rng.normal(size=np.shape(moving[path])) for path in single}
                whole = {path: np.zeros(np.shape(x)) for path, x in moving.items()} | tangents
                gradients, products = found(**given, tangents=tangents)
                slopes = jax.jit(lambda t, f=scalar: jax.jvp(jax.grad(f), (moving,), (t,)))
                expected = once(key, lambda f=slopes, t=whole: f(t))
                compare_blocks(gradients, expected[0], single)
                compare_blocks(products, expected[1], single)
            case kind:
                pytest.fail(f"no reference for {kind}")


def compare_blocks(found: Any, expected: Names, single: list[str]) -> None:
    """A dict by path; `single` are the paths that are no families, in order."""
    assert [path for path in found if path in single] == single
    for path, block in found.items():
        agree(block, expected[path])


@conftest.in_turn("program", PROGRAMS, ids=lambda program: program.stem)
def test_check_agrees(program: Program) -> None:
    made = module(program)
    params, inputs = drawn(program, 3)
    errors = made.check(**({"params": params} if params else {}), **inputs)
    assert all(error < 1e-6 for error in errors.values() if not np.isnan(error))


def test_jacobian_of_two_scalar_functions() -> None:
    x, y = 1.5, 0.7
    found = module(PROGRAMS[1]).J(x, y)
    np.testing.assert_allclose(found, [[6 * x * y, 3 * x**2], [2, 8 * y**7]], rtol=1e-15)


def test_jacobian_of_each_observation() -> None:
    made = module(BUNDLE)
    _, inputs = drawn(BUNDLE)
    cam, pt = inputs["cams"][inputs["obs"][:, 0]], inputs["pts"][inputs["obs"][:, 1]]

    def residual(cam: Any, pt: Any, wt: Any, feat: Any) -> Any:
        return wt * (project(cam, pt) - feat)

    jacobians = jax.vmap(jax.jacobian(residual, (0, 1, 2)))
    expected = jax.jit(jacobians)(cam, pt, inputs["wt"], inputs["feat"])
    found = made.Je(**inputs)["e"]
    assert list(found) == ["cam", "pt", "wt"]
    for block, whole in zip(found.values(), expected, strict=True):
        agree(block, whole)
    agree(made.Jw(**inputs)["ew"]["wt"], -2 * inputs["wt"])


def test_rotation_of_no_angle() -> None:
    """The branch that is not taken gives no nan."""
    program = PROGRAMS[8]
    params, inputs = drawn(program)
    inputs["cams"][:, :3] = 0
    compare(program, params, inputs)


# ---- real data ----------------------------------------------------------------------------------


def numbers(name: str) -> Iterator[float]:
    return map(float, (ADBENCH / name).read_text(encoding="ascii").split())


def take(values: Iterator[float], *shape: int) -> Any:
    return np.array([next(values) for _ in range(math.prod(shape))]).reshape(shape)


def test_gaussian_mixture_of_adbench() -> None:
    values = numbers("gmm_d10_K25.txt")
    d, k, n = map(int, take(values, 3))
    shapes = {"alpha": (k,), "mu": (k, d), "icf": (k, d + d * (d - 1) // 2), "x": (n, d)}
    inputs = {name: take(values, *shape) for name, shape in shapes.items()}
    assert [*values] == [1.0, 0.0], "gamma and m are what the file says"
    compare(PROGRAMS[5], {}, inputs)


def test_sequence_of_adbench() -> None:
    """The next character from those before it."""
    values = numbers("lstm_l2_c1024.txt")
    count, length, bits = map(int, take(values, 3))
    take(values, 2 * count * 4 * bits + 3 * bits + 2 * count * bits)
    sequence = take(values, length, bits)
    assert [*values] == []
    assert set(np.unique(sequence)) == {0.0, 1.0}
    state = np.zeros((1, 32))
    inputs = {"x": sequence[None, :-1], "h0": state, "c0": state, "target": sequence[None, 1:]}
    params = products(PROGRAMS[4]).init(seed=0)
    compare(PROGRAMS[4], params, inputs)


def test_bundle_adjustment_of_adbench() -> None:
    values = numbers("ba1_n49_m7776_p31843.txt")
    n, m, p = map(int, take(values, 3))
    cam, point, weight, feature = (take(values, size) for size in (11, 3, 1, 2))
    assert [*values] == []
    each = np.arange(p)
    inputs = {
        "cams": np.tile(cam, (n, 1)),
        "pts": np.tile(point, (m, 1)),
        "wt": np.tile(weight, p),
        "obs": np.stack([each % n, each % m], axis=1),
        "feat": np.tile(feature, (p, 1)),
    }
    compare(PROGRAMS[8], {}, inputs)
