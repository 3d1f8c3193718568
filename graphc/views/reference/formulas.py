r"""How operations are written in LaTeX.

`<0>` is the first argument; `<0*>` in parentheses where it is a sum, `<0^>` also where it is a
product. The level says what the whole is.
"""

from __future__ import annotations

from collections.abc import Mapping

from graphc.views.reference.index_formulas import INDEXED
from graphc.views.reference.matrix_formulas import MATRICES

SUM, PRODUCT, ATOM = range(3)

OPERATIONS: Mapping[str, tuple[int, str]] = {
    "+": (SUM, "<0> + <1>"),
    "-": (SUM, "<0> - <1*>"),
    "negative": (SUM, "-<0*>"),
    "/": (PRODUCT, r"\frac{<0>}{<1>}"),
    "ratio": (PRODUCT, r"\frac{<0>}{<1>}"),
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
    "gamma_density": (PRODUCT, r"\frac{<1^>^{<0> - 1} \odot e^{-<1*>}}{\Gamma(<0>)}"),
    "betainc": (ATOM, r"I_{<2>}(<0>, <1>)"),
    "betainc_by": (ATOM, r"\partial_a^{{i}} \partial_b^{{j}} I_{<2>}(<0>, <1>)"),
    "beta_density": (
        PRODUCT,
        r"\frac{<2^>^{<0> - 1} \odot (1 - <2*>)^{<1> - 1}}{\mathrm{B}(<0>, <1>)}",
    ),
    "ndtr": (ATOM, r"\Phi(<0>)"),
    "log_ndtr": (ATOM, r"\ln(\Phi(<0>))"),
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


LONG: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "ndtr": (
        r"\Phi(x)",
        (r"\bar x = \bar y \odot \tfrac{1}{\sqrt{2\pi}} e^{-x^2/2}",),
    ),
    "log_ndtr": (r"\ln(\Phi(x))", (r"\bar x = \bar y \odot \frac{\varphi(x)}{\Phi(x)}",)),
    "ndtri": (r"\Phi^{-1}(p)", (r"\bar p = \bar y \odot \sqrt{2\pi}\, e^{y^2/2}",)),
    "erfinv": (
        r"\operatorname{erf}^{-1}(x)",
        (r"\bar x = \bar y \odot \tfrac{\sqrt\pi}{2} e^{y^2}",),
    ),
    "erfcinv": (
        r"\operatorname{erfc}^{-1}(x)",
        (r"\bar x = -\bar y \odot \tfrac{\sqrt\pi}{2} e^{y^2}",),
    ),
    "gammainc": (
        "P(a, x)",
        (
            r"\bar a = \bar y \odot \partial_a P(a, x)",
            r"\bar x = \bar y \odot \frac{x^{a - 1} \odot e^{-x}}{\Gamma(a)}",
        ),
    ),
    "gammaincc": (
        "y = Q(a, x) = 1 - P(a, x)",
        (
            r"\bar a = -\bar y \odot \partial_a P(a, x)",
            r"\bar x = -\bar y \odot \frac{x^{a - 1} \odot e^{-x}}{\Gamma(a)}",
        ),
    ),
    "betainc": (
        "I_{x}(a, b)",
        (
            r"\bar a = \bar y \odot \partial_a I_{x}(a, b)",
            r"\bar b = \bar y \odot \partial_b I_{x}(a, b)",
            r"\bar x = \bar y \odot \frac{x^{a - 1} \odot (1 - x)^{b - 1}}{\mathrm{B}(a, b)}",
        ),
    ),
    "huber": (
        r"[\lvert x \rvert \le 1] \odot \tfrac12 x^2"
        r" + [\lvert x \rvert \gt 1] \odot (\lvert x \rvert - \tfrac12)",
        (r"\bar x = \bar y \odot \min(\max(x, -1), 1)",),
    ),
    "det": (
        r"\det x",
        (r"\bar x = \bar y\, \operatorname{adj}(x)^{\top} = \bar y\, y\, x^{-\top}",),
    ),
    "logdet": (r"\ln \lvert \det x \rvert", (r"\bar x = \bar y\, x^{-\top}",)),
    "logaddexp": (
        r"\ln(e^{a} + e^{b})",
        (r"\bar a = \bar y \odot e^{a - y}", r"\bar b = \bar y \odot e^{b - y}"),
    ),
    "gelu_tanh": (
        r"y = \tfrac12 x \odot (1 + t),\quad t = \tanh(\sqrt{\tfrac2\pi}\,(x + 0.044715\,x^3))",
        (
            r"\bar x = \tfrac12 \bar y \odot (1 + t + x \odot (1 - t^2) \odot \sqrt{\tfrac2\pi}\,"
            r"(1 + 0.134145\,x^2)),\quad t = \tanh(\sqrt{\tfrac2\pi}\,(x + 0.044715\,x^3))",
        ),
    ),
    "selu": (
        r"1.0507\,(\max(x, 0) + 1.67326\,(e^{\min(x, 0)} - 1))",
        (r"\bar x = 1.0507\,\bar y \odot ([x \gt 0] + 1.67326\,[x \le 0] \odot e^{x})",),
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
    **INDEXED,
    **MATRICES,
    "log_sigmoid": (r"-\ln(1 + e^{-x})", (r"\bar x = \bar y \odot \sigma(-x)",)),
    "logit": (r"\ln(\frac{x}{1 - x})", (r"\bar x = \frac{\bar y}{x \odot (1 - x)}",)),
    "arcsinh": (r"\operatorname{arsinh}(x)", (r"\bar x = \frac{\bar y}{\sqrt{1 + x^2}}",)),
    "asinh": (r"\operatorname{arsinh}(x)", (r"\bar x = \frac{\bar y}{\sqrt{1 + x^2}}",)),
    "square": ("x^2", (r"\bar x = 2\,\bar y \odot x",)),
    "grad": (
        r"y = \frac{\partial \sum_d x_d^3}{\partial x} = 3\,x^2",
        (r"\bar x = 6\,\bar y \odot x",),
    ),
    "jvp": (
        r"y = \frac{\partial \sin(x)}{\partial x}\,u = \cos(x) \odot u",
        (
            r"\bar x = -\bar y \odot \sin(x) \odot u",
            r"\bar u = \bar y \odot \cos(x)",
        ),
    ),
    "jacobian": (
        r"y = \frac{\partial (w\,x)}{\partial x} = w",
        (r"\bar w = \bar y", r"\bar x = 0"),
    ),
}
"""Formulas that are shorter, or say more, than what the table derives: value and pullbacks."""

LONG = {**LONG, "arctan2": LONG["atan2"]}

NUMBERS: Mapping[float, str] = {
    0.5: r"\tfrac12",
    -0.5: r"-\tfrac12",
    3.141592653589793: r"\pi",
    6.283185307179586: r"2\,\pi",
    0.7071067811865476: r"\tfrac{1}{\sqrt2}",
    -0.7071067811865476: r"-\tfrac{1}{\sqrt2}",
    0.3989422804014327: r"\tfrac{1}{\sqrt{2\,\pi}}",
    0.6931471805599453: r"\ln(2)",
    2.302585092994046: r"\ln(10)",
    1.1283791670955126: r"\tfrac{2}{\sqrt\pi}",
    -1.1283791670955126: r"-\tfrac{2}{\sqrt\pi}",
    0.7978845608028654: r"\sqrt{\tfrac2\pi}",
    0.017453292519943295: r"\tfrac{\pi}{180}",
    57.29577951308232: r"\tfrac{180}{\pi}",
    float("inf"): r"\infty",
    float("-inf"): r"-\infty",
}
