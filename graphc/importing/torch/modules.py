"""Operators of ATen that are layers, products and losses, in the language."""

from __future__ import annotations

import math
from typing import Any

from graphc.importing.items import Value
from graphc.importing.torch.reading import OPERATORS, Reading, of

# ---- products -----------------------------------------------------------------------------------


@of("aten.matmul", "aten.mm", "aten.bmm", "aten.mv")
def _matmul(r: Reading, a: Value, b: Value) -> Value:
    if a.rank <= 2 and b.rank <= 2:
        return r.sheet.value(r.sheet.draw.binary("@", a, b))
    return r.sheet.call("matmul", a, b)


@of("aten.linear")
def _linear(r: Reading, x: Value, weight: Value, bias: Any = None) -> Value:
    turned = r.sheet.value(r.sheet.draw.transposed(weight))
    found = r.sheet.value(r.sheet.draw.binary("@", x, turned))
    return found if bias is None else r.sheet.binary("+", found, bias)


@of("aten.addmm")
def _addmm(r: Reading, bias: Value, a: Value, b: Value, **_: Any) -> Value:
    return r.sheet.binary("+", r.sheet.value(r.sheet.draw.binary("@", a, b)), bias)


@of("aten.dot")
def _dot(r: Reading, a: Value, b: Value) -> Value:
    return r.sheet.value(r.sheet.draw.binary("@", a, b))


@of("aten.einsum")
def _einsum(r: Reading, equation: str, xs: Any, **_: Any) -> Value:
    before, arrow, after = equation.replace(" ", "").partition("->")
    if "." in before:
        raise r.sheet.mistake("indices that are left out")
    if not arrow:
        joined = before.replace(",", "")
        after = "".join(x for x in sorted(set(joined)) if joined.count(x) == 1)
    words = ", ".join(" ".join(part) for part in before.split(","))
    return r.sheet.call("einsum", f"{words} -> {' '.join(after)}".strip(), *xs)


OPERATORS["aten.inverse"] = OPERATORS["aten.linalg_inv"] = lambda r, x: r.sheet.call("inv", x)
OPERATORS["aten.linalg_solve"] = lambda r, a, b, **_: r.sheet.call("solve", a, b)
OPERATORS["aten.linalg_cholesky"] = lambda r, x, **_: r.sheet.call("cholesky", x)
OPERATORS["aten.linalg_det"] = OPERATORS["aten.det"] = lambda r, x: r.sheet.call("det", x)
OPERATORS["aten.diagonal"] = lambda r, x, offset=0, *_: r.sheet.call("diagonal", x, offset or None)
OPERATORS["aten.outer"] = lambda r, a, b: r.sheet.call("outer", a, b)


# ---- activations and normalisation --------------------------------------------------------------


@of("aten.softmax", "aten._softmax")
def _softmax(r: Reading, x: Value, axis: int, *_: Any) -> Value:
    return r.sheet.call("softmax", x, axis=axis)


@of("aten.log_softmax", "aten._log_softmax")
def _log_softmax(r: Reading, x: Value, axis: int, *_: Any) -> Value:
    return r.sheet.call("log_softmax", x, axis=axis)


@of("aten.gelu")
def _gelu(r: Reading, x: Value, approximate: str = "none") -> Value:
    return r.sheet.call("gelu_tanh" if approximate == "tanh" else "gelu", x)


OPERATORS["aten.leaky_relu"] = lambda r, x, slope=0.01: r.sheet.call("leaky_relu", x, slope=slope)
OPERATORS["aten.elu"] = lambda r, x, alpha=1.0, *_: r.sheet.call("elu", x, alpha=float(alpha))
OPERATORS["aten.hardtanh"] = lambda r, x, low=-1.0, high=1.0: r.sheet.call(
    "hardtanh", x, float(low), float(high)
)
OPERATORS["aten.softplus"] = lambda r, x, *_: r.sheet.call("softplus", x)
OPERATORS["aten.dropout"] = lambda r, x, p, train: x
OPERATORS["aten.relu_"] = lambda r, x: r.sheet.call("relu", x)


@of("aten.layer_norm")
def _layer_norm(
    r: Reading,
    x: Value,
    shape: Any,
    weight: Any = None,
    bias: Any = None,
    eps: float = 1e-5,
    *_: Any,
) -> Value:
    axes = list(range(-len(shape), 0))
    axis: Any = axes[0] if len(axes) == 1 else axes
    sheet = r.sheet
    m = r.hint(sheet.call("mean", x, axis=axis, keepdims=True), "m")
    v = r.hint(sheet.call("var", x, axis=axis, keepdims=True), "v")
    spread = sheet.call("sqrt", sheet.binary("+", v, eps))
    found = sheet.binary("/", sheet.binary("-", x, m), spread)
    found = found if weight is None else sheet.binary("*", found, weight)
    return found if bias is None else sheet.binary("+", found, bias)


@of("aten.native_layer_norm")
def _native_layer_norm(r: Reading, x: Value, *given: Any) -> list[Any]:
    return [_layer_norm(r, x, *given), None, None]


@of("aten._native_batch_norm_legit_no_training")
def _native_batch_norm(
    r: Reading, x: Value, weight: Any, bias: Any, mean: Any, var: Any, momentum: float, eps: float
) -> list[Any]:
    return [_batch_norm(r, x, weight, bias, mean, var, False, momentum, eps), None, None]


@of("aten.var_mean")
def _var_mean(r: Reading, x: Value, *given: Any, **named: Any) -> list[Value]:
    axes = given[0] if given else named.get("dim")
    kept = named.get("keepdim", False)
    spread = OPERATORS["aten.var"](r, x, *given, **named)
    return [spread, OPERATORS["aten.mean"](r, x, axes, kept)]


@of("aten.batch_norm")
def _batch_norm(
    r: Reading, x: Value, weight: Any, bias: Any, mean: Any, var: Any, training: bool,
    momentum: float, eps: float, *_: Any,
) -> Value:  # fmt: skip
    if training:
        raise r.sheet.mistake("batch statistics are in training mode", "export `model.eval()`")
    sheet, behind = r.sheet, [None] * (x.rank - 2)

    def wide(one: Any) -> Any:
        return sheet.subscript(one, slice(None), *behind) if behind else one

    spread = sheet.call("sqrt", sheet.binary("+", wide(var), eps))
    found = r.hint(sheet.binary("/", sheet.binary("-", x, wide(mean)), spread), "normal")
    found = found if weight is None else sheet.binary("*", found, wide(weight))
    return found if bias is None else sheet.binary("+", found, wide(bias))


@of("aten.scaled_dot_product_attention")
def _attention(
    r: Reading, q: Value, k: Value, v: Value, mask: Any = None, dropout: float = 0.0,
    causal: bool = False, **named: Any,
) -> Value:  # fmt: skip
    sheet, scale = r.sheet, named.get("scale")
    width = q.shape[-1].constant
    if scale is None and width is None:
        raise sheet.mistake("the width of attention is open")
    scores = sheet.call("matmul", q, sheet.call("swapaxes", k, -1, -2))
    scores = sheet.binary("*", scores, scale if scale is not None else 1 / math.sqrt(width or 1))
    r.hint(scores, "scores")
    if named.get("is_causal", causal):
        ones = sheet.call("tril", sheet.call("ones", [q.shape[-2], k.shape[-2]]))
        scores = sheet.broadcast("where", sheet.binary("!=", ones, 0.0), scores, -math.inf)
    if isinstance(mask, Value):
        if mask.dtype == "bool":
            scores = sheet.broadcast("where", mask, scores, -math.inf)
        else:
            scores = sheet.binary("+", scores, mask)
    weights = r.hint(sheet.call("softmax", scores, axis=-1), "weights")
    return sheet.call("matmul", weights, v)


# ---- losses -------------------------------------------------------------------------------------


def _whole(r: Reading, each: Value, how: int) -> Value:
    return each if how == 0 else r.sheet.call("mean" if how == 1 else "sum", each)


@of("aten.mse_loss")
def _mse(r: Reading, y: Value, t: Value, how: int = 1) -> Value:
    return _whole(r, r.sheet.binary("**", r.sheet.binary("-", y, t), 2), how)


@of("aten.l1_loss")
def _l1(r: Reading, y: Value, t: Value, how: int = 1) -> Value:
    return _whole(r, r.sheet.call("abs", r.sheet.binary("-", y, t)), how)


@of("aten.binary_cross_entropy_with_logits")
def _bce(r: Reading, z: Value, t: Value, *given: Any) -> Value:
    if any(one is not None for one in given[:2]):
        raise r.sheet.mistake("a weighted cross entropy has no counterpart here")
    return _whole(r, r.sheet.call("bce_logits", z, t), given[2] if len(given) > 2 else 1)


@of("aten.cross_entropy_loss")
def _cross_entropy(
    r: Reading, z: Value, t: Value, weight: Any = None, how: int = 1, *_: Any
) -> Value:
    if weight is not None or t.dtype != "int":
        raise r.sheet.mistake("a weighted cross entropy has no counterpart here")
    logs = r.sheet.call("log_softmax", z, axis=1 if z.rank > 1 else 0)
    behind = logs if logs.rank <= 2 else r.sheet.call("moveaxis", logs, 1, -1)
    return _whole(r, r.sheet.unary("-", r.sheet.call("pick", behind, t)), how)


@of("aten.nll_loss", "aten.nll_loss_nd")
def _nll(r: Reading, logs: Value, t: Value, weight: Any = None, how: int = 1, *_: Any) -> Value:
    return _whole(r, r.sheet.unary("-", r.sheet.call("pick", logs, t)), how)
