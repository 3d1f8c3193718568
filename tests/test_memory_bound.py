"""What `--memory` asks for is held by what NumPy allocates, or refused with the least there is."""

from __future__ import annotations

import random
import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_bytes import CASES

from graphc.compile.stages import Compilation, Options, compile_file, compile_text
from graphc.optimise.memory.budget import budget
from graphc.sample import random_arguments
from graphc.source import GraphError
from tests.loading import loaded

PYTHON = 8_000
"""So many bytes may the tuples, dicts and array headers of a call take."""


def hold(compiled: Callable[[str], Compilation], share: float) -> None:
    """Ask for a share of what the functions take, or for what is enough; measure what they take.

    Only what was derived: beside that, forward and backward may stay as they are, with a warning.
    """
    planned = [one for one in compiled("1TB").planned if one.name not in ("forward", "backward")]
    asked = str(int(share * max(one.unplanned for one in planned)))
    try:
        made = compiled(asked)
    except GraphError as refused:
        (asked,) = re.findall(r"--memory (\S+) is enough", str(refused))
        made = compiled(asked)
    most = budget(asked).bytes or 0
    module, given = loaded(made.text, "bound"), random_arguments(made.model)
    for one in planned:
        found = measured(module, one.name, given)
        assert found <= 1.1 * most + PYTHON, f"{one.name} takes {found} of {most}"


def measured(module: Any, name: str, given: dict[str, Any]) -> int:
    """The bytes at the peak of a call that makes its scratch; NumPy tells tracemalloc."""
    function = getattr(module, name)
    function(**given)
    vars(module).get("_SCRATCH", {}).clear()
    tracemalloc.start()
    try:
        function(**given)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


ONE = (
    "tanh({a})", "sigmoid({a})", "exp(-{a}**2)", "{a}.T", "softmax({a})", "{a}[::-1]", "tril({a})",
    "cumsum({a}, axis=0) / N", "{a} - mean({a}, axis=0)", "reshape({a}.T, [N, N])", "relu({a}) + 1",
    "reshape(broadcast_to(sum({a}, axis=1)[:, _] / N, [N, N]), [N, N])",
)  # fmt: skip
TWO = (
    "{a} * {b}", "{a} + {b}", "{a} @ {b} / N", "{a} / (1 + {b}**2)", "maximum({a}, {b})",
    "where({a} > {b}, {a}, 2 * {b})", "concat({a}, {b}, axis=0)[:N]", "logaddexp({a}, {b})",
)  # fmt: skip


def by_chance(seed: int) -> str:
    """A graph of square arrays of 80 KB: operations by chance, among them loops that keep rows."""
    draw = random.Random(seed)
    lines, names = ["dim N = 100", "input x: [N, N]", "param W, V: [N, N]"], ["x", "W", "V"]
    for k in range(draw.randrange(8, 24)):
        recent = names[-6:]
        a, b, name = draw.choice(recent), draw.choice(names), f"v{k}"
        if draw.random() < 0.1:
            step = f"next h{k} = tanh(h{k} * {b} + {a} @ W / N)"
            lines.append(f"scan s{k}[t in {draw.randrange(2, 9)}] carry h{k} = {a} {{ {step} }}")
            lines.append(f"{name} = h{k}")
        else:
            lines.append(f"{name} = {draw.choice(ONE + TWO).format(a=a, b=b)}")
        names.append(name)
    terms = " + ".join(f"mean({one}**2)" for one in names[3:][-3:])
    return "\n".join([*lines, f"output loss = {terms} + mean(W * x + V)",
                      "derive value_and_grad loss wrt params, x as g"])  # fmt: skip


SHORT = {(0, "-O0"), (1, "-O0"), (2, "-O0"), (2, "-O2")}
GRAPHS = [(seed, level) for seed in range(100) for level in ("-O0", "-O2")]


@pytest.mark.parametrize(
    ("seed", "level"),
    [pytest.param(*one, marks=[] if one in SHORT else [pytest.mark.long]) for one in GRAPHS],
)
def test_random_graphs(seed: int, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_THREADS", "1")
    text, share = by_chance(seed), random.Random(seed).uniform(0.3, 0.9)
    hold(lambda memory: compile_text(text, options=Options(level=level, memory=memory)), share)


FEW = ("residual", "elementwise")


@pytest.mark.parametrize("level", ["-O0", "-O2"])
@pytest.mark.parametrize(
    ("path", "dims"),
    [
        pytest.param(*case, marks=[] if case[0].stem in FEW else [pytest.mark.long])
        for case in CASES
    ],
    ids=[path.stem for path, _ in CASES],
)
def test_examples_and_workloads(
    path: Path, dims: dict[str, int], level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAPHC_THREADS", "1")
    derive = () if "derive" in path.read_text("utf-8") else ("value_and_grad loss wrt params",)

    def compiled(memory: str) -> Compilation:
        options = Options(dims=dims, derive=derive, level=level, memory=memory)
        return compile_file(path, options)

    hold(compiled, 0.6)


def test_the_steps_of_a_segment_are_not_taken_apart_where_that_takes_too_much() -> None:
    """Of 100 steps of 8 KB it keeps 10 for the segments and 10 of one: some 20 rows, and a few."""
    text = """
        input x: [1000]
        param w: [1000]
        scan step[t in 0..99] carry h = x {
          next h = tanh(w * h) + x
        }
        output y = sum(h)
        derive grad y wrt w
    """
    made = compile_text(text, options=Options(level="-O2", memory="260KB"))
    module, plain = loaded(made.text, "in_steps"), loaded(compile_text(text).text, "all_at_once")
    given = random_arguments(made.model)
    assert measured(module, "grad_y", given) <= 260_000 + PYTHON
    np.testing.assert_allclose(
        module.grad_y(**given)["w"], plain.grad_y(**given)["w"], rtol=1e-11, atol=1e-13
    )
