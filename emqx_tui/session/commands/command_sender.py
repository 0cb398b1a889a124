"""Commands on their way: each is expected, logged and recorded when it is sent and when it is answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from emqx_tui.rollout.commands import (
    ApplyTemplate,
    CloseValve,
    Command,
    Nudge,
    RestoreDelay,
    RestoreTemplate,
)
from emqx_tui.rollout.state.expectations import Expectations
from emqx_tui.session.commands.executor import Executor
from emqx_tui.session.inputs import CommandDone, CommandFailed, Put
from emqx_tui.session.options import Ports
from emqx_tui.session.views.log import command_words
from emqx_tui.session.views.publisher import Publisher

_PATCHES_OF_RESOURCE = (ApplyTemplate, Nudge, CloseValve, RestoreDelay, RestoreTemplate)
"""The operator answers them with a status write."""


class CommandSender:
    """Sends commands; every method gives the expectations as they are afterwards."""

    def __init__(
        self, ports: Ports, publisher: Publisher, put: Put, *, may_advance: Callable[[], Awaitable[str]]
    ) -> None:
        """`may_advance` is asked before each advancing command leaves: why not, or empty."""
        self._clock = ports.clock
        self._publisher = publisher
        self._executor = Executor(ports.kube, ports.emqx, put, may_advance)

    def send(self, commands: Sequence[Command], known: Expectations) -> Expectations:
        """Send each, but for those whose key is still on its way."""
        now = self._clock.now()
        for command in commands:
            if self._executor.send(command):
                known = known.sent(command, now)
                self._publisher.log.sent(now, command)
                self._record("command", command, advancing=command.advancing)
        return known

    def done(self, done: CommandDone, known: Expectations) -> Expectations:
        """A command took effect."""
        now, command = self._clock.now(), done.command
        self._publisher.log.done(now, command, done.note)
        self._record("command-done", command, note=done.note)
        known = known.succeeded(command, now)
        if done.observed is not None and isinstance(command, _PATCHES_OF_RESOURCE):
            known = known.awaiting_ack(command, done.observed.object, now)
        return known

    def failed(self, failure: CommandFailed, known: Expectations) -> Expectations:
        """A command was refused, lost a race, or got no answer."""
        now, command, message = self._clock.now(), failure.command, failure.message
        self._publisher.log.failed(now, command, message, is_routine=failure.lost_race)
        self._record("command-failed", command, message=message, lost_race=failure.lost_race)
        unanswered = failure.is_unanswered
        return known.failed(command, message, is_refusal=failure.is_refusal, now=now, is_unanswered=unanswered)

    def _record(self, event: str, command: Command, **told: Any) -> None:
        if self._publisher.is_recording:
            self._publisher.record(event, text=command_words(command), command=command.describe(), **told)

    def in_flight(self, known: Expectations) -> tuple[str, ...]:
        """The commands that are not answered yet, in words."""
        return tuple(command_words(self._executor.last_sent(key)) for key in sorted(known.in_flight))

    async def close(self) -> None:
        """Wait for no answer any more."""
        await self._executor.close()
