"""The levels of optimisation: which passes run at each, and whether memory is planned."""

from __future__ import annotations

from collections.abc import Callable

from graphc.elaborate.names.model import Model
from graphc.optimise.algebra.axis_order import arrange
from graphc.optimise.algebra.shares import share_finitely
from graphc.optimise.before_ad.canonical import prepare
from graphc.optimise.before_ad.horizontal import fuse_horizontally
from graphc.optimise.before_ad.rolling import roll
from graphc.optimise.before_ad.selections import select
from graphc.optimise.before_ad.states import take_states_apart
from graphc.optimise.before_ad.vectorise import vectorise
from graphc.optimise.driver import strengthen, turn_products
from graphc.optimise.loops.distribution import distribute
from graphc.optimise.loops.unrolling import unroll
from graphc.optimise.passes import Pass, simplify
from graphc.optimise.scalarise.small_axes import components
from graphc.records import dataclass


@dataclass(frozen=True, slots=True)
class Level:
    """What a level adds to `PASSES`, which every module is made with.

    `before_ad` are passes over the model; `halves` those of forward and backward, `derived` those
    of derived functions, which are not cut in two with a cache between them. Where `planned` is
    so, the target has its say: its own passes, tiles, and buffers.
    """

    name: str
    before_ad: tuple[Callable[[Model], Model], ...] = ()
    halves: tuple[Pass, ...] = ()
    derived: tuple[Pass, ...] = ()
    planned: bool = False


_ALGEBRA: tuple[Pass, ...] = (strengthen, arrange, strengthen, arrange, strengthen)
_LOOPS: tuple[Pass, ...] = (share_finitely, turn_products, distribute, simplify)

READABLE = Level("-O0")
FAST = Level(
    "-O2",
    (roll, vectorise, take_states_apart, select, fuse_horizontally, prepare),
    (*_LOOPS, *_ALGEBRA),
    (unroll, *_LOOPS, components, *_ALGEBRA),
    True,
)

LEVELS = {level.name: level for level in (READABLE, FAST)}
