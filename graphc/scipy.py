"""The bridge to SciPy: a graph as a problem for `minimize`, `least_squares`, `root`, constraints.

>>> import graphc
>>> net = graphc.compile_text(
...     "input x: [2]\\noutput f = (1 - x[0])**2 + 100 * (x[1] - x[0]**2)**2\\n"
...     "derive value_and_grad f wrt x\\nderive hessian_matrix f wrt x"
... ).module()
>>> rosenbrock = problem(net, "f", x=[-1.0, 2.0])
>>> rosenbrock.minimize(method="trust-exact").x.round(3).tolist()
[1.0, 1.0]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import optimize, sparse

from graphc.bridges.described import DerivedFunction, Described, by_backward, described, drawn
from graphc.records import dataclass, field

Vector = npt.NDArray[np.float64]
GRADIENTS = ("value_and_grad", "grad")
MATRICES = (
    "value_and_sparse_jacobian", "sparse_jacobian", "value_and_jacobian_matrix",
    "jacobian_matrix", "value_and_jacobian", "jacobian",
)  # fmt: skip
HESSIANS = (
    "value_and_sparse_hessian", "sparse_hessian", "value_and_hessian_matrix", "hessian_matrix",
    "value_and_hessian", "hessian",
)  # fmt: skip
PRODUCTS = ("hvp",)


@dataclass(frozen=True, slots=True, repr=False)
class Problem:
    """Outputs of a graph as functions of one vector, in which the paths `wrt` lie one by one.

    `fun` is the value of a scalar output, or all elements of the outputs as a vector; `jac` its
    gradient, or the Jacobian, sparse where a `sparse_jacobian` is derived; `hess` its Hessian,
    sparse where a `sparse_hessian` is; `hessp` products with it. `x0` is where it starts.

    What was computed at a point is kept until the next.
    """

    graph: Described
    outputs: tuple[str, ...]
    wrt: tuple[str, ...]
    start: Mapping[str, Any]
    arguments: Mapping[str, Any]
    dims: Mapping[str, int]
    _seen: dict[str, tuple[bytes, Any]] = field(default_factory=dict)

    @property
    def x0(self) -> Vector:
        return self.flatten(self.start)

    @property
    def scalar(self) -> bool:
        kinds = [self.graph.types[name] for name in self.outputs]
        return kinds == ["[]"]

    def flatten(self, values: Mapping[str, Any]) -> Vector:
        """Join values by path, as `wrt` has them, to one vector."""
        parts = [np.ravel(np.asarray(values[path], np.float64)) for path in self.wrt]
        return np.concatenate(parts) if parts else np.zeros(0)

    def unflatten(self, vector: npt.ArrayLike) -> dict[str, Any]:
        """Take a vector apart: values by path."""
        shapes = {path: np.shape(self.start[path]) for path in self.wrt}
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])
        count = int(ends[-1]) if len(ends) else 0
        if np.shape(vector) != (count,):
            expected = f"({count},), of {', '.join(self.wrt)}"
            raise ValueError(f"the vector has shape {np.shape(vector)}, expected {expected}")
        parts = np.split(np.asarray(vector), ends[:-1])
        return {p: part.reshape(shapes[p]) for p, part in zip(self.wrt, parts, strict=True)}

    # ---- values and derivatives ----------------------------------------------------------------

    def fun(self, x: npt.ArrayLike) -> Any:
        for kinds in (GRADIENTS, MATRICES):
            found = self._find(kinds)
            if found is not None and found.kind.has_values:
                return self._joined(self._at(x, found)[0])
        out = self._called("forward", self.graph.module.forward, x)
        out = out[0] if isinstance(out, tuple) and hasattr(out[0], "_fields") else out
        fields = [self.graph.outputs[name] for name in self.outputs]
        return self._joined([getattr(out, name) for name in fields])

    def jac(self, x: npt.ArrayLike) -> Any:
        if self.scalar:
            found = self._find(GRADIENTS) or by_backward(self.graph, self.outputs[0])
            if found is None or set(found.wrt) != set(self.wrt):
                raise self._lacks("gradient", "grad")
            return self.flatten(self._derivative(x, found))
        found = self._find(MATRICES)
        if found is None:
            raise self._lacks("Jacobian", "jacobian_matrix")
        return self._columns(self._matrix(self._derivative(x, found), found), found)

    def hess(self, x: npt.ArrayLike) -> Vector | sparse.csr_array:
        found = self._find(HESSIANS) if self.scalar else None
        if found is None:
            raise self._lacks("Hessian", "hessian_matrix")
        whole = self._derivative(x, found)
        if isinstance(whole, dict):
            whole = np.block([[self._block(whole[a][b], a) for b in self.wrt] for a in self.wrt])
            return np.asarray(whole)
        order = self._order(found)
        if sparse.issparse(whole):
            return sparse.csr_array(whole[order][:, order])
        return np.asarray(whole)[np.ix_(order, order)]

    def hessp(self, x: npt.ArrayLike, p: npt.ArrayLike) -> Vector:
        found = self._find(PRODUCTS) if self.scalar else None
        if found is None:
            raise self._lacks("product with its Hessian", "hvp")
        _, products = found.call(*self._arguments(x), **self.dims, tangents=self.unflatten(p))
        return self.flatten(products)

    @property
    def sparsity(self) -> sparse.csr_array:
        """Return which entries the Jacobian may have, as `least_squares` and IPOPT take it."""
        found = self._find(MATRICES)
        there = self.jac(self.x0) if found and "sparse" in found.kind.name else None
        if there is None:
            raise self._lacks("sparse Jacobian", "sparse_jacobian")
        pattern = sparse.csr_array(there, copy=True)
        pattern.data = np.ones_like(pattern.data)
        pattern.sum_duplicates()
        pattern.data[:] = 1
        return pattern

    # ---- SciPy and IPOPT -----------------------------------------------------------------------

    def minimize(self, **options: Any) -> optimize.OptimizeResult:
        """Minimise by `scipy.optimize.minimize`, with the derivatives that there are."""
        if self._find(HESSIANS) is not None:
            options.setdefault("hess", self.hess)
        elif self._find(PRODUCTS) is not None:
            options.setdefault("hessp", self.hessp)
        takes = ("newton-cg", "dogleg", "trust-ncg", "trust-krylov", "trust-exact", "trust-constr")
        if str(options.get("method", "")).lower() not in takes:
            options = {k: one for k, one in options.items() if k not in ("hess", "hessp")}
        return optimize.minimize(self.fun, self.x0, jac=self.jac, **options)

    def least_squares(self, **options: Any) -> optimize.OptimizeResult:
        """Minimise the sum of squares of the outputs by `scipy.optimize.least_squares`."""
        return optimize.least_squares(self.fun, self.x0, self.jac, **options)

    def root(self, **options: Any) -> optimize.OptimizeResult:
        """Find where the outputs are zero by `scipy.optimize.root`."""
        return optimize.root(self.fun, self.x0, jac=self.jac, **options)

    def between(self, low: Any, high: Any, **options: Any) -> optimize.NonlinearConstraint:
        """Bound the outputs, for `minimize(constraints=…)`."""
        return optimize.NonlinearConstraint(self.fun, low, high, jac=self.jac, **options)

    # ---- inside --------------------------------------------------------------------------------

    def _find(self, kinds: Sequence[str]) -> DerivedFunction | None:
        found = (self.graph.find([kind], self.outputs, self.wrt) for kind in kinds)
        return next((one for one in found if one is not None), None)

    def _arguments(self, x: npt.ArrayLike) -> list[Any]:
        values = {**self.arguments, **self.unflatten(x)}
        params = {path: values[path] for path in self.graph.paths}
        inputs = [values[name] for name in self.graph.inputs]
        return [params, *inputs] if self.graph.paths else inputs

    def _called(self, name: str, call: Any, x: npt.ArrayLike) -> Any:
        point = np.asarray(x, np.float64)
        key = point.tobytes()
        if name not in self._seen or self._seen[name][0] != key:
            self._seen[name] = key, call(*self._arguments(point), **self.dims)
        return self._seen[name][1]

    def _at(self, x: npt.ArrayLike, found: DerivedFunction) -> tuple[Any, Any]:
        """Return values, or None where it has none, and derivatives."""
        result = self._called(found.name, found.call, x)
        return result if found.kind.has_values else (None, result)

    def _derivative(self, x: npt.ArrayLike, found: DerivedFunction) -> Any:
        return self._at(x, found)[1]

    def _joined(self, values: Any) -> Any:
        parts = values if isinstance(values, list | tuple) else [values]
        if self.scalar:
            return float(parts[0])
        return np.concatenate([np.ravel(np.asarray(one, np.float64)) for one in parts])

    def _block(self, block: Any, path: str) -> Vector:
        """Return a block as a matrix, a row for each element of a path."""
        return np.reshape(block, (np.size(self.start[path]), -1))

    def _matrix(self, found: Any, function: DerivedFunction) -> Any:
        """Return a Jacobian as one matrix, where it is not."""
        if not isinstance(found, dict):
            return found
        rows = [
            [
                np.reshape(block, (-1, np.size(self.start[path])))
                for path, block in ((path, found[name][path]) for path in function.wrt)
            ]
            for name in self.outputs
        ]
        return np.block(rows)

    def _order(self, found: DerivedFunction) -> npt.NDArray[np.intp]:
        """Return where in the function's columns those of the vector are."""
        sizes = {path: np.size(self.start[path]) for path in self.wrt}
        ends = np.cumsum([0, *(sizes[path] for path in found.wrt)])
        first = dict(zip(found.wrt, ends, strict=False))
        parts = [np.arange(first[path], first[path] + sizes[path]) for path in self.wrt]
        return np.concatenate(parts) if parts else np.zeros(0, np.intp)

    def _columns(self, matrix: Any, found: DerivedFunction) -> Any:
        return matrix if found.wrt == self.wrt else matrix[:, self._order(found)]

    def _lacks(self, what: str, kind: str) -> TypeError:
        of, by = ", ".join(self.outputs), ", ".join(self.wrt)
        return TypeError(
            f"the module has no {what} of {of} by {by}: add `derive {kind} {of} wrt {by}`"
        )

    def __repr__(self) -> str:
        return f"<problem: {', '.join(self.outputs)} by {', '.join(self.wrt)}, n = {self.x0.size}>"


def problem(
    module: ModuleType,
    outputs: str | Sequence[str],
    wrt: str | Sequence[str] = (),
    *,
    params: Mapping[str, Any] | None = None,
    **arguments: Any,
) -> Problem:
    """Take outputs of a module as a problem in the paths `wrt`.

    `arguments` are the inputs and dims by name, `params` the parameters, drawn where there are none
    given; those of the paths are where it starts. Without `wrt` the paths are those of the first
    function that differentiates these outputs alone, else the parameters, else the float inputs.
    """
    graph = described(module)
    names = (outputs,) if isinstance(outputs, str) else tuple(outputs)
    if unknown := [name for name in names if name not in graph.outputs]:
        there = ", ".join(graph.outputs)
        raise TypeError(f"no output {', '.join(unknown)}; there are {there}")
    dims = {name: arguments.pop(name) for name in graph.keywords if name in arguments}
    if unknown := [name for name in arguments if name not in graph.inputs]:
        raise TypeError(f"no input {', '.join(unknown)}; there are {', '.join(graph.inputs)}")
    values = {**(drawn(graph, dims) if params is None else params), **arguments}
    needed = (*graph.inputs, *graph.keywords)
    if missing := [name for name in needed if name not in {*values, *dims}]:
        raise TypeError(f"missing: {', '.join(missing)}")
    paths = (wrt,) if isinstance(wrt, str) else tuple(wrt) or _usual(graph, names)
    if unknown := [path for path in paths if path not in values]:
        raise TypeError(f"{', '.join(unknown)}: no input or parameter to start from")
    start = {path: values[path] for path in paths}
    return Problem(graph, names, paths, start, values, dims)


def _usual(graph: Described, outputs: tuple[str, ...]) -> tuple[str, ...]:
    known = {*graph.paths, *graph.inputs}
    for one in graph.functions:
        if one.kind.order and one.outputs == outputs and set(one.wrt) <= known and not one.per:
            return one.wrt
    return graph.paths or tuple(n for n in graph.inputs if graph.types[n].startswith("["))


@dataclass(frozen=True, slots=True)
class Ipopt:
    """The callbacks of cyipopt: an objective, and constraints, each a Problem of the same paths.

    >>> Ipopt.__slots__
    ('minimised', 'bounded')
    """

    minimised: Problem
    bounded: Problem | None = None

    def objective(self, x: Vector) -> float:
        return float(self.minimised.fun(x))

    def gradient(self, x: Vector) -> Vector:
        return np.asarray(self.minimised.jac(x))

    def constraints(self, x: Vector) -> Vector:
        return np.zeros(0) if self.bounded is None else np.atleast_1d(self.bounded.fun(x))

    def jacobianstructure(self) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Return rows and columns of the entries of the constraints' Jacobian."""
        there = self._jacobian(self.minimised.x0)
        return there.row, there.col

    def jacobian(self, x: Vector) -> Vector:
        return np.asarray(self._jacobian(x).data)

    def _jacobian(self, x: Vector) -> sparse.coo_array:
        if self.bounded is None:
            return sparse.coo_array((0, x.size))
        found = self.bounded.jac(x)
        if sparse.issparse(found):
            return sparse.coo_array(found)
        dense = np.atleast_2d(found)
        rows, columns = np.indices(dense.shape)
        return sparse.coo_array((dense.ravel(), (rows.ravel(), columns.ravel())), dense.shape)
