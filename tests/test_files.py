"""Files: what is read stays inside and is bounded; what is written is there whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from ast import literal_eval
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path

import pytest
from killed_compilers import STEPS
from test_cli import GRAPH, ROOT, environment, listing, plain, run, start

from graphc import files
from graphc.compile.stages import Options, compile_file
from graphc.source import GraphError
from tests.patience import PATIENCE

BLOCK = "block double(x: [...]) -> y: [...] { y = 2 * x }\n"
OUTSIDE = "block double(x: [...]) -> y: [...] { y = 666 * x }\n"
USER = 'from "parts/a.graph" import double\ninput x: [2]\noutput y = double(x)\n'


@pytest.fixture
def importing(tmp_path: Path) -> Path:
    """A file that imports `parts/a.graph`; another of that name lies outside of its folder."""
    for folder, text in (("inside/parts", BLOCK), ("outside", OUTSIDE)):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "a.graph").write_text(text, encoding="utf-8")
    main = tmp_path / "inside" / "main.graph"
    main.write_text(USER, encoding="utf-8")
    return main


# ---- what is read -------------------------------------------------------------------------------


@pytest.mark.parametrize("swapped", ["parts", "parts/a.graph"])
def test_a_link_that_comes_after_the_look_is_not_followed(
    importing: Path, monkeypatch: pytest.MonkeyPatch, swapped: str
) -> None:
    """The race is lost on purpose: the link is put there just before the file is opened."""
    inside = importing.parent
    target = {"parts": "../outside", "parts/a.graph": "../../outside/a.graph"}[swapped]

    def lose(folder: Path, parts: tuple[str, ...]) -> bytes:
        (inside / swapped).rename(inside / "moved")
        (inside / swapped).symlink_to(target)
        assert (inside / "parts" / "a.graph").read_text(encoding="utf-8") == OUTSIDE
        return files.read_inside(folder, parts)

    monkeypatch.setattr("graphc.elaborate.names.imports.read_inside", lose)
    with pytest.raises(GraphError) as caught:
        compile_file(importing)
    assert "error[E601]: cannot read parts/a.graph: " in str(caught.value)
    assert "main.graph:1:6" in str(caught.value)


def test_links_swapped_all_the_time_never_bring_in_what_is_outside(importing: Path) -> None:
    inside = importing.parent
    stop = get_context("spawn").Event()
    swapping = get_context("spawn").Process(target=swap, args=(inside, stop))
    swapping.start()
    try:
        for _ in range(60):
            with suppress(GraphError):  # it saw the link, and said so
                assert "666" not in compile_file(importing).text
    finally:
        stop.set()
        swapping.join(30)
    assert swapping.exitcode == 0


def swap(inside: Path, stop: object) -> None:
    """Put a link to a file outside and the file itself in turn, until told to stop."""
    place, other = inside / "parts" / "a.graph", inside / "parts" / "b.graph"
    while not stop.is_set():  # type: ignore[attr-defined]
        other.symlink_to("../../outside/a.graph")
        other.replace(place)
        other.write_text(BLOCK, encoding="utf-8")
        other.replace(place)


def test_a_pipe_is_no_import(importing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing waits for somebody to write to it, though it comes after the look."""
    place = importing.parent / "parts" / "a.graph"

    def lose(folder: Path, parts: tuple[str, ...]) -> bytes:
        place.unlink()
        os.mkfifo(place)
        return files.read_inside(folder, parts)

    monkeypatch.setattr("graphc.elaborate.names.imports.read_inside", lose)
    with pytest.raises(GraphError, match=r"cannot read parts/a\.graph: it is not a regular file"):
        compile_file(importing)


def test_what_has_no_end_is_not_read_to_its_end(
    tmp_path: Path, importing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert plain(run("check", "/dev/zero"), 1) == (
        "error[E001]: cannot read /dev/zero: it has more than 16 MiB\n"
    )
    monkeypatch.setattr(files, "FILE", 1 << 20)
    large = b"#" * ((1 << 20) + 1)
    message = plain(run("check", "-", input=large), 1)
    assert message == "error[E001]: cannot read -: it has more than 1 MiB\n"
    (importing.parent / "parts" / "a.graph").write_bytes(large)
    message = plain(run("check", importing), 1)
    assert "cannot read parts/a.graph: it has more than 1 MiB" in message


def test_a_pipe_of_the_shell_can_be_compiled(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, GRAPH.encode())
    os.close(writing)
    done = start("compile", f"/dev/fd/{reading}", "-o", "-", pass_fds=(reading,))
    os.close(reading)
    assert done.returncode == 0, done.stderr.decode()
    assert b"def forward" in done.stdout


# ---- what is written ----------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["compile", "draw"])
def test_a_pipe_or_a_device_is_no_output(tmp_path: Path, command: str) -> None:
    """It is neither waited for nor replaced by a file, which /dev/null would be by the root."""
    graph, pipe = tmp_path / "net.graph", tmp_path / "pipe"
    graph.write_text(GRAPH, encoding="utf-8")
    os.mkfifo(pipe)
    out = tmp_path / "link"
    out.symlink_to(pipe)
    for place in (pipe, out):
        message = plain(run(command, graph, "-o", place), 1)
        assert f"cannot write {place}: it is not a regular file" in message
    assert pipe.is_fifo()
    assert out.is_symlink()


def test_what_is_written_to_a_link_is_written_behind_it(tmp_path: Path) -> None:
    graph, link, file = (tmp_path / name for name in ("net.graph", "link.py", "file.py"))
    graph.write_text(GRAPH, encoding="utf-8")
    link.symlink_to(file)
    for _ in range(2):
        assert plain(run("compile", graph, "-o", link), 0) == ""
        assert link.is_symlink()
        assert "Generated by graphc" in file.read_text(encoding="utf-8")


KILLS = int(os.environ.get("GRAPHC_KILLS", "30"))
"""At how many random moments a compiler is killed; more by hand."""


def test_killed_at_any_moment(tmp_path: Path) -> None:
    """The old module or the new one stands there: never less, never a mixture."""
    graph = tmp_path / "net.graph"
    graph.write_text(GRAPH, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, ROOT / "tests" / "killed_compilers.py", graph, str(KILLS)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    at_random, at_steps = map(literal_eval, done.stdout.splitlines())
    assert set(at_random) <= {"old", "new"}
    assert sum(at_random.values()) == KILLS
    assert at_steps == {"old": len(STEPS), "new": 1}


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    """No byte more can be written half-way through: the system says so, not a stand-in."""
    graph, target = tmp_path / "net.graph", tmp_path / "net.py"
    graph.write_text(GRAPH, encoding="utf-8")
    assert start("compile", graph).returncode == 0
    old = target.read_bytes()
    full = "import resource, runpy; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)); "
    done = subprocess.run(
        [
            *(sys.executable, "-c", f"{full}runpy.run_module('graphc', run_name='__main__')"),
            *("compile", "--dtype", "float32", graph),
        ],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 1
    assert done.stderr == f"graphc: cannot write {target}: File too large\n"
    assert target.read_bytes() == old
    assert listing(tmp_path) == ["net.graph", "net.py"]


def test_compilers_at_once_on_one_output(tmp_path: Path) -> None:
    """Each puts a whole module there; who reads meanwhile sees one of them."""
    graph, target = tmp_path / "net.graph", tmp_path / "net.py"
    graph.write_text(GRAPH, encoding="utf-8")
    commands = [
        [sys.executable, "-m", "graphc", "compile", "--dim", f"B={size}", str(graph)]
        for size in (2, 3, 4, 5)
    ]
    expected = [
        compile_file(graph, Options(dims={"B": size}, level="-O2")).text for size in (2, 3, 4, 5)
    ]
    running = [
        subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE) for command in commands
    ]
    while any(process.poll() is None for process in running):
        if target.exists():
            assert target.read_text(encoding="utf-8") in expected
        time.sleep(0.01)
    for process in running:
        assert process.communicate()[1] == b""
        assert process.returncode == 0
    assert target.read_text(encoding="utf-8") in expected
    assert listing(tmp_path) == ["net.graph", "net.py"]
