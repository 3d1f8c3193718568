"""How systems and decompositions of matrices are written in LaTeX, with their pullbacks."""

from __future__ import annotations

from collections.abc import Mapping

SYMMETRIC = r"\tfrac12 (x + x^{\top})"
ORTHOGONAL = r"v^{\top} v = 1"
LOWER = r"h_{ij} = [i \gt j] + \tfrac12 [i = j]"
"""The triangle below the diagonal, and half of that."""

MATRICES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "cholesky": (
        r"y\,y^{\top} = \tfrac12 (x + x^{\top})",
        (
            r"\bar x = \tfrac12 (s + s^{\top}),"
            r"\quad s = y^{-\top}\,(h \odot (y^{\top} \bar y))\,y^{-1},"
            rf"\; {LOWER}",
        ),
    ),
    "eigvalsh": (
        rf"{SYMMETRIC} = v\,\operatorname{{diag}}(y)\,v^{{\top}},\quad {ORTHOGONAL}",
        (
            r"\bar x = v\,\operatorname{diag}(\bar y)\,v^{\top},"
            rf"\quad {SYMMETRIC} = v\,\operatorname{{diag}}(y)\,v^{{\top}}",
        ),
    ),
    "eigh": (
        r"w, v = \operatorname{eigh}(x),"
        rf"\quad {SYMMETRIC} = v\,\operatorname{{diag}}(w)\,v^{{\top}},\; {ORTHOGONAL}",
        (
            r"\bar x = \tfrac12 (s + s^{\top}),\quad s = v\,(\operatorname{diag}(\bar w) + "
            r"f \odot (v^{\top} \bar v))\,v^{\top},\; f_{ij} = \tfrac{1}{w_j - w_i},\; f_{ii} = 0",
        ),
    ),
    "svdvals": (
        rf"x = u\,\operatorname{{diag}}(y)\,v^{{\top}},\quad u^{{\top}} u = 1,\; {ORTHOGONAL}",
        (
            r"\bar x = u\,\operatorname{diag}(\bar y)\,v^{\top},"
            r"\quad x = u\,\operatorname{diag}(y)\,v^{\top}",
        ),
    ),
    "svd": (
        r"u, s, t = \operatorname{svd}(x),\quad x = u\,\operatorname{diag}(s)\,t,"
        r"\; u^{\top} u = 1,\; t\,t^{\top} = 1",
        (
            r"\bar x = u\,m\,t + (1 - u\,u^{\top})\,\bar u\,\operatorname{diag}(s)^{-1}\,t,"
            r"\quad m = \operatorname{diag}(\bar s) + f \odot (p\,\operatorname{diag}(s) + "
            r"\operatorname{diag}(s)\,q),"
            r"\; p = u^{\top} \bar u - \bar u^{\top} u,\; q = t\,\bar t^{\top} - \bar t\,t^{\top},"
            r"\; f_{ij} = \tfrac{1}{s_j^2 - s_i^2},\; f_{ii} = 0",
        ),
    ),
    "qr": (
        r"q, r = \operatorname{qr}(x),\quad x = q\,r,\; q^{\top} q = 1,"
        r"\; r_{ij} = [i \le j]\, r_{ij}",
        (
            r"\bar x = (\bar q + q\,(l + l^{\top}))\,r^{-\top},"
            r"\quad l = h \odot (r\,\bar r^{\top} - \bar q^{\top} q),"
            rf"\; {LOWER}",
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
        r"y = e^{x} = \sum_{k=0}^{\infty} \tfrac{1}{k!}\, x^{k}",
        (
            r"\bar x = l,\quad \exp \begin{pmatrix} x^{\top} & \bar y \\ 0 & x^{\top} \end{pmatrix}"
            r" = \begin{pmatrix} e^{x^{\top}} & l \\ 0 & e^{x^{\top}} \end{pmatrix}",
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
