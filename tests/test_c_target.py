"""The C target computes what the NumPy module computes, refuses what that refuses, and C compilers
have nothing to say."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from c_functions import Library, compare, compiled, compiler
from c_programs import disagreement, watched
from calling import given
from every_operation import operations

from graphc.compile.options import OTHERS, TARGETS
from graphc.compile.stages import Compilation, Options, compile_text
from graphc.ir.kernel import Call, Elementwise, Put, Running, Take, View, functions
from graphc.nests.expressions import MADE
from graphc.nests.places import PLACES
from graphc.nests.products import MATRICES
from graphc.nests.statements import CALLED
from graphc.sample import choose_sizes
from graphc.source import GraphError, Source
from graphc.targets.c.names import c_name
from graphc.targets.c.printing.elements import FORMS

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.graph"))
LANGUAGE = sorted((ROOT / "tests" / "language" / "examples").glob("*.graph"))


def named(path: Path) -> str:
    return path.stem


# ---- the same numbers ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["net321", "residual", "digits"])
def test_examples_agree(name: str) -> None:
    compare(ROOT / "examples" / f"{name}.graph", Options(level="-O2"))


@pytest.mark.long
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("level", ["-O0", "-O2"])
@pytest.mark.parametrize("path", [*EXAMPLES, *LANGUAGE], ids=named)
def test_every_example_agrees(path: Path, level: str, dtype: str) -> None:
    compare(path, Options(level=level, dtype=dtype))


LOOPS = """
dim T, D
input x: [T, D]
input h0: [D]
param A: [D, D]
param w: [3, D]
scan steps[t in T] carry h = h0, c = h0 {
    next h = tanh(c @ A + x[t])
    next c = 0.5 * h[::-1]
    collect hs = h * c
}
scan more[n in 6] carry e = c {
    next e = 1.5 * e
    collect es = e * c
    until sum(e**2) > 5
}
repeat layer[k in 1..3] carry z = h {
    param W: [D, D]
    next z = tanh(z @ W + w[k - 1])
}
output y = sum(hs**2) + sum(z**3) + sum(e) + sum(cos(es))
output last = z
derive value_and_grad y wrt x, params
derive jvp last wrt h0, layer.* as pushed
derive hvp y wrt h0, A as curved
derive jacobian last wrt h0, w as J
derive hessian_matrix y wrt h0 as H
"""
PLACES_OF = """
dim N, M, J
input x: [N, M]
input k: int[J]
input at: int[N]
require N >= 2
a = x[1:, 2] * x[0, 2] + x[:N - 1, 0]
b = x.T[::2, :] @ x
c = take(x, k, axis=0)
d = sort(x, axis=1) * cumsum(x, axis=1) + cumprod(x, axis=0)
e = concat(x, roll(x, 1, axis=0)[::-1, :], axis=1)
f = logsumexp(x, axis=1) - pick(x, at)
g = diag(f) @ tril(x @ x.T) + outer(f, f) + eye(N)
output y = sum(a**2) + sum(b / 2) + sum(c**2) + sum(d) + sum(e**3) + sum(f) + trace(g) + max(x)
output best = argmax(x, axis=1)
derive value_and_grad y wrt x
derive hvp y wrt x as curved
"""
MATRICES_OF = """
dim B, N
input x: [B, N, N]
input v: [B, N]
input u: [N]
S = x @ swapaxes(x, -1, -2) + 2 * eye(N)
L = cholesky(S)
output y = sum(solve(S[0], u)**2) + sum(inv(S)) + sum(logdet(S)) + sum(det(x)) + sum(L**2)
output w = (S @ v[:, :, _])[:, :, 0]
derive value_and_grad y wrt x, u
derive vjp w wrt x, v as pulled
"""


@pytest.mark.parametrize("level", ["-O0", "-O2"])
@pytest.mark.parametrize("graph", [LOOPS, PLACES_OF], ids=["loops", "places"])
def test_loops_and_places_agree(graph: str, level: str) -> None:
    compare(graph, Options(level=level))


TRIANGLES = """
dim B, S
input x: [S, 3]
input A: [3, 3]
require S >= 3 * B
scan s[t in B] carry h = zeros([3]) {
    p = x[:2 * t, :] @ A
    q = sort(x[t:, :] @ A, axis=0)
    scan r[k in t] carry g = h {
        next g = tanh(g + sum(p[k:, :] @ A, axis=0) + x[k + 2 * t, :])
    }
    next h = g + sum(p**2, axis=0) + sum(q[:1, :], axis=0)
}
output y = sum(h)
derive value_and_grad y wrt x, A
"""
NOTHING_KEPT = """
dim B, S
input x: [S]
scan s[t in B] carry h = 0.0 {
    scan r[k in t] carry g = h { next g = g + x[k + 2 * t] }
    next h = g
}
output y = h
derive value_and_grad y wrt x
"""


@pytest.mark.parametrize("level", ["-O0", "-O2"])
@pytest.mark.parametrize("graph", [TRIANGLES, NOTHING_KEPT])
def test_arrays_as_long_as_the_index_of_a_step_says(graph: str, level: str) -> None:
    """They have room for the longest, also where there is no step."""
    for dims in ({"B": 0, "S": 0}, {"B": 4, "S": 13}):
        compare(graph, Options(level=level), dims=dims)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_matrices_agree(dtype: str) -> None:
    compare(
        MATRICES_OF, Options(level="-O2", dtype=dtype), tolerance=1e-11 if "64" in dtype else 2e-4
    )


LONG_BODY = "dim N\ninput x: [N]\nh0 = x\n" + "\n".join(
    f"h{k} = tanh(h{k - 1} * x) - 0.{k} * x" for k in range(1, 13)
)
LONG_BODY += "\noutput y = sum(h12)\noutput m = max(h12 * h11)\nderive value_and_grad y wrt x"
FOLDED = "dim N\ninput x: [N]\n" + "\n".join(
    f"output {name}_of = {name}(x * 0.5)" for name in ("sum", "mean", "max", "min", "prod")
)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("graph", "folds"), [(FOLDED, 3), (LONG_BODY, 1)], ids=["few", "long"])
def test_sums_of_many_are_those_of_few(graph: str, folds: int, dtype: str) -> None:
    """Long loops fold in lanes however much they compute; so no turn waits for the one before."""
    dims = [{"N": size} for size in (1, 31, 32, 33, 103)]
    found = compare(graph, Options(level="-O2", dtype=dtype), dims=dims)
    for name in ("forward", "value_and_grad_y") if graph is LONG_BODY else ("forward",):
        body = found.text[found.text.index(f"int graph_{name}(") :].partition("\n}\n")[0]
        assert len(re.findall(r"_lanes\[32\]", body)) >= folds
        assert not re.search(r"for \(ptrdiff_t \w+ = 0; \w+ < N; \w+\+\+\)", body)


def loops_said(text: str) -> dict[str, bool]:
    """By array, whether the loops that write it are said to have turns that are apart."""
    found = {}
    lines = text.splitlines()
    for number, line in enumerate(lines):
        written = re.match(r" +(\w+)\[.*\] \+?= ", line)
        if written:
            loop = next(n for n in range(number, 0, -1) if "for (ptrdiff_t" in lines[n])
            found[written[1]] = lines[loop - 1].strip() == "gc_apart"
    return found


APART = """
dim N, M
input x: [N, M]
input v: [N]
input k: int[N]
s = exp(x) * x
output y = s / sum(s, axis=1, keepdims=true)
output put = scatter_add(zeros([N]), k, v * 2)
output rows = scatter_add(zeros([N, M]), k, x * 2)
scan steps[t in N] carry h = zeros([M]) { next h = h[::-1] + x[t] }
output end = h
"""


def test_turns_are_said_to_be_apart_where_they_are() -> None:
    """Not where an index may name an element twice; of a row that it names they are."""
    dims = [{"N": 5, "M": 40}, {"N": 40, "M": 5}]
    text = compare(APART, Options(level="-O0"), dims=dims, flags=["-O3"]).text
    said = loops_said(text[text.index("int graph_forward(") :])
    assert said["y"]
    assert said["rows_scatter"]
    assert not said["put_scatter"]


def test_nan_is_the_largest_in_any_lane() -> None:
    library = compiled(FOLDED, Options(level="-O2"))
    for place in (0, 17, 31, 32, 102):
        x = np.ones(103)
        x[place] = np.nan
        _, made, _ = library.call("forward", {"x": x}, {"N": 103})
        assert all(np.isnan(one) for one in made.values())


def test_a_long_sum_in_float32_loses_no_digits() -> None:
    """Against exact rational arithmetic: it is made in double, rounded once."""
    library = compiled("dim N\ninput x: [N]\noutput y = sum(x)", Options(dtype="float32"))
    x = np.random.default_rng(0).normal(size=100_003).astype(np.float32)
    _, made, _ = library.call("forward", {"x": x}, {"N": len(x)})
    assert next(iter(made.values())) == np.float32(math.fsum(x.tolist()))


@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_a_median_with_nan_is_nan(level: str) -> None:
    graph = "input x: [3, 2]\noutput all = median(x)\noutput y = median(x, axis=0)"
    x = np.array([[1.0, 4.0], [np.nan, 5.0], [3.0, 6.0]])
    library = compare(graph, Options(level=level), values={"x": x})
    _, made, _ = library.call("forward", {"x": x}, {})
    found = {key.of: value for key, value in made.items()}
    assert np.isnan(found["all"])
    np.testing.assert_array_equal(found["y"], [np.nan, 5.0])


ORDERED = """
dim N, K, M
input t: [K]
input x: [N, M]
input ids, q: int[N]
input w: int[K]
s = sort(t)
output a = searchsorted(s, x)
output b = searchsorted(s, x, side="right")
output c = searchsorted(w, q) + searchsorted(w, q, side="right")
output d = searchsorted(w, x)
output e = segment_max(x, ids, 5)
output f = segment_min(x[:, 0], ids, 5)
output g = interp(x, cumsum(exp(t)), t)
output h = cummax(x, axis=1)
output j = quantile(x, 0.3) + sum(diff(x, axis=1))
derive vjp e, f, g, h, j wrt x, t as back
"""
SPECIAL = "dim N\ninput x: [N]\n" + "\n".join(
    f"output y{k} = {one}"
    for k, one in enumerate(
        ["ndtr(x)", "log_ndtr(4 * x)", "ndtri(sigmoid(x))", "erfinv(tanh(x))", "iv(4, x)",
         "k1(x**2)", "erfcinv(1 + tanh(x))", "jv(3, 7 * x)", "i0e(9 * x)"]
    )
)  # fmt: skip
SPECIAL += "\nderive vjp y0, y1, y2, y3, y4, y5, y6, y7, y8 wrt x as back"
NOT_READ = """
input x: [5, 2]
input i: int[3]
y = take(x * 0 + 1, i, axis=0)
output z = sum(y * sum(ones([5, 2])[:3, :] + take(ones([5, 2]), i, axis=0)))
derive grad z wrt x
"""


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_what_is_in_order_agrees(dtype: str) -> None:
    values = {"ids": np.array([0, 4, 1, 1, 0, 2, 4]), "w": np.arange(6) * 2, "q": np.arange(7)}
    dims = {"N": 7, "K": 6, "M": 4}
    library = compare(ORDERED, Options(level="-O2", dtype=dtype), dims=dims, values=values)
    values["ids"][3] = 5
    arguments = {"x": np.ones((7, 4)), "t": np.ones(6), **values}
    assert library.call("forward", arguments, dims)[0] == 3


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_special_functions_agree(dtype: str) -> None:
    compare(SPECIAL, Options(level="-O2", dtype=dtype), dims={"N": 50})


@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_positions_that_nothing_reads_are_not_computed(level: str) -> None:
    """What an index names of an array that is the same everywhere; the index is checked still."""
    library = compare(NOT_READ, Options(level=level), values={"i": np.array([0, 4, 2])})
    arguments = {"x": np.ones((5, 2)), "i": np.array([0, 5, 2])}
    assert library.call("grad_z", arguments, {})[0] == 3


def test_the_dims_choose_the_mode() -> None:
    graph = """
    dim N, M
    input x: [N]
    input A: [M, 4]
    input C: [4, N]
    output y = sin(A @ tanh(C @ sin(x)))
    derive jacobian_matrix y wrt x as J
    """
    for dims in ({"N": 2, "M": 5}, {"N": 5, "M": 2}):
        library = compare(graph, Options(level="-O0"), dims=dims)
    assert "graph_J_forward(" in library.text
    assert "graph_J_reverse(" in library.text


APPLIED = frozenset({"kept", "cast", "where"})
PUT = frozenset({"triangle", "parts", "cells"})
"""Functions that are made of others, and places that have works of their own."""


def test_every_operation_has_a_form() -> None:
    """What no kernel is made of that has no form in C."""
    lacking = set()
    for op in operations():
        match op.kernel:
            case Elementwise() as kernel:
                lacking |= functions(kernel) - FORMS - APPLIED
            case Running(name):
                lacking |= {name} - FORMS
            case Call(name):
                lacking |= {name} - {*MADE, *MATRICES, *CALLED}
            case View(place) | Take(place) | Put(place):
                lacking |= {place} - {*PLACES, *PUT}
    without = {"watched"}  # of `--trace-nan`, which is of the NumPy target
    without |= {"scalar", "numbers"}  # of loops in Python's own floats, which are, too
    assert lacking == without


IN_A_BLOCK = """
input x: [3]
block b(u: [3]) -> y: [3] { y = 1 + polygamma(61, u) }
output y = b(x)
"""


@pytest.mark.parametrize("text", ["input x: [3]\noutput y = polygamma(61, x)", IN_A_BLOCK])
def test_what_has_no_form_is_refused_at_its_place(text: str) -> None:
    with pytest.raises(GraphError) as refused:
        compile_text(text, options=Options(target="c"))
    (one,) = refused.value.diagnostics
    assert one.code == "E430"
    assert "`polygamma` has no form in C of such an order" in one.message
    assert one.span is not None
    assert text[one.span.start :].startswith(("output y = polygamma", "b(x)"))


# ---- what is refused -----------------------------------------------------------------------------

PICKED = """
dim B, C
input x: [B, C]
input label: int[B]
require C >= 2 "two \\"classes\\" ??/ */ or more"
output y = sum(pick(x, label)**2)
derive value_and_grad y wrt x
"""


@pytest.fixture(scope="module")
def picked() -> Library:
    return compare(PICKED, Options(level="-O2"))


@pytest.mark.parametrize(
    ("label", "status"), [([0, 2, 1], 0), ([-1, 2, -3], 0), ([0, 3, 1], 3), ([0, -4, 1], 3),
                          ([0, 1, 2**62], 3)],
)  # fmt: skip
def test_an_index_out_of_range_is_refused(picked: Library, label: list[int], status: int) -> None:
    dims = {"B": 3, "C": 3}
    x = np.arange(9.0).reshape(3, 3)
    found, made, _ = picked.call("value_and_grad_y", {"x": x, "label": label}, dims)
    assert found == status
    if not status:
        expected = np.sum(x[range(3), label] ** 2)
        assert next(iter(made.values()))[()] == expected


@pytest.mark.parametrize(
    ("dims", "status"),
    [({"B": 1, "C": 1}, 16), ({"B": -1, "C": 3}, 1), ({"B": 2**61, "C": 2**10}, 2),
     ({"B": 2**62, "C": 2}, 2)],
)  # fmt: skip
def test_dims_that_do_not_fit_are_refused(
    picked: Library, dims: dict[str, int], status: int
) -> None:
    """Nothing is read, and nothing written."""
    small = {"B": 1, "C": 1}
    arguments = {"x": np.ones((1, 1)), "label": [0]}
    found, made, _ = picked.call("value_and_grad_y", arguments, small, passed=dims)
    assert found == status
    assert all(np.all(one == 77) for one in made.values())
    assert picked.why(16) == 'the dims do not fit: two "classes" ??/ */ or more'
    assert picked.why(0) == "computed"
    if status == 2:
        assert picked.size("graph_cache", list(dims.values())) == 2**64 - 1


def test_the_largest_of_nothing_is_refused() -> None:
    """By a condition of the dims; where that is no matter of dims, on the way."""
    library = compiled("dim N, M\ninput x: [N, M]\noutput y = max(x, axis=1)", Options())
    assert library.call("forward", {"x": np.ones((2, 0))}, {"N": 2, "M": 0})[0] in (6, 16)
    status, made, _ = library.call("forward", {"x": np.array([[1.0, np.nan]])}, {"N": 1, "M": 2})
    assert status == 0
    assert all(np.isnan(one).all() for one in made.values())


def test_a_matrix_that_has_no_factor_is_refused() -> None:
    library = compiled("input x: [2, 2]\noutput y = cholesky(x)", Options())
    assert library.call("forward", {"x": -np.eye(2)}, {})[0] == 4


# ---- the text ------------------------------------------------------------------------------------

NAMES = """
dim int, double
input part, room, cache, work: [int, double] "a comment */ that ends, and ??/ a trigraph \\\\"
param gc_next, gc_here, i, at, status, y0, I: [double]
param expo, gamma, main, NULL, auto: []
j = part * i + room * at + cache * status + work * y0
sum_total = j * expo + gamma
output E = sum(j * sum_total * main * NULL * auto * I * gc_next * gc_here)
derive value_and_grad E wrt part, room, params as default
"""


@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_names_of_c_are_names_of_a_file_too(level: str) -> None:
    compare(NAMES, Options(level=level))


MACROS = """
    DBL_MAX FLT_EPSILON LDBL_MIN_EXP DECIMAL_DIG CHAR_BIT SCHAR_MIN UCHAR_MAX USHRT_MAX INT_MAX
    UINT_MAX LONG_MIN ULONG_MAX LLONG_MAX ULLONG_MAX MB_LEN_MAX MB_CUR_MAX INTPTR_MAX UINTMAX_MAX
    SIZE_MAX WCHAR_MAX WINT_MIN FE_INVALID FP_FAST_FMA RAND_MAX EXIT_SUCCESS BUFSIZ SEEK_SET
    CLOCKS_PER_SEC
"""
"""Of <float.h>, <limits.h>, <stdint.h>, <fenv.h>, <math.h>, <stdlib.h>, <stdio.h> and <time.h>."""


def test_macros_of_the_library_are_names_of_a_file_too() -> None:
    macros = MACROS.split()
    inputs = "\n".join(f"input {name}: [2]" for name in macros)
    compare(f"{inputs}\noutput y = {' + '.join(macros)}", Options(level="-O0"))
    assert [c_name(name) for name in macros] == [f"{name}_" for name in macros]
    assert [c_name(name) for name in ("DBL", "FE", "MAX")] == ["DBL", "FE", "MAX"]


def test_a_header_is_read_by_cpp(tmp_path: Path) -> None:
    header = Compilation(Source("graph", NAMES), Options(target="c")).beside[".h"]
    (tmp_path / "graph.h").write_text(header)
    (tmp_path / "use.cc").write_text('#include "graph.h"\nint main() { return 0; }\n')
    command = [*compiler(), "-x", "c++", "-fsyntax-only", "-Wall", "-Wextra", "-Werror"]
    ran = subprocess.run([*command, str(tmp_path / "use.cc")], capture_output=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_the_text_is_the_same_under_any_hash_seed() -> None:
    texts = set()
    for seed in ("1", "2"):
        code = (
            "import sys; from graphc.compile.stages import Options, compile_text;"
            "print(compile_text(sys.stdin.read(), options=Options(target='c', level='-O2')).text)"
        )
        ran = subprocess.run(
            [sys.executable, "-c", code],
            input=LOOPS, capture_output=True, text=True, check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}, cwd=ROOT,
        )  # fmt: skip
        texts.add(ran.stdout)
    assert len(texts) == 1


def in_threads(library: Library, name: str, arguments: Any, dims: Any, calls: int = 64) -> None:
    """Hold that a function gives the same bytes from 16 threads, which call it at once."""

    def result(_: int) -> bytes:
        status, made, _ = library.call(name, arguments, dims)
        assert status == 0
        return b"".join(np.asarray(one).tobytes() for one in made.values())

    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(result, range(calls)))) == 1


def test_functions_run_in_many_threads_at_once() -> None:
    library = compiled(LOOPS, Options(level="-O2"))
    dims = {"T": 5, "D": 4}
    in_threads(library, "value_and_grad_y", given(library.model, 0, dims)["value_and_grad_y"], dims)


@pytest.mark.long
@pytest.mark.parametrize("path", [*EXAMPLES, *LANGUAGE], ids=named)
def test_every_function_of_every_example_runs_in_many_threads_at_once(path: Path) -> None:
    library = compiled(path, Options(level="-O2"))
    dims = choose_sizes(library.model)
    drawn = given(library.model, 0, dims)
    for one in library.module.functions:
        in_threads(library, one.function, drawn[one.function], dims, calls=32)


def test_targets_are_those_of_the_command() -> None:
    from graphc.cli.options import TARGETS_NAMED

    assert {*TARGETS, *OTHERS} == set(TARGETS_NAMED)


def test_statements_stand_beside_the_text_of_the_file() -> None:
    text = compile_text(
        "dim N\ninput x: [N]\nh = tanh(x)\noutput y = sum(h * x)",
        options=Options(target="c", level="-O2"),
    ).text
    assert "/* h = tanh(x) */" in text
    assert "malloc" not in text
    body = text[text.index("int graph_forward(") : text.index("size_t graph_forward_work")]
    # The chain and its sum share a loop, in parts.
    assert body.count("gc_tanh(") == 1
    assert body.count("for (") == 2


def test_the_stack_is_small() -> None:
    """However many small arrays there are, those on the stack take 8 kB."""
    layers = "\n".join(f"h{k} = tanh(A @ h{k - 1})" for k in range(1, 41))
    graph = f"input h0: [50]\nparam A: [50, 50]\n{layers}\noutput y = sum(h40)\n"
    text = compile_text(
        f"{graph}derive grad y wrt A", options=Options(target="c", level="-O0")
    ).text
    body = text[text.index("int graph_grad_y(") :].partition("\n}\n")[0]
    sizes = [int(size) for size in re.findall(r"^    double \w+\[(\d+)\];", body, re.MULTILINE)]
    assert 0 < sum(sizes) <= 1024
    assert "gc_next" in body


def test_axes_may_be_many() -> None:
    ones = "[" + ", ".join(["2"] * 14) + "]"
    compiled(f"input x: {ones}\noutput y = exp(x)", Options(level="-O0"))


# ---- beyond the normal run -----------------------------------------------------------------------


# ---- under the sanitizers, and beyond the normal run ---------------------------------------------


def sanitized(code: str) -> None:
    """Run a text of Python that calls `see(graph, level)`, which compares what is sanitized."""
    if not (more := watched()):
        pytest.skip("the compiler has no address sanitizer")
    begin = (
        "import test_c_target as t, test_c_decompositions as d, c_programs as p;"
        "from c_functions import compare; from graphc.compile.stages import Options;"
        "see = lambda graph, level, **more:"
        " compare(graph, Options(level=level), flags=p.SANITIZED, **more)\n"
    )
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    ran = subprocess.run(
        [sys.executable, "-c", begin + code], capture_output=True, text=True, cwd=ROOT, check=False,
        env={**os.environ, **more, "PYTHONPATH": paths},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-3000:]


def test_sanitizers_find_nothing() -> None:
    sanitized("see(t.PICKED, '-O2')")


@pytest.mark.long
def test_sanitizers_find_nothing_in_any_example() -> None:
    sanitized(
        "graphs = [t.LOOPS, t.NAMES, t.PICKED, t.TRIANGLES, *t.EXAMPLES, *t.LANGUAGE]\n"
        "for level in ('-O0', '-O2'):\n"
        "    [see(graph, level) for graph in graphs]\n"
        "    see(d.TOGETHER, level, tolerance=1e-11)"
    )


def test_random_programs_agree() -> None:
    """The first of those that the long test has."""
    assert disagreement(10, "-O2") == disagreement(12, "-O0") == ""


@pytest.mark.long
@pytest.mark.parametrize("first", range(0, 500, 50))
def test_five_hundred_random_programs_agree(first: int) -> None:
    """Under the sanitizers, at both levels: where NumPy's results stay where arguments are rounded
    otherwise, within 1e-13 of the largest element, 1e-5 in float32."""
    command = [sys.executable, "-m", "tests.c_programs", "--count=50", f"--seed={first}"]
    sanitize = ["--sanitize"] if watched() else []
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    ran = subprocess.run(
        [*command, *sanitize, "--processes=1"], capture_output=True, text=True, cwd=ROOT,
        check=False, env={**os.environ, "PYTHONPATH": paths},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr[-3000:]
