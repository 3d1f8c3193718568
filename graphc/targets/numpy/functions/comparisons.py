"""The lines of `check` that compare a derived function with numerical derivatives, by kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from graphc import kinds
from graphc.elaborate.names.model import Declared
from graphc.ir.dims import Dim
from graphc.kinds import Kind
from graphc.plan.module import Compiled, Derived
from graphc.targets.numpy.functions.derived import declared_wrt
from graphc.targets.numpy.printing.families import dict_rows, tuple_rows
from graphc.targets.numpy.printing.text import write_list


def comparison(compiled: Compiled, one: Derived) -> list[str]:
    """Compare what a function returns, if that is a derivative."""
    return COMPARISONS[one.kind.base](compiled, one) if one.kind.order else []


def slopes(name: str, value: str, paths: str, slope: str) -> list[str]:
    """Write the comparison along a direction `_way` of one `_path`, with what `_found` says."""
    call = [value, "_at", paths, f"lambda _path, _way: float({slope})"]
    return write_list(f"_errors[{name!r}] = _slopes(", call, ")")


def fix_dim(compiled: Compiled, dim: Dim) -> Dim:
    """Return a dim of a declaration with its value, where it has one."""
    return dim.substitute({d.variable: d.fixed for d in compiled.model.dims if d.fixed is not None})


# ---- first derivatives ---------------------------------------------------------------------------


def _of_gradient(compiled: Compiled, one: Derived) -> list[str]:
    axes = _axes(compiled, one) if one.per else {}
    slope = f"np.sum(_found[_path] * {_positions_first(axes, '_way', '_path')})"
    found = _call_function(compiled, one)
    return [found, *slopes(one.program.name, _of_one(compiled, one), "_found", slope)]


def _of_vjp(compiled: Compiled, one: Derived) -> list[str]:
    cotangents = ", ".join(
        f"{name!r}: _weights[{compiled.begin.fields[name]!r}]" for name in one.outputs
    )
    found = _call_function(compiled, one, f"cotangents={{{cotangents}}}")
    return [found, *_weigh(compiled, one, "_found", "np.sum(_found[_path] * _way)")]


def _of_jvp(compiled: Compiled, one: Derived) -> list[str]:
    pushed = _call(compiled, one, "tangents={_path: _way}") + "[1]"
    slope = f"_weigh({pushed}, _weights, {_fields(compiled, one)!r})"
    return _weigh(compiled, one, _paths(compiled, one), slope)


def _of_jacobian(compiled: Compiled, one: Derived) -> list[str]:
    axes = _axes(compiled, one)
    terms = []
    for name in one.outputs:
        weight = f"_weights[{compiled.begin.fields[name]!r}]"
        moved = f"_applied(_found[{name!r}][_path], _way)"
        if one.per:
            weight = f"np.moveaxis({weight}, {_place(compiled, one, name)}, 0)"
            moved = f"_apart(_found[{name!r}][_path], _way, {_axis(axes)})"
        terms.append(f"np.sum({weight} * {moved})")
    paths = f"_found[{one.outputs[0]!r}]"
    return [_call_function(compiled, one), *_weigh(compiled, one, paths, " + ".join(terms))]


def _of_jacobian_matrix(compiled: Compiled, one: Derived) -> list[str]:
    moved = "{_path: _way}"
    if one.per:
        axes = _axes(compiled, one)
        rows = fix_dim(compiled, Dim.symbol(one.per))
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
    return [_call_function(compiled, one), *_weigh(compiled, one, _paths(compiled, one), slope)]


def _weigh(compiled: Compiled, one: Derived, paths: str, slope: str) -> list[str]:
    """Write the comparison of what is of several outputs: with the slope of their weighed sum."""
    value = f"lambda _point: _weighed(_point, {_fields(compiled, one)!r})"
    return slopes(one.program.name, value, paths, slope)


# ---- second derivatives --------------------------------------------------------------------------


def _of_hvp(compiled: Compiled, one: Derived) -> list[str]:
    axes = _axes(compiled, one) if one.per else {}
    pushed = _call(compiled, one, "tangents=_v")
    way = _positions_first(axes, "_u[_path]", "_path")
    bend = f"sum(np.sum({way} * _one) for _path, _one in {pushed}[1].items() if _path in _u)"
    return _bends(compiled, one, bend)


def _of_hessian(compiled: Compiled, one: Derived) -> list[str]:
    axes = _axes(compiled, one) if one.per else {}
    moved = "_applied(_found[_a][_b], _v[_b])"
    if one.per:
        moved = f"_apart(_found[_a][_b], _v[_b], {_axis(axes, '_b')})"
    way = _positions_first(axes, "_u[_a]", "_a")
    bend = f"sum(np.sum({way} * {moved}) for _a in _u for _b in _v)"
    return [_call_function(compiled, one), *_bends(compiled, one, bend)]


def _of_hessian_matrix(compiled: Compiled, one: Derived) -> list[str]:
    sizes = _sizes(compiled, one)
    if one.per:
        apart = f"{fix_dim(compiled, Dim.symbol(one.per))}, {_axes(compiled, one)}"
        u, v = (f"_columns({sizes}, {way}, {apart})" for way in ("_u", "_v"))
        bend = f"np.einsum('pr,prc,pc->', {u}, _found, {v})"
    else:
        bend = f"np.sum(_columns({sizes}, _u)[0] @ _found @ _columns({sizes}, _v)[0])"
    return [_call_function(compiled, one), *_bends(compiled, one, bend)]


def _bends(compiled: Compiled, one: Derived, bend: str) -> list[str]:
    """Write the comparison along two directions `_u` and `_v` of all paths."""
    paths = _paths(compiled, one)
    arguments = [_of_one(compiled, one), "_at", paths, f"lambda _u, _v: float({bend})"]
    return write_list(f"_errors[{one.program.name!r}] = _bends(", arguments, ")")


COMPARISONS: Mapping[Kind, Callable[[Compiled, Derived], list[str]]] = {
    kinds.GRAD: _of_gradient,
    kinds.JACOBIAN: _of_jacobian,
    kinds.JACOBIAN_MATRIX: _of_jacobian_matrix,
    kinds.SPARSE_JACOBIAN: _of_jacobian_matrix,
    kinds.VJP: _of_vjp,
    kinds.JVP: _of_jvp,
    kinds.HVP: _of_hvp,
    kinds.HESSIAN: _of_hessian,
    kinds.HESSIAN_MATRIX: _of_hessian_matrix,
    kinds.SPARSE_HESSIAN: _of_hessian_matrix,
}


# ---- parts of lines ------------------------------------------------------------------------------


def _of_one(compiled: Compiled, one: Derived) -> str:
    """Write the scalar that a function is of, at a point."""
    return f"lambda _point: float(_outputs(_point).{compiled.begin.fields[one.outputs[0]]})"


def _call_function(compiled: Compiled, one: Derived, more: str = "") -> str:
    """Write the statement that calls the function; of what it returns, the derivatives."""
    return f"_found = {_call(compiled, one, more)}{'[1]' if one.kind.has_values else ''}"


def _call(compiled: Compiled, one: Derived, more: str = "") -> str:
    handed = ", ".join(filter(None, [compiled.begin.arguments, more]))
    return f"{one.program.name}({handed})"


def _fields(compiled: Compiled, one: Derived) -> tuple[str, ...]:
    """Return the fields of the outputs that a function is of."""
    return tuple(compiled.begin.fields[name] for name in one.outputs)


def _paths(compiled: Compiled, one: Derived) -> str:
    return " ".join(["(", *(row.strip() for row in tuple_rows(declared_wrt(compiled, one))), ")"])


def _positions_first(axes: Mapping[str, int], way: str, path: str) -> str:
    """Write a direction of a path with the axis that is kept apart in front, where it has it."""
    if not axes:
        return way
    return f"(np.moveaxis({way}, {axes}[{path}], 0) if {path} in {axes} else {way})"


def _axes(compiled: Compiled, one: Derived) -> dict[str, int]:
    """Return where paths have the axis that is kept apart."""
    found: dict[str, int] = {}
    for d in declared_wrt(compiled, one):
        shape = [str(axis) for axis in d.type.shape]
        if one.per in shape:
            found |= dict.fromkeys(d.paths, shape.index(one.per))
    return found


def _axis(axes: Mapping[str, int], path: str = "_path") -> str:
    """Write where a path has the axis, as the source of an expression."""
    return f"{axes}.get({path})" if axes else "None"


def _place(compiled: Compiled, one: Derived, name: str) -> int:
    """Return where an output has the axis that is kept apart."""
    (shape,) = (d.type.shape for d in compiled.model.outputs if d.name == name)
    return [str(axis) for axis in shape].index(one.per)


def _sizes(compiled: Compiled, one: Derived) -> str:
    """Write how many columns each path has, as the source of a dict."""

    def size(d: Declared, _: str) -> str:
        axes = [fix_dim(compiled, axis) for axis in d.type.shape if str(axis) != one.per]
        return " * ".join(f"({axis})" for axis in axes) or "1"

    rows = dict_rows(declared_wrt(compiled, one), size)
    return "{" + " ".join(row.strip() for row in rows) + "}"
