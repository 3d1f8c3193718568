"""From a seed and the features that are wanted to a program."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from tests.fuzz.program import Axis, Dim, Program, Type, Value
from tests.fuzz.shrink import used
from tests.fuzz.variants import VARIANTS, varied
from tests.fuzz.writing.blocks import BLOCKS
from tests.fuzz.writing.declared import DECLARED
from tests.fuzz.writing.deriving import KINDS, clauses_of, contributions, setting_of
from tests.fuzz.writing.loops import LOOPS
from tests.fuzz.writing.operations import COMMON, OPERATIONS, operation
from tests.fuzz.writing.writer import Writer

NEEDED = {
    "opened": ("block", "block"),
    "unrolled": ("repeat", "written out"),
    "split": ("chain", "chain"),
}
"""What a variant changes."""
SAID = ("kind:", "mode:", "variant:")
FEATURES: dict[str, Callable[[Writer], None]] = {**LOOPS, **BLOCKS, **DECLARED}


def generate(seed: int, wanted: Sequence[str] = ()) -> Program:
    """A program; what is wanted is written somewhere among the rest."""
    w = Writer(seed)
    draw = w.draw
    _dims(w)
    tasks = [*wanted]
    kinds = [one.removeprefix("kind:") for one in tasks if one.startswith("kind:")]
    modes = [one.removeprefix("mode:") for one in tasks if one.startswith("mode:")]
    variants = [one.removeprefix("variant:") for one in tasks if one.startswith("variant:")]
    tasks += [feature for name in variants for feature in NEEDED.get(name, ())]
    if "per" in tasks or draw.random() < 0.05:
        _keep_apart(w)
    tasks = [one for one in tasks if one != "per" and not one.startswith(SAID)]
    for _ in range(draw.randint(1, 3)):
        w.floats(rank=draw.choice((0, 1, 1, 2, 2, 3)))
    length = draw.choice((3, 5, 8, 12, 20, 30))
    tasks += [_by_chance(w) for _ in range(length)]
    draw.shuffle(tasks)
    for task in tasks:
        if task.startswith("op:"):
            operation(w, task.removeprefix("op:"))
        else:
            before = len(w.body.statements)
            FEATURES[task](w)
            if len(w.body.statements) > before:
                w.features.add(task)
    return _varied(_finished(w, kinds or [draw.choice(KINDS)], modes), variants)


def _keep_apart(w: Writer) -> None:
    """A program whose positions along one symbolic dim do not meet."""
    if not any(dim.name == "P" for dim in w.dims):
        w.dims.append(Dim("P", "P", w.draw.choice((1, 2, 3, 5))))
    size = next(dim.size for dim in w.dims if dim.name == "P")
    w.apart = Axis("P", size)
    for rank in (1, 2):
        w.given(Type((w.apart, *(w.axis() for _ in range(rank - 1)))))


def _by_chance(w: Writer) -> str:
    chance = w.draw.random()
    if chance < 0.25:
        return f"op:{w.draw.choice(COMMON)}"
    if chance < 0.88:
        return f"op:{w.draw.choice(tuple(OPERATIONS))}"
    return w.draw.choice(tuple(FEATURES))


def _dims(w: Writer) -> None:
    """Of distinct sizes where that matters little: symbolic ones, one that is fixed, an alias."""
    draw = w.draw
    names = list("BTCDE")
    draw.shuffle(names)
    for name in names[: draw.choice((0, 1, 2, 2, 3))]:
        kind = draw.random()
        size = draw.choice((1, 2, 3, 3, 4, 5))
        if draw.random() < 0.08 and kind < 0.6:
            size = 0
        if draw.random() < 0.08:
            size = draw.choice((7, 8, 9, 17, 33))
        if kind < 0.6:
            w.dims.append(Dim(name, name, size))
        else:
            w.dims.append(Dim(name, f"{name} = {size}", size))


def _finished(w: Writer, kinds: Sequence[str], modes: Sequence[str]) -> Program:
    draw = w.draw
    usable = [one for one in w.body.values if one.type.kind != "index"]
    made = [one for one in usable if one not in w.inputs and one not in w.params]
    floats = [one for one in made if one.type.kind == "float" and one.under]
    late = floats[-8:]
    outputs = draw.sample(late, min(len(late), draw.choice((1, 1, 2, 3))))
    others = [one for one in made if one.type.kind != "float"]
    parts = [f"mean({_bounded(one)})" if one.shape else _bounded(one) for one in outputs]
    if not parts:
        x = w.floats()
        parts = [f"sum(sin({x.name}))"]
    if len(floats) > 3:
        parts.append(f"sum(sin({draw.choice(floats).name}))")
    each = contributions(w, w.apart) if w.apart else None
    if each is not None:
        parts = [draw.choice(("sum(each)", "mean(each)"))]
    loss = w.add(" + ".join(parts), Type(()), 4.0, "loss")
    shown = (
        [one.name for one in outputs]
        + (["each"] if each else [])
        + ([draw.choice(others).name] if others and draw.random() < 0.3 else [])
    )
    program = Program(
        w.seed, tuple(w.dims), tuple(w.blocks), tuple(w.inputs), tuple(w.params),
        tuple(w.body.statements), (*shown, "loss"), (), setting_of(w, modes), frozenset(w.features),
    )  # fmt: skip
    program = used(program)
    names = {dim.name for dim in program.dims}
    fixed = tuple(one for one in program.setting.dims if one[0] in names)
    program = replace(program, setting=replace(program.setting, dims=fixed))
    clauses = tuple(clauses_of(w, program, outputs, loss, each, kinds))
    return replace(program, clauses=clauses)


def _varied(program: Program, names: Sequence[str]) -> Program:
    """One of its variants, which remembers what it comes from."""
    draw = random.Random(program.seed)
    if not names and draw.random() < 0.35:
        names = draw.sample(tuple(VARIANTS), draw.choice((1, 1, 2)))
    return varied(program, names, draw)


def _bounded(one: Value) -> str:
    return one.name if one.bound < 8 else f"tanh({one.name})"
