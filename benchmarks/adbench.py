"""ADBench's data, read from `data/adbench/` as its own readers do."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parent / "data" / "adbench"


def _lines(name: str) -> list[list[float]]:
    """The numbers of each line that is not empty."""
    text = gzip.decompress((FOLDER / f"{name}.txt.gz").read_bytes()).decode("ascii")
    return [[float(word) for word in line.split()] for line in text.splitlines() if line.strip()]


def gaussian_mixture(name: str) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Weights alpha [K], means mu [K, D] and factors icf [K, D(D+1)/2]; points [N, D]."""
    (_, clusters, points), *rows = _lines(name)
    k, n = int(clusters), int(points)
    params = {
        "alpha": np.array(rows[:k])[:, 0],
        "mu": np.array(rows[k : 2 * k]),
        "icf": np.array(rows[2 * k : 3 * k]),
    }
    return params, np.array(rows[3 * k : 3 * k + n])


def recurrent_network(name: str) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Weights main [2L, 4H] and extra [3, H]; state [2L, H] and sequence [T, H]."""
    (layers, letters, _), *rows = _lines(name)
    pairs, count = 2 * int(layers), int(letters)
    main, extra = np.array(rows[:pairs]), np.array(rows[pairs : pairs + 3])
    state = np.array(rows[pairs + 3 : 2 * pairs + 3])
    sequence = np.array(rows[2 * pairs + 3 : 2 * pairs + 3 + count])
    return {"main": main, "extra": extra}, {"state": state, "sequence": sequence}


def bundle(name: str) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Cameras [C, 11], points [M, 3] and weights [P]; observations obs [P, 2] and feat [P, 2].

    The file has one of each, repeated for all; camera and point of an observation go round.
    """
    (cameras, points, count), camera, point, weight, feature = _lines(name)
    p = np.arange(int(count))
    params = {
        "cams": np.tile(camera, (int(cameras), 1)),
        "pts": np.tile(point, (int(points), 1)),
        "wt": np.full(len(p), weight[0]),
    }
    obs = np.stack([p % int(cameras), p % int(points)], axis=1)
    return params, {"obs": obs, "feat": np.tile(feature, (len(p), 1))}
