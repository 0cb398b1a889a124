"""What a decision records in the journal: milestones, automatic holds, and counters for a later driver."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import replace

from emqx_tui.model.frozen import changed
from emqx_tui.model.snapshot import Colour
from emqx_tui.rollout.addresses import is_switched
from emqx_tui.rollout.checks.auto_hold import FREEZING
from emqx_tui.rollout.commands import Command, StartDrain
from emqx_tui.rollout.context import RolloutContext
from emqx_tui.rollout.decision import Alarm
from emqx_tui.rollout.phases import FINAL, Phase
from emqx_tui.rollout.state.broker_ends import UNCOUNTED_S
from emqx_tui.rollout.state.deaths import all_deaths
from emqx_tui.rollout.state.drains import evicted, returned
from emqx_tui.rollout.state.journal import START_NOTED_S, HoldRecord, Journal, Totals, Uncounted
from emqx_tui.rollout.state.observed import Observations
from emqx_tui.rollout.state.samples import uncounted
from emqx_tui.rollout.steps import canary
from emqx_tui.rollout.steps.forward import is_empty_by_own_word
from emqx_tui.rollout.telling import wording
from emqx_tui.rollout.telling.incidents import IncidentKind


def with_milestones(context: RolloutContext, phase: Phase) -> Journal:
    """The journal with its milestones: green's UID, the canary's verdict, the cut-over, a blue that was built again."""
    journal, green = context.journal, context.green
    if (phase is Phase.LOST and journal.abort) or phase is Phase.STARTING:
        return _with_rebuilt_blue(context)
    if phase in FINAL or journal.abort:
        return journal
    if green is not None and green.colour is Colour.GREEN and _is_new_green(context):
        journal = replace(journal, green_uid=green.stateful_set.meta.uid)
    if phase is Phase.CANARY:
        journal = _with_verdict(context, journal)
    if phase is Phase.CUTTING_OVER and is_switched(context, phase) and context.is_cut_over_approved:
        journal = replace(journal, cut_over_at=context.now)
    return journal


def _is_new_green(context: RolloutContext) -> bool:
    """No green was noted yet, or it was removed and the operator has built it again: no third set may pass for it."""
    known = context.journal.green_uid
    is_gone = all(each.meta.uid != known for each in context.snapshot.sets)
    return not known or (is_gone and context.is_template_applied and not context.stale_kube)


def _with_rebuilt_blue(context: RolloutContext) -> Journal:
    """Somebody removed blue, and the operator, asked for the old template, has built the very same set again."""
    journal = context.journal
    if context.resource is None or context.stale_kube or context.snapshot.blue_set is not None or context.is_held:
        return journal
    again = next((s for s in context.snapshot.sets if context.is_blue_again(s) and s.update_revision), None)
    return journal if again is None else replace(journal, rebuilt_blue_uid=again.meta.uid)


def _with_verdict(context: RolloutContext, journal: Journal) -> Journal:
    verdict = canary.judge(context)
    if verdict.passed is None:
        return journal
    if verdict.passed:
        return replace(journal, canary_passed_at=context.now)
    reason = f"{verdict.evidence}; its address is put back"
    hold = HoldRecord("console", context.now, reason, auto=True, check="canary")
    return replace(journal, canary_failed=verdict.evidence, hold=journal.hold or hold)


def with_auto_hold(context: RolloutContext, phase: Phase, alarms: tuple[Alarm, ...]) -> Journal:
    """The journal, held for the first alarm that nobody has accepted. An abort goes on whatever alarms."""
    journal = context.journal
    new = [alarm for alarm in alarms if alarm.check not in journal.acknowledged]
    pressing = next((alarm for alarm in new if alarm.check in FREEZING), next(iter(new), None))
    if pressing is None or journal.abort or phase in FINAL:
        return journal
    reason = wording.alarm(pressing)
    freeze = journal.freeze_on_silence and pressing.check in FREEZING
    if journal.hold is not None:
        stricter = replace(journal.hold, freeze=True, reason=f"{journal.hold.reason}; {reason}".removeprefix("; "))
        return replace(journal, hold=stricter) if freeze and not journal.hold.freeze else journal
    return replace(journal, hold=HoldRecord("console", context.now, reason, freeze, auto=True, check=pressing.check))


def with_starts(context: RolloutContext, wanted: list[Command]) -> Journal:
    """The journal with the evacuations that are about to be started: written before the first of them is sent."""
    journal, now = context.journal, context.now
    pods = [command.pod for command in wanted if isinstance(command, StartDrain)]
    known = journal.starts
    new = [p for p in pods if p not in known or (now - known[p]).total_seconds() >= START_NOTED_S]
    return replace(journal, starts={**known, **dict.fromkeys(new, now)}) if new else journal


def with_totals(context: RolloutContext, phase: Phase, wanted: list[Command]) -> Journal:
    """The journal with the counters that a later driver and the summary need."""
    journal, known, now = context.journal, context.observations, context.now
    drained = _drained(context)
    totals = journal.totals
    if totals.first_drain_at is None and not journal.abort and any(isinstance(c, StartDrain) for c in wanted):
        clients = context.blue.live_connections if context.blue else None
        totals = changed(totals, first_drain_at=now, clients=clients, max_missing=0)
    if totals.drained_at is None and len(drained) >= context.wanted:
        totals = changed(totals, drained_at=now)
    deaths = all_deaths(totals, known)
    finished_at = totals.finished_at or (now if phase in (Phase.DONE, Phase.ABORTED) else None)
    totals = changed(
        totals,
        lowest_sum=_lower(totals, known.lowest_sum),
        start_sum=totals.start_sum if totals.start_sum is not None else _start_sum(journal, known),
        evicted=max(totals.evicted, evicted(known) + _evicted_besides(totals, known, known.initial)),
        evicted_at=totals.evicted_at or (now if _is_evicted(context) else None),
        returned=max(totals.returned, returned(known) + _evicted_besides(totals, known, known.initial_back)),
        initial_back=known.initial_back,
        killed=max(totals.killed, sum(death.clients for death in deaths)),
        deaths=deaths,
        cut_by_canary=totals.cut_by_canary or (known.canary_cut if journal.canary_failed else 0),
        is_lower_bound=totals.is_lower_bound or _is_uncountable(context),
        baseline=known.baseline,
        initial=known.initial,
        left=known.left,
        green_baseline=known.green_baseline,
        sessions_left=_sessions_left(context),
        early=totals.early if totals.early is not None else _early(journal, known),
        max_missing=_highest(totals.max_missing, known.ledger.max_missing),
        uncounted=_with_new(totals.uncounted, uncounted(known, journal.created_at, finished_at)),
        finished_at=finished_at,
    )
    names = tuple(sorted(drained))
    return changed(journal, totals=totals, drained=names)


def _start_sum(journal: Journal, known: Observations) -> int | None:
    """Clients when the release began; None where nobody counted them before some may have been cut off."""
    begun, counted_from = journal.created_at, known.counted_from
    is_late = counted_from is not None and (counted_from - begun).total_seconds() > UNCOUNTED_S
    return None if is_late else known.start_sum


def _evicted_besides(totals: Totals, known: Observations, drained: Container[str]) -> int:
    """Of those whom this console has seen cut off in a drain: how many more than another console has noted as such."""
    noted = {(death.pod, death.instance): death.clients for death in totals.deaths}
    seen = [d for d in known.deaths if d.was_drained and d.pod in drained and (d.pod, d.instance) in noted]
    return sum(death.clients - noted[death.pod, death.instance] for death in seen)


def _is_uncountable(context: RolloutContext) -> bool:
    """Whom a broker cut off that EMQX restarted, an abort evicted, a network cut: nobody can count."""
    journal, known = context.journal, context.observations
    canary = known.canary
    # Of so few clients that the canary passes all the same.
    is_cut = bool(journal.canary_failed) or (canary is not None and 2 * known.canary_cut > canary.clients)
    is_uncounted = any(i.clients is None or i.kind is IncidentKind.LEFT_EMQX for i in known.nodes.incidents)
    if is_cut or is_uncounted or known.is_uncountable:
        return True
    if journal.abort is None or journal.totals.first_drain_at is None:
        return False
    is_unseen = any(m.name in journal.starts and m.name not in known.initial for m in context.blue_members)
    is_cut_short = any(known.left.get(name) for name in known.initial)
    return is_unseen or is_cut_short or journal.canary_passed_at is None


def _is_evicted(context: RolloutContext) -> bool:
    known = context.observations
    return bool(known.initial or known.untold or known.initial_back) or context.are_others_evicting


def _sessions_left(context: RolloutContext) -> Mapping[str, int]:
    """By drained blue pod: the sessions that end with it, as last seen."""
    known = context.journal.totals.sessions_left
    found = {m.name: m.sessions_left for m in context.blue_members if m.sessions_left}
    return known if context.journal.abort or not found else {**known, **found}


def _lower(totals: Totals, seen: int | None) -> int | None:
    return min((n for n in (totals.lowest_sum, seen) if n is not None), default=None)


def _highest(before: int | None, seen: int | None) -> int | None:
    """A console that did not count from the first drain on has no highest."""
    return None if before is None else max(before, seen or 0)


def _early(journal: Journal, known: Observations) -> int | None:
    """Clients on green at the cut-over, or at the abort before it; None before, and where nobody counted them."""
    until = journal.cut_over_at or (journal.abort.at if journal.abort else None)
    if until is None:
        return None
    seen = (s for s in reversed(known.recent) if journal.created_at <= s.at <= until and s.green is not None)
    newest = next(seen, None)
    return newest.green if newest else None


def _with_new(written: tuple[Uncounted, ...], seen: tuple[Uncounted, ...]) -> tuple[Uncounted, ...]:
    """In order; where those of two drivers overlap they are one."""
    if not seen:
        return written
    joined: list[Uncounted] = []
    for gap in sorted({*written, *seen}, key=lambda gap: gap.since):
        if joined and gap.since <= joined[-1].until:
            joined[-1] = Uncounted(joined[-1].since, max(joined[-1].until, gap.until))
        else:
            joined.append(gap)
    return tuple(joined)


def _drained(context: RolloutContext) -> set[str]:
    journal = context.journal
    if journal.cut_over_at is None or journal.abort:
        return set(journal.drained)
    drained = (m.name for m in context.blue_members if m.is_drained and is_empty_by_own_word(context, m))
    return {*journal.drained, *drained}
