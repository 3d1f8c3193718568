"""Every formula that is printed is read back from its text alone, and has the module's numbers.

What `explain` and a report print in LaTeX, on lines of text and in MathML, what stands in the boxes
and along the edges of pictures, and the formulas of `ops`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from conftest import long
from printed_formulas import ReadBack, Reader
from test_explain_numbers import EXAMPLES, LANGUAGE, LAYOUTS, ROOT, Case, case, question

from graphc.compile.stages import Compilation, Options
from graphc.ir.graph import Node
from graphc.ir.loop import RULED
from graphc.sample import choose_sizes
from graphc.syntax.parse.parser import read_source
from graphc.views.draw.depict import picture_of
from graphc.views.draw.wording import BACK, Wording
from graphc.views.explain import adjoints, summary, telling, values
from graphc.views.explain.explained import explained
from graphc.views.explain.expression import Expression
from graphc.views.explain.notation import notation
from graphc.views.explain.telling import document
from graphc.views.explain.wanted import Wanted

WORKLOADS = ROOT / "benchmarks" / "workloads"
FILES = sorted(path for folder in (EXAMPLES, LANGUAGE) for path in folder.glob("*.graph"))
OFTEN = ("net321", "residual", "05_lstm", "bundle", "dense_column", "nan", "11_rules", "02_scalar")
"""Those that are cheap, and have between them most of what formulas are made of."""
SLOW = ("checkpoints",)
"""Four hundred steps, each of which is read: a shorter one says the same."""


def files(often: tuple[str, ...]) -> list[Any]:
    return [path if path.stem in often else long(path) for path in FILES if path.stem not in SLOW]


def name_of(value: Any) -> str | None:
    return value.stem if isinstance(value, Path) else None


def read_back(one: Case, layout: Any) -> ReadBack:
    """The numbers of a derivation; each of its formulas has been read from what is printed."""
    derivation = explained(one.compilation, layout)
    given = {d.name: one.given[d.name] for d in one.model.inputs}
    given |= {d.name: one.parameter(d.name, d.paths) for d in one.model.params}
    numbers = ReadBack(derivation, given, one.dims)
    numbers.run()
    asked = question(one.model)
    rng = np.random.default_rng(7)
    shapes = {
        name: tuple(axis.evaluate(one.dims) for axis in node.shape)
        for name, node in asked.outputs.items()
    }
    numbers.back({} if asked.scalar else {n: rng.normal(size=s) for n, s in shapes.items()})
    return numbers


def printed(one: Case, layout: Any) -> set[Expression]:
    """The formulas that a document sets."""
    found: set[Expression] = set()

    def noted(formula: Expression) -> Any:
        found.add(formula)
        return notation(formula)

    derivation = explained(one.compilation, layout)
    with (
        patch.object(adjoints, "notation", noted),
        patch.object(summary, "notation", noted),
        patch.object(telling, "notation", noted),
        patch.object(values, "notation", noted),
    ):
        document(derivation, Wanted())
    return found


def is_chain(formula: Expression) -> bool:
    """True for what is made of derivatives alone, whose factors are told elsewhere."""
    if formula.kind in ("total", "partial", "share", "symbol", "seed"):
        return True
    return formula.kind in ("product", "sum") and all(map(is_chain, formula.args))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("path", files(OFTEN), ids=name_of)
def test_derivations(path: Path, layout: str) -> None:
    one = case(path)
    numbers = read_back(one, layout)
    assert len(numbers.printed) > 2
    terms = {e for whole in numbers.printed if whole.kind == "sum" for e in whole.args}
    read = (
        numbers.printed
        | terms
        | {edge.jacobian.matrix for step in numbers.derivation.every_step() for edge in step.edges}
    )
    for formula in printed(one, layout) - read:
        parts = formula.args if formula.kind == "sum" else (formula,)
        assert all(part in read or is_chain(part) for part in parts), formula


SHORTER = ("const steps = 400", "const steps = 3")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_derivation_of_many_steps(layout: str) -> None:
    text = (EXAMPLES / "checkpoints.graph").read_text(encoding="utf-8")
    assert "400" in text
    assert len(read_back(case(text.replace("400", "3")), layout).printed) > 10


# ---- pictures -----------------------------------------------------------------------------------


class Drawn(ReadBack):
    """Numbers for the symbols in the formulas of one box, by chance; some may be given."""

    def __init__(self, dims: dict[str, int], seed: int) -> None:
        self.dims, self.at, self.ranges = dims, {}, {}
        self.values, self.totals, self.shares = {}, {}, {}
        self.chosen: dict[Expression, Any] = {}
        self.rng = np.random.default_rng(seed)
        self.whole: set[Expression] = set()

    def _of(self, e: Expression) -> Any:
        if e.kind != "symbol":
            return super()._of(e)
        if e not in self.chosen:
            shape = self.shape(e.shape)
            drawn = self.rng.uniform(0.2, 0.8, shape)
            self.chosen[e] = self.rng.integers(0, 2, shape) if e in self.whole else drawn
        return self.chosen[e]


def boxes_of(path: Path) -> Iterator[tuple[Drawn, Wording, Any, Any]]:
    """Each box of a picture that has formulas, with numbers for what these are of."""
    compilation = Compilation(read_source(path.name, path.read_bytes()), Options(), path.parent)
    model = compilation.stated
    fixed = {one.variable: one.fixed for one in model.dims if one.fixed is not None}
    dims = {**fixed, **choose_sizes(model)}
    seen: list[tuple[Wording, Any, Any]] = []
    local = Wording.local

    def noted(self: Wording, box: Any, active: Any) -> Any:
        found = local(self, box, active)
        if found is not None:
            seen.append((self, box, found))
        return found

    with patch.object(Wording, "local", noted):
        picture_of(compilation)
    for number, (wording, box, found) in enumerate(seen):
        numbers = Drawn(dims, number)
        symbols = {one: wording.symbol(one) for one in wording.values.operands(box)}
        assert len({*symbols.values()}) == len(symbols), "two operands go by one name"
        numbers.whole = {s for one, s in symbols.items() if one.type.dtype != "float"}
        for around in wording.values.loops.get(box, ()):
            loop = around.attrs["loop"]
            numbers.at[str(loop.index)] = numbers.size(loop.first)
        yield numbers, wording, box, (found, symbols)


def states_its_derivative(box: Node, operands: Collection[Node]) -> bool:
    """True where a rule of the file says what flows back, which may be no derivative."""
    pending, seen = [box], {*operands}
    while pending:
        one = pending.pop()
        if one.op is RULED:
            return True
        pending += [arg for arg in one.args if arg not in seen]
        seen |= {*one.args}
    return False


@pytest.mark.parametrize("path", files(OFTEN), ids=name_of)
def test_pictures(path: Path) -> None:
    """⟨δ, J u⟩ by central differences of what a box says is ⟨what an edge says, u⟩."""
    checked = 0
    for numbers, _, box, (found, symbols) in boxes_of(path):
        value = np.asarray(numbers.told(found.value), float)
        back = next((s for s in numbers.chosen if s.data[0] == BACK), None)
        assert back is None  # a value is not of δ
        for operand, formula in found.pulled.items():
            if states_its_derivative(box, symbols):
                continue
            itself = {s: v for s, v in numbers.chosen.items() if s not in symbols.values()}
            numbers.chosen = {s: v for s, v in numbers.chosen.items() if s not in itself}
            shown = symbols[operand]
            base = np.array(numbers.of(shown), float)
            checked += 1
            _compare(numbers, found.value, value, formula, shown, base)
    assert checked


def _compare(
    numbers: Drawn, value: Expression, at: Any, formula: Expression, shown: Expression, base: Any
) -> None:
    for symbol in _symbols(formula):
        if symbol.data[0] == BACK:
            numbers.chosen.setdefault(symbol, numbers.rng.normal(size=numbers.shape(symbol.shape)))
        elif symbol not in numbers.chosen:  # the box itself
            numbers.chosen[symbol] = np.broadcast_to(at, numbers.shape(symbol.shape))
    direction = numbers.rng.normal(size=base.shape)
    pulled = np.broadcast_to(np.asarray(numbers.told(formula), float), base.shape)
    sides = []
    for sign in (1, -1):
        numbers.chosen[shown] = base + sign * 1e-6 * direction
        sides.append(np.asarray(Reader(numbers, value, "line").read(), float))
    numbers.chosen[shown] = base
    if formula.kind == "zero":  # nothing comes back: δ is not in it
        assert np.array_equal(*sides)
        return
    (delta,) = (v for s, v in numbers.chosen.items() if s.data[0] == BACK)
    slope = np.sum(delta * np.reshape((sides[0] - sides[1]) / 2e-6, np.shape(at)))
    assert np.isclose(slope, np.sum(pulled * direction), 1e-5, 1e-6), (value, formula)


def _symbols(formula: Expression) -> Iterator[Expression]:
    if formula.kind == "symbol":
        yield formula
    for part in formula.args:
        yield from _symbols(part)
