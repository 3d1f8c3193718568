"""Graphs as text: a line a node, loops indented, results and adjoints at the end.

    h = tanh(%1): [B, 3]  # 4: h = tanh(x @ W)
    value of y <- h

A node is called as the user calls it, else by a number in the order of the lines. Numbers that are
known when compiling stand where they are read, and what is none or false is not said. Behind `#` is
the line of the file, where it is not that of the node above.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from graphc.ir.dims import Dim
from graphc.ir.graph import (
    CONSTANT,
    COTANGENT,
    DIM,
    INPUT,
    PARAMETER,
    SOURCES,
    TANGENT,
    Adjoint,
    Graph,
    Node,
)
from graphc.ir.loop import (
    BOUND,
    LOOP,
    RESULT,
    RULED,
    STEPS,
    body,
    limit,
    loop_arguments,
    loop_of,
    rule_of,
)
from graphc.ir.order import topological
from graphc.ir.results import ResultKey
from graphc.names import Identifiers
from graphc.records import dataclass, field

INDENT = "    "
LONGEST_ORIGIN = 50


@dataclass(frozen=True, slots=True)
class Line:
    """A node: its name, its operation with operands and attributes, its type, where it is from.

    The `salt` tells it from others that compute the same. What is inside of a loop or a stated
    derivative is a `section`.
    """

    name: str
    operation: str
    operands: tuple[str, ...]
    attributes: Mapping[str, str]
    type: str
    salt: str = ""
    origin: str = ""
    section: Section | None = None


@dataclass(frozen=True, slots=True)
class End:
    """What a graph, a step or a rule gives: a result, a next value, a cotangent; of what."""

    what: str
    value: str


@dataclass(frozen=True, slots=True)
class Section:
    """What stands for values inside, the nodes, what they end in, and whose derivative is what."""

    given: tuple[Line, ...]
    lines: tuple[Line, ...]
    ends: tuple[End, ...]
    adjoints: tuple[End, ...]


def section_of(graph: Graph, cached: Collection[Node] = ()) -> Section:
    """Build a record of a graph, to be printed; what is `cached` is not looked behind."""
    results = graph.results
    given = [node for node in cached if node.op not in SOURCES]
    nodes = list(topological(results.values(), cached))
    printed = _Printed(_name_nodes(nodes, graph.names), graph.names)
    ends = tuple(End(result_name(key), printed.name(node)) for key, node in results.items())
    return Section(
        tuple(Line(printed.name(one), "cached", (), {}, str(one.type)) for one in given),
        tuple(printed.lines(node for node in nodes if node not in given)),
        ends,
        tuple(printed.adjoints(graph.adjoints)),
    )


def text_of(graph: Graph, cached: Collection[Node] = (), *, origins: bool = True) -> str:
    """Write a graph as text, with or without the line of the file that each node comes from."""
    lines = _lines_of_section(section_of(graph, cached), "", origins)
    return "".join(f"{line}\n" for line in lines)


def result_name(key: ResultKey) -> str:
    """`gradient by W`, `jacobian of y by x`."""
    of, by = f" of {key.of}" if key.of else "", f" by {key.by}" if key.by else ""
    return f"{key.kind}{of}{by}{f' {key.number}' if key.kind == 'number' else ''}"


# ---- text ----------------------------------------------------------------------------------------


def _lines_of_section(section: Section, indent: str, origins: bool) -> Iterator[str]:
    yield from _lines_of(section.given, indent, origins)
    yield from _lines_of(section.lines, indent, origins)
    for end in (*section.ends, *section.adjoints):
        yield f"{indent}{end.what} <- {end.value}"


def _lines_of(lines: Iterable[Line], indent: str, origins: bool) -> Iterator[str]:
    above = ""
    for line in lines:
        origin = f"  # {line.origin}" if origins and line.origin not in ("", above) else ""
        above = line.origin
        type = f": {line.type}" if line.type else ""
        salt = f" {line.salt}" if line.salt else ""
        yield f"{indent}{line.name} = {_expression(line)}{type}{salt}{origin}"
        if line.section is not None:
            yield from _lines_of_section(line.section, indent + INDENT, origins)


def _expression(line: Line) -> str:
    attributes = line.attributes.items()
    named = [f"{name}={value}" for name, value in attributes if value not in ("none", "false")]
    if not line.operands and not named:
        return line.operation
    if not line.operation[0].isalpha() and len(line.operands) == 2 and not named:
        left, right = line.operands
        return f"{left} {line.operation} {right}"
    return f"{line.operation}({', '.join([*line.operands, *named])})"


# ---- names ---------------------------------------------------------------------------------------


def _name_nodes(outermost: Iterable[Node], names: Mapping[Node, str]) -> dict[Node, str]:
    """Name each node: by the user, by its loop, or by its number."""
    scope = Identifiers()
    called: dict[Node, str] = {}
    nodes = list(_in_order(outermost))
    for node in nodes:
        if node not in called and (name := _own_name(node, names)):
            called[node] = scope.fresh(name)
    unnamed = dict.fromkeys(node for node in nodes if node not in called)
    return called | {node: f"%{number}" for number, node in enumerate(unnamed)}


def _own_name(node: Node, names: Mapping[Node, str]) -> str | None:
    if node in names:
        return names[node]
    if node.op in _SOURCE_NAMES:
        return _SOURCE_NAMES[node.op].format(node.attrs["name"])
    return None


_SOURCE_NAMES = {BOUND: "{}", INPUT: "{}", PARAMETER: "{}", COTANGENT: "ct.{}", TANGENT: "t.{}"}


def _in_order(nodes: Iterable[Node]) -> Iterator[Node]:
    """Yield the nodes that get a line, in the order of the lines; what is bound comes first."""
    for node in nodes:
        if not _in_place(node):
            yield node
        if node.op is LOOP:
            yield from loop_of(node).bound
            yield from _in_order(body(loop_of(node)))
        elif node.op is RULED:
            yield from rule_of(node).bound
            yield from _in_order(_nodes_of_rule(node))


def _nodes_of_rule(node: Node) -> Iterator[Node]:
    """Yield the nodes of a stated derivative that are not arguments of its node."""
    rule = rule_of(node)
    given = {*rule.bound, *node.args}
    return (one for one in topological(rule.stated, given) if one not in given)


def _in_place(node: Node) -> bool:
    """True if a node is written where it is read."""
    return node.static or (node.op is CONSTANT and not node.rank)


# ---- records -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Printed:
    """Nodes as lines, by what each is called; `names` are the user's, also of others.

    `salts` are numbered as they come.
    """

    called: Mapping[Node, str]
    names: Mapping[Node, str]
    salts: dict[str, str] = field(default_factory=dict)

    def name(self, node: Node) -> str:
        if node in self.called:
            return self.called[node]
        if node.op in (CONSTANT, DIM):
            return _value(node.attrs["value"]) + self.salt(node)
        return f"({_expression(self.line(node))})"

    def salt(self, node: Node) -> str:
        return self.salts.setdefault(node.salt, f"'{len(self.salts) + 1}") if node.salt else ""

    def lines(self, nodes: Iterable[Node]) -> Iterator[Line]:
        return (self.line(node) for node in nodes if not _in_place(node))

    def line(self, node: Node) -> Line:
        operands = tuple(map(self.name, node.args))
        attributes = {name: _value(value) for name, value in node.attrs.items()}
        operation, section = node.op.name, None
        type = str(node.type)
        if node.op is LOOP:
            loop = loop_of(node)
            section, type = self.loop(node), ""
            attributes = {loop.index: f"{loop.first}..{loop.first + loop.count - 1}"}
            operation += " backwards" if loop.backwards else ""
            operands = () if (steps := limit(node)) is None else (f"at most {self.name(steps)}",)
        elif node.op is RESULT:
            operation, attributes = _part(node), {}
        elif node.op is RULED:
            rule = rule_of(node)
            section = self.rule(node)
            operands, attributes = operands[: 1 + len(rule.places)], {}
        elif node.op in _SOURCE_NAMES:
            attributes = {n: value for n, value in attributes.items() if n != "name"}
        called = self.called.get(node, "")
        return Line(
            called, operation, operands, attributes, type, self.salt(node), _origin(node), section
        )

    def loop(self, node: Node) -> Section:
        loop = loop_of(node)
        initials, sources, _ = loop_arguments(node)
        given = [
            Line(self.name(one), "carried", (self.name(first),), {}, str(one.type))
            for one, first in zip(loop.carried, initials, strict=True)
        ]
        given += [
            Line(
                self.name(element.node), "element", (self.name(source),),
                {"axis": str(element.axis)}, str(element.node.type),
            )
            for element, source in zip(loop.elements, sources, strict=True)
        ]  # fmt: skip
        ends = [End(f"next {self.name(one)}", self.name(to)) for one, to in loop.follow.items()]
        ends += [End(f"collect {i}", self.name(one)) for i, one in enumerate(loop.collected)]
        ends += [] if loop.until is None else [End("until", self.name(loop.until))]
        lines = tuple(self.lines(body(loop)))
        return Section(tuple(given), lines, tuple(ends), tuple(self.adjoints(loop.adjoints)))

    def rule(self, node: Node) -> Section:
        rule = rule_of(node)
        given = [
            Line(self.name(one), what, (), {}, str(one.type))
            for what, nodes in (
                ("value", [rule.value]),
                ("argument", rule.places),
                ("cotangent", [rule.cotangent]),
                ("tangent", rule.tangents),
            )
            for one in nodes
        ]
        pairs = zip(rule.places, rule.pulled, strict=True)
        ends = [
            End(f"cotangent of {self.name(place)}", self.name(one)) for place, one in pairs if one
        ]
        ends += [] if rule.pushed is None else [End("tangent", self.name(rule.pushed))]
        return Section(tuple(given), tuple(self.lines(_nodes_of_rule(node))), tuple(ends), ())

    def adjoints(self, adjoints: Iterable[Adjoint]) -> Iterator[End]:
        """Yield the adjoints that are reached, by what they are of."""
        for adjoint in adjoints:
            of = self.called.get(adjoint.of) or self.names.get(adjoint.of)
            if of and adjoint.value in self.called:
                yield End(f"adjoint of {of}", self.name(adjoint.value))


def _part(node: Node) -> str:
    """Name a value that a loop ends with."""
    loop = loop_of(node.args[0])
    number: int = node.attrs["number"]
    if number == STEPS:
        return "steps"
    carried = len(loop.carried)
    return f"last {number}" if number < carried else f"collected {number - carried}"


def _value(value: Any) -> str:
    """Write an attribute: dims and numbers as they are written, tuples in parentheses."""
    match value:
        case ("at", position):
            return f"at {position}"
        case ("slice", (start, count, 1)):
            return f"{start}:{start + count}"
        case ("slice", (start, count, step)):
            return f"{count} from {start} by {step}"
        case tuple():
            return f"({', '.join(map(_value, value))}{',' * (len(value) == 1)})"
        case str() | Dim():
            return str(value)
        case bool() | None:
            return str(value).lower()
    return repr(value)


def _origin(node: Node) -> str:
    """Write the place in the user's file, and the text there."""
    if node.origin is None:
        return ""
    span = node.origin.outermost
    text = " ".join(span.text.split())
    short = text if len(text) <= LONGEST_ORIGIN else text[: LONGEST_ORIGIN - 1] + "…"
    return f"{span.line}: {short}"
