"""What it costs to compile, and how that grows with the size of the source."""

from __future__ import annotations

import json
import math
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.generated import EXAMPLES
from benchmarks.harness import Effort, Say
from benchmarks.processes import PEAK, alternate, python, run
from benchmarks.sources import GROWTH, SCAN
from benchmarks.tables import Format, Table, between, megabytes, number, ratio, seconds, text

PATIENCE = 180.0  # seconds: no size is tried that would take longer

# Compiles a file again and again in one process: sys.argv[1], as often as sys.argv[2] says, but
# for no more than 10 seconds. Processor time: compiling is one thread, and other jobs do not count.
WARM = f"""
import json, sys, time
from pathlib import Path
start = time.process_time()
from graphc.compile.stages import compile_file
from graphc.syntax.parse.parser import parse, read_source, tokens_of
imported = time.process_time() - start
source = read_source("", Path(sys.argv[1]).read_bytes())
tokens = len(tokens_of(source))
start = time.process_time()
parse(source)
parsed = time.process_time() - start
spent = []
while len(spent) < int(sys.argv[2]) and sum(spent) < 10:
    start = time.process_time()
    result = compile_file(Path(sys.argv[1]))
    spent.append(time.process_time() - start)
{PEAK}
lines = result.text.count("\\n")
found = {{"imported": imported, "parsed": parsed, "spent": spent, "tokens": tokens}}
print(json.dumps(found | {{"lines": lines, "peak": peak}}))
"""

# A scan over sys.argv[2] steps, in the graph sys.argv[1]: the bytes that are held at the peak of
# value_and_grad, and those of the cache.
MEMORY = """
import json, sys, tracemalloc
from pathlib import Path
import numpy as np
from graphc.compile.stages import compile_file, load
module = load(compile_file(Path(sys.argv[1])).text, "scanned")
x = np.random.default_rng(0).normal(size=int(sys.argv[2]))
params = module.init()
out, cache = module.forward(params, x)
held = sum(value.nbytes for value in cache if isinstance(value, np.ndarray))
del out, cache
tracemalloc.start()
module.value_and_grad_loss(params, x)
print(json.dumps({"cache": held, "peak": tracemalloc.get_traced_memory()[1]}))
"""


def measure(modules: Path, effort: Effort, say: Say) -> list[Table]:
    """Commands, a warm process, and growth."""
    return [
        _commands(modules, effort, say),
        _warm(effort, say),
        *(_growth(name, modules, effort, say) for name in GROWTH),
        _memory(modules, effort, say),
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
        {"step": "import graphc.compile.stages", "seconds": found["imported"]},
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
            "tokens": found["tokens"],
            "parse": found["parsed"],
            "seconds": statistics.median(found["spent"]),
            "lines": found["lines"],
            "peak memory": found["peak"],
        }
        if last:
            step = math.log(n / last["n"])
            row["exponent"] = math.log(row["seconds"] / last["seconds"]) / step
            row["exponent of lines"] = math.log(row["lines"] / last["lines"]) / step
        rows.append(row)
    columns: dict[str, Format] = {
        "n": text,
        "tokens": text,
        "parse": seconds,
        "seconds": seconds,
        "exponent": number,
        "lines": text,
        "exponent of lines": number,
        "peak memory": megabytes,
    }
    return Table(f"Growth: {name}. {source.__doc__}", columns, rows, note)


def _memory(folder: Path, effort: Effort, say: Say) -> Table:
    path = folder / "scan.graph"
    path.write_text(SCAN, encoding="utf-8")
    rows = []
    for steps in (10_000, 100_000, 1_000_000)[: effort.sizes]:
        say(f"compile: memory of a scan over {steps} steps")
        found = json.loads(run([*python(MEMORY), str(path), str(steps)]))
        rows.append({"steps": steps, **found, "ratio": found["peak"] / found["cache"]})
    columns: dict[str, Format] = {
        "steps": text,
        "cache": megabytes,
        "peak": megabytes,
        "ratio": ratio,
    }
    return Table("Memory of value_and_grad through a scan, by NumPy's own count", columns, rows)


def _compiled(path: Path, times: int) -> dict[str, Any]:
    """What a new process measures that compiles a file that many times."""
    found: dict[str, Any] = json.loads(run([*python(WARM), str(path), str(times)]))
    return found
