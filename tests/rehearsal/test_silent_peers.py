"""A broker that hangs, and one that sees only itself, in the middle of the first drain: what becomes of the clients."""

from __future__ import annotations

from emqx_tui.rollout.intents import Abort
from emqx_tui.rollout.policy import Approval
from emqx_tui.sandbox.world.scenario import scenario
from emqx_tui.sandbox.world.world import World
from emqx_tui.session.session import Session
from emqx_tui.session.views.view import View
from tests.support.rehearsal.rehearse import Script, rehearse

CLIENTS = 3000


class Onlooker:
    """Keeps what a hung or split broker must not cause: a Ready pod without its address, a nudge every two seconds."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.dropped: set[str] = set()
        self.holds: dict[str, str] = {}
        self.frozen: set[str] = set()
        self.stopped_at: float | None = None

    def act(self, session: Session, view: View) -> None:
        journal = view.journal
        if journal is None or not journal.cut_over_at:
            return
        listed = (
            {a.ip for a in view.snapshot.listener_endpoints.addresses} if view.snapshot.listener_endpoints else set()
        )
        for member in view.snapshot.green.members if view.snapshot.green else ():
            if member.pod.is_ready and not member.pod.meta.deleting and member.pod.ip not in listed:
                self.dropped.add(member.name)
        if journal.hold is not None:
            self.holds[journal.hold.check] = journal.hold.reason
            if journal.hold.freeze:
                self.frozen.add(journal.hold.check)


def played(name: str, resume_after_s: float):
    world = scenario(name, clients=CLIENTS, preset="device", churn_per_s=0.0)
    onlooker = Onlooker(world)
    script = Script(approval=Approval.AUTO, resume_after_s=resume_after_s, act=onlooker.act)
    return world, onlooker, rehearse(world, script, limit_s=2400)


def test_a_hung_recipient_freezes_the_drain_and_loses_nobody() -> None:
    world, onlooker, run = played("hung-peer", 150.0)
    assert run.result == "done", run.view and run.view.decision.alarms
    assert "recipient-silent" in onlooker.frozen
    green = sorted(name for name in world.cluster().nodes if world.cluster().nodes[name].version == "4.4.15")
    assert green[0].partition("@")[2].partition(".")[0] in onlooker.holds["recipient-silent"]
    assert "drain-stalled" not in onlooker.holds
    assert "clients-missing" not in onlooker.holds
    assert onlooker.dropped == set()
    assert run.lost_now == 0
    nudges = [line for line in run.writes if line.startswith("PATCH") and line.endswith("emqxenterprises/emqx-ee")]
    assert len(nudges) < 25


def test_an_abort_stops_a_drain_back_into_a_blue_node_that_hangs() -> None:
    world = scenario("smooth", clients=600, preset="device", churn_per_s=0.0)
    cluster = world.cluster()
    drained_back: list[str] = []
    evicted_into_silence: list[int] = []

    def act(session: Session, view: View) -> None:
        journal, green, blue = view.journal, view.snapshot.green, view.snapshot.blue
        if journal is None or green is None or blue is None:
            return
        if journal.abort is None and (green.live_connections or 0) >= 200:
            session.submit(Abort("person@host", view.decision.abort.revision))
        draining = [m for m in green.members if m.evacuation and m.evacuation.evicts_connections]
        if not drained_back and journal.abort and draining and blue.members[0].node:
            drained_back.append(draining[0].name)
            name = blue.members[0].node.name
            cluster.hang(name)
            world.timeline.after(30.0, lambda: evicted_into_silence.append(cluster.truth.total.evicted))
            world.timeline.after(90.0, lambda: evicted_into_silence.append(cluster.truth.total.evicted))
            world.timeline.after(90.0, lambda: cluster.go_on(name))

    run = rehearse(world, Script(approval=Approval.AUTO, act=act), limit_s=2400)
    assert (run.result, run.lost_now) == ("aborted", 0)
    assert evicted_into_silence[0] == evicted_into_silence[1], "nobody is evicted while blue hangs"
    assert any(drained_back[0] in line and line.endswith("/evacuation/stop") for line in run.writes)


def test_a_node_that_sees_only_itself_keeps_its_address_and_takes_nobody_elses() -> None:
    _, onlooker, run = played("split", 60.0)
    assert run.result == "done", run.view and run.view.decision.alarms
    assert onlooker.dropped == set()
    assert run.lost_now == 0


def test_sessions_that_stay_behind_are_counted_and_said_before_the_next_node() -> None:
    """Before 4.4.24 no evacuation moves sessions of clients with clean start and an expiry interval (recorded)."""
    world = scenario("smooth", clients=300, preset="device", churn_per_s=0.0)
    said: set[str] = set()

    def act(session: Session, view: View) -> None:
        if view.decision.gate is not None:
            said.update(check.evidence for check in view.decision.gate.checks if "stay behind" in check.evidence)

    for node in world.cluster().nodes.values():
        node.unmoved = 10
    run = rehearse(world, Script(approval=Approval.EVERY_NODE, think_s=12.0, act=act), limit_s=2400)
    assert run.result == "done"
    assert run.view is not None
    assert run.view.journal is not None
    left = run.view.journal.totals.sessions_left
    assert sorted(left.values()) == [10, 10, 10]
    assert any(evidence.endswith("EMQX does not move them") for evidence in said)
