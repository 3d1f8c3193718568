"""What every derived function promises: its arrays, dtypes and threads, and `check`."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from conftest import LEVELS, compiled, module
from test_module_contract import TOOLS, lint

pytestmark = pytest.mark.levels

TEXT = """
dim B
input x: [B, 3]
input s: []
param W: [3, 2]
h = tanh(x @ W) * s
x -> repeat layer[k in 1..2] { dense(3, act=tanh) } -> z
output y = h + sum(z)
output n = sum(h, axis=1)
output loss = sum(h**2) / 2 + sum(z)
derive value y, n as v
derive grad loss wrt params, x, h as g
derive value_and_grad loss wrt x per B as g_per
derive vjp y, loss wrt params, x, s as pulled
derive jvp y, n wrt params, x, s as pushed
derive hvp loss wrt W, x, layer.* as bent
derive jacobian y, n wrt params, s, x, h as J
derive value_and_jacobian n wrt x, W per B as J_per
derive jacobian_matrix y, loss wrt x, s, W as M
derive jacobian_matrix n wrt x, W per B as M_per
derive value_and_hessian loss wrt params, x as H
derive value_and_hessian_matrix loss wrt s, x as H_matrix
"""
# h and z are computed side by side; x and W stand first in a family's dicts and matrices.
NAMES = ("v", "g", "g_per", "pulled", "pushed", "bent", "J", "J_per", "M", "M_per", "H", "H_matrix")


def given(dtype: str = "float64") -> dict[str, Any]:
    made = module(TEXT, dtype=dtype)
    rng = np.random.default_rng(1)
    params = {path: rng.normal(size=np.shape(one)) for path, one in made.init(seed=0).items()}
    arguments = {"params": params, "x": rng.normal(size=(4, 3)), "s": np.float64(1.3)}
    return copy.deepcopy(arguments)


def call(made: ModuleType, name: str, arguments: dict[str, Any]) -> Any:
    rng = np.random.default_rng(2)
    more: dict[str, Any] = {}
    if name == "pulled":
        more["cotangents"] = {"y": rng.normal(size=(4, 2)), "loss": 1.5}
    if name in ("pushed", "bent"):
        more["tangents"] = {"x": rng.normal(size=(4, 3)), "layer.2.W": rng.normal(size=(3, 3))}
    return getattr(made, name)(**arguments, **more)


def leaves(value: Any) -> Iterator[Any]:
    """Everything in nested dicts and tuples."""
    if isinstance(value, dict):
        for one in value.values():
            yield from leaves(one)
    elif isinstance(value, tuple):
        for one in value:
            yield from leaves(one)
    else:
        yield value


def bits(value: Any) -> list[bytes]:
    return [np.asarray(one).tobytes() for one in leaves(value)]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", NAMES)
def test_what_is_returned_is_the_callers(name: str, dtype: str) -> None:
    """Arrays and scalars of the module's dtype, of their own memory, which may be written to."""
    made, arguments = module(TEXT, dtype=dtype), given()
    before = bits(arguments)
    first = call(made, name, arguments)
    kept = bits(first)
    arrays = [one for one in leaves(first) if isinstance(one, np.ndarray)]
    for one in leaves(first):
        assert one.dtype == dtype
        assert isinstance(one, np.ndarray if np.ndim(one) else np.floating)
    for place, one in enumerate(arrays):
        assert one.flags.writeable
        for other in (*arrays[:place], *leaves(arguments)):
            assert not np.shares_memory(one, other)
        one[...] = np.nan
    assert bits(arguments) == before
    assert bits(call(made, name, arguments)) == kept


@pytest.mark.parametrize("name", NAMES)
def test_read_only_and_strided_arguments(name: str) -> None:
    made, arguments = module(TEXT), given()

    def strided(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: strided(one) for key, one in value.items()}
        wide = np.repeat(np.asarray(value)[..., None], 2, axis=-1)
        wide.flags.writeable = False
        return wide[..., 0]

    assert bits(call(made, name, strided(arguments))) == bits(call(made, name, arguments))


def test_the_order_of_paths() -> None:
    made, arguments = module(TEXT), given()
    params = ["W", "layer.1.W", "layer.1.b", "layer.2.W", "layer.2.b"]
    assert list(made.g(**arguments)) == [*params, "x", "h"]
    assert list(call(made, "pulled", arguments)[1]) == [*params, "x", "s"]
    assert call(made, "pushed", arguments)[1]._fields == ("y", "n")
    assert list(call(made, "bent", arguments)[1]) == ["W", "x", *params[1:]]
    blocks = made.J(**arguments)
    assert list(blocks) == ["y", "n"]
    assert list(blocks["n"]) == [*params, "s", "x", "h"]
    _, blocks = made.H(**arguments)
    assert list(blocks) == list(blocks["x"]) == [*params, "x"]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_check_passes(dtype: str) -> None:
    arguments = given()
    errors = module(TEXT, dtype=dtype).check(**arguments)
    assert set(errors) == {"backward", *NAMES} - {"v"}


@pytest.mark.parametrize("name", [name for name in NAMES if name != "v"])
def test_check_sees_one_wrong_number(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made, arguments = module(TEXT), given()
    right = getattr(made, name)

    def wrong(*args: Any, **more: Any) -> Any:
        """Of the derivatives, which stand last, one number is off."""
        found = right(*args, **more)
        last = found[-1] if isinstance(found, tuple) else found
        array = max(leaves(last), key=np.size)
        if isinstance(array, np.ndarray):
            array.flat[array.size // 2] += 1.0
        return found

    monkeypatch.setattr(made, name, wrong)
    with pytest.raises(ArithmeticError, match=f"`{name}` by "):
        made.check(**arguments)


def test_sixteen_threads_give_the_same_bits() -> None:
    made, arguments = module(TEXT), given()
    expected = {name: bits(call(made, name, arguments)) for name in NAMES}
    wrong: list[str] = []

    def run() -> None:
        for name in NAMES:
            if bits(call(made, name, arguments)) != expected[name]:
                wrong.append(name)

    threads = [threading.Thread(target=run) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_the_text_does_not_depend_on_the_hash_seed(level: str) -> None:
    """Another process, whose seed is another than that of this one, writes the same."""
    program = "import sys; from graphc.compile.stages import Options, compile_text as c; "
    program += "result = c(sys.stdin.read(), options=Options(level=sys.argv[1])); "
    program += "sys.stdout.buffer.write(result.text.encode())"
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    done = subprocess.run(
        [sys.executable, "-c", program, level],
        input=TEXT.encode(),
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": seed},
    )
    assert done.stdout == compiled(TEXT).text.encode()


@pytest.mark.readable
@pytest.mark.parametrize("tool", TOOLS)
def test_linters_accept_the_module(tool: str, tmp_path: Path) -> None:
    for level in LEVELS:
        text = compiled(TEXT, level=level).text
        (tmp_path / f"derived_{level[1:]}.py").write_text(text, encoding="utf-8")
    lint(tool, tmp_path)
