"""A source on its way to a module, stage by stage: tree, model, programs, text."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from types import ModuleType

from graphc.compile.options import DEFAULTS, clause_of, const_of
from graphc.compile.options import Options as Options
from graphc.compile.programs import plan_module, plan_perturbed, plan_watched
from graphc.elaborate.build import Elaborated, elaborate
from graphc.elaborate.names.model import Model
from graphc.files import read
from graphc.ir.session import Session
from graphc.optimise.before_ad.stabilise import stabilise
from graphc.optimise.memory.bound import Planned
from graphc.plan.module import Compiled
from graphc.records import replace
from graphc.source import Diagnostic, GraphError, Source
from graphc.syntax import tree
from graphc.syntax.parse.parser import Parsed, parse_with_recovery, read_source
from graphc.targets.marks import Unmarked, without_marks
from graphc.targets.numpy.target import NUMPY


class Compilation:
    """A source and what it is compiled with; each stage is made when it is asked for, and kept.

    `parsed` and `elaborated` hold what could be made of a source with mistakes; the other stages
    raise GraphError with all that were found. What is asked of the nodes of a stage is asked inside
    `open()`, where they were made.

    >>> compilation = Compilation(Source("a", "input x: [3]\\noutput y = sum(x * x)"))
    >>> [declared.name for declared in compilation.model.outputs]
    ['y']
    """

    def __init__(
        self, source: Source, options: Options = DEFAULTS, folder: Path | None = None
    ) -> None:
        """Take a source whose imports are relative to `folder`."""
        self.source, self.options, self.folder = source, options, folder
        self._session = Session()

    def at(self, level: str) -> Compilation:
        """Compile the same at a level, from the stages that have none: before any that has one."""
        assert "model" not in vars(self), "its nodes would be numbered otherwise than in another"
        parsed, elaborated, stated = self.parsed, self.elaborated, self.stated
        made = Compilation(self.source, replace(self.options, level=level), self.folder)
        made._session = self._session.fork()
        vars(made).update(parsed=parsed, elaborated=elaborated, stated=stated)
        return made

    def open(self) -> AbstractContextManager[None]:
        """Make nodes of this compilation inside, compared by what is known of its dims."""
        return self._session.open()

    def forget(self) -> None:
        """Let go of all that the stages do not hold."""
        self._session.forget()

    @cached_property
    def parsed(self) -> Parsed:
        """Return what can be read of the source, and its syntax mistakes."""
        return parse_with_recovery(self.source)

    @property
    def tree(self) -> tree.File:
        """Return the syntax tree of the whole source."""
        if self.parsed.diagnostics:
            raise GraphError(self.parsed.diagnostics)
        return self.parsed.file

    @cached_property
    def elaborated(self) -> Elaborated:
        """Return what was made of the tree: a model, or mistakes; and its names."""
        options = self.options
        with self.open():
            return elaborate(
                self.parsed.file,
                dims=options.dims,
                consts={name: const_of(name, text) for name, text in options.consts.items()},
                dtype=options.dtype,
                derive=[clause_of(text) for text in options.derive],
                folder=self.folder,
                only_rule=options.rule,
            )

    @property
    def sound(self) -> bool:
        """True if there is a model: no mistake of syntax, none in what the file means."""
        return not self.parsed.diagnostics and self.elaborated.model is not None

    @cached_property
    def stated(self) -> Model:
        """Return the model as the file says it, in stable forms."""
        _ = self.tree  # the mistakes of syntax come first, and alone
        with self.open():
            return stabilise(self.elaborated.sound)

    @cached_property
    def model(self) -> Model:
        """Return the model in the forms that the level starts from."""
        model = self.stated
        with self.open():
            for before_ad in self.options.at.before_ad:
                model = before_ad(model)
        return model

    @cached_property
    def programs(self) -> Compiled:
        """Return the programs of all functions of the module."""
        with self.open():
            return plan_module(self.model, self.options)

    @property
    def text(self) -> str:
        """Return the module, verified."""
        return self.written.text

    @property
    def places(self) -> Mapping[int, str]:
        """Return the place in the graph that a line of the module comes from, `net.graph:3`."""
        return self.written.places

    @cached_property
    def complete(self) -> Compiled:
        """Return the programs of all functions, and those of `check` and `trace`, in Python."""
        with self.open():
            moved = plan_perturbed(self.stated, NUMPY)
            watched = plan_watched(self.stated, NUMPY) if self.options.trace else ()
        return replace(self.programs, moved=moved, watched=watched)

    @property
    def to_write(self) -> Compiled:
        """Return the programs that the target writes."""
        return self.complete if self.options.to.checks else self.programs

    @cached_property
    def written(self) -> Unmarked:
        """Return the module, verified, and what its lines are of."""
        programs = self.to_write
        with self.open():
            return without_marks(self.options.to.write(programs))

    @cached_property
    def beside(self) -> Mapping[str, str]:
        """Return the files that stand beside the module, by suffix."""
        with self.open():
            return {end: write(self.programs) for end, write in self.options.to.beside.items()}

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """Return what there is to warn of, in the file and about a bound on memory."""
        return self.stated.warnings + self.programs.warnings

    @property
    def planned(self) -> tuple[Planned, ...]:
        """Return what a bound on memory came to, function by function."""
        return self.programs.planned

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Return the mistakes of the first stage that finds one, else the warnings."""
        try:
            _ = self.text
        except GraphError as wrong:
            return tuple(wrong.diagnostics)
        return self.warnings


def compile_file(path: Path, options: Options = DEFAULTS) -> Compilation:
    """Compile a `.graph` file; raises GraphError, or OSError where it cannot be read."""
    return compile_source(read_source(str(path), read(path)), options, path.parent)


def compile_text(text: str, name: str = "graph", options: Options = DEFAULTS) -> Compilation:
    """Compile the text of a `.graph` file, cited as `name`; raises GraphError."""
    return compile_source(Source(name, text), options)


def compile_source(
    source: Source, options: Options = DEFAULTS, folder: Path | None = None
) -> Compilation:
    """Compile a source whose imports are relative to `folder`, all stages; raises GraphError."""
    return finished(Compilation(source, options, folder))


def compile_levels(
    source: Source, options: Options, folder: Path | None, levels: Iterable[str]
) -> list[Compilation]:
    """Compile a source at several levels, elaborated once for all of them; raises GraphError."""
    stated = Compilation(source, options, folder)
    return [finished(stated.at(level)) for level in levels]


def finished(compilation: Compilation) -> Compilation:
    """Make all stages of a compilation that will make nothing more; raises GraphError.

    Most nodes are of graphs that passes have replaced: they go before the text is there, too.
    """
    with compilation.open():
        _ = compilation.to_write
        compilation.forget()
        _ = compilation.text
        compilation.forget()
    return compilation


def load(text: str, name: str) -> ModuleType:
    """Load a generated module from its text, without a file; it hides no module of that name."""
    module = ModuleType(f"graphc.generated.{name}")
    sys.modules[module.__name__] = module  # NamedTuple looks its module up
    exec(compile(text, f"<{name}>", "exec"), module.__dict__)
    return module
