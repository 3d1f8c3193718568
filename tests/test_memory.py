"""Bounds on memory: the model against what NumPy allocates, the same bits, and what is refused."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import in_turn, long

from graphc.ad.functions import values
from graphc.cli.app import app
from graphc.compile.stages import Compilation, Options, compile_text
from graphc.ir.dims import Dim
from graphc.ir.graph import INPUT, Graph, building, source
from graphc.ir.types import Type
from graphc.ops.elementwise.arithmetic import accumulate
from graphc.ops.elementwise.elementary import tanh
from graphc.ops.linear.products import matmul
from graphc.ops.shape.shaping import reshape, transpose
from graphc.optimise.memory.budget import amount, budget
from graphc.optimise.memory.estimate import Sizes, liveness
from graphc.sample import random_arguments
from graphc.source import GraphError
from tests.loading import loaded


def chain(layers: int) -> str:
    """A net of equations, one after the other."""
    lines = ["dim B = 128, D = 32", "input x: [B, D]", "param W: [D, D]", "h0 = x"]
    lines += [f"h{k} = h{k - 1} + 0.1 * tanh(h{k - 1} @ W)" for k in range(1, layers + 1)]
    return "\n".join([*lines, f"output loss = mean(h{layers}**2)"])


def repeated(layers: int) -> str:
    return f"""dim B = 128, D = 32
input x: [B, D]
repeat layer[k in 1..{layers}] carry z = x {{
    param W: [D, D]
    param b: [D]
    next z = z + tanh(z @ W + b)
}}
output loss = mean(z**2)"""


def scanned(steps: int) -> str:
    return f"""dim B = 16, D = 32, T = {steps}
input x: [T, B, D]
input h0: [B, D]
param W: [D, D]
param U: [D, D]
scan step[t in T] carry h = h0 {{ next h = tanh(h @ W + x[t] @ U) }}
output loss = mean(h**2)"""


GRADIENTS = "\nderive value_and_grad loss wrt params as g"
NETS = {"chain": chain(60), "repeat": repeated(100), "scan": scanned(1000)}


def bounded(text: str, memory: str, level: str = "-O0") -> tuple[Compilation, ModuleType]:
    result = compile_text(text, options=Options(memory=memory, level=level))
    return result, loaded(result.text, "bounded")


def measured(call: Callable[[], object]) -> int:
    """The bytes at the peak of a call; NumPy reports its arrays to tracemalloc."""
    call()
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def same(found: Any, expected: Any) -> bool:
    """Equal bit for bit."""
    if isinstance(expected, dict):
        keys = found.keys() == expected.keys()
        return keys and all(same(found[key], expected[key]) for key in expected)
    if isinstance(expected, tuple | list):
        return len(found) == len(expected) and all(map(same, found, expected))
    return np.asarray(found).tobytes() == np.asarray(expected).tobytes()


def peaks(result: Compilation) -> dict[str, int]:
    return {one.name: one.planned for one in result.planned}


# ---- the model -----------------------------------------------------------------------------


def test_liveness_of_a_graph_by_hand() -> None:
    with building():
        x = source(INPUT, "x", Type("float", (Dim.symbol("N"), Dim.of(4))))
        y = tanh(x)  # 32 N bytes, as all that follows but the product
        z = tanh(y)
        view = transpose(z, axes=(1, 0))
        product = matmul(view, y)  # 128 bytes
        graph = Graph("f", values({"product": product, "y": y}), {})
        sizes = Sizes({"N": 10})
        live = liveness(graph, sizes)
        assert [(node, now) for node, now in zip(live.order, live.live, strict=True)] == [
            (x, 0), (y, 320), (z, 640), (view, 640), (product, 768),
        ]  # fmt: skip
        assert (live.peak, live.end, live.order[live.highest]) == (768, 448, product)
        assert [one.node for one in live.across(3)] == [y, z]
        assert sizes.of(y) == 320
        assert sizes.of(view) == 0
        alone = Graph("f", values({"product": product}), {})
        assert liveness(alone, sizes).peak == 768
        assert liveness(alone, sizes, kept=[z]).end == 448
        assert liveness(alone, sizes, given={y, z}).peak == 128
        with pytest.raises(KeyError):
            liveness(graph, Sizes({}))


def test_in_place_an_operand_that_dies_gives_its_memory() -> None:
    with building():
        x = source(INPUT, "x", Type("float", (Dim.of(10),)))
        y = tanh(tanh(tanh(x)))
        graph = Graph("f", values({"y": y}), {})
        assert liveness(graph, Sizes({})).peak == 160
        assert liveness(graph, Sizes({}, in_place=True)).peak == 80
        both = Graph("f", values({"y": accumulate(y, y.args[0])}), {})
        assert liveness(both, Sizes({}, width=4, in_place=True)).peak == 80


def test_a_reshape_of_a_transpose_is_a_copy() -> None:
    with building():
        x = source(INPUT, "x", Type("float", (Dim.of(2), Dim.of(3))))
        turned = transpose(tanh(x), axes=(1, 0))
        flat = reshape(turned, shape=(Dim.of(6),))
        assert liveness(Graph("f", values({"flat": flat}), {}), Sizes({})).peak == 96


@pytest.mark.usefixtures("verifying")
@pytest.mark.parametrize("memory", ["100%", long("60%"), "25%"])
@pytest.mark.parametrize("net", NETS)
def test_the_measured_peak_is_the_planned_one(net: str, memory: str) -> None:
    """Within 10 %, and the bits of the module without a bound."""
    text = NETS[net] + GRADIENTS
    free = compile_text(text)
    given = random_arguments(free.model)
    whole = loaded(free.text, f"free_{net}")
    result, module = bounded(text, memory)
    planned = peaks(result)
    assert module.GRAPH["peak_bytes"] == planned
    assert measured(lambda: module.g(**given)) == pytest.approx(planned["g"], rel=0.1)
    assert measured(lambda: module.forward(**given)) == pytest.approx(planned["forward"], rel=0.1)
    assert same(module.g(**given), whole.g(**given))
    out, cache = module.forward(**given)
    reference, old = whole.forward(**given)
    assert same(tuple(out), tuple(reference))
    assert same(module.backward(cache), whole.backward(old))
    families = [array for one in cache if isinstance(one, list) for array in one]
    held = sum(one.nbytes for one in (*cache, *families) if isinstance(one, np.ndarray))
    backward = held + measured(lambda: module.backward(cache))
    assert backward == pytest.approx(planned["backward"], rel=0.1)
    limit = float(memory[:-1]) / 100 * max(one.unplanned for one in result.planned)
    assert planned["g"] <= limit
    assert result.warnings or max(planned.values()) <= limit


@pytest.mark.parametrize("memory", ["95%", "70%"])
def test_sums_in_sums_keep_their_bits(memory: str) -> None:
    """A sum that is a term of another is added by itself, whether it has a name or not."""
    text = """
        input z: [5, 2, 3, 2]
        input p: [5, 2, 8, 2]
        output y = grid_sample(z, sin(p) * 1.3, method="cubic", padding="border")
        output l = sum(sin(y))
        derive grad l wrt p as g
    """
    free = compile_text(text, options=Options(level="-O0"))
    held = compile_text(text, options=Options(level="-O0", memory=memory))
    given = random_arguments(free.model)
    whole = loaded(free.text, "cubic").g(**given)
    assert same(loaded(held.text, "cubic_bounded").g(**given), whole)


HESSIAN = """dim N = {N}
input x: [N]
input A: [N, N]
output y = sum(tanh(A @ x)**2)
derive hessian y wrt x as g"""
FAST = {
    "chain": chain(8) + GRADIENTS,
    "repeat": repeated(40) + GRADIENTS,
    "scan": scanned(200) + GRADIENTS,
    "hessian": HESSIAN.format(N=300),
}


@pytest.mark.parametrize("share", [long(0.6), 0.25])
@pytest.mark.parametrize("net", FAST)
def test_what_the_fast_module_is_granted_it_keeps(
    net: str, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a call that makes its scratch, on one thread; or it is refused with what is enough."""
    monkeypatch.setenv("GRAPHC_THREADS", "1")
    free, _ = bounded(FAST[net], "1GB", "-O2")
    (whole,) = [one.unplanned for one in free.planned if one.name == "g"]
    limit = int(share * whole)
    try:
        result, module = bounded(FAST[net], str(limit), "-O2")
    except GraphError as refused:
        (enough,) = re.findall(r"--memory (\S+) is enough", str(refused))
        result, module = bounded(FAST[net], enough, "-O2")
        assert limit < peaks(result)["g"]
        limit = budget(enough).bytes or 0
    given = random_arguments(result.model)
    assert peaks(result)["g"] <= limit
    assert peaks(result)["g"] == module.GRAPH["bytes"]["peak"]["g"]

    def cold() -> object:
        vars(module).get("_SCRATCH", {}).clear()
        return module.g(**given)

    assert measured(cold) <= 1.1 * limit


def test_a_bound_that_the_plan_does_not_hold_is_refused() -> None:
    """Two arrays of the size of the Hessian are alive at once, whatever is computed again."""
    with pytest.raises(GraphError) as refused:
        bounded(HESSIAN.format(N=50), "45KB", "-O2")
    assert [one.code for one in refused.value.diagnostics] == ["E702"]


def test_what_the_cache_holds_is_told_of_backward() -> None:
    """exp(w) and x are kept for it: two arrays of 400 numbers."""
    with pytest.raises(GraphError) as refused:
        bounded("input x: [400]\nparam w: [400]\noutput y = exp(w) * x", "10KB")
    (mistake,) = refused.value.diagnostics
    assert mistake.message.startswith("`backward` does not fit into 10 KB")
    assert "at its peak 6.4 KB are in the cache" in [note.message for note in mistake.notes]


def narrow(blocks: int, long: int) -> str:
    """Blocks of so many arrays of 1,000 numbers each, with a number between them."""
    lines = ["input x: [1000]", "param w: [1000]", "s0 = mean(w * x)"]
    for k in range(blocks):
        inside = [f"s{k} * x", *(f"v{k}_{m}" for m in range(long))]
        lines += [f"v{k}_{m} = sin({inside[m]} + {m + 1}.5)" for m in range(long)]
        lines.append(f"s{k + 1} = mean({inside[-1]} * w)")
    return "\n".join([*lines, f"output loss = s{blocks}", "derive grad loss wrt params as g"])


@pytest.mark.parametrize("level", ["-O0", long("-O2")])
def test_segments_are_cut_where_least_is_read(level: str) -> None:
    """Of the blocks only the numbers between them stay: 7 arrays are enough, with 4 in a block."""
    assert least(narrow(8, 4), level) <= 7 * 8000


@pytest.mark.parametrize("net", NETS)
def test_without_need_nothing_is_computed_again(net: str) -> None:
    result, _ = bounded(NETS[net] + GRADIENTS, "1GB")
    assert all(one.planned == one.unplanned for one in result.planned)
    assert all(one.more == 0 for one in result.planned)
    assert result.warnings == ()


def least(text: str, level: str = "-O0") -> int:
    """The least that all functions which are asked for are said to take."""
    with pytest.raises(GraphError) as refused:
        bounded(text, "1", level)
    (enough,) = re.findall(r"--memory (\S+) is enough", str(refused.value))
    return budget(enough).bytes or 0


@pytest.mark.parametrize(
    ("net", "few", "many", "item", "arrays"),
    [(chain, 16, 121, 128 * 32 * 8, 5), (scanned, 64, 1024, 16 * 32 * 8, 8)],
    ids=["chain", "scan"],
)
def test_the_square_root_of_the_steps_is_enough(
    net: Callable[[int], str], few: int, many: int, item: int, arrays: int
) -> None:
    """So many arrays times the root of the steps, at one more forward pass."""
    for steps in (few, many):
        text = net(steps) + GRADIENTS
        result, _ = bounded(text, str(int(arrays * item * steps**0.5)))
        (one,) = [one for one in result.planned if one.name == "g"]
        assert one.more < 0.6
    assert one.unplanned > 4 * one.planned


def test_segments_are_cut_into_segments() -> None:
    """More than one more forward pass takes less than the root of the steps."""
    text = scanned(1000) + GRADIENTS
    result, _ = bounded(text, str(least(text)))
    assert "segment_2" in result.text
    (one,) = [one for one in result.planned if one.name == "g"]
    assert one.unplanned > 30 * one.planned
    assert one.more < 2


def test_loops_stay_loops() -> None:
    """The text does not grow with the steps."""
    written = [bounded(repeated(steps) + GRADIENTS, "40%")[0].text for steps in (100, 400)]
    short, long = (text[text.index("def g(") : text.index("def check(")] for text in written)
    assert len(short.splitlines()) == len(long.splitlines())
    assert "steps at a time" in long
    assert "d_layer_W_by_segment" in long


LOOPS = {
    "several carried and collected": """dim T = 29
input x: [T, 3]
input h0: [3]
param W: [3, 3]
scan step[t in T] carry h = h0, n = 0.5 {
    next h = tanh(W @ h + x[t] * n)
    next n = n * 0.9 + sum(h) / (t + 1)
    collect ys = h * h
}
output h
output loss = sum(ys) + n""",
    "nested": """dim T = 13, S = 9
input x: [T, S]
param w, v
scan far[t in T] carry h = 0.0 {
    scan near[s in S] carry g = h { next g = tanh(w * g + v * x[t, s]) }
    next h = g
}
output loss = h""",
    "a repeat in a scan": """dim T = 13
input x: [T, 3]
scan far[t in T] carry h = zeros([3]) {
    repeat near[k in 1..5] carry g = h { param W: [3, 3] ; next g = tanh(W @ g + x[t] * k) }
    next h = g
}
output loss = sum(h)""",
    "families of a prime number of layers": repeated(13),
    "until": """dim T = 40
input x: [T]
param w
scan step[t in T] carry h = 1.0 { next h = h * w + x[t] ; until h > 100 }
output loss = h""",
}


@pytest.mark.usefixtures("verifying")
@in_turn("name", [*LOOPS])
def test_loops_in_segments_give_the_same(name: str, level: str) -> None:
    """As little memory as there is: at -O0 the same bits, at -O2 to rounding."""
    text = LOOPS[name] + "\nderive value_and_grad loss wrt params as g"
    text += "\nderive hvp loss wrt params as curved"
    free = compile_text(text, options=Options(level=level))
    whole = loaded(free.text, "loops")
    given = random_arguments(free.model)
    result, module = bounded(text, str(least(text, level)), level)
    assert any(one.planned < one.unplanned for one in result.planned) or name == "until"
    moved = {"tangents": given["params"]}
    pairs = [
        (module.g(**given), whole.g(**given)),
        (module.curved(**given, **moved), whole.curved(**given, **moved)),
        (module.forward(**given)[0], whole.forward(**given)[0]),
        tuple(one.backward(one.forward(**given)[1]) for one in (module, whole)),
    ]
    for found, expected in pairs:
        if level == "-O0":
            assert same(found, expected)
        else:
            close(found, expected)


def close(found: Any, expected: Any) -> None:
    if isinstance(expected, dict):
        for key, value in expected.items():
            close(found[key], value)
    elif isinstance(expected, tuple):
        for one, other in zip(found, expected, strict=True):
            close(one, other)
    else:
        scale = np.max(np.abs(expected), initial=0)
        np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-13 * scale)


def test_a_long_sum_of_gradients_is_added_as_it_comes() -> None:
    """A shared weight gets a contribution from each layer: they are not all alive at the end."""
    text = chain(60).replace("B = 128", "B = 1") + GRADIENTS
    result, module = bounded(text, "20%")
    (one,) = [one for one in result.planned if one.name == "g"]
    assert one.planned < 0.2 * one.unplanned
    given = random_arguments(result.model)
    assert same(module.g(**given), loaded(compile_text(text).text, "sums").g(**given))


# ---- what is said --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "bytes"),
    [("256MB", 256 * 10**6), ("1.5 GiB", 3 * 2**29), ("4096", 4096), ("10kb", 10_000),
     ("7 bytes", 7), ("2KiB", 2048), ("0.5MiB", 2**19), ("3B", 3)],
)  # fmt: skip
def test_amounts(text: str, bytes: int) -> None:
    assert budget(text).bytes == bytes


def test_shares() -> None:
    assert budget("50%").of(1001) == 500
    assert budget("12.5 %").of(80) == 10


@pytest.mark.parametrize("text", ["", "MB", "0", "-1MB", "1XB", "0%", "101%", "1e6", "5 5MB", "½"])
def test_what_is_no_amount(text: str) -> None:
    with pytest.raises(ValueError, match="is not an amount of memory such as 256MB"):
        budget(text)


def test_amounts_are_read() -> None:
    found = [amount(size) for size in (0, 999, 1000, 30_080_000, 2_500_000_000)]
    assert found == ["0 bytes", "999 bytes", "1 KB", "30.1 MB", "2.5 GB"]


def test_a_refusal_says_what_it_would_take() -> None:
    text = repeated(64) + GRADIENTS
    with pytest.raises(GraphError) as refused:
        bounded(text, "100KB")
    (mistake,) = refused.value.diagnostics
    assert mistake.code == "E702"
    assert "`g` does not fit into 100 KB: with all computed again that can be" in mistake.message
    help, *notes = mistake.notes
    enough = re.fullmatch(r"--memory (\S+) is enough", help.message)
    assert enough
    assert all(note.message.startswith("at its peak ") for note in notes)
    result, _ = bounded(text, enough[1])
    assert peaks(result)["g"] <= (budget(enough[1]).bytes or 0)


def test_forward_and_backward_stay_where_they_do_not_fit_but_others_do() -> None:
    text = scanned(256) + GRADIENTS  # the cache holds a copy of x
    result, _ = bounded(text, "25%")
    assert {one.code for one in result.warnings} == {"W720"}
    unplanned = {one.name: one.unplanned for one in result.planned}
    assert peaks(result)["forward"] == unplanned["forward"]
    assert peaks(result)["g"] < unplanned["g"] / 4


@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_functions_of_the_same_results_are_each_planned(level: str) -> None:
    by_w = "derive value_and_sparse_jacobian loss wrt W as"
    result, _ = bounded(f"{chain(12)}\n{by_w} g\n{by_w} h", "60%", level)
    assert peaks(result)["g"] == peaks(result)["h"]


def test_sizes_are_needed() -> None:
    text = "dim B, T\ninput x: [T, B]\noutput y = tanh(x)"
    with pytest.raises(GraphError) as refused:
        bounded(text, "1MB")
    assert str(refused.value) == (
        "error[E701]: --memory needs the sizes of the dims, and `B`, `T` have none\n"
        "  = help: fix them: --dim B=… --dim T=…"
    )


# ---- the command line ----------------------------------------------------------------------


def run(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, [str(one) for one in arguments])


def test_the_command_reports_what_it_costs(tmp_path: Path) -> None:
    path = tmp_path / "net.graph"
    path.write_text(repeated(100) + GRADIENTS, encoding="utf-8")
    done = run("compile", path, "--memory", "50%")
    assert done.exit_code == 0
    assert re.search(r"^g +\d\S* MB -> +\d\S* MB, \d+ % more multiply-adds$", done.stderr, re.M)
    assert "'peak_bytes'" in (tmp_path / "net.py").read_text(encoding="utf-8")


def test_the_command_refuses(tmp_path: Path) -> None:
    path = tmp_path / "net.graph"
    path.write_text(repeated(10) + GRADIENTS, encoding="utf-8")
    done = run("compile", path, "--memory", "1KB")
    assert done.exit_code == 1
    assert "error[E702]: `g` does not fit into 1 KB" in done.stderr
    assert not (tmp_path / "net.py").exists()


@pytest.mark.parametrize("given", ["1XB", "0", "200%", "much"])
def test_wrong_usage(tmp_path: Path, given: str) -> None:
    path = tmp_path / "net.graph"
    path.write_text(repeated(3), encoding="utf-8")
    done = run("compile", path, "--memory", given)
    assert done.exit_code == 2
    assert "--memory" in done.stderr
