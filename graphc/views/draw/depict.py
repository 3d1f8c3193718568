"""From a compilation to the picture of its graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from graphc.compile.stages import Compilation
from graphc.elaborate.names.model import Model
from graphc.ir.graph import INPUT, PARAMETER, Node
from graphc.ir.loop import loop_of
from graphc.records import dataclass, replace
from graphc.views.draw.grouping import grouping
from graphc.views.draw.layered.regions import untangled
from graphc.views.draw.records.picture import Adjoint, Edge, Kind, Picture, Role
from graphc.views.draw.records.picture import Node as Box
from graphc.views.draw.skips import skips_of
from graphc.views.draw.values import Values, values_of
from graphc.views.draw.wording import (
    BACK,
    Wording,
    adjoint_name,
    pulled_whole,
    summed,
    told_of,
    type_text,
)
from graphc.views.explain.explained import question
from graphc.views.explain.local import Local
from graphc.views.explain.words import structure

MOST_WORDED = 1500
"""Boxes of a graph whose formulas are written."""


def picture_of(compilation: Compilation, every: bool = False) -> Picture:
    """Depict the graph of a compilation, forward; `every` operation by itself, if so asked.

    Raises GraphError where it has mistakes.
    """
    model = compilation.stated
    with compilation.open():
        return depict(subject_of(model), every)


@dataclass(frozen=True, slots=True)
class Subject:
    """What is depicted: nodes that have names, what they end in, and what is differentiated.

    The derivatives of `ends` by `wrt` are what flows back, those of a number called `target`.
    """

    title: str
    roots: tuple[Node, ...]
    outputs: frozenset[Node]
    names: Mapping[Node, str]
    ends: tuple[Node, ...]
    wrt: tuple[Node, ...]
    target: str


def subject_of(model: Model) -> Subject:
    """Return what is depicted of a model: its outputs, and what no output needs."""
    declared = {d.node: d.name for d in (*model.inputs, *model.params, *model.outputs)}
    outputs = [one.node for one in model.outputs]
    asked = question(model)
    sources = {d.name: d.node for d in (*model.inputs, *model.params)}
    names = {**model.names, **declared}
    by_path = {path: node for node, path in names.items()} | sources
    only = [*asked.outputs]
    return Subject(
        model.name,
        tuple(dict.fromkeys([*outputs, *sources.values()])),
        frozenset(outputs),
        names,
        tuple(one.node for one in model.outputs if one.name in asked.outputs),
        tuple(by_path.get(path, node) for path, node in asked.paths.items()),
        only[0] if len(only) == 1 and len(only[0]) == 1 else "L",
    )


def depict(subject: Subject, every: bool) -> Picture:
    """Depict what is given; call it where its nodes can be made."""
    values = values_of(subject.roots, subject.names, every)
    wording = Wording(values, subject.names)
    parents = {box: _parents(values, box) for box in values.boxes}
    groups = grouping(values, subject.names, parents)
    active = _active(values, parents, subject)
    moving = _moving(values, active)
    few = len(values.boxes) <= MOST_WORDED
    found = {box: wording.local(box, moving) if few else None for box in values.boxes}
    ids = {box: f"n{number}" for number, box in enumerate(values.boxes, 1)}
    edges = _joined(values, wording, found, skips_of(values, parents), ids, active)
    terms = Counter(parent for (parent, _, _), edge in edges.items() if edge.pulled)
    picture = Picture(
        subject.title,
        tuple(
            _box(box, ids[box], wording, groups.of[box], found[box], subject)
            for box in values.boxes
        ),
        tuple(edges.values()),
        tuple(groups.made.values()),
        (),
        {
            ids[box]: Adjoint(
                adjoint_name(subject.target, wording.label(box)), terms[box] + (box in subject.ends)
            )
            for box in values.boxes
            if box in active
        },
        _target(subject),
    )
    return untangled(picture)


Ends = tuple[Node, Node, bool]
"""Where an edge comes from, where it leads to, and whether it returns."""


@dataclass(frozen=True, slots=True)
class OperandEdge:
    """An edge for one operand; `at` is what of the box is read, plain if whole or each step's."""

    edge: Edge
    at: str
    is_plain: bool = True


def _joined(
    values: Values,
    wording: Wording,
    found: Mapping[Node, Local | None],
    skips: Collection[tuple[Node, Node]],
    ids: Mapping[Node, str],
    active: Collection[Node],
) -> dict[Ends, Edge]:
    """Return the edges between boxes; one for all operands that a box reads of another one."""
    edges: dict[Ends, list[OperandEdge]] = {}
    for box in values.boxes:
        for parent, reading in _edges(values, wording, box, found[box], skips, ids):
            if box not in active or parent not in active:
                reading = replace(reading, edge=replace(reading.edge, pulled=""))
            edges.setdefault((parent, box, reading.edge.returns), []).append(reading)
    return {ends: _one(each) for ends, each in edges.items()}


def _one(readings: Sequence[OperandEdge]) -> Edge:
    """Return an edge for several operands; what comes back to the same place adds up."""
    labels = dict.fromkeys(one.edge.label for one in readings if one.edge.label)
    pulled: dict[str, list[str]] = {}
    for one in readings:
        if one.edge.pulled:
            pulled.setdefault(one.at, []).append(one.edge.pulled)
    sums = {at: " + ".join(terms) for at, terms in pulled.items()}
    if len(sums) > 1 or not all(one.is_plain for one in readings if one.edge.pulled):
        sums = {at: f"{at}: {formula}" for at, formula in sums.items()}
    return replace(readings[0].edge, label=", ".join(labels), pulled="; ".join(sums.values()))


def _target(subject: Subject) -> str:
    """Say what is differentiated, where it does not go by its own name."""
    names = [subject.names[one] for one in subject.ends]
    if names == [subject.target] or not names:
        return ""
    if len(names) == 1 and not subject.ends[0].rank:
        return f"L: {names[0]}."
    return f"L: any number made of {' and '.join(names)}."


def _parents(values: Values, box: Node) -> tuple[Node, ...]:
    """Return the boxes that one is made of, in the step before, too."""
    operands = [*values.operands(box)]
    made = [parent for one in operands for parent in values.behind(one)]
    if box in values.returns:
        made += values.behind(values.returns[box])
    return tuple(dict.fromkeys(made))


def _active(
    values: Values, parents: Mapping[Node, Sequence[Node]], subject: Subject
) -> frozenset[Node]:
    """Return the boxes that lie between what is differentiated and what it is by."""
    children: dict[Node, list[Node]] = {}
    for box, above in parents.items():
        for parent in above:
            children.setdefault(parent, []).append(box)
    moved = _reached([one for one in subject.wrt if one in values.boxes], children)
    needed = _reached([one for one in subject.ends if one in values.boxes], parents)
    return frozenset(moved & needed)


def _reached(starts: Iterable[Node], onward: Mapping[Node, Iterable[Node]]) -> set[Node]:
    """Collect the floats that edges lead to through floats."""
    found: set[Node] = set()
    pending = [*starts]
    while pending:
        one = pending.pop()
        if one not in found and one.type.dtype == "float":
            found.add(one)
            pending += onward.get(one, ())
    return found


def _moving(values: Values, active: Collection[Node]) -> frozenset[Node]:
    """Return the active boxes, and the elements and results that stand for some."""
    others = [*values.elements, *values.results]
    starts = [start for box, start in values.starts.items() if box in active]
    return frozenset(
        [*active, *starts, *(one for one in others if any(b in active for b in values.behind(one)))]
    )


def _edges(
    values: Values,
    wording: Wording,
    box: Node,
    found: Local | None,
    skips: Collection[tuple[Node, Node]],
    ids: Mapping[Node, str],
) -> Iterator[tuple[Node, OperandEdge]]:
    """Yield what a box reads, each with the box that it is read of."""
    for operand in values.operands(box):
        handed = found is None and (box in values.starts or box in values.results)
        pulled, told = (BACK, "handed on as it is") if handed else ("", "")
        if found is not None and operand in found.pulled:
            pulled = wording.pulled(box, operand, found)
            told = structure(found.jacobians[operand].factors, "numerator")
            whole = pulled_whole(operand, found)
            told = told if whole == pulled else f"{whole}\n{told}"
        part = values.part(operand)
        for parent in values.behind(operand):
            at, plain, through = wording.label(parent), True, pulled
            if part.loops and parent is part.of:
                at, plain = wording.called(operand), part.is_step
            elif part.loops:
                through, told = wording.pulled_through(operand, parent, pulled), ""
            back = summed(through, _steps_that_share(values, parent, box, operand))
            role: Role = "residual" if (parent, box) in skips else "data"
            label = type_text(operand.type)
            if operand in values.elements:
                label += f" each {loop_of(values.axes[operand][1]).index}"
            if parent.op is PARAMETER:
                role, label = "parameter", ""
            edge = Edge(ids[parent], ids[box], role, label, back, told)
            yield parent, OperandEdge(edge, at, plain)
    if box in values.returns:
        for parent in values.behind(values.returns[box]):
            if parent is box:
                continue
            inside = values.loops[parent][: len(values.loops[box])] == values.loops[box]
            role, label = ("carried", "") if inside else ("data", type_text(box.type))
            told = "to the next step"
            edge = Edge(ids[parent], ids[box], role, label, BACK, told, returns=inside)
            yield parent, OperandEdge(edge, wording.label(parent))


def _steps_that_share(values: Values, parent: Node, box: Node, operand: Node) -> tuple[str, ...]:
    """Return the indices of the loops whose every step reads the same of the parent."""
    if box in values.starts or box in values.results:
        return ()
    inner = values.loops[box][len(values.loops[parent]) :]
    part = values.part(operand)
    apart = part.loops if part.of is parent else ()
    return tuple(str(loop_of(loop).index) for loop in inner if loop not in apart)


def _box(
    box: Node,
    id: str,
    wording: Wording,
    group: str,
    found: Local | None,
    subject: Subject,
) -> Box:
    kind: Kind = "value"
    if box in wording.values.starts:
        kind = "carried"
    elif box.op is INPUT:
        kind = "input"
    elif box.op is PARAMETER:
        kind = "parameter"
    elif box in subject.outputs:
        kind = "output"
    path = "" if box in wording.values.starts else subject.names.get(box, "")
    return Box(
        id,
        path,
        wording.label(box),
        kind,
        wording.formula(box, found),
        told_of(box, path),
        type_text(box.type),
        box.origin.outermost.line if box.origin is not None else None,
        group,
    )
