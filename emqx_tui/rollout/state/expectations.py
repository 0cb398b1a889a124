"""What has been asked for and not been seen yet: commands in flight, refusals, and the operator's ack (client-go's
expectations).

They keep a command from being sent twice. Safety does not depend on them: a console that was restarted has none, and
waits longer or sends the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self

from emqx_tui.model.emqx_enterprise import EmqxEnterprise
from emqx_tui.rollout.commands import CloseValve, Command, Nudge, StartDrain, StopDrain, drain_key

SEEN_AFTER_S = 1.0
"""Figures read less than this after a command was done may be from before it."""
UNSEEN_FOR_S = 30.0
"""After this long nothing is waited for any more."""


@dataclass(frozen=True)
class AckWait:
    """A patch of the custom resource that the operator has not answered with a status write yet."""

    resource_version: str
    status_mark: str
    since: datetime
    command: str

    def is_answered_by(self, resource: EmqxEnterprise) -> bool:
        """`resource` is newer than the patch, and its status is another one."""
        seen, known = resource.meta.resource_version, self.resource_version
        is_newer = int(seen) > int(known) if seen.isdigit() and known.isdigit() else seen != known
        return is_newer and resource.status_mark != self.status_mark


@dataclass(frozen=True)
class Failure:
    """The last failure of a command, and how many there were in a row."""

    at: datetime
    message: str
    count: int
    is_refusal: bool
    """The other side understood and said no (as opposed to no answer, or a lost race)."""
    command: str
    """The command's name."""
    sent: Command | None = None
    """The command itself: once anything in it is another, what made it fail may be over."""

    def is_within(self, seconds: float, now: datetime) -> bool:
        """It happened less than `seconds` ago."""
        return (now - self.at).total_seconds() < seconds


@dataclass(frozen=True)
class Expectations:
    """See the module. Every change gives a new value."""

    in_flight: frozenset[str] = frozenset()
    """Keys of commands that were sent and not answered."""
    sent_at: Mapping[str, datetime] = field(default_factory=dict)
    """By command name: when one of that name was last sent."""
    done_at: Mapping[tuple[str, str], datetime] = field(default_factory=dict)
    """By command name and key: when one was last answered with success."""
    failures: Mapping[str, Failure] = field(default_factory=dict)
    """By command key; a success removes it."""
    unanswered_starts: Mapping[str, datetime] = field(default_factory=dict)
    """By pod: when the last start of its evacuation ended without an answer. It may still take effect."""
    starts_sent: frozenset[str] = frozenset()
    """Pods whose evacuation this console has started, or tried to."""
    nudges: tuple[str, int] = ("", 0)
    """The reason of the last nudge, and how many there were for it in a row."""
    ack: AckWait | None = None
    blue_scaled_to: int | None = None
    """The size of the last scale of blue that was wanted by this console."""
    metadata_generation: int | None = None
    """Of the custom resource as it was seen last."""

    def refused_again(self, *commands: type[Command]) -> list[Failure]:
        """Of these kinds, the commands that were refused three times in a row, or more often."""
        names = [command.name for command in commands]
        return [f for f in self.failures.values() if f.command in names and f.is_refusal and f.count >= 3]

    def sent(self, command: Command, now: datetime) -> Self:
        nudges = self.nudges
        if isinstance(command, Nudge):
            nudges = (command.reason, nudges[1] + 1 if command.reason == nudges[0] else 1)
        starts = self.starts_sent | {command.pod} if isinstance(command, StartDrain) else self.starts_sent
        sent_at, in_flight = {**self.sent_at, command.name: now}, self.in_flight | {command.key}
        return replace(self, in_flight=in_flight, sent_at=sent_at, starts_sent=starts, nudges=nudges)

    def succeeded(self, command: Command, now: datetime) -> Self:
        return replace(
            self,
            in_flight=self.in_flight - {command.key},
            failures={key: failure for key, failure in self.failures.items() if key != command.key},
            done_at={**self.done_at, (command.name, command.key): now},
            unanswered_starts=self._unanswered(command, None),
        )

    def _unanswered(self, command: Command, at: datetime | None) -> Mapping[str, datetime]:
        """An answer to either command of a drain settles whether it was started; None = answered."""
        if not isinstance(command, StartDrain | StopDrain):
            return self.unanswered_starts
        others = {pod: since for pod, since in self.unanswered_starts.items() if pod != command.pod}
        return others if at is None else {**others, command.pod: at}

    def failed(
        self, command: Command, message: str, *, is_refusal: bool, now: datetime, is_unanswered: bool = False
    ) -> Self:
        """A command was refused, lost a race, or got no answer."""
        before = self.failures.get(command.key)
        failure = Failure(now, message, (before.count if before else 0) + 1, is_refusal, command.name, command)
        unanswered = self.unanswered_starts
        if is_unanswered and isinstance(command, StartDrain):
            unanswered = self._unanswered(command, now)
        return replace(
            self,
            in_flight=self.in_flight - {command.key},
            failures={**self.failures, command.key: failure},
            unanswered_starts=unanswered,
        )

    def awaiting_ack(self, command: Command, stored: EmqxEnterprise, now: datetime) -> Self:
        """A patch was stored as `stored`: the next status write after it is its ack.

        The operator's silence counts from the first patch that it has not answered: nudges do not make it shorter.
        """
        since = self.ack.since if self.ack is not None else now
        return replace(self, ack=AckWait(stored.meta.resource_version, stored.status_mark, since, command.name))

    def observed(self, resource: EmqxEnterprise | None) -> Self:
        """Forget the ack that `resource` brings, and refusals to close its valve from before it was changed.

        Who has changed it got past the operator's webhook: a valve that he opened is closed at once.
        """
        if resource is None:
            return self
        ack = None if self.ack is not None and self.ack.is_answered_by(resource) else self.ack
        known, found = self.metadata_generation, resource.meta.metadata_generation
        failures = self.failures
        if known not in (None, found) and CloseValve.name in failures:
            failures = {key: failure for key, failure in failures.items() if key != CloseValve.name}
        if (ack, failures, found) == (self.ack, self.failures, known):
            return self
        return replace(self, ack=ack, failures=failures, metadata_generation=found)

    def forgiven(self) -> Self:
        """A hold was lifted: old refusals must not hold again before anything is tried anew."""
        return replace(self, failures={})

    def seconds_since_sent(self, name: str, now: datetime) -> float:
        """Seconds since a command of this name was sent; infinity when none was."""
        at = self.sent_at.get(name)
        return float("inf") if at is None else (now - at).total_seconds()

    def is_effect_awaited(self, command: Command, read_at: datetime | None, now: datetime) -> bool:
        """The effect of the last such command cannot have been seen yet in figures that were read at `read_at`."""
        return self._is_unseen(command.name, command.key, read_at, now)

    def is_start_awaited(self, pod: str, read_at: datetime | None, now: datetime) -> bool:
        """Its evacuation was started from here, and what was read of it at `read_at` cannot tell of that yet."""
        key = drain_key(pod)
        return key in self.in_flight or self._is_unseen(StartDrain.name, key, read_at, now)

    def _is_unseen(self, name: str, key: str, read_at: datetime | None, now: datetime) -> bool:
        done_at = self.done_at.get((name, key))
        if done_at is None or (now - done_at).total_seconds() > UNSEEN_FOR_S:
            return False
        return read_at is None or (read_at - done_at).total_seconds() < SEEN_AFTER_S
