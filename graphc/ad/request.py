"""The request for one derived function, from which its graph is built."""

from __future__ import annotations

from collections.abc import Mapping

from graphc.ir.dims import Dim
from graphc.ir.graph import Node
from graphc.kinds import Returns
from graphc.records import dataclass


@dataclass(frozen=True, slots=True)
class Request:
    """Derivatives of outputs by paths, in the form that is returned, perhaps after the values.

    `names` are those of the user. Each path has a mode, all the same one but where `per`, an axis,
    is kept apart.
    """

    name: str
    outputs: Mapping[str, Node]
    wrt: Mapping[str, Node]
    names: Mapping[Node, str]
    returns: Returns
    with_values: bool
    modes: Mapping[str, str]
    per: Dim | None = None

    @property
    def output(self) -> tuple[str, Node]:
        """Return the one output of a kind that is of a scalar."""
        (output,) = self.outputs.items()
        return output

    @property
    def mode(self) -> str:
        """Return the mode of all paths."""
        (mode,) = set(self.modes.values())
        return mode
