"""The ready-made functions of a module of JAX: those of the NumPy target, with `jnp` for `np`; what
would write into arrays, or ask a number how far to go, is here in JAX's ways."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from graphc.targets.numpy.printing.copied import called_of, definitions_of
from graphc.targets.numpy.runtime.lacking import FILES, HELPERS

OWN = {name: function.__name__ for name, function in HELPERS.items()}
"""The functions that kernels call, by their names for them: as in the NumPy target."""

HERE = ("arguments", "arrays", "matrices", "incomplete", "shards")
"""The files beside this."""
_LIBRARY = re.compile(r"\bnp\.")


@cache
def ready_made() -> dict[str, str]:
    """Return the functions as text, in their own order.

    What draws parameters and names mistakes is NumPy's in both.
    """
    found = dict(definitions_of("parts"))
    for file in FILES:
        for name, text in definitions_of(file).items():
            found[name] = _LIBRARY.sub("jnp.", text)
    for file in HERE:
        found |= definitions_of(file, "jax")
    return found


def parts_for(read: Iterable[str]) -> list[str]:
    """Return those that are called where these names are read, in their own order."""
    sources = ready_made()
    return [sources[name] for name in called_of(sources, read)]
