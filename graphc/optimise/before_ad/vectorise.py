"""Loops that are maps, of small arrays -> operations on arrays of all steps, before calculus.

Distribution does that to what derivatives are made of, too; before it, the forms that cost less are
found across what was a step.
"""

from __future__ import annotations

from graphc.ad.maps import vectorise_maps
from graphc.elaborate.names.model import Model, verified_model
from graphc.ir.graph import Node
from graphc.ir.loop import LOOP, Loop, body, everywhere, inside_first, loop_of
from graphc.ops.cost import is_small
from graphc.optimise.before_ad.stabilise import with_nodes
from graphc.records import replace


@verified_model
def vectorise(model: Model) -> Model:
    """Compute all steps at once of loops that carry nothing, where a step's arrays are small."""
    roots = model.roots
    loops = [node for node in inside_first(roots) if node.op is LOOP]
    if not any(map(_is_map, loops)):
        return model
    new, stacked = vectorise_maps(roots, _is_map, model.differentiated_by)
    indices = {n: loop_of(node).index for node in loops for n in everywhere(loop_of(node).roots)}
    names = {
        stacked[n]: f"{name}_by_{indices[n]}"
        for n, name in model.names.items()
        if n in stacked and n in indices
    }
    made = with_nodes(model, new)
    return replace(made, names={**names, **made.names})


def _is_map(node: Node) -> bool:
    """True for a loop whose steps do not wait, and all of which may be done at once."""
    return not loop_of(node).carried and _is_small(loop_of(node))


def _is_small(loop: Loop) -> bool:
    """True if all that a step computes is small, and it takes the steps that it is given."""
    inside = body(loop)
    inner = [loop_of(node) for node in inside if node.op is LOOP]
    return (
        loop.until is None
        and not loop.limited
        and all(map(is_small, inside))
        and all(map(_is_small, inner))
    )
