"""The programs of the language in JAX: parameters and inputs -> outputs."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Names = Mapping[str, Any]
Values = dict[str, Any]


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
