"""A function for several devices, copied into modules of JAX as it stands here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import NamedSharding, PartitionSpec


def _sharded(
    mesh: Any,
    function: Callable[..., Any],
    names: Sequence[str],
    dims: Sequence[str],
    arguments: Mapping[str, Any],
    results: Mapping[str, Any],
) -> Callable[..., Any]:
    """A function compiled for a mesh of devices: of these arguments and results each device has
    some of the rows, of all else the whole."""

    partition: Any = PartitionSpec
    constrain: Any = lax.with_sharding_constraint

    def placed(value: Any, rows: Any) -> Any:
        return constrain(jnp.asarray(value), NamedSharding(mesh, rows or partition()))

    def result(where: Any, value: Any) -> Any:
        name = jax.tree_util.keystr(where, simple=True, separator="/")
        return placed(value, results.get(name))

    def all_rows(*values: Any, **named: Any) -> Any:
        given = {**dict(zip(names, values, strict=False)), **named}
        for name in [one for one in given if one not in dims]:
            rows = arguments.get(name)
            given[name] = jax.tree.map(lambda one, rows=rows: placed(one, rows), given[name])
        return jax.tree_util.tree_map_with_path(result, function(**given))

    return jax.jit(all_rows, static_argnames=tuple(dims))
