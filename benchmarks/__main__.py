"""`python -m benchmarks [NAME …]`: measure, print tables, write `out/benchmarks_1.json` and `.svg`.

The number is that of the threads: each is measured in a process of its own, since libraries read it
when they are imported."""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import subprocess
import sys
from dataclasses import replace
from typing import Any

from rich.console import Console
from rich.table import Table as RichTable

from benchmarks.processes import ROOT, limit_threads
from benchmarks.tables import Table

PEERS = ("autograd", "casadi", "jax", "matplotlib", "numba", "torch")
WIDTH = 140  # of what is written to a file or a pipe


def main(arguments: list[str]) -> int:
    """Measure the named workloads, or all."""
    options = _options(arguments)
    threads, *more = options.threads
    if more:
        command = [sys.executable, "-m", "benchmarks", *arguments, "--threads"]
        return max(subprocess.call([*command, str(n)]) for n in options.threads)
    limit_threads(threads)
    # only now, because these import NumPy
    from benchmarks.harness import QUICK, Effort
    from benchmarks.picture import draw
    from benchmarks.workloads import WORKLOADS

    names = options.names or list(WORKLOADS)
    if unknown := [name for name in names if name not in WORKLOADS]:
        print(f"no workload {', '.join(unknown)}; there are {', '.join(WORKLOADS)}")
        return 2
    console, progress = Console(), Console(stderr=True, style="dim", soft_wrap=True)
    if not console.is_terminal:
        console.width = WIDTH

    def say(line: str) -> None:
        progress.print(f"── {line}", highlight=False)

    if missing := [name for name in PEERS if importlib.util.find_spec(name) is None]:
        say(f"not installed, so left out: {', '.join(missing)}")
    effort = replace(QUICK if options.quick else Effort(), without=options.without)
    modules = ROOT / "out" / "benchmarks"
    modules.mkdir(parents=True, exist_ok=True)
    written: dict[str, Any] = {"environment": _environment(threads), "workloads": {}}
    measured: list[Table] = []
    for name in names:
        tables = WORKLOADS[name](modules, effort, say)
        for table in tables:
            console.print()
            if options.markdown:
                print(table.markdown())
            else:
                console.print(_rich(table))
        written["workloads"][name] = [table.data() for table in tables]
        measured += tables
    written["environment"]["load after"] = os.getloadavg()
    path = ROOT / "out" / f"benchmarks_{threads}.json"
    path.write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    say(f"wrote {path.relative_to(ROOT)}")
    if draw(measured, picture := path.with_suffix(".svg")):
        say(f"wrote {picture.relative_to(ROOT)}")
    return 0


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="a workload; default: all")
    parser.add_argument(
        "--threads", type=_numbers, default=[1, 2], help="for everyone, in turn; default: 1,2"
    )
    parser.add_argument("--quick", action="store_true", help="a look, too short to be trusted")
    parser.add_argument(
        "--without", type=_names, default=[], help="contestants to leave out, such as torch.compile"
    )
    parser.add_argument("--markdown", action="store_true", help="tables in Markdown")
    return parser.parse_args(arguments)


def _names(given: str) -> list[str]:
    return given.split(",")


def _numbers(given: str) -> list[int]:
    return [int(one) for one in given.split(",")]


def _environment(threads: int) -> dict[str, Any]:
    """What the numbers depend on beside the code."""
    installed = [name for name in ("numpy", *PEERS) if importlib.util.find_spec(name)]
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "threads": threads,
        "versions": {name: importlib.metadata.version(name) for name in installed},
        "load before": os.getloadavg(),
    }


def _rich(table: Table) -> RichTable:
    shown = RichTable(title=table.title, caption=table.note or None, title_justify="left")
    for place, name in enumerate(table.columns):
        shown.add_column(name, justify="right" if place else "left", no_wrap=not place)
    for cells in table.cells():
        shown.add_row(*cells)
    return shown


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
