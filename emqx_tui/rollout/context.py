"""The rollout context: snapshot, journal and memory of one release, with the facts that the rules derive from them.

Nothing is decided here. Where data is missing, the answer is the one that lets nothing advance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from emqx_tui.model.emqx_enterprise import EmqxEnterprise
from emqx_tui.model.nodes import pod_of
from emqx_tui.model.reading import Reading
from emqx_tui.model.snapshot import Colour, Generation, Member, Snapshot
from emqx_tui.model.workloads import Endpoints, Service, StatefulSet
from emqx_tui.rollout.commands import CloseValve, Command, StopDrain
from emqx_tui.rollout.decision import CheckResult
from emqx_tui.rollout.gate_id import GateId
from emqx_tui.rollout.policy import Policy, is_closed
from emqx_tui.rollout.state.expectations import Expectations, Failure
from emqx_tui.rollout.state.journal import START_NOTED_S, Journal
from emqx_tui.rollout.state.memory import Memory
from emqx_tui.rollout.state.observed import Observations


@dataclass(frozen=True)
class RolloutContext:
    """One release at one instant."""

    snapshot: Snapshot
    journal: Journal
    memory: Memory
    policy: Policy

    @cached_property
    def checked(self) -> dict[Callable[[RolloutContext], CheckResult], CheckResult]:
        """What gate checks have said of this context; see `gate_checks.judge`."""
        return {}

    @property
    def now(self) -> datetime:
        return self.snapshot.now

    @property
    def expectations(self) -> Expectations:
        return self.memory.expectations

    @property
    def observations(self) -> Observations:
        return self.memory.observations

    @property
    def is_read(self) -> bool:
        """The custom resource and the StatefulSets have been read at least once."""
        return self.snapshot.resource.read_at is not None and self.snapshot.stateful_sets.read_at is not None

    @cached_property
    def resource(self) -> EmqxEnterprise | None:
        """The custom resource, if it is the one the journal is about."""
        found = self.snapshot.resource.value
        return found if found and found.meta.uid == self.journal.uid else None

    @property
    def blue(self) -> Generation | None:
        return self.snapshot.blue

    @property
    def green(self) -> Generation | None:
        return self.snapshot.green

    @property
    def blue_members(self) -> tuple[Member, ...]:
        return self.blue.members if self.blue else ()

    @property
    def green_members(self) -> tuple[Member, ...]:
        return self.green.members if self.green else ()

    @property
    def wanted(self) -> int:
        """N: how many nodes a generation has."""
        return self.journal.originals.replicas

    @cached_property
    def valve_s(self) -> int:
        resource = self.resource
        return resource.blue_green.effective_delay_s if resource and resource.blue_green else 0

    @property
    def is_valve_closed(self) -> bool:
        return is_closed(self.valve_s)

    @property
    def started_at(self) -> datetime | None:
        """When the operator says that both sets were complete; None while its release status is reset."""
        status = self.resource.blue_green_status if self.resource else None
        return status.started_at if status else None

    @property
    def is_reset(self) -> bool:
        return self.resource is not None and self.resource.blue_green_status is None

    @property
    def is_template_applied(self) -> bool:
        """The custom resource asks for the target."""
        if self.resource is None:
            return False
        if self.journal.target_mark:
            return self.resource.template_mark == self.journal.target_mark
        return not self.is_template_original

    def is_blue_again(self, found: StatefulSet) -> bool:
        """Blue was removed, and the operator builds the same set again; its revision is told a moment later."""
        originals = self.journal.originals
        is_same = found.name == originals.blue_name and found.update_revision in ("", originals.blue_revision)
        return is_same and found.meta.uid != originals.blue_uid

    @property
    def is_template_original(self) -> bool:
        return self.resource is not None and self.resource.template_mark == self.journal.originals.template_mark

    @property
    def delay_over_at(self) -> datetime | None:
        """When the user's own initial delay has passed."""
        return None if self.started_at is None else self.started_at + timedelta(seconds=self.journal.originals.delay_s)

    @property
    def is_held(self) -> bool:
        return self.journal.hold is not None

    @property
    def is_frozen(self) -> bool:
        return self.journal.hold is not None and self.journal.hold.freeze

    def is_paused(self, command: Command) -> bool:
        """Its last attempt failed so lately that it is not tried again yet."""
        failure = self.expectations.failures.get(command.key)
        return failure is not None and failure.is_within(self._pause_s(command, failure), self.now)

    def _pause_s(self, command: Command, failure: Failure) -> float:
        """Between a failed attempt and the next: twice as long each time, as long as nothing in the command changes."""
        policy = self.policy
        first_s = policy.refused_retry_s if failure.is_refusal else policy.retry_s
        if command != failure.sent or self._is_heard_again(command, failure):
            return first_s
        longest_s = policy.max_close_retry_s if isinstance(command, CloseValve) else policy.max_retry_s
        return min(longest_s, first_s * 2 ** min(failure.count - 1, 10))

    def _is_heard_again(self, command: Command, failure: Failure) -> bool:
        """The node whose evacuation is to stop was silent then, and answers for itself now."""
        own = self.snapshot.own.get(command.pod) if isinstance(command, StopDrain) else None
        if own is None or own.problem or own.read_at is None or failure.is_refusal:
            return False
        return own.read_at > failure.at

    @property
    def endpoints(self) -> Endpoints | None:
        return self.snapshot.listener_endpoints

    @property
    def service(self) -> Service | None:
        return self.snapshot.listener_service

    @cached_property
    def suspects(self) -> tuple[Member, ...]:
        """Nodes of both generations that do not answer for themselves while their containers run: they may hang."""
        return tuple(m for m in (*self.blue_members, *self.green_members) if m.is_suspect)

    @cached_property
    def silent_blue(self) -> tuple[Member, ...]:
        """Nodes of blue that have not answered for themselves for so long that no client is sent to them."""
        since, limit = self.observations.suspect_since, self.policy.suspect_s
        suspects = (m for m in self.blue_members if m.is_suspect and m.name in since)
        return tuple(m for m in suspects if (self.now - since[m.name]).total_seconds() >= limit)

    @cached_property
    def unanswered_start(self) -> str:
        """The pod whose evacuation may still begin: its start got no answer, and it has not denied it since.

        What other consoles have started, they may have sent until START_NOTED_S after it was noted.
        """
        noted = {
            pod: at + timedelta(seconds=START_NOTED_S)
            for pod, at in self.journal.starts.items()
            if pod not in self.expectations.starts_sent
        }
        for pod, at in {**noted, **self.expectations.unanswered_starts}.items():
            own = self.snapshot.own.get(pod)
            word = own.value if own and not own.problem else None
            is_there = any(m.name == pod for m in (*self.blue_members, *self.green_members))
            waited_s = (own.read_at - at).total_seconds() if own and own.read_at else 0.0
            is_settled = word is not None and (word.enabled or waited_s >= self.policy.start_may_land_s)
            if is_there and not is_settled:
                return pod
        return ""

    @cached_property
    def stale_brokers(self) -> str:
        """Why EMQX's figures open no gate: they are old, or one node does not answer; empty while all is told."""
        limit = self.policy.max_membership_age_s
        views = (("nodes", self.snapshot.nodes), ("evacuations", self.snapshot.evacuations))
        suspect = next(iter(self.suspects), None)
        silent = f"{suspect.name} does not answer for itself: {suspect.own.problem}" if suspect else ""
        return self.blind or silent or _stale(views, self.now, limit)

    @cached_property
    def blind(self) -> str:
        """Why nothing is known of any node; empty while those that answer are fresh: each speaks for itself."""
        return _stale((("stats", self.snapshot.stats),), self.now, self.policy.max_broker_age_s)

    @cached_property
    def stale_kube(self) -> str:
        """Why the Kubernetes objects are not to be acted on; empty while every watch answers.

        A watch that is known to be broken is as good as none, however young what it told last: it must list anew.
        """
        snapshot = self.snapshot
        named = (
            ("EmqxEnterprise", snapshot.resource),
            ("StatefulSets", snapshot.stateful_sets),
            ("pods", snapshot.pods),
            ("Services", snapshot.services),
            ("Endpoints", snapshot.endpoints),
            ("EndpointSlices", snapshot.slices),
        )
        lost = next((f"{name}: {reading.problem}" for name, reading in named if reading.problem), "")
        return lost or _stale(named, self.now, self.policy.max_kube_age_s)

    @cached_property
    def is_settled(self) -> bool:
        """No pod of either set terminates and both StatefulSets' status agrees with their spec."""
        return all(g.stateful_set.is_settled and not g.has_pod_terminating for g in self._both)

    @cached_property
    def _both(self) -> tuple[Generation, ...]:
        return tuple(g for g in (self.blue, self.green) if g is not None)

    @property
    def blue_evacuating(self) -> tuple[Member, ...]:
        return tuple(m for m in self.blue_members if m.evacuation)

    @property
    def evicting(self) -> tuple[Member, ...]:
        """Blue nodes that still evict connections."""
        return tuple(m for m in self.blue_evacuating if m.evacuation and m.evacuation.evicts_connections)

    @property
    def draining(self) -> tuple[Member, ...]:
        """Nodes of either side whose clients or sessions are being moved away now."""
        members = (*self.blue_members, *self.green_members)
        return tuple(m for m in members if m.evacuation and m.evacuation.is_running)

    @cached_property
    def is_draining(self) -> bool:
        """A node is drained, or is about to be."""
        return bool(self.draining or self.starting)

    @cached_property
    def starting(self) -> tuple[Member, ...]:
        """Nodes whose evacuation was started, here or elsewhere, and EMQX has not told of it yet.

        None that a freeze or an abort stops: it is noted as started for a while after it was stopped.
        """
        awaited, late = self.expectations, self.unanswered_start
        wanted = () if self.is_frozen else (*self.blue_members, *self.green_members)
        members = (m for m in wanted if m.evacuation is None and self.is_drain_approved(m))
        return tuple(m for m in members if m.name == late or awaited.is_start_awaited(m.name, m.own.read_at, self.now))

    @property
    def foreign_evacuations(self) -> tuple[str, ...]:
        """Nodes that are evacuated although nobody approved it in this release."""
        status = self.snapshot.evacuations.value
        if status is None:
            return ()
        return tuple(e.node for e in status.evacuations if not self._is_ours(e.node))

    @property
    def are_others_evicting(self) -> bool:
        """Somebody balances the cluster, or evacuates a node whose drains are not counted."""
        status, journal = self.snapshot.evacuations.value, self.journal
        if status is not None and status.rebalances:
            return True
        # An evacuation that was stopped soon is over when the cluster is asked; the node itself has told of it.
        by_own_word = () if journal.abort else (m.name for m in self.snapshot.members if m.evacuation)
        pods = (*map(pod_of, self.foreign_evacuations), *by_own_word)
        return any(journal.abort or pod.rpartition("-")[0] != journal.originals.blue_name for pod in pods)

    def _is_ours(self, node: str) -> bool:
        """True for a node whose drain was approved, be it gone by now: EMQX lists it for a while."""
        set_name, _, ordinal = pod_of(node).rpartition("-")
        if self.journal.abort:
            return self.green is not None and set_name == self.green.stateful_set.name
        is_blue = set_name == self.journal.originals.blue_name
        return is_blue and ordinal.isdigit() and self.is_node_approved(int(ordinal))

    def is_drain_approved(self, member: Member) -> bool:
        """The release moves this node's clients: blue's after their approval, green's in an abort."""
        if self.journal.abort:
            return member.colour is Colour.GREEN
        return member.colour is Colour.BLUE and self.is_node_approved(member.ordinal)

    def is_node_approved(self, ordinal: int) -> bool:
        return self.journal.is_approved(GateId.node(ordinal))

    @property
    def is_cut_over_approved(self) -> bool:
        return self.journal.is_cut_over_approved


def _stale(named: tuple[tuple[str, Reading], ...], now: datetime, limit_s: float) -> str:
    for name, reading in named:
        if reading.read_at is None:
            return f"{name}: {reading.problem or 'not read yet'}"
        age = reading.age_s(now) or 0.0
        if age > limit_s:
            return f"{name}: {age:.0f} s old (limit {limit_s:.0f} s){': ' + reading.problem if reading.problem else ''}"
    return ""
