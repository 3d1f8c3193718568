"""For each operation one call that shows it: what its documentation is made from."""

from __future__ import annotations

import re
from collections.abc import Mapping

from graphc.ops import FUNCTIONS, Function
from graphc.ops.define.functions import REQUIRED
from graphc.records import dataclass

SAMPLES: Mapping[str, str] = {
    "where": "where(condition, x, y) | condition: bool[B, D], x: [B, D], y: [B, D]",
    "add": "add(a, b, c) | a: [B, D], b: [B, D], c: [B, D]",
    "mul": "mul(a, b) | a: [B, D], b: [B, D]",
    "jv": "jv(2, x) | x: [B, D]",
    "iv": "iv(2, x) | x: [B, D]",
    "kv": "kv(2, x) | x: [B, D]",
    "polygamma": "polygamma(1, x) | x: [B, D]",
    "clip": "clip(x, -1, 1) | x: [B, D]",
    "transpose": "transpose(x, [1, 0, 2]) | x: [B, T, D]",
    "reshape": "reshape(x, [B*T, D]) | x: [B, T, D]",
    "broadcast_to": "broadcast_to(x, [B, D]) | x: [D]",
    "concat": "concat(a, b) | a: [B, D], b: [B, K]",
    "stack": "stack(a, b) | a: [B, D], b: [B, D]",
    "split": "split(x, 2) | x: [B, 4]",
    "zeros": "zeros([2, 3]) | ",
    "ones": "ones([2, 3]) | ",
    "full": "full([B, D], c) | x: [B, D], c: []",
    "len": "len([1, 2, 3]) + x | x: [B]",
    "arange": "arange(4) | ",
    "eye": "eye(3) | ",
    "pick": "pick(x, label) | x: [B, C], label: int[B]",
    "matmul": "matmul(a, b) | a: [B, D], b: [D, K]",
    "dot": "dot(a, b) | a: [B, D], b: [D, K]",
    "outer": "outer(a, b) | a: [B], b: [D]",
    "vdot": "vdot(a, b) | a: [D], b: [D]",
    "kron": "kron(a, b) | a: [B, D], b: [M, N]",
    "cross": "cross(a, b) | a: [B, 3], b: [B, 3]",
    "fill_tril": "fill_tril(v, 3) | v: [B, 3]",
    "squeeze": "squeeze(x, axis=1) | x: [B, 1, D]",
    "expand_dims": "expand_dims(x, 1) | x: [B, D]",
    "swapaxes": "swapaxes(x, 0, 1) | x: [B, T, D]",
    "moveaxis": "moveaxis(x, 0, 2) | x: [B, T, D]",
    "flip": "flip(x, axis=1) | x: [B, D]",
    "roll": "roll(x, 1, axis=1) | x: [B, D]",
    "tile": "tile(x, 2) | x: [B, D]",
    "repeat_elements": "repeat_elements(x, 2, axis=1) | x: [B, D]",
    "pad": "pad(x, 1) | x: [B, D]",
    "linspace": "linspace(a, b, 5) | a: [], b: []",
    "bce_logits": "bce_logits(x, t) | x: [B, D], t: [B, D]",
    "conv1d": "conv1d(x, w, pad=1) | x: [N, C, T], w: [K, C, 3]",
    "conv2d": "conv2d(x, w, pad=1) | x: [N, C, H, W], w: [K, C, 3, 3]",
    "conv3d": "conv3d(x, w, pad=1) | x: [N, C, T, H, W], w: [K, C, 3, 3, 3]",
    "conv_transpose1d": "conv_transpose1d(x, w, stride=2) | x: [N, C, T], w: [C, K, 2]",
    "conv_transpose2d": "conv_transpose2d(x, w, stride=2) | x: [N, C, H, W], w: [C, K, 2, 2]",
    "conv_transpose3d": "conv_transpose3d(x, w, stride=2) | x: [N, C, T, H, W], w: [C, K, 2, 2, 2]",
    "resize": "resize(x, [8, 8]) | x: [N, C, 4, 4]",
    "grid_sample": "grid_sample(x, grid) | x: [N, C, H, W], grid: [N, P, Q, 2]",
    "maxpool": "maxpool(x, 2) | x: [N, C, 8, 8]",
    "avgpool": "avgpool(x, 2) | x: [N, C, 8, 8]",
    "linear_recurrence": "linear_recurrence(a, b) | a: [B, T], b: [B, T]",
    "take": "take(x, indices, axis=0) | x: [N, D], indices: int[B]",
    "scatter_add": "scatter_add(x, indices, updates) | x: [N, D], indices: int[B], updates: [B, D]",
    "put_along_axis": "put_along_axis(x, indices, values) | x: [B, D], indices: int[B, K],"
    " values: [B, K]",
    "add_along_axis": "add_along_axis(x, indices, values) | x: [B, D], indices: int[B, K],"
    " values: [B, K]",
    "gather_nd": "gather_nd(x, indices) | x: [N, M, D], indices: int[B, 2]",
    "scatter_nd": "scatter_nd(x, indices, values) | x: [N, M, D], indices: int[B, 2],"
    " values: [B, D]",
    "scatter_nd_add": "scatter_nd_add(x, indices, values) | x: [N, M, D], indices: int[B, 2],"
    " values: [B, D]",
    "segment_max": "segment_max(x, segment_ids, 4) | x: [B, D], segment_ids: int[B]",
    "segment_min": "segment_min(x, segment_ids, 4) | x: [B, D], segment_ids: int[B]",
    "top_k": "top_k(x, 3) | x: [B, 10]",
    "quantile": "quantile(x, q, axis=1) | x: [B, D], q: []",
    "searchsorted": "searchsorted(table, x) | table: [K], x: [B]",
    "interp": "interp(x, xp, fp) | x: [B], xp: [K], fp: [K]",
    "diff": "diff(x) | x: [B, 5]",
    "segment_sum": "segment_sum(x, segment_ids, 4) | x: [B, D], segment_ids: int[B]",
    "one_hot": "one_hot(ids, 10) | ids: int[B]",
    "take_along_axis": "take_along_axis(x, indices) | x: [B, D], indices: int[B, K]",
    "inv": "inv(x) | x: [N, N]",
    "det": "det(x) | x: [N, N]",
    "logdet": "logdet(x) | x: [N, N]",
    "cholesky": "cholesky(x) | x: [N, N]",
    "eigvalsh": "eigvalsh(x) | x: [N, N]",
    "eigh": "eigh(x) | x: [N, N]",
    "svdvals": "svdvals(x) | x: [5, 3]",
    "svd": "svd(x) | x: [5, 3]",
    "qr": "qr(x) | x: [5, 3]",
    "pinv": "pinv(x) | x: [N, M]",
    "lstsq": "lstsq(a, b) | a: [N, M], b: [N]",
    "expm": "expm(x) | x: [N, N]",
    "matrix_power": "matrix_power(x, 3) | x: [N, N]",
    "trace": "trace(x) | x: [N, N]",
    "diagonal": "diagonal(x) | x: [N, N]",
    "diag": "diag(x) | x: [N]",
    "solve": "solve(a, b) | a: [N, N], b: [N, K]",
    "triangular_solve": "triangular_solve(a, b) | a: [N, N], b: [N, K]",
    "any": "any(x, axis=1) | x: bool[B, D]",
    "all": "all(x, axis=1) | x: bool[B, D]",
    "einsum": 'einsum("b t d, b s d -> b t s", q, k) | q: [B, T, D], k: [B, S, D]',
    "rearrange": 'rearrange(x, "b t (h d) -> b h t d", h=4) | x: [B, T, 8]',
    "put": "put(x, values, i, j) | x: [N, M], values: [B], i: int[B], j: int[B]",
    "put_add": "put_add(x, values, i, j) | x: [N, M], values: [B], i: int[B], j: int[B]",
    "grad": "grad(sum(x**3), x) | x: [D]",
    "jvp": "jvp(sin(x), x, u) | x: [D], u: [D]",
    "jacobian": "jacobian(w @ x, x) | w: [K, D], x: [D]",
}
"""The calls that do not follow from the parameters: the call, and the types of its names."""
RESULTS: Mapping[str, int] = {"split": 2, "top_k": 2, "eigh": 2, "svd": 3, "qr": 2}
"""How many results a call has, where that is not one."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A call and the types of the inputs that it names."""

    call: str
    inputs: Mapping[str, str]
    results: int = 1

    @property
    def outputs(self) -> tuple[str, ...]:
        """Return the names of the results, which no input has."""
        letter = "z" if "y" in self.inputs else "y"
        if self.results == 1:
            return (letter,)
        return tuple(f"{letter}{number}" for number in range(1, self.results + 1))

    @property
    def differentiable(self) -> tuple[str, ...]:
        return tuple(name for name, type in self.inputs.items() if type.startswith("["))

    @property
    def graph(self) -> str:
        """Write a `.graph` file whose outputs are the results of the call."""
        words = set(re.findall(r"\b[A-Z]\b", " ".join([self.call, *self.inputs.values()])))
        lines = [f"dim {', '.join(sorted(words))}"] if words else []
        lines += [f"input {name}: {type}" for name, type in self.inputs.items()]
        names = ", ".join(self.outputs)
        if self.results == 1:
            return "\n".join([*lines, f"output {names} = {self.call}"])
        return "\n".join([*lines, f"{names} = {self.call}", f"output {names}"])


def sample(function: Function) -> Sample:
    """Return the call that shows a function: its own, or one that its parameters suggest."""
    written = SAMPLES.get(function.name)
    if written is not None:
        call, _, types = written.partition(" | ")
        inputs = dict(re.findall(r"(\w+): (\w*\[[^\]]*\])", types))
        return Sample(call, inputs, RESULTS.get(function.name, 1))
    tensors = [p.name for p in function.parameters if p.kind == "tensor"]
    more = ", axis=1" if _reduces(function) else ""
    return Sample(f"{function.name}({', '.join(tensors)}{more})", dict.fromkeys(tensors, "[B, D]"))


def _reduces(function: Function) -> bool:
    """True if a function takes an axis, and by default all."""
    defaults = {p.name: p.default for p in function.parameters}
    return defaults.get("axis", REQUIRED) is None


assert SAMPLES.keys() <= FUNCTIONS.keys()
