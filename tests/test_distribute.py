"""Loops that are taken apart at -O2, against the same graphs at -O0, which JAX confirms."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from test_loops import CASES, Case

from benchmarks.generated import WORKLOADS
from graphc.compile.clauses import derivatives
from graphc.compile.stages import Compilation, Options, compile_text
from graphc.elaborate.build import elaborate
from graphc.ir.graph import Graph, Node, building
from graphc.ir.loop import LOOP, RESULT, body, loop_of
from graphc.ir.order import topological
from graphc.optimise.before_ad.stabilise import stabilise
from graphc.optimise.levels import FAST
from graphc.optimise.passes import rewritten
from graphc.sample import random_arguments
from graphc.source import Source
from graphc.syntax.parse.parser import parse
from graphc.targets.numpy.lowering import settle
from tests.loading import loaded

TOLERANCE = 1e-13


@functools.cache
def result(text: str, level: str, dtype: str = "float64") -> Compilation:
    return compile_text(text, options=Options(level=level, dtype=dtype))


@functools.cache
def module(text: str, level: str, dtype: str = "float64") -> ModuleType:
    return loaded(result(text, level, dtype).text, "generated")


def leaves(value: Any) -> list[Any]:
    """The arrays of nested results, in order."""
    if isinstance(value, Mapping):
        return [leaf for one in value.values() for leaf in leaves(one)]
    if isinstance(value, tuple | list):
        return [leaf for one in value for leaf in leaves(one)]
    return [value]


def agree(found: Any, expected: Any, tolerance: float, what: str) -> None:
    found, expected = leaves(found), leaves(expected)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert np.shape(one) == np.shape(other), what
        assert np.asarray(one).dtype == np.asarray(other).dtype, what
        scale = max(1.0, float(np.max(np.abs(other), initial=0)))
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * scale, err_msg=what)


def compare(
    text: str, dims: Mapping[str, int] | None = None, dtype: str = "float64", seed: int = 0
) -> None:
    """Every function of the module at both levels on the same random arguments."""
    plain, fast = (module(text, level, dtype) for level in ("-O0", "-O2"))
    model = result(text, "-O0", dtype).model
    tolerance = TOLERANCE if dtype == "float64" else 1e-5
    given = random_arguments(model, seed, dims)
    outputs, cache = plain.forward(**given)
    found, kept = fast.forward(**given)
    agree(found, outputs, tolerance, "forward")
    floats = [d.name for d in model.outputs if d.type.dtype == "float"]
    rng = np.random.default_rng(1)
    cotangents = {name: rng.normal(size=np.shape(getattr(outputs, name))) for name in floats}
    gradients = plain.backward(cache, **cotangents)
    agree(fast.backward(kept, **cotangents), gradients, tolerance, "backward")
    moving = {**given.get("params", {}), **given}
    for one in model.derivations:
        more: dict[str, Any] = {}
        if one.kind.given == "tangents":
            more["tangents"] = {
                path: rng.normal(size=np.shape(moving[path])) for path in paths(plain, one, moving)
            }
        if one.kind.given == "cotangents":
            more["cotangents"] = {name: cotangents[name] for name in one.names}
        values = [getattr(made, one.name)(**given, **more) for made in (fast, plain)]
        agree(*values, tolerance, one.name)


def paths(made: ModuleType, one: Any, moving: Mapping[str, Any]) -> list[str]:
    """What a derivative is taken by: a family stands for all of its members."""
    names = [path for path, _ in one.wrt]
    return [
        path
        for path in moving
        if path in names
        or any(
            "*" in n and path.startswith(n.split("*")[0]) and path.endswith(n.split("*")[1])
            for n in names
        )
    ]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_loops_can_do(case: Case) -> None:
    """The loops that are compared with JAX, of each number of steps that is a case of its own."""
    for steps in (4, 1, 0) if "dim T" in case.text else (0,):
        compare(case.text, {**dict(case.dims), "T": steps})


# ---- workloads and examples --------------------------------------------------------------------

LANGUAGE = Path(__file__).parent / "language" / "examples"


def test_lstm_of_adbench() -> None:
    """Four loops: each layer forward and backward, two operations a step on the way back."""
    text = (WORKLOADS / "lstm.graph").read_text(encoding="utf-8")
    for letters in (6, 3, 2):  # one step more than its last: two letters are one step
        compare(text, {"T": letters})
    loops = bodies(text, "value_and_grad_loss")
    assert [count for count, _ in loops] == ["T - 1"] * 4
    assert [operations for _, operations in loops[2:]] == [["*", "+"]] * 2
    assert max(len(operations) for _, operations in loops) <= 17


def test_many_narrow_layers() -> None:
    """Product, sum and tanh forward; product with the slope and with W back; the rest at once."""
    text = (WORKLOADS / "deep.graph").read_text(encoding="utf-8")
    compare(text, {"B": 3})
    assert bodies(text, "value_and_grad_loss") == [
        ("200", ["matmul", "+", "tanh"]),
        ("200", ["*", "matmul"]),
    ]


def test_blocks_of_large_arrays_stay_in_their_loop() -> None:
    text = (WORKLOADS / "resblocks.graph").read_text(encoding="utf-8")
    compare(text, {"B": 2})
    _, (_, backward) = bodies(text, "value_and_grad_loss")
    assert sum(name in ("matmul", "sum") for name in backward) == 6


@pytest.mark.parametrize("name", ["05_lstm", "07_transformer"])
def test_examples(name: str) -> None:
    compare((LANGUAGE / f"{name}.graph").read_text(encoding="utf-8"))


# ---- what becomes of a loop ----------------------------------------------------------------------


def bodies(text: str, function: str) -> list[tuple[str, list[str]]]:
    """The loops of a function in order: how many steps, and the operations of each."""
    with building():
        graph = derived(text, function)
        loops = [loop_of(n) for n in topological(graph.results.values()) if n.op is LOOP]
        return [(str(loop.count), [n.op.name for n in body(loop) if computes(n)]) for loop in loops]


def derived(text: str, function: str) -> Graph:
    """The graph of a function at -O2."""
    model = stabilise(elaborate(parse(Source("graph", text))).sound)
    (one,) = (d for d in model.derivations if d.name == function)
    made = next(iter(derivatives(model, one, ["reverse"]).values()))
    return rewritten(made.graph, (*FAST.halves, settle))


def computes(node: Node) -> bool:
    return node.op.view_of is None and not node.static and node.op is not RESULT


def loops_of(text: str) -> list[tuple[str, list[str]]]:
    return bodies(f"{text}\nderive value loss", "value_loss")


START = "dim T\ninput x: [T, 3]\ninput w, h0: [3]\n"


@pytest.mark.parametrize(
    ("name", "body", "expected"),
    [
        ("what waits for nothing", "next h = h0 * x[t]", []),
        ("a sum", "next h = h + sin(x[t])", []),
        ("a difference", "next h = h - x[t] * w", []),
        ("what stays", "next h = h\ncollect y = h * x[t]", []),
        ("a delay", "next h = tanh(x[t])\ncollect y = h * x[t]", []),
        ("factors", "next h = h * x[t] * w * sin(x[t]) + x[t] * w + w", [["*", "+"]]),
        ("afterwards", "next h = tanh(h * x[t])\ncollect y = sin(h) * w", [["*", "tanh"]]),
        ("before", "next h = tanh(h * sin(x[t] * w))", [["*", "tanh"]]),
        ("the index", "next h = sin(h + t * x[t] / (t + 1))", [["+", "sin"]]),
        ("a condition", "next h = tanh(sin(x[t]) * h)\nuntil sum(h) > 5", [["sin", "*", "tanh"]]),
    ],
)
def test_one_state(name: str, body: str, expected: list[list[str]]) -> None:
    collected = " + sum(y * y)" if "collect" in body else ""
    text = f"{START}scan s[t in T] carry h = h0 {{\n{body}\n}}\noutput loss = sum(h){collected}"
    for steps in (4, 1, 0):
        compare(f"{text}\nderive value_and_grad loss wrt inputs", {"T": steps})
    found = [operations for _, operations in loops_of(text)]
    if "until" not in body:
        assert [sorted(operations) for operations in found] == [sorted(one) for one in expected]
    else:
        assert len(found) == 1


def test_layers_become_loops_one_after_the_other() -> None:
    """The second reads what is computed of all steps of the first."""
    text = f"""{START}scan s[t in T] carry h = h0, g = w {{
        a = tanh(h * w + x[t])
        b = tanh(g * w + sin(a) * cos(a))
        next h, g = a, b
        collect y = b
    }}
    output loss = sum(y)"""
    assert [operations for _, operations in loops_of(text)] == [["*", "+", "tanh"]] * 2
    compare(f"{text}\nderive value_and_grad loss wrt inputs", {"T": 5})


def test_a_gradient_that_is_summed_is_one_product() -> None:
    """Σ x_t.T d_t over steps is a product of all rows; Σ outer(x_t, d_t) too."""
    text = """dim T, B
    input x: [T, B, 3]
    input h0: [B, 4]
    param W: [3, 4]
    param U: [4, 4]
    scan s[t in T] carry h = h0 { next h = tanh(x[t] @ W + h @ U) }
    output loss = sum(h)
    derive grad loss wrt params"""
    forward, backward = bodies(text, "grad_loss")
    assert sorted(forward[1]) == ["+", "matmul", "tanh"]
    assert sorted(backward[1]) == ["*", "matmul"]
    with building():
        products = [n for n in derived(text, "grad_loss").nodes if n.op.name == "matmul"]
        assert len(products) == 3  # x W for all steps, and the gradients of W and U
    for steps in (3, 0):
        compare(text, {"T": steps, "B": 2})


def test_a_loop_inside_takes_its_steps_for_all() -> None:
    """The rows are independent: one loop along them, with an axis for all rows."""
    text = """dim R, T
    input x: [R, T, 3]
    input w: [3]
    scan rows[r in R] {
        scan steps[t in T] carry h = w { next h = tanh(h * w + x[r, t]) }
        collect ends = h
    }
    output loss = sum(ends * ends)
    derive value_and_grad loss wrt inputs"""
    assert [count for count, _ in bodies(text, "value_and_grad_loss")] == ["T", "T"]
    for rows, steps in ((2, 4), (3, 0), (0, 2)):
        compare(text, {"R": rows, "T": steps})


def test_lists_of_parameters_are_read_by_the_steps() -> None:
    """What is done to parameters of a repeat alone stays in the loop: they are no array."""
    text = """input x: [3]
    repeat layer[k in 1..6] carry h = x, decay = 0.0 {
        param W: [3, 3]
        param b: [3]
        next h = tanh(W @ h + b)
        next decay = decay + sum(W**2)
    }
    output loss = sum(h) + decay
    derive value_and_grad loss wrt params"""
    compare(text)


def test_names_survive() -> None:
    text = f"""{START}scan s[t in T] carry h = h0 {{
        gate = sigmoid(x[t] * w)
        next h = tanh(gate * h)
    }}
    output loss = sum(h)"""
    written = result(text, "-O2").text
    assert "s_gate_by_t = " in written


def test_length_and_time_do_not_grow_with_the_steps() -> None:
    text = (WORKLOADS / "deep.graph").read_text(encoding="utf-8")
    few, many = (
        compile_text(text, options=Options(level="-O2", dims={"L": count})).text
        for count in (40, 4000)
    )
    assert few.count("\n") == many.count("\n")


def test_one_graph_for_one_input() -> None:
    text = (WORKLOADS / "lstm.graph").read_text(encoding="utf-8")
    found = []
    for _ in range(3):
        with building():
            graph = derived(text, "value_and_grad_loss")
            nodes = list(topological(graph.results.values()))
            place = {node: number for number, node in enumerate(nodes)}
            found.append([(node.op.name, [place[arg] for arg in node.args]) for node in nodes])
            found[-1].append((str([*graph.names.values()]), []))
    assert found[0] == found[1] == found[2]


HANDED = "scan k[u in 2] carry g = h, i = f { next g = g; next i = i }"
HANDED_ON: dict[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "one": (
        "scan l[t in 3] carry h = a {\n    scan k[u in 1] carry g = h { next g = g }\n"
        "    next h = g\n    collect c = s[t]\n}\noutput y = sum(c) + sum(h)",
        lambda a, s: 1 + 0 * a,
    ),
    "one of two": (
        "scan l[t in 3] carry h = a, f = a {\n"
        "    scan k[u in 2] carry g = h { scan j[v in 2] carry e = g { next e = e }; next g = e }\n"
        "    next h = g; next f = f * g\n    collect c = s[t] * f\n}\n"
        "output y = sum(c) + sum(h * f)",
        lambda a, s: s[0] + 2 * s[1] * a + 3 * s[2] * a**2 + 5 * a**4,
    ),
    "both, exchanged": (
        f"scan l[t in 3] carry h = a, f = 2 * a {{\n    {HANDED}\n    next h = i; next f = g\n"
        "    collect c = s[t] * f * h**2\n}\noutput y = sum(c) + sum(h * f**2)",
        lambda a, s: 3 * a**2 * (2 * s[0] + 4 * s[1] + 2 * s[2] + 2),
    ),
}


@pytest.mark.levels
@pytest.mark.parametrize("case", HANDED_ON)
def test_a_loop_in_a_step_may_only_hand_on_what_it_is_given(case: str, level: str) -> None:
    """Then the step hands it on, too; derivatives by a = sin(x) on paper."""
    text, slope = HANDED_ON[case]
    text = f"input x: [2]\ninput s: [3]\na = sin(x)\n{text}\nderive grad y wrt x as G\n"
    made = module(text, level)
    x, s = np.array([0.5, 0.3]), np.array([0.5, 0.3, 0.2])
    expected = slope(np.sin(x), s) * np.cos(x)
    np.testing.assert_allclose(made.G(x, s)["x"], expected, rtol=1e-13)


@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_an_inner_loop_that_adds_to_what_the_outer_carries(level: str) -> None:
    """Going back, no step of the outer loop changes the cotangent that it hands on."""
    text = """
        input x: [4]
        param w: [3]
        scan s[t in 3] carry total = 0.5 {
            scan r[k in 4] carry inner = total { next inner = inner + sin(x[k] * w[t]) }
            next total = inner
        }
        output y = total
        derive grad y wrt w, x
    """
    made = loaded(compile_text(text, options=Options(level=level)).text, "inner")
    w, x = np.array([0.3, -0.7, 0.2]), np.array([0.1, 0.5, -0.3, 0.8])
    angles = np.outer(w, x)
    found = made.grad_y({"w": w}, x)
    assert made.forward({"w": w}, x)[0].y == pytest.approx(0.5 + np.sin(angles).sum(), rel=1e-14)
    np.testing.assert_allclose(found["w"], np.cos(angles) @ x, rtol=1e-13)
    np.testing.assert_allclose(found["x"], w @ np.cos(angles), rtol=1e-13)


TRANSPOSED = """
dim B
dim T
input x: [B, T, 3]
param V: [3, 4] ~ normal(0, 1)
repeat layer[k in 1..3] carry z = zeros([4, B]) {
    param W: [4, 4] ~ normal(0, 1)
    param c: [4] ~ normal(0, 1)
    scan inner[t in T] carry h = z {
        next h = tanh(W.T @ h + (x[:, t] @ V).T + c[:, _])
    }
    next z = h
}
output each: [B] = sum(z**2, axis=0)
output loss = mean(each)
derive value_and_grad loss wrt params, x
derive grad loss wrt params per B as by_row
derive jacobian each wrt layer.2.W as one
derive hvp loss wrt layer.*
"""


@pytest.mark.parametrize(("dtype", "tight"), [("float64", 1e-11), ("float32", 2e-4)])
@pytest.mark.parametrize(("B", "T"), [(3, 5), (1, 1), (2, 0)])
def test_transposed_weights_under_other_features(B: int, T: int, dtype: str, tight: float) -> None:
    """Products that a loop stacks transposed, in a family, by row, of the second order.

    Each is what `-O0` computes, and `check` compares it with numerical derivatives.
    """
    plain, fast = (module(TRANSPOSED, level, dtype) for level in ("-O0", "-O2"))
    params, x = plain.init(1), np.random.default_rng(0).normal(size=(B, T, 3)).astype(dtype)
    tangents = {path: v for path, v in plain.init(2).items() if path.startswith("layer")}
    for name in ("value_and_grad_loss", "by_row", "one", "hvp_loss"):
        more = {"tangents": tangents} if name == "hvp_loss" else {}
        agree(*(getattr(net, name)(params, x, **more) for net in (fast, plain)), tight, name)
    if dtype == "float64" and T > 1:
        fast.check(params, x)
