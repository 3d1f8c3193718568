"""A compilation and a point -> the numbers of its named values there, and of their adjoints."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from graphc.checking.domain import FAILURES
from graphc.checking.point import Start, choose_point
from graphc.compile.stages import Compilation, load
from graphc.elaborate.names.model import Model
from graphc.records import dataclass
from graphc.source import GraphError, error
from graphc.targets.numpy.functions.trace import walk_name
from graphc.views.explain.explained import question
from graphc.views.numbers.flow import Flow, flow_of
from graphc.views.numbers.probe import NUMBERS, Flowing, Looked, Place, Probe, build_probe
from graphc.views.numbers.summary import Summary, summarise, together


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a named value at a point: of itself, and of the derivative by it.

    `gain` is the norm of the derivative, relative to the largest of those that it comes from.
    Of a value in a loop there are the steps, and those of the derivative, in the order computed.
    """

    name: str
    value: Summary
    adjoint: Summary | None
    children: tuple[str, ...]
    gain: float | None
    flow: Flow | None
    steps: tuple[Summary, ...] = ()
    adjoint_steps: tuple[Summary, ...] = ()


@dataclass(frozen=True, slots=True)
class Born:
    """What made the first nan or infinity: the operation of a variable, or an argument itself.

    `place` is in the text, `steps` are those of the loops around; `values` tell the variable and
    its operands, each in a line.
    """

    operation: str
    variable: str
    made: float
    place: str
    steps: Mapping[str, int]
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers of a graph at a point, by name, in the order of the file.

    `flowing` is what comes back to a value from one that is computed of it, by these two names.

    `outputs` are differentiated, as a sum of all their elements. `sizes` are those of the dims.
    `born` is the first nan or infinity; `finite` is false where a point without these was looked
    for, and not found.
    """

    known: Mapping[str, Known]
    flowing: Mapping[tuple[str, str], Summary]
    outputs: tuple[str, ...]
    sizes: Mapping[str, int]
    born: Born | None
    finite: bool

    @property
    def scalar(self) -> bool:
        """Return whether one number is differentiated."""
        return len(self.outputs) == 1 and not self.known[self.outputs[0]].value.shape


def look(compilation: Compilation, place: Start) -> Numbers:
    """Compute the numbers of a graph; raises GraphError, also where the point does not fit."""
    model = compilation.stated
    asked = question(model)
    with compilation.open():
        probe = build_probe(model, asked.outputs, asked.paths, compilation.options)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            at, finite = choose_point(model, load(probe.text, model.name), place)
            module = load(probe.text, model.name)
            first = module.trace(**at)
            values, steps = _run(module, at, probe)
        except (*FAILURES, TypeError) as why:
            raise GraphError([error("E217", f"--at: {why}", None)]) from None
    places: dict[str, int] = {}
    for node, name in model.names.items():
        places[name] = min(node.index, places.get(name, node.index))
    found = _known(probe, values, steps)
    known = {name: found[name] for name in sorted(found, key=lambda one: places[one])}
    return Numbers(
        known,
        {
            (looked.parent, looked.child): summary
            for looked, summary in zip(probe.results, values, strict=True)
            if isinstance(looked, Flowing)
        },
        probe.outputs,
        _sizes(model, known, at),
        None if first is None else _born(first),
        finite,
    )


def _born(trace: Any) -> Born:
    """Return what a module's `trace` found."""
    at = f"[{', '.join(map(str, trace.position))}]" if trace.position else ""
    values = tuple(str(one).replace("`", "") for one in (trace.value, *trace.operands))
    variable = f"{trace.node}{at}"
    return Born(trace.operation, variable, trace.made, trace.place, trace.steps, values)


Seen = dict[Place, dict[tuple[int, ...], Summary]]
"""What was seen at a place, by the indices of the loops around, in the order computed."""


def _run(module: ModuleType, at: Mapping[str, Any], probe: Probe) -> tuple[list[Summary], Seen]:
    """Run the function that looks; returns its results, and what was seen in steps of loops."""
    values: list[Summary] = []
    seen: Seen = {}
    slots: dict[int, list[int]] = {}
    for (number, slot), _ in probe.steps:
        slots.setdefault(number, []).append(slot)

    def look(value: Any, number: int, operands: tuple[Any, ...], steps: tuple[int, ...]) -> Any:
        for slot in slots.get(number, ()):
            seen.setdefault((number, slot), {})[steps] = summarise((value, *operands)[slot])
        return value

    def given(*_: Any) -> None:
        return None

    def ended(function: str, arguments: Any, results: list[Any]) -> None:
        values.extend(map(summarise, results))

    vars(module).update(_watched=look, _given=given, _ended=ended)
    getattr(module, walk_name(NUMBERS))(**at)
    return values, seen


def _known(probe: Probe, values: list[Summary], seen: Seen) -> dict[str, Known]:
    """Put what was seen of each name together."""
    seen_of: list[tuple[Looked, tuple[Summary, ...]]]
    pairs = [*zip(probe.results, values, strict=True)]
    seen_of = [(looked, (one,)) for looked, one in pairs if isinstance(looked, Looked)]
    seen_of += [(looked, tuple(seen[at].values())) for at, looked in probe.steps if at in seen]
    forward = {looked.name: parts for looked, parts in seen_of if not looked.adjoint}
    whole = {one.name: value for one, value in pairs if isinstance(one, Looked) and one.adjoint}
    steps = {looked.name: parts for looked, parts in seen_of if looked.adjoint and len(parts) > 1}
    adjoints: dict[str, Summary] = {}
    flowing: dict[str, tuple[Summary, ...]] = {}
    children: dict[str, tuple[str, ...]] = {}
    for looked, parts in seen_of:
        if looked.adjoint:  # of what steps share the whole is their sum, not all of its terms
            name = looked.name
            adjoints[name] = whole.get(name) or together(parts)
            flowing[name] = (whole[name],) if _is_sum(whole.get(name), parts) else parts
            children[name] = looked.children
    flows = flow_of(flowing, children)
    return {
        name: Known(
            name,
            together(parts),
            adjoints.get(name),
            children.get(name, ()),
            _gain(name, adjoints, children),
            flows.get(name),
            parts if len(parts) > 1 else (),
            steps.get(name, ()),
        )
        for name, parts in forward.items()
    }


def _is_sum(whole: Summary | None, parts: Sequence[Summary]) -> bool:
    """Return whether steps contribute to one array, and not each an element of it."""
    return whole is not None and whole.size == parts[0].size


def _sizes(model: Model, known: Mapping[str, Known], at: Mapping[str, Any]) -> dict[str, int]:
    """Return the sizes of the dims: known, given, or those of axes."""
    axes = {
        str(axis): size
        for d in (*model.inputs, *model.params)
        if d.name in known
        for axis, size in zip(d.node.shape, known[d.name].value.shape, strict=True)
    }
    sizes = {d.name: d.fixed or at.get(d.variable, axes.get(d.variable)) for d in model.dims}
    return {name: int(size) for name, size in sizes.items() if size is not None}


def _gain(
    name: str, adjoints: Mapping[str, Summary], children: Mapping[str, Sequence[str]]
) -> float | None:
    """Return the norm of an adjoint relative to the largest that it comes from, all finite."""
    if name not in adjoints:
        return None
    before = [adjoints[one] for one in children.get(name, ()) if one in adjoints]
    finite = all(one.is_finite for one in (adjoints[name], *before))
    largest = max((one.norm for one in before), default=0.0)
    return adjoints[name].norm / largest if finite and largest else None
