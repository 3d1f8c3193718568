"""GRAPH["bytes"] of the fast module: what a function computes in, returns and holds at most."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from calling import given

from graphc.pipeline import Options, compile_file, load

ROOT = Path(__file__).resolve().parent.parent
WORKLOADS = ROOT / "benchmarks" / "workloads"
EXAMPLES = ROOT / "examples"

CASES: list[tuple[Path, dict[str, int]]] = [
    (EXAMPLES / "digits.graph", {"B": 1000}),
    (EXAMPLES / "residual.graph", {"B": 30_000}),
    (EXAMPLES / "per_sample.graph", {"B": 30_000}),
    (WORKLOADS / "mlp.graph", {"B": 400}),
    (WORKLOADS / "deep.graph", {"B": 400}),
    (WORKLOADS / "resblocks.graph", {"B": 100}),
    (WORKLOADS / "gmm.graph", {"N": 20_000, "D": 10, "K": 25}),
    (WORKLOADS / "lstm.graph", {"T": 2000}),
    (WORKLOADS / "elementwise.graph", {"N": 100_000}),
    (WORKLOADS / "transformer.graph", {"B": 4, "T": 64}),
]


@pytest.mark.parametrize(("path", "dims"), CASES, ids=[path.stem for path, _ in CASES])
def test_planned_is_measured(
    path: Path, dims: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a call that makes its scratch: within 10 %, on one thread."""
    monkeypatch.setenv("GRAPHC_THREADS", "1")
    result = compile_file(path, Options(dims=dims, level="-O2"))
    net = load(result.text, "bytes")
    planned = net.GRAPH["bytes"]
    for name, arguments in given(result.model).items():
        cotangents = arguments.pop("cotangents", {})
        more: dict[str, Any] = {}
        if name == "backward":
            arguments = {"cache": net.forward(**arguments)[1], **cotangents}
        elif cotangents:
            more = {"cotangents": cotangents}
        function = getattr(net, name)
        function(**arguments, **more)  # Python and NumPy are warm, the memory is not
        vars(net).get("_SCRATCH", {}).clear()
        tracemalloc.start()
        try:
            kept = function(**arguments, **more)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        del kept
        owners = {id(one): one for one in map(_owner, _scratch(net))}
        scratch = sum(one.nbytes for one in owners.values())
        assert planned["peak"][name] == pytest.approx(peak, rel=0.1), name
        assert planned["scratch"][name] == pytest.approx(scratch, rel=0.1), name


def _scratch(net: Any) -> list[np.ndarray]:
    """All that a module keeps now."""
    by_dims = [many for one in vars(net).get("_SCRATCH", {}).values() for many in one.values()]
    sets = [one for many in by_dims for one in many]
    return [part for parts in sets for part in parts if isinstance(part, np.ndarray)]


def _owner(array: np.ndarray) -> np.ndarray:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array
