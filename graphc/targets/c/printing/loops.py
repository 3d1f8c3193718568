"""What is known of an innermost loop: what it folds into one, and whether its turns are apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from graphc.nests.nest import Apply, Assign, Define, For, Value, Work, counter
from graphc.nests.storage import Memory, Register, Storage

LANES, SHORTEST, MOST = 32, 32, 32
"""Lanes that a sum is made in, the shortest loop that has them, the most sums with lanes in one.

More than 16 turns are no loop that GCC unrolls before it vectorises: that it does worse.
"""

FOLDS = frozenset({"add", "maximum", "minimum"})
APART = "gc_apart"
"""What stands before a loop whose turns are apart."""


def folds_of(tree: For, declared: Collection[Value], storage: Storage) -> dict[Value, str]:
    """Return the numbers that a long innermost loop folds all elements into, and how."""
    works = _plain_works(tree)
    if works is None or (tree.count.constant is not None and tree.count.constant < SHORTEST):
        return {}
    found: dict[Value, str] = {}
    touched: Counter[Value] = Counter(one.value for work in works for one in work.touches)
    for one in (statement for work in works for statement in work.statements):
        if isinstance(one, Assign) and isinstance(one.expr, Apply) and one.where is None:
            value, expr = one.to.value, one.expr
            register = isinstance(storage.places[value], Register) and value in declared
            folds = expr.name in FOLDS and expr.args[0] == one.to and expr.of in ("float", "wide")
            if register and folds and touched[value] == 2:
                found[value] = expr.name
    return found if len(found) <= MOST else {}


def are_apart(tree: For, storage: Storage) -> bool:
    """True if no turn of an innermost loop touches what another one writes in memory.

    Of a loop over a single array this goes without saying.
    """
    works = _plain_works(tree)
    if works is None:
        return False
    position = counter(tree.depth)
    own: dict[Value, set[int]] = {}
    written: set[Value] = set()
    for one in (access for work in works for access in work.touches if not access.value.token):
        place = storage.places[one.value]
        if isinstance(place, Memory):
            axes = {axis for axis in place.kept if one.index[axis] == position}
            own[one.value] = own.get(one.value, axes) & axes
            written |= {one.value} if one.writes else set()
    arrays = {place.array for place in map(storage.places.get, own) if isinstance(place, Memory)}
    apart = len(arrays) == len(own) and all(own[value] for value in written)
    return bool(apart and written and len(own) > 1)


def _plain_works(tree: For) -> list[Work] | None:
    """Return the works of a loop that has no others in it, and does nothing but assign."""
    works = [one for one in tree.body if isinstance(one, Work)]
    statements = [one for work in works for one in work.statements]
    plain = all(isinstance(one, Assign | Define) for one in statements)
    return works if plain and len(works) == len(tree.body) else None
