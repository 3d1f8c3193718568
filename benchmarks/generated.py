"""The contestants that graphc writes: modules compiled by the command, so that nothing that is
measured imports the compiler."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.harness import Case, Contestant, Result, Run
from benchmarks.processes import ROOT, Failed, run

EXAMPLES = ROOT / "examples"
WORKLOADS = Path(__file__).resolve().parent / "workloads"
LEVELS = {
    "-O2": ("compile", "-O2"),
    "-O0": ("compile", "-O0"),
    "C": ("build", "-O2"),
    "JAX": ("compile", "-O2", "--target", "jax"),
}
"""The modules of a graph, a contestant each, and how the command makes them."""
UNKNOWN = "error[E500]"  # what graphc says of a `derive` clause that it cannot do yet

Shape = Callable[..., Result]  # from what the functions of a module return


@dataclass(frozen=True, slots=True)
class Source:
    """A graph, and what to derive of it in place of what its file says: clauses `… as NAME`."""

    path: Path
    derive: tuple[str, ...] = ()


def module_path(source: Source, case: Case, level: str) -> Path:
    """Where the module for a case is written."""
    stem = "_".join([source.path.stem, *(clause.split()[-1] for clause in source.derive)])
    dims = "".join(f"_{name}{size}" for name, size in case.dims.items())
    return case.modules / f"{stem}{dims}_{case.dtype}_{level.removeprefix('-')}.py"


def build(source: Source, cases: Sequence[Case]) -> None:
    """Compile a graph as a user does, in each way, once for all cases that share a module.

    A clause that graphc cannot derive yet leaves no module: that contestant is missing.
    """
    wanted = {module_path(source, one, level): (one, level) for one in cases for level in LEVELS}
    for path, (case, level) in wanted.items():
        path.unlink(missing_ok=True)
        fixed = [word for name, size in case.dims.items() for word in ("--dim", f"{name}={size}")]
        derived = [word for clause in source.derive for word in ("--derive", clause)]
        command, *how = LEVELS[level]
        options = ["-o", str(path), "--dtype", case.dtype, *how, *fixed, *derived]
        try:
            run([sys.executable, "-m", "graphc", command, str(source.path), *options])
        except Failed as failed:
            if UNKNOWN not in str(failed):
                raise


def graphc(source: Source, *functions: str, shape: Shape | None = None) -> tuple[Contestant, ...]:
    """A contestant for each level: functions of the module of a graph, mostly one.

    `shape` brings what they return into the form that is compared, a value and arrays by path,
    where a single one does not return that.
    """
    return tuple(
        Contestant(
            f"graphc {level}",
            partial(
                _call_jax if level == "JAX" else _call,
                source=source,
                level=level,
                functions=functions,
                shape=shape,
            ),
            needs="jax" if level == "JAX" else None,
            lacks=partial(_lacks, source=source, level=level),
        )
        for level in LEVELS
    )


def load(path: Path) -> ModuleType:
    """Import a generated module from its file."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def arguments(module: ModuleType, case: Case) -> tuple[Any, ...]:
    """The data of a case in the order of a module: parameters first, if it has any, then inputs.

    What is differentiated may be an input of the graph, and a parameter of it be held fast.
    """
    given = {**case.inputs, **case.params}
    paths = getattr(module, "PARAMETERS", ())
    first = ({path: given[path] for path in paths},) if paths else ()
    return (*first, *(given[name] for name in module.GRAPH["inputs"]))


def _call(
    case: Case, source: Source, level: str, functions: Sequence[str], shape: Shape | None
) -> Run:
    module = load(module_path(source, case, level))
    calls, given = [getattr(module, name) for name in functions], arguments(module, case)
    if shape is None:
        (only,) = calls
        return lambda: only(*given)
    return lambda: shape(*(call(*given) for call in calls))


def _call_jax(
    case: Case, source: Source, level: str, functions: Sequence[str], shape: Shape | None
) -> Run:
    """Return what calls the functions compiled by `jax.jit`, on data that lie on its device."""
    import jax

    jax.config.update("jax_enable_x64", True)
    module = load(module_path(source, case, level))
    given = jax.device_put(arguments(module, case))

    def called(*given: Any) -> Any:
        results = [getattr(module, name)(*given) for name in functions]
        return results[0] if shape is None else shape(*results)

    compiled = jax.jit(called)
    return lambda: jax.block_until_ready(compiled(*given))


def _lacks(case: Case, source: Source, level: str) -> str | None:
    there = module_path(source, case, level).exists()
    return None if there else "graphc does not derive this yet"
