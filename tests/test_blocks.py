"""Blocks: which statements run together along an axis, and that they compute the same."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from graphc.compile.stages import Options, compile_file, compile_text
from tests.loading import loaded

ROOT = Path(__file__).resolve().parent.parent

ROWS = """
    dim N, D
    input x: [N, D]
    input w: [D]
    param b: [D]
    a = tanh(x * w + b)
    c = exp(-a * a) * sin(a)
    y = sum(c * x, axis=-1)
    output loss = sum(y * y)
    derive value_and_grad loss wrt b, w
"""
MIXTURE = """
    dim N, K, D
    input x: [N, D]
    param mu: [K, D]
    param L: [K, D, D]
    d = x[:, _, :] - mu[_, :, :]
    z = einsum("k i j, n k j -> n k i", L, d)
    s = -0.5 * sum(z**2, axis=-1)
    output loss = sum(logsumexp(s, axis=K))
    derive value_and_grad loss wrt params
"""
SEQUENCES = """
    dim B, T
    input x: [B, T, 6]
    param W: [6, 8]
    param g: [8]
    h = tanh(x @ W) * g
    r = h / sqrt(mean(h * h, axis=-1, keepdims=true) + 1e-3)
    e = exp(r - max(r, axis=-1, keepdims=true))
    output loss = mean(e * r)
    derive value_and_grad loss wrt params
"""
NORMED = """
    dim N
    input x: [N, 3]
    param s: [3]
    m = mean(x, axis=0)
    c = x - m[_, :]
    v = mean(c * c, axis=0)
    h = tanh(c / sqrt(v[_, :] + 1e-3) * s)
    q = h * exp(-h) + cos(h)
    output loss = sum(q * q)
    derive value_and_grad loss wrt s
"""
POINTS = """
    dim P
    input r: [P, 3]
    input X: [P, 3]
    input wt: [P]
    c = cos(sum(r * r, axis=-1))
    Y = X * c[:, _] + sin(r) * (1 - c)[:, _]
    p = Y[:, 0:2] / (Y[:, 2:3] + 9)
    output e: [P, 2] = wt[:, _] * p * exp(-sum(p * p, axis=-1))[:, _]
    derive value_and_jacobian e wrt r, X, wt per P as Je
"""
SHAPES: dict[str, tuple[str, str, dict[str, tuple[Any, ...]]]] = {
    "rows": (ROWS, "N", {"x": ("N", 5), "w": (5,), "b": (5,)}),
    "mixture": (MIXTURE, "N", {"x": ("N", 4), "mu": (3, 4), "L": (3, 4, 4)}),
    "sequences": (SEQUENCES, "B", {"x": ("B", 7, 6), "W": (6, 8), "g": (8,)}),
    "normed": (NORMED, "N", {"x": ("N", 3), "s": (3,)}),
    "points": (POINTS, "P", {"r": ("P", 3), "X": ("P", 3), "wt": ("P",)}),
}


def modules(text: str) -> tuple[ModuleType, ModuleType]:
    """The readable module and the fast one."""
    readable, fast = (
        loaded(compile_text(text, options=Options(level=level)).text, f"blocks{level[2:]}")
        for level in ("-O0", "-O2")
    )
    return readable, fast


def fast_text(text: str, function: str) -> str:
    """The text of a function of the fast module."""
    written = compile_text(text, options=Options(level="-O2")).text
    return re.split(r"\n\n\n(?=def )", written[written.index(f"def {function}(") :])[0]


def leaves(value: Any) -> list[np.ndarray[Any, Any]]:
    if isinstance(value, dict):
        return [leaf for one in value.values() for leaf in leaves(one)]
    if isinstance(value, tuple):
        return [leaf for one in value for leaf in leaves(one)]
    return [np.asarray(value)]


def arguments(module: ModuleType, shapes: dict[str, tuple[Any, ...]], n: int) -> dict[str, Any]:
    rng = np.random.default_rng(n)
    values = {
        name: rng.uniform(0.1, 1.0, [n if isinstance(d, str) else d for d in shape])
        for name, shape in shapes.items()
    }
    params = getattr(module, "PARAMETERS", ())
    given = {name: value for name, value in values.items() if name not in params}
    return given | ({"params": {name: values[name] for name in params}} if params else {})


@pytest.mark.parametrize("cache", [1, 5_000, 2**20], ids=["one by one", "several", "one block"])
@pytest.mark.parametrize("name", SHAPES)
def test_blocks_compute_what_the_readable_module_does(name: str, cache: int) -> None:
    text, _, shapes = SHAPES[name]
    readable, fast = modules(text)
    assert hasattr(fast, "CACHE"), "the chain runs in blocks"
    fast.CACHE = cache  # type: ignore[attr-defined]
    function = "Je" if name == "points" else "value_and_grad_loss"
    for n in (1, 2, 61, 0) if name in ("rows", "points") else (1, 2, 61):
        given = arguments(readable, shapes, n)
        for _ in range(2):  # the second time in scratch that has been used
            found = leaves(getattr(fast, function)(**given))
        for one, other in zip(found, leaves(getattr(readable, function)(**given)), strict=True):
            assert one.shape == other.shape
            assert one.dtype == other.dtype
            scale = np.abs(other).max(initial=0)
            np.testing.assert_allclose(one, other, rtol=1e-13, atol=1e-13 * scale)


def test_forward_and_backward_are_one_region() -> None:
    """Of a mixture: one pass over the points; what it returns are totals."""
    text = fast_text(MIXTURE, "value_and_grad_loss")
    assert text.count("_blocks(") == 1
    assert "_blocks(block, N," in text
    inside = text[text.index("def block") : text.index("_blocks(block")]
    assert inside.count("np.matmul(") >= 2
    assert len(re.findall(r"\w+_part\b", inside[inside.rindex("return") :])) >= 3


def test_rows_of_a_merged_axis_run_with_the_axis() -> None:
    """x @ W takes all rows of [B, T] at once; it is in the block that its rows are made in."""
    text = fast_text(SEQUENCES, "value_and_grad_loss")
    assert text.count("_blocks(") == 1
    assert re.search(r"reshape\(\(\w*\*? ?.*size", text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("input x: [8]\noutput y = sum(tanh(exp(sin(cos(x)))))\nderive value y", "short"),
        ("dim N\ninput x: [N]\noutput y = sum(tanh(x))\nderive value y", "two passes"),
        (
            "dim B, D, E\ninput x: [B, D]\nparam W: [D, E]\nparam V: [E, D]\n"
            "output y = sum(x @ W @ V)\nderive value_and_grad y wrt params",
            "products only",
        ),
    ],
    ids=lambda value: value if " " in value or len(value) < 12 else "",
)
def test_what_gains_nothing_has_no_function_of_its_own(text: str, why: str) -> None:
    assert "_blocks(" not in compile_text(text, options=Options(level="-O2")).text, why


def test_what_the_shared_caches_hold_is_computed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to three times CACHE; beyond that in blocks, of which none is larger than CACHE."""
    monkeypatch.setenv("GRAPHC_THREADS", "1")
    text = compile_text("""
        dim N
        input x: [N]
        a = tanh(x) * sin(x)
        output y = sum(exp(-a * a) * x)
        derive value_and_grad y wrt x as f
        """, options=Options(level="-O2")).text  # fmt: skip
    assert "CACHE = 3 * 2**20" in text
    (width,) = {
        int(one) for one in re.findall(r"_blocks\(block, N, (\d+), ", text[text.index("def f(") :])
    }
    net = loaded(text, "held")
    sizes: list[int] = []
    take = net._take

    def taken(make: Any, *dims: int) -> Any:
        if "block" in make.__name__:
            sizes.extend(dims)
        return take(make, *dims)

    monkeypatch.setattr(net, "_take", taken)
    net.f(np.ones(3 * net.CACHE // width))
    assert sizes == [3 * net.CACHE // width]
    sizes.clear()
    net.f(np.ones(3 * net.CACHE // width + 1))
    assert len(sizes) == 4
    assert max(sizes) * width <= net.CACHE


def test_floats_of_four_bytes_have_blocks_twice_as_long() -> None:
    options = Options(level="-O2", dtype="float32")
    assert "CACHE = 6 * 2**20" in compile_text(ROWS, options=options).text


WORKLOADS = ROOT / "benchmarks" / "workloads"


@pytest.mark.parametrize(
    ("path", "function", "gains"),
    [
        (WORKLOADS / "elementwise.graph", "value_and_grad_loss", True),  # 1.6 times as fast
        (WORKLOADS / "gmm.graph", "value_and_grad_err", True),  # 1.3 times
        (WORKLOADS / "bundle.graph", "Je", True),
        (WORKLOADS / "mlp.graph", "value_and_grad_loss", False),  # products of matrices
        (WORKLOADS / "per_example.graph", "each", False),
        (WORKLOADS / "lstm.graph", "value_and_grad_loss", False),  # the calls of a loop
        (ROOT / "examples" / "digits.graph", "value_and_grad_loss", False),  # a loop that stays
    ],
    ids=lambda value: value.stem if isinstance(value, Path) else "",
)
def test_tiles_are_used_where_a_tenth_is_gained(path: Path, function: str, gains: bool) -> None:
    """Measured with tiles and without: what they do not make faster by a tenth they made slower."""
    text = compile_file(path, Options(level="-O2")).text
    own = text[text.index(f"def {function}(") :]
    assert ("_blocks(" in own[: own.index("\n\n\n")]) == gains


def test_blocks_of_bounded_functions_are_small() -> None:
    """Where memory is bounded, whatever stays in the cache is worth it, in a third of the bytes."""
    text = ROWS.replace("dim N, D", "dim N = 100000\ndim D = 3")
    free, bounded = (
        [
            int(one)
            for one in re.findall(
                r"_blocks\(block, 100000, (\d+),",
                compile_text(text, options=Options(level="-O2", memory=memory)).text,
            )
        ]
        for memory in ("", "1GB")
    )
    assert free
    assert bounded == [3 * one for one in free]


def test_large_matrices_are_not_read_again_for_each_block() -> None:
    """A product with a large matrix stays whole, between regions."""
    text = fast_text(
        """
        dim B
        input x: [B, 300]
        param W: [300, 200]
        a = exp(-x * x) * sin(x) + cos(x)
        z = a @ W
        y = tanh(z) * exp(-z) + sin(z)
        output loss = sum(y * y)
        derive value_and_grad loss wrt params
        """,
        "value_and_grad_loss",
    )
    assert text.count("_blocks(") >= 2
    assert re.search(r"^    \S* ?=? ?np\.dot\(\w+, W", text, re.MULTILINE)


def test_what_is_returned_is_the_callers() -> None:
    """Also where it is a view of what a block computes."""
    _, fast = modules(POINTS)
    fast.CACHE = 2_000  # type: ignore[attr-defined]
    given = arguments(fast, SHAPES["points"][2], 50)
    first = leaves(fast.Je(**given))
    before = [leaf.copy() for leaf in first]
    fast.Je(**{name: value + 1 for name, value in given.items()})
    for one, other in zip(first, before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_blocks_do_not_depend_on_what_ran_before() -> None:
    """The same bits whatever is left in scratch, and from a module that has not run."""
    text, _, shapes = SHAPES["mixture"]
    _, fast = modules(text)
    given = arguments(fast, shapes, 33)
    first = leaves(fast.value_and_grad_loss(**given))
    fast.value_and_grad_loss(**arguments(fast, shapes, 7))
    for one, other in zip(first, leaves(fast.value_and_grad_loss(**given)), strict=True):
        np.testing.assert_array_equal(one, other)


def test_labels_name_rows_of_the_whole_axis() -> None:
    """What is placed at labels numbers all rows: it cannot be made for a block of them."""
    text = (ROOT / "examples" / "per_sample.graph").read_text(encoding="utf-8")
    readable, fast = modules(text)
    fast.CACHE = 5_000  # type: ignore[attr-defined]
    rng = np.random.default_rng(0)
    params = readable.init(seed=0)
    rows, classes = 500, params["logits.b"].size
    x, label = rng.normal(size=(rows, params["h.W"].shape[0])), rng.integers(0, classes, rows)
    for cotangent in (1.0, 0.5):
        found, expected = (
            module.backward(module.forward(params, x, label)[1], loss=cotangent)
            for module in (fast, readable)
        )
        for path, one in expected.items():
            np.testing.assert_allclose(found[path], one, rtol=1e-12, atol=1e-14)
    found, expected = (m.value_and_grad_loss(params, x, label) for m in (fast, readable))
    for one, other in zip(leaves(found), leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("triangle", ["tril", "triu"])
@pytest.mark.parametrize("k", [0, -3, 600])
def test_a_triangle_in_blocks_is_that_of_the_whole_matrix(triangle: str, k: int) -> None:
    """A row of it depends on its position: a causal mask begins anew in no block."""
    text = f"""
        dim T
        input q, k: [T, 8]
        s = {triangle}(exp(q @ k.T / 10), {k})
        output y = s / (1 + sum(s, axis=-1, keepdims=true))
        derive value y
    """
    assert "_blocks(" in fast_text(text, "value_y")
    _, fast = modules(text)
    rng = np.random.default_rng(0)
    for T, cache in ((511, 2**21), (700, 2**21), (9, 300), (1, 300)):
        fast.CACHE = cache  # type: ignore[attr-defined]
        q, keys = rng.normal(size=(2, T, 8))
        s = getattr(np, triangle)(np.exp(q @ keys.T / 10), k)
        expected = s / (1 + s.sum(-1, keepdims=True))
        np.testing.assert_allclose(fast.value_y(q, keys), expected, rtol=1e-12)


def test_the_gradient_of_a_large_cholesky_factor() -> None:
    """Its pullback keeps a triangle: 700 points are more than a block."""
    text = """
        dim N
        input x: [N]
        input y: [N]
        param s
        K = exp(-(x[:, _] - x[_, :])**2 * s) + 0.5 * eye(N)
        L = cholesky(K)
        output loss = sum(triangular_solve(L, y)**2) + 2 * sum(log(diagonal(L)))
        derive grad loss wrt s
    """
    _, fast = modules(text)
    rng = np.random.default_rng(1)
    N, s = 700, 0.7
    x, y = np.linspace(0, 9, N), rng.normal(size=N)
    square = (x[:, None] - x) ** 2
    kernel = np.exp(-square * s)
    inverse = np.linalg.inv(kernel + 0.5 * np.eye(N))
    moved = -square * kernel
    expected = np.sum(inverse * moved) - y @ inverse @ moved @ inverse @ y
    found = fast.grad_loss({"s": s}, x, y)["s"]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


SYSTEMS = """
    dim n, N
    input A: [n, n]
    input B: [N, n]
    x = solve(A, tanh(B).T)
    output y = sum(square(x) * exp(-x * x))
    derive value_and_grad y wrt A, B
"""


def test_a_matrix_is_factored_once_for_all_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is done with the solutions runs in blocks, of which no one factors the matrix again."""
    _, fast = modules(SYSTEMS)
    rng = np.random.default_rng(4)
    A, B = rng.normal(size=(5, 5)) + 5 * np.eye(5), rng.normal(size=(400, 5))
    fast.CACHE = 2**12  # type: ignore[attr-defined]
    factored = []
    solve = np.linalg.solve

    def counted(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        factored.append(b.shape)
        return solve(a, b)

    monkeypatch.setattr(np.linalg, "solve", counted)
    _, found = fast.value_and_grad_y(A, B)
    assert factored == [(5, 400), (5, 400)]
    x = solve(A, np.tanh(B).T)
    by_x = 2 * x * np.exp(-x * x) * (1 - x * x)
    back = solve(A.T, by_x)
    np.testing.assert_allclose(found["A"], -back @ x.T, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(found["B"], back.T / np.cosh(B) ** 2, rtol=1e-11, atol=1e-13)
    assert "def block(" in fast_text(SYSTEMS, "value_and_grad_y")


CLOSED_OVER = """
    dim N
    input x: [N, 4]
    input k: int[N]
    param b: [4]
    param W: [4, 4]
    h = cumsum(x, axis=0)
    a = tanh(h * b) * exp(-h) + sin(h) * cos(h)
    z = a @ W
    c = where(z > 0, z, h)
    s = sort(c + h, axis=0)
    output loss = mean(cross_entropy(s * exp(-s) + sin(s) * tanh(s) + cos(s) * z, k))
    derive value_and_grad loss wrt params
"""


def test_linters_accept_blocks(tmp_path: Path) -> None:
    """A block reads arrays by name, so that none of them is dropped; no name is bound in vain."""
    for name, text in {
        "closed": CLOSED_OVER,
        **{one: each[0] for one, each in SHAPES.items()},
    }.items():
        (tmp_path / f"{name}.py").write_text(compile_text(text, options=Options(level="-O2")).text)
    assert "del h" not in fast_text(CLOSED_OVER, "value_and_grad_loss")
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("cache", [1, 64, 2**20])
def test_elements_put_row_by_row_are_those_of_the_block(cache: int) -> None:
    text = """
        dim N
        input x: [N, 3]
        input i: int[N, 2]
        param p: [N, 2]
        y = put_along_axis(sin(x), i, exp(p))
        output z = exp(y) * cos(y)
        output loss = sum(z)
        derive grad loss wrt p
    """
    rng = np.random.default_rng(0)
    x, p = rng.uniform(-1, 1, (50, 3)), rng.uniform(-1, 1, (50, 2))
    i = rng.permuted(np.tile(np.arange(3), (50, 1)), axis=1)[:, :2]  # each place once
    y = np.sin(x)
    np.put_along_axis(y, i, np.exp(p), 1)
    slope = np.take_along_axis(np.exp(y) * (np.cos(y) - np.sin(y)), i, 1) * np.exp(p)
    _, fast = modules(text)
    fast.CACHE = cache  # type: ignore[attr-defined]
    given = {"x": x, "i": i, "params": {"p": p}}
    np.testing.assert_allclose(fast.forward(**given)[0].z, np.exp(y) * np.cos(y), rtol=1e-12)
    np.testing.assert_allclose(fast.grad_loss(**given)["p"], slope, rtol=1e-12)


def test_elements_named_row_by_row_are_those_of_the_block() -> None:
    """A block has its rows from 0 on, wherever it begins."""
    text = """
        dim N
        input x: [N, 3]
        input i: int[N, 2]
        param p: [N, 2]
        y = add_along_axis(x, i, p)
        output loss = sum(exp(sin(y) * cos(y)))
        derive grad loss wrt p
    """
    rng = np.random.default_rng(0)
    x, p, i = rng.uniform(-1, 1, (50, 3)), rng.uniform(-1, 1, (50, 2)), rng.integers(0, 3, (50, 2))
    y = x.copy()
    np.add.at(y, (np.arange(50)[:, None], i), p)
    expected = np.take_along_axis(np.exp(np.sin(2 * y) / 2) * np.cos(2 * y), i, 1)
    _, fast = modules(text)
    for cache in (1, 64, 2**20):
        fast.CACHE = cache  # type: ignore[attr-defined]
        (found,) = leaves(fast.grad_loss(x=x, i=i, params={"p": p}))
        np.testing.assert_allclose(found, expected, rtol=1e-12)
