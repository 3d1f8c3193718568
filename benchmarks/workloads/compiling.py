"""What it costs to compile, and how that grows with the size of the source."""

from __future__ import annotations

import json
import math
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.generated import EXAMPLES
from benchmarks.harness import Effort, Say
from benchmarks.processes import PEAK, alternate, python, run
from benchmarks.tables import Format, Table, between, megabytes, number, ratio, seconds, text

PATIENCE = 180.0  # seconds: no size is tried that would take longer

# Compiles a file again and again in one process: sys.argv[1], as often as sys.argv[2] says, but
# for no more than 10 seconds. Processor time: compiling is one thread, and other jobs do not count.
WARM = f"""
import json, sys, time
from pathlib import Path
start = time.process_time()
from graphc.pipeline import compile_file
imported = time.process_time() - start
spent = []
while len(spent) < int(sys.argv[2]) and sum(spent) < 10:
    start = time.process_time()
    result = compile_file(Path(sys.argv[1]))
    spent.append(time.process_time() - start)
{PEAK}
lines = result.text.count("\\n")
print(json.dumps({{"imported": imported, "spent": spent, "lines": lines, "peak": peak}}))
"""


def equations(n: int) -> str:
    """A flat file of n equations over vectors, each with parameters of its own."""
    names = ", ".join(f"a{k}, b{k}" for k in range(n))
    return _flat(n, names, [f"h{k + 1} = tanh(h{k} * a{k} + b{k})" for k in range(n)])


def shared(n: int) -> str:
    """The same with eight pairs of parameters in all: what the equations alone cost."""
    names = ", ".join(f"a{k}, b{k}" for k in range(8))
    return _flat(n, names, [f"h{k + 1} = tanh(h{k} * a{k % 8} + b{k % 8})" for k in range(n)])


def _flat(n: int, params: str, body: Sequence[str]) -> str:
    return "\n".join(
        [
            "dim N = 8",
            "input h0: [N]",
            f"param {params}: [N]",
            *body,
            f"output loss = sum(h{n})",
            "derive value_and_grad loss wrt params\n",
        ]
    )


def layers(n: int) -> str:
    """A `repeat` of n dense layers: a source of the same few lines for every n."""
    return f"""dim B
dim L = {n}
input x: [B, 16]
repeat layer[k in 1..L] carry h = x {{
    next h = dense(h, 16, act=tanh) as fc
}}
output loss = mean(h**2)
derive value_and_grad loss wrt params
"""


GROWTH: Mapping[str, tuple[Callable[[int], str], Sequence[int]]] = {
    "equations": (equations, (300, 1000, 3000, 10000)),
    "shared": (shared, (300, 1000, 3000, 10000)),
    "layers": (layers, (10, 100, 1000)),
}


def measure(modules: Path, effort: Effort, say: Say) -> list[Table]:
    """Commands, a warm process, and growth."""
    return [
        _commands(modules, effort, say),
        _warm(effort, say),
        *(_growth(name, modules, effort, say) for name in GROWTH),
    ]


def _commands(modules: Path, effort: Effort, say: Say) -> Table:
    graphc = [sys.executable, "-m", "graphc"]
    digits = str(EXAMPLES / "digits.graph")
    commands: dict[str, Sequence[str]] = {
        "graphc compile digits.graph": [
            *graphc, "compile", digits, "-o", str(modules / "digits.py")
        ],
        "graphc check digits.graph": [*graphc, "check", digits],
        "graphc --help": [*graphc, "--help"],
        "import numpy": python("import numpy"),
        "nothing": python("pass"),
    }  # fmt: skip
    say(f"compile: {', '.join(commands)}; {effort.processes} processes each")
    runs = alternate(commands, max(effort.processes, 1))
    base = runs["graphc compile digits.graph"]
    rows = [
        {
            "process": name,
            "median": found.median,
            "quartiles": found.quartiles,
            "ratio": found.median / base.median,
        }
        for name, found in runs.items()
    ]
    columns: dict[str, Format] = {
        "process": text,
        "median": seconds,
        "quartiles": between,
        "ratio": ratio,
    }
    return Table(f"Commands, {len(base.seconds)} new processes each", columns, rows)


def _warm(effort: Effort, say: Say) -> Table:
    say("compile: again and again in one process")
    found = _compiled(EXAMPLES / "digits.graph", 1 + effort.rounds)
    first, *later = found["spent"]
    rows = [
        {"step": "import graphc.pipeline", "seconds": found["imported"]},
        {"step": "compile_file, the first", "seconds": first},
        {
            "step": "compile_file, the median of the others",
            "seconds": statistics.median(later or [first]),
        },
    ]
    columns: dict[str, Format] = {"step": text, "seconds": seconds}
    return Table("Compiling digits.graph in one process", columns, rows)


def _growth(name: str, folder: Path, effort: Effort, say: Say) -> Table:
    source, sizes = GROWTH[name]
    rows: list[dict[str, Any]] = []
    note = ""
    for n in sizes[: effort.sizes]:
        say(f"compile: {name}, n = {n}")
        last = rows[-1] if rows else None
        expected = last["seconds"] * (n / last["n"]) ** last.get("exponent", 1) if last else 0
        if expected > PATIENCE:
            note = f"n = {n} left out: it would take about {expected:.0f} s"
            break
        path = folder / f"{name}_{n}.graph"
        path.write_text(source(n), encoding="utf-8")
        found = _compiled(path, 3)
        row = {
            "n": n,
            "seconds": statistics.median(found["spent"]),
            "lines": found["lines"],
            "ms an item": 1000 * statistics.median(found["spent"]) / n,
            "lines an item": found["lines"] / n,
            "peak memory": found["peak"],
        }
        if last:
            step = math.log(n / last["n"])
            row["exponent"] = math.log(row["seconds"] / last["seconds"]) / step
            row["exponent of lines"] = math.log(row["lines"] / last["lines"]) / step
        rows.append(row)
    columns: dict[str, Format] = {
        "n": text,
        "seconds": seconds,
        "ms an item": number,
        "exponent": number,
        "lines": text,
        "lines an item": number,
        "exponent of lines": number,
        "peak memory": megabytes,
    }
    return Table(f"Growth: {name}. {source.__doc__}", columns, rows, note)


def _compiled(path: Path, times: int) -> dict[str, Any]:
    """What a new process measures that compiles a file that many times."""
    found: dict[str, Any] = json.loads(run([*python(WARM), str(path), str(times)]))
    return found
