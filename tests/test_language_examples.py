"""The twelve programs of the language against JAX, on random and on ADBench's data."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from graphc.pipeline import Options, Result, compile_file, load
from graphc.sample import arguments

TESTS = Path(__file__).parent
EXAMPLES = TESTS / "language" / "examples"
ADBENCH = TESTS / "data" / "adbench"
TOLERANCE = 1e-10
Names = Mapping[str, Any]
Values = dict[str, Any]


# ---- the references: parameters and inputs -> outputs -------------------------------------------


def net321(p: Names, i: Names) -> Values:
    a1 = jax.nn.sigmoid(jnp.einsum("ij,j->i", p["W1"], i["x"]) + p["b1"])
    a2 = jax.nn.sigmoid(jnp.einsum("ij,j->i", p["W2"], a1) + p["b2"])
    return {"a2": a2, "loss": jnp.sum(jnp.square(a2 - i["t"])) / 2}


def scalar(p: Names, i: Names) -> Values:
    return {"f": 3 * i["x"] ** 2 * i["y"], "g": 2 * i["x"] + i["y"] ** 8}


def dense(p: Names, path: str, x: Any) -> Any:
    return x @ p[f"{path}.W"] + p[f"{path}.b"]


def mlp(p: Names, path: str, x: Any, act: Callable[[Any], Any] = jax.nn.relu) -> Any:
    """One hidden layer."""
    return dense(p, f"{path}.head", act(dense(p, f"{path}.layer.0.fc", x)))


def layers(p: Names, i: Names) -> Values:
    u = v = i["x"]
    for k in range(1, 5):
        u = jnp.tanh(dense(p, f"layer.{k}", u))
        v = jnp.tanh(dense(p, f"edge.{k}", v))
    return {"u": u, "v": v, "loss": jnp.mean((u - v) ** 2)}


def cross_entropy(logits: Any, label: Any) -> Any:
    chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), label[..., None], axis=-1)
    return -jnp.mean(chosen)


def resmlp(p: Names, i: Names) -> Values:
    x = i["x"]
    h1 = x + dense(p, "a2", jax.nn.relu(dense(p, "a1", x)))
    h2 = jax.nn.relu(h1 + mlp(p, "f2", h1))
    h3 = dense(p, "proj", h2) + mlp(p, "body", h2)
    heads = [jnp.tanh(dense(p, "p8", h3)), jnp.tanh(dense(p, "p4", h3)), h3]
    logits = dense(p, "logits", jnp.concatenate(heads, axis=-1))
    return {"logits": logits, "loss": cross_entropy(logits, i["t"])}


def lstm(p: Names, i: Names) -> Values:
    def step(carry: Any, x: Any) -> Any:
        h, c = carry
        z = x @ p["step.cell.W"] + h @ p["step.cell.U"] + p["step.cell.b"]
        n = h.shape[-1]
        inward, forget, candidate, outward = (z[:, k * n : (k + 1) * n] for k in range(4))
        c = jax.nn.sigmoid(forget) * c + jax.nn.sigmoid(inward) * jnp.tanh(candidate)
        h = jax.nn.sigmoid(outward) * jnp.tanh(c)
        return (h, c), dense(p, "step.readout", h)

    (h, _), ys = jax.lax.scan(step, (i["h0"], i["c0"]), jnp.moveaxis(i["x"], 1, 0))
    pred = jnp.moveaxis(ys, 0, 1)
    return {"pred": pred, "h_last": h, "loss": jnp.mean((pred - i["target"]) ** 2)}


def gmm(p: Names, i: Names, gamma: float = 1.0, m: int = 0) -> Values:
    """As ADBench's `gmm.py`: one triangular factor per component, with its diagonal."""
    x, alpha, mu, icf = i["x"], i["alpha"], i["mu"], i["icf"]
    n, d = x.shape
    rows, columns = np.triu_indices(d, 1)[::-1]  # below the diagonal, by columns

    def component(log_weight: Any, centre: Any, factor: Any) -> Any:
        q = jnp.diag(jnp.exp(factor[:d])).at[rows, columns].set(factor[d:])
        return log_weight + jnp.sum(factor[:d]) - 0.5 * jnp.sum(((x - centre) @ q.T) ** 2, axis=1)

    terms = jax.vmap(component)(alpha, mu, icf)
    likelihood = jnp.sum(jax.nn.logsumexp(terms, axis=0)) - n * jax.nn.logsumexp(alpha)
    freedom = d + m + 1
    log_gamma = d * (d - 1) / 4 * math.log(math.pi) + sum(
        math.lgamma((freedom - j) / 2) for j in range(d)
    )
    norm = freedom * d * (math.log(gamma) - 0.5 * math.log(2)) - log_gamma
    squares = jnp.sum(jnp.exp(2 * icf[:, :d])) + jnp.sum(icf[:, d:] ** 2)
    prior = 0.5 * gamma**2 * squares - m * jnp.sum(icf[:, :d]) - len(alpha) * norm
    return {"err": -n * d * 0.5 * math.log(2 * math.pi) + likelihood + prior}


def layernorm(p: Names, path: str, x: Any) -> Any:
    return jax.nn.standardize(x, epsilon=1e-5) * p[f"{path}.gain"] + p[f"{path}.bias"]


def attention(p: Names, path: str, x: Any, heads: int, causal: bool) -> Any:
    """Head by head, whose columns lie side by side."""
    width = x.shape[-1] // heads
    parts = []
    for h in range(heads):
        columns = slice(h * width, (h + 1) * width)
        q, k, v = (x @ p[f"{path}.{name}"][:, columns] for name in ("Wq", "Wk", "Wv"))
        s = q @ jnp.swapaxes(k, 1, 2) / math.sqrt(width)
        seen = jnp.tril(jnp.ones(s.shape[1:], bool)) if causal else True
        parts.append(jax.nn.softmax(jnp.where(seen, s, -jnp.inf)) @ v)
    return jnp.concatenate(parts, axis=-1) @ p[f"{path}.Wo"]


def transformer(p: Names, i: Names) -> Values:
    x = p["emb.E"][i["ids"]] + p["pos"]
    for k in (1, 2):
        x = x + attention(p, f"layer.{k}.att", layernorm(p, f"layer.{k}.ln1", x), 4, True)
        gelu = functools.partial(jax.nn.gelu, approximate=False)
        x = x + mlp(p, f"layer.{k}.ff", layernorm(p, f"layer.{k}.ln2", x), gelu)
    logits = layernorm(p, "h", x) @ p["emb.E"].T
    return {"logits": logits, "loss": cross_entropy(logits, i["labels"])}


def cnn(p: Names, i: Names) -> Values:
    def conv(path: str, x: Any, stride: int = 1) -> Any:
        y = jax.lax.conv_general_dilated(x, p[f"{path}.W"], (stride, stride), [(1, 1), (1, 1)])
        return y + p[f"{path}.b"][:, None, None]

    x = jax.nn.relu(conv("c1", i["image"]))
    x = x.reshape(*x.shape[:2], 14, 2, 14, 2).max((3, 5))
    x = jax.nn.relu(x + conv("r2", jax.nn.relu(conv("r1", x))))
    x = jax.nn.relu(conv("c2", x, 2))
    logits = dense(p, "logits", x.reshape(len(x), -1))
    return {"logits": logits, "loss": cross_entropy(logits, i["label"])}


def project(cam: Any, point: Any) -> Any:
    """One point in one camera (ADBench's `ba.py`)."""
    x, r = point - cam[3:6], cam[:3]
    square = jnp.sum(r * r)
    angle = jnp.sqrt(jnp.where(square > 0, square, 1.0))
    w = r / angle
    cross = jnp.cross(w, x)
    turned = x * jnp.cos(angle) + cross * jnp.sin(angle) + w * (w @ x) * (1 - jnp.cos(angle))
    x = jnp.where(square > 0, turned, x + jnp.cross(r, x))
    flat = x[:2] / x[2]
    square = flat @ flat
    return flat * (1 + cam[9] * square + cam[10] * square**2) * cam[6] + cam[7:9]


def bundle(p: Names, i: Names) -> Values:
    cam, pt = i["cams"][i["obs"][:, 0]], i["pts"][i["obs"][:, 1]]
    wt = i["wt"]
    return {"e": wt[:, None] * (jax.vmap(project)(cam, pt) - i["feat"]), "ew": 1 - wt * wt}


def linreg(p: Names, i: Names) -> Values:
    yhat = jnp.einsum("nd,d->n", i["X"], p["w"]) + p["b"]
    return {"yhat": yhat, "loss": jnp.mean((yhat - i["y"]) ** 2) + 1e-2 * jnp.sum(p["w"] ** 2)}


def rules(p: Names, i: Names) -> Values:
    a = 4 * jnp.logaddexp(i["x"], 0)
    q = (a + jax.lax.stop_gradient(jnp.floor(a + 0.5) - a)) / 4
    return {"q": q, "loss": jnp.sum(q**2)}


def sharing(p: Names, i: Names) -> Values:
    towers = [jnp.tanh(dense(p, "a", i[name])) for name in ("u", "v")]
    dist = jnp.sum((towers[0] - towers[1]) ** 2, axis=-1)
    y = i["x"]
    for k in (1, 2, 3):
        y = y + attention(p, f"layer.{k}.att", layernorm(p, f"layer.{k}.n1", y), 4, False)
        y = y + mlp(p, "ff", layernorm(p, f"layer.{k}.n2", y))
    z = jnp.logaddexp(y, 0)
    return {"dist": dist, "y": y, "z": z, "loss": jnp.mean(dist) + jnp.mean(z**2)}


# ---- the programs -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Program:
    """A file and its reference."""

    stem: str
    reference: Callable[[Names, Names], Values]


PROGRAMS = [
    Program("01_net321", net321),
    Program("02_scalar", scalar),
    Program("03_layers", layers),
    Program("04_resmlp", resmlp),
    Program("05_lstm", lstm),
    Program("06_gmm", gmm),
    Program("07_transformer", transformer),
    Program("08_cnn", cnn),
    Program("09_bundle", bundle),
    Program("10_linreg", linreg),
    Program("11_rules", rules),
    Program("12_sharing", sharing),
]
BUNDLE = PROGRAMS[8]
BY_STEM = pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.stem)


@functools.cache
def compiled(program: Program, derive: tuple[str, ...] = ()) -> Result:
    return compile_file(EXAMPLES / f"{program.stem}.graph", Options(derive=derive))


@functools.cache
def module(program: Program, derive: tuple[str, ...] = ()) -> ModuleType:
    return load(compiled(program, derive).text, f"{program.stem}_{len(derive)}")


@functools.cache
def products(program: Program) -> ModuleType:
    """The module with `pulled`: all outputs, pulled back to all parameters and inputs."""
    model = compiled(program).model
    outputs = ", ".join(d.name for d in model.outputs)
    return module(program, (f"vjp {outputs} wrt params, inputs as pulled",))


def drawn(program: Program, seed: int = 0) -> tuple[Values, Values]:
    """Random parameters and inputs, in small sizes."""
    values = arguments(compiled(program).model, seed)
    return values.pop("params", {}), values


def floats(values: Names) -> Values:
    return {name: x for name, x in values.items() if np.asarray(x).dtype.kind == "f"}


def agree(found: Any, expected: Any) -> None:
    """Equal to the tolerance, relative to the largest element."""
    assert np.shape(found) == np.shape(expected)
    scale = max(1.0, float(np.max(np.abs(expected), initial=0)))
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE, atol=TOLERANCE * scale)


def compare(program: Program, params: Values, inputs: Values) -> None:
    """The outputs, and random cotangents of all of them pulled back to all there is."""
    made = products(program)
    whole = {name: x for name, x in inputs.items() if name not in floats(inputs)}

    def reference(params: Names, moving: Names) -> Values:
        return program.reference(params, {**whole, **moving})

    @jax.jit
    def run(params: Values, moving: Values, cotangents: Values) -> Any:
        values, pull = jax.vjp(reference, params, moving)
        return values, *pull(cotangents)

    rng = np.random.default_rng(1)
    shapes = jax.eval_shape(reference, params, floats(inputs))
    cotangents = {name: rng.normal(size=shape.shape) for name, shape in shapes.items()}
    expected, by_params, by_inputs = run(params, floats(inputs), cotangents)
    first = {"params": params} if params else {}
    values, pulled = made.pulled(**first, **inputs, cotangents=cotangents)
    outputs, cache = made.forward(**first, **inputs)
    assert set(values._fields) == set(expected)
    for name, value in expected.items():
        agree(getattr(values, name), value)
        agree(getattr(outputs, name), value)
    assert set(pulled) == {*by_params, *by_inputs}
    for path, gradient in {**by_params, **by_inputs}.items():
        agree(pulled[path], gradient)
    for path, gradient in made.backward(cache, **cotangents).items():
        agree(gradient, pulled[path])


@BY_STEM
def test_compiles_without_a_warning(program: Program) -> None:
    assert compiled(program).warnings == ()


@BY_STEM
def test_values_and_gradients(program: Program) -> None:
    compare(program, *drawn(program))


@pytest.mark.parametrize(
    "program", [one for one in PROGRAMS if one is not BUNDLE], ids=lambda program: program.stem
)
def test_derived_functions(program: Program) -> None:
    """What the clauses ask for, in the order of their paths, by JAX."""
    made, model = module(program), compiled(program).model
    params, inputs = drawn(program, 2)
    given = ({"params": params} if params else {}) | inputs
    moving = {**params, **floats(inputs)}
    rng = np.random.default_rng(3)
    for one in model.derivations:
        outputs, single = [name for name, _ in one.outputs], [p for p, _ in one.wrt if "*" not in p]

        def values(moved: Names, outputs: list[str] = outputs) -> Values:
            all_params = {name: moved[name] for name in params}
            found = program.reference(all_params, {**inputs, **moved})
            return {name: found[name] for name in outputs}

        def scalar(moved: Names, values: Any = values, name: str = outputs[0]) -> Any:
            return values(moved)[name]

        found = getattr(made, one.name)
        match one.kind:
            case "grad":
                compare_blocks(found(**given), jax.jit(jax.grad(scalar))(moving), single)
            case "jacobian":
                expected = jax.jit(jax.jacrev(values))(moving)
                blocks = found(**given)
                assert list(blocks) == outputs
                for name in outputs:
                    compare_blocks(blocks[name], expected[name], single)
            case "jacobian_matrix":
                expected = jax.jit(jax.jacrev(values))(moving)
                cells = [[np.atleast_2d(expected[n][p]) for p in single] for n in outputs]
                agree(found(**given), np.block(cells))
            case "hessian":
                expected = jax.jit(jax.hessian(scalar))(moving)
                blocks = found(**given)
                assert list(blocks) == single
                for path in single:
                    compare_blocks(blocks[path], expected[path], single)
            case "hvp":
                tangents = {path: rng.normal(size=np.shape(moving[path])) for path in single}
                whole = {path: np.zeros(np.shape(x)) for path, x in moving.items()} | tangents
                gradients, products = found(**given, tangents=tangents)
                expected = jax.jit(lambda t, f=scalar: jax.jvp(jax.grad(f), (moving,), (t,)))(whole)
                compare_blocks(gradients, expected[0], single)
                compare_blocks(products, expected[1], single)
            case kind:
                pytest.fail(f"no reference for {kind}")


def compare_blocks(found: Any, expected: Names, single: list[str]) -> None:
    """A dict by path; `single` are the paths that are no families, in order."""
    assert [path for path in found if path in single] == single
    for path, block in found.items():
        agree(block, expected[path])


@BY_STEM
def test_check_agrees(program: Program) -> None:
    made = module(program)
    params, inputs = drawn(program, 3)
    errors = made.check(**({"params": params} if params else {}), **inputs)
    assert all(error < 1e-6 for error in errors.values() if not np.isnan(error))


def test_jacobian_of_two_scalar_functions() -> None:
    x, y = 1.5, 0.7
    found = module(PROGRAMS[1]).J(x, y)
    np.testing.assert_allclose(found, [[6 * x * y, 3 * x**2], [2, 8 * y**7]], rtol=1e-15)


def test_jacobian_of_each_observation() -> None:
    made = module(BUNDLE)
    _, inputs = drawn(BUNDLE)
    cam, pt = inputs["cams"][inputs["obs"][:, 0]], inputs["pts"][inputs["obs"][:, 1]]

    def residual(cam: Any, pt: Any, wt: Any, feat: Any) -> Any:
        return wt * (project(cam, pt) - feat)

    jacobians = jax.vmap(jax.jacobian(residual, (0, 1, 2)))
    expected = jax.jit(jacobians)(cam, pt, inputs["wt"], inputs["feat"])
    found = made.Je(**inputs)["e"]
    assert list(found) == ["cam", "pt", "wt"]
    for block, whole in zip(found.values(), expected, strict=True):
        agree(block, whole)
    agree(made.Jw(**inputs)["ew"]["wt"], -2 * inputs["wt"])


def test_rotation_of_no_angle() -> None:
    """The branch that is not taken gives no nan."""
    program = PROGRAMS[8]
    params, inputs = drawn(program)
    inputs["cams"][:, :3] = 0
    compare(program, params, inputs)


# ---- real data ----------------------------------------------------------------------------------


def numbers(name: str) -> Iterator[float]:
    return map(float, (ADBENCH / name).read_text(encoding="ascii").split())


def take(values: Iterator[float], *shape: int) -> Any:
    return np.array([next(values) for _ in range(math.prod(shape))]).reshape(shape)


def test_gaussian_mixture_of_adbench() -> None:
    values = numbers("gmm_d10_K25.txt")
    d, k, n = map(int, take(values, 3))
    shapes = {"alpha": (k,), "mu": (k, d), "icf": (k, d + d * (d - 1) // 2), "x": (n, d)}
    inputs = {name: take(values, *shape) for name, shape in shapes.items()}
    assert [*values] == [1.0, 0.0], "gamma and m are what the file says"
    compare(PROGRAMS[5], {}, inputs)


def test_sequence_of_adbench() -> None:
    """The next character from those before it."""
    values = numbers("lstm_l2_c1024.txt")
    count, length, bits = map(int, take(values, 3))
    take(values, 2 * count * 4 * bits + 3 * bits + 2 * count * bits)
    sequence = take(values, length, bits)
    assert [*values] == []
    assert set(np.unique(sequence)) == {0.0, 1.0}
    state = np.zeros((1, 32))
    inputs = {"x": sequence[None, :-1], "h0": state, "c0": state, "target": sequence[None, 1:]}
    params = products(PROGRAMS[4]).init(seed=0)
    compare(PROGRAMS[4], params, inputs)


def test_bundle_adjustment_of_adbench() -> None:
    values = numbers("ba1_n49_m7776_p31843.txt")
    n, m, p = map(int, take(values, 3))
    cam, point, weight, feature = (take(values, size) for size in (11, 3, 1, 2))
    assert [*values] == []
    each = np.arange(p)
    inputs = {
        "cams": np.tile(cam, (n, 1)),
        "pts": np.tile(point, (m, 1)),
        "wt": np.tile(weight, p),
        "obs": np.stack([each % n, each % m], axis=1),
        "feat": np.tile(feature, (p, 1)),
    }
    compare(PROGRAMS[8], {}, inputs)
