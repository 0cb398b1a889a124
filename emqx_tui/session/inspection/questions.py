"""What a screen may ask about one object, and the answers: values that travel between the engine and the screens.

Everything in an answer is redacted, and free of what a terminal would obey.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emqx_tui.model.claims import Claim
from emqx_tui.model.kinds import Kind
from emqx_tui.model.object_schema import ObjectSchema
from emqx_tui.model.workloads import ClusterEvent


@dataclass(frozen=True)
class Target:
    """One object of the tree."""

    kind: Kind | None
    """None: the EMQX node in the pod of this name."""
    namespace: str
    name: str
    uid: str = ""


@dataclass(frozen=True)
class ReadObject:
    """The object as it is stored and, for a description, its Events."""

    target: Target
    with_events: bool = False


@dataclass(frozen=True)
class ReadEvents:
    """The Events of these objects."""

    targets: tuple[Target, ...]


@dataclass(frozen=True)
class ReadLog:
    """A container's log; it is followed, unless it is the one before the container's restart."""

    namespace: str
    pod: str
    container: str
    is_previous: bool = False
    since_s: int | None = None
    """None: the last lines, however old."""


@dataclass(frozen=True)
class ReadSchema:
    """The published schema of EmqxEnterprise: what its fields mean."""


Question = ReadObject | ReadEvents | ReadLog | ReadSchema


@dataclass(frozen=True)
class LogExcerpt:
    """The newest lines of a log."""

    lines: tuple[str, ...] = ()
    """Oldest first, bounded."""
    first: int = 0
    """Number of the first of them, counted from the first line that was read."""
    is_followed: bool = False
    """More lines are waited for."""

    def behind(self, number: int) -> tuple[str, ...]:
        """The lines from this number on, as far as they are kept."""
        return self.lines[max(0, number - self.first) :]

    @property
    def end(self) -> int:
        """Number of the next line."""
        return self.first + len(self.lines)


@dataclass(frozen=True)
class Answer:
    """What is known so far of the question with this number. A part that could not be had is told in its `problem`."""

    number: int
    is_complete: bool = False
    """Nothing more comes."""
    object: Mapping[str, Any] | None = None
    problem: str = ""
    events: tuple[ClusterEvent, ...] = ()
    """Oldest first."""
    events_problem: str = ""
    log: LogExcerpt = LogExcerpt()
    schema: ObjectSchema | None = None


@dataclass(frozen=True)
class Right:
    """A right to look at something."""

    verb: str
    group: str
    resource: str
    """Plural, with the subresource after a slash."""

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}"


def right_to_get(kind: Kind) -> Right:
    """The right to read one object of a kind."""
    return Right("get", kind.info.group, kind.info.plural)


READ_LOGS = Right("get", "", "pods/log")
LIST_EVENTS = Right("list", "", "events")
LIST_CLAIMS = Right("list", "", Kind.CLAIM.info.plural)
OBJECTS = (Kind.EMQX_ENTERPRISE, Kind.STATEFUL_SET, Kind.POD, Kind.CLAIM)
"""The kinds of the tree."""
ALL_RIGHTS = (READ_LOGS, LIST_EVENTS, LIST_CLAIMS, *map(right_to_get, OBJECTS))


@dataclass(frozen=True)
class Inventory:
    """What belongs to a cluster and is not watched, and what this user may look at."""

    namespace: str
    name: str
    claims: tuple[Claim, ...] = ()
    claims_problem: str = ""
    missing: frozenset[Right] = frozenset()
    """Rights that the server denies; one that could not be asked about is not among them."""
