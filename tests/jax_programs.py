"""Random programs in JAX and in NumPy: `PYTHONPATH=tests python -m tests.jax_programs`."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable
from functools import partial

import jax
from c_programs import rounded, values_of
from jax_modules import compare

from graphc.compile.stages import Options
from graphc.source import GraphError
from tests.fuzz.writing.generate import generate

LEVELS = ("-O0", "-O2")


def disagreement(seed: int, level: str) -> str:
    """What JAX computes otherwise than NumPy of one program at one level; else nothing."""
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
        moved = rounded(values, setting.dtype)
        look = partial(compare, program.text, options, program.sizes(), values, moved)
        try:
            _step_by_step(look)
        except (AssertionError, GraphError, TypeError, ValueError) as wrong:
            return f"{seed} {level}: {type(wrong).__name__} {str(wrong)[:600]}"
    return ""


def _step_by_step(look: Callable[[], None]) -> None:
    """Run loops a step after the other, which is sooner than to compile them; but for no steps."""
    try:
        with jax.disable_jit():
            look()
    except ValueError as wrong:
        if "zero-length scan" not in str(wrong):
            raise
        look()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0, help="of the first program")
    given = parser.parse_args()
    wrong = 0
    for seed in range(given.seed, given.seed + given.count):
        said = disagreement(seed, LEVELS[seed % 2])
        wrong += bool(said)
        if said:
            print(said, flush=True)
    print(f"{wrong} disagree")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
