"""Remedies for what those write who know Python or NumPy."""

from __future__ import annotations

from graphc.ops import FUNCTIONS, Function
from graphc.syntax import tree

NEW_AXIS = "a new axis is written `_`"
OPEN = "a size that the caller chooses has a name: declare `dim B`"
NAMES = {
    "True": "write `true`",
    "False": "write `false`",
    "None": f"{NEW_AXIS}; an argument that has no value is left out",
    "newaxis": NEW_AXIS,
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
    "vmap": "blocks take any leading axes: `x: [..., K]`; for gradients by example see `per`",
    "jit": "the whole file is compiled",
    "backward": "ask for a derivative: `derive grad loss wrt params`",
    "map": "write a block with leading axes `[..., K]`, or a `scan` without `carry`",
    "fori_loop": "a loop is written `scan step[t in T] carry h = h0 { next h = ... }`",
}
ELSEWHERE = {
    "log": ("ln",),
    "stop": ("detach", "stop_gradient", "no_grad", "StopGradient", "lax_stop_gradient"),
    "power": ("pow",),
    "abs": ("absolute", "fabs"),
    "clip": ("clamp",),
    "concat": ("cat", "concatenate", "hstack", "vstack", "Concatenate"),
    "sum": ("reduce_sum", "nansum"),
    "mean": ("reduce_mean", "average"),
    "max": ("amax", "reduce_max"),
    "min": ("amin", "reduce_min"),
    "matmul": ("mm", "bmm", "mv"),
    "einsum": ("tensordot", "contract"),
    "sigmoid": ("expit", "logistic"),
    "silu": ("swish",),
    "inv": ("inverse",),
    "eye": ("identity",),
    "reshape": ("view",),
    "transpose": ("permute",),
    "expand_dims": ("unsqueeze",),
    "flatten": ("ravel",),
    "logsumexp": ("reduce_logsumexp",),
    "lgamma": ("gammaln",),
    "logdet": ("slogdet",),
    "take_along_axis": ("gather",),
    "add": ("Add",),
    "mse": ("MSELoss", "mse_loss", "MeanSquaredError"),
    "cross_entropy": ("CrossEntropyLoss", "nll_loss", "NLLLoss"),
    "binary_cross_entropy": ("BCELoss", "BCEWithLogitsLoss"),
    "conv": ("Conv2d", "Conv2D"),
    "maxpool": ("MaxPool2d", "MaxPooling2D", "max_pool"),
    "avgpool": ("AvgPool2d", "avg_pool"),
    "batchnorm": ("BatchNorm1d", "BatchNormalization"),
    "batchnorm2d": ("BatchNorm2d",),
    "layernorm": ("LayerNormalization",),
    "rmsnorm": ("RMSNorm",),
    "self_attention": ("MultiheadAttention", "MultiHeadAttention"),
    "lstm_cell": ("LSTM", "LSTMCell"),
    "gru_cell": ("GRU", "GRUCell"),
    "rnn_cell": ("RNN", "SimpleRNN"),
}
"""The names that other libraries have for what is called here so."""
HERE = {other: name for name, others in ELSEWHERE.items() for other in others}
TYPES = {
    **dict.fromkeys(("float64", "float32", "double", "half", "real"),
                    "write `float`: all floats are of one dtype, which `--dtype` chooses"),
    **dict.fromkeys(("int64", "int32", "long", "uint8"), "write `int`, which is int64"),
    **dict.fromkeys(("Tensor", "tensor", "Array", "array", "ndarray", "matrix", "vector"),
                    "a shape says it all: write `[B, 3]`"),
}  # fmt: skip
MEMBERS = {
    "shape": "a size has a name: declare `dim N` and write `input x: [N]`",
    "size": "a size has a name: declare `dim N` and write `input x: [N]`",
    "dtype": "a type is declared: `input x: int[N]`",
}


SHORT = 40  # characters of arguments that a remedy repeats


def name_remedy(name: str) -> str | None:
    """Return the remedy for what is called otherwise elsewhere, or is not there at all."""
    return CALLED.get(name) or (f"it is called `{HERE[name]}` here" if name in HERE else None)


def member_remedy(name: str) -> str:
    """Return the remedy for `np.pi`, a member of what is imported elsewhere."""
    known = name in ("pi", "e", "inf")
    apart = f"constants stand by themselves: write `{name}`" if known else NAMES.get(name)
    return apart or "nothing is imported: operations and blocks stand by themselves"


def method_remedy(call: tree.Call, known: bool) -> str | None:
    """Return the remedy for `np.tanh(x)`, `x.sum()` and `nn.Linear(4, 3)(x)`.

    `known` says whether the first name is defined.
    """
    function = call.function
    while isinstance(function, tree.Call):
        function = function.function
    if not isinstance(function, tree.Member):
        return "a call has one pair of parentheses: `f(x, ...)`"
    name = HERE.get(function.name.text, function.name.text)
    if name in CALLED:
        return CALLED[name]
    root = function.value
    if name == "T" and not call.arguments:
        return f"without parentheses: `{function.span.text}`"
    if name not in FUNCTIONS and name in ELSEWHERE:
        return f"blocks stand by themselves: write `{name}(...)`"
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
    listed = len(given) > 1 or (takes[1:] and takes[1].kind == "shape" and given[0][0] != "[")
    if by_position and given and listed and len(takes) == 2 and takes[1].kind != "tensor":
        given = [f"[{', '.join(given)}]"]
    written = ", ".join([first, *given])
    return f"{function.name}({written if len(written) <= SHORT else first + ', ...'})"
