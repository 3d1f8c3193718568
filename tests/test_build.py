"""Modules over compiled C: what they return, take and refuse is what the NumPy module does."""

from __future__ import annotations

import copy
import inspect
import os
import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from built_modules import built, compare
from click.testing import CliRunner

import graphc.build.extension as extension
from graphc.build import machines
from graphc.build.compilers import (
    Compiler,
    CompilerError,
    NoCompilerError,
    find_compiler,
    run,
    shared_options,
)
from graphc.cli.app import app
from graphc.cli.build import MACHINES as MACHINES_OF_THE_COMMAND
from graphc.compile.stages import Options, compile_text, load

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.graph"))
LANGUAGE = sorted((ROOT / "tests" / "language" / "examples").glob("*.graph"))

NET = """
dim B
dim T
input x: [B, 3]
input i: int[B]
input ok: bool[B]
input s: []
h = dense(x, 4, act=tanh)
repeat layer[k in 1..3] carry z = h { next z = dense(z, 4, act=tanh) as f }
v = dense(z, 2)
output y = v * expand_dims(where(ok, 1, s), 1)
output loss = cross_entropy(y, i) + sum(ones([T])) * s
derive value_and_grad loss wrt params
derive vjp y wrt x, layer.* as pull
derive jvp y wrt x, layer.* as push
derive jacobian y wrt s as J
"""


@pytest.fixture(scope="module")
def modules() -> tuple[ModuleType, ModuleType]:
    """The module over compiled C, and that of NumPy."""
    options = Options(level="-O2")
    return compare(NET, options), load(compile_text(NET, options=options).text, "build_net")


def arguments(net: ModuleType) -> dict[str, Any]:
    rng = np.random.default_rng(2)
    return {
        "params": net.init(seed=1),
        "x": rng.normal(size=(5, 3)),
        "i": np.array([0, 1, 1, 0, -1]),
        "ok": np.array([True, False, True, False, False]),
        "s": 0.5,
        "T": 2,
    }


@pytest.mark.parametrize("name", ["net321", "residual"])
def test_examples_agree(name: str) -> None:
    compare(ROOT / "examples" / f"{name}.graph", Options(level="-O2", dtype="float32"))


@pytest.mark.long
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("level", ["-O0", "-O2"])
@pytest.mark.parametrize("path", [*EXAMPLES, *LANGUAGE], ids=lambda path: str(path.stem))
def test_every_example_agrees(path: Path, level: str, dtype: str) -> None:
    compare(path, Options(level=level, dtype=dtype))


def test_signatures_and_descriptions_are_those_of_numpy(
    modules: tuple[ModuleType, ModuleType],
) -> None:
    made, numpy = modules
    public = [name for name, one in vars(numpy).items() if inspect.isfunction(one)]
    for name in (one for one in public if not one.startswith("_")):
        own, right = getattr(made, name), getattr(numpy, name)
        assert inspect.isfunction(own)
        assert str(inspect.signature(own)) == str(inspect.signature(right))
        assert own.__doc__ == right.__doc__
    assert made.PARAMETERS == numpy.PARAMETERS
    assert made.GRAPH["dims"] == numpy.GRAPH["dims"]
    assert made.Outputs._fields == numpy.Outputs._fields


def spoilt(net: ModuleType, what: str) -> dict[str, Any]:
    given = arguments(net)
    params = given["params"]
    changes: dict[str, dict[str, Any]] = {
        "shape": {"x": np.zeros((5, 4))},
        "another batch": {"i": np.zeros(4, int)},
        "rank": {"x": np.zeros(3)},
        "dtype": {"i": np.zeros(5)},
        "text": {"x": "abc"},
        "a number of an array": {"s": [1.0, 2.0]},
        "dim": {"T": -1},
        "dim of float": {"T": 1.5},
        "missing": {"params": {k: v for k, v in params.items() if k != "h.b"}},
        "unknown": {"params": params | {"h.c": np.zeros(4)}},
        "no dict": {"params": [1, 2]},
        "shape of a member": {"params": params | {"layer.1.f.W": np.zeros((4, 5))}},
        "out of range": {"i": np.array([0, 1, 2, 0, 0])},
    }
    return given | changes[what]


@pytest.mark.parametrize(
    "what",
    ["shape", "another batch", "rank", "dtype", "text", "a number of an array", "dim",
     "dim of float", "missing", "unknown", "no dict", "shape of a member"],
)  # fmt: skip
def test_errors_are_literally_those_of_numpy(
    modules: tuple[ModuleType, ModuleType], what: str
) -> None:
    made, numpy = modules
    said = []
    for net in (made, numpy):
        with pytest.raises((ValueError, TypeError)) as caught:
            net.value_and_grad_loss(**spoilt(net, what))
        said.append((caught.type, str(caught.value)))
    assert said[0] == said[1]


def test_what_is_found_on_the_way_has_the_same_kind_of_error(
    modules: tuple[ModuleType, ModuleType],
) -> None:
    for net in modules:
        with pytest.raises(IndexError):
            net.value_and_grad_loss(**spoilt(net, "out of range"))
    singular = "input a: [2, 2]\noutput y = inv(a)\noutput z = cholesky(a)\nderive value y"
    for text in (singular, singular.replace("value y", "value z")):
        made = built(text, Options(level="-O2"))
        numpy = load(compile_text(text).text, "build_singular")
        name = "value_y" if "value y" in text else "value_z"
        said = []
        for net in (made, numpy):
            with pytest.raises(np.linalg.LinAlgError) as caught:
                getattr(net, name)(np.array([[1.0, 2.0], [2.0, 4.0]]) * (1 if "_y" in name else -1))
            said.append(str(caught.value))
        assert said[0] == said[1]


STRANGE = {
    "lists": lambda a: a.tolist(),
    "Fortran-ordered": np.asfortranarray,
    "read-only": lambda a: _read_only(a),
    "strided": lambda a: np.repeat(a, 2, axis=0)[::2],
    "swapped": lambda a: a.astype(a.dtype.newbyteorder()),
    "of another width": lambda a: a.astype(np.float32).astype(np.float64),
}


def _read_only(a: Any) -> Any:
    a = a.copy()
    a.flags.writeable = False
    return a


@pytest.mark.parametrize("how", STRANGE)
def test_every_kind_of_array_gives_the_same_bits(
    modules: tuple[ModuleType, ModuleType], how: str
) -> None:
    made, _ = modules
    given = arguments(made)
    given["x"] = given["x"].astype(np.float32).astype(np.float64)
    loss, grads = made.value_and_grad_loss(**given)
    other = given | {"x": STRANGE[how](given["x"]), "s": np.float32(0.5), "ok": [*given["ok"]]}
    other["params"] = {k: STRANGE[how](v) for k, v in given["params"].items()}
    if how == "of another width":
        other["params"] = given["params"]
    found, own = made.value_and_grad_loss(**other)
    assert found == loss
    assert all(np.array_equal(own[path], grads[path]) for path in grads)


def test_out_is_written_and_returned(modules: tuple[ModuleType, ModuleType]) -> None:
    """Contiguous arrays directly, strided ones as well; a path that is left out is new."""
    made, _ = modules
    given = arguments(made)
    _, grads = made.value_and_grad_loss(**given)
    places = {path: np.full_like(value, 7) for path, value in grads.items()}
    places["h.W"] = np.full((3, 8), 7.0)[:, ::2]
    del places["y.b" if "y.b" in places else next(iter(places))]
    _, own = made.value_and_grad_loss(**given, out=places)
    assert all(own[path] is place for path, place in places.items())
    assert all(np.array_equal(own[path], grads[path]) for path in grads)
    with pytest.raises(ValueError, match="shares memory"):
        made.value_and_grad_loss(**given, out={"h.W": given["params"]["h.W"]})


def test_caches_pickle_and_are_read_twice(modules: tuple[ModuleType, ModuleType]) -> None:
    made, _ = modules
    given = arguments(made)
    _, cache = made.forward(**given)
    first = made.backward(cache)
    given["x"][:] = 0  # which the cache does not notice
    for one in (cache, pickle.loads(pickle.dumps(cache)), copy.deepcopy(cache)):
        again = made.backward(one)
        assert all(np.array_equal(again[path], first[path]) for path in first)


def test_results_share_no_memory(modules: tuple[ModuleType, ModuleType]) -> None:
    made, _ = modules
    given = arguments(made)
    out, cache = made.forward(**given)
    kept = [out.y.copy(), made.backward(cache)["h.W"].copy()]
    out.y[:] = 0
    again, other = made.forward(**given)
    assert np.array_equal(again.y, kept[0])
    assert np.array_equal(made.backward(cache)["h.W"], kept[1])
    assert not np.shares_memory(again.y, other[0] if np.ndim(other[0]) else again.y[:0])


def test_sixteen_threads_at_once(modules: tuple[ModuleType, ModuleType]) -> None:
    made, _ = modules
    sizes = [3, 700] * 8
    rng = np.random.default_rng(0)
    calls = [
        arguments(made)
        | {"x": rng.normal(size=(n, 3)), "i": np.zeros(n, int), "ok": np.ones(n, bool)}
        for n in sizes
    ]
    right = [made.value_and_grad_loss(**one) for one in calls]
    with ThreadPoolExecutor(16) as pool:
        for _ in range(5):
            found = list(pool.map(lambda one: made.value_and_grad_loss(**one), calls))
            for (loss, grads), (other, others) in zip(found, right, strict=True):
                assert loss == other
                assert all(np.array_equal(grads[path], others[path]) for path in grads)


def test_empty_batches(modules: tuple[ModuleType, ModuleType]) -> None:
    made, numpy = modules
    empty = {"x": np.zeros((0, 3)), "i": np.zeros(0, int), "ok": np.zeros(0, bool)}
    with np.errstate(all="ignore"):
        found, right = (net.forward(**arguments(net) | empty)[0].y for net in (made, numpy))
    assert found.shape == right.shape == (0, 2)


def test_derivatives_check(modules: tuple[ModuleType, ModuleType]) -> None:
    made, _ = modules
    errors = made.check(**arguments(made))
    assert [*errors] == ["backward", "value_and_grad_loss", "pull", "push", "J"]


NAMES = """
dim size
dim count
input given: [size, count]
input found: [count]
param args: [count]
param calls: [size]
output results = sum((given * args + found)**2) + sum(calls**2)
output more = given * 2
output status = found + args
derive value_and_grad results wrt params as at
derive vjp more, status wrt given, found as work
derive value more, status as kept_0
derive hessian results wrt args, calls as λ
"""


def test_names_of_a_file_and_those_of_the_extension_are_apart() -> None:
    compare(NAMES, Options(level="-O2"))


def test_what_is_chosen_in_a_short_loop_is_right_with_wide_vectors() -> None:
    """GCC 12 gets a masked load wrong there, where it makes one of the choice."""
    graph = "input c: [3, 16, 8, 8]\ninput x: [3, 16, 7, 7]\n"
    graph += "output y = where(c[:, :, 1:, 1:] > 0, x, 0)\n"
    compare(f"{graph}derive value y", Options(level="-O2"), flags="-O3")


def test_more_parameters_than_the_stack_holds() -> None:
    graph = """
        input x: [2]
        repeat layer[k in 1..400] carry z = x { next z = dense(z, 2, act=tanh) as f }
        output y = sum(z**2)
        derive value_and_grad y wrt params
        derive jvp y wrt layer.* as push
    """
    made = compare(graph, Options(level="-O2"))
    given = {"params": made.init(), "x": np.ones(2)}
    out = {path: np.zeros_like(value) for path, value in given["params"].items()}
    assert made.value_and_grad_y(**given, out=out)[1].keys() == out.keys()
    given["params"].pop("layer.7.f.b")
    with pytest.raises(ValueError, match=r"missing layer\.7\.f\.b"):
        made.value_and_grad_y(**given)


def test_conditions_hold_before_sizes_divide_by_dims() -> None:
    """Of a stride of 0 the error is that of NumPy."""
    graph = """
        dim N
        input a: [1, 1, 9]
        input b: [1, 1, N]
        output y = conv1d(a, b, stride=N-1)
        derive value y
    """
    made = compare(graph, Options(level="-O2"))
    numpy = load(compile_text(graph).text, "build_stride")
    said = []
    for net in (made, numpy):
        with pytest.raises(ValueError, match="the dims do not fit") as caught:
            net.value_y(np.ones((1, 1, 9)), np.ones((1, 1, 1)))
        said.append(str(caught.value))
    assert said[0] == said[1]


@pytest.mark.parametrize(
    ("graph", "size"),
    [("output z = x[1:] - x[:-1]", 0),
     ('require N <= 3 "small"\noutput y = zeros([N**9]) + x[0]', 50)],
)  # fmt: skip
def test_conditions_hold_before_results_have_room(graph: str, size: int) -> None:
    text = f"dim N\ninput x: [N]\n{graph}"
    said = []
    for net in (built(text, Options()), load(compile_text(text).text, "build_small")):
        with pytest.raises(ValueError, match="the dims do not fit") as caught:
            net.forward(np.zeros(size))
        said.append(str(caught.value))
    assert said[0] == said[1]


def test_an_empty_workspace_and_no_arguments() -> None:
    made = compare(
        "param w: [3]\nparam s: []\noutput y = sum(w * s)\nderive value_and_grad y wrt params",
        Options(level="-O2"),
    )
    assert made.value_and_grad_y({"w": [1, 2, 3], "s": 2})[0] == 12


@pytest.mark.parametrize(
    "tool",
    [
        ["ruff", "check", "--isolated", "--no-cache"],
        pytest.param(["mypy", "--strict", "--config-file="], marks=pytest.mark.long),
    ],
    ids=lambda tool: tool[0],
)
def test_linters_accept_the_module(
    modules: tuple[ModuleType, ModuleType], tool: list[str], tmp_path: Path
) -> None:
    made, _ = modules
    path = tmp_path / "net.py"
    path.write_text(Path(str(made.__file__)).read_text(encoding="utf-8"), encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-m", *tool, "net.py"], cwd=tmp_path, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout


SANITISED = """
from built_modules import compare
from graphc.compile.stages import Options
import pickle, test_build
made = compare(test_build.NET, Options(level="-O2"), flags="-fsanitize=address,undefined -O1")
given = test_build.arguments(made)
_, cache = made.forward(**given)
made.backward(pickle.loads(pickle.dumps(cache)))
for what in ("shape", "missing", "shape of a member", "out of range"):
    try:
        made.value_and_grad_loss(**test_build.spoilt(made, what))
    except (ValueError, IndexError):
        pass
print("clean")
"""


@pytest.mark.long
@pytest.mark.skipif(
    shutil.which("gcc") is None or sys.platform != "linux",
    reason="the sanitisers of another compiler are not loaded into Python in this way",
)
def test_memory_is_used_as_c_allows() -> None:
    libraries = [
        subprocess.run(
            ["gcc", f"-print-file-name={name}.so"], capture_output=True, text=True, check=True
        ).stdout.strip()
        for name in ("libasan", "libubsan")
    ]
    environment = os.environ | {
        "LD_PRELOAD": " ".join(libraries),
        "ASAN_OPTIONS": "detect_leaks=0",
        "UBSAN_OPTIONS": "halt_on_error=1",
        "PYTHONMALLOC": "malloc",
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}",
        "CC": "gcc",
    }
    ran = subprocess.run(
        [sys.executable, "-c", SANITISED], env=environment, capture_output=True, text=True
    )
    assert ran.stdout == "clean\n", ran.stderr[-3000:]


# ---- compilers -----------------------------------------------------------------------------------


def program(folder: Path, name: str, text: str = "exit 1") -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.mark.skipif(os.name == "nt", reason="programs are scripts of sh here")
def test_the_compiler_is_that_of_cc_then_of_the_path(tmp_path: Path) -> None:
    for name in ("clang", "mine", "cc"):
        program(tmp_path, name)
    path = {"PATH": str(tmp_path)}
    assert find_compiler(path) == Compiler((str(tmp_path / "cc"),), "gcc")
    named = find_compiler(path | {"CC": "mine -m64"})
    assert named == Compiler((str(tmp_path / "mine"), "-m64"), "gcc")
    (tmp_path / "cc").unlink()
    assert find_compiler(path).command == (str(tmp_path / "clang"),)


def test_without_a_compiler_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(NoCompilerError, match=r"pip install graphc\[c\]"):
        find_compiler({"PATH": str(tmp_path)})
    with pytest.raises(NoCompilerError, match="CC names `nothing`"):
        find_compiler({"PATH": str(tmp_path), "CC": "nothing"})


@pytest.mark.skipif(os.name == "nt", reason="programs are scripts of sh here")
def test_words_are_no_shell_commands(tmp_path: Path) -> None:
    """What a compiler is given arrives as it is; what it says is told."""
    said = program(tmp_path, "cc", 'echo "$2"; exit 3')
    with pytest.raises(CompilerError, match=r"\$\(touch gone\); x"):
        run(Compiler((str(said),), "gcc"), [["-c", "$(touch gone); x"]], tmp_path)
    assert not (tmp_path / "gone").exists()


def test_options_of_msvc() -> None:
    options = shared_options(Compiler(("cl",), "msvc"), ["a.c"], "a.dll")
    assert options == ["/nologo", "/std:c11", "/O2", "/LD", "a.c", "/Fe:a.dll"]


# ---- the command ---------------------------------------------------------------------------------

SMALL = "input x: [3]\noutput y = sum(x * x)\nderive grad y wrt x\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRAPHC_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CFLAGS", "-O0")
    (tmp_path / "small.graph").write_text(SMALL, encoding="utf-8")
    return tmp_path


def command(*words: str) -> Any:
    return CliRunner().invoke(app, ["build", *words])


def test_the_command_writes_a_module_that_another_process_imports(folder: Path) -> None:
    """Once more nothing is compiled; of another text the extension is another, the old one gone."""
    ran = command(str(folder / "small.graph"))
    assert ran.exit_code == 0, ran.output
    (first,) = folder.glob("_net_*")
    asked = (
        "import small; print(small.grad_y([1, 2, 3])['x'], 'graphc' in __import__('sys').modules)"
    )
    said = subprocess.run(
        [sys.executable, "-c", asked], cwd=folder, capture_output=True, text=True, check=True
    )
    assert said.stdout == "[2. 4. 6.] False\n"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(extension, "run", lambda *given: pytest.fail("compiled again"))
        assert command(str(folder / "small.graph"), "-o", str(folder / "other.py")).exit_code == 0
    (folder / "small.graph").write_text(SMALL.replace("x * x", "x"), encoding="utf-8")
    (folder / "other.py").unlink()
    assert command(str(folder / "small.graph")).exit_code == 0
    (second,) = folder.glob("_net_*")
    assert second != first


def test_the_command_without_a_compiler(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    ran = command(str(folder / "small.graph"))
    assert ran.exit_code == 1
    assert "CC names `no-such-compiler`" in ran.output
    assert "`graphc compile` writes needs none" in ran.output
    assert sorted(one.name for one in folder.iterdir()) == ["cache", "small.graph"]


def test_the_command_refuses_as_compile_does(folder: Path) -> None:
    (folder / "small.graph").write_text("output y = x\n", encoding="utf-8")
    assert "error[" in command(str(folder / "small.graph")).output
    assert "what is built are files" in command("-").output
    (folder / "small.py").write_text("mine = 1\n", encoding="utf-8")
    (folder / "small.graph").write_text(SMALL, encoding="utf-8")
    assert "was not generated by graphc" in command(str(folder / "small.graph")).output
    assert (folder / "small.py").read_text(encoding="utf-8") == "mine = 1\n"


def test_a_module_without_its_extension_says_so(folder: Path) -> None:
    assert command(str(folder / "small.graph")).exit_code == 0
    for one in folder.glob("_net_*"):
        one.unlink()
    ran = subprocess.run(
        [sys.executable, "-c", "import small"], cwd=folder, capture_output=True, text=True
    )
    assert "run `graphc build` with this Python" in ran.stderr


@pytest.mark.parametrize("words", [[], ["-o", "other.h"]])
def test_what_is_made_for_a_machine_is_called_as_its_header(
    folder: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    """Also where the functions are not, since the name of the graph is a word of C."""
    monkeypatch.setattr(machines, "compile_for", lambda *given: b"made")
    monkeypatch.chdir(folder)
    (folder / "small.graph").rename("double.graph")
    assert command("double.graph", "--for", "cortex-m4", *words).exit_code == 0
    stem = "other" if words else "double"
    assert Path(f"{stem}.o").read_bytes() == b"made"
    assert "int double__forward(" in Path(f"{stem}.h").read_text(encoding="utf-8")


def test_the_command_knows_all_machines() -> None:
    assert (*machines.MACHINES,) == MACHINES_OF_THE_COMMAND
