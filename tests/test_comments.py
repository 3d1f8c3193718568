"""What stands beside the statements of a readable module is so: shapes, slopes, what is 1."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphc.compile.stages import Compilation, Options
from graphc.source import Source
from tests.loading import loaded

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
    module: Any = loaded(text, name)
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


STEPS = """dim B
input x: [B, 3]
param W: [3, 4]; param b: [4]
h = tanh(x @ W + b)
r = h * sigmoid(h @ ones([4, 4]))
scan walk[t in 3] carry c = r { z = c * r; next c = sin(z) + h }
output y = sum(c**2)
"""
FORMULAS = {
    "h": lambda x, W, b: np.tanh(x @ W + b),
    "r": lambda h: h / (1 + np.exp(-h @ np.ones((4, 4)))),
    "walk_z": lambda c, r: c * r,
    "walk_c_next": lambda walk_z, h: np.sin(walk_z) + h,
    "y": lambda c: np.sum(c**2),
    "d_c": lambda c: 2 * c,
    "d_W": lambda x, h, d_h: x.T @ (d_h * (1 - h * h)),
    "d_b": lambda h, d_h: np.sum(d_h * (1 - h * h), axis=0),
}
"""What statements say, and the derivatives that second ones are of."""
CHAIN = re.compile(r"^(?P<space> +)(?P<target>\w+) = .*")
FACTOR = re.compile(r"\(?∂(\w+)/∂(\w+)\)?(ᵀ?)(?: (?:⊙ )?(\w+))?$")


def chains_of(clause: str, called: str) -> list[tuple[str, str, dict[str, Any]]]:
    """What stands beside the derivatives of a function, with its variables there as it runs."""
    source = Source("steps.graph", f"{STEPS}derive {clause}\n")
    text = Compilation(source, Options(level="-O0")).text
    text = re.sub(r"(?m)^ +del (?:\([^()]*\)|.*)\n", "", text)
    lines, said = [], []
    above = ""
    for line in text.splitlines():
        lines.append(line)
        code, _, beside = line.partition("  # ")
        found = CHAIN.match(code)
        comment = re.sub(r", \S+' = .*|: \[.*", "", beside or above)
        if found and "∂" in comment and "loop" not in comment and not code.endswith("("):
            lines.append(f"{found['space']}_SEEN.append(({len(said)}, {{**locals()}}))")
            said.append((found["target"], comment))
        above = line.strip().removeprefix("# ") if line.strip().startswith("# ") else ""
    start = lines.index("FLOAT = np.float64")
    whole = "\n".join([*lines[:start], "_SEEN = []", *lines[start:]])
    module: Any = loaded(whole, "steps")
    params, x = module.init(seed=0), np.random.default_rng(0).normal(size=(2, 3))
    rng = np.random.default_rng(1)
    tangents = {name: rng.normal(size=np.shape(value)) for name, value in params.items()}
    more = {} if clause.startswith("jacobian") else {"tangents": tangents}
    getattr(module, called)(params, x, **more)
    return [(*said[number], variables) for number, variables in module._SEEN]


def along(value: str, by: str, direction: Any, variables: dict[str, Any]) -> Any:
    """The derivative of what a statement says, by one of its operands, along a direction."""
    formula = FORMULAS[value]
    operands = formula.__code__.co_varnames[: formula.__code__.co_argcount]
    given = {name: np.asarray(variables[name], float) for name in operands}
    moved = [formula(**{**given, by: given[by] + step * direction}) for step in (1e-6, -1e-6)]
    return (moved[0] - moved[1]) / 2e-6


@pytest.mark.parametrize("clause", ["jvp y wrt params", "hvp y wrt params"])
def test_tangents_are_what_stands_beside_them(clause: str) -> None:
    """t_v is the sum over its terms (∂v/∂u) t_u of what v is along t_u, by central differences."""
    checked = set()
    for target, comment, variables in chains_of(clause, clause.split()[0] + "_y"):
        factors = [FACTOR.match(term) for term in comment.split(" + ")]
        if not target.startswith("t_") or target.removeprefix("t_") not in FORMULAS:
            continue
        found = np.asarray(variables[target], float)
        total = np.zeros_like(found)
        for factor in factors:
            assert factor is not None, comment
            total += along(factor[1], factor[2], variables[factor[4]], variables)
        np.testing.assert_allclose(found, total, 1e-6, 1e-8, err_msg=f"{target}: {comment}")
        checked.add(target)
    expected = {"t_h", "t_r", "t_walk_z", "t_walk_c_next"}
    assert checked >= expected | ({"t_y"} if "jvp" in clause else {"t_d_c", "t_d_W", "t_d_b"})


def test_rows_of_jacobians_are_what_stands_beside_them() -> None:
    """d_v · u is the sum over its terms (∂c/∂v)ᵀ d_c of d_c times what c is along u."""
    ends = {
        target: (comment, variables)
        for target, comment, variables in chains_of("jacobian y wrt params", "jacobian_y")
    }
    for target in ("d_c", "J_y_W", "J_y_b"):
        comment, variables = ends[target]
        found = np.asarray(variables[target], float)
        direction = np.random.default_rng(2).normal(size=found.shape)
        total = 0.0
        for term in comment.split(" + "):
            factor = FACTOR.match(term)
            assert factor is not None, comment
            seed = variables[factor[4]] if factor[4] else 1.0
            total += np.sum(seed * along(factor[1], factor[2], direction, variables))
        np.testing.assert_allclose(np.sum(found * direction), total, 1e-5, err_msg=comment)


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


@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_parts_of_what_a_step_carries_on_are_called_after_it(level: str) -> None:
    """Tangents of the steps that go back have no name in the file."""
    text = LOOP.replace("value_and_grad loss wrt params", "hvp loss wrt params")
    module = Compilation(Source("net.graph", text), Options(level=level)).text
    body = module[module.index("def hvp_loss") :].partition("\ndef ")[0]
    assert re.search(r"\bt_d_h\w*_(?:sum|total|product)\b", body)
    assert not re.search(r"\bvalue_\w+ = ", body)
