"""Parameters in files: the same in other libraries, and nothing believed that a file claims."""

from __future__ import annotations

import json
import pickle
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from conftest import module

import graphc
from graphc.parameters import TENSORS, Untrue, read_arrays, write_arrays

NET = """dim B
input x: [B, 3]
h = dense(x, 4, act=tanh)
output y = dense(h, 2)
param g
output z = g * 2
"""
ENDINGS = ("npz", "safetensors")


def same(one: Any, other: Any) -> None:
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])
        assert np.shape(one[name]) == np.shape(other[name])


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_parameters_go_to_a_file_and_back(tmp_path: Path, ending: str, dtype: str) -> None:
    net = module(NET, dtype=dtype)
    params, path = net.init(seed=3), tmp_path / f"p.{ending}"
    graphc.save_parameters(path, params, net)
    found = graphc.load_parameters(path, net)
    same(found, params)
    assert {np.asarray(one).dtype.name for one in found.values()} == {dtype}
    assert list(found) == list(net.PARAMETERS)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    net.forward(found, np.ones((2, 3)))


def test_the_same_in_numpy_and_in_safetensors(tmp_path: Path) -> None:
    arrays = {
        "a.b": np.arange(6.0).reshape(2, 3).T,
        "file": np.float32(3),
        "empty": np.zeros((0, 4), np.float16),
        "n": np.arange(-3, 3, dtype=">i8"),
        "yes": np.array([True, False]),
        "bytes": np.arange(250, 256, dtype=np.uint8),
    }
    write_arrays(tmp_path / "a.npz", arrays)
    with np.load(tmp_path / "a.npz") as there:
        same(dict(there), arrays)
    np.savez_compressed(tmp_path / "b.npz", **{k: v for k, v in arrays.items() if k != "file"})
    same(read_arrays(tmp_path / "b.npz"), {k: v for k, v in arrays.items() if k != "file"})
    write_arrays(tmp_path / "a.safetensors", arrays)
    same(safetensors.numpy.load_file(tmp_path / "a.safetensors"), arrays)
    plain = {name: np.ascontiguousarray(one, one.dtype.newbyteorder("=")) for name, one in
             ((name, np.asarray(one)) for name, one in arrays.items())}  # fmt: skip
    safetensors.numpy.save_file(plain, tmp_path / "b.safetensors", {"who": "another"})
    same(read_arrays(tmp_path / "b.safetensors"), plain)
    found = read_arrays(tmp_path / "b.safetensors")
    assert all(one.flags.writeable for one in found.values())


def tensors(header: Any, data: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def entry(shape: Any, begin: Any = 0, end: Any = 8, dtype: Any = "F64") -> dict[str, Any]:
    return {"g": {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}}


EIGHT = np.float64(2.5).tobytes()
WRONG = {
    "nothing": (b"", "its header claims 0 bytes"),
    "a short length": (b"\x01\x00", "its header claims 1 bytes"),
    "a header of terabytes": (tensors({}, length=2**62), f"claims {2**62} bytes, it has 10"),
    "no JSON": (tensors(b"{'g': 1}"), "its header is no JSON"),
    "no object": (tensors(b"[1]"), "its header is no object"),
    "nested without end": (tensors(b"[" * 100_000), "its header is no JSON"),
    "twice": (tensors(b'{"g": 1, "g": 2}'), "its header is no JSON"),
    "no tensor": (tensors({"g": 3}), "the entry of `g` is no tensor"),
    "an array of terabytes": (tensors(entry([2**40], 0, 2**43)), f"claims {2**43} bytes at 0"),
    "beyond any integer": (tensors(entry([2**60, 2**60], 0, 8), EIGHT), "there are 8"),
    "less than it claims": (tensors(entry([2], 0, 16), EIGHT), "claims 16 bytes at 0 to 16"),
    "another size": (tensors(entry([1], 0, 4), EIGHT), "claims 8 bytes at 0 to 4"),
    "a negative axis": (tensors(entry([-1], 0, 8), EIGHT), "the header of `g` claims"),
    "a negative place": (tensors(entry([1], -8, 0), EIGHT), "claims 8 bytes at -8"),
    "an axis of text": (tensors(entry(["1"], 0, 8), EIGHT), "the header of `g` claims"),
    "a dtype that is not read": (tensors(entry([8], dtype="F8_E4M3"), EIGHT), "F8_E4M3, which is"),
    "bytes of nothing": (tensors(entry([1]), EIGHT * 2), "8 bytes belong to nothing"),
    "a gap": (tensors(entry([1], 8, 16), EIGHT * 2), "do not follow each other at 8"),
    "a control character": (tensors({"a\x1b[2J": 3}), "the entry of `a\ufffd[2J` is no tensor"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_safetensors_file_is_not_believed(tmp_path: Path, name: str) -> None:
    content, said = WRONG[name]
    path = tmp_path / "p.safetensors"
    path.write_bytes(content)
    tracemalloc.start()
    with pytest.raises(Untrue) as caught:
        read_arrays(path)
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()
    assert said in str(caught.value)


def test_bfloat16_is_half_of_a_float32(tmp_path: Path) -> None:
    path = tmp_path / "p.safetensors"
    data = bytes([0x80, 0x3F, 0x40, 0xC0])  # 1.0 is 0x3f80, -3.0 is 0xc040
    path.write_bytes(tensors(entry([2], 0, 4, "BF16"), data))
    assert read_arrays(path)["g"].tolist() == [1, -3]
    assert len(TENSORS) == 13


class Bomb:
    def __reduce__(self) -> Any:
        return (Path("/").joinpath, ("exploded",))


def test_a_pickle_is_never_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "p.npz", g=np.array([Bomb()], object))
    with pytest.raises(Untrue, match="`g` holds object, which are no numbers"):
        read_arrays(tmp_path / "p.npz")
    (tmp_path / "q.npz").write_bytes(pickle.dumps({"g": 1}))
    with pytest.raises(Untrue, match="no npz file"):
        read_arrays(tmp_path / "q.npz")


@pytest.mark.parametrize("ending", ENDINGS)
def test_names_and_shapes_are_those_of_the_module(tmp_path: Path, ending: str) -> None:
    net, path = module(NET), tmp_path / f"p.{ending}"
    params = net.init()
    write_arrays(path, {"h.W": params["h.W"], "q": np.ones(2)})
    with pytest.raises(ValueError, match=r"missing h\.b, y\.W, y\.b, g; unknown q"):
        graphc.load_parameters(path, net)
    write_arrays(path, {**params, "h.b": np.ones(5)})
    with pytest.raises(ValueError, match=r"parameter `h.b` has shape \(5,\), expected \(4,\)"):
        graphc.load_parameters(path, net)
    with pytest.raises(ValueError, match=r"missing h\.b"):
        graphc.save_parameters(path, {"h.W": params["h.W"]}, net)
    with pytest.raises(ValueError, match=r"ends in .npz or .safetensors"):
        graphc.save_parameters(tmp_path / "p.pkl", params)
    with pytest.raises(FileNotFoundError):
        graphc.load_parameters(tmp_path / f"none.{ending}", net)
    with pytest.raises(TypeError, match="has no parameters"):
        graphc.load_parameters(path, module("input x\noutput y = x\n"))


def test_a_cut_or_spoilt_archive(tmp_path: Path) -> None:
    path = tmp_path / "p.npz"
    np.savez_compressed(path, g=np.arange(1000.0))
    whole = path.read_bytes()
    for content in (whole[:100], whole[:-30], whole[:200] + b"\xff" * 40 + whole[240:]):
        path.write_bytes(content)
        with pytest.raises(Untrue):
            read_arrays(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("g.txt", "hello")
    with pytest.raises(Untrue):
        read_arrays(path)


def test_dims_that_the_graph_leaves_open(tmp_path: Path) -> None:
    net = module("dim K\nparam w: [K]\noutput y = sum(w)\n")
    path = tmp_path / "p.npz"
    graphc.save_parameters(path, net.init(K=3), net)
    assert graphc.load_parameters(path, net, K=3)["w"].shape == (3,)
    with pytest.raises(ValueError, match="expected"):
        graphc.load_parameters(path, net, K=4)
    said = r"expected K, found none; give each a size, as load_parameters\(path, graph, K=…\)"
    with pytest.raises(TypeError, match=said):
        graphc.load_parameters(path, net)
    with pytest.raises(TypeError, match="expected K, found K, N"):
        graphc.load_parameters(path, net, K=3, N=2)
    with pytest.raises(TypeError, match="leave no dim open, found K"):
        graphc.load_parameters(path, module("param w: [3]\noutput y = sum(w)"), K=3)


# ---- state_dict ---------------------------------------------------------------------------------


def test_a_correspondence_is_found_printed_and_used_both_ways() -> None:
    net = module(NET)
    rng = np.random.default_rng(1)
    state = {"fc1.weight": rng.normal(size=(4, 3)), "fc1.bias": rng.normal(size=4),
             "fc2.weight": rng.normal(size=(2, 4)), "fc2.bias": rng.normal(size=2),
             "scale": np.float64(3)}  # fmt: skip
    found = graphc.correspondence(net, state)
    assert str(found) == (
        "h.W = fc1.weight.T  [3, 4]\n"
        "h.b = fc1.bias      [4]\n"
        "y.W = fc2.weight.T  [4, 2]\n"
        "y.b = fc2.bias      [2]\n"
        "g   = scale         []"
    )
    params = found.params(state)
    x = rng.normal(size=(5, 3))
    h = np.tanh(x @ state["fc1.weight"].T + state["fc1.bias"])
    expected = h @ state["fc2.weight"].T + state["fc2.bias"]
    np.testing.assert_allclose(net.forward(params, x)[0].y, expected, rtol=1e-12)
    same(found.state(params), state)
    turned = {**state, "fc1.weight": state["fc1.weight"].T}
    with pytest.raises(ValueError, match=r"`fc1.weight` has shape \(3, 4\), expected \(4, 3\)"):
        found.params(turned)
    with pytest.raises(ValueError, match=r"`fc1.bias` is missing; did you mean `fc2.bias`"):
        found.params({name: value for name, value in state.items() if name != "fc1.bias"})
    with pytest.raises(ValueError, match=r"`h.W` has shape \(4, 3\), expected \(3, 4\)"):
        found.state({**params, "h.W": params["h.W"].T})


def test_dims_that_a_correspondence_needs() -> None:
    net = module("dim B, D\ninput x: [B, D]\noutput y = dense(x, 3)\n")
    state = {"weight": np.ones((3, 5)), "bias": np.ones(3)}
    with pytest.raises(TypeError, match=r"as correspondence\(\w+, state, D=…\)"):
        graphc.correspondence(net, state)
    assert graphc.correspondence(net, state, D=5).params(state)["y.W"].shape == (5, 3)


def test_squares_other_orders_and_what_is_left() -> None:
    net = module("dim B\ninput x: [B, 3]\noutput y = dense(x, 3)\n")
    square = np.arange(9.0).reshape(3, 3)
    plain = {"weight": square, "bias": np.ones(3)}
    found = graphc.correspondence(net, plain)
    assert [one.written for one in found.pairs] == ["weight.T", "bias"]
    found = graphc.correspondence(net, plain, {"y.W": "weight"})
    assert [one.turned for one in found.pairs] == [True, False], "its key ends in weight"
    swapped = {"b": np.ones(3), "kernel": square}
    with pytest.raises(ValueError, match=r"`y.W` has shape \(3, 3\), `b` \(3,\)"):
        graphc.correspondence(net, swapped)
    found = graphc.correspondence(net, swapped, {"y.W": "kernel.T"})
    assert str(found).splitlines()[0] == "y.W = kernel.T  [3, 3]"
    same(found.params(swapped), {"y.W": square.T, "y.b": np.ones(3)})
    with pytest.raises(ValueError, match=r"2 parameters are left \(y.W, y.b\) and 3 tensors"):
        graphc.correspondence(net, {**swapped, "steps": np.ones(())})
    with pytest.raises(ValueError, match=r"no parameter `W`; did you mean `y\.W`"):
        graphc.correspondence(net, swapped, {"W": "kernel"})
    with pytest.raises(ValueError, match="no tensor `kernl`; did you mean `kernel`"):
        graphc.correspondence(net, swapped, {"y.W": "kernl"})
    same(graphc.correspondence(net, net.init(1)).params(net.init(1)), net.init(1))
