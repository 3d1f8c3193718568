"""Names of variables: which nodes get one, and what comments call the rest."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import MappingProxyType

from graphc.ir.graph import INPUT, PARAMETER, Adjoint, Graph, Node
from graphc.ir.kernel import reads
from graphc.ir.loop import (
    BOUND,
    LOOP,
    RESULT,
    STEPS,
    Element,
    Loop,
    body,
    everywhere,
    loop_arguments,
    loop_of,
)
from graphc.ir.results import Role
from graphc.names import Identifiers, flat
from graphc.ops.elementwise.arithmetic import accumulate
from graphc.ops.elementwise.python_floats import to_number
from graphc.optimise.watch import WATCHED
from graphc.paths import bare
from graphc.records import dataclass

VIEWS = frozenset({"permute", "expand", "numbers"})
ALWAYS_INSIDE = VIEWS | {"full", "limit"}  # written where they are used: views, arrays to add to
LONGEST = 60  # characters of an expression that is still written inside another
LONGEST_NUMBER = 400  # and of one of numbers only, which is written again at each use

WORDS = {
    "+": "sum", "-": "difference", "*": "product", "/": "quotient", "**": "power",
    "//": "quotient", "%": "remainder", "==": "equal", "!=": "unequal", "<": "less",
    "<=": "less", ">": "greater", ">=": "greater", "and": "both", "or": "either", "not": "not",
    "accumulate": "total",
}  # fmt: skip
"""What the result of an operator is called."""


def word(node: Node) -> str:
    """Name the result of an operation; a look at it changes nothing."""
    name = node.args[0].op.name if node.op is WATCHED else node.op.name
    return WORDS.get(name, name)


Measure = Callable[[Node], int | None]
"""How many characters a target takes for a node as an expression, without its arguments; None where
it takes statements."""


def indices(roots: Iterable[Node]) -> set[str]:
    """Collect the indices of all loops, also of those inside: no variable can be called so."""
    return {loop_of(node).index for node in everywhere(roots) if node.op is LOOP}


def look_behind(node: Node) -> Node:
    """Return what a node is a view of, in the words of which it is written."""
    while node.op.name in VIEWS:
        node = node.args[0]
    return node


@dataclass(frozen=True, slots=True)
class Ends:
    """What a step of a loop hands on, by the names that this has: what it is called after.

    What is carried is called so, whatever else reads it; what is stacked, if nothing does.
    """

    carried: Mapping[Node, str]
    stacked: Mapping[Node, str]


NO_ENDS = Ends(MappingProxyType({}), MappingProxyType({}))


def name_variables(
    graph: Graph,
    order: Sequence[Node],
    given: Mapping[Node, str],
    kept: Collection[Node],
    adjoints: Mapping[Node, Sequence[Adjoint]],
    scope: Identifiers,
    measure: Measure,
    single: bool = False,
    shared: Collection[Node] = (),
    ends: Ends = NO_ENDS,
) -> dict[Node, str]:
    """Name nodes: what the user named, adjoints of that, and what is used twice.

    The rest is written inside its one use, while that stays short; where each array is to be
    made by a `single` statement, only views and numbers are. What is `shared` between calls always
    has a variable. `ends` are those of a step of a loop.
    """
    variables = dict(given)
    for node in order:
        if node in graph.names and not node.static:
            variables[node] = scope.fresh(flat(graph.names[node]))
    for node in order:
        named = [a for a in adjoints.get(node, ()) if a.of in graph.names]
        if named and node not in variables and not node.static:
            variables[node] = scope.fresh("d_" + flat(graph.names[named[0].of]))
    owners = _owners(order, variables, ends)
    uses = _uses(graph, order, variables)
    length = {node: len(name) for node, name in variables.items()}
    inner: dict[Node, dict[Node, str]] = {}  # of each loop, the owners in its body
    for node in order:
        if node in variables or node.op is LOOP:
            continue
        if node.op is RESULT:
            variables[node] = scope.fresh(_end(graph, node, inner))
            length[node] = len(variables[node])
            continue
        own = measure(node)
        inside = (own or 0) + sum(length[arg] for arg in node.args)
        short = own is not None and inside <= LONGEST
        once = uses[node] == 1 and short and node not in kept
        known = node.static or (node.op is to_number and node.args[0].static)
        number = known and inside <= LONGEST_NUMBER
        grows = node.op is accumulate and node.args[0].op is BOUND
        scalar = not any(one.rank for one in (node, *node.args))
        view = node.op.view_of is not None or scalar or not node.args or grows
        once = once and (view or not single)
        written = number or once or node.op.name in ALWAYS_INSIDE
        if written and node not in shared:
            length[node] = inside
        else:
            variables[node] = scope.fresh(_temporary(graph, node, adjoints, owners))
            length[node] = len(variables[node])
    return variables


def _uses(
    graph: Graph,
    order: Sequence[Node],
    variables: Mapping[Node, str],
) -> Counter[Node]:
    """Count the reads of each node; what is written inside each of its uses reads as often."""
    uses = Counter(graph.results.values())
    uses.update(arg for node in order if node.op is LOOP for arg in loop_arguments(node)[0])
    for node in reversed(order):
        inside = node.op.name in ALWAYS_INSIDE and node not in variables
        for slot, times in reads(node.op.kernel, len(node.args)).items():
            uses[node.args[slot]] += (max(uses[node], 1) if inside else 1) * times
    return uses


def _temporary(
    graph: Graph, node: Node, adjoints: Mapping[Node, Sequence[Adjoint]], owners: Mapping[Node, str]
) -> str:
    """Name a value that the user has not named: by what it is a part of, and what it is."""
    if node in adjoints:
        of = adjoints[node][0].of
        part = re.sub(r"\W+", "_", bare(graph.labels[of]))
        return f"d_{part}_{word(of)}"
    return f"{owners.get(node, 'value')}_{word(node)}"


def _end(graph: Graph, node: Node, inner: dict[Node, dict[Node, str]]) -> str:
    """Name what a loop ends with: as in its body, and for a stack with the index behind.

    An unnamed value is called by the named value of the step that it is a part of; `inner` keeps
    these by loop.
    """
    loop = loop_of(node.args[0])
    number = node.attrs["number"]
    if number == STEPS:
        return "steps"
    if number < len(loop.carried):
        return flat(str(loop.carried[number].attrs["name"]))
    item = loop.results[number]
    name = graph.names.get(item) or item.attrs.get("name")
    if name is None and item.op is RESULT:
        name = _end(graph, item, inner)
    if name is None:
        if node.args[0] not in inner:
            named = {n: flat(name) for n, name in graph.names.items()}
            inner[node.args[0]] = _owners(body(loop), named)
        owner = inner[node.args[0]].get(item, "step")
        name = f"{owner}_{word(item)}"
    return f"{flat(name)}_by_{loop.index}"


def _owners(
    order: Sequence[Node], variables: Mapping[Node, str], ends: Ends = NO_ENDS
) -> dict[Node, str]:
    """For a node without a name, the named node that its value goes into."""
    owners = dict(ends.carried)
    for node in reversed(order):
        owner = variables.get(node) or owners.get(node)
        for arg in node.args:
            if owner and arg not in variables and arg not in ends.carried:
                owners[arg] = owner
    for node in reversed(order):
        owner = variables.get(node) or owners.get(node) or ends.stacked.get(node)
        for one in (node, *node.args):
            if owner and one not in variables:
                owners.setdefault(one, owner)
    return owners


def element_name(graph: Graph, loop: Loop, element: Element, source: str | None) -> str:
    """Name an element in a step: as the forward step called it, or `x_t` for x at t."""
    if element.of is not None:
        known = graph.names.get(element.of) or element.of.attrs.get("name")
        return str(known or (source or "saved").split(f"_by_{loop.index}")[0])
    return f"{source or 'element'}_{loop.index}"


SLOPES = {"tanh": "tanh' = 1 - tanh²", "sigmoid": "σ' = σ (1 - σ)"}
"""Operations whose slope is written in terms of their value: what a comment says of it."""


def labels_of(graph: Graph, variables: Mapping[Node, str]) -> dict[Node, str]:
    """Name differentiated nodes: by name, else by what the adjoint's variable says."""
    labels = {
        node: flat(label) if node.op is not LOOP else label for node, label in graph.labels.items()
    }
    spoken = {adjoint.value for adjoint in graph.adjoints if adjoint.of in graph.names}
    for adjoint in graph.adjoints:
        value = adjoint.value
        named = value in graph.names and graph.role is not Role.STEP  # whose elements have names
        users = value in spoken or named or value.op in (INPUT, PARAMETER)
        variable = variables.get(value, "")
        if not users and variable.startswith("d_"):
            labels[adjoint.of] = variable.removeprefix("d_")
    return labels


def loop_labels(adjoints: Sequence[Adjoint], names: dict[Node, str]) -> dict[Node, str]:
    """Name the nodes of a step: by name, else by the named node that they go into.

    A carried value or an element of the forward step has its name there.
    """
    labels: dict[Node, str] = {}
    for adjoint in adjoints:
        children = [t.child for t in adjoint.terms if t.child is not None]
        for node in (adjoint.of, *children):
            if node.op is BOUND:
                names.setdefault(node, str(node.attrs["name"]))
        for node in children:
            labels.setdefault(node, "the loop" if node.op is LOOP else names.get(node, "step"))
        inherited = [labels[n] for n in children if n in labels]
        labels[adjoint.of] = names.get(adjoint.of) or (inherited[0] if inherited else "next")
    return labels
