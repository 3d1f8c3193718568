"""Stable forms: what is written naively and loses digits or overflows becomes its own operation.

These are equal in exact arithmetic, not bit for bit, so they are not among the rules of
`rewrite.rules`: they are applied once, to what the user wrote, before it is differentiated.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from graphc.elaborate.model import Declared, Model
from graphc.graph import Node, intern, with_args
from graphc.loop import everywhere, rebuild
from graphc.ops.activation import log_sigmoid, sigmoid, softplus
from graphc.ops.arithmetic import minus, plus, power, times
from graphc.ops.elementary import exp, expm1, log, log1p, sqrt
from graphc.ops.reduction import log_softmax, logsumexp, softmax, sum_
from graphc.ops.statistics import norm
from graphc.source import Diagnostic, Origin, error


def log_of_softmax(node: Node) -> Node | None:
    """log(softmax(x)) -> log_softmax(x)."""
    if node.op is log and node.args[0].op is softmax:
        return log_softmax(node.args[0].args[0], **node.args[0].attrs)
    return None


def log_of_sigmoid(node: Node) -> Node | None:
    """log(sigmoid(x)) -> log_sigmoid(x)."""
    if node.op is log and node.args[0].op is sigmoid:
        return log_sigmoid(node.args[0].args[0])
    return None


def log_of_one_and_exp(node: Node) -> Node | None:
    """log(1 + exp(x)) -> softplus(x)."""
    rest = _beside_one(node.args[0]) if node.op is log else None
    return softplus(rest.args[0]) if rest is not None and rest.op is exp else None


def log_of_sum_of_exp(node: Node) -> Node | None:
    """log(sum(exp(x))) -> logsumexp(x)."""
    if node.op is log and node.args[0].op is sum_ and node.args[0].args[0].op is exp:
        return logsumexp(node.args[0].args[0].args[0], **node.args[0].attrs)
    return None


def exp_less_one(node: Node) -> Node | None:
    """exp(x) - 1 -> expm1(x)."""
    if node.op is minus and node.args[0].op is exp and _is_one(node.args[1]):
        return expm1(node.args[0].args[0])
    return None


def log_of_one_and(node: Node) -> Node | None:
    """log(1 + x) -> log1p(x)."""
    rest = _beside_one(node.args[0]) if node.op is log else None
    return None if rest is None else log1p(rest)


def root_of_squares(node: Node) -> Node | None:
    """sqrt(sum(x**2)) -> norm(x)."""
    if node.op is not sqrt or node.args[0].op is not sum_:
        return None
    square = node.args[0].args[0]
    is_square = (square.op is times and square.args[0] is square.args[1]) or (
        square.op is power and square.args[1].value == 2 and not square.args[1].rank
    )
    return norm(square.args[0], **node.args[0].attrs) if is_square else None


@dataclass(frozen=True, slots=True)
class Form:
    """What is written, what it is computed as, and the function from the one to the other."""

    naive: str
    stable: str
    rewrite: Callable[[Node], Node | None]


FORMS: tuple[Form, ...] = (
    Form("log(softmax(x))", "log_softmax(x)", log_of_softmax),
    Form("log(sigmoid(x))", "log_sigmoid(x)", log_of_sigmoid),
    Form("log(1 + exp(x))", "softplus(x)", log_of_one_and_exp),
    Form("log(sum(exp(x)))", "logsumexp(x)", log_of_sum_of_exp),
    Form("exp(x) - 1", "expm1(x)", exp_less_one),
    Form("log(1 + x)", "log1p(x)", log_of_one_and),
    Form("sqrt(sum(x**2))", "norm(x)", root_of_squares),
)


DEPTH = 3
"""What a form reads is an argument of an argument of an argument of it, or nearer."""


def _is_one(node: Node) -> bool:
    return node.rank == 0 and node.value == 1


def _beside_one(node: Node) -> Node | None:
    """The x of 1 + x or x + 1, which is no number itself."""
    if node.op is not plus:
        return None
    for one, rest in (node.args, node.args[::-1]):
        if _is_one(one) and not rest.static:
            return rest
    return None


def recognised(node: Node, kept: Collection[Node] = ()) -> tuple[Form, Node] | None:
    """The form that a node is written in, and the node that is stable.

    What is kept is differentiated by: the form must not read what lies behind it.
    """
    for form in FORMS:
        better = form.rewrite(node)
        if better is not None and better.type == node.type and not _skips(node, better, kept):
            return form, intern(better.op, better.args, better.attrs, better.type, node.salt)
    return None


def _note(form: Form, origin: Origin) -> Diagnostic:
    return error("N720", f"`{form.naive}` is computed as `{form.stable}`", origin.span)


def _skips(node: Node, better: Node, kept: Collection[Node]) -> bool:
    """Is one of the nodes that the stable form makes needless a kept one?"""
    passed = {*node.args, *(inner for arg in node.args for inner in arg.args)}
    if passed.isdisjoint(kept):
        return False
    read = {better}
    for _ in range(DEPTH):
        read |= {arg for one in read for arg in one.args}
    return not (passed & set(kept)) <= read


def stabilise(model: Model) -> Model:
    """The model with every stable form that its graph has a naive form of, and notes of them."""
    outputs = [d.node for d in model.outputs]
    by = [node for d in model.derivations for _, node in d.wrt]
    derived = [node for d in model.derivations for node in d.nodes]
    if all(recognised(node) is None for node in everywhere([*outputs, *derived])):
        return model
    differentiated = set(by)
    kept: set[Node] = set()
    notes: dict[Diagnostic, None] = {}

    def replaced(node: Node, args: tuple[Node, ...]) -> Node:
        new = with_args(node, args)
        found = recognised(new, kept)
        if found is not None:
            form, new = found
            if node.origin is not None and node.origin.span.source is model.source:
                notes.setdefault(_note(form, node.origin))
        if node in differentiated:
            kept.add(new)
        return new

    declared = (*model.inputs, *model.params)
    new = rebuild([*(d.node for d in declared), *outputs, *derived], replaced)

    moved = with_nodes(model, new)
    ordered = sorted(notes, key=lambda note: note.span.start if note.span else 0)
    return replace(moved, notes=tuple(ordered))


def with_nodes(model: Model, new: Mapping[Node, Node]) -> Model:
    """The model with its nodes replaced."""

    def moved(declared: Iterable[Declared]) -> tuple[Declared, ...]:
        return tuple(replace(d, node=new[d.node]) for d in declared)

    return replace(
        model,
        inputs=moved(model.inputs),
        params=moved(model.params),
        outputs=moved(model.outputs),
        names={new[node]: name for node, name in model.names.items() if node in new},
        derivations=tuple(one.moved(new) for one in model.derivations),
    )
