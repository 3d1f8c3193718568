"""What the search for less memory estimates of a graph is what the plan of its function says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from test_bytes import CASES

from graphc.ad.functions import cut
from graphc.compile.functions import begin_of, plan_function, plan_halves
from graphc.compile.graphs import both_halves, candidates, passes_of
from graphc.compile.stages import Compilation, Options
from graphc.ir.dims import Dim
from graphc.ir.graph import INPUT, building, source
from graphc.ir.types import Type
from graphc.ops.shape.shaping import broadcast_to, reshape, transpose
from graphc.ops.storage import holder
from graphc.optimise.memory.estimate import Sizes, liveness
from graphc.optimise.passes import rewritten
from graphc.plan.buffers.report import live
from graphc.source import Source

MOST = {"-O0": 1.05, "-O2": 2.0}
"""A plan takes so many times the estimate at most: fast modules hold their scratch throughout."""


def peaks(path: Path, dims: dict[str, int], level: str) -> Iterator[tuple[str, int, int]]:
    """Of each function its name, and the bytes at its peak as estimated and as planned."""
    options = Options(dims=dims, level=level, memory="1TB")
    compilation = Compilation(Source(str(path), path.read_text("utf-8")), options, path.parent)
    model = compilation.model
    with compilation.open():
        begin, sizes = begin_of(model), Sizes(dims, in_place=options.at.planned)
        split = cut(rewritten(both_halves(model), passes_of(options, options.at.halves)))
        given = frozenset(split.cached)
        forward, backward = plan_halves(model, split, begin, options)
        held = sum(sizes.of_type(node.type) for node in given)
        found = [
            (forward, liveness(split.forward, sizes, kept=split.cached), split.cached, 0),
            (backward, liveness(split.backward, sizes, given=given), (), held),
        ]
        for one in model.derivations:
            made = candidates(model, one, options)
            graph = rewritten(
                next(iter(made.values())).graph, passes_of(options, options.at.derived)
            )
            planned = plan_function(one, next(iter(made)), graph, model, begin, options)
            found.append((planned, liveness(graph, sizes), (), 0))
        for function, estimate, kept, held in found:
            peak = live(function.program, sizes.width, kept).peak.evaluate(dims)
            yield function.name, estimate.peak + held, peak + held


@pytest.mark.parametrize(
    ("path", "dims", "level"),
    [
        pytest.param(*case, level, marks=[pytest.mark.long] if level == "-O2" and k % 3 else [])
        for level in MOST
        for k, case in enumerate(CASES)
    ],
    ids=[f"{path.stem}{level}" for level in MOST for path, _ in CASES],
)
def test_estimate_and_plan_agree(path: Path, dims: dict[str, int], level: str) -> None:
    """At the readable level nearly to the byte; tiles take less than any graph says."""
    for name, estimate, planned in peaks(path, dims, level):
        assert planned <= MOST[level] * estimate, (name, planned, estimate)
        assert level == "-O2" or planned >= estimate / MOST[level], name


def test_a_reshape_of_what_does_not_lie_row_by_row_is_a_copy() -> None:
    with building():
        x = source(INPUT, "x", Type("float", (Dim.of(2), Dim.of(3))))
        for turned in (transpose(x, axes=(1, 0)), broadcast_to(x, shape=(Dim.of(4), *x.shape))):
            flat = reshape(turned, shape=(turned.type.size,))
            assert holder(turned) is x
            assert holder(flat) is flat
        assert holder(reshape(x, shape=(Dim.of(6),))) is x
