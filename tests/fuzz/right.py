"""What each function of a module must give, and how near what it gives comes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tests.fuzz.calling import (
    Arguments,
    cotangents_of,
    expanded,
    leaves,
    named,
    point_of,
    tangents_of,
)
from tests.fuzz.finding import Finding, Wrong
from tests.fuzz.meaning.rounding import Rounding
from tests.fuzz.oracle import Slopes, slopes
from tests.fuzz.program import Clause, Program

Names = dict[str, Any]
NUDGES = {"float64": 1e-12, "float32": 3e-7}
"""By such a part of itself every argument is moved, to see what rounding may do."""
NUDGED = 12
"""So often: a result beside a step falls to either side of it as it does by rounding."""
TOLERANCE = {"float64": 1e-9, "float32": 2e-3}


@dataclass(frozen=True)
class Pair:
    """One array of a result, projected as its expectation is, and that expectation."""

    where: str
    found: np.ndarray
    right: np.ndarray
    scale: float = 0.0


def flat(values: Mapping[str, Any]) -> np.ndarray:
    parts = [np.ravel(np.asarray(one, np.float64)) for one in values.values()]
    return np.concatenate(parts) if parts else np.zeros(0)


def of_values(found: Mapping[str, Any], right: Names) -> Iterator[Pair]:
    for name, value in right.items():
        yield Pair(name, np.asarray(found[name]), np.asarray(value))


def of_gradients(
    found: Mapping[str, Any], s: Slopes, right: np.ndarray, what: str
) -> Iterator[Pair]:
    """Gradients by path against a derivative along each direction."""
    if list(found) != list(s.paths):
        yield Pair(f"{what}: paths {list(found)} for {list(s.paths)}", np.zeros(1), np.ones(1))
        return
    for path, value in found.items():
        if np.shape(value) != np.shape(s.paths[path]):
            yield Pair(
                f"{what}: shape of {path}",
                np.array(np.shape(value)),
                np.array(np.shape(s.paths[path])),
            )
            return
    yield Pair(what, flat(found) @ s.directions, right)


def of_blocks(
    found: Mapping[str, Any], s: Slopes, outputs: Sequence[str], what: str
) -> Iterator[Pair]:
    for name in outputs:
        row = found[name]
        size = int(np.prod(np.shape(s.outputs[name])[:-1]))
        parts = []
        for path, value in s.paths.items():
            wanted = (*np.shape(s.outputs[name])[:-1], *np.shape(value))
            if np.shape(row[path]) != wanted:
                yield Pair(
                    f"{what}: shape of {name} by {path}",
                    np.array(np.shape(row[path])),
                    np.array(wanted),
                )
                return
            parts.append(np.reshape(row[path], (size, int(np.size(value)))))
        matrix = np.concatenate(parts, axis=1)
        yield Pair(f"{what} {name}", matrix @ s.directions, _flat_rows(s.outputs[name]))


def of_matrix(found: Any, s: Slopes, outputs: Sequence[str], what: str) -> Iterator[Pair]:
    rows = [_flat_rows(s.outputs[name]) for name in outputs]
    matrix = found.toarray() if hasattr(found, "toarray") else found
    right = np.concatenate(rows)
    wanted = (right.shape[0], s.directions.shape[0])
    if np.shape(matrix) != wanted:
        yield Pair(f"{what}: shape", np.array(np.shape(matrix)), np.array(wanted))
        return
    yield Pair(what, np.asarray(matrix) @ s.directions, right)


def _flat_rows(x: np.ndarray) -> np.ndarray:
    """A row for each element, along each of the directions in its last axis."""
    return x.reshape(int(np.prod(x.shape[:-1])), x.shape[-1])


def of_hessian(found: Any, s: Slopes, what: str) -> Iterator[Pair]:
    """Vᵀ H u."""
    if isinstance(found, Mapping):
        if list(found) != list(s.paths) or any(
            list(row) != list(s.paths) for row in found.values()
        ):
            yield Pair(f"{what}: paths", np.zeros(1), np.ones(1))
            return
        bands = []
        for one, row in found.items():
            size = int(np.size(s.paths[one]))
            for other, block in row.items():
                wanted = (*np.shape(s.paths[one]), *np.shape(s.paths[other]))
                if np.shape(block) != wanted:
                    yield Pair(
                        f"{what}: shape of {one}, {other}",
                        np.array(np.shape(block)),
                        np.array(wanted),
                    )
                    return
            bands.append(np.concatenate(
                [np.reshape(b, (size, int(np.size(s.paths[p])))) for p, b in row.items()], axis=1
            ))  # fmt: skip
        found = np.concatenate(bands)
    assert s.along is not None
    yield Pair(what, s.directions.T @ (np.asarray(found) @ s.along), s.bent)


def of_rows(
    found: Mapping[str, Any],
    s: Slopes,
    right: np.ndarray,
    axes: Mapping[str, int | None],
    what: str,
) -> Iterator[Pair]:
    """Gradients or blocks `per` an axis, against [positions, rows, directions].

    What a path with the axis leaves out is zero; one without it has a row for each position.
    `axes` says where the path has it.
    """
    count, rows = right.shape[:2]
    parts = []
    for path, value in s.paths.items():
        shape, axis = np.shape(value), axes[path]
        got = np.asarray(found[path])
        rest = shape if axis is None else (*shape[:axis], *shape[axis + 1 :])
        if got.size != count * rows * int(np.prod(rest)):
            yield Pair(f"{what}: shape of {path}", np.array(got.shape), np.array(rest))
            return
        got = got.reshape(count, rows, *rest)
        if axis is None:
            parts.append(got.reshape(count, rows, -1))
            continue
        whole = np.zeros((count, rows, *shape))
        for place in range(count):
            index = (slice(None),) * axis + (place,)
            whole[(place, slice(None), *index)] = got[place]
        parts.append(whole.reshape(count, rows, int(np.size(value))))
    yield Pair(what, np.concatenate(parts, axis=2) @ s.directions, right)


# ---- functions ----

SECOND = ("hvp", "hessian", "hessian_matrix", "sparse_hessian")


class Right:
    """What the functions of a program must give at one point."""

    def __init__(self, program: Program, given: Arguments, nudged: int = 0) -> None:
        self.program, self.given = program, given
        rounding = Rounding(NUDGES[program.setting.dtype], nudged) if nudged else None
        point = point_of(program, given if rounding is None else _nudged(given, rounding))
        self.point = point = replace(point, rounding=rounding)
        self.values = point.values(program.outputs)
        self.floats = [n for n, v in self.values.items() if v.dtype.kind == "f"]
        self.by: dict[str, Slopes] = {}
        wrt = list(given.params) or expanded(["inputs"], given)
        if wrt and self.floats:
            self.by["backward"] = slopes(point, self.floats, wrt, program.seed)
        for clause in program.clauses:
            if clause.kind != "value":
                base = clause.kind.removeprefix("value_and_")
                scalar = clause.outputs[0] if base in SECOND else None
                wrt = expanded(clause.wrt, given)
                of = (*clause.outputs, clause.each) if clause.each else clause.outputs
                self.by[clause.called] = slopes(point, of, wrt, program.seed, scalar)

    def pairs(self, found: Names) -> Iterator[Pair]:
        """Everything found beside what is right, as arrays that can be compared."""
        yield from of_values(found["forward"], self.values)
        if "backward" in found and "backward" in self.by:
            s = self.by["backward"]
            cotangents = cotangents_of(self.program, found["forward"])
            right = sum(
                np.tensordot(cotangents[name], s.outputs[name], np.ndim(cotangents[name]))
                for name in self.floats
            )
            yield from of_gradients(found["backward"], s, np.asarray(right), "backward")
        for clause in self.program.clauses:
            yield from self._of_clause(clause, found[clause.called], found["forward"])

    def _of_clause(self, clause: Clause, found: Any, forward: Names) -> Iterator[Pair]:
        where = f"{clause.kind}"
        names = clause.outputs
        values = {name: self.values[name] for name in names}
        if clause.kind == "value":
            got = {names[0]: found} if len(names) == 1 else named(names, found)
            yield from of_values(got, values)
            return
        s = self.by[clause.called]
        base = clause.kind.removeprefix("value_and_")
        if clause.per:
            yield from self._per(clause, found)
            return
        if clause.kind.startswith("value_and_"):
            value, found = found
            yield from of_values(
                {names[0]: value} if len(names) == 1 else named(names, value), values
            )
        if base == "grad":
            yield from of_gradients(found, s, s.outputs[names[0]], where)
        elif base == "vjp":
            value, found = found
            yield from of_values(named(names, value), values)
            cotangents = cotangents_of(self.program, forward)
            right = sum(
                np.tensordot(cotangents[n], s.outputs[n], np.ndim(cotangents[n])) for n in names
            )
            yield from of_gradients(found, s, np.asarray(right), where)
        elif base == "jvp":
            value, found = found
            yield from of_values(named(names, value), values)
            tangent = flat(tangents_of(self.program, clause, self.given))
            # What has no elements moves nothing here; a mean of it is nan, and so is its tangent.
            moved = all(np.size(value) for value in s.paths.values())
            if moved and s.directions.shape[0] == s.directions.shape[1]:
                yield from of_values(
                    named(names, found), {n: s.outputs[n] @ tangent for n in names}
                )
        elif base == "hvp":
            gradients, products = found
            yield from of_gradients(gradients, s, s.outputs[names[0]], where)
            tangent = flat(tangents_of(self.program, clause, self.given))
            yield Pair(f"{where} symmetry", np.asarray(flat(products) @ s.along),
                       np.asarray(self._bent_along(s, tangent)))  # fmt: skip
        elif base in ("jacobian",):
            yield from of_blocks(found, s, names, where)
        elif base in ("jacobian_matrix", "sparse_jacobian"):
            yield from of_matrix(found, s, names, where)
        else:
            found = found.toarray() if base == "sparse_hessian" else found
            yield from of_hessian(found, s, where)

    def _per(self, clause: Clause, found: Any) -> Iterator[Pair]:
        """What each position adds to the loss, or the blocks of the diagonal."""
        s, each = self.by[clause.called], self.values[clause.each]
        base = clause.kind.removeprefix("value_and_")
        count = each.shape[0]
        share = 1 / count if base == "grad" and "mean(each)" in self.program.text else 1.0
        if clause.kind.startswith("value_and_"):
            value, found = found
            yield Pair("value per", np.asarray(value), each * share)
        shape = s.outputs[clause.each].shape
        right = s.outputs[clause.each].reshape(count, int(np.prod(shape[1:-1])), shape[-1]) * share
        axes = {path: self._axis(path, clause.per) for path in s.paths}
        if base == "grad":
            yield from of_rows(found, s, right, axes, f"{clause.kind} per")
        elif base == "jacobian":
            yield from of_rows(found[clause.each], s, right, axes, f"{clause.kind} per")
        else:
            sizes = [
                int(np.size(v)) // (count if axes[path] is not None else 1)
                for path, v in s.paths.items()
            ]
            columns = np.split(np.asarray(found), np.cumsum(sizes)[:-1], axis=2)
            blocks = dict(zip(s.paths, columns, strict=True))
            yield from of_rows(blocks, s, right, axes, f"{clause.kind} per")

    def _axis(self, path: str, dim: str) -> int | None:
        """Where a path has the axis of a dim."""
        axes = self.given.axes.get(path, ())
        for one in self.program.typed():
            if one.name == path:
                axes = tuple(axis.text for axis in one.shape)
        return axes.index(dim) if dim in axes else None

    def _bent_along(self, s: Slopes, tangent: np.ndarray) -> Any:
        """uᵀ H t, of V with all directions; else what is found of a combination of them."""
        if s.directions.shape[0] == s.directions.shape[1]:
            return s.bent @ tangent
        return np.nan

    def compare(self, found: Names, level: str) -> bool:
        """Raise Wrong where something differs, and not for ill conditioning: then return False.

        What moves by rounding alone, as beside a step of `floor`, is nobody's fault.
        """
        dtype = self.program.setting.dtype
        for name, value in found.items():
            for path, one in leaves(value):
                if np.asarray(one).dtype.kind == "f" and np.asarray(one).dtype != dtype:
                    raise Wrong(
                        Finding(
                            "dtype", f"{name}{path}: {level}", str(np.asarray(one).dtype), dtype
                        )
                    )
        others: list[list[Pair]] = []
        for place, pair in enumerate(self.pairs(found)):
            moved: Any = 0.0
            for nudged in range(NUDGED + 1):
                if gap_of(pair, TOLERANCE[dtype], 1e3 * moved) <= 1:
                    break
                if nudged == NUDGED:
                    where = f"{pair.where}: {level}"
                    raise Wrong(Finding("wrong", where, repr(pair.found), repr(pair.right)))
                if nudged == len(others):
                    others.append([*Right(self.program, self.given, nudged + 1).pairs(found)])
                other = np.asarray(others[nudged][place].right, np.float64)
                moved = np.maximum(moved, np.nan_to_num(np.abs(other - pair.right), nan=np.inf))
        return not others


def _nudged(given: Arguments, rounding: Rounding) -> Arguments:
    moved = rounding.mover()
    return Arguments(
        {n: moved(v) for n, v in given.inputs.items()},
        {n: moved(v) for n, v in given.params.items()}, given.dims, given.axes,
    )  # fmt: skip


def gap_of(pair: Pair, tolerance: float, slack: Any = 0.0) -> float:
    """The largest difference, in parts of what is allowed; where the right is not finite, 0."""
    found, right = np.asarray(pair.found), np.asarray(pair.right)
    if found.shape != right.shape:
        return float("inf")
    if found.dtype.kind != "f" or right.dtype.kind != "f":
        sure = np.broadcast_to(np.asarray(slack) == 0, right.shape)
        return 0.0 if np.array_equal(found[sure], right[sure]) else float("inf")
    sure = np.isfinite(right)
    if not np.any(sure):
        return 0.0
    scale = max(1.0, float(np.max(np.abs(right[sure]))))
    allowed = tolerance * scale + np.broadcast_to(slack, right.shape)[sure]
    with np.errstate(all="ignore"):
        gap = np.abs(found[sure].astype(np.float64) - right[sure]) / allowed
    return float("inf") if np.any(np.isnan(gap)) else float(np.max(gap))
