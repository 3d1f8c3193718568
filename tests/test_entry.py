"""How a call begins: what is right passes as it is, all else is converted or refused."""

from __future__ import annotations

import pickle
from collections import UserDict, defaultdict
from collections.abc import Mapping
from types import MappingProxyType, ModuleType
from typing import Any

import numpy as np
import pytest
from conftest import module

from graphc.compile.stages import Options, compile_text
from tests.loading import loaded

NET = """
dim B, N
dim D = 4
input x: [B, D]
input label: int[B]
input on: bool[B]
input scale: []
param W: [D, N]
param b: [N]
y = where(on[:, _], x @ W + b, 0.0) * scale
output loss = cross_entropy(y, label)
derive value_and_grad loss wrt params
"""
LAYERS = """
dim B, D
input x: [B, D]
repeat layer[k in 0..2] carry h = x {
    param W: [D, D]
    param s: []
    next h = tanh(h @ W * s)
}
output y = sum(h)
"""


def arguments() -> dict[str, Any]:
    rng = np.random.default_rng(3)
    params = {"W": rng.normal(size=(4, 3)), "b": rng.normal(size=3)}
    return {
        "params": params,
        "x": rng.normal(size=(2, 4)),
        "label": np.array([2, 0]),
        "on": np.array([True, False]),
        "scale": np.float64(1.5),
    }


def layers() -> dict[str, Any]:
    rng = np.random.default_rng(4)
    params: dict[str, Any] = {}
    for k in range(3):
        params |= {f"layer.{k}.W": rng.normal(size=(2, 2)), f"layer.{k}.s": np.float64(k + 1)}
    return {"params": params, "x": rng.normal(size=(5, 2))}


@pytest.fixture(params=["-O0", "-O2"])
def net(request: pytest.FixtureRequest) -> ModuleType:
    return loaded(compile_text(NET, options=Options(level=request.param)).text, "entered")


def test_what_is_right_is_taken_as_it_is(net: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """The slow function is not even called, and nothing is copied."""

    def slow(*given: Any) -> Any:
        raise AssertionError(f"not right: {given}")

    for name in ("_array", "_names"):
        monkeypatch.setattr(net, name, slow)
    given = arguments()
    entered = net._enter(**given)
    sources = [*(given[n] for n in ("x", "label", "on", "scale")), *given["params"].values()]
    assert all(one is other for one, other in zip(entered, sources, strict=False))
    assert entered[len(sources) :] == (2, 3)  # B, N


def test_families_are_taken_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    made, given = module(LAYERS), layers()
    monkeypatch.setattr(made, "_array", None)
    _, W, s, *dims = made._enter(**given)
    assert [id(one) for one in W] == [id(given["params"][f"layer.{k}.W"]) for k in range(3)]
    assert s == [1.0, 2.0, 3.0]
    assert dims == [5, 2]


FORMS = {
    "unpickled": lambda a: pickle.loads(pickle.dumps(a)),  # its dtype is equal, but another object
    "read-only": lambda a: np.frombuffer(a.tobytes(), a.dtype).reshape(a.shape),
}


@pytest.mark.parametrize("form", FORMS)
def test_more_that_needs_no_copy(net: ModuleType, form: str) -> None:
    given = arguments()
    x = FORMS[form](given["x"])
    assert np.shares_memory(net._enter(**{**given, "x": x})[0], x)


@pytest.mark.parametrize(
    "change",
    [
        lambda a: np.asfortranarray(a),
        lambda a: a.astype(a.dtype.newbyteorder()),
        lambda a: a.view(np.matrix) if a.ndim == 2 else a,
        lambda a: np.ma.masked_array(a, mask=a > 0),
        lambda a: a.tolist(),
        lambda a: a.view(type("Sub", (np.ndarray,), {"__matmul__": None})),
    ],
)
def test_all_else_is_converted(net: ModuleType, change: Any) -> None:
    """To plain arrays, with the same numbers, which give the same results."""
    given = arguments()
    expected = net.value_and_grad_loss(**given)
    params = {path: change(value) for path, value in given["params"].items()}
    x, _, _, _, W, *_ = net._enter(**{**given, "params": params, "x": change(given["x"])})
    assert type(x) is type(W) is np.ndarray
    assert x.flags.carray
    assert W.flags.carray
    found = net.value_and_grad_loss(**{**given, "params": params, "x": change(given["x"])})
    assert found[0] == expected[0]
    assert all(np.array_equal(found[1][path], expected[1][path]) for path in params)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "value", [2.0, 2, True, np.float32(2), np.float64(2), np.array(2.0), np.int8(2), np.array(2)]
)
def test_scalars_become_scalars_of_the_module(dtype: str, value: Any) -> None:
    made = module("input a: []\noutput y = a * a", dtype=dtype)
    (a,) = made._enter(value)
    assert type(a) is made.FLOAT
    assert a == float(value)


@pytest.mark.parametrize("value", [2, np.int8(2), np.uint64(2), np.array(2)])
def test_integers_become_int64(value: Any) -> None:
    (n,) = module("input n: int\noutput y = n * n")._enter(value)
    assert type(n) is np.int64
    assert n == 2


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1.0], "input `a` has shape (1,), expected float[]; write a[..., 0]"),
        (np.zeros((2, 1)), "input `a` has shape (2, 1), expected float[]"),
        (1j, "input `a` has dtype complex128, expected float[]"),
        ("1", "input `a` holds '1': not numbers, expected float[]"),
        (None, "input `a` is None, expected float[]"),
        (10**30, "input `a` has dtype object, expected float[]"),
    ],
)
def test_what_is_no_scalar(value: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError)) as raised:
        module("input a: []\noutput y = a * a").forward(value)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("shape", "fits"),
    [
        ((8,), "for one sample write x[None, :]"),
        ((1, 5, 8), ""),
        ((8, 5), "x.T has that shape"),
        ((5, 8, 1), "write x[..., 0]"),
        ((5,), ""),
        ((5, 7), ""),
        ((), ""),
    ],
)
def test_what_fits_instead_is_said(shape: tuple[int, ...], fits: str) -> None:
    net = module("dim B\ninput x: [B, 8]\ninput t: [B, 1]\noutput y = sum(x * t)")
    x = np.zeros(shape)
    with pytest.raises(ValueError, match="input `x` has shape") as raised:
        net.forward(x, np.zeros((5, 1)))
    said = str(raised.value)
    assert said.endswith(fits) if fits else "write" not in said and ".T" not in said
    if fits:  # and it does
        found = eval(fits.split("write ")[-1].split(" has")[0], {"x": x})
        net.forward(found, np.zeros((len(found), 1)))


def test_a_column_is_written_as_one() -> None:
    net = module("dim B\ninput t: [B, 1]\noutput y = sum(t)")
    with pytest.raises(
        ValueError, match=r"has shape \(5,\), expected float\[B, 1\]; write t\[:, None\]$"
    ):
        net.forward(np.zeros(5))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (np.array([1.0, "a"], object), "holds 'a': not numbers"),
        (np.array(["a", "b"]), "holds 'a': not numbers"),
        ([1.0, None], "holds None: not numbers"),
        (np.array([1, 2], object), "has dtype object"),
        (np.array([1j, 2]), "has dtype complex128"),
    ],
)
def test_what_is_no_number_is_shown(value: Any, said: str) -> None:
    """A column of text makes an array of objects of a table."""
    with pytest.raises(TypeError) as raised:
        module("dim B\ninput x: [B]\noutput y = sum(x)").forward(value)
    assert str(raised.value) == f"input `x` {said}, expected float[B]"


# ---- parameters by path --------------------------------------------------------------------------


class Other(Mapping[str, Any]):
    """A mapping that is no dict, as an npz file is."""

    def __init__(self, held: dict[str, Any]) -> None:
        self.held = held

    def __getitem__(self, path: str) -> Any:
        return self.held[path]

    def __iter__(self) -> Any:
        return iter(self.held)

    def __len__(self) -> int:
        return len(self.held)


@pytest.mark.parametrize("kind", [Other, UserDict, MappingProxyType])
def test_any_mapping_holds_parameters(net: ModuleType, kind: Any) -> None:
    given = arguments()
    expected = net.value_and_grad_loss(**given)[0]
    assert net.value_and_grad_loss(**{**given, "params": kind(given["params"])})[0] == expected
    with pytest.raises(ValueError, match=r"parameters: missing b$"):
        net.forward(**{**given, "params": kind({"W": given["params"]["W"]})})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"c": 1.0}, "parameters: unknown c"),
        ({"c": 1.0, "b": None}, "parameters: missing b; unknown c"),
        ({"b": None}, "parameters: missing b"),
        ({"b": None, "W": None}, "parameters: missing W, b"),
        ({3: 1.0, "b": None}, "parameters: missing b; unknown 3"),
    ],
)
def test_other_paths(net: ModuleType, change: dict[Any, Any], message: str) -> None:
    """As many of them or not."""
    given = arguments()
    changed = {**given["params"], **change}
    params = {path: value for path, value in changed.items() if value is not None}
    with pytest.raises(ValueError, match="parameters") as raised:
        net.forward(**{**given, "params": params})
    assert str(raised.value) == message


def test_a_dict_that_makes_values_makes_none(net: ModuleType) -> None:
    given = arguments()
    params = defaultdict(lambda: np.zeros(3), W=given["params"]["W"])
    with pytest.raises(ValueError, match=r"parameters: missing b$"):
        net.forward(**{**given, "params": params})
    assert list(params) == ["W"]


# ---- shapes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("layer.0.W", np.zeros(2), "parameter `layer.0.W` has shape (2,), expected float[D, D]"),
        (
            "layer.2.W",
            np.zeros((2, 3)),
            "parameter `layer.2.W` has shape (2, 3), expected [D, D] = (2, 2); "
            "D = 2 from input `x`",
        ),
        ("layer.1.s", [1.0], "parameter `layer.1.s` has shape (1,), expected float[]"),
        ("layer.1.s", 1j, "parameter `layer.1.s` has dtype complex128, expected float[]"),
    ],
)
def test_members_of_families_are_named(path: str, value: Any, message: str) -> None:
    given = layers()
    given["params"][path] = value
    with pytest.raises((TypeError, ValueError)) as raised:
        module(LAYERS).forward(**given)
    assert str(raised.value) == message


def test_members_of_families_are_converted_alone() -> None:
    made, given = module(LAYERS), layers()
    expected = made.forward(**given)[0].y
    before = dict(given["params"])
    given["params"] |= {"layer.1.W": before["layer.1.W"].tolist(), "layer.2.s": 3}
    _, W, s, *_ = made._enter(**given)
    assert W[0] is before["layer.0.W"]
    assert type(W[1]) is np.ndarray
    assert type(s[2]) is np.float64
    assert made.forward(**given)[0].y == expected
    assert type(given["params"]["layer.1.W"]) is list  # the dict of the caller stays as it was


def test_a_family_may_bind_a_dim() -> None:
    text = """
        dim D
        repeat layer[k in 1..2] carry h = 0.0 {
            param w: [D]
            next h = h + sum(w)
        }
        output y = h
    """
    made = module(text)
    params = {"layer.1.w": np.ones(3), "layer.2.w": np.ones(3)}
    assert made.forward(params)[0].y == 6
    with pytest.raises(ValueError, match=r"`layer.2.w` has shape \(2,\), expected \[D\] = \(3,\)"):
        made.forward({**params, "layer.2.w": np.ones(2)})
    with pytest.raises(ValueError, match=r"`layer.1.w` has shape \(\), expected float\[D\]$"):
        made.forward({**params, "layer.1.w": 1.0})


def test_dims_that_a_later_argument_binds() -> None:
    made = module("dim N, M\ninput a: [N + M]\ninput b: [2*N]\noutput y = sum(a) + sum(b)")
    assert made._enter(np.zeros(5), np.zeros(4))[2:] == (2, 3)
    with pytest.raises(
        ValueError, match=r"input `a`, axis 0, which has M \+ N elements: its size 1"
    ):
        made.forward(np.zeros(1), np.zeros(4))
    with pytest.raises(ValueError, match=r"input `a` has shape \(5, 1\), expected float\["):
        made.forward(np.zeros((5, 1)), np.zeros(4))
    made = module("dim N, M\ninput a: [N, N*M]\ninput b: [M]\noutput y = sum(a) + sum(b)")
    assert made._enter(np.zeros((2, 6)), np.zeros(3))[2:] == (2, 3)
    with pytest.raises(ValueError, match=r"expected \[N, M\*N\] = \(2, 4\); M = 2 from input `b`"):
        made.forward(np.zeros((2, 6)), np.zeros(2))


def test_of_several_wrong_arguments_the_first_is_named(net: ModuleType) -> None:
    given = {**arguments(), "label": np.zeros(3, int), "on": np.zeros(2)}
    with pytest.raises(ValueError, match="input `label` has shape"):
        net.forward(**given)


def test_dims_by_name() -> None:
    made = module("dim T\noutput y = arange(T)")
    assert made._enter(T=np.int32(3)) == (3,)
    assert type(made._enter(T=np.int32(3))[0]) is int
    with pytest.raises(ValueError, match=r"dim T is a whole number of at least 0, found True"):
        made.forward(T=True)


@pytest.mark.parametrize("name", ["one", "_one", "_FLOAT", "_k", "params", "values", "type", "int"])
def test_inputs_with_names_that_the_entry_uses(name: str) -> None:
    text = f"""
        dim D
        input {name}: [D]
        repeat layer[k in 1..2] carry h = {name} {{
            param w: [D]
            next h = h * w
        }}
        output y = sum(h)
    """
    params = {"layer.1.w": np.full(3, 2.0), "layer.2.w": [1.0, 2.0, 3.0]}
    assert module(text).forward(params, np.array([1.0, 10.0, 100.0]))[0].y == 2 * 321


def test_a_dim_that_nothing_reads_is_no_argument() -> None:
    """Where something reads it, be it a condition alone or a count of steps, it is one."""
    unread = module("dim T, U\ninput x: [2]\noutput y = sum(x**2)\nderive grad y wrt x")
    assert unread.forward([1.0, 2.0])[0].y == 5.0
    assert unread.grad_y([1.0, 2.0])["x"].tolist() == [2.0, 4.0]
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        unread.forward([1.0, 2.0], T=3)
    for read in (
        "require T > 1\noutput y = sum(x)",
        "output y = sum(x) / T",
        "output y = sum(zeros([T])) + sum(x)",
        "scan s[t in 1..T] carry h = 0.0 { next h = h + sum(x) }\noutput y = h",
    ):
        made = module(f"dim T\ninput x: [2]\n{read}")
        made.forward([1.0, 2.0], T=3)
        with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'T'"):
            made.forward([1.0, 2.0])
