"""Graphs with what becomes of each result over the rows of B, by hand."""

from __future__ import annotations

NO = "not split"

GRAPHS: dict[str, tuple[str, dict[str, str]]] = {
    "mean": (
        """
dim B
input x: [B, 3]
input t: [B]
param w: [3]
output loss = mean((x @ w - t)**2)
derive value_and_grad loss wrt params
""",
        {"loss": "averaged", "by w": "averaged"},
    ),
    "sum": (
        """
dim B
input x: [B, 3]
input t: [B]
param w: [3]
output loss = sum(tanh(x @ w) * t)
derive value_and_grad loss wrt w, x
""",
        {"loss": "summed", "by w": "summed", "by x": "concatenated"},
    ),
    "weighted mean": (
        """
dim B
input x: [B, 3]
input t: [B]
param w: [3]
output loss = sum(exp(t) * (x @ w)**2) / sum(exp(t))
derive value_and_grad loss wrt params
""",
        {"loss": "merged", "by w": "merged"},
    ),
    "logsumexp": (
        """
dim B
input x: [B, 3]
input t: [B]
param w: [3]
output loss = logsumexp(100 * (x @ w) + t)
derive value_and_grad loss wrt w, x
""",
        {"loss": "merged", "by w": "merged", "by x": "concatenated"},
    ),
    "logsumexp written out": (
        """
dim B
input x: [B, 3]
input t: [B]
param w: [3]
output loss = log(sum(exp(x @ w + t)))
derive value_and_grad loss wrt params
""",
        {"loss": "merged", "by w": "merged"},
    ),
    "ties": (
        """
dim B
input x: [B, 3]
input t: [B]
param w: [3]
output loss = max(floor(x @ [1.0, 0.0, 0.0]) + 0.0 * t + sum(w)) - min(floor(t) + w[0])
derive value_and_grad loss wrt params
""",
        {"loss": "merged", "by w": "merged"},
    ),
    "moments": (
        """
dim B
input x: [B, 3]
input t: [B]
param w: [3]
output loss = var(x @ w + 1000) + std(t * w[0], ddof=1) + norm(x @ w)
derive value_and_grad loss wrt params
""",
        {"loss": "merged", "by w": "merged"},
    ),
    "a softmax that is summed": (
        """
dim B
input x: [B, 3]
input t: [B]
param w: [3]
pooled = sum(softmax(x @ w)[:, _] * x, axis=0)
output loss = sum(pooled**2)
derive value_and_grad loss wrt params
""",
        {"loss": "merged", "by w": "merged"},
    ),
    "per example": (
        """
dim B
input x: [B, 3]
input t: [B]
param w: [3]
output y = tanh(x * w) + t[:, _]
output loss = mean(y**2)
derive value y, loss
derive jacobian y wrt w per B
derive grad loss wrt w per B
""",
        {"y": "concatenated", "loss": "averaged", "y by w": "concatenated",
         "by w": "concatenated"},
    ),
    "a parameter used twice": (
        """
dim B
input x: [B, 3]
input t: [B]
param w: [3]
h = sigmoid(x * w)
output loss = mean((h @ w - t)**2) + 0.1 * sum(w**2)
derive value_and_grad loss wrt params
derive hessian loss wrt w
""",
        {"loss": "averaged", "by w": "averaged", "w by w": "averaged"},
    ),
    "a penalty beside a sum": (
        """
dim B
input x: [B, 3]
input t: [B]
param w: [3]
output loss = sum((x @ w - t)**2) + sum(w**2)
derive value_and_grad loss wrt params
""",
        {"loss": "merged", "by w": "merged"},
    ),
    "a function of a sum": (
        """
dim B
input x: [B, 3]
input t: [B]
param w: [3]
output loss = log(sum((x @ w - t)**2) / B) * w[1] + sqrt(mean(t**2))
derive value_and_grad loss wrt params
""",
        {"loss": "merged", "by w": "merged"},
    ),
    "few components": (
        """
dim B
input x: [B, 3]
input t: [B]
param w: [3]
centre = mean(x * w * t[:, _], axis=0)
output cov: [3, 3] = x.T @ x / B
output loss = log(sum(exp(centre)**2))
derive value_and_grad loss wrt params
derive value cov
""",
        {"cov": "averaged", "loss": "merged", "by w": "merged"},
    ),
    "classes": (
        """
dim B
input x: [B, 3]
input t: [B]
input ids: int[B]
param w: [3]
logits = x * w
picked = pick(log_softmax(logits), ids)
output counts = segment_sum(t, ids, 3)
output loss = -mean(where(t > 0, picked, stop(picked)))
derive value_and_grad loss wrt params
derive value counts
""",
        {"counts": "summed", "loss": "averaged", "by w": "averaged"},
    ),
    "a loop with rows inside": (
        """
dim B
dim T = 3
input x: [B, T]
input t: [B]
param w: [3]
scan s[k in T] carry h = zeros([B]) {
    next h = tanh(x[:, k] * w[0] + h * w[1] + t * w[2])
    collect hs = h
}
output states: [T, B] = hs
output loss = mean(h**2)
derive value_and_grad loss wrt params
derive value states
derive grad loss wrt w per B
""",
        {"states": "concatenated", "loss": "averaged", "by w": "concatenated"},
    ),
    "a loop that sums": (
        """
dim B
dim T = 3
input x: [B, T]
input t: [B]
param w: [3]
scan s[k in T] carry total = 0.0 {
    next total = total + w[k] * sum(x[:, k] * t)
}
output loss = total
derive value_and_grad loss wrt params
""",
        {"loss": "summed", "by w": "summed"},
    ),
    "second derivatives of a loop": (
        """
dim B
dim T = 3
input x: [B, T]
param w: [2]
scan s[k in T] carry h = zeros([B]) {
    next h = tanh(h * w[0] + x[:, k] * w[1])
    collect hs = h
}
output loss = mean(hs**2)
derive hessian loss wrt w
""",
        {"loss": "averaged", "w by w": "averaged"},
    ),
    "means of groups": (
        """
dim B
input x: [B, 3]
input ids: int[B]
param w: [3]
output means = segment_sum(x @ w, ids, 3) / maximum(segment_sum(ones([B]), ids, 3), 1)
output loss = sum(log(1 + means**2)) + w[0]**2
derive value_and_grad loss wrt w, x
derive value means
""",
        {"means": "merged", "loss": "merged", "by w": "merged", "by x": "concatenated"},
    ),
    "the largest of each column": (
        """
dim B
input x: [B, 3]
param w: [3]
block rounded(x: [...]) -> y: [...] {
    y = floor(4 * x) / 4
    rule surrogate x = cotangent(y)
}
u = rounded(tanh(x * w))
output rows = u + sum(w)
output score = sum(max(u, axis=0) * w) + norm(u)
derive value_and_grad score wrt w, x
derive value rows
derive grad score wrt w, x as by_rows
""",
        {"rows": "concatenated", "score": "merged", "by w": "merged", "by x": "concatenated"},
    ),
    "residual branches": (
        """
dim B
input x: [B, 3]
input t: [B]
x -> repeat layer[k in 1..3] { residual { layernorm as n -> mlp([4, 3]) as ff } } -> z
z -> (dense(2) as one, mlp([3, 2]) as two) -> add -> y
output loss = mean(y**2) + mean(t)
derive value_and_grad loss wrt params
""",
        {"loss": "averaged", "by layer.*.n.gain": "averaged", "by one.W": "averaged"},
    ),
    "yes or no": (
        """
dim B
input x: [B, 3]
input t: [B]
output positive = all(t > 0)
output some = any(x > 1, axis=0)
output often = count_nonzero(x > 0)
output product = prod(1 + 0.01 * t)
derive value positive, some, often, product
""",
        {"positive": "merged", "some": "merged", "often": "summed", "product": "merged"},
    ),
    "batch statistics": (
        """
dim B
input x: [B, 3]
output loss = sum(batchnorm(x) as n)
derive value_and_grad loss wrt params
""",
        {"loss": NO, "loss by n.gain, n.bias": NO},
    ),
    "softmax over B": (
        """
dim B
input x: [B, 3]
param w: [3]
output y = softmax(x @ w)
output z = log_softmax(x @ w)
""",
        {"y": NO, "z": NO},
    ),
    "sort": (
        """
dim B
input x: [B, 3]
output y = sort(x, axis=0)
output z = sort(x, axis=1)
output m = median(x[:, 0])
output best = argmax(x[:, 0])
""",
        {"y": NO, "z": "concatenated", "m": NO, "best": NO},
    ),
    "running sums": (
        """
dim B
input x: [B, 3]
output y = cumsum(x, axis=0)
output z = cumsum(x, axis=1)
output d = diff(x[:, 0])
scan s[b in B] carry h = 0.0 { next h = 0.9 * h + x[b, 0] }
output e = h
scan each[b in B] { collect squares = sum(x[b]**2) }
output f = squares
""",
        {"y": NO, "z": "concatenated", "d": NO, "e": NO, "f": "concatenated"},
    ),
    "reshape": (
        """
dim B
input x: [B, 3]
output y = reshape(x, [3, B])
output z = sum(reshape(x, [3 * B])**2)
output rows = reshape(x, [B, 1, 3])
output joined: [3 * B] = reshape(x, [3 * B])
output across = reshape(x.T, [3 * B])
""",
        {"y": NO, "z": "summed", "rows": "concatenated", "joined": "concatenated", "across": NO},
    ),
    "rows by rows": (
        """
dim B
input x: [B, 3]
input k: [B, B]
output gram = x @ x.T
output last = x[B - 1]
output back = flip(x, axis=0)
output nth = x[:, 0] * arange(B)
output moved = roll(x, 1, axis=0)
output kernel = sum(k)
output apart = tril(x)
output twice = sum(x[:, _, :] * x[_, :, :])
""",
        dict.fromkeys(
            ("gram", "last", "back", "nth", "moved", "kernel", "apart", "twice"), NO
        ),
    ),
}  # fmt: skip
"""By name a graph and, by result, how it comes of chunks."""
