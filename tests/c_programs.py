"""Random programs in C and in NumPy: `PYTHONPATH=tests python -m tests.c_programs --sanitize`."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from c_functions import compare, compiler

from graphc.compile.stages import Compilation, Options
from graphc.source import GraphError, Source
from tests.fuzz.calling import arguments
from tests.fuzz.program import Program
from tests.fuzz.writing.generate import generate
from tests.loading import loaded

SANITIZED = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")
LEVELS = ("-O0", "-O2")


def disagreement(seed: int, level: str, flags: Sequence[str] = ()) -> str:
    """What C computes otherwise than NumPy of one program at one level; else nothing.

    Where a program multiplies what its arguments are rounded by, results are held to as much more.
    """
    program = generate(seed)
    setting = program.setting
    clauses = tuple(map(str, program.clauses)) if setting.by_option else ()
    options = Options(
        dims=dict(setting.dims), consts=dict(setting.consts), dtype=setting.dtype,
        derive=clauses, level=level, mode=setting.mode,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            values = values_of(program, options)
        except GraphError:
            return ""  # what may be refused, is
        try:
            compare(
                program.text, options, dims=program.sizes(), values=values, flags=flags,
                moved=rounded(values, setting.dtype),
            )  # fmt: skip
        except (AssertionError, GraphError) as wrong:
            return f"{seed} {level}: {str(wrong)[:600]}"
    return ""


def values_of(program: Program, options: Options) -> dict[str, Any]:
    """The arguments of a program by what its functions call them."""
    numpy = Compilation(Source("graph", program.text), options)
    module = loaded(numpy.text, "drawn")
    drawn = arguments(program, module)
    called = numpy.programs.begin.variables
    values: dict[str, Any] = {called[name]: np.asarray(x) for name, x in drawn.inputs.items()}
    if drawn.params:
        values["params"] = drawn.params
    return values | dict(drawn.dims)


def rounded(values: dict[str, Any], dtype: str) -> list[dict[str, Any]]:
    """The same arguments, a rounding away: three times, by chance."""
    eps = float(np.finfo(dtype).eps)

    def moved(x: Any, rng: np.random.Generator) -> Any:
        if isinstance(x, dict):
            return {key: moved(one, rng) for key, one in x.items()}
        x = np.asarray(x)
        if x.dtype.kind != "f":
            return x
        size = np.max(np.abs(x), initial=0.0)
        near = x.astype(float) + eps * rng.choice([-1, 1], x.shape) * np.maximum(
            np.abs(x), 0.1 * size
        )
        return near.astype(x.dtype)

    return [
        {
            key: moved(x, np.random.default_rng([seed, place])) if not isinstance(x, int) else x
            for place, (key, x) in enumerate(values.items())
        }
        for seed in range(3)
    ]


def watched() -> dict[str, str]:
    """What a process of Python needs to call what is compiled so; nothing if that cannot be."""
    found = subprocess.run(
        [*compiler(), "-print-file-name=libasan.so"], capture_output=True, text=True, check=False
    ).stdout.strip()
    if not Path(found).is_absolute():
        return {}
    return {"LD_PRELOAD": found, "ASAN_OPTIONS": "detect_leaks=0"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0, help="of the first program")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--level", choices=LEVELS, action="append")
    parser.add_argument("--sanitize", action="store_true", help="in C under its sanitizers")
    given = parser.parse_args()
    if given.sanitize and not os.environ.get("LD_PRELOAD"):
        command = [sys.executable, "-m", "tests.c_programs", *sys.argv[1:]]
        return subprocess.call(command, env={**os.environ, **watched()})
    flags = SANITIZED if given.sanitize else ()
    wrong = 0
    for level in given.level or LEVELS:
        look = partial(disagreement, level=level, flags=flags)
        with ProcessPoolExecutor(given.processes) as pool:
            for said in pool.map(look, range(given.seed, given.seed + given.count)):
                wrong += bool(said)
                if said:
                    print(said, flush=True)
    print(f"{wrong} disagree")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
