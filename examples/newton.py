"""Newton and Gauss–Newton on a small fit, y = b1 (1 - exp(-b2 x)), against certified values.

S = ½ |r|² has the gradient Jᵀ r and the Hessian

    H  =  Jᵀ J  +  Σ_i r_i ∇²r_i

Newton solves H d = -Jᵀ r, Gauss–Newton leaves the second term out: (Jᵀ J) d = -Jᵀ r. So Newton
squares its error at each step, and Gauss–Newton multiplies it by about the spectral radius of
(Jᵀ J)⁻¹ Σ_i r_i ∇²r_i (Nocedal and Wright 2006, section 10.3), which is small where r is.

The data are Misra1a of the NIST Statistical Reference Datasets, nonlinear regression: D. Misra,
Dental Research Monomolecular Adsorption Study, 1978.
https://www.itl.nist.gov/div898/strd/nls/data/misra1a.shtml
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt
from build import OUT, claim, compare, load, run, show

Vector = npt.NDArray[np.float64]
Step = Callable[[ModuleType, Vector], Vector]

# fmt: off
Y = (
    10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02,
    44.82, 50.76, 55.05, 61.01, 66.40, 75.47, 81.78,
)
X = (
    77.6, 114.9, 141.1, 190.8, 239.9, 289.0, 332.8,
    378.4, 434.8, 477.3, 536.8, 593.1, 689.1, 760.0,
)
# fmt: on
STARTS = (np.array([500, 0.0001]), np.array([250, 0.0005]))  # NIST's two
CERTIFIED = np.array([2.3894212918e02, 5.5015643181e-04])
DEVIATIONS = np.array([2.7070075241e00, 7.2668688436e-06])  # standard deviations of the estimates
SQUARES = 1.2455138894e-01  # the residual sum of squares


def newton(net: ModuleType, b: Vector) -> Vector:
    given = net.unflatten(b), X, Y
    return -np.linalg.solve(net.H(*given), net.flatten(net.grad_S(*given)))


def gauss_newton(net: ModuleType, b: Vector) -> Vector:
    r, J = net.residuals(net.unflatten(b), X, Y)
    return -np.linalg.lstsq(J, r, rcond=None)[0]  # not by JᵀJ, whose condition is J's, squared


def walk(step: Step, net: ModuleType, b: Vector, most: int = 20) -> list[Vector]:
    """The points from b on: until one is the last again, but for rounding, or `most` steps."""
    points = [b]
    while len(points) <= most:
        points.append(points[-1] + step(net, points[-1]))
        if np.allclose(points[-1], points[-2], rtol=1e-13, atol=0):
            break
    return points


def second_term(b: Vector, r: Vector) -> Vector:
    """Σ_i r_i ∇²r_i by hand: r is linear in b1."""
    x = np.asarray(X)
    mixed = r @ (x * np.exp(-b[1] * x))
    return np.array([[0, mixed], [mixed, -b[0] * r @ (x**2 * np.exp(-b[1] * x))]])


def main(out: Path = OUT) -> None:
    net = load("newton", out)

    print("Gauss–Newton from both starts, against the values that NIST certifies")
    for start in STARTS:
        points = walk(gauss_newton, net, start)
        best = points[-1]
        print(f"  b = {start}: {len(points) - 1} steps to b = ({best[0]:.9e}, {best[1]:.9e})")
        compare("b = the certified values", best / CERTIFIED, [1, 1], tolerance=1e-10)
        lost = walk(newton, net, start, most=5)[-1]
        print(
            f"    5 steps of Newton from there: b = ({lost[0]:.1e}, {lost[1]:.1e}), not near it yet"
        )
    r, J = net.residuals(net.unflatten(best), X, Y)
    compare("|r|² = the certified sum of squares", r @ r, SQUARES, tolerance=1e-10)
    covariance = r @ r / (len(r) - len(best)) * np.linalg.inv(J.T @ J)
    deviations = np.sqrt(np.diag(covariance))
    compare("standard deviations = the certified", deviations / DEVIATIONS, [1, 1], tolerance=1e-9)

    print("The Hessian, away from the best b, where r is not small")
    b = STARTS[1]
    given = net.unflatten(b), X, Y
    r, J = net.residuals(*given)
    H, rest = net.H(*given), second_term(b, r)
    scale = np.diag([1e2, 1e-4])  # of b: otherwise the entries differ by 1e12
    show("H, scaled", scale @ H @ scale, digits=1)
    show("JᵀJ, scaled", scale @ J.T @ J @ scale, digits=1)
    compare("H = JᵀJ + Σ r_i ∇²r_i", scale @ H @ scale, scale @ (J.T @ J + rest) @ scale)
    compare("∇S = Jᵀ r", scale @ net.flatten(net.grad_S(*given)), scale @ J.T @ r)
    v = scale @ [1.0, -2.0]
    _, product = net.hvp_S(*given, tangents=net.unflatten(v))
    compare("the product H v without H = H v", scale @ net.flatten(product), scale @ H @ v)

    # From the fourth point on, so that both methods converge; e is measured in the data's units.
    r, J = net.residuals(net.unflatten(best), X, Y)
    near = walk(gauss_newton, net, STARTS[0])[4]
    print("Close to the best b: e_k = |J (b_k - b)|, from the same point")
    rate = np.max(np.abs(np.linalg.eigvals(np.linalg.solve(J.T @ J, second_term(best, r)))))
    found = {}
    for name, step, power in (("Newton", newton, 2), ("Gauss–Newton", gauss_newton, 1)):
        errors = [np.linalg.norm(J @ (b - best)) for b in walk(step, net, near)]
        errors = [e for e in errors if e > 1e-11]  # what is below is rounding
        ratios = [after / before**power for before, after in pairwise(errors)]
        found[name] = ratios
        print(f"  {name:13} e_k             " + " ".join(f"{e:8.1e}" for e in errors))
        over = "e_k+1 / e_k²" if power == 2 else "e_k+1 / e_k"
        print(f"  {'':13} {over:13}           " + " ".join(f"{ratio:8.1e}" for ratio in ratios))
    worst = max(found["Newton"])
    claim(
        "Newton: e_k+1 / e_k² stays bounded: the error is squared",
        worst < 5,
        f"at most {worst:.1f}",
    )
    last = found["Gauss–Newton"][-1]
    compare(f"Gauss–Newton: e_k+1 / e_k → the spectral radius, {rate:.2e}", last, rate, 0.02)


if __name__ == "__main__":
    run(main)
