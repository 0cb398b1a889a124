"""The end of a release or an abort: release status reset, repairs by full passes, then the user's own delay.

The operator forgets its release status when only one set is left. It must be seen to have done so before it gets its
delay back: with the old status and no delay it would scale the empty set below zero.
"""

from __future__ import annotations

from emqx_tui.model.snapshot import Generation
from emqx_tui.model.workloads import port_row
from emqx_tui.rollout.commands import CloseValve, Command, ForgetReleaseStatus, Nudge, RestoreDelay, Target
from emqx_tui.rollout.context import RolloutContext
from emqx_tui.rollout.decision import CheckResult, Outcome
from emqx_tui.rollout.policy import next_closed
from emqx_tui.rollout.telling import wording


def resource_target(context: RolloutContext) -> Target:
    """The custom resource, at the version that was looked at."""
    resource = context.resource
    assert resource is not None
    return Target.of(resource)


def is_valve_stuck(context: RolloutContext) -> bool:
    """The open valve cannot be closed: with the operator down its webhook refuses every patch. The rest cannot wait."""
    failure = context.expectations.failures.get(CloseValve.name)
    return failure is not None and failure.count >= 2


def nudge(context: RolloutContext, reason: str) -> list[Command]:
    """One nudge, unless one was sent a moment ago or would change nothing.

    Each makes the operator rewrite a StatefulSet: after some for the same reason they come ever more seldom.
    """
    if context.resource is None or not context.is_valve_closed or _is_in_vain(context):
        return []
    if context.expectations.seconds_since_sent(Nudge.name, context.now) < nudge_pause_s(context, reason):
        return []
    policy = context.policy
    slowest_s = policy.slowest_nudge_s if nudge_pause_s(context, reason) > policy.nudge_every_s else None
    return [Nudge(resource_target(context), next_closed(context.valve_s), reason, slowest_s)]


def nudge_pause_s(context: RolloutContext, reason: str) -> float:
    """How long after the last nudge the next one for `reason` may be sent."""
    last_reason, count = context.expectations.nudges
    policy = context.policy
    too_many = max(0, count - policy.quick_nudges) if reason == last_reason else 0
    return min(policy.nudge_every_s * 2.0 ** min(too_many, 10), policy.slowest_nudge_s)


def ask_again(context: RolloutContext) -> list[Command]:
    """A nudge when the operator has left a patch unanswered: a held operator does not look again by itself.

    Its pass may have failed before the status write, or have written nothing new within the same second.
    """
    awaited, wait_s = context.expectations, context.policy.ask_again_s
    if awaited.ack is None or not context.is_settled or context.stale_kube:
        return []
    silent_s = (context.now - awaited.ack.since).total_seconds()
    if silent_s < wait_s or awaited.seconds_since_sent(Nudge.name, context.now) < wait_s:
        return []
    return nudge(context, f"the operator has not answered '{awaited.ack.command}'")


def full_pass(context: RolloutContext, reason: str) -> list[Command]:
    """One full pass of the operator: forget the release status, then nudge."""
    if context.is_reset:
        return nudge(context, reason)
    if _is_in_vain(context):
        return []
    if context.expectations.seconds_since_sent(ForgetReleaseStatus.name, context.now) < 5.0:
        return []
    return [ForgetReleaseStatus(resource_target(context), reason)]


def _is_in_vain(context: RolloutContext) -> bool:
    """While a third set wants pods, or another template asks for one, each pass only writes that set again."""
    is_of_another = bool(context.snapshot.third_sets) or not context.is_template_applied
    return is_of_another and context.journal.abort is None


def is_gone(generation: Generation | None) -> bool:
    """The set wants no pods and has none."""
    return generation is None or (generation.replicas == 0 and not generation.members)


def commands(context: RolloutContext, staying: Generation | None) -> list[Command]:
    """What is to be done after the other set is gone: wait for the reset, a second full pass, then the delay."""
    if context.resource is None or context.stale_kube:
        return []
    if staying is None:
        return nudge(context, "the StatefulSet that is to stay is gone: let the operator build it")
    if not context.is_reset:
        return nudge(context, "let the operator see that one set is left")
    if not context.is_valve_closed:
        return []
    if not _second_pass_done(context):
        return nudge(context, "second full pass: gates, then addresses") if _gap_over(context) else []
    if any(result.outcome.is_blocking for result in before_delay(context, staying)):
        return nudge(context, "repair by a full pass") if _gap_over(context, 5.0) else []
    delay = None if context.journal.originals.delay_was_absent else context.journal.originals.delay_s
    return [RestoreDelay(resource_target(context), delay, staying.stateful_set.meta.uid)]


def _gap_over(context: RolloutContext, gap_s: float | None = None) -> bool:
    """Long enough after the reset and after the last nudge for the gates to have become Ready."""
    gap = context.policy.listener_gap_s if gap_s is None else gap_s
    reset_at = context.observations.reset_seen_at
    since_reset = (context.now - reset_at).total_seconds() if reset_at else 0.0
    return since_reset >= gap and context.expectations.seconds_since_sent(Nudge.name, context.now) >= gap


def _second_pass_done(context: RolloutContext) -> bool:
    """A nudge was sent at least the gap after the reset was seen, it was stored, and the operator has answered it."""
    awaited, reset_at = context.expectations, context.observations.reset_seen_at
    sent_at, done_at = awaited.sent_at.get(Nudge.name), awaited.done_at.get((Nudge.name, Nudge.name))
    if reset_at is None or sent_at is None or done_at is None or done_at < sent_at or awaited.ack is not None:
        return False
    return (sent_at - reset_at).total_seconds() >= context.policy.listener_gap_s


def before_delay(context: RolloutContext, staying: Generation) -> tuple[CheckResult, ...]:
    """What has to be true before the operator gets its delay back."""
    alive = [g for g in context.snapshot.generations if g.replicas > 0]
    ips = {m.pod.ip for m in staying.members if m.accepts_clients}
    present = {a.ip for a in context.endpoints.addresses} if context.endpoints else set()
    is_asked_for = context.is_template_original if context.journal.abort else context.is_template_applied
    return (
        _result("template", is_asked_for, "the object asks for what runs", "the object asks for another template"),
        _result("one-set", len(alive) == 1, "one StatefulSet wants pods", f"{len(alive)} StatefulSets want pods"),
        _result("status-reset", context.is_reset, "the release status is reset", "the release status is still there"),
        _result(
            "generation-complete",
            staying.is_complete,
            f"{staying.ready}/{staying.replicas} Ready and Running",
            wording.strength(staying, staying.replicas, context.snapshot),
        ),
        _result(
            "addresses",
            bool(ips) and present == ips == context.snapshot.slice_ips,
            "Endpoints list every node that is left, and no other, and the proxies use them",
            f"Endpoints have {len(present)} addresses, {len(ips)} nodes serve",
        ),
    )


def close_out(context: RolloutContext, staying: Generation) -> tuple[CheckResult, ...]:
    """What has to be true before a release or an abort is over."""
    resource, originals = context.resource, context.journal.originals
    assert resource is not None
    ports = {port_row(p) for p in context.service.ports} if context.service else set()
    lost = [p for p in originals.service_ports if p not in ports]
    missing = f"port {lost[0][0] or lost[0][1]} is missing" if lost else ""
    own = f"initialDelaySeconds = {context.valve_s}"
    if context.valve_s != originals.delay_s:
        own += f": somebody else set it, it was {originals.delay_s}"
    running = resource.is_running
    return (
        *before_delay(context, staying),
        _result("delay-restored", not context.is_valve_closed, own, "the valve is still closed"),
        _result("running", running, "the operator says Running", "the operator does not say Running yet"),
        _result("ports", not lost, "Service ports as before", missing),
    )


def _result(name: str, is_true: bool, good: str, bad: str) -> CheckResult:
    return CheckResult(name, Outcome.PASS if is_true else Outcome.WAIT, good if is_true else bad)
