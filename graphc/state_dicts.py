"""Which parameter of a graph is which tensor of a `state_dict`: printed, and used both ways.

>>> from types import SimpleNamespace
>>> net = SimpleNamespace(
...     __name__="net", PARAMETERS=("h.W", "h.b"), FLOAT=np.float64,
...     _shapes=lambda: {"h.W": (3, 2), "h.b": (2,)},
... )
>>> state = {"fc.weight": np.arange(6.0).reshape(2, 3), "fc.bias": np.ones(2)}
>>> found = correspondence(net, state)
>>> print(found)
h.W = fc.weight.T  [3, 2]
h.b = fc.bias      [2]
>>> found.params(state)["h.W"].tolist()
[[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from graphc.parameters import shapes_of
from graphc.records import dataclass
from graphc.source import near_or_all

TURNED = ".T"
"""What stands behind the key of a matrix that is the transpose of the parameter."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A parameter, the key of its tensor, its shape, and whether the tensor is its transpose."""

    path: str
    key: str
    shape: tuple[int, ...]
    turned: bool

    @property
    def written(self) -> str:
        return self.key + (TURNED if self.turned else "")

    @property
    def outer(self) -> tuple[int, ...]:
        """Return the shape of the tensor."""
        return self.shape[::-1] if self.turned else self.shape


@dataclass(frozen=True, slots=True, repr=False)
class Correspondence:
    """Parameters of a graph beside tensors of a `state_dict`; prints as a table."""

    pairs: tuple[Pair, ...]
    dtype: Any

    def params(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters, from tensors or arrays by key.

        Raises ValueError where one is missing, or has another shape than it had.
        """
        found = {one.path: _there(state, one.key, one.outer) for one in self.pairs}
        return {one.path: _turned(found[one.path], one).astype(self.dtype)[()]
                for one in self.pairs}  # fmt: skip

    def state(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return arrays by key, from the parameters: `torch.from_numpy` of each is a state_dict.

        Raises ValueError where one is missing, or has another shape than it had.
        """
        found = {one.key: _there(params, one.path, one.shape) for one in self.pairs}
        return {one.key: np.array(_turned(found[one.key], one)) for one in self.pairs}

    def __str__(self) -> str:
        first = max((len(one.path) for one in self.pairs), default=0)
        second = max((len(one.written) for one in self.pairs), default=0)
        return "\n".join(
            f"{one.path:{first}} = {one.written:{second}}  {[*one.shape]}" for one in self.pairs
        )

    def __repr__(self) -> str:
        return f"<correspondence of {len(self.pairs)} parameters>"


def correspondence(
    module: Any, state: Mapping[str, Any], pairs: Mapping[str, str] | None = None, **dims: int
) -> Correspondence:
    """Find which parameter of a module is which tensor: look at what it prints before it is used.

    `pairs` are those that are known, by path: `{"h.W": "fc1.weight.T"}`, with `.T` for a transpose.
    What has the same name belongs together; the rest does in the order of both.
    A matrix is turned where only that fits, and a square one where its key ends in `weight`, as the
    layers of PyTorch have it. `dims` are those of shapes that the graph leaves open.

    Raises ValueError where shapes or numbers do not fit.
    """
    shapes = shapes_of(module, dims, "correspondence({}, state{})")
    known = {path: path for path in shapes if path in state} | dict(pairs or {})
    for path, key in known.items():
        if path not in shapes:
            raise ValueError(f"no parameter `{path}`; {near_or_all(path, shapes, 'there are')}")
        if key.removesuffix(TURNED) not in state:
            near = near_or_all(key, state, "there are")
            raise ValueError(f"`{path}`: no tensor `{key}`; {near}")
    taken = {key.removesuffix(TURNED) if key not in state else key for key in known.values()}
    open_paths = [path for path in shapes if path not in known]
    open_keys = [key for key in state if key not in taken]
    if len(open_paths) != len(open_keys):
        raise ValueError(
            f"{len(open_paths)} parameters are left ({', '.join(open_paths) or 'none'}) and "
            f"{len(open_keys)} tensors ({', '.join(open_keys) or 'none'}): name pairs, "
            "or leave tensors out"
        )
    known |= dict(zip(open_paths, open_keys, strict=True))
    found = tuple(_pair(path, shapes[path], known[path], state) for path in shapes)
    return Correspondence(found, module.FLOAT)


def _pair(path: str, shape: tuple[int, ...], key: str, state: Mapping[str, Any]) -> Pair:
    said = key not in state  # then its end says that it is turned
    key = key.removesuffix(TURNED) if said else key
    there = tuple(state[key].shape)
    turned = said or (
        len(shape) == 2
        and there == shape[::-1]
        and (there != shape or (key.endswith("weight") and path != key))
    )
    if there != (shape[::-1] if turned else shape):
        way = " turned" if said else ""
        raise ValueError(f"`{path}` has shape {shape}, `{key}`{way} {there}: name another pair")
    return Pair(path, key, shape, turned)


def _there(arrays: Mapping[str, Any], name: str, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    if name not in arrays:
        raise ValueError(f"`{name}` is missing; {near_or_all(name, arrays, 'there are')}")
    array = _array(arrays[name])
    if array.shape != shape:
        raise ValueError(f"`{name}` has shape {array.shape}, expected {shape}")
    return array


def _turned(array: np.ndarray[Any, Any], pair: Pair) -> np.ndarray[Any, Any]:
    return array.T if pair.turned else array


def _array(tensor: Any) -> np.ndarray[Any, Any]:
    plain = tensor.detach().cpu() if hasattr(tensor, "detach") else tensor
    return np.asarray(plain)
