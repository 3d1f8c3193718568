"""The function of a module that compares its derivatives with numerical ones."""

from __future__ import annotations

import re

from graphc.dims import Dim
from graphc.elaborate.model import Declared
from graphc.emit.compiled import Compiled, Derived
from graphc.emit.derived import differentiated
from graphc.emit.families import dict_rows, tuple_rows
from graphc.emit.layout import function, listed, unpacking

SECOND = ("hvp", "hessian", "hessian_matrix")


def check(compiled: Compiled) -> str:
    """`check`: every derivative in the module against central differences."""
    if compiled.model.surrogate:
        return function(
            f"def check({compiled.begin.signature}) -> dict[str, float]:",
            "Nothing: the graph stops gradients or states surrogates, which differ on purpose.",
            ["return {}"],
        )
    begin, model = compiled.begin, compiled.model
    floats = [d.name for d in model.inputs if d.type.dtype == "float"]
    at = ", ".join(
        [*(["**params"] if model.params else []), *(f"{n!r}: {begin.variables[n]}" for n in floats)]
    )
    arguments = ["{_path: _point[_path] for _path in PARAMETERS}"] if model.params else []
    arguments += [
        f"_point[{d.name!r}]" if d.name in floats else begin.variables[d.name] for d in model.inputs
    ]
    arguments += [f"{dim}={dim}" for dim in begin.keywords]
    weighed = [begin.fields[d.name] for d in model.outputs if d.type.dtype == "float"]
    first, second = ("1e-6", "1e-4") if model.dtype == "float64" else ("2e-2", "2e-1")
    lines = [
        f"_at: dict[str, Any] = {{{at}}}",
        "",
        "def _outputs(_point: Mapping[str, Any]) -> Outputs:",
        f"    return forward({', '.join(arguments)})[0]",
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
        "_found: Any = backward(_cache, **_weights)",
        *_compared("backward", "_weighed", "_found", "np.sum(_found[_path] * _way)"),
    ]
    curved = [one for one in compiled.derived if one.kind.removeprefix("value_and_") in SECOND]
    for one in compiled.derived:
        if one.kind != "value" and one not in curved:
            lines += _first(compiled, one)
    if curved:
        lines += [f"_report(_errors, {first})", "_bends: dict[str, float] = {}"]
        for one in curved:
            lines += _second(compiled, one)
        lines.append(f"return _errors | _report(_bends, {second})")
    else:
        lines.append(f"return _report(_errors, {first})")
    dims = unpacking(begin.values, f"_enter({begin.arguments})", lines) if begin.bindings else []
    used = [dim for dim in begin.dims if any(re.search(rf"\b{dim}\b", line) for line in lines)]
    about = (
        "Compare every derivative in this module with numerical ones, at these arguments.\n\n"
        "Returns for each function the largest error, "
        "|analytic - numerical| / max(1, |numerical|), of\n"
        "directional derivatives by central differences; "
        "raises ArithmeticError where one is above\n"
        f"{first}{f', of second derivatives {second}' if curved else ''}. "
        "Derivatives by intermediate nodes are not compared.\n"
    )
    return function(
        f"def check({begin.signature}) -> dict[str, float]:",
        about,
        [
            *(dims if set(used) - set(begin.keywords) else []),
            "_errors: dict[str, float] = {}",
            *lines,
        ],
    )


def _compared(name: str, value: str, paths: str, slope: str) -> list[str]:
    call = [value, "_at", paths, f"lambda _path, _way: float({slope})"]
    return listed(f"_errors[{name!r}] = _disagreement(", call, ")")


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
    slope = "np.sum(_found[_path] * _way)"
    if one.per and (axes := _axes(compiled, one)):
        moved = f"np.moveaxis(_way, {axes}[_path], 0) if _path in {axes} else _way"
        slope = f"np.sum(_found[_path] * ({moved}))"
    return _call(compiled, one), "_found", slope


def _axes(compiled: Compiled, one: Derived) -> dict[str, int]:
    """Where paths have the axis that is kept apart."""
    axes = {path: [str(n) for n in node.shape] for path, node in one.wrt}
    return {path: shape.index(one.per) for path, shape in axes.items() if one.per in shape}


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
            moved = f"_apart(_found[{name!r}][_path], _way, {axes}.get(_path))"
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
        columns = f"_columns({_sizes(compiled, one)}, {moved}, {rows}, {axes}.get(_path))"
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
        axes = [_known(compiled, axis) for axis in d.shape if str(axis) != one.per]
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
    found = [f"_found = {call}{'[1]' if one.kind.startswith('value_and_') else ''}"]
    match one.kind.removeprefix("value_and_"):
        case "hvp":
            found = []
            pushed = _call(compiled, one, "tangents=_v")
            bend = (
                "sum(np.sum(_u[_path] * _one)"
                f" for _path, _one in {pushed}[1].items() if _path in _u)"
            )
        case "hessian":
            bend = (
                "sum(np.sum(_u[_a] * _applied(_found[_a][_b], _v[_b])) for _a in _u for _b in _v)"
            )
        case _:
            sizes = _sizes(compiled, one)
            bend = f"np.sum(_columns({sizes}, _u)[0] @ _found @ _columns({sizes}, _v)[0])"
    value = f"lambda _point: float(_outputs(_point).{compiled.begin.fields[one.outputs[0]]})"
    arguments = [value, "_at", _paths(compiled, one), f"lambda _u, _v: float({bend})"]
    return [*found, *listed(f"_bends[{name!r}] = _curvature(", arguments, ")")]
