"""What those write who know Python or NumPy, and how it is said here: remedies of messages."""

from __future__ import annotations

from graphc.ops import FUNCTIONS
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
    "float": "integers become floats where a float is wanted",
}
MEMBERS = {
    "shape": "a size has a name: declare `dim N` and write `input x: [N]`",
    "size": "a size has a name: declare `dim N` and write `input x: [N]`",
    "dtype": "a type is declared: `input x: int[N]`",
}


def of_method(function: tree.Expr, known: bool) -> str | None:
    """The remedy for `np.tanh(x)` and `x.sum()`; `known` says whether the first name is defined."""
    if not isinstance(function, tree.Member) or function.name.text not in FUNCTIONS:
        return None
    root = function.value
    if not isinstance(root, tree.Name):
        return f"write `{function.name.text}(...)`"
    if known:
        return f"there are no methods: write `{function.name.text}({root.text})`"
    return f"operations stand by themselves: write `{function.name.text}(...)`"
