"""The bridge to SciPy: what it hands to solvers is right, and solvers find what is known."""

from __future__ import annotations

import importlib
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import module
from scipy import optimize, sparse

import graphc
from graphc import scipy as bridge

ROSENBROCK = """input x: [2]
output f = (1 - x[0])**2 + 100 * (x[1] - x[0]**2)**2
"""
SYSTEM = """input a; input b: [2]
output r = stack(10 * (b[0] - a**2), 1 - a, a * b[1])
output s = sum(r**2)
"""
CHAIN = """dim N
input x: [N]
output r = x[1:]**2 - 2 * x[:-1]
derive sparse_jacobian r wrt x
"""
FIT = """dim B
input x: [B]; input y: [B]
param a; param k: [2]
output loss = mean((a * exp(k[0] * x) + k[1] - y)**2)
"""


def by_steps(fun: Any, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The Jacobian by central differences."""
    h = 1e-6
    return np.stack(
        [(np.asarray(fun(x + d)) - np.asarray(fun(x - d))) / (2 * h) for d in h * np.eye(x.size)],
        axis=-1,
    )


@pytest.mark.levels
@pytest.mark.parametrize(
    "clause",
    ["value_and_grad f wrt x", "grad f wrt x", "hvp f wrt x", "hessian f wrt x as H",
     "value_and_hessian_matrix f wrt x as H", ""],
)  # fmt: skip
def test_derivatives_of_a_scalar(clause: str) -> None:
    net = module(ROSENBROCK + (f"derive {clause}\n" if clause else ""))
    found = bridge.problem(net, "f", x=[-1.2, 1.0])
    x = np.array([0.3, -0.7])
    assert found.fun(x) == pytest.approx((1 - 0.3) ** 2 + 100 * (-0.7 - 0.09) ** 2, rel=1e-12)
    np.testing.assert_allclose(found.jac(x), by_steps(found.fun, x), rtol=1e-6)
    second = np.array([[2 + 1200 * 0.09 + 400 * 0.7, -400 * 0.3], [-400 * 0.3, 200]])
    if "hessian" in clause:
        np.testing.assert_allclose(found.hess(x), second, rtol=1e-12)
    elif "hvp" in clause:
        np.testing.assert_allclose(found.hessp(x, [1.0, 2.0]), second @ [1, 2], rtol=1e-12)
    else:
        with pytest.raises(TypeError, match="add `derive hessian_matrix f wrt x`"):
            found.hess(x)


@pytest.mark.levels
@pytest.mark.parametrize("kind", ["jacobian", "jacobian_matrix", "value_and_jacobian_matrix"])
@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
def test_columns_are_in_the_order_of_the_problem(kind: str, order: tuple[str, ...]) -> None:
    net = module(SYSTEM + f"derive {kind} r wrt b, a as J\n")
    found = bridge.problem(net, "r", order, a=2.0, b=[1.0, 3.0])
    x = found.x0
    assert x.tolist() == ([2, 1, 3] if order == ("a", "b") else [1, 3, 2])
    columns = {"a": [[-40], [-1], [3]], "b": [[10, 0], [0, 0], [0, 2]]}
    expected = np.concatenate([np.array(columns[path], float) for path in order], axis=1)
    np.testing.assert_allclose(found.jac(x), expected, rtol=1e-12)
    np.testing.assert_allclose(found.fun(x), [-30, -1, 6], rtol=1e-12)


@pytest.mark.parametrize("order", list(itertools.permutations(["a", "b"])))
def test_hessians_are_in_the_order_of_the_problem(order: tuple[str, ...]) -> None:
    for kind in ("hessian", "hessian_matrix", "sparse_hessian"):
        net = module(SYSTEM + f"derive {kind} s wrt b, a as H\nderive grad s wrt a, b\n")
        found = bridge.problem(net, "s", order, a=0.5, b=[1.0, 3.0])
        whole = found.hess(found.x0)
        assert sparse.issparse(whole) == (kind == "sparse_hessian")
        whole = whole.toarray() if sparse.issparse(whole) else whole
        np.testing.assert_allclose(whole, by_steps(found.jac, found.x0), atol=1e-5)


def test_a_sparse_jacobian_and_its_pattern() -> None:
    found = bridge.problem(module(CHAIN), "r", x=np.ones(5))
    jacobian = found.jac(np.arange(5.0))
    assert sparse.issparse(jacobian)
    expected = np.diag(2 * np.arange(5.0))[1:] - 2 * np.eye(4, 5)
    np.testing.assert_array_equal(jacobian.toarray(), expected)
    pattern = (np.eye(4, 5) + np.eye(4, 5, k=1)).astype(bool)
    np.testing.assert_array_equal(found.sparsity.toarray() != 0, pattern)
    solved = found.least_squares(jac_sparsity=None)
    assert solved.cost < 1e-12


@pytest.mark.parametrize("method", ["BFGS", "Newton-CG", "trust-exact", "trust-constr", "L-BFGS-B"])
def test_minimize_finds_the_minimum_with_the_derivatives_that_there_are(method: str) -> None:
    net = module(ROSENBROCK + "derive hessian_matrix f wrt x\n")
    found = bridge.problem(net, "f", "x", x=[-1.2, 1.0]).minimize(method=method, tol=1e-10)
    np.testing.assert_allclose(found.x, [1, 1], atol=1e-3)


def test_parameters_of_a_fit() -> None:
    x = np.linspace(0, 1, 20)
    net = module(FIT + "derive value_and_grad loss wrt params\n")
    start = {"a": 1.0, "k": np.array([-1.0, 0.0])}
    found = bridge.problem(net, "loss", params=start, x=x, y=2 * np.exp(-3 * x) + 0.5)
    assert found.wrt == ("a", "k")
    fitted = found.unflatten(found.minimize(method="BFGS", tol=1e-10).x)
    np.testing.assert_allclose(fitted["a"], 2, rtol=1e-4)
    np.testing.assert_allclose(fitted["k"], [-3, 0.5], rtol=1e-3)
    drawn = bridge.problem(net, "loss", x=x, y=x)
    np.testing.assert_array_equal(drawn.x0, net.flatten(net.init()))


def test_a_constraint_and_a_root() -> None:
    net = module(
        "input x: [2]\noutput f = x[0] + x[1]\noutput g = sum(x**2)\n"
        "output e = stack(x[0] - x[1], x[0]**2 - 4)\nderive jacobian_matrix e wrt x\n"
        "derive grad f wrt x\nderive grad g wrt x\n"
    )
    aim = bridge.problem(net, "f", x=[0.0, 0.5])
    ring = bridge.problem(net, "g", x=[0.0, 0.5])
    found = aim.minimize(method="SLSQP", constraints=ring.between(-np.inf, 2.0))
    np.testing.assert_allclose(found.x, [-1, -1], atol=1e-3)
    solved = bridge.problem(net, "e", x=[1.0, 0.5]).root()
    np.testing.assert_allclose(solved.x, [2, 2], rtol=1e-8)


def test_the_callbacks_of_ipopt() -> None:
    """Its solver is not at hand: the callbacks, put together as it does, are the derivatives."""
    chain = bridge.problem(module(CHAIN), "r", x=np.ones(4))
    aim = bridge.problem(
        module("dim N\ninput x: [N]\noutput f = sum(x**4)\nderive grad f wrt x\n"),
        "f", x=np.ones(4),
    )  # fmt: skip
    calls = bridge.Ipopt(aim, chain)
    x = np.array([0.5, -1.0, 2.0, 3.0])
    assert calls.objective(x) == np.sum(x**4)
    np.testing.assert_allclose(calls.gradient(x), 4 * x**3)
    rows, columns = calls.jacobianstructure()
    whole = np.zeros((3, 4))
    np.add.at(whole, (rows, columns), calls.jacobian(x))
    np.testing.assert_allclose(whole, by_steps(calls.constraints, x), atol=1e-6)
    assert bridge.Ipopt(aim).constraints(x).shape == (0,)
    assert bridge.Ipopt(aim).jacobian(x).shape == (0,)


def test_ipopt_solves_the_problem_of_hock_and_schittkowski() -> None:
    """Number 71, and its published solution; cyipopt asks for the structure once."""
    cyipopt: Any = pytest.importorskip(
        "cyipopt", reason="cyipopt is built against IPOPT, which is a package of the system"
    )
    net = module(
        "input x: [4]\n"
        "output f = x[0] * x[3] * (x[0] + x[1] + x[2]) + x[2]\n"
        "output g = concat(prod(x)[_], sum(x**2)[_])\n"
        "derive value_and_grad f wrt x\nderive sparse_jacobian g wrt x\n"
    )
    aim, bounds = (bridge.problem(net, one, x=[1.0, 5.0, 5.0, 1.0]) for one in "fg")
    problem = cyipopt.Problem(
        n=4, m=2, problem_obj=bridge.Ipopt(aim, bounds),
        lb=[1.0] * 4, ub=[5.0] * 4, cl=[25.0, 40.0], cu=[2e19, 40.0],
    )  # fmt: skip
    problem.add_option("print_level", 0)
    found, about = problem.solve(aim.x0)
    assert about["status"] == 0
    np.testing.assert_allclose(found, [1.0, 4.742999, 3.821150, 1.379408], atol=1e-6)
    np.testing.assert_allclose(about["obj_val"], 17.0140173, atol=1e-6)


def test_values_are_computed_once_a_point(monkeypatch: pytest.MonkeyPatch) -> None:
    net = graphc.compile_text(ROSENBROCK + "derive value_and_grad f wrt x\n", "once").module()
    calls: list[int] = []
    inner = net.value_and_grad_f
    monkeypatch.setattr(net, "value_and_grad_f", lambda *a, **k: calls.append(1) or inner(*a, **k))
    found = bridge.problem(net, "f", x=[0.0, 0.0])
    for point in ([1.0, 2.0], [1.0, 2.0], [3.0, 2.0]):
        found.fun(point), found.jac(point)
    assert len(calls) == 2


def test_parameters_bind_dims() -> None:
    net = module("dim K\nparam w: [K] ~ normal(0, 1)\noutput f = sum((w - 3)**2)\n")
    found = bridge.problem(net, "f", params={"w": np.zeros(4)})
    np.testing.assert_allclose(found.minimize().x, 3, atol=1e-4)
    free = module("dim T\ninput a\noutput f = sum((arange(T) - a)**2)\n")
    found = bridge.problem(free, "f", a=0.0, T=5)
    np.testing.assert_allclose(found.minimize().x, 2, atol=1e-4)
    with pytest.raises(TypeError, match="missing: T"):
        bridge.problem(free, "f", a=0.0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"outputs": "h"}, "no output h; there are f"),
        ({"outputs": "f"}, "missing: x"),
        ({"outputs": "f", "x": [1, 2], "z": 3}, "no input z; there are x"),
        ({"outputs": "f", "wrt": "q", "x": [1, 2]}, "q: no input or parameter to start from"),
    ],
)
def test_what_does_not_fit_is_named(arguments: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        bridge.problem(module(ROSENBROCK), **arguments)


def test_a_vector_of_another_length_is_told() -> None:
    net = module("input x: [2]\noutput f = sum(x**2)\nderive value_and_grad f wrt x\n")
    problem = bridge.problem(net, "f", x=[1.0, 2.0])
    with pytest.raises(ValueError, match=r"the vector has shape \(3,\), expected \(2,\), of x"):
        problem.fun(np.ones(3))


def test_a_module_of_another_kind_is_refused() -> None:
    with pytest.raises(TypeError, match="is no module that this version of graphc makes"):
        bridge.problem(optimize, "f")


@pytest.mark.parametrize("name", ["sgd", "momentum", "adam"])
def test_optimisers_are_their_formulas(name: str) -> None:
    """Three steps on a quadratic, by the published recursions written out."""
    from graphc.optimisers import OPTIMISERS

    one, params = OPTIMISERS[name](rate=0.1), {"w": np.array([1.0, -2.0]), "b": np.float64(3.0)}
    state = one.start(params)
    w, v, m, s = np.array([1.0, -2.0]), 0.0, 0.0, 0.0
    for n in range(1, 4):
        given = dict(params)
        params, state = one.step(params, {p: 2 * value for p, value in given.items()}, state)
        g = 2 * w
        if name == "sgd":
            w = w - 0.1 * g
        elif name == "momentum":
            v = 0.9 * v + g
            w = w - 0.1 * v
        else:
            m, s = 0.9 * m + 0.1 * g, 0.999 * s + 0.001 * g**2
            w = w - 0.1 * (m / (1 - 0.9**n)) / (np.sqrt(s / (1 - 0.999**n)) + 1e-8)
        np.testing.assert_allclose(params["w"], w, rtol=1e-12)
    assert given["w"] is not params["w"]


def test_the_example_of_bridges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parent.parent / "examples"))
    importlib.import_module("bridges").main(tmp_path)
    printed = capsys.readouterr().out
    assert printed.count("✓") >= 6
    assert "✗" not in printed
