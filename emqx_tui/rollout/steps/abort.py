"""The abort: stop drains, point the Endpoints at blue, scale blue up, restore the template, drain and remove green.

Restoring the template alone would not roll back: the operator would drain by the sizes of the sets. Green's clients
are drained back to blue, never disconnected at once. What does not need the operator does not wait for it. Possible
until the last blue node is scaled away; afterwards going back takes a new release.
"""

from __future__ import annotations

from emqx_tui.model.evacuation import Evacuation
from emqx_tui.model.nodes import pod_of
from emqx_tui.model.snapshot import Colour, Member
from emqx_tui.rollout.addresses import endpoint_commands, is_switched, service_commands, serving
from emqx_tui.rollout.checks import gates
from emqx_tui.rollout.commands import CloseValve, Command, Nudge, RestoreTemplate, StopDrain, Target
from emqx_tui.rollout.context import RolloutContext
from emqx_tui.rollout.decision import AbortCost
from emqx_tui.rollout.forecast.forecast import FINISH_S, GREEN_UP_S, drain_s
from emqx_tui.rollout.phases import WITH_WAY_BACK, Phase
from emqx_tui.rollout.policy import next_closed
from emqx_tui.rollout.steps import finish
from emqx_tui.rollout.steps.forward import is_empty_by_own_word, may_start, scale, stops

STATS_LATE_S = 4.0
"""The broker's sampler takes a count every two seconds; a poll comes every second."""


def waits_for_blue(context: RolloutContext, phase: Phase) -> bool:
    """Somebody removed blue in an abort: clients are kept on green, and it goes on once blue is built again."""
    return phase is Phase.LOST and context.journal.abort is not None and context.resource is not None


def cost(context: RolloutContext, phase: Phase) -> AbortCost:
    """What an abort would cost now."""
    green = context.green
    again = green.stateful_set if green and context.is_blue_again(green.stateful_set) else None
    # Built again as it was, blue has the clients already, and nobody has to come back to it.
    green = None if again else green
    blue = context.snapshot.blue_set or again
    if phase not in WITH_WAY_BACK or blue is None:
        reason = {
            Phase.ABORTING: "an abort is under way",
            Phase.DONE: "the release is done",
        }.get(phase, "blue is gone: the way back is a new release")
        reason = "an abort is under way: it waits for blue" if waits_for_blue(context, phase) else reason
        return AbortCost(False, reason)
    if not context.journal.originals.is_template_known:
        return AbortCost(False, "the template before this release is not known: the way back is a new release")
    on_green = green.live_connections if green else 0
    seconds = None
    if on_green is not None:
        boot = GREEN_UP_S if blue.replicas < context.wanted else 0.0
        seconds = FINISH_S + boot + (drain_s(on_green, 0, context.journal.rates) if on_green else 0.0)
    return AbortCost(True, "", on_green, seconds, gates.revision(context, "abort", ()))


def commands(context: RolloutContext) -> list[Command]:
    """What the abort sends now. A hold stops its scale and its drains, nothing else."""
    if context.resource is None:
        return []
    restoring = context.is_template_original and finish.is_gone(context.green)
    if not context.is_valve_closed:
        if restoring and context.is_reset:
            return []
        return _close_first(context)
    wanted: list[Command] = [c for c in endpoint_commands(context, Phase.ABORTING) if not restoring]
    wanted += _stop_blue(context)
    if context.is_frozen:
        wanted += stops(context, tuple(m for m in context.snapshot.members if m.colour is not Colour.BLUE))
    if not restoring:
        wanted += service_commands(context)
        wanted += _blue_whole_again(context)
    if not context.is_template_original:
        return wanted + _restore_template(context)
    if restoring:
        return wanted + finish.commands(context, context.blue)
    return wanted + _remove_green(context)


def without_blue(context: RolloutContext) -> list[Command]:
    """Somebody removed blue in an abort: nobody can go back there. Green keeps its clients, and gets the new ones."""
    if context.resource is None:
        return []
    stopping = [
        StopDrain(m.pod.namespace, m.name, m.evacuation.node, "blue is gone")
        for m in context.green_members
        if m.evacuation
    ]
    return [*endpoint_commands(context, Phase.LOST), *stopping]


def _close_first(context: RolloutContext) -> list[Command]:
    """Close the valve; while that cannot be done, what needs no operator goes on: Endpoints and evacuations."""
    if context.resource is None or context.resource.blue_green is None:
        return []
    closing = CloseValve(finish.resource_target(context), next_closed(context.valve_s))
    if not finish.is_valve_stuck(context):
        return [closing]
    return [closing, *endpoint_commands(context, Phase.ABORTING), *_stop_blue(context)]


def _stop_blue(context: RolloutContext) -> list[Command]:
    return [
        StopDrain(m.pod.namespace, m.name, m.evacuation.node, "abort") for m in context.blue_members if m.evacuation
    ]


def _blue_whole_again(context: RolloutContext) -> list[Command]:
    """Scale blue back up ourselves: the operator, should it be down, is not needed for it."""
    blue = context.snapshot.blue_set
    wanted = blue_size(context)
    if blue is None or blue.replicas >= wanted or context.stale_kube:
        return []
    return scale(blue, wanted, "blue is to be whole again")


def blue_size(context: RolloutContext) -> int:
    """How many nodes blue has to have: as many as before, and as many as its owner wants once it is theirs again."""
    resource = context.resource
    return resource.replicas if resource and context.is_template_original else context.wanted


def _restore_template(context: RolloutContext) -> list[Command]:
    """Put the template back, if blue is what it was: else the operator's next write would restart it.

    Blue's controller must have seen its full size first: a set at 0 is invisible to the operator, which would build a
    third one, and with blue smaller than green it would drain in the other direction.
    """
    resource, journal = context.resource, context.journal
    blue = context.snapshot.blue_set
    assert resource is not None
    if context.stale_kube or blue is None or blue.replicas < context.wanted:
        return []
    if resource.replicas < blue.replicas:
        # With its template back the operator would at once cut off the clients of the nodes that are too many.
        return []
    if blue.observed_generation < blue.meta.metadata_generation:
        return []
    recorded = journal.originals.blue_revision
    if recorded and not blue.update_revision == blue.current_revision == recorded:
        return []
    seen, blue_seen = resource.meta.metadata_generation, blue.meta.metadata_generation
    target = finish.resource_target(context)
    return [RestoreTemplate(target, seen, journal.originals.template, Target.of(blue), blue_seen)]


def _remove_green(context: RolloutContext) -> list[Command]:
    """Drain what green has, then scale it to 0, once the operator has answered the template."""
    green, ack = context.green, context.expectations.ack
    assert green is not None
    if ack is None and not _was_operator_asked(context):
        return finish.nudge(context, "the operator has to read the restored template")
    if again := finish.ask_again(context):
        return again
    if not context.is_frozen and (stopping := stops(context, green.members)):
        return stopping
    if stopping := _stop_into_silence(context):
        return stopping
    if context.is_held or context.stale_brokers or context.stale_kube:
        return []
    if any(_may_have_clients(context, m) for m in green.members):
        return []
    waiting = [m for m in green.members if m.is_running and not _is_empty(context, m)]
    if waiting:
        return _drain_green(context, [m for m in waiting if not _has_nobody(m) or _was_used(context, m)])
    if ack is not None or green.replicas == 0 or not is_switched(context, Phase.ABORTING):
        return []
    return scale(green.stateful_set, 0, "green has no client")


def _stop_into_silence(context: RolloutContext) -> list[Command]:
    """Stop what drains into a node of blue that does not answer: its clients would find nobody there."""
    silent = {m.name for m in context.silent_blue}
    if not silent or not context.journal.freeze_on_silence:
        return []
    return [
        StopDrain(m.pod.namespace, m.name, m.evacuation.node, "a recipient does not answer")
        for m in context.green_members
        if m.evacuation and m.evacuation.is_running and _drains_into(m.evacuation, silent)
    ]


def _drains_into(evacuation: Evacuation, pods: set[str]) -> bool:
    """As long as only the node's own word is known, its recipients are not."""
    return not evacuation.recipients or bool(pods & {pod_of(node) for node in evacuation.recipients})


def _was_operator_asked(context: RolloutContext) -> bool:
    """A patch of this abort was answered, so that its ack tells that the operator has read the template.

    A console that was started anew, or that got no answer to its patch, does not know that.
    """
    abort, done_at = context.journal.abort, context.expectations.done_at
    answered = (done_at.get((name, name)) for name in (RestoreTemplate.name, Nudge.name))
    return abort is not None and any(at is not None and at >= abort.at for at in answered)


def _may_have_clients(context: RolloutContext, member: Member) -> bool:
    """It does not tell now, or EMQX leaves it out of its list, but its broker runs: a gap, not a death.

    Whether it is Ready says nothing of those who are on it, and a count of nobody only if it was taken after the
    Service had stopped sending clients there.
    """
    if member.is_running or not member.is_up:
        return False
    return _was_used(context, member) or (member.is_uncounted and not _was_empty(context, member))


def _was_empty(context: RolloutContext, member: Member) -> bool:
    """The last count found nobody, and none can have come since."""
    broker = context.observations.standing.get(member.name)
    since = context.observations.unaddressed_since.get(member.name)
    if broker is None or broker.clients or since is None:
        return False
    return (broker.counted_at - since).total_seconds() >= STATS_LATE_S


def _was_used(context: RolloutContext, member: Member) -> bool:
    """It had clients a moment ago, or when it was counted last."""
    broker = context.observations.standing.get(member.name)
    is_counted = broker is not None and broker.clients > 0
    return is_counted or any(sample.nodes.get(member.name) for sample in context.observations.recent)


def _is_empty(context: RolloutContext, member: Member) -> bool:
    """No client and no session, and none can come: drained by its own word, or never used and out of the Service.

    `/stats` shows a client up to two seconds late, so what counts was read after the last one could have come. One
    whose clients a network has reset is drained although it is empty: the operator may list its address again before
    a watch tells of it.
    """
    if member.evacuation is not None:
        return member.is_drained and is_empty_by_own_word(context, member)
    if not _has_nobody(member) or _was_used(context, member):
        return False
    since, read_at = context.observations.unaddressed_since.get(member.name), context.snapshot.stats.read_at
    return since is not None and read_at is not None and (read_at - since).total_seconds() >= STATS_LATE_S


def _has_nobody(member: Member) -> bool:
    return member.live_connections == 0 and member.sessions == 0


def _drain_green(context: RolloutContext, waiting: list[Member]) -> list[Command]:
    """Node by node, highest ordinal first, once all of blue serves again and the proxies use it."""
    if len(serving(context.blue_members)) < blue_size(context) or not is_switched(context, Phase.ABORTING):
        return []
    evicting = [m for m in context.green_members if m.evacuation and m.evacuation.evicts_connections]
    places = context.journal.parallel_drains - len(evicting)
    wanted: list[Command] = []
    for member in sorted(waiting, key=lambda m: -m.ordinal):
        if member.evacuation is not None or len(wanted) >= places:
            continue
        command = gates.start_drain(context, member)
        if may_start(context, command):
            wanted.append(command)
    return wanted
