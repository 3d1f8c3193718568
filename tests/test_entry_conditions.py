"""What an operation needs of sizes is proved, refuted, or checked where a module is entered."""

from __future__ import annotations

import inspect
import re

import numpy as np
import pytest
from conftest import module

from graphc.source import GraphError

pytestmark = pytest.mark.levels

# call, types of a and b, what it needs of N, sizes that fit and do not
NEEDS: list[tuple[str, tuple[str, ...], str, int, int]] = [
    ("conv1d(a, b)", ("[1, 1, N]", "[1, 1, 3]"), "N - 3", 3, 2),
    ("conv1d(a, b, pad=1, dilation=2)", ("[1, 1, N]", "[1, 1, 3]"), "N - 3", 3, 2),
    ("conv1d(a, b, pad=N-2)", ("[1, 1, 4]", "[1, 1, 3]"), "N - 2", 2, 1),
    ("conv1d(a, b, stride=N-1)", ("[1, 1, 4]", "[1, 1, 3]"), "N - 2", 2, 1),
    ("conv2d(a, b, stride=2)", ("[1, 1, N, 9]", "[1, 1, 3, 3]"), "N - 3", 4, 2),
    ("conv_transpose1d(a, b, pad=2)", ("[1, 1, N]", "[1, 1, 2]"), "N - 3", 4, 2),
    ("maxpool(a, 2)", ("[1, 4, N]",), "N - 2", 3, 1),
    ("maxpool(a, [N], stride=1)", ("[3]",), "-N + 3", 3, 4),
    ("avgpool(a, 2)", ("[1, 4, N]",), "N - 2", 2, 0),
    ("pad(a, N-2)", ("[3]",), "N - 2", 2, 1),
    ('pad(a, 2, mode="reflect")', ("[N]",), "N - 3", 3, 2),
    ('pad(a, 2, mode="symmetric")', ("[N]",), "N - 2", 2, 1),
    ('pad(a, [0, 2], mode="wrap")', ("[N]",), "N - 2", 2, 1),
    ('pad(a, 2, mode="edge")', ("[N]",), "N - 1", 1, 0),
    ("take(a, [3, 0], axis=0)", ("[N]",), "N - 4", 4, 3),
    ("take(a, [0, -2], axis=0)", ("[N]",), "N - 2", 2, 1),
    ("take_along_axis(a, [1, 2])", ("[N]",), "N - 3", 3, 2),
    ("zeros([N-3]) + sum(a)", ("[2]",), "N - 3", 3, 2),
    ("broadcast_to(a, [N-3, 2])", ("[2]",), "N - 3", 4, 2),
    ("linspace(a[0], 1, N-3)", ("[2]",), "N - 3", 4, 2),
    ("tile(a, N-3)", ("[2]",), "2*N - 6", 3, 2),
    ("repeat_elements(a, N-3, axis=0)", ("[2]",), "2*N - 6", 3, 2),
    ("segment_sum(a, b, N-3)", ("[2]", "int[2]"), "N - 3", 4, 2),
    ("diagonal(a, offset=2)", ("[N, N]",), "N - 2", 2, 1),
    ("max(a)", ("[N]",), "N - 1", 1, 0),
    ("min(a, axis=0)", ("[N, 2]",), "N - 1", 1, 0),
    ("median(a)", ("[N]",), "N - 1", 1, 0),
    ("argmax(a) * a", ("[N]",), "N - 1", 1, 0),
    ("argmin(a, axis=1)[:, _] * a", ("[2, N]",), "N - 1", 1, 0),
    ("norm(a, inf)", ("[N]",), "N - 1", 1, 0),
    ("a[3]", ("[N]",), "N - 4", 4, 3),
]


def arguments(types: tuple[str, ...], size: int) -> list[np.ndarray]:
    found = []
    for type in types:
        shape = [size if axis == "N" else int(axis) for axis in re.findall(r"N|\d+", type)]
        found.append(np.zeros(shape, np.int64) if type.startswith("int") else np.ones(shape))
    return found


@pytest.mark.parametrize(("call", "types", "need", "fits", "short"), NEEDS)
def test_checked_at_entry(
    call: str, types: tuple[str, ...], need: str, fits: int, short: int
) -> None:
    inputs = "\n".join(f"input {n}: {type}" for n, type in zip("ab", types, strict=False))
    generated = module(f"dim N\n{inputs}\noutput y = {call}")
    named = "N" in inspect.signature(generated.forward).parameters

    def forward(size: int) -> object:
        return generated.forward(*arguments(types, size), **({"N": size} if named else {}))

    forward(fits)
    cited = re.escape(f" needs {need} >= 0; N = {short}")
    with pytest.raises(ValueError, match=f"the dims do not fit: .*{cited}"):
        forward(short)


PROVED = [
    ("conv1d(a, b)", "require N >= 3"),
    ("max(a[0, 0])", "require N >= 1"),
    ("maxpool(a, [2])", "require N >= 3"),
    ("take(a, [2], axis=2)", "require N >= 3"),
]


@pytest.mark.parametrize(("call", "requirement"), PROVED)
def test_what_follows_from_a_requirement_is_not_checked(call: str, requirement: str) -> None:
    text = f"dim N\n{requirement}\ninput a: [1, 1, N]\ninput b: [1, 1, 3]\noutput y = {call}"
    generated = module(text)
    with pytest.raises(ValueError, match=re.escape(requirement.removeprefix("require "))):
        generated.forward(np.ones((1, 1, 0)), np.ones((1, 1, 3)))


REFUTED = [
    ("conv1d(a, b)", "the windows of `conv1d` reach 3 over an axis of 2"),
    (
        "conv_transpose1d(a, b, pad=3)",
        "in `conv_transpose1d`: `pad` takes 3 and 3 from an axis of 4",
    ),
    ("maxpool(a, [4])", "the windows of `maxpool` reach 4 over an axis of 2"),
    ("pad(a[0, 0], -1)", "`pad` cannot take away: a width is negative"),
    (
        'pad(a[0, 0], 2, mode="reflect")',
        '`pad` of mode "reflect" by 2 needs 3 elements, an axis has 2',
    ),
    ("take(a, [0, 2], axis=2)", "in `take`: index 2 is outside axis 2 of [1, 1, 2]"),
    ("take(a[0, 0], [0, -3])", "in `take`: index -3 is outside axis 0 of [2]"),
    ("zeros([-1]) + a", "`zeros` makes [-1], which has an axis of -1"),
    ("max(a[0, 0, 2:])", "`max` of no elements: axis 0 of [0]"),
    ("argmax(a[0, 0, 2:])", "`argmax` of no elements: axis 0 of [0]"),
]


@pytest.mark.parametrize(("call", "message"), REFUTED)
def test_refuted_when_compiling(call: str, message: str) -> None:
    with pytest.raises(GraphError) as caught:
        module(f"input a: [1, 1, 2]\ninput b: [1, 1, 3]\noutput y = {call}")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.message == message
    assert diagnostic.span is not None


def test_a_fixed_dim_refutes_too() -> None:
    with pytest.raises(GraphError, match="reach 3 over an axis of N"):
        module(
            "dim N\ninput a: [1, 1, N]\ninput b: [1, 1, 3]\noutput y = conv1d(a, b)",
            dims=(("N", 2),),
        )


def test_in_a_loop_at_both_ends() -> None:
    text = """
        dim N
        input x: [N]
        repeat s[k in 1..3] carry h = 0.0 {
            next h = h + take(x, [3], axis=0)[0]
        }
        output y = h
    """
    assert module(text).forward(np.arange(4.0))[0].y == 9
    with pytest.raises(ValueError, match="N - 4 >= 0; N = 3"):
        module(text).forward(np.arange(3.0))


def test_split_says_what_would_prove_it() -> None:
    with pytest.raises(GraphError, match=re.escape("say so: `require N % 2 == 0`")):
        module("dim N\ninput a: [N]\nb, c = split(a, 2)\noutput y = b + c")
    generated = module("dim N\nrequire N % 2 == 0\ninput a: [N]\nb, c = split(a, 2)\noutput y = b")
    np.testing.assert_array_equal(generated.forward(np.arange(4.0))[0].y, [0, 1])
    with pytest.raises(ValueError, match="N % 2"):
        generated.forward(np.arange(3.0))


INDEXED = {
    "a remainder by a dim": ("(t + 1) % B", {(0, 0): True, (1, 1): True, (5, 5): True}),
    "an offset": ("t + 5", {(0, 0): True, (1, 6): True, (3, 8): True, (3, 7): False}),
    "backwards": ("B - 1 - t", {(0, 0): True, (3, 3): True, (3, 2): False}),
    "a parabola": ("t * t - 3 * t", {(0, 0): True, (1, 1): True, (2, 9): False, (4, 9): False}),
    "half": ("t // 2", {(0, 0): True, (4, 2): True, (5, 2): False}),
}
"""An index of [S] in step t of B, and whether it lies inside in every step, by (B, S)."""


@pytest.mark.levels
@pytest.mark.parametrize("name", INDEXED)
def test_an_index_lies_inside_in_every_step_that_there_is(name: str) -> None:
    index, sizes = INDEXED[name]
    made = module(f"""
        dim B, S
        input x: [S, 3]
        input w: [B]
        scan s[t in B] carry h = zeros([3]) {{ next h = h + w[t] * x[{index}] }}
        output y = sum(h * h)
        derive value_and_grad y wrt x, w as f
        derive hvp y wrt x as twice
    """)
    for (steps, size), inside in sizes.items():
        rng = np.random.default_rng(steps)
        x, w = rng.normal(size=(size, 3)), rng.normal(size=steps)
        if not inside:
            with pytest.raises(ValueError, match="the dims do not fit"):
                made.f(x, w)
            continue
        rows = [eval(index, {"t": t, "B": steps}) for t in range(steps)]
        total = w @ x[rows] if steps else np.zeros(3)
        value, gradients = made.f(x, w)
        np.testing.assert_allclose(value, total @ total, rtol=1e-12)
        np.testing.assert_allclose(gradients["w"], 2 * x[rows] @ total, atol=1e-12)
        expected = np.zeros((size, 3))
        np.add.at(expected, rows, 2 * w[:, None] * total)
        np.testing.assert_allclose(gradients["x"], expected, atol=1e-12)
        _, products = made.twice(x, w, tangents={"x": x})
        np.testing.assert_allclose(products["x"], expected, atol=1e-12)


def test_a_condition_on_both_indices_of_nested_loops() -> None:
    """At the first step of the outer loop the inner one takes none, and asks for nothing."""
    made = module("""
        dim B, S
        input x: [S]
        scan s[t in B] carry h = 0.0 {
            scan r[k in t] carry g = h { next g = g + x[k + 2 * t] }
            next h = g
        }
        output y = h
    """)
    assert made.forward(np.zeros(0), B=1)[0].y == 0
    x = np.arange(6.0)
    assert made.forward(x, B=3)[0].y == x[2] + x[4] + x[5]
    with pytest.raises(ValueError, match="the dims do not fit"):
        made.forward(x[:5], B=3)


def test_an_equality_that_is_not_linear_in_the_index_is_checked_in_every_step() -> None:
    made = module("""
        dim T
        input x: [T]
        scan s[t in 1..3] carry h = 0.0 {
            require T % t == 0
            next h = h + sum(x) / t
        }
        output h
    """)
    assert made.forward(np.ones(6))[0].h == 6 + 3 + 2
    with pytest.raises(ValueError, match="T = 4"):
        made.forward(np.ones(4))


@pytest.mark.parametrize(("condition", "refused"), [("N != 3", 3), ("N != M and M > 1", 2)])
def test_what_dims_must_not_be_is_checked(condition: str, refused: int) -> None:
    made = module(f"dim N, M\ninput a: [N]\ninput b: [M]\nrequire {condition}\noutput y = sum(a)")
    for size in (2, 3, 4):
        if size == refused:
            with pytest.raises(ValueError, match=re.escape(f"the dims do not fit: `{condition}`")):
                made.forward(np.ones(size), np.ones(2))
        else:
            assert made.forward(np.ones(size), np.ones(2))[0].y == size
