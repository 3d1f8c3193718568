"""What bad input gets: the exact text of every error and warning, and never another exception."""

from __future__ import annotations

import ast
import builtins
import functools
import keyword
import random
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphc.compile.stages import Options, compile_file, compile_source, compile_text, load
from graphc.ops import FUNCTIONS
from graphc.source import GraphError, Source
from graphc.syntax.parse.parser import read_source

TESTS = Path(__file__).parent
LANGUAGE = TESTS / "language"
EXAMPLES = LANGUAGE / "examples"
PLAIN = Options()


def sections(path: Path) -> dict[str, str]:
    """The titles behind `## `, and the texts below them."""
    _, *parts = re.split(r"^## ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {title: below.strip("\n") for title, _, below in (p.partition("\n") for p in parts)}


def said(
    text: str, name: str = "a.graph", options: Options = PLAIN, folder: Path | None = None
) -> str:
    """The errors of a text, or its warnings."""
    try:
        return "\n\n".join(map(str, compile_source(Source(name, text), options, folder).warnings))
    except GraphError as wrong:
        return str(wrong)


# ---- the catalogue of the language --------------------------------------------------------------

CATALOGUE = sections(LANGUAGE / "errors" / "CATALOGUE.txt")
ADAPTED = sections(TESTS / "errors" / "catalogue.txt")


@pytest.mark.parametrize("title", CATALOGUE)
def test_catalogue(title: str) -> None:
    path = LANGUAGE / "errors" / f"e{title[:2]}.graph"
    with pytest.raises(GraphError) as caught:
        compile_source(read_source(path.name, path.read_bytes()))
    assert str(caught.value) == ADAPTED.get(title, CATALOGUE[title])


def test_the_catalogue_is_a_floor() -> None:
    """All that it says is said in its order, but for one dim that it has wrong."""
    assert len(CATALOGUE) == 36
    assert ADAPTED.keys() <= CATALOGUE.keys()
    for title, text in ADAPTED.items():
        expected = CATALOGUE[title].replace("needs [B, 8]", "needs [5, 8]")
        lines = iter(text.split("\n"))
        for line in expected.split("\n"):
            assert any(other.startswith(line) for other in lines), line


# ---- texts and what is said about them ----------------------------------------------------------

CASES = [
    pytest.param(ast.literal_eval(title), below, id=f"{path.stem}-{number}")
    for path in sorted((TESTS / "errors").glob("*.txt"))
    if path.stem != "catalogue"
    for number, (title, below) in enumerate(sections(path).items(), 1)
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_what_is_said(text: str, expected: str) -> None:
    found = said(text).encode("utf-8", "replace").decode()
    assert found == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (Options(dims={"C": 3}),
         "error[E217]: --dim C: the file declares no such dim\n  = help: there are: `B`, `H`"),
        (Options(dims={"BB": 3}),
         "error[E217]: --dim BB: the file declares no such dim\n  = help: did you mean `B`?"),
        (Options(dims={"B": 0}),
         "error[E309]: dim `B` is 0; a dim is at least 1\n"
         " --> a.graph:1:5\n  |\n1 | dim B\n  |     ^"),
        (Options(dims={"B": -7}),
         "error[E309]: dim `B` is -7; a dim is at least 1\n"
         " --> a.graph:1:5\n  |\n1 | dim B\n  |     ^"),
        (Options(dims={"H": 4}),
         "error[E217]: `H` is an alias of 2*B; --dim cannot fix it\n"
         " --> a.graph:2:5\n  |\n2 | dim H = 2*B\n  |     ^"),
        (Options(dims={"c": 4}),
         "error[E217]: --dim c: the file declares no such dim\n"
         "  = help: it is a const: write `--const c=4`"),
        (Options(consts={"B": "4"}),
         "error[E217]: --const B: the file declares no such const\n"
         "  = help: it is a dim: write `--dim B=4`"),
        (Options(consts={"lam": "1"}),
         "error[E217]: --const lam: the file declares no such const\n  = help: there are: `c`"),
        (Options(consts={"c": "1; import os"}),
         "error[E101]: "),
        (Options(consts={"c": "__import__('os')"}),
         "error[E102]: strings use double quotes\n"
         " --> --const c:1:14\n  |\n1 | c=__import__('os')\n  |              ^^^^\n"
         "  = help: operations and blocks have no quotes: `os`\n"
         "  = note: a string would be `\"os\"`"),
        (Options(consts={"c": "open(\"x\")"}),
         "error[E200]: unknown block or operation `open`\n"
         " --> --const c:1:3\n  |\n1 | c=open(\"x\")\n  |   ^^^^\n"
         "  = help: a const is a number, true or false, a string or a list"),
        (Options(consts={"c": "abc"}),
         "error[E200]: unknown name `abc`\n"
         " --> --const c:1:3\n  |\n1 | c=abc\n  |   ^^^\n"
         "  = help: a const is a number, true or false, a string or a list"),
        (Options(consts={"c": "1\ny = 2"}),
         "error[E217]: --const c: `1\ny = 2` is not a value"),
        (Options(consts={"c": "\"os\""}),
         "error[E211]: expected a tensor, found a string\n"
         " --> a.graph:5:16\n  |\n5 | output y = x * c\n  |                ^"),
        (Options(derive=["grad y wrt x\nimport \"a\" as b"]),
         "error[E217]: --derive: `grad y wrt x\nimport \"a\" as b` is not one clause"),
        (Options(derive=["grad z wrt x"]),
         "error[E200]: unknown output `z`\n"
         " --> --derive:1:13\n  |\n1 | derive grad z wrt x\n  |             ^\n"
         "  = help: the outputs of this file: `y`"),
    ],
)  # fmt: skip
def test_options(options: Options, expected: str) -> None:
    text = "dim B\ndim H = 2*B\nconst c = 2\ninput x: [B, H]\noutput y = x * c"
    found = said(text, options=options)
    if expected.endswith(": "):
        assert found.startswith("error[E1")
    else:
        assert found == expected


def test_what_remedies_write_computes_what_was_meant() -> None:
    """Of operations that the language has no name for."""
    text = """
        dim N
        input v: [3]; input X: [N, 3]
        output area = sum((v[1:] + v[:-1]) / 2 * diff(v))
        output unit = X / norm(X, axis=-1, keepdims=true)
        output cov = X.T @ X / (N - 1)
        output gamma = exp(lgamma(v))
        output factorial = exp(lgamma(v + 1))
        output repeated = repeat_elements(X, 2, axis=0)
        output added = put_add(X, 1.0, 0)
        output whole = to_int(v)
        output horner = (2*v + 3)*v + 4
    """
    v, X = np.array([1.0, 2.0, 4.0]), np.array([[1.0, 2.0, 3.0], [3.0, -1.0, 0.0]])
    with np.errstate(all="raise"):
        net = load(compile_text(text).text, "remedies")
        out, moved = net.forward(v, X)[0], net.forward(v, X - X.mean(axis=0))[0]
    np.testing.assert_allclose(out.area, np.trapezoid(v, v))
    np.testing.assert_allclose(np.linalg.norm(out.unit, axis=1), [1.0, 1.0])
    np.testing.assert_allclose(moved.cov, np.cov(X.T))
    np.testing.assert_allclose(out.gamma, [1.0, 1.0, 6.0])
    np.testing.assert_allclose(out.factorial, [1.0, 2.0, 24.0])
    np.testing.assert_array_equal(out.repeated, np.repeat(X, 2, axis=0))
    np.testing.assert_array_equal(out.added, np.add(X, [[1.0], [0.0]]))
    np.testing.assert_array_equal(out.whole, v.astype(int))
    np.testing.assert_allclose(out.horner, np.polyval([2, 3, 4], v))


def test_all_errors_of_a_file_in_one_run() -> None:
    text = "input x: [3]\na = y1\nb = x + ones([4])\nc = dnse(x)\nd = a + b + c\n"
    text += "output e = sum(x, axis=4)"
    with pytest.raises(GraphError) as caught:
        compile_text(text)
    assert [(d.code, d.span.line) for d in caught.value.diagnostics if d.span] == [
        ("E200", 2),
        ("E301", 3),
        ("E200", 4),
        ("E305", 6),
    ]


# ---- names of Python and of the module ----------------------------------------------------------

TAKEN = sorted(
    {name for name in (*keyword.kwlist, *keyword.softkwlist, *dir(builtins)) if name[:2] != "__"}
    | {"np", "npt", "self", "forward", "backward", "params", "cache", "out", "init", "check",
       "Cache", "Outputs", "FLOAT", "PARAMETERS", "GRAPH", "annotations", "Any", "Mapping",
       "NamedTuple", "class_", "class_2", "np_", "np_2", "seed", "value", "array"}
)  # fmt: skip
CLASHING = {"forward", *FUNCTIONS}  # no block is called so


@functools.cache
def allowed() -> list[str]:
    return [name for name in TAKEN if said(f"input {name}\noutput zz = 2 * {name}") == ""]


def test_most_names_are_allowed() -> None:
    """What is not is a word of the language, and says so."""
    assert {"None", "class", "np", "print", "self", "lambda", "forward", "params"} <= set(allowed())
    for name in set(TAKEN) - set(allowed()):
        assert re.match(
            r"error\[E(104|203|100|101|103|105|106|200)\]", said(f"input {name}\noutput zz = 1")
        )


@pytest.mark.parametrize("kind", ["inputs", "params", "dims", "equations", "blocks", "loops"])
def test_reserved_names_work(kind: str) -> None:
    """All at once, with those that a renaming might give them."""
    values = {name: float(i + 1) for i, name in enumerate(allowed())}
    total = " + ".join(values)
    lines = {
        "inputs": [*(f"input {name}" for name in values), f"output yy = {total}"],
        "params": [*(f"param {name} ~ {values[name]}" for name in values), f"output yy = {total}"],
        "dims": [
            *(f"dim {name} = {int(values[name])}" for name in values),
            "input xx",
            *(f"sum{i} = sum(ones([{name}])) * xx" for i, name in enumerate(values)),
            "output yy = " + " + ".join(f"sum{i}" for i in range(len(values))),
        ],
        "equations": [
            "input xx",
            *(f"{name} = {value} * xx" for name, value in values.items()),
            f"output yy = {total}",
        ],
        "blocks": [
            "input xx",
            *(f"block {name}(x: []) -> y: [] {{ y = {v} * x }}" for name, v in values.items()
              if name not in CLASHING),
            "output yy = " + " + ".join(
                f"{value} * xx" if name in CLASHING else f"{name}(xx)"
                for name, value in values.items()
            ),
        ],
        "loops": [
            "input xx",
            *(f"scan s{i}[{name} in 1] carry h{i} = xx {{ next h{i} = {v} * h{i} + {name} }}"
              for i, (name, v) in enumerate(values.items())),
            "output yy = " + " + ".join(f"h{i}" for i in range(len(values))),
        ],
    }[kind]  # fmt: skip
    made = load(compile_text("\n".join(lines)).text, f"names_{kind}")
    expected = sum(values.values())
    if kind == "inputs":
        out = made.forward(*values.values())[0]
    elif kind == "params":
        assert made.init() == values
        out = made.forward(values)[0]
    else:
        out = made.forward(1.0)[0]
    assert out.yy == expected


def test_a_renaming_is_injective() -> None:
    text = "input class, class_, class_2, np, np_\n"
    text += "output None = class + 2 * class_\noutput y = np - np_ * class_2"
    made = load(compile_text(text).text, "injective")
    out, cache = made.forward(1.0, 2.0, 3.0, 4.0, 5.0)
    assert tuple(out) == (5, -11)
    gradients = made.backward(cache, None_=1.0)
    assert gradients == {"class": 1, "class_": 2, "class_2": 0, "np": 0, "np_": 0}


# ---- text that tries to get into the module -----------------------------------------------------

DOCS = [
    r'"ends in a backslash \\"',
    r'"a quote \" and \"\"\" three"',
    '"""two\nlines, \'\'\' and # no comment"""',
    r'"\"\"\" + __import__(\"os\").system(\"true\") + \"\"\""',
    r'"{x} {__class__} %s \\N{BULLET} \\x41 \\u0041"',
    '"# coding: utf-7"',
]


@pytest.mark.parametrize("doc", DOCS)
def test_docs_stay_text(doc: str) -> None:
    text = f"{doc}\ndim B {doc}\ninput x: [B] {doc}\nparam w ~ 1 {doc}\noutput y = w * x {doc}\n"
    text += f"block f(x: [...]) -> y: [...] {{\n{doc}\ny = x\n}}"
    result = compile_text(text)
    made = load(result.text, "docs")
    assert made.__doc__ is not None
    words = ast.literal_eval(doc) if "\n" not in doc else "two"
    assert words.split()[0] in made.__doc__
    np.testing.assert_array_equal(made.forward({"w": 2.0}, np.ones(2))[0].y, [2, 2])


@pytest.mark.parametrize(
    "name",
    [
        "# coding: utf-7.graph", 'a"""b.graph', "a\\.graph", "a\nimport os.graph", "a\rb.graph",
        "é.graph", "__import__('os').graph",
    ],
)  # fmt: skip
def test_names_of_files_stay_text(name: str) -> None:
    result = compile_source(Source(name, "input x\noutput y = 2 * x"))
    tree = ast.parse(result.text)
    imports = [n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)]
    assert {a.name for n in imports for a in n.names} <= {
        "annotations", "Callable", "Iterable", "Mapping", "Any", "NamedTuple", "numpy",
        "numpy.typing",
    }  # fmt: skip
    assert load(result.text, "named").forward(3.0)[0].y == 6
    assert result.text.encode("utf-8").decode("utf-8") == result.text


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(GraphError) as caught:
        read_source("a.graph", b"input x\noutput y = \xff\xfe")
    assert str(caught.value).splitlines()[0].startswith("error[E100]: byte")
    assert "19" in str(caught.value)


@pytest.mark.parametrize("text", ["\ufeffinput x\noutput y = x", "input x\r\noutput y = x\r\n"])
def test_byte_order_mark_and_line_ends(text: str) -> None:
    source = read_source("a.graph", text.encode("utf-8"))
    assert compile_source(source).warnings == ()


# ---- depth and length ---------------------------------------------------------------------------

LONG = {
    "parentheses": ("(" * 1000 + "x" + ")" * 1000, 2.0),
    "a sum": (" + ".join(["x"] * 3000), 6000.0),
    "minuses": ("-" * 20_000 + "x", 2.0),
    "powers": ("x" + "**1" * 500, 2.0),
    "calls": ("abs(" * 300 + "x" + ")" * 300, 2.0),
    "negations": ("where(" + "not " * 501 + "(x > 9), x, 0)", 2.0),
    "lists": ("[" * 60 + "2.0" + "]" * 60, None),
    "products": ("x * " * 10 + "1" + " * 1" * 1000, 1024.0),
    "conditions": ("where(" + " or ".join(["x > 0"] * 500) + ", x, 0)", 2.0),
}  # fmt: skip


@pytest.mark.parametrize("name", LONG)
def test_deep_and_long_expressions(name: str) -> None:
    """They compile, or a limit is named."""
    text, value = LONG[name]
    try:
        result = compile_text(f"input x\noutput y = {text}")
    except GraphError as wrong:
        (only,) = wrong.diagnostics
        assert only.code in ("E105", "E108", "E309", "E503")
    else:
        out = load(result.text, "deep").forward(2.0)[0]
        if value is not None:
            assert out.y == value


@pytest.mark.parametrize(
    "text",
    [
        "input y0\n" + "".join(f"y{i + 1} = tanh(y{i})\n" for i in range(400)) + "output y400",
        "input x\nx" + " -> tanh" * 400 + " -> y\noutput y",
        "input x\n" + "if true {\n" * 500 + "y = x\n" + "}\n" * 500 + "output y",
        "input x\nx -> " + "residual { " * 200 + "tanh" + " }" * 200 + " -> y\noutput y",
        "input x\n" + "\n".join(
            f"block b{i}(x: []) -> y: [] {{ y = {f'b{i + 1}' if i < 200 else 'tanh'}(x) }}"
            for i in range(201)
        ) + "\noutput y = b0(x)",
        "input x\n" + "".join(f"scan s{i}[t{i} in 1] carry h{i} = {f'h{i - 1}' if i else 'x'} {{\n"
                             for i in range(15)) + "next h14 = tanh(h14)\n"
        + "".join(f"}}\nnext h{i} = h{i + 1}\n" for i in reversed(range(14))) + "}\noutput h0",
    ],
    ids=["equations", "chain", "conditions", "residuals", "blocks", "scans"],
)  # fmt: skip
def test_deep_and_long_texts(text: str) -> None:
    try:
        compile_text(text)
    except GraphError as wrong:
        (only,) = wrong.diagnostics
        assert only.code in ("E105", "E108", "E503")


def test_integers_that_are_too_long() -> None:
    digits = "7" * 5000
    assert said(f"input x\noutput y = x * {digits}").splitlines()[0] == (
        "error[E105]: an integer of 5000 digits is too long; the largest is 9223372036854775807"
    )


def test_a_repeat_of_a_million_is_a_loop() -> None:
    text = "input x\nrepeat layer[k in 1..1000000] carry h = x { next h = 0.5 * h + k }\noutput h"
    result = compile_text(text)
    assert result.text.count("\n") < 550
    assert load(result.text, "million").forward(0.0)[0].h == pytest.approx(2e6 - 2)


# ---- imports ------------------------------------------------------------------------------------

BLOCK = "block f(x: [...]) -> y: [...] { y = x }"
USE = "input x\noutput y = x"
IMPORTS: dict[str, tuple[Mapping[str, str], str]] = {
    "absolute": ({"main": f'import "/etc/a.graph" as a\n{USE}'}, """
error[E601]: an import cannot be absolute
 --> main.graph:1:8
  |
1 | import "/etc/a.graph" as a
  |        ^^^^^^^^^^^^^^
  = help: a path is relative and stays in the folder of the importing file: "blocks.graph\""""),
    "a drive": ({"main": f'import "C:a.graph" as a\n{USE}'}, """
error[E601]: an import cannot be absolute
 --> main.graph:1:8
  |
1 | import "C:a.graph" as a
  |        ^^^^^^^^^^^
  = help: a path is relative and stays in the folder of the importing file: "blocks.graph\""""),
    "leaves the folder": ({"main": f'import "below/../../a.graph" as a\n{USE}'}, """
error[E601]: an import cannot leave the folder of its file
 --> main.graph:1:8
  |
1 | import "below/../../a.graph" as a
  |        ^^^^^^^^^^^^^^^^^^^^^
  = help: a path is relative and stays in the folder of the importing file: "blocks.graph\""""),
    "no graph": ({"main": f'import "a.py" as a\n{USE}'}, """
error[E601]: only .graph files are imported
 --> main.graph:1:8
  |
1 | import "a.py" as a
  |        ^^^^^^
  = help: a path is relative and stays in the folder of the importing file: "blocks.graph\""""),
    "missing": ({"main": f'import "blocs.graph" as a\n{USE}', "blocks": BLOCK}, """
error[E601]: there is no file blocs.graph
 --> main.graph:1:8
  |
1 | import "blocs.graph" as a
  |        ^^^^^^^^^^^^^
  = help: did you mean `blocks.graph`?"""),
    "no such block": ({"main": f'from "b.graph" import g, f as h\n{USE}', "b": BLOCK}, """
error[E602]: `g` is not a block of b.graph
 --> main.graph:1:23
  |
1 | from "b.graph" import g, f as h
  |                       ^"""),
    "no such block of a module": (
        {"main": 'import "b.graph" as lib\ninput x\noutput y = lib.ff(x)', "b": BLOCK}, """
error[E602]: `ff` is not a block of b.graph
 --> main.graph:3:12
  |
3 | output y = lib.ff(x)
  |            ^^^^^^
  = help: did you mean `f`?"""),
    "itself": ({"main": f'import "main.graph" as a\n{USE}'}, """
error[E601]: imports form a cycle: main.graph -> main.graph
 --> main.graph:1:8
  |
1 | import "main.graph" as a
  |        ^^^^^^^^^^^^
  = note: imported at main.graph:1:8"""),
    "a cycle": ({"main": f'import "a.graph" as a\n{USE}', "a": f'import "b.graph" as b\n{BLOCK}',
                 "b": f'import "a.graph" as a\n{BLOCK}'}, """
error[E601]: imports form a cycle: a.graph -> b.graph -> a.graph
 --> b.graph:1:8
  |
1 | import "a.graph" as a
  |        ^^^^^^^^^
  = note: imported at a.graph:1:8
  = note: imported at main.graph:1:8"""),
    "taken": ({"main": f'from "b.graph" import f\n{BLOCK}\n{USE}', "b": BLOCK}, """
error[E201]: `f` is defined twice
 --> main.graph:2:7
  |
2 | block f(x: [...]) -> y: [...] { y = x }
  |       ^
  = note: first defined at main.graph:1:23"""),
    "wrong syntax": ({"main": f'import "b.graph" as b\n{USE}',
                      "b": "block f(x: []) -> y: [] { y = 2x }"},
                     """
error[E103]: multiplication is written `*`
 --> b.graph:1:32
  |
1 | block f(x: []) -> y: [] { y = 2x }
  |                                ^
  = help: 2 * x
  = note: imported at main.graph:1:8"""),
    "a mistake in a block": (
        {"main": 'from "b.graph" import f\ninput x: [3]\noutput y = f(x)',
         "b": "block f(x: [D]) -> y: [D] { y = g(x) }\n"
              "block g(x: [D]) -> y: [D] { y = x + ones([4]) }"},
        """
error[E301]: shapes do not fit in `+`: [3] and [4]
 --> b.graph:2:33
  |
2 | block g(x: [D]) -> y: [D] { y = x + ones([4]) }
  |                                 ^^^^^^^^^^^^^
  = help: axes are aligned from the right and only a literal 1 stretches; \
insert axes with `_`, e.g. v[:, _]
  = note: `x`: [3] is defined at b.graph:2:9
  = note: in block `g`, used at b.graph:1:33
  = note: in block `f`, used at main.graph:3:12"""),
    "a name of the importing file": (
        {"main": 'from "b.graph" import f\ninput x: [3]\nconst eps = 1\noutput y = f(x)',
         "b": "block f(x: [D]) -> y: [D] { y = x + eps }"}, """
error[E200]: unknown name `eps`
 --> b.graph:1:37
  |
1 | block f(x: [D]) -> y: [D] { y = x + eps }
  |                                     ^^^
  = help: a block sees only its ports; pass `eps` as an argument
  = note: in block `f`, used at main.graph:4:12"""),
}  # fmt: skip


@pytest.mark.parametrize("case", IMPORTS)
def test_imports(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, expected = IMPORTS[case]
    for name, text in files.items():
        (tmp_path / f"{name}.graph").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GraphError) as caught:
        compile_file(Path("main.graph"))
    assert str(caught.value) == expected.lstrip("\n")


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_imports_follow_no_links(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = tmp_path / "outside"
    inside = tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    (outside / "a.graph").write_text(BLOCK, encoding="utf-8")
    path = "a.graph" if kind == "file" else "folder/a.graph"
    target = outside / "a.graph" if kind == "file" else outside
    (inside / path.split("/")[0]).symlink_to(target)
    (inside / "main.graph").write_text(f'import "{path}" as a\n{USE}', encoding="utf-8")
    monkeypatch.chdir(inside)
    with pytest.raises(GraphError) as caught:
        compile_file(Path("main.graph"))
    assert str(caught.value).splitlines()[:2] == [
        f"error[E601]: {path.split('/')[0]} is a link; imports do not follow links",
        " --> main.graph:1:8",
    ]


# ---- mutated programs ---------------------------------------------------------------------------

KINDS = re.compile(r"^derive (jacobian|hvp|hessian|jvp|.* per ).*$", re.MULTILINE)
PROGRAMS = [
    KINDS.sub("", path.read_text(encoding="utf-8")) for path in sorted(EXAMPLES.glob("*.graph"))
]
WORDS = re.compile(
    r'"""(?:.|\n)*?"""|"[^"\n]*"|#[^\n]*|[A-Za-z_]\w*|\d+(?:\.\d+)?|\*\*|->|\.\.\.?|//|[<>=!]=|\s+|.'
)
OPERATORS = [*"+-*/@%<.:,[]();{}=", "**", "//", "==", "..", "->"]
NUMBERS = ["0", "1", "2", "3", "-1", "16", "2.5", "100000"]


def kind_of(word: str) -> str:
    if word.isspace() or word[0] in '"#':
        return "kept"
    return (
        "name" if word[0].isalpha() or word[0] == "_" else "number" if word[0].isdigit() else "sign"
    )


def mutated(text: str, draw: random.Random) -> str:
    """One to three words deleted, doubled, exchanged or replaced by others of their kind."""
    words = WORDS.findall(text)
    for _ in range(draw.choice([1, 1, 2, 3])):
        places = [i for i, word in enumerate(words) if kind_of(word) != "kept"]
        place = draw.choice(places)
        kind = kind_of(words[place])
        alike = [i for i in places if kind_of(words[i]) == kind]
        match draw.choice(["delete", "double", "exchange", "exchange", *["replace"] * 5]):
            case "delete":
                del words[place]
            case "double":
                words[place] = f"{words[place]} {words[place]}"
            case "exchange":
                other = draw.choice(alike)
                words[place], words[other] = words[other], words[place]
            case "replace":
                known = {"name": [words[i] for i in alike], "number": NUMBERS, "sign": OPERATORS}
                words[place] = draw.choice(known[kind])
    return "".join(words)


@settings(
    max_examples=250, deadline=None, database=None, derandomize=True,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
@given(program=st.sampled_from(PROGRAMS), seed=st.integers(0, 2**32))
def test_mutated_programs_compile_or_say_why(program: str, seed: int) -> None:
    text = mutated(program, random.Random(seed))
    for message in filter(None, said(text, "fuzz.graph", folder=EXAMPLES).split("\n\n")):
        assert re.match(r"(error\[E|warning\[W)\d{3}\]: ", message)
