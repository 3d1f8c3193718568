"""From a compilation to the derivation of its graph."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields, is_dataclass

from graphc.ad.functions import products, value
from graphc.ad.jacobian.derivatives import DERIVATIVES
from graphc.ad.products import tangents
from graphc.ad.request import Request
from graphc.compile.stages import Compilation
from graphc.elaborate.names.model import Model
from graphc.ir.dims import Dim, sum_dims
from graphc.ir.graph import Graph, Node
from graphc.ir.loop import everywhere
from graphc.ir.types import Mismatch
from graphc.kinds import VALUE
from graphc.ops.cost import cost_of
from graphc.ops.shape.members import family_of
from graphc.optimise.passes import PASSES, rewritten
from graphc.records import dataclass, replace
from graphc.source import Span
from graphc.syntax import terms, tree
from graphc.views.explain.blocks import blocks
from graphc.views.explain.choices import Layout
from graphc.views.explain.derivation import Count, Derivation, Step
from graphc.views.explain.expression import Expression, column, number, symbol
from graphc.views.explain.region import region
from graphc.views.explain.setting import Region, Seed, Setting
from graphc.views.explain.stations import Labels

MOST = 1500
"""Nodes of a graph of which the whole derivation is told."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is differentiated by what: outputs and paths, as the file asks for them."""

    outputs: Mapping[str, Node]
    paths: Mapping[str, Node]

    @property
    def scalar(self) -> bool:
        return len(self.outputs) == 1 and all(not node.rank for node in self.outputs.values())


class Unknown(Exception):
    """No step has the name that was asked for; `names` are those that there are."""

    def __init__(self, names: Collection[str]) -> None:
        super().__init__(names)
        self.names = names


def explained(
    compilation: Compilation, layout: Layout, fine: bool = False, node: str = ""
) -> Derivation:
    """Derive the graph of a compilation, or one `node` and what it touches.

    Raises GraphError where the graph has mistakes, Unknown where it has no such node.
    """
    model = compilation.stated
    with compilation.open():
        found = _derivation(model, layout, fine, node)
        absent = _absent(compilation)
    found = replace(found, gradients=gradients_of(compilation.tree), absent=absent)
    names = {name for one in found.every_step() for name in _names(one)}
    if node and node not in names:
        raise Unknown(names)
    return found


def gradients_of(file: tree.File) -> frozenset[str]:
    """Return the names of the file's values in which an operation differentiates."""
    found: set[str] = set()
    for statement in file.statements:
        match statement:
            case tree.Equation(targets=names, value=value) | tree.Output(names=names, value=value):
                if value is not None and _calls(value, DERIVATIVES):
                    found |= {name.text for name in names}
    return frozenset(found)


def _calls(term: object, functions: Collection[str]) -> bool:
    """True if a function of one of these names is called in an expression."""
    pending = [term]
    while pending:
        one = pending.pop()
        match one:
            case terms.Call(function=terms.Name(text=text)) if text in functions:
                return True
            case tuple():
                pending.extend(one)
        if is_dataclass(one) and not isinstance(one, Span):
            pending.extend(getattr(one, each.name) for each in fields(one))
    return False


def _absent(compilation: Compilation) -> tuple[str, ...]:
    """Return the names of the values that outputs are written in, and not computed of."""
    written, stated = compilation.elaborated.sound, compilation.stated
    kept = {stated.names.get(node) for node in everywhere([d.node for d in stated.outputs])}
    nodes = everywhere([d.node for d in written.outputs])
    names = (written.names.get(node) for node in nodes)
    return tuple(dict.fromkeys(name for name in names if name and name not in kept))


def crowded(compilation: Compilation) -> bool:
    """True if a graph has more values than anybody reads."""
    model = compilation.stated
    with compilation.open():
        return len(everywhere(one.node for one in model.outputs)) > MOST


def question(model: Model) -> Question:
    """Return the scalar that a clause differentiates, else all float outputs; by the parameters.

    Also by what clauses ask for; by the float inputs where there is neither. All are nodes of the
    graph of the outputs: those of a clause with `per` have other dims, though the same names.
    """
    graph = everywhere([d.node for d in model.outputs])
    named = {model.names[node]: node for node in graph if node in model.names}
    named |= {d.name: d.node for d in (*model.inputs, *model.params, *model.outputs)}
    outputs = {d.name: d.node for d in model.outputs if d.type.dtype == "float"}
    asking = [one for one in model.clauses if one.kind is not VALUE and one.wrt]
    scalars = [
        dict(one.outputs) for one in asking if len(one.outputs) == 1 and not one.outputs[0][1].rank
    ]
    if scalars:
        outputs = scalars[0]
    elif asking:
        outputs = {name: node for one in asking for name, node in one.outputs}
    elif sum(not node.rank for node in outputs.values()) == 1:
        outputs = {name: node for name, node in outputs.items() if not node.rank}
    outputs = {name: named.get(name, node) for name, node in outputs.items()}
    paths = {d.name: d.node for d in model.params if d.type.dtype == "float"}
    paths |= {path: named.get(path, node) for one in asking for path, node in one.wrt}
    if not paths:
        paths = {d.name: d.node for d in model.inputs if d.type.dtype == "float"}
    return Question(outputs, paths)


def _derivation(model: Model, layout: Layout, fine: bool, node: str) -> Derivation:
    asked = question(model)
    declared = {d.node: d.name for d in (*model.inputs, *model.params, *model.outputs)}
    names = {**model.names, **declared}
    labels = Labels(names, fine, set(names.values()))
    target = _target(asked, labels)
    direction = symbol(_free("s", labels.taken), ())
    wrt = {path: family_of(one) for path, one in asked.paths.items()}
    only = frozenset({node}) if node else None
    setting = Setting(layout, target, direction, labels, frozenset(wrt.values()), only)
    roots = list(dict.fromkeys([d.node for d in model.outputs]))
    roots += [one for one in asked.outputs.values() if one not in roots]
    seeds = [Seed(one, _seed(asked, one, labels, setting)) for one in asked.outputs.values()]
    found = region(setting, roots, seeds, list(wrt.values()), {})
    ends = [_symbol(found, one, labels) for one in asked.outputs.values()]
    return Derivation(
        model.name,
        layout,
        target,
        tuple(ends),
        tuple(dict.fromkeys(_symbol(found, one, labels) for one in wrt.values())),
        asked.scalar,
        found.steps,
        found.adjoints,
        () if node else blocks(setting, asked.outputs.values(), wrt.values(), found),
        () if node else counts(asked, model),
        tuple(model.derivations),
    )


def _symbol(found: Region, node: Node, labels: Labels) -> Expression:
    known = found.symbols.get(node)
    return symbol(labels.name(node), column(node.shape)) if known is None else known


def _target(asked: Question, labels: Labels) -> Expression:
    """Return the number that is differentiated: the output, or one that comes after all."""
    if asked.scalar:
        (output,) = asked.outputs.values()
        name = labels.name(output)
        return symbol(name if len(name) == 1 else _free("L", labels.taken), ())
    return symbol(_free("L", labels.taken), ())


def _free(name: str, taken: set[str]) -> str:
    """Return the name, or one like it that the graph has not taken."""
    options = (name, *(f"{name}{i}" for i in range(len(taken) + 1)))
    return next(one for one in options if one not in taken)


def _seed(asked: Question, node: Node, labels: Labels, setting: Setting) -> Expression:
    if asked.scalar:
        return number(1)
    named = symbol(labels.name(node), column(node.shape))
    shape = setting.total(setting.target, named).shape
    return Expression("seed", (named,), shape)


# ---- what it costs ------------------------------------------------------------------------------


def counts(asked: Question, model: Model) -> tuple[Count, ...]:
    """Count the passes and multiply-adds for J in forward and in reverse mode."""
    request = Request("", asked.outputs, asked.paths, model.names, "values", True, {})
    rows = sum_dims([node.type.size for node in asked.outputs.values()])
    columns = sum_dims([node.type.size for node in asked.paths.values()])
    values = _multiply_adds(value(request))
    found = []
    for mode, passes, make in (("forward", columns, tangents), ("reverse", rows, products)):
        try:
            whole = _multiply_adds(make(request))
        except Mismatch:
            continue  # a surrogate has no forward derivative
        found.append(Count(mode, passes, whole - values))
    return (Count("value", Dim.of(1), values), *found)


def _multiply_adds(graph: Graph) -> Dim:
    return cost_of(rewritten(graph, PASSES)).multiply_adds


def _names(step: Step) -> Iterator[str]:
    """Yield what a step goes by; a loop by what it carries."""
    if step.loop is None:
        yield step.symbol.data[0]
    else:
        yield from (value.data[0] for value, _ in step.loop.carried)
