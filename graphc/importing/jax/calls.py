"""Functions in a jaxpr: JAX's own by name, those of users as parts, with what they state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

from graphc.importing.items import ModuleCall, Value
from graphc.importing.jax.reading import Given, Reading, of

Meaning = Callable[[Reading, list[Any]], Any]


def _elementwise(name: str) -> Meaning:
    return lambda reading, given: reading.sheet.broadcast(name, *given)


def _whole(name: str) -> Meaning:
    return lambda reading, given: reading.sheet.call(name, *given)


FUNCTIONS: dict[str, Meaning] = {
    **{name: _elementwise(name) for name in
       ("relu", "relu6", "silu", "softplus", "log_sigmoid", "logaddexp", "xlogy", "xlog1py")},
    **{name: _whole(name) for name in ("inv", "det", "solve", "cholesky")},
}  # fmt: skip
"""Functions of JAX that stand in a jaxpr by their names, and that the language has as they are."""


def _slogdet(reading: Reading, given: list[Any]) -> list[Value]:
    sign = reading.sheet.call("sign", reading.sheet.call("det", *given))
    return [sign, reading.sheet.call("logdet", *given)]


FUNCTIONS["slogdet"] = _slogdet


def known_function(jaxpr: Any) -> str:
    """Return the name of a function of JAX, and nothing for one of others."""
    info = getattr(jaxpr, "debug_info", None)
    where = getattr(info, "func_src_info", "") or ""
    inside = "/jax/_src/" in where or "/jax/" in where
    return str(getattr(info, "func_name", "")) if inside else ""


@of("jit", "pjit", "closed_call", "remat2", "checkpoint", "core_call")
def _call(reading: Reading, *operands: Given, equation: Any) -> Any:
    inner = equation.params.get("jaxpr") or equation.params["call_jaxpr"]
    plain = inner.jaxpr if hasattr(inner, "consts") else inner
    function = FUNCTIONS.get(known_function(plain))
    if function is not None and len(plain.invars) == _arity(known_function(plain)):
        return function(reading, [reading.value(one) for one in operands])
    own = _own_function(reading, plain, operands)
    with reading.sheet.within(*own):
        return reading.read(plain, getattr(inner, "consts", ()), operands)


def _own_function(reading: Reading, jaxpr: Any, operands: tuple[Given, ...]) -> list[ModuleCall]:
    """Return the part that a function of the user's own is, none for one of libraries."""
    info = getattr(jaxpr, "debug_info", None)
    name, _, place = str(getattr(info, "func_src_info", "") or "").partition(" at ")
    if "<" in name or not reading.places.is_users(place.rpartition(":")[0]):
        return []
    part = ModuleCall("", name, str(next(reading.calls)))
    names = [str(one).split("[")[0] for one in getattr(info, "arg_names", None) or ()]
    given = [pair for pair in zip(names, operands, strict=False) if isinstance(pair[1], Value)]
    reading.sheet.enter(part, [(name, one) for name, one in given if name.isidentifier()])
    return [part]


def _arity(name: str) -> int:
    return 2 if name in ("solve", "logaddexp", "xlogy", "xlog1py") else 1


@of("custom_jvp_call", "custom_vjp_call")
def _with_derivative(reading: Reading, *operands: Given, equation: Any) -> Any:
    """Read a function that states its derivative: as a part with rules, unless it is JAX's."""
    inner = equation.params["call_jaxpr"]
    name = known_function(inner.jaxpr)
    function = FUNCTIONS.get(name)
    if function is not None and len(operands) == _arity(name):
        return function(reading, [reading.value(one) for one in operands])
    inside = name or reading.stating  # what a rule computes is the function, not its derivative
    own = [] if inside else _own_function(reading, inner.jaxpr, operands)
    with reading.sheet.within(*own):
        results = reading.read(inner.jaxpr, inner.consts, operands)
        floats = [at for at, one in enumerate(operands)
                  if isinstance(one, Value) and one.dtype == "float"]  # fmt: skip
        if own and floats:
            results = [_made_here(reading, one, operands) for one in results]
            state = _tangents if equation.primitive.name == "custom_jvp_call" else _cotangents
            reading.stating = True
            state(reading, operands, equation, floats, results)
            reading.stating = False
    return results


def _made_here(reading: Reading, result: Given, operands: tuple[Given, ...]) -> Value:
    """Return a result that is a value of the function's own, none that it is given."""
    found = reading.typed(result)
    given = any(isinstance(one, Value) and one.key == found.key for one in operands)
    return reading.sheet.subscript(found) if given else found


def _tangents(
    reading: Reading, operands: tuple[Given, ...], equation: Any, floats: list[int],
    results: list[Value],
) -> None:  # fmt: skip
    call, structs = _function(reading, operands, equation, floats)
    traced = jax.make_jaxpr(lambda given, moved: jax.jvp(call(given), moved[0], moved[1])[1])(
        structs, ([structs[at] for at in floats], [structs[at] for at in floats])
    )
    tangents = [reading.sheet.change_of("tangent", operands[at]) for at in floats]
    primals = [operands[at] for at in floats]
    rules = reading.read(traced.jaxpr, traced.consts, [*operands, *primals, *tangents])
    for result, rule in zip(results, rules, strict=True):
        reading.sheet.state("jvp", result, reading.typed(rule))


def _cotangents(
    reading: Reading, operands: tuple[Given, ...], equation: Any, floats: list[int],
    results: list[Value],
) -> None:  # fmt: skip
    call, structs = _function(reading, operands, equation, floats)
    outs = [_struct(one) for one in equation.outvars]
    traced = jax.make_jaxpr(
        lambda given, primals, back: jax.vjp(call(given), *primals)[1](tuple(back))
    )(structs, [structs[at] for at in floats], outs)
    back = [reading.sheet.change_of("cotangent", one) for one in results]
    primals = [operands[at] for at in floats]
    rules = reading.read(traced.jaxpr, traced.consts, [*operands, *primals, *back])
    stated: dict[str, tuple[Value, Value]] = {}
    for operand, rule in zip(primals, map(reading.typed, rules), strict=True):
        before = stated.get(operand.key)
        whole = rule if before is None else reading.sheet.binary("+", before[1], rule)
        stated[operand.key] = operand, whole
    for operand, rule in stated.values():
        reading.sheet.state("vjp", operand, rule)


def _struct(atom: Any) -> Any:
    return jax.ShapeDtypeStruct(atom.aval.shape, atom.aval.dtype)


def _function(
    reading: Reading, operands: tuple[Given, ...], equation: Any, floats: list[int]
) -> tuple[Callable[[Any], Callable[..., Any]], list[Any]]:
    """Return the function of its float arguments, given all, and what all arguments are like."""
    params = equation.primitive.get_bind_params(equation.params)

    def call(given: Any) -> Callable[..., Any]:
        def at(*values: Any) -> Any:
            whole = list(given)
            for place, value in zip(floats, values, strict=True):
                whole[place] = value
            return tuple(equation.primitive.bind(*whole, **params))

        return at

    structs = [_struct(one) for one in equation.invars]
    return call, structs
