"""What can be wrong between the operator, and only the operator, and EMQX's management API.

Owns the fault descriptions that scenarios set and the requester obeys. Everybody else's calls are not touched.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ApiFaultKind = Literal["refused", "eof", "unauthorized", "not_found", "slow", "hang"]


@dataclass(frozen=True)
class ApiFault:
    """One disturbance; several may be set at a time and the first that fits decides."""

    kind: ApiFaultKind
    """refused and eof: no answer; unauthorized and not_found: an answer that is no JSON; hang: none until lifted"""
    delay_s: float = 0.0
    """only for slow"""
    path: str = ""
    """fits calls whose path contains this"""
    through: Literal["any", "service", "pod"] = "any"
    """service: calls to the headless name; pod: the availability checks by pod IP"""
    pod: str | None = None
    """only calls answered by this pod"""

    def fits(self, path: str, through: str, pod: str | None) -> bool:
        return self.path in path and self.through in ("any", through) and self.pod in (None, pod)
