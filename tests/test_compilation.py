"""A compilation and its stages: made once, kept, and what there is of a source with mistakes."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
from conftest import compiled

from graphc.compile.options import LEVELS, TARGETS
from graphc.compile.stages import Compilation, Options, compile_file, compile_text
from graphc.ir.graph import Node
from graphc.source import GraphError, Source
from graphc.syntax import tree

NET = """dim B
input x: [B, 3]
param W: [3, 2]
block twice(v: [N]) -> y: [N] { y = 2 * v }
h = tanh(x @ W)
output loss = sum(h * h)
output most = max(twice(sum(h, axis=0)))
"""


def compilation(text: str, level: str = "-O0") -> Compilation:
    return Compilation(Source("net.graph", text), Options(level=level))


@pytest.mark.parametrize("level", LEVELS)
def test_stages_are_made_once_in_any_order(level: str) -> None:
    last, first = compilation(NET, level), compilation(NET, level)
    assert first.model is first.model
    assert first.programs is first.programs
    assert first.text == last.text == compile_text(NET, "net", Options(level=level)).text


@pytest.mark.parametrize("level", LEVELS)
def test_both_precisions_have_one_plan(level: str) -> None:
    """On which other tests rely: they plan a text once, and write it in both."""
    kinds = Path(__file__).parent / "golden" / "modules" / "kinds.graph"
    for text in (NET, kinds):
        assert (
            compiled(text, dtype="float32", level=level).text
            == (
                compile_file(text, Options(dtype="float32", level=level))
                if isinstance(text, Path)
                else compile_text(text, options=Options(dtype="float32", level=level))
            ).text
        )


def test_what_elaboration_learnt_of_dims_holds_in_later_stages() -> None:
    text = "dim N, M\nrequire N == M\ninput x: [N]\ninput y: [M]\noutput z = sum(x * y)\n"
    one = compilation(text, "-O2")
    assert one.model.conditions
    assert "def grad_z" in compilation(text + "derive grad z wrt x, y", "-O2").text
    assert one.text == compilation(text, "-O2").text


def test_statements_beside_a_mistake_are_read() -> None:
    one = compilation(NET.replace("tanh(x @ W)", "tanh(x @ * W)"))
    kinds = [type(statement) for statement in one.parsed.file.statements]
    assert tree.Equation not in kinds
    assert kinds.count(tree.Output) == 2
    (mistake,) = one.diagnostics
    assert mistake.code.startswith("E1")
    with pytest.raises(GraphError):
        _ = one.tree


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("input x: [3]\nblock f(v: [N]) -> y: [N] {\n    y = v\n", ["Input", "Block"]),
        ("input x: [3]\noutput y = (x + ", ["Input"]),
        ("}\ninput x: [3]\n{\n", ["Input"]),
        ("", []),
    ],
)
def test_what_is_left_open_is_read_too(text: str, kinds: list[str]) -> None:
    found = [type(s).__name__ for s in compilation(text).parsed.file.statements]
    assert found == kinds


def at(source: Source, text: str, number: int = 0) -> int:
    """Where a text stands for the `number`th time."""
    start = -1
    for _ in range(number + 1):
        start = source.text.index(text, start + 1)
    return start


def test_names_and_what_they_stand_for() -> None:
    one = compilation(NET)
    by_place = {span.start: entry for span, entry in one.elaborated.occurrences.items()}
    source = one.source
    use = by_place[at(source, "W)")]
    assert use.span.start == at(source, "W:")
    assert isinstance(use.value, Node)
    assert str(use.value.type) == "[3, 2]"
    assert by_place[at(source, "twice(", 1)].span.start == at(source, "twice(")
    assert by_place[at(source, "B,")].span.start == at(source, "B")
    assert by_place[at(source, "v }")].span.start == at(source, "v:")
    assert {"x", "W", "h", "loss", "most", "B"} <= one.elaborated.names.keys()


def test_names_of_a_file_with_mistakes() -> None:
    one = compilation(NET.replace("max(twice(", "max(thrice("))
    assert one.elaborated.model is None
    (mistake,) = one.elaborated.diagnostics
    assert mistake.code == "E200"
    used = {span.text for span in one.elaborated.occurrences}
    assert {"x", "W", "h", "tanh", "sum"} <= used


def test_targets_and_levels_are_known_by_their_names() -> None:
    assert all(name == one.name for name, one in [*LEVELS.items(), *TARGETS.items()])
    assert Options(level="-O2").at.planned
    assert not Options(level="-O0").at.planned


def nodes_alive() -> int:
    gc.collect()
    return sum(isinstance(one, Node) for one in gc.get_objects())


def test_what_is_done_holds_no_node_that_no_stage_holds() -> None:
    """Rewriting makes many nodes that nothing keeps, and a result may be kept for long."""
    gc.freeze()  # whatever other tests keep is not searched
    before = nodes_alive()
    done = compile_text(NET, options=Options(level="-O2"))
    by_done = nodes_alive() - before
    going = compilation(NET, "-O2")
    assert going.text
    assert done.text
    by_going = nodes_alive() - before - by_done
    gc.unfreeze()
    assert 0 < 1.2 * by_done < by_going
