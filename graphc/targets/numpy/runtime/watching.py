"""The parts of a generated module that trace nan and infinities: copied as they stand here."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

_WATCHED: dict[int, tuple[Any, ...]] = {}
_PLACES: tuple[tuple[str, str], ...] = ()


class Operand(NamedTuple):
    """A value in short; `here` is what of it the element at the position was computed from."""

    name: str
    shape: tuple[int, ...]
    smallest: float
    largest: float
    nans: int
    infinities: int
    here: Any

    def __str__(self) -> str:
        """Say it in a line."""
        kind = f"[{', '.join(str(size) for size in self.shape)}]" if self.shape else "a number"
        parts = [f"`{self.name}`: {kind}"]
        if self.shape and self.smallest <= self.largest:
            parts.append(f"from {self.smallest:.6g} to {self.largest:.6g}")
        parts += [f"{self.nans} nan"] if self.nans else []
        parts += [f"{self.infinities} infinite"] if self.infinities else []
        if np.ndim(self.here) == 0:
            return f"{', '.join(parts)}; here {float(self.here):.17g}"
        flat = [f"{float(one):.6g}" for one in np.ravel(self.here)[:6]]
        more = ", …" if np.size(self.here) > 6 else ""
        return f"{', '.join(parts)}; here {', '.join(flat)}{more}" if flat else ", ".join(parts)


class Trace(NamedTuple):
    """The first value that is nan or infinite, the node that made it, and what went in.

    `function` is the one of this module that computes it, `node` the variable, `operation` what the
    node does; `place` is the file, line and column of its statement, and `line` shows that.
    `steps` are the indices of the loops around it. `made` is nan, inf or -inf, at `position`.
    """

    function: str
    node: str
    operation: str
    place: str
    line: str
    steps: dict[str, int]
    made: float
    position: tuple[int, ...]
    value: Operand
    operands: tuple[Operand, ...]

    def __str__(self) -> str:
        """Say it as a message of the compiler is said."""
        at = f"[{', '.join(str(one) for one in self.position)}]" if self.position else ""
        within = "".join(f", step {name} = {step}" for name, step in self.steps.items())
        if not self.place:
            return f"{self.operation} `{self.node}{at}` is {self.made}\n  = {self.value}"
        what = f"`{self.operation}` makes {self.made}: `{self.node}{at}`"
        return "\n".join(
            [
                f"{what}, in {self.function}{within}",
                self.line,
                *(f"  = {one}" for one in (self.value, *self.operands)),
            ]
        )


def _watched(value: Any, number: int, operands: tuple[Any, ...], steps: tuple[int, ...]) -> Any:
    """The value; raises FloatingPointError with a Trace where nan or an infinity first appears."""
    if not np.isfinite(value).all():
        function, node, operation, at, names, axes, loops = _WATCHED[number]
        place, line = _PLACES[at]
        for kind in (np.isnan, np.isinf):
            bad = _made(kind, value, operands, axes)
            if np.any(bad):
                position = tuple(int(one) for one in np.argwhere(bad)[0])
                raise FloatingPointError(
                    Trace(
                        function,
                        node,
                        operation,
                        place,
                        line,
                        dict(zip(loops, steps, strict=True)),
                        float(np.asarray(value)[position]),
                        position,
                        _operand(node, value, np.asarray(value)[position]),
                        tuple(
                            _operand(name, one, _here(one, position, way))
                            for name, one, way in zip(names, operands, axes, strict=True)
                        ),
                    )
                )
    return value


def _made(kind: Any, value: Any, operands: tuple[Any, ...], axes: tuple[Any, ...]) -> Any:
    """Where the value is nan (or infinite) and nothing that it was computed from is."""
    bad, rank = kind(value), np.ndim(value)
    for one, way in zip(operands, axes, strict=True):
        held = kind(one)
        if np.any(held):
            pointwise = way == tuple(range(rank - np.ndim(one), rank))
            bad = bad & ~held if pointwise else np.zeros_like(bad)
    return bad


def _here(operand: Any, position: tuple[int, ...], axes: tuple[int | None, ...]) -> Any:
    """The part of an operand that the element at a position depends on."""
    array = np.asarray(operand)
    where: tuple[Any, ...] = tuple(
        np.s_[:] if axis is None else position[axis] if size > 1 else 0
        for axis, size in zip(axes, array.shape, strict=True)
    )
    return array[where].copy()


def _operand(name: str, value: Any, here: Any) -> Operand:
    """A value in short."""
    array = np.asarray(value)
    finite = array[np.isfinite(array)].astype(np.float64)
    return Operand(
        name,
        array.shape,
        float(np.min(finite, initial=np.inf)),
        float(np.max(finite, initial=-np.inf)),
        int(np.sum(np.isnan(array))),
        int(np.sum(np.isinf(array))),
        here,
    )


def _given(function: str, given: dict[tuple[str, str], Any]) -> None:
    """Raises FloatingPointError with a Trace of the first argument that holds nan."""
    for argument, value in given.items():
        _refuse(np.isnan, function, argument, value)


def _ended(function: str, given: dict[tuple[str, str], Any], results: list[Any]) -> None:
    """The same for infinities, where no node made what is not finite in the results."""
    if not all(np.all(np.isfinite(one)) for one in results):
        for argument, value in given.items():
            _refuse(np.isinf, function, argument, value)


def _refuse(kind: Any, function: str, argument: tuple[str, str], value: Any) -> None:
    """Raises FloatingPointError with a Trace of an argument that holds a number of this kind."""
    array = np.asarray(value)
    if np.any(kind(array)):
        position = tuple(int(one) for one in np.argwhere(kind(array))[0])
        what, path = argument
        short = _operand(path, array, array[position].copy())
        made = float(array[position])
        raise FloatingPointError(Trace(function, path, what, "", "", {}, made, position, short, ()))
