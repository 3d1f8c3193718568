"""Stable forms: what is written naively and loses digits or overflows becomes its own operation.

These are equal in exact arithmetic, not bit for bit. They are applied to what the user wrote,
before it is differentiated: by `grad` in a file, and by what a module derives
(`graphc/optimise/before_ad/stabilise.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from graphc.ir.dims import Dim
from graphc.ir.graph import Node, Op, intern, with_args
from graphc.ir.loop import everywhere
from graphc.ir.rebuild import rebuild
from graphc.ir.types import is_one, same_shape
from graphc.ops.define.families import normal_axes
from graphc.ops.elementwise.activation import log_sigmoid, sigmoid, softplus
from graphc.ops.elementwise.arithmetic import absolute, minus, negative, over, plus, power, times
from graphc.ops.elementwise.elementary import (
    exp,
    expm1,
    hypot,
    log,
    log1mexp,
    log1p,
    log_sech_squared,
    sqrt,
    tanh,
)
from graphc.ops.elementwise.special import erf, erfc
from graphc.ops.reduce.reduction import log_softmax, logsumexp, max_, softmax, sum_
from graphc.ops.reduce.statistics import deviation, euclidean_norm, norm, variance
from graphc.ops.select.indexing import pick
from graphc.ops.shape.shaping import expand, index, reshape
from graphc.records import dataclass


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


def log_of_part_of_softmax(node: Node) -> Node | None:
    """log(softmax(x)[i]) -> log_softmax(x)[i], and likewise of what is picked."""
    if node.op is not log or node.args[0].op not in (index, pick):
        return None
    (part,) = node.args
    if part.args[0].op is not softmax:
        return None
    logs = log_softmax(*part.args[0].args, **part.args[0].attrs)
    return part.op(logs, *part.args[1:], **part.attrs)


def share_of_exp(node: Node) -> Node | None:
    """exp(x) / sum(exp(x)) -> softmax(x)."""
    if node.op is not over or node.args[0].op is not exp:
        return None
    part, total = node.args[0], node.args[1]
    while total.op in (expand, reshape):
        total = total.args[0]
    if total.op is not sum_ or total.args[0] is not part:
        return None
    axes = _axes_of(total)
    if not _keeps(node.args[1], part, axes):
        return None
    whole = softmax(*part.args, axis=axes)
    return softmax_of_shifted(whole) or whole


def softmax_of_shifted(node: Node) -> Node | None:
    """softmax(x - max(x)) -> softmax(x), and likewise log_softmax."""
    if node.op is not softmax and node.op is not log_softmax:
        return None
    x = _less_maximum(node.args[0], normal_axes(node.attrs["axis"], node.rank, "softmax"))
    return None if x is None else node.op(x, **node.attrs)


def maximum_and_log(node: Node) -> Node | None:
    """max(x) + log(sum(exp(x - max(x)))) -> logsumexp(x)."""
    for top, rest in (node.args, node.args[::-1]) if node.op is plus else ():
        if rest.op is log and rest.args[0].op is sum_ and rest.args[0].args[0].op is exp:
            rest = logsumexp(*rest.args[0].args[0].args, **rest.args[0].attrs)
        if rest.op is not logsumexp:
            continue
        axes = _axes_of(rest)
        x = _less_maximum(rest.args[0], axes)
        if x is not None and _is_maximum(top, x, axes) and same_shape(top.shape, rest.shape):
            return logsumexp(x, **rest.attrs)
    return None


def share_of_one_and_exp(node: Node) -> Node | None:
    """1 / (1 + exp(-x)) -> sigmoid(x), exp(x) / (1 + exp(x)) -> sigmoid(x)."""
    rest = _beside_one(node.args[1]) if node.op is over else None
    if rest is None or rest.op is not exp:
        return None
    (x,) = rest.args
    if node.args[0] is rest:
        return sigmoid(x)
    return sigmoid(x.args[0] if x.op is negative else -x) if _is_one(node.args[0]) else None


def log_of_one_less_square_of_tanh(node: Node) -> Node | None:
    """log(1 - tanh(x)**2) -> -2 log(cosh(x)), as an operation of its own."""
    lost = _from_one(node.args[0]) if node.op is log else None
    found = None if lost is None else _even_power(lost)
    if found is None or found[0].op is not tanh or found[1] != 2:
        return None
    return log_sech_squared(*found[0].args)


def exp_less_one(node: Node) -> Node | None:
    """exp(x) - 1 -> expm1(x)."""
    if node.op is minus and node.args[0].op is exp and _is_one(node.args[1]):
        return expm1(node.args[0].args[0])
    return None


def one_less_exp(node: Node) -> Node | None:
    """1 - exp(x) -> -expm1(x)."""
    rest = _from_one(node)
    return -expm1(rest.args[0]) if rest is not None and rest.op is exp else None


def one_less_sigmoid(node: Node) -> Node | None:
    """1 - sigmoid(x) -> sigmoid(-x)."""
    rest = _from_one(node)
    return sigmoid(-rest.args[0]) if rest is not None and rest.op is sigmoid else None


def one_less_erf(node: Node) -> Node | None:
    """1 - erf(x) -> erfc(x), 1 - erfc(x) -> erf(x)."""
    rest = _from_one(node)
    others = {erf: erfc, erfc: erf}
    return None if rest is None or rest.op not in others else others[rest.op](*rest.args)


def log_of_one_less_exp(node: Node) -> Node | None:
    """log(1 - exp(x)), which is log(-expm1(x)) by now -> log1mexp(x)."""
    if node.op is not log or node.args[0].op is not negative:
        return None
    lost = node.args[0].args[0]
    return log1mexp(*lost.args) if lost.op is expm1 else None


def log_of_one_and(node: Node) -> Node | None:
    """log(1 + x) -> log1p(x), log(1 - x) -> log1p(-x)."""
    if node.op is not log:
        return None
    rest, lost = _beside_one(node.args[0]), _from_one(node.args[0])
    return log1p(rest) if rest is not None else None if lost is None else log1p(-lost)


def root_of_squares(node: Node) -> Node | None:
    """sqrt(sum(x**2)) -> norm(x)."""
    if node.op is not sqrt or node.args[0].op is not sum_:
        return None
    found = _even_power(node.args[0].args[0])
    return norm(found[0], **node.args[0].attrs) if found and found[1] == 2 else None


def root_of_variance(node: Node) -> Node | None:
    """sqrt(var(x)) -> std(x)."""
    if node.op is sqrt and node.args[0].op is variance:
        return deviation(*node.args[0].args, **node.args[0].attrs)
    return None


SQUARES: Mapping[Op, Callable[..., Node]] = {
    absolute: lambda x: x * x,
    euclidean_norm: lambda x, **axes: sum_(x * x, **axes),
    deviation: variance,
    hypot: lambda a, b: a * a + b * b,
}
"""By operations that have a kink where they are 0, their square, which has none."""


def square_of(root: Op) -> Callable[[Node], Node | None]:
    """norm(x)**2 -> sum(x**2), and likewise to every other even power."""

    def rewrite(node: Node) -> Node | None:
        found = _even_power(node)
        if found is None or found[0].op is not root:
            return None
        square = SQUARES[root](*found[0].args, **found[0].attrs)
        return square if found[1] == 2 else square ** (found[1] // 2)

    return rewrite


def _even_power(node: Node) -> tuple[Node, int] | None:
    """Match x**n with an even number n that is not 0, and x * x; returns x and n."""
    if node.op is times and node.args[0] is node.args[1]:
        return node.args[0], 2
    if node.op is not power or node.args[1].rank or not node.args[1].value:
        return None
    exponent = node.args[1].value
    return (node.args[0], int(exponent)) if exponent % 2 == 0 else None


def _axes_of(node: Node) -> tuple[int, ...]:
    """Return the axes that a reduction goes along."""
    return normal_axes(node.attrs["axis"], node.args[0].rank, node.op.name)


def _less_maximum(node: Node, axes: tuple[int, ...]) -> Node | None:
    """Match x less its maximum along these axes; returns x."""
    if node.op is not minus:
        return None
    x, top = node.args
    return x if _keeps(top, x, axes) and _is_maximum(top, x, axes) else None


def _keeps(node: Node, x: Node, axes: tuple[int, ...]) -> bool:
    """True if what is reduced along axes of x lies along its other axes."""
    shape = [Dim.of(1) if axis in axes else n for axis, n in enumerate(x.shape)]
    lead = x.rank - node.rank
    return all(map(is_one, shape[:lead])) and same_shape(node.shape, tuple(shape[lead:]))


def _is_maximum(node: Node, x: Node, axes: tuple[int, ...]) -> bool:
    """True for the maximum of x along these axes, perhaps with axes of length 1."""
    while node.op in (expand, reshape):
        node = node.args[0]
    return node.op is max_ and node.args[0] is x and _axes_of(node) == axes


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
    Form("log(softmax(x)[i])", "log_softmax(x)[i]", log_of_part_of_softmax),
    Form("exp(x) / sum(exp(x))", "softmax(x)", share_of_exp),
    Form("softmax(x - max(x))", "softmax(x)", softmax_of_shifted),
    Form("max(x) + log(sum(exp(x - max(x))))", "logsumexp(x)", maximum_and_log),
    Form("1 / (1 + exp(-x))", "sigmoid(x)", share_of_one_and_exp),
    Form("exp(x) - 1", "expm1(x)", exp_less_one),
    Form("1 - exp(x)", "-expm1(x)", one_less_exp),
    Form("1 - sigmoid(x)", "sigmoid(-x)", one_less_sigmoid),
    Form("1 - erf(x)", "erfc(x)", one_less_erf),
    Form("log(1 - exp(x))", "log1p(-exp(x)) or log(-expm1(x))", log_of_one_less_exp),
    Form("log(1 - tanh(x)**2)", "-2 * log(cosh(x))", log_of_one_less_square_of_tanh),
    Form("log(1 + x)", "log1p(x)", log_of_one_and),
    Form("sqrt(sum(x**2))", "norm(x)", root_of_squares),
    Form("sqrt(var(x))", "std(x)", root_of_variance),
    Form("abs(x)**2", "x**2", square_of(absolute)),
    Form("norm(x)**2", "sum(x**2)", square_of(euclidean_norm)),
    Form("std(x)**2", "var(x)", square_of(deviation)),
    Form("hypot(a, b)**2", "a**2 + b**2", square_of(hypot)),
)


DEPTH = 4
"""How deep the arguments of a form lie; what it makes needless lies one less."""


def _is_one(node: Node) -> bool:
    return node.rank == 0 and node.value == 1


def _beside_one(node: Node) -> Node | None:
    """Match 1 + x and x + 1, where x is no number itself; returns x."""
    if node.op is not plus:
        return None
    for one, rest in (node.args, node.args[::-1]):
        if _is_one(one) and not rest.static:
            return rest
    return None


def _from_one(node: Node) -> Node | None:
    """Match 1 - x, where x is no number itself; returns x."""
    one = node.op is minus and _is_one(node.args[0]) and not node.args[1].static
    return node.args[1] if one else None


def recognise(node: Node, kept: Collection[Node] = ()) -> tuple[Form, Node] | None:
    """Return the form that a node is written in, and the stable node; None where in none.

    What is kept is differentiated by: the form must not read what lies behind it.
    """
    for form in FORMS:
        better = form.rewrite(node)
        if better is not None and better.type == node.type and not _skips(node, better, kept):
            return form, intern(better.op, better.args, better.attrs, better.type, node.salt)
    return None


def _skips(node: Node, better: Node, kept: Collection[Node]) -> bool:
    """True if one of the nodes that the stable form makes needless is a kept one."""
    passed = _within(node, DEPTH - 1) - {node}
    if passed.isdisjoint(kept):
        return False
    return not (passed & set(kept)) <= _within(better, DEPTH)


def _within(root: Node, depth: int) -> set[Node]:
    """Collect a node, its arguments, theirs, and so on to a depth."""
    found = {root}
    for _ in range(depth):
        found |= {arg for one in found for arg in one.args}
    return found


def is_naive(roots: Sequence[Node]) -> bool:
    """True if anything that the roots reach is written in a naive form."""
    return any(recognise(node) is not None for node in everywhere(roots))


def use_stable_forms(y: Node, x: Node, still: Iterable[Node]) -> Node:
    """Replace naive forms by stable ones in y where it depends on x; `still` nodes stay.

    What has a name is kept: the result may be differentiated by it, and has to read it then.
    """
    if not is_naive([y]):
        return y
    kept = {x}

    def stabilise_node(node: Node, args: tuple[Node, ...]) -> Node:
        new = with_args(node, args)
        found = recognise(new, kept)
        new = new if found is None else found[1]
        if node.salt:
            kept.add(new)
        return new

    return rebuild([y], stabilise_node, {node: node for node in (*still, x)})[y]
