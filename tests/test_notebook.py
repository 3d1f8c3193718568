"""Notebooks: a cell that is a graph, its mistakes, what is shown; the example, executed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "notebook.ipynb"
SUM = "input x: [3]\noutput y = sum(x * x)\n"


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.chdir(tmp_path)
    InteractiveShell.clear_instance()
    made = InteractiveShell.instance()
    made.history_manager.enabled = False
    made.run_line_magic("colors", "nocolor")
    made.run_line_magic("load_ext", "graphc")
    yield made
    made.history_manager.end_session()
    InteractiveShell.clear_instance()


def run(shell: InteractiveShell, cell: str) -> tuple[Any, str]:
    """The result of a cell, and what it printed."""
    with capture_output() as printed:
        result = shell.run_cell(cell, store_history=True)
    return result, printed.stdout + printed.stderr


def test_a_cell_is_compiled_and_its_module_bound(shell: InteractiveShell) -> None:
    result, _ = run(shell, f"%%graph square -O0 --dtype float32\n{SUM}")
    assert result.success
    square = shell.user_ns["square"]
    assert square.GRAPH["level"], square.GRAPH["dtype"] == ("-O0", "float32")
    assert float(square.forward([1.0, 2.0, 3.0])[0].y) == 14
    html = shell.display_formatter.format(result.result)[0]
    assert "square" in html["text/html"]
    assert "<svg" in html["text/html"]
    assert "The gradients of Σ" in html["text/html"]
    assert "`" not in html["text/html"].partition("<svg")[0]
    assert 'style="color' not in html["text/html"].partition("</svg>")[2]  # but by light and dark
    assert "backward(cache" in html["text/markdown"]
    first = square
    run(shell, f"%%graph square\n{SUM.replace('x * x', '3 * x')}")
    assert float(shell.user_ns["square"].forward([1.0, 2.0, 3.0])[0].y) == 18
    assert float(first.forward([1.0, 2.0, 3.0])[0].y) == 14


def test_the_line_of_a_cell_takes_the_options_of_compile(shell: InteractiveShell) -> None:
    line = "net -O 0 --const lam=0.5 --dim K=3 --dtype float32 --memory 50% --derive 'grad s wrt x'"
    graph = "const lam = 1.0\ndim K\ninput x: [K]\noutput y = lam * x\noutput s = sum(y)\n"
    result, said = run(shell, f"%%graph {line}\n{graph}")
    assert result.success, said
    net = shell.user_ns["net"]
    assert net.forward([1.0, 2.0, 3.0])[0].y.tolist() == [0.5, 1.0, 1.5]
    gradient = net.grad_s([1.0, 2.0, 3.0])["x"]
    assert gradient.tolist() == [0.5, 0.5, 0.5]
    assert gradient.dtype == np.float32


def test_a_cell_imports_from_the_working_folder(shell: InteractiveShell, tmp_path: Path) -> None:
    (tmp_path / "b.graph").write_text("block f(x: [...]) -> y: [...] { y = 2 * x }\n")
    result, said = run(
        shell, f'%%graph net\nfrom "b.graph" import f\n{SUM.replace("x * x", "f(x)")}'
    )
    assert result.success, said
    assert float(shell.user_ns["net"].forward([1.0, 2.0, 3.0])[0].y) == 12


def test_a_mistake_shows_its_caret_and_the_line_of_the_cell(shell: InteractiveShell) -> None:
    result, said = run(shell, "%%graph net\ninput x: [3]\na = foo(x)\noutput y = sum(x * z)\n")
    assert not result.success
    assert re.search(r"--> net.graph:3:5\n *\|\n3 \| a = foo\(x\)\n *\| +\^\^\^", said)
    assert "--> net.graph:4:20" in said
    assert "Traceback" not in said
    assert "net" not in shell.user_ns


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("net --dims B=3", "No such option"),
        ("net --dtype f8", "`f8` is not float64 or float32"),
        ("net 'x", "No closing quotation"),
        ("my-net", "`my-net` is no name of a variable"),
        ("class", "`class` is no name of a variable"),
        ("net -O1", "there is no level 1"),
    ],
)
def test_a_wrong_line_is_told_in_a_sentence(shell: InteractiveShell, line: str, why: str) -> None:
    result, said = run(shell, f"%%graph {line}\n{SUM}")
    assert not result.success
    assert why in said
    assert len(said.strip().splitlines()) == 1


def test_a_traceback_names_the_line_of_the_cell(shell: InteractiveShell) -> None:
    run(shell, "%%graph look\ninput E: [4, 2]\ninput ids: int[3]\noutput y = E[ids]\n")
    result, said = run(shell, "look.forward([[1.0, 2.0]] * 4, [0, 1, 9])")
    assert isinstance(result.error_in_exec, IndexError)
    assert "E[ids]" in said
    assert result.error_in_exec.__notes__ == ["look.graph, line 4: output y = E[ids]"]
    assert "look.graph, line 4: output y = E[ids]" in said
    assert "noting.py" not in said


def test_the_example_notebook(shell: InteractiveShell) -> None:
    cells = json.loads(EXAMPLE.read_text(encoding="utf-8"))["cells"]
    results = [
        (run(shell, "".join(cell["source"])), "".join(cell["source"]))
        for cell in cells
        if cell["cell_type"] == "code"
    ]
    for (result, said), source in results:
        assert result.success is ("broken" not in source), said
    np.testing.assert_allclose(results[2][0][0].result, [-2 / 3, -4 / 3, -2], rtol=1e-12)
    assert "unknown name `z`" in results[3][0][1]
    for (result, _), _ in results[4:]:
        assert result.result._repr_html_().startswith('<div class="graphc ')
    assert results[5][0][0].result.ok
