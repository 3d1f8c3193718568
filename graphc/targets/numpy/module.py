"""A model and its programs -> the text of one Python module that imports only NumPy."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cache

from graphc.elaborate.names.model import Declared
from graphc.ir.loop import everywhere
from graphc.ir.sizes import typical
from graphc.ir.types import FLOAT_BYTES, shape_text
from graphc.ops.fused import LIMITS
from graphc.plan.buffers.report import cache_of_floats
from graphc.plan.module import Compiled
from graphc.plan.program import Program
from graphc.plan.signature import Entry
from graphc.provenance import MARK
from graphc.records import replace
from graphc.targets.command_line import command_line
from graphc.targets.marks import without_statements
from graphc.targets.numpy.functions import python_floats
from graphc.targets.numpy.functions.check import check
from graphc.targets.numpy.functions.chunks import chunk_functions, part_record
from graphc.targets.numpy.functions.enter import enter
from graphc.targets.numpy.functions.halves import backward, forward
from graphc.targets.numpy.functions.parameters import flatten, init
from graphc.targets.numpy.functions.record import graph_record, records
from graphc.targets.numpy.functions.trace import records as trace_records
from graphc.targets.numpy.functions.trace import tables, trace
from graphc.targets.numpy.functions.writers import write_derived
from graphc.targets.numpy.printing.copied import called_of, definitions_of, words_in
from graphc.targets.numpy.printing.families import show_path, tuple_rows
from graphc.targets.numpy.printing.literals import definitions
from graphc.targets.numpy.printing.scratch import programs, scratch_functions, take_scratch
from graphc.targets.numpy.printing.text import docstring
from graphc.targets.numpy.runtime import threads
from graphc.targets.numpy.runtime.lacking import FILES
from graphc.targets.numpy.verify import Names, examine, refuse_unknown

WHERE_READ = {
    "_FLOAT": "_FLOAT = np.dtype(FLOAT)",
    "_INT": "_INT = np.dtype(np.int64)",
    "_BOOL": "_BOOL = np.dtype(np.bool_)",
    "_GONE": "_GONE: Any = None  # what an array is replaced by whose name a block has",
}
"""Names that a module has where it uses them."""

KINDS = ("Callable", "Iterable", "Mapping")
"""What a module imports of `collections.abc` where it uses it."""


def text(compiled: Compiled, known: Collection[str] = ()) -> str:
    """Write the module, with marks; these names are defined in what will be added to it."""
    begin = open_somewhere(compiled)
    sections = [
        [forward(compiled)],
        [backward(compiled)] if compiled.backward.wrt else [],
        [write_derived(compiled, one) for one in compiled.derived],
        [text for one in compiled.chunked for text in chunk_functions(compiled, one)],
        [check(compiled)] if compiled.backward.wrt else [],
        [trace(compiled)] if compiled.watched else [],
        [init(compiled), flatten(compiled)] if compiled.model.params else [],
        scratch_functions(compiled),
        [enter(begin, compiled.model.conditions, compiled.model.dtype)],
    ]
    kinds = [*records(compiled), *map(part_record, compiled.chunked)]
    kinds += trace_records() if compiled.watched else []
    functions = [*kinds, *(one for section in sections for one in section)]
    own = [
        examine(without_statements(one)) for one in functions
    ]  # one by one: their trees take much memory
    parts = parts_for({name for one in own for name in one.read})
    words = frozenset[str]().union(*(one.read for one in own), *map(words_of, parts))
    head = _head(compiled, words)
    refuse_unknown([Names({*known, *parts}, {}), examine(head), *own])
    return "\n\n\n".join([head, *functions, *(ready_made()[part] for part in parts)]) + "\n"


def open_somewhere(compiled: Compiled) -> Entry:
    """Return how functions begin, with the dims that some of them do not need."""
    needless = {dim for one in compiled.derived for dim in one.optional}
    dims = tuple(dim for dim in compiled.begin.keywords if dim in needless)
    return replace(compiled.begin, optional=dims)


def _head(compiled: Compiled, read: Collection[str]) -> str:
    """Write what stands before the functions, which read these names."""
    model = compiled.model
    blocks, cache = "_blocks" in read, cache_of_floats(FLOAT_BYTES[model.dtype])
    numbers = definitions(programs(compiled))
    kinds = [kind for kind in KINDS if kind in read]
    imports, names = python_floats.head(compiled)
    lines = [
        module_docstring(compiled),
        "",
        "from __future__ import annotations",
        "",
        *(["import contextvars", "import os", "import threading", "import time"] if blocks else []),
        *([f"from collections.abc import {', '.join(kinds)}"] if kinds else []),
        *imports,
        "from typing import Any, NamedTuple",
        "",
        "import numpy as np",
        "import numpy.typing as npt",
        *(["from scipy import sparse"] if is_sparse(compiled) else []),
        "",
        f"FLOAT = np.{model.dtype}",
        *(
            f"{name} = {by[model.dtype]}"
            for name, by in LIMITS.items()
            if name in read or f"_C_{name}" in numbers
        ),
        *numbers.values(),
        *names,
        "Array = npt.NDArray[FLOAT]",
        "ArrayLike = Any  # what np.asarray takes",
        *(line for name, line in WHERE_READ.items() if name in read),
    ]
    if model.params:
        lines += ["PARAMETERS = (", *tuple_rows(model.params), ")"]
    lines += ["", *graph_record(compiled)]
    if compiled.watched:
        lines += ["", *tables(compiled)]
    if blocks:
        lines += [
            "",
            f"CACHE = {cache >> 20} * 2**20  # bytes that a block computes in, 8 for each float",
            f"LONG = {threads.LONG}  # seconds of a call of NumPy that are worth a thread",
        ]
    if any(map(_may_be_large, programs(compiled))):
        lines += ["", *_KEPT]
    if any(map(take_scratch, programs(compiled))):
        lines += [
            "",
            "_SCRATCH: dict[Any, dict[Any, list[tuple[Any, ...]]]] = {}  # what no call uses now",
        ]
    return "\n".join(lines)


_KEPT = (
    "# Once a block of this size was freed, glibc keeps what smaller ones free for those to come:",
    "# else each call has its memory from the system anew, page by page (mallopt(3)).",
    "np.empty(2**25 - 2**16, np.bool_)",
)
TRIMMED = 128 << 10
"""From so many bytes on glibc gives memory back to the system at first (M_TRIM_THRESHOLD)."""
MANY = 1000
"""How long an axis may well be whose length is not known."""


def _may_be_large(program: Program) -> bool:
    """True if what a function computes may be so much that it is given back after each call."""
    sizes = (node.type.size for node in everywhere(program.results.values()))
    elements = sum(typical(size, dict.fromkeys(size.symbols, MANY)) for size in sizes)
    return elements * FLOAT_BYTES["float64"] >= TRIMMED


def module_docstring(compiled: Compiled) -> str:
    """Write the docstring: of what the module is, from what, and the shapes."""
    model = compiled.model
    about = [model.doc.strip() or f"The graph `{model.name}`.", ""]
    about.append(
        f"{MARK}{compiled.version} ({compiled.level.name}) from {model.name}.graph; do not edit."
    )
    if compiled.level.name != "-O0":
        about.append("For reading there is `graphc compile -O0`: a plain statement a node.")
    if compiled.options:
        about.append(f"Options: {command_line(compiled.options)}")
    about.append("")
    for title, declared in (
        ("Inputs", model.inputs),
        ("Parameters", model.params),
        ("Outputs", model.outputs),
    ):
        if declared:
            about += [f"{title}:", *(f"    {_line(one)}" for one in declared), ""]
    dims = [f"{d.name} = {d.fixed}" if d.fixed is not None else d.name for d in model.dims]
    if dims:
        about += [f"Dims: {', '.join(dims)}", ""]
    return docstring("\n".join(about).rstrip() + "\n", "")


def is_sparse(compiled: Compiled) -> bool:
    """True if a function returns a sparse matrix."""
    return any(one.kind.returns == "sparse" for one in compiled.derived)


def _line(declared: Declared) -> str:
    doc = " ".join(declared.doc.split())
    kind = "" if declared.type.dtype == "float" else declared.type.dtype + " "
    return f"{show_path(declared)}: {kind}{shape_text(declared.type.shape)}" + (
        f"  {doc}" if doc else ""
    )


@cache
def ready_made() -> dict[str, str]:
    """Return the ready-made functions, as text, in their own order."""
    return {
        name: text
        for file in ("parts", "comparing", "out", "threads", *FILES, "watching")
        for name, text in definitions_of(file).items()
        if not text.startswith("class")
    }


def parts_for(read: Iterable[str]) -> list[str]:
    """List the ready-made functions called where these names are read, in their own order."""
    return called_of(ready_made(), read)


def words_of(part: str) -> frozenset[str]:
    """Return the words of a ready-made function, among which are the names that it reads."""
    return words_in(ready_made()[part])
