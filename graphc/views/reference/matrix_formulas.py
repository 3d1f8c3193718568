"""How systems and decompositions of matrices are written in LaTeX, with their pullbacks."""

from __future__ import annotations

from collections.abc import Mapping

MATRICES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "eigvalsh": (
        r"y = \lambda(\tfrac12 (x + x^{\top}))",
        (r"\bar x = v\,\operatorname{diag}(\bar y)\,v^{\top}",),
    ),
    "eigh": (
        r"\tfrac12 (x + x^{\top}) = v\,\operatorname{diag}(w)\,v^{\top}",
        (
            r"\bar x = \operatorname{sym}(v\,(\operatorname{diag}(\bar w) + "
            r"f \odot v^{\top} \bar v)\,v^{\top}),\quad f_{ij} = \tfrac{1}{w_j - w_i}",
        ),
    ),
    "svdvals": (
        r"y = \sigma(x)",
        (r"\bar x = u\,\operatorname{diag}(\bar y)\,v^{\top}",),
    ),
    "svd": (
        r"x = u\,\operatorname{diag}(s)\,v^{\top}",
        (
            r"\bar x = u\,(\operatorname{diag}(\bar s) + "
            r"f \odot (u^{\top} \bar u - \bar u^{\top} u)\,\operatorname{diag}(s) + "
            r"\operatorname{diag}(s)\,f \odot (v^{\top} \bar v - \bar v^{\top} v))\,v^{\top} + "
            r"(1 - u\,u^{\top})\,\bar u\,\operatorname{diag}(s)^{-1}\,v^{\top},"
            r"\quad f_{ij} = \tfrac{1}{s_j^2 - s_i^2}",
        ),
    ),
    "qr": (
        r"x = q\,r",
        (
            r"\bar x = (\bar q + q\,\operatorname{copyltu}(r\,\bar r^{\top} - \bar q^{\top} q))"
            r"\,r^{-\top}",
        ),
    ),
    "pinv": (
        r"x^{+}",
        (
            r"\bar x = -y^{\top} \bar y\,y^{\top} + (1 - x\,y)\,\bar y^{\top} y\,y^{\top}"
            r" + y^{\top} y\,\bar y^{\top} (1 - y\,x)",
        ),
    ),
    "lstsq": (
        r"y = a^{+}\,b",
        (
            r"\bar b = a^{+\top}\, \bar y",
            r"\bar a = -\bar b\, y^{\top} + (b - a\,y)\,(a^{+}\,\bar b)^{\top}",
        ),
    ),
    "expm": (
        "e^{x}",
        (
            r"\bar x = L(x^{\top}, \bar y), \quad \exp \begin{pmatrix} x & e \\ 0 & x \end{pmatrix}"
            r" = \begin{pmatrix} e^x & L(x, e) \\ 0 & e^x \end{pmatrix}",
        ),
    ),
    "solve": (
        r"a\,y = b",
        (r"\bar b = a^{-\top}\, \bar y", r"\bar a = -\bar b\, y^{\top}"),
    ),
    "triangular_solve": (
        r"\operatorname{tril}(a)\,y = b",
        (
            r"\bar b = \operatorname{tril}(a)^{-\top}\, \bar y",
            r"\bar a = -\operatorname{tril}(\bar b\, y^{\top})",
        ),
    ),
}
