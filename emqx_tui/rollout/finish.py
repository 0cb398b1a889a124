"""The end of a release or of an abort: reset, repair by full passes, and only then the user's own delay.

The operator forgets its release status when only one set is left. It must be seen to have done so before it gets its
delay back: with the old status and no delay it would scale the empty set below zero.
"""

from __future__ import annotations

from emqx_tui.model.snapshot import Generation
from emqx_tui.model.workloads import port_row
from emqx_tui.rollout.commands import CloseValve, Command, ForgetReleaseStatus, Nudge, RestoreDelay, Target
from emqx_tui.rollout.context import Situation
from emqx_tui.rollout.decision import CheckResult, Outcome
from emqx_tui.rollout.policy import next_closed


def resource_target(situation: Situation) -> Target:
    """The custom resource, at the version that was looked at."""
    resource = situation.resource
    assert resource is not None
    return Target(resource.namespace, resource.name, resource.meta.uid, resource.meta.resource_version)


def is_valve_stuck(situation: Situation) -> bool:
    """The open valve cannot be closed: with the operator down its webhook refuses every patch. The rest cannot wait."""
    failure = situation.memory.failures.get(CloseValve.name)
    return failure is not None and failure.count >= 2


def nudge(situation: Situation, reason: str) -> list[Command]:
    """One nudge, unless one was sent a moment ago or is not answered yet."""
    memory, policy = situation.memory, situation.policy
    if situation.resource is None or not situation.is_valve_closed:
        return []
    if memory.seconds_since_sent("nudge", situation.now) < policy.nudge_every_s:
        return []
    return [Nudge(resource_target(situation), next_closed(situation.valve_s), reason)]


def ask_again(situation: Situation) -> list[Command]:
    """A nudge when the operator has left a patch unanswered: a held operator does not look again by itself.

    Its pass may have failed before the status write, or have written nothing new within the same second.
    """
    memory, wait_s = situation.memory, situation.policy.ask_again_s
    if memory.ack is None or not situation.is_settled or situation.stale_kube:
        return []
    silent_s = (situation.now - memory.ack.since).total_seconds()
    if silent_s < wait_s or memory.seconds_since_sent("nudge", situation.now) < wait_s:
        return []
    return nudge(situation, f"the operator has not answered '{memory.ack.command}'")


def full_pass(situation: Situation, reason: str) -> list[Command]:
    """One full pass of the operator: forget the release status, then nudge."""
    if situation.is_reset:
        return nudge(situation, reason)
    if situation.memory.seconds_since_sent("forget-release-status", situation.now) < 5.0:
        return []
    return [ForgetReleaseStatus(resource_target(situation), reason)]


def is_gone(generation: Generation | None) -> bool:
    """The set wants no pods and has none."""
    return generation is None or (generation.replicas == 0 and not generation.members)


def commands(situation: Situation, staying: Generation | None) -> list[Command]:
    """What is to be done after the other set is gone: wait for the reset, a second full pass, then the delay."""
    if situation.resource is None or situation.stale_kube:
        return []
    if staying is None:
        return nudge(situation, "the StatefulSet that is to stay is gone: let the operator build it")
    if not situation.is_reset:
        return nudge(situation, "let the operator see that one set is left")
    if not situation.is_valve_closed:
        return []
    if not _second_pass_done(situation):
        return nudge(situation, "second full pass: gates, then addresses") if _gap_over(situation) else []
    if not all(result.outcome is Outcome.PASS for result in before_delay(situation, staying)):
        return nudge(situation, "repair by a full pass") if _gap_over(situation, 5.0) else []
    delay = None if situation.journal.originals.delay_was_absent else situation.journal.originals.delay_s
    return [RestoreDelay(resource_target(situation), delay)]


def _gap_over(situation: Situation, gap_s: float | None = None) -> bool:
    """Long enough after the reset and after the last nudge for the gates to have become Ready."""
    gap = situation.policy.listener_gap_s if gap_s is None else gap_s
    reset_at = situation.memory.reset_seen_at
    since_reset = (situation.now - reset_at).total_seconds() if reset_at else 0.0
    return since_reset >= gap and situation.memory.seconds_since_sent("nudge", situation.now) >= gap


def _second_pass_done(situation: Situation) -> bool:
    """A nudge was sent at least the gap after the reset was seen, it was stored, and the operator has answered it."""
    memory = situation.memory
    reset_at, sent_at, done_at = memory.reset_seen_at, memory.sent_at.get("nudge"), memory.done_at.get("nudge nudge")
    if reset_at is None or sent_at is None or done_at is None or done_at < sent_at or memory.ack is not None:
        return False
    return (sent_at - reset_at).total_seconds() >= situation.policy.listener_gap_s


def before_delay(situation: Situation, staying: Generation) -> tuple[CheckResult, ...]:
    """What has to be true before the operator gets its delay back."""
    alive = [g for g in situation.snapshot.generations if g.replicas > 0]
    ips = {m.pod.ip for m in staying.members if m.accepts_clients}
    present = {a.ip for a in situation.endpoints.addresses} if situation.endpoints else set()
    return (
        _result("one-set", len(alive) == 1, "one StatefulSet wants pods", f"{len(alive)} StatefulSets want pods"),
        _result("status-reset", situation.is_reset, "the release status is reset", "the release status is still there"),
        _result(
            "generation-complete",
            staying.is_complete,
            f"{staying.ready}/{staying.replicas} Ready and Running",
            f"{staying.ready}/{staying.replicas} Ready, {staying.running}/{staying.replicas} Running",
        ),
        _result(
            "addresses",
            bool(ips) and present == ips == situation.snapshot.slice_ips,
            "Endpoints list every node that is left, and no other, and the proxies use them",
            f"Endpoints have {len(present)} addresses, {len(ips)} nodes serve",
        ),
    )


def close_out(situation: Situation, staying: Generation) -> tuple[CheckResult, ...]:
    """What has to be true at the very end."""
    resource, originals = situation.resource, situation.journal.originals
    assert resource is not None
    ports = {port_row(p) for p in situation.service.ports} if situation.service else set()
    lost = [p for p in originals.service_ports if p not in ports]
    own = f"initialDelaySeconds = {situation.valve_s}"
    if situation.valve_s != originals.delay_s:
        own += f": somebody else set it, it was {originals.delay_s}"
    running = resource.is_running
    return (
        *before_delay(situation, staying),
        _result("delay-restored", not situation.is_valve_closed, own, "the valve is still closed"),
        _result("running", running, "the operator says Running", "the operator does not say Running yet"),
        _result("ports", not lost, "Service ports as before", f"port {lost[0][0] if lost else ''} is missing"),
    )


def _result(name: str, is_true: bool, good: str, bad: str) -> CheckResult:
    return CheckResult(name, Outcome.PASS if is_true else Outcome.WAIT, good if is_true else bad)
