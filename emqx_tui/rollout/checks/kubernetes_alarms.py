"""Detectors of what is wrong with the objects of a release, and with the operator."""

from __future__ import annotations

from emqx_tui.rollout.checks.gate_checks import WITHOUT_OPERATOR, ports_unchanged, third_set_removal
from emqx_tui.rollout.commands import ApplyTemplate, RepairEndpoints, RepairService, Scale, SwitchEndpoints
from emqx_tui.rollout.context import RolloutContext
from emqx_tui.rollout.decision import Alarm, Limit, Outcome
from emqx_tui.rollout.phases import BEFORE_CUT_OVER, Phase
from emqx_tui.rollout.telling.advice import Advice, Verb

_CUTS_OFF = ": clients of the nodes that go are cut off"


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
    way_out = (Advice(Verb.ABORT, "there is no green set: the delay is put back"),)
    failure = context.expectations.failures.get(ApplyTemplate.name)
    if failure and failure.is_refusal:
        return Alarm("cannot-start", f"the server refused the patch: {failure.message}", advice=way_out)
    if context.resource.meta.metadata_generation != context.journal.metadata_generation:
        return Alarm("cannot-start", "the object was changed since the plan was made", advice=way_out)
    return None


def template_changed(context: RolloutContext, phase: Phase) -> Alarm | None:
    """The object no longer asks for the target."""
    if context.resource is None or phase is Phase.STARTING:
        return None
    if context.resource.replicas != context.wanted and phase is not Phase.FINISHING:
        found = f"spec.replicas is {context.resource.replicas} now, was {context.wanted}: somebody else changed it"
        return Alarm("object-changed", found, advice=(_put_back(context), Advice(Verb.ABORT)))
    if context.is_template_applied:
        return None
    what = "the original template" if context.is_template_original else "another template"
    # Blue is gone: there is nothing to go back to, and with its delay back the operator would release that template.
    advice = (
        (Advice(Verb.FIX, "put spec.template back to the one of this release"),) if phase is Phase.FINISHING else ()
    )
    return Alarm("object-changed", f"the object asks for {what} now: somebody else changed it", advice=advice)


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
    back = Advice(Verb.FIX, f"scale {blue.name} back to {resource.replicas}{_CUTS_OFF}")
    return Alarm("blue-not-whole", found, advice=(back,))


def third_set(context: RolloutContext, phase: Phase) -> Alarm | None:
    """A set that is neither blue nor green."""
    if not context.snapshot.third_sets:
        return None
    names = ", ".join(context.snapshot.third_sets)
    is_asked_for = not (context.is_template_original if context.journal.abort else context.is_template_applied)
    # While the object asks for its template the operator scales it up again.
    first = "put spec.template of the EmqxEnterprise back, then " if is_asked_for else ""
    advice = (Advice(Verb.FIX, f"{first}{third_set_removal(context)}"),)
    return Alarm("third-set", f"a third StatefulSet wants pods: {names}", advice=advice)


def blue_size(context: RolloutContext, phase: Phase) -> Alarm | None:
    """Blue has another size than the release gave it: somebody scaled it."""
    blue = context.snapshot.blue_set
    if blue is None:
        return None
    is_whole = blue.replicas == context.wanted if phase in BEFORE_CUT_OVER else blue.replicas <= context.wanted
    if is_whole or phase is Phase.FINISHING:
        return _shrunk(context)
    found = f"{blue.name} wants {blue.replicas} nodes, it had {context.wanted}: somebody scaled it"
    is_smaller = blue.replicas < context.wanted
    back = Advice(Verb.FIX, f"scale it back to {context.wanted}{'' if is_smaller else _CUTS_OFF}")
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


def command_refused(context: RolloutContext, phase: Phase) -> Alarm | None:
    """A step is refused again and again: a right was taken away, or admission says no."""
    for failure in context.expectations.refused_again(Scale, SwitchEndpoints, RepairEndpoints):
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
