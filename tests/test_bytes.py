"""GRAPH["bytes"] of the fast module: what a function computes in, returns and holds at most."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from calling import given

from graphc.compile.stages import Options, compile_file, compile_text, load

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


HELD = {
    "an output that is cached": "input x: [N, N]\noutput y = exp(x)",
    "a repeated array": "input x: [N]\noutput y = reshape(broadcast_to(x[:, _], [N, N]), [N*N])",
    "a stretched operand": "input x, y: [40]\noutput z = outer(x, y) + x[_, :]",
    "a mask": "input x: [N, N]\noutput y = tril(x)",
    "added up by index": "input x: [N, N]\ninput k: int[N]\noutput y = segment_sum(x, k, 3)",
    "an inverse": "input x: [N, N]\noutput y = inv(x)",
    "cofactors": "input x: [N, N]\noutput y = det(x)\nderive value_and_grad y wrt x",
    "a special function": "input x: [N, N]\noutput y = lgamma(2 + x)\nderive value y",
    "a recurrence": "input a, b: [N, N]\noutput y = linear_recurrence(a, b)\nderive value y",
}
PARTS = {
    "a transposed convolution": "input x: [4, 3, 40, 40]\nparam w: [3, 5, 3, 3]\n"
    "output y = conv_transpose2d(x, w)\nderive value y",
    "one of three axes": "input x: [2, 2, 16, 16, 16]\nparam w: [2, 3, 2, 2, 2]\n"
    "output y = conv_transpose3d(x, w)\nderive value y",
    "one with steps": "input x: [4, 3, 12, 12]\nparam w: [3, 5, 3, 3]\n"
    "output y = conv_transpose2d(x, w, stride=2, pad=1)\nderive value y",
    "a pullback of windows": "input x: [4, 3, 40, 40]\nparam w: [5, 3, 3, 3]\n"
    "output y = sum(conv2d(x, w, stride=2, pad=1)**2)\nderive value_and_grad y wrt x, w",
    "means of windows": "input x: [4, 3, 40, 40]\noutput y = sum(avgpool(x, 3)**2)\n"
    "derive value_and_grad y wrt x",
    "largest of windows": "input x: [4, 3, 40, 40]\noutput y = sum(maxpool(x, 2)**2)\n"
    "derive value_and_grad y wrt x",
}


@pytest.mark.parametrize("name", HELD)
def test_what_numpy_holds_meanwhile_counts(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies of results, masks, workspaces, and pieces of operands that do not lie alike."""
    monkeypatch.setenv("GRAPHC_THREADS", "1")
    result = compile_text(f"dim N = 240\n{HELD[name]}", options=Options(level="-O2"))
    net = load(result.text, "held")
    calls = given(result.model)
    calls.pop("backward", None)
    for function, arguments in calls.items():
        arguments.pop("cotangents", None)
        getattr(net, function)(**arguments)
        vars(net).get("_SCRATCH", {}).clear()
        tracemalloc.start()
        try:
            kept = getattr(net, function)(**arguments)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        del kept
        assert peak <= 1.1 * net.GRAPH["bytes"]["peak"][function] + 2_000
        assert peak >= 0.7 * net.GRAPH["bytes"]["peak"][function]


@pytest.mark.levels
@pytest.mark.parametrize("name", PARTS)
def test_pieces_of_what_is_added_in_parts_count(
    name: str, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NumPy adds to a part that does not lie row by row in pieces, which are memory, too."""
    monkeypatch.setenv("GRAPHC_THREADS", "1")
    result = compile_text(PARTS[name], options=Options(level=level, memory="1GB"))
    net = load(result.text, "parts")
    for function, arguments in given(result.model).items():
        arguments.pop("cotangents", None)
        if function == "backward":
            out, cache = net.forward(**arguments)
            arguments = {"cache": cache, "y": np.ones(out.y.shape)}
        call = getattr(net, function)
        call(**arguments)
        vars(net).get("_SCRATCH", {}).clear()
        tracemalloc.start()
        try:
            kept = call(**arguments)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        del kept
        assert peak <= net.GRAPH["peak_bytes"][function] + 4_000, function
