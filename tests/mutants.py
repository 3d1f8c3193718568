"""Mutation testing: small mistakes are put into the compiler, and the tests must notice each.

    python -m tests.mutants measure                     which test file runs which lines, once
    python -m tests.mutants --count 200 --seed 1        a sample, with what survived

The mistakes are those of cosmic-ray's operators. A mutant is compiled in the memory of a forked
process and no file is touched, so that several run at a time; the test files that run its line are
tried from the shortest on, until one fails. Wants `pip install -e '.[test,mutants]'`.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import importlib
import json
import os
import random
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
STORE = ROOT / ".mutants"
FOLDERS = ("ad", "ops", "optimise", "plan")
UNLIKE_A_MISTAKE = ("Variable", "Exception", "RemoveDecorator", "RShift", "LShift")
"""Operators of which nearly all mutants fail at the first import, or are never written."""
PRELOADED = ("numpy", "scipy", "lark", "networkx", "click", "pytest", "jax")


@dataclass(frozen=True)
class Mutant:
    """A file of the compiler with one mistake in it, at a line."""

    path: Path
    line: int
    operator: str
    text: str

    @property
    def module(self) -> str:
        return ".".join(self.path.relative_to(ROOT).with_suffix("").parts)

    def diff(self) -> str:
        before = self.path.read_text(encoding="utf-8").splitlines()
        lines = difflib.unified_diff(before, self.text.splitlines(), lineterm="", n=0)
        return "\n".join([*lines][3:])


def sample(count: int, seed: int) -> list[Mutant]:
    """Draw mutants, each place of the code with the same chance, whatever can be done to it."""
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    draw = random.Random(seed)
    places = sorted(
        (path, line, operator, number)
        for folder in FOLDERS
        for path in sorted((ROOT / "graphc" / folder).rglob("*.py"))
        for line, operator, number in _places(path)
    )
    by_place: dict[tuple[Path, int], list[tuple[str, int]]] = {}
    for path, line, operator, number in places:
        by_place.setdefault((path, line), []).append((operator, number))
    found: list[Mutant] = []
    for path, line in draw.sample(sorted(by_place), len(by_place)):
        operator, number = draw.choice(by_place[path, line])
        before = path.read_text(encoding="utf-8")
        after = mutate_code(before, get_operator(operator)(), number)
        if after is not None and _meaning(after) not in (None, _meaning(before)):
            found.append(Mutant(path, line, operator.removeprefix("core/"), after))
        if len(found) == count:
            break
    return found


def _places(path: Path) -> Iterator[tuple[int, str, int]]:
    """Each line, operator and number of the occurrence at which a file can be mutated."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.plugins import get_operator, operator_names

    nodes = [*ast_nodes(get_ast(path.read_text(encoding="utf-8")))]
    for name in sorted(operator_names()):
        if any(word in name for word in UNLIKE_A_MISTAKE):
            continue
        operator, number = get_operator(name)(), 0
        for node in nodes:
            for (line, _), _ in operator.mutation_positions(node):
                yield line, name, number
                number += 1


class _WithoutTypes(ast.NodeTransformer):
    """Drops what does not run: annotations and docstrings."""

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.returns = None
        self.generic_visit(node)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.annotation = ast.Constant(None)
        self.generic_visit(node)
        return node


def _meaning(text: str) -> str | None:
    """What a text does when it runs, as a text to compare; None where it does not parse."""
    try:
        return ast.dump(_WithoutTypes().visit(ast.parse(text)))
    except SyntaxError:
        return None


# ---- processes ----------------------------------------------------------------------------------


def _quiet(log: Path) -> None:
    """Send all that a forked process prints to a file."""
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(handle, 1)
    os.dup2(handle, 2)


def _started(work: Callable[[], int], log: Path) -> int:
    """Fork a process that does some work and ends with its code; return its number."""
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        os.setsid()
        _quiet(log)
        resource.setrlimit(resource.RLIMIT_AS, (12 << 30, 12 << 30))
        code = work()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _tested(files: Sequence[str]) -> int:
    import pytest

    return int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *files]))


def _mutated(mutant: Mutant, files: Sequence[str]) -> int:
    """Run test files with the mutant in place of its module; pytest's exit code."""
    original = SourceFileLoader.get_code

    def get_code(self: SourceFileLoader, name: str) -> Any:
        if name == mutant.module:
            return compile(mutant.text, str(mutant.path), "exec", dont_inherit=True)
        return original(self, name)

    SourceFileLoader.get_code = get_code  # type: ignore[method-assign]
    return _tested(files)


def _covered(file: str, store: Path) -> int:
    """Run one test file and write down how long it took and which lines of the compiler ran."""
    import coverage

    measured = coverage.Coverage(data_file=None, include=[str(ROOT / "graphc" / "*")])
    began = time.perf_counter()
    measured.start()
    code = _tested([file])
    measured.stop()
    data = measured.get_data()
    lines = {
        str(Path(path).relative_to(ROOT)): sorted(data.lines(path) or ())
        for path in data.measured_files()
    }
    found = {"seconds": time.perf_counter() - began, "code": code, "lines": lines}
    store.write_text(json.dumps(found), encoding="utf-8")
    return code


def in_turn(
    tasks: Sequence[tuple[str, Callable[[], int]]], processes: int, seconds: float
) -> Iterator[tuple[str, int | None]]:
    """Do named tasks, several at a time; yield each name with its exit code, None out of time."""
    pending = list(tasks)[::-1]
    running: dict[int, tuple[str, float]] = {}
    while pending or running:
        while pending and len(running) < processes:
            name, work = pending.pop()
            child = _started(work, STORE / f"{name}.log")
            running[child] = name, time.monotonic() + seconds
        child, status = os.waitpid(-1, os.WNOHANG)
        if child in running:
            yield running.pop(child)[0], os.waitstatus_to_exitcode(status)
            continue
        for late in [one for one, (_, end) in running.items() if time.monotonic() > end]:
            os.killpg(late, signal.SIGKILL)
            os.waitpid(late, 0)
            yield running.pop(late)[0], None
        time.sleep(0.02)


# ---- the command --------------------------------------------------------------------------------


def measure(processes: int) -> None:
    """Run every test file alone and keep which lines it runs."""
    files = sorted(path.stem for path in (ROOT / "tests").glob("test_*.py"))
    tasks = [
        (name, lambda name=name: _covered(f"tests/{name}.py", STORE / f"{name}.json"))
        for name in files
    ]
    for number, (name, code) in enumerate(in_turn(tasks, processes, 3600), 1):
        print(f"{number}/{len(files)} {name}: {'green' if code == 0 else f'ended with {code}'}")


def _tests_of(mutant: Mutant) -> list[str]:
    """Return the test files that run its line, the shortest first."""
    path, found = str(mutant.path.relative_to(ROOT)), []
    for store in sorted(STORE.glob("test_*.json")):
        run = json.loads(store.read_text(encoding="utf-8"))
        if run["code"] == 0 and mutant.line in run["lines"].get(path, ()):
            found.append((run["seconds"], f"tests/{store.stem}.py"))
    return [name for _, name in sorted(found)]


def test(count: int, seed: int, processes: int, seconds: float) -> int:
    """Run a sample of mutants and print which survive; the number of these."""
    mutants = {f"mutant-{seed}-{k}": mutant for k, mutant in enumerate(sample(count, seed))}
    files = {name: _tests_of(mutant) for name, mutant in mutants.items()}
    tasks = [
        (name, lambda name=name: _mutated(mutants[name], files[name]))
        for name in mutants
        if files[name]
    ]
    survivors = [name for name in mutants if not files[name]]
    for number, (name, code) in enumerate(in_turn(tasks, processes, seconds), 1):
        said = {0: "survives", None: "hangs or takes too long"}.get(code, "killed")
        where = f"{mutants[name].path.relative_to(ROOT)}:{mutants[name].line}"
        print(f"{number}/{len(tasks)} {where} {mutants[name].operator}: {said}", flush=True)
        if code == 0:
            survivors.append(name)
    for name in survivors:
        mutant = mutants[name]
        unread = "" if files[name] else ", a line that no test runs"
        print(f"\n{name}: {mutant.path.relative_to(ROOT)}:{mutant.line}{unread}\n{mutant.diff()}")
    print(f"\n{len(mutants) - len(survivors)} of {len(mutants)} mutants were noticed")
    return len(survivors)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("what", nargs="?", choices=["measure", "test"], default="test")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seconds", type=float, default=600, help="for each mutant")
    given = parser.parse_args()
    os.chdir(ROOT)
    STORE.mkdir(exist_ok=True)
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "JAX_PLATFORMS": "cpu"}
    os.environ |= {"JAX_ENABLE_X64": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    sys.dont_write_bytecode = True
    for name in PRELOADED:
        importlib.import_module(name)
    if given.what == "measure":
        measure(given.processes)
    else:
        sys.exit(bool(test(given.count, given.seed, given.processes, given.seconds)))


if __name__ == "__main__":
    main()
