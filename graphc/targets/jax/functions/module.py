"""A model and its programs -> the text of one Python module of pure functions of JAX."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from graphc import kinds
from graphc.elaborate.names.model import Condition, Declared
from graphc.kinds import Kind
from graphc.ops.fused import LIMITS
from graphc.plan.module import Compiled, Derived, Printed
from graphc.plan.signature import Entry
from graphc.records import replace
from graphc.targets.jax.functions.records import records
from graphc.targets.jax.functions.shards import rows, shard
from graphc.targets.jax.functions.sparse import sparse_function, sparse_hessian_function
from graphc.targets.jax.printing.body import statements
from graphc.targets.jax.printing.expression import Writer
from graphc.targets.jax.runtime.library import parts_for
from graphc.targets.marks import without_statements
from graphc.targets.numpy.functions.enter import enter_lines, entering
from graphc.targets.numpy.functions.halves import backward, forward
from graphc.targets.numpy.functions.parameters import flatten, init
from graphc.targets.numpy.functions.record import graph_record
from graphc.targets.numpy.functions.writers import WRITERS, write_derived
from graphc.targets.numpy.functions.writers import Writer as Function
from graphc.targets.numpy.module import is_sparse, module_docstring, open_somewhere
from graphc.targets.numpy.printing.families import tuple_rows
from graphc.targets.numpy.printing.text import function
from graphc.targets.numpy.printing.written import ATOM
from graphc.targets.numpy.verify import examine, refuse_unknown

FUNCTIONS: Mapping[Kind, Function] = {
    **WRITERS,
    kinds.SPARSE_JACOBIAN: sparse_function,
    kinds.SPARSE_HESSIAN: sparse_hessian_function,
}
"""The writer of each kind of derived function."""

WIDE = "_wide()"
"""What a function in float64 begins with."""

WHERE_READ = {
    "_FLOAT": "_FLOAT = np.dtype(FLOAT)",
    "_INT": "_INT = np.dtype(np.int64)",
    "_BOOL": "_BOOL = np.dtype(np.bool_)",
}
"""Names that a module has where it uses them."""

ABC = ("Callable", "Iterable", "Mapping", "Sequence")
LIBRARIES = {
    "lax": "from jax import lax",
    "sparse": "from jax.experimental import sparse",
    "PartitionSpec": "from jax.sharding import NamedSharding, PartitionSpec",
}


def text(compiled: Compiled) -> str:
    """Write the module, with marks."""
    compiled = printed(compiled)
    model, begin = compiled.model, open_somewhere(compiled)
    wide = [WIDE] * (model.dtype == "float64")
    functions = [
        *records(compiled),
        forward(compiled),
        *([backward(compiled)] if compiled.backward.wrt else []),
        *(write_derived(compiled, one, FUNCTIONS) for one in compiled.derived),
        *([shard(compiled)] if compiled.options.get("split") else []),
        *([init(compiled, "jnp", wide), flatten(compiled)] if model.params else []),
        enter(begin, model.conditions, wide),
    ]
    own = [examine(without_statements(one)) for one in functions]
    parts = parts_for({name for one in own for name in one.read})
    whole = "\n\n\n".join([*functions, *parts])
    head = _head(compiled, set(re.findall(r"[A-Za-z_]\w*", without_statements(whole))))
    refuse_unknown([examine(head), *own, *map(examine, parts)])
    return f"{head}\n\n\n{whole}\n"


def printed(compiled: Compiled) -> Compiled:
    """Return the plan with the statements of all functions printed."""
    return replace(
        compiled,
        forward=_printed(compiled.forward),
        backward=_printed(compiled.backward),
        derived=tuple(map(_printed, compiled.derived)),
    )


def _printed(one: Derived) -> Derived:
    writer = Writer(one.program.variables)
    results = {
        key: writer.array(node) if node.static else writer.operand(node).within(ATOM)
        for key, node in one.program.results.items()
    }
    return replace(
        one,
        printed=Printed(tuple(statements(one.program)), results, "jnp", "Array"),
        others=tuple(map(_printed, one.others)),
        destinations={},
    )


def enter(begin: Entry, conditions: Collection[Condition], wide: list[str]) -> str:
    """Write the function that every other calls first; the members of a family become one array."""
    families = {
        begin.variables[d.name] for d in (*begin.inputs, *begin.params) if d.family is not None
    }
    values = [f"jnp.stack({name})" if name in families else name for name in begin.values]
    returned = ", ".join(values) + ("," if len(values) == 1 else "")
    return function(
        f"def _enter({entering(begin)}) -> tuple[Any, ...]:",
        "Check the arguments, make them arrays of JAX, and bind the dims.",
        [*wide, *enter_lines(begin, [*conditions], _checked), f"return {returned or '()'}"],
    )


def _checked(declared: Declared, one: str, place: str, shape: str, call: str) -> list[str]:
    return [f"{place} = {call}"]


def _head(compiled: Compiled, read: Collection[str]) -> str:
    """Write what stands before the functions, which read these words."""
    model = compiled.model
    abc = [name for name in ABC if name in read]
    lines = [
        module_docstring(compiled),
        "",
        "from __future__ import annotations",
        "",
        *([f"from collections.abc import {', '.join(abc)}"] if abc else []),
        *(["from dataclasses import dataclass, field"] if compiled.backward.wrt else []),
        "from typing import Any, NamedTuple",
        "",
        "import jax",
        "import jax.numpy as jnp",
        *(["import jax.scipy"] if "scipy" in read else []),
        "import numpy as np",
        *(line for name, line in LIBRARIES.items() if name in read and _is_meant(name, compiled)),
        "",
        f"FLOAT = jnp.{model.dtype}",
        *(f"{name} = {by[model.dtype]}" for name, by in LIMITS.items() if name in read),
        "Array = jax.Array",
        "ArrayLike = Any  # what jnp.asarray takes",
        *(line for name, line in WHERE_READ.items() if name in read),
    ]
    if model.params:
        lines += ["PARAMETERS = (", *tuple_rows(model.params), ")"]
    lines += ["", *graph_record(compiled)]
    if compiled.options.get("split"):
        lines += ["", *rows(compiled)]
    return "\n".join(lines)


def _is_meant(library: str, compiled: Compiled) -> bool:
    """True if a word is that of a library: `sparse` is one in a text that speaks of matrices."""
    return library != "sparse" or is_sparse(compiled)
