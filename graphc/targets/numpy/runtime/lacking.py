"""What kernels call that NumPy lacks, by its name: the functions of the files beside this."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphc.targets.numpy.runtime import bessel, incomplete, matrices, normal, special

FILES = {
    "special": special,
    "normal": normal,
    "bessel": bessel,
    "incomplete": incomplete,
    "matrices": matrices,
}
HELPERS: Mapping[str, Callable[..., Any]] = {
    name: function for file in FILES.values() for name, function in file.HELPERS.items()
}
