"""How a release without a journal gets one: adopted, it goes on with gates; aborted, it goes back to blue.

Adopting approves nothing but what the operator has done already: nodes that it has taken, and those that EMQX evacuates
for it, which nothing stops but a freeze or an abort. Where new clients go to green by then no address leaves before its
node is empty: nobody has watched how this network takes that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from emqx_tui.model.emqx_enterprise import EmqxEnterprise
from emqx_tui.model.kube_object import fingerprint
from emqx_tui.model.snapshot import Snapshot
from emqx_tui.model.workloads import DelaySource, OwnDelay, StatefulSet, port_row
from emqx_tui.rollout.change import merge_diff, rates_of
from emqx_tui.rollout.decision import RefusalReason
from emqx_tui.rollout.gate_id import LATE_CUT_OVER, START, GateId
from emqx_tui.rollout.intents import Adopt
from emqx_tui.rollout.policy import Approval
from emqx_tui.rollout.state.journal import AbortRecord, Journal, Originals, Totals, Uncounted
from emqx_tui.rollout.ungated.original_template import is_made_from
from emqx_tui.rollout.ungated.ungated import UngatedRelease, look


@dataclass(frozen=True)
class Adopted:
    """A journal, or a refusal in one sentence."""

    journal: Journal | None = None
    refused: str = ""
    refusal: RefusalReason = RefusalReason.NOT_NOW


def why_not_adopted(found: UngatedRelease, *, has_delay: bool = False) -> str:
    """Why it cannot go on with gates; empty when it can. `has_delay`: a person says what the own delay is."""
    if why_not := _why_not_taken_over(found):
        return why_not
    if found.is_reverted:
        return "the object asks for blue's template again: abort it"
    return "" if found.delay or has_delay else _UNKNOWN_DELAY


def why_not_aborted(found: UngatedRelease, *, has_delay: bool = False, has_template: bool = False) -> str:
    """Why it cannot go back to blue; empty when it can."""
    if why_not := _why_not_taken_over(found):
        return why_not
    if found.blue is None or not found.blue.replicas:
        return "blue is gone: the way back is a new release"
    if found.template is None and not has_template:
        return f"the template before this release is not known, it has to be given: {found.template_problem}"
    return "" if found.delay or has_delay else _UNKNOWN_DELAY


def _why_not_taken_over(found: UngatedRelease) -> str:
    return found.why_not or ("" if found.is_stopped else "the operator has to be stopped first")


_UNKNOWN_DELAY = "your own initialDelaySeconds is not known: it has to be given"


def adopt(intent: Adopt, snapshot: Snapshot, *, release_id: str, console_version: str) -> Adopted:
    """The journal of a release that is taken over as it was seen."""
    found, resource = look(snapshot), snapshot.resource.value
    if found is None or resource is None:
        return Adopted(refused="no release is under way")
    if found.revision != intent.revision:
        refused = "the cluster has changed since the card was opened: look at it again"
        return Adopted(refused=refused, refusal=RefusalReason.SUPERSEDED)
    if refused := _why_not(found, intent):
        return Adopted(refused=refused)
    journal = _journal(found, resource, snapshot, intent)
    return Adopted(replace(journal, release_id=release_id, console_version=console_version))


def _why_not(found: UngatedRelease, intent: Adopt) -> str:
    has_delay, has_template = intent.delay is not None, intent.template is not None
    blue = found.blue.stateful_set.pod_template if found.blue else {}
    if has_template and not is_made_from(intent.template or {}, blue):
        return "blue was not made from the template that was given: image, configuration or resources are others"
    if intent.goes_back:
        return why_not_aborted(found, has_delay=has_delay, has_template=has_template)
    return why_not_adopted(found, has_delay=has_delay)


def _journal(found: UngatedRelease, resource: EmqxEnterprise, snapshot: Snapshot, intent: Adopt) -> Journal:
    blue, green, rates = found.blue, found.green, rates_of(resource.blue_green)
    assert blue is not None
    assert green is not None
    assert rates is not None
    template = intent.template if intent.template is not None else found.template
    is_touched = not found.is_blue_whole
    journal = Journal(
        namespace=resource.namespace,
        name=resource.name,
        uid=resource.meta.uid,
        resource_version=resource.meta.resource_version,
        metadata_generation=resource.meta.metadata_generation,
        from_image=blue.stateful_set.image,
        to_image=green.stateful_set.image,
        patch=merge_diff(template, resource.template) if template is not None else {},
        rates=rates,
        approval=Approval.EVERY_NODE,
        target_mark="" if found.is_reverted else resource.template_mark,
        late_removal=is_touched or found.is_listed,
        release_id="",
        console_version="",
        created_at=snapshot.now,
        created_by=intent.by,
        originals=_originals(found, blue.stateful_set, resource, snapshot, intent),
        green_uid=green.stateful_set.meta.uid,
        cut_over_at=snapshot.now if is_touched else None,
        totals=_totals(found, resource, snapshot) if is_touched else Totals(),
        is_adopted=True,
    )
    for gate in (START, *(_done_by_the_operator(found) if is_touched else ())):
        journal = journal.with_approval(gate, intent.by, snapshot.now, found.revision)
    record = AbortRecord(intent.by, snapshot.now, found.revision)
    return replace(journal, abort=record) if intent.goes_back else journal


def _done_by_the_operator(found: UngatedRelease) -> tuple[GateId, ...]:
    """The cut-over, nodes that are gone, and nodes that are evacuated."""
    assert found.blue is not None
    gone = range(found.replicas - 1, found.blue.replicas - 1, -1)
    begun = (member.ordinal for member in found.evacuated if member.ordinal < found.blue.replicas)
    return (LATE_CUT_OVER, *map(GateId.node, (*gone, *begun)))


def _totals(found: UngatedRelease, resource: EmqxEnterprise, snapshot: Snapshot) -> Totals:
    """Of clients that the operator has moved or cut off by now nobody knows the number: counting begins here."""
    assert found.blue is not None
    assert found.green is not None
    status = resource.blue_green_status
    since = status.started_at if status and status.started_at else snapshot.now
    totals = Totals(first_drain_at=since, is_lower_bound=True, uncounted=(Uncounted(since, snapshot.now),))
    live = {m.name: m.live_connections for m in found.blue.members if m.live_connections is not None}
    # Of one that goes away EMQX is not asked any more: nobody is on it.
    evacuated = {m.name: live.get(m.name, m.evacuation.current_connected) for m in found.evacuated if m.evacuation}
    if not evacuated:
        return totals
    return replace(totals, baseline=live, initial=evacuated, green_baseline=found.green.live_connections or 0)


def _originals(
    found: UngatedRelease, blue: StatefulSet, resource: EmqxEnterprise, snapshot: Snapshot, intent: Adopt
) -> Originals:
    """What there was before, as far as it is known. Ports are those of now: what was lost before is not known."""
    service, endpoints = snapshot.listener_service, snapshot.listener_endpoints
    template = intent.template if intent.template is not None else found.template
    delay = intent.delay or found.delay or OwnDelay(None, DelaySource.GIVEN)
    return Originals(
        template=template if template is not None else {},
        template_mark=fingerprint(dict(template)) if template is not None else "",
        is_template_known=template is not None,
        delay_s=delay.seconds or 0,
        delay_was_absent=delay.seconds is None,
        replicas=resource.replicas,
        blue_uid=blue.meta.uid,
        blue_name=blue.name,
        blue_revision=blue.update_revision,
        service_ports=tuple(port_row(p) for p in service.ports) if service else (),
        endpoint_ports=tuple((p.name, p.port, p.protocol) for p in endpoints.ports) if endpoints else (),
        operator_image=snapshot.operator_image.value or "",
    )
