"""The JAX target, as a record."""

from __future__ import annotations

from graphc.targets.jax.functions.module import text
from graphc.targets.jax.printing.expression import length
from graphc.targets.target import Target, as_it_is

JAX = Target("jax", ".py", length, lowering=(), stages=(), small=as_it_is, write=text)
