"""The bridge to PyTorch: a derived function of a module, with its derivative, and as a layer.

>>> import graphc, torch
>>> net = graphc.compile_text(
...     "input x: [3]\\nparam w: [3]\\noutput s = sum(w * x**2)\\n"
...     "derive value_and_grad s wrt w, x", "torched"
... ).module()
>>> x = torch.arange(3.0, requires_grad=True)
>>> function(net, "value_and_grad_s")({"w": torch.ones(3)}, x).backward()
>>> x.grad.tolist()
[0.0, 2.0, 4.0]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np
import torch

from graphc.bridges.described import DerivedFunction, Described, described, drawn
from graphc.bridges.shapes import by_name
from graphc.kinds import BACKWARD
from graphc.records import dataclass

KINDS = ("value_and_grad", "vjp", "backward")


def function(module: ModuleType, name: str, **dims: int) -> Callable[..., Any]:
    """Return the values of a derived function as a function of tensors that autograd goes through.

    It takes a dict of the parameters by path, where there are any, and the inputs in order; it
    returns the output, or a dict of several. `name` is `backward`, which reads what `forward` has
    cached, or a `value_and_grad` or a `vjp`; a `value_and_grad` has second derivatives where there
    is an `hvp` of the same. A derivative by anything else than its paths is an error. `dims` are
    those that no argument binds.

    The module computes on the CPU.
    """
    graph = described(module)
    one = graph.of(name)
    if one.per or one.kind.name not in KINDS:
        per = f" per {one.per}" if one.per else ""
        raise TypeError(f"`{name}` is a {one.kind.name}{per}, expected one of {', '.join(KINDS)}")
    bridge = _Bridge(graph, one, graph.find(["hvp"], one.outputs, one.wrt), dims)

    def call(*arguments: Any) -> Any:
        names, tensors = bridge.flattened(arguments)
        bridge.refuse(names, tensors)
        found = _Values.apply(bridge, names, *tensors)
        return found[0] if len(found) == 1 else dict(zip(one.outputs, found, strict=True))

    return call


@dataclass(frozen=True, slots=True)
class _Bridge:
    """A derived function, that of its second derivatives if there is one, and open dims."""

    graph: Described
    one: DerivedFunction
    second: DerivedFunction | None
    dims: Mapping[str, int]

    def flattened(self, arguments: Sequence[Any]) -> tuple[tuple[str, ...], list[torch.Tensor]]:
        """Return parameters and inputs by name, as tensors."""
        named = by_name(self.graph, arguments)
        return (*named,), [torch.as_tensor(one) for one in named.values()]

    def arrays(self, names: Sequence[str], tensors: Sequence[torch.Tensor]) -> list[Any]:
        """Return the arguments of the module's functions."""
        given = {n: _array(one, n) for n, one in zip(names, tensors, strict=True)}
        inputs = [given[name] for name in self.graph.inputs]
        params = {name: one for name, one in given.items() if name not in self.graph.inputs}
        return [params, *inputs] if self.graph.paths else inputs

    def refuse(self, names: Sequence[str], tensors: Sequence[torch.Tensor]) -> None:
        """Raise TypeError where a derivative would be asked for by what the function is not of."""
        wanted = [n for n, one in zip(names, tensors, strict=True) if one.requires_grad]
        wrong = [name for name in wanted if name not in self.one.wrt]
        if wrong and torch.is_grad_enabled():
            by, of = ", ".join((*self.one.wrt, *wrong)), ", ".join(self.one.outputs)
            raise TypeError(
                f"`{self.one.name}` is no derivative by {', '.join(wrong)}: "
                f"`derive {self.one.kind.name} {of} wrt {by}`, or detach()"
            )

    def pulled(
        self, cache: Any, names: Sequence[str], tensors: Sequence[torch.Tensor], cotangents: Any
    ) -> Mapping[str, Any]:
        """Pull cotangents back, by what `forward` has cached or anew."""
        if self.one.kind is BACKWARD:
            fields = {self.graph.outputs[name]: one for name, one in cotangents.items()}
            return dict(self.one.call(cache, **fields))
        given = self.arrays(names, tensors)
        return dict(self.one.call(*given, **self.dims, cotangents=cotangents)[1])

    def by_name(
        self, names: Sequence[str], tensors: Sequence[torch.Tensor], found: Mapping[str, Any]
    ) -> list[torch.Tensor | None]:
        """Return gradients by path in the order of the tensors, of their dtypes."""
        return [
            _tensor(found[name]).to(one.dtype) if name in found else None
            for name, one in zip(names, tensors, strict=True)
        ]


class _Values(torch.autograd.Function):
    """The outputs; backward scales the gradient that came with them, or pulls cotangents back."""

    @staticmethod
    def forward(ctx: Any, bridge: _Bridge, names: tuple[str, ...], *tensors: torch.Tensor) -> Any:
        ctx.bridge, ctx.names, ctx.found, ctx.cache = bridge, names, None, None
        ctx.save_for_backward(*tensors)
        given, graph, one = bridge.arrays(names, tensors), bridge.graph, bridge.one
        if one.kind.name == "value_and_grad" and any(ctx.needs_input_grad):
            value, ctx.found = one.call(*given, **bridge.dims)
            return (_tensor(value),)
        out = graph.module.forward(*given, **bridge.dims)
        out, ctx.cache = out if isinstance(out[0], tuple) else (out, None)
        if one.kind is not BACKWARD:
            ctx.cache = None
        return tuple(_tensor(getattr(out, graph.outputs[name])) for name in one.outputs)

    @staticmethod
    def backward(ctx: Any, *given: torch.Tensor) -> Any:
        bridge, names, tensors = ctx.bridge, ctx.names, ctx.saved_tensors
        if bridge.one.kind.name == "value_and_grad":
            if torch.is_grad_enabled():  # somebody differentiates the gradient
                return None, None, *_Gradient.apply(bridge, names, given[0], *tensors)
            scale = _array(given[0], "")
            found = {path: np.asarray(one) * scale for path, one in ctx.found.items()}
        else:
            cotangents = {
                name: _array(one, name) for name, one in zip(bridge.one.outputs, given, strict=True)
            }
            found = bridge.pulled(ctx.cache, names, tensors, cotangents)
        return None, None, *bridge.by_name(names, tensors, found)


class _Gradient(torch.autograd.Function):
    """A multiple of the gradient, whose derivative is a product with the Hessian."""

    @staticmethod
    def forward(
        ctx: Any,
        bridge: _Bridge,
        names: tuple[str, ...],
        scale: Any,
        *tensors: torch.Tensor,
    ) -> Any:
        ctx.bridge, ctx.names = bridge, names
        ctx.save_for_backward(scale, *tensors)
        found = bridge.one.call(*bridge.arrays(names, tensors), **bridge.dims)[1]
        grads = bridge.by_name(names, tensors, found)
        return tuple(None if one is None else scale * one for one in grads)

    @staticmethod
    def backward(ctx: Any, *given: torch.Tensor | None) -> Any:
        if torch.is_grad_enabled():
            raise TypeError("modules have no third derivatives")
        bridge, names = ctx.bridge, ctx.names
        scale, *tensors = ctx.saved_tensors
        if bridge.second is None:
            of, by = ", ".join(bridge.one.outputs), ", ".join(bridge.one.wrt)
            raise TypeError(f"the module has no second derivatives: add `derive hvp {of} wrt {by}`")
        moves = {n: _array(one, n) for n, one in zip(names, given, strict=True) if one is not None}
        moves = {path: one for path, one in moves.items() if path in bridge.one.wrt}
        arrays = bridge.arrays(names, tensors)
        grads, products = bridge.second.call(*arrays, **bridge.dims, tangents=moves)
        by_scale = sum(np.vdot(grads[path], one) for path, one in moves.items())
        found = {path: _array(scale, "") * one for path, one in products.items()}
        scaled = torch.as_tensor(by_scale, dtype=scale.dtype)
        return None, None, scaled, *bridge.by_name(names, tensors, found)


class Module(torch.nn.Module):
    """A layer whose parameters are those of a graph, under their paths in `state_dict`.

    >>> import graphc
    >>> net = graphc.compile_text(
    ...     "dim B\\ninput x: [B, 3]\\noutput y = dense(x, 2, act=tanh)\\n"
    ...     "derive vjp y wrt params, x as pull", "layer"
    ... ).module()
    >>> layer = Module(net, "pull")
    >>> [*layer.state_dict()], layer(torch.ones(5, 3)).shape
    (['y.W', 'y.b'], torch.Size([5, 2]))
    """

    def __init__(
        self,
        module: ModuleType,
        name: str,
        params: Mapping[str, Any] | None = None,
        *,
        seed: int = 0,
        **dims: int,
    ) -> None:
        """Take parameters, or draw them by `init`; the rest is as for `function`."""
        super().__init__()
        graph = described(module)
        self._call = function(module, name, **dims)
        self._paths = graph.paths
        values = drawn(graph, dims, seed) if params is None else params
        for path in graph.paths:
            *folders, last = path.split(".")
            place: torch.nn.Module = self
            for folder in folders:
                if folder not in place._modules:
                    place.add_module(folder, torch.nn.Module())
                place = place.get_submodule(folder)
            value = torch.nn.Parameter(torch.tensor(np.asarray(values[path])))
            place.register_parameter(last, value)

    def forward(self, *inputs: Any) -> Any:
        """Compute the outputs of the graph."""
        if not self._paths:
            return self._call(*inputs)
        return self._call({path: self.get_parameter(path) for path in self._paths}, *inputs)


def _array(tensor: torch.Tensor, name: str) -> Any:
    if tensor.device.type != "cpu":
        raise TypeError(f"`{name}` is on {tensor.device}: the module computes on the CPU")
    return tensor.detach().numpy()


def _tensor(value: Any) -> torch.Tensor:
    return torch.as_tensor(np.asarray(value))
