"""The bridge to PyTorch: derivatives pass its own checks, and are those of the same in PyTorch."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import module

torch: Any = pytest.importorskip(
    "torch", reason="PyTorch is an extra of hundreds of MB: pip install torch==2.13.0"
)

from graphc import torch as bridge  # noqa: E402

NET = """dim B
input x: [B, 3]
input t: int[B]
h = dense(x, 4, act=tanh)
output z = dense(h, 5)
output loss = cross_entropy(z, t)
output best = argmax(z, axis=1)
derive value_and_grad loss wrt params
derive value_and_grad loss wrt params, x as both
derive hvp loss wrt params, x as twice
derive vjp z, loss wrt params, x as pull
"""
RNG = np.random.default_rng(3)
X, T = RNG.normal(size=(6, 3)), RNG.integers(0, 5, 6)


def given(requires: bool = True) -> tuple[dict[str, Any], Any, Any]:
    drawn = module(NET).init(seed=1)
    params = {p: torch.tensor(value, requires_grad=requires) for p, value in drawn.items()}
    return params, torch.tensor(X, requires_grad=requires), torch.tensor(T)


def same_in_torch(params: dict[str, Any], x: Any, t: Any) -> tuple[Any, Any]:
    h = torch.tanh(x @ params["h.W"] + params["h.b"])
    z = h @ params["z.W"] + params["z.b"]
    return z, torch.nn.functional.cross_entropy(z, t)


def flat(f: Any, params: dict[str, Any], t: Any) -> Any:
    """The same of tensors alone, as the checks want it."""
    names = [*params]
    return lambda *tensors: f(dict(zip(names, tensors[:-1], strict=True)), tensors[-1], t)


@pytest.mark.levels
def test_gradcheck_and_gradgradcheck() -> None:
    f = bridge.function(module(NET), "both")
    params, x, t = given()
    call = flat(f, params, t)
    assert torch.autograd.gradcheck(call, (*params.values(), x))
    assert torch.autograd.gradgradcheck(call, (*params.values(), x))
    pull = flat(bridge.function(module(NET), "pull"), params, t)
    assert torch.autograd.gradcheck(
        lambda *tensors: (pull(*tensors)["z"], pull(*tensors)["loss"]), (*params.values(), x)
    )


@pytest.mark.levels
def test_gradients_are_those_of_the_same_in_torch() -> None:
    net = module(NET)
    params, x, t = given()
    (torch.exp(bridge.function(net, "both")(params, x, t)) * 3).backward()
    others, y, _ = given()
    (torch.exp(same_in_torch(others, y, t)[1]) * 3).backward()
    for path in params:
        np.testing.assert_allclose(params[path].grad, others[path].grad, rtol=1e-12)
    np.testing.assert_allclose(x.grad, y.grad, rtol=1e-12)
    out = bridge.function(net, "pull")(params, x, t)
    assert set(out) == {"z", "loss"}
    (out["z"] ** 2).sum().backward()


def test_second_derivatives_of_a_norm_of_the_gradient() -> None:
    def norm(f: Any) -> list[Any]:
        params, x, t = given()
        grads = torch.autograd.grad(f(params, x, t), [*params.values(), x], create_graph=True)
        sum((one**2).sum() for one in grads).backward()
        return [one.grad for one in (*params.values(), x)]

    found = norm(bridge.function(module(NET), "both"))
    for one, other in zip(found, norm(lambda *a: same_in_torch(*a)[1]), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-14)


def test_where_there_are_none_it_is_said() -> None:
    params, x, t = given()
    f = bridge.function(module(NET), "value_and_grad_loss")
    value = f(params, x.detach(), t)
    grads = torch.autograd.grad(value, [*params.values()], create_graph=True)
    with pytest.raises(TypeError, match="add `derive hvp loss wrt"):
        sum(one.sum() for one in grads).backward()
    with pytest.raises(TypeError, match="no derivative by x"):
        f(params, x, t)
    with torch.no_grad():
        assert float(f(params, x, t)) == pytest.approx(float(same_in_torch(params, x, t)[1]))
    with pytest.raises(TypeError, match="`twice` is a hvp, expected one of value_and_grad, vjp"):
        bridge.function(module(NET), "twice")


def test_a_layer_has_its_parameters_by_path_and_learns() -> None:
    net = module(NET)
    layer = bridge.Module(net, "value_and_grad_loss", seed=2)
    assert list(layer.state_dict()) == list(net.PARAMETERS)
    np.testing.assert_array_equal(layer.state_dict()["h.W"], net.init(2)["h.W"])
    descent = torch.optim.Adam(layer.parameters(), lr=0.05)
    first = None
    for _ in range(50):
        descent.zero_grad()
        loss = layer(torch.tensor(X), torch.tensor(T))
        first = loss.item() if first is None else first
        loss.backward()
        descent.step()
    assert loss.item() < 0.5 * first
    other = bridge.Module(net, "value_and_grad_loss", net.init(5))
    other.load_state_dict(layer.state_dict())
    values = {one(torch.tensor(X), torch.tensor(T)).item() for one in (layer, other)}
    assert len(values) == 1


@pytest.mark.levels
def test_backward_reads_what_forward_has_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    net = module(NET + "derive backward z, loss wrt params, x\n")
    calls, forward = [], net.forward
    counted = functools.wraps(forward)(lambda *given: calls.append(1) or forward(*given))
    monkeypatch.setattr(net, "forward", counted)
    params, x, t = given()
    out = bridge.function(net, "backward")(params, x, t)
    (torch.sum(out["z"] ** 2) * out["loss"]).backward()
    assert len(calls) == 1
    others, y, _ = given()
    z, loss = same_in_torch(others, y, t)
    (torch.sum(z**2) * loss).backward()
    for one, other in zip((*params.values(), x), (*others.values(), y), strict=True):
        np.testing.assert_allclose(one.grad, other.grad, rtol=1e-10)


def test_every_module_has_a_backward_by_its_parameters() -> None:
    net = module("dim B\ninput x: [B, 3]\noutput y = dense(x, 2, act=tanh)\n")
    layer = bridge.Module(net, "backward", seed=1)
    layer(torch.ones(4, 3)).sum().backward()
    assert all(one.grad is not None for one in layer.parameters())
    with pytest.raises(TypeError, match=r"`derive backward y wrt y\.W, y\.b, x`, or detach"):
        layer(torch.ones(4, 3, requires_grad=True))


def test_a_layer_between_others_in_float32() -> None:
    net = module(
        "dim B\ninput x: [B, 3]\noutput y = dense(x, 2, act=tanh)\n"
        "derive vjp y wrt params, x as pull\n",
        dtype="float32",
    )
    whole = torch.nn.Sequential(torch.nn.Linear(4, 3), bridge.Module(net, "pull"))
    whole(torch.ones(5, 4)).sum().backward()
    assert {one.grad.dtype for one in whole.parameters()} == {torch.float32}
    assert all(float(one.grad.abs().sum()) > 0 for one in whole.parameters())


def test_what_the_document_shows_runs() -> None:
    text = (Path(__file__).parent.parent / "docs" / "bridges.md").read_text(encoding="utf-8")
    graph = text.partition("## JAX\n")[2].partition("```graph\n")[2].partition("```")[0]
    shown = text.partition("## PyTorch\n")[2].partition("```python\n")[2].partition("```")[0]
    net = module(graph)
    seen: dict[str, Any] = {"net": net, "x": torch.tensor(X), "t": torch.tensor(X[:, 0])}
    exec(shown, seen)
    params = {path: value.detach().numpy() for path, value in seen["params"].items()}
    _, wanted = net.value_and_grad_loss(params, X, X[:, 0])
    np.testing.assert_allclose(seen["params"]["w"].grad, wanted["w"], rtol=1e-12)
    assert [*seen["layer"].state_dict()] == ["w"]
    before = seen["layer"].state_dict()["w"].clone()
    seen["layer"](torch.tensor(X), torch.tensor(X[:, 0])).backward()
    seen["descent"].step()
    assert not torch.equal(before, seen["layer"].state_dict()["w"])


def test_arguments_that_do_not_fit_are_named() -> None:
    f = bridge.function(module(NET), "value_and_grad_loss")
    named = r"expected a dict of \S+"
    with pytest.raises(TypeError, match=named):
        f({"q": torch.ones(3)}, *[torch.ones(2)] * (len(module(NET).GRAPH["inputs"])))
    with pytest.raises(TypeError, match=r"expected params, \S+"):
        f({})
