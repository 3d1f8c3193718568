"""Equal layers that are written out cost what a loop over them costs, and mean the same."""

from __future__ import annotations

import functools
import itertools
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.optimise.before_ad.repeats import Row, rows_of
from graphc.optimise.before_ad.rolling import FEWEST
from tests.loading import loaded

LAYERS = range(1, FEWEST + 1)
WIDTH = 3
Arrays = dict[str, np.ndarray]


def written_out(head: str, layer: str, rest: str) -> str:
    """A text of layers, one after the other: `$` is the number of each, `<` of the one before."""
    layers = (layer.replace("$", str(k)).replace("<", str(k - 1)) for k in LAYERS)
    return "\n".join([head, *layers, rest])


@functools.cache
def made(text: str, level: int = 2) -> tuple[ModuleType, bool]:
    """The module, and whether it has one call in the place of those of all layers."""
    found = graphc.compile_text(text, level=level)
    value = next(one for one in found.text.split("\n\n\n") if one.startswith("def forward"))
    return loaded(found.text), value.count("np.tanh(") < FEWEST // 2


DENSE = written_out(
    "dim B\ninput h0: [B, 3]",
    "param W$: [3, 3]\nparam b$: [3]\nh$ = tanh(h< @ W$ + b$)",
    f"""
    output y = sum(h{FEWEST}**2) + sum(h5 * h2)
    output middle = h7
    derive value_and_grad y wrt params, h0 as f
    derive vjp y, middle wrt params as pulled
    derive jvp y, middle wrt params, h0 as pushed
    derive hvp y wrt params as bend
    derive grad y wrt params per B as each
    """,
)


def dense(params: Arrays, h0: np.ndarray) -> tuple[Any, Any]:
    """The outputs of `DENSE` by its formula, of real or complex numbers."""
    states = [h0]
    for k in LAYERS:
        states.append(np.tanh(states[-1] @ params[f"W{k}"] + params[f"b{k}"]))
    return np.sum(states[-1] ** 2) + np.sum(states[5] * states[2]), states[7]


def drawn(module: ModuleType, rows: int, dtype: str = "float64") -> tuple[Arrays, np.ndarray]:
    rng = np.random.default_rng(3)
    params = {p: rng.normal(size=x.shape).astype(dtype) for p, x in module.init(0).items()}
    return params, rng.normal(size=(rows, WIDTH)).astype(dtype)


def slope(params: Arrays, h0: np.ndarray, way: Arrays, weight: Any = 0.0) -> float:
    """The derivative of y and of the weighed middle along a way, by a complex step."""
    moved = {path: x + 1e-30j * way.get(path, 0) for path, x in params.items()}
    y, middle = dense(moved, h0 + 1e-30j * way.get("h0", np.zeros(h0.shape)))
    return float(np.imag(y + np.sum(weight * middle))) / 1e-30


def along(found: Any, way: Arrays) -> float:
    return float(sum(np.sum(found[path] * one) for path, one in way.items()))


@pytest.mark.parametrize("rows", [4, 1, 0])
def test_every_derivative_of_layers(rows: int) -> None:
    """Values by the formula, derivatives by complex steps of it, those of second order by their
    differences."""
    module, is_rolled = made(DENSE)
    assert is_rolled
    params, h0 = drawn(module, rows)
    rng = np.random.default_rng(5)
    way = {path: rng.normal(size=x.shape) for path, x in params.items()}
    y, middle = dense(params, h0)
    outputs, cache = module.forward(params, h0)
    np.testing.assert_allclose(outputs.y, y, rtol=1e-13)
    np.testing.assert_allclose(outputs.middle, middle, rtol=1e-13)

    value, gradient = module.f(params, h0)
    np.testing.assert_allclose(value, y, rtol=1e-13)
    by_all = way | {"h0": rng.normal(size=h0.shape)}
    expected = slope(params, h0, by_all)
    np.testing.assert_allclose(along(gradient, by_all), expected, rtol=1e-11, atol=1e-13)

    weight = rng.normal(size=middle.shape)
    backwards = module.backward(cache, y=1.0, middle=weight)
    _, pulled = module.pulled(params, h0, cotangents={"y": 1.0, "middle": weight})
    expected = slope(params, h0, way, weight)
    for found in (backwards, pulled):
        np.testing.assert_allclose(along(found, way), expected, rtol=1e-11, atol=1e-13)

    _, pushed = module.pushed(params, h0, tangents=by_all)
    expected = slope(params, h0, by_all)
    np.testing.assert_allclose(pushed[0], expected, rtol=1e-11, atol=1e-13)

    *_, bend = module.bend(params, h0, tangents=way)
    other = {path: rng.normal(size=x.shape) for path, x in params.items()}
    step = 1e-6
    up, down = (
        slope({path: x + h * way[path] for path, x in params.items()}, h0, other)
        for h in (step, -step)
    )
    np.testing.assert_allclose(along(bend, other), (up - down) / (2 * step), rtol=1e-6, atol=1e-8)

    each = module.each(params, h0)
    for path, found in each.items():
        assert found.shape == (rows, *params[path].shape)
    for row in range(rows):
        alone = slope(params, h0[row : row + 1], way)
        found = along({path: x[row] for path, x in each.items()}, way)
        np.testing.assert_allclose(found, alone, rtol=1e-11, atol=1e-13)


def test_layers_in_single_precision() -> None:
    module = loaded(graphc.compile_text(DENSE, dtype="float32").text)
    params, h0 = drawn(module, 4, "float32")
    _, gradient = module.f(params, h0)
    assert {x.dtype.name for x in gradient.values()} == {"float32"}
    wide = {path: x.astype("float64") for path, x in params.items()}
    expected = slope(wide, h0.astype("float64"), wide)
    np.testing.assert_allclose(along(gradient, wide), expected, rtol=2e-4)


def test_gradients_of_layers_are_arrays_of_their_own() -> None:
    """None shares memory with another or with what is returned later; those of `out` are filled."""
    module, _ = made(DENSE)
    params, h0 = drawn(module, 2)
    first, second = (module.f(params, h0)[1] for _ in range(2))
    arrays = [*first.values(), *second.values()]
    assert not any(np.shares_memory(a, b) for a, b in itertools.combinations(arrays, 2))
    assert all(one.flags.writeable for one in arrays)
    places = {path: np.full(x.shape, np.nan) for path, x in params.items() if path != "W4"}
    _, filled = module.f(params, h0, out=places)
    assert list(filled) == list(first)
    for path, one in filled.items():
        assert path not in places or one is places[path]
        np.testing.assert_array_equal(one, first[path])


PLAIN = written_out(
    "dim B\ninput h0: [B, 3]",
    "param W$: [3, 3]\nh$ = tanh(h< @ W$)",
    f"output y = sum(h{FEWEST}**2)\n",
)


@pytest.mark.parametrize("level", [0, 2])
@pytest.mark.parametrize(
    "order", ["whole, only", "only, whole", "only, whole, only", "whole, part"]
)
def test_the_only_item_and_its_whole_share_no_memory(order: str, level: int) -> None:
    names = [f"o{k}" for k in range(order.count(",") + 1)]
    outputs = "\n".join(f"output {o} = {e}" for o, e in zip(names, order.split(", "), strict=True))
    text = f"input x: [1, 3]\nwhole = sin(x)\nonly = whole[-1]\npart = whole[0, 1:]\n{outputs}"
    x = np.arange(3.0)
    found = graphc.compile_text(text, level=level).module().forward(x[None])[0]
    assert not any(np.shares_memory(p, q) for p, q in itertools.combinations(found, 2))
    right = {"whole": np.sin(x)[None], "only": np.sin(x), "part": np.sin(x[1:])}
    for array, name in zip(found, order.split(", "), strict=True):
        np.testing.assert_array_equal(array, right[name])


@pytest.mark.parametrize("level", [0, 2])
@pytest.mark.parametrize("order", ["a, b, whole", "whole, a, b", "b, whole, a", "a, whole", "a, b"])
def test_items_and_their_whole_share_no_memory(order: str, level: int) -> None:
    """All items of an array are handed out as they are, but for what else has its memory."""
    text = f"""
        input a, b: [3]
        whole = stack(a, b)
        output y = sum(whole**3)
        derive grad y wrt {order} as f
    """
    a, b = np.arange(1.0, 4.0), np.arange(2.0, 5.0)
    found = graphc.compile_text(text, level=level).module().f(a, b)
    arrays = [*found.values()]
    assert not any(np.shares_memory(p, q) for p, q in itertools.combinations(arrays, 2))
    expected = {"a": 3 * a**2, "b": 3 * b**2, "whole": 3 * np.stack([a, b]) ** 2}
    for path, one in found.items():
        np.testing.assert_allclose(one, expected[path], rtol=1e-14)


NOT_ROLLED = {
    "a gradient by one layer alone": ("", "derive grad y wrt W3 as one"),
    "a gradient by what a layer makes": ("", "derive grad y wrt h3 as one"),
    "few layers": ("few", ""),
    "a parameter that two layers share": ("shared", ""),
    "numbers of their own": ("scaled", ""),
}


@pytest.mark.parametrize("why", NOT_ROLLED)
def test_what_stays_written_out(why: str) -> None:
    """Nothing is computed that nobody asks for, and what is not equal is no loop."""
    change, more = NOT_ROLLED[why]
    text = PLAIN + more
    if change == "few":
        text = text.replace("h9 = tanh(", "h9 = sin(")
    elif change == "shared":
        text = text.replace("h6 @ W7", "h6 @ W6")
    elif change == "scaled":
        for k in LAYERS:
            text = text.replace(f" = tanh(h{k - 1} ", f" = tanh({k / 7} * h{k - 1} ")
    module, is_rolled = made(text)
    assert not is_rolled
    params, h0 = drawn(module, 2)
    if more:
        gradient, step = module.one(params, h0), 1e-6
        (path,) = gradient
        if path in params:
            up, down = (
                module.forward(params | {path: params[path] + h}, h0)[0].y for h in (step, -step)
            )
            expected = (up - down) / (2 * step)
            np.testing.assert_allclose(np.sum(gradient[path]), expected, rtol=1e-7)


OTHERS = {
    "a residual": written_out(
        "dim B\ninput h0: [B, 3]",
        "param V$, W$: [3, 3]\nu$ = tanh(h< @ V$)\nh$ = h< + tanh(u$ @ W$)",
        f"output y = sum(h{FEWEST} * h0)\nderive value_and_grad y wrt params, h0 as f",
    ),
    "two values": written_out(
        "dim B\ninput h0, c0: [B, 3]",
        """param W$: [3, 3]
        z$ = h< @ W$
        c$ = c< * sigmoid(z$) + tanh(z$)
        h$ = tanh(c$)
        l$ = sum(h$)""",
        "output y = "
        + " + ".join(f"l{k}" for k in LAYERS)
        + "\nderive value_and_grad y wrt params, h0, c0 as f",
    ),
    "steps over an input": written_out(
        "dim B\ninput h0: [B, 3]\ninput x: [20, B, 3]\nparam U, W: [3, 3]\nparam b: [3]",
        "h$ = tanh(x[<] @ U + h< @ W + b)",
        f"output y = sum(h{FEWEST}**2)\nderive value_and_grad y wrt params, h0, x as f",
    ),
    "columns, after a layer alike": written_out(
        "dim B\ninput x: [3, B]\nh0 = tanh(x)",
        "param W$: [3, 3]\nparam b$: [3]\nh$ = tanh(W$.T @ h< + b$[:, _])",
        f"output y = sum(h{FEWEST}**3)\nderive value_and_grad y wrt params, x as f",
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_layers(name: str) -> None:
    """Gradients along a way by central differences of the readable module, which has no loop."""
    (fast, is_rolled), (plain, _) = (made(OTHERS[name], level) for level in (2, 0))
    assert is_rolled
    rng = np.random.default_rng(1)
    shapes = {n: text.strip("[]").split(", ") for n, text in fast.GRAPH["inputs"].items()}
    sizes = {n: [4 if one == "B" else int(one) for one in axes] for n, axes in shapes.items()}
    given = {name: rng.normal(size=shape) for name, shape in sizes.items()}
    params = {path: 0.5 * rng.normal(size=x.shape) for path, x in fast.init(0).items()}
    way = {path: rng.normal(size=x.shape) for path, x in (params | given).items()}

    def value(step: float) -> Any:
        moved = {path: x + step * way[path] for path, x in (params | given).items()}
        at = {path: moved[path] for path in params}
        return plain.forward(at, **{name: moved[name] for name in given})[0].y

    found, gradient = fast.f(params, **given)
    np.testing.assert_allclose(found, value(0.0), rtol=1e-13)
    expected = (value(1e-6) - value(-1e-6)) / 2e-6
    np.testing.assert_allclose(along(gradient, {p: way[p] for p in gradient}), expected, rtol=1e-7)


def test_layers_within_a_bound_of_memory() -> None:
    """The loop that they are is computed again in part where that is asked for."""
    text = written_out(
        "dim B = 256\ninput h0: [B, 3]",
        "param W$: [3, 3]\nh$ = tanh(h< @ W$)",
        f"output y = sum(h{FEWEST}**2)\nderive value_and_grad y wrt params, h0 as f",
    )
    free = made(text)[0]
    bound = loaded(graphc.compile_text(text, memory="200 kB").text)
    peaks = [one.GRAPH["bytes"]["peak"]["f"] for one in (free, bound)]
    assert peaks[1] <= 200_000 < peaks[0], peaks
    params, h0 = drawn(free, 256)
    found = (one.f(params, h0)[1].values() for one in (free, bound))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize(
    ("text", "fewest", "expected"),
    [
        ("xababab", 3, [Row(1, 7, 2)]),
        ("abab", 3, []),
        ("aabaabaabaab", 4, [Row(0, 12, 3)]),
        ("zzzabcabcabcy", 3, [Row(0, 3, 1), Row(3, 12, 3)]),
        ("", 2, []),
        ("babcabcabc", 3, [Row(1, 10, 3)]),
        ("bcabcabca", 3, [Row(0, 9, 3)]),
    ],
)
def test_words_that_repeat(text: str, fewest: int, expected: list[Row]) -> None:
    assert [*rows_of([*map(ord, text)], fewest, 8)] == expected
