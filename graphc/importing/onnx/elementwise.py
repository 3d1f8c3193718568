"""Operators element by element, in the language."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.importing.dtypes import KINDS
from graphc.importing.items import Value
from graphc.importing.onnx.reading import OPERATORS, Given, Node, of
from graphc.ir.dims import Dim

BINARY = {
    "Add": "+", "Sub": "-", "Mul": "*", "Div": "/", "Pow": "**", "Equal": "==", "Less": "<",
    "LessOrEqual": "<=", "Greater": ">", "GreaterOrEqual": ">=",
}  # fmt: skip
WHOLE: dict[str, Callable[[Any, Any], Any]] = {
    "Add": operator.add, "Sub": operator.sub, "Mul": operator.mul, "Div": operator.floordiv,
    "Equal": operator.eq,
}  # fmt: skip
SAME = """
    Abs Acos Acosh Asin Asinh Atan Atanh Ceil Cos Cosh Erf Exp Floor Log Mish Reciprocal Relu Round
    Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Tan Tanh Selu
"""
NAMED = {name: name.lower() for name in SAME.split()} | {"IsNaN": "isnan"}


def _dims(given: Given) -> Any:
    """Return whole numbers as an array of dims, None of what is no such."""
    if isinstance(given, Value) or given is None:
        return None
    array = np.asarray(given)
    if array.dtype == object:
        return array
    return array.astype(object) if array.dtype.kind in "iu" else None


def _binary(name: str) -> Callable[..., Given]:
    def write(node: Node, a: Given, b: Given) -> Given:
        sides = _dims(a), _dims(b)
        if name in WHOLE and sides[0] is not None and sides[1] is not None:
            return _of_dims(WHOLE[name], *sides)
        left, right = node.value(a), node.value(b)
        if name == "Div" and _is_whole(left) and _is_whole(right):
            return _truncated(node, left, right)
        return node.sheet.binary(BINARY[name], left, right)

    return write


def _truncated(node: Node, left: Any, right: Any) -> Value:
    """Write a quotient of integers, which is rounded towards 0."""
    sheet = node.sheet
    sizes = [
        sheet.call("abs", one) if isinstance(one, Value) else abs(one) for one in (left, right)
    ]
    whole = sheet.binary("//", *sizes)
    apart = sheet.binary("<", sheet.binary("*", left, right), 0)
    return sheet.call("where", apart, sheet.unary("-", whole), whole)


def _of_dims(make: Callable[[Any, Any], Any], a: Any, b: Any) -> Any:
    """Return an array of dims, of numbers where all are known."""
    a, b = np.broadcast_arrays(a, b)
    flat = [make(_plain(one), _plain(other)) for one, other in zip(a.flat, b.flat, strict=True)]
    return dims_array(flat, a.shape)


def dims_array(items: list[Any], shape: tuple[int, ...]) -> Any:
    plain = [_plain(one) for one in items]
    if not any(isinstance(one, Dim) for one in plain):
        return np.array(plain).reshape(shape)
    found = np.empty(len(plain), object)
    found[:] = plain
    return found.reshape(shape)


def _plain(one: Any) -> Any:
    if isinstance(one, Dim):
        return one if one.constant is None else one.constant
    return one


def _is_whole(given: Any) -> bool:
    return isinstance(given, int) or (isinstance(given, Value) and given.dtype == "int")


def _named(name: str) -> Callable[..., Value]:
    return lambda node, x: node.sheet.call(name, node.value(x))


OPERATORS.update((name, _binary(name)) for name in BINARY)
OPERATORS.update((name, _named(named)) for name, named in NAMED.items())


@of("Identity")
def _identity(node: Node, x: Given) -> Given:
    return x


@of("Neg")
def _negative(node: Node, x: Given) -> Given:
    array = _dims(x)
    return -array if array is not None else node.sheet.unary("-", node.value(x))


@of("Not")
def _not(node: Node, x: Given) -> Value:
    return node.sheet.unary("not", node.value(x))


@of("And", "Or")
def _logical(node: Node, a: Given, b: Given) -> Value:
    return node.sheet.binary(node.op.lower(), node.value(a), node.value(b))


@of("Xor")
def _xor(node: Node, a: Given, b: Given) -> Value:
    sides = [node.sheet.call("where", node.value(one), 1, 0) for one in (a, b)]
    return node.sheet.binary("!=", *sides)


@of("Where")
def _where(node: Node, condition: Given, x: Given, y: Given) -> Value:
    return node.sheet.broadcast("where", *(node.value(one) for one in (condition, x, y)))


def _many(name: str, operator: str = "") -> Callable[..., Value]:
    def write(node: Node, *given: Given) -> Value:
        found = node.typed(given[0])
        for one in given[1:]:
            other = node.value(one)
            found = (
                node.sheet.binary(operator, found, other) if operator
                else node.sheet.broadcast(name, found, other)
            )  # fmt: skip
        return found

    return write


OPERATORS.update(Max=_many("maximum"), Min=_many("minimum"), Sum=_many("", "+"))


@of("Mean")
def _mean(node: Node, *given: Given) -> Value:
    return node.sheet.binary("/", OPERATORS["Sum"](node, *given), len(given))


@of("Mod")
def _mod(node: Node, a: Given, b: Given) -> Value:
    left, right = node.value(a), node.value(b)
    if not node.get("fmod", 0):
        return node.sheet.binary("%", left, right)
    sheet = node.sheet
    whole = sheet.call("trunc", sheet.binary("/", left, right))
    found = sheet.binary("-", left, sheet.binary("*", whole, right))
    if _is_whole(left):
        raise node.mistake("the remainder of integers with the sign of what is divided")
    return found


@of("Clip")
def _clip(node: Node, x: Given, low: Given = None, high: Given = None) -> Value:
    least = node.get("min") if low is None else node.value(low)
    most = node.get("max") if high is None else node.value(high)
    found, sheet = node.typed(x), node.sheet
    numbers = all(isinstance(one, int | float) for one in (least, most))
    if numbers and least <= most and found.dtype == "float":
        return sheet.call("clip", found, float(least), float(most))
    for name, bound in (("maximum", least), ("minimum", most)):
        found = found if bound is None else sheet.broadcast(name, found, bound)
    return found


@of("Cast", "CastLike")
def _cast(node: Node, x: Given, like: Given = None) -> Given:
    if node.op == "CastLike":
        kind = like.dtype if isinstance(like, Value) else KINDS.get(np.asarray(like).dtype.kind, "")
        kind = "int" if not isinstance(like, Value) and np.asarray(like).dtype == object else kind
    else:
        kind = _kind(node.get("to"))
    if not isinstance(x, Value) and x is not None and np.asarray(x).dtype == object:
        if kind == "int":
            return x
        if kind == "float" and not np.asarray(x).ndim:
            return node.sheet.binary("*", 1.0, node.value(x))
    if isinstance(x, np.ndarray) and x.dtype != object and kind:
        return x.astype({"float": np.float64, "int": np.int64, "bool": np.bool_}[kind])
    return cast(node, node.typed(x), kind)


def _kind(number: int) -> str:
    names = {1: "float", 10: "float", 11: "float", 16: "float", 9: "bool"}
    return names.get(number, "int" if number in (2, 3, 4, 5, 6, 7, 12, 13) else "")


def cast(node: Node, found: Value, kind: str) -> Value:
    sheet = node.sheet
    match found.dtype, kind:
        case one, other if one == other:
            return found
        case "int" | "bool", "float":
            return sheet.binary("*", 1.0, found)
        case _, "int":
            return sheet.call("to_int", found)
        case _, "bool":
            return sheet.binary("!=", found, 0)
    raise node.mistake(f"{found.dtype} does not become {kind or 'this type'} in the language")


# ---- activations --------------------------------------------------------------------------------


@of("LeakyRelu")
def _leaky(node: Node, x: Given) -> Value:
    return node.sheet.call("leaky_relu", node.value(x), slope=float32(node.get("alpha", 0.01)))


def float32(number: float) -> float:
    """Return an attribute, which is kept in single precision, as the number that was meant."""
    return float(str(np.float32(number)))


@of("PRelu")
def _prelu(node: Node, x: Given, slope: Given) -> Value:
    return node.sheet.broadcast("prelu", node.value(x), node.value(slope))


@of("Elu", "Celu")
def _elu(node: Node, x: Given) -> Value:
    return node.sheet.call(node.op.lower(), node.value(x), alpha=float32(node.get("alpha", 1.0)))


@of("Selu")
def _selu(node: Node, x: Given) -> Value:
    sheet, given = node.sheet, node.typed(x)
    if "alpha" not in node.attributes and "gamma" not in node.attributes:
        return sheet.call("selu", given)
    alpha, gamma = (
        node.get("alpha", 1.67326319217681884765625),
        node.get("gamma", 1.05070102214813232421875),
    )
    grown = sheet.binary(
        "*", float32(alpha), sheet.call("expm1", sheet.call("minimum", given, 0.0))
    )
    above = sheet.call("relu", given)
    return sheet.binary("*", float32(gamma), sheet.binary("+", above, grown))


@of("HardSigmoid")
def _hard_sigmoid(node: Node, x: Given) -> Value:
    sheet = node.sheet
    alpha, beta = float32(node.get("alpha", 0.2)), float32(node.get("beta", 0.5))
    line = sheet.binary("+", sheet.binary("*", alpha, node.value(x)), beta)
    return sheet.call("clip", line, 0.0, 1.0)


@of("HardSwish")
def _hard_swish(node: Node, x: Given) -> Value:
    return node.sheet.call("hardswish", node.value(x))


@of("Swish")
def _swish(node: Node, x: Given) -> Value:
    alpha, given = float32(node.get("alpha", 1.0)), node.value(x)
    if alpha == 1.0:
        return node.sheet.call("silu", given)
    gate = node.sheet.call("sigmoid", node.sheet.binary("*", alpha, given))
    return node.sheet.binary("*", given, gate)


@of("Gelu")
def _gelu(node: Node, x: Given) -> Value:
    return node.sheet.call(
        "gelu_tanh" if node.get("approximate", "none") == "tanh" else "gelu", node.value(x)
    )


@of("ThresholdedRelu")
def _thresholded(node: Node, x: Given) -> Value:
    given = node.value(x)
    above = node.sheet.binary(">", given, float32(node.get("alpha", 1.0)))
    return node.sheet.call("where", above, given, 0.0)


@of("Shrink")
def _shrink(node: Node, x: Given) -> Value:
    sheet, given = node.sheet, node.value(x)
    bias, edge = float32(node.get("bias", 0.0)), float32(node.get("lambd", 0.5))
    low = sheet.call("where", sheet.binary("<", given, -edge), sheet.binary("+", given, bias), 0.0)
    return sheet.call("where", sheet.binary(">", given, edge), sheet.binary("-", given, bias), low)


@of("IsInf")
def _isinf(node: Node, x: Given) -> Value:
    sheet, given = node.sheet, node.value(x)
    if node.get("detect_positive", 1) and node.get("detect_negative", 1):
        return sheet.call("isinf", given)
    if node.get("detect_positive", 1):
        return sheet.binary("==", given, math.inf)
    if node.get("detect_negative", 1):
        return sheet.binary("==", given, -math.inf)
    return sheet.call("zeros_like", given)


@of("Dropout")
def _dropout(node: Node, x: Given, ratio: Given = None, training: Given = None) -> list[Given]:
    if training is not None and bool(node.number(training, "the mode")):
        raise node.mistake("there is no randomness in a graph", "export the model for inference")
    found = node.typed(x)
    mask = node.sheet.binary("==", node.sheet.call("zeros_like", found), 0.0)
    return [found, mask][: len(node.outputs)]
