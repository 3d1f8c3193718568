"""The two halves of reverse mode that every module has: `forward` and `backward`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphc.ir.graph import SOURCES, Node
from graphc.ops.storage import owners_of_all
from graphc.plan.module import Compiled
from graphc.targets.numpy.functions import out
from graphc.targets.numpy.functions.derived import (
    declared_wrt,
    gradients,
    results_of,
    steps,
    whole_body,
)
from graphc.targets.numpy.functions.directions import check_cotangents
from graphc.targets.numpy.functions.record import cache_fields, cache_variables, with_shapes
from graphc.targets.numpy.printing.text import function, names_in, unpacking, write_list


def forward(compiled: Compiled) -> str:
    one = compiled.forward
    written = results_of(one, cache_variables(compiled).values())
    called = compiled.begin.fields
    outputs = ", ".join(f"{called[key.of]}={result.part()}" for key, result in written.items())
    if not compiled.backward.wrt:
        return function(
            f"def forward({compiled.begin.signature}) -> Outputs:",
            with_shapes("The outputs of the graph.", compiled, one.outputs),
            whole_body(compiled, one, [*steps(compiled, one), f"return Outputs({outputs})"]),
        )
    kept = cache_fields(compiled)
    variables = cache_variables(compiled)
    values = [v if one.printed else _cache_value(v, n, compiled) for v, n in variables.items()]
    values = values if one.elsewhere is None else [*one.elsewhere.cached]
    held = [f"{kept[v]}={value}" for v, value in zip(variables, values, strict=True)]
    held += [f"{kept[dim]}={dim}" for dim in compiled.begin.dims]
    return function(
        f"def forward({compiled.begin.signature}) -> tuple[Outputs, Cache]:",
        with_shapes(
            "The outputs of the graph, and what `backward` reads of it."
            + ("" if one.printed else _COPIES),
            compiled,
            one.outputs,
        ),
        whole_body(
            compiled,
            one,
            [
                *steps(compiled, one),
                *write_list("cache = Cache(", held, ")"),
                f"return Outputs({outputs}), cache",
            ],
        ),
    )


_COPIES = (
    "\n\nThe cache holds copies of the inputs and parameters that it needs: writing into\n"
    "yours between `forward` and `backward` does not change the gradient."
)


def _cache_value(variable: str, node: Node, compiled: Compiled) -> str:
    """Write a cached value; inputs and parameters are copied, also where a loop hands them on."""
    if not any(owner.op in SOURCES for owner in owners_of_all([node])):
        return variable
    if any(d.family and d.node is node for d in compiled.model.params):
        return f"[_one.copy() for _one in {variable}]"
    return f"{variable}.copy()"


def _from_fields(fields: Mapping[str, str], rest: Sequence[str]) -> list[str]:
    """List the lines that take what the rest reads out of the cache, a field after the other."""
    read = names_in(rest)
    return [f"{name} = cache.{field}" for name, field in fields.items() if name in read]


_HOW = {
    "-O0": (
        "Each line is a term of the chain rule. d_v is the total derivative by v, through all "
        "that v\ngoes into: where v has several children it is the sum of their contributions. "
        "∂y/∂v is\npartial, of one step: y by its operand v, the others held; (∂y/∂v)ᵀ becomes a "
        "product with a\ntranspose, or a sum. What the graph has no name for is called after "
        "what it is part of:\ny_sum is the sum inside the formula of y. Behind a term stands its "
        "shape.\n"
    ),
    "-O2": (
        "d_v stands for the derivative by v, or for a part of it; lines stand in the order and\n"
        "compute in the places that take the least memory.\n"
    ),
}
"""What the statements of `backward` are, by level."""


def backward(compiled: Compiled) -> str:
    one = compiled.backward
    outputs = {d.name: d for d in compiled.model.outputs}
    floats = [outputs[name] for name in one.outputs]
    sole = [d.name for d in floats if not d.type.rank]
    one_default = sole[0] if len(sole) == 1 else None
    names = compiled.begin.fields
    keywords = [
        f"{names[d.name]}: ArrayLike = {'1.0' if d.name == one_default else 'None'}" for d in floats
    ]
    held = [*cache_variables(compiled), *compiled.begin.dims]
    kept = cache_fields(compiled)
    dims = {dim: f"cache.{kept[dim]}" for dim in compiled.begin.dims}
    given = [(names[d.name], d) for d in floats]
    lines = [
        "if type(cache) is not Cache:",
        "    raise _no_cache(cache)",
        *check_cotangents(one, given, lambda axis: axis.python(dims)),
    ]
    rest = [
        *steps(compiled, one),
        *gradients(compiled, one, taken=cache_variables(compiled).values()),
    ]
    wrt = declared_wrt(compiled, one)
    lines += out.check_out(compiled, one, wrt, "cache", lambda axis: axis.python(dims))
    if one.elsewhere is not None:
        lines.append(f"_found = {one.elsewhere.checked}")
        lines += [*unpacking(one.elsewhere.names, "_found", rest), *rest]
    elif one.printed is not None:
        lines += [*_from_fields({name: kept[name] for name in held}, rest), *rest]
    else:
        lines += [*(unpacking(held, "cache", rest) if held else []), *rest]
    about = (
        "The gradients of Σ ⟨cotangent, output⟩, by path.\n\n"
        "A cotangent is given by the name of its output; "
        + (
            f"that of `{one_default}` is 1 by default, others are 0.\n"
            if one_default
            else "what is left out is 0.\n"
        )
        + _HOW[compiled.level.name]
        + f"\n{out.about(one)}"
    )
    return function(
        f"def backward(cache: Cache, *, {', '.join([*keywords, *out.arguments(one)])})"
        " -> dict[str, Any]:",
        with_shapes(about, compiled, one.outputs, wrt, ["cache"]),
        lines,
    )
