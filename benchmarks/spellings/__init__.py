"""One mathematics in several spellings: what each costs, against the fastest."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.spellings import formulas, networks, parts
from benchmarks.spellings.spelt import Spelt

SPELT: Mapping[str, Spelt] = {**networks.SPELT, **formulas.SPELT, **parts.SPELT}
"""By name: the workloads, and parts of programs."""
