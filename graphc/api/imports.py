"""`import_numpy` and its like: models of others to graphs, as a record that compiles and prints."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from graphc import files
from graphc.api.options import CompileOptions
from graphc.api.showing import fenced
from graphc.parameters import NPZ, write_arrays
from graphc.records import dataclass, field
from graphc.source import GraphError

if TYPE_CHECKING:
    from graphc.api.compiling import CompiledGraph
    from graphc.importing.imported import Imported


@dataclass(frozen=True, slots=True, repr=False)
class ImportedGraph:
    """A graph that was made of a model of another kind; it prints as its text.

    `params` are the values of the parameters that the model had, by path.
    """

    name: str
    text: str
    params: Mapping[str, Any] = field(hash=False)

    def compile(self, **options: Unpack[CompileOptions]) -> CompiledGraph:
        """Compile the graph, as `compile_text` does."""
        from graphc.api.compiling import compile_text

        return compile_text(self.text, self.name, **options)

    def write(self, path: str | os.PathLike[str], params: str | os.PathLike[str] = "") -> Path:
        """Write the graph to a file, and the parameters beside it, to an npz file or to `params`.

        Without values of parameters there is no such file.
        """
        target = Path(path)
        files.replace(target, self.text)
        if self.params:
            write_arrays(params or target.with_suffix(NPZ), self.params)
        return target

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<imported graph {self.name}, {len(self.params)} parameters with values>"

    def _repr_html_(self) -> str:
        return f"<pre>{fenced(self.text)}</pre>"

    def _repr_markdown_(self) -> str:
        return f"```graph\n{self.text}```\n"


def import_numpy(function: Callable[..., Any], declare: str = "", **given: Any) -> ImportedGraph:
    """Import a function of NumPy arrays: it is run once, with arrays that write down what is done.

    `declare` says what its arguments are, in the words of a file: "input x: [B, 3]; param w: [3]".
    `given` are arguments by name: an array is an input of its shape, arrays of floats in dicts and
    lists are parameters with these values, and what else there is stays as it is. An argument that
    is in neither has its default, or is a scalar.

    Raises GraphError with the place in the function.
    """
    from graphc.importing.numpy.function import import_numpy as run

    return _made(lambda: run(function, declare, given))


def import_jax(function: Callable[..., Any], declare: str = "", **given: Any) -> ImportedGraph:
    """Import a function of JAX, by its jaxpr; `declare` and `given` are as for `import_numpy`.

    Raises GraphError with every mistake, ImportError where there is no JAX.
    """
    from graphc.importing.jax.function import import_jax as run

    return _made(lambda: run(function, declare, given))


def import_onnx(model: str | os.PathLike[str] | Any, **given: Any) -> ImportedGraph:
    """Import an ONNX model, or the file of one; its weights are the values of parameters.

    `given` are values of inputs on which shapes depend.

    Raises GraphError with the node that the language cannot say, ImportError where there is no
    `onnx`, OSError where the file cannot be read.
    """
    from graphc.importing.onnx.model import import_onnx as run

    return _made(lambda: run(model, given))


def import_torch(program: str | os.PathLike[str] | Any) -> ImportedGraph:
    """Import a program of `torch.export`, or the file of one, with its parameters and buffers.

    Raises GraphError with every mistake, ImportError where there is no PyTorch, OSError where the
    file cannot be read.
    """
    from graphc.importing.torch.program import import_torch as run

    return _made(lambda: run(program))


def _made(run: Callable[[], Imported]) -> ImportedGraph:
    try:
        found = run()
    except GraphError as wrong:  # where graphc found it is no matter of the user's
        raise wrong.with_traceback(None) from None
    return ImportedGraph(found.name, found.text, found.params)
