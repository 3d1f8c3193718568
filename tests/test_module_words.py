"""What a module says at a prompt: shapes in docstrings, caches, what is wrong with a call."""

from __future__ import annotations

import collections.abc
import inspect
import re
import typing
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from conftest import module

from graphc.compile.stages import Options, compile_text, load

NET = """dim B
input x: [B, 3]
input t: int[B]
param W: [3, 2]
h = tanh(x @ W)
output y = h * 2
output loss = sum(h**2)
output c = t * 2
derive value y
derive grad loss wrt x
derive value_and_grad loss wrt params as both
derive vjp y, loss wrt x as pull
derive jvp y wrt x as push
derive jacobian y wrt W as J
derive jacobian_matrix y wrt x as M
derive sparse_jacobian y wrt x as S
derive hvp loss wrt W as twice
derive hessian loss wrt W as H
derive hessian_matrix loss wrt W as HM
"""
X, T = np.ones((4, 3)), np.zeros(4, int)


@pytest.mark.levels
def test_each_function_says_its_shapes() -> None:
    net = module(NET)
    given = "Shapes: params, x: [B, 3], t: int[B] -> "
    of = {"forward": "y: [B, 2], loss: [], c: int[B]."}
    of |= {"pull": "y: [B, 2], loss: [] by x: [B, 3].", "value_y": "y: [B, 2]."}
    of |= {"grad_loss": "loss: [] by x: [B, 3].", "J": "y: [B, 2] by params."}
    of |= dict.fromkeys(["both", "twice", "H", "HM"], "loss: [] by params.")
    of |= dict.fromkeys(["push", "M", "S"], "y: [B, 2] by x: [B, 3].")
    for name, told in of.items():
        lines = (inspect.getdoc(getattr(net, name)) or "").splitlines()
        assert lines[-1] == given + told, name
        assert lines[-2] == "", name
    assert (inspect.getdoc(net.backward) or "").endswith(
        "\n\nShapes: cache -> y: [B, 2], loss: [] by params."
    )


def test_what_makes_and_checks_parameters_says_shapes_too() -> None:
    net = module(
        "dim B, N\ninput x: [B, 8]\nparam w: [N, 3]\nparam s\n"
        "x -> repeat layer[i in 1..12] { dense(8) as up } -> h\n"
        "output y = sum(h) * s + sum(w)\n"
    )
    told = {
        "init": "seed, N -> w: [N, 3], s: [], layer.1..12.up.W: [8, 8], layer.1..12.up.b: [8].",
        "flatten": "params -> [3*N + 865].",
        "unflatten": "vector: [3*N + 865] -> params.",
        "check": "params, x: [B, 8].",
    }
    for name, shapes in told.items():
        assert (inspect.getdoc(getattr(net, name)) or "").endswith(f"\n\nShapes: {shapes}"), name
    assert net.flatten(net.init(N=2)).shape == (3 * 2 + 865,)


def test_of_many_parameters_the_first_are_told() -> None:
    many = "\n".join(f"dim N{i}\nparam w{i}: [N{i}]" for i in range(12))
    net = module(f"{many}\noutput y = {' + '.join(f'sum(w{i})' for i in range(12))}\n")
    assert "w7: [N7] and 4 more, listed" in (inspect.getdoc(net.init) or "")
    told = (inspect.getdoc(net.flatten) or "").split("-> ")[1]
    assert told == "[N0 + N1 + N2 + N3 + N4 + N5 + N6 + N7 + …]."


NAMED = {
    "forward": "input i: int[3]\noutput y = i * 2\n",
    "derived": NET,
    "blocks": "dim N\ninput x: [N]\noutput y = sum(tanh(exp(sin(x) * 2)))\nderive grad y wrt x\n",
    "loops": "dim T\ninput x: [T]\nparam w ~ normal(0, 1)\n"
    "scan s[t in T] carry h = 0.0 { next h = tanh(w * h + x[t]); collect hs = h }\n"
    "repeat layer[i in 1..3] carry g = x { next g = dense(g, T) as d }\n"
    "output y = sum(g) * h\noutput hs\nderive backward y wrt params, x\nderive hvp y wrt w\n",
    "helpers": "input x: [3]\nparam A: [3, 3]\noutput y = sum(erf(x)) + logdet(expm(A))\n",
}


def test_public_names_are_those_of_the_page() -> None:
    page = (Path(__file__).parent.parent / "docs" / "module.md").read_text(encoding="utf-8")
    listed = page[page.index("## Functions") : page.index("Names that begin with `_`")]
    rows, below = listed[: listed.rindex("|")], listed[listed.rindex("|") :]
    told = {name for row in rows.splitlines() for name in re.findall(r"`(\w+)\(", row)}
    told |= set(re.findall(r"`(\w+)`", below))
    told -= {
        "value_logits",
        "grad_loss",
        "value_and_grad_loss",
        "pull",
        "PullValues",
    }  # its graph's
    found: set[str] = set()
    for text, level in product(NAMED.values(), ("-O0", "-O2")):
        found |= _public(
            load(compile_text(text, options=Options(level=level, trace=True)).text, "net")
        )
    assert found == told


def _public(net: ModuleType) -> set[str]:
    """The names of a module, but for those of its graph's functions and for what it imports."""
    derived = net.GRAPH["derived"].keys()
    names = {name for name in vars(net) if name[0] != "_"} - derived
    names -= {f"{one.capitalize()}Values" for one in derived}
    imported = {*vars(typing), *vars(collections.abc), "annotations"}
    return {one for one in names - imported if not _is_imported(getattr(net, one))}


def _is_imported(value: object) -> bool:
    return inspect.ismodule(value) or inspect.isbuiltin(value)


def test_long_ones_are_broken_between_arguments() -> None:
    names = [f"a_long_name_{number}" for number in range(12)]
    text = "\n".join([*(f"input {n}: [3]" for n in names), f"output y = {' + '.join(names)}"])
    lines = (inspect.getdoc(module(text).forward) or "").splitlines()
    assert all(len(line) <= 100 for line in lines)
    assert sum(line.count("[3]") for line in lines) == 13


@pytest.mark.levels
def test_a_cache_prints_in_a_line() -> None:
    net = module(NET)
    _, cache = net.forward({"W": np.ones((3, 2))}, X, T)
    size = sum(np.asarray(one).nbytes for one in cache)
    assert repr(cache) == f"<Cache: {len(cache)} values, {size:,} bytes>"
    assert cache == net.Cache(*cache)
    layers = module(
        "input x: [3]\nrepeat layer[i in 1..3] carry g = x { next g = dense(g, 3) as d }\n"
        "output y = sum(g)\n"
    )
    _, cache = layers.forward(layers.init(), np.ones(3))
    flat = [one for value in cache for one in (value if isinstance(value, list) else [value])]
    assert f"{sum(np.asarray(one).nbytes for one in flat):,} bytes" in repr(cache)


class Attached:
    """What refuses to become an array, as a tensor of PyTorch that requires a gradient does."""

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("call detach() first")


@pytest.mark.levels
@pytest.mark.parametrize(
    ("call", "kind", "said"),
    [
        (lambda net: net.init(None), TypeError, "seed: expected an integer of at least 0, found N"),
        (lambda net: net.init(-1), TypeError, "seed: expected an integer of at least 0, found -1"),
        (lambda net: net.init(1.5), TypeError, "seed: expected an integer of at least 0, found 1."),
        (lambda net: net.forward(net.init(), None, T), TypeError, "input `x` is None, expected"),
        (lambda net: net.forward({"W": None}, X, T), TypeError, "parameter `W` is None, expected"),
        (lambda net: net.forward(net.init(), Attached(), T), ValueError, "`x` is not an array, e"),
        (lambda net: net.forward({"W": Attached()}, X, T), ValueError, "parameter `W` is not an a"),
        (lambda net: net.backward(net.forward(net.init(), X, T)), TypeError, "cache: expected"),
        (lambda net: net.backward(net.forward(net.init(), X, T)[1], y=Attached()), ValueError,
         "`y` is not an array, expected float of (4, 2): call detach() first"),
        (lambda net: net.forward({"h": {"W": 1}}, X, T), ValueError, "h; paths are flat, as 'W'"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_call(call: Any, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind) as caught:
        call(module(NET))
    assert said in str(caught.value)


def test_a_truth_is_no_size() -> None:
    net = module("dim T\ninput x\noutput y = arange(T) * x\n")
    with pytest.raises(ValueError, match="dim T is a whole number of at least 0, found True"):
        net.forward(1.0, T=True)
    np.testing.assert_array_equal(module(NET).init(np.int64(3))["W"], module(NET).init(3)["W"])
