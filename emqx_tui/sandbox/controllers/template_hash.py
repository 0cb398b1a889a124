"""Names that controllers derive from a pod template.

Owns the FNV-32a hash, its printable form and the two names made of it: the StatefulSet suffix of the EMQX Operator
(`statefulset_util.go:computeHash`) and the controller revision. A real operator hashes a Go dump of the template; we
hash a canonical JSON text, so the value differs from a real cluster's while its shape and its stability do not.
"""

from __future__ import annotations

import json
import struct
from functools import lru_cache
from typing import Any

_SAFE_DIGITS = str.maketrans("0123456789", "456789bcdf")
_OFFSET, _PRIME = 0x811C9DC5, 0x01000193


@lru_cache(maxsize=256)
def fnv32a(octets: bytes) -> int:
    value = _OFFSET
    for octet in octets:
        value = ((value ^ octet) * _PRIME) & 0xFFFFFFFF
    return value


def safe_encode(number: int) -> str:
    """Decimal digits in the alphabet that makes no words (k8s.io/apimachinery rand.SafeEncodeString)."""
    return str(number).translate(_SAFE_DIGITS)


def canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def template_hash(template: Any, collision_count: int) -> str:
    """The StatefulSet suffix: at most ten characters, another one for each collision count."""
    return safe_encode(fnv32a(canonical(template) + struct.pack("<Q", collision_count)))


def revision_hash(template: Any) -> str:
    """The suffix of a controller revision."""
    return safe_encode(fnv32a(b"revision" + canonical(template)))
