"""The bridge to scikit-learn: its checks of estimators, and fits of which the answer is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from graphc.sklearn import CLASSIFICATION, GraphClassifier, GraphRegressor

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
SMOOTH = np.sin(2 * X[:, 0]) + X[:, 1]

NET = """dim B, D
input X: [B, D]
input y: [B]
h = dense(X, 8, act=tanh)
z = dense(h, 1)
output prediction = z[:, 0]
output loss = mean((prediction - y)**2)
derive value_and_grad loss wrt params
"""


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.parametrize(
    "kind", [GraphRegressor, pytest.param(GraphClassifier, marks=pytest.mark.long)]
)
def test_the_checks_of_scikit_learn(kind: Any) -> None:
    check_estimator(kind())


def test_a_line_is_the_one_of_least_squares() -> None:
    found = GraphRegressor().fit(X, SMOOTH)
    known = LinearRegression().fit(X, SMOOTH)
    np.testing.assert_allclose(found.params_["w"], known.coef_, atol=1e-5)
    np.testing.assert_allclose(found.predict(X), known.predict(X), atol=1e-5)


def test_classes_are_those_of_a_logistic_regression() -> None:
    names = np.array(["low", "mid", "high"])[np.digitize(SMOOTH, [-0.5, 0.5])]
    text = CLASSIFICATION.replace("1e-4 * sum(W**2)", "sum(W**2) / (2 * B)")
    found = GraphClassifier(text).fit(X, names)
    known = LogisticRegression(C=1.0, tol=1e-8, max_iter=1000).fit(X, names)
    np.testing.assert_allclose(found.predict_proba(X), known.predict_proba(X), atol=1e-4)
    assert list(found.classes_) == list(known.classes_)
    assert found.score(X, names) == known.score(X, names)


def test_a_network_in_a_pipeline_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "net.graph"
    path.write_text(NET, encoding="utf-8")
    whole = make_pipeline(StandardScaler(), GraphRegressor(path, max_iter=300))
    assert whole.fit(X, SMOOTH).score(X, SMOOTH) > 0.98
    assert LinearRegression().fit(X, SMOOTH).score(X, SMOOTH) < 0.9
    search = GridSearchCV(GraphRegressor(path), {"max_iter": [1, 100]}, cv=2)
    assert search.fit(X, SMOOTH).best_params_ == {"max_iter": 100}
