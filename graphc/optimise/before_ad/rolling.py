"""Equal layers, written out one after the other -> a loop over them, before calculus.

Layers are equal where they are the same operations in the order of the file, on the same values, on
what the layer before has made, and each on sources of its own. These are stacked, so that their
gradients are parts of the gradient of a stack, and what is known of loops holds of the layers, too:
the gradients of all weights are one product.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from graphc.elaborate.names.model import Model, verified_model
from graphc.ir.constants import told_apart
from graphc.ir.dims import Dim
from graphc.ir.graph import INPUT, PARAMETER, Node, Uses, stamped, uses, with_args
from graphc.ir.loop import (
    LOOP,
    RESULT,
    RULED,
    Element,
    Loop,
    bound,
    everywhere,
    loop_of,
    make_loop,
    result,
)
from graphc.ir.order import topological
from graphc.ir.rebuild import rebuild_into
from graphc.ir.sizes import typical
from graphc.names import Identifiers, flat
from graphc.ops.cost import CALL
from graphc.ops.linear.products import matmul
from graphc.ops.shape.members import is_of_family
from graphc.ops.shape.shaping import index, part_at, stack
from graphc.optimise.before_ad.repeats import Row, rows_of
from graphc.optimise.before_ad.stabilise import with_nodes
from graphc.records import dataclass, replace
from graphc.source import Origin

FEWEST = 16
"""Of so many layers a loop, and the stacks of it, take less time than each layer by itself."""
LONGEST = 128
"""So many operations a layer has at most."""

Layer = Sequence[Node]


class Operand(NamedTuple):
    """What a layer reads: at a place of its own, of the layer before it, or from outside."""

    of: Literal["own", "last", "outside"]
    place: int = 0


@dataclass(frozen=True, slots=True)
class Layers:
    """Equal layers: their nodes, place by place; by place the operands of all of them.

    `carried` are the places that the next layer reads, with what the first one reads there;
    `stacked` those that are read elsewhere, too.
    """

    layers: Sequence[Layer]
    operands: Sequence[Sequence[Operand]]
    carried: Mapping[int, Node]
    stacked: Sequence[int]

    @property
    def outside(self) -> Iterator[tuple[Node, ...]]:
        """Yield what the layers read from outside, one after the other, by operand."""
        for place, operands in enumerate(self.operands):
            for slot, operand in enumerate(operands):
                if operand.of == "outside":
                    yield tuple(layer[place].args[slot] for layer in self.layers)

    @property
    def own(self) -> list[tuple[Node, ...]]:
        """Return the sources that each layer has for itself."""
        return [row for row in dict.fromkeys(self.outside) if len({*row}) > 1]

    @property
    def before(self) -> list[Node]:
        """Return all that has to be there before the loop."""
        return [*self.carried.values(), *(node for row in self.outside for node in row)]


@verified_model
def roll(model: Model) -> Model:
    """Compute many equal layers of small arrays in a loop."""
    roots = model.roots
    order = [*topological(roots)]
    if sum(map(_is_product, order)) < FEWEST:
        return model
    found = [one for one in _equal_layers(order, uses(roots), model) if _pays(one, model)]
    if not found:
        return model
    loops = (loop_of(one).index for one in everywhere(roots) if one.op is LOOP)
    known = (*(dim.variable for dim in model.dims), *model.names.values(), *loops)
    symbols = Identifiers(map(flat, known))
    new: dict[Node, Node] = {}
    names: dict[Node, str] = {}
    for layers in found:
        rebuild_into(new, layers.before, with_args)
        ends, steps = _loop(layers, new, symbols, model.names)
        new |= ends
        names |= steps
    rebuild_into(new, roots, with_args)
    made = with_nodes(model, new)
    return replace(made, names={**names, **made.names})


# ---- finding layers ------------------------------------------------------------------------------


def _equal_layers(order: Sequence[Node], readers: Uses, model: Model) -> Iterator[Layers]:
    """Yield equal layers that follow each other in this order; none has a node twice."""
    apart = {*model.differentiated_by}
    nodes = [node for node in order if node.args and not node.static and not _is_source(node)]
    letters = _letters(nodes, apart)
    places = {node: place for place, node in enumerate(nodes)}
    results = {*model.roots}
    for row in rows_of(letters, FEWEST, LONGEST):
        if any(map(_is_product, nodes[row.start : row.start + row.length])):
            found = _layers(nodes, places, row, readers, results)
            if found is not None:
                yield found


def _letters(nodes: Sequence[Node], apart: Collection[Node]) -> list[int]:
    """Number nodes by what they compute; what is unlike all others has a number of its own."""
    numbers: dict[object, int] = {}
    letters = []
    for node in nodes:
        alone = node in apart or node.op in (LOOP, RESULT, RULED)
        attrs = tuple((name, told_apart(value)) for name, value in sorted(node.attrs.items()))
        letter = node if alone else (node.op, attrs, node.type)
        letters.append(numbers.setdefault(letter, len(numbers)))
    return letters


def _is_product(node: Node) -> bool:
    """True for what makes a layer worth a loop: the products of all gradients become one."""
    return node.op is matmul


def _is_source(node: Node) -> bool:
    """True for what a layer may have for itself: a parameter, an input, or a part of one."""
    one = node.args[0] if node.op is index and node.args[0].op is INPUT else node
    return one.op in (INPUT, PARAMETER) and not is_of_family(one)


def _layers(
    nodes: Sequence[Node],
    places: Mapping[Node, int],
    row: Row,
    readers: Uses,
    results: Collection[Node],
) -> Layers | None:
    """Return the layers of a row of equal operations, cut where least is handed on."""
    length = row.length
    handed = _handed_on(nodes, places, row, readers)
    start = min(
        range(row.start, row.start + length),
        key=lambda place: (-((row.end - place) // length), handed[place - row.start], -place),
    )
    layers = [nodes[place : place + length] for place in range(start, row.end - length + 1, length)]
    for cut in (layers, layers[1:], layers[:-1]):
        found = _chained(cut, readers, results) if len(cut) >= FEWEST else None
        if found is not None:
            return found
    return None


def _handed_on(
    nodes: Sequence[Node], places: Mapping[Node, int], row: Row, readers: Uses
) -> list[int]:
    """Count the values that are read behind each place of a word, by where the word begins."""
    length = row.length
    middle = row.start + (row.end - row.start) // length // 2 * length
    handed = [0] * length
    for place in range(middle, middle + length):
        behind = (places.get(reader, place) for reader, _ in readers[nodes[place]])
        last = max((one for one in behind if one < min(row.end, place + 2 * length)), default=place)
        for border in range(place + 1, last + 1):
            handed[(border - row.start) % length] += 1
    return handed


def _chained(layers: Sequence[Layer], readers: Uses, results: Collection[Node]) -> Layers | None:
    """Return layers that read alike, each of the one before; None where they are none."""
    where = {node: (n, place) for n, layer in enumerate(layers) for place, node in enumerate(layer)}
    operands = [[_operand(arg, where, 1) for arg in node.args] for node in layers[1]]
    carried: dict[int, Node] = {}
    for n, layer in enumerate(layers):
        for node, reads in zip(layer, operands, strict=True):
            for arg, operand in zip(node.args, reads, strict=True):
                if n == 0 and operand.of == "last":
                    fits = carried.setdefault(operand.place, arg) is arg and arg not in where
                    if not fits or arg.type != layer[operand.place].type:
                        return None
                elif _operand(arg, where, n) != operand:
                    return None
    read = _read_elsewhere(layers, where, readers, results)
    last = len(layers) - 1
    stacked = {place for n, place in read if n < last or place not in carried}
    if any(place not in carried and (0, place) not in read for place in stacked):
        return None
    found = Layers(layers, operands, carried, sorted(stacked))
    alike = all(_stackable(row) for row in found.own)
    return found if alike and carried else None


def _operand(arg: Node, where: Mapping[Node, tuple[int, int]], number: int) -> Operand:
    """Say what a layer of this number reads."""
    layer, place = where.get(arg, (-1, 0))
    if layer == number:
        return Operand("own", place)
    return Operand("last", place) if layer == number - 1 and layer >= 0 else Operand("outside")


def _read_elsewhere(
    layers: Sequence[Layer],
    where: Mapping[Node, tuple[int, int]],
    readers: Uses,
    results: Collection[Node],
) -> set[tuple[int, int]]:
    """Collect the layer and place of what is read behind the layers, or is a result itself."""
    return {
        where[node]
        for layer in layers
        for node in layer
        if node in results or any(reader not in where for reader, _ in readers[node])
    }


def _stackable(row: Sequence[Node]) -> bool:
    """True for sources of one type and of few elements."""
    alike = all(_is_source(node) and node.type == row[0].type for node in row)
    return alike and typical(row[0].type.size) <= CALL and len({*row}) == len(row)


def _pays(layers: Layers, model: Model) -> bool:
    """True where calls take the time, and no gradient is made that nobody asks for."""
    if any(typical(node.type.size) > CALL for node in layers.layers[0]):
        return False
    wanted = [{node for _, node in clause.wrt} for clause in (*model.clauses, model.backward)]
    return all(len(by.intersection(row)) in (0, len(row)) for by in wanted for row in layers.own)


# ---- the loop ------------------------------------------------------------------------------------


def _loop(
    layers: Layers, new: Mapping[Node, Node], known: Identifiers, names: Mapping[Node, str]
) -> tuple[dict[Node, Node], dict[Node, str]]:
    """Make the loop: returns what takes the place of nodes that are read behind it, and names."""
    first, *_, last = layers.layers
    symbol = known.fresh("layer")
    called = [flat(_without_numbers(names[node])) if node in names else symbol for node in first]
    carried = {place: bound(called[place], node.type) for place, node in layers.carried.items()}
    elements = {row: bound(_name_of(row[0]), row[0].type) for row in layers.own}
    outside = layers.outside
    step: list[Node] = []
    for node, operands in zip(first, layers.operands, strict=True):
        args = []
        for operand in operands:
            if operand.of == "own":
                args.append(step[operand.place])
            elif operand.of == "last":
                args.append(carried[operand.place])
            else:
                row = next(outside)
                args.append(elements.get(row) or new[row[0]])
        with stamped(_origin(layers, len(step)), node.place):
            step.append(with_args(node, tuple(args)))
    loop = Loop(
        symbol,
        Dim.of(0),
        Dim.of(len(layers.layers)),
        False,
        tuple(carried.values()),
        tuple(Element(node, 0) for node in elements.values()),
        tuple(step[place] for place in carried),
        tuple(step[place] for place in layers.stacked),
    )
    with stamped(_origin(layers, 0), last[-1].place):
        sources = [stack(*(new[node] for node in row), axis=0) for row in elements]
        whole = make_loop(loop, [new[node] for node in layers.carried.values()], sources)
        stacks = [result(whole, number) for number in range(len(carried), len(loop.results))]
        ends = {
            layer[place]: part_at(made, 0, Dim.of(number))
            for place, made in zip(layers.stacked, stacks, strict=True)
            for number, layer in enumerate(layers.layers)
        }
        ends |= {last[place]: result(whole, number) for number, place in enumerate(carried)}
    told = {step[place]: called[place] for place, node in enumerate(first) if node in names}
    told |= {
        node: known.fresh(_name_of(row[0])) for node, row in zip(sources, elements, strict=True)
    }
    return ends, told


def _origin(layers: Layers, place: int) -> Origin | None:
    """Return where the nodes at a place come from: the first, alike the others."""
    first, *others = (layer[place].origin for layer in layers.layers)
    alike = tuple(one for one in others if one is not None)
    return None if first is None else Origin(first.span, first.used, alike)


def _name_of(source: Node) -> str:
    name = (source.args[0] if source.op is index else source).attrs["name"]
    return flat(_without_numbers(name))


def _without_numbers(name: str) -> str:
    """Return a name without its numbers: `h` for `h_1`, `layer.W` for `layer.1.W`."""
    return re.sub(r"[._]?\d+(?=[._]|\Z)", "", name) or name
