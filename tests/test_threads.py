"""Blocks of the fast module on threads: the same bits, errors where they belong, nothing left."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from graphc.compile.stages import Options, compile_text, load
from graphc.targets.numpy.verify import Refused, verify

CHAIN = """
dim N
input x: [N, 3]
param w: [3]
u = sqrt(abs(x * w) + 0.1) * sin(x)
y = exp(-u) + u * w - log(2 + u**2)
output z = u / x
output loss = sum(y**2) / 7
derive value_and_grad loss wrt params, x
"""
LENGTH = 5003


@pytest.fixture(scope="module")
def compiled() -> str:
    return compile_text(CHAIN, options=Options(level="-O2")).text


@pytest.fixture
def net(compiled: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module, where a block is small."""
    made = load(compiled, "threads")
    monkeypatch.setattr(made, "CACHE", 2**13)
    monkeypatch.setattr(made, "LONG", 0.0)
    before = threading.active_count()
    yield made
    assert threading.active_count() == before


def arguments(length: int = LENGTH) -> dict[str, Any]:
    rng = np.random.default_rng(3)
    return {"params": {"w": rng.normal(size=3)}, "x": rng.normal(size=(length, 3))}


def results(net: ModuleType, given: dict[str, Any]) -> list[Any]:
    outputs, cache = net.forward(**given)
    loss, gradients = net.value_and_grad_loss(**given)
    more = net.backward(cache, z=np.ones(given["x"].shape))
    return [*outputs, loss, *gradients.values(), *more.values()]


def started(net: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[threading.Thread]:
    """The threads that will be started."""
    threads: list[threading.Thread] = []

    class Counted(threading.Thread):
        def start(self) -> None:
            threads.append(self)
            super().start()

    class Module:
        Thread = Counted

    monkeypatch.setattr(net, "threading", Module)
    return threads


def test_any_number_of_threads_gives_the_same_bits(
    net: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = arguments()
    threads = started(net, monkeypatch)
    found = {}
    for number in (1, 2, 3, 7):
        monkeypatch.setenv("GRAPHC_THREADS", str(number))
        threads.clear()
        found[number] = results(net, given)
        assert len(threads) % (number - 1) == 0 < len(threads) if number > 1 else not threads
    for number in (2, 3, 7):
        for one, other in zip(found[1], found[number], strict=True):
            assert np.array_equal(one, other)


def test_as_without_blocks(net: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    given = arguments()
    many = results(net, given)
    plain = load(compile_text(CHAIN).text, "plain")
    for one, other in zip(many, results(plain, given), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-15)
    monkeypatch.setattr(net, "CACHE", 2**30)
    for one, other in zip(many, results(net, given), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("length", [0, 1, 50])
def test_short_axes_start_no_threads(
    net: ModuleType, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    monkeypatch.setenv("GRAPHC_THREADS", "4")
    monkeypatch.setattr(net, "CACHE", 2**20)
    threads = started(net, monkeypatch)
    found = results(net, arguments(length))
    assert found[0].shape == (length, 3)
    assert not threads


def test_by_default_the_usable_cores(net: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRAPHC_THREADS", raising=False)
    assert net._threads() == (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    )
    for text, number in (("", net._threads()), ("3", 3), ("0", 1), ("-2", 1)):
        monkeypatch.setenv("GRAPHC_THREADS", text)
        assert net._threads() == number
    monkeypatch.setenv("GRAPHC_THREADS", "two")
    with pytest.raises(ValueError, match=r"^GRAPHC_THREADS is a whole number, found 'two'$"):
        net.forward(**arguments())


@pytest.mark.parametrize("position", [0, LENGTH // 2, LENGTH - 1])
@pytest.mark.parametrize("number", ["1", "2", "5"])
def test_settings_and_errors_cross_threads(
    net: ModuleType, monkeypatch: pytest.MonkeyPatch, number: str, position: int
) -> None:
    """What the caller says of a division by 0 holds in every block, wherever the 0 stands."""
    monkeypatch.setenv("GRAPHC_THREADS", number)
    given = arguments()
    given["x"][position] = 0
    with np.errstate(divide="raise", invalid="raise"), pytest.raises(FloatingPointError):
        net.forward(**given)
    seen: list[str] = []
    with np.errstate(divide="call", invalid="call", call=lambda kind, flag: seen.append(kind)):
        outputs, _ = net.forward(**given)
    assert seen == ["invalid value"]
    assert np.all(np.isnan(outputs.z[position]))
    given["x"][position] = 1
    net.forward(**given)


def test_where_no_thread_can_start(net: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller runs all blocks."""
    given = arguments()
    monkeypatch.setenv("GRAPHC_THREADS", "3")
    expected = results(net, given)

    class Stillborn(threading.Thread):
        def start(self) -> None:
            raise RuntimeError("can't start new thread")

    class Module:
        Thread = Stillborn

    monkeypatch.setattr(net, "threading", Module)
    for one, other in zip(expected, results(net, given), strict=True):
        assert np.array_equal(one, other)


def test_callers_at_once(net: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_THREADS", "2")
    many = [arguments(1000 + 10 * (number % 3)) for number in range(16)]
    expected = [results(net, given) for given in many]
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda given: results(net, given), many * 3))
    for one, other in zip(expected * 3, found, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_the_first_block_that_fails_is_what_is_raised(
    net: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAPHC_THREADS", "4")
    ran: list[int] = []

    def block(start: int, size: int) -> tuple[Any, ...]:
        ran.append(start)
        raise KeyError(start)

    with pytest.raises(KeyError) as raised:
        net._blocks(block, 1000, 1024, 1)
    assert raised.value.args[0] == min(ran)
    assert len(ran) <= 4


def test_totals_are_added_in_order(net: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the order in which the blocks are through: as strings show."""
    monkeypatch.setenv("GRAPHC_THREADS", "3")
    last = threading.Event()

    def block(start: int, size: int) -> tuple[str]:
        if start == 1:
            assert last.wait(10)  # all others are through before
        elif start + size == 40:
            last.set()
        return (f"{start} ",)

    (total,) = net._blocks(block, 40, 2**13, 1)
    assert total.split() == [str(number) for number in range(40)]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("import os\nos.system('ls')", "call of system"),
        ("import threading\nthreading.Event", "attribute "),
    ],
)
def test_nothing_else_of_these_modules_is_emitted(text: str, what: str) -> None:
    with pytest.raises(Refused, match=f"^line 2: {what}"):
        verify(text)
    verify("os = 1\nx = os.T")
