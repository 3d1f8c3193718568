"""The chain rule from one named value to the next: what a comment says of a derivative."""

from __future__ import annotations

from graphc.records import dataclass


@dataclass(frozen=True, slots=True)
class Link:
    """A term of the chain rule: a partial derivative to or by another value, times a derivative.

    It is `diagonal` where all that lies between works element by element; where the derivative is
    a seed, which is 1 or the unit vectors, it has no name.
    """

    other: str
    diagonal: bool
    derivative: str


@dataclass(frozen=True, slots=True)
class Chain:
    """The derivative of a value as a sum of links: `forward` to its operands, else its children.

    `slopes` are the operations on the way, `loops` the indices of loops that it goes through.
    """

    of: str
    links: tuple[Link, ...]
    loops: tuple[str, ...]
    slopes: tuple[str, ...]
    forward: bool


def chain_of(name: str | None) -> Chain | None:
    """Return the chain rule of what goes by a name, if that is a derivative's."""
    return name.chain if isinstance(name, DerivativeName) else None


class DerivativeName(str):
    """The name of a derivative, and the chain rule that it comes of."""

    __slots__ = ("chain",)
    chain: Chain

    def __new__(cls, name: str, chain: Chain) -> DerivativeName:
        made = super().__new__(cls, name)
        made.chain = chain
        return made
