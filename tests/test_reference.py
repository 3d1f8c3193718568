"""The table of operations: its command, its document, and that both tell what is compiled."""

from __future__ import annotations

import json
import re
from pathlib import Path

from click.testing import CliRunner
from test_hard_points import EMPTY, POINTS

from graphc.cli.app import app
from graphc.ir.dims import Dim
from graphc.ops import FUNCTIONS
from graphc.views.reference.latex import formulas
from graphc.views.reference.markdown import markdown
from graphc.views.reference.table import CONVENTIONS, details, module_of, rows

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "operations.md"


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["ops", *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_document_is_what_the_command_prints() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == markdown()


def test_documents_name_every_operation() -> None:
    language = (DOCUMENT.parent / "language.md").read_text(encoding="utf-8")
    _, _, listed = language.partition("These are the operations;")
    named = set(re.findall(r"`(\w+)`", listed.partition("\n#")[0]))
    assert {name for name in FUNCTIONS if not name.startswith("arc")} <= named
    readme = (DOCUMENT.parents[1] / "README.md").read_text(encoding="utf-8")
    assert f"**Operations**: {len(rows())} of them" in readme


def test_list_has_every_operation() -> None:
    assert [row.name for row in rows()] == list(FUNCTIONS)
    code, listed, _ = run()
    assert code == 0
    assert all(f"  {function.signature}\n" in listed for function in FUNCTIONS.values())
    code, text, _ = run("--format", "json")
    assert [row["name"] for row in json.loads(text)] == list(FUNCTIONS)


def test_one_operation() -> None:
    assert run("tanh") == (
        0,
        """\
tanh(x)
    Hyperbolic tangent.

family: elementwise: the Jacobian is diagonal
shapes: axes align from the right, a literal 1 stretches; the result has their shape
conventions: tanh(1000) is 1 with derivative 0.

tanh(x), for x: [B, D] -> [B, D]:
    y = np.tanh(x)
pulled back:
    d_x = ct_y * (1 - y * y)
multiply-adds: 20*B*D
bytes in and out: 16*B*D
""",
        "",
    )
    _, text, _ = run("matmul", "--format", "json")
    assert json.loads(text)["pullback"] == ["d_a = ct_y @ b.T", "d_b = a.T @ ct_y"]
    moved = Dim.symbol("B") * Dim.symbol("D") + Dim.symbol("D") * Dim.symbol("K")
    assert json.loads(text)["bytes"] == str((moved + Dim.symbol("B") * Dim.symbol("K")) * 8)


def test_what_is_no_operation() -> None:
    assert run("sofmax") == (
        1,
        "",
        "graphc: no operation `sofmax`; did you mean `softmax`?\n",
    )
    for elsewhere, here in (("ln", "log"), ("clamp", "clip"), ("linear", "dense")):
        said = f"graphc: no operation `{elsewhere}`; it is called `{here}` here\n"
        assert run(elsewhere) == (1, "", said)
    assert run("--format", "xml")[0] == 2


def test_every_operation_is_told() -> None:
    for name, function in FUNCTIONS.items():
        told, stated = details(function), formulas(function)
        flows = told.row.family not in ("constant", "composition") and told.sample.differentiable
        assert told.value or name in ("id", "stop"), name
        if flows and stated[1] and "= 0" not in stated[1][0]:
            assert told.pullback, name
        for formula in (stated[0], *stated[1]):
            assert formula.count("{") == formula.count("}"), name
            assert "<" not in formula, name
            assert "$" not in formula, name
            assert not re.search(r"\^(\w|\{[^{}]*\})\^", formula), name


def test_modules_and_conventions() -> None:
    assert module_of(FUNCTIONS["sum"]) == "reduction"
    assert module_of(FUNCTIONS["any"]) == "statistics"
    assert CONVENTIONS.keys() <= FUNCTIONS.keys()


def test_every_convention_is_a_point_that_is_tested() -> None:
    tested = {name for point in POINTS for name in re.findall(r"(\w+)\(", point.call)}
    tested |= {name for name, _ in EMPTY}
    written = {"power": "**", "mod": "%", "det": "tests/test_determinant.py"}
    written |= dict.fromkeys(("eigh", "svd", "qr"), "tests/test_decompositions.py")
    assert CONVENTIONS.keys() - tested <= written.keys() | {"arctan2"}


def test_operators_are_told_as_their_operations() -> None:
    found = CliRunner().invoke(app, ["ops", "@"])
    assert found.exit_code == 0
    assert found.stdout == CliRunner().invoke(app, ["ops", "matmul"]).stdout
    other = CliRunner().invoke(app, ["ops", "+"])
    assert other.exit_code == 1
    assert "`+` is an operator, element by element: see `graphc help expressions`" in other.stderr


def test_a_standard_block_is_shown() -> None:
    found = CliRunner().invoke(app, ["ops", "dense"])
    assert found.exit_code == 0
    assert found.stdout.startswith("block dense(")
    assert "y = act(x @ W + b)" in found.stdout
    record = json.loads(CliRunner().invoke(app, ["ops", "dense", "--format", "json"]).stdout)
    assert record["block"] == "dense"
    assert "did you mean `dense`?" in CliRunner().invoke(app, ["ops", "dens"]).stderr
