"""The bridge to JAX: a derived function of a module as a function of JAX, with its derivative.

>>> import graphc, jax
>>> net = graphc.compile_text(
...     "input x: [3]\\nparam w: [3]\\noutput s = sum(w * x**2)\\n"
...     "derive value_and_grad s wrt w, x", "jaxed"
... ).module()
>>> f = function(net, "value_and_grad_s")
>>> jax.grad(f, argnums=1)({"w": np.ones(3)}, np.arange(3.0)).tolist()
[0.0, 2.0, 4.0]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

import jax
import numpy as np
from jax.custom_derivatives import SymbolicZero

from graphc.bridges.caches import Caches
from graphc.bridges.described import DerivedFunction, Described, described
from graphc.bridges.shapes import by_name, shapes_of
from graphc.kinds import BACKWARD
from graphc.records import dataclass

KINDS = ("value_and_grad", "vjp", "jvp", "backward")


def function(module: ModuleType, name: str, **dims: int) -> Callable[..., Any]:
    """Return the values of a derived function as a function of JAX, differentiable by its paths.

    It takes the parameters, where there are any, and the inputs in order; it returns the output, or
    a dict of several. `name` is `backward`, which reads what `forward` has cached, or a
    `value_and_grad` or a `vjp`, for reverse mode, or a `jvp`, for forward mode; a `value_and_grad`
    has second derivatives where there is an `hvp` of the same. A derivative by anything else is an
    error. `dims` are those that no argument binds.

    It works under `jit` and, one example after the other, under `vmap`; the module computes on the
    host.
    """
    graph = described(module)
    one = graph.of(name)
    if one.per or one.kind.name not in KINDS:
        per = f" per {one.per}" if one.per else ""
        raise TypeError(f"`{name}` is a {one.kind.name}{per}, expected one of {', '.join(KINDS)}")
    bridge = _Bridge(graph, one, dims)
    modes = {"jvp": bridge.forward_mode, BACKWARD.name: bridge.halves}
    return modes.get(one.kind.name, bridge.reverse_mode)()


@dataclass(frozen=True, slots=True)
class _Bridge:
    """Calls of the module's functions from JAX, as callbacks whose results have known shapes."""

    graph: Described
    one: DerivedFunction
    dims: Mapping[str, int]

    # ---- both modes ----------------------------------------------------------------------------

    def values(self, *arguments: Any) -> Any:
        """Compute the outputs."""

        def compute(*given: Any) -> Any:
            return self.forward(given)[0]

        return self.packed(self.called(compute, self.shapes(arguments), *arguments))

    def forward(self, given: Sequence[Any]) -> tuple[list[Any], Any]:
        """Call `forward`: the outputs that the function is of, and the cache, if there is one."""
        out = self.graph.module.forward(*given, **self.dims)
        out, cache = out if isinstance(out[0], tuple) else (out, None)
        return [getattr(out, self.graph.outputs[name]) for name in self.one.outputs], cache

    def reverse_mode(self) -> Callable[..., Any]:
        call = jax.custom_vjp(self.values)
        pull = self.pulled if self.one.kind.name == "vjp" else self.scaled

        def forward(*arguments: Any) -> tuple[Any, Any]:
            self.refuse(arguments, lambda one: one.perturbed)
            plain = jax.tree.map(lambda one: one.value, arguments)
            return call(*plain), plain  # which is differentiable again

        def backward(arguments: Any, given: Any) -> tuple[Any, ...]:
            whole = jax.tree.map(_without_symbols, given, is_leaf=_is_symbol)
            return self.by_argument(pull(arguments, whole), arguments)

        call.defvjp(forward, backward, symbolic_zeros=True)
        return call

    def halves(self) -> Callable[..., Any]:
        """Return the outputs as a function whose derivative reads what was cached with them.

        The cache stays on the host, and a number stands for it; where it has gone, since it was
        never asked for or is asked for once more later, it is computed again.
        """
        call, caches, fields = jax.custom_vjp(self.values), Caches(), self.graph.outputs
        token = _struct((), np.int32)

        def forward(*arguments: Any) -> tuple[Any, Any]:
            self.refuse(arguments, lambda one: one.perturbed)
            plain = jax.tree.map(lambda one: one.value, arguments)

            def compute(*given: Any) -> Any:
                values, cache = self.forward(given)
                return values, np.int32(caches.keep(cache))

            values, number = self.called(compute, (self.shapes(plain), token), *plain)
            return self.packed(values), (plain, number)

        def backward(kept: tuple[Any, Any], given: Any) -> tuple[Any, ...]:
            def compute(given: Any, number: Any, cotangents: Any) -> Any:
                cache = caches.take(int(number))
                if cache is None:
                    cache = caches.again(int(number), self.forward(given)[1])
                return self.one.call(cache, **cotangents)

            whole = jax.tree.map(_without_symbols, given, is_leaf=_is_symbol)
            named = whole if len(self.one.outputs) > 1 else {self.one.outputs[0]: whole}
            cotangents = {fields[name]: one for name, one in named.items()}
            arguments, number = kept
            shapes = self.gradients(arguments)
            found = self.called(compute, shapes, arguments, number, cotangents)
            return self.by_argument(found, arguments)

        call.defvjp(forward, backward, symbolic_zeros=True)
        return call

    def forward_mode(self) -> Callable[..., Any]:
        call = jax.custom_jvp(self.values)

        def push(arguments: Any, tangents: Any) -> tuple[Any, Any]:
            self.refuse(tangents, lambda one: not _is_symbol(one))
            moves = {
                path: tangent
                for path, tangent in self.by_path(tangents).items()
                if not _is_symbol(tangent)
            }

            def compute(given: Any, moved: Any) -> Any:
                return [*self.one.call(*given, **self.dims, tangents=moved)[1]]

            pushed = self.called(compute, self.shapes(arguments), arguments, moves)
            return call(*arguments), self.packed(pushed)  # values are the same for all tangents

        call.defjvp(push, symbolic_zeros=True)
        return call

    # ---- reverse mode --------------------------------------------------------------------------

    def pulled(self, arguments: Any, given: Any) -> dict[str, Any]:
        """Pull cotangents back."""
        cotangents = given if len(self.one.outputs) > 1 else {self.one.outputs[0]: given}

        def compute(plain: Any, cotangents: Any) -> Any:
            return self.one.call(*plain, **self.dims, cotangents=cotangents)[1]

        return dict(self.called(compute, self.gradients(arguments), arguments, cotangents))

    def scaled(self, arguments: Any, given: Any) -> dict[str, Any]:
        """Scale the gradient of a scalar."""
        found = self.gradient()(arguments)
        return {path: given * gradient for path, gradient in found.items()}

    def gradient(self) -> Callable[[Any], Any]:
        """Return the gradient as a function, which has a derivative where there is an `hvp`."""

        def call(arguments: Any) -> Any:
            def compute(plain: Any) -> Any:
                return self.one.call(*plain, **self.dims)[1]

            return self.called(compute, self.gradients(arguments), arguments)

        second = self.graph.find(["hvp"], self.one.outputs, self.one.wrt)
        if second is None:
            return call
        smooth = jax.custom_vjp(call)

        def backward(arguments: Any, given: Any) -> tuple[Any]:
            def compute(plain: Any, tangents: Any) -> Any:
                return second.call(*plain, **self.dims, tangents=tangents)[1]

            found = self.called(compute, self.gradients(arguments), arguments, given)
            return (self.by_argument(found, arguments),)  # a Hessian is its own transpose

        smooth.defvjp(lambda arguments: (call(arguments), arguments), backward)
        return smooth

    # ---- arguments and results -----------------------------------------------------------------

    def called(self, compute: Callable[..., Any], shapes: Any, *arguments: Any) -> Any:
        """Call back into NumPy; what comes of it has the dtypes that JAX was told of."""

        def on_host(*given: Any) -> Any:
            found = compute(*jax.tree.map(np.asarray, given))
            return jax.tree.map(lambda one, shape: np.asarray(one, shape.dtype), found, shapes)

        return jax.pure_callback(on_host, shapes, *arguments, vmap_method="sequential")

    def shapes(self, arguments: Sequence[Any]) -> list[jax.ShapeDtypeStruct]:
        """Return shapes and dtypes of the outputs."""
        found = shapes_of(self.graph, arguments, self.dims)
        return [_struct(found[name], self.graph.module.FLOAT) for name in self.one.outputs]

    def gradients(self, arguments: Sequence[Any]) -> dict[str, jax.ShapeDtypeStruct]:
        """Return shapes and dtypes of gradients by path."""
        given = self.by_path(arguments)
        return {p: _struct(np.shape(given[p]), self.graph.module.FLOAT) for p in self.one.wrt}

    def packed(self, values: Sequence[Any]) -> Any:
        """Return one value as it is, several by name."""
        return values[0] if len(values) == 1 else dict(zip(self.one.outputs, values, strict=True))

    def by_path(self, arguments: Sequence[Any]) -> dict[str, Any]:
        """Return arguments by path: parameters and inputs."""
        return by_name(self.graph, arguments)

    def by_argument(self, found: Mapping[str, Any], arguments: Sequence[Any]) -> tuple[Any, ...]:
        """Return cotangents as the arguments are: of their dtypes, None where there is none."""

        def one(path: str, argument: Any) -> Any:
            return found[path].astype(argument.dtype) if path in found else None

        inputs = arguments[1:] if self.graph.paths else arguments
        parts = [one(name, each) for name, each in zip(self.graph.inputs, inputs, strict=True)]
        if not self.graph.paths:
            return tuple(parts)
        return ({path: one(path, each) for path, each in arguments[0].items()}, *parts)

    def refuse(self, arguments: Sequence[Any], moves: Callable[[Any], bool]) -> None:
        """Raise TypeError where a derivative is asked for by what the function is not of."""
        wrong = [p for p, one in self.by_path(arguments).items() if moves(one)]
        wrong = [path for path in wrong if path not in self.one.wrt]
        if wrong:
            by, of = ", ".join((*self.one.wrt, *wrong)), ", ".join(self.one.outputs)
            raise TypeError(
                f"`{self.one.name}` is no derivative by {', '.join(wrong)}: "
                f"`derive {self.one.kind.name} {of} wrt {by}`, or jax.lax.stop_gradient"
            )


def _struct(shape: Sequence[int], dtype: Any) -> Any:
    exact = jax.dtypes.canonicalize_dtype(dtype)
    return jax.eval_shape(lambda: jax.numpy.zeros(tuple(shape), exact))


def _is_symbol(one: Any) -> bool:
    return isinstance(one, SymbolicZero)


def _without_symbols(one: Any) -> Any:
    return jax.numpy.zeros(one.shape, one.dtype) if _is_symbol(one) else one
