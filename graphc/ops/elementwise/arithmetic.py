"""Arithmetic, comparison, logic and selection, element by element."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from graphc.ir.dims import Dim
from graphc.ir.graph import OPERATORS, Node, Op
from graphc.ir.kernel import SAME, Elementwise
from graphc.ir.types import Mismatch, Type, is_one, same
from graphc.ops.define.axis_maps import from_the_right
from graphc.ops.define.batching import align_operands, lead_all, over_rows
from graphc.ops.define.families import CAST, Partial, composite, elementwise, linear, to_common

BINARY = "a, b"
LONGEST_SUM = 50
"""Terms of one statement: Python limits how deep an expression may be."""

plus: Op = elementwise(
    "+",
    kernel=Elementwise("add"),
    partials=lambda y, a, b: (1, 1),
    result="promote",
    signature=BINARY,
    doc="Sum.",
    public=False,
)
minus: Op = elementwise(
    "-",
    kernel=Elementwise("subtract"),
    partials=lambda y, a, b: (1, -1),
    result="promote",
    signature=BINARY,
    doc="Difference.",
    public=False,
)
times: Op = elementwise(
    "*",
    kernel=Elementwise("multiply"),
    partials=lambda y, a, b: (b, a),
    result="promote",
    signature=BINARY,
    doc="Product.",
    public=False,
)
over: Op = elementwise(
    "/",
    kernel=Elementwise("divide"),
    partials=lambda y, a, b: (1 / b, -y / b),
    signature=BINARY,
    doc="Quotient.",
    public=False,
)
negative: Op = elementwise(
    "negative",
    kernel=Elementwise("negative"),
    partials=lambda y, x: (-1,),
    result="promote",
    doc="The number with the other sign.",
)


def _power_partials(y: Node, base: Node, exponent: Node) -> tuple[Partial, Partial]:
    """p x^(p-1), and y log x; where x is 0 and p is not negative, p counts as constant, and 0**0
    as constant in both (a constant exponent emits no logarithm)."""
    p = exponent.value
    if p is not None and exponent.rank == 0:
        return {0: None, 1: 1, 2: 2 * base}.get(p, p * base ** (p - 1)), None
    zero = equal(base, 0)
    vanishing = logical_and(zero, exponent >= 0)
    held = where(vanishing, stop(exponent), exponent)
    lowered = where(logical_and(zero, equal(exponent, 0)), 1, held - 1)
    return held * base**lowered, y * OPERATORS["log"](where(vanishing, 1, base))


def _power_operands(args: tuple[Node, ...]) -> tuple[Node, ...]:
    """Both of one kind; NumPy has no integers to a negative power."""
    base, exponent = to_common(args)
    number = exponent.value if exponent.rank == 0 else None
    if base.type.dtype == "int" and not base.static and number is not None and number < 0:
        message = f"integers have no negative powers: {base.type} to the power {number}"
        raise Mismatch("E310", message, f"write `1 / x**{-number}`, which is of floats")
    return base, exponent


power: Op = elementwise(
    "**",
    kernel=Elementwise("power"),
    partials=_power_partials,
    result="promote",
    prepare=_power_operands,
    signature=BINARY,
    flops=8,
    doc="Power.",
    public=False,
)
floor_divide: Op = elementwise(
    "//",
    kernel=Elementwise("floor_divide"),
    partials=None,
    result="promote",
    signature=BINARY,
    doc="Quotient rounded down.",
    public=False,
)
remainder: Op = elementwise(
    "%",
    kernel=Elementwise("remainder"),
    partials=lambda y, a, b: (1, -floor_divide(a, b)),
    result="promote",
    signature=BINARY,
    doc="Remainder, of the sign of the divisor.",
    public=False,
)

equal: Op = elementwise(
    "==",
    kernel=Elementwise("equal"),
    partials=None,
    result="bool",
    signature=BINARY,
    doc="Equality.",
    public=False,
)
not_equal: Op = elementwise(
    "!=",
    kernel=Elementwise("not_equal"),
    partials=None,
    result="bool",
    signature=BINARY,
    doc="Inequality.",
    public=False,
)
less: Op = elementwise(
    "<",
    kernel=Elementwise("less"),
    partials=None,
    result="bool",
    signature=BINARY,
    doc="Less.",
    public=False,
)
less_equal: Op = elementwise(
    "<=",
    kernel=Elementwise("less_equal"),
    partials=None,
    result="bool",
    signature=BINARY,
    doc="Less or equal.",
    public=False,
)
greater: Op = elementwise(
    ">",
    kernel=Elementwise("greater"),
    partials=None,
    result="bool",
    signature=BINARY,
    doc="Greater.",
    public=False,
)
greater_equal: Op = elementwise(
    ">=",
    kernel=Elementwise("greater_equal"),
    partials=None,
    result="bool",
    signature=BINARY,
    doc="Greater or equal.",
    public=False,
)
logical_and: Op = elementwise(
    "and",
    kernel=Elementwise("logical_and"),
    partials=None,
    result="bool",
    signature=BINARY,
    doc="Both.",
    public=False,
)
logical_or: Op = elementwise(
    "or",
    kernel=Elementwise("logical_or"),
    partials=None,
    result="bool",
    signature=BINARY,
    doc="Either.",
    public=False,
)
logical_not: Op = elementwise(
    "not", kernel=Elementwise("logical_not"), partials=None, result="bool", doc="Not.", public=False
)


def _truth(condition: Node) -> Node:
    """Return the condition, whose derivative rule selects by it and by its opposite."""
    if condition.type.dtype != "bool":
        message = f"`where` takes a truth value first, found {condition.type}"
        raise Mismatch("E307", message, "compare it, as in `where(x != 0, a, b)`")
    return condition


where: Op = elementwise(
    "where",
    kernel=Elementwise("where"),
    partials=lambda y, condition, x, other: (None, condition, logical_not(condition)),
    result="promote",
    signature="condition, x, y",
    prepare=lambda args: (_truth(args[0]), *to_common(args[1:])),
    doc="`x` where the condition is true, else `y`.",
)
maximum: Op = elementwise(
    "maximum",
    kernel=Elementwise("maximum"),
    partials=lambda y, a, b: (_split(a > b, equal(a, b)), _split(b > a, equal(a, b))),
    result="promote",
    signature=BINARY,
    doc="The larger; at a tie the derivative is split evenly.",
)
minimum: Op = elementwise(
    "minimum",
    kernel=Elementwise("minimum"),
    partials=lambda y, a, b: (_split(a < b, equal(a, b)), _split(b < a, equal(a, b))),
    result="promote",
    signature=BINARY,
    doc="The smaller; at a tie the derivative is split evenly.",
)
absolute: Op = elementwise(
    "abs",
    kernel=Elementwise("abs"),
    partials=lambda y, x: (sign(x),),
    result="promote",
    doc="Absolute value; the derivative at 0 is 0.",
)
sign: Op = elementwise(
    "sign", kernel=Elementwise("sign"), partials=None, result="promote", doc="-1, 0 or 1."
)
floor: Op = elementwise("floor", kernel=Elementwise("floor"), partials=None, doc="Rounded down.")
ceil: Op = elementwise("ceil", kernel=Elementwise("ceil"), partials=None, doc="Rounded up.")
isfinite: Op = elementwise(
    "isfinite",
    kernel=Elementwise("isfinite"),
    partials=None,
    result="bool",
    doc="Neither infinite nor nan.",
)


def _split(wins: Node, ties: Node) -> Node:
    """1 where it wins, ½ at a tie."""
    return CAST(wins) + 0.5 * CAST(ties)


# ---- guards ----------------------------------------------------------------------------
# A guard stands in derivatives, which are differentiated again: it must choose by a condition
# that holds nowhere but at the point that it guards, and give there what is constant around it.


def one_for_zero(x: Node) -> Node:
    """x, and 1 where it is 0: what 0 may be divided by."""
    return where(equal(x, 0), 1, x)


def divide_or_zero(a: Node, b: Node) -> Node:
    """a / b; where b is 0 it is 0, and constant."""
    return where(equal(b, 0), 0, a / one_for_zero(b))


def _ratio_partials(z: Node, a: Node, b: Node) -> tuple[Partial, Partial]:
    return 1 / b, -ratio(z, b)


ratio: Op = elementwise(
    "ratio",
    partials=_ratio_partials,
    lower=lambda a, b: a / where(equal(a, 0), 1, b),
    signature=BINARY,
    public=False,
    doc="a / b, and 0 where a is 0: also at 0 / 0, where the derivative by a is still 1 / b.",
)


# ---- identities with a meaning ---------------------------------------------------------

identity: Op = linear(
    "id",
    infer=lambda x: x,
    kernel=SAME,
    transpose=lambda ct, x: ct,
    view_of=0,
    axes=from_the_right,
    doc="Its argument; `act=id` means no activation.",
)
stop: Op = elementwise(
    "stop",
    kernel=SAME,
    partials=None,
    result="promote",
    flops=0,
    view_of=0,
    doc="Its argument, taken as constant.",
)


hold: Op = elementwise(
    "held",
    kernel=SAME,
    partials=None,
    result="promote",
    flops=0,
    view_of=0,
    public=False,
    doc="Its argument, constant where a stated rule carries its derivative, and only there.",
)


def _whole_term(*types: Type) -> Type:
    """Return the type of a term that all others stretch to."""
    for whole in types:
        if all(t is whole or t == whole or _stretches(t, whole) for t in types):
            return whole
    shown = ", ".join(map(str, types))
    raise Mismatch("E301", f"no term of the sum has the shape of the others: {shown}")


def _stretches(narrow: Type, wide: Type) -> bool:
    axes = zip(narrow.shape[::-1], wide.shape[::-1], strict=False)
    fits = all(is_one(axis) or same(axis, whole) for axis, whole in axes)
    return fits and narrow.dtype == wide.dtype and narrow.rank <= wide.rank


def _accumulate_batch(
    node: Node, args: tuple[Node, ...], leads: tuple[bool, ...], size: Dim
) -> Node:
    """Terms of one shape; what rewriting has left to be stretched still is, but for whole ones."""
    whole = [arg.type == node.type for arg in node.args]
    if all(whole):
        return over_rows(node, args, leads, size)
    rows = lead_all(args, leads, size)
    terms = align_operands(args, leads, node.shape)
    return accumulate(*(rows[i] if whole[i] else term for i, term in enumerate(terms)))


accumulate: Op = linear(
    "accumulate",
    infer=_whole_term,
    kernel=Elementwise("add"),
    transpose=lambda ct, *terms: (ct,) * len(terms),
    jvp=lambda tangents, y: [tangent for tangent in tangents if tangent is not None],
    flops=lambda node: node.type.size * (len(node.args) - 1),
    batch=_accumulate_batch,
    axes=from_the_right,
    doc="The sum of what a node's children contribute to its cotangent.",
    public=False,
)


def total(terms: Sequence[Node]) -> Node:
    """Sum one or more terms of one type."""
    return terms[0] if len(terms) == 1 else accumulate(*terms)


def _declare_logic(name: str, operator: str, doc: str) -> None:
    @composite(name, "*xs", doc)
    def build(*xs: Node) -> Node:
        if not xs:
            raise Mismatch("E209", f"`{name}` needs at least one argument")
        return reduce(OPERATORS[operator], xs)


_declare_logic("add", "+", "The sum of its arguments: where branches meet.")
_declare_logic("mul", "*", "The elementwise product of its arguments.")

OPERATORS.update(
    {
        "+": plus, "-": minus, "*": times, "/": over, "//": floor_divide, "%": remainder,
        "**": power, "==": equal, "!=": not_equal, "<": less, "<=": less_equal, ">": greater,
        ">=": greater_equal, "and": logical_and, "or": logical_or, "not": logical_not,
        "neg": negative, "where": where,
    }
)  # fmt: skip
