"""Products with Jacobians and Hessians: tangents in, tangents or gradients out, as graphs."""

from __future__ import annotations

from collections.abc import Mapping

from graphc.ad.chains import adjoint_names, tangent_names
from graphc.ad.forward import pushforward
from graphc.ad.functions import adjoint_of, labels, values
from graphc.ad.request import Request
from graphc.ad.reverse import pullback
from graphc.ir.graph import (
    TANGENT,
    Adjoint,
    Graph,
    Node,
    arguments_first,
    as_node,
    source,
    with_args,
)
from graphc.ir.rebuild import rebuild
from graphc.ir.results import ResultKey, gradient_by
from graphc.ir.verify import verified
from graphc.ops.elementwise.arithmetic import identity, total
from graphc.ops.shape.members import family_of
from graphc.ops.shape.shaping import filled, unindex


@verified
def tangents(asked: Request) -> Graph:
    """Build the outputs, and the tangents (new sources, by path) pushed forward to them."""
    moving: dict[Node, Node] = {}
    pushed = pushforward(directions(asked.wrt), asked.outputs.values(), moving=moving)
    results = values(asked.outputs)
    results |= {
        ResultKey("tangent", out): tangent_of(pushed, node) for out, node in asked.outputs.items()
    }
    called = tangent_names(pushed, asked.names, moving)
    return Graph(asked.name, results, {**called, **asked.names})


@verified
def hessian_products(asked: Request) -> Graph:
    """Build the gradients of a scalar, and its Hessian times the tangents, by path.

    Forward over reverse: the tangents of the gradients (Pearlmutter 1994, "Fast exact
    multiplication by the Hessian").
    """
    output, wrt, names = alias_wrt(asked.output[1], asked.wrt, asked.names)
    gradients, adjoints = gradients_of(output, wrt)
    called = adjoint_names(adjoints.values(), names)
    moving: dict[Node, Node] = {}
    pushed = pushforward(directions(wrt), gradients.values(), moving=moving)
    results = {gradient_by(path): node for path, node in gradients.items()}
    results |= {
        ResultKey("product", by=path): tangent_of(pushed, node) for path, node in gradients.items()
    }
    commented = tuple(adjoints.values())
    known = {**tangent_names(pushed, {**called, **names}, moving), **names}
    return Graph(asked.name, results, known, commented, labels(commented, names))


def gradients_of(
    output: Node, wrt: Mapping[str, Node]
) -> tuple[dict[str, Node], dict[Node, Adjoint]]:
    """Return the gradients of a scalar by path, and the adjoints on the way."""
    adjoints = pullback([(output, as_node(1.0))], [family_of(node) for node in wrt.values()])
    return {path: adjoint_of(adjoints, node) for path, node in wrt.items()}, adjoints


def directions(wrt: Mapping[str, Node]) -> dict[Node, Node]:
    """Seed each path with a tangent (a new source); of a family's member, one of the whole."""
    terms: dict[Node, list[Node]] = {}
    for path, node in wrt.items():
        tangent = source(TANGENT, path, node.type)
        terms.setdefault(family_of(node), []).append(embed_tangent(tangent, node))
    return {node: total(found) for node, found in terms.items()}


def embed_tangent(tangent: Node, node: Node) -> Node:
    """Embed the tangent of a member of a family in one of the whole; return any other as it is."""
    whole = family_of(node)
    if whole is node:
        return tangent
    return unindex(tangent, items=node.attrs["items"], shape=whole.shape)


def tangent_of(pushed: Mapping[Node, Node], node: Node) -> Node:
    """Return the tangent of a node; zeros where no seed reaches it."""
    return pushed[node] if node in pushed else filled(0.0, node.shape)


def alias_wrt(
    output: Node, wrt: Mapping[str, Node], names: Mapping[Node, str]
) -> tuple[Node, dict[str, Node], dict[Node, str]]:
    """Put an alias of each computed node of `wrt` between it and its children.

    A second derivative by an intermediate node z moves z for its children, and not for the
    derivatives of z itself, which may be written in terms of its value: tanh' is 1 - z².
    """
    computed = {family_of(node) for node in wrt.values() if family_of(node).args}
    if not computed:
        return output, dict(wrt), dict(names)
    new: dict[Node, Node] = {}
    for node in [n for n in arguments_first([output, *computed]) if n in computed]:
        new = rebuild([node], with_args, new)
        new[node] = identity(new[node])
    new = rebuild([output], with_args, new)
    called = {new[node]: name for node, name in names.items() if node in new}
    return new[output], {path: new.get(node, node) for path, node in wrt.items()}, called
