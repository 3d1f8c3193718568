"""The bridge to scikit-learn: a graph as a regressor or a classifier, fitted by L-BFGS.

>>> model = GraphRegressor().fit([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0])
>>> model.predict([[3.0]]).round(3).tolist()
[7.0]
"""

from __future__ import annotations

import functools
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from graphc.api.compiling import compile_text
from graphc.api.loading import load
from graphc.bridges.described import described, drawn
from graphc.bridges.shapes import sizes_of
from graphc.scipy import problem

REGRESSION = """dim B, D
input X: [B, D]
input y: [B]
param w: [D]
param b
output prediction = X @ w + b
output loss = mean((prediction - y)**2)
derive value_and_grad loss wrt params
"""
CLASSIFICATION = """dim B, D, K
input X: [B, D]
input y: int[B]
param W: [D, K] ~ zeros
param b: [K]
logits = X @ W + b
output prediction = softmax(logits, axis=1)
output loss = cross_entropy(logits, y) + 1e-4 * sum(W**2)
derive value_and_grad loss wrt params
"""


class _Graph(BaseEstimator):
    """What both have in common: a graph of an input `X` and a target `y`, fitted to least loss."""

    _usual = ""

    def __init__(
        self,
        graph: str | os.PathLike[str] | None = None,
        *,
        prediction: str = "prediction",
        loss: str = "loss",
        max_iter: int = 1000,
        tol: float = 1e-10,
        random_state: int = 0,
    ) -> None:
        """Take the text of a graph, or the path of its file; a linear one where there is none.

        It has inputs `X` and `y`, and the outputs that `prediction` and `loss` name, the second a
        scalar. `random_state` is the seed of the parameters.
        """
        self.graph = graph
        self.prediction = prediction
        self.loss = loss
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    def _find(self, X: Any, y: Any, **dims: int) -> None:
        graph = described(self._module())
        sizes = {**dims, **sizes_of(graph, {"X": X, "y": y}, dims)}
        open_dims = {name: size for name, size in sizes.items() if name in graph.keywords}
        start = drawn(graph, sizes, self.random_state)
        aim = problem(
            graph.module, self.loss, graph.paths, params=start, X=X, y=y, **open_dims
        )  # fmt: skip
        found = aim.minimize(
            method="L-BFGS-B", tol=self.tol, options={"maxiter": self.max_iter, "maxfun": 15_000}
        )
        self.params_, self.n_iter_ = aim.unflatten(found.x), max(int(found.nit), 1)
        self._dims = open_dims

    def _predicted(self, X: Any, target: Any) -> Any:
        check_is_fitted(self, "params_")
        X = validate_data(self, X, dtype=np.float64, reset=False)
        graph = described(self._module())
        given = {"X": X, "y": np.zeros(len(X), target)}
        inputs = [given[name] for name in graph.inputs]
        out = graph.module.forward(self.params_, *inputs, **self._dims)[0]
        return np.asarray(getattr(out, graph.outputs[self.prediction]))

    def _module(self) -> ModuleType:
        graph = self._usual if self.graph is None else self.graph
        if isinstance(graph, str) and "\n" in graph:
            return _compiled(graph)
        return load(Path(graph))


class GraphRegressor(RegressorMixin, _Graph):
    """A graph of `X: [B, D]` and `y: [B]` whose output `prediction` is a number for each row."""

    _usual = REGRESSION

    def fit(self, X: Any, y: Any) -> GraphRegressor:
        """Find the parameters of least loss."""
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        self._find(X, np.asarray(y, np.float64))
        return self

    def predict(self, X: Any) -> Any:
        """Return the prediction of each row."""
        return self._predicted(X, np.float64)


class GraphClassifier(ClassifierMixin, _Graph):
    """A graph of `X: [B, D]` and `y: int[B]`, the number of a class, of which there are K.

    Its output `prediction` is the probability of each class, for each row.
    """

    _usual = CLASSIFICATION

    def fit(self, X: Any, y: Any) -> GraphClassifier:
        """Find the parameters of least loss."""
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        self.classes_, numbers = np.unique(y, return_inverse=True)
        self._find(X, numbers, K=len(self.classes_))
        return self

    def predict_proba(self, X: Any) -> Any:
        """Return the probability of each class, for each row."""
        return self._predicted(X, np.int64)

    def predict(self, X: Any) -> Any:
        """Return the likeliest class of each row."""
        found = self.predict_proba(X)
        return self.classes_[np.argmax(found, axis=1)]


@functools.cache
def _compiled(text: str) -> ModuleType:
    return compile_text(text).module()
