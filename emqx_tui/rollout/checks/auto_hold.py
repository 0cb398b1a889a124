"""Auto-hold: detectors that look at a running release and raise an alarm. An alarm holds the release.

Detectors in LIFTABLE judge figures that a person may accept: once lifted they alarm and do not hold again. The others
come back as long as they are true.
"""

from __future__ import annotations

from collections.abc import Callable

from emqx_tui.model.evacuation import EvacuationState
from emqx_tui.rollout import wording
from emqx_tui.rollout.advice import Advice, Verb
from emqx_tui.rollout.checks import gates
from emqx_tui.rollout.checks.gate_checks import WITHOUT_OPERATOR, ports_unchanged
from emqx_tui.rollout.commands import (
    ApplyTemplate,
    Command,
    RepairEndpoints,
    RepairService,
    Scale,
    StartDrain,
    StopDrain,
    SwitchEndpoints,
)
from emqx_tui.rollout.context import RolloutContext
from emqx_tui.rollout.decision import Alarm, Limit, Outcome
from emqx_tui.rollout.phases import BEFORE_CUT_OVER, FINAL, Phase
from emqx_tui.rollout.policy import Policy
from emqx_tui.rollout.state.expectations import Failure
from emqx_tui.rollout.state.observations import Observations
from emqx_tui.rollout.stillness import what_waits

Detector = Callable[[RolloutContext, Phase], Alarm | None]

LIFTABLE = frozenset(
    {
        "clients-missing",
        "drain-stalled",
        "blue-losing-clients",
        "recipient-silent",
        "blue-shrunk",
        "green-not-ready",
        "broker-gone",
        "operator-silent",
        "operator-down",
        "no-progress",
    }
)


FREEZING = frozenset({"recipient-silent", "broker-data-old"})
"""Nobody sees where evicted clients go: such a hold stops the drain, too, unless the release was started without."""


def on_resume(check: str, *, is_alarmed: bool) -> Advice:
    """What resuming does to a hold of `check` (empty: a person's own), while its alarm stands or is over."""
    if check == "canary":
        return Advice(Verb.RESUME, "goes on with late removal: a blue address leaves when its node is empty")
    if not check:
        return Advice(Verb.RESUME)
    if not is_alarmed:
        return Advice(Verb.RESUME, "the check passes again")
    if check in LIFTABLE:
        return Advice(Verb.RESUME, f'accepts "{check.replace("-", " ")}" and goes on')
    return Advice(Verb.RESUME, "when the check passes")


def valve_open(context: RolloutContext, phase: Phase) -> Alarm | None:
    """The valve was opened from outside: the operator would act by itself."""
    if context.resource is None or context.is_valve_closed or phase in (Phase.STARTING, Phase.FINISHING):
        return None
    return Alarm(
        "valve-open",
        f"somebody set initialDelaySeconds to {context.valve_s}, which frees the operator: it is closed again at once",
        advice=(Advice(Verb.RESUME, "once you know who writes the field"),),
    )


def cannot_start(context: RolloutContext, phase: Phase) -> Alarm | None:
    """The first patch was refused, or the object is no longer the one that was planned with: it is not sent."""
    if phase is not Phase.STARTING or context.resource is None or context.snapshot.stateful_sets.read_at is None:
        # Until the StatefulSets are read, "starting" only means that nobody knows yet.
        return None
    way_out = (Advice(Verb.ABORT, "nothing was changed yet"),)
    failure = context.expectations.failures.get(ApplyTemplate.name)
    if failure and failure.is_refusal:
        return Alarm("cannot-start", f"the server refused the patch: {failure.message}", advice=way_out)
    if context.resource.meta.metadata_generation != context.journal.metadata_generation:
        return Alarm("cannot-start", "the object was changed since the plan was made", advice=way_out)
    return None


def template_changed(context: RolloutContext, phase: Phase) -> Alarm | None:
    """The object no longer asks for the target."""
    if context.resource is None or phase in (Phase.STARTING, Phase.FINISHING):
        return None
    if context.resource.replicas != context.wanted:
        found = f"spec.replicas is {context.resource.replicas} now, was {context.wanted}: somebody else changed it"
        return Alarm("object-changed", found, advice=(_put_back(context), Advice(Verb.ABORT)))
    if context.is_template_applied:
        return None
    what = "the original template" if context.is_template_original else "another template"
    return Alarm("object-changed", f"the object asks for {what} now: somebody else changed it")


def _put_back(context: RolloutContext) -> Advice:
    return Advice(Verb.FIX, f"set spec.replicas back to {context.wanted}")


def fewer_wanted(context: RolloutContext, phase: Phase) -> Alarm | None:
    """With its template back the operator would cut off the clients of the nodes that are too many."""
    resource, blue = context.resource, context.snapshot.blue_set
    if resource is None or context.is_template_original:
        return None
    if resource.replicas < context.wanted:
        found = f"spec.replicas is {resource.replicas}, was {context.wanted}: the template is not put back before it is"
        return Alarm("object-changed", found, advice=(_put_back(context),))
    if blue is None or blue.replicas <= resource.replicas:
        return None
    found = f"{blue.name} wants {blue.replicas} nodes, the object {resource.replicas}: the template is not put back yet"
    back = Advice(Verb.FIX, f"scale {blue.name} back to {resource.replicas}")
    return Alarm("blue-not-whole", found, advice=(back,))


def third_set(context: RolloutContext, phase: Phase) -> Alarm | None:
    """A set that is neither blue nor green."""
    if not context.snapshot.third_sets:
        return None
    names = ", ".join(context.snapshot.third_sets)
    is_asked_for = not (context.is_template_original if context.journal.abort else context.is_template_applied)
    # While the object asks for its template the operator scales it up again.
    first = "put spec.template of the EmqxEnterprise back, then " if is_asked_for else ""
    advice = (Advice(Verb.FIX, f"{first}scale it to 0"),)
    return Alarm("third-set", f"a third StatefulSet wants pods: {names}", advice=advice)


def foreign_evacuation(context: RolloutContext, phase: Phase) -> Alarm | None:
    """An evacuation or a rebalance that this release did not approve."""
    status = context.snapshot.evacuations.value
    if status is None:
        return None
    if status.rebalances:
        advice = (Advice(Verb.FIX, "stop it in EMQX: a freeze does not"),)
        return Alarm("foreign-rebalance", f"{status.rebalances} rebalance(s) run in EMQX", advice=advice)
    if foreign := context.foreign_evacuations:
        return Alarm("foreign-evacuation", f"evacuated without approval: {', '.join(foreign)}", advice=_stop(context))
    return None


def _stop(context: RolloutContext) -> tuple[Advice, ...]:
    """A freeze stops the evacuation of every pod of this cluster; of other nodes it cannot."""
    pods = {m.node.name for m in context.snapshot.members if m.node}
    out_of_reach = [node for node in context.foreign_evacuations if node not in pods]
    by_hand = Advice(Verb.FIX, f"stop {', '.join(out_of_reach)} in EMQX: no pod of this cluster, a freeze does not")
    freeze = (Advice(Verb.FREEZE, "stops it"),) if len(out_of_reach) < len(context.foreign_evacuations) else ()
    return (*freeze, by_hand) if out_of_reach else freeze


def blue_size(context: RolloutContext, phase: Phase) -> Alarm | None:
    """Blue has another size than the release gave it: somebody scaled it."""
    blue = context.snapshot.blue_set
    if blue is None:
        return None
    is_whole = blue.replicas == context.wanted if phase in BEFORE_CUT_OVER else blue.replicas <= context.wanted
    if is_whole or phase is Phase.FINISHING:
        return _shrunk(context)
    found = f"{blue.name} wants {blue.replicas} nodes, it had {context.wanted}: somebody scaled it"
    back = Advice(Verb.FIX, f"scale it back to {context.wanted}")
    is_smaller = blue.replicas < context.wanted
    advice = (back, Advice(Verb.ABORT, "scales it back, too")) if is_smaller else (back,)
    return Alarm("blue-not-whole", found, advice=advice)


def _shrunk(context: RolloutContext) -> Alarm | None:
    """During the drains: it was scaled down, and not by us."""
    blue, first_size = context.snapshot.blue_set, context.observations.first_blue_size
    if blue is None or first_size is None or blue.replicas >= first_size:
        return None
    scaled_to = context.expectations.blue_scaled_to
    if scaled_to is not None and blue.replicas >= scaled_to:
        return None
    gone = {f"{blue.name}-{ordinal}" for ordinal in range(blue.replicas, first_size)}
    if gone <= set(context.journal.drained):
        # Another console drives, or drove: it notes a node as drained before it scales it away.
        return None
    return Alarm("blue-shrunk", f"{blue.name} was scaled to {blue.replicas} by somebody else")


def green_not_ready(context: RolloutContext, phase: Phase) -> Alarm | None:
    """A green pod that does not come up."""
    limit = context.policy.green_ready_timeout_s
    for name, since in context.observations.unready_since.items():
        waited = (context.now - since).total_seconds()
        if waited >= limit:
            member = next((m for m in context.green_members if m.name == name), None)
            trouble = f" ({member.pod.trouble})" if member and member.pod.trouble else ""
            look = Advice(Verb.INSPECT_POD, target=name)
            return Alarm(
                "green-not-ready",
                f"{name} has not been Ready for {waited:.0f} s{trouble}",
                Limit(limit),
                (look, Advice(Verb.ABORT)) if phase in BEFORE_CUT_OVER else (look,),
            )
    return None


def broker_gone(context: RolloutContext, phase: Phase) -> Alarm | None:
    """A blue broker that left the cluster and does not come back: it can be neither drained nor scaled away."""
    limit = context.policy.broker_gone_s
    for name, since in context.observations.away_since.items():
        waited = (context.now - since).total_seconds()
        if waited >= limit:
            return Alarm(
                "broker-gone",
                f"{name} has not been in the EMQX cluster for {waited:.0f} s: it cannot be drained",
                Limit(limit),
                (Advice(Verb.INSPECT_POD, "the release goes on when it is back", name),),
            )
    return None


def clients_missing(context: RolloutContext, phase: Phase) -> Alarm | None:
    """Evicted clients do not come back."""
    since, ledger = context.observations.missing_since, context.observations.ledger
    if since is None or context.suspects or context.blind:
        # Those on a node that does not answer are not counted: that says nothing about them.
        return None
    waited = (context.now - since).total_seconds()
    if waited < context.policy.missing_for_s:
        return None
    return Alarm(
        "clients-missing",
        f"{_cause(context)}{ledger.overdue or 0:,} of {ledger.evicted or 0:,} evicted clients have been missing for "
        f"{waited:.0f} s",
        Limit(context.policy.missing_for_s, context.policy.missing_limit(ledger.evicted or 0)),
        (Advice(Verb.FREEZE, "stops the drain"), Advice(Verb.RESUME, "accepts the loss and goes on")),
    )


def _cause(context: RolloutContext) -> str:
    """The newest node that failed with clients on it since the drains began, with a semicolon; empty without one."""
    first_drain_at = context.journal.totals.first_drain_at
    failed = [i for i in context.observations.nodes.incidents if first_drain_at and i.at >= first_drain_at]
    return next((f"{wording.incident(i)}; " for i in reversed(failed) if i.cut_off != 0), "")


def is_missing_over_limit(known: Observations, policy: Policy) -> bool:
    """More clients are missing than the budget allows, beyond those on their way."""
    ledger = known.ledger
    return (
        ledger.overdue is not None
        and ledger.evicted is not None
        and ledger.overdue > policy.missing_limit(ledger.evicted)
    )


def drain_stalled(context: RolloutContext, phase: Phase) -> Alarm | None:
    """A drain whose counts do not fall; of a node that does not answer they are not known."""
    if context.blind:
        return None
    waiting = {EvacuationState.PROHIBITING, EvacuationState.WAITING_TAKEOVER}
    for name, progress in context.observations.progress.items():
        waited = (context.now - progress.since).total_seconds()
        if progress.state not in waiting and waited >= context.policy.stall_s:
            return Alarm(
                "drain-stalled",
                f"{name} is {progress.state} with {progress.left:,} left, without progress for {waited:.0f} s",
                Limit(context.policy.stall_s),
            )
    return None


def start_refused(context: RolloutContext, phase: Phase) -> Alarm | None:
    """EMQX does not begin an evacuation."""
    for failure in _refused_again(context, StartDrain, StopDrain):
        return Alarm("start-refused", f"EMQX refused {failure.count} times: {failure.message}")
    return None


def _refused_again(context: RolloutContext, *commands: type[Command]) -> list[Failure]:
    """The commands of these kinds that were refused three times in a row, or more often."""
    names = [command.name for command in commands]
    failures = context.expectations.failures.values()
    return [f for f in failures if f.command in names and f.is_refusal and f.count >= 3]


def command_refused(context: RolloutContext, phase: Phase) -> Alarm | None:
    """A step is refused again and again: a right was taken away, or admission says no."""
    for failure in _refused_again(context, Scale, SwitchEndpoints, RepairEndpoints):
        what = "scaling" if failure.command == Scale.name else "writing the Endpoints"
        return Alarm("command-refused", f"{what} was refused {failure.count} times: {failure.message}")
    return None


def listener_gone(context: RolloutContext, phase: Phase) -> Alarm | None:
    """The operator holds, so nobody brings the listener Service or its Endpoints back."""
    if phase in (Phase.STARTING, Phase.FINISHING) or context.stale_kube or context.started_at is None:
        return None
    missing = "Service" if context.service is None else "Endpoints" if context.endpoints is None else ""
    if not missing or context.resource is None:
        return None
    name = context.resource.service_name
    advice = (Advice(Verb.FIX, "create it again: new connections find no node"),)
    return Alarm("listener-gone", f"the listener {missing} {name} was removed", advice=advice)


def ports_lost(context: RolloutContext, phase: Phase) -> Alarm | None:
    """The Service lost ports that clients use, and we cannot put them back."""
    failure = context.expectations.failures.get(RepairService.name)
    if failure is None or not (failure.is_refusal or failure.count >= 3):
        return None
    result = ports_unchanged(context)
    if result.outcome is not Outcome.FAIL:
        return None
    advice = (Advice(Verb.FIX, "put the port back with kubectl edit service"), Advice(Verb.ABORT))
    return Alarm("ports-lost", f"{result.evidence}; repairing it failed: {failure.message}", advice=advice)


def blue_losing(context: RolloutContext, phase: Phase) -> Alarm | None:
    """A blue node loses clients that nobody drains from it."""
    if phase is not Phase.DRAINING:
        return None
    recent = context.observations.recent
    if len(recent) < 2:
        return None
    last = recent[-1]
    first = next((s for s in recent if (last.at - s.at).total_seconds() <= 60.0), last)
    span = (last.at - first.at).total_seconds()
    if span < 20.0:
        return None
    following = gates.next_node(context)
    limit = max(context.policy.blue_loss_per_min, 3.0 * context.observations.churn_per_min)
    for member in context.blue_members:
        before, after = first.nodes.get(member.name), last.nodes.get(member.name)
        if member.evacuation or member.name in context.observations.initial or not before or after is None:
            continue
        if member is following and context.is_node_approved(member.ordinal):
            # Its drain may have begun and been stopped again between two looks.
            continue
        lost = (before - after) / before * 60.0 / span
        if before - after >= 50 and lost > limit:
            return Alarm(
                "blue-losing-clients",
                f"{member.name} lost {before - after:,} clients in {span:.0f} s without being drained",
                Limit(share_per_min=limit),
            )
    return None


def operator_silent(context: RolloutContext, phase: Phase) -> Alarm | None:
    """The operator does not answer a patch."""
    ack = context.expectations.ack
    if ack is None:
        return None
    waited = (context.now - ack.since).total_seconds()
    if waited < context.policy.ack_timeout_s:
        return None
    return Alarm("operator-silent", f"the operator has not answered '{ack.command}' for {waited:.0f} s")


def operator_down(context: RolloutContext, phase: Phase) -> Alarm | None:
    """The operator's webhook does not answer: the API server refuses every patch of the EmqxEnterprise."""
    since, limit = context.observations.operator_down_since, context.policy.operator_down_s
    if since is None or (waited := (context.now - since).total_seconds()) < limit:
        return None
    advice = (
        Advice(Verb.FIX, "start the operator: what waits for it goes on by itself"),
        Advice(Verb.RESUME, "accepts it and goes on without"),
    )
    evidence = f"the operator has been down for {waited:.0f} s: {WITHOUT_OPERATOR}"
    return Alarm("operator-down", evidence, Limit(limit), advice)


def recipient_silent(context: RolloutContext, phase: Phase) -> Alarm | None:
    """A node that evicted clients go to does not answer for itself: it hangs, and takes its peers' answers with it."""
    since, limit = context.observations.suspect_since, context.policy.suspect_s
    if not any(m.evacuation and m.evacuation.is_running for m in context.blue_members):
        return None
    for member in context.green_members:
        waited = (context.now - since[member.name]).total_seconds() if member.name in since else 0.0
        if member.is_suspect and waited >= limit:
            ready = "Ready" if member.pod.is_ready else "not Ready"
            return Alarm(
                "recipient-silent",
                f"{member.name} has not answered for itself for {waited:.0f} s; for Kubernetes it runs and is {ready}",
                Limit(limit),
                (
                    Advice(Verb.INSPECT_POD, target=member.name),
                    Advice(Verb.RESUME, "drains on, without that node's figures"),
                ),
            )
    return None


def way_back_silent(context: RolloutContext, phase: Phase) -> Alarm | None:
    """A node of blue, where an abort sends the clients, does not answer for itself."""
    if not context.silent_blue or not context.green_members:
        return None
    names = ", ".join(m.name for m in context.silent_blue)
    stops = "no client is sent back" if context.journal.freeze_on_silence else "drains that run go on"
    evidence = f"{names} does not answer for itself: {stops} until it does"
    advice = (Advice(Verb.INSPECT_POD, target=context.silent_blue[0].name),)
    return Alarm("recipient-silent", evidence, Limit(context.policy.suspect_s), advice)


def driver_blind(context: RolloutContext, phase: Phase) -> Alarm | None:
    """The broker figures have been gone for long while a node drains."""
    reading = context.snapshot.stats
    age = reading.age_s(context.now)
    limit = 3 * context.policy.max_broker_age_s
    if not context.blue_evacuating or age is None or age < limit:
        return None
    why = f": {reading.problem}" if reading.problem else ""
    return Alarm("broker-data-old", f"EMQX's figures are {age:.0f} s old{why}", Limit(limit))


def no_progress(context: RolloutContext, phase: Phase) -> Alarm | None:
    """Nothing holds, nobody is asked, and nothing moves."""
    still, limit = context.observations.still, context.policy.no_progress_s
    waited = (context.now - still.since).total_seconds() if still else 0.0
    if waited < limit:
        return None
    waits = what_waits(context, phase)
    advice = (Advice(Verb.RESUME, "goes on waiting"),)
    evidence = f"nothing has moved for {waited:.0f} s" + (f"; {waits}" if waits else f" while {phase}")
    return Alarm("no-progress", evidence, Limit(limit), advice)


DETECTORS: tuple[Detector, ...] = (
    valve_open,
    cannot_start,
    template_changed,
    third_set,
    foreign_evacuation,
    blue_size,
    green_not_ready,
    broker_gone,
    clients_missing,
    drain_stalled,
    start_refused,
    command_refused,
    listener_gone,
    ports_lost,
    blue_losing,
    operator_down,
    operator_silent,
    recipient_silent,
    driver_blind,
    no_progress,
)


DETECTORS_OF_ABORT: tuple[Detector, ...] = (
    third_set,
    fewer_wanted,
    command_refused,
    listener_gone,
    operator_down,
    way_back_silent,
    no_progress,
)
"""An abort is not held by what it undoes: these tell what it waits for."""


def alarms(context: RolloutContext, phase: Phase) -> tuple[Alarm, ...]:
    """Every alarm that stands now."""
    if phase in FINAL:
        return ()
    detectors = DETECTORS_OF_ABORT if phase is Phase.ABORTING else DETECTORS
    found = (detector(context, phase) for detector in detectors)
    return tuple(alarm for alarm in found if alarm is not None)
