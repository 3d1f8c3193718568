"""Calls do not disturb each other: what was returned, threads, processes, interruptions, memory."""

from __future__ import annotations

import copy
import os
import pickle
import platform
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import numpy as np
import pytest
from calling import Names, arrays, bits, call, given, scribble
from conftest import compiled, long, module
from test_derived_contract import TEXT as EVERY_KIND
from test_module_contract import GRAPHS

from tests.patience import PATIENCE

pytestmark = pytest.mark.levels

TINY = """
input x: [3]
input t: [1]
param W1: [2, 3]
param b1: [2]
param W2: [1, 2]
param b2: [1]
output y = sigmoid(W2 @ sigmoid(W1 @ x + b1) + b2)
output loss = sum((y - t)**2) / 2
derive value_and_grad loss wrt params as g
derive hvp loss wrt params as bent
"""
CHAIN = """
dim B
input x, y: [B, 4]
input s: []
a = tanh(x * y + s) * exp(-x**2) + sin(y) / (1 + x**2)
b = where(a > 0, a * a, cos(a)) + sqrt(1 + a**2) * y
c = tanh(b - s) * log1p(b**2) + a
output rows = sum(c, axis=1)
output loss = mean(c * b)
derive value_and_grad loss wrt x, y, s as g
derive vjp rows, loss wrt x, y, a as pulled
derive value_and_grad loss wrt x, s per B as each
"""
RECURRENT = """
dim T, B
input x: [T, B, 3]
h0 = zeros([B, 4])
scan step[t in T] carry h = h0, c = h0 {
    param W: [3, 4]
    param U: [4, 4]
    z = sigmoid(x[t] @ W + h @ U)
    next c = c * z + (1 - z) * tanh(x[t] @ W)
    next h = z * tanh(c)
    collect hs = h
}
output hs
output loss = sum(hs**2) + sum(c)
derive value_and_grad loss wrt params, x as g
derive jvp hs, loss wrt params, x as pushed
"""
TEXTS = {
    "every kind": EVERY_KIND,
    "tiny": TINY,
    "chain": CHAIN,
    "recurrent": RECURRENT,
    **GRAPHS,
}
LARGE = 20_000  # rows of a chain, enough for blocks
SIZES: dict[str, list[Names]] = {
    "every kind": [{"B": 4}, {"B": 1}, {"B": 7}],
    "chain": [{"B": 3}, {"B": LARGE}, {"B": 200}],
    "recurrent": [{"T": 5, "B": 2}, {"T": 2, "B": 3}],
}
every_text = pytest.mark.parametrize("name", TEXTS)
every_size = pytest.mark.parametrize(
    ("name", "dims"),
    [(name, dims) for name in TEXTS for dims in SIZES.get(name, [None])],  # type: ignore[list-item]
    ids=str,
)


def calls_of(name: str, dims: Names | None = None, seed: int = 0) -> dict[str, Names]:
    """The functions of a graph's module, each with its arguments."""
    return given(compiled(TEXTS[name]).model, seed, dims)


def all_of(made: ModuleType, calls: dict[str, Names]) -> dict[str, Any]:
    return {function: call(made, function, arguments) for function, arguments in calls.items()}


def all_bits(results: dict[str, Any]) -> dict[str, Any]:
    return {function: bits(result) for function, result in results.items()}


# ---- what is returned ---------------------------------------------------------------------------


@every_size
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_nobody_writes_into_what_was_returned(name: str, dims: Names | None, dtype: str) -> None:
    """Neither a later call, nor whoever writes into other results or into the arguments."""
    if dtype == "float32" and dims == {"B": LARGE}:
        return
    made, calls = module(TEXTS[name], dtype=dtype), calls_of(name, dims)
    others = calls_of(name, dims, seed=5)
    first = all_of(made, mine := copy.deepcopy(calls))
    expected = all_bits(first)
    second = all_of(made, calls)
    all_of(made, others)
    assert all_bits(second) == expected, "other calls"
    assert all_bits(first) == expected, "other calls"
    scribble(first)
    assert all_bits(second) == expected, "writing into results and cache of another call"
    scribble(mine)
    third = all_of(made, calls)
    assert all_bits(third) == expected, "writing into results, cache and arguments"
    scribble(second)
    assert all_bits(third) == expected
    assert bits(calls) == bits(calls_of(name, dims)), "the arguments"


@every_text
def test_no_memory_is_shared(name: str) -> None:
    """Of results with each other, with the cache or with arguments."""
    made, calls = module(TEXTS[name]), calls_of(name)
    for function, arguments in calls.items():
        once, again = (call(made, function, arguments) for _ in range(2))
        for one in (mine := arrays(once)):
            others = [other for other in mine if other is not one]
            for other in (*others, *arrays(again), *arrays(arguments)):
                assert not np.shares_memory(one, other), function


@every_text
def test_a_cache_serves_twice(name: str) -> None:
    made, calls = module(TEXTS[name]), calls_of(name)
    if "backward" not in calls:
        return
    cotangents = calls["backward"].pop("cotangents")
    _, cache = made.forward(**calls["backward"])
    kept = bits(cache)
    first = made.backward(cache, **cotangents)
    expected = bits(first)
    made.forward(**calls_of(name, seed=3)["forward"])
    scribble(first)
    assert bits(made.backward(cache, **cotangents)) == expected
    assert bits(cache) == kept


# ---- threads ------------------------------------------------------------------------------------


@contextmanager
def switching(seconds: float) -> Iterator[None]:
    """Inside, threads take turns more often."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(seconds)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@pytest.mark.parametrize("name", ["every kind", "chain", "recurrent", "tiny"])
def test_sixteen_threads_get_the_bits_that_one_gets(name: str) -> None:
    """Several functions at once, each at several sizes."""
    made = module(TEXTS[name])
    tasks = [
        (function, arguments)
        for dims in SIZES.get(name, [None])  # type: ignore[list-item]
        for function, arguments in calls_of(name, dims).items()
    ]
    expected = [bits(call(made, *task)) for task in tasks]
    start, wrong = threading.Barrier(16), []

    def run(first: int) -> None:
        start.wait(PATIENCE)
        for turn in range(len(tasks)):
            number = (first + turn) % len(tasks)
            try:
                if bits(call(made, *tasks[number])) != expected[number]:
                    wrong.append(tasks[number][0])
            except Exception as why:
                wrong.append(f"{tasks[number][0]}: {why!r}")

    threads = [threading.Thread(target=run, args=(5 * k,)) for k in range(16)]
    with switching(1e-5):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads)
    assert wrong == []


def test_sixteen_threads_at_sizes_of_their_own() -> None:
    """More than are kept: what one thread drops another may be about to use."""
    text = "dim B\ninput x: [B]\noutput y = sum(cos(x) * x)\nderive grad y wrt x as g"
    gradient, x = module(text).g, np.linspace(-1, 1, 1000)
    expected = np.cos(x) - x * np.sin(x)
    wrong: list[str] = []

    def run(first: int) -> None:
        try:
            for size in range(first, 1000, 7):
                found = gradient(x[:size])["x"]
                if not np.allclose(found, expected[:size], rtol=1e-14, atol=1e-14):
                    wrong.append(f"{size}")
        except Exception as why:
            wrong.append(repr(why))

    threads = [threading.Thread(target=run, args=(k + 1,)) for k in range(16)]
    with switching(1e-6):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
    assert wrong == []


# ---- processes ----------------------------------------------------------------------------------

ELSEWHERE = """
import hashlib, importlib, multiprocessing, pickle, sys

def digest(value):
    found = hashlib.sha256()
    pending = [value]
    while pending:
        one = pending.pop()
        if isinstance(one, dict):
            pending.extend(reversed(list(one.values())))
        elif isinstance(one, (tuple, list)):
            pending.extend(reversed(one))
        elif one is not None:
            found.update(memoryview(one).tobytes() if hasattr(one, "dtype") else repr(one).encode())
    return found.hexdigest()

def results(_=None):
    with open("calls.pickle", "rb") as stream:
        calls = pickle.load(stream)
    found = {}
    for name, tasks in calls.items():
        module = importlib.import_module(name)
        for number, (function, arguments) in enumerate(tasks):
            cotangents = arguments.pop("cotangents", None) if function == "backward" else None
            if function == "backward":
                out, cache = module.forward(**arguments)
                result = out, cache, module.backward(cache, **cotangents)
            else:
                result = getattr(module, function)(**arguments)
            found[name, number] = digest(result)
    return found

if __name__ == "__main__":
    found = [results(), results()]
    for method in sys.argv[1:]:
        with multiprocessing.get_context(method).Pool(2) as pool:
            found += pool.map(results, range(2))
        found.append(results())
    sys.stdout.buffer.write(pickle.dumps(found))
"""


def test_other_processes_get_the_same_bits(tmp_path: Path) -> None:
    """Forked ones too, whatever ran before; for every hash seed and number of threads."""
    calls = {
        f"{name.replace(' ', '_')}_graph": (
            TEXTS[name],
            [
                task
                for dims in SIZES.get(name, [None])  # type: ignore[list-item]
                for task in calls_of(name, dims).items()
            ],
        )
        for name in ("every kind", "tiny", "chain", "recurrent", "residual")
    }
    for name, (text, _) in calls.items():
        (tmp_path / f"{name}.py").write_text(compiled(text).text, encoding="utf-8")
    tasks = {name: tasks for name, (_, tasks) in calls.items()}
    (tmp_path / "calls.pickle").write_bytes(pickle.dumps(tasks))
    (tmp_path / "elsewhere.py").write_text(ELSEWHERE, encoding="utf-8")
    own: dict[str, Any] = {"__name__": "elsewhere"}
    exec(ELSEWHERE, own)
    expected = {
        (name, number): own["digest"](call(module(text), *task))
        for name, (text, tasks) in calls.items()
        for number, task in enumerate(tasks)
    }
    for seed, threads, methods in (("1", "1", []), ("2", "2", ["fork", "spawn"])):
        done = subprocess.run(
            [sys.executable, "elsewhere.py", *methods],
            cwd=tmp_path,
            env={**os.environ, "PYTHONHASHSEED": seed, "GRAPHC_THREADS": threads},
            capture_output=True,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stderr.decode()
        for found in pickle.loads(done.stdout):
            assert found == expected, (seed, threads)


# ---- calls that do not end ----------------------------------------------------------------------


@contextmanager
def at_line(made: ModuleType, number: int, do: Callable[[], None]) -> Iterator[list[int]]:
    """Inside, something is done before the module runs its line of this number, counted as run.

    Yields what the count has come to.
    """
    count = [0]

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_globals is not made.__dict__:
            return None
        if event == "line":
            count[0] += 1
            if count[0] == number:
                do()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield count
    finally:
        sys.settrace(before)


def interrupted() -> None:
    raise KeyboardInterrupt


MOST = 60  # lines of a function at which it is interrupted


def lines_of(made: ModuleType, function: str, arguments: Names) -> range:
    """Numbers of lines that it runs, all or evenly apart."""
    with at_line(made, 0, interrupted) as count:
        call(made, function, arguments)
    assert count[0], "the lines of a generated module are seen"
    return range(1, count[0] + 1, count[0] // MOST + 1)


@pytest.mark.parametrize("name", ["every kind", "tiny", "chain", "recurrent"])
def test_an_interrupted_call_leaves_the_next_one_right(name: str) -> None:
    """At any line; `backward` reads a cache that was there."""
    made, calls = module(TEXTS[name]), calls_of(name)
    for function, arguments in calls.items():
        expected = bits(call(made, function, arguments))
        for line in lines_of(made, function, arguments):
            with pytest.raises(KeyboardInterrupt), at_line(made, line, interrupted):
                call(made, function, arguments)
            assert bits(call(made, function, arguments)) == expected, (function, line)


@pytest.mark.parametrize("name", ["every kind", "tiny", "chain", "recurrent"])
def test_a_call_within_a_call(name: str) -> None:
    """As from the handler of a signal: both are right."""
    made, calls = module(TEXTS[name]), calls_of(name)
    for function, arguments in calls.items():
        expected = bits(call(made, function, arguments))
        for line in lines_of(made, function, arguments)[::4]:
            inner: list[Any] = []

            def again(
                function: str = function, inner: list[Any] = inner, of: Any = arguments
            ) -> None:
                inner.append(call(made, function, of))

            with at_line(made, line, again):
                outer = call(made, function, arguments)
            assert bits(inner[0]) == bits(outer) == expected, (function, line)


@pytest.mark.parametrize("name", ["every kind", "chain", "recurrent"])
def test_a_call_that_fails_leaves_the_next_one_right(name: str) -> None:
    """By a shape that does not fit, and by numbers that overflow half-way."""
    made, calls = module(TEXTS[name]), calls_of(name)
    for function, arguments in calls.items():
        expected = bits(call(made, function, arguments))
        misfit = {**arguments, "x": arguments["x"][..., :-1]}
        with pytest.raises(ValueError, match="input `x`"):
            call(made, function, misfit)
        assert bits(call(made, function, arguments)) == expected
        huge = {**arguments, "x": np.full_like(arguments["x"], 1e300)}
        with np.errstate(all="raise"), suppress(FloatingPointError):
            call(made, function, huge)
        assert bits(call(made, function, arguments)) == expected


def test_an_index_out_of_range_leaves_the_next_call_right() -> None:
    made, calls = module(GRAPHS["classes"]), calls_of("classes")
    for function, arguments in calls.items():
        expected = bits(call(made, function, arguments))
        with pytest.raises(IndexError):
            call(made, function, {**arguments, "k": np.full_like(arguments["k"], 9)})
        assert bits(call(made, function, arguments)) == expected


# ---- memory -------------------------------------------------------------------------------------


def resident() -> int:
    """Bytes of this process that are in memory; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("calls", [100_000, long(1_000_000)])
def test_memory_does_not_grow_over_many_calls(calls: int) -> None:
    text = "input x: [2]\ninput s: []\noutput y = sum(x * x) * s\nderive grad y wrt x as g"
    gradient = module(text).g
    x, s = np.array([1.0, 2.0]), np.float64(3.0)

    def often(count: int) -> tuple[int, int]:
        for _ in range(count):
            gradient(x, s)
        return sys.getallocatedblocks(), resident()

    blocks, memory = often(1000)
    more_blocks, more_memory = often(calls)
    assert more_blocks < blocks + 1000
    assert more_memory < memory + (8 << 20)


def test_memory_is_bounded_over_many_sizes() -> None:
    """Ten thousand calls of which none has the size of another: a gigabyte, were all kept."""
    text = "dim B\ninput x: [B]\noutput y = sum(cos(x) * x * exp(-x))\nderive grad y wrt x as g"
    gradient, x = module(text).g, np.ones(10_000)
    tracemalloc.start()
    try:
        for size in range(1, 5001):
            gradient(x[:size])
            gradient(x[: 5000 + size])
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 32 << 20


@pytest.mark.readable
def test_what_was_called_before_makes_no_scratch() -> None:
    """Of many blocks, for a whole batch and for the last one, which is smaller."""
    path = Path(__file__).resolve().parent.parent / "benchmarks" / "workloads" / "transformer.graph"
    size = (("D", 128),)
    made = module(path, level="-O2", dims=size)
    model = compiled(path, dims=size).model
    batches = [given(model, 0, {"B": B, "T": 6, "D": 128})["backward"] for B in (7, 3)]
    made.CACHE = 50_000  # type: ignore[attr-defined]
    calls: list[str] = []

    def counted(name: str, make: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*dims: int) -> Any:
            calls.append(name)
            return make(*dims)

        return counting

    for name in [name for name in vars(made) if "_scratch" in name]:
        setattr(made, name, counted(name, getattr(made, name)))
    for arguments in batches:
        call(made, "backward", arguments)
    assert len(calls) > 16
    calls.clear()
    for arguments in batches:
        call(made, "backward", arguments)
    assert not calls


LAYERS = "\n".join(
    [
        "dim B\ninput x: [B, 160]\nh0 = x",
        *(
            f"param W{k}: [160, 160] ~ normal(0, 0.1)\nh{k} = tanh(h{k - 1} @ W{k})"
            for k in range(1, 9)
        ),
        "output loss = mean(h8**2)\nderive value_and_grad loss wrt params\n",
    ]
)

COUNT_PAGES = """
import resource, sys
import numpy as np
import layers

params, x = layers.init(0), np.ones((16, 160))
def pages(calls):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(calls):
        layers.value_and_grad_loss(params, x)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
pages(20)
print(pages(20))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators have other rules")
def test_a_call_reuses_the_memory_of_the_last(level: str, tmp_path: Path) -> None:
    """In a new process gradients of 1.6 MB are not given back to the system: 400 pages a call."""
    (tmp_path / "layers.py").write_text(compiled(LAYERS, level=level).text)
    found = subprocess.run(
        [sys.executable, "-c", COUNT_PAGES],
        cwd=tmp_path, capture_output=True, text=True, check=True,
        env={"PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    assert int(found.stdout) < 20 * 20
