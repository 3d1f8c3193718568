"""Layers and their chain rules in plain NumPy: vectorised, and nothing clever."""

from __future__ import annotations

import numpy as np

EPSILON = 1e-5  # in layernorm


def layernorm(x: np.ndarray, gain: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, ...]:
    """The result, and what `layernorm_backward` reads."""
    centred = x - x.mean(axis=-1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + EPSILON)
    normal = centred / deviation
    return gain * normal + bias, normal, deviation


def layernorm_backward(
    d: np.ndarray, gain: np.ndarray, normal: np.ndarray, deviation: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The gradients by x, gain and bias."""
    dn = d * gain
    mean = dn.mean(axis=-1, keepdims=True)
    slope = (dn * normal).mean(axis=-1, keepdims=True)
    leading = tuple(range(d.ndim - 1))
    dx = (dn - mean - normal * slope) / deviation
    return dx, (d * normal).sum(axis=leading), d.sum(axis=leading)


def cross_entropy(logits: np.ndarray, label: np.ndarray) -> tuple[np.floating, np.ndarray]:
    """The mean of -log softmax(logits)[label], and its gradient by logits [B, C]."""
    rows = np.arange(len(label))
    shifted = logits - logits.max(axis=-1, keepdims=True)
    exponentials = np.exp(shifted)
    total = exponentials.sum(axis=-1, keepdims=True)
    loss = (np.log(total[:, 0]) - shifted[rows, label]).mean()
    d = exponentials / total
    d[rows, label] -= 1
    d /= len(label)
    return loss, d


def sigmoid(x: np.ndarray) -> np.ndarray:
    """The logistic function, for arguments that do not overflow."""
    return 1 / (1 + np.exp(-x))


def with_bias(weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """[W; b], the matrix of a dense layer that reads a last column of ones."""
    return np.concatenate([weights, bias[None, :]])


def with_ones(x: np.ndarray) -> np.ndarray:
    """x with a last column of ones."""
    return np.concatenate([x, np.ones((len(x), 1), x.dtype)], axis=1)
