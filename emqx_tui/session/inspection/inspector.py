"""Answers one question about one object; a log that is followed is an answer that grows until it is cancelled.

Never raises for what a cluster can answer. Memory is bounded: of a log only the newest lines are kept, and the screens
are told of them a few times a second at most, however fast they come.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar, assert_never

from emqx_tui.model.api_version import V4
from emqx_tui.model.errors import AdapterError, Forbidden, NotFound, Unreachable
from emqx_tui.model.kinds import Kind
from emqx_tui.model.object_schema import ObjectSchema
from emqx_tui.model.wire import Fields, Malformed, clean
from emqx_tui.model.workloads import ClusterEvent
from emqx_tui.rollout.redaction import redact, redact_text
from emqx_tui.rollout.requests import EmqxRequest, KubeRequest
from emqx_tui.session.inspection.log_tail import MOST_LINES, LogTail
from emqx_tui.session.inspection.questions import Answer, Question, ReadEvents, ReadLog, ReadObject, ReadSchema, Target
from emqx_tui.session.ports import Clock, Emqx, Kube

T = TypeVar("T")
_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
TIMEOUT_S = 10.0
FIRST_LINES = 1_000
"""How far a log is read back when it is opened."""
MOST_EVENTS = 1_000
"""Events of a namespace that are looked through for those of several objects."""
TELL_EVERY_S = 0.1
AGAIN_S = 2.0
"""Wall seconds until a log that ended or broke off is asked for again."""


@dataclass
class Inspector:
    """Asks on behalf of one session."""

    kube: Kube
    emqx: Emqx
    clock: Clock
    node_name: Callable[[str], str]
    """The EMQX node in a pod; empty while it is not known."""

    async def run(self, number: int, question: Question, tell: Callable[[Answer], None]) -> None:
        """Answer, once or, for a log, until it ends."""
        answer = Answer(number)
        match question:
            case ReadObject(target=target, with_events=with_events):
                found, problem = await told(self._object(target))
                events, events_problem = await told(self._events((target,))) if with_events else (None, "")
                answer = replace(answer, object=found, problem=problem)
                tell(replace(answer, is_complete=True, events=events or (), events_problem=events_problem))
            case ReadEvents(targets=targets):
                events, problem = await told(self._events(targets))
                tell(replace(answer, is_complete=True, events=events or (), events_problem=problem))
            case ReadLog():
                await self._log(answer, question, tell)
            case ReadSchema():
                schema, problem = await told(self._schema())
                tell(replace(answer, is_complete=True, schema=schema, problem=problem))
            case _:
                assert_never(question)

    # -- objects

    async def _object(self, target: Target) -> Mapping[str, Any]:
        if target.kind is None:
            return shown(await self._node(target))
        path = target.kind.info.path(target.namespace, target.name)
        return shown(await self.kube.request(KubeRequest("GET", path, timeout_s=TIMEOUT_S)))

    async def _node(self, target: Target) -> Mapping[str, Any]:
        """What the EMQX node in a pod says of itself: a peer that hangs does not keep it from answering."""
        node = self.node_name(target.name)
        if not node:
            raise NotFound(f"no EMQX node in pod {target.name} has told its name")
        found: dict[str, Any] = {}
        for title, path in (
            ("node", V4.node_path(node)),
            ("stats", V4.node_stats_path(node)),
            ("eviction", V4.own_status_path()),
        ):
            reply = await self.emqx.request(EmqxRequest(target.namespace, target.name, "GET", path))
            body = reply.body
            found[title] = body.get("data", body) if isinstance(body, Mapping) else reply.text[:400]
        return found

    # -- schema

    async def _schema(self) -> ObjectSchema:
        """From the OpenAPI document of the group version or, where that cannot be had, from the definition."""
        info = Kind.EMQX_ENTERPRISE.info
        version = info.base.rpartition("/")[2]
        try:
            document = await self.kube.request(KubeRequest("GET", f"/openapi/v3/{info.base}", timeout_s=TIMEOUT_S))
            return ObjectSchema.from_openapi(document, info.group, version, "EmqxEnterprise")
        except (AdapterError, Malformed):
            path = f"{_DEFINITIONS}/{info.plural}.{info.group}"
            definition = await self.kube.request(KubeRequest("GET", path, timeout_s=TIMEOUT_S))
            return ObjectSchema.from_definition(definition, version)

    # -- Events

    async def _events(self, targets: tuple[Target, ...]) -> tuple[ClusterEvent, ...]:
        query, is_wanted = _selection(targets)
        path = Kind.EVENT.info.path(targets[0].namespace)
        listed = await self.kube.request(KubeRequest("GET", path, query=query, timeout_s=TIMEOUT_S))
        found = [event for event in map(_event, Fields(listed).array("items")) if event and is_wanted(event)]
        return tuple(sorted(found, key=lambda event: (event.last_at is not None, str(event.last_at))))

    # -- logs

    async def _log(self, answer: Answer, question: ReadLog, tell: Callable[[Answer], None]) -> None:
        tail, news = LogTail(), asyncio.Event()
        state = _Reading(answer, tail)

        def take(line: str) -> None:
            tail.take(line)
            news.set()

        telling = asyncio.create_task(self._tell(state, news, tell))
        try:
            await self._read(question, tail, take, state, news)
        finally:
            telling.cancel()
        tell(state.answer(is_followed=False))

    async def _tell(self, state: _Reading, news: asyncio.Event, tell: Callable[[Answer], None]) -> None:
        while True:
            await news.wait()
            news.clear()
            tell(state.answer(is_followed=True))
            await self.clock.sleep_wall(TELL_EVERY_S)

    async def _read(
        self, question: ReadLog, tail: LogTail, take: Callable[[str], None], state: _Reading, news: asyncio.Event
    ) -> None:
        """Until the log ends for good; it is asked for anew when its stream breaks off or its container restarts."""
        path = Kind.POD.info.path(question.namespace, question.pod, "log")
        while True:
            query = log_query(question, tail.last_stamp)
            tail.resume()
            state.problem = ""
            try:
                await self.kube.lines(KubeRequest("GET", path, query=query, timeout_s=TIMEOUT_S), take)
            except Unreachable as error:
                state.problem = f"{in_words(error)}; asked again every {AGAIN_S:.0f} s"
            except AdapterError as error:
                # A container that waits to start has a log later; everything else is an answer.
                state.problem = in_words(error)
                if error.status != 400 or question.is_previous:
                    return
            if question.is_previous:
                return
            news.set()
            await self.clock.sleep_wall(AGAIN_S)


@dataclass
class _Reading:
    """A log while it is read."""

    begun: Answer
    tail: LogTail
    problem: str = ""

    def answer(self, *, is_followed: bool) -> Answer:
        log = self.tail.excerpt(is_followed=is_followed)
        return replace(self.begun, is_complete=not is_followed, log=log, problem=self.problem)


def log_query(question: ReadLog, last_stamp: str = "") -> dict[str, str]:
    """The query of a log request, as kubectl spells it; from the last line on that was read, when there was one."""
    query = {"container": question.container, "timestamps": "true"}
    query |= {"previous": "true"} if question.is_previous else {"follow": "true"}
    if last_stamp:
        return query | {"sinceTime": last_stamp}
    if question.since_s is not None:
        return query | {"sinceSeconds": str(question.since_s), "tailLines": str(MOST_LINES)}
    return query | {"tailLines": str(FIRST_LINES)}


def shown(value: Any) -> Any:
    """A JSON value as it may be shown: redacted, and its texts without what a terminal would obey."""
    return _cleaned(redact(value))


def _cleaned(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {clean(str(key)): _cleaned(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_cleaned(entry) for entry in value]
    return clean(value, lines=True) if isinstance(value, str) else value


async def told(question: Awaitable[T]) -> tuple[T | None, str]:
    """The answer, or why there is none."""
    try:
        return await question, ""
    except AdapterError as error:
        return None, in_words(error)
    except Malformed as error:
        return None, f"the answer cannot be read: {error}"


def in_words(error: AdapterError) -> str:
    """Why there is no answer, in one line."""
    words = redact_text(clean(error.message))
    return f"not allowed: {words}" if isinstance(error, Forbidden) else words


def _selection(targets: tuple[Target, ...]) -> tuple[dict[str, str], Callable[[ClusterEvent], bool]]:
    """Of one object the server selects the Events; of several they are picked here."""
    if len(targets) == 1:
        target = targets[0]
        uid = f",involvedObject.uid={target.uid}" if target.uid and target.kind else ""
        return {"fieldSelector": f"involvedObject.name={target.name}{uid}"}, lambda event: True
    uids = {target.uid for target in targets if target.uid}
    return {"limit": str(MOST_EVENTS)}, lambda event: event.about_uid in uids


def _event(item: Any) -> ClusterEvent | None:
    try:
        return ClusterEvent.from_json(item)
    except Malformed:
        return None
