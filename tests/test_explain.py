"""`graphc explain`: what it says, in which form, and what it does with what is wrong."""

from __future__ import annotations

import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from printed_formulas import opened
from test_explain_numbers import EXAMPLES, LANGUAGE

from graphc.cli.app import app
from graphc.cli.explain import printed
from graphc.compile.stages import Compilation, Options
from graphc.syntax.parse.parser import read_source
from graphc.views.explain.explained import explained
from graphc.views.explain.telling import document
from graphc.views.explain.wanted import Wanted
from tests.patience import PATIENCE

FORMATS = ("text", "markdown", "latex", "html")
CHAIN = """input x: [3]; input y: [2]
param W: [4, 3]; param b: [4]; param V: [2, 4]
z = W @ x + b
h = sigmoid(z)
u = V @ h
output C = sum((u - y)**2) / 2
derive grad C wrt params
"""


def run(*arguments: str | Path, input: str | None = None) -> Result:
    return CliRunner().invoke(app, ["explain", *map(str, arguments)], input=input)


def said(*arguments: str | Path, input: str | None = None) -> str:
    result = run(*arguments, input=input)
    assert result.exit_code == 0, result.output
    return result.stdout


# ---- what is said ------------------------------------------------------------------------------


def test_back_through_a_layer_in_both_layouts() -> None:
    """Where the transpose comes from: the textbook's δ = (Vᵀ δ_next) ⊙ σ'(z), and its row."""
    column = said("-", "--level", "formulas", input=CHAIN)
    row = said("-", "--level", "2", "--layout", "numerator", input=CHAIN)
    assert "dC/dh = (∂u/∂h) (dC/du)   [4], a column" in column
    assert "      = Vᵀ (dC/du)" in column
    assert "      = (dC/dh) ⊙ h ⊙ (1 − h)" in column
    assert "      = (dC/dz) xᵀ" in column
    assert "dC/dh = (dC/du) (∂u/∂h)   [4], a row" in row
    assert "      = (dC/du) V" in row
    assert "      = (dC/dh) ⊙ hᵀ ⊙ (1 − hᵀ)" in row
    assert "      = x (dC/dz)" in row


def test_shapes_turn_with_the_layout() -> None:
    assert "dC/dW = (∂z/∂W) (dC/dz)   [4, 3]" in said("-", "--node", "W", input=CHAIN)
    numerator = said("-", "--node", "W", "--layout", "numerator", input=CHAIN)
    assert "dC/dW = (dC/dz) (∂z/∂W)   [3, 4]" in numerator
    assert "∂z/∂W = I₄ ⊗ x, 12 × 4" in said("-", "--node", "z", input=CHAIN)
    assert "∂z/∂W = I₄ ⊗ xᵀ, 4 × 12" in said(
        "-", "--node", "z", "--layout", "numerator", input=CHAIN
    )


def test_a_derivative_apart_along_an_axis_is_told_of_the_one_graph() -> None:
    """Nodes of a clause with `per` have other dims under the same names: nothing is told twice."""
    text = """dim B, n = 3, m = 2
input x: [B, n]
param W: [n, m]
h = tanh(x @ W)
output y = h * h
derive jacobian y wrt h as J
derive jacobian y wrt h per B as J_each
"""
    found = said("-", "--level", "2", input=text)
    lines = [line for line in found.splitlines() if line.startswith(("h = ", "y = "))]
    assert lines == [
        "h = tanh(x W)   [B, 2]   `h = tanh(x @ W)`",
        "y = h²   [B, 2]   `output y = h * h`",
    ]
    assert found.count("dL/dh = ") == 1
    assert len(re.findall(r"^  W +\[", found, re.M)) == 1


@pytest.mark.parametrize("text", ["output y = 3.0 * 2", "input x\noutput y = x\noutput z = 2.0"])
def test_an_output_that_depends_on_nothing_is_no_mistake(text: str) -> None:
    assert "The derivation of graph" in said("-", input=text)


def test_levels_from_a_sentence_to_every_operation() -> None:
    lengths = [len(said("-", "--level", level, input=CHAIN)) for level in "1234"]
    assert lengths == sorted(lengths)
    assert "dC/dW says how much C grows with W: what it does to z, times what that does to C." in (
        " ".join(said("-", "--level", "sentence", input=CHAIN).split())
    )
    assert "since" not in said("-", "--level", "formulas", input=CHAIN)
    assert "v₁ = W x" in said("-", "--level", "everything", input=CHAIN)


def test_a_skip_edge_and_a_shared_parameter_are_told() -> None:
    graph = "input x: [3]\nparam W: [3, 3]\nh = tanh(W @ x)\nf = tanh(W @ h)\nr = h + f\n"
    graph += "output L = sum(r**2)\nderive grad L wrt params"
    assert "the skip edge, as it is" in said("-", "--node", "h", input=graph)
    assert "2 terms, one for each way out of W: a shared parameter gets the sum" in said(
        "-", "--node", "W", input=graph
    )
    assert "skip" not in said("-", "--node", "z", input=CHAIN)


def test_what_counts_as_constant_is_told() -> None:
    graph = "input x: [3]\ny = x * stop(x)\noutput L = sum(y)\nderive grad L wrt x"
    told = said("-", "--node", "y", input=graph)
    assert "counts as constant" in told
    assert "∂y/∂x = diag(stop(x))" in told


def test_second_derivatives_are_told_as_such() -> None:
    graph = "input x: [3]\ns = sum(x**3)\ng = grad(s, x)\noutput n = sum(g**2)\nderive grad n wrt x"
    assert "a second derivative" in said("-", "--node", "g", input=graph)
    assert "a second derivative" not in said("-", "--node", "n", input=graph)


def test_a_rule_is_told_and_its_derivative_is_the_stated_one() -> None:
    told = said(LANGUAGE / "11_rules.graph", "--node", "x")
    assert "(dL/da) ⊙ σ(x)" in told
    assert "the graph states this derivative itself" in told


def test_names_of_the_file_stay_its_own() -> None:
    """Neither `L`, the result, nor `v1`, a value without a name, takes a name of the file."""
    graph = (
        "input L: [3]\ninput v1: [3]\noutput loss = sum(exp(L * v1))\nderive grad loss wrt L, v1"
    )
    told = said("-", "--level", "4", input=graph)
    assert "L₀ = loss" in told
    assert "v₂ = L ⊙ v₁" in told


def test_one_value_is_told_where_a_loop_captures_what_has_no_name() -> None:
    """What a causal mask compares, which each of the layers reads."""
    found = said("--node", "h", LANGUAGE / "07_transformer.graph")
    assert "dL/dh" in found or "d loss/dh" in found, found


def test_one_loop_inside_another() -> None:
    graph = """dim T, K
input x: [T, K, 2]; param W: [2, 2]
scan steps[t in T] carry h = zeros([2]) {
    scan inner[k in K] carry g = h { next g = tanh(W @ g + x[t, k]) }
    next h = g
}
output L = sum(h**2)
derive grad L wrt W
"""
    told = said("-", input=graph)
    assert "(dL/dW)[t, k]" in told or "(dL/dW)_" in told
    assert "Σ_k" in told
    assert "Σ_t" in told


def test_the_ending_of_a_file_chooses_its_format(tmp_path: Path) -> None:
    for format, ending in zip(FORMATS, ("txt", "md", "tex", "html"), strict=True):
        out = tmp_path / f"out.{ending}"
        assert said("-", "-o", out, input=CHAIN) == ""
        assert out.read_text(encoding="utf-8") == said("-", "--format", format, input=CHAIN)


def test_a_large_graph_begins_with_what_there_is() -> None:
    """Forty layers and their parameters are four rows: names that differ in a number are one."""
    layers = "".join(f"h{n + 1} = dense(h{n}, 8, act=tanh) as fc{n}\n" for n in range(40))
    text = f"dim B\ninput h0: [B, 8]\n{layers}output y = mean(h40**2)\nderive grad y wrt params\n"
    said_of = said("-", "--level", "formulas", input=text)
    found = said_of[said_of.index("What there is") :]
    table = found[found.index("  name") : found.index("\n\n\n")].splitlines()
    assert "81 values, computed of 1 input and 80 parameters." in found
    assert [row.split("  ")[1] for row in table[1:]] == [
        "h₀", "fc0.W … fc39.W", "fc0.b … fc39.b", "fc0 … fc39", "h₁ … h₄₀", "y",
    ]  # fmt: skip
    assert "40 parameters" in table[2]
    assert "40 values, the first `h1 = dense(h0, 8, act=tanh) as fc0`" in table[5]
    assert "h₇ = fc6" in found
    assert "What there is" not in said("-", input=CHAIN)
    page = said("-", "--format", "html", input=text)
    assert f'data-node="{" ".join(f"fc{n}.W" for n in range(40))}"' in page


def test_what_a_loop_of_grad_carries_is_said() -> None:
    """It has no name in the file; of what steps collect only what is read is told."""
    text = """dim T
input x: [T, 2]
param w: [2]
scan step[t in T] carry h = 0.0 {
    next h = tanh(x[t] @ w + h)
    collect ys = h * 2
}
g = grad(sum(ys**2) + h, w)
output z = sum(g**2)
derive grad z wrt w
"""
    found = " ".join(said("-", input=text).replace("│", "").split())
    assert (
        "This loop is made by `grad`: d_h is what has come back to `h` so far; d_w is what has come"
        " back to `w` so far."
    ) in found
    assert "collected1" not in found
    own = re.sub(r"\bh\b", "d_h", text).replace("grad(sum(ys**2) + d_h, w)", "w")
    assert "made by" not in said("-", input=own)


# ---- formats -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", [EXAMPLES / "net321.graph", EXAMPLES / "three_layers.graph",
             LANGUAGE / "05_lstm.graph", LANGUAGE / "07_transformer.graph"],
    ids=lambda path: path.stem,
)  # fmt: skip
def test_formats_are_well_formed(path: Path) -> None:
    compilation = Compilation(read_source(path.name, path.read_bytes()), Options(), path.parent)
    told = document(explained(compilation, "denominator"), Wanted(mode="both"))
    _, markdown, paper, page = (printed(told, kind) for kind in FORMATS)
    assert "<script" not in page
    assert re.findall(r"https?://|src=|href=", page) == []
    assert 'name="viewport"' in page
    assert "prefers-color-scheme: dark" in page
    body = page[page.index("<body>") : page.index("</body>") + len("</body>")]
    formulas = list(ElementTree.fromstring(body).iter("math"))
    assert len(formulas) > 20
    scripts = {"mfrac": 2, "msup": 2, "msub": 2, "munder": 2, "mroot": 2, "mover": 2}
    for formula in formulas:
        assert all(len(part) == scripts.get(part.tag, len(part)) for part in formula.iter())
    assert opened(paper) == []
    assert paper.isascii() or all(ord(one) < 0x180 for one in paper)
    assert not re.search(r"_\{[^{}]*\}_|\^\{[^{}]*\}\^", paper)  # a double script is an error
    assert markdown.replace(r"\$", "").count("$") % 2 == 0


def test_what_a_file_says_is_no_markup() -> None:
    graph = 'input x: [3] "<b>&"\noutput y = sum(x)  # <script>\nderive grad y wrt x'
    assert "<script" not in said("-", "--format", "html", input=graph)
    graph = "input x_1: [3]\noutput loss_of_all = sum(exp(x_1) < 2)\noutput y = sum(x_1)\n"
    graph += "derive grad y wrt x_1"
    page = said("-", "--format", "html", input=graph)
    ElementTree.fromstring(page[page.index("<body>") : page.index("</html>")])
    assert opened(said("-", "--format", "latex", input=graph)) == []


# ---- what is wrong -----------------------------------------------------------------------------


def test_a_name_that_there_is_not_is_told_by_the_nearest() -> None:
    result = run("-", "--node", "hh", input=CHAIN)
    assert result.exit_code == 2
    assert "no value `hh`; did you mean `h`?" in result.output


LOOP = """dim T
input x: [T, 2]
param w: [2]; param start
scan step[t in T] carry h = start { next h = tanh(x[t] @ w + h) }
output other = h * 2
output y = h**2
derive grad y wrt w
"""


def test_what_a_loop_carries_is_told_by_its_name() -> None:
    text = (
        LOOP.replace("h = start", "s = start").replace("+ h)", "+ s)").replace("next h", "next s")
    )
    text = (
        text.replace("h * 2", "s * 2")
        .replace("h**2", "s**2")
        .replace("}\noutput other", "}\nu = s\noutput other")
    )
    found = said("-", "--node", "s", input=text)
    assert "before the first step s[−1] = start" in found
    assert "s_t = step.s_next_t" in found
    assert "dy/ds[t−1] = " in found
    sentence = said("-", "--level", "sentence", "--node", "w", input=LOOP)
    assert "what each step of the loop that reads it" in sentence
    assert "what it does to w" not in sentence


def test_where_nothing_flows_back_it_is_said() -> None:
    """`other` is in the file, and y is not computed of it."""
    for node in ("other", "x"):
        assert "No derivative flows back to it." in said("-", "--node", node, input=LOOP)
        sentence = said("-", "--level", "sentence", "--node", node, input=LOOP)
        assert f"`{node}`: no derivative flows back to it." in sentence
    result = said("-", "--level", "sentence", "--node", "y", input=LOOP)
    assert "`y` is what is differentiated." in result


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("zzz", "no value `zzz`; there are `h`, `other`, `start`, `step.h_next`, `w`, `x`, `y`"),
        ("step", "no value `step`; in it are `step.h_next`"),
    ],
)
def test_names_that_there_are_stand_where_none_is_near(asked: str, told: str) -> None:
    assert told in run("-", "--node", asked, input=LOOP).output


def test_a_part_that_goes_down_to_the_first_has_no_end() -> None:
    """As Python writes it: `x[2:-1:-1]` would be empty."""
    text = "input x: [3]\nparam w: [3]\noutput y = sum(x * w[::-1])\nderive grad y wrt w\n"
    assert "w[2::-1]" in said("-", input=text)


@pytest.mark.parametrize(
    ("option", "given", "told"),
    [
        ("--layout", "numerater", "did you mean `numerator`?"),
        ("--mode", "backward", "is not reverse, forward or both"),
        ("--level", "5", "there is no level `5`; there are 1 (sentence)"),
        ("--format", "pdf", "is not text, markdown, latex or html"),
    ],
)
def test_wrong_options_are_told(option: str, given: str, told: str) -> None:
    result = run("-", option, given, input=CHAIN)
    assert result.exit_code == 2
    assert told in " ".join(result.output.split())


def test_mistakes_in_a_graph_are_told_as_everywhere() -> None:
    result = run("-", input="input x: [3]\noutput y = x @ z")
    assert result.exit_code == 1
    assert "error[E201]" in result.output or "error[E" in result.output
    assert "Traceback" not in result.output


def test_graphs_without_derivatives_are_told() -> None:
    told = said("-", input="input x: int[3]\noutput y = x + 1")
    assert "y = x + 1" in told
    assert "no derivative" in told
    assert "Backward" not in told


def test_what_the_derivative_is_by_is_named() -> None:
    layer = "input x: [3]\nparam w: [3]\nh = tanh(x)\noutput loss = sum(w * h)\n"
    told = " ".join(said("-", input=layer).split())
    assert "L = loss is differentiated by w." in told
    assert "differentiated by w and x." in said("-", input=layer + "derive grad loss wrt x\n")
    several = "dim N\n" + "".join(f"param p{i}: [N]\n" for i in range(9))
    told = said("-", input=f"{several}output y = sum({' + '.join(f'p{i}' for i in range(9))})\n")
    assert "by p₀, p₁, p₂, p₃, p₄ and 4 more." in " ".join(told.split())
    vector = "input x: [3]\nparam w: [3]\noutput y = w * x\n"
    assert "It is differentiated by w." in " ".join(said("-", input=vector).split())
    assert run("-", input="").exit_code in (0, 1)


def test_a_large_graph_is_a_note_and_one_of_its_values_is_told_soon() -> None:
    lines = ["input x0: [3]", *(f"x{i} = sin(x{i - 1}) + x{i - 1}" for i in range(1, 3001))]
    graph = "\n".join([*lines, "output y = sum(x3000)", "derive grad y wrt x0"])
    note = said("-", input=graph)
    assert "--node NAME" in " ".join(note.split())
    assert "x3000" in note
    assert len(note) < 2000
    told = said("-", "--node", "x1500", input=graph)
    assert "cos" in told


CROSS_ENTROPY = """
dim B
input x: [B, 3]
input t: [B, 4]
param W: [3, 4]
z = x @ W
e = exp(z)
s = sum(e, axis=1)
p = e / s[:, _]
output loss = -mean(sum(t * log(p), axis=1))
derive grad loss wrt params
"""


def test_values_that_a_stable_form_goes_without_are_named() -> None:
    found = said("-", input=CROSS_ENTROPY)
    assert "log_softmax(z, axis=1)" in found
    assert "`e`, `s`, `p` are in the file, and not computed" in found
    assert "not computed" not in said("-", input=CHAIN)


@pytest.mark.parametrize(
    ("layout", "formula", "words"),
    [
        ("numerator", "∂y/∂x = diag(1 − y²) W", "diagonal, times the matrix itself"),
        ("denominator", "∂y/∂x = Wᵀ diag(1 − y²)", "the transpose of the matrix, times diagonal"),
    ],
)
def test_words_stand_in_the_order_of_the_factors(layout: str, formula: str, words: str) -> None:
    text = "input x: [3]\nparam W: [2, 3]\noutput y = tanh(W @ x)\nderive vjp y wrt x, W\n"
    found = said("-", "--layout", layout, input=text)
    assert re.search(rf"{re.escape(formula)}, \d × \d: {words}", found), found


@pytest.mark.parametrize(
    ("layout", "told"),
    [
        ("numerator", {"v": "a row", "A": "the transpose of the matrix", "p": "rows"}),
        ("denominator", {"v": "a column", "A": "the matrix itself", "p": "columns"}),
    ],
)
def test_words_say_what_a_jacobian_looks_like_in_the_layout(
    layout: str, told: dict[str, str]
) -> None:
    """In denominator layout all is the transpose: rows are columns, W is what Wᵀ was."""
    text = """input x: [2]; input v: [2]; input p: [5]
    param A: [2, 3]
    u = v @ x
    w = x @ A
    q = p[1:3]
    output y = u + sum(w**2) + sum(q**2)
    derive grad y wrt v, x, p
    """
    found = said("-", "--layout", layout, input=text)
    assert re.search(rf"∂u/∂v = xᵀ?, \d × \d: {told['v']}\n", found), found
    assert re.search(rf"∂w/∂x = Aᵀ?, \d × \d: {told['A']}\n", found), found
    assert re.search(rf"∂q/∂p = .*, \d × \d: selection: {told['p']} of the identity\n", found), (
        found
    )


def test_a_result_of_a_loop_has_no_part_by_what_it_is_not_computed_of() -> None:
    """h never reads c: its derivative by c is 0, and no term of the Jacobian."""
    text = """input x: [3]
    param c: [3]
    scan s[t in 0..4] carry h = x, g = c {
        n = tanh(h)
        next h, g = n, g * n
        collect gs = g
    }
    output y = sum(h) + sum(g) + sum(gs)
    derive grad y wrt c, x
    """
    found = said("-", input=text)
    assert "dy/dc = ∂gs/∂c ∂y/∂gs + ∂g/∂c ∂y/∂g   3 × 1\n" in found
    assert "dy/dx = ∂gs/∂x ∂y/∂gs + ∂g/∂x ∂y/∂g + …   3 × 1   and 1 more way\n" in found


def test_counts_are_what_a_pass_takes_beside_the_values() -> None:
    """Of B, u and A, in multiply-adds; that reverse mode needs not f itself makes it no cheaper."""
    text = """input x: [3]
    param A: [4, 3]; param B: [2, 4]
    u = A @ x
    output f = B @ u
    derive jacobian f wrt params
    """
    found = said("-", input=text)
    assert f"The values take {4 * 3 + 2 * 4} multiply-adds" in found
    (each,) = re.findall(r"  reverse  2 +(\S+) ", found)
    assert int(each) == 2 * 4 + 2 * 4 + 4 * 3


def test_signs_stay_with_the_formula_before_them() -> None:
    assert not re.search(r"</math>[,.:;)](?!</span>)", said("-", "--format", "html", input=CHAIN))


def test_a_letter_of_a_matrix_is_no_name_of_the_file() -> None:
    """What places elements is set in bold: E is a parameter here."""
    text = "dim N, B\nparam E: [N, 3]\ninput i: int[B]\noutput y = sum(take(E, i, axis=0)**2)\n"
    assert "𝐒_iᵀ" in said("-", input=f"{text}derive grad y wrt E\n")


def test_the_jacobian_has_a_block_for_all_that_is_asked_for() -> None:
    text = "input a: [2]\nparam c: [2]\noutput y = a * c\nderive vjp y wrt a, c\n"
    found = said("-", input=text)
    assert "dy/da = ∂y/∂a   2 × 2" in found
    assert "dy/dc = ∂y/∂c   2 × 2" in found


def test_parts_without_a_name_are_a_list() -> None:
    """What a loop reads of an array, cut into gates, is told in a line each and not as a step."""
    text = """dim T
input x: [T, 2]; input w: [2, 4]; input start: [2, 2]
scan step[t in T] carry h = start[0] { next h = tanh(x[t] * w[0][0:2] + h * w[1][2:4]) }
output y = sum(h)
derive grad y wrt w
"""
    assert (
        "Parts of other values, which have no name in the file; the Jacobian of each is a "
        "selection: columns\nof the identity.\n\n"
        "  - v₁ = start[0, 0:2]   [2]\n"
        "  - v₂ = w[0, 0:4][0:2]   [2]\n"
        "  - v₃ = w[1, 0:4][2:4]   [2]\n\n"
    ) in said("-", input=text)
    rows = said("-", "--layout", "numerator", input=text)
    assert "the Jacobian of each is a selection: rows of\nthe identity." in rows
    assert "v₂ = w[0, 0:4][0:2]" in said("-", "--level", "formulas", input=text)
    named = text.replace("scan", "first = w[0][0:2]; second = w[1][2:4]\nscan")
    named = named.replace("* w[0][0:2]", "* first").replace("* w[1][2:4]", "* second")
    assert "∂second/∂w = " in said("-", input=named)


def test_long_formulas_of_latex_break_and_short_ones_are_aligned() -> None:
    """TeX breaks no line inside `align*`, nor between brackets that grow with what they hold."""
    terms = " + ".join(f"tanh(x + {n})**2" for n in range(12))
    text = (
        f"input x: [3]\nshort = tanh(x)\noutput y = sum(short * ({terms}))\nderive grad y wrt x\n"
    )
    told = said("-", "--format", "latex", input=text)
    body = told.partition("\\begin{document}")[2]
    assert "\\begin{align*}\n\\mathit{short} &= \\tanh" in body
    assert "{\\breaks\\hangindent=4em $\\displaystyle y = " in body
    for rows in body.split("\\begin{align*}")[1:]:
        assert len(rows.partition("\\end{align*}")[0]) < 300


def test_tables_of_latex_fit_on_the_page() -> None:
    """Columns of long cells are paragraphs; a table may go on over the page."""
    dims = ", ".join(f"d{n}" for n in range(5))
    layers = " -> ".join(f"dense(d{n}, act=tanh) as l{n}" for n in range(1, 5))
    text = (
        f"dim {dims}\ninput x: [d0]\nx -> {layers} -> y\noutput y\nderive jacobian y wrt params\n"
    )
    table = said("-", "--format", "latex", input=text).rpartition("\\begin{longtable}[l]")[2]
    columns = table[1 : table.index("}\n")]
    paragraphs = [float(wide) for wide in re.findall(r"p\{([\d.]+)\\linewidth\}", columns)]
    assert len(paragraphs) > 1
    assert sum(paragraphs) < 1
    short = said("-", "--format", "latex", input=CHAIN)
    assert "\\begin{longtable}[l]{llll}\nmode & passes" in short


def test_a_wide_fraction_is_a_quotient_where_its_line_breaks() -> None:
    one, other = "x" * 30, "w" * 35
    text = f"input {one}: [3]\nparam {other}: [3]\noutput y = sum(exp({one} - {other}) / {other})\n"
    found = said("-", "--format", "latex", input=f"{text}derive grad y wrt {other}\n")
    assert rf"\sum \exp \left(\mathit{{{one}}}-\mathit{{{other}}}\right)/\mathit" in found
    text = "input e: [3]\noutput y = sum(e**2 * exp(e))\nderive grad y wrt e\n"
    assert r"e^{2}\odot \mathrm e^{e}" in said("-", "--format", "latex", input=text)
    assert "e² ⊙ exp(e)" in said("-", input=text)


@pytest.mark.long
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no TeX engine on the PATH")
@pytest.mark.parametrize(
    "path",
    [*(EXAMPLES / f"{name}.graph" for name in ("net321", "residual", "bundle")),
     *sorted(LANGUAGE.glob("*.graph"))],
    ids=lambda path: path.stem,
)  # fmt: skip
def test_an_engine_sets_what_is_printed_and_nothing_runs_off_the_paper(
    path: Path, tmp_path: Path
) -> None:
    for layout in ("denominator", "numerator"):
        said(path, "--layout", layout, "-o", tmp_path / "out.tex")
        command = ["pdflatex", "-interaction=nonstopmode", "out.tex"]
        subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=PATIENCE)
        log = (tmp_path / "out.log").read_text(encoding="latin-1")
        assert re.findall(r"^(?:!|Overfull).*", log, re.M) == []
        assert "Output written on out.pdf" in log.replace("\n", "")
