"""Every operation that the package makes, public or not."""

from __future__ import annotations

import functools
import gc

import graphc.compile.stages  # which loads whatever makes one
from graphc.ir.graph import Op


@functools.cache
def operations() -> tuple[Op, ...]:
    """By name; without those on Python's own floats, which are made from them."""
    assert graphc.compile.stages
    found = [one for one in gc.get_objects() if type(one) is Op and not one.numbers]
    return tuple(sorted(found, key=lambda op: op.name))
