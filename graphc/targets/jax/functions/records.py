"""The records of a module of JAX: pytrees, in which the dims of a cache are no leaves."""

from __future__ import annotations

from collections.abc import Iterable

from graphc.plan.module import Compiled
from graphc.targets.numpy.functions.record import cache_fields, cache_variables, needs_record

_CACHE = "What `backward` reads: exactly those values of the forward pass, and the dims."


def records(compiled: Compiled) -> list[str]:
    """Write Outputs and Cache; a NamedTuple for each derived function with several values."""
    named = compiled.begin.fields
    found = [
        _tuple("Outputs", "The outputs by name.", (named[d.name] for d in compiled.model.outputs))
    ]
    if compiled.backward.wrt:
        kept = cache_fields(compiled)
        found.append(
            "\n".join(
                [
                    "@jax.tree_util.register_dataclass",
                    "@dataclass(frozen=True, repr=False)",
                    "class Cache:",
                    f'    """{_CACHE}"""',
                    "",
                    *(f"    {kept[name]}: Array" for name in cache_variables(compiled)),
                    *(
                        f"    {kept[dim]}: int = field(metadata={{'static': True}})"
                        for dim in compiled.begin.dims
                    ),
                ]
            )
        )
    for one in compiled.derived:
        if needs_record(compiled, one):
            record = compiled.begin.records[one.program.name]
            about = f"The values of `{one.program.name}`."
            found.append(_tuple(record, about, (named[name] for name in one.outputs)))
    return found


def _tuple(name: str, about: str, fields: Iterable[str]) -> str:
    rows = (f"    {field}: Array" for field in fields)
    return "\n".join([f"class {name}(NamedTuple):", f'    """{about}"""', "", *rows])
