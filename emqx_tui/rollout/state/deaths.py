"""Brokers that went away with clients on them."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from datetime import datetime, timedelta

from emqx_tui.model.frozen import changed
from emqx_tui.model.snapshot import Member, Snapshot
from emqx_tui.rollout.state.broker_ends import (
    DROPS_BEFORE_S,
    UNCOUNTED_S,
    WHOLE_SECONDS,
    counted_until,
    last_count,
    least_left,
)
from emqx_tui.rollout.state.drains import STOPPED_S
from emqx_tui.rollout.state.journal import NodeDeath, Totals
from emqx_tui.rollout.state.observed import Broker, Observations

UNSEEN_S = 2.5
"""Whom a drain brought to a broker since its last count nobody knows; each is counted once a second."""
VANISHED_LATE_S = 10.0
"""Kubernetes has asked a pod that is gone to stop so long before: a late watch tells both at once."""
TOGETHER_S = 0.5
"""Brokers that end together drop their clients together; none of them lands on another."""
LANDED_S = 10.0
"""Clients that wait for five seconds are back, and counted where they are, so long after they were cut off."""
RESTART = "/emqx"
"""After the instance: EMQX has been restarted in its container."""


def with_deaths(known: Observations, snapshot: Snapshot, drained: Container[str]) -> Observations:
    """Count the clients of brokers that served and are gone now, drained ones aside; only in a release.

    One that EMQX merely leaves out of an answer is waited for until it is back, or its pod is no longer up.
    """
    if snapshot.pods.problem:
        return known
    members = {m.name: m for m in snapshot.members}
    deaths = list[NodeDeath]()
    standing: dict[str, Broker] = {}
    for name, before in known.standing.items():
        member = members.get(name)
        ended = _ended(before, member, _uptime_s(snapshot, member))
        if not ended:
            standing[name] = before
        elif snapshot.blue_uid and name not in drained:
            uid, _, restarts = before.instance.partition("/")
            is_same = member is not None and member.pod.meta.uid == uid
            until = counted_until(member, uid, int(restarts), snapshot.now)
            if member is not None and is_same and member.pod.meta.deleting:
                # A pod that was asked to go serves on for a while: who was counted since was counted on it.
                until = max(until, before.since)
            told_late_s = 0.0 if is_same else VANISHED_LATE_S
            clients = _last_count(known, name, before, until, told_late_s)
            is_unseen = (until - before.counted_at).total_seconds() > UNSEEN_S and not before.is_evacuated
            is_landed_on = not before.is_evacuated and _is_landed_on((*known.deaths, *deaths), name, until)
            if clients is None or is_landed_on or (is_unseen and _is_draining(known, snapshot)):
                known = changed(known, is_uncountable=True)
            if clients:
                ended_at = until if member else _dropped_at(known, name, clients, until)
                deaths.append(NodeDeath(name, ended, clients, ended_at, before.is_evacuated))
                known = _undrained(known, name, clients if before.is_evacuated else None)
    for name, member in members.items():
        if _is_counted(member):
            at = snapshot.stats.read_at or snapshot.now
            standing[name] = _broker(member, standing[name].since if name in standing else at, at, snapshot)
    return changed(known, deaths=(*known.deaths, *deaths) if deaths else known.deaths, standing=standing)


def with_left(known: Observations, left: Mapping[str, int], now: datetime) -> Observations:
    """Brokers with no more clients than their drains have `left`, by the driver, while this console did not count."""
    horizon = now - timedelta(seconds=UNCOUNTED_S)
    old = {n: b for n, b in known.standing.items() if b.counted_at < horizon and b.clients > left.get(n, b.clients)}
    if not old:
        return known
    return changed(
        known, standing={**known.standing, **{n: changed(b, clients=left[n], counted_at=now) for n, b in old.items()}}
    )


def with_counts(known: Observations, snapshot: Snapshot) -> Observations:
    """Take in the counts of brokers that answer while another hangs: no sum is made until that is given up."""
    standing = dict(known.standing)
    for member in snapshot.members:
        before, at = standing.get(member.name), member.own.read_at
        if before is None or at is None or at <= before.counted_at or not _is_counted(member):
            continue
        if instance_of(member) == before.instance:
            standing[member.name] = _broker(member, before.since, at, snapshot)
    return changed(known, standing=standing)


def _is_counted(member: Member) -> bool:
    is_member = member.node is not None and not member.is_suspect
    return is_member and member.is_up and member.live_connections is not None


def _broker(member: Member, since: datetime, at: datetime, snapshot: Snapshot) -> Broker:
    evacuation, clients = member.evacuation, member.live_connections or 0
    rate = evacuation.conn_evict_rate_per_s if evacuation else None
    uptime_s = _uptime_s(snapshot, member)
    return Broker(instance_of(member), clients, since, at, evacuation is not None, uptime_s, rate)


def _is_draining(known: Observations, snapshot: Snapshot) -> bool:
    since = snapshot.now - timedelta(seconds=STOPPED_S)
    return any(at >= since for at in known.evacuated_at.values())


def _is_landed_on(deaths: Iterable[NodeDeath], name: str, until: datetime) -> bool:
    """Whom another broker has cut off a moment before may have come back here, and not be counted yet."""
    ages = ((until - death.at).total_seconds() for death in deaths if death.pod != name)
    return any(TOGETHER_S <= age_s <= LANDED_S for age_s in ages)


def _ended(before: Broker, member: Member | None, uptime_s: int | None) -> str:
    """The instance that has ended since `before`; empty while it runs."""
    if member is None or not member.is_up or instance_of(member) != before.instance:
        return before.instance
    is_restarted = uptime_s is not None and before.uptime_s is not None and uptime_s < before.uptime_s
    return f"{before.instance}{RESTART}" if is_restarted else ""


def _uptime_s(snapshot: Snapshot, member: Member | None) -> int | None:
    """As EMQX told last; None where that was of the time before its container was restarted."""
    node = snapshot.brokers.get(member.name) if member else None
    container = member.pod.broker if member else None
    uptime_s = node.vitals.uptime_s if node else None
    since = container.running_since if container else None
    if uptime_s is None or since is None:
        return uptime_s
    return uptime_s if uptime_s <= (snapshot.now - since + WHOLE_SECONDS).total_seconds() else None


def _undrained(known: Observations, name: str, clients: int | None) -> Observations:
    """No drain of a node has moved those who were cut off when its broker died, nor will the next one.

    `clients`: how many they were, None where its drain had been stopped: then the fewest that the drain left.
    """
    if (drain := known.untold.get(name)) is not None:
        others = {other: untold for other, untold in known.untold.items() if other != name}
        known = changed(known, untold=others, is_uncountable=known.is_uncountable or drain.is_at_least)
    if name in known.initial:
        cut = known.left[name] if clients is None else clients
        initial, left = {**known.initial, name: known.initial[name] - cut}, {**known.left, name: 0}
        return changed(known, initial=initial, left=left)
    if name in known.initial_back:
        cut = known.left_back[name] if clients is None else clients
        initial, left = {**known.initial_back, name: known.initial_back[name] - cut}, {**known.left_back, name: 0}
        return changed(known, initial_back=initial, left_back=left)
    return known


def instance_of(member: Member) -> str:
    """Which broker the pod runs: another one after each start of its container, and in each new pod."""
    container = member.pod.broker
    restarts = container.restarts if container else member.pod.restarts
    return f"{member.pod.meta.uid}/{restarts}"


def _last_count(known: Observations, name: str, before: Broker, until: datetime, told_late_s: float) -> int | None:
    """Clients on the broker when it ended; None where nobody counted them before its successor had some.

    It may have ended `told_late_s` before `until`.

    One that ended before it was first counted is the one before it, whose end is known by its uptime.
    """
    if until < before.since:
        return 0
    last = before.clients if before.counted_at <= until else last_count(known.recent, name, until)
    rate = before.evict_rate_per_s
    if last is None or (before.is_evacuated and rate is None):
        return last
    # A watch that is late tells the end long after the broker has answered for the last time.
    until = min(until, before.counted_at)
    if rate is not None:
        return max(last, least_left(known.recent, name, rate, until))
    since = max(before.since, until - timedelta(seconds=DROPS_BEFORE_S + told_late_s))
    if name in known.evacuated_at:
        since = max(since, known.evacuated_at[name] + timedelta(seconds=STOPPED_S))
    return max(last, *(s.nodes.get(name, 0) for s in known.recent if since <= s.at <= until), 0)


def _dropped_at(known: Observations, name: str, clients: int, until: datetime) -> datetime:
    """When a pod that has vanished dropped them: within two seconds of the last count in which it had most of them."""
    counted = [s.at for s in known.recent if s.at <= until and 2 * s.nodes.get(name, 0) >= clients]
    return min(until, counted[-1] + 2 * WHOLE_SECONDS) if counted else until


def all_deaths(totals: Totals, known: Observations) -> tuple[NodeDeath, ...]:
    """Those that any driver has noted, and those that this console has seen beyond them."""
    if not known.deaths:
        return totals.deaths
    new = [death for death in known.deaths if not any(_is_same(death, noted) for noted in totals.deaths)]
    return (*totals.deaths, *new) if new else totals.deaths


def _is_same(one: NodeDeath, other: NodeDeath) -> bool:
    """One end, as two consoles have seen it.

    A console whose watch is late takes the end of a pod for a restart of EMQX in it, by the uptime of its successor.
    """
    if one.pod != other.pod:
        return False
    whole, restart = sorted((one, other), key=lambda death: len(death.instance))
    is_late_word = restart.instance == f"{whole.instance}{RESTART}" and whole.at <= restart.at
    return is_late_word or one.instance == other.instance
