"""A module over compiled C: the text of the Python module, which calls the extension."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir.graph import COTANGENT, TANGENT
from graphc.ir.results import gradient_by
from graphc.names import MODULE, Identifiers, flat
from graphc.plan.module import Compiled, Derived, Elsewhere
from graphc.records import replace
from graphc.targets.c.contract import CFunction, CModule
from graphc.targets.extension.calls import has_quick
from graphc.targets.marks import without_marks
from graphc.targets.numpy import module as numpy_module

LOAD = """

def _load_compiled(name: str) -> Any:
    \"\"\"The compiled functions, which lie beside this module.\"\"\"
    import importlib.machinery
    import importlib.util
    import os

    folder = os.path.dirname(os.path.abspath(__file__))
    for suffix in importlib.machinery.EXTENSION_SUFFIXES:
        path = os.path.join(folder, name + suffix)
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is not None and spec.loader is not None and os.path.exists(path):
            extension = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(extension)
            return extension
    raise ImportError(
        f"{name}{importlib.machinery.EXTENSION_SUFFIXES[0]} is not beside {__file__}: run"
        " `graphc build` with this Python"
    )

"""
"""What finds the extension; the module ends with it."""


def python_text(compiled: Compiled, module: CModule, extension: str) -> str:
    """Write the Python module, beside which the extension of this name lies."""
    by_name = {one.function: _elsewhere(compiled, one) for one in module.functions}
    whole = replace(
        compiled,
        forward=by_name.get(compiled.forward.name, compiled.forward),
        backward=by_name.get(compiled.backward.name, compiled.backward),
        derived=tuple(by_name[one.name] for one in compiled.derived),
    )
    named = _bound(module)
    text = without_marks(numpy_module.text(whole, [name for name, _ in named])).text
    lines = [f"_extension: Any = _load_compiled({extension!r})"]
    lines += ["_extension._paths(PARAMETERS)"] if compiled.begin.params else []
    lines += [f"{name} = _extension.{method}" for name, method in named]
    return f"{text}{LOAD}\n" + "\n".join(lines) + "\n"


def _bound(module: CModule) -> list[tuple[str, str]]:
    """Return by what names the module calls which functions of the extension."""
    quick = [(_quick(one), one.function) for one in module.functions if has_quick(one)]
    return [*quick, *((_checked(one), f"_{one.function}") for one in module.functions)]


def _quick(one: CFunction) -> str:
    return f"_quick_{one.function}"


def _checked(one: CFunction) -> str:
    return f"_checked_{one.function}"


def _elsewhere(compiled: Compiled, one: CFunction) -> Derived:
    """Return the plan of a function as one whose statements are compiled C."""
    begin = compiled.begin
    scope = Identifiers({*MODULE, *begin.taken, *begin.variables.values()})
    variables = one.derived.program.variables
    more = {n.attrs["name"]: v for n, v in variables.items() if n.op in (COTANGENT, TANGENT)}
    scope.taken |= {*more.values()}
    results = {a.key: scope.fresh(flat(a.key.label)) for a in one.results if a.key is not None}
    cached: tuple[str, ...] = ()
    if one.cache == "made":
        cached = tuple(scope.fresh(f"cached_{variables[node]}") for node in compiled.cached)
    given = [more[a.of] for a in one.given if a.role in ("cotangent", "tangent")]
    gradients = {a.of: f"out_{results[a.key]}" for a in one.results if a.key == gradient_by(a.of)}
    may_go = one.kind.returns == "gradients"
    destinations = {path: scope.fresh(name) for path, name in gradients.items()} if may_go else {}
    places = [destinations.get(a.of, "None") if a.key == gradient_by(a.of) else "None"
              for a in one.results]  # fmt: skip
    places_given = _tuple(places) if destinations else "None"
    first = "cache" if one.cache == "read" else "_entered"
    quick = f"{_quick(one)}({_positional(compiled)})"
    return replace(
        one.derived,
        destinations=destinations,
        others=(),
        numbers=None,
        elsewhere=Elsewhere(
            quick if has_quick(one) else "",
            f"{_checked(one)}({first}, {_tuple(given)}, {places_given})",
            (*results.values(), *cached, *begin.dims),
            results,
            cached,
        ),
    )


def _positional(compiled: Compiled) -> str:
    begin = compiled.begin
    names = ["params"] if begin.params else []
    return ", ".join([*names, *(begin.variables[d.name] for d in begin.inputs), *begin.keywords])


def _tuple(names: Sequence[str]) -> str:
    return f"({', '.join(names)}{',' if len(names) == 1 else ''})"
