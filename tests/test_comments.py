"""What stands beside the statements of a readable module is so: shapes, slopes, what is 1."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphc.compile.stages import Compilation, Options, load
from graphc.source import Source

EXAMPLES = Path(__file__).resolve().parent / "language" / "examples"
LOOP = """dim B
input x: [B, 3]
repeat layer[i in 0..2] carry h = x {
    param W: [3, 3]; param b: [3]
    a = tanh(h @ W + b)
    next h = h + a * sigmoid(a)
}
output loss = mean(h**2)
derive value_and_grad loss wrt params
"""
NET = """dim B
input x: [B, 3]
param W: [3, 4]; param V: [4, 2]
h = tanh(x @ W)
output loss = sum(sigmoid(h @ V)**2)
derive value_and_grad loss wrt params
"""
TEXTS = {"loop": LOOP, "net": NET}
SHAPED = re.compile(r"^( +)(\w+) = [^#\n]*?(?:  # .*: (\[.*\]))?$")


def module_of(name: str) -> str:
    return Compilation(Source(f"{name}.graph", TEXTS[name]), Options(level="-O0")).text


def looked_at(text: str) -> tuple[str, int]:
    """A module that notes the shapes of what has one beside it, and how many these are."""
    lines: list[str] = []
    above = ""
    count = 0
    for line in text.splitlines():
        lines.append(line)
        found = SHAPED.match(line)
        shape = (found[3] or above) if found else ""
        above = match[1] if (match := re.match(r" +# .*: (\[.*\])$", line)) else ""
        if found and shape and line[-1] != "(":
            count += 1
            lines.append(f"{found[1]}_SEEN.append(({found[2]!r}, np.shape({found[2]}), {shape}))")
    start = lines.index("FLOAT = np.float64")
    return "\n".join([*lines[:start], "_SEEN, B = [], 5", *lines[start:]]), count


@pytest.mark.parametrize("name", TEXTS)
def test_shapes_beside_derivatives_are_theirs(name: str) -> None:
    text, count = looked_at(module_of(name))
    assert count >= 4
    module: Any = load(text, name)
    params = module.init(seed=0)
    module.value_and_grad_loss(params, np.random.default_rng(0).normal(size=(5, 3)))
    assert len(module._SEEN) >= count // 2
    for variable, shape, said in module._SEEN:
        assert list(shape) == list(said), variable


@pytest.mark.parametrize("name", TEXTS)
def test_slopes_are_named_where_they_stand(name: str) -> None:
    lines = module_of(name).splitlines()
    found = 0
    for number, line in enumerate(lines):
        code, _, beside = line.partition("  # ")
        said = beside or lines[number - 1]
        if re.search(r"\(1 - (\w+) \* \1\)", code):
            found += 1
            assert "tanh' = 1 - tanh²" in said, line
        elif re.search(r"(\w+) \* \(1 - \1\)", code) and "∂" in said:
            found += 1
            assert "σ' = σ (1 - σ)" in said, line
        elif code.strip() and not code.strip().startswith("#"):
            assert "tanh' =" not in beside, line
    assert found >= 2


def test_a_derivative_that_is_one_is_not_spoken_of() -> None:
    text = module_of("net")
    function = text[text.index("def value_and_grad_loss") :].partition("\n\n\n")[0]
    assert "∂loss/∂" in function
    assert re.search(r"\bd_loss\b", function) is None
    assert "⊙ d_loss" in text[text.index("def backward") :].partition("\n\n\n")[0]


@pytest.mark.parametrize(
    ("clause", "said"),
    [
        ("jvp loss wrt params", "t_v is the tangent of v"),
        ("hvp loss wrt params", "t_d_v that of d_v"),
        ("jacobian loss wrt params", "d_v holds the derivative by v of each element"),
    ],
)
def test_names_of_derivatives_are_explained(clause: str, said: str) -> None:
    text = NET.replace("value_and_grad loss wrt params", clause)
    for level, told in (("-O0", True), ("-O2", False)):
        module = Compilation(Source("net.graph", text), Options(level=level)).text
        assert (said in module) is told
