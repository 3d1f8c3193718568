"""Texts that ask for too much: each is compiled, or refused by a limit that has a place."""

from __future__ import annotations

import ast

import numpy as np
import pytest

from graphc.compile.stages import Options, compile_text
from graphc.ir.dims import Dim
from graphc.ir.facts import Facts
from graphc.limits import DIM_FACTORS, EXPANDED, LISTED, PARTS
from graphc.source import GraphError
from tests.loading import loaded

DOZEN = range(12)


def doubled(first: str, form: str, times: int) -> str:
    """`a0 = first`, and so often a definition of the next by the last, twice."""
    later = (form.format(a=f"a{n}", b=f"a{n + 1}") for n in range(times))
    return "\n".join([first, *later])


def nested_division(depth: int, operation: str) -> str:
    text = "D"
    for number in range(depth):
        text = f"({text} + {number + 1}) {operation} {number + 2}"
    return text


REFUSED = {
    "a sum of dims cubed": (
        f"dim {', '.join(f'd{i}' for i in DOZEN)}\n"
        f"input z: [({' + '.join(f'd{i}' for i in DOZEN)})**3]\noutput y = sum(z)",
        f"a dim has 936 factors when it is written out; at most {DIM_FACTORS}",
        "2:11",
    ),
    "a product of sums of dims": (
        f"dim {', '.join(f'd{i}, e{i}' for i in DOZEN)}\n"
        f"input z: [{' * '.join(f'(d{i} + e{i})' for i in DOZEN)}]\noutput y = sum(z)",
        f"a dim has 160 factors when it is written out; at most {DIM_FACTORS}",
        "2:11",
    ),
    "many axes that are sums": (
        f"dim {', '.join(f'd{i}, e{i}' for i in DOZEN)}\n"
        f"input z: [{', '.join(f'd{i} + e{i}' for i in DOZEN)}]\noutput y = sum(z)",
        "the size of an array here has 4096 terms when it is written out; at most 256",
        "2:1",
    ),
    "squares of an alias": (
        doubled("dim D\ndim a0 = D", "dim {b} = {a} * {a}", 30) + "\ninput z: [a30]\noutput z",
        "a dim is raised to a power beyond 64",
        "9:10",
    ),
    "squares of a sum": (
        doubled("dim D\ndim a0 = D + 1", "dim {b} = {a} * {a}", 30) + "\ninput z: [a30]\noutput z",
        f"a dim has 65 factors when it is written out; at most {DIM_FACTORS}",
        "8:10",
    ),
    "a dim divided and added": (
        doubled("dim D, E\ndim a0 = D", "dim {b} = ({a} + 1) // ({a} + E)", 30) + "\noutput y = 1",
        "floor divisions of dims are nested beyond 8 deep",
        "11:10",
    ),
    "remainders of remainders": (
        f"dim D\ninput z: [{nested_division(30, '%')} + 1]\noutput z",
        f"a dim has 87 factors when it is written out; at most {DIM_FACTORS}",
        "2:36",
    ),
    "a list of a list of a list": (
        doubled("const a0 = [1, 2]", "const {b} = [{a}, {a}]", 30) + "\noutput y = sum(a30)",
        f"a list of 131072 numbers; at most {LISTED} are known at compile time",
        "17:13",
    ),
    "squares of a number": (
        doubled("const a0 = 3", "const {b} = {a} * {a}", 30) + "\noutput y = 1.0 * a30",
        "an integer here is beyond int64, whose largest is 9223372036854775807",
        "7:12",
    ),
    "a power of a power": (
        "input x\noutput y = x * 3000 ** 60",
        "an integer here is beyond int64, whose largest is 9223372036854775807",
        "2:16",
    ),
    "a fixed dim to a power": (
        "dim D = 1000000\ninput x: [D]\nparam p ~ D ** 60\noutput y = x * p",
        "an integer here is beyond int64, whose largest is 9223372036854775807",
        "3:1",
    ),
    "blocks that use blocks": (
        "block b0(x: []) -> y: [] { y = tanh(x) }\n"
        + "\n".join(f"block b{n + 1}(x: []) -> y: [] {{ y = b{n}(b{n}(x)) }}" for n in range(40))
        + "\ninput x\noutput y = b40(x)",
        f"blocks and steps are written out to more than {EXPANDED} statements",
        "43:12",
    ),
    "functions of functions": (
        "block b0(x: [], f: fn) -> y: [] { y = f(f(x)) }\n"
        + "\n".join(
            f"block b{n + 1}(x: [], f: fn) -> y: [] {{ y = b{n}(b{n}(x, f=f), f=f) }}"
            for n in range(40)
        )
        + "\ninput x\noutput y = b40(x, f=tanh)",
        f"blocks and steps are written out to more than {EXPANDED} statements",
        "43:12",
    ),
    "loops in loops with parameters": (
        "input x: [3]\nrepeat a[i in 1..10000] carry g = x {\n"
        "    repeat b[j in 1..10000] carry h = g { param w: [3]; next h = h * w }\n"
        "    next g = h\n}\noutput g",
        f"blocks and steps are written out to more than {EXPANDED} statements",
        "3:5",
    ),
    "more parameters than a module can name": (
        "input x: [3]\nrepeat a[i in 1..2147483648] carry h = x {\n"
        "    param w: [3]\n    next h = h * w\n}\noutput h",
        "2147483648 parameters in loops, each iteration's counted; at most 1000000",
        "2:8",
    ),
    "more parts than an axis should have": (
        "input x: [1000000]\na = split(x, 1000000)\noutput y = x",
        f"`split` makes from 1 to {PARTS} parts, found 1000000",
        "2:5",
    ),
    "derivatives of derivatives": (
        doubled("input x\na0 = x**5", "{b} = grad(sin({a}), x)", 30) + "\noutput y = a30",
        "derivatives up to here have more than 7000 operations",
        "10:6",
    ),
    "an identity beyond any machine": (
        "input x\noutput y = x * sum(eye(1000000000000000000))",
        "an array here has more than 2**100 elements",
        "2:20",
    ),
    "sizes that no float holds": (
        f"dim N = 9000000000000000000\ninput x: [{', '.join(['N'] * 60)}]\noutput y = mean(x)",
        "an array here has more than 2**100 elements",
        "2:1",
    ),
    "a Jacobian of 80 axes": (
        f"input x: [{', '.join(['1'] * 40)}]\noutput y = tanh(x)\nderive jacobian y wrt x",
        "an array here has 80 axes; NumPy has at most 64",
        "3:1",
    ),
    "a Hessian of 80 axes": (
        f"input x: [{', '.join(['1'] * 40)}]\noutput y = sum(tanh(x))\nderive hessian y wrt x",
        "an array here has 80 axes; NumPy has at most 64",
        "3:1",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_limit_is_stated_at_its_place(name: str) -> None:
    """At either level: nearly all before there is one."""
    text, message, place = REFUSED[name]
    level = "-O2" if "Jacobian" in name or "Hessian" in name else "-O0"
    with pytest.raises(GraphError) as caught:
        compile_text(text, "a.graph", Options(level=level))
    (only,) = caught.value.diagnostics
    assert only.message == message
    assert str(only.span) == f"a.graph:{place}"


@pytest.mark.parametrize("level", ["-O0", "-O2"])
@pytest.mark.parametrize("axes", [20, 27])
def test_jacobians_of_many_axes(axes: int, level: str) -> None:
    """There are more axes than small letters, and than NumPy's iterators take."""
    kind = f"[{', '.join(['1'] * (axes - 1))}, 2]"
    text = f"input x: {kind}\noutput y = tanh(x)\noutput s = sum(y)\nderive jacobian y wrt x\n"
    built = loaded(
        compile_text(f"{text}derive hessian s wrt x", options=Options(level=level)).text, "many"
    )
    x = np.array([0.3, -0.7]).reshape((1,) * (axes - 1) + (2,))
    slope = 1 - np.tanh([0.3, -0.7]) ** 2
    first = np.reshape(built.jacobian_y(x)["y"]["x"], (2, 2))
    np.testing.assert_allclose(first, np.diag(slope), rtol=1e-14)
    second = np.reshape(built.hessian_s(x)["x"]["x"], (2, 2))
    np.testing.assert_allclose(second, np.diag(-2 * np.tanh([0.3, -0.7]) * slope), rtol=1e-14)


@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_an_array_of_many_small_axes_is_not_taken_apart(level: str) -> None:
    """There are more axes than NumPy iterates over, and 2**33 elements."""
    text = f"input x: [{', '.join(['2'] * 33)}]\noutput y = x[{', '.join(['0'] * 33)}]\n"
    result = compile_text(f"{text}derive grad y wrt x", options=Options(level=level))
    assert result.text.count("\n") < 600


def test_integers_that_floats_do_not_hold() -> None:
    """A fixed dim to a power is known, and beyond any float."""
    text = "dim D = 9000000000000000000\noutput y = 1.0 / D ** 60"
    with pytest.raises(GraphError, match=r"beyond int64") as caught:
        compile_text(text, "a.graph")
    (only,) = caught.value.diagnostics
    assert str(only.span) == "a.graph:2:1"


DIVIDED = {
    "a slice": ("dim D\ninput x: [D]\noutput y = x[: D // (D - 1)]", "3:16"),
    "a remainder": ("dim D\ninput x: [D, 2 + D % (D - 1)]\noutput y = sum(x)", "2:18"),
    "an alias": ("dim D\ndim E = 6 // (D - 1)\ninput x: [D]\noutput y = x * E", "2:9"),
    "a range": (
        "dim D\ninput x: [D]\nscan s[t in 6 // (D - 1)] carry h = 1 { next h = h }\noutput h, x",
        "3:13",
    ),
    "a requirement": (
        "dim D\nrequire 6 % (D - 1) == 0\ninput x: [D]\noutput y = x",
        "2:9",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DIVIDED)
def test_a_size_that_makes_a_divisor_zero_is_refused(name: str) -> None:
    text, place = DIVIDED[name]
    compile_text(text)
    with pytest.raises(GraphError) as caught:
        compile_text(text, "a.graph", Options(dims={"D": 1}))
    first = caught.value.diagnostics[0]
    assert first.message.startswith("division by zero in `6" if "6" in text else "division by zero")
    assert str(first.span) == f"a.graph:{place}"


@pytest.mark.parametrize("level", ["-O0", "-O2"])
@pytest.mark.parametrize("size", [1, 2, 32, 256])
def test_sizes_that_costs_are_compared_at_may_divide_by_zero(size: int, level: str) -> None:
    text = f"dim D\ninput x: [D]\noutput y = tanh(x[: D // (D - {size})])\nderive jacobian y wrt x"
    built = loaded(compile_text(text, options=Options(level=level)).text, "divided")
    x = np.linspace(-1, 1, size + 1)
    expected = np.diag(1 - np.tanh(x) ** 2)
    np.testing.assert_allclose(built.jacobian_y(x)["y"]["x"], expected, rtol=1e-13)


DEEP = {
    "slices": (500, "x" + "[1:]" * 400, lambda x: x[400:]),
    "slices of a column": (500, f"x[:, _]{'[1:]' * 400}[:, 0]", lambda x: x[400:]),
    "a part of what is computed of a join": (
        100_000,
        f"{'(' * 400}concat(x, x, axis=0){' + 1)' * 400}[:100000]",
        lambda x: x + 400,
    ),
}


@pytest.mark.parametrize("name", DEEP)
def test_selections_that_follow_one_another_do_not_recur(name: str) -> None:
    size, text, expected = DEEP[name]
    source = f"input x: [{size}]\noutput y = {text}"
    built = loaded(compile_text(source, options=Options(level="-O2")).text, "deep")
    x = np.linspace(-1, 1, size)
    out, _ = built.forward(x)
    np.testing.assert_allclose(out.y, expected(x), rtol=1e-12)


def test_facts_of_dims_of_their_own_are_not_looked_at_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Twice as many `require d % 2 == 0`, each of a dim of its own, take twice the work."""
    work = [0]
    divided = Dim.__floordiv__

    def counted(dim: Dim, other: Dim | int) -> Dim:
        work[0] += 1
        return divided(dim, other)

    monkeypatch.setattr(Dim, "__floordiv__", counted)

    def of(count: int) -> int:
        work[0] = 0
        facts = Facts.empty
        for number in range(count):
            dim = Dim.symbol(f"d{number}")
            facts = facts.with_zero(dim % 2)
            assert facts.equal(2 * (dim // 2), dim)
        assert not facts.equal(Dim.symbol("d0"), Dim.symbol("d1"))
        return work[0]

    assert of(80) < 2.2 * of(40)


def test_a_sum_of_many_is_several_statements() -> None:
    """What goes into 51 others has an adjoint of 50 terms and one: nesting is bounded."""
    terms = [f"x{i}" for i in range(51)]
    lines = [f"{x} = sin({i + 2} * w)" for i, x in enumerate(terms)]
    energy = " + ".join(f"{x}**2" for x in terms)
    text = "\n".join(["param w: [3]", *lines, f"output y = sum({energy})"])
    added = [
        sum(isinstance(one, ast.Add) for one in ast.walk(statement.value))
        for statement in ast.walk(ast.parse(compile_text(text).text))
        if isinstance(statement, ast.Assign | ast.AugAssign)
    ]
    assert max(added) == 49
