"""What a pod says of its containers and of itself: states, last ends, conditions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from emqx_tui.model.wire import Fields

LONGEST = 600
"""Characters of a message that are kept: an error of a container can be a whole log."""


@dataclass(frozen=True)
class Termination:
    """How a container ended."""

    reason: str
    exit_code: int
    message: str
    finished_at: datetime | None

    def __str__(self) -> str:
        return f"{self.reason or 'ended'}, exit code {self.exit_code}"

    @classmethod
    def from_fields(cls, fields: Fields) -> Termination:
        return cls(
            reason=fields.text("reason", ""),
            exit_code=fields.integer("exitCode", 0),
            message=fields.text("message", "")[:LONGEST],
            finished_at=fields.instant("finishedAt"),
        )


@dataclass(frozen=True)
class Container:
    """One container of a pod."""

    name: str
    image: str
    is_ready: bool
    restarts: int
    waiting: str
    """Why it waits, such as ImagePullBackOff; empty when it does not."""
    message: str
    """Of a container that waits."""
    running_since: datetime | None
    ended: Termination | None
    """None while it does not stand ended."""
    last: Termination | None
    """How it ended before its last restart."""

    @classmethod
    def from_fields(cls, fields: Fields) -> Container:
        state, last = fields.child("state"), fields.child("lastState")
        waiting = state.child("waiting")
        return cls(
            name=fields.text("name", ""),
            image=fields.text("image", ""),
            is_ready=fields.flag("ready"),
            restarts=fields.integer("restartCount", 0),
            waiting=waiting.text("reason", ""),
            message=waiting.text("message", "")[:LONGEST],
            running_since=state.child("running").instant("startedAt"),
            ended=Termination.from_fields(state.child("terminated")) if "terminated" in state else None,
            last=Termination.from_fields(last.child("terminated")) if "terminated" in last else None,
        )


@dataclass(frozen=True)
class PodCondition:
    """One condition of a pod; its readiness gates are among them, once somebody has set them."""

    type: str
    status: str
    """`True`, `False` or `Unknown`."""
    reason: str = ""
    message: str = ""
    since: datetime | None = None

    @classmethod
    def from_fields(cls, fields: Fields) -> PodCondition:
        return cls(
            type=fields.text("type", ""),
            status=fields.text("status", "Unknown"),
            reason=fields.text("reason", ""),
            message=fields.text("message", "")[:LONGEST],
            since=fields.instant("lastTransitionTime"),
        )
