"""The graphs of ADBench's objectives give what ADBench's own tests expect.

Data and expected numbers are those of github.com/microsoft/ADBench (MIT licence): data/gmm/test.txt
and data/ba/test.txt, written out below, and data/lstm/lstm_l2_c1024.txt, with GmmTests.cpp,
BaTests.cpp and LstmTests.cpp of test/cpp/modules/common.
"""

from __future__ import annotations

from types import ModuleType

import conftest
import numpy as np
import pytest

from benchmarks.adbench import bundle, gaussian_mixture, recurrent_network
from benchmarks.generated import WORKLOADS

pytestmark = pytest.mark.levels


def module(name: str, *derive: str) -> ModuleType:
    """The module of a graph of the benchmarks."""
    return conftest.module(WORKLOADS / f"{name}.graph", derive=derive)


def test_gaussian_mixture() -> None:
    """Three clusters and one point in two dimensions."""
    alpha = [-0.649014, 1.181166, -0.758453]
    mu = [[0.092339, 0.186260], [0.345561, 0.396767], [0.538817, 0.419195]]
    icf = [
        [0.586443, -0.851887, 0.800321],
        [-1.509405, 0.875874, -0.242790],
        [0.166813, -1.965419, -1.270071],
    ]
    err, g = module("gmm").value_and_grad_err([[1.175171, 2.029160]], alpha, mu, icf)
    assert err == pytest.approx(8.07380408004975791, abs=1e-8)
    assert list(g) == ["alpha", "mu", "icf"]
    expected = [
        1.08662855508652456e-01, -7.41270039523898472e-01, 6.32607184015246071e-01,
        1.11692576532787013e00, 1.63333013551455269e-01, -2.19989824071193142e-02,
        2.27778292254236098e-01, 1.20963025612832187e00, -6.06375920733956339e-02,
        2.58529994051162237e00, 1.12632694524213789e-01, 3.85744309849611777e-01,
        7.35180573182305508e-02, 5.41836362715595232e00, -3.21494409677446469e-01,
        1.71892309775004937e00, 8.60091090790866875e-01, -9.94640930466322848e-01,
    ]  # fmt: skip
    found = np.concatenate([array.ravel() for array in g.values()])
    assert found == pytest.approx(expected, abs=1e-8)


def test_recurrent_network() -> None:
    """The data that is measured; of 280 expected derivatives, those that begin and end it."""
    params, inputs = recurrent_network("lstm_l2_c1024")
    loss, g = module("lstm").value_and_grad_loss(**params, **inputs)
    assert loss == pytest.approx(0.66666518, abs=1e-8)
    found = np.concatenate([g["main"].ravel(), g["extra"].ravel()])
    first = [3.14387024996101187e-06, 0, 0, 0, 0, 0, 0, -3.67840807336070475e-05]
    last = [4.46620942840666828e-03, -5.23602406001136191e-03, -1.79316285235904226e-02,
            -7.73167106472800580e-03, -2.00225690895980656e-02]  # fmt: skip
    assert found.size == 266
    assert found[:8] == pytest.approx(first, abs=1e-8)
    assert found[-5:] == pytest.approx(last, abs=1e-8)


def test_bundle_adjustment() -> None:
    """One observation, and the row of the Jacobian of its first residual."""
    camera = [1.797201, 0.590697, -0.635786, 90.859550, 29.361415, 28.777534, 211.628116, -0.284531,
              -14.762924, 0.058931, 0.069976]  # fmt: skip
    given = {
        "cams": [camera],
        "pts": [[4.173048, 5.586898, 1.403869]],
        "wt": [0.417022],
        "obs": [[0, 0]],
        "feat": [[-525.672849, 161.811929]],
    }
    bundled = module("bundle", "vjp e, ew wrt cam, pt, wt as pull")
    values, row = bundled.pull(**given, cotangents={"e": [[1.0, 0.0]]})
    assert values.e[0] == pytest.approx([-2.69048849235189402e-01, 2.59944792677901881e-01])
    assert values.ew == pytest.approx([8.26092651515999976e-01])
    expected = [
        2.28877202208246757e02, 6.34574811495545418e02, -7.82222866259340549e02,
        2.42892615607159668e00, -1.17828079628011313e01, 2.54169312487743460e00,
        -1.03657084958518086e00, 4.17022000000000004e-01, 0, -3.50739521096005205e02,
        -9.12107773668008576e02,
    ]  # fmt: skip
    assert row["cam"][0] == pytest.approx(expected, abs=1e-6)
    assert row["pt"][0, :2] == pytest.approx([-2.42892615607159668, 1.17828079628011313e01])
    own = bundled.pull(**given, cotangents={"ew": [1.0]})[1]
    assert own["wt"] == pytest.approx([-8.34044000000000008e-01])


def test_the_data_is_whole() -> None:
    """The sizes that the first lines state."""
    params, x = gaussian_mixture("gmm_d32_K25")
    assert (x.shape, params["icf"].shape) == ((1000, 32), (25, 32 * 33 // 2))
    params, inputs = recurrent_network("lstm_l2_c1024")
    assert (params["main"].shape, inputs["sequence"].shape) == ((4, 56), (1024, 14))
    params, inputs = bundle("ba1_n49_m7776_p31843")
    shapes = [array.shape for array in (*params.values(), *inputs.values())]
    assert shapes == [(49, 11), (7776, 3), (31843,), (31843, 2), (31843, 2)]
