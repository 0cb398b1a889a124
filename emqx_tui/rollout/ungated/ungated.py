"""A release without a journal: what the operator does in it, and what can be known for taking it over.

Somebody patched the template without this console, or the journal was lost. Blue is the StatefulSet that the operator
leaves: of two that want pods the older one. Closing the valve stops the operator before its next step; what runs inside
EMQX by then goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from typing import Any

from emqx_tui.model.emqx_enterprise import EmqxEnterprise
from emqx_tui.model.kube_object import fingerprint
from emqx_tui.model.snapshot import Generation, Member, Snapshot
from emqx_tui.model.wire import Unparsable, read_json
from emqx_tui.model.workloads import DelaySource, OwnDelay, StatefulSet
from emqx_tui.rollout.change import rates_of
from emqx_tui.rollout.commands import CloseValve, Target
from emqx_tui.rollout.policy import is_closed, next_closed
from emqx_tui.rollout.ungated.original_template import is_made_from, original_template

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class Stage(StrEnum):
    """What the operator does in a release of its own."""

    CREATING_GREEN = "creating-green"
    WAITING_DELAY = "waiting-delay"
    """Green is complete; blue is whole."""
    EVACUATING = "evacuating"
    """EMQX moves the clients of a blue node."""
    TAKING_BLUE = "taking-blue"
    """The delay is over, or nodes of blue are gone: any pass may take the next one."""
    FINISHING = "finishing"
    """Blue is gone."""


@dataclass(frozen=True)
class UngatedRelease:
    """What is seen of it, and what can be known of the time before."""

    stage: Stage
    is_stopped: bool
    """The delay holds the operator: it takes no further step."""
    blue: Generation | None
    green: Generation | None
    replicas: int
    delay_left_s: float | None = None
    """Until the operator may take the first node; None while the delay does not run."""
    is_listed: bool = False
    """The Service has addresses of green: new clients go there, too."""
    delay: OwnDelay | None = None
    """The user's own; None: not known."""
    template: Mapping[str, Any] | None = field(default=None, repr=False)
    """`spec.template` before the release; None: not known."""
    template_problem: str = ""
    is_reverted: bool = False
    """The object asks for blue's template again."""
    why_not: str = ""
    """Why nobody can take it over; empty when it can be adopted or aborted."""
    revision: str = ""

    @property
    def evacuated(self) -> tuple[Member, ...]:
        """Blue nodes that are evacuated, highest ordinal first."""
        members = self.blue.members if self.blue else ()
        return tuple(sorted((m for m in members if m.evacuation), key=lambda m: -m.ordinal))

    @property
    def is_blue_whole(self) -> bool:
        """The operator has taken no node and begun to take none."""
        return self.blue is not None and self.blue.replicas >= self.replicas and not self.evacuated

    @property
    def next_pod(self) -> str:
        """The node that the operator takes next: it orders them as text."""
        blue = self.blue
        if blue is None or not blue.replicas:
            return ""
        return max(f"{blue.stateful_set.name}-{ordinal}" for ordinal in range(blue.replicas))


def look(snapshot: Snapshot) -> UngatedRelease | None:
    """The release that runs or stands half-way, whoever began it; None when there is none or it is not known."""
    resource = snapshot.resource.value
    if resource is None or not is_there(snapshot):
        return None
    blue, green = _colours(snapshot)
    seen = replace(snapshot, blue_uid=blue.meta.uid if blue else "", green_uid=green.meta.uid if green else "")
    found = _seen(seen, resource)
    found = replace(found, **_known_before(seen, resource, blue, green))
    return replace(found, why_not=_why_not(seen, resource, found), revision=_revision(resource, found))


def colours(snapshot: Snapshot) -> tuple[str, str]:
    """UIDs of the StatefulSets that `look` takes for blue and green; empty where there is none."""
    blue, green = _colours(snapshot) if is_there(snapshot) else (None, None)
    return (blue.meta.uid, green.meta.uid) if blue and green else ("", "")


def is_there(snapshot: Snapshot) -> bool:
    """A release runs or stands half-way, a console's or the operator's own."""
    resource = snapshot.resource.value
    if resource is None:
        return False
    return resource.blue_green_status is not None or len(_alive(snapshot)) > 1


def is_stopped(resource: EmqxEnterprise) -> bool:
    """The delay holds the operator."""
    return resource.blue_green is not None and is_closed(resource.blue_green.effective_delay_s)


def is_left(snapshot: Snapshot) -> bool:
    """No release stands, and the delay of one still holds the operator.

    What has pods is made of the object's template: else one has just begun, and its journal is not known here yet.
    """
    resource, alive = snapshot.resource.value, _alive(snapshot)
    if resource is None or is_there(snapshot) or not is_stopped(resource):
        return False
    return len(alive) == 1 and is_made_from(resource.template, alive[0].pod_template)


def close_valve(resource: EmqxEnterprise) -> CloseValve | None:
    """The command that stops the operator; None where it has no delay to set, or is stopped."""
    if resource.blue_green is None or is_stopped(resource):
        return None
    return CloseValve(Target.of(resource), next_closed(resource.blue_green.effective_delay_s))


def _alive(snapshot: Snapshot) -> list[StatefulSet]:
    return [found for found in snapshot.sets if found.replicas > 0]


def _colours(snapshot: Snapshot) -> tuple[StatefulSet | None, StatefulSet | None]:
    """The operator takes from the older of two sets; one that is at 0 already is the newest of those before green."""
    alive = _alive(snapshot)
    if not alive:
        return None, None
    green = alive[-1]
    older = [found for found in snapshot.sets if found is not green]
    waning = [found for found in older if found.replicas > 0] or older
    return (waning[-1] if waning else None), green


def _seen(snapshot: Snapshot, resource: EmqxEnterprise) -> UngatedRelease:
    blue, green, status = snapshot.blue, snapshot.green, resource.blue_green_status
    listed = snapshot.slice_ips or frozenset()
    found = UngatedRelease(
        Stage.CREATING_GREEN,
        is_stopped(resource),
        blue,
        green,
        resource.replicas,
        is_listed=any(m.pod.ip in listed for m in (green.members if green else ())),
    )
    if blue is None or not blue.replicas:
        return replace(found, stage=Stage.FINISHING)
    if any(m.evacuation and m.evacuation.is_running for m in found.evacuated):
        return replace(found, stage=Stage.EVACUATING)
    if not found.is_blue_whole:
        return replace(found, stage=Stage.TAKING_BLUE)
    if status is None or status.started_at is None:
        return found
    if found.is_stopped or resource.blue_green is None:
        return replace(found, stage=Stage.WAITING_DELAY)
    over_at = status.started_at + timedelta(seconds=resource.blue_green.effective_delay_s)
    left_s = (over_at - snapshot.now).total_seconds()
    return replace(found, stage=Stage.WAITING_DELAY if left_s > 0 else Stage.TAKING_BLUE, delay_left_s=max(0.0, left_s))


def _known_before(
    snapshot: Snapshot, resource: EmqxEnterprise, blue: StatefulSet | None, green: StatefulSet | None
) -> dict[str, Any]:
    """The user's own delay and template."""
    known: dict[str, Any] = {"delay": _own_delay(snapshot, resource)}
    if blue is None or green is None:
        return {**known, "template_problem": "blue's StatefulSet is gone"}
    if not is_made_from(resource.template, green.pod_template) and is_made_from(resource.template, blue.pod_template):
        return {**known, "template": resource.template, "is_reverted": True}
    found = original_template(resource.template, blue.pod_template, green.pod_template)
    return {**known, "template": found.template, "template_problem": found.problem}


def _own_delay(snapshot: Snapshot, resource: EmqxEnterprise) -> OwnDelay | None:
    """The delay that the object has or, where it was replaced, what it was by the Event or by what kubectl applied."""
    parameters = resource.blue_green
    if parameters is not None and not is_closed(parameters.effective_delay_s):
        return OwnDelay(parameters.initial_delay_s)
    return snapshot.replaced_delay or _applied_delay(resource)


def _applied_delay(resource: EmqxEnterprise) -> OwnDelay | None:
    annotations = (resource.raw.get("metadata") or {}).get("annotations") or {}
    try:
        applied = read_json(str(annotations.get(LAST_APPLIED, "")))
    except Unparsable:
        return None
    spec = applied.get("spec") if isinstance(applied, dict) else None
    given = spec.get("blueGreenUpdate") if isinstance(spec, dict) else None
    delay = given.get("initialDelaySeconds") if isinstance(given, dict) else None
    if not isinstance(given, dict) or isinstance(delay, bool) or not isinstance(delay, int | None):
        return None
    return None if delay is not None and is_closed(delay) else OwnDelay(delay, DelaySource.APPLIED)


def _why_not(snapshot: Snapshot, resource: EmqxEnterprise, found: UngatedRelease) -> str:
    if rates_of(resource.blue_green) is None:
        return "spec.blueGreenUpdate lacks connEvictRate or sessEvictRate: set both, EMQX evacuates nobody without"
    if len(alive := _alive(snapshot)) > 2:
        names = ", ".join(s.name for s in alive)
        return f"{len(alive)} StatefulSets want pods ({names}): scale away the one that is to go"
    if found.blue is None or found.green is None:
        return "blue or green is not known: nothing can be taken over"
    if any(m.pod.on_serving is None for m in snapshot.members if not m.pod.meta.deleting):
        return "operators 2.1.0 to 2.1.2 move the Service by themselves: watch only"
    service = snapshot.listener_service
    if service is None or snapshot.listener_endpoints is None:
        is_read = snapshot.services.read_at is not None and snapshot.endpoints.read_at is not None
        return f"the listener Service or its Endpoints are not {'there' if is_read else 'read yet'}"
    return f"Service {service.name} has a selector: its addresses cannot be switched" if service.selector else ""


def _revision(resource: EmqxEnterprise, found: UngatedRelease) -> str:
    """Changes with what taking over means: sizes, nodes that are evacuated, templates, what is known of before."""
    blue, green = found.blue, found.green
    return fingerprint(
        [
            resource.meta.uid,
            resource.template_mark,
            [blue.stateful_set.meta.uid, blue.replicas] if blue else None,
            [green.stateful_set.meta.uid, green.replicas] if green else None,
            [member.name for member in found.evacuated],
            found.template is None,
            [found.delay.seconds] if found.delay else None,
        ]
    )
