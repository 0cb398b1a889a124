"""What is asked about one pod only when somebody looks at it: its Events, and the end of its container's log."""

from __future__ import annotations

import re
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

from emqx_tui.model.errors import AdapterError, Forbidden
from emqx_tui.model.kinds import Kind
from emqx_tui.model.snapshot import Member
from emqx_tui.model.wire import Fields, Malformed, clean
from emqx_tui.model.workloads import ClusterEvent
from emqx_tui.rollout.redaction import redact_text
from emqx_tui.rollout.requests import KubeRequest
from emqx_tui.session.ports import Kube

LOG_LINES, LOG_BYTES, LINE_CHARACTERS = 40, 32_768, 400
MOST_EVENTS = 12
T = TypeVar("T")
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


@dataclass(frozen=True)
class PodReport:
    """One pod at one instant. A part that could not be had is told in its `problem`."""

    pod: str
    events: tuple[ClusterEvent, ...] = ()
    """Oldest first."""
    events_problem: str = ""
    log: tuple[str, ...] = ()
    """The last lines, redacted, without anything a terminal would obey."""
    log_of: str = ""
    """`emqx`, or `emqx, before its restart`."""
    log_problem: str = ""


async def read_report(kube: Kube, namespace: str, member: Member) -> PodReport:
    """Ask for both; never raises for what a cluster can answer."""
    events, events_problem = await _told(_events(kube, namespace, member), "list events")
    container, previous = _container(member)
    log, log_problem = await _told(_log(kube, namespace, member.name, container, previous), "get pods/log")
    of = f"{container}, before its restart" if previous else container
    return PodReport(member.name, events, events_problem, log, of, log_problem)


async def _told(question: Awaitable[tuple[T, ...]], right: str) -> tuple[tuple[T, ...], str]:
    """The answer, or why there is none."""
    try:
        return await question, ""
    except Forbidden:
        return (), f"not shown: the right to {right} is missing"
    except AdapterError as error:
        return (), redact_text(clean(error.message))


def _container(member: Member) -> tuple[str, bool]:
    """Whose log says most, and whether the run before the restart does: that of the container that fails."""
    pod = member.pod
    found = pod.blocked or next(iter(pod.containers), None)
    if found is None:
        return "emqx", False
    return found.name, found.last is not None and found.running_since is None


async def _events(kube: Kube, namespace: str, member: Member) -> tuple[ClusterEvent, ...]:
    query = {"fieldSelector": f"involvedObject.name={member.name},involvedObject.uid={member.pod.meta.uid}"}
    answer = await kube.request(KubeRequest("GET", Kind.EVENT.info.path(namespace), query=query, timeout_s=5.0))
    found = []
    for item in Fields(answer).children("items"):
        try:
            found.append(ClusterEvent.from_json(dict(item.items())))
        except Malformed:
            continue
    dated = sorted((event for event in found if event.last_at), key=lambda event: str(event.last_at))
    return tuple(dated[-MOST_EVENTS:])


async def _log(kube: Kube, namespace: str, pod: str, container: str, previous: bool) -> tuple[str, ...]:
    query = {"container": container, "tailLines": str(LOG_LINES), "limitBytes": str(LOG_BYTES)}
    query |= {"previous": "true"} if previous else {}
    text = await kube.text(KubeRequest("GET", Kind.POD.info.path(namespace, pod, "log"), query=query, timeout_s=5.0))
    lines = _ANSI.sub("", text[:LOG_BYTES]).splitlines()[-LOG_LINES:]
    return tuple(redact_text(clean(line))[:LINE_CHARACTERS] for line in lines)
