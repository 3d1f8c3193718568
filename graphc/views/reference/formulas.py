r"""How operations are written in LaTeX.

`<0>` is the first argument; `<0*>` in parentheses where it is a sum, `<0^>` also where it is a
product. The level says what the whole is.
"""

from __future__ import annotations

from collections.abc import Mapping

from graphc.views.reference.matrix_formulas import MATRICES

SUM, PRODUCT, ATOM = range(3)

OPERATIONS: Mapping[str, tuple[int, str]] = {
    "+": (SUM, "<0> + <1>"),
    "-": (SUM, "<0> - <1*>"),
    "negative": (SUM, "-<0*>"),
    "/": (PRODUCT, r"\frac{<0>}{<1>}"),
    "//": (ATOM, r"\left\lfloor \frac{<0>}{<1>} \right\rfloor"),
    "%": (PRODUCT, r"<0*> \bmod <1*>"),
    "**": (PRODUCT, "<0^>^{<1>}"),
    "@": (PRODUCT, r"<0*>\,<1*>"),
    "matmul": (PRODUCT, r"<0*>\,<1*>"),
    "outer": (PRODUCT, r"<0*>\,<1*>^{\top}"),
    "dot": (PRODUCT, r"<0*>\,<1*>"),
    "cross": (PRODUCT, r"<0*> \times <1*>"),
    "==": (ATOM, "[<0> = <1>]"),
    "!=": (ATOM, r"[<0> \ne <1>]"),
    "<": (ATOM, r"[<0> \lt <1>]"),
    "<=": (ATOM, r"[<0> \le <1>]"),
    ">": (ATOM, r"[<0> \gt <1>]"),
    ">=": (ATOM, r"[<0> \ge <1>]"),
    "and": (PRODUCT, r"<0*> \odot <1*>"),
    "or": (ATOM, r"[<0> \lor <1>]"),
    "not": (ATOM, r"[\lnot <0*>]"),
    "cast_float": (ATOM, "<0^>"),
    "cast_int": (ATOM, "<0^>"),
    "id": (SUM, "<0>"),
    "stop": (SUM, "<0>"),
    "maximum": (ATOM, r"\max(<0>, <1>)"),
    "minimum": (ATOM, r"\min(<0>, <1>)"),
    "abs": (ATOM, r"\lvert <0> \rvert"),
    "sign": (ATOM, r"\operatorname{sign}(<0>)"),
    "floor": (ATOM, r"\lfloor <0> \rfloor"),
    "ceil": (ATOM, r"\lceil <0> \rceil"),
    "exp": (ATOM, "e^{<0>}"),
    "expm1": (SUM, "e^{<0>} - 1"),
    "exp2": (ATOM, "2^{<0>}"),
    "log": (ATOM, r"\ln(<0>)"),
    "log1p": (ATOM, r"\ln(1 + <0*>)"),
    "log2": (ATOM, r"\log_2(<0>)"),
    "log10": (ATOM, r"\log_{10}(<0>)"),
    "sqrt": (ATOM, r"\sqrt{<0>}"),
    "cbrt": (ATOM, r"\sqrt[3]{<0>}"),
    **{name: (ATOM, rf"\{name}(<0>)") for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
    **{f"arc{name}": (ATOM, rf"\arc{name}(<0>)") for name in ("sin", "cos", "tan")},
    **{f"arc{n}h": (ATOM, rf"\operatorname{{ar{n}h}}(<0>)") for n in ("sin", "cos", "tan")},
    "hypot": (ATOM, r"\sqrt{<0^>^2 + <1^>^2}"),
    "xlogy": (PRODUCT, r"<0*> \odot \ln(<1>)"),
    "xlog1py": (PRODUCT, r"<0*> \odot \ln(1 + <1*>)"),
    "erf": (ATOM, r"\operatorname{erf}(<0>)"),
    "erfc": (ATOM, r"\operatorname{erfc}(<0>)"),
    "lgamma": (ATOM, r"\ln \lvert \Gamma(<0>) \rvert"),
    "digamma": (ATOM, r"\psi(<0>)"),
    "polygamma": (ATOM, r"\psi^{({n})}(<0>)"),
    "gammainc": (ATOM, r"P(<0>, <1>)"),
    "gammaincc": (ATOM, r"Q(<0>, <1>)"),
    "gammainc_by_a": (ATOM, r"\partial_a^{{n}} P(<0>, <1>)"),
    "gamma_density": (PRODUCT, r"\frac{<1^>^{<0> - 1} e^{-<1*>}}{\Gamma(<0>)}"),
    "betainc": (ATOM, r"I_{<2>}(<0>, <1>)"),
    "betainc_by": (ATOM, r"\partial_a^{{i}} \partial_b^{{j}} I_{<2>}(<0>, <1>)"),
    "beta_density": (
        PRODUCT,
        r"\frac{<2^>^{<0> - 1} (1 - <2*>)^{<1> - 1}}{\mathrm{B}(<0>, <1>)}",
    ),
    "ndtr": (ATOM, r"\Phi(<0>)"),
    "log_ndtr": (ATOM, r"\ln \Phi(<0>)"),
    "hazard": (PRODUCT, r"\frac{\varphi(<0>)}{\Phi(<0>)}"),
    "hazard_excess": (SUM, r"<0> + \frac{\varphi(<0>)}{\Phi(<0>)}"),
    "ndtri": (ATOM, r"\Phi^{-1}(<0>)"),
    "erfinv": (ATOM, r"\operatorname{erf}^{-1}(<0>)"),
    "erfcinv": (ATOM, r"\operatorname{erfc}^{-1}(<0>)"),
    "bessel_j": (ATOM, r"J_{{n}}(<0>)"),
    "bessel_i": (ATOM, r"I_{{n}}(<0>)"),
    "bessel_ie": (PRODUCT, r"e^{-\lvert <0> \rvert} \odot I_{{n}}(<0>)"),
    "bessel_k": (ATOM, r"K_{{n}}(<0>)"),
    "sigmoid": (ATOM, r"\sigma(<0>)"),
    "softplus": (ATOM, r"\ln(1 + e^{<0>})"),
    "logaddexp": (ATOM, r"\ln(e^{<0>} + e^{<1>})"),
    "relu": (ATOM, r"\max(<0>, 0)"),
    "leaky_relu": (SUM, r"\max(<0>, 0) + {slope} \min(<0>, 0)"),
    "elu": (SUM, r"\max(<0>, 0) + {alpha} (e^{\min(<0>, 0)} - 1)"),
    "celu": (SUM, r"\max(<0>, 0) + {alpha} (e^{\min(<0>, 0) / {alpha}} - 1)"),
    "gelu": (PRODUCT, r"<0*> \odot \Phi(<0>)"),
    "softsign": (PRODUCT, r"\frac{<0>}{1 + \lvert <0> \rvert}"),
    "bce_logits": (SUM, r"\ln(1 + e^{<0>}) - <1*> \odot <0*>"),
    "huber": (ATOM, r"\operatorname{huber}_{{delta}}(<0>)"),
    "between": (SUM, r"(1 - <2*>) \odot <0*> + <2*> \odot <1*>"),
    "clip": (ATOM, r"\min(\max(<0>, <1>), <2>)"),
    "inv": (ATOM, "<0^>^{-1}"),
    "det": (ATOM, r"\det(<0>)"),
    "logdet": (ATOM, r"\ln \lvert \det(<0>) \rvert"),
    "solution": (PRODUCT, r"<0^>^{-1}\,<1*>"),
    "factor": (ATOM, r"\operatorname{chol}(<0>)"),
    "eigenvalues": (ATOM, r"\lambda(<0>)"),
    "eigenvectors": (ATOM, r"\operatorname{eigenvectors}(<0>)"),
    "singular_values": (ATOM, r"\sigma(<0>)"),
    "singular_vectors": (ATOM, r"\operatorname{singular}(<0>)"),
    "orthonormal": (ATOM, r"\operatorname{orth}(<0>)"),
    "pinv": (ATOM, "<0^>^{+}"),
    "expm": (ATOM, "e^{<0>}"),
    "sum": (PRODUCT, r"\sum <0*>"),
    "mean": (PRODUCT, r"\operatorname{mean}(<0>)"),
    "max": (ATOM, r"\max(<0>)"),
    "min": (ATOM, r"\min(<0>)"),
    "prod": (PRODUCT, r"\prod <0*>"),
    "euclidean_norm": (ATOM, r"\lVert <0> \rVert_2"),
    "variance": (ATOM, r"\operatorname{var}(<0>)"),
    "deviation": (ATOM, r"\operatorname{std}(<0>)"),
    "expand": (ATOM, "<0^>"),
    "broadcast_to": (ATOM, "<0^>"),
}

CALLED: Mapping[str, str] = {
    "permute": "transpose",
    "concatenate": "concat",
    "index": "part",
    "unindex": "placed",
    "take_along": "take_along_axis",
    "add_along": "add_along_axis",
    "pooled_max": "maxpool",
    "pooled_sum": "sumpool",
    "rolled": "roll",
    "sorting": "argsort",
    "running_max": "cummax",
    "running_min": "cummin",
    "scattered_max": "segment_max",
    "scattered_min": "segment_min",
    "diagonal_matrix": "diag",
    "identity": "eye",
}
"""Operations that are no functions of the language, by what says what they do."""


def _convolution(places: str) -> tuple[str, tuple[str, ...]]:
    """Write the formulas of a convolution over axes with these indices, windows at p, q, r."""
    inside = "pqr"[: len(places)]
    there = ",".join(f"{i}+{p}" for i, p in zip(places, inside, strict=True))
    back = ",".join(f"{i}-{p}" for i, p in zip(places, inside, strict=True))
    w, taken = rf"w_{{kc{inside}}}", rf"x_{{n,c,{there}}}"
    return (
        rf"y_{{nk{places}}} = \sum_{{c{inside}}} {w}\, {taken}",
        (
            rf"\bar x_{{nc{places}}} = \sum_{{k{inside}}} {w}\, \bar y_{{n,k,{back}}}",
            rf"\bar {w} = \sum_{{n{places}}} \bar y_{{nk{places}}}\, {taken}",
        ),
    )


def _transposed_convolution(places: str) -> tuple[str, tuple[str, ...]]:
    """Write the formulas of a transposed convolution with stride s."""
    inside = "pqr"[: len(places)]
    there = ",".join(f"s{i}+{p}" for i, p in zip(places, inside, strict=True))
    w, x, y = rf"w_{{ck{inside}}}", rf"x_{{nc{places}}}", rf"y_{{n,k,{there}}}"
    return (
        rf"{y} \mathrel{{+}}= \sum_{{c}} {w}\, {x}",
        (
            rf"\bar {x} = \sum_{{k{inside}}} {w}\, \bar {y}",
            rf"\bar {w} = \sum_{{n{places}}} {x}\, \bar {y}",
        ),
    )


LONG: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "softmax": (
        r"\frac{e^{x}}{\sum e^{x}}",
        (r"\bar x = y \odot (\bar y - \sum \bar y \odot y)",),
    ),
    "log_softmax": (
        r"x - \ln \sum e^{x}",
        (r"\bar x = \bar y - \operatorname{softmax}(x) \sum \bar y",),
    ),
    "logsumexp": (r"\ln \sum e^{x}", (r"\bar x = \bar y \operatorname{softmax}(x)",)),
    "sum": (r"\sum x", (r"\bar x = \bar y \mathbf 1^{\top}",)),
    "mean": (r"\tfrac1n \sum x", (r"\bar x = \tfrac1n \bar y \mathbf 1^{\top}",)),
    "norm": (r"\sqrt{\sum x^2}", (r"\bar x = \frac{\bar y}{y}\, x,\quad 0 \text{ where } y = 0",)),
    "var": (r"\tfrac1n \sum (x - \mu)^2", (r"\bar x = \tfrac2n \bar y\,(x - \mu)",)),
    "std": (
        r"\sqrt{\tfrac1n \sum (x - \mu)^2}",
        (r"\bar x = \frac{\bar y}{n\,y}\,(x - \mu),\quad 0 \text{ where } y = 0",),
    ),
    "prod": (r"\prod_i x_i", (r"\bar x_j = \bar y \prod_{i \ne j} x_i",)),
    "cumsum": (r"y_k = \sum_{i \le k} x_i", (r"\bar x_j = \sum_{k \ge j} \bar y_k",)),
    "cumprod": (
        r"y_k = \prod_{i \le k} x_i",
        (r"\bar x_j = \sum_{k \ge j} \bar y_k \prod_{i \le k,\, i \ne j} x_i",),
    ),
    "logcumsumexp": (
        r"y_k = \ln \sum_{i \le k} e^{x_i}",
        (r"\bar x_j = \sum_{k \ge j} \bar y_k\, e^{x_j - y_k}",),
    ),
    "linear_recurrence": (
        r"y_t = a_t y_{t-1} + b_t",
        (
            r"\bar b_t = \bar y_t + a_{t+1} \bar b_{t+1}",
            r"\bar a_t = \bar b_t\, y_{t-1}",
        ),
    ),
    "max": (r"\max_i x_i", (r"\bar x = \bar y\, \frac{[x = y]}{\sum [x = y]}",)),
    "min": (r"\min_i x_i", (r"\bar x = \bar y\, \frac{[x = y]}{\sum [x = y]}",)),
    "median": (
        r"y = \tfrac12 (x_i + x_j) \text{ with } i, j \text{ in the middle of the order}",
        (r"\bar x_k = \tfrac12 \bar y\,([k = i] + [k = j])",),
    ),
    "ndtr": (
        r"\Phi(x)",
        (r"\bar x = \bar y \odot \tfrac{1}{\sqrt{2\pi}} e^{-x^2/2}",),
    ),
    "log_ndtr": (r"\ln \Phi(x)", (r"\bar x = \bar y \odot \frac{\varphi(x)}{\Phi(x)}",)),
    "ndtri": (r"\Phi^{-1}(p)", (r"\bar p = \bar y \odot \sqrt{2\pi}\, e^{y^2/2}",)),
    "erfinv": (
        r"\operatorname{erf}^{-1}(x)",
        (r"\bar x = \bar y \odot \tfrac{\sqrt\pi}{2} e^{y^2}",),
    ),
    "erfcinv": (
        r"\operatorname{erfc}^{-1}(x)",
        (r"\bar x = -\bar y \odot \tfrac{\sqrt\pi}{2} e^{y^2}",),
    ),
    "quantile": (
        r"y = (1 - t)\, x_{(k)} + t\, x_{(k + 1)},\quad k + t = q\,(n - 1)",
        (
            r"\bar x_{(k)} = (1 - t)\, \bar y,\; \bar x_{(k + 1)} = t\, \bar y",
            r"\bar q = (n - 1)\,(x_{(k + 1)} - x_{(k)})\, \bar y",
        ),
    ),
    "top_k": (
        r"y_{1,j} = x_{i_j},\; y_{2,j} = i_j \text{ with } x_{i_1} \ge x_{i_2} \ge \ldots",
        (r"\bar x_{i_j} = \bar y_{1,j}",),
    ),
    "interp": (
        r"y = (1 - t)\, f_k + t\, f_{k + 1},\quad t = \frac{x - x_k}{x_{k + 1} - x_k}",
        (
            r"\bar x = \frac{f_{k + 1} - f_k}{x_{k + 1} - x_k}\, \bar y",
            r"\bar f_k = (1 - t)\, \bar y,\; \bar f_{k + 1} = t\, \bar y",
            r"\bar x_k = -(1 - t)\, \bar x,\; \bar x_{k + 1} = -t\, \bar x",
        ),
    ),
    "searchsorted": (r"y = \lvert \{k : t_k \lt x\} \rvert", ()),
    "cummax": (
        r"y_k = \max_{i \le k} x_i",
        (r"\bar x_j = \sum_{k \ge j} \bar y_k \frac{[x_j = y_k]}{\sum_{i \le k} [x_i = y_k]}",),
    ),
    "cummin": (
        r"y_k = \min_{i \le k} x_i",
        (r"\bar x_j = \sum_{k \ge j} \bar y_k \frac{[x_j = y_k]}{\sum_{i \le k} [x_i = y_k]}",),
    ),
    "diff": (r"y_k = x_{k+1} - x_k", (r"\bar x_k = \bar y_{k-1} - \bar y_k",)),
    "segment_max": (
        r"y_s = \max_{i:\, s_i = s} x_i",
        (r"\bar x_i = \bar y_{s_i} \frac{[x_i = y_{s_i}]}{\sum_{j:\, s_j = s_i} [x_j = y_{s_i}]}",),
    ),
    "segment_min": (
        r"y_s = \min_{i:\, s_i = s} x_i",
        (r"\bar x_i = \bar y_{s_i} \frac{[x_i = y_{s_i}]}{\sum_{j:\, s_j = s_i} [x_j = y_{s_i}]}",),
    ),
    "huber": (
        r"[\lvert x \rvert \le 1] \odot \tfrac12 x^2"
        r" + [\lvert x \rvert \gt 1] \odot (\lvert x \rvert - \tfrac12)",
        (r"\bar x = \bar y \odot \min(\max(x, -1), 1)",),
    ),
    "pick": (r"y_n = x_{n, l_n}", (r"\bar x_{n,c} = [c = l_n]\, \bar y_n",)),
    "take": (r"y_b = x_{i_b}", (r"\bar x_n = \sum_{b:\, i_b = n} \bar y_b",)),
    "einsum": (
        r"y_{bts} = \sum_d q_{btd}\, k_{bsd}",
        (
            r"\bar q_{btd} = \sum_s \bar y_{bts}\, k_{bsd}",
            r"\bar k_{bsd} = \sum_t \bar y_{bts}\, q_{btd}",
        ),
    ),
    "det": (
        r"\det x",
        (r"\bar x = \bar y\, \operatorname{adj}(x)^{\top} = \bar y\, y\, x^{-\top}",),
    ),
    "logdet": (r"\ln \lvert \det x \rvert", (r"\bar x = \bar y\, x^{-\top}",)),
    "cholesky": (
        r"y y^{\top} = \tfrac12 (x + x^{\top})",
        (
            r"s = y^{-\top}\, \Phi(y^{\top} \bar y)\, y^{-1}",
            r"\bar x = \tfrac12 (s + s^{\top})",
        ),
    ),
    "logaddexp": (
        r"\ln(e^{a} + e^{b})",
        (r"\bar a = \bar y \odot e^{a - y}", r"\bar b = \bar y \odot e^{b - y}"),
    ),
    "gelu": (
        r"x \odot \Phi(x)",
        (r"\bar x = \bar y \odot (\Phi(x) + x \odot \tfrac{1}{\sqrt{2\pi}} e^{-x^2/2})",),
    ),
    "atan2": (
        r"\operatorname{atan2}(y, x)",
        (
            r"\bar y = \bar z \odot \frac{x}{x^2 + y^2}",
            r"\bar x = -\bar z \odot \frac{y}{x^2 + y^2}",
        ),
    ),
    "hypot": (
        r"\sqrt{a^2 + b^2}",
        (r"\bar a = \bar y \odot \frac{a}{y}", r"\bar b = \bar y \odot \frac{b}{y}"),
    ),
    "power": (
        "a^{b}",
        (
            r"\bar a = \bar y \odot b \odot a^{b - 1}",
            r"\bar b = \bar y \odot y \odot \ln(a)",
        ),
    ),
    **{f"conv{len(places)}d": _convolution(places) for places in ("i", "ij", "ijl")},
    **{
        f"conv_transpose{len(places)}d": _transposed_convolution(places)
        for places in ("i", "ij", "ijl")
    },
    **MATRICES,
    "log_sigmoid": (r"-\ln(1 + e^{-x})", (r"\bar x = \bar y \odot \sigma(-x)",)),
    "logit": (r"\ln \frac{x}{1 - x}", (r"\bar x = \frac{\bar y}{x \odot (1 - x)}",)),
    "arcsinh": (r"\operatorname{arsinh}(x)", (r"\bar x = \frac{\bar y}{\sqrt{1 + x^2}}",)),
    "asinh": (r"\operatorname{arsinh}(x)", (r"\bar x = \frac{\bar y}{\sqrt{1 + x^2}}",)),
    "square": ("x^2", (r"\bar x = 2\,\bar y \odot x",)),
    "grad": (
        r"\frac{\partial}{\partial x} \sum x^3 = 3\,x^2",
        (r"\bar x = 6\,\bar y \odot x",),
    ),
    "jvp": (
        r"\frac{\partial \sin x}{\partial x}\,u = \cos(x) \odot u",
        (
            r"\bar x = -\bar y \odot \sin(x) \odot u",
            r"\bar u = \bar y \odot \cos(x)",
        ),
    ),
    "jacobian": (
        r"\frac{\partial (w\,x)}{\partial x} = w",
        (r"\bar w = \bar y", r"\bar x = 0"),
    ),
    "put": (
        r"y_k = v_b \text{ for the last } b \text{ with } (i_b, j_b) = k, \text{ else } x_k",
        (
            r"\bar x_k = \bar y_k \text{ where no } (i_b, j_b) = k, \text{ else } 0",
            r"\bar v_b = \bar y_{i_b j_b} \text{ where } b \text{ is the last, else } 0",
        ),
    ),
    "put_add": (
        r"y_k = x_k + \sum_{(i_b, j_b) = k} v_b",
        (r"\bar x = \bar y", r"\bar v_b = \bar y_{i_b j_b}"),
    ),
    "resize": (
        r"y_i = \sum_k w(p_i - k)\, x_k,\quad p_i = (i + \tfrac12) \tfrac{n}{m} - \tfrac12",
        (r"\bar x_k = \sum_i w(p_i - k)\, \bar y_i",),
    ),
    "grid_sample": (
        r"y_{ncpq} = \sum_{kl} w(v_{npq} - k)\, w(u_{npq} - l)\, x_{nckl}",
        (
            r"\bar x_{nckl} = \sum_{pq} w(v_{npq} - k)\, w(u_{npq} - l)\, \bar y_{ncpq}",
            r"\bar u_{npq} = \sum_{ckl} w(v_{npq} - k)\, w'(u_{npq} - l)\,"
            r" x_{nckl}\, \bar y_{ncpq}",
        ),
    ),
    "maxpool": (
        r"y_w = \max_{i \in w} x_i",
        (r"\bar x_i = \sum_{w \ni i} \bar y_w \frac{[x_i = y_w]}{\sum_{j \in w} [x_j = y_w]}",),
    ),
    "avgpool": (
        r"y_w = \tfrac{1}{|w|} \sum_{i \in w} x_i",
        (r"\bar x_i = \tfrac{1}{|w|} \sum_{w \ni i} \bar y_w",),
    ),
}
"""Formulas with indices, or shorter than what the table derives: the value and the pullbacks."""

LONG = {**LONG, "arctan2": LONG["atan2"]}

NUMBERS: Mapping[float, str] = {
    0.5: r"\tfrac12",
    -0.5: r"-\tfrac12",
    3.141592653589793: r"\pi",
    6.283185307179586: r"2\,\pi",
    0.7071067811865476: r"\tfrac{1}{\sqrt2}",
    -0.7071067811865476: r"-\tfrac{1}{\sqrt2}",
    0.3989422804014327: r"\tfrac{1}{\sqrt{2\,\pi}}",
    0.6931471805599453: r"\ln 2",
    2.302585092994046: r"\ln 10",
    1.1283791670955126: r"\tfrac{2}{\sqrt\pi}",
    -1.1283791670955126: r"-\tfrac{2}{\sqrt\pi}",
    0.7978845608028654: r"\sqrt{\tfrac2\pi}",
    0.017453292519943295: r"\tfrac{\pi}{180}",
    57.29577951308232: r"\tfrac{180}{\pi}",
    float("inf"): r"\infty",
    float("-inf"): r"-\infty",
}
