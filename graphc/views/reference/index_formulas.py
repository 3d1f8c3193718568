r"""How operations are written in LaTeX that choose, move or add up elements: with indices.

Positions count from 0. An element outside of its array is 0, and so is one that no formula gives.
"""

from __future__ import annotations

from collections.abc import Mapping

Formulas = tuple[str, tuple[str, ...]]


def _moved(value: str) -> Formulas:
    """Write the formulas of what only moves elements of x: they come back from where they went."""
    left, right = value.split(" = ")
    return value, (rf"\bar {right} = \bar {left}",)


def _convolution(places: str) -> Formulas:
    """Write the formulas of a convolution over axes with these indices, windows at p, q, r."""
    inside = "pqr"[: len(places)]
    there = ",".join(f"{i}+{p}-1" for i, p in zip(places, inside, strict=True))
    back = ",".join(f"{i}-{p}+1" for i, p in zip(places, inside, strict=True))
    w, taken = rf"w_{{kc{inside}}}", rf"x_{{n,c,{there}}}"
    return (
        rf"y_{{nk{places}}} = \sum_{{c{inside}}} {w}\, {taken}",
        (
            rf"\bar x_{{nc{places}}} = \sum_{{k{inside}}} {w}\, \bar y_{{n,k,{back}}}",
            rf"\bar {w} = \sum_{{n{places}}} \bar y_{{nk{places}}}\, {taken}",
        ),
    )


def _transposed_convolution(places: str) -> Formulas:
    """Write the formulas of a transposed convolution with stride 2."""
    inside, out = "pqr"[: len(places)], "uvw"[: len(places)].replace("w", "t")
    there = ",".join(f"2{i}+{p}" for i, p in zip(places, inside, strict=True))
    met = r",\, ".join(f"2{i}+{p} = {u}" for i, p, u in zip(places, inside, out, strict=True))
    w, x = rf"w_{{ck{inside}}}", rf"x_{{nc{places}}}"
    return (
        rf"y_{{nk{out}}} = \sum_{{c{places}{inside}:\, {met}}} {w}\, {x}",
        (
            rf"\bar {x} = \sum_{{k{inside}}} {w}\, \bar y_{{n,k,{there}}}",
            rf"\bar {w} = \sum_{{n{places}}} {x}\, \bar y_{{n,k,{there}}}",
        ),
    )


def _running(sign: str) -> Formulas:
    """Write the formulas of the largest or least element so far."""
    return (
        rf"y_{{bk}} = \{sign}_{{i \le k}} x_{{bi}}",
        (
            r"\bar x_{bj} = \sum_{k \ge j} \bar y_{bk}"
            r" \frac{[x_{bj} = y_{bk}]}{\sum_{i \le k} [x_{bi} = y_{bk}]}",
        ),
    )


def _of_segments(sign: str) -> Formulas:
    """Write the formulas of the largest or least element of each segment."""
    return (
        rf"y_{{sd}} = \{sign}_{{b:\, i_b = s}} x_{{bd}},\quad i = \mathit{{segment\_ids}}",
        (
            r"\bar x_{bd} = \bar y_{i_b,d} \frac{[x_{bd} = y_{i_b,d}]}"
            r"{\sum_{c:\, i_c = i_b} [x_{cd} = y_{i_b,d}]},\quad i = \mathit{segment\_ids}",
        ),
    )


def _of_rows(sign: str) -> Formulas:
    """Write the formulas of the largest or least element of each row."""
    return (
        rf"y_b = \{sign}_d x_{{bd}}",
        (r"\bar x_{bd} = \bar y_b \frac{[x_{bd} = y_b]}{\sum_k [x_{bk} = y_b]}",),
    )


LAST = r"l_b = \prod_{c \gt b} [(i_c, j_c) \ne (i_b, j_b)]"
OTHER = r"o_{nm} = \prod_b [(i_b, j_b) \ne (n, m)]"
PLACES = r"i_b = \mathit{indices}_{b0},\; j_b = \mathit{indices}_{b1}"
IDS = r"i = \mathit{segment\_ids}"
ORDER = r"s = \operatorname{argsort}(x)"
QUANTILE = rf"k = \lfloor q\,(D - 1) \rfloor,\; t = q\,(D - 1) - k,\; {ORDER}"
MIDDLE = rf"i = \lfloor \tfrac12 (D - 1) \rfloor,\; j = \lfloor \tfrac12 D \rfloor,\; {ORDER}"
PIECE = (
    r"k_b = \min(\max(\sum_j [\mathit{xp}_j \le x_b] - 1, 0), K - 2),\;"
    r" h_b = \mathit{xp}_{k_b + 1} - \mathit{xp}_{k_b}"
)
SHARE = r"t_b = \min(\max(\frac{x_b - \mathit{xp}_{k_b}}{h_b}, 0), 1)"
SIZED = (
    r"w_{ik} = \max(1 - \lvert p_i - k \rvert, 0),\; p_i = \min(\max(\tfrac12 i - \tfrac14, 0), 3)"
)
SAMPLED = (
    r"w(t) = \max(1 - \lvert t \rvert, 0),\;"
    r" u_{npq} = \tfrac12 (W\,(\mathit{grid}_{npq0} + 1) - 1),\;"
    r" v_{npq} = \tfrac12 (H\,(\mathit{grid}_{npq1} + 1) - 1)"
)
SLOPED = r"m(t) = -\operatorname{sign}(t)\,[\lvert t \rvert \lt 1]"

INDEXED: Mapping[str, Formulas] = {
    # ---- moved ----------------------------------------------------------------------------------
    "transpose": _moved("y_{tbd} = x_{btd}"),
    "swapaxes": _moved("y_{tbd} = x_{btd}"),
    "moveaxis": _moved("y_{tdb} = x_{btd}"),
    "reshape": _moved("y_{bT+t,d} = x_{btd}"),
    "flatten": _moved("y_{bD+d} = x_{bd}"),
    "squeeze": _moved("y_{bd} = x_{b0d}"),
    "expand_dims": _moved("y_{b0d} = x_{bd}"),
    "rearrange": _moved("y_{bhtd} = x_{b,t,2h+d}"),
    "flip": _moved("y_{bd} = x_{b,D-1-d}"),
    "roll": _moved(r"y_{bd} = x_{b,(d - 1) \bmod D}"),
    "pad": _moved("y_{b+1,d+1} = x_{bd}"),
    "concat": (
        r"y_{ij} = a_{ij},\; y_{i,D+j} = b_{ij}",
        (r"\bar a_{ij} = \bar y_{ij}", r"\bar b_{ij} = \bar y_{i,D+j}"),
    ),
    "stack": (
        r"y_{0ij} = a_{ij},\; y_{1ij} = b_{ij}",
        (r"\bar a_{ij} = \bar y_{0ij}", r"\bar b_{ij} = \bar y_{1ij}"),
    ),
    "split": (
        r"u, v = \operatorname{split}(x, 2),\quad u_{bj} = x_{bj},\; v_{bj} = x_{b,2+j}",
        (r"\bar x_{bj} = \bar u_{bj},\; \bar x_{b,2+j} = \bar v_{bj}",),
    ),
    "broadcast_to": ("y_{bd} = x_d", (r"\bar x_d = \sum_b \bar y_{bd}",)),
    "tile": (
        r"y_{bj} = x_{b,j \bmod D}",
        (r"\bar x_{bd} = \bar y_{bd} + \bar y_{b,D+d}",),
    ),
    "repeat_elements": (
        r"y_{bj} = x_{b,\lfloor j/2 \rfloor}",
        (r"\bar x_{bd} = \bar y_{b,2d} + \bar y_{b,2d+1}",),
    ),
    "diagonal": ("y_i = x_{ii}", (r"\bar x_{ij} = [i = j]\, \bar y_i",)),
    "diag": ("y_{ij} = [i = j]\\, x_i", (r"\bar x_i = \bar y_{ii}",)),
    "tril": (r"y_{ij} = [i \ge j]\, x_{ij}", (r"\bar x_{ij} = [i \ge j]\, \bar y_{ij}",)),
    "triu": (r"y_{ij} = [i \le j]\, x_{ij}", (r"\bar x_{ij} = [i \le j]\, \bar y_{ij}",)),
    "fill_tril": (
        r"y_{bij} = [i \gt j]\, v_{b,i(i - 1)/2+j}",
        (r"\bar v_{b,i(i - 1)/2+j} = \bar y_{bij},\quad i \gt j",),
    ),
    # ---- made -----------------------------------------------------------------------------------
    "arange": ("y_i = i", ()),
    "eye": ("y_{ij} = [i = j]", ()),
    "full": ("y_{bd} = c", (r"\bar c = \sum_{bd} \bar y_{bd}", r"\bar x = 0")),
    "linspace": (
        r"y_i = (1 - \tfrac{i}{4})\,a + \tfrac{i}{4}\,b",
        (
            r"\bar a = \sum_i (1 - \tfrac{i}{4})\, \bar y_i",
            r"\bar b = \sum_i \tfrac{i}{4}\, \bar y_i",
        ),
    ),
    "one_hot": (r"y_{bk} = [\mathit{ids}_b = k]", ()),
    # ---- added up -------------------------------------------------------------------------------
    "sum": (r"y_b = \sum_d x_{bd}", (r"\bar x_{bd} = \bar y_b",)),
    "mean": (
        r"y_b = \tfrac1D \sum_d x_{bd}",
        (r"\bar x_{bd} = \tfrac1D \bar y_b",),
    ),
    "var": (
        r"y_b = \tfrac1D \sum_d (x_{bd} - \mu_b)^2,\quad \mu_b = \tfrac1D \sum_d x_{bd}",
        (
            r"\bar x_{bd} = \tfrac2D \bar y_b\,(x_{bd} - \mu_b),"
            r"\quad \mu_b = \tfrac1D \sum_d x_{bd}",
        ),
    ),
    "std": (
        r"y_b = \sqrt{\tfrac1D \sum_d (x_{bd} - \mu_b)^2},\quad \mu_b = \tfrac1D \sum_d x_{bd}",
        (
            r"\bar x_{bd} = \frac{\bar y_b}{D\,y_b}\,(x_{bd} - \mu_b),"
            r"\quad y_b \ne 0,\; \mu_b = \tfrac1D \sum_d x_{bd}",
        ),
    ),
    "norm": (
        r"y_b = \sqrt{\sum_d x_{bd}^2}",
        (r"\bar x_{bd} = \frac{\bar y_b}{y_b}\, x_{bd},\quad y_b \ne 0",),
    ),
    "softmax": (
        r"y_{bd} = \frac{e^{x_{bd}}}{\sum_k e^{x_{bk}}}",
        (r"\bar x_{bd} = y_{bd}\,(\bar y_{bd} - \sum_k \bar y_{bk}\, y_{bk})",),
    ),
    "log_softmax": (
        r"y_{bd} = x_{bd} - \ln(\sum_k e^{x_{bk}})",
        (r"\bar x_{bd} = \bar y_{bd} - e^{y_{bd}} \sum_k \bar y_{bk}",),
    ),
    "logsumexp": (
        r"y_b = \ln(\sum_d e^{x_{bd}})",
        (r"\bar x_{bd} = \bar y_b\, e^{x_{bd} - y_b}",),
    ),
    "prod": (r"y_b = \prod_d x_{bd}", (r"\bar x_{bd} = \bar y_b \prod_{k \ne d} x_{bk}",)),
    "cumsum": (
        r"y_{bk} = \sum_{i \le k} x_{bi}",
        (r"\bar x_{bj} = \sum_{k \ge j} \bar y_{bk}",),
    ),
    "cumprod": (
        r"y_{bk} = \prod_{i \le k} x_{bi}",
        (r"\bar x_{bj} = \sum_{k \ge j} \bar y_{bk} \prod_{i \le k,\, i \ne j} x_{bi}",),
    ),
    "logcumsumexp": (
        r"y_{bk} = \ln(\sum_{i \le k} e^{x_{bi}})",
        (r"\bar x_{bj} = \sum_{k \ge j} \bar y_{bk}\, e^{x_{bj} - y_{bk}}",),
    ),
    "linear_recurrence": (
        r"y_{it} = a_{it}\, y_{i,t-1} + b_{it}",
        (
            r"\bar a_{it} = \bar b_{it}\, y_{i,t-1}",
            r"\bar b_{it} = \bar y_{it} + a_{i,t+1}\, \bar b_{i,t+1}",
        ),
    ),
    "diff": (
        "y_{bk} = x_{b,k+1} - x_{bk}",
        (r"\bar x_{bk} = \bar y_{b,k-1} - \bar y_{bk}",),
    ),
    "count_nonzero": (r"y_b = \sum_d [x_{bd} \ne 0]", ()),
    "any": (r"y_b = [\sum_d x_{bd} \gt 0]", ()),
    "all": (r"y_b = \prod_d x_{bd}", ()),
    # ---- products -------------------------------------------------------------------------------
    "vdot": (r"y = \sum_d a_d\, b_d", (r"\bar a = \bar y\,b", r"\bar b = \bar y\,a")),
    "kron": (
        "y_{iM+m,jN+n} = a_{ij}\\, b_{mn}",
        (
            r"\bar a_{ij} = \sum_{mn} \bar y_{iM+m,jN+n}\, b_{mn}",
            r"\bar b_{mn} = \sum_{ij} \bar y_{iM+m,jN+n}\, a_{ij}",
        ),
    ),
    "einsum": (
        r"y_{bts} = \sum_d q_{btd}\, k_{bsd}",
        (
            r"\bar q_{btd} = \sum_s \bar y_{bts}\, k_{bsd}",
            r"\bar k_{bsd} = \sum_t \bar y_{bts}\, q_{btd}",
        ),
    ),
    "trace": (r"y = \sum_i x_{ii}", (r"\bar x_{ij} = [i = j]\, \bar y",)),
    # ---- chosen ---------------------------------------------------------------------------------
    "max": _of_rows("max"),
    "min": _of_rows("min"),
    "argmax": (r"y_b = \min \{d : x_{bd} = \max_k x_{bk}\}", ()),
    "argmin": (r"y_b = \min \{d : x_{bd} = \min_k x_{bk}\}", ()),
    "cummax": _running("max"),
    "cummin": _running("min"),
    "segment_sum": (
        rf"y_{{sd}} = \sum_{{b:\, i_b = s}} x_{{bd}},\quad {IDS}",
        (rf"\bar x_{{bd}} = \bar y_{{i_b,d}},\quad {IDS}",),
    ),
    "segment_max": _of_segments("max"),
    "segment_min": _of_segments("min"),
    "sort": (
        rf"y_{{bk}} = x_{{b,s_{{bk}}}},\quad {ORDER}",
        (rf"\bar x_{{b,s_{{bk}}}} = \bar y_{{bk}},\quad {ORDER}",),
    ),
    "median": (
        rf"y_b = \tfrac12 (x_{{b,s_{{bi}}}} + x_{{b,s_{{bj}}}}),\quad {MIDDLE}",
        (
            rf"\bar x_{{bd}} = \tfrac12 \bar y_b\,([d = s_{{bi}}] + [d = s_{{bj}}]),"
            rf"\quad {MIDDLE}",
        ),
    ),
    "quantile": (
        rf"y_b = (1 - t)\, x_{{b,s_{{bk}}}} + t\, x_{{b,s_{{b,k+1}}}},\quad {QUANTILE}",
        (
            r"\bar x_{bd} = \bar y_b\,((1 - t)\,[d = s_{bk}] + t\,[d = s_{b,k+1}]),"
            rf"\quad {QUANTILE}",
            r"\bar q = (D - 1) \sum_b \bar y_b\,(x_{b,s_{b,k+1}} - x_{b,s_{bk}}),"
            rf"\quad {QUANTILE}",
        ),
    ),
    "top_k": (
        r"v, i = \operatorname{top\_k}(x, 3),\quad v_{bj} = x_{b,i_{bj}},\; i_{bj} = s_{bj},"
        r"\; s = \operatorname{argsort}(-x)",
        (r"\bar x_{b,i_{bj}} = \bar v_{bj}",),
    ),
    "searchsorted": (r"y_b = \sum_k [\mathit{table}_k \lt x_b]", ()),
    "interp": (
        r"y_b = (1 - t_b)\, \mathit{fp}_{k_b} + t_b\, \mathit{fp}_{k_b + 1},"
        rf"\quad {SHARE},\; {PIECE}",
        (
            r"\bar x_b = [\mathit{xp}_0 \le x_b \le \mathit{xp}_{K-1}]\, \bar y_b"
            r" \frac{\mathit{fp}_{k_b + 1} - \mathit{fp}_{k_b}}{h_b},"
            rf"\quad {PIECE}",
            r"\bar \mathit{xp}_j = -\sum_b \bar x_b\,((1 - t_b)\,[j = k_b] + t_b\,[j = k_b + 1]),"
            rf"\quad {SHARE},\; {PIECE}",
            r"\bar \mathit{fp}_j = \sum_b \bar y_b\,((1 - t_b)\,[j = k_b] + t_b\,[j = k_b + 1]),"
            rf"\quad {SHARE},\; {PIECE}",
        ),
    ),
    # ---- by index -------------------------------------------------------------------------------
    "pick": (
        r"y_b = x_{b,\mathit{label}_b}",
        (r"\bar x_{bc} = [c = \mathit{label}_b]\, \bar y_b",),
    ),
    "take": (
        r"y_{bd} = x_{i_b,d},\quad i = \mathit{indices}",
        (r"\bar x_{nd} = \sum_{b:\, i_b = n} \bar y_{bd},\quad i = \mathit{indices}",),
    ),
    "scatter_add": (
        r"y_{nd} = x_{nd} + \sum_{b:\, i_b = n} \mathit{updates}_{bd},\quad i = \mathit{indices}",
        (
            r"\bar x = \bar y",
            r"\bar \mathit{updates}_{bd} = \bar y_{i_b,d},\quad i = \mathit{indices}",
        ),
    ),
    "take_along_axis": (
        r"y_{bk} = x_{b,i_{bk}},\quad i = \mathit{indices}",
        (r"\bar x_{bd} = \sum_{k:\, i_{bk} = d} \bar y_{bk},\quad i = \mathit{indices}",),
    ),
    "add_along_axis": (
        r"y_{bd} = x_{bd} + \sum_{k:\, i_{bk} = d} \mathit{values}_{bk},\quad i = \mathit{indices}",
        (
            r"\bar x = \bar y",
            r"\bar \mathit{values}_{bk} = \bar y_{b,i_{bk}},\quad i = \mathit{indices}",
        ),
    ),
    "put_along_axis": (
        r"y_{bd} = x_{bd} \prod_k [i_{bk} \ne d] + \sum_{k:\, i_{bk} = d} l_{bk}\,"
        r" \mathit{values}_{bk},\quad i = \mathit{indices},\;"
        r" l_{bk} = \prod_{j \gt k} [i_{bj} \ne i_{bk}]",
        (
            r"\bar x_{bd} = \bar y_{bd} \prod_k [i_{bk} \ne d],\quad i = \mathit{indices}",
            r"\bar \mathit{values}_{bk} = l_{bk}\, \bar y_{b,i_{bk}},\quad i = \mathit{indices},\;"
            r" l_{bk} = \prod_{j \gt k} [i_{bj} \ne i_{bk}]",
        ),
    ),
    "put": (
        r"y_{nm} = o_{nm}\, x_{nm} + \sum_{b:\, (i_b, j_b) = (n, m)} l_b\,"
        rf" \mathit{{values}}_b,\quad {OTHER},\; {LAST}",
        (
            rf"\bar x_{{nm}} = o_{{nm}}\, \bar y_{{nm}},\quad {OTHER}",
            rf"\bar \mathit{{values}}_b = l_b\, \bar y_{{i_b,j_b}},\quad {LAST}",
        ),
    ),
    "put_add": (
        r"y_{nm} = x_{nm} + \sum_{b:\, (i_b, j_b) = (n, m)} \mathit{values}_b",
        (r"\bar x = \bar y", r"\bar \mathit{values}_b = \bar y_{i_b,j_b}"),
    ),
    "gather_nd": (
        rf"y_{{bd}} = x_{{i_b,j_b,d}},\quad {PLACES}",
        (rf"\bar x_{{nmd}} = \sum_{{b:\, (i_b, j_b) = (n, m)}} \bar y_{{bd}},\quad {PLACES}",),
    ),
    "scatter_nd": (
        r"y_{nmd} = o_{nm}\, x_{nmd} + \sum_{b:\, (i_b, j_b) = (n, m)}"
        rf" l_b\, \mathit{{values}}_{{bd}},\quad {PLACES},\; {OTHER},\; {LAST}",
        (
            rf"\bar x_{{nmd}} = o_{{nm}}\, \bar y_{{nmd}},\quad {PLACES},\; {OTHER}",
            rf"\bar \mathit{{values}}_{{bd}} = l_b\, \bar y_{{i_b,j_b,d}},\quad {PLACES},\; {LAST}",
        ),
    ),
    "scatter_nd_add": (
        r"y_{nmd} = x_{nmd} + \sum_{b:\, (i_b, j_b) = (n, m)} \mathit{values}_{bd},"
        rf"\quad {PLACES}",
        (
            r"\bar x = \bar y",
            rf"\bar \mathit{{values}}_{{bd}} = \bar y_{{i_b,j_b,d}},\quad {PLACES}",
        ),
    ),
    # ---- windows --------------------------------------------------------------------------------
    **{f"conv{len(places)}d": _convolution(places) for places in ("i", "ij", "ijl")},
    **{
        f"conv_transpose{len(places)}d": _transposed_convolution(places)
        for places in ("i", "ij", "ijl")
    },
    "maxpool": (
        r"y_{ncij} = \max_{p \lt 2,\, q \lt 2} x_{n,c,2i+p,2j+q}",
        (
            r"\bar x_{nckl} = \bar y_{ncij} \frac{[x_{nckl} = y_{ncij}]}"
            r"{\sum_{p \lt 2,\, q \lt 2} [x_{n,c,2i+p,2j+q} = y_{ncij}]},"
            r"\quad i = \lfloor k/2 \rfloor,\; j = \lfloor l/2 \rfloor",
        ),
    ),
    "avgpool": (
        r"y_{ncij} = \tfrac14 \sum_{p \lt 2,\, q \lt 2} x_{n,c,2i+p,2j+q}",
        (
            r"\bar x_{nckl} = \tfrac14 \bar y_{ncij},"
            r"\quad i = \lfloor k/2 \rfloor,\; j = \lfloor l/2 \rfloor",
        ),
    ),
    "resize": (
        rf"y_{{ncij}} = \sum_{{kl}} w_{{ik}}\, w_{{jl}}\, x_{{nckl}},\quad {SIZED}",
        (rf"\bar x_{{nckl}} = \sum_{{ij}} w_{{ik}}\, w_{{jl}}\, \bar y_{{ncij}},\quad {SIZED}",),
    ),
    "grid_sample": (
        r"y_{ncpq} = \sum_{kl} w(v_{npq} - k)\, w(u_{npq} - l)\, x_{nckl},"
        rf"\quad {SAMPLED}",
        (
            r"\bar x_{nckl} = \sum_{pq} w(v_{npq} - k)\, w(u_{npq} - l)\, \bar y_{ncpq},"
            rf"\quad {SAMPLED}",
            r"\bar \mathit{grid}_{npq0} = \tfrac12 W \sum_{ckl} w(v_{npq} - k)\,"
            r" m(u_{npq} - l)\, x_{nckl}\, \bar y_{ncpq},\;"
            r" \bar \mathit{grid}_{npq1} = \tfrac12 H \sum_{ckl} m(v_{npq} - k)\,"
            r" w(u_{npq} - l)\, x_{nckl}\, \bar y_{ncpq},"
            rf"\quad {SLOPED},\; {SAMPLED}",
        ),
    ),
}
"""The value of an operation's sample call, and the cotangents of its arguments."""
