"""The contestants that graphc writes: modules compiled by the command, so that nothing that is
measured imports the compiler."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from benchmarks.harness import Case, Run
from benchmarks.processes import ROOT, run

EXAMPLES = ROOT / "examples"


def module_path(modules: Path, graph: str, dtype: str, level: str) -> Path:
    """Where the module of a graph is written."""
    return modules / f"{graph}_{dtype}{level.replace('-', '_')}.py"


def build(graph: Path, modules: Path, dtype: str, level: str = "-O0") -> Path:
    """Compile a graph as a user does."""
    path = module_path(modules, graph.stem, dtype, level)
    options = ["-o", str(path), "--dtype", dtype, level]
    run([sys.executable, "-m", "graphc", "compile", str(graph), *options])
    return path


def load(path: Path) -> ModuleType:
    """Import a generated module from its file."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def value_and_grad(case: Case, graph: str, level: str = "-O0") -> Run:
    """`value_and_grad_loss` of the module of a graph, on the data of a case."""
    module = load(module_path(case.modules, graph, case.dtype, level))
    call, params, inputs = (
        module.value_and_grad_loss,
        dict(case.params),
        tuple(case.inputs.values()),
    )
    return lambda: call(params, *inputs)
