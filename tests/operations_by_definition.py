"""What the operations of a graph compute, by NumPy and SciPy or by definition, one by name."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import scipy.linalg
import scipy.special


def _slope(of: Callable[[Any], Any], at: Any, order: int, h: float = 1e-3) -> Any:
    """A derivative by central differences of fourth order."""
    if not order:
        return of(at)

    def once(x: Any) -> Any:
        near, far = of(x + h) - of(x - h), of(x + 2 * h) - of(x - 2 * h)
        return (8 * near - far) / (12 * h)

    return _slope(once, at, order - 1, h)


PLAIN = {
    "sigmoid": scipy.special.expit,
    "relu": lambda x: np.maximum(x, 0),
    "softplus": lambda x: np.logaddexp(0, x),
    "gelu": lambda x: x * scipy.special.ndtr(x),
    "erf": scipy.special.erf,
    "erfc": scipy.special.erfc,
    "lgamma": scipy.special.gammaln,
    "digamma": scipy.special.digamma,
    "bessel_j": lambda x, *, n: scipy.special.jv(n, x),
    "bessel_i": lambda x, *, n: scipy.special.iv(n, x),
    "bessel_ie": lambda x, *, n: scipy.special.ive(n, x),
    "bessel_k": lambda x, *, n: scipy.special.kv(n, x),
    "gamma_density": lambda a, x: np.exp((a - 1) * np.log(x) - x - scipy.special.gammaln(a)),
    "beta_density": lambda a, b, x: np.exp(
        (a - 1) * np.log(x) + (b - 1) * np.log1p(-x) - scipy.special.betaln(a, b)
    ),
    "gammainc_by_a": lambda a, x, *, n: _slope(lambda a: scipy.special.gammainc(a, x), a, n),
    "betainc_by": lambda a, b, x, *, i, j: _slope(
        lambda a: _slope(lambda b: scipy.special.betainc(a, b, x), b, j), a, i
    ),
    "huber": lambda x, *, delta: scipy.special.huber(delta, x),
    "between": lambda a, b, t: a + t * (b - a),
    "hazard": lambda x: np.exp(-x * x / 2 - scipy.special.log_ndtr(x)) / np.sqrt(2 * np.pi),
    **{
        name: getattr(scipy.special, name)
        for name in ("ndtr", "log_ndtr", "ndtri", "erfinv", "erfcinv")
    },
    "polygamma": lambda x, *, n: scipy.special.polygamma(n, x),
    "atan2": np.arctan2,
    "xlogy": scipy.special.xlogy,
    "xlog1py": scipy.special.xlog1py,
    "log1mexp": lambda x: np.log(-np.expm1(x)),
    "ratio": np.divide,
    "stop": lambda x: x,
    "%": np.mod,
    "//": np.floor_divide,
    "**": np.power,
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "and": np.logical_and,
    "or": np.logical_or,
    "not": np.logical_not,
    "leaky_relu": lambda x, *, slope: np.where(x > 0, x, slope * x),
    "elu": lambda x, *, alpha: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))),
    "celu": lambda x, *, alpha: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / alpha)),
    "softsign": lambda x: x / (1 + abs(x)),
    "bce_logits": lambda x, t: np.logaddexp(0, x) - t * x,
    "clip": lambda x, low, high: np.minimum(np.maximum(x, low), high),
    "cast_float": lambda x: np.asarray(x, float),
    "cast_int": lambda x: np.asarray(x, int),
    **{name: getattr(np, name) for name in ("where", "abs", "round", "isfinite")},
}
"""Those element by element that are no functions of NumPy's by their name."""


def _axes(axis: Any) -> Any:
    return axis if axis is None or isinstance(axis, int) else tuple(axis)


def _reduce(f: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, *, axis, keepdims, **more: f(x, axis=_axes(axis), keepdims=keepdims, **more)


# ---- places -------------------------------------------------------------------------------------


def _items(items: Any) -> Any:
    found: list[Any] = []
    for kind, value in items:
        if kind == "at":
            found.append(value)
        else:
            start, length, step = value
            stop = start + length * step
            found.append(slice(start, None if stop < 0 else stop, step))
    return tuple(found)


def _placed(x: Any, *, items: Any, shape: Any) -> Any:
    made = np.zeros(shape)
    made[_items(items)] = x
    return made


def _unpick(ct: Any, label: Any, *, size: int) -> Any:
    made = np.zeros((*np.shape(label), size))
    np.put_along_axis(made, label[..., None], np.broadcast_to(ct, label.shape)[..., None], -1)
    return made


def _scatter(ct: Any, *indices: Any, axis: int, sizes: Any, **more: Any) -> Any:
    made = np.zeros((*ct.shape[:axis], *sizes, *ct.shape[axis + np.broadcast(*indices).ndim :]))
    whole = (np.asarray(one, int) for one in indices)
    np.add.at(made, (*(slice(None),) * axis, *whole), ct)
    return made


def _put(x: Any, *rest: Any, axis: int) -> Any:
    made = np.array(x)
    made[(*(slice(None),) * axis, *(np.asarray(one, int) for one in rest[:-1]))] = rest[-1]
    return made


def _add_along(x: Any, index: Any, *, axis: int, size: int, unique: bool) -> Any:
    made = np.zeros((*x.shape[:axis], size, *x.shape[axis + 1 :]))
    for place in np.ndindex(x.shape):
        made[(*place[:axis], index[place], *place[axis + 1 :])] += x[place]
    return made


def _fill_tril(x: Any, *, n: int) -> Any:
    made = np.zeros((*np.shape(x)[:-1], n, n))
    columns, rows = np.triu_indices(n, 1)  # by columns, below the diagonal
    made[..., rows, columns] = x
    return made


def _diagonal_matrix(x: Any, *, offset: int, sides: Sequence[int]) -> Any:
    made = np.zeros((*x.shape[:-1], *sides))
    for i in range(x.shape[-1]):
        made[..., i + max(-offset, 0), i + max(offset, 0)] = x[..., i]
    return made


def _recurrence(a: Any, b: Any, *, axis: int) -> Any:
    a, b = np.moveaxis(a, axis, 0), np.moveaxis(b, axis, 0)
    made = np.array(b)
    for t in range(1, len(made)):
        made[t] = a[t] * made[t - 1] + b[t]
    return np.moveaxis(made, 0, axis)


# ---- windows ------------------------------------------------------------------------------------


def _inside(
    kernel: Sequence[int], counts: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...]]]:
    """Each place inside of windows, and where in the array it is, for all windows at once."""
    for inside in itertools.product(*map(range, kernel)):
        yield (
            inside,
            tuple(
                slice(i * d, i * d + s * (n - 1) + 1, s)
                for i, n, s, d in zip(inside, counts, stride, dilation, strict=True)
            ),
        )


def _windows(x: Any, *, kernel: Any, stride: Any, dilation: Any) -> Any:
    lead, sides = x.shape[: x.ndim - len(kernel)], x.shape[x.ndim - len(kernel) :]
    counts = [
        (side - (k - 1) * d - 1) // s + 1
        for side, k, s, d in zip(sides, kernel, stride, dilation, strict=True)
    ]
    made = np.zeros((*lead, *counts, *kernel))
    for inside, places in _inside(kernel, counts, stride, dilation):
        made[(..., *inside)] = x[(..., *places)]
    return made


def _overlap(x: Any, *, shape: Any, stride: Any, dilation: Any) -> Any:
    axes = len(stride)
    kernel, counts = x.shape[x.ndim - axes :], x.shape[x.ndim - 2 * axes : x.ndim - axes]
    made = np.zeros(shape)
    for inside, places in _inside(kernel, counts, stride, dilation):
        made[(..., *places)] += x[(..., *inside)]
    return made


def _spread(x: Any, *, kernel: Any, stride: Any, dilation: Any, sides: Any) -> Any:
    made = np.zeros(sides)
    for _, places in _inside(kernel, x.shape[x.ndim - len(kernel) :], stride, dilation):
        made[(..., *places)] += x
    return made


def _pooled(f: Callable[..., Any]) -> Callable[..., Any]:
    def pooled(x: Any, *, kernel: Any, stride: Any, dilation: Any) -> Any:
        found = _windows(x, kernel=kernel, stride=stride, dilation=dilation)
        return f(found, axis=tuple(range(-len(kernel), 0)))

    return pooled


def _added_up(*parts: Any, items: Any, shape: Any) -> Any:
    made = np.zeros(shape)
    for part, one in zip(parts, items, strict=True):
        made[_items(one)] += part
    return made


def _singular_vectors(x: Any) -> Any:
    u, _, vt = np.linalg.svd(x, full_matrices=False)
    return np.concatenate([u, np.swapaxes(vt, -1, -2)], -2)


def _cofactors(x: Any) -> Any:
    return np.linalg.det(x)[..., None, None] * np.swapaxes(np.linalg.inv(x), -1, -2)


def _inverse_gaps(w: Any, *, strict: bool) -> Any:
    apart = w[..., None, :] - w[..., :, None]
    return np.divide(1.0, apart, out=np.zeros_like(apart), where=apart != 0)


def _moved_expm(x: Any, along: Any) -> Any:
    """The slope of the exponential along a direction: the corner of that of [[x, e], [0, x]]."""
    n = x.shape[-1]
    return scipy.linalg.expm(np.block([[x, along], [np.zeros_like(x), x]]))[:n, n:]


def _extreme(choose: Any, start: float, x: Any, ids: Any, sizes: Any) -> Any:
    made = np.full((*np.atleast_1d(sizes), *x.shape[1:]), start)
    choose.at(made, np.asarray(ids, int), x)
    return made


ARRAYS: Mapping[str, Callable[..., Any]] = {
    "permute": lambda x, *, axes: np.transpose(x, axes),
    "reshape": lambda x, *, shape: np.reshape(x, shape),
    "expand": lambda x, *, axes: np.expand_dims(x, axes),
    "broadcast_to": lambda x, *, shape: np.broadcast_to(x, shape),
    "full": lambda *, shape, value: np.full(shape, value),
    "index": lambda x, *, items: np.asarray(x)[_items(items)],
    "unindex": _placed,
    "concatenate": lambda *xs, axis: np.concatenate(xs, axis),
    "gather": lambda x, *indices, axis: x[
        (*(slice(None),) * axis, *(np.asarray(one, int) for one in indices))
    ],
    "scatter": _scatter,
    "put": _put,
    "pick": lambda x, label: np.take_along_axis(x, label[..., None], -1)[..., 0],
    "unpick": _unpick,
    "take_along": lambda x, index, *, axis, unique: np.take_along_axis(x, index, axis),
    "add_along": _add_along,
    "sorting": lambda x, *, axis: np.argsort(x, axis, kind="stable"),
    "arange": lambda *, n: np.arange(n),
    "sum": _reduce(np.sum),
    "mean": _reduce(np.mean),
    "max": _reduce(np.max),
    "min": _reduce(np.min),
    "largest": _reduce(np.max),
    "prod": _reduce(np.prod),
    "variance": _reduce(np.var),
    "deviation": _reduce(np.std),
    "logsumexp": _reduce(scipy.special.logsumexp),
    "euclidean_norm": _reduce(lambda x, axis, keepdims: np.sqrt(
        np.sum(x * x, axis=axis, keepdims=keepdims))),
    "softmax": lambda x, *, axis: scipy.special.softmax(x, axis=_axes(axis)),
    "log_softmax": lambda x, *, axis: scipy.special.log_softmax(x, axis=_axes(axis)),
    "running_sum": lambda x, *, axis: np.cumsum(x, axis),
    "running_max": lambda x, *, axis: np.maximum.accumulate(x, axis),
    "running_min": lambda x, *, axis: np.minimum.accumulate(x, axis),
    "scattered_max": lambda x, ids, *, axis, sizes: _extreme(np.maximum, -np.inf, x, ids, sizes),
    "scattered_min": lambda x, ids, *, axis, sizes: _extreme(np.minimum, np.inf, x, ids, sizes),
    "running_product": lambda x, *, axis: np.cumprod(x, axis),
    "running_logsumexp": lambda x, *, axis: np.log(np.cumsum(np.exp(x), axis)),
    "recurrence": _recurrence,
    "matmul": np.matmul,
    "outer": np.outer,
    "cross": np.cross,
    "inv": np.linalg.inv,
    "eigenvalues": np.linalg.eigvalsh,
    "eigenvectors": lambda x: np.linalg.eigh(x)[1],
    "told_eigenvectors": lambda x: np.linalg.eigh(x)[1],
    "inverse_gaps": _inverse_gaps,
    "singular_values": lambda x: np.linalg.svd(x, compute_uv=False),
    "singular_vectors": _singular_vectors,
    "told_singular_vectors": _singular_vectors,
    "orthonormal": lambda x: np.linalg.qr(x)[0],
    "pinv": np.linalg.pinv,
    "expm": scipy.linalg.expm,
    "moved_expm": _moved_expm,
    "det": np.linalg.det,
    "logdet": lambda x: np.log(abs(np.linalg.det(x))),
    "cofactors": _cofactors,
    "factor": np.linalg.cholesky,
    "solution": np.linalg.solve,
    "diagonal": lambda x, *, offset: np.diagonal(x, offset, -2, -1),
    "diagonal_matrix": _diagonal_matrix,
    "identity": lambda *, n, m=None, k=0: np.eye(n, m, k),
    "tril": np.tril,
    "triu": np.triu,
    "fill_tril": _fill_tril,
    "tril_entries": lambda x, *, n: x[..., *np.triu_indices(n, 1)[::-1]],
    "rolled": lambda x, *, shift, axis: np.roll(x, shift, axis),
    "windows": _windows,
    "overlap": _overlap,
    "spread": _spread,
    "added_up": _added_up,
    "pooled_max": _pooled(np.max),
    "pooled_sum": _pooled(np.sum),
}  # fmt: skip
"""Those of arrays as a whole."""


def works_by_element(name: str) -> bool:
    return name in PLAIN or (isinstance(getattr(np, name, None), np.ufunc) and name not in ARRAYS)


def operation(name: str) -> Callable[..., Any]:
    """The function of NumPy's arrays that an operation of this name is."""
    known = PLAIN.get(name) or ARRAYS.get(name) or getattr(np, name, None)
    found: Callable[..., Any] = known or getattr(scipy.special, name)
    return found
