"""`decide` driven through a tiny cluster by Hypothesis. The invariants are the promises that the console makes.

After whatever happened, calm follows: nothing fails any more and a person approves. Then every release has to come to
its end.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from emqx_tui.rollout.commands import (
    CloseValve,
    Command,
    RestoreDelay,
    Scale,
    StartDrain,
    SwitchEndpoints,
    WriteEndpoints,
)
from emqx_tui.rollout.decide import decide
from emqx_tui.rollout.decision import Decision
from emqx_tui.rollout.gate_id import CUT_OVER, LATE_CUT_OVER, GateId
from emqx_tui.rollout.intents import Abort, Approve, Freeze, Hold, Intent, Resume, SetPolicy, SetRates, Start
from emqx_tui.rollout.phases import FINAL, Phase
from emqx_tui.rollout.policy import Approval
from emqx_tui.rollout.state.expectations import Expectations
from emqx_tui.rollout.state.journal import Journal
from emqx_tui.rollout.state.memory import Memory
from tests.support import scenes as build
from tests.support.tiny import Tiny

BY = "ann@host"
ENDED = (Phase.DONE, Phase.ABORTED)


class Releases(RuleBasedStateMachine):
    """One release of one tiny cluster, with all that may happen to it."""

    def __init__(self) -> None:
        super().__init__()
        self.cluster = Tiny(1)
        self.journal: Journal | None = None
        self.memory = Memory()
        self.decision = Decision(Phase.IDLE)
        self.broken: list[str] = []
        self.others_delays: set[int] = set()

    @initialize(
        n=st.integers(1, 3),
        approval=st.sampled_from(Approval),
        parallel=st.integers(1, 2),
        late=st.booleans(),
        ahead=st.integers(0, 70),
    )
    def begin(self, n: int, approval: Approval, parallel: int, late: bool, ahead: int) -> None:
        """A release, `ahead` turns of which went well."""
        self.cluster = Tiny(n)
        plan = build.plan(approval=approval, parallel_drains=parallel, late_removal=late)
        self.look(Start(plan, BY))
        assert self.journal is not None
        for _ in range(ahead):
            self.turn()
            self.approve(1, False)
        event(f"began at {self.decision.phase}")

    # -- the console ----------------------------------------------------------------------------------------------

    def look(self, intent: Intent | None = None, *, loses: bool = False, is_written: bool = True) -> Decision:
        """Decide as the session does: journal first, commands only when it stands."""
        scene = self.cluster.view(self.journal, self.memory)
        settings = replace(build.SETTINGS, policy=scene.policy)
        arguments = (self.memory, scene.snapshot(), self.journal, intent, settings)
        decision, memory = decide(*arguments)
        if decide(*arguments) != (decision, memory):
            self.broken.append("decide is not deterministic")
        self.judge(decision, intent)
        self.decision, self.memory = decision, memory
        if decision.journal != self.journal:
            self.journal = decision.journal if is_written else self.journal
            return decision
        for command in decision.commands:
            self.send(command, loses=loses)
        return decision

    def send(self, command: Command, *, loses: bool) -> None:
        now = self.cluster.now
        awaited = self.memory.expectations.sent(command, now)
        self.judge_command(command)
        if loses:
            self.expect(awaited.failed(command, "conflict", is_refusal=False, now=now))
            return
        resource = self.cluster.carry_out(command)
        awaited = awaited.succeeded(command, now)
        self.expect(awaited.awaiting_ack(command, resource, now) if resource is not None else awaited)

    def expect(self, awaited: Expectations) -> None:
        self.memory = replace(self.memory, expectations=awaited)

    def judge(self, decision: Decision, intent: Intent | None) -> None:
        """What must be true of any decision."""
        journal = decision.journal
        if any(alarm.check == "impossible-phase" for alarm in decision.alarms):
            self.broken.append(f"from {self.decision.phase} to {decision.phase} is taken for impossible")
        if journal is None:
            return
        if journal.hold and not journal.abort and any(c.advancing for c in decision.commands):
            self.broken.append(f"held, and sends {[c.name for c in decision.commands if c.advancing]}")
        if intent is not None and bool(decision.accepted) is bool(decision.refused):
            self.broken.append("an intent is either accepted or refused")
        if decision.phase not in FINAL and not journal.abort:
            has_blue = self.cluster.sizes["blue"] > 0
            if has_blue is not decision.abort.possible:
                self.broken.append(f"abort on offer: {decision.abort.possible}, blue there: {has_blue}")
        before = self.journal.approvals if self.journal else ()
        if journal.approvals[: len(before)] != before:
            self.broken.append("an approval was changed")

    def judge_command(self, command: Command) -> None:
        """What must be true of a command at the moment it goes out."""
        journal, cluster = self.journal, self.cluster
        assert journal is not None
        match command:
            case StartDrain(pod=pod) if not journal.abort:
                if not journal.is_approved(GateId.node(int(pod.rpartition("-")[2]))):
                    self.broken.append(f"{pod} is drained without approval")
            case Scale(after=after) if not journal.abort and not journal.is_approved(GateId.node(after)):
                self.broken.append(f"scaled to {after} without approval")
            case SwitchEndpoints():
                gate = LATE_CUT_OVER if journal.late_removal else CUT_OVER
                if not journal.is_approved(gate):
                    self.broken.append("the Service is moved without approval")
            case RestoreDelay() if cluster.has_status:
                self.broken.append("the delay is given back before the reset")
            case CloseValve() if cluster.template == "old" and "green" not in cluster.sizes:
                self.broken.append("the valve is closed before there is a release")
        if isinstance(command, WriteEndpoints):
            named = {a.pod_name for a in command.addresses}
            polled = cluster.polled
            accepting = {cluster._pod(k) for k, n in polled.items() if n.is_up and n.evacuation is None}
            if not named & accepting:
                self.broken.append("an address list in which nobody accepts clients")

    # -- what may happen ------------------------------------------------------------------------------------------

    @rule(loses=st.booleans())
    def decide_again(self, loses: bool) -> None:
        self.look(loses=loses)

    @rule()
    def decide_without_a_journal_that_can_be_written(self) -> None:
        """A spectator, or a write that lost its race: what was noted stands nowhere."""
        self.look(is_written=False)

    @rule(is_stale=st.booleans())
    def lose_the_write_of_an_abort(self, is_stale: bool) -> None:
        self.look(Abort(BY, "stale" if is_stale else self.decision.abort.revision), is_written=False)

    @rule(seconds=st.sampled_from([0.5, 2.0, 6.0, 61.0]))
    def wait(self, seconds: float) -> None:
        self.cluster.now += timedelta(seconds=seconds)

    @rule()
    def poll(self) -> None:
        self.cluster.poll()

    @rule()
    def operate(self) -> None:
        self.cluster.operate()

    @rule()
    def boot(self) -> None:
        self.cluster.boot()

    @rule()
    def mirror(self) -> None:
        self.cluster.mirror()

    @rule()
    def evict(self) -> None:
        self.cluster.evict()

    @rule(rounds=st.integers(1, 12), approves=st.booleans())
    def all_goes_well_for_a_while(self, rounds: int, approves: bool) -> None:
        for _ in range(rounds):
            self.turn()
            if approves:
                self.approve(1, False)

    @rule(data=st.data())
    def lose_a_pod(self, data: st.DataObject) -> None:
        self.cluster.lose(data.draw(st.sampled_from(sorted(self.cluster.nodes))))

    @rule()
    def console_dies(self) -> None:
        self.memory = Memory()

    @precondition(lambda self: self.journal and self.decision.phase not in (Phase.STARTING, Phase.DONE, Phase.ABORTED))
    @rule(delay_s=st.sampled_from([0, 60]))
    def somebody_opens_the_valve(self, delay_s: int) -> None:
        self.others_delays.add(delay_s)
        self.cluster._patched(delay_s)
        self.cluster.wants_pass = False
        self.look()

    @rule(count=st.integers(1, 3), is_stale=st.booleans())
    def approve(self, count: int, is_stale: bool) -> None:
        gate = self.decision.gate
        if gate is not None:
            self.look(Approve(gate.id, "stale" if is_stale else gate.revision, BY, count))

    @rule(
        intent=st.sampled_from(
            [Hold(BY), Freeze(BY), Resume(BY), SetRates(BY, 50, 50), SetRates(BY, 200, 200), SetPolicy(BY, "auto")]
        )
    )
    def say(self, intent: Intent) -> None:
        self.look(intent)

    @rule(is_stale=st.booleans())
    def abort(self, is_stale: bool) -> None:
        self.look(Abort(BY, "stale" if is_stale else self.decision.abort.revision))

    # -- promises -------------------------------------------------------------------------------------------------

    @invariant()
    def promises_are_kept(self) -> None:
        assert self.broken == []

    @invariant()
    def nobody_is_cut_off_by_a_scale(self) -> None:
        assert self.cluster.killed == 0

    @invariant()
    def nobody_is_forgotten(self) -> None:
        live = sum(node.live for node in self.cluster.nodes.values())
        assert live + self.cluster.offline == self.cluster.n * 40

    def turn(self) -> None:
        """Two and a half seconds in which nothing fails."""
        self.cluster.settle()
        self.look()

    def stuck(self) -> str:
        """What is to be known of a release that does not end."""
        decision, cluster = self.decision, self.cluster
        unmet = [f"{c.name}: {c.evidence}" for c in decision.checks if c.outcome != "pass"]
        hold = self.journal.hold if self.journal else None
        kept = replace(self.memory.observations, recent=(), evicted_track=())
        awaited = self.memory.expectations
        return f"{decision.phase}, hold {hold}, unmet {unmet}, awaited {awaited}, observed {kept}, cluster {cluster}"

    def teardown(self) -> None:
        """Calm: every release comes to its end, and no client is left without a node."""
        if self.journal is None:
            return
        for _ in range(400):
            if self.decision.phase in ENDED:
                break
            self.turn()
            assert self.broken == []
            if self.journal.hold is not None:
                self.look(Resume(BY))
            gate = self.decision.gate
            if gate is not None and gate.is_open:
                self.look(Approve(gate.id, gate.revision, BY))
        assert self.decision.phase in ENDED, self.stuck()
        for _ in range(4):
            self.cluster.settle()
        assert self.cluster.killed == 0
        assert self.cluster.offline == 0
        assert self.cluster.delay_s in {build.USER_DELAY_S, *self.others_delays}
        winner = "blue" if self.decision.phase is Phase.ABORTED else "green"
        assert {c for (c, _), node in self.cluster.nodes.items() if node.live or node.is_up} == {winner}
        assert self.cluster.addresses == frozenset(self.cluster.nodes)


_PLAIN = settings(
    max_examples=25,
    stateful_step_count=30,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def test_promises_are_kept_and_releases_end() -> None:
    run_state_machine_as_test(Releases, settings=_PLAIN)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_promises_are_kept_for_long() -> None:
    run_state_machine_as_test(Releases, settings=settings(_PLAIN, max_examples=3000, derandomize=False))
