"""Formulas in pictures: what they say is so, whatever an element is a position of."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from graphc.compile.stages import Compilation
from graphc.source import Source
from graphc.views.draw.depict import picture_of
from graphc.views.draw.records.picture import Picture

ROW = np.array([0.3, -0.7, 1.1, 0.4])
TABLE = np.linspace(-1, 1, 16).reshape(4, 4) ** 3
MEANING = {
    "tanh": np.tanh,
    "sin": np.sin,
    "concat": lambda *parts, axis=0: np.concatenate(parts, axis),
    "T": 4,
    "x": ROW,
    "z": TABLE,
}


def depicted(text: str) -> Picture:
    return picture_of(Compilation(Source("graph", text)))


def scanned(body: str, carried: str = "s = 0.0") -> Picture:
    """The picture of a loop with such a step; parentheses make the statement the longer text."""
    read = ", ".join(name for name in "xz" if name in f"{body} {carried}")
    return depicted(f"""
dim T
input x: [T]; input z: [T, T]; input k: int[T]
scan a[t in T] carry {carried} {{ next s = {"(" * 6}{body}{")" * 6} }}
output L = sum(s)
derive grad L wrt {read}
""")


def value_of(formula: str, **names: Any) -> Any:
    """The value of a line of mathematics."""
    text = formula.replace("−", "-")
    text = re.sub(r"_(\w)\b", r"[\1]", text)
    text = re.sub(r"(?<=[\w\])]) (?=[a-z(])", " * ", text)
    return eval(text, MEANING | names)


def pulled(picture: Picture, tail: str, head: str) -> str:
    label = {node.id: node.label for node in picture.nodes}
    return next(
        edge.pulled
        for edge in picture.edges
        if (label[edge.tail], label[edge.head], edge.returns) == (tail, head, False)
    )


READ: list[tuple[str, Callable[[Any, int], Any]]] = [
    ("tanh(s) + x[t]", lambda s, t: np.tanh(s) + ROW[t]),
    ("tanh(s) + sin(x)[t]", lambda s, t: np.tanh(s) + np.sin(ROW)[t]),
    ("tanh(s) + x[T-1-t]", lambda s, t: np.tanh(s) + ROW[3 - t]),
    ("tanh(s) + concat(x, x)[t]", lambda s, t: np.tanh(s) + np.concatenate([ROW, ROW])[t]),
    ("tanh(s) + (x*2)[::-1][t]", lambda s, t: np.tanh(s) + 2 * ROW[3 - t]),
    ("tanh(s) + z[t, 2]", lambda s, t: np.tanh(s) + TABLE[t, 2]),
    ("tanh(s) + z[1][t]", lambda s, t: np.tanh(s) + TABLE[1, t]),
]


@pytest.mark.parametrize(("body", "meant"), READ)
def test_a_step_is_what_its_formula_says(body: str, meant: Callable[[Any, int], Any]) -> None:
    (box,) = (node for node in scanned(body).nodes if node.label == "s′")
    formula = " ".join(box.lines)
    assert "((" not in formula  # it is not the statement
    for t in range(4):
        assert np.isclose(value_of(formula, s=0.7, t=t), meant(0.7, t))


def test_positions_on_two_axes_are_told_apart() -> None:
    body = "s + tanh(z[:, t]) + sin(z[:, T-1-t]) + z[t]"
    (box,) = (node for node in scanned(body, "s = x").nodes if node.label == "s′")
    for t in range(4):
        meant = ROW + np.tanh(TABLE[:, t]) + np.sin(TABLE[:, 3 - t]) + TABLE[t]
        assert np.allclose(value_of(" ".join(box.lines), s=ROW, t=t), meant)


def test_a_position_behind_the_first_of_a_loop_is_that_of_the_whole() -> None:
    picture = depicted("""
input x: [4]
scan a[t in 1..3] carry s = 0.0 { next s = ((tanh(s) + x[t - 1])) }
output y = s
""")
    (box,) = (node for node in picture.nodes if node.label == "s′")
    assert np.isclose(value_of(" ".join(box.lines), s=0.7, t=1), np.tanh(0.7) + ROW[0])


def test_an_element_of_an_element_has_both_indices() -> None:
    picture = depicted("""
input z: [3, 3]
scan a[t in 3] carry s = 0.0 {
    scan b[u in 3] carry r = 0.0 { next r = ((tanh(r) + z[t][u])) }
    next s = s + r
}
output y = s
""")
    (box,) = (node for node in picture.nodes if node.label == "r′")
    assert np.isclose(value_of(" ".join(box.lines), r=0.7, t=1, u=2), np.tanh(0.7) + TABLE[1, 2])


def test_a_start_is_derived_by_its_own_name() -> None:
    picture = scanned("s * s", "s = tanh(x)")
    assert pulled(picture, "x", "s") == "δ ⊙ (1 − s²)"


def test_what_flows_back_says_to_which_positions() -> None:
    picture = scanned("s + x[t] + 2 * x[T-1-t] + x[k[t]]")
    parts = dict(part.split(": ") for part in pulled(picture, "x", "s′").split("; "))
    assert parts.pop("x").startswith("Σ_t scatter(δ, k_t")
    assert parts.pop("x_t") == "δ"
    ((place, formula),) = parts.items()
    assert formula == "2 δ"
    assert [value_of(place, t=t) for t in range(4)] == [*ROW[::-1]]


def test_a_label_is_written_once_however_often_it_is_read() -> None:
    picture = scanned("s + x[t] + x[T-1-t] + x[k[t]]")
    labels = [edge.label for edge in picture.edges if "each t" in edge.label]
    assert sorted(labels) == ["[T], number each t", "int each t"]


def test_what_flows_back_through_what_has_no_name_has_its_jacobian() -> None:
    assert pulled(scanned("s + sin(x)[t]"), "x", "s′") == "Σ_t (∂sin(x)_t/∂x) δ"


def test_names_are_set_alike_in_statements_and_formulas() -> None:
    picture = depicted("""
dim B
input x: [B, 4]
x -> dense(4) -> h1
h1 -> dense(4) -> f1
h2 = h1 + f1
h2 -> residual { dense(4) as f2 } -> h3
m1 = rearrange(h3, "b1 (h c) -> b1 h c", c=2)
h4 = mean(h3, axis=1) - sum(m1, axis=[1, 2])
output loss = sum(h4)
""")
    lines = {node.name: " ".join(node.lines) for node in picture.nodes}
    assert (lines["h2"], lines["h3"]) == ("h₁ + f₁", "h₂ + f₂")
    assert lines["m1"] == 'rearrange(h₃, "b1 (h c) -> b1 h c", c=2)'
    assert not [text for text in lines.values() if re.search(r"\b[hfm]\d", text)]


def test_the_number_of_a_name_is_no_position() -> None:
    text = """
input h: [2, 3]; input h1: [3]
scan a[t in 3] carry s = 0.0 { next s = (((((tanh(s) + h1[t] * h[1, t]))))) }
output y = s
"""
    (box,) = (node for node in depicted(text).nodes if node.label == "s′")
    assert box.lines == ("tanh(s) + h₁_t h[1, t]",)
