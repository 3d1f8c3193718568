"""Mutation testing: small mistakes are put into the compiler, and the tests must notice each.

    python -m tests.mutants measure                     which test file runs which lines, once
    python -m tests.mutants --count 200 --seed 1        a sample, with what survived
    python -m tests.mutants listed                      those of mutants.diff, which all must die
    python -m tests.mutants list --count 60 --seed 12   draw that list anew

The mistakes are those of cosmic-ray's operators. A mutant is compiled in the memory of a forked
process and no file is touched, so that several run at a time; what runs its line is tried until one
fails: a few of the golden modules first, then the test files that have the name of its file, then
the others, from the shortest on. Of the list each mutant names the file that noticed it, which is
tried before all others. Wants `pip install -e '.[test,mutants]'`, but for `listed`.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import importlib
import json
import os
import random
import re
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import coverage

ROOT = Path(__file__).resolve().parent.parent
STORE = ROOT / ".mutants"
FOLDERS = ("ad", "ops", "optimise", "plan")
UNLIKE_A_MISTAKE = ("Variable", "Exception", "RemoveDecorator", "RShift", "LShift")
"""Operators of which nearly all mutants fail at the first import, or are never written."""
PRELOADED = ("numpy", "scipy", "lark", "networkx", "click", "pytest", "jax")
LIST = ROOT / "tests" / "mutants.diff"
LISTED = re.compile(r"@@ (\S+):(\d+) (\S+) noticed by (.+)\n((?:[-+].*\n)+)")
EVERY_MODULE = "tests/test_golden_modules.py"
"""Where most mistakes are noticed: what is written for the examples is another text."""


@dataclass(frozen=True)
class Mutant:
    """A file of the compiler with one mistake in it, at a line."""

    path: Path
    line: int
    operator: str
    text: str
    noticed: str = ""  # by this file, as far as is known

    @property
    def place(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}"

    @property
    def module(self) -> str:
        return ".".join(self.path.relative_to(ROOT).with_suffix("").parts)

    def diff(self) -> str:
        before = self.path.read_text(encoding="utf-8").splitlines()
        lines = difflib.unified_diff(before, self.text.splitlines(), lineterm="", n=0)
        return "\n".join([line for line in [*lines][3:] if not line.startswith("@@")])


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


ONLY_REFUSING = {"frozen", "strict"}
"""Arguments that compute nothing: they refuse what mypy and other tests hold that nobody does."""


class _WithoutTypes(ast.NodeTransformer):
    """Drops what computes nothing: annotations, and what only refuses."""

    def visit_Call(self, node: ast.Call) -> ast.Call:
        node.keywords = [one for one in node.keywords if one.arg not in ONLY_REFUSING]
        self.generic_visit(node)
        return node

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


def listed() -> tuple[list[Mutant], list[str]]:
    """Read the list: its mutants, and the places of those whose lines are no longer there."""
    found: list[Mutant] = []
    gone: list[str] = []
    for name, line, operator, noticed, diff in LISTED.findall(LIST.read_text(encoding="utf-8")):
        path, lines = ROOT / name, diff.splitlines()
        before = "\n".join(text[1:] for text in lines if text[0] == "-")
        after = "\n".join(text[1:] for text in lines if text[0] == "+")
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        starts = [one.start() for one in re.finditer(f"^{re.escape(before)}$", text, re.MULTILINE)]
        if not starts:
            gone.append(f"{name}:{line}")
            continue
        number = {start: text.count("\n", 0, start) + 1 for start in starts}
        start = min(starts, key=lambda one: abs(number[one] - int(line)))
        wrong = f"{text[:start]}{after}{text[start + len(before) :]}"
        found.append(Mutant(path, number[start], operator, wrong, noticed))
    return found, gone


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


UNDER_A_LIMIT = "not sanitizers"
"""AddressSanitizer reserves terabytes: within the limit of a mutant it fails whatever is wrong."""


PLAIN = ("-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-m", "not long")
NONE_CHOSEN = 5
"""What pytest ends with where all tests of a file are left out."""


def _tested(tests: Sequence[str], plugins: Sequence[object] = ()) -> int:
    """Run tests one file after the other, so that none is read that is not needed."""
    import pytest

    codes = {NONE_CHOSEN}
    for one in tests:
        code = int(pytest.main([*PLAIN, "-k", UNDER_A_LIMIT, one], plugins=plugins))
        if code not in (0, NONE_CHOSEN):
            return code
        codes.add(code)
    return min(codes)


def _mutated(mutant: Mutant, files: Sequence[str]) -> int:
    """Run test files with the mutant in place of its module; pytest's exit code."""
    original = SourceFileLoader.get_code

    def get_code(self: SourceFileLoader, name: str) -> Any:
        if name == mutant.module:
            return compile(mutant.text, str(mutant.path), "exec", dont_inherit=True)
        return original(self, name)

    SourceFileLoader.get_code = get_code  # type: ignore[method-assign]
    return _tested(files)


class _Apart:
    """Tells coverage which test of a file runs."""

    def __init__(self, measured: coverage.Coverage) -> None:
        self.measured = measured

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.measured.switch_context(nodeid)


def _covered(file: str, store: Path) -> int:
    """Run one test file and write down how long it took and which lines of the compiler ran.

    Of the golden modules also which of them runs which.
    """
    import coverage

    measured = coverage.Coverage(data_file=None, include=[str(ROOT / "graphc" / "*")])
    began = time.perf_counter()
    measured.start()
    code = _tested([file], [_Apart(measured)] if file == EVERY_MODULE else [])
    measured.stop()
    data = measured.get_data()
    names = {str(Path(path).relative_to(ROOT)): path for path in data.measured_files()}
    found = {
        "seconds": time.perf_counter() - began,
        "code": code,
        "lines": {name: sorted(data.lines(path) or ()) for name, path in names.items()},
        "tests": {name: data.contexts_by_lineno(path) for name, path in names.items()}
        if file == EVERY_MODULE
        else {},
    }
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


GOLDEN_MODULES = 6
"""How many of the golden modules whose text a line makes are written again."""


def _tests_of(mutant: Mutant) -> list[str]:
    """Return what runs its line: golden modules, files of its name, the others by their time."""
    path, own = str(mutant.path.relative_to(ROOT)), mutant.path.stem
    golden: list[str] = []
    files: list[tuple[bool, float, str]] = []
    for store in sorted(STORE.glob("test_*.json")):
        run = json.loads(store.read_text(encoding="utf-8"))
        if run["code"] != 0 or mutant.line not in run["lines"].get(path, ()):
            continue
        files.append((own not in store.stem, run["seconds"], f"tests/{store.stem}.py"))
        tests = run["tests"].get(path, {}).get(str(mutant.line), ())
        golden += [one for one in tests if "as_before" in one]
    some = random.Random(mutant.place).sample(golden, min(GOLDEN_MODULES, len(golden)))
    return [*some, *(name for *_, name in sorted(files))]


def test(
    mutants: Sequence[Mutant], files: Mapping[Mutant, Sequence[str]], processes: int, seconds: float
) -> dict[Mutant, str]:
    """Run test files on mutants, and print what became of each; by mutant, who noticed it.

    That is a file, "time" where there was not enough of it, or "" for a survivor.
    """
    by_name = {f"mutant-{k}": mutant for k, mutant in enumerate(mutants)}
    tasks = [
        (name, lambda mutant=mutant: _mutated(mutant, files[mutant]))
        for name, mutant in by_name.items()
        if files[mutant]
    ]
    found = dict.fromkeys(mutants, "")
    for number, (name, code) in enumerate(in_turn(tasks, processes, seconds), 1):
        mutant = by_name[name]
        if code in NOT_TESTED:
            raise RuntimeError(f"the tests did not run: {STORE / name}.log")
        if code != 0:
            said = _NOTICED.findall((STORE / f"{name}.log").read_text(encoding="utf-8"))
            found[mutant] = "time" if code is None else said[0] if said else files[mutant][0]
        what = f"noticed by {found[mutant]}" if found[mutant] else "survives"
        print(f"{number}/{len(tasks)} {mutant.place} {mutant.operator}: {what}", flush=True)
    for mutant in mutants:
        if not found[mutant]:
            unread = "" if files[mutant] else ", a line that no test runs"
            print(f"\n{mutant.place}{unread}\n{mutant.diff()}")
    print(f"\n{sum(map(bool, found.values()))} of {len(mutants)} mutants were noticed")
    return found


NOT_TESTED = {4, NONE_CHOSEN, 70}
"""Codes of pytest that no mutant is noticed by: its arguments are wrong, or it found no tests."""
_NOTICED = re.compile(r"^(?:FAILED|ERROR) (tests/[^:\s]+)", re.MULTILINE)


def write_list(found: Mapping[Mutant, str]) -> None:
    """Write the mutants with who noticed them."""
    parts = [
        f"@@ {mutant.place} {mutant.operator} noticed by {noticed or '?'}\n{mutant.diff()}\n"
        for mutant, noticed in found.items()
    ]
    LIST.write_text("".join(parts), encoding="utf-8")


def replay(processes: int, seconds: float) -> int:
    """Run the list: each mutant against the file that noticed it, the texts of all, then the rest.

    Writes who noticed it now, and returns how many survive.
    """
    mutants, gone = listed()
    for place in gone:
        print(f"{place}: no longer there")
    everything = sorted(str(one.relative_to(ROOT)) for one in (ROOT / "tests").glob("test_*.py"))
    first = {one: (one.noticed, EVERY_MODULE) for one in mutants}
    files = {one: sorted(everything, key=lambda file: file not in first[one]) for one in mutants}
    found = test(mutants, files, processes, seconds)
    write_list({one: noticed or one.noticed for one, noticed in found.items()})
    return sum(not noticed for noticed in found.values())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    choices = ["measure", "test", "listed", "list"]
    parser.add_argument("what", nargs="?", choices=choices, default="test")
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
    match given.what:
        case "measure":
            measure(given.processes)
        case "listed":
            sys.exit(bool(replay(given.processes, given.seconds)))
        case _:
            mutants = sample(given.count, given.seed)
            first = [EVERY_MODULE] if given.what == "list" else []
            files = {one: [*first, *_tests_of(one)] for one in mutants}
            found = test(mutants, files, given.processes, given.seconds)
            if given.what == "list":
                write_list(found)
            sys.exit(not all(found.values()))


if __name__ == "__main__":
    main()
