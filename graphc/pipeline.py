"""Text -> module text: syntax, elaboration, calculus, rewriting, planning, emission."""

from __future__ import annotations

import gc
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from graphc import __version__
from graphc.calculus.functions import forward_and_backward, gradient, products, rewritten, value
from graphc.dims import Dim
from graphc.elaborate.build import elaborate
from graphc.elaborate.model import Derivation, Model
from graphc.emit.compiled import Compiled, Derived
from graphc.emit.entry import Entry, entry
from graphc.emit.module import TAKEN, text
from graphc.emit.verify import verify
from graphc.graph import COTANGENT, Graph, Node, arguments_first, building
from graphc.loop import LOOP, everywhere
from graphc.names import flat
from graphc.plan.schedule import plan
from graphc.rewrite.engine import PASSES
from graphc.rewrite.stable import stabilise
from graphc.source import Diagnostic, GraphError, Source, error
from graphc.syntax import tree
from graphc.syntax.parse import parse, read_source


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line may say beside the file: nothing that changes its mathematics."""

    dims: Mapping[str, int] = field(default_factory=dict)
    consts: Mapping[str, str] = field(default_factory=dict)
    dtype: str = "float64"
    derive: Sequence[str] = ()
    level: str = "-O0"


@dataclass(frozen=True, slots=True)
class Result:
    """A compiled module, and what there was to warn of."""

    text: str
    model: Model
    warnings: tuple[Diagnostic, ...]


def compile_file(path: Path, options: Options = Options()) -> Result:
    """Compile a `.graph` file; raises GraphError, or OSError where it cannot be read."""
    return compile_source(read_source(str(path), path.read_bytes()), options, path.parent)


def compile_text(text: str, name: str = "graph", options: Options = Options()) -> Result:
    """Compile the text of a `.graph` file, cited as `name`; raises GraphError."""
    return compile_source(Source(name, text), options)


def compile_source(
    source: Source, options: Options = Options(), folder: Path | None = None
) -> Result:
    """Compile a source whose imports are relative to `folder`; raises GraphError."""
    with building(), _without_collection():
        model = elaborate(
            parse(source),
            dims=options.dims,
            consts={
                name: _expression(f"--const {name}", text) for name, text in options.consts.items()
            },
            dtype=options.dtype,
            derive=[_clause(text) for text in options.derive],
            folder=folder,
        )
        model = stabilise(model)
        written = text(_compiled(model, options.level))
        verify(written)
    return Result(written, model, model.warnings)


@contextmanager
def _without_collection() -> Iterator[None]:
    """Inside, cyclic garbage waits: a compilation keeps nearly all that it makes."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def load(text: str, name: str) -> ModuleType:
    """A generated module from its text, without a file; it hides no module of that name."""
    module = ModuleType(f"graphc.generated.{name}")
    sys.modules[module.__name__] = module  # NamedTuple looks its module up
    exec(compile(text, f"<{name}>", "exec"), module.__dict__)
    return module


def _expression(name: str, written: str) -> tree.Expr:
    """The value of a --const option."""
    statements = parse(Source(name, f"x = {written}")).statements
    statement = statements[0]
    if len(statements) != 1 or not isinstance(statement, tree.Equation):
        raise GraphError([error("E217", f"{name}: `{written}` is not a value", None)])
    return statement.value


def _clause(written: str) -> tree.Derive:
    """The clause of a --derive option."""
    statements = parse(Source("--derive", f"derive {written}")).statements
    if len(statements) != 1 or not isinstance(statements[0], tree.Derive):
        raise GraphError([error("E217", f"--derive: `{written}` is not one clause", None)])
    return statements[0]


def _compiled(model: Model, level: str) -> Compiled:
    begin = begin_of(model)
    outputs = {d.name: d.node for d in model.outputs}
    wrt = {d.name: d.node for d in model.params or model.inputs if d.type.dtype == "float"}
    if not any(d.type.dtype == "float" for d in model.outputs):
        wrt = {}
    split = forward_and_backward(outputs, wrt, model.names, PASSES)
    sources = {d.node: begin.variables[d.name] for d in (*model.inputs, *model.params)}
    forward = _derived(split.forward, sources, begin, "forward", tuple(outputs), (), split.cached)
    held = {node: forward.program.variables[node] for node in split.cached}
    whole = {adjoint.value for adjoint in split.backward.adjoints}
    cotangents = {  # d_y where the cotangent is all of the adjoint of y
        node: f"{'d' if node in whole else 'ct'}_{flat(node.attrs['name'])}"
        for node in split.backward.nodes
        if node.op is COTANGENT
    }
    backward = _derived(split.backward, held | cotangents, begin, "backward", (), tuple(wrt))
    derived = [_function(model, one, outputs, sources, begin) for one in model.derivations]
    return Compiled(
        model, begin, level, __version__, forward, backward, split.cached, tuple(derived)
    )


def _function(
    model: Model,
    one: Derivation,
    outputs: Mapping[str, Node],
    sources: Mapping[Node, str],
    begin: Entry,
) -> Derived:
    chosen = {name: outputs[name] for name in one.outputs}
    wrt = dict(one.wrt)
    given = dict(sources)
    match one.kind:
        case "value":
            graph, wrt = value(one.name, chosen, model.names), {}
        case "vjp":
            graph = products(one.name, chosen, wrt, model.names)
            given |= {
                node: f"ct_{flat(node.attrs['name'])}"
                for node in graph.nodes
                if node.op is COTANGENT
            }
        case _:
            with_value = one.kind.startswith("value_and")
            output = (one.outputs[0], chosen[one.outputs[0]])
            graph = gradient(one.name, output, wrt, model.names, with_value)
    return _derived(rewritten(graph, PASSES), given, begin, one.kind, one.outputs, tuple(wrt))


def _derived(
    graph: Graph,
    given: Mapping[Node, str],
    begin: Entry,
    kind: str,
    outputs: tuple[str, ...],
    wrt: tuple[str, ...],
    kept: Collection[Node] = (),
) -> Derived:
    taken = {*TAKEN, *begin.dims, *_indices(graph.results.values())}
    program = plan(graph, given, kept, taken)
    flops = sum((n.op.flops(n) for n in arguments_first(graph.results.values(), given)), Dim.of(0))
    return Derived(program, kind, outputs, wrt, flops)


def begin_of(model: Model) -> Entry:
    """The arguments of the module's functions, and what binds the dims."""
    return entry(model, TAKEN | _indices(d.node for d in model.outputs))


def _indices(roots: Iterable[Node]) -> set[str]:
    """The indices of all loops, also of those inside: no variable can be called so."""
    return {node.attrs["loop"].index for node in everywhere(roots) if node.op is LOOP}
