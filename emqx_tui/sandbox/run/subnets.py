"""A loopback subnet of its own for each sandbox, so that several run side by side.

A subnet is claimed by listening at its first address; the claim ends with the process, however it ends. Where only
127.0.0.1 is configured (macOS), nothing can be claimed and pods are reached by port-forward alone.
"""

from __future__ import annotations

import random
import socket
from dataclasses import dataclass

_CLAIM_PORT = 8081
_SECOND_OCTETS = range(64, 128)


@dataclass(frozen=True)
class Subnet:
    """A claimed network; `claim` is held open as long as it is used."""

    cidr: str
    claim: socket.socket | None

    def release(self) -> None:
        if self.claim:
            self.claim.close()


UNCLAIMED = Subnet("10.244.0.0/16", None)
"""Addresses without listeners, as those of a real cluster's pods are from outside."""


def claim_subnet(rng: random.Random, attempts: int = 32) -> Subnet:
    """A free 127.x.y.0/24, or UNCLAIMED when this machine has none."""
    for _ in range(attempts):
        prefix = f"127.{rng.choice(_SECOND_OCTETS)}.{rng.randrange(256)}"
        claim = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            claim.bind((f"{prefix}.1", _CLAIM_PORT))
            claim.listen(1)
        except OSError:
            claim.close()
            continue
        return Subnet(f"{prefix}.0/24", claim)
    return UNCLAIMED
