"""What a module says of itself: every option that changes its text, and the files that it is of."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import module

from graphc.cli.app import app
from graphc.compile.stages import Options, compile_file, compile_text, load

GRAPH = """
dim B
const lam = 0.1
input x: [B, 3]
param w: [3]
h = tanh(x * w)
output y = sum(h, axis=-1)
output loss = sum(y * y) + lam * sum(w * w)
derive jacobian y wrt w
"""
CHANGES = {
    "const": ["--const", "lam=0"],
    "another const": ["--const", "lam=1/3"],
    "dim": ["--dim", "B=4"],
    "dtype": ["--dtype", "float32"],
    "derive": ["--derive", "grad loss wrt w"],
    "two": ["--derive", "grad loss wrt w as g", "--derive", "value y"],
    "mode": ["--mode", "forward"],
    "memory": ["--dim", "B=4", "--memory", "100%"],
    "trace": ["--trace-nan"],
    "level": ["-O0"],
}


def compiled(folder: Path, options: Sequence[str]) -> str:
    """What the command writes."""
    graph = folder / "net.graph"
    graph.write_text(GRAPH, encoding="utf-8")
    done = CliRunner().invoke(app, ["compile", str(graph), *options])
    assert done.exit_code == 0, done.output
    return (folder / "net.py").read_text(encoding="utf-8")


def test_every_option_that_changes_the_text_is_in_the_record(tmp_path: Path) -> None:
    """No two different modules have the same one; the options said make the module again."""
    records: dict[str, str] = {}
    for name, options in {"none": [], **CHANGES}.items():
        text = compiled(tmp_path, options)
        module = load(text, "net")
        record = {key: module.GRAPH[key] for key in ("source", "options", "level", "dtype")}
        assert json.dumps(record) not in records.values(), name
        records[name] = json.dumps(record)
        lines = (module.__doc__ or "").split("\n")
        said = [line.removeprefix("Options: ") for line in lines if line.startswith("Options: ")]
        level = [module.GRAPH["level"]]
        assert f"({level[0]}) from net.graph" in lines[2]
        assert len(said) == (name not in ("none", "level")), name
        again = shlex.split(said[0]) if said else []
        assert compiled(tmp_path, [*level, *again]) == text, name


def test_the_record_has_options_in_one_spelling() -> None:
    """Their order and white space do not matter, nor what is the default anyway."""
    graph = "dim A, B\nconst c = 1\nconst d = 2\ninput x: [A, B]\noutput y = sum(x) * c * d\n"
    one = Options(
        {"B": 2, "A": 3}, {"d": " 1+1 ", "c": "2"}, derive=["grad   y  wrt x"], memory="1 GB"
    )
    other = Options(
        {"A": 3, "B": 2}, {"c": "2", "d": "1 + 1"}, derive=["grad y wrt x"], memory="1GB"
    )
    texts = [compile_text(graph, options=options).text for options in (one, other)]
    assert texts[0] == texts[1]
    assert load(texts[0], "one").GRAPH["options"] == {
        "dim": {"A": 3, "B": 2},
        "const": {"c": "2", "d": "1 + 1"},
        "derive": ["grad y wrt x"],
        "memory": "1GB",
    }
    plain = compile_text(graph, options=Options(dtype="float64", level="-O0")).text
    assert load(plain, "plain").GRAPH["options"] == {}
    assert "Options:" not in plain


def test_the_digest_is_of_imports_too(tmp_path: Path) -> None:
    """Of what they compute: not of their comments, nor of the folder that they lie in."""
    digests = []
    for number, factor in enumerate(("2", "2  # two", "3")):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "blocks.graph").write_text(
            f"block f(x: [N]) -> y: [N] {{ y = x * {factor}\n}}\n", encoding="utf-8"
        )
        net = folder / "net.graph"
        net.write_text(
            'import "blocks.graph" as blocks\ninput x: [2]\noutput y = blocks.f(x)\n',
            encoding="utf-8",
        )
        digests.append(load(compile_file(net).text, "net").GRAPH["source"])
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_no_place_of_this_machine_is_in_a_module(tmp_path: Path, level: str) -> None:
    graph = tmp_path / "net.graph"
    graph.write_text(GRAPH, encoding="utf-8")
    text = compile_file(graph, Options(level=level, trace=True)).text
    assert str(tmp_path) not in text
    assert tmp_path.name not in text


# ---- what the statements are said to be ----------------------------------------------------------


def test_backward_says_what_its_lines_are() -> None:
    said = "Each line is a term of the chain rule"
    assert said in compile_text(GRAPH, options=Options(level="-O0")).text
    assert said not in compile_text(GRAPH, options=Options(level="-O2")).text


@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_no_declaration_is_quoted_beside_a_statement(level: str) -> None:
    """It computes nothing: least of all what a gradient by the parameter is made of."""
    graph = """
    dim T
    input x: [T, 3]
    param W: [3] ~ normal(0, 0.1)
    param v ~ 0.5
    m = tril(ones([T, T])) * 0.5
    output y = sum(m @ (tanh(x * W) * 0.1 + 0.5)) * v
    derive hessian y wrt W, v
    derive hvp y wrt W
    """
    text = compile_text(graph, options=Options(level=level)).text
    assert "# y = " in text.replace("output ", "")
    assert "# param" not in text
    assert "# input" not in text


@pytest.mark.levels
def test_derived_functions_are_described() -> None:
    text = """dim B
input x: [B, 3]
repeat layer[i in 1..2] carry g = x { next g = dense(g, 3) as d }
h = 2 * g
output loss = mean(h**2)
output y = sum(h, axis=1)
derive value_and_grad loss wrt params
derive jacobian y wrt layer.*, h per B as J
derive value loss, y
"""
    found = module(text).GRAPH["derived"]
    assert found["value_and_grad_loss"] == {
        "kind": "value_and_grad", "outputs": ["loss"], "wrt": "params",
    }  # fmt: skip
    assert found["J"]["per"] == "B"
    assert found["J"]["wrt"] == ["layer.1..2.d.W", "layer.1..2.d.b", "h"]
    assert found["value_loss_y"] == {"kind": "value", "outputs": ["loss", "y"], "wrt": []}
