"""Graphs as text, and `graphc show --after`: what is printed of a graph, pass by pass."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from conftest import LEVELS

from graphc.cli.app import app
from graphc.compile.stages import Compilation, Options
from graphc.ir.print import text_of
from graphc.source import Source
from graphc.views.passes import After, after_each, passes_in

ROOT = Path(__file__).resolve().parent.parent
KINDS = ROOT / "tests" / "golden" / "modules" / "kinds.graph"
TEXT = """dim N
input x: [N, 3]
param W: [3, 3]
h = tanh(x @ W)
scan steps[t in 1..4] carry s = zeros([3]) {
    next s = 0.5 * s + h[0, :] * t
    collect us = s
}
output y = sum(h) / N + sum(us**2)
derive grad y wrt W
"""
ELABORATED = """\
x = input: [N, 3]
W = parameter: [3, 3]
%0 = matmul(x, W): [N, 3]  # 4: h = tanh(x @ W)
h = tanh(%0): [N, 3] '1
%1 = broadcast_to(0.0, shape=(3,)): [3]  # 5: scan steps[t in 1..4] carry s = zeros([3]) { next…
%2 = index(h, items=(at 0, 0:3)): [3]  # 6: next s = 0.5 * s + h[0, :] * t
%3 = loop(t=1..4)  # 5: scan steps[t in 1..4] carry s = zeros([3]) { next…
    s = carried(%1): [3]
    %4 = 0.5 * s: [3]  # 6: next s = 0.5 * s + h[0, :] * t
    %5 = %2 * t: [3]
    steps.s_next = %4 + %5: [3]
    next s <- steps.s_next
    collect 0 <- s
us = collected 0(%3): [4, 3]
%6 = sum(h): []  # 9: output y = sum(h) / N + sum(us**2)
%7 = %6 / N: []
%8 = us ** 2.0: [4, 3]
%9 = sum(%8): []
y = %7 + %9: [] '2
value of y <- y
number 0 <- W
"""
LINEAR = """dim N
input x: [N, 3]
param W: [3, 3]
output h = softmax(x @ W)
output y = sum(h**2)
derive grad y wrt W
derive jacobian h wrt x
"""
RULE = """input x: [3]
block f(x: [N]) -> y: [N] {
    y = tanh(x)
    rule vjp x = cotangent(y) * y
}
output y = sum(f(x))
"""


def compilation(text: str, level: str = "-O2") -> Compilation:
    return Compilation(Source("net.graph", text), Options(level=level))


def steps_of(text: str, level: str) -> list[tuple[After, str]]:
    """The graphs with their text, pass by pass."""
    made = compilation(text, level)
    with made.open():
        return [(step, text_of(step.graph, step.cached)) for step in after_each(made)]


# ---- text ----------------------------------------------------------------------------------------


def test_a_graph_with_a_loop() -> None:
    made = compilation(TEXT)
    with made.open():
        assert text_of(made.elaborated.sound.graph) == ELABORATED


def test_without_origins_there_are_no_comments() -> None:
    made = compilation(TEXT)
    with made.open():
        text = text_of(made.elaborated.sound.graph, origins=False)
    assert text == re.sub("  #.*", "", ELABORATED)


def test_a_stated_derivative_stands_in_its_node() -> None:
    made = compilation(RULE)
    with made.open():
        text = text_of(made.elaborated.sound.graph, origins=False)
    assert (
        "    cotangent = cotangent: [3]\n"
        "    %4 = cotangent * value: [3]\n"
        "    cotangent of port <- %4\n"
    ) in text


def test_the_text_does_not_depend_on_what_was_compiled_before() -> None:
    """Numbers count lines, not the nodes and scopes that were ever made."""
    once = [text for _, text in steps_of(TEXT, "-O2")]
    _ = compilation(RULE).text
    assert [text for _, text in steps_of(TEXT, "-O2")] == once


def test_what_a_line_reads_stands_above_it() -> None:
    """Of every graph on the way to all kinds of derivatives, also inside of loops; once each."""
    for step, text in steps_of(KINDS.read_text(encoding="utf-8"), "-O2"):
        known: list[set[str]] = [set()]
        for line in text.splitlines():
            called, arrow, right = line.split("  #")[0].partition(" <- ")
            if not arrow:
                called, _, right = called.partition(" = ")
            depth = (len(called) - len(called.lstrip())) // 4
            known = [*known[: depth + 1], *(set() for _ in range(depth + 1 - len(known)))]
            above = set[str]().union(*known)
            assert {*re.findall(r"%\d+", right)} <= above, (step.functions, step.made_by, line)
            if not arrow:
                assert called.strip() not in above, (step.functions, step.made_by, line)
                known[depth].add(called.strip())


# ---- pass by pass --------------------------------------------------------------------------------


@pytest.mark.parametrize("level", LEVELS)
def test_the_last_graphs_are_those_that_are_planned(level: str) -> None:
    """Nodes are interned: where nothing is bound anew, they are the very nodes of the programs."""
    made = compilation(LINEAR, level)
    programs = made.programs
    with made.open():
        last = {step.functions: step.graph for step in after_each(made)}
        for one in (programs.forward, programs.backward, *programs.derived):
            assert last[one.program.name,].results == one.program.results
    assert len(programs.derived) == 2


def test_every_pass_is_told_of() -> None:
    made = compilation(TEXT)
    with made.open():
        found = {step.made_by for step in after_each(made)}
    assert found == set(passes_in(made))
    assert {"elaborate", "prepare", "differentiate", "distribute", "settle", "cut"} <= found


def test_the_readable_level_has_fewer() -> None:
    assert "distribute" not in passes_in(compilation(TEXT, "-O0"))


# ---- the command ---------------------------------------------------------------------------------


def run(*arguments: str, text: str = TEXT) -> Result:
    return CliRunner().invoke(app, ["show", *arguments, "-"], input=text)


def test_the_graph_after_a_pass() -> None:
    result = run("--after", "lower", "--function", "grad_y")
    assert result.exit_code == 0
    title, empty, *lines = result.output.splitlines()
    assert (title, empty) == ("grad_y, after lower:", "")
    assert "gradient by W <- " in result.output
    assert all(" = " in line or " <- " in line for line in lines)


def test_every_turn_of_a_pass() -> None:
    titles = [line for line in run("--after", "simplify").output.splitlines() if line[-1:] == ":"]
    of = ["forward, backward", "grad_y"]
    turns = ["", ", turn 2", ", turn 3"]
    assert titles == [f"{name}, after simplify{turn}:" for name in of for turn in turns]


def test_of_all_passes_only_those_that_change_something() -> None:
    output = run("--after", "all", "-O0").output
    assert "grad_y, after merge_loops: as before\n" in output
    assert "grad_y, after differentiate:\n\n" in output
    assert output.startswith("the file, after elaborate:\n\n" + ELABORATED)


def test_backward_says_what_is_cached() -> None:
    output = run("--after", "cut", "--function", "backward", "-O0").output
    assert output.startswith("backward, after cut:\n\n")
    assert "= cached: [" in output
    assert "value of y" not in output


def test_as_json() -> None:
    told = json.loads(run("--after", "elaborate", "--format", "json").output)
    (graph,) = told["graphs"]
    assert (graph["functions"], graph["after"], graph["turn"]) == ([], "elaborate", 1)
    by_name = {line["name"]: line for line in graph["lines"]}
    assert by_name["h"]["operation"] == "tanh"
    assert by_name["h"]["operands"] == ["%0"]
    assert by_name["h"]["origin"] == "4: h = tanh(x @ W)"
    loop = by_name["%3"]["section"]
    assert [one["name"] for one in loop["given"]] == ["s"]
    assert {"what": "next s", "value": "steps.s_next"} in loop["ends"]


def test_the_manual_shows_what_is_printed() -> None:
    manual = (ROOT / "docs" / "module.md").read_text(encoding="utf-8")
    command, _, shown = manual.partition("$ graphc show net.graph --after ")[2].partition("\n")
    text = "dim B\ninput x: [B, 3]\nparam W: [3, 3]\nh = tanh(x @ W)\noutput y = sum(h**2)\n"
    result = run("--after", *command.split(), text=f"{text}derive grad y wrt W")
    assert shown.partition("```")[0] == result.output


def test_no_such_pass() -> None:
    result = run("--after", "strenghten")
    assert result.exit_code == 2
    told = " ".join(result.output.split())
    assert "no pass `strenghten`; there are elaborate, stabilise, " in told
    assert " strengthen," in told


def test_no_such_function() -> None:
    result = run("--after", "cut", "--function", "grad_x")
    assert result.exit_code == 2
    told = " ".join(result.output.split())
    assert "no function `grad_x`; there are forward, backward, grad_y" in told


def test_a_mistake_in_the_file_is_told_as_ever() -> None:
    result = run("--after", "elaborate", text="output y = x")
    assert result.exit_code == 1
    assert "error[E200]" in result.output
