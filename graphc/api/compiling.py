"""`compile_text` and `compile_file`: a graph to the text of its module, as a record."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Unpack

from graphc import files
from graphc.api import cache as kept
from graphc.api.noting import Made, noted, remember
from graphc.api.options import CompileOptions, canonical, options_of
from graphc.api.showing import details, fenced, frame, listed, python, scrolled
from graphc.names import identifier
from graphc.records import dataclass, field
from graphc.source import Diagnostic, GraphError, Source

CROWDED = 60
"""Boxes of a picture from which on it is opened by a click."""


@dataclass(frozen=True, slots=True, repr=False)
class CompiledGraph:
    """A graph that was compiled: the text of its module, and what there is to say of it.

    It prints as that text, and shows itself in a notebook. `source` is the graph, `folder` that of
    its imports, `options` what was asked for; `imported` are the files that it takes blocks from,
    `places` the places in the graph that lines of the module come from, as `net.graph:3`.
    """

    name: str
    text: str
    warnings: tuple[Diagnostic, ...]
    notes: tuple[Diagnostic, ...]
    source: Source
    folder: Path | None
    options: dict[str, Any] = field(hash=False)
    imported: tuple[Source, ...] = ()
    places: Mapping[int, str] = field(default_factory=dict, hash=False)

    def module(self) -> ModuleType:
        """Import the module, from the cache; twice it is the same object."""
        if not Path(self.source.name).is_file():
            remember(self.source.name, self.source.text)
        made = Made(self.source, self.folder, self.options)
        return noted(kept.imported(self.keep()), self.places, made)

    def keep(self) -> Path:
        """Write the module into the cache; returns its file."""
        return kept.keep(identifier(self.name) if self.name.isidentifier() else "graph", self.text)

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write the module to a file, whole or not at all."""
        target = Path(path)
        files.replace(target, self.text)
        return target

    @property
    def functions(self) -> dict[str, str]:
        """Return the signatures of the module's functions, and the first line of what each says."""
        return dict(_functions(self.text))

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        names = ", ".join(one.partition("(")[0] for one in self.functions)
        return f"<graph {self.name}, -O{self.options['level']}: {names}>"

    def _repr_html_(self) -> str:
        from graphc.api.drawing import draw

        said = [*self.warnings, *self.notes]
        drawing = draw(self)
        picture = scrolled(drawing.svg())
        if len(drawing.picture.nodes) > CROWDED:
            picture = details("the picture", picture)
        return frame(
            f"<b>{fenced(self.name)}</b> -O{self.options['level']}, {self.options['dtype']}",
            listed([(python(head), about) for head, about in self.functions.items()]),
            *(f"<pre>{fenced(str(one))}</pre>" for one in said),
            picture,
            details("the module", python(self.text)),
        )

    def _repr_markdown_(self) -> str:
        rows = "".join(f"- `{head}`: {about}\n" for head, about in self.functions.items())
        said = "".join(f"\n```text\n{one}\n```\n" for one in (*self.warnings, *self.notes))
        return f"**{self.name}**, `-O{self.options['level']}`\n\n{rows}{said}"


@cache
def _functions(text: str) -> tuple[tuple[str, str], ...]:
    return tuple(_public_functions(ast.parse(text)))


def _public_functions(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for one in tree.body:
        if isinstance(one, ast.FunctionDef) and not one.name.startswith("_"):
            for argument in (*one.args.args, *one.args.kwonlyargs):
                argument.annotation = None
            about = (ast.get_docstring(one) or "").partition("\n")[0]
            yield f"{one.name}({ast.unparse(one.args)})", about


def compile_text(
    text: str,
    name: str = "graph",
    *,
    folder: str | os.PathLike[str] | None = None,
    **options: Unpack[CompileOptions],
) -> CompiledGraph:
    """Compile the text of a graph, which messages cite as `name`; it imports from `folder`.

    The options are those of the command, with its defaults: see `CompileOptions`.

    Raises GraphError with every mistake.
    """
    if not isinstance(text, str):
        raise TypeError(f"text: expected that of a graph, found {type(text).__name__}")
    if text.endswith(".graph") and "\n" not in text:
        raise ValueError(f"`{text}` is a path: compile_file takes one")
    where = None if folder is None else Path(folder)
    return compiled(Source(name, text), where, canonical(options))


def compile_file(path: str | os.PathLike[str], **options: Unpack[CompileOptions]) -> CompiledGraph:
    """Compile a `.graph` file; writes nothing.

    The options are those of the command, with its defaults: see `CompileOptions`.

    Raises GraphError with every mistake, OSError where the file cannot be read.
    """
    file = Path(path)
    return compiled(source_of(file), file.parent, canonical(options))


def source_of(file: Path) -> Source:
    """Read a `.graph` file; raises OSError, and GraphError where it is no text."""
    from graphc.syntax.parse.parser import read_source

    return read_source(str(file), files.read(file))


def compiled(source: Source, folder: Path | None, said: dict[str, Any]) -> CompiledGraph:
    """Compile a source with canonical options; raises GraphError."""
    from graphc.compile.stages import compile_source

    try:
        found = compile_source(source, options_of(said), folder)
    except GraphError as wrong:  # where the compiler found it is no matter of the user's
        raise wrong.with_traceback(None) from None
    model = found.model
    return CompiledGraph(
        model.name,
        found.text,
        found.warnings,
        model.notes,
        source,
        folder,
        said,
        model.imported,
        found.places,
    )
