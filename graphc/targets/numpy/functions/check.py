"""The function of a module that compares its derivatives with numerical ones."""

from __future__ import annotations

import re
from collections.abc import Mapping

from graphc.elaborate.names.model import Declared
from graphc.ir.dims import Dim
from graphc.ir.graph import TANGENT, Node
from graphc.plan.lower import Program
from graphc.plan.module import Compiled, Derived
from graphc.targets.numpy.functions.derived import differentiated
from graphc.targets.numpy.printing.body import body
from graphc.targets.numpy.printing.expression import expression, show
from graphc.targets.numpy.printing.families import dict_rows, members, tuple_rows
from graphc.targets.numpy.printing.text import function, listed, unpacking

SECOND = ("hvp", "hessian", "hessian_matrix")


def check(compiled: Compiled) -> str:
    """`check`, and the function that compares each derivative with central differences."""
    begin, model = compiled.begin, compiled.model
    if model.surrogate:
        return function(
            f"def check({begin.signature}) -> dict[str, float]:",
            "Nothing: the graph stops gradients or states surrogates, which differ on purpose.",
            ["return {}"],
        )
    limits = {"backward": tolerance("", model.dtype)}
    limits |= {
        one.program.name: tolerance(one.kind, model.dtype)
        for one in compiled.derived
        if one.kind != "value"
    }
    curved = any(map(_is_second, compiled.derived))
    first, second = tolerance("", model.dtype), tolerance("hessian", model.dtype)
    about = (
        "Compare every derivative in this module with numerical ones, at these arguments.\n\n"
        "Returns for each function the largest error, "
        "|analytic - numerical| / max(1, |numerical|), of\n"
        "directional derivatives by central differences; "
        "raises ArithmeticError where one is above\n"
        f"{first:.0e}{f', of second derivatives {second:.0e}' if curved else ''}. "
        "It is nan where there is nothing to compare with.\n"
    )
    lines = listed("_limits = {", [f"{name!r}: {limit}" for name, limit in limits.items()], "}")
    checked = function(
        f"def check({begin.signature}) -> dict[str, float]:",
        about,
        [*lines, f"return _report(_comparison({begin.arguments}), _limits)"],
    )
    parts = [checked, _comparison(compiled)]
    return "\n\n\n".join([*parts, _moved(compiled, compiled.moved)] if compiled.moved else parts)


def tolerance(kind: str, dtype: str) -> float:
    """The largest gap to numerical derivatives that rounding explains, for a kind of function."""
    second = kind.removeprefix("value_and_") in SECOND
    return (1e-4 if second else 1e-6) if dtype == "float64" else (2e-1 if second else 2e-2)


def _is_second(one: Derived) -> bool:
    return one.kind.removeprefix("value_and_") in SECOND


def _comparison(compiled: Compiled) -> str:
    """The function that compares each derivative, by function and path."""
    begin, model = compiled.begin, compiled.model
    floats = [d.name for d in model.inputs if d.type.dtype == "float"]
    shifts = _shifts(compiled.moved)
    at = [
        *(["**params"] if model.params else []),
        *(f"{n!r}: {begin.variables[n]}" for n in floats),
    ]
    at += [
        f"{name!r}: np.zeros({show(tuple(_known(compiled, axis) for axis in node.shape))})"
        for name, node in shifts.items()
    ]
    arguments = ["{_path: _point[_path] for _path in PARAMETERS}"] if model.params else []
    arguments += [
        f"_point[{d.name!r}]" if d.name in floats else begin.variables[d.name] for d in model.inputs
    ]
    dims = [f"{dim}={dim}" for dim in begin.keywords]
    weighed = [begin.fields[d.name] for d in model.outputs if d.type.dtype == "float"]
    moved = [
        f"    _moves = {{_path: _point[_path] for _path in {tuple(shifts)!r}}}",
        "    if any(np.any(_one) for _one in _moves.values()):",
        f"        return _moved({', '.join([*arguments, *dims, '_moves=_moves'])})",
    ]
    lines = [
        *listed("_at: dict[str, Any] = {", at, "}"),
        "",
        "def _outputs(_point: Mapping[str, Any]) -> Outputs:",
        *(moved if shifts else []),
        f"    return forward({', '.join([*arguments, *dims])})[0]",
        "",
        f"_out, _cache = forward({begin.arguments})",
        "_rng = np.random.default_rng(0)",
        "_weights: dict[str, Any] = {",
        "    _name: _rng.normal(size=np.shape(getattr(_out, _name)))",
        f"    for _name in {tuple(weighed)!r}",
        "}",
        "",
        "def _weighed(_point: Mapping[str, Any], _chosen: Iterable[str] = _weights) -> float:",
        "    return _weigh(_outputs(_point), _weights, _chosen)",
        "",
        "_errors: dict[str, dict[str, tuple[float, float, float]]] = {}",
        "_found: Any = backward(_cache, **_weights)",
        *_compared("backward", "_weighed", "_found", "np.sum(_found[_path] * _way)"),
    ]
    for one in compiled.derived:
        if one.kind != "value":
            lines += (_second if _is_second(one) else _first)(compiled, one)
    lines.append("return _errors")
    unpacked = (
        unpacking(begin.values, f"_enter({begin.arguments})", lines) if begin.bindings else []
    )
    used = [dim for dim in begin.dims if any(re.search(rf"\b{dim}\b", line) for line in lines)]
    return function(
        f"def _comparison({begin.signature}) -> dict[str, dict[str, tuple[float, float, float]]]:",
        "The worst comparison of each function by path: gap, analytic and numerical derivative.",
        [*(unpacked if set(used) - set(begin.keywords) else []), *lines],
    )


def _shifts(program: Program | None) -> dict[str, Node]:
    """What is added to which named node, by its name."""
    nodes = program.variables if program else ()
    return {node.attrs["name"]: node for node in nodes if node.op is TANGENT}


def _moved(compiled: Compiled, program: Program) -> str:
    """The function of the outputs for values of intermediate nodes that are moved."""
    begin = compiled.begin
    taken = [
        f"{program.variables[node]} = np.asarray(_moves[{name!r}], FLOAT)[()]"
        for name, node in _shifts(program).items()
    ]
    outputs = [
        f"{begin.fields[key.of]}={expression(node, program.variables)}"
        for key, node in program.results.items()
    ]
    lines = [*taken, *body(program), *listed("return Outputs(", outputs, ")")]
    return function(
        f"def _moved({begin.signature_with('_moves: Mapping[str, Any]')}) -> Outputs:",
        "The outputs where this is added to nodes on the way, as each of them is computed.",
        [*unpacking(begin.values, f"_enter({begin.arguments})", lines), *lines],
    )


def _compared(name: str, value: str, paths: str, slope: str) -> list[str]:
    call = [value, "_at", paths, f"lambda _path, _way: float({slope})"]
    return listed(f"_errors[{name!r}] = _slopes(", call, ")")


def _first(compiled: Compiled, one: Derived) -> list[str]:
    """The comparison of a first derivative: its slope along a direction of one path."""
    kind = one.kind.removeprefix("value_and_")
    found, paths, slope = _SLOPES[kind](compiled, one)
    if one.kind.startswith("value_and_"):
        found += "[1]"
    value = f"lambda _point: _weighed(_point, {_fields(compiled, one)!r})"
    if kind == "grad":
        value = f"lambda _point: float(_outputs(_point).{compiled.begin.fields[one.outputs[0]]})"
    lines = [f"_found = {found}"] if found else []
    return [*lines, *_compared(one.program.name, value, paths, slope)]


def _fields(compiled: Compiled, one: Derived) -> tuple[str, ...]:
    """The fields of the outputs that a function is of."""
    return tuple(compiled.begin.fields[name] for name in one.outputs)


def _call(compiled: Compiled, one: Derived, more: str = "") -> str:
    handed = ", ".join(filter(None, [compiled.begin.arguments, more]))
    return f"{one.program.name}({handed})"


def _gradient_slope(compiled: Compiled, one: Derived) -> tuple[str, str, str]:
    axes = _axes(compiled, one) if one.per else {}
    way = _positions_first(axes, "_way", "_path")
    return _call(compiled, one), "_found", f"np.sum(_found[_path] * {way})"


def _positions_first(axes: Mapping[str, int], way: str, path: str) -> str:
    """A direction of a path with the axis that is kept apart in front, where it has that."""
    if not axes:
        return way
    return f"(np.moveaxis({way}, {axes}[{path}], 0) if {path} in {axes} else {way})"


def _axes(compiled: Compiled, one: Derived) -> dict[str, int]:
    """Where paths have the axis that is kept apart."""
    found: dict[str, int] = {}
    for d in differentiated(compiled, one):
        shape = [str(axis) for axis in d.type.shape]
        if one.per in shape:
            found |= dict.fromkeys(members(d), shape.index(one.per))
    return found


def _axis(axes: Mapping[str, int], path: str = "_path") -> str:
    """Where a path has the axis, as the source of an expression."""
    return f"{axes}.get({path})" if axes else "None"


def _vjp_slope(compiled: Compiled, one: Derived) -> tuple[str, str, str]:
    cotangents = ", ".join(
        f"{name!r}: _weights[{compiled.begin.fields[name]!r}]" for name in one.outputs
    )
    found = _call(compiled, one, f"cotangents={{{cotangents}}}") + "[1]"
    return found, "_found", "np.sum(_found[_path] * _way)"


def _jvp_slope(compiled: Compiled, one: Derived) -> tuple[str, str, str]:
    pushed = _call(compiled, one, "tangents={_path: _way}") + "[1]"
    slope = f"_weigh({pushed}, _weights, {_fields(compiled, one)!r})"
    return "", _paths(compiled, one), slope


def _paths(compiled: Compiled, one: Derived) -> str:
    return " ".join(["(", *(row.strip() for row in tuple_rows(differentiated(compiled, one))), ")"])


def _jacobian_slope(compiled: Compiled, one: Derived) -> tuple[str, str, str]:
    axes = _axes(compiled, one)
    terms = []
    for name in one.outputs:
        weight = f"_weights[{compiled.begin.fields[name]!r}]"
        moved = f"_applied(_found[{name!r}][_path], _way)"
        if one.per:
            weight = f"np.moveaxis({weight}, {_place(compiled, one, name)}, 0)"
            moved = f"_apart(_found[{name!r}][_path], _way, {_axis(axes)})"
        terms.append(f"np.sum({weight} * {moved})")
    return _call(compiled, one), f"_found[{one.outputs[0]!r}]", " + ".join(terms)


def _place(compiled: Compiled, one: Derived, name: str) -> int:
    """Where an output has the axis that is kept apart."""
    (shape,) = (d.type.shape for d in compiled.model.outputs if d.name == name)
    return [str(axis) for axis in shape].index(one.per)


def _matrix_slope(compiled: Compiled, one: Derived) -> tuple[str, str, str]:
    moved = "{_path: _way}"
    if one.per:
        axes = _axes(compiled, one)
        rows = _known(compiled, Dim.symbol(one.per))
        columns = f"_columns({_sizes(compiled, one)}, {moved}, {rows}, {axes})"
        parts = [
            f"np.moveaxis(_weights[{field!r}], {_place(compiled, one, name)}, 0)"
            f".reshape({rows}, -1)"
            for name, field in zip(one.outputs, _fields(compiled, one), strict=True)
        ]
        weights = f"np.concatenate([{', '.join(parts)}], 1)"
        slope = f"np.einsum('pr,prc,pc->', {weights}, _found, {columns})"
    else:
        weights = f"np.concatenate([np.ravel(_weights[_n]) for _n in {_fields(compiled, one)!r}])"
        slope = f"np.sum({weights} * (_found @ _columns({_sizes(compiled, one)}, {moved})[0]))"
    return _call(compiled, one), _paths(compiled, one), slope


def _sizes(compiled: Compiled, one: Derived) -> str:
    """How many columns each path has, as the source of a dict."""

    def size(d: Declared, _: str) -> str:
        axes = [_known(compiled, axis) for axis in d.type.shape if str(axis) != one.per]
        return " * ".join(f"({axis})" for axis in axes) or "1"

    rows = dict_rows(differentiated(compiled, one), size)
    return "{" + " ".join(row.strip() for row in rows) + "}"


def _known(compiled: Compiled, dim: Dim) -> Dim:
    """A dim of a declaration with its value, where it has one."""
    return dim.substitute({d.variable: d.fixed for d in compiled.model.dims if d.fixed is not None})


_SLOPES = {
    "grad": _gradient_slope,
    "vjp": _vjp_slope,
    "jvp": _jvp_slope,
    "jacobian": _jacobian_slope,
    "jacobian_matrix": _matrix_slope,
    "sparse_jacobian": _matrix_slope,
}


def _second(compiled: Compiled, one: Derived) -> list[str]:
    """The comparison of a second derivative along two directions."""
    call, name = _call(compiled, one), one.program.name
    axes = _axes(compiled, one) if one.per else {}
    found = [f"_found = {call}{'[1]' if one.kind.startswith('value_and_') else ''}"]
    match one.kind.removeprefix("value_and_"):
        case "hvp":
            found = []
            pushed = _call(compiled, one, "tangents=_v")
            way = _positions_first(axes, "_u[_path]", "_path")
            bend = (
                f"sum(np.sum({way} * _one) for _path, _one in {pushed}[1].items() if _path in _u)"
            )
        case "hessian":
            moved = "_applied(_found[_a][_b], _v[_b])"
            if one.per:
                moved = f"_apart(_found[_a][_b], _v[_b], {_axis(axes, '_b')})"
            way = _positions_first(axes, "_u[_a]", "_a")
            bend = f"sum(np.sum({way} * {moved}) for _a in _u for _b in _v)"
        case _:
            sizes = _sizes(compiled, one)
            if one.per:
                known = f"{_known(compiled, Dim.symbol(one.per))}, {axes}"
                u, v = (f"_columns({sizes}, {way}, {known})" for way in ("_u", "_v"))
                bend = f"np.einsum('pr,prc,pc->', {u}, _found, {v})"
            else:
                bend = f"np.sum(_columns({sizes}, _u)[0] @ _found @ _columns({sizes}, _v)[0])"
    value = f"lambda _point: float(_outputs(_point).{compiled.begin.fields[one.outputs[0]]})"
    arguments = [value, "_at", _paths(compiled, one), f"lambda _u, _v: float({bend})"]
    return [*found, *listed(f"_errors[{name!r}] = _bends(", arguments, ")")]
