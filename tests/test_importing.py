"""The import hook: which graph it finds, what comes first, and what a traceback says."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import graphc

GRAPH = """dim B
input E: [4, 2]
input ids: int[B]
param g: [2]
picked = E[ids]
output y = sum(picked * g)
"""
E, G = np.ones((4, 2)), {"g": np.ones(2)}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path, with the hook installed; what is imported from it is forgotten."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))
    graphc.install_import_hook()
    yield tmp_path
    graphc.remove_import_hook()
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("hooked", "pack", "wave"):
            del sys.modules[name]


def written(path: Path, text: str = GRAPH) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    importlib.invalidate_caches()
    return path


def value(module: ModuleType) -> float:
    return float(module.forward(G, E, [0, 1, 1])[0].y)


def test_a_graph_is_imported_and_reloaded(folder: Path) -> None:
    path = written(folder / "hooked.graph")
    import hooked  # type: ignore[import-not-found]

    assert value(hooked) == 6
    assert hooked.GRAPH["level"] == "-O2"
    written(path, GRAPH.replace("picked * g", "5 * picked * g"))
    assert value(importlib.reload(hooked)) == 30
    graphc.install_import_hook(level=0)
    assert importlib.reload(hooked).GRAPH["level"] == "-O0"


def test_in_a_package(folder: Path) -> None:
    written(folder / "pack" / "__init__.py", "")
    written(folder / "pack" / "hooked.graph")
    assert value(importlib.import_module("pack.hooked")) == 6


def test_a_module_by_hand_comes_first_one_of_graphc_does_not(folder: Path) -> None:
    path = written(folder / "hooked.graph")
    graphc.compile_file(path).write(folder / "hooked.py")
    written(path, GRAPH.replace("picked * g", "7 * picked * g"))
    assert value(importlib.import_module("hooked")) == 42, "the written one is old"
    del sys.modules["hooked"]
    written(folder / "hooked.py", "by_hand = True\n")
    assert importlib.import_module("hooked").by_hand


def test_a_graph_further_on_the_path_does_not_hide_a_module(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = written(folder / "first" / "hooked.py", "by_hand = True\n").parent
    written(folder / "hooked.graph")
    monkeypatch.syspath_prepend(str(first))
    assert importlib.import_module("hooked").by_hand


def test_no_graph_stands_in_for_a_module_of_python(folder: Path) -> None:
    written(folder / "wave.graph")
    assert importlib.import_module("wave").__doc__.startswith("Stuff to parse WAVE")


def test_without_the_hook_nothing_is_found(folder: Path) -> None:
    written(folder / "hooked.graph")
    graphc.remove_import_hook()
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("hooked")
    graphc.install_import_hook()
    graphc.install_import_hook()
    assert sum(type(one).__name__ == "GraphFinder" for one in sys.meta_path) == 1


def test_a_mistake_is_no_missing_module(folder: Path) -> None:
    written(folder / "hooked.graph", "output y = x\n")
    with pytest.raises(graphc.GraphError) as caught:
        importlib.import_module("hooked")
    assert "hooked.graph:1:12" in str(caught.value)
    assert "hooked" not in sys.modules


@pytest.mark.parametrize("level", [0, 2])
@pytest.mark.parametrize("way", ["hook", "load"])
def test_a_traceback_names_the_line_of_the_graph(folder: Path, level: int, way: str) -> None:
    path = written(folder / "hooked.graph")
    graphc.install_import_hook(level=level)  # type: ignore[arg-type]
    if way == "hook":
        module = importlib.import_module("hooked")
    else:
        module = graphc.load(path, level=level)
    with pytest.raises(IndexError) as caught:
        module.forward(G, E, [0, 9])
    shown = "".join(traceback.format_exception(caught.value))
    assert f"{path}, line 5: picked = E[ids]\n" in shown
    assert "raise _outside(_why, ('input `ids`', ids, 4))" in shown, "the generated line"
    assert "IndexError: input `ids` holds 9, expected 0..3\n" in shown
    assert caught.value.__notes__ == [f"{path}, line 5: picked = E[ids]"]
    with pytest.raises(ValueError, match="input `E` has shape") as caught:
        module.forward(G, E[:3], [0])
    assert not hasattr(caught.value, "__notes__"), "what is wrong is the argument"


@pytest.mark.parametrize("level", [0, 2])
def test_a_statement_of_a_block_a_loop_or_a_derivative_is_that_of_the_file(
    folder: Path, level: int
) -> None:
    text = """block inverse(A: [n, n]) -> B: [n, n] {
    B = inv(A)
}
input A: [2, 2]
scan steps[t in 3] carry h = A {
    next h = h + inverse(h)
}
output y = sum(h)
output z = sum(log(A))
derive grad z wrt A
"""
    module = graphc.load(written(folder / "hooked.graph", text), level=level)
    with pytest.raises(np.linalg.LinAlgError) as caught:
        module.forward(np.ones((2, 2)))
    (note,) = caught.value.__notes__
    assert "line 6: next h = h + inverse(h)" in note
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError) as failed:
        module.grad_z(np.diag([1.0, 2.0]))
    assert failed.value.__notes__[0].endswith("line 9: output z = sum(log(A))")


def test_a_module_knows_its_graph(folder: Path) -> None:
    path = written(folder / "hooked.graph")
    graphc.install_import_hook(level=0)
    module = importlib.import_module("hooked")
    assert str(graphc.explain(module)) == str(graphc.explain(path))
    for one in (module, graphc.load(path, level=0), graphc.compile_file(path, level=0)):
        found = graphc.check(one, grad=True, at={"ids": np.array([0, 1])})
        assert {compared.level for compared in found.derivatives} == {"-O0"}
    with pytest.raises(TypeError, match="give the path of its graph"):
        graphc.check(np)


def test_functions_stay_what_they_are(folder: Path) -> None:
    import inspect
    import pickle

    module = graphc.load(written(folder / "hooked.graph"))
    assert "np.take" in inspect.getsource(module.forward) or "E[ids" in inspect.getsource(
        module.forward
    )
    assert [*inspect.signature(module.forward).parameters] == ["params", "E", "ids"]
    assert pickle.loads(pickle.dumps(module.forward)) is module.forward
    assert max(module.check(G, E, np.array([0, 1])).values()) < 1e-6
