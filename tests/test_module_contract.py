"""What a generated module promises: its functions, its arrays, its errors, and where it runs."""

from __future__ import annotations

import ast
import inspect
import itertools
import json
import os
import pickle
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from conftest import LEVELS, compiled, module

import graphc
from graphc.compile.stages import Options, compile_text, load

pytestmark = pytest.mark.levels

ROOT = Path(__file__).resolve().parent.parent

RESIDUAL = '''
"""A residual network with two outputs."""
dim B
dim D = 6
input x: [B, D] "features"
input t: [B, 2]
param scale: [D] ~ ones
x * scale -> residual { dense(8, act=tanh) as up -> dense(D) as down } -> h
h -> dense(2) as head -> y
output y: [B, 2] "predictions"
output loss = mean((y - t)**2)
derive value loss
derive grad loss wrt params
derive value_and_grad loss wrt head.*, x
derive value y, loss as both
'''
WINDOWS = """
dim T, L
input x: [T + 1]
input z: [2*L, 3]
input s: [T]
param w: [T]
output d = (x[1:] - x[:-1]) * w + s
output m = z[:L] - z[L:]
output e = sum(d * d) + sum(m * m)
"""
UNBOUND = """
dim T, B
input x: [B, 2]
param scale: []
table = arange(T) / T
output y = x[:, :, _] * table[_, _, :] * scale
output e = sum(y * y)
"""
SCALARS = """
input a: []
input b: []
output c = a * b
output d = a
output e = b
output f = 2.0
"""
CLASSES = """
dim B
input k: int[B]
input on: bool[B]
input n: int
param E: [5, 3]
r = E[k]
output y = where(on[:, _], r, -r) * n
output twice = 2 * k
output some = max(on)
output total = sum(y * y)
"""
PLAIN = """
dim B
input x: [B, 3]
output x2 = x
output y = x.T
output z = x
output flat = reshape(x, [3*B])
output row = x[:, 0]
"""
NO_INPUTS = """
param a: [3] ~ normal(0, 1)
param b: [2, 3]
output f = sum((b @ a)**2) + sum(a * a)
output view = a
output part = b[0]
"""
GRAPHS = {
    "residual": RESIDUAL,
    "windows": WINDOWS,
    "unbound": UNBOUND,
    "scalars": SCALARS,
    "classes": CLASSES,
    "plain": PLAIN,
    "no_inputs": NO_INPUTS,
}


def arguments(name: str, seed: int = 0) -> dict[str, Any]:
    """Arguments by name for one of the graphs."""
    rng = np.random.default_rng(seed)
    draw = rng.normal
    match name:
        case "residual":
            params = {
                "scale": draw(size=6),
                "up.W": draw(size=(6, 8)),
                "up.b": draw(size=8),
                "down.W": draw(size=(8, 6)),
                "down.b": draw(size=6),
                "head.W": draw(size=(6, 2)),
                "head.b": draw(size=2),
            }
            return {"params": params, "x": draw(size=(5, 6)), "t": draw(size=(5, 2))}
        case "windows":
            inputs = {"x": draw(size=5), "z": draw(size=(4, 3)), "s": draw(size=4)}
            return {"params": {"w": draw(size=4)}, **inputs}
        case "unbound":
            return {"params": {"scale": draw()}, "x": draw(size=(3, 2)), "T": 4}
        case "scalars":
            return {"a": 2.0, "b": -3.0}
        case "classes":
            inputs = {"k": np.array([4, 0, 4]), "on": np.array([True, False, True]), "n": 3}
            return {"params": {"E": draw(size=(5, 3))}, **inputs}
        case "plain":
            return {"x": draw(size=(4, 3))}
    return {"params": {"a": draw(size=3), "b": draw(size=(2, 3))}}


every_graph = pytest.mark.parametrize("name", GRAPHS)


def generated(name: str) -> ModuleType:
    return module(GRAPHS[name])


def arrays_in(value: Any) -> Iterator[np.ndarray]:
    """Every array in nested dicts and tuples."""
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, tuple):
        for item in value:
            yield from arrays_in(item)
    elif isinstance(value, np.ndarray):
        yield value


def bits(value: Any) -> bytes:
    """Everything in a result, type by type and bit by bit."""
    return pickle.dumps(_plain(value))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return [(name, _plain(item)) for name, item in value.items()]
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return type(value).__name__, value.dtype.str, value.shape, value.tobytes()
    return type(value).__name__, value


def cotangents(name: str, seed: int = 9) -> dict[str, Any]:
    """A cotangent for each float output."""
    graph = generated(name)
    rng = np.random.default_rng(seed)
    out, _ = graph.forward(**arguments(name))
    floats = {n: v for n, v in out._asdict().items() if v.dtype.kind == "f"}
    return {n: rng.normal(size=np.shape(v)) for n, v in floats.items()}


def everything(name: str, given: Mapping[str, Any]) -> tuple[Any, ...]:
    """The results of every function that evaluates the graph."""
    graph = generated(name)
    out, cache = graph.forward(**given)
    results = [out, cache, graph.backward(cache, **cotangents(name))]
    for function in graph.GRAPH["multiply_adds"]:
        if function not in ("forward", "backward"):
            results.append(getattr(graph, function)(**given))
    return tuple(results)


# ---- the functions ------------------------------------------------------------------------


SIGNATURES = {
    "residual": {
        "forward": "(params, x, t)",
        "backward": "(cache, *, y=None, loss=1.0, out=None)",
        "value_loss": "(params, x, t)",
        "grad_loss": "(params, x, t, *, out=None)",
        "value_and_grad_loss": "(params, x, t, *, out=None)",
        "both": "(params, x, t)",
        "check": "(params, x, t)",
        "init": "(seed=0)",
        "flatten": "(params)",
        "unflatten": "(vector)",
    },
    "windows": {
        "forward": "(params, x, z, s)",
        "backward": "(cache, *, d=None, m=None, e=1.0, out=None)",
        "value_and_grad_e": "(params, x, z, s, *, out=None)",
        "check": "(params, x, z, s)",
        "init": "(seed=0, *, T)",
        "flatten": "(params)",
        "unflatten": "(vector, *, T)",
    },
    "unbound": {
        "forward": "(params, x, *, T)",
        "backward": "(cache, *, y=None, e=1.0, out=None)",
        "value_and_grad_e": "(params, x, *, T, out=None)",
        "check": "(params, x, *, T)",
        "init": "(seed=0)",
        "flatten": "(params)",
        "unflatten": "(vector)",
    },
    "scalars": {
        "forward": "(a, b)",
        "backward": "(cache, *, c=None, d=None, e=None, f=None, out=None)",
        "check": "(a, b)",
    },
    "classes": {
        "forward": "(params, k, on, n)",
        "backward": "(cache, *, y=None, total=1.0, out=None)",
        "value_and_grad_total": "(params, k, on, n, *, out=None)",
        "check": "(params, k, on, n)",
        "init": "(seed=0)",
        "flatten": "(params)",
        "unflatten": "(vector)",
    },
    "plain": {
        "forward": "(x)",
        "backward": "(cache, *, x2=None, y=None, z=None, flat=None, row=None, out=None)",
        "check": "(x)",
    },
    "no_inputs": {
        "forward": "(params)",
        "backward": "(cache, *, f=1.0, view=None, part=None, out=None)",
        "value_and_grad_f": "(params, *, out=None)",
        "check": "(params)",
        "init": "(seed=0)",
        "flatten": "(params)",
        "unflatten": "(vector)",
    },
}


@every_graph
def test_functions_and_signatures(name: str) -> None:
    found, graph = {}, generated(name)
    for function, value in vars(graph).items():
        own = inspect.isfunction(value) and value.__module__ == graph.__name__
        if own and not function.startswith("_"):
            bare = [p.replace(annotation=p.empty) for p in _parameters(value)]
            found[function] = str(inspect.Signature(bare))
            assert value.__doc__, f"{function} has no docstring"
            assert set(value.__annotations__) == {p.name for p in _parameters(value)} | {"return"}
    assert found == SIGNATURES[name]


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    return list(inspect.signature(function).parameters.values())


@every_graph
def test_inputs_by_position_and_by_name(name: str) -> None:
    given = arguments(name)
    keywords = {key: value for key, value in given.items() if key == "T"}
    positional = [value for key, value in given.items() if key != "T"]
    graph = generated(name)
    by_position = graph.forward(*positional, **keywords)
    assert bits(by_position) == bits(graph.forward(**given))


def test_values_of_the_residual_network() -> None:
    graph, given = generated("residual"), arguments("residual")
    p, x, t = given["params"], given["x"], given["t"]
    u = x * p["scale"]
    h = u + np.tanh(u @ p["up.W"] + p["up.b"]) @ p["down.W"] + p["down.b"]
    y = h @ p["head.W"] + p["head.b"]
    loss = np.mean((y - t) ** 2)
    ct = (y - t) / 5
    out, _ = graph.forward(**given)
    assert out._fields == ("y", "loss")
    np.testing.assert_allclose(out.y, y, rtol=1e-13)
    np.testing.assert_allclose(out.loss, loss, rtol=1e-13)
    np.testing.assert_allclose(graph.value_loss(**given), loss, rtol=1e-13)
    both = graph.both(**given)
    np.testing.assert_allclose(both.y, y, rtol=1e-13)
    np.testing.assert_allclose(both.loss, loss, rtol=1e-13)
    value, gradients = graph.value_and_grad_loss(**given)
    np.testing.assert_allclose(value, loss, rtol=1e-13)
    assert list(gradients) == ["head.W", "head.b", "x"]
    np.testing.assert_allclose(gradients["head.b"], ct.sum(0), rtol=1e-12)
    np.testing.assert_allclose(gradients["head.W"], h.T @ ct, rtol=1e-12)
    assert gradients["x"].shape == (5, 6)


def test_gradients_come_in_the_order_of_the_parameters() -> None:
    graph, given = generated("residual"), arguments("residual")
    order = ["scale", "up.W", "up.b", "down.W", "down.b", "head.W", "head.b"]
    assert list(graph.PARAMETERS) == order
    backwards = {**given, "params": dict(reversed(given["params"].items()))}
    out, cache = graph.forward(**backwards)
    assert bits(out) == bits(graph.forward(**given)[0])
    assert list(graph.backward(cache)) == order
    assert list(graph.grad_loss(**backwards)) == order
    assert list(graph.init()) == order


def test_cotangents_are_zero_but_for_the_sole_scalar() -> None:
    graph, given = generated("residual"), arguments("residual")
    _, cache = graph.forward(**given)
    default = graph.backward(cache)
    assert bits(default) == bits(graph.backward(cache, loss=1.0, y=np.zeros((5, 2))))
    zero = graph.backward(cache, loss=0.0)
    assert all(not np.any(one) for one in zero.values())
    ct = np.ones((5, 2))
    both = graph.backward(cache, y=ct)
    alone = graph.backward(cache, y=ct, loss=0)
    for path in both:
        np.testing.assert_allclose(both[path], default[path] + alone[path], rtol=1e-12)


def test_several_scalar_outputs_have_no_default() -> None:
    graph = generated("scalars")
    _, cache = graph.forward(2.0, 3.0)
    assert graph.backward(cache) == {"a": 0.0, "b": 0.0}
    assert graph.backward(cache, c=1.0) == {"a": 3.0, "b": 2.0}
    assert graph.backward(cache, c=1.0, d=10, e=100.0) == {"a": 13.0, "b": 102.0}


@every_graph
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_what_has_rank_0_is_a_numpy_scalar(name: str, dtype: str) -> None:
    """Also gradients, whether their cotangents are given or left out."""
    graph = module(GRAPHS[name], dtype=dtype)
    given = arguments(name)
    out, cache = graph.forward(**given)
    found = [*out._asdict().items(), *cache._asdict().items()]
    found += [*graph.backward(cache).items(), *graph.backward(cache, **cotangents(name)).items()]
    if "params" in given:
        dims = {"T": 4} if name == "windows" else {}
        found += [*graph.init(**dims).items()]
        vector = graph.flatten(graph.init(**dims))
        found += [("vector", vector), *graph.unflatten(vector, **dims).items()]
    for what, value in found:
        if isinstance(value, int) and not isinstance(value, np.generic):
            assert what in graph.GRAPH["dims"], f"{what} is a Python number"
            continue
        assert value.ndim or isinstance(value, np.generic), f"{what} is {value!r}"
        wanted = {"f": dtype, "i": "int64", "b": "bool"}[value.dtype.kind]
        assert value.dtype == wanted, what


def test_derived_gradients_that_are_constant_are_numpy_scalars() -> None:
    text = "input x: []\noutput y = 3 * x\nderive value_and_grad y wrt x as g"
    value, gradients = module(text).g(2.0)
    assert type(value) is np.float64
    assert type(gradients["x"]) is np.float64


def test_the_zero_cotangent_of_a_scalar_is_a_numpy_scalar() -> None:
    """An output left out still gives a gradient of the module's dtype, not an array of rank 0."""
    graph = module("input x: []\ninput z: []\noutput y = x\noutput w = z")
    _, cache = graph.forward(1.0, 2.0)
    for gradients in (graph.backward(cache), graph.backward(cache, y=1.0)):
        assert [type(one) for one in gradients.values()] == [np.float64, np.float64]


# ---- memory --------------------------------------------------------------------------------


@every_graph
def test_returned_arrays_share_no_memory(name: str) -> None:
    graph, given = generated(name), arguments(name)
    out, cache = graph.forward(**given)
    first = graph.backward(cache, **cotangents(name))
    second = graph.backward(cache, **cotangents(name))
    again, other_cache = graph.forward(**given)
    owned = [*arrays_in(given), *arrays_in(out), *arrays_in(cache), *arrays_in(first)]
    owned += [*arrays_in(second), *arrays_in(again), *arrays_in(other_cache)]
    for function in graph.GRAPH["multiply_adds"]:
        if function not in ("forward", "backward"):
            owned += arrays_in(getattr(graph, function)(**given))
    for one, other in itertools.combinations(owned, 2):
        assert not np.shares_memory(one, other)


def test_outputs_of_value_functions_share_no_memory() -> None:
    text = PLAIN + "derive value x2, y, z, flat, row as values\nderive value x2 as one"
    graph, x = module(text), np.ones((4, 3))
    found = [x, *graph.values(x), graph.one(x)]
    for one, other in itertools.combinations(found, 2):
        assert not np.shares_memory(one, other)


def test_parameters_share_no_memory() -> None:
    graph = generated("residual")
    one, other = graph.init(), graph.init()
    vector = graph.flatten(one)
    parts = graph.unflatten(vector)
    owned = [vector, *arrays_in(one), *arrays_in(other), *arrays_in(parts)]
    for first, second in itertools.combinations(owned, 2):
        assert not np.shares_memory(first, second)
    single = module("input x: [2]\nparam w: [2]\noutput y = sum(x * w)")
    params = {"w": np.ones(2)}
    assert not np.shares_memory(single.flatten(params), params["w"])


def test_gradients_share_no_memory_with_cotangents() -> None:
    graph = generated("plain")
    _, cache = graph.forward(np.ones((4, 3)))
    for output in ("x2", "z"):
        given = np.ones((4, 3))
        found = graph.backward(cache, **{output: given})["x"]
        assert not np.shares_memory(found, given)
        assert found.flags.writeable


@every_graph
def test_returned_arrays_are_writeable(name: str) -> None:
    out, _, gradients, *rest = everything(name, arguments(name))
    for array in arrays_in((out, gradients, *rest)):
        assert array.flags.writeable


@every_graph
def test_writing_between_forward_and_backward_changes_nothing(name: str) -> None:
    graph, given, seeds = generated(name), arguments(name), cotangents(name)
    out, cache = graph.forward(**given)
    expected = bits(graph.backward(graph.forward(**given)[1], **seeds))
    for array in arrays_in((given, out)):
        array[...] = 1 if array.dtype.kind == "b" else 77
    if "params" in given:
        given["params"].clear()
    assert bits(graph.backward(cache, **seeds)) == expected
    for array in arrays_in(graph.backward(cache, **seeds)):
        array[...] = 55
    assert bits(graph.backward(cache, **seeds)) == expected


# ---- kinds of arrays ----------------------------------------------------------------------------


def _read_only(array: np.ndarray, _: Path) -> np.ndarray:
    copy = array.copy()
    copy.flags.writeable = False
    return copy


def _strided(array: np.ndarray, _: Path) -> np.ndarray:
    wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
    wide[..., ::2] = array
    return wide[..., ::2]


def _reversed(array: np.ndarray, _: Path) -> np.ndarray:
    return np.ascontiguousarray(array[::-1])[::-1]


def _unaligned(array: np.ndarray, _: Path) -> np.ndarray:
    buffer = np.zeros(array.nbytes + 1, np.uint8)
    view = buffer[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    assert not view.flags.aligned or array.itemsize == 1
    return view


def _swapped_bytes(array: np.ndarray, _: Path) -> np.ndarray:
    return array.astype(array.dtype.newbyteorder())


def _memory_mapped(array: np.ndarray, folder: Path) -> np.ndarray:
    path = folder / f"{abs(hash(array.tobytes()))}-{array.ndim}.npy"
    np.save(path, array)
    return np.load(path, mmap_mode="r")


FORMS: dict[str, Callable[[np.ndarray, Path], Any]] = {
    "read-only": _read_only,
    "strided": _strided,
    "reversed": _reversed,
    "Fortran-ordered": lambda array, _: np.asfortranarray(array),
    "unaligned": _unaligned,
    "of swapped bytes": _swapped_bytes,
    "memory-mapped": _memory_mapped,
    "lists": lambda array, _: array.tolist(),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["residual", "windows", "classes", "plain", "no_inputs"])
def test_every_kind_of_array_gives_the_same_bits(name: str, form: str, tmp_path: Path) -> None:
    def formed(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: formed(item) for key, item in value.items()}
        return FORMS[form](value, tmp_path) if np.ndim(value) else value

    plain = arguments(name)
    given = formed(plain)
    before = pickle.dumps(given)
    assert bits(everything(name, given)) == bits(everything(name, plain))
    assert pickle.dumps(given) == before


def test_overlapping_inputs() -> None:
    graph = generated("residual")
    given = arguments("residual")
    memory = np.random.default_rng(1).normal(size=60)
    x, t = memory[:30].reshape(5, 6), memory[10:20].reshape(5, 2)
    params = {**given["params"], "head.b": memory[3:5], "up.b": memory[2:10]}
    before = memory.copy()
    out, cache = graph.forward(params, x, t)
    copies = {path: value.copy() for path, value in params.items()}
    expected, other = graph.forward(copies, x.copy(), t.copy())
    assert bits(out) == bits(expected)
    assert bits(graph.backward(cache)) == bits(graph.backward(other))
    np.testing.assert_array_equal(memory, before)


def test_broadcast_input_is_not_written_to() -> None:
    graph, one = generated("plain"), np.ones(1)
    x = np.broadcast_to(one, (4, 3))
    out, cache = graph.forward(x)
    for array in out:
        array[...] = 5
    np.testing.assert_array_equal(graph.backward(cache, y=np.ones((3, 4)))["x"], np.ones((4, 3)))
    assert one == 1


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int64", "bool", "float16", "float32"])
def test_numbers_promote(dtype: str) -> None:
    graph = generated("residual")
    given = arguments("residual")
    x = np.random.default_rng(2).integers(0, 2, (5, 6)).astype(dtype)
    found = graph.forward(given["params"], x, given["t"])
    assert bits(found) == bits(graph.forward(given["params"], x.astype("float64"), given["t"]))


def test_subclasses_do_not_change_what_operators_mean() -> None:
    graph = module("input a: [2, 2]\ninput b: [2, 2]\noutput y = a * b")
    with pytest.warns(PendingDeprecationWarning):
        matrix = np.matrix([[1.0, 2.0], [3.0, 4.0]])
    out, cache = graph.forward(matrix, matrix)
    assert type(out.y) is np.ndarray
    np.testing.assert_array_equal(out.y, [[1, 4], [9, 16]])
    assert type(graph.backward(cache, y=np.ones((2, 2)))["a"]) is np.ndarray


def test_an_empty_batch() -> None:
    graph, given = generated("classes"), arguments("classes")
    text = CLASSES.replace("output some = max(on)\n", "")
    graph = module(text)
    out, cache = graph.forward(given["params"], np.zeros(0, int), np.zeros(0, bool), 3)
    assert out.y.shape == (0, 3)
    assert out.total == 0
    np.testing.assert_array_equal(graph.backward(cache)["E"], np.zeros((5, 3)))
    plain, cache = generated("plain").forward(np.zeros((0, 3)))
    assert [one.shape for one in plain] == [(0, 3), (3, 0), (0, 3), (0,), (0,)]
    assert generated("plain").backward(cache)["x"].shape == (0, 3)


# ---- the same bits -----------------------------------------------------------------------------


@every_graph
def test_repeated_calls_give_the_same_bits(name: str) -> None:
    graph, seeds = generated(name), cotangents(name)
    expected = bits(everything(name, arguments(name)))
    everything(name, arguments(name, seed=5))
    assert bits(everything(name, arguments(name))) == expected
    _, cache = graph.forward(**arguments(name))
    before = bits(cache)
    assert bits(graph.backward(cache, **seeds)) == bits(graph.backward(cache, **seeds))
    assert bits(cache) == before


def test_sixteen_threads_at_once_give_the_same_bits() -> None:
    names = [*GRAPHS, *GRAPHS, "residual", "windows"][:16]
    expected = {name: bits(everything(name, arguments(name))) for name in GRAPHS}
    barrier = threading.Barrier(len(names))
    wrong: list[str] = []

    def run(name: str) -> None:
        barrier.wait(20)
        for _ in range(8):
            if bits(everything(name, arguments(name))) != expected[name]:
                wrong.append(name)

    threads = [threading.Thread(target=run, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert wrong == []


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with every module, from which they are imported."""
    for name, text in GRAPHS.items():
        (tmp_path / f"{name}_graph.py").write_text(compiled(text).text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in GRAPHS:
        sys.modules.pop(f"{name}_graph", None)


ISOLATED = """
import pickle, sys

class Refusing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "graphc":
            raise ImportError("graphc must not be imported")

sys.meta_path.insert(0, Refusing())
import importlib
calls = pickle.load(open("calls.pickle", "rb"))
results = {}
for name, (given, seeds) in calls.items():
    module = importlib.import_module(name + "_graph")
    out, cache = module.forward(**given)
    results[name] = out, cache, module.backward(cache, **seeds)
    module.check(**given)
pickle.dump(results, open("results.pickle", "wb"))
roots = {name.partition(".")[0] for name in sys.modules}
assert not roots & {"graphc", "click", "lark", "rich", "scipy", "jax"}, roots
"""


def test_another_process_without_graphc_gives_the_same_bits(folder: Path) -> None:
    """Cache and outputs come back by pickle."""
    calls = {name: (arguments(name), cotangents(name)) for name in GRAPHS}
    (folder / "calls.pickle").write_bytes(pickle.dumps(calls))
    (folder / "run.py").write_text(ISOLATED, encoding="utf-8")
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "run.py"], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    results = pickle.loads((folder / "results.pickle").read_bytes())
    for name, found in results.items():
        assert bits(found) == bits(everything(name, arguments(name))[:3]), name


@every_graph
def test_results_pickle(name: str, folder: Path) -> None:
    graph = __import__(f"{name}_graph")
    given = arguments(name)
    out, cache = graph.forward(**given)
    assert type(cache).__module__ == f"{name}_graph"
    copy_out, copy_cache = pickle.loads(pickle.dumps((out, cache)))
    assert type(copy_out) is graph.Outputs
    assert type(copy_cache) is graph.Cache
    assert bits((copy_out, copy_cache)) == bits((out, cache))
    seeds = cotangents(name)
    gradients = graph.backward(copy_cache, **seeds)
    assert bits(gradients) == bits(graph.backward(cache, **seeds))
    assert bits(pickle.loads(pickle.dumps(gradients))) == bits(gradients)
    if "params" in given:
        params = graph.init(**({"T": 4} if name == "windows" else {}))
        assert bits(pickle.loads(pickle.dumps(params))) == bits(params)


COMPILE = """
import json, sys
from graphc.compile.stages import Options, compile_text
options, texts = Options(level=sys.argv[1]), json.load(sys.stdin)
texts = {name: compile_text(text, options=options).text for name, text in texts.items()}
print(json.dumps(texts))
"""


def test_compilation_does_not_depend_on_the_hash_seed(tmp_path: Path, level: str) -> None:
    """Another process, whose seed is another than that of this one, writes the same."""
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    done = subprocess.run(
        [sys.executable, "-c", COMPILE, level],
        input=json.dumps(GRAPHS),
        cwd=tmp_path,
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found == {name: compiled(text).text for name, text in GRAPHS.items()}


# ---- the text ------------------------------------------------------------------------------------


TOOLS = {
    "ruff": ["check", "--isolated", "--no-cache"],
    "mypy": ["--strict", f"--cache-dir={ROOT / '.mypy_cache'}", "--config-file="],
}


RESERVED = """
    input class: [2]
    input np: [2]
    param count: [2]
    param index: []
    output self = class * np * count * index
    output print = sum(self)
    output params = class + np
"""
"""Names that Python or the module itself reserves."""


def lint(tool: str, folder: Path) -> None:
    """All modules in a folder."""
    files = sorted(str(path) for path in folder.glob("*.py"))
    command = [sys.executable, "-m", tool, *TOOLS[tool], *files]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"


@pytest.mark.readable
@pytest.mark.parametrize("tool", TOOLS)
def test_linters_accept_every_module(tool: str, tmp_path: Path) -> None:
    for level in LEVELS:
        texts = {name: compiled(text, level=level).text for name, text in GRAPHS.items()}
        texts["names"] = compiled(RESERVED, level=level).text
        texts["narrow"] = compiled(RESIDUAL, dtype="float32", level=level).text
        traced = compile_text(RESIDUAL, options=Options(level=level, trace=True))
        for name, text in {**texts, "traced": traced.text}.items():
            (tmp_path / f"{name}_{level[1:]}.py").write_text(text, encoding="utf-8")
    lint(tool, tmp_path)


@every_graph
def test_imports_are_numpy_and_the_standard_library(name: str) -> None:
    for node in ast.walk(ast.parse(compiled(GRAPHS[name]).text)):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            modules = [node.module or ""]
        else:
            continue
        for imported in modules:
            root = imported.partition(".")[0]
            assert root == "numpy" or root in sys.stdlib_module_names


def test_the_record_of_the_graph() -> None:
    graph = generated("residual")
    record = graph.GRAPH
    assert record["name"] == "graph"
    assert record["graphc"] == graphc.__version__
    assert record["dtype"] == "float64"
    assert record["dims"] == {"B": None, "D": 6}
    assert record["inputs"] == {"x": "[B, D]", "t": "[B, 2]"}
    assert record["outputs"] == {"y": "[B, 2]", "loss": "[]"}
    assert list(record["params"].items())[:3] == [
        ("scale", "[D]"),
        ("up.W", "[D, 8]"),
        ("up.b", "[8]"),
    ]
    assert record["bytes"]["params"] == 8 * (6 + 48 + 8 + 48 + 6 + 12 + 2)
    assert module(RESIDUAL, dtype="float32").GRAPH["bytes"]["params"] == 4 * 130
    assert set(record["multiply_adds"]) == {
        "forward", "backward", "value_loss", "grad_loss", "value_and_grad_loss", "both",
    }  # fmt: skip
    assert re.fullmatch("sha256:[0-9a-f]{64}", record["source"])
    assert json.loads(json.dumps(record)) == record
    assert "A residual network with two outputs." in (graph.__doc__ or "")
    assert "predictions" in (graph.__doc__ or "")
    assert generated("classes").GRAPH["inputs"] == {"k": "int[B]", "on": "bool[B]", "n": "int"}


@pytest.mark.readable
def test_multiply_adds_of_a_product() -> None:
    text = "dim N\ninput a: [4, 5]\ninput b: [5, N]\noutput y = a @ b"
    assert module(text).GRAPH["multiply_adds"]["forward"] == "20*N"
    assert module(text, dims=(("N", 3),)).GRAPH["multiply_adds"]["forward"] == 60


# ---- parameters --------------------------------------------------------------------------------


def test_init_is_deterministic() -> None:
    graph = generated("residual")
    assert bits(graph.init()) == bits(graph.init(0)) == bits(graph.init(seed=0))
    assert bits(graph.init(1)) != bits(graph.init(0))
    assert bits(graph.init(1)["up.W"]) != bits(graph.init(0)["up.W"])


def test_a_draw_does_not_depend_on_the_other_parameters() -> None:
    one = module("input x: [4]\nparam W: [3, 4]\noutput y = W @ x").init(7)
    other = module(
        "input x: [4]\nparam A: [3, 4]\nparam W: [3, 4]\nparam b: [3] ~ normal(0, 1)\n"
        "output y = (A + W) @ x + b"
    ).init(7)
    np.testing.assert_array_equal(one["W"], other["W"])
    assert not np.array_equal(other["A"], other["W"])


@pytest.mark.parametrize(
    ("initialiser", "shape", "mean", "variance", "bound"),
    [
        ("glorot", (400, 100), 0, 2 / 500, np.sqrt(6 / 500)),  # Glorot and Bengio 2010, eq. 16
        ("he", (400, 100), 0, 2 / 400, np.inf),  # He et al. 2015, eq. 10
        ("he", (40, 50, 4, 4), 0, 2 / (50 * 16), np.inf),  # a kernel: [out, in, …]
        ("glorot", (40, 50, 4, 4), 0, 2 / (90 * 16), np.sqrt(6 / (90 * 16))),
        ("normal(1, 0.5)", (40000,), 1, 0.25, np.inf),
        ("uniform(-1, 3)", (40000,), 1, 16 / 12, 3),
        ("zeros", (7, 3), 0, 0, 0),
        ("ones", (7, 3), 1, 0, 1),
        ("0.25", (7,), 0.25, 0, 0.25),
    ],
)
def test_initialisers(
    initialiser: str, shape: tuple[int, ...], mean: float, variance: float, bound: float
) -> None:
    text = f"param W: {list(shape)} ~ {initialiser}\noutput y = sum(W)"
    drawn = module(text).init(3)["W"]
    assert drawn.shape == shape
    assert drawn.mean() == pytest.approx(mean, abs=5 * np.sqrt(variance / drawn.size))
    assert drawn.var() == pytest.approx(variance, rel=0.05)
    assert np.abs(drawn).max() <= bound
    if bound not in (np.inf, 0):
        assert np.abs(drawn).max() > 0.98 * bound


@pytest.mark.parametrize("shape", [(5, 5), (7, 3), (3, 7), (4, 2, 3)])
def test_orthogonal(shape: tuple[int, ...]) -> None:
    drawn = module(f"param W: {list(shape)} ~ orthogonal\noutput y = sum(W)").init(3)["W"]
    assert drawn.shape == shape
    matrix = drawn.reshape(shape[0], -1)
    gram = matrix @ matrix.T if shape[0] <= matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-14)


def test_orthogonal_matrices_are_haar_distributed() -> None:
    """Every column is a uniform direction: the trace has mean 0 and variance 1."""
    graph = module("param W: [3, 3] ~ orthogonal\noutput y = sum(W)")
    traces = [np.trace(graph.init(seed)["W"]) for seed in range(1000)]
    assert np.mean(traces) == pytest.approx(0, abs=0.16)
    assert np.var(traces) == pytest.approx(1, abs=0.2)


def test_default_initialisers() -> None:
    drawn = module("param W: [30, 20]\nparam b: [20]\nparam s: []\noutput y = sum(W) + sum(b) * s")
    params = drawn.init(0)
    assert np.std(params["W"]) == pytest.approx(np.sqrt(2 / 50), rel=0.1)
    assert not params["b"].any()
    assert params["s"] == 0


def test_flatten_and_unflatten() -> None:
    graph, params = generated("residual"), arguments("residual")["params"]
    vector = graph.flatten(params)
    assert vector.shape == (130,)
    expected = np.concatenate([np.ravel(params[path]) for path in graph.PARAMETERS])
    np.testing.assert_array_equal(vector, expected)
    back = graph.unflatten(vector)
    assert list(back) == list(params)
    for path, value in params.items():
        np.testing.assert_array_equal(back[path], value, strict=True)
    np.testing.assert_array_equal(graph.flatten(dict(reversed(params.items()))), vector)
    with pytest.raises(ValueError, match=r"^the vector has shape \(131,\), expected \(130,\)$"):
        graph.unflatten(np.zeros(131))
    for wrong in ("130", np.ones(130, complex), None):
        with pytest.raises(TypeError, match=r"^the vector has dtype .*, expected float64$"):
            graph.unflatten(wrong)
    narrow = module(RESIDUAL, dtype="float32")
    assert narrow.flatten(params).dtype == "float32"


@pytest.mark.parametrize("given", [None, 1.0, ["y"], (("y", 1.0),), {"x"}])
def test_cotangents_and_tangents_are_dicts(given: object) -> None:
    made = module(
        "input x: [2]\noutput y = x**2\noutput s = sum(x**3)\n"
        "derive vjp y wrt x\nderive jvp y wrt x\nderive hvp s wrt x"
    )
    for name, word in (("vjp_y", "cotangents"), ("jvp_y", "tangents"), ("hvp_s", "tangents")):
        with pytest.raises(TypeError, match=rf"^{word}: expected a dict of arrays by path$"):
            getattr(made, name)([1.0, 2.0], **{word: given})


def test_symbolic_shapes_of_parameters() -> None:
    graph = generated("windows")
    assert graph.init(T=5)["w"].shape == (5,)
    assert graph.unflatten(np.arange(5.0), T=5)["w"].shape == (5,)


# ---- errors at entry ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Refusal:
    """A call that is refused, with the whole text of the error."""

    name: str
    changes: Mapping[str, Any]
    kind: type[Exception]
    message: str


_params = arguments("residual")["params"]
_without = {path: value for path, value in _params.items() if path != "up.b"}
REFUSALS = [
    Refusal("residual", {"params": _without}, ValueError, "parameters: missing up.b"),
    Refusal("residual", {"params": {**_params, "z": 1}}, ValueError, "parameters: unknown z"),
    Refusal(
        "residual",
        {"params": {**_without, "up.B": _params["up.b"]}},
        ValueError,
        "parameters: missing up.b; unknown up.B",
    ),
    Refusal(
        "residual",
        {"x": np.zeros(6)},
        ValueError,
        "input `x` has shape (6,), expected float[B, D]; for one sample write x[None, :]",
    ),
    Refusal(
        "residual",
        {"x": np.zeros((5, 7))},
        ValueError,
        "input `x` has shape (5, 7), expected [B, D] = (5, 6); B = 5 from input `x`",
    ),
    Refusal(
        "residual",
        {"t": np.zeros((4, 2))},
        ValueError,
        "input `t` has shape (4, 2), expected [B, 2] = (5, 2); B = 5 from input `x`",
    ),
    Refusal(
        "residual",
        {"params": {**_params, "up.W": np.zeros((8, 6))}},
        ValueError,
        "parameter `up.W` has shape (8, 6), expected [D, 8] = (6, 8); up.W.T has that shape",
    ),
    Refusal(
        "residual",
        {"x": np.zeros((5, 6), complex)},
        TypeError,
        "input `x` has dtype complex128, expected float[B, D]",
    ),
    Refusal(
        "residual",
        {"x": np.full((5, 6), "a")},
        TypeError,
        "input `x` holds 'a': not numbers, expected float[B, D]",
    ),
    Refusal(
        "residual",
        {"x": np.full((5, 6), None)},
        TypeError,
        "input `x` holds None: not numbers, expected float[B, D]",
    ),
    Refusal(
        "residual",
        {"t": np.zeros((5, 2), "datetime64[s]")},
        TypeError,
        "input `t` has dtype datetime64[s], expected float[B, 2]",
    ),
    Refusal(
        "classes",
        {"k": np.array([1.0, 2.0, 3.0])},
        TypeError,
        "input `k` has dtype float64, expected int[B]",
    ),
    Refusal(
        "classes",
        {"on": np.array([1, 0, 1])},
        TypeError,
        "input `on` has dtype int64, expected bool[B]",
    ),
    Refusal(
        "classes",
        {"on": np.array([True, False])},
        ValueError,
        "input `on` has shape (2,), expected [B] = (3,); B = 3 from input `k`",
    ),
    Refusal(
        "classes",
        {"n": [1]},
        ValueError,
        "input `n` has shape (1,), expected int[]; write n[..., 0]",
    ),
    Refusal(
        "windows",
        {"z": np.zeros((5, 3))},
        ValueError,
        "input `z`, axis 0, which has 2*L elements: its size 5 fits no whole number",
    ),
    Refusal(
        "windows",
        {"x": np.zeros(0)},
        ValueError,
        "input `x`, axis 0, which has T + 1 elements: its size 0 fits no whole number",
    ),
    Refusal(
        "windows",
        {"s": np.zeros(5)},
        ValueError,
        "input `s` has shape (5,), expected [T] = (4,); T = 4 from input `x`",
    ),
    Refusal(
        "unbound",
        {"T": -1},
        ValueError,
        "dim T is a whole number of at least 0, found -1",
    ),
    Refusal(
        "unbound",
        {"T": 2.5},
        ValueError,
        "dim T is a whole number of at least 0, found 2.5",
    ),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda one: f"{one.name}: {one.message}")
def test_entry_refuses(refusal: Refusal) -> None:
    graph, given = generated(refusal.name), arguments(refusal.name)
    functions = {"forward", "check", *graph.GRAPH["multiply_adds"]} - {"backward"}
    for function in functions:
        with pytest.raises(refusal.kind) as raised:
            getattr(graph, function)(**{**given, **refusal.changes})
        assert str(raised.value) == refusal.message, function


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.zeros((5, 3)), "the cotangent of `y` is float64 of shape (5, 3), expected float of"),
        (np.zeros(5), "the cotangent of `y` is float64 of shape (5,), expected float of"),
        (1.0, "the cotangent of `y` is float64 of shape (), expected float of"),
        (np.zeros((5, 2), complex), "the cotangent of `y` is complex128 of shape (5, 2), expected"),
    ],
)
def test_a_cotangent_of_another_shape_is_refused(value: Any, message: str) -> None:
    graph = generated("residual")
    _, cache = graph.forward(**arguments("residual"))
    with pytest.raises(ValueError, match="cotangent") as raised:
        graph.backward(cache, y=value)
    assert str(raised.value).startswith(message)
    assert "(5, 2)" in str(raised.value)


def test_a_ragged_list_is_refused_by_the_name_of_the_input() -> None:
    with pytest.raises((TypeError, ValueError), match="input `x`"):
        generated("plain").forward([[1.0, 2.0, 3.0], [1.0]])


def test_a_missing_input_is_refused_by_its_name() -> None:
    for value in (None, {}, "text"):
        with pytest.raises((TypeError, ValueError), match="input `x`"):
            generated("plain").forward(value)


def test_parameters_that_are_no_dict_are_refused() -> None:
    given = arguments("residual")
    with pytest.raises((TypeError, ValueError), match="param"):
        generated("residual").forward(list(given["params"].values()), given["x"], given["t"])


@pytest.mark.parametrize("index", [5, -6, 1 << 40])
def test_an_index_outside_the_table_is_an_error(index: int) -> None:
    given = {**arguments("classes"), "k": np.array([0, index, 1])}
    with pytest.raises((IndexError, ValueError)):
        generated("classes").forward(**given)


def test_an_unsigned_index_that_no_int64_holds_is_refused() -> None:
    given = {**arguments("classes"), "k": np.array([0, 2**64 - 1, 1], np.uint64)}
    with pytest.raises((IndexError, ValueError, TypeError, OverflowError)):
        generated("classes").forward(**given)


def test_dims_that_do_not_fit_a_slice_are_refused() -> None:
    graph = module("dim N\ninput x: [N]\noutput y = x[2:]\noutput z = x[1]")
    assert graph.forward([1.0, 2.0])[0].y.shape == (0,)
    with pytest.raises(ValueError, match=r"^the dims do not fit: .*; N = 1$"):
        graph.forward([1.0])


# ---- check -------------------------------------------------------------------------------------


@every_graph
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_check_passes(name: str, dtype: str) -> None:
    errors = module(GRAPHS[name], dtype=dtype).check(**arguments(name))
    graph = generated(name)
    derived = {"backward", *graph.GRAPH["multiply_adds"]} - {"forward", "value_loss", "both"}
    assert errors.keys() == derived
    assert max(errors.values()) < (1e-8 if dtype == "float64" else 2e-2)


@pytest.mark.readable
@pytest.mark.parametrize(
    ("text", "given", "right", "wrong"),
    [
        ("input x: [3]\noutput y = sum(sin(x))", {"x": [0.1, 0.2, 0.3]}, "np.cos(x)", "np.sin(x)"),
        ("input x: [3]\noutput y = sum(x * x)", {"x": [1.0, 2.0, 3.0]}, "d_y", "1.001 * d_y"),
    ],
)
def test_check_fails_where_a_derivative_is_wrong(
    text: str, given: dict[str, Any], right: str, wrong: str
) -> None:
    source = compiled(text).text
    head, backward = source.split("def backward(")
    body, tail = backward.split("def value_and_grad_y(")
    lines = body.split("\n")
    number = max(i for i, line in enumerate(lines) if " = " in line and right in line)
    before, after = lines[number].split(" = ", 1)
    lines[number] = f"{before} = {after.replace(right, wrong, 1)}"
    broken = head + "def backward(" + "\n".join(lines) + "def value_and_grad_y(" + tail
    assert broken != source
    with pytest.raises(ArithmeticError, match=r"backward") as raised:
        load(broken, "broken").check(**given)
    assert "value_and_grad_y" not in str(raised.value)
    errors = module(text).check(**given)
    assert errors.keys() == {"backward", "value_and_grad_y"}


def test_check_notices_nan() -> None:
    graph = module("input x: []\noutput y = where(x > 0, sqrt(x), 0)")
    with np.errstate(all="ignore"), pytest.raises(ArithmeticError):
        graph.check(-1.0)
