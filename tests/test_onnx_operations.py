"""Calls of every operation in exported models: in onnxruntime and in the reference."""

from __future__ import annotations

import numpy as np
import pytest
from operation_references import CALLS
from sampling import NAMES, Call
from test_export_onnx import expected, exported, ran
from test_ops import depends, kinds

import graphc
from tests.conftest import long

REFUSED = {
    "betainc", "cholesky", "det", "eigh", "eigvalsh", "expm", "fill_tril", "gammainc", "gammaincc",
    "inv", "logdet", "lstsq", "matrix_power", "pinv", "qr", "solve", "svd", "svdvals",
    "triangular_solve",
}  # fmt: skip
"""Operations that ONNX, or onnxruntime in float64, has nothing for."""
ALWAYS = {
    "diag", "put", "put_along_axis", "gather_nd", "grid_sample", "conv2d", "conv_transpose1d",
    "cumprod", "interp", "segment_max",
}  # fmt: skip
"""Those whose models are tried each time; the others in the long run."""
EACH = 4


@pytest.mark.parametrize("name", [one if one in ALWAYS else long(one) for one in CALLS])
def test_calls_and_their_gradients_are_those_of_the_module(name: str) -> None:
    """A few calls of each, as outputs of one model; refused are those that the table names."""
    calls = [one for one in CALLS[name] if one.possible][: 2 if name in ALWAYS else EACH]
    text = written(calls)
    if name in REFUSED:
        with pytest.raises(graphc.GraphError, match="E811"):
            exported(text, "forward")
        return
    net = graphc.compile_text(text, "net", level=0).module()
    given = {
        f"{NAMES[slot]}{k}": value
        for k, one in enumerate(calls)
        for slot, value in enumerate(one.arguments())
    }
    for function in ("forward", *(["gradient"] if hasattr(net, "gradient") else [])):
        model = exported(text, function)
        sizes = {"N": np.array(3)} if "N" in {one.name for one in model.graph.input} else {}
        wanted = expected(net, function, given, **dict.fromkeys(sizes, 3))
        for found in ran(model, given | sizes):
            for one, other in zip(found, wanted, strict=True):
                assert one.shape == np.shape(other)
                within = 1e-11 * max(1.0, float(np.max(np.abs(other), initial=0)))
                np.testing.assert_allclose(one, other, rtol=1e-11, atol=within)


def written(calls: list[Call]) -> str:
    """The calls as outputs, and the gradient of the sum of the squares of those that have one."""
    lines = ["dim N"] if any(one.symbolic for one in calls) else []
    lines += [line for k, one in enumerate(calls) for line in one.lines(k)]
    smooth = [k for k, one in enumerate(calls) if one.floats and set(kinds(one)) == {"f"} and
              depends(one)]  # fmt: skip
    if smooth:
        outputs = [f"y{i}_{k}" for k in smooth for i in range(calls[k].results)]
        inputs = [f"{NAMES[slot]}{k}" for k in smooth for slot in calls[k].floats]
        lines.append("output total = " + " + ".join(f"sum({one} * {one})" for one in outputs))
        lines.append(f"derive value_and_grad total wrt {', '.join(inputs)} as gradient")
    return "\n".join(lines)
