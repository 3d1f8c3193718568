"""Pictures: what is in them, and that nothing in them overlaps, is crossed, small or cut off."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pygraphviz
import pytest
from click.testing import CliRunner, Result

import graphc
from graphc.cli.app import app
from graphc.compile.stages import Compilation
from graphc.source import Source
from graphc.views.draw.backward import backward
from graphc.views.draw.choices import Layouter
from graphc.views.draw.depict import picture_of
from graphc.views.draw.dot import dot
from graphc.views.draw.drawing import draw_svg
from graphc.views.draw.fold import focus, fold_below, fold_crowd, fold_paths
from graphc.views.draw.mermaid import mermaid
from graphc.views.draw.mistaken import picture_of_known
from graphc.views.draw.records.layout import heading
from graphc.views.draw.records.picture import Edge, Node, Picture
from graphc.views.draw.references import shorten
from graphc.views.draw.signs import with_signs
from tests.pictures import faults, read_svg

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("examples", "benchmarks/workloads", "tests/language/examples")
FILES = [
    path.relative_to(ROOT).as_posix()
    for folder in FOLDERS
    for path in sorted((ROOT / folder).glob("*.graph"))
]


SOME = (
    "examples/residual.graph",
    "tests/language/examples/05_lstm.graph",
    "tests/language/examples/07_transformer.graph",
    "benchmarks/workloads/bundle.graph",
)
GRAPHVIZ = (*SOME, "benchmarks/workloads/lstm.graph", "benchmarks/workloads/resblocks.graph")


def depicted(text: str, every: bool = False) -> Picture:
    """The picture of a text."""
    return picture_of(Compilation(Source("graph", text)), every)


@cache
def depicted_file(name: str) -> Picture:
    path = ROOT / name
    source = Source(path.name, path.read_text(encoding="utf-8"))
    return picture_of(Compilation(source, folder=path.parent))


def chain_of(length: int) -> str:
    """A graph of so many values, each made of the two before it."""
    lines = ["input x0: [3]", "input x1: [3]"]
    lines += [f"x{i} = sin(x{i - 1}) * x{i // 2} + x{i - 2}" for i in range(2, length)]
    return "\n".join([*lines, f"output y = sum(x{length - 1})"])


# ---- what is in a picture -----------------------------------------------------------------------


def edges_of(picture: Picture) -> dict[tuple[str, str], Edge]:
    """Edges by the names of what they join."""
    label = {node.id: node.name or node.label for node in picture.nodes}
    return {(label[edge.tail], label[edge.head]): edge for edge in picture.edges}


def node_of(picture: Picture, name: str) -> Node:
    return next(node for node in picture.nodes if name in (node.name, node.label))


RESIDUAL = """dim B
input x: [B, 4]
x -> dense(4, act=tanh) -> h
h -> residual { dense(4, act=relu) as f } -> r
output L = mean(r**2)
derive grad L wrt params
"""


def test_named_values_are_boxes_and_what_they_read_are_edges() -> None:
    picture = depicted(RESIDUAL)
    assert [node.name for node in picture.nodes if node.kind == "value"] == ["h", "f", "r"]
    assert {*edges_of(picture)} == {
        ("x", "h"), ("h.W", "h"), ("h.b", "h"), ("h", "f"), ("f.W", "f"), ("f.b", "f"),
        ("h", "r"), ("f", "r"), ("r", "L"),
    }  # fmt: skip


def test_the_edge_past_a_branch_is_residual_and_no_other() -> None:
    roles = {pair: edge.role for pair, edge in edges_of(depicted(RESIDUAL)).items()}
    assert {pair for pair, role in roles.items() if role == "residual"} == {("h", "r")}
    assert {pair for pair, role in roles.items() if role == "parameter"} == {
        ("h.W", "h"), ("h.b", "h"), ("f.W", "f"), ("f.b", "f"),
    }  # fmt: skip


def test_a_residual_edge_may_end_under_a_function_of_the_sum() -> None:
    picture = depicted("input h: [3]\nf = tanh(h)\nr = relu(h + f)\noutput y = sum(r * h)")
    roles = {pair for pair, edge in edges_of(picture).items() if edge.role == "residual"}
    assert roles == {("h", "r")}


def titles_around(picture: Picture, name: str) -> list[str]:
    return [picture.group[one].title for one in picture.around(node_of(picture, name).group)]


def test_results_of_a_block_lie_in_it_whatever_they_are_called() -> None:
    picture = depicted_file("tests/language/examples/05_lstm.graph")
    for name in ("step.cell.W", "step.cell.f", "step.c1", "step.h1"):
        assert titles_around(picture, name)[1:] == ["cell = lstm_cell(x[:, t, :], h, c)"]


def test_a_sum_between_stages_lies_in_the_block_of_its_chain() -> None:
    text = """
dim B
block part(x: [B, 4]) -> y: [B, 4] {
    x -> residual { dense(4) as a } -> residual { dense(4) as b } -> y
}
input x: [B, 4]
x -> part as one -> r
output y = sum(r)
"""
    picture = depicted(text)
    (between,) = (node for node in picture.nodes if not node.name)
    assert between.lines == ("x + a",)
    assert titles_around(picture, between.label) == ["one = part"]


def test_what_a_loop_shares_is_outside_of_it() -> None:
    picture = depicted_file("tests/language/examples/12_sharing.graph")
    assert titles_around(picture, "ff.head.W")[0] == "ff"
    assert titles_around(picture, "ff.head")[0].startswith("repeat layer")


@pytest.mark.parametrize("use", ["refine(h) as inner", "refine(h)"])
def test_what_a_loop_in_a_block_carries_lies_in_the_block(use: str) -> None:
    """Also where the block is used in a loop itself, and where other blocks are in its step."""
    text = f"""
dim B
input x: [B, 4]
block layer(x: [B, 4]) -> y: [B, 4] {{ param W: [4, 4]; y = tanh(x @ W) }}
block refine(x: [B, 4]) -> y: [B, 4] {{
    scan often[k in 0..2] carry z = x {{ next z = layer(z) as part }}
    y = 2 * z
}}
scan step[t in 0..4] carry h = x {{ r = {use}; next h = r + x }}
output loss = sum(h)
"""
    picture = depicted(text)
    starts = [node for node in picture.nodes if node.kind == "carried"]
    titles = [[picture.group[one].title for one in picture.around(n.group)] for n in starts]
    outer, inner = "scan step[t in 0..4]  × 5", "scan often[k in 0..2]  × 3"
    called = "inner = refine(h)" if "as" in use else "r = refine(h)"
    assert titles == [[outer], [outer, called, inner]]
    assert [group.title for group in picture.groups].count(inner) == 1


def test_what_a_loop_starts_from_lies_before_it() -> None:
    """A sum that a chain begins with is computed once, however often its loop goes round."""
    text = "input x, p: [3]\nx + p -> repeat layer[k in 1..4] { dense(3, act=tanh) as f } -> y\n"
    picture = depicted(f"{text}output loss = sum(y)")
    (start,) = (one for one in picture.nodes if one.lines == ("x + p",))
    (loop,) = (one for one in picture.groups if one.kind == "loop")
    assert start.group == ""
    assert loop.id in picture.around(node_of(picture, "layer.*.f").group)


def test_edges_say_the_shape_of_what_they_carry() -> None:
    edges = edges_of(depicted(RESIDUAL))
    assert edges["x", "h"].label == "[B, 4]"
    assert edges["h.W", "h"].label == ""  # the box of a parameter says it
    assert node_of(depicted(RESIDUAL), "L").shape == "number"


def test_boxes_know_their_line_and_their_block() -> None:
    picture = depicted(RESIDUAL)
    assert node_of(picture, "r").line == 4
    assert picture.group[node_of(picture, "f.W").group].title == "f = dense(4, act=relu)"
    assert node_of(picture, "f").group == node_of(picture, "f.W").group


def test_what_flows_back_is_multiplied_by_the_jacobian() -> None:
    edges = edges_of(depicted(RESIDUAL))
    assert edges["h", "r"].pulled == "δ"
    assert edges["h", "f"].pulled == "(δ ⊙ [f > 0]) Wᵀ"
    assert edges["x", "h"].pulled == ""  # nothing asks for it
    back = edges_of(backward(depicted(RESIDUAL)))
    assert (back["h", "f"].label, back["h", "f"].against) == ("(δ ⊙ [f > 0]) Wᵀ", True)
    assert back["x", "h"].role == "idle"
    assert node_of(backward(depicted(RESIDUAL)), "h").lines == ("dL/dh", "the sum of 2")


SCAN = """dim B, T
input x: [T, B, 3]; input h0: [B, 4]
param W: [3, 4]; param U: [4, 4]
scan step[t in T] carry h = h0 {
    next h = tanh(x[t] @ W + h @ U)
    collect hs = h
}
output L = sum(h**2) + sum(hs)
derive grad L wrt params
"""


def test_a_loop_is_a_group_whose_carried_values_return() -> None:
    picture = depicted(SCAN)
    (group,) = picture.groups
    assert (group.kind, group.path) == ("loop", "step")
    assert group.title.endswith("× T")
    carried = [edge for edge in picture.edges if edge.role == "carried"]
    assert len(carried) == 1
    edges = edges_of(picture)
    assert edges["h0", "h"].role == "data"
    assert edges["x", "step.h_next"].label == "[B, 3] each t"
    assert edges["h0", "h"].pulled == ""


def test_what_all_steps_share_gets_the_sum_over_the_steps() -> None:
    edges = edges_of(depicted(SCAN))
    assert edges["W", "step.h_next"].pulled == "Σ_t x_tᵀ (δ ⊙ (1 − h′²))"
    assert edges["step.h_next", "h"].pulled == "δ"
    layers = edges_of(depicted_file("benchmarks/workloads/resblocks.graph"))
    assert layers["layer.*.down.W", "layer.*.down"].pulled == "upᵀ δ"  # each step has its own


def test_what_is_read_in_two_ways_gets_both_terms() -> None:
    text = """
input x: [4]
scan loop[t in 1..3] carry s = 0.0 { next s = s + 2 * x[t] + 3 * x[t - 1] }
output y = s
"""
    edges = edges_of(depicted(text))
    pulled = edges["x", "loop.s_next"].pulled
    assert sorted(pulled.split("; ")) == ["x[t−1]: 3 δ", "x_t: 2 δ"]


GATES = """dim B
input x: [B, 3]; input c: [B, 2]; param W: [3, 6]
a, b, d = split(x @ W + 1.0, 3, axis=-1)
output y = sum(sigmoid(a) * c + tanh(b) * d)
derive grad y wrt params, c
"""


def test_what_many_read_is_a_box_of_its_own() -> None:
    edges = edges_of(depicted(GATES))
    assert {head for tail, head in edges if tail == "v1"} == {"a", "b", "d"}
    assert [tail for tail, head in edges if head == "a"] == ["v1"]
    assert edges["v1", "b"].pulled == "placed(δ, 0:B, 2:4)"


def test_boxes_have_shapes_where_edges_have_formulas() -> None:
    picture = depicted(RESIDUAL)
    for shown, shape in ((picture, ""), (backward(picture), "[B, 4]")):
        assert heading(node_of(shown, "h")) == ("h", shape)


def test_signs_are_explained_below() -> None:
    (*_, said) = with_signs(backward(depicted(RESIDUAL))).notes
    assert said == (
        "⊙ multiplies element by element; 𝟏 is a column of ones;"
        " [f > 0] is 1 where that holds, else 0."
    )
    assert with_signs(depicted("input x\noutput y = x * x")).notes == ()
    (said,) = with_signs(depicted("input x, y: [3]\noutput z = sigmoid(cross(x, y))")).notes
    assert said == "σ is the sigmoid, σ(x) = 1 / (1 + e^(−x)); × is the cross product."


def test_a_picture_is_read_out_box_by_box() -> None:
    text = draw_svg(backward(depicted(RESIDUAL)))
    root = ElementTree.fromstring(text)
    assert root.attrib["role"] == "group"
    said = [one.attrib["aria-label"] for one in root.iter() if one.attrib.get("role") == "img"]
    assert (
        "h; [B, 4]; dL/dh, the sum of 2; from f ((δ ⊙ [f > 0]) Wᵀ), r (δ) by a residual edge"
        in said
    )
    assert "x; input; [B, 4]" in said  # nothing flows back to it
    assert len(said) == len(depicted(RESIDUAL).nodes)
    ids = {one.attrib["id"] for one in root.iter() if "id" in one.attrib}
    assert {root.attrib["aria-labelledby"], root.attrib["aria-describedby"]} <= ids


def test_what_lies_in_a_group_says_so() -> None:
    root = ElementTree.fromstring(draw_svg(depicted(SCAN)))
    (group,) = (one for one in root.iter() if "data-group" in one.attrib)
    inside = [one for one in root.iter() if group.attrib["id"] in one.attrib.get("data-inside", "")]
    boxes = [one.attrib["data-node"] for one in inside if "data-node" in one.attrib]
    assert boxes == ["", "step.h_next"]  # `h` has no name of its own
    ends = [one.attrib["data-from"] for one in inside if "data-from" in one.attrib]
    assert len(ends) == 2  # to the next value, and back


def test_every_operation_is_a_box_of_its_own_if_asked() -> None:
    text = "input x: [3]\noutput y = sum(tanh(x) * x)"
    assert len(depicted(text).nodes) == 2
    assert len(depicted(text, every=True).nodes) == 4


def test_what_a_step_leaves_as_it_is_has_no_edge_to_itself() -> None:
    text = """
input x: [3]
scan loop[t in 2] carry a = x, b = sin(x) {
    next a = a
    next b = a * b
}
output y = sum(a) + sum(b)
"""
    picture = depicted(text)
    assert not [edge for edge in picture.edges if edge.tail == edge.head]
    assert [edge.role for edge in picture.edges if edge.returns] == ["carried"]
    for shown in (picture, backward(picture), fold_below(backward(picture), 0)):
        assert faults(draw_svg(shown)) == []


def test_a_loop_that_nothing_flows_back_through_returns_all_the_same() -> None:
    text = SCAN.replace("wrt params", "wrt h0").replace("sum(h**2) + sum(hs)", "sum(h0 * h0)")
    picture = backward(depicted(text.replace("collect hs = h", "collect hs = h * 2")))
    assert faults(draw_svg(picture)) == []


@pytest.mark.parametrize("text", ["output y = 3.0", "dim N\noutput y = N * 2", "output y = pi"])
def test_an_output_that_is_a_constant_is_a_box(text: str) -> None:
    (box,) = depicted(text).nodes
    assert (box.name, box.kind) == ("y", "output")
    assert faults(draw_svg(backward(depicted(text)))) == []


def test_a_constant_that_a_loop_collects_is_a_box() -> None:
    text = "input x: [3]\nscan s[t in 3] carry a = x { next a = a\n collect c = 2.0 }\n"
    picture = depicted(text + "output y = sum(a) * sum(c)")
    assert "c" in {node.label for node in picture.nodes}
    assert faults(draw_svg(picture)) == []


# ---- folding ------------------------------------------------------------------------------------


def test_a_folded_group_is_one_box_that_says_what_is_in_it() -> None:
    picture = fold_paths(depicted(RESIDUAL), ["f"])
    box = node_of(picture, "f")
    assert (box.kind, box.lines) == ("folded", ("1 value, 2 parameters",))
    assert {*edges_of(picture)} == {
        ("x", "h"), ("h.W", "h"), ("h.b", "h"), ("h", "f"), ("h", "r"), ("f", "r"), ("r", "L")
    }  # fmt: skip
    assert [group.path for group in picture.groups] == ["h"]


def test_folding_an_unknown_group_says_what_there_is() -> None:
    with pytest.raises(ValueError, match=r"no group `g`; there are `f`, `h`"):
        fold_paths(depicted(RESIDUAL), ["g"])


def test_depth_folds_what_lies_deeper() -> None:
    picture = depicted_file("benchmarks/workloads/resblocks.graph")
    assert [node.label for node in fold_below(picture, 0).nodes if node.kind == "folded"] == [
        "repeat layer[k in 1..16]  × 16"
    ]
    assert {node.name for node in fold_below(picture, 1).nodes if node.kind == "folded"} == {
        "layer.*.up", "layer.*.down"
    }  # fmt: skip


def test_focus_leaves_what_is_near() -> None:
    picture = focus(depicted(chain_of(40)), "x20", 1)
    assert {node.name for node in picture.nodes} == {"x20", "x19", "x18", "x10", "x21", "x22"}
    assert picture.notes == ("35 values farther from x20 are not shown.",)


@pytest.mark.parametrize("length", [500, pytest.param(10_000, marks=pytest.mark.long)])
def test_a_crowd_is_folded_and_a_note_says_so(length: int) -> None:
    picture = fold_crowd(depicted(chain_of(length)))
    assert 10 < len(picture.nodes) < 60
    assert f"{length + 1} values are folded" in picture.notes[0]
    assert faults(draw_svg(picture, "own")) == []


def test_what_every_box_adds_is_drawn_beside_those_far_below() -> None:
    steps = [f"h{i} = tanh(h{i - 1}) + x" for i in range(1, 60)]
    text = "\n".join(["input x: [3]", "h0 = sin(x)", *steps, "output y = sum(h59)"])
    shown = shorten(depicted(text))
    assert sum(node.kind == "reference" for node in shown.nodes) > 40
    assert len([edge for edge in shown.edges if edge.tail == node_of(shown, "x").id]) < 20
    branch = [f"b{i} = tanh(b{i - 1})" for i in range(1, 40)]
    text = "\n".join(["input b0: [3]", *branch, "output y = b0 + b39"])
    assert all(node.kind != "reference" for node in shorten(depicted(text)).nodes)


# ---- how it looks -------------------------------------------------------------------------------


@pytest.mark.parametrize("file", FILES)
def test_nothing_overlaps_is_crossed_small_or_cut_off(file: str) -> None:
    assert faults(draw_svg(depicted_file(file), "own")) == []
    assert faults(draw_svg(backward(depicted_file(file)), "own")) == []


@pytest.mark.parametrize(
    "file", [pytest.param(one, marks=() if one in SOME else pytest.mark.long) for one in FILES]
)
@pytest.mark.parametrize("by", ["own", pytest.param("dot", marks=pytest.mark.long)])
def test_folded_pictures_are_as_clear(file: str, by: Layouter) -> None:
    for shown in (depicted_file(file), backward(depicted_file(file))):
        for depth in (0, 1):
            assert faults(draw_svg(fold_below(shown, depth), by)) == []


ODD = sorted((ROOT / "tests/fuzz/corpus").glob("*.graph"))


@pytest.mark.parametrize(
    "file",
    [pytest.param(one, marks=pytest.mark.long if i % 4 else ()) for i, one in enumerate(ODD)],
    ids=lambda file: file.stem,
)
def test_pictures_of_odd_programs_are_as_clear(file: Path) -> None:
    picture = depicted_file(file.relative_to(ROOT).as_posix())
    for shown in (picture, backward(picture), fold_below(picture, 0)):
        assert faults(draw_svg(shown)) == []


@pytest.mark.parametrize("length", [100, pytest.param(300, marks=pytest.mark.long)])
def test_hundreds_of_values_are_drawn_whole(length: int) -> None:
    text = draw_svg(fold_crowd(depicted(chain_of(length))), "own")
    assert text.count('class="node value"') == length - 2
    assert 'class="node reference"' in text
    assert faults(text) == []


def test_a_deep_network_goes_straight_down() -> None:
    def width(depth: int) -> float:
        lines = ["dim B", "input x0: [B, 16]"]
        lines += [f"x{i} = x{i - 1} + dense(x{i - 1}, 16) as f{i}" for i in range(1, depth)]
        text = "\n".join([*lines, f"output y = mean(x{depth - 1}**2)"])
        return read_svg(draw_svg(fold_below(depicted(text), 0))).page.right

    assert width(24) < 1.5 * width(4)


def test_faults_are_found() -> None:
    text = draw_svg(depicted(RESIDUAL), "own")
    first, second = (re.search(rf'id="{id}".*?<rect (x="\S+" y="\S+")', text, re.DOTALL)
                     for id in ("n1", "n2"))  # fmt: skip
    assert first is not None
    assert second is not None
    assert "boxes n1 and n2 overlap" in faults(text.replace(second[1], first[1]))
    label = re.search(r'<text (x="\S+" y="\S+")>\[B, 4\]', text)
    edge = re.search(r'd="M(\S+) ([\d.]+)', text)
    assert label is not None
    assert edge is not None
    on_it = f'x="{float(edge[1]) - 10}" y="{float(edge[2]) + 8}"'
    assert any("is crossed by" in one for one in faults(text.replace(label[1], on_it)))
    assert any("is cut off" in one for one in faults(text.replace(label[1], 'x="-40" y="9"')))
    assert "text of 8.0 px" in faults(text.replace("font-size: 11px", "font-size: 8px"))


def test_edges_of_graphviz_are_as_clear() -> None:
    for file in GRAPHVIZ:
        assert faults(draw_svg(depicted_file(file), "dot")) == [], file
        assert faults(draw_svg(backward(depicted_file(file)), "dot")) == [], file


def test_the_same_file_gives_the_same_bytes(tmp_path: Path) -> None:
    file = ROOT / "tests/language/examples/05_lstm.graph"
    made = {
        subprocess.run(
            [sys.executable, "-m", "graphc", "draw", str(file), "--pass", "backward"],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            cwd=ROOT,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(made) == 1


# ---- other formats ------------------------------------------------------------------------------


@pytest.mark.parametrize("file", SOME)
def test_graphviz_reads_what_is_printed_for_it(file: str) -> None:
    picture = depicted_file(file)
    for shown in (picture, backward(picture)):
        read = pygraphviz.AGraph(string=dot(shown))
        assert {*read.nodes()} == {node.id for node in picture.nodes}
        assert [*map(tuple, read.edges())].sort() == [
            (e.tail, e.head) for e in picture.edges
        ].sort()
        titles = {one.graph_attr["label"] for one in _clusters(read)}
        assert titles == {group.title for group in picture.groups}
        for node in shown.nodes:
            assert str(read.get_node(node.id).attr["label"]).startswith(node.label)


def _clusters(graph: Any) -> Iterator[Any]:
    for one in graph.subgraphs():
        yield one
        yield from _clusters(one)


TEXT = r'"(?P<text>[^"<>]*(?:(?:<b>|</b>|<br/>)[^"<>]*)*)"'
LINES = {
    "note": r"%% .*",
    "start": r"flowchart (TB|BT)",
    "begin": rf" +subgraph \w+\[{TEXT}\]",
    "end": r" +end",
    "node": rf" +(?P<id>\w+)(\[|\(\[|\[\[|\(|\{{\{{){TEXT}(\]|\]\)|\]\]|\)|\}}\}})",
    "edge": rf" +(?P<tail>\w+) (-->|==>|-\.->|---)(\|{TEXT}\|)? (?P<head>\w+)",
    "style": r" +classDef \w+ [\w#:, -]+",
    "class": r" +class [\w,]+ \w+",
}


@pytest.mark.parametrize("file", SOME)
def test_lines_of_mermaid_are_well_formed(file: str) -> None:
    picture = depicted_file(file)
    for shown in (picture, backward(picture)):
        found = [
            (kind, match)
            for line in mermaid(shown).splitlines()
            for kind, match in [_kind_of(line)]
        ]
        kinds = [kind for kind, _ in found]
        assert {m["id"] for kind, m in found if kind == "node"} == {n.id for n in picture.nodes}
        assert kinds.count("edge") == len(picture.edges)
        assert kinds.count("begin") == kinds.count("end") == len(picture.groups)


def _kind_of(line: str) -> tuple[str, re.Match[str]]:
    found = [
        (kind, match)
        for kind, pattern in LINES.items()
        if (match := re.fullmatch(pattern, line)) is not None
    ]
    assert len(found) == 1, line
    return found[0]


# ---- mistakes -----------------------------------------------------------------------------------

WRONG = """dim B
input x: [B, 3]
h = tanh(x)
z = h @ x
q = z + 1
repeat layer[k in 1..3] carry g = h { next g = dense(g, 6) }
output fine = sum(h)
derive grad lossy wrt x
"""


def test_a_graph_with_mistakes_is_drawn_as_far_as_it_is_known() -> None:
    picture = picture_of_known(Compilation(Source("graph", WRONG)))
    kinds = {node.label: node.kind for node in picture.nodes}
    assert kinds == {
        "x": "input", "h": "value", "fine": "output", "z": "mistake", "q": "unknown",
        "layer, g": "mistake", "line 8": "mistake",
    }  # fmt: skip
    assert node_of(picture, "z").lines == ("shapes do not fit in @: [B, 3] and [B, 3]",)
    assert {("h", "z"), ("x", "z"), ("z", "q"), ("h", "layer, g")} <= {*edges_of(picture)}
    assert faults(draw_svg(picture)) == []


def test_a_circle_of_names_returns() -> None:
    text = "input x: [2]\na = tanh(x + b)\nb = 2 * a\noutput y = sum(x)\n"
    picture = picture_of_known(Compilation(Source("graph", text)))
    assert node_of(picture, "a").kind == "mistake"
    assert [pair for pair, edge in edges_of(picture).items() if edge.returns] == [("b", "a")]
    assert faults(draw_svg(picture)) == []


def test_a_line_that_cannot_be_read_is_marked() -> None:
    text = "input x: [3]\ny = = 3\noutput z = sum(x)\n"
    picture = picture_of_known(Compilation(Source("graph", text)))
    assert node_of(picture, "line 2").kind == "mistake"
    assert node_of(picture, "z").kind == "output"


def test_names_of_a_line_that_cannot_be_read_are_no_mistakes_elsewhere() -> None:
    text = "input x: [3]\nq = tanh(x\ny = sigmoid(q)\noutput loss = sum(y)\n"
    picture = picture_of_known(Compilation(Source("graph", text)))
    kinds = {node.label: node.kind for node in picture.nodes}
    assert kinds == {"x": "input", "line 2": "mistake", "y": "unknown", "loss": "unknown"}
    assert ("y", "loss") in edges_of(picture)


# ---- the command --------------------------------------------------------------------------------


def run(*arguments: str, input: str | None = None) -> Result:
    return CliRunner().invoke(app, ["draw", *arguments], input=input)


def test_the_ending_of_a_file_says_its_format(tmp_path: Path) -> None:
    for name, start in (("a.svg", "<svg"), ("a.dot", "digraph"), ("a.mmd", "flowchart TB")):
        assert run("-", "-o", str(tmp_path / name), input=RESIDUAL).exit_code == 0
        assert (tmp_path / name).read_text(encoding="utf-8").startswith(start)


@pytest.mark.parametrize("command", ["draw", "explain"])
def test_an_ending_that_is_no_format_is_refused(command: str, tmp_path: Path) -> None:
    out = tmp_path / "net.png"
    result = CliRunner().invoke(app, [command, "-", "-o", str(out)], input=RESIDUAL)
    assert (result.exit_code, out.exists()) == (2, False)
    known = {
        "draw": ".svg, .dot, .gv, .mmd or .mermaid",
        "explain": ".txt, .md, .tex, .html or .htm",
    }
    assert f"`.png` is no format; a file ends in {known[command]}" in " ".join(
        result.output.replace("│", " ").split()
    )
    said = {"draw": ("svg", "<svg"), "explain": ("html", "<!DOCTYPE")}[command]
    arguments = [command, "-", "--format", said[0], "-o", str(out)]
    assert CliRunner().invoke(app, arguments, input=RESIDUAL).exit_code == 0
    assert out.read_text(encoding="utf-8").lower().startswith(said[1].lower())


@pytest.mark.parametrize("command", ["draw", "explain"])
def test_data_that_cannot_be_read_is_said_and_nothing_is_written(
    command: str, tmp_path: Path
) -> None:
    data, out = tmp_path / "data.npz", tmp_path / "net"
    data.write_text("no numbers", encoding="utf-8")
    words = [command, "-", "--at", str(data), "-o", str(out)]
    result = CliRunner().invoke(app, words, input=RESIDUAL)
    assert (result.exit_code, [*tmp_path.iterdir()]) == (1, [data])
    assert result.stdout == ""
    assert result.stderr.startswith(f"error[E001]: cannot read {data}")


@pytest.mark.parametrize("command", ["draw", "explain"])
def test_a_dash_is_standard_output(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, [command, "-", "-o", "-"], input=RESIDUAL)
    assert result.stdout == CliRunner().invoke(app, [command, "-"], input=RESIDUAL).stdout != ""
    assert [*tmp_path.iterdir()] == []


def test_a_drawing_is_not_written_as_what_it_cannot_be(tmp_path: Path) -> None:
    file = tmp_path / "net.graph"
    file.write_text(RESIDUAL, encoding="utf-8")
    with pytest.raises(ValueError, match=r"`\.png` is no format; a file ends in \.svg, \.dot"):
        graphc.draw(file).write(tmp_path / "net.png")


def test_what_there_is_not_is_said_with_what_there_is() -> None:
    result = run("-", "--focus", "hh", input=RESIDUAL)
    assert result.exit_code == 2
    assert "there is no value `hh`; did you mean `h`?" in result.output


def test_mistakes_are_printed_beside_the_picture() -> None:
    result = run("-", input=WRONG)
    assert result.exit_code == 1
    assert result.stdout.startswith("<svg")
    assert "error[E301]" in result.stderr


def a_program_called_dot(folder: Path, text: str) -> None:
    file = folder / "dot"
    file.write_text(f"#!{sys.executable}\n{text}\n", encoding="utf-8")
    file.chmod(0o755)


def test_graphviz_may_be_a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    by_package = run("-", "--layout", "dot", input=RESIDUAL).stdout
    a_program_called_dot(
        tmp_path,
        "import sys, pygraphviz\n"
        "assert sys.argv[1:] == ['-Tjson0']\n"
        "graph = pygraphviz.AGraph(string=sys.stdin.read())\n"
        "sys.stdout.buffer.write(graph.draw(format='json0', prog='dot'))",
    )
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run("-", "--layout", "dot", input=RESIDUAL).stdout == by_package


def test_a_graphviz_that_fails_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_program_called_dot(tmp_path, "raise SystemExit(3)")
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    result = run("-", "--layout", "dot", input=RESIDUAL)
    assert result.exit_code == 1
    assert "`dot` failed" in result.stderr
    assert "--layout own" in result.stderr


def test_without_graphviz_it_is_said_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    monkeypatch.setenv("PATH", "")
    result = run("-", "--layout", "dot", input=RESIDUAL)
    assert result.exit_code == 1
    assert "pip install 'graphc[draw]'" in result.stderr
