"""Remedies for what those write who know Python or NumPy."""

from __future__ import annotations

from graphc.ops import FUNCTIONS, Function
from graphc.syntax import tree

NAMES = {
    "True": "write `true`",
    "False": "write `false`",
    "None": "a new axis is written `_`; an argument that has no value is left out",
}
RANDOM = "nothing is random here: declare an `input` and draw its values where you call the module"
CALLED = {
    "dropout": RANDOM,
    "rand": RANDOM,
    "randn": RANDOM,
    "random": RANDOM,
    "print": "a graph prints nothing: make it an `output`",
    "range": "a range is written `1..L`; as a tensor it is arange(L)",
    "shape": "a size has a name: declare `dim N` and write `input x: [N]`",
    "Linear": "a layer is a block, whose input comes first: `dense(x, 3)`",
    "float": "integers become floats where a float is wanted",
}
MEMBERS = {
    "shape": "a size has a name: declare `dim N` and write `input x: [N]`",
    "size": "a size has a name: declare `dim N` and write `input x: [N]`",
    "dtype": "a type is declared: `input x: int[N]`",
}


SHORT = 40  # characters of arguments that a remedy repeats


def method_remedy(call: tree.Call, known: bool) -> str | None:
    """Return the remedy for `np.tanh(x)`, `x.sum()` and `nn.Linear(4, 3)(x)`.

    `known` says whether the first name is defined.
    """
    function = call.function
    while isinstance(function, tree.Call):
        function = function.function
    if not isinstance(function, tree.Member):
        return "a call has one pair of parentheses: `f(x, ...)`"
    name = function.name.text
    if name in CALLED:
        return CALLED[name]
    root = function.value
    if name not in FUNCTIONS:
        return None if known else "nothing is imported: operations and blocks stand by themselves"
    if known and isinstance(root, tree.Name):
        return f"there are no methods: write `{_as_function(FUNCTIONS[name], root.text, call)}`"
    return f"operations stand by themselves: write `{name}(...)`"


def _as_function(function: Function, first: str, call: tree.Call) -> str:
    """Rewrite the call of a method as that of an operation: `x.T()` as `T(x)`."""
    given = [argument.span.text for argument in call.arguments]
    takes = function.parameters
    by_position = all(argument.name is None for argument in call.arguments)
    if by_position and len(given) > 1 and len(takes) == 2 and takes[1].kind != "tensor":
        given = [f"[{', '.join(given)}]"]
    written = ", ".join([first, *given])
    return f"{function.name}({written if len(written) <= SHORT else first + ', ...'})"
