"""The nodes of an ONNX graph as they are written: names, constants, and sizes that are computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from graphc.ir.dims import Atom, Dim
from graphc.ir.graph import Node
from graphc.source import GraphError, error

TYPES = {
    "int": onnx.TensorProto.INT64, "bool": onnx.TensorProto.BOOL,
    "single": onnx.TensorProto.FLOAT, "double": onnx.TensorProto.DOUBLE,
}  # fmt: skip
DTYPES = {"int": np.dtype(np.int64), "bool": np.dtype(bool)}


class Shared:
    """What all graphs of a model share: names that are taken, and constants."""

    def __init__(self, width: str) -> None:
        self.float = np.dtype(width)
        self.taken: set[str] = set()
        self.constants: dict[tuple[Any, ...], str] = {}
        self.initializers: list[Any] = []
        self.numbers: dict[str, int] = {}
        self.ends: dict[Node, list[str]] = {}  # of loops, by their nodes

    def name(self, wanted: str) -> str:
        found = wanted or "value"
        while found in self.taken:
            self.numbers[wanted] = self.numbers.get(wanted, 1) + 1
            found = f"{wanted or 'value'}_{self.numbers[wanted]}"
        self.taken.add(found)
        return found

    def element(self, dtype: str) -> int:
        if dtype == "float":
            return int(helper.np_dtype_to_tensor_dtype(self.float))
        return int(TYPES[dtype])


class Writing:
    """The nodes of one graph: the whole, or the body of a loop, which sees what is around it."""

    def __init__(
        self, shared: Shared, sizes: Mapping[str, str], around: Writing | None = None
    ) -> None:
        self.shared, self.around = shared, around
        self.nodes: list[Any] = []
        self.values: dict[Node, str] = dict(around.values) if around else {}
        self.sizes: dict[str, str] = {**(around.sizes if around else {}), **sizes}
        self.dims: dict[Dim, str] = {}

    def add(self, operator: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """Write a node with one output; returns its name."""
        output = self.shared.name(name or f"{operator.lower()}_1")
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def several(
        self, operator: str, inputs: Sequence[str], count: int, **attributes: Any
    ) -> list[str]:
        outputs = [self.shared.name(f"{operator.lower()}_1") for _ in range(count)]
        self.nodes.append(helper.make_node(operator, list(inputs), outputs, **attributes))
        return outputs

    # ---- constants -------------------------------------------------------------------------------

    def constant(self, value: Any, dtype: str = "int") -> str:
        """Return the name of a constant, which is there once."""
        kind = self.shared.float if dtype == "float" else DTYPES[dtype]
        array = np.asarray(value, kind)
        key = (dtype, array.shape, array.tobytes())
        if key not in self.shared.constants:
            name = self.shared.name("constant")
            self.shared.constants[key] = name
            self.shared.initializers.append(numpy_helper.from_array(array, name))
        return self.shared.constants[key]

    def number(self, value: float) -> str:
        return self.constant(value, "float")

    # ---- sizes -----------------------------------------------------------------------------------

    def size(self, dim: Dim | int) -> str:
        """Return the name of a size, as a number without axes."""
        dim = Dim.of(dim)
        if dim.constant is not None:
            return self.constant(dim.constant)
        if dim not in self.dims:
            self.dims[dim] = self._polynomial(dim)
        return self.dims[dim]

    def _polynomial(self, dim: Dim) -> str:
        total = ""
        for monomial, coefficient in dim.terms:
            factors = [self._atom(atom) for atom, power in monomial for _ in range(power)]
            if coefficient != 1 or not factors:
                factors.append(self.constant(coefficient))
            product = factors[0]
            for one in factors[1:]:
                product = self.add("Mul", product, one, name="size")
            total = self.add("Add", total, product, name="size") if total else product
        return total or self.constant(0)

    def _atom(self, atom: Atom) -> str:
        if isinstance(atom, str):
            if atom not in self.sizes:
                raise GraphError([error("E811", f"the dim {atom} is bound by no input", None)])
            return self.sizes[atom]
        # sizes are not negative, so that a quotient rounded towards 0 is one rounded down
        return self.add("Div", self.size(atom.numerator), self.size(atom.denominator), name="size")

    def shape(self, dims: Sequence[Dim | int]) -> str:
        """Return the name of a list of sizes."""
        axes = [Dim.of(one) for one in dims]
        if all(one.constant is not None for one in axes):
            return self.constant([one.constant for one in axes])
        parts = [
            self.constant([one.constant])
            if one.constant is not None
            else self.vector(self.size(one))
            for one in axes
        ]
        return parts[0] if len(parts) == 1 else self.add("Concat", *parts, axis=0, name="shape")

    def vector(self, name: str) -> str:
        return self.add("Unsqueeze", name, self.constant([0]), name="size")

    # ---- what is often needed --------------------------------------------------------------------

    def reshape(self, x: str, dims: Sequence[Dim | int]) -> str:
        return self.add("Reshape", x, self.shape(dims), allowzero=1)

    def expand(self, x: str, dims: Sequence[Dim | int]) -> str:
        return self.add("Expand", x, self.shape(dims)) if dims else x

    def arange(self, count: Dim | int) -> str:
        return self.add("Range", self.constant(0), self.size(count), self.constant(1))

    def zeros(self, dims: Sequence[Dim | int], dtype: str) -> str:
        zero = self.constant(False if dtype == "bool" else 0, dtype)
        return self.expand(zero, dims)

    def where(self, condition: str, yes: str, no: str) -> str:
        return self.add("Where", condition, yes, no)

    def cast(self, x: str, dtype: str) -> str:
        return self.add("Cast", x, to=self.shared.element(dtype))


def refused(what: str, node: Node | None = None, where: str = "ONNX") -> GraphError:
    """Return the error that ONNX, or what runs it, has nothing for an operation."""
    span = node.origin.span if node is not None and node.origin is not None else None
    return GraphError([error("E811", f"{what} has no counterpart in {where}", span)])
