"""The budget of `--memory`: bytes, or a share of what the functions take without it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from graphc.later import Later
from graphc.records import dataclass

if TYPE_CHECKING:
    import fractions
else:
    fractions = Later("fractions")

UNITS = {
    "": 1, "b": 1, "byte": 1, "bytes": 1,
    "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
    "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
}  # fmt: skip

FORM = "such as 256MB, 1.5GiB, 4096 or 50%"


@dataclass(frozen=True, slots=True)
class Budget:
    """So many bytes, or this share of the largest unplanned peak."""

    bytes: int | None
    share: fractions.Fraction | None

    def of(self, unplanned: int) -> int:
        if self.bytes is not None:
            return self.bytes
        assert self.share is not None
        return int(self.share * unplanned)


def budget(text: str) -> Budget:
    """Parse a budget; ValueError where it is none.

    >>> budget("1.5 MiB").bytes, str(budget("50%").share)
    (1572864, '1/2')
    """
    found = re.fullmatch(r"\s*([0-9]{1,18}(?:\.[0-9]{1,18})?)\s*(%|[A-Za-z]*)\s*", text)
    amount = fractions.Fraction(found[1] if found else 0)
    unit = found[2].lower() if found else "?"
    if unit == "%" and 0 < amount <= 100:
        return Budget(None, amount / 100)
    if unit in UNITS and int(amount * UNITS[unit]) > 0:
        return Budget(int(amount * UNITS[unit]), None)
    raise ValueError(f"`{text}` is not an amount of memory {FORM}")


def amount(size: int) -> str:
    """Bytes as they are read.

    >>> amount(812), amount(30_100_000)
    ('812 bytes', '30.1 MB')
    """
    for power, unit in ((4, "TB"), (3, "GB"), (2, "MB"), (1, "KB")):
        if size >= 1000**power:
            return f"{size / 1000**power:.3g} {unit}"
    return f"{size} bytes" if size != 1 else "1 byte"
