"""Losses, and what is sampled between positions, in the language."""

from __future__ import annotations

from typing import Any

from graphc.importing.items import Value
from graphc.importing.onnx.reading import Given, Node, of


@of("NegativeLogLikelihoodLoss")
def _likelihood(node: Node, x: Given, target: Given, weight: Given = None) -> Value:
    return _loss(node, node.typed(x), node.typed(target), weight)


def _loss(node: Node, logs: Value, target: Value, weight: Given) -> Value:
    """Write the mean, the sum or each of the logarithms that targets name, by their weights."""
    sheet, ignored = node.sheet, node.get("ignore_index")
    ids, kept = target, None
    if ignored is not None:
        kept = sheet.binary("!=", target, ignored)
        ids = sheet.call("where", kept, target, 0)
    behind = logs if logs.rank == 2 else sheet.call("moveaxis", logs, 1, -1)
    each = sheet.unary("-", sheet.call("pick", behind, ids))
    how = node.get("reduction", "mean")
    gains: Any = None
    if weight is not None:
        gains = sheet.subscript(node.typed(weight), ids)
    if kept is not None:
        gains = sheet.call("where", kept, 1.0 if gains is None else gains, 0.0)
    if gains is not None:
        each = sheet.binary("*", each, gains)
    if how == "none":
        return each
    if how == "sum" or gains is None:
        return sheet.call(how, each)
    return sheet.binary("/", sheet.call("sum", each), sheet.call("sum", gains))


@of("SoftmaxCrossEntropyLoss")
def _cross_entropy(node: Node, x: Given, target: Given, weight: Given = None) -> list[Value]:
    logs = node.sheet.call("log_softmax", node.typed(x), axis=1)
    return [_loss(node, logs, node.typed(target), weight), logs][: len(node.outputs)]
