"""The language's words for the types of numbers of others."""

from __future__ import annotations

from collections.abc import Mapping

from graphc.ir.types import Dtype

KINDS: Mapping[str, Dtype] = {"f": "float", "i": "int", "u": "int", "b": "bool"}
"""By the `kind` of a dtype of NumPy."""
