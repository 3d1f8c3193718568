"""`graphc check --module`: what was edited in a module is found, or found to be harmless."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from conftest import compiled

import graphc
from graphc.checking import edited
from graphc.checking.edited import check_edited
from graphc.cli.app import app
from graphc.compile.stages import Options, compile_source
from graphc.source import Diagnostic, Source

NET = """dim B
input x: [B, 3]
input t: int[B]
x -> dense(4, act=tanh) as up -> h
y = h + dense(h, 4, act=relu) as branch
output z = dense(y, 5)
output loss = cross_entropy(z, t)
derive value_and_grad loss wrt params
derive vjp z wrt x as pull
"""
CURVE = """dim N
input x: [N]
param a; param k: [2]
s = a * exp(k[0] * x) / (1 + x**2)
output r = where(s > 1, 2 * s - 1, s**2) - k[1]
output f = sum(abs(r) * r)
derive jacobian_matrix r wrt params
derive hvp f wrt params
derive hessian f wrt a, k
"""
STEPS = """dim T
input u: [T, 2]
param A: [2, 2]
scan steps[t in T] carry h = zeros([2]) {
    next h = tanh(A @ h + u[t])
}
output e = sum((h + 0.5)**2)
derive grad e wrt A, u
"""
GRAPHS = {"net": NET, "curve": CURVE, "steps": STEPS}

# What is replaced, and by what; in a statement of a function, not in a comment.
FAULTS = [
    (r" \+ ", " - "), (r" - ", " + "), (r" \* ", " / "), (r" / ", " * "), (r"\.T\b", ""),
    (r"np\.tanh", "np.sin"), (r"np\.exp\(", "np.cosh("), (r"> 0", ">= 0"), (r"> 1\b", "> 0.5"),
    (r"\b2 \*", "3 *"), (r"\*\* 2", "** 3"), (r"axis=0\)", "axis=0) + 1e-6"), (r"1 - ", "2 - "),
    (r"\.copy\(\)", ""), (r"np\.where\((\w+) > 0", r"np.where(\1 < 0"), (r"np\.sum", "np.mean"),
    (r"@", "*"), (r"reversed\(range\((\w+)\)\)", r"range(\1)"), (r"\bT\b", "T - 1"),
]  # fmt: skip
STATEMENT = re.compile(
    r"    (    )*[\w\[\]., ]+ [-+]?= |    return|    (    )*[+-] |    (    )*for "
)


def written(name: str, level: str) -> str:
    return compiled(GRAPHS[name], level=level).text


def mutants(name: str, level: str) -> list[tuple[str, int]]:
    """Texts of a module with one fault, and its line: each fault at its first two places."""
    lines = written(name, level).split("\n")
    start = next(n for n, line in enumerate(lines) if line.startswith("def forward"))
    end = next(n for n, line in enumerate(lines) if line.startswith("def check"))
    made = []
    for old, new in FAULTS:
        places = []
        for number in range(start, end):
            code = lines[number].partition("  #")[0]
            plain = re.sub(r"'[^']*'", "", code)
            fixed = "_enter(" in code or "_cotangent(" in code or '"""' in code
            if re.search(old, plain) and STATEMENT.match(code) and not fixed:
                places.append((number, re.sub(old, new, code, count=1)))
        for number, changed in places[:2]:
            made.append(("\n".join([*lines[:number], changed, *lines[number + 1 :]]), number + 1))
    return made


@functools.cache
def source_of(name: str) -> Source:
    return Source(f"{name}.graph", GRAPHS[name])


@pytest.fixture(autouse=True)
def _compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    known: dict[tuple[str, str], Any] = {}

    def compile_once(source: Source, options: Options, folder: Any) -> Any:
        key = source.text, options.level
        if key not in known:
            known[key] = compile_source(source, options, folder)
        return known[key]

    monkeypatch.setattr(edited, "compile_source", compile_once)


def found_in(name: str, text: str) -> list[Diagnostic]:
    return check_edited(source_of(name), Options(), None, Path("edited.py"), text)


@pytest.mark.parametrize("name", GRAPHS)
def test_what_graphc_writes_is_right(name: str) -> None:
    for level in ("-O0", "-O2"):
        assert [str(one) for one in found_in(name, written(name, level))] == []


COUNTS = (
    ("net", "-O0", 22), ("net", "-O2", 8), ("curve", "-O0", 14), ("curve", "-O2", 6),
    ("steps", "-O0", 14),
)  # fmt: skip
CHOSEN = [(name, level, number) for name, level, count in COUNTS for number in range(count)]
SHORT = CHOSEN[::6]


def is_reported(name: str, level: str, number: int) -> None:
    text, line = mutants(name, level)[number]
    found = found_in(name, text)
    assert found, text.split("\n")[line - 1]
    assert line in [one.span.line for one in found if one.span], [str(one) for one in found]


@pytest.mark.parametrize(("name", "level", "number"), SHORT)
def test_some_faults_are_reported(name: str, level: str, number: int) -> None:
    is_reported(name, level, number)


@pytest.mark.long
def test_faults_are_reported_at_their_statements() -> None:
    assert len(CHOSEN) >= 60
    for one in CHOSEN:
        is_reported(*one)


HARMLESS = {
    "a comment": (r"(\n    h = [^\n]*)", r"\1  # mine"),
    "a blank line": (r"(\n    h = )", r"\n\1"),
    "another name": (r"\bd_y\b", "adjoint_of_y"),
    "another name of a value": (r"\bbranch_sum\b", "before_relu"),
    "the order of factors": (r"np\.tanh\(x @ up_W \+ up_b\)", "np.tanh(up_b + x @ up_W)"),
    "a product that is named": (
        r"\n    (\w+) = np\.tanh\(x @ up_W \+ up_b\)",
        r"\n    s0 = x @ up_W\n    \1 = np.tanh(s0 + up_b)",
    ),
    "a function as a method": (r"np\.sum\((d_\w+), axis=0\)", r"\1.sum(axis=0)"),
    "an operator as a function": (r"x @ up_W", "np.matmul(x, up_W)"),
    "a transpose by name": (r"(\w+_W)\.T", r"np.transpose(\1)"),
    "nothing is deleted": (r"\n    del [^\n]*", ""),
    "a docstring": (r'"""The outputs of the graph', '"""My outputs, and'),
    "a square as a product": (r"(\bup\b) \* \1", r"np.square(\1)"),
    "a function more": (r"\ndef forward", "\ndef mine():\n    return 1\n\n\ndef forward"),
    "an import more": (r"import numpy as np\n", "import math\nimport numpy as np\n"),
    "an assertion": (r"(\n    h = )", r"\n    assert x.ndim == 2\1"),
    "a type": (r"\n    h = ", r"\n    h: Any = "),
    "parentheses": (r"= (d_\w+ @ \w+_W\.T)", r"= (\1)"),
    "a constant": (r"\b2 \*", "2.0 *"),
    "the header": (r"do not edit", "edited"),
    "a copy more": (r"\n    h = ([^\n#]*?)(  #|\n)", r"\n    h = (\1).copy()\2"),
    "another way to say relu": (
        r"np\.maximum\((h @ branch_W \+ branch_b), 0\)",
        r"np.where(\1 > 0, \1, 0)",
    ),
}


@pytest.mark.parametrize("kind", HARMLESS)
def test_harmless_edits_pass(kind: str) -> None:
    old, new = HARMLESS[kind]
    text = written("net", "-O0")
    changed = re.sub(old, new, text)
    assert changed != text
    assert [str(one) for one in found_in("net", changed)] == []


def test_a_module_may_ask_where_it_is() -> None:
    """As a built one does, which loads the extension beside it."""
    text = (
        written("steps", "-O0") + "\nFOLDER = __file__.rpartition('edited.py')[0]\nassert FOLDER\n"
    )
    assert [str(one) for one in found_in("steps", text)] == []


def test_what_a_cache_holds_is_not_compared() -> None:
    """Only `backward` of the same module reads it; a built module keeps other values in it."""
    changed = written("steps", "-O0")
    for old, new in (
        (r'(class Cache\(NamedTuple\):\n    """[^"]*"""\n\n)', r"\1    kept: object\n"),
        (r"= Cache\(\n", "= Cache(\n        kept=None,\n"),
        (r"\n    (_, A[\w, ]*) = cache\n", r"\n    _, \1 = cache\n"),
    ):
        changed, times = re.subn(old, new, changed)
        assert times == 1, old
    assert [str(one) for one in found_in("steps", changed)] == []


def test_what_forward_does_to_its_arguments_is_compared() -> None:
    text = written("steps", "-O0")
    for old, new in (
        ("    u, A, T = _enter(params, u)\n    h = ", "    given = u\n{}"),
        ("    return Outputs(e=FLOAT(e)), cache\n", "    given += 1\n{}"),
    ):
        assert old in text
        text = text.replace(old, new.format(old), 1)
    assert [one.message.split(" differs")[0] for one in found_in("steps", text)] == ["`forward`"]


def test_a_function_that_another_message_cites_is_compared() -> None:
    """A finding knows its function; that a message begins with the name of one says nothing."""
    text = written("net", "-O0").replace("PARAMETERS = ", "PARAMETERS = ('forward',) + ")
    text = text.replace("np.tanh(x", "np.sin(x", 1)
    assert {"E430", "E432"} <= {one.code for one in found_in("net", text)}


def test_functions_that_are_not_of_the_module_have_no_place() -> None:
    text = written("net", "-O0") + "\nforward = len\n"
    found = [one for one in found_in("net", text) if one.code == "E431"]
    assert [one.span for one in found] == [None]


def test_a_module_by_hand() -> None:
    """Written from scratch: whoever has the functions and the paths is compared."""
    by_hand = "\n".join(
        [
            "from typing import NamedTuple", "import numpy as np", "FLOAT = np.float64", "",
            "class Outputs(NamedTuple):", "    y: float",
            "class Cache(NamedTuple):", "    x: object",
            "def enter(x):", "    x = np.array(x, float)",
            "    if x.shape != (3,): raise ValueError('x')", "    return x",
            "def forward(x):", "    x = enter(x)",
            "    return Outputs(np.sum(x**2)), Cache(x.copy())",
            "def backward(cache, *, y=1.0, out=None):", "    return {'x': y * 2 * cache.x}",
            "def value_and_grad_y(x, *, out=None):", "    x = enter(x)",
            "    found = {'x': FACTOR * x}",
            "    if out and 'x' in out:", "        out['x'][...] = found['x']; found = out",
            "    return np.sum(x**2), found",
        ]
    )  # fmt: skip
    source = Source("hand.graph", "input x: [3]\noutput y = sum(x**2)\n")
    for factor, codes in (("2", []), ("2.001", ["E432"])):
        text = by_hand.replace("FACTOR", factor)
        found = check_edited(source, Options(), None, Path("hand.py"), text)
        assert [one.code for one in found] == codes, [str(one) for one in found]


@pytest.mark.parametrize(
    ("old", "new", "code", "said"),
    [
        ("def forward(", "def forwards(", "E430", "the module has no function `forward`"),
        ("import numpy as np", "import numpy as np\n1 / 0", "E433", "ZeroDivisionError"),
        ("import numpy as np", "import numpy as np\n1 +", "E433", "the module does not run: Synt"),
        ("x: ArrayLike, t: ArrayLike", "t: ArrayLike, x: ArrayLike", "E431", "expected (params, x"),
        ("FLOAT = np.float64", "FLOAT = np.float32", "E430", "`FLOAT` is"),
    ],
)
def test_what_is_missing_or_does_not_run(old: str, new: str, code: str, said: str) -> None:
    text = written("net", "-O0").replace(old, new)
    found = found_in("net", text)
    assert code in {one.code for one in found}
    assert any(said in str(one) for one in found), [str(one) for one in found]


def test_the_command_and_the_function(tmp_path: Path) -> None:
    graph, module = tmp_path / "net.graph", tmp_path / "mine.py"
    graph.write_text(NET, encoding="utf-8")
    made = graphc.compile_file(graph, level=0)
    module.write_text(str(made), encoding="utf-8")
    assert graphc.check(graph, module=module)
    said = CliRunner().invoke(app, ["check", "--module", str(module), str(graph)])
    assert said.exit_code == 0, said.output
    module.write_text(str(made).replace("d_z @ z_W.T", "d_z @ z_W.T * 2"), encoding="utf-8")
    found = graphc.check(graph, module=module)
    assert not found
    said = CliRunner().invoke(app, ["check", "--module", str(module), str(graph)])
    assert said.exit_code == 1
    assert "= help: graphc wrote: `d_y = d_z @ z_W.T`" in said.output
    assert f"= note: it is of {graph}:6" in said.output
    assert "`backward` by `up.W` differs" in said.output
    wrong = CliRunner().invoke(app, ["check", "--grad", "--module", str(module), str(graph)])
    assert wrong.exit_code == 2
    assert CliRunner().invoke(app, ["check", "--module", "none.py", str(graph)]).exit_code == 1
