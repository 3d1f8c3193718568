"""Remedies for what those write who know Python or NumPy."""

from __future__ import annotations

from collections.abc import Collection

from graphc.ops import FUNCTIONS, Function
from graphc.source import did_you_mean
from graphc.syntax import tree
from graphc.syntax.mistakes.error_site import OPEN as OPEN

NEW_AXIS = "a new axis is written `_`"
END = "the last element is `x[-1]`, a slice to the end `x[1:]`"
NAMES = {
    "True": "write `true`",
    "False": "write `false`",
    "None": f"{NEW_AXIS}; an argument that has no value is left out",
    "newaxis": NEW_AXIS,
    "end": END,
    "π": "write `pi`",
    **dict.fromkeys(("nil", "null", "none"), "what has no value is left out"),
    **dict.fromkeys(("Inf", "INF", "Infinity", "infinity"), "write `inf`"),
    **dict.fromkeys(("nan", "NaN", "NAN"), "no value is meant to be nan: `isnan(x)` asks for it"),
    "int": "the integer of a float is `to_int(x)`",
    "float": "integers become floats where a float is wanted",
}
"""Names that stand for a value elsewhere."""
RANDOM = "nothing is random here: declare an `input` and draw its values where you call the module"
GRADIENT = "ask for a derivative: `derive grad loss wrt x`; as a value it is `grad(loss, x)`"
PARAMETER = "a parameter is declared: `param W: [3, 4]`"
CALLED = {
    **dict.fromkeys(
        (
            "dropout",
            "Dropout",
            "rand",
            "randn",
            "randint",
            "random",
            "normal",
            "gaussian",
            "uniform",
            "bernoulli",
            "random_normal",
            "random_uniform",
            "multinomial",
            "shuffle",
        ),
        RANDOM,
    ),
    **dict.fromkeys(("Parameter", "Variable", "get_variable", "parameter"), PARAMETER),
    **dict.fromkeys(("Input", "placeholder"), "an input is declared: `input x: [B, 3]`"),
    **dict.fromkeys(("gradient", "gradients", "jacrev", "value_and_grad"), GRADIENT),
    "Sequential": "layers are a chain: `x -> dense(8, act=relu) -> dense(2) -> y`",
    **dict.fromkeys(
        ("cuda", "cpu", "to", "numpy", "item", "requires_grad_", "contiguous", "block_until_ready"),
        "a graph computes with NumPy, where it is called: leave it out",
    ),
    **dict.fromkeys(("vectorize", "arrayfun"), "operations are of each element: `tanh(x)`"),
    **dict.fromkeys(("meshgrid", "ndgrid"), "new axes broadcast: `x[:, _] + y[_, :]`"),
    **dict.fromkeys(("astype", "cast"), "integers become floats where a float is wanted"),
    **dict.fromkeys(("Model", "Module"), "the file is the model: declare `output y = ...`"),
    "set": "values never change: `put(x, 1.0, 0)` is a new array",
    "print": "a graph prints nothing: make it an `output`",
    "range": "a range is written `1..L`; as a tensor it is arange(L)",
    **dict.fromkeys(
        ("shape", "size", "numel"), "a size has a name: declare `dim N` and write `input x: [N]`"
    ),
    **dict.fromkeys(("clone", "copy", "deepcopy"), "values never change: leave it out"),
    **dict.fromkeys(
        ("fft", "ifft", "rfft", "irfft", "fft2", "ifft2", "fftn", "ifftn", "stft", "dft"),
        "numbers are real, and there is no Fourier transform: declare an `input` of what it makes",
    ),
    **dict.fromkeys(
        ("unique", "nonzero", "argwhere", "histogram", "bincount", "compress", "masked_select"),
        "shapes do not depend on values: a mask chooses by `where(mask, x, 0)`",
    ),
    **dict.fromkeys(
        ("odeint", "solve_ivp", "fsolve", "root", "fixed_point", "while_loop", "bisect"),
        "steps are a loop: `scan step[t in T] carry h = h0 { next h = ... }`, also with `until`",
    ),
    "Activation": "an activation is an operation: `relu(x)`",
    **dict.fromkeys(
        ("array", "asarray", "tensor", "constant", "as_tensor"),
        "numbers in a list are a tensor: `const c = [1.0, 2.0]`; what the caller gives an `input`",
    ),
    **dict.fromkeys(
        ("GlobalAveragePooling2D", "AdaptiveAvgPool2d", "global_avg_pool", "global_average_pool"),
        "a mean over the positions: `mean(x, axis=[2, 3])`",
    ),
    **dict.fromkeys(
        ("Conv1D", "Conv1d", "convolve", "correlate"),
        "its weights are a parameter: `conv1d(x, W)`, where `x: [N, C, T]` and `W: [F, C, 3]`",
    ),
    **dict.fromkeys(("real", "imag", "conj", "angle"), "all numbers are real"),
    **dict.fromkeys(
        ("cov", "corrcoef", "corr"), "of rows less their mean: `x.T @ x / (N - 1)`, with `dim N`"
    ),
    **dict.fromkeys(("normalize", "l2_normalize"), "write `x / norm(x, axis=-1, keepdims=true)`"),
    **dict.fromkeys(("trapz", "trapezoid"), "write `sum((y[1:] + y[:-1]) / 2 * diff(x))`"),
    "polyval": "write it out, `(a*x + b)*x + c`; of many coefficients it is a `scan`",
    **dict.fromkeys(("ndim", "ndims", "eltype", "dtype"), "types are declared: `input x: [B, 3]`"),
    "length": "a size has a name: declare `dim N` and write `input x: [N]`",
    "gamma": "write `exp(lgamma(x))`",
    "factorial": "write `exp(lgamma(x + 1))`",
    "Hessian": "ask for a derivative: `derive hessian loss wrt x`",
    "hessian": "ask for a derivative: `derive hessian loss wrt x`",
    **dict.fromkeys(
        ("compile", "fit", "train", "summary", "train_on_batch"),
        "the file is the model, and says no more: it is trained where the module is called",
    ),
    "nan_to_num": "a mask chooses by `where(isnan(x), 0, x)`",
    "Linear": "a layer is a block, whose input comes first: `dense(x, 3)`",
    "float": "integers become floats where a float is wanted",
    "cdf": "the normal distribution is `ndtr(x)`",
    "logcdf": "of the normal distribution it is `log_ndtr(x)`",
    "ppf": "of the normal distribution it is `ndtri(p)`",
    "percentile": "a share is from 0 to 1: write `quantile(x, 0.9)`",
    "eig": "eigenvalues of symmetric matrices: `w, v = eigh(A)`",
    "eigvals": "eigenvalues of symmetric matrices: `eigvalsh(A)`",
    "vmap": "blocks take any leading axes: `x: [..., K]`; for gradients by example see `per`",
    "jit": "the whole file is compiled",
    "backward": "ask for a derivative: `derive grad loss wrt params`",
    "map": "write a block with leading axes `[..., K]`, or a `scan` without `carry`",
    "fori_loop": "a loop is written `scan step[t in T] carry h = h0 { next h = ... }`",
}
ELSEWHERE = {
    "log": ("ln",),
    "where": ("ifelse", "cond", "select"),
    "relu": ("ReLU", "Relu"),
    "tanh": ("Tanh",),
    "sigmoid": ("Sigmoid", "expit", "logistic", "σ"),
    "dense": ("linear", "affine", "fc", "fully_connected"),
    "square": ("sqr",),
    "split": ("chunk", "array_split"),
    "prod": ("product", "reduce_prod"),
    "mod": ("rem", "fmod"),
    "repeat_elements": ("repeat_interleave",),
    "solve": ("mldivide", "linsolve"),
    "softmax": ("Softmax",),
    "gelu": ("GELU",),
    "stop": ("detach", "stop_gradient", "no_grad", "StopGradient", "lax_stop_gradient"),
    "power": ("pow",),
    "abs": ("absolute", "fabs"),
    "clip": ("clamp",),
    "concat": ("cat", "concatenate", "hstack", "vstack", "hcat", "vcat", "Concatenate"),
    "sum": ("reduce_sum", "nansum", "Σ"),
    "mean": ("reduce_mean", "average"),
    "max": ("amax", "reduce_max"),
    "min": ("amin", "reduce_min"),
    "matmul": ("mm", "bmm", "mv"),
    "einsum": ("tensordot", "contract"),
    "silu": ("swish",),
    "inv": ("inverse",),
    "eye": ("identity",),
    "reshape": ("view",),
    "transpose": ("permute", "permutedims"),
    "expand_dims": ("unsqueeze",),
    "flatten": ("ravel", "Flatten", "vec"),
    "logsumexp": ("reduce_logsumexp",),
    "lgamma": ("gammaln",),
    "ndtr": ("norm_cdf", "normcdf"),
    "ndtri": ("norm_ppf", "norminv", "probit"),
    "log_ndtr": ("norm_logcdf",),
    "erfinv": ("erf_inv",),
    "scatter_nd": ("tensor_scatter_nd_update", "ScatterND"),
    "scatter_nd_add": ("tensor_scatter_nd_add",),
    "gather_nd": ("GatherND",),
    "put_along_axis": ("scatter_elements", "ScatterElements"),
    "top_k": ("topk", "TopK"),
    "interp": ("interp1d",),
    "searchsorted": ("bucketize", "digitize"),
    "huber": ("huber_loss", "HuberLoss", "SmoothL1Loss", "smooth_l1_loss"),
    "cummax": ("maximum_accumulate",),
    "segment_max": ("scatter_max",),
    "segment_min": ("scatter_min",),
    "quantile": ("nanquantile",),
    "logdet": ("slogdet",),
    "take_along_axis": ("gather",),
    "put": ("index_put", "scatter_set", "index_copy", "scatter_update"),
    "put_add": ("index_add", "add_at", "scatter_nd_add"),
    "jacobian": ("jacrev", "jacfwd"),
    "svdvals": ("singular_values",),
    "pinv": ("pinverse",),
    "lstsq": ("least_squares",),
    "expm": ("matrix_exp", "matrix_exponential"),
    "add": ("Add",),
    "mse": ("MSELoss", "mse_loss", "MeanSquaredError"),
    "cross_entropy": (
        "CrossEntropyLoss",
        "nll_loss",
        "NLLLoss",
        "softmax_cross_entropy",
        "categorical_crossentropy",
        "sparse_categorical_crossentropy",
        "SparseCategoricalCrossentropy",
        "CategoricalCrossentropy",
    ),
    "binary_cross_entropy": (
        "BCELoss",
        "BCEWithLogitsLoss",
        "binary_crossentropy",
        "BinaryCrossentropy",
    ),
    "one_hot": ("to_categorical", "onehot", "OneHot"),
    "tile": ("repmat",),
    "full": ("fill", "full_like"),
    "conv": ("Conv2d", "Conv2D"),
    "resize": ("interpolate", "Upsample", "Resize"),
    "maxpool": (
        "MaxPool1d",
        "MaxPool3d",
        "max_pool1d",
        "max_pool2d",
        "max_pool3d",
        "MaxPool2d",
        "MaxPooling2D",
        "max_pool",
    ),
    "avgpool": ("AvgPool1d", "AvgPool3d", "AvgPool2d", "avg_pool"),
    "batchnorm": ("BatchNorm1d", "BatchNormalization", "batch_norm"),
    "batchnorm2d": ("BatchNorm2d",),
    "layernorm": ("LayerNormalization", "LayerNorm", "layer_norm"),
    "embedding": ("Embedding", "embed", "embedding_lookup"),
    "rmsnorm": ("RMSNorm", "rms_norm"),
    "self_attention": ("MultiheadAttention", "MultiHeadAttention"),
    "lstm_cell": ("LSTM", "LSTMCell", "lstm"),
    "gru_cell": ("GRU", "GRUCell", "gru"),
    "rnn_cell": ("RNN", "SimpleRNN", "rnn"),
}
"""The names that other libraries have for what is called here so."""
HERE = {other: name for name, others in ELSEWHERE.items() for other in others}
TYPES = {
    **dict.fromkeys(("float64", "float32", "float16", "bfloat16", "f64", "f32", "f16", "bf16",
                     "double", "half", "real", "Float64", "Float32"),
                    "write `float`: all floats are of one dtype, which `--dtype` chooses"),
    **dict.fromkeys(("int64", "int32", "i64", "i32", "long", "uint8", "integer", "Int"),
                    "write `int`, which is int64"),
    **dict.fromkeys(("number", "Number", "numeric", "scalar"), "write `float`"),
    **dict.fromkeys(("boolean", "Bool", "logical"), "write `bool`"),
    **dict.fromkeys(("str", "string", "String"), "a graph holds numbers: float, int and bool"),
    **dict.fromkeys(("complex", "complex64", "complex128"),
                    "all numbers are real: real and imaginary parts are a tensor each"),
    **dict.fromkeys(("Tensor", "tensor", "Array", "array", "ndarray", "matrix", "vector"),
                    "a shape says it all: write `[B, 3]`"),
}  # fmt: skip
MEMBERS = {
    **dict.fromkeys(
        ("shape", "size", "numel"), "a size has a name: declare `dim N` and write `input x: [N]`"
    ),
    **dict.fromkeys(("clone", "copy", "deepcopy"), "values never change: leave it out"),
    "size": "a size has a name: declare `dim N` and write `input x: [N]`",
    "dtype": "a type is declared: `input x: int[N]`",
}


ARGUMENTS = {
    "activation": "act", "nonlinearity": "act", "use_bias": "bias", "out_features": "units",
    "features": "units", "keepdim": "keepdims", "dim": "axis", "dims": "axis", "axes": "axis",
    "negative_slope": "slope", "padding": "pad", "kernel_size": "kernel", "strides": "stride",
    "out_channels": "filters", "num_heads": "heads", "num_embeddings": "vocab",
    "embedding_dim": "width",
}  # fmt: skip
"""The names that other libraries have for arguments."""
STARTS = {
    **dict.fromkeys(("xavier", "xavier_uniform", "xavier_normal", "glorot_uniform",
                     "glorot_normal"), "glorot"),
    **dict.fromkeys(("kaiming", "kaiming_uniform", "kaiming_normal", "he_uniform", "he_normal"),
                    "he"),
    **dict.fromkeys(("N", "randn", "gaussian", "truncated_normal"), "normal(0, 0.1)"),
    **dict.fromkeys(("U", "rand"), "uniform(-0.1, 0.1)"),
    "zero": "zeros",
    "one": "ones",
}  # fmt: skip
"""What parameters begin with, by the names that other libraries have for it."""
SHORT = 40  # characters of arguments that a remedy repeats


def argument_remedy(name: str, known: Collection[str]) -> str | None:
    """Return the remedy for an argument that is not there: its name here, or what comes close."""
    here = ARGUMENTS.get(name)
    return f"it is called `{here}` here" if here in known else did_you_mean(name, known)


def initialiser_remedy(name: str) -> str | None:
    return f"write `~ {STARTS[name]}`" if name in STARTS else None


def name_remedy(name: str) -> str | None:
    """Return the remedy for what is called otherwise elsewhere, or is not there at all."""
    return CALLED.get(name) or (f"it is called `{HERE[name]}` here" if name in HERE else None)


def member_remedy(name: str) -> str:
    """Return the remedy for `np.pi`, a member of what is imported elsewhere."""
    known = name in ("pi", "e", "inf")
    apart = f"constants stand by themselves: write `{name}`" if known else NAMES.get(name)
    return apart or "nothing is imported: operations and blocks stand by themselves"


def lacking_member_remedy(name: str) -> str | None:
    """Return the remedy for `x.shape` and `x.tanh`, members of a value that has none."""
    called = f"there are no methods: write `{name}(...)`" if name in FUNCTIONS else None
    return MEMBERS.get(name, called)


def method_remedy(call: tree.Call, known: bool) -> str | None:
    """Return the remedy for `np.tanh(x)`, `x.sum()` and `nn.Linear(4, 3)(x)`.

    `known` says whether the first name is defined.
    """
    function = call.function
    made = None
    while isinstance(function, tree.Call):
        made, function = function, function.function
    if isinstance(function, tree.Name) and made is not None:
        return _called_twice(function.text, made, call)
    if not isinstance(function, tree.Member):
        return "a call has one pair of parentheses: `f(x, ...)`"
    name = HERE.get(function.name.text, function.name.text)
    if made is not None and name in DERIVATIVES:
        return GRADIENT
    if made is not None and name in LAYERS:
        return _called_twice(name, made, call)
    if name in CALLED:
        return CALLED[name]
    root = function.value
    if isinstance(root, tree.Subscript) and isinstance(root.value, tree.Member):
        return "values never change: `put_add(x, 1.0, 0)` is a new array"
    if name == "T" and not call.arguments:
        return f"without parentheses: `{function.span.text}`"
    if name == "t" and not call.arguments:
        return f"write `{root.span.text}.T`"
    if name not in FUNCTIONS and name in ELSEWHERE:
        return f"blocks stand by themselves: write `{name}(...)`"
    if name not in FUNCTIONS:
        return None if known else "nothing is imported: operations and blocks stand by themselves"
    if known and isinstance(root, tree.Name):
        return f"there are no methods: write `{_as_function(FUNCTIONS[name], root.text, call)}`"
    return f"operations stand by themselves: write `{name}(...)`"


DERIVATIVES = ("grad", "hessian", "jacobian")
"""Operations that are given functions elsewhere, and values here."""
LAYERS = {"Dense": "dense", "Linear": "dense"}
"""Layers that are made before they are called."""
KNOWN = {"Linear": 1, "Conv2d": 1, "MultiheadAttention": 1}
"""How many of the sizes with which a layer is made elsewhere its input has here."""
CALLS = {
    "batchnorm": "batchnorm(x)",
    "batchnorm2d": "batchnorm2d(x)",
    "layernorm": "layernorm(x)",
    "rmsnorm": "rmsnorm(x)",
    "lstm_cell": "lstm_cell(x, h, c)",
    "gru_cell": "gru_cell(x, h)",
    "rnn_cell": "rnn_cell(x, h)",
}
"""Blocks that know all their sizes of what they are given, and how they are called."""


def _called_twice(name: str, made: tree.Call, call: tree.Call) -> str:
    """Return the remedy for `Dense(8, activation="relu")(x)`, and for `grad(loss)(x)`."""
    if name in CALLED and name not in ("Linear",):
        return CALLED[name]
    here = HERE.get(name, LAYERS.get(name, name))
    if here in DERIVATIVES:
        return GRADIENT
    if here in CALLS:
        return f"the input comes first: `{CALLS[here]}`"
    given = [_argument(one) for one in made.arguments[KNOWN.get(name, 0) :]]
    inputs = [one.span.text for one in call.arguments]
    whole = f"{here}({', '.join([*inputs, *given])})"
    short = len(whole) <= SHORT and "\n" not in whole
    return f"the input comes first: `{whole if short else 'f(x, ...)'}`"


def _argument(one: tree.Argument) -> str:
    value = one.value.value if isinstance(one.value, tree.Text) else one.value.span.text
    if one.name is None:
        return value
    return f"{ARGUMENTS.get(one.name.text, one.name.text)}={value}"


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
