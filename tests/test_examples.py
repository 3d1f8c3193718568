"""The examples: they compile, their gradients are right, and what their scripts show holds."""

from __future__ import annotations

import importlib
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from graphc.compile.stages import compile_file
from graphc.sample import random_arguments
from tests.loading import loaded

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
GRAPHS = sorted(EXAMPLES.glob("*.graph"))
PROVED = (
    "three_layers", "dense_column", "net321", "residual", "batched", "two_functions", "sigmoid",
    "hadamard", "block_row", "forward_backward", "per_sample", "newton", "bundle",
    "checkpoints", "nan", "dose",
)  # fmt: skip
CLOSE = dict.fromkeys(("newton", "bridges", "dose"), 1e-7)  # Hessians, by differences of gradients
LAYERS = 2


@pytest.fixture(scope="module")
def script() -> Iterator[Callable[[str], ModuleType]]:
    """Import a script of the examples as it imports its neighbours."""
    sys.path.insert(0, str(EXAMPLES))
    yield importlib.import_module
    sys.path.remove(str(EXAMPLES))


@pytest.fixture(scope="module")
def digits(script: Callable[[str], ModuleType], tmp_path_factory: Any) -> ModuleType:
    """The generated module of the digits."""
    return script("build").load("digits", tmp_path_factory.mktemp("digits"))


@pytest.mark.parametrize("path", GRAPHS, ids=lambda path: path.stem)
def test_gradients_of_every_graph(path: Path) -> None:
    result = compile_file(path)
    assert result.warnings == ()
    module = loaded(result.text, f"checked_{path.stem}")
    errors = module.check(**random_arguments(result.model))
    assert len(errors) >= 2
    assert max(errors.values()) < CLOSE.get(path.stem, 1e-9)


@pytest.mark.parametrize("path", GRAPHS, ids=lambda path: path.stem)
def test_every_graph_has_a_script_and_a_line_in_the_gallery(path: Path) -> None:
    gallery = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert path.with_suffix(".py").is_file()
    assert f"({path.name})" in gallery
    assert f"`python examples/{path.stem}.py`" in gallery


@pytest.mark.parametrize("name", PROVED)
def test_what_a_script_shows_holds(
    name: str,
    script: Callable[[str], ModuleType],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    script(name).main(tmp_path)
    printed = capsys.readouterr().out
    assert printed.count("✓") >= 3
    assert "✗" not in printed
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [f"{name}.py"]


def spoilt(module: ModuleType) -> SimpleNamespace:
    """The module with every derived function off by some per mille, each by another factor."""

    def scaled(value: Any, factor: float) -> Any:
        match value:
            case dict():
                return {key: scaled(one, factor) for key, one in value.items()}
            case tuple() if hasattr(value, "_fields"):
                return type(value)(*(scaled(one, factor) for one in value))
            case tuple():
                return tuple(scaled(one, factor) for one in value)
        return value * factor

    def off(function: Callable[..., Any], factor: float) -> Callable[..., Any]:
        return lambda *given, **named: scaled(function(*given, **named), factor)

    public = {name: value for name, value in vars(module).items() if not name.startswith("_")}
    derived = [name for name in module.GRAPH["multiply_adds"] if name in public]
    for number, name in enumerate(derived):
        if name not in ("forward", "backward"):
            public[name] = off(public[name], 1 + number / 1000)
    return SimpleNamespace(**public)


@pytest.mark.parametrize("name", PROVED)
def test_a_script_stops_where_the_module_is_wrong(
    name: str,
    script: Callable[[str], ModuleType],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = script(name)
    wrong = spoilt(shown.load(name, tmp_path))
    monkeypatch.setattr(shown, "load", lambda *given, **options: wrong)
    with pytest.raises(SystemExit, match="relative difference"):
        shown.main(tmp_path)


def test_residual_prints_the_sum_over_the_children(
    script: Callable[[str], ModuleType], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script("residual").main(tmp_path)
    printed = capsys.readouterr().out
    assert "    # h1 goes into h2, f1" in printed
    assert "    d_h1 = (" in printed


def test_compare_stops_where_values_differ(script: Callable[[str], ModuleType]) -> None:
    build = script("build")
    build.compare("equal", [1.0, 2.0], [1.0, 2.0])
    with pytest.raises(SystemExit, match=r"relative difference is 5\.0e-01"):
        build.compare("different", [1.0, 1.0], [1.0, 2.0])
    with pytest.raises(SystemExit, match="shape"):
        build.compare("another shape", [1.0], 1.0)
    with pytest.raises(SystemExit):
        build.compare("not a number", [np.nan], [1.0])
    build.claim("so", True, "found")
    with pytest.raises(SystemExit, match="not so: found"):
        build.claim("not so", False, "found")


def test_script_runs_from_any_folder(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "net321.py"), "built"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    assert "dy/dx = dy/dz · dz/dx" in done.stdout
    assert (tmp_path / "built" / "net321.py").is_file()


def test_demo_compiles_every_graph(
    script: Callable[[str], ModuleType], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    demo = script("demo")
    demo.compile_all(tmp_path)
    assert sorted(path.stem for path in tmp_path.glob("*.py")) == [path.stem for path in GRAPHS]
    scripts = {path.stem for path in EXAMPLES.glob("*.py")} - {"build", "demo"}
    proved = demo.CHECKED_BY_HAND + demo.QUESTIONS + demo.KEPT + demo.FITTED + demo.TRACED
    assert set(proved) == set(PROVED)
    assert set(proved + demo.BRIDGED + demo.TRAINED) == scripts


def test_demo_fails_where_a_command_fails(script: Callable[[str], ModuleType]) -> None:
    demo = script("demo")
    demo.command("-c", "pass")
    with pytest.raises(SystemExit) as stopped:
        demo.command("-c", "raise SystemExit(3)")
    assert stopped.value.code == 3


def test_digits_learn_and_are_drawn(
    digits: ModuleType, script: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    training = script("digits")
    learn, held = training.read()
    assert len(learn.label) + len(held.label) == 1797
    reported: list[tuple[float, float]] = []
    params, history = training.train(
        digits, learn, held, epochs=4, report=lambda *losses: reported.append(losses)
    )
    assert len(reported) == len(history.held_out) == 4
    assert history.held_out[-1] < history.held_out[0] < history.steps[0]
    assert training.accuracy(digits, params, held) > 0.93
    logits = digits.value_logits(params, *held)
    training.draw(tmp_path / "digits.png", history, held, logits)
    assert (tmp_path / "digits.png").read_bytes().startswith(b"\x89PNG")


def test_split_is_fixed_and_apart(script: Callable[[str], ModuleType]) -> None:
    read = script("digits").read
    learn, held = read()
    again, _ = read()
    np.testing.assert_array_equal(learn.pixels, again.pixels)
    assert 0 <= learn.pixels.min() < learn.pixels.max() == 1
    assert np.bincount(held.label, minlength=10).min() > 20
    both = np.concatenate([learn.pixels, held.pixels])
    np.testing.assert_array_equal(np.sort(both.sum(axis=1)), np.sort(all_pixels().sum(axis=1)))


def all_pixels() -> Any:
    with np.load(EXAMPLES / "data" / "digits.npz", allow_pickle=False) as data:
        return data["images"] / 16


def test_scipy_lowers_the_loss(digits: ModuleType, script: Callable[[str], ModuleType]) -> None:
    training, fitting = script("digits"), script("digits_scipy")
    learn, held = training.read()
    few = training.Pictures(learn.pixels[:300], learn.label[:300])
    start = training.loss_of(digits, digits.init(0), few)
    params, result = fitting.fit(digits, few, iterations=15)
    assert result.nit <= 15
    assert training.loss_of(digits, params, few) < start / 5
    assert training.accuracy(digits, params, held) > 0.8


@pytest.fixture(scope="module")
def mixture(script: Callable[[str], ModuleType], tmp_path_factory: Any) -> ModuleType:
    """The generated module of what is fitted out of core."""
    made: ModuleType = script("build").load(
        "out_of_core", tmp_path_factory.mktemp("mixture"), level=2, split="B"
    )
    return made


@pytest.fixture
def out_of_core(
    script: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> ModuleType:
    """Its script, with few points, which lie in two folders."""
    shown = script("out_of_core")
    for name, size in {"POINTS": 600, "BATCH": 200, "CHUNK": 70}.items():
        monkeypatch.setattr(shown, name, size)
    for folder in (tmp_path / "undisturbed", tmp_path / "stopped"):
        folder.mkdir()
        shown.write_points(folder / "points.npy")
    return shown


def assert_goes_on_to_the_same_bits(shown: Any, net: ModuleType, folder: Path) -> None:
    losses, params = shown.fit(net, folder / "undisturbed", at="synchronous", until=6)
    again, found = shown.fit(net, folder / "stopped", at="threads", until=6)
    assert len(set(losses)) == 6
    assert again == losses
    assert all(params[path].tobytes() == found[path].tobytes() for path in params)


def test_out_of_core_goes_on_to_the_same_bits(
    mixture: ModuleType, out_of_core: Any, tmp_path: Path
) -> None:
    out_of_core.fit(mixture, tmp_path / "stopped", at="threads", until=2)
    assert_goes_on_to_the_same_bits(out_of_core, mixture, tmp_path)


def test_out_of_core_goes_on_after_its_disk_was_full(
    mixture: ModuleType, out_of_core: Any, tmp_path: Path
) -> None:
    """The error names the step and its rows; what was kept before is there, and nothing else."""
    folder = tmp_path / "stopped"
    expected = {
        "step 1 (rows 0 to 199) is not kept in ": "nothing is there yet",
        "step 3 (rows 400 to 599) is not kept in ": "step 2 is there",
    }
    for begins, ends in expected.items():
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        with largest_file(700), pytest.raises(out_of_core.NotKept) as told:
            out_of_core.fit(mixture, folder, at="synchronous", until=3)
        assert str(told.value).startswith(begins)
        assert str(told.value).endswith(ends)
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
        out_of_core.fit(mixture, folder, at="synchronous", until=2)
    assert_goes_on_to_the_same_bits(out_of_core, mixture, tmp_path)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let the system take so many bytes of a file, as a disk that is full does."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.long
def test_out_of_core_finds_the_clouds(
    script: Callable[[str], ModuleType], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script("out_of_core").main(tmp_path)
    assert capsys.readouterr().out.count("✓") == 6


def some_digits(digits: ModuleType, seed: int) -> tuple[dict[str, Any], Any, Any]:
    """Parameters of which none is at a special value, and a batch."""
    rng = np.random.default_rng(seed)
    params = digits.init(seed)
    params = {path: value + 0.1 * rng.normal(size=value.shape) for path, value in params.items()}
    return params, rng.uniform(size=(7, 64)), rng.integers(0, 10, 7)


def loss_in_jax(params: dict[str, Any], pixels: Any, label: Any) -> Any:
    """The network of `digits.graph`, written again."""

    def dense(h: Any, at: str) -> Any:
        return h @ params[f"{at}.W"] + params[f"{at}.b"]

    def layernorm(h: Any, at: str) -> Any:
        centred = h - jnp.mean(h, axis=-1, keepdims=True)
        variance = jnp.mean(centred**2, axis=-1, keepdims=True)
        return params[f"{at}.gain"] * centred / jnp.sqrt(variance + 1e-5) + params[f"{at}.bias"]

    h = dense(pixels, "stem")
    for k in range(1, LAYERS + 1):
        up = jax.nn.silu(dense(layernorm(h, f"layer.{k}.norm"), f"layer.{k}.up"))
        h = h + dense(up, f"layer.{k}.down")
    logits = dense(layernorm(h, "last"), "logits")
    return -jnp.mean(jax.nn.log_softmax(logits)[jnp.arange(len(label)), label])


@pytest.mark.parametrize("seed", [0, 1])
def test_digits_gradients_against_jax(digits: ModuleType, seed: int) -> None:
    params, pixels, label = some_digits(digits, seed)
    expected_loss, expected = jax.jit(jax.value_and_grad(loss_in_jax))(params, pixels, label)
    loss, grads = digits.value_and_grad_loss(params, pixels, label)
    assert loss == pytest.approx(float(expected_loss), rel=1e-13)
    assert list(grads) == list(digits.PARAMETERS)
    assert grads.keys() == expected.keys()
    for path, gradient in grads.items():
        reference = np.asarray(expected[path])
        assert reference.dtype == np.float64
        scale = np.abs(reference).max()
        np.testing.assert_allclose(gradient, reference, rtol=0, atol=1e-12 * scale, err_msg=path)


def test_digits_gradients_against_central_differences(digits: ModuleType) -> None:
    params, pixels, label = some_digits(digits, 2)
    grads = digits.value_and_grad_loss(params, pixels, label)[1]
    rng = np.random.default_rng(2)
    width = 1e-5
    for path, gradient in grads.items():
        for place in rng.choice(gradient.size, size=4, replace=False):
            index = np.unravel_index(place, gradient.shape)
            losses = []
            for step in (width, -width):
                moved = {**params, path: params[path].copy()}
                moved[path][index] += step
                losses.append(digits.forward(moved, pixels, label)[0].loss)
            numerical = (losses[0] - losses[1]) / (2 * width)
            assert gradient[index] == pytest.approx(numerical, abs=1e-7), (path, index)
