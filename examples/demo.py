"""The tour: compile the examples, check their gradients, run them, train, draw.

Each step runs the commands that it prints; the first that fails ends the tour, and its exit code
is that of the tour.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

from build import GRAPHS, OUT, load, run
from rich.console import Console
from rich.markup import escape
from rich.table import Table

CHECKED_BY_HAND = ("three_layers", "dense_column", "net321", "residual", "batched")
QUESTIONS = ("two_functions", "sigmoid", "hadamard", "block_row", "forward_backward", "per_sample")
KEPT = ("checkpoints",)
FITTED = ("newton", "dose", "bundle")
TRACED = ("nan",)
BRIDGED = ("imported", "bridges", "out_of_core")
TRAINED = ("digits", "digits_scipy")

console = Console(highlight=False)


def graphs() -> list[Path]:
    return sorted(GRAPHS.glob("*.graph"))


def shown(path: Path) -> str:
    """A path as one would type it here."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def parameters(module: ModuleType) -> str:
    """How many numbers a module learns, where its dims do not leave that open."""
    taken = module.GRAPH["bytes"]["params"]
    return str(taken // 8) if isinstance(taken, int) else "any"


def compile_all(out: Path) -> None:
    """Compile every graph, and say what became of it."""
    table = Table("graph", "module", box=None, pad_edge=False)
    for measure in ("parameters", "lines", "ms"):
        table.add_column(measure, justify="right")
    for path in graphs():
        started = time.perf_counter()
        module = load(path.stem, out)
        took = time.perf_counter() - started
        target = Path(str(module.__file__))
        table.add_row(
            path.name,
            escape(shown(target)),
            parameters(module),
            str(len(target.read_text(encoding="utf-8").splitlines())),
            f"{took * 1000:.0f}",
        )
    console.print(table)


def command(*arguments: str) -> None:
    """Print and run a Python command; end the tour where it fails."""
    console.print(f"[bold cyan]$ python {escape(' '.join(arguments))}[/]", soft_wrap=True)
    sys.stdout.flush()
    # The matrices are small: a second BLAS thread would mostly wait for the first.
    threads = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    code = subprocess.run([sys.executable, *arguments], env=threads | os.environ).returncode
    if code:
        console.print(f"[bold red]failed, exit code {code}[/]")
        raise SystemExit(code)


def check_gradients() -> None:
    command("-m", "graphc", "check", "--grad", *map(shown, graphs()))


def run_script(name: str, out: Path) -> None:
    command(shown(GRAPHS / f"{name}.py"), *([] if out == OUT else [str(out)]))


def main(out: Path = OUT) -> None:
    started = time.perf_counter()
    console.rule("1  Compile: .graph → NumPy")
    compile_all(out)
    console.rule("2  Every derivative against numerical ones")
    check_gradients()
    console.rule("3  Backpropagation against the formulas")
    for name in CHECKED_BY_HAND:
        run_script(name, out)
    console.rule("4  What the derivative can mean")
    for name in QUESTIONS:
        run_script(name, out)
    console.rule("5  Less memory for more time")
    for name in KEPT:
        run_script(name, out)
    console.rule("6  Fit: second derivatives, and sparse ones")
    for name in FITTED:
        run_script(name, out)
    console.rule("7  Where nan comes from")
    for name in TRACED:
        run_script(name, out)
    console.rule("8  In the hands of other libraries")
    for name in BRIDGED:
        run_script(name, out)
    console.rule("9  Train")
    for name in TRAINED:
        run_script(name, out)
    console.rule()
    console.print(f"All of it holds. {time.perf_counter() - started:.0f} s")
    console.print(f"The picture: [bold]{escape(shown(out / 'digits.png'))}[/]", soft_wrap=True)


if __name__ == "__main__":
    run(main)
