"""Commands in processes of their own: how long they take, and the most memory that they hold."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# What limits the threads of each library; they read it when they are imported.
THREADS = {
    "OMP_NUM_THREADS": "{}",
    "OPENBLAS_NUM_THREADS": "{}",
    "MKL_NUM_THREADS": "{}",
    "NUMBA_NUM_THREADS": "{}",
    "VECLIB_MAXIMUM_THREADS": "{}",
    "GRAPHC_THREADS": "{}",
    "NPROC": "{}",  # the pool of JAX
    "TORCHINDUCTOR_COMPILE_THREADS": "{}",
}
COLD = {"TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1"}  # the first result includes the compilation

# Printed by a child as the last thing that it does. Linux hands the resident size of the parent on
# as the `ru_maxrss` of a child (it is taken over at `exec`), so the child's own mark is read there.
PEAK = """
try:
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
except OSError:
    import resource, sys
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
"""


def limit_threads(threads: int) -> None:
    """Bound the threads of this process and its children; to be called before NumPy is imported."""
    if "numpy" in sys.modules:
        raise RuntimeError("the number of threads is set before NumPy is imported")
    os.environ.update({name: value.format(threads) for name, value in THREADS.items()})
    os.environ.update(COLD)
    if threads == 1:
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"


def peak_memory() -> int:
    """The most bytes that this process has held in memory so far."""
    found: dict[str, int] = {}
    exec(PEAK, found)
    return found["peak"]


class Failed(RuntimeError):
    """A command that failed, with all that it said."""


@dataclass(frozen=True, slots=True)
class Runs:
    """What the runs of one command took."""

    seconds: tuple[float, ...]
    output: str

    @property
    def median(self) -> float:
        """Half of the runs were faster."""
        return statistics.median(self.seconds)

    @property
    def quartiles(self) -> tuple[float, float]:
        """A quarter of the runs were faster, a quarter slower."""
        return quartiles(self.seconds)

    def beyond(self, base: Runs) -> float:
        """The median of the differences to runs that were made in the same rounds."""
        pairs = zip(self.seconds, base.seconds, strict=True)
        return statistics.median(one - two for one, two in pairs)


def quartiles(samples: Sequence[float]) -> tuple[float, float]:
    """A quarter of the samples is less, a quarter more.

    >>> quartiles([3, 1, 2, 5, 4])
    (2.0, 4.0)
    """
    if len(samples) < 2:
        return samples[0], samples[0]
    low, _, high = statistics.quantiles(samples, n=4, method="inclusive")
    return low, high


def run(command: Sequence[str]) -> str:
    """What a command prints; one that fails is an error with all that it said.

    Compiled modules are kept, as they are by default: else each import would compile again.
    """
    kept = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, cwd=ROOT, env=kept, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"{' '.join(command)}\n{done.stderr}")
    return done.stdout


def alternate(commands: Mapping[str, Sequence[str]], rounds: int) -> dict[str, Runs]:
    """Each command in a new process, in turn, `rounds` times, after a round that is not counted."""
    spent: dict[str, list[float]] = {name: [] for name in commands}
    output = {name: run(command) for name, command in commands.items()}
    for _ in range(rounds):
        for name, command in commands.items():
            start = time.perf_counter()
            output[name] = run(command)
            spent[name].append(time.perf_counter() - start)
    return {name: Runs(tuple(spent[name]), output[name]) for name in commands}


def python(code: str) -> list[str]:
    """The command that runs a text with this interpreter."""
    return [sys.executable, "-c", code]
