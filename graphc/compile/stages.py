"""Text -> module text: syntax, elaboration, the programs of all functions, emission."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

from graphc.compile.functions import DEFAULTS, compiled_of, moved_program, watched_programs
from graphc.compile.functions import Options as Options
from graphc.elaborate.build import elaborate
from graphc.elaborate.names.model import Model
from graphc.files import read
from graphc.ir.session import compilation
from graphc.optimise.before_ad.canonical import prepare
from graphc.optimise.before_ad.stabilise import stabilise
from graphc.optimise.memory.bound import Planned
from graphc.plan.module import Compiled
from graphc.source import Diagnostic, GraphError, Source, error
from graphc.syntax import tree
from graphc.syntax.parse.parser import parse, read_source
from graphc.targets.numpy.module import text
from graphc.targets.numpy.verify import verify


@dataclass(frozen=True, slots=True)
class Result:
    """A compiled module, what there was to warn of, and what a bound on its memory came to."""

    text: str
    model: Model
    warnings: tuple[Diagnostic, ...]
    planned: tuple[Planned, ...] = ()


def compile_file(path: Path, options: Options = DEFAULTS) -> Result:
    """Compile a `.graph` file; raises GraphError, or OSError where it cannot be read."""
    return compile_source(read_source(str(path), read(path)), options, path.parent)


def compile_text(text: str, name: str = "graph", options: Options = DEFAULTS) -> Result:
    """Compile the text of a `.graph` file, cited as `name`; raises GraphError."""
    return compile_source(Source(name, text), options)


def compile_source(
    source: Source, options: Options = DEFAULTS, folder: Path | None = None
) -> Result:
    """Compile a source whose imports are relative to `folder`; raises GraphError."""
    with compilation():
        stated = _stated(source, options, folder)
        compiled = replace(
            compiled_of(prepare(stated) if options.fast else stated, options),
            moved=moved_program(stated),
            watched=watched_programs(stated) if options.trace else (),
        )
        written = text(compiled)
        verify(written)
    warnings = compiled.model.warnings + compiled.warnings
    return Result(written, compiled.model, warnings, compiled.planned)


@contextmanager
def planned(
    source: Source, options: Options = DEFAULTS, folder: Path | None = None
) -> Iterator[Compiled]:
    """The programs of a source's module, before they are written; raises GraphError.

    What is asked of nodes is asked inside, where they were made.
    """
    with compilation():
        yield compiled_of(model_of(source, options, folder), options)


def model_of(source: Source, options: Options, folder: Path | None) -> Model:
    """The model of a source in the forms that its level starts from; raises GraphError."""
    model = _stated(source, options, folder)
    return prepare(model) if options.fast else model


def _stated(source: Source, options: Options, folder: Path | None) -> Model:
    """The model as the file says it, in stable forms."""
    model = elaborate(
        parse(source),
        dims=options.dims,
        consts={name: _expression(name, text) for name, text in options.consts.items()},
        dtype=options.dtype,
        derive=[_clause(text) for text in options.derive],
        folder=folder,
        only_rule=options.rule,
    )
    return stabilise(model)


def load(text: str, name: str) -> ModuleType:
    """A generated module from its text, without a file; it hides no module of that name."""
    module = ModuleType(f"graphc.generated.{name}")
    sys.modules[module.__name__] = module  # NamedTuple looks its module up
    exec(compile(text, f"<{name}>", "exec"), module.__dict__)
    return module


def _expression(called: str, written: str) -> tree.Expr:
    """The value of a --const option."""
    name = f"--const {called}"
    statements = parse(Source(name, f"{called}={written}")).statements
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
