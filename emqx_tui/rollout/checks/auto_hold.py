"""Auto-hold: an alarm of a detector holds the release.

Detectors in LIFTABLE judge figures that a person may accept: once lifted they alarm and do not hold again. The others
come back as long as they are true. Their functions stand in `kubernetes_alarms` and `emqx_alarms`.
"""

from __future__ import annotations

from collections.abc import Callable

from emqx_tui.rollout.checks import emqx_alarms, kubernetes_alarms
from emqx_tui.rollout.checks.stillness import what_waits
from emqx_tui.rollout.context import RolloutContext
from emqx_tui.rollout.decision import Alarm, Limit
from emqx_tui.rollout.phases import FINAL, Phase
from emqx_tui.rollout.telling.advice import Advice, Verb

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
    if check in LIFTABLE:
        # Whether it alarms is not known to who has just come, and lifting accepts it in any case.
        name = check.replace("-", " ")
        goes_on = f'accepts "{name}" and goes on' if is_alarmed else f'goes on; "{name}" does not hold again'
        return Advice(Verb.RESUME, goes_on)
    return Advice(Verb.RESUME, "when the check passes" if is_alarmed else "the check passes again")


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
    kubernetes_alarms.valve_open,
    kubernetes_alarms.cannot_start,
    kubernetes_alarms.template_changed,
    kubernetes_alarms.third_set,
    emqx_alarms.foreign_evacuation,
    kubernetes_alarms.blue_size,
    kubernetes_alarms.green_not_ready,
    emqx_alarms.broker_gone,
    emqx_alarms.clients_missing,
    emqx_alarms.drain_stalled,
    emqx_alarms.start_refused,
    kubernetes_alarms.command_refused,
    kubernetes_alarms.listener_gone,
    kubernetes_alarms.ports_lost,
    emqx_alarms.blue_losing,
    kubernetes_alarms.operator_down,
    kubernetes_alarms.operator_silent,
    emqx_alarms.recipient_silent,
    emqx_alarms.driver_blind,
    no_progress,
)


DETECTORS_OF_ABORT: tuple[Detector, ...] = (
    kubernetes_alarms.third_set,
    kubernetes_alarms.fewer_wanted,
    kubernetes_alarms.command_refused,
    kubernetes_alarms.listener_gone,
    kubernetes_alarms.operator_down,
    emqx_alarms.way_back_silent,
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
