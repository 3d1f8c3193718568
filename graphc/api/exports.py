"""`export_onnx`: a graph, or a derived function of it, as a model that other runtimes have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from graphc.api.asked import Graph, asked_of
from graphc.api.options import CompileOptions
from graphc.source import GraphError


def export_onnx(
    graph: Graph,
    function: str = "forward",
    *,
    params: Mapping[str, Any] | None = None,
    casadi: bool = False,
    **options: Unpack[CompileOptions],
) -> Any:
    """Return the ONNX model of `forward`, or of a derived function by its name.

    params   values of parameters that become a part of the model; others are inputs
    casadi   results are called `adj_…`, `fwd_…`, `jac_…`, as CasADi calls them

    `onnx.save(model, "net.onnx")` writes it. Raises GraphError where ONNX has nothing for an
    operation, ImportError where there is no `onnx`.
    """
    from graphc.compile.stages import Compilation
    from graphc.exporting.onnx.model import export_onnx as run

    if params is not None and not isinstance(params, Mapping):
        found = type(params).__name__
        raise TypeError(f"params: expected a dict by path, as load_parameters reads, found {found}")
    source, folder, asked = asked_of(graph, options)
    try:
        return run(Compilation(source, asked, folder), function, params, casadi)
    except GraphError as wrong:  # where graphc found it is no matter of the user's
        raise wrong.with_traceback(None) from None
