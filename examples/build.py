"""What the scripts share: compile a graph of this folder, import it, compare with it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

import graphc

GRAPHS = Path(__file__).resolve().parent
OUT = GRAPHS.parent / "out"


def load(name: str, out: Path = OUT, *, level: int = 0, **options: Any) -> ModuleType:
    """Compile `NAME.graph` to `OUT/NAME.py`, at the readable level, and import that."""
    try:
        made = graphc.compile_file(GRAPHS / f"{name}.graph", level=level, **options)
    except graphc.GraphError as wrong:
        raise SystemExit(str(wrong)) from None
    out.mkdir(parents=True, exist_ok=True)
    target = made.write(out / f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"compiled_{name}", target)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{target} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def compare(
    what: str, module: npt.ArrayLike, by_hand: npt.ArrayLike, tolerance: float = 1e-12
) -> None:
    """Print by how much the module is off from the value worked out by hand; stop where it is.

    The measure is the largest difference, relative to the largest value.
    """
    found, expected = np.asarray(module), np.asarray(by_hand)
    if found.shape != expected.shape:
        raise SystemExit(f"{what}: shape {found.shape}, expected {expected.shape}")
    gap = float(np.max(np.abs(found - expected)) / max(1e-300, np.max(np.abs(expected))))
    good = gap <= tolerance
    print(f"  {'✓' if good else '✗'} {what:<66} off by {gap:.0e}")
    if not good:
        raise SystemExit(f"{what}: the relative difference is {gap:.1e}, not below {tolerance:.0e}")


def claim(what: str, holds: bool | np.bool_, found: str) -> None:
    """Print a statement that is no equation, with what was found; stop where it does not hold."""
    print(f"  {'✓' if holds else '✗'} {what:<66} {found}")
    if not holds:
        raise SystemExit(f"{what}: {found}")


def show(name: str, value: npt.ArrayLike, digits: int = 4) -> None:
    """Print an array behind its name, its rows below each other."""
    with np.printoptions(precision=digits, suppress=True, linewidth=100):
        text = f"{value}"
    print(f"  {name} = " + text.replace("\n", "\n" + " " * (len(name) + 5)))


def run(main: Callable[[Path], None]) -> None:
    """Run a script: its one argument is the folder to write to, `out/` of this repository."""
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else OUT)
