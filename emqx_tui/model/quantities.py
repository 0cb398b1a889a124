"""Kubernetes quantities: `500m`, `2`, `1.5Gi`, `1e3`.

Pure. The grammar is that of apimachinery's `resource.Quantity`: a decimal number and a suffix, either a power of ten
(n, u, m, k, M, G, T, P, E), a power of two (Ki to Ei), or a decimal exponent.
"""

from __future__ import annotations

import re
from decimal import Decimal

_SHAPE = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([numkMGTPE]|[KMGTPE]i)?)")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}


def quantity(text: object) -> Decimal:
    """The number that a quantity stands for; raises ValueError with the text."""
    found = _SHAPE.fullmatch(str(text).strip())
    if found is None:
        raise ValueError(f"not a quantity: {str(text)[:40]!r}")
    number, exponent, suffix = found.groups()
    if exponent is not None:
        return Decimal(number + exponent)
    if suffix in _BINARY:
        return Decimal(number) * 2 ** _BINARY[suffix]
    return Decimal(number).scaleb(_DECIMAL[suffix or ""])
