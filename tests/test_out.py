"""`out=`: gradients are written into the caller's arrays, after these have been checked."""

from __future__ import annotations

import inspect
import tracemalloc
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType, ModuleType
from typing import Any

import numpy as np
import pytest
from conftest import compiled, module

from graphc.compile.stages import Compilation
from graphc.source import Source
from graphc.targets.marks import without_statements
from graphc.targets.numpy.functions.derived import gradient_function
from tests.loading import loaded

NET = """
dim B
dim D = 4
input x: [B, D]
param scale: []
h = dense(x * scale, 3, act=tanh)
repeat layer[k in 1..3] carry z = h {
    next z = dense(z, 3, act=tanh) as fc
}
output y: [B, 2] = dense(z, 2)
output loss = mean(y**2)
derive grad loss wrt params
derive value_and_grad loss wrt x, layer.*, h as mixed
derive vjp y wrt params, x as pull
derive grad loss wrt params per B as each
derive hvp loss wrt params
derive jacobian y wrt scale
"""
CALLS = ("backward", "grad_loss", "mixed", "pull", "each")


def arguments(dtype: str = "float64") -> dict[str, Any]:
    rng = np.random.default_rng(5)
    params = {path: rng.normal(size=np.shape(v)) for path, v in made("-O0").init().items()}
    params["scale"] = np.float64(0.7)
    arrays = {"params": params, "x": rng.normal(size=(5, 4))}
    return {
        "params": {path: v.astype(dtype) for path, v in params.items()},
        "x": arrays["x"].astype(dtype),
    }


def made(level: str, dtype: str = "float64") -> ModuleType:
    return module(NET, level=level, dtype=dtype)


def call(net: ModuleType, name: str, given: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """The gradients that a function returns."""
    if name == "backward":
        found = net.backward(net.forward(**given)[1], **more)
    elif name == "pull":
        found = net.pull(**given, cotangents={"y": np.ones((5, 2))}, **more)
    else:
        found = getattr(net, name)(**given, **more)
    return found[-1] if isinstance(found, tuple) else found  # type: ignore[no-any-return]


def places(gradients: Mapping[str, Any], dtype: str = "float64") -> dict[str, np.ndarray]:
    """An array for each gradient, full of something else."""
    return {path: np.full(np.shape(g), np.nan, dtype) for path, g in gradients.items()}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("level", ["-O0", "-O2"])
@pytest.mark.parametrize("name", CALLS)
def test_gradients_are_written_into_out(name: str, level: str, dtype: str) -> None:
    """The same bits as without it, in the very arrays, in the same order."""
    net, given = made(level, dtype), arguments(dtype)
    expected = call(net, name, given)
    out = places(expected, dtype)
    for _ in range(2):  # what is left of the first call does not matter to the second
        found = call(net, name, given, out=out)
        assert list(found) == list(expected)
        assert all(found[path] is out[path] for path in out)
        assert all(np.array_equal(out[path], expected[path]) for path in out)


@pytest.mark.parametrize("name", CALLS)
def test_a_path_that_is_left_out_is_new(name: str) -> None:
    net, given = made("-O2"), arguments()
    expected = call(net, name, given)
    out = dict(list(places(expected).items())[::2])
    found = call(net, name, given, out=MappingProxyType(out))
    assert list(found) == list(expected)
    assert [path for path in found if found[path] is out.get(path)] == list(out)
    assert all(np.array_equal(found[path], expected[path]) for path in expected)
    assert all(type(found[path]) is type(expected[path]) for path in expected.keys() - out.keys())
    assert call(net, name, given, out={}).keys() == expected.keys()


def test_a_scalar_goes_into_an_array_of_rank_0() -> None:
    net, given = made("-O2"), arguments()
    place = np.zeros(())
    found = net.grad_loss(**given, out={"scale": place})["scale"]
    assert found is place
    assert place == net.grad_loss(**given)["scale"] != 0
    with pytest.raises(TypeError, match=r"^out: `scale` is no array$"):
        net.grad_loss(**given, out={"scale": np.float64(0.0)})


def test_strided_arrays_and_subclasses_take_gradients(tmp_path: Any) -> None:
    """Rows of a larger array, a transpose, a file."""
    net, given = made("-O2"), arguments()
    expected = net.grad_loss(**given)
    out = places(expected)
    out["h.W"] = np.zeros((3, 4)).T
    out["h.b"] = np.zeros((3, 9))[:, 4]
    out["y.W"] = np.memmap(tmp_path / "W", np.float64, "w+", shape=(3, 2))
    found = net.grad_loss(**given, out=out)
    assert all(found[path] is out[path] for path in out)
    assert all(np.array_equal(out[path], expected[path]) for path in out)


def test_one_vector_for_all_gradients() -> None:
    """Parts of one buffer are not each other's memory, though they have one owner."""
    net, given = made("-O2"), arguments()
    expected = net.grad_loss(**given)
    vector = np.zeros(net.flatten(expected).shape)
    ends = np.cumsum([np.size(expected[path]) for path in net.PARAMETERS])
    parts = zip(net.PARAMETERS, np.split(vector, ends[:-1]), strict=True)
    out = {path: part.reshape(np.shape(expected[path])) for path, part in parts}
    net.grad_loss(**given, out=out)
    assert np.array_equal(vector, net.flatten(expected))
    columns = np.zeros((3, 4))  # and their addresses may be interleaved
    out = {"h.b": columns[:, 0], "layer.1.fc.b": columns[:, 1], "layer.3.fc.W": columns[:, 1:]}
    del out["layer.1.fc.b"]
    net.grad_loss(**given, out=out)
    assert np.array_equal(columns[:, 0], expected["h.b"])
    assert np.array_equal(columns[:, 1:], expected["layer.3.fc.W"])


# ---- what is refused -----------------------------------------------------------------------------


def read_only(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array


REFUSED: list[tuple[Any, type[Exception], str]] = [
    ({"z": np.zeros(3)}, ValueError, "out: unknown z; expected some of scale, h.W, h.b, layer.1."),
    ({"layer.4.fc.b": np.zeros(3)}, ValueError, "out: unknown layer.4.fc.b; expected some of "),
    ({"h.b": [0.0, 0.0, 0.0]}, TypeError, "out: `h.b` is no array"),
    ({"h.b": None}, TypeError, "out: `h.b` is no array"),
    (
        {"h.b": np.zeros(3, np.float32)},
        TypeError,
        "out: `h.b` has dtype float32, expected float64",
    ),
    ({"h.b": np.zeros(3, ">f8")}, TypeError, "out: `h.b` has dtype >f8, expected float64"),
    ({"h.b": np.zeros((3, 1))}, ValueError, "out: `h.b` has shape (3, 1), expected (3,)"),
    (
        {"layer.2.fc.W": np.zeros((2, 3))},
        ValueError,
        "out: `layer.2.fc.W` has shape (2, 3), expected (3, 3)",
    ),
    ({"scale": np.zeros(1)}, ValueError, "out: `scale` has shape (1,), expected ()"),
    ({"h.b": read_only(np.zeros(3))}, ValueError, "out: `h.b` is read-only"),
    ([np.zeros(3)], TypeError, "out: expected a dict of arrays by path"),
]


@pytest.mark.parametrize("name", ["backward", "grad_loss"])
@pytest.mark.parametrize(("out", "kind", "message"), REFUSED, ids=[one[2] for one in REFUSED])
def test_refused(name: str, out: Any, kind: type[Exception], message: str) -> None:
    """Before anything is written."""
    net, given = made("-O2"), arguments()
    good = np.full((4, 3), 7.0)
    mixed = {"h.W": good, **out} if isinstance(out, dict) else out
    with pytest.raises(kind) as raised:
        call(net, name, given, out=mixed)
    assert str(raised.value).startswith(message)
    assert np.all(good == 7)


def test_gradients_by_example_have_their_own_shape() -> None:
    net, given = made("-O0"), arguments()
    with pytest.raises(ValueError, match=r"^out: `h.b` has shape \(3,\), expected \(5, 3\)$"):
        net.each(**given, out={"h.b": np.zeros(3)})


def test_out_shares_no_memory() -> None:
    """With an argument, with another place: whole, in part, or through another owner."""
    net, given = made("-O2"), arguments()
    params = given["params"]
    with pytest.raises(ValueError, match=r"^out: `h.W` shares memory with an argument or the"):
        net.grad_loss(**given, out={"h.W": params["h.W"]})
    with pytest.raises(ValueError, match=r"`layer.2.fc.W` shares memory with an argument"):
        net.grad_loss(**given, out={"layer.2.fc.W": params["layer.2.fc.W"].T})
    with pytest.raises(ValueError, match=r"`h.b` shares memory with an argument"):
        net.grad_loss(**given, out={"h.b": given["x"][0, :3]})
    with pytest.raises(ValueError, match=r"`h.b` shares memory with an argument"):
        net.grad_loss(**given, out={"h.b": np.frombuffer(given["x"], count=3)})
    both = np.zeros(4)
    with pytest.raises(ValueError, match=r"out: `layer.3.fc.b` shares memory with `h.b`"):
        net.grad_loss(**given, out={"layer.3.fc.b": both[:3], "h.b": both[1:]})
    same = np.zeros(3)
    with pytest.raises(ValueError, match=r"out: `h.b` shares memory with `layer.1.fc.b`"):
        net.grad_loss(**given, out={"h.b": same, "layer.1.fc.b": same})
    net.grad_loss(**given, out={"h.b": both[:3], "layer.1.fc.b": same})


def test_out_shares_no_memory_with_the_cache() -> None:
    net, given = made("-O2"), arguments()
    _, cache = net.forward(**given)
    held = [one for value in cache for one in (value if isinstance(value, list) else [value])]
    tried = 0
    for one in held:
        shapes = {path: np.shape(g) for path, g in net.backward(cache).items()}
        path = next((path for path, shape in shapes.items() if shape == np.shape(one) != ()), None)
        if path is not None:
            tried += 1
            with pytest.raises(ValueError, match="shares memory with an argument or the cache"):
                net.backward(cache, out={path: one})
    assert tried


def test_which_functions_take_it() -> None:
    """Those that return one dict of gradients."""
    net = made("-O0")
    names = [
        n
        for n in net.GRAPH["multiply_adds"]
        if "out" in inspect.signature(getattr(net, n)).parameters
    ]
    assert names == list(CALLS)


# ---- names ---------------------------------------------------------------------------------------


def test_arguments_and_outputs_with_taken_names() -> None:
    """Inputs and outputs may be called as the arguments of functions are."""
    text = """
        input out, cotangents, tangents: [3]
        param params: [3]
        output cache = sum(out * cotangents * tangents * params)
        derive grad cache wrt out
        derive vjp cache as pull
        derive jvp cache wrt cotangents as push
    """
    net, one = module(text), np.array([1.0, 2.0, 3.0])
    given = ({"params": one}, one, one, one)
    outputs, cache = net.forward(*given)
    assert outputs.cache_ == 98
    place = np.zeros(3)
    assert net.grad_cache(*given, out={"out": place})["out"] is place
    assert np.array_equal(place, one**3)
    backward = inspect.signature(net.backward).parameters
    assert list(backward) == ["cache", "cache_", "out"]
    assert np.array_equal(net.backward(cache, cache_=2.0)["params"], 2 * one**3)
    assert max(net.check(*given).values()) < 1e-6
    text = "input x: [3]\noutput out = sum(x * x)\noutput loss = sum(x)"
    net = module(text)
    outputs, cache = net.forward(one)
    assert outputs.out_ == 14
    assert list(inspect.signature(net.backward).parameters) == ["cache", "out_", "loss", "out"]
    assert np.array_equal(net.backward(cache, out_=1.0)["x"], 2 * one)
    assert max(net.check(one).values()) < 1e-6


# ---- how it is arranged --------------------------------------------------------------------------


def test_without_out_nothing_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    net, given = made("-O2"), arguments()
    for name in ("_destinations", "_disjoint"):
        monkeypatch.setattr(net, name, None)
    net.grad_loss(**given)
    net.backward(net.forward(**given)[1])


def test_a_program_may_write_into_the_places() -> None:
    """The variables that it asks for hold the arrays of `out`, or None, by path or family."""
    compilation = Compilation(Source("graph", NET))
    programs = compilation.programs
    with compilation.open():
        (one,) = (d for d in programs.derived if d.program.name == "grad_loss")
        asked = {"h.W": "out_h_W", "layer.*.fc.b": "out_b", "y.b": "out_y_b", "scale": "out_s"}
        text = without_statements(gradient_function(programs, replace(one, destinations=asked)))
    head, body = text.split("    h = ", 1)
    seen = f"    SEEN.append([{', '.join(asked.values())}])\n"
    net, given = loaded(compiled(NET).text, "asked"), arguments()
    net.SEEN = []  # type: ignore[attr-defined]
    exec(f"{head}{seen}    h = {body}", net.__dict__)
    out = {path: place for path, place in places(net.init()).items() if path != "y.b"}
    net.grad_loss(**given, out=out)
    W, b, y_b, s = net.SEEN.pop()
    assert W is out["h.W"]
    assert y_b is None
    assert s is out["scale"]
    assert [id(one) for one in b] == [id(out[f"layer.{k}.fc.b"]) for k in (1, 2, 3)]
    net.grad_loss(**given)
    assert net.SEEN.pop() == [None] * 4
    out["h.W"] = np.zeros((3, 4)).T  # a product could not write into this one: it is copied
    assert net.grad_loss(**given, out=out)["h.W"] is out["h.W"]
    assert net.SEEN.pop()[0] is None


class Counting:
    """NumPy, but for `copyto`, which says what it copies into."""

    def __init__(self) -> None:
        self.copied: list[np.ndarray] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def copyto(self, to: np.ndarray, values: Any) -> None:
        self.copied.append(to)
        np.copyto(to, values)


@pytest.mark.parametrize("name", ["backward", "grad_loss", "pull"])
def test_the_fast_module_computes_in_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No matrix is copied; small sums may be."""
    net = module(WIDE, level="-O2")
    given = {"params": net.init(), "x": np.ones((3, 200))}
    more = {"cotangents": {"y": np.ones((3, 200))}} if name == "pull" else {}
    function = getattr(net, name)
    if name == "backward":
        given = {"cache": net.forward(**given)[1]}
    out = places(net.init())
    counting = Counting()
    monkeypatch.setattr(net, "np", counting)
    function(**given, **more, out=out)
    copied = {path for path, place in out.items() if any(place is one for one in counting.copied)}
    assert not any(path.endswith("W") for path in copied)


def test_gradients_take_no_memory_beside_out() -> None:
    net = module(WIDE, level="-O2")
    params, x = net.init(), np.ones((3, 200))
    out = places(params)
    peaks = []
    for more in ({}, {"out": out}):
        net.grad_loss(params, x, **more)
        tracemalloc.start()
        net.grad_loss(params, x, **more)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[0] > 200 * 300 * 8 * 2 > 100_000 > peaks[1]


WIDE = """
dim B
input x: [B, 200]
x -> dense(300, act=tanh) as h -> repeat layer[k in 1..3] { dense(300, act=tanh) as fc } -> z
output y = dense(z, 200)
output loss = mean(y**2)
derive grad loss wrt params
derive vjp y wrt params as pull
"""

SHAPES = """
dim N, M
input x: [N, M]
input i: int [N]
param whole: [M, N]
param twice, once: [M]
param table: [7, M]
repeat layer[k in 0..2] carry h = x * twice + table[i] {
    param a, c: [M]
    param b: []
    next h = sin(h * a + b) * c + twice
}
scan step[n in 0..N-1] carry s = once {
    next s = tanh(s * h[n] + twice)
    collect all_s = s
}
output y = sum(s) + sum(transpose(x)**2 * whole) + sum(all_s[0]) + sum(twice - once)
derive grad y wrt params
derive grad y wrt params, x as more
"""


@pytest.mark.parametrize("name", ["backward", "grad_y", "more"])
@pytest.mark.parametrize("sizes", [(5, 3), (1, 1), (1, 4)])
def test_places_for_all_kinds_of_gradients(name: str, sizes: tuple[int, int]) -> None:
    """Of what is used twice, in loops, by index, transposed: the bits are as without `out`."""
    net = module(SHAPES, level="-O2")
    rng = np.random.default_rng(8)
    N, M = sizes
    params = {path: rng.normal(size=np.shape(v)) for path, v in net.init(N=N, M=M).items()}
    given = {"params": params, "x": rng.normal(size=sizes), "i": rng.integers(0, 7, N)}
    expected = call(net, name, given)
    out = places(expected)
    for _ in range(2):
        found = call(net, name, given, out=out)
        assert all(found[path] is out[path] for path in out)
        assert all(np.array_equal(out[path], expected[path]) for path in out)
    some = {path: out[path] for path in list(out)[1::2]}
    found = call(net, name, given, out=some)
    assert all(np.array_equal(found[path], expected[path]) for path in expected)
    assert not any(np.shares_memory(found[p], out[q]) for p in found for q in out if p != q)


def test_nothing_is_kept_of_out() -> None:
    """Memory does not grow over calls."""
    net, given = made("-O2"), arguments()
    out = places(net.grad_loss(**given))
    net.grad_loss(**given, out=out)
    tracemalloc.start()
    try:
        for _ in range(30):  # Python itself keeps a little for code that is run often
            net.grad_loss(**given, out=out)
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(20):
            net.grad_loss(**given, out=out)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 2000


FAMILIES = """
input x: [2]
param first: [2]
repeat layer[k in 2..4] carry h = x * first {
    param a: [2]
    param b: []
    param c: [2]
    next h = sin(h * a + b) * c
}
repeat tail[k in 0..1] carry g = h {
    param s: []
    next g = g * s
}
output y = sum(g)
derive grad y wrt params
derive grad y wrt tail.*, layer.* as some
derive hvp y wrt layer.*, first as product
"""


@pytest.mark.parametrize("name", ["backward", "grad_y", "some", "product"])
def test_members_of_families_have_their_paths_at_each_level(name: str) -> None:
    plain, fast = (module(FAMILIES, level=level) for level in ("-O0", "-O2"))
    rng = np.random.default_rng(6)
    params = {path: rng.normal(size=np.shape(v)) for path, v in plain.init().items()}
    more = {"tangents": {"layer.3.a": np.ones(2)}} if name == "product" else {}
    given = {"params": params, "x": np.array([0.3, 0.7])}
    one, two = call(plain, name, given, **more), call(fast, name, given, **more)
    assert list(one) == list(two)
    for path in one:
        assert np.shape(one[path]) == np.shape(two[path]) == np.shape(params[path])
        np.testing.assert_allclose(two[path], one[path], rtol=1e-13)
