"""The JAX target computes what the NumPy module computes, and is a module of pure functions."""

from __future__ import annotations

import ast
import inspect
import socket
import subprocess
import sys
from itertools import chain
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from calling import given
from click.testing import CliRunner
from conftest import long
from every_operation import operations
from jax_modules import agree, compare, modules, outputs_of
from jax_programs import disagreement
from operation_references import CALLS
from sampling import NAMES, Call
from test_operations import graph_of
from test_ops import depends, has_derivative, kinds

from graphc.cli.app import app
from graphc.compile.stages import Options, compile_text, load
from graphc.ir.kernel import Put, Running
from graphc.source import GraphError
from graphc.targets.jax.printing import kernels
from graphc.targets.jax.runtime.library import HERE
from graphc.targets.numpy.printing.copied import definitions_of
from graphc.targets.numpy.runtime.lacking import FILES
from tests.patience import PATIENCE

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.graph"))
LANGUAGE = sorted((ROOT / "tests" / "language" / "examples").glob("*.graph"))
JAX = Options(target="jax")


def named(path: Path) -> str:
    return path.stem


def jax_module(text: str, name: str, options: Options = JAX) -> Any:
    return load(compile_text(text, options=options).text, name)


# ---- the same numbers ----------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("level", ["-O0", "-O2"])
@pytest.mark.parametrize("path", [*EXAMPLES, *LANGUAGE], ids=named)
def test_every_example_agrees(path: Path, level: str, dtype: str) -> None:
    if path.stem == "checkpoints":  # whose many steps take long one by one
        compare(path, Options(level=level, dtype=dtype))
        return
    with jax.disable_jit():
        compare(path, Options(level=level, dtype=dtype))


LOOPS = """
dim T, D
input x: [T, D]
input h0: [D]
param A: [D, D]
param w: [3, D]
scan steps[t in T] carry h = h0, c = h0 {
    next h = tanh(c @ A + x[t])
    next c = 0.5 * h[::-1]
    collect hs = h * c
}
scan more[n in 6] carry e = c {
    next e = 1.5 * e
    collect es = e * c
    until sum(e**2) > 5
}
repeat layer[k in 1..3] carry z = h {
    param W: [D, D]
    next z = tanh(z @ W + w[k - 1])
}
output y = sum(hs**2) + sum(z**3) + sum(e) + sum(cos(es))
output last = z
derive value_and_grad y wrt x, params
derive jvp last wrt h0, layer.* as pushed
"""
FURTHER = """
derive hvp y wrt h0, A as curved
derive jacobian last wrt h0, w as J
derive hessian_matrix y wrt h0 as H
"""


@pytest.mark.long
@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_loops_agree_in_every_kind(level: str) -> None:
    compare(LOOPS + FURTHER, Options(level=level))


MOVING = """
dim T
input x: [T + 2, 3]
input v: [6]
scan windows[t in T] carry h = zeros([3]) {
    next h = h + sum(x[t:t + 3, :] * x[t + 1, 0], axis=0)
    collect hs = h * maximum(t, 1)
}
scan shrinking[k in 1..5] carry s = 0.0 {
    next s = s + sum(v[k:])**2 / k
}
output y = sum(hs**2) + s
derive value_and_grad y wrt x, v
"""


@pytest.mark.parametrize("level", ["-O0", pytest.param("-O2", marks=pytest.mark.long)])
def test_parts_that_move_with_the_step_agree(level: str) -> None:
    """One of a fixed length is a dynamic slice; of one that shrinks the loop is written out."""
    compare(MOVING, Options(level=level))
    text = compile_text(MOVING, options=Options(target="jax", level="-O0")).text
    assert "lax.dynamic_slice(x, (t, 0), (3, 3))" in text
    assert "= _unroll(\n        _step_k,\n" in text


COLUMNS = """
dim T
input x: [2, T]
input h0: [2]
scan steps[t in T] carry h = h0 {
    next h = tanh(h + x[:, t])
    collect hs = h
}
output y = sum(h**2) + sum(hs)
derive grad y wrt x, h0
"""


def test_a_loop_of_no_steps_reads_nothing() -> None:
    """JAX traces a step all the same, which would take a column of none."""
    compare(COLUMNS, Options(level="-O0"), dims={"T": 0})


PLACES = """
dim N, J
input x: [N, 3]
input k: int[J]
input at: int[N]
param P: [J, 3]
a = take(x, k, axis=0) * put(P, 2 * x[:1], arange(1))
b = sort(x, axis=1) * cumsum(x, axis=1)
c = pick(x, at) + logsumexp(x, axis=1)
output y = sum(a**2) + sum(b) + sum(c**3) + sum(diag(c) @ x) + max(x)
output best = argmax(x, axis=1)
derive value_and_grad y wrt x, P
"""


@pytest.mark.long
@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_places_agree(level: str) -> None:
    compare(PLACES, Options(level=level))


SAMPLE = {"searchsorted", "vdot"}
"""Functions of the language that are always compared: what JAX says otherwise than NumPy."""


@pytest.mark.parametrize("name", [one if one in SAMPLE else long(one) for one in CALLS])
def test_every_operation_agrees(name: str) -> None:
    """In value, tangents, cotangents pulled back and all derivatives, at one level or the other."""
    for number, call in enumerate(CALLS[name][:4]):
        _compare_call(call, Options(level=("-O2", "-O0")[number % 2]))


def _compare_call(call: Call, options: Options) -> None:
    floats = ", ".join(f"y{i}" for i, kind in enumerate(kinds(call)) if kind == "f")
    names = [NAMES[slot] for slot in call.floats]
    wrt = ", ".join(names)
    lines, clauses = graph_of(call), []
    if has_derivative(call) and depends(call):
        derived = {"jvp": "pushed", "vjp": "pulled", "jacobian": "J"}
        clauses = [f"derive {kind} {floats} wrt {wrt} as {name}" for kind, name in derived.items()]
    try:
        _, plain, other = modules("\n".join([*lines, *clauses]), options)
    except GraphError as error:
        if error.diagnostics[0].code not in ("E403", "E406"):  # no derivative
            raise
        clauses = []
        _, plain, other = modules("\n".join(lines), options)
    size = call.sizes[0]
    arguments = call.arguments(size)
    dims = {"N": size} if "N" in inspect.signature(plain.forward).parameters else {}
    calls: dict[str, dict[str, Any]] = {"forward": {}}
    if clauses:
        rng = np.random.default_rng(5)
        given = {NAMES[slot]: np.shape(arguments[slot]) for slot in call.floats}
        tangents = {name: rng.normal(size=shape) for name, shape in given.items()}
        calls["pushed"] = {"tangents": tangents}
        values, _ = plain.pushed(*arguments, **dims, tangents=tangents)
        cotangents = {n: rng.normal(size=np.shape(v)) for n, v in values._asdict().items()}
        calls |= {"pulled": {"cotangents": cotangents}, "J": {}}
    for name, more in calls.items():
        with np.errstate(all="ignore"):
            expected = outputs_of(getattr(plain, name)(*arguments, **dims, **more))
            found = outputs_of(getattr(other, name)(*arguments, **dims, **more))
        assert [*found] == [*expected]
        for path, value in expected.items():
            agree(found[path], value, 1e-11, f"{call}: {name} {path}")


def test_of_several_values_for_one_place_the_last_counts() -> None:
    graph = """
    dim N
    input x: [4]
    input v: [N]
    input i: int[N]
    output y = put(x, v, i)
    derive vjp y wrt x, v as pulled
    """
    _, plain, other = modules(graph)
    arguments = [np.arange(4.0), np.array([10.0, 20, 30]), np.array([1, -3, 1])]
    assert other.forward(*arguments)[0].y.tolist() == [0, 30, 2, 3]
    cotangents = {"y": np.array([1.0, 2, 3, 4])}
    expected = plain.pulled(*arguments, cotangents=cotangents)[1]
    found = other.pulled(*arguments, cotangents=cotangents)[1]
    assert found["v"].tolist() == expected["v"].tolist() == [0, 0, 2]


def test_every_operation_has_a_form() -> None:
    """But for what the NumPy target alone has: `--trace-nan`, and functions of Python's floats."""
    lacking = {op.name for op in operations() if not kernels.has_form(op.kernel)}
    lacking |= {
        op.name
        for op in operations()
        if (isinstance(op.kernel, Put) and op.kernel.place not in kernels._PUTS)
        or (isinstance(op.kernel, Running) and op.kernel.name not in kernels._RUNNING)
    }
    assert lacking <= {"watched", "scalar", "numbers"}


def test_what_has_no_form_is_refused_at_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "OWN", {})
    monkeypatch.setattr(kernels, "FUNCTIONS", {})
    text = "input x: [3]\noutput y = ndtri(x)"
    with pytest.raises(GraphError) as refused:
        compile_text(text, options=JAX)
    (one,) = refused.value.diagnostics
    assert one.code == "E430"
    assert "`ndtri` has no form in JAX" in one.message
    assert one.span is not None
    assert text[one.span.start :].startswith("output y")


def test_what_replaces_a_function_of_the_numpy_target_is_meant_to() -> None:
    """Of those that are copied into modules two of one name would be a mistake."""
    there = [definitions_of("parts"), *map(definitions_of, FILES)]
    here = [definitions_of(file, "jax") for file in HERE]
    assert {*chain(*there)} & {*chain(*here)} == {
        "_array", "_cotangent", "_join", "_split", "_recurrence", "_overlap", "_cofactors",
        "_moved_expm", "_gamma_tail", "_beta_tail",
    }  # fmt: skip
    assert len([*chain(*here)]) == len({*chain(*here)})


# ---- a module of JAX -----------------------------------------------------------------------------

NET = """
dim B
input x: [B, 3]
input label: int[B]
h = dense(x, 4, act=tanh)
z = dense(h, 2)
output loss = cross_entropy(z, label)
derive value_and_grad loss wrt params, x
"""


def test_it_is_differentiated_transformed_and_compiled_by_jax() -> None:
    """The derivative that graphc takes is that of JAX; under jit, of a batch of batches too."""
    made = jax_module(NET, "jax_net", Options(target="jax", level="-O0"))
    rng = np.random.default_rng(0)
    params = made.init(seed=1)
    x, label = jnp.asarray(rng.normal(size=(5, 3))), np.array([0, 1, 1, 0, 1])
    loss, grads = jax.jit(made.value_and_grad_loss)(params, x, label)

    def of_forward(params: Any, x: Any) -> Any:
        return made.forward(params, x, label)[0].loss

    expected = jax.jit(jax.value_and_grad(of_forward, argnums=(0, 1)))(params, x)
    agree(loss, expected[0], 1e-13, "loss")
    for path, value in (expected[1][0] | {"x": expected[1][1]}).items():
        agree(grads[path], value, 1e-13, path)

    out, cache = jax.jit(made.forward)(params, x, label)
    assert cache.B == 5  # no array: what sizes depend on stays a number
    pulled = jax.jit(made.backward)(cache)
    for path in made.PARAMETERS:
        agree(pulled[path], grads[path], 1e-13, path)
    several = jax.vmap(lambda x: made.forward(params, x, label)[0].loss)(jnp.stack([x, 2 * x]))
    agree(several[0], out.loss, 1e-13, "vmap")


def test_loops_are_differentiated_by_jax() -> None:
    """With `until`, a family of parameters, what is collected, and a vector turned around: values
    are those of NumPy, and the derivative that graphc takes is that of JAX."""
    model, plain, made = modules(LOOPS, Options(level="-O0"))
    arguments = given(model)["forward"]
    expected, _ = plain.forward(**arguments)
    params = arguments.pop("params")

    def of_forward(params: Any, x: Any) -> Any:
        return made.forward(params, x, arguments["h0"])[0].y

    with jax.disable_jit():
        y, found = made.value_and_grad_y(params, **arguments)
    agree(y, expected.y, 1e-13, "y")
    by_params, by_x = jax.jit(jax.grad(of_forward, argnums=(0, 1)))(params, arguments["x"])
    for path, value in (by_params | {"x": by_x}).items():
        agree(found[path], value, 1e-12, path)


def test_float64_wants_to_be_asked_for() -> None:
    made = jax_module("input x: [2]\noutput y = sum(x)", "jax_wide")
    single = jax_module(
        "input x: [2]\noutput y = sum(x)", "jax_single", Options(target="jax", dtype="float32")
    )
    jax.config.update("jax_enable_x64", False)
    try:
        assert single.forward([1, 2])[0].y.dtype == np.float32
        with pytest.raises(RuntimeError, match=r"jax_enable_x64.*--dtype float32"):
            made.forward([1.0, 2.0])
    finally:
        jax.config.update("jax_enable_x64", True)
    assert made.forward([1.0, 2.0])[0].y.dtype == np.float64


def test_what_does_not_fit_is_told_as_by_the_numpy_module() -> None:
    _, plain, other = modules(NET)
    params = plain.init(seed=0)
    x = np.zeros((2, 3))
    for arguments in (
        (params, x[:, :2], [0, 1]),
        (params, x, [0, 1, 1]),
        (params, x, [0.5, 1]),
        (params, x[0], [0]),
        ({**params, "g": 1.0}, x, [0, 1]),
        (params, [["a"] * 3] * 2, [0, 1]),
        (list(params), x, [0, 1]),
    ):
        with pytest.raises((ValueError, TypeError)) as expected:
            plain.forward(*arguments)
        with pytest.raises(expected.type) as found:
            other.forward(*arguments)
        assert str(found.value) == str(expected.value)
    _, cache = other.forward(params, x, [0, 1])
    with pytest.raises(ValueError, match="the cotangent of `loss`"):
        other.backward(cache, loss=np.ones(3))
    with pytest.raises(TypeError, match="cache"):
        other.backward((1, 2))


def test_parameters_are_those_of_the_numpy_module() -> None:
    _, plain, other = modules(NET)
    one, two = plain.init(seed=3), other.init(seed=3)
    assert [*one] == [*two]
    assert all(np.array_equal(one[path], two[path]) for path in one)
    vector = other.flatten(two)
    assert np.array_equal(vector, plain.flatten(one))
    again = other.unflatten(vector)
    assert all(np.array_equal(again[path], two[path]) for path in two)
    assert isinstance(again["h.W"], jax.Array)


def test_what_is_imported() -> None:
    tree = ast.parse(compile_text(LOOPS, options=JAX).text)
    modules = {
        name
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert modules == {
        "__future__", "collections.abc", "dataclasses", "typing", "jax", "jax.numpy", "numpy",
    }  # fmt: skip


def test_the_text_does_not_depend_on_hashes() -> None:
    text = (
        "import sys; from graphc.compile.stages import Options, compile_text\n"
        "print(compile_text(sys.stdin.read(), options=Options(target='jax')).text)"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", text],
            input=NET,
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE,
            env={"PYTHONHASHSEED": seed},
            cwd=ROOT,
        ).stdout
        for seed in "01"
    }
    assert len(found) == 1


def test_the_command_writes_it(tmp_path: Path) -> None:
    (tmp_path / "net.graph").write_text(NET, encoding="utf-8")
    run = CliRunner().invoke(app, ["compile", "--target", "jax", str(tmp_path / "net.graph")])
    assert run.exit_code == 0, run.output
    text = (tmp_path / "net.py").read_text(encoding="utf-8")
    assert "import jax.numpy as jnp" in text
    assert "graphc" not in {line.split()[1] for line in text.splitlines() if line[:6] == "import"}
    run = CliRunner().invoke(
        app, ["compile", "--target", "jax", "--memory", "1MB", str(tmp_path / "net.graph")]
    )
    assert run.exit_code == 2
    assert "it is of the target numpy alone" in run.output


# ---- several devices -----------------------------------------------------------------------------

ON_TWO = """
import sys
import jax
import numpy as np
from graphc.compile.stages import Options, compile_text, load
jax.config.update("jax_enable_x64", True)
options = Options(target="jax", level="-O0", split="B")
net = load(compile_text(sys.stdin.read(), options=options).text, "net")
mesh = jax.sharding.Mesh(jax.devices(), ("B",))
rng = np.random.default_rng(0)
given = net.init(seed=0), rng.normal(size=(6, 3)), np.arange(6) % 2
_, whole = net.value_and_grad_loss(*given)
_, found = net.shard(mesh, "value_and_grad_loss")(*given)
for path, gradient in found.items():
    np.testing.assert_allclose(gradient, whole[path], rtol=1e-13, atol=1e-14)
print({path: one.addressable_shards[0].data.shape[:1] for path, one in found.items()})
"""


def test_rows_are_spread_over_devices() -> None:
    """Each of two has half of the rows of what has rows, and the whole of what is summed."""
    done = subprocess.run(
        [sys.executable, "-c", ON_TWO],
        input=NET,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        env={
            "XLA_FLAGS": "--xla_force_host_platform_device_count=2"
            " --xla_backend_optimization_level=0",
            "JAX_PLATFORMS": "cpu",
        },
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert ast.literal_eval(done.stdout) == {
        "h.W": (3,), "h.b": (4,), "z.W": (4,), "z.b": (2,), "x": (3,),
    }  # fmt: skip


IN_TWO = """
import sys
import jax
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_cpu_collectives_implementation", "gloo")
place, address = int(sys.argv[1]), sys.argv[2]
jax.distributed.initialize(coordinator_address=address, num_processes=2, process_id=place)
import numpy as np
from graphc.compile.stages import Options, compile_text, load
text = sys.stdin.read()
net = load(compile_text(text, options=Options(target="jax", split="B")).text, "net")
mesh = jax.sharding.Mesh(jax.devices(), ("B",))
rng = np.random.default_rng(0)
params, x, label = net.init(seed=0), rng.normal(size=(6, 3)), np.arange(6) % 2
own = slice(3 * place, 3 * place + 3)
given = [
    jax.make_array_from_process_local_data(
        jax.sharding.NamedSharding(mesh, net.ROWS["arguments"][name]), whole[own]
    )
    for name, whole in (("x", x), ("label", label))
]
_, found = net.shard(mesh, "value_and_grad_loss")(params, *given)
plain = load(compile_text(text, options=Options()).text, "plain")
_, expected = plain.value_and_grad_loss(params, x, label)
for path, gradient in found.items():
    here = [(shard.index, np.asarray(shard.data)) for shard in gradient.addressable_shards]
    for index, part in here:
        np.testing.assert_allclose(part, expected[path][index], rtol=1e-12, atol=1e-14)
"""


@pytest.mark.long
def test_rows_are_spread_over_processes() -> None:
    """Each of two holds its rows; JAX's own runtime adds up what has none."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", IN_TWO, str(place), address],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={"JAX_PLATFORMS": "cpu"},
            cwd=ROOT,
        )
        for place in range(2)
    ]
    for one in started:
        assert one.stdin is not None
        one.stdin.write(NET)
        one.stdin.close()
        one.stdin = None
    said = [one.communicate(timeout=PATIENCE)[1] for one in started]
    assert [one.returncode for one in started] == [0, 0], said


def test_what_does_not_split_is_refused_for_devices_too() -> None:
    text = "dim B\ninput x: [B]\noutput y = sort(x)\nderive value y"
    with pytest.raises(GraphError) as refused:
        compile_text(text, options=Options(target="jax", split="B"))
    (one,) = refused.value.diagnostics
    assert one.code == "E441"
    assert one.span is not None
    assert one.span.line == 3


# ---- programs by chance --------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [293, long(207), *map(long, range(8, 40))])
def test_programs_by_chance_agree(seed: int) -> None:
    """The first two are of sparse matrices."""
    assert disagreement(seed, ("-O0", "-O2")[seed % 2]) == ""
