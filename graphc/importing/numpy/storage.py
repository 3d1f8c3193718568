"""What an array of a traced function holds: a value, and rows that were written into it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.importing.items import Value
from graphc.importing.shapes import put
from graphc.importing.sheet import Sheet
from graphc.ir.types import same_shape

Parts = tuple[Any, ...]
ROWS = 4096
"""Rows that are kept apart, as far as they were written one by one."""


class Storage:
    """The elements of an array: views share them, and see what is written into them."""

    def __init__(self, value: Value, known: np.ndarray[Any, Any] | None = None) -> None:
        self.whole: Value | None = value  # None where rows have been written since
        self.base = value
        self.known = known  # the numbers, as long as nothing is written into them
        self.rows: dict[int, Storage] = {}
        self.version = 0

    @property
    def type_value(self) -> Value:
        """Return a value of the same type, to ask for that alone."""
        return self.base

    def read(self, sheet: Sheet) -> Value:
        """Return the value of the whole array."""
        if self.whole is None:
            self.whole = self._joined(sheet)
        return self.whole

    def row(self, sheet: Sheet, number: int) -> Value | None:
        """Return a row that was written by itself."""
        found = self.rows.get(number)
        return None if found is None else found.read(sheet)

    def replace(self, value: Value) -> None:
        self.whole = self.base = value
        self.rows, self.known = {}, None
        self.version += 1

    def write(self, sheet: Sheet, parts: Parts, value: Value) -> None:
        """Write a value, which has the shape of what the parts select, into the array."""
        axes = [axis for axis, part in enumerate(parts) if part != slice(None)]
        length = self.base.shape[0].constant if self.base.rank else None
        first = parts[0] if parts else None
        if not axes:
            self.replace(value)
        elif isinstance(first, int) and length is not None and length <= ROWS:
            number = first % length
            if number not in self.rows:
                before = self.read(sheet) if self.whole is not None else self.base
                self.rows[number] = Storage(sheet.subscript(before, number))
            self.rows[number].write(sheet, parts[1:], value)
            self.whole, self.known = None, None
            self.version += 1
        else:
            self.replace(put(sheet, self.read(sheet), parts, axes, value))

    def _joined(self, sheet: Sheet) -> Value:
        """Join the rows that were written with those that were not."""
        length = self.base.shape[0].constant
        assert length is not None
        pieces, alone, at = list[Any](), list[Value](), 0
        for number in sorted(self.rows):
            if number > at:
                pieces, alone = _closed(sheet, pieces, alone), []
                pieces.append(sheet.subscript(self.base, slice(at or None, number)))
            alone.append(self.rows[number].read(sheet))
            at = number + 1
        pieces = _closed(sheet, pieces, alone)
        if at < length:
            pieces.append(sheet.subscript(self.base, slice(at, None)))
        return pieces[0] if len(pieces) == 1 else sheet.call("concat", *pieces, axis=0)


def _closed(sheet: Sheet, pieces: list[Any], alone: Sequence[Value]) -> list[Any]:
    return [*pieces, sheet.call("stack", *alone)] if alone else pieces


def fitted_to(sheet: Sheet, value: Value, like: Value) -> Value:
    """Return a value in the shape and type of another, into which it is written."""
    if value.dtype != like.dtype:
        if like.dtype != "float":
            raise sheet.mistake(
                f"an array of {like.dtype} gets a {value.dtype}, of which NumPy drops a part",
                "make the array of floats: `np.zeros(…)`, `np.array([0.0, …])`",
            )
        value = sheet.binary("*", 1.0, value)
    if not same_shape(value.shape, like.shape):
        value = sheet.call("broadcast_to", value, list(like.shape))
    return value
