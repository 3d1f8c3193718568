"""A name of the user's is free, whatever a generated module calls its own things.

Small programs are compiled under harmless names, and again with names taken from generated modules
in every place where a name can stand: what they compute must be the same. Some are tried in each
run; `python tests/test_names.py` tries each name in each place, and says which ones are wrong;
`python tests/test_names.py SEED COUNT` so many times each program.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import random
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from conftest import LEVELS

from graphc import sample
from graphc.compile.stages import Compilation, Options, compile_text
from graphc.names import ARGUMENTS, MODULE, identifier
from graphc.ops import FUNCTIONS as OPERATIONS
from graphc.source import GraphError
from graphc.targets.numpy.module import ready_made
from tests.loading import loaded

Names = Mapping[str, str]

LOOPS = """
dim §T
dim §N
const §c = 0.5
require §N >= 2 and §T >= 3 "§N and §T are large enough"
input §x: [§N, 3]
input §z: [3]
param §W: [3, 3]
param §b: [3]
block §f(§p: [..., §K], §q: float = 2) -> §r: [..., §K] {
    param §g: [§K]
    §m = tanh(§p * §g)
    §r = §m * §m * §q + §p
}
§u = §f(§x @ §W + §b)
repeat §rep[§k in 1..3] carry §h = §u {
    param §l: [3]
    §v = (§f(§h) as §use) * §k / 3 + §l
    next §h = §v + §z
    collect §hs = §v * §h
}
scan §sc[§t in §T] carry §a = §z, §a2 = §b {
    §w = tanh(§a * §a2 + §t / 7)
    next §a = §w
    next §a2 = §a
    collect §ws = §w * §a2
}
output §y = sum(§h * §u, axis=-1) * §c
output §loss = sum(§y**2) + sum(§hs) + sum(§ws**2) + sum(§a * §a2)
derive value_and_grad §loss wrt §W, §z, §u, §rep.* as §both
derive vjp §y wrt §x, §b as §pull
derive hvp §loss wrt §b as §bend
"""
TILES = """
dim §B
input §x: [§B, 7]
input §z: [§B]
input §ids: int[§B]
param §w: [7]
param §s
§a = tanh(§x * §w)
§e = exp(-§a * §a) * sin(§a) + §s
§n = sum(§e * §x, axis=-1)
scan §sc[§i in 5] carry §o = §s {
    §d = (§o + 2 / §o) / 2
    until abs(§d - §o) < 1e-3
    next §o = §d
}
output §m = §n * §z * §o
output §loss = sum(§m * §m) + sum(§w[§ids]) * §o
derive value_and_grad §loss wrt §w, §s as §both
derive grad §loss wrt §x, §w per §B as §each
derive value_and_jacobian_matrix §m wrt §w as §whole
derive sparse_jacobian §m wrt §x as §thin
derive jvp §m, §loss wrt §w, §s as §push
"""
TINY = """
const §c = 2.5
input §x: [2]
input §z
param §W: [2, 2]
param §b
§h = tanh(§W @ §x) * §z
§g = sigmoid(§h) * §c + §b
output §y = §g * §h
output §loss = sum(exp(-§g) * §y)
derive value_and_grad §loss wrt §W, §b as §both
derive grad §loss wrt §x, §h as §slope
derive jacobian §y wrt §x as §rows
derive value_and_jacobian_matrix §y wrt §z as §whole
derive value_and_hessian §loss wrt §z as §curve
derive value §y, §loss as §only
"""
PROGRAMS = {"loops": LOOPS, "tiles": TILES, "tiny": TINY}
FUNCTIONS = frozenset(re.findall(r" as §(\w+)", "".join(PROGRAMS.values())))
CALLED = frozenset(
    re.findall(r"(?:(?:block|const|repeat|scan)|\) as) §(\w+)", "".join(PROGRAMS.values()))
)
READY_MADE = ready_made().keys()
VARIANTS = {
    "plain": Options(level="-O0"),
    "fast": Options(level="-O2"),
    "float32": Options(level="-O2", dtype="float32"),
    "memory": Options(level="-O2", memory="100%"),
    "traced": Options(level="-O2", trace=True),
}
SIZES = {"T": 4, "N": 2, "B": 6}


def written(program: str, names: Names) -> str:
    """The text of a program; what has no name there keeps its own."""
    return re.sub(r"§(\w+)", lambda found: names.get(found[1], found[1]), PROGRAMS[program])


@cache
def slots(program: str) -> tuple[str, ...]:
    """Where a name can stand."""
    return tuple(dict.fromkeys(re.findall(r"§(\w+)", PROGRAMS[program])))


# ---- what a program computes --------------------------------------------------------------------


def compiled(program: str, variant: str, names: Names) -> Compilation:
    options = VARIANTS[variant]
    if options.memory:
        sizes = {names.get(dim, dim): size for dim, size in SIZES.items() if dim in slots(program)}
        options = replace(options, dims=sizes)
    return compile_text(written(program, names), options=options)


def results(made: Compilation) -> list[Any]:
    """What every function of the module gives for the same arguments, in the order of the text."""
    return list(_leaves(list(_results(loaded(made.text, "names"), made))))


def _results(module: ModuleType, made: Compilation) -> Iterator[Any]:
    if hasattr(module, "CACHE"):
        module.CACHE = 200  # type: ignore[attr-defined]
    given = sample.random_arguments(made.model, seed=5)
    values, kept = module.forward(**given)
    yield values
    ones = {name: np.ones(np.shape(one)) for name, one in values._asdict().items()}
    yield module.backward(kept, **ones)
    by_name = dict(zip(module.GRAPH["outputs"], ones.values(), strict=True))
    for one in made.model.derivations:
        function = getattr(module, one.name)
        asked = inspect.signature(function).parameters
        more: dict[str, Any] = {}
        if "cotangents" in asked:
            more["cotangents"] = {name: by_name[name] for name in one.names}
        if "tangents" in asked:
            sizes = ((path, [axis.constant for axis in node.shape]) for path, node in one.wrt)
            more["tangents"] = {path: np.ones(shape) for path, shape in sizes}
        found = function(**given, **more)
        yield found
        if "out" in asked:
            gradients = found[-1] if isinstance(found, tuple) else found
            places = {path: np.zeros_like(one) for path, one in gradients.items()}
            yield function(**given, **more, out=places), places
    assert max(module.check(**given).values()) < 1
    if hasattr(module, "trace"):
        yield module.trace(**given) is None
    if made.model.params:
        yield module.unflatten(module.flatten(given["params"]))
        yield module.init(seed=3).values().__len__()


def _leaves(value: Any) -> Iterator[Any]:
    """The arrays in dicts and tuples; of a sparse matrix that of its entries."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for one in value:
            yield from _leaves(one)
    else:
        yield value.toarray() if hasattr(value, "toarray") else value


@cache
def under_its_own(program: str, variant: str) -> Compilation:
    return compiled(program, variant, {})


@cache
def expected(program: str, variant: str) -> list[Any]:
    return results(under_its_own(program, variant))


def wrong(program: str, variant: str, names: Names) -> str:
    """What is wrong with a program under these names; nothing, if all is as under its own."""
    tolerance = 1e-4 if variant == "float32" else 1e-9
    try:
        found = results(compiled(program, variant, names))
        for one, other in zip(found, expected(program, variant), strict=True):
            np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


# ---- names --------------------------------------------------------------------------------------


def identifiers(text: str) -> set[str]:
    """The names in a generated module: of variables, arguments, functions, fields and keywords."""
    found: set[str] = set()
    pending: list[ast.AST] = [ast.parse(text)]
    while pending:
        node = pending.pop()
        named = (getattr(node, field, None) for field in ("id", "arg", "name", "attr", "asname"))
        found.update(value for value in named if isinstance(value, str))
        if not (isinstance(node, ast.FunctionDef) and node.name in READY_MADE):
            pending += ast.iter_child_nodes(node)
    return {name for name in found if name.isidentifier()}


@cache
def possible(names: frozenset[str]) -> tuple[str, ...]:
    """Those that the language lets a graph define."""
    ordered = sorted(name for name in names if not name.startswith("__") and name.strip("_"))
    while True:
        lines = [*(f"input {name}" for name in ordered), "output the_result = 1.0"]
        try:
            compile_text("\n".join(lines))
        except GraphError as refused:
            bad = {one.span.line for one in refused.diagnostics if one.span}
            ordered = [name for line, name in enumerate(ordered, 1) if line not in bad]
            continue
        return tuple(ordered)


@cache
def generated(program: str) -> tuple[str, ...]:
    """The names in the modules of a program under its own names, but for these."""
    texts = [under_its_own(program, variant).text for variant in ("plain", "traced")]
    found = frozenset().union(*map(identifiers, texts))
    return tuple(name for name in possible(found) if name not in slots(program))


@cache
def fixed() -> tuple[str, ...]:
    """The names that every module has, whatever the names of its graph."""
    found = set(ARGUMENTS | MODULE)
    for program in PROGRAMS:
        others = {slot: f"zz{number}q" for number, slot in enumerate(slots(program))}
        for variant in ("plain", "traced"):
            mine = identifiers(under_its_own(program, variant).text)
            found |= mine & identifiers(compiled(program, variant, others).text)
    repeated = re.compile(r"math_|.*(_[3-9]|\d\d)\Z")  # where one tells as much as all
    return tuple(name for name in possible(frozenset(found)) if not repeated.match(name))


def renamings(
    program: str, names: Sequence[str], together: int, seed: int
) -> Iterator[dict[str, str]]:
    """Each name in each place, so many at a time."""
    rng = random.Random(seed)
    pairs = [(slot, name) for slot in slots(program) for name in names if _fits(slot, name)]
    rng.shuffle(pairs)
    while pairs:
        taken: dict[str, str] = {}
        left: list[tuple[str, str]] = []
        for slot, name in pairs:
            free = slot not in taken and name not in taken.values() and len(taken) < together
            if free:
                taken[slot] = name
            else:
                left.append((slot, name))
        pairs = left
        yield taken


def _fits(slot: str, name: str) -> bool:
    """All may have any name, but for three that the language refuses.

    A function has none of the module's own, what would be called itself none of an operation, and
    nothing is `params` beside `wrt params`, which the programs have.
    """
    own = name in MODULE | ARGUMENTS | {*SIZES} or name.startswith("_")
    operation = name in OPERATIONS
    return name != "params" and not ((slot in FUNCTIONS and own) or (slot in CALLED and operation))


MANY, FEW = 100, 6


def batches(program: str, kind: str, seed: int) -> Iterator[dict[str, str]]:
    if kind == "fixed":
        return renamings(program, fixed(), MANY, seed)
    return renamings(program, generated(program), FEW, seed)


SETS = [(program, kind) for program in PROGRAMS for kind in ("fixed", "generated")]
LONGEST = ("loops", "fixed")


@pytest.mark.parametrize(
    ("program", "kind"),
    [pytest.param(*one, marks=pytest.mark.long) if one == LONGEST else one for one in SETS],
)
def test_names_change_nothing(program: str, kind: str) -> None:
    """In each run the same ones: those that any module has in many places, others in a few."""
    for variant, names in zip(("plain", "traced"), batches(program, kind, seed=2), strict=False):
        assert wrong(program, variant, names) == "", names


# ---- names that were taken once -----------------------------------------------------------------


def test_values_called_as_parts_scratch_and_destinations_are() -> None:
    """With p = o sin(w x) the loss is Σ x p tanh(p) exp(-p²), computed in tiles and into `out`."""
    net = made(
        """
        dim N
        input x: [N]
        param w, out_w: [N]
        x_part = sin(x * w) * out_w
        w_part = x_part * x
        s1 = exp(-x_part**2)
        output loss = sum(tanh(x_part) * w_part * s1)
        derive grad loss wrt w, out_w as g
        """,
        "-O2",
    )
    x, w, o = np.random.default_rng(0).normal(size=(3, 50))
    p = o * np.sin(w * x)
    by_p = x * np.exp(-(p**2)) * ((1 - 2 * p**2) * np.tanh(p) + p / np.cosh(p) ** 2)
    out = {"w": np.empty(50), "out_w": np.empty(50)}
    for found in (net.g({"w": w, "out_w": o}, x), net.g({"w": w, "out_w": o}, x, out=out)):
        np.testing.assert_allclose(found["w"], by_p * o * np.cos(w * x) * x, rtol=1e-12)
        np.testing.assert_allclose(found["out_w"], by_p * np.sin(w * x), rtol=1e-12)


@pytest.mark.parametrize("level", LEVELS)
def test_an_input_called_as_a_tangent_is(level: str) -> None:
    """Σ p² t: pushed along p = [1, 0] it is 2 p₀ t₀."""
    net = made(
        """
        input p: [2]
        input t_p: [2]
        output y = sum(p**2 * t_p)
        derive jvp y wrt p, t_p as push
        """,
        level,
    )
    values, pushed = net.push([1.0, 2.0], [3.0, 5.0], tangents={"p": [1.0, 0.0]})
    assert (values.y, pushed.y) == (23, 6)
    assert "t_p" in inspect.signature(net.push).parameters, "the user's name stays"


@pytest.mark.parametrize("level", LEVELS)
def test_names_called_as_a_cotangent_is(level: str) -> None:
    """A dim, and outputs of which one is called as the cotangent of the other."""
    net = made("dim d_y\ninput x: [d_y]\noutput y = mean(x**2)", level)
    assert np.allclose(net.backward(net.forward([1.0, 2.0, 3.0])[1])["x"], [2 / 3, 4 / 3, 2])
    net = made("input x\noutput y = x * x\noutput d_y = 3 * x\noutput ct_y = 5 * x", level)
    _, kept = net.forward(7.0)
    for seeds in itertools.permutations((1.0, 10.0, 100.0)):
        y, d_y, ct_y = seeds
        expected = 14 * y + 3 * d_y + 5 * ct_y
        assert net.backward(kept, y=y, d_y=d_y, ct_y=ct_y)["x"] == expected


@pytest.mark.parametrize("level", LEVELS)
def test_nodes_called_as_helpers_are(level: str) -> None:
    """Σ tanh(x²) x² w: the Hessian by w is 0, the derivative along e₀ tanh(x₀²) x₀²."""
    net = made(
        """
        input x: [2]
        param _take: [2]
        _enter = x * x
        output y = sum(tanh(_enter) * _enter * _take)
        derive hvp y wrt _take
        derive jvp y wrt _take
        """,
        level,
    )
    given = {"_take": np.ones(2)}, np.array([1.0, 2.0])
    gradient = np.tanh([1.0, 4.0]) * [1.0, 4.0]
    first, second = net.hvp_y(*given, tangents={"_take": [1.0, 0.0]})
    assert np.allclose(first["_take"], gradient)
    assert np.array_equal(second["_take"], [0, 0])
    assert np.isclose(net.jvp_y(*given, tangents={"_take": [1.0, 0.0]})[1].y, gradient[0])


@pytest.mark.parametrize("level", LEVELS)
def test_an_item_that_is_saved_twice_has_its_name(level: str) -> None:
    """The second derivative of Σ p (1 - tanh²(p x)), by the complex step of the first."""
    net = made(
        """
        input p
        input x: [3]
        scan sc[t in 1] carry g = p*x {
            next g = p * grad(sum(tanh(g)), g)
        }
        output loss = sum(g)
        derive hvp loss wrt p
        """,
        level,
    )
    x = np.array([1.0, 2.0, 3.0])

    def first(p: complex) -> complex:
        t = np.tanh(p * x)
        return complex(np.sum((1 - t * t) - 2 * p * x * t * (1 - t * t)))

    gradient, product = net.hvp_loss(0.5, x, tangents={"p": 1.0})
    assert np.isclose(gradient["p"], first(0.5).real)
    assert np.isclose(product["p"], first(0.5 + 1e-20j).imag / 1e-20)


@pytest.mark.parametrize("level", LEVELS)
def test_fields_of_records_are_different(level: str) -> None:
    """What a NamedTuple has itself or refuses is renamed, and not to the name of another output."""
    names = ["count", "count_", "index", "_x", "f_x_", "f_x", "cache", "cache_", "out", "_fields"]
    lines = [f"output {name} = {value} * x" for value, name in enumerate(names, 1)]
    net = made("\n".join(["input x", *lines]), level)
    values, kept = net.forward(2.0)
    assert list(values) == [2 * value for value, _ in enumerate(names, 1)]
    assert len({*values._fields}) == len(names)
    seeds = {field: 10.0**place for place, field in enumerate(values._fields)}
    total = sum(value * 10.0 ** (value - 1) for value, _ in enumerate(names, 1))
    assert net.backward(kept, **seeds)["x"] == total


@pytest.mark.parametrize("level", LEVELS)
def test_records_of_functions_are_different(level: str) -> None:
    """`f_a` and `fA` would have one of the same name; a node may be called as one is."""
    net = made(
        """
        input x
        FAValues = 2 * x
        output a = FAValues * x
        output b = 3 * x
        derive vjp a wrt x as f_a
        derive vjp b wrt x as fA
        """,
        level,
    )
    assert (net.f_a(2.0, cotangents={"a": 1.0})[0].a, net.fA(2.0, cotangents={})[0].b) == (8, 6)


@pytest.mark.parametrize("level", LEVELS)
def test_outputs_are_not_called_as_results_are(level: str) -> None:
    """The matrix of a Jacobian, and the three arrays of a sparse one, are results too."""
    net = made(
        """
        input x: [2]
        output matrix = x * x
        output data = 3 * x
        output indices = x * 5
        derive value_and_jacobian_matrix matrix wrt x as whole
        derive value_and_sparse_jacobian data, indices wrt x as thin
        """,
        level,
    )
    value, whole = net.whole([2.0, 3.0])
    assert (value.tolist(), whole.tolist()) == ([4, 9], [[4, 0], [0, 6]])
    values, thin = net.thin([2.0, 3.0])
    assert (values.data.tolist(), values.indices.tolist()) == ([6, 9], [10, 15])
    assert thin.toarray().tolist() == [[3, 0], [0, 3], [5, 0], [0, 5]]


def test_scratch_of_functions_is_different() -> None:
    """Whatever stands behind the name of one, as a mode or a block does."""
    line = "derive grad y wrt x as {}"
    names = ["f", "f_scratch", "f_block", "f_reverse", "f_scratch_block", "class"]
    text = "dim N\ninput x: [N]\nh = exp(-tanh(x) * x)\noutput y = sum(h * sin(h))\n"
    net = made(text + "\n".join(map(line.format, names)), "-O2")
    found = [net.__dict__[identifier(name)](np.arange(4.0))["x"] for name in names]
    assert all(np.array_equal(one, found[0]) for one in found)


@pytest.mark.parametrize("called", ["T", "cache", "params", "np", "_f"])
def test_functions_are_not_called_as_arguments_are(called: str) -> None:
    """`check` takes them and calls the functions: a dim that is a keyword, too."""
    text = f"dim T\ninput x\noutput y = x * T\nderive grad y wrt x as {called}"
    with pytest.raises(GraphError) as refused:
        compile_text(text)
    assert f"E407]: `{called}` is a name of" in str(refused.value)
    assert "= help: write `as " in str(refused.value)


def test_what_a_text_speaks_of_is_not_in_its_module() -> None:
    """Names of helpers in strings and comments are no calls of them."""
    said = "_blocks( and _take( and _glorot(, LARGEST, Callable["
    for level in LEVELS:
        text = f'"""{said}"""\ninput x: [2] "{said}"\noutput y = sum(x) # {said}\n'
        found = identifiers(compile_text(text, options=Options(level=level)).text)
        assert found.isdisjoint({"_blocks", "_take", "_glorot", "LARGEST", "os"})


def made(text: str, level: str) -> ModuleType:
    return loaded(compile_text(text, options=Options(level=level)).text, "names")


@pytest.mark.parametrize("declared", ["param §: [3]", "input c: [3]\n§ = sin(c)"])
def test_comments_find_no_derivative_in_a_name_of_the_users(declared: str) -> None:
    """What begins with `d_` is the user's, and there is nothing that it is the derivative by."""
    text = (
        f"input x: [3]\n{declared}\nparam v: [3]\nparam w: [3, 3]\n"
        "output y = sum(§ * (sin(x * v) @ w))\nderive grad y wrt w, v\n"
    )
    written = [compile_text(text.replace("§", name)).text for name in ("d_foo", "e_foo")]
    function = [one.partition("def grad_y")[2].partition("\ndef ")[0] for one in written]
    assert "e_foo" in function[1]
    assert function[0].replace("d_foo", "e_foo") == function[1]


# ---- every name in every place ------------------------------------------------------------------


def main(seed: int = 1, most: int | None = None) -> int:
    """Every name in every place, or so many renamings of each kind; a line for each wrong one."""
    count = failed = 0
    for program, variant, kind in itertools.product(PROGRAMS, VARIANTS, ("fixed", "generated")):
        for names in itertools.islice(batches(program, kind, seed), most):
            count += 1
            problem = wrong(program, variant, names)
            if problem:
                failed += 1
                print(program, variant, smallest(program, variant, names), problem, flush=True)
    print(f"{count} programs under other names, {failed} wrong")
    return 1 if failed else 0


def smallest(program: str, variant: str, names: dict[str, str]) -> dict[str, str]:
    """Of these names those without which all is well."""
    for slot in list(names):
        fewer = {one: name for one, name in names.items() if one != slot}
        if wrong(program, variant, fewer):
            names = fewer
    return names


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
