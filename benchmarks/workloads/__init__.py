"""The workloads by name: those that compute derivatives are data, the others functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from benchmarks.harness import Effort, Say, Workload, measure
from benchmarks.tables import Table
from benchmarks.workloads import (
    bundle,
    compiling,
    deep,
    digits,
    elementwise,
    gmm,
    hessian,
    jacobian,
    lstm,
    mlp,
    net321,
    per_example,
    resblocks,
    startup,
    transformer,
)

Measure = Callable[[Path, Effort, Say], list[Table]]

GRADIENTS: Mapping[str, Workload] = {
    workload.name: workload
    for workload in (
        digits.WORKLOAD,
        net321.WORKLOAD,
        mlp.WORKLOAD,
        resblocks.WORKLOAD,
        deep.WORKLOAD,
        elementwise.WORKLOAD,
        gmm.WORKLOAD,
        lstm.WORKLOAD,
        transformer.WORKLOAD,
        bundle.WORKLOAD,
        bundle.GRADIENT_WORKLOAD,
        jacobian.ONE,
        jacobian.BATCH,
        per_example.WORKLOAD,
        hessian.WORKLOAD,
    )
}

WORKLOADS: Mapping[str, Measure] = {
    **{name: partial(measure, workload) for name, workload in GRADIENTS.items()},
    "import": startup.measure,
    "compile": compiling.measure,
}
