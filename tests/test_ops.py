"""Every operation in value and derivative, against NumPy, SciPy, JAX and numerical derivatives.

A function that is declared is tested: its calls follow from its signature, or stand in
`operation_references`. All calls of a function are outputs of one module.
"""

from __future__ import annotations

import functools
import itertools
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from comparing import LAYOUTS, STRIDES, close, complex_steps, exact, numerical, overlapping, watched
from conftest import compiled, long, module
from operation_references import CALLS, DRAWN, NO_TENSORS, OPERATORS
from sampling import NAMES, Call

from graphc.ir.graph import OPERATORS as OF_NODES
from graphc.ops import FUNCTIONS

pytestmark = pytest.mark.levels
SYNONYMS = {
    "asin": "arcsin", "acos": "arccos", "atan": "arctan", "asinh": "arcsinh", "acosh": "arccosh",
    "atanh": "arctanh", "arctan2": "atan2",
}  # fmt: skip
CALLED = [long(name) if name in SYNONYMS else name for name in CALLS]
"""Of two names of one operation only the first is tried each time."""

Arrays = list[np.ndarray]
VALUE = {"float64": 1e-12, "float32": 1e-5}
GRADIENT = {"float64": 1e-7, "float32": 1e-5}
"""Of float64 against differences, of float32 against float64."""
ANALYTIC = 1e-13
NOT_ANALYTIC = {
    "sign", "stop", "abs", "floor", "ceil", "trunc", "heaviside", "mod", "<//>", "<%>",
    "zeros_like", "ones_like", "polygamma", "eigvalsh", "eigh", "svdvals", "svd", "qr",
}  # fmt: skip
"""Steps, remainders, what holds a derivative back; SciPy has no polygamma of complex numbers."""
ERRORS = (AssertionError, ValueError, TypeError, KeyError, ArithmeticError, AttributeError)


@dataclass(frozen=True, eq=False)
class Bundle:
    """Calls of one function that hold for the same sizes, in one module."""

    calls: tuple[Call, ...]
    sizes: tuple[int, ...]

    @property
    def graph(self) -> str:
        """One function for each set of arguments, of all calls: they have none in common."""
        lines = ["dim N"] if any(call.symbolic for call in self.calls) else []
        lines += [line for k, call in enumerate(self.calls) for line in call.lines(k)]
        if self.pushed:
            every = {k: self.calls[k].floats for k in self.pushed}
            lines.append(f"derive jvp {self.clause(every)} as push")
        for chosen, numbers in self.pulled.items():
            some = dict.fromkeys(numbers, chosen)
            lines.append(f"derive vjp {self.clause(some)} as {pull(chosen)}")
        return "\n".join(lines)

    def clause(self, active: Mapping[int, Sequence[int]]) -> str:
        """What is derived of the calls with these numbers, by these of their arguments."""
        outputs = [name for k in active for name in self.outputs(k)]
        wrt = [f"{NAMES[slot]}{k}" for k, slots in active.items() for slot in slots]
        return f"{', '.join(outputs)} wrt {', '.join(wrt)}"

    def outputs(self, number: int) -> list[str]:
        """The float outputs of a call."""
        return [f"y{i}_{number}" for i, kind in enumerate(kinds(self.calls[number])) if kind == "f"]

    @functools.cached_property
    def pushed(self) -> list[int]:
        """The calls that are derived in forward mode, by number."""
        return [k for k, one in enumerate(self.calls) if has_derivative(one) and depends(one)]

    @functools.cached_property
    def pulled(self) -> dict[tuple[int, ...], list[int]]:
        """The calls that are derived by some of their arguments, not by all, by these."""
        found: dict[tuple[int, ...], list[int]] = {}
        for k, call in enumerate(self.calls):
            for chosen in active_sets(call)[:-1] if has_derivative(call) else ():
                found.setdefault(chosen, []).append(k)
        return found


@functools.cache
def kinds(call: Call) -> tuple[str, ...]:
    """The kinds of the results: f, i or b."""
    size = call.sizes[0]
    return tuple(one.dtype.kind for one in call.expected(exact(call, call.arguments(size)), size))


def depends(call: Call) -> bool:
    """Does the value depend on the arguments at all? To derive it where not is a mistake."""
    constant = call.text.startswith(("zeros_like(", "ones_like("))
    return not constant and not (
        call.text.startswith("matrix_power(") and call.text.endswith(" 0)")
    )


def active_sets(call: Call) -> list[tuple[int, ...]]:
    """Every non-empty set of arguments that have a derivative; all of them are the last."""
    return [
        chosen
        for count in range(1, len(call.floats) + 1)
        for chosen in itertools.combinations(call.floats, count)
    ]


def pull(chosen: Sequence[int]) -> str:
    """The function of a module that is the pullback of its calls to some of their arguments."""
    return "pull_" + "".join(NAMES[slot] for slot in chosen)


@functools.cache
def bundles(name: str, whole: bool = False) -> tuple[Bundle, ...]:
    by_sizes: dict[tuple[int, ...], list[Call]] = {}
    for call in CALLS[name] if whole else DRAWN[name]:
        by_sizes.setdefault(call.sizes if call.symbolic else CALLS[name][0].sizes, []).append(call)
    return tuple(Bundle(tuple(calls), sizes) for sizes, calls in by_sizes.items())


def sampled(bundle: Bundle) -> Iterator[tuple[int, list[int]]]:
    """A size and the calls that are new at it, by number."""
    for place, size in enumerate(bundle.sizes):
        numbers = [k for k, call in enumerate(bundle.calls) if call.symbolic or not place]
        if numbers:
            yield size, numbers


def weights_of(call: Call, values: Sequence[np.ndarray]) -> list[np.ndarray | None]:
    """Random cotangents of the float results, each a float32."""
    if not call.floats:
        return [None] * len(values)
    rng = np.random.default_rng(11)
    pairs = zip(values, kinds(call), strict=True)
    return [
        np.float32(rng.normal(size=v.shape)).astype(float) if kind == "f" else None
        for v, kind in pairs
    ]


class Sample:
    """All calls of a bundle at one size: arguments, cotangents, and what the references give.

    `numerical` and `steps` are the gradients of a call by differences and by complex steps.
    """

    def __init__(self, bundle: Bundle, size: int) -> None:
        self.bundle, self.size = bundle, size
        self.arguments = [call.arguments(size) for call in bundle.calls]
        self.values = [
            call.expected(exact(call, given), size)
            for call, given in zip(bundle.calls, self.arguments, strict=True)
        ]
        self.weights = [
            weights_of(call, values) for call, values in zip(bundle.calls, self.values, strict=True)
        ]

    @functools.cache  # noqa: B019
    def numerical(self, number: int) -> dict[int, np.ndarray]:
        call = self.bundle.calls[number]
        return numerical(call, self.arguments[number], self.size, self.weights[number])

    @functools.cache  # noqa: B019
    def steps(self, number: int) -> dict[int, np.ndarray] | None:
        call = self.bundle.calls[number]
        return complex_steps(call, self.arguments[number], self.size, self.weights[number])

    @property
    def dims(self) -> dict[str, int]:
        """N, where no argument has an axis of that length."""
        symbolic = any(call.symbolic for call in self.bundle.calls)
        bound = any("N" in type for call in self.bundle.calls for type in call.types)
        return {"N": self.size} if symbolic and not bound else {}

    @property
    def flat(self) -> Arrays:
        return [a for given in self.arguments for a in given]

    def cotangents(self, dtype: str) -> dict[str, np.ndarray]:
        return {
            f"y{i}_{k}": w.astype(dtype)
            for k, weights in enumerate(self.weights)
            for i, w in enumerate(weights)
            if w is not None
        }


@functools.cache
def sample_of(bundle: Bundle, size: int) -> Sample:
    """A sample, drawn once for all levels and precisions; what the references warn of is known."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the mean of nothing, the logarithm of 0
        return Sample(bundle, size)


# ---- one module at one size ------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """What a module gives: values and gradients by their names in the graph."""

    values: Mapping[str, Any]
    gradients: Mapping[str, Any]


def cast(arrays: Sequence[np.ndarray], dtype: str) -> Arrays:
    return [a.astype(dtype) if a.dtype.kind == "f" else a for a in arrays]


def run(generated: ModuleType, sample: Sample, arguments: Sequence[Any], dtype: str) -> Run:
    """Forward, and backward where there is a derivative."""
    result = generated.forward(*arguments, **sample.dims)
    if not hasattr(generated, "backward"):
        return Run(result._asdict(), {})
    out, cache = result
    return Run(out._asdict(), generated.backward(cache, **sample.cotangents(dtype)))


def same_bits(one: Run, other: Run, what: str) -> None:
    for found, expected in ((one.values, other.values), (one.gradients, other.gradients)):
        assert list(found) == list(expected)
        for name, value in expected.items():
            assert found[name].dtype == value.dtype, f"{what}: {name}"
            assert found[name].shape == value.shape, f"{what}: {name}"
            equal = np.array_equal(found[name], value, equal_nan=value.dtype.kind == "f")
            assert equal, f"{what}: other bits in {name}"


@pytest.mark.parametrize("whole", [False, long(True)], ids=["drawn", "whole"])
@pytest.mark.parametrize("name", CALLED)
def test_operation(name: str, whole: bool) -> None:
    """Values, dtypes and the gradients by every set of arguments, in both dtypes at every size."""
    wrong: list[str] = []
    stepped: set[bool] = set()
    for bundle in bundles(name, whole):
        for size, numbers in sampled(bundle):
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                sample = sample_of(bundle, size)
                exactly = check(sample, numbers, "float64", {}, wrong, stepped)
                check(sample, numbers, "float32", exactly, wrong, stepped)
    assert not wrong, "\n".join(wrong)
    analytic = any(map(has_derivative, CALLS[name])) and name not in NOT_ANALYTIC
    assert (True in stepped) == analytic


def check(
    sample: Sample,
    numbers: Sequence[int],
    dtype: str,
    exactly: Mapping[tuple[int, int], np.ndarray],
    wrong: list[str],
    stepped: set[bool],
) -> dict[tuple[int, int], np.ndarray]:
    """The calls of these numbers; gradients are compared with those given, else numerically.

    `stepped` is told whether complex steps could be taken.
    """
    generated = module(sample.bundle.graph, dtype=dtype)
    derived = Derived(generated, sample, dtype)
    flat = cast(sample.flat, dtype)
    before = [a.copy() for a in flat]
    found = run(generated, sample, flat, dtype)
    same_bits(run(generated, sample, flat, dtype), found, "a second call")
    assert all(np.array_equal(a, b) for a, b in zip(flat, before, strict=True))
    gradients: dict[tuple[int, int], np.ndarray] = {}
    for k in numbers:
        call = sample.bundle.calls[k]
        given = cast(sample.arguments[k], dtype)
        try:
            for i, value in enumerate(sample.values[k]):
                check_value(generated, f"y{i}_{k}", found.values[f"y{i}_{k}"], value, dtype)
            assert hasattr(generated, "backward") or not has_derivative(call)
            if not has_derivative(call):
                continue
            if depends(call):
                check_transposes(derived, k, found)
            whole = {slot: found.gradients[f"{NAMES[slot]}{k}"] for slot in call.floats}
            if dtype == "float64":
                expected, steps = sample.numerical(k), sample.steps(k)
                stepped.add(steps is not None)
                for slot, gradient in (steps or {}).items():
                    close(whole[slot], gradient, ANALYTIC)
            else:
                expected = {slot: exactly[k, slot] for slot in call.floats}
            for chosen in active_sets(call):
                every = len(chosen) == len(call.floats)
                mine = whole if every else derived.pulled(k, chosen)
                for slot in chosen:
                    assert mine[slot].dtype == dtype
                    close(mine[slot], expected[slot], GRADIENT[dtype])
            gradients |= {(k, slot): gradient for slot, gradient in whole.items()}
        except ERRORS as why:
            where = f"{call} at N={sample.size} in {dtype}"
            wrong.append(f"{where}: {type(why).__name__}: {why}\n{given}")
    return gradients


def has_derivative(call: Call) -> bool:
    return bool(call.floats) and "f" in kinds(call)


def check_value(
    generated: ModuleType, name: str, found: Any, value: np.ndarray, dtype: str
) -> None:
    declared = generated.GRAPH["outputs"][name].partition("[")[0]
    wanted = {"": dtype, "int": "int64", "bool": "bool"}[declared]
    assert found.dtype == wanted, f"declared {declared or 'float'}, found {found.dtype}"
    assert isinstance(found, np.ndarray if value.ndim else np.generic)
    close(found, value, VALUE[dtype])


class Derived:
    """What the derived functions of a module give, each called once for all calls of the bundle."""

    def __init__(self, generated: ModuleType, sample: Sample, dtype: str) -> None:
        self.generated, self.sample, self.dtype = generated, sample, dtype
        self.arguments = cast(sample.flat, dtype)

    @functools.cached_property
    def pushed(self) -> tuple[dict[str, np.ndarray], Any, Any]:
        """Tangents of all arguments, and the values and tangents that forward mode gives."""
        rng = np.random.default_rng(13)
        bundle, given = self.sample.bundle, self.sample.arguments
        tangents = {
            f"{NAMES[slot]}{k}": rng.normal(size=given[k][slot].shape).astype(self.dtype)
            for k in bundle.pushed
            for slot in bundle.calls[k].floats
        }
        return tangents, *self.generated.push(
            *self.arguments, tangents=tangents, **self.sample.dims
        )

    @functools.cache  # noqa: B019
    def _pulled(self, chosen: tuple[int, ...]) -> dict[str, np.ndarray]:
        bundle, cotangents = self.sample.bundle, self.sample.cotangents(self.dtype)
        numbers = bundle.pulled[chosen]
        weights = {name: cotangents[name] for k in numbers for name in bundle.outputs(k)}
        function = getattr(self.generated, pull(chosen))
        _, found = function(*self.arguments, cotangents=weights, **self.sample.dims)
        assert list(found) == [f"{NAMES[slot]}{k}" for k in numbers for slot in chosen]
        return dict(found)

    def pulled(self, number: int, chosen: tuple[int, ...]) -> dict[int, np.ndarray]:
        """The gradients by some of the arguments of a call, from their own function."""
        return {slot: self._pulled(chosen)[f"{NAMES[slot]}{number}"] for slot in chosen}


def check_transposes(derived: Derived, number: int, found: Run) -> None:
    """⟨u, J v⟩ = ⟨Jᵀ u, v⟩, and forward mode gives the values of `forward`; -O0 bit by bit."""
    sample, dtype = derived.sample, derived.dtype
    if not any(a.size for a in sample.arguments[number]):
        return
    tangents, values, pushed = derived.pushed
    cotangents = sample.cotangents("float64")
    left, right, scale = 0.0, 0.0, 1.0
    for name in sample.bundle.outputs(number):
        tangent = getattr(pushed, name)
        assert tangent.dtype == dtype
        if derived.generated.GRAPH["level"] == "-O0":
            assert np.array_equal(getattr(values, name), found.values[name], equal_nan=True)
        else:
            close(getattr(values, name), found.values[name], VALUE[dtype])
        left += float(np.sum(cotangents[name] * tangent))
        scale += float(np.sum(np.abs(cotangents[name] * tangent)))
    for slot in sample.bundle.calls[number].floats:
        name = f"{NAMES[slot]}{number}"
        right += float(np.sum(found.gradients[name].astype(float) * tangents[name]))
    assert abs(left - right) <= {"float64": 1e-12, "float32": 1e-5}[dtype] * scale


@pytest.mark.parametrize("name", CALLED)
def test_layouts_of_memory(name: str, level: str) -> None:
    """However an array lies in memory, the results have the same bits, and it is not written to.

    Each level has a precision in which all is tried; in the other one, arrays whose axes lie in
    another order, backwards or apart.
    """
    every = {"-O0": "float32", "-O2": "float64"}[level]
    for bundle, dtype in itertools.product(bundles(name), VALUE):
        sample = sample_of(bundle, bundle.sizes[0])
        generated = module(bundle.graph, dtype=dtype)
        flat = cast(sample.flat, dtype)
        known = run(generated, sample, flat, dtype)
        for what in LAYOUTS if dtype == every else STRIDES:
            laid_out = [LAYOUTS[what](a) for a in flat]
            same_bits(run(generated, sample, laid_out, dtype), known, f"{what}, {dtype}")
        if dtype != every:
            continue
        together = overlapping(flat)
        whole = [np.asarray(np.rint(a)) if a.dtype.kind == "f" else a for a in flat]
        integers = [a.astype(np.int32) if a.dtype.kind == "f" else a for a in whole]
        for what, plain, other in (
            ("overlapping", [a.copy() for a in together], together),
            ("of integers", whole, integers),
        ):
            with np.errstate(all="ignore"):  # these leave the domain
                expected = run(generated, sample, plain, dtype)
                same_bits(run(generated, sample, other, dtype), expected, what)


@pytest.mark.readable
@pytest.mark.parametrize("level", [long("-O0"), "-O2"], indirect=True)
@pytest.mark.parametrize("name", CALLED)
def test_every_intermediate_value_is_float32(name: str) -> None:
    """At -O2, where the array that is written to would hide it: at -O0 results are of it, too."""
    for bundle in bundles(name):
        sample = sample_of(bundle, bundle.sizes[0])
        generated, wrong = watched(
            compiled(bundle.graph, dtype="float32").text, "watched", "float32"
        )
        run(generated, sample, cast(sample.flat, "float32"), "float32")
        assert not wrong, "\n".join(sorted(wrong))


@pytest.mark.readable
@pytest.mark.parametrize("name", SYNONYMS)
def test_two_names_are_one_operation(name: str) -> None:
    one, other = FUNCTIONS[name], FUNCTIONS[SYNONYMS[name]]
    assert one.op is other.op is not None
    assert one.parameters == other.parameters
    assert [call.types for call in CALLS[name]] == [call.types for call in CALLS[other.name]]


# ---- what is tested --------------------------------------------------------------------------


@pytest.mark.readable
def test_every_function_has_calls() -> None:
    known = CALLS.keys() | NO_TENSORS
    without = [function.signature for name, function in FUNCTIONS.items() if name not in known]
    assert not without, (
        "tests/operation_references.py: add an entry that says what each must compute, "
        "by a function of NumPy, SciPy or JAX, with `calls` where it takes more than tensors"
    )


@pytest.mark.readable
def test_every_operator_has_calls() -> None:
    written = {name[1:-1] for name in OPERATORS}
    named = {name for name in OF_NODES if name.isidentifier()} - {"neg", "and", "or", "not"}
    assert OF_NODES.keys() - named <= written


def samples(name: str) -> int:
    """Of a call at a size, or in a layout of memory."""
    count = sum(len(numbers) for one in bundles(name) for _, numbers in sampled(one))
    arrays = [call for call in CALLS[name] if any("[]" not in type for type in call.types)]
    return count + len(arrays) * len(LAYOUTS)


@pytest.mark.readable
def test_every_operation_has_ten_samples() -> None:
    assert [name for name in CALLS if samples(name) < 10] == []


def derivative_checks(name: str) -> int:
    """Of a call at a size by a set of arguments, in each dtype; of nothing there is none."""
    return sum(
        len(active_sets(call))
        for bundle in bundles(name, whole=True)
        for size, numbers in sampled(bundle)
        for call in (bundle.calls[k] for k in numbers)
        if has_derivative(call) and any(a.size for a in call.arguments(size))
    )


@pytest.mark.readable
def test_there_are_enough_derivative_checks() -> None:
    counts = {name: derivative_checks(name) for name in CALLS if name in FUNCTIONS}
    differentiable = [name for name, count in counts.items() if count]
    assert len(differentiable) >= 125, len(differentiable)
    assert sum(counts.values()) >= 1500, sum(counts.values())


def test_floats_become_integers_in_an_array_that_is_there() -> None:
    """Where a level writes what is rounded down into scratch, NumPy has to be told to."""
    made = module("dim N\ninput x: [N]\ninput q: [N]\noutput y = quantile(x, 0.5 * q)")
    x, q = np.arange(50.0), np.linspace(0, 1, 50)
    np.testing.assert_allclose(made.forward(x, q)[0].y, 0.5 * q * 49, rtol=1e-14)
