"""graphc: declarative computation graphs, compiled to plain NumPy with their derivatives.

>>> import graphc
>>> net = graphc.compile_text("input x: [2]\\noutput y = sum(x * x)").module()
>>> float(net.forward([3.0, 4.0])[0].y)
25.0

`load` and `compile_file` take a file, `check`, `draw`, `explain` and `report` a file or what was
compiled.
What is named here is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # as type checkers know it: `typing` itself takes longer than all else here
if TYPE_CHECKING:
    from typing import Any

    from graphc.api.checking import CheckResult as CheckResult
    from graphc.api.checking import check as check
    from graphc.api.compiling import CompiledGraph as CompiledGraph
    from graphc.api.compiling import compile_file as compile_file
    from graphc.api.compiling import compile_text as compile_text
    from graphc.api.drawing import Drawing as Drawing
    from graphc.api.drawing import draw as draw
    from graphc.api.explaining import Explanation as Explanation
    from graphc.api.explaining import explain as explain
    from graphc.api.exports import export_onnx as export_onnx
    from graphc.api.importing import install_import_hook as install_import_hook
    from graphc.api.importing import remove_import_hook as remove_import_hook
    from graphc.api.imports import ImportedGraph as ImportedGraph
    from graphc.api.imports import import_jax as import_jax
    from graphc.api.imports import import_numpy as import_numpy
    from graphc.api.imports import import_onnx as import_onnx
    from graphc.api.imports import import_torch as import_torch
    from graphc.api.loading import GraphWarning as GraphWarning
    from graphc.api.loading import load as load
    from graphc.api.reporting import Report as Report
    from graphc.api.reporting import report as report
    from graphc.api.splitting import Split as Split
    from graphc.api.splitting import split as split
    from graphc.notebook import load_ipython_extension as load_ipython_extension
    from graphc.parameters import load_parameters as load_parameters
    from graphc.parameters import save_parameters as save_parameters
    from graphc.source import Diagnostic as Diagnostic
    from graphc.source import GraphError as GraphError
    from graphc.state_dicts import correspondence as correspondence

__version__ = "0.1.0"

_PLACES = {
    "CheckResult": "graphc.api.checking",
    "check": "graphc.api.checking",
    "CompiledGraph": "graphc.api.compiling",
    "compile_file": "graphc.api.compiling",
    "compile_text": "graphc.api.compiling",
    "Drawing": "graphc.api.drawing",
    "draw": "graphc.api.drawing",
    "Explanation": "graphc.api.explaining",
    "explain": "graphc.api.explaining",
    "export_onnx": "graphc.api.exports",
    "install_import_hook": "graphc.api.importing",
    "remove_import_hook": "graphc.api.importing",
    "ImportedGraph": "graphc.api.imports",
    "import_jax": "graphc.api.imports",
    "import_numpy": "graphc.api.imports",
    "import_onnx": "graphc.api.imports",
    "import_torch": "graphc.api.imports",
    "GraphWarning": "graphc.api.loading",
    "load": "graphc.api.loading",
    "Report": "graphc.api.reporting",
    "report": "graphc.api.reporting",
    "Split": "graphc.api.splitting",
    "split": "graphc.api.splitting",
    "load_ipython_extension": "graphc.notebook",
    "correspondence": "graphc.state_dicts",
    "load_parameters": "graphc.parameters",
    "save_parameters": "graphc.parameters",
    "Diagnostic": "graphc.source",
    "GraphError": "graphc.source",
}
"""Where what is public is defined."""

__all__ = [*_PLACES]


_BRIDGES = frozenset({"dask", "jax", "optimisers", "scipy", "sklearn", "torch"})
"""Modules of other libraries' users, imported when they are first named."""


def __getattr__(name: str) -> Any:
    """Load what is public when it is first asked for."""
    if name in _BRIDGES:
        return import_module(f"graphc.{name}")
    if name not in _PLACES:
        raise AttributeError(f"module 'graphc' has no attribute {name!r}{_meant(name)}")
    found = getattr(import_module(_PLACES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES, *_BRIDGES})


def _meant(name: str) -> str:
    """Say what may have been meant by a name that is not here: `compile` is `compile_file`."""
    if name.startswith("_"):  # what Python and its tools ask of any module
        return ""
    from graphc.source import did_you_mean

    near = did_you_mean(name, __all__)
    return f"; {near}" if near else f"; there are {', '.join(__all__)}"
