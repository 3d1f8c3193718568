"""Forms that functions of JAX leave in a jaxpr, as the operations that they are.

A softmax does not change where a constant is subtracted along its axis, neither its value nor its
derivative: so `stop`, which JAX needs there, goes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.importing.items import Value
from graphc.importing.jax.reading import Given, Reading
from graphc.ir.dims import Dim
from graphc.ir.types import product

MOVED = ("broadcast_in_dim", "reshape", "expand_dims", "copy", "squeeze")


def known_form(reading: Reading, name: str, a: Given, b: Given) -> Value | None:
    """Return the operation that an operator between two values ends, None where it is no such."""
    form = FORMS.get(name)
    return None if form is None else form(reading, a, b)


def _through(reading: Reading, given: Given) -> Given:
    """Return what is only moved, without axes of length 1 and repetition."""
    while True:
        found = reading.origin(given, *MOVED)
        if found is None or not isinstance(found[0][0], Value):
            return given
        given = found[0][0]


def _same(a: Given, b: Given) -> bool:
    return isinstance(a, Value) and isinstance(b, Value) and a.key == b.key


def _sum_of_exp(reading: Reading, given: Given) -> tuple[Value, Value, int] | None:
    """Return the exponentials that are added up, their exponent, and the axis."""
    added = reading.origin(_through(reading, given), "reduce_sum")
    if added is None or len(added[1]["axes"]) != 1:
        return None
    (terms,), params = added
    inner = reading.origin(terms, "exp")
    if inner is None or not isinstance(inner[0][0], Value):
        return None
    axis = int(params["axes"][0])
    return terms, inner[0][0], -1 if axis == terms.rank - 1 else axis


def _shifted(reading: Reading, exponent: Value) -> tuple[Value, Given] | None:
    """Return what a constant is subtracted from, and the constant."""
    found = reading.origin(exponent, "sub")
    if found is None or not isinstance(found[0][0], Value):
        return None
    constant = _through(reading, found[0][1])
    if reading.origin(constant, "stop_gradient") is None:
        return None
    return found[0][0], constant


def _quotient(reading: Reading, a: Given, b: Given) -> Value | None:
    summed = _sum_of_exp(reading, b)
    if summed is not None and _same(summed[0], a):
        shifted = _shifted(reading, summed[1])
        if shifted is not None:
            return reading.sheet.call("softmax", shifted[0], axis=summed[2])
    added = reading.origin(a, "reduce_sum")
    if added is None or not isinstance(added[0][0], Value) or added[0][0].dtype != "float":
        return None
    (given,), params = added
    axes = [int(one) for one in params["axes"]]
    count = product([given.shape[axis] for axis in axes])
    if not axes or _number(reading, b) != count:
        return None
    whole = len(axes) == given.rank
    axis: Any = None if whole else axes[0] if len(axes) == 1 else axes
    return reading.sheet.call("mean", given, axis=axis)


def _number(reading: Reading, given: Given) -> Dim | None:
    """Return a whole number that is known as a dim."""
    if isinstance(given, np.ndarray) and not given.ndim and float(given).is_integer():
        return Dim.of(int(given))
    converted = reading.origin(given, "convert_element_type")
    if converted is not None and isinstance(converted[0][0], Dim):
        return converted[0][0]
    return given if isinstance(given, Dim) else None


def _difference(reading: Reading, a: Given, b: Given) -> Value | None:
    logarithm = reading.origin(_through(reading, b), "log")
    summed = None if logarithm is None else _sum_of_exp(reading, logarithm[0][0])
    if summed is None or not _same(summed[1], a):
        return None
    shifted = _shifted(reading, summed[1])
    if shifted is None:
        return None
    return reading.sheet.call("log_softmax", shifted[0], axis=summed[2])


def _total(reading: Reading, a: Given, b: Given) -> Value | None:
    logarithm = reading.origin(a, "log")
    if logarithm is None:
        return None
    inside = reading.origin(logarithm[0][0], "abs")
    added = reading.origin(
        _through(reading, inside[0][0] if inside else logarithm[0][0]), "reduce_sum"
    )
    if added is None:
        return None
    terms = reading.origin(added[0][0], "exp")
    shifted = None if terms is None else _shifted(reading, terms[0][0])
    if shifted is None or not _same(shifted[1], _through(reading, b)):
        return None
    axes = [int(one) for one in added[1]["axes"]]
    value = shifted[0]
    kept = a.rank == value.rank
    axis: Any = None if len(axes) == value.rank else axes[0] if len(axes) == 1 else axes
    return reading.sheet.call("logsumexp", value, axis=axis, keepdims=kept or None)


FORMS = {"div": _quotient, "sub": _difference, "add": _total}
