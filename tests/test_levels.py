"""The levels of optimisation agree on every graph that is at hand."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from calling import PLAIN, at_levels, call, given, leaves
from conftest import LEVELS, compiled, long
from test_derived_contract import TEXT as EVERY_KIND
from test_loops import CASES
from test_module_contract import GRAPHS
from test_per import NETS, text_of

from benchmarks.generated import Source
from benchmarks.workloads import GRADIENTS
from graphc.compile.stages import Options

ROOT = Path(__file__).resolve().parent.parent
TOLERANCE = {"float64": 1e-13, "float32": 1e-5}
READABLE, FAST = LEVELS


def agree(found: Any, expected: Any, tolerance: float, what: str) -> None:
    """Equal in structure, and in each array relative to its largest entry.

    An array that is left over from larger ones, as a gradient that is 0 in exact arithmetic, is
    compared with what the function returns beside it.
    """
    ours, theirs = list(leaves(found)), list(leaves(expected))
    assert len(ours) == len(theirs), what
    largest = max([1.0, *map(_largest, theirs)])
    for one, other in zip(ours, theirs, strict=True):
        one, other = np.asarray(one), np.asarray(other)
        assert (one.dtype, one.shape) == (other.dtype, other.shape), what
        if one.dtype.kind != "f":
            assert np.array_equal(one, other), what
            continue
        finite = np.isfinite(other)
        assert np.array_equal(one[~finite], other[~finite], equal_nan=True), what
        gap = float(np.max(np.abs(one[finite] - other[finite]), initial=0))
        assert gap <= tolerance * max(_largest(other), 0.1 * largest), f"{what}: {gap}"


def _largest(value: Any) -> float:
    array = np.asarray(value)
    if array.dtype.kind != "f":
        return 0.0
    return float(np.max(np.abs(array), where=np.isfinite(array), initial=0))


def compare(
    graph: str | Path,
    options: Options = PLAIN,
    dtypes: Sequence[str] = tuple(TOLERANCE),
    sizes: Sequence[dict[str, int] | None] = (None,),
) -> None:
    """Every function of a graph's modules, in each precision, of dims that have these sizes."""
    levels = at_levels(graph, options, dtypes)
    for dtype, dims in itertools.product(dtypes, sizes):
        calls = given(levels.model, dims=dims)
        plain, fast = (levels.modules[level, dtype] for level in LEVELS)
        assert (plain.GRAPH["level"], fast.GRAPH["level"]) == LEVELS
        for name, arguments in calls.items():
            with np.errstate(all="ignore"):
                expected = call(plain, name, arguments)
                found = call(fast, name, arguments)
            if name == "backward":  # the cache may hold other values at another level
                expected, found = (expected[0], expected[2]), (found[0], found[2])
            elif name == "forward" and hasattr(plain, "backward"):
                expected, found = expected[0], found[0]
            assert all(
                one.dtype == dtype
                for one in map(np.asarray, leaves(found))
                if one.dtype.kind == "f"
            )
            said = f"{name} in {dtype} at {dims}"
            try:
                agree(found, expected, TOLERANCE[dtype], said)
            except AssertionError:
                if dtype == "float64":
                    raise
                exact = rounded(levels.modules[READABLE, "float64"], name, arguments, expected)
                agree(found, exact, TOLERANCE[dtype], said)


def rounded(plain: Any, name: str, arguments: Any, like: Any) -> list[Any]:
    """What a function returns in double precision, rounded: loops over numbers are as exact."""
    with np.errstate(all="ignore"):
        exact = call(plain, name, arguments)
    if name == "backward":
        exact = exact[0], exact[2]
    elif name == "forward" and hasattr(plain, "backward"):
        exact = exact[0]
    pairs = zip(leaves(exact), leaves(like), strict=True)
    return [np.asarray(one, np.asarray(other).dtype) for one, other in pairs]


# ---- the graphs at hand -------------------------------------------------------------------------

FILES = [
    path
    for folder in ("examples", "tests/language/examples")
    for path in sorted((ROOT / folder).glob("*.graph"))
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_examples(path: Path) -> None:
    compare(path)


def sources() -> dict[str, tuple[Source, dict[str, int]]]:
    """The graphs of the benchmarks, each with the dims of a small case."""
    found = {}
    for name, workload in GRADIENTS.items():
        source: Source = workload.build.args[0]  # type: ignore[attr-defined]
        found[name] = source, dict(workload.small(ROOT)[0].dims)
    return found


@pytest.mark.parametrize("name", GRADIENTS)
def test_workloads(name: str) -> None:
    source, dims = sources()[name]
    compare(source.path, Options(dims=dims, derive=source.derive))


TEXTS = {
    "every kind": (EVERY_KIND, None),
    **{name: (text, None) for name, text in GRAPHS.items()},
    **{
        net.name: (
            text_of(net, "value_and_grad loss wrt params per B as g"),
            {"B": 4, **net.dims},
        )
        for net in NETS
    },
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_contracts(name: str) -> None:
    text, dims = TEXTS[name]
    compare(text, sizes=[dims])


@pytest.mark.parametrize(
    "case",
    [long(case) if place % 2 else case for place, case in enumerate(CASES)],
    ids=lambda case: case.name,
)
def test_loops(case: Any) -> None:
    """All outputs, and of a function of them all that can be derived but for whole Jacobians."""
    model = compiled(case.text.strip()).model
    floats = [d.name for d in model.outputs if d.type.dtype == "float"]
    energy = " + ".join(f"sum(sin({name}))" for name in floats)
    text = f"{case.text.strip()}\noutput energy_ = {energy}\n" + "\n".join(
        f"derive {one}"
        for one in (
            "value_and_grad energy_ wrt params, inputs as g",
            f"jvp {', '.join(floats)} wrt params, inputs as pushed",
            f"vjp {', '.join(floats)} wrt params, inputs as pulled",
            "hvp energy_ wrt params, inputs as bent",
        )
    )
    rolled = [{**dict(case.dims), "T": steps} for steps in (3, 0)]
    compare(text, sizes=rolled if "dim T" in text else [None])
