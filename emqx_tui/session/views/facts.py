"""PURE: what both front ends ask of a View, worked out once; screens, lines and documents only word it.

What is not known is None, never 0. Nothing here is a sentence: a figure, an instant, a member, or one of an enum.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum, auto

from emqx_tui.model.evacuation import EvacuationState
from emqx_tui.model.kinds import Kind
from emqx_tui.model.series import Sample
from emqx_tui.model.snapshot import Member
from emqx_tui.rollout.decision import Alarm, CheckResult, Gate, Outcome
from emqx_tui.rollout.forecast import expected
from emqx_tui.rollout.forecast.expected import Deviation
from emqx_tui.rollout.forecast.forecast import drains_at_once
from emqx_tui.rollout.phases import BEFORE_CUT_OVER, FINAL, Phase
from emqx_tui.rollout.policy import CLOSED_S, is_closed
from emqx_tui.rollout.state.journal import HoldRecord, Journal, Uncounted
from emqx_tui.rollout.telling.incidents import Incident
from emqx_tui.rollout.telling.stages import waiting_gate
from emqx_tui.rollout.ungated.ungated import UngatedRelease, is_left, is_stopped, is_there, look
from emqx_tui.session.views.cluster_facts import Versions
from emqx_tui.session.views.fleet_view import Role
from emqx_tui.session.views.view import View

# -- versions ------------------------------------------------------------------------------------------------------


def image_version(image: str) -> str:
    """The tag of an image; the whole of it when it has none."""
    tag = image.rpartition(":")[2]
    return tag if tag and "/" not in tag else image


def versions(journal: Journal) -> Versions:
    return Versions(image_version(journal.from_image), image_version(journal.to_image))


def ungated_versions(found: UngatedRelease) -> Versions:
    """What blue and green of a release without a journal are made of; empty where a set is not there."""
    return Versions(*(each.version if each and each.version else "" for each in (found.blue, found.green)))


# -- time ----------------------------------------------------------------------------------------------------------


def has_ended(view: View) -> bool:
    """A release has come to its end in this session's sight, and its record is still at hand."""
    return view.journal is not None and (bool(view.result) or view.decision.phase in (Phase.DONE, Phase.ABORTED))


def written(view: View) -> Journal | None:
    """The journal that stands in the cluster, as far as is known: what is on its way may not come to stand."""
    return view.stored if view.is_unwritten else view.journal


def is_under_way(view: View) -> bool:
    """A release of ours is neither finished nor lost."""
    return view.journal is not None and not view.result and view.decision.phase not in FINAL


class Unjournaled(StrEnum):
    """A release without a journal, or what is left of one."""

    OPERATOR = auto()
    """The operator releases by itself, as after a plain `kubectl patch`."""
    ORPHAN = auto()
    """It stands half-way, the operator is held, and the journal that said how to go on is gone."""
    LEFT = auto()
    """None stands any more, and the delay still holds the operator: whoever finished it went before it was set back."""


def unjournaled(view: View) -> Unjournaled | None:
    """What is under way without a journal, as far as was read; None when nothing is."""
    resource = view.snapshot.resource.value
    journals = next((source for source in view.health if source.kind is Kind.SECRET), None)
    is_known = journals is not None and journals.is_ok and journals.read_at is not None
    if (view.journal is not None and not view.result) or resource is None or not is_known:
        return None
    if is_there(view.snapshot):
        return Unjournaled.ORPHAN if is_stopped(resource) else Unjournaled.OPERATOR
    return Unjournaled.LEFT if is_left(view.snapshot) else None


def ungated(view: View) -> UngatedRelease | None:
    """The release without a journal as it is seen, with what can be known for taking it over."""
    return look(view.snapshot) if unjournaled(view) else None


def duration_s(view: View) -> float | None:
    """Seconds since the release began, or that it took; None without one."""
    if view.journal is None:
        return None
    end = view.journal.totals.finished_at or view.now
    return max(0.0, (end - view.journal.created_at).total_seconds())


def remaining_s(view: View) -> float | None:
    """About how long until the end, waits at gates not counted; None while held: it may take any time."""
    is_held = view.journal is not None and view.journal.hold is not None
    return view.decision.eta_s if is_under_way(view) and not is_held else None


def deviation(view: View) -> Deviation | None:
    """How far the drains are off what was forecast when they began; None before, after, and while it is not known."""
    newest = newest_sample(view)
    if view.expected is None or newest is None or not is_under_way(view):
        return None
    return expected.deviation(view.expected, view.stages, newest)


def held_s(view: View, hold: HoldRecord) -> float:
    return max(0.0, (view.now - hold.at).total_seconds())


# -- drains --------------------------------------------------------------------------------------------------------

SETTLE_TICKS = 10
"""A drain's measured rate counts from then on; before, the samples from before its start are still in it."""


def draining(view: View) -> tuple[Member, ...]:
    """Members whose clients or sessions are being moved away now, one in a state that is not known among them."""
    return tuple(m for m in view.snapshot.members if m.evacuation and m.evacuation.is_running)


def starting(view: View) -> tuple[Member, ...]:
    """Members whose drain was started, here or elsewhere, and EMQX has not told of it yet."""
    return tuple(m for m in view.snapshot.members if m.name in view.decision.starting)


def is_draining(view: View) -> bool:
    """A node is drained, or is about to be: who says that nothing runs looks here."""
    return bool(draining(view) or starting(view))


def was_draining(view: View) -> bool:
    """A drain has begun and is not done: it starts, runs, or was stopped."""
    journal = view.journal
    begun = set(journal.starts) - set(journal.drained) if journal else set()
    return is_draining(view) or any(m.name in begun for m in view.snapshot.members)


def initial_clients(view: View, pod: str) -> int | None:
    """Clients of a node when its drain began or, before, when the first one did."""
    return dict(view.drain_initial).get(pod)


def drain_rate_per_s(view: View, member: Member) -> float | None:
    """Clients per second that leave a node that evicts: as measured, at first as ordered; None when none do."""
    evacuation = member.evacuation
    if evacuation is None or evacuation.state is not EvacuationState.EVICTING_CONNS:
        return None
    measured, ordered = dict(view.rates).get(member.name), evacuation.conn_evict_rate_per_s
    initial, left = initial_clients(view, member.name), member.live_connections
    is_settled = initial is not None and left is not None and initial - left >= SETTLE_TICKS * (ordered or 0)
    return measured if is_settled and measured is not None else float(ordered or 0) or None


def drain_remaining_s(view: View, member: Member) -> float | None:
    """Seconds until a node that evicts has no client left, at its rate; None while that is not known."""
    rate, left = drain_rate_per_s(view, member), member.live_connections
    return left / rate if left is not None and rate is not None and rate >= 1 else None


def drain_limit_s(journal: Journal) -> float | None:
    """The time no drain can beat: all clients at the rate of all nodes that drain at once, and one takeover wait.

    None where the rate was changed on the way: the journal has the last one only.
    """
    clients, forecast = journal.totals.clients, journal.forecast
    if clients is None:
        return None
    if forecast is not None and forecast.conn_evict_rate_per_s != journal.rates.conn_evict_rate_per_s:
        return None
    at_once = drains_at_once(journal.parallel_drains, journal.originals.replicas or 1)
    rates = journal.rates
    return round(clients / (rates.conn_evict_rate_per_s * at_once) + rates.effective_wait_takeover_s, 1)


def drain_duration_s(journal: Journal) -> float | None:
    """From the first drain command to the last blue node without a client."""
    return seconds_between(journal.totals.first_drain_at, journal.totals.drained_at)


def seconds_between(begin: datetime | None, end: datetime | None) -> float | None:
    return None if begin is None or end is None else round((end - begin).total_seconds(), 1)


# -- clients -------------------------------------------------------------------------------------------------------


def newest_sample(view: View) -> Sample | None:
    """The newest counts; None while EMQX does not answer: an old count is not a count of now."""
    return view.samples[-1] if view.samples and not view.snapshot.stats.problem else None


def is_live(view: View) -> bool:
    """The brokers' figures are young enough to be relied on."""
    return view.snapshot.stats.is_fresh(view.now, view.policy.max_broker_age_s)


def overdue(view: View) -> int | None:
    """Evicted clients that should be back by now and are on neither side; in an abort nobody counts them any more."""
    return None if view.journal is not None and view.journal.abort else view.ledger.overdue


@dataclass(frozen=True)
class MaxMissing:
    """Most clients that were missing at once."""

    clients: int
    is_at_least: bool
    """For a part of the drains nobody counted."""


def max_missing(view: View) -> MaxMissing | None:
    """None before the first drain, and where the journal's driver did not keep it."""
    totals = view.journal.totals if view.journal else None
    if totals is None or totals.max_missing is None or totals.first_drain_at is None:
        return None
    end = totals.drained_at or view.now
    is_at_least = any(gap.since < end and gap.until > totals.first_drain_at for gap in totals.uncounted)
    return MaxMissing(max(totals.max_missing, view.ledger.max_missing or 0), is_at_least)


@dataclass(frozen=True)
class LowestSum:
    """The lowest sum of live connections in a release, and when nobody counted them."""

    clients: int
    ratio: float | None
    """Of the sum at the start."""
    uncounted: tuple[Uncounted, ...]


def lowest_sum(view: View) -> LowestSum | None:
    """None where nobody counted, and where this console has missed how the release went on."""
    totals = view.journal.totals if view.journal else None
    if totals is None or totals.lowest_sum is None or has_missed_end(view):
        return None
    ratio = totals.lowest_sum / totals.start_sum if totals.start_sum else None
    return LowestSum(totals.lowest_sum, ratio, totals.uncounted)


def disconnects_per_client(journal: Journal) -> float | None:
    """How often a client of blue was cut off on average; None before the first drain."""
    totals = journal.totals
    return round(totals.disconnects / totals.clients, 4) if totals.clients else None


def has_missed_end(view: View) -> bool:
    """The release ended elsewhere, and the last journal that this console has read is from before."""
    return bool(view.result) and view.journal is not None and view.journal.totals.finished_at is None


def is_disconnects_lower_bound(view: View) -> bool:
    """More may have been cut off than were counted: nobody looked, nobody could, or this console missed the end."""
    if view.journal is None:
        return False
    totals = view.journal.totals
    return has_missed_end(view) or totals.is_lower_bound or bool(totals.uncounted)


def early_clients(view: View) -> int | None:
    """Clients that connected to green by the cut-over; None where nobody counted them.

    While green comes up the operator lists its addresses beside blue's for a moment, and those who connect then stay.
    So do those who come in the canary.
    """
    journal = view.journal
    if journal is None:
        return None
    if is_under_way(view) and view.decision.phase in BEFORE_CUT_OVER:
        return view.snapshot.green.live_connections if view.snapshot.green else 0
    return journal.totals.early


def nudges(view: View) -> int | None:
    """How often the operator was nudged: each nudge counts the closed delay up by one. None while it is open."""
    resource = view.snapshot.resource.value
    delay_s = resource.blue_green.effective_delay_s if resource and resource.blue_green else 0
    return delay_s - CLOSED_S if view.journal is not None and is_closed(delay_s) else None


# -- who drives, who decides ---------------------------------------------------------------------------------------


class Driving(StrEnum):
    """Who sends the commands of a release."""

    THIS_CONSOLE = auto()
    ANOTHER = auto()
    NOBODY = auto()


@dataclass(frozen=True)
class Driver:
    kind: Driving
    name: str = ""
    """Identity of another console."""
    silent_s: float | None = None
    """Since its last renewal of the lease, as seen here."""


def driver(view: View) -> Driver | None:
    """None without a release."""
    if view.role is Role.DRIVER:
        return Driver(Driving.THIS_CONSOLE)
    if view.driver:
        return Driver(Driving.ANOTHER, view.driver, view.driver_seen_s)
    return Driver(Driving.NOBODY) if is_under_way(view) else None


def driver_gone_s(view: View) -> float | None:
    """Seconds of cluster time since another driver's last renewal; None while it renews, and without one."""
    renewed_at = view.driver_renewed_at
    if renewed_at is None:
        return None
    age_s = (view.now - renewed_at).total_seconds()
    return age_s if age_s > view.policy.max_lease_age_s else None


def waits_for_person(view: View) -> bool:
    """A gate is open, and nobody but a person opens it; a hold comes first."""
    return not view.result and waiting_gate(view.decision, view.journal) is not None


# -- what stands in the way ----------------------------------------------------------------------------------------


def not_passing(gate: Gate) -> tuple[CheckResult, ...]:
    """The checks that keep a gate shut, failed ones first."""
    found = [check for check in gate.checks if check.outcome.is_blocking]
    return tuple(sorted(found, key=lambda check: check.outcome is not Outcome.FAIL))


class Obstacle(StrEnum):
    """Why an intent would be refused."""

    NOT_READ = auto()
    WATCH_ONLY = auto()
    NO_RELEASE = auto()
    HELD = auto()
    NO_GATE = auto()
    OLD_FIGURES = auto()
    CHECK = auto()


@dataclass(frozen=True)
class Blocked:
    """One obstacle, with the value that it is about."""

    by: Obstacle
    check: CheckResult | None = None
    age_s: float | None = None
    limit_s: float = 0.0
    reason: str = ""


def why_no_intent(view: View | None) -> Blocked | None:
    """Why no intent of any kind can be given; None when one can."""
    if view is None:
        return Blocked(Obstacle.NOT_READ)
    if view.role is Role.WATCH_ONLY:
        return Blocked(Obstacle.WATCH_ONLY, reason=view.role_reason)
    return None


def why_not_approved(view: View) -> Blocked | None:
    """Why the gate that waits cannot be approved now; None when it can."""
    if blocked := why_no_intent(view):
        return blocked
    if not is_under_way(view):
        return Blocked(Obstacle.NO_RELEASE)
    gate = view.decision.gate
    if view.journal and view.journal.hold:
        return Blocked(Obstacle.HELD)
    if gate is None:
        return Blocked(Obstacle.NO_GATE)
    age_s, limit_s = view.snapshot.stats.age_s(view.now), view.policy.max_broker_age_s
    if age_s is None or age_s > limit_s:
        return Blocked(Obstacle.OLD_FIGURES, age_s=age_s, limit_s=limit_s)
    failing = not_passing(gate)
    return Blocked(Obstacle.CHECK, check=failing[0]) if failing else None


def pressing_alarms(view: View) -> tuple[Alarm, ...]:
    """The alarms that nobody has accepted yet."""
    accepted = view.journal.acknowledged if view.journal else ()
    return tuple(alarm for alarm in view.decision.alarms if alarm.check not in accepted)


RECENT = timedelta(seconds=60)
"""A node that is back is worth a word for this long."""


def open_incidents(view: View) -> tuple[Incident, ...]:
    """Nodes that have failed and are away, or came back a moment ago; newest first."""
    found = view.decision.incidents if is_under_way(view) else ()
    return tuple(i for i in reversed(found) if i.back_at is None or view.now - i.back_at <= RECENT)
