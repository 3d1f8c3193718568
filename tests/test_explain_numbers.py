"""What `explain` prints is true: its formulas, evaluated, are the numbers of the module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from derivations import Numbers, slope

from graphc.cli.explain import printed
from graphc.compile.stages import Compilation, Options
from graphc.elaborate.names.model import Model
from graphc.ops import FUNCTIONS, Function
from graphc.sample import choose_sizes, random_arguments
from graphc.source import Source
from graphc.syntax.parse.parser import read_source
from graphc.views.explain.derivation import Derivation
from graphc.views.explain.explained import explained, question
from graphc.views.explain.telling import document
from graphc.views.explain.wanted import Wanted
from graphc.views.reference.samples import sample
from tests.loading import loaded

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
LANGUAGE = ROOT / "tests" / "language" / "examples"
LAYOUTS = ("numerator", "denominator")
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Case:
    """A graph, its module with the derivatives that are explained, and arguments for it."""

    compilation: Compilation
    model: Model
    module: ModuleType
    given: Mapping[str, Any]
    dims: Mapping[str, int]

    def numbers(self, layout: Any, fine: bool = False) -> Numbers:
        """The values of a derivation, evaluated."""
        derivation = explained(self.compilation, layout, fine)
        values = {d.name: self.given[d.name] for d in self.model.inputs}
        for d in self.model.params:
            values[d.name] = self.parameter(d.name, d.paths)
        return Numbers(derivation, values, self.dims).run()

    def parameter(self, name: str, paths: Any, by: Mapping[str, Any] | None = None) -> Any:
        """A parameter, or all of a family as one array."""
        found = self.given["params"] if by is None else by
        return found[name] if name in found else np.stack([found[path] for path in paths])

    def gradients(self, cotangents: Mapping[str, Any]) -> Mapping[str, Any]:
        _, found = self.module.explained(**self.given, cotangents=cotangents)
        families = {d.name: d.paths for d in self.model.params}
        return {
            name: self.parameter(name, families.get(name, ()), found)
            for name in question(self.model).paths
            if name in found or families.get(name, ("",))[0] in found
        }


def case(graph: str | Path, dims: Mapping[str, int] | None = None) -> Case:
    """A text or a file, and its module with one clause: all that is explained, from outside."""
    if isinstance(graph, Path):
        source, folder = read_source(str(graph), graph.read_bytes()), graph.parent
    else:
        source, folder = Source("graph", graph), None
    options = Options(dims=dims or {})
    compilation = Compilation(source, options, folder)
    asked = question(compilation.stated)
    families = {d.name: d.paths for d in compilation.stated.params}
    told = explained(compilation, "denominator")
    reached = {one.of.data[0] for one in told.every_adjoint()}
    named = dict(zip(asked.paths, told.paths, strict=True))
    wrt = [p for name, s in named.items() if s.data[0] in reached
           for p in families.get(name, (name,))]  # fmt: skip
    clause = f"vjp {', '.join(asked.outputs)} wrt {', '.join(wrt)} as explained"
    derived = Compilation(source, Options(dims=dims or {}, derive=(clause,)), folder)
    model = compilation.stated
    chosen = choose_sizes(model)
    fixed = {one.variable: one.fixed for one in model.dims if one.fixed is not None}
    module = loaded(derived.text, "explained")
    return Case(compilation, model, module, random_arguments(model, 1, chosen), {**fixed, **chosen})


def close(found: Any, expected: Any, tolerance: float = TOLERANCE) -> bool:
    scale = max(1.0, float(np.max(np.abs(expected), initial=0)))
    return bool(np.max(np.abs(np.asarray(found) - expected), initial=0) <= tolerance * scale)


def check_derivatives(one: Case, layout: str, fine: bool = False) -> Derivation:
    """Values and derivatives are the module's, in the layout that was asked for."""
    numbers = one.numbers(layout, fine)
    asked = question(one.model)
    rng = np.random.default_rng(7)
    cotangents = {}
    for name, node in asked.outputs.items():
        shape = tuple(axis.evaluate(one.dims) for axis in node.shape)
        cotangents[name] = np.ones(()) if asked.scalar else rng.normal(size=shape)
    values, _ = one.module.explained(**one.given, cotangents=cotangents)
    for name, end in zip(asked.outputs, numbers.derivation.outputs, strict=True):
        value = np.asarray(getattr(values, name.replace(".", "_")))
        assert close(numbers.values[numbers.key(end)].ravel(), value.ravel()), name
    numbers.back({} if asked.scalar else cotangents)
    gradients = one.gradients(cotangents)
    for name, path in zip(asked.paths, numbers.derivation.paths, strict=True):
        if name not in gradients:
            assert numbers.key(path) not in numbers.totals
            continue
        expected = np.asarray(gradients[name])
        expected = expected[:, None] if expected.ndim == 1 else expected
        if layout == "numerator" and expected.ndim:
            expected = np.swapaxes(expected, -1, -2)
        found = numbers.totals.get(numbers.key(path), np.zeros(expected.shape))
        assert np.shape(found) == expected.shape, name
        assert close(found, expected), name
    return numbers.derivation


def check_jacobians(one: Case, layout: str, fine: bool = False) -> int:
    """Jacobians are the slopes of the equations, a row for each result in numerator layout."""
    numbers = one.numbers(layout, fine)
    checked = 0
    for step in numbers.derivation.steps:
        for edge in step.edges:
            if edge.jacobian.matrix is None:
                continue
            expected = slope(numbers, step, edge.parent)
            expected = expected if layout == "numerator" else expected.T
            size = numbers.size(edge.rows), numbers.size(edge.columns)
            assert expected.shape == size, step.symbol
            found = np.broadcast_to(numbers.of(edge.jacobian.matrix), size)
            assert close(found, expected, 1e-6), (step.symbol.data, edge.parent.data)
            checked += 1
    return checked


def check_tangents(one: Case, layout: str) -> None:
    """What is pushed forward and what is pulled back agree: ⟨ȳ, J u⟩ = ⟨Jᵀ ȳ, u⟩."""
    numbers = one.numbers(layout).back()
    assert numbers.derivation.scalar
    rng = np.random.default_rng(3)
    sources = {s.symbol.data[0] for s in numbers.derivation.steps if s.value is None}
    names = [p.data[0] for p in numbers.derivation.paths if p.data[0] in sources]
    directions = {name: rng.normal(size=np.shape(numbers.values[name, ()])) for name in names}
    numbers.move({name: _flat(d, numbers, name) for name, d in directions.items()})
    (output,) = numbers.derivation.outputs
    pulled = sum(
        np.sum(numbers.laid(numbers.totals[name, ()]) * directions[name]) for name in names
    )
    assert close(numbers.moves[numbers.key(output)], pulled)


def _flat(direction: Any, numbers: Numbers, name: str) -> Any:
    return direction


FILES = [
    EXAMPLES / f"{name}.graph"
    for name in ("net321", "residual", "dense_column", "three_layers", "batched", "two_functions",
                 "sigmoid", "hadamard", "block_row", "forward_backward", "per_sample")
]  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_examples(path: Path, layout: str) -> None:
    one = case(path)
    check_derivatives(one, layout)
    check_derivatives(one, layout, fine=True)
    assert check_jacobians(one, layout) >= 1


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "name", ["02_scalar", "04_resmlp", "05_lstm", "06_gmm", "07_transformer", "08_cnn", "10_linreg",
             "11_rules", "12_sharing"]
)  # fmt: skip
def test_programs_of_the_language(name: str, layout: str) -> None:
    check_derivatives(case(LANGUAGE / f"{name}.graph"), layout, fine=layout == "numerator")


LOOPS = {
    "nested": """dim T, K
input x: [T, K, 2]; param W: [2, 2]; param h0: [2]
scan steps[t in T] carry h = h0 {
    scan inner[k in K] carry g = h { next g = tanh(W @ g + x[t, k]); collect gs = sum(g**2) }
    next h = g
    collect hs = g * sum(gs)
}
output L = sum(h**2) + sum(sin(hs))
derive grad L wrt W, h0, x
""",
    "two that share": """dim T
input x: [T, 3]; param W: [3, 3]
scan one[t in T] carry h = zeros([3]) { next h = tanh(W @ h + x[t]) }
scan two[t in T] carry g = 2 * h { next g = tanh(W @ g) * x[t] }
output L = sum(g**2) + sum(W)
derive grad L wrt W, x
""",
    "of rows and of matrices": """dim T, B
input x: [B, T, 3]; param W: [3, 4]
scan one[t in T] { collect ys = tanh(x[:, t] @ W) }
output y = ys[1:] - ys[:-1]
output z = sum(ys, axis=0)
derive vjp y, z wrt W, x
""",
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", LOOPS)
def test_loops(name: str, layout: str) -> None:
    check_derivatives(case(LOOPS[name]), layout)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["net321", "residual", "dense_column", "three_layers"])
def test_forward_and_backward_agree(name: str, layout: str) -> None:
    check_tangents(case(EXAMPLES / f"{name}.graph"), layout)


# ---- every operation ----------------------------------------------------------------------------

DOMAINS = {"arccosh": (1.2, 2.0), "acosh": (1.2, 2.0)}
LARGEST = 4000
"""Elements of a Jacobian that is compared."""
LOOKED_AT = 12
"""Elements of an argument, or about so many, that a derivative is compared at."""
SYMMETRIC = {"cholesky"}
DIFFERENTIABLE = [
    function
    for function in FUNCTIONS.values()
    if sample(function).differentiable and function.name != "stop"
]


@pytest.mark.parametrize("function", DIFFERENTIABLE, ids=lambda function: function.name)
def test_every_operation(function: Function) -> None:
    """Against central differences of its value, which is NumPy's; and so are its Jacobians."""
    shown = sample(function)
    compilation = Compilation(Source("sample", shown.graph), Options())
    model = compilation.stated
    dims = choose_sizes(model)
    given = drawn(function, random_arguments(model, 1, dims))
    floats = [d for d in model.outputs if d.type.dtype == "float"]
    if not floats:
        return
    for layout in LAYOUTS:
        derivation = explained(compilation, layout)
        told = document(derivation, Wanted(mode="both"))
        assert all(len(printed(told, kind)) > 100 for kind in ("text", "markdown", "latex", "html"))
        numbers = Numbers(derivation, given, dims).run()
        rng = np.random.default_rng(5)
        seeds = {
            end.data[0]: rng.normal(size=np.shape(numbers.values[numbers.key(end)]))
            for end in derivation.outputs
        }
        numbers.back({name: flat(seed, numbers, name) for name, seed in seeds.items()})
        if derivation.scalar:
            seeds = dict.fromkeys(seeds, 1.0)
        for path in derivation.paths:
            found = numbers.totals.get(numbers.key(path))
            expected = differences(derivation, given, dims, path.data[0], seeds)
            if found is None:
                assert close(np.nan_to_num(expected), 0, 1e-6)
                continue
            known = np.isfinite(expected)
            assert close(numbers.laid(found)[known], expected[known], 2e-6), (layout, path.data)
        for step in derivation.steps:
            for edge in step.edges:
                small = numbers.size(edge.rows) * numbers.size(edge.columns) <= LARGEST
                if edge.jacobian.matrix is not None and small:
                    slopes = slope(numbers, step, edge.parent)
                    slopes = slopes if layout == "numerator" else slopes.T
                    shape = numbers.size(edge.rows), numbers.size(edge.columns)
                    matrix = np.broadcast_to(numbers.of(edge.jacobian.matrix), shape)
                    assert close(matrix, slopes, 2e-6), (layout, edge.parent.data)


def flat(seed: Any, numbers: Numbers, name: str) -> Any:
    """A cotangent as an array."""
    rank = {d.symbol.data[0]: d.type.rank for d in numbers.derivation.steps}[name]
    return seed[:, 0] if rank == 1 else seed


def drawn(function: Function, given: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments where the operation is smooth."""
    rng = np.random.default_rng(11)
    low, high = DOMAINS.get(function.name, (0.25, 0.75))
    found = {}
    for name, value in given.items():
        array = np.asarray(value)
        if array.dtype.kind == "f":
            array = rng.uniform(low, high, array.shape)
            if array.ndim == 2 and array.shape[0] == array.shape[1]:
                array = array + 2 * np.eye(len(array))
                if function.name in SYMMETRIC:
                    array = (array + array.T) / 2
        found[name] = array
    return found


def differences(
    derivation: Derivation,
    given: Mapping[str, Any],
    dims: Mapping[str, int],
    name: str,
    seeds: Mapping[str, Any],
    h: float = 1e-6,
) -> Any:
    """Central differences of ⟨seeds, outputs⟩ by one input, in its shape as a column; nan where
    they are not looked at, since there are many."""
    at = np.array(given[name], float)
    made = np.full(at.shape, np.nan)
    every = list(np.ndindex(at.shape))
    for place in every[:: max(1, len(every) // LOOKED_AT)]:
        sides = []
        for sign in (1, -1):
            moved = at.copy()
            moved[place] += sign * h
            numbers = Numbers(derivation, {**given, name: moved}, dims).run()
            values = (numbers.values[numbers.key(end)] for end in derivation.outputs)
            pairs = zip(values, seeds.values(), strict=True)
            with np.errstate(invalid="ignore"):  # what is infinite is not looked at
                sides.append(sum(np.sum(value * seed) for value, seed in pairs))
        made[place] = (sides[0] - sides[1]) / (2 * h)
    return made[:, None] if made.ndim == 1 else made
