"""The functions of a module that evaluate the graph and its derivatives, and their check."""

from __future__ import annotations

from collections.abc import Iterable

from graphc.elaborate.model import Declared
from graphc.emit.compiled import Compiled, Derived
from graphc.emit.families import INDEX, dict_rows
from graphc.emit.function import body, result
from graphc.emit.layout import function, listed, unpacking
from graphc.emit.record import annotation, cached, field, needs_record, record_name
from graphc.graph import Node


def _entered(compiled: Compiled, lines: list[str]) -> list[str]:
    """The lines of a function after those that check its arguments and bind its dims."""
    value = f"_enter({compiled.begin.arguments})"
    values = compiled.begin.values
    return [*(unpacking(values, value, lines) if values else [value]), *lines]


def _steps(compiled: Compiled, one: Derived) -> list[str]:
    return body(one.program)


def forward(compiled: Compiled) -> str:
    one = compiled.forward
    escaping = _storage(cached(compiled).values())
    outputs = ", ".join(
        f"{field(name)}={result(node, one.program, shared=_root(node) in escaping)}"
        for name, node in one.program.results.items()
    )
    if not compiled.backward.wrt:
        return function(
            f"def forward({compiled.begin.signature}) -> Outputs:",
            "The outputs of the graph.",
            _entered(compiled, [*_steps(compiled, one), f"return Outputs({outputs})"]),
        )
    held = [f"{field(v)}={_held(v, node, compiled)}" for v, node in cached(compiled).items()]
    held += [f"{field(dim)}={dim}" for dim in compiled.begin.dims]
    return function(
        f"def forward({compiled.begin.signature}) -> tuple[Outputs, Cache]:",
        "The outputs of the graph, and what `backward` reads of it.\n\n"
        "The cache holds copies of the inputs and parameters that it needs: writing into yours\n"
        "between `forward` and `backward` does not change the gradient.\n",
        _entered(
            compiled,
            [
                *_steps(compiled, one),
                *listed("cache = Cache(", held, ")"),
                f"return Outputs({outputs}), cache",
            ],
        ),
    )


def _held(variable: str, node: Node, compiled: Compiled) -> str:
    """A cached value; inputs and parameters are copied."""
    if node.args or not node.rank:
        return variable
    if any(d.family and d.node is node for d in compiled.model.params):
        return f"[one.copy() for one in {variable}]"
    return f"{variable}.copy()"


def _root(node: Node) -> Node:
    """The node whose memory a node may share."""
    while node.op.view_of is not None:
        node = node.args[node.op.view_of]
    return node


def _storage(nodes: Iterable[Node]) -> set[Node]:
    return {_root(node) for node in nodes}


def backward(compiled: Compiled) -> str:
    one = compiled.backward
    floats = [d for d in compiled.model.outputs if d.type.dtype == "float"]
    sole = [d.name for d in floats if not d.type.rank]
    one_default = sole[0] if len(sole) == 1 else None
    keywords = [
        f"{field(d.name)}: ArrayLike = {'1.0' if d.name == one_default else 'None'}" for d in floats
    ]
    given = {
        n.attrs["name"]: v for n, v in one.program.variables.items() if n.op.name == "cotangent"
    }
    held = [*cached(compiled), *compiled.begin.dims]
    dims = {dim: f"cache.{field(dim)}" for dim in compiled.begin.dims}
    lines = []
    for declared in floats:
        if declared.name in given:
            sizes = ", ".join(axis.python(dims) for axis in declared.node.shape)
            shape = f"({sizes}{',' if declared.node.rank == 1 else ''})"
            what = f"the cotangent of `{declared.name}`"
            lines.append(
                f"{given[declared.name]} = _cotangent({field(declared.name)}, {what!r}, {shape})"
            )
    rest = [*_steps(compiled, one), *_gradients(compiled, one)]
    lines += [*(unpacking(held, "cache", rest) if held else []), *rest]
    about = (
        "The gradients of Σ ⟨cotangent, output⟩, by path.\n\n"
        "A cotangent is given by the name of its output; "
        + (
            f"that of `{one_default}` is 1 by default, others are 0.\n"
            if one_default
            else "what is left out is 0.\n"
        )
        + "Each line is a term of the chain rule: d_v stands for the derivative by v, "
        "and where v has\nseveral children it is the sum of their contributions.\n"
    )
    return function(
        f"def backward(cache: Cache, *, {', '.join(keywords)}) -> dict[str, Any]:",
        about,
        lines,
    )


def _gradients(compiled: Compiled, one: Derived, before: str = "") -> list[str]:
    """The return statement: gradients by path, each an array of its own."""
    seen: set[Node] = set()
    written: dict[str, str] = {}
    params = {d.name: d for d in compiled.model.params}
    rows: list[Declared] = []
    for path in one.wrt:
        node = one.program.results[f"d {path}"]
        declared = params.get(path) or Declared(path, node, node.type, compiled.model.span)
        rows.append(declared)
        shared = _root(node) in seen and declared.family is None
        written[path] = result(node, one.program, shared)
        if declared.family is not None:
            first, _ = declared.family
            written[path] += f"[{INDEX}]" if first == 0 else f"[{INDEX} - {first}]"
        seen.add(_root(node))
    return [f"return {before}{{", *dict_rows(rows, lambda d, _: written[d.name]), "}"]


def derived(compiled: Compiled, one: Derived) -> str:
    """A function that the file, the command line or the default asks for."""
    emit = {"value": _value, "vjp": _vjp}.get(one.kind, _gradient)
    return emit(compiled, one)


def _value(compiled: Compiled, one: Derived) -> str:
    kind, values = _values(compiled, one)
    return function(
        f"def {one.program.name}({compiled.begin.signature}) -> {kind}:",
        f"The value of {_named(one)}.",
        _entered(compiled, [*_steps(compiled, one), f"return {values}"]),
    )


def _gradient(compiled: Compiled, one: Derived) -> str:
    kind, before, about = "dict[str, Any]", "", f"The gradients of {_named(one)} by path."
    if one.kind == "value_and_grad":
        wanted, value = _values(compiled, one)
        kind, before = f"tuple[{wanted}, {kind}]", f"{value}, "
        about = f"{_named(one)} and its gradients by path."
    return function(
        f"def {one.program.name}({compiled.begin.signature}) -> {kind}:",
        about,
        _entered(compiled, [*_steps(compiled, one), *_gradients(compiled, one, before)]),
    )


def _vjp(compiled: Compiled, one: Derived) -> str:
    """Values, and cotangents pulled back; what is left out of the dict counts as zero."""
    given = {
        n.attrs["name"]: v for n, v in one.program.variables.items() if n.op.name == "cotangent"
    }
    record, values = _values(compiled, one, always_record=True)
    shapes = {d.name: d.node.shape for d in compiled.model.outputs}
    lines = [f"_expected(cotangents, {one.outputs!r}, 'cotangents')"]
    for name, variable in given.items():
        shape = ", ".join(map(str, shapes[name])) + ("," if len(shapes[name]) == 1 else "")
        what = f"the cotangent of `{name}`"
        lines.append(f"{variable} = _cotangent(cotangents.get({name!r}), {what!r}, ({shape}))")
    signature = compiled.begin.signature_with("cotangents: Mapping[str, ArrayLike]")
    return function(
        f"def {one.program.name}({signature}) -> tuple[{record}, dict[str, Any]]:",
        f"The values of {_named(one)}, and their cotangents pulled back, by path.\n\n"
        "A cotangent is given by the name of its output; what is left out is 0.\n",
        _entered(
            compiled,
            [*lines, *_steps(compiled, one), *_gradients(compiled, one, f"{values}, ")],
        ),
    )


def _named(one: Derived) -> str:
    return ", ".join(f"`{name}`" for name in one.outputs)


def _values(compiled: Compiled, one: Derived, always_record: bool = False) -> tuple[str, str]:
    """The type of a function's values and the expression that returns them."""
    outputs = [one.program.results[name] for name in one.outputs if name in one.program.results]
    results = [result(node, one.program) for node in outputs]
    if len(results) == 1 and not always_record:
        return annotation(outputs[0].type), results[0]
    kind = record_name(one) if needs_record(compiled, one) else "Outputs"
    fields = ", ".join(f"{field(n)}={r}" for n, r in zip(one.outputs, results, strict=True))
    return kind, f"{kind}({fields})"


def check(compiled: Compiled) -> str:
    """The function that compares every derivative with numerical ones."""
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
    arguments = ["{path: point[path] for path in PARAMETERS}"] if model.params else []
    arguments += [
        f"point[{d.name!r}]" if d.name in floats else begin.variables[d.name] for d in model.inputs
    ]
    arguments += [f"{dim}={dim}" for dim in begin.keywords]
    weighed = [field(d.name) for d in model.outputs if d.type.dtype == "float"]
    tolerance = "1e-6" if model.dtype == "float64" else "2e-2"
    lines = [
        f"at: dict[str, Any] = {{{at}}}",
        "",
        "def outputs(point: Mapping[str, Any]) -> Outputs:",
        f"    return forward({', '.join(arguments)})[0]",
        "",
        f"out, cache = forward({begin.arguments})",
        "rng = np.random.default_rng(0)",
        "weights: dict[str, Any] = {",
        f"    name: rng.normal(size=np.shape(getattr(out, name))) for name in {tuple(weighed)!r}",
        "}",
        "",
        "def weighed(point: dict[str, Any], chosen: tuple[str, ...] = tuple(weights)) -> float:",
        "    values = outputs(point)",
        "    return float(sum(np.sum(weights[name] * getattr(values, name)) for name in chosen))",
        "",
        "errors = {'backward': _disagreement(weighed, at, backward(cache, **weights))}",
    ]
    for one in compiled.derived:
        if one.kind == "vjp":
            chosen = tuple(field(name) for name in one.outputs if field(name) in weighed)
            cotangents = ", ".join(
                f"{name!r}: weights[{field(name)!r}]"
                for name in one.outputs
                if field(name) in chosen
            )
            handed = ", ".join(filter(None, [begin.arguments, f"cotangents={{{cotangents}}}"]))
            lines += listed(
                f"errors[{one.program.name!r}] = _disagreement(",
                [
                    f"lambda point: weighed(point, {chosen!r})",
                    "at",
                    f"{one.program.name}({handed})[1]",
                ],
                ")",
            )
        elif one.kind != "value":
            index = "[1]" if one.kind == "value_and_grad" else ""
            name = one.program.name
            value = f"lambda point: float(outputs(point).{field(one.outputs[0])})"
            gradients = f"{name}({begin.arguments}){index}"
            lines += listed(f"errors[{name!r}] = _disagreement(", [value, "at", gradients], ")")
    lines.append(f"return _report(errors, {tolerance})")
    about = (
        "Compare every derivative in this module with numerical ones, at these arguments.\n\n"
        "Returns for each function the largest error, "
        "|analytic - numerical| / max(1, |numerical|), of\n"
        "directional derivatives by central differences; "
        "raises ArithmeticError where one is above\n"
        f"{tolerance}. Derivatives by intermediate nodes are not compared.\n"
    )
    return function(f"def check({begin.signature}) -> dict[str, float]:", about, lines)
