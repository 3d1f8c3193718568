"""The function of a module that compares its derivatives with numerical ones."""

from __future__ import annotations

from graphc.ir.graph import TANGENT, Node
from graphc.plan.module import Compiled
from graphc.plan.program import Program
from graphc.targets.numpy.functions.comparisons import comparison, fix_dim, slopes
from graphc.targets.numpy.functions.record import with_shapes
from graphc.targets.numpy.printing.body import body
from graphc.targets.numpy.printing.expression import expression
from graphc.targets.numpy.printing.text import function, names_in, unpacking, write_list
from graphc.targets.numpy.printing.written import show


def check(compiled: Compiled) -> str:
    """`check`, and the function that compares each derivative with central differences."""
    begin, model = compiled.begin, compiled.model
    if model.surrogate:
        return function(
            f"def check({begin.signature}) -> dict[str, float]:",
            "Nothing: the graph stops gradients or states surrogates, which differ on purpose.",
            ["return {}"],
        )
    functions = [compiled.backward, *(one for one in compiled.derived if one.kind.order)]
    limits = {one.program.name: tolerance(one.kind.order, model.dtype) for one in functions}
    curved = any(one.kind.order == 2 for one in functions)
    first, second = tolerance(1, model.dtype), tolerance(2, model.dtype)
    about = (
        "Compare every derivative in this module with numerical ones, at these arguments.\n\n"
        "Returns for each function the largest error, "
        "|analytic - numerical| / max(1, |numerical|), of\n"
        "directional derivatives by central differences; "
        "raises ArithmeticError where one is above\n"
        f"{first:.0e}{f', of second derivatives {second:.0e}' if curved else ''}. "
        "It is nan where there is nothing to compare with.\n"
    )
    lines = write_list("_limits = {", [f"{name!r}: {limit}" for name, limit in limits.items()], "}")
    checked = function(
        f"def check({begin.signature}) -> dict[str, float]:",
        with_shapes(about, compiled, ()),
        [*lines, f"return _report(_comparison({begin.arguments}), _limits)"],
    )
    parts = [checked, _comparison(compiled)]
    return "\n\n\n".join(
        [*parts, _write_perturbed(compiled, compiled.moved)] if compiled.moved else parts
    )


def tolerance(order: int, dtype: str) -> float:
    """Return the largest gap to numerical derivatives of an order that rounding explains."""
    second = order == 2
    return (1e-4 if second else 1e-6) if dtype == "float64" else (2e-1 if second else 2e-2)


def _comparison(compiled: Compiled) -> str:
    """Write the function that compares each derivative, by function and path."""
    begin, model = compiled.begin, compiled.model
    floats = [d.name for d in model.inputs if d.type.dtype == "float"]
    shifts = _shifts(compiled.moved)
    at = [
        *(["**params"] if model.params else []),
        *(f"{n!r}: {begin.variables[n]}" for n in floats),
    ]
    at += [
        f"{name!r}: np.zeros({show(tuple(fix_dim(compiled, axis) for axis in node.shape))})"
        for name, node in shifts.items()
    ]
    arguments = ["{_path: _point[_path] for _path in PARAMETERS}"] if model.params else []
    arguments += [
        f"_point[{d.name!r}]" if d.name in floats else begin.variables[d.name] for d in model.inputs
    ]
    dims = [f"{dim}={dim}" for dim in begin.keywords]
    weighed = [begin.fields[d.name] for d in model.outputs if d.type.dtype == "float"]
    pulled = [begin.fields[name] for name in compiled.backward.outputs]
    all_pulled = len(pulled) == len(weighed)
    given = "_weights" if all_pulled else f"{{_name: _weights[_name] for _name in {(*pulled,)}}}"
    of = "_weighed" if all_pulled else f"lambda _point: _weighed(_point, {(*pulled,)})"
    moved = [
        f"    _moves = {{_path: _point[_path] for _path in {tuple(shifts)!r}}}",
        "    if any(np.any(_one) for _one in _moves.values()):",
        f"        return _moved({', '.join([*arguments, *dims, '_moves=_moves'])})",
    ]
    lines = [
        *write_list("_at: dict[str, Any] = {", at, "}"),
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
        f"_found: Any = backward(_cache, **{given})",
        *slopes(compiled.backward.name, of, "_found", "np.sum(_found[_path] * _way)"),
    ]
    for one in compiled.derived:
        lines += comparison(compiled, one)
    lines.append("return _errors")
    bound = names_in(lines).intersection(binding.dim for binding in begin.bindings)
    entered = unpacking(begin.values, begin.entered, lines) if bound else []
    return function(
        f"def _comparison({begin.signature}) -> dict[str, dict[str, tuple[float, float, float]]]:",
        "The worst comparison of each function by path: gap, analytic and numerical derivative.",
        [*entered, *lines],
    )


def _shifts(program: Program | None) -> dict[str, Node]:
    """Return what is added to which named node, by its name."""
    nodes = program.variables if program else ()
    return {node.attrs["name"]: node for node in nodes if node.op is TANGENT}


def _write_perturbed(compiled: Compiled, program: Program) -> str:
    """Write the function of the outputs for values of intermediate nodes that are moved."""
    begin = compiled.begin
    taken = [
        f"{program.variables[node]} = np.asarray(_moves[{name!r}], FLOAT)[()]"
        for name, node in _shifts(program).items()
    ]
    outputs = [
        f"{begin.fields[key.of]}={expression(node, program.variables)}"
        for key, node in program.results.items()
    ]
    lines = [*taken, *body(program), *write_list("return Outputs(", outputs, ")")]
    return function(
        f"def _moved({begin.signature_with('_moves: Mapping[str, Any]')}) -> Outputs:",
        "The outputs where this is added to nodes on the way, as each of them is computed.",
        [*unpacking(begin.values, begin.entered, lines), *lines],
    )
