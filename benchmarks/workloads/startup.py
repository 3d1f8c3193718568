"""What it costs to import a generated module, beside NumPy and other libraries."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from benchmarks.generated import LEVELS, build, module_path
from benchmarks.harness import Effort, Say
from benchmarks.processes import PEAK, alternate, python
from benchmarks.tables import Format, Table, between, difference, megabytes, ratio, seconds, text
from benchmarks.workloads.digits import GRAPH, small

LIBRARIES = ("jax", "torch")  # imported too where they are installed


def measure(modules: Path, effort: Effort, say: Say) -> list[Table]:
    """Time and peak memory of new processes that import one thing."""
    case = small(modules)[0]
    build(GRAPH, [case])
    path = module_path(GRAPH, case, next(iter(LEVELS)))
    here = f"import sys; sys.path.insert(0, {str(modules)!r}); "
    codes = {
        "import digits": f"{here}import {path.stem}",
        "import numpy": f"{here}import numpy",
        "nothing": f"{here}pass",
        **{f"import {name}": f"{here}import {name}" for name in LIBRARIES if _installed(name)},
    }
    rounds = max(3 * effort.processes, 3)
    say(f"import: {', '.join(codes)}; {rounds} processes each")
    commands: dict[str, Sequence[str]] = {
        name: python(f"{code}\n{PEAK}\nprint(peak)") for name, code in codes.items()
    }
    runs = alternate(commands, rounds)
    base = runs["import numpy"]
    rows = [
        {
            "process": name,
            "median": found.median,
            "quartiles": found.quartiles,
            "beyond NumPy": found.beyond(base),
            "ratio": found.median / base.median,
            "peak memory": int(found.output),
        }
        for name, found in runs.items()
    ]
    columns: dict[str, Format] = {
        "process": text,
        "median": seconds,
        "quartiles": between,
        "beyond NumPy": difference,
        "ratio": ratio,
        "peak memory": megabytes,
    }
    return [Table(f"Import, {rounds} new processes each", columns, rows)]


def _installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None
