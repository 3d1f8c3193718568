"""Blocks in programs: written, used without a name and by name, tied, and the standard ones."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from tests.fuzz.program import Axis, Statement, Type, Value, literal
from tests.fuzz.writing.operations import some
from tests.fuzz.writing.writer import Writer


def own_block(w: Writer) -> None:
    """A block and one to three uses of it."""
    if w.body.closed or w.body.depth:
        return
    ports = [w.floats(rank=w.draw.choice((0, 1, 1, 2))) for _ in range(w.draw.choice((1, 2, 2)))]
    made = _block(w, ports)
    if made is None:
        return
    name, inner, results, has_params, extra = made
    for use in range(w.draw.choice((1, 2, 3))):
        given = ports if not use else [w.of(port.shape) for port in ports]
        _use(w, name, given, results, has_params, extra, inner)


Made = tuple[str, dict[str, Axis], list[Value], bool, str]


def _block(w: Writer, ports: list[Value]) -> Made | None:
    """Axes become names that the ports bind; numbers of size 1 stay numbers."""
    name = w.fresh("block")
    names: dict[Axis, Axis] = {}
    for axis in (axis for port in ports for axis in port.shape):
        if axis not in names:
            names[axis] = (
                axis
                if axis.text == "1"
                else Axis(f"{'KMNQR'[len(names) % 5]}{len(names) // 5 or ''}", axis.size)
            )
    inner = [
        Value(
            f"u{place}",
            Type(tuple(names[a] for a in port.shape)),
            port.bound,
            frozenset({f"u{place}"}),
        )
        for place, port in enumerate(ports)
    ]
    shown = [f"{one.name}: {one.type}" for one in inner]
    extra = ""
    kept = set(w.features)
    with w.inside(inner, "block", closed=True) as body:
        has_params = w.chance(0.5)
        if has_params:
            shape = w.draw.choice(inner).shape
            p = w.fresh("p")
            w.put(
                Statement(
                    f"param {p}: {Type(shape)}", (Value(p, Type(shape), 1.5, frozenset({p})),)
                )
            )
        if w.chance(0.3):
            shown.append(w.one("act: fn = tanh", "act: fn = sigmoid"))
            x = w.floats()
            w.add(f"act({x.name})", x.type, 2.0)
            extra = str(w.one("", ", act=relu", ", act=sin", ", act=id"))
        elif w.chance(0.3):
            shown.append("flag: bool = true")
            x = w.floats()
            made = Value(w.fresh(), x.type, x.bound + 1, x.under | {x.name})
            w.put(Statement("if flag", (made,), (Statement(f"{made.name} = {x.name} * 0.5"),)))
            w.put(Statement("else", (), (Statement(f"{made.name} = {x.name} + 1"),)))
            extra = str(w.one("", ", flag=false"))
            w.features.add("if")
        elif w.chance(0.2):
            shown.append("scale: float = 0.5")
            x = w.floats()
            w.add(f"{x.name} * scale", x.type, x.bound)
            extra = str(w.one("", ", scale=-0.25"))
        for _ in range(w.draw.randint(1, 5)):
            some(w)
        if w.chance(0.2):
            from tests.fuzz.writing.loops import repeat, scan, until

            w.draw.choice((scan, repeat, until))(w)
            w.features.add("loop in block")
        if w.chance(0.25):
            gradient_node(w)
        allowed = {axis.text for axis in names.values()}
        results = [
            one for one in body.values
            if one.type.kind == "float" and one not in inner and not one.name.startswith("p")
            and all(_known(axis, allowed) for axis in one.shape)
        ]  # fmt: skip
        if not results:
            w.features = kept
            return None
        results = w.draw.sample(results, min(len(results), w.draw.choice((1, 1, 2))))
        statements = tuple(body.statements)
    head = f"block {name}({', '.join(map(str, shown))}) -> " + ", ".join(
        f"{one.name}: {one.type}" for one in results
    )
    w.blocks.append(Statement(head, (), statements))
    w.features.add("block")
    back = {axis.text: outer for outer, axis in names.items()}
    return name, back, results, has_params, extra


def _known(axis: Axis, allowed: set[str]) -> bool:
    return axis.text.isdigit() or all(
        word in allowed for word in re.findall(r"[A-Za-z_]\w*", axis.text)
    )


def _outside(axis: Axis, names: dict[str, Axis]) -> Axis:
    """An axis of a result as the caller sees it; of an unknown one it is not used further."""
    if axis.text.isdigit():
        return axis
    if axis.text in names:
        return names[axis.text]
    return Axis("?" * 99, axis.size)


def _use(
    w: Writer, name: str, ports: list[Value], results: list[Value], has_params: bool, extra: str,
    names: dict[str, Axis],
) -> None:  # fmt: skip
    arguments = ", ".join(port.name for port in ports)
    under = frozenset().union(*(p.under | {p.name} for p in ports))
    made = [
        Value(w.fresh(), Type(tuple(_outside(a, names) for a in one.shape)), one.bound, under)
        for one in results
    ]
    targets = ", ".join(one.name for one in made)
    tied = [f for f in w.uses if f[0] == name]
    if has_params and tied and w.chance(0.4):
        w.put(Statement(f"{targets} = {tied[0][1]}({arguments})", tuple(made)))
        w.features.add("tied")
        return
    called = w.fresh("use") if has_params or w.chance(0.3) else ""
    if called and len(made) == 1 and w.chance(0.3):
        called, text = made[0].name, f"{targets} = {name}({arguments}{extra})"
    elif len(ports) == 1 and w.chance(0.3):
        inner = extra.removeprefix(", ")
        stage = f"{name}({inner})" if inner else name
        text = f"{arguments} -> {stage}{f' as {called}' if called else ''} -> {targets}"
        w.features.add("chain")
    else:
        text = f"{targets} = {name}({arguments}{extra}){f' as {called}' if called else ''}"
    if called:
        w.uses.append((name, called))
        if has_params:
            w.paths.append((f"{called}.*", under))
    w.features.add("named use" if called else "anonymous use")
    w.put(Statement(text, tuple(made)))


# ---- standard blocks and chains -----------------------------------------------------------------


def standard(w: Writer) -> None:
    """A layer of the library."""
    x = w.floats(least=1)
    last, units = x.shape[-1], literal(w.draw.choice((1, 2, 3)))
    called = w.fresh("use")
    act = w.one("tanh", "relu", "gelu", "id", "sigmoid")
    options: list[tuple[str, Type]] = [
        (f"dense({x.name}, {units}, act={act})", Type((*x.shape[:-1], units))),
        (f"mlp({x.name}, [3, {units}], act={act})", Type((*x.shape[:-1], units))),
        (f"layernorm({x.name}, eps=0.1)", x.type), (f"rmsnorm({x.name}, eps=0.1)", x.type),
    ]  # fmt: skip
    if len(x.shape) == 2 and last.size:
        h = w.of((x.shape[0], units))
        options += [(f"rnn_cell({x.name}, {h.name})", h.type),
                    (f"gru_cell({x.name}, {h.name})", h.type),
                    (f"batchnorm({x.name}, eps=0.1)", x.type)]  # fmt: skip
    if len(x.shape) == 3 and last.text.isdigit() and last.size in (2, 4):
        options += [(f"self_attention({x.name}, 2, causal=true)", x.type)] * 3
    if len(x.shape) == 1:
        options.append((f"dense_col({x.name}, {units})", Type((units,))))
    text, type = w.draw.choice(options)
    if w.body.closed:
        return
    made = Value(w.fresh(), type, 6.0, x.under | {x.name})
    w.put(Statement(f"{made.name} = {text} as {called}", (made,)))
    w.uses.append(("", called))
    prefix = ""
    if not w.body.depth:
        w.paths.append((f"{prefix}{called}.*", made.under))


def chain(w: Writer) -> None:
    """Stages, residual branches and forks."""
    x = w.floats(least=1)
    units = literal(w.draw.choice((2, 3)))
    stages, type = [], x.type
    free = not w.body.closed
    for _ in range(w.draw.randint(1, 3)):
        kind = w.draw.randrange(6 if free else 4)
        if kind == 0:
            stages.append(w.one("tanh", "sin", "softplus", "softmax(axis=-1)"))
        elif kind == 1:
            stages.append("residual { " + str(w.one("tanh", "sin -> relu", "softsign")) + " }")
            w.features.add("residual")
        elif kind == 2:
            stages.append(f"(tanh, {w.one('id', 'cos', 'sigmoid')}) -> {w.one('add', 'mul')}")
            w.features.add("fork")
        elif kind == 3:
            stages.append("(sin, id) -> stack(axis=0) -> sum(axis=0)")
            w.features.add("fork")
        elif kind == 4:
            stages.append(f"dense({units}, act=tanh) as {w.fresh('use')}")
            type = Type((*type.shape[:-1], units))
        else:
            inside = f"dense({units}, act=tanh) as {w.fresh('use')} -> dense({type.shape[-1]})"
            family = f"{w.fresh('loop')}[{w.fresh('k')} in 1..{w.one(1, 2, 3)}]"
            stages.append(f"repeat {family} {{ {inside} }}")
            w.features.add("repeat in chain")
    if w.chance(0.2) and free and any("dense" in str(one) for one in stages):
        stages.append(f"residual {{ layernorm(eps=0.1) as {w.fresh('use')} }}")
        w.features.add("residual")
    made = Value(w.fresh(), type, 4.0, x.under | {x.name})
    w.put(Statement(f"{x.name} -> {' -> '.join(map(str, stages))} -> {made.name}", (made,)))


# ---- derivatives inside -------------------------------------------------------------------------


def gradient_node(w: Writer) -> None:
    """A derivative that is a node: a gradient, a product, a Jacobian of all or along an axis."""
    y = w.pick(lambda one: one.type == Type(()) and bool(one.under))
    if w.chance(0.3):
        y = w.pick(lambda one: one.type.kind == "float" and bool(one.under)) or y
    if y is None:
        x = w.floats()
        y = w.add(
            f"sum(sin({x.name}) * {x.name})" if x.shape else f"sin({x.name}) * {x.name}",
            Type(()),
            4.0,
        )
    found = [one for one in w.body.values if one.name in y.under and one.type.kind == "float"
             and not one.name.startswith("c")]  # fmt: skip
    if not found:
        return
    x = w.draw.choice(found)
    apart = w.apart is not None and x.shape[:1] == y.shape[:1] == (w.apart,)
    kind = "jvp" if w.chance(0.3) else "jacobian" if y.shape or w.chance(0.3) else "grad"
    if kind == "jacobian" and math.prod(axis.size for axis in (*y.shape, *x.shape)) > 200:
        kind = "jvp"
    if kind == "grad":
        w.add(f"grad({y.name}, {x.name})", x.type, 9.0)
    elif kind == "jvp":
        w.add(f"jvp({y.name}, {x.name}, {w.of(x.shape).name})", y.type, 9.0)
    elif apart and w.chance(0.7):
        shape = (*y.shape, *x.shape[1:])
        w.add(f"jacobian({y.name}, {x.name}, axis=0)", Type(shape), 9.0)
    else:
        w.add(f"jacobian({y.name}, {x.name})", Type((*y.shape, *x.shape)), 9.0)
    w.features.add("grad node")


RULES = (
    ("y: [...]", "y = sin(u0) * u1", ("rule vjp u0 = cotangent(y) * u1 * cos(u0)",), 2, "port"),
    ("y: [...]", "y = sin(u0) * u1", ("rule vjp u1 = cotangent(y) * sin(u0)",), 2, "port"),
    (
        "y: [...]",
        "y = log1p(exp(-abs(u0))) + maximum(u0, 0)",
        ("rule vjp u0 = cotangent(y) * sigmoid(u0)", "rule jvp y = tangent(u0) * sigmoid(u0)"),
        1,
        "both",
    ),
    ("y: [...]", "y = tanh(u0)", ("rule jvp y = tangent(u0) * (1 - y * y)",), 1, "jvp"),
    (
        "y: [...]",
        "y = exp(0.3 * u0) * u1",
        ("rule vjp u0 = cotangent(y) * y * 0.3", "rule vjp u1 = cotangent(y) * exp(0.3 * u0)"),
        2,
        "vjp",
    ),
    (
        "y: [...]",
        "y = floor(2 * u0 + 0.5) / 2",
        ("rule surrogate u0 = cotangent(y)",),
        1,
        "surrogate",
    ),
    (
        "y: [...]",
        "y = u0 * u0 * u0",
        ("rule vjp u0 = cotangent(y) * clip(3 * u0 * u0, 0, 2)",),
        1,
        "clipped",
    ),
    ("y: []", "y = sum(u0 * u0)", ("rule vjp u0 = 2 * cotangent(y) * u0",), 1, "reduced"),
)


def ruled(w: Writer) -> None:
    """A block that states its derivatives, used once or twice."""
    if w.body.closed:
        return
    result, body, rules, ports, kind = w.draw.choice(RULES)
    name = w.fresh("block")
    shown = ", ".join(f"u{place}: [...]" for place in range(ports))
    lines = (Statement(body), *(Statement(rule) for rule in rules))
    w.blocks.append(Statement(f"block {name}({shown}) -> {result}", (), lines))
    for _ in range(w.draw.choice((1, 1, 2))):
        x = w.floats()
        given = [w.tame(x)] + [w.tame(w.of(x.shape)) for _ in range(ports - 1)]
        type = Type(()) if kind == "reduced" else x.type
        w.add(f"{name}({', '.join(given)})", type, 9.0)
    w.features.add(f"rule {kind}")


BLOCKS: dict[str, Callable[[Writer], None]] = {
    "block": own_block, "standard block": standard, "chain": chain, "grad node": gradient_node,
    "rule": ruled,
}  # fmt: skip
