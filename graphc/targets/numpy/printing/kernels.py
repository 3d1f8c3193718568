"""Kernels in NumPy's words: an expression, statements, or a call that fills an array."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from graphc.ir.dims import Dim
from graphc.ir.graph import Node
from graphc.ir.kernel import (
    Arg,
    Attr,
    Call,
    Elementwise,
    Kernel,
    Put,
    Reduce,
    Rest,
    Running,
    Take,
    View,
)
from graphc.ops.elementwise.arithmetic import LONGEST_SUM
from graphc.ops.elementwise.python_floats import to_number
from graphc.plan.buffers.kernels import REDUCTIONS
from graphc.targets.numpy.printing.places import CALLED, Args, Words, put, taken, viewed
from graphc.targets.numpy.printing.written import (
    AND,
    ATOM,
    BIT_AND,
    BIT_OR,
    CHOICE,
    COMPARISON,
    NOT,
    OR,
    POWER,
    PRODUCT,
    SIGN,
    SUM,
    Fragment,
    literal,
    number,
)

# ---- elementwise ---------------------------------------------------------------------------------

Infix = tuple[str, int, int, int]
"""An operator, how tight it binds, and how tight its operands have to."""

_COMPARISONS = {
    "equal": "==", "not_equal": "!=", "less": "<", "less_equal": "<=", "greater": ">",
    "greater_equal": ">=",
}  # fmt: skip
_BOTH: Mapping[str, Infix] = {
    "add": ("+", SUM, SUM, SUM + 1),
    "subtract": ("-", SUM, SUM, SUM + 1),
    "multiply": ("*", PRODUCT, PRODUCT, PRODUCT + 1),
    "divide": ("/", PRODUCT, PRODUCT, PRODUCT + 1),
    "floor_divide": ("//", PRODUCT, PRODUCT, PRODUCT + 1),
    "remainder": ("%", PRODUCT, PRODUCT, PRODUCT + 1),
    **{
        name: (symbol, COMPARISON, COMPARISON + 1, COMPARISON + 1)
        for name, symbol in _COMPARISONS.items()
    },
}
_OF_ARRAYS: Mapping[str, Infix] = {
    **_BOTH,
    "power": ("**", POWER, POWER + 1, POWER),
    "logical_and": ("&", BIT_AND, BIT_AND, BIT_AND + 1),
    "logical_or": ("|", BIT_OR, BIT_OR, BIT_OR + 1),
}
_OF_NUMBERS: Mapping[str, Infix] = {
    **_BOTH,
    "logical_and": ("and", AND, AND + 1, AND + 2),
    "logical_or": ("or", OR, OR + 1, OR + 2),
}
_MATMUL: Infix = ("@", PRODUCT, PRODUCT, PRODUCT + 1)

MATH = {
    "exp": "exp", "expm1": "expm1", "log": "log", "log1p": "log1p", "sqrt": "sqrt", "sin": "sin",
    "cos": "cos", "tan": "tan", "sinh": "sinh", "cosh": "cosh", "tanh": "tanh", "exp2": "exp2",
    "log2": "log2", "log10": "log10", "cbrt": "cbrt", "arcsin": "asin", "arccos": "acos",
    "arctan": "atan", "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh", "erf": "erf",
    "erfc": "erfc", "isfinite": "isfinite", "isnan": "isnan", "isinf": "isinf", "power": "pow",
    "arctan2": "atan2", "hypot": "hypot", "floor": "floor", "ceil": "ceil", "trunc": "trunc",
}  # fmt: skip
"""What `math` calls a function of one element: `exp` is imported as `math_exp`, a name of one word,
which is found faster."""
_WHOLE = frozenset({"floor", "ceil", "trunc"})
"""What of `math` gives integers."""


_OF_PYTHON = frozenset({*_OF_ARRAYS, "negative", "logical_not", "cast", "prod", "matmul"})


def calls_numpy(kernel: Kernel | None) -> bool:
    """True for a call of a function: no operator, method or index of its operands."""
    match kernel:
        case Elementwise(name) | Reduce(name) | Call(name):
            return name not in _OF_PYTHON
        case View(place):
            return place in CALLED or place == "expanded"  # a scalar, where that matters
    return False


def elementwise(kernel: Elementwise, node: Node, args: Args, words: Words) -> Fragment:
    """Write a function of numbers, of arrays or of Python's own numbers."""
    operands = [
        args[one.slot]
        if isinstance(one, Arg)
        else elementwise(one, node, args, words)
        if isinstance(one, Elementwise)
        else Fragment(words.attribute(node, one.name))
        if isinstance(one, Attr)
        else number(repr(one))
        for one in kernel.operands
    ] or args
    if node.op is to_number and isinstance(node.args[0].value, float):
        return args[0]
    if node.op.numbers:
        return _of_numbers(kernel.name, operands)
    return _of_arrays(kernel.name, operands, node, words)


def _of_arrays(name: str, operands: Args, node: Node, words: Words) -> Fragment:
    if name in _OF_ARRAYS:
        return _infix(_OF_ARRAYS[name], operands)
    if name == "negative":
        return Fragment(f"-{operands[0].within(SIGN)}", SIGN)
    if name == "logical_not":
        return Fragment(f"~{operands[0].within(SIGN)}", SIGN)
    if name == "cast":
        return Fragment(f"{operands[0].within(ATOM)}.astype({words.attribute(node, 'dtype')})")
    if name == "kept":
        x, mask = operands
        dtype = words.attribute(node, "dtype")
        return Fragment(f"np.multiply({x.within(ATOM)}.view(BITS), {mask.text}).view({dtype})")
    if name == "maximum" and node.static:
        return _called("max", operands)
    return _called(words.function(name), operands)


def _of_numbers(name: str, operands: Args) -> Fragment:
    if name in _OF_NUMBERS:
        return _infix(_OF_NUMBERS[name], operands)
    if name == "where":
        condition, x, other = operands
        tests = f"{x.within(CHOICE + 1)} if {condition.within(CHOICE + 1)}"
        return Fragment(f"{tests} else {other.within(CHOICE)}", CHOICE)
    if name == "negative":
        return Fragment(f"-{operands[0].within(SIGN)}", SIGN)
    if name == "logical_not":
        return Fragment(f"not {operands[0].within(NOT)}", NOT)
    if name == "cast":
        return _called("float", operands)
    if name == "abs" or name.startswith("np."):
        return _called(name, operands)
    called = _called("round" if name == "rint" else f"math_{MATH[name]}", operands)
    return _called("float", [called]) if name == "rint" or name in _WHOLE else called


def _infix(operator: Infix, operands: Args) -> Fragment:
    """Operands with an operator between them, from the left to the right."""
    symbol, binds, left, right = operator
    found = operands[0]
    for one in operands[1:]:
        found = Fragment(f"{found.within(left)} {symbol} {one.within(right)}", binds)
    return found


def _called(name: str, operands: Args) -> Fragment:
    return Fragment(f"{name}({', '.join(one.text for one in operands)})")


# ---- the other kernels ---------------------------------------------------------------------------


def _reduced(kernel: Reduce, node: Node, x: Fragment, words: Words) -> Fragment:
    axis, initial = node.attrs["axis"], kernel.initial
    if initial == "lowest":
        further = ", ".join(along(kernel, node))
        return Fragment(f"np.{REDUCTIONS[kernel.name]}.reduce({x.text}, {further})")
    keeps = ["keepdims=True"] if node.attrs["keepdims"] else []
    if kernel.name in ("argmax", "argmin"):
        said = [words.attribute(node, "axis")]
    elif axis is None:
        said = []
    else:
        said = [f"{axis[0] if len(axis) == 1 else axis}"]
        said = said if kernel.name == "prod" else [f"axis={said[0]}"]
    if kernel.name == "prod":
        return Fragment(f"{x.within(ATOM)}.prod({', '.join([*said, *keeps])})")
    first = [] if initial is None else [f"initial={literal(initial)}"]
    called = words.function(kernel.name)
    return Fragment(f"{called}({', '.join([x.text, *said, *keeps, *first])})")


def along(kernel: Reduce, node: Node, out: str = "") -> list[str]:
    """Write the further arguments of a ufunc that reduces."""
    axis = node.attrs["axis"]
    said = "None" if axis is None else f"{axis[0] if len(axis) == 1 else axis}"
    found = [said, *([f"out={out}"] if out else [])]
    found += ["keepdims=True"] if node.attrs["keepdims"] else []
    if kernel.initial is None:
        return found
    first = "-LARGEST" if kernel.initial == "lowest" else literal(kernel.initial)
    return [*found, f"initial={first}"]


def _running(kernel: Running, node: Node, x: Fragment, words: Words) -> Fragment:
    axis = words.attribute(node, "axis")
    if kernel.name in ("add", "multiply"):
        name = "cumsum" if kernel.name == "add" else "cumprod"
        return Fragment(f"{x.within(ATOM)}.{name}({axis})")
    return Fragment(f"np.{kernel.name}.accumulate({x.text}, {axis})")


def _eye(node: Node, args: Args, words: Words) -> Fragment:
    n, m, k = (node.attrs[name] for name in "nmk")
    names = "n" if n == m and k.constant == 0 else "nmk"
    said = ", ".join(words.attribute(node, name) for name in names)
    return Fragment(f"{words.function('eye')}({said}, dtype={words.attribute(node, 'dtype')})")


def _part(name: str, place: int, args: Args, words: Words) -> Fragment:
    """One of the arrays that a function returns."""
    return Fragment(f"{words.function(name)}({args[0].text})[{place}]")


_CALLS: Mapping[str, Callable[[Node, Args, Words], Fragment]] = {
    "matmul": lambda node, args, words: _infix(_MATMUL, args),
    "logdet": lambda node, args, words: _part("linalg.slogdet", 1, args, words),
    "eigenvectors": lambda node, args, words: _part("linalg.eigh", 1, args, words),
    "orthonormal": lambda node, args, words: _part("linalg.qr", 0, args, words),
    "pinv": lambda node, args, words: Fragment(
        f"{words.function('linalg.pinv')}({args[0].text}, rtol=None)"
    ),
    "scalar": lambda node, args, words: Fragment(
        f"{words.attribute(node, 'dtype')}({args[0].text})"
    ),
    "numbers": lambda node, args, words: Fragment(f"{args[0].within(ATOM)}.data"),
    "limit": lambda node, args, words: Fragment(str(node.attrs["name"])),
    "eye": _eye,
}
"""What is more, or less, than a call of one function."""


def together(args: Sequence[Fragment]) -> str:
    """Several arguments as a tuple."""
    texts = ", ".join(arg.text for arg in args)
    return f"({texts},)" if len(args) == 1 else f"({texts})"


def _call(kernel: Call, node: Node, args: Args, words: Words) -> Fragment:
    special = _CALLS.get(kernel.name)
    if special is not None:
        return special(node, args, words)
    operands = [*kernel.operands]
    while operands and isinstance(last := operands[-1], Attr) and _is_default(last, node):
        operands.pop()
    said = [
        args[one.slot].text
        if isinstance(one, Arg)
        else together(args[one.first :])
        if isinstance(one, Rest)
        else words.attribute(node, one.name)
        if isinstance(one, Attr)
        else repr(one)
        for one in operands
    ] or [arg.text for arg in args]
    said += [
        f"{name}={words.attribute(node, one.name) if isinstance(one, Attr) else repr(one)}"
        for name, one in kernel.named
    ]
    return Fragment(f"{words.function(kernel.name)}({', '.join(said)})")


def _is_default(one: Attr, node: Node) -> bool:
    return one.default is not None and Dim.of(node.attrs[one.name]) == Dim.of(one.default)


STATEMENTS = frozenset({"watched"})
"""Calls that are always statements of their own."""


def write_kernel(node: Node, args: Args, words: Words) -> Fragment | None:
    """Write a node as an expression of its arguments; None where it takes statements."""
    match node.op.kernel:
        case Elementwise(name) as kernel:
            if name == "add" and len(args) > LONGEST_SUM:
                return None
            return elementwise(kernel, node, args, words)
        case View(place):
            return viewed(place, node, args, words)
        case Take(place):
            return taken(place, node, args, words)
        case Reduce() as kernel:
            return _reduced(kernel, node, args[0], words)
        case Running() as kernel:
            return _running(kernel, node, args[0], words)
        case Put() as kernel:
            return put(kernel, node, args, words)
        case Call(name) as kernel:
            return None if name in STATEMENTS else _call(kernel, node, args, words)
    raise AssertionError(f"`{node.op.name}` is written by none of its own")
