"""Sends commands, each key at most once at a time, and says what came of it. Decides nothing, retries nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from emqx_tui.model.emqx_enterprise import EmqxEnterprise
from emqx_tui.model.errors import AdapterError, Conflict, Forbidden, Rejected, Unauthorized, Unreachable
from emqx_tui.model.evacuation import refusal_text
from emqx_tui.model.kinds import Kind
from emqx_tui.model.kube_object import fingerprint
from emqx_tui.model.wire import Fields, Malformed, clean
from emqx_tui.model.workloads import EndpointSlice, Pod, StatefulSet
from emqx_tui.rollout.commands import (
    Command,
    Nudge,
    RestoreDelay,
    RestoreTemplate,
    StartDrain,
    StopDrain,
    WriteEndpoints,
)
from emqx_tui.rollout.requests import EmqxReply, EmqxRequest, KubeRequest
from emqx_tui.session.inputs import CommandDone, CommandFailed
from emqx_tui.session.ports import Changed, Emqx, Kube

logger = logging.getLogger(__name__)


class Executor:
    """Runs commands as tasks."""

    def __init__(
        self,
        kube: Kube,
        emqx: Emqx,
        put: Callable[[CommandDone | CommandFailed], None],
        may_advance: Callable[[], Awaitable[str]] | None = None,
    ) -> None:
        """`may_advance` is asked before each advancing command leaves: why not, in one line, or empty."""
        self._kube = kube
        self._emqx = emqx
        self._put = put
        self._may_advance = may_advance
        self._running: dict[str, asyncio.Task[None]] = {}
        self._sent: dict[str, Command] = {}

    @property
    def keys(self) -> frozenset[str]:
        return frozenset(self._running)

    def last_sent(self, key: str) -> Command:
        """The command of this key that was sent last."""
        return self._sent[key]

    def send(self, command: Command) -> bool:
        """Begin; False when a command of the same key is still on its way."""
        if command.key in self._running:
            return False
        task = asyncio.create_task(self._run(command), name=f"command {command.key}")
        self._running[command.key], self._sent[command.key] = task, command
        return True

    async def close(self) -> None:
        """Wait for no answer any more."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, command: Command) -> None:
        try:
            result = await self._carry_out(command)
        except AdapterError as error:
            refusal = isinstance(error, Rejected | Forbidden | Unauthorized)
            lost_race = isinstance(error, Conflict) and isinstance(command, Nudge)
            unanswered = isinstance(error, Unreachable)
            result = CommandFailed(command, f"{error.kind}: {error.message}", refusal, lost_race, unanswered)
        except Malformed as error:
            result = CommandFailed(command, f"unexpected answer: {error}", False)
        except Exception as error:
            # Without a word of it the key would count as in flight for ever.
            logger.exception("command %s", command.key)
            result = CommandFailed(command, f"internal error: {type(error).__name__} (see the log)", False)
        finally:
            self._running.pop(command.key, None)
        self._put(result)

    async def _carry_out(self, command: Command) -> CommandDone | CommandFailed:
        request = command.request()
        if command.advancing and self._may_advance is not None and (why_not := await self._may_advance()):
            return CommandFailed(command, why_not, False)
        try:
            await self._look_anew(command)
        except Unreachable as error:
            # Nothing was sent that could still happen.
            return CommandFailed(command, f"{error.kind}: {error.message}", False)
        if isinstance(request, EmqxRequest):
            return judge_reply(command, await self._emqx.request(request))
        return CommandDone(command, observed(request, await self._kube.request(request)))

    async def _look_anew(self, command: Command) -> None:
        """What a command rests on and cannot be bound to is asked for once more: its watch may be late."""
        match command:
            case RestoreTemplate():
                await self._rehearse_restore(command)
                await self._look_at_blue(command)
            case WriteEndpoints():
                await self._look_at_pods(command)
            case StartDrain():
                await self._look_at_service(command)
            case RestoreDelay():
                await self._look_at_sets(command)

    async def _rehearse_restore(self, command: RestoreTemplate) -> None:
        """The server must admit the very template that was recorded, else the operator would build a third set."""
        admitted = EmqxEnterprise.from_json(await self._kube.request(command.request().as_dry_run()))
        if admitted.template_mark != fingerprint(dict(command.original)):
            raise Conflict("the server would store another template than the recorded one (a new annotation or label?)")

    async def _look_at_blue(self, command: RestoreTemplate) -> None:
        """Somebody may have given blue another size."""
        listed = Fields(await self._kube.request(command.blue_request()), "list")
        found = [StatefulSet.from_json(item) for item in listed.array("items")]
        if not any(command.is_same_blue(each) for each in found):
            raise Conflict(f"StatefulSet {command.blue.name} is not what its watch has told")

    async def _look_at_pods(self, command: WriteEndpoints) -> None:
        """The address of a pod that is gone may be anybody's, or nobody's."""
        listed = Fields(await self._kube.request(command.pods_request()), "list")
        if gone := command.without_pod(map(Pod.from_json, listed.array("items"))):
            raise Conflict(f"{', '.join(gone)} is not what its watch has told")

    async def _look_at_service(self, command: StartDrain) -> None:
        """Somebody may have put back addresses of the node's own generation, or removed all."""
        listed = Fields(await self._kube.request(command.slices_request()), "list")
        if not command.is_same_service(map(EndpointSlice.from_json, listed.array("items"))):
            raise Conflict(f"the addresses of Service {command.service} are not what their watch has told")

    async def _look_at_sets(self, command: RestoreDelay) -> None:
        """Somebody may have given the set that was left its nodes again."""
        listed = Fields(await self._kube.request(command.sets_request()), "list")
        if not command.is_alone(map(StatefulSet.from_json, listed.array("items"))):
            raise Conflict("the StatefulSets are not what their watch has told")


def judge_reply(command: Command, reply: EmqxReply) -> CommandDone | CommandFailed:
    """EMQX's answers count by body, not by HTTP status."""
    body = reply.body if isinstance(reply.body, dict) else {}
    message = clean(refusal_text(body.get("message") or reply.text or f"HTTP {reply.status}"))[:200]
    if reply.status == 200 and body.get("code") == 0:
        return CommandDone(command)
    if isinstance(command, StartDrain) and "already_started" in message:
        return CommandDone(command, note="it was started already")
    if isinstance(command, StopDrain) and "not_started" in message:
        return CommandDone(command, note="it was not running")
    return CommandFailed(command, message, reply.status < 500)


def observed(request: KubeRequest, answer: Any) -> Changed | None:
    """The object in an answer to a write, as if the watch had told it; a Scale is none of ours."""
    if not isinstance(answer, dict) or not isinstance(answer.get("metadata"), dict):
        return None
    kinds = {"EmqxEnterprise": Kind.EMQX_ENTERPRISE, "Endpoints": Kind.ENDPOINTS, "Service": Kind.SERVICE}
    name = answer.get("kind")
    kind = kinds.get(name) if isinstance(name, str) else None
    if kind is None:
        return None
    value = kind.parse(answer)
    return Changed(kind, (value.meta.namespace, value.meta.name), value)
