"""Loops against JAX and against nets written flat; stated derivatives; imports."""

from __future__ import annotations

import functools
import tracemalloc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import compiled, in_turn, long, module

from graphc.compile.stages import Options, compile_text
from graphc.sample import random_arguments
from tests.loading import loaded
from tests.patience import count_calls

pytestmark = pytest.mark.levels

TOLERANCE = 1e-11
Names = Mapping[str, Any]
Values = dict[str, Any]


def agree(found: Any, expected: Any, tolerance: float = TOLERANCE) -> None:
    """Equal to the tolerance, relative to the largest element."""
    assert np.shape(found) == np.shape(expected)
    scale = max(1.0, float(np.max(np.abs(expected), initial=0)))
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * scale)


def compare(
    text: str,
    reference: Callable[[Names, Names], Values],
    dims: Mapping[str, int] | None = None,
    alike: str | None = None,
) -> Values:
    """Outputs of a text, and their cotangents pulled back to all parameters and float inputs.

    By `forward` and `backward` and by a derived `vjp`, on random arguments, which are returned.
    A text that is `alike` computes the same, and may be known already.
    """
    pairs = None if dims is None else tuple(dims.items())
    given, outputs, cotangents, (expected, by_params, by_inputs) = expected_of(
        alike or text, reference, pairs
    )
    made = module(f"{text}\nderive vjp {', '.join(outputs)} wrt params, inputs as pulled")
    found, cache = made.forward(**given)
    values, pulled = made.pulled(**given, cotangents=cotangents)
    for name, value in expected.items():
        agree(getattr(found, name), value)
    for name in outputs:
        agree(getattr(values, name), expected[name])
    for path, gradient in {**by_params, **by_inputs}.items():
        agree(pulled[path], gradient)
    for path, gradient in made.backward(cache, **cotangents).items():
        agree(gradient, pulled[path])
    return given


@functools.cache
def expected_of(
    text: str, reference: Callable[[Names, Names], Values], dims: tuple[tuple[str, int], ...] | None
) -> tuple[Values, list[str], Values, Any]:
    """Arguments, the outputs that are derived, their cotangents, and all of them by JAX.

    Once for all levels.
    """
    model = compiled(text, level="-O0").model
    outputs = [d.name for d in model.outputs if d.type.dtype == "float"]
    given = random_arguments(model, 0, None if dims is None else dict(dims))
    params = given.get("params", {})
    inputs = {name: value for name, value in given.items() if name != "params"}
    moving = {name: value for name, value in inputs.items() if np.asarray(value).dtype.kind == "f"}

    def run(params: Names, moving: Names) -> tuple[Values, Values]:
        values = reference(params, {**inputs, **moving})
        return {name: values.pop(name) for name in outputs}, values

    @jax.jit
    def both(params: Names, moving: Names, cotangents: Names) -> Any:
        values, pull, whole = jax.vjp(run, params, moving, has_aux=True)
        return {**values, **whole}, *pull(cotangents)

    shapes, _ = jax.eval_shape(run, params, moving)
    rng = np.random.default_rng(1)
    cotangents = {name: rng.normal(size=shapes[name].shape) for name in outputs}
    return given, outputs, cotangents, both(params, moving, cotangents)


# ---- what a loop can do -------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A text, its reference, and the sizes of its dims; T is chosen by the test."""

    name: str
    text: str
    reference: Callable[[Names, Names], Values]
    dims: tuple[tuple[str, int], ...] = ()


def rnn(p: Names, i: Names) -> Values:
    def step(h: Any, x: Any) -> Any:
        return jnp.tanh(x @ p["step.W"] + h @ p["U"]), None

    return {"last": jax.lax.scan(step, i["h0"], i["x"])[0]}


def collected(p: Names, i: Names) -> Values:
    def step(carry: Any, x: Any) -> Any:
        h, c = carry
        h, c = jnp.sin(c + x), h * c - x
        return (h, c), (h, jnp.sum(c))

    (h, c), (ys, sums) = jax.lax.scan(step, (i["h0"], i["c0"]), i["x"])
    return {"h": h, "c": c, "ys": ys, "sums": sums}


def loop(count: int, step: Callable[[int, Any], Any], start: Any) -> Any:
    """A Python loop: every step its own."""
    for t in range(count):
        start = step(t, start)
    return start


def along(axis: int) -> Callable[[Names, Names], Values]:
    def reference(p: Names, i: Names) -> Values:
        x = jnp.moveaxis(i["x"], axis, 0)
        ys, h = [], i["h0"]
        for t in range(len(x)):
            h = jnp.tanh(h * x[t])
            ys.append(h * 2)
        stacked = jnp.stack(ys) if ys else jnp.zeros((0, *h.shape))
        return {"h": h, "ys": stacked}

    return reference


def both_ways(p: Names, i: Names) -> Values:
    x, count = i["x"], i["x"].shape[0]
    return {"h": loop(count, lambda t, h: h * x[t] + x[count - 1 - t] ** 2, i["h0"])}


def integers(p: Names, i: Names) -> Values:
    x, count = i["x"], i["x"].shape[0]
    return {
        "h": loop(
            count, lambda t, h: h + 0.1 * t * x[t] + np.cos(t) / (t + 1) + t // 2 * count, i["h0"]
        )
    }


def nested(p: Names, i: Names) -> Values:
    x = i["x"]
    count, width = x.shape[:2]

    def outer(t: int, carry: Any) -> Any:
        h, total = carry
        h = loop(width, lambda s, g: jnp.tanh(g + x[t, s] * h + s), h)
        return h, total + h * i["w"]

    h, total = loop(count, outer, (i["h0"], jnp.zeros_like(i["w"])))
    return {"h": h, "total": total}


def nested_collect(p: Names, i: Names) -> Values:
    x = i["x"]
    rows = [jnp.cumsum(jnp.sin(row) * i["w"]) for row in x]
    return {"ys": jnp.stack(rows) if rows else jnp.zeros(x.shape)}


def repeat_in_scan(p: Names, i: Names) -> Values:
    def step(t: int, h: Any) -> Any:
        for k in (1, 2, 3):
            h = jnp.tanh(h @ p[f"step.layer.{k}.W"] + i["x"][t])
        return h

    return {"h": loop(i["x"].shape[0], step, i["h0"])}


def scan_in_repeat(p: Names, i: Names) -> Values:
    h = i["h0"]
    for k in (1, 2, 3):
        h = loop(i["x"].shape[0], lambda t, g, k=k: jnp.tanh(g @ p[f"layer.{k}.W"] + i["x"][t]), h)
        h = h * p["gain"]
    return {"h": h}


def in_blocks(p: Names, i: Names) -> Values:
    def encode(path: str, h: Any) -> Any:
        ys = []
        for t in range(i["x"].shape[0]):
            h = jnp.tanh(i["x"][t] @ p[f"{path}.step.cell.W"] + h @ p[f"{path}.step.cell.U"]
                         + p[f"{path}.step.cell.b"])  # fmt: skip
            ys.append(h)
        return h, sum(ys, jnp.zeros(()))

    first, a = encode("one", i["h0"])
    second, b = encode("two", first)
    again, c = encode("one", second)
    return {"y": jnp.sum(a + 2 * b + 3 * c) + jnp.sum(again)}


def tied_and_own(p: Names, i: Names) -> Values:
    h = i["h0"]
    for k in (2, 3, 4):
        h = h + jnp.tanh(h @ p[f"layer.{k}.own.W"] + p[f"layer.{k}.own.b"])
        h = h + jnp.tanh(h @ p["ff.W"] + p["ff.b"])
        h = h * p[f"layer.{k}.s"]
    return {"h": h, "mixed": h @ p["layer.3.own.W"] + p["layer.2.s"]}


def captured(p: Names, i: Names) -> Values:
    square = i["A"] @ i["A"].T
    h = loop(i["x"].shape[0], lambda t, h: jnp.tanh(square @ h + i["x"][t] + jnp.sum(i["x"])),
             i["h0"])  # fmt: skip
    return {"h": h, "size": jnp.trace(square)}


def counted(p: Names, i: Names) -> Values:
    x = i["x"]
    h, n, above = i["h0"], 0, i["h0"][0] > 0
    for t in range(x.shape[0]):
        h = jnp.where(above, h + x[n], h * x[t])
        above = jnp.logical_or(above, h[0] > 0.5)
        n = (n + 2) % x.shape[0]
    return {"h": h, "n": jnp.asarray(n), "above": above}


def descent(p: Names, i: Names) -> Values:
    def loss(w: Any, row: Any) -> Any:
        return jnp.sum((row * w - i["target"]) ** 2) + jnp.sum(jnp.cosh(w))

    return {"w": loop(i["x"].shape[0], lambda t, w: w - 0.05 * jax.grad(loss)(w, i["x"][t]),
                      i["w0"])}  # fmt: skip


def second(p: Names, i: Names) -> Values:
    def end(s: Any) -> Any:
        return loop(i["x"].shape[0], lambda t, h: jnp.sin(h * i["x"][t]) + s * h**2, s)

    first = jax.grad(end)
    return {"y": end(i["s"]), "d": first(i["s"]), "dd": jax.grad(first)(i["s"])}


def windows(p: Names, i: Names) -> Values:
    x = i["x"]
    count = x.shape[0] - 2
    return {"h": loop(count, lambda t, h: h * 0.9 + x[t + 1] * x[t] - x[t + 2], i["h0"])}


def ranged(p: Names, i: Names) -> Values:
    x, h = i["x"], i["h0"]
    ys = []
    for t in range(1, x.shape[0]):
        h = h * x[t] - x[t - 1]
        ys.append(h)
    return {"h": h, "ys": jnp.stack(ys) if ys else jnp.zeros((0, 2))}


CASES = [
    Case("a recurrent net", """
dim T, B
input x: [T, B, 3]
input h0: [B, 4]
param U: [4, 4]
scan step[t in T] carry h = h0 {
    param W: [3, 4]
    next h = tanh(x[t] @ W + h @ U)
}
output last = h""", rnn, (("B", 2),)),
    Case("several carried and collected", """
dim T
input x: [T, 3]
input h0, c0: [3]
scan step[t in T] carry h = h0, c = c0 {
    new = sin(c + x[t])
    c1 = h * c - x[t]
    next h, c = new, c1
    collect ys = new
    collect sums = sum(c1)
}
output h, c, ys, sums""", collected),
    *(Case(f"along axis {axis}", f"""
dim T
input x: [{shape}]
input h0: [2, 3]
scan step[t in T] carry h = h0 {{
    next h = tanh(h * x[{at}])
    collect ys = 2 * tanh(h * x[{at}])
}}
output h, ys""", along(axis))
      for axis, shape, at in (
          (0, "T, 2, 3", "t"), (1, "2, T, 3", ":, t, :"), (2, "2, 3, T", ":, :, t"))),
    Case("forwards and backwards", """
dim T
input x: [T, 2]
input h0: [2]
scan step[t in T] carry h = h0 { next h = h * x[t] + x[T-1-t]**2 }
output h""", both_ways),
    Case("the index in numbers", """
dim T
input x: [T]
input h0
scan step[t in T] carry h = h0 { next h = h + 0.1 * t * x[t] + cos(t) / (t + 1) + t // 2 * T }
output h""", integers),
    Case("neighbours", """
dim T
input x: [T+2, 2]
input h0: [2]
scan step[t in T] carry h = h0 { next h = 0.9 * h + x[t+1] * x[t] - x[t+2] }
output h""", windows),
    Case("a range that begins later", """
dim T
input x: [T+1, 2]
input h0: [2]
scan step[t in 1..T] carry h = h0 {
    next h = h * x[t] - x[t-1]
    collect ys = h * x[t] - x[t-1]
}
output h, ys""", ranged),
    Case("nested scans", """
dim T, S
input x: [T, S]
input h0, w
scan row[t in T] carry h = h0, total = 0.0 {
    scan inner[s in S] carry g = h { next g = tanh(g + x[t, s] * h + s) }
    next h, total = g, total + g * w
}
output h, total""", nested, (("S", 3),)),
    Case("nested scans of vectors", """
dim T, S
input x: [T, S, 2]
input h0, w: [2]
scan row[t in T] carry h = h0, total = zeros([2]) {
    scan inner[s in S] carry g = h { next g = tanh(g + x[t, s] * h + s) }
    next h, total = g, total + g * w
}
output h, total""", nested, (("S", 3),)),
    Case("collected in a scan that collects", """
dim T, S
input x: [T, S]
input w
scan row[t in T] carry n = 0 {
    scan inner[s in S] carry g = 0.0 {
        next g = g + sin(x[t, s]) * w
        collect sums = g + sin(x[t, s]) * w
    }
    next n = n + 1
    collect ys = sums
}
output ys""", nested_collect, (("S", 3),)),
    Case("a repeat in a scan", """
dim T
input x: [T, 3]
input h0: [3]
scan step[t in T] carry h = h0 {
    repeat layer[k in 1..3] carry g = h {
        param W: [3, 3]
        next g = tanh(g @ W + x[t])
    }
    next h = g
}
output h""", repeat_in_scan),
    Case("a scan in a repeat", """
dim T
input x: [T, 3]
input h0: [3]
param gain: [3] ~ ones
repeat layer[k in 1..3] carry h = h0 {
    param W: [3, 3]
    scan step[t in T] carry g = h { next g = tanh(g @ W + x[t]) }
    next h = g * gain
}
output h""", scan_in_repeat),
    Case("loops in blocks", """
dim T
block encode(x: [T, D], h0: [H]) -> h: [H], total: [H] {
    scan step[t in T] carry h = h0 {
        h1 = rnn_cell(x[t], h) as cell
        next h = h1
        collect ys = h1
    }
    total = sum(ys, axis=0)
}
input x: [T, 2]
input h0: [3]
h1, a = encode(x, h0) as one
h2, b = encode(x, h1) as two
h3, c = one(x, h2)
output y = sum(a + 2*b + 3*c) + sum(h3)""", in_blocks),
    Case("tied and own parameters", """
input h0: [3]
instance ff = dense(3, act=tanh)
repeat layer[k in 2..4] carry h = h0 {
    h -> residual { dense(3, act=tanh) as own } -> residual { ff } -> g
    param s ~ 1
    next h = g * s
}
output h
output mixed = h @ layer.3.own.W + layer.2.s""", tied_and_own),
    Case("captured values", """
dim T
input x: [T, 3]
input h0: [3]
input A: [3, 2]
gram = A @ A.T
scan step[t in T] carry h = h0 { next h = tanh(gram @ h + x[t] + sum(x)) }
output h
output size = trace(gram)""",
         lambda p, i: {("trace_" if n == "trace" else n): v for n, v in captured(p, i).items()}),
    Case("integers and truth values carried", """
dim T
input x: [T, 2]
input h0: [2]
scan step[t in T] carry h = h0, n = 0, above = h0[0] > 0 {
    h1 = where(above, h + x[n], h * x[t])
    next h = h1
    next above = above or h1[0] > 0.5
    next n = (n + 2) % T
}
output h, n, above""", counted),
    Case("gradients inside", """
dim T
input x: [T, 3]
input w0, target: [3]
scan step[t in T] carry w = w0 {
    loss = sum((x[t] * w - target)**2) + sum(cosh(w))
    next w = w - 0.05 * grad(loss, w)
}
output w""", descent),
    Case("first and second derivative", """
dim T
input x: [T]
input s
scan step[t in T] carry h = s { next h = sin(h * x[t]) + s * h**2 }
output y = h
output d = grad(h, s)
output dd = grad(d, s)""", second),
]  # fmt: skip


@pytest.mark.parametrize("steps", [0, long(1), 7])
@in_turn("case", [c for c in CASES if "dim T" in c.text], ids=lambda c: c.name)
def test_any_number_of_steps(case: Case, steps: int) -> None:
    compare(case.text.strip(), case.reference, {**dict(case.dims), "T": steps})


@pytest.mark.parametrize("case", [c for c in CASES if "dim T" not in c.text], ids=lambda c: c.name)
def test_repeats(case: Case) -> None:
    compare(case.text.strip(), case.reference)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_numerical_check(case: Case) -> None:
    text = case.text.strip()
    model = compiled(text).model
    dims = {**dict(case.dims), "T": 4} if "dim T" in text else {}
    errors = module(text).check(**random_arguments(model, 3, dims))
    assert all(error < 1e-6 for error in errors.values() if not np.isnan(error))


INDEXED = """block inner(v: [1]) -> z: [1] {{
    scan s[{name} in 3] carry h = v {{ next h = 2 * h + {name} }}
    z = h * v
}}
input t, x, w: [1]
scan r[{name} in 3] carry h = t {{ next h = 2 * h + {name} }}
scan q[i in 2] carry {carried} = x {{
    g = inner({carried})
    next {carried} = sin(g) + {carried} * i
}}
a = dense(w, 1)
output y = h * t * x * w + {carried} + a + a.b"""


def indexed(p: Names, i: Names) -> Values:
    t, x, w = i["t"], i["x"], i["w"]
    g = x
    for k in range(2):
        g = jnp.sin((2 * (2 * (2 * g) + 1) + 2) * g) + g * k
    a = w @ p["a.W"] + p["a.b"]
    return {"y": (8 * t + 4) * t * x * w + g + a + p["a.b"]}


@pytest.mark.parametrize("name", ["t", "x", "w", "y", "range", "np", "FLOAT", "Cache", "a_b"])
def test_an_index_is_a_name_of_its_own(name: str) -> None:
    """Outside of the loop, and in loops around it, that name is what it was."""
    for carried in ("c", name if name not in ("t", "x", "w", "y") else "d"):
        text = INDEXED.format(name=name, carried=carried)
        compare(text, indexed, alike=INDEXED.format(name="k", carried="c"))


# ---- repeat: rolled or written out --------------------------------------------------------------


def net(count: int, *, flat: bool) -> str:
    """The same layers, as a repeat or as equations; parameters of the same paths but for dots."""
    lines = ["dim B", "input x: [B, 5]", "param gain: [5] ~ ones"]
    step = "tanh({h} @ {W} + {b}) * gain"
    if flat:
        for k in range(1, count + 1):
            lines += [f"param W{k}: [5, 5]", f"param b{k}: [5]"]
            before = "x" if k == 1 else f"h{k - 1}"
            lines.append(f"h{k} = {step.format(h=before, W=f'W{k}', b=f'b{k}')}")
        lines.append(f"h = h{count}")
    else:
        lines += [
            f"repeat layer[k in 1..{count}] carry h = x {{",
            "param W: [5, 5]",
            "param b: [5]",
        ]
        lines += [f"next h = {step.format(h='h', W='W', b='b')}", "}"]
    return "\n".join([*lines, "output h", "output loss = sum(h**2)"])


def flat_paths(rolled: Names) -> list[str]:
    """`layer.3.W` is `W3` where the layers are written out."""
    return ["".join(reversed(path.split(".")[1:])) or path for path in rolled]


@pytest.mark.parametrize("count", [1, 2, 6])
def test_rolled_is_written_out(count: int, level: str) -> None:
    exact = 0 if level == "-O0" else 1e-13
    rolled, flat = (module(net(count, flat=flat)) for flat in (False, True))
    x = np.random.default_rng(0).normal(size=(3, 5))
    params = {path: value + 0.1 for path, value in rolled.init(seed=1).items()}
    same = dict(zip(flat_paths(params), params.values(), strict=True))
    assert set(same) == set(flat.PARAMETERS)
    (one, cache), (other, flat_cache) = rolled.forward(params, x), flat.forward(same, x)
    agree(one.h, other.h, exact)
    agree(one.loss, other.loss, exact)
    gradients, expected = rolled.backward(cache, loss=1), flat.backward(flat_cache, loss=1)
    for path, gradient in zip(flat_paths(gradients), gradients.values(), strict=True):
        agree(gradient, expected[path], 1e-13)


def test_length_does_not_grow_with_the_layers() -> None:
    few, many = (compiled(net(count, flat=False)).text for count in (10, 10_000))
    assert many.count("\n") <= few.count("\n")
    assert len(many) - len(few) < 1000


def test_time_does_not_grow_with_the_layers(level: str) -> None:
    def work(count: int) -> int:
        text, options = net(count, flat=False), Options(level=level)
        return count_calls(lambda: compile_text(text, options=options))

    work(10)  # what is kept from the first time on is no matter
    assert work(10_000) < 1.5 * work(10)


def test_nested_repeats_are_loops() -> None:
    """Where the inner one has no parameters; else it is written out in the outer loop."""
    text = "input x: [3]\nrepeat a[i in 1..{n}] carry g = x {{ {more}\n"
    text += "repeat b[j in 1..{m}] carry h = g {{ {inner} }}\nnext g = h }}\noutput g"
    plain = {"more": "param s ~ 1", "inner": "next h = sin(h * s)"}
    # with few steps inside, the fast module computes for all steps what it leaves in the loop here
    few, many = (compiled(text.format(n=n, m=n, **plain)).text for n in (5_000, 10_000))
    assert few.count("\n") == many.count("\n")

    def reference(p: Names, i: Names) -> Values:
        g = i["x"]
        for k in (1, 2, 3):
            g = loop(4, lambda _, h, k=k: jnp.sin(h * p[f"a.{k}.s"]), g)
        return {"g": g}

    compare(text.format(n=3, m=4, **plain), reference)

    def own(p: Names, i: Names) -> Values:
        g = i["x"]
        for k in (1, 2, 3):
            for j in (1, 2):
                g = jnp.tanh(g @ p[f"a.{k}.b.{j}.W"])
        return {"g": g}

    inner = {"more": "", "inner": "param W: [3, 3]\nnext h = tanh(h @ W)"}
    compare(text.format(n=3, m=2, **inner), own)


def test_a_repeat_whose_shapes_vary_is_written_out() -> None:
    text = """input x: [2]
repeat layer[k in 1..3] carry h = x {
    next h = dense(h, k + 2, act=tanh) as fc
    collect sums = sum(h)
}
output h, sums"""

    def reference(p: Names, i: Names) -> Values:
        h, sums = i["x"], []
        for k in (1, 2, 3):
            sums.append(jnp.sum(h))
            h = jnp.tanh(h @ p[f"layer.{k}.fc.W"] + p[f"layer.{k}.fc.b"])
        return {"h": h, "sums": jnp.stack(sums)}

    compare(text, reference)
    assert [len(module(text).init()[f"layer.{k}.fc.b"]) for k in (1, 2, 3)] == [3, 4, 5]


def test_a_repeat_of_nothing() -> None:
    made = module("input x: [3]\nrepeat layer[k in 1..0] carry h = x { next h = 2 * h }\noutput h")
    x = np.arange(3.0)
    out, cache = made.forward(x)
    np.testing.assert_array_equal(out.h, x)
    np.testing.assert_array_equal(made.backward(cache, h=x)["x"], x)
    assert not np.shares_memory(out.h, x)


# ---- derivatives by parts of a family -----------------------------------------------------------


@pytest.mark.parametrize("layer", [1, 2, 4])
def test_one_layer_of_a_family(layer: int) -> None:
    base = net(4, flat=False)
    clauses = (
        f"grad loss wrt layer.{layer}.W, x, layer.1.b as one",
        "grad loss wrt layer.* as family",
        "grad loss wrt params as every",
    )
    made = module(base, derive=clauses)
    given = random_arguments(compiled(base).model)
    one, family, everything = (f(**given) for f in (made.one, made.family, made.every))
    assert list(one) == [f"layer.{layer}.W", "x", "layer.1.b"]
    assert set(family) == {path for path in everything if path.startswith("layer.")}
    for path, gradient in {**one, **family}.items():
        if path != "x":
            np.testing.assert_array_equal(gradient, everything[path])


def test_read_outside_and_differentiated() -> None:
    """`layer.3.W` counts with what reads it outside of the loop."""
    text = (
        net(3, flat=False)
        + """
penalty = sum(layer.3.W**2) + sum(layer.1.b)
output whole = loss + penalty
derive grad whole wrt layer.3.W, layer.1.b, layer.2.W as g
derive grad loss wrt params as plain"""
    )
    made = module(text)
    given = random_arguments(compiled(text).model)
    found, plain = made.g(**given), made.plain(**given)
    agree(found["layer.3.W"], plain["layer.3.W"] + 2 * given["params"]["layer.3.W"])
    agree(found["layer.1.b"], plain["layer.1.b"] + 1)
    agree(found["layer.2.W"], plain["layer.2.W"])


# ---- until --------------------------------------------------------------------------------------

NEWTON = """dim N
input a, start
input weight: [N]
scan step[t in N] carry h = start, n = 0, total = 0.0 {
    new = 0.5 * (h + a / h)
    next h, n, total = new, n + 1, total + new * weight[t]
    until abs(new - h) < tolerance
}
output h, total
output n
const tolerance = 1e-3
derive vjp h, total wrt a, start, weight as pulled"""


@pytest.mark.parametrize(("tolerance", "steps"), [("1e6", 1), ("1e-3", 5), ("1e-9", 6), ("-1", 9)])
def test_until(tolerance: str, steps: int) -> None:
    """The derivative is that of the steps taken: all until the condition, the last one too."""
    made = module(NEWTON, consts=(("tolerance", tolerance),))
    weight = np.random.default_rng(0).normal(size=9)
    given = {"a": 7.0, "start": 1.0, "weight": weight}

    def unrolled(a: Any, start: Any, weight: Any) -> Any:
        h, total = start, 0.0
        for t in range(steps):
            h = 0.5 * (h + a / h)
            total = total + h * weight[t]
        return h, total

    out, cache = made.forward(**given)
    assert out.n == steps
    expected, pull = jax.vjp(unrolled, *map(jnp.asarray, given.values()))
    agree(out.h, expected[0])
    agree(out.total, expected[1])
    gradients = pull((jnp.asarray(2.0), jnp.asarray(-3.0)))
    values, pulled = made.pulled(**given, cotangents={"h": 2.0, "total": -3.0})
    assert values == (out.h, out.total)
    for path, gradient in zip(given, gradients, strict=True):
        agree(pulled[path], gradient)
        agree(made.backward(cache, h=2.0, total=-3.0)[path], gradient)


def test_until_of_no_steps() -> None:
    made = module(NEWTON)
    out, cache = made.forward(7.0, 1.5, np.zeros(0))
    assert (out.h, out.total, out.n) == (1.5, 0, 0)
    gradients = made.backward(cache, h=2.0)
    assert (gradients["a"], gradients["start"], gradients["weight"].shape) == (0, 2, (0,))


# ---- arrays -------------------------------------------------------------------------------------


def test_no_steps_alias_nothing() -> None:
    text = """dim T
input x: [T, 3]
input h0: [3]
scan step[t in T] carry h = h0 {
    next h = h * x[t]
    collect ys = h
}
output h, ys
derive value h, ys
derive vjp h wrt h0, x as pulled"""
    made = module(text)
    h0 = np.ones(3)
    x, ct = np.zeros((0, 3)), np.arange(3.0)
    out, cache = made.forward(x, h0)
    values, pulled = made.pulled(x, h0, cotangents={"h": ct})
    gradients = made.backward(cache, h=ct)
    found = [out.h, made.value_h_ys(x, h0).h, values.h, pulled["h0"], gradients["h0"]]
    for array in found:
        assert not np.shares_memory(array, h0)
        assert not np.shares_memory(array, ct)
        array[:] = 5
    np.testing.assert_array_equal(h0, 1)
    np.testing.assert_array_equal(ct, np.arange(3.0))
    assert pulled["x"].shape == gradients["x"].shape == out.ys.shape == (0, 3)


@pytest.mark.readable
def test_memory_of_a_long_scan() -> None:
    """What the backward steps read, and the gradients: 16 bytes a step of a scalar recurrence.

    A million steps are taken; the memory is that of fewer, since tracing it takes long.
    """
    text = """dim T
input x: [T]
input a
scan step[t in T] carry h = 0.0 { next h = a * h + x[t] }
output h
derive value_and_grad h wrt a, x as g"""
    made = module(text)
    value, gradients = made.g(np.full(1_000_000, 0.5), 0.5)
    assert value == 1
    np.testing.assert_array_equal(gradients["x"][-3:], [0.25, 0.5, 1])
    agree(gradients["a"], 2.0)
    steps = 100_000
    x = np.full(steps, 0.5)
    tracemalloc.start()
    try:
        made.g(x, 0.5)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 * steps + 100_000


# ---- nothing is computed again ----------------------------------------------------------------

STEP = "tanh(w * g + v * x[t, s])"
NESTED = {
    "scan in scan": f"""
scan far[t in T] carry h = 0.0 {{
    scan near[s in S] carry g = h {{ next g = {STEP} }}
    next h = g
}}
""",
    "repeat in scan": """
scan far[t in T] carry h = 0.0 {
    repeat near[s in 1..5] carry g = h { next g = tanh(w * g + v * x[t, s]) }
    next h = g
}
""",
    "scan in repeat": """
repeat far[t in 1..4] carry h = 0.0 {
    param u
    scan near[s in S] carry g = h { next g = tanh(w * g + u * x[t, s]) }
    next h = g + v
}
""",
    "three deep": """
scan far[t in T] carry h = 0.0 {
    scan near[s in S] carry g = h {
        scan last[r in 1..3] carry f = g { next f = tanh(v * f + x[t, s] * r) }
        next g = f * w
    }
    next h = g
}
""",
    "until in scan": f"""
scan far[t in T] carry h = 0.0 {{
    scan near[s in S] carry g = h {{ next g = {STEP} ; until g < -0.3 }}
    next h = g
}}
""",
    "collected": f"""
scan far[t in T] carry h0 = 0.0 {{
    scan near[s in S] carry g = h0 {{ next g = {STEP} ; collect gs = g * g }}
    next h0 = g + sum(gs)
}}
h = h0
""",
}  # fmt: skip


class Counting:
    """NumPy, with a count of the calls of tanh."""

    def __init__(self) -> None:
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        self.calls += name == "tanh"
        return getattr(np, name)


@pytest.mark.readable
@pytest.mark.parametrize("name", NESTED)
def test_backward_computes_no_step_of_an_inner_loop_again(name: str) -> None:
    text = "dim T, S\ninput x: [T, S]\nparam w, v\n" + NESTED[name]
    text += "output loss = h**2\nderive value_and_grad loss wrt params, x\n"
    made = loaded(compiled(text).text, "nested")
    x = np.random.default_rng(0).normal(size=(6, 7))
    params = {path: np.float64(0.4 + 0.1 * n) for n, path in enumerate(made.PARAMETERS)}
    made.np = counting = Counting()
    _, cache = made.forward(params, x)
    forward = counting.calls
    made.backward(cache)
    assert counting.calls == forward > 10
    made.value_and_grad_loss(params, x)
    assert counting.calls == 2 * forward
    made.np = np
    assert max(made.check(params, x).values()) < 1e-6


def test_an_inner_loop_whose_length_varies_is_computed_again() -> None:
    """Its values fill no array, so the backward step makes them anew."""
    text = """
    dim T
    input x: [T]
    param w
    scan far[t in T] carry h = 0.0 {
        scan near[s in 0..t] carry g = h { next g = tanh(w * g + x[s]) }
        next h = g
    }
    output loss = h**2
    """
    made = loaded(compiled(text).text, "varying")
    x = np.random.default_rng(0).normal(size=6)
    assert max(made.check({"w": np.float64(0.7)}, x).values()) < 1e-6


# ---- rules --------------------------------------------------------------------------------------


def test_a_rule_takes_the_place_of_the_derivative() -> None:
    """A wrong one shows that it is used, and `check` says that it is wrong."""
    text = """block double(x: [...]) -> y: [...] {
    y = 2 * x
    rule vjp x = 3 * cotangent(y)
}
input x: [3]
output loss = sum(double(x)**2)"""
    made = module(text)
    x = np.arange(1.0, 4)
    (out, cache) = made.forward(x)
    assert out.loss == np.sum(4 * x**2)
    np.testing.assert_array_equal(made.backward(cache)["x"], 12 * x)
    with pytest.raises(ArithmeticError, match="derivatives that differ from numerical ones"):
        made.check(x)


def test_a_surrogate_is_not_compared() -> None:
    text = """block step(x: [...]) -> y: [...] {
    y = where(x > 0, 1.0, 0.0)
    rule surrogate x = cotangent(y) * exp(-x**2)
}
dim B
input x: [B]
param w: [B] ~ ones
output loss = sum(step(w * x))"""
    made = module(text)
    given = random_arguments(compiled(text).model, 0, {"B": 4})
    x, w = given["x"], given["params"]["w"]
    out, cache = made.forward(**given)
    assert out.loss == np.sum(w * x > 0)
    agree(made.backward(cache)["w"], x * np.exp(-((w * x) ** 2)))
    made.check(**given)


def test_rules_for_several_results_and_ports() -> None:
    """Each result has its part; a port without a rule keeps its own derivative."""
    text = """block polar(x: [...], y: [...], scale: [...]) -> r: [...], t: [...] {
    r = scale * sqrt(x**2 + y**2)
    t = atan2(y, x)
    rule vjp x = cotangent(r) * scale**2 * x / r - cotangent(t) * y * (scale / r)**2
    rule vjp y = cotangent(r) * scale**2 * y / r + cotangent(t) * x * (scale / r)**2
}
dim B
input a, b, s: [B]
r, t = polar(a, b, s) as p
output r, t
output both = sum(r * t)"""

    def reference(p: Names, i: Names) -> Values:
        r, t = i["s"] * jnp.sqrt(i["a"] ** 2 + i["b"] ** 2), jnp.arctan2(i["b"], i["a"])
        return {"r": r, "t": t, "both": jnp.sum(r * t)}

    compare(text, reference)


def test_second_derivative_of_a_rule() -> None:
    """It differentiates the rule, which here says that the derivative of sin is x**3."""
    text = """block f(x: []) -> y: [] {
    y = sin(x)
    rule vjp x = cotangent(y) * x**3
}
input x
y = f(x)
output first = grad(y, x)
output second = grad(first, x)
output mixed = grad(first * y, x)"""
    out, cache = module(text).forward(2.0)
    assert (out.first, out.second) == (8, 12)
    agree(out.mixed, 12 * np.sin(2) + 8 * 8)
    agree(module(text).backward(cache, second=1.0)["x"], 12.0)


def test_a_rule_in_a_loop() -> None:
    text = """block soft(x: [...]) -> y: [...] {
    y = floor(x)
    rule surrogate x = cotangent(y) * cos(x)
}
dim T
input x: [T]
scan step[t in T] carry h = 0.5 { next h = soft(3 * h + x[t]) + 0.1 * h }
output h"""

    @jax.custom_vjp
    def soft(x: Any) -> Any:
        return jnp.floor(x)

    soft.defvjp(lambda x: (jnp.floor(x), x), lambda x, ct: (ct * jnp.cos(x),))

    def reference(p: Names, i: Names) -> Values:
        return {"h": loop(5, lambda t, h: soft(3 * h + i["x"][t]) + 0.1 * h, jnp.asarray(0.5))}

    compare(text, reference, {"T": 5})


def test_a_rule_that_reads_arguments_and_captured_values() -> None:
    text = """block scaled(x: [D], n: int, act: fn = tanh) -> y: [D] {
    param s: [D] ~ ones
    z = act(n * s * x)
    y = z
    rule vjp x = cotangent(y) * n * s * (1 - z**2)
}
input x: [3]
y = scaled(x, 2)
output loss = sum(y**2)"""

    def reference(p: Names, i: Names) -> Values:
        return {"loss": jnp.sum(jnp.tanh(2 * p["y.s"] * i["x"]) ** 2)}

    compare(text, reference)


# ---- imports ------------------------------------------------------------------------------------


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.graph"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_blocks_and_modules(tmp_path: Path) -> None:
    """By name, by another name, as a whole, from a folder below; own blocks stay one's own."""
    helper = "block half(x: [...]) -> y: [...] {{ y = x / {} }}"
    write(
        tmp_path,
        main="""from "blocks.graph" import outer_, half as halved
import "below/more.graph" as more
block half(x: [...]) -> y: [...] { y = 1000 * x }
input x: [3]
output a = outer_(x)
output b = halved(x)
output c = more.third(x)
output d = half(x)
y = more.linear(x, 2)
output e = more.linear(x, 2, act=tanh) as other
output f = y + y.fc.W[0, 0]""",
        blocks=helper.format(2) + "\nblock outer_(x: [...]) -> y: [...] { y = half(half(x)) }",
        below__more="""from "deep.graph" import half
block third(x: [...]) -> y: [...] { y = half(x) + 1 }
block linear(x: [..., K], units: int, act: fn = id) -> y: [..., units] {
    y = dense(x, units, act=act) as fc
}
input ignored: [3]
output also_ignored = ignored""",
        below__deep=helper.format(3),
    )  # fmt: skip
    made = module(tmp_path / "main.graph")
    x = np.array([1.0, 2, 3])
    assert made.PARAMETERS == ("y.fc.W", "y.fc.b", "other.fc.W", "other.fc.b")
    out = made.forward(made.init(), x)[0]
    for name, expected in {"a": x / 4, "b": x / 2, "c": x / 3 + 1, "d": 1000 * x}.items():
        agree(getattr(out, name), expected)


def test_a_diamond_is_one_file(tmp_path: Path) -> None:
    """Two ways to one file end at the same block, which may be used through both."""
    write(
        tmp_path,
        main="""import "left.graph" as left
import "right.graph" as right
from "base.graph" import base
input x: [3]
output y = left.f(x) + right.f(x) + base(x)""",
        left='from "base.graph" import base\nblock f(x: [...]) -> y: [...] { y = base(x) }',
        right='import "base.graph" as b\nblock f(x: [...]) -> y: [...] { y = 2 * b.base(x) }',
        base="block base(x: [...]) -> y: [...] { y = sin(x) }",
    )
    made = module(tmp_path / "main.graph")
    x = np.array([1.0, 2, 3])
    agree(made.forward(x)[0].y, 4 * np.sin(x))


@pytest.mark.parametrize("loop", ["scan s[t in 3]", "repeat s[t in 3]"])
def test_a_carried_value_is_collected_as_the_step_begins(loop: str) -> None:
    """Above and below `next h` alike; what the next step gets has a name of its own."""
    made = module(
        f"""input x: [3]
        {loop} carry h = 1.0 {{
            collect before = h
            n = h * x[t]
            next h = n
            collect below = h
            collect after = n
        }}
        output before, below, after, h"""
    )
    out = made.forward(np.array([2.0, 3.0, 4.0]))[0]
    for name, expected in {"before": [1, 2, 6], "below": [1, 2, 6], "after": [2, 6, 24]}.items():
        np.testing.assert_array_equal(getattr(out, name), expected)
    assert out.h == 24
