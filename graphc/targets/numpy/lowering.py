"""Rewriting for NumPy: what makes its calls fewer or cheaper, and comes last."""

from __future__ import annotations

from graphc.ir.graph import Graph
from graphc.ir.use_counts import Rules
from graphc.ir.verify import verified
from graphc.optimise.algebra.matrices import MATRICES
from graphc.optimise.algebra.reductions import BY_PRODUCT, FUSED
from graphc.optimise.algebra.stacks import STACKS
from graphc.optimise.driver import applied_everywhere, joined

LAST_RULES: tuple[Rules, ...] = (FUSED, joined(FUSED, BY_PRODUCT, MATRICES, STACKS))
"""What hides the structure that the others look for; of the first table what is not read once
any more when the second has been applied."""


@verified
def settle(graph: Graph) -> Graph:
    """Write sums as products with ones, rows of matrices as one, and fuse what is one call."""
    for rules in LAST_RULES:
        graph = applied_everywhere(graph, rules)
    return graph
